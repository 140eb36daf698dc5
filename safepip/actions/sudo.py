"""Become the user behind sudo, before a project is read.

For pip's lines `decide` orders it (rows 5 and 10); `of_user_behind_sudo` repeats that rule for verbs.
"""

from __future__ import annotations

import os
import sys

from safepip.errors import REFUSED, SafepipError
from safepip.system.observe import Context, ambient, apply_changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report

_ROOTS_OWN = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")
_SUDO = ("SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND")


def of_user_behind_sudo(context: Context, report: Report) -> Context:
    """Return the context for a verb, stepped down where pip's lines are."""
    # Root must not read the user's project, and would change root's own environments.
    if context.sudo_user is None:
        return context
    if context.named_environment or context.active:
        return context
    return stepped_down(context, report)


def stepped_down(context: Context, report: Report) -> Context:
    """Return the context as the user behind sudo, except with --system."""
    if context.sudo_user is None or context.invocation.system:
        return context
    step_down(*context.sudo_user, report)
    return Context(context.invocation, ambient(), report.debug)


def step_down(uid: int, gid: int, report: Report) -> None:
    """Give up root for that user, for good."""
    if sys.platform == "win32":
        raise _impossible(uid, "Windows has no such users")
    import pwd  # noqa: PLC0415  not on Windows

    try:
        entry = pwd.getpwuid(uid)
        if gid < 0:  # sudo did not say which
            gid = entry.pw_gid
        os.initgroups(entry.pw_name, gid)
        os.setgid(gid)
        os.setuid(uid)  # last: nobody else may set groups
    except (KeyError, OSError, OverflowError) as error:
        raise _impossible(uid, str(error)) from None
    for path in (sys.executable, os.__file__, __file__):
        if not os.access(path, os.R_OK):
            raise _impossible(uid, f"it cannot read {path}, which safepip needs")
    changes: dict[str, str | None] = dict.fromkeys((*_ROOTS_OWN, *_SUDO))
    changes.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)
    apply_changes(tuple(changes.items()))
    os.umask(os.umask(0o022) & 0o777 | 0o022)
    report.say(f"going on as {entry.pw_name}, not as root (root: safepip --system)")


def _impossible(uid: int, why: str) -> SafepipError:
    what = f"root cannot step down to user {uid}, who called sudo: {why}"
    ways = ("type it without sudo", "to stay root: sudo safepip --system …")
    return SafepipError(REFUSED, what, *ways)
