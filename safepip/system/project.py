"""Find the project that a directory belongs to."""

from __future__ import annotations

import os
import stat  # which os has loaded

from safepip.core.record import Record, replace
from safepip.core.world import Project

from .environment import is_disposable, is_environment, target_of
from .files import is_in, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENVIRONMENT = ".venv"
VERSION_CONTROL = (".git", ".hg")
MARKERS = (
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "Pipfile",
    "pylock.toml",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "pixi.toml",
    *VERSION_CONTROL,
)
HOME_MARKERS = ("pyproject.toml", "pylock.toml", "uv.lock", "poetry.lock", "pdm.lock")
NAMED_ENVIRONMENTS = ("venv", "env")
DIRENV = ".direnv"  # with python-3.x in it, by direnv's `layout python`

# Folders that no environment belongs in: of the system ...
_SYSTEM = (
    "/", "/home", "/mnt", "/media", "/opt", "/srv", "/var", "/run", "/usr", "/usr/src", "/usr/local",
    "/usr/local/src", "/Users", "/Applications", "/Library", "/Volumes", "/private", "/nix",
)  # fmt: skip
_SYSTEM_TREES = (
    "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/dev", "/etc", "/proc", "/sys",
    "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/include",
    "/usr/share", "/usr/games", "/usr/local/bin", "/usr/local/sbin", "/usr/local/lib", "/usr/local/include",
    "/usr/local/share", "/System", "/nix/store",
)  # fmt: skip
_OF_WINDOWS = ("SYSTEMROOT", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMDATA")
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/private/tmp")  # noqa: S108  to keep out of them
# ... and of the user, where the desktop has not named others.
_FOLDERS = (
    "Desktop", "Documents", "Downloads", "Music", "Pictures", "Videos", "Movies", "Public", "Templates",
    "Library", "bin", "snap", ".local", ".local/bin", ".local/share", ".local/state", ".local/lib", ".config",
    ".cache", ".ssh", ".gnupg",
)  # fmt: skip


def find(
    cwd: str,
    home: str | None,
    owners: frozenset[int],
    folder: str = ENVIRONMENT,
    makers: frozenset[int] | None = None,
) -> Project | None:
    """Return the project of the directory `cwd`, by markers, or None.

    The way ends with the root of the enclosing version control, else with the first directory that has a marker;
    it does not cross a file system, enter the home directory, nor pass a directory whose owner is not in `owners`
    (user ids). The nearest environment on the way serves, if its owner is in `makers` (the `owners` by default);
    `folder` is the name that the settings give environments.

    Requirement files, and a `.venv` that leads to no environment, are weak markers: they count only where no other
    marker stands all the way up.
    """
    real_home = None
    if home:
        real_home = os.path.realpath(home)
    if makers is None:
        makers = owners
    passed: list[_Found] = []  # before the first marker
    marked: list[_Found] = []
    for at in _way(cwd, real_home, owners):
        found = _look(at, folder, owners, makers)
        if found.marker:
            marked.append(found)
        elif not marked:
            passed.append(found)
        if found.is_version_controlled:
            return _project_of(marked)
    if marked:
        return _project_of(marked[:1])
    if cwd == real_home:  # requirements files there are not a project's
        return None
    return _project_of(_by_weak_marker(passed, owners))


def _project_of(marked: list[_Found]) -> Project | None:
    """Return the project of these directories, nearest first, or None."""
    if not marked:
        return None
    nearest, disposable = marked[0], None
    for found in reversed(marked):
        if found.environment is not None:
            nearest = found
        if found.disposable is not None:
            disposable = found.disposable
    return Project(
        root=nearest.path, marker=nearest.marker, environment=nearest.environment, disposable=disposable
    )


def may_be_root(cwd: str, home: str | None, environ: Mapping[str, str], owners: frozenset[int]) -> bool:
    """Return True if an install may make the directory a project.

    Not the home directory or above it, the user's folders (by XDG's user-dirs), a directory of the
    system, the temporary directory itself, or another user's.
    """
    if owner(cwd) not in owners or _is_of_windows(cwd, environ):
        return False
    temporary = filter(None, map(environ.get, ("TMPDIR", "TEMP", "TMP")))
    if cwd in {*_SYSTEM, *_TEMPORARY, *map(os.path.realpath, temporary)}:
        return False
    for tree in _SYSTEM_TREES:
        if is_in(cwd, tree):
            return cwd.startswith("/dev/shm/")  # noqa: S108  a folder of the user's in it will do
    if home is None:
        return True
    if is_in(os.path.realpath(home), cwd):
        return False
    return not any(_is_same(folder, cwd) for folder in _folders(home, environ))


class _Folder:
    """A directory on the way up, held open where that can be.

    Names in it are found without walking its path again, so that deep directories cost no more than others.
    """

    __slots__ = ("descriptor", "is_home", "path")

    def __init__(self, path: str, below: _Folder | None, *, is_home: bool) -> None:
        self.path = path
        self.is_home = is_home
        flags = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
        self.descriptor: int | None = None
        try:
            if below is None or below.descriptor is None:
                self.descriptor = os.open(path, flags)
            else:
                self.descriptor = os.open("..", flags, dir_fd=below.descriptor)
        except OSError:  # Windows opens no directories, other systems only what may be read
            return

    def stat(self) -> os.stat_result:
        if self.descriptor is None:
            return os.stat(self.path)
        return os.stat(self.descriptor)

    def holds(self, name: str) -> bool:
        """Return True if such a name exists, links followed."""
        # A stat costs more for the many names that do not exist.
        return os.access(self._at(name), os.F_OK, dir_fd=self.descriptor)

    def lstat(self, name: str) -> os.stat_result | None:
        """Return the status of an entry, links not followed, or None."""
        try:
            return os.lstat(self._at(name), dir_fd=self.descriptor)
        except (OSError, ValueError):
            return None

    def owner(self, name: str) -> int:
        found = self.lstat(name)
        if found is None:
            return -1
        return found.st_uid

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)

    def _at(self, name: str) -> str:
        if self.descriptor is None:
            return os.path.join(self.path, name)
        return name


class _Found(Record):
    """What a directory on the way up holds.

    `marker` is empty where nothing makes it a project.
    """

    path: str
    marker: str
    is_weak: bool
    environment: str | None
    disposable: str | None
    is_version_controlled: bool


def _way(cwd: str, real_home: str | None, owners: frozenset[int]) -> Iterator[_Folder]:
    """Yield the directories upwards that count, each open until the next."""
    device = None
    for at in _upwards(cwd, real_home):
        try:
            found = at.stat()
        except OSError:
            return
        if found.st_uid not in owners or device not in {None, found.st_dev}:
            return
        if at.is_home and at.path != cwd:
            return
        yield at
        if at.is_home:
            return
        device = found.st_dev


def _upwards(cwd: str, real_home: str | None) -> Iterator[_Folder]:
    path = cwd
    at: _Folder | None = None
    try:
        while True:
            below, at = at, _Folder(path, at, is_home=path == real_home)
            if below is not None:
                below.close()
            yield at
            above = os.path.dirname(path)
            if above == path:
                return
            path = above
    finally:
        if at is not None:
            at.close()


def _look(at: _Folder, folder: str, owners: frozenset[int], makers: frozenset[int]) -> _Found:
    """Return what the directory holds, requirement files left out."""
    environment, disposable, is_weak = _place(at, folder, makers)
    if environment is None:
        environment = _other_environment(at, makers)
    marker = _marker(at, owners, _name(environment, at.path))
    is_version_controlled = marker != "" and any(at.owner(name) in owners for name in VERSION_CONTROL)
    return _Found(
        path=at.path,
        marker=marker,
        is_weak=is_weak,
        environment=environment,
        disposable=disposable,
        is_version_controlled=is_version_controlled,
    )


def _marker(at: _Folder, owners: frozenset[int], environment: str) -> str:
    """Return the name that makes the directory a project, or empty.

    `environment` is the name of its environment, or empty.
    """
    names: tuple[str, ...] = MARKERS
    if at.is_home:  # where many keep a Pipfile or a repository of dotfiles
        names = HOME_MARKERS
    elif environment:
        return environment
    if environment == ENVIRONMENT:  # one by another name does not make the home directory a project
        return environment
    for name in names:
        if at.holds(name) and at.owner(name) in owners:
            return environment or name
    return ""


def _place(at: _Folder, folder: str, makers: frozenset[int]) -> tuple[str | None, str | None, bool]:
    """Return the environment, the disposable one, and whether another thing stands there.

    A directory is an environment, whatever its state.
    """
    disposable = None
    is_taken = False
    for name in dict.fromkeys((folder, ENVIRONMENT)):
        found = at.lstat(name)
        if found is None or found.st_uid not in makers:
            continue
        path = os.path.join(at.path, name)
        if stat.S_ISDIR(found.st_mode):
            return path, None, False
        is_taken = True
        target, _ = target_of(path)
        if not target:
            continue
        if not is_disposable(target, at.path):
            return path, None, False
        disposable = path
    return None, disposable, is_taken


def _other_environment(at: _Folder, makers: frozenset[int]) -> str | None:
    """Return the environment under another usual name."""
    for name in NAMED_ENVIRONMENTS:
        if not at.holds(f"{name}/pyvenv.cfg"):
            continue
        path = os.path.join(at.path, name)
        if is_environment(path) and at.owner(name) in makers:
            return path
    if at.owner(DIRENV) in makers:
        return _newest_of_direnv(at, makers)
    return None


def _newest_of_direnv(at: _Folder, makers: frozenset[int]) -> str | None:
    folder = os.path.join(at.path, DIRENV)
    for name in sorted(names_in(folder), key=_version, reverse=True):
        path = os.path.join(folder, name)
        if not name.startswith("python-") or owner(path) not in makers:
            continue
        if is_environment(path):
            return path
    return None


def _version(name: str) -> list[int]:
    parts = name.partition("-")[2].split(".")
    return [int(part) if part.isdecimal() else -1 for part in parts]


def _name(environment: str | None, folder: str) -> str:
    """Return how an environment of the directory is known, or empty."""
    if environment is None:
        return ""
    if os.path.dirname(environment) == os.path.join(folder, DIRENV):
        return DIRENV
    return os.path.basename(environment)


def _by_weak_marker(passed: list[_Found], owners: frozenset[int]) -> list[_Found]:
    """Return the first of these directories that has a weak marker."""
    for found in passed:
        name = ENVIRONMENT if found.is_weak else _requirements(found.path, owners)
        if name:
            return [replace(found, marker=name)]
    return []


def _requirements(path: str, owners: frozenset[int]) -> str | None:
    for name in sorted(names_in(path)):
        is_requirements = name.startswith("requirements") and name.endswith(".txt")
        if is_requirements and owner(os.path.join(path, name)) in owners:
            return name
    return None


def owner(path: str, *, follow: bool = False) -> int:
    """Return the user id that owns `path`, or -1.

    A link's own owner counts, unless to `follow`.
    """
    try:
        return os.stat(path, follow_symlinks=follow).st_uid
    except (OSError, ValueError):
        return -1


def _is_of_windows(cwd: str, environ: Mapping[str, str]) -> bool:
    """Return True for a drive's root and the directories of Windows."""
    if os.path.dirname(cwd) == cwd:
        return True
    within = os.path.join(os.path.normcase(cwd), "")
    for name in _OF_WINDOWS:
        tree = os.path.normcase(environ.get(name, ""))
        if tree and within.startswith(os.path.join(tree, "")):
            return True
    return False


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def _folders(home: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the user's folders, those that the desktop named included."""
    yield from (os.path.join(home, name) for name in _FOLDERS)
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    try:
        with open(os.path.join(config, "user-dirs.dirs"), encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.strip().partition("=")
        if key.startswith("XDG_") and key.endswith("_DIR"):
            yield value.strip().strip('"').replace("$HOME", home, 1)
