"""The pages of `safepip help`: each command that they print is typed, in a project of the managed Python."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING

import machine
import pytest
from sandbox import make_wheel
from tree import TREE

from safepip.core.invocation import TOPICS

if TYPE_CHECKING:
    from sandbox import Sandbox

pytestmark = pytest.mark.slow

PAGES = os.path.join(TREE, "safepip", "help")
PROMPT = "    $ "
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
FILES = {
    "requirements.txt": "pytest\n",
    "job.py": "print('the job')\n",
    "installer.py": "",
    "Makefile": "install:\n\tpip install -r requirements.txt\n\tpython3 -m pip install flask\n",
}
# The doctor's exit code tells whether it found something.
TELLING = ("safepip doctor",)


def text_of(topic: str) -> str:
    with open(os.path.join(PAGES, f"{topic}.txt"), encoding="utf-8") as page:
        return page.read()


def commands(topic: str) -> list[str]:
    return [line[len(PROMPT) :] for line in text_of(topic).splitlines() if line.startswith(PROMPT)]


def block(topic: str, first: str) -> str:
    """Return the indented block of a page that begins with the line `first`, without its indentation."""
    _, found, rest = text_of(topic).partition(f"\n    {first}\n")
    assert found
    lines = [first]
    for line in rest.split("\n"):
        if line and not line.startswith("    "):
            break
        lines.append(line[4:])
    return "\n".join(lines)


@pytest.fixture(scope="module")
def stand_ins(wheels: str) -> str:
    for name, programs in PACKAGES:
        make_wheel(wheels, name, "1.0", commands=programs)
    return wheels


@pytest.fixture
def blog(sandbox: Sandbox, stand_ins: str) -> Sandbox:
    """Give a project at ~/blog, in which `safepip` lies where its own set-up puts it."""
    programs = os.path.join(sandbox.home, ".local", "bin")
    os.makedirs(programs)
    os.symlink(sandbox.safepip, os.path.join(programs, "safepip"))
    os.rename(sandbox.project, os.path.join(sandbox.home, "blog"))
    sandbox.project = os.path.join(sandbox.home, "blog")
    for name, text in FILES.items():
        sandbox.write(name, text)
    sandbox.variables |= {
        "PATH": f"{programs}:{sandbox.variables['PATH']}",
        "GITHUB_PATH": os.path.join(sandbox.root, "github-path"),
        "SHELL": "/bin/bash",
    }
    return sandbox


def typed(box: Sandbox, lines: list[str]) -> str:
    """Type the lines into one bash, pip an alias as the README has it; return what was shown."""
    script = ["set -e", "shopt -s expand_aliases", "alias pip=safepip"]
    for line in lines:
        allowed = " || [ $? -eq 1 ]" if line.startswith(TELLING) else ""
        script += [f"echo {shlex.quote(PROMPT + line)}", line + allowed]
    ran = box.call(["bash", "-c", "\n".join([*script, ""])], env={"BASH_ENV": None})
    shown = os.fsdecode(ran.out + b"\n--- stderr\n" + ran.err)
    assert ran.code == 0, shown
    return shown


# What was done before a page is read.
_INSTALLED = ["pip install -q pytest"]
BEFORE = {
    "moving": [
        "pip config set global.break-system-packages true",
        "pip install -q --user flask",
    ],
    "cron": _INSTALLED,
    "faq": _INSTALLED,
    "limits": _INSTALLED,
}


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if commands(topic) and topic != "raspberry-pi"])
def test_every_command_of_a_page_works(blog: Sandbox, topic: str) -> None:
    if topic == "moving":  # which sets a setting in the user's file
        machine.skip_where_pip_reads_files()
    typed(blog, [*BEFORE.get(topic, []), *commands(topic)])


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_the_makefile_of_the_page_installs_once(blog: Sandbox) -> None:
    blog.write("Makefile", block("make", "PIP ?= safepip"))
    first, second = (blog.call(["make", "-j4", "test"]) for _ in range(2))
    assert (first.code, b"this is pytest" in first.out, b"install" in first.out) == (0, True, True), first.err
    assert (second.code, b"this is pytest" in second.out, b"install" in second.out) == (0, True, False)


def test_the_dockerfile_of_the_page_puts_the_environment_on_path(blog: Sandbox) -> None:
    lines = [line.strip() for line in text_of("docker").replace("/opt", blog.root).split("\n")]
    (env,) = (line[4:] for line in lines if line.startswith("ENV SAFEPIP_ENV="))
    (run,) = (line.removeprefix("RUN ") for line in lines if line.endswith("safepip install -r requirements.txt"))
    script = f"set -e\nexport {env}\n{run}\npython3 -c 'import sys; print(sys.prefix)'\npytest"
    ran = blog.call(["sh", "-c", script])
    assert ran.code == 0, ran.err
    assert ran.text.splitlines()[-2:] == [os.path.join(blog.root, "venv"), "this is pytest 1.0"]


def test_an_environment_made_again_has_what_was_its_own(blog: Sandbox) -> None:
    typed(blog, commands("raspberry-pi"))
    with open(os.path.join(blog.project, "packages.txt"), encoding="utf-8") as file:
        own = [line.partition(" @")[0] for line in file.read().split("\n")[:-1]]
    assert own == ["adafruit_blinka==1.0", "gpiozero==1.0"]
    assert {"adafruit_blinka", "gpiozero"} <= blog.packages()


def test_a_page_is_printed_as_it_is_and_only_by_safepips_name(blog: Sandbox) -> None:
    ran = blog.run("help", "docker")
    assert (ran.code, ran.text, ran.err) == (0, text_of("docker"), b"")
    as_pip = blog.call([blog.named("pip3"), "help", "docker"])
    assert (as_pip.code, as_pip.out) == (1, b"")
    assert b'unknown command "docker"' in as_pip.err
