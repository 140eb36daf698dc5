"""safepip hook SHELL complete AT WORD…: what may stand at a word of a line, for the completion of a shell.

What a hook asks at a prompt is answered by shells/hook.py, before any of this is loaded.
"""

from __future__ import annotations

import glob
import os
import pkgutil
import subprocess
import sys

from safepip.core.invocation import FLAGS, TOPICS, VALUED, VERBS, read_invocation
from safepip.core.pip_options import SUBCOMMANDS
from safepip.envs import history
from safepip.envs.in_force import in_force
from safepip.errors import USAGE, SafepipError
from safepip.report import shown
from safepip.shells.detect import LANGUAGES
from safepip.system.environment import USABLE
from safepip.system.interpreter import BIN, EXE, is_program
from safepip.system.process import inherited

from .history import line_of
from .init import own_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context

    Words = dict[str, str]  # what may stand there, and what it means

_USAGE = "safepip hook SHELL, as the code that `safepip init SHELL` prints asks for it"
_PATIENCE = 10  # seconds for pip's own completion
_FILES = "files"  # files complete there

_VERBS: Words = {verb: told for verb, told in VERBS.items() if verb != "hook"}
_OPTIONS: Words = {
    "--system": "no routing, this once",
    "--app": "with pipx",
    "--lib": "into an environment",
    "--env": "use exactly this environment",
    "--project": "as if started in that directory",
    "--save": "record what this line installs or removes",
    "--safepip-version": "show safepip's own version",
}
_JSON: Words = {"--json": "as JSON"}
_SHELLS: Words = {shell: f"code for {shell}" for shell in dict.fromkeys(LANGUAGES.values())}
# What may stand behind a verb, and behind a word behind that.
_BEHIND: dict[str, Words] = {
    "env": {
        "path": "print the path of the environment for this place",
        "list": "show all environments that safepip made or adopted",
        "info": "show what is known of an environment",
        "create": "make the environment for this place, and install nothing",
        "remove": "remove an environment that safepip made",
        "prune": "show which environments are not needed any more",
        "trust": "let an environment that others made be used",
        "repair": "rebuild an environment with the same packages",
    },
    "env list": _JSON,
    "env info": _JSON,
    "env create": {
        "--python": "the Python to make it from",
        "--system-site-packages": "let it see that Python's packages",
    },
    "env remove": {"--yes": "with what is installed in it, too"},
    "env prune": {"--unused": "those too that were not used for so many days", "--yes": "remove them"},
    "env trust": {"--list": "print the paths of those that are trusted", "--revoke": "take the trust back"},
    "app": {
        "install": "install an application",
        "list": "list installed applications",
        "upgrade": "upgrade an application",
        "upgrade-all": "upgrade all applications",
        "uninstall": "uninstall an application",
        "uninstall-all": "uninstall all applications",
        "inject": "install packages into an application's environment",
        "uninject": "uninstall injected packages",
        "reinstall": "reinstall an application",
        "reinstall-all": "reinstall all applications",
        "run": "run an application without installing it",
        "runpip": "run pip in an application's environment",
        "pin": "keep an application at its version",
        "unpin": "let an application be upgraded again",
        "ensurepath": "put the programs' directory on PATH",
        "environment": "print pipx's variables and directories",
    },
    "doctor": {**_JSON, "--managed": "which Python is managed"},
    "history": _JSON,
    "undo": {"--to": "go to the state after an entry of the history"},
    "upgrade": {**_JSON, "--dry-run": "only show what would be upgraded"},
    "init": {
        **_SHELLS,
        "--write": "write the line into the shell's start-up file",
        "--undo": "remove the line from the shell's start-up file",
        "--no-activate": "without activating the project's environment",
    },
    "shims": {"--python": "python and python3, too"},
}
_WITH_FILES = ("shims", "env path", "env info", "env create", "env remove", "env trust", "env repair")


def main(words: tuple[str, ...], context: Context, _report: Report) -> int:
    """Print one word a line, for most shells with a description behind a tab."""
    if words[:1] in {("--help",), ("-h",)}:
        sys.stdout.write(f"usage: {_USAGE}\n")
        return 0
    if len(words) < 3 or words[0] not in LANGUAGES or words[1] != "complete" or not words[2].isdecimal():
        raise SafepipError(USAGE, f"usage: {_USAGE}")
    shell, at, line = words[0], int(words[2]), words[3:]
    if shell == "tcsh":  # its whole line is in a variable
        typed = context.ambient.environ.get("COMMAND_LINE", "")
        line = tuple(typed.split())
        at = len(line) - (not typed.endswith(" "))
    current = "".join(line[at : at + 1])
    found = _completions(line[:at], current, context)
    matching = {word: told for word, told in found.items() if word.startswith(current) and word != _FILES}
    if _FILES in found and shell not in {"bash", "zsh"}:  # which complete files by themselves
        matching.update(_files(current))
    sys.stdout.write("".join(_line(shell, word, told) for word, told in matching.items()))
    return 0


def _line(shell: str, word: str, told: str) -> str:
    if shell in {"bash", "tcsh", "sh"} or (not told and shell != "zsh"):
        return f"{word}\n"
    if shell == "zsh":  # as _describe reads it
        return word.replace(":", "\\:") + (f":{shown(told)}\n" if told else "\n")
    return f"{word}\t{shown(told)}\n"


def _completions(before: tuple[str, ...], current: str, context: Context) -> Words:
    """Return what may stand behind the words `before`, which begin with the program's name."""
    program, typed = os.path.basename("".join(before[:1])), before[1:]
    if typed[-1:] and typed[-1] in VALUED:
        return {_FILES: ""}
    told = read_invocation("safepip", typed)
    if told.verb is not None and told.verb != "help":
        return _behind(told.verb, told.arguments, current, context)
    if typed[-1:] == ("help",):
        return {**_topics(), **dict.fromkeys(SUBCOMMANDS, "pip's")}
    pips = _of_pip((*before, current), len(before))
    is_first = not [word for word in told.words if not word.startswith("-")]
    if is_first and program == "safepip":
        options = {option: told for option, told in _OPTIONS.items() if option in (*FLAGS, *VALUED)}
        return {**_VERBS, "help": "show help", **options, **pips}
    return pips


def _topics() -> Words:
    return {**_VERBS, **dict.fromkeys(TOPICS, "a page of safepip's")}


def _behind(verb: str, typed: tuple[str, ...], current: str, context: Context) -> Words:
    """Return what may stand behind a verb of safepip's: words of pip's only in a line to explain."""
    if verb == "run":
        return _of_run(typed, context)
    if verb == "explain":
        return _of_explain(typed, current)
    if verb == "undo" and typed[-1:] == ("--to",):
        return _history(context)
    words = [word for word in typed if not word.startswith("-")]
    key = f"{verb} {words[0]}" if words and verb in {"env", "app"} else verb
    found = {word: told for word, told in _BEHIND.get(key, {}).items() if word not in typed}
    if words and verb == "init":
        found = {word: told for word, told in found.items() if word.startswith("-")}
    if key in _WITH_FILES:
        found[_FILES] = ""
    if current.startswith("-"):
        found["--help"] = "show help"
    return found


def _of_run(typed: tuple[str, ...], context: Context) -> Words:
    found = in_force(context)
    if found.state != USABLE or typed not in {(), ("--",), ("-m",)}:
        return {_FILES: ""}
    if typed == ("-m",):
        places = [found.site, context.ambient.cwd or os.sep]
        return {module.name: "module" for module in pkgutil.iter_modules(places)}
    folder = os.path.join(found.path, BIN)
    names = sorted(name for name in os.listdir(folder) if is_program(os.path.join(folder, name)))
    programs = {name.removesuffix(EXE): "program of the environment" for name in names}
    return {**programs, **_files(""), "-m": "run a module", _FILES: ""}


def _of_explain(typed: tuple[str, ...], current: str) -> Words:
    words = [word for word in typed if word not in _JSON]
    if words:
        return _of_pip(("pip", *words, current), len(words) + 1)
    commands = dict.fromkeys(SUBCOMMANDS, "a line that begins so")
    return {**_JSON, **commands, "--help": "show help"}


def _history(context: Context) -> Words:
    found = in_force(context)
    entries = history.read(found.path) if found.state == USABLE else []
    return {**{entry.id: line_of(entry) for entry in reversed(entries)}, "0": "before the first change"}


def _files(current: str) -> Words:
    """Return the files that begin so, directories with a separator."""
    found = sorted(glob.glob(f"{glob.escape(current)}*"))
    return {f"{path}{os.sep}" if os.path.isdir(path) else path: "" for path in found}


def _of_pip(line: tuple[str, ...], at: int) -> Words:
    """Return what pip completes there, by its own protocol."""
    asking = {"COMP_WORDS": " ".join(line), "COMP_CWORD": str(at), "PIP_AUTO_COMPLETE": "1"}
    try:
        done = subprocess.run(
            [own_program()], env={**inherited(), **asking}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {}
    return dict.fromkeys(os.fsdecode(done.stdout).split(), "")
