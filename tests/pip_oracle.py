"""What pip itself reads from a line: its own parser objects, asked in this process.

pip's `parse_command` and its commands' parsers run as they are, but for this:
- the configuration is given, not searched for on this machine, and so are the variables;
- help, usage and version are not printed, and no command is run;
- callbacks that judge or convert values in ways that safepip leaves to pip (`--python-version`,
  `--uploaded-prior-to`, `--no-binary`, `--only-binary`, `--all-releases`, `--only-final`,
  `--refresh-package`, `--src`) accept any value; with a bad one, real pip ends with an error;
- `--group` keeps its value as given, whatever its path.
"""

from __future__ import annotations

import contextlib
import copy
import io
import optparse
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

from pip._internal.cli import main_parser
from pip._internal.commands import commands_dict, create_command
from pip._internal.configuration import Configuration, Kind
from pip._internal.exceptions import CommandError

from safepip.core.pip_line import ConfigFile, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from safepip.core.pip_line import PipCommand

    Given = tuple[optparse.Option, str, Any, int]  # as optparse tells it, and how many words were left

# An enumeration from pip 26 on; older ones can be imported, so that what needs this pip is skipped there.
KINDS = {name: getattr(Kind, name.upper(), name) for name in ("global", "user", "site", "env")}
KEPT_CALLBACKS = ("_handle_config_settings", "_handle_no_cache_dir")
MOVING = ("target", "prefix", "root", "report")
COLLECTED = ("requirements", "r_files", "editables", "constraints", "groups", "scripts")


class Refused(Exception):  # noqa: N818  an answer, no error
    """pip would end with this message."""


class Helped(Exception):  # noqa: N818  likewise
    """pip would print help."""


class GivenConfiguration(Configuration):
    """pip's configuration, from files that are given as they would have been parsed."""

    def __init__(self, isolated: bool, files: Sequence[ConfigFile]) -> None:
        super().__init__(isolated)
        self.files = files

    def _load_config_files(self) -> None:
        for file in self.files:
            if file.error:
                raise Refused(file.error)
            if self.isolated and file.kind == "user":
                continue
            kept = self._config[KINDS[file.kind]].setdefault(file.path, {})
            for section, items in file.sections.items():
                kept.update(self._normalized_keys(section, items.items()))


def truth(argv: Sequence[str], variables: Mapping[str, str], files: Sequence[ConfigFile] = ()) -> dict[str, Any]:
    """Return the facts of a line by name, those of `PipCommand` that pip can tell."""
    with mock.patch.dict(os.environ, {**variables, "_PIP_RUNNING_IN_SUBPROCESS": "1"}, clear=True):
        return _truth(list(argv), files)


def facts(command: PipCommand) -> dict[str, Any]:
    """Return of a reading what `truth` tells of the same line."""
    told: dict[str, Any] = {"outcome": command.outcome, "subcommand": command.subcommand}
    told["main_python"] = command.main_python
    if command.outcome == "parse_error":
        told["error"] = " ".join((command.error or "").split())
    elif command.outcome == "unknown_command":
        told["error"] = command.error
    elif command.outcome in {"ok", "python_after_subcommand"}:
        flags = ("user", "break_system_packages", "dry_run", "require_virtualenv", "isolated", "upgrade")
        names = (*flags, *MOVING, "python", *COLLECTED, "quiet", "verbose", "options")
        told.update((name, getattr(command, name)) for name in names)
        told["user_words"] = len(command.user_words)
        told["python_words"] = [command.argv[index] for index in command.python_words]
    return told


def _truth(argv: list[str], files: Sequence[ConfigFile]) -> dict[str, Any]:
    told: dict[str, Any] = {"outcome": "ok", "subcommand": None, "main_python": None}
    before: list[Given] = []
    try:
        with _recorded(before):
            name, rest = _first(argv, files, told)
    except CommandError as refused:
        return {**told, "outcome": "unknown_command", "error": str(refused).split(" - maybe you meant")[0]}
    except Refused as refused:
        return {**told, "outcome": "parse_error", "error": " ".join(str(refused).split())}
    except Helped:
        return {**told, "outcome": "main_help"}
    except SystemExit:
        return {**told, "outcome": "version"}
    told["subcommand"] = name
    parser = _parser(name, files, isolated="--isolated" in rest)
    given: list[Given] = []
    try:
        with _recorded(given):
            options, operands = parser.parse_args(rest)
    except Refused as refused:
        return {**told, "outcome": "parse_error", "error": " ".join(str(refused).split())}
    except Helped:
        return {**told, "outcome": "command_help"}
    if options.python and not told["main_python"]:
        told["outcome"] = "python_after_subcommand"
    told["python"] = told["main_python"] or options.python or None
    named = _python_words(argv, before)
    if told["main_python"]:  # then pip starts again under it, and there ignores what the line says of it
        removed = argv.index(name)
        named |= {at + (at >= removed) for at in _python_words(rest, given)}
    words = [argv[at] for at in sorted(named)]
    return {**told, **_values(options, operands, parser, given), "python_words": words}


def _first(argv: list[str], files: Sequence[ConfigFile], told: dict[str, Any]) -> tuple[str, list[str]]:
    parser = _parser("<global>", files, isolated=False)
    parse_args = parser.parse_args

    def watched(words: list[str]) -> Any:
        options, operands = parse_args(words)
        told["main_python"] = options.python or None
        return options, operands

    parser.parse_args = watched
    with (
        mock.patch.object(main_parser, "create_main_parser", return_value=parser),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        return main_parser.parse_command(argv)


_parsers: dict[tuple[str, bool], tuple[Any, dict[str, Any]]] = {}


def _parser(name: str, files: Sequence[ConfigFile], *, isolated: bool) -> Any:
    """Return pip's parser as it would be in a new process."""
    if (name, isolated) not in _parsers:
        made = (
            main_parser.create_main_parser()
            if name == "<global>"
            else create_command(name, isolated=isolated).parser
        )
        _prepare(made)
        if "dependency_groups" in made.defaults:
            # pip adds to one list, which other tests of this process share.
            made.defaults["dependency_groups"] = []
        _parsers[name, isolated] = made, copy.deepcopy(made.defaults)
    parser, defaults = _parsers[name, isolated]
    parser.defaults = copy.deepcopy(defaults)  # optparse appends to a default list in place
    parser.__dict__.pop("parse_args", None)
    parser.config = GivenConfiguration(isolated, files)
    return parser


def _prepare(parser: Any) -> None:
    def refuse(message: str) -> None:
        raise Refused(message)

    def check_default(option: optparse.Option, key: str, value: Any) -> Any:
        try:
            return option.check_value(key, value)
        except optparse.OptionValueError as error:
            raise Refused(str(error)) from None

    def show_help(_file: object = None) -> None:
        raise Helped

    parser.error = refuse
    parser.check_default = check_default
    parser.print_help = show_help
    for option in parser.option_list_all:
        if option.dest == "dependency_groups":
            option.callback = _keep_group
        elif option.callback is not None and option.callback.__name__ not in KEPT_CALLBACKS:
            option.callback = _accept


def _keep_group(option: optparse.Option, _shown: str, value: str, parser: Any) -> None:
    setattr(parser.values, str(option.dest), [*parser.values.dependency_groups, value])


def _accept(_option: optparse.Option, _shown: str, _value: str, _parser: Any) -> None:
    pass


@contextlib.contextmanager
def _recorded(given: list[Given]) -> Iterator[None]:
    """Note each option that optparse takes from the words."""
    process = optparse.Option.process

    def noted(option: optparse.Option, shown: str, value: Any, values: Any, parser: Any) -> Any:
        given.append((option, shown, value, len(parser.rargs)))
        return process(option, shown, value, values, parser)

    with mock.patch.object(optparse.Option, "process", noted):
        yield


def _values(options: Any, operands: list[str], parser: Any, given: list[Given]) -> dict[str, Any]:
    told: dict[str, Any] = {"user": _user(options, parser, given)}
    dests = {
        "break_system_packages": "override_externally_managed",
        "dry_run": "dry_run",
        "require_virtualenv": "require_venv",
        "isolated": "isolated_mode",
        "upgrade": "upgrade",
    }
    told.update((name, bool(getattr(options, dest, None))) for name, dest in dests.items())
    dests = {"target": "target_dir", "prefix": "prefix_path", "root": "root_path", "report": "json_report_file"}
    told.update((name, getattr(options, dest, None)) for name, dest in dests.items())
    dests = {
        "r_files": "requirements",
        "editables": "editables",
        "constraints": "constraints",
        "groups": "dependency_groups",
        "scripts": "requirements_from_scripts",
    }
    told["requirements"] = tuple(operands)
    told.update((name, tuple(getattr(options, dest, ()))) for name, dest in dests.items())
    told["quiet"], told["verbose"] = options.quiet, options.verbose
    told["options"] = tuple((option._long_opts[0], option.dest, value) for option, _, value, _ in given)
    users = [shown for option, shown, _, _ in given if option.dest in {"user", "use_user_site"}]
    told["user_words"] = users.count("--user")
    return told


def _user(options: Any, parser: Any, given: list[Given]) -> bool | None:
    """Return whether the user site is asked for; of list and its like, pip's default does not count."""
    if hasattr(options, "use_user_site"):
        return None if options.use_user_site is None else bool(options.use_user_site)
    if not hasattr(options, "user"):
        return None
    parser.defaults["user"] = None
    default = parser.get_default_values().user
    if any(option.dest == "user" for option, _, _, _ in given) or default is not None:
        return bool(options.user)
    return None


def _python_words(words: list[str], given: list[Given]) -> set[int]:
    """Return where in `words` those are that one reading took for `--python`."""
    found: set[int] = set()
    for option, _, value, left in given:
        if option.dest == "python":
            last = len(words) - left - 1
            name, equals, attached = words[last].partition("=")
            is_one_word = name.startswith("--") and equals and attached == value != words[last]
            found |= {last} if is_one_word else {last - 1, last}
    return found


# -- lines by chance

Case = tuple[list[str], dict[str, str], list[ConfigFile]]

WEIGHTED = ("install",) * 12 + ("uninstall", "list", "download", "wheel", "freeze")
WORDS = (
    "x",
    "requests==2",
    ".",
    "",
    "-",
    "--",
    "install",
    "help",
    "list",
    "-e",
    "--user",
    "--isolated",
    "a=b",
    "name @ file:///a b",
)
FITTING = {
    "int": ("3", "0x1f", "0b1", "010", " 7"),
    "float": ("1.5", "1e3", "nan"),
    "string": ("req.txt", "/x", "k=v", "a b", ""),
}
UNFITTING = ("x", "-1", "09", "0b", "1.5", "--user", "install", "--", "-r", "", "=x")
SWITCHES = ("1", "0", "yes", "NO", "True", "off", "t", "2", "-1", "maybe", "", " 1")
OFTEN = (
    "--user",
    "--no-user",
    "--target",
    "--prefix",
    "--root",
    "--python",
    "--dry-run",
    "--report",
    "--break-system-packages",
    "--requirement",
    "--editable",
    "--group",
    "--quiet",
    "--isolated",
    "--require-venv",
    "--config-settings",
    "--retries",
    "--timeout",
    "--version",
)


def cases(random: Random, count: int) -> Iterator[Case]:
    """Yield lines with their variables and configuration files."""
    for _ in range(count):
        name = random.choice(WEIGHTED if random.random() < 0.8 else tuple(commands_dict))
        before = _options(random, "<global>", random.choice((0, 0, 0, 1, 2)))
        if before and random.random() < 0.1:
            before = ["--proxy", name, *before]  # the word that pip removes is the first equal one
        after = _options(random, name, random.choice((0, 1, 2, 3, 5)), operands=True)
        argv = [*before, *([name] if random.random() < 0.97 else []), *after]
        if random.random() < 0.03:
            random.shuffle(argv)
        # Few options, so that variables, files and sections speak of the same one.
        pool = [*random.choices(_known(name), k=3), random.choice(_known("<global>"))]
        yield argv, _variables(random, pool), _files(random, name, pool)


def _options(random: Random, name: str, count: int, *, operands: bool = False) -> list[str]:
    words: list[str] = []
    options = _known(name)
    for _ in range(count):
        chance = random.random()
        if operands and chance < 0.25:
            words.append(random.choice(WORDS))
        elif chance < 0.27:
            words.append(
                random.choice(("--bogus", "--bogus=1", "-Z", "-1", "---", "--=", "--install-option=x", *WORDS))
            )
        elif chance < 0.5:
            words += _bundle(random, options)
        else:
            words += _long(random, options)
    return words


def _known(name: str) -> list[optparse.Option]:
    options: list[optparse.Option] = _parser(name, (), isolated=False)._get_all_options()
    often = [option for option in options if set(option._long_opts) & set(OFTEN)]
    return [*options, *often * 3]


def _long(random: Random, options: list[optparse.Option]) -> list[str]:
    option = random.choice(options)
    word = random.choice(option._long_opts)
    if random.random() < 0.3:
        word = word[: random.randint(2, len(word))]
    if not option.takes_value():
        return [word + "=1" if random.random() < 0.03 else word]
    if random.random() < 0.02:
        return [word]
    value = _value(random, option)
    return [f"{word}={value}"] if random.random() < 0.5 else [word, value]


def _bundle(random: Random, options: list[optparse.Option]) -> list[str]:
    letters = [
        option for option in options if (option._short_opts and option.dest != "help") or random.random() < 0.02
    ]
    word = "-"
    for option in random.choices([option for option in letters if option._short_opts], k=random.randint(1, 3)):
        word += option._short_opts[0][1]
        if option.takes_value():
            value = _value(random, option)
            return [word + value] if random.random() < 0.5 else [word, value]
    return [word]


def _value(random: Random, option: optparse.Option) -> str:
    if random.random() < 0.12:
        return random.choice((*UNFITTING, *WORDS))
    if option.choices:
        return random.choice(list(option.choices))
    return random.choice(FITTING.get(str(option.type), FITTING["string"]))


def _setting(random: Random, pool: list[optparse.Option]) -> tuple[str, str]:
    """Return a key, spelled in one of the ways that pip takes, and a value."""
    option = random.choice(pool)
    key = random.choice(option._long_opts)[2:]
    if option.action in {"store_true", "store_false", "count"} or option.dest == "cache_dir":
        value = random.choice(SWITCHES[:7] if random.random() < 0.9 else SWITCHES)
    else:
        value = random.choice(("", "a b")) if random.random() < 0.1 else _value(random, option)
    spelled = random.choice((key, key.replace("-", "_"), key.upper().replace("-", "_"), "__" + key))
    return spelled, value


def _variables(random: Random, pool: list[optparse.Option]) -> dict[str, str]:
    found = {"HOME": "/nowhere", "pip_user": "1"}
    for _ in range(random.choice((0, 0, 0, 1, 1, 2, 4))):
        key, value = _setting(random, pool)
        found["PIP_" + key.replace("-", "_")] = value
    return found


def _files(random: Random, name: str, pool: list[optparse.Option]) -> list[ConfigFile]:
    files: list[ConfigFile] = []
    for kind in ("global", "user", "site", "env"):
        if random.random() < 0.2:
            sections: dict[str, dict[str, str]] = {}
            for _ in range(random.randint(0, 3)):
                section = random.choice(("global", "global", name, name, "install", ":env:", "other", "Global"))
                key, value = _setting(random, pool)
                sections.setdefault(section, {})[normalised(key)] = value
            files.append(ConfigFile(path=f"/{kind}.conf", kind=kind, sections=sections))  # type: ignore[arg-type]
    if random.random() < 0.01:
        files.append(ConfigFile(path="/broken", kind="env", sections={}, error="broken"))
    return files
