"""Find out which tool keeps a project.

This is asked on every call in a project. tools.py has the rest, and is loaded only where a tool keeps the project.
The rules come from the tools' own sources.
"""

from __future__ import annotations

import os

from .files import read_regular
from .settings_files import LARGEST, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Files that only the tool itself writes or reads, in order of evidence. A lock file says more than a table: many
# projects still have a [tool.uv] or a Pipfile from before.
_FILES = (
    ("uv", "uv.lock"),
    ("poetry", "poetry.lock"),
    ("pdm", "pdm.lock"),
    ("pixi", "pixi.lock"),
    ("pixi", "pixi.toml"),
    ("pipenv", "Pipfile"),
    ("pdm", ".pdm-python"),
    ("poetry", "poetry.toml"),
)
# How the headers of their tables begin. Parsing takes longer than anything else here, so it is avoided for most
# projects that only use the tool's build backend.
_TABLES = {
    "poetry": ("poetry",),
    "pdm": ("pdm",),
    "pixi": ("pixi",),
    "uv": ("uv",),
    "hatch": ("hatch]", "hatch.envs"),
}
_NEEDED = {"poetry": {"dependencies", "dev-dependencies", "group", "package-mode"}, "hatch": {"envs"}}
# Keys that the build backends of these tools, or `uv pip`, read: they do not show who keeps the project.
_OF_OTHERS = {"pdm": {"build", "version"}, "uv": {"build-backend", "pip"}}


def keeper(root: str) -> str | None:
    """Return the name of the tool that keeps the project, or None.

    It is uv, poetry, pdm, pipenv, hatch or pixi. Only its files are read. A build backend (hatchling, poetry-core,
    pdm-backend, uv_build) and its tables do not show who keeps the project.
    """
    for tool, name in _FILES:
        if _is_there(os.path.join(root, name)):
            return tool
    tool_of_table = _by_table(content(os.path.join(root, "pyproject.toml")))
    if tool_of_table is not None:
        return tool_of_table
    if _is_there(os.path.join(root, "hatch.toml")):
        return "hatch"
    return None


def _is_there(path: str) -> bool:
    return os.access(path, os.F_OK) and os.path.isfile(path)


def _by_table(data: bytes) -> str | None:
    """Return the tool whose table a pyproject.toml has."""
    candidates = _likely_tools(data)
    if not candidates:
        return None
    document = parsed(data)
    for tool in candidates:
        if _keeps(tool, inside(document, "tool", tool), document):
            return tool
    return None


def _likely_tools(data: bytes) -> list[str]:
    """Return the tools whose table the text seems to have."""
    squeezed = (b"\n" + data.translate(None, b" \t\"'")).replace(b"\n[[", b"\n[")
    for text in (b"\n[tool]", b"\ntool.", b"\ntool="):
        if text in squeezed:  # dotted keys: any tool's
            return list(_TABLES)
    likely = []
    for tool, heads in _TABLES.items():
        if any(f"\n[tool.{head}".encode() in squeezed for head in heads):
            likely.append(tool)
    return likely


def _keeps(tool: str, table: object, document: dict[str, Any]) -> bool:
    if not isinstance(table, dict):
        return False
    if tool == "poetry" and "project" not in document and "name" in table:
        return True
    if tool in _NEEDED:
        return not _NEEDED[tool].isdisjoint(table)
    return table == {} or not set(table) <= _OF_OTHERS.get(tool, set())


def content(path: str) -> bytes:
    """Return a regular file's bytes, empty if it cannot serve."""
    found = read_regular(path, LARGEST + 1)
    if found is None or len(found) > LARGEST:
        return b""
    return found


def parsed(data: bytes) -> dict[str, Any]:
    """Return the parsed document, empty if it is not TOML."""
    if not data:
        return {}
    document, _ = parse(data, "")
    return document


def inside(table: object, *keys: str) -> Any:
    """Return what lies under the `keys` in nested tables, or None."""
    for key in keys:
        if not isinstance(table, dict):
            return None
        table = table.get(key)
    return table
