"""Judge files and links that lead out of a project.

Somebody else's repository can bring one. It may name the environment of another project of the user's, which is
trusted there, and an `install` would change that one.
"""

from __future__ import annotations

import os

from safepip.system.files import is_in, names_in, recall_fields, remember

from .git import index_identity, tracks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = "redirects"
_FORMAT = "safepip-redirect-1"
_TRUSTED = "trusted"


def objection(state: str | None, redirect: str, end: str, owners: frozenset[int], *, keep: bool) -> str | None:
    """Return why `redirect` may not lead to the environment `end`, or None.

    Both are absolute paths; repositories of users not in `owners` (user ids) do not count. With `keep`, that git
    does not track it is remembered until its index changes. The reason completes a sentence that begins with the
    redirect's name.
    """
    folder = os.path.dirname(redirect)
    if is_in(os.path.realpath(end), os.path.realpath(folder)):
        return None
    if is_trusted(state, redirect, end):
        return None
    index = index_identity(folder, owners)
    if index == "":  # not in a repository
        return None
    file = _file(state, redirect)
    untracked = (_FORMAT, redirect, end, index)
    if recall_fields(file) == untracked:
        return None
    if tracks(folder, redirect, owners):
        return f"came with the repository (git tracks it) and leads to {end}"
    if keep:
        remember(file, "\0".join(untracked))
    return None


def is_trusted(state: str | None, redirect: str, end: str) -> bool:
    """Return True if the user trusts `redirect` to lead to `end`."""
    file = _file(state, redirect)
    return recall_fields(file) == (_FORMAT, redirect, end, _TRUSTED)


def trust(state: str | None, redirect: str, end: str) -> None:
    """Remember that the user trusts `redirect` to lead to `end`.

    Write errors are ignored.
    """
    file = _file(state, redirect)
    if file:
        fields = (_FORMAT, redirect, end, _TRUSTED)
        remember(file, "\0".join(fields), durable=True)


def forget(state: str | None, redirect: str) -> None:
    """Forget what is known of `redirect`."""
    file = _file(state, redirect)
    if os.path.exists(file):
        os.unlink(file)


def trusted(state: str | None) -> Iterator[str]:
    """Yield the redirects that the user trusts and that still exist."""
    if not state:
        return
    folder = os.path.join(state, _FOLDER)
    for name in names_in(folder):
        fields = recall_fields(os.path.join(folder, name))
        if fields[:1] != (_FORMAT,):
            continue
        if fields[3:] != (_TRUSTED,):
            continue
        if os.path.lexists(fields[1]):
            yield fields[1]


def _file(state: str | None, redirect: str) -> str:
    """Return the file of notes about a redirect, "" without one."""
    try:
        status = os.lstat(redirect)
    except (OSError, ValueError):
        return ""
    if not state:
        return ""
    return os.path.join(state, _FOLDER, f"{status.st_dev:x}-{status.st_ino:x}")
