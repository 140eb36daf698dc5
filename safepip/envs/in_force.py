"""Which environment is in force at this place, and why it cannot be used if it cannot: for all verbs alike."""

from __future__ import annotations

from safepip.core.decide import to_be_repaired
from safepip.core.decide import unfit as refusal
from safepip.core.world import USABLE
from safepip.errors import NO_ENVIRONMENT, SafepipError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.world import Environment
    from safepip.report import Report
    from safepip.system.observe import Context


def repaired(context: Context, report: Report) -> Environment:
    """Return the environment in force here, rebuilt first if it is broken and the settings say so."""
    found = in_force(context)
    if not to_be_repaired(context, found):
        return found
    from .rebuild import repair  # noqa: PLC0415  with virtualenv, which is slow to import

    repair(found.path, context.typed(found), context, report)
    now: Environment = context.examine(found.named, named=True)
    return now


def in_force(context: Context) -> Environment:
    """Return the environment in force here, whatever its state: a named or active one, else that of the place."""
    if context.named:
        named: Environment = context.named[1]
        return named
    return context.active or context.reading


def usable(context: Context, report: Report) -> Environment:
    """Return the environment in force here, if it can be used."""
    found = repaired(context, report)
    if found.state != USABLE:
        raise unfit(found, context)
    return found


def unfit(found: Environment, context: Context) -> SafepipError:
    """Return why an environment that is not usable cannot be used, as `decide` says it of an install."""
    refused = refusal(context, found, "")
    if refused is not None:
        return SafepipError(refused.code, refused.what, *refused.ways)
    what = f"there is no {context.display(found)} here yet"
    return SafepipError(NO_ENVIRONMENT, what, "make it by installing something: safepip install …")
