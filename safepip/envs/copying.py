"""Copy files the cheapest way: as clones, hard links, or real copies."""

from __future__ import annotations

import contextlib
import os
import sys

from safepip.system.files import open_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    _Way = Callable[[str, int, int], None]

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NEVER_LINKED = ("cacert.pem", "RECORD")  # programs append to the first, `install_pip` changes the other, in place
_CHUNK = 1 << 17  # bytes that are copied at once: most files of pip are smaller
_FICLONE = 0x40049409  # of linux/fs.h, the same on all processors that Python has wheels for


def copy_folder(source: str, target: str) -> None:
    """Copy what lies in the directory `source` into `target`."""
    os.makedirs(target, exist_ok=True)
    ways: list[_Way] = [_clone, _link]
    if sys.platform != "win32" and os.geteuid() == 0:  # two environments of root's share no file
        ways.remove(_link)
    _copy_open_folder(open_folder(source), open_folder(target), ways)


def copy_file(source: str, target: str) -> None:
    """Copy a file to a path of the same name."""
    if sys.platform == "win32":
        from shutil import copy2  # noqa: PLC0415  slow to import, and only needed here

        copy2(source, target)
        return
    status = os.lstat(source)
    ways: list[_Way] = [_clone]
    is_own = status.st_uid == os.geteuid() != 0
    if is_own and not status.st_mode & 0o022:  # else others could change the copy
        ways.append(_link)
    inside, into = open_folder(os.path.dirname(source)), open_folder(os.path.dirname(target))
    try:
        _copy_file(os.path.basename(target), inside, into, ways)
    finally:
        os.close(inside)
        os.close(into)


def _copy_open_folder(inside: int, into: int, ways: list[_Way]) -> None:
    """Copy what lies in one open directory into another, and close both."""
    try:
        with os.scandir(inside) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    _copy_file(entry.name, inside, into, ways)
                    continue
                with contextlib.suppress(FileExistsError):
                    os.mkdir(entry.name, dir_fd=into)
                _copy_open_folder(open_folder(entry.name, inside), open_folder(entry.name, into), ways)
    finally:
        os.close(inside)
        os.close(into)


def _copy_file(name: str, inside: int, into: int, ways: list[_Way]) -> None:
    """Copy a file by the first way that works, else by bytes."""
    for way in [*ways, _write]:
        if way is _link and name in _NEVER_LINKED:
            continue
        try:
            try:
                way(name, inside, into)
            except FileExistsError:
                os.unlink(name, dir_fd=into)
                way(name, inside, into)
        except OSError:
            if way is _write:
                raise
            ways.remove(way)  # not tried with the next file: other file system, or protected links
        else:
            return


def _link(name: str, inside: int, into: int) -> None:
    os.link(name, name, src_dir_fd=inside, dst_dir_fd=into, follow_symlinks=False)


def _clone(name: str, inside: int, into: int) -> None:
    """Copy on write: files share their content until one is changed."""
    if sys.platform == "win32":
        raise OSError("there are no clones here")
    import fcntl  # noqa: PLC0415  not on Windows

    _transfer(name, inside, into, lambda source, target: fcntl.ioctl(target, _FICLONE, source))


def _write(name: str, inside: int, into: int) -> None:
    def copy(source: int, target: int) -> None:
        while chunk := os.read(source, _CHUNK):
            while chunk:  # a disk that is nearly full takes less
                chunk = chunk[os.write(target, chunk) :]

    _transfer(name, inside, into, copy)


def _transfer(name: str, inside: int, into: int, fill: Callable[[int, int], object]) -> None:
    """Make a new file like another, with the content that `fill` writes."""
    source = os.open(name, os.O_RDONLY | _NO_LINK, dir_fd=inside)
    try:
        status = os.fstat(source)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
        target = os.open(name, flags, status.st_mode & 0o777, dir_fd=into)
        try:
            fill(source, target)
            if not name.endswith(".pyc"):  # these are used only if they name the time of their source
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        except OSError:
            os.unlink(name, dir_fd=into)
            raise
        finally:
            os.close(target)
    finally:
        os.close(source)
