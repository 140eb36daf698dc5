#!/usr/bin/env python3
"""Try to break safepip: python3 scripts/torture.py [--rounds N] [--seed S] [--quick] [EXPERIMENT ...].

Commands at once, kills, full disks, signals, hostile and odd surroundings: each experiment counts what it tried
and what failed, and the table sets peers' figures beside that. What is tortured is the console script given with
--safepip, else the one beside the Python that runs this. Everything happens in a folder that is gone afterwards;
nothing is downloaded. Progress goes to stderr. The exit code is 1 if anything failed; what was skipped is said.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import textwrap
import time
from importlib import import_module
from typing import TYPE_CHECKING

from _torture.peers import HOW, PEERS
from _torture.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _torture.result import Experiment, Result

MODULES = ("races", "kills", "attacks", "homes", "disks", "signals", "layouts", "state", "fuzz")
ROUNDS, QUICK_ROUNDS = 100, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the experiments that the command line names; return 1 if anything failed."""
    experiments = find_experiments()
    options = parse(argv, experiments)
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="torture-"))
    uv = options.uv or shutil.which("uv")
    world = World(options.safepip, scratch, uv=uv, strace=shutil.which("strace"), quick=options.quick)
    names = options.experiments or experiments
    try:
        results = [carry_out(name, experiments[name], world, options) for name in names]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(table(results, options.seed))
    return 1 if any(result.failed for result in results) else 0


def find_experiments() -> dict[str, Experiment]:
    """Return all experiments by name, in the order of the table."""
    found: dict[str, Experiment] = {}
    for name in MODULES:
        found.update(import_module(f"_torture.{name}").EXPERIMENTS)
    return found


def parse(argv: Sequence[str] | None, experiments: dict[str, Experiment]) -> argparse.Namespace:
    """Read the command line."""
    own = os.path.join(os.path.dirname(sys.executable), "safepip")
    parser = argparse.ArgumentParser(prog="torture.py", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=", ".join(experiments))
    parser.add_argument("--rounds", type=int, metavar="N", help=f"of each experiment ({ROUNDS})")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of what is left to chance (1)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds, few points of each kind")
    parser.add_argument("--safepip", metavar="PATH", default=own, help="the console script under torture")
    parser.add_argument("--uv", metavar="PATH", help="uv, where it is not on PATH")
    options = parser.parse_args(argv)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.safepip = os.path.abspath(options.safepip)
    unknown = sorted(set(options.experiments) - set(experiments))
    if unknown:
        parser.error(f"no experiment is called {', '.join(unknown)}; there are: {', '.join(experiments)}")
    if not os.access(options.safepip, os.X_OK):
        parser.error(f"{options.safepip} is not a console script of safepip's; name one with --safepip")
    return options


def carry_out(name: str, experiment: Experiment, world: World, options: argparse.Namespace) -> Result:
    """Run one experiment; what is random in it depends on the seed and its name alone."""
    begun = time.monotonic()
    tell(f"{name} ...")
    result = experiment(world, options.rounds, random.Random(f"{options.seed}-{name}"))  # noqa: S311  no secret
    for note in result.notes:
        tell(f"  {note}")
    tell(f"{name}: {verdict(result)}, {time.monotonic() - begun:.0f} s")
    return result


def verdict(result: Result) -> str:
    """Return in words how an experiment came out."""
    if result.skipped:
        return f"skipped: {result.skipped}"
    return f"{result.failed} of {result.tried} {result.unit} failed"


def table(results: Sequence[Result], seed: int) -> str:
    """Return the table: experiment, tried, failed, how peers did; then what was skipped, and who the peers are."""
    done = [result for result in results if not result.skipped]
    lines = [f"{'experiment':<22} {'tried':>12} {'failed':>6}  peers", "-" * 80]
    for result in done:
        first, *more = textwrap.wrap(PEERS.get(result.name, "not measured"), 72)
        lines.append(f"{result.name:<22} {result.tried:>5} {result.unit[:6]:<6} {result.failed:>6}  {first}")
        lines += [" " * 44 + line for line in more]
    lines += [f"skipped: {result.name}: {result.skipped}" for result in results if result.skipped]
    return "\n".join([*lines, f"seed {seed}", HOW])


def tell(line: str) -> None:
    """Write a line of progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
