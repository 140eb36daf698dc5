"""What a decision is made from, looked up in real directories; only what surrounds the process is given."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys

import pytest

from safepip.core.invocation import read_invocation
from safepip.core.plan import StepDown
from safepip.core.record import replace
from safepip.core.world import ABSENT, BROKEN, FOREIGN, NOWHERE, UNFINISHED, UNTRUSTED, USABLE, Ambient
from safepip.envs import redirects
from safepip.errors import NOT_FOUND, USAGE, SafepipError
from safepip.system import registry
from safepip.system.observe import Context, ambient, apply_changes, enter
from safepip.system.process import ACTIVATED, HANDOVER
from safepip.system.project_tools.tools import note_hinted
from safepip.system.stages import decided

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the layout of POSIX")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")

MINOR = "{}.{}".format(*sys.version_info)
ME = os.geteuid()
SOMEONE = 12345


def write(path, text="", mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def give_away(path, uid=SOMEONE):
    os.lchown(path, uid, uid)
    for at, folders, names in os.walk(path):
        for name in (*folders, *names):
            os.lchown(os.path.join(at, name), uid, uid)


@pytest.fixture
def programs(home, base_python):
    """The folder on PATH: it holds python3 and python, both the Python under test."""
    path = os.path.join(home, "bin")
    os.mkdir(path)
    for name in ("python3", "python", f"python{MINOR}"):
        os.symlink(base_python, os.path.join(path, name))
    return path


@pytest.fixture
def own(home):
    """The environment that safepip itself lies in."""
    path = os.path.join(home, "tools", "safepip")
    write(os.path.join(path, "pyvenv.cfg"), "home = /usr/bin\n")
    write(os.path.join(path, "bin", "python3"), "binary", 0o755)
    return path


@pytest.fixture
def world(home, work, programs, own):
    """Return the Context of a line; by keyword what surrounds it, `environ` beside PATH."""

    def world(
        line="install six", *, program="safepip", module=False, environ=None, tell=None, keep=True, **around
    ):
        invocation = read_invocation(program, shlex.split(line), module=module)
        given = {
            "environ": {"PATH": programs, **(environ or {})},
            "cwd": work,
            "home": home,
            "user": ME,
            "platform": "linux",
            "executable": os.path.join(own, "bin", "python3"),
            "prefix": own,
            "base_prefix": "/usr",
            "terminal": False,
        }
        ambient = Ambient(**{**given, **around})
        return Context(invocation, ambient, tell or (lambda _line: None), keep=keep)

    return world


@pytest.fixture
def made(world, environment):
    """The finished environment at .venv, as if safepip had made it."""
    registry.note(world().state, environment, registry.MADE)
    return environment


# -- what surrounds the process


def test_an_empty_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("SAFEPIP_BYPASS", "")
    monkeypatch.setenv("SAFEPIP_ENV", "x")
    found = ambient().environ
    assert "SAFEPIP_BYPASS" not in found
    assert found["SAFEPIP_ENV"] == "x"


def test_the_process_is_told_as_it_is(work, home, monkeypatch):
    found = ambient()
    assert (found.cwd, found.home, found.user, found.platform) == (work, home, ME, sys.platform)
    assert (found.executable, found.prefix, found.base_prefix) == (sys.executable, sys.prefix, sys.base_prefix)
    monkeypatch.setattr(sys, "stderr", None)
    assert ambient().terminal is False


def test_a_working_directory_that_is_gone_is_none(work):
    os.rmdir(work)
    assert ambient().cwd is None


def test_without_home_the_password_database_says_where_it_is(monkeypatch):
    monkeypatch.delenv("HOME")
    assert ambient().home == pwd.getpwuid(ME).pw_dir
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert ambient().home is None


def test_a_home_that_is_not_there_is_none_but_in_a_folder_of_the_users(home, monkeypatch):
    """Debian's /nonexistent must not come to be; a home yet to be made in one's own folder may."""
    for missing, found in (("/nonexistent", None), (f"{home}/new", f"{home}/new"), (f"{home}/a/b", None)):
        monkeypatch.setenv("HOME", missing)
        assert ambient().home == found
    monkeypatch.setenv("HOME", f"{home}/new")
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert ambient().home is None


def test_a_profile_of_windows_is_a_home(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setenv("USERPROFILE", "/profile")
    monkeypatch.setattr(sys, "platform", "win32")
    assert ambient().home == "/profile"
    monkeypatch.delenv("USERPROFILE")
    assert ambient().home is None


def test_a_project_is_entered(work):
    os.mkdir("sub")
    enter("sub")
    assert os.getcwd() == os.path.join(work, "sub")


@pytest.mark.parametrize(("folder", "why"), [("gone", "No such file or directory"), ("file", "Not a directory")])
def test_what_cannot_be_entered_is_told(work, folder, why):
    write(os.path.join(work, "file"))
    with pytest.raises(SafepipError) as raised:
        enter(folder)
    assert (raised.value.code, raised.value.what) == (USAGE, f"{folder}: {why}")


# -- looked up once


def test_a_value_given_beforehand_stands(world):
    given = Context(world().invocation, world().ambient, managed="yes", project="mine")
    assert (given.managed, given.project) == ("yes", "mine")


def test_what_was_looked_up_is_kept(world, work):
    found = world("list")
    assert found.project.marker == ""
    write(os.path.join(work, "pyproject.toml"))
    assert found.project.marker == ""
    assert world("list").project.marker == "pyproject.toml"


@pytest.mark.parametrize(
    "name", ["SAFEPIP_BYPASS", "PIP_AUTO_COMPLETE", "PIP_BUILD_TRACKER", "_PIP_RUNNING_IN_SUBPROCESS"]
)
def test_the_variable_that_asks_for_bare_pip_is_named(world, name):
    assert world(environ={name: "1"}).untouched == name
    assert world().untouched is None


# -- the line, and pip's configuration


def test_the_line_is_read_with_the_users_configuration(world, home):
    write(os.path.join(home, ".config/pip/pip.conf"), "[install]\ntarget = d\n")
    found = world("install six")
    assert found.command.target == "d"
    assert found.command is found.first_reading


def test_the_targets_own_configuration_counts_too(world, made):
    write(os.path.join(made, "pip.conf"), "[install]\nprefix = p\n")
    found = world(f"--python {made} install six")
    assert found.first_reading.prefix is None
    assert found.command.prefix == "p"


def test_a_file_of_pips_may_opt_out_or_name_an_interpreter(world, home):
    assert (world().opts_out, world().configured_python) == (None, False)
    path = write(
        os.path.join(home, ".config/pip/pip.conf"), "[global]\nbreak-system-packages = true\npython = /x\n"
    )
    assert world().opts_out == path
    assert world().configured_python


@pytest.mark.parametrize(
    ("line", "environ", "quiet"),
    [
        ("-q list", {}, True),
        ("list", {"PIP_QUIET": "1"}, True),
        ("list", {"SAFEPIP_QUIET": "yes"}, True),
        ("freeze", {}, True),
        ("list", {}, False),
    ],
)
def test_silence_is_asked_for(world, line, environ, quiet):
    assert world(line, environ=environ).quiet is quiet


def test_a_broken_configuration_is_noticed(world, home):
    assert not world().pip_is_misconfigured
    write(os.path.join(home, ".config/pip/pip.conf"), "no section\n")
    assert world().pip_is_misconfigured


def test_what_the_line_names_is_looked_for_from_the_working_directory(world, work, home):
    write(f"{work}/r.txt")
    assert world("install -r r.txt").missing_input is None
    assert world("install -r r.txt", cwd=home).missing_input == "r.txt cannot be opened"


# -- whom the command would have served


def test_the_first_python3_on_path_is_served(world, programs, base):
    said = []
    target = world(tell=said.append).target
    assert (target.python, target.prefix, target.chosen_on_line) == (f"{programs}/python3", None, False)
    assert target.interpreter.real == base.real
    assert said == [f"python3 on PATH: {programs}/python3"]


def test_where_there_is_no_python3_python_is_served(world, programs):
    os.unlink(f"{programs}/python3")
    assert world().target.python == f"{programs}/python"


def test_where_there_is_none_safepips_own_base_is_served(world, home, programs, monkeypatch):
    environ = {"PATH": os.path.join(home, "nothing")}
    monkeypatch.setattr(sys, "_base_executable", f"{programs}/python")
    assert world(environ=environ).target.python == f"{programs}/python"
    monkeypatch.setattr(sys, "_base_executable", "")
    assert world(environ=environ, executable=f"{programs}/python3").target.python == f"{programs}/python3"


def test_the_version_in_the_name_picks_the_interpreter(world, programs):
    target = world(program=f"pip{MINOR}").target
    assert (target.python, target.chosen_on_line) == (f"{programs}/python{MINOR}", True)
    target = world(program="pip3").target
    assert (target.python, target.chosen_on_line) == (f"{programs}/python3", False)


@pytest.mark.parametrize(
    ("how", "missing"),
    [
        ({"program": "pip3.99"}, "python3.99"),
        ({"program": "pip4"}, "python4"),
        ({"environ": {"SAFEPIP_PYTHON": "3.98"}}, "python3.98"),
        ({"environ": {"SAFEPIP_PYTHON": "pypy9"}}, "pypy9"),
    ],
)
def test_a_python_that_is_not_there_is_told(world, how, missing):
    with pytest.raises(SafepipError) as raised:
        world(**how).target  # noqa: B018  looked up by that
    assert (raised.value.code, raised.value.what) == (NOT_FOUND, f"there is no {missing} on PATH")


@pytest.mark.parametrize(
    ("wanted", "python"),
    [
        (MINOR, f"bin/python{MINOR}"),
        (f"{MINOR}.1", f"bin/python{MINOR}"),
        ("python", "bin/python"),
        ("~/bin/python", "bin/python"),
        ("{home}/bin/python3", "bin/python3"),
        ("../bin/python3", "bin/python3"),
    ],
)
def test_the_setting_names_the_interpreter(world, home, wanted, python):
    target = world(environ={"SAFEPIP_PYTHON": wanted.replace("{home}", home)}).target
    assert (target.python, target.chosen_on_line) == (os.path.join(home, python), False)


def test_the_name_typed_comes_before_the_setting(world, programs):
    assert world(program="pip3", environ={"SAFEPIP_PYTHON": "python"}).target.python == f"{programs}/python3"


def test_python_m_safepip_serves_the_running_interpreter(world, programs):
    target = world(module=True, executable=f"{programs}/python", prefix="/usr").target
    assert (target.python, target.chosen_on_line) == (f"{programs}/python", True)


@pytest.mark.parametrize("receipt", ["pipx_metadata.json", "uv-receipt.toml", "safepip-app"])
def test_python_m_safepip_of_a_tools_environment_serves_another(world, own, programs, receipt):
    write(os.path.join(own, receipt))
    assert world(module=True).target.python == f"{programs}/python3"


def test_python_m_safepip_of_another_environment_serves_that(world, made):
    around = {"executable": f"{made}/bin/python", "prefix": made}
    found = world(module=True, **around)
    assert (found.target.prefix, found.target.chosen_on_line) == (made, True)
    assert found.active.path == made


def test_safepips_own_environment_is_passed_over(world, own, programs):
    path = os.pathsep.join((f"{own}/bin", programs))
    assert world(environ={"PATH": path}).target.python == f"{programs}/python3"


def test_unless_virtual_env_names_it(world, own, programs):
    path = os.pathsep.join((f"{own}/bin", programs))
    target = world(environ={"PATH": path, "VIRTUAL_ENV": own}).target
    assert (target.python, target.prefix) == (f"{own}/bin/python3", own)


def test_unless_it_is_the_projects(world, environment, programs):
    path = os.pathsep.join((f"{environment}/bin", programs))
    target = world(environ={"PATH": path}, prefix=environment).target
    assert target.prefix == environment


def test_without_an_environment_of_its_own_nothing_is_passed_over(world, programs):
    found = world(prefix="/usr", base_prefix="/usr")
    assert found.target.python == f"{programs}/python3"


def test_a_version_managers_shim_is_asked_each_time(world, home, programs, base_python):
    os.unlink(f"{programs}/python3")
    write(f"{programs}/python3", f'#!/bin/sh\necho >>{home}/asked\nexec {base_python} "$@"\n', 0o755)
    said = []
    for count in (1, 2):
        assert os.path.realpath(world(tell=said.append).target.python) == base_python
        with open(f"{home}/asked") as file:
            assert len(file.readlines()) == count
    assert any(line.startswith("the shim means ") for line in said)


def test_a_shim_that_fails_has_the_last_word(world, programs):
    os.unlink(f"{programs}/python3")
    write(f"{programs}/python3", "#!/bin/sh\nexit 42\n", 0o755)
    with pytest.raises(SafepipError) as raised:
        world().target  # noqa: B018  looked up by that
    assert (raised.value.code, raised.value.what) == (42, "")


@pytest.mark.parametrize("line", ["install six", "--python ../bin/python3 list"])
def test_what_does_not_answer_is_a_problem(world, programs, line):
    os.unlink(f"{programs}/python3")
    shutil.copy("/bin/false", f"{programs}/python3")
    assert world(line).target.problem.startswith(f"{programs}/python3 does not answer as a Python does")
    assert world(line).managed is False


# -- the interpreter that the line names


def test_python_may_name_a_file(world, programs):
    found = world("--python ../bin/python list")
    assert (found.target.python, found.target.chosen_on_line) == (f"{programs}/python", True)
    assert found.typed_interpreter.python == f"{programs}/python3"
    assert found.active is None


def test_python_may_name_a_directory(world, environment):
    found = world("--python .venv list")
    assert (found.target.prefix, found.target.chosen_on_line) == (environment, True)
    assert found.target.python == f"{environment}/bin/python"


def test_python_may_name_an_environment_of_windows(world, work):
    os.makedirs(f"{work}/w/Scripts")
    shutil.copy("/bin/false", f"{work}/w/Scripts/python.exe")
    assert world("--python w list").target.python == f"{work}/w/Scripts/python.exe"


@pytest.mark.parametrize("name", ["gone", "empty"])
def test_python_may_name_nothing(world, work, name):
    os.mkdir(f"{work}/empty")
    path = f"{work}/empty/bin/python" if name == "empty" else f"{work}/gone"
    target = world(f"--python {name} list").target
    assert (target.python, target.problem, target.chosen_on_line) == (path, f"there is no {path}", True)


def test_python_may_name_what_cannot_be_run_and_pip_says_so(world, work):
    """Pip itself: ERROR: Failed to run pip under …, exit code 1."""
    path = write(f"{work}/data.txt", "no program")
    assert world("--python data.txt list").target.problem.startswith(f"{path} cannot be run")


def test_an_active_environment_whose_base_cannot_be_run_is_broken(world, environment, home):
    """Its own Python, a copy, may well run: row 5 hands the line to it."""
    python = f"{environment}/bin/python"
    os.unlink(python)
    shutil.copy("/bin/sh", python)
    write(f"{environment}/pyvenv.cfg", f"home = {home}\nbase-executable = {write(f'{home}/data', 'x')}\n")
    assert world(environ={"PATH": f"{environment}/bin"}).active.state == BROKEN


# -- managed or not


@pytest.mark.parametrize(
    ("variables", "managed"),
    [
        ({"SAFEPIP_MANAGED": "{python}"}, True),
        ({"SAFEPIP_MANAGED": "~/bin/python3"}, True),
        ({"SAFEPIP_MANAGED": "{real}"}, True),
        ({"SAFEPIP_UNMANAGED": "{real}"}, False),
        ({"SAFEPIP_MANAGED": "{real}", "SAFEPIP_UNMANAGED": "{real}"}, True),
    ],
)
def test_the_settings_say_what_is_managed(world, programs, base, variables, managed):
    fill = {"{python}": f"{programs}/python3", "{real}": base.real}
    environ = {name: fill.get(value, value) for name, value in variables.items()}
    assert world(environ=environ).managed is managed


@pytest.mark.parametrize("marked", [True, False])
def test_the_marker_says_what_is_managed(world, home, marked):
    said = []
    found = world(tell=said.append)
    target = found.target
    stdlib = os.path.join(home, "stdlib")
    os.mkdir(stdlib)
    if marked:
        write(os.path.join(stdlib, "EXTERNALLY-MANAGED"))
    found.target = replace(target, interpreter=replace(target.interpreter, stdlib=stdlib))
    assert found.managed is marked
    assert said[-1] == f"{stdlib}/EXTERNALLY-MANAGED {'is there' if marked else 'is not there'}"


def test_an_environment_is_never_managed(world, made, programs):
    assert world(environ={"PATH": f"{made}/bin"}).managed is False
    found = world(environ={"SAFEPIP_MANAGED": "/"})
    target = found.target
    found.target = replace(target, interpreter=replace(target.interpreter, prefix="/elsewhere"))
    assert found.managed is False


# -- the active environment


@pytest.fixture
def managed(base_python):
    return {"SAFEPIP_MANAGED": base_python}


def test_the_environment_first_on_path_is_active(world, environment, programs):
    found = world(environ={"PATH": os.pathsep.join((f"{environment}/bin", programs))})
    assert (found.active.state, found.active.path) == (USABLE, environment)
    assert found.stale_active is None
    assert found.base.real == os.path.realpath(f"{environment}/bin/python")


def test_a_variable_alone_counts_where_the_target_is_managed(world, environment, managed, base_python):
    assert world(environ={"VIRTUAL_ENV": environment, **managed}).active.path == environment
    assert world(environ={"VIRTUAL_ENV": ".venv", **managed}).active.path == environment
    assert world(environ={"VIRTUAL_ENV": environment, "SAFEPIP_UNMANAGED": base_python}).active is None


def test_the_base_is_the_target_where_no_environment_is_first_on_path(world, environment, managed):
    found = world(environ={"VIRTUAL_ENV": environment, **managed})
    assert found.base == found.target.interpreter


def test_an_environment_that_is_broken_has_no_base(world, environment):
    python = f"{environment}/bin/python"
    path = os.path.dirname(python)
    os.unlink(f"{environment}/bin/python3")
    shutil.copy("/bin/false", f"{environment}/bin/python3")
    os.unlink(python)
    found = world(environ={"PATH": path})
    assert found.target.prefix == environment
    assert found.active.state == BROKEN
    assert found.base is None


@pytest.mark.parametrize(
    ("how", "active"),
    [
        ({"program": f"pip{MINOR}"}, True),
        ({"program": "pip3"}, True),
        ({"line": "--python ../bin/python3 list"}, False),
    ],
)
def test_a_line_that_names_an_interpreter_has_its_environment_only(world, environment, managed, how, active):
    found = world(environ={"VIRTUAL_ENV": environment, **managed}, **how)
    assert (found.active is not None) is active
    assert found.stale_active is None


def test_an_environment_of_another_version_than_the_name_is_not_active(
    world, environment, managed, programs, base_python
):
    os.symlink(base_python, f"{programs}/python3.1")
    found = world(program="pip3.1", environ={"VIRTUAL_ENV": environment, **managed})
    assert found.active is None
    assert found.stale_active is None


def test_python_m_safepip_has_no_active_environment_by_variable(world, environment, managed, base_python):
    found = world(
        module=True, executable=base_python, prefix="/usr", environ={"VIRTUAL_ENV": environment, **managed}
    )
    assert found.active is None
    assert found.stale_active is None


@pytest.mark.parametrize("there", [True, False])
def test_a_variable_that_names_no_environment_is_stale(world, work, managed, there):
    path = work if there else f"{work}/gone"
    found = world(environ={"VIRTUAL_ENV": path, **managed})
    assert found.claimed_active == ("VIRTUAL_ENV", path)
    assert found.active is None
    assert found.stale_active == ("VIRTUAL_ENV", path)


def test_nothing_is_claimed_where_nothing_is_active(world, managed):
    found = world(environ=managed)
    assert (found.claimed_active, found.active, found.stale_active) == (("", ""), None, None)


def test_a_conda_prefix_counts_unless_it_is_base(world, home, managed):
    conda = os.path.join(home, "conda")
    write(f"{conda}/conda-meta/history")
    assert world(environ={"CONDA_PREFIX": conda}).claimed_active == ("CONDA_PREFIX", conda)
    found = world(environ={"CONDA_PREFIX": conda, "VIRTUAL_ENV": "/v"})
    assert found.claimed_active == ("VIRTUAL_ENV", "/v")
    os.mkdir(f"{conda}/condabin")
    assert world(environ={"CONDA_PREFIX": conda}).claimed_active == ("", "")


# -- what a shell's hook activated goes by the directory


@pytest.fixture
def other(home, finished):
    """A project of its own beside the working directory."""
    write(f"{home}/other/pyproject.toml")
    return f"{home}/other"


@pytest.fixture
def hooked(world, made, programs):
    """The variables of a shell whose hook has activated the environment of the working directory."""
    registry.note(world().state, made, registry.MADE)
    return {ACTIVATED: made, "VIRTUAL_ENV": made, "PATH": f"{made}/bin:{programs}"}


def test_what_a_hook_activated_is_left_in_another_project(world, hooked, other, programs, managed):
    found = world(environ=hooked, cwd=other)
    assert dict(found.due_changes) == {ACTIVATED: None, "VIRTUAL_ENV": None, "PATH": programs}


def test_what_a_hook_activated_stands_in_its_own_project(world, hooked, work, home, made):
    os.makedirs(f"{work}/below")
    os.symlink(work, f"{home}/link")
    linked = {name: value.replace(made, f"{home}/link/.venv") for name, value in hooked.items()}
    for environ, cwd in ((hooked, work), (hooked, f"{work}/below"), (linked, work)):
        assert world(environ=environ, cwd=cwd).due_changes == ()


def test_the_environment_that_the_hook_would_activate_takes_its_place(world, hooked, other, programs, finished):
    own = shutil.copytree(finished, f"{other}/.venv", symlinks=True)
    found = world(environ=hooked, cwd=other)
    assert dict(found.due_changes)["VIRTUAL_ENV"] is None  # neither made nor adopted by safepip
    registry.note(found.state, own, registry.MADE)
    due = dict(world(environ=hooked, cwd=other).due_changes)
    assert due == {ACTIVATED: own, "VIRTUAL_ENV": own, "PATH": f"{own}/bin:{programs}"}
    assert world(environ={**hooked, **due}, cwd=other).due_changes == ()
    write(f"{own}/.safepip/creating")
    assert dict(world(environ=hooked, cwd=other).due_changes)["VIRTUAL_ENV"] is None


@pytest.mark.parametrize(
    "of_the_user",
    [
        {"VIRTUAL_ENV": "/another"},
        {ACTIVATED: ""},
        {"PATH": "{made}/bin:{PATH}"},
        {"PATH": "{made}/../.venv/bin:{PATH}"},
        {"PATH": "{made}/bin/:{PATH}"},
        {"SAFEPIP_BYPASS": "1"},
    ],
    ids=[
        "another is active",
        "no hook",
        "activated by hand on top of it",
        "by hand in other words",
        "by hand with a slash",
        "bare pip is asked for",
    ],
)
def test_what_the_user_chose_counts_anywhere(world, hooked, other, made, of_the_user):
    said = {name: value.format(made=made, PATH=hooked["PATH"]) for name, value in of_the_user.items()}
    environ = {name: value for name, value in {**hooked, **said}.items() if value}
    assert world(environ=environ, cwd=other).due_changes == ()


@pytest.mark.parametrize("is_project", [True, False], ids=["where another would be activated", "where none would"])
def test_what_the_user_put_before_it_on_path_stays_before(world, hooked, other, finished, programs, is_project):
    own = shutil.copytree(finished, f"{other}/.venv", symlinks=True)
    if is_project:
        registry.note(world().state, own, registry.MADE)
    found = world(environ={**hooked, "PATH": f"/mine/bin:{hooked['PATH']}"}, cwd=other)
    put = f":{own}/bin" if is_project else ""
    assert dict(found.due_changes)["PATH"] == f"/mine/bin{put}:{programs}"


def test_what_is_no_more_on_path_is_not_put_there_again(world, hooked, other, finished, programs):
    own = shutil.copytree(finished, f"{other}/.venv", symlinks=True)
    registry.note(world().state, own, registry.MADE)
    due = dict(world(environ={**hooked, "PATH": programs}, cwd=other).due_changes)
    assert (due["VIRTUAL_ENV"], due["PATH"]) == (own, programs)


def test_beside_a_conda_environment_nothing_is_activated(world, hooked, other, finished, programs):
    own = shutil.copytree(finished, f"{other}/.venv", symlinks=True)
    registry.note(world().state, own, registry.MADE)
    conda = {**hooked, "CONDA_DEFAULT_ENV": "foo", "PATH": f"/foo/bin:{hooked['PATH']}"}
    due = dict(world(environ=conda, cwd=other).due_changes)
    assert (due["VIRTUAL_ENV"], due["PATH"]) == (None, f"/foo/bin:{programs}")
    assert (
        dict(world(environ={**hooked, "CONDA_DEFAULT_ENV": "base"}, cwd=other).due_changes)["VIRTUAL_ENV"] == own
    )


def test_a_python_typed_in_a_shell_with_the_hook_may_be_another(world, programs):
    """`python -m pip` where there is only python3: any will do, as for pip."""
    os.unlink(f"{programs}/python")
    environ = {"SAFEPIP_HOOK": "1", "SAFEPIP_PYTHON": "python", "PATH": programs}
    assert os.path.basename(world(environ=environ).typed_interpreter.python) == "python3"
    with pytest.raises(SafepipError):
        _ = world(environ={"SAFEPIP_PYTHON": "python", "PATH": programs}).typed_interpreter


def test_without_a_directory_nothing_is_active_by_it(world, hooked, programs):
    assert dict(world(environ=hooked, cwd=None).due_changes)["PATH"] == programs


def test_the_changes_that_are_due_become_those_of_the_process(monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", "/e")
    monkeypatch.setenv("PATH", "/e/bin:/a")
    monkeypatch.delenv(ACTIVATED, raising=False)
    apply_changes((("VIRTUAL_ENV", None), ("PATH", "/a"), (ACTIVATED, None)))
    assert (os.environ.get("VIRTUAL_ENV"), os.environ["PATH"], os.environ.get(ACTIVATED)) == (None, "/a", None)


# -- sudo


@pytest.mark.parametrize(
    ("user", "environ", "behind"),
    [
        (0, {"SUDO_UID": "1000", "SUDO_GID": "100"}, (1000, 100)),
        (0, {"SUDO_UID": "1000"}, (1000, -1)),
        (0, {"SUDO_UID": "1000", "SUDO_GID": "x"}, (1000, -1)),
        (0, {"SUDO_UID": "0", "SUDO_GID": "0"}, None),
        (0, {"SUDO_UID": "-5"}, None),
        (0, {"SUDO_UID": "x"}, None),
        (0, {}, None),
        (1000, {"SUDO_UID": "1000", "SUDO_GID": "1000"}, None),
    ],
)
def test_who_called_sudo_is_known(world, user, environ, behind):
    assert world(user=user, environ=environ).sudo_user == behind


def test_what_is_theirs_belongs_to_who_called_sudo(world, work):
    mine = os.lstat(work).st_uid or SOMEONE
    if ME == 0:
        os.chown(work, SOMEONE, SOMEONE)
    found = world(user=0, environ={"SUDO_UID": str(mine), "SUDO_GID": "7"})
    assert found.owner_behind_sudo(work) == (mine, 7)
    assert found.owner_behind_sudo("/") is None
    assert found.owner_behind_sudo(f"{work}/gone") is None
    assert world(user=0).owner_behind_sudo(work) is None


def test_owners_are_the_user_and_root(world, work):
    assert world(user=4321).owners == {0, 4321}
    assert world(user=4321, cwd=None).owners == {0, 4321}


def test_plain_root_serves_whoever_owns_the_working_directory(world, work):
    owner = os.lstat(work).st_uid
    if ME == 0:
        owner = SOMEONE
        os.chown(work, SOMEONE, SOMEONE)
    assert world(user=0).owners == {0, owner}
    assert world(user=0, cwd=None).owners == {0}
    assert world(user=0, environ={"SUDO_UID": "77"}).owners == {0}


# -- within a pip that safepip started


def test_within_a_pip_of_safepips_its_environment_is_known(world, environment):
    for process in (os.getpid(), os.getppid()):
        assert world(environ={HANDOVER: f"{process}:{environment}"}).inside.path == environment


@pytest.mark.parametrize("mark", ["", ":{}", "x:{}", "1:{}", "999999999:{}", "{}", "0:{}", "-1:{}"])
def test_a_mark_of_a_process_that_is_no_ancestor_does_not_count(world, environment, mark):
    assert world(environ={HANDOVER: mark.format(environment)}).inside is None


def test_a_mark_that_names_no_environment_does_not_count(world, work):
    assert world(environ={HANDOVER: f"{os.getpid()}:{work}/gone"}).inside is None
    assert world(environ={HANDOVER: f"{os.getpid()}:{work}/a:b"}).inside is None


# -- the environment that is named


def test_an_environment_is_named_by_the_option_then_the_variable_then_python(world, environment, work):
    assert world("list").named_environment is None
    what, found = world("--python .venv list").named_environment
    assert (what, found.path, found.state) == ("--python", environment, USABLE)
    what, found = world("--python .venv list", environ={"SAFEPIP_ENV": "x"}).named_environment
    assert (what, found.path, found.state) == ("SAFEPIP_ENV", f"{work}/x", ABSENT)
    what, found = world("--env ../y --python .venv list", environ={"SAFEPIP_ENV": "x"}).named_environment
    assert (what, found.path) == ("--env", f"{os.path.dirname(work)}/y")


def test_what_is_named_or_activated_needs_no_trust(world, environment, work):
    assert world().place.state == UNTRUSTED
    assert world("--env .venv list").named_environment[1].state == USABLE
    assert world("--python .venv list").named_environment[1].state == USABLE
    assert world(environ={"PATH": f"{environment}/bin"}).active.state == USABLE


def test_python_that_names_an_interpreter_names_no_environment(world):
    assert world("--python ../bin/python list").named_environment is None


# -- the project and its settings


def test_the_settings_of_the_project_count(world, work):
    path = write(f"{work}/pyproject.toml", '[tool.safepip]\nenv-dir = "e"\n')
    found = world()
    assert found.settings.env_dir == "e"
    assert dict(found.settings.origins)["env-dir"].startswith(path)
    assert found.place.path == f"{work}/e"
    assert world(cwd=None).settings.env_dir == ".venv"
    assert world(cwd=None).project is None


def test_an_environment_called_as_the_settings_say_is_the_projects(world, work, environment):
    os.rename(environment, f"{work}/mine")
    os.mkdir(f"{work}/sub")
    found = world(cwd=f"{work}/sub", environ={"SAFEPIP_ENV_DIR": "mine"})
    assert (found.project.root, found.project.marker) == (work, "mine")
    assert found.place.path == f"{work}/mine"


def test_a_directory_without_marker_becomes_a_project(world, work):
    said = []
    found = world(tell=said.append)
    assert (found.project.root, found.project.marker) == (work, "")
    assert f"project: {work} (no marker)" in said


def test_the_home_directory_becomes_none_unless_the_settings_say_so(world, home):
    said = []
    assert world(cwd=home, tell=said.append).project is None
    assert said == ["no project"]
    found = world(cwd=home, environ={"SAFEPIP_OUTSIDE_PROJECT": "cwd"})
    assert (found.project.root, found.project.marker) == (home, "")


# -- the place


def test_the_place_is_venv_in_the_project(world, work):
    write(f"{work}/pyproject.toml")
    assert (world().place.path, world().place.state) == (f"{work}/.venv", ABSENT)


def test_outside_of_projects_it_is_the_home_environment(world, home):
    assert world(cwd=home).place.path == f"{home}/.local/share/safepip/home"


def test_without_a_home_it_is_nowhere(world):
    found = world(cwd="/", home=None)
    assert (found.place.state, found.place.path) == (NOWHERE, "")
    assert found.place.reason == "there is no home directory to keep an environment in"
    assert (found.cache, found.state, found.data) == (None, None, None)


def test_the_folders_are_those_of_the_user(world, home):
    found = world(environ={"XDG_CACHE_HOME": "/c"})
    assert (found.cache, found.state, found.data) == (
        "/c/safepip", f"{home}/.local/state/safepip", f"{home}/.local/share/safepip",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["work", "a b:c", "caf\udce9", "x" * 100, "näme"])
def test_central_environments_have_the_name_of_the_project(world, home, name):
    root = os.path.join(home, "projects", name)
    os.makedirs(root)
    path = world(cwd=root, environ={"SAFEPIP_ENV_DIR": "central"}).place.path
    folder, called = os.path.split(path)
    assert folder == f"{home}/.local/share/safepip/envs"
    stem, _, digest = called.rpartition("-")
    assert stem == "".join(char if char.isalnum() or char in "._-" else "_" for char in name)[:64]
    assert len(digest) == 12
    link = os.path.join(home, "link")
    os.symlink(root, link)
    assert world(cwd=root, environ={"SAFEPIP_ENV_DIR": "central"}).place.path == path
    assert os.path.basename(path).encode()


def test_the_root_directory_has_a_name_too(world):
    found = world()
    assert os.path.basename(found.central("/").path).startswith("root-")


@pytest.mark.parametrize("name", ["a:b", "caf\udce9"])
def test_a_name_that_is_not_fit_for_an_environment_is_kept_centrally(world, home, name):
    root = os.path.join(home, "projects", name)
    os.makedirs(root)
    said = []
    assert world(cwd=root, tell=said.append).place.path.startswith(f"{home}/.local/share/safepip/envs/")
    assert f"{root} cannot hold an environment" in said


def test_a_project_that_cannot_be_written_is_kept_centrally(world, work, home, monkeypatch):
    write(f"{work}/pyproject.toml")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **by: path != work and access(path, mode, **by))
    assert world().place.path.startswith(f"{home}/.local/share/safepip/envs/work-")


def test_an_existing_environment_serves_where_the_project_cannot_be_written(world, made, work, monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **by: path != work and access(path, mode, **by))
    assert world().place.path == made


def test_a_file_in_the_way_of_env_dir_stays_and_the_environment_is_kept_centrally(world, work, home):
    write(f"{work}/pyproject.toml")
    write(f"{work}/e", "mine\n")
    path = world(environ={"SAFEPIP_ENV_DIR": "e"}).place.path
    assert path.startswith(f"{home}/.local/share/safepip/envs/work-")


def test_a_file_that_another_tool_keeps_a_name_in_is_kept_clear_of(world, work, home):
    write(f"{work}/.venv", "blog-3.12\n")
    write(f"{work}/pyproject.toml")
    assert world().place.path.startswith(f"{home}/.local/share/safepip/envs/work-")


@as_root
def test_beside_another_users_environment_ones_own_is_kept_elsewhere(world, work, home):
    write(f"{work}/pyproject.toml")
    os.mkdir(f"{work}/.venv")
    give_away(f"{work}/.venv")
    found = world().place
    assert (found.state, found.reason_for_other_place) == (ABSENT, ".venv belongs to another user")
    assert found.path.startswith(f"{home}/.local/share/safepip/envs/work-")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("../gone", ".venv points at {home}/gone, which does not exist{way}"),
        (".tox/py311", ".venv points at {work}/.tox/py311, which does not exist{way}"),
        (".tox/py312", ".venv leads to .tox/py312, which tox or nox may empty"),
        ("blog-3.12", ".venv is a file with the name blog-3.12, which another tool may know"),
    ],
)
@pytest.mark.parametrize("marked", [True, False])
def test_what_stands_in_the_place_of_an_environment_is_told(world, work, home, target, why, marked):
    write(f"{work}/.tox/py312/pyvenv.cfg")
    write(f"{work}/.venv", f"{target}\n")
    if marked:
        write(f"{work}/pyproject.toml")
    found = world().place
    way = " (to have it here: rm .venv, then install again)"
    assert (found.state, found.reason_for_other_place) == (ABSENT, why.format(home=home, work=work, way=way))
    if "{way}" in why:  # what is said does it
        os.unlink(f"{work}/.venv")
        assert (world().place.path, world().place.reason_for_other_place) == (f"{work}/.venv", "")
    assert found.path.startswith(f"{home}/.local/share/safepip/envs/work-")


def test_toxs_environment_is_read_until_there_is_another(world, work, environment):
    os.makedirs(f"{work}/.tox")
    os.rename(environment, f"{work}/.tox/py311")
    registry.note(world().state, f"{work}/.tox/py311", registry.MADE)
    write(f"{work}/.venv", ".tox/py311\n")
    assert (world().place.state, world().environment_to_read.path) == (ABSENT, f"{work}/.tox/py311")
    shutil.copytree(f"{work}/.tox/py311", f"{work}/venv", symlinks=True)
    registry.note(world().state, f"{work}/venv", registry.MADE)
    assert (world().place.path, world().environment_to_read.path) == (f"{work}/venv", f"{work}/venv")


def test_of_toxs_environments_only_a_usable_one_is_read(world, work):
    write(f"{work}/.tox/py311/pyvenv.cfg")
    write(f"{work}/.venv", ".tox/py311\n")
    found = world()
    assert found.environment_to_read is found.place


@as_root
@pytest.mark.parametrize(
    ("uid", "gid", "mode", "central"),
    [
        (SOMEONE, 0, 0o755, True),
        (0, 0, 0o777, True),
        (0, SOMEONE, 0o775, True),
        (0, 0, 0o775, False),
        (0, SOMEONE, 0o755, False),
        (0, SOMEONE, 0o1777, False),
    ],
)
def test_root_makes_no_environment_where_others_can_rename_it(world, work, uid, gid, mode, central):
    write(f"{work}/pyproject.toml")
    os.chown(work, uid, gid)
    os.chmod(work, mode)
    found = world(user=0).place
    assert (found.path != f"{work}/.venv") is central
    assert (found.reason_for_other_place == f"others can rename what root puts into {work}") is central


@as_root
def test_root_uses_no_environment_of_the_projects_owner(world, work, home, environment):
    give_away(work)
    assert world(user=0).place.path.startswith(f"{home}/.local/share/safepip/envs/work-")


@as_root
def test_root_may_adopt_its_own_environment_in_another_users_project(world, work, environment):
    os.chown(work, SOMEONE, SOMEONE)
    found = world(user=0).place
    assert found.path == environment
    assert found.reason.startswith("was made elsewhere"), "it is a copy: all else was looked at"


@as_root
def test_root_may_use_its_own_environment_in_another_users_project(world, work, made):
    os.chown(work, SOMEONE, SOMEONE)
    assert (world(user=0).place.path, world(user=0).place.state) == (made, USABLE)


def test_the_users_own_settings_may_lead_out_of_it(world, work, home):
    os.symlink(home, f"{work}/link")
    write(f"{work}/pyproject.toml")
    assert world(environ={"SAFEPIP_ENV_DIR": "link/e"}).place.state == ABSENT
    assert world(environ={"SAFEPIP_ENV_DIR": "~/e"}).place.path == f"{home}/e"


@pytest.mark.parametrize("there", [True, False])
def test_the_projects_own_settings_do_not_lead_out_of_it_by_a_link(world, work, home, environment, there):
    shutil.move(environment, f"{home}/elsewhere")
    write(f"{work}/pyproject.toml", '[tool.safepip]\nenv-dir = "link/e"\n')
    os.symlink(home, f"{work}/link")
    if there:
        os.rename(f"{home}/elsewhere", f"{home}/e")
    found = world().place
    assert (found.state, found.path) == (FOREIGN, f"{work}/link/e")
    assert found.reason == "leads out of the project by a link, which its own settings may not"


# -- projects that another tool keeps


def test_the_environment_of_the_tool_that_keeps_the_project_is_its(world, work, home, environment):
    write(f"{work}/uv.lock")
    os.rename(environment, f"{work}/of-uv")
    found = world(environ={"UV_PROJECT_ENVIRONMENT": "of-uv"})
    assert found.keeper == "uv"
    assert found.place.path == f"{work}/of-uv"
    assert world(environ={"UV_PROJECT_ENVIRONMENT": "gone"}).place.path == f"{work}/.venv"


def test_a_directory_without_marker_is_kept_by_nobody(world, work, home):
    assert world().keeper is None
    assert world(cwd=home).keeper is None


def test_how_the_dependency_is_recorded_is_told_once(world, work):
    write(f"{work}/uv.lock")
    found = world("install six")
    line = "this project is kept by uv; to record the dependency: uv add six"
    assert found.manager_hint == (work, line)
    note_hinted(found.state, work)
    assert world("install six").manager_hint is None


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ("install six", {"SAFEPIP_HINTS": "0"}),
        ("install six", {"SAFEPIP_MANAGER_HINT": "no"}),
        ("install .", {}),
        ("install -r r.txt", {}),
    ],
)
def test_it_is_not_told_where_nobody_wants_it_or_nothing_is_named(world, work, line, environ):
    write(f"{work}/uv.lock")
    assert world(line, environ=environ).manager_hint is None


def test_a_project_that_nobody_keeps_has_no_hint(world, home):
    assert world().manager_hint is None
    assert world(cwd=home).manager_hint is None


# -- trust


@pytest.fixture
def anothers(base_python, work):
    """An environment that another tool made here; the fixture `environment` is one that was copied here."""
    path = os.path.join(work, ".venv")
    subprocess.run([base_python, "-I", "-m", "venv", "--without-pip", path], check=True)
    return path


@pytest.mark.parametrize("how", [registry.MADE, registry.TRUSTED])
def test_what_safepip_made_or_the_user_trusts_is_not_looked_at(world, environment, how):
    assert world().place.state == UNTRUSTED
    registry.note(world().state, environment, how)
    assert world().place.state == USABLE


def test_one_of_others_is_refused_with_the_reason(world, environment, finished):
    found = world()
    reason = f"was made elsewhere (in {finished}) and copied here"
    assert (found.place.state, found.place.reason) == (UNTRUSTED, reason)
    assert registry.registration(found.state, environment) is None


def test_one_of_others_is_looked_at_once(world, anothers):
    found = world()
    assert found.place.state == USABLE
    assert registry.registration(found.state, anothers).how == registry.ADOPTED
    os.chmod(anothers, 0o777)
    assert world().place.state == USABLE
    registry.forget(found.state, anothers)
    assert world().place.reason == "can be written by everybody"


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_one_of_others_is_looked_at_again_when_gits_index_has_changed(world, anothers, work):
    write(f"{work}/one")
    write(f"{anothers}/bin/planted")
    git(work, "init", "--quiet")
    git(work, "add", "one")
    assert world().place.state == USABLE
    os.chmod(anothers, 0o777)
    assert world().place.state == USABLE
    os.chmod(anothers, 0o755)
    git(work, "add", "--force", ".venv/bin/planted")
    assert world().place.reason.startswith("came with the repository")


def git(folder, *words):
    """Have git do something, by no settings of anybody's."""
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "-C", folder, *words], env=environ, check=True)


def test_a_decision_that_is_only_explained_adopts_nothing(world, anothers):
    found = world(keep=False)
    assert found.place.state == USABLE
    assert registry.registration(found.state, anothers) is None


@pytest.mark.parametrize(
    ("trust", "state"),
    [
        ("{work}", USABLE),
        ("{work}/.venv", USABLE),
        ("~/work", USABLE),
        ("/nowhere:{home}", USABLE),
        ("{home}/link", USABLE),
        ("{work}/.ven", UNTRUSTED),
        ("{work}/.venv/bin", UNTRUSTED),
        ("/nowhere", UNTRUSTED),
    ],
)
def test_the_setting_names_folders_to_trust(world, environment, work, home, trust, state):
    os.symlink(work, f"{home}/link")
    found = world(environ={"SAFEPIP_TRUST": trust.format(work=work, home=home)})
    assert found.place.state == state


def test_a_link_is_trusted_for_what_it_leads_to(world, environment, work, home):
    os.rename(environment, f"{home}/real")
    os.symlink(f"{home}/real", environment)
    assert world(environ={"SAFEPIP_TRUST": f"{home}/real"}).place.state == USABLE
    assert world(environ={"SAFEPIP_TRUST": work}).place.state == UNTRUSTED


# -- a redirect into another project's environment

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


@pytest.fixture
def end(made, home, work):
    """Another project's environment, which safepip made, named by the file .venv in the working directory."""
    path = os.path.join(home, "end", ".venv")
    os.makedirs(os.path.dirname(path))
    os.rename(made, path)
    registry.forget(os.path.join(home, ".local/state/safepip"), path)
    registry.note(os.path.join(home, ".local/state/safepip"), path, registry.MADE)
    write(f"{work}/.venv", path)
    git(work, "init", "--quiet")
    write(f"{work}/pyproject.toml")
    git(work, "add", "pyproject.toml")
    return path


@needs_git
def test_a_redirect_of_the_users_own_is_followed(world, end):
    for _ in "12":  # git is asked the first time alone
        assert (world().place.state, world().place.path) == (USABLE, end)


@needs_git
@pytest.mark.parametrize("how", [registry.MADE, registry.TRUSTED, "setting"])
def test_a_redirect_that_git_tracks_is_not_followed_to_what_is_trusted(world, end, work, how):
    environ = {}
    if how == "setting":
        registry.forget(world().state, end)
        environ = {"SAFEPIP_TRUST": end}
    else:
        registry.note(world().state, end, how)
    assert world(environ=environ).place.state == USABLE
    git(work, "add", "--force", ".venv")
    place = world(environ=environ).place
    assert (place.state, place.known_as) == (UNTRUSTED, f"{work}/.venv")
    assert place.reason == f"came with the repository (git tracks it) and leads to {end}"
    assert world(f"--env {end}").named_environment[1].state == USABLE


@needs_git
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", ""),
        ("pdm.lock", "{end}/bin/python"),
        ("hatch.toml", "[envs.default]\npath = '{end}'\n"),
    ],
)
def test_nor_is_what_a_tracked_file_of_another_tools_names(world, end, work, name, text):
    file = {"uv.lock": ".venv", "pdm.lock": ".pdm-python"}.get(name, name)
    write(f"{work}/{name}")
    if text:
        os.unlink(f"{work}/.venv")
        write(f"{work}/{file}", text.format(end=end))
    assert (world().place.state, world().place.path) == (USABLE, end)
    git(work, "add", "--force", file)
    assert (world().place.state, world().place.known_as) == (UNTRUSTED, f"{work}/{file}")


@needs_git
@pytest.mark.parametrize("state", [BROKEN, UNFINISHED])
def test_nor_is_it_followed_to_one_that_would_be_made_good(world, end, work, state):
    git(work, "add", "--force", ".venv")
    if state == BROKEN:
        os.unlink(f"{end}/bin/python")
    else:
        write(f"{end}/.safepip/creating", "token")
        write(f"{end}/pyvenv.cfg", "home = /usr/bin\nsafepip-creation = token\n")
    assert world().examine(end).state == state
    assert world().place.state == UNTRUSTED


@needs_git
def test_a_tracked_link_is_not_followed_to_what_the_setting_trusts(world, end, work):
    os.unlink(f"{work}/.venv")
    os.symlink(end, f"{work}/.venv")
    environ = {"SAFEPIP_TRUST": end}
    assert world(environ=environ).place.state == USABLE
    git(work, "add", "--force", ".venv")
    assert world(environ=environ).place.state == UNTRUSTED


@needs_git
def test_a_tracked_redirect_within_the_project_is_followed(world, end, work):
    inside = f"{work}/envs/dev"
    os.makedirs(os.path.dirname(inside))
    os.rename(end, inside)
    registry.forget(world().state, inside)
    registry.note(world().state, inside, registry.MADE)
    write(f"{work}/.venv", "envs/dev")
    git(work, "add", "--force", ".venv")
    assert (world().place.state, world().place.path) == (USABLE, inside)


@needs_git
def test_trust_of_a_redirect_ends_where_it_leads_elsewhere(world, end, work, home):
    git(work, "add", "--force", ".venv")
    redirects.trust(world().state, f"{work}/.venv", end)
    assert world().place.state == USABLE
    third = f"{home}/third/.venv"
    os.makedirs(os.path.dirname(third))
    os.rename(end, third)
    registry.note(world().state, third, registry.TRUSTED)
    write(f"{work}/.venv", third)
    assert world().place.state == UNTRUSTED


# -- as the user would type it


@pytest.mark.parametrize(
    ("cwd", "shown"),
    [
        ("/home/u/blog", ".venv"),
        ("/home/u", "blog/.venv"),
        ("/home/u/blo", "/home/u/blog/.venv"),
        ("/home/u/blog/templates", "/home/u/blog/.venv"),
        ("/", "/home/u/blog/.venv"),
        (None, "/home/u/blog/.venv"),
    ],
)
def test_an_environment_is_shown_as_typed_from_here(world, cwd, shown):
    found = world().examine("/home/u/blog/.venv")
    assert world(cwd=cwd).typed(found) == shown
    assert world(cwd=cwd).display(found) == shown


@pytest.mark.parametrize("below", ["", "/.local/share", "/blog"])
def test_the_users_data_is_never_shown_as_a_folder_of_this_place(world, home, below):
    context = world(cwd=home + below)
    found = context.examine(os.path.join(context.data, "home"))
    assert context.typed(found) == found.path  # in a command
    assert context.display(found) == "~" + found.path.removeprefix(home)


def test_the_users_data_elsewhere_is_shown_by_its_path(world, tmp_path):
    context = world(environ={"XDG_DATA_HOME": str(tmp_path)})
    found = context.examine(os.path.join(context.data, "home"))
    assert found.path.startswith(str(tmp_path))
    assert context.display(found) == found.path


# -- what a decision looks at

NO_LOOK = {
    "install six": {"pip_is_misconfigured", "missing_input", "outer_environment"},
    "list": {"pip_is_misconfigured", "missing_input", "outer_environment", "manager_hint"},
    "--env ../there list": {"place", "project", "keeper", "manager_hint", "missing_input"},
    "--system list": {"place", "project", "environment_to_read", "keeper"},
    "env list": {"target", "managed", "active", "place", "project"},
    "--safepip-version": {"target", "managed", "active", "place", "project"},
}


@pytest.mark.parametrize("line", NO_LOOK)
def test_a_line_is_decided_by_no_more_than_it_needs(world, made, managed, line):
    found = world(line, environ=managed)
    decided(found)
    assert NO_LOOK[line] & set(vars(found)) == set()


def test_what_is_not_managed_is_left_to_pip_without_a_look_for_an_environment(world, base_python):
    found = world(environ={"SAFEPIP_UNMANAGED": base_python})
    assert decided(found).handover.environment is None
    assert {"place", "environment_to_read", "keeper"} & set(vars(found)) == set()


def test_a_file_of_pips_is_read_once_for_all_the_pythons_that_may_read_it(world, made, managed, home, opened):
    """Before the target is known, by the target's pip and by the environment's."""
    file = write(f"{home}/.config/pip/pip.conf", "[global]\nretries = 3\n")
    opened.clear()
    plan = decided(world("list", environ=managed))
    assert plan.handover.environment == made
    assert opened.count(file) == 1


def test_within_a_pip_of_safepips_no_interpreter_is_looked_for(world, made):
    found = world(environ={HANDOVER: f"{os.getppid()}:{made}"})
    assert decided(found).handover.environment == made
    assert {"target", "typed_interpreter", "managed", "active", "place", "project"} & set(vars(found)) == set()


def test_root_by_sudo_reads_no_file_of_the_project_before_it_steps_down(work, home, base_python, opened):
    """The user's directories are another's to root, so neither project nor settings nor environment are found."""
    for name, text in PROJECT_FILES.items():
        os.makedirs(os.path.dirname(os.path.join(work, name)), exist_ok=True)
        with open(os.path.join(work, name), "w") as file:
            file.write(text)
    uid = SOMEONE if ME == 0 else ME
    if ME == 0:
        give_away(work)
    programs = os.path.join(os.path.dirname(home), "bin")
    os.mkdir(programs)
    os.symlink(base_python, os.path.join(programs, "python3"))
    environ = {"PATH": programs, "SAFEPIP_MANAGED": base_python, "SUDO_UID": str(uid), "SUDO_GID": str(uid)}
    around = Ambient(
        environ=environ,
        cwd=work,
        home=os.path.join(os.path.dirname(home), "root"),
        user=0,
        platform="linux",
        executable=base_python,
        prefix="/usr",
        base_prefix="/usr",
        terminal=False,
    )
    for line in ("install six", "list", "uninstall six", "install -r requirements.txt"):
        world = Context(read_invocation("safepip", line.split()), around)
        opened.clear()
        plan = decided(world)
        assert isinstance(plan, StepDown)
        assert (plan.uid, plan.gid) == (uid, uid)
        assert world.managed
        assert world.project is None
        assert (world.settings.quiet, world.settings.origins) == (False, (("managed", "SAFEPIP_MANAGED"),))
        assert [
            path for path in opened if path.startswith(work) and path != work
        ] == []  # the folder is walked up from


PROJECT_FILES = {
    "pyproject.toml": '[tool.safepip]\nquiet = true\nenv-dir = "mine"\n[project]\nname = "x"\n',
    "requirements.txt": "six\n",
    "uv.lock": "",
    ".git/index": "",
    ".venv/pyvenv.cfg": "home = /usr/bin\n",
    ".venv/bin/python": "#!/bin/sh\n",
}


_seen = []
_recording = []
sys.addaudithook(
    lambda event, args: (
        _seen.append(os.fsdecode(args[0]))
        if _recording and event in {"open", "os.listdir", "os.scandir"} and isinstance(args[0], str | bytes)
        else None
    )
)


@pytest.fixture
def opened():
    """The paths of files that were opened and of directories that were listed."""
    _recording.append(True)
    yield _seen
    _recording.clear()
    _seen.clear()
