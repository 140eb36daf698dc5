"""The lock for making, rebuilding and removing an environment: in the user's state, keyed by the real path."""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256

from filelock import FileLock, Timeout

from safepip.errors import LOCK_TIMEOUT, SafepipError
from safepip.system.files import make_folder

from .lock import can_lock, holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.report import Report
    from safepip.system.observe import Context


@contextlib.contextmanager
def creation_lock(path: str, context: Context, report: Report) -> Iterator[None]:
    """Hold the lock for making this environment: in the user's state, since the place is yet to be made."""
    lock = _lock_in_state(path, context)
    if lock is None:
        yield
        return
    with contextlib.suppress(OSError, NotImplementedError):  # without locks there: the environment's own is tried
        _take(lock, path, context.settings.lock_timeout, report)
    try:
        yield
    finally:
        lock.release()


def _take(lock: FileLock, path: str, timeout: float | None, report: Report) -> None:
    try:
        try:
            lock.acquire(timeout=1.0 if timeout is None else min(1.0, timeout))
        except Timeout:
            if timeout is not None and timeout <= 1.0:
                raise
            report.say(f"waiting for another command to make {path}{holder(lock.lock_file)}")
            lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout - 1.0))
    except Timeout:
        what = f"another command has been making {path} for {timeout} s{holder(lock.lock_file)}"
        raise SafepipError(LOCK_TIMEOUT, what, "try again when it has ended") from None


def key_of(path: str) -> str:
    """Return the name of what the state holds of an environment, by its real path."""
    return sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]


def creation_lock_file(state: str, path: str) -> str:
    """Return the file that is locked while an environment is made at `path`."""
    return os.path.join(state, "locks", key_of(path))


def _lock_in_state(path: str, context: Context) -> FileLock | None:
    if context.state is None:
        return None
    file = creation_lock_file(context.state, path)
    folder = os.path.dirname(file)
    try:
        make_folder(folder)
    except OSError:
        return None
    strange = os.path.lexists(file) and (os.path.islink(file) or not os.path.isfile(file))
    return FileLock(file) if os.access(folder, os.W_OK) and not strange and can_lock(file) else None
