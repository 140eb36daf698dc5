"""The surroundings of all commands: HOME, the working directory, PYTHONPATH."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping

from safepip.core.settings import ROWS, variable_name

from .finding import Ambient, Context, Findings, problem, warning

_MISLEADING = ("PYTHONHOME", "PYTHONPATH")
# Variables of safepip that are not settings: options, the shells' code, the launcher.
_OTHERS = (
    "SAFEPIP_BYPASS", "SAFEPIP_ENV", "SAFEPIP_DEBUG", "SAFEPIP_HANDOVER", "SAFEPIP_ACTIVATED", "SAFEPIP_HOOK",
    "SAFEPIP_SHIM", "SAFEPIP_SHELL", "SAFEPIP_SHELL_ENV", "SAFEPIP_SHELL_ZDOTDIR", "SAFEPIP_ASKING",
    "SAFEPIP_UNFIT",
)  # fmt: skip
_PREFIXES = ("SAFEPIP_RUN_", "SAFEPIP_TEST_")


def check(context: Context) -> Findings:
    """Look at the variables and directories that everything else depends on."""
    ambient = context.ambient
    yield from _home(ambient)
    if ambient.cwd is None:
        yield problem("directory-gone", "the working directory was removed", "cd")
    for name in _MISLEADING:
        if name in ambient.environ:
            why = f"{name} leads every Python to {ambient.environ[name]}, those of environments too"
            yield warning(name.lower(), why, f"unset {name}")
    if context.untouched:
        why = f"{context.untouched} is set: nothing is routed, pip runs as without safepip"
        yield warning("bypass", why, f"unset {context.untouched}")
    for name in unknown_variables(ambient.environ):
        yield warning("unknown-variable", f"{name} is not a setting of safepip", f"unset {name}")


def _home(ambient: Ambient) -> Findings:
    home = ambient.home or ambient.environ.get("HOME", "")
    if not home:
        why = "HOME is not set, and the password database knows no home of this user"
        yield problem("home-unset", why, 'export HOME="$(mktemp -d)"')
        return
    # As under cron and some service managers.
    if "HOME" not in ambient.environ and sys.platform != "win32":
        why = f"HOME is not set; the password database says {home}"
        yield warning("home-unset", why, f"export HOME={shlex.quote(home)}")
    if not os.path.isdir(home):
        can_be_made = os.access(existing(home), os.W_OK | os.X_OK)
        # A user made without a home directory cannot make it in /home.
        make = "mkdir -p" if can_be_made else 'sudo install -d -o "$USER"'
        why = f"HOME names a directory that does not exist: {home}"
        yield problem("home-missing", why, f"{make} {shlex.quote(home)}")


def existing(path: str) -> str:
    """Return `path`, or the nearest directory above it that exists."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables that look like settings of safepip and are not."""
    # A misspelt setting has no effect, and nothing else would tell.
    meant = {*map(variable_name, ROWS), *_OTHERS}
    for name in sorted(environ):
        if not name.startswith("SAFEPIP_") or name.startswith(_PREFIXES):
            continue
        if name not in meant:
            yield name
