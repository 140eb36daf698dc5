"""List what is installed before a change, until pip has ended.

If the next change finds a journal, the command before was interrupted (see recover.py). It is written before
every install, so this imports little. safepip_notes.py, which runs on every Python that pip runs on, writes the
same rows afterwards (`_listing` there, `snapshot` here: a test holds them equal).

All three files are lines of fields, separated by tabs, which `escaped` keeps out of the fields themselves:
the journal (a heading, the rows of `snapshot`, a line that tells that it is complete), the distributions as the
last change left them (rows too), and the history (see history.py).
"""

from __future__ import annotations

import os
import sys
import time

from safepip.core.record import Record
from safepip.core.requirement import name_and_version
from safepip.core.world import BIN
from safepip.report import without_secrets
from safepip.system.environment import JOURNAL as JOURNAL  # noqa: PLC0414  part of what this module offers
from safepip.system.environment import OWN
from safepip.system.files import make_folder, number, replace_file, sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DAMAGE = os.path.join(OWN, "damage")  # the part of a journal that could not be put right yet
DISTRIBUTIONS = os.path.join(OWN, "distributions")
HISTORY = os.path.join(OWN, "history")
SAVED = os.path.join(OWN, "saved")
_FORMAT = "safepip-journal-2"
_END = "."  # the last line: without it the journal was cut off
# Links are not followed, pipes are not waited for, and line ends are not changed (Windows).
_READING = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK"))
_KINDS = (".dist-info", ".egg-info", ".egg-link")
_ESCAPES = (("%", "%25"), (" ", "%20"), ("\t", "%09"), ("\n", "%0A"), ("\r", "%0D"), ("\0", "%00"))
_ESCAPED = frozenset("%\t\n\r\0")  # besides the space


class Heading(Record):
    """The first line of a journal: the change that was begun.

    `number` is the id that its entry in the history gets; `outside` the names of distributions that had
    changed since the last entry without safepip.
    """

    number: str
    time: int
    process: int
    host: str
    created: bool
    words: tuple[str, ...]
    cwd: str
    outside: tuple[str, ...]


class Pending(Record):
    """A journal whose command was interrupted.

    One that is cut off has no `heading`.
    """

    name: str
    heading: Heading | None
    rows: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Return the interrupted line, as far as it is known."""
        if self.heading is None:
            return ()
        return self.heading.words


class Listed(Record):
    """A distribution in a listing.

    `path` is that of its metadata, relative to the environment, and `stamp` identifies that folder.
    """

    path: str
    stamp: str
    requested: bool
    origin: str


def begin(environment: str, words: Sequence[str], cwd: str | None, *, created: bool = False) -> bool:
    """Write that the line `words` begins, and return True if written.

    `created` tells that the environment was made for this line.
    """
    # A journal that is still there could not be ended, or without a lock another command is at work.
    if os.name != "nt" and os.path.lexists(os.path.join(environment, JOURNAL)):
        return False
    sweep(os.path.join(environment, OWN))  # what killed commands were writing
    known = distributions(environment)
    rows = snapshot(environment, known)
    outside: list[str] = []
    if known:
        outside = differing(known, rows)
    heading = (
        _FORMAT,
        next_number(environment),
        str(int(time.time())),
        str(os.getpid()),
        escaped(_host()),
        "created" if created else "",
        packed(without_secrets(words)),
        escaped(cwd or ""),
        packed(outside),
    )
    return write(os.path.join(environment, JOURNAL), ("\t".join(heading), *rows, _END))


def is_left(environment: str, *, locked: bool) -> bool:
    """Return True if an interrupted command left a journal, or damage."""
    if not os.path.lexists(os.path.join(environment, JOURNAL)):
        return os.path.lexists(os.path.join(environment, DAMAGE))
    # Under the lock its process cannot live any more. A file system may have no locks.
    return locked or _is_dead(environment)


def pending(environment: str, name: str = JOURNAL) -> Pending | None:
    """Return the journal in `environment`, or None without one."""
    path = os.path.join(environment, name)
    if not os.path.lexists(path):
        return None
    lines = _lines(path)
    heading = _heading(lines)
    if heading is None:
        return Pending(name=name, heading=None, rows=tuple(distributions(environment)))
    return Pending(name=name, heading=heading, rows=tuple(lines[1:-1]))


def _heading(lines: list[str]) -> Heading | None:
    """Return the heading of a journal, None if cut off."""
    if lines[-1:] != [_END]:
        return None
    fields = lines[0].split("\t")
    if len(fields) != 9 or fields[0] != _FORMAT:
        return None
    _, entry, begun, process, host, created, words, cwd, outside = fields
    seconds, pid = number(begun), number(process)
    if seconds is None or pid is None:
        return None
    return Heading(
        number=entry,
        time=seconds,
        process=pid,
        host=unescaped(host),
        created=bool(created),
        words=unpacked(words),
        cwd=unescaped(cwd),
        outside=unpacked(outside),
    )


def keep(environment: str, found: Pending) -> bool:
    """Keep a journal as damage that could not be put right yet.

    Return True if it is on the disk: only then the journal may end.
    """
    path = os.path.join(environment, DAMAGE)
    heading = _lines(os.path.join(environment, found.name))[:1]
    # Earlier damage goes on: it lists what was there before both.
    earlier = pending(environment, DAMAGE) or found
    if found.heading is None or earlier.heading is None:
        return write(path, ())  # an empty one: verify everything
    rows = list(earlier.rows)
    known = set(map(_name_of, rows))
    for row in found.rows:
        if row.startswith("d\t") and _name_of(row) not in known:
            rows.append(row)
    return write(path, (*heading, *rows, _END))


def by_name(rows: Iterable[str]) -> dict[str, list[Listed]]:
    """Return the distributions with a dist-info in a listing, by name."""
    found: dict[str, list[Listed]] = {}
    for row in listed(rows):
        name = name_and_version(row.path)[0]
        if not row.path.endswith(".dist-info") or not is_within(row.path):
            continue
        if name[:1].isalnum():  # otherwise pip would read it as an option
            found.setdefault(name, []).append(row)
    return found


def listed(rows: Iterable[str]) -> Iterator[Listed]:
    """Yield the distributions in a listing."""
    for row in rows:
        fields = row.split("\t")
        if len(fields) == 5 and fields[0] == "d":
            _, path, stamp, requested, origin = fields
            yield Listed(path=unescaped(path), stamp=stamp, requested=bool(requested), origin=unescaped(origin))


def folders(rows: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the names in each listed folder, by its relative path."""
    found = {}
    for row in rows:
        fields = row.split("\t")
        if len(fields) < 3 or fields[0] != "n":
            continue
        folder = unescaped(fields[1])
        if is_within(folder):
            found[folder] = frozenset(unpacked(fields[2]))
    return found


def is_within(relative: str) -> bool:
    """Return True if a path does not lead out of the environment."""
    if os.path.isabs(relative) or "\0" in relative:
        return False
    return os.pardir not in relative.split("/")


def distributions(environment: str) -> list[str]:
    """Return the rows of the distributions that the last change left."""
    return _lines(os.path.join(environment, DISTRIBUTIONS))


def next_number(environment: str) -> str:
    """Return the id of the next entry: the number of its line."""
    path = os.path.join(environment, HISTORY)
    try:
        if not os.path.isfile(path):  # a pipe would be waited for
            return "1"
        with open(path, "rb") as file:
            return str(file.read().count(b"\n") + 1)
    except OSError:
        return "1"


def end(environment: str, name: str = JOURNAL) -> None:
    """Take the journal away."""
    try:
        os.unlink(os.path.join(environment, name))
    except OSError:
        return


def snapshot(environment: str, known: Iterable[str] = ()) -> list[str]:
    """Return what is installed, as rows in a fixed order.

    A distribution has the row `d`, path of its metadata, what identifies that (see `stamp_of`), "1" if it was
    requested, its direct_url.json (or egg-link). A folder has the row `n`, path, the names in it, what identifies
    it. What is as in the rows `known` is not read again.
    """
    before = {row.rpartition("\t")[0].rpartition("\t")[0]: row for row in known}
    distributions, folders = [], []
    for folder in (BIN, *_sites(environment)):
        path = os.path.join(environment, folder)
        names = _names(path)
        folders.append(f"n\t{escaped(folder)}\t{packed(names)}\t{stamp_of(path)}")
        if folder == BIN:
            continue
        for name in names:
            if name.endswith(_KINDS) and not name.startswith("~"):  # which pip renames to while it uninstalls
                distributions.append(_row(environment, f"{folder}/{name}", before))
    return distributions + folders


def differing(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return the names of the distributions that differ in two listings."""
    differing = _lasting(before) ^ _lasting(now)
    return sorted({name_and_version(unescaped(path))[0] for path, _ in differing})


def _lasting(rows: Iterable[str]) -> set[tuple[str, str]]:
    """Return path and origin of each distribution."""
    found = set()
    for row in rows:
        fields = row.split("\t")
        if len(fields) == 5 and fields[0] == "d":
            found.add((fields[1], fields[4]))
    return found


def _name_of(row: str) -> str:
    return name_and_version(unescaped(row.split("\t")[1]))[0]


def write(path: str, lines: Iterable[str]) -> bool:
    """Write a file of this user alone, and return True if written."""
    try:
        make_folder(os.path.dirname(path))
        replace_file(path, os.fsencode("\n".join(lines)))
    except OSError:
        return False
    return True


def escaped(text: str) -> str:
    """Return the text without what separates fields, lines and packed words."""
    for char, code in _ESCAPES:
        text = text.replace(char, code)
    return text


def unescaped(text: str) -> str:
    """Return the text that was escaped."""
    for char, code in reversed(_ESCAPES):
        text = text.replace(code, char)
    return text


def packed(words: Iterable[str]) -> str:
    """Return words as one field."""
    words = tuple(words)
    whole = " ".join(words)
    is_plain = whole.count(" ") == len(words) - 1 and _ESCAPED.isdisjoint(whole)
    if is_plain and "" not in words:
        return whole  # as it is nearly always
    return " ".join(escaped(word) or "%" for word in words)  # a lone "%" is an empty word


def unpacked(field: str) -> tuple[str, ...]:
    """Return the words that were packed."""
    if not field:
        return ()
    return tuple(map(_unpacked_word, field.split(" ")))


def _unpacked_word(word: str) -> str:
    if word == "%":
        return ""
    return unescaped(word)


def _row(environment: str, relative: str, before: dict[str, str]) -> str:
    path = os.path.join(environment, relative)
    start = f"d\t{escaped(relative)}\t{stamp_of(path)}"
    if start in before:
        return before[start]
    requested = told = ""
    if os.access(f"{path}/REQUESTED", os.F_OK):
        requested = "1"
    origin = f"{path}/direct_url.json"
    if relative.endswith(".egg-link"):
        origin = path
    if os.access(origin, os.F_OK):  # cheaper than to open what seldom exists
        told = _text(origin)
    return f"{start}\t{requested}\t{escaped(told)}"


def stamp_of(path: str) -> str:
    """Return what identifies a folder and its entries, to be compared."""
    # An inode alone does not: it is given to the next new folder. pip's renaming of the folder keeps both.
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_ino}:{status.st_mtime_ns}"


def _sites(environment: str) -> list[str]:
    """Return the folders that distributions lie in, relative to the environment."""
    if os.name == "nt":
        return ["Lib/site-packages"]
    found = []
    for library in ("lib", "lib64"):
        if not os.path.islink(os.path.join(environment, library)):
            names = _names(os.path.join(environment, library))
            versions = [name for name in names if name.startswith(("python", "pypy"))]
            found += [f"{library}/{name}/site-packages" for name in versions]
    return found


def _names(folder: str) -> list[str]:
    """Return the names in the folder, in the order of their bytes."""
    try:
        return list(map(os.fsdecode, sorted(os.listdir(os.fsencode(folder)))))
    except OSError:
        return []


def _lines(path: str) -> list[str]:
    text = _text(path)
    if not text:
        return []
    return text.split("\n")


def _text(path: str) -> str:
    """Return the text of a regular file, empty if there is none."""
    try:
        with open(os.open(path, _READING), "rb") as file:
            return os.fsdecode(file.read())
    except OSError:
        return ""


def _host() -> str:
    if sys.platform == "win32":
        return ""
    return os.uname().nodename


def _is_dead(environment: str) -> bool:
    """Return True if the process that wrote the journal is gone."""
    found = pending(environment)
    if found is None or found.heading is None:
        return True
    heading = found.heading
    if heading.host != _host() or heading.process == os.getpid():
        return False
    if sys.platform == "win32":  # where os.kill would end it
        return False
    try:
        os.kill(heading.process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
