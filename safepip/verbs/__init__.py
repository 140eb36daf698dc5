"""One file per word of safepip's own."""

from __future__ import annotations

from safepip.errors import USAGE, SafepipError

from . import explain, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.context import Context
    from safepip.report import Report


def carry_out(word: str, words: tuple[str, ...], context: Context, report: Report) -> int:
    """Carry out the word of safepip's own with its arguments; return the exit code."""
    if word == "explain":
        return explain.main(words, context)
    if word == "run":
        return run.main(words, context, report)
    raise SafepipError(USAGE, f"{word} is a word of safepip's own that this version cannot carry out yet")
