"""What `safepip help ci` shows is run: the matrix, step by step, and the settings of the runner."""

from __future__ import annotations

import os
import re

import pytest
from sandbox import SYSTEM_PATH, Sandbox
from tree import PACKAGE

pytestmark = pytest.mark.slow
with open(os.path.join(PACKAGE, "help", "ci.md"), encoding="utf-8") as _file:
    PAGE = _file.read()


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


@pytest.mark.parametrize("managed", [True, False])
def test_the_matrix_makes_an_environment_from_each_python(
    sandbox: Sandbox, unmanaged_python: str, *, managed: bool
) -> None:
    steps = re.findall(r"- run: (.*)", block("yaml"))
    assert len(steps) == 3
    python = "/usr/bin/python3" if managed else unmanaged_python
    later = os.path.join(sandbox.root, "github-path")
    sandbox.write("requirements.txt", "beta\n")
    variables = dict(re.findall(r"(SAFEPIP_\w+): (\S+)", block("yaml")))
    variables |= {"GITHUB_PATH": later}
    search = f"{os.path.dirname(python)}:{os.path.dirname(sandbox.safepip)}:{SYSTEM_PATH}"
    for step in steps:
        if os.path.exists(later):
            with open(later, encoding="utf-8") as file:
                search = ":".join((*file.read().split(), search))
        line = step.replace("pytest", "beta")
        ran = sandbox.call(["bash", "-e", "-c", line], env={**variables, "PATH": search})
        assert ran.code == 0, (line, ran.err)
    assert ran.out == b"this is beta 1.0\n"
    asking = "import sys; print(sys.version_info[:3], sys.base_prefix)"
    told = [sandbox.call([one, "-c", asking]).text for one in (python, sandbox.python)]
    assert told[0] == told[1]


def test_the_settings_of_the_runner_are_understood(sandbox: Sandbox) -> None:
    """They are the same in the user's file, which needs no root."""
    sandbox.write(os.path.join(sandbox.home, ".config", "safepip", "config.toml"), block("toml"))
    assert sandbox.run("list").said == []
    assert sandbox.run("install", "alpha", cwd=sandbox.home).code == 73
