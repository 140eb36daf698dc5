"""Plan how a line is handed to a pip: to whose, with which words and variables, and what is printed."""

from __future__ import annotations

import os.path

from safepip.errors import NOT_FOUND, shell_quote

from .plan import Handover, InEnvironment, Pip, Refuse, RunHint
from .requirement import name_in
from .world import BIN, TARGET, TYPED_INTERPRETER, Need, WithTarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pip_line import PipCommand
    from .plan import Plan
    from .world import Details, Environment, WithPlace, World

    Changes = tuple[tuple[str, str | None], ...]

CHANGING = ("install", "uninstall")
_USER_SITE = ("install", "list", "freeze", "inspect")
_DIRECTORIES = ("target", "prefix", "root")


def pip_of(
    world: World, environment: Environment, because: str, *, enter: bool = True, changes: bool = False
) -> Pip:
    """Return the plan of handing the line, untouched, to the pip of an environment."""
    handover = Handover(
        python=environment.python,
        words=world.invocation.words,
        program=program(world, environment.python),
        environment=environment.path,
        enter=enter,
        changes_packages=changes,
    )
    return Pip(handover=handover, because=because)


def pip_as_typed(world: World, because: str) -> Plan | Need:
    """Return the plan of handing the line, untouched, to the pip that it was typed for.

    A line with `--python` goes to the pip that would have read it: that one starts the other itself.
    """
    if not isinstance(world, WithTarget):
        return Need(stage=TARGET)
    target = world.typed_interpreter
    if target is None:
        return Need(stage=TYPED_INTERPRETER)
    if target.problem:
        return Refuse(code=NOT_FOUND, what=target.problem, ways=(), because=because)
    handover = Handover(
        python=target.python,
        words=world.invocation.words,
        program=program(world, target.python),
        environment=target.prefix,
    )
    return Pip(handover=handover, because=because, notices=warnings(world))


def use_environment(world: WithPlace, environment: Environment, details: Details, because: str) -> InEnvironment:
    """Return the plan of handing the line to the pip of an environment that the line was not typed for."""
    command, subcommand = details.command, world.command.subcommand
    words, variables, notice = words_for(world, command, world.display(environment), environment.python)
    directory = directory_named(command)
    if directory:
        because = f"{because}; {reason_for_directory(command)}"
    notices = (*warnings(world), *_moved(world, environment, details), *_past_disposable(world, environment))
    handover = Handover(
        python=environment.python,
        words=words,
        program=program(world, environment.python),
        environment=environment.path,
        enter=True,
        variables=variables,
        changes_packages=changes_packages(command),
        run_hint=None if directory else _run_hint(world, environment),
    )
    return InEnvironment(
        environment=environment,
        handover=handover,
        because=because,
        notices=notices + notice,
        hint=details.hint if subcommand == "install" and not world.named_environment else None,
        elsewhere=directory and getattr(command, directory),
    )


def words_for(
    world: WithTarget, command: PipCommand, shown: str, python: str
) -> tuple[tuple[str, ...], Changes, tuple[str, ...]]:
    """Return pip's words, changes of variables, and what to say of them, where `python` is to run the line.

    `--user` has no meaning in an environment, and would slip past the marker in one that sees the
    system's packages. A `--python` that chose the interpreter would lead pip back to it.
    """
    dropped: tuple[int, ...] = ()
    changes: Changes = ()
    if world.named_environment is None or world.named_environment[0] != "--python":
        dropped = command.python_words
        changes = (("PIP_PYTHON", python if world.configured_python else None),)
    if command.subcommand not in _USER_SITE or not command.user:
        return _without(command.argv, dropped), changes, ()
    words = _without(command.argv, dropped + command.user_words)
    if command.isolated and command.subcommand == "install":
        after = words.index("install") + 1
        words = (*words[:after], "--no-user", *words[after:])
    changes += (("PIP_USER", "0"), ("PIP_NO_USER", None))
    if command.subcommand == "freeze":
        return words, changes, ()
    asked = origin(command, "user")
    said = "--user" if asked == "the command line" else f"--user ({asked})"
    return words, changes, (f"{said} has no meaning in {shown}; left out",)


def _without(argv: tuple[str, ...], dropped: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(word for index, word in enumerate(argv) if index not in dropped)


def program(world: World, python: str) -> str:
    """Return what pip takes itself for: the name typed, beside its interpreter; "-m" for `python -m`."""
    invocation = world.invocation
    return "-m" if invocation.module else os.path.join(os.path.dirname(python), invocation.name)


def changes_packages(command: PipCommand) -> bool:
    """Return True if pip may change what is installed in the environment that it runs in."""
    if command.subcommand not in CHANGING or command.dry_run or directory_named(command):
        return False
    return command.outcome in {"ok", "parse_error"}


def directory_named(command: PipCommand) -> str | None:
    """Return the option that names a directory to install to, such as "target", or None."""
    return next((name for name in _DIRECTORIES if getattr(command, name) is not None), None)


def reason_for_directory(command: PipCommand) -> str:
    """Return how the line names a directory to install to."""
    name = directory_named(command) or ""
    return f"--{name} ({origin(command, name)}) says where to install to"


def origin(command: PipCommand, field: str) -> str:
    """Return where a value of the line was given: on the line, by a variable or in a file."""
    return dict(command.origins).get(field, "the command line")


# -- what is printed


def warnings(world: WithTarget) -> tuple[str, ...]:
    """Return what to say of what was passed over: settings, and a variable that names no environment."""
    if world.command.subcommand == "freeze":
        return ()
    told = tuple(map(str, world.settings.warnings))
    if world.stale_active is None or world.active or world.named_environment or not world.managed:
        return told
    variable, path = world.stale_active
    return (f"{variable} names {path}, which is not an environment; going on without it", *told)


def _moved(world: WithPlace, environment: Environment, details: Details) -> tuple[str, ...]:
    """Return what to say of an environment whose project was moved: its scripts still point where it was."""
    if details.moved_from is None or world.command.subcommand == "freeze":
        return ()
    moved = f"{world.typed(environment)} was moved here from {details.moved_from}"
    return (f"{moved}; repair its scripts: safepip env repair",)


def _past_disposable(world: WithPlace, environment: Environment) -> tuple[str, ...]:
    """Return what to say where a change goes past the environment that the project's redirect names."""
    project = world.project
    if world.named_environment or project is None or project.disposable is None:
        return ()
    if world.command.subcommand not in CHANGING:
        return ()
    redirect, used = world.typed_path(project.disposable), world.typed(environment)
    return (f"{redirect} leads to an environment that tox or nox may empty; using {used} instead",)


def _run_hint(world: WithPlace, environment: Environment) -> RunHint | None:
    """Return how to run what an install brings: for people at a terminal whose shell does not activate it."""
    environ = world.ambient.environ
    if world.command.subcommand != "install" or not world.ambient.terminal:
        return None
    if environ.get("SAFEPIP_HOOK", "0") != "0" or "SAFEPIP_ACTIVATED" in environ:
        return None
    if world.quiet or not world.settings.hints:
        return None
    activate = shell_quote(os.path.join(world.typed(environment), BIN, "activate"))
    named = map(name_in, world.command.requirements)
    return RunHint(how=f"safepip run {{}}      or: source {activate}", asked=tuple(filter(None, named)))
