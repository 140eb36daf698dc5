"""Put right what an interrupted command left in an environment: found by its journal, under the lock.

Damage is told by names, inodes, sizes and hashes against the journal's listing and each RECORD, never by the
clock. Of each distribution that the command has touched, the new version stays if it is intact. Else the old
one is put back from what pip moved aside, or exactly that version is fetched again from the same sources.

Nothing is deleted that may be somebody else's. A file that no RECORD names stays: pip overwrites it when the
package is installed again. What must make room goes to `.safepip/left/<number of the journal>`, and is named.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile

from safepip.core.pip_line import read as read_line
from safepip.core.record import Record, replace
from safepip.core.requirement import name_and_version, name_in, normalised_name
from safepip.core.world import USABLE
from safepip.system.environment import OWN, names_in
from safepip.system.files import sweep

from . import history, inventory, journal, packages
from .asides import asides_of, is_aside, is_begun_bytecode, is_begun_metadata, is_mine, stashed
from .history import State
from .packages import FailedError, Wanted, compile_bytecode, describe, put_file
from .verify import (
    CUT,
    EDITED,
    EMPTY,
    MISSING,
    Fault,
    Row,
    damage,
    is_as_recorded,
    looks_cut,
    metadata_in,
    name_said,
    record_of,
    state_of,
    verify,
    without_shared,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from safepip.core.world import Environment
    from safepip.report import Report
    from safepip.system.observe import Context

    from .journal import Pending

_METADATA = ("METADATA", "WHEEL", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "entry_points.txt")


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
    found = context.examine(environment, named=True)
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
        _settle(found, pending, outcome, report)
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
        compile_bytecode(found, [row for row in rows if row.path in bytecode])
        done = replace(done, restored=(*done.restored, "bytecode"))
    if done.restored:
        report.say(f"put back damaged files of {', '.join(done.restored)}{_where_kept(found, done)}")
    return done


def _postpone(found: Environment, pending: Pending, process: int, report: Report) -> None:
    """Leave everything to a later change: another pip, without the lock, may be writing at this moment."""
    if pending.name == journal.JOURNAL:
        if journal.keep(found.path, pending):
            journal.end(found.path)
        what = f"process {process} is installing into {found.path} without its lock"
        report.say(f"{what}; what an interrupted command left there is put right by the next change after it")


def _settle(found: Environment, pending: Pending, done: Outcome, report: Report) -> None:
    """Say what was done; end the journal, or keep what it says of the damage."""
    is_first = pending.name == journal.JOURNAL
    if is_first:
        _note(found.path, pending)
    called, kept = _subcommand(pending), _where_kept(found, done)
    if done.restored:
        which = "the last" if is_first else "an earlier"
        report.say(f"{which} {called} here was interrupted; put right: {', '.join(done.restored)}{kept}")
        kept = ""
    if done.damaged and is_first:
        again = " ".join(one.replace(" ", "==") for one in done.damaged)
        what = f"could not get {', '.join(done.damaged)} again"
        way = f"later: safepip install --force-reinstall {again}"
        report.say(f"the last {called} here was interrupted and left damage{kept}; {what}; {way}")
    if not done.damaged or (is_first and journal.keep(found.path, pending)):
        journal.end(found.path, pending.name)


def _where_kept(found: Environment, done: Outcome) -> str:
    return f"; what lay in the way is in {os.path.join(found.path, done.kept)}" if done.kept else ""


def _subcommand(pending: Pending) -> str:
    words = pending.heading.words if pending.heading else ()
    return read_line(words, {}).subcommand or "change"


class _Recovery:
    """What lies in the environment, and what a journal says of it."""

    def __init__(self, found: Environment, pending: Pending, lock: int | None) -> None:
        self.found = found
        self.site = found.site
        self.lock = lock
        self.heading = pending.heading
        self.again = pending.name == journal.DAMAGE
        self.before = journal.by_name(pending.rows)
        self.names = _folders(pending.rows)
        self.is_repair = not pending.name
        self.is_everything = pending.heading is None  # nothing is known: verify everything
        self.command = read_line(pending.heading.words if pending.heading else (), {})
        self.infos: dict[str, list[str]] = {}
        for info in metadata_in(self.site):
            self.infos.setdefault(name_and_version(info)[0], []).append(info)
        self.moved = dict(self._moved_away())
        self.kept = ""
        self.edited: set[str] = set()  # files that are shorter than recorded, but not cut off

    def carry_out(self, only: Sequence[str] | None = None) -> Outcome:
        """Put right what is damaged; pip itself comes first, since it repairs the others."""
        restored: list[str] = []
        damaged: list[str] = []
        names = {*self.before, *self.infos, *self.moved}
        names = names if only is None else names.intersection(only)
        for name in sorted(names, key=lambda name: (name != "pip", name)):
            result = self._put_right(name)
            if name == "pip" and result is not None and not result[0]:
                result = (not packages.give_pip(self.found, lock=self.lock), name)
            if result is not None:
                (restored if result[0] else damaged).append(result[1])
        if not damaged:
            self._sweep(names)
        return Outcome(restored=tuple(restored), damaged=tuple(damaged), kept=self.kept)

    # -- one distribution

    def _put_right(self, name: str) -> tuple[bool, str] | None:
        """Return if the distribution is intact now, and how it is called; None if nothing was to be done."""
        infos, old = self.infos.get(name, []), self.moved.get(name)
        if not infos:
            return None if old is None else self._restore_moved(old)
        if not self._is_touched(name):
            return None
        verdicts = {info: self._damage(info) for info in infos}
        intact = [info for info in infos if not verdicts[info] and self._is_finished(info)]
        if intact:
            return self._keep_one(name, intact, infos)
        begun = [info for info in infos if self._is_begun(info, verdicts[info])]
        if begun:
            return self._complete(name, begun[-1], [info for info in infos if info != begun[-1]])
        info = min(infos, key=lambda info: len(verdicts[info]))
        self._keep_only(info, infos)
        return self._restore(self._installed(name, info), verdicts[info])

    def _keep_only(self, info: str, infos: Iterable[str]) -> None:
        for other in infos:
            if other != info:
                self._set_aside(other)

    def _damage(self, info: str) -> list[Fault]:
        is_new = not self._is_listed(info)
        faults = damage(verify(info, self.site, hashed=is_new or self.is_everything))
        return without_shared(faults, info, self.site)

    def _is_touched(self, name: str) -> bool:
        """Return True if the command has begun to change the distribution, by the journal's listing."""
        if self.is_everything or self.again or name in self.moved:
            return True
        infos = self.infos[name]
        if len(infos) > 1 or not self._is_listed(infos[0]):
            return True
        paths = [row.path for row in record_of(infos[0], self.site) if not row.path.endswith(".pyc")]
        return not all(map(os.path.lexists, paths)) or self._is_any_moved(paths)

    def _is_any_moved(self, paths: Iterable[str]) -> bool:
        """Return True if pip has moved a folder of these files aside."""
        parents = {parent for path in paths for parent in self._parents(path)}
        return any(any(self._asides(parent)) for parent in parents)

    def _is_listed(self, info: str) -> bool:
        """Return True if this very folder was there when the command began."""
        rows = self.before.get(name_and_version(info)[0], ())
        return any(row.path == self._relative(info) and row.stamp == journal.stamp_of(info) for row in rows)

    def _is_finished(self, info: str) -> bool:
        """Return True if pip, which writes INSTALLER and then RECORD last, has written both."""
        if self._is_listed(info) or self.is_repair:
            return True
        installer = os.path.join(info, "INSTALLER")
        return any(row.path == installer for row in record_of(info, self.site))

    def _is_begun(self, info: str, faults: Sequence[Fault]) -> bool:
        """Return True if a pip has begun to write this metadata, and has not finished."""
        if self._is_listed(info):
            return False
        record = os.path.join(info, "RECORD")
        return not self._is_finished(info) or any(fault.path == record for fault in faults)

    def _keep_one(self, name: str, intact: Sequence[str], infos: Sequence[str]) -> tuple[bool, str] | None:
        """Keep one intact version, a new one if there is one; set the metadata of others aside."""
        new = [info for info in intact if not self._is_listed(info)]
        info = (new or list(intact))[-1]
        others = [other for other in infos if other != info]
        for other in others:
            self._discard_info(other, info)
        return (True, self._installed(name, info).called) if others else None

    def _complete(self, name: str, info: str, others: Sequence[str]) -> tuple[bool, str] | None:
        """Finish the version that was being installed; if that fails, put the old one back."""
        new, old = self._installed(name, info), self.moved.get(name)
        installer = _text(os.path.join(info, "INSTALLER")).strip()
        if installer not in {"", "pip"} or not is_mine(info):
            return None  # another tool's
        recorded = os.path.isfile(os.path.join(info, "RECORD")) and bool(new.rows)
        if recorded and old is None and not others:
            return self._finish(new)
        if name == "pip" and old is not None and self._put_old_back(old, new):
            return True, "pip"
        if self._install(new, (info, *others)):
            return True, new.called
        if old is not None:
            return self._put_old_back(old, new, forced=True), old.called
        if others:
            self._set_aside(info)
            kept = self._installed(name, others[-1])
            return self._restore(kept, self._damage(others[-1])) or (True, kept.called)
        if inventory.users(self.found.path):
            return False, new.called  # a program of the environment may be writing it
        self._set_aside(info)
        return True, f"{new.called} (not installed)"

    def _finish(self, new: Installed) -> tuple[bool, str] | None:
        """Install again what lacks only pip's own last words, or may be a wheel that was unpacked by hand.

        Only if no file in it is edited, and the sources give the same files: then nothing is lost.
        """
        existing = [row for row in new.rows if row.digest and os.path.lexists(row.path)]
        if any(state_of(row, hashed=True) == EDITED for row in existing):
            return None
        with self._elsewhere(new) as folder:
            if folder is None:
                return False, new.called
            if not all(is_as_recorded(row, self._at(folder, row.path)) for row in existing):
                return None
        return self._install(new, (new.info,)), new.called

    def _install(self, new: Installed, infos: Sequence[str]) -> bool:
        """Install exactly this version: first fetched, then in place of the half-written metadata."""
        wanted = self._wanted(new)
        with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
            try:
                packages.fetch(self.found, [wanted], folder, patient=not self.again)
                kept = packages.Kept(self.found, [new.name], folder)
            except FailedError:
                return False
            aside = [self._set_aside(info) for info in infos]
            try:
                packages.install(self.found, [wanted], folder, lock=self.lock)
            except FailedError:
                kept.put_back()
                return False
        for path in aside:
            self._drop_copies(path, new.info)
        return True

    # -- the old version

    def _restore_moved(self, old: Installed) -> tuple[bool, str]:
        """Put back the version whose metadata pip has moved aside, and which is all there is."""
        folders = self._folders_moved(old)
        written = any(os.path.lexists(folder) for folder, _ in folders)
        lost = self._lost(old, folders, replaced=written)
        if self._was_to_go(old.name) and self._lacking(lost):
            _remove(old.rows)
            return True, f"{old.called} (removed)"
        self._move_back(folders)
        return self._put_lost(old, lost), old.called

    def _put_old_back(self, old: Installed, new: Installed, *, forced: bool = False) -> bool:
        """Put the old version back in place of the new one; return True if every file of it is there.

        If pip's leftovers are not all of it, nothing is done unless `forced`.
        """
        folders = self._folders_moved(old)
        lost = self._lost(old, folders, replaced=True)
        if self._lacking(lost) and not forced:
            return False
        kept = {row.path for row in old.rows}
        _remove(row for row in new.rows if row.path not in kept)
        if os.path.isdir(new.info):
            self._set_aside(new.info)
        self._move_back(folders)
        return self._put_lost(old, lost)

    def _put_lost(self, old: Installed, lost: Sequence[Row]) -> bool:
        """Put these files back; what the new version has in their place must not pass for an edited one."""
        for row in lost:
            self._clear(row)
        return self._put_files(old, lost, [Fault(path=row.path, kind=MISSING) for row in lost])

    def _lost(self, old: Installed, folders: Sequence[tuple[str, str]], *, replaced: bool) -> list[Row]:
        """Return the files that pip took away, not as part of a folder, or wrote others in place of."""
        lost = []
        for row in old.rows:
            if _is_moved(row.path, folders):
                continue
            if not os.path.lexists(row.path) or (replaced and row.digest and not is_as_recorded(row)):
                lost.append(row)
        return lost

    def _lacking(self, lost: Iterable[Row]) -> bool:
        """Return True if one of these files is not among those that pip has stashed."""
        sources = (row for row in lost if not row.path.endswith(".pyc"))
        return any(next(self._stashed(row), None) is None for row in sources)

    def _folders_moved(self, old: Installed) -> list[tuple[str, str]]:
        """Return the folders that pip moved away, each with where it lies: one file in it must be as recorded."""
        found = {os.path.normpath(old.info): old.at} if old.at else {}
        for folder in dict.fromkeys(parent for row in old.rows for parent in self._parents(row.path)):
            inner = [row for row in old.rows if row.path.startswith(os.path.join(folder, ""))]
            for moved in self._asides(folder):
                if any(is_as_recorded(row, moved + row.path[len(folder) :]) for row in inner):
                    found.setdefault(folder, moved)
        return list(found.items())

    def _move_back(self, folders: Iterable[tuple[str, str]]) -> None:
        """Rename the folders back; what lies in their place was written since."""
        for folder, moved in folders:
            if os.path.lexists(folder):
                if folder == os.path.join(self.site, "pip"):  # large, and pip's alone
                    shutil.rmtree(folder, ignore_errors=True)
                else:
                    self._set_aside(folder)
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            os.rename(moved, folder)

    # -- single files

    def _restore(self, dist: Installed, faults: Sequence[Fault]) -> tuple[bool, str] | None:
        """Put damaged files back, from pip's leftovers or from the same version fetched elsewhere."""
        if self._was_to_go(dist.name) and any(fault.kind == MISSING for fault in faults):
            _remove(dist.rows)
            return True, f"{dist.called} (removed)"
        self._move_back(self._folders_moved(dist))
        missing = [row for row in dist.rows if row.path.endswith(".pyc") and not os.path.lexists(row.path)]
        if not faults:
            compile_bytecode(self.found, missing)
            return None
        by_path = {row.path: row for row in dist.rows}
        rows = [by_path.get(fault.path, Row(path=fault.path, digest="", size=None)) for fault in faults]
        done = self._put_files(dist, [*rows, *missing], faults) or self._install_again(dist)
        was_edited = self._are_edited(faults)
        return None if was_edited else (done, dist.called)

    def _are_edited(self, faults: Iterable[Fault]) -> bool:
        return all(fault.path in self.edited for fault in faults)

    def _install_again(self, dist: Installed) -> bool:
        """Install a distribution again whose files are not as recorded anywhere, unless one of them is edited."""
        edited = any(state_of(row, hashed=True) == EDITED for row in dist.rows) or self.edited
        return not edited and self._install(dist, (dist.info,))

    def _put_files(self, dist: Installed, rows: Sequence[Row], faults: Sequence[Fault]) -> bool:
        """Put these files back; return True if the distribution is intact then."""
        files = [row for row in rows if not row.path.endswith(".pyc")]
        needed = [row for row in files if not self._put_known(dist, row)]
        if needed:
            self._put_needed(dist, needed, faults)
        for fault in faults:
            if fault.kind == EMPTY and fault.path.endswith(".pyc"):
                _unlink(fault.path)
        compile_bytecode(self.found, rows)
        record = os.path.join(dist.info, "RECORD")
        if os.path.isfile(record) and record in [row.path for row in needed]:
            with contextlib.suppress(OSError):
                describe(self.found, dist.name, requested=dist.state.requested, origin=dist.state.origin)
        left = without_shared(damage(verify(dist.info, self.site, hashed=True)), dist.info, self.site)
        return self._are_edited(left)

    def _put_needed(self, dist: Installed, needed: Iterable[Row], faults: Iterable[Fault]) -> None:
        """Put these files back from the same version, got from elsewhere."""
        kinds = {fault.path: fault.kind for fault in faults}
        with self._elsewhere(dist) as folder:
            for row in needed:
                source = self._at(folder, row.path) if folder is not None else ""
                self._put_fetched(row, source, kinds.get(row.path, MISSING))

    def _put_known(self, dist: Installed, row: Row) -> bool:
        """Put a file back that pip has stashed, or whose content is known."""
        if os.path.lexists(row.path) and state_of(row, hashed=True) == "":
            return True
        source = next(self._stashed(row), None)
        if source is not None:
            self._clear(row)
            os.makedirs(os.path.dirname(row.path), exist_ok=True)
            shutil.move(source, row.path)
            return True
        if os.path.dirname(row.path) != dist.info:
            return False
        return packages.put_known_text(row, ("pip\n", "", dist.state.origin, "uv"))

    def _put_fetched(self, row: Row, source: str, kind: str) -> None:
        """Put back a file that was fetched, if it is exactly the recorded one."""
        if not os.path.isfile(source) or (row.digest and not is_as_recorded(row, source)):
            if kind == CUT and not looks_cut(row.path):
                self.edited.add(row.path)
            return
        if kind == CUT and not packages.is_beginning(row.path, source):
            self.edited.add(row.path)
            return
        put_file(source, row.path)

    def _clear(self, row: Row) -> None:
        if os.path.lexists(row.path) and not is_as_recorded(row):
            self._set_aside(row.path)

    def _stashed(self, row: Row) -> Iterator[str]:
        return (path for path in stashed(row.path) if is_as_recorded(row, path))

    @contextlib.contextmanager
    def _elsewhere(self, dist: Installed) -> Iterator[str | None]:
        """Install exactly this version elsewhere; give the folder, None if it cannot be fetched."""
        with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
            fetched = packages.unpack(self.found, self._wanted(dist), folder, patient=not self.again)
            yield folder if fetched else None

    def _at(self, folder: str | None, path: str) -> str:
        return os.path.join(folder or "", os.path.relpath(path, self.found.path))

    def _wanted(self, dist: Installed) -> Wanted:
        bundled = packages.bundled_pip(self.found, dist.state) if dist.name == "pip" else None
        if bundled is not None:
            return bundled
        heading = self.heading
        sources = packages.sources_in(history.read(self.found.path), dist.name, dist.state)
        if heading is not None:
            sources = packages.sources(heading.words, heading.cwd) or sources
        return Wanted(name=dist.name, state=dist.state, sources=sources)

    # -- pip's leftovers

    def _moved_away(self) -> Iterator[tuple[str, Installed]]:
        """Yield each distribution whose metadata pip has moved aside, by name."""
        listed = self.names.get(self._relative(self.site), frozenset())
        for aside in sorted(names_in(self.site)):
            at = os.path.join(self.site, aside)
            if aside.endswith(".dist-info") and aside[:1] == "~" and aside not in listed and is_mine(at):
                row = self._row_of(at)
                info = os.path.join(self.found.path, row.path) if row else self._origin_of(at)
                if info:
                    name = name_and_version(info)[0]
                    yield name, self._installed(name, info, at)

    def _row_of(self, at: str) -> journal.Row | None:
        """Return the row of the journal's listing for metadata that has another name now."""
        inode, said = journal.stamp_of(at).partition(":")[0], name_said(at)
        everything = [row for rows in self.before.values() for row in rows]
        rows = [row for row in everything if is_aside(os.path.basename(at), os.path.basename(row.path))]
        same = [row for row in rows if row.stamp.partition(":")[0] == inode]
        named = [row for row in rows if name_and_version(row.path)[0] == said]
        return next(iter([*same, *named]), None)

    def _origin_of(self, at: str) -> str:
        """Return the path that metadata must have had, by the name and version that it says; or empty."""
        fields = dict(
            line.partition(": ")[::2] for line in reversed(_text(os.path.join(at, "METADATA")).splitlines())
        )
        said, version = fields.get("Name", ""), fields.get("Version", "").replace("-", "_")
        for name in dict.fromkeys((said, said.replace("-", "_"), normalised_name(said).replace("-", "_"))):
            original = f"{name}-{version}.dist-info"
            if version and is_aside(os.path.basename(at), original):
                return os.path.join(self.site, original)
        return ""

    def _asides(self, folder: str) -> Iterator[str]:
        """Yield where pip may have moved the folder; a name that was there before does not count."""
        listed = self.names.get(self._relative(os.path.dirname(folder)), frozenset())
        return (moved for moved in asides_of(folder) if os.path.basename(moved) not in listed)

    def _sweep(self, names: Iterable[str]) -> None:
        """Remove what pip had moved aside, and bytecode and metadata that was being written."""
        for name in names:
            infos = packages.infos_of(self.found, name)
            old = self.moved.get(name)
            rows = [row for info in infos for row in record_of(info, self.site)]
            known = {row.path for row in (*rows, *(old.rows if old else ()))}
            folders = {parent for path in known for parent in self._parents(path)}
            folders |= {os.path.join(self.found.path, row.path) for row in self.before.get(name, ())}
            folders |= {*infos, os.path.join(self.site, name), os.path.join(self.site, name.replace("-", "_"))}
            for folder in sorted(folders):
                for moved in list(self._asides(folder)):
                    self._sweep_aside(moved, folder, known)
            self._sweep_begun(known, infos)

    def _sweep_aside(self, moved: str, folder: str, known: set[str]) -> None:
        """Remove a folder that pip moved aside; a file in it that no RECORD names is kept."""
        is_info = folder.endswith(".dist-info")
        for at, _, files in os.walk(moved):
            for name in files:
                original = os.path.join(folder, os.path.relpath(os.path.join(at, name), moved))
                recorded = original in known or name.endswith(".pyc") or is_info or os.path.lexists(original)
                if not recorded:
                    self._set_aside(os.path.join(at, name))
        shutil.rmtree(moved, ignore_errors=True)

    def _sweep_begun(self, known: set[str], infos: Iterable[str]) -> None:
        """Remove files that Python or pip was writing beside these, and would have renamed."""
        sources = {path for path in known if path.endswith(".py")}
        for folder in {os.path.join(os.path.dirname(path), "__pycache__") for path in sources}:
            for name in filter(is_begun_bytecode, names_in(folder)):
                if packages.source_of(os.path.join(folder, name)) in sources:
                    _unlink(os.path.join(folder, name))
        for info in infos:
            for name in filter(is_begun_metadata, names_in(info)):
                _unlink(os.path.join(info, name))

    def _set_aside(self, path: str) -> str:
        """Move what may not be ours to delete out of the way; return where it is now."""
        number = self.heading.number if self.heading else journal.next_number(self.found.path)
        self.kept = self.kept or os.path.join(OWN, "left", number)
        target = self._at(os.path.join(self.found.path, self.kept), path)
        while os.path.lexists(target):
            target += "~"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(path, target)
        return target

    def _discard_info(self, info: str, kept: str) -> None:
        """Remove the metadata of a version that does not count; a file of the user's in it is kept."""
        aside = self._set_aside(info)
        self._drop_copies(aside, kept)

    def _drop_copies(self, aside: str, info: str) -> None:
        """Remove metadata that was set aside, unless a file in it is neither pip's nor there again."""
        there = {*_METADATA, *names_in(info)}
        names = [name for name in names_in(aside) if name not in there and not is_begun_metadata(name)]
        if names:
            return
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.removedirs(os.path.dirname(aside))
        if not os.path.isdir(os.path.join(self.found.path, self.kept)):
            self.kept = ""

    # -- what lies where

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self.found.path)

    def _installed(self, name: str, info: str, at: str = "") -> Installed:
        """Return the distribution whose metadata belongs at `info`, and lies `at` another place for now."""
        row = next((row for row in self.before.get(name, ()) if row.path == self._relative(info)), None)
        asked = any(_is_named(name, typed) for typed in self.command.requirements) and name not in self.before
        requested = os.path.lexists(os.path.join(at or info, "REQUESTED")) or asked
        origin = _text(os.path.join(at or info, "direct_url.json"))
        state = State(
            version=name_and_version(info)[1],
            requested=row.requested if row else requested,
            origin=row.origin if row else origin,
        )
        return Installed(
            name=name, info=info, rows=tuple(record_of(info, self.site, at or None)), state=state, at=at
        )

    def _was_to_go(self, name: str) -> bool:
        """Return True if the interrupted line was to remove this distribution."""
        named = any(_is_named(name, typed) for typed in self.command.requirements)
        return self.command.subcommand == "uninstall" and (named or bool(self.command.r_files))

    def _parents(self, path: str) -> Iterator[str]:
        """Yield the folders that hold the file, below the folder of all distributions."""
        at = os.path.dirname(path)
        while at.startswith(os.path.join(self.site, "")):
            yield at
            at = os.path.dirname(at)


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
        id=heading.number,
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
        history.append(environment, replace(entry, id=journal.next_number(environment)) if noted else entry)


def _folders(rows: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the names in each folder that the rows list; folders relative to the environment."""
    fields = [row.split("\t") for row in rows if row.startswith("n\t")]
    told = {journal.unescaped(one[1]): frozenset(journal.unpacked(one[2])) for one in fields if len(one) >= 3}
    return {folder: names for folder, names in told.items() if journal.is_within(folder)}


def _is_moved(path: str, folders: Iterable[tuple[str, str]]) -> bool:
    """Return True if the file lies in one of the folders that pip moved away."""
    for folder, moved in folders:
        inside = path.startswith(os.path.join(folder, ""))
        if inside and os.path.lexists(moved + path[len(folder) :]):
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


def _is_named(name: str, typed: str) -> bool:
    """Return True if a requirement as typed names this distribution; a path does not."""
    return name_in(typed) == name
