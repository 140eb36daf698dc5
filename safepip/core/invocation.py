"""Read the name that safepip was called by, and its own words."""

from __future__ import annotations

import os.path

from .pip_options import GLOBAL_OPTIONS
from .record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# safepip's own verbs: each is a module of safepip/verbs with the same name. Help, completion and the manual page
# read this table.
VERBS = {
    "run": "Run a program, a Python file or a module in the environment",
    "shell": "Start your shell in the environment",
    "env": "Show, make, repair and remove environments",
    "app": "Install and update applications, with pipx",
    "init": "Print the code that makes a shell's pip safepip's",
    "hook": "Answer what the code of init asks at a prompt",
    "shims": "Write programs pip, pip3 and pip3.N that start safepip",
    "explain": "Show what a pip line would do, and why",
    "doctor": "Show what is wrong here, and the command that repairs it",
    "history": "Show what changed in the environment",
    "undo": "Take back the last change of the environment",
    "upgrade": "Upgrade what is outdated, so that nothing breaks",
}
# Pages in safepip/help, in the order of the site and the manual: `safepip help TOPIC`.
TOPICS = (
    "getting-started", "deciding", "how-it-works", "settings", "environment-variables", "exit-codes", "json",
    "security", "recovery", "upgrade-and-save", "docker", "make", "ci", "agents", "neighbours", "cron",
    "notebooks", "raspberry-pi", "ros", "moving", "comparison", "speed", "limits", "faq", "contributing",
)  # fmt: skip
# safepip's own options, with what follows them. They stand before the subcommand.
OPTIONS = {
    "--system": ("", "Run pip itself, this once"),
    "--env": ("DIR", "Use exactly this environment"),
    "--project": ("DIR", "As if started in that directory"),
    "--app": ("", "Install as an application, with pipx"),
    "--lib": ("", "Install into the environment, not with pipx"),
    "--save": ("", "Record what is installed or removed (--save=FILE, --save=group:NAME)"),
    "--safepip-version": ("", "Show the version of safepip"),
}
VALUED = tuple(name for name in OPTIONS if OPTIONS[name][0])
FLAGS = tuple(name for name in OPTIONS if name not in VALUED)


class Invocation(Record):
    """What was typed."""

    words: tuple[str, ...]  # for pip
    name: str = "pip"  # the program's name as pip would show it
    version: str | None = None  # the Python version in that name: "3", "3.12"
    module: bool = False  # as `python -m safepip`
    shim: bool = False  # called as pip
    system: bool = False
    env: str | None = None
    project: str | None = None
    route: str | None = None  # "app" or "lib"
    save: str | None = None  # what --save names, "" for the project's own file
    show_version: bool = False
    verb: str | None = None  # one of VERBS, or "help"
    arguments: tuple[str, ...] = ()  # of the verb
    error: str | None = None  # what is wrong with safepip's own options

    def accepts(self, minor: str) -> bool:
        """Return True unless the name asks for another Python than `minor`."""
        if self.version is None or "." not in self.version:
            return True
        return self.version == minor


def read_invocation(program: str, argv: Sequence[str], *, module: bool = False) -> Invocation:
    """Read safepip's own part of a command line.

    `program` is the path it was called by. Called as pip, pip3, pip3.12 or pip-3.12, every word is pip's. Called
    as anything else, safepip's own options count up to the subcommand, and its verbs as that.
    """
    if module:
        return with_own_words(Invocation(words=(), module=True), argv)
    name = os.path.basename(program)
    if name.lower().endswith(".exe"):
        name = name[:-4]
    version = _version_of(name)
    if version is None:
        return with_own_words(Invocation(words=()), argv)
    return Invocation(words=tuple(argv), name=name, version=version or None, shim=True)


def with_own_words(invocation: Invocation, argv: Sequence[str]) -> Invocation:
    """Return the invocation with safepip's options and verb in `argv`."""
    kept: list[str] = []
    own_fields: dict[str, object] = {}
    index = 0
    while index < len(argv) and _is_option(argv[index]):
        own = _own_option(*argv[index : index + 2])
        if own is None:
            width = _width(argv[index])
            kept.extend(argv[index : index + width])
        else:
            fields, width = own
            own_fields.update(fields)
        index += width
    rest = tuple(argv[index:])
    if "save" in own_fields and rest[:1] not in {("install",), ("uninstall",)}:
        own_fields["error"] = "--save goes before install or uninstall"
    asked = _verb_of(rest)
    if asked is not None:
        own_fields["verb"], own_fields["arguments"] = asked
    return replace(invocation, words=(*kept, *rest), **own_fields)


def _own_option(word: str, following: str = "") -> tuple[dict[str, object], int] | None:
    """Return what an option of safepip's sets, and its width in words."""
    name, equals, value = word.partition("=")
    if name in VALUED:
        width = 1
        if not equals:
            value, width = following, 2
        fields: dict[str, object] = {name[2:]: value}
        if not value:
            fields["error"] = f"{name} needs a directory"
        return fields, width
    match name:
        case "--save":  # it has a value only behind "="
            return {"save": value}, 1
        case "--app" | "--lib" if not equals:
            return {"route": name[2:]}, 1
        case "--system" if not equals:
            return {"system": True}, 1
        case "--safepip-version" if not equals:
            return {"show_version": True}, 1
    return None


def _version_of(name: str) -> str | None:
    """Return the version in a name of pip's, else None."""
    if not name.startswith("pip"):
        return None
    rest = name[3:].removeprefix("-")
    if name == "pip":
        return ""
    numbers = rest.split(".")
    if len(numbers) <= 2 and all(map(str.isdecimal, numbers)):
        return rest
    return None


def _is_option(word: str) -> bool:
    return word.startswith("-") and word not in {"-", "--"}


def _width(word: str) -> int:
    """Return how many words a global option of pip's takes, itself included."""
    if not word.startswith("--"):  # no short option takes a value
        return 1
    if "=" in word:
        return 1
    if word in GLOBAL_OPTIONS:
        takes_value = GLOBAL_OPTIONS[word]
    else:
        abbreviated = [takes for option, takes in GLOBAL_OPTIONS.items() if option.startswith(word)]
        takes_value = abbreviated == [True]  # pip refuses what abbreviates several
    return 1 + takes_value


def _verb_of(rest: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
    """Return the verb asked for and its arguments, or None."""
    match rest:
        case (verb, *arguments) if verb in VERBS:
            return verb, tuple(arguments)
        case ("help", verb) if verb in VERBS:
            return verb, ("--help",)
        case ("help", "env" | "app" as verb, word):
            return verb, (word, "--help")
        case ("help", topic) | ("help", topic, "--no-pager") if topic in TOPICS:
            return "help", rest[1:]
    return None
