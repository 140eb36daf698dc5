"""Note what `--save` changes in the project's files, for `undo`.

A line of `<env>/.safepip/saved` has the id of the entry in the history, the file's path, and its content before
and after, each behind "=", or "-" where the file did not exist. It is written before the file, and counts only if
the file has that content.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import sys

from safepip.core.record import Record
from safepip.system.files import is_in, read_regular, replace_file, sweep, umask

from .journal import SAVED, escaped, unescaped, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .history import Entry

LARGEST = 1 << 20  # bytes of a file that lists dependencies
_MOST = 1 << 28  # bytes of the notes


class Saved(Record):
    """One change of a file."""

    entry: str  # its id in the history
    path: str  # absolute
    before: bytes | None  # None for a file that does not exist
    after: bytes | None


def read(environment: str) -> list[Saved]:
    """Return the changes of files, oldest first."""
    found = []
    for line in _lines(environment):
        fields = line.split("\t")
        if len(fields) != 4 or "" in fields:  # torn by a kill or a full disk
            continue
        entry, name, before, after = fields
        path = os.path.normpath(os.path.join(os.path.dirname(environment), unescaped(name)))
        found.append(Saved(entry=entry, path=path, before=_content(before), after=_content(after)))
    return found


def note(environment: str, one: Saved) -> bool:
    """Note a coming change and return True if that is on disk."""
    lines = _lines(environment)
    path = one.path
    around = os.path.dirname(environment)
    if is_in(path, around):
        path = os.path.relpath(path, around)  # a project that is moved takes its environment along
    fields = (one.entry, escaped(path), _field(one.before), _field(one.after))
    return write(os.path.join(environment, SAVED), [*lines, "\t".join(fields), ""])


def _lines(environment: str) -> list[str]:
    content = read_regular(os.path.join(environment, SAVED), _MOST, follow=False)
    if content is None:
        return []
    return list(filter(None, os.fsdecode(content).split("\n")))


class Back(Record):
    """How a file goes back, unless it has other content than expected."""

    path: str
    expected: bytes | None
    aimed: bytes | None
    is_edited: bool  # by somebody, between the changes


def back(environment: str, gone: Sequence[Entry]) -> list[Back]:
    """Return how files go back without the entries `gone`, oldest first."""
    ids = {entry.id for entry in gone}
    of_file: dict[str, list[Saved]] = {}
    for row in read(environment):
        if row.entry in ids:
            of_file.setdefault(row.path, []).append(row)
    found = []
    for path, rows in of_file.items():
        while rows and not _is_written(rows[-1]):
            rows.pop()
        if rows:
            is_edited = _is_edited(rows)
            found.append(Back(path=path, expected=rows[-1].after, aimed=rows[0].before, is_edited=is_edited))
    return found


def _is_edited(rows: Sequence[Saved]) -> bool:
    """Return True if somebody edited the file between these changes."""
    # Where a file could not be written, the next change finds the same content before.
    done = [row for row, later in itertools.pairwise(rows) if row.before != later.before]
    done.append(rows[-1])
    return any(row.after != later.before for row, later in itertools.pairwise(done))


def _is_written(last: Saved) -> bool:
    """Return False if the command ended before it wrote the file."""
    try:
        now = content_of(last.path)
    except OSError:
        return True
    return now != last.before or now == last.after


def content_of(path: str) -> bytes | None:
    """Return a file's content, None without one, or raise OSError."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "it is not a regular file", path)
    if found.st_size > LARGEST:
        raise OSError(0, "it is too large", path)
    with open(path, "rb") as file:
        return file.read()


def change(path: str, before: bytes | None, after: bytes | None) -> bool:
    """Write or remove a file if its content is still `before`.

    Return False if it is not, or raise OSError. A link stays: the file that it leads to is replaced, by rename,
    with the same rights.
    """
    real = os.path.realpath(path)
    with _alone_in(os.path.dirname(real)):
        if content_of(real) != before:
            return False
        _refuse_foreign(real)
        sweep(os.path.dirname(real))  # what a killed command was writing
        if after is None:
            os.unlink(real)
        elif before is None:
            replace_file(real, after, mode=0o666 & ~umask())
        else:
            replace_file(real, after, like=real)
    return True


def _refuse_foreign(path: str) -> None:
    # A rename would give this user the file of another, and overwrite one that is read-only.
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return
    if sys.platform != "win32" and os.geteuid() not in {0, found.st_uid}:
        raise OSError(0, "it belongs to another user", path)
    if not os.access(path, os.W_OK) or not found.st_mode & 0o222:
        raise OSError(0, "it is read-only", path)


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """Let no --save for another environment change a file in the folder."""
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415  not on Windows

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _field(content: bytes | None) -> str:
    if content is None:
        return "-"
    return "=" + escaped(os.fsdecode(content))


def _content(field: str) -> bytes | None:
    if field.startswith("="):
        return os.fsencode(unescaped(field[1:]))
    return None
