"""PDM's environments of a project (pdm/project/core.py: `resolve_interpreter`, cli/commands/venv/utils.py)."""

from __future__ import annotations

import os

from safepip.system.environment import of_python
from safepip.system.keeper import inside

from .project import Named, joined, names_beginning_with, short_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .project import Found, Project

_FALSE = {"false", "no", "0"}


def environments(project: Project) -> Found:
    """Yield PDM's environments, in PDM's order."""
    # PDM is never asked: `pdm info` makes an environment if there is none.
    user_settings: dict[str, Any] = {}
    config = project.environ.get("PDM_CONFIG_FILE") or joined(project.folder("config", "pdm"), "config.toml")
    if config:
        user_settings = project.toml(config, b"venv")
    if not _uses_environments(project, user_settings):
        return
    saved = _saved_python(project)
    if saved is not None:  # it decides, even if it lies in no environment
        yield from _around_saved(saved, project)
        return
    for name in (".venv", "venv", "env"):
        yield os.path.join(project.root, name)
    folder = inside(user_settings, "venv", "location") or joined(project.folder("data", "pdm"), "venvs")
    if not isinstance(folder, str):
        return
    for name in names_beginning_with(_prefix(project), project.path(folder)):  # PDM takes the first, unsorted
        yield project.path(folder, name)


def _around_saved(saved: str, project: Project) -> Found:
    found = of_python(saved)
    if not found:
        return
    file = project.path(".pdm-python")
    if project.environ.get("PDM_PYTHON"):  # which goes before that file
        file = ""
    yield Named(path=found, file=file)


def _saved_python(project: Project) -> str | None:
    """Return the interpreter that PDM saved for the project, or None."""
    if project.environ.get("PDM_IGNORE_SAVED_PYTHON", "no").lower() not in _FALSE:
        return None
    saved = project.path(project.environ.get("PDM_PYTHON") or project.line(".pdm-python"))
    if not os.path.isfile(saved):
        return None
    return saved


def _uses_environments(project: Project, user_settings: dict[str, Any]) -> bool:
    in_project = inside(project.toml("pdm.toml", b"use_venv"), "python", "use_venv")
    of_user = inside(user_settings, "python", "use_venv")
    for value in (project.environ.get("PDM_USE_VENV"), in_project, of_user):
        if isinstance(value, str) or value in (0, 1):
            return str(value).lower() not in _FALSE  # "False" of a flag, or a word of the user's
    return True


def _prefix(project: Project) -> str:
    import hashlib

    root = os.fsencode(project.real.replace("\\", "/"))
    digest = hashlib.md5(root, usedforsecurity=False).digest()
    return f"{os.path.basename(project.real)}-{short_digest(digest)}-"
