"""Compare what safepip repeats of pip's answers with what pip would say, in states that are made up by chance."""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def main() -> int:
    """Print how many answers were repeated, and every one that pip would not have given: 1 if there is any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="how many states (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same states")
    parser.add_argument("--machine", action="store_true", help="let pip read the machine's configuration too")
    asked = parser.parse_args()
    sandbox, oracle = importlib.import_module("sandbox"), importlib.import_module("idle_oracle")
    if not asked.machine:
        importlib.import_module("machine").hide()
    root = tempfile.mkdtemp(prefix="safepip-")
    try:
        program = sandbox.install_safepip(f"{root}/own", sys.executable)
        rounds = oracle.Rounds(
            sandbox.Sandbox(f"{root}/world", program, sandbox.make_wheelhouse(f"{root}/wheels")), asked.seed
        )
        rounds.run(asked.count)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    for wrong in rounds.wrong:
        print(*wrong, sep="\n  ")
    wrong_ones = len(rounds.wrong)
    print(f"seed {asked.seed}, {asked.count} states, {rounds.asked} times asked,", end=" ")
    print(f"{rounds.hits} times answered without pip, {wrong_ones} of these wrong")
    return 1 if wrong_ones else 0


if __name__ == "__main__":
    sys.exit(main())
