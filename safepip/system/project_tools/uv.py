"""uv's environment of a project (uv's documentation: concepts/projects/config, "Project environment path")."""

from __future__ import annotations

import os

from .project import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .project import Found, Project


def environments(project: Project) -> Found:
    """Yield uv's environment.

    A central one (preview) is linked from .venv, or named in a file of that name where links are impossible.
    """
    path = os.path.join(project.root, project.environ.get("UV_PROJECT_ENVIRONMENT", ".venv"))
    named = project.line(path) if os.path.isfile(path) else ""
    if named:
        yield Named(path=os.path.join(os.path.dirname(path), named), file=path)
    else:
        yield path
