"""One file per word of safepip's own."""

from __future__ import annotations

from safepip.errors import USAGE, SafepipError

from . import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.context import Context


def carry_out(word: str, words: tuple[str, ...], context: Context) -> int:
    """Carry out the word of safepip's own with its arguments; return the exit code."""
    if word == "explain":
        return explain.main(words, context)
    raise SafepipError(USAGE, f"{word} is a word of safepip's own that this version cannot carry out yet")
