"""The decision about an install here, step by step."""

from __future__ import annotations

import os
import shlex

from safepip.core.plan import Refuse
from safepip.core.world import ABSENT, BROKEN, USABLE
from safepip.errors import SafepipError
from safepip.system.environment import is_environment
from safepip.system.stages import decided

from .finding import Context, Environment, Finding, Findings, attempt, ok, problem, warning
from .outcome import outcome


def check(context: Context) -> Findings:
    """Tell the steps and the outcome of the decision."""
    try:
        plan = decided(context)
        active = context.active
    except SafepipError as error:
        yield ok("active", "no environment is active")
        if not error.what:  # else the target's finding tells it
            yield problem("decision", "an install here is refused: no Python can be asked")
        return
    # In the order of the decision: active environment, project, outcome.
    yield _active(context)
    if active:
        yield from _another_active(active, context)
    yield _project(context)
    if context.keeper:
        yield ok("project-keeper", f"{context.keeper} keeps this project")
    if not isinstance(plan, Refuse):
        does = outcome(plan, "install", context.target.python)
        yield ok("decision", f"an install here {does}, since {plan.because}")
    elif not _is_told_elsewhere(context):
        yield problem("decision", f"an install here is refused: {plan.what}", _command_in(plan.ways))


def _active(context: Context) -> Finding:
    active = context.active
    if active:
        variable, path = context.claimed_active
        why = f"the environment {active.path} is active"
        if path == active.path and context.target.prefix is None:
            why += f", by {variable}"
        return ok("active", why)
    if context.stale_active:
        return _stale(*context.stale_active, context)
    return ok("active", "no environment is active")


def _stale(variable: str, path: str, context: Context) -> Finding:
    found = context.examine(path, trusted=True)
    reason = found.reason
    if not reason:
        reason = "is not an environment"
        if found.state == ABSENT:
            reason = "does not exist"
    why = f"{variable} names {path}, which {reason}"
    # A variable left by a shell that did not deactivate.
    left = warning("active-stale", why, f"unset {variable}")
    if found.state != BROKEN:
        return left
    if found.other_system:
        return left
    if not is_environment(path):
        return left
    return warning("active-stale", why, f"safepip env repair {shlex.quote(path)}")


def _another_active(active: Environment, context: Context) -> Findings:
    if context.named_environment or not context.project:
        return
    here = attempt(lambda: context.place, None)
    if here is None:
        return
    if here.state != USABLE:
        return
    if here.path == active.path:
        return
    why = f"the active environment is not this project's, {here.path}: installs go to the active one"
    yield warning("active-other", why, f". {shlex.quote(os.path.join(here.path, 'bin', 'activate'))}")


def _project(context: Context) -> Finding:
    project = context.project
    if project is None:
        return ok("project", "there is no project here: the home environment serves")
    if project.marker:
        return ok("project", f"{project.root} is a project ({project.marker})")
    return ok("project", f"{project.root} is a project once something is installed (nothing marks it)")


def _is_told_elsewhere(context: Context) -> bool:
    # One cause, one finding: another check explains these refusals.
    if context.target.problem is not None:
        return True
    if context.settings.faults:
        return True
    return context.place.state not in {USABLE, ABSENT}


def _command_in(ways: tuple[str, ...]) -> str | None:
    # Doctor prints commands that can be typed as they stand.
    for way in ways:
        command = way.split(": ", 1)[-1]
        if "…" in command:
            continue
        if command.startswith(("safepip ", "mkdir ", "mv ")):
            return command
    return None
