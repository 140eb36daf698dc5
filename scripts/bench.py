#!/usr/bin/env python3
"""Measure what safepip costs beside pip and its neighbours: python3 scripts/bench.py [--quick] [--rounds N].

It makes its own wheels, and safepip from this clone in a directory that is gone afterwards; only that needs a
package index. Every figure is the user and system CPU of a command and all that it starts, in ms. What is to be
compared runs by turns, round by round, in an order that changes; ratios and differences are taken within a
round, and the median of them is what is shown, with its standard error: a busy machine does less harm so.
Instructions counted by valgrind, where that is installed, do not depend on the machine's load.

Run by root it measures everything as an ordinary user (the one behind sudo, else nobody, who must be able to read
this clone), and then creation as root, whose environments share no file and have a goal of their own.

The table goes to stdout, progress to stderr. The exit code tells whether it could be measured, not what came out.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

from _bench.cases import PARTS, groups
from _bench.chart import charts, svg
from _bench.instructions import counted, counts
from _bench.measure import measure
from _bench.tell import as_data, footnote, load, machine, show, write_page
from _bench.world import SYSTEM_PYTHON, set_up
from bootstrap import CLONE, Stop, complain, use_recent_python

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _bench.measure import Group, Result
    from _bench.world import World

JSON_FILE = os.path.join(CLONE, "bench.json")
PAGE = os.path.join(CLONE, "safepip", "help", "speed.md")
ROUNDS, QUICK_ROUNDS = 15, 4
OF_ROOT = ("creation", "first")


def main(argv: list[str]) -> int:
    """Measure by the command line `argv`; return the exit code."""
    try:
        use_recent_python()
        options = parse(argv)
        if os.geteuid() == 0 and not options.as_root:
            measure_as_user(argv, options)
            return main([*argv, "--as-root"])
        rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
        with tempfile.TemporaryDirectory(prefix="safepip-bench-", ignore_cleanup_errors=True) as root:
            notes: list[str] = []
            world = set_up(os.path.realpath(root), options, notes)
            before = load()
            only = options.only or (OF_ROOT if options.as_root else ())
            wanted = groups(world, notes, quick=options.quick, only=only)
            results = [result for group in wanted for result in measured(group, world, rounds, notes)]
            count = [] if only and "instructions" not in only else counts(world, notes)
            told = {**machine(world), "load": f"{before} before, {load()} after"}
        show(told, results, notes)
        if count:
            print(f"\nInstructions, whatever else the machine does\n\n{counted(count)}")
        write(options, told, results, notes)
    except Stop as stop:
        return complain(stop.code, *stop.lines)
    except KeyboardInterrupt:
        return complain(130, "interrupted; nothing was written")
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.py", description="Measure what safepip costs.")
    parser.add_argument("--quick", action="store_true", help="few rounds and sizes; pip, venv, virtualenv, uv")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"default {ROUNDS}, {QUICK_ROUNDS} with --quick")
    parser.add_argument(
        "--only", action="append", default=[], choices=(*PARTS, "instructions"), help="measure just this"
    )
    parser.add_argument("--python", metavar="PATH", help=f"a managed Python (default {SYSTEM_PYTHON})")
    parser.add_argument("--tools", action="append", default=[], metavar="DIR", help="look for programs here first")
    parser.add_argument("--json", metavar="FILE", default=JSON_FILE, help="default %(default)s")
    parser.add_argument("--svg", metavar="FILE", help="draw a chart")
    parser.add_argument(
        "--page", action="store_true", help="write the goals and what was reached into the page on speed"
    )
    parser.add_argument("--as-root", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def measured(group: Group, world: World, rounds: int, notes: list[str]) -> list[Result]:
    """Return what came out of a group; nothing, with a note, where a command failed, so that the others count."""
    try:
        return [measure(group, world.environ, rounds, notes)]
    except Stop as stop:
        notes.append(f"left out: {group.title} ({'; '.join(stop.lines)})")
        return []


def measure_as_user(argv: list[str], options: argparse.Namespace) -> None:
    """Run this script with the same command line as an ordinary user; take over the files that it writes."""
    user = pwd.getpwuid(int(os.environ.get("SUDO_UID", "0")) or pwd.getpwnam("nobody").pw_uid)
    python = SYSTEM_PYTHON if os.access(SYSTEM_PYTHON, os.X_OK) else sys.executable
    with tempfile.TemporaryDirectory(prefix="safepip-bench-", ignore_cleanup_errors=True) as home:
        os.chown(home, user.pw_uid, user.pw_gid)
        made = {name: os.path.join(home, f"bench.{name}") for name in ("json", "svg")}
        words = [word for word in argv if word != "--page"]
        ended = subprocess.run(
            [python, os.path.abspath(__file__), *words, "--json", made["json"], "--svg", made["svg"]],
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            env={**os.environ, "HOME": home, "TMPDIR": home},
            check=False,
        )
        if ended.returncode:
            raise Stop(ended.returncode, f"could not measure as {user.pw_name}")
        shutil.copyfile(made["json"], options.json)
        if options.svg:
            shutil.copyfile(made["svg"], options.svg)


def write(
    options: argparse.Namespace, told: Mapping[str, str], results: Sequence[Result], notes: Sequence[str]
) -> None:
    """Write the files that were asked for; what root measures is added to what the user did."""
    data = as_data(told, results, notes, whose=", as root" if options.as_root else "")
    if options.as_root:
        with open(options.json, encoding="utf-8") as file:
            of_user = json.load(file)
        data = {**of_user, "as root": data, "summary": [*of_user["summary"], *data["summary"]]}
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1, ensure_ascii=False)
        file.write("\n")
    if options.page:
        write_page(PAGE, data["summary"])
    if options.svg and not options.as_root:
        with open(options.svg, "w", encoding="utf-8") as file:
            file.write(svg(charts(results), footnote(told)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
