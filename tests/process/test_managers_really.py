"""The tools themselves make environments, and say where: safepip finds the same by reading files.

scripts/test.py installs them, each into an environment below TOOLS. They make environments out of wheels that
they bring; nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from tree import TOOLS

from safepip.core.world import BIN, EXE
from safepip.system.keeper import keeper
from safepip.system.project_tools.tools import environment

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="not tried there")]

PROJECT = '[project]\nname = "My_Blog.X"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = []\n'
TABLES = {
    "uv": "[tool.uv]\npackage = false\n",
    "poetry": "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\n",
    "pdm": "[tool.pdm]\ndistribution = false\n",
    "hatch": "[tool.hatch.envs.default]\nskip-install = true\n",
}


def never(argv, environ, cwd):
    raise AssertionError(f"asked, though files tell: {argv}")


class Tool:
    """A tool, the project that it keeps, and the world that both live in."""

    def __init__(self, name, home, python):
        self.name, self.home, self.python = name, home, python
        self.program = os.path.join(TOOLS, name, BIN, name + EXE)
        self.root = os.path.join(home, "My Project (1)")
        self.cache = os.path.join(home, "cache")
        folders = (os.path.dirname(self.program), os.path.dirname(python), "/usr/bin", "/bin")
        self.environ = {
            "PATH": os.pathsep.join(folders),
            "HOME": home,
            "LANG": "C.UTF-8",
            "UV_OFFLINE": "1",
            "UV_PYTHON": python,
            "UV_PYTHON_DOWNLOADS": "never",
            "PDM_CHECK_UPDATE": "0",
            "POETRY_KEYRING_ENABLED": "false",
        }
        os.mkdir(self.root)
        if name == "pipenv":
            self.write("Pipfile", "[packages]\n")
        else:
            self.write("pyproject.toml", PROJECT + TABLES[name])

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *words, **environ):
        """Run the tool in the project; return what it printed, the last line alone."""
        ran = subprocess.run(
            [self.program, *words],
            cwd=self.root,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return (ran.stdout.strip().splitlines() or [""])[-1].strip()

    def find(self, ask=never, **environ):
        assert keeper(self.root) == self.name
        variables = {**self.environ, **environ}
        found = environment(self.root, self.name, variables, self.home, self.cache, ask=ask)
        return None if found is None else found.path


@pytest.fixture
def tool(home, base_python):
    def tool(name):
        made = Tool(name, home, base_python)
        if not os.path.exists(made.program):
            pytest.skip(f"there is no {made.program} (scripts/test.py makes it)")
        return made

    return tool


@pytest.fixture
def other_python(base_python):
    """Give a Python of another minor version."""
    minors = [f"python3.{minor}" for minor in range(10, 15) if minor != sys.version_info[1]]
    found = [path for path in map(shutil.which, minors) if path]
    for path in found:
        asked = subprocess.run(
            [path, "-I", "-c", "import sys; print(getattr(sys, '_base_executable', None) or sys.executable)"],
            capture_output=True,
            text=True,
            check=False,
        )
        real = os.path.realpath(asked.stdout.strip())
        if asked.returncode == 0 and os.path.basename(real).startswith("python3"):
            return real
    pytest.skip("there is no other Python on PATH")


# -- uv


def test_uv(tool):
    uv = tool("uv")
    assert uv.find() is None
    uv.run("sync")
    assert uv.find() == os.path.join(uv.root, ".venv")
    assert os.path.dirname(os.path.dirname(uv.run("python", "find", UV_PYTHON=""))) == uv.find()


def test_uv_project_environment(tool):
    uv = tool("uv")
    uv.run("sync", UV_PROJECT_ENVIRONMENT="envs/x")
    assert uv.find(UV_PROJECT_ENVIRONMENT="envs/x") == os.path.join(uv.root, "envs", "x")
    assert uv.find() is None


def test_uvs_central_environments(tool):
    uv = tool("uv")
    uv.run("sync", UV_PREVIEW_FEATURES="centralized-project-envs")
    if not os.path.islink(os.path.join(uv.root, ".venv")):
        pytest.skip("this uv has none")
    assert uv.find() == os.path.join(uv.root, ".venv")


# -- Poetry


def told_by_poetry(poetry, **environ):
    return poetry.run("env", "info", "--path", **environ)


def test_poetry(tool):
    poetry = tool("poetry")
    poetry.run("env", "use", poetry.python)
    assert poetry.find() == told_by_poetry(poetry)
    assert poetry.find().startswith(os.path.join(poetry.home, ".cache", "pypoetry", "virtualenvs", "my-blog-x-"))


@pytest.mark.parametrize(
    "environ",
    [
        {"POETRY_VIRTUALENVS_IN_PROJECT": "true"},
        {"POETRY_VIRTUALENVS_PATH": "{cache-dir}/elsewhere", "POETRY_CACHE_DIR": "~/c"},
        {"XDG_CACHE_HOME": "HOME/x"},
    ],
)
def test_poetry_told_by_variables(tool, environ):
    poetry = tool("poetry")
    environ = {name: value.replace("HOME", poetry.home) for name, value in environ.items()}
    poetry.run("env", "use", poetry.python, **environ)
    assert poetry.find(**environ) == told_by_poetry(poetry, **environ)


@pytest.mark.parametrize("local", [True, False])
def test_poetry_told_by_its_settings(tool, local):
    poetry = tool("poetry")
    if local:
        poetry.write("poetry.toml", '[virtualenvs]\npath = "~/envs"\nin-project = false\n')
    else:
        poetry.run("config", "virtualenvs.path", "~/envs")
        poetry.run("config", "virtualenvs.in-project", "false")
    os.mkdir(os.path.join(poetry.root, ".venv"))
    poetry.run("env", "use", poetry.python)
    assert poetry.find() == told_by_poetry(poetry)
    assert poetry.find().startswith(os.path.join(poetry.home, "envs", ""))


def test_of_two_minors_the_one_in_use(tool, other_python):
    poetry = tool("poetry")
    for python in (other_python, poetry.python):
        poetry.run("env", "use", python)
        assert poetry.find() == told_by_poetry(poetry)


def test_of_two_minors_that_nothing_chose_poetry_is_asked_once(tool, other_python, monkeypatch):
    poetry = tool("poetry")
    for python in (other_python, poetry.python):
        poetry.run("env", "use", python)
    os.remove(os.path.join(poetry.home, ".cache", "pypoetry", "virtualenvs", "envs.toml"))
    assert poetry.find(ask=None) == told_by_poetry(poetry)
    assert poetry.find() == told_by_poetry(poetry)


# -- PDM


def told_by_pdm(pdm, **environ):
    return os.path.dirname(os.path.dirname(pdm.run("info", "--python", **environ)))


def test_pdm(tool):
    pdm = tool("pdm")
    pdm.run("venv", "create", pdm.python)
    assert pdm.find() == told_by_pdm(pdm)
    assert os.path.exists(os.path.join(pdm.root, ".pdm-python"))
    assert pdm.find() == told_by_pdm(pdm) == os.path.join(pdm.root, ".venv")


def test_pdms_central_environments(tool, other_python):
    pdm = tool("pdm")
    for python in (other_python, pdm.python):
        pdm.run("venv", "create", python, PDM_VENV_IN_PROJECT="0")
    before = pdm.find()
    assert before.startswith(os.path.join(pdm.home, ".local", "share", "pdm", "venvs", ""))
    assert told_by_pdm(pdm) == before
    saved = pdm.run("use", "--venv", os.path.basename(before).rpartition("-")[2])
    assert pdm.find() == before, saved


def test_pdm_told_by_its_settings(tool):
    pdm = tool("pdm")
    pdm.run("config", "venv.location", "~/envs")
    pdm.run("venv", "create", pdm.python, PDM_VENV_IN_PROJECT="0")
    assert pdm.find() == told_by_pdm(pdm)
    assert pdm.find().startswith(os.path.join(pdm.home, "envs", ""))


# -- Pipenv


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WORKON_HOME": "HOME/w", "PIPENV_CUSTOM_VENV_NAME": "mine"},
        {"PIPENV_VENV_IN_PROJECT": "1"},
        {"PIPENV_PIPFILE": "HOME/My Project (1)/Pipfile", "XDG_DATA_HOME": "HOME/d"},
    ],
)
def test_pipenv(tool, environ):
    pipenv = tool("pipenv")
    environ = {name: value.replace("HOME", pipenv.home) for name, value in environ.items()}
    assert pipenv.find(**environ) is None
    pipenv.run("--python", pipenv.python, **environ)
    assert pipenv.find(**environ) == pipenv.run("--venv", **environ)


def test_pipenv_python_names_the_environment(tool):
    pipenv = tool("pipenv")
    pipenv.run("--python", pipenv.python, PIPENV_PYTHON=pipenv.python)
    assert pipenv.find(PIPENV_PYTHON=pipenv.python) == pipenv.run("--venv", PIPENV_PYTHON=pipenv.python)


def test_a_tool_that_breaks_on_the_question_does_no_harm(tool):
    """Pipenv 2026.10.3 ends with a traceback for any variable in WORKON_HOME."""
    pipenv = tool("pipenv")
    assert pipenv.find(ask=None, WORKON_HOME="$HOME/w") is None


# -- Hatch


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        (None, {}),
        (f"{PROJECT}{TABLES['hatch']}path = 'envs/x'\n", {}),
        (None, {"HATCH_DATA_DIR": "HOME/My Project (1)/.hatch"}),
        (None, {"HATCH_ENV_TYPE_VIRTUAL_PATH": "envs/y"}),
        (None, {"XDG_DATA_HOME": "HOME/x"}),
    ],
)
def test_hatch(tool, text, environ):
    hatch = tool("hatch")
    environ = {name: value.replace("HOME", hatch.home) for name, value in environ.items()}
    if text:
        hatch.write("pyproject.toml", text)
    assert hatch.find(**environ) is None
    hatch.run("env", "create", **environ)
    assert hatch.find(**environ) == hatch.run("env", "find", **environ)


@pytest.mark.parametrize("place", ["~/.virtualenvs", ".hatch"])
def test_hatch_told_by_its_settings(tool, place):
    hatch = tool("hatch")
    hatch.run("config", "set", "dirs.env.virtual", place)
    hatch.run("env", "create")
    assert hatch.find() == hatch.run("env", "find")


def test_hatch_is_asked_once_about_a_matrix(tool):
    hatch = tool("hatch")
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    matrix = f"[[tool.hatch.envs.default.matrix]]\npython = ['{minor}']\n"
    hatch.write("pyproject.toml", PROJECT + TABLES["hatch"] + matrix)
    hatch.run("env", "create")
    assert hatch.find(ask=None) == hatch.run("env", "find")
    assert hatch.find() == hatch.run("env", "find")


# -- Poetry understands what the hint says; the others read PEP 508


def test_poetry_reads_requirements_as_pip_does(tool):
    poetry = tool("poetry")
    requirements = ("x", "x>=2", "x<3,>=2", "x~=2.0", "x[a,b]>=2", "x; python_version < '3.9'")
    code = (
        "import sys; from pathlib import Path\n"
        "from poetry.utils.dependency_specification import RequirementsParser\n"
        "parser = RequirementsParser(artifact_cache=None, env=None, cwd=Path('/'))\n"
        "print(*(parser.parse(one)['name'] for one in sys.argv[1:]))"
    )
    python = os.path.join(os.path.dirname(poetry.program), "python" + EXE)
    ran = subprocess.run([python, "-I", "-c", code, *requirements], capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["x"] * len(requirements), ran.stderr
