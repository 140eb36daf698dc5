"""Many commands at once in one environment, their overlap forced by delays."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from typing import TYPE_CHECKING

from .oracle import faults, orphans, site_of, unimportable
from .result import Result
from .strace import slowed
from .wheels import SMALL, make_slow_source

if TYPE_CHECKING:
    import random

    from .result import Experiment
    from .world import Ran, World

DELAY = 500  # microseconds for each renaming and removal
PATIENCE = 60  # seconds to wait for an environment to begin to exist
BUILDS = 50  # seconds, of the minute that the killed one would have held the lock
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL)


def race_to_create(world: World, rounds: int, chance: random.Random) -> Result:
    """Eight installs at once into one fresh project, in every third round two of them by uv."""
    notes: list[str] = []
    for number in range(rounds):
        with_uv = world.uv is not None and number % 3 == 2
        wrong = _create_once(world, chance, with_uv=with_uv)
        notes += world.note("race-create", number + 1, rounds, _where(number, with_uv, wrong), wrong)
    return _result("race-create", rounds, notes, world)


def race_to_replace(world: World, rounds: int, chance: random.Random) -> Result:
    """Four against four that replace one package by two versions, in every third round two of them by uv."""
    project = world.project("replaced")
    notes: list[str] = []
    for number in range(rounds):
        with_uv = world.uv is not None and number % 3 == 2
        wrong = _replace_once(world, project, chance, with_uv=with_uv)
        notes += world.note("race-replace", number + 1, rounds, _where(number, with_uv, wrong), wrong)
        if wrong:
            shutil.rmtree(os.path.join(project, ".venv"), ignore_errors=True)
    return _result("race-replace", rounds, notes, world)


def free_a_killed_holders_lock(world: World, rounds: int, chance: random.Random) -> Result:
    """End an install by a signal while another one, in every third round uv's, waits for it: that one goes on."""
    project = world.project("freed")
    flag = os.path.join(world.scratch, "building")
    source = make_slow_source(os.path.join(world.scratch, "slow"), flag)
    world.run([world.safepip, "install", "shared"], project)
    notes: list[str] = []
    for number in range(rounds):
        with_uv = world.uv is not None and number % 3 == 2
        how = chance.choice(ENDS)
        wrong = _free_once(world, project, source, flag, how, with_uv=with_uv)
        wrong = [f"{how.name}: {line}" for line in wrong]
        notes += world.note("lock-freed", number + 1, rounds, _where(number, with_uv, wrong), wrong)
    return _result("lock-freed", rounds, notes, world)


def _free_once(
    world: World, project: str, source: str, flag: str, how: signal.Signals, *, with_uv: bool
) -> list[str]:
    name = "small0==1.0"
    holder = world.start([world.safepip, "install", source], project)
    _wait_for(flag)
    os.unlink(flag)
    waiting = [world.safepip, "install", "--force-reinstall", name]
    if with_uv:
        waiting = [*_uv_install(world, project, name), "--reinstall"]
    waiter = world.start(waiting, project)
    time.sleep(0.3)
    early = waiter.poll() is not None
    holder.send_signal(how)
    begun = time.monotonic()
    ran = world.end(waiter)
    took = time.monotonic() - begun
    with contextlib.suppress(ProcessLookupError):
        os.killpg(holder.pid, signal.SIGKILL)  # what was building lives on
    world.end(holder)
    wrong = _ended([ran])
    if early:
        wrong.append("did not wait")
    if took > BUILDS:
        wrong.append(f"only after {took:.0f} s")
    return wrong + _broken(world, os.path.join(project, ".venv"))


def _create_once(world: World, chance: random.Random, *, with_uv: bool) -> list[str]:
    project = world.project("raced")
    names = chance.sample(SMALL, len(SMALL))
    by_uv = names[:2] if with_uv else []
    environment = os.path.join(project, ".venv")
    running = [world.start(_install(world, chance, name), project) for name in names if name not in by_uv]
    if by_uv:
        _wait_for(os.path.join(environment, "bin", "python"))
    running += [world.start(_uv_install(world, project, name), project) for name in by_uv]
    wrong = _ended([world.end(one) for one in running])
    if not os.path.isdir(environment):
        return [*wrong, "there is no environment"]
    installed = os.listdir(site_of(environment))
    wrong += [f"{name} is missing" for name in names if f"{name}-1.0.dist-info" not in installed]
    return wrong + _broken(world, environment)


def _replace_once(world: World, project: str, chance: random.Random, *, with_uv: bool) -> list[str]:
    environment = os.path.join(project, ".venv")
    if not os.path.isdir(environment):
        ran = world.run([world.safepip, "install", "big==1.0"], project)
        if ran.code != 0:
            return [ran.last]
    versions = chance.sample(["1.0", "2.0"] * 4, 8)
    running = []
    for number, version in enumerate(versions):
        requirement = f"big=={version}"
        command = _install(world, chance, requirement)
        if with_uv and number in {2, 5}:
            command = _uv_install(world, project, requirement)
        running.append(world.start(command, project))
    return _ended([world.end(one) for one in running]) + _broken(world, environment)


def _install(world: World, chance: random.Random, requirement: str) -> list[str]:
    """Return the line that installs by safepip, half of them slowed down."""
    argv = [world.safepip, "install", requirement]
    if world.strace is None or chance.random() < 0.5:
        return argv
    return slowed(world, argv, DELAY)


def _uv_install(world: World, project: str, requirement: str) -> list[str]:
    python = os.path.join(project, ".venv", "bin", "python")
    return [str(world.uv), "pip", "install", "--python", python, requirement]


def _wait_for(path: str) -> None:
    end = time.monotonic() + PATIENCE
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.002)


def _ended(all_ran: list[Ran]) -> list[str]:
    return [ran.last for ran in all_ran if ran.code != 0]


def _broken(world: World, environment: str) -> list[str]:
    try:
        site = site_of(environment)
        found = faults(site)
    except (OSError, ValueError) as error:
        return [str(error)]
    with contextlib.suppress(OSError):  # told already
        found += orphans(site)
    return found or unimportable(world, environment)


def _where(number: int, with_uv: bool, wrong: list[str]) -> str:
    how = " with uv" if with_uv else ""
    return f"round {number}{how}: {len(wrong)} wrong"


def _result(name: str, rounds: int, notes: list[str], world: World) -> Result:
    failed = len(notes)
    missing = [name for name, path in (("uv", world.uv), ("strace", world.strace)) if path is None]
    told = [f"without {name}, which is not here" for name in missing]
    return Result(name=name, tried=rounds, failed=failed, notes=notes + told)


EXPERIMENTS: dict[str, Experiment] = {
    "race-create": race_to_create,
    "race-replace": race_to_replace,
    "lock-freed": free_a_killed_holders_lock,
}
