"""The Python that pip serves here, and its marker (PEP 668)."""

from __future__ import annotations

import os

from safepip.core.settings import origin_of
from safepip.errors import SafepipError
from safepip.system.interpreter import is_marked

from .finding import Context, Findings, Interpreter, attempt, comment_out, move_aside, ok, problem, sudo, warning
from .pip_settings import settings_in_force, unset

_VERDICTS = {True: "managed", False: "not managed"}


def check(context: Context) -> Findings:
    """Look at the target interpreter and its marker."""
    setting = _setting(context)
    try:
        target = context.target
    except SafepipError as error:
        # Without words the shim of a version manager has printed its own.
        what = error.what or "the first python on PATH is another tool's shim, and it fails"
        yield problem("python", what, _without_setting(setting, context))
        return
    named = attempt(lambda: dict(context.command.origins).get("python", setting), setting)
    if target.problem:
        yield problem("python", target.problem, _without_setting(named, context))
    elif target.interpreter is None:
        yield ok("python", f"python is {target.python}, of the environment {target.prefix}")
    else:
        version = ".".join(map(str, target.interpreter.version))
        why = f"python is {target.python} (Python {version})"
        if named:
            why += f", by {named}"
        yield ok("python", why)
        yield from _marker(target.interpreter, context)


def _setting(context: Context) -> str:
    """Return where safepip's setting `python` stands, or ""."""
    try:
        settings = context.settings
    except SafepipError:
        return ""
    if not settings.python:
        return ""
    return origin_of(settings, "python") or ""


def _marker(interpreter: Interpreter, context: Context) -> Findings:
    marker, python = interpreter.marker, context.target.python
    if os.path.lexists(marker) and not is_marked(interpreter):
        # pip asks os.path.isfile, so that a directory or a dead link marks nothing.
        aside = move_aside(marker, ".odd", sudo(context, os.path.dirname(marker)))
        yield warning("marker-odd", f"{marker} is not a regular file, so it marks nothing", aside)
    setting = verdict_by_setting(context)
    if setting:
        yield ok("marker", f"{python} counts as {_VERDICTS[context.managed]} by {setting}")
    elif context.managed:
        yield ok("marker", f"{python} is managed by the system: {marker}")
    else:
        yield ok("marker", f"{python} is not managed: there is no {marker}")


def verdict_by_setting(context: Context) -> str:
    """Return the setting that decides whether the target is managed, or ""."""
    interpreter = context.target.interpreter
    if interpreter is None:  # an environment's
        return ""
    if context.managed == is_marked(interpreter):
        return ""
    key = "managed" if context.managed else "unmanaged"
    return f"the setting {key} ({origin_of(context.settings, key)})"


def _without_setting(where: str, context: Context) -> str | None:
    # A variable, else a setting of pip's files, else "file:line" of a safepip one.
    if where.startswith(("SAFEPIP_", "PIP_")):
        return f"unset {where}"
    for setting in settings_in_force(context):
        if setting.key == "python" and setting.where == where:
            return unset(setting, context)
    file, _, line = where.rpartition(":")
    if line.isdecimal():
        return comment_out(file, int(line))
    return None
