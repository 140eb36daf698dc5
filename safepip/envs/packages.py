"""Download, install and remove distributions, for recovery, rebuilding and undo.

Wheels go into a scratch folder first. Only then the environment is touched, under its lock, and a change that
fails puts every file back.
"""

from __future__ import annotations

import contextlib
import filecmp
import glob
import json
import os
import shutil
import subprocess
import tempfile
from urllib.parse import urlsplit
from urllib.request import url2pathname

from virtualenv.seed.wheels.embed import get_embed_wheel

from safepip.core.pip_line import read as read_line
from safepip.core.record import Record, replace
from safepip.core.requirement import name_and_version
from safepip.system.files import replace_file, umask

from .history import PIP, State
from .on_disk import sync
from .pip import run_pip
from .verify import digest_of, metadata_by_name, record_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from safepip.core.world import Environment

    from .history import Entry

_SOURCES = {
    "index_url": "--index-url", "extra_index_urls": "--extra-index-url", "find_links": "--find-links",
    "no_index": "--no-index", "trusted_hosts": "--trusted-host", "pre": "--pre", "cert": "--cert",
    "client_cert": "--client-cert", "proxy": "--proxy",
}  # fmt: skip
_PATHS = frozenset(("find_links", "cert", "client_cert"))  # those whose value may be a path

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
    """A distribution to download, and pip's options that say from where."""

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
        """Return True if it came from version control."""
        # Which may give the same commit another version.
        return '"vcs_info"' in self.state.origin

    @property
    def is_editable(self) -> bool:
        """Return True if it is installed in place, from a user's folder."""
        return self.words[0] == "-e"

    @property
    def is_pip_of_file(self) -> bool:
        """Return True for a pip from a wheel, which may be gone."""
        return self.name == "pip" and self.state.origin != ""


class FailedError(Exception):
    """What failed of downloading, installing or removing, and pip's reason."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why)
        self.what = what
        self.why = why


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for downloads, for a `with` block."""
    return tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True)


# -- which words name a distribution again


def sources(words: Sequence[str], cwd: str) -> tuple[str, ...]:
    """Return the options of a line on where distributions come from."""
    found = []
    for _, dest, value in read_line(words, {}).options:
        option = _SOURCES.get(dest)
        if option is None:
            continue
        found.append(option)
        if value is None:
            continue
        is_url = "://" in value or value.startswith("file:")
        is_path = dest in _PATHS and not is_url
        found.append(os.path.join(cwd, value) if is_path else value)
    return tuple(found)


def again(name: str, state: State, entries: Sequence[Entry]) -> Wanted:
    """Return a distribution to download from where it came before."""
    for entry in reversed(entries):
        if entry.kind != PIP:
            continue
        if any(one.name == name and state.same(one.after) for one in entry.changes):
            return Wanted(name=name, state=state, sources=sources(entry.words, entry.cwd))
    return Wanted(name=name, state=state)


def requirement(name: str, wanted: State) -> tuple[str, ...]:
    """Return pip's words for exactly this distribution."""
    if not wanted.origin:
        return (f"{name}=={wanted.version}",)
    try:
        return _by_origin(name, json.loads(wanted.origin))
    except (ValueError, TypeError, KeyError, AttributeError):  # an egg-link: the first line is the folder
        return ("-e", wanted.origin.split("\n")[0])


def _by_origin(name: str, origin: Any) -> tuple[str, ...]:
    # As packaging.python.org, "Direct URL Data Structure", has it.
    url, vcs = origin["url"], origin.get("vcs_info")
    archive = origin.get("archive_info") or {}
    hashes = archive.get("hashes") or {}
    fragments = []
    if hashes.get("sha256"):
        fragments.append(f"sha256={hashes['sha256']}")
    if origin.get("subdirectory"):
        fragments.append(f"subdirectory={origin['subdirectory']}")
    fragment = ""
    if fragments:
        fragment = f"#{'&'.join(fragments)}"
    if origin.get("dir_info", {}).get("editable"):
        return ("-e", url2pathname(urlsplit(url).path) + fragment)
    if vcs:
        return (f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}{fragment}",)
    return (f"{name} @ {url}{fragment}",)


# -- downloaded, with nothing touched


def fetch(found: Environment, wanted: Sequence[Wanted], folder: str) -> None:
    """Put a wheel of each into the folder, or raise FailedError.

    Editable ones are left out.
    """
    for group in by_sources(one for one in wanted if not one.is_editable).values():
        if len(group) > 1 and not _wheels(found, group, folder):
            continue
        for one in group:  # one by one, to name the missing one
            failed = _wheels(found, [one], folder)
            if failed and one.is_pip_of_file:
                by_version = replace(one, state=replace(one.state, origin=""))
                failed = _wheels(found, [by_version], folder)
            if failed:
                raise FailedError(f"could not get {one.called}", failed)


def by_sources(wanted: Iterable[Wanted]) -> dict[tuple[str, ...], list[Wanted]]:
    """Group distributions by their sources."""
    groups: dict[tuple[str, ...], list[Wanted]] = {}
    for one in wanted:
        groups.setdefault(one.sources, []).append(one)
    return groups


def _wheels(found: Environment, group: Sequence[Wanted], folder: str) -> str:
    """Download wheels from the same sources, and return an error or empty."""
    words = ["wheel", "--no-deps", "--wheel-dir", folder, *group[0].sources]
    for one in group:
        words += one.words
    failed = run_pip(found, words, spare=any(one.name == "pip" for one in group))
    if failed:
        return failed
    have = wheels_in(folder)
    for one in group:
        version = have.get(one.name)
        is_wanted = version == one.state.version or one.is_of_vcs
        if version is None or not is_wanted:
            return f"{one.name} has version {version} there now"
    return ""


def wheels_in(folder: str) -> dict[str, str]:
    """Return the version of each wheel in the folder, by name."""
    return dict(map(name_and_version, glob.glob(os.path.join(glob.escape(folder), "*.whl"))))


def unpack(found: Environment, wanted: Wanted, folder: str, *, compiled: bool = True) -> bool:
    """Install exactly this distribution below `folder`, and return True if that succeeded.

    Its files lie there as they would in the environment. Without `compiled`, which takes longer than the rest, it
    has no bytecode, nor does its RECORD name any.
    """
    words = ["install", "--no-deps", "--ignore-installed", "--no-warn-script-location", "--prefix", folder]
    if not compiled:
        words.append("--no-compile")
    return not run_pip(found, (*words, *wanted.sources, *wanted.words), spare=wanted.name == "pip")


# -- carried out


def install(found: Environment, coming: Sequence[Wanted], folder: str, *, lock: int | None = None) -> None:
    """Install wheels from the folder, and editable ones from where they are."""
    _install_wheels(found, [one for one in coming if one.name != "pip"], folder, lock)
    _install_wheels(found, [one for one in coming if one.name == "pip"], folder, lock)  # it installs the others
    paths: list[str] = []
    for one in coming:
        origin: str | None = one.state.origin
        if one.is_editable:
            origin = None  # pip writes it
            failed = run_pip(found, ("install", "--no-deps", *one.words), lock=lock)
            if failed:
                raise FailedError(f"could not install {one.name} from its folder", failed)
        describe(found, one.name, requested=one.state.requested, origin=origin)
        paths += files_of(found, one.name)
    if paths:
        sync(found.path, paths)


def _install_wheels(found: Environment, coming: Sequence[Wanted], folder: str, lock: int | None) -> None:
    group = [one for one in coming if not one.is_editable]
    if not group:
        return
    have = wheels_in(folder)
    names = [f"{one.name}=={have.get(one.name, one.state.version)}" for one in group]
    words = ("install", "--no-deps", "--force-reinstall", "--no-warn-conflicts", "--no-index", "-f", folder)
    # The wheels are here, so none of the user's settings may lead pip elsewhere.
    failed = run_pip(found, (*words, *names), sealed=True, spare=group[0].name == "pip", lock=lock)
    if failed:
        raise FailedError(f"could not install {', '.join(one.called for one in group)}", failed)


def uninstall(found: Environment, going: Sequence[str], *, lock: int | None = None) -> None:
    """Remove the distributions of these names, or raise FailedError."""
    if not going:
        return
    failed = run_pip(found, ("uninstall", "--yes", *going), sealed=True, lock=lock)
    if failed:
        raise FailedError(f"could not remove {', '.join(going)}", failed)


def bundled_pip(found: Environment, state: State | None = None) -> Wanted | None:
    """Return the pip that virtualenv brings, if it fits `state`."""
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
    """Put a new pip there, and return an error or empty."""
    for path in (os.path.join(found.site, "pip"), *infos_of(found, "pip")):
        shutil.rmtree(path, ignore_errors=True)
    bundled = bundled_pip(found)
    words: tuple[str, ...] = ("pip",)
    if bundled is not None:
        words = (*bundled.sources, *bundled.words)
    line = ("install", "--no-deps", "--force-reinstall", *words)
    failed = run_pip(found, line, sealed=bundled is not None, spare=True, lock=lock)
    if not failed:
        describe(found, "pip", requested=True, origin="")
        sync(found.path, files_of(found, "pip"))
    return failed


@contextlib.contextmanager
def kept(found: Environment, names: Sequence[str], folder: str) -> Iterator[None]:
    """Put all files of these distributions back if the block fails."""
    copies = os.path.join(folder, "kept")
    os.mkdir(copies)
    before: dict[str, str] = {}
    for path in _present(found, names):
        before[path] = os.path.join(copies, str(len(before)))
        shutil.copy2(path, before[path], follow_symlinks=False)
    try:
        yield
    except BaseException:
        for path in _present(found, names):
            if path not in before:
                with contextlib.suppress(OSError):
                    os.unlink(path)
                    os.removedirs(os.path.dirname(path))
        for path, copy in before.items():
            if _is_same(path, copy):  # its folder may not be writable
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            shutil.copy2(copy, path, follow_symlinks=False)
        sync(found.path, before)
        raise


def _present(found: Environment, names: Iterable[str]) -> list[str]:
    """Return the existing files of these distributions."""
    paths: set[str] = set()
    for name in names:
        paths.update(files_of(found, name))
    return [path for path in sorted(paths) if os.path.islink(path) or os.path.isfile(path)]


def _is_same(path: str, copy: str) -> bool:
    if os.path.islink(path) or os.path.islink(copy):
        return False
    if not os.path.isfile(path) or os.stat(path).st_mode != os.stat(copy).st_mode:
        return False
    return filecmp.cmp(path, copy, shallow=False)


def infos_of(found: Environment, name: str) -> list[str]:
    """Return the metadata folders of a distribution."""
    return metadata_by_name(found.site).get(name, [])


def files_of(found: Environment, name: str) -> list[str]:
    """Return the files of an installed distribution."""
    paths: list[str] = []  # those in its metadata that RECORD does not name included
    for info in infos_of(found, name):
        paths += record_of(info, found.site)
        for folder, _, names in os.walk(info):
            paths += [os.path.join(folder, one) for one in sorted(names)]
    return paths


# -- single files


def put_file(source: str, path: str, *, durable: bool = True) -> None:
    """Put a copy of `source` at `path`."""
    # By rename: environments may share the old file, which must not change under its other names.
    os.makedirs(os.path.dirname(path), exist_ok=True)
    mode = os.stat(source).st_mode & 0o7755
    with open(source, "rb") as file:
        replace_file(path, file.read(), mode=mode, durable=durable)


def compile_bytecode(found: Environment, paths: Iterable[str]) -> None:
    """Write the missing bytecode among these files."""
    sources = set()
    for path in paths:
        if path.endswith(".pyc") and not os.path.isfile(path):
            sources.add(source_of(path))
    files = sorted(filter(os.path.isfile, sources))
    if files:
        null, argv = subprocess.DEVNULL, [found.python, "-I", "-m", "compileall", "-q", *files]
        subprocess.run(argv, check=False, stdin=null, stdout=null, stderr=null)


def remove_cut_bytecode(found: Environment) -> set[str]:
    """Remove bytecode that the environment's Python cannot read, and return the paths."""
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
    """Write into the metadata whether it was `requested`, and its `origin`.

    That is the text of its direct_url.json, empty for none, None to leave it.
    """
    for info in infos_of(found, name):
        _write_metadata(info, "REQUESTED", "" if requested else None)
        if origin is not None:
            _write_metadata(info, "direct_url.json", origin or None)


def _write_metadata(info: str, name: str, content: str | None) -> None:
    """Write or remove a file of metadata and its row."""
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
