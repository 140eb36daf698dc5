"""pip's files taken out of what environments share, where somebody else could write to them."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile

from safepip.core.requirement import name_and_version
from safepip.system.environment import USABLE

from .metadata import compile_bytecode, is_as_recorded, record_of
from .recover import pip_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.environment import Environment
    from safepip.system.observe import Context

    from .metadata import Row


def unshare(environment: str, context: Context, report: Report) -> None:
    """Give the environment a pip of its own: copies of what is as RECORD says, else a new one.

    The image that the files are from is found changed, and made anew, when the next environment is made.
    """
    found = context.examine(environment, named=True)
    if found.state != USABLE:
        return
    rows = _rows(found)
    try:
        states = [_is_own_now(row) for row in rows if not row.path.endswith(".pyc")]
        whole = all(states)
        for row in rows:
            if row.path.endswith(".pyc") and os.path.lexists(row.path):
                os.unlink(row.path)  # it has no hash in RECORD
    except OSError:
        whole = False
    if whole and rows:
        compile_bytecode(found, rows)
    else:
        pip_again(found, context)
    report.say("others could write to the files that pip shares with other environments; it has its own here now")


def _rows(found: Environment) -> list[Row]:
    names = (name for name in os.listdir(found.site) if name.endswith(".dist-info"))
    info = next((name for name in names if name_and_version(name)[0] == "pip"), None)
    return [] if info is None else record_of(os.path.join(found.site, info), found.site)


def _is_own_now(row: Row) -> bool:
    """Replace the file by a copy that only its owner can write; tell whether it is as recorded."""
    status = os.lstat(row.path)
    if not stat.S_ISREG(status.st_mode):
        return False
    if status.st_nlink > 1:
        descriptor, copy = tempfile.mkstemp(dir=os.path.dirname(row.path))
        os.close(descriptor)
        shutil.copyfile(row.path, copy)
        os.chmod(copy, stat.S_IMODE(status.st_mode) & ~0o022)
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(copy, row.path)
    return is_as_recorded(row) or not row.digest
