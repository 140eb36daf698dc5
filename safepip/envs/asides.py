"""Find the files that pip has moved aside or begun to write, by the names that it gives them.

pip moves a folder of an old version to `~ame` beside itself (AdjacentTempDirectory), a single file into
`pip-uninstall-*` in the temporary directory, and writes metadata as `RECORDabcdefgh.tmp` first.
"""

from __future__ import annotations

import glob
import os
import secrets
import tempfile

from safepip.system.environment import OWN, names_in

from .lock import acquire
from .verify import sites

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.report import Report
    from safepip.system.observe import Context

_LEFT = os.path.join(OWN, "left")
_SIGNS = "-~.=%0123456789"  # what pip puts behind the first ~
_BEGUN_METADATA = frozenset(("INSTALLER", "RECORD", "REQUESTED", "direct_url.json"))


def is_aside(name: str, original: str) -> bool:
    """Return True if pip would give this name to the folder `original` while it is moved aside.

    A ~ takes the place of the first letter, further signs that of the next ones. Or all stand in front.
    """
    if name[:1] != "~":
        return False
    if len(name) != len(original):
        return name.endswith(original) and all(char in _SIGNS for char in name[1 : -len(original)])
    same = next(index for index in range(len(name) + 1) if name[index:] == original[index:])
    return same < len(name) and all(char in _SIGNS for char in name[1:same])


def asides_of(path: str) -> Iterator[str]:
    """Yield the folders beside `path` that pip may have moved it to."""
    folder, original = os.path.split(path)
    for name in sorted(names_in(folder)):
        moved = os.path.join(folder, name)
        if is_aside(name, original) and is_mine(moved) and os.path.isdir(moved) and not os.path.islink(moved):
            yield moved


def stashed(path: str) -> Iterator[str]:
    """Yield the files in the temporary directory that pip may have moved the file `path` to."""
    parts = path.split(os.sep)
    for folder in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), "pip-uninstall-*")):
        if not is_mine(folder):
            continue
        for depth in (1, 2, 3):
            moved = os.path.join(folder, *parts[-depth:])
            if os.path.isfile(moved) and not os.path.islink(moved) and is_mine(moved):
                yield moved


def is_begun_bytecode(name: str) -> bool:
    """Return True if the file is bytecode that Python was writing: name.pyc.12345."""
    stem, _, number = name.rpartition(".")
    return stem.endswith(".pyc") and number.isdecimal()


def is_begun_metadata(name: str) -> bool:
    """Return True if the file is metadata that pip was writing; tempfile adds eight signs."""
    stem, end = os.path.splitext(name)
    return end == ".tmp" and stem[:-8] in _BEGUN_METADATA


def is_mine(path: str) -> bool:
    """Return True if the file exists and belongs to this user."""
    try:
        owner = os.lstat(path).st_uid
    except OSError:
        return False
    return not hasattr(os, "geteuid") or owner == os.geteuid()


def half_removed(environment: str) -> list[str]:
    """Return the paths of what an interrupted pip moved aside, which it warns of at every command."""
    return [
        os.path.join(site, name)
        for site in sites(environment)
        for name in sorted(names_in(site))
        if name.startswith("~")
    ]


def set_aside(environment: str, context: Context, report: Report) -> list[str]:
    """Move what is left into safepip's own folder, where pip does not look; return the names.

    Call it after a repair, which puts back what it can from there. A pip at work holds the lock.
    """
    if not half_removed(environment):
        return []
    lock = acquire(environment, context.settings.lock_timeout, report)
    try:
        paths = half_removed(environment)
        folder = os.path.join(environment, _LEFT, secrets.token_hex(4))
        os.makedirs(folder, mode=0o700)
        for path in paths:
            os.rename(path, os.path.join(folder, os.path.basename(path)))
    finally:
        if lock is not None:
            os.close(lock)
    return [os.path.basename(path) for path in paths]
