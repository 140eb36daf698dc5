"""safepip app VERB…: pipx's own words, for what is installed as an application."""

from __future__ import annotations

import sys

from safepip.actions.pipx import at_hand, become

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context

_USAGE = """\
usage: safepip app VERB [ARGUMENTS]
pipx's own words, carried out by the pipx on PATH, else by one that safepip fetches once:
install, list, upgrade, upgrade-all, uninstall, run, inject, reinstall, ensurepath, …
"""
_LOOKING = ("list", "run", "environment", "completions", "--version", "interpreter")


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Become pipx with these `words`; without any, or for help where there is no pipx, print the usage."""
    helped = words[:1] in {("--help",), ("-h",)}
    if not words or (helped and at_hand(context) is None):
        sys.stdout.write(_USAGE)
        return 0
    return become(words, context, report, alone=not helped and words[0] not in _LOOKING)
