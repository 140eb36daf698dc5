"""Compare how safepip and pip's own parsers read lines that are made up by chance."""

from __future__ import annotations

import argparse
import importlib
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from safepip.core.pip_line import read  # noqa: E402  found by the lines above


def main() -> int:
    """Print how many lines ended how, and every line that the two read differently: 1 if there is any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many lines (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same lines")
    asked = parser.parse_args()
    oracle = importlib.import_module("pip_oracle")
    outcomes: Counter[str] = Counter()
    different = 0
    for argv, variables, files in oracle.cases(random.Random(asked.seed), asked.count):  # noqa: S311  no secret
        told, true = oracle.facts(read(argv, variables, files)), oracle.truth(argv, variables, files)
        outcomes[true["outcome"]] += 1
        if told != true:
            different += 1
            show(argv, variables, files, told, true)
    print(f"seed {asked.seed}, {asked.count} lines, {different} read differently;", dict(outcomes))
    return 1 if different else 0


def show(
    argv: list[str], variables: dict[str, str], files: list[Any], told: dict[str, Any], true: dict[str, Any]
) -> None:
    """Print one line with all that bears on it, and each fact that safepip and pip tell differently."""
    print(argv, variables, *files, sep="\n  ")
    for name in sorted({*told, *true}):
        if told.get(name) != true.get(name):
            print(f"  {name}: safepip {told.get(name)!r}, pip {true.get(name)!r}")


if __name__ == "__main__":
    sys.exit(main())
