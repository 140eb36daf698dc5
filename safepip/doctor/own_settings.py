"""Faults in safepip's own settings."""

from __future__ import annotations

import os
import shlex

from safepip.core.settings import Fault, Settings
from safepip.system.keeper import content

from .finding import Context, Findings, attempt, comment_out, move_aside, problem, warning


def check(context: Context) -> Findings:
    """Look at the settings in force here."""
    settings = attempt(lambda: context.settings, Settings())
    for fault in settings.warnings:
        if fault in settings.faults:  # an install stops at these
            yield problem("setting-wrong", str(fault), _repair(fault))
        else:
            yield warning("setting-wrong", str(fault), _repair(fault))


def _repair(fault: Fault) -> str | None:
    file = fault.origin
    if not file:
        return None
    if file.startswith("SAFEPIP_"):
        return f"unset {file}"
    if not fault.broken and _holds_whole_value(file, fault.line):
        return comment_out(file, fault.line)
    if os.path.basename(file) == "config.toml":  # nothing else reads it, so that all of it may go
        return move_aside(file, ".broken")
    return f'"${{EDITOR:-vi}}" +{fault.line or 1} {shlex.quote(file)}'


def _holds_whole_value(path: str, line: int) -> bool:
    # Of a value in several lines, one alone must not become a comment.
    if not line:
        return False
    lines = content(path).decode("utf-8", "replace").split("\n")
    text = "".join(lines[line - 1 : line])
    for quotes in ('"""', "'''"):
        if quotes in text:  # a text of several lines begins or ends here
            return False
    for begin, end in ("[]", "{}"):
        if text.count(begin) != text.count(end):
            return False
    return "=" in text
