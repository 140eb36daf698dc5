"""Choose where the environment of a project goes that has none yet."""

from __future__ import annotations

import hashlib
import os
import stat

from safepip.core.record import replace
from safepip.errors import shell_quote

from . import registry
from .directories import at_home
from .environment import is_disposable, target_of
from .project import owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.world import Environment

    from .observe import Context

_LEADS_NOWHERE = ("is a link to nothing", "points at ")  # reasons against what nobody needs any more
_LONGEST_NAME = 64


def new_place(root: str, context: Context) -> Environment:
    """Return the place for the environment of the project whose root is the directory `root`."""
    folder = context.settings.env_dir
    if folder == "central":
        return central(root, context)
    path = os.path.normpath(os.path.join(root, at_home(folder, context.ambient.home)))
    if context.leads_out(path, root):
        return context.led_out(path)
    taken = _taken(path, root, context)
    if taken:
        return central(root, context, reason=f"{context.typed_path(path)} {taken}")
    if not os.path.lexists(path) and _is_open_to_others(root, context):
        return central(root, context, reason=f"others can rename what root puts into {root}")
    if os.path.isdir(path):
        return context.examine(path)
    if os.pathsep not in path and _can_hold(root):
        return context.examine(path)
    context.tell(f"{root} cannot hold an environment")
    return central(root, context)


def central(root: str, context: Context, *, reason: str = "") -> Environment:
    """Return the place for a project's environment in the user's own data, and why it is not the usual one."""
    real = os.path.realpath(root)
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    name = "".join(map(_plain, os.path.basename(real)))
    place = context.in_data("envs", f"{name[:_LONGEST_NAME] or 'root'}-{digest}")
    found: Environment = replace(place, reason_for_other_place=reason)
    return found


def _plain(char: str) -> str:
    if char.isalnum() or char in "._-":
        return char
    return "_"


def _taken(path: str, root: str, context: Context) -> str:
    """Return what stands where the environment would be made, and stays there; empty if nothing does."""
    if not os.path.lexists(path):
        return ""
    if owner(path) not in context.makers:
        if _is_trusted(path, context):
            return ""
        return "belongs to another user"
    target, reason = target_of(path)
    if target not in {"", path} and is_disposable(target, root):
        return f"leads to {context.typed_path(target)}, which tox or nox may empty"
    if not reason.startswith(_LEADS_NOWHERE):
        return reason
    return f"{reason} (to have it here: rm {shell_quote(context.typed_path(path))}, then install again)"


def _is_trusted(path: str, context: Context) -> bool:
    if context.is_trusted(path):
        return True
    known = registry.registration(context.state, path)
    return known is not None and known.how == registry.TRUSTED


def _is_open_to_others(root: str, context: Context) -> bool:
    """Return True where root, for itself, would put files into a directory that others can rename them in."""
    if context.ambient.user != 0 or context.sudo_user:
        return False
    if context.ambient.platform == "win32":
        return False
    found = os.stat(root)
    if found.st_uid != 0:
        return True
    if found.st_mode & stat.S_ISVTX:
        return False
    others = stat.S_IWOTH
    if found.st_gid != 0:  # members of root's own group count as root
        others |= stat.S_IWGRP
    if not found.st_mode & others:
        return False
    from safepip.envs.trust import has_modes  # noqa: PLC0415  needed by root alone

    return has_modes(root)


def _can_hold(root: str) -> bool:
    """Return True if an environment can be made in `root`: the system allows it, and the name is fit."""
    if root.encode("utf-8", "replace") != os.fsencode(root):  # virtualenv takes text alone
        return False
    if os.pathsep in root:  # it would be two entries of PATH
        return False
    return os.access(root, os.W_OK | os.X_OK)
