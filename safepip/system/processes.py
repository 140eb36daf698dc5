"""Find the processes that this one descends from."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def is_ancestor(process: int, parent: Callable[[int], int] | None = None) -> bool:
    """Return True if `process` is this one or a living ancestor.

    `parent` returns a process's parent, or 0.
    """
    at = os.getpid()
    while at > 1:
        if at == process:
            return True
        at = (parent or _parent)(at)
    return False


def _parent(process: int) -> int:
    """Return the parent's process id, 0 where the system does not tell."""
    if process == os.getpid():
        return os.getppid()
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            # proc_pid_stat(5): a program's name stands in parentheses, and may hold some
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        if sys.platform == "darwin":  # has no /proc
            return parent_by_ps(process)
        return 0


def parent_by_ps(process: int) -> int:
    """Return the parent that ps prints, or 0."""
    import subprocess

    try:
        asked = subprocess.run(["/bin/ps", "-o", "ppid=", "-p", str(process)], capture_output=True, check=False)
        return int(asked.stdout)
    except (OSError, ValueError):
        return 0
