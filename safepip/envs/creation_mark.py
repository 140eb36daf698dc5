"""The mark of an environment whose creation is under way: a file in it, with that creation's token."""

from __future__ import annotations

import contextlib
import errno
import os

from safepip.system.environment import CREATING, OWN
from safepip.system.files import recall, remember


def mark(path: str, token: str) -> None:
    """Mark a new environment as unfinished before anything else is in it; an existing mark stays.

    It has its token from the first moment: an empty mark in an environment that another command has just
    finished would make it unfinished again.
    """
    os.makedirs(path, exist_ok=True)
    os.makedirs(os.path.join(path, OWN), 0o700, exist_ok=True)
    file = os.path.join(path, CREATING)
    scratch = f"{file}.{token}"
    try:
        _write_new(scratch, token)
        os.link(scratch, file, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise
        _write_new(file, token)  # on a file system without hard links
    finally:
        with contextlib.suppress(OSError):
            os.unlink(scratch)


def begin(path: str) -> None:
    """Put the mark of an unfinished environment there; by rename, so that a link in its place is not followed."""
    file = os.path.join(path, CREATING)
    remember(file, os.urandom(16).hex(), durable=True)
    if not read_token(path):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), file)


def unmark(path: str, token: str) -> None:
    """Remove the mark that was put into an environment which another command had just finished."""
    with contextlib.suppress(OSError):
        if read_token(path) == token:
            os.unlink(os.path.join(path, CREATING))


def withdraw(path: str, token: str, *, existed: bool) -> None:
    """Leave things as they were before the lock was taken: files of others stay."""
    unmark(path, token)
    for folder in (os.path.join(path, OWN), *(() if existed else (path,))):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def read_token(path: str) -> str:
    """Return the token that signs the creation under way, or "" without a mark."""
    return recall(os.path.join(path, CREATING)) or ""


def _write_new(path: str, text: str) -> None:
    """Write a new file of this user alone."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode("ascii"))
