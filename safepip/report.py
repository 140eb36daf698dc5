"""Print safepip's own messages, all of them on stderr.

The answers of verbs go to stdout, by verbs/output.py. What is said beside pip comes from after_pip/, which runs
under other Pythons and cannot import this.
"""

from __future__ import annotations

import os
import sys

from .errors import INTERNAL, REFUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PREFIX = "safepip: "
_RED, _NO_COLOUR = "\x1b[1;31m", "\x1b[0m"  # as pip shows its own "error"
_MOST_URLS = 50  # in one word
_SHORTEST = len("--pro")  # shorter abbreviations of --proxy are ambiguous in pip


class Report:
    """Print lines on stderr."""

    def __init__(self, *, quiet: bool = False, debug: bool = False, terminal: bool = False) -> None:
        self.quiet = quiet
        self.debugging = debug
        self.terminal = terminal
        self.colour = False
        self._passing = ""  # the line that the next one replaces

    def say(self, line: str) -> None:
        """Print one line, unless silence was asked for."""
        if not self.quiet:
            self._write(line)

    def warn(self, line: str) -> None:
        """Print one line even if quiet."""
        self._write(line)

    def passing(self, line: str) -> None:
        """Show a line until anything else is printed."""
        text = ""
        width = _width()
        if line:
            text = f"{PREFIX}{printable(line)}"[:width]
        if text == self._passing:
            return
        # Every terminal knows the carriage return. It does not go up, so that the line must fit the width.
        padded = text.ljust(len(self._passing))[:width]
        if not text:
            padded += "\r"
        _write_to_stderr(f"\r{padded}")
        self._passing = text

    def error(self, what: str, ways: tuple[str, ...] = (), *, code: int = INTERNAL) -> None:
        """Print an error or a refusal, and the ways on."""
        kind = "refused" if code == REFUSED else "error"
        if self.colour:
            kind = f"{_RED}{kind}{_NO_COLOUR}"
        self.passing("")
        _write_to_stderr(f"{PREFIX}{kind}: {printable(what)}\n")
        for line in ways:
            self._write(line)

    def debug(self, line: str) -> None:
        """Print a step of the search if SAFEPIP_DEBUG asks for it."""
        if self.debugging:
            self._write(f"debug: {line}")

    def _write(self, line: str) -> None:
        self.passing("")
        _write_to_stderr(f"{PREFIX}{printable(line)}\n")


def printable(text: str) -> str:
    r"""Return `text` with control characters escaped and without credentials.

    Control characters, bidirectional overrides and undecodable bytes could steer a terminal. They appear
    as \x1b, \u202e, \udcff.
    """
    clean = without_credentials(text)
    if clean.isprintable():
        return clean
    return "".join(map(_escaped, clean))


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\U{code:08x}"


def first_of(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    text = ", ".join(names[:most])
    if len(names) <= most:
        return text
    return f"{text} and {len(names) - most} more"


def with_tilde(path: str, home: str | None) -> str:
    """Return a path with ~ for the home directory above it."""
    if home and path.startswith(os.path.join(home, "")):
        return "~" + path[len(home) :]
    return path


def without_credentials(word: str) -> str:
    """Return a word without the credentials of any URL in it.

    A lone `git@` stays: it names a service, and such a URL does not work without it.
    """
    if word.count("://") > _MOST_URLS:
        return "…"  # nobody types that
    before, separator, rest = word.partition("://")
    if not separator:
        return word
    here = rest
    for mark in " \t\r\n\"'":
        here = here.partition(mark)[0]
    after = without_credentials(rest[len(here) :])
    user, _, place = _userinfo(here)
    kept = "git@" if user == "git" else ""
    return before + separator + kept + without_credentials(place) + after  # its path may be another URL


def _userinfo(here: str) -> tuple[str, str, str]:
    """Return (user, "@", the rest), or ("", "", all)."""
    authority = here
    for char in "/?#":
        authority = authority.partition(char)[0]
    if "@" in authority:
        user = authority.rpartition("@")[0]
        return user, "@", here[len(user) + 1 :]
    # An unescaped slash in a password ends the authority for a parser, but it is a secret all the same.
    port = authority.partition(":")[2]
    if "@" not in here:
        return "", "", here
    if authority.startswith("["):  # [::1] is an address
        return "", "", here
    if not port or port.isdecimal():
        return "", "", here
    return here.rpartition("@")


def without_secrets(words: Iterable[str]) -> list[str]:
    """Return the words without credentials."""
    clean: list[str] = []
    before = ""
    for word in words:
        option, equals, value = word.partition("=")
        if equals and _is_proxy(option):
            cleaner = f"{option}={_without_user(value)}"
        elif _is_proxy(before):
            cleaner = _without_user(word)
        elif option == "--pip-args":
            cleaner = f"{option}={' '.join(without_secrets(value.split(' ')))}"
        else:
            cleaner = word
        before = without_credentials(cleaner)
        clean.append(before)
    return clean


def _is_proxy(option: str) -> bool:
    return len(option) >= _SHORTEST and "--proxy".startswith(option)


def _without_user(value: str) -> str:
    return value.rpartition("@")[2]


def _width() -> int | None:
    # Some terminals wrap as soon as the last column is written.
    try:
        return max(os.get_terminal_size(2).columns - 1, 0) or None
    except (OSError, ValueError):
        return None


def _write_to_stderr(text: str) -> None:
    try:
        if sys.platform == "win32":  # its console takes characters, not bytes
            sys.stderr.write(text)
            sys.stderr.flush()
            return
        # One write a line: lines of several processes do not mix.
        sys.stderr.flush()
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        os.write(2, text.encode(encoding, "backslashreplace"))
    except (OSError, AttributeError, LookupError, ValueError):
        return  # nobody listens
