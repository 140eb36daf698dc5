"""Find pipx: on PATH, or downloaded once into safepip's own data.

An older pipx does not read what a newer one wrote ("Unknown metadata version"). So an existing one is used if it
knows what is needed, and of two the newer.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys

from safepip.core.world import BIN, BROKEN, EXE, USABLE
from safepip.errors import NO_PIPX, SafepipError
from safepip.system.environment import CREATING, OWN, is_environment
from safepip.system.files import make_folder
from safepip.system.interpreter import ASKING, candidates, interview
from safepip.system.process import inherited
from safepip.system.registry import MADE, note

from .applications import shared_folder
from .build import build
from .pip import own_variables
from .progress import shown_while

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.world import Interpreter
    from safepip.report import Report
    from safepip.system.observe import Context

# That of Debian 12, the oldest that a distribution with a managed Python ships: `install`, `install --force`,
# `upgrade` and `uninstall` of one package each work alike in all since, and say "No apps" in the same words.
FLOOR = (1, 1)
WAYS = (
    "into an environment instead: safepip --lib install …",
    "or install your system's pipx: apt install pipx, brew install pipx, …",
)
# What would lead a Python that is started elsewhere.
MISLEADING = ("_PIP_RUNNING_IN_SUBPROCESS", "PYTHONHOME", "__PYVENV_LAUNCHER__")


def at_hand(context: Context) -> tuple[str, tuple[int, ...]] | None:
    """Return the pipx to use and its version, or None."""
    own = ""
    found = []
    if context.data is not None:
        path = _own_place(context)
        own = os.path.join(path, BIN, "pipx" + EXE)
        if context.examine(path, trusted=True).state == USABLE:
            found.append((own, _version(own)))
    for path in candidates(("pipx",), context.ambient.environ.get("PATH", os.defpath), ()):
        if path == own:
            continue
        version = _version(path)
        if version >= FLOOR:
            found.append((path, version))
            break
    newest = max(found, key=lambda one: one[1], default=("", ()))
    if newest[1] < FLOOR:
        return None
    return newest


def obtain(
    interpreter: Interpreter | None, index: tuple[str, ...], context: Context, report: Report
) -> tuple[str, tuple[int, ...]]:
    """Return the pipx to use and its version. The lock is held.

    Where there is none, it is downloaded into an environment made from `interpreter`, with pip's options `index`.
    """
    found = at_hand(context)
    if found is None:
        _download(interpreter, index, context, report)
        found = at_hand(context)
    if found is None:
        raise SafepipError(NO_PIPX, f"{_own_place(context)} has no pipx that works", *WAYS)
    return found


def make_shared_pip(interpreter: Interpreter | None, context: Context) -> None:
    """Give pipx the pip that all its environments share, where pipx cannot."""
    path = shared_folder(context)
    # pipx 1.16 does not notice that the Python of this environment is gone.
    if is_environment(path) and context.examine(path, trusted=True).state == BROKEN:
        shutil.rmtree(path, ignore_errors=True)
    if interpreter is None or os.path.lexists(path):
        return
    # pipx has ensurepip make it, which Debian and others leave out of their Python.
    if os.path.isfile(os.path.join(interpreter.stdlib, "ensurepip", "__main__.py")):
        return
    try:
        build(path, interpreter, context.cache, pip=True)
    except (OSError, SafepipError):  # pipx tries itself, and says why it cannot
        shutil.rmtree(path, ignore_errors=True)


def _own_place(context: Context) -> str:
    if context.data is None:
        raise SafepipError(NO_PIPX, "there is no home directory to keep pipx in", *WAYS)
    return os.path.join(context.data, "pipx")


def _version(path: str) -> tuple[int, ...]:
    """Return what `pipx --version` says, or ()."""
    try:
        environ = {**inherited(), "PYTHONSAFEPATH": "1", ASKING: "1"}
        asked = subprocess.run([path, "--version"], env=environ, capture_output=True, text=True, check=False)
    except (OSError, UnicodeDecodeError):
        return ()
    if asked.returncode != 0:  # a version manager's shim, with nothing behind it
        return ()
    numbers = asked.stdout.strip().split(".")[:3]
    return tuple(map(int, filter(str.isdecimal, numbers)))


def _download(interpreter: Interpreter | None, index: tuple[str, ...], context: Context, report: Report) -> None:
    """Make the environment of pipx."""
    path = _own_place(context)
    if os.path.lexists(path) and not os.path.isdir(os.path.join(path, OWN)):
        raise SafepipError(NO_PIPX, f"{path} is in the way: safepip did not make it", *WAYS)
    report.say(f"downloading pipx to {path} (once)")
    try:
        shutil.rmtree(path, ignore_errors=True)
        make_folder(path)
        os.mkdir(os.path.join(path, OWN), 0o700)
        mark = os.path.join(path, CREATING)  # a set-up that is killed leaves it, and is then made again
        with open(mark, "w", encoding="ascii"):
            pass
        with shown_while("fetching it", context, report):
            build(path, interpreter or _own_base(context), context.cache, pip=True)
            done = _install_pipx(path, index)
        _judge(done)
        note(context.state, path, MADE)
        os.unlink(mark)
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        raise SafepipError(NO_PIPX, f"pipx cannot be kept in {path}: {error.strerror or error}", *WAYS) from error
    except BaseException:
        if os.path.exists(os.path.join(path, CREATING)):
            shutil.rmtree(path, ignore_errors=True)
        raise


def _own_base(context: Context) -> Interpreter:
    base = getattr(sys, "_base_executable", None) or sys.executable
    found = interview(base, context.ambient.environ, context.cache, keep=True)
    if isinstance(found, str):
        raise SafepipError(NO_PIPX, found, *WAYS)
    return found


def _install_pipx(path: str, index: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
    environ = own_variables(inherited(), path, policy=True)
    # Constraints are for what the user installs: one that excludes pipx would leave every application out.
    for name in (*MISLEADING, "PIP_CONSTRAINT"):
        environ.pop(name, None)
    environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    floor = ".".join(map(str, FLOOR))
    python = os.path.join(path, BIN, "python" + EXE)
    argv = [python, "-I", "-m", "pip", "install", "--quiet", *index, "--", f"pipx>={floor}"]
    # The output is kept, since a line of progress may stand where it would go.
    null, pipe, out = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
    return subprocess.run(argv, env=environ, stdin=null, stdout=pipe, stderr=out, check=False)


def _judge(done: subprocess.CompletedProcess[bytes]) -> None:
    """Show what pip said, and stop where it failed."""
    with contextlib.suppress(OSError):
        os.write(2, done.stdout)
    if done.returncode:
        raise SafepipError(NO_PIPX, "could not install pipx; see pip's output above", *WAYS)
