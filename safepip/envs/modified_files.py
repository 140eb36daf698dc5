"""What was changed by hand in an environment since it was made: its packages' files, its scripts, its settings."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import os

from safepip.core.world import BIN
from safepip.system.environment import CONFIG, configuration, names_in

from .inventory import distributions
from .verify import recorded_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .inventory import Distribution

_AT_ONCE = 2e9  # nanoseconds in which the scripts of a new environment are written
_BLOCK = 1 << 20
# What another Python, or a newer virtualenv, writes into pyvenv.cfg by itself.
_OF_THE_PYTHON = (
    "home", "implementation", "version", "version_info", "python-version", "virtualenv", "executable", "command",
    "base-prefix", "base-exec-prefix", "base-executable", "safepip-creation",
)  # fmt: skip


def edited(old: str, new: str) -> list[str]:
    """Return files of the environment `old`, relative to it, that were changed since they were put there.

    `new` is one made for the same path. A file of a package is compared with its RECORD.
    """
    found = _scripts(old, new)
    for distribution in distributions(old).values():
        found += [os.path.relpath(file, old) for file in _unlike_record(distribution)]
    if _own_settings(old) != _own_settings(new):
        found.append(CONFIG)
    return sorted(found)


def _unlike_record(found: Distribution) -> Iterator[str]:
    site = os.path.dirname(found.info)
    for name, algorithm, wanted in _hashes(os.path.join(found.info, "RECORD")):
        path = os.path.normpath(os.path.join(site, name))
        if os.path.isfile(path) and not _is_like(path, algorithm, wanted):  # a missing one was not edited
            yield path


def _hashes(record: str) -> list[tuple[str, str, str]]:
    """Return what a RECORD says of the files that it holds a hash of: name, algorithm, and the hash."""
    found = []
    with contextlib.suppress(OSError, csv.Error):
        for name, digest, _ in recorded_rows(record):
            algorithm, equals, wanted = digest.partition("=")
            if equals and algorithm in hashlib.algorithms_guaranteed:
                found.append((name, algorithm, wanted))
    return found


def _is_like(path: str, algorithm: str, wanted: str) -> bool:
    """Return True if the file has that hash; an unreadable one counts too, since nobody edited it."""
    try:
        found = hashlib.new(algorithm)
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                found.update(block)
        return base64.urlsafe_b64encode(found.digest()).decode().rstrip("=") == wanted.rstrip("=")
    except (OSError, TypeError):
        return True


def _scripts(old: str, new: str) -> list[str]:
    """Return the scripts that activate `old` and were written after the others, and differ from those of `new`."""
    # Either alone proves nothing: another version of virtualenv writes others, and copying takes time.
    times = {}
    for name in names_in(os.path.join(old, BIN)):
        if name.lower().startswith("activate"):
            script = os.path.join(BIN, name)
            with contextlib.suppress(OSError):  # a link to nothing
                times[script] = os.stat(os.path.join(old, script)).st_mtime_ns
    first = min(times.values(), default=0)
    later = [script for script, time in times.items() if time - first > _AT_ONCE]
    return [one for one in later if _content(os.path.join(old, one)) != _content(os.path.join(new, one))]


def _own_settings(path: str) -> dict[str, str]:
    settings = configuration(path)
    for key in _OF_THE_PYTHON:
        settings.pop(key, None)
    return settings


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_BLOCK)
    except OSError:
        return b""
