"""A forked child of the process that runs the tests, for what changes a whole process: its user, its root, its end."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FAILED = 99  # the code of a child whose act raised an exception


def code_of_child(act: Callable[[], int]) -> int:
    """Run `act` in a forked child; return the exit code it returned, or the negative number of a signal."""
    child = os.fork()
    if child == 0:
        code = FAILED
        try:
            code = act()
        except BaseException:  # noqa: BLE001  the child must not go on as a test
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
