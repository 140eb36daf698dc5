"""EDGE  which tool keeps a project: uv, Poetry, PDM, Pipenv, Hatch, pixi, or none.

Asked on every call in a project; what else is known of these tools is in tools.py, loaded where one of them
keeps it. Read from their own sources, as there.
"""

from __future__ import annotations

import os
import stat  # which os has loaded
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What only the tool itself writes or reads, in the order in which it is believed. A lock file says more than
# a table: many a project has a [tool.uv] or a Pipfile left over from before.
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
# And how their headers begin: parsing takes longer than all else here, so most users of a backend are spared it.
_TABLES = {
    "poetry": ("poetry",),
    "pdm": ("pdm",),
    "pixi": ("pixi",),
    "uv": ("uv",),
    "hatch": ("hatch]", "hatch.envs"),
}
_NEEDED = {"poetry": {"dependencies", "dev-dependencies", "group", "package-mode"}, "hatch": {"envs"}}
# What the build backends of these tools read, and `uv pip` does: it says nothing of who keeps the project.
_OF_OTHERS = {"pdm": {"build", "version"}, "uv": {"build-backend", "pip"}}
_LARGEST = 1 << 20  # bytes, and
_MOST_DOTS = 1000  # in a line, as in configfiles: tomllib takes minutes for a key of very many parts


def keeper(root: str) -> str | None:
    """Return the tool that keeps the project at `root`: uv, poetry, pdm, pipenv, hatch, pixi, or None.

    Told from its files alone. A build backend (hatchling, poetry-core, pdm-backend, uv_build) and its
    tables say nothing of who keeps the project.
    """
    for tool, name in _FILES:
        if _is_there(os.path.join(root, name)):
            return tool
    tool_of_table = _by_table(content(os.path.join(root, "pyproject.toml")))
    if tool_of_table is None and _is_there(os.path.join(root, "hatch.toml")):
        return "hatch"
    return tool_of_table


def _is_there(path: str) -> bool:
    """Tell whether there is such a file; asked for access first, which is cheaper where there is none."""
    return os.access(path, os.F_OK) and os.path.isfile(path)


def _by_table(data: bytes) -> str | None:
    """Return the tool whose table a pyproject.toml holds; parsed only if it looks as if there were one."""
    squeezed = (b"\n" + data.translate(None, b" \t\"'")).replace(b"\n[[", b"\n[")
    dotted = any(text in squeezed for text in (b"\n[tool]", b"\ntool.", b"\ntool="))
    begins = {tool: [f"\n[tool.{head}".encode() for head in heads] for tool, heads in _TABLES.items()}
    named = [tool for tool in begins if dotted or any(text in squeezed for text in begins[tool])]
    document = parsed(data) if named else {}
    return next((tool for tool in named if _keeps(tool, inside(document, "tool", tool), document)), None)


def _keeps(tool: str, table: object, document: dict[str, Any]) -> bool:
    if not isinstance(table, dict):
        return False
    if tool == "poetry" and "name" in table and "project" not in document:  # as Poetry had it before its 2.0
        return True
    if tool in _NEEDED:
        return not _NEEDED[tool].isdisjoint(table)
    return not table or not set(table) <= _OF_OTHERS.get(tool, set())


def content(path: str) -> bytes:
    """Return a regular file's bytes; empty for what is absent, too large, or would make us wait."""
    quick = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    try:
        file = os.open(path, os.O_RDONLY | quick)
        try:
            found = os.fstat(file)
            fits = stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST
            return os.read(file, _LARGEST) if fits else b""
        finally:
            os.close(file)
    except (OSError, ValueError):
        return b""


def parsed(data: bytes) -> dict[str, Any]:
    """Return the document that `data` is; empty where there is nothing, or it is broken."""
    if not data or any(line.count(b".") > _MOST_DOTS for line in data.split(b"\n")):
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        document: dict[str, Any] = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return {}
    return document


def inside(table: object, *keys: str) -> Any:
    """Return what lies under the `keys` in nested tables, or None."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table
