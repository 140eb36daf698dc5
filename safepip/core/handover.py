"""Plan how a line is handed to a pip."""

from __future__ import annotations

import os.path

from safepip.errors import NOT_FOUND, shell_quote

from .pip_line import LINE
from .plan import Handover, InEnvironment, Pip, Refuse, RunHint
from .requirement import name_in
from .world import BIN, TARGET, TYPED_INTERPRETER, Need, WithTarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pip_line import PipCommand
    from .world import Details, Environment, WithPlace, World

    Changes = tuple[tuple[str, str | None], ...]

CHANGING = ("install", "uninstall")
_DIRECTORIES = ("target", "prefix", "root")


def pip_of(
    world: World, environment: Environment, because: str, *, enter: bool = True, changes: bool = False
) -> Pip:
    """Plan to hand the line, untouched, to the pip of an environment."""
    handover = Handover(
        python=environment.python,
        words=world.invocation.words,
        program=program(world, environment.python),
        environment=environment.path,
        enter=enter,
        changes_packages=changes,
    )
    return Pip(handover=handover, because=because)


def pip_as_typed(world: World, because: str) -> Pip | Refuse | Need:
    """Plan to hand the untouched line to the pip of its target.

    A line with `--python` goes to the pip that would have read it: that one starts the other itself.
    """
    if not isinstance(world, WithTarget):
        return Need(stage=TARGET)
    target = world.typed_interpreter
    if target is None:
        return Need(stage=TYPED_INTERPRETER)
    if target.problem:
        return Refuse(code=NOT_FOUND, what=target.problem, because=because)
    handover = Handover(
        python=target.python,
        words=world.invocation.words,
        program=program(world, target.python),
        environment=target.prefix,
    )
    return Pip(handover=handover, because=because, notices=warnings(world))


def use_environment(world: WithPlace, environment: Environment, details: Details, because: str) -> InEnvironment:
    """Plan to hand the line to the environment that serves instead."""
    command = details.command
    words, variables, notice = words_for(world, command, world.display(environment), environment.python)
    run_hint = _run_hint(world, environment)
    elsewhere = None
    directory = directory_named(command)
    if directory:
        because = f"{because}; {reason_for_directory(command)}"
        elsewhere = getattr(command, directory)
        run_hint = None
    hint = details.hint
    if world.command.subcommand != "install" or world.named_environment:
        hint = None
    handover = Handover(
        python=environment.python,
        words=words,
        program=program(world, environment.python),
        environment=environment.path,
        enter=True,
        variables=variables,
        changes_packages=changes_packages(command),
        run_hint=run_hint,
    )
    return InEnvironment(
        environment=environment,
        handover=handover,
        because=because,
        notices=(*warnings(world), *_about_environment(world, environment, details), *notice),
        hint=hint,
        elsewhere=elsewhere,
    )


def words_for(
    world: WithTarget, command: PipCommand, shown: str, python: str
) -> tuple[tuple[str, ...], Changes, tuple[str, ...]]:
    """Return pip's words, changes of variables, and what to say of them.

    `python` is to run the line, in an environment that is `shown` to the user by that name.
    """
    dropped: tuple[int, ...] = ()
    changes: Changes = ()
    if world.named_environment is None or world.named_environment[0] != "--python":
        # A `--python` that chose the interpreter would lead pip back to it.
        dropped = command.python_words
        changes = (("PIP_PYTHON", python if world.configured_python else None),)
    if not command.user:
        return _without(command.argv, dropped), changes, ()
    # `--user` would slip past the marker in an environment that sees the system's packages.
    words = _without(command.argv, dropped + command.user_words)
    changes += (("PIP_USER", "0"), ("PIP_NO_USER", None))
    if command.isolated and command.subcommand == "install":  # pip ignores the variables then
        after = words.index("install") + 1
        words = (*words[:after], "--no-user", *words[after:])
    if command.subcommand == "freeze":
        return words, changes, ()
    asked = origin(command, "user")
    said = "--user" if asked == LINE else f"--user ({asked})"
    return words, changes, (f"{said} has no meaning in {shown}; left out",)


def _without(argv: tuple[str, ...], dropped: tuple[int, ...]) -> tuple[str, ...]:
    kept = []
    for index, word in enumerate(argv):
        if index not in dropped:
            kept.append(word)
    return tuple(kept)


def program(world: World, python: str) -> str:
    """Return the name that pip goes by."""
    if world.invocation.module:
        return "-m"  # as in `python -m pip`
    return os.path.join(os.path.dirname(python), world.invocation.name)


def changes_packages(command: PipCommand) -> bool:
    """Return True if pip may change what is installed where it runs."""
    if command.subcommand not in CHANGING or command.dry_run:
        return False
    if directory_named(command):
        return False
    return command.outcome in {"ok", "parse_error"}  # a newer pip may know the option that is wrong here


def directory_named(command: PipCommand) -> str | None:
    """Return which option names a directory to install to, such as "target"."""
    for name in _DIRECTORIES:
        if getattr(command, name) is not None:
            return name
    return None


def reason_for_directory(command: PipCommand) -> str:
    """Return how the line names a directory to install to."""
    name = str(directory_named(command))
    return f"--{name} ({origin(command, name)}) says where to install to"


def origin(command: PipCommand, field: str) -> str:
    """Return the line, variable or file that gave the value."""
    return dict(command.origins).get(field, LINE)


# -- what is printed


def warnings(world: WithTarget) -> tuple[str, ...]:
    """Return what to say of wrong settings, and of a wrong VIRTUAL_ENV."""
    if world.command.subcommand == "freeze":
        return ()
    of_settings = tuple(map(str, world.settings.warnings))
    if world.stale_active is None or not world.managed:
        return of_settings
    if world.named_environment:
        return of_settings
    variable, path = world.stale_active
    return (f"{variable} names {path}, which is not an environment; going on without it", *of_settings)


def _about_environment(world: WithPlace, environment: Environment, details: Details) -> tuple[str, ...]:
    subcommand, project = world.command.subcommand, world.project
    if subcommand == "freeze":
        return ()
    lines = []
    if details.moved_from is not None:
        moved = f"{world.typed(environment)} was moved here from {details.moved_from}"
        lines.append(f"{moved}; repair its scripts: safepip env repair")
    if project is not None and project.disposable is not None and subcommand in CHANGING:
        redirect, used = world.typed_path(project.disposable), world.typed(environment)
        lines.append(f"{redirect} leads to an environment that tox or nox may empty; using {used} instead")
    return tuple(lines)


def _run_hint(world: WithPlace, environment: Environment) -> RunHint | None:
    """Return how to run what an install brings, or None."""
    if world.command.subcommand != "install" or not world.ambient.terminal:
        return None
    if world.quiet or not world.settings.hints:
        return None
    environ = world.ambient.environ
    if environ.get("SAFEPIP_HOOK", "0") != "0":  # 0 where a shell activates nothing
        return None
    if "SAFEPIP_ACTIVATED" in environ:
        return None
    activate = shell_quote(os.path.join(world.typed(environment), BIN, "activate"))
    asked = filter(None, map(name_in, world.command.requirements))
    return RunHint(how=f"safepip run {{}}      or: source {activate}", asked=tuple(asked))
