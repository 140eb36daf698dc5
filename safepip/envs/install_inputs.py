"""Find what an `install` names and pip cannot find or read.

Such a line can only fail, and needs no environment. This follows pip's own rules (`_internal/req/constructors.py`,
`req_file.py`, `req_dependency_group.py`). Where a line could succeed after all, nothing is reported: pip then
fails in the new environment, which is removed again.
"""

from __future__ import annotations

import os

from safepip.core.requirement import (
    group_file,
    is_archive,
    is_lock_file,
    normalised_name,
    requirements_file,
    without_extras,
)
from safepip.system.keeper import content, parsed

from .requirements import lines_of, split_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.core.pip_line import PipCommand

_REMOTE = ("http:", "https:", "ftp:", "file:")
_NESTED = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}  # whether of constraints
_EDITABLE = ("-e", "--editable")
_QUOTING = frozenset("$\"'\\")
_NOT_PLAIN = frozenset("@;")  # with a name or a marker


def missing_input(command: PipCommand, cwd: str) -> str | None:
    """Return what pip cannot find, None where that is not certain."""
    return next(_missing(command, cwd), None)


def _missing(command: PipCommand, cwd: str) -> Iterator[str]:
    for value in command.r_files:
        yield from _of_source(value, cwd)
    for path in command.constraints:
        yield from _of_file(path, cwd, cwd, (), constraints=True)
    for requirement in command.requirements:
        yield from _of_requirement(requirement, cwd)
    for editable in command.editables:
        yield from _of_editable(editable, cwd)
    for group in command.groups:
        yield from _of_group(group, cwd)
    for script in command.scripts:
        if not _can_open(os.path.join(cwd, script)):
            yield f"{script} cannot be opened"


def _of_source(value: str, cwd: str) -> Iterator[str]:
    path = requirements_file(value)
    if path is None:  # a URL
        return
    if not is_lock_file(path):
        yield from _of_file(path, cwd, cwd, (), constraints=False)
    elif not _can_open(os.path.join(cwd, path)):
        yield f"{value} cannot be opened"


def _of_file(path: str, folder: str, cwd: str, above: tuple[str, ...], *, constraints: bool) -> Iterator[str]:
    """Look into a requirements file, whose path is relative to `folder`."""
    if "://" in path:
        return
    if path.lower().startswith(_REMOTE):
        return
    full = os.path.abspath(os.path.join(folder, path))
    if not _can_open(full):
        yield f"{path} cannot be opened"
        return
    if full in above:
        yield f"{path} names itself"
        return
    for line in lines_of(content(full)) or []:
        if not _QUOTING.isdisjoint(line):  # pip may read another name there
            continue
        option, value = _option_in(line)
        if option in _NESTED:
            inside = os.path.dirname(full)
            yield from _of_file(value, inside, cwd, (*above, full), constraints=_NESTED[option])
        elif option in _EDITABLE:
            yield from _of_editable(value, cwd)
        elif option == "" and not constraints:
            yield from _of_requirement(value, cwd)


def _option_in(line: str) -> tuple[str, str]:
    """Return the option and its value, or "" and the requirement."""
    if line.startswith("--"):
        return split_option(line)
    if line.startswith("-"):  # optparse takes `-rFILE` as well as `-r FILE`
        return line[:2], line[2:].strip()
    return "", line.partition(" -")[0]


def _of_requirement(requirement: str, cwd: str) -> Iterator[str]:
    if ";" in requirement:  # with a marker it may be ignored, so only pip can tell
        return
    requirement = requirement.strip()
    name, at, url = requirement.partition("@")
    url = url.strip()
    if url.lower().startswith("file:") and os.sep not in name:
        yield from _of_url(url)
    elif requirement.lower().startswith("file:"):
        yield from _of_url(requirement)
    elif not at and not _has_scheme(requirement):
        yield from _of_path(requirement, cwd)


def _of_path(path: str, cwd: str) -> Iterator[str]:
    plain = without_extras(os.path.normpath(os.path.join(cwd, path)))
    # pip takes it for a path if it has a separator or a known ending.
    is_path = os.sep in path or path.startswith(".")
    if is_path and os.path.isdir(plain):
        yield from _of_directory(plain, path)
    elif is_archive(plain):
        if not os.path.isfile(plain):
            yield f"there is no {path}"
    elif is_path:
        reason = f"there is no {path}"
        if os.path.exists(plain):
            reason = f"{path} is not a package"
        yield reason


def _of_editable(editable: str, cwd: str) -> Iterator[str]:
    if not _NOT_PLAIN.isdisjoint(editable):
        return
    if editable.lower().startswith("file:"):
        yield from _of_url(editable)
        return
    if _has_scheme(editable):
        return
    plain = without_extras(editable)
    path = os.path.join(cwd, plain)
    if os.path.isdir(path):
        yield from _of_directory(path, editable)
    else:
        yield f"there is no directory {editable}"


def _of_url(url: str) -> Iterator[str]:
    from urllib.parse import urlsplit  # noqa: PLC0415  slow to import, and rarely needed
    from urllib.request import url2pathname  # noqa: PLC0415  likewise

    try:
        parts = urlsplit(url)
    except ValueError:
        return
    # One that is not absolute, or is on another machine, is left to pip.
    if parts.netloc not in {"", "localhost"}:
        return
    if not parts.path.startswith("/"):
        return
    if parts.query or "subdirectory=" in parts.fragment:
        return
    plain = without_extras(parts.path)
    path = url2pathname(plain)
    if plain != parts.path and os.path.exists(url2pathname(parts.path)):
        return  # what looks like extras may belong to the name
    if os.path.isdir(path):
        yield from _of_directory(path, url)
    elif not os.path.exists(path):
        yield f"there is no {url}"


def _of_directory(path: str, called: str) -> Iterator[str]:
    for name in ("pyproject.toml", "setup.py"):
        if os.path.isfile(os.path.join(path, name)):
            return
    yield f"{called} has neither pyproject.toml nor setup.py"


def _of_group(group: str, cwd: str) -> Iterator[str]:
    path, name = group_file(group), group.rpartition(":")[2]
    full = os.path.join(cwd, path)
    if not _can_open(full):
        yield f"{path} cannot be opened"
        return
    if os.path.basename(path) != "pyproject.toml":
        return
    document = parsed(content(full))
    if document == {} and os.path.getsize(full):
        return  # pip tells what is wrong in the file
    groups = document.get("dependency-groups", {})
    if not isinstance(groups, dict):
        return
    if normalised_name(name) not in map(normalised_name, groups):  # PEP 735 compares names as PEP 503 does
        yield f"{path} has no dependency group {name}"


def _has_scheme(text: str) -> bool:
    """Return True if pip may read a URL, as of version control."""
    before, colon, _ = text.partition(":")
    return bool(colon) and os.sep not in before


def _can_open(path: str) -> bool:
    return os.access(path, os.R_OK) and not os.path.isdir(path)
