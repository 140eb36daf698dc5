"""Compare installed distributions with their RECORD.

`env list`, `env info` and doctor judge by `verdict`, recovery by `damage_of`. Nothing is run. A file counts as
damaged if it is missing, empty or cut off, metadata also if they cannot be read or are there twice. One that
differs in any other way was edited, and stays; missing bytecode does not count. The format: packaging.python.org,
"Recording installed projects".

Differences and damage are mappings from the path of a file to one of the words below.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import stat
from typing import NamedTuple

from safepip.core.requirement import name_and_version, normalised_name
from safepip.system.environment import names_in
from safepip.system.files import number

from .digest import encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING = "missing"
EMPTY = "empty"
CUT = "cut off"
TORN = "unreadable"  # of RECORD and METADATA
TWICE = "there twice"  # two versions are installed; the path is the metadata that does not count
EDITED = "edited"  # not damage

_BYTECODE = (".pyc", "__pycache__")  # virtualenv's own seeding names files and folders of it that never existed


class Row(NamedTuple):  # pip alone has a thousand of them, and a Record takes twice as long to make
    """One file of a distribution, by its absolute path."""

    path: str
    digest: str  # sha256 as RECORD writes it, or empty
    size: int | None


def verdict(path: str, *, hashed: bool = False) -> str:
    """Return what is damaged in an environment, to complete a sentence."""
    names: list[str] = []
    damage: dict[str, str] = {}
    for site in sites(path):
        for name, found in _damage_in(site, hashed=hashed):
            names.append(name)
            damage.update(found)
    if not damage:
        return ""
    first = next(iter(damage))
    more = ""
    if len(damage) > 1:
        more = f" and {len(damage) - 1} more"
    damaged = ", ".join(dict.fromkeys(names))
    return f"has damaged files of {damaged}: {os.path.relpath(first, path)} is {damage[first]}{more}"


def _damage_in(site: str, *, hashed: bool) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name and the damage of each damaged distribution."""
    for name, infos in sorted(metadata_by_name(site).items()):
        closely = hashed or len(infos) > 1
        damages = {info: damage_of(info, site, hashed=closely) for info in infos}
        counting = min(reversed(infos), key=lambda info: len(damages[info]))
        damage = damages.pop(counting)
        damage.update(dict.fromkeys(damages, TWICE))
        if damage:
            yield name, damage


def sites(path: str) -> list[str]:
    """Return the folders of the environment that distributions lie in."""
    if os.name == "nt" or os.path.isdir(os.path.join(path, "Lib", "site-packages")):
        return [os.path.join(path, "Lib", "site-packages")]
    library = os.path.join(path, "lib")
    versions = sorted(name for name in names_in(library) if name.startswith(("python", "pypy")))
    return [os.path.join(library, name, "site-packages") for name in versions]


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


def damage_of(info: str, site: str, *, hashed: bool = False) -> dict[str, str]:
    """Return the damage of a distribution: its differences without edits."""
    damage = {path: kind for path, kind in verify(info, site, hashed=hashed).items() if kind != EDITED}
    if not damage:
        return damage
    # Two distributions may name the same file: the one that was installed last has overwritten it.
    for other in metadata_in(site):
        if other == info:
            continue
        rows = record_of(other, site)
        for path in damage.keys() & rows.keys():
            if not state_of(rows[path], hashed=True):
                del damage[path]
    return damage


def verify(info: str, site: str, *, hashed: bool = False) -> dict[str, str]:
    """Return how files differ from the RECORD of a distribution.

    They are compared by size, or `hashed` by content too. Missing bytecode does not count.
    """
    record = os.path.join(info, "RECORD")
    if not os.path.isfile(record):
        return {record: MISSING}
    rows = record_of(info, site)
    if _is_torn(record, info, rows):
        return {record: TORN}
    found = {}
    for path, row in rows.items():
        kind = state_of(row, hashed=hashed)
        if kind == MISSING and path.endswith(_BYTECODE):
            continue
        if kind:
            found[path] = kind
    metadata = os.path.join(info, "METADATA")
    if found.get(metadata, EDITED) == EDITED:
        said = normalised_name(metadata_fields(info)[0])
        if said != name_and_version(info)[0]:
            found[metadata] = TORN
    return found


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
    # Only a comparison with the original can prove CUT.
    if size == 0:
        return EMPTY
    if size > recorded:
        return EDITED
    if hashed or looks_cut(row.path):
        return CUT
    return EDITED


def _state_of_content(path: str) -> str:
    """Return how a file of the right size differs."""
    # After a power loss blocks that were not written are zeros.
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
    """Return True if a file ends within a line."""
    # Editors end a file with a whole line.
    try:
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) not in b"\r\n"
    except OSError:
        return False


def _is_torn(record: str, info: str, rows: dict[str, Row]) -> bool:
    """Return True if RECORD ends within a row or lacks METADATA."""
    if os.path.join(info, "METADATA") not in rows:
        return True
    try:
        with open(record, "rb") as file:
            content = file.read()
    except OSError:
        return True
    if content.endswith((b"\n", b"\r")):
        return False
    if content.rstrip(b"\0").splitlines()[-1].count(b",") < 2:
        return True
    *_, last = rows.values()
    return state_of(last) != ""


def metadata_fields(info: str) -> tuple[str, str]:
    """Return name and version as METADATA says them, or empty."""
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


def record_of(info: str, site: str, at: str = "") -> dict[str, Row]:
    """Return the files in the RECORD of a distribution, by absolute path.

    `at` is where its metadata lies for now, if not at `info`.
    """
    try:
        fields = list(recorded_rows(os.path.join(at or info, "RECORD")))
    except (OSError, csv.Error):
        return {}
    rows = {}
    prefix = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(site))), "")
    for name, digest, size in fields:
        path = os.path.normpath(os.path.join(site, name))
        if not path.startswith(prefix):  # files outside the environment are never touched
            continue
        algorithm, _, value = digest.partition("=")
        if algorithm != "sha256":
            value = ""
        rows[path] = Row(path=path, digest=value, size=number(size))
    return rows


def recorded_rows(path: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, hash and size of each row, as written.

    The installed-files.txt of setuptools is read alike: it has paths alone. Errors of reading are raised.
    """
    with open(path, encoding="utf-8", newline="", errors="surrogateescape") as file:
        # No file has NUL in its name, and the csv of Python 3.10 ends there.
        for row in csv.reader(line for line in file if "\0" not in line):
            if row:
                name, digest, size = (*row, "", "")[:3]
                yield name, digest, size


def is_as_recorded(row: Row, at: str = "") -> bool:
    """Return True if the file, perhaps moved, has the recorded hash."""
    if not row.digest:
        return False
    try:
        with open(at or row.path, "rb") as file:
            found = hashlib.sha256(file.read()).digest()
        return found == base64.urlsafe_b64decode(row.digest + "=")  # RECORD leaves out the padding
    except (OSError, ValueError):
        return False


def digest_of(path: str) -> str:
    """Return a file's sha256 as RECORD writes it, or empty."""
    try:
        with open(path, "rb") as file:
            return digest_in(file.read())
    except OSError:
        return ""


def digest_in(content: bytes) -> str:
    """Return a sha256 as RECORD writes it."""
    return encoded(hashlib.sha256(content).digest())
