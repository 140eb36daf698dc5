"""Describe a project as its tool sees it."""

from __future__ import annotations

import binascii
import os

from safepip.core.record import Record
from safepip.system.directories import at_home, folder_of
from safepip.system.files import names_in
from safepip.system.keeper import content, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_LONGEST_LINE = 4096  # bytes
# By kind and tool, where it is not just the tool's name below LOCALAPPDATA.
_ON_WINDOWS = {
    ("cache", "pypoetry"): ("LOCALAPPDATA", "pypoetry\\Cache"),
    ("config", "pypoetry"): ("APPDATA", "pypoetry"),
    ("config", "pdm"): ("LOCALAPPDATA", "pdm\\pdm"),
    ("data", "pdm"): ("LOCALAPPDATA", "pdm\\pdm"),
}


class Project(Record):
    """The project at `root`, with the user's variables and home directory."""

    root: str
    environ: Mapping[str, str]
    home: str | None
    platform: str

    @property
    def real(self) -> str:
        """Return the root with links resolved."""
        # The tools ask the system for the working directory.
        return os.path.realpath(self.root)

    def path(self, *parts: str) -> str:
        """Return a path from the root on, or from home after ~."""
        return os.path.join(self.root, at_home(os.path.join(*parts), self.home))

    def toml(self, path: str, *words: bytes) -> dict[str, Any]:
        """Return a TOML file's content, empty if none of the `words` occurs."""
        data = content(self.path(path))
        if not words:
            return parsed(data)
        for word in words:
            if word in data:
                return parsed(data)
        return {}

    def line(self, path: str) -> str:
        """Return the first line of a file, empty if it is missing."""
        text = os.fsdecode(content(self.path(path))[:_LONGEST_LINE]).strip()
        if "\0" in text:
            return ""
        return text.partition("\n")[0].strip()

    def folder(self, kind: str, tool: str) -> str | None:
        """Return where platformdirs puts a tool's files, or None."""
        if self.platform == "win32":
            variable, below = _ON_WINDOWS.get((kind, tool), ("LOCALAPPDATA", tool))
            return joined(self.environ.get(variable), below)
        return folder_of(tool, kind, self.environ, self.home, self.platform)


class Question(Record):
    """A program to ask where files do not tell.

    The answer depends on the paths in `watch`.
    """

    program: str
    words: tuple[str, ...]
    watch: tuple[str, ...]


class Named(Record):
    """An environment whose path stands in a project's `file`."""

    path: str
    file: str


if TYPE_CHECKING:
    Found = Iterator[str | Named | Question]


def text(value: object) -> str:
    """Return text as it is, and anything else as empty."""
    # A number may have more digits than Python prints.
    if isinstance(value, str):
        return value
    return ""


def joined(folder: str | None, *parts: str) -> str | None:
    """Return the path of `parts` in `folder`, or None without a folder."""
    if not folder:
        return None
    return os.path.join(folder, *parts)


def names_beginning_with(start: str, folder: str) -> list[str]:
    """Return the names in `folder` that begin with `start`."""
    return [name for name in names_in(folder) if name.startswith(start)]


def without(name: str, unsafe: str) -> str:
    """Return `name` with each unsafe character replaced by an underscore."""
    return "".join("_" if char in unsafe else char for char in name)


def short_digest(digest: bytes) -> str:
    """Return 8 characters of URL-safe base64 for the first 6 bytes."""
    # The module base64 would load re.
    encoded = binascii.b2a_base64(digest[:6], newline=False).decode()
    return encoded.replace("+", "-").replace("/", "_")
