"""pip run for safepip's own purposes: in an environment, silently, by no settings that would lead it elsewhere."""

from __future__ import annotations

import os
import subprocess

from safepip.core.plan import Handover
from safepip.system.interpreter import BIN
from safepip.system.process import child_environ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from safepip.system.environment import Environment

# What the user has set for all installs, and what would add to or move one that safepip makes.
_LEFT_OUT = (
    "PIP_REQUIREMENT", "PIP_EDITABLE", "PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "PIP_GROUP", "PIP_USER",
    "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_DRY_RUN", "PIP_REPORT", "PIP_REQUIRE_HASHES",
    "PIP_REQUIRE_VIRTUALENV", "PIP_UPGRADE", "PIP_FORCE_REINSTALL", "PIP_IGNORE_INSTALLED", "PIP_ONLY_DEPS",
    "PIP_REQUIREMENTS_FROM_SCRIPT", "PIP_NO_CLEAN", "PIP_LOG", "PIP_QUIET", "PIP_VERBOSE",
)  # fmt: skip


def run_pip(found: Environment, words: Sequence[str], *, sealed: bool = False, lock: int | None = None) -> str:
    """Run the pip of the environment, or safepip's own in it; return why it failed, empty if it did not.

    It has the user's sources and settings, or with `sealed` none: only what `words` say. With the descriptor
    `lock` it holds that lock too: should this process be killed, pip goes on writing.
    """
    handover = Handover(
        python=found.python,
        words=("--disable-pip-version-check", "--no-input", *words),
        program=os.path.join(found.path, BIN, "pip"),
        environment=found.path,
        enter=True,
        changes=(*((name, None) for name in _LEFT_OUT), ("PIP_USER", "0")),  # a pip.conf may ask for the user site
    )
    environ = child_environ(handover, locked=True)
    if sealed:
        environ = {name: value for name, value in environ.items() if not name.startswith("PIP_")}
        environ["PIP_CONFIG_FILE"] = os.devnull
    null, held = subprocess.DEVNULL, () if lock is None else (lock,)
    done = subprocess.run(
        handover.argv, env=environ, check=False, stdin=null, stdout=null, stderr=subprocess.PIPE, text=True,
        errors="replace", pass_fds=held,
    )  # fmt: skip
    if not done.returncode:
        return ""
    lines = done.stderr.splitlines()
    errors = (line[7:] for line in reversed(lines) if line.startswith("ERROR: ") and line != "ERROR: Exception:")
    told = next(errors, "")
    return told or (lines[-1] if lines else f"pip ended with {done.returncode}")
