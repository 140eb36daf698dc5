"""A finding of doctor, and the words that several checks need."""

from __future__ import annotations

import os
import shlex

from safepip.core.record import Record
from safepip.errors import SafepipError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Literal, TypeVar

    from safepip.core.world import Ambient as Ambient  # noqa: PLC0414

    # The checks import these from here.
    from safepip.core.world import Environment as Environment  # noqa: PLC0414
    from safepip.core.world import Interpreter as Interpreter  # noqa: PLC0414
    from safepip.system.observe import Context as Context  # noqa: PLC0414

    Status = Literal["ok", "warning", "problem"]
    T = TypeVar("T")
    Findings = Iterator["Finding"]

_MOST_NAMES = 3  # that a sentence lists


class Finding(Record):
    """What was looked at (`id`), its `status`, the reason, and the command that repairs it, or None."""

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


def known(look: Callable[[], T], otherwise: T) -> T:
    """Return what `look` finds, or `otherwise` where that cannot be found out here."""
    try:
        return look()
    except SafepipError:
        return otherwise


def sudo(context: Context, path: str) -> str:
    """Return "sudo " where the user may not write to `path`."""
    allowed = context.ambient.user == 0 or os.access(path, os.W_OK)
    return "" if allowed else "sudo "


def move_aside(path: str, ending: str, prefix: str = "") -> str:
    """Return the command that renames `path`."""
    return f"{prefix}mv {shlex.quote(path)} {shlex.quote(path + ending)}"


def put_first(folder: str) -> str:
    """Return the command that puts a directory first on PATH."""
    return f'export PATH={shlex.quote(folder)}:"$PATH"'


def comment_out(file: str, line: int) -> str:
    """Return the command that makes a comment of a line, so that nothing is lost."""
    return f"sed -i.bak '{line}s/^/# /' {shlex.quote(file)}"


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
