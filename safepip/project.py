"""EDGE  the project that a directory belongs to: a walk up the tree."""

from __future__ import annotations

import os

from ._record import Record

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
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/private/tmp")  # noqa: S108  to keep out of them
# ... and of the user, where the desktop has not named others.
_FOLDERS = (
    "Desktop", "Documents", "Downloads", "Music", "Pictures", "Videos", "Movies", "Public", "Templates",
    "Library", "bin", "snap", ".local", ".local/bin", ".local/share", ".local/state", ".local/lib", ".config",
    ".cache", ".ssh", ".gnupg",
)  # fmt: skip


class Project(Record):
    """A project: its `root`, the place of its `environment`, and the `marker` that told.

    `environment` is absolute, whether it exists or not; `None` where the root has none of its own yet
    and the settings decide.
    """

    root: str
    marker: str
    environment: str | None = None


def find(cwd: str, home: str | None, owners: frozenset[int], folder: str = ENVIRONMENT) -> Project | None:
    """Return the project that the directory `cwd` belongs to by the markers on the way up, or None.

    The way ends with the root of the enclosing version control, else with the first directory that has a
    marker; it does not cross a file system, enter the home directory, nor pass a directory whose owner is
    not in `owners` (user ids). The nearest environment on the way serves; `folder` is the name that
    the settings give environments.
    """
    way = list(_way(cwd, home, owners))
    marked = [(at, marker) for at in way if (marker := _marker(at, owners, folder, home))]
    if any(marker in VERSION_CONTROL or _has(at, VERSION_CONTROL, owners) for at, marker in marked):
        last = next(i for i, (at, _) in enumerate(marked) if _has(at, VERSION_CONTROL, owners))
        marked = marked[: last + 1]
    else:
        at_home = home is not None and cwd == os.path.realpath(home)
        marked = marked[:1] if at_home else _first(marked, way, owners)
    for at, _ in marked:
        existing = _environment(at, owners, folder)
        if existing:
            return Project(root=at, marker=os.path.basename(existing), environment=existing)
    return Project(root=marked[0][0], marker=marked[0][1]) if marked else None


def may_be_root(cwd: str, home: str | None, environ: Mapping[str, str], owners: frozenset[int]) -> bool:
    """Tell whether a directory without any marker may become a project by installing in it.

    Not the home directory or above it, the user's folders (by XDG's user-dirs), a directory of the
    system, the temporary directory itself, or another user's.
    """
    if _owner(cwd) not in owners or cwd in _SYSTEM or cwd in _temporary(environ):
        return False
    if any(cwd == tree or cwd.startswith(tree + "/") for tree in _SYSTEM_TREES):
        return cwd.startswith("/dev/shm/")  # noqa: S108  a folder of the user's in it will do
    if home is None:
        return True
    real_home = os.path.realpath(home)
    above = real_home == cwd or real_home.startswith(os.path.join(cwd, ""))
    return not above and cwd not in _folders(home, environ)


def _way(cwd: str, home: str | None, owners: frozenset[int]) -> Iterator[str]:
    """Yield the directories from `cwd` upwards that may be looked at."""
    real_home = home and os.path.realpath(home)
    device = None
    at = cwd
    while True:
        try:
            stat = os.stat(at)
        except OSError:
            return
        if stat.st_uid not in owners or device not in {None, stat.st_dev} or (at == real_home != cwd):
            return
        yield at
        device = stat.st_dev
        if at in {os.path.dirname(at), real_home}:
            return
        at = os.path.dirname(at)


def _marker(at: str, owners: frozenset[int], folder: str, home: str | None) -> str | None:
    """Return the name of what makes `at` a project, requirement files left out, or None."""
    at_home = home is not None and at == os.path.realpath(home)
    existing = _environment(at, owners, folder)
    if existing and (not at_home or os.path.basename(existing) == ENVIRONMENT):
        return os.path.basename(existing)
    names = HOME_MARKERS if at_home else MARKERS
    return next((name for name in names if _owned(os.path.join(at, name), owners)), None)


def _first(marked: list[tuple[str, str]], way: list[str], owners: frozenset[int]) -> list[tuple[str, str]]:
    """Return the first directory of the way with a marker, one with requirement files included."""
    nearest = marked[0][0] if marked else None
    for at in way:
        if at == nearest:
            return marked[:1]
        named = _requirements(at, owners)
        if named:
            return [(at, named)]
    return []


def _requirements(at: str, owners: frozenset[int]) -> str | None:
    try:
        names = os.listdir(at)
    except OSError:
        return None
    found = sorted(name for name in names if name.startswith("requirements") and name.endswith(".txt"))
    return next((name for name in found if _owned(os.path.join(at, name), owners)), None)


def _environment(at: str, owners: frozenset[int], folder: str) -> str | None:
    """Return the environment in the directory `at`, be it whole or not, or None."""
    for name in dict.fromkeys((folder, ENVIRONMENT)):
        path = os.path.join(at, name)
        if _owned(path, owners) and not _is_name_of_another_tool(path):
            return path
    for name in NAMED_ENVIRONMENTS:
        path = os.path.join(at, name)
        if os.path.isfile(os.path.join(path, "pyvenv.cfg")) and _owned(path, owners):
            return path
    return None


def _is_name_of_another_tool(path: str) -> bool:
    """Tell whether a file holds the bare name of an environment that another tool keeps elsewhere."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            line = file.readline(4096).strip()
    except OSError:
        return False
    if not line or "\0" in line:
        return True
    target = os.path.join(os.path.dirname(path), line)
    bare = "/" not in line and line not in {".", ".."}
    return bare and not os.path.isfile(os.path.join(target, "pyvenv.cfg"))


def _has(at: str, names: tuple[str, ...], owners: frozenset[int]) -> bool:
    return any(_owned(os.path.join(at, name), owners) for name in names)


def _owned(path: str, owners: frozenset[int]) -> bool:
    return _owner(path) in owners


def _owner(path: str) -> int:
    """Return the user id that owns `path`, links not followed, or -1 where there is nothing."""
    try:
        return os.lstat(path).st_uid
    except (OSError, ValueError):
        return -1


def _temporary(environ: Mapping[str, str]) -> tuple[str, ...]:
    named = tuple(os.path.realpath(environ[name]) for name in ("TMPDIR", "TEMP", "TMP") if environ.get(name))
    return (*_TEMPORARY, *named)


def _folders(home: str, environ: Mapping[str, str]) -> set[str]:
    """Return the real paths of the user's folders, those that the desktop named included."""
    folders = {os.path.realpath(os.path.join(home, name)) for name in _FOLDERS}
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    try:
        with open(os.path.join(config, "user-dirs.dirs"), encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return folders
    for line in lines:
        key, _, value = line.strip().partition("=")
        if key.startswith("XDG_") and key.endswith("_DIR"):
            named = value.strip().strip('"').replace("$HOME", home, 1)
            if "\0" not in named:
                folders.add(os.path.realpath(named))
    return folders
