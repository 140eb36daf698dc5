"""Say in one line what a plan does."""

from __future__ import annotations

from safepip.core.plan import Create, InEnvironment, Pip, Pipx, Rebuild, Refuse, StepDown, Temporary, Verb, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.plan import Plan


def outcome(plan: Plan, subcommand: str, interpreter: str | None) -> str:  # noqa: C901  an arm a plan
    """Return what a plan does with a line; `interpreter` is the target's path."""
    match plan:
        case InEnvironment(environment=found, elsewhere=str(directory)):
            return f"would {subcommand} into {directory}, by the pip of {found.path} (Python {found.version})"
        case InEnvironment(environment=found):
            return f"would {subcommand} in {found.path} (Python {found.version}), which exists"
        case Create(environment=found, interpreter=base):
            return f"would create {found.path} (Python {base.minor}), then {subcommand} in it"
        case Rebuild(environment=found):
            return f"would rebuild {found.path}, which {found.reason}; then {subcommand} in it"
        case Temporary(interpreter=base):
            return f"would {subcommand} in a temporary environment (Python {base.minor})"
        case Pipx(names=names):
            return " ".join(("would", subcommand, ", ".join(names), "with pipx")).replace("  ", " ")
        case Refuse(what=what):
            return f"would refuse: {what}"
        case StepDown(uid=uid):
            return f"would step down to user {uid}, then decide again"
        case Verb(word=word):
            return f"would do it itself: {word} is a verb of safepip's"
        case Version():
            return "would answer itself"
        case Pip(handover=handover):
            owner = handover.environment or interpreter or handover.python
            return f"would leave it to the pip of {owner}"
