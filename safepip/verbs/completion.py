"""Find the words that may stand in a command line.

A verb's words come from its parser. A verb whose words are another program's has `complete(typed, current,
context)` instead.
"""

from __future__ import annotations

import argparse
import glob
import os
import subprocess
from collections.abc import Iterator
from importlib import import_module

from safepip.core.invocation import OPTIONS, TOPICS, VALUED, VERBS, read_invocation
from safepip.core.pip_options import SUBCOMMANDS
from safepip.core.world import USABLE
from safepip.envs import history
from safepip.envs.in_force import in_force
from safepip.shells import LANGUAGES
from safepip.shells.program import own_program
from safepip.system.observe import Context
from safepip.system.process import inherited

from .arguments import Parser
from .history import line_of

Words = dict[str, str]  # a word, and its meaning
FILES = "files"  # stands for the names of files
HIDDEN = "hook"  # a verb for shells, not for people
_PATIENCE = 10  # seconds for pip's own completion


def completions(before: tuple[str, ...], current: str, context: Context) -> Words:
    """Return the words that may follow `before`, a program and its arguments."""
    program, typed = os.path.basename("".join(before[:1])), before[1:]
    last = "".join(typed[-1:])
    if last in VALUED:
        return {FILES: ""}
    read = read_invocation("safepip", typed)
    if read.verb in VERBS:
        module = import_module(f"safepip.verbs.{read.verb}")
        if hasattr(module, "complete"):
            words: Words = module.complete(read.arguments, current, context)
            return words
        return _of_parser(module.parser(), read.arguments, context)
    if last == "help":
        pages = dict.fromkeys(TOPICS, "a page of safepip's")
        return {**_verbs(), **pages, **dict.fromkeys(SUBCOMMANDS, "pip's")}
    pips = of_pip((*before, current), len(before))
    if program != "safepip":
        return pips
    for word in read.words:
        if not word.startswith("-"):  # the subcommand is there already
            return pips
    options = {name: meaning for name, (_, meaning) in OPTIONS.items()}
    return {**_verbs(), "help": "show help", **options, **pips}


def _verbs() -> Words:
    verbs = dict(VERBS)
    del verbs[HIDDEN]
    return verbs


def _of_parser(parser: argparse.ArgumentParser, typed: tuple[str, ...], context: Context) -> Words:
    """Return the options that are left, and words for the next argument."""
    given = [word for word in typed if not word.startswith("-")]
    last = "".join(typed[-1:])
    found: Words = {}
    positionals = []
    for action in parser._actions:  # noqa: SLF001  argparse has no other way to list them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return _of_words(action, given, typed, context)
        if not action.option_strings:
            positionals.append(action)
        elif last in action.option_strings and action.nargs != 0:  # its value is being typed
            return _values(action, context)
        else:
            names = set(action.option_strings).difference(typed)
            found.update(dict.fromkeys(filter(_is_long, names), action.help or ""))
    for action in positionals[len(given) : len(given) + 1]:
        found.update(_values(action, context))
    return found


def _of_words(
    action: argparse._SubParsersAction[Parser], given: list[str], typed: tuple[str, ...], context: Context
) -> Words:
    word = "".join(given[:1])
    if word in action.choices:
        return _of_parser(action.choices[word], typed[typed.index(word) + 1 :], context)
    return {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001


def _is_long(option: str) -> bool:
    return option.startswith("--")


def _values(action: argparse.Action, context: Context) -> Words:
    # The name in the help says what kind of value it is.
    match action.metavar:
        case "DIR" | "MODEL":
            return {FILES: ""}
        case "SHELL":
            return {shell: f"code for {shell}" for shell in LANGUAGES.values()}
        case "ID":
            return dict(_entries(context))
        case _:
            return {}


def _entries(context: Context) -> Iterator[tuple[str, str]]:
    """Yield the ids of the history, the latest first."""
    found = in_force(context)
    if found.state == USABLE:
        for entry in reversed(history.read(found.path)):
            yield entry.id, line_of(entry)
    yield history.START, "before the first change"


def files(current: str) -> Words:
    """Return the files that begin so, directories with a separator."""
    found: Words = {}
    for path in sorted(glob.glob(f"{glob.escape(current)}*")):
        if os.path.isdir(path):
            path = os.path.join(path, "")  # noqa: PLW2901  the same path, completed
        found[path] = ""
    return found


def of_pip(line: tuple[str, ...], at: int) -> Words:
    """Return the words that pip completes there, by its own protocol."""
    asking = {"COMP_WORDS": " ".join(line), "COMP_CWORD": str(at), "PIP_AUTO_COMPLETE": "1"}
    try:
        done = subprocess.run(
            [own_program()], env={**inherited(), **asking}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {}
    return dict.fromkeys(os.fsdecode(done.stdout).split(), "")
