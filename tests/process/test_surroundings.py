"""Odd working directories, users, environments and times: it works, or says one plain line, and never a traceback."""

from __future__ import annotations

import glob
import json
import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from real_world import NOBODY
from sandbox import Ran, Sandbox, look, make_sdist, put_recording_pip, without_times

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


def assert_plain(ran: Ran, code: int) -> None:
    assert b"Traceback" not in ran.err
    assert ran.code == code, ran.err
    assert ran.out == b""
    assert ran.said
    assert ran.pips_err == b""


# --- working directories

ODD = (
    "with space and per%cent",
    "quo'te\"d",
    "ünïcode-名前-\U0001f40d",
    "n" * 200,
    "new\nline",
    "$HOME;`x`",
    "-dash",
    "a:b",
    "b\udcffd",
)


@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name)[:30])
def test_odd_working_directories_work(sandbox: Sandbox, name: str) -> None:
    os.makedirs(cwd := os.path.join(sandbox.project, name))
    with open(os.path.join(cwd, "pyproject.toml"), "w", encoding="utf-8"):
        pass
    ran = sandbox.run("install", "beta", cwd=cwd)
    assert ran.code == 0, ran.err
    environment = json.loads(sandbox.run("explain", "--json", "list", cwd=cwd).out)["environment"]
    assert {"alpha", "beta"} <= sandbox.packages(os.path.join(environment, "bin", "python"))
    if "\n" not in environment:  # no first line can hold that, with pip alone either
        assert sandbox.call([os.path.join(environment, "bin", "beta")]).out == b"this is beta 1.0\n"


@pytest.mark.parametrize("line", [["install", "alpha"], ["list"], ["freeze"], ["--version"]], ids=" ".join)
def test_deleted_working_directory(sandbox: Sandbox, line: list[str]) -> None:
    shell = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    ran = sandbox.call(["sh", "-c", shell, "sh", sandbox.safepip, *line])
    bare = sandbox.call(["sh", "-c", shell, "sh", "/usr/bin/pip", *line])
    assert b"safepip itself" not in ran.err
    assert not [line for line in ran.said if "Traceback" in line]
    if bare.code == 0:
        assert ran.code == 0, ran.err
    else:
        assert ran.code in {0, 1, 2, 73}
        assert b"Traceback" not in ran.err or b"Traceback" in bare.err


def test_home_unset(sandbox: Sandbox, own_for_all: str, cache: str) -> None:
    """Then pip and safepip ask the password database; here for a user that has no home."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    elsewhere = {f"XDG_{kind}_HOME": os.path.join(sandbox.temporary, kind) for kind in ("CACHE", "STATE", "DATA")}
    os.mkdir(elsewhere["XDG_CACHE_HOME"])
    os.symlink(cache, os.path.join(elsewhere["XDG_CACHE_HOME"], "safepip"))  # a warm one
    inside = sandbox.run("install", "alpha", env={"HOME": None, **elsewhere})
    assert inside.code == 0, inside.err
    assert "alpha" in sandbox.packages()
    give_away(sandbox)
    ran = as_nobody(sandbox, [own_for_all, "explain", "list"], env={"HOME": None})
    assert (ran.code, ran.err) == (0, b"")


# --- projects that cannot be written


def give_away(sandbox: Sandbox) -> None:
    for folder, _, _ in os.walk(sandbox.root):
        os.chown(folder, NOBODY, NOBODY)


def as_nobody(sandbox: Sandbox, argv: list[str], **how: object) -> Ran:
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return sandbox.call([*become, *argv], **how)  # type: ignore[arg-type]


def test_ordinary_user_installs(nobodys: Sandbox) -> None:
    ran = as_nobody(nobodys, [nobodys.safepip, "install", "alpha"])
    assert ran.code == 0, ran.err
    assert "alpha" in nobodys.packages()
    assert not [path for path, _, _ in os.walk(nobodys.venv) if os.stat(path).st_uid != NOBODY]


def test_state_and_cache_that_root_left_do_not_matter(nobodys: Sandbox) -> None:
    """As after a sudo that kept HOME: nothing can be read or written there."""
    os.unlink(os.path.join(nobodys.home, ".cache", "safepip"))
    for place in (".local/state/safepip/environments", ".cache/safepip/interpreters"):
        os.makedirs(os.path.join(nobodys.home, place))
    for place in (".local/state/safepip", ".cache/safepip"):
        os.chmod(os.path.join(nobodys.home, place), 0o700)
    for line in (["install", "alpha"], ["list"]):
        ran = as_nobody(nobodys, [nobodys.safepip, *line])
        assert ran.code == 0, ran.err
    assert b"alpha" in ran.out


def test_read_only_project_has_its_environment_in_the_users_data(nobodys: Sandbox) -> None:
    os.chmod(nobodys.project, 0o555)
    with open(os.path.join(nobodys.home, "project", "pyproject.toml"), "w", encoding="utf-8"):
        pass
    ran = as_nobody(nobodys, [nobodys.safepip, "install", "alpha"])
    assert ran.code == 0, ran.err
    assert os.listdir(nobodys.project) == ["pyproject.toml"]
    central = os.path.join(nobodys.home, ".local", "share", "safepip", "envs")
    (name,) = os.listdir(central)
    assert name.startswith("project-")
    assert as_nobody(nobodys, [nobodys.safepip, "freeze"]).out == b"alpha==2.0\n"


def test_read_only_home_and_project_is_one_plain_error(nobodys: Sandbox) -> None:
    os.unlink(os.path.join(nobodys.home, ".cache", "safepip"))
    os.chmod(nobodys.project, 0o555)
    os.chmod(nobodys.home, 0o555)
    assert_plain(as_nobody(nobodys, [nobodys.safepip, "install", "alpha"]), 73)
    listed = as_nobody(nobodys, [nobodys.safepip, "list"])
    assert (listed.code, listed.said) == (0, [])


def test_read_only_environment_gives_pips_own_error(nobodys: Sandbox) -> None:
    assert as_nobody(nobodys, [nobodys.safepip, "install", "alpha"]).code == 0
    subprocess.run(["chown", "-R", "root:root", nobodys.project], check=True)
    ran = as_nobody(nobodys, [nobodys.safepip, "install", "many0"])
    assert ran.code == 1
    assert b"Permission denied" in ran.err
    assert as_nobody(nobodys, [nobodys.safepip, "freeze"]).out == b"alpha==2.0\n"


def test_read_only_file_system(sandbox: Sandbox) -> None:
    if (
        os.geteuid() != 0
        or shutil.which("bwrap") is None
        or subprocess.run(["bwrap", "--ro-bind", "/", "/", "true"], check=False).returncode
    ):
        pytest.skip("needs bubblewrap that works")
    wall = [
        "bwrap",
        "--ro-bind",
        "/",
        "/",
        "--tmpfs",
        sandbox.temporary,
        "--dev",
        "/dev",
        "--chdir",
        sandbox.project,
    ]
    assert_plain(sandbox.call([*wall, sandbox.safepip, "install", "alpha"]), 73)
    assert sandbox.call([*wall, sandbox.safepip, "list"]).code == 0
    assert sandbox.run("install", "alpha").code == 0
    assert sandbox.call([*wall, sandbox.safepip, "freeze"]).out == b"alpha==2.0\n"


# --- many at once


def test_ten_first_installs_at_once_make_one_environment_and_private_directories(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    box = make_sandbox(cold=True)
    running = [box.start("install", f"many{number}") for number in range(10)]
    ended = [(process.communicate(timeout=240), process.returncode) for process in running]
    assert [code for _, code in ended] == [0] * 10, [err for (_, err), _ in ended]
    assert {f"many{number}" for number in range(10)} <= box.packages()
    announced = [err for (_, err), _ in ended if b"safepip: creating" in err]
    assert len(announced) == 1
    assert os.listdir(box.project) == [".venv"]
    assert not os.path.lexists(os.path.join(box.venv, ".safepip", "creating"))
    assert box.venv_pip("check").code == 0
    # Nobody else may look into the directories that are safepip's own.
    assert box.run("install", "alpha", cwd=box.home).code == 0
    state = os.path.join(box.home, ".local", "state", "safepip")
    places = [state, os.path.join(box.home, ".local", "share", "safepip")]
    places += [os.path.join(state, name) for name in os.listdir(state)]
    places += [os.path.join(box.home, ".cache", "safepip")]
    assert {path: oct(os.stat(path).st_mode & 0o777) for path in places} == dict.fromkeys(places, "0o700")


# --- environments as they are found


@pytest.mark.parametrize("line", [["install", "alpha"], ["list"], ["uninstall", "-y", "pip"]], ids=" ".join)
@pytest.mark.parametrize("what", ["gone python", "no environment"])
def test_broken_environment_is_refused_and_left_alone(sandbox: Sandbox, what: str, line: list[str]) -> None:
    if what == "gone python":
        sandbox.write(".venv/pyvenv.cfg", "home = /nowhere/bin\nversion = 3.9.1\n")
        os.makedirs(os.path.join(sandbox.venv, "bin"))
        os.symlink("/nowhere/bin/python3.9", os.path.join(sandbox.venv, "bin", "python"))
    else:
        sandbox.write(".venv/mine.txt", "precious")
    before = look(sandbox.project)
    ran = sandbox.run(*line)
    assert look(sandbox.project) == before
    assert_plain(ran, 3)
    assert ran.said[0].startswith("error: .venv ")
    assert "safepip env repair" in ran.said[-1]


@pytest.mark.parametrize("what", ["link", "file"])
def test_what_leads_to_nothing_counts_as_absent_and_is_left_alone(sandbox: Sandbox, what: str) -> None:
    if what == "link":
        os.symlink("/nowhere/env", sandbox.venv)
    else:
        sandbox.write(".venv", "/nowhere/env\n")
    before = look(sandbox.project)
    ran = sandbox.run("install", "alpha")
    assert ran.code == 0, ran.err
    assert "this project's environment is kept in " in ran.said[0]
    assert "alpha" in sandbox.run("freeze").text
    assert look(sandbox.project) == before


def test_what_stood_in_an_environments_place_is_kept_by_repair(sandbox: Sandbox) -> None:
    sandbox.write(".venv/mine.txt", "precious")
    ran = sandbox.run("env", "repair", ".venv")
    assert ran.code == 0, ran.err
    (kept,) = glob.glob(os.path.join(sandbox.project, ".venv.old-*", "mine.txt"))
    with open(kept, encoding="utf-8") as file:
        assert file.read() == "precious"
    assert sandbox.run("install", "alpha").code == 0


def test_a_whole_python_in_an_environments_place_is_left_alone(sandbox: Sandbox) -> None:
    sandbox.write(".venv/lib/python3.11/os.py")
    before = look(sandbox.project)
    ran = sandbox.run("env", "repair", ".venv")
    assert_plain(ran, 3)
    assert look(sandbox.project) == before


def test_empty_environment_directory_is_finished(sandbox: Sandbox) -> None:
    os.makedirs(sandbox.venv)
    assert sandbox.run("install", "alpha").code == 0
    assert "alpha" in sandbox.packages()


def test_killed_creation_leaves_nothing_usable_and_the_next_command_succeeds(sandbox: Sandbox) -> None:
    running = sandbox.start("install", "alpha")
    until(lambda: os.path.exists(os.path.join(sandbox.venv, "pyvenv.cfg")))
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=60)
    assert b"alpha" not in sandbox.run("list").out
    ran = sandbox.run("install", "alpha")
    assert ran.code == 0, ran.err
    assert "alpha" in sandbox.packages()


def test_redirect_file_is_followed(furnished: Sandbox) -> None:
    os.makedirs(folder := os.path.join(furnished.home, "redirected"), exist_ok=True)
    with open(os.path.join(folder, ".venv"), "w", encoding="utf-8") as file:
        file.write("  ../project/.venv \nignored\n")
    assert furnished.run("freeze", cwd=folder) == furnished.venv_pip("freeze")
    assert furnished.run("install", "alpha", cwd=folder).code == 0
    assert os.listdir(folder) == [".venv"]


def test_file_with_the_bare_name_of_another_tools_environment_counts_as_absent(sandbox: Sandbox) -> None:
    sandbox.write(".venv", "my-env\n")
    before = look(sandbox.project)
    ran = sandbox.run("install", "alpha")
    assert look(sandbox.project) == before
    assert b"Traceback" not in ran.err
    central = os.path.join(sandbox.home, ".local", "share", "safepip", "envs")
    assert (ran.code, os.path.isdir(central)) == (0, True) or ran.said


def without_pip(sandbox: Sandbox) -> None:
    made = sandbox.call(["/usr/bin/python3", "-m", "venv", "--without-pip", sandbox.venv])
    assert made.code == 0, made


def test_environment_without_pip_is_served_by_safepips(sandbox: Sandbox) -> None:
    without_pip(sandbox)
    assert sandbox.run("list").out == b""
    ran = sandbox.run("install", "beta")
    assert ran.code == 0, ran.err
    assert sandbox.packages() == {"alpha", "beta"}
    assert sandbox.run("freeze", "--all").out == b"alpha==2.0\nbeta==1.0\n"
    assert sandbox.run("list", "--format=freeze").out == b"alpha==2.0\nbeta==1.0\n"
    assert [
        one
        for one in sandbox.run("inspect").text.splitlines()
        if "virtualenv" in one and "python-discovery" in one
    ] == []
    assert sandbox.call([os.path.join(sandbox.venv, "bin", "beta")]).out == b"this is beta 1.0\n"
    assert sandbox.run("uninstall", "-y", "beta").code == 0
    assert sandbox.packages() == {"alpha"}


def test_sdist_and_editable_in_an_environment_without_pip(sandbox: Sandbox) -> None:
    without_pip(sandbox)
    ran = sandbox.run("install", "delta")
    assert ran.code == 0, ran.err
    assert sandbox.packages() == {"delta"}


def test_old_pip_of_the_environment_is_kept_and_used(sandbox: Sandbox, published_wheels: str) -> None:
    old = [name for name in os.listdir(published_wheels) if name.startswith("pip-20.3.4-")]
    if not old:
        pytest.skip("there is no wheel of pip 20.3.4 in the folder of wheels")
    without_pip(sandbox)
    assert sandbox.run("install", os.path.join(published_wheels, old[0])).code == 0
    assert sandbox.run("--version").out.startswith(b"pip 20.3.4 from ")
    assert sandbox.run("install", "alpha").code == 0
    assert {"alpha", "pip"} <= sandbox.packages()


# --- pip called by what pip runs

NESTED = """
import os, subprocess
environ = dict(os.environ)
{change}
subprocess.run([{pip!r}, "install", "alpha"], check=True, env=environ)
"""


@pytest.mark.parametrize("change", ["pass", "environ.pop('PIP_BUILD_TRACKER')"], ids=["build hook", "by descent"])
def test_a_build_that_calls_pip_for_the_same_environment_does_not_deadlock(sandbox: Sandbox, change: str) -> None:
    os.makedirs(folder := os.path.join(sandbox.root, "sdists"))
    make_sdist(folder, "nested", "1.0", hook=NESTED.format(pip=sandbox.named("pip"), change=change))
    ran = sandbox.run("install", os.path.join(folder, "nested-1.0.tar.gz"), env={"SAFEPIP_LOCK_TIMEOUT": "20"})
    assert ran.code == 0, ran.err
    assert {"alpha", "nested"} <= sandbox.packages()


# --- the lock

# Ends with the sandbox, too: a build survives the pip that started it and was killed.
WAITING = """
import os, time
open({ready!r}, "w").close()
while os.path.exists({ready!r}) and not os.path.exists({go!r}):
    time.sleep(0.02)
"""


def until(condition: Callable[[], bool]) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("what was waited for did not come")


def test_pip_holds_the_environments_lock_as_long_as_it_runs(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    ready, go = (os.path.join(sandbox.root, name) for name in ("ready", "go"))
    os.makedirs(folder := os.path.join(sandbox.root, "sdists"))
    sdist = make_sdist(folder, "slow", "1.0", hook=WAITING.format(ready=ready, go=go))
    flock = ["flock", "-n", os.path.join(sandbox.venv, ".lock"), "true"]
    running = sandbox.start("install", sdist)
    try:
        until(lambda: os.path.exists(ready))
        assert sandbox.call(flock).code == 1
        assert sandbox.run("list").code == 0  # readers take none
    finally:
        with open(go, "w", encoding="utf-8"):
            pass
        out, err = running.communicate(timeout=60)
    assert (running.returncode, b"Successfully installed slow" in out) == (0, True), err
    assert sandbox.call(flock).code == 0


def test_waits_for_another_holder_and_says_so(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    fcntl = pytest.importorskip("fcntl")
    with open(os.path.join(sandbox.venv, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = sandbox.start("install", "alpha")
        assert running.stderr is not None
        line = running.stderr.readline()
        assert line.startswith(b"safepip: waiting for another command in ")
        assert running.poll() is None
        assert "alpha" not in sandbox.packages()
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, b"")
    assert "alpha" in sandbox.packages()


def test_lock_timeout_ends_with_75(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    fcntl = pytest.importorskip("fcntl")
    with open(os.path.join(sandbox.venv, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_plain(sandbox.run("install", "alpha", env={"SAFEPIP_LOCK_TIMEOUT": "1"}), 75)
        assert sandbox.run("freeze").code == 0


# --- ends


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGINT", "SIGHUP", "SIGPIPE"])
def test_a_signal_ends_safepip_as_it_ends_pip(sandbox: Sandbox, name: str) -> None:
    assert sandbox.run("env", "create").code == 0
    ready, go = (os.path.join(sandbox.root, one) for one in ("ready", "go"))
    os.makedirs(folder := os.path.join(sandbox.root, "sdists"))
    sdist = make_sdist(folder, "slow", "1.0", hook=WAITING.format(ready=ready, go=go))

    def ended(argv: list[str]) -> int:
        running = subprocess.Popen(
            argv, cwd=sandbox.project, env=sandbox.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: os.path.exists(ready))
        running.send_signal(getattr(signal, name))
        if name != "SIGPIPE":  # which Python ignores, so that pip goes on
            running.wait(timeout=60)
        with open(go, "w", encoding="utf-8"):
            pass
        code = running.wait(timeout=60)
        os.unlink(ready)
        os.unlink(go)
        return code

    assert ended([sandbox.safepip, "install", sdist]) == ended([sandbox.python, "-m", "pip", "install", sdist])


def test_closed_standard_output_ends_as_with_pip(furnished: Sandbox) -> None:
    shell = '"$@" | true; echo "${PIPESTATUS[0]}"'

    def ended(*argv: str) -> bytes:
        return furnished.call(["bash", "-c", shell, "bash", *argv, "inspect"]).out

    assert ended(furnished.safepip) == ended(furnished.python, "-m", "pip")


def test_no_python_on_path(sandbox: Sandbox) -> None:
    for path in ("/nowhere", "", sandbox.bin):
        ran = sandbox.run("--version", env={"PATH": path})
        assert b"Traceback" not in ran.err
        assert (ran.code, ran.out.startswith(b"pip ")) == (0, True), ran.err


def test_project_files_of_another_kind_change_nothing(sandbox: Sandbox) -> None:
    sandbox.write("pyproject.toml", b"\xff not toml [[[")
    ran = sandbox.run("list")
    assert ran.code == 0, ran.err
    before = without_times(look(sandbox.project))
    assert sandbox.run("explain", "install", "alpha").code == 0
    assert without_times(look(sandbox.project)) == before


def test_recording_pip_shows_the_program_that_signals_reach(sandbox: Sandbox) -> None:
    """No process of safepip's stays: what runs as pip is the process that was started."""
    assert sandbox.run("env", "create").code == 0
    put_recording_pip(sandbox.venv)
    with open(look_up(sandbox.venv, "main.py"), "w", encoding="utf-8") as file:
        file.write("import os\ndef main(args=None):\n    print(os.getpid(), flush=True)\n    return 0\n")
    running = sandbox.start("list")
    out, err = running.communicate(timeout=60)
    assert (int(out), err) == (running.pid, b"")


def look_up(root: str, name: str) -> str:
    return next(os.path.join(at, name) for at, _, names in os.walk(root) if name in names and at.endswith("cli"))
