"""Decide which lines go to pipx, and translate them into pipx's words.

pipx knows one package at a time, few of pip's options and no requirements files. A line that it cannot be told
whole stays with pip, so that nothing the user typed is lost.
"""

from __future__ import annotations

import os.path

from safepip.errors import USAGE
from safepip.system.pipx import environments_of, has_distribution, installed_applications

from .applications import APPLICATIONS, WITH_DEPENDENCIES
from .pip_line import dests
from .plan import Create, InEnvironment, Pip, Pipx, Refuse, StepDown, Temporary, Verb, Version
from .record import replace
from .requirement import Requirement, normalised_name, parse
from .world import USABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from safepip.system.observe import Context

    from .pip_line import PipCommand
    from .plan import Fallback, Handover, Plan
    from .world import Interpreter

    Words = tuple[str, ...]


_MOST_LISTED = 5  # applications named in one line


def route(context: Context, otherwise: Plan, pip_of: Callable[[str, str], Plan]) -> Plan | None:
    """Return the plan for applications of a line, or None where `otherwise` stands.

    `otherwise` is what happens to the line without pipx, `pip_of(path, because)` hands it to the pip of one
    of pipx's environments.
    """
    asked = context.invocation.route == "app"
    match context.command.subcommand:
        case "install":
            return _install(context, otherwise, asked=asked)
        case "uninstall":
            return _uninstall(context, asked=asked)
        case "show":
            return _show(context, pip_of)
        case "list" if not asked:
            return _list(context, otherwise)
        case "list":
            return Pipx(runs=(("list",),), because="--app asks for pipx's applications")
        case other:
            what = f"--app has no meaning with {other}"
            return Refuse(code=USAGE, what=what, ways=("pipx's own words: safepip app --help",), because=what)


def wanted(requirement: str) -> Requirement | None:
    """Return a requirement's parts where it is a name, perhaps with extras and versions, and no more."""
    found = parse(requirement)
    return None if found is None or found.marker else found


# -- one function for each of pip's subcommands


def _install(context: Context, otherwise: Plan, *, asked: bool) -> Plan | None:
    command = context.command
    found = [wanted(requirement) for requirement in command.requirements]
    if not asked and not _all_applications(context, found):
        return None
    obstacle = _obstacle(context)
    if obstacle:
        return _refuse(obstacle) if asked else None
    python = _interpreter(context)
    assert python is not None  # _obstacle names its absence
    specs = command.requirements or command.editables
    if any(spec.lstrip().startswith("-") for spec in specs):
        return _refuse("a package's name does not begin with a dash")
    names, runs = [], []
    present = installed_applications(environments_of(context))
    for spec, one in zip(specs, found or (None,), strict=True):
        is_installed = one is not None and one.name in present
        names.append(one.name if one else spec)
        runs.append(_run(command, spec, one, python.path, is_installed=is_installed))
    because, says = "--app asks for pipx", ""
    if not asked:
        because = f"{_listed(names)} {_kind(names)}{_reason(context)}"
        says = _announcement(names, runs, context)
    sources = dests("source") | {"isolated_mode"}  # pipx itself is downloaded from there, too
    return Pipx(
        runs=tuple(runs),
        specs=specs,
        names=tuple(names),
        interpreter=python,
        index=tuple(_as_word(entry) for entry in command.options if entry[1] in sources),
        because=because,
        says=says,
        notices=_notice_of_user(command),
        fallback=_fallback(command, otherwise),
    )


def _all_applications(context: Context, found: list[Requirement | None]) -> bool:
    """Return True if the line only names known applications, and the environment has none of them."""
    command = context.command
    if not found or command.editables or _names_more(command):
        return False
    if command.dry_run or context.configured_python:
        return False
    known = _known_applications(context)
    names = [one.name if one is not None else "" for one in found]
    return known.issuperset(names) and not _is_any_here(context, names)


def _is_any_here(context: Context, names: Iterable[str]) -> bool:
    """Return True if the environment of this place has one of these distributions."""
    place = context.place
    return place.state == USABLE and any(has_distribution(place.site, name) for name in names)


def _known_applications(context: Context) -> set[str]:
    """Return the names that go to pipx unasked here: in a project only those of the setting `apps`."""
    settings = context.settings
    known = {normalised_name(name) for name in settings.apps}
    if context.project is None and settings.app_routing == "auto":
        known |= APPLICATIONS
    return known - {normalised_name(name) for name in settings.libs}


def _fallback(command: PipCommand, otherwise: Plan) -> Fallback | None:
    """Return the plan for packages without programs, which pipx refuses."""
    if command.editables or isinstance(otherwise, Pipx | StepDown | Verb | Version):
        return None
    return otherwise


def _uninstall(context: Context, *, asked: bool) -> Plan | None:
    """Return pipx's removal if pipx has every named package, and the environment has none."""
    command = context.command
    found = [wanted(requirement) for requirement in command.requirements]
    names = [one.name for one in found if one]
    names_all = len(names) == len(found) > 0 and not command.r_files
    if asked and not names_all:
        return _refuse("it removes what is named, and no more")
    if not asked and not (names_all and _only_pipx_has(context, names)):
        return None
    where = f"{_listed(names)} {_is(names)} with pipx"
    return Pipx(
        runs=tuple(("uninstall", *_verbosity(command), "--", name) for name in names),
        names=tuple(names),
        interpreter=_interpreter(context),
        because=where,
        says="" if asked else f"{where}: removing {_it(names)}",
    )


def _show(context: Context, pip_of: Callable[[str, str], Plan]) -> Plan | None:
    """Return the pip of pipx's environment if one application is asked for."""
    requirements = context.command.requirements
    one = wanted(requirements[0]) if len(requirements) == 1 else None
    if one is None or not _only_pipx_has(context, [one.name]):
        return None
    return pip_of(os.path.join(environments_of(context), one.name), f"{one.name} is with pipx")


def _list(context: Context, otherwise: Plan) -> Plan | None:
    present = installed_applications(environments_of(context))
    if not present or not isinstance(otherwise, Pip | InEnvironment):
        return None
    listed = ", ".join(present[:_MOST_LISTED])
    if len(present) > _MOST_LISTED:
        listed += f" and {len(present) - _MOST_LISTED} more"
    plan: Plan = replace(otherwise, notices=(*otherwise.notices, f"with pipx: {listed} (safepip app list)"))
    return plan


def _only_pipx_has(context: Context, names: list[str]) -> bool:
    """Return True if pipx has all of these, and the environment here has none.

    In a project only the names in the setting `apps` count.
    """
    wanted_names = set(names)
    if context.project is not None:
        configured = {normalised_name(name) for name in context.settings.apps}
        if not wanted_names <= configured:
            return False
    if not wanted_names <= set(installed_applications(environments_of(context))):
        return False
    return not _is_any_here(context, names)


def _refuse(reason: str) -> Refuse:
    what = f"pipx cannot do that: {reason}"
    return Refuse(code=USAGE, what=what, ways=("into an environment: leave out --app",), because=what)


# -- pip's words translated into pipx's


def _obstacle(context: Context) -> str | None:
    """Return why pipx cannot carry out this install, or None."""
    command = context.command
    if context.configured_python:
        return "pip's configuration names an interpreter, to which its pip would go"
    specs = len(command.requirements) + len(command.editables)
    if command.editables and specs > 1:
        return "it takes one editable project at a time"
    if not specs:
        return "the line names no package"
    unknown = _option_without_counterpart(command)
    if unknown is not None:
        return f"it has no counterpart of {unknown}"
    if _names_more(command) or command.dry_run:
        return "pip's settings ask for more than the line names"
    if _interpreter(context) is None or context.settings.faults:
        return "there is no interpreter to make its environment from"
    return None


def _option_without_counterpart(command: PipCommand) -> str | None:
    known = dests("pipx") | dests("own")
    if not command.requirements:
        known |= {"editables"}
    return next((name for name, dest, _ in command.options if dest not in known), None)


def _names_more(command: PipCommand) -> bool:
    """Return True if files or groups name requirements that are not on the line."""
    return bool(command.r_files or command.groups or command.scripts)


def _run(
    command: PipCommand, spec: str, one: Requirement | None, python: str, *, is_installed: bool
) -> tuple[str, ...]:
    """Return pipx's words for one requirement.

    `upgrade` goes beyond the version that was once asked for, as `pip install -U` does. `--force` changes
    what is there in place; pipx's `install --upgrade` would too, but came only with 1.16.
    """
    handed_on = _handed_on(command)
    reinstall = any(dest in {"force_reinstall", "ignore_installed"} for _, dest, _ in command.options)
    is_plain_name = one is not None and not one.specifier and not one.extras
    if one and is_plain_name and is_installed and command.upgrade and not reinstall:
        return ("upgrade", *handed_on, "--", one.name)
    may_be_installed = is_installed or one is None
    force = reinstall or (command.upgrade and may_be_installed)
    words = ["install"]
    if force:
        words.append("--force")
    words += handed_on
    if one and one.name in WITH_DEPENDENCIES:
        words.append("--include-deps")
    keeps_its_python = is_installed and force
    if not keeps_its_python:
        words += ["--python", python]
    if command.editables:
        words.append("--editable")
    return (*words, "--", spec)


def _handed_on(command: PipCommand) -> tuple[str, ...]:
    """Return pipx's words for the options of pip's that it knows, and those for its pip in one word."""
    words = list(_verbosity(command))
    indexes = [value for _, dest, value in command.options if dest == "index_url" and value]
    if indexes:
        words.append(f"--index-url={indexes[-1]}")
    handed_on = dests("pipx")
    for_pip = [_escaped(_as_word(entry)) for entry in command.options if entry[1] in handed_on]
    if for_pip:
        words.append(f"--pip-args={' '.join(for_pip)}")
    return tuple(words)


def _verbosity(command: PipCommand) -> tuple[str, ...]:
    words = ("--quiet",) * command.quiet
    return (*words, "--verbose") if command.verbose else words


def _as_word(entry: tuple[str, str, str | None]) -> str:
    name, _, value = entry
    return name if value is None else f"{name}={value}"


def _escaped(word: str) -> str:
    """Return the word for pipx's shlex, which reads a backslash alike in every version.

    Some versions strip quotes off the ends of the whole, and shlex itself would load `re`.
    """
    return "".join(char if char.isalnum() or char in "-_./:=,@%+~" else "\\" + char for char in word)


def _notice_of_user(command: PipCommand) -> tuple[str, ...]:
    if command.user and command.user_words:
        return ("--user has no meaning for an application; left out",)
    return ()


def narrowed(plan: Plan, command: PipCommand, specs: tuple[str, ...]) -> Plan:
    """Return the environment's plan for some of the requirements of the line; for all, the line stands."""
    if specs == command.requirements or not isinstance(plan, Pip | InEnvironment | Create | Temporary):
        return plan
    options = [entry for entry in command.options if entry[1] not in {"python", "use_user_site"}]
    handover: Handover = replace(plan.handover, words=("install", *map(_as_word, options), "--", *specs))
    narrower: Plan = replace(plan, handover=handover)
    return narrower


# -- wording


def _announcement(names: list[str], runs: list[tuple[str, ...]], context: Context) -> str:
    if all(words[0] == "upgrade" for words in runs):
        return f"{_listed(names)} {_is(names)} with pipx: upgrading {_it(names)}"
    where = "the home environment" if context.project is None else context.typed(context.place)
    instead = f"into {where} instead: safepip --lib install {' '.join(names)}"
    return f"{_listed(names)} {_kind(names)}: installing {_it(names)} with pipx ({instead})"


def _reason(context: Context) -> str:
    return ", and there is no project here" if context.project is None else " by the setting apps"


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _kind(names: list[str]) -> str:
    return "is an application" if len(names) == 1 else "are applications"


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _interpreter(context: Context) -> Interpreter | None:
    """Return the interpreter that the line would have served, or the one that its environment is made of."""
    if context.target.interpreter is not None:
        return context.target.interpreter
    return context.active.base if context.active else None
