"""Kill a command at a counted change of an environment.

Counted by strace and not by the clock, so that a kill lands where it should on a loaded machine too: every
line of strace's that changes something below the environment counts, each such call (but for opening, which
is too frequent) is held for a moment when it is done, and at the k-th the whole process group gets SIGKILL.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CALLS = "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,chmod,fchmodat"
HELD = 2000  # microseconds


def kill_at(argv: Sequence[str], count: int, below: str, *, cwd: str, env: Mapping[str, str]) -> int:
    """Run a program, kill it at its `count`-th change below the folder (0: never), return how many there were."""
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "lines")
        os.mkfifo(pipe)
        traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={CALLS},openat", "-e", "signal=none"]
        traced += ["-e", f"inject={CALLS}:delay_exit={HELD}", "-o", pipe, *argv]
        null = subprocess.DEVNULL
        process = subprocess.Popen(
            traced, cwd=cwd, env=dict(env), start_new_session=True, stdin=null, stdout=null, stderr=null
        )
        seen = 0
        with open(pipe, errors="replace") as lines:
            for line in lines:
                seen += is_change(line, below)
                if count > 0 and seen == count:
                    os.killpg(process.pid, signal.SIGKILL)
                    count = -1
        process.wait()
    return seen


def is_change(line: str, below: str) -> bool:
    """Return True if a line of strace's is a call that changed something below the folder."""
    if f'"{below}/' not in line or "/.safepip/" in line or " = -1 " in line:
        return False
    return "openat" not in line or "O_CREAT" in line


def reset(template: str, project: str) -> None:
    """Have the project as the template is; environments keep their paths."""
    shutil.rmtree(project)
    shutil.copytree(template, project, symlinks=True)
