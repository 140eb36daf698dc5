"""What the user's state remembers of environments: one small file each, found by device and inode.

Proof that safepip made an environment is this record, never a file inside it, which travels in archives.
"""

from __future__ import annotations

import os

from safepip.store import recall, remember

_FORMAT = "safepip-environment-1"


def note(state: str | None, path: str, how: str) -> None:
    """Remember that the environment at the absolute `path` was `how` ("made" or "adopted")."""
    kept = _record(state, path)
    if kept is not None:
        stat = os.stat(path)
        remember(kept, "\0".join((_FORMAT, path, str(stat.st_dev), str(stat.st_ino), how)))


def known(state: str | None, path: str) -> str | None:
    """Return how safepip came to know the environment at `path`, or None if it does not know it."""
    kept = _record(state, path)
    if kept is None:
        return None
    fields = (recall(kept) or "").split("\0")
    stat = os.stat(path)
    if fields[:4] == [_FORMAT, path, str(stat.st_dev), str(stat.st_ino)] and len(fields) == 5:
        return fields[4]
    return None


def _record(state: str | None, path: str) -> str | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return state and os.path.join(state, "environments", f"{stat.st_dev:x}-{stat.st_ino:x}")
