"""Recipes of GNU make that run side by side."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox import Ran, Sandbox

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def make(box: Sandbox, *words: str) -> Ran:
    path = f"{os.path.dirname(box.safepip)}:{box.variables['PATH']}"
    return box.call(["make", *words], env={"PATH": path})


def test_targets_side_by_side_share_one_environment(sandbox: Sandbox) -> None:
    names = ("alpha", "beta", "alpha<2", "beta")
    rules = "".join(f"t{n}:\n\tsafepip install -q '{name}'\n" for n, name in enumerate(names))
    sandbox.write("Makefile", f"all: {' '.join(f't{n}' for n in range(len(names)))}\n{rules}")
    ran = make(sandbox, "-j8", "all")
    assert ran.code == 0, ran.err
    assert {"alpha", "beta"} <= sandbox.packages()
