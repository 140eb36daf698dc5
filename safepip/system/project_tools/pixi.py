"""pixi's environment of a project (pixi: crates/pixi_core/src/workspace/mod.rs, `environments_dir`)."""

from __future__ import annotations

import os

from .project import Question

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .project import Found, Project


def environments(project: Project) -> Found:
    """Yield pixi's default environment.

    A detached one is linked from there; where links are impossible, pixi leaves a note in the folder.
    """
    folder = os.path.join(project.root, ".pixi", "envs")
    yield os.path.join(folder, "default")
    if os.path.isdir(folder):
        watch = (project.path("pixi.toml"), project.path("pyproject.toml"), folder)
        yield Question(program="pixi", words=("info", "--json"), watch=watch)
