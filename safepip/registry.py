"""EDGE  what the user's state remembers of environments: one small file each, found by device and inode.

Proof that safepip made an environment, or that the user trusts it, is this record, never a file inside it,
which travels in archives.
"""

from __future__ import annotations

import os

from ._record import Record
from .store import recall, remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MADE = "made"
ADOPTED = "adopted"
TRUSTED = "trusted"
_FORMAT = "safepip-environment-1"
_FOLDER = "environments"


class Known(Record):
    """How safepip came to know the environment at `path`: MADE, ADOPTED or TRUSTED.

    `index` identifies the state of git's index at adoption, empty outside a repository.
    """

    path: str
    how: str
    index: str = ""


def note(state: str | None, path: str, how: str, index: str = "") -> None:
    """Remember how the environment at the absolute `path` came to be known; what cannot be written is let be."""
    kept = _record(state, path)
    if kept is not None:
        stat = os.stat(path)
        remember(kept, "\0".join((_FORMAT, path, str(stat.st_dev), str(stat.st_ino), how, index)))


def known(state: str | None, path: str) -> Known | None:
    """Return what is remembered of the very directory at `path`, or None: one that was copied or moved is new."""
    kept = _record(state, path)
    if kept is None:
        return None
    found = _read(kept)
    stat = os.stat(path)
    same = found is not None and found[:2] == (str(stat.st_dev), str(stat.st_ino)) and found[2].path == path
    return found[2] if found and same else None


def forget(state: str | None, path: str) -> bool:
    """Forget the environment at `path`; tell whether it was known."""
    if known(state, path) is None:
        return False
    try:
        os.unlink(str(_record(state, path)))
    except OSError:
        return False
    return True


def everything(state: str | None) -> Iterator[Known]:
    """Yield what is remembered, wrong and unreadable records left out, be the environments there or not."""
    folder = os.path.join(state or "", _FOLDER)
    names = sorted(os.listdir(folder)) if state and os.path.isdir(folder) else []
    for name in names:
        found = _read(os.path.join(folder, name))
        if found is not None:
            yield found[2]


def _record(state: str | None, path: str) -> str | None:
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return None
    return state and os.path.join(state, _FOLDER, f"{stat.st_dev:x}-{stat.st_ino:x}")


def _read(kept: str) -> tuple[str, str, Known] | None:
    fields = (recall(kept) or "").split("\0")
    if len(fields) != 6 or fields[0] != _FORMAT or fields[4] not in {MADE, ADOPTED, TRUSTED}:
        return None
    _, path, device, inode, how, index = fields
    return device, inode, Known(path=path, how=how, index=index)
