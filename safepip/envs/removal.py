"""Remove environments: under both locks, marked as unfinished first, through directory descriptors."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys

from safepip.errors import CANNOT_CREATE, REFUSED, SafepipError, shell_quote
from safepip.report import printable
from safepip.system import registry
from safepip.system.environment import CONFIG, CREATING, OWN
from safepip.system.files import open_folder
from safepip.system.project import owner

from .creation_lock import change_lock, creation_lock, creation_lock_file
from .lock import LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from safepip.report import Report
    from safepip.system.observe import Context
    from safepip.system.registry import Entry


def remove(entry: Entry, context: Context, report: Report) -> None:
    """Remove the directory whose identity was noted, under both its locks."""
    # Its pyvenv.cfg becomes the mark of an unfinished environment first, so that the next command finishes what
    # a kill leaves. Renaming needs no space on the disk.
    path = entry.registration.path
    with creation_lock(path, context, report), _errors_named(path), change_lock(path, context, report):
        if not entry.is_there:
            raise SafepipError(REFUSED, f"{path} is not the environment that safepip made there")
        _refuse_what_cannot_go(path, context)
        with contextlib.suppress(FileNotFoundError):
            os.rename(os.path.join(path, CONFIG), os.path.join(path, CREATING))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(path, CONFIG))  # where safepip has no folder in it
        empty(path, last=(OWN, LOCK))
        with contextlib.suppress(OSError):  # behind a link, or mounted, the empty directory stays
            os.rmdir(path)
        registry.discard(entry)


@contextlib.contextmanager
def _errors_named(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"{path} could not be removed: {error.strerror or error}: {error.filename or path}"
        raise SafepipError(CANNOT_CREATE, what, f"try again: safepip env remove {shell_quote(path)}") from error


def empty(path: str, *, last: Sequence[str] = (), kept: Sequence[str] = ()) -> None:
    """Empty a directory but for `kept`, the names `last` at the end."""
    # Through descriptors: no link is followed, even if a directory becomes one meanwhile.
    if os.unlink not in os.supports_dir_fd:  # Windows
        _empty_by_path(path, last, kept)
        return
    folder = open_folder(os.path.realpath(path))
    try:
        if _runs_as_root() and os.fstat(folder).st_uid != 0:
            raise PermissionError(errno.EPERM, "belongs to another user", path)
        _empty(folder, last, kept)
    finally:
        os.close(folder)


def _runs_as_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _empty(folder: int, last: Sequence[str] = (), kept: Sequence[str] = ()) -> None:
    for name in _in_order(os.listdir(folder), last, kept):
        with contextlib.suppress(FileNotFoundError):
            _remove(folder, name)


def _in_order(names: list[str], last: Sequence[str], kept: Sequence[str]) -> list[str]:
    """Return the names to remove, the names `last` in the end."""
    present = set(names).difference(kept)
    return [*sorted(present.difference(last)), *filter(present.__contains__, last)]


def _remove(folder: int, name: str) -> None:
    # A directory is removed only if it is the one that was looked at.
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    inner = open_folder(name, folder)
    try:
        opened = os.fstat(inner)
        given_away = _runs_as_root() and opened.st_uid != 0
        if given_away or not os.path.samestat(opened, found):
            raise PermissionError(errno.EPERM, "was replaced meanwhile", name)
        _empty(inner)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)


def _empty_by_path(path: str, last: Sequence[str], kept: Sequence[str]) -> None:
    for name in _in_order(os.listdir(path), last, kept):
        full = os.path.join(path, name)
        if os.path.isdir(full) and not os.path.islink(full):
            from shutil import rmtree  # noqa: PLC0415  slow to import, and rarely needed

            rmtree(full)
        else:
            os.unlink(full)


def discarding(
    path: str, called: str, redirect: str, lock: int, context: Context, report: Report, *, existed: bool
) -> str | None:
    """Return what safepip_discard.py must know to remove a new environment, or None.

    `called` is its name for the user, `redirect` the file that leads to it or empty, and `lock` the descriptor
    that holds its lock. The directory may have `existed` before.
    """
    if context.state is None:
        return None
    found = os.stat(path)
    lines = (
        str(found.st_dev),
        str(found.st_ino),
        str(lock),
        "existed" if existed else "",
        "quiet" if report.quiet else "",
        creation_lock_file(context.state, path),
        context.state,
        redirect,
        printable(called),
        path,
    )
    if "\n" in "".join(lines):  # it is a line each
        return None
    return "\n".join(lines)


def _refuse_what_cannot_go(path: str, context: Context) -> None:
    # Before anything is touched.
    for folder, _, _ in os.walk(path):
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            way = f'sudo chown -R "$USER" {shell_quote(path)}'
            if owner(folder) == context.ambient.user:
                way = f"chmod -R u+rwX {shell_quote(path)}"
            what = f"{path} stays as it is: what lies in {folder} cannot be removed by you"
            raise SafepipError(CANNOT_CREATE, what, f"give yourself the rights first: {way}")
