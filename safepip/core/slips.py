"""Answer slips of the keyboard: words that neither pip nor safepip knows."""

from __future__ import annotations

from safepip.errors import shell_quote

from .invocation import FLAGS, OPTIONS, TOPICS, VALUED, VERBS
from .pip_options import GLOBAL_OPTIONS, SPECS, SUBCOMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pip_line import PipCommand
    from .world import World


def answer_to_slip(command: PipCommand) -> str | None:
    """Return what to say of a word that nobody knows, or None."""
    if command.subcommand == "help":
        return _list_of_topics(command.argv[command.argv.index("help") + 1 :])
    if command.outcome == "unknown_command":
        typed = str(command.error).partition('"')[2].rstrip('"')
        near = _nearest(typed, (*SUBCOMMANDS, *VERBS), shortest=3)
        if near in VERBS:
            return f"maybe you meant: safepip {near}"
        return None
    if command.subcommand is not None:
        return None
    name = str(command.unknown_option).partition("=")[0]
    for spec in SPECS:
        if name in spec[0]:  # of one of pip's subcommands, such as `--user`: it stands too early
            return None
    near = _nearest(name, (*GLOBAL_OPTIONS, *OPTIONS), shortest=len("--xx"))
    if near in OPTIONS:
        return f"maybe you meant: {near}"
    return None


def late_option(world: World) -> str | None:
    """Return what was meant by an option of safepip's behind the subcommand.

    None where pip may have such an option: called as pip, all words are pip's.
    """
    name, argv = world.first_reading.unknown_option, world.first_reading.argv
    if world.invocation.shim or name not in {*FLAGS, *VALUED}:
        return None
    names = [word.partition("=")[0] for word in argv]
    at = names.index(name)
    end = at + 1
    if name in VALUED and argv[at] == name:
        end += 1  # its value is the next word
    words = (*argv[at:end], *argv[:at], *argv[end:])
    return f"{name} is safepip's and goes before the command: safepip {' '.join(map(shell_quote, words))}"


def _list_of_topics(behind_help: tuple[str, ...]) -> str | None:
    for word in behind_help:
        if word.startswith("-"):
            continue
        if word in {*SUBCOMMANDS, *VERBS, *TOPICS}:
            return None
        return f"safepip help knows pip's commands, {', '.join((*VERBS, *TOPICS))}"
    return None


def _nearest(typed: str, words: tuple[str, ...], *, shortest: int) -> str | None:
    """Return the first word that `typed` abbreviates, else the most similar."""
    from difflib import get_close_matches  # takes longer to import than all of safepip

    if len(typed) >= shortest:
        for word in words:
            if word.startswith(typed):
                return word
    for word in get_close_matches(typed, words, n=1):
        return word
    return None
