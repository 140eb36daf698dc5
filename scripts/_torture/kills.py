"""Commands killed, with all that they started, at counted changes: what the next command makes of it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from .oracle import faults, orphans, site_of, unimportable
from .result import Result
from .strace import at_count, at_site, changes_of, first_and_last, kill_when

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from .result import Experiment
    from .world import World

    Decides = Callable[[str], bool]

LAST, SPREAD = 30, 60  # of a creation's changes: so many at its end, and so many spread evenly
IN_EACH_INSTALL = 2 / 3  # of the rounds: three kinds of install make 200 kills of 100 rounds
NO_STRACE = "strace, which counts the changes, is missing"
NEXT = ("install", "fourth")


def kill_creations(world: World, rounds: int, chance: random.Random, *, cold: bool = False) -> Result:
    """Kill a creation at first and last occurrence of every call site, at the last changes, and evenly."""
    name = "kill-create-cold" if cold else "kill-create"
    if world.strace is None:
        return Result(name=name, skipped=NO_STRACE)
    project = world.project("created")
    line = [world.safepip, "install", "small0"]
    home = {"HOME": world.folder("cold")} if cold else {}

    def fresh() -> None:
        world.project("created")
        if cold:
            shutil.rmtree(home["HOME"])
            os.makedirs(home["HOME"])

    fresh()
    world.run(line, project, home)
    whole = _listing(project)
    fresh()
    changes = changes_of(world, line, project, home)
    points = _creation_points(world, changes, chance, rounds)
    notes = []
    for number, (called, decides) in enumerate(points, 1):
        fresh()
        kill_when(world, line, project, decides, home)
        wrong = _after_creation(world, project, whole, home)
        notes += world.note(name, number, len(points), called, wrong)
    return Result(name=name, tried=len(points), failed=len(notes), notes=notes, unit="kills")


def _creation_points(
    world: World, changes: list[str], chance: random.Random, rounds: int
) -> list[tuple[str, Decides]]:
    """Return what to kill at, with its name; with fewer than 100 rounds so many of them, by chance."""
    total = len(changes)
    sites = first_and_last(changes, world.scratch)
    points = [(f"{site} #{count}", at_site(site, count, world.scratch)) for site, count in sites]
    counts = {*range(total - LAST + 1, total + 1), *(round(total * (part + 1) / SPREAD) for part in range(SPREAD))}
    points += [(f"change {count} of {total}", at_count(count)) for count in sorted(counts)]
    if rounds >= 100:
        return points
    return chance.sample(points, min(len(points), rounds))


def _after_creation(world: World, project: str, whole: set[str], home: dict[str, str]) -> list[str]:
    ran = world.run([world.safepip, "install", "small0"], project, home)
    if ran.code != 0:
        return [ran.last]
    found = _listing(project)
    wrong = [f"{name} is missing" for name in sorted(whole - found)]
    wrong += [f"{name} is too much" for name in sorted(found - whole)]
    environment = os.path.join(project, ".venv")
    return wrong + (
        _unsound(world, environment) or orphans(site_of(environment)) + unimportable(world, environment)
    )


def kill_installs(world: World, rounds: int, chance: random.Random, *, kind: str) -> Result:
    """Kill installs of one kind at changes spread by chance over all that they do."""
    name = f"kill-{kind}"
    if world.strace is None:
        return Result(name=name, skipped=NO_STRACE)
    line, project = _kind_of_install(world, kind)
    template = os.path.join(world.scratch, f"template-{kind}")
    shutil.copytree(project, template, symlinks=True)
    total = len(changes_of(world, line, project))
    kills = max(1, round(rounds * IN_EACH_INSTALL))
    counts = sorted(chance.sample(range(1, total + 1), min(kills, total)))
    notes = []
    for number, count in enumerate(counts, 1):
        _restore(template, project)
        for left in os.listdir(world.temporary):
            _discard(os.path.join(world.temporary, left))
        kill_when(world, line, project, at_count(count))
        following = line if chance.random() < 0.5 else [world.safepip, *NEXT]
        wrong = _after_install(world, project, following, line)
        where = f"change {count} of {total}"
        notes += world.note(name, number, len(counts), where, wrong)
    return Result(name=name, tried=len(counts), failed=len(notes), notes=notes, unit="kills")


def _kind_of_install(world: World, kind: str) -> tuple[list[str], str]:
    """Return the line to kill, and a project where it has something to do."""
    project = world.project(f"killed-{kind}")
    before, line = {
        "fresh": (["third"], ["other", "big"]),
        "upgrade": (["other==1.0", "pack==1.0", "big==1.0", "third"], ["-U", "other", "pack", "big"]),
        "pip": (["third"], ["--force-reinstall", *_wheel_of_pip(world)]),
    }[kind]
    ran = world.run([world.safepip, "install", *before], project)
    if ran.code != 0:
        raise RuntimeError(ran.last)
    return [world.safepip, "install", *line], project


def _wheel_of_pip(world: World) -> list[str]:
    """Return the options that name the pip which virtualenv brings, found by the Python of safepip's script."""
    with open(world.safepip, encoding="utf-8") as file:
        python = file.readline().removeprefix("#!").strip()
    code = "from virtualenv.seed.wheels.embed import get_embed_wheel as g; print(g('pip', '3.11').path)"
    path = subprocess.check_output([python, "-I", "-c", code], text=True).strip()
    return ["--find-links", os.path.dirname(path), "pip"]


def _after_install(world: World, project: str, line: list[str], killed: list[str]) -> list[str]:
    ran = world.run(line, project)
    if ran.code != 0:
        return [ran.last]
    environment = os.path.join(project, ".venv")
    wrong = [] if len(ran.said) <= 1 else [f"{len(ran.said)} lines said"]
    if os.path.lexists(os.path.join(environment, ".safepip", "journal")):
        wrong.append("the journal is still there")
    return wrong + (_unsound(world, environment) or _unsound_again(world, project, killed))


def _unsound_again(world: World, project: str, killed: list[str]) -> list[str]:
    """Return what is wrong once the killed line has run again: what no metadata named is then pip's own again.

    Until then such files stay, for nothing tells them from the user's.
    """
    environment = os.path.join(project, ".venv")
    ran = world.run(killed, project)
    wrong = [ran.last] if ran.code != 0 else _unsound(world, environment)
    return wrong or orphans(site_of(environment)) + unimportable(world, environment)


def _unsound(world: World, environment: str) -> list[str]:
    """Return what keeps an environment from being whole."""
    site = site_of(environment)
    wrong = faults(site)
    python = os.path.join(environment, "bin", "python")
    ran = world.run([python, "-m", "pip", "--version"], world.home)
    return wrong if ran.code == 0 else [*wrong, f"pip: {ran.last}"]


def _listing(project: str) -> set[str]:
    """Return the files of the environment, relative; safepip's own notes left out."""
    environment = os.path.join(project, ".venv")
    found = set()
    for folder, folders, files in os.walk(environment):
        folders[:] = [name for name in folders if name != ".safepip"]
        found |= {os.path.relpath(os.path.join(folder, name), environment) for name in (*folders, *files)}
    return found


def _restore(template: str, project: str) -> None:
    """Have the project as the template is; environments keep their paths. pip's own files are never edited."""
    shutil.rmtree(project)
    shutil.copytree(template, project, symlinks=True, copy_function=_linked_if_pips)


def _linked_if_pips(source: str, target: str) -> None:
    if "/site-packages/pip/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _discard(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


EXPERIMENTS: dict[str, Experiment] = {
    "kill-create": kill_creations,
    "kill-create-cold": functools.partial(kill_creations, cold=True),
    "kill-fresh": functools.partial(kill_installs, kind="fresh"),
    "kill-upgrade": functools.partial(kill_installs, kind="upgrade"),
    "kill-pip": functools.partial(kill_installs, kind="pip"),
}
