"""The applications that pipx keeps."""

from __future__ import annotations

import shlex

from safepip.envs.applications import broken
from safepip.system.pipx import environments_of, installed_applications

from .finding import listed, ok, problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .finding import Context, Findings


def check(context: Context) -> Findings:
    """Look at each application's Python."""
    faults = broken(context)
    for name, reason in faults.items():
        yield problem("application-broken", f"the application {name} {reason}", _repair(name, faults))
    names = installed_applications(environments_of(context))
    whole = [name for name in names if name not in faults]
    if whole:
        yield ok("applications", f"with pipx: {listed(whole)}, {len(whole)} in all")


def _repair(name: str, faults: dict[str, str]) -> str:
    """Return the command that repairs an application; an upgrade of Python breaks all at once."""
    return "safepip env repair --all" if len(faults) > 1 else f"safepip app reinstall {shlex.quote(name)}"
