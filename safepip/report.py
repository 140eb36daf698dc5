"""Print safepip's own messages, all of them on stderr."""

from __future__ import annotations

import os
import sys

from .errors import INTERNAL, REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "safepip: "
_RED, _NO_COLOUR = "\x1b[1;31m", "\x1b[0m"  # as pip shows its own "error"
_MOST_URLS = 50  # in one word


class Report:
    """Says lines on stderr; with `quiet` only errors, and what it looks at only with `debug`."""

    def __init__(self, *, quiet: bool = False, debug: bool = False, terminal: bool = False) -> None:
        self.quiet = quiet
        self.debugging = debug
        self.terminal = terminal
        self.colour = False
        self._passing = ""  # the line that is to go

    def say(self, line: str) -> None:
        """Say one line, unless silence was asked for."""
        if not self.quiet:
            self._write(line)

    def passing(self, line: str) -> None:
        """Show a line at a terminal in the place of the last one so shown; it goes as soon as anything is said.

        An empty one only takes it away. The return of the carriage does it: every terminal knows that. It does
        not go up, so that a line which the terminal is too narrow for is cut.
        """
        width = _width()
        text = f"{PREFIX}{printable(line)}"[:width] if line else ""
        if text != self._passing:
            _put(f"\r{text.ljust(len(self._passing))[:width]}" + ("" if text else "\r"))
            self._passing = text

    def error(self, what: str, ways: tuple[str, ...] = (), *, code: int = INTERNAL) -> None:
        """Say what went wrong, or is refused if `code` says so, then each way on, be silence asked for or not."""
        kind = "refused" if code == REFUSED else "error"
        if self.colour:
            kind = f"{_RED}{kind}{_NO_COLOUR}"
        self.passing("")
        _put(f"{PREFIX}{kind}: {printable(what)}\n")
        for line in ways:
            self._write(line)

    def debug(self, line: str) -> None:
        """Tell of the search, where SAFEPIP_DEBUG asks for it."""
        if self.debugging:
            self._write(f"debug: {line}")

    def _write(self, line: str) -> None:
        self.passing("")
        _put(f"{PREFIX}{printable(line)}\n")


def printable(text: str) -> str:
    r"""Return `text` with control characters escaped, so that it cannot steer a terminal.

    Control characters, bidirectional overrides and bytes that are no UTF-8 appear as \x1b, \u202e, \udcff;
    user and password of a URL do not appear.
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in without_credentials(text))


def without_credentials(word: str) -> str:
    """Return a word of a line without the user and password of any URL in it.

    A lone `git@` stays: it is the name of a service, and no URL of that kind works without it.
    """
    if word.count("://") > _MOST_URLS:
        return "…"  # nobody types that
    before, separator, rest = word.partition("://")
    if not separator:
        return word
    end = next((index for index, char in enumerate(rest) if char in " \t\r\n\"'"), len(rest))
    here, after = rest[:end], without_credentials(rest[end:])
    user, at, place = _userinfo(here)
    kept = "git@" if at and user == "git" else ""
    return before + separator + kept + without_credentials(place) + after  # its path may be another URL


def _userinfo(here: str) -> tuple[str, str, str]:
    """Split what follows "://" at the "@" behind user and password, as (user, "@", the rest) or ("", "", all).

    An unescaped slash in a password ends the authority for a parser, but it is a secret all the same.
    """
    authority = here
    for char in "/?#":
        authority = authority.partition(char)[0]
    if "@" in authority:
        user = authority.rpartition("@")[0]
        return user, "@", here[len(user) + 1 :]
    port = authority.partition(":")[2]
    if "@" in here and port and not port.isdecimal() and not authority.startswith("["):
        user, at, rest = here.rpartition("@")
        return user, at, rest
    return "", "", here


def without_secrets(words: Iterable[str]) -> list[str]:
    """Return the words without credentials; pip's `--proxy` may have some without being a URL."""
    clean: list[str] = []
    for word in words:
        option, equals, value = word.partition("=")
        if len(option) > 4 and "--proxy".startswith(option) and equals:
            word = f"{option}={value.rpartition('@')[2]}"  # noqa: PLW2901  the same word, cleaned
        elif clean and len(clean[-1]) > 4 and "--proxy".startswith(clean[-1]):
            word = word.rpartition("@")[2]  # noqa: PLW2901  likewise
        elif option == "--pip-args":
            word = f"{option}={' '.join(without_secrets(value.split(' ')))}"  # noqa: PLW2901  likewise
        clean.append(without_credentials(word))
    return clean


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _width() -> int | None:
    """Return the width of the terminal without its last column, or None without a terminal."""
    try:
        return max(os.get_terminal_size(2).columns - 1, 0) or None
    except (OSError, ValueError):
        return None


def _put(text: str) -> None:
    try:
        if sys.platform == "win32":  # its console takes characters, not bytes
            sys.stderr.write(text)
        sys.stderr.flush()
        if sys.platform != "win32":
            os.write(2, text.encode(getattr(sys.stderr, "encoding", None) or "utf-8", "backslashreplace"))
    except (OSError, AttributeError, LookupError, ValueError):
        return  # nobody listens
