"""Full disks of many sizes, as root, who may mount: below the project, below the home, and with few inodes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from .result import Result

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from .result import Experiment
    from .world import Ran, World

_SMALLEST, _ENOUGH = 16 << 10, 48 << 20  # bytes; an environment with pip takes some 25 MiB
_PLACES = ("project", "home", "cache", "state")
_SIZES, _QUICK_SIZES = 64, 6


class _Case(NamedTuple):
    place: str
    options: str


def sizes(world: World, _rounds: int, _rng: random.Random) -> Result:
    """Install on a disk of every size; with space again, the same command succeeds."""
    if not world.root or subprocess.run(["mount", "--version"], capture_output=True, check=False).returncode:
        return Result("disk-sizes", skipped="takes root, to mount small disks")
    notes: list[str] = []
    cases = list(_cases(_QUICK_SIZES if world.quick else _SIZES))
    for case in cases:
        notes += [f"{case.place} of {case.options}: {note}" for note in _tried(case, world)]
    return Result("disk-sizes", len(cases), len(notes), notes, "sizes")


def _cases(count: int) -> Iterator[_Case]:
    """Yield half of the sizes for the project, the others for where the user's files are; some without inodes."""
    for number in range(count):
        share = (number // 2 + 0.5) / (count / 2)
        size = int(_SMALLEST * (_ENOUGH / _SMALLEST) ** share) >> 12 << 12
        place = "project" if number % 2 == 0 else _PLACES[1 + number // 2 % 3]
        few = f",nr_inodes={int(8 * 400**share)}"
        yield _Case(place, f"size={_ENOUGH * 4}{few}" if number % 8 in {3, 6} else f"size={size}")


def _tried(case: _Case, world: World) -> list[str]:
    """Return what went wrong on one disk."""
    root = tempfile.mkdtemp(prefix="disk-", dir=world.scratch)
    folders = {name: os.path.join(root, name) for name in _PLACES}
    for folder in folders.values():
        os.mkdir(folder)
    with _mounted(folders[case.place], case.options):
        project = os.path.join(folders["project"], "p")
        variables = {"HOME": folders["home"], "XDG_STATE_HOME": folders["state"]}
        if case.place in {"cache", "home"}:
            variables["XDG_CACHE_HOME"] = (
                folders["cache"] if case.place == "cache" else f"{folders['home']}/.cache"
            )
        else:
            variables["XDG_CACHE_HOME"] = world.folder("disk-cache")  # a warm one
        try:
            os.mkdir(project)
        except OSError:
            project = folders["project"]
        full = world.run([world.safepip, "install", "pack"], project, variables)
        notes = [
            *_objections(full),
            *(["fails although the project has room"] if _is_needless(case, full) else []),
        ]
        room = f"remount,size={_ENOUGH * 8},nr_inodes=0"
        subprocess.run(["mount", "-o", room, folders[case.place]], check=True)
        again = world.run([world.safepip, "install", "pack"], project, variables)
        python = os.path.join(project, ".venv", "bin", "python")
        used = (
            world.run([python, "-c", "import pack.part1, pip"], project, variables) if again.code == 0 else again
        )
        return notes + ([] if used.code == 0 else [f"with space again: {again.last} {used.last}"])


def _objections(ran: Ran) -> list[str]:
    found = [f"a traceback: {ran.last}"] if "Traceback" in ran.err else []
    found += [f"an odd end: {ran.last}"] if ran.code not in {0, 1, 2, 3, 73} else []
    return found + (["no word about it"] if ran.code and not ran.err.strip() else [])


def _is_needless(case: _Case, ran: Ran) -> bool:
    return case.place != "project" and ran.code != 0


@contextlib.contextmanager
def _mounted(folder: str, options: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options},mode=755", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


EXPERIMENTS: dict[str, Experiment] = {"disk-sizes": sizes}
