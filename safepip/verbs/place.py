"""Which environment is in force at this place, and why it cannot be used if it cannot: for all words alike."""

from __future__ import annotations

from safepip.decide import unfit as refusal
from safepip.environment import USABLE
from safepip.errors import NO_ENVIRONMENT, SafepipError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.context import Context
    from safepip.environment import Environment


def in_force(context: Context) -> Environment:
    """Return the environment in force here, whatever its state: a named or active one, else that of the place."""
    found: Environment = context.named[1] if context.named else context.active or context.place
    return found


def usable(context: Context) -> Environment:
    """Return the environment in force here, if it can be used."""
    found = in_force(context)
    if found.state != USABLE:
        raise unfit(found, context)
    return found


def unfit(found: Environment, context: Context) -> SafepipError:
    """Return why an environment that is not usable cannot be used, as `decide` says it of an install."""
    refused = refusal(context, found, "")
    if refused is not None:
        return SafepipError(refused.code, refused.what, *refused.ways)
    what = f"there is no {context.shown(found)} here yet"
    return SafepipError(NO_ENVIRONMENT, what, "make it by installing something: safepip install …")
