"""`safepip doctor` where real environments, installs, owners and terminals count; the rest is in the unit tests."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest
from real_world import NOBODY
from sandbox import Ran, Sandbox, copy_interpreter, look

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Env = Mapping[str, str | None]

pytestmark = pytest.mark.slow


class Found(NamedTuple):
    """One finding."""

    id: str
    status: str
    why: str
    command: str | None


@pytest.fixture
def box(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Give a world in which nothing is wrong: safepip on PATH, and named in the file of the user's shell."""
    made = make_sandbox()
    settle(made)
    return made


def settle(made: Sandbox) -> None:
    made.named("safepip")
    made.variables |= {"PATH": f"{made.bin}:/usr/bin:/bin", "SHELL": "/bin/bash", "USER": "root"}
    made.variables.pop("PIP_USER", None)
    write(os.path.join(made.home, ".bashrc"), 'eval "$(safepip init bash)"\n')


def write(path: str, text: str = "", mode: int = 0o644) -> str:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def read(ran: Ran) -> list[Found]:
    assert b"Traceback" not in ran.err
    assert ran.code in {0, 1}, ran.err
    rows = json.loads(ran.out.splitlines()[-1])["findings"]
    assert all(list(row) == ["id", "status", "why", "command"] for row in rows)
    found = [Found(**row) for row in rows]
    assert ran.code == any(one.status == "problem" for one in found)
    assert all("\n" not in one.why and one.why for one in found)
    assert all(one.command for one in found if one.status != "ok")
    return found


def ids(found: list[Found]) -> list[str]:
    return [one.id for one in found if one.status != "ok"]


def after(box: Sandbox, command: str, env: Env | None, cwd: str | None = None) -> Ran:
    """Run the command as typed in a shell, then doctor in that same shell."""
    line = f"{command}\nexec safepip doctor --json"
    return box.call(["bash", "-c", line], env=env, cwd=cwd)


def diagnose(box: Sandbox, name: str, why: str, command: str, env: Env | None = None, **how: object) -> Found:
    """Assert that doctor names the fault `name`, with these words in its reason and its command."""
    found = read(box.run("doctor", "--json", env=env, **how))
    one = next((one for one in found if one.id == name and one.status != "ok"), None)
    assert one is not None, found
    assert why in one.why
    assert one.command is not None
    assert command in one.command
    return one


def mend(box: Sandbox, one: Found, env: Env | None = None, cwd: str | None = None) -> list[Found]:
    """Assert that the finding's command mends it."""
    assert one.command is not None
    ran = after(box, one.command, env, cwd)
    found = read(ran)
    assert one.id not in ids(found), (one, ran.err, found)
    return found


def broken(box: Sandbox, name: str, why: str, command: str, env: Env | None = None) -> None:
    mend(box, diagnose(box, name, why, command, env), env)


# --- nothing is wrong


def test_nothing_is_wrong(box: Sandbox) -> None:
    ran = box.run("doctor")
    assert (ran.code, ran.err) == (0, b"")
    assert ran.text.endswith("\nnothing is wrong\n")
    assert "EXTERNALLY-MANAGED" in ran.text
    assert "\x1b" not in ran.text


def test_nothing_is_touched(make_sandbox: Callable[..., Sandbox]) -> None:
    cold = make_sandbox(cold=True)
    before = look(cold.root)
    for line in (["doctor"], ["doctor", "--json"], ["doctor", "--managed"]):
        assert cold.run(*line).code in {0, 1}
    assert look(cold.root) == before


def test_a_furnished_project_is_whole_and_stays_as_it_is(furnished: Sandbox) -> None:
    before = look(furnished.home)
    found = read(furnished.run("doctor", "--json"))
    assert look(furnished.home) == before
    assert any(
        one.id == "environment" and f"{furnished.venv.replace(furnished.home, '~')}, is intact" in one.why
        for one in found
    )


def test_lines_fit_80_columns(box: Sandbox) -> None:
    ran = box.run("doctor", cwd="/")
    commands = {one.command for one in read(box.run("doctor", "--json", cwd="/"))}
    assert [
        line
        for line in ran.text.splitlines()
        if len(line) > 80 and line.strip() not in commands and " " in line.strip()
    ] == []


def test_colour_only_at_a_terminal(box: Sandbox) -> None:
    at_terminal = ["script", "-qec", f"{box.safepip} doctor", "/dev/null"]
    if shutil.which("script") is None:
        pytest.skip("needs script")
    assert b"\x1b[32mok" in box.call(at_terminal, env={"TERM": "xterm"}).out
    assert b"\x1b[" not in box.call(at_terminal, env={"TERM": "xterm", "NO_COLOR": "1"}).out
    assert b"\x1b[32mok" in box.call(at_terminal, env={"TERM": "xterm", "NO_COLOR": ""}).out
    wrong = ["script", "-qec", f"{box.safepip} env nosuch", "/dev/null"]
    assert box.call(wrong, env={"TERM": "xterm"}).out.startswith(b"safepip: \x1b[1;31merror\x1b[0m: env has")
    for plain in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "xterm", "PIP_NO_COLOR": "1"}):
        assert box.call(wrong, env=plain).out.startswith(b"safepip: error: env has")


# --- --managed


def test_managed(box: Sandbox, unmanaged_python: str) -> None:
    for line in ((), ("/usr/bin/python3",), ("python3",), ("3",)):
        ran = box.run("doctor", "--managed", *line)
        assert (ran.code, ran.err) == (0, b"")
        assert ran.text.startswith("/usr/bin/python3 is managed: /usr/lib/python3")
    ran = box.run("doctor", "--managed", unmanaged_python)
    assert ran.code == 1
    assert "is not managed: there is no " in ran.text
    said = box.run("doctor", "--managed", unmanaged_python, env={"SAFEPIP_MANAGED": unmanaged_python})
    assert (said.code, "by the setting managed (SAFEPIP_MANAGED)" in said.text) == (0, True)


# --- environments


@pytest.fixture
def installed(box: Sandbox) -> Sandbox:
    assert box.run("install", "beta").code == 0
    return box


def test_an_environment_whose_python_is_gone(installed: Sandbox) -> None:
    for name in os.listdir(folder := os.path.join(installed.venv, "bin")):
        if name.startswith("python"):
            os.unlink(os.path.join(folder, name))
    os.symlink("/usr/bin/python3.4", installed.python)
    broken(installed, "environment-broken", "was made with Python 3.", "safepip env repair .venv")


def test_an_environment_of_another_python_now(installed: Sandbox) -> None:
    (library,) = os.listdir(os.path.join(installed.venv, "lib"))
    os.rename(os.path.join(installed.venv, "lib", library), os.path.join(installed.venv, "lib", "python3.4"))
    config = os.path.join(installed.venv, "pyvenv.cfg")
    with open(config, encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith(("version", "python-version"))]
    write(config, "".join(lines) + "version = 3.4.1\n")
    broken(installed, "environment-broken", "was made with Python 3.4, which is gone", "safepip env repair .venv")


def test_a_moved_project(installed: Sandbox) -> None:
    moved = os.path.join(installed.home, "moved")
    os.rename(installed.project, moved)
    one = diagnose(installed, "environment-moved", "was made elsewhere", "safepip env repair .venv", cwd=moved)
    mend(installed, one, cwd=moved)


def test_an_environment_without_pip(installed: Sandbox) -> None:
    remove_from(installed, "pip")
    broken(installed, "environment-without-pip", "has lost its pip", "safepip env repair .venv")


def test_an_environment_that_lacks_files(installed: Sandbox) -> None:
    remove_from(installed, "alpha.py")
    broken(installed, "environment-damaged", "has damaged files of alpha", "safepip env repair .venv")


def remove_from(box: Sandbox, start: str) -> None:
    """Remove what begins so from the site-packages of the project's environment."""
    (library,) = os.listdir(os.path.join(box.venv, "lib"))
    site = os.path.join(box.venv, "lib", library, "site-packages")
    for name in os.listdir(site):
        path = os.path.join(site, name)
        if name.startswith(start):
            os.unlink(path) if os.path.isfile(path) else shutil.rmtree(path)


def test_an_install_that_was_killed(installed: Sandbox) -> None:
    leave_journal(installed, installed.venv)
    broken(installed, "install-killed", "was killed", "safepip env repair .venv")


def test_a_repair_that_was_killed(installed: Sandbox) -> None:
    """As after the old environment was moved aside: the next command would make a bare one in its place."""
    code = (
        "import os, sys, types; from safepip.envs import exchange; state, path = sys.argv[1:]\n"
        "at, context = os.stat(path), types.SimpleNamespace(state=state)\n"
        "under = exchange.Exchange(path=path, aside=path + '.old-0', device=at.st_dev, inode=at.st_ino, token='0', how='made')\n"
        "exchange.note(under, context); os.rename(path, under.aside)\n"
    )
    python = os.path.join(os.path.dirname(installed.safepip), "python")
    state = os.path.join(installed.home, ".local", "state", "safepip")
    subprocess.run([python, "-I", "-c", code, state, installed.venv], check=True)
    broken(installed, "repair-killed", "the old one is intact: ~/project/.venv.old-0", "safepip env repair .venv")
    assert "beta" in installed.packages()


def test_an_install_that_was_killed_in_another_project(installed: Sandbox) -> None:
    leave_journal(installed, installed.venv)
    elsewhere = os.path.join(installed.home, "elsewhere")
    os.mkdir(elsewhere)
    one = diagnose(
        installed, "install-killed", "~/project/.venv", f"safepip env repair {installed.venv}", cwd=elsewhere
    )
    mend(installed, one, cwd=elsewhere)


def leave_journal(box: Sandbox, environment: str) -> None:
    """Begin a change in a process that ends without ending it."""
    code = f"from safepip.envs.journal import begin; assert begin({environment!r}, ['install', 'alpha'], '/')"
    python = os.path.join(os.path.dirname(box.safepip), "python")
    subprocess.run([python, "-I", "-c", code], check=True)


def test_the_active_environment_has_no_pip_and_another_serves(box: Sandbox) -> None:
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", box.venv], check=True)
    env = {"PATH": f"{box.venv}/bin:{box.variables['PATH']}", "VIRTUAL_ENV": box.venv}
    broken(box, "pip-mismatch", "/usr/bin/pip is that of /usr/bin/python3", "safepip shims ", env)


# --- what earlier installs left


def test_packages_left_by_user_installs(box: Sandbox) -> None:
    ran = box.call(["/usr/bin/pip", "install", "--user", "--break-system-packages", "beta"])
    assert ran.code == 0, ran.err
    command = "safepip --system uninstall --break-system-packages -y alpha beta"
    broken(box, "leftover-user", "pip install --user left alpha, beta in ~/.local/lib/python3", command)


@pytest.fixture
def marked(box: Sandbox, unmanaged_python: str) -> str:
    """Give a Python of this test's own that is managed, first on PATH."""
    copied = copy_interpreter(unmanaged_python, os.path.join(box.root, "marked"))
    if copied is None:
        pytest.skip("this Python cannot be copied")
    write(marker_of(copied), "[externally-managed]\nError=no\n")
    box.variables["PATH"] = f"{box.bin}:{os.path.dirname(copied)}:/usr/bin:/bin"
    return copied


def marker_of(python: str) -> str:
    prefix = os.path.dirname(os.path.dirname(python))
    return os.path.join(prefix, "lib", os.path.basename(python), "EXTERNALLY-MANAGED")


def test_packages_left_in_the_system(box: Sandbox, marked: str) -> None:
    assert ids(read(box.run("doctor", "--json"))) == []
    ran = box.call([marked, "-m", "pip", "install", "--break-system-packages", "beta"])
    assert ran.code == 0, ran.err
    broken(
        box,
        "leftover-system",
        "left alpha, beta in",
        "safepip --system uninstall --break-system-packages -y alpha beta",
    )


def test_a_marker_that_is_no_file(box: Sandbox, marked: str) -> None:
    marker = marker_of(marked)
    os.unlink(marker)
    os.mkdir(marker)
    broken(box, "marker-odd", "is not a regular file", "mv ")


# --- home, directories, owners


@pytest.fixture
def nobodys(nobodys: Sandbox) -> Sandbox:
    """Give a world that belongs to an ordinary user, and a sudo that does as told when root mends things there."""
    box = nobodys
    settle(box)
    box.variables["USER"] = pwd.getpwuid(NOBODY).pw_name
    give_away(box.root)
    write(os.path.join(box.bin, "sudo"), '#!/bin/sh\nexec "$@"\n', 0o755)
    return box


def give_away(root: str, user: int = NOBODY) -> None:
    for folder, _, names in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(path, user, user, follow_symlinks=False)


def as_nobody(box: Sandbox, *words: str) -> Ran:
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return box.call([*become, box.safepip, *words])


def broken_for_nobody(box: Sandbox, name: str, why: str, command: str) -> None:
    """Find the fault as an ordinary user, mend it as sudo would, and look again."""
    found = read(as_nobody(box, "doctor", "--json"))
    one = next((one for one in found if one.id == name and one.status != "ok"), None)
    assert one is not None, found
    assert why in one.why
    assert command in str(one.command)
    assert box.call(["bash", "-c", str(one.command)]).code == 0
    assert name not in ids(read(as_nobody(box, "doctor", "--json")))


def test_files_of_root_in_an_environment(nobodys: Sandbox) -> None:
    assert as_nobody(nobodys, "install", "alpha").code == 0
    os.chown(os.path.join(nobodys.venv, "bin", "pip"), 0, 0)
    broken_for_nobody(
        nobodys, "environment-of-root", "bin/pip belongs to root", f'sudo chown -R "$USER" {nobodys.venv}'
    )


def test_an_environment_that_is_wholly_roots(nobodys: Sandbox) -> None:
    assert as_nobody(nobodys, "install", "alpha").code == 0
    give_away(nobodys.venv, 0)
    line = f'sudo chown -R "$USER" {nobodys.venv}'
    ran = as_nobody(nobodys, "install", "beta")
    assert (ran.code, line in ran.said) == (1, True)
    broken_for_nobody(nobodys, "environment-of-root", "~/project/.venv belongs to root", line)
    assert as_nobody(nobodys, "install", "beta").code == 0


def test_an_environment_of_another_user(nobodys: Sandbox) -> None:
    assert as_nobody(nobodys, "install", "alpha").code == 0
    give_away(nobodys.venv, 4242)
    found = read(as_nobody(nobodys, "doctor", "--json"))
    assert all(".venv" not in str(one.command) or one.status != "ok" for one in found)


@pytest.mark.parametrize("role", ["cache", "state", "data"])
def test_a_folder_of_safepips_that_root_owns(nobodys: Sandbox, role: str) -> None:
    below = {"cache": ".cache", "state": ".local/state", "data": ".local/share"}[role]
    path = os.path.join(nobodys.home, below, "safepip")
    if role == "cache":
        os.unlink(path)  # the link to one that the tests share
    os.makedirs(path)
    give_away(nobodys.home)
    os.chown(path, 0, 0)
    broken_for_nobody(nobodys, f"{role}-folder", "belongs to another user", f'sudo chown -R "$USER" {path}')


def test_a_folder_in_safepips_that_root_owns(nobodys: Sandbox) -> None:
    assert as_nobody(nobodys, "install", "alpha").code == 0
    path = os.path.join(nobodys.home, ".local", "state", "safepip", "environments")
    os.chown(path, 0, 0)
    broken_for_nobody(
        nobodys, "state-folder", f"{path.replace(nobodys.home, '~')} belongs", f'sudo chown -R "$USER" {path}'
    )


def test_a_folder_that_cannot_be_written(nobodys: Sandbox) -> None:
    path = os.path.join(nobodys.home, ".local")
    os.makedirs(path, exist_ok=True)
    give_away(nobodys.home)
    os.chmod(path, 0o555)
    broken_for_nobody(nobodys, "data-folder", "cannot be written", f"chmod u+rwx {path}")


def test_a_folder_above_that_root_owns(nobodys: Sandbox) -> None:
    path = os.path.join(nobodys.home, ".local")
    os.makedirs(path, exist_ok=True)
    give_away(nobodys.home)
    os.chown(path, 0, 0)
    broken_for_nobody(nobodys, "data-folder", "belongs to another user", f'sudo chown "$USER" {path}')
