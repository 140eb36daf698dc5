"""The exception that ends safepip, and its exit codes."""

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

# No shell gives these a meaning.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./-_" + os.sep)


class SafepipError(Exception):
    """Ends the command: `what` failed, the `ways` on and the exit `code`.

    A way is one line: a command, or words, a colon and a command. With an empty `what` nothing is printed,
    since another program has printed its own message.
    """

    def __init__(self, code: int, what: str, *ways: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.ways = ways


def shell_quote(word: str) -> str:
    """Return a word as one types it into a shell."""
    # As shlex.quote, whose import costs more than everything else here.
    if word and _PLAIN.issuperset(word):
        return word
    if sys.platform == "win32":
        return f'"{word}"'
    return "'" + word.replace("'", "'\"'\"'") + "'"
