"""Give an environment private, intact files of pip if others can change the shared ones, or they are damaged."""

from __future__ import annotations

import os

from safepip.core.world import USABLE
from safepip.errors import SafepipError
from safepip.system.environment import is_open

from . import packages, recover
from .lock import acquire
from .on_disk import sync
from .verify import record_of, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.world import Environment
    from safepip.report import Report
    from safepip.system.observe import Context

    from .verify import Row


def own_pip(environment: str, context: Context, report: Report, *, lock: int | None) -> None:
    """Give the environment a pip of its own: copies of what is as RECORD says, the rest fetched.

    A reader has no `lock`: where another command holds it, that one may be changing pip at this moment. The image
    that the files are from is found changed, and made again, when the next environment is made.
    """
    found = context.examine(environment, trusted=True)
    if found.state != USABLE or not os.access(os.path.join(found.site, "pip"), os.W_OK):
        return
    if lock is not None:
        _make_own(found, report, lock)
        return
    try:
        taken = acquire(environment, 0, report, warn=False)
    except SafepipError:
        return
    if taken is not None:
        _make_own(found, report, taken)
        os.close(taken)


def _make_own(found: Environment, report: Report, lock: int) -> None:
    rows = [row for info in packages.infos_of(found, "pip") for row in record_of(info, found.site)]
    try:
        copied = [row for row in rows if _make_private(row)]
        done = recover.repair_files(found, report, lock=lock, names=("pip",))
    except OSError as error:
        what = f"{error.filename or found.path}: {error.strerror}"
        report.say(f"could not replace files of pip that others can change ({what}): safepip env repair")
        return
    packages.compile_bytecode(found, rows)
    if copied:
        sync(found.path, [row.path for row in copied])
        report.say("others could change files of pip that environments share; this one has its own copies now")
    if done.damaged:
        report.say(f"pip in {found.path} is damaged; repair it: safepip env repair")


def _make_private(row: Row) -> bool:
    """Replace a file that others can change; bytecode, which has no hash, and what is not as recorded goes.

    Return True if it was such a file.
    """
    try:
        status = os.lstat(row.path)
    except FileNotFoundError:
        return False
    if not is_open(status):
        return False
    if row.path.endswith(".pyc") or state_of(row, hashed=True):
        os.unlink(row.path)
    else:
        packages.put_file(row.path, row.path, durable=False)
    return True
