"""EDGE  the only writer of safepip's own words, all of them on stderr."""

from __future__ import annotations

import os
import sys

from .errors import INTERNAL, REFUSED

PREFIX = "safepip: "


class Report:
    """Says lines on stderr; with `quiet` only errors, and what it looks at only with `debug`."""

    def __init__(self, *, quiet: bool = False, debug: bool = False, terminal: bool = False) -> None:
        self.quiet = quiet
        self.debugging = debug
        self.terminal = terminal
        self._passing = ""  # the line that is to go

    def say(self, line: str) -> None:
        """Say one line, unless silence was asked for."""
        if not self.quiet:
            self._write(line)

    def passing(self, line: str) -> None:
        """Show a line at a terminal in the place of the last one so shown; it goes as soon as anything is said.

        An empty one only takes it away. The return of the carriage does it: every terminal knows that.
        """
        text = f"{PREFIX}{shown(line)}" if line else ""
        if text != self._passing:
            _put(f"\r{text.ljust(len(self._passing))}" + ("" if text else "\r"))
            self._passing = text

    def error(self, what: str, ways: tuple[str, ...] = (), *, code: int = INTERNAL) -> None:
        """Say what went wrong, or is refused if `code` says so, then each way on, be silence asked for or not."""
        kind = "refused" if code == REFUSED else "error"
        for line in (f"{kind}: {what}", *ways):
            self._write(line)

    def debug(self, line: str) -> None:
        """Tell of the search, where SAFEPIP_DEBUG asks for it."""
        if self.debugging:
            self._write(f"debug: {line}")

    def _write(self, line: str) -> None:
        self.passing("")
        _put(f"{PREFIX}{shown(line)}\n")


def shown(text: str) -> str:
    r"""Return `text` with everything that is no plain character escaped, so that it cannot steer a terminal.

    Control characters, bidirectional overrides and bytes that are no UTF-8 appear as \x1b, \u202e, \udcff.
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _put(text: str) -> None:
    try:
        sys.stderr.flush()
        os.write(2, text.encode(getattr(sys.stderr, "encoding", None) or "utf-8", "backslashreplace"))
    except (OSError, AttributeError, LookupError):
        return  # nobody listens
