"""What a killed install left, mended: found by its journal, at the next change, under the lock.

pip moves the files of an old version aside (folders beside themselves as `~ame`, single files into
`pip-uninstall-*` in the temporary directory), writes the new one, its RECORD last, then removes the old.
So of each distribution that the install had touched, the new version is kept where it is whole; else the
old one is put back from what lies aside, or exactly that version is installed again from the same sources.

Nothing is deleted that may be somebody else's: what no RECORD names stays, for pip overwrites it when the
package comes again; what must make room goes to `.safepip/left/<number of the journal>`, and is told.
"""

from __future__ import annotations

import contextlib
import glob
import math
import os
import shutil
import sys
import tempfile
import time

from safepip.core.pip_line import read as read_line
from safepip.core.record import Record, changed
from safepip.core.requirement import name_and_version, name_in, normalised_name
from safepip.system.environment import OWN, USABLE, names_in
from safepip.system.processes import is_ancestor

from . import history, inventory, journal
from .create import build
from .image import image_for, put_pip
from .metadata import (
    Row,
    compile_bytecode,
    describe,
    digest_of,
    is_as_recorded,
    is_within,
    record_of,
    requirement,
    rows_by_name,
    source_of,
)
from .pip import run_pip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from safepip.report import Report
    from safepip.system.environment import Environment
    from safepip.system.observe import Context

    from .journal import Heading

_SOURCES = {
    "index_url": "--index-url", "extra_index_urls": "--extra-index-url", "find_links": "--find-links",
    "no_index": "--no-index", "trusted_hosts": "--trusted-host", "pre": "--pre", "cert": "--cert",
    "client_cert": "--client-cert", "proxy": "--proxy",
}  # fmt: skip
_TICK = 20_000_000  # ns by which the starts of processes and the times of files may be told too early
_ASIDE = "-~.=%0123456789"  # what pip puts behind the first ~, see AdjacentTempDirectory


class Damage(Record):
    """A distribution that an interrupted change may have left neither as it was nor as it was to be.

    `info` is where its metadata belongs, `rows` what its RECORD names.
    """

    name: str
    version: str
    info: str
    rows: tuple[Row, ...]
    requested: bool
    origin: str


class Aside(Record):
    """What pip moved away of one distribution: whole folders, and single files; each to where it lies now."""

    folders: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    def has(self, path: str) -> bool:
        """Tell whether the file that belongs at `path` is among them."""
        if any(path == one for one, _ in self.files):
            return True
        within = ((one, moved) for one, moved in self.folders if path.startswith(os.path.join(one, "")))
        return any(os.path.lexists(moved + path[len(one) :]) for one, moved in within)


def heal(environment: str, context: Context, report: Report) -> None:
    """Mend what the change whose journal lies in `environment` left, take the journal away, tell in one line.

    Only what that change touched is looked at, and a file that is there stays as it is, unless pip had put
    it in the place of one that it had moved away. What cannot be mended is tried again at each next change.
    """
    found = context.examine(environment, named=True)
    for name in (journal.DAMAGE, journal.JOURNAL):
        heading = journal.heading(environment, name)
        if heading is None or found.state != USABLE or not _mend(_Left(found, heading, name), context, report):
            journal.end(environment, name)


def _mend(left: _Left, context: Context, report: Report) -> bool:
    """Mend what was left, and tell of it; tell whether something is to be tried again."""
    mended, damaged = left.mend(context)
    called = left.command.subcommand or "change"
    if not left.again:
        _note(left.found.path, left.heading)
    kept = f"; what lay in the way is in {os.path.join(left.found.path, left.kept)}" if left.kept else ""
    if mended:
        which = "an earlier" if left.again else "the last"
        report.say(f"{which} {called} here was interrupted; put right: {', '.join(mended)}{kept}")
    if damaged and not left.again:
        again = " ".join(one.replace(" ", "==") for one in damaged)
        what = f"{', '.join(damaged)} cannot be had from here"
        way = f"later: safepip install --force-reinstall {again}"
        kept = "" if mended else kept
        report.say(f"the last {called} here was interrupted and left damage{kept}; {what}; {way}")
    if damaged:
        journal.keep_damage(left.found.path, left.file, (one.partition(" ")[0] for one in damaged))
    return bool(damaged) and left.again


class _Left:
    """What the killed change left in the environment."""

    def __init__(self, found: Environment, heading: Heading, file: str = journal.JOURNAL) -> None:
        self.found = found
        self.heading = heading
        self.file = file
        self.again = file == journal.DAMAGE
        rows = journal.rows_before(found.path, file)
        self.before = rows_by_name(rows)
        self.names = _folders(rows)
        self.now = rows_by_name(journal.snapshot(found.path))
        self.command = read_line(heading.words, {})
        # What is newer than a living process of the environment's, itself newer than the journal, may be what
        # that one (pip by hand) writes or has moved aside at this moment; the killed one can write no more.
        self.until = _started_since(found.path, heading.since)
        self.kept = ""

    def mend(self, context: Context) -> tuple[list[str], list[str]]:
        """Return what was mended, and what could not be; pip itself comes first, for it mends the others."""
        mended: list[str] = []
        damaged: list[str] = []
        names = set(self.before) if self.again else {*self.before, *self.now}
        for name in sorted(names, key=lambda name: (name != "pip", name)):
            was, now = self.before.get(name, []), self.now.get(name, [])
            coming = [row for row in now if row not in was]
            if coming:
                result = self._coming(name, coming[-1], [row for row in now if row != coming[-1]], context)
            else:
                result = self._going(name, was[-1], context)
            if result is not None:
                (mended if result[0] else damaged).append(result[1])
        asides = (self._info_aside(name, self._path(rows[-1])) for name, rows in self.before.items())
        if not damaged or not any(asides):
            self._sweep()
        return mended, damaged

    def _coming(self, name: str, row: str, others: list[str], context: Context) -> tuple[bool, str] | None:
        """Keep the version that was being installed, and has metadata, if it is whole; else install it again."""
        new, was = self._damage(name, row), self.before.get(name, [])
        called = f"{name} {new.version}"
        if self._is_anothers(new.info):
            return None
        if _is_whole(new):
            for other in others:  # two at once: pip takes either for the installed one
                self._set_aside(self._path(other))
            return (True, called) if others else None
        moved = bool(was) and self._info_aside(name, self._path(was[-1])) is not None
        recorded = os.path.isfile(os.path.join(new.info, "RECORD"))
        if recorded and not moved:
            return self._finish(new, row in was or any(other in was for other in others), called, context)
        if name == "pip" and was and self._put_back(was[-1], new):
            return True, "pip"
        room = [self._set_aside(self._path(one)) for one in (row, *others)]
        if self._install(new, context):
            self._drop_copies(room[0], new.info)
            return True, called
        if was:
            former = name_and_version(self._path(was[-1]))[1]
            return self._put_back(was[-1], new, forced=True), f"{name} {former}"
        return True, f"{called} (not installed)"

    def _finish(self, new: Damage, former: bool, called: str, context: Context) -> tuple[bool, str] | None:
        """Install again what lacks nothing but pip's own last words, or may be a wheel that was unpacked by hand.

        Only if nothing in it is edited, no `former` one stands beside it (pip moves that away first), and what
        the sources give is the same: then it takes nothing away.
        """
        if former or _is_edited(new):
            return None
        with self._elsewhere(new) as folder:
            if folder is None:
                return False, called
            there = [row for row in new.rows if row.digest and os.path.lexists(row.path)]
            if not all(is_as_recorded(row, self._at(folder, row.path)) for row in there):
                return None
        return self._install(new, context), called

    def _going(self, name: str, row: str, context: Context) -> tuple[bool, str] | None:
        """Put back what pip has moved away, or removed, of the version that was there and is all there is."""
        info = self._path(row)
        moved = None if os.path.isdir(info) else self._info_aside(name, info)
        if moved is None and not os.path.isdir(info):
            return None  # it was removed
        old = self._damage(name, row, at=moved)
        replaced = moved is not None  # else pip had not begun to write: what differs was edited
        aside = self._aside(old.rows, replaced=replaced)
        lost = [one for one in old.rows if not aside.has(one.path) and self._is_lost(one, replaced=replaced)]
        needed = [one for one in lost if not one.path.endswith(".pyc")]
        if moved is None and not needed and not aside.folders and not aside.files:
            compile_bytecode(self.found, lost)
            return None
        called = f"{name} {old.version}"
        if needed and self._was_to_go(name):
            _remove(old.rows)
            return True, f"{called} (removed)"
        self._move_back(aside)
        if needed and not self._fetch(old, needed, context):
            self._clear(needed)
            return False, called
        compile_bytecode(self.found, lost)
        return True, called

    def _put_back(self, row: str, new: Damage, *, forced: bool = False) -> bool:
        """Put the old version back in place of the new one; tell whether what pip moved aside is all of it.

        Where it is not, it is left alone unless `forced`.
        """
        info = self._path(row)
        moved = self._info_aside(new.name, info)
        if moved is None:
            return False
        old = self._damage(new.name, row, at=moved)
        aside = self._aside(old.rows, replaced=True)
        lost = [one for one in old.rows if not aside.has(one.path) and self._is_lost(one, replaced=True)]
        exact = all(one.path.endswith(".pyc") for one in lost)
        if not exact and not forced:
            return False
        kept = {one.path for one in old.rows}
        _remove(one for one in new.rows if one.path not in kept)
        if os.path.isdir(new.info):
            self._set_aside(new.info)
        self._move_back(aside)
        self._clear(lost)
        compile_bytecode(self.found, lost)
        return exact

    def _install(self, wanted: Damage, context: Context) -> bool:
        """Install exactly this version anew, from the sources of the line and the user's own."""
        if wanted.name == "pip":
            return pip_again(self.found, context)
        if run_pip(self.found, ("install", "--no-deps", "--force-reinstall", *self._named(wanted))):
            return False
        if not wanted.requested:
            describe(self.found, wanted.name, requested=False)
        return True

    def _fetch(self, old: Damage, rows: Sequence[Row], context: Context) -> bool:
        """Put exactly the missing files back: of the same version, installed elsewhere for the purpose.

        Installing it over itself would take away what the user has edited.
        """
        if old.name == "pip":
            return pip_again(self.found, context)
        with self._elsewhere(old) as folder:
            for row in rows:
                source = self._at(folder, row.path) if folder is not None else ""
                if not os.path.isfile(source) or (row.digest and digest_of(source) != row.digest):
                    return False
                os.makedirs(os.path.dirname(row.path), exist_ok=True)
                if os.path.lexists(row.path):
                    self._set_aside(row.path)
                shutil.move(source, row.path)
        return True

    @contextlib.contextmanager
    def _elsewhere(self, wanted: Damage) -> Iterator[str | None]:
        """Install exactly this version elsewhere; give the folder, None where it cannot be had."""
        with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
            words = ("install", "--no-deps", "--ignore-installed", "--no-warn-script-location", "--prefix", folder)
            yield None if run_pip(self.found, (*words, *self._named(wanted))) else folder

    def _at(self, folder: str, path: str) -> str:
        return os.path.join(folder, os.path.relpath(path, self.found.path))

    def _named(self, wanted: Damage) -> tuple[str, ...]:
        state = history.State(version=wanted.version, origin=wanted.origin)
        patience = ("--retries", "0") if self.again else ()
        return (*patience, *sources(self.heading.words, self.heading.cwd), *requirement(wanted.name, state))

    def _sweep(self) -> None:
        """Remove what pip had moved aside of what was there before, and bytecode that was being written."""
        for name, rows in self.before.items():
            infos = {self._path(row) for row in (*rows, *self.now.get(name, []))}
            moved = [(info, self._info_aside(name, info)) for info in sorted(infos)]
            pairs = [*moved, *((info, None) for info in sorted(infos))]
            files = {row.path for info, at in pairs for row in record_of(info, self.found.site, at)}
            folders = {parent for path in files for parent in self._parents(path)}
            stems = {os.path.join(self.found.site, name), os.path.join(self.found.site, name.replace("-", "_"))}
            for folder in sorted(folders | infos | stems):
                for gone in list(self._moved(folder)):
                    _discard(gone)
        for rows in (*self.before.values(), *self.now.values()):
            files = {row.path for row in record_of(self._path(rows[-1]), self.found.site)}
            self._sweep_bytecode(files)
            info = self._path(rows[-1])
            for path in (os.path.join(info, name) for name in sorted(names_in(info)) if _is_begun_metadata(name)):
                if self._is_of_then(path):
                    _discard(path)

    def _sweep_bytecode(self, files: set[str]) -> None:
        """Remove what Python was writing beside these files: name.pyc.12345, which it renames when it is whole."""
        sources = {path for path in files if path.endswith(".py")}
        for folder in {os.path.join(os.path.dirname(path), "__pycache__") for path in sources}:
            for path in (
                os.path.join(folder, name) for name in sorted(names_in(folder)) if _is_begun_bytecode(name)
            ):
                if source_of(path) in sources and self._is_of_then(path):
                    _discard(path)

    def _set_aside(self, path: str) -> str:
        """Move what may not be ours to delete out of the way; return where it is now."""
        self.kept = self.kept or os.path.join(OWN, "left", self.heading.number)
        target = self._at(os.path.join(self.found.path, self.kept), path)
        while os.path.lexists(target):
            target += "~"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(path, target)
        return target

    def _clear(self, rows: Iterable[Row]) -> None:
        """Set aside what the new version has in place of files that are lost: missing, they are known as such."""
        for row in rows:
            if os.path.lexists(row.path):
                self._set_aside(row.path)

    def _drop_copies(self, kept: str, info: str) -> None:
        """Remove metadata that was set aside, if all in it is what pip has written anew at `info`."""
        names = [name for name in sorted(names_in(kept)) if not name.startswith(("RECORD", "INSTALLER"))]
        if any(digest_of(os.path.join(kept, name)) != digest_of(os.path.join(info, name)) for name in names):
            return
        shutil.rmtree(kept, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.removedirs(os.path.dirname(kept))
        if not os.path.isdir(os.path.join(self.found.path, self.kept)):
            self.kept = ""

    def _move_back(self, aside: Aside) -> None:
        """Put back what pip has moved away; what lies in place of a folder was written since, by whomever."""
        for folder, moved in aside.folders:
            if os.path.lexists(folder):
                if folder == os.path.join(self.found.site, "pip"):  # large, and pip's alone
                    shutil.rmtree(folder, ignore_errors=True)
                else:
                    self._set_aside(folder)
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            os.rename(moved, folder)
        for path, moved in aside.files:
            if os.path.lexists(path):
                self._set_aside(path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.move(moved, path)

    # -- what lies where

    def _path(self, row: str) -> str:
        return os.path.join(self.found.path, journal.unescaped(row.split("\t")[1]))

    def _damage(self, name: str, row: str, *, at: str | None = None) -> Damage:
        """Return what the row's distribution consists of; `at` is where its metadata lies for now."""
        fields, info = row.split("\t"), self._path(row)
        asked = any(_is_named(name, typed) for typed in self.command.requirements)
        known = row in self.before.get(name, [])
        return Damage(
            name=name,
            version=name_and_version(info)[1],
            info=info,
            rows=tuple(record_of(info, self.found.site, at)),
            requested=bool(fields[3]) or (asked and not known),
            origin=journal.unescaped(fields[4]),
        )

    def _was_to_go(self, name: str) -> bool:
        """Tell whether the killed line was to remove this distribution."""
        command = self.command
        named = any(_is_named(name, typed) for typed in command.requirements)
        return command.subcommand == "uninstall" and (named or bool(command.r_files))

    def _info_aside(self, name: str, info: str) -> str | None:
        """Return where pip has moved the metadata folder `info` of this distribution, if it has."""
        return next((path for path in self._moved(info) if _says_name(path, name)), None)

    def _moved(self, path: str) -> Iterator[str]:
        """Yield the folders that pip may have moved the folder `path` to: of like name, not there before."""
        folder, name = os.path.split(path)
        known = self.names.get(os.path.relpath(folder, self.found.path), ())
        for other in sorted(names_in(folder)):
            moved = os.path.join(folder, other)
            if other in known or not _is_aside(other, name) or os.path.islink(moved):
                continue
            if os.path.isdir(moved) and self._is_of_then(moved):
                yield moved

    def _is_of_then(self, path: str) -> bool:
        """Tell whether it is this user's, and came to lie here while the killed change may have lived."""
        return _is_mine(path) and self.heading.since <= _since(path) < self.until

    def _is_anothers(self, info: str) -> bool:
        """Tell whether metadata that is new is not the killed pip's: another tool's, of another time or user."""
        try:
            with open(os.path.join(info, "INSTALLER"), "rb") as file:
                installer = file.read(99).strip()
        except OSError:
            installer = b""
        found = [info, *(os.path.join(info, name) for name in sorted(names_in(info)))]
        if installer not in {b"", b"pip"} or any(_since(path) >= self.until for path in found):
            return True
        # pip writes its files with the time of now; tools that unpack or copy keep those of the archive.
        return not _is_mine(info) or any(os.lstat(path).st_mtime_ns < self.heading.since for path in found[1:])

    def _aside(self, rows: Sequence[Row], *, replaced: bool) -> Aside:
        """Return what pip has moved away of these files; a folder counts if one file in it is as recorded."""
        folders: dict[str, str] = {}
        for folder in dict.fromkeys(parent for row in rows for parent in self._parents(row.path)):
            for moved in self._moved(folder):
                inner = [row for row in rows if row.path.startswith(os.path.join(folder, ""))]
                if any(is_as_recorded(row, moved + row.path[len(folder) :]) for row in inner):
                    folders[folder] = moved
        whole = Aside(folders=tuple(folders.items()))
        left = [row for row in rows if not whole.has(row.path) and self._is_lost(row, replaced=replaced)]
        pairs = ((row.path, _in_temporary(row)) for row in left)
        return Aside(folders=whole.folders, files=tuple((path, source) for path, source in pairs if source))

    def _parents(self, path: str) -> Iterator[str]:
        """Yield the folders that the file lies in, below the folder of all distributions."""
        at = os.path.dirname(path)
        while at.startswith(os.path.join(self.found.site, "")):
            yield at
            at = os.path.dirname(at)

    def _is_lost(self, row: Row, *, replaced: bool) -> bool:
        """Tell whether the file is gone since the change began, or another was put in its place.

        Only where pip has moved all of a distribution away, its metadata too, can it have `replaced` a file.
        """
        if os.path.lexists(row.path):
            return (
                replaced
                and bool(row.digest)
                and _since(row.path) >= self.heading.since
                and not is_as_recorded(row)
            )
        folder, name = os.path.split(row.path)
        known = self.names.get(os.path.relpath(folder, self.found.path))
        if known is not None:
            return name in known and _since(folder) < self.until
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        return self.heading.since <= _since(folder) < self.until


def sources(words: Sequence[str], cwd: str) -> tuple[str, ...]:
    """Return the options of a line that say where distributions come from, paths made absolute."""
    found = []
    for _, dest, value in read_line(words, {}).options:
        option = _SOURCES.get(dest)
        if option is not None:
            path = value if value is None or "://" in value or value.startswith("file:") else None
            local = dest in {"find_links", "cert", "client_cert"} and value is not None and path is None
            found += [option] if value is None else [option, os.path.join(cwd, value) if local else value]
    return tuple(found)


def pip_again(found: Environment, context: Context) -> bool:
    """Put pip in from the image; without one safepip's own serves, once no half one is in its way."""
    shutil.rmtree(os.path.join(found.site, "pip"), ignore_errors=True)
    for name in sorted(names_in(found.site)):
        if name.startswith("pip-") and name.endswith(".dist-info"):
            shutil.rmtree(os.path.join(found.site, name), ignore_errors=True)
    base = found.base
    image = base and image_for(base, context.cache, lambda at: build(at, base, context.cache, pip=False))
    if image:
        put_pip(image, found.path, found.python, found.site)
    return True


def _note(environment: str, heading: Heading) -> None:
    """Put what the killed change has done after all into the history."""
    rows = journal.snapshot(environment)
    entries = history.read(environment)
    noted = any(entry.id == heading.number for entry in entries)
    before = journal.distributions(environment) if noted else journal.rows_before(environment)
    found = history.changes(history.installed(before), history.installed(rows))
    if not found:
        return
    entry = history.Entry(
        id=heading.number,
        time=heading.time,
        kind=history.PIP,
        words=heading.words,
        cwd=heading.cwd,
        outside=heading.outside,
        further="created" if heading.created else "",
        changes=found,
    )
    with contextlib.suppress(OSError):
        history.leave(environment, rows)
        history.append(environment, changed(entry, id=journal.next_number(environment)) if noted else entry)


def _folders(rows: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the names in each folder that the rows tell of; folders relative to the environment."""
    fields = [row.split("\t") for row in rows if row.startswith("n\t") and row.count("\t") == 2]
    told = {journal.unescaped(one[1]): frozenset(journal.unpacked(one[2])) for one in fields}
    return {folder: names for folder, names in told.items() if is_within(folder)}


def _is_whole(damage: Damage) -> bool:
    """Tell whether pip got as far as writing its own RECORD, and no file was cut off by a crash."""
    info = [os.path.join(damage.info, name) for name in ("METADATA", "INSTALLER", "RECORD")]
    named = {one.path for one in damage.rows}
    if not all(path in named and os.path.isfile(path) for path in info):
        return False
    last = os.stat(info[-1]).st_mtime_ns
    return all(os.path.lexists(one.path) and not _is_cut_off(one, last) for one in damage.rows)


def _is_cut_off(row: Row, last: int) -> bool:
    """Tell whether the file has another size than recorded, and not because it was edited since."""
    stat = os.lstat(row.path)
    return row.size is not None and stat.st_size != row.size and stat.st_mtime_ns <= last


def _is_edited(damage: Damage) -> bool:
    """Tell whether a file is not as recorded, and was written after RECORD, which comes last."""
    last = os.stat(os.path.join(damage.info, "RECORD")).st_mtime_ns
    others = (row for row in damage.rows if row.digest and os.path.lexists(row.path))
    return any(os.lstat(row.path).st_mtime_ns > last and not is_as_recorded(row) for row in others)


def _remove(rows: Iterable[Row]) -> None:
    """Remove files, but not such as were edited, and the folders that get empty."""
    for row in rows:
        if not row.digest or is_as_recorded(row):
            with contextlib.suppress(OSError):
                os.unlink(row.path)
                os.rmdir(os.path.dirname(row.path))


def _in_temporary(row: Row) -> str | None:
    """Return where in the temporary directory pip has put the file, if what lies there is exactly that."""
    parts = row.path.split(os.sep)
    for folder in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), "pip-uninstall-*")):
        for depth in (1, 2, 3):
            path = os.path.join(folder, *parts[-depth:])
            if os.path.isfile(path) and _is_mine(path) and is_as_recorded(row, path):
                return path
    return None


def _discard(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _is_aside(name: str, original: str) -> bool:
    """Tell whether pip would call the folder `original` so while it is moved aside.

    A ~ takes the place of its first letter, further signs that of the next ones; or all stand in front.
    """
    if name[:1] != "~":
        return False
    if len(name) != len(original):
        return name.endswith(original) and all(char in _ASIDE for char in name[1 : -len(original)])
    same = next(index for index in range(len(name) + 1) if name[index:] == original[index:])
    return same < len(name) and all(char in _ASIDE for char in name[1:same])


def _says_name(info: str, name: str) -> bool:
    """Tell whether the metadata in the folder is of that distribution."""
    try:
        with open(os.path.join(info, "METADATA"), encoding="utf-8", errors="replace") as file:
            said = next((line[5:].strip() for line in file if line.startswith("Name:")), "")
    except OSError:
        return False
    return normalised_name(said) == name


def _is_begun_bytecode(name: str) -> bool:
    """Tell whether a file is bytecode that Python was writing."""
    stem, _, number = name.rpartition(".")
    return stem.endswith(".pyc") and number.isdecimal()


def _is_begun_metadata(name: str) -> bool:
    """Tell whether a file is metadata that pip was writing: named by tempfile, eight signs long."""
    stem, end = os.path.splitext(name)
    return end == ".tmp" and stem[:-8] in {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"}


def _started_since(path: str, since: int) -> float:
    """Return when the first of those processes was started that is younger than `since`, in ns; never: infinity.

    Those that wait for this one do not count. Where the system does not tell (no /proc), there is none.
    """
    started = (_started(process) for process in inventory.users(path) if not is_ancestor(process))
    return min((time for time in started if time >= since - _TICK), default=math.inf)


def _started(process: int) -> float:
    """Return when a process was started, in ns: proc(5) has it in ticks since the system's start."""
    if sys.platform != "linux":
        return 0
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time_ns() - age * 1_000_000_000


def _since(path: str) -> int:
    """Return when the file or folder was last written or moved, in ns."""
    stat = os.lstat(path)
    return max(stat.st_mtime_ns, stat.st_ctime_ns)


def _is_mine(path: str) -> bool:
    return not hasattr(os, "geteuid") or os.lstat(path).st_uid == os.geteuid()


def _is_named(name: str, typed: str) -> bool:
    """Tell whether a requirement as typed names this distribution; a path does not."""
    return name_in(typed) == name
