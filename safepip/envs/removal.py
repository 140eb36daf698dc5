"""An environment that safepip made, removed whole: under both its locks, and marked first lest it is killed."""

from __future__ import annotations

import contextlib
import os
import shutil

from safepip.errors import CANNOT_CREATE, REFUSED, SafepipError
from safepip.report import quoted, shown
from safepip.system import registry
from safepip.system.environment import CONFIG, CREATING, OWN, configuration
from safepip.system.project import owner

from .lock import LOCK, acquire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context
    from safepip.system.registry import Entry

    from .create import Made


def remove(entry: Entry, context: Context, report: Report) -> None:
    """Remove the directory whose identity was noted, under both its locks.

    It is marked as unfinished first, so that whatever a kill leaves is safepip's own to finish.
    """
    from .create import creation_lock  # noqa: PLC0415  with virtualenv, which is slow to import

    path = entry.known.path
    with creation_lock(path, context, report):
        lock = acquire(path, context.settings.lock_timeout, report)
        try:
            if not entry.is_there:
                raise SafepipError(REFUSED, f"{path} is another one than safepip made")
            _refuse_what_cannot_go(path, context)
            os.makedirs(os.path.join(path, OWN), 0o700, exist_ok=True)
            with open(os.path.join(path, CREATING), "w", encoding="utf-8") as mark:
                mark.write(configuration(path).get("safepip-creation", ""))
            _empty(path)
            registry.discard(entry)
        finally:
            if lock is not None:
                os.close(lock)


def discarding(made: Made, called: str, lock: int, context: Context, report: Report) -> str | None:
    """Return what after_pip/safepip_discard.py has to know to remove a new environment again, or None.

    `lock` is the descriptor that holds its lock, `called` its name for the user.
    """
    from .create import creation_lock_file  # noqa: PLC0415  with virtualenv, which is slow to import

    if context.state is None:
        return None
    path = made.environment.path
    found = os.stat(path)
    lines = (
        str(found.st_dev),
        str(found.st_ino),
        str(lock),
        "existed" if made.existed else "",
        "quiet" if report.quiet else "",
        creation_lock_file(context.state, path),
        context.state,
        made.redirect,
        shown(called),
        path,
    )
    return None if any("\n" in line for line in lines) else "\n".join(lines)


def _refuse_what_cannot_go(path: str, context: Context) -> None:
    """Refuse, before anything is touched, where what lies in some folder cannot be removed."""
    for folder, _, _ in os.walk(path):
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            mine = owner(folder) == context.ambient.user
            way = f"chmod -R u+rwX {quoted(path)}" if mine else f'sudo chown -R "$USER" {quoted(path)}'
            what = f"{path} stays as it is: what lies in {folder} cannot be removed by you"
            raise SafepipError(CANNOT_CREATE, what, f"let yourself first: {way}")


def _empty(path: str) -> None:
    """Remove the environment; of one behind a link, or that is mounted, the empty directory stays."""
    for name in (CONFIG, *os.listdir(path)):
        if name not in {OWN, LOCK}:
            _unlink(os.path.join(path, name))
    for name in (OWN, LOCK):
        _unlink(os.path.join(path, name))
    with contextlib.suppress(OSError):
        os.rmdir(path)


def _unlink(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
