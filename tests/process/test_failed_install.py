"""An install that fails leaves no environment; one that succeeds beside it keeps its own."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox import Sandbox

FUTILE = [
    "install .",
    "install -e .",
    "install ./nope",
    "install nope.whl",
    "install -r r.txt",
    "install --group dev",
]
FAILING = ["install nosuchname", "install alpha==99", "install alpha nosuchname", "install --no-such-option alpha"]


def left(box: Sandbox) -> set[str]:
    """Return what is in the project and the user's own folders, what safepip locks left out."""
    return {name for name in box.traces() if "/.local/state/safepip/locks" not in name}


@pytest.mark.parametrize("line", FUTILE)
def test_an_install_that_can_only_fail_makes_nothing(sandbox: Sandbox, line: str) -> None:
    sandbox.write("r.txt", "-r missing.txt\n")
    before = left(sandbox)
    ran = sandbox.run(*line.split())
    assert (ran.code, ran.said) == (1, [])
    assert left(sandbox) == before
    assert b"externally-managed" not in ran.err


@pytest.mark.parametrize("line", FAILING)
def test_the_environment_of_a_failed_install_goes_again(sandbox: Sandbox, line: str) -> None:
    before = {name for name in left(sandbox) if "/.local" not in name}
    ran = sandbox.run(*line.split())
    assert ran.code in {1, 2}
    assert ran.said[-1] == "nothing was installed; .venv is removed again"
    assert {name for name in left(sandbox) if "/.local" not in name} == before
    assert not [name for name in left(sandbox) if "safepip/environments/" in name]


def test_quiet_means_quiet_and_the_next_install_works(sandbox: Sandbox) -> None:
    ran = sandbox.run("-q", "install", "nosuchname")
    assert (ran.code, ran.said, os.path.lexists(sandbox.venv)) == (1, [], False)
    assert sandbox.run("install", "alpha").code == 0


def test_an_environment_that_was_there_stays(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    assert sandbox.run("install", "nosuchname").code == 1
    assert os.path.exists(sandbox.python)


def test_the_users_own_empty_directory_stays(sandbox: Sandbox) -> None:
    os.mkdir(sandbox.venv)
    assert sandbox.run("install", "nosuchname").code == 1
    assert os.listdir(sandbox.venv) == []


def test_of_two_installs_at_once_the_one_that_succeeds_has_its_environment(sandbox: Sandbox) -> None:
    """They start within the time that each of them takes, so that they meet at every stage."""
    random.seed(20)
    for _ in range(2):
        fails = sandbox.start("install", "nosuchname")
        time.sleep(random.random())
        succeeds = sandbox.start("install", "alpha")
        (_, said), (_, told) = fails.communicate(timeout=120), succeeds.communicate(timeout=120)
        assert (fails.returncode, succeeds.returncode) == (1, 0), (said, told)
        assert "alpha" in sandbox.packages()
        assert sandbox.run("uninstall", "-y", "alpha").code == 0
        assert sandbox.run("env", "remove", "--yes").code == 0


def test_a_question_that_nobody_answers_is_no_damage(sandbox: Sandbox) -> None:
    """pip's uninstall asks, and ends with EOFError where input is at its end, as bytecode that was cut off does."""
    assert sandbox.run("install", "alpha").code == 0
    ran = sandbox.run("uninstall", "alpha")
    assert ran.code != 0
    assert b"EOF" in ran.err
    assert [line for line in ran.said if "damaged" in line] == []
