"""Read what an environment holds from its files, without running it."""

from __future__ import annotations

import contextlib
import csv
import itertools
import os

from safepip.core.record import Record
from safepip.core.requirement import name_and_version
from safepip.core.world import BIN
from safepip.system.environment import CONFIG, OWN, configuration, named_version, names_in
from safepip.system.processes import is_ancestor

from . import history, journal
from .lock import LOCK
from .verify import damage_of, recorded_rows, sites

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = (".dist-info", ".egg-info", ".egg-link")
# What creators of environments put there beside the distributions.
_OF_CREATORS = (
    CONFIG, OWN, LOCK, ".gitignore", "CACHEDIR.TAG", "_virtualenv.py", "_virtualenv.pth", "_virtualenv_patch.py",
    "distutils-precedence.pth", "easy-install.pth", "setuptools.pth", "_virtualenv.start",
    "distutils-precedence.start", "__pycache__", "include", "lib64",
)  # fmt: skip
# 𝜋thon is a link that venv of Python 3.14 makes.
_OF_PROGRAMS = (
    "python", "pypy", "𝜋thon", "activate", "Activate", "deactivate", "pydoc", "pip", "easy_install", "wheel",
)  # fmt: skip


class Distribution(Record):
    """An installed distribution."""

    name: str  # normalised
    state: history.State
    info: str  # the path of its metadata


def distributions(path: str) -> dict[str, Distribution]:
    """Return what is installed in the environment at `path`, by name."""
    # All library folders are read: an environment whose Python was exchanged may have two.
    found: dict[str, list[Distribution]] = {}
    for row in journal.listed(journal.snapshot(path)):
        name, version = name_and_version(row.path)
        state = history.State(version=version, requested=row.requested, origin=row.origin)
        info = os.path.join(path, row.path)
        found.setdefault(name, []).append(Distribution(name=name, state=state, info=info))
    # A killed pip may leave two of a name: the more intact one counts.
    return {name: _most_intact(same) for name, same in found.items()}


def _most_intact(same: list[Distribution]) -> Distribution:
    if len(same) == 1:
        return same[0]

    def faults(found: Distribution) -> int:
        # Metadata without a RECORD, as old tools write, counts as damaged most.
        return len(damage_of(found.info, os.path.dirname(found.info), hashed=True))

    return min(reversed(same), key=faults)


def packages(path: str) -> int:
    """Return how many distributions are installed."""
    number = 0
    for site in sites(path):
        for name in _names_of_metadata(site):
            number += not name.startswith("~")  # which pip renames to while it uninstalls
    return number


def _names_of_metadata(site: str) -> list[str]:
    return [name for name in names_in(site) if name.endswith(_KINDS)]


def made_with(path: str) -> str:
    """Return the minor version of the environment's Python, "" if unknown."""
    return named_version(configuration(path))


def holds(site: str) -> bool:
    """Return True if the folder `site` has more than its creator installed."""
    for name in _names_of_metadata(site):
        if not name.startswith(("pip-", "setuptools-", "wheel-", "~")):
            return True
    return False


def metadata(site: str, name: str) -> list[str]:
    """Return the paths of a distribution's metadata in the folder `site`."""
    found = []
    for one in _names_of_metadata(site):
        if name_and_version(one)[0] == name:
            found.append(os.path.join(site, one))
    return found


def stamp(path: str) -> str:
    """Return a mark that changes whenever something is installed or removed."""
    times = []
    for folder in (os.path.join(path, BIN), *sites(path)):
        with contextlib.suppress(OSError):
            times.append(str(os.stat(folder).st_mtime_ns))
    return " ".join(times)


def size(path: str) -> int:
    """Return the size of all files below `path` in bytes."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):  # a link could lead out of it, or to a folder above
                total += size(entry.path)
            else:
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def last_change(path: str) -> float:
    """Return when safepip last changed it, in seconds since 1970, else 0."""
    try:
        return os.stat(os.path.join(path, OWN)).st_mtime
    except OSError:
        return 0.0


@contextlib.contextmanager
def unread(path: str) -> Iterator[None]:
    """Look at the environment without that counting as its use."""
    config = os.path.join(path, CONFIG)  # whose time of access `last_start` goes by
    try:
        before = os.stat(config)
    except OSError:
        yield
        return
    yield
    with contextlib.suppress(OSError):
        if os.stat(config).st_atime_ns != before.st_atime_ns:
            os.utime(config, ns=(before.st_atime_ns, before.st_mtime_ns))


def last_start(path: str) -> float:
    """Return when its Python was last started, to a day."""
    # Every start reads pyvenv.cfg (PEP 405), and `relatime`, which Linux mounts with, notes that once a day.
    try:
        return os.stat(os.path.join(path, CONFIG)).st_atime
    except OSError:
        return 0.0


def strays(path: str) -> list[str]:
    """Return files and linked folders that no distribution and no creator wrote."""
    owned: set[str] = set()
    for distribution in distributions(path).values():
        owned.update(recorded(distribution))
    programs = os.path.join(path, BIN)
    found = []
    for folder, folders, files in os.walk(path):
        if folder == path:
            _leave_out(folders, _OF_CREATORS)
        _leave_out(folders, ("__pycache__",))
        for name in folders:
            if _is_foreign_link(os.path.join(folder, name), owned):
                files.append(name)
        for name in files:
            full = os.path.join(folder, name)
            if full in owned:
                continue
            if not _is_expected(name, is_program=folder == programs):
                found.append(os.path.relpath(full, path))
    return sorted(found)


def _leave_out(folders: list[str], names: tuple[str, ...]) -> None:
    """Keep os.walk from entering folders of these names, and those with metadata."""
    for name in list(folders):
        if name in names or name.endswith(_KINDS):
            folders.remove(name)


def _is_expected(name: str, *, is_program: bool) -> bool:
    if name in _OF_CREATORS or name.endswith((*_KINDS, ".pyc", ".pyo")):
        return True
    return is_program and name.startswith(_OF_PROGRAMS)


def _is_foreign_link(folder: str, owned: set[str]) -> bool:
    """Return True for a link to where no distribution has files."""
    if not os.path.islink(folder):
        return False
    below = os.path.join(folder, "")
    return not any(file.startswith(below) for file in owned)


def recorded(found: Distribution) -> list[str]:
    """Return the paths that a distribution's RECORD, or installed-files.txt, names."""
    site = os.path.dirname(found.info)
    for name, base in (("RECORD", site), ("installed-files.txt", found.info)):
        with contextlib.suppress(OSError, csv.Error):
            rows = recorded_rows(os.path.join(found.info, name))
            return [os.path.normpath(os.path.join(base, row[0])) for row in rows]
    return []


def users(path: str) -> list[int]:
    """Return the processes of the environment's programs (on Linux)."""
    folder = os.path.realpath(os.path.join(path, BIN))
    others = set(map(int, filter(str.isdecimal, names_in("/proc")))) - {os.getpid()}
    found = []
    for process in sorted(others):
        if _is_of(process, folder, path):
            found.append(process)
    return found


def installers(path: str) -> list[int]:
    """Return the environment's processes that are a pip or uv at work.

    Those that started this one are left out.
    """
    return list(itertools.filterfalse(is_ancestor, filter(_is_installer, users(path))))


def _is_installer(process: int) -> bool:
    words = _read(f"/proc/{process}/cmdline").split("\0")[:4]  # proc_pid_cmdline(5); a Python's options come first
    if {("-m", "pip"), ("-m", "uv")}.intersection(itertools.pairwise(words)):
        return True
    names = [os.path.basename(word).rstrip("-.0123456789") for word in words[:3]]  # pip3.12 and pip-3.12 are pip
    return not {"pip", "runner.py", "uv"}.isdisjoint(names)


def _is_of(process: int, folder: str, path: str) -> bool:
    """Return True if a process was started from that folder.

    Also if it was started as `python` where the environment at `path` is active.
    """
    words = _read(f"/proc/{process}/cmdline").split("\0")[:2]
    try:
        cwd = os.readlink(f"/proc/{process}/cwd")
    except OSError:
        return False
    for word in words:
        program = os.path.join(cwd, word)
        if os.sep in word and os.path.realpath(os.path.dirname(program)) == folder:
            return True
    if not words[0].startswith(_OF_PROGRAMS[:2]):  # started as `python`, it is PATH's, so the environment's
        return False
    return f"VIRTUAL_ENV={path}" in _read(f"/proc/{process}/environ").split("\0")


def _read(file: str) -> str:
    try:
        with open(file, "rb") as opened:
            return os.fsdecode(opened.read(1 << 20))
    except OSError:
        return ""


def seen_system(path: str) -> bool:
    """Return True if the environment sees the packages of its base interpreter."""
    return configuration(path).get("include-system-site-packages", "").lower() == "true"
