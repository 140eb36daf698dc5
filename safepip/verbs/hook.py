"""safepip hook SHELL complete AT WORD…: what may stand at a word of a line, for the completion of a shell.

What a hook asks at a prompt is answered by shells/hook.py, before any of this is loaded.
"""

from __future__ import annotations

import argparse
import glob
import os
import pkgutil
import subprocess
import sys
from importlib import import_module

from safepip.core.invocation import OPTIONS, TOPICS, VALUED, VERBS, read_invocation
from safepip.core.pip_options import SUBCOMMANDS
from safepip.core.world import BIN, EXE, USABLE
from safepip.envs import history
from safepip.envs.in_force import in_force
from safepip.errors import USAGE, SafepipError
from safepip.report import printable
from safepip.shells.detect import LANGUAGES
from safepip.shells.program import own_program
from safepip.system.interpreter import is_program
from safepip.system.process import inherited

from . import explain
from .history import line_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context

    Words = dict[str, str]  # what may stand there, and what it means

_USAGE = "safepip hook SHELL, as the code that `safepip init SHELL` prints asks for it"
_PATIENCE = 10  # seconds for pip's own completion
_FILES = "files"  # files complete there

_VERBS: Words = {verb: told for verb, told in VERBS.items() if verb != "hook"}
_SHELLS: Words = {shell: f"code for {shell}" for shell in dict.fromkeys(LANGUAGES.values())}
_OF_PIPX: Words = {
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
}


def main(words: tuple[str, ...], context: Context, _report: Report) -> int:
    """Print one word a line, for most shells with a description behind a tab."""
    if words[:1] in {("--help",), ("-h",)}:
        sys.stdout.write(f"usage: {_USAGE}\n")
        return 0
    match words:
        case (shell, "complete", number, *line) if shell in LANGUAGES and number.isdecimal():
            at = int(number)
        case _:
            raise SafepipError(USAGE, f"usage: {_USAGE}")
    if shell == "tcsh":  # its whole line is in a variable
        typed = context.ambient.environ.get("COMMAND_LINE", "")
        line = typed.split()
        at = len(line) if typed.endswith(" ") else len(line) - 1
    current = "".join(line[at : at + 1])
    found = _completions(tuple(line[:at]), current, context)
    has_files = found.pop(_FILES, None) is not None
    matching = _matching(found, current)
    if has_files and shell not in {"bash", "zsh"}:  # which complete files by themselves
        matching.update(_files(current))
    sys.stdout.write("".join(_line(shell, word, told) for word, told in matching.items()))
    return 0


def _matching(found: Words, current: str) -> Words:
    """Return the words that begin like the current one; options only if they were begun, or alone fit."""
    matching = {word: told for word, told in found.items() if word.startswith(current)}
    if current.startswith("-"):
        return matching
    plain = {word: told for word, told in matching.items() if not word.startswith("-")}
    return plain or matching


def _line(shell: str, word: str, told: str) -> str:
    """Return a line of the answer as the shell reads it; zsh's _describe splits it at the colon."""
    if shell == "zsh":
        word = word.replace(":", "\\:")
    if not told or shell in {"bash", "tcsh", "sh"}:
        return f"{word}\n"
    separator = ":" if shell == "zsh" else "\t"
    return f"{word}{separator}{printable(told)}\n"


def _completions(before: tuple[str, ...], current: str, context: Context) -> Words:
    """Return what may stand behind the words `before`, which begin with the program's name."""
    program, typed = os.path.basename("".join(before[:1])), before[1:]
    last = "".join(typed[-1:])
    if last in VALUED:
        return {_FILES: ""}
    told = read_invocation("safepip", typed)
    if told.verb is not None and told.verb != "help":
        return _behind(told.verb, told.arguments, current, context)
    if last == "help":
        pages = dict.fromkeys(TOPICS, "a page of safepip's")
        return {**_VERBS, **pages, **dict.fromkeys(SUBCOMMANDS, "pip's")}
    pips = _of_pip((*before, current), len(before))
    is_first = all(word.startswith("-") for word in told.words)
    if is_first and program == "safepip":
        options = {name: told for name, (_, told) in OPTIONS.items()}
        return {**_VERBS, "help": "show help", **options, **pips}
    return pips


def _behind(verb: str, typed: tuple[str, ...], current: str, context: Context) -> Words:
    """Return what may stand behind a verb of safepip's: words of pip's only in a line to explain."""
    match verb:
        case "run":
            return _of_run(typed, context)
        case "explain":
            return _of_explain(typed, current)
        case "app":
            return {} if typed else dict(_OF_PIPX)
        case "undo" if typed[-1:] == ("--to",):
            return _history(context)
    found = _of_verb(verb, [word for word in typed if not word.startswith("-")])
    return {word: told for word, told in found.items() if word not in typed}


def _of_verb(verb: str, words: list[str]) -> Words:
    found = _of_parser(import_module(f"safepip.verbs.{verb}").parser(), words)
    return {**_SHELLS, **found} if verb == "init" and not words else found


def _of_parser(parser: argparse.ArgumentParser, words: list[str]) -> Words:
    """Return the options that a parser knows, and what may stand where it expects a word."""
    found: Words = {}
    for action in parser._actions:  # noqa: SLF001  argparse tells it in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            below = action.choices.get("".join(words[:1]))
            if below is not None:
                return _of_parser(below, words[1:])
            for choice in action._choices_actions:  # noqa: SLF001
                found[choice.dest] = choice.help or ""
        elif action.metavar == "DIR" and not action.option_strings:
            found[_FILES] = ""
        for name in action.option_strings:
            if name.startswith("--"):
                found[name] = action.help or ""
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
    words = [word for word in typed if word != "--json"]
    if words:
        return _of_pip(("pip", *words, current), len(words) + 1)
    return {**_of_parser(explain.parser(), []), **dict.fromkeys(SUBCOMMANDS, "a line that begins so")}


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
