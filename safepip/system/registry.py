"""Remember environments in the user's state, a small file for each.

The file is found by device and inode. Proof that safepip made an environment, or that the user trusts it, is this
record, never a file inside it, which travels in archives. A random id in both tells a directory from a later one
that got its inode, and proves that it is the same one where its device has another number, as after a reboot. The
record's own mtime tells of the last use. What may be computed again, an environment's size, is kept beside it, so
that the record itself stays small and seldom written.
"""

from __future__ import annotations

import os

from safepip.core.record import Record, replace

from .files import names_in, number, recall, recall_fields, remember, sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MADE = "made"
ADOPTED = "adopted"
TRUSTED = "trusted"
_FORMAT = "safepip-environment-1"
_SIZE_FORMAT = "safepip-size-2"
_FOLDER = "environments"
REPAIRS = "repairs"  # the folder of notes on rebuilds under way, see envs/exchange.py
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

    It is of the directory that `device` and `inode` identify. `identity` is the id that the directory was given,
    empty where it could keep none.
    """

    file: str
    registration: Registration
    device: int
    inode: int
    identity: str = ""

    @property
    def used(self) -> float:
        """Return the time of the last use, in seconds."""
        try:
            return os.stat(self.file).st_mtime
        except OSError:
            return 0.0

    @property
    def is_there(self) -> bool:
        """Return True if the directory is still at its path."""
        return self.is_at(self.registration.path)

    def is_at(self, path: str) -> bool:
        """Return True if the directory that was noted is at `path`."""
        status = _status(path)
        if status is None or status.st_ino != self.inode:
            return False
        if self.identity == "":  # nothing could be written into the environment
            return status.st_dev == self.device
        # A device gets another number with a reboot or a new mount; the id proves that it is the same directory.
        if status.st_dev != self.device and path != self.registration.path:
            return False
        return recall(os.path.join(path, _ID)) == self.identity


def note(state: str | None, path: str, how: str, index: str = "", project: str = "") -> None:
    """Remember how an environment came to be known. Errors are ignored."""
    located = _located(state, path)
    if located is None:
        return
    file, status = located
    before = _read(file)
    if before is None or before.device != status.st_dev:
        before = _renumbered(file, path, status) or before
    identity = _identified(path, "" if before is None else before.identity)
    noted = Registration(path=path, how=how, index=index, project=project)
    _write(Entry(file=file, registration=noted, device=status.st_dev, inode=status.st_ino, identity=identity))


def registration(state: str | None, path: str) -> Registration | None:
    """Return what is known of the directory at `path`, or None.

    A copied or moved one is not known.
    """
    found = entry(state, path)
    return None if found is None else found.registration


def entry(state: str | None, path: str) -> Entry | None:
    """Return the record of the directory at `path`, or None."""
    located = _located(state, path)
    if located is None:
        return None
    file, status = located
    found = _read(file)
    if found is None or found.device != status.st_dev:
        return _renumbered(file, path, status)
    if found.inode != status.st_ino or found.registration.path != path:  # moved, or a mount shows it twice
        return None
    if found.identity and recall(os.path.join(path, _ID)) != found.identity:  # another got its inode
        return None
    return found


def entry_of(state: str | None, device: int, inode: int) -> Entry | None:
    """Return the record of a directory by its identity, or None."""
    if state is None:
        return None
    return _read(os.path.join(state, _FOLDER, f"{device:x}-{inode:x}"))


def entries(state: str | None) -> Iterator[Entry]:
    """Yield all records, whether their environments exist or not."""
    if state is None:
        return
    folder = os.path.join(state, _FOLDER)
    for name in sorted(names_in(folder)):
        found = _read(os.path.join(folder, name))
        if found is not None:  # another version of safepip may have written it
            yield found


def moved_from(state: str | None, path: str) -> Entry | None:
    """Return the record of a directory from before it was moved."""
    located = _located(state, path)
    if located is None:
        return None
    found = _read(located[0])
    if found is None or found.registration.path == path:
        return None
    if found.is_there or not found.is_at(path):
        return None
    return found


def note_use(state: str | None, path: str) -> None:
    """Note that a known environment is being used."""
    located = _located(state, path)
    if located is None:
        return
    try:
        os.utime(located[0])  # the time of the record is the time of the last use
    except OSError:
        return


def has_killed_rebuilds(state: str | None) -> bool:
    """Return True if a rebuild of any environment may have been killed."""
    if state is None:
        return False
    return bool(names_in(os.path.join(state, REPAIRS)))


def forget(state: str | None, path: str) -> bool:
    """Forget the environment at `path`. Return True if it was known."""
    found = entry(state, path)
    if found is None:
        return False
    return discard(found)


def discard(found: Entry) -> bool:
    """Forget a record. Return True if that succeeded."""
    _remove(_size_of_record(found.file))
    _remove(found.file)
    return not os.path.lexists(found.file)


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


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def _located(state: str | None, path: str) -> tuple[str, os.stat_result] | None:
    """Return a record's file and its directory's status."""
    status = _status(path)
    if status is None or not state:
        return None
    return os.path.join(state, _FOLDER, f"{status.st_dev:x}-{status.st_ino:x}"), status


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
    answers = os.path.join(path, _SATISFIED)
    if os.path.isdir(answers) and not os.path.islink(answers):  # an archive's link may lead anywhere
        for name in names_in(answers):
            _remove(os.path.join(answers, name))
    identity = os.urandom(16).hex()
    sweep(os.path.dirname(file), "id")  # what a killed command was writing
    remember(file, identity, durable=True)
    if recall(file) != identity:  # it could not be written
        return ""
    return identity


def _renumbered(file: str, path: str, status: os.stat_result) -> Entry | None:
    """Return the record made under another number of the device.

    It is moved to `file` if possible.
    """
    # Path, inode and id prove that it is the same directory: an archive brings the id, and not the inode.
    identity = recall(os.path.join(path, _ID))
    if not identity:
        return None
    folder = os.path.dirname(file)
    for name in names_in(folder):
        if not name.endswith(f"-{status.st_ino:x}"):
            continue
        found = _read(os.path.join(folder, name))
        if found is None or found.inode != status.st_ino:
            continue
        if found.registration.path == path and found.identity == identity:
            return _moved(found, replace(found, file=file, device=status.st_dev))
    return None


def _moved(found: Entry, to: Entry) -> Entry:
    """Move a record with its size, and return where it is."""
    try:
        last_use = os.stat(found.file).st_mtime_ns
        os.replace(found.file, to.file)  # first: two records would be listed as two environments
    except OSError:
        return found
    _write(to)
    try:
        os.utime(to.file, ns=(last_use, last_use))
        os.replace(_size_of_record(found.file), _size_of_record(to.file))
    except OSError:  # most have no size yet
        return to
    return to


def _size_of_record(file: str) -> str:
    folder, name = os.path.split(file)
    return os.path.join(os.path.dirname(folder), _SIZES, name)


def _remove(file: str) -> None:
    try:
        os.unlink(file)
    except OSError:
        return


def _write(noted: Entry) -> None:
    known = noted.registration
    numbers = (str(noted.device), str(noted.inode))
    fields = (_FORMAT, known.path, *numbers, known.how, known.index, known.project, noted.identity)
    remember(noted.file, "\0".join(fields), durable=True)


def _read(file: str) -> Entry | None:
    fields = recall_fields(file)
    if len(fields) != 8:
        return None
    written_as, path, device, inode, how, index, project, identity = fields
    if written_as != _FORMAT or how not in {MADE, ADOPTED, TRUSTED}:
        return None
    noted = Registration(path=path, how=how, index=index, project=project)
    device_number, inode_number = number(device), number(inode)
    if device_number is None or inode_number is None:  # the file is damaged
        return None
    return Entry(file=file, registration=noted, device=device_number, inode=inode_number, identity=identity)
