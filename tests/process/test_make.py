"""The Makefile of the README, by GNU make."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from tree import TREE

if TYPE_CHECKING:
    from sandbox import Ran, Sandbox

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def make(box: Sandbox, *words: str) -> Ran:
    path = f"{os.path.dirname(box.safepip)}:{box.variables['PATH']}"
    return box.call(["make", *words], env={"PATH": path})


def test_the_recipe_installs_once_and_then_does_nothing(sandbox: Sandbox) -> None:
    with open(os.path.join(TREE, "README.md"), encoding="utf-8") as file:
        (recipe,) = re.findall(r"```make\n(.*?)```", file.read(), re.DOTALL)
    sandbox.write("Makefile", recipe.replace("run pytest", "run beta"))
    sandbox.write("requirements.txt", "beta\n")
    first = make(sandbox, "-j8", "test")
    assert first.code == 0, first.err
    assert "Successfully installed" in first.text
    second = make(sandbox, "-j8", "test")
    assert second.code == 0, second.err
    assert "install" not in second.text


def test_targets_side_by_side_share_one_environment(sandbox: Sandbox) -> None:
    names = ("alpha", "beta", "alpha<2", "beta")
    rules = "".join(f"t{n}:\n\tsafepip install -q '{name}'\n" for n, name in enumerate(names))
    sandbox.write("Makefile", f"all: {' '.join(f't{n}' for n in range(len(names)))}\n{rules}")
    ran = make(sandbox, "-j8", "all")
    assert ran.code == 0, ran.err
    assert {"alpha", "beta"} <= sandbox.packages()
