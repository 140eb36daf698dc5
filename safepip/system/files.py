"""Read and write small files, each written completely or not at all."""

from __future__ import annotations

import os
import stat  # which os has loaded
import sys

_BINARY = getattr(os, "O_BINARY", 0)  # else Windows changes line ends and ends at Ctrl-Z
_MOST_DIGITS = 40
SCRATCH = ".safepip-scratch-"  # in the names of files that are being written; `sweep` removes those of killed ones


def replace_file(
    path: str, content: bytes, *, mode: int = 0o600, like: str | None = None, durable: bool = True
) -> None:
    """Write the file by rename, completely or not at all.

    Raise OSError if that fails. It has the mode `mode`, or owner and mode of the file `like`. `durable` content is
    on the disk first.
    """
    scratch, descriptor = _open_scratch(path)
    try:
        with open(descriptor, "wb") as file:
            _take_rights(file.fileno(), mode, like)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if os.name != "nt":
                os.replace(scratch, path)  # while it is open, and so locked
        if os.name == "nt":
            os.replace(scratch, path)
    except BaseException:
        _remove(scratch)
        raise


def replace_link(path: str, target: str) -> None:
    """Make `path` a symbolic link to `target`, by rename, or raise OSError."""
    scratch = _scratch_for(path)
    os.symlink(target, scratch)
    try:
        os.replace(scratch, path)
    except BaseException:
        _remove(scratch)
        raise


def is_in(path: str, folder: str) -> bool:
    """Return True if `path` is the folder, or lies below it."""
    return os.path.join(path, "").startswith(os.path.join(folder, ""))


def sweep(folder: str, name: str = "") -> None:
    """Remove scratch files of killed commands from a folder.

    With `name`, only those of that file. Those that are being written are locked.
    """
    sought = f".{name[:100]}{SCRATCH}" if name else SCRATCH
    for found in names_in(folder):
        if sought not in found:
            continue
        path = os.path.join(folder, found)
        if os.path.islink(path) or not _is_being_written(path):
            _remove(path)


def remember(path: str, text: str, *, durable: bool = False) -> None:
    """Write `text` to a file of this user alone. Errors are ignored.

    Text that decides about an environment is `durable`; what only saves time need not be on the disk at once.
    """
    try:
        make_folder(os.path.dirname(path))
        replace_file(path, os.fsencode(text), durable=durable)
    except (OSError, ValueError):
        return


def _scratch_for(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:100]}{SCRATCH}{os.urandom(8).hex()}")


def _open_scratch(path: str) -> tuple[str, int]:
    scratch = _scratch_for(path)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    _try_lock(descriptor)
    return scratch, descriptor


def _try_lock(descriptor: int) -> bool:
    """Return True if no other process holds the lock of the file."""
    if sys.platform == "win32":  # what has no locks counts as held, so that it is not removed
        return False
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _is_being_written(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return True
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _take_rights(descriptor: int, mode: int, like: str | None) -> None:
    # The owner first: the file must not be readable for the wrong group for a moment.
    if sys.platform == "win32":
        return
    if like is not None:
        status = os.stat(like)
        mode = status.st_mode & 0o7777
        if (status.st_uid, status.st_gid) != _owner(descriptor):
            try:
                os.fchown(descriptor, status.st_uid, status.st_gid)
            except OSError:
                mode &= ~0o7070  # those bits were meant for another group and owner
    os.fchmod(descriptor, mode)


def _owner(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_uid, status.st_gid


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def umask() -> int:
    """Return the umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def open_folder(path: str, inside: int | None = None) -> int:
    """Return a descriptor of a directory that is not a link."""
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)  # absent on Windows
    return os.open(path, flags, dir_fd=inside)


def make_folder(path: str) -> None:
    """Make a directory and its parents, for this user alone."""
    mask = os.umask(0o077)  # as the XDG specification asks
    try:
        os.makedirs(path, exist_ok=True)
    finally:
        os.umask(mask)


def read_regular(path: str, most: int, *, follow: bool = True) -> bytes | None:
    """Return the first `most` bytes of a regular file, else None."""
    flags = _BINARY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        # Before it is opened: that would let the writer of a FIFO go on, whose text pip is to read.
        if not stat.S_ISREG(os.stat(path, follow_symlinks=follow).st_mode):
            return None
        descriptor = os.open(path, os.O_RDONLY | flags)
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # exchanged meanwhile
            return None
        return os.read(descriptor, most)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def names_in(folder: str) -> list[str]:
    """Return the names in a folder, none if it cannot be read."""
    try:
        return os.listdir(folder)
    except (OSError, ValueError):
        return []


def recall_fields(path: str) -> tuple[str, ...]:
    """Return the fields between NULs that were remembered.

    Without them it is one empty field.
    """
    return tuple((recall(path) or "").split("\0"))


def number(text: str) -> int | None:
    """Return the number in such a field, or None."""
    if len(text) > _MOST_DIGITS:  # Python itself reads only so many
        return None
    return int(text) if text.isascii() and text.isdecimal() else None


def recall(path: str) -> str | None:
    """Return the text that `remember` wrote for this user, or None."""
    try:
        flags = _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, os.O_RDONLY | flags)
    except (OSError, ValueError):
        return None
    try:
        if hasattr(os, "geteuid") and os.fstat(descriptor).st_uid != os.geteuid():
            return None
        return os.fsdecode(os.read(descriptor, 65536))
    except OSError:
        return None
    finally:
        os.close(descriptor)
