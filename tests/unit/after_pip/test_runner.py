"""runner.py is run as it is in life: by a real interpreter, over a pip that tells what it sees."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys

import pytest

from safepip.core.plan import RUNNER

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layout of POSIX")

MINOR = "{}.{}".format(*sys.version_info)
FAKE = """
import json, os, sys
def main():
    seen = {"argv": sys.argv, "path": sys.path, "environ": dict(os.environ), "pip": __file__, "json": json.__file__}
    exec(os.environ.get("FAKE_PIP_DOES", ""))
    sys.stdout.write(json.dumps(seen))
    sys.stdout.flush()
    return int(os.environ.get("FAKE_PIP_CODE", "0"))
"""


def write(path, text=""):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def put_pip(folder, *, needs="(3, 9)", main="pip/_internal/cli/main.py"):
    for package in ("pip", "pip/_internal", "pip/_internal/cli"):
        write(os.path.join(folder, package, "__init__.py"))
    write(os.path.join(folder, main), FAKE)
    write(os.path.join(folder, "pip/__pip-runner__.py"), f"import sys\nPYTHON_REQUIRES = {needs}\n")
    return folder


@pytest.fixture(scope="session")
def with_pip(finished, tmp_path_factory):
    """An environment with a pip of its own; not to be changed."""
    path = os.path.join(os.path.realpath(tmp_path_factory.mktemp("with_pip")), "env")
    shutil.copytree(finished, path, symlinks=True)
    put_pip(os.path.join(path, "lib", f"python{MINOR}", "site-packages"))
    return path


@pytest.fixture
def spare(home):
    """A folder with a pip and a neighbour."""
    folder = os.path.join(home, "spare")
    write(os.path.join(folder, "neighbour.py"))
    return put_pip(folder)


def start(prefix, *words, runner=RUNNER, python="python", **variables):
    sealed = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    argv = [os.path.join(prefix, "bin", python) if prefix else python, runner, *words]
    return subprocess.run(argv, env={**sealed, **variables}, capture_output=True, text=True, check=False)


def seen(*args, **variables):
    done = start(*args, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


# -- as a launcher would


def test_pip_gets_the_words_as_they_are(with_pip):
    odd = ["install", "", "a b", "-", "--", "é", "x\ny"]
    assert seen(with_pip, *odd)["argv"][1:] == odd


@pytest.mark.parametrize("name", ["pip", "pip3.12"])
def test_pip_takes_itself_for_what_was_typed(with_pip, name):
    program = os.path.join(with_pip, "bin", name)
    assert seen(with_pip, "list", SAFEPIP_RUN_AS=program)["argv"] == [program, "list"]


def test_without_any_word_of_safepips_it_is_pip(with_pip):
    assert seen(with_pip)["argv"] == ["pip"]


def test_python_m_pip_has_its_path(with_pip):
    found = seen(with_pip, "list", SAFEPIP_RUN_AS="-m")
    site = os.path.join(with_pip, "lib", f"python{MINOR}", "site-packages")
    assert found["argv"] == [os.path.join(site, "pip", "__main__.py"), "list"]


def test_the_interpreters_programs_lie_where_a_launcher_has_them(with_pip):
    assert seen(with_pip, SAFEPIP_RUN_AS="/x/pip")["path"][0] == os.path.join(with_pip, "bin")


def test_python_m_pip_has_nothing_there(with_pip):
    path = seen(with_pip, SAFEPIP_RUN_AS="-m")["path"]
    assert os.path.join(with_pip, "bin") not in path
    assert os.getcwd() not in path
    assert "" not in path


@pytest.mark.skipif(sys.version_info < (3, 11), reason="PYTHONSAFEPATH came with 3.11")
@pytest.mark.parametrize("program", ["/x/pip", "-m"])
def test_with_safe_path_nothing_is_put_there(with_pip, program):
    before = seen(with_pip, SAFEPIP_RUN_AS="/x/pip")["path"][1:]
    assert seen(with_pip, SAFEPIP_RUN_AS=program, PYTHONSAFEPATH="1")["path"] == before


def test_safepip_itself_cannot_be_imported_by_pip(with_pip):
    path = seen(with_pip)["path"]
    assert os.path.dirname(RUNNER) not in path
    assert os.path.dirname(os.path.dirname(os.path.dirname(RUNNER))) not in path
    assert os.listdir(os.path.dirname(RUNNER)) in (
        ["runner.py"],
        ["runner.py", "__pycache__"],
        ["__pycache__", "runner.py"],
    )


@pytest.mark.parametrize("program", ["/x/pip", "-m"])
def test_the_working_directory_hijacks_nothing(with_pip, home, program):
    for name in ("pip", "json", "os", "io", "site", "runner", "sitecustomize"):
        write(f"{name}.py", f"open({home!r} + '/hijacked', 'w')\n")
    write("pip/__init__.py", f"open({home!r} + '/hijacked', 'w')\n")
    found = seen(with_pip, SAFEPIP_RUN_AS=program)
    assert found["pip"].startswith(with_pip)
    assert not found["json"].startswith(home)
    assert not os.path.exists(os.path.join(home, "hijacked"))


def test_the_users_pythonpath_counts_as_with_pip(with_pip, home):
    put_pip(os.path.join(home, "mine"))
    assert seen(with_pip, PYTHONPATH=os.path.join(home, "mine"))["pip"].startswith(home)


def test_what_safepip_has_to_say_is_removed_from_the_variables(with_pip):
    variables = {
        "SAFEPIP_RUN_AS": "/x/pip",
        "SAFEPIP_RUN_SPARE": "/x",
        "SAFEPIP_RUN_HINT": ":x",
        "SAFEPIP_RUN_CLOSING": "x",
        "SAFEPIP_HANDOVER": "1:x",
    }
    environ = json.loads(start(with_pip, **variables).stdout)["environ"]
    assert [name for name in environ if name.startswith("SAFEPIP_RUN")] == []
    assert environ["SAFEPIP_HANDOVER"] == "1:x"


@pytest.mark.parametrize("code", [0, 1, 2, 23])
def test_pips_exit_code_passes(with_pip, code):
    assert start(with_pip, FAKE_PIP_CODE=str(code)).returncode == code


def test_pips_exit_passes(with_pip):
    assert start(with_pip, FAKE_PIP_DOES="sys.exit(7)", SAFEPIP_RUN_HINT=":x").returncode == 7


# -- the spare pip


def test_an_own_pip_comes_before_the_spare_one(with_pip, spare):
    assert seen(with_pip, SAFEPIP_RUN_SPARE=spare)["pip"].startswith(with_pip)


def test_the_spare_pip_serves_where_there_is_none(finished, spare):
    found = seen(finished, "list", SAFEPIP_RUN_SPARE=spare, SAFEPIP_RUN_AS="/x/pip")
    assert found["pip"].startswith(spare)
    assert found["argv"] == ["/x/pip", "list"]


def test_the_spare_pip_may_be_named_as_a_module(finished, spare):
    found = seen(finished, "list", SAFEPIP_RUN_SPARE=spare, SAFEPIP_RUN_AS="-m")
    assert found["argv"][0] == os.path.join(spare, "pip", "__main__.py")


def test_nothing_but_pip_comes_from_the_spare_ones_folder(finished, spare):
    found = seen(
        finished,
        SAFEPIP_RUN_SPARE=spare,
        FAKE_PIP_DOES="import importlib.util; seen['neighbour'] = importlib.util.find_spec('neighbour') is not None",
    )
    assert found["neighbour"] is False
    assert spare not in found["path"]


def test_the_working_directory_hijacks_the_spare_pip_neither(finished, spare, home):
    write("pip/__init__.py", f"open({home!r} + '/hijacked', 'w')\n")
    assert seen(finished, SAFEPIP_RUN_SPARE=spare)["pip"].startswith(spare)
    assert not os.path.exists(os.path.join(home, "hijacked"))


def test_a_python_too_old_for_the_spare_pip_is_told(finished, home):
    spare = put_pip(os.path.join(home, "spare"), needs="(4, 2)")
    done = start(finished, "list", SAFEPIP_RUN_SPARE=spare)
    assert (done.returncode, done.stdout) == (3, "")
    first, second = done.stderr.splitlines()
    assert first == f"safepip: error: {finished} has no pip, and safepip's needs Python 4.2 or newer, not {MINOR}"
    assert second == f"safepip: give it one of its own: {finished}/bin/python -m ensurepip"


def test_a_pip_that_does_not_start_fails_as_it_would_have(with_pip, spare, environment):
    site = os.path.join(environment, "lib", f"python{MINOR}", "site-packages")
    put_pip(site)
    write(os.path.join(site, "pip/_internal/cli/main.py"), "import no_such_module\n")
    write(os.path.join(site, "pip/_internal/__init__.py"), "")
    done = start(environment, "list", SAFEPIP_RUN_SPARE=spare)
    assert done.returncode != 0
    assert "ImportError" in done.stderr or "ModuleNotFoundError" in done.stderr


def test_an_environment_without_any_pip_fails_as_python_would(finished):
    done = start(finished, "list")
    assert done.returncode == 1
    assert "No module named 'pip'" in done.stderr


def test_a_pip_of_old_is_found(environment):
    """Pip 10 to 19.2 have their main function elsewhere."""
    site = os.path.join(environment, "lib", f"python{MINOR}", "site-packages")
    put_pip(site, main="pip/_internal/__init__.py")
    assert seen(environment, "list")["argv"] == ["pip", "list"]


@pytest.mark.parametrize("names", [("cli",), ("main", "cli"), ("cli", "main")])
def test_a_newer_pip_is_entered_as_its_launcher_does(environment, names):
    """Its launcher calls `cli` from pip 26.3 on; `main` is then something else."""
    site = os.path.join(environment, "lib", f"python{MINOR}", "site-packages")
    put_pip(site)
    text = "".join(f"\ndef {name}():\n    print('{name}')\n" for name in names)
    write(os.path.join(site, "pip/_internal/cli/main.py"), text)
    assert start(environment, "list").stdout == "cli\n"


HOW = "safepip run {}      or: source .venv/bin/activate"


def distribution(environment, name, programs=(), *, requested=True, scripts=()):
    """Return code for a pip that installs a distribution: `programs` are lines of its entry points."""
    info = os.path.join(environment, "lib", f"python{MINOR}", "site-packages", f"{name}-1.0.dist-info")
    files = {"RECORD": "".join(f"../../../bin/{script},,\n" for script in scripts)}
    if requested:
        files["REQUESTED"] = ""
    if programs:
        files["entry_points.txt"] = (
            "[console_scripts]\n" + "".join(f"{line}\n" for line in programs) + "\n[x]\ny=z\n"
        )
    return f"os.mkdir({info!r})\n" + "".join(
        f"open({os.path.join(info, file)!r}, 'w').write({text!r})\n" for file, text in files.items()
    )


@pytest.fixture
def says(environment):
    """Start a pip that installs these distributions; return what is said."""
    put_pip(os.path.join(environment, "lib", f"python{MINOR}", "site-packages"))

    def says(*installed, asked="", does="", **variables):
        code = does + "".join(distribution(environment, *one[:2], **dict(one[2:])) for one in installed)
        return start(environment, SAFEPIP_RUN_HINT=f"{asked}:{HOW}", FAKE_PIP_DOES=code, **variables).stderr

    return says


def run(program):
    return f"safepip: run it with: {HOW.replace('{}', program)}\n"


CODE = f"safepip: run your code with: {HOW.replace('{}', 'FILE.py')}\n"
A_DEPENDENCY = ("requested", False)


def test_nothing_is_imported_once_pip_has_started(says):
    """Pip blocks imports once it has installed something."""
    does = (
        "import builtins\n"
        "def refuse(name, *rest, **more): raise AssertionError(name)\n"
        "json.dumps(1)\nbuiltins.__import__ = refuse\n"
    )
    assert says(("flask", ["flask = flask.cli:main"]), does=does) == run("flask")


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ([("flask", ["flask = flask.cli:main"])], run("flask")),
        ([("requests", []), ("idna", ["idna = idna.cli:main"], A_DEPENDENCY)], CODE),
        ([("flask", ["flask = flask.cli:main"]), ("dotenv", ["dotenv = d:m"], A_DEPENDENCY)], run("flask")),
        ([("pytest", ["py.test = pytest:main", "pytest = pytest:main"])], run("pytest")),
        ([("Django", ["django-admin = django.core.management:main"])], run("django-admin")),
        ([("jupyterlab", ["jlpm = jupyterlab.jlpm:main", "jupyter-lab = jupyterlab:main"])], run("jupyter-lab")),
        ([("awscli", [], ("scripts", ("aws", "aws_completer")))], run("aws")),
        ([("build", ["pyproject-build = build.__main__:main"])], run("pyproject-build")),
        ([("python_lsp_server", ["pylsp = pylsp.__main__:main"])], run("pylsp")),
        ([("numpy", ["f2py = numpy.f2py.f2py2e:main", "numpy-config = numpy._configtool:main"])], CODE),
        ([("rsa", ["pyrsa-keygen = rsa.cli:a", "pyrsa-sign = rsa.cli:b"])], CODE),
        ([("aaa", []), ("zebra", ["zebra = zebra:main"])], run("zebra")),
        ([("pip", ["pip = pip:main"])], ""),
        ([("idna", ["idna = idna.cli:main"], A_DEPENDENCY)], ""),
        ([("odd", ["o\x1bdd = odd:main"])], CODE),
        ([], ""),
    ],
    ids=lambda value: "+".join(one[0] for one in value) if isinstance(value, list) else "",
)
def test_the_program_of_a_package_that_was_asked_for_is_told(says, installed, said):
    assert says(*installed) == said


@pytest.mark.parametrize(("asked", "told"), [("b a", "b"), ("x A", "a"), ("", "a")])
def test_the_order_of_the_line_counts(says, asked, told):
    assert says(("a", ["a = a:m"]), ("b", ["b = b:m"]), asked=asked) == run(told)


def test_where_pip_marks_nothing_the_names_on_the_line_count(says):
    """As before pip 20.2."""
    installed = [("Flask_X", ["flask-x = f:m"], A_DEPENDENCY), ("idna", ["idna = i:m"], A_DEPENDENCY)]
    assert says(*installed, asked="flask.x") == run("flask-x")


def test_nothing_is_told_where_pip_failed(says):
    assert says(("flask", ["flask = f:m"]), FAKE_PIP_CODE="1") == ""


@pytest.mark.parametrize("code", [0, 1])
def test_closing_lines_come_behind_pips(with_pip, code):
    done = start(
        with_pip, FAKE_PIP_DOES="sys.stderr.write('pip\\n')", FAKE_PIP_CODE=str(code), SAFEPIP_RUN_CLOSING="a\nb"
    )
    assert (done.returncode, done.stderr) == (code, "pip\nsafepip: a\nsafepip: b\n")


# -- older Pythons

OLD = [
    path
    for version in ("2.7", "3.6", "3.7", "3.8", "3.9")
    for path in glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python"))
    if os.access(path, os.X_OK)
]


@pytest.mark.skipif(not OLD, reason="no older Python at hand")
@pytest.mark.parametrize("python", OLD, ids=[path.split("/")[-3] for path in OLD])
def test_older_pythons_run_it(python, home):
    mine = put_pip(os.path.join(home, "mine"))
    found = seen(None, "list", python=python, PYTHONPATH=mine, SAFEPIP_RUN_AS="/x/pip3")
    assert found["argv"] == ["/x/pip3", "list"]
    assert found["path"][0] == os.path.dirname(python)
    assert [name for name in found["environ"] if name.startswith("SAFEPIP_RUN")] == []


@pytest.mark.skipif(not OLD, reason="no older Python at hand")
@pytest.mark.parametrize("python", OLD, ids=[path.split("/")[-3] for path in OLD])
def test_older_pythons_are_refused_by_a_spare_pip_that_is_too_new(python, spare):
    put_pip(spare, needs="(3, 10)")
    words = ("-E", RUNNER, "list")  # after -S, so without the site-packages that its own pip lies in
    found = start(None, *words, runner="-S", python=python, SAFEPIP_RUN_SPARE=spare)
    assert found.returncode == 3, found.stderr
    assert "has no pip, and safepip's needs Python 3.10 or newer, not" in found.stderr
