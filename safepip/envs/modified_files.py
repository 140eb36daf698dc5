"""Find what was changed by hand in an environment."""

from __future__ import annotations

import contextlib
import os

from safepip.core.world import BIN
from safepip.system.environment import CONFIG, configuration, names_in
from safepip.system.interpreter import head_of

from .inventory import distributions
from .verify import CUT, EDITED, verify

_AT_ONCE = 2e9  # nanoseconds in which the scripts of a new environment are written
_BLOCK = 1 << 20
# What another Python, or a newer virtualenv, writes into pyvenv.cfg by itself.
_OF_THE_PYTHON = (
    "home", "implementation", "version", "version_info", "python-version", "virtualenv", "executable", "command",
    "base-prefix", "base-exec-prefix", "base-executable", "safepip-creation",
)  # fmt: skip


def edited(old: str, new: str) -> list[str]:
    """Return the files of the environment `old` that were changed by hand.

    They are relative to it: packages' files, scripts, pyvenv.cfg. `new` is one made for the same path.
    """
    found = _scripts(old, new)
    for distribution in distributions(old).values():
        found += [os.path.relpath(file, old) for file in _unlike_record(distribution.info)]
    if _own_settings(old) != _own_settings(new):
        found.append(CONFIG)
    return sorted(found)


def _unlike_record(info: str) -> list[str]:
    """Return the files of a distribution with other content than RECORD says."""
    differences = verify(info, os.path.dirname(info), hashed=True)
    # A shorter one may be edited too.
    changed = [path for path, kind in differences.items() if kind in {EDITED, CUT}]
    return list(filter(os.path.isfile, changed))


def _scripts(old: str, new: str) -> list[str]:
    """Return the activation scripts that were changed by hand."""
    # Either alone proves nothing: another version of virtualenv writes others, and copying takes time.
    times = {}
    for name in names_in(os.path.join(old, BIN)):
        if name.lower().startswith("activate"):
            script = os.path.join(BIN, name)
            with contextlib.suppress(OSError):  # a link to nothing
                times[script] = os.stat(os.path.join(old, script)).st_mtime_ns
    first = min(times.values(), default=0)
    found = []
    for script, time in times.items():
        if time - first <= _AT_ONCE:
            continue
        if head_of(os.path.join(old, script), _BLOCK) != head_of(os.path.join(new, script), _BLOCK):
            found.append(script)
    return found


def _own_settings(path: str) -> dict[str, str]:
    settings = configuration(path)
    for key in _OF_THE_PYTHON:
        settings.pop(key, None)
    return settings
