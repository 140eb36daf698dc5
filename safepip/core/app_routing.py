"""Decide which lines go to pipx, and translate them into pipx's words.

pipx knows one package at a time, few of pip's options and no requirements files. A line that it cannot be told
whole stays with pip, so that nothing the user typed is lost.
"""

from __future__ import annotations

from safepip.errors import USAGE

from .applications import APPLICATIONS, WITH_DEPENDENCIES
from .handover import pip_of
from .pip_line import dests
from .plan import Create, InEnvironment, Pip, Pipx, Refuse, StepDown, Temporary, Verb, Version
from .record import Record, replace
from .requirement import Requirement, normalised_name, parse
from .world import APPS, Need

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pip_line import PipCommand
    from .plan import Fallback, Handover, Plan
    from .world import Environment, WithPlace


_MOST_LISTED = 5  # applications named in one line


class Apps(Record):
    """What pipx has: the `folder` of its environments, and the names of the `installed` applications.

    `beside` are the names on the line that the environment here has as well, and `of_asked` is the environment of
    the one application that is asked for.
    """

    folder: str
    installed: tuple[str, ...] = ()
    beside: frozenset[str] = frozenset()
    of_asked: Environment | None = None


def route(world: WithPlace, otherwise: Plan) -> Plan | Need | None:
    """Return the plan for applications of a line, or None where `otherwise` stands: what happens without pipx."""
    asked = world.invocation.route == "app"
    match world.command.subcommand:
        case "install":
            return _install(world, otherwise, asked=asked)
        case "uninstall":
            return _uninstall(world, asked=asked)
        case "show":
            return _show(world)
        case "list" if not asked:
            return _list(world, otherwise)
        case "list":
            return Pipx(runs=(("list",),), because="--app asks for pipx's applications")
        case other:
            what = f"--app cannot be used with {other}"
            return Refuse(code=USAGE, what=what, ways=("pipx's own words: safepip app --help",), because=what)


def wanted(requirement: str) -> Requirement | None:
    """Return a requirement's parts where it is a name, perhaps with extras and versions, and no more."""
    found = parse(requirement)
    return None if found is None or found.marker else found


# -- one function for each of pip's subcommands


def _install(world: WithPlace, otherwise: Plan, *, asked: bool) -> Plan | Need | None:
    if world.settings.faults:  # for which `otherwise` refuses the install
        return None
    found = [wanted(requirement) for requirement in world.command.requirements]
    if not asked and not _all_applications(world, found):
        return None
    obstacle = _obstacle(world)
    if obstacle:
        return _refuse(obstacle) if asked else None
    if world.apps is None:
        return Need(stage=APPS)
    if not asked and world.apps.beside:
        return None
    return _with_pipx(world, world.apps, otherwise, found, asked=asked)


def _with_pipx(
    world: WithPlace, apps: Apps, otherwise: Plan, found: list[Requirement | None], *, asked: bool
) -> Pipx:
    """Return pipx's runs for an install that pipx can be told whole."""
    command, python = world.command, world.base
    assert python is not None  # _obstacle names its absence
    specs = command.requirements or command.editables
    names, runs = [], []
    for spec, one in zip(specs, found or (None,), strict=True):
        is_installed = one is not None and one.name in apps.installed
        names.append(spec if one is None else one.name)
        runs.append(_run(command, spec, one, python.path, is_installed=is_installed))
    because, says = "--app asks for pipx", ""
    if not asked:
        because = f"{_listed(names)} {_kind(names)}{_reason(world)}"
        says = _announcement(names, runs, world)
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


def _all_applications(world: WithPlace, found: list[Requirement | None]) -> bool:
    """Return True if the line names known applications, and nothing else."""
    command = world.command
    if not found or None in found:
        return False
    if command.editables or _names_more(command):
        return False
    if command.dry_run or world.configured_python:
        return False
    return _known_applications(world).issuperset(one.name for one in filter(None, found))


def _known_applications(world: WithPlace) -> set[str]:
    """Return the names that go to pipx unasked here: in a project only those of the setting `apps`."""
    settings = world.settings
    known = set(map(normalised_name, settings.apps))
    if world.project is None and settings.app_routing == "auto":
        known |= APPLICATIONS
    return known.difference(map(normalised_name, settings.libs))


def _fallback(command: PipCommand, otherwise: Plan) -> Fallback | None:
    """Return the plan for packages without programs, which pipx refuses."""
    if command.editables or isinstance(otherwise, Pipx | StepDown | Verb | Version):
        return None
    return otherwise


def _uninstall(world: WithPlace, *, asked: bool) -> Plan | Need | None:
    """Return pipx's removal if pipx has every named package, and the environment has none."""
    command = world.command
    names = _plain_names(command.requirements)
    names_more = not names or command.r_files != ()
    if names_more and asked:
        return _refuse("it removes what is named, and no more")
    if names_more:
        return None
    where = f"{_listed(names)} {_is(names)} with pipx"
    says = ""
    if not asked:
        if not _may_be_pipxs(world, names):
            return None
        if world.apps is None:
            return Need(stage=APPS)
        if not _only_pipx_has(world.apps, names):
            return None
        says = f"{where}: removing {_it(names)}"
    return Pipx(
        runs=tuple(("uninstall", *_verbosity(command), "--", name) for name in names),
        names=tuple(names),
        interpreter=world.base,
        because=where,
        says=says,
    )


def _show(world: WithPlace) -> Plan | Need | None:
    """Return the pip of pipx's environment if one application is asked for."""
    names = _plain_names(world.command.requirements)
    if len(names) != 1 or not _may_be_pipxs(world, names):
        return None
    apps = world.apps
    if apps is None:
        return Need(stage=APPS)
    if apps.of_asked is None or not _only_pipx_has(apps, names):
        return None
    return pip_of(world, apps.of_asked, f"{names[0]} is with pipx")


def _list(world: WithPlace, otherwise: Plan) -> Plan | Need | None:
    if not isinstance(otherwise, Pip | InEnvironment):
        return None
    if world.apps is None:
        return Need(stage=APPS)
    present = world.apps.installed
    if not present:
        return None
    listed = ", ".join(present[:_MOST_LISTED])
    if len(present) > _MOST_LISTED:
        listed += f" and {len(present) - _MOST_LISTED} more"
    plan: Plan = replace(otherwise, notices=(*otherwise.notices, f"with pipx: {listed} (safepip app list)"))
    return plan


def _plain_names(requirements: tuple[str, ...]) -> list[str]:
    """Return the names of the requirements, or none if one of them is more than a name with a version."""
    names = []
    for requirement in requirements:
        one = wanted(requirement)
        if one is None:
            return []
        names.append(one.name)
    return names


def _may_be_pipxs(world: WithPlace, names: list[str]) -> bool:
    """Return True unless these are a project's own: there only the names in the setting `apps` count."""
    if world.project is None:
        return True
    return set(map(normalised_name, world.settings.apps)).issuperset(names)


def _only_pipx_has(apps: Apps, names: list[str]) -> bool:
    """Return True if pipx has all of these, and the environment here has none."""
    return set(apps.installed).issuperset(names) and not apps.beside


def _refuse(reason: str) -> Refuse:
    what = f"pipx cannot do that: {reason}"
    return Refuse(code=USAGE, what=what, ways=("into an environment: leave out --app",), because=what)


# -- pip's words translated into pipx's


def _obstacle(world: WithPlace) -> str | None:
    """Return why pipx cannot carry out this install, or None."""
    command = world.command
    if command.require_hashes:
        return "pip may only take what a hash is given for, and a line of pipx has none"
    if world.configured_python:
        return "pip's configuration names an interpreter, to which its pip would go"
    obstacle = _obstacle_in_line(command)
    if obstacle is not None:
        return obstacle
    if world.base is None:
        return "there is no interpreter to make its environment from"
    return None


def _obstacle_in_line(command: PipCommand) -> str | None:
    specs = (*command.requirements, *command.editables)
    if command.editables and len(specs) > 1:
        return "it takes one editable project at a time"
    if not specs:
        return "the line names no package"
    for spec in specs:
        if spec.lstrip().startswith("-"):
            return "the name of a package cannot begin with a dash"
    option = _option_without_counterpart(command)
    if option is not None:
        return f"it has no counterpart of {option}"
    if _names_more(command) or command.dry_run:
        return "pip's settings ask for more than the line names"
    return None


def _option_without_counterpart(command: PipCommand) -> str | None:
    known = dests("pipx") | dests("own")
    if command.editables:
        known |= {"editables"}
    for name, dest, _ in command.options:
        if dest not in known:
            return name
    return None


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
    reinstalls = any(dest in {"force_reinstall", "ignore_installed"} for _, dest, _ in command.options)
    upgrades = command.upgrade and (is_installed or one is None)
    name = _bare_name(one)
    if upgrades and name and not reinstalls:
        return ("upgrade", *_handed_on(command), "--", name)
    force = reinstalls or upgrades
    keeps_its_python = is_installed and force
    chosen = () if keeps_its_python else ("--python", python)
    return _install_run(command, spec, one, chosen, force=force)


def _bare_name(one: Requirement | None) -> str:
    if one is not None and one == Requirement(name=one.name):
        return one.name
    return ""


def _install_run(
    command: PipCommand, spec: str, one: Requirement | None, chosen: tuple[str, ...], *, force: bool
) -> tuple[str, ...]:
    words = ["install"]
    if force:
        words.append("--force")
    words += _handed_on(command)
    if one is not None and one.name in WITH_DEPENDENCIES:
        words.append("--include-deps")
    words += chosen
    if command.editables:
        words.append("--editable")
    return (*words, "--", spec)


def _handed_on(command: PipCommand) -> tuple[str, ...]:
    """Return pipx's words for the options of pip's that it knows, and those for its pip in one word."""
    words = list(_verbosity(command))
    index = ""
    for _, dest, value in command.options:
        if dest == "index_url" and value:
            index = value
    if index:
        words.append(f"--index-url={index}")
    handed_on = dests("pipx")
    for_pip = [_escaped(_as_word(entry)) for entry in command.options if entry[1] in handed_on]
    if for_pip:
        words.append(f"--pip-args={' '.join(for_pip)}")
    return tuple(words)


def _verbosity(command: PipCommand) -> tuple[str, ...]:
    words = ("--quiet",) * command.quiet
    if command.verbose:
        return (*words, "--verbose")
    return words


def _as_word(entry: tuple[str, str, str | None]) -> str:
    name, _, value = entry
    if value is None:
        return name
    return f"{name}={value}"


def _escaped(word: str) -> str:
    """Return the word for pipx's shlex."""
    # A backslash is read alike in every version. Some strip quotes off the ends of the whole, and importing shlex
    # to quote would load `re`.
    escaped = ""
    for char in word:
        if not char.isalnum() and char not in "-_./:=,@%+~":
            escaped += "\\"
        escaped += char
    return escaped


def _notice_of_user(command: PipCommand) -> tuple[str, ...]:
    if command.user and command.user_words:
        return ("--user has no meaning for an application; left out",)
    return ()


def narrowed(plan: Plan, command: PipCommand, specs: tuple[str, ...]) -> Plan:
    """Return the environment's plan for some of the requirements of the line; for all, the line stands."""
    if specs == command.requirements:
        return plan
    if not isinstance(plan, Pip | InEnvironment | Create | Temporary):
        return plan
    options = [entry for entry in command.options if entry[1] not in {"python", "use_user_site"}]
    handover: Handover = replace(plan.handover, words=("install", *map(_as_word, options), "--", *specs))
    narrower: Plan = replace(plan, handover=handover)
    return narrower


# -- wording


def _announcement(names: list[str], runs: list[tuple[str, ...]], world: WithPlace) -> str:
    if all(words[0] == "upgrade" for words in runs):
        return f"{_listed(names)} {_is(names)} with pipx: upgrading {_it(names)}"
    where = "the home environment" if world.project is None else world.typed(world.place)
    instead = f"into {where} instead: safepip --lib install {' '.join(names)}"
    return f"{_listed(names)} {_kind(names)}: installing {_it(names)} with pipx ({instead})"


def _reason(world: WithPlace) -> str:
    return ", and there is no project here" if world.project is None else " by the setting apps"


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
