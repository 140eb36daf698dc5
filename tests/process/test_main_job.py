"""The main job on the host's managed Python: install, and all other commands look where install put it."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from sandbox import SYSTEM_PATH, Sandbox, look, system_listing

pytestmark = pytest.mark.slow


def test_installs_in_a_fresh_directory_and_changes_nothing_of_the_system(sandbox: Sandbox) -> None:
    os.makedirs(os.path.join(sandbox.home, ".local", "lib"))
    system = system_listing()
    ran = sandbox.run("install", "beta")
    assert ran.code == 0, ran.err
    assert b"Successfully installed alpha-2.0 beta-1.0" in ran.out
    imported = sandbox.call([sandbox.python, "-c", "import alpha, beta; print(alpha.VERSION)"])
    assert imported == (0, b"2.0\n", b"")
    assert sandbox.call([os.path.join(sandbox.venv, "bin", "beta")]).out == b"this is beta 1.0\n"
    assert system_listing() == system
    assert look(os.path.join(sandbox.home, ".local", "lib")) == {}
    assert not os.listdir(sandbox.temporary)


def test_every_later_command_uses_the_environment_that_the_first_one_made(sandbox: Sandbox) -> None:
    """Its creation is announced once, on standard error; two levels down it is the same environment."""
    as_in_image = {"container": "podman"}  # as the user who runs the tests
    below = os.path.join(sandbox.project, "a", "b")
    os.makedirs(below)
    first = sandbox.run("install", "alpha", env=as_in_image)
    made = os.stat(sandbox.venv).st_ino
    second = sandbox.run("install", "beta", cwd=below)
    assert first.said[0] == (
        f"creating {sandbox.venv}; python3 will NOT see its packages: "
        f"use {sandbox.python} or ENV PATH={sandbox.venv}/bin:$PATH"
    )
    assert (second.code, second.said, os.listdir(below)) == (0, [], [])
    assert b"safepip: " not in first.out + second.out
    assert os.stat(sandbox.venv).st_ino == made
    assert {"alpha", "beta"} <= sandbox.packages()
    ran = sandbox.run("uninstall", "-y", "beta", cwd=below)
    assert (ran.code, b"Successfully uninstalled beta-1.0" in ran.out) == (0, True)
    assert "beta" not in sandbox.packages()


def test_creation_where_path_leads_already_is_not_warned_of(sandbox: Sandbox) -> None:
    """An image says it once: ENV SAFEPIP_ENV=/opt/venv PATH=/opt/venv/bin:$PATH."""
    place = os.path.join(sandbox.root, "opt")
    first, last = f"{place}/bin:{SYSTEM_PATH}", f"{SYSTEM_PATH}:{place}/bin"
    ran = sandbox.run("install", "alpha", env={"SAFEPIP_ENV": place, "PATH": first})
    assert (ran.code, ran.said) == (0, [f"creating {place}, where PATH finds python3"])
    assert sandbox.call(["python3", "-c", "import alpha"], env={"PATH": first}).code == 0
    shutil.rmtree(place)
    ran = sandbox.run("install", "alpha", env={"SAFEPIP_ENV": place, "PATH": last})
    assert "python3 will NOT see" in ran.said[0]
    assert sandbox.call(["python3", "-c", "import alpha"], env={"PATH": last}).code == 1


def test_installing_from_below_a_marked_root_makes_the_environment_at_the_root(sandbox: Sandbox) -> None:
    sandbox.write("pyproject.toml", "")
    below = os.path.join(sandbox.project, "a", "b")
    os.makedirs(below)
    assert sandbox.run("install", "alpha", cwd=below).code == 0
    assert "alpha" in sandbox.packages()


LOOKS = (
    ["freeze"],
    ["list"],
    ["list", "--format=json"],
    ["show", "beta"],
    ["show", "-f", "alpha", "beta"],
    ["check"],
    ["inspect"],
    ["index", "versions", "alpha"],
)


@pytest.mark.parametrize(("below", "line"), [*(("", line) for line in LOOKS), ("a/b", LOOKS[0])])
def test_looking_gives_the_same_bytes_as_the_environments_own_pip(
    furnished: Sandbox, line: list[str], below: str
) -> None:
    cwd = os.path.join(furnished.project, below)
    os.makedirs(cwd, exist_ok=True)
    assert furnished.run(*line, cwd=cwd) == furnished.venv_pip(*line, cwd=cwd)


def test_version_names_the_environment_in_force(furnished: Sandbox) -> None:
    ran = furnished.run("--version")
    assert ran == furnished.venv_pip("--version")
    assert furnished.venv.encode() in ran.out


def test_outside_a_project_the_home_environment_serves(sandbox: Sandbox) -> None:
    ran = sandbox.run("install", "alpha", cwd=sandbox.home)
    assert ran.code == 0, ran.err
    home = os.path.join(sandbox.home, ".local", "share", "safepip", "home")
    assert "alpha" in sandbox.packages(os.path.join(home, "bin", "python"))
    assert b"alpha==2.0" in sandbox.run("freeze", cwd=sandbox.home).out
    assert not os.path.exists(os.path.join(sandbox.home, ".venv"))


def test_env_option_makes_and_uses_exactly_that_environment(sandbox: Sandbox) -> None:
    assert sandbox.run("--env", "other", "install", "alpha").code == 0
    assert sandbox.run("--env", "other", "freeze").out == b"alpha==2.0\n"
    assert sandbox.run("freeze", env={"SAFEPIP_ENV": "other"}).out == b"alpha==2.0\n"
    assert not os.path.exists(sandbox.venv)


def test_project_option_works_as_if_started_there(sandbox: Sandbox) -> None:
    elsewhere = os.path.join(sandbox.home, "elsewhere")
    os.makedirs(elsewhere)
    assert sandbox.run("--project", sandbox.project, "install", "alpha", cwd=elsewhere).code == 0
    assert os.listdir(elsewhere) == []
    assert "alpha" in sandbox.packages()


def test_alias_in_a_real_bashrc_serves_what_is_typed(sandbox: Sandbox) -> None:
    pexpect = pytest.importorskip("pexpect")
    with open(os.path.join(sandbox.home, ".bashrc"), "w", encoding="utf-8") as file:
        file.write(f"PS1='READY> '\nbind 'set enable-bracketed-paste off'\nalias pip={sandbox.safepip}\n")
    shell = pexpect.spawn(
        "/bin/bash",
        ["-i"],
        env={**sandbox.environ(), "TERM": "dumb"},
        cwd=sandbox.project,
        encoding="utf-8",
        timeout=60,
    )
    typed = (
        ("pip install beta", r"Successfully installed alpha-2\.0 beta-1\.0"),
        ("cd /; cd - >/dev/null; mkdir -p a/b; cd a/b; pip freeze", r"alpha==2\.0\r\nbeta==1\.0"),
        ("pip uninstall -y beta", r"Successfully uninstalled beta-1\.0"),
        ("../../.venv/bin/python -c 'import alpha; print(alpha.VERSION)'", r"2\.0"),
    )
    shown = ""
    shell.expect_exact("READY> ")
    for line, expected in typed:
        shell.sendline(line)
        shell.expect(expected + r"[\s\S]*?READY> ")
        shown += shell.before + shell.after
    shell.sendline("exit")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0
    announced = "/usr/bin/python3 is managed by the system; creating .venv for this project (once)"
    assert f"safepip: {announced}" in shown.replace("\r\n", "\n")


def test_module_form_serves_the_interpreter_that_was_chosen(sandbox: Sandbox, managed_python: str) -> None:
    """`python -m safepip` under the managed Python: that one is the target, so the project's environment serves."""
    site = os.path.join(os.path.dirname(os.path.dirname(sandbox.safepip)), "lib")
    (library,) = os.listdir(site)
    line = [managed_python, "-m", "safepip", "install", "alpha"]
    if tuple(int(part) for part in library[6:].split(".")) < (3, 10) or sys.platform == "win32":
        pytest.skip("needs the files of a newer Python")
    ran = sandbox.call(line, env={"PYTHONPATH": os.path.join(site, library, "site-packages")})
    assert ran.code == 0, ran.err
    assert "alpha" in sandbox.packages()


@pytest.mark.skipif(shutil.which("script") is None, reason="needs script")
def test_at_a_terminal_the_program_of_what_was_asked_for_is_named(sandbox: Sandbox) -> None:
    """beta has a command and needs alpha, which has none."""
    sandbox.write("requirements.txt", "beta\n")

    def said(line: str, env: dict[str, str] | None = None) -> list[str]:
        ran = sandbox.call(["script", "-qec", f"{sandbox.safepip} install {line}", "/dev/null"], env=env)
        return [one.strip() for one in ran.text.splitlines() if one.startswith("safepip: run ")]

    how = "or: source .venv/bin/activate"
    assert said("alpha") == [f"safepip: run your code with: safepip run FILE.py      {how}"]
    assert said("-r requirements.txt") == [f"safepip: run it with: safepip run beta      {how}"]
    assert said("many1 beta") == [f"safepip: run your code with: safepip run FILE.py      {how}"]
    assert said("many1") == []
    assert said("many2", {"SAFEPIP_HOOK": "1"}) == []


@pytest.mark.skipif(shutil.which("script") is None, reason="needs script")
def test_in_a_terminal_the_creation_line_is_not_the_dockerfiles(sandbox: Sandbox) -> None:
    ran = sandbox.call(["script", "-qec", f"{sandbox.safepip} install alpha 2>&1 | cat", "/dev/null"])
    assert "creating .venv for this project (once)" in ran.text
    assert "python3 will NOT" not in ran.text
