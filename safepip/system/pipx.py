"""Look at what pipx keeps: its home directory and its applications."""

from __future__ import annotations

import os

from safepip.core.requirement import normalised_name, parse
from safepip.core.world import USABLE, Apps

from .directories import at_home
from .files import names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from safepip.core.world import Environment, Facts, WithPlace

METADATA = "pipx_metadata.json"


def home_of(facts: Facts) -> str:
    """Return pipx's home, by the rule in pipx's `paths.py`, or empty."""
    ambient = facts.ambient
    named = ambient.environ.get("PIPX_HOME", "")
    if named:
        return os.path.abspath(at_home(named, ambient.home))
    on_windows = []
    if ambient.platform == "win32":
        on_windows = ["pipx"]
    if ambient.home:
        for tail in (os.path.join(".local", "pipx"), *on_windows):  # where pipx before 1.3 had it
            old = os.path.join(ambient.home, tail)
            if os.path.exists(old):
                return old
    if facts.data is None:
        return ""
    # platformdirs' folder of data, in which safepip's own lies as well
    return os.path.join(os.path.dirname(facts.data), "pipx", *on_windows)


def environments_of(facts: Facts) -> str:
    """Return the folder in which pipx keeps an environment for each application."""
    return os.path.join(home_of(facts), "venvs")


def installed_applications(environments: str) -> tuple[str, ...]:
    """Return the names of the applications in pipx's folder of environments."""
    found = []
    for name in sorted(names_in(environments)):
        if os.path.isfile(os.path.join(environments, name, METADATA)):
            found.append(name)
    return tuple(found)


def has_distribution(site: str, name: str) -> bool:
    """Return True if a site-packages holds the distribution of that normalised name."""
    for entry in names_in(site):
        if not entry.endswith((".dist-info", ".egg-info")):
            continue
        stem = entry.removesuffix(".dist-info").removesuffix(".egg-info")
        if normalised_name(stem.partition("-")[0]) == name:
            return True
    return False


def look(world: WithPlace, examine: Callable[..., Environment]) -> Apps:
    """Return what pipx has, and the environment here as well."""
    folder = environments_of(world)
    installed = installed_applications(folder)
    command, place = world.command, world.place
    asked = {requirement.name for requirement in filter(None, map(parse, command.requirements))}
    if command.subcommand != "install":
        asked.intersection_update(installed)
    beside: set[str] = set()
    if place.state == USABLE:
        for name in asked:
            if has_distribution(place.site, name):
                beside.add(name)
    of_asked = None
    if command.subcommand == "show" and len(asked) == 1:
        of_asked = examine(os.path.join(folder, *asked), trusted=True)
    return Apps(installed=installed, beside=frozenset(beside), of_asked=of_asked)
