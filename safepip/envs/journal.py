"""What stands in an environment before a change: noted under its lock, and taken away when pip has ended.

A journal that the next change finds tells that the one before was killed, and what there was until then.
It is written on the way of every install, so `os` and `time` must do. safepip_notes.py, which runs on every Python
that pip runs on, writes the same rows afterwards (`_listing` there, `snapshot` here: a test holds them equal).

All three files are lines of fields, separated by tabs, which `escaped` keeps out of the fields themselves:
the journal (a heading, then the rows of `snapshot`), the distributions as the last change left them (rows
too), and the history (see history.py).
"""

from __future__ import annotations

import os
import sys
import time

from safepip.core.record import Record
from safepip.core.requirement import name_and_version
from safepip.report import without_secrets
from safepip.system.environment import OWN
from safepip.system.files import make_folder, number
from safepip.system.interpreter import BIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

JOURNAL = os.path.join(OWN, "journal")
DAMAGE = os.path.join(OWN, "damage")  # of a journal, what could not be mended yet
DISTRIBUTIONS = os.path.join(OWN, "distributions")
HISTORY = os.path.join(OWN, "history")
_FORMAT = "safepip-journal-1"
_BINARY = getattr(os, "O_BINARY", 0)  # else Windows changes line ends
_KINDS = (".dist-info", ".egg-info", ".egg-link")
_ESCAPES = (("%", "%25"), (" ", "%20"), ("\t", "%09"), ("\n", "%0A"), ("\r", "%0D"), ("\0", "%00"))
_ESCAPED = "%\t\n\r\0"  # besides the space


class Heading(Record):
    """The first line of a journal: the change that was begun. `since` is when, by the file system's clock.

    `number` is the id that its entry in the history gets; `outside` the names of what had changed since the
    last entry without safepip.
    """

    number: str
    time: int
    process: int
    host: str
    created: bool
    words: tuple[str, ...]
    cwd: str
    outside: tuple[str, ...]
    since: int = 0


def begin(
    environment: str, words: Sequence[str], cwd: str | None, *, locked: bool = True, created: bool = False
) -> bool:
    """Note that the line `words` is about to change `environment`; tell whether that could be written.

    `created` tells that the environment was made for this line. Without a lock the journal of another
    command, which may be at work, stays.
    """
    if not locked and os.name != "nt" and os.path.lexists(os.path.join(environment, JOURNAL)):
        return False
    known = distributions(environment)
    rows = snapshot(environment, known)
    heading = (
        _FORMAT,
        next_number(environment),
        str(int(time.time())),
        str(os.getpid()),
        escaped(_host()),
        "created" if created else "",
        packed(without_secrets(words)),
        escaped(cwd or ""),
        packed(differing(known, rows)) if known else "",
    )
    return write(os.path.join(environment, JOURNAL), ("\t".join(heading), *rows))


def is_left(environment: str, *, locked: bool) -> bool:
    """Tell whether a journal is there whose change was killed, or damage that could not be mended then.

    Under the lock its process cannot live any more; without one (a file system that has none) that is asked.
    """
    if not os.path.lexists(os.path.join(environment, JOURNAL)):
        return os.path.lexists(os.path.join(environment, DAMAGE))
    return locked or _is_dead(heading(environment))


def heading(environment: str, name: str = JOURNAL) -> Heading | None:
    """Return what the journal in `environment` says of the change that it is about, None without one."""
    path = os.path.join(environment, name)
    lines = _lines(path)
    fields = lines[0].split("\t") if lines else []
    begun, process = map(number, fields[2:4]) if len(fields) == 9 and fields[0] == _FORMAT else (None, None)
    if begun is None or process is None:
        return None
    return Heading(
        number=fields[1],
        time=begun,
        process=process,
        host=unescaped(fields[4]),
        created=bool(fields[5]),
        words=unpacked(fields[6]),
        cwd=unescaped(fields[7]),
        outside=unpacked(fields[8]),
        since=os.stat(path).st_mtime_ns,
    )


def rows_before(environment: str, name: str = JOURNAL) -> list[str]:
    """Return the rows of the journal: what stood in the environment when the change began."""
    return _lines(os.path.join(environment, name))[1:]


def keep_damage(environment: str, name: str, damaged: Iterable[str]) -> None:
    """Keep of the journal `name` what it says of the distributions `damaged`, so that they are tried again."""
    journal, kept = os.path.join(environment, name), os.path.join(environment, DAMAGE)
    lines, since = _lines(journal), os.stat(journal).st_mtime_ns
    names = frozenset(damaged)
    rows = [row for row in lines[1:] if not row.startswith("d\t") or _name_of(row) in names]
    if name != DAMAGE and os.path.isfile(kept):  # of one more install that was killed
        since = min(since, os.stat(kept).st_mtime_ns)
        rows += [row for row in rows_before(environment, DAMAGE) if row.startswith("d\t")]
    if write(kept, (lines[0], *rows)):
        os.utime(kept, ns=(since, since))


def distributions(environment: str) -> list[str]:
    """Return the rows of what was installed when the last change that is in the history had ended."""
    return _lines(os.path.join(environment, DISTRIBUTIONS))


def next_number(environment: str) -> str:
    """Return the id of the entry to come: the number of its line."""
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
    """Return what is installed in the environment, as rows in a fixed order.

    A distribution has the row `d`, path of its metadata, its mtime in ns, "1" if it was requested, its
    direct_url.json (or egg-link); a folder the row `n`, path, the names in it. What is as in the rows
    `known` is not read again.
    """
    before = {row.rpartition("\t")[0].rpartition("\t")[0]: row for row in known}
    distributions, folders = [], []
    for folder in (BIN, *_sites(environment)):
        path = os.path.join(environment, folder)
        names = _names(path)
        folders.append(f"n\t{escaped(folder)}\t{packed(names)}")
        if folder != BIN:
            found = (name for name in names if name.endswith(_KINDS) and not name.startswith("~"))
            distributions += [_row(environment, f"{folder}/{name}", before) for name in found]
    return distributions + folders


def differing(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return the names of what is not as the last change left it."""
    was, is_now = ({_lasting(row) for row in rows if row.startswith("d\t")} for rows in (before, now))
    return sorted({name_and_version(unescaped(row[1]))[0] for row in was ^ is_now})


def _name_of(row: str) -> str:
    return name_and_version(unescaped(row.split("\t")[1]))[0]


def write(path: str, lines: Iterable[str]) -> bool:
    """Write a file of this user alone, by rename, its folder too; tell whether it could be written."""
    scratch = f"{path}.{os.getpid()}"
    content = os.fsencode("\n".join(lines))
    try:
        make_folder(os.path.dirname(path))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(scratch, flags, 0o600)
        try:
            whole = os.write(descriptor, content) == len(content)
        finally:
            os.close(descriptor)
        if not whole:
            os.unlink(scratch)
            return False
        os.replace(scratch, path)
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
    """Return words as one field; an empty word is a lone "%"."""
    words = tuple(words)
    whole = " ".join(words)
    if "" not in words and whole.count(" ") == len(words) - 1 and not any(char in whole for char in _ESCAPED):
        return whole  # as it is nearly always
    return " ".join(escaped(word) or "%" for word in words)


def unpacked(field: str) -> tuple[str, ...]:
    """Return the words that were packed."""
    return tuple("" if word == "%" else unescaped(word) for word in field.split(" ")) if field else ()


def _lasting(row: str) -> tuple[str, ...]:
    """Return a distribution's row without its time and what says only who asked for it."""
    fields = row.split("\t")
    return (fields[0], fields[1], fields[4]) if len(fields) == 5 else ("", row, "")


def _row(environment: str, relative: str, before: dict[str, str]) -> str:
    path = os.path.join(environment, relative)
    try:
        since = os.stat(path).st_mtime_ns
    except OSError:
        since = 0
    start = f"d\t{escaped(relative)}\t{since}"
    if start in before:
        return before[start]
    requested = "1" if os.access(f"{path}/REQUESTED", os.F_OK) else ""
    origin = path if relative.endswith(".egg-link") else f"{path}/direct_url.json"
    told = _text(origin) if os.access(origin, os.F_OK) else ""  # cheaper than to open what is seldom there
    return f"{start}\t{requested}\t{escaped(told)}"


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
        return [os.fsdecode(name) for name in sorted(os.listdir(os.fsencode(folder)))]
    except OSError:
        return []


def _lines(path: str) -> list[str]:
    text = _text(path)
    return text.split("\n") if text else []


def _text(path: str) -> str:
    """Return the text of a regular file, links not followed; empty where there is none."""
    try:
        flags = _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, os.O_RDONLY | flags)
    except OSError:
        return ""
    try:
        with open(descriptor, "rb") as file:
            return os.fsdecode(file.read())
    except OSError:
        return ""


def _host() -> str:
    if sys.platform == "win32":
        return ""
    return os.uname().nodename


def _is_dead(heading: Heading | None) -> bool:
    """Tell whether the process that wrote the journal is gone; of another machine's that cannot be known."""
    if heading is None:
        return True
    if sys.platform == "win32" or heading.host != _host() or heading.process == os.getpid():
        return False
    try:
        os.kill(heading.process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
