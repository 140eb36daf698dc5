"""Requirements that come through pipes and in odd encodings, lines that scripts call, and variables of other tools."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from sandbox import Kept

if TYPE_CHECKING:
    from sandbox import Sandbox

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(make_sandbox) -> Kept:
    """Give a project with an environment that holds gamma."""
    box: Sandbox = make_sandbox()
    assert box.run("install", "--no-deps", "gamma").code == 0
    box.named("pip")
    box.variables["PATH"] = f"{box.bin}:{box.variables['PATH']}"
    return Kept(box)


@pytest.fixture
def emptied(world: Kept) -> Sandbox:
    """Give the world with nothing but pip and gamma in its environment."""
    return world.restore()


def script(box: Sandbox, text: str, stdin: bytes = b"", shell: str = "bash") -> set[str]:
    """Run a shell script in the project; return what is installed then, beside pip and gamma."""
    ran = box.call([shell, "-c", text], stdin=stdin)
    assert ran.code == 0, ran.err.decode()
    return box.packages() - {"pip", "gamma"}


@pytest.mark.parametrize(
    "text",
    [
        "pip install -r /dev/stdin", "pip install -r <(echo alpha)",
"mkfifo f; echo alpha > f & pip install -r f; rm f", "mkfifo f; echo -c f > g; echo > f & pip install -r g alpha; rm f",
        "exec 7<&0; pip install -r /dev/fd/7",
    ],
)  # fmt: skip
def test_requirements_are_read_from_what_can_be_read_once(emptied: Sandbox, text: str) -> None:
    assert script(emptied, text, b"alpha\n") == {"alpha"}


ENCODED = {
    "a BOM": "\ufeffalpha\n".encode(),
    "UTF-16": "alpha\n".encode("utf-16"),
    "UTF-16 the other way": b"\xfe\xff" + "alpha\n".encode("utf-16-be"),
    "UTF-32": "alpha\n".encode("utf-32"),
    "CR": b"# one\ralpha\r",
    "CRLF": b"\r\nalpha\r\n",
    "a declared encoding": "# coding: latin-1\n# \xe4\nalpha\n".encode("latin-1"),
    "a nested file": b"\xef\xbb\xbf-r plain.txt\n",
}


@pytest.mark.parametrize("content", ENCODED.values(), ids=ENCODED)
def test_requirements_are_read_in_the_encoding_that_pip_finds(emptied: Sandbox, content: bytes) -> None:
    emptied.write("plain.txt", "alpha\n")
    emptied.write("odd.txt", content)
    for _ in "12":  # a second time it must not be an answer that was kept for another file
        assert script(emptied, "pip install -r odd.txt") == {"alpha"}


def test_a_variable_in_a_requirements_file_counts_as_it_is_now(emptied: Sandbox) -> None:
    emptied.write("req.txt", "${NAME}\n")
    for name in ("alpha", "beta", "alpha"):
        assert name in script(emptied, f"NAME={name} pip install -r req.txt")


def test_side_by_side_and_one_after_another_from_a_script(emptied: Sandbox) -> None:
    names = ["many0", "many1", "many2", "alpha"]
    lines = "\n".join(names).encode() + b"\n"
    assert script(emptied, "xargs -P4 -n1 pip install -q", lines) == set(names)
    assert script(emptied, "while read -r name; do pip uninstall -qy $name; done", lines) == set()


def test_what_follows_in_stdin_is_left_for_the_next_command(emptied: Sandbox) -> None:
    ran = emptied.call(["bash", "-c", "pip list >&2; cat"], stdin=b"left\n")
    assert (ran.code, ran.out) == (0, b"left\n")


@pytest.mark.parametrize("name", [b"caf\xe9:\xff", b"x\ny"], ids=repr)
def test_odd_bytes_in_the_path_of_a_project(make_sandbox, name: bytes) -> None:
    box: Sandbox = make_sandbox()
    project = os.path.join(os.fsencode(box.home), name)
    os.mkdir(project)
    ran = box.call([box.safepip, "install", "alpha"], cwd=project)  # type: ignore[arg-type]
    assert ran.code == 0, ran.err
    shown = box.call([box.safepip, "list"], cwd=project)  # type: ignore[arg-type]
    assert b"alpha" in shown.out


# -- variables of other tools

PYTHON = {
    "PYTHONASYNCIODEBUG": "1", "PYTHONBREAKPOINT": "0", "PYTHONCASEOK": "1", "PYTHONCOERCECLOCALE": "0",
    "PYTHONDEVMODE": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONDUMPREFS": "1",
    "PYTHONFAULTHANDLER": "1", "PYTHONHASHSEED": "7", "PYTHONINTMAXSTRDIGITS": "640", "PYTHONIOENCODING": "latin-1",
    "PYTHONMALLOC": "debug", "PYTHONNODEBUGRANGES": "1", "PYTHONNOUSERSITE": "1", "PYTHONOPTIMIZE": "2",
    "PYTHONPATH": "/nowhere", "PYTHONPERFSUPPORT": "0", "PYTHONPYCACHEPREFIX": "pycache", "PYTHONSAFEPATH": "1",
    "PYTHONSTARTUP": "/nowhere/start.py", "PYTHONTRACEMALLOC": "1", "PYTHONUNBUFFERED": "1", "PYTHONUSERBASE": "base",
    "PYTHONUTF8": "0", "PYTHONWARNDEFAULTENCODING": "0", "PYTHONWARNINGS": "ignore", "PYTHON_BASIC_REPL": "1",
    "PYTHON_COLORS": "0", "PYTHON_CPU_COUNT": "1", "PYTHON_FROZEN_MODULES": "on", "PYTHON_HISTORY": "history",
    "PYTHON_GIL": "1", "PYTHON_JIT": "0", "PYTHON_LAZY_IMPORTS": "all", "PYTHONLEGACYWINDOWSSTDIO": "1",
}  # fmt: skip
VIRTUALENV = {
    "VIRTUALENV_ACTIVATORS": "fish", "VIRTUALENV_APP_DATA": "app-data", "VIRTUALENV_CLEAR": "1", "VIRTUALENV_CONFIG_FILE": "x.ini",
    "VIRTUALENV_COPIES": "1", "VIRTUALENV_CREATOR": "venv", "VIRTUALENV_DISCOVERY": "other", "VIRTUALENV_DOWNLOAD": "1",
    "VIRTUALENV_EXTRA_SEARCH_DIR": "/nowhere", "VIRTUALENV_NO_PIP": "1", "VIRTUALENV_NO_SEED": "1",
    "VIRTUALENV_NO_VCS_IGNORE": "1", "VIRTUALENV_PIP": "20.0", "VIRTUALENV_PROMPT": "other", "VIRTUALENV_PYTHON": "/nowhere",
    "VIRTUALENV_READ_ONLY_APP_DATA": "1", "VIRTUALENV_SEEDER": "other", "VIRTUALENV_SYSTEM_SITE_PACKAGES": "1",
    "VIRTUALENV_TRY_FIRST_WITH": "/nowhere", "VIRTUALENV_VENV_REDIRECT": "1", "VIRTUALENV_WITH_TRACEBACK": "1",
}  # fmt: skip
XDG = {
    "XDG_BIN_HOME": "xdg/bin", "XDG_CACHE_HOME": "relative", "XDG_CONFIG_DIRS": "/nowhere", "XDG_CONFIG_HOME": "relative",
    "XDG_DATA_DIRS": "/nowhere", "XDG_DATA_HOME": "relative", "XDG_RUNTIME_DIR": "/nowhere", "XDG_STATE_HOME": "relative",
}  # fmt: skip


@pytest.mark.parametrize("first", range(6))
def test_variables_of_pythons_change_nothing_that_pip_prints(emptied: Sandbox, first: int) -> None:
    """Several at a time, for each costs a run of pip."""
    ran = emptied.run("freeze", env=dict([*PYTHON.items()][first::6]))
    assert (ran.code, ran.out) == (0, b"gamma==1.0\n"), ran.err


@pytest.mark.parametrize("variables", [VIRTUALENV, XDG], ids=["VIRTUALENV", "XDG"])
def test_variables_of_virtualenv_and_relative_ones_of_xdg_make_the_same_environment(
    make_sandbox, variables
) -> None:
    box: Sandbox = make_sandbox()
    ran = box.run("install", "alpha", env=variables)
    assert ran.code == 0, ran.err.decode()
    assert box.packages() == {"pip", "alpha"}
    with open(os.path.join(box.venv, "pyvenv.cfg"), encoding="utf-8") as file:
        assert "include-system-site-packages = false" in file.read()
    assert sorted(os.listdir(box.project)) == [".venv"]


def test_a_requirements_file_that_is_written_slowly_is_waited_for(emptied: Sandbox) -> None:
    path = os.path.join(emptied.project, "slow")
    os.mkfifo(path)

    def write() -> None:
        with open(path, "w", encoding="utf-8") as file:
            file.write("alpha\n")

    writer = threading.Timer(0.5, write)
    writer.start()
    try:
        assert emptied.run("install", "-r", "slow").code == 0
    finally:
        writer.join()
        os.unlink(path)
    assert "alpha" in emptied.packages()
