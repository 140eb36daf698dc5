"""What an interrupted pip left beside the modules of an environment: names that begin with ~.

pip moves a distribution there while it replaces or removes it, and warns of a forgotten one at every command.
"""

from __future__ import annotations

import os
import secrets

from safepip.system.environment import OWN, names_in

from .lock import acquire
from .verify import sites

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context

_LEFT = os.path.join(OWN, "left")


def half_removed(environment: str) -> list[str]:
    """Return the paths of what an interrupted pip left in the environment."""
    return [
        os.path.join(site, name)
        for site in sites(environment)
        for name in sorted(names_in(site))
        if name.startswith("~")
    ]


def set_aside(environment: str, context: Context, report: Report) -> list[str]:
    """Move what is left into safepip's own folder, where pip does not look; return the names.

    To be asked after a repair, which puts back what it can from there. A pip at work holds the lock.
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
