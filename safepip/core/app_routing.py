"""Decide which lines go to pipx, and translate them into pipx's words.

pipx knows one package at a time, few of pip's options and no requirements files. A line that it cannot carry out
whole stays with pip, so that nothing the user typed is lost.
"""

from __future__ import annotations

from safepip.errors import USAGE

from .applications import APPLICATIONS, WITH_DEPENDENCIES
from .handover import pip_of
from .pip_line import dests
from .plan import Create, InEnvironment, Pip, Pipx, Refuse, Temporary
from .record import replace
from .requirement import Requirement, normalised_name, parse
from .world import APPS, Need

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from .pip_line import PipCommand
    from .plan import Fallback, Plan
    from .world import Apps, WithPlace


_MOST_LISTED = 5  # applications named in one line


def route(world: WithPlace, otherwise: Fallback) -> Plan | Need | None:
    """Return the plan for a line that is about applications, or None.

    `otherwise` is what happens without pipx.
    """
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
    """Return a requirement's parts if it is a name, perhaps with versions."""
    found = parse(requirement)
    if found is None or found.marker:
        return None
    return found


# -- one function for each of pip's subcommands


def _install(world: WithPlace, otherwise: Fallback, *, asked: bool) -> Plan | Need | None:
    if world.settings.faults:  # for which `otherwise` refuses the install
        return None
    obstacle = _obstacle(world)
    if not asked:
        if obstacle is not None:
            return None
        if not _are_applications(world):
            return None
    elif obstacle is not None:
        return _refuse(obstacle)
    if world.apps is None:
        return Need(stage=APPS)
    if not asked and world.apps.beside:
        return None
    return _with_pipx(world, world.apps, otherwise, asked=asked)


def _with_pipx(world: WithPlace, apps: Apps, otherwise: Fallback, *, asked: bool) -> Pipx:
    command, python = world.command, world.base
    assert python is not None  # _obstacle names its absence
    names, runs = _names_and_runs(command, python.path, apps)
    because, says = "--app asks for pipx", ""
    if not asked:
        why = ", and there is no project here"
        if world.project:
            why = " by the setting apps"
        because = f"{_said_of(names, 'is an application', 'are applications')}{why}"
        says = _announcement(names, runs, world)
    notices: tuple[str, ...] = ()
    if command.user and command.user_words:
        notices = ("--user has no meaning for an application; left out",)
    sources = dests("source") | {"isolated_mode"}  # pipx itself is downloaded from there, too
    return Pipx(
        runs=tuple(runs),
        specs=(*command.requirements, *command.editables),
        names=tuple(names),
        interpreter=python,
        index=tuple(_words_of(command, sources)),
        because=because,
        says=says,
        notices=notices,
        fallback=None if command.editables else otherwise,
    )


def _are_applications(world: WithPlace) -> bool:
    """Return True if the line names only applications for pipx."""
    settings, names = world.settings, _plain_names(world.command)
    if not names:
        return False
    known = set(map(normalised_name, settings.apps))
    if world.project is None and settings.app_routing == "auto":
        known |= APPLICATIONS
    known.difference_update(map(normalised_name, settings.libs))
    return known.issuperset(names)


def _uninstall(world: WithPlace, *, asked: bool) -> Plan | Need | None:
    """Return pipx's removal if only pipx has the packages."""
    command = world.command
    names = _plain_names(command)
    if not names:
        return _refuse("it removes what is named, and no more") if asked else None
    because, says = _said_of(names, "is with pipx", "are with pipx"), ""
    if not asked:
        if not _may_be_pipxs(world, names):
            return None
        if world.apps is None:
            return Need(stage=APPS)
        if world.apps.beside:
            return None
        if not set(world.apps.installed).issuperset(names):
            return None
        says = f"{because}: removing {_it(names)}"
    return Pipx(
        runs=tuple(("uninstall", *_verbosity(command), "--", name) for name in names),
        names=tuple(names),
        interpreter=world.base,
        because=because,
        says=says,
    )


def _show(world: WithPlace) -> Plan | Need | None:
    """Return the pip of pipx's environment if one application is asked for."""
    names = _plain_names(world.command)
    if len(names) != 1:
        return None
    if not _may_be_pipxs(world, names):
        return None
    apps = world.apps
    if apps is None:
        return Need(stage=APPS)
    if apps.of_asked is None or apps.beside:
        return None
    return pip_of(world, apps.of_asked, f"{names[0]} is with pipx")


def _list(world: WithPlace, otherwise: Fallback) -> Plan | Need | None:
    if not isinstance(otherwise, Pip | InEnvironment):
        return None
    if world.apps is None:
        return Need(stage=APPS)
    installed = world.apps.installed
    if not installed:
        return None
    listed = ", ".join(installed[:_MOST_LISTED])
    if len(installed) > _MOST_LISTED:
        listed += f" and {len(installed) - _MOST_LISTED} more"
    return replace(otherwise, notices=(*otherwise.notices, f"with pipx: {listed} (safepip app list)"))


def _plain_names(command: PipCommand) -> list[str]:
    """Return the requirements' names, or [] if one is more than that."""
    names: list[str] = []
    if command.r_files:  # of an uninstall
        return names
    for requirement in command.requirements:
        one = wanted(requirement)
        if one is None:
            return []
        names.append(one.name)
    return names


def _may_be_pipxs(world: WithPlace, names: list[str]) -> bool:
    if world.project is None:
        return True
    # A project's packages are its own, but for the names in the setting `apps`.
    return set(map(normalised_name, world.settings.apps)).issuperset(names)


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
    if any((command.dry_run, command.r_files, command.groups, command.scripts)):
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


def _names_and_runs(command: PipCommand, python: str, apps: Apps) -> tuple[list[str], list[tuple[str, ...]]]:
    names, runs = [], []
    if command.editables:  # one, as _obstacle sees to
        names.append(command.editables[0])
        runs.append(_run(command, command.editables[0], None, python, apps))
    for spec in command.requirements:
        one = wanted(spec)
        names.append(spec if one is None else one.name)
        runs.append(_run(command, spec, one, python, apps))
    return names, runs


def _run(command: PipCommand, spec: str, one: Requirement | None, python: str, apps: Apps) -> tuple[str, ...]:
    """Return pipx's words for one requirement, with its parts."""
    name = "" if one is None else one.name
    is_installed = name in apps.installed
    force = any(dest in {"force_reinstall", "ignore_installed"} for _, dest, _ in command.options)
    if command.upgrade and (is_installed or not name):
        # `upgrade` goes beyond the version that was once asked for, as `pip install -U` does.
        if one == Requirement(name=name) and not force:
            return ("upgrade", *_handed_on(command), "--", name)
        force = True
    chosen: tuple[str, ...] = ("--python", python)
    if force and is_installed:
        chosen = ()  # pipx keeps the Python that it was made with
    return _install_run(command, spec, name, chosen, force=force)


def _install_run(
    command: PipCommand, spec: str, name: str, chosen: tuple[str, ...], *, force: bool
) -> tuple[str, ...]:
    words = ["install"]
    if force:  # `install --upgrade` would change what is there in place as well, but came only with 1.16
        words.append("--force")
    words += _handed_on(command)
    if name in WITH_DEPENDENCIES:
        words.append("--include-deps")
    words += chosen
    if command.editables:
        words.append("--editable")
    return (*words, "--", spec)


def _handed_on(command: PipCommand) -> tuple[str, ...]:
    """Return pipx's words for the options of the line."""
    words = list(_verbosity(command))
    index = ""
    for _, dest, value in command.options:
        if dest == "index_url" and value:
            index = value
    if index:
        words.append(f"--index-url={index}")
    for_pip = " ".join(map(_escaped, _words_of(command, dests("pipx"))))
    if for_pip:
        words.append(f"--pip-args={for_pip}")
    return tuple(words)


def _verbosity(command: PipCommand) -> tuple[str, ...]:
    words = ("--quiet",) * command.quiet
    if command.verbose:
        return (*words, "--verbose")
    return words


def _words_of(command: PipCommand, wanted: AbstractSet[str]) -> list[str]:
    """Return the line's options with these dests."""
    words = []
    for name, dest, value in command.options:
        if dest in wanted:
            words.append(name if value is None else f"{name}={value}")
    return words


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


def narrowed(plan: Plan, command: PipCommand, specs: tuple[str, ...]) -> Plan:
    """Return the environment's plan for some of the requirements of the line."""
    if specs == command.requirements:  # the line stands as it is
        return plan
    if not isinstance(plan, Pip | InEnvironment | Create | Temporary):
        return plan
    kept = {dest for _, dest, _ in command.options} - {"python", "use_user_site"}
    words = ("install", *_words_of(command, kept), "--", *specs)
    return replace(plan, handover=replace(plan.handover, words=words))


# -- wording


def _announcement(names: list[str], runs: list[tuple[str, ...]], world: WithPlace) -> str:
    if all(words[0] == "upgrade" for words in runs):
        return f"{_said_of(names, 'is with pipx', 'are with pipx')}: upgrading {_it(names)}"
    where = "the home environment"
    if world.project is not None:
        where = world.typed(world.place)
    what = _said_of(names, "is an application", "are applications")
    instead = f"into {where} instead: safepip --lib install {' '.join(names)}"
    return f"{what}: installing {_it(names)} with pipx ({instead})"


def _said_of(names: list[str], of_one: str, of_several: str) -> str:
    if len(names) == 1:
        return f"{names[0]} {of_one}"
    return f"{', '.join(names[:-1])} and {names[-1]} {of_several}"


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
