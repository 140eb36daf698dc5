"""Count instructions by valgrind: figures that do not depend on what else the machine does."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from typing import NamedTuple

from bootstrap import Stop

from _bench.cases import COLD, READY, cold, take_out
from _bench.measure import Case, say
from _bench.world import NAMED, SMALL, in_environment, make_project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _bench.world import World


class Count(NamedTuple):
    """Millions of instructions of safepip, and of pip alone."""

    name: str
    safepip: float
    pip: float


def counts(world: World, notes: list[str]) -> list[Count]:
    """Return what safepip and pip alone count for listing, --version, doing nothing, and creating."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        notes.append("no instructions counted: valgrind is not installed")
        return []
    say("counting instructions ...")
    project = make_project(world, "counted", NAMED)
    ready = make_project(world, "counted-ready")
    pairs = []
    for name, words in (
        ("list", ("list",)),
        ("--version", ("--version",)),
        (f"install of {NAMED} satisfied requirements", ("install", "-r", "requirements.txt")),
    ):
        own = Case(name, (world.isolated, *words), project)
        pairs.append((own, Case(name, (in_environment(project, "pip"), *words), project)))
    bare = Case(READY, (in_environment(ready, "pip"), "install", SMALL), ready, lambda: take_out(ready))
    pairs.append((cold(world)._replace(name=COLD), bare))
    return [Count(own.name, count(valgrind, own, world), count(valgrind, pip, world)) for own, pip in pairs]


def count(valgrind: str, case: Case, world: World) -> float:
    """Return the millions of instructions of a command and all that it starts, once it was run to warm up.

    A process that becomes another program by exec writes one file before that.
    """
    folder = os.path.join(world.root, "instructions")
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    environ = {**world.environ, **case.environ}
    options = ("-q", "--tool=callgrind", "--trace-children=yes", "--dump-before=execve")
    out = f"--callgrind-out-file={folder}/%p"
    for argv in (case.argv, (valgrind, *options, out, *case.argv)):
        case.before()
        ended = subprocess.run(argv, cwd=case.cwd, env=environ, capture_output=True, check=False)
        if ended.returncode:
            raise Stop(69, f"{case.name} ended with {ended.returncode}", *ended.stderr.decode().splitlines()[-3:])
    return sum(map(total, glob.glob(os.path.join(glob.escape(folder), "*")))) / 1e6


def total(file: str) -> int:
    """Return the instructions in a file of callgrind's."""
    with open(file, encoding="utf-8", errors="replace") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("totals:"))


def counted(found: list[Count]) -> str:
    """Return the table of counts, in Markdown."""
    rows = [f"| {one.name} | {one.safepip:.0f} | {one.pip:.0f} | {one.safepip / one.pip:.3f} |" for one in found]
    return "\n".join(["| millions of instructions | safepip | pip alone | ratio |", "|---|--:|--:|--:|", *rows])
