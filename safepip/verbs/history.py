"""safepip history [--json]: what changed in the environment of this place, oldest first."""

from __future__ import annotations

import heapq
import json
import os
import shlex
import sys
import textwrap
import time

from safepip.core.world import ABSENT, UNFINISHED
from safepip.envs import applications, history, journal
from safepip.envs.in_force import in_force, usable
from safepip.errors import REFUSED, SafepipError
from safepip.report import printable

from .arguments import for_verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from safepip.core.world import Environment
    from safepip.envs.history import Change, Entry, State
    from safepip.report import Report
    from safepip.system.observe import Context

    from .arguments import Parser

_WIDTH = 80
_TIED = "\N{NO-BREAK SPACE}"  # between a sign and its name, which belong on one line


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
    """Print the history; `--json` makes it one array, in which each entry is an object of `_as_json`."""
    said = parser().parse_args(words)
    found, beside = in_force(context), applications.read(context)
    if not beside or found.state not in {ABSENT, UNFINISHED}:
        found = usable(context, report)
    entries = list(heapq.merge(legible(found, context), beside, key=lambda entry: entry.time))
    if said.json:
        sys.stdout.write(json.dumps([_as_json(entry, entries) for entry in entries]) + "\n")
    elif not entries:
        sys.stdout.write(f"nothing was changed in {printable(context.typed(found))} through safepip yet\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for entry in entries for line in lines(entry, entries)))
    return 0


def legible(found: Environment, context: Context) -> list[Entry]:
    """Return the history of an environment; another user's is refused, for it may not be empty."""
    if not _may_read(os.path.join(found.path, journal.HISTORY)):
        what = f"the history of {context.typed(found)} is another user's, who alone can read it"
        raise SafepipError(REFUSED, what)
    return history.read(found.path)


def _may_read(file: str) -> bool:
    try:
        os.lstat(file)
    except OSError as error:
        return not isinstance(error, PermissionError)
    return os.access(file, os.R_OK)


def line_of(entry: Entry) -> str:
    """Return what was typed, without credentials, quoted as for a shell."""
    return shlex.join(entry.words)


def stamp(entry: Entry) -> str:
    """Return the time of an entry: ISO 8601, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(min(entry.time, 253402300799)))


def lines(entry: Entry, entries: Sequence[Entry]) -> list[str]:
    """Return an entry for people: id, time and line, then what it did; none longer than 80 columns."""
    number, remark = entry.id, ""
    undone = _is_undone(entry, entries)
    if entry.kind == applications.PIPX:
        number, remark = "-", " (with pipx)"
    elif undone:
        remark = " (undone)"
    head = f"{number:>4}  {stamp(entry)[:16].replace('T', ' ')}  {printable(line_of(entry))}"
    told = list(map(_tied, entry.changes))
    if entry.further == "created":
        told.insert(0, "made the environment (which stays)" if undone else "made the environment")
    return [*_folded(head + remark, 24), *_folded(" " * 6 + ", ".join(told), 6)]


def _tied(change: Change) -> str:
    told = described(change)
    return told.replace(" ", _TIED, 1) if told.startswith(("+ ", "- ")) else told


def described(change: Change) -> str:
    """Return what happened to a distribution in a few words."""
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
    return printable(f"{state.version} ({origin})" if origin else state.version)


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
    entry whose state an undo went back to ("0": before the first), else None. `with` is "pipx" where pipx did
    it, whose ids undo does not know, else "pip".
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
        "with": "pipx" if entry.kind == applications.PIPX else "pip",
    }


def _one(name: str, state: State | None) -> dict[str, str]:
    said = {"name": name, "version": state.version if state else ""}
    origin = _origin(state)
    if origin:
        said["origin"] = origin
    return said


def _both(change: Change) -> dict[str, str]:
    before, after = _one("", change.before), _one("", change.after)
    origins = {"from_origin": before.get("origin"), "to_origin": after.get("origin")}
    said = {key: value for key, value in origins.items() if value}
    return {"name": change.name, "from": before["version"], "to": after["version"], **said}


def _is_undone(entry: Entry, entries: Sequence[Entry]) -> bool:
    return entry.kind == history.PIP and entry.id not in history.steps(entries)[-1]
