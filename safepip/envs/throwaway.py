"""`install --dry-run` where there is no environment: in one that is gone afterwards."""

from __future__ import annotations

import os
import tempfile

from safepip._record import changed
from safepip.errors import CANNOT_CREATE, SafepipError
from safepip.execute import child_environ, spawn
from safepip.interpreter import BIN

from .create import build

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.context import Context
    from safepip.plan import Throwaway


def run_in_throwaway(plan: Throwaway, context: Context) -> int:
    """Run the line in a new environment in the temporary directory, remove it, return pip's exit code."""
    try:
        with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
            path = os.path.join(os.path.realpath(folder), "env")
            build(path, plan.interpreter, context.cache, pip=False)
            programs = os.path.join(path, BIN)
            python = os.path.join(programs, os.path.basename(plan.handover.python))
            program = os.path.join(programs, os.path.basename(plan.handover.program))
            handover = changed(plan.handover, python=python, program=program, environment=path)
            return spawn(handover.argv, child_environ(handover))
    except OSError as error:
        raise SafepipError(CANNOT_CREATE, f"no temporary environment: {error.strerror or error}") from error
