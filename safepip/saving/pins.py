"""Read which versions a project's files allow, and from where."""

from __future__ import annotations

import glob
import os
import re
import shlex
from pathlib import Path

from safepip.core.record import Record
from safepip.core.requirement import normalised_name
from safepip.system.keeper import content, inside, parsed

from .destination import PYPROJECT, nested, readable
from .entry import holds, parts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .requirements_file import RequirementsFile

_PATTERNS = (
    "requirements*.txt",
    "requirements*.in",
    "constraints*.txt",
    "requirements/*.txt",
    "requirements/*.in",
)
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
# The options that pip's files of requirements may hold (`_internal/req/req_file.py`), each with pip's variable.
_SOURCES = {
    "-i": "PIP_INDEX_URL",
    "--index-url": "PIP_INDEX_URL",
    "--pypi-url": "PIP_INDEX_URL",
    "--extra-index-url": "PIP_EXTRA_INDEX_URL",
    "-f": "PIP_FIND_LINKS",
    "--find-links": "PIP_FIND_LINKS",
    "--trusted-host": "PIP_TRUSTED_HOST",
    "--only-binary": "PIP_ONLY_BINARY",
    "--no-binary": "PIP_NO_BINARY",
}
_FLAGS = {"--no-index": "PIP_NO_INDEX", "--pre": "PIP_PRE", "--prefer-binary": "PIP_PREFER_BINARY"}
# pip adds the values of these, separated by spaces; of the others the last one counts.
_JOINED = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST")


class Pin(Record):
    """Which versions a file allows of the package `name`."""

    name: str
    specifier: str
    file: str


def of_project(root: str, marked: Mapping[str, str]) -> list[Pin]:
    """Return what the project's files allow, for the entries whose markers hold."""
    found = []
    for path, text in _entries(root):
        parts = parts_of(text)
        if parts is None or parts.url or not parts.specifier:
            continue
        if holds(text, marked):
            specifier = parts.specifier.strip("()")
            found.append(Pin(name=normalised_name(parts.name), specifier=specifier, file=path))
    return found


def sources(root: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the options of the project's requirements files, as pip's variables.

    An option that adds to others is added to the one in `environ`.
    """
    found: dict[str, str] = {}
    for path, file in _files(root):
        for line in file.entries_with_options:
            if line.startswith("-"):
                _take(line, path, environ, found)
    for name in _JOINED:
        if name in found and environ.get(name):
            found[name] = f"{environ[name]} {found[name]}"
    return found


def _entries(root: str) -> Iterator[tuple[str, str]]:
    for path, file in _files(root):
        for text in file.entries:
            yield path, text
    path = os.path.join(root, PYPROJECT)
    document = parsed(content(path))
    groups = inside(document, "dependency-groups")
    lists = [inside(document, "project", "dependencies")]
    if isinstance(groups, dict):
        lists += groups.values()
    for texts in lists:
        if not isinstance(texts, list):
            continue
        for text in texts:
            if isinstance(text, str):  # not an included group
                yield path, text


def _files(root: str) -> Iterator[tuple[str, RequirementsFile]]:
    """Yield the project's requirements and constraints files, and those that they include."""
    seen: set[str] = set()
    for pattern in _PATTERNS:
        for path in sorted(glob.glob(os.path.join(glob.escape(root), pattern))):
            first = readable(path)
            if first is None:
                continue
            for each, file in ((path, first), *nested(path, first, root)):
                if each not in seen:
                    seen.add(each)
                    yield each, file


def _links(value: str, path: str) -> str:
    """Return what --find-links names: relative to the file, if that exists."""
    beside = os.path.join(os.path.dirname(path), value)
    if not os.path.exists(beside):
        return value
    return Path(beside).resolve().as_uri()  # which has no spaces


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return []


def _take(line: str, path: str, environ: Mapping[str, str], found: dict[str, str]) -> None:
    """Add what one line of options says."""
    words = _split(_VARIABLE.sub(lambda match: environ.get(match[1], match[0]), line))
    while words:
        name, equals, value = words.pop(0).partition("=")
        if name in _FLAGS:
            found[_FLAGS[name]] = "1"
        if name not in _SOURCES:
            continue
        if not equals and words:
            value = words.pop(0)
        if value:
            variable = _SOURCES[name]
            if variable == "PIP_FIND_LINKS":
                value = _links(value, path)
            if variable in _JOINED and variable in found:
                value = f"{found[variable]} {value}"
            found[variable] = value
