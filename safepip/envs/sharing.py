"""Give an environment intact files of pip that others cannot change."""

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
    """Give it its own pip: copies of intact files, the rest fetched."""
    # The image that the files are from is found changed, and made again, when the next environment is made.
    found = context.examine(environment, trusted=True)
    if found.state != USABLE or not os.access(os.path.join(found.site, "pip"), os.W_OK):
        return
    if lock is not None:
        _make_private(found, report, lock)
        return
    try:
        taken = acquire(environment, 0, report, warn=False)
    except SafepipError:  # the command that holds it may be changing pip at this moment
        return
    if taken is not None:
        _make_private(found, report, taken)
        os.close(taken)


def _make_private(found: Environment, report: Report, lock: int) -> None:
    rows: dict[str, Row] = {}
    for info in packages.infos_of(found, "pip"):
        rows.update(record_of(info, found.site))
    try:
        copied = [row.path for row in rows.values() if _replace_open(row)]
        done = recover.repair_files(found, report, lock=lock, names=("pip",))
    except OSError as error:
        what = f"{error.filename or found.path}: {error.strerror}"
        report.say(f"could not replace files of pip that others can change ({what}): safepip env repair")
        return
    packages.compile_bytecode(found, rows)
    if copied:
        sync(found.path, copied)
        report.say("others could change files of pip that environments share; this one has its own copies now")
    if done.damaged:
        report.say(f"pip in {found.path} is damaged; repair it: safepip env repair")


def _replace_open(row: Row) -> bool:
    """Replace a file that others can change, and return True then."""
    try:
        status = os.lstat(row.path)
    except FileNotFoundError:
        return False
    if not is_open(status):
        return False
    # Bytecode has no hash in RECORD.
    if row.path.endswith(".pyc") or state_of(row, hashed=True):
        os.unlink(row.path)
    else:
        packages.put_file(row.path, row.path, durable=False)
    return True
