"""A Python in Homebrew's folders, with its marker: an upgrade takes the folder away that it lay in."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from sandbox import SYSTEM_PATH, copy_interpreter, unmanaged_pythons
from tree import TREE

if TYPE_CHECKING:
    from real_world import MakeSandbox
    from sandbox import Sandbox

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def brew(base: str) -> str:
    """Give a Homebrew whose one Python is a copy of an unmanaged one."""
    root = os.path.join(base, "brew")
    keg = os.path.join(root, "Cellar", "python", "1.0")
    if not any(copy_interpreter(python, keg) for python in unmanaged_pythons()):
        pytest.skip("there is no unmanaged Python here that can be copied")
    (library,) = os.listdir(os.path.join(keg, "lib"))
    marker = os.path.join(keg, "lib", library, "EXTERNALLY-MANAGED")
    shutil.copy(os.path.join(TREE, "tests", "data", "markers", "homebrew.txt"), marker)
    for folder, link, target in (
        ("opt", "python", "../Cellar/python/1.0"),
        ("bin", "python3", f"{keg}/bin/python3"),
    ):
        os.makedirs(os.path.join(root, folder))
        os.symlink(target, os.path.join(root, folder, link))
    return root


@pytest.fixture
def box(make_sandbox: MakeSandbox, brew: str) -> Sandbox:
    return make_sandbox(path=f"{brew}/bin:{SYSTEM_PATH}")


def test_an_environment_outlives_the_upgrade_of_its_python(box: Sandbox, brew: str) -> None:
    assert box.run("install", "beta").code == 0
    with open(os.path.join(box.venv, "pyvenv.cfg"), encoding="utf-8") as file:
        assert "Cellar" not in file.read()
    os.rename(os.path.join(brew, "Cellar/python/1.0"), os.path.join(brew, "Cellar/python/1.1"))
    for link in ("opt/python", "bin/python3"):
        path = os.path.join(brew, link)
        target = os.readlink(path).replace("/1.0", "/1.1")
        os.unlink(path)
        os.symlink(target, path)
    assert box.call([os.path.join(box.venv, "bin", "beta")]).out == b"this is beta 1.0\n"
    again = box.run("install", "many0")
    assert (again.code, again.said) == (0, []), again.err
    assert {"alpha", "beta", "many0"} <= box.packages()
