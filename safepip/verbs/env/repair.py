"""safepip env repair: rebuild an environment with the same packages."""

from __future__ import annotations

import argparse
import os

from safepip.core.world import FOREIGN, NOWHERE, UNFINISHED, UNTRUSTED, USABLE, Environment
from safepip.envs.applications import broken
from safepip.envs.asides import half_removed, set_aside
from safepip.envs.faults import moved
from safepip.envs.in_force import unfit
from safepip.envs.listing import broken_environments
from safepip.errors import REFUSED, SafepipError
from safepip.report import Report, first_of, with_tilde
from safepip.system import registry
from safepip.system.observe import Context
from safepip.system.project import owner

from .which import add_directory, named_or_in_force

# safepip.envs.rebuild and actions.pipx are imported late: virtualenv takes 0.1 s to import.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this word."""
    add_directory(parser)
    parser.add_argument("--all", action="store_true", help="all that are broken, and pipx's applications")


def main(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Repair an environment, then name other broken ones."""
    if said.all:
        return _repair_all(context, report)
    found = named_or_in_force(said.dir, context, trusted=True)
    is_refused_redirect = found.state == UNTRUSTED and found.known_as != found.path
    if is_refused_redirect or found.state in {NOWHERE, FOREIGN}:
        raise unfit(found, context)
    if os.path.lexists(found.path):
        chosen = (said.dir, context.named_environment, context.active)
        permit(found, context, named=any(chosen))
    try:
        _rebuild(found, context, report)
    # Also after a failure: one upgrade of the system breaks many environments.
    finally:
        _name_broken(context, report)
    return 0


def permit(found: Environment, context: Context, *, named: bool) -> None:
    """Refuse an environment that the user neither owns, named nor used before."""
    called = context.typed(found)
    if owner(found.path, follow=True) not in context.owners:
        raise SafepipError(REFUSED, f"{called} belongs to another user, or is a link to nothing")
    if named or found.state in {USABLE, UNFINISHED}:
        return
    if registry.registration(context.state, found.path) is not None:
        return
    if moved(context.state, found.path) is not None:
        return
    what = f"{called} was not made by safepip"
    if found.reason:
        what += f" and {found.reason}"
    raise SafepipError(REFUSED, what, f"if you trust it: safepip env repair {called}")


def _rebuild(found: Environment, context: Context, report: Report) -> None:
    from safepip.envs.rebuild import repair  # noqa: PLC0415

    # With leftovers to move there is something to do, so "nothing to repair" would be wrong.
    had_leftovers = bool(half_removed(found.path))
    repair(found.path, context.typed(found), context, report, unasked=had_leftovers)
    moved = set_aside(found.path, context, report)
    if moved:
        aside = f"{context.typed(found)}/.safepip/left"
        report.say(f"moved what an interrupted pip left, {first_of(moved)}, to {aside}")


def _repair_all(context: Context, report: Report) -> int:
    """Repair all that is broken, and return the highest exit code."""
    highest = 0
    for found in broken_environments(context):
        try:
            permit(found, context, named=False)
            _rebuild(found, context, report)
        except SafepipError as error:
            report.error(error.what, error.ways, code=error.code)
            highest = max(highest, error.code)
    from safepip.actions.pipx import repair_applications  # noqa: PLC0415

    return repair_applications(context, report) or highest


def _name_broken(context: Context, report: Report) -> None:
    # An upgrade of the system breaks all environments at once.
    names = [with_tilde(found.path, context.ambient.home) for found in broken_environments(context)]
    names += [f"{name} (pipx)" for name in broken(context)]
    if names:
        report.say(f"also broken: {first_of(names)}; repair all: safepip env repair --all")
