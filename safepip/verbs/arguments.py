"""The argument parser of the verbs."""

from __future__ import annotations

import argparse

from safepip.core.invocation import VERBS
from safepip.errors import USAGE, SafepipError

TYPE_CHECKING = False  # `run` waits for this module, and typing takes as long as argparse
if TYPE_CHECKING:
    from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that raises usage errors, and keeps help as written."""

    def __init__(self, prog: str, *, description: str, example: str = "", usage: str | None = None) -> None:
        # allow_abbrev is off: a new option could make an abbreviation ambiguous.
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=f"example: {example}" if example else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise a usage error instead of ending the process."""
        raise SafepipError(USAGE, message, " ".join(self.format_usage().split()))


def for_verb(verb: str, *, example: str, usage: str | None = None, more: str = "") -> Parser:
    """Return a parser for a verb, described by VERBS and `more`."""
    description = f"{VERBS[verb]}.\n{more}".rstrip()
    return Parser(f"safepip {verb}", description=description, example=example, usage=usage)


def not_empty(text: str) -> str:
    """Return the name that was typed, or refuse an empty one."""
    if not text:  # as from a variable that is not set
        raise argparse.ArgumentTypeError("it is empty")
    return text


def shows_help(words: tuple[str, ...]) -> bool:
    """Return True if the words ask for help, before another program's words."""
    return words[:1] in {("--help",), ("-h",)}
