"""What the metadata of installed distributions says of their files and their origin: read as values, and written.

The format is that of packaging.python.org, "Recording installed projects" and "Direct URL Data Structure".
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import os
import subprocess
from urllib.parse import urlsplit
from urllib.request import url2pathname

from safepip.core.record import Record
from safepip.core.requirement import name_and_version
from safepip.system.files import number

from . import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from safepip.system.environment import Environment

    from .history import State


class Row(Record):
    """One file of a distribution: its absolute path, sha256 as RECORD writes it (or empty), size or None."""

    path: str
    digest: str
    size: int | None


def rows_by_name(rows: Iterable[str]) -> dict[str, list[str]]:
    """Return the rows of distributions by name, in the order of their time."""
    found: dict[str, list[str]] = {}
    for row in rows:
        fields = row.split("\t")
        if len(fields) != 5 or not fields[1].endswith(".dist-info") or number(fields[2]) is None:
            continue
        path = journal.unescaped(fields[1])
        name = name_and_version(path)[0]
        if is_within(path) and name[:1].isalnum():  # else pip would read it as an option
            found.setdefault(name, []).append(row)
    for ordered in found.values():
        ordered.sort(key=lambda row: int(row.split("\t")[2]))
    return found


def is_within(relative: str) -> bool:
    """Tell whether a path that a file in the environment names stays in it."""
    return not os.path.isabs(relative) and os.pardir not in relative.split("/") and "\0" not in relative


def record_of(info: str, site: str, at: str | None = None) -> list[Row]:
    """Return what the RECORD of a distribution names; `at` is where its metadata lies for now."""
    try:
        fields = list(recorded_rows(os.path.join(at or info, "RECORD")))
    except (OSError, csv.Error):
        return []
    rows = (_row(os.path.normpath(os.path.join(site, path)), digest, size) for path, digest, size in fields)
    prefix = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(site))), "")
    return [row for row in rows if row.path.startswith(prefix)]  # what lies elsewhere is never touched


def recorded_rows(path: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, hash and size, as written, of each row in a RECORD, or raise what reading it does.

    The installed-files.txt of setuptools is read alike: it has paths alone. No file has a NUL in its name,
    and at a line with one the csv of Python 3.10 ends.
    """
    with open(path, encoding="utf-8", newline="", errors="surrogateescape") as file:
        for row in csv.reader(line for line in file if "\0" not in line):
            if row:
                name, digest, size = (*row, "", "")[:3]
                yield name, digest, size


def _row(path: str, digest: str, size: str) -> Row:
    algorithm, _, value = digest.partition("=")
    known = value if algorithm == "sha256" else ""
    return Row(path=path, digest=known, size=number(size))


def is_as_recorded(row: Row, at: str | None = None) -> bool:
    """Tell whether the file, which lies `at` another place perhaps, is the one that RECORD means."""
    return bool(row.digest) and digest_of(at or row.path) == row.digest


def digest_of(path: str) -> str:
    """Return a file's sha256 as RECORD writes it, empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).digest()
    except OSError:
        return ""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def files(found: Environment, name: str) -> list[str]:
    """Return the paths of the files that belong to an installed distribution, those of its metadata included."""
    paths = []
    for row in rows_by_name(journal.snapshot(found.path)).get(name, []):
        info = os.path.join(found.path, journal.unescaped(row.split("\t")[1]))
        paths += [one.path for one in record_of(info, found.site)]
        with contextlib.suppress(OSError):
            paths += [os.path.join(info, one) for one in sorted(os.listdir(info))]
    return paths


def compile_bytecode(found: Environment, rows: Iterable[Row]) -> None:
    """Write the bytecode that is missing, for RECORD names it."""
    wanted = {source_of(row.path) for row in rows if row.path.endswith(".pyc")}
    files = sorted(path for path in wanted if os.path.isfile(path))
    if files:
        null, argv = subprocess.DEVNULL, [found.python, "-I", "-m", "compileall", "-q", *files]
        subprocess.run(argv, check=False, stdin=null, stdout=null, stderr=null)


def source_of(path: str) -> str:
    """Return the source of a file of bytecode in __pycache__."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.dirname(folder), name.partition(".")[0] + ".py")


def describe(found: Environment, name: str, *, requested: bool, origin: str | None = None) -> None:
    """Have an installed distribution's metadata say whether it was asked for, and where it came from.

    `origin` is the text of its direct_url.json, empty for none, None to leave it.
    """
    for row in rows_by_name(journal.snapshot(found.path)).get(name, []):
        info = os.path.join(found.path, journal.unescaped(row.split("\t")[1]))
        _put(info, "REQUESTED", "" if requested else None)
        if origin is not None:
            _put(info, "direct_url.json", origin or None)


def _put(info: str, name: str, content: str | None) -> None:
    """Write a file of the metadata, or remove it for None; RECORD follows."""
    path, record = os.path.join(info, name), os.path.join(info, "RECORD")
    named = f"{os.path.basename(info)}/{name}"
    if content is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    else:
        with open(path, "wb") as file:
            file.write(os.fsencode(content))
    with open(record, "rb") as file:
        lines = [line for line in file.read().splitlines() if not line.startswith(os.fsencode(named) + b",")]
    if content is not None:
        lines.append(os.fsencode(f"{named},sha256={digest_of(path)},{os.path.getsize(path)}"))
    with open(f"{record}.new", "wb") as file:
        file.write(b"".join(line + b"\n" for line in lines))
    os.replace(f"{record}.new", record)


def requirement(name: str, wanted: State) -> tuple[str, ...]:
    """Return the words for pip that name exactly this distribution: its version, or where it came from."""
    if not wanted.origin:
        return (f"{name}=={wanted.version}",)
    try:
        return _by_origin(name, json.loads(wanted.origin))
    except (ValueError, TypeError, KeyError, AttributeError):  # an egg-link: the first line is the folder
        return ("-e", wanted.origin.split("\n")[0])


def _by_origin(name: str, origin: Any) -> tuple[str, ...]:
    """Return the words that a direct_url.json comes to (packaging.python.org, "Direct URL Data Structure")."""
    url, below = origin["url"], origin.get("subdirectory")
    fragment = f"#subdirectory={below}" if below else ""
    if origin.get("dir_info", {}).get("editable"):
        return ("-e", url2pathname(urlsplit(url).path) + fragment)
    vcs, archive = origin.get("vcs_info"), origin.get("archive_info") or {}
    if vcs:
        return (f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}{fragment}",)
    digest = (archive.get("hashes") or {}).get("sha256")
    if digest:
        fragment = f"#sha256={digest}" + (f"&subdirectory={below}" if below else "")
    return (f"{name} @ {url}{fragment}",)
