"""Damaged and deleted files of safepip's own: no crash, no other place, and the next command succeeds."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from .fuzz import any_edit
from .result import Result

if TYPE_CHECKING:
    import random

    from .result import Experiment
    from .world import World

_LINES = (["list"], ["--version"], ["list"], ["install", "pack"], ["explain", "install", "x"], ["history"])
_FILES = 10  # damaged ones in a round
_LARGEST = 1 << 16  # bytes of files that are damaged: those larger are pip's


class _Place:
    """A project with an environment, another one that is nobody's business, and all that safepip keeps of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.project, self.decoy = world.project("stateful"), world.project("decoy")
        self.state = world.folder("own/state")
        self.variables = {"XDG_STATE_HOME": self.state, "XDG_CACHE_HOME": world.folder("own/cache")}
        for place in (self.decoy, self.project):
            ran = world.run([world.safepip, "install", "pack"], place, self.variables)
            assert ran.code == 0, ran.err
        self.kept = world.new_folder("kept")
        shutil.copytree(self.state, f"{self.kept}/state", symlinks=True)
        shutil.copytree(f"{self.project}/.venv/.safepip", f"{self.kept}/own", symlinks=True)
        self.listed = {place: self.seen(place) for place in (self.project, self.decoy)}

    def seen(self, place: str) -> str:
        """Return what lies in the library of a project's environment."""
        library = os.path.join(place, ".venv", "lib")
        found: list[str] = []
        for _, directories, _ in os.walk(library):
            found += [name for name in directories if name != "__pycache__"]
        return "\n".join(sorted(found))

    def files(self) -> list[str]:
        """Return safepip's own files, the image's left out, for pip is in there."""
        roots = (self.state, f"{self.project}/.venv/.safepip", f"{self.variables['XDG_CACHE_HOME']}/safepip")
        found = []
        for root in roots:
            for folder, _, names in os.walk(root):
                paths = [os.path.join(folder, name) for name in names if "/site/" not in folder + "/"]
                found += [path for path in paths if os.path.getsize(path) < _LARGEST]
        return sorted(found)

    def restore(self) -> None:
        """Put everything back as it was at the beginning."""
        for path, kept in ((self.state, "state"), (f"{self.project}/.venv/.safepip", "own")):
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(f"{self.kept}/{kept}", path, symlinks=True)

    def objections(self, words: list[str]) -> list[str]:
        """Run a line and return what is wrong with how it went."""
        ran = self.world.run([self.world.safepip, *words], self.project, self.variables)
        found = []
        if ran.code not in {0, 3, 73, 77} or "Traceback" in ran.err:
            found.append(ran.last)
        if words == ["list"] and "pack" not in ran.out + ran.err:
            found.append(f"lists something else: {ran.out}")
        for place, listed in self.listed.items():
            if self.seen(place) != listed:
                found.append(f"{place} has changed")
        return found


def damaged(world: World, rounds: int, rng: random.Random) -> Result:
    """Damage one file, then run a line."""
    place, notes, tried = _Place(world), [], 0
    for number in range(rounds * _FILES):
        path = rng.choice(place.files())
        with open(path, "rb") as file:
            content = file.read()
        with open(path, "wb") as file:
            file.write(any_edit(content, rng))
        words = list(_LINES[number % len(_LINES)])
        notes += [f"{os.path.relpath(path, world.scratch)}: {note}" for note in place.objections(words)]
        tried += 1
        if "/cache/" in path and number % 50 == 0:
            shutil.rmtree(place.variables["XDG_CACHE_HOME"])
        elif "/cache/" in path:
            os.unlink(path)
        place.restore()
    return Result("state-damaged", tried, len(notes), notes, "files")


def deleted(world: World, rounds: int, rng: random.Random) -> Result:
    """Delete a part of what safepip keeps, or all, then run a line; and while one runs."""
    place, notes, tried = _Place(world), [], 0
    for number in range(rounds):
        roots = [place.state, place.variables["XDG_CACHE_HOME"], f"{place.project}/.venv/.safepip"]
        gone = rng.sample(roots, rng.randint(1, 3))
        running = None
        if number % 2:
            running = world.start([world.safepip, "install", "pack"], place.project, place.variables)
        for root in gone:
            shutil.rmtree(root, ignore_errors=True)
        if running is not None:
            during = world.end(running)
            if during.code:
                notes.append(f"{gone} while it ran: {during.last}")
        ran = world.run([world.safepip, "install", "third"], place.project, place.variables)
        world.run([world.safepip, "uninstall", "-y", "third"], place.project, place.variables)
        if ran.code:
            notes.append(f"{gone}: {ran.last}")
        tried += 1
    return Result("state-deleted", tried, len(notes), notes, "deletions")


EXPERIMENTS: dict[str, Experiment] = {"state-damaged": damaged, "state-deleted": deleted}
