"""Wherever safepip itself lives, it never installs there: an environment of its own, pipx, uvx, uv tool."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sandbox import SYSTEM_PYTHON, Ran, Sandbox, look
from tree import TREE

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.slow
SKIP = ("__pycache__",)


def site_of(environment: str) -> set[str]:
    return {name for name in look(environment, skip=SKIP, contents=False) if "site-packages/" in name}


@pytest.fixture(scope="module")
def tools(base: str, published_wheels: str, uv_programs: str) -> dict[str, str]:
    """Give uv's programs and safepip's wheel."""
    folder = os.path.join(base, "tools")
    os.makedirs(folder)
    environ = {"PATH": "/usr/bin:/bin", "HOME": folder, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": published_wheels}
    made = os.path.join(folder, "wheel")
    # Copied first, for the backend may leave something beside what it builds.
    copy = os.path.join(folder, "tree")
    subprocess.run(["git", "init", "-q", copy], check=True, env=environ)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "safepip", "scripts"):
        subprocess.run(["cp", "-r", os.path.join(TREE, name), copy], check=True)
    building = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", made, copy]
    built = subprocess.run(building, env=environ, capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"safepip's wheel cannot be built from the folder of wheels: {built.stderr}")
    (wheel_name,) = os.listdir(made)
    return {
        "uv": os.path.join(uv_programs, "uv"),
        "uvx": os.path.join(uv_programs, "uvx"),
        "wheel": os.path.join(made, wheel_name),
    }


@pytest.fixture
def tooled(sandbox: Sandbox, tools: dict[str, str], published_wheels: str) -> Mapping[str, str]:
    """Give the variables under which uv and pipx work offline, with all they write inside the sandbox."""
    python = getattr(sys, "_base_executable", sys.executable)
    return {
        "UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": published_wheels, "UV_PYTHON": python,
        "UV_PYTHON_DOWNLOADS": "never", "UV_CACHE_DIR": f"{sandbox.root}/uv-cache", "UV_LINK_MODE": "copy",
        "UV_TOOL_DIR": f"{sandbox.root}/uv-tools", "UV_TOOL_BIN_DIR": f"{sandbox.root}/uv-bin", "UV_NO_CONFIG": "1",
        "PIPX_HOME": f"{sandbox.root}/pipx", "PIPX_BIN_DIR": f"{sandbox.root}/pipx-bin", "PIPX_DEFAULT_PYTHON": python,
        "PIPX_MAN_DIR": f"{sandbox.root}/pipx-man",
    }  # fmt: skip


def check_installs_elsewhere(sandbox: Sandbox, ran: Ran, own: str, before: set[str]) -> None:
    assert ran.code == 0, ran.err
    assert site_of(own) - before == set()
    assert {"alpha", "beta"} <= sandbox.packages()


def check_says_how_to_update(ran: Ran, command: str) -> None:
    """Pip carries the line out, which fails here: its index has no safepip."""
    assert ran.code == 1
    assert b"No matching distribution found for safepip" in ran.err
    assert f"to update that one: {command}" in ran.said


@pytest.mark.parametrize("first", [False, True], ids=["not on PATH", "first on PATH"])
def test_plain_environment_of_its_own(sandbox: Sandbox, own: str, first: bool) -> None:
    folder = os.path.dirname(own)
    before = site_of(os.path.dirname(folder))
    env = {"PATH": f"{folder}:/usr/bin:/bin"} if first else {}
    check_installs_elsewhere(sandbox, sandbox.run("install", "beta", env=env), os.path.dirname(folder), before)
    assert sandbox.run("freeze", env=env).out == b"alpha==2.0\nbeta==1.0\n"


def test_pip_in_an_environment(sandbox: Sandbox, tools: dict[str, str], published_wheels: str) -> None:
    """Installed like anything else: a tool where it is not active, and serving that environment where it is."""
    environment = os.path.join(sandbox.root, "tools-env")
    programs = os.path.join(environment, "bin")
    assert sandbox.call([SYSTEM_PYTHON, "-m", "venv", "--without-pip", environment]).code == 0
    installing = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        environment,
        "install",
        "--find-links",
        published_wheels,
    ]
    made = sandbox.call([*installing, "--no-compile", tools["wheel"]])
    assert made.code == 0, made.err
    assert os.path.isfile(f"{environment}/share/man/man1/safepip.1")
    before = site_of(environment)
    program = f"{programs}/safepip"
    check_installs_elsewhere(sandbox, sandbox.call([program, "install", "beta"]), environment, before)
    active = {"VIRTUAL_ENV": environment, "PATH": f"{programs}:/usr/bin:/bin"}
    assert sandbox.call(["safepip", "install", "beta"], env=active).code == 0
    assert any("site-packages/beta" in name for name in site_of(environment) - before)
    assert b"beta==1.0\n" in sandbox.call([program, "freeze"], env=active).out


def test_uvx(sandbox: Sandbox, tools: dict[str, str], tooled: Mapping[str, str]) -> None:
    line = [tools["uvx"], "-q", "--from", tools["wheel"], "safepip"]
    assert sandbox.call([*line, "--safepip-version"], env=tooled).out.startswith(b"safepip ")
    cache = os.path.join(sandbox.root, "uv-cache")
    before = site_of(cache)
    check_installs_elsewhere(sandbox, sandbox.call([*line, "install", "beta"], env=tooled), cache, before)
    assert sandbox.call([*line, "freeze"], env=tooled).out == b"alpha==2.0\nbeta==1.0\n"


def test_uv_tool(sandbox: Sandbox, tools: dict[str, str], tooled: Mapping[str, str]) -> None:
    made = sandbox.call([tools["uv"], "tool", "install", tools["wheel"]], env=tooled)
    assert made.code == 0, made.err
    program = os.path.join(tooled["UV_TOOL_BIN_DIR"], "safepip")
    before = site_of(tooled["UV_TOOL_DIR"])
    path = {"PATH": f"{tooled['UV_TOOL_BIN_DIR']}:/usr/bin:/bin"}
    ran = sandbox.call([program, "install", "beta"], env=path)
    check_installs_elsewhere(sandbox, ran, tooled["UV_TOOL_DIR"], before)
    check_says_how_to_update(
        sandbox.call([program, "install", "-U", "safepip"], env=path), "uv tool upgrade safepip"
    )


def test_pipx(
    sandbox: Sandbox,
    tools: dict[str, str],
    tooled: Mapping[str, str],
    published_wheels: str,
    pipx_environment: str,
) -> None:
    links = {**tooled, "PIP_FIND_LINKS": published_wheels, "PIP_NO_COMPILE": "1"}
    made = sandbox.call([os.path.join(pipx_environment, "bin", "pipx"), "install", tools["wheel"]], env=links)
    assert made.code == 0, made.err
    assert os.path.isfile(os.path.join(tooled["PIPX_MAN_DIR"], "man1", "safepip.1"))
    program = os.path.join(tooled["PIPX_BIN_DIR"], "safepip")
    before = site_of(tooled["PIPX_HOME"])
    path = {"PATH": f"{tooled['PIPX_BIN_DIR']}:/usr/bin:/bin"}
    ran = sandbox.call([program, "install", "beta"], env=path)
    check_installs_elsewhere(sandbox, ran, tooled["PIPX_HOME"], before)
    check_says_how_to_update(sandbox.call([program, "install", "-U", "safepip"], env=path), "pipx upgrade safepip")
