"""The applications that pipx keeps."""

from __future__ import annotations

import shlex

from safepip.envs.applications import broken
from safepip.report import first_of
from safepip.system.pipx import environments_of, installed_applications

from .finding import MOST_NAMES, Context, Findings, ok, problem


def check(context: Context) -> Findings:
    """Look at each application's Python."""
    faults = broken(context)
    for name, reason in faults.items():
        command = f"safepip app reinstall {shlex.quote(name)}"
        if len(faults) > 1:  # an upgrade of Python breaks all at once
            command = "safepip env repair --all"
        yield problem("application-broken", f"the application {name} {reason}", command)
    names = installed_applications(environments_of(context))
    intact = [name for name in names if name not in faults]
    if intact:
        yield ok("applications", f"with pipx: {first_of(intact, MOST_NAMES)}, {len(intact)} in all")
