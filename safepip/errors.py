"""The exception that ends safepip: what failed, what to type next, and the exit code."""

from __future__ import annotations

import os
import sys

NO_ENVIRONMENT = 3
USAGE = 64
NO_PIPX = 69
INTERNAL = 70
CANNOT_CREATE = 73
LOCK_TIMEOUT = 75
REFUSED = 77
BAD_SETTINGS = 78
CANNOT_RUN = 126
NOT_FOUND = 127

_PLAIN = "@%+=:,./-_" + os.sep  # signs that no shell reads anything into


class SafepipError(Exception):
    """Ends the command: `what` happened, the `ways` on and the exit `code`.

    A way is one line: a command, or words, a colon and a command.

    An empty `what` says nothing: another program's message, already shown, stands.
    """

    def __init__(self, code: int, what: str, *ways: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.ways = ways


def shell_quote(word: str) -> str:
    """Return a word as it is typed into a shell, as shlex does, whose import costs more than all else here."""
    if word and all((char.isascii() and char.isalnum()) or char in _PLAIN for char in word):
        return word
    return f'"{word}"' if sys.platform == "win32" else "'" + word.replace("'", "'\"'\"'") + "'"
