"""Plan what comes before an environment can serve: to make it, or to rebuild a broken one."""

from __future__ import annotations

import os.path

from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT

from .handover import program, use_environment, warnings, words_for
from .plan import Create, Handover, Pip, Rebuild, Refuse, Temporary
from .record import replace
from .refusals import unfit, ways_to_trust_folder
from .world import BIN, EXE, NOWHERE, OLDEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plan import InEnvironment, Plan
    from .world import Details, Environment, Project, WithPlace


def create(
    world: WithPlace, environment: Environment, details: Details, because: str, *, futile: str | None, why: str
) -> Plan:
    """Return what an `install` does where the environment is missing.

    `futile` is why nothing would be installed, or None; `why` is why the environment is made.
    """
    futile = futile or _futile(world, details)
    if futile:
        return _pip_of_safepip(world, f"{because}, but {futile}")
    refusal = _refusal(world, environment, details, because)
    if refusal is not None:
        return refusal
    interpreter = world.base
    assert interpreter is not None  # _refusal names its absence
    planned = _served(world, environment, details, because)
    if world.command.dry_run:
        return Temporary(
            interpreter=interpreter, handover=planned.handover, because=because, notices=planned.notices
        )
    return Create(
        environment=environment,
        interpreter=interpreter,
        handover=planned.handover,
        because=because,
        called=world.display(environment),
        why=why,
        purpose=_purpose(world),
        system_site_packages=world.settings.system_site_packages,
        redirect=redirect_for(world.project, environment) if world.settings.env_redirect else None,
        notices=(*planned.notices, *_nested(world, details), *_kept_elsewhere(world, environment)),
        hint=planned.hint,
        project=root_if_elsewhere(world.project, environment),
    )


def rebuild(world: WithPlace, environment: Environment, details: Details, refusal: Refuse) -> Rebuild:
    """Return the plan of rebuilding that the settings ask for instead of the refusal."""
    planned = _served(world, environment, details, refusal.because)
    return Rebuild(
        environment=environment,
        handover=planned.handover,
        refusal=refusal,
        called=world.typed(environment),
        because=refusal.because,
    )


def root_if_elsewhere(project: Project | None, environment: Environment) -> str:
    """Return the root of the project that an environment is for, if it is kept outside that; else ""."""
    if project is None or environment.path.startswith(os.path.join(project.root, "")):
        return ""
    return project.root


def redirect_for(project: Project | None, environment: Environment) -> str | None:
    """Return the file that is to say where the project's environment is (PEP 832), if it is not at that path."""
    if project is None:
        return None
    path = os.path.join(project.root, ".venv")
    return None if environment.path == path else path


def _served(world: WithPlace, environment: Environment, details: Details, because: str) -> InEnvironment:
    """Return what happens once the environment exists."""
    python = os.path.join(environment.path, BIN, "python" + EXE)
    return use_environment(world, replace(environment, python=python), details, because)


def _refusal(world: WithPlace, environment: Environment, details: Details, because: str) -> Refuse | None:
    """Return why the environment cannot be made, or None."""
    if environment.state == NOWHERE:
        return unfit(world, environment, details, because, is_named=world.named_environment is not None)
    interpreter = world.base
    if interpreter is None:
        what = f"{world.target.python} was made from a Python that cannot be found"
        return Refuse(code=CANNOT_CREATE, what=what, ways=("name a place: SAFEPIP_ENV=DIR",), because=because)
    if interpreter.version < OLDEST:
        what = f"no environment can be made from {interpreter.path}: Python {interpreter.minor} is too old"
        ways = ("name a newer one: safepip --python PYTHON …", "plain pip there: safepip --system …")
        return Refuse(code=NO_ENVIRONMENT, what=what, ways=ways, because=because)
    return None


def _futile(world: WithPlace, details: Details) -> str | None:
    """Return why pip can only fail on this `install`, so that nothing needs to be made for it, or None."""
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
    """Return the plan of letting a pip under safepip's own Python report what is wrong.

    That Python may be the managed one, whose pip would refuse before it looks, and should the line be right by
    then (a file appeared), nothing may be installed: so it is a dry run, which needs no permission.
    """
    python = world.ambient.executable
    words, changes, _ = words_for(world, world.command, "", python)
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
    return "for this project (once)" if world.project else "for use outside projects (once)"


def _kept_elsewhere(world: WithPlace, environment: Environment) -> tuple[str, ...]:
    """Return why the environment is made elsewhere than in the project, unless that has been said."""
    is_said = world.project is not None and world.project.disposable is not None
    if not environment.reason_for_other_place or is_said:
        return ()
    root = world.project.root if world.project is not None else ""
    where = f"{environment.reason_for_other_place}; this project's environment is kept in {environment.path}"
    return (where, *ways_to_trust_folder(environment.reason_for_other_place, root))


def _nested(world: WithPlace, details: Details) -> tuple[str, ...]:
    """Return what to say where `git init` made a project of its own inside one that has an environment."""
    project = world.project
    if project is None or details.around is None:
        return ()
    return (f"{project.root} is a project of its own now ({project.marker}): {details.around} does not serve it",)
