"""Other tools that take the word pip, as scanners do."""

from __future__ import annotations

import os

from safepip.shells.detect import language_of, users_shell
from safepip.shells.neighbours import Neighbour, neighbours
from safepip.shells.startup_files import all_files

from .finding import Context, Findings, attempt, ok, warning


def check(context: Context) -> Findings:
    """Name each alias, function or program that stands in front of pip."""
    nobody: list[Neighbour] = []
    for found in attempt(lambda: neighbours_here(context), nobody):
        if found.both_act:
            yield ok("pip-neighbour", found.what)
        else:
            yield warning("pip-neighbour", found.what, found.way)


def neighbours_here(context: Context) -> list[Neighbour]:
    """Return them, from the files of the user's shell and PATH."""
    ambient = context.ambient
    home = ambient.home or os.sep
    shell = users_shell(ambient.environ)
    files: list[str] = []
    if language_of(shell) is not None:
        files = all_files(shell, home, ambient.environ)
    # Without shims on PATH the way on is to write them there.
    shims = os.path.join(context.data or home, "shims")
    return neighbours(files, ambient.environ, home, shims)
