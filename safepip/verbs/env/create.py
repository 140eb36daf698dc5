"""safepip env create: make the environment for this place."""

from __future__ import annotations

import argparse
import os

from safepip.core.creation import redirect_for, root_if_elsewhere
from safepip.core.plan import Create, Handover
from safepip.core.record import replace
from safepip.core.world import ABSENT, BIN, EXE, OLDEST, UNFINISHED, USABLE, Environment, Interpreter
from safepip.envs.in_force import unfit
from safepip.envs.listing import project_root
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, NOT_FOUND, USAGE, SafepipError, shell_quote
from safepip.report import Report
from safepip.system import registry
from safepip.system.environment import is_conda
from safepip.system.interpreter import interview, python_on_path
from safepip.system.observe import Context
from safepip.verbs.arguments import not_empty

from .which import absolute, directory, exists, of_place, serving

_NEWER = "name a newer one: safepip env create --python PYTHON"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this word."""
    whose = "for this project instead of the one here"
    parser.add_argument("dir", metavar="DIR", nargs="?", type=not_empty, help=whose)
    like = "with the same packages as this environment or project has"
    parser.add_argument("--like", metavar="MODEL", type=not_empty, help=like)
    parser.epilog = "for a worktree: git worktree add ../fix && safepip env create --like . ../fix"
    python = "the Python to make it from: a path, a name or a version"
    parser.add_argument("--python", metavar="P", type=not_empty, help=python)
    parser.add_argument("--system-site-packages", action="store_true", help="let it see that Python's packages")


def main(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Make the environment, unless it exists."""
    there = context
    if said.dir is not None:
        path = directory(said.dir, context)
        if exists(path):
            what = f"{said.dir} is an environment, not the directory of a project"
            way = f"name it before the word: safepip --env {shell_quote(said.dir)} env create"
            raise SafepipError(USAGE, what, way)
        there = Context(context.invocation, replace(context.ambient, cwd=path), context.tell)
    found = of_place(there)
    if said.like is not None:
        return _create_alike(said, found, there, context, report)
    base = _base(said.python, context)
    if found.state == USABLE:
        if said.python and base.minor != found.version:  # an environment keeps its Python
            raise _is_there(found, context)
        report.say(f"{context.typed(found)} exists already (Python {found.version})")
        return 0
    if found.state not in {ABSENT, UNFINISHED}:
        raise unfit(found, context)
    from safepip.envs.create import create  # noqa: PLC0415  virtualenv takes 0.1 s to import

    plan = _plan(found, base, there, context.typed(found), sees_system=said.system_site_packages)
    create(plan, there, report)
    return 0


def _is_there(found: Environment, context: Context) -> SafepipError:
    name = shell_quote(context.typed(found))
    return SafepipError(
        CANNOT_CREATE,
        f"{context.typed(found)} is there, with Python {found.version}",
        f"remove it first: safepip env remove {name}",
        "or keep one beside it: safepip --env DIR env create",
    )


def _create_alike(
    said: argparse.Namespace, found: Environment, there: Context, context: Context, report: Report
) -> int:
    # All distributions of the other environment, or none: a half one would be taken for it.
    model = serving(said.like, context)
    if model.state != USABLE or is_conda(model.path):
        raise _is_no_model(model, context)
    if found.state == USABLE:
        raise _is_there(found, context)
    if found.state not in {ABSENT, UNFINISHED}:
        raise unfit(found, context)
    base = model.base
    if said.python is not None or base is None:
        base = _base(said.python, context)
    from safepip.envs.alike import Model, fill  # noqa: PLC0415  virtualenv takes 0.1 s to import
    from safepip.envs.create import create  # noqa: PLC0415  likewise

    roots = Model(environment=model, root=_root_of(model, context), new_root=_root_here(there))
    sees_system = said.system_site_packages or model.sees_system
    plan = _plan(found, base, there, context.typed(found), sees_system=sees_system)
    plan = replace(plan, purpose=f"like {context.typed(model)}")
    made = create(plan, there, report, lambda path: fill(path, base, roots, context, report))
    if not made.by_this_command:  # another command was faster, so its packages are others
        raise _is_there(made.environment, context)
    report.say(f"{context.typed(found)} has the same packages as {context.typed(model)}")
    return 0


def _is_no_model(model: Environment, context: Context) -> SafepipError:
    if is_conda(model.path):
        return SafepipError(NO_ENVIRONMENT, f"{context.typed(model)} is conda's, which makes another like it")
    if model.state in {ABSENT, UNFINISHED}:
        return SafepipError(NO_ENVIRONMENT, f"{context.typed(model)} does not exist")
    return unfit(model, context)


def _root_of(model: Environment, context: Context) -> str:
    """Return the root of the project that an environment is for."""
    beside = os.path.dirname(model.known_as)
    entry = registry.entry(context.state, model.path)
    if entry is None:
        return beside
    return project_root(entry.registration, context) or beside


def _root_here(there: Context) -> str:
    if there.project is not None:
        return there.project.root
    return there.absolute(os.curdir)


def _base(wanted: str | None, context: Context) -> Interpreter:
    """Return the interpreter to make an environment from."""
    if wanted is None:
        base = context.base
    else:
        base = _named(wanted, context)
    if base is None:
        raise SafepipError(NOT_FOUND, f"there is no Python behind {context.target.python}", _NEWER)
    if base.version < OLDEST:
        what = f"no environment can be made from {base.path}: Python {base.minor} is too old"
        raise SafepipError(NO_ENVIRONMENT, what, _NEWER)
    return base


def _named(wanted: str, context: Context) -> Interpreter:
    path = absolute(wanted, context)
    if os.sep not in wanted:
        path = python_on_path(wanted, context.ambient.environ)
    elif os.path.isdir(path):
        path = os.path.join(path, BIN, "python" + EXE)
    found = interview(path, context.ambient.environ, context.cache)
    if not isinstance(found, Interpreter):
        raise SafepipError(NOT_FOUND, found, _NEWER)
    if found.is_virtual:
        raise SafepipError(NOT_FOUND, f"{path} is the Python of an environment itself", _NEWER)
    return found


def _plan(found: Environment, base: Interpreter, context: Context, called: str, *, sees_system: bool) -> Create:
    python = os.path.join(found.path, BIN, "python" + EXE)
    project, purpose = context.project, "for this project"
    # Under a name of its own an environment is not the project's.
    if context.named_environment or project is None:
        project, purpose = None, "as asked for"
    redirect = None
    if context.settings.env_redirect:
        redirect = redirect_for(project, found)
    return Create(
        environment=found,
        interpreter=base,
        handover=Handover(python=python, words=(), program="pip"),
        because="env create asks for it",
        called=called,
        why=f"{base.path} is Python {base.minor}",
        purpose=purpose,
        system_site_packages=sees_system or context.settings.system_site_packages,
        redirect=redirect,
        project=root_if_elsewhere(project, found),
    )
