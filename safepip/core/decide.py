"""Decide what to do about a line, by a table of rows."""

from __future__ import annotations

from safepip.errors import BAD_SETTINGS, USAGE

from .handover import (
    CHANGING,
    changes_packages,
    directory_named,
    origin,
    pip_as_typed,
    pip_of,
    reason_for_directory,
    use_environment,
    warnings,
)
from .plan import InEnvironment, Pip, Refuse, StepDown, Verb, Version
from .record import replace
from .world import (
    ABSENT,
    BROKEN,
    DETAILS,
    FOREIGN,
    NOWHERE,
    PLACE,
    TARGET,
    UNFINISHED,
    UNTRUSTED,
    USABLE,
    Need,
    WithPlace,
    WithTarget,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pip_line import PipCommand
    from .plan import Fallback, Plan, Rebuild
    from .world import Details, Environment, World

_ROUTED = (
    *CHANGING, "list", "freeze", "show", "check", "inspect", "download", "wheel", "lock", "index", "debug",
)  # fmt: skip
_OF_PIPX = ("install", "uninstall", "show", "list")  # subcommands that pipx's applications matter to


def decide(world: World) -> Plan | Need:
    """Return the plan for a line, or what must be known first.

    In this order, first match wins:

     1. --safepip-version is answered. A verb of safepip's is carried out.
     2. SAFEPIP_BYPASS, --system, completion, build hooks and pip's own child: pip of the target interpreter.
     3. Called from within a pip that safepip started: that environment's pip, without its lock.
     4. --env, SAFEPIP_ENV, or --python naming an environment: that environment.
     5. An active environment: its pip, untouched. Where root by sudo would change one of the user's, safepip
        becomes that user first. A VIRTUAL_ENV that names none: one warning, go on.
     6. --python or PIP_PYTHON naming an interpreter: it is the target interpreter; go on. If it cannot be used,
        pip of the target says so.
     7. The target interpreter is not managed, and the scope is "managed": its pip, untouched.
     8. The line names a directory to install to, opts out, or only reports what it would do where no
        environment exists yet: pip of the target, untouched.
     9. Nothing is installed or removed whatever pip does, or pip must reject the line: pip of the
        environment that would serve, if it is usable, else of the target; nothing is created.
    10. Root by sudo: becomes that user, and the line is decided again.
    11. An install of applications goes to pipx, and so does what is said of those that only pipx has. With --app
        that comes right after 4.
    12. In a project: its environment; `install` creates it when missing.
    13. Elsewhere: the home environment; `install` creates it when missing.

    Where the environment of 4, 12 or 13 is missing, only `install` makes it. One that can only fail runs
    under safepip's own Python and pip instead; `install --dry-run` gets an environment that is removed
    afterwards; the rest runs on the target interpreter. A redirect to an environment of tox's or nox's
    serves commands that read until there is another.

    Refused are:
    - a wrong use of safepip's own options, also of one behind the subcommand that pip does not know (64);
    - --app with a subcommand or a line that pipx has no counterpart of (64);
    - an interpreter that cannot be found or started, where its pip would run (127);
    - `install` with settings that are forbidden or cannot be read (78);
    - outside a project, with the setting outside-project = "error" (73);
    - an environment of others that is not trusted, such as another user's, one that git tracks, or one that
      others may write to, and one that was copied or moved here (77);
    - an environment that the project's own settings put outside the project (77);
    - a broken environment, one that its owner may not read, and what is not an environment (3); with the setting
      auto-repair a broken one that safepip knows is rebuilt instead;
    - a project that is named in place of its environment (3);
    - one whose Python has another version than the name typed asks for (3);
    - `install` without a place for an environment, or a Python to make it from (73), or a too old one (3).
    """
    invocation = world.invocation
    # Row 1.
    if invocation.show_version:
        return Version()
    if invocation.error:
        return Refuse(code=USAGE, what=invocation.error, because=invocation.error)
    if invocation.verb:
        return Verb(word=invocation.verb, words=invocation.arguments)
    # Row 2.
    if world.untouched:
        return pip_as_typed(world, f"{world.untouched} asks for pip itself")
    if invocation.system:
        return pip_as_typed(world, "--system asks for pip itself")
    # Row 3: the outer pip holds the lock, and waits for this one.
    if world.inside:
        return pip_of(world, world.inside, "a pip that safepip started there is at work")
    late = _late_option(world)  # which pip would reject in its own words
    if late:
        return Refuse(code=USAGE, what=late, because=late)
    if not isinstance(world, WithTarget):
        return Need(stage=TARGET)
    if invocation.route == "app" and not world.named_environment:
        return _routed(world)  # even where an environment is active, or the target is not managed
    plan = _named(world) or _active(world) or _left_to_pip(world) or _routed(world)
    return _with_answer_to_slip(world, plan)


def _late_option(world: World) -> str | None:
    if world.first_reading.unknown_option is None:
        return None
    from .slips import late_option

    return late_option(world)


def _with_answer_to_slip(world: WithTarget, plan: Plan | Need) -> Plan | Need:
    """Have what was meant follow pip's error about an unknown word."""
    command = world.command
    has_unknown_word = command.unknown_option or command.outcome == "unknown_command"
    if not has_unknown_word and command.subcommand != "help":
        return plan
    if not isinstance(plan, Pip | InEnvironment):
        return plan
    if world.quiet:
        return plan
    if world.invocation.shim:  # called as pip, it is pip
        return plan
    from .slips import answer_to_slip

    answer = answer_to_slip(command)
    if answer is None:
        return plan
    return replace(plan, handover=replace(plan.handover, closing=(*plan.handover.closing, answer)))


def _named(world: WithTarget) -> Plan | Need | None:
    """Return the plan by row 4, or None."""
    if world.named_environment is None:
        return None
    if not isinstance(world, WithPlace):
        return Need(stage=PLACE)
    what, environment = world.named_environment
    # To pip, `--python` names what exists.
    return _into(world, environment, f"{what} names {environment.known_as}", may_create=what != "--python")


def _active(world: WithTarget) -> Plan | Need | None:
    """Return the plan by row 5, or None."""
    active = world.active
    if active is None:
        return None
    because = f"the environment {active.path} is active"
    if active.state != USABLE:  # its Python runs all the same, as with pip
        return pip_as_typed(world, because)
    changes = changes_packages(world.command)
    if changes and world.owner_of_active:
        uid, gid = world.owner_of_active
        return StepDown(uid=uid, gid=gid, because=f"{because}, and belongs to who called sudo")
    plan = pip_of(world, active, because, enter=world.target.prefix is None, changes=changes)
    return replace(plan, notices=warnings(world))


def _left_to_pip(world: WithTarget) -> Plan | Need | None:
    """Return the plan by rows 6 to 8, or None."""
    target, command = world.target, world.command
    if target.problem:
        return pip_as_typed(world, target.problem)
    if not world.managed and world.settings.scope == "managed":
        return pip_as_typed(world, f"{target.python} is not managed, so pip may install there")
    if directory_named(command):
        return pip_as_typed(world, reason_for_directory(command))
    if command.dry_run and command.report:
        plan = _report_without_environment(world)
        if plan:
            return plan
    opted_out = _opted_out(world)
    if opted_out is None:
        return None
    return pip_as_typed(world, f"--break-system-packages ({opted_out}) opts out")


def _report_without_environment(world: WithTarget) -> Plan | Need | None:
    if world.sudo_user:  # it is for the user to look at
        return None
    if not isinstance(world, WithPlace):
        return Need(stage=PLACE)
    if world.place.state not in {ABSENT, UNFINISHED, NOWHERE}:
        return None
    return pip_as_typed(world, "--dry-run with --report installs nothing")


def _opted_out(world: WithTarget) -> str | None:
    """Return where --break-system-packages is given."""
    if world.command.break_system_packages:
        return origin(world.command, "break_system_packages")
    if world.command.subcommand in CHANGING:
        return None
    # `list` and others have no such option: they follow what a variable or file says for `install`.
    return world.opts_out


def _routed(world: WithTarget) -> Plan | Need:
    """Return the plan by rows 9 to 13."""
    why_nothing = installs_nothing(world.command)
    if world.sudo_user and not why_nothing:  # row 10
        uid, gid = world.sudo_user
        return StepDown(uid=uid, gid=gid, because="sudo was called by that user, who should own what is installed")
    if not isinstance(world, WithPlace):
        return Need(stage=PLACE)
    if why_nothing:  # row 9
        because = f"{reason_to_route(world)}, but {why_nothing}"
        if world.environment_to_read.state == USABLE:
            return pip_of(world, world.environment_to_read, because)
        return pip_as_typed(world, because)
    # Rows 12 and 13, which serve also where pipx turns out to have no part (row 11).
    environment = world.environment_to_read
    if world.command.subcommand in CHANGING:
        environment = world.place
    otherwise = _into(world, environment, f"{reason_to_route(world)}, and {_where(world)}", may_create=True)
    if isinstance(otherwise, Need):
        return otherwise
    if not _may_be_applications(world):
        return otherwise
    from .app_routing import route  # with its long list of applications, so only when needed

    return route(world, otherwise) or otherwise


def _may_be_applications(world: WithPlace) -> bool:
    """Return True if the line asks for pipx, or may mean applications."""
    if world.invocation.route is not None:
        return world.invocation.route == "app"
    if world.settings.app_routing == "never":
        return False
    if world.project is not None and not world.settings.apps:
        return False
    return world.command.subcommand in _OF_PIPX


def installs_nothing(command: PipCommand) -> str | None:
    """Return why nothing is installed or removed whatever pip does, or None."""
    # With an option that is unknown here, the environment's pip may know it.
    if command.subcommand in _ROUTED and (command.outcome == "ok" or command.unknown_option):
        return None
    reasons = {
        "main_help": "only help is asked for",
        "command_help": "only help is asked for",
        "version": "only the version is asked for",
        "unknown_command": "pip has no such command",
        "parse_error": f"pip rejects the line ({command.error})",
        "python_after_subcommand": "pip wants --python before the subcommand",
    }
    return reasons.get(command.outcome, f"{command.subcommand} installs nothing")


def reason_to_route(world: WithTarget) -> str:
    """Return why pip of the target does not get the line."""
    if world.managed:
        return f"{world.target.python} is managed by the system"
    if world.settings.scope == "always":
        return 'the setting scope is "always"'
    if world.invocation.route == "app":
        return "--app asks for it"
    return ""


def _where(world: WithPlace) -> str:
    project = world.project
    if project is None:
        return "there is no project here"
    if project.marker:
        return f"{project.root} is a project ({project.marker})"
    return f"{project.root} becomes a project"


def _into(world: WithPlace, environment: Environment, because: str, *, may_create: bool) -> Fallback | Need:
    """Return the plan for the line in that environment, whatever its state."""
    details = world.details
    if details is None:
        return Need(stage=DETAILS, environment=environment)
    refusal = _before_use(world, environment, details, because)
    if refusal:
        return refusal
    if environment.state == USABLE:
        return use_environment(world, environment, details, because)
    if world.command.subcommand == "install" and may_create:
        from .creation import create

        futile = installs_nothing(world.command)
        return create(world, environment, details, because, futile=futile, why=reason_to_route(world))
    return _without_environment(world, environment, because)


def _without_environment(world: WithPlace, environment: Environment, because: str) -> Pip | Refuse | Need:
    """Return the plan for a line whose environment stays missing."""
    missing = f"{world.display(environment)} does not exist yet"
    plan = pip_as_typed(world, f"{because}, but {missing}")
    if not isinstance(plan, Pip):
        return plan
    subcommand = world.command.subcommand
    if world.named_environment and subcommand != "freeze":
        about = f"there is no environment at {environment.known_as}; this is about {plan.handover.python}"
        plan = replace(plan, notices=(about, *plan.notices))
    if subcommand == "uninstall":  # pip says only that it is not installed here
        otherwise = f"{missing}, so nothing is installed in it"
        plan = replace(plan, sought=world.command.requirements, otherwise=otherwise)
    return plan


def _before_use(
    world: WithPlace, environment: Environment, details: Details, because: str
) -> Refuse | Rebuild | None:
    """Return what must come before the environment is used, or None."""
    settings, state = world.settings, environment.state
    if settings.faults and world.command.subcommand == "install":
        return Refuse(code=BAD_SETTINGS, what=str(settings.faults[0]), because=because)
    is_outside = world.named_environment is None and world.project is None
    if is_outside and settings.outside_project == "error":
        from .refusals import outside_project

        return outside_project(because)
    if state in {UNTRUSTED, FOREIGN, BROKEN}:
        from .creation import refuse_or_rebuild

        return refuse_or_rebuild(world, environment, details, because)
    if state == USABLE and not world.invocation.accepts(environment.version):
        from .refusals import other_version

        return other_version(world, environment, because)
    return None
