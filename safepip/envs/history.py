"""What changed in an environment: `<env>/.safepip/history`, a line for each command.

Lines are only ever appended. A line has the fields id, seconds since 1970 (UTC), kind, words, working directory,
names that had changed without safepip, `further`, and then a field for each distribution that changed: its name,
and version, "1" if requested, and origin of before and of after, packed. after_pip/safepip_notes.py writes the
same.
"""

from __future__ import annotations

import os
import stat

from safepip.core.record import Record
from safepip.core.requirement import name_and_version
from safepip.system.files import number

from .journal import DISTRIBUTIONS, HISTORY, escaped, listed, packed, unescaped, unpacked, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PIP = "pip"
UNDO = "undo"
SAVE = "save"  # only a file of the project was changed: nothing stands behind `further`
START = "0"  # the id of the state before the first entry


class State(Record):
    """How a distribution is installed.

    `origin` is the text of its direct_url.json, or of its egg-link.
    """

    version: str
    requested: bool = False
    origin: str = ""

    def same(self, other: State | None) -> bool:
        """Return True if `pip freeze` would print the same for both."""
        return other is not None and (self.version, self.origin) == (other.version, other.origin)


class Change(Record):
    """What happened to a distribution, None for "not installed"."""

    name: str
    before: State | None
    after: State | None


class Entry(Record):
    """A command that changed something.

    `kind` is PIP, UNDO or SAVE; `further` is "created" where the environment was made for it, and for an UNDO
    the id of the entry whose state it went back to. `files` are those of the project that --save changed, as
    saved_files.py knows them.
    """

    id: str
    time: int
    kind: str
    words: tuple[str, ...]
    cwd: str = ""
    outside: tuple[str, ...] = ()
    further: str = ""
    changes: tuple[Change, ...] = ()
    files: tuple[str, ...] = ()


def read(environment: str) -> list[Entry]:
    """Return the entries, oldest first."""
    path = os.path.join(environment, HISTORY)
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # a pipe would be waited for
            return []
        with open(path, "rb") as file:
            lines = os.fsdecode(file.read()).split("\n")
    except OSError:
        return []
    return list(filter(None, map(_entry, lines)))  # without lines that a full disk has torn


def append(environment: str, entry: Entry) -> None:
    """Write an entry as one line, in one piece, behind the others."""
    fields = [entry.id, str(entry.time), entry.kind, packed(entry.words), escaped(entry.cwd)]
    fields += [packed(entry.outside), escaped(entry.further), *map(_field, entry.changes)]
    path = os.path.join(environment, HISTORY)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600)
    with open(descriptor, "rb+", buffering=0) as file:
        line = "\t".join(fields) + "\n"
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # the line before is torn
                line = "\n" + line
        file.write(os.fsencode(line))


def leave(environment: str, rows: Iterable[str]) -> None:
    """Note what is installed now."""
    # So that the next change sees what was changed without safepip.
    write(os.path.join(environment, DISTRIBUTIONS), [row for row in rows if row.startswith("d\t")])


def installed(rows: Iterable[str]) -> dict[str, State]:
    """Return what the rows of a journal say is installed, by name."""
    found = {}
    for row in listed(rows):
        name, version = name_and_version(row.path)
        found[name] = State(version=version, requested=row.requested, origin=row.origin)
    return found


def changes(before: Mapping[str, State], after: Mapping[str, State]) -> tuple[Change, ...]:
    """Return what differs for `pip freeze`, by name."""
    found = []
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was is None or not was.same(now):
            found.append(Change(name=name, before=was, after=now))
    return tuple(found)


def steps(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Return the steps in force at the start and after each entry.

    The oldest comes first. An undo is not a step: after it the steps are in force that were so after the entry it
    went back to.
    """
    states: list[tuple[str, ...]] = [()]
    at: dict[str, tuple[str, ...]] = {START: ()}
    for entry in entries:
        state = (*states[-1], entry.id)
        if entry.kind == UNDO:
            state = at.get(entry.further, states[-1])
        states.append(state)
        at[entry.id] = state
    return states


def ids(entries: Sequence[Entry]) -> list[str]:
    """Return the ids of the states: the start, and after each entry."""
    return [START, *(entry.id for entry in entries)]


def since(entries: Sequence[Entry], to: str) -> Sequence[Entry]:
    """Return the entries after the state of `to` was last in force."""
    states = steps(entries)
    known = ids(entries)
    wanted = states[len(known) - 1 - known[::-1].index(to)]
    last = len(states) - 1 - states[::-1].index(wanted)
    return entries[last:]


def states_at(entries: Sequence[Entry], to: str) -> dict[str, State | None]:
    """Return how the distributions that changed since the entry `to` were then."""
    # That is what the first command since found: what was changed without safepip before that, stays.
    found: dict[str, State | None] = {}
    for entry in since(entries, to):
        for change in entry.changes:
            found.setdefault(change.name, change.before)
    return found


def _entry(line: str) -> Entry | None:
    fields = line.split("\t")
    if len(fields) < 7 or fields[2] not in {PIP, UNDO, SAVE}:
        return None
    if len(fields) == 7 and fields[2] == PIP:  # torn
        return None
    when = number(fields[1])
    if when is None or number(fields[0]) is None:
        return None
    whole = tuple(filter(None, map(_change, fields[7:])))
    if len(whole) != len(fields) - 7:
        return None
    return Entry(
        id=fields[0],
        time=when,
        kind=fields[2],
        words=unpacked(fields[3]),
        cwd=unescaped(fields[4]),
        outside=unpacked(fields[5]),
        further=unescaped(fields[6]),
        changes=whole,
    )


def _change(field: str) -> Change | None:
    parts = unpacked(field)
    if len(parts) != 7 or not parts[0]:
        return None
    return Change(name=parts[0], before=_state(parts[1:4]), after=_state(parts[4:]))


def _state(parts: Sequence[str]) -> State | None:
    version, requested, origin = parts
    if not version:
        return None
    return State(version=version, requested=bool(requested), origin=origin)


def _field(change: Change) -> str:
    return packed((change.name, *_parts(change.before), *_parts(change.after)))


def _parts(state: State | None) -> tuple[str, str, str]:
    if state is None:
        return "", "", ""
    return state.version, "1" if state.requested else "", state.origin
