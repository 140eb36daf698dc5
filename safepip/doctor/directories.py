"""The directories that safepip keeps its cache, state and data in: whether it can write there."""

from __future__ import annotations

import os
import shlex
import sys

from safepip.system.environment import names_in
from safepip.system.project import owner

from .finding import ok, problem, warning
from .surroundings import existing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .finding import Ambient, Context, Finding, Findings

_MOVES = {"cache": "XDG_CACHE_HOME", "state": "XDG_STATE_HOME", "data": "XDG_DATA_HOME"}


def check(context: Context) -> Findings:
    """Look at each of the three directories."""
    looked_at, faults = 0, 0
    for role, path in (("cache", context.cache), ("state", context.state), ("data", context.data)):
        if path is None or (context.ambient.home is not None and not os.path.isdir(existing(path))):
            continue
        looked_at += 1
        for at in _levels(path):
            fault = _fault(at, path, context.ambient)
            if fault:
                yield _finding(role, path, at, fault, context.ambient)
                faults += 1
                break
    if looked_at and not faults:
        yield ok("folders", "safepip's cache, state and data can be written")


def _levels(path: str) -> list[str]:
    """Return the directory, or the nearest above it that exists, and the directories in it."""
    at = existing(path)
    inside = [os.path.join(path, name) for name in sorted(names_in(path))] if at == path else []
    return [at, *filter(os.path.isdir, inside)]


def _fault(at: str, path: str, ambient: Ambient) -> str:
    """Return "owner", "mode", "open" or "read-only" for what is wrong with `at`, or "".

    A directory above safepip's own may be open to others.
    """
    try:
        stat = os.stat(at)
    except OSError:
        return "mode"
    writable = os.access(at, os.W_OK | os.X_OK)
    if ambient.platform == "win32":  # modes say nothing there
        return "" if writable else "mode"
    inside = _is_below(at, path)
    mine = ambient.user in {0, stat.st_uid}
    if inside and not mine:
        return "owner"
    if not writable:
        return _why_read_only(at, mine=mine, home=ambient.home)
    is_open = stat.st_mode & 0o1002 == 0o002  # writable by everybody, and not sticky
    return "open" if inside and is_open else ""


def _why_read_only(at: str, *, mine: bool, home: str | None) -> str:
    if _is_read_only(at):
        return "read-only"
    return "owner" if not mine and _is_in_home(at, home) else "mode"


def _is_read_only(path: str) -> bool:
    return sys.platform != "win32" and bool(os.statvfs(path).f_flag & getattr(os, "ST_RDONLY", 1))


def _is_in_home(path: str, home: str | None) -> bool:
    if home is None or home == os.sep:  # the home of a container's user without a name
        return False
    return _is_below(path, home)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _finding(role: str, path: str, at: str, fault: str, ambient: Ambient) -> Finding:
    make = warning if role == "cache" or fault == "open" else problem
    name, quoted, variable = f"{role}-folder", shlex.quote(at), _MOVES[role]
    if fault == "open":
        return make(name, f"{at} can be written by everybody", f"chmod go-w {quoted}")
    if fault == "owner":
        why = f"{at} belongs to another user: safepip cannot write its {role} there"
        recursive = "-R " if at.startswith(path) else ""
        return make(name, why, f'sudo chown {recursive}"$USER" {quoted}')
    why = f"{at} cannot be written: safepip keeps its {role} there"
    if variable in ambient.environ:
        return make(name, why, f"unset {variable}")
    can_be_opened = ambient.user in {0, owner(at, follow=True)}
    if fault == "read-only" or not can_be_opened:
        return make(name, why, f'export {variable}="$(mktemp -d)"')
    return make(name, why, f"chmod u+rwx {quoted}")
