"""Errors of the system at counted calls, damaged files, moved clocks, living programs, races of users."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from .kills import NEXT, NO_STRACE, _restore, _unsound, _wheel_of_pip
from .oracle import site_of
from .result import Result
from .strace import at_count, changes_of, kill_when

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

    from .result import Experiment
    from .world import Ran, World

    Variables = Mapping[str, str | None] | None

ERRORS = ("ENOSPC", "EIO", "EACCES", "EMFILE", "EINTR")
CALLS = (
    "rename", "unlink", "unlinkat", "mkdir", "rmdir", "link", "linkat", "symlink", "chmod", "fchmod", "fsync",
    "ftruncate", "getdents64", "write",
)  # fmt: skip
_COUNTED = re.compile(r"\b(" + "|".join(CALLS) + r")\(")
STRANGER = 2002


def inject_errors(world: World, rounds: int, chance: random.Random, *, kind: str) -> Result:
    """Let one call of a command fail, chosen by chance; afterwards the next command finds or makes all intact."""
    name = f"error-{kind}"
    if world.strace is None:
        return Result(name=name, skipped=NO_STRACE)
    line, following, project = _kind(world, kind)
    template = os.path.join(world.scratch, f"error-template-{kind}")
    shutil.copytree(project, template, symlinks=True)
    counted = _counts(world, line, project)
    notes: list[str] = []
    for number in range(1, rounds + 1):
        _prepare(world, kind, template, project)
        call = chance.choice(sorted(counted))
        when, error = chance.randint(1, counted[call]), chance.choice(ERRORS)
        ran = _failing(world, line, project, f"{call}:error={error}:when={when}")
        wrong = _complaints(ran) + _after(world, project, following)
        where = f"{error} at {call} {when} of {counted[call]}"
        notes += world.note(name, number, rounds, where, wrong)
    return Result(name=name, tried=rounds, failed=len(notes), notes=notes, unit="errors")


def _kind(world: World, kind: str) -> tuple[list[str], list[str], str]:
    """Return a line, the line that follows, and a project where both have work to do."""
    project = world.project(f"errors-{kind}")
    before = ["other==1.0", "pack==1.0", "third"]
    _must(world.run([world.safepip, "install", *before], project))
    install = [world.safepip, "install"]
    lines = {
        "install": [*install, "big"],
        "upgrade": [*install, "-U", "other", "pack"],
        "pip": [*install, "--force-reinstall", *_wheel_of_pip(world)],
        "repair": [world.safepip, "env", "repair"],
        "undo": [world.safepip, "undo"],
        "remove": [world.safepip, "env", "remove", "-y"],
        "prune": [world.safepip, "env", "prune", "--unused", "0", "-y"],
    }
    if kind == "repair":
        os.truncate(os.path.join(site_of(os.path.join(project, ".venv")), "pack", "part0.py"), 0)
        return lines[kind], lines["repair"], project
    return lines[kind], [world.safepip, *NEXT], project


def _prepare(world: World, kind: str, template: str, project: str) -> None:
    if kind in {"remove", "prune"}:  # only the very directory that safepip made is removed
        _kind(world, kind)
    else:
        _fresh(world, template, project)


def kill_changes(world: World, rounds: int, chance: random.Random, *, kind: str) -> Result:
    """Kill one of safepip's own changes at a point chosen by chance; the next command puts all right."""
    name = f"kill-{kind}"
    if world.strace is None:
        return Result(name=name, skipped=NO_STRACE)
    line, following, project = _kind(world, kind)
    template = os.path.join(world.scratch, f"kill-template-{kind}")
    shutil.copytree(project, template, symlinks=True)
    total = len(changes_of(world, line, project))
    notes: list[str] = []
    for number in range(1, rounds + 1):
        _prepare(world, kind, template, project)
        count = chance.randint(1, total)
        kill_when(world, line, project, at_count(count))
        wrong = _after(world, project, following)
        where = f"change {count} of {total}"
        notes += world.note(name, number, rounds, where, wrong)
    return Result(name=name, tried=rounds, failed=len(notes), notes=notes, unit="kills")


def _must(ran: Ran) -> None:
    if ran.code != 0:
        raise RuntimeError(ran.last)


def _fresh(world: World, template: str, project: str) -> None:
    _restore(template, project)
    for left in os.listdir(world.temporary):
        shutil.rmtree(os.path.join(world.temporary, left), ignore_errors=True)


def _traced(
    world: World, line: Sequence[str], project: str, options: Sequence[str], env: Variables = None
) -> tuple[Ran, str]:
    with tempfile.NamedTemporaryFile("r", dir=world.scratch) as log:
        traced = [str(world.strace), "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", *options, "-o", log.name]
        return world.run([*traced, *line], project, env), log.read()


def _counts(world: World, line: Sequence[str], project: str, env: Variables = None) -> dict[str, int]:
    """Return how often the line makes each call."""
    _, log = _traced(world, line, project, ["-e", f"trace={','.join(CALLS)}"], env)
    found: dict[str, int] = {}
    for call in _COUNTED.findall(log):
        found[call] = found.get(call, 0) + 1
    return found


def _failing(world: World, line: Sequence[str], project: str, injected: str, env: Variables = None) -> Ran:
    call = injected.partition(":")[0]
    return _traced(world, line, project, ["-e", f"trace={call}", "-e", f"inject={injected}"], env)[0]


def _complaints(ran: Ran) -> list[str]:
    """Return a traceback that leads through safepip's files and not through pip's."""
    if "/pip/_internal/" in ran.err:
        return []
    if re.search(r"^\s*File .*/safepip/", ran.err, re.MULTILINE):
        return [f"traceback: {ran.last}"]
    return []


def _failed(ran: Ran, called: str) -> list[str]:
    if ran.code == 0:
        return []
    return [f"{called}: {ran.last}"]


def _after(world: World, project: str, line: Sequence[str]) -> list[str]:
    """Return what is wrong when the next command has run, and after a repair."""
    environment = os.path.join(project, ".venv")
    ran = world.run(line, project)
    wrong = [*_failed(ran, line[-1]), *_complaints(ran)]
    if os.path.lexists(os.path.join(environment, ".safepip", "journal")):
        wrong.append("the journal is still there")
    if wrong:
        return wrong
    return _unsound(world, environment) + _litter(project)


def _litter(project: str) -> list[str]:
    """Return scratch files and old environments that a command has left."""
    found = [name for name in os.listdir(project) if name.startswith(".venv.")]
    for folder, _, names in os.walk(os.path.join(project, ".venv")):
        found += [os.path.join(folder, name) for name in names if "safepip-scratch" in name]
    return [f"litter: {name}" for name in found]


# -- files that a power loss has emptied or cut off


def emptied(world: World, rounds: int, chance: random.Random) -> Result:
    """Empty or cut off files of the environment, its notes, the state or the cache: a repair finds all of it."""
    project = world.project("emptied")
    _must(world.run([world.safepip, "install", "other", "big", "third"], project))
    template = os.path.join(world.scratch, "emptied-template")
    shutil.copytree(project, template, symlinks=True)
    environment = os.path.join(project, ".venv")
    notes = []
    for number in range(1, rounds + 1):
        _fresh(world, template, project)
        files = list(_files(world, environment))
        damaged = chance.sample(files, chance.randint(1, 4))
        share = chance.choice((0, 0, 0.3, 0.7))
        for path in damaged:
            _cut(path, share)
        read = world.run([world.safepip, "list"], project)
        repaired = world.run([world.safepip, "env", "repair"], project)
        wrong = _complaints(read)
        if "repair it: safepip env repair" not in read.err:
            wrong += _failed(read, "list")
        wrong += _failed(repaired, "repair")
        wrong += _after(world, project, [world.safepip, *NEXT])
        names = ", ".join(os.path.relpath(path, world.home) for path in damaged)
        where = f"{names} cut to {share}"
        notes += world.note("emptied", number, rounds, where, wrong)
    return Result("emptied", rounds, len(notes), notes, "rounds")


def _files(world: World, environment: str) -> Iterator[str]:
    """Yield the files of packages, of safepip's notes, and of its state and cache."""
    roots = [site_of(environment), os.path.join(environment, ".safepip")]
    roots += [
        os.path.join(world.home, ".local", "state", "safepip"),
        os.path.join(world.home, ".cache", "safepip"),
    ]
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                if "virtualenv" not in name and os.path.isfile(path) and os.path.getsize(path):
                    yield path


def _cut(path: str, share: float) -> None:
    with open(path, "rb") as file:
        content = file.read()
    os.unlink(path)  # whatever else has this name's content stays
    with open(path, "wb") as file:
        file.write(content[: int(len(content) * share)])


# -- an interrupted upgrade, and what must not hide it


def hidden(world: World, rounds: int, chance: random.Random, *, kind: str) -> Result:
    """Kill an upgrade, then move the clock, run a program of the environment, or damage the journal."""
    name = f"kill-{kind}"
    if world.strace is None:
        return Result(name=name, skipped=NO_STRACE)
    line, following, project = _kind(world, "upgrade")
    template = os.path.join(world.scratch, f"hidden-template-{kind}")
    shutil.copytree(project, template, symlinks=True)
    journal = os.path.join(project, ".venv", ".safepip", "journal")
    notes = []
    for number in range(1, rounds + 1):
        _fresh(world, template, project)
        kill_when(world, line, project, at_count(chance.randint(60, 140)))
        program = None
        if kind == "living":
            argv = [os.path.join(project, ".venv", "bin", "python"), "-c", "import time; time.sleep(60)"]
            program = subprocess.Popen(argv)
        elif os.path.exists(journal) and kind == "clock":
            moved = time.time() + chance.choice((-86400, 3600, 86400))
            os.utime(journal, (moved, moved))
        elif os.path.exists(journal) and kind == "journal":
            _cut(journal, chance.choice((0, chance.random())))
        wrong = _after(world, project, following)
        if program is not None:
            program.kill()
            program.wait()
        where = f"round {number}"
        notes += world.note(name, number, rounds, where, wrong)
    return Result(name, rounds, len(notes), notes, "kills")


# -- another user who exchanges directories while root removes


PRECIOUS = ("one", "two", "creating", "pyvenv.cfg")  # files that must stay as they are
RACE = """
import os, sys
place, outside = sys.argv[1:]
os.setgid({uid}); os.setuid({uid})
print(flush=True)
while os.getppid() != 1:
    for name in ('.venv', '.venv/.safepip', '.venv/lib'):
        path, aside = os.path.join(place, name), os.path.join(place, 'aside')
        try:
            os.rename(path, aside)
            os.symlink(outside, path)
        except OSError:
            pass
        try:
            os.unlink(path)
            os.rename(aside, path)
        except OSError:
            pass
"""


def exchanged(world: World, rounds: int, _chance: random.Random) -> Result:
    """Install, repair and remove as root in another user's project, who exchanges its directories all the time."""
    if not world.root:
        return Result("race-root", skipped="takes root and another user")
    outside = os.path.join(world.scratch, "precious")
    os.makedirs(outside, exist_ok=True)
    lines = (["install", "small0"], ["env", "repair"], ["env", "remove", "-y"], ["env", "prune", "-y"])
    notes = []
    for number in range(1, rounds + 1):
        project = os.path.join(world.new_folder("open"), "project")
        os.makedirs(os.path.join(project, ".venv", ".safepip"))
        for name in PRECIOUS:
            with open(os.path.join(outside, name), "w", encoding="utf-8") as file:
                file.write("precious")
        subprocess.run(["chown", "-R", str(STRANGER), os.path.dirname(project)], check=True)
        argv = ["/usr/bin/python3", "-c", RACE.format(uid=STRANGER), project, outside]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as attacker:
            assert attacker.stdout is not None
            attacker.stdout.readline()
            words = lines[number % len(lines)]
            world.run([world.safepip, *words], project)
            attacker.kill()
        wrong = [name for name in PRECIOUS if not _holds(os.path.join(outside, name), "precious")]
        wrong += set(os.listdir(outside)).difference(PRECIOUS)
        notes += world.note("race-root", number, rounds, " ".join(words), wrong)
        shutil.rmtree(os.path.dirname(project), ignore_errors=True)
    return Result("race-root", rounds, len(notes), notes)


def _holds(path: str, text: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read() == text
    except OSError:
        return False


EXPERIMENTS: dict[str, Experiment] = {
    **{
        f"error-{kind}": functools.partial(inject_errors, kind=kind)
        for kind in ("install", "upgrade", "pip", "repair", "undo", "remove", "prune")
    },
    **{
        f"kill-{kind}": functools.partial(kill_changes, kind=kind)
        for kind in ("repair", "undo", "remove", "prune")
    },
    "emptied": emptied,
    **{f"kill-{kind}": functools.partial(hidden, kind=kind) for kind in ("clock", "living", "journal")},
    "race-root": exchanged,
}
