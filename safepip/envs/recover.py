"""Put right what an interrupted command left in an environment: found by its journal, under the lock.

Damage is told by names, inodes, sizes and hashes against the journal's listing and each RECORD, never by the
clock. Of each distribution that the command has touched, the new version stays if it is intact, and is fetched
again if it is not. If that fails, the old one is put back from what pip moved aside, or fetched.

Nothing is deleted that may be somebody else's. A file that no RECORD names stays: pip overwrites it when the
package is installed again. What must make room goes to `.safepip/left/<number of the journal>`, and is named.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import tempfile

from safepip.core.pip_line import read as read_line
from safepip.core.record import Record, replace
from safepip.core.requirement import name_and_version, name_in
from safepip.core.world import USABLE
from safepip.system.environment import OWN, names_in
from safepip.system.files import sweep

from . import history, inventory, journal, on_disk, packages
from .asides import Asides, is_begun_bytecode, is_begun_metadata, is_mine, stashed
from .history import State
from .packages import FailedError, Wanted
from .verify import (
    CUT,
    EDITED,
    MISSING,
    Fault,
    Row,
    damage,
    is_as_recorded,
    looks_cut,
    metadata_by_name,
    metadata_in,
    record_of,
    state_of,
    verify,
    without_shared,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from safepip.core.world import Environment
    from safepip.report import Report
    from safepip.system.observe import Context

    from .journal import Pending

_METADATA = ("METADATA", "WHEEL", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "entry_points.txt")
_MANY = 50  # files, from which on one sync of the file system is faster than one for each


class Installed(Record):
    """A distribution: its metadata belongs at `info`, though it may lie `at` another place.

    `rows` are its files.
    """

    name: str
    info: str
    rows: tuple[Row, ...]
    state: State
    at: str = ""

    @property
    def called(self) -> str:
        """Return its name and version for the user's eyes."""
        return f"{self.name} {self.state.version}"


class Outcome(Record):
    """The distributions that were put right, and those that could not be.

    `kept` is where files are that lay in the way, relative to the environment.
    """

    restored: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    kept: str = ""


def recover(environment: str, context: Context, report: Report, *, lock: int | None = None) -> Outcome:
    """Put right what earlier commands left in `environment`, and say so in a line each.

    A journal ends only once everything that it covers is intact. The rest is tried again at each next change.
    """
    found = context.examine(environment, trusted=True)
    done = Outcome()
    if found.state != USABLE:
        return done
    for name in (journal.DAMAGE, journal.JOURNAL):
        pending = journal.pending(environment, name)
        if pending is None:
            continue
        sweep(os.path.join(environment, OWN))
        busy = inventory.installers(environment)
        if busy:
            _postpone(found, pending, busy[0], report)
            continue
        outcome = _Recovery(found, pending, lock).carry_out()
        _report_outcome(found, pending, outcome, report)
        done = Outcome(restored=done.restored + outcome.restored, damaged=done.damaged + outcome.damaged)
    return done


def repair_files(
    found: Environment, report: Report, *, lock: int | None = None, names: Sequence[str] | None = None
) -> Outcome:
    """Verify distributions by hash, all or those of these `names`, put damaged files back, and say so."""
    bytecode = packages.remove_cut_bytecode(found)
    pending = journal.Pending(name="", heading=None, rows=tuple(journal.distributions(found.path)))
    done = _Recovery(found, pending, lock).carry_out(names)
    if bytecode:
        rows = [row for info in metadata_in(found.site) for row in record_of(info, found.site)]
        packages.compile_bytecode(found, [row for row in rows if row.path in bytecode])
        done = replace(done, restored=(*done.restored, "bytecode"))
    if done.restored:
        report.say(f"put back damaged files of {', '.join(done.restored)}{_where_kept(found, done)}")
    return done


def _postpone(found: Environment, pending: Pending, process: int, report: Report) -> None:
    """Leave everything to a later change: another pip, without the lock, may be writing at this moment."""
    if pending.name != journal.JOURNAL:
        return
    if journal.keep(found.path, pending):
        journal.end(found.path)
    what = f"process {process} is installing into {found.path} without its lock"
    report.say(f"{what}; what an interrupted command left there is put right by the next change after it")


def _report_outcome(found: Environment, pending: Pending, done: Outcome, report: Report) -> None:
    """Say what was done; end the journal, or keep what it says of the damage."""
    is_first = pending.name == journal.JOURNAL
    if is_first:
        _note(found.path, pending)
    words = pending.heading.words if pending.heading else ()
    called = read_line(words, {}).subcommand or "change"
    interrupted = f"{'the last' if is_first else 'an earlier'} {called} here was interrupted"
    if done.restored:
        report.say(f"{interrupted}; put right: {', '.join(done.restored)}{_where_kept(found, done)}")
    if not done.damaged:
        journal.end(found.path, pending.name)
        return
    if is_first:
        kept = "" if done.restored else _where_kept(found, done)
        report.say(f"{interrupted} and left damage{kept}; could not get {_ways_on(done)}")
        if journal.keep(found.path, pending):
            journal.end(found.path, pending.name)


def _ways_on(done: Outcome) -> str:
    again = " ".join(one.replace(" ", "==") for one in done.damaged)
    return f"{', '.join(done.damaged)} again; later: safepip install --force-reinstall {again}"


def _where_kept(found: Environment, done: Outcome) -> str:
    return f"; what lay in the way is in {os.path.join(found.path, done.kept)}" if done.kept else ""


def _note(environment: str, pending: Pending) -> None:
    """Write into the history what the interrupted command has changed after all."""
    heading = pending.heading
    if heading is None:
        return
    rows = journal.snapshot(environment)
    noted = any(entry.id == heading.number for entry in history.read(environment))
    before = journal.distributions(environment) if noted else pending.rows
    changes = history.changes(history.installed(before), history.installed(rows))
    if not changes:
        return
    entry = history.Entry(
        id=journal.next_number(environment) if noted else heading.number,
        time=heading.time,
        kind=history.PIP,
        words=heading.words,
        cwd=heading.cwd,
        outside=heading.outside,
        further="created" if heading.created else "",
        changes=changes,
    )
    with contextlib.suppress(OSError):
        history.leave(environment, rows)
        history.append(environment, entry)


class _Recovery:
    """What lies in the environment, and what a journal says of it."""

    def __init__(self, found: Environment, pending: Pending, lock: int | None) -> None:
        self.found = found
        self.site = found.site
        self.lock = lock
        self.heading = pending.heading
        self.is_again = pending.name == journal.DAMAGE
        self.is_repair = not pending.name
        self.is_everything = pending.heading is None  # nothing is known: verify everything
        self.command = read_line(pending.heading.words if pending.heading else (), {})
        self.before = journal.by_name(pending.rows)
        self.asides = Asides(found.path, found.site, journal.folders(pending.rows))
        self.infos = metadata_by_name(found.site)
        self.moved = self._moved_away()
        self.restored: list[str] = []
        self.damaged: list[str] = []
        self.kept = ""

    def carry_out(self, only: Sequence[str] | None = None) -> Outcome:
        """Put right what is damaged; pip itself comes first, since it repairs the others."""
        names = {*self.before, *self.infos, *self.moved}
        if only is not None:
            names.intersection_update(only)
        for name in sorted(names, key=lambda name: (name != "pip", name)):
            self._put_right(name)
            if name == "pip" and self.damaged and not packages.give_pip(self.found, lock=self.lock):
                self.damaged, self.restored = [], ["pip"]
        if not self.damaged:
            self._sweep(names)
        return Outcome(restored=tuple(self.restored), damaged=tuple(self.damaged), kept=self.kept)

    def _moved_away(self) -> dict[str, Installed]:
        """Return the distributions whose metadata pip has moved aside, by name."""
        found = {}
        for at in self.asides.metadata():
            info = self.asides.origin_of(at, self.before)
            if info:
                name = name_and_version(info)[0]
                found[name] = self._installed(name, info, at)
        return found

    def _installed(self, name: str, info: str, at: str = "") -> Installed:
        """Return the distribution whose metadata belongs at `info`, and lies `at` another place for now."""
        lies = at or info
        for row in self.before.get(name, ()):
            if row.path == self._relative(info):
                requested, origin = row.requested, row.origin
                break
        else:
            asked = name not in self.before and self._is_named(name)
            requested = asked or os.path.lexists(os.path.join(lies, "REQUESTED"))
            origin = _text(os.path.join(lies, "direct_url.json"))
        state = State(version=name_and_version(info)[1], requested=requested, origin=origin)
        return Installed(name=name, info=info, rows=tuple(record_of(info, self.site, lies)), state=state, at=at)

    # -- one distribution

    def _put_right(self, name: str) -> None:
        """Put a distribution right if the command has touched it."""
        present = [self._installed(name, info) for info in self.infos.get(name, ())]
        old = self.moved.get(name)
        if not present:
            if old is not None:
                self._restore(old)
        elif self._is_touched(name, present):
            self._choose_version(present, old)

    def _choose_version(self, present: Sequence[Installed], old: Installed | None) -> None:
        """Keep an intact version, else finish the one that was begun, else repair the least damaged one."""
        intact, begun = [], []
        for dist in present:
            faults = self._damage(dist)
            if not faults and self._is_finished(dist):
                intact.append(dist)
            elif self._is_begun(dist, faults):
                begun.append(dist)
        if intact:
            self._keep_one(intact, present)
        elif begun:
            self._complete(begun[-1], _others(begun[-1], present), old)
        else:
            best = min(present, key=lambda dist: len(self._damage(dist)))
            for other in _others(best, present):
                self._set_aside(other.info)
            self._restore(best)

    def _tell(self, called: str, *, intact: bool) -> None:
        (self.restored if intact else self.damaged).append(called)

    def _damage(self, dist: Installed) -> list[Fault]:
        hashed = self.is_everything or not self._is_listed(dist)
        return without_shared(damage(verify(dist.info, self.site, hashed=hashed)), dist.info, self.site)

    def _is_touched(self, name: str, present: Sequence[Installed]) -> bool:
        """Return True if the command has begun to change the distribution, by the journal's listing."""
        if self.is_everything or self.is_again or name in self.moved or len(present) > 1:
            return True
        if not self._is_listed(present[0]):
            return True
        paths = [row.path for row in present[0].rows if not row.path.endswith(".pyc")]
        return not all(map(os.path.lexists, paths)) or self.asides.of_any(paths)

    def _is_listed(self, dist: Installed) -> bool:
        """Return True if this very metadata folder was there when the command began."""
        rows = [row for row in self.before.get(dist.name, ()) if row.path == self._relative(dist.info)]
        return any(row.stamp == journal.stamp_of(dist.info) for row in rows)

    def _is_finished(self, dist: Installed) -> bool:
        """Return True if pip, which writes INSTALLER and then RECORD last, has written both."""
        if self.is_repair or self._is_listed(dist):
            return True
        installer = os.path.join(dist.info, "INSTALLER")
        return any(row.path == installer for row in dist.rows)

    def _is_begun(self, dist: Installed, faults: Sequence[Fault]) -> bool:
        """Return True if a pip has begun to write this metadata, and has not finished."""
        if self._is_listed(dist):
            return False
        record = os.path.join(dist.info, "RECORD")
        return not self._is_finished(dist) or any(fault.path == record for fault in faults)

    def _keep_one(self, intact: Sequence[Installed], present: Sequence[Installed]) -> None:
        """Keep one intact version, a new one if there is one; set the metadata of others aside."""
        new = [dist for dist in intact if not self._is_listed(dist)]
        kept = (new or intact)[-1]
        others = _others(kept, present)
        for other in others:
            self._drop_copies(self._set_aside(other.info), kept.info)
        if others:
            self._tell(kept.called, intact=True)

    def _complete(self, new: Installed, others: Sequence[Installed], old: Installed | None) -> None:
        """Finish the version that was being installed; if that fails, put the old one back."""
        former = old or next(reversed(others), None)
        if not _is_of_pip(new):
            return
        if former is None and new.rows:
            self._finish(new)
            return
        if new.name == "pip" and old is not None and self._restore(old, new, fetch=False):
            return
        if self._install(new, [new, *others]):
            self._tell(new.called, intact=True)
        elif former is not None:
            self._restore(former, new)
        else:
            self._give_up(new)

    def _give_up(self, new: Installed) -> None:
        """Set half-written metadata aside that cannot be completed."""
        if inventory.users(self.found.path):  # such a program may be writing it
            self._tell(new.called, intact=False)
            return
        self._set_aside(new.info)
        self._tell(f"{new.called} (not installed)", intact=True)

    def _finish(self, new: Installed) -> None:
        """Install again what lacks only pip's own last words, or may be a wheel that was unpacked by hand.

        Only if no file in it is edited, and the sources give the same files: then nothing is lost.
        """
        present = [row for row in new.rows if os.path.lexists(row.path)]
        if any(state_of(row, hashed=True) == EDITED for row in present):
            return
        with _scratch_folder() as folder:
            is_fetched = self._unpack(new, folder)
            is_same = all(is_as_recorded(row, self._within(folder, row.path)) for row in present if row.digest)
        if not is_fetched:
            self._tell(new.called, intact=False)
        elif is_same:
            self._tell(new.called, intact=self._install(new, [new]))

    def _install(self, new: Installed, replaced: Sequence[Installed]) -> bool:
        """Install exactly this version: first fetched, then in place of the metadata that is `replaced`."""
        wanted, aside, done = self._wanted(new), [], False
        with _scratch_folder() as folder, contextlib.suppress(FailedError):
            packages.fetch(self.found, [wanted], folder, patient=not self.is_again)
            with packages.kept(self.found, [new.name], folder):
                aside = [self._set_aside(dist.info) for dist in replaced]
                packages.install(self.found, [wanted], folder, lock=self.lock)
            done = True
        for path in aside:
            self._drop_copies(path, new.info)
        return done

    # -- its files

    def _restore(self, dist: Installed, instead_of: Installed | None = None, *, fetch: bool = True) -> bool:
        """Put back what is damaged of `dist`, from pip's leftovers or the same version fetched elsewhere.

        Remove it instead if the interrupted line was to uninstall it and not all is at hand. Return False, with
        nothing done, if it would have to be fetched and must not be.
        """
        folders = self.asides.folders_of(dist.rows)
        if dist.at:
            folders[dist.info] = dist.at
        faults = self._faults(dist, folders, is_replaced=instead_of is not None)
        if not _are_at_hand(dist, faults):
            if self._was_to_go(dist.name):
                _remove(dist.rows)
                self._tell(f"{dist.called} (removed)", intact=True)
                return True
            if not fetch:
                return False
        if instead_of is not None:
            self._take_away(instead_of, dist)
        self._move_back(folders)
        edited = self._put_files(dist, faults)
        is_intact = self._is_intact(dist, edited) or self._install_again(dist, edited)
        if not faults or not edited.issuperset(fault.path for fault in faults):  # else nothing was damaged
            self._tell(dist.called, intact=is_intact)
        return True

    def _faults(self, dist: Installed, folders: dict[str, str], *, is_replaced: bool) -> list[Fault]:
        """Return what is damaged of `dist`, and not in one of the folders that pip has moved away."""
        if not dist.at:
            return [fault for fault in self._damage(dist) if not _is_moved(fault.path, folders)]
        is_replaced = is_replaced or any(map(os.path.lexists, folders))
        return _lost(dist, folders, is_replaced=is_replaced)

    def _take_away(self, other: Installed, kept: Installed) -> None:
        """Remove the files of another version that the kept one does not have, and set its metadata aside."""
        paths = {row.path for row in kept.rows}
        _remove(row for row in other.rows if row.path not in paths)
        if os.path.isdir(other.info):
            self._set_aside(other.info)

    def _move_back(self, folders: dict[str, str]) -> None:
        """Rename the folders back; what lies in their place was written since."""
        for folder, moved in folders.items():
            if os.path.lexists(folder):
                if folder == os.path.join(self.site, "pip"):  # large, and pip's alone
                    shutil.rmtree(folder, ignore_errors=True)
                else:
                    self._set_aside(folder)
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            os.rename(moved, folder)

    def _put_files(self, dist: Installed, faults: Sequence[Fault]) -> set[str]:
        """Put damaged files back; return those that turn out to be edited, not damaged."""
        rows = {row.path: row for row in dist.rows}
        needed = []
        for fault in faults:
            row = rows.get(fault.path, Row(path=fault.path, digest="", size=None))
            if fault.path.endswith(".pyc"):
                _unlink(fault.path)  # compiled again below
            elif not self._put_at_hand(row, fault, dist.state.origin):
                needed.append((row, fault.kind))
        edited = self._put_fetched(dist, needed) if needed else set()
        packages.compile_bytecode(self.found, dist.rows)
        record = os.path.join(dist.info, "RECORD")
        if os.path.isfile(record) and any(row.path == record for row, _ in needed):
            packages.describe(self.found, dist.name, requested=dist.state.requested, origin=dist.state.origin)
        return edited

    def _put_at_hand(self, row: Row, fault: Fault, origin: str) -> bool:
        """Put a file back that pip has stashed, or whose content is known; return True if it is as recorded."""
        if fault.kind == MISSING and os.path.lexists(row.path):
            if not state_of(row, hashed=True):
                return True
            self._set_aside(row.path)
        source = stashed(row)
        if source is not None:
            packages.put_file(source, row.path)
            _unlink(source)
            return True
        is_metadata = os.path.dirname(row.path).endswith(".dist-info")
        return is_metadata and packages.put_known_text(row, ("pip\n", "", origin, "uv"))

    def _put_fetched(self, dist: Installed, needed: Sequence[tuple[Row, str]]) -> set[str]:
        """Put files back from the same version, got from elsewhere; return those that are edited instead."""
        edited, is_few = set(), len(needed) < _MANY
        with _scratch_folder() as folder:
            has_record = any(row.path.endswith(".dist-info/RECORD") for row, _ in needed)
            self._unpack(dist, folder, compiled=has_record)
            for row, kind in needed:
                source = self._within(folder, row.path)
                is_original = _is_original(row, source)
                if kind == CUT and not _is_cut(row.path, source if is_original else ""):
                    edited.add(row.path)
                elif is_original:
                    packages.put_file(source, row.path, durable=is_few)
        if not is_few:
            on_disk.sync(self.found.path, [row.path for row, _ in needed])
        return edited

    def _is_intact(self, dist: Installed, edited: set[str]) -> bool:
        faults = damage(verify(dist.info, self.site, hashed=True))
        return edited.issuperset(fault.path for fault in without_shared(faults, dist.info, self.site))

    def _install_again(self, dist: Installed, edited: set[str]) -> bool:
        """Install a distribution again whose files are not as recorded anywhere, unless one of them is edited."""
        if edited or any(state_of(row, hashed=True) == EDITED for row in dist.rows):
            return False
        return self._install(dist, [dist])

    def _unpack(self, dist: Installed, folder: str, *, compiled: bool = False) -> bool:
        """Install exactly this version below `folder`, as it would lie in the environment."""
        is_patient = not self.is_again
        return packages.unpack(self.found, self._wanted(dist), folder, patient=is_patient, compiled=compiled)

    def _within(self, folder: str, path: str) -> str:
        return os.path.join(folder, self._relative(path))

    def _wanted(self, dist: Installed) -> Wanted:
        bundled = packages.bundled_pip(self.found, dist.state) if dist.name == "pip" else None
        if bundled is not None:
            return bundled
        sources = packages.sources_in(history.read(self.found.path), dist.name, dist.state)
        if self.heading is not None:
            sources = packages.sources(self.heading.words, self.heading.cwd) or sources
        return Wanted(name=dist.name, state=dist.state, sources=sources)

    def _was_to_go(self, name: str) -> bool:
        """Return True if the interrupted line was to remove this distribution."""
        return self.command.subcommand == "uninstall" and (self._is_named(name) or bool(self.command.r_files))

    def _is_named(self, name: str) -> bool:
        """Return True if the interrupted line names this distribution; a path does not."""
        return any(name_in(typed) == name for typed in self.command.requirements)

    # -- what is in the way, and what is left over

    def _set_aside(self, path: str) -> str:
        """Move what may not be ours to delete out of the way; return where it is now."""
        if not self.kept:
            number = self.heading.number if self.heading else journal.next_number(self.found.path)
            self.kept = os.path.join(OWN, "left", number)
        target = self._within(os.path.join(self.found.path, self.kept), path)
        while os.path.lexists(target):
            target += "~"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(path, target)
        return target

    def _drop_copies(self, aside: str, info: str) -> None:
        """Remove metadata that was set aside, unless a file in it is neither pip's nor there again."""
        there = {*_METADATA, *names_in(info)}
        if any(name not in there and not is_begun_metadata(name) for name in names_in(aside)):
            return
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.removedirs(os.path.dirname(aside))
        if not os.path.isdir(os.path.join(self.found.path, self.kept)):
            self.kept = ""

    def _sweep(self, names: Iterable[str]) -> None:
        """Remove what pip had moved aside, and bytecode and metadata that was being written."""
        for name in names:
            infos = packages.infos_of(self.found, name)
            known = {row.path for info in infos for row in record_of(info, self.site)}
            if name in self.moved:
                known.update(row.path for row in self.moved[name].rows)
            for folder, moved in self.asides.of(sorted(self._folders_of(name, infos, known))):
                self._sweep_aside(moved, folder, known)
            _sweep_begun(known, infos)

    def _folders_of(self, name: str, infos: Iterable[str], known: Iterable[str]) -> set[str]:
        """Return the folders of a distribution, those from before the command included."""
        found = {os.path.join(self.site, name), os.path.join(self.site, name.replace("-", "_")), *infos}
        found.update(os.path.join(self.found.path, row.path) for row in self.before.get(name, ()))
        found.update(self.asides.with_above(map(os.path.dirname, known)))
        return found

    def _sweep_aside(self, moved: str, folder: str, known: set[str]) -> None:
        """Remove a folder that pip moved aside; a file in it that no RECORD names is kept."""
        is_metadata = folder.endswith(".dist-info")
        for at, _, files in os.walk(moved):
            for name in files:
                original = os.path.join(folder, os.path.relpath(os.path.join(at, name), moved))
                is_made = name.endswith(".pyc") or is_metadata
                if not is_made and original not in known and not os.path.lexists(original):
                    self._set_aside(os.path.join(at, name))
        shutil.rmtree(moved, ignore_errors=True)

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self.found.path)


def _scratch_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True)


def _sweep_begun(known: set[str], infos: Iterable[str]) -> None:
    """Remove files that Python or pip was writing beside these, and would have renamed."""
    sources = {path for path in known if path.endswith(".py")}
    for folder in {os.path.join(os.path.dirname(path), "__pycache__") for path in sources}:
        for path in glob.glob(os.path.join(glob.escape(folder), "*.pyc.*")):
            if is_begun_bytecode(path) and packages.source_of(path) in sources:
                _unlink(path)
    for info in infos:
        for name in filter(is_begun_metadata, names_in(info)):
            _unlink(os.path.join(info, name))


def _others(dist: Installed, present: Iterable[Installed]) -> list[Installed]:
    return [other for other in present if other is not dist]


def _is_of_pip(dist: Installed) -> bool:
    """Return True for metadata that pip has written, as far as that shows; other tools finish their own."""
    installer = _text(os.path.join(dist.info, "INSTALLER")).strip()
    return installer in {"", "pip"} and is_mine(dist.info)


def _lost(dist: Installed, folders: dict[str, str], *, is_replaced: bool) -> list[Fault]:
    """Return the files of a version that pip has moved away which are not in one of these folders.

    Where pip has begun to write another version, the files of that do not pass for edited ones.
    """
    lost = []
    for row in dist.rows:
        if _is_moved(row.path, folders):
            continue
        is_others = is_replaced and row.digest != "" and not is_as_recorded(row)
        if is_others or not os.path.lexists(row.path):
            lost.append(Fault(path=row.path, kind=MISSING))
    return lost


def _are_at_hand(dist: Installed, faults: Iterable[Fault]) -> bool:
    """Return True if all these files can be put back without fetching them."""
    rows = {row.path: row for row in dist.rows}
    needed = [fault.path for fault in faults if not fault.path.endswith(".pyc")]
    return all(path in rows and stashed(rows[path]) is not None for path in needed)


def _is_original(row: Row, source: str) -> bool:
    """Return True if a fetched file is the recorded one, as far as RECORD tells."""
    if not row.digest:
        return os.path.isfile(source)
    return is_as_recorded(row, source)


def _is_cut(path: str, original: str) -> bool:
    """Return True if a file is the beginning of the original; where that is not known, if it looks so."""
    return packages.is_beginning(path, original) if original else looks_cut(path)


def _is_moved(path: str, folders: dict[str, str]) -> bool:
    """Return True if the file lies in one of the folders that pip moved away."""
    for folder, moved in folders.items():
        is_inside = path.startswith(os.path.join(folder, ""))
        if is_inside and os.path.lexists(moved + path[len(folder) :]):
            return True
    return False


def _remove(rows: Iterable[Row]) -> None:
    """Remove files, but not such as were edited, and the folders that get empty."""
    for row in rows:
        if not row.digest or is_as_recorded(row):
            with contextlib.suppress(OSError):
                os.unlink(row.path)
                os.rmdir(os.path.dirname(row.path))


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
