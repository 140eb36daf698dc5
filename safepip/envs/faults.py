"""Say why an environment has to be rebuilt.

This stands apart from rebuild.py, which imports virtualenv: that takes 0.3 s.
"""

from __future__ import annotations

import os

from safepip.core.world import ABSENT, BROKEN, UNFINISHED, USABLE
from safepip.errors import NO_ENVIRONMENT, SafepipError
from safepip.system import registry
from safepip.system.environment import OWN, is_environment

from . import inventory
from .trust import made_elsewhere, recorded_place
from .verify import sites

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.world import Environment
    from safepip.system.observe import Context


def fault(found: Environment, state: str | None = None) -> str | None:
    """Return why it must be rebuilt, to complete a sentence, or None."""
    if found.state == BROKEN and was_environment(found.path):
        return found.reason
    if found.state in {ABSENT, UNFINISHED}:
        raise SafepipError(NO_ENVIRONMENT, f"there is no {found.known_as} yet", "make it: safepip env create")
    if found.state != USABLE:
        what = f"{found.known_as} {found.reason or found.state}: there is nothing to rebuild it from"
        raise SafepipError(NO_ENVIRONMENT, what, "rename it, then install again")
    if not is_environment(found.path):  # conda's: what is wrong in it is for conda to repair
        return None
    if recorded_elsewhere(found.path) is not None:
        is_moved = moved(state, found.path) is not None
        return f"{made_elsewhere(found.path, moved=is_moved)}: its programs and activate scripts lead there"
    if _has_other_packages(found):
        return f"has packages of another Python than its {found.version}"
    return None


def _has_other_packages(found: Environment) -> bool:
    own = os.path.realpath(found.site)
    return any(inventory.holds(site) for site in sites(found.path) if os.path.realpath(site) != own)


def was_environment(path: str) -> bool:
    """Return True for an environment, even without its pyvenv.cfg."""
    if is_environment(path):
        return True
    return os.path.isdir(os.path.join(path, OWN)) and not os.path.isdir(os.path.join(path, "conda-meta"))


def moved(state: str | None, path: str) -> registry.Entry | None:
    """Return the record of an environment that was moved to `path`."""
    entry = registry.moved_from(state, path)
    if entry is None:
        return None
    place = recorded_elsewhere(path)
    if place is None:
        return None
    # Inodes are used again: where no id could be kept in it, its texts have to name the very place recorded.
    if not entry.identity and entry.registration.path != place:
        return None
    return entry


def lacks_pip(found: Environment, context: Context) -> bool:
    """Return True if a usable environment has lost pip."""
    if found.has_pip:
        return False
    known = registry.registration(context.state, found.path)
    if known is not None and known.how == registry.MADE:  # other tools make some that never had it
        return True
    return "pip" in inventory.distributions(found.path)


def recorded_elsewhere(path: str) -> str | None:
    """Return the other place that the environment's own texts name, or None."""
    try:
        place = recorded_place(path)
    except (OSError, ValueError):
        return None
    if place == os.path.realpath(path):
        return None
    return place
