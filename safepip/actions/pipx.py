"""Have pipx install, change, remove and show applications."""

from __future__ import annotations

import os
import signal
import subprocess

from safepip.core.app_routing import narrowed, wanted
from safepip.core.pip_line import keys, normalised
from safepip.core.record import replace
from safepip.core.requirement import name_and_version
from safepip.envs import applications
from safepip.envs.lock import acquire
from safepip.envs.pipx_program import MISLEADING, WAYS, at_hand, make_shared_pip, obtain
from safepip.errors import CANNOT_RUN, NO_PIPX, SafepipError, shell_quote
from safepip.system.directories import at_home
from safepip.system.environment import names_in
from safepip.system.files import make_folder
from safepip.system.interpreter import ASKING
from safepip.system.observe import Context, ambient
from safepip.system.pipx import METADATA, environments_of
from safepip.system.policy import rules_here
from safepip.system.process import inherited, start
from safepip.system.stages import decided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from safepip.core.plan import Pipx, Plan
    from safepip.core.world import Interpreter
    from safepip.report import Report

_QUIET_SINCE = (1, 4)  # older ones do not know --quiet
_CHANGING = ("install", "upgrade", "uninstall")
_NO_APPS = b"No apps associated"


def run_pipx(plan: Pipx, context: Context, report: Report) -> tuple[int, tuple[str, ...]]:
    """Have pipx do what the plan says.

    Return the exit code, and the requirements whose packages have no programs. Only to look, this process becomes
    pipx.
    """
    _refuse_to_be_asked(context)
    if plan.says:
        report.say(plan.says)
    pipx = _LockedPipx(plan.interpreter, plan.index, context, report)
    runs = _with_forced(plan, context)
    subcommand = runs[0][0]
    if subcommand not in _CHANGING:
        return start(pipx.argv(runs[0]), pipx.environ), ()
    before = applications.held(context)
    if subcommand != "uninstall":
        code = pipx.reinstall_broken(plan.names) or pipx.reinstall_without_uv(plan.names)
        if code != 0:
            return code, ()
    code, without_programs = _run_each(plan, runs, pipx)
    applications.note(before, context)
    if code != 0:
        return code, ()
    pipx.unlock()
    _say_what_follows(runs, without_programs, context, report)
    return 0, without_programs


def _say_what_follows(
    runs: Iterable[tuple[str, ...]], without_programs: tuple[str, ...], context: Context, report: Report
) -> None:
    if context.invocation.save is not None and not without_programs:
        report.say("not recorded: pipx has its own list of applications")
    subcommands = [words[0] for words in runs]
    if subcommands.count("install") > len(without_programs):
        tell_of_path(context, report)


def _run_each(plan: Pipx, runs: Iterable[tuple[str, ...]], pipx: _LockedPipx) -> tuple[int, tuple[str, ...]]:
    """Run pipx for one package after the other, until it fails."""
    without_programs = []
    for number, words in enumerate(runs):
        code, has_programs = pipx.run(words)
        if not has_programs and plan.fallback is not None:
            without_programs.append(plan.specs[number])
        elif code != 0:
            return code, ()
    return 0, tuple(without_programs)


def become(words: tuple[str, ...], context: Context, report: Report, *, alone: bool) -> int:
    """Become pipx with the user's words, `alone` under safepip's lock."""
    _refuse_to_be_asked(context)
    if alone:
        program = _LockedPipx(context.base, (), context, report).program
    else:
        program = _program_at_hand(context, report)
    _tell_of_broken(words, context, report)
    return start((program, *words), environ_of(context))


def _program_at_hand(context: Context, report: Report) -> str:
    found = at_hand(context)
    if found is None:
        lock = _locked(context, report)
        found = obtain(context.base, (), context, report)
        if lock is not None:
            os.close(lock)
    return found[0]


def repair_applications(context: Context, report: Report) -> int:
    """Have pipx install its broken applications again."""
    names = tuple(applications.broken(context))
    if not names:
        return 0
    return _LockedPipx(context.base, (), context, report).reinstall_broken(names)


def _refuse_to_be_asked(context: Context) -> None:
    # A pipx on PATH that is a shim of safepip's leads back here when it is asked for its version, and the first
    # safepip holds the lock meanwhile.
    if ASKING in context.ambient.environ:
        raise SafepipError(NO_PIPX, "the pipx on PATH leads back to safepip", *WAYS)


class _LockedPipx:
    """A pipx that runs under a lock of safepip's.

    pipx has had its own lock only since 1.16. The lock ends with this process, or with what this becomes.
    """

    def __init__(
        self, interpreter: Interpreter | None, index: tuple[str, ...], context: Context, report: Report
    ) -> None:
        self._lock = _locked(context, report)
        self.program, self._version = obtain(interpreter, index, context, report)
        make_shared_pip(interpreter, context)
        self.environ = environ_of(context)
        self._context = context
        self._report = report

    def argv(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Return the words as this version of pipx knows them."""
        if self._version < _QUIET_SINCE and "--" in words:
            end = words.index("--")
            words = (*(word for word in words[:end] if word != "--quiet"), *words[end:])
        return (self.program, *words)

    def run(self, words: tuple[str, ...]) -> tuple[int, bool]:
        """Run pipx, and return its exit code, and False for "No apps"."""
        argv = self.argv(words)
        before = signal.getsignal(signal.SIGINT)
        if before != signal.SIG_IGN:  # the terminal sends Ctrl-C to the child as well
            signal.signal(signal.SIGINT, lambda *_: None)
        kept = () if self._lock is None else (self._lock,)
        out = 2 if _has_stderr() else None
        try:
            with subprocess.Popen(
                argv, env=self.environ, stdout=out, stderr=subprocess.PIPE, pass_fds=kept
            ) as child:
                has_programs = _pass_errors_on(child)
        except OSError as error:
            raise SafepipError(CANNOT_RUN, f"{argv[0]} cannot be run: {error.strerror}") from None
        finally:
            signal.signal(signal.SIGINT, before)
        code = child.returncode
        if code < 0:
            code = 128 - code
        return code, has_programs or code == 0

    def reinstall_broken(self, names: tuple[str, ...]) -> int:
        """Reinstall the broken ones of these applications, until one fails."""
        python = self._context.base
        choice = () if python is None else ("--python", python.path)
        broken = applications.broken(self._context)
        for name in names:
            if name not in broken:
                continue
            self._report.say(f"{name} {broken[name]}: installing it again with pipx")
            code, _ = self.run(("reinstall", *choice, "--", name))
            if code != 0:
                return code
        return 0

    def reinstall_without_uv(self, names: tuple[str, ...]) -> int:
        """Reinstall with pip what uv installed, if pip has rules."""
        # pipx would go on changing it with uv, which does not read these settings.
        with_uv = applications.installed_with_uv(self._context)
        if with_uv.isdisjoint(names) or not rules_here(self._context, None):
            return 0
        for name in names:
            if name not in with_uv:
                continue
            self._report.say(
                f"{name} was installed with uv, which reads no setting of pip's: installing it again with pip"
            )
            code, _ = self.run(("reinstall", "--backend=pip", "--", name))
            if code != 0:
                return code
        return 0

    def unlock(self) -> None:
        """Let others use pipx again."""
        if self._lock is not None:
            os.close(self._lock)


def _locked(context: Context, report: Report) -> int | None:
    """Take the lock for changes of pipx's, and for downloading it."""
    if context.state is None:
        return None
    folder = os.path.join(context.state, "pipx")
    try:
        make_folder(folder)
    except OSError:
        return None
    return acquire(folder, context.settings.lock_timeout, report)


def _pass_errors_on(child: subprocess.Popen[bytes]) -> bool:
    """Write the child's errors to stderr, and return False for "No apps"."""
    assert child.stderr is not None
    has_programs = True
    for line in child.stderr:
        if line.startswith(_NO_APPS):  # not shown, because the package is about to go elsewhere
            has_programs = False
        if has_programs:
            os.write(2, line)
    return has_programs


def _has_stderr() -> bool:
    # pipx's progress goes there, since stdout is for what pip would print.
    try:
        os.fstat(2)
    except OSError:
        return False
    return True


def _tell_of_broken(words: tuple[str, ...], context: Context, report: Report) -> None:
    """Say which applications are broken, which pipx does not notice."""
    if words[0].startswith(("-", "reinstall")):
        return
    broken = applications.broken(context)
    for name, reason in broken.items():
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        report.say(f"{name}{more} {reason}; to repair: safepip app reinstall-all")
        return


def environ_of(context: Context) -> dict[str, str]:
    """Return the user's variables, changed for pipx."""
    # These settings have been obeyed already, or would lead pipx's pip elsewhere.
    heard = (keys("wanted") | keys("place") | keys("effect")) - keys("pipx") - {"require-hashes"}
    environ = inherited()
    for name in list(environ):
        is_heard = name.startswith("PIP_") and normalised(name[4:]) in heard
        if is_heard or name in MISLEADING:
            del environ[name]
    # Whatever the user's default is: uv reads none of pip's configuration, with its indexes and what it allows.
    environ["PIPX_DEFAULT_BACKEND"] = "pip"
    python = context.base
    if python is not None:
        environ.setdefault("PIPX_DEFAULT_PYTHON", python.path)
    environ["PYTHONSAFEPATH"] = "1"  # the working directory is not importable (pipx's issue 1575)
    # The programs come last, so that pipx does not speak of PATH: safepip does, in words that work without pipx.
    environ["PATH"] = environ.get("PATH", os.defpath) + os.pathsep + programs_of(context)
    return environ


def programs_of(context: Context) -> str:
    """Return the folder where pipx links programs."""
    named = context.ambient.environ.get("PIPX_BIN_DIR", "")
    user = context.ambient.home or os.sep
    if named:
        return os.path.abspath(at_home(named, user))
    return os.path.join(user, ".local", "bin")


def tell_of_path(context: Context, report: Report) -> None:
    """Say how to add the folder of programs to PATH."""
    from safepip.shells.program import own_program  # noqa: PLC0415  rarely needed

    folder = programs_of(context)
    entries = filter(None, context.ambient.environ.get("PATH", "").split(os.pathsep))
    if os.path.realpath(folder) in map(os.path.realpath, entries):
        return
    lines = {"fish": f"fish_add_path {folder}", "csh": f"set path = ($path {folder})"}
    shell = os.path.basename(context.ambient.environ.get("SHELL", ""))
    line = lines.get(shell.removeprefix("t"), f'export PATH="$PATH:{folder}"')
    program = shell_quote(own_program())  # which may lie in that folder
    report.say(f"{folder} is not on PATH; for good: {program} app ensurepath      now: {line}")


# -- what it is to do


def _with_forced(plan: Pipx, context: Context) -> list[tuple[str, ...]]:
    """Return the runs, forced where pipx has an unwanted version."""
    runs = list(plan.runs)
    for number, spec in enumerate(plan.specs):
        words = plan.runs[number]
        if words[0] != "install" or "--force" in words:
            continue
        if _is_unwanted(spec, context):
            runs[number] = _forced(words)
    return runs


def _is_unwanted(spec: str, context: Context) -> bool:
    """Return True if the version that pipx has does not satisfy `spec`."""
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
    venv = os.path.join(environments_of(context), name)
    if not os.path.isfile(os.path.join(venv, METADATA)):
        return None
    for entry in names_in(context.examine(venv, trusted=True).site):
        if entry.endswith(".dist-info"):
            installed, version = name_and_version(entry)
            if installed == name:
                return version
    return None


def _forced(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return an `install` that changes the existing application."""
    kept = list(words[1:])
    if "--python" in kept:  # pipx keeps the one that it was made with
        at = kept.index("--python")
        del kept[at : at + 2]
    return (words[0], "--force", *kept)


def into_environment(specs: tuple[str, ...], plan: Pipx, context: Context, report: Report) -> Plan:
    """Return the plan for packages without programs, for the environment."""
    assert plan.fallback is not None  # otherwise pipx's error stood
    has = "has" if len(specs) == 1 else "have"
    where = "the home environment"
    if context.project is not None:
        where = context.typed(context.place)
    report.say(f"{', '.join(specs)} {has} no programs: installing into {where}")
    return narrowed(plan.fallback, context.command, specs)


def decided_without_pipx(specs: tuple[str, ...], context: Context, report: Report) -> tuple[Context, Plan]:
    """Decide the line again for these packages, as with `--lib`."""
    context = Context(replace(context.invocation, route="lib"), ambient(), report.debug)
    return context, narrowed(decided(context), context.command, specs)
