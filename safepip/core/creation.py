"""Plan what comes before an environment can serve: creation or rebuild."""

from __future__ import annotations

import os.path

from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT

from .handover import program, use_environment, warnings, words_for
from .plan import Create, Handover, Pip, Rebuild, Refuse, Temporary
from .record import replace
from .refusals import to_be_rebuilt, unfit, ways_to_trust_folder
from .world import BIN, EXE, NOWHERE, OLDEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plan import Fallback, InEnvironment
    from .world import Details, Environment, Interpreter, Project, WithPlace


def create(
    world: WithPlace, environment: Environment, details: Details, because: str, *, futile: str | None, why: str
) -> Fallback:
    """Return what an `install` does where the environment is missing.

    `futile` is why nothing would be installed, or None; `why` is why the environment is made.
    """
    futile = futile or _futile(world, details)
    if futile:
        return _pip_of_safepip(world, f"{because}, but {futile}")
    if environment.state == NOWHERE:
        return unfit(world, environment, details, because, is_named=world.named_environment is not None)
    interpreter = _base(world, because)
    if isinstance(interpreter, Refuse):
        return interpreter
    planned = _served(world, environment, details, because)
    if world.command.dry_run:
        return Temporary(
            interpreter=interpreter, handover=planned.handover, because=because, notices=planned.notices
        )
    redirect = None
    if world.settings.env_redirect:
        redirect = redirect_for(world.project, environment)
    return Create(
        environment=environment,
        interpreter=interpreter,
        handover=planned.handover,
        because=because,
        called=world.display(environment),
        why=why,
        purpose=_purpose(world),
        system_site_packages=world.settings.system_site_packages,
        redirect=redirect,
        notices=(*planned.notices, *_about_place(world, environment, details)),
        hint=planned.hint,
        project=root_if_elsewhere(world.project, environment),
    )


def refuse_or_rebuild(
    world: WithPlace, environment: Environment, details: Details, because: str
) -> Refuse | Rebuild:
    """Refuse an unfit environment, or plan its rebuild by the settings."""
    refusal = unfit(world, environment, details, because, is_named=world.named_environment is not None)
    if not to_be_rebuilt(environment, details, world.settings):
        return refusal
    return Rebuild(
        environment=environment,
        handover=_served(world, environment, details, because).handover,
        refusal=refusal,
        called=world.typed(environment),
        because=because,
    )


def root_if_elsewhere(project: Project | None, environment: Environment) -> str:
    """Return the environment's project, or "" if it lies in that."""
    if project is None or environment.path.startswith(os.path.join(project.root, "")):
        return ""
    return project.root


def redirect_for(project: Project | None, environment: Environment) -> str | None:
    """Return the file that leads to the environment (PEP 832), or None."""
    if project is None:
        return None
    path = os.path.join(project.root, ".venv")
    if environment.path == path:
        return None
    return path


def _served(world: WithPlace, environment: Environment, details: Details, because: str) -> InEnvironment:
    """Return the plan for the line once the environment exists."""
    python = os.path.join(environment.path, BIN, "python" + EXE)
    return use_environment(world, replace(environment, python=python), details, because)


def _base(world: WithPlace, because: str) -> Interpreter | Refuse:
    """Return the interpreter to make the environment from."""
    interpreter = world.base
    if interpreter is None:
        what = f"{world.target.python} was made from a Python that cannot be found"
        return Refuse(code=CANNOT_CREATE, what=what, ways=("name a place: SAFEPIP_ENV=DIR",), because=because)
    if interpreter.version < OLDEST:
        what = f"no environment can be made from {interpreter.path}: Python {interpreter.minor} is too old"
        ways = ("name a newer one: safepip --python PYTHON …", "plain pip there: safepip --system …")
        return Refuse(code=NO_ENVIRONMENT, what=what, ways=ways, because=because)
    return interpreter


def _futile(world: WithPlace, details: Details) -> str | None:
    """Return why pip can only fail on this `install`, or None."""
    command = world.command
    if world.ambient.cwd is None:
        return "the working directory is gone"
    named = (command.requirements, command.r_files, command.editables, command.groups, command.scripts)
    if not any(named) and not command.unknown_option:
        return "the line names nothing to install"
    if details.pip_is_misconfigured:
        return "pip's configuration is wrong"
    if command.isolated:  # no variable could keep safepip's own Python as it is, should pip succeed
        return None
    return details.missing_input


def _pip_of_safepip(world: WithPlace, because: str) -> Pip:
    """Plan to let pip under safepip's Python report what is wrong."""
    python = world.ambient.executable
    words, changes, _ = words_for(world, world.command, "", python)
    # That Python may be the managed one, whose pip would refuse before it looks. Should the line be right by then,
    # because a file appeared, nothing may be installed: so it is a dry run, which needs no permission.
    guarded = (
        ("PIP_DRY_RUN", "1"),
        ("PIP_BREAK_SYSTEM_PACKAGES", "1"),
        ("PIP_USER", "0"),
        ("PIP_REQUIRE_VIRTUALENV", "0"),
    )
    handover = Handover(
        python=python,
        words=words,
        program=program(world, python),
        variables=(*changes, *guarded),
        is_dry_run=True,
    )
    return Pip(handover=handover, because=because, notices=warnings(world))


# -- what is printed


def _purpose(world: WithPlace) -> str:
    if world.named_environment:
        return f"as {world.named_environment[0]} says"
    if world.project:
        return "for this project (once)"
    return "for use outside projects (once)"


def _about_place(world: WithPlace, environment: Environment, details: Details) -> tuple[str, ...]:
    project, reason = world.project, environment.reason_for_other_place
    if project is None:
        return ()
    lines = []
    outer = details.outer_environment
    if outer is not None:  # since `git init` was run inside a project that has an environment
        lines.append(f"{project.root} is a project of its own now ({project.marker}): {outer} does not serve it")
    if reason and project.disposable is None:  # otherwise the reason has been given
        lines.append(f"{reason}; this project's environment is kept in {environment.path}")
        lines.extend(ways_to_trust_folder(reason, project.root))
    return tuple(lines)
