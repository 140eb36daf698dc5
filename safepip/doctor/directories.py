"""The directories of safepip's cache, state and data."""

from __future__ import annotations

import os
import shlex
import sys

from safepip.system.environment import names_in
from safepip.system.files import is_in
from safepip.system.project import owner

from .finding import Ambient, Context, Finding, Findings, ok, problem, warning
from .surroundings import existing

_MOVES = {"cache": "XDG_CACHE_HOME", "state": "XDG_STATE_HOME", "data": "XDG_DATA_HOME"}
_FOR_ALL, _STICKY = 0o002, 0o1000


def check(context: Context) -> Findings:
    """Look at each of the three directories."""
    looked_at = faults = 0
    for role, path in (("cache", context.cache), ("state", context.state), ("data", context.data)):
        if path is None:
            continue
        at = existing(path)
        if context.ambient.home is not None and not os.path.isdir(at):
            continue  # the home directory is a file or missing, which another check tells
        looked_at += 1
        finding = _first_fault(role, path, at, context.ambient)
        if finding is not None:
            faults += 1
            yield finding
    if looked_at and not faults:
        yield ok("folders", "safepip's cache, state and data can be written")


def _first_fault(role: str, path: str, at: str, ambient: Ambient) -> Finding | None:
    """Look at the directory and those in it, or one above."""
    is_above = at != path
    levels = [at]
    if not is_above:
        below = [os.path.join(path, name) for name in sorted(names_in(path))]
        levels += filter(os.path.isdir, below)
    for level in levels:
        fault = _fault(level, ambient, is_above=is_above)
        if fault:
            return _finding(role, path, level, fault, ambient)
    return None


def _fault(at: str, ambient: Ambient, *, is_above: bool) -> str:
    """Return "owner", "mode", "open" or "read-only" for a fault, or ""."""
    try:
        stat = os.stat(at)
    except OSError:
        return "mode"
    is_writable = os.access(at, os.W_OK | os.X_OK)
    if ambient.platform == "win32":  # its modes and owners mean nothing
        if is_writable:
            return ""
        return "mode"
    is_anothers = ambient.user not in {0, stat.st_uid}
    if is_anothers and not is_above:
        return "owner"
    if not is_writable:
        return _why_read_only(at, ambient.home, is_anothers=is_anothers)
    if is_above:  # it may be another user's, or open to all
        return ""
    if stat.st_mode & (_FOR_ALL | _STICKY) == _FOR_ALL:
        return "open"
    return ""


def _why_read_only(at: str, home: str | None, *, is_anothers: bool) -> str:
    if sys.platform != "win32" and os.statvfs(at).f_flag & getattr(os, "ST_RDONLY", 1):
        return "read-only"
    if home in {None, os.sep}:  # a container's user without a name has / as home
        return "mode"
    if is_anothers and is_in(at, home):  # as after `sudo pip` with the user's HOME
        return "owner"
    return "mode"


def _finding(role: str, path: str, at: str, fault: str, ambient: Ambient) -> Finding:
    make = problem
    if role == "cache":  # without a cache everything works, only slower
        make = warning
    name, typed, variable = f"{role}-folder", shlex.quote(at), _MOVES[role]
    if fault == "open":
        return warning(name, f"{at} can be written by everybody", f"chmod go-w {typed}")
    if fault == "owner":
        why = f"{at} belongs to another user: safepip cannot write its {role} there"
        recursive = ""
        if at.startswith(path):
            recursive = "-R "
        return make(name, why, f'sudo chown {recursive}"$USER" {typed}')
    why = f"{at} cannot be written: safepip keeps its {role} there"
    if variable in ambient.environ:
        return make(name, why, f"unset {variable}")
    if fault == "mode" and ambient.user in {0, owner(at, follow=True)}:
        return make(name, why, f"chmod u+rwx {typed}")
    return make(name, why, f'export {variable}="$(mktemp -d)"')
