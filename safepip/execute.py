"""EDGE  one match over Plan; the only exec, and the start of every program that the user asked for."""

from __future__ import annotations

import os
import sys

from . import __version__
from ._record import changed
from .context import ACTIVATED, HANDOVER, inherited
from .environment import BROKEN
from .errors import CANNOT_RUN, NOT_FOUND, SafepipError
from .interpreter import BIN
from .plan import Create, InEnvironment, Pip, Pipx, Refuse, Repair, StepDown, Throwaway, Verb, Version
from .registry import known, used
from .report import quoted, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import assert_never

    from .context import Context
    from .envs.satisfied import Asker
    from .invocation import Word
    from .plan import Handover, Plan, RunLine
    from .report import Report

    Changes = list[tuple[str, str | None]]
else:

    def assert_never(plan):
        """Stand in for typing's, which only the type checker needs."""
        raise AssertionError(plan)


# What would lead an environment's Python or pip elsewhere; what is entered does not go by the directory any more.
_LEFT_BEHIND = (ACTIVATED, "PYTHONHOME", "_PIP_RUNNING_IN_SUBPROCESS", "__PYVENV_LAUNCHER__")


def execute(plan: Plan, context: Context, report: Report) -> int | None:  # noqa: C901, RET503  an arm a plan
    """Do what the plan says; return the exit code, or None when it is to be decided anew.

    Where pip takes over (POSIX) this does not return: the process becomes pip.
    """
    match plan:
        case Pip(handover=handover):
            _say_all(plan.notices, report)
            _tell_where(plan.sought, context, report)
            return hand_over(handover, context, report, show_help=context.invocation.show_help)
        case InEnvironment(handover=handover):
            _say_all(plan.notices, report)
            _give_hint(plan.hint, context, report)
            return hand_over(handover, context, report)
        case Create():
            return _create(plan, context, report)
        case Repair():
            return _repair(plan, context, report)
        case Throwaway():
            from .envs.throwaway import run_in_throwaway

            _say_all(plan.notices, report)
            return run_in_throwaway(plan, context)
        case Pipx():
            from .envs.pipx import run_pipx

            _say_all(plan.notices, report)
            return run_pipx(plan, context, report)
        case Refuse(code=code, what=what, ways=ways):
            report.error(what, ways, code=code)
            return code
        case StepDown(uid=uid, gid=gid):
            from .envs.stepdown import step_down

            step_down(uid, gid, report)
            return None
        case Verb(word=word, words=words):
            _have_stdout()
            code = _carry_out(word)(words, context, report)
            _print("")
            return code
        case Version():
            _print(f"safepip {__version__}\n")
            return 0
        case _:
            assert_never(plan)


def _carry_out(word: Word) -> Callable[[tuple[str, ...], Context, Report], int]:  # noqa: C901, RET503  an arm a word
    """Return the main function of a word of safepip's own, with nothing of the other words loaded."""
    match word:
        case "explain":
            from .verbs import explain

            return explain.main
        case "run":
            from .verbs import run

            return run.main
        case "app":
            from .verbs import app

            return app.main
        case "env":
            from .verbs import env

            return env.main
        case "shell":
            from .verbs import shell

            return shell.main
        case "init":
            from .verbs import init

            return init.main
        case "shims":
            from .verbs import shims

            return shims.main
        case "doctor":
            from .verbs import doctor

            return doctor.main
        case "history":
            from .verbs import history

            return history.main
        case "undo":
            from .verbs import undo

            return undo.main
        case "help":
            from .verbs import topics

            return topics.main
        case _:
            assert_never(word)


def hand_over(
    handover: Handover,
    context: Context,
    report: Report,
    *,
    lock: int | None = None,
    created: bool = False,
    show_help: bool = False,
) -> int:
    """Become pip: exec it in this process, its environment's lock held through the exec.

    `lock` is an open descriptor of a lock that is already held, `created` tells that the environment was
    made for this line. With `show_help` pip runs as a child, so that safepip's own words can follow its help.
    """
    asker = _asker(handover, context, created=created)
    code = _answered(asker, context, report) if asker is not None else None
    if code is not None:
        return code
    if handover.change and not created and handover.environment is not None:
        _warn_of_root(handover.environment, context, report)
        lock = _locked(handover.environment, context, report)
        _tell_shells(handover.environment, context)
    environ = child_environ(handover, locked=lock is not None)
    if handover.change and handover.environment is not None:
        environ |= _noted(handover.environment, context, report, locked=lock is not None, created=created)
        question = asker.question() if asker is not None and "SAFEPIP_RUN_JOURNAL" in environ else None
        if question is not None:
            environ["SAFEPIP_RUN_KEEP"] = question.variable
    if show_help:
        return _help(handover, environ)
    return start(handover.argv, environ)


def _asker(handover: Handover, context: Context, *, created: bool) -> Asker | None:
    """Return who asks what pip is about to be asked, if its answer can be foretold where nothing has changed."""
    change = handover.change and handover.environment is not None and not created
    if not change or context.command.subcommand != "install" or not context.settings.fast:
        return None
    from .envs.satisfied import ask

    return ask(handover, context)


def _answered(asker: Asker, context: Context, report: Report) -> int | None:
    """Repeat what pip said when it was asked the same, if it was; return the exit code, or None."""
    from .envs.satisfied import repeat

    printed = asker.answer()
    code = None if printed is None else repeat(printed)
    if code is not None:
        report.debug("nothing has changed since pip found this satisfied: its answer is repeated")
        used(context.state, asker.environment)
    return code


def start(argv: tuple[str, ...], environ: dict[str, str]) -> int:
    """Replace this process by the program `argv[0]`, an absolute path; on Windows wait for it instead."""
    if sys.platform == "win32":
        return spawn(argv, environ)
    try:
        sys.stdout and sys.stdout.flush()
        os.execve(argv[0], argv, environ)
    except FileNotFoundError:
        there = "names a program that is not there" if os.path.lexists(argv[0]) else "is not there"
        raise SafepipError(NOT_FOUND, f"{argv[0]} {there}") from None
    except OSError as error:
        raise SafepipError(CANNOT_RUN, f"{argv[0]} cannot be run: {error.strerror}") from None


def spawn(argv: tuple[str, ...], environ: dict[str, str]) -> int:
    """Run the program as a child that inherits all that is open; return its exit code, -N if signal N ended it.

    Ctrl-C is left to it, for the terminal sends it to both; what would end this process is passed on.
    """
    import signal
    import subprocess

    children: list[subprocess.Popen[bytes]] = []
    passed_on = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *passed_on)}

    early: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        if number in passed_on:
            children[0].send_signal(number) if children else early.append(number)

    for number in (number for number, handler in before.items() if handler != signal.SIG_IGN):
        signal.signal(number, pass_on)  # unlike SIG_IGN, a handler is not inherited
    try:
        children.append(subprocess.Popen(argv, env=environ, close_fds=False))
        for number in early:
            children[0].send_signal(number)
        return children[0].wait()
    except OSError as error:
        raise SafepipError(CANNOT_RUN, f"{argv[0]} cannot be run: {error.strerror}") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_by(number: int) -> int:
    """End this process by the signal that ended its child; where it lives on, return the exit code of a shell."""
    import signal

    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def entered(environment: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with the environment active, as its own activation would have them."""
    return _applied(environ, _entering(environment, environ.get("PATH", os.defpath)))


def child_environ(handover: Handover, *, locked: bool = False) -> dict[str, str]:
    """Return the variables that pip gets: the user's, changed only where the plan says so."""
    environ = inherited()
    return _applied(environ, _changes(handover, environ.get("PATH", os.defpath), locked=locked))


def _changes(handover: Handover, search: str, *, locked: bool) -> Changes:
    """Return the changes of variables as data; the SAFEPIP_RUN_* are for runner.py, which removes them."""
    environment = handover.environment
    changes: Changes = [("SAFEPIP_RUN_AS", handover.program), ("__PYVENV_LAUNCHER__", None)]
    spare = _spare_pip()
    if spare:
        changes.append(("SAFEPIP_RUN_SPARE", spare))
    if handover.tell:
        changes.append(("SAFEPIP_RUN_TELL", _packed(handover.tell)))
    if locked:
        changes.append((HANDOVER, f"{os.getpid()}:{environment}"))
    if environment is not None:
        changes.extend(_entering(environment, search) if handover.enter else [(ACTIVATED, None)])
    return [*changes, *handover.changes]


def _packed(tell: RunLine) -> str:
    """Return the line as runner.py reads it: `otherwise` and the names asked for, a colon (in none), `how`."""
    return f"{' '.join([tell.otherwise, *tell.asked])}:{shown(tell.how)}"


def _entering(environment: str, search: str) -> Changes:
    path = os.path.join(environment, BIN) + os.pathsep + search
    return [("VIRTUAL_ENV", environment), ("PATH", path), *((name, None) for name in _LEFT_BEHIND)]


def _applied(environ: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """Return a copy of the variables with the changes made; None removes."""
    applied = dict(environ)
    for name, value in changes:
        if value is None:
            applied.pop(name, None)
        else:
            applied[name] = value
    return applied


def _spare_pip() -> str | None:
    """Return the folder that safepip's own pip lies in, without importing it."""
    inits = ((entry, os.path.join(entry, "pip", "__init__.py")) for entry in sys.path)
    return next((entry for entry, init in inits if os.path.isfile(init)), None)


def _say_all(lines: tuple[str, ...], report: Report) -> None:
    for line in lines:
        report.say(line)


def _tell_where(sought: tuple[str, ...], context: Context, report: Report) -> None:
    """Say where packages are that pip is about to look for in vain."""
    if sought and not report.quiet:
        from .doctor.whereabouts import whereabouts

        _say_all(whereabouts(sought, context), report)


def _give_hint(hint: tuple[str, str] | None, context: Context, report: Report) -> None:
    """Say once per project how the tool that keeps it records a dependency."""
    if hint is not None and not report.quiet:
        from .managers import note_hinted

        root, line = hint
        report.say(line)
        note_hinted(context.state, root)


def _have_stdout() -> None:
    """Let what is written to a closed stdout go nowhere, as with `print`."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  for the rest of the process


def _print(text: str) -> None:
    if sys.stdout is not None:  # closed
        sys.stdout.write(text)
        sys.stdout.flush()


def _help(handover: Handover, environ: dict[str, str]) -> int:
    """Show pip's help, then what safepip adds to it."""
    code = spawn(handover.argv, environ)
    if code == 0:
        page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "help.txt")
        with open(page, encoding="utf-8") as file:
            _print(file.read())
    return code


def _create(plan: Create, context: Context, report: Report) -> int | None:
    """Make the environment and hand over; None where the repair of one was finished instead."""
    import gc

    gc.disable()  # virtualenv's 300 modules are here to stay; to look for garbage among them takes 6 ms
    from .envs.create import create

    if context.state is not None and os.path.isdir(os.path.join(context.state, "repairs")):
        from .envs.repair import resume

        if resume(plan.environment.path, plan.called, context, report):
            return None
    _say_all(plan.notices, report)
    made = create(plan, context, report)
    _give_hint(plan.hint, context, report)
    lock = _locked(made.path, context, report)
    _tell_shells(made.path, context)
    handover = changed(plan.handover, python=made.python)
    return hand_over(handover, context, report, lock=lock, created=True)


def _repair(plan: Repair, context: Context, report: Report) -> int | None:
    """Rebuild the environment; None where it is whole then: no fault is met twice."""
    from .envs.repair import repair

    path = plan.environment.path
    repair(path, plan.called, context, report, unasked=True)
    if context.examine(path, named=True).state == BROKEN:
        return execute(plan.refusal, context, report)
    return None


def _warn_of_root(environment: str, context: Context, report: Report) -> None:
    from .envs.health import left_by_root

    if os.lstat(environment).st_uid == context.ambient.user:
        left = left_by_root(environment, context.ambient.user)
        if left is not None:
            report.say(f"{left} belongs to root, left by an earlier sudo pip; give it back first:")
            report.say(f'sudo chown -R "$USER" {quoted(environment)}')


def _tell_shells(environment: str, context: Context) -> None:
    """Let the hooks of shells activate an environment that safepip made or adopted, or the user trusts."""
    if known(context.state, environment) is not None:
        used(context.state, environment)
        from .shells.known import note_for_shells

        note_for_shells(context.state, environment)


def _locked(environment: str, context: Context, report: Report) -> int | None:
    """Take the environment's lock for a change, or None where there can be none."""
    from .envs.lock import acquire

    return acquire(environment, context.settings.lock_timeout, report)


def _noted(environment: str, context: Context, report: Report, *, locked: bool, created: bool) -> dict[str, str]:
    """Mend what a killed change left, note what there is now, and return how runner.py learns of that."""
    from .envs.journal import begin, is_left

    if is_left(environment, locked=locked):
        from .envs.heal import heal

        heal(environment, context, report)
    if locked and os.name != "nt":
        from .envs.health import shares_opened_pip

        if shares_opened_pip(environment, context.ambient.user):
            from .envs.sharing import unshare

            unshare(environment, context, report)
    begun = begin(environment, context.invocation.words, context.ambient.cwd, locked=locked, created=created)
    return {"SAFEPIP_RUN_JOURNAL": environment} if begun else {}
