"""Pipenv's environments of a project (pipenv/utils/venv_locator.py: `get_location`, `name`)."""

from __future__ import annotations

import os

from .detect import inside
from .project import Question, joined, short_digest, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .project import Found, Project

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def environments(project: Project) -> Found:
    """Yield Pipenv's environments, in Pipenv's order.

    One outside the project counts only if the path in its .project leads back: names are the user's to give.
    """
    own = os.path.join(project.root, ".venv")
    in_project = _in_project(project)
    named = project.line(own) if os.path.isfile(own) else ""
    if "/" in named or os.sep in named:
        yield os.path.join(project.root, named)
        return
    folder = _folder(project)
    central = joined(folder, named or _name(project))
    if (named or not in_project) and _leads_back(project, central):
        yield str(central)
    if in_project is not False and not named:
        yield own
    if folder is not None and _only_pipenv_knows(project, folder):
        watch = (project.path("Pipfile"), folder)
        yield Question(program="pipenv", words=("--venv",), watch=watch)


def _only_pipenv_knows(project: Project, folder: str) -> bool:
    return "$" in folder or project.platform == "win32"  # on Windows, names of any case match


def _leads_back(project: Project, path: str | None) -> bool:
    named = project.line(os.path.join(path, ".project")) if path else ""
    return bool(named) and os.path.realpath(named) == project.real


def _in_project(project: Project) -> bool | None:
    """Return whether the environment belongs in the project; None if the existing one decides."""
    for variable, value_means_yes in (("PIPENV_VENV_IN_PROJECT", True), ("PIPENV_NO_VENV_IN_PROJECT", False)):
        value = project.environ.get(variable, "").lower()
        if value in _TRUE:
            return value_means_yes
        if value in _FALSE:
            return not value_means_yes
    setting = inside(project.toml("Pipfile", b"venv_in_project"), "pipenv", "venv_in_project")
    return None if setting is None else bool(setting)


def _folder(project: Project) -> str | None:
    """Return WORKON_HOME, or Pipenv's default for it (pipenv/utils/shell.py: `get_workon_home`)."""
    named = project.environ.get("WORKON_HOME")
    if named:
        return project.path(named)
    if project.platform == "win32":
        return joined(project.home, ".virtualenvs")
    data = project.environ.get("XDG_DATA_HOME") or joined(project.home, ".local", "share")
    return project.path(data, "virtualenvs") if data else None


def _name(project: Project) -> str:
    import hashlib

    custom = project.environ.get("PIPENV_CUSTOM_VENV_NAME")
    if custom:
        return custom
    pipfile = os.path.join(project.real, project.environ.get("PIPENV_PIPFILE", "Pipfile"))
    name = without(os.path.basename(os.path.dirname(pipfile)), ' &$`!*@"()[]\\\r\n\t')[:42]
    digest = short_digest(hashlib.sha256(os.fsencode(pipfile)).digest())
    python = project.environ.get("PIPENV_PYTHON", "")
    if os.path.isabs(python):
        python = os.path.basename(python)
    suffix = f"-{python}" if python else ""
    return f"{name}-{digest}{suffix}"
