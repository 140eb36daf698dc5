"""safepip undo [N] [--to ID]: take back the last changes.

All packages to install again are downloaded and built before anything is changed. Any error leaves the
environment as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import time

from safepip.actions.sudo import of_user_behind_sudo, step_down
from safepip.core.world import USABLE
from safepip.envs import applications, history, journal, packages, recover, saved_files
from safepip.envs.creation_lock import change_lock
from safepip.envs.in_force import in_force, usable
from safepip.envs.progress import shown_while
from safepip.errors import USAGE, SafepipError

from .arguments import for_verb, not_empty
from .history import described, legible, line_of, stamp
from .output import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safepip.core.world import Environment
    from safepip.envs.history import Change, Entry, State
    from safepip.report import Report
    from safepip.system.observe import Context

    from .arguments import Parser

_DIGITS = 9  # no history has more steps, and Python limits the digits of a number
_LONGEST_SHOWN = 40  # characters of a word in a message
_FAILED = 1  # as pip itself if a download fails


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
    either.add_argument("--to", metavar="ID", type=not_empty, help=to)
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Show the changes, then take all of them back, or none."""
    said = parser().parse_args(words)
    context = of_user_behind_sudo(context, report)
    if not words:
        _refuse_if_pipx_was_last(context)
    found = usable(context, report)
    owner = context.owner_behind_sudo(found.path)
    if owner:
        step_down(*owner, report)
    with _under_journal(found, context, report) as lock:
        entries = legible(found, context)
        to = said.to
        if to is None:
            to = _steps_back(entries, said.count or 1, context.typed(found))
        if to not in history.ids(entries):
            what = f"there is no entry {_short(to)} in the history"
            raise SafepipError(USAGE, what, "see them all: safepip history")
        rows = journal.snapshot(found.path)
        changes = _planned(entries, to, history.installed(rows))
        files = saved_files.back(found.path, history.since(entries, to))
        _show(changes, entries, to, has_files=bool(files))
        _tell_of_others(changes, entries, to, found, rows, report)
        with shown_while("changing packages", context, report):
            _carry_out(changes, entries, found, lock)
        entry = _note(changes, to, words, found, context)
        _take_files_back(files, entry, found, context, report)
    return 0


def _steps(text: str) -> int:
    digits = text.lstrip("0")
    if not digits.isdecimal() or not digits.isascii():
        raise argparse.ArgumentTypeError(f"{_short(text)} is not a number of changes")
    return int(digits[:_DIGITS])


def _short(text: str) -> str:
    if len(text) <= _LONGEST_SHOWN:
        return text
    return text[:_LONGEST_SHOWN] + "…"


def _refuse_if_pipx_was_last(context: Context) -> None:
    # Undo would take back another change than the user has in mind.
    done, found = applications.last(context), in_force(context)
    if done is None:
        return
    steps = _steps_in_force(found)
    if steps and steps[-1].time >= done.time:
        return
    names, ways = [], []
    for change in done.changes:
        names.append(change.name)
        ways.append(f"take it back: {_taken_back(change)}")
    if steps:
        where = context.typed(found)
        if context.project is None:
            where = "the home environment"
        ways.append(f"the last one in {where}: safepip undo 1")
    what = f"the last change, {', '.join(names)}, is with pipx, whose changes undo does not reach"
    raise SafepipError(USAGE, what, *ways)


def _steps_in_force(found: Environment) -> list[Entry]:
    if found.state != USABLE:
        return []
    entries = history.read(found.path)
    ids = history.steps(entries)[-1]
    return [entry for entry in entries if entry.id in ids]


def _taken_back(change: Change) -> str:
    if change.before is None:
        return f"safepip app uninstall {change.name}"
    wanted = f"{change.name}=={change.before.version}"
    if change.after is None:
        return f"safepip app install {wanted}"
    return f"safepip app install --force {wanted}"  # pipx leaves an installed application as it is


@contextlib.contextmanager
def _under_journal(found: Environment, context: Context, report: Report) -> Iterator[int | None]:
    """Hold the environment's lock, and give it, with a journal begun."""
    with change_lock(found.path, context, report) as lock:
        if journal.is_left(found.path, locked=lock is not None):
            recover.recover(found.path, context, report, lock=lock)
        # With a journal, the next change puts a killed undo right as any other command.
        begun = journal.begin(found.path, ("undo",), context.ambient.cwd)
        try:
            yield lock
        finally:
            if begun:
                journal.end(found.path)


def _steps_back(entries: Sequence[Entry], count: int, called: str) -> str:
    """Return the id of the entry whose state lies `count` steps back."""
    steps = history.steps(entries)[-1]
    if count > len(steps):
        many = {0: "there is nothing", 1: "there is one step"}.get(len(steps), f"there are {len(steps)} steps")
        raise SafepipError(USAGE, f"{many} to undo in {called}", "see them all: safepip history")
    return (history.START, *steps)[-count - 1]


def _planned(entries: Sequence[Entry], to: str, now: Mapping[str, State]) -> tuple[Change, ...]:
    """Return the changes that lead to the state after the entry `to`."""
    after = dict(now)
    for name, state in history.states_at(entries, to).items():
        if state is None:
            after.pop(name, None)
        else:
            after[name] = state
    return history.changes(now, after)


def _show(changes: Sequence[Change], entries: Sequence[Entry], to: str, *, has_files: bool) -> None:
    steps = history.steps(entries)
    aimed = steps[history.ids(entries).index(to)]
    for entry in reversed(entries):
        if entry.id in steps[-1] and entry.id not in aimed:
            show(f"undoing {entry.id} ({stamp(entry)}): {line_of(entry)}")
    for change in changes:
        show(f"  {described(change)}")
    if not changes and not has_files:
        show("  nothing has to be changed")


def _tell_of_others(
    changes: Sequence[Change],
    entries: Sequence[Entry],
    to: str,
    found: Environment,
    rows: Sequence[str],
    report: Report,
) -> None:
    """Name the packages that were changed without safepip since."""
    left = journal.distributions(found.path)
    outside = set()
    if left:
        outside.update(journal.differing(left, rows))
    for entry in entries[history.ids(entries).index(to) :]:
        outside.update(entry.outside)
    undone = outside.intersection(change.name for change in changes)
    kept = outside - undone
    said = []
    if kept:
        said.append(f"{', '.join(sorted(kept))} (kept)")
    if undone:
        said.append(f"{', '.join(sorted(undone))} (undone too)")
    if said:
        report.say(f"changed without safepip meanwhile: {', '.join(said)}")


def _carry_out(changes: Sequence[Change], entries: Sequence[Entry], found: Environment, lock: int | None) -> None:
    """Make all changes, or put everything back."""
    coming, going = [], []
    for one in changes:
        if one.after is None:
            going.append(one.name)
        else:
            coming.append(packages.again(one.name, one.after, entries))
    names = [one.name for one in changes]
    try:
        with packages.scratch_folder() as folder:
            packages.fetch(found, coming, folder)  # all of them before anything is changed
            with packages.kept(found, names, folder):
                packages.install(found, coming, folder, lock=lock)
                packages.uninstall(found, going, lock=lock)
                _prove(changes, found)
    except packages.FailedError as error:
        ways = (error.why,) if error.why else ()
        raise SafepipError(_FAILED, f"not undone, all is as it was: {error.what}", *ways) from None


def _prove(changes: Sequence[Change], found: Environment) -> None:
    """Raise FailedError unless everything is as planned."""
    now = history.installed(journal.snapshot(found.path))
    for change in changes:
        is_now = now.get(change.name)
        is_done = change.after is None if is_now is None else is_now.same(change.after)
        if not is_done:
            raise packages.FailedError(f"{change.name} did not become what it was", described(change))


def _note(
    changes: tuple[Change, ...], to: str, words: tuple[str, ...], found: Environment, context: Context
) -> str:
    """Write the undo into the history, and return its id."""
    entry = history.Entry(
        id=journal.next_number(found.path),
        time=int(time.time()),
        kind=history.UNDO,
        words=("undo", *words),
        cwd=context.ambient.cwd or "",
        further=to,
        changes=changes,
    )
    history.leave(found.path, journal.snapshot(found.path))
    history.append(found.path, entry)
    return entry.id


def _take_files_back(
    files: Sequence[saved_files.Back], entry: str, found: Environment, context: Context, report: Report
) -> None:
    """Give files that --save changed their old content, unless edited since."""
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
            show(f"  {path}: taken back")
