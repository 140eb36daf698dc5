"""safepip history [--json]: what changed in the environment of this place, oldest first."""

from __future__ import annotations

import json
import shlex
import sys
import textwrap
import time

from safepip.envs import history
from safepip.errors import USAGE, SafepipError
from safepip.report import shown

from .place import usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from safepip.context import Context
    from safepip.envs.history import Change, Entry, State
    from safepip.report import Report

_USAGE = "safepip history [--json]"
_WIDTH = 80


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Print the history; `--json` makes it one array, in which each entry is an object of `_as_json`."""
    if words in {("--help",), ("-h",)}:
        sys.stdout.write(f"usage: {_USAGE}\n")
        return 0
    if words not in {(), ("--json",)}:
        raise SafepipError(USAGE, f"history takes no {words[0] if words[0] != '--json' else words[1]}", _USAGE)
    found = usable(context, report)
    entries = history.read(found.path)
    if words:
        sys.stdout.write(json.dumps([_as_json(entry, entries) for entry in entries]) + "\n")
    elif not entries:
        sys.stdout.write(f"nothing was changed in {shown(context.shown(found))} through safepip yet\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for entry in entries for line in lines(entry, entries)))
    return 0


def line_of(entry: Entry) -> str:
    """Return what was typed, without credentials, quoted as for a shell."""
    return shlex.join(entry.words)


def stamp(entry: Entry) -> str:
    """Return the time of an entry: ISO 8601, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(entry.time, 253402300799)))


def lines(entry: Entry, entries: Sequence[Entry]) -> list[str]:
    """Return an entry for people: id, time and line, then what it did; none longer than 80 columns."""
    undone = " (undone)" if _is_undone(entry, entries) else ""
    head = f"{entry.id:>4}  {stamp(entry)[:16].replace('T', ' ')}  {shown(line_of(entry))}{undone}"
    told = [*(["made the environment"] if entry.further == "created" else []), *map(described, entry.changes)]
    return [*_folded(head, 24), *_folded(" " * 6 + ", ".join(told), 6)]


def described(change: Change) -> str:
    """Return what happened to a distribution in a few words."""
    name = shown(change.name)
    if change.before is None:
        return f"+ {name} {_called(change.after)}"
    if change.after is None:
        return f"- {name} {_called(change.before)}"
    return f"{name} {_called(change.before)} -> {_called(change.after)}"


def _folded(line: str, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(line, _WIDTH, subsequent_indent=space, drop_whitespace=True, break_on_hyphens=False)


def _called(state: State | None) -> str:
    if state is None:
        return "nothing"
    origin = _origin(state)
    return shown(f"{state.version} ({origin})" if origin else state.version)


def _origin(state: State | None) -> str | None:
    """Return the URL that a distribution came from, where pip noted one: "-e" in front if editable."""
    if state is None or not state.origin:
        return None
    try:
        told = json.loads(state.origin)
        editable = bool((told.get("dir_info") or {}).get("editable"))
        return f"-e {told['url']}" if editable else str(told["url"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return "-e " + state.origin.split("\n")[0]


def _as_json(entry: Entry, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return an entry for programs.

    `came` and `went` hold {"name", "version"}, `changed` {"name", "from", "to"}; with an "origin" (in
    `changed`: "from_origin", "to_origin") where it came from a URL or folder. `created` tells that the
    environment was made for it, `undone` that its step is not in force any more, `undo_to` is the id of the
    entry whose state an undo went back to ("0": before the first), else None.
    """
    pairs = entry.changes
    return {
        "id": entry.id,
        "time": stamp(entry),
        "line": line_of(entry),
        "came": [_one(change.name, change.after) for change in pairs if change.before is None],
        "went": [_one(change.name, change.before) for change in pairs if change.after is None],
        "changed": [_both(change) for change in pairs if change.before is not None and change.after is not None],
        "created": entry.further == "created",
        "undone": _is_undone(entry, entries),
        "undo_to": entry.further if entry.kind == history.UNDO else None,
    }


def _one(name: str, state: State | None) -> dict[str, str]:
    origin = _origin(state)
    return {"name": name, "version": state.version if state else "", **({"origin": origin} if origin else {})}


def _both(change: Change) -> dict[str, str]:
    before, after = _one("", change.before), _one("", change.after)
    origins = {"from_origin": before.get("origin"), "to_origin": after.get("origin")}
    said = {key: value for key, value in origins.items() if value}
    return {"name": change.name, "from": before["version"], "to": after["version"], **said}


def _is_undone(entry: Entry, entries: Sequence[Entry]) -> bool:
    return entry.kind != history.UNDO and entry.id not in history.steps(entries)[-1]
