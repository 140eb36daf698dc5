"""Find where a package is installed that `uninstall` did not find."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence

from safepip.core.app_routing import wanted
from safepip.core.record import Record
from safepip.envs.verify import sites
from safepip.system import registry
from safepip.system.observe import Context
from safepip.system.pipx import environments_of, has_distribution, installed_applications

from .stray_installs import system_sites, user_sites

_MOST = 3  # lines
_FROM_SYSTEM = "safepip --system uninstall --break-system-packages {}"


class Place(Record):
    """Where a package may be installed, in one of these folders.

    `called` says where that is. The command `remove` has {} for the names. With `only`, no other package counts.
    """

    folders: tuple[str, ...]
    called: str
    remove: str
    only: str = ""

    def holds(self, name: str) -> bool:
        """Return True if the package is installed here."""
        if self.only and name != self.only:
            return False
        return any(has_distribution(folder, name) for folder in self.folders)


def locate(requirements: Sequence[str], context: Context) -> tuple[str, ...]:
    """Return a line for each place, with the command that removes there."""
    left: dict[str, None] = {}  # names in the order of the line, each once
    for one in map(wanted, requirements):
        if one is not None:
            left[one.name] = None
    lines = []
    for place in _places(context, tuple(left)):
        here = list(filter(place.holds, left))
        for name in here:
            del left[name]  # of two places the first is named, since a Python sees that one's first
        if here:
            are = "are"
            if len(here) == 1:
                are = "is"
            lines.append(f"{', '.join(here)} {are} {place.called}: {place.remove.format(' '.join(here))}")
    return tuple(lines[:_MOST])


def _places(context: Context, names: tuple[str, ...]) -> Iterator[Place]:
    """Yield the places, the nearest first."""
    yield from _above(context)
    if context.data is not None:
        yield _environment(os.path.join(context.data, "home"), "in the home environment")
    venvs = environments_of(context)
    for name in installed_applications(venvs):
        if name in names:
            folders = tuple(sites(os.path.join(venvs, name)))
            remove = f"safepip app uninstall {name}"
            yield Place(folders=folders, called="an application of pipx's", remove=remove, only=name)
    yield from _outside(context)


def _environment(path: str, called: str) -> Place:
    remove = f"safepip --env {shlex.quote(path)} uninstall {{}}"
    return Place(folders=tuple(sites(path)), called=called, remove=remove)


def _above(context: Context) -> Iterator[Place]:
    """Yield the known environments of the directories above, from here upwards."""
    cwd = context.ambient.cwd or ""
    above = []
    for entry in registry.entries(context.state):
        path = entry.registration.path
        root = entry.registration.project or os.path.dirname(path)
        if not cwd.startswith(os.path.join(root, "")):
            continue
        if entry.is_there:
            above.append((len(root), path))
    # The longest path is the nearest.
    for _, path in sorted(above, reverse=True):
        yield _environment(path, f"in {path}")


def _outside(context: Context) -> Iterator[Place]:
    """Yield the folders outside environments that the target interpreter looks into."""
    target = context.target.interpreter
    # pip itself found what is in an unmanaged Python.
    if target is None or not context.managed:
        return
    for folder, version in user_sites(context.ambient):
        if version == target.minor:
            yield Place(folders=(folder,), called=f"in {folder}, by pip install --user", remove=_FROM_SYSTEM)
    by_pip: list[str] = []
    others: list[str] = []
    for folder, is_pips in dict(system_sites(target)).items():
        if is_pips:
            by_pip.append(folder)
        else:
            others.append(folder)
    yield Place(folders=tuple(by_pip), called="in /usr/local, by sudo pip", remove=f"sudo {_FROM_SYSTEM}")
    remove = "what installed it there removes it (apt, dnf, …)"
    yield Place(folders=tuple(others), called="the system's", remove=remove)
