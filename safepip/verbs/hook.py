"""safepip hook SHELL complete AT WORD…: print words for completion.

The other questions of a hook are answered by shells/hook.py, before any of this is loaded.
"""

from __future__ import annotations

import sys

from safepip.errors import USAGE, SafepipError
from safepip.report import Report, printable
from safepip.shells import LANGUAGES
from safepip.system.observe import Context

from .arguments import shows_help
from .completion import FILES, Words, completions, files

_WORDS_ONLY = ("bash", "tcsh", "sh")  # these show no meanings
_COMPLETE_FILES = ("bash", "zsh")  # these complete files by themselves
_USAGE = "safepip hook SHELL, as the code that `safepip init SHELL` prints asks for it"


def main(words: tuple[str, ...], context: Context, _report: Report) -> int:
    """Print one word a line, for most shells with its meaning."""
    if shows_help(words):
        sys.stdout.write(f"usage: {_USAGE}\n")
        return 0
    match words:
        case (shell, "complete", number, *line) if shell in LANGUAGES and number.isdecimal():
            at = int(number)
        case _:
            raise SafepipError(USAGE, f"usage: {_USAGE}")
    if shell == "tcsh":
        # tcsh has its whole line in a variable, and no place of the cursor.
        typed = context.ambient.environ.get("COMMAND_LINE", "")
        line = typed.split()
        at = len(line)
        if not typed.endswith(" "):
            at -= 1
    current = "".join(line[at : at + 1])
    found = completions(tuple(line[:at]), current, context)
    # FILES is not a word, but says that names of files fit here.
    takes_files = found.pop(FILES, None) is not None
    matching = _matching(found, current)
    if takes_files and shell not in _COMPLETE_FILES:
        matching.update(files(current))
    for word, meaning in matching.items():
        sys.stdout.write(_line(shell, word, meaning))
    return 0


def _matching(found: Words, current: str) -> Words:
    # Options are offered if one was begun, or if nothing else fits.
    words: Words = {}
    options: Words = {}
    for word, meaning in found.items():
        if not word.startswith(current):
            continue
        if word.startswith("-"):
            options[word] = meaning
        else:
            words[word] = meaning
    return words or options


def _line(shell: str, word: str, meaning: str) -> str:
    separator = "\t"
    if shell == "zsh":
        word, separator = word.replace(":", "\\:"), ":"  # _describe splits at the colon
    if not meaning or shell in _WORDS_ONLY:
        return f"{word}\n"
    return f"{word}{separator}{printable(meaning)}\n"
