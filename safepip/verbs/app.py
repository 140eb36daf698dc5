"""safepip app WORD...: pipx's own words, for what is installed as an application."""

from __future__ import annotations

from safepip.actions.pipx import at_hand, become

from .arguments import for_verb, shows_help

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context

    from .arguments import Parser

_LOOKING = ("list", "run", "environment", "completions", "--version", "interpreter")


def parser() -> Parser:
    """Return the parser of `app`; only its help is used, for its words are pipx's."""
    return for_verb(
        "app",
        usage="safepip app WORD [ARGUMENTS]",
        more="The words are pipx's: install, list, upgrade, upgrade-all, uninstall, run, inject, reinstall, …\n"
        "The pipx on PATH carries them out, else one that safepip downloads once.",
        example="safepip app install httpie",
    )


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Become pipx with these `words`; without words, or for help without a pipx, print the usage."""
    helped = shows_help(words)
    if not words or (helped and at_hand(context) is None):
        parser().print_help()
        return 0
    return become(words, context, report, alone=not helped and words[0] not in _LOOKING)
