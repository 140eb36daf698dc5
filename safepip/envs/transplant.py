"""Copy an installed distribution into another environment of the same Python.

Only files that are exactly as RECORD says are copied. Scripts get the other environment's Python, and what is
installed from a folder in place can be led to another folder. pip must install everything else.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
import re

from safepip.core.record import Record
from safepip.core.world import BIN
from safepip.system.files import replace_file
from safepip.system.interpreter import head_of, python_named

from .copying import copy_file
from .image import for_python
from .verify import digest_in, record_of, recorded_rows, verify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from safepip.core.world import Environment

    from .inventory import Distribution

_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")  # where a distribution's metadata come from
_IN_QUOTES = re.compile(rb"""['"]([^'"\r\n]*)['"]""")


class Folder(Record):
    """The folder that a distribution is installed from in place."""

    old: str
    new: str  # to install it from instead

    @property
    def url(self) -> str:
        """Return the URL of the new folder."""
        return pathlib.Path(self.new).as_uri()

    @property
    def is_project(self) -> bool:
        """Return True if something can be installed from the new folder."""
        return any(_content(self.new, name) for name in _BUILD_FILES)

    @property
    def is_alike(self) -> bool:
        """Return True if a build in both would give the same metadata."""
        return all(_content(self.old, name) == _content(self.new, name) for name in _BUILD_FILES)


def transplant(
    found: Distribution, source: Environment, target: Environment, folder: Folder | None = None
) -> bool:
    """Put the distribution of `source` into `target`.

    Return False if only pip can, with nothing put there. `folder` is given for one that is installed in place.
    """
    site, record = os.path.dirname(found.info), os.path.join(found.info, "RECORD")
    if not os.path.isfile(record):
        return False
    rows = list(recorded_rows(record))
    if not rows or not _is_intact(found, len(rows)):
        return False
    recorded = [os.path.normpath(os.path.join(site, name)) for name, _, _ in rows]
    paths = list(filter(os.path.isfile, recorded))
    try:
        changed = _programs(paths, source, target)
        if folder is not None:
            changed |= _led(paths, found, folder)
            paths = [path for path in paths if not path.endswith(".pyc")]
    except _OnlyPipError:
        return False
    for path in paths:
        if path != record:
            _put(path, _moved(path, source, target), changed.get(path))
    new_rows = [_new_row(row, changed.get(path)) for path, row in zip(recorded, rows, strict=True)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(new_rows)
    replace_file(_moved(record, source, target), os.fsencode(text.getvalue()), like=record, durable=False)
    return True


def _new_row(row: Sequence[str], changed: bytes | None) -> Sequence[str]:
    if changed is None:
        return row
    return (row[0], f"sha256={digest_in(changed)}", str(len(changed)))


def _put(path: str, at: str, changed: bytes | None) -> None:
    """Copy a file, or write its changed content."""
    if os.path.lexists(at):  # another distribution has the same file, too
        return
    os.makedirs(os.path.dirname(at), exist_ok=True)
    if changed is None:
        copy_file(path, at)
    else:
        replace_file(at, changed, like=path, durable=False)


def _is_intact(found: Distribution, rows: int) -> bool:
    """Return True if every file is as its row of RECORD says."""
    site = os.path.dirname(found.info)
    files = record_of(found.info, site)  # those in the environment itself
    if len(files) != rows or any(map(os.path.islink, files)):
        return False
    return not verify(found.info, site, hashed=True)


class _OnlyPipError(Exception):
    """A file names the environment, or the folder, in an unknown way."""


def _moved(path: str, source: Environment, target: Environment) -> str:
    return os.path.join(target.path, os.path.relpath(path, source.path))


# -- files that name the environment, or the folder


def _programs(paths: list[str], source: Environment, target: Environment) -> dict[str, bytes]:
    """Return the scripts, with the other environment's Python in them."""
    folder = os.path.join(source.path, BIN)
    found = {}
    for path in paths:
        if os.path.dirname(path) != folder:
            continue
        with open(path, "rb") as file:
            content = file.read()
        named = python_named(head_of(path))
        if named and os.path.dirname(named) == folder:
            content = for_python(content, os.path.join(target.path, BIN, os.path.basename(named)))
            found[path] = content
        if os.fsencode(source.path) in content:
            raise _OnlyPipError
    return found


def _led(paths: list[str], found: Distribution, folder: Folder) -> dict[str, bytes]:
    """Return the files that name the old folder, with the new one."""
    changed = {}
    origin = os.path.join(found.info, "direct_url.json")
    for path in paths:
        if path == origin:
            with open(path, "rb") as file:  # packaging.python.org, "Direct URL Data Structure"
                content = {**json.load(file), "url": folder.url}
            changed[path] = json.dumps(content, sort_keys=True).encode()
        elif os.path.dirname(path) != found.info and path.endswith((".pth", ".py")):
            led = _led_to(path, folder)
            if led is not None:
                changed[path] = led
    if not changed.keys() - {origin}:
        raise _OnlyPipError
    return changed


def _led_to(path: str, folder: Folder) -> bytes | None:
    """Return the file with the new folder, None if it names neither."""
    old, new = os.fsencode(folder.old), os.fsencode(folder.new)
    named = re.compile(re.escape(old) + rb"""(?=[/'"\r\n]|$)""")
    with open(path, "rb") as file:
        content = file.read()
    led = named.sub(lambda _found: new, content)  # a text would have its backslashes read
    if led == content:
        return None
    names = _IN_QUOTES.findall(led)
    if path.endswith(".pth"):
        names = led.splitlines()
    for name in names:
        if name.startswith(new) and not os.path.exists(name):
            raise _OnlyPipError
    return led


def _content(folder: str, name: str) -> bytes:
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    except OSError:
        return b""
