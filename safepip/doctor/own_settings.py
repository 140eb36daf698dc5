"""safepip's own settings: what is wrong in them, and what takes the fault out."""

from __future__ import annotations

import os
import shlex

from safepip.core.settings import Settings
from safepip.system.project_tools.detect import content

from .finding import comment_out, known, move_aside, problem, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.settings import Fault

    from .finding import Context, Findings


def check(context: Context) -> Findings:
    """Tell what is wrong with the settings in force here."""
    settings = known(lambda: context.settings, Settings())
    for fault in settings.warnings:
        make = problem if fault in settings.faults else warning
        yield make("setting-wrong", str(fault), _repair(fault))


def _repair(fault: Fault) -> str | None:
    if fault.origin.startswith("SAFEPIP_"):
        return f"unset {fault.origin}"
    if fault.line and not fault.broken and _holds_whole_value(fault.origin, fault.line):
        return comment_out(fault.origin, fault.line)
    if os.path.basename(fault.origin) == "config.toml":  # safepip's alone
        return move_aside(fault.origin, ".broken")
    return f'"${{EDITOR:-vi}}" +{fault.line or 1} {shlex.quote(fault.origin)}' if fault.origin else None


def _holds_whole_value(path: str, line: int) -> bool:
    """Return True if the line holds a key and all of its value, so that it can be taken out alone."""
    lines = content(path).decode("utf-8", "replace").split("\n")
    text = "".join(lines[line - 1 : line])
    is_open = text.count("[") != text.count("]") or text.count("{") != text.count("}")
    is_long = '"""' in text or "'''" in text
    return "=" in text and not is_open and not is_long
