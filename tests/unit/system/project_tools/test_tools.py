from __future__ import annotations

import base64
import hashlib
import os
import stat
import subprocess
import sys

import platformdirs.macos
import platformdirs.unix
import pytest

import safepip
from safepip.system.keeper import keeper
from safepip.system.project_tools import tools
from safepip.system.project_tools.project import Project
from safepip.system.project_tools.tools import hint, hinted, note_hinted

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="paths of Unix")
pytestmark = POSIX


def environment(*args, **options):
    """Return the path of the environment that is found, or None."""
    found = tools.environment(*args, **options)
    return None if found is None else found.path


@pytest.fixture
def write(work):
    """Write a file, relative to the project."""

    def write(path, text=""):
        full = os.path.join(work, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
        return full

    return write


@pytest.fixture
def made(write):
    """Make what passes for an environment, with a Python in it; return its path."""

    def made(path, config="pyvenv.cfg"):
        python = write(os.path.join(path, "bin", "python"))
        os.chmod(python, 0o755)
        return os.path.dirname(write(os.path.join(path, config)))

    return made


@pytest.fixture
def found(work, home):
    """Return what is found for the project without asking anyone."""

    def refuse(argv, environ, cwd):
        raise AssertionError(f"asked: {argv}")

    def found(tool, *, home=home, platform="linux", **environ):
        return environment(work, tool, environ, home, None, ask=refuse, platform=platform)

    return found


@pytest.fixture
def tool(home):
    """Put a program of that name on a PATH, and return that PATH; it is never run."""

    def tool(name):
        folder = os.path.join(home, "programs")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexit 99\n")
        os.chmod(path, 0o755)
        return folder

    return tool


class Asked:
    """Answers in a tool's place and keeps what it was asked."""

    def __init__(self, answer="", code=0):
        self.answer, self.code, self.calls = answer, code, []

    def __call__(self, argv, environ, cwd):
        self.calls.append((argv, environ, cwd))
        return self.code, os.fsencode(self.answer)


def short(kind, text):
    return base64.urlsafe_b64encode(hashlib.new(kind, text.encode()).digest()).decode()[:8]


# -- who keeps the project


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("uv.lock", "uv"),
        ("poetry.lock", "poetry"),
        ("poetry.toml", "poetry"),
        ("pdm.lock", "pdm"),
        (".pdm-python", "pdm"),
        ("Pipfile", "pipenv"),
        ("hatch.toml", "hatch"),
        ("pixi.toml", "pixi"),
        ("pixi.lock", "pixi"),
    ],
)
def test_a_file_of_its_own_tells_the_tool(work, write, name, tool):
    write(name)
    assert keeper(work) == tool


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("[tool.uv]\n", "uv"),
        ("[tool.uv]\ndev-dependencies = []\n", "uv"),
        ("[tool.uv.sources]\n", "uv"),
        ("[[tool.uv.index]]\nurl = 'x'\n", "uv"),
        ("[tool]\nuv.package = false\n", "uv"),
        ("tool.uv.package = false\n", "uv"),
        ("tool = { uv = { package = false } }\n", "uv"),
        ("  [ tool . 'uv' ]\r\npackage = false\r\n", "uv"),
        ("[tool.poetry.dependencies]\n", "poetry"),
        ("[tool.poetry.group.dev.dependencies]\n", "poetry"),
        ("[tool.poetry]\npackage-mode = false\n", "poetry"),
        ("[tool.poetry]\nname = 'x'\npackages = []\n", "poetry"),
        ("[tool.pdm]\n", "pdm"),
        ("[tool.pdm.dev-dependencies]\n", "pdm"),
        ("[tool.hatch.envs.default]\n", "hatch"),
        ("[tool.hatch]\nenvs.default.path = 'x'\n", "hatch"),
        ("[tool.pixi.workspace]\n", "pixi"),
        ("[tool.pixi.project]\n", "pixi"),
    ],
)
def test_a_table_of_its_own_tells_the_tool(work, write, text, tool):
    write("pyproject.toml", text)
    assert keeper(work) == tool


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[project]\nname = 'uv'\ndependencies = ['poetry', 'uvicorn', 'pdm', 'hatch', 'pixi']\n",
        "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n",
        "[build-system]\nrequires = ['poetry-core']\nbuild-backend = 'poetry.core.masonry.api'\n",
        "[tool.hatch.version]\npath = 'x'\n[tool.hatch.build.targets.wheel]\n",
        "[tool.hatch]\nversion.path = 'x'\n",
        "[project]\nname = 'x'\n[tool.poetry]\nname = 'x'\npackages = []\n",
        "[tool.poetry]\npackages = []\n",
        "[tool.pdm.build]\nincludes = []\n[tool.pdm.version]\nsource = 'scm'\n",
        "[tool.uv.build-backend]\nmodule-name = 'x'\n",
        "[tool.uv.pip]\nindex-url = 'x'\n",
        "[tool.uvicorn]\nx = 1\n",
        "[tool]\nuv = 1\n",
        "tool = 1\n",
        "[tool.uv\nbroken",
        "# [tool.uv]\n",
    ],
)
def test_build_backends_and_what_is_no_table_tell_nothing(work, write, text):
    write("pyproject.toml", text)
    assert keeper(work) is None


def test_without_any_file_nobody_keeps_it(work):
    assert keeper(work) is None


@pytest.mark.parametrize(
    ("names", "text", "tool"),
    [
        (("uv.lock", "Pipfile"), "", "uv"),
        (("poetry.lock",), "[tool.uv.pip]\n", "poetry"),
        (("poetry.lock",), "[tool.uv]\n", "poetry"),
        (("uv.lock",), "[tool.hatch.envs.docs]\n", "uv"),
        (("hatch.toml",), "[tool.uv.sources]\n", "uv"),
        ((), "[tool.uv]\n[tool.poetry.dependencies]\n", "poetry"),
        ((), "[tool.hatch.envs.docs]\n[tool.uv]\n", "uv"),
    ],
)
def test_of_several_a_lock_is_believed_first(work, write, names, text, tool):
    for name in names:
        write(name)
    write("pyproject.toml", text)
    assert keeper(work) == tool


def test_a_directory_of_such_a_name_is_no_sign(work):
    os.mkdir(os.path.join(work, "Pipfile"))
    assert keeper(work) is None


def test_nobody_is_waited_for(work):
    os.mkfifo(os.path.join(work, "pyproject.toml"))
    os.mkfifo(os.path.join(work, "uv.lock"))
    assert keeper(work) is None


@pytest.mark.parametrize("text", ["[tool.uv]\n#" + "x" * (1 << 20), "[tool.uv]\n" + "a." * 2000 + "b = 1"])
def test_what_would_take_long_to_read_is_not_read(work, write, text):
    write("pyproject.toml", text)
    assert keeper(work) is None


def test_bytes_that_are_no_text_tell_nothing(work, write):
    with open(write("pyproject.toml"), "wb") as file:
        file.write(b"[tool.uv]\nx = '\xff'\n")
    assert keeper(work) is None


@pytest.mark.parametrize("name", ["uv.lock", None])
def test_the_parser_is_loaded_only_for_a_table(work, write, name):
    """Most projects that hatchling builds have its tables, and all pay for what is loaded here."""
    write("pyproject.toml", "[project]\ndependencies = ['uv']\n[tool.hatch.build]\n[tool.ruff]\n")
    if name:
        write(name)
    code = (
        "import sys; from safepip.system import keeper; keeper.keeper(sys.argv[1])\n"
        "print(sorted({'tomllib', 'tomli', 're', 'hashlib', 'subprocess', 'json'} & set(sys.modules)))"
    )
    root = os.path.dirname(os.path.dirname(os.path.abspath(safepip.__file__)))
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code, work], cwd=root, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"


# -- what all have in common


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm", "pipenv", "hatch", "pixi"])
def test_where_there_is_none_nothing_is_found_and_nobody_asked(found, tool):
    assert found(tool) is None
    assert found(tool, home=None) is None


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm", "pipenv"])
def test_the_usual_place_serves(found, made, tool):
    assert found(tool) is None
    path = made(".venv")
    assert found(tool) == path


@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm", "pipenv", "pixi"])
def test_a_directory_that_is_no_environment_is_not_returned(found, write, tool):
    write(".venv/bin/python")
    write(".pixi/envs/default/bin/python")
    assert found(tool) is None


@pytest.mark.parametrize("kind", ["cache", "config", "data"])
@pytest.mark.parametrize("variable", [None, "absolute", "relative"])
def test_folders_are_those_of_platformdirs(monkeypatch, home, kind, variable):
    environ = {"HOME": home}
    if variable:
        name = f"XDG_{kind.upper()}_HOME"
        environ[name] = "/some/where" if variable == "absolute" else "some/where"
        monkeypatch.setenv(name, environ[name])
    for platform, of in (("linux", platformdirs.unix.Unix), ("darwin", platformdirs.macos.MacOS)):
        project = Project(root="/", environ=environ, home=home, platform=platform)
        if platform == "darwin" and variable:
            continue  # older platformdirs leave variables alone there
        assert project.folder(kind, "tool") == getattr(of("tool", appauthor=False), f"user_{kind}_dir")


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("cache", "pypoetry", "LOCAL/pypoetry\\Cache"),
        ("config", "pypoetry", "ROAMING/pypoetry"),
        ("data", "pdm", "LOCAL/pdm\\pdm"),
        ("data", "hatch", "LOCAL/hatch"),
    ],
)
def test_folders_on_windows(kind, name, path):
    environ = {"LOCALAPPDATA": "LOCAL", "APPDATA": "ROAMING"}
    project = Project(root="/", environ=environ, home="/h", platform="win32")
    assert project.folder(kind, name) == path


# -- uv


def test_uv_project_environment_is_relative_to_the_root(found, made):
    path = made("envs/x")
    made(".venv")
    assert found("uv", UV_PROJECT_ENVIRONMENT="envs/x") == path
    assert found("uv", UV_PROJECT_ENVIRONMENT=path) == path


def test_uv_project_environment_that_does_not_exist_leaves_none(found, made):
    made(".venv")
    assert found("uv", UV_PROJECT_ENVIRONMENT="other") is None


def test_a_central_environment_of_uvs_is_linked_or_named(found, home, made, work, write):
    path = made(os.path.join(home, "cache", "uv", "environments-v2", "x"))
    link = os.path.join(work, ".venv")
    os.symlink(path, link)
    assert found("uv") == link
    os.remove(link)
    write(".venv", f"{path}\n")
    assert found("uv") == path


# -- Poetry


@pytest.fixture
def poetry(work, home, made, write):
    """Return how the project's environments are called, and make them for some minors."""
    write("pyproject.toml", "[project]\nname = 'My_Blog..X'\n")
    name = f"my-blog-x-{short('sha256', work)}"

    def poetry(*minors, place=None):
        place = place or os.path.join(home, ".cache", "pypoetry", "virtualenvs")
        return [made(os.path.join(place, f"{name}-py{minor}")) for minor in minors]

    poetry.name = name
    return poetry


def test_poetrys_own_naming(found, poetry):
    [path] = poetry("3.12")
    assert found("poetry") == path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[tool.poetry]\nname = 'Old.Style'\n", "old-style"),
        ("[project]\nname = 'new'\n[tool.poetry]\nname = 'old'\n", "new"),
        ("[tool.poetry]\npackage-mode = false\n", "non-package-mode"),
        (f"[project]\nname = '{'x' * 60}'\n", "x" * 42),
        ("[project]\nname = 'a b$c'\n", "a_b_c"),
        ("broken", "non-package-mode"),
    ],
)
def test_the_name_that_poetry_gives(found, work, home, made, write, text, name):
    write("pyproject.toml", text)
    path = made(os.path.join(home, ".cache/pypoetry/virtualenvs", f"{name}-{short('sha256', work)}-py3.9"))
    assert found("poetry") == path


def test_a_linked_project_has_the_name_of_the_real_one(home, work, poetry):
    [path] = poetry("3.12")
    link = os.path.join(home, "link")
    os.symlink(work, link)
    assert environment(link, "poetry", {}, home, None, platform="linux") == path


def test_envs_toml_names_the_minor_in_use(found, poetry, home, write):
    older, _ = poetry("3.9", "3.12")
    write(f"{home}/.cache/pypoetry/virtualenvs/envs.toml", f'[{poetry.name}]\nminor = "3.9"\npatch = "3.9.1"\n')
    assert found("poetry") == older


def test_envs_toml_that_names_one_that_is_gone_is_passed_over(found, poetry, home, write):
    [path] = poetry("3.12")
    write(f"{home}/.cache/pypoetry/virtualenvs/envs.toml", f'[{poetry.name}]\nminor = "3.9"\n')
    assert found("poetry") == path


def test_of_several_minors_poetry_is_asked(work, home, poetry, tool):
    older, _ = poetry("3.9", "3.12")
    asked = Asked(f"{older}\n")
    assert environment(work, "poetry", {"PATH": tool("poetry")}, home, None, ask=asked) == older
    program = os.path.join(home, "programs", "poetry")
    assert [call[0] for call in asked.calls] == [[program, "--no-plugins", "--no-ansi", "env", "info", "--path"]]


@pytest.mark.parametrize("asked", [Asked(code=1), Asked("nonsense"), Asked("/gone\n")])
def test_of_several_minors_the_newest_serves_where_poetry_does_not_say(work, home, poetry, tool, asked):
    _, _, newest = poetry("3.9", "2.7", "3.12")
    assert environment(work, "poetry", {"PATH": tool("poetry")}, home, None, ask=asked) == newest
    assert environment(work, "poetry", {"PATH": "/nowhere"}, home, None, ask=asked) == newest
    assert len(asked.calls) == 1


def test_poetry_is_not_asked_over_environments_that_the_project_brought(found, poetry, work, write):
    """It would run their Pythons."""
    write("poetry.toml", "[virtualenvs]\npath = 'envs'\n")
    _, newest = poetry("3.9", "3.12", place=os.path.join(work, "envs"))
    assert found("poetry", PATH="/bin") == newest


@pytest.mark.parametrize(
    ("text", "environ", "own"),
    [
        ("", {}, True),
        ("[virtualenvs]\nin-project = true\n", {}, True),
        ("[virtualenvs]\nin-project = false\n", {}, False),
        ("[virtualenvs]\nin-project = true\n", {"POETRY_VIRTUALENVS_IN_PROJECT": "false"}, False),
        ("[virtualenvs]\nin-project = false\n", {"POETRY_VIRTUALENVS_IN_PROJECT": "True"}, True),
        ("[virtualenvs]\nin-project = false\n", {"POETRY_VIRTUALENVS_IN_PROJECT": "1"}, True),
        ("[virtualenvs\nbroken", {}, True),
    ],
)
@pytest.mark.parametrize("file", ["poetry.toml", "config.toml"])
def test_whether_poetry_looks_into_the_project(found, home, poetry, made, write, file, text, environ, own):
    [central], inside = poetry("3.12"), made(".venv")
    write(file if file == "poetry.toml" else f"{home}/.config/pypoetry/config.toml", text)
    assert found("poetry", **environ) == (inside if own else central)


def test_the_projects_settings_come_before_the_users(found, home, poetry, made, write):
    poetry("3.12")
    path = made(".venv")
    write("poetry.toml", "virtualenvs.in-project = true\n")
    write(f"{home}/.config/pypoetry/config.toml", "[virtualenvs]\nin-project = false\n")
    assert found("poetry") == path


def test_poetry_wants_one_in_the_project_and_there_is_none(found, poetry):
    poetry("3.12")
    assert found("poetry", POETRY_VIRTUALENVS_IN_PROJECT="true") is None


@pytest.mark.parametrize("how", ["variable", "false in a file"])
def test_poetry_that_makes_no_environments_has_none(found, poetry, write, how):
    poetry("3.12")
    if how == "variable":
        assert found("poetry", POETRY_VIRTUALENVS_CREATE="false") is None
    else:
        write("poetry.toml", "[virtualenvs]\ncreate = false\n")
        assert found("poetry") is None


@pytest.mark.parametrize(
    ("text", "environ", "place"),
    [
        ("[virtualenvs]\npath = '~/envs'\n", {}, "envs"),
        ("", {"POETRY_VIRTUALENVS_PATH": "~/envs"}, "envs"),
        ("[virtualenvs]\npath = '{cache-dir}/v'\n", {}, ".cache/pypoetry/v"),
        ("cache-dir = '~/c'\n", {}, "c/virtualenvs"),
        ("cache-dir = '~/c'\n[virtualenvs]\npath = '{cache-dir}/v'\n", {}, "c/v"),
        ("cache-dir = '~/c'\n", {"POETRY_CACHE_DIR": "~/d"}, "d/virtualenvs"),
        ("", {"XDG_CACHE_HOME": "HOME/x"}, "x/pypoetry/virtualenvs"),
        ("[virtualenvs]\npath = 1\n", {}, None),
    ],
)
def test_the_folder_of_poetrys_environments(found, home, poetry, write, text, environ, place):
    write("poetry.toml", text)
    [path] = poetry("3.12", place=os.path.join(home, place or "envs"))
    environ = {name: value.replace("HOME", home) for name, value in environ.items()}
    assert found("poetry", **environ) == (path if place else None)


def test_poetrys_settings_may_lie_elsewhere(found, home, poetry, write):
    write(f"{home}/p/config.toml", "[virtualenvs]\npath = '~/envs'\n")
    [path] = poetry("3.12", place=os.path.join(home, "envs"))
    assert found("poetry", POETRY_CONFIG_DIR=os.path.join(home, "p")) == path


def test_without_a_home_a_cache_that_is_named_serves(found, home, poetry):
    [path] = poetry("3.12", place=os.path.join(home, "c", "virtualenvs"))
    assert found("poetry", home=None, POETRY_CACHE_DIR=os.path.join(home, "c")) == path


# -- PDM


@pytest.fixture
def pdm(work, home, made):
    def pdm(*minors, place=None):
        place = place or os.path.join(home, ".local", "share", "pdm", "venvs")
        return [made(os.path.join(place, f"work-{short('md5', work)}-{minor}")) for minor in minors]

    return pdm


def test_the_interpreter_that_pdm_saved_decides(found, home, made, write):
    made(".venv")
    path = made(os.path.join(home, "elsewhere"))
    write(".pdm-python", f"{path}/bin/python\n")
    assert found("pdm") == path


def test_a_saved_interpreter_in_no_environment_leaves_none(found, home, made, write):
    """PDM then keeps packages in __pypackages__."""
    made(".venv")
    write(".pdm-python", write(f"{home}/bin/python"))
    assert found("pdm") is None


@pytest.mark.parametrize("text", ["", "/gone/bin/python\n", "nul\0\n", "\n"])
def test_a_saved_interpreter_that_is_gone_is_passed_over(found, made, write, text):
    write(".pdm-python", text)
    path = made(".venv")
    assert found("pdm") == path


@pytest.mark.parametrize(("ignored", "own"), [("1", True), ("true", True), ("0", False), ("no", False)])
def test_pdm_may_be_told_to_ignore_what_was_saved(found, home, made, write, ignored, own):
    inside, path = made(".venv"), made(os.path.join(home, "elsewhere"))
    write(".pdm-python", f"{path}/bin/python")
    assert found("pdm", PDM_IGNORE_SAVED_PYTHON=ignored) == (inside if own else path)


def test_pdm_python_comes_before_what_was_saved(found, home, made, write):
    one, other = made(os.path.join(home, "one")), made(os.path.join(home, "other"))
    write(".pdm-python", f"{one}/bin/python")
    assert found("pdm", PDM_PYTHON=f"{other}/bin/python") == other


@pytest.mark.parametrize("name", ["venv", "env"])
def test_pdm_knows_other_names_in_the_project(found, made, name):
    path = made(name)
    assert found("pdm") == path


def test_pdms_own_naming(found, pdm):
    [path] = pdm("3.12")
    assert found("pdm") == path


def test_of_several_pdm_takes_the_first_that_the_folder_lists(found, home, pdm):
    pdm("3.11", "3.12", "3.13t")
    listed = os.listdir(os.path.join(home, ".local/share/pdm/venvs"))
    assert found("pdm") == os.path.join(home, ".local/share/pdm/venvs", listed[0])


def test_the_folder_of_pdms_environments_is_the_users_to_choose(found, home, pdm, write):
    write("pdm.toml", "[venv]\nlocation = '~/never'\n")
    pdm("3.12", place=os.path.join(home, "never"))
    assert found("pdm") is None
    write(f"{home}/.config/pdm/config.toml", "[venv]\nlocation = '~/envs'\n")
    [path] = pdm("3.12", place=os.path.join(home, "envs"))
    assert found("pdm") == path


def test_pdms_settings_may_lie_elsewhere(found, home, pdm, write):
    file = write(f"{home}/p.toml", "[venv]\nlocation = '~/envs'\n")
    [path] = pdm("3.12", place=os.path.join(home, "envs"))
    assert found("pdm", PDM_CONFIG_FILE=file) == path


@pytest.mark.parametrize("how", ["PDM_USE_VENV", "pdm.toml", "config.toml"])
def test_pdm_without_environments_has_none(found, home, made, write, how):
    made(".venv")
    if how == "PDM_USE_VENV":
        assert found("pdm", PDM_USE_VENV="false") is None
    else:
        write(how if how == "pdm.toml" else f"{home}/.config/pdm/config.toml", "[python]\nuse_venv = false\n")
        assert found("pdm") is None


# -- Pipenv


@pytest.fixture
def pipenv(work, home, made, write):
    write("Pipfile", "[packages]\n")

    def pipenv(name=None, place=None, project=work):
        place = place or os.path.join(home, ".local", "share", "virtualenvs")
        path = made(os.path.join(place, name or f"work-{short('sha256', f'{work}/Pipfile')}"))
        if project is not None:
            write(os.path.join(path, ".project"), project)
        return path

    return pipenv


def test_pipenvs_own_naming(found, pipenv):
    path = pipenv()
    assert found("pipenv") == path


@pytest.mark.parametrize("project", [None, "", "/somewhere/else"])
def test_an_environment_that_does_not_lead_back_is_not_the_projects(found, pipenv, project):
    pipenv(project=project)
    assert found("pipenv") is None


def test_strange_characters_in_the_name_of_the_folder(home, made, write):
    root = os.path.join(home, "a b&(c)[d]" + "x" * 50)
    os.mkdir(root)
    name = "a_b__c__d_" + "x" * 32
    path = made(os.path.join(home, ".local/share/virtualenvs", f"{name}-{short('sha256', f'{root}/Pipfile')}"))
    write(os.path.join(path, ".project"), root)
    assert environment(root, "pipenv", {}, home, None, platform="linux") == path


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"WORKON_HOME": "HOME/w"}, "w"),
        ({"WORKON_HOME": "~/w"}, "w"),
        ({"XDG_DATA_HOME": "HOME/d"}, "d/virtualenvs"),
        ({"XDG_DATA_HOME": "HOME/d", "WORKON_HOME": "HOME/w"}, "w"),
    ],
)
def test_the_folder_of_pipenvs_environments(found, home, pipenv, environ, place):
    path = pipenv(place=os.path.join(home, place))
    assert found("pipenv", **{name: value.replace("HOME", home) for name, value in environ.items()}) == path


@pytest.mark.parametrize(
    ("environ", "suffix"),
    [({"PIPENV_PYTHON": "3.11"}, "-3.11"), ({"PIPENV_PYTHON": "/usr/bin/python3.11"}, "-python3.11")],
)
def test_pipenv_python_is_part_of_the_name(found, work, pipenv, environ, suffix):
    pipenv()
    path = pipenv(f"work-{short('sha256', f'{work}/Pipfile')}{suffix}")
    assert found("pipenv", **environ) == path


def test_a_name_of_the_users_own(found, pipenv):
    path = pipenv("mine")
    assert found("pipenv", PIPENV_CUSTOM_VENV_NAME="mine") == path
    assert found("pipenv") is None


def test_another_pipfile_makes_another_name(found, work, pipenv):
    path = pipenv(f"work-{short('sha256', f'{work}/Other')}")
    assert found("pipenv", PIPENV_PIPFILE="Other") == path
    assert found("pipenv", PIPENV_PIPFILE=f"{work}/Other") == path


@pytest.mark.parametrize(
    ("text", "environ", "wanted"),
    [
        ("", {}, "central"),
        ("", {"PIPENV_VENV_IN_PROJECT": "1"}, "own"),
        ("", {"PIPENV_VENV_IN_PROJECT": "what"}, "central"),
        ("", {"PIPENV_NO_VENV_IN_PROJECT": "false"}, "own"),
        ("[pipenv]\nvenv_in_project = true\n", {}, "own"),
        ("[pipenv]\nvenv_in_project = false\n", {}, "central"),
        ("[pipenv]\nvenv_in_project = true\n", {"PIPENV_VENV_IN_PROJECT": "0"}, "central"),
    ],
)
def test_which_of_two_pipenv_uses(found, made, pipenv, write, text, environ, wanted):
    central, own = pipenv(), made(".venv")
    write("Pipfile", text)
    assert found("pipenv", **environ) == {"central": central, "own": own}[wanted]


@pytest.mark.parametrize(
    ("text", "environ", "uses"),
    [
        ("", {}, True),
        ("", {"PIPENV_VENV_IN_PROJECT": "0"}, False),
        ("", {"PIPENV_NO_VENV_IN_PROJECT": "1"}, False),
        ("[pipenv]\nvenv_in_project = false\n", {}, False),
    ],
)
def test_whether_pipenv_looks_into_the_project(found, made, write, text, environ, uses):
    path = made(".venv")
    write("Pipfile", text)
    assert found("pipenv", **environ) == (path if uses else None)


def test_a_file_called_dot_venv_names_the_environment(found, home, work, made, pipenv, write):
    named, usual = pipenv("mine"), pipenv()
    write(".venv", "mine\n")
    assert found("pipenv") == named
    assert found("pipenv", PIPENV_VENV_IN_PROJECT="1") == named
    write(".venv", "other/place\n")
    assert found("pipenv") is None
    path = made("other/place")
    assert found("pipenv") == path
    write(".venv", "")
    assert found("pipenv") == usual


@pytest.mark.parametrize(
    ("keeper", "files", "by"),
    [
        ("uv", {".venv": "../other"}, ".venv"),
        ("pipenv", {".venv": "../other"}, ".venv"),
        ("pdm", {".pdm-python": "{other}/bin/python"}, ".pdm-python"),
        ("hatch", {"pyproject.toml": '[tool.hatch.envs.default]\npath = "../other"\n'}, "pyproject.toml"),
        ("hatch", {"hatch.toml": '[envs.default]\npath = "../other"\n'}, "hatch.toml"),
    ],
)
def test_a_file_of_the_project_that_names_the_environment_is_told(made, home, work, write, keeper, files, by):
    other = made("../other")
    for name, text in files.items():
        write(name, text.format(other=os.path.normpath(other)))
    found = tools.environment(work, keeper, {}, home, None, platform="linux")
    assert (found.path, found.file) == (os.path.join(home, "other"), os.path.join(work, by))


def test_an_environment_that_no_file_of_the_project_names_has_none(made, home, work):
    made(".venv")
    assert tools.environment(work, "uv", {}, home, None).file == ""
    variables = {"PDM_PYTHON": f"{made('../other')}/bin/python"}
    assert tools.environment(work, "pdm", variables, home, None).file == ""


def test_where_the_folder_holds_a_variable_pipenv_is_asked(work, home, pipenv, tool):
    path = pipenv(place=os.path.join(home, "w"))
    asked = Asked(f"{path}\n")
    environ = {"PATH": tool("pipenv"), "WORKON_HOME": "$HOME/w"}
    assert environment(work, "pipenv", environ, home, None, ask=asked, platform="linux") == path
    assert asked.calls[0][0][1:] == ["--venv"]


def test_on_windows_pipenv_has_another_folder_and_is_asked_at_last(work, home, pipenv, tool):
    path = pipenv(place=os.path.join(home, ".virtualenvs"))
    asked = Asked()
    environ = {"PATH": tool("pipenv")}
    assert environment(work, "pipenv", environ, home, None, ask=asked, platform="win32") == path
    assert asked.calls == []
    os.remove(os.path.join(path, ".project"))
    assert environment(work, "pipenv", environ, home, None, ask=asked, platform="win32") is None
    assert len(asked.calls) == 1


# -- Hatch


@pytest.fixture
def hatch(work, home, made, write):
    def hatch(*parts, text="[project]\nname = 'My_Hatch.X'\n[tool.hatch.envs.default]\n", place=None):
        write("pyproject.toml", text)
        place = place or os.path.join(home, ".local/share/hatch/env/virtual")
        return made(os.path.join(place, *(parts or ("my-hatch-x", short("sha256", work), "my-hatch-x"))))

    return hatch


def test_hatchs_own_naming(found, hatch):
    path = hatch()
    assert found("hatch") == path


def test_without_a_name_hatch_takes_the_folders(found, work, hatch):
    path = hatch("work", short("sha256", work), "work", text="[tool.hatch.envs.default]\n")
    assert found("hatch") == path


def test_hatch_env_names_another_environment(found, work, hatch):
    path = hatch("my-hatch-x", short("sha256", work), "docs")
    assert found("hatch", HATCH_ENV="docs") == path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[tool.hatch.envs.default]\npath = 'envs/x'\n", "default"),
        ("[tool.hatch.envs.default]\npath = 'envs/x'\n[tool.hatch.envs.docs]\n", "docs"),
        ("[tool.hatch.envs.a]\npath = 'envs/x'\n[tool.hatch.envs.docs]\ntemplate = 'a'\n", "docs"),
    ],
)
def test_a_path_of_the_environments_own(found, made, hatch, text, name):
    hatch(text=text)
    path = made("envs/x")
    assert found("hatch", HATCH_ENV=name) == path


def test_a_path_of_its_own_that_does_not_exist_leaves_none(found, hatch):
    hatch(text="[project]\nname = 'my-hatch-x'\n[tool.hatch.envs.default]\npath = 'envs/x'\n")
    assert found("hatch") is None


def test_a_detached_environment_has_nothing_of_the_default_one(found, made, work, hatch):
    text = "[tool.hatch.envs.default]\npath = 'envs/x'\n[tool.hatch.envs.docs]\ndetached = true\n"
    path = hatch("work", short("sha256", work), "docs", text=text)
    made("envs/x")
    assert found("hatch", HATCH_ENV="docs") == path


def test_templates_that_name_each_other_end(found, hatch):
    hatch(text="[tool.hatch.envs.a]\ntemplate = 'b'\n[tool.hatch.envs.b]\ntemplate = 'a'\n")
    assert found("hatch", HATCH_ENV="a") is None


def test_hatch_toml_comes_before_pyproject(found, made, hatch, write):
    hatch(text="[tool.hatch.envs.default]\npath = 'x'\n")
    write("hatch.toml", "[envs.default]\npath = 'y'\n")
    made("x")
    path = made("y")
    assert found("hatch") == path


def test_a_path_by_variable(found, made, hatch):
    hatch()
    path = made("envs/x")
    assert found("hatch", HATCH_ENV_TYPE_VIRTUAL_PATH="envs/x") == path
    assert found("hatch", HATCH_ENV_TYPE_VIRTUAL_PATH=path) == path


@pytest.mark.parametrize(
    ("text", "environ", "place"),
    [
        ("", {"HATCH_DATA_DIR": "~/d"}, "d/env/virtual"),
        ("", {"XDG_DATA_HOME": "HOME/d"}, "d/hatch/env/virtual"),
        ("[dirs]\ndata = '~/d'\n", {}, "d/env/virtual"),
        ("[dirs]\ndata = '~/d'\n", {"HATCH_DATA_DIR": "HOME/e"}, "e/env/virtual"),
        ("[dirs.env]\nvirtual = '~/v'\n", {"HATCH_DATA_DIR": "HOME/e"}, "v"),
    ],
)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_folder_of_hatchs_environments(found, home, hatch, write, text, environ, place, elsewhere):
    file = write(f"{home}/h.toml" if elsewhere else f"{home}/.config/hatch/config.toml", text)
    path = hatch(place=os.path.join(home, place))
    environ = {name: value.replace("HOME", home) for name, value in environ.items()}
    assert found("hatch", **environ, **({"HATCH_CONFIG": file} if elsewhere else {})) == path


@pytest.mark.parametrize("place", [".hatch", "WORK/.hatch", "~/.virtualenvs"])
def test_in_the_project_and_in_virtualenvs_names_are_flat(found, home, work, hatch, write, place):
    write(f"{home}/.config/hatch/config.toml", f"[dirs.env]\nvirtual = '{place.replace('WORK', work)}'\n")
    real = os.path.join(home, ".virtualenvs") if place[0] == "~" else os.path.join(work, ".hatch")
    path = hatch("my-hatch-x", place=real)
    assert found("hatch") == path


def test_environments_of_another_type_lie_in_its_folder(found, home, hatch):
    text = "[project]\nname = 'my-hatch-x'\n[tool.hatch.envs.default]\ntype = 'pip-compile'\n"
    path = hatch(text=text, place=os.path.join(home, ".local/share/hatch/env/pip-compile"))
    assert found("hatch") == path


def test_hatchs_type_system_has_none(found, home, hatch):
    text = "[project]\nname = 'my-hatch-x'\n[tool.hatch.envs.default]\ntype = 'system'\n"
    hatch(text=text, place=os.path.join(home, ".local/share/hatch/env/system"))
    assert found("hatch") is None


@pytest.mark.parametrize("option", ["matrix = [{ python = ['3.12'] }]", "overrides.platform.linux.path = 'x'"])
def test_a_matrix_and_overrides_are_hatchs_to_work_out(work, home, hatch, tool, option):
    text = f"[project]\nname = 'x'\n[tool.hatch.envs.default]\n{option}\n"
    path = hatch("x", short("sha256", work), "py3.12", text=text)
    asked = Asked(f"/gone\n{path}\n")
    assert environment(work, "hatch", {"PATH": tool("hatch")}, home, None, ask=asked) == path
    assert asked.calls[0][0][1:] == ["env", "find", "default"]


@pytest.mark.parametrize("named", ["requires = ['hatch-plugin']", "collectors.custom.path = 'x.py'"])
def test_hatch_is_not_asked_where_that_would_run_code_that_the_project_names(work, home, hatch, tool, named):
    text = f"[project]\nname = 'x'\n[tool.hatch.env]\n{named}\n[tool.hatch.envs.default]\nmatrix = []\n"
    path = hatch("x", short("sha256", work), "x", text=text)
    asked = Asked()
    assert environment(work, "hatch", {"PATH": tool("hatch")}, home, None, ask=asked) == path
    assert asked.calls == []


def test_a_folder_with_a_variable_is_hatchs_to_work_out(work, home, hatch, tool, write):
    write(f"{home}/.config/hatch/config.toml", "[dirs.env]\nvirtual = '$WHERE'\n")
    path = hatch(place=os.path.join(home, "x"))
    asked = Asked(path)
    assert environment(work, "hatch", {"PATH": tool("hatch")}, home, None, ask=asked, platform="linux") == path


def test_hatch_folds_case_on_a_mac(home, made, write):
    root = os.path.join(home, "Work")
    os.mkdir(root)
    place = os.path.join(home, "Library/Application Support/hatch/env/virtual")
    path = made(os.path.join(place, "work", short("sha256", root.casefold()), "work"))
    assert environment(root, "hatch", {}, home, None, platform="darwin") == path


@pytest.mark.parametrize(
    "text", ["tool.hatch = 1", "[tool.hatch]\nenvs = 1", "[tool.hatch.envs]\ndefault = 1", "broken"]
)
def test_settings_of_another_shape_do_not_matter(found, hatch, work, text):
    path = hatch("work", short("sha256", work), "work", text=text)
    assert found("hatch") == path


# -- pixi


def test_pixis_environment_is_condas(found, made):
    path = made(".pixi/envs/default", "conda-meta/history")
    assert path.endswith("conda-meta")
    assert found("pixi") == os.path.dirname(path)


def test_a_detached_one_is_linked(found, home, made, work):
    path = os.path.dirname(os.path.dirname(made(f"{home}/d/x-1/envs/default", "conda-meta/history")))
    os.mkdir(os.path.join(work, ".pixi"))
    os.symlink(path, os.path.join(work, ".pixi", "envs"))
    assert found("pixi") == os.path.join(work, ".pixi/envs/default")


def test_where_there_can_be_no_link_pixi_is_asked(work, home, made, tool, write):
    path = os.path.dirname(made(f"{home}/d/x-1/envs/default", "conda-meta/history"))
    write(".pixi/envs/README.txt")
    answer = '{"environments_info": [{"name": "test", "prefix": "/t"}, {"name": "default", "prefix": "PATH"}]}'
    asked = Asked(answer.replace("PATH", path))
    assert environment(work, "pixi", {"PATH": tool("pixi")}, home, None, ask=asked) == path
    assert asked.calls[0][0][1:] == ["info", "--json"]


@pytest.mark.parametrize(
    "answer",
    ["{", "{}", '{"environments_info": null}', '{"environments_info": [1, {"name": "default", "prefix": 1}]}'],
)
def test_an_answer_of_another_shape_names_nothing(work, home, tool, write, answer):
    write(".pixi/envs/README.txt")
    assert environment(work, "pixi", {"PATH": tool("pixi")}, home, None, ask=Asked(answer)) is None


# -- asking the tool


@pytest.fixture
def unsure(work, home, poetry, tool):
    """Return a question that files leave open, with what is answered: the older of two."""

    class Unsure:
        older, newest = poetry("3.9", "3.12")
        cache = os.path.join(home, "cache")
        asked = Asked(f"{older}\n")
        path = tool("poetry")

        def __call__(self, **environ):
            environ = {"PATH": self.path, **environ}
            return environment(work, "poetry", environ, home, self.cache, ask=self.asked, platform="linux")

    return Unsure()


def test_the_answer_is_remembered(unsure):
    assert [unsure(), unsure(), unsure()] == [unsure.older] * 3
    assert len(unsure.asked.calls) == 1


def test_that_there_was_no_answer_is_remembered_too(unsure):
    unsure.asked.code = 1
    assert [unsure(), unsure()] == [unsure.newest] * 2
    assert len(unsure.asked.calls) == 1


def test_a_tool_that_is_not_there_is_looked_for_again(unsure):
    assert unsure(PATH="/nowhere") == unsure.newest
    assert unsure() == unsure.older


@pytest.mark.parametrize("name", ["pyproject.toml", "poetry.toml"])
def test_a_file_that_matters_has_changed(unsure, work, write, name):
    unsure()
    if name == "poetry.toml":
        write(name)
    os.utime(os.path.join(work, name), (1, 1))
    unsure()
    assert len(unsure.asked.calls) == 2


def test_another_environment_has_come(unsure, made):
    unsure()
    folder = os.path.dirname(unsure.older)
    made(os.path.join(folder, "another"))
    os.utime(folder, (1, 1))
    unsure()
    assert len(unsure.asked.calls) == 2


def test_a_variable_that_matters_has_changed(unsure):
    unsure()
    unsure(POETRY_VIRTUALENVS_OPTIONS_NO_PIP="true")
    assert len(unsure.asked.calls) == 2


def test_secrets_are_not_kept(unsure):
    unsure(POETRY_PYPI_TOKEN_PYPI="hunter2", POETRY_HTTP_BASIC_X_PASSWORD="hunter2")
    folder = os.path.join(unsure.cache, "managers")
    [name] = os.listdir(folder)
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        assert "hunter2" not in file.read()
    assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600


def test_another_projects_answer_is_not_taken(unsure, home, work):
    unsure()
    link = os.path.join(home, "moved")
    os.rename(work, link)  # the same directory, by device and inode
    os.mkdir(work)
    assert environment(link, "poetry", {"PATH": unsure.path}, home, unsure.cache, ask=unsure.asked) is None


def test_without_a_cache_the_tool_is_asked_each_time(unsure):
    unsure.cache = None
    assert [unsure(), unsure()] == [unsure.older] * 2
    assert len(unsure.asked.calls) == 2


def test_the_tool_starts_in_the_project_and_sees_nothing_active(unsure, work):
    """A stale VIRTUAL_ENV would be Poetry's answer."""
    unsure(VIRTUAL_ENV="/stale", CONDA_PREFIX="/stale", CONDA_DEFAULT_ENV="x", POETRY_ACTIVE="1", OTHER="x")
    [(_, environ, cwd)] = unsure.asked.calls
    assert (environ, cwd) == ({"PATH": unsure.path, "OTHER": "x"}, work)


def test_a_real_program_is_asked(unsure):
    program = os.path.join(unsure.path, "poetry")
    with open(program, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\necho noise >&2\ncat\npwd\necho "{unsure.older}"\n')
    unsure.asked = None
    assert unsure(PATH=f"{unsure.path}:/bin:/usr/bin") == unsure.older


@pytest.mark.parametrize("script", ["exit 3\n", "kill -9 $$\n", "sleep 60\n", None])
def test_a_program_that_fails_or_hangs_has_no_answer(unsure, monkeypatch, script):
    monkeypatch.setattr("safepip.system.project_tools.tools._PATIENCE", 0.3)
    with open(os.path.join(unsure.path, "poetry"), "w", encoding="utf-8") as file:
        file.write(
            f'#!/bin/sh\n{script.replace("sleep", "exec sleep")}echo "{unsure.older}"\n'
            if script
            else "#!/no/such\n"
        )
    unsure.asked = None
    assert unsure(PATH=f"{unsure.path}:/bin:/usr/bin") == unsure.newest


def test_a_project_that_is_gone_has_no_environment(home, tool):
    assert environment("/no/such", "poetry", {"PATH": tool("poetry")}, home, home, ask=Asked()) is None


# -- the line that says how to record it


@pytest.mark.parametrize(
    ("tool", "line"),
    [
        ("uv", "this project is kept by uv; to record the dependency: uv add flask"),
        ("poetry", "this project is kept by Poetry; to record the dependency: poetry add flask"),
        ("pdm", "this project is kept by PDM; to record the dependency: pdm add flask"),
        ("pipenv", "this project is kept by Pipenv; to record the dependency: pipenv install flask"),
        ("hatch", "this project is kept by Hatch; to record the dependency: add it to [project.dependencies]"),
        ("pixi", "this project is kept by pixi; to record the dependency: pixi add --pypi flask"),
    ],
)
def test_each_tools_own_command(tool, line):
    assert hint(tool, ["flask"]) == line


@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        (("flask", "requests"), "flask requests"),
        (("flask==3.1",), "flask==3.1"),
        (("flask>=2",), "'flask>=2'"),
        (("flask~=2.0",), "'flask~=2.0'"),
        (("flask[async]",), "'flask[async]'"),
        (("flask; python_version < '3.12'",), "'flask; python_version < '\"'\"'3.12'\"'\"''"),
        (("flask", "./lib", "git+https://x/y"), "flask"),
    ],
)
def test_requirements_as_typed_and_as_a_shell_needs_them(requirements, words):
    assert hint("uv", requirements).endswith(f"uv add {words}")


def test_another_shell_has_other_quotes(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert hint("uv", ["flask>=2"]).endswith('uv add "flask>=2"')


@pytest.mark.parametrize(
    "requirement",
    [".", "./lib", "../lib", "lib/x", "/abs", "x.whl", "x.tar.gz", "X.ZIP", "git+https://h/x", "https://h/x.whl",
     "x @ https://h/x.whl", "file:x.whl", "", " ", ".[dev]"],
)  # fmt: skip
@pytest.mark.parametrize("tool", ["uv", "hatch"])
def test_paths_archives_and_urls_are_not_recorded_so(tool, requirement):
    assert hint(tool, [requirement]) == ""


def test_nothing_typed_nothing_said():
    assert hint("uv", []) == ""


# -- once for each project


def test_it_is_remembered_that_the_line_was_said(home, work):
    state = os.path.join(home, "state")
    assert not hinted(state, work)
    note_hinted(state, work)
    assert hinted(state, work)
    assert hinted(state, os.path.join(work, "."))


def test_another_project_has_not_heard_it(home, work):
    state, other = os.path.join(home, "state"), os.path.join(home, "other")
    os.mkdir(other)
    note_hinted(state, work)
    assert not hinted(state, other)


def test_a_project_that_took_its_place_has_not_heard_it(home, work):
    state = os.path.join(home, "state")
    note_hinted(state, work)
    os.rename(work, os.path.join(home, "moved"))
    assert not hinted(state, os.path.join(home, "moved"))


@pytest.mark.parametrize(("state", "root"), [(None, "."), ("state", "/no/such"), ("/dev/null/x", ".")])
def test_what_cannot_be_remembered_is_let_be(state, root):
    note_hinted(state, root)
    assert not hinted(state, root)
