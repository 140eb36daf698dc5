"""Put an installed distribution into another environment of the same Python, file by file, with no index.

Only what is exactly as its RECORD says is taken. Programs get the other environment's Python, and what is
installed from a folder in place can be led to another folder. Everything else is pip's to install.
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
    from safepip.core.world import Environment

    from .inventory import Distribution

_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")  # where a distribution's metadata come from
_IN_QUOTES = re.compile(rb"""['"]([^'"\r\n]*)['"]""")


class Folder(Record):
    """The folder that a distribution is installed from in place, and the one that is to take its place."""

    old: str
    new: str

    @property
    def url(self) -> str:
        """Return the URL of the new one."""
        return pathlib.Path(self.new).as_uri()

    @property
    def is_project(self) -> bool:
        """Return True if something can be installed from the new one."""
        return any(_content(self.new, name) for name in _BUILD_FILES)

    @property
    def is_alike(self) -> bool:
        """Return True if a build in both would give the same metadata."""
        return all(_content(self.old, name) == _content(self.new, name) for name in _BUILD_FILES)


def transplant(
    found: Distribution, source: Environment, target: Environment, folder: Folder | None = None
) -> bool:
    """Put the distribution of `source` into `target`; return False if only pip can, with nothing put there.

    With `folder` it is one that is installed from there in place, and is to be installed from the new one.
    """
    rows = _rows_if_intact(found)
    site = os.path.dirname(found.info)
    paths = [os.path.normpath(os.path.join(site, name)) for name, _, _ in rows]
    paths = [path for path in paths if os.path.isfile(path)]
    try:
        changed = _programs(paths, source, target)
        if folder is not None:
            changed |= _led(paths, found, folder)
            paths = [path for path in paths if not path.endswith(".pyc")]
    except _OnlyPipError:
        return False
    for path in paths:
        _put(path, _moved(path, source, target), changed.get(path))
    if rows:
        _write_record(found, rows, changed, _moved(_record(found.info), source, target))
    return bool(rows)


def _rows_if_intact(found: Distribution) -> list[tuple[str, str, str]]:
    """Return the rows of RECORD; none unless every file is as it says, and in the environment itself."""
    site = os.path.dirname(found.info)
    if not os.path.isfile(_record(found.info)):
        return []
    rows = list(recorded_rows(_record(found.info)))
    files = [row.path for row in record_of(found.info, site)]
    if len(files) != len(rows) or any(map(os.path.islink, files)):
        return []
    return [] if verify(found.info, site, hashed=True) else rows


class _OnlyPipError(Exception):
    """A file names the environment, or the folder, in a way that is not known."""


def _record(info: str) -> str:
    return os.path.join(info, "RECORD")


def _moved(path: str, source: Environment, target: Environment) -> str:
    return os.path.join(target.path, os.path.relpath(path, source.path))


def _put(path: str, at: str, content: bytes | None) -> None:
    if os.path.basename(at) == "RECORD" or os.path.lexists(at):  # another distribution's too, and the same
        return
    os.makedirs(os.path.dirname(at), exist_ok=True)
    if content is None:
        copy_file(path, at)
    else:
        replace_file(at, content, like=path, durable=False)


def _write_record(
    found: Distribution, rows: list[tuple[str, str, str]], changed: dict[str, bytes], at: str
) -> None:
    site = os.path.dirname(found.info)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name, digest, size in rows:
        content = changed.get(os.path.normpath(os.path.join(site, name)))
        if content is None:
            writer.writerow((name, digest, size))
        else:
            writer.writerow((name, f"sha256={digest_in(content)}", len(content)))
    replace_file(at, os.fsencode(text.getvalue()), like=_record(found.info), durable=False)


# -- files that name the environment, or the folder


def _programs(paths: list[str], source: Environment, target: Environment) -> dict[str, bytes]:
    """Return the scripts of the environment, with the other environment's Python in their first line."""
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
    """Return the files that lead to a folder, with the new one in it."""
    changed = {}
    origin = os.path.join(found.info, "direct_url.json")
    for path in paths:
        if path == origin:
            changed[path] = _origin(path, folder)
        elif os.path.dirname(path) != found.info and path.endswith((".pth", ".py")):
            led = _led_to(path, folder)
            changed.update({} if led is None else {path: led})
    if not changed.keys() - {origin}:
        raise _OnlyPipError
    return changed


def _origin(path: str, folder: Folder) -> bytes:
    """Return a direct_url.json (packaging.python.org, "Direct URL Data Structure") that names the new folder."""
    with open(path, "rb") as file:
        origin = json.load(file)
    return json.dumps({**origin, "url": folder.url}, sort_keys=True).encode()


def _led_to(path: str, folder: Folder) -> bytes | None:
    """Return the file with the new folder in place of the old one; None if it names neither."""
    old, new = os.fsencode(folder.old), os.fsencode(folder.new)
    named = re.compile(re.escape(old) + rb"""(?=[/'"\r\n]|$)""")
    with open(path, "rb") as file:
        content = file.read()
    led = named.sub(lambda _found: new, content)
    if led == content:
        return None
    names = led.splitlines() if path.endswith(".pth") else _IN_QUOTES.findall(led)
    if not all(os.path.exists(name) for name in names if name.startswith(new)):
        raise _OnlyPipError
    return led


def _content(folder: str, name: str) -> bytes:
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    except OSError:
        return b""
