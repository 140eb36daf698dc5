"""What a killed install left, mended: found by its journal, at the next change, under the lock.

pip moves the files of an old version aside (folders beside themselves as `~ame`, single files into
`pip-uninstall-*` in the temporary directory), writes the new one, its RECORD last, then removes the old.
So of each distribution that the install had touched, the new version is kept where it is whole; else the
old one is put back from what lies aside, or exactly that version is installed again from the same sources.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import tempfile

from safepip._record import Record, changed
from safepip.command import normalised_name
from safepip.command import read as read_line
from safepip.environment import USABLE

from . import history, journal
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

    from safepip.context import Context
    from safepip.environment import Environment
    from safepip.report import Report

    from .journal import Heading

_SOURCES = {
    "index_url": "--index-url", "extra_index_urls": "--extra-index-url", "find_links": "--find-links",
    "no_index": "--no-index", "trusted_hosts": "--trusted-host", "pre": "--pre", "cert": "--cert",
    "client_cert": "--client-cert", "proxy": "--proxy",
}  # fmt: skip
_PAUSE = 30_000_000_000  # ns between two files that pip did not write in one go
# What people and other tools put there by hand, without metadata.
_OTHERS = (".pth", ".egg", ".egg-link", ".egg-info", ".dist-info", "sitecustomize.py", "usercustomize.py")
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
    if mended:
        which = "an earlier" if left.again else "the last"
        report.say(f"{which} {called} here was interrupted; put right: {', '.join(mended)}")
    if damaged and not left.again:
        again = " ".join(one.replace(" ", "==") for one in damaged)
        what = f"{', '.join(damaged)} cannot be had from here"
        way = f"later: safepip install --force-reinstall {again}"
        report.say(f"the last {called} here was interrupted and left damage; {what}; {way}")
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
        begun = [] if self.again else self._remove_begun()
        return [*mended, *(f"{name} (taken away again)" for name in begun)], damaged

    def _coming(self, name: str, row: str, others: list[str], context: Context) -> tuple[bool, str] | None:
        """Keep the version that was being installed, and has metadata, if it is whole; else install it again."""
        new, was = self._damage(name, row), self.before.get(name, [])
        called = f"{name} {new.version}"
        if _is_whole(new):
            for other in others:  # two at once: pip takes either for the installed one
                shutil.rmtree(self._path(other), ignore_errors=True)
            return (True, called) if others else None
        if name == "pip" and was and self._put_back(was[-1], new):
            return True, "pip"
        for one in (row, *others):
            shutil.rmtree(self._path(one), ignore_errors=True)
        if self._install(new, context):
            return True, called
        if was:
            former = journal.name_and_version(self._path(was[-1]))[1]
            return self._put_back(was[-1], new, forced=True), f"{name} {former}"
        _remove(new.rows)
        return True, f"{called} (taken away again)"

    def _going(self, name: str, row: str, context: Context) -> tuple[bool, str] | None:
        """Put back what pip has moved away, or removed, of the version that was there and is all there is."""
        info = self._path(row)
        moved = None if os.path.isdir(info) else self._info_aside(name, info)
        if moved is None and not os.path.isdir(info):
            return None  # it was removed
        old = self._damage(name, row, at=moved)
        aside = self._aside(old.rows)
        lost = [one for one in old.rows if not aside.has(one.path) and self._is_lost(one)]
        needed = [one for one in lost if not one.path.endswith(".pyc")]
        if moved is None and not needed and not aside.folders and not aside.files:
            compile_bytecode(self.found, lost)
            return None
        called = f"{name} {old.version}"
        if needed and self._was_to_go(name):
            _remove(old.rows)
            return True, f"{called} (removed)"
        _move_back(aside)
        if needed and not self._fetch(old, needed, context):
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
        aside = self._aside(old.rows)
        lost = [one for one in old.rows if not aside.has(one.path) and self._is_lost(one)]
        exact = all(one.path.endswith(".pyc") for one in lost)
        if not exact and not forced:
            return False
        kept = {one.path for one in old.rows}
        _remove(one for one in new.rows if one.path not in kept)
        shutil.rmtree(new.info, ignore_errors=True)
        _move_back(aside)
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
        with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
            words = ("install", "--no-deps", "--ignore-installed", "--no-warn-script-location", "--prefix", folder)
            if run_pip(self.found, (*words, *self._named(old))):
                return False
            for row in rows:
                source = os.path.join(folder, os.path.relpath(row.path, self.found.path))
                if not os.path.isfile(source) or (row.digest and digest_of(source) != row.digest):
                    return False
                os.makedirs(os.path.dirname(row.path), exist_ok=True)
                shutil.move(source, row.path)
        return True

    def _named(self, wanted: Damage) -> tuple[str, ...]:
        state = history.State(version=wanted.version, origin=wanted.origin)
        patience = ("--retries", "0") if self.again else ()
        return (*patience, *sources(self.heading.words, self.heading.cwd), *requirement(wanted.name, state))

    def _sweep(self) -> None:
        """Remove what pip had moved aside (~ first, not there before), and bytecode that was being written."""
        for folder, names in self.names.items():
            path = os.path.join(self.found.path, folder)
            for name in _listed(path):
                if name.startswith("~") and name not in names:
                    _discard(os.path.join(path, name))
        for rows in (*self.before.values(), *self.now.values()):
            inner = {os.path.dirname(row.path) for row in record_of(self._path(rows[-1]), self.found.site)}
            for path in inner - {os.path.join(self.found.path, folder) for folder in self.names}:
                left = [os.path.join(path, name) for name in _listed(path) if _is_left(name)]
                for moved in left:
                    if _since(moved) >= self.heading.since:
                        _discard(moved)

    def _remove_begun(self) -> list[str]:
        """Remove the files of what was killed before it had metadata; return the names of their packages.

        They are no distribution's, and began to be when the change had: in one go, so what came after a
        pause is somebody else's.
        """
        found = self._begun()
        last = found[0][0] if found else 0
        packages = set()
        for since, path in found:
            if since - last > _PAUSE:
                break
            last = since
            _discard(path)
            packages.add(self._package_of(path))
        for folder in sorted({os.path.dirname(path) for _, path in found}, reverse=True):
            self._prune(folder)
        return sorted(packages - {""})

    def _begun(self) -> list[tuple[int, str]]:
        """Return new files that no distribution names, in the order of their times."""
        infos = (
            self._path(row) for rows in rows_by_name(journal.snapshot(self.found.path)).values() for row in rows
        )
        named = {row.path for info in infos for row in record_of(info, self.found.site)}
        found = {path for path in self._new_files() if path not in named and _is_mine(path)}
        found -= {path for path in found if path.endswith(".pyc") and _has_source(path, found)}
        dated = ((_since(path), path) for path in found)
        return sorted(one for one in dated if one[0] >= self.heading.since)

    def _new_files(self) -> Iterator[str]:
        """Yield the files of what was not there before; none where new metadata may not name its own."""
        tops = [(os.path.join(self.found.path, folder), names) for folder, names in self.names.items()]
        new = [os.path.join(top, name) for top, names in tops for name in _listed(top) if name not in names]
        if any(path.endswith((".egg-info", ".egg-link")) for path in new):
            return
        for path in (*new, *(os.path.join(top, "__pycache__") for top, _ in tops)):
            yield from _files_of(path)

    def _package_of(self, path: str) -> str:
        """Return the name that what lies at the path is imported by; nothing for bytecode and programs."""
        top = os.path.relpath(path, self.found.site).split(os.sep)[0]
        return "" if top in {os.pardir, "__pycache__"} else top.partition(".")[0]

    def _prune(self, folder: str) -> None:
        """Remove a folder that got empty, and those above that do, up to where distributions lie."""
        tops = {os.path.join(self.found.path, top) for top in self.names}
        while folder not in tops and folder.startswith(self.found.path):
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = os.path.dirname(folder)

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
            version=journal.name_and_version(info)[1],
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
        for other in _listed(folder):
            if other not in known and _is_aside(other, name) and os.path.isdir(os.path.join(folder, other)):
                yield os.path.join(folder, other)

    def _aside(self, rows: Sequence[Row]) -> Aside:
        """Return what pip has moved away of these files; a folder counts if one file in it is as recorded."""
        folders: dict[str, str] = {}
        for folder in dict.fromkeys(parent for row in rows for parent in self._parents(row.path)):
            for moved in self._moved(folder):
                inner = [row for row in rows if row.path.startswith(os.path.join(folder, ""))]
                if any(is_as_recorded(row, moved + row.path[len(folder) :]) for row in inner):
                    folders[folder] = moved
        whole = Aside(folders=tuple(folders.items()))
        left = [row for row in rows if not whole.has(row.path) and self._is_lost(row)]
        pairs = ((row.path, _in_temporary(row)) for row in left)
        return Aside(folders=whole.folders, files=tuple((path, source) for path, source in pairs if source))

    def _parents(self, path: str) -> Iterator[str]:
        """Yield the folders that the file lies in, below the folder of all distributions."""
        at = os.path.dirname(path)
        while at.startswith(os.path.join(self.found.site, "")):
            yield at
            at = os.path.dirname(at)

    def _is_lost(self, row: Row) -> bool:
        """Tell whether the file is gone since the change began, or another was put in its place."""
        if os.path.lexists(row.path):
            return bool(row.digest) and _since(row.path) >= self.heading.since and not is_as_recorded(row)
        folder, name = os.path.split(row.path)
        known = self.names.get(os.path.relpath(folder, self.found.path))
        if known is not None:
            return name in known
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        return _since(folder) >= self.heading.since


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
    for name in _listed(found.site):
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


def _remove(rows: Iterable[Row]) -> None:
    """Remove files, but not such as were edited, and the folders that get empty."""
    for row in rows:
        if not row.digest or is_as_recorded(row):
            with contextlib.suppress(OSError):
                os.unlink(row.path)
                os.rmdir(os.path.dirname(row.path))


def _move_back(aside: Aside) -> None:
    """Put back what pip has moved away; what lies in place of a folder was written since."""
    for folder, moved in aside.folders:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.rename(moved, folder)
    for path, moved in aside.files:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.move(moved, path)


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


def _is_left(name: str) -> bool:
    """Tell whether a file or folder is one that pip moved aside, or bytecode that Python was writing."""
    stem, _, number = name.rpartition(".")
    return name.startswith("~") or (stem.endswith(".pyc") and number.isdecimal())


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _has_source(bytecode: str, going: set[str]) -> bool:
    """Tell whether the source of a file of bytecode is there, and not among those that are going."""
    source = source_of(bytecode)
    return os.path.isfile(source) and source not in going


def _is_of_package(path: str) -> bool:
    """Tell whether a .pth imports something, as those of packages do: else Python complains at its start."""
    if not path.endswith(".pth") or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return os.path.basename(path).startswith("__editable__") or file.read(4096).lstrip().startswith(b"import ")


def _files_of(path: str) -> Iterator[str]:
    """Yield the regular files at and below a path; others' things, and links, are left out."""
    if os.path.islink(path) or (path.endswith(_OTHERS) and not _is_of_package(path)):
        return
    if os.path.isfile(path):
        yield path
    for name in _listed(path):
        yield from _files_of(os.path.join(path, name))


def _since(path: str) -> int:
    """Return when the file or folder was last written or moved, in ns."""
    stat = os.lstat(path)
    return max(stat.st_mtime_ns, stat.st_ctime_ns)


def _is_mine(path: str) -> bool:
    return not hasattr(os, "geteuid") or os.lstat(path).st_uid == os.geteuid()


def _is_named(name: str, typed: str) -> bool:
    """Tell whether a requirement as typed names this distribution; a path does not."""
    if os.sep in typed.partition("@")[0]:
        return False
    end = next((index for index, char in enumerate(typed) if char in "[<>=!~;@ ("), len(typed))
    return normalised_name(typed[:end]) == name
