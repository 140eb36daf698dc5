"""pip run for safepip's own purposes: in an environment, silently, by no settings that would lead it elsewhere."""

from __future__ import annotations

import os
import re

from safepip.core.pip_line import keys, settings
from safepip.core.plan import Handover
from safepip.core.requirement import normalised_name
from safepip.core.world import BIN
from safepip.saving.entry import name_of
from safepip.system import pip_config
from safepip.system.process import child_environ, spare_pip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from safepip.core.world import Environment

_NO_ERROR = ("ERROR: Exception:", "ERROR: ResolutionImpossible:")  # the line before says what is wrong
_NAME_IN_COMMENT = re.compile(r"#.*\(([A-Za-z0-9._-]+)==")


def own_variables(
    environ: Mapping[str, str], prefix: str | None = None, *, policy: bool = False
) -> dict[str, str]:
    """Return the variables for a pip that works for safepip itself, under the Python at `prefix`.

    Where packages come from and how they are built is the user's, from variables and configuration files alike.
    What else the user set for all installs could add to this one or lead it elsewhere. Only variables are sure to
    keep that out, so pip reads no file. With `policy` the user's constraints hold as well, and which releases pip
    may take: for packages that are new, not for those to put back.
    """
    files = pip_config.find(environ, os.path.expanduser("~"), site_prefix=prefix, strict=True)
    kept = keys("source") | keys("build")
    if policy:
        kept |= (keys("wanted") & keys("pipx")) | {"require-hashes"}
    found = dict(environ)
    for name in environ:
        if name.startswith(("PIP_", "_PIP_")):
            del found[name]
    for key, value, _ in settings("install", environ, files):
        if key in kept:
            found[f"PIP_{key.upper().replace('-', '_')}"] = value
    found["PIP_CONFIG_FILE"] = os.devnull
    found["PIP_USER"] = "0"  # an environment that sees the system's packages has a user site
    return found


def run_pip(
    found: Environment, words: Sequence[str], *, sealed: bool = False, spare: bool = False, lock: int | None = None
) -> str:
    """Run the pip of the environment, or safepip's own in it; return why it failed, empty if it did not.

    It has the user's sources and settings, or with `sealed` only what `words` say. `spare` runs safepip's own
    pip even if the environment has one, which may be damaged. With the descriptor `lock` it holds that lock
    too: if this process is killed, pip goes on writing.
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
        for name in list(environ):
            if name.startswith("PIP_"):
                del environ[name]
        environ["PIP_CONFIG_FILE"] = os.devnull
    own = spare_pip() if spare else None
    if own is not None:
        runner = os.path.join(own, "pip", "__pip-runner__.py")
        failed = _run((found.python, "-I", runner, *handover.words), environ, lock)
        if "does not support python" not in failed:
            return failed
    return _run(handover.argv, environ, lock)


def ask_pip(found: Environment, words: Sequence[str], variables: Mapping[str, str]) -> tuple[int, str, str]:
    """Ask the pip of the environment; it has the user's sources, and `variables` besides.

    Return its exit code, what it printed, and its error.
    """
    import subprocess  # noqa: PLC0415  slow to import, and only needed here

    handover = Handover(python=found.python, words=tuple(words), program="pip", environment=found.path, enter=True)
    environ = {**own_variables(child_environ(handover), found.path), **variables}
    environ["PIP_DISABLE_PIP_VERSION_CHECK"] = environ["PIP_NO_INPUT"] = "1"
    done = subprocess.run(
        handover.argv,
        env=environ,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    return done.returncode, done.stdout, _last_error(done.returncode, done.stderr)


def frozen(handover: Handover) -> dict[str, str] | None:
    """Return what `pip freeze` says is installed where a line was handed over to, by normalised name.

    Return None if that pip fails.

    pip tells the name of an editable install from a directory only in the comment before it.
    """
    import subprocess  # noqa: PLC0415  slow to import, and only needed here

    words = ("freeze", "--all", "--disable-pip-version-check")
    asking = Handover(
        python=handover.python, words=words, program=handover.program, environment=handover.environment
    )
    environ = own_variables(child_environ(asking), handover.environment)
    done = subprocess.run(asking.argv, env=environ, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        return None
    found: dict[str, str] = {}
    comment = ""
    for line in os.fsdecode(done.stdout).splitlines():
        if line.startswith("#"):
            comment = line
            continue
        in_comment = _NAME_IN_COMMENT.match(comment)
        name = normalised_name(in_comment[1]) if in_comment else name_of(line)
        found[name] = line
        comment = ""
    return found


def _run(argv: Sequence[str], environ: dict[str, str], lock: int | None) -> str:
    """Run pip in silence; return the last error that it printed, empty if it succeeded."""
    import subprocess  # noqa: PLC0415  slow to import, and only needed here

    null, held = subprocess.DEVNULL, () if lock is None else (lock,)
    done = subprocess.run(
        argv, env=environ, check=False, stdin=null, stdout=null, stderr=subprocess.PIPE, text=True,
        errors="replace", pass_fds=held,
    )  # fmt: skip
    return _last_error(done.returncode, done.stderr)


def _last_error(code: int, printed: str) -> str:
    """Return the last error that pip printed, empty if it succeeded."""
    if not code:
        return ""
    lines = [f"pip ended with {code}", *printed.splitlines()]
    for line in reversed(lines):
        if line.startswith(_NO_ERROR):
            continue
        if line.startswith("ERROR: "):
            return line.removeprefix("ERROR: ")
    return lines[-1]
