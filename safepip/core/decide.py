"""Decide what to do about a line, by a table of rows in order; the first match wins."""

from __future__ import annotations

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
from .plan import InEnvironment, Pip, StepDown, Verb, Version
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
    from .plan import Plan, Rebuild, Refuse
    from .world import Details, Environment, World

_ROUTED = (
    *CHANGING, "list", "freeze", "show", "check", "inspect", "download", "wheel", "lock", "index", "debug",
)  # fmt: skip
_OF_PIPX = ("install", "uninstall", "show", "list")  # subcommands that pipx's applications matter to


def decide(world: World) -> Plan | Need:
    """Return what to do about the line that was typed, or what has to be known first.

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
    if invocation.show_version:
        return Version()
    if invocation.error:
        return _wrong_use(invocation.error)
    if invocation.verb:
        return Verb(word=invocation.verb, words=invocation.arguments)
    if invocation.system or world.untouched:
        return pip_as_typed(world, f"{world.untouched or '--system'} asks for pip itself")
    if world.inside:
        return pip_of(world, world.inside, "a pip that safepip started there is at work")
    late = _late_option(world)
    if late:
        return _wrong_use(late)
    if not isinstance(world, WithTarget):
        return Need(stage=TARGET)
    if world.named_environment is None and invocation.route == "app":
        return _routed(world)
    plan = _named(world) or _active(world) or _left_to_pip(world) or _routed(world)
    return _with_answer_to_slip(world, plan)


def _wrong_use(what: str) -> Refuse:
    from .refusals import wrong_use

    return wrong_use(what)


def _late_option(world: World) -> str | None:
    """Return how the line is meant that has one of safepip's options behind the subcommand, or None."""
    if world.first_reading.unknown_option is None:
        return None
    from .slips import late_option

    return late_option(world)


def _with_answer_to_slip(world: WithTarget, plan: Plan | Need) -> Plan | Need:
    """Return the plan with what follows pip's own error about a word that neither pip nor safepip knows."""
    command = world.command
    may_be_slip = command.unknown_option or command.outcome == "unknown_command" or command.subcommand == "help"
    if not may_be_slip or not isinstance(plan, Pip | InEnvironment):
        return plan
    if world.quiet or world.invocation.shim:
        return plan
    from .slips import answer_to_slip

    answer = answer_to_slip(command)
    if answer is None:
        return plan
    told: Plan = replace(plan, handover=replace(plan.handover, closing=(*plan.handover.closing, answer)))
    return told


def _named(world: WithTarget) -> Plan | Need | None:
    """Row 4: return the plan for the environment that the line or SAFEPIP_ENV names, or None."""
    if world.named_environment is None:
        return None
    if not isinstance(world, WithPlace):
        return Need(stage=PLACE)
    what, environment = world.named_environment
    return _into(world, environment, f"{what} names {environment.known_as}", may_create=what != "--python")


def _active(world: WithTarget) -> Plan | Need | None:
    """Row 5: return the plan for the active environment, or None."""
    active = world.active
    if active is None:
        return None
    because = f"the environment {active.path} is active"
    if active.state != USABLE:  # its Python runs all the same, as with pip
        return pip_as_typed(world, because)
    changes = changes_packages(world.command)
    if world.owner_of_active and changes:
        uid, gid = world.owner_of_active
        return StepDown(uid=uid, gid=gid, because=f"{because}, and belongs to who called sudo")
    plan = pip_of(world, active, because, enter=world.target.prefix is None, changes=changes)
    told: Pip = replace(plan, notices=warnings(world))
    return told


def _left_to_pip(world: WithTarget) -> Plan | Need | None:
    """Rows 6 to 8: return the plan if the target interpreter's pip gets the line, else None."""
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
    opted = _opted_out(world)
    return pip_as_typed(world, f"--break-system-packages ({opted}) opts out") if opted else None


def _report_without_environment(world: WithTarget) -> Plan | Need | None:
    """Row 8: return the plan for a line that only reports, if no environment would serve yet.

    Behind sudo that is for the user to look at.
    """
    if world.sudo_user:
        return None
    if not isinstance(world, WithPlace):
        return Need(stage=PLACE)
    if world.place.state not in {ABSENT, UNFINISHED, NOWHERE}:
        return None
    return pip_as_typed(world, "--dry-run with --report installs nothing")


def _opted_out(world: WithTarget) -> str | None:
    """Return where --break-system-packages is given; for commands without that option, as for `install`."""
    command = world.command
    if command.break_system_packages:
        return origin(command, "break_system_packages")
    return None if command.subcommand in CHANGING else world.opts_out


def _routed(world: WithTarget) -> Plan | Need:
    """Rows 9 to 13: return the plan for a line that safepip sends somewhere else."""
    harmless = installs_nothing(world.command)
    if world.sudo_user and not harmless:
        uid, gid = world.sudo_user
        return StepDown(uid=uid, gid=gid, because="sudo was called by that user, who should own what is installed")
    if not isinstance(world, WithPlace):
        return Need(stage=PLACE)
    if harmless:
        because = f"{reason_to_route(world)}, but {harmless}"
        if world.reading.state == USABLE:
            return pip_of(world, world.reading, because)
        return pip_as_typed(world, because)
    environment = world.place if world.command.subcommand in CHANGING else world.reading
    otherwise = _into(world, environment, f"{reason_to_route(world)}, and {_where(world)}", may_create=True)
    if isinstance(otherwise, Need):
        return otherwise
    return _applications(world, otherwise) or otherwise


def _applications(world: WithPlace, otherwise: Plan) -> Plan | Need | None:
    """Row 11: return what pipx does, or None where `otherwise` stands."""
    asked = world.invocation.route == "app"
    if not asked and not _may_be_applications(world):
        return None
    from . import app_routing  # with its long list of applications, so only when needed

    return app_routing.route(world, otherwise)


def _may_be_applications(world: WithPlace) -> bool:
    """Return True if applications go to pipx here without being asked, and this subcommand knows them."""
    if world.invocation.route is not None or world.settings.app_routing == "never":
        return False
    if world.project is not None and not world.settings.apps:
        return False
    return world.command.subcommand in _OF_PIPX


def installs_nothing(command: PipCommand) -> str | None:
    """Row 9: return why nothing is installed or removed whatever pip does, or None.

    A line with an option that is unknown here is not among them: the environment's pip may know it.
    """
    if command.subcommand in _ROUTED and (command.outcome == "ok" or command.unknown_option):
        return None
    told = {
        "main_help": "only help is asked for",
        "command_help": "only help is asked for",
        "version": "only the version is asked for",
        "unknown_command": "pip has no such command",
        "parse_error": f"pip rejects the line ({command.error})",
        "python_after_subcommand": "pip wants --python before the subcommand",
    }
    return told.get(command.outcome, f"{command.subcommand} installs nothing")


def reason_to_route(world: WithTarget) -> str:
    """Return why pip of the target does not get the line."""
    if world.managed:
        return f"{world.target.python} is managed by the system"
    if world.settings.scope == "always":
        return 'the setting scope is "always"'
    return "--app asks for it" if world.invocation.route == "app" else ""


def _where(world: WithPlace) -> str:
    project = world.project
    if project is None:
        return "there is no project here"
    if project.marker:
        return f"{project.root} is a project ({project.marker})"
    return f"{project.root} becomes a project"


def _into(world: WithPlace, environment: Environment, because: str, *, may_create: bool) -> Plan | Need:
    """Rows 4, 12 and 13: return what to do with the line in that environment, whatever its state."""
    details = world.details
    if details is None:
        return Need(stage=DETAILS, environment=environment)
    refusal = _refusal(world, environment, details, because)
    if refusal:
        return refusal
    if environment.state == USABLE:
        return use_environment(world, environment, details, because)
    if world.command.subcommand == "install" and may_create:
        from .creation import create

        futile = installs_nothing(world.command)
        return create(world, environment, details, because, futile=futile, why=reason_to_route(world))
    return _without_environment(world, environment, because)


def _without_environment(world: WithPlace, environment: Environment, because: str) -> Plan | Need:
    """Return the plan for a line that makes no environment where that is missing: pip of the target gets it."""
    missing = f"{world.display(environment)} does not exist yet"
    plan = pip_as_typed(world, f"{because}, but {missing}")
    if not isinstance(plan, Pip):
        return plan
    notices = plan.notices
    if world.named_environment is not None and world.command.subcommand != "freeze":
        about = f"there is no environment at {environment.known_as}; this is about {plan.handover.python}"
        notices = (about, *notices)
    told: Pip = replace(plan, notices=notices)
    if world.command.subcommand != "uninstall":
        return told
    otherwise = f"{missing}, so nothing is installed in it"
    sought: Pip = replace(told, sought=world.command.requirements, otherwise=otherwise)
    return sought


def _refusal(
    world: WithPlace, environment: Environment, details: Details, because: str
) -> Refuse | Rebuild | None:
    """Return why the environment may not serve this line, or what is to be done about that first, or None."""
    settings, state = world.settings, environment.state
    if settings.faults and world.command.subcommand == "install":
        from .refusals import wrong_settings

        return wrong_settings(settings, because)
    is_outside = world.named_environment is None and world.project is None
    if is_outside and settings.outside_project == "error":
        from .refusals import outside_project

        return outside_project(because)
    if state in {UNTRUSTED, FOREIGN, BROKEN}:
        return _unfit(world, environment, details, because)
    if state == USABLE and not _has_version_of_name(world, environment):
        from .refusals import other_version

        return other_version(world, environment, because)
    return None


def _has_version_of_name(world: WithPlace, environment: Environment) -> bool:
    """Return True if the environment has the minor version that a name such as pip3.12 asks for."""
    wanted = world.invocation.version or ""
    return "." not in wanted or environment.version == wanted


def _unfit(world: WithPlace, environment: Environment, details: Details, because: str) -> Refuse | Rebuild:
    from . import refusals

    refusal = refusals.unfit(world, environment, details, because, is_named=world.named_environment is not None)
    if not refusals.to_be_rebuilt(environment, details, world.settings):
        return refusal
    from .creation import rebuild

    return rebuild(world, environment, details, refusal)
