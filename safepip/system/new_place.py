"""Choose where the environment of a project goes that has none yet."""

from __future__ import annotations

import hashlib
import os
import re
import stat

from safepip.errors import shell_quote

from .environment import is_disposable, target_of
from .project import owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LEADS_NOWHERE = ("is a link to nothing", "points at ")  # reasons against what nobody needs any more
_LONGEST_NAME = 64


def obstacle(
    path: str, root: str, makers: frozenset[int], typed: Callable[[str], str], *, is_root: bool
) -> str | None:
    """Return why no environment can be made at `path`, or None.

    The reason is empty where nothing stands there that a user could move. `root` is the project's, `makers` the
    user ids whose environments may serve, and `typed` returns a path as the user would type it. `is_root` tells
    that root acts for itself.
    """
    if os.path.lexists(path):
        taken = _taken(path, root, makers, typed)
        if taken:
            return f"{typed(path)} {taken}"
    elif is_root and _is_open_to_others(root):
        return f"others can rename what root puts into {root}"
    if os.path.isdir(path):
        return None
    if os.pathsep in path:  # it would be two entries of PATH
        return ""
    if root.encode("utf-8", "replace") != os.fsencode(root):  # virtualenv takes text alone
        return ""
    if not os.access(root, os.W_OK | os.X_OK):
        return ""
    return None


def name_in_data(root: str) -> str:
    """Return the name of a project's environment in the user's own data."""
    real = os.path.realpath(root)
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    name = re.sub(r"[^\w.-]", "_", os.path.basename(real))
    return f"{name[:_LONGEST_NAME] or 'root'}-{digest}"


def _taken(path: str, root: str, makers: frozenset[int], typed: Callable[[str], str]) -> str:
    """Return what stands where the environment would be made, and stays there."""
    if owner(path) not in makers:
        return "belongs to another user"
    target, reason = target_of(path)
    if target not in {"", path} and is_disposable(target, root):
        return f"leads to {typed(target)}, which tox or nox may empty"
    if not reason.startswith(_LEADS_NOWHERE):
        return reason
    return f"{reason} (to have it here: rm {shell_quote(typed(path))}, then install again)"


def _is_open_to_others(root: str) -> bool:
    """Return True if others can rename what root puts there."""
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
