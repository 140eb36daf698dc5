"""Find out what pip may install, and from where."""

from __future__ import annotations

from safepip.core.pip_line import LINE, as_boolean, settings
from safepip.core.pip_options import SPECS
from safepip.core.record import Record, replace
from safepip.report import without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from safepip.core.pip_line import ConfigFile, PipCommand

    from .observe import Context

# In the order in which they are shown.
_OPTIONS = (
    "index-url", "extra-index-url", "no-index", "find-links", "trusted-host", "proxy", "uploaded-prior-to",
    "require-hashes", "only-binary", "no-binary", "constraint",
)  # fmt: skip
_FLAGS = ("no-index", "require-hashes")
_ADDED = ("extra-index-url", "find-links", "trusted-host", "only-binary", "no-binary", "constraint")
_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


class Rule(Record):
    """An option of pip's in force, without its dashes.

    `origin` is a variable, a file, or the command line.
    """

    option: str
    value: str
    origin: str


def rules_here(context: Context, prefix: str | None) -> tuple[Rule, ...]:
    """Return the rules for the context's line, for a pip at `prefix`."""
    return rules(context.command_in(prefix), context.ambient.environ, context.pip_files(prefix))


def rules(command: PipCommand, variables: Mapping[str, str], files: Sequence[ConfigFile]) -> tuple[Rule, ...]:
    """Return what restricts or leads the installs, without credentials."""
    found = _set(variables, files, command)
    if "--isolated" in command.argv:  # as pip: no variable, and no file of the user's
        found = _set({}, [file for file in files if file.kind != "user"], command)
    _add_options(found, command)
    if "proxy" not in found and not _is_on(found, "no-proxy-env"):
        found["proxy"] = _proxies(variables)
    shown: list[Rule] = []
    for name in _OPTIONS:
        if name not in _FLAGS or _is_on(found, name):
            shown += map(_plainly, found.get(name, ()))
    return tuple(shown)


def _set(variables: Mapping[str, str], files: Sequence[ConfigFile], command: PipCommand) -> dict[str, list[Rule]]:
    """Return what variables and files set, by pip's own name."""
    names: dict[str, str] = {}
    for aliases, *_ in SPECS:
        names.update((alias[2:], aliases[0][2:]) for alias in aliases)
    found = {}
    for key, value, origin in settings(command.subcommand or "install", variables, files):
        name = names.get(key, key)
        found[name] = [Rule(option=name, value=value, origin=origin)]
    return found


def _add_options(found: dict[str, list[Rule]], command: PipCommand) -> None:
    for option, _, value in command.options:
        name = option[2:]
        if name not in _ADDED:
            found.pop(name, None)
        found.setdefault(name, []).append(Rule(option=name, value=value or "true", origin=LINE))


def _proxies(variables: Mapping[str, str]) -> list[Rule]:
    """Return the proxies that every program is told of."""
    return [Rule(option="proxy", value=variables[name], origin=name) for name in _PROXIES if variables.get(name)]


def _is_on(found: dict[str, list[Rule]], flag: str) -> bool:
    return any(as_boolean(rule.value) for rule in found.get(flag, ()))


def _plainly(rule: Rule) -> Rule:
    value = rule.value
    if rule.option in _FLAGS:
        value = "true"
    if rule.option == "proxy" and "://" not in value:  # pip takes it without a scheme too
        value = value.rpartition("@")[2]
    clean: Rule = replace(rule, value=without_credentials(value))
    return clean
