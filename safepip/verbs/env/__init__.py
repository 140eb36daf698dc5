"""safepip env WORD: show, make, repair and remove environments."""

from __future__ import annotations

import difflib
from importlib import import_module

from safepip.actions.sudo import of_user_behind_sudo, stepped_down
from safepip.errors import USAGE, SafepipError
from safepip.report import Report
from safepip.system.observe import Context
from safepip.verbs.arguments import Parser, for_verb

# Each word is a module of this package, with `add_arguments(parser)` and `main(said, context, report)`.
WORDS = {
    "path": "print the path of the environment for this place, whether it exists or not",
    "list": "show all environments that safepip made or adopted",
    "info": "show what is known of an environment",
    "create": "make the environment for this place, and install nothing",
    "remove": "remove an environment that safepip made",
    "prune": "show which environments are not needed any more",
    "trust": "let an environment that others made be used",
    "repair": "rebuild an environment with the same packages",
}
_READING = ("path", "list", "info")


def parser() -> Parser:
    """Return the parser of `env`, with one below it for each word."""
    made = for_verb("env", example="safepip env list")
    words = made.add_subparsers(required=True, metavar="|".join(WORDS), parser_class=Parser, prog="safepip env")
    for word, description in WORDS.items():
        module = import_module(f".{word}", __name__)
        below = words.add_parser(word, help=description, description=description)
        below.set_defaults(main=module.main, parser=below)
        module.add_arguments(below)
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Carry out one word of `env`."""
    whole = parser()
    if not words:
        whole.error("env needs a word")
    word = words[0]
    if not word.startswith("-") and word not in WORDS:
        way = " ".join(whole.format_usage().split())
        for near in difflib.get_close_matches(word, WORDS, n=1):
            way = f"maybe: safepip env {near}"
        raise SafepipError(USAGE, f"env has no word {word}", way)
    # argparse would name the usage of `env` for an unknown option of the word.
    said, unknown = whole.parse_known_args(words)
    if unknown:
        said.parser.error(f"env {word} takes no {' '.join(unknown)}")
    if word in _READING:
        context = of_user_behind_sudo(context, report)
    else:
        # Files of root in the user's environment would break it for the user.
        context = stepped_down(context, report)
    return int(said.main(said, context, report))
