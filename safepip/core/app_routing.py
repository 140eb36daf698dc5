"""PURE  what of a line is for pipx, and what pipx is told instead; the few look-ups that it takes come last.

pipx knows one program's package at a time, few of pip's options and no requirements files. What it cannot be
told stays with pip, so that nothing the user typed is lost.
"""

from __future__ import annotations

import os

from safepip.errors import USAGE
from safepip.system.directories import at_home
from safepip.system.environment import USABLE

from .applications import APPLICATIONS, WITH_DEPENDENCIES
from .pip_line import normalised_name
from .plan import Create, InEnvironment, Pip, Pipx, Refuse, StepDown, Throwaway, Verb, Version
from .record import Record, changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from safepip.system.interpreter import Interpreter
    from safepip.system.observe import Context

    from .pip_line import PipCommand
    from .plan import Handover, Plan

METADATA = "pipx_metadata.json"
_NO_PLACE = (Pipx, StepDown, Verb, Version)  # plans that no package can fall back to

# pip's dests that mean nothing to pipx, or that pipx has words of its own for.
_OWN = (
    "quiet", "verbose", "python", "use_user_site", "index_url", "upgrade", "force_reinstall", "ignore_installed",
)  # fmt: skip
# pip's dests that pipx hands on to its pip; what is in neither has no counterpart.
_HANDED_ON = (
    "debug_mode", "isolated_mode", "require_venv", "log", "no_input", "keyring_provider", "proxy", "no_proxy_env",
    "retries", "timeout", "exists_action", "trusted_hosts", "cert", "client_cert", "cache_dir",
    "disable_pip_version_check", "no_color", "no_python_version_warning", "features_enabled",
    "deprecated_features_enabled", "resume_retries", "constraints", "build_constraints", "ignore_dependencies",
    "src_dir", "upgrade_strategy", "ignore_requires_python", "build_isolation", "use_pep517", "check_build_deps",
    "config_settings", "compile", "warn_script_location", "warn_about_conflicts", "no_require_hashes",
    "progress_bar", "root_user_action", "pre", "release_control", "format_control", "prefer_binary",
    "extra_index_urls", "no_index", "refresh_package", "find_links", "uploaded_prior_to",
)  # fmt: skip
# Of these, where packages come from: pipx itself is to be had from there, too.
_SOURCES = (
    "isolated_mode", "no_input", "keyring_provider", "proxy", "no_proxy_env", "retries", "timeout",
    "trusted_hosts", "cert", "client_cert", "cache_dir", "index_url", "extra_index_urls", "no_index", "find_links",
)  # fmt: skip
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz")
_IN_SPECIFIERS = "<>=!~,.*+-_() "


class Wanted(Record):
    """A requirement that is a plain name: normalised, and what stands behind it."""

    name: str
    extras: str = ""
    specifier: str = ""


def route(context: Context, otherwise: Plan, pip_of: Callable[[str, str], Plan]) -> Plan | None:
    """Return the plan for applications of a line, or None where `otherwise` stands.

    `otherwise` is what happens to the line without pipx, `pip_of(path, because)` hands it to the pip of an
    environment of pipx's.
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


def wanted(requirement: str) -> Wanted | None:
    """Return a requirement's parts where it is a name, perhaps with extras and versions, and no more.

    A path, a URL, an archive, a marker or anything that begins with a dash is None.
    """
    text = requirement.strip()
    end = next((at for at, char in enumerate(text) if not (char.isalnum() or char in "-_.")), len(text))
    name, rest = text[:end], text[end:].strip()
    extras, rest = _extras(rest)
    fit = text.isascii() and requirement.isprintable() and name and name[0].isalnum() and name[-1].isalnum()
    if not fit or not requirement[:1].isalnum() or name.lower().endswith(_ARCHIVES):
        return None
    if rest and (rest[0] not in "<>=!~(" or any(not (char.isalnum() or char in _IN_SPECIFIERS) for char in rest)):
        return None
    return Wanted(name=normalised_name(name), extras=extras, specifier=rest)


def _extras(rest: str) -> tuple[str, str]:
    if not rest.startswith("["):
        return "", rest
    inner, closed, after = rest[1:].partition("]")
    plain = closed and all(char.isalnum() or char in "-_., " for char in inner)
    return (f"[{inner}]", after.strip()) if plain else ("", rest)


# -- each word of pip's


def _install(context: Context, otherwise: Plan, *, asked: bool) -> Plan | None:
    command = context.command
    found = [wanted(requirement) for requirement in command.requirements]
    if not asked and not _all_applications(context, found):
        return None
    python = _interpreter(context)
    lost = _without_counterpart(context)
    if lost or python is None or context.settings.faults:
        return _not_for_pipx(lost or "there is no interpreter to make its environment of") if asked else None
    specs = command.requirements or command.editables
    if any(spec.lstrip().startswith("-") for spec in specs):
        return _not_for_pipx("a package's name does not begin with a dash")
    present = kept(_venvs(context))
    runs = tuple(
        _run(command, spec, one, python.path, known=one is not None and one.name in present)
        for spec, one in zip(specs, found or (None,), strict=True)
    )
    names = tuple(one.name if one else spec for spec, one in zip(specs, found or (None,), strict=True))
    return Pipx(
        runs=runs,
        specs=specs,
        names=names,
        interpreter=python,
        index=tuple(_spelled(entry) for entry in command.options if entry[1] in _SOURCES),
        because="--app asks for pipx" if asked else f"{_listed(names)} {_kind(names)}{_where(context)}",
        says="" if asked else _announced(names, context, runs),
        notices=_said_of_user(command),
        fallback=None if command.editables or isinstance(otherwise, _NO_PLACE) else otherwise,
    )


def _all_applications(context: Context, found: list[Wanted | None]) -> bool:
    """Tell whether the line is nothing but names of known applications, none of which the environment has."""
    command, settings = context.command, context.settings
    beside = (command.r_files, command.editables, command.groups, command.scripts)
    if not found or any(beside) or command.dry_run or context.configured_python:
        return False
    automatic = context.project is None and settings.app_routing == "auto"
    apps, libs = ({normalised_name(name) for name in names} for names in (settings.apps, settings.libs))
    known = (apps | APPLICATIONS if automatic else apps) - libs
    if any(one is None or one.name not in known for one in found):
        return False
    place = context.place
    return place.state != USABLE or not any(one and has(place.site, one.name) for one in found)


def _uninstall(context: Context, *, asked: bool) -> Plan | None:
    """Return pipx's removal where pipx has all that is named, and the environment none of it."""
    command = context.command
    found = [wanted(requirement) for requirement in command.requirements]
    names = tuple(one.name for one in found if one)
    if command.r_files or not found or None in found:
        return _not_for_pipx("it removes what is named, and no more") if asked else None
    if not asked and not _is_pipxs_alone(context, names):
        return None
    words = _loudness(command)
    return Pipx(
        runs=tuple(("uninstall", *words, "--", name) for name in names),
        names=names,
        interpreter=_interpreter(context),
        because=f"{_listed(names)} {_is(names)} with pipx",
        says="" if asked else f"{_listed(names)} {_is(names)} with pipx: removing {_it(names)}",
    )


def _show(context: Context, pip_of: Callable[[str, str], Plan]) -> Plan | None:
    """Return the pip of pipx's environment where one application is asked for."""
    found = [wanted(requirement) for requirement in context.command.requirements]
    names = tuple(one.name for one in found if one)
    if len(found) != 1 or not names or not _is_pipxs_alone(context, names):
        return None
    return pip_of(os.path.join(_venvs(context), names[0]), f"{names[0]} is with pipx")


def _list(context: Context, otherwise: Plan) -> Plan | None:
    present = kept(_venvs(context))
    if not present or not isinstance(otherwise, Pip | InEnvironment):
        return None
    shown = ", ".join(present[:5]) + (f" and {len(present) - 5} more" if len(present) > 5 else "")
    told: Plan = changed(otherwise, notices=(*otherwise.notices, f"with pipx: {shown} (safepip app list)"))
    return told


def _is_pipxs_alone(context: Context, names: tuple[str, ...]) -> bool:
    """Tell whether pipx has all of these, and the environment of this place none.

    In a project that matters only for what the setting `apps` names.
    """
    if context.project is not None and not set(names) <= {normalised_name(name) for name in context.settings.apps}:
        return False
    venvs, place = _venvs(context), context.place
    with_pipx = set(kept(venvs)) if names else set()
    return set(names) <= with_pipx and not (place.state == USABLE and any(has(place.site, name) for name in names))


def _not_for_pipx(lost: str) -> Refuse:
    what = f"pipx cannot do that: {lost}"
    return Refuse(code=USAGE, what=what, ways=("into an environment: leave out --app",), because=what)


# -- what pipx is told


def _without_counterpart(context: Context) -> str | None:
    """Return what of the line pipx cannot be told, or None."""
    command = context.command
    if context.configured_python:
        return "pip's configuration names an interpreter, to which its pip would go"
    if command.editables and (command.requirements or len(command.editables) > 1):
        return "it takes one editable project at a time"
    if not (command.requirements or command.editables):
        return "the line names no package"
    known = (*_OWN, *_HANDED_ON, "editables") if not command.requirements else (*_OWN, *_HANDED_ON)
    lost = next((name for name, dest, _ in command.options if dest not in known), None)
    if lost:
        return f"it has no counterpart of {lost}"
    ambient = (command.r_files, command.groups, command.scripts, command.dry_run)
    return "pip's settings ask for more than the line names" if any(ambient) else None


def _run(command: PipCommand, spec: str, one: Wanted | None, python: str, *, known: bool) -> tuple[str, ...]:
    """Return pipx's words for one requirement; `known` tells whether pipx has it already.

    `upgrade` goes beyond the version that was once asked for, as `pip install -U` does. `--force` changes
    what is there in place; pipx's `install --upgrade` would too, but came only with 1.16.
    """
    handed = _handed_on(command)
    anew = any(dest in {"force_reinstall", "ignore_installed"} for _, dest, _ in command.options)
    if known and one and command.upgrade and not one.specifier and not one.extras and not anew:
        return ("upgrade", *handed, "--", one.name)
    force = anew or (command.upgrade and (known or one is None))
    words = ["install", *(["--force"] if force else []), *handed]
    words += ["--include-deps"] if one and one.name in WITH_DEPENDENCIES else []
    words += [] if known and force else ["--python", python]
    words += ["--editable"] if command.editables else []
    return (*words, "--", spec)


def _handed_on(command: PipCommand) -> tuple[str, ...]:
    """Return pipx's words for the options of pip's that it knows, and those for its pip in one word."""
    index = [value for _, dest, value in command.options if dest == "index_url" and value]
    rest = [_quoted(_spelled(entry)) for entry in command.options if entry[1] in _HANDED_ON]
    words = [*_loudness(command), *(f"--index-url={url}" for url in index[-1:])]
    return (*words, *([f"--pip-args={' '.join(rest)}"] if rest else []))


def _loudness(command: PipCommand) -> tuple[str, ...]:
    return ("--quiet",) * command.quiet + (("--verbose",) if command.verbose else ())


def _spelled(entry: tuple[str, str, str | None]) -> str:
    name, _, value = entry
    return name if value is None else f"{name}={value}"


def _quoted(word: str) -> str:
    """Return the word for pipx's shlex, which reads a backslash alike in every version.

    Some versions strip quotes off the ends of the whole, and shlex itself would load `re`.
    """
    return "".join(char if char.isalnum() or char in "-_./:=,@%+~" else "\\" + char for char in word)


def _said_of_user(command: PipCommand) -> tuple[str, ...]:
    asked = command.user and command.user_words
    return ("--user has no meaning for an application; left out",) if asked else ()


def narrowed(plan: Plan, command: PipCommand, specs: tuple[str, ...]) -> Plan:
    """Return the environment's plan for some of the requirements of the line; for all, the line stands."""
    if specs == command.requirements or not isinstance(plan, Pip | InEnvironment | Create | Throwaway):
        return plan
    kept_options = [entry for entry in command.options if entry[1] not in {"python", "use_user_site"}]
    words = ("install", *map(_spelled, kept_options), "--", *specs)
    handover: Handover = changed(plan.handover, words=words)
    told: Plan = changed(plan, handover=handover)
    return told


def _announced(names: tuple[str, ...], context: Context, runs: tuple[tuple[str, ...], ...]) -> str:
    if all(words[0] == "upgrade" for words in runs):
        return f"{_listed(names)} {_is(names)} with pipx: upgrading {_it(names)}"
    where = "the home environment" if context.project is None else context.shown(context.place)
    instead = f"into {where} instead: safepip --lib install {' '.join(names)}"
    return f"{_listed(names)} {_kind(names)}: installing {_it(names)} with pipx ({instead})"


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def _where(context: Context) -> str:
    return ", and there is no project here" if context.project is None else " by the setting apps"


def _kind(names: tuple[str, ...]) -> str:
    return "is an application" if len(names) == 1 else "are applications"


def _is(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"


def _it(names: tuple[str, ...]) -> str:
    return "it" if len(names) == 1 else "them"


def _interpreter(context: Context) -> Interpreter | None:
    """Return the interpreter that the line would have served, or the one that its environment is made of."""
    return context.target.interpreter or (context.active.base if context.active else None)


# -- where pipx keeps things


def home_of(context: Context) -> str:
    """Return pipx's home, by its own rule: PIPX_HOME, an old `~/.local/pipx`, else the platform's place.

    That lies beside safepip's own folder of data. Empty without a home directory.
    """
    ambient, data = context.ambient, context.data
    environ, user_home, platform = ambient.environ, ambient.home, ambient.platform
    named = environ.get("PIPX_HOME", "")
    if named:
        return os.path.abspath(at_home(named, user_home))
    old = ["pipx"] if platform == "win32" else []
    for tail in (os.path.join(".local", "pipx"), *old):
        if user_home and os.path.exists(os.path.join(user_home, tail)):
            return os.path.join(user_home, tail)
    if data is None:
        return ""
    return os.path.join(os.path.dirname(data), "pipx", *old)


def _venvs(context: Context) -> str:
    return os.path.join(home_of(context), "venvs")


def kept(venvs: str) -> tuple[str, ...]:
    """Return the names of the applications in pipx's folder of environments."""
    try:
        names = sorted(os.listdir(venvs))
    except OSError:
        return ()
    return tuple(name for name in names if os.path.isfile(os.path.join(venvs, name, METADATA)))


def has(site: str, name: str) -> bool:
    """Tell whether a site-packages holds the distribution of that normalised name."""
    return any(normalised_name(stem) == name for stem in _distributions(site))


def _distributions(site: str) -> Iterable[str]:
    try:
        entries = os.listdir(site)
    except OSError:
        return ()
    stems = (entry.removesuffix(".dist-info").removesuffix(".egg-info") for entry in entries if "-info" in entry)
    return [stem.partition("-")[0] for stem in stems]
