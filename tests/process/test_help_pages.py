"""The pages of `safepip help`: each block of commands runs as it stands, in bash, in a project of the managed Python."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING

import machine
import pytest
from sandbox import make_wheel
from tree import TREE

from safepip.core.invocation import TOPICS
from safepip.verbs.markdown import CODE, blocks

if TYPE_CHECKING:
    from sandbox import Sandbox

pytestmark = pytest.mark.slow

PAGES = os.path.join(TREE, "safepip", "help")
# Stand-ins for what the pages install: name and commands.
PACKAGES = (
    ("flask", ()),
    ("pytest", ("pytest",)),
    ("jupyterlab", ("jupyter",)),
    ("ipykernel", ()),
    ("gpiozero", ()),
    ("adafruit_blinka", ()),
    ("transforms3d", ()),
)
# What a page asks of other programs: what is installed, in ~/.local/bin.
PROGRAMS = {
    "ssh": 'shift; cd; exec sh -c "$*"',
    "sudo": 'exec "$@"',
}
FILES = {
    "blink.py": "",
    "requirements.txt": "pytest\n",
    "job.py": "print('the job')\n",
    "installer.py": "",
    "Makefile": "install:\n\tpip install -r requirements.txt\n\tpython3 -m pip install flask\n",
}
# Before the blocks of a page: the alias of the README, and a doctor whose exit code, which tells of problems, is 0.
SET_UP = """\
set -e
shopt -s expand_aliases
alias pip=safepip
safepip() { command safepip "$@" || [ "$1 $?" = "doctor 1" ]; }
"""


def text_of(topic: str) -> str:
    with open(os.path.join(PAGES, f"{topic}.md"), encoding="utf-8") as page:
        return page.read()


def code(topic: str, language: str) -> list[str]:
    """Return the blocks of a page in one language."""
    fenced = [lines for kind, lines in blocks(text_of(topic)) if kind == CODE]
    return ["\n".join([*lines, ""]) for name, *lines in fenced if name == language]


@pytest.fixture(scope="module")
def stand_ins(wheels: str) -> str:
    for name, programs in PACKAGES:
        make_wheel(wheels, name, "1.0", commands=programs)
    for version in ("1.0", "2.0"):
        make_wheel(wheels, "requests", version)
    return wheels


@pytest.fixture
def blog(sandbox: Sandbox, stand_ins: str, base: str, pipx_environment: str) -> Sandbox:
    """Give a project at ~/blog; `safepip` lies where its own set-up puts it, and pipx beside it."""
    programs = os.path.join(sandbox.home, ".local", "bin")
    os.makedirs(programs)
    os.symlink(sandbox.safepip, os.path.join(programs, "safepip"))
    os.symlink(os.path.join(pipx_environment, "bin", "pipx"), os.path.join(programs, "pipx"))
    os.rename(sandbox.project, os.path.join(sandbox.home, "blog"))
    sandbox.project = os.path.join(sandbox.home, "blog")
    for name, text in FILES.items():
        sandbox.write(name, text)
    for name, text in PROGRAMS.items():
        with open(os.open(os.path.join(programs, name), os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
            file.write(f"#!/bin/sh\n{text}\n")
    sandbox.variables |= {
        "PATH": f"{programs}:{sandbox.variables['PATH']}",
        "GITHUB_PATH": os.path.join(sandbox.root, "github-path"),
        "SHELL": "/bin/bash",
        "PIP_FIND_LINKS": stand_ins,
        "PIPX_SHARED_LIBS": os.path.join(base, "pipx-shared"),
    }
    return sandbox


def run_in_bash(box: Sandbox, parts: list[str]) -> str:
    """Run the blocks one after the other in one bash; return what was shown."""
    ran = box.call(["bash", "-c", "".join([SET_UP, *parts])], env={"BASH_ENV": None})
    shown = os.fsdecode(ran.out + b"\n--- stderr\n" + ran.err)
    assert ran.code == 0, shown
    return shown


# What was done before a page is read.
_INSTALLED = "safepip install -q pytest\n"
BEFORE = {
    "moving": "safepip config set global.break-system-packages true\nsafepip install -q --user flask\n",
    "cron": _INSTALLED,
    "faq": _INSTALLED,
    "json": _INSTALLED,
    "limits": _INSTALLED,
    "recovery": _INSTALLED,
    "security": _INSTALLED,
    "upgrade-and-save": "safepip install -q requests==1.0\n",
}
OTHERS = ("raspberry-pi",)  # a test of its own, below


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if code(topic, "bash") and topic not in OTHERS])
def test_every_block_of_commands_of_a_page_works(blog: Sandbox, topic: str) -> None:
    if topic == "moving":  # which sets a setting in the user's file
        machine.skip_where_pip_reads_files()
    run_in_bash(blog, [BEFORE.get(topic, ""), *code(topic, "bash")])


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_the_makefile_of_the_page_installs_once(blog: Sandbox) -> None:
    blog.write("Makefile", code("make", "make")[0])
    first, second = (blog.call(["make", "-j4", "test"]) for _ in range(2))
    assert (first.code, b"this is pytest" in first.out, b"install" in first.out) == (0, True, True), first.err
    assert (second.code, b"this is pytest" in second.out, b"install" in second.out) == (0, True, False)


def test_the_dockerfile_of_the_page_puts_the_environment_on_path(blog: Sandbox) -> None:
    lines = [line for part in code("docker", "dockerfile") for line in part.replace("/opt", blog.root).split("\n")]
    (env,) = (line[4:] for line in lines if line.startswith("ENV SAFEPIP_ENV="))
    (run,) = (line.partition("/.cache ")[2] for line in lines if line.endswith("install -r requirements.txt"))
    script = f"set -e\nexport {env}\n{run}\npython3 -c 'import sys; print(sys.prefix)'\npytest"
    ran = blog.call(["sh", "-c", script])
    assert ran.code == 0, ran.err
    assert ran.text.splitlines()[-2:] == [os.path.join(blog.root, "venv"), "this is pytest 1.0"]


def test_an_environment_made_again_has_what_was_its_own(blog: Sandbox) -> None:
    run_in_bash(blog, code("raspberry-pi", "bash"))
    with open(os.path.join(blog.project, "packages.txt"), encoding="utf-8") as file:
        own = [line.partition(" @")[0] for line in file.read().split("\n")[:-1]]
    assert own == ["adafruit_blinka==1.0", "gpiozero==1.0"]
    assert {"adafruit_blinka", "gpiozero"} <= blog.packages()


def test_a_page_is_printed_only_by_safepips_name(blog: Sandbox) -> None:
    ran = blog.run("help", "docker")
    assert (ran.code, ran.text.split("\n")[0], ran.err) == (0, "safepip in a Dockerfile", b"")
    as_pip = blog.call([blog.named("pip3"), "help", "docker"])
    assert (as_pip.code, as_pip.out) == (1, b"")
    assert b'unknown command "docker"' in as_pip.err


def documented_keys() -> dict[str, set[str]]:
    """Return the keys that the page on JSON has for each command."""
    sections = text_of("json").split("\n## ")[1:]
    firsts = {part.partition("\n")[0]: re.findall(r"^\| (`[^|]+`) \|", part, re.MULTILINE) for part in sections}
    return {
        name: {key for cell in found for key in re.findall(r"`(\w+)`", cell)} for name, found in firsts.items()
    }


def test_the_page_on_json_has_the_keys_that_are_printed(blog: Sandbox) -> None:
    assert blog.run("install", "-q", "flask").code == 0
    printed = {
        "explain": json.loads(blog.run("explain", "--json", "install", "flask").out),
        "doctor": json.loads(blog.run("doctor", "--json").out)["findings"][0],
        "history": json.loads(blog.run("history", "--json").out)[0],
        "env list": json.loads(blog.run("env", "list", "--json").out)[0],
    }
    keys = documented_keys()
    assert {name: set(one) for name, one in printed.items()} == {name: keys[name] for name in printed}
