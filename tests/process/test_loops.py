"""Programs that lead back to safepip end with one message, not in a loop; a real one behind them is found."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox import Sandbox


@pytest.fixture
def first(sandbox: Sandbox) -> dict[str, str]:
    """Put the sandbox's folder of programs first on PATH."""
    return {"PATH": f"{sandbox.bin}:{sandbox.variables['PATH']}"}


def put(sandbox: Sandbox, name: str, command: str) -> None:
    path = os.path.join(sandbox.bin, name)
    with open(path, "w") as file:
        file.write(f"#!/bin/sh\n{command}\n")
    os.chmod(path, 0o755)


def test_a_shim_of_python_that_calls_safepip_by_another_name(sandbox: Sandbox, first: dict[str, str]) -> None:
    sandbox.named("sp")
    put(sandbox, "python3", 'exec sp list "$@"')
    ran = sandbox.run("install", "alpha", env=first)
    assert ran.code == 126
    assert [line for line in ran.said if "leads back to safepip" in line] == ran.said[:1]


def test_one_that_names_safepip_is_passed_over(sandbox: Sandbox, first: dict[str, str]) -> None:
    put(sandbox, "python3", f'exec {sandbox.safepip} run python3 "$@"')
    assert sandbox.run("list", env=first).code == 0


def test_a_second_safepip_called_pip(sandbox: Sandbox, first: dict[str, str]) -> None:
    put(sandbox, "pip", 'exec safepip "$@"')
    put(sandbox, "safepip", f'exec {sandbox.safepip} "$@"')
    line = "shopt -s expand_aliases\nalias pip=safepip safepip=pip\npip list"
    assert sandbox.call(["bash", "-c", line], env=first).code == 0


def test_shims_whose_program_is_a_shim(sandbox: Sandbox, first: dict[str, str]) -> None:
    assert sandbox.run("shims", sandbox.bin).code == 0
    link = os.path.join(sandbox.bin, ".safepip", "pip")
    assert sandbox.call(["pip", "list"], env=first).code == 0
    os.unlink(link)
    os.symlink(os.path.join(sandbox.bin, "pip"), link)
    ran = sandbox.call(["pip", "list"], env=first)
    assert (ran.code, len(ran.said)) == (126, 1)
    assert "leads back to this shim" in ran.said[0]


def test_a_pipx_that_is_safepip_by_another_name(sandbox: Sandbox, first: dict[str, str]) -> None:
    sandbox.named("sp")
    put(sandbox, "pipx", 'exec sp --app list "$@"')
    ran = sandbox.run("--app", "install", "beta", env=first)
    assert ran.code in {1, 69}  # without a network there is no other pipx
    assert ran.said


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace tells what is connected to")
def test_nothing_is_connected_to_before_pip_takes_over(sandbox: Sandbox) -> None:
    log = os.path.join(sandbox.root, "log")
    traced = ["strace", "-f", "-s", "4096", "-e", "trace=connect,sendto,execve", "-o", log, sandbox.safepip]
    index = {"PIP_NO_INDEX": None, "PIP_FIND_LINKS": None, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    assert sandbox.call([*traced, "install", "--retries", "0", "alpha"], env=index).code == 1
    with open(log, errors="replace") as file:
        lines = file.read().splitlines()
    taken = max(number for number, line in enumerate(lines) if "execve(" in line and "runner.py" in line)
    assert [line for line in lines[:taken] if "AF_INET" in line] == []
    assert [line for line in lines[taken:] if "AF_INET" in line]
