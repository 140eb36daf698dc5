"""The managed Python is replaced in place by another minor version, as by an upgrade of the distribution."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from sandbox import SYSTEM_PATH, Ran, Sandbox, copy_interpreter, make_wheel, unmanaged_pythons
from tree import TREE

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.slow
BOOTSTRAP = os.path.join(TREE, "scripts", "bootstrap.py")
GONE = "was made with Python "


def install_python(python: str, prefix: str) -> str | None:
    """Put a managed copy of `python` at `prefix`, without ensurepip as on Debian; return its minor version."""
    copied = copy_interpreter(python, prefix)
    if copied is None:
        return None
    library = os.path.join(prefix, "lib", os.path.basename(copied))
    shutil.rmtree(os.path.join(library, "ensurepip"))
    with open(os.path.join(library, "EXTERNALLY-MANAGED"), "w", encoding="utf-8") as file:
        file.write("[externally-managed]\nError=no\n")
    return os.path.basename(copied).removeprefix("python")


class Machine:
    """A machine with one Python, and people who set safepip up and installed things before it was upgraded."""

    def __init__(self, root: str, find_links: str) -> None:
        self.root = root
        self.prefix = os.path.join(root, "usr")
        self.find_links = find_links
        self.before = self.after = ""

    def person(self, name: str) -> Sandbox:
        box = Sandbox(os.path.join(self.root, name), "", "", path=f"{self.prefix}/bin:{SYSTEM_PATH}")
        box.variables["PIP_FIND_LINKS"] = self.find_links
        box.safepip = os.path.join(box.home, ".local", "bin", "safepip")
        done(box.call([f"{self.prefix}/bin/python3", BOOTSTRAP, "--quiet", "--no-demo"], cwd="/"))
        done(box.run("install", "beta"))
        done(box.run("install", "alpha", cwd=box.home))
        done(box.run("install", "httpie==1.0", cwd=box.home))
        done(box.run("install", "black", cwd=box.home))
        return box


@pytest.fixture(scope="module")
def people(base: str, wheels: str, published_wheels: str) -> dict[str, Sandbox]:
    folder = os.path.join(base, "replaced")
    apps = os.path.join(folder, "apps")
    os.makedirs(apps)
    for version in ("1.0", "2.0"):
        make_wheel(apps, "httpie", version, commands=["http"])
    make_wheel(apps, "black", "1.0", commands=["black"])
    machine = Machine(folder, f"{wheels} {published_wheels} {apps}")
    found = unmanaged_pythons()
    old = next((minor for python in found if (minor := install_python(python, machine.prefix))), None)
    if old is None:
        pytest.skip("there is no unmanaged Python here that can be copied")
    found_people = {name: machine.person(name) for name in ("ann", "bob", "eve")}
    tried = (install_python(python, machine.prefix) for python in found if f"python{old}" not in python)
    if next((minor for minor in tried if minor not in {None, old}), None) is None:
        pytest.skip("there is no second unmanaged Python here that can be copied")
    assert not os.path.exists(f"{machine.prefix}/bin/python{old}")
    return found_people


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err.decode()
    assert b"Traceback" not in ran.err
    return ran


def program(box: Sandbox, name: str) -> str:
    ran = box.call([os.path.join(box.home, ".local", "bin", name)])
    return ran.text.strip() if ran.code == 0 else f"exit {ran.code}"


# -- ann types what she always types


def test_every_command_of_safepips_goes_on(people: Mapping[str, Sandbox]) -> None:
    ann = people["ann"]
    new = os.path.join(ann.home, "new")
    os.makedirs(new, exist_ok=True)
    assert done(ann.run("--safepip-version")).text.startswith("safepip ")
    for words in (["install", "alpha"], ["list"], ["freeze"], ["run", "python", "-c", "import alpha"]):
        done(ann.run(*words, cwd=new))
    for words in (["help"], ["explain", "list"], ["env", "list"], ["history"], ["app", "list"], ["shims"]):
        done(ann.run(*words, cwd=new))
    broken = ann.run("install", "beta")
    assert broken.code == 3
    assert GONE in broken.said[0]
    assert broken.said[1].endswith("safepip env repair")
    told = b" ".join(ann.run("doctor", "--json", cwd=new).out.split())
    assert b"the application black was made with Python" in told
    assert b"safepip env repair --all" in told


def test_an_update_of_safepip_by_pip_says_which_command_does_it(people: Mapping[str, Sandbox]) -> None:
    ann = people["ann"]
    new = os.path.join(ann.home, "update")
    os.makedirs(new, exist_ok=True)
    ran = ann.run("install", "-U", "safepip", cwd=new)
    assert (ran.code, b"No matching distribution found for safepip" in ran.err) == (1, True)
    assert any(line.startswith("to update that one: ") and line.endswith(BOOTSTRAP) for line in ran.said)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh", "sh"])
def test_every_new_shell_with_the_line_of_init_goes_on(people: Mapping[str, Sandbox], shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    ann = people["ann"]
    lines = {"fish": f"{ann.safepip} init fish | source", "tcsh": f"eval `{ann.safepip} init tcsh`"}
    line = lines.get(shell, f'eval "$({ann.safepip} init {shell})"')
    typed = f"{line}\npip --version\n"
    options = {"bash": ["--norc", "-i"], "zsh": ["-f", "-i"], "tcsh": ["-f"], "fish": ["--no-config"]}
    ran = ann.call([shell, *options.get(shell, []), "-c", typed], cwd="/")
    assert ran.code == 0, ran.err
    assert ran.text.startswith("pip ")
    assert b"safepip" not in ran.err
    assert b"Traceback" not in ran.err


# -- bob mends one thing after the other


def test_applications_are_told_from_healthy_ones_upgraded_and_removed(people: Mapping[str, Sandbox]) -> None:
    bob = people["bob"]
    assert program(bob, "http").startswith("exit ")
    listed = done(bob.run("app", "list", cwd=bob.home))
    assert any(GONE in line and "safepip app reinstall-all" in line for line in listed.said)
    done(bob.run("install", "-U", "httpie", cwd=bob.home))
    assert program(bob, "http") == "this is httpie 2.0"
    listed = done(bob.run("app", "list", cwd=bob.home))
    assert [line for line in listed.said if GONE in line and line.startswith("httpie")] == []
    done(bob.run("uninstall", "-y", "black", cwd=bob.home))
    assert not os.path.lexists(os.path.join(bob.home, ".local", "bin", "black"))
    done(bob.run("app", "reinstall-all", cwd=bob.home))
    assert program(bob, "http") == "this is httpie 2.0"


@pytest.mark.parametrize("place", ["project", ""])
def test_an_environment_is_repaired_and_the_others_are_named(people: Mapping[str, Sandbox], place: str) -> None:
    bob = people["bob"]
    cwd = os.path.join(bob.home, place)
    before = done(bob.run("env", "list")).text
    ran = done(bob.run("env", "repair", cwd=cwd))
    still = [line for line in done(bob.run("env", "list")).text.splitlines() if GONE in line]
    assert len(still) < before.count(GONE)
    named = [line for line in ran.said if line.startswith("also broken: ")]
    assert bool(named) >= bool(still)
    assert all(line.endswith("repair all: safepip env repair --all") for line in named)
    assert b"alpha==2.0" in done(bob.run("freeze", cwd=cwd)).out


# -- eve mends all at once


def test_one_command_repairs_projects_the_home_environment_and_applications(people: Mapping[str, Sandbox]) -> None:
    eve = people["eve"]
    assert done(eve.run("env", "list")).text.count(GONE) == 3, "the project's, home, and safepip's own pipx"
    done(eve.run("env", "repair", "--all", cwd="/"))
    assert GONE not in done(eve.run("env", "list")).text
    assert (program(eve, "http"), program(eve, "black")) == ("this is httpie 1.0", "this is black 1.0")
    assert done(eve.run("freeze")).out == b"alpha==2.0\nbeta==1.0\n"
    assert done(eve.run("env", "repair", "--all", cwd="/")).said == []


def test_another_python_elsewhere_takes_the_place_of_one_that_was_removed(people: Mapping[str, Sandbox]) -> None:
    eve = people["eve"]
    prefix = eve.variables["PATH"].partition(":")[0]
    hidden = {"PATH": SYSTEM_PATH}
    os.rename(prefix, f"{prefix}.away")
    try:
        ran = eve.run("--safepip-version", env=hidden)
    finally:
        os.rename(f"{prefix}.away", prefix)
    assert done(ran).err == b""
    recorded = subprocess.run(["grep", "^python=", eve.safepip], capture_output=True, text=True, check=True).stdout
    assert recorded in {"python=/usr/bin/python3\n", "python=/usr/local/bin/python3\n"}
