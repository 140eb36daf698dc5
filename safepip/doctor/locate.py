"""Find where a package is installed that `uninstall` did not find."""

from __future__ import annotations

import os
import shlex

from safepip.core.app_routing import wanted
from safepip.envs.verify import sites
from safepip.system import registry
from safepip.system.pipx import has_distribution, home_of, installed_applications

from .stray_installs import system_sites, user_sites

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from safepip.system.observe import Context

    # Folders, what to call them, how to remove from there ({}: the names), and the only name that counts, or None.
    Place = tuple[tuple[str, ...], str, str, str | None]

_MOST = 3  # lines


def locate(requirements: Sequence[str], context: Context) -> tuple[str, ...]:
    """Return a line for each place that has some of the packages, with the command that removes them there.

    Nothing is run; a package that two places have is told of in the first.
    """
    left = list(dict.fromkeys(one.name for one in map(wanted, requirements) if one is not None))
    lines = []
    for folders, called, remove, only in _places(context, tuple(left)):
        here = _held(folders, [name for name in left if only in {None, name}])
        if here:
            left = [name for name in left if name not in here]
            are = "is" if len(here) == 1 else "are"
            lines.append(f"{', '.join(here)} {are} {called}: {remove.format(' '.join(here))}")
    return tuple(lines[:_MOST])


def _held(folders: tuple[str, ...], names: list[str]) -> list[str]:
    return [name for name in names if any(has_distribution(folder, name) for folder in folders)]


def _places(context: Context, names: tuple[str, ...]) -> Iterator[Place]:
    """Yield where packages may be, the nearest first."""
    yield from _above(context)
    if context.data is not None:
        path = os.path.join(context.data, "home")
        how = f"safepip --env {shlex.quote(path)} uninstall {{}}"
        yield tuple(sites(path)), "in the home environment", how, None
    venvs = os.path.join(home_of(context), "venvs")
    for name in (name for name in installed_applications(venvs) if name in names):
        yield (
            tuple(sites(os.path.join(venvs, name))),
            "an application of pipx's",
            f"safepip app uninstall {name}",
            name,
        )
    yield from _outside(context)


def _above(context: Context) -> Iterator[Place]:
    """Yield the environments of folders above that safepip knows, from here upwards."""
    cwd = context.ambient.cwd or ""
    known = [
        (entry.registration.project or os.path.dirname(entry.registration.path), entry)
        for entry in registry.entries(context.state)
    ]
    for root, entry in sorted(known, key=lambda one: len(one[0]), reverse=True):
        if cwd.startswith(os.path.join(root, "")) and entry.is_there:
            how = f"safepip --env {shlex.quote(entry.registration.path)} uninstall {{}}"
            yield tuple(sites(entry.registration.path)), f"in {entry.registration.path}", how, None


def _outside(context: Context) -> Iterator[Place]:
    """Yield the folders outside environments that the target interpreter looks into."""
    target = context.target.interpreter
    if target is None or not context.managed:
        return
    for folder, version in user_sites(context.ambient):
        if version == target.minor:
            how = "safepip --system uninstall --break-system-packages {}"
            yield (folder,), f"in {folder}, by pip install --user", how, None
    folders = dict(system_sites(target))
    by_pip = tuple(folder for folder, is_pips in folders.items() if is_pips)
    how = "sudo safepip --system uninstall --break-system-packages {}"
    yield by_pip, "in /usr/local, by sudo pip", how, None
    rest = tuple(folder for folder in folders if folder not in by_pip)
    yield rest, "the system's", "what installed it there removes it (apt, dnf, …)", None
