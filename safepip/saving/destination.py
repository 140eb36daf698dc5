"""Find the file in which a project lists its dependencies."""

from __future__ import annotations

import glob
import os

from safepip.core.record import Record
from safepip.core.requirement import requirements_file as opened_for
from safepip.system.files import is_in, read_regular
from safepip.system.keeper import content, parsed

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
_MOST_FILES = 64  # that include each other
_LARGEST = 1 << 20  # bytes of a file


class Destination(Record):
    """A requirements file, or an array of a pyproject.toml."""

    path: str
    table: str = ""  # of the array, empty for a requirements file
    key: str = ""


def document(destination: Destination, text: bytes | None) -> Document:
    """Return the document to edit, or raise CannotEditError."""
    if text is None:
        text = b""
    if destination.table:
        return dependency_array.read(text, destination.table, destination.key)
    return requirements_file.read(text)


def named(value: str, cwd: str, root: str | None) -> Destination:
    """Return what `--save=VALUE` names: a file, or a dependency group."""
    if value.startswith(GROUP):
        paths = [os.path.join(folder, PYPROJECT) for folder in _folders_up(cwd, root)]
        path = next(filter(os.path.lexists, paths), paths[-1])
        return Destination(path=path, table=_GROUPS, key=value.removeprefix(GROUP).strip())
    path = os.path.normpath(os.path.join(cwd, value))
    if os.path.basename(path) == PYPROJECT:
        return Destination(path=path, table="project", key="dependencies")
    return Destination(path=path)


def is_of_another_format(destination: Destination) -> bool:
    """Return True for a file that cannot list requirements, as setup.cfg."""
    return not destination.table and destination.path.endswith(_OTHER_FORMATS)


def of_project(cwd: str, root: str) -> list[Destination]:
    """Return the files that may list the project's dependencies, nearest first.

    In each directory: requirements.txt, requirements.in, the project table, the only other requirements file. A
    file that a program writes is not edited if the file that it is made from exists.
    """
    found: list[Destination] = []
    for folder in _folders_up(cwd, root):
        found += _in_folder(folder)
    if not found:
        found.append(Destination(path=os.path.join(root, "requirements.txt")))
    return found


def _folders_up(cwd: str, root: str | None) -> list[str]:
    """Return the directories from the working directory up to the project's root."""
    if root is None:
        return [cwd]
    found = [cwd]
    while found[-1] != root:
        parent = os.path.dirname(found[-1])
        if parent == found[-1]:  # the working directory is not in the project
            return [root]
        found.append(parent)
    return found


def _in_folder(folder: str) -> Iterator[Destination]:
    main, source = os.path.join(folder, "requirements.txt"), os.path.join(folder, "requirements.in")
    pyproject = os.path.join(folder, PYPROJECT)
    has_main, has_source = os.path.lexists(main), os.path.lexists(source)
    has_table = _has_project_table(pyproject)
    is_only = not has_source and not has_table
    if has_main and not is_only:
        found = readable(main)
        has_main = found is None or not found.is_generated
    if has_main:
        yield Destination(path=main)
    if has_source:
        yield Destination(path=source)
    if has_table:
        yield Destination(path=pyproject, table="project", key="dependencies")
    if is_only:
        yield from _only_other(folder, main)


def _only_other(folder: str, main: str) -> Iterator[Destination]:
    """Yield the requirements file of another name if there is only one."""
    found = glob.glob(os.path.join(glob.escape(folder), "requirements*.txt"))
    if len(found) == 1 and found[0] != main:
        yield Destination(path=found[0])


def _has_project_table(pyproject: str) -> bool:
    text = content(pyproject)
    document = parsed(text)
    if document:
        return isinstance(document.get("project"), dict)
    # A broken file may have the table, so that no second list is made beside it.
    lines = map(bytes.lstrip, text.splitlines())
    return any(line and not line.startswith(b"#") for line in lines)


def readable(path: str) -> RequirementsFile | None:
    """Read the requirements file at `path`, None if that is impossible."""
    text = read_regular(path, _LARGEST)
    if text is None:
        return None
    try:
        return requirements_file.read(text)
    except CannotEditError:
        return None


def nested(path: str, found: RequirementsFile, within: str) -> Iterator[tuple[str, RequirementsFile]]:
    """Yield what the requirements file at `path` includes, at any depth.

    Files outside the directory `within` are left out.
    """
    due = [(path, found)]
    seen = {os.path.realpath(path)}
    while due:
        path, including = due.pop(0)
        for name in including.nested:
            local = opened_for(name)
            if not local:
                continue
            inner = os.path.normpath(os.path.join(os.path.dirname(path), local))
            real = os.path.realpath(inner)
            if real in seen:
                continue
            if not is_in(real, os.path.realpath(within)):
                continue
            if len(seen) > _MOST_FILES:
                return
            seen.add(real)
            file = readable(inner)
            if file is not None:
                due.append((inner, file))
                yield inner, file
