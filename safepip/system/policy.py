"""Find out what pip may install, and from where."""

from __future__ import annotations

from safepip.core.pip_line import LINE, as_boolean, obeyed, settings
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
# Every spelling of an option, without dashes, to the name that pip calls it by.
_NAMES: dict[str, str] = {}
for _aliases, *_ in SPECS:
    for _alias in _aliases:
        _NAMES[_alias[2:]] = _aliases[0][2:]
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
    found = _by_option(command, variables, files)
    shown: list[Rule] = []
    for name in _OPTIONS:
        if name not in _FLAGS or _is_on(found, name):
            shown.extend(map(_plainly, found.get(name, ())))
    return tuple(shown)


def _by_option(
    command: PipCommand, variables: Mapping[str, str], files: Sequence[ConfigFile]
) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    section = command.subcommand or "install"
    for key, value, origin in settings(section, *obeyed(command.argv, variables, files)):
        name = _NAMES.get(key, key)
        found[name] = [Rule(option=name, value=value, origin=origin)]  # the later wins
    for option, _, typed in command.options:
        name = option[2:]
        if name not in _ADDED:
            found.pop(name, None)
        found.setdefault(name, []).append(Rule(option=name, value=typed or "true", origin=LINE))
    proxies = found.setdefault("proxy", [])
    if not proxies and not _is_on(found, "no-proxy-env"):
        for name in filter(variables.get, _PROXIES):
            proxies.append(Rule(option="proxy", value=variables[name], origin=name))
    return found


def _is_on(found: dict[str, list[Rule]], flag: str) -> bool:
    return any(as_boolean(rule.value) for rule in found.get(flag, ()))


def _plainly(rule: Rule) -> Rule:
    value = rule.value
    if rule.option in _FLAGS:
        value = "true"
    if rule.option == "proxy" and "://" not in value:  # pip takes it without a scheme too
        value = value.rpartition("@")[2]
    return replace(rule, value=without_credentials(value))
