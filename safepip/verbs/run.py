"""safepip run [--] CMD…: the program CMD as if the environment of this place were active."""

from __future__ import annotations

import os
import sys

from safepip._record import changed
from safepip.context import Context
from safepip.environment import USABLE
from safepip.errors import NO_ENVIRONMENT, NOT_FOUND, USAGE, SafepipError
from safepip.execute import entered, start
from safepip.interpreter import BIN, candidates, is_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.environment import Environment
    from safepip.report import Report

_USAGE = "safepip run [--] PROGRAM [ARGUMENTS], safepip run FILE.py, safepip run -m MODULE"


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Become the program that `words` name; signals, exit code, stdin and terminal are its own."""
    words = words[1:] if words[:1] == ("--",) else words
    if words[:1] in {("--help",), ("-h",)}:
        sys.stdout.write(f"usage: {_USAGE}\n")
        return 0
    if not words or (words[0].startswith("-") and words[0] != "-m"):
        raise SafepipError(USAGE, "which program?", _USAGE)
    found = _environment(context, report)
    argv = _argv(words, found, context)
    return start(argv, entered(found.path, os.environ))


def _environment(context: Context, report: Report) -> Environment:
    """Return the environment in force: a named or active one, the project's, or the home environment."""
    candidate = context.named[1] if context.named else context.active or context.place
    if candidate.state == USABLE:
        return candidate
    if candidate.reason:
        raise SafepipError(NO_ENVIRONMENT, f"{context.shown(candidate)} {candidate.reason}", "safepip env repair")
    home = changed(context.ambient, cwd=None)
    fallback: Environment = Context(context.invocation, home, context.tell).place
    if fallback.state != USABLE:
        what = f"there is no {context.shown(candidate)} here yet"
        raise SafepipError(NO_ENVIRONMENT, what, "make it by installing something: safepip install …")
    report.say(f"there is no {context.shown(candidate)}; running it in the home environment {fallback.path}")
    return fallback


def _argv(words: tuple[str, ...], found: Environment, context: Context) -> tuple[str, ...]:
    """Return what to start: a module, a Python file, a program by path, or one of the environment's."""
    name = words[0]
    if name == "-m":
        return (found.python, *words)
    if name.endswith(".py") and os.path.isfile(name) and not os.access(name, os.X_OK):
        return (found.python, *words)
    if os.sep in name:
        return (os.path.abspath(name), *words[1:])
    path = os.path.join(found.path, BIN, name)
    if is_program(path):
        return (path, *words[1:])
    if name.endswith(".py") and os.path.isfile(name):
        return (found.python, *words)
    return (_elsewhere(name, found, context), *words[1:])


def _elsewhere(name: str, found: Environment, context: Context) -> str:
    """Return the program on PATH: an active environment would run that too; 127 where there is none."""
    search = context.ambient.environ.get("PATH", os.defpath)
    path = next(candidates((name,), search, ()), None)
    if path is not None:
        return path
    here = context.shown(found)
    raise SafepipError(NOT_FOUND, f"there is no program {name} in {here}, nor on PATH", f"safepip install {name}")
