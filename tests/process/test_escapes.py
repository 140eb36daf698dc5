"""Names that would steer a terminal are shown escaped, wherever safepip speaks of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox import Ran, Sandbox

EVIL = "e\x1b]0;PWN\x07\u202e\u2066x\x9b31m"
RAW = [char.encode() for char in "\x1b\x07\u202e\u2066\x9b"]


def raw_lines(ran: Ran) -> list[bytes]:
    return [line for line in (ran.out + ran.err).splitlines() if any(char in line for char in RAW)]


def test_no_word_of_safepips_shows_a_raw_name(sandbox: Sandbox) -> None:
    place = os.path.join(sandbox.home, EVIL)
    os.mkdir(place)
    sandbox.write(
        os.path.join(place, "pyproject.toml"), '[tool.safepip]\n"k\\u001b]0;x" = 1\npython = "a\\u202eb"\n'
    )
    assert raw_lines(sandbox.run("list", cwd=place)) == []
    sandbox.write(os.path.join(place, "pyproject.toml"), "")
    made = sandbox.run("install", "beta", cwd=place, env={"SAFEPIP_DEBUG": "1"})
    assert (made.code, raw_lines(made)) == (0, [])
    for line in (
        "explain install x",
        "doctor",
        "doctor --json",
        "env list",
        "env list --json",
        "env info",
        "history",
    ):
        assert raw_lines(sandbox.run(*line.split(), cwd=place)) == []
    missing = sandbox.run("run", f"no{EVIL}", cwd=place)
    assert (missing.code, raw_lines(missing)) == (127, [])
    for name in ("python", "python3"):
        os.unlink(os.path.join(place, ".venv", "bin", name))
    for line in ("install alpha", "doctor", "env list"):
        assert raw_lines(sandbox.run(*line.split(), cwd=place)) == []


def test_nor_does_a_prompt(sandbox: Sandbox) -> None:
    assert sandbox.run("--env", EVIL, "install", "alpha").code == 0
    script = '. "$0/bin/activate"; printf %s "$PS1$VIRTUAL_ENV_PROMPT"'
    prompt = sandbox.call(["bash", "-c", script, os.path.join(sandbox.project, EVIL)])
    assert b"PWN" in prompt.out
    assert raw_lines(prompt) == []
