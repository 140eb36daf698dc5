"""Where a package is that is to be removed from an environment which is not there."""

from __future__ import annotations

import os
import types

import pytest

from safepip.core.world import Interpreter
from safepip.doctor.locate import locate
from safepip.system import registry

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX ones")
HOW = "safepip --system uninstall --break-system-packages"


@pytest.fixture
def world(home):
    """As much of a Context as the look-up takes, with a system of its own below `home`."""
    system = os.path.join(home, "system")
    base = Interpreter(
        path=f"{system}/bin/python3", real=f"{system}/bin/python3", version=(3, 12, 1), prefix=system,
        base_prefix=system, stdlib=f"{system}/lib/python3.12", site="lib/python3.12/site-packages",
    )  # fmt: skip
    cwd = os.path.join(home, "blog", "sub")
    os.makedirs(cwd)
    ambient = types.SimpleNamespace(cwd=cwd, home=home, environ={}, platform="linux")
    return types.SimpleNamespace(
        ambient=ambient,
        data=os.path.join(home, ".local", "share", "safepip"),
        state=os.path.join(home, "state"),
        target=types.SimpleNamespace(interpreter=base),
        managed=True,
    )


def install(environment, *names, library="python3.12"):
    for name in names:
        os.makedirs(os.path.join(environment, "lib", library, "site-packages", f"{name}-1.0.dist-info"))


def test_nobody_knows(world):
    assert locate(("six", "./folder", "six @ https://example.invalid/six.whl"), world) == ()


def test_in_the_home_environment(world):
    place = os.path.join(world.data, "home")
    install(place, "Foo_Bar", "six", library="python3.13")
    line = f"foo-bar, six are in the home environment: safepip --env {place} uninstall foo-bar six"
    assert locate(("foo.bar>=1", "Six", "other"), world) == (line,)


def test_in_the_environment_of_a_folder_above(world):
    """The nearest first, others' projects never."""
    home = world.ambient.home
    for project in ("blog", "", "other"):
        path = os.path.join(home, project, ".venv")
        install(path, "six")
        registry.note(world.state, path, registry.ADOPTED)
    path = os.path.join(home, "blog", ".venv")
    assert locate(("six",), world) == (f"six is in {path}: safepip --env {path} uninstall six",)
    world.ambient.cwd = os.path.join(home, "third")
    path = os.path.join(home, ".venv")
    assert locate(("six",), world) == (f"six is in {path}: safepip --env {path} uninstall six",)


def test_one_of_pipxs(world):
    venv = os.path.join(world.ambient.home, ".local", "share", "pipx", "venvs", "black")
    install(venv, "black", "click")
    with open(os.path.join(venv, "pipx_metadata.json"), "w") as file:
        file.write("{}")
    assert locate(("black", "click"), world) == ("black is an application of pipx's: safepip app uninstall black",)


def test_outside_of_environments(world):
    user = os.path.join(world.ambient.home, ".local")
    install(user, "six")
    install(user, "idna", library="python3.9")
    install(world.target.interpreter.prefix, "idna")
    folder = os.path.join(user, "lib", "python3.12", "site-packages")
    assert locate(("six", "idna"), world) == (
        f"six is in {folder}, by pip install --user: {HOW} six",
        "idna is the system's: what installed it there removes it (apt, dnf, …)",
    )
    world.managed = False
    assert locate(("six", "idna"), world) == ()


def test_a_name_of_many_signs_is_none(world):
    place = os.path.join(world.data, "home")
    install(place, "six")
    assert locate(("{}", "six{}", "-r", "\x1b[31msix", "../six"), world) == ()
