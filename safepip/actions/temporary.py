"""Run `install --dry-run` in a temporary environment where none exists yet."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile

from safepip.core.record import replace
from safepip.core.world import BIN
from safepip.envs.build import build
from safepip.errors import CANNOT_CREATE, SafepipError
from safepip.system.process import child_environ, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.core.plan import Temporary
    from safepip.system.observe import Context


def run_in_temporary(plan: Temporary, context: Context) -> int:
    """Run the line in a temporary environment, and return pip's exit code."""
    try:
        with _ending_in_order(), _temporary_directory() as folder:
            path = os.path.join(os.path.realpath(folder), "env")
            build(path, plan.interpreter, context.cache, pip=False)
            programs = os.path.join(path, BIN)
            python = os.path.join(programs, os.path.basename(plan.handover.python))
            program = os.path.join(programs, os.path.basename(plan.handover.program))
            handover = replace(plan.handover, python=python, program=program, environment=path)
            return spawn(handover.argv, child_environ(handover))
    except OSError as error:
        raise SafepipError(
            CANNOT_CREATE, f"could not make a temporary environment: {error.strerror or error}"
        ) from error
    except _EndedBy as ended:
        return -ended.number


@contextlib.contextmanager
def _temporary_directory() -> Iterator[str]:
    """Make a directory and remove it again. Signals wait meanwhile."""
    before = _hold_back()
    try:
        folder = tempfile.mkdtemp(prefix="safepip-")
    except OSError:
        _let_through(before)
        raise
    try:
        _let_through(before)  # a signal that waited is raised here, where the directory is removed
        yield folder
    finally:
        before = _hold_back()
        shutil.rmtree(folder, ignore_errors=True)
        _let_through(before)


def _hold_back() -> set[int]:
    """Let ending signals wait, and return the signals that waited before."""
    if sys.platform == "win32":  # has no masks
        return set()
    return set(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, _ending_signals())))


def _let_through(before: set[int]) -> None:
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending_signals() -> list[int]:
    if sys.platform == "win32":  # has no SIGHUP
        return [signal.SIGTERM]
    return [signal.SIGTERM, signal.SIGHUP]


class _EndedBy(BaseException):
    """A signal that is to end this process when all is removed."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Turn what would end this process at once into an exception."""
    numbers = _ending_signals()
    before = {number: signal.getsignal(number) for number in numbers}

    def leave(number: int, _frame: object) -> None:
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)  # a second one does not hinder the removal
        raise _EndedBy(number)

    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as under nohup
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
