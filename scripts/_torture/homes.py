"""Errors and kills in what changes a home: shims, start-up files and applications; process numbers that repeat."""

from __future__ import annotations

import functools
import os
import shutil
import stat
from typing import TYPE_CHECKING

from .attacks import ERRORS, _after, _complaints, _counts, _failing, _fresh, _kind, _litter, _must
from .kills import NO_STRACE
from .result import Result
from .strace import at_count, changes_of, kill_when

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from .result import Experiment
    from .world import World

APPLICATION = "pack"
RC_BEFORE = "alias ll='ls -l'\nexport SECRET=1\n"
SCRATCH = "safepip-scratch"


class Home:
    """A home in which one line has work to do: how it is prepared, and what is wrong with it afterwards."""

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.kind = kind
        self.folder = os.path.join(world.home, f"home-{kind}")
        self.env: dict[str, str | None] = {"HOME": self.folder, "SHELL": "/bin/bash", **_sources(world)}
        words = {"shims": ["shims"], "init": ["init", "--undo", "bash"], "app": ["--app", "install", APPLICATION]}
        self.line = [world.safepip, *words[kind]]

    def prepare(self, number: int) -> None:
        """Have the home as it is before the line."""
        if self.kind == "app" and number % 3 and os.path.isdir(self.folder):
            for name in (".local/share/pipx", ".local/bin", ".local/state/pipx"):
                shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        if self.kind == "init":
            self._write_rc()

    def _write_rc(self) -> None:
        path = os.path.join(self.folder, ".bashrc")
        with open(path, "w", encoding="utf-8") as file:
            file.write(RC_BEFORE)
        os.chmod(path, 0o600)
        _must(self.world.run([self.world.safepip, "init", "--write", "bash"], self.folder, self.env))

    def wrong_after_error(self) -> list[str]:
        """Return what is wrong before anything else has run."""
        if self.kind != "init":
            return []
        with open(os.path.join(self.folder, ".bashrc"), encoding="utf-8") as file:
            text = file.read()
        return [] if text.startswith(RC_BEFORE) else [f"the start-up file holds {text!r}"]

    def wrong_after_all(self) -> list[str]:
        """Return what is wrong once the line has run again."""
        found = (os.path.join(at, name) for at, _, names in os.walk(self.folder) for name in names)
        wrong = [f"litter: {path}" for path in found if SCRATCH in os.path.basename(path)]
        if self.kind == "init":
            return wrong + self._wrong_rc()
        program = {"shims": ".local/share/safepip/shims/pip", "app": f".local/bin/{APPLICATION}"}[self.kind]
        if not os.path.exists(os.path.join(self.folder, program)):
            return [*wrong, f"{program} is missing"]
        ran = self.world.run([os.path.join(self.folder, program), "--version"], self.folder, self.env)
        return wrong + ([] if ran.code == 0 else [f"{program}: {ran.last}"])

    def _wrong_rc(self) -> list[str]:
        path = os.path.join(self.folder, ".bashrc")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        wrong = [] if text == RC_BEFORE else [f"the start-up file holds {text!r}"]
        mode = stat.S_IMODE(os.stat(path).st_mode)
        return wrong + ([] if mode == 0o600 else [f"the start-up file has mode {mode:o}"])


def _sources(world: World) -> dict[str, str | None]:
    """Return where pipx comes from: the folder of wheels that the tests have."""
    more = os.environ.get("SAFEPIP_TEST_WHEELS", "")
    return {"PIP_FIND_LINKS": f"{world.wheels} {more}".strip()}


def inject_into_home(world: World, rounds: int, chance: random.Random, *, kind: str) -> Result:
    """Let one call of a line fail, chosen by chance; afterwards the line succeeds, and nothing is left over."""
    name = f"error-{kind}"
    if world.strace is None:
        return Result(name=name, skipped=NO_STRACE)
    home = Home(world, kind)
    home.prepare(0)
    counted = _counts(world, home.line, world.home, home.env)
    if kind == "app" and home.wrong_after_all():
        return Result(name=name, skipped="SAFEPIP_TEST_WHEELS names no folder with pipx")
    notes: list[str] = []
    for number in range(1, rounds + 1):
        home.prepare(number)
        call = chance.choice(sorted(counted))
        when, error = chance.randint(1, counted[call]), chance.choice(ERRORS)
        ran = _failing(world, home.line, home.folder, f"{call}:error={error}:when={when}", home.env)
        wrong = _complaints(ran) + home.wrong_after_error()
        again = world.run(home.line, home.folder, home.env)
        wrong += [] if again.code == 0 else [f"again: {again.last}"]
        wrong += _complaints(again) + home.wrong_after_all()
        where = f"{error} at {call} {when} of {counted[call]}"
        notes += world.note(name, number, rounds, where, wrong)
    return Result(name=name, tried=rounds, failed=len(notes), notes=notes, unit="errors")


def kill_in_namespaces(world: World, rounds: int, chance: random.Random) -> Result:
    """Kill lines whose process has the same number each time, as in containers; the next one succeeds."""
    name = "kill-numbers"
    unshare = shutil.which("unshare")
    if world.strace is None or unshare is None or not world.root:
        return Result(name=name, skipped="takes strace, unshare and root")
    own = [unshare, "--pid", "--fork"]
    tried = [_in_home(world, own, "shims"), _in_home(world, own, "init"), _in_environment(world, own)]
    notes: list[str] = []
    for number in range(1, rounds + 1):
        called, wrong = tried[number % len(tried)](number, chance)
        notes += world.note(name, number, rounds, called, wrong)
    return Result(name=name, tried=rounds, failed=len(notes), notes=notes, unit="kills")


def _in_home(world: World, own: list[str], kind: str) -> Callable[[int, random.Random], tuple[str, list[str]]]:
    home = Home(world, kind)
    home.prepare(0)
    total = len(changes_of(world, [*own, *home.line], home.folder, home.env))

    def kill(number: int, chance: random.Random) -> tuple[str, list[str]]:
        home.prepare(number)
        count = chance.randint(1, total)
        kill_when(world, [*own, *home.line], home.folder, at_count(count), home.env)
        ran = world.run([*own, *home.line], home.folder, home.env)
        wrong = [] if ran.code == 0 else [ran.last]
        return f"{kind}, change {count} of {total}", wrong + _complaints(ran) + home.wrong_after_all()

    return kill


def _in_environment(world: World, own: list[str]) -> Callable[[int, random.Random], tuple[str, list[str]]]:
    line, following, project = _kind(world, "upgrade")
    template = os.path.join(world.scratch, "numbers-template")
    shutil.copytree(project, template, symlinks=True)
    total = len(changes_of(world, [*own, *line], project))

    def kill(_number: int, chance: random.Random) -> tuple[str, list[str]]:
        _fresh(world, template, project)
        count = chance.randint(1, total)
        kill_when(world, [*own, *line], project, at_count(count))
        return f"upgrade, change {count} of {total}", _after(world, project, [*own, *following]) + _litter(project)

    return kill


EXPERIMENTS: dict[str, Experiment] = {
    **{f"error-{kind}": functools.partial(inject_into_home, kind=kind) for kind in ("shims", "init", "app")},
    "kill-numbers": kill_in_namespaces,
}
