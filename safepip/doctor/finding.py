"""A finding of doctor, and the words that several checks need."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

from safepip.core.record import Record
from safepip.core.world import Ambient as Ambient  # noqa: PLC0414  for the checks
from safepip.core.world import Environment as Environment  # noqa: PLC0414  for the checks
from safepip.core.world import Interpreter as Interpreter  # noqa: PLC0414  for the checks
from safepip.errors import SafepipError
from safepip.system.observe import Context as Context  # noqa: PLC0414  for the checks

Status = Literal["ok", "warning", "problem"]
T = TypeVar("T")
Findings = Iterator["Finding"]
MOST_NAMES = 3  # in a sentence


class Finding(Record):
    """One finding: its `id`, `status`, the reason, and a command or None."""

    id: str
    status: Status
    why: str
    command: str | None = None


def ok(name: str, why: str) -> Finding:
    """Return a finding that tells how things are."""
    return Finding(id=name, status="ok", why=why)


def warning(name: str, why: str, command: str | None = None) -> Finding:
    """Return a finding that may be in the way."""
    return Finding(id=name, status="warning", why=why, command=command)


def problem(name: str, why: str, command: str | None = None) -> Finding:
    """Return a finding that is in the way."""
    return Finding(id=name, status="problem", why=why, command=command)


def attempt(look: Callable[[], T], otherwise: T) -> T:
    """Return the result of `look`, or `otherwise` if it fails."""
    try:
        return look()
    except SafepipError:
        return otherwise


def target_interpreter(context: Context) -> Interpreter | None:
    """Return the target interpreter, or None."""
    return attempt(lambda: context.target.interpreter, None)


def is_managed(context: Context) -> bool:
    """Return True if the target interpreter is managed."""
    return attempt(lambda: context.managed, False)


def sudo(context: Context, path: str) -> str:
    """Return "sudo " if the user cannot write to `path`."""
    # Root can write everywhere, whatever the modes.
    if context.ambient.user == 0 or os.access(path, os.W_OK):
        return ""
    return "sudo "


def move_aside(path: str, ending: str, prefix: str = "") -> str:
    """Return the command that renames `path`."""
    return f"{prefix}mv {shlex.quote(path)} {shlex.quote(path + ending)}"


def put_first(folder: str) -> str:
    """Return the command that puts a directory first on PATH."""
    return f'export PATH={shlex.quote(folder)}:"$PATH"'


def comment_out(file: str, line: int) -> str:
    """Return the command that makes a comment of a line."""
    return f"sed -i.bak '{line}s/^/# /' {shlex.quote(file)}"
