"""Put right what an interrupted command left in an environment.

The way of a damaged distribution:
1. A command that changes an environment writes a journal first, and ends it last (journal.py).
2. The next change that finds one calls `recover`, under the lock. `env repair` calls `repair_files`, which
   verifies everything. If the Python is gone or the environment was moved, it is rebuilt (faults.py, rebuild.py).
3. A distribution counts as touched by names and inodes beside the journal's rows, never by the clock. Damage is
   told by its RECORD (verify.py). What pip moved aside is found by the names that it gives (asides.py).
4. An intact version stays. One that pip had begun is installed again (packages.py); if it cannot be downloaded,
   the old one comes back. Other damaged files come from what pip moved aside, or from a download of that version.
5. What lies in the way is moved to `.safepip/left/<number of the journal>`, and named: it may be somebody else's.
   A file that no RECORD names stays where it is; pip overwrites it when the package is installed again.
6. The journal ends once everything is intact. Else it is kept as `damage`, for the next change to try again.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil

from safepip.core.pip_line import read as read_line
from safepip.core.record import Record, replace
from safepip.core.requirement import name_and_version, name_in
from safepip.core.world import USABLE
from safepip.system.environment import OWN, names_in
from safepip.system.files import read_regular, replace_file, sweep, umask

from . import history, inventory, journal, packages
from .asides import LEFT, Asides, is_begun_bytecode, is_begun_metadata, is_mine, stashed
from .history import State
from .on_disk import sync
from .packages import FailedError, Wanted, scratch_folder
from .verify import (
    CUT,
    EDITED,
    MISSING,
    Row,
    damage_of,
    digest_in,
    is_as_recorded,
    looks_cut,
    metadata_by_name,
    metadata_in,
    record_of,
    state_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from safepip.core.world import Environment
    from safepip.report import Report
    from safepip.system.observe import Context

    from .journal import Pending

_METADATA = ("METADATA", "WHEEL", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "entry_points.txt")
_LARGEST = 1 << 20  # bytes of a file of metadata
_MANY = 50  # files, from which on one sync of the file system is faster than one for each


def recover(environment: str, context: Context, report: Report, *, lock: int | None = None) -> bool:
    """Put right what earlier commands left, and return True if something was."""
    found = context.examine(environment, trusted=True)
    if found.state != USABLE:
        return False
    is_restored = False
    # Older damage first: what a journal still finds damaged is added to it.
    for name in (journal.DAMAGE, journal.JOURNAL):
        pending = journal.pending(environment, name)
        if pending is None:
            continue
        sweep(os.path.join(environment, OWN))
        busy = inventory.installers(environment)
        if busy:
            _postpone(found, pending, busy[0], report)
            continue
        done = Recovery(found, pending, lock)
        done.carry_out()
        _end(found, pending, done, report)
        is_restored = is_restored or bool(done.restored)
    return is_restored


def repair_files(
    found: Environment, report: Report, *, lock: int | None = None, names: Sequence[str] | None = None
) -> Recovery:
    """Verify all distributions, or only these, and put damaged files back."""
    bytecode = packages.remove_cut_bytecode(found)
    pending = journal.Pending(name="", heading=None, rows=tuple(journal.distributions(found.path)))
    done = Recovery(found, pending, lock)
    done.carry_out(names)
    if bytecode:
        recorded: set[str] = set()
        for info in metadata_in(found.site):
            recorded.update(record_of(info, found.site))
        packages.compile_bytecode(found, bytecode & recorded)
        done.restored.append("bytecode")
    if done.restored:
        report.say(f"put back damaged files of {', '.join(done.restored)}{done.where_kept}")
    return done


def _postpone(found: Environment, pending: Pending, process: int, report: Report) -> None:
    # Another pip, without the lock, may be writing at this moment.
    if pending.name != journal.JOURNAL:
        return
    if journal.keep(found.path, pending):
        journal.end(found.path)
    what = f"process {process} is installing into {found.path} without its lock"
    report.say(f"{what}; what an interrupted command left there is put right by the next change after it")


def _end(found: Environment, pending: Pending, done: Recovery, report: Report) -> None:
    """Say what was done, and end the journal or keep it."""
    is_new = pending.name == journal.JOURNAL
    which = "an earlier"
    if is_new:
        which = "the last"
        _note_in_history(found.path, pending)
    interrupted = f"{which} {read_line(pending.words, {}).subcommand or 'change'} here was interrupted"
    kept = done.where_kept
    if done.restored:
        report.say(f"{interrupted}; put right: {', '.join(done.restored)}{kept}")
        kept = ""  # it is said once
    if not done.damaged:
        journal.end(found.path, pending.name)
    elif is_new:
        lost = f"could not get {', '.join(done.damaged)} again"
        report.say(f"{interrupted} and left damage{kept}; {lost}; later: {done.way_on}")
        if journal.keep(found.path, pending):
            journal.end(found.path)


def _note_in_history(environment: str, pending: Pending) -> None:
    """Write into the history what the interrupted command has changed after all."""
    heading = pending.heading
    if heading is None:
        return
    number, before = heading.number, pending.rows
    if any(entry.id == number for entry in history.read(environment)):
        # pip had noted its own change before the kill. What differs since gets an entry of its own.
        number, before = journal.next_number(environment), tuple(journal.distributions(environment))
    rows = journal.snapshot(environment)
    changes = history.changes(history.installed(before), history.installed(rows))
    if not changes:
        return
    entry = history.Entry(
        id=number,
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


class Installed(Record):
    """A distribution, with the rows of its RECORD.

    Its metadata belongs at `info`, but lies `at` another place if pip has moved it aside.
    """

    name: str
    info: str
    files: dict[str, Row]
    state: State
    at: str = ""

    @property
    def called(self) -> str:
        """Return its name and version for the user's eyes."""
        return f"{self.name} {self.state.version}"

    def row(self, path: str) -> Row:
        """Return what is recorded of a file, if anything."""
        return self.files.get(path, Row(path=path, digest="", size=None))

    def is_of_pip(self) -> bool:
        """Return True if pip seems to have written this metadata."""
        installer = _text(os.path.join(self.info, "INSTALLER")).strip()
        return installer in {"", "pip"} and is_mine(self.info)

    def has_edited_files(self) -> bool:
        """Return True if a file is neither as recorded nor damaged."""
        return any(state_of(row, hashed=True) == EDITED for row in self.files.values())


class Recovery:
    """What lies in the environment, and what a journal says of it.

    `restored` and `damaged` become the distributions that were put right, and those that could not be. `kept` is
    where files are that lay in the way, relative to the environment.
    """

    def __init__(self, found: Environment, pending: Pending, lock: int | None) -> None:
        self.found = found
        self.site = found.site
        self.lock = lock
        self.heading = pending.heading
        self.is_again = pending.name == journal.DAMAGE
        self.is_repair = not pending.name
        self.command = read_line(pending.words, {})
        self.before = journal.by_name(pending.rows)
        self.asides = Asides(found.path, found.site, journal.folders(pending.rows))
        self.infos = metadata_by_name(found.site)
        self.moved: dict[str, Installed] = {}  # whose metadata pip has moved aside
        for info, at in self.asides.metadata(self.before):
            name = name_and_version(info)[0]
            self.moved[name] = self._installed(name, info, at)
        self.restored: list[str] = []
        self.damaged: list[str] = []
        self.kept = ""

    @property
    def way_on(self) -> str:
        """Return the command that installs the damaged distributions again."""
        again = " ".join(called.replace(" ", "==") for called in self.damaged)
        return f"safepip install --force-reinstall {again}"

    @property
    def where_kept(self) -> str:
        """Return the end of a message: where files in the way went."""
        if not self.kept:
            return ""
        return f"; what lay in the way is in {os.path.join(self.found.path, self.kept)}"

    def carry_out(self, only: Sequence[str] | None = None) -> None:
        """Put right what is damaged, of all distributions or only these."""
        names = {*self.before, *self.infos, *self.moved}
        if only is not None:
            names.intersection_update(only)
        if "pip" in names:  # first, since it repairs the others
            self._put_right("pip")
            if self.damaged:
                failed = packages.give_pip(self.found, lock=self.lock)
                if not failed:
                    self.damaged, self.restored = [], ["pip"]
        for name in sorted(names - {"pip"}):
            self._put_right(name)
        if not self.damaged:
            infos = metadata_by_name(self.site)
            for name in names:
                self._sweep(name, infos.get(name, []))

    def _installed(self, name: str, info: str, at: str = "") -> Installed:
        lies = at or info
        requested = os.path.lexists(os.path.join(lies, "REQUESTED"))
        if name not in self.before and self._is_named(name):
            requested = True
        origin = _text(os.path.join(lies, "direct_url.json"))
        for row in self.before.get(name, ()):
            if row.path == self._relative(info):
                requested, origin = row.requested, row.origin
        state = State(version=name_and_version(info)[1], requested=requested, origin=origin)
        files = record_of(info, self.site, at)
        return Installed(name=name, info=info, files=files, state=state, at=at)

    def _count(self, called: str, *, is_right: bool) -> None:
        (self.restored if is_right else self.damaged).append(called)

    # -- which version

    def _put_right(self, name: str) -> None:
        present = [self._installed(name, info) for info in self.infos.get(name, ())]
        old = self.moved.get(name)
        if not present:
            if old is not None:
                self._restore(old)
        elif self._must_be_looked_at(name, present):
            self._choose_version(present, old)

    def _choose_version(self, present: Sequence[Installed], old: Installed | None) -> None:
        """Keep an intact version, finish a begun one, or repair one."""
        intact, begun = [], []
        damages: dict[str, dict[str, str]] = {}
        for dist in present:
            damages[dist.info] = damage = self._damage(dist)
            if not damage and self._is_finished(dist):
                intact.append(dist)
            elif self._is_begun(dist, damage):
                begun.append(dist)
        if intact:
            self._keep_one(intact, present)
        elif begun:
            if begun[-1].is_of_pip():  # other tools finish their own
                self._complete(begun[-1], _others(begun[-1], present), old)
        else:
            best = min(present, key=lambda dist: len(damages[dist.info]))
            for other in _others(best, present):
                self._move_to_left(other.info)
            self._restore(best)

    def _must_be_looked_at(self, name: str, present: Sequence[Installed]) -> bool:
        """Return True unless the command certainly did not touch it."""
        if self.heading is None or self.is_again or name in self.moved:
            return True
        if len(present) > 1 or not self._is_listed(present[0]):
            return True
        paths = [path for path in present[0].files if not path.endswith(".pyc")]
        if not all(map(os.path.lexists, paths)):
            return True
        return self.asides.of_any(paths)

    def _damage(self, dist: Installed) -> dict[str, str]:
        return damage_of(dist.info, self.site, hashed=self.heading is None or not self._is_listed(dist))

    def _is_listed(self, dist: Installed) -> bool:
        """Return True if this metadata folder was there when the command began."""
        now = (self._relative(dist.info), journal.stamp_of(dist.info))
        return any((row.path, row.stamp) == now for row in self.before.get(dist.name, ()))

    def _is_finished(self, dist: Installed) -> bool:
        """Return True if pip has written all of this metadata."""
        if self.is_repair or self._is_listed(dist):
            return True
        # INSTALLER comes last, and then RECORD, which names it.
        return os.path.join(dist.info, "INSTALLER") in dist.files

    def _is_begun(self, dist: Installed, damage: dict[str, str]) -> bool:
        """Return True if a pip has only begun this metadata."""
        if self._is_listed(dist):
            return False
        return not self._is_finished(dist) or os.path.join(dist.info, "RECORD") in damage

    def _keep_one(self, intact: Sequence[Installed], present: Sequence[Installed]) -> None:
        """Keep one intact version, and set the metadata of others aside."""
        new = [dist for dist in intact if not self._is_listed(dist)]
        kept = (new or intact)[-1]
        others = _others(kept, present)
        for other in others:
            self._drop_copies(self._move_to_left(other.info), kept.info)
        if others:
            self._count(kept.called, is_right=True)

    def _complete(self, new: Installed, others: Sequence[Installed], old: Installed | None) -> None:
        """Finish the version that was begun, or put the old one back."""
        former = old or next(reversed(others), None)
        if former is None and new.files:
            self._finish(new)
            return
        # Without a whole pip nothing can be downloaded.
        if new.name == "pip" and old is not None and self._restore(old, new, fetch=False):
            return
        if self._install(new, [new, *others]):
            self._count(new.called, is_right=True)
        elif former is not None:
            self._restore(former, new)
        elif inventory.users(self.found.path):  # a program of the environment runs, and may be writing it
            self._count(new.called, is_right=False)
        else:
            self._move_to_left(new.info)
            self._count(f"{new.called} (not installed)", is_right=True)

    def _finish(self, new: Installed) -> None:
        """Install again a version whose INSTALLER was never written."""
        # It may be a wheel that was unpacked by hand. Nothing is lost if no file is edited, and the sources give
        # the same files.
        if new.has_edited_files():
            return
        with scratch_folder() as folder:
            is_fetched = packages.unpack(self.found, self._wanted(new), folder, compiled=False)
            is_same = self._is_same_in(folder, new)
        if not is_fetched:
            self._count(new.called, is_right=False)
        elif is_same:
            self._count(new.called, is_right=self._install(new, [new]))

    def _is_same_in(self, folder: str, dist: Installed) -> bool:
        """Return True if the present files have the same content in `folder`."""
        for path, row in dist.files.items():
            if not row.digest or not os.path.lexists(path):
                continue
            if not is_as_recorded(row, self._within(folder, path)):
                return False
        return True

    def _install(self, new: Installed, replaced: Sequence[Installed]) -> bool:
        """Download and install this version in place of what is `replaced`."""
        wanted, aside, done = self._wanted(new), [], False
        with scratch_folder() as folder, contextlib.suppress(FailedError):
            packages.fetch(self.found, [wanted], folder)
            with packages.kept(self.found, [new.name], folder):
                aside = [self._move_to_left(dist.info) for dist in replaced]
                packages.install(self.found, [wanted], folder, lock=self.lock)
            done = True
        for path in aside:
            self._drop_copies(path, new.info)
        return done

    def _wanted(self, dist: Installed) -> Wanted:
        """Return what pip is asked for to download this version."""
        wanted = packages.again(dist.name, dist.state, history.read(self.found.path))
        if self.heading is not None:
            sources = packages.sources(self.heading.words, self.heading.cwd)
            wanted = replace(wanted, sources=sources or wanted.sources)
        if dist.name == "pip":
            wanted = packages.bundled_pip(self.found, dist.state) or wanted
        if self.is_again:  # at each change: an index that is still out of reach must not be waited for
            wanted = replace(wanted, sources=(*wanted.sources, "--retries", "0"))
        return wanted

    def _is_named(self, name: str) -> bool:
        """Return True if the interrupted line names this distribution."""
        return name in map(name_in, self.command.requirements)

    # -- the files of one version

    def _restore(self, dist: Installed, instead_of: Installed | None = None, *, fetch: bool = True) -> bool:
        """Put damaged files back, from what pip moved aside or a download.

        Remove it if the interrupted line was to uninstall it and not all is at hand. Return False, with nothing
        done, if it would have to be downloaded and `fetch` forbids that.
        """
        folders = self.asides.folders_of(dist.files)
        if dist.at:
            folders[dist.info] = dist.at
        damage = self._damage_beside(dist, folders, is_replaced=instead_of is not None)
        if not _are_at_hand(dist, damage):
            if self._was_to_go(dist.name):
                _remove(dist.files.values())
                self._count(f"{dist.called} (removed)", is_right=True)
                return True
            if not fetch:
                return False
        if instead_of is not None:
            self._take_away(instead_of, dist)
        self._move_back(folders)
        edited = self._put_files(dist, damage)
        if edited and edited.issuperset(damage):  # nothing was damaged
            return True
        is_intact = edited.issuperset(damage_of(dist.info, self.site, hashed=True))
        if not is_intact and not edited and not dist.has_edited_files():
            is_intact = self._install(dist, [dist])  # the sources have other files than its RECORD
        self._count(dist.called, is_right=is_intact)
        return True

    def _damage_beside(self, dist: Installed, folders: dict[str, str], *, is_replaced: bool) -> dict[str, str]:
        """Return what is damaged and not in one of these folders."""
        if dist.at:
            is_replaced = is_replaced or any(map(os.path.lexists, folders))
            damage = dict.fromkeys(_lost(dist, is_replaced=is_replaced), MISSING)
        else:
            damage = self._damage(dist)
        for folder, moved in folders.items():
            inside = os.path.join(folder, "")
            for path in list(damage):
                if path.startswith(inside) and os.path.lexists(moved + path[len(folder) :]):
                    del damage[path]
        return damage

    def _was_to_go(self, name: str) -> bool:
        """Return True if the interrupted line was to remove this distribution."""
        if self.command.subcommand != "uninstall":
            return False
        return self._is_named(name) or bool(self.command.r_files)

    def _take_away(self, other: Installed, kept: Installed) -> None:
        """Remove the files of another version that this one lacks."""
        _remove(row for path, row in other.files.items() if path not in kept.files)
        if os.path.isdir(other.info):
            self._move_to_left(other.info)

    def _move_back(self, folders: dict[str, str]) -> None:
        """Rename folders that pip has moved aside back."""
        for folder, moved in folders.items():  # what lies in their place was written since
            if folder == os.path.join(self.site, "pip"):  # large, and pip's alone
                shutil.rmtree(folder, ignore_errors=True)
            if os.path.lexists(folder):
                self._move_to_left(folder)
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            os.rename(moved, folder)

    def _put_files(self, dist: Installed, damage: dict[str, str]) -> set[str]:
        """Put damaged files back, and return those that are only edited."""
        needed = {}
        for path, kind in damage.items():
            if path.endswith(".pyc"):
                _unlink(path)  # compiled again below
            elif not self._put_at_hand(dist, path, kind):
                needed[path] = kind
        edited = self._put_fetched(dist, needed)
        packages.compile_bytecode(self.found, dist.files)
        record = os.path.join(dist.info, "RECORD")
        if record in needed and os.path.isfile(record):
            packages.describe(self.found, dist.name, requested=dist.state.requested, origin=dist.state.origin)
        return edited

    def _put_at_hand(self, dist: Installed, path: str, kind: str) -> bool:
        """Put a file back without a download, if that is possible."""
        row = dist.row(path)
        if kind == MISSING and os.path.lexists(path):
            if not state_of(row, hashed=True):
                return True
            self._move_to_left(path)
        source = stashed(row)
        if source is not None:
            packages.put_file(source, path)
            _unlink(source)
            return True
        if not os.path.dirname(path).endswith(".dist-info"):
            return False
        for text in ("pip\n", "", dist.state.origin, "uv"):  # what files of metadata may hold
            content = os.fsencode(text)
            if digest_in(content) == row.digest:
                replace_file(path, content, mode=0o644 & ~umask())
                return True
        return False

    def _put_fetched(self, dist: Installed, needed: dict[str, str]) -> set[str]:
        """Put files back from a download, and return the edited ones."""
        edited: set[str] = set()
        if not needed:
            return edited
        is_few = len(needed) < _MANY
        has_record = os.path.join(dist.info, "RECORD") in needed
        with scratch_folder() as folder:
            packages.unpack(self.found, self._wanted(dist), folder, compiled=has_record)
            for path, kind in needed.items():
                source = self._within(folder, path)
                if not _is_original(source, dist.row(path)):
                    source = ""
                if kind == CUT and not _is_cut(path, source):
                    edited.add(path)
                elif source:
                    packages.put_file(source, path, durable=is_few)
        if not is_few:
            sync(self.found.path, needed)
        return edited

    # -- what is in the way, and what is left over

    def _move_to_left(self, path: str) -> str:
        """Move what may be somebody else's away, and return where to."""
        if not self.kept:
            number = self.heading.number if self.heading else journal.next_number(self.found.path)
            self.kept = os.path.join(LEFT, number)
        target = self._within(os.path.join(self.found.path, self.kept), path)
        while os.path.lexists(target):
            target += "~"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(path, target)
        return target

    def _drop_copies(self, aside: str, info: str) -> None:
        """Remove metadata that was set aside, if only copies are in it."""
        # A file that is neither pip's nor there again may be somebody else's.
        there = {*_METADATA, *names_in(info)}
        if any(name not in there and not is_begun_metadata(name) for name in names_in(aside)):
            return
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.removedirs(os.path.dirname(aside))
        if not os.path.isdir(os.path.join(self.found.path, self.kept)):
            self.kept = ""

    def _sweep(self, name: str, infos: Sequence[str]) -> None:
        """Remove what pip had moved aside or was writing of a distribution."""
        known: set[str] = set()
        for info in infos:
            known.update(record_of(info, self.site))
        if name in self.moved:
            known.update(self.moved[name].files)
        folders = {os.path.join(self.site, name), os.path.join(self.site, name.replace("-", "_")), *infos}
        for row in self.before.get(name, ()):
            folders.add(os.path.join(self.found.path, row.path))
        folders.update(self.asides.with_above(map(os.path.dirname, known)))
        for folder, moved in self.asides.of(sorted(folders)):
            self._sweep_aside(moved, folder, known)
        _sweep_begun(known, infos)

    def _sweep_aside(self, moved: str, folder: str, known: set[str]) -> None:
        """Remove what pip moved aside, but keep what no RECORD names."""
        for at, _, files in os.walk(moved):
            for name in files:
                if name.endswith(".pyc") or folder.endswith(".dist-info"):
                    continue
                path = os.path.join(at, name)
                original = os.path.join(folder, os.path.relpath(path, moved))
                if original not in known and not os.path.lexists(original):
                    self._move_to_left(path)
        shutil.rmtree(moved, ignore_errors=True)

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self.found.path)

    def _within(self, folder: str, path: str) -> str:
        return os.path.join(folder, self._relative(path))


def _sweep_begun(known: set[str], infos: Iterable[str]) -> None:
    """Remove files that Python or pip was writing beside these."""
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


def _lost(dist: Installed, *, is_replaced: bool) -> list[str]:
    """Return the files of a moved version that are gone."""
    if not is_replaced:
        return [path for path in dist.files if not os.path.lexists(path)]
    # Where pip has begun to write another version, its files do not pass for edited ones of this.
    return [path for path, row in dist.files.items() if not _is_original(path, row)]


def _are_at_hand(dist: Installed, damage: Iterable[str]) -> bool:
    """Return True if these files can be put back without a download."""
    for path in damage:
        if not path.endswith(".pyc") and stashed(dist.row(path)) is None:
            return False
    return True


def _is_original(source: str, row: Row) -> bool:
    """Return True if RECORD does not say otherwise of this file."""
    if not row.digest:
        return os.path.isfile(source)
    return is_as_recorded(row, source)


def _is_cut(path: str, original: str) -> bool:
    """Return True if a file is only the beginning of the original."""
    if not original:  # it is not known
        return looks_cut(path)
    # A power loss may leave zeros behind what was written.
    with open(path, "rb") as file:
        content = file.read().rstrip(b"\0")
    with open(original, "rb") as file:
        return file.read().startswith(content)


def _remove(rows: Iterable[Row]) -> None:
    """Remove files that are not edited, and the folders that get empty."""
    for row in rows:
        if not row.digest or is_as_recorded(row):
            with contextlib.suppress(OSError):
                os.unlink(row.path)
                os.rmdir(os.path.dirname(row.path))


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _text(path: str) -> str:
    return os.fsdecode(read_regular(path, _LARGEST) or b"")
