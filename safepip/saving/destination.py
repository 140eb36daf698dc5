"""Find the file in which a project lists its dependencies."""

from __future__ import annotations

import contextlib
import glob
import os

from safepip.core.record import Record
from safepip.core.requirement import requirements_file as opened_for
from safepip.system.files import read_regular
from safepip.system.project_tools.detect import content, inside, parsed

from . import dependency_array, requirements_file
from .requirements_file import CannotEditError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .dependency_array import DependencyArray
    from .requirements_file import RequirementsFile

    Document = DependencyArray | RequirementsFile

PYPROJECT = "pyproject.toml"
GROUP = "group:"
_GROUPS = "dependency-groups"
# Files of other formats: a list of requirements under such a name would mislead the tools that read them.
_OTHER_FORMATS = (
    ".toml", ".cfg", ".ini", ".json", ".lock", ".py", ".yaml", ".yml", ".md", ".rst", "Pipfile", "Makefile",
    "Dockerfile",
)  # fmt: skip
_MOST_FILES = 64
_LARGEST = 1 << 20


class Destination(Record):
    """A requirements file, or with a `table` the array `key` in that table of a pyproject.toml."""

    path: str
    table: str = ""
    key: str = ""


def document(destination: Destination, text: bytes | None) -> Document:
    """Return the document to edit; raise CannotEditError for what it cannot be."""
    if text is None:
        text = b""
    if destination.table:
        return dependency_array.read(text, destination.table, destination.key)
    return requirements_file.read(text)


def named(value: str, cwd: str, root: str | None) -> Destination:
    """Return what `--save=VALUE` names: a file, or a dependency group of the project."""
    if value.startswith(GROUP):
        folders = folders_up(cwd, root)
        path = os.path.join(folders[-1], PYPROJECT)
        for folder in folders:
            if os.path.lexists(os.path.join(folder, PYPROJECT)):
                path = os.path.join(folder, PYPROJECT)
                break
        return Destination(path=path, table=_GROUPS, key=value.removeprefix(GROUP).strip())
    path = os.path.normpath(os.path.join(cwd, value))
    if os.path.basename(path) == PYPROJECT:
        return Destination(path=path, table="project", key="dependencies")
    return Destination(path=path)


def is_of_another_format(destination: Destination) -> bool:
    """Return True if the name is that of a file which cannot list requirements, as setup.cfg."""
    return not destination.table and destination.path.endswith(_OTHER_FORMATS)


def of_project(cwd: str, root: str) -> list[Destination]:
    """Return the files that may list the project's dependencies, the nearest first; the first one is used.

    In each directory: requirements.txt, requirements.in, the project table, the only other requirements file. A
    file that a program writes is not edited where what it is made from is there.
    """
    found: list[Destination] = []
    for folder in folders_up(cwd, root):
        found += _in_folder(folder)
    if not found:
        found.append(Destination(path=os.path.join(root, "requirements.txt")))
    return found


def folders_up(cwd: str, root: str | None) -> list[str]:
    """Return the working directory and those above it, up to the project's root."""
    found = [cwd]
    while root is not None and found[-1] != root and os.path.dirname(found[-1]) != found[-1]:
        found.append(os.path.dirname(found[-1]))
    if root is None or found[-1] == root:
        return found
    return [root]


def _in_folder(folder: str) -> Iterator[Destination]:
    main, source = os.path.join(folder, "requirements.txt"), os.path.join(folder, "requirements.in")
    pyproject = os.path.join(folder, PYPROJECT)
    text = content(pyproject)
    document = parsed(text)
    is_broken = not document and _says_something(text)  # no second list beside it
    has_table = is_broken or isinstance(inside(document, "project"), dict)
    has_source = has_table or os.path.lexists(source)
    if os.path.lexists(main):
        is_made_from_source = has_source and _is_generated(main)
        if not is_made_from_source:
            yield Destination(path=main)
    if os.path.lexists(source):
        yield Destination(path=source)
    if has_table:
        yield Destination(path=pyproject, table="project", key="dependencies")
    if not has_source:
        yield from _only_other(folder, main)


def _says_something(text: bytes) -> bool:
    """Return True unless all lines are empty or comments."""
    return any(line.strip() and not line.lstrip().startswith(b"#") for line in text.splitlines())


def _only_other(folder: str, main: str) -> Iterator[Destination]:
    """Yield the requirements file of another name, if the directory has only that one."""
    found = glob.glob(os.path.join(glob.escape(folder), "requirements*.txt"))
    if len(found) == 1 and found[0] != main:
        yield Destination(path=found[0])


def _is_generated(path: str) -> bool:
    text = read_regular(path, _LARGEST)
    with contextlib.suppress(CannotEditError):
        return text is not None and requirements_file.read(text).is_generated
    return False


def nested(destination: Destination, found: RequirementsFile, within: str) -> Iterator[Destination]:
    """Yield the requirements files that a file includes, at any depth, if they lie in the directory `within`."""
    due = [(destination.path, found)]
    seen = {os.path.realpath(destination.path)}
    while due:
        path, including = due.pop(0)
        for name in including.nested:
            local = opened_for(name)
            inner = ""
            if local:
                inner = os.path.normpath(os.path.join(os.path.dirname(path), local))
            real = os.path.realpath(inner)
            is_inside = real.startswith(os.path.join(os.path.realpath(within), ""))
            if real in seen or not is_inside:
                continue
            if len(seen) > _MOST_FILES:
                return
            seen.add(real)
            text = read_regular(inner, _LARGEST)
            with contextlib.suppress(CannotEditError):
                if text is not None:
                    due.append((inner, requirements_file.read(text)))
                    yield Destination(path=inner)
