"""Signals at several moments: the end is as with bare pip, nothing goes on running, the terminal stays sane."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, NamedTuple

from .result import Result

if TYPE_CHECKING:
    import random

    from .result import Experiment
    from .world import World

_NAMES = ("INT", "TERM", "HUP", "QUIT", "PIPE", "KILL")
_MOMENTS = ("before pip", "while creating", "while pip runs")
_PATIENCE = 60  # seconds until the moment comes
_BACKEND = """
import time
def get_requires_for_build_wheel(config_settings=None):
    open({begun!r}, "w").close()
    time.sleep(30)
    return []
"""


class _End(NamedTuple):
    """How a command ended (negative: by that signal), how many processes it left, whether the terminal is sane."""

    status: int
    left: int
    sane: bool


def moments(world: World, _rounds: int, _rng: random.Random) -> Result:
    """Send every signal to the process and to its group at each moment."""
    tried, notes = 0, []
    names = ("INT", "TERM") if world.quick else _NAMES
    for moment in _MOMENTS:
        for name in names:
            if name == "PIPE" and moment != _MOMENTS[-1]:
                continue  # every Python ignores it, pip's too
            for group in (False, True):
                tried += 1
                ended = _sent(world, moment, name, group=group, bare=False)
                like = _expected(world, moment, name, group=group)
                if ended.status != like.status or ended.left > like.left or not ended.sane:
                    to = "group" if group else "process"
                    notes.append(f"{moment}, SIG{name} to the {to}: {ended}, not {like}")
    return Result("signals", tried, len(notes), notes, "signals")


def _expected(world: World, moment: str, name: str, *, group: bool) -> _End:
    """Return how bare pip ends; before there is one, the signal itself ends the command.

    By SIGKILL what was started for it cannot be ended, but ends by itself.
    """
    if moment == "while pip runs":
        return _sent(world, moment, name, group=group, bare=True)
    return _End(-getattr(signal, f"SIG{name}"), 9 if name == "KILL" and not group else 0, sane=True)


def _sent(world: World, moment: str, name: str, *, group: bool, bare: bool) -> _End:
    """Start an install at a terminal, send the signal when the moment has come, and look at what is left."""
    project = world.project("signalled")
    mark = f"TORTURED={os.urandom(8).hex()}"
    key, _, value = mark.partition("=")
    begun = os.path.join(project, "begun")
    argv, variables = _command(world, moment, project, begun, bare=bare)
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    started = subprocess.Popen(
        argv, cwd=project, env=world.environ({**variables, key: value}), stdin=slave, stdout=slave, stderr=slave,
        start_new_session=True,
    )  # fmt: skip
    try:
        waited = os.path.join(project, ".venv", "pyvenv.cfg") if moment == "while creating" else begun
        _wait_for(waited, started)
        number = getattr(signal, f"SIG{name}")
        os.killpg(started.pid, number) if group else os.kill(started.pid, number)
        status = started.wait(_PATIENCE)
        time.sleep(0.5)
        sane = termios.tcgetattr(slave) == before
        left = _running(mark)
    finally:
        for process in _processes(mark):
            os.kill(process, signal.SIGKILL)
        started.wait(_PATIENCE)
        os.close(master)
        os.close(slave)
    return _End(status, left, sane=sane)


def _command(
    world: World, moment: str, project: str, begun: str, *, bare: bool
) -> tuple[list[str], dict[str, str | None]]:
    """Return the command that can be met at that moment, and its variables."""
    if moment == "before pip":
        folder = os.path.join(project, "shims")
        os.makedirs(folder)
        with open(os.path.join(folder, "python3"), "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n: >{begun}\nexec sleep 30\n")
        os.chmod(file.name, 0o755)
        return [world.safepip, "install", "pack"], {"PATH": f"{folder}:/usr/bin:/bin"}
    if moment == "while creating":
        cache = os.path.join(world.scratch, "cold")
        shutil.rmtree(cache, ignore_errors=True)
        return [world.safepip, "install", "pack"], {"XDG_CACHE_HOME": cache}
    world.run([world.safepip, "install", "pack"], project)
    with open(os.path.join(project, "pyproject.toml"), "w", encoding="utf-8") as file:
        file.write('[project]\nname = "slow"\nversion = "1"\n[build-system]\nrequires = []\n')
        file.write('build-backend = "b"\nbackend-path = ["."]\n')
    with open(os.path.join(project, "b.py"), "w", encoding="utf-8") as file:
        file.write(_BACKEND.format(begun=begun))
    pip = [os.path.join(project, ".venv", "bin", "python"), "-m", "pip"]
    return [*(pip if bare else [world.safepip]), "install", "."], {}


def _wait_for(path: str, started: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while not os.path.lexists(path) and started.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


def _running(mark: str) -> int:
    """Return how many processes with this variable go on running, a few seconds after."""
    end = time.monotonic() + 3
    while _processes(mark) and time.monotonic() < end:
        time.sleep(0.1)
    return len(_processes(mark))


def _processes(mark: str) -> list[int]:
    numbers = filter(str.isdecimal, os.listdir("/proc"))
    return [int(number) for number in numbers if mark.encode() in _variables_of(number).split(b"\0")]


def _variables_of(process: str) -> bytes:
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _signals(world: World, rounds: int, rng: random.Random) -> Result:
    if not sys.platform.startswith("linux"):
        return Result("signals", skipped="takes /proc")
    return moments(world, rounds, rng)


EXPERIMENTS: dict[str, Experiment] = {"signals": _signals}
