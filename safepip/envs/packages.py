"""Get distributions, install and remove them, put files back: recovery, repair and undo are made of these.

What is got goes into a folder of its own first. Only then is the environment touched, under its lock, and a
change that fails puts every file back.
"""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
import shutil
import subprocess
from urllib.parse import urlsplit
from urllib.request import url2pathname

from virtualenv.seed.wheels.embed import get_embed_wheel

from safepip.core.pip_line import read as read_line
from safepip.core.record import Record, replace
from safepip.core.requirement import name_and_version
from safepip.system.environment import names_in
from safepip.system.files import replace_file, umask

from .history import PIP, State
from .on_disk import sync
from .pip import run_pip
from .verify import digest_in, digest_of, metadata_by_name, record_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from safepip.core.world import Environment

    from .history import Entry
    from .verify import Row

_SOURCES = {
    "index_url": "--index-url", "extra_index_urls": "--extra-index-url", "find_links": "--find-links",
    "no_index": "--no-index", "trusted_hosts": "--trusted-host", "pre": "--pre", "cert": "--cert",
    "client_cert": "--client-cert", "proxy": "--proxy",
}  # fmt: skip


# An import fails at bytecode whose header is right and whose end is missing. Only its own Python can read it.
_CUT_BYTECODE = """
import importlib.util, marshal, os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(sys.implementation.cache_tag + ".pyc"):
            with open(path, "rb") as file:
                content = file.read()
            if content[:4] == importlib.util.MAGIC_NUMBER or not content:
                try:
                    marshal.loads(content[16:])
                except Exception:
                    sys.stdout.buffer.write(os.fsencode(path) + b"\\0")
"""


class Wanted(Record):
    """A distribution to get: its `name` and `state`, and pip's options that say from where."""

    name: str
    state: State
    sources: tuple[str, ...] = ()

    @property
    def called(self) -> str:
        """Return its name and version for the user's eyes."""
        return f"{self.name} {self.state.version}"

    @property
    def words(self) -> tuple[str, ...]:
        """Return pip's words for exactly this distribution."""
        return requirement(self.name, self.state)

    @property
    def is_of_vcs(self) -> bool:
        """Return True if it came from version control, which may name the same commit otherwise."""
        return '"vcs_info"' in self.state.origin

    @property
    def is_editable(self) -> bool:
        """Return True if it is installed from a folder of the user's, in place."""
        return self.words[0] == "-e"


class FailedError(Exception):
    """Distributions could not be fetched, installed or removed: `what` failed, and pip's reason."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why)
        self.what = what
        self.why = why


# -- which words name a distribution again


def sources(words: Sequence[str], cwd: str) -> tuple[str, ...]:
    """Return the options of a line that say where distributions come from, paths made absolute."""
    found = []
    for _, dest, value in read_line(words, {}).options:
        option = _SOURCES.get(dest)
        if option is None:
            continue
        found.append(option)
        if value is not None:
            found.append(_absolute(dest, value, cwd))
    return tuple(found)


def again(name: str, state: State, entries: Sequence[Entry]) -> Wanted:
    """Return a distribution to get from where it came before, by the history."""
    return Wanted(name=name, state=state, sources=sources_in(entries, name, state))


def sources_in(entries: Sequence[Entry], name: str, state: State) -> tuple[str, ...]:
    """Return the options on sources of the line that installed this version, by the history."""
    for entry in reversed(entries):
        for one in entry.changes:
            if one.name == name and state.same(one.after) and entry.kind == PIP:
                return sources(entry.words, entry.cwd)
    return ()


def _absolute(dest: str, value: str, cwd: str) -> str:
    if dest not in {"find_links", "cert", "client_cert"}:
        return value
    if "://" in value or value.startswith("file:"):
        return value
    return os.path.join(cwd, value)


def requirement(name: str, wanted: State) -> tuple[str, ...]:
    """Return the words for pip that name exactly this distribution: its version, or where it came from."""
    if not wanted.origin:
        return (f"{name}=={wanted.version}",)
    try:
        return _by_origin(name, json.loads(wanted.origin))
    except (ValueError, TypeError, KeyError, AttributeError):  # an egg-link: the first line is the folder
        return ("-e", wanted.origin.split("\n")[0])


def _by_origin(name: str, origin: Any) -> tuple[str, ...]:
    """Return the words for a direct_url.json (packaging.python.org, "Direct URL Data Structure")."""
    url, below = origin["url"], origin.get("subdirectory")
    fragments = []
    if below:
        fragments.append(f"subdirectory={below}")
    vcs, archive = origin.get("vcs_info"), origin.get("archive_info") or {}
    digest = (archive.get("hashes") or {}).get("sha256")
    if digest:
        fragments.insert(0, f"sha256={digest}")
    fragment = "&".join(fragments)
    if fragment:
        fragment = f"#{fragment}"
    if origin.get("dir_info", {}).get("editable"):
        return ("-e", url2pathname(urlsplit(url).path) + fragment)
    if vcs:
        return (f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}{fragment}",)
    return (f"{name} @ {url}{fragment}",)


# -- fetched, with nothing touched


def fetch(found: Environment, wanted: Sequence[Wanted], folder: str, *, patient: bool = True) -> None:
    """Put a wheel of each into the folder, or raise FailedError. Editable ones are left out.

    All with the same sources are asked for at once, and one by one if that fails, to name the missing one.
    """
    groups: dict[tuple[str, ...], list[Wanted]] = {}
    for one in wanted:
        if not one.is_editable:
            groups.setdefault(one.sources, []).append(one)
    for group in groups.values():
        if len(group) > 1 and not _wheels(found, group, folder, patient=patient):
            continue
        for one in group:
            failed = _wheel(found, one, folder, patient=patient)
            if failed:
                raise FailedError(f"could not get {one.called}", failed)


def _wheel(found: Environment, one: Wanted, folder: str, *, patient: bool) -> str:
    failed = _wheels(found, [one], folder, patient=patient)
    if failed and one.name == "pip" and one.state.origin:  # from a wheel that safepip had then
        failed = _wheels(found, [_plain(one)], folder, patient=patient)
    return failed


def _plain(one: Wanted) -> Wanted:
    return Wanted(name=one.name, state=replace(one.state, origin=""))


def _wheels(found: Environment, group: Sequence[Wanted], folder: str, *, patient: bool) -> str:
    """Put wheels of these into the folder; return why that failed, or empty."""
    words = ["wheel", "--no-deps", "--wheel-dir", folder]
    if not patient:
        words += ["--retries", "0"]
    words += group[0].sources
    for one in group:
        words += one.words
    failed = run_pip(found, words, spare=any(one.name == "pip" for one in group))
    if failed:
        return failed
    have = wheels_in(folder)
    for one in group:
        if not _is_it(one, have.get(one.name)):
            return f"{one.name} has version {have.get(one.name)} there now"
    return ""


def _is_it(one: Wanted, version: str | None) -> bool:
    """Return True if the version is the wanted one."""
    if version is None:
        return False
    return one.is_of_vcs or version == one.state.version


def wheels_in(folder: str) -> dict[str, str]:
    """Return name and version of each wheel in the folder."""
    return dict(name_and_version(name) for name in names_in(folder) if name.endswith(".whl"))


def unpack(
    found: Environment, wanted: Wanted, folder: str, *, patient: bool = True, compiled: bool = True
) -> bool:
    """Install exactly this distribution below `folder` as it would lie in the environment.

    Without `compiled`, which takes longer than the rest, it has no bytecode, nor does its RECORD name any.
    """
    words = ["install", "--no-deps", "--ignore-installed", "--no-warn-script-location", "--prefix", folder]
    if not patient:
        words += ["--retries", "0"]
    if not compiled:
        words.append("--no-compile")
    return not run_pip(found, (*words, *wanted.sources, *wanted.words), spare=wanted.name == "pip")


# -- carried out


def install(found: Environment, coming: Sequence[Wanted], folder: str, *, lock: int | None = None) -> None:
    """Install from the wheels in the folder, pip itself last, and editable ones from where they lie."""
    plain = [one for one in coming if not one.is_editable]
    _install_wheels(found, [one for one in plain if one.name != "pip"], folder, lock)
    _install_wheels(found, [one for one in plain if one.name == "pip"], folder, lock)
    paths: list[str] = []
    for one in coming:
        origin: str | None = one.state.origin
        if one.is_editable:
            origin = None  # pip writes it
            _install_from_folder(found, one, lock)
        describe(found, one.name, requested=one.state.requested, origin=origin)
        paths += files_of(found, one.name)
    if paths:
        sync(found.path, paths)


def _install_wheels(found: Environment, group: Sequence[Wanted], folder: str, lock: int | None) -> None:
    if not group:
        return
    have = wheels_in(folder)
    names = [f"{one.name}=={have.get(one.name, one.state.version)}" for one in group]
    words = ("install", "--no-deps", "--force-reinstall", "--no-warn-conflicts", "--no-index", "-f", folder)
    failed = run_pip(found, (*words, *names), sealed=True, spare=group[0].name == "pip", lock=lock)
    if failed:
        raise FailedError(f"could not install {', '.join(one.called for one in group)}", failed)


def _install_from_folder(found: Environment, one: Wanted, lock: int | None) -> None:
    failed = run_pip(found, ("install", "--no-deps", *one.words), lock=lock)
    if failed:
        raise FailedError(f"could not install {one.name} from its folder", failed)


def change(
    found: Environment,
    coming: Sequence[Wanted],
    going: Sequence[str],
    folder: str,
    *,
    lock: int | None = None,
    proved: Callable[[], None] = lambda: None,
) -> None:
    """Install `coming` from the wheels in the folder, remove `going`, and prove it: or put every file back."""
    with kept(found, [*(one.name for one in coming), *going], folder):
        install(found, coming, folder, lock=lock)
        _uninstall(found, going, lock)
        proved()


def _uninstall(found: Environment, going: Sequence[str], lock: int | None) -> None:
    if not going:
        return
    failed = run_pip(found, ("uninstall", "--yes", *going), sealed=True, lock=lock)
    if failed:
        raise FailedError(f"could not remove {', '.join(going)}", failed)


def bundled_pip(found: Environment, state: State | None = None) -> Wanted | None:
    """Return the pip whose wheel virtualenv has at hand, if its version is the one of `state` or any will do."""
    wheel = get_embed_wheel("pip", found.version)
    if wheel is None:
        return None
    requested = True
    if state is not None:
        if state.version != wheel.version:
            return None
        requested = state.requested
    sources = ("--no-index", "--find-links", os.path.dirname(wheel.path))
    return Wanted(name="pip", state=State(version=wheel.version, requested=requested), sources=sources)


def give_pip(found: Environment, *, lock: int | None = None) -> str:
    """Put a new pip into the environment, by safepip's own; return why that failed, or empty."""
    for path in (os.path.join(found.site, "pip"), *infos_of(found, "pip")):
        shutil.rmtree(path, ignore_errors=True)
    bundled = bundled_pip(found)
    words = (*bundled.sources, *bundled.words) if bundled else ("pip",)
    line = ("install", "--no-deps", "--force-reinstall", *words)
    failed = run_pip(found, line, sealed=bundled is not None, spare=True, lock=lock)
    if not failed:
        describe(found, "pip", requested=True, origin="")
        sync(found.path, files_of(found, "pip"))
    return failed


@contextlib.contextmanager
def kept(found: Environment, names: Iterable[str], folder: str) -> Iterator[None]:
    """Put all files of these distributions back if what is done to them fails."""
    copies = _Copies(found, names, folder)
    try:
        yield
    except BaseException:
        copies.put_back()
        sync(found.path, copies.files)
        raise


class _Copies:
    """Copies of all files of the distributions that are about to change."""

    def __init__(self, found: Environment, names: Iterable[str], folder: str) -> None:
        self.found = found
        self.names = frozenset(names)
        self.folder = os.path.join(folder, "kept")
        self.files = {path: os.path.join(self.folder, str(number)) for number, path in enumerate(self._paths())}
        os.mkdir(self.folder)
        for path, copy in self.files.items():
            shutil.copy2(path, copy, follow_symlinks=False)

    def put_back(self) -> None:
        """Put exactly those files back."""
        for path in self._paths():
            if path not in self.files:
                with contextlib.suppress(OSError):
                    os.unlink(path)
                    os.removedirs(os.path.dirname(path))
        for path, copy in self.files.items():
            if not _is_same(path, copy):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                shutil.copy2(copy, path, follow_symlinks=False)

    def _paths(self) -> list[str]:
        """Return the existing files of these distributions, those that RECORD does not name included."""
        paths: set[str] = set()
        for name in self.names:
            paths.update(files_of(self.found, name))
        return [path for path in sorted(paths) if os.path.islink(path) or os.path.isfile(path)]


def _is_same(path: str, copy: str) -> bool:
    """Return True if the file is still as it was copied: its folder may not be writable."""
    if os.path.islink(path) or os.path.islink(copy):
        return False
    if not os.path.isfile(path) or os.stat(path).st_mode != os.stat(copy).st_mode:
        return False
    return filecmp.cmp(path, copy, shallow=False)


def infos_of(found: Environment, name: str) -> list[str]:
    """Return the metadata folders of a distribution."""
    return metadata_by_name(found.site).get(name, [])


def files_of(found: Environment, name: str) -> list[str]:
    """Return the paths of the files that belong to an installed distribution, its metadata included."""
    paths = []
    for info in infos_of(found, name):
        paths += [row.path for row in record_of(info, found.site)]
        for folder, _, names in os.walk(info):
            paths += [os.path.join(folder, one) for one in sorted(names)]
    return paths


# -- single files


def put_file(source: str, path: str, *, durable: bool = True) -> None:
    """Put a copy of `source` at `path` by rename, so that no other name of the old file changes."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    mode = os.stat(source).st_mode & 0o7755
    with open(source, "rb") as file:
        replace_file(path, file.read(), mode=mode, durable=durable)


def put_known_text(row: Row, texts: Iterable[str]) -> bool:
    """Write the file of metadata that has the recorded hash of one of these texts; return True if one has."""
    for text in texts:
        content = os.fsencode(text)
        if row.digest and digest_in(content) == row.digest:
            replace_file(row.path, content, mode=0o644 & ~umask())
            return True
    return False


def is_beginning(path: str, whole: str) -> bool:
    """Return True if the file is only the beginning of `whole`, perhaps with zeros behind."""
    with open(path, "rb") as file:
        content = file.read().rstrip(b"\0")
    with open(whole, "rb") as file:
        return file.read().startswith(content)


def compile_bytecode(found: Environment, rows: Iterable[Row]) -> None:
    """Write missing bytecode, since RECORD names it."""
    bytecode = [row.path for row in rows if row.path.endswith(".pyc")]
    sources = {source_of(path) for path in bytecode if not os.path.isfile(path)}
    files = sorted(filter(os.path.isfile, sources))
    if files:
        null, argv = subprocess.DEVNULL, [found.python, "-I", "-m", "compileall", "-q", *files]
        subprocess.run(argv, check=False, stdin=null, stdout=null, stderr=null)


def remove_cut_bytecode(found: Environment) -> set[str]:
    """Remove bytecode that the environment's Python cannot read; return the paths."""
    argv = [found.python, "-I", "-S", "-c", _CUT_BYTECODE, found.site]
    done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    paths = set(map(os.fsdecode, filter(None, done.stdout.split(b"\0"))))
    for path in paths:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return paths


def source_of(path: str) -> str:
    """Return the source of a file of bytecode in __pycache__."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.dirname(folder), name.partition(".")[0] + ".py")


def describe(found: Environment, name: str, *, requested: bool, origin: str | None = None) -> None:
    """Write into an installed distribution's metadata if it was asked for, and where it came from.

    `origin` is the text of its direct_url.json, empty for none, None to leave it.
    """
    for info in infos_of(found, name):
        _put(info, "REQUESTED", "" if requested else None)
        if origin is not None:
            _put(info, "direct_url.json", origin or None)


def _put(info: str, name: str, content: str | None) -> None:
    """Write a file of the metadata, or remove it for None, and change its row in RECORD."""
    path, record = os.path.join(info, name), os.path.join(info, "RECORD")
    named = f"{os.path.basename(info)}/{name}"
    if content is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    else:
        replace_file(path, os.fsencode(content), mode=0o644 & ~umask())
    with open(record, "rb") as file:
        lines = [line for line in file.read().splitlines() if not line.startswith(os.fsencode(named) + b",")]
    if content is not None:
        lines.append(os.fsencode(f"{named},sha256={digest_of(path)},{os.path.getsize(path)}"))
    replace_file(record, b"".join(line + b"\n" for line in lines), like=record)
