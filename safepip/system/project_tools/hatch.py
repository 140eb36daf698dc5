"""Hatch's environment of a project (hatch/env/virtual.py: `__init__`, cli/application.py: `get_env_directory`)."""

from __future__ import annotations

import os

from safepip.core.requirement import normalised_name
from safepip.system.files import is_in
from safepip.system.keeper import inside

from .project import Named, Question, joined, short_digest, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .project import Found, Project


def environments(project: Project) -> Found:
    """Yield Hatch's environment."""
    document = project.toml("pyproject.toml")
    tables = _tables(project, document)
    name = project.environ.get("HATCH_ENV", "default")
    options = _options(tables.get("envs"), name)
    kind = text(options.get("type", "virtual"))
    if kind == "system":
        return
    folder = _folder(project, kind)
    if folder is None:
        return
    runs_project_code = bool(tables.get("env"))  # plugins and collectors that the project names
    # A variable in the path, a matrix, and overrides, whose conditions Hatch works out.
    only_hatch_knows = "$" in folder or not {"matrix", "overrides"}.isdisjoint(options)
    if only_hatch_knows and not runs_project_code:
        watch = (project.path("pyproject.toml"), project.path("hatch.toml"), folder, os.path.dirname(folder))
        yield Question(program="hatch", words=("env", "find", name), watch=watch)
    variable = f"HATCH_ENV_TYPE_{kind.upper().replace('-', '_')}_PATH"
    chosen = project.environ.get(variable)
    named = text(options.get("path"))
    if chosen:
        yield os.path.join(project.root, chosen)
    elif named:
        file = "pyproject.toml"
        if "envs" in project.toml("hatch.toml"):  # which replaces that table
            file = "hatch.toml"
        yield Named(path=os.path.join(project.root, named), file=project.path(file))
    else:
        title = text(inside(document, "project", "name")) or os.path.basename(project.real)
        yield _in_folder(project, folder, normalised_name(title), name)


def _in_folder(project: Project, folder: str, title: str, name: str) -> str:
    last = name
    if name == "default":
        last = title
    if folder == joined(project.home, ".virtualenvs"):
        return os.path.join(folder, last)
    if is_in(os.path.realpath(folder), project.real):
        return os.path.join(folder, last)
    return os.path.join(folder, title, _identifier(project), last)


def _tables(project: Project, document: dict[str, Any]) -> dict[str, Any]:
    """Return Hatch's tables: hatch.toml replaces those of the same name in pyproject.toml."""
    hatch = inside(document, "tool", "hatch")
    own = project.toml("hatch.toml")
    if isinstance(hatch, dict):
        return {**hatch, **own}
    return own


def _options(environments: object, name: str) -> dict[str, Any]:
    """Return the options of an environment, those of its templates included."""
    options: dict[str, Any] = {}
    seen: set[str] = set()
    while name not in seen:
        own = inside(environments, name)
        if not isinstance(own, dict):
            break
        inherited = dict(own)
        if seen:
            inherited.pop("matrix", None)  # a matrix is not inherited
        seen.add(name)
        options = {**inherited, **options}
        if not own.get("detached"):
            name = text(own.get("template", "default"))
    return options


def _folder(project: Project, kind: str) -> str | None:
    """Return the folder of Hatch's environments of that kind."""
    config = project.environ.get("HATCH_CONFIG") or joined(project.folder("config", "hatch"), "config.toml")
    folders = None
    if config:
        folders = inside(project.toml(config, b"dirs"), "dirs")
    named = inside(folders, "env", kind)
    if isinstance(named, str):
        return project.path(named)
    data = project.environ.get("HATCH_DATA_DIR") or inside(folders, "data") or project.folder("data", "hatch")
    if not isinstance(data, str):
        return None
    return project.path(data, "env", kind)


def _identifier(project: Project) -> str:
    import hashlib

    root = project.real
    if project.platform in {"win32", "darwin"}:  # whose file systems ignore case
        root = root.casefold()
    return short_digest(hashlib.sha256(os.fsencode(root)).digest())
