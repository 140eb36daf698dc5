"""The checks of `safepip doctor`, a file a subject: none changes anything."""

from __future__ import annotations

import os

from safepip.core.record import replace
from safepip.system.observe import Context

from . import (
    advisories,
    applications,
    decision,
    directories,
    environments,
    installation,
    neighbours,
    own_settings,
    path,
    pip_settings,
    policy,
    shells,
    stray_installs,
    surroundings,
    target,
)
from .finding import Finding

# A check is a file of this package with `check(context)`; this order is that of the output.
CHECKS = (
    surroundings, path, installation, advisories, target, pip_settings, policy, own_settings, decision,
    environments, shells, neighbours, stray_installs, applications, directories,
)  # fmt: skip


def examine(context: Context) -> tuple[Finding, ...]:
    """Return the findings of all checks for an install typed here."""
    home = context.ambient.home or context.ambient.environ.get("HOME", "")
    found = []
    for subject in CHECKS:
        for finding in subject.check(context):
            if len(home) > 1 and home in finding.why:
                finding = replace(finding, why=_with_tilde(finding.why, home))  # noqa: PLW2901  the same one
            found.append(finding)
    return tuple(found)


def _with_tilde(text: str, home: str) -> str:
    text = f" {text.replace(home + os.sep, '~' + os.sep)} "
    return text.replace(f" {home} ", " ~ ")[1:-1]
