"""Note what is done with pipx, for `history` and `undo`.

pipx keeps no history, so it is in the user's state directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import time

from safepip.core.record import replace
from safepip.core.world import BROKEN
from safepip.report import without_secrets
from safepip.system.environment import OWN
from safepip.system.files import make_folder
from safepip.system.keeper import inside
from safepip.system.pipx import METADATA, environments_of, home_of, installed_applications

from . import history, journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from safepip.system.observe import Context

    from .history import Entry, State

PIPX = "pipx"  # the kind of these entries, and what their ids begin with


def held(context: Context) -> dict[str, State]:
    """Return what pipx has, by the names of its environments."""
    found = {}
    for name, path in _environments(context).items():
        version = inside(_metadata(path), "main_package", "package_version")
        found[name] = history.State(version=str(version or "?"))  # another pipx may write another form
    return found


def broken(context: Context) -> dict[str, str]:
    """Return why each of pipx's applications cannot run, by name."""
    found = {}
    for name, path in _environments(context).items():
        environment = context.examine(path, trusted=True)
        if environment.state == BROKEN:
            found[name] = environment.reason
    return found


def installed_with_uv(context: Context) -> set[str]:
    """Return the names of pipx's applications that it changes with uv."""
    found = set()
    for name, path in _environments(context).items():
        if inside(_metadata(path), "backend") == "uv":
            found.add(name)
    return found


def _environments(context: Context) -> dict[str, str]:
    venvs = environments_of(context)
    return {name: os.path.join(venvs, name) for name in installed_applications(venvs)}


def _metadata(environment: str) -> object:
    try:
        with open(os.path.join(environment, METADATA), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def shared_folder(context: Context) -> str:
    """Return the environment whose pip all of pipx's environments use."""
    named = context.ambient.environ.get("PIPX_SHARED_LIBS", "")
    if named:
        return named
    return os.path.join(home_of(context), "shared")


def note(before: Mapping[str, State], context: Context) -> None:
    """Note what differs from `before`. Write errors are ignored."""
    if context.state is None:
        return
    changes = history.changes(before, held(context))
    if not changes:
        return
    place = _place(context.state)
    entry = history.Entry(
        id=journal.next_number(place),
        time=int(time.time()),
        kind=history.PIP,
        words=tuple(without_secrets(context.invocation.words)),
        cwd=context.ambient.cwd or "",
        further=_project(context),
        changes=changes,
    )
    with contextlib.suppress(OSError):
        make_folder(os.path.join(place, OWN))
        history.append(place, entry)


def read(context: Context) -> list[Entry]:
    """Return what was noted in this project, or outside all, oldest first."""
    if context.state is None:
        return []
    if context.named_environment is not None:  # the line is about that
        return []
    if context.active is not None:  # likewise
        return []
    project = _project(context)
    found = []
    for entry in history.read(_place(context.state)):
        if entry.further == project:
            found.append(replace(entry, id=f"{PIPX}-{entry.id}", kind=PIPX, further=""))
    return found


def last(context: Context) -> Entry | None:
    """Return the last of these that still holds."""
    entries = read(context)
    if not entries:
        return None
    now = held(context)
    for entry in reversed(entries):
        if all((change.after is not None) == (change.name in now) for change in entry.changes):
            return entry  # else pipx itself was told to change that since
    return None


def _place(state: str) -> str:
    # It holds a history as an environment does, and the lock for pipx's changes.
    return os.path.join(state, "pipx")


def _project(context: Context) -> str:
    if context.project is None:
        return ""
    return context.project.root
