"""README.md: each command in it runs as it stands, and what it counts is so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from tree import TREE, WHEELS

from safepip.core.invocation import TOPICS, VERBS
from safepip.verbs.markdown import CODE, TABLE, blocks, cells

pytestmark = pytest.mark.slow

PARTS = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "safepip", "scripts")
LIMIT = 300
# How a shell is told to run a line without what the machine has for it.
SHELLS = {
    "bash": ["--norc", "-c"],
    "zsh": ["-f", "-c"],
    "fish": ["-c"],
    "ksh": ["-c"],
    "mksh": ["-c"],
    "tcsh": ["-f", "-c"],
}


def text():
    with open(os.path.join(TREE, "README.md"), encoding="utf-8") as file:
        return file.read()


def commands():
    """Return the lines of the blocks of commands."""
    return [line for kind, (name, *lines) in blocks(text()) if (kind, name) == (CODE, "bash") for line in lines]


@pytest.fixture(scope="module")
def place(tmp_path_factory, pipx_environment, uv_programs):
    """Give a folder with a clone and, in bin, pipx and uv."""
    folder = str(tmp_path_factory.mktemp("readme"))
    clone, programs = os.path.join(folder, "clone"), os.path.join(folder, "bin")
    os.mkdir(programs)
    os.mkdir(clone)
    for name in PARTS:
        source = os.path.join(TREE, name)
        if os.path.isdir(source):
            shutil.copytree(source, os.path.join(clone, name), ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, clone)
    os.symlink(os.path.join(pipx_environment, "bin", "pipx"), os.path.join(programs, "pipx"))
    os.symlink(os.path.join(uv_programs, "uv"), os.path.join(programs, "uv"))
    return folder


def environ(folder, home=None):
    home = home or os.path.join(folder, "home")
    os.makedirs(home, exist_ok=True)
    return {
        "HOME": home, "PATH": f"{folder}/bin:/usr/bin:/bin", "SHELL": "/bin/bash", "LANG": "C.UTF-8",
        "TMPDIR": folder, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS, "PIP_CONFIG_FILE": os.devnull,
        "UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": WHEELS, "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": python(), "PIPX_DEFAULT_PYTHON": python(),
    }  # fmt: skip


def python():
    return getattr(sys, "_base_executable", sys.executable)


def run(words, folder, home):
    clone = os.path.join(folder, "clone")
    done = subprocess.run(
        words, cwd=clone, env=environ(folder, home), capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(place):
    """Give a home directory in which the first command was run."""
    home = os.path.join(place, "installed")
    run(["bash", "-c", commands()[0]], place, home)
    return home


@pytest.mark.parametrize("line", [line for line in commands() if "install" in line or "bootstrap" in line])
def test_each_way_to_install_gives_the_command(place, installed, tmp_path, line):
    home = installed
    if line != commands()[0]:
        home = str(tmp_path)
        run(["bash", "-c", line], place, home)
    version = run([f"{home}/.local/bin/safepip", "--safepip-version"], place, home)
    assert version.startswith("safepip ")


def test_the_other_commands_run(place, installed):
    others = [line for line in commands() if ".local/bin/safepip" in line]
    script = "\n".join(["shopt -s expand_aliases", "set -e", *others, "pip --version", ""])
    assert run(["bash", "-c", script], place, installed).startswith("pip ")
    with open(os.path.join(installed, ".bashrc"), encoding="utf-8") as file:
        assert "safepip init bash" in file.read()


def shell_lines():
    (table,) = [lines for kind, lines in blocks(text()) if kind == TABLE and "| shell |" in lines[0]]
    rows = [cells(row) for row in table[2:]]
    return [(shell, line.strip("`")) for names, line, _ in rows for shell in names.split(", ") if shell in SHELLS]


@pytest.mark.parametrize(("shell", "line"), shell_lines())
def test_the_line_of_each_shell_leads_pip_to_safepip(place, installed, shell, line):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    if shell == "tcsh":  # its backticks stand in a table
        line = line.replace("``", "")
    shown = run([shell, *SHELLS[shell], f"{line}\npip explain freeze"], place, installed)
    assert "freeze" in shown


def test_the_count_of_lines_that_are_compared_with_pip():
    with open(os.path.join(TREE, "tests", "process", "equal-lines.txt"), encoding="utf-8") as file:
        count = sum(bool(line.strip()) and not line.startswith("#") for line in file)
    assert [int(found) for found in re.findall(r"(\d+) command lines", text())] == [count]


def test_its_figures_of_speed_are_those_of_the_page_on_speed():
    with open(os.path.join(TREE, "safepip", "help", "speed.md"), encoding="utf-8") as file:
        measured = {f"{float(figure):.2f}" for figure in re.findall(r"\| (0\.\d+) ", file.read())}
    (highlight,) = re.findall(r"\*\*Less work than pip itself\.\*\*(.*?)\n- ", text(), re.DOTALL)
    told = re.findall(r"0\.\d\d", highlight)
    assert told
    assert set(told) <= measured


def test_it_is_short_and_names_every_topic_and_verb():
    assert len(text().splitlines()) <= 150
    assert set(re.findall(r"safepip help ([a-z-]+)", text())) <= set(TOPICS)
    assert [verb for verb in VERBS if verb != "hook" and not re.search(rf"\b{verb}\b", text())] == []
