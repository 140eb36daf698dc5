"""Say in one line what a plan does."""

from __future__ import annotations

from safepip.core.plan import (
    Create,
    InEnvironment,
    Pip,
    Pipx,
    Plan,
    Rebuild,
    Refuse,
    StepDown,
    Temporary,
    Verb,
    Version,
)

ByPip = InEnvironment | Create | Rebuild | Temporary | Pip


def outcome(plan: Plan, subcommand: str, interpreter: str | None) -> str:
    """Return what a plan does with a line.

    `interpreter` is the path of the target interpreter.
    """
    match plan:
        case Refuse(what=what):
            return f"would refuse: {what}"
        case StepDown(uid=uid):
            return f"would step down to user {uid}, then decide again"
        case Verb(word=word):
            return f"would do it itself: {word} is a verb of safepip's"
        case Version():
            return "would answer itself"
        case Pipx(names=names):
            return " ".join(("would", subcommand, ", ".join(names), "with pipx")).replace("  ", " ")
        case _:
            return f"would {_by_pip(plan, subcommand, interpreter)}"


def _by_pip(plan: ByPip, subcommand: str, interpreter: str | None) -> str:
    match plan:
        case InEnvironment(environment=found, elsewhere=str(directory)):
            return f"{subcommand} into {directory}, by the pip of {found.path} (Python {found.version})"
        case InEnvironment(environment=found):
            return f"{subcommand} in {found.path} (Python {found.version}), which exists"
        case Create(environment=found, interpreter=base):
            return f"create {found.path} (Python {base.minor}), then {subcommand} in it"
        case Rebuild(environment=found):
            return f"rebuild {found.path}, which {found.reason}; then {subcommand} in it"
        case Temporary(interpreter=base):
            return f"{subcommand} in a temporary environment (Python {base.minor})"
        case Pip(handover=handover):
            return f"leave it to the pip of {handover.environment or interpreter or handover.python}"
