"""Poetry's environments of a project (poetry/utils/env/env_manager.py: `get`, `generate_env_name`)."""

from __future__ import annotations

import os

from safepip.core.requirement import normalised_name
from safepip.system.files import is_in
from safepip.system.keeper import inside

from .project import Question, names_beginning_with, short_digest, text, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .project import Found, Project

_TRUE = {"true", "1"}


def environments(project: Project) -> Found:
    """Yield Poetry's environments, in Poetry's order."""
    own = os.path.join(project.root, ".venv")
    tables = _tables(project)
    in_project = _setting(project, tables, "virtualenvs", "in-project")
    if isinstance(in_project, str):
        in_project = in_project.lower() in _TRUE
    if in_project is None:
        in_project = os.path.isdir(own)
    if in_project:
        yield own
        return
    folder = _folder(project, tables)
    if folder is None:
        return
    base = _base_name(project)
    minor = text(inside(project.toml(os.path.join(folder, "envs.toml")), base, "minor")).strip()
    if minor:  # the one in use, of several versions
        yield os.path.join(folder, f"{base}-py{minor}")
    names = sorted(names_beginning_with(f"{base}-py", folder), key=_version, reverse=True)
    # Otherwise the version of the `python` on PATH counts, which only Poetry finds as Poetry does. It runs their
    # Pythons for that, so it is not asked about environments that the project brought.
    if len(names) > 1 and not is_in(folder, project.real):
        watch = (project.path("pyproject.toml"), project.path("poetry.toml"), folder)
        words = ("--no-plugins", "--no-ansi", "env", "info", "--path")
        yield Question(program="poetry", words=words, watch=watch)
    for name in names:
        yield os.path.join(folder, name)


def _tables(project: Project) -> list[dict[str, Any]]:
    """Return Poetry's settings, the project's before the user's."""
    words = (b"virtualenvs", b"cache-dir")
    found = [project.toml("poetry.toml", *words)]
    config = project.environ.get("POETRY_CONFIG_DIR") or project.folder("config", "pypoetry")
    if config:
        found.append(project.toml(os.path.join(config, "config.toml"), *words))
    return found


def _setting(project: Project, tables: list[dict[str, Any]], *keys: str) -> object:
    """Return one of Poetry's settings (poetry/config/config.py: `get`)."""
    variable = "POETRY_" + "_".join(keys).upper().replace("-", "_")
    named = project.environ.get(variable)
    if named:
        return named
    for table in tables:
        value = inside(table, *keys)
        if value is not None:
            return value
    return None


def _folder(project: Project, tables: list[dict[str, Any]]) -> str | None:
    """Return the folder of Poetry's environments, or None."""
    created = _setting(project, tables, "virtualenvs", "create")
    if created is False:
        return None
    if isinstance(created, str) and created.lower() not in _TRUE:  # a variable
        return None
    path = _setting(project, tables, "virtualenvs", "path") or os.path.join("{cache-dir}", "virtualenvs")
    if not isinstance(path, str):
        return None
    if "{cache-dir}" not in path:
        return project.path(path)
    cache = _setting(project, tables, "cache-dir") or project.folder("cache", "pypoetry")
    if not isinstance(cache, str):
        return None
    return project.path(path.replace("{cache-dir}", cache))


def _base_name(project: Project) -> str:
    # The beginning that the names of all environments of the project share.
    import hashlib

    document = project.toml("pyproject.toml")
    name = inside(document, "project", "name") or inside(document, "tool", "poetry", "name")
    safe = without(normalised_name(text(name) or "non-package-mode"), ' $`!*@"\\\r\n\t')[:42]
    digest = hashlib.sha256(os.fsencode(os.path.normcase(project.real))).digest()
    return f"{safe}-{short_digest(digest)}"


def _version(name: str) -> tuple[int, ...]:
    return tuple(map(int, filter(str.isdecimal, name.rpartition("-py")[2].split("."))))
