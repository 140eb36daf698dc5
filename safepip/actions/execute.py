"""Carry out a plan."""

from __future__ import annotations

import os
import sys

from safepip import __version__
from safepip.core.plan import Create, InEnvironment, Pip, Pipx, Rebuild, Refuse, StepDown, Temporary, Verb, Version
from safepip.core.record import replace
from safepip.core.world import BROKEN
from safepip.errors import shell_quote
from safepip.system.environment import has_doubtful_pip
from safepip.system.process import child_environ, spawn, start
from safepip.system.registry import has_killed_rebuilds, note_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import assert_never

    from safepip.core.plan import Handover, Plan
    from safepip.envs.create import Made
    from safepip.envs.noop_cache import NoopCache
    from safepip.report import Report
    from safepip.system.observe import Context
else:

    def assert_never(plan):
        """Stand in for typing's, which only the type checker needs."""
        raise AssertionError(plan)


def execute(plan: Plan, context: Context, report: Report) -> int | None:  # noqa: C901, PLR0912, RET503  an arm a plan
    """Carry out the plan, and return the exit code.

    Return None if the line is to be decided again. Where pip takes over (POSIX) this does not return: the process
    becomes pip.
    """
    if context.invocation.save and isinstance(plan, (Pip, InEnvironment, Create, Rebuild)):
        from .save import candidates_of

        candidates_of(context)  # a wrong use ends here, before anything is made
    match plan:
        case Pip(handover=handover):
            _say_all(plan.notices, report)
            if plan.sought:
                handover = replace(handover, closing=_locate(plan, context, report))
            return hand_over(handover, context, report)
        case InEnvironment(handover=handover):
            _say_all(plan.notices, report)
            _give_hint(plan.hint, context, report)
            return hand_over(handover, context, report)
        case Create():
            return _create(plan, context, report)
        case Rebuild():
            return _rebuild(plan, context, report)
        case Temporary():
            from .temporary import run_in_temporary

            _say_all(plan.notices, report)
            return run_in_temporary(plan, context)
        case Pipx():
            _say_all(plan.notices, report)
            return _run_pipx(plan, context, report)
        case Refuse(code=code, what=what, ways=ways):
            report.error(what, ways, code=code)
            return code
        case StepDown(uid=uid, gid=gid):
            from .sudo import step_down

            step_down(uid, gid, report)
            return None
        case Verb():
            return _carry_out(plan, context, report)
        case Version():
            _print(f"safepip {__version__}\n")
            return 0
        case _:
            assert_never(plan)


def _carry_out(plan: Verb, context: Context, report: Report) -> int:
    from safepip.verbs import carry_out

    if sys.stdout is None:  # closed: what is printed goes nowhere
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  for the rest of the process
    code = carry_out(plan.word, plan.words, context, report)
    _print("")  # so that a full disk is noticed
    return code


def hand_over(handover: Handover, context: Context, report: Report) -> int | None:
    """Repeat pip's answer, or start pip.

    Return None where the environment was removed before its lock could be taken, so that the line is to be decided
    again.
    """
    _answer_about_safepip(handover, context, report)
    environment = handover.environment
    if environment is not None and handover.changes_packages:
        return _hand_over_change(handover, environment, context, report)
    if environment is not None and has_doubtful_pip(environment):
        from safepip.envs.sharing import own_pip

        own_pip(environment, context, report, lock=None)
    return _become_pip(handover, context, report, {}, locked=False)


def _hand_over_change(handover: Handover, environment: str, context: Context, report: Report) -> int | None:
    """Repeat pip's answer if nothing has changed, else become pip."""
    cache = _noop_cache(handover, context)
    if cache is not None:
        code = _repeat_answer(cache, context, report)
        if code is not None:
            return code
    lock = _take_lock(environment, context, report)
    if not os.path.lexists(handover.python):  # made by an install that failed meanwhile
        if lock is not None:
            os.close(lock)
        return None
    _warn_of_root(environment, context, report)
    note_use(context.state, environment)
    _recover(environment, context, report, lock)
    if lock is not None:
        _make_pip_own(environment, context, report, lock)
    variables = _begin_journal(environment, context)
    question = None
    if cache is not None and variables:
        question = cache.question()
    if question is not None:
        variables["SAFEPIP_RUN_KEEP"] = question
    return _become_pip(handover, context, report, variables, locked=lock is not None)


def _hand_over_to_new(made: Made, plan: Create, context: Context, report: Report) -> int | None:
    """Become the pip of a new environment, which a failed install removes."""
    from safepip.envs.removal import discarding

    path = made.environment.path
    handover = replace(plan.handover, python=made.environment.python)
    lock = _take_lock(path, context, report)
    note_use(context.state, path)
    discard = None
    if lock is not None:
        discard = discarding(path, plan.called, made.redirect, lock, context, report, existed=made.existed)
    _answer_about_safepip(handover, context, report)
    variables = {}
    if handover.changes_packages:
        _recover(path, context, report, lock)
        variables = _begin_journal(path, context, is_new=True)
    if discard is not None and variables:
        variables["SAFEPIP_RUN_DISCARD"] = discard
    return _become_pip(handover, context, report, variables, locked=lock is not None)


def _become_pip(
    handover: Handover, context: Context, report: Report, variables: dict[str, str], *, locked: bool
) -> int | None:
    """Exec pip, or wait for it where something follows its end."""
    environ = child_environ(handover, locked=locked) | variables
    if context.cache is not None and context.writes:  # where runner.py keeps compiled regular expressions
        environ["SAFEPIP_RUN_PATTERNS"] = os.path.join(context.cache, "patterns")
    if context.first_reading.outcome == "main_help":
        _introduce(context)
    if handover.wait:
        return spawn(handover.argv, environ)
    if context.invocation.save is None:
        return start(handover.argv, environ)
    from .save import run_and_save

    return run_and_save(handover, environ, context, report)


# -- what is said


def _answer_about_safepip(handover: Handover, context: Context, report: Report) -> None:
    """Say how safepip is updated or removed, if the line names it."""
    if report.quiet or not any("safepip" in word.lower() for word in handover.words):
        return
    from safepip.doctor.installation import tell

    tell(handover.environment, context, report)


def _introduce(context: Context) -> None:
    """Print what safepip can do before pip's help."""
    if context.invocation.shim or context.invocation.system:
        return
    if context.untouched:
        return
    from safepip.verbs.help import overview

    _print(overview())


def _say_all(lines: tuple[str, ...], report: Report) -> None:
    for line in lines:
        report.say(line)


def _locate(plan: Pip, context: Context, report: Report) -> tuple[str, ...]:
    """Return where the packages are that pip will not find."""
    if report.quiet:
        return ()
    from safepip.doctor.locate import locate

    return locate(plan.sought, context) or (plan.otherwise,)


def _give_hint(hint: tuple[str, str] | None, context: Context, report: Report) -> None:
    """Say once how the tool of the project records a dependency."""
    if hint is None or report.quiet:
        return
    if context.invocation.save is not None:  # safepip records it
        return
    from safepip.system.project_tools.tools import note_hinted

    root, line = hint
    report.say(line)
    note_hinted(context.state, root)


def _warn_of_root(environment: str, context: Context, report: Report) -> None:
    from safepip.envs.health import left_by_root

    left = left_by_root(environment, context.ambient.user)
    if left is not None:
        report.say(f"{left} belongs to root, left by an earlier sudo pip; give it back first:")
        report.say(f'sudo chown -R "$USER" {shell_quote(environment)}')


def _print(text: str) -> None:
    if sys.stdout is not None:  # closed
        sys.stdout.write(text)
        sys.stdout.flush()


# -- an answer that can be foretold


def _noop_cache(handover: Handover, context: Context) -> NoopCache | None:
    if context.command.subcommand != "install" or not context.settings.fast:
        return None
    if context.invocation.save is not None:
        return None
    from safepip.envs.noop_cache import noop_cache

    return noop_cache(handover, context)


def _repeat_answer(cache: NoopCache, context: Context, report: Report) -> int | None:
    """Repeat pip's answer to the same question, and return the exit code."""
    from safepip.envs.noop_cache import repeat

    printed = cache.answer()
    if printed is None:
        return None
    code = repeat(printed)
    if code is not None:
        report.debug("nothing has changed since pip found this satisfied: its answer is repeated")
        note_use(context.state, cache.environment)
    return code


# -- environments


def _create(plan: Create, context: Context, report: Report) -> int | None:
    """Settle a killed rebuild, else make the environment and hand over."""
    from safepip.envs.create import create

    if _settle_killed_rebuild(plan.environment.path, plan.called, context, report):
        return None
    _say_all(plan.notices, report)
    made = create(plan, context, report)
    _give_hint(plan.hint, context, report)
    if made.by_this_command:
        return _hand_over_to_new(made, plan, context, report)
    return hand_over(replace(plan.handover, python=made.environment.python), context, report)


def _rebuild(plan: Rebuild, context: Context, report: Report) -> int | None:
    """Rebuild the environment, so that the line can be decided again."""
    from safepip.envs.rebuild import repair

    path = plan.environment.path
    repair(path, plan.called, context, report, unasked=True)
    if context.examine(path, trusted=True).state == BROKEN:  # so that it is not rebuilt again and again
        return execute(plan.refusal, context, report)
    return None


def _run_pipx(plan: Pipx, context: Context, report: Report) -> int:
    """Have pipx do its part, and the environment what has no programs."""
    from . import pipx

    code, without_programs = pipx.run_pipx(plan, context, report)
    if not without_programs:
        return code
    rest = pipx.into_environment(without_programs, plan, context, report)
    into = execute(rest, context, report)
    while into is None:  # the environment was rebuilt, and serves now
        context, rest = pipx.decided_without_pipx(without_programs, context, report)
        into = execute(rest, context, report)
    return into


def _take_lock(environment: str, context: Context, report: Report) -> int | None:
    """Settle a killed rebuild, then take the lock for a change."""
    _settle_killed_rebuild(environment, context.typed_path(environment), context, report)
    from safepip.envs.lock import acquire

    return acquire(environment, context.settings.lock_timeout, report)


def _settle_killed_rebuild(path: str, called: str, context: Context, report: Report) -> bool:
    """Finish or take back a killed rebuild, if there was one."""
    if not has_killed_rebuilds(context.state):
        return False
    from safepip.envs.exchange import resume

    return resume(path, called, context, report)


def _make_pip_own(environment: str, context: Context, report: Report, lock: int) -> None:
    """Give the environment its own pip, if others could change it."""
    from safepip.envs.health import has_doubtful_pip_file

    if not has_doubtful_pip_file(environment):
        return
    from safepip.envs.sharing import own_pip

    own_pip(environment, context, report, lock=lock)


def _recover(environment: str, context: Context, report: Report, lock: int | None) -> None:
    from safepip.envs.journal import is_left

    if not is_left(environment, locked=lock is not None):
        return
    from safepip.envs.recover import recover

    recover(environment, context, report, lock=lock)


def _begin_journal(environment: str, context: Context, *, is_new: bool = False) -> dict[str, str]:
    """List what is installed, and return how runner.py learns of that."""
    from safepip.envs.journal import begin

    # Undo and history show the line as it was typed, not the words that it came to, such as those of `upgrade`.
    if not begin(environment, context.invocation.words, context.ambient.cwd, created=is_new):
        return {}
    return {"SAFEPIP_RUN_JOURNAL": environment}
