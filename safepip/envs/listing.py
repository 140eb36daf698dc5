"""List the environments that safepip knows, without running anything of them."""

from __future__ import annotations

import functools
import os

from safepip.core.record import Record
from safepip.core.world import BROKEN, USABLE, Environment, Interpreter
from safepip.system import registry
from safepip.system.environment import examine
from safepip.system.interpreter import interview
from safepip.system.observe import Context

from . import inventory, journal
from .verify import verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safepip.report import Report
    from safepip.system.registry import Entry

_MANY = 50  # environments: to measure more takes so long that a line tells


class Listed(Record):
    """An environment as `list` shows it."""

    path: str
    project: str | None
    python: str
    packages: int
    size: int  # in bytes
    used: float  # in seconds since 1970
    health: str  # "ok" or what is wrong


def listed(context: Context, report: Report) -> Iterator[Listed]:
    """Yield all that exist. Their sizes are remembered until they change."""
    told = Context(context.invocation, context.ambient, context.tell, keep=False)

    @functools.cache  # many environments stand on one interpreter, and to ask it takes 20 ms
    def ask(path: str) -> Interpreter | str:
        return interview(path, context.ambient.environ, context.cache)

    entries = []
    unmeasured = 0
    for entry in registry.entries(context.state):
        if entry.is_there:
            size = registry.size_of(entry, inventory.stamp(entry.registration.path))
            entries.append((entry, size))
            unmeasured += size is None
    if unmeasured > _MANY:
        report.say(f"measuring {unmeasured} environments (once)")
    for entry, size in entries:
        yield _look(entry, size or _measured(entry), told, ask)


def broken_environments(context: Context) -> Iterator[Environment]:
    """Yield the known environments that cannot be used as they are."""
    for entry in registry.entries(context.state):
        if entry.is_there:
            found = context.examine(entry.registration.path)
            if found.state == BROKEN:
                yield found


def _look(
    entry: Entry, measured: tuple[int, int], context: Context, ask: Callable[[str], Interpreter | str]
) -> Listed:
    path = entry.registration.path
    size, packages = measured
    used = last_use(entry)
    with inventory.unread(path):
        found = examine(path, ask, context.vet)
        return Listed(
            path=path,
            project=project_root(entry.registration, context),
            python=found.version or inventory.made_with(path),
            packages=packages,
            size=size,
            used=used,
            health=health(found),
        )


def last_use(entry: Entry) -> float:
    """Return when the environment was last used, in seconds since 1970."""
    path = entry.registration.path
    return max(entry.used, inventory.last_change(path), inventory.last_start(path))


def _measured(entry: Entry) -> tuple[int, int]:
    """Return size and number of packages, and remember both."""
    path = entry.registration.path
    stamp = inventory.stamp(path)  # before it is measured: a change meanwhile counts
    size, packages = inventory.size(path), inventory.packages(path)
    registry.measured(entry, stamp, size, packages)
    return size, packages


def health(found: Environment) -> str:
    """Return "ok", or the state and what is wrong."""
    if found.state != USABLE:
        if found.reason:
            return f"{found.state}: {found.reason}"
        return found.state
    if journal.is_left(found.path, locked=False):
        return "interrupted: the last change was killed"
    damaged = verdict(found.path)
    if damaged:
        return f"damaged: {damaged}"
    return "ok"


def project_root(known: registry.Registration, context: Context) -> str | None:
    """Return the root of the project that an environment is for."""
    if known.project:
        return known.project
    if context.data is not None and known.path.startswith(os.path.join(context.data, "")):
        return None  # in safepip's data directory, away from any project
    return os.path.dirname(known.path)
