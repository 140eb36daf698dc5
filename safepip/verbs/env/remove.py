"""safepip env remove: remove an environment that safepip made."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

from safepip.core.world import UNTRUSTED
from safepip.envs import inventory
from safepip.envs.in_force import unfit
from safepip.envs.removal import remove
from safepip.errors import NO_ENVIRONMENT, REFUSED, USAGE, SafepipError, shell_quote
from safepip.report import Report, first_of
from safepip.system import registry
from safepip.system.observe import Context
from safepip.verbs.output import human

from .which import add_directory, named_or_of_place

_SEEDS = frozenset(("pip", "setuptools", "wheel"))  # a new environment may have these


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this word."""
    add_directory(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="also with packages in it")


def main(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Remove an environment that safepip made, with all that is in it."""
    found = named_or_of_place(said.dir, context)
    path = found.path
    entry = registry.entry(context.state, path)
    if entry is None or entry.registration.how != registry.MADE:
        if not os.path.lexists(path):
            raise SafepipError(NO_ENVIRONMENT, f"there is no {path}")
        what = f"safepip did not make {path}, so it does not remove it"
        raise SafepipError(REFUSED, what, "see what it made: safepip env list")
    if found.state == UNTRUSTED and said.dir is None:  # a repository brought a redirect to it
        raise unfit(found, context)
    contents = "" if said.yes else "; ".join(_contents(path))
    if contents:
        what = f"{path} holds {contents} ({human(inventory.size(path))})"
        way = f"to remove it with that: safepip env remove --yes {shell_quote(context.typed(found))}"
        raise SafepipError(USAGE, what, way)
    remove(entry, context, report)
    if os.path.lexists(path):  # its parent may be closed to the user, as at a mount point
        report.say(f"{path} is empty now; the folder itself stays")
    else:
        report.say(f"{path} is removed")
    return 0


def _contents(path: str) -> Iterator[str]:
    names = sorted({*inventory.distributions(path)} - _SEEDS)
    if names:
        packages = "package" if len(names) == 1 else "packages"
        yield f"{len(names)} {packages}: {first_of(names)}"
    strays = inventory.strays(path)
    if strays:
        yield f"{first_of(strays)}, which no package put there"
    processes = inventory.users(path)
    if processes:
        yield f"process {processes[0]}, which runs in it"
