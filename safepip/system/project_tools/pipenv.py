"""Pipenv's environments of a project (pipenv/utils/venv_locator.py: `get_location`, `name`)."""

from __future__ import annotations

import os

from safepip.system.keeper import inside

from .project import Named, Question, joined, short_digest, without

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
    if os.path.dirname(named):
        yield Named(path=os.path.join(project.root, named), file=own)
        return
    if named:  # a file with a name decides, whatever the settings say
        in_project = False
    folder = _folder(project)
    if not in_project:
        central = joined(folder, named or _name(project))
        if _leads_back(project, central):
            yield str(central)
    if in_project is not False:
        yield own
    if folder is None:
        return
    if "$" in folder or project.platform == "win32":  # on Windows, names of any case match
        watch = (project.path("Pipfile"), folder)
        yield Question(program="pipenv", words=("--venv",), watch=watch)


def _leads_back(project: Project, path: str | None) -> bool:
    if path is None:
        return False
    named = project.line(os.path.join(path, ".project"))
    return named != "" and os.path.realpath(named) == project.real


def _in_project(project: Project) -> bool | None:
    """Return whether the environment belongs in the project.

    None lets the existing one decide.
    """
    for variable, value_means_yes in (("PIPENV_VENV_IN_PROJECT", True), ("PIPENV_NO_VENV_IN_PROJECT", False)):
        value = project.environ.get(variable, "").lower()
        if value in _TRUE:
            return value_means_yes
        if value in _FALSE:
            return not value_means_yes
    setting = inside(project.toml("Pipfile", b"venv_in_project"), "pipenv", "venv_in_project")
    if setting is None:
        return None
    return bool(setting)


def _folder(project: Project) -> str | None:
    """Return WORKON_HOME, or Pipenv's default for it (pipenv/utils/shell.py: `get_workon_home`)."""
    named = project.environ.get("WORKON_HOME")
    if named:
        return project.path(named)
    if project.platform == "win32":
        return joined(project.home, ".virtualenvs")
    data = project.environ.get("XDG_DATA_HOME") or joined(project.home, ".local", "share")
    if not data:
        return None
    return project.path(data, "virtualenvs")


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
    if python:
        return f"{name}-{digest}-{python}"
    return f"{name}-{digest}"
