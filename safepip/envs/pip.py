"""Run pip for safepip itself, silently, without settings that lead elsewhere."""

from __future__ import annotations

import os
import re

from safepip.core.pip_line import keys, settings
from safepip.core.plan import Handover
from safepip.core.requirement import normalised_name
from safepip.core.world import BIN
from safepip.saving.entry import name_of
from safepip.system import pip_config
from safepip.system.process import child_environ, spare_pip, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from safepip.core.world import Environment

_NO_ERROR = ("ERROR: Exception:", "ERROR: ResolutionImpossible:")  # the line before says what is wrong
_NAME_IN_COMMENT = re.compile(r"#.*\(([A-Za-z0-9._-]+)==")


def own_variables(
    environ: Mapping[str, str], prefix: str | None = None, *, policy: bool = False
) -> dict[str, str]:
    """Return the variables for safepip's own use of the pip at `prefix`.

    Where packages come from and how they are built is the user's, from variables and configuration files alike.
    With `policy` the user's constraints hold as well, and which releases pip may take: for packages that are new,
    not for those to put back.
    """
    files = pip_config.find(environ, os.path.expanduser("~"), site_prefix=prefix, strict=True)
    kept = keys("source") | keys("build")
    if policy:
        kept |= (keys("wanted") & keys("pipx")) | {"require-hashes"}
    found = without(environ, "PIP_", "_PIP_")
    for key, value, _ in settings("install", environ, files):
        if key in kept:
            found[f"PIP_{key.upper().replace('-', '_')}"] = value
    # What else the user set for all installs could add to this one or lead it elsewhere, so pip reads no file.
    found["PIP_CONFIG_FILE"] = os.devnull
    found["PIP_USER"] = "0"  # an environment that sees the system's packages has a user site
    return found


def run_pip(
    found: Environment, words: Sequence[str], *, sealed: bool = False, spare: bool = False, lock: int | None = None
) -> str:
    """Return why the environment's pip failed, empty if it did not.

    It has the user's sources and settings, or with `sealed` only what `words` say. `spare` runs safepip's own
    pip instead, since the environment's may be damaged. With the descriptor `lock` it holds that lock too: if this
    process is killed, pip goes on writing.
    """
    handover = Handover(
        python=found.python,
        words=("--disable-pip-version-check", "--no-input", *words),
        program=os.path.join(found.path, BIN, "pip"),
        environment=found.path,
        enter=True,
    )
    environ = own_variables(child_environ(handover, locked=True), found.path)
    if sealed:
        environ = without(environ, "PIP_")
        environ["PIP_CONFIG_FILE"] = os.devnull
    own = spare_pip() if spare else None
    if own is not None:
        runner = os.path.join(own, "pip", "__pip-runner__.py")
        failed = run_silently((found.python, "-I", runner, *handover.words), environ, lock)
        if "does not support python" not in failed:
            return failed
    return run_silently(handover.argv, environ, lock)


def ask_pip(found: Environment, words: Sequence[str], variables: Mapping[str, str]) -> tuple[int, str, str]:
    """Return the exit code of the environment's pip, its output and error.

    It has the user's sources, and `variables` besides.
    """
    handover = Handover(python=found.python, words=tuple(words), program="pip", environment=found.path, enter=True)
    environ = {**own_variables(child_environ(handover), found.path), **variables}
    environ["PIP_DISABLE_PIP_VERSION_CHECK"] = environ["PIP_NO_INPUT"] = "1"
    return _run(handover.argv, environ)


def frozen(handover: Handover) -> dict[str, str] | None:
    """Return `pip freeze`'s lines by normalised name, or None if it fails."""
    words = ("freeze", "--all", "--disable-pip-version-check")
    asking = Handover(
        python=handover.python, words=words, program=handover.program, environment=handover.environment
    )
    environ = own_variables(child_environ(asking), handover.environment)
    code, printed, _ = _run(asking.argv, environ)
    if code:
        return None
    found: dict[str, str] = {}
    comment = ""
    for line in printed.splitlines():
        if line.startswith("#"):  # of an editable install from a directory, only this tells the name
            comment = line
            continue
        in_comment = _NAME_IN_COMMENT.match(comment)
        name = normalised_name(in_comment[1]) if in_comment else name_of(line)
        found[name] = line
        comment = ""
    return found


def run_silently(
    argv: Sequence[str], environ: Mapping[str, str], lock: int | None = None, cwd: str | None = None
) -> str:
    """Return why pip, which inherits `lock`, failed, or ""."""
    return _run(argv, environ, lock, cwd)[2]


def _run(
    argv: Sequence[str], environ: Mapping[str, str], lock: int | None = None, cwd: str | None = None
) -> tuple[int, str, str]:
    """Return pip's exit code, output, and last error or ""."""
    import subprocess  # noqa: PLC0415  slow to import, and only needed here

    held = () if lock is None else (lock,)
    null = subprocess.DEVNULL
    done = subprocess.run(argv, env=environ, check=False, stdin=null, capture_output=True, pass_fds=held, cwd=cwd)
    printed = os.fsdecode(done.stdout)
    if not done.returncode:
        return 0, printed, ""
    lines = [f"pip ended with {done.returncode}", *done.stderr.decode(errors="replace").splitlines()]
    error = lines[-1]
    for line in lines:
        if line.startswith(_NO_ERROR):
            continue
        if line.startswith("ERROR: "):
            error = line.removeprefix("ERROR: ")
    return done.returncode, printed, error
