"""Find the environment in force here, or why it cannot be used."""

from __future__ import annotations

from safepip.core import refusals
from safepip.core.world import ABSENT, BROKEN, UNFINISHED, USABLE
from safepip.errors import NO_ENVIRONMENT, SafepipError
from safepip.system.registry import has_killed_rebuilds
from safepip.system.stages import details

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.world import Environment
    from safepip.report import Report
    from safepip.system.observe import Context


def repaired(context: Context, report: Report) -> Environment:
    """Return the environment in force, rebuilt first if settings say so."""
    found = in_force(context)
    if found.state in {ABSENT, UNFINISHED} and has_killed_rebuilds(context.state):
        from .exchange import resume  # noqa: PLC0415  seldom needed

        # Its rebuild may have been killed: the old environment then lies aside.
        if resume(found.path, context.typed(found), context, report):
            found = context.examine(found.known_as, trusted=True)
    if found.state != BROKEN:
        return found
    if not refusals.to_be_rebuilt(found, details(found, context), context.settings):
        return found
    from .rebuild import repair  # noqa: PLC0415  with virtualenv, which is slow to import

    repair(found.path, context.typed(found), context, report)
    return context.examine(found.known_as, trusted=True)


def in_force(context: Context) -> Environment:
    """Return the environment in force: named, active, or that of the place."""
    if context.named_environment:
        return context.named_environment[1]
    return context.active or context.environment_to_read


def usable(context: Context, report: Report) -> Environment:
    """Return the environment in force here, if it can be used."""
    found = repaired(context, report)
    if found.state != USABLE:
        raise unfit(found, context)
    return found


def unfit(found: Environment, context: Context) -> SafepipError:
    """Return why an environment cannot be used, in the words of `decide`."""
    if found.state in {ABSENT, UNFINISHED}:
        what = f"there is no {context.display(found)} here yet"
        ways: tuple[str, ...] = ("make it by installing something: safepip install …",)
        if found.reason_for_other_place:
            root = context.project.root if context.project is not None else ""
            what = f"{found.reason_for_other_place}, and {what}"
            ways += refusals.ways_to_trust_folder(found.reason_for_other_place, root)
        return SafepipError(NO_ENVIRONMENT, what, *ways)
    is_named = context.named_environment is not None
    refused = refusals.unfit(context, found, details(found, context), "", is_named=is_named)
    return SafepipError(refused.code, refused.what, *refused.ways)
