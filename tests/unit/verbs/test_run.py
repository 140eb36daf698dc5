from __future__ import annotations

import os
import shutil

import pytest

from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.core.world import ABSENT, BIN, USABLE, Environment
from safepip.errors import SafepipError
from safepip.report import Report
from safepip.system.observe import Context, ambient
from safepip.verbs import run, shell


@pytest.fixture
def found(work):
    """An environment in use, with one program."""
    path = os.path.join(work, ".venv")
    os.makedirs(os.path.join(path, BIN))
    program(os.path.join(path, BIN, "flask"))
    python = os.path.join(path, BIN, "python")
    return Environment(path=path, known_as=path, state=USABLE, python=python)


def program(path):
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n")
    os.chmod(path, 0o755)
    return path


@pytest.fixture
def started(found, monkeypatch):
    """Carry out a word of safepip's own in that environment; return what would have been started, and how."""
    calls = []

    def start(argv, environ):
        calls.append((argv, environ))
        return 0

    for module in (run, shell):
        monkeypatch.setattr(module, "start", start)

    def started(main, *words, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        context = Context(
            Invocation(words=()), replace(ambient(), terminal=False), active=found, named_environment=None
        )
        assert main(words, context, Report()) == 0
        return calls[-1]

    return started


@pytest.mark.parametrize(("main_module", "way"), [(True, "-m flask"), (False, ".venv/bin/flask")])
def test_a_program_that_cannot_be_executed_is_126_with_the_way_by_python(found, work, started, main_module, way):
    """As on a file system that is mounted noexec."""
    site = os.path.join(found.path, "lib", "site")
    os.makedirs(os.path.join(site, "Flask-1.0.dist-info"))
    os.makedirs(os.path.join(site, "flask"))
    entries = "[console_scripts]\nflask = flask.cli:main\n"
    files = {"Flask-1.0.dist-info/METADATA": "Name: Flask\n", "Flask-1.0.dist-info/entry_points.txt": entries}
    for name, text in {**files, **({"flask/__main__.py": ""} if main_module else {})}.items():
        with open(os.path.join(site, name), "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(os.path.join(found.path, BIN, "flask"), 0o644)
    context = Context(Invocation(words=()), ambient(), active=replace(found, site=site), named_environment=None)
    with pytest.raises(SafepipError) as raised:
        run.main(("flask", "--version"), context, Report())
    assert (raised.value.code, raised.value.ways) == (126, (f"run it with Python: safepip run python {way}",))


@pytest.fixture(autouse=True)
def signals(monkeypatch):
    monkeypatch.setattr(run, "_give_signals_back", lambda: None)


def test_a_program_of_the_environment_is_started_by_its_path(started, found):
    argv, environ = started(run.main, "flask", "run", "--", "-x")
    assert argv == (os.path.join(found.path, BIN, "flask"), "run", "--", "-x")
    assert environ["VIRTUAL_ENV"] == found.path
    assert environ["PATH"].startswith(os.path.join(found.path, BIN) + os.pathsep)


def test_two_dashes_end_the_options_of_run(started, found):
    assert started(run.main, "--", "flask")[0] == (os.path.join(found.path, BIN, "flask"),)


@pytest.mark.parametrize("name", ["app.py", "app.pyw", "app.pyz"])
def test_a_python_file_is_run_by_the_environments_python(started, found, work, name):
    with open(os.path.join(work, name), "w", encoding="utf-8"):
        pass
    assert started(run.main, name, "a")[0] == (found.python, name, "a")
    assert started(run.main, f"./{name}")[0] == (found.python, f"./{name}")


def test_an_executable_file_named_by_path_is_run_itself(started, work):
    path = program(os.path.join(work, "tool.py"))
    assert started(run.main, "./tool.py")[0] == (path,)


def test_a_module_is_run_by_the_environments_python(started, found):
    assert started(run.main, "-m", "http.server", "0")[0] == (found.python, "-m", "http.server", "0")


def test_what_the_environment_lacks_is_looked_for_on_path(started, home):
    path = program(os.path.join(home, "tool"))
    assert started(run.main, "tool", PATH=home)[0] == (path,)


def script(found, name, python, *, long=False):
    """Write a script that names a Python in its first line, or as one does where that would be too long."""
    path = program(os.path.join(found.path, BIN, name))
    quotes = "'" * 3
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\n{quotes}exec\' {python} "$0" "$@"\n' if long else f"#!{python}\n")
    return path


@pytest.mark.parametrize("long", [False, True])
def test_a_script_that_names_the_python_of_another_environment_is_run_by_its_own(
    started, found, home, capfd, long
):
    other = os.path.join(home, "other")
    os.makedirs(os.path.join(other, BIN))
    python = program(os.path.join(other, BIN, "python3"))
    path = script(found, "tool", python, long=long)
    assert started(run.main, "tool")[0] == (path,)  # no environment: the user's own choice
    with open(os.path.join(other, "pyvenv.cfg"), "w", encoding="utf-8"):
        pass
    assert started(run.main, "tool", "x")[0] == (found.python, path, "x")
    assert f"tool names {python}, which is another environment's\n" in capfd.readouterr().err
    shutil.rmtree(other)
    assert started(run.main, "tool")[0] == (found.python, path)
    said = capfd.readouterr().err
    assert f"tool names {python}, which is gone\n" in said
    assert "safepip env repair\n" in said


def test_a_script_of_the_environments_own_python_is_started_as_it_is(started, found, home, capfd):
    path = script(found, "tool", os.path.join(found.path, BIN, "python"))
    program(os.path.join(found.path, BIN, "python"))
    assert started(run.main, "tool")[0] == (path,)
    os.symlink(found.path, os.path.join(home, "link"))
    script(found, "tool", os.path.join(home, "link", BIN, "python"))
    assert started(run.main, "tool")[0] == (path,)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "what", "ways"),
    [
        ("flsk", "there is no program flsk in .venv, nor on PATH", ("maybe flask? safepip run flask",)),
        (
            "zz",
            "there is no program zz in .venv, nor on PATH",
            ("install the package that has it: safepip install …",),
        ),
        ("no.py", "there is no file no.py here, nor a program of that name", ()),
    ],
)
def test_a_missing_program_never_names_a_package_to_install(started, name, what, ways):
    with pytest.raises(SafepipError) as raised:
        started(run.main, name, PATH="/nowhere")
    assert (raised.value.code, raised.value.what, raised.value.ways) == (127, what, ways)


def test_an_environment_that_was_named_is_not_exchanged_for_the_home_environment(work):
    missing = Environment(path="/nope", known_as="/nope", state=ABSENT)
    context = Context(
        Invocation(words=()), replace(ambient(), terminal=False), named_environment=("--env", missing)
    )
    with pytest.raises(SafepipError) as raised:
        run.to_run_in(context, Report())
    assert raised.value.code == 3
    assert "/nope" in raised.value.what


@pytest.mark.parametrize("words", [(), ("--",), ("",), ("-x", "flask")])
def test_without_a_program_it_is_a_wrong_use(started, words):
    with pytest.raises(SafepipError) as raised:
        started(run.main, *words)
    assert raised.value.code == 64


@pytest.mark.parametrize(
    ("name", "argument", "variable"),
    [
        ("bash", "--rcfile", None),
        ("fish", "-C", None),
        ("zsh", None, "ZDOTDIR"),
        ("mksh", None, "ENV"),
        ("tcsh", None, None),
    ],
)
def test_a_shell_is_started_so_that_the_environment_comes_first(
    started, found, home, monkeypatch, name, argument, variable
):
    path = program(os.path.join(home, name))
    monkeypatch.setattr(shell, "users_shell", lambda _environ: path)
    argv, environ = started(shell.main, SAFEPIP_ACTIVATED=found.path)
    assert argv[:2] == ((path, argument) if argument else (path,))
    assert environ["SAFEPIP_SHELL"] == environ["VIRTUAL_ENV"] == found.path
    assert "SAFEPIP_ACTIVATED" not in environ
    if variable:
        assert os.path.exists(environ[variable])


def test_a_shell_within_a_shell_is_refused(started, found):
    with pytest.raises(SafepipError) as raised:
        started(shell.main, SAFEPIP_SHELL=found.path, VIRTUAL_ENV=found.path)
    assert raised.value.code == 64


def test_a_shell_takes_no_words(started):
    with pytest.raises(SafepipError):
        started(shell.main, "bash")
