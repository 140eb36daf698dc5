"""The two locks of an environment, held for a block.

The one for making, rebuilding and removing it is in the user's state, keyed by the real path. The one for
changing what is in it is its own (see lock.py).
"""

from __future__ import annotations

import contextlib
import os

from safepip.errors import LOCK_TIMEOUT, SafepipError
from safepip.system.files import make_folder

from .digest import sha256
from .lock import acquire, acquire_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.report import Report
    from safepip.system.observe import Context


@contextlib.contextmanager
def creation_lock(path: str, context: Context, report: Report) -> Iterator[None]:
    """Hold the lock for making this environment."""
    file = _usable_file(path, context)
    if file is None:  # the environment's own lock must do
        yield
        return
    timeout = context.settings.lock_timeout
    what, way = f"another command has been making {path}", "try again when it has ended"
    if os.name == "nt":
        from filelock import FileLock, Timeout  # noqa: PLC0415  slow to import, and only needed here

        try:
            with FileLock(file, timeout=-1 if timeout is None else timeout):
                yield
        except Timeout:
            raise SafepipError(LOCK_TIMEOUT, f"{what} for {timeout} s", way) from None
        return
    # The flock is the one that filelock takes, whose import would be a tenth of a creation.
    waiting = f"waiting for another command to make {path}"
    lock = acquire_file(file, timeout, report, waiting, (what, way), warn=False)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def change_lock(path: str, context: Context, report: Report) -> Iterator[int | None]:
    """Hold the environment's own lock, and give its descriptor or None."""
    lock = acquire(path, context.settings.lock_timeout, report)
    try:
        yield lock
    finally:
        if lock is not None:
            os.close(lock)


def key_of(path: str) -> str:
    """Return the name of an environment's files in the state."""
    return sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]


def creation_lock_file(state: str, path: str) -> str:
    """Return the file to lock for an environment at `path`."""
    return os.path.join(state, "locks", key_of(path))


def _usable_file(path: str, context: Context) -> str | None:
    if context.state is None:
        return None
    file = creation_lock_file(context.state, path)
    folder = os.path.dirname(file)
    try:
        make_folder(folder)
    except OSError:
        return None
    if not os.access(folder, os.W_OK) or os.path.islink(file):
        return None
    if os.path.exists(file) and not os.path.isfile(file):  # opening a pipe could wait forever
        return None
    return file
