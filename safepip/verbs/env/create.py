"""safepip env create: make the environment for this place."""

from __future__ import annotations

import os

from safepip.core.decide import project_of
from safepip.core.plan import Create, Handover
from safepip.core.world import ABSENT, BIN, EXE, OLDEST, UNFINISHED, USABLE, Environment, Interpreter
from safepip.envs.in_force import unfit
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, NOT_FOUND, USAGE, SafepipError
from safepip.system.interpreter import interview, python_on_path

from .which import absolute, of_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from safepip.report import Report
    from safepip.system.observe import Context

_NEWER = "name a newer one: safepip env create --python PYTHON"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this word."""
    parser.add_argument("--python", metavar="P", help="the Python to make it from: a path, a name, or a version")
    parser.add_argument("--system-site-packages", action="store_true", help="let it see that Python's packages")


def main(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Make the environment; an existing one stays as it is."""
    found = of_place(context)
    base = _base(said.python, context)
    if found.state == USABLE:
        if said.python and base.minor != found.version:
            raise SafepipError(
                CANNOT_CREATE,
                f"{context.typed(found)} is there, with Python {found.version}",
                "remove it first: safepip env remove",
                "or keep one beside it: safepip --env DIR env create",
            )
        report.say(f"{context.typed(found)} is there already (Python {found.version})")
        return 0
    if found.state not in {ABSENT, UNFINISHED}:
        raise unfit(found, context)
    from safepip.envs.create import create  # noqa: PLC0415  virtualenv takes 0.1 s to import

    create(_plan(found, base, context, sees_system=said.system_site_packages), context, report)
    return 0


def _base(wanted: str | None, context: Context) -> Interpreter:
    """Return the interpreter to make an environment from: `wanted`, or the target interpreter."""
    base = context.base if wanted is None else _asked(_path_of(wanted, context), context)
    if base is None:
        raise SafepipError(NOT_FOUND, f"there is no Python behind {context.target.python}", _NEWER)
    if base.version < OLDEST:
        what = f"no environment can be made from {base.path}: Python {base.minor} is too old"
        raise SafepipError(NO_ENVIRONMENT, what, _NEWER)
    return base


def _path_of(wanted: str, context: Context) -> str:
    if not wanted:
        raise SafepipError(USAGE, "--python names no Python", "say which: safepip env create --python 3.12")
    if os.sep not in wanted:
        return python_on_path(wanted, context.ambient.environ)
    path = absolute(wanted, context)
    if os.path.isdir(path):
        return os.path.join(path, BIN, "python" + EXE)
    return path


def _asked(path: str, context: Context) -> Interpreter:
    found = interview(path, context.ambient.environ, context.cache)
    if not isinstance(found, Interpreter):
        raise SafepipError(NOT_FOUND, found, _NEWER)
    if found.is_virtual:
        raise SafepipError(NOT_FOUND, f"{path} is the Python of an environment itself", _NEWER)
    return found


def _plan(found: Environment, base: Interpreter, context: Context, *, sees_system: bool) -> Create:
    python = os.path.join(found.path, BIN, "python" + EXE)
    project = None if context.named else context.project
    redirect = None
    if project is not None and context.settings.env_redirect:
        redirect = os.path.join(project.root, ".venv")
        if redirect == found.path:
            redirect = None
    return Create(
        environment=found,
        interpreter=base,
        handover=Handover(python=python, words=(), program="pip"),
        because="env create asks for it",
        called=context.typed(found),
        why=f"{base.path} is Python {base.minor}",
        purpose="for this project" if project else "as asked for",
        system_site_packages=sees_system or context.settings.system_site_packages,
        redirect=redirect,
        project=project_of(context, found),
    )
