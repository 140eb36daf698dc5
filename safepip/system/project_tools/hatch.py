"""Hatch's environment of a project (hatch/env/virtual.py: `__init__`, cli/application.py: `get_env_directory`)."""

from __future__ import annotations

import os

from safepip.core.requirement import normalised_name

from .detect import inside
from .project import Question, is_below, joined, short_digest, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .project import Found, Project


def environments(project: Project) -> Found:
    """Yield Hatch's environment.

    Only Hatch can work out a matrix or overrides. It is not asked where that would run code that the project
    names: plugins and collectors.
    """
    document = project.toml("pyproject.toml")
    tables = _tables(project, document)
    name = project.environ.get("HATCH_ENV", "default")
    options = _options(tables.get("envs"), name)
    kind = text(options.get("type", "virtual"))
    folder = _folder(project, kind)
    if kind == "system" or folder is None:
        return
    only_hatch_knows = "$" in folder or "matrix" in options or "overrides" in options
    runs_project_code = bool(tables.get("env"))
    if only_hatch_knows and not runs_project_code:
        watch = (project.path("pyproject.toml"), project.path("hatch.toml"), folder, os.path.dirname(folder))
        yield Question(program="hatch", words=("env", "find", name), watch=watch)
    variable = f"HATCH_ENV_TYPE_{kind.upper().replace('-', '_')}_PATH"
    chosen = project.environ.get(variable) or options.get("path")
    if isinstance(chosen, str) and chosen:
        yield os.path.join(project.root, chosen)
        return
    title = normalised_name(text(inside(document, "project", "name")) or os.path.basename(project.real))
    last = title if name == "default" else name
    in_user_folder = folder == joined(project.home, ".virtualenvs")
    in_project = is_below(os.path.realpath(folder), project.real)
    if in_user_folder or in_project:
        yield os.path.join(folder, last)
    else:
        yield os.path.join(folder, title, _identifier(project), last)


def _tables(project: Project, document: dict[str, Any]) -> dict[str, Any]:
    """Return Hatch's tables: hatch.toml replaces those of the same name in pyproject.toml."""
    hatch = inside(document, "tool", "hatch")
    tables = dict(hatch) if isinstance(hatch, dict) else {}
    tables.update(project.toml("hatch.toml"))
    return tables


def _options(environments: object, name: str) -> dict[str, Any]:
    """Return the options of an environment, those of its templates included."""
    options: dict[str, Any] = {}
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        own = inside(environments, name)
        if not isinstance(own, dict):
            break
        is_template = len(seen) > 1
        for key, value in own.items():
            if is_template and key == "matrix":  # a matrix is not inherited
                continue
            options.setdefault(key, value)
        if not own.get("detached"):
            name = text(own.get("template", "default"))
    return options


def _folder(project: Project, kind: str) -> str | None:
    """Return the folder of Hatch's environments of that kind."""
    config = project.environ.get("HATCH_CONFIG") or joined(project.folder("config", "hatch"), "config.toml")
    folders = inside(project.toml(config, b"dirs"), "dirs") if config else None
    named = inside(folders, "env", kind)
    if isinstance(named, str):
        return project.path(named)
    data = project.environ.get("HATCH_DATA_DIR") or inside(folders, "data") or project.folder("data", "hatch")
    return project.path(data, "env", kind) if isinstance(data, str) else None


def _identifier(project: Project) -> str:
    import hashlib

    ignores_case = project.platform in {"win32", "darwin"}
    root = project.real.casefold() if ignores_case else project.real
    return short_digest(hashlib.sha256(os.fsencode(root)).digest())
