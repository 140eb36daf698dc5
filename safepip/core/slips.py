"""Answer slips of the keyboard: words and options that neither pip nor safepip knows, or that stand too late."""

from __future__ import annotations

from safepip.errors import shell_quote

from .invocation import FLAGS, OPTIONS, TOPICS, VALUED, VERBS
from .pip_options import GLOBAL_OPTIONS, SPECS, SUBCOMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pip_line import PipCommand
    from .world import World


def answer_to_slip(command: PipCommand) -> str | None:
    """Return what to say of a word or option that neither pip nor safepip knows, or None."""
    if command.subcommand == "help":
        behind = command.argv[command.argv.index("help") + 1 :]
        topics = [word for word in behind if not word.startswith("-")]
        return _list_of_topics(topics[0]) if topics else None
    if command.unknown_option and command.subcommand is None:
        return _nearest_option(command.unknown_option)
    if command.outcome == "unknown_command":
        return _nearest_verb(str(command.error).partition('"')[2].rstrip('"'))
    return None


def late_option(world: World) -> str | None:
    """Return how the line is meant that has an option of safepip's own behind the subcommand, or None.

    Only where pip has no such option, so that pip would reject the line; called as pip, all words are pip's.
    """
    name, argv = world.first_reading.unknown_option, world.first_reading.argv
    if world.invocation.shim or name not in {*FLAGS, *VALUED}:
        return None
    at = next(index for index, word in enumerate(argv) if word.partition("=")[0] == name)
    width = 2 if name in VALUED and argv[at] == name else 1
    words = (*argv[at : at + width], *argv[:at], *argv[at + width :])
    return f"{name} is safepip's and goes before the command: safepip {' '.join(map(shell_quote, words))}"


def _list_of_topics(topic: str) -> str | None:
    if topic in {*SUBCOMMANDS, *VERBS, *TOPICS}:
        return None
    return f"safepip help knows pip's commands, {', '.join((*VERBS, *TOPICS))}"


def _nearest_option(typed: str) -> str | None:
    """Return which of safepip's options was meant, if none of pip's before the subcommand is nearer.

    An option of one of pip's subcommands that stands too early, such as `--user`, is not a slip of the fingers.
    """
    name = typed.partition("=")[0]
    for spec in SPECS:
        if name in spec[0]:
            return None
    near = _nearest(name, (*GLOBAL_OPTIONS, *OPTIONS), shortest=len("--x") + 1)
    return f"maybe you meant: {near}" if near in OPTIONS else None


def _nearest_verb(typed: str) -> str | None:
    near = _nearest(typed, (*SUBCOMMANDS, *VERBS), shortest=3)
    return f"maybe you meant: safepip {near}" if near in VERBS else None


def _nearest(typed: str, words: tuple[str, ...], *, shortest: int) -> str | None:
    """Return the first of the `words` that begins with what was `typed`, unless too short, else the nearest."""
    from difflib import get_close_matches  # takes longer to import than all of safepip

    begun = [word for word in words if word.startswith(typed)] if len(typed) >= shortest else []
    return next(iter(begun or get_close_matches(typed, words, n=1)), None)
