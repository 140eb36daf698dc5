"""Whatever stands at `.venv`: it stays, and each way on that is printed ends in an install that works."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from venv_kinds import ABSENT, KINDS

if TYPE_CHECKING:
    from sandbox import Ran, Sandbox

COMMANDS = ("safepip ", "mv ", "chmod ")


def identity(path: str) -> tuple[int, int, bytes] | None:
    """Return what must stay as it is of a file or link."""
    if not os.path.lexists(path) or (os.path.isdir(path) and not os.path.islink(path)):
        return None
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        return found.st_ino, found.st_size, b""
    with open(path, "rb") as file:
        return found.st_ino, found.st_size, file.read()


def ways_in(ran: Ran) -> list[str]:
    """Return the commands that safepip's lines name."""
    named = [line[line.find(begin) :] for line in ran.said for begin in COMMANDS if begin in line]
    return [command for command in named if "…" not in command and "DIR" not in command]


def follow(box: Sandbox, steps: int = 2) -> Ran:
    """Install, and type the first command that is named until it works."""
    ran = box.run("install", "alpha")
    for _ in range(steps):
        if ran.code == 0:
            break
        ways = ways_in(ran)
        assert ways, ran.said
        box.named("safepip")
        told = box.call(["sh", "-c", ways[0]], env={"PATH": f"{box.bin}:/usr/bin:/bin"})
        named = ways_in(told)
        if told.code and named:
            box.call(["sh", "-c", named[0]], env={"PATH": f"{box.bin}:/usr/bin:/bin"})
        ran = box.run("install", "alpha")
    return ran


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_on_ends_in_an_install_that_works(sandbox: Sandbox, kind: str) -> None:
    sandbox.write("readme")
    sandbox.write("pyproject.toml", "[project]\nname = 'x'\n")
    KINDS[kind](sandbox.venv)
    before = identity(sandbox.venv)
    assert follow(sandbox).code == 0
    assert sandbox.run("run", "python", "-c", "import alpha").code == 0
    assert before is None or identity(sandbox.venv) == before
    if os.path.isdir(sandbox.venv) and not os.path.islink(sandbox.venv):
        os.chmod(sandbox.venv, 0o755)


@pytest.mark.parametrize("kind", [kind for kind in ABSENT if kind.startswith(("link to", "redirect", "pipe"))])
def test_what_leads_nowhere_is_read_past(sandbox: Sandbox, kind: str) -> None:
    sandbox.write("readme")
    KINDS[kind](sandbox.venv)
    ran = sandbox.run("list")
    assert (ran.code, ran.said) == (0, []), ran.err
