"""safepip history: show the changes of an environment, oldest first."""

from __future__ import annotations

import heapq
import json
import os
import shlex
import textwrap
from collections.abc import Sequence
from typing import Any

from safepip.actions.sudo import of_user_behind_sudo
from safepip.core.record import replace
from safepip.core.world import ABSENT, UNFINISHED, Environment
from safepip.envs import applications, history, journal, saved_files
from safepip.envs.history import Change, Entry, State
from safepip.envs.in_force import in_force, usable
from safepip.errors import REFUSED, SafepipError
from safepip.report import Report, printable
from safepip.system.observe import Context

from .arguments import Parser, for_verb
from .output import as_utc, show, show_json

_WIDTH = 80
_TIED = "\N{NO-BREAK SPACE}"  # keeps a sign and its name on one line
_PROGRAMS = {applications.PIPX: "pipx"}
_LATEST = 253402300799  # the end of the year 9999, after which time.gmtime may fail


def parser() -> Parser:
    """Return the parser of `history`."""
    made = for_verb(
        "history",
        more="Oldest first: id, time (UTC) and line, then what came (+), went (-) or has another version now.\n"
        "What pipx did has no id: `safepip undo` does not reach it.",
        example="safepip history",
    )
    made.add_argument("--json", action="store_true", help="print a JSON array, an object for each entry")
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Print the history, with --json as an array."""
    said = parser().parse_args(words)
    context = of_user_behind_sudo(context, report)
    # pipx has a history of its own.
    found, by_pipx = in_force(context), applications.read(context)
    # Where pipx alone changed something there may be no environment.
    if not by_pipx or found.state not in {ABSENT, UNFINISHED}:
        found = usable(context, report)
    entries = list(heapq.merge(legible(found, context), by_pipx, key=lambda entry: entry.time))
    if said.json:
        show_json([_as_json(entry, entries) for entry in entries])
        return 0
    if not entries:
        show(f"nothing was changed in {context.typed(found)} through safepip yet")
    for entry in entries:
        show(*lines(entry, entries))
    return 0


def legible(found: Environment, context: Context) -> list[Entry]:
    """Return the history of an environment, or refuse another user's."""
    file = os.path.join(found.path, journal.HISTORY)
    try:
        os.lstat(file)
        may_read = os.access(file, os.R_OK)
    except OSError as error:
        may_read = not isinstance(error, PermissionError)
    if not may_read:
        what = f"the history of {context.typed(found)} is another user's, who alone can read it"
        raise SafepipError(REFUSED, what)
    files: dict[str, list[str]] = {}
    for saved in saved_files.read(found.path):
        files.setdefault(saved.entry, []).append(context.typed_path(saved.path))
    entries = history.read(found.path)
    return [replace(entry, files=tuple(files.get(entry.id, ()))) for entry in entries]


def line_of(entry: Entry) -> str:
    """Return the typed line, without credentials, quoted as for a shell."""
    return shlex.join(entry.words)


def stamp(entry: Entry) -> str:
    """Return the time of an entry: ISO 8601, UTC."""
    return as_utc(min(entry.time, _LATEST))


def lines(entry: Entry, entries: Sequence[Entry]) -> list[str]:
    """Return the lines of an entry for people."""
    number, remark, made = entry.id, "", "made the environment"
    if entry.kind == applications.PIPX:
        number, remark = "-", " (with pipx)"
    elif _is_undone(entry, entries):
        remark, made = " (undone)", "made the environment (which stays)"
    head = f"{number:>4}  {stamp(entry)[:16].replace('T', ' ')}  {printable(line_of(entry))}{remark}"
    changes = []
    for change in entry.changes:
        text = described(change)
        if text.startswith(("+ ", "- ")):
            text = text.replace(" ", _TIED, 1)
        changes.append(text)
    if entry.further == "created":
        changes.insert(0, made)
    changes += [f"changed {printable(path)}" for path in entry.files]
    return [*_folded(head, 24), *_folded(" " * 6 + ", ".join(changes), 6)]


def described(change: Change) -> str:
    """Return the change of a distribution in a few words."""
    # A hostile package may have escape sequences in its metadata.
    name = printable(change.name)
    if change.before is None:
        return f"+ {name} {_called(change.after)}"
    if change.after is None:
        return f"- {name} {_called(change.before)}"
    return f"{name} {_called(change.before)} -> {_called(change.after)}"


def _folded(line: str, indent: int) -> list[str]:
    space = " " * indent
    parts = textwrap.wrap(line, _WIDTH, subsequent_indent=space, drop_whitespace=True, break_on_hyphens=False)
    return [part.replace(_TIED, " ") for part in parts]


def _called(state: State | None) -> str:
    if state is None:
        return "nothing"
    origin = _origin(state)
    if origin:
        return printable(f"{state.version} ({origin})")
    return printable(state.version)


def _origin(state: State | None) -> str | None:
    # pip notes the URL of a direct install (PEP 610); -e tells an editable one.
    if state is None or not state.origin:
        return None
    try:
        noted = json.loads(state.origin)
        url = str(noted["url"])
        directory = noted.get("dir_info") or {}
        if directory.get("editable"):
            return f"-e {url}"
    except (ValueError, TypeError, KeyError, AttributeError):
        return "-e " + state.origin.split("\n")[0]  # the first line of an .egg-link
    return url


def _as_json(entry: Entry, entries: Sequence[Entry]) -> dict[str, Any]:
    # `safepip help json` describes the keys.
    came, went, changed = [], [], []
    for change in entry.changes:
        if change.before is None:
            came.append(_one(change.name, change.after))
        elif change.after is None:
            went.append(_one(change.name, change.before))
        else:
            changed.append(_both(change))
    return {
        "id": entry.id,
        "time": stamp(entry),
        "line": line_of(entry),
        "came": came,
        "went": went,
        "changed": changed,
        "created": entry.further == "created",
        "undone": _is_undone(entry, entries),
        "undo_to": entry.further if entry.kind == history.UNDO else None,
        "with": _PROGRAMS.get(entry.kind, "pip"),
        "files": list(entry.files),
    }


def _one(name: str, state: State | None) -> dict[str, str]:
    found = {"name": name, "version": ""}
    if state is not None:
        found["version"] = state.version
    origin = _origin(state)
    if origin:
        found["origin"] = origin
    return found


def _both(change: Change) -> dict[str, str]:
    before, after = _one("", change.before), _one("", change.after)
    found = {"name": change.name, "from": before["version"], "to": after["version"]}
    if "origin" in before:
        found["from_origin"] = before["origin"]
    if "origin" in after:
        found["to_origin"] = after["origin"]
    return found


def _is_undone(entry: Entry, entries: Sequence[Entry]) -> bool:
    return entry.kind in {history.PIP, history.SAVE} and entry.id not in history.steps(entries)[-1]
