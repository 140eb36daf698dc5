"""The managed Python is replaced in place by another minor version, as by an upgrade of the distribution.

Ann had set safepip up and installed things before. She types what she always types, repairs one thing after the
other, and after a second replacement everything at once.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess

import pytest
from sandbox import SYSTEM_PATH, Ran, Sandbox, copy_interpreter, make_wheel, unmanaged_pythons
from tree import TREE

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


def prefix_of(box: Sandbox) -> str:
    return os.path.join(os.path.dirname(box.root), "usr")


def replace_python(box: Sandbox, old: str) -> str:
    """Put another minor version than `old` in place of the machine's Python; return it, or skip."""
    for python in unmanaged_pythons():
        if f"python{old}" in python:
            continue
        new = install_python(python, prefix_of(box))
        if new not in {None, old}:
            return str(new)
    pytest.skip("there is no second unmanaged Python here that can be copied")


@pytest.fixture(scope="module")
def ann(base: str, wheels: str, published_wheels: str) -> Sandbox:
    """Give a person who set safepip up and installed things before the only Python of the machine was replaced."""
    folder = os.path.join(base, "replaced")
    apps = os.path.join(folder, "apps")
    os.makedirs(apps)
    for version in ("1.0", "2.0"):
        make_wheel(apps, "httpie", version, commands=["http"])
    make_wheel(apps, "black", "1.0", commands=["black"])
    box = Sandbox(os.path.join(folder, "ann"), "", "", path=f"{folder}/usr/bin:{SYSTEM_PATH}")
    box.variables["PIP_FIND_LINKS"] = f"{wheels} {published_wheels} {apps}"
    box.safepip = os.path.join(box.home, ".local", "bin", "safepip")
    old = next(
        (minor for python in unmanaged_pythons() if (minor := install_python(python, prefix_of(box)))), None
    )
    if old is None:
        pytest.skip("there is no unmanaged Python here that can be copied")
    done(box.call([f"{prefix_of(box)}/bin/python3", BOOTSTRAP, "--quiet", "--no-demo"], cwd="/"))
    done(box.run("install", "beta"))
    done(box.run("install", "alpha", cwd=box.home))
    done(box.run("install", "httpie==1.0", cwd=box.home))
    done(box.run("install", "black", cwd=box.home))
    replace_python(box, old)
    assert not os.path.exists(f"{prefix_of(box)}/bin/python{old}")
    return box


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err.decode()
    assert b"Traceback" not in ran.err
    return ran


def program(box: Sandbox, name: str) -> str:
    ran = box.call([os.path.join(box.home, ".local", "bin", name)])
    return ran.text.strip() if ran.code == 0 else f"exit {ran.code}"


# -- what one always types


def test_every_command_of_safepips_goes_on(ann: Sandbox) -> None:
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


def test_an_update_of_safepip_by_pip_says_which_command_does_it(ann: Sandbox) -> None:
    new = os.path.join(ann.home, "update")
    os.makedirs(new, exist_ok=True)
    ran = ann.run("install", "-U", "safepip", cwd=new)
    assert (ran.code, b"No matching distribution found for safepip" in ran.err) == (1, True)
    assert any(line.startswith("to update that one: ") and line.endswith(BOOTSTRAP) for line in ran.said)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh", "sh"])
def test_every_new_shell_with_the_line_of_init_goes_on(ann: Sandbox, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    lines = {"fish": f"{ann.safepip} init fish | source", "tcsh": f"eval `{ann.safepip} init tcsh`"}
    line = lines.get(shell, f'eval "$({ann.safepip} init {shell})"')
    typed = f"{line}\npip --version\n"
    options = {"bash": ["--norc", "-i"], "zsh": ["-f", "-i"], "tcsh": ["-f"], "fish": ["--no-config"]}
    ran = ann.call([shell, *options.get(shell, []), "-c", typed], cwd="/")
    assert ran.code == 0, ran.err
    assert ran.text.startswith("pip ")
    assert b"safepip" not in ran.err
    assert b"Traceback" not in ran.err


# -- one thing after the other is repaired


def test_applications_are_told_from_healthy_ones_upgraded_and_removed(ann: Sandbox) -> None:
    assert program(ann, "http").startswith("exit ")
    listed = done(ann.run("app", "list", cwd=ann.home))
    assert any(GONE in line and "safepip app reinstall-all" in line for line in listed.said)
    done(ann.run("install", "-U", "httpie", cwd=ann.home))
    assert program(ann, "http") == "this is httpie 2.0"
    listed = done(ann.run("app", "list", cwd=ann.home))
    assert [line for line in listed.said if GONE in line and line.startswith("httpie")] == []
    done(ann.run("uninstall", "-y", "black", cwd=ann.home))
    assert not os.path.lexists(os.path.join(ann.home, ".local", "bin", "black"))
    done(ann.run("app", "reinstall-all", cwd=ann.home))
    assert program(ann, "http") == "this is httpie 2.0"


@pytest.mark.parametrize("place", ["project", ""])
def test_an_environment_is_repaired_and_the_others_are_named(ann: Sandbox, place: str) -> None:
    cwd = os.path.join(ann.home, place)
    before = done(ann.run("env", "list")).text
    ran = done(ann.run("env", "repair", cwd=cwd))
    still = [line for line in done(ann.run("env", "list")).text.splitlines() if GONE in line]
    assert len(still) < before.count(GONE)
    named = [line for line in ran.said if line.startswith("also broken: ")]
    assert bool(named) >= bool(still)
    assert all(line.endswith("repair all: safepip env repair --all") for line in named)
    assert b"alpha==2.0" in done(ann.run("freeze", cwd=cwd)).out


# -- after a second replacement everything is repaired at once


def test_one_command_repairs_projects_the_home_environment_and_applications(ann: Sandbox) -> None:
    done(ann.run("install", "black", cwd=ann.home))
    done(ann.run("install", "-U", "httpie", cwd=ann.home))
    (now,) = glob.glob(f"{prefix_of(ann)}/bin/python3.*")
    replace_python(ann, os.path.basename(now).removeprefix("python"))
    listed = done(ann.run("env", "list")).text.splitlines()[1:]
    assert all(GONE in line for line in listed)
    assert len(listed) >= 3, "the project's, home, and safepip's own pipx"
    done(ann.run("env", "repair", "--all", cwd="/"))
    assert GONE not in done(ann.run("env", "list")).text
    assert (program(ann, "http"), program(ann, "black")) == ("this is httpie 2.0", "this is black 1.0")
    assert done(ann.run("freeze")).out == b"alpha==2.0\nbeta==1.0\n"
    assert done(ann.run("env", "repair", "--all", cwd="/")).said == []


def test_another_python_elsewhere_takes_the_place_of_one_that_was_removed(ann: Sandbox) -> None:
    prefix = os.path.join(prefix_of(ann), "bin")
    hidden = {"PATH": SYSTEM_PATH}
    os.rename(prefix, f"{prefix}.away")
    try:
        ran = ann.run("--safepip-version", env=hidden)
    finally:
        os.rename(f"{prefix}.away", prefix)
    assert done(ran).err == b""
    recorded = subprocess.run(["grep", "^python=", ann.safepip], capture_output=True, text=True, check=True).stdout
    assert recorded in {"python=/usr/bin/python3\n", "python=/usr/local/bin/python3\n"}
