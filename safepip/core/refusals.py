"""Word the refusals."""

from __future__ import annotations

import os.path

from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, REFUSED, shell_quote

from .plan import Refuse
from .world import BROKEN, FOREIGN, MADE_ELSEWHERE, NOWHERE, UNTRUSTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings
    from .world import Details, Environment, Facts, World

_OF_ANOTHER = "belongs to another user"
_ELSEWHERE = 'to keep yours elsewhere: SAFEPIP_ENV=DIR, or env-dir = "central" in your config.toml'


def outside_project(because: str) -> Refuse:
    """Refuse a line outside projects, as the setting says."""
    what = "there is no project here, and the setting outside-project is error"
    return Refuse(code=CANNOT_CREATE, what=what, ways=("make it one: mkdir .venv",), because=because)


def other_version(world: World, environment: Environment, because: str) -> Refuse:
    """Refuse an environment of another Python than the name typed."""
    name, wanted = world.invocation.name, world.invocation.version
    path = world.typed(environment)
    what = f"{name} asks for Python {wanted}, but {path} has Python {environment.version}"
    ways = (
        f"use {path}: pip install …",
        f"keep one beside it: SAFEPIP_ENV=.venv-{wanted} {name} install …",
    )
    return Refuse(code=NO_ENVIRONMENT, what=what, ways=ways, because=because)


def unfit(facts: Facts, environment: Environment, details: Details, because: str, *, is_named: bool) -> Refuse:
    """Refuse an environment that is neither usable nor missing.

    `is_named` tells whether the line names it.
    """
    path = facts.typed(environment)
    what = f"{facts.display(environment)} {environment.reason}"
    if environment.state == NOWHERE:
        way = "name a place: SAFEPIP_ENV=DIR"
        return Refuse(code=CANNOT_CREATE, what=environment.reason, ways=(way,), because=because)
    if environment.state == FOREIGN:
        return Refuse(code=REFUSED, what=what, ways=(_ELSEWHERE,), because=because)
    if environment.state == UNTRUSTED:
        way = f"if you trust it: safepip env trust {shell_quote(path)}"
        if environment.reason.startswith(MADE_ELSEWHERE):
            way = f"rebuild it here with the same packages: safepip env repair {shell_quote(path)}"
        ways = (way, *ways_to_trust_folder(environment.reason, os.path.dirname(environment.known_as)))
        return Refuse(code=REFUSED, what=what, ways=ways, because=because)
    meant = details.environment_of_named_project
    if meant is not None:  # as with `--env .`
        what = f"{path} is a project, not an environment; its environment is {meant.path}"
        way = f"as if started there: safepip --project {shell_quote(path)} …"
        return Refuse(code=NO_ENVIRONMENT, what=what, ways=(way,), because=because)
    is_named = is_named or not details.is_known  # an unknown one is rebuilt only by its name
    ways = _ways_to_repair(path, environment, is_named=is_named)
    return Refuse(code=NO_ENVIRONMENT, what=what, ways=ways, because=because)


def ways_to_trust_folder(reason: str, folder: str) -> tuple[str, ...]:
    """Return how to trust a whole folder, if `reason` is about owners."""
    if _OF_ANOTHER not in reason:
        return ()
    return (f"to trust all below a folder, such as a mount: export SAFEPIP_TRUST={shell_quote(folder)}",)


def _ways_to_repair(path: str, environment: Environment, *, is_named: bool) -> tuple[str, ...]:
    word = shell_quote(path)
    if environment.never_environment:
        return (f"move it away, then install again: mv {word} {shell_quote(f'{path}.old')}",)
    if environment.is_unreadable:
        return (f"let yourself read it: chmod u+rwx {word}",)
    repair = "rebuild it with the same packages: safepip env repair"
    if is_named:
        repair = f"{repair} {word}"
    if environment.other_system:  # a repair would ruin it for that system
        return (_ELSEWHERE, repair)
    return (repair,)


def to_be_rebuilt(environment: Environment, details: Details, settings: Settings) -> bool:
    """Return True if a broken environment is to be rebuilt unasked."""
    if environment.state != BROKEN or not settings.auto_repair:
        return False
    # A rebuild would ruin another system's environment for that system, and what was never one may hold anything.
    if environment.other_system or environment.never_environment:
        return False
    return details.is_known
