"""EDGE  small files of safepip's own in the user's cache and state, each written whole or not at all."""

from __future__ import annotations

import os

_BINARY = getattr(os, "O_BINARY", 0)  # else Windows changes line ends and ends at Ctrl-Z
_MOST_DIGITS = 40


def remember(path: str, text: str) -> None:
    """Write `text` to the file `path` of this user alone, by rename; what cannot be written is let be."""
    scratch = f"{path}.{os.urandom(6).hex()}"
    try:
        make_folder(os.path.dirname(path))
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    except (OSError, ValueError):
        return
    try:
        with open(descriptor, "wb") as file:
            file.write(os.fsencode(text))
        os.replace(scratch, path)
    except OSError:
        _remove(scratch)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def make_folder(path: str) -> None:
    """Make the directory `path` and those above it that are missing, each for this user alone (XDG asks so)."""
    mask = os.umask(0o077)
    try:
        os.makedirs(path, exist_ok=True)
    finally:
        os.umask(mask)


def number(text: str) -> int | None:
    """Return the number that a field of such a file holds, or None: Python reads only so many digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def recall(path: str) -> str | None:
    """Return the text that `remember` wrote, or None if there is none or another user wrote it."""
    try:
        flags = _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, os.O_RDONLY | flags)
    except (OSError, ValueError):
        return None
    try:
        mine = not hasattr(os, "geteuid") or os.fstat(descriptor).st_uid == os.geteuid()
        return os.fsdecode(os.read(descriptor, 65536)) if mine else None
    except OSError:
        return None
    finally:
        os.close(descriptor)
