"""safepip env path: print where the environment is, or would be."""

from __future__ import annotations

import argparse
import sys

from safepip.core.world import FOREIGN, NOWHERE, UNTRUSTED
from safepip.envs.in_force import in_force, unfit
from safepip.report import Report, printable
from safepip.system.observe import Context
from safepip.verbs.arguments import not_empty

from .which import serving


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this word."""
    whose = "for this directory (default: the working directory)"
    parser.add_argument("dir", metavar="DIR", nargs="?", type=not_empty, help=whose)


def main(said: argparse.Namespace, context: Context, _report: Report) -> int:
    """Print the path."""
    if said.dir is None:
        found = in_force(context)
    else:
        found = serving(said.dir, context)
    if found.state in {UNTRUSTED, FOREIGN, NOWHERE}:
        raise unfit(found, context)
    path = found.path
    if sys.stdout.isatty():
        path = printable(path)  # the name must not steer the terminal; a script gets it as it is
    sys.stdout.write(f"{path}\n")
    return 0
