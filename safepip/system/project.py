"""Find the project that a directory belongs to, by a walk up the tree."""

from __future__ import annotations

import os
import stat  # which os has loaded

from safepip.core.record import Record, replace
from safepip.core.world import Project

from .environment import is_disposable, is_environment, names_in, target_of

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
    """Return the project that the directory `cwd` belongs to by the markers on the way up, or None.

    The way ends with the root of the enclosing version control, else with the first directory that has a
    marker; it does not cross a file system, enter the home directory, nor pass a directory whose owner is
    not in `owners` (user ids). The nearest environment on the way serves, if its owner is in `makers`
    (the `owners` by default); `folder` is the name that the settings give environments.

    Requirement files, and a `.venv` that leads to no environment, are weak markers: they count only where
    there is no other marker all the way up.
    """
    passed: list[_Found] = []  # before the first marker
    marked: list[_Found] = []
    for at in _way(cwd, home and os.path.realpath(home), owners):
        found = _look(at, folder, owners, owners if makers is None else makers)
        if found.marker:
            marked.append(found)
        elif not marked:
            passed.append(found)
        if found.is_version_controlled:
            break
    else:
        at_home = home is not None and cwd == os.path.realpath(home)
        marked = marked[:1] if marked or at_home else _by_weak_marker(passed, owners)
    if not marked:
        return None
    nearest = next((found for found in marked if found.environment), marked[0])
    disposable = next((found.disposable for found in marked if found.disposable), None)
    return Project(
        root=nearest.path, marker=nearest.marker, environment=nearest.environment, disposable=disposable
    )


def may_be_root(cwd: str, home: str | None, environ: Mapping[str, str], owners: frozenset[int]) -> bool:
    """Return True if a directory without a marker may become a project by an install in it.

    Not the home directory or above it, the user's folders (by XDG's user-dirs), a directory of the
    system, the temporary directory itself, or another user's.
    """
    if owner(cwd) not in owners or _is_of_windows(cwd, environ):
        return False
    if cwd in {*_SYSTEM, *_temporary(environ)}:
        return False
    if f"{cwd}/".startswith(tuple(f"{tree}/" for tree in _SYSTEM_TREES)):
        return cwd.startswith("/dev/shm/")  # noqa: S108  a folder of the user's in it will do
    if home is None:
        return True
    real_home = os.path.realpath(home)
    above = real_home == cwd or real_home.startswith(os.path.join(cwd, ""))
    return not above and not _is_a_folder(cwd, home, environ)


class _Folder:
    """A directory on the way up, held open where that can be.

    Names in it are found without walking its path again, so that deep directories cost no more than others.
    """

    __slots__ = ("descriptor", "is_home", "path")

    def __init__(self, path: str, below: _Folder | None, *, is_home: bool) -> None:
        self.path = path
        self.is_home = is_home
        flags = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
        inner = below.descriptor if below is not None else None
        self.descriptor: int | None = None
        try:
            self.descriptor = os.open(path, flags) if inner is None else os.open("..", flags, dir_fd=inner)
        except OSError:  # Windows opens no directories, other systems only what may be read
            return

    def stat(self) -> os.stat_result:
        """Return what the system tells of the directory itself."""
        return os.stat(self.path if self.descriptor is None else self.descriptor)

    def holds(self, name: str) -> bool:
        """Return True if such a name exists, links followed; cheaper than a stat if it does not."""
        return os.access(self._at(name), os.F_OK, dir_fd=self.descriptor)

    def lstat(self, name: str) -> os.stat_result | None:
        """Return the facts of what is called so, links not followed, or None."""
        try:
            return os.lstat(self._at(name), dir_fd=self.descriptor)
        except (OSError, ValueError):
            return None

    def owner(self, name: str) -> int:
        """Return the user id that owns what is called so, links not followed, or -1 where there is nothing."""
        found = self.lstat(name)
        return -1 if found is None else found.st_uid

    def close(self) -> None:
        """Let go of the directory."""
        if self.descriptor is not None:
            os.close(self.descriptor)

    def _at(self, name: str) -> str:
        return os.path.join(self.path, name) if self.descriptor is None else name


class _Found(Record):
    """What a directory on the way up holds; `marker` is empty where nothing makes it a project."""

    path: str
    marker: str
    is_weak: bool
    environment: str | None
    disposable: str | None
    is_version_controlled: bool


def _way(cwd: str, real_home: str | None, owners: frozenset[int]) -> Iterator[_Folder]:
    """Yield the directories from `cwd` upwards that may be looked at, each open until the next."""
    device = None
    below = None
    path = cwd
    try:
        while True:
            at = _Folder(path, below, is_home=path == real_home)
            if below is not None:
                below.close()
            below = at
            try:
                found = at.stat()
            except OSError:
                return
            if found.st_uid not in owners or device not in {None, found.st_dev} or (at.is_home and path != cwd):
                return
            yield at
            device = found.st_dev
            if at.is_home or path == os.path.dirname(path):
                return
            path = os.path.dirname(path)
    finally:
        if below is not None:
            below.close()


def _look(at: _Folder, folder: str, owners: frozenset[int], makers: frozenset[int]) -> _Found:
    """Return what the directory holds, requirement files left out."""
    environment, disposable, is_weak = _place(at, folder, makers)
    environment = environment or _other_environment(at, makers)
    name = _name(environment, at.path)
    marks = bool(name) and (not at.is_home or name == ENVIRONMENT)
    marker = name if marks else _marker(at, owners)
    return _Found(
        path=at.path,
        marker=marker and (name or marker),
        is_weak=is_weak,
        environment=environment,
        disposable=disposable,
        is_version_controlled=bool(marker) and any(at.owner(name) in owners for name in VERSION_CONTROL),
    )


def _marker(at: _Folder, owners: frozenset[int]) -> str:
    names = HOME_MARKERS if at.is_home else MARKERS
    return next((name for name in names if at.holds(name) and at.owner(name) in owners), "")


def _place(at: _Folder, folder: str, makers: frozenset[int]) -> tuple[str | None, str | None, bool]:
    """Return the environment, else the disposable one, and whether the place is taken by something else.

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
        target, _ = target_of(path)
        if target and not is_disposable(target, at.path):
            return path, None, False
        disposable = path if target else disposable
        is_taken = True
    return None, disposable, is_taken


def _other_environment(at: _Folder, makers: frozenset[int]) -> str | None:
    """Return the environment under another usual name; the newest of direnv's."""
    for name in NAMED_ENVIRONMENTS:
        path = os.path.join(at.path, name)
        if at.holds(f"{name}/pyvenv.cfg") and is_environment(path) and at.owner(name) in makers:
            return path
    return _newest_of_direnv(at, makers) if at.owner(DIRENV) in makers else None


def _newest_of_direnv(at: _Folder, makers: frozenset[int]) -> str | None:
    folder = os.path.join(at.path, DIRENV)
    names = [name for name in names_in(folder) if name.startswith("python-")]
    for name in sorted(names, key=_version, reverse=True):
        path = os.path.join(folder, name)
        if is_environment(path) and owner(path) in makers:
            return path
    return None


def _version(name: str) -> list[int]:
    numbers = name.partition("-")[2].split(".")
    return [int(number) if number.isdecimal() else -1 for number in numbers]


def _name(environment: str | None, folder: str) -> str:
    """Return how an environment in the directory `folder` is known, empty for None."""
    if environment is None:
        return ""
    is_direnvs = os.path.dirname(environment) == os.path.join(folder, DIRENV)
    return DIRENV if is_direnvs else os.path.basename(environment)


def _by_weak_marker(passed: list[_Found], owners: frozenset[int]) -> list[_Found]:
    """Return the first of these directories, which have no other marker, that has a weak one."""
    for found in passed:
        name = ENVIRONMENT if found.is_weak else _requirements(found.path, owners)
        if name:
            return [replace(found, marker=name)]
    return []


def _requirements(path: str, owners: frozenset[int]) -> str | None:
    try:
        names = os.listdir(path)
    except OSError:
        return None
    found = sorted(name for name in names if name.startswith("requirements") and name.endswith(".txt"))
    return next((name for name in found if owner(os.path.join(path, name)) in owners), None)


def owner(path: str, *, follow: bool = False) -> int:
    """Return the user id that owns `path`, or -1 where there is nothing; of a link its own, unless to `follow`."""
    try:
        return os.stat(path, follow_symlinks=follow).st_uid
    except (OSError, ValueError):
        return -1


def _temporary(environ: Mapping[str, str]) -> tuple[str, ...]:
    named = tuple(os.path.realpath(environ[name]) for name in ("TMPDIR", "TEMP", "TMP") if environ.get(name))
    return (*_TEMPORARY, *named)


def _is_of_windows(cwd: str, environ: Mapping[str, str]) -> bool:
    """Return True for the root of a drive and below the directories of Windows itself, by its variables."""
    if os.path.dirname(cwd) == cwd:
        return True
    within = os.path.join(os.path.normcase(cwd), "")
    trees = (os.path.normcase(environ[name]) for name in _OF_WINDOWS if environ.get(name))
    return any(within.startswith(os.path.join(tree, "")) for tree in trees)


def _is_a_folder(cwd: str, home: str, environ: Mapping[str, str]) -> bool:
    """Return True if the directory is one of the user's folders, links followed."""
    return any(_is_same(path, cwd) for path in _folders(home, environ))


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
