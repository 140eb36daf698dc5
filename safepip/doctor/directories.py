"""The directories of safepip's cache, state and data: whether it can write there."""

from __future__ import annotations

import os
import shlex
import sys

from safepip.system.environment import names_in
from safepip.system.files import is_in
from safepip.system.project import owner

from .finding import ok, problem, warning
from .surroundings import existing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .finding import Ambient, Context, Finding, Findings

_MOVES = {"cache": "XDG_CACHE_HOME", "state": "XDG_STATE_HOME", "data": "XDG_DATA_HOME"}
_FOR_ALL, _STICKY = 0o002, 0o1000


def check(context: Context) -> Findings:
    """Look at each of the three directories."""
    looked_at = faults = 0
    for role, path in (("cache", context.cache), ("state", context.state), ("data", context.data)):
        if path is None:
            continue
        if context.ambient.home is not None and not os.path.isdir(existing(path)):
            continue  # the home directory is a file or missing, which another check tells
        looked_at += 1
        finding = _first_fault(role, path, context.ambient)
        if finding is not None:
            faults += 1
            yield finding
    if looked_at and not faults:
        yield ok("folders", "safepip's cache, state and data can be written")


def _first_fault(role: str, path: str, ambient: Ambient) -> Finding | None:
    for at in _levels(path):
        fault = _fault(at, path, ambient)
        if fault:
            return _finding(role, path, at, fault, ambient)
    return None


def _levels(path: str) -> list[str]:
    at = existing(path)
    if at != path:
        return [at]
    levels = [at]
    for name in sorted(names_in(path)):
        inside = os.path.join(path, name)
        if os.path.isdir(inside):
            levels.append(inside)
    return levels


def _fault(at: str, path: str, ambient: Ambient) -> str:
    """Return "owner", "mode", "open" or "read-only" for a fault, or ""."""
    try:
        stat = os.stat(at)
    except OSError:
        return "mode"
    is_writable = os.access(at, os.W_OK | os.X_OK)
    if ambient.platform == "win32":  # its modes and owners mean nothing
        return "" if is_writable else "mode"
    is_anothers = ambient.user not in {0, stat.st_uid}
    if not is_in(at, path):  # a directory above safepip's may be another user's, or open to all
        return "" if is_writable else _why_read_only(at, ambient.home, is_anothers=is_anothers)
    if is_anothers:
        return "owner"
    if not is_writable:
        return _why_read_only(at, ambient.home, is_anothers=False)
    if stat.st_mode & (_FOR_ALL | _STICKY) == _FOR_ALL:
        return "open"
    return ""


def _why_read_only(at: str, home: str | None, *, is_anothers: bool) -> str:
    if _is_read_only(at):
        return "read-only"
    if is_anothers and _is_in_home(at, home):  # as after `sudo pip` with the user's HOME
        return "owner"
    return "mode"


def _is_read_only(path: str) -> bool:
    if sys.platform == "win32":
        return False
    return bool(os.statvfs(path).f_flag & getattr(os, "ST_RDONLY", 1))


def _is_in_home(path: str, home: str | None) -> bool:
    if home in {None, os.sep}:  # a container's user without a name has / as home
        return False
    return is_in(path, home)


def _finding(role: str, path: str, at: str, fault: str, ambient: Ambient) -> Finding:
    make = problem
    if role == "cache" or fault == "open":  # without a cache everything works, only slower
        make = warning
    name, typed, variable = f"{role}-folder", shlex.quote(at), _MOVES[role]
    if fault == "open":
        return make(name, f"{at} can be written by everybody", f"chmod go-w {typed}")
    if fault == "owner":
        why = f"{at} belongs to another user: safepip cannot write its {role} there"
        recursive = "-R " if at.startswith(path) else ""
        return make(name, why, f'sudo chown {recursive}"$USER" {typed}')
    why = f"{at} cannot be written: safepip keeps its {role} there"
    if variable in ambient.environ:
        return make(name, why, f"unset {variable}")
    if fault == "mode" and ambient.user in {0, owner(at, follow=True)}:
        return make(name, why, f"chmod u+rwx {typed}")
    return make(name, why, f'export {variable}="$(mktemp -d)"')
