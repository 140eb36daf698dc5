"""Remember environments in the user's state: one small file each, found by device and inode.

Proof that safepip made an environment, or that the user trusts it, is this record, never a file inside it,
which travels in archives. A random id in both tells a directory from a later one that got its inode, and proves
that it is the same one where its device has another number, as after a reboot. The record's own mtime tells of
the last use. What may be computed again, an environment's size, is kept beside it, so that the record itself
stays small and seldom written.
"""

from __future__ import annotations

import os

from safepip.core.record import Record

from .files import number, recall, remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    _Fields = tuple[str, str, "Registration", str]  # device, inode, what is known, the environment's id

MADE = "made"
ADOPTED = "adopted"
TRUSTED = "trusted"
_FORMAT = "safepip-environment-1"
_SIZE_FORMAT = "safepip-size-2"
_FOLDER = "environments"
_SIZES = "sizes"
_ID = os.path.join(".safepip", "id")
_JOURNAL = os.path.join(".safepip", "journal")
_DAMAGE = os.path.join(".safepip", "damage")
_SATISFIED = os.path.join(".safepip", "satisfied")


class Registration(Record):
    """How safepip came to know the environment at `path`: MADE, ADOPTED or TRUSTED.

    `index` identifies the state of git's index at adoption, empty outside a repository. `project` is the root
    of the project that an environment kept elsewhere is for, else empty.
    """

    path: str
    how: str
    index: str = ""
    project: str = ""


class Entry(Record):
    """A record as it lies in the state: the `file`, its `registration`, of which directory, `used` last when (s).

    `identity` is the id that the directory was given, empty where it could keep none.
    """

    file: str
    registration: Registration
    device: int
    inode: int
    used: float
    identity: str = ""

    @property
    def is_there(self) -> bool:
        """Return True if the directory that was noted is still at its path."""
        return self.is_at(self.registration.path)

    def is_at(self, path: str) -> bool:
        """Return True if the directory that was noted is at `path`."""
        try:
            stat = os.stat(path)
        except (OSError, ValueError):
            return False
        if stat.st_ino != self.inode:
            return False
        may_be_renumbered = self.identity != "" and path == self.registration.path
        if stat.st_dev != self.device and not may_be_renumbered:
            return False
        return not self.identity or recall(os.path.join(path, _ID)) == self.identity


def note(state: str | None, path: str, how: str, index: str = "", project: str = "") -> None:
    """Remember how the environment at the absolute `path` came to be known. Write errors are ignored."""
    kept = _record(state, path)
    if kept is not None:
        stat = os.stat(path)
        before = _read(_renumbered(kept, path, stat) or kept)
        identity = _identified(path, before[3] if before is not None else "")
        noted = Registration(path=path, how=how, index=index, project=project)
        _write(kept, noted, (str(stat.st_dev), str(stat.st_ino)), identity)


def registration(state: str | None, path: str) -> Registration | None:
    """Return what is remembered of the directory at `path`, or None; a copied or moved one is new."""
    found = _found(state, path)
    return found[1][2] if found is not None else None


def moved_from(state: str | None, path: str) -> Entry | None:
    """Return the record of the directory at `path` from before it was moved here, or None."""
    kept = _record(state, path)
    found = _entry(kept) if kept is not None else None
    if found is None or found.registration.path == path or not found.is_at(path) or found.is_there:
        return None
    return found


def used(state: str | None, path: str) -> None:
    """Remember that the environment at `path` is being used; one that is not known stays so."""
    kept = _record(state, path)
    try:
        if kept is not None:
            os.utime(kept)
    except OSError:
        return


def forget(state: str | None, path: str) -> bool:
    """Forget the environment at `path`; return True if it was known."""
    found = entry(state, path)
    return found is not None and discard(found)


def discard(found: Entry) -> bool:
    """Forget a record, whatever lies at its path now; return True if that succeeded."""
    _remove(_size_file(found))
    _remove(found.file)
    return not os.path.lexists(found.file)


def entry(state: str | None, path: str) -> Entry | None:
    """Return the record of the directory at `path`, or None as `registration` does."""
    found = _found(state, path)
    return _entry(found[0]) if found is not None else None


def entry_of(state: str | None, device: int, inode: int) -> Entry | None:
    """Return the record of a directory by its identity, wherever that is now."""
    return _entry(os.path.join(state, _FOLDER, f"{device:x}-{inode:x}")) if state else None


def entries(state: str | None) -> Iterator[Entry]:
    """Yield all records, whether their environments exist or not; unreadable ones are ignored."""
    folder = os.path.join(state or "", _FOLDER)
    try:
        names = sorted(os.listdir(folder)) if state else []
    except OSError:
        return
    for name in names:
        found = _entry(os.path.join(folder, name))
        if found is not None:
            yield found


def measured(found: Entry, stamp: str, size: int, packages: int) -> None:
    """Remember the size in bytes and the number of packages as of when `stamp` was the mark of the last change."""
    remember(
        _size_file(found), "\0".join((_SIZE_FORMAT, found.registration.path, stamp, str(size), str(packages)))
    )


def size_of(found: Entry, stamp: str) -> tuple[int, int] | None:
    """Return the size and the number of packages that were measured under this stamp, or None."""
    fields = (recall(_size_file(found)) or "").split("\0")
    same = len(fields) == 5 and fields[:3] == [_SIZE_FORMAT, found.registration.path, stamp]
    size, packages = map(number, fields[3:]) if same else (None, None)
    return (size, packages) if size is not None and packages is not None else None


def _identified(path: str, before: str) -> str:
    """Return the environment's id: the one from `before`, else a new one; empty if it cannot be written.

    An environment without the id from `before` may bring a journal, notes of damage and kept answers of pip's
    that safepip did not write, so these are removed.
    """
    file = os.path.join(path, _ID)
    if before and recall(file) == before:
        return before
    for name in (_JOURNAL, _DAMAGE):
        _remove(os.path.join(path, name))
    _empty(os.path.join(path, _SATISFIED))
    identity = os.urandom(16).hex()
    remember(file, identity, durable=True)
    return identity if recall(file) == identity else ""


def _record(state: str | None, path: str) -> str | None:
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return None
    return state and os.path.join(state, _FOLDER, f"{stat.st_dev:x}-{stat.st_ino:x}")


def _found(state: str | None, path: str) -> tuple[str, _Fields] | None:
    """Return the file of the record of the directory at `path` and what it holds, or None."""
    kept = _record(state, path)
    if kept is None:
        return None
    found = _read(kept)
    stat = os.stat(path)
    if found is None or found[0] != str(stat.st_dev):
        renumbered = _renumbered(kept, path, stat)
        if renumbered is None:
            return None
        kept = renumbered
        found = _read(kept)
    if found is None or found[1] != str(stat.st_ino) or found[2].path != path:
        return None
    same = not found[3] or recall(os.path.join(path, _ID)) == found[3]
    return (kept, found) if same else None


def _renumbered(kept: str, path: str, stat: os.stat_result) -> str | None:
    """Return the record that was made under another number of the device.

    It is moved to `kept` where that can be written. Numbers change with a reboot or a new mount. Path, inode and
    id prove that it is the same directory: an archive brings the id, and not the inode.
    """
    identity = recall(os.path.join(path, _ID))
    found = _read(kept)
    if not identity or (found is not None and found[0] == str(stat.st_dev)):
        return None
    folder = os.path.dirname(kept)
    try:
        names = [name for name in os.listdir(folder) if name.endswith(f"-{stat.st_ino:x}")]
    except OSError:
        return None
    for name in names:
        file = os.path.join(folder, name)
        found = _read(file)
        if found is not None and (found[1], found[2].path, found[3]) == (str(stat.st_ino), path, identity):
            return _renumber(file, found, kept, stat)
    return None


def _renumber(file: str, found: _Fields, kept: str, stat: os.stat_result) -> str:
    """Move a record, its time and its size to `kept`; return where it is."""
    try:
        used = os.stat(file).st_mtime_ns
        os.replace(file, kept)  # first: two records would be listed as two environments
    except OSError:
        return file
    _, inode, known, identity = found
    _write(kept, known, (str(stat.st_dev), inode), identity)
    try:
        os.utime(kept, ns=(used, used))
        os.replace(_size_of_record(file), _size_of_record(kept))
    except OSError:
        return kept
    return kept


def _size_file(found: Entry) -> str:
    return _size_of_record(found.file)


def _size_of_record(file: str) -> str:
    folder, name = os.path.split(file)
    return os.path.join(os.path.dirname(folder), _SIZES, name)


def _remove(file: str) -> None:
    try:
        os.unlink(file)
    except OSError:
        return


def _empty(folder: str) -> None:
    """Remove the files in a folder; through a link nothing is removed."""
    try:
        names = [] if os.path.islink(folder) else os.listdir(folder)
    except OSError:
        return
    for name in names:
        _remove(os.path.join(folder, name))


def _entry(kept: str) -> Entry | None:
    found = _read(kept)
    if found is None:
        return None
    try:
        used = os.stat(kept).st_mtime
    except OSError:
        return None
    device, inode, known, identity = number(found[0]), number(found[1]), found[2], found[3]
    if device is None or inode is None:
        return None
    return Entry(file=kept, registration=known, device=device, inode=inode, used=used, identity=identity)


def _write(kept: str, known: Registration, numbers: tuple[str, str], identity: str) -> None:
    fields = (_FORMAT, known.path, *numbers, known.how, known.index, known.project, identity)
    remember(kept, "\0".join(fields), durable=True)


def _read(kept: str) -> _Fields | None:
    """Return device, inode, what is known, and the environment's id."""
    fields = (recall(kept) or "").split("\0")
    if len(fields) != 8 or fields[0] != _FORMAT or fields[4] not in {MADE, ADOPTED, TRUSTED}:
        return None
    _, path, device, inode, how, index, project, identity = fields
    return device, inode, Registration(path=path, how=how, index=index, project=project), identity
