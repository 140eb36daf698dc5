"""Record packages in open files, or remove them. Nothing is written here."""

from __future__ import annotations

import os

from safepip.core.record import Record, replace

from . import entry as entries
from .requirements_file import CannotEditError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .destination import Destination, Document
    from .entry import Asked


class Opened(Record):
    """A file that is edited in memory."""

    destination: Destination
    before: bytes | None  # its content when it was read, None if it is missing
    document: Document  # that it becomes

    @property
    def folder(self) -> str:
        """Return the directory that relative paths in the file start from."""
        return os.path.dirname(self.destination.path)


def record(one: Asked, files: Sequence[Opened]) -> tuple[Opened, str] | None:
    """Return the file with the package in it, and its entry.

    Return None if the files already say what was asked for. A new entry goes into the first file.
    """
    found = _find(one, files)
    if found is None:
        text = entries.recorded(one)
        _refuse_unfit(text, files[0])
        return replace(files[0], document=files[0].document.add(text)), text
    file, index = found
    entry = file.document.entries[index]
    text = entries.beside(entry, one, file.folder)
    if text == entry:
        return None
    _refuse_unfit(text, file)
    return replace(file, document=file.document.put(index, text)), text


def _find(one: Asked, files: Sequence[Opened]) -> tuple[Opened, int] | None:
    """Return the file and the index of the entry about the package."""
    first = None  # used if no entry counts in this environment by its marker
    for file in files:
        for index, entry in enumerate(file.document.entries):
            if not entries.is_meant(entry, one, file.folder):
                continue
            if entries.holds(entry, one.marked):
                return file, index
            if first is None:
                first = (file, index)
    return first


def _refuse_unfit(text: str, file: Opened) -> None:
    # What stands in a pyproject.toml is a requirement of PEP 508.
    if file.destination.table and entries.parts_of(text) is None:
        raise CannotEditError("an editable install cannot stand there")


def remove(names: Sequence[str], places: Mapping[str, str], file: Opened) -> tuple[Opened, list[str]]:
    """Return the file without the entries of these packages, and those entries.

    `places` has the names of what was installed from a path or URL, by that.
    """
    document = file.document
    gone = []
    for index in reversed(range(len(document.entries))):
        entry = document.entries[index]
        name = entries.name_of(entry)
        if entry and not name:
            name = places.get(entries.place_of(entry, file.folder), "")
        if name in names:
            document = document.remove(index)
            gone.append(entry)
    return replace(file, document=document), gone[::-1]


def difference(file: Opened, before: Document) -> str:
    """Return what a person must do to make the same change."""
    had, have = before.entries, file.document.entries
    ways = []
    for entry in had:
        if entry not in have:
            ways.append(f"remove {entry}")
    for entry in have:
        if entry not in had:
            ways.append(f"add {entry}")
    return ", ".join(ways)
