"""What `--save` changed in the project's files: `<env>/.safepip/saved`, so that `undo` takes that back as well.

A line has the id of the entry in the history, the file's path, and its content before and after, each behind "=",
or "-" where the file did not exist. It is written before the file, and counts only if the file has that content.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import sys

from safepip.core.record import Record
from safepip.system.files import read_regular, replace_file, sweep, umask

from .journal import SAVED, escaped, unescaped, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .history import Entry

LARGEST = 1 << 20  # bytes of a file that lists dependencies
_MOST = 1 << 28  # bytes of what is noted of them


class Saved(Record):
    """One change of a file: `path` is absolute; None is a file that does not exist."""

    entry: str
    path: str
    before: bytes | None
    after: bytes | None


def read(environment: str) -> list[Saved]:
    """Return the changes of files, oldest first; torn lines are ignored."""
    found = []
    for line in _lines(environment):
        one = _saved(line, environment)
        if one is not None:
            found.append(one)
    return found


def note(environment: str, one: Saved) -> bool:
    """Note a change that is about to be made; return True if that is on the disk."""
    lines = _lines(environment)
    path = one.path
    around = os.path.dirname(environment)
    if path.startswith(os.path.join(around, "")):
        path = os.path.relpath(path, around)  # a project that is moved takes its environment along
    fields = (one.entry, escaped(path), _field(one.before), _field(one.after))
    return write(os.path.join(environment, SAVED), [*lines, "\t".join(fields), ""])


def _lines(environment: str) -> list[str]:
    content = read_regular(os.path.join(environment, SAVED), _MOST, follow=False)
    if content is None:
        return []
    return list(filter(None, os.fsdecode(content).split("\n")))


class Back(Record):
    """How a file goes back: from the content expected there to `aimed`, unless somebody edited it between."""

    path: str
    expected: bytes | None
    aimed: bytes | None
    is_edited: bool


def back(environment: str, gone: Sequence[Entry]) -> list[Back]:
    """Return how files change when the entries `gone`, oldest first, are taken back."""
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
            found.append(_way_back(path, rows))
    return found


def _is_written(last: Saved) -> bool:
    """Return False where the file still has the content before its last change: that was killed, or failed."""
    try:
        now = content_of(last.path)
    except OSError:
        return True
    return now != last.before or now == last.after


def _way_back(path: str, rows: Sequence[Saved]) -> Back:
    # One whose file could not be written has the next one's content before.
    done = [row for row, after in itertools.pairwise(rows) if after.before != row.before] + [rows[-1]]
    is_edited = any(row.after != after.before for row, after in itertools.pairwise(done))
    return Back(path=path, expected=done[-1].after, aimed=rows[0].before, is_edited=is_edited)


def content_of(path: str) -> bytes | None:
    """Return the content of a file, None where there is none; raise OSError for what cannot be edited."""
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
    """Write or remove a file if its content is still `before`; return False if it is not, or raise OSError.

    A link stays: the file that it leads to is replaced, by rename, with the same rights.
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
    """Raise OSError for another user's file, which a rename would take over, and for one that is read-only."""
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
    """Let no other --save change a file in the folder meanwhile, whatever environment it is for."""
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


def _saved(line: str, environment: str) -> Saved | None:
    fields = line.split("\t")
    if len(fields) != 4 or "" in fields:
        return None
    path = os.path.normpath(os.path.join(os.path.dirname(environment), unescaped(fields[1])))
    return Saved(entry=fields[0], path=path, before=_content(fields[2]), after=_content(fields[3]))


def _field(content: bytes | None) -> str:
    if content is None:
        return "-"
    return "=" + escaped(os.fsdecode(content))


def _content(field: str) -> bytes | None:
    if field.startswith("="):
        return os.fsencode(unescaped(field[1:]))
    return None
