"""safepip doctor: show what is wrong here, and what repairs it."""

from __future__ import annotations

import os
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Literal

from safepip.actions.sudo import of_user_behind_sudo
from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.doctor import examine
from safepip.doctor.finding import Finding
from safepip.doctor.target import verdict_by_setting
from safepip.errors import NOT_FOUND, SafepipError
from safepip.report import Report, printable, without_credentials
from safepip.system.interpreter import python_on_path
from safepip.system.observe import Context

from .arguments import Parser, for_verb, not_empty
from .output import show, show_json

_WIDTH = 80
_MARKS = {"ok": "ok", "warning": "warn", "problem": "FAIL"}
_COLOURS = {"ok": "32", "warning": "33", "problem": "31"}


def parser() -> Parser:
    """Return the parser of `doctor`."""
    made = for_verb("doctor", example="safepip doctor")
    either = made.add_mutually_exclusive_group()
    either.add_argument("--json", action="store_true", help="print one JSON object instead of lines for people")
    managed = "only tell whether PYTHON, or the one that pip serves here, is managed by a system (PEP 668)"
    either.add_argument("--managed", metavar="PYTHON", nargs="?", const=True, type=not_empty, help=managed)
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Print the findings, or a verdict, and return 1 for bad ones."""
    said = parser().parse_args(words)
    context = of_user_behind_sudo(context, report)
    if said.managed is not None:
        return _tell_managed(said.managed, context)
    # Doctor answers for an install typed here, with the options that stand before `doctor`.
    typed: Invocation = replace(context.invocation, words=("install", "x"), verb=None, arguments=())
    found = examine(Context(typed, context.ambient, context.tell, keep=False))
    if said.json:
        show_json({"findings": list(map(_as_json, found))})
    else:
        # https://no-color.org
        colour = sys.stdout.isatty() and "NO_COLOR" not in context.ambient.environ
        for line in lines(found, colour=colour):
            sys.stdout.write(f"{line}\n")
    for one in found:
        if one.status == "problem":
            return 1  # for scripts and CI
    return 0


def _as_json(one: Finding) -> dict[str, str | None]:
    # The index of pip in a reason or command may have a password.
    command = one.command
    if command is not None:
        command = without_credentials(command)
    return {"id": one.id, "status": one.status, "why": without_credentials(one.why), "command": command}


def lines(found: tuple[Finding, ...], *, colour: bool = False) -> Iterator[str]:
    """Yield the findings for people."""
    for one in found:
        # Only reasons are wrapped: a command in two lines cannot be copied.
        wrapped = textwrap.wrap(printable(one.why), _WIDTH - 6, break_long_words=False, break_on_hyphens=False)
        mark = _MARKS[one.status].ljust(6)
        if colour:
            mark = f"\x1b[{_COLOURS[one.status]}m{mark}\x1b[0m"
        yield mark + "".join(wrapped[:1])
        for line in wrapped[1:]:
            yield f"      {line}"
        if one.command:
            yield f"        {printable(one.command)}"
    yield _summary(found)


def _summary(found: tuple[Finding, ...]) -> str:
    counts = Counter(one.status for one in found)
    said = []
    for status in ("problem", "warning"):
        if counts[status] == 1:
            said.append(f"1 {status}")
        elif counts[status]:
            said.append(f"{counts[status]} {status}s")
    return ", ".join(said) or "nothing is wrong"


def _tell_managed(named: str | Literal[True], context: Context) -> int:
    words: tuple[str, ...] = ()
    if named is not True:  # else the one that pip serves here
        if os.sep not in named and not os.path.isdir(named):
            named = python_on_path(named, context.ambient.environ)
        words = ("--python", named)
    invocation: Invocation = replace(context.invocation, words=words)
    asked = Context(invocation, context.ambient, context.tell, keep=False)
    target = asked.target
    if target.problem:
        raise SafepipError(NOT_FOUND, target.problem)
    # PEP 668: the marker says nothing about environments.
    if target.interpreter is None or target.interpreter.is_virtual:
        show(f"{target.python} is not managed: it lies in an environment")
        return 1
    marker = target.interpreter.marker
    if asked.managed:
        code, verdict, reason = 0, "is managed", marker
    else:
        code, verdict, reason = 1, "is not managed", f"there is no {marker}"
    setting = verdict_by_setting(asked)
    if setting:
        reason = f"by {setting}"
    show(f"{target.python} {verdict}: {reason}")
    return code
