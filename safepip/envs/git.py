"""Ask git if it tracks an environment, so that nothing else runs."""

from __future__ import annotations

import os
import stat

from safepip.system.files import is_in
from safepip.system.process import inherited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_INDEX = "index"
_SHARED = "sharedindex."
_SHARED_SEEN = 64  # shared indexes that tell of a change; git removes the old ones
_POINTER_SIZE = 1 << 16  # bytes of a `.git` file
_PATIENCE = 20  # seconds; a repository's configuration may include a pipe, which never ends
# A repository's own configuration may name programs. These are all that `ls-files` could start: a file system
# monitor, a hook after the index was written, and a transport that fetches a missing tree (promisor remotes).
_HARMLESS_OPTIONS = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "safe.directory=*")
_HARMLESS_ENVIRON = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


def tracks(root: str, path: str, owners: frozenset[int] | None = None) -> bool:
    """Return True if a git repository tracks anything at or below `path`.

    Both paths are absolute; `path` itself may be a link, which git tracks as such. Every repository around `root`
    is asked, its own in a worktree or submodule too, but none of users not in `owners` (user ids), if given.
    Also True if git is not installed or cannot answer. False without a repository, or without an index.
    """
    try:
        folder, name = os.path.split(os.path.normpath(path))
        real = os.path.join(os.path.realpath(folder), name)
        for worktree, git_dir in _repositories(root, owners):
            if is_in(real, worktree) and _tracks_path(worktree, git_dir, real):
                return True
    except (OSError, ValueError):
        return True
    return False


def index_identity(root: str, owners: frozenset[int] | None = None) -> str:
    """Return a text that changes when the answer of `tracks` could.

    It is empty without a repository, and "?" if an index cannot be looked at.
    """
    try:
        return "\n".join(_states(git_dir) for _, git_dir in _repositories(root, owners))
    except (OSError, ValueError):
        return "?"


def _repositories(root: str, owners: frozenset[int] | None) -> Iterator[tuple[str, str]]:
    """Yield work tree and git directory of the repositories, nearest first."""
    at = os.path.realpath(root)
    while True:
        git_dir = _git_dir(os.path.join(at, ".git"), owners)
        if git_dir is not None:
            yield at, git_dir
        parent = os.path.dirname(at)
        if at == parent:
            return
        at = parent


def _git_dir(dot_git: str, owners: frozenset[int] | None) -> str | None:
    """Return the directory that `.git` is, or names as a file."""
    try:
        owner, mode = os.lstat(dot_git).st_uid, os.stat(dot_git).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if owners is not None and owner not in owners:
        return None
    if stat.S_ISDIR(mode):
        return dot_git
    if not stat.S_ISREG(mode):  # git passes over it as well
        return None
    with open(dot_git, "rb") as file:  # gitrepository-layout(5)
        key, _, target = file.read(_POINTER_SIZE).partition(b": ")
    target = target.rstrip(b"\r\n")
    if key != b"gitdir" or not target:
        raise ValueError(dot_git)
    return os.path.join(os.path.dirname(dot_git), os.fsdecode(target))


def _states(git_dir: str) -> str:
    states = [_state(os.path.join(git_dir, _INDEX))]
    if os.path.isdir(git_dir):
        shared = [name for name in os.listdir(git_dir) if name.startswith(_SHARED)]
        states += [_state(os.path.join(git_dir, name)) for name in sorted(shared)[:_SHARED_SEEN]]
    return "\n".join(states)


def _state(path: str) -> str:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return path
    numbers = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return " ".join((path, *map(str, numbers)))


def _tracks_path(worktree: str, git_dir: str, real: str) -> bool:
    """Return True if this repository tracks `real` in its work tree."""
    try:
        index = os.stat(os.path.join(git_dir, _INDEX))
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(index.st_mode):  # git would wait for a pipe
        return True
    names = _list_files(worktree, git_dir)
    if names is None:
        return True
    if real == worktree:
        return bool(names)
    wanted = os.fsencode(os.path.relpath(real, worktree).replace(os.sep, "/"))
    depth = wanted.count(b"/") + 1
    heads = {b"/".join(name.split(b"/", depth)[:depth]) for name in names}
    return wanted in heads or _is_another_spelling(real, heads, worktree)


def _list_files(worktree: str, git_dir: str) -> list[bytes] | None:
    """Return the names that git tracks, None if it cannot tell."""
    import shutil  # noqa: PLC0415  only where the index changed: not to see whether it has
    import subprocess  # noqa: PLC0415  likewise

    environ = inherited()
    # A relative entry of PATH would lead into the repository.
    search = filter(os.path.isabs, environ.get("PATH", os.defpath).split(os.pathsep))
    program = shutil.which("git", path=os.pathsep.join(search))
    if program is None:
        return None
    for name in list(environ):
        if name.startswith("GIT_"):
            del environ[name]
    environ.update(_HARMLESS_ENVIRON)
    command = [program, *_HARMLESS_OPTIONS, f"--git-dir={git_dir}", f"--work-tree={worktree}", "ls-files", "-z"]
    try:
        asked = subprocess.run(
            command, cwd=worktree, env=environ, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    lacks_objects = b"error:" in asked.stderr  # git leaves out what a missing tree holds, and exits with 0
    if asked.returncode != 0 or lacks_objects:
        return None
    return asked.stdout.split(b"\0")[:-1]


def _is_another_spelling(real: str, names: set[bytes], worktree: str) -> bool:
    """Return True if one of the `names` is the file `real`."""
    try:
        found = os.lstat(real)
    except (FileNotFoundError, NotADirectoryError):
        return False
    for name in names:  # some file systems take .VENV for .venv
        try:
            tracked = os.lstat(os.path.join(os.fsencode(worktree), name))
        except (FileNotFoundError, NotADirectoryError):
            continue
        if os.path.samestat(found, tracked):
            return True
    return False
