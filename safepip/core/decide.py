"""Decide what to do about a line, by a table of rows in order; the first match wins."""

from __future__ import annotations

import os.path

from safepip.errors import BAD_SETTINGS, CANNOT_CREATE, NO_ENVIRONMENT, NOT_FOUND, REFUSED, USAGE, shell_quote

from .invocation import FLAGS, OPTIONS, TOPICS, VALUED, VERBS
from .pip_options import GLOBAL_OPTIONS, SUBCOMMANDS
from .plan import Create, Handover, InEnvironment, Pip, Refuse, Repair, RunHint, StepDown, Temporary, Verb, Version
from .record import replace
from .requirement import name_in
from .world import (
    ABSENT,
    BIN,
    BROKEN,
    EXE,
    FOREIGN,
    MADE_ELSEWHERE,
    NOWHERE,
    OLDEST,
    UNFINISHED,
    UNTRUSTED,
    USABLE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.system.observe import Context

    from .pip_line import PipCommand
    from .plan import Plan
    from .world import Environment

    Changes = tuple[tuple[str, str | None], ...]

_CHANGING = ("install", "uninstall")
_ROUTED = (
    *_CHANGING, "list", "freeze", "show", "check", "inspect", "download", "wheel", "lock", "index", "debug",
)  # fmt: skip
_USER_SITE = ("install", "list", "freeze", "inspect")
_OF_PIPX = ("install", "uninstall", "show", "list")  # subcommands that pipx's applications matter to
_PLACES = ("target", "prefix", "root")
_ELSEWHERE = 'to keep yours elsewhere: SAFEPIP_ENV=DIR, or env-dir = "central" in your config.toml'


def decide(context: Context) -> Plan:
    """Return what to do about the line that was typed.

    In this order, first match wins:

     1. A word of safepip's own is carried out.
     2. SAFEPIP_BYPASS, --system, completion, build hooks and pip's own child: pip of the target interpreter.
     3. Called from within a pip that safepip started: that environment's pip, without its lock.
     4. --env, SAFEPIP_ENV, or --python naming an environment: that environment.
     5. An active environment: its pip, untouched. A VIRTUAL_ENV that names none: one warning, go on.
     6. --python or PIP_PYTHON naming an interpreter: it is the target interpreter; go on.
     7. The target interpreter is not managed, and the scope is "managed": its pip, untouched.
     8. The line names a directory to install to, opts out, or only reports what it would do where no
        environment exists yet: pip of the target, untouched.
     9. Nothing is installed or removed whatever pip does, or pip must reject the line: pip of the
        environment that would serve, if it is usable, else of the target; nothing is created.
    10. Root by sudo: becomes that user, and the line is decided again.
    11. An install of applications goes to pipx. With --app that comes right after 4.
    12. In a project: its environment; `install` creates it when missing.
    13. Elsewhere: the home environment; `install` creates it when missing.

    Where the environment of 4, 12 or 13 is missing, only `install` makes it. One that can only fail runs
    under safepip's own Python and pip instead; `install --dry-run` gets an environment that is removed
    afterwards; the rest runs on the target interpreter. A redirect to an environment of tox's or nox's
    serves commands that read until there is another.

    Refused are:
    - a wrong use of safepip's own options, also of one behind the subcommand that pip does not know (64);
    - an interpreter that cannot be found or started, where its pip would run (127);
    - `install` with settings that are forbidden or cannot be read (78);
    - outside a project, with the setting outside-project = "error" (73);
    - an environment that is not trusted, or that the project's own settings put outside it (77);
    - a broken environment (3); with the setting auto-repair one that safepip knows is rebuilt instead;
    - one whose Python has another version than the name typed asks for (3);
    - `install` without a place for an environment, or a Python to make it from (73), or a too old one (3).
    """
    invocation = context.invocation
    if invocation.show_version:
        return Version()
    if invocation.error:
        return Refuse(code=USAGE, what=invocation.error, ways=(), because=invocation.error)
    if invocation.verb:
        return Verb(word=invocation.verb, words=invocation.arguments)
    if invocation.system or context.untouched:
        return _pip_of_target(context, f"{context.untouched or '--system'} asks for pip itself")
    if context.inside:
        return _pip_of(context, context.inside, "a pip that safepip started there is at work")
    late = _late_option(context)
    if late:
        return Refuse(code=USAGE, what=late, ways=(), because=late)
    if context.named is None and context.invocation.route == "app":
        return _routed(context)
    plan = _named(context) or _active(context) or _left_to_pip(context) or _routed(context)
    answer = None if context.quiet else _answer_to_slip(context)
    if answer and isinstance(plan, Pip | InEnvironment):  # behind pip's own error
        plan = replace(plan, handover=replace(plan.handover, closing=(*plan.handover.closing, answer)))
    return plan


def _answer_to_slip(context: Context) -> str | None:
    """Return what to say of a word or option that neither pip nor safepip knows, or None."""
    command = context.command
    if context.invocation.shim:
        return None
    if command.subcommand == "help":
        behind = command.argv[command.argv.index("help") + 1 :]
        topics = [word for word in behind if not word.startswith("-")]
        return _list_of_topics(topics[0]) if topics else None
    if command.unknown_option and command.subcommand is None:
        return _nearest_option(command.unknown_option)
    if command.outcome == "unknown_command":
        return _nearest_verb(str(command.error).partition('"')[2].rstrip('"'))
    return None


def _list_of_topics(topic: str) -> str | None:
    if topic in {*SUBCOMMANDS, *VERBS, *TOPICS}:
        return None
    return f"safepip help knows pip's commands, {', '.join((*VERBS, *TOPICS))}"


def _nearest_option(typed: str) -> str | None:
    """Return which of safepip's options was meant, if none of pip's before the subcommand is nearer."""
    near = _nearest(typed.partition("=")[0], (*GLOBAL_OPTIONS, *OPTIONS), shortest=len("--x") + 1)
    return f"maybe you meant: {near}" if near in OPTIONS else None


def _nearest_verb(typed: str) -> str | None:
    near = _nearest(typed, (*SUBCOMMANDS, *VERBS), shortest=3)
    return f"maybe you meant: safepip {near}" if near in VERBS else None


def _nearest(typed: str, words: tuple[str, ...], *, shortest: int) -> str | None:
    """Return the first of the `words` that begins with what was `typed`, unless too short, else the nearest."""
    from difflib import get_close_matches

    begun = [word for word in words if word.startswith(typed)] if len(typed) >= shortest else []
    return next(iter(begun or get_close_matches(typed, words, n=1)), None)


def _late_option(context: Context) -> str | None:
    """Return how the line is meant that has an option of safepip's own behind the subcommand, or None.

    Only where pip has no such option, so that pip would reject the line; called as pip, all words are pip's.
    """
    name, argv = context.first_reading.unknown_option, context.first_reading.argv
    if context.invocation.shim or name not in {*FLAGS, *VALUED}:
        return None
    at = next(index for index, word in enumerate(argv) if word.partition("=")[0] == name)
    width = 2 if name in VALUED and argv[at] == name else 1
    words = (*argv[at : at + width], *argv[:at], *argv[at + width :])
    return f"{name} is safepip's and goes before the command: safepip {' '.join(map(shell_quote, words))}"


def _named(context: Context) -> Plan | None:
    """Row 4: return the plan for the environment that the line or SAFEPIP_ENV names, or None."""
    if context.named is None:
        return None
    what, environment = context.named
    return _into(context, environment, f"{what} names {environment.named}", may_create=what != "--python")


def _active(context: Context) -> Plan | None:
    """Row 5: return the plan for the active environment, or None."""
    active = context.active
    if active is None:
        return None
    because = f"the environment {active.path} is active"
    if active.state != USABLE:  # its Python runs all the same, as with pip
        return _pip_of_target(context, because)
    late = context.target.prefix is None
    owner = context.owner_behind_sudo(active.path)
    if owner and _changes_environment(context.command):
        return StepDown(uid=owner[0], gid=owner[1], because=f"{because}, and belongs to who called sudo")
    plan = _pip_of(context, active, because, enter=late, change=_changes_environment(context.command))
    told: Pip = replace(plan, notices=_warnings(context))
    return told


def _left_to_pip(context: Context) -> Plan | None:
    """Rows 6 to 8: return the plan if the target interpreter's pip gets the line, else None."""
    target, command = context.target, context.command
    if target.problem:
        return _pip_of_target(context, target.problem)
    if not context.managed and context.settings.scope == "managed":
        return _pip_of_target(context, f"{target.python} is not managed, so pip may install there")
    place = _place_named(command)
    if place:
        return _pip_of_target(context, _says_where(command, place))
    if command.dry_run and command.report and _lacks_environment(context):
        return _pip_of_target(context, "--dry-run with --report installs nothing")
    opted = _opted_out(context)
    if opted:
        return _pip_of_target(context, f"--break-system-packages ({opted}) opts out")
    return None


def _place_named(command: PipCommand) -> str | None:
    """Return the option that names a directory to install to, such as "target", or None."""
    return next((name for name in _PLACES if getattr(command, name) is not None), None)


def _says_where(command: PipCommand, place: str) -> str:
    return f"--{place} ({_origin(command, place)}) says where to install to"


def _lacks_environment(context: Context) -> bool:
    """Return True if no environment would serve yet; behind sudo that is for the user to look at."""
    return context.sudo_user is None and context.place.state in {ABSENT, UNFINISHED, NOWHERE}


def _opted_out(context: Context) -> str | None:
    """Return where --break-system-packages is given; for commands without that option, as for `install`."""
    command = context.command
    if command.break_system_packages:
        return _origin(command, "break_system_packages")
    return None if command.subcommand in _CHANGING else context.opts_out


def _routed(context: Context) -> Plan:
    """Rows 9 to 13: return the plan for a line that safepip sends somewhere else."""
    harmless = _installs_nothing(context.command)
    if harmless:
        because = f"{_why(context)}, but {harmless}"
        usable = context.reading.state == USABLE
        return _pip_of(context, context.reading, because) if usable else _pip_of_target(context, because)
    if context.sudo_user:
        uid, gid = context.sudo_user
        return StepDown(uid=uid, gid=gid, because="sudo was called by that user, who is to own what comes")
    environment = context.place if context.command.subcommand in _CHANGING else context.reading
    otherwise = _into(context, environment, f"{_why(context)}, and {_where(context)}", may_create=True)
    return _applications(context, otherwise) or otherwise


def _applications(context: Context, otherwise: Plan) -> Plan | None:
    """Row 11: return what pipx does, or None where `otherwise` stands."""
    asked = context.invocation.route == "app"
    near = context.project is None or context.settings.apps
    wanted = context.invocation.route is None and context.settings.app_routing != "never" and near
    if not asked and not (wanted and context.command.subcommand in _OF_PIPX):
        return None
    from . import app_routing  # with its long list of applications, so only when needed

    def pip_of(path: str, because: str) -> Plan:
        return _pip_of(context, context.examine(path, named=True), because)

    return app_routing.route(context, otherwise, pip_of)


def _installs_nothing(command: PipCommand) -> str | None:
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


def _into(context: Context, environment: Environment, because: str, *, may_create: bool) -> Plan:
    """Rows 4, 12 and 13: return what to do with the line in that environment, whatever its state."""
    refusal = _refusal(context, environment, because)
    if refusal:
        return refusal
    if environment.state == USABLE:
        return _in_usable(context, environment, because)
    if context.command.subcommand == "install" and may_create:
        return _in_missing(context, environment, because)
    plan = _pip_of_target(context, f"{because}, but {context.display(environment)} does not exist yet")
    if not isinstance(plan, Pip):
        return plan
    notices = (*_of_another(context, environment), *plan.notices)
    if context.command.subcommand != "uninstall":
        told: Pip = replace(plan, notices=notices)
        return told
    closing = f"{context.display(environment)} does not exist yet, so nothing is installed in it"
    sought: Pip = replace(plan, notices=notices, sought=context.command.requirements, otherwise=closing)
    return sought


def _of_another(context: Context, environment: Environment) -> tuple[str, ...]:
    """Return what to say where pip's answer is not about the environment that was named, for that is not there."""
    if context.named is None or context.command.subcommand == "freeze":
        return ()
    return (f"there is no environment at {environment.named}; this is about {context.bare.python}",)


def _in_usable(context: Context, environment: Environment, because: str) -> InEnvironment:
    command = context.command_in(environment.path)
    words, changes, notice = _words(context, command, context.display(environment), environment.python)
    place = _place_named(command)
    if place:
        because = f"{because}; {_says_where(command, place)}"
    told = _warnings(context) + _moved(context, environment) + _past_disposable(context, environment)
    handover = Handover(
        python=environment.python,
        words=words,
        program=_program(context, environment.python),
        environment=environment.path,
        enter=True,
        changes=changes,
        change=_changes_environment(command),
        run_hint=None if place else _run_hint(context, environment),
    )
    return InEnvironment(
        environment=environment,
        handover=handover,
        because=because,
        notices=told + notice,
        hint=context.manager_hint if context.command.subcommand == "install" and not context.named else None,
        elsewhere=place and getattr(command, place),
    )


def _past_disposable(context: Context, environment: Environment) -> tuple[str, ...]:
    """Return what to say where a change goes past the environment that the project's redirect names."""
    project = context.project
    if context.named or project is None or project.disposable is None:
        return ()
    if context.command.subcommand not in _CHANGING:
        return ()
    redirect = context.typed_path(project.disposable)
    shown = context.typed(environment)
    return (f"{redirect} leads to an environment that tox or nox may empty; using {shown} instead",)


def _in_missing(context: Context, environment: Environment, because: str) -> Plan:
    """Return what an `install` does where the environment is missing."""
    futile = _futile(context)
    if futile:
        return _pip_of_safepip(context, f"{because}, but {futile}")
    nowhere, interpreter = unfit(context, environment, because), context.base
    if nowhere is not None:
        return nowhere
    if interpreter is None:
        what = f"{context.target.python} stands on no Python that can be found"
        way = "name a place: SAFEPIP_ENV=DIR"
        return Refuse(code=CANNOT_CREATE, what=what, ways=(way,), because=because)
    if interpreter.version < OLDEST:
        what = f"no environment can be made from {interpreter.path}: Python {interpreter.minor} is too old"
        ways = ("name a newer one: safepip --python PYTHON …", "plain pip there: safepip --system …")
        return Refuse(code=NO_ENVIRONMENT, what=what, ways=ways, because=because)
    python = os.path.join(environment.path, BIN, "python" + EXE)
    planned = _in_usable(context, replace(environment, python=python), because)
    if context.command.dry_run:
        return Temporary(
            interpreter=interpreter, handover=planned.handover, because=because, notices=planned.notices
        )
    return Create(
        environment=environment,
        interpreter=interpreter,
        handover=planned.handover,
        because=because,
        called=context.display(environment),
        why=_why(context),
        purpose=_purpose(context),
        system_site_packages=context.settings.system_site_packages,
        redirect=_redirect(context, environment),
        notices=(*planned.notices, *_nested(context), *_instead(context, environment)),
        hint=planned.hint,
        project=project_of(context, environment),
    )


def _instead(context: Context, environment: Environment) -> tuple[str, ...]:
    """Return why the environment is made elsewhere than in the project, unless that has been said."""
    is_said = context.project is not None and context.project.disposable is not None
    if not environment.instead or is_said:
        return ()
    return (f"{environment.instead}; this project's environment is kept in {environment.path}",)


def _nested(context: Context) -> tuple[str, ...]:
    """Return what to say where `git init` made a project of its own inside one that has an environment."""
    project = context.project
    if project is None or context.named or context.around is None:
        return ()
    return (f"{project.root} is a project of its own now ({project.marker}): {context.around} does not serve it",)


def project_of(context: Context, environment: Environment) -> str:
    """Return the root of the project that an environment of this place, kept elsewhere, is for; else ""."""
    if context.project is None or context.named:
        return ""
    root: str = context.project.root
    return "" if environment.path.startswith(os.path.join(root, "")) else root


def _redirect(context: Context, environment: Environment) -> str | None:
    """Return the file that is to say where the project's environment is, if the settings ask for one."""
    if not context.settings.env_redirect or context.project is None or context.named:
        return None
    path = os.path.join(context.project.root, ".venv")
    return None if environment.path == path else path


def _futile(context: Context) -> str | None:
    """Return why pip can only fail on this `install`, so that nothing needs to be made for it, or None."""
    command = context.command
    harmless = _installs_nothing(command)
    if harmless:
        return harmless
    if context.ambient.cwd is None:
        return "the working directory is gone"
    named = (command.requirements, command.r_files, command.editables, command.groups, command.scripts)
    if not any(named) and not command.unknown_option:
        return "the line names nothing to install"
    if context.pip_is_misconfigured:
        return "pip's configuration is wrong"
    if command.isolated:  # no variable could keep safepip's own Python as it is, should pip succeed
        return None
    missing: str | None = context.missing_input
    return missing


def _refusal(context: Context, environment: Environment, because: str) -> Refuse | Repair | None:
    """Return why the environment may not serve this line, or what is to be done about that first, or None."""
    settings, invocation = context.settings, context.invocation
    if context.command.subcommand == "install" and settings.faults:
        return Refuse(code=BAD_SETTINGS, what=str(settings.faults[0]), ways=(), because=because)
    outside = context.named is None and context.project is None
    if outside and settings.outside_project == "error":
        what = "there is no project here, and the setting outside-project says to stop then"
        return Refuse(code=CANNOT_CREATE, what=what, ways=("make it one: mkdir .venv",), because=because)
    if environment.state != NOWHERE:  # that is in the way only of making it
        refusal = unfit(context, environment, because)
        if refusal:
            return _repair(context, environment, refusal) or refusal
    wanted = invocation.version or ""
    if environment.state == USABLE and "." in wanted and environment.version != wanted:
        shown = context.typed(environment)
        what = f"{invocation.name} asks for Python {wanted}, but {shown} has Python {environment.version}"
        ways = (
            f"use {shown}: pip install …",
            f"keep one beside it: SAFEPIP_ENV=.venv-{wanted} {invocation.name} install …",
        )
        return Refuse(code=NO_ENVIRONMENT, what=what, ways=ways, because=because)
    return None


def _repair(context: Context, environment: Environment, refusal: Refuse) -> Repair | None:
    """Return the repair that the settings ask for instead of the refusal, or None."""
    if not to_be_repaired(context, environment):
        return None
    python = os.path.join(environment.path, BIN, "python" + EXE)
    planned = _in_usable(context, replace(environment, python=python), refusal.because)
    return Repair(
        environment=environment,
        handover=planned.handover,
        refusal=refusal,
        called=context.typed(environment),
        because=refusal.because,
    )


def to_be_repaired(context: Context, environment: Environment) -> bool:
    """Return True if a broken environment is to be repaired unasked: never another system's, nor a stranger's."""
    can_be_repaired = environment.state == BROKEN and not (environment.other_system or environment.nothing)
    return can_be_repaired and context.settings.auto_repair and context.may_repair(environment)


def unfit(context: Context, environment: Environment, because: str) -> Refuse | None:
    """Return why an environment in that state may not be used, or None: it is whole, or yet to be made."""
    shown = context.typed(environment)
    what = f"{context.display(environment)} {environment.reason}"
    if environment.state == UNTRUSTED and environment.reason.startswith(MADE_ELSEWHERE):
        way = f"rebuild it here with the same packages: safepip env repair {shell_quote(shown)}"
        return Refuse(code=REFUSED, what=what, ways=(way,), because=because)
    if environment.state == UNTRUSTED:
        way = f"if you trust it: safepip env trust {shell_quote(shown)}"
        return Refuse(code=REFUSED, what=what, ways=(way,), because=because)
    if environment.state == FOREIGN:
        return Refuse(code=REFUSED, what=what, ways=(_ELSEWHERE,), because=because)
    if environment.state == BROKEN:
        meant = context.of_project(environment.path)
        if meant is not None:
            what = f"{shown} is a project, and no environment: that is {meant.path}"
            way = f"as if started there: safepip --project {shell_quote(shown)} …"
            return Refuse(code=NO_ENVIRONMENT, what=what, ways=(way,), because=because)
        return Refuse(code=NO_ENVIRONMENT, what=what, ways=_ways_on(context, environment), because=because)
    if environment.state == NOWHERE:
        way = "name a place: SAFEPIP_ENV=DIR"
        return Refuse(code=CANNOT_CREATE, what=environment.reason, ways=(way,), because=because)
    return None


def _ways_on(context: Context, environment: Environment) -> tuple[str, ...]:
    """Return what to type about a broken environment; an unknown one is rebuilt only if it is named."""
    shown = shell_quote(context.typed(environment))
    if environment.nothing:
        return (
            f"move it away, then install again: mv {shown} {shell_quote(f'{context.typed(environment)}.old')}",
        )
    if environment.closed:
        return (f"let yourself read it: chmod u+rwx {shown}",)
    is_known = context.named is None and context.may_repair(environment)
    repair = "rebuild it with the same packages: safepip env repair" + ("" if is_known else f" {shown}")
    return (_ELSEWHERE, repair) if environment.other_system else (repair,)


def _words(
    context: Context, command: PipCommand, shown: str, python: str
) -> tuple[tuple[str, ...], Changes, tuple[str, ...]]:
    """Return pip's words, changes of variables, and what to say of them, where `python` is to run the line.

    `--user` has no meaning in an environment, and would slip past the marker in one that sees the
    system's packages. A `--python` that chose the interpreter would lead pip back to it.
    """
    dropped: tuple[int, ...] = ()
    changes: Changes = ()
    if context.named is None or context.named[0] != "--python":
        dropped = command.python_words
        changes = (("PIP_PYTHON", python if context.configured_python else None),)
    if command.subcommand not in _USER_SITE or not command.user:
        return _without(command.argv, dropped), changes, ()
    words = _without(command.argv, dropped + command.user_words)
    if command.isolated and command.subcommand == "install":
        after = words.index("install") + 1
        words = (*words[:after], "--no-user", *words[after:])
    changes += (("PIP_USER", "0"), ("PIP_NO_USER", None))
    asked = _origin(command, "user")
    said = "--user" if asked == "the command line" else f"--user ({asked})"
    notice = f"{said} has no meaning in {shown}; left out"
    return words, changes, () if command.subcommand == "freeze" else (notice,)


def _pip_of(
    context: Context, environment: Environment, because: str, *, enter: bool = True, change: bool = False
) -> Pip:
    """Return the plan of handing the line, untouched, to the pip of an environment."""
    handover = Handover(
        python=environment.python,
        words=context.invocation.words,
        program=_program(context, environment.python),
        environment=environment.path,
        enter=enter,
        change=change,
    )
    return Pip(handover=handover, because=because)


def _pip_of_target(context: Context, because: str) -> Plan:
    """Return the plan of handing the line, untouched, to the pip that it was typed for.

    A line with `--python` goes to the pip that would have read it: that one starts the other itself.
    """
    target = context.bare
    if target.problem:
        return Refuse(code=NOT_FOUND, what=target.problem, ways=(), because=because)
    handover = Handover(
        python=target.python,
        words=context.invocation.words,
        program=_program(context, target.python),
        environment=target.prefix,
    )
    return Pip(handover=handover, because=because, notices=_warnings(context))


def _pip_of_safepip(context: Context, because: str) -> Pip:
    """Return the plan of letting a pip under safepip's own Python report what is wrong.

    That Python may be the managed one, whose pip would refuse before it looks, and should the line be right by
    then (a file appeared), nothing may be installed: so it is a dry run, which needs no permission.
    """
    python = context.ambient.executable
    words, changes, _ = _words(context, context.command, "", python)
    guarded = (
        ("PIP_DRY_RUN", "1"),
        ("PIP_BREAK_SYSTEM_PACKAGES", "1"),
        ("PIP_USER", "0"),
        ("PIP_REQUIRE_VIRTUALENV", "0"),
    )
    program = _program(context, python)
    handover = Handover(python=python, words=words, program=program, changes=(*changes, *guarded))
    return Pip(handover=handover, because=because, notices=_warnings(context))


def _program(context: Context, python: str) -> str:
    """Return what pip takes itself for: the name typed, beside its interpreter; "-m" for `python -m`."""
    return "-m" if context.invocation.module else os.path.join(os.path.dirname(python), context.invocation.name)


def _changes_environment(command: PipCommand) -> bool:
    """Return True if pip may change what is installed in the environment that it runs in."""
    if command.subcommand not in _CHANGING or command.dry_run or _place_named(command):
        return False
    return command.outcome in {"ok", "parse_error"}


def _run_hint(context: Context, environment: Environment) -> RunHint | None:
    """Return how to run what an install brings: for people at a terminal whose shell does not activate it."""
    environ = context.ambient.environ
    if context.command.subcommand != "install" or not context.ambient.terminal:
        return None
    if environ.get("SAFEPIP_HOOK", "0") != "0" or "SAFEPIP_ACTIVATED" in environ:
        return None
    if context.quiet or not context.settings.hints:
        return None
    activate = shell_quote(os.path.join(context.typed(environment), BIN, "activate"))
    named = map(name_in, context.command.requirements)
    return RunHint(how=f"safepip run {{}}      or: source {activate}", asked=tuple(filter(None, named)))


def _warnings(context: Context) -> tuple[str, ...]:
    """Return what the user should know of what was passed over: settings, and a stale VIRTUAL_ENV."""
    if context.command.subcommand == "freeze":
        return ()
    stale = None if context.active or context.named or not context.managed else context.stale_active
    ignored = (f"{stale[0]} names {stale[1]}, which is not an environment; going on without it",) if stale else ()
    return (*ignored, *map(str, context.settings.warnings))


def _moved(context: Context, environment: Environment) -> tuple[str, ...]:
    """Return what to say of an environment whose project was moved: its scripts still point where it was."""
    before = context.moved_from(environment)
    if before is None or context.command.subcommand == "freeze":
        return ()
    return (f"{context.typed(environment)} was moved here from {before}; repair its scripts: safepip env repair",)


def _why(context: Context) -> str:
    if context.managed:
        return f"{context.target.python} is managed by the system"
    if context.settings.scope == "always":
        return 'the setting scope is "always"'
    return "--app asks for it" if context.invocation.route == "app" else ""


def _where(context: Context) -> str:
    project = context.project
    if project is None:
        return "there is no project here"
    if project.marker:
        return f"{project.root} is a project ({project.marker})"
    return f"{project.root} becomes a project"


def _purpose(context: Context) -> str:
    if context.named:
        return f"as {context.named[0]} says"
    return "for this project (once)" if context.project else "for use outside projects (once)"


def _origin(command: PipCommand, dest: str) -> str:
    return dict(command.origins).get(dest, "the command line")


def _without(argv: tuple[str, ...], dropped: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(word for index, word in enumerate(argv) if index not in dropped)
