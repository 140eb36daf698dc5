"""What was done with pipx, for `history` and `undo`: noted in the user's state, for pipx notes none of it."""

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
from safepip.system.pipx import METADATA, home_of, installed_applications

from . import history, journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from safepip.system.observe import Context

    from .history import Entry, State

PIPX = "pipx"  # the kind of these entries, and what their ids begin with


def held(context: Context) -> dict[str, State]:
    """Return what pipx has, by the names of its environments."""
    venvs = os.path.join(home_of(context), "venvs")
    found = {}
    for name in installed_applications(venvs):
        found[name] = history.State(version=_version(os.path.join(venvs, name)))
    return found


def broken(context: Context) -> dict[str, str]:
    """Return pipx's applications that cannot run any more, by name: each with the reason."""
    venvs = os.path.join(home_of(context), "venvs")
    found = {}
    for name in installed_applications(venvs):
        environment = context.examine(os.path.join(venvs, name), trusted=True)
        if environment.state == BROKEN:
            found[name] = environment.reason
    return found


def installed_with_uv(context: Context) -> set[str]:
    """Return the names of pipx's applications that it goes on changing with uv."""
    venvs = os.path.join(home_of(context), "venvs")
    found = set()
    for name in installed_applications(venvs):
        try:
            with open(os.path.join(venvs, name, METADATA), encoding="utf-8") as file:
                backend = json.load(file).get("backend")
        except (OSError, ValueError, AttributeError):
            continue
        if backend == "uv":
            found.add(name)
    return found


def shared_folder(context: Context) -> str:
    """Return the environment whose pip all of pipx's environments use."""
    named = context.ambient.environ.get("PIPX_SHARED_LIBS", "")
    if named:
        return named
    return os.path.join(home_of(context), "shared")


def note(before: Mapping[str, State], context: Context) -> None:
    """Note what differs from `before` as done by this line. Write errors are ignored."""
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
    """Return what was noted in this project, or outside all, oldest first; none where one is named or active."""
    if context.state is None:
        return []
    if context.named_environment is not None:
        return []
    if context.active is not None:
        return []
    project = _project(context)
    entries = [entry for entry in history.read(_place(context.state)) if entry.further == project]
    return [replace(entry, id=f"{PIPX}-{entry.id}", kind=PIPX, further="") for entry in entries]


def last(context: Context) -> Entry | None:
    """Return the last of these that still holds."""
    entries = read(context)
    if not entries:
        return None
    now = held(context)
    for entry in reversed(entries):
        if _holds(entry, now):
            return entry
    return None


def _holds(entry: Entry, now: Mapping[str, State]) -> bool:
    for change in entry.changes:
        was_installed = change.after is not None
        if was_installed != (change.name in now):  # pipx itself has taken it back since
            return False
    return True


def _place(state: str) -> str:
    # It holds a history as an environment does, and the lock for pipx's changes.
    return os.path.join(state, "pipx")


def _project(context: Context) -> str:
    if context.project is None:
        return ""
    return context.project.root


def _version(environment: str) -> str:
    """Return the version of the application in one of pipx's environments, "?" if it is not known."""
    try:
        with open(os.path.join(environment, METADATA), encoding="utf-8") as file:
            return str(json.load(file)["main_package"]["package_version"] or "?")
    except (OSError, ValueError, LookupError, TypeError):  # another pipx may write another form
        return "?"
