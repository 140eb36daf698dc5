"""Whether git tracks a file or folder, read from git's index; git itself is never started.

To start git in a directory of a stranger's is to run what its configuration names (core.fsmonitor). The
format is that of gitformat-index(5): versions 2 to 4, SHA-1 and SHA-256, split and sparse indexes. Whatever
is unknown, damaged or too large counts as tracked.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_GIT = ".git"
_INDEX = "index"
_SHARED = "sharedindex."
_HASHES = (("sha1", 20), ("sha256", 32))
_LARGEST = 1 << 28  # bytes of an index: some 2.5 million files
_LONGEST = 4096  # bytes of a name, as long as a path can be; keeps version 4's prefixes from growing the work
_POINTER = 1 << 16  # bytes of a `.git` file
_SHARED_SEEN = 64  # shared indexes that tell of a change; git removes the old ones


class _UnclearError(ValueError):
    """What was read is no index, or not as git writes it."""


def tracks(root: str, path: str, owners: frozenset[int] | None = None) -> bool:
    """Tell whether a git repository around the directory `root` tracks anything at or below `path`.

    Both are absolute; `path` itself may be a link, which git tracks as such. Every repository above `root`
    is asked, its own in a worktree or submodule too, but none of users not in `owners` (user ids), if given.
    True also where that cannot be told; False where there is no repository, or no index yet.
    """
    try:
        folder, name = os.path.split(os.path.normpath(path))
        real = os.path.join(os.path.realpath(folder), name)
        return any(_tracked(worktree, git_dir, real) for worktree, git_dir in _repositories(root, owners))
    except (OSError, ValueError):
        return True


def identity(root: str, owners: frozenset[int] | None = None) -> str:
    """Return what changes as soon as `tracks` could answer otherwise, "" where there is no repository.

    It names path, device, inode, size, mtime and ctime of each index, and of the shared ones beside it; "?"
    where they cannot be looked at, and everything counts as tracked.
    """
    try:
        return "\n".join(_identity(git_dir) for _, git_dir in _repositories(root, owners))
    except (OSError, ValueError):
        return "?"


def _repositories(root: str, owners: frozenset[int] | None) -> Iterator[tuple[str, str]]:
    """Yield the work tree and the directory of git's own of each repository around `root`, nearest first."""
    at = os.path.realpath(root)
    while True:
        git_dir = _git_dir(os.path.join(at, _GIT), owners)
        if git_dir is not None:
            yield at, git_dir
        if at == os.path.dirname(at):
            return
        at = os.path.dirname(at)


def _git_dir(dot_git: str, owners: frozenset[int] | None) -> str | None:
    """Return the directory that `.git` is, or that it names as a file, or None; gitrepository-layout(5)."""
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
    key, _, target = _content(dot_git, _POINTER).partition(b": ")
    target = target.rstrip(b"\r\n")
    if key != b"gitdir" or not target:
        raise _UnclearError(dot_git)
    return os.path.join(os.path.dirname(dot_git), os.fsdecode(target))


def _identity(git_dir: str) -> str:
    names = [_INDEX]
    if os.path.isdir(git_dir):
        names += sorted(name for name in os.listdir(git_dir) if name.startswith(_SHARED))[:_SHARED_SEEN]
    return "\n".join(_state(os.path.join(git_dir, name)) for name in names)


def _state(path: str) -> str:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return path
    numbers = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return " ".join((path, *map(str, numbers)))


def _tracked(worktree: str, git_dir: str, real: str) -> bool:
    within = os.path.join(worktree, "")
    if real != worktree and not real.startswith(within):
        return False
    try:
        data = _content(os.path.join(git_dir, _INDEX), _LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return False
    wanted = os.fsencode(real[len(within) :].replace(os.sep, "/"))
    answers = [_covers(data, size, git_dir, worktree, wanted) for size in _hash_sizes(data)]
    known = [answer for answer in answers if answer is not None]
    return any(known) or not known


def _covers(data: bytes, size: int, git_dir: str, worktree: str, wanted: bytes) -> bool | None:
    """Tell whether the index, with hashes of `size` bytes, names `wanted`; None if it is none such."""
    try:
        return _among(_names(data, size, git_dir), wanted, worktree)
    except _UnclearError:
        return None


def _among(names: Iterable[bytes], wanted: bytes, worktree: str) -> bool:
    """Tell whether one of the `names` is `wanted`, below it, or a sparse index's folder around it."""
    depth = wanted.count(b"/") + 1
    folded = _folded(wanted)
    seen = None
    for name in names:
        if not wanted or (name.endswith(b"/") and wanted.startswith(name)):
            return True
        head = b"/".join(name.split(b"/", depth)[:depth])
        if head == wanted or (head != seen and _is_same(head, wanted, folded, worktree)):
            return True
        seen = head
    return False


def _is_same(head: bytes, wanted: bytes, folded: str, worktree: str) -> bool:
    """Tell whether another spelling of `wanted` is the same file, on a file system that takes both for one."""
    if len(head) > 4 * len(wanted) or _folded(head) != folded:
        return False
    one, other = (os.path.join(os.fsencode(worktree), name) for name in (head, wanted))
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _folded(name: bytes) -> str:
    import unicodedata  # noqa: PLC0415  only where the index is read: not to see whether it has changed

    return unicodedata.normalize("NFD", name.decode("utf-8", "surrogateescape")).casefold()


def _hash_sizes(data: bytes) -> list[int]:
    """Return the lengths of the hashes by which the index may be written, known by its checksum.

    With index.skipHash git writes zeros in its place; then it is not told which.
    """
    import hashlib  # noqa: PLC0415  likewise

    found = []
    view = memoryview(data)
    for name, size in _HASHES:
        checksum = view[-size:]
        hashed = hashlib.new(name, view[:-size], usedforsecurity=False)
        if checksum == bytes(size) or checksum == hashed.digest():
            found.append(size)
    return found


def _names(data: bytes, size: int, git_dir: str | None) -> Iterator[bytes]:
    """Yield the names of all entries, those of the shared index of a split one in `git_dir` included."""
    version, count = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:12], "big")
    if data[:4] != b"DIRC" or version not in {2, 3, 4}:
        raise _UnclearError(version)
    end = len(data) - size
    at, name = 12, b""
    for _ in range(count):
        name, at = _entry(data, at, end, size, version, name)
        yield name
    shared = _shared(data, at, end, size)
    if shared is None:
        return
    if git_dir is None:  # of a shared index, which has none itself
        raise _UnclearError(shared)
    base = _content(os.path.join(git_dir, _SHARED + shared), _LARGEST)
    if size not in _hash_sizes(base):
        raise _UnclearError(shared)
    yield from _names(base, size, None)


def _entry(data: bytes, at: int, end: int, size: int, version: int, previous: bytes) -> tuple[bytes, int]:
    """Return the name of the entry at `at`, and where the next one begins."""
    name_at = at + 40 + size + 2
    flags = int.from_bytes(data[name_at - 2 : name_at], "big")
    if flags & 0x4000:  # extended: two bytes more, from version 3 on
        if version == 2:
            raise _UnclearError(flags)
        name_at += 2
    kept = b""
    if version == 4:
        dropped, name_at = _number(data, name_at)
        if dropped > len(previous):
            raise _UnclearError(dropped)
        kept = previous[: len(previous) - dropped]
    stop = data.find(b"\0", name_at, min(name_at + _LONGEST + 1, end))
    name = kept + data[name_at:stop]
    after = stop + 1 if version == 4 else at + ((stop - at) // 8 + 1) * 8
    if stop < 0 or after > end or len(name) > _LONGEST or min(len(name), 0xFFF) != flags & 0xFFF:
        raise _UnclearError(at)
    return name, after


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at `at`, written as the offsets in git's packs are, and where it ends."""
    value = -1
    for place in range(at, min(at + 4, len(data))):
        value = ((value + 1) << 7) + (data[place] & 0x7F)
        if data[place] < 0x80:
            return value, place + 1
    raise _UnclearError(at)


def _shared(data: bytes, at: int, end: int, size: int) -> str | None:
    """Return the hash that names the shared index, by the extensions from `at` to `end`, or None.

    The bitmap of what was deleted from the shared index is not read: that counts as tracked until git
    writes a new one.
    """
    shared = None
    while at < end:
        kind, body = data[at : at + 4], at + 8
        at = body + int.from_bytes(data[at + 4 : body], "big")
        optional = b"A" <= kind[:1] <= b"Z"
        if at > end or not (optional or kind in {b"link", b"sdir"}):
            raise _UnclearError(kind)
        if kind == b"link":
            shared = data[body : min(body + size, at)]
    if shared is None or shared == bytes(size):
        return None
    if len(shared) != size:
        raise _UnclearError(shared)
    return shared.hex()


def _content(path: str, largest: int) -> bytes:
    """Return the whole content of a regular file; nothing else is waited for, or read beyond `largest`."""
    with open(path, "rb", opener=_opened) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
            raise _UnclearError(path)
        data = file.read(found.st_size + 1)
    if len(data) != found.st_size:  # written to meanwhile
        raise _UnclearError(path)
    return data


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
