"""safepip undo [N] [--to ID]: the last change in the environment of this place, or the last N, taken back.

First everything that is to come again is got and built; only then is anything touched. What stands in the
way of that leaves the environment as it was, and so does what goes wrong later.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time

from safepip.actions.sudo import step_down
from safepip.core.record import Record
from safepip.core.world import USABLE
from safepip.envs import applications, history, journal, packages, recover, saved_files
from safepip.envs.in_force import in_force, usable
from safepip.envs.lock import acquire
from safepip.envs.progress import shown_while
from safepip.errors import USAGE, SafepipError
from safepip.report import printable

from .arguments import for_verb
from .history import described, legible, line_of, stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safepip.core.world import Environment
    from safepip.envs.history import Change, Entry, State
    from safepip.report import Report
    from safepip.system.observe import Context

    from .arguments import Parser

_DIGITS = 9  # no history has more steps than that many digits tell, and Python reads only so many
_FAILED = 1  # as pip itself if a download fails


class Back(Record):
    """What is to be done: go `to` the state after that entry by these `changes`."""

    to: str
    changes: tuple[Change, ...]


def parser() -> Parser:
    """Return the parser of `undo`."""
    made = for_verb(
        "undo",
        more="The environment itself stays: `safepip env remove` removes it.",
        example="safepip undo",
    )
    either = made.add_mutually_exclusive_group()
    either.add_argument("count", metavar="N", nargs="?", type=_steps, help="take back the last N changes")
    to = "go to the state after the entry ID of `safepip history`; 0 is the state before the first"
    either.add_argument("--to", metavar="ID", type=_id, help=to)
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Show what is undone, then do it: all of it or nothing."""
    said = parser().parse_args(words)
    if not words:
        _refuse_what_pipx_did(context)
    found = usable(context, report)
    owner = context.owner_behind_sudo(found.path)
    if owner:
        step_down(*owner, report)
    with _locked(found, context, report) as lock:
        entries = legible(found, context)
        aim = said.to or _steps_back(entries, said.count or 1, context.typed(found))
        if aim not in {history.START, *(entry.id for entry in entries)}:
            raise SafepipError(
                USAGE, f"there is no entry {_short(aim)} in the history", "see them all: safepip history"
            )
        rows = journal.snapshot(found.path)
        back = _planned(entries, aim, history.installed(rows))
        files = saved_files.back(found.path, history.since(entries, aim))
        _show(back, entries, nothing=not files)
        _tell_of_others(entries, found, rows, back, report)
        with shown_while("changing packages", context, report):
            entry = _carry_out(back, entries, found, context, words, lock)
        _take_files_back(files, entry, found, context, report)
    return 0


def _steps(text: str) -> int:
    digits = text.lstrip("0")
    if not (digits.isascii() and digits.isdecimal()):
        raise argparse.ArgumentTypeError(f"{_short(text)} is not a number of changes")
    return int(digits[:_DIGITS])


def _id(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _refuse_what_pipx_did(context: Context) -> None:
    """Refuse if pipx made the last change of all: undo would take back another one than was meant."""
    done, found = applications.last(context), in_force(context)
    if done is None:
        return
    steps = _steps_in_force(found)
    if steps and steps[-1].time >= done.time:
        return
    names = ", ".join(change.name for change in done.changes)
    what = f"the last change, {names}, is with pipx, whose changes undo does not reach"
    ways = [f"take it back: {_taken_back(change)}" for change in done.changes]
    where = "the home environment" if context.project is None else context.typed(found)
    if steps:
        ways.append(f"the last one in {where}: safepip undo 1")
    raise SafepipError(USAGE, what, *ways)


def _steps_in_force(found: Environment) -> list[Entry]:
    entries = history.read(found.path) if found.state == USABLE else []
    ids = history.steps(entries)[-1]
    return [entry for entry in entries if entry.id in ids]


def _taken_back(change: Change) -> str:
    """Return the line by which pipx takes a change back."""
    if change.before is None:
        return f"safepip app uninstall {change.name}"
    force = "--force " if change.after else ""
    return f"safepip app install {force}{change.name}=={change.before.version}"


@contextlib.contextmanager
def _locked(found: Environment, context: Context, report: Report) -> Iterator[int | None]:
    """Hold the environment's lock, recover from an interrupted change first, and keep a journal meanwhile."""
    lock = acquire(found.path, context.settings.lock_timeout, report)
    try:
        if journal.is_left(found.path, locked=lock is not None):
            recover.recover(found.path, context, report, lock=lock)
        begun = journal.begin(found.path, ("undo",), context.ambient.cwd)
        try:
            yield lock
        finally:
            if begun:
                journal.end(found.path)
    finally:
        if lock is not None:
            os.close(lock)


def _steps_back(entries: Sequence[Entry], count: int, called: str) -> str:
    """Return the id of the entry whose state lies `count` steps back."""
    steps = history.steps(entries)[-1]
    if count > len(steps):
        many = {0: "there is nothing", 1: "there is one step"}.get(len(steps), f"there are {len(steps)} steps")
        raise SafepipError(USAGE, f"{many} to undo in {called}", "see them all: safepip history")
    return (history.START, *steps)[-count - 1]


def _planned(entries: Sequence[Entry], to: str, now: Mapping[str, State]) -> Back:
    wanted = {**now, **history.aim(entries, to)}
    after = {name: state for name, state in wanted.items() if state is not None}
    return Back(to=to, changes=history.changes(now, after))


def _show(back: Back, entries: Sequence[Entry], *, nothing: bool) -> None:
    steps, aimed = (history.steps(entries)[-1], _steps_at(entries, back.to))
    for entry in reversed(entries):
        if entry.id in steps and entry.id not in aimed:
            said = f"undoing {entry.id} ({stamp(entry)}): {line_of(entry)}"
            sys.stdout.write(f"{printable(said)}\n")
    for change in back.changes:
        sys.stdout.write(f"  {described(change)}\n")
    if nothing and not back.changes:
        sys.stdout.write("  nothing has to be changed\n")
    sys.stdout.flush()


def _steps_at(entries: Sequence[Entry], to: str) -> tuple[str, ...]:
    ids = [history.START, *(entry.id for entry in entries)]
    return history.steps(entries)[ids.index(to)]


def _tell_of_others(
    entries: Sequence[Entry], found: Environment, rows: Sequence[str], back: Back, report: Report
) -> None:
    """Say what was changed without safepip since: it stays, but for what is undone anyway."""
    left = journal.distributions(found.path)
    outside = set(journal.differing(left, rows)) if left else set()
    for entry in entries[_position(entries, back.to) :]:
        outside.update(entry.outside)
    replaced = sorted(outside & {change.name for change in back.changes})
    kept = sorted(outside - {*replaced})
    said = [f"{', '.join(kept)} (kept)"] if kept else []
    said += [f"{', '.join(replaced)} (undone too)"] if replaced else []
    if said:
        report.say(f"changed without safepip meanwhile: {', '.join(said)}")


def _position(entries: Sequence[Entry], to: str) -> int:
    return [history.START, *(entry.id for entry in entries)].index(to)


def _carry_out(
    back: Back,
    entries: Sequence[Entry],
    found: Environment,
    context: Context,
    words: tuple[str, ...],
    lock: int | None,
) -> str:
    """Get everything, change everything, note it and return the entry's id; or put everything back."""
    coming = [packages.again(one.name, one.after, entries) for one in back.changes if one.after is not None]
    going = [one.name for one in back.changes if one.after is None]
    with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
        try:
            packages.fetch(found, coming, folder)
            packages.change(found, coming, going, folder, lock=lock, proved=lambda: _check(back, found))
        except packages.FailedError as error:
            raise _impossible(error.what, error.why) from None
    rows = journal.snapshot(found.path)
    entry = history.Entry(
        id=journal.next_number(found.path),
        time=int(time.time()),
        kind=history.UNDO,
        words=("undo", *words),
        cwd=context.ambient.cwd or "",
        further=back.to,
        changes=back.changes,
    )
    history.leave(found.path, rows)
    history.append(found.path, entry)
    return entry.id


def _take_files_back(
    files: Sequence[saved_files.Back], entry: str, found: Environment, context: Context, report: Report
) -> None:
    """Give the files that --save changed the content that they had; what was edited since stays as it is."""
    for file in files:
        path = context.typed_path(file.path)
        try:
            now = saved_files.content_of(file.path)
            if now == file.aimed:
                continue
            if file.is_edited or now != file.expected:
                report.error(f"{path} was edited since, so it stays as it is; it may still name what was undone")
                continue
            saved_files.note(
                found.path, saved_files.Saved(entry=entry, path=file.path, before=now, after=file.aimed)
            )
            is_back = saved_files.change(file.path, now, file.aimed)
        except OSError as error:
            raise SafepipError(_FAILED, f"{path} stays as it is: {error.strerror}") from None
        if is_back:
            sys.stdout.write(f"  {printable(path)}: taken back\n")


def _check(back: Back, found: Environment) -> None:
    now = history.installed(journal.snapshot(found.path))
    for change in back.changes:
        state = now.get(change.name)
        if not (state.same(change.after) if state else change.after is None):
            raise packages.FailedError(f"{change.name} did not become what it was", described(change))


def _impossible(what: str, why: str) -> SafepipError:
    return SafepipError(_FAILED, f"not undone, all is as it was: {what}", *([why] if why else []))
