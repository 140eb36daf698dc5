"""Read pip's command line as the newest pip would.

pip reads its line twice (`cli/main_parser.py`, `cli/base_command.py`). The first reading knows the global
options and stops at the first operand, which is the subcommand; the second knows that subcommand's options
too and is given every word but the first that equals the subcommand. What the options mean to pip's parsers
comes from `pip_options`; values that only a callback of pip's judges (`--python-version`, `--group` paths
and the like) are left for pip to reject.
"""

from __future__ import annotations

from .pip_options import GENERAL, OPTIONS, SPECS, SUBCOMMANDS
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Literal, NoReturn

    Outcome = Literal[
        "ok",
        "parse_error",
        "unknown_command",
        "main_help",
        "command_help",
        "version",
        "python_after_subcommand",
    ]
    Kind = Literal["global", "user", "site", "env"]
    Spec = tuple[tuple[str, ...], str, str, str | None, tuple[str, ...], str, tuple[str, ...]]
    Word = tuple[int, str]  # a word and where it stands in argv

LINE = "the command line"

_TRUE = ("y", "yes", "t", "true", "on", "1")
_FALSE = ("n", "no", "f", "false", "off", "0")
_IGNORED_VARIABLES = ("version", "help")


class _Option:
    """A row of SPECS with its columns named."""

    __slots__ = ("action", "choices", "dest", "field", "names", "type", "uses")

    def __init__(self, spec: Spec) -> None:
        self.names, self.dest, self.action, self.type, self.choices, self.field, self.uses = spec


# pip's dest -> the field of PipCommand that holds its value.
_FIELDS = {dest: field for _, dest, _, _, _, field, _ in SPECS if field}


class ConfigFile(Record):
    """One of pip's configuration files, as far as it was read.

    `sections` maps a section to its keys, normalised by `normalised`, and their values. `error` is one line
    on why pip would die of the file, or None.
    """

    path: str
    kind: Kind
    sections: Mapping[str, Mapping[str, str]]
    error: str | None = None


class PipCommand(Record):
    """What pip would take a line for.

    Every value is what pip would act on, from the line, a variable or a file; `origins` tells which.
    None is "not given"; an empty string was given. Where `outcome` is not "ok", the other fields hold what
    was read until pip would have stopped, or the whole line if it stopped at an `unknown_option`.
    """

    argv: tuple[str, ...]  # as typed
    outcome: Outcome
    subcommand: str | None = None
    error: str | None = None  # pip's reason for refusing the line
    unknown_option: str | None = None  # the option that no parser of this table knows, if that is the reason
    user: bool | None = None  # --user of install, list, freeze, inspect; False is --no-user
    target: str | None = None
    prefix: str | None = None
    root: str | None = None
    report: str | None = None
    python: str | None = None  # wherever it was named; never empty
    main_python: str | None = None  # the one that pip acts on, named before the subcommand; never empty
    break_system_packages: bool = False
    dry_run: bool = False
    require_virtualenv: bool = False
    require_hashes: bool = False
    isolated: bool = False  # the option; only the exact word makes pip drop variables and the user's files
    requirements: tuple[str, ...] = ()  # the operands
    r_files: tuple[str, ...] = ()
    editables: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()  # as given: NAME or PATH:NAME
    scripts: tuple[str, ...] = ()  # --requirements-from-script
    quiet: int = 0  # how many -q
    verbose: int = 0  # how many -v
    upgrade: bool = False
    options: tuple[tuple[str, str, str | None], ...] = ()  # on the line: canonical option, pip's dest, value
    user_words: tuple[int, ...] = ()  # where argv has a whole word `--user` that was read as that option
    python_words: tuple[int, ...] = ()  # where argv has the words of `--python`, if one chose the interpreter
    origins: tuple[tuple[str, str], ...] = ()  # (field, LINE or a variable's name or a file's path)


def read(argv: Sequence[str], variables: Mapping[str, str], files: Sequence[ConfigFile] = ()) -> PipCommand:
    """Return what pip would take the line `argv` for.

    `variables` is the environment (only ``PIP_*`` counts, in its order), `files` are pip's configuration
    files from lowest to highest precedence. Source: pip's `parse_command` and `Command._main`.
    """
    main = _Reading("<global>")
    for file in files:
        if file.error:
            main.error = file.error
            return _command(argv, "parse_error", main, main)
    words = list(enumerate(argv))
    main.run(settings("global", variables, files), words, interspersed=False)
    ended = _first_outcome(main)
    if ended is not None:
        return _command(argv, ended, main, main)
    name = main.operands.pop(0)
    del words[argv.index(name)]  # as pip's list.remove: the first equal word, even an option's value
    variables, files = obeyed(argv, variables, files)
    last = _Reading(name)
    last.run(settings(name, variables, files), words, interspersed=True)
    return _command(argv, _second_outcome(main, last), main, last, name)


def obeyed(
    argv: Sequence[str], variables: Mapping[str, str], files: Sequence[ConfigFile]
) -> tuple[Mapping[str, str], Sequence[ConfigFile]]:
    """Return the variables and files that pip's subcommand reads."""
    if "--isolated" not in argv:
        return variables, files
    return {}, [file for file in files if file.kind != "user"]


def opts_out(variables: Mapping[str, str], files: Sequence[ConfigFile]) -> str | None:
    """Return the variable or file that gives `install` --break-system-packages, or None."""
    found = None
    for key, value, where in settings("install", variables, files):
        if key == "break-system-packages":
            found = where if as_boolean(value) else None
    return found


def as_boolean(value: str) -> bool | None:
    """Return what pip's `strtobool` takes a word for, or None."""
    word = value.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    return None


def normalised(name: str) -> str:
    """Return the key that a file or variable means."""
    return name.lower().replace("_", "-").removeprefix("--")


def keys(kind: str) -> frozenset[str]:
    """Return the names, without dashes, of all options of a kind."""
    found: set[str] = set()
    for names, _, _, _, _, _, uses in SPECS:
        if kind not in uses:
            continue
        for name in names:
            if name.startswith("--"):
                found.add(name[2:])
    return frozenset(found)


def dests(kind: str) -> frozenset[str]:
    """Return pip's dests of all options of a kind or use."""
    return frozenset(dest for _, dest, _, _, _, _, uses in SPECS if kind in uses)


def settings(
    section: str, variables: Mapping[str, str], files: Sequence[ConfigFile]
) -> Iterator[tuple[str, str, str]]:
    """Yield (key, value, origin) in pip's order: the later wins.

    A section beats a file: all of [global] comes before all of [install]. An empty value of a later file
    hides the earlier file's. pip names its section for the variables ":env:", and takes it from a file too.
    """
    for name in dict.fromkeys(("global", section, ":env:")):
        pool: dict[str, tuple[str, str]] = {}
        for file in files:
            for key, value in file.sections.get(name, {}).items():
                pool[key] = (value, file.path)
        if name == ":env:":
            pool.update(_from_variables(variables))
        for key, (value, where) in pool.items():
            if value:
                yield key, value, where


def _from_variables(variables: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for variable, value in variables.items():
        if not variable.startswith("PIP_"):
            continue
        name = variable[4:]
        if name.lower() not in _IGNORED_VARIABLES:
            yield normalised(name), (value, variable)


class _Given:
    """An option on the line, and its words' indices in argv."""

    __slots__ = ("option", "value", "words")

    def __init__(self, option: _Option, value: str | None, words: tuple[int, ...]) -> None:
        self.option = option
        self.value = value
        self.words = words


class _Stop(Exception):  # noqa: N818  not an error: pip reads no further
    """pip would read no further."""


class _Reading:
    """One of pip's two readings of a line."""

    __slots__ = ("error", "given", "helped", "lenient", "operands", "origins", "positions", "unknown", "values")

    def __init__(self, parser: str) -> None:
        self.positions: dict[str, int] = {}  # in SPECS, by each name of an option
        for position in GENERAL + OPTIONS[parser]:
            for name in SPECS[position][0]:
                self.positions[name] = position
        self.lenient = parser != "<global>"  # whether to go on after an unknown option
        self.values: dict[str, Any] = {}  # by pip's dest
        self.origins: dict[str, str] = {}  # by pip's dest
        self.given: list[_Given] = []
        self.operands: list[str] = []
        self.helped = False
        self.error: str | None = None
        self.unknown: str | None = None

    def run(self, settings: Iterable[tuple[str, str, str]], words: Iterable[Word], *, interspersed: bool) -> None:
        """Take the settings, then the words, until pip would stop."""
        try:
            for key, value, where in settings:
                self._set(key, value, where)
            self._read(iter(words), interspersed)
        except _Stop:
            pass

    def _option(self, name: str) -> _Option | None:
        # Only those needed are made, since this runs before every command.
        position = self.positions.get(name)
        if position is None:
            return None
        return _Option(SPECS[position])

    # -- variables and files

    def _set(self, key: str, value: str, where: str) -> None:
        """Take one setting, as pip's `_update_defaults` does."""
        option = self._option("--" + key)
        if option is None:  # of other subcommands
            return
        name, dest, action = option.names[0], option.dest, option.action
        self.origins[dest] = where
        if action in {"true", "false"}:  # not inverted for the latter: PIP_NO_USER=1 asks for --user
            self.values[dest] = self._switch(key, value)
        elif action == "count":
            self.values[dest] = self._number(key, value)
        elif action == "append":
            self.values[dest] = value.split()
            for part in self.values[dest]:
                self._check(option, key, part)
        elif action == "no_cache_dir":
            if as_boolean(value) is None:
                self._reject(f"{name} error: invalid truth value {value.lower()!r}")
        else:
            self._check(option, name if action == "config_settings" else key, value)
            self._store(option, value)

    def _switch(self, key: str, value: str) -> bool:
        found = as_boolean(value)
        if found is None:
            self._reject(
                f"{value} is not a valid value for {key} option, please specify a boolean value like "
                "yes/no, true/false or 1/0 instead."
            )
        return found

    def _number(self, key: str, value: str) -> int:
        found = as_boolean(value)
        if found is not None:
            return int(found)
        number: int | None = _converted(int, value)
        if number is None or number < 0:
            refused = value if number is None else number
            self._reject(
                f"{refused} is not a valid value for {key} option, please instead specify either a "
                "non-negative integer or a boolean value like yes/no or false/true which is "
                "equivalent to 1/0."
            )
        return number

    # -- the line

    def _read(self, words: Iterator[Word], interspersed: bool) -> None:
        """Walk the words: options, operands, and after a bare ``--`` operands only."""
        for index, word in words:
            if word == "--":
                break
            if word.startswith("--"):
                self._long(index, word, words)
            elif word.startswith("-") and word != "-":
                self._bundle(index, word, words)
            else:
                self.operands.append(word)
                if not interspersed:
                    break
        for _, word in words:
            self.operands.append(word)

    def _long(self, index: int, word: str, words: Iterator[Word]) -> None:
        name, equals, value = word.partition("=")
        name = self._full(name)
        option = self._option(name)
        if option is None:
            self._miss(name)
        elif option.type is None:
            if equals:
                self._reject(f"{name} option does not take a value")
            self._take(option, name, None, (index,))
        elif equals:
            self._take(option, name, value, (index,))
        else:
            self._take_next(option, name, index, words)

    def _full(self, name: str) -> str:
        """Return the option string that `name` is or abbreviates, if any."""
        if name in self.positions:
            return name
        found = [known for known in self.positions if known.startswith(name)]
        if len(found) > 1:
            self._reject(f"ambiguous option: {name} ({', '.join(sorted(found))}?)")
        if found:
            return found[0]
        return name

    def _bundle(self, index: int, word: str, words: Iterator[Word]) -> None:
        """Take each letter, up to the first that takes a value."""
        for position, letter in enumerate(word[1:], 2):
            name = "-" + letter
            option = self._option(name)
            if option is None:
                self._miss(name)
            elif option.type is None:
                self._take(option, name, None, (index,))
            elif word[position:]:
                self._take(option, name, word[position:], (index,))
                break
            else:
                self._take_next(option, name, index, words)

    def _take_next(self, option: _Option, name: str, index: int, words: Iterator[Word]) -> None:
        """Take the next word as the value, whatever it looks like."""
        for following, value in words:
            self._take(option, name, value, (index, following))
            return
        self._reject(f"{name} option requires 1 argument")

    def _take(self, option: _Option, name: str, value: str | None, where: tuple[int, ...]) -> None:
        dest, action = option.dest, option.action
        self._check(option, name, value)
        if action == "help":
            self.helped = True
            if self.error is None:  # otherwise pip has refused the line for an option before this one
                raise _Stop
        self.given.append(_Given(option, value, where))
        self.origins[dest] = LINE
        if action in {"true", "false"}:
            self.values[dest] = action == "true"
        elif action == "count":
            self.values[dest] = self.values.get(dest, 0) + 1
        else:
            self._store(option, value)

    # -- both

    def _store(self, option: _Option, value: str | None) -> None:
        """Keep a value, after the earlier ones where pip collects them."""
        if option.action in {"append", "dependency_group"}:
            self.values[option.dest] = [*self.values.get(option.dest, ()), value]
        else:
            self.values[option.dest] = value

    def _check(self, option: _Option, name: str, value: str | None) -> None:
        """Reject what optparse would, and ``-C`` without KEY=VAL."""
        if value is None:
            return
        if option.type == "choice" and value not in option.choices:
            allowed = ", ".join(map(repr, option.choices))
            self._reject(f"option {name}: invalid choice: {value!r} (choose from {allowed})")
        if option.type in _NUMBERS:
            convert, noun = _NUMBERS[option.type]
            if _converted(convert, value) is None:
                self._reject(f"option {name}: invalid {noun} value: {value!r}")
        if option.action == "config_settings" and "=" not in value:
            self._reject(f"Arguments to {name} must be of the form KEY=VAL")

    def _miss(self, name: str) -> None:
        """Note an option that is not in the table."""
        if self.error is None:
            self.error, self.unknown = f"no such option: {name}", name
        if not self.lenient:
            raise _Stop
        # A newer pip may know an option of a subcommand, so its words are read on.

    def _reject(self, reason: str) -> NoReturn:
        if self.error is None:
            self.error = reason
        raise _Stop


def _converted(convert: Callable[[str], Any], value: str) -> Any:
    try:
        return convert(value)
    except ValueError:
        return None


def _integer(value: str) -> int:
    """Return an integer in optparse's writing."""
    prefix = value[:2].lower()
    if prefix == "0b":
        return int(value[2:] or "0", 2)
    if prefix == "0x":
        return int(value, 16)
    if prefix.startswith("0"):  # octal, after any other leading 0
        return int(value, 8)
    return int(value)


# optparse's types that are numbers: how it reads one, and its word for it in a message.
_NUMBERS: dict[str | None, tuple[Callable[[str], Any], str]] = {
    "int": (_integer, "integer"),
    "float": (float, "floating-point"),
}


def _first_outcome(main: _Reading) -> Outcome | None:
    """Return how the line ends with the first reading, or None."""
    if main.error or main.helped:
        main.values.pop("python", None)  # pip ends before it would act on that
    if main.error:
        return "parse_error"
    if main.helped:
        return "main_help"
    if main.values.get("version"):
        return "version"
    if main.operands in ([], ["help"]):
        return "main_help"
    if main.operands[0] in SUBCOMMANDS:
        return None
    main.error = f'unknown command "{main.operands[0]}"'  # without pip's guess: difflib costs too much here
    return "unknown_command"


def _second_outcome(main: _Reading, last: _Reading) -> Outcome:
    if last.error:
        return "parse_error"
    if last.helped:
        return "command_help"
    if last.values.get("python") and not main.values.get("python"):
        last.error = "The --python option must be placed before the pip subcommand name"
        return "python_after_subcommand"
    return "ok"


def _command(
    argv: Sequence[str], outcome: Outcome, main: _Reading, last: _Reading, subcommand: str | None = None
) -> PipCommand:
    """Return the facts.

    `last` is `main` where pip would not come to the second reading.
    """
    naming = last
    if main.values.get("python"):
        naming = main
    fields: dict[str, Any] = {}
    for dest, value in last.values.items():
        if dest in _FIELDS:
            fields[_FIELDS[dest]] = tuple(value) if isinstance(value, list) else value
    fields["python"] = naming.values.get("python") or None
    if subcommand is not None:
        fields["requirements"] = tuple(last.operands)
        fields["options"] = tuple((one.option.names[0], one.option.dest, one.value) for one in last.given)
    return PipCommand(
        argv=tuple(argv),
        outcome=outcome,
        subcommand=subcommand,
        error=last.error,
        unknown_option=last.unknown,
        main_python=main.values.get("python") or None,
        user_words=_user_words(argv, last),
        python_words=_python_words(main, last),
        origins=_origins(naming, last),
        **fields,
    )


def _user_words(argv: Sequence[str], last: _Reading) -> tuple[int, ...]:
    found = []
    for one in last.given:
        index = one.words[0]
        if one.option.field == "user" and argv[index] == "--user":
            found.append(index)
    return tuple(found)


def _python_words(main: _Reading, last: _Reading) -> tuple[int, ...]:
    """Return the indices of the words of every `--python`."""
    given = main.given
    if main.values.get("python"):  # then one after the subcommand is not an error
        given = [*main.given, *last.given]
    found: set[int] = set()
    for one in given:
        if one.option.dest == "python":
            found.update(one.words)
    return tuple(sorted(found))


def _origins(naming: _Reading, last: _Reading) -> tuple[tuple[str, str], ...]:
    found = []
    for dest, where in last.origins.items():
        field = _FIELDS.get(dest, "python")
        if field != "python":
            found.append((field, where))
    if naming.values.get("python"):
        found.append(("python", naming.origins["python"]))
    return tuple(found)
