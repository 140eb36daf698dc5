"""The short form of scripts/torture.py's races and kills: the same experiments, seeded, a few rounds of each."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest
from _torture.kills import EXPERIMENTS as KILLS
from _torture.races import EXPERIMENTS as RACES
from _torture.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the calls, and delays them"),
]
SEED = 7


@pytest.fixture(scope="module")
def world(base: str, own: str, cache: str, managed_python: str) -> Iterator[World]:
    scratch = os.path.join(base, "torture")
    os.makedirs(scratch)
    made = World(own, scratch, uv=shutil.which("uv"), strace=shutil.which("strace"), quick=True)
    os.makedirs(os.path.join(made.home, ".cache"))
    os.symlink(cache, os.path.join(made.home, ".cache", "safepip"))
    yield made
    shutil.rmtree(scratch, ignore_errors=True)


@pytest.mark.parametrize("name", sorted(RACES))
def test_of_commands_at_once_none_is_lost(world: World, name: str) -> None:
    result = RACES[name](world, 1, random.Random(SEED))
    assert (result.failed, result.tried) == (0, 1), result.notes


@pytest.mark.parametrize(("name", "rounds", "kills"), [("kill-create", 2, 2), ("kill-upgrade", 2, 1)])
def test_after_a_kill_the_next_command_leaves_all_whole(world: World, name: str, rounds: int, kills: int) -> None:
    result = KILLS[name](world, rounds, random.Random(SEED))
    assert (result.failed, result.tried) == (0, kills), result.notes
