"""Which lines are for pipx, what pipx is told, and that nothing but pipx's own words are options to it."""

from __future__ import annotations

import os
import re
import shlex

import pytest

from safepip.core import app_routing, applications
from safepip.core.invocation import read_invocation
from safepip.core.pip_line import dests, read
from safepip.core.pip_options import OPTIONS, SPECS
from safepip.core.plan import Create, InEnvironment, Pip, Pipx, Refuse, StepDown
from safepip.core.requirement import Requirement, normalised_name
from safepip.core.settings import Fault, Settings
from safepip.core.world import ABSENT, UNTRUSTED, USABLE, Ambient, Environment, Interpreter, Project, Target
from safepip.errors import BAD_SETTINGS, USAGE
from safepip.system import pipx
from safepip.system.observe import Context
from safepip.system.stages import decided

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX ones")

PYTHON = "/usr/bin/python3"
CHOSEN = f"--python {PYTHON}"
BASE = Interpreter(
    path=PYTHON,
    real="/usr/bin/python3.12",
    version=(3, 12, 3),
    prefix="/usr",
    base_prefix="/usr",
    stdlib="/usr/lib/python3.12",
    site="lib/python3.12/site-packages",
)
PROJECT = Project(root="/home/u/blog", marker="pyproject.toml")


@pytest.fixture
def world(home):
    """Return a maker of decisions outside any project, in a home directory that exists."""
    data = os.path.join(home, ".local", "share", "safepip")
    place = os.path.join(data, "home")

    def environment(state):
        site = os.path.join(place, BASE.site)
        found = {"python": f"{place}/bin/python", "version": "3.12", "site": site, "base": BASE}
        return Environment(path=place, known_as=place, state=state, **(found if state == USABLE else {}))

    def plan_of(line, *, environ=None, state=ABSENT, words=None, **facts):
        environ = environ or {}
        invocation = read_invocation("safepip", shlex.split(line) if words is None else words)
        command = read(invocation.words, environ, ())
        ambient = Ambient(
            environ=environ, cwd=home, home=home, user=1000, platform="linux", executable="/opt/safepip/bin/python",
            prefix="/opt/safepip", base_prefix="/usr", terminal=False,
        )  # fmt: skip
        target = Target(python=PYTHON, interpreter=BASE)
        known = {
            "command": command, "first_reading": command, "opts_out": None, "configured_python": False,
            "pip_is_misconfigured": False, "target": target, "typed_interpreter": target, "managed": True, "active": None,
            "claimed_active": ("", ""), "sudo_user": None, "inside": None, "named_environment": None, "settings": Settings(),
            "project": None, "place": environment(state), "data": data, "base": BASE,
            "stale_active": None, "manager_hint": None, "missing_input": None, "around": None,
        }  # fmt: skip
        return decided(Context(invocation, ambient, **{**known, **facts}))

    return plan_of


@pytest.fixture
def with_pipx(home):
    """Return a function that has pipx keep an application."""

    def keep(*names):
        for name in names:
            folder = os.path.join(home, ".local", "share", "pipx", "venvs", name)
            os.makedirs(folder)
            with open(os.path.join(folder, "pipx_metadata.json"), "w"):
                pass

    return keep


@pytest.fixture
def in_home(home):
    """Return a function that puts a distribution into the home environment."""

    def put(*names):
        for name in names:
            os.makedirs(os.path.join(home, ".local/share/safepip/home", BASE.site, f"{name}-1.0.dist-info"))

    return put


def run_of(plan):
    assert isinstance(plan, Pipx), plan
    (words,) = plan.runs
    return " ".join(words)


# -- the list

PROGRAMS = (
    "httpie", "black", "ruff", "yt-dlp", "youtube-dl", "poetry", "pdm", "hatch", "pipenv", "pipx", "tox", "nox",
    "pre-commit", "cookiecutter", "copier", "twine", "flake8", "isort", "bandit", "semgrep", "awscli", "azure-cli",
    "ansible", "ansible-lint", "glances", "thefuck", "visidata", "magic-wormhole", "pgcli", "litecli", "yamllint",
    "codespell", "mitmproxy", "borgbackup", "platformio", "esptool", "asciinema", "tldr", "speedtest-cli", "uv",
)  # fmt: skip
LIBRARIES = (
    "requests", "numpy", "pandas", "scipy", "matplotlib", "flask", "django", "fastapi", "sqlalchemy", "pydantic",
    "pytest", "click", "rich", "tqdm", "pyyaml", "beautifulsoup4", "lxml", "pillow", "scikit-learn", "torch",
    "tensorflow", "jupyter", "notebook", "ipython", "sphinx", "mypy", "virtualenv", "build", "setuptools", "wheel",
    "pip", "cryptography", "boto3", "celery", "gunicorn", "uvicorn", "scrapy", "streamlit", "pyinstaller", "coverage",
    "pygments", "docutils", "fabric", "invoke", "httpx", "aiohttp", "paramiko", "selenium", "pytest-cov", "mkdocs",
)  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_goes_to_pipx(world, name):
    assert run_of(world(f"install {name}")).endswith(f"--python {PYTHON} -- {name}")


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_goes_to_the_home_environment(world, name):
    assert isinstance(world(f"install {name}"), Create)


def test_the_list_is_long_normalised_and_without_a_name_twice():
    sources = (applications.DEBIAN, applications.HOMEBREW, applications.DOCUMENTED)
    names = [name for source in sources for name in source]
    assert len(names) == len(set(names)) == len(applications.APPLICATIONS) >= 250
    assert [name for name in names if normalised_name(name) != name] == []
    assert all(list(source) == sorted(source) for source in sources)
    assert applications.WITH_DEPENDENCIES <= applications.APPLICATIONS


# -- names


@pytest.mark.parametrize(
    ("typed", "name", "extras", "specifier"),
    [
        ("httpie", "httpie", "", ""),
        ("HTTPie", "httpie", "", ""),
        ("Yt_DLP", "yt-dlp", "", ""),
        ("pre..commit", "pre-commit", "", ""),
        ("black[d]", "black", "[d]", ""),
        ("black [d, jupyter] >= 24", "black", "[d, jupyter]", ">= 24"),
        ("httpie==3.2.4", "httpie", "", "==3.2.4"),
        ("httpie~=3.2,!=3.2.1", "httpie", "", "~=3.2,!=3.2.1"),
        ("httpie (>3)", "httpie", "", "(>3)"),
    ],
)
def test_a_plain_name_is_normalised_and_keeps_what_follows(typed, name, extras, specifier):
    found = app_routing.wanted(typed)
    assert found == Requirement(name=name, extras=extras, specifier=specifier)


@pytest.mark.parametrize(
    "typed",
    [
        ".", "./httpie", "../httpie", "/httpie", "httpie/", "httpie @ https://x/y.whl", "git+https://x/httpie",
        "https://x/httpie.tar.gz", "httpie-1.0-py3-none-any.whl", "httpie.zip", "httpie.tar.gz",
        'httpie; python_version > "3"', "-httpie", "--httpie", "", " ", "httpie-", "_httpie", "httpie black", "héttpie",
        "httpie[", "httpie[d", "httpie=='3'", "httpie==$(x)", " httpie", "\thttpie", "httpie==3\n",
    ],
)  # fmt: skip
def test_what_is_more_than_a_name_is_none(typed):
    assert app_routing.wanted(typed) is None


@pytest.mark.parametrize(
    "typed",
    [
        "--help", "-h", "--version", "--force", "--python=/x", "--python", "--pip-args=--target=/x", "--index-url=http://x",
        "--editable", "-e", "-e.", "--include-deps", "--suffix=x", "--system-site-packages", "--global", "--verbose",
        "-v", "-q", "--quiet", "--fetch-missing-python", "--backend=uv", "--preinstall=x", "--", "---", "-",
        "--black", " --help", "\t--help", "\n-e", "-\u202ehelp",
    ],
)  # fmt: skip
@pytest.mark.parametrize("word", ["install", "uninstall"])
def test_a_spec_like_an_option_is_none_of_pipxs(world, word, typed):
    plan = world("--app", words=["--app", word, "--", typed])
    assert isinstance(plan, Refuse), plan
    assert plan.code == USAGE


def test_the_specifier_is_handed_on_as_typed(world):
    assert run_of(world("install", words=["install", "HTTPie[x] >= 3"])).endswith("-- HTTPie[x] >= 3")


# -- when


def test_inside_a_project_a_tool_is_a_dependency(world):
    assert isinstance(world("install black", project=PROJECT), Create)


def test_app_counts_inside_a_project_and_in_an_active_environment(world):
    active = Environment(path="/v", known_as="/v", state=USABLE, python="/v/bin/python", version="3.12", base=BASE)
    assert run_of(world("--app install black", project=PROJECT)).endswith("-- black")
    assert run_of(world("--app install black", active=active)).endswith("-- black")
    assert run_of(world("--app install black", managed=False)).endswith("-- black")
    assert isinstance(world("install black", active=active), Pip)


def test_lib_goes_to_the_environment(world):
    assert isinstance(world("--lib install black"), Create)
    assert isinstance(world("--lib install x", settings=Settings(apps=("x",))), Create)


@pytest.mark.parametrize(
    ("line", "settings", "project", "routed"),
    [
        ("install mine", {"apps": ("Mine",)}, None, True),
        ("install mine", {"apps": ("mine",)}, PROJECT, True),
        ("install mine", {"apps": ("mine",), "libs": ("mine",)}, None, False),
        ("install mine black", {"apps": ("mine",)}, None, True),
        ("install mine black", {"apps": ("mine",)}, PROJECT, False),
        ("install black", {"libs": ("Black",)}, None, False),
        ("install black", {"app_routing": "explicit"}, None, False),
        ("--app install black", {"app_routing": "explicit"}, None, True),
        ("install mine", {"app_routing": "explicit", "apps": ("mine",)}, None, True),
        ("install mine", {"app_routing": "never", "apps": ("mine",)}, None, False),
        ("install black", {"app_routing": "never"}, None, False),
        ("--app install black", {"app_routing": "never"}, None, True),
        ("--app install anything", {}, None, True),
    ],
)
def test_settings_say_what_is_routed(world, line, settings, project, routed):
    plan = world(line, settings=Settings(**settings), project=project)
    assert isinstance(plan, Pipx if routed else Create)


@pytest.mark.parametrize(
    "line",
    [
        "install black requests",
        "install black -r requirements.txt",
        "install black -e .",
        "install black --group dev",
        "install black ./local",
        "install -r requirements.txt",
        "install --requirements-from-script x.py black",
        "install --only-deps black",
        "install --require-hashes black",
        "install --python-version 3.12 black",
        "install --report out.json black",
        "install --platform any black",
    ],
)
def test_a_line_that_pipx_cannot_be_told_whole_is_one_install_in_the_environment(world, line, home):
    os.mkdir(os.path.join(home, "local"))
    for name in ("requirements.txt", "x.py", "pyproject.toml", os.path.join("local", "pyproject.toml")):
        with open(os.path.join(home, name), "w", encoding="utf-8") as file:
            file.write('[dependency-groups]\ndev = ["requests"]\n' if name == "pyproject.toml" else "")
    assert isinstance(world(line), Create)


def test_a_dry_run_is_no_application(world):
    assert not isinstance(world("install --dry-run black"), Pipx)


@pytest.mark.parametrize("line", ["install --target x black", "install --break-system-packages black"])
def test_what_names_a_place_or_opts_out_stays_with_pip(world, line):
    assert isinstance(world(line), Pip)


def test_what_the_environment_has_is_not_installed_twice(world, in_home):
    in_home("black")
    assert isinstance(world("install black", state=USABLE), InEnvironment)
    assert isinstance(world("install -U black httpie", state=USABLE), InEnvironment)
    assert isinstance(world("install httpie", state=USABLE), Pipx)
    assert isinstance(world("--app install black", state=USABLE), Pipx)


def test_sudo_steps_down_before_pipx(world):
    assert isinstance(world("install black", sudo_user=(1000, 1000)), StepDown)
    assert isinstance(world("--app install black", sudo_user=(1000, 1000)), StepDown)


@pytest.mark.parametrize("line", ["install black", "--app install black"])
def test_faulty_settings_stop_it(world, line):
    plan = world(line, settings=Settings(faults=(Fault(origin="f", what="x"),)))
    assert isinstance(plan, Refuse)
    assert (plan.code, plan.what) == (BAD_SETTINGS, "f: x")


def test_an_interpreter_in_pips_configuration_keeps_pipx_out(world):
    assert not isinstance(world("install black", configured_python=True), Pipx)
    assert isinstance(world("--app install black", configured_python=True), Refuse)


@pytest.mark.parametrize(
    "line",
    ["freeze", "check", "--app freeze", "--app install", "--app install -r x", "--app install --dry-run x",
     "--app uninstall -r x", "--app install -e . -e ..", "--app install x --group dev"],
)  # fmt: skip
def test_app_with_what_pipx_lacks_is_refused_and_without_it_nothing_changes(world, line):
    plan = world(line)
    assert (isinstance(plan, Refuse) and plan.code == USAGE) if line.startswith("--app") else isinstance(plan, Pip)


# -- what pipx is told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("install black", "install --python /usr/bin/python3 -- black"),
        ("install ansible", "install --include-deps --python /usr/bin/python3 -- ansible"),
        ("install -q -v black", "install --quiet --verbose --python /usr/bin/python3 -- black"),
        ("-qq install black", "install --quiet --quiet --python /usr/bin/python3 -- black"),
        ("install -U black", "install --python /usr/bin/python3 -- black"),
        ("install --user black", "install --python /usr/bin/python3 -- black"),
        ("--python /usr/bin/python3 install black", "install --python /usr/bin/python3 -- black"),
        ("install -i http://a -i http://b black", "install --index-url=http://b --python /usr/bin/python3 -- black"),
        ("install --pre black", "install --pip-args=--pre --python /usr/bin/python3 -- black"),
        ("install --force-reinstall black", "install --force --python /usr/bin/python3 -- black"),
        ("install -I black", "install --force --python /usr/bin/python3 -- black"),
        (
            "install --extra-index-url http://u:p@x/?a=b -f w --no-cache-dir black",
            rf"install --pip-args=--extra-index-url=http://u:p@x/\?a=b --find-links=w --no-cache-dir {CHOSEN} -- black",
        ),
        ("--app install -e .", "install --python /usr/bin/python3 --editable -- ."),
        ("--app install ./x.whl", "install --python /usr/bin/python3 -- ./x.whl"),
        ("--app install git+https://x/y", "install --python /usr/bin/python3 -- git+https://x/y"),
    ],
)  # fmt: skip
def test_options_have_their_counterparts(world, line, told):
    assert run_of(world(line)) == told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("install black", "install --python /usr/bin/python3 -- black"),
        ("install black==1", "install --python /usr/bin/python3 -- black==1"),
        ("install -U Black", "upgrade -- black"),
        ("install -U --pre -q black", "upgrade --quiet --pip-args=--pre -- black"),
        ("install -U black<2", "install --force -- black<2"),
        ("install -U black[d]", "install --force -- black[d]"),
        ("install -U --force-reinstall black", "install --force -- black"),
    ],
)
def test_what_pipx_has_is_upgraded(world, with_pipx, line, told):
    with_pipx("black")
    assert run_of(world(line)) == told


def test_a_value_reaches_pip_as_one_word(world):
    value = 'x\' "y" \\ $z --target /t\t*'
    told = run_of(world("", words=["install", "--proxy", value, "black"]))
    handed = re.match(r"install --pip-args=(.*) --python ", told)
    assert handed is not None
    assert shlex.split(handed[1]) == [f"--proxy={value}"]
    assert "'" not in handed[1][:1] + handed[1].replace("\\'", "")[-1:]


def test_each_option_of_pips_install_is_decided_on():
    known = {SPECS[position][1] for position in OPTIONS["install"]}
    lost = {
        "requirements", "requirements_from_scripts", "editables", "dependency_groups", "dry_run", "target_dir",
        "prefix_path", "root_path", "json_report_file", "platforms", "python_version", "implementation", "abis",
        "only_dependencies", "require_hashes", "no_clean", "override_externally_managed", "help",
    }  # fmt: skip
    assert known - lost <= dests("own") | dests("pipx")
    assert not lost & (dests("own") | dests("pipx"))


OPTION_LIKE = (
    "-", "--", "-h", "--help", "-f", "--force", "-e", "--editable", "-q", "-v", "--verbose", "--version", "-i",
    "--index-url=http://evil", "--index-url", "--pip-args=--target=/", "--pip-args", "--python=/evil", "--python",
    "--include-deps", "--suffix=x", "--system-site-packages", "--global", "--preinstall=evil", "--preinstall",
    "--backend=uv", "--lock=x", "--app=x", "--fetch-python=always", "--upgrade", "-U", "--quiet", "-xblack", "—help",
)  # fmt: skip


@pytest.mark.parametrize("spelling", OPTION_LIKE)
@pytest.mark.parametrize("before", [["install"], ["--app", "install"], ["uninstall"], ["--app", "uninstall"]])
@pytest.mark.parametrize("separated", [True, False])
def test_nothing_that_looks_like_an_option_becomes_one_of_pipxs(world, with_pipx, spelling, before, separated):
    with_pipx("black", spelling)
    words = [*before, *(["--"] if separated else []), spelling, "black"]
    plan = world("", words=words)
    if not isinstance(plan, Pipx):
        return
    known = {
        "install",
        "upgrade",
        "uninstall",
        "--force",
        "--quiet",
        "--verbose",
        "--editable",
        "--python",
        PYTHON,
    }
    for run in plan.runs:
        end = run.index("--")
        own = [word for word in run[:end] if not word.startswith(("--pip-args=", "--index-url="))]
        assert set(own) <= known
        assert not separated or not any(word.startswith("--pip-args=") for word in run[:end])
        assert not run[end + 1].startswith("-")


# -- both ways


def test_uninstall_goes_to_pipx_where_only_pipx_has_it(world, with_pipx, in_home):
    with_pipx("black", "httpie")
    in_home("httpie")
    assert run_of(world("uninstall -y Black", state=USABLE)) == "uninstall -- black"
    assert isinstance(world("uninstall httpie", state=USABLE), InEnvironment)
    assert isinstance(world("uninstall black requests", state=USABLE), InEnvironment)
    assert isinstance(world("uninstall black -r x", state=USABLE), InEnvironment)
    assert isinstance(world("uninstall black", state=USABLE, project=PROJECT), InEnvironment)
    assert isinstance(world("--lib uninstall black", state=USABLE), InEnvironment)
    assert isinstance(
        world("uninstall black", settings=Settings(app_routing="never"), state=USABLE), InEnvironment
    )
    assert run_of(world("--app uninstall httpie", state=USABLE)) == "uninstall -- httpie"


def test_several_are_removed_one_by_one(world, with_pipx):
    with_pipx("black", "httpie")
    plan = world("uninstall -y black httpie")
    assert plan.runs == (("uninstall", "--", "black"), ("uninstall", "--", "httpie"))
    assert plan.says == "black and httpie are with pipx: removing them"


def test_show_asks_the_pip_of_pipxs_environment(world, with_pipx, in_home, home):
    venv = Environment(path="/p", known_as="/p", state=USABLE, python="/p/bin/python", version="3.12", base=BASE)
    asked = []

    def examine(path, *, trusted=False):
        asked.append(path)
        return venv

    with_pipx("black")
    plan = world("show -f black", state=USABLE, examine=examine)
    assert isinstance(plan, Pip)
    assert plan.handover.python == "/p/bin/python"
    assert plan.handover.words == ("show", "-f", "black")
    assert asked == [os.path.join(home, ".local/share/pipx/venvs/black")]
    assert isinstance(world("show black requests", state=USABLE), InEnvironment)
    in_home("black")
    assert isinstance(world("show black", state=USABLE), InEnvironment)


def test_list_tells_what_pipx_has(world, with_pipx):
    with_pipx("black", "httpie", "a", "b", "c", "d")
    plan = world("list", state=USABLE)
    assert plan.notices == ("with pipx: a, b, black, c, d and 1 more (safepip app list)",)
    assert world("list", state=USABLE, project=PROJECT).notices == ()
    assert world("freeze", state=USABLE).notices == ()


def test_app_list_is_pipxs(world):
    assert run_of(world("--app list")) == "list"


def test_list_tells_nothing_where_it_is_refused(world, with_pipx):
    with_pipx("black")
    assert isinstance(world("list", state=UNTRUSTED), Refuse)


def test_without_applications_list_says_nothing(world):
    assert world("list", state=USABLE).notices == ()


# -- what is said, and what comes after


@pytest.mark.parametrize(
    ("line", "project", "said"),
    [
        (
            "install httpie",
            None,
            "httpie is an application: installing it with pipx (into the home environment instead: safepip --lib install httpie)",
        ),
        (
            "install ruff black tox",
            None,
            "ruff, black and tox are applications: installing them with pipx (into the home environment instead: safepip --lib install ruff black tox)",
        ),
        ("--app install httpie", None, ""),
    ],
)
def test_it_is_announced(world, line, project, said):
    assert world(line, project=project).says == said


def test_user_is_left_out_and_said(world):
    assert world("install --user black").notices == ("--user has no meaning for an application; left out",)


def test_the_environment_takes_what_has_no_programs(world):
    plan = world("--app install one two==2 --pre --user", project=None)
    assert isinstance(plan.fallback, Create)
    command = read(["install", "one", "two==2", "--pre", "--user"], {}, ())
    whole = app_routing.narrowed(plan.fallback, command, ("one", "two==2"))
    assert whole.handover.words == ("install", "one", "two==2", "--pre")
    part = app_routing.narrowed(plan.fallback, command, ("two==2",))
    assert part.handover.words == ("install", "--pre", "--", "two==2")


# -- where pipx keeps things


@pytest.mark.parametrize(
    ("environ", "old", "where"),
    [
        ({}, False, ".local/share/pipx"),
        ({}, True, ".local/pipx"),
        ({"PIPX_HOME": "~/p"}, True, "p"),
    ],
)
def test_pipxs_home_is_where_pipx_has_it(home, environ, old, where):
    if old:
        os.makedirs(os.path.join(home, ".local", "pipx"))
    ambient = Ambient(
        environ=environ, cwd=home, home=home, user=1000, platform="linux", executable="", prefix="", base_prefix="",
        terminal=False,
    )  # fmt: skip
    context = Context(read_invocation("safepip", []), ambient)
    assert pipx.home_of(context) == os.path.join(home, where)


def test_a_distribution_is_found_whatever_its_spelling(tmp_path):
    for name in ("Foo_Bar-1.0.dist-info", "zope.thing-2.egg-info", "plain.egg-info", "foo.py"):
        (tmp_path / name).mkdir()
    assert [pipx.has_distribution(str(tmp_path), name) for name in ("foo-bar", "zope-thing", "plain", "foo")] == [
        True,
        True,
        True,
        False,
    ]
    assert not pipx.has_distribution(str(tmp_path / "nowhere"), "foo")
