"""Remember environments in the user's state, a small file each.

A record is found by device and inode.

Proof that safepip made an environment, or that the user trusts it, is this record, never a file inside it, which
travels in archives. A random id in both tells a directory from a later one that got its inode, and proves that it
is the same one where its device has another number, as after a reboot. The record's own mtime tells of the last
use. What may be computed again, an environment's size, is kept beside it, so that the record itself stays small
and seldom written.
"""

from __future__ import annotations

import os

from safepip.core.record import Record

from .files import number, recall, recall_fields, remember, sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

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
    """How safepip came to know an environment: MADE, ADOPTED, TRUSTED.

    `index` identifies the state of git's index at adoption, empty outside a repository. `project` is the root of
    the project that an environment kept elsewhere is for, else empty.
    """

    path: str
    how: str
    index: str = ""
    project: str = ""


class Entry(Record):
    """A record as it lies in the state.

    `used` is the time of the last use, in seconds.

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
        """Return True if the directory is still at its path."""
        return self.is_at(self.registration.path)

    def is_at(self, path: str) -> bool:
        """Return True if the directory that was noted is at `path`."""
        try:
            stat = os.stat(path)
        except (OSError, ValueError):
            return False
        if stat.st_ino != self.inode:
            return False
        if self.identity == "":  # nothing could be written into the environment
            return stat.st_dev == self.device
        # A device gets another number with a reboot or a new mount; the id proves that it is the same directory.
        if stat.st_dev != self.device and path != self.registration.path:
            return False
        return recall(os.path.join(path, _ID)) == self.identity


class _Content(Record):
    """What a record's `file` holds, its numbers as written there."""

    file: str
    device: str
    inode: str
    registration: Registration
    identity: str


def note(state: str | None, path: str, how: str, index: str = "", project: str = "") -> None:
    """Remember how an environment came to be known. Errors are ignored."""
    kept = _record(state, path)
    if kept is None:
        return
    stat = os.stat(path)
    before = _read(_renumbered(kept, path, stat) or kept)
    identity = _identified(path, "" if before is None else before.identity)
    noted = Registration(path=path, how=how, index=index, project=project)
    _write(kept, noted, (str(stat.st_dev), str(stat.st_ino)), identity)


def registration(state: str | None, path: str) -> Registration | None:
    """Return what is known of the directory at `path`, or None.

    A copied or moved one is not known.
    """
    found = _found(state, path)
    if found is None:
        return None
    return found.registration


def moved_from(state: str | None, path: str) -> Entry | None:
    """Return the record of a directory from before it was moved."""
    kept = _record(state, path)
    if kept is None:
        return None
    found = _entry(kept)
    if found is None or found.registration.path == path:
        return None
    if found.is_there or not found.is_at(path):
        return None
    return found


def used(state: str | None, path: str) -> None:
    """Note that a known environment is being used."""
    kept = _record(state, path)
    if kept is None:
        return
    try:
        os.utime(kept)  # the time of the record is the time of the last use
    except OSError:
        return


def forget(state: str | None, path: str) -> bool:
    """Forget the environment at `path`. Return True if it was known."""
    found = entry(state, path)
    return found is not None and discard(found)


def discard(found: Entry) -> bool:
    """Forget a record. Return True if that succeeded."""
    _remove(_size_of_record(found.file))
    _remove(found.file)
    return not os.path.lexists(found.file)


def entry(state: str | None, path: str) -> Entry | None:
    """Return the record of the directory at `path`, or None."""
    found = _found(state, path)
    if found is None:
        return None
    return _entry(found.file)


def entry_of(state: str | None, device: int, inode: int) -> Entry | None:
    """Return the record of a directory by its identity, or None."""
    if state is None:
        return None
    return _entry(os.path.join(state, _FOLDER, f"{device:x}-{inode:x}"))


def entries(state: str | None) -> Iterator[Entry]:
    """Yield all records, whether their environments exist or not."""
    # Unreadable ones are ignored: another version may have written them.
    if state is None:
        return
    folder = os.path.join(state, _FOLDER)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        found = _entry(os.path.join(folder, name))
        if found is not None:
            yield found


def measured(found: Entry, stamp: str, size: int, packages: int) -> None:
    """Remember the size (bytes) and number of packages under `stamp`.

    The stamp marks the last change.
    """
    fields = (_SIZE_FORMAT, found.registration.path, stamp, str(size), str(packages))
    remember(_size_of_record(found.file), "\0".join(fields))


def size_of(found: Entry, stamp: str) -> tuple[int, int] | None:
    """Return the size and number of packages under this stamp."""
    fields = recall_fields(_size_of_record(found.file))
    if fields[:3] != (_SIZE_FORMAT, found.registration.path, stamp):
        return None
    match list(map(number, fields[3:])):
        case [int(size), int(packages)]:
            return size, packages
        case _:
            return None


def _identified(path: str, before: str) -> str:
    """Return the environment's id, a new one if `before` does not hold.

    It is empty if it cannot be written.
    """
    file = os.path.join(path, _ID)
    if before and recall(file) == before:
        return before
    # Without that id, its journal, notes of damage and kept answers may come from an archive.
    for name in (_JOURNAL, _DAMAGE):
        _remove(os.path.join(path, name))
    _empty(os.path.join(path, _SATISFIED))
    identity = os.urandom(16).hex()
    sweep(os.path.dirname(file), "id")  # what a killed command was writing
    remember(file, identity, durable=True)
    if recall(file) != identity:  # it could not be written
        return ""
    return identity


def _record(state: str | None, path: str) -> str | None:
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return None
    if not state:
        return None
    return os.path.join(state, _FOLDER, f"{stat.st_dev:x}-{stat.st_ino:x}")


def _found(state: str | None, path: str) -> _Content | None:
    """Return the record of the directory at `path`, or None."""
    kept = _record(state, path)
    if kept is None:
        return None
    found = _read(kept)
    stat = os.stat(path)
    if found is None or found.device != str(stat.st_dev):
        renumbered = _renumbered(kept, path, stat)
        if renumbered is None:
            return None
        return _read(renumbered)
    if found.inode != str(stat.st_ino) or found.registration.path != path:  # moved, or a mount shows it twice
        return None
    if found.identity and recall(os.path.join(path, _ID)) != found.identity:  # another got its inode
        return None
    return found


def _renumbered(kept: str, path: str, stat: os.stat_result) -> str | None:
    """Return the record made under another number of the device.

    It is moved to `kept` if possible.
    """
    # Path, inode and id prove that it is the same directory: an archive brings the id, and not the inode.
    identity = recall(os.path.join(path, _ID))
    if not identity:
        return None
    found = _read(kept)
    if found is not None and found.device == str(stat.st_dev):
        return None
    folder = os.path.dirname(kept)
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    wanted = (str(stat.st_ino), path, identity)
    for name in names:
        if not name.endswith(f"-{stat.st_ino:x}"):
            continue
        file = os.path.join(folder, name)
        found = _read(file)
        if found is not None and (found.inode, found.registration.path, found.identity) == wanted:
            return _renumber(file, found, kept, stat)
    return None


def _renumber(file: str, found: _Content, kept: str, stat: os.stat_result) -> str:
    """Move a record, its time and its size, and return its place."""
    try:
        used = os.stat(file).st_mtime_ns
        os.replace(file, kept)  # first: two records would be listed as two environments
    except OSError:
        return file
    _write(kept, found.registration, (str(stat.st_dev), found.inode), found.identity)
    try:
        os.utime(kept, ns=(used, used))
        os.replace(_size_of_record(file), _size_of_record(kept))
    except OSError:  # most have no size yet
        return kept
    return kept


def _size_of_record(file: str) -> str:
    folder, name = os.path.split(file)
    return os.path.join(os.path.dirname(folder), _SIZES, name)


def _remove(file: str) -> None:
    try:
        os.unlink(file)
    except OSError:
        return


def _empty(folder: str) -> None:
    """Remove the files in a folder."""
    if os.path.islink(folder):  # an archive's may lead anywhere
        return
    try:
        names = os.listdir(folder)
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
    device, inode = number(found.device), number(found.inode)
    if device is None or inode is None:  # the file is damaged
        return None
    return Entry(
        file=kept,
        registration=found.registration,
        device=device,
        inode=inode,
        used=used,
        identity=found.identity,
    )


def _write(kept: str, known: Registration, numbers: tuple[str, str], identity: str) -> None:
    fields = (_FORMAT, known.path, *numbers, known.how, known.index, known.project, identity)
    remember(kept, "\0".join(fields), durable=True)


def _read(kept: str) -> _Content | None:
    fields = recall_fields(kept)
    if len(fields) != 8:
        return None
    written_as, path, device, inode, how, index, project, identity = fields
    if written_as != _FORMAT or how not in {MADE, ADOPTED, TRUSTED}:
        return None
    noted = Registration(path=path, how=how, index=index, project=project)
    return _Content(file=kept, device=device, inode=inode, registration=noted, identity=identity)
