"""A coding agent at work: each command in a fresh shell, nothing but PATH set, its output read by a program."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile

import pytest
from sandbox import SYSTEM_PATH, Ran, Sandbox

pytestmark = pytest.mark.slow
PYTEST = (
    'import sys, runpy\nprint("collected 1 item")\nrunpy.run_path(sys.argv[1])\nprint("1 passed in", sys.prefix)\n'
)


@pytest.fixture
def agent(sandbox: Sandbox) -> Sandbox:
    """Give a machine that was set up for an agent, with a repository to clone."""
    shims = os.path.join(sandbox.root, "shims")
    assert sandbox.run("shims", "--python", shims).code == 0
    sandbox.variables["PATH"] = f"{shims}:{SYSTEM_PATH}"
    origin = os.path.join(sandbox.home, "origin")
    files = {
        "requirements.txt": "beta\n",
        "requirements-dev.txt": "-r requirements.txt\npytest\n",
        "script.py": "import beta, sys\nprint('script', beta.VERSION, sys.prefix)\n",
        "tests/test_it.py": "import beta\n",
    }
    for name, text in files.items():
        sandbox.write(os.path.join(origin, name), text)
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "begun")):
        subprocess.run(["git", "-C", origin, "-c", "user.name=x", "-c", "user.email=x@y", *words], check=True)
    wheels = os.path.join(sandbox.root, "wheels")
    shutil.copytree(sandbox.variables["PIP_FIND_LINKS"], wheels)
    _stand_in_for_pytest(wheels)
    sandbox.variables["PIP_FIND_LINKS"] = wheels
    return sandbox


def _stand_in_for_pytest(folder: str) -> None:
    info = "pytest-9.0.dist-info"
    files = {
        "pytest/__init__.py": "",
        "pytest/__main__.py": PYTEST,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: pytest\nVersion: 9.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\npytest = pytest.__main__:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(os.path.join(folder, "pytest-9.0-py3-none-any.whl"), "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def types(agent: Sandbox, line: str, cwd: str) -> Ran:
    """Run a line as agents do: by `sh -c`, with no start-up file, no terminal and no variable but PATH."""
    kept = {name: agent.variables[name] for name in agent.variables if name.startswith("PIP_")}
    only = ["env", "-i", f"HOME={agent.home}", f"PATH={agent.variables['PATH']}"]
    settings = [f"{name}={value}" for name, value in kept.items()]  # the index of this test
    return agent.call([*only, *settings, "sh", "-c", line], cwd=cwd)


def test_a_session_ends_with_everything_in_one_environment(agent: Sandbox) -> None:
    assert types(agent, "git clone -q origin task", agent.home).code == 0
    task = os.path.join(agent.home, "task")
    venv = os.path.join(task, ".venv")
    installed = types(agent, "pip install -r requirements.txt", task)
    assert installed.code == 0, installed.err
    assert b"Successfully installed alpha-2.0 beta-1.0" in installed.out
    assert installed.said == [f"creating {venv}; python3, a shim of safepip's, uses it in this project"]
    assert types(agent, "python3 -m pip install -q -r requirements-dev.txt 2>&1 | cat", task) == (0, b"", b"")
    tested = types(agent, "python -m pytest tests/test_it.py", task)
    assert (tested.text.splitlines(), tested.err) == (["collected 1 item", f"1 passed in {venv}"], b"")
    assert types(agent, "python script.py", task) == (0, f"script 1.0 {venv}\n".encode(), b"")
    assert types(agent, "python3 ../script.py", os.path.join(task, "tests")).text == f"script 1.0 {venv}\n"
    assert types(agent, "cat script.py | python3 - | tail -1", task).text == f"script 1.0 {venv}\n"
    assert types(agent, "python -c 'import beta' && echo ok >log && cat log", task).out == b"ok\n"
    listed = types(agent, "pip list --format=freeze", task)
    names = {line.partition("==")[0] for line in listed.text.splitlines()}
    assert (names, listed.err) == ({"alpha", "beta", "pip", "pytest"}, b"")
    known = agent.run("env", "list", "--json").text
    assert known.count('"path"') == 1


def test_a_line_that_fails_says_so_on_stderr_with_pips_code(agent: Sandbox) -> None:
    task = os.path.join(agent.home, "task")
    assert types(agent, "git clone -q origin task", agent.home).code == 0
    missing = types(agent, "pip install -r nosuch.txt", task)
    assert (missing.code, missing.out) == (1, b"")
    assert b"nosuch.txt" in missing.err
    assert not os.path.lexists(os.path.join(task, ".venv"))
    assert types(agent, "pip install beta | head -1; echo done", task).out.endswith(b"done\n")


def test_what_is_not_about_the_project_does_what_it_did(agent: Sandbox) -> None:
    task = os.path.join(agent.home, "task")
    tools = os.path.join(agent.root, "tools")
    assert types(agent, "git clone -q origin task", agent.home).code == 0
    lines = {
        "python3 --version": b"",
        "python3 -m venv --without-pip other && ls other/pyvenv.cfg && grep ^home other/pyvenv.cfg": b"",
        "tool a 'b c'": b"",
    }
    os.makedirs(tools)
    tool = os.path.join(tools, "tool")
    with open(tool, "w", encoding="utf-8") as file:
        file.write("#!/usr/bin/env python3\nimport sys\nprint(sys.prefix, sys.argv)\n")
    os.chmod(tool, 0o755)
    agent.variables["PATH"] += f":{tools}"
    before = {line: _plainly(agent, line, task) for line in lines}
    assert types(agent, "pip install beta", task).code == 0
    assert {line: types(agent, line, task) for line in lines} == before
    assert before["tool a 'b c'"].text == f"/usr ['{tool}', 'a', 'b c']\n"
    within = os.path.join(task, "bin")
    shutil.copytree(tools, within)
    ran = types(agent, f"PATH=$PATH:{within}; {within}/tool", task)  # the project's own programs are about it
    assert ran.text.startswith(os.path.join(task, ".venv"))


def _plainly(agent: Sandbox, line: str, cwd: str) -> Ran:
    """Run the line without shims, and clear away what it made."""
    path = agent.variables["PATH"].partition(":")[2]
    ran = agent.call(["sh", "-c", line], cwd=cwd, env={"PATH": path})
    shutil.rmtree(os.path.join(cwd, "other"), ignore_errors=True)
    return ran


def test_pyenv_below_the_shims_goes_on_serving_where_no_project_is(agent: Sandbox, unmanaged_python: str) -> None:
    pyenv = os.path.join(agent.root, "pyenv", "shims")
    os.makedirs(pyenv)
    for name in ("python", "python3"):
        with open(os.path.join(pyenv, name), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec "{unmanaged_python}" "$@"\n')
        os.chmod(os.path.join(pyenv, name), 0o755)
    shims, _, rest = agent.variables["PATH"].partition(":")
    agent.variables["PATH"] = f"{shims}:{pyenv}:{rest}"
    prefix = os.path.dirname(os.path.dirname(unmanaged_python))
    for line in ("python -c 'import sys; print(sys.prefix)'", "python3 -c 'import sys; print(sys.prefix)'"):
        assert types(agent, line, agent.home).text == f"{prefix}\n"
