"""pipx: the one on PATH, else one that is fetched once into safepip's own data; and what it is to do.

An older pipx does not read what a newer one wrote ("Unknown metadata version"), so one that is there is used
as long as it can be told what is needed, and of two the newer. The floor is 1.1, of Debian 12, the oldest that
a distribution with a managed Python ships: `install`, `install --force`, `upgrade` and `uninstall` of one
package each work alike in all since, and say "No apps" in the same words.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys

from safepip.core.app_routing import narrowed, wanted
from safepip.core.pip_line import keys, normalised
from safepip.core.record import replace
from safepip.core.requirement import name_and_version
from safepip.core.world import BIN, BROKEN, EXE, USABLE
from safepip.envs import applications
from safepip.envs.build import build
from safepip.envs.lock import acquire
from safepip.envs.pip import own_variables
from safepip.envs.progress import shown_while
from safepip.errors import CANNOT_RUN, NO_PIPX, SafepipError, shell_quote
from safepip.system.directories import at_home
from safepip.system.environment import CREATING, OWN, is_environment, names_in
from safepip.system.files import make_folder
from safepip.system.interpreter import ASKING, candidates, interview, is_program
from safepip.system.observe import Context, ambient
from safepip.system.pipx import METADATA, home_of
from safepip.system.policy import rules_here
from safepip.system.process import inherited, start
from safepip.system.registry import MADE, note
from safepip.system.stages import decided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from safepip.core.plan import Pipx, Plan
    from safepip.core.world import Interpreter
    from safepip.report import Report

FLOOR = (1, 1)
_QUIET_SINCE = (1, 4)  # older ones do not know --quiet
_CHANGING = ("install", "upgrade", "uninstall")
_NO_APPS = b"No apps associated"
_WAYS = (
    "into an environment instead: safepip --lib install …",
    "or install your system's pipx: apt install pipx, brew install pipx, …",
)

# What would lead a Python that is started elsewhere.
_REMOVED = ("_PIP_RUNNING_IN_SUBPROCESS", "PYTHONHOME", "__PYVENV_LAUNCHER__")


def run_pipx(plan: Pipx, context: Context, report: Report) -> tuple[int, tuple[str, ...]]:
    """Have pipx do what the plan says, and note what changed; only to look, this process becomes pipx.

    Return the exit code, and the requirements whose packages have no programs. One runs at a time, under a lock of
    safepip's: pipx has had its own only since 1.16.
    """
    _refuse_to_be_asked(context)
    if plan.says:
        report.say(plan.says)
    lock = _locked(context, report)
    program, version = obtain(plan.interpreter, plan.index, context, report)
    _seed(plan.interpreter, context)
    environ = environ_of(context)
    runs = [_fitting(words, version) for words in _with_forced(plan, context)]
    subcommand = runs[0][0]
    if subcommand not in _CHANGING:
        return start((program, *runs[0]), environ), ()
    before = applications.held(context)
    if subcommand != "uninstall":
        code = _made_usable(plan.names, program, version, context, report, lock)
        if code != 0:
            return code, ()
    code, without = _run_each(plan, [(program, *words) for words in runs], environ, lock)
    applications.note(before, context)
    if code:
        return code, ()
    if lock is not None:
        os.close(lock)
    _say_what_follows(runs, without, context, report)
    return 0, without


def _say_what_follows(
    runs: Iterable[tuple[str, ...]], without: tuple[str, ...], context: Context, report: Report
) -> None:
    if context.invocation.save is not None and not without:
        report.say("not recorded: pipx has its own list of applications")
    installs = [words[0] for words in runs].count("install")
    if installs > len(without):  # at least one has programs
        tell_of_path(context, report)


def _run_each(
    plan: Pipx, runs: Iterable[tuple[str, ...]], environ: Mapping[str, str], lock: int | None
) -> tuple[int, tuple[str, ...]]:
    """Run pipx for one package after the other until it fails; return its code, and what has no programs."""
    without = []
    for number, argv in enumerate(runs):
        code, has_apps = _watched(argv, environ, lock)
        if not has_apps and plan.fallback is not None:
            without.append(plan.specs[number])
        elif code:
            return code, ()
    return 0, tuple(without)


def become(words: tuple[str, ...], context: Context, report: Report, *, alone: bool) -> int:
    """Become pipx, told the user's `words`; `alone` holds the lock while it is at work."""
    _refuse_to_be_asked(context)
    if alone:
        _locked(context, report)  # until pipx, which this process becomes, ends
        program, _ = obtain(interpreter_of(context), (), context, report)
        _tell_of_broken(words, context, report)
        _seed(interpreter_of(context), context)
        return start((program, *words), environ_of(context))
    found = at_hand(context)
    if found is None:
        lock = _locked(context, report)
        found = obtain(interpreter_of(context), (), context, report)
        if lock is not None:
            os.close(lock)
    _tell_of_broken(words, context, report)
    return start((found[0], *words), environ_of(context))


def _refuse_to_be_asked(context: Context) -> None:
    # A pipx on PATH that is a shim of safepip's leads back here when it is asked for its version, and the first
    # safepip holds the lock meanwhile.
    if ASKING in context.ambient.environ:
        raise SafepipError(NO_PIPX, "the pipx on PATH leads back to safepip", *_WAYS)


def at_hand(context: Context) -> tuple[str, tuple[int, ...]] | None:
    """Return the pipx to use and its version, the newer of PATH's and safepip's own, or None."""
    own = ""
    found = []
    if context.data is not None:
        own = os.path.join(own_place(context), BIN, "pipx" + EXE)
        if _is_complete(context):
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
    """Return the pipx to use and its version; fetch one if there is none. The lock is held."""
    found = at_hand(context)
    if found is None:
        _fetch(interpreter, index, context, report)
        found = at_hand(context)
    if found is None:
        raise SafepipError(NO_PIPX, f"{own_place(context)} has no pipx that works", *_WAYS)
    return found


def own_place(context: Context) -> str:
    """Return where safepip keeps a pipx of its own."""
    if context.data is None:
        raise SafepipError(NO_PIPX, "there is no home directory to keep pipx in", *_WAYS)
    return os.path.join(context.data, "pipx")


def interpreter_of(context: Context) -> Interpreter | None:
    """Return the interpreter to make environments of where no line chose one."""
    target = context.target
    if target.interpreter is not None:
        return target.interpreter
    if target.prefix is None:
        return None
    return context.examine(target.prefix, trusted=True).base


def environ_of(context: Context) -> dict[str, str]:
    """Return pipx's variables: the user's, without what would lead its pip elsewhere.

    pip and not uv installs, whatever the user's default is: uv reads none of pip's configuration, with its indexes
    and what it allows. The working directory is not importable (pipx's issue 1575). The folder of programs is last
    on PATH, so that pipx does not speak of it: safepip does, in words that work without a pipx on PATH.
    """
    # These settings have been obeyed already, or would lead pipx's pip elsewhere.
    heard = (keys("wanted") | keys("place") | keys("effect")) - keys("pipx") - {"require-hashes"}
    environ = inherited()
    for name in list(environ):
        is_heard = name.startswith("PIP_") and normalised(name[4:]) in heard
        if is_heard or name in _REMOVED:
            del environ[name]
    environ["PIPX_DEFAULT_BACKEND"] = "pip"
    python = interpreter_of(context)
    if python is not None:
        environ.setdefault("PIPX_DEFAULT_PYTHON", python.path)
    environ["PYTHONSAFEPATH"] = "1"
    environ["PATH"] = environ.get("PATH", os.defpath) + os.pathsep + programs_of(context)
    return environ


def programs_of(context: Context) -> str:
    """Return the folder that pipx puts programs into."""
    named = context.ambient.environ.get("PIPX_BIN_DIR", "")
    user = context.ambient.home or os.sep
    if named:
        return os.path.abspath(at_home(named, user))
    return os.path.join(user, ".local", "bin")


def tell_of_path(context: Context, report: Report) -> None:
    """Say how to put the folder of programs on PATH, where it is not; safepip itself may lie in it."""
    from safepip.shells.program import own_program  # noqa: PLC0415  rarely needed

    folder = programs_of(context)
    entries = filter(None, context.ambient.environ.get("PATH", "").split(os.pathsep))
    if os.path.realpath(folder) in map(os.path.realpath, entries):
        return
    lines = {"fish": f"fish_add_path {folder}", "csh": f"set path = ($path {folder})"}
    shell = os.path.basename(context.ambient.environ.get("SHELL", ""))
    line = lines.get(shell.removeprefix("t"), f'export PATH="$PATH:{folder}"')
    program = shell_quote(own_program())
    report.say(f"{folder} is not on PATH; for good: {program} app ensurepath      now: {line}")


# -- a pipx of safepip's own


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


def _is_complete(context: Context) -> bool:
    path = own_place(context)
    return context.examine(path, trusted=True).state == USABLE and is_program(
        os.path.join(path, BIN, "pipx" + EXE)
    )


def _fetch(interpreter: Interpreter | None, index: tuple[str, ...], context: Context, report: Report) -> None:
    """Make the environment of pipx."""
    path = own_place(context)
    if os.path.lexists(path) and not os.path.isdir(os.path.join(path, OWN)):
        raise SafepipError(NO_PIPX, f"{path} is in the way: safepip did not make it", *_WAYS)
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
        raise SafepipError(NO_PIPX, f"pipx cannot be kept in {path}: {error.strerror or error}", *_WAYS) from error
    except BaseException:
        if os.path.exists(os.path.join(path, CREATING)):
            shutil.rmtree(path, ignore_errors=True)
        raise


def _install_pipx(path: str, index: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
    """Install pipx from the user's indexes; pip's output is kept, since a line of progress may stand there."""
    environ = own_variables(inherited(), path, policy=True)
    # Constraints are for what the user installs: one that excludes pipx would leave every application out.
    for name in (*_REMOVED, "PIP_CONSTRAINT"):
        environ.pop(name, None)
    environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    floor = ".".join(map(str, FLOOR))
    python = os.path.join(path, BIN, "python" + EXE)
    argv = [python, "-I", "-m", "pip", "install", "--quiet", *index, "--", f"pipx>={floor}"]
    null, pipe, out = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
    return subprocess.run(argv, env=environ, stdin=null, stdout=pipe, stderr=out, check=False)


def _judge(done: subprocess.CompletedProcess[bytes]) -> None:
    """Show what pip said, and stop where it failed."""
    with contextlib.suppress(OSError):
        os.write(2, done.stdout)
    if done.returncode:
        raise SafepipError(NO_PIPX, "could not install pipx; see pip's output above", *_WAYS)


def _seed(interpreter: Interpreter | None, context: Context) -> None:
    """Give pipx the pip that all its environments share, where pipx itself does not."""
    path = applications.shared_folder(context)
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


# -- applications whose Python is gone


def repair_applications(context: Context, report: Report) -> int:
    """Make pipx's broken applications again, in the versions that they were installed in; return the exit code."""
    names = tuple(applications.broken(context))
    if not names:
        return 0
    lock = _locked(context, report)
    program, version = obtain(interpreter_of(context), (), context, report)
    _seed(interpreter_of(context), context)
    return _remake(names, program, version, context, report, lock)


def _made_usable(
    names: tuple[str, ...],
    program: str,
    version: tuple[int, ...],
    context: Context,
    report: Report,
    lock: int | None,
) -> int:
    """Have pipx reinstall those of these applications that it could not change; return its exit code."""
    code = _remake(names, program, version, context, report, lock)
    if code != 0:
        return code
    return _take_from_uv(names, program, context, report, lock)


def _remake(
    names: tuple[str, ...],
    program: str,
    version: tuple[int, ...],
    context: Context,
    report: Report,
    lock: int | None,
) -> int:
    """Have pipx reinstall those of these applications that are broken; return its exit code."""
    python = interpreter_of(context)
    choice = ("--python", python.path) if python is not None else ()
    broken = applications.broken(context)
    for name in names:
        if name not in broken:
            continue
        report.say(f"{name} {broken[name]}: installing it again with pipx")
        words = _fitting(("reinstall", *choice, "--", name), version)
        code, _ = _watched((program, *words), environ_of(context), lock)
        if code:
            return code
    return 0


def _take_from_uv(names: tuple[str, ...], program: str, context: Context, report: Report, lock: int | None) -> int:
    """Have pipx reinstall with pip what it would go on changing with uv, where pip is told what to take."""
    installed_with_uv = [name for name in names if name in applications.installed_with_uv(context)]
    if not installed_with_uv or not rules_here(context, None):
        return 0
    for name in installed_with_uv:
        report.say(f"{name} was installed with uv, which reads no setting of pip's: installing it again with pip")
        code, _ = _watched((program, "reinstall", "--backend=pip", "--", name), environ_of(context), lock)
        if code:
            return code
    return 0


def _tell_of_broken(words: tuple[str, ...], context: Context, report: Report) -> None:
    """Say which applications pipx is about to take for whole, though their Python is gone."""
    if words[0].startswith(("-", "reinstall")):
        return
    broken = applications.broken(context)
    for name, reason in broken.items():
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        report.say(f"{name}{more} {reason}; to repair: safepip app reinstall-all")
        return


def _own_base(context: Context) -> Interpreter:
    base = getattr(sys, "_base_executable", None) or sys.executable
    found = interview(base, context.ambient.environ, context.cache, keep=True)
    if isinstance(found, str):
        raise SafepipError(NO_PIPX, found, *_WAYS)
    return found


# -- what it is to do


def _locked(context: Context, report: Report) -> int | None:
    """Take the lock for changes of pipx's, and for fetching it; None where nothing can be written."""
    if context.state is None:
        return None
    folder = os.path.join(context.state, "pipx")
    try:
        make_folder(folder)
    except OSError:
        return None
    return acquire(folder, context.settings.lock_timeout, report)


def _with_forced(plan: Pipx, context: Context) -> list[tuple[str, ...]]:
    """Return the runs, forced where pipx has the package in a version that the line does not want."""
    runs = list(plan.runs)
    for number, spec in enumerate(plan.specs):
        words = plan.runs[number]
        if words[0] != "install" or "--force" in words:
            continue
        if _is_unwanted(spec, context):
            runs[number] = _forced(words)
    return runs


def _is_unwanted(spec: str, context: Context) -> bool:
    """Return True if pipx has the package in a version that does not satisfy `spec`."""
    from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415  rarely needed

    one = wanted(spec)
    if one is None or not one.specifier:
        return False
    version = _installed_version(one.name, context)
    if version is None:
        return False
    try:
        return not SpecifierSet(one.specifier.strip("()")).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False


def _installed_version(name: str, context: Context) -> str | None:
    venv = os.path.join(home_of(context), "venvs", name)
    if not os.path.isfile(os.path.join(venv, METADATA)):
        return None
    for entry in names_in(context.examine(venv, trusted=True).site):
        if entry.endswith(".dist-info"):
            installed, version = name_and_version(entry)
            if installed == name:
                return version
    return None


def _forced(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return an `install` that changes the existing application; pipx keeps the Python that it was made with."""
    kept = list(words[1:])
    if "--python" in kept:
        at = kept.index("--python")
        del kept[at : at + 2]
    return (words[0], "--force", *kept)


def _fitting(words: tuple[str, ...], version: tuple[int, ...]) -> tuple[str, ...]:
    if version >= _QUIET_SINCE or "--" not in words:
        return words
    end = words.index("--")
    return (*(word for word in words[:end] if word != "--quiet"), *words[end:])


def _watched(argv: tuple[str, ...], environ: Mapping[str, str], lock: int | None) -> tuple[int, bool]:
    """Run pipx as a child, its errors shown as they come; return its exit code, and False for "No apps"."""
    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:  # the terminal sends Ctrl-C to the child as well
        signal.signal(signal.SIGINT, lambda *_: None)
    kept = () if lock is None else (lock,)
    out = 2 if _has_stderr() else None
    try:
        with subprocess.Popen(argv, env=environ, stdout=out, stderr=subprocess.PIPE, pass_fds=kept) as child:
            has_apps = _passed_on(child)
    except OSError as error:
        raise SafepipError(CANNOT_RUN, f"{argv[0]} cannot be run: {error.strerror}") from None
    finally:
        signal.signal(signal.SIGINT, before)
    code = child.returncode
    if code < 0:
        code = 128 - code
    return code, has_apps or code == 0


def _passed_on(child: subprocess.Popen[bytes]) -> bool:
    """Write the child's errors to stderr, up to "No apps"; return False where it says so."""
    assert child.stderr is not None
    has_apps = True
    for line in child.stderr:
        if line.startswith(_NO_APPS):  # not shown, because the package is about to go elsewhere
            has_apps = False
        if has_apps:
            os.write(2, line)
    return has_apps


def _has_stderr() -> bool:
    # pipx's progress goes there, since stdout is for what pip would print.
    try:
        os.fstat(2)
    except OSError:
        return False
    return True


def into_environment(specs: tuple[str, ...], plan: Pipx, context: Context, report: Report) -> Plan:
    """Return the plan for packages without programs: the environment gets them."""
    assert plan.fallback is not None  # otherwise pipx's error stood
    has = "has" if len(specs) == 1 else "have"
    where = "the home environment" if context.project is None else context.typed(context.place)
    report.say(f"{', '.join(specs)} {has} no programs: installing into {where}")
    return narrowed(plan.fallback, context.command, specs)


def decided_without_pipx(specs: tuple[str, ...], context: Context, report: Report) -> tuple[Context, Plan]:
    """Decide the line again for these packages, as with `--lib`."""
    context = Context(replace(context.invocation, route="lib"), ambient(), report.debug)
    return context, narrowed(decided(context), context.command, specs)
