"""Every hostile layout of scripts/torture.py, and every honest one, with one command each: root only, for two users."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest
from tree import TREE

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, os.path.join(TREE, "scripts"))
try:
    from _torture import layouts
    from _torture.world import World
finally:
    sys.path.remove(os.path.join(TREE, "scripts"))


@pytest.fixture(scope="module")
def world(own: str) -> Iterator[World]:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv to be two users")
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="sp-layouts-"))
    yield World(own, scratch, uv=None, strace=None, quick=True)
    shutil.rmtree(scratch)


@pytest.mark.parametrize("name", [*layouts.FOREIGN, *layouts.BROUGHT])
def test_nothing_planted_runs(world: World, name: str) -> None:
    lay_out = {**layouts.FOREIGN, **layouts.BROUGHT}[name]
    result = layouts.counted("", {name: lay_out}, world, [["list"]])
    assert (result.tried, result.notes) == (1, [])


def test_an_install_goes_to_an_environment_of_her_own(world: World) -> None:
    name = "his settings of all kinds"
    result = layouts.counted("", {name: layouts.FOREIGN[name]}, world, [["install", "pack"], ["run", "pack"]])
    assert (result.tried, result.notes) == (2, [])


def test_no_module_of_the_working_directory_is_imported(world: World) -> None:
    result = layouts.counted("", {"all": layouts.all_shadowed}, world, [["install", "pack"], ["list"]])
    assert (result.tried, result.notes) == (2, [])


def test_the_canary_is_alive(world: World) -> None:
    """What is planted runs as soon as it is trusted by name: else the other tests show nothing."""
    ground = layouts.Ground(world)
    layout = layouts.FOREIGN["an environment above, code in a .pth"](ground)
    named = {**layout.env, "SAFEPIP_ENV": f"{ground.shared}/.venv"}
    layouts.typed(world, ground, layouts.Layout(layout.cwd, named), ["list"])
    assert os.path.exists(ground.canary)


def test_what_is_honest_is_accepted(world: World) -> None:
    result = layouts.honest(world, 1, random.Random(1))
    assert result.tried > 0
    assert result.notes == []
