"""Compare installed distributions with their RECORD: the one check that info, doctor and repair judge by.

Nothing is run. A file counts as damaged if it is missing, empty or cut off; one that differs in any other
way was edited, and stays. The format is that of packaging.python.org, "Recording installed projects".
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import stat
from typing import NamedTuple

from safepip.core.record import Record
from safepip.core.requirement import name_and_version, normalised_name
from safepip.system.environment import names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MISSING = "missing"
EMPTY = "empty"
CUT = "cut off"
TORN = "unreadable"  # of RECORD and METADATA
TWICE = "there twice"  # two versions are installed; the fault's path is the metadata that does not count
EDITED = "edited"  # not damage

_BYTECODE = (".pyc", "__pycache__")  # virtualenv's own seeding names files and folders of it that never existed


class Row(NamedTuple):  # pip alone has a thousand of them, and a Record takes twice as long to make
    """One file of a distribution: its absolute path, sha256 as RECORD writes it (or empty), size or None."""

    path: str
    digest: str
    size: int | None


class Fault(Record):
    """A file that is not as RECORD says, and how it differs."""

    path: str
    kind: str

    @property
    def is_damage(self) -> bool:
        """Return True unless the user has edited the file."""
        return self.kind != EDITED


def verify_environment(site: str, *, hashed: bool = False) -> dict[str, list[Fault]]:
    """Return the damage of each distribution in the folder `site`, by name; intact ones are left out."""
    found = {}
    for name, paths in sorted(metadata_by_name(site).items()):
        verdicts = {}
        for path in paths:
            damaged = damage(verify(path, site, hashed=hashed or len(paths) > 1))
            verdicts[path] = without_shared(damaged, path, site)
        faults = list(verdicts.pop(counting(verdicts)))
        faults += [Fault(path=path, kind=TWICE) for path in verdicts]
        if faults:
            found[name] = faults
    return found


def verdict(path: str, *, hashed: bool = False) -> str:
    """Return what is damaged in the environment at `path`, to complete a sentence with its name; or empty."""
    found: dict[str, list[Fault]] = {}
    for site in sites(path):
        found.update(verify_environment(site, hashed=hashed))
    if not found:
        return ""
    fault = next(iter(found.values()))[0]
    count = sum(map(len, found.values()))
    more = f" and {count - 1} more" if count > 1 else ""
    return f"has damaged files of {', '.join(found)}: {os.path.relpath(fault.path, path)} is {fault.kind}{more}"


def sites(path: str) -> list[str]:
    """Return the folders of the environment that distributions lie in."""
    if os.name == "nt" or os.path.isdir(os.path.join(path, "Lib", "site-packages")):
        return [os.path.join(path, "Lib", "site-packages")]
    library = os.path.join(path, "lib")
    versions = sorted(name for name in names_in(library) if name.startswith(("python", "pypy")))
    return [os.path.join(library, name, "site-packages") for name in versions]


def counting(verdicts: dict[str, list[Fault]]) -> str:
    """Return which metadata of one name counts: an intact one, else the one with the least damage."""
    return min(sorted(verdicts, reverse=True), key=lambda path: len(verdicts[path]))


def metadata_in(site: str) -> list[str]:
    """Return the metadata folders in `site` that should have a RECORD."""
    found = []
    for name in sorted(names_in(site)):
        path = os.path.join(site, name)
        if name.endswith(".dist-info") and name[0].isalnum() and os.path.isdir(path):
            found.append(path)
    return found


def metadata_by_name(site: str) -> dict[str, list[str]]:
    """Return the metadata folders in `site`, by the name of their distribution."""
    found: dict[str, list[str]] = {}
    for info in metadata_in(site):
        found.setdefault(name_and_version(info)[0], []).append(info)
    return found


def damage(faults: Iterable[Fault]) -> list[Fault]:
    """Return the faults without the files that the user edited."""
    return [fault for fault in faults if fault.is_damage]


def without_shared(faults: list[Fault], info: str, site: str) -> list[Fault]:
    """Return the faults without files that are as another distribution's RECORD says: the last one wins."""
    doubtful = {fault.path for fault in faults if fault.kind in {EMPTY, CUT}}
    if not doubtful:
        return faults
    explained: set[str] = set()
    for other in metadata_in(site):
        if other != info:
            explained.update(_as_in(other, site, doubtful))
    return [fault for fault in faults if fault.path not in explained]


def _as_in(info: str, site: str, paths: set[str]) -> list[str]:
    """Return which of the files are as the RECORD of this distribution says."""
    rows = [row for row in record_of(info, site) if row.path in paths]
    return [row.path for row in rows if not state_of(row, hashed=True)]


def verify(info: str, site: str, *, hashed: bool = False) -> list[Fault]:
    """Return how the distribution with the metadata folder `info` differs from its RECORD.

    Files are compared by size, or `hashed` by content too. Missing bytecode is not a fault.
    """
    record = os.path.join(info, "RECORD")
    if not os.path.isfile(record):
        return [Fault(path=record, kind=MISSING)]
    rows = record_of(info, site)
    if _is_torn(record, info, rows):
        return [Fault(path=record, kind=TORN)]
    faults = []
    for row in rows:
        kind = state_of(row, hashed=hashed)
        if kind == MISSING and row.path.endswith(_BYTECODE):
            continue
        if kind:
            faults.append(Fault(path=row.path, kind=kind))
    metadata = os.path.join(info, "METADATA")
    damaged = {fault.path for fault in damage(faults)}
    if metadata not in damaged and name_said(info) != name_and_version(info)[0]:
        faults.append(Fault(path=metadata, kind=TORN))
    return faults


def state_of(row: Row, *, hashed: bool = False) -> str:
    """Return how a file differs from its row in RECORD, or empty."""
    try:
        status = os.stat(row.path)
    except OSError:
        return MISSING
    if not stat.S_ISREG(status.st_mode):
        return EDITED
    if row.path.endswith(".pyc"):  # other tools compile again, so that size and hash differ
        if status.st_size == 0:
            return EMPTY
        return ""
    if row.size is not None and status.st_size != row.size:
        return _state_by_size(row, status.st_size, row.size, hashed=hashed)
    if not hashed or not row.digest:
        return ""
    if is_as_recorded(row):
        return ""
    return _state_of_content(row.path)


def _state_by_size(row: Row, size: int, recorded: int, *, hashed: bool) -> str:
    """Return EMPTY, EDITED, or CUT, which only a comparison with the original can prove."""
    if size == 0:
        return EMPTY
    if size > recorded:
        return EDITED
    if hashed or looks_cut(row.path):
        return CUT
    return EDITED


def _state_of_content(path: str) -> str:
    """Return how a file of the right size differs: after a power loss blocks that were not written are zeros."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return EDITED
    if not content.strip(b"\0"):
        return EMPTY
    if content.endswith(b"\0") and path.endswith((".py", ".txt", "METADATA")):  # text has no NUL
        return CUT
    return EDITED


def looks_cut(path: str) -> bool:
    """Return True if a file ends within a line: an editor ends it with one."""
    try:
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) not in b"\r\n"
    except OSError:
        return False


def _is_torn(record: str, info: str, rows: list[Row]) -> bool:
    """Return True if RECORD ends within a row, or does not name the metadata beside it."""
    metadata = os.path.join(info, "METADATA")
    if metadata not in {row.path for row in rows}:
        return True
    try:
        with open(record, "rb") as file:
            content = file.read()
    except OSError:
        return True
    if content.endswith((b"\n", b"\r")):
        return False
    last = content.rstrip(b"\0").splitlines()[-1]
    return last.count(b",") < 2 or state_of(rows[-1]) != ""


def name_said(info: str) -> str:
    """Return the normalised name that METADATA says, or empty."""
    return normalised_name(metadata_fields(info)[0])


def metadata_fields(info: str) -> tuple[str, str]:
    """Return name and version as METADATA says them, each empty where it does not."""
    found = {"Name": "", "Version": ""}
    try:
        with open(os.path.join(info, "METADATA"), encoding="utf-8", errors="replace") as file:
            for line in file:
                if not line.strip():
                    break  # the description begins
                field, _, value = line.partition(":")
                if not found.get(field, "x"):
                    found[field] = value.strip()
    except OSError:
        pass
    return found["Name"], found["Version"]


# -- RECORD


def record_of(info: str, site: str, at: str | None = None) -> list[Row]:
    """Return the files that the RECORD of a distribution names; `at` is where its metadata lies for now."""
    try:
        fields = list(recorded_rows(os.path.join(at or info, "RECORD")))
    except (OSError, csv.Error):
        return []
    rows = []
    prefix = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(site))), "")
    for name, digest, size in fields:
        path = os.path.normpath(os.path.join(site, name))
        if path.startswith(prefix):  # files outside the environment are never touched
            rows.append(_row(path, digest, size))
    return rows


def recorded_rows(path: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, hash and size, as written, of each row in a RECORD, or raise what reading it raises.

    The installed-files.txt of setuptools is read alike: it has paths alone. Lines with NUL are skipped: no
    file has it in its name, and the csv of Python 3.10 ends there.
    """
    with open(path, encoding="utf-8", newline="", errors="surrogateescape") as file:
        for row in csv.reader(line for line in file if "\0" not in line):
            if row:
                name, digest, size = (*row, "", "")[:3]
                yield name, digest, size


def _row(path: str, digest: str, size: str) -> Row:
    algorithm, _, value = digest.partition("=")
    if algorithm != "sha256":
        value = ""
    return Row(path=path, digest=value, size=_number(size))


def _number(text: str) -> int | None:
    if not text.isdecimal():
        return None
    try:
        return int(text)
    except ValueError:  # Python reads only so many digits
        return None


def is_as_recorded(row: Row, at: str | None = None) -> bool:
    """Return True if the file, perhaps moved to `at`, has the hash in its row."""
    return bool(row.digest) and digest_of(at or row.path) == row.digest


def digest_of(path: str) -> str:
    """Return a file's sha256 as RECORD writes it, empty if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return digest_in(file.read())
    except OSError:
        return ""


def digest_in(content: bytes) -> str:
    """Return a sha256 as RECORD writes it."""
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
