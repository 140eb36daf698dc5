"""tox, nox, pre-commit, pip-tools and ansible themselves, with safepip as the pip on PATH.

scripts/test.py installs each into a folder of .test-envs/tools.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from sandbox import look
from tree import TOOLS

if TYPE_CHECKING:
    from sandbox import Ran, Sandbox

pytestmark = pytest.mark.slow


def tool(name: str, program: str) -> str:
    path = os.path.join(TOOLS, name, "bin", program)
    if not os.access(path, os.X_OK):
        pytest.skip(f"{name} is not in {TOOLS}; scripts/test.py installs it")
    return path


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Give a project with an environment and shims first on PATH."""
    for name in ("pip", "pip3"):
        sandbox.named(name)
    sandbox.variables["PATH"] = f"{sandbox.bin}:{sandbox.variables['PATH']}"
    assert sandbox.run("install", "many0").code == 0
    return sandbox


def done(ran: Ran) -> Ran:
    assert ran.code == 0, (ran.out + ran.err).decode()[-3000:]
    return ran


def test_tox_installs_into_its_own_environment(box: Sandbox) -> None:
    box.write("tox.ini", "[testenv]\nskip_install = true\ndeps = alpha\ncommands = python -m pip list\n")
    ran = done(box.call([tool("tox", "tox"), "-e", "py"], env={"TOX_OVERRIDE": "testenv.pass_env=PIP_*"}))
    assert "alpha" in ran.text
    assert box.packages() == {"pip", "many0"}
    done(box.run("install", "beta"))
    assert {"beta", "many0"} <= box.packages()


def test_nox_installs_into_its_own_environment(box: Sandbox) -> None:
    lines = ("import nox", "@nox.session", "def one(s):", "    s.install('alpha')", "    s.run('pip', 'list')")
    box.write("noxfile.py", "\n".join(lines) + "\n")
    ran = done(box.call([tool("nox", "nox"), "-s", "one"]))
    assert "alpha" in (ran.out + ran.err).decode()
    assert box.packages() == {"pip", "many0"}


def test_pre_commit_in_a_git_hook_runs_safepips_pip(box: Sandbox) -> None:
    hook = {"id": "x", "name": "x", "entry": "pip install alpha", "language": "system", "pass_filenames": False}
    hook["always_run"] = True
    box.write(".pre-commit-config.yaml", json.dumps({"repos": [{"repo": "local", "hooks": [hook]}]}))
    box.write(".gitignore", ".venv\n")
    done(box.call(["git", "init", "-q"]))
    done(box.call([tool("pre-commit", "pre-commit"), "install"]))
    done(box.call(["git", "add", "-A"]))
    done(box.call(["git", "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]))
    assert "alpha" in box.packages()


def test_pip_tools_syncs_what_it_is_told_to(box: Sandbox) -> None:
    box.write("req.txt", "alpha==2.0\n")
    done(box.call([tool("pip-tools", "pip-sync"), "--python-executable", box.python, "req.txt"]))
    assert box.packages() == {"pip", "alpha"}
    assert b"alpha" in box.run("list").out


def test_ansibles_pip_module_with_an_executable_installs_into_the_project(box: Sandbox) -> None:
    arguments = f"name=alpha chdir={box.project} executable={box.bin}/pip"
    python = "ansible_python_interpreter=/usr/bin/python3"
    argv = [
        tool("ansible-core", "ansible"),
        "localhost",
        "-c",
        "local",
        "-m",
        "pip",
        "-a",
        arguments,
        "-e",
        python,
    ]
    done(box.call(argv, env={"ANSIBLE_LOCAL_TEMP": f"{box.root}/a", "ANSIBLE_REMOTE_TEMP": f"{box.root}/b"}))
    assert "alpha" in box.packages()


def test_uvs_own_environment_of_the_project_is_used(sandbox: Sandbox) -> None:
    uv = tool("uv", "uv")
    sandbox.write("pyproject.toml", '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\n')
    env = {"UV_PROJECT_ENVIRONMENT": "elsewhere", "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    done(sandbox.call([uv, "sync", "--python", "/usr/bin/python3"], env=env))
    done(sandbox.run("install", "alpha", env=env))
    assert "alpha" in sandbox.packages(os.path.join(sandbox.project, "elsewhere", "bin", "python"))
    assert not os.path.exists(sandbox.venv)


@pytest.mark.parametrize("form", ["link", "redirect file"])
def test_uvs_central_environment_is_used_and_nothing_in_it_replaced(sandbox: Sandbox, form: str) -> None:
    """uv links .venv to an environment in its cache; where links are impossible, a file of that name tells the path."""
    uv = tool("uv", "uv")
    sandbox.write("pyproject.toml", '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\n')
    features = "centralized-project-envs,venv-redirect-files"
    env = {"UV_PREVIEW_FEATURES": features, "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    done(sandbox.call([uv, "sync", "--python", "/usr/bin/python3"], env=env))
    if not os.path.islink(sandbox.venv):
        pytest.skip("this uv has no central environments")
    central = os.readlink(sandbox.venv)
    if form == "redirect file":
        os.unlink(sandbox.venv)
        sandbox.write(".venv", f"{central}\n")
    python = os.path.join(central, "bin", "python")
    assert done(sandbox.call([uv, "python", "find"], env=env)).text.strip().startswith((central, sandbox.venv))
    dot_venv, before = os.lstat(sandbox.venv), look(central)
    done(sandbox.run("list"))
    done(sandbox.run("install", "alpha"))
    assert done(sandbox.run("freeze")).text == "alpha==2.0\n"
    assert sandbox.packages(python) == {"alpha"}
    after = look(central)
    files = [name for name, one in before.items() if one.kind != "dir"]
    assert {name: after.get(name) for name in files} == {name: before[name] for name in files}
    assert os.lstat(sandbox.venv).st_ino == dot_venv.st_ino
