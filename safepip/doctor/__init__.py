"""The checks of `safepip doctor`, one file a subject: each yields findings and changes nothing."""

from __future__ import annotations

import os

from safepip.core.record import replace

from . import (
    advisories,
    applications,
    decision,
    directories,
    environments,
    installation,
    own_settings,
    path,
    pip_settings,
    shells,
    stray_installs,
    surroundings,
    target,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.system.observe import Context

    from .finding import Finding

# In the order in which a helper would ask.
CHECKS = (
    surroundings, path, installation, advisories, target, pip_settings, own_settings, decision, environments,
    shells, stray_installs, applications, directories,
)  # fmt: skip


def examine(context: Context) -> tuple[Finding, ...]:
    """Return the findings of all checks; `context` is that of an install typed here."""
    home = context.ambient.home or context.ambient.environ.get("HOME", "")
    found = (one for subject in CHECKS for one in subject.check(context))
    return tuple(replace(one, why=_with_tilde(one.why, home)) for one in found)


def _with_tilde(text: str, home: str) -> str:
    if len(home) < 2:
        return text
    words = text.replace(home + os.sep, "~" + os.sep).split(" ")
    return " ".join("~" if word == home else word for word in words)
