"""Undo changes that are made up by chance; each earlier `freeze` and file of --save has to come back."""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Print how many sequences came back step by step, and each that did not: 1 if there is any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="how many sequences (default: %(default)s)")
    parser.add_argument("--changes", type=int, default=5, help="how many changes each has (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first sequence; the next has the next")
    parser.add_argument("--safepip", help="the console script to try, instead of the tree's own, installed")
    parser.add_argument("--jobs", type=int, default=1, help="so many at once (default: %(default)s)")
    asked = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="sequences-")
    try:
        return 1 if tried(asked, scratch) else 0
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def tried(asked: argparse.Namespace, scratch: str) -> int:
    """Try all sequences; return in how many of them something did not come back."""
    sys.path.insert(0, str(ROOT / "tests"))
    sandbox, sequences = importlib.import_module("sandbox"), importlib.import_module("sequences")
    wheels = sandbox.make_wheelhouse(f"{scratch}/wheels")
    sequences.furnish(wheels)
    safepip = asked.safepip or sandbox.install_safepip(f"{scratch}/own", sys.executable)
    cache = Path(scratch, "cache")
    cache.mkdir()

    def one(seed: int) -> list[str]:
        box = sandbox.Sandbox(f"{scratch}/{seed}", safepip, wheels, cache=str(cache))
        try:
            found: list[str] = sequences.faults(box, seed, asked.changes)
            return found
        finally:
            shutil.rmtree(box.root, ignore_errors=True)

    seeds = range(asked.seed, asked.seed + asked.count)
    failed = 0
    with ThreadPoolExecutor(asked.jobs) as pool:
        for seed, found in zip(seeds, pool.map(one, seeds), strict=True):
            failed += bool(found)
            for fault in found:
                print(f"sequence {seed}: {fault}")
            print(f"\r{seed - asked.seed + 1} of {asked.count}", end="", file=sys.stderr, flush=True)
    print(f"\nseeds {asked.seed} to {seeds[-1]}, {asked.changes} changes each: {failed} of {asked.count} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
