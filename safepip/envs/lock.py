"""Lock an environment: a flock on `<env>/.lock`, the file that uv locks.

The descriptor survives the exec, so that pip itself holds the lock until it ends, however it ends.
"""

from __future__ import annotations

import os
import stat
import sys
import time

from safepip.errors import LOCK_TIMEOUT, SafepipError
from safepip.report import without_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from safepip.report import Report

LOCK = ".lock"
_PATIENCE = 1.0  # seconds before the user is told what is waited for
_STEP = 0.05  # seconds between two tries


def acquire(
    environment: str,
    timeout: float | None,
    report: Report,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    *,
    warn: bool = True,
) -> int | None:
    """Return an inheritable descriptor that holds the lock of `environment`.

    Return None where nothing can be locked (a read-only place, a file system without locks): pip could work there
    all the same. With `warn` the latter is said. `timeout` is in seconds, None for ever.
    """
    path = os.path.join(environment, LOCK)
    waiting = f"waiting for another command in {environment} to end"
    failed = (
        f"{environment} has been in use by another command",
        "try again when it has ended, or raise the setting lock-timeout",
    )
    descriptor = acquire_file(path, timeout, report, waiting, failed, sleep, clock, warn=warn)
    if descriptor is not None:
        os.set_inheritable(descriptor, True)
    return descriptor


def acquire_file(
    path: str,
    timeout: float | None,
    report: Report,
    waiting: str,
    failed: tuple[str, str],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    *,
    warn: bool = True,
) -> int | None:
    """Return a descriptor that holds the lock of a file, or None.

    `waiting` is said when it takes longer; `failed` are the error's text and way on when `timeout` is over.
    """
    begun = clock()
    has_said = False
    while True:
        try:
            return _lock(path, report if warn else None)
        except BlockingIOError:
            waited = clock() - begun
        if timeout is not None and waited >= timeout:
            what, way = failed
            raise SafepipError(LOCK_TIMEOUT, f"{what} for {waited:.0f} s{_holder(path)}", way)
        if waited >= _PATIENCE and not has_said:
            report.say(f"{waiting}{_holder(path)}")
            has_said = True
        sleep(_STEP)


def can_lock(path: str) -> bool:
    """Return True if the file `path` can be locked, or is locked."""
    if os.name == "nt":
        return True
    try:
        descriptor = _lock(path, None)
    except BlockingIOError:
        return True
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _lock(path: str, report: Report | None) -> int | None:
    """Return a descriptor that holds the lock, or None if impossible.

    Raise BlockingIOError while another process holds it, or where another file took its place meanwhile.
    """
    descriptor = None if os.name == "nt" else _open(path)
    if sys.platform == "win32" or descriptor is None:
        return None
    try:
        import fcntl  # noqa: PLC0415  not on Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_replaced(descriptor, path):
            raise BlockingIOError(path)  # noqa: TRY301  handled like a lock that is held
    except ImportError:  # the caller's PYTHONHOME leads our Python astray
        os.close(descriptor)
        return None
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError as error:
        os.close(descriptor)
        if report is not None:
            report.say(f"{path} cannot be locked ({error.strerror}); going on without a lock")
        return None
    return descriptor


def _open(path: str) -> int | None:
    """Open the lock file, made when missing, links not followed."""
    if sys.platform == "win32":
        return None
    flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    for access in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        try:
            descriptor = os.open(path, access | flags, _mode(path))
        except OSError:
            continue
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return _beside_streams(descriptor)
        os.close(descriptor)
    return None


def _mode(path: str) -> int:
    # Users who may not change the environment must not be able to block those who may.
    try:
        is_shared = os.stat(os.path.dirname(path)).st_mode & stat.S_IWGRP
    except OSError:
        is_shared = 0
    return 0o660 if is_shared else 0o600


def _beside_streams(descriptor: int) -> int:
    # In the place of a stream that was closed, pip would write into the lock.
    if sys.platform == "win32" or descriptor > 2:
        return descriptor
    import fcntl  # noqa: PLC0415  not on Windows

    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return moved


def _is_replaced(descriptor: int, path: str) -> bool:
    # By `uv venv --clear`, for one: a lock on the file that was there before holds nothing.
    try:
        return not os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return True


def _holder(path: str) -> str:
    """Return " (process N: its command)" of the lock's holder, or ""."""
    try:
        inode = os.stat(path).st_ino
        with open("/proc/locks", encoding="ascii", errors="replace") as file:
            lines = file.readlines()
    except OSError:
        return ""
    for line in lines:  # as "1: FLOCK  ADVISORY  WRITE 708 00:13:1234 0 EOF"; "->" before one that waits
        row = line.split()
        if row[1] == "FLOCK" and row[5].endswith(f":{inode}"):
            return f" (process {row[4]}{_command(row[4])})"
    return ""


def _command(process: str) -> str:
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            words = without_secrets(os.fsdecode(file.read(4096)).rstrip("\0").split("\0"))
    except OSError:
        return ""
    if "".join(words[1:2]).endswith("runner.py"):
        words = ["pip", *words[2:]]
    line = " ".join(words)[:60]
    return f": {line}" if line else ""
