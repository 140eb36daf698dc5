"""safepip app WORD...: run pipx, for applications."""

from __future__ import annotations

from safepip.actions.pipx import become
from safepip.envs.pipx_program import at_hand
from safepip.report import Report
from safepip.system.observe import Context

from .arguments import Parser, for_verb, shows_help

_LOOKING = ("list", "run", "environment", "completions", "--version", "interpreter")
_WORDS = {
    "install": "install an application",
    "list": "list installed applications",
    "upgrade": "upgrade an application",
    "upgrade-all": "upgrade all applications",
    "uninstall": "uninstall an application",
    "uninstall-all": "uninstall all applications",
    "inject": "install packages into an application's environment",
    "uninject": "uninstall injected packages",
    "reinstall": "reinstall an application",
    "reinstall-all": "reinstall all applications",
    "run": "run an application without installing it",
    "runpip": "run pip in an application's environment",
    "pin": "keep an application at its version",
    "unpin": "let an application be upgraded again",
    "ensurepath": "put the programs' directory on PATH",
    "environment": "print pipx's variables and directories",
}


def parser() -> Parser:
    """Return the parser of `app`, for its help alone."""
    return for_verb(
        "app",
        usage="safepip app WORD [ARGUMENTS]",
        more="The words are pipx's: install, list, upgrade, upgrade-all, uninstall, run, inject, reinstall, …\n"
        "The pipx on PATH carries them out, else one that safepip downloads once.",
        example="safepip app install httpie",
    )


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Become pipx, or print the usage."""
    if not words:
        parser().print_help()
        return 0
    if shows_help(words):
        if at_hand(context) is None:  # help is not a reason to download pipx
            parser().print_help()
            return 0
        return become(words, context, report, alone=False)
    return become(words, context, report, alone=words[0] not in _LOOKING)


def complete(typed: tuple[str, ...], _current: str, _context: Context) -> dict[str, str]:
    """Return the words of pipx, with their meanings."""
    return {} if typed else dict(_WORDS)
