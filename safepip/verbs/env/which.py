"""Find the environment that a word of `safepip env` is about."""

from __future__ import annotations

import argparse
import os

from safepip.core.record import replace
from safepip.core.world import FOREIGN, NOWHERE, Environment
from safepip.envs.in_force import in_force
from safepip.errors import NO_ENVIRONMENT, SafepipError
from safepip.system.environment import OWN, is_conda, is_environment
from safepip.system.observe import Context
from safepip.verbs.arguments import not_empty


def add_directory(parser: argparse.ArgumentParser) -> None:
    """Let the word take a directory."""
    whose = "an environment or a project (default: of the working directory)"
    parser.add_argument("dir", metavar="DIR", nargs="?", type=not_empty, help=whose)


def named_or_in_force(typed: str | None, context: Context, *, trusted: bool = False) -> Environment:
    """Return the environment that was named, else the one in force here."""
    if typed is None:
        return in_force(context)
    return _named(typed, context, trusted=trusted)


def named_or_of_place(typed: str | None, context: Context) -> Environment:
    """Return the environment that was named, else the place's."""
    if typed is None:
        return of_place(context)
    return _named(typed, context)


def of_place(context: Context) -> Environment:
    """Return the environment that an `install` here makes."""
    if context.named_environment:
        return context.named_environment[1]
    return context.place


def serving(typed: str, context: Context) -> Environment:
    """Return the environment that a directory is, or that serves it."""
    path = directory(typed, context)
    if exists(path):
        return context.examine(path)
    there = Context(context.invocation, replace(context.ambient, cwd=path), context.tell, keep=False)
    return there.place


def directory(typed: str, context: Context) -> str:
    """Return the real path of a directory that was named."""
    path = os.path.realpath(absolute(typed, context))
    if not os.path.isdir(path):
        raise SafepipError(NO_ENVIRONMENT, f"there is no directory {typed}")
    return path


def absolute(path: str, context: Context) -> str:
    """Return an absolute path with the links in the directories above resolved.

    The environment's own link is kept, since the registry notes environments by that path.
    """
    full = context.absolute(path)
    return os.path.join(os.path.realpath(os.path.dirname(full)), os.path.basename(full))


def exists(path: str) -> bool:
    """Return True if `path` is an environment."""
    return is_environment(path) or is_conda(path)


def is_or_was(path: str) -> bool:
    """Return True for an environment, or for safepip's notes in one's rest."""
    return exists(path) or os.path.isdir(os.path.join(path, OWN))


def _named(typed: str, context: Context, *, trusted: bool = False) -> Environment:
    path = absolute(typed, context)
    if is_or_was(path):
        return context.examine(path, trusted=trusted)
    # `env list` shows projects, so that their directories name their environments.
    of_project = context.of_project(path)
    if of_project is None:
        return context.examine(path, trusted=trusted)
    if of_project.state in {FOREIGN, NOWHERE}:
        return of_project
    return context.examine(of_project.known_as, trusted=trusted)
