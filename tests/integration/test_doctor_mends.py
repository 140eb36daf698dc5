"""`safepip doctor` on set-ups broken on purpose: each names its fault and a command, and that command mends it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest
from sandbox import Ran, Sandbox, copy_interpreter, look

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Env = Mapping[str, str | None]

pytestmark = pytest.mark.slow
NOBODY = 65534


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
        one.id == "environment" and f"{furnished.venv.replace(furnished.home, '~')}, is whole" in one.why
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


@pytest.mark.parametrize(
    "line", [["--jsno"], ["x"], ["--json", "--managed"], ["--managed", "a", "b"]], ids=" ".join
)
def test_a_wrong_use_is_refused(box: Sandbox, line: list[str]) -> None:
    ran = box.run("doctor", *line)
    assert (ran.code, ran.out) == (64, b"")


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


def test_managed_of_an_environment_and_of_nothing(furnished: Sandbox) -> None:
    for named in (furnished.python, ".venv"):
        ran = furnished.run("doctor", "--managed", named)
        assert (ran.code, "lies in an environment" in ran.text) == (1, True)
    for named in ("python3.99", "./nothing", "3.99"):
        ran = furnished.run("doctor", "--managed", named)
        assert (ran.code, ran.out) == (127, b"")


# --- pip's configuration

VARIABLES = (
    ("PIP_TARGET", "/opt/all", "pip-target", "/opt/all"),
    ("PIP_PREFIX", "/opt/all", "pip-prefix", "/opt/all"),
    ("PIP_ROOT", "/opt/all", "pip-root", "/opt/all"),
    ("PIP_USER", "1", "pip-user", "--user"),
    ("PIP_BREAK_SYSTEM_PACKAGES", "yes", "pip-break-system-packages", "the system's Python"),
    ("PIP_DRY_RUN", "true", "pip-dry-run", "only show"),
    ("PIP_USER", "maybe", "pip-setting-wrong", "'maybe' is no truth value"),
    ("PIP_TIMEOUT", "soon", "pip-setting-wrong", "soon"),
    ("PIP_CONSTRAINT", "/no/constraints.txt", "pip-constraint", "/no/constraints.txt, which is not there"),
    ("PIP_CONFIG_FILE", "/no/pip.conf", "pip-config-file", "/no/pip.conf, which is not there"),
    ("PIP_PYTHON", "/no/python", "python", "there is no /no/python"),
    ("SAFEPIP_PYTHON", "python3.99", "python", "there is no python3.99"),
    ("SAFEPIP_SCOPE", "sometimes", "setting-wrong", "SAFEPIP_SCOPE: scope must be"),
    ("SAFEPIP_ENVDIR", "x", "unknown-variable", "SAFEPIP_ENVDIR is no setting"),
    ("SAFEPIP_BYPASS", "1", "bypass", "nothing is routed"),
    ("VIRTUAL_ENV", "/no/venv", "active-stale", "/no/venv, which is not there"),
    ("PYTHONPATH", "/opt/modules", "pythonpath", "/opt/modules"),
)


@pytest.mark.parametrize(
    ("name", "value", "finding", "why"), VARIABLES, ids=lambda part: part if part.isupper() else ""
)
def test_a_variable_in_the_way(box: Sandbox, name: str, value: str, finding: str, why: str) -> None:
    broken(box, finding, why, f"unset {name}", {name: value})


PIP_FILES = (
    (".config/pip/pip.conf", "[install]\nuser = true\n", "pip-user", "--user", "config --user unset install.user"),
    (".config/pip/pip.conf", "[global]\nbreak-system-packages = on\n", "pip-break-system-packages", "system", "global.break-system-packages"),
    (".config/pip/pip.conf", "[global]\ntarget = /opt/x\n", "pip-target", "/opt/x", "config --user unset global.target"),
    (".config/pip/pip.conf", "[global]\nprefix: /opt/x\n", "pip-prefix", "/opt/x", "config --user unset global.prefix"),
    (".pip/pip.conf", "[global]\nuser = true\n", "pip-user", "~/.pip/pip.conf", "sed -i.bak"),
    (".config/pip/pip.conf", "[global]\nbreak_system_packages = 1\n", "pip-break-system-packages", "pip.conf", "break_system_packages"),
    (".config/pip/pip.conf", "[DEFAULT]\nuser = 1\n[global]\n", "pip-user", "--user", "sed -i.bak"),
    (".config/pip/pip.conf", "[global\nuser", "pip-config-malformed", "every pip command fails", "mv "),
    (".config/pip/pip.conf", "[global]\nuser = maybe\n", "pip-setting-wrong", "no truth value", "/d"),
    (".config/pip/pip.conf", "[global]\ntimeout = soon\n", "pip-setting-wrong", "soon", "sed -i.bak"),
    (".config/pip/pip.conf", "[install]\nconstraint = /no/c.txt\n", "pip-constraint", "/no/c.txt", "install.constraint"),
    (".config/pip/pip.conf", "[global]\npython = /no/python\n", "python", "there is no /no/python", "sed"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "text", "finding", "why", "command"), PIP_FILES, ids=lambda part: part.replace("\n", " ")[:30]
)
def test_a_file_of_pips_in_the_way(
    box: Sandbox, path: str, text: str, finding: str, why: str, command: str
) -> None:
    write(os.path.join(box.home, path), text)
    broken(box, finding, why, command)


def test_require_virtualenv_matters_only_where_nothing_is_routed(box: Sandbox, unmanaged_python: str) -> None:
    env = {"PIP_REQUIRE_VIRTUALENV": "1"}
    assert "pip-require-virtualenv" not in ids(read(box.run("doctor", "--json", env=env)))
    env["PATH"] = f"{box.bin}:{os.path.dirname(unmanaged_python)}:/usr/bin:/bin"
    broken(box, "pip-require-virtualenv", "outside an environment", "unset PIP_REQUIRE_VIRTUALENV", env)


# --- settings

SETTINGS = (
    (".config/safepip/config.toml", "hints = true\nenv_dir = 'x'\n", "unknown key", "2s/^/# /"),
    (".config/safepip/config.toml", "scope = 'never'\n", "scope must be", "1s/^/# /"),
    (".config/safepip/config.toml", "scope = \n", "broken TOML", "config.toml.broken"),
    (".config/safepip/config.toml", "apps = [\n 'a b',\n]\n", "apps must be", "config.toml.broken"),
    ("project/pyproject.toml", "[tool.safepip]\nscope = 'managed'\n", 'may only be "always"', "2s/^/# /"),
)


@pytest.mark.parametrize(
    ("path", "text", "why", "command"), SETTINGS, ids=[one[1].replace("\n", " ") for one in SETTINGS]
)
def test_a_wrong_setting(box: Sandbox, path: str, text: str, why: str, command: str) -> None:
    write(os.path.join(box.home, path), text)
    broken(box, "setting-wrong", why, command)


def test_a_broken_project_file_is_for_an_editor(box: Sandbox) -> None:
    box.write("pyproject.toml", "[tool.safepip]\nscope = \n")
    one = diagnose(box, "setting-wrong", "broken TOML", "+2 ")
    assert one.command == f'"${{EDITOR:-vi}}" +2 {box.project}/pyproject.toml'


# --- environments


@pytest.fixture
def installed(box: Sandbox) -> Sandbox:
    assert box.run("install", "beta").code == 0
    return box


def test_an_environment_without_configuration(box: Sandbox) -> None:
    box.write(".venv/something")
    broken(box, "environment-broken", "~/project/.venv is no environment", f"mv {box.venv} {box.venv}.old")


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
        lines = [line for line in file if not line.startswith("version")]
    write(config, "".join(lines) + "version = 3.4.1\n")
    broken(installed, "environment-broken", "was made with Python 3.4, which is gone", "safepip env repair .venv")


def test_an_environment_of_another_system(box: Sandbox) -> None:
    box.write(".venv/pyvenv.cfg", "home = C:\\Python312\nversion = 3.12.1\n")
    box.write(".venv/Scripts/python.exe")
    broken(box, "environment-broken", "another system", "export SAFEPIP_ENV=")


def test_an_environment_that_came_with_the_repository(box: Sandbox) -> None:
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", box.venv], check=True)
    git = ["git", "-C", box.project, "-c", "user.email=x@y", "-c", "user.name=x"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-f", ".venv"], check=True)
    broken(box, "environment-untrusted", "came with the repository", "safepip env trust .venv")


def test_a_moved_project(installed: Sandbox) -> None:
    moved = os.path.join(installed.home, "moved")
    os.rename(installed.project, moved)
    one = diagnose(installed, "environment-moved", "was made elsewhere", "safepip env repair .venv", cwd=moved)
    mend(installed, one, cwd=moved)


def test_a_moved_environment_that_is_active(installed: Sandbox) -> None:
    moved = os.path.join(installed.home, "moved")
    os.rename(installed.project, moved)
    env = {"PATH": f"{moved}/.venv/bin:{installed.variables['PATH']}"}
    diagnose(installed, "environment-moved", "was made elsewhere", "safepip env repair .venv", env, cwd=moved)


def test_a_creation_that_was_interrupted(box: Sandbox) -> None:
    box.write(".venv/.safepip/creating", "0123")
    broken(box, "environment-unfinished", "was interrupted", "safepip env create")


def test_an_empty_environment_is_no_fault(box: Sandbox) -> None:
    os.mkdir(box.venv)
    assert ids(read(box.run("doctor", "--json"))) == []


def test_an_environment_without_pip(installed: Sandbox) -> None:
    remove_from(installed, "pip")
    broken(installed, "environment-without-pip", "has lost its pip", "safepip env repair .venv")


def test_an_environment_that_lacks_files(installed: Sandbox) -> None:
    remove_from(installed, "alpha.py")
    broken(installed, "environment-damaged", "lacks files of alpha", "safepip env repair .venv")


def test_an_environment_that_never_had_pip_is_whole(box: Sandbox) -> None:
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", box.venv], check=True)
    found = read(box.run("doctor", "--json"))
    assert ids(found) == []
    assert any("without a pip of its own" in one.why for one in found)


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
        "import os, sys, types; from safepip.envs import repair; state, path = sys.argv[1:]\n"
        "at, context = os.stat(path), types.SimpleNamespace(state=state)\n"
        "under = repair.Under(path=path, aside=path + '.old-0', device=at.st_dev, inode=at.st_ino, token='0', how='made')\n"
        "repair._keep(under, context); os.rename(path, under.aside)\n"
    )
    python = os.path.join(os.path.dirname(installed.safepip), "python")
    state = os.path.join(installed.home, ".local", "state", "safepip")
    subprocess.run([python, "-I", "-c", code, state, installed.venv], check=True)
    broken(installed, "repair-killed", "the old one is whole: ~/project/.venv.old-0", "safepip env repair .venv")
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


def test_another_environment_is_active(installed: Sandbox) -> None:
    other = os.path.join(installed.home, "other")
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", other], check=True)
    env = {"PATH": f"{other}/bin:{installed.variables['PATH']}", "VIRTUAL_ENV": other}
    broken(installed, "active-other", "is not this project's", f". {installed.venv}/bin/activate", env)


def test_the_environment_that_was_named_counts(box: Sandbox) -> None:
    box.write("odd/something")
    diagnose(
        box,
        "environment-broken",
        "~/project/odd is no environment",
        f"mv {box.project}/odd ",
        {"SAFEPIP_ENV": "odd"},
    )
    assert ids(read(box.run("doctor", "--json"))) == []


def test_a_remembered_environment_that_broke(installed: Sandbox) -> None:
    os.unlink(os.path.join(installed.venv, "pyvenv.cfg"))
    one = diagnose(
        installed, "environment-broken", "~/project/.venv is no", "env repair project/.venv", cwd=installed.home
    )
    mend(installed, one, cwd=installed.home)


# --- programs, shims, init


def test_safepip_is_not_on_path(box: Sandbox) -> None:
    env = {"PATH": "/usr/bin:/bin"}
    broken(box, "safepip-off-path", "is not on PATH", "export PATH=", env)


def test_another_safepip_comes_first(box: Sandbox) -> None:
    other = write(os.path.join(box.home, "other", "safepip"), "#!/bin/sh\n", 0o755)
    env = {"PATH": f"{os.path.dirname(other)}:{box.variables['PATH']}"}
    broken(box, "safepip-shadowed", "~/other/safepip", "export PATH=", env)


def test_a_pip_whose_python_is_gone(box: Sandbox) -> None:
    dead = write(os.path.join(box.bin, "pip"), "#!/usr/bin/python3.4\n", 0o755)
    broken(box, "pip-without-python", "/usr/bin/python3.4, is gone", f"rm {dead}")


def test_pip_and_python_differ(box: Sandbox, unmanaged_python: str) -> None:
    write(os.path.join(box.bin, "pip"), f"#!{unmanaged_python}\n", 0o755)
    broken(box, "pip-mismatch", "pip and python differ", "export PATH=/usr/bin")


def test_the_active_environment_has_no_pip_and_another_serves(box: Sandbox) -> None:
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", box.venv], check=True)
    env = {"PATH": f"{box.venv}/bin:{box.variables['PATH']}", "VIRTUAL_ENV": box.venv}
    broken(box, "pip-mismatch", "/usr/bin/pip is that of /usr/bin/python3", "safepip shims ", env)


def test_path_holds_the_working_directory(box: Sandbox) -> None:
    env = {"PATH": f"{box.variables['PATH']}:."}
    broken(box, "path-relative", "PATH holds .", "export PATH=", env)


def test_neither_init_nor_shims(box: Sandbox) -> None:
    os.unlink(os.path.join(box.home, ".bashrc"))
    broken(box, "routed", "neither init nor shims", f"echo 'eval \"$(safepip init bash)\"' >> {box.home}/.bashrc")


def test_init_of_a_safepip_that_is_gone(box: Sandbox) -> None:
    write(os.path.join(box.home, ".bashrc"), 'eval "$(/old/bin/safepip init bash)"\n')
    broken(box, "init-stale", "~/.bashrc starts /old/bin/safepip", "safepip init --undo && echo ")


@pytest.fixture
def shims(box: Sandbox) -> str:
    assert box.run("shims").code == 0
    return os.path.join(box.home, ".local", "share", "safepip", "shims")


def test_shims_in_place(box: Sandbox, shims: str) -> None:
    os.unlink(os.path.join(box.home, ".bashrc"))
    assert ids(read(box.run("doctor", "--json", env={"PATH": f"{shims}:{box.variables['PATH']}"}))) == []


def test_shims_off_path(box: Sandbox, shims: str) -> None:
    broken(box, "shims-off-path", "are not on PATH", f"export PATH={shims}")


def test_shims_behind_pip(box: Sandbox, shims: str) -> None:
    env = {"PATH": f"{box.variables['PATH']}:{shims}"}
    broken(box, "shims-shadowed", "/usr/bin/pip comes before", f"export PATH={shims}", env)


def test_shims_of_a_safepip_that_is_gone(box: Sandbox, shims: str) -> None:
    link = os.path.join(shims, ".safepip", "pip")
    os.unlink(link)
    os.symlink("/no/safepip", link)
    env = {"PATH": f"{shims}:{box.variables['PATH']}"}
    broken(box, "shims-stale", "a safepip that is gone", f"safepip shims {shims}", env)


def test_local_bin_is_not_on_path(box: Sandbox) -> None:
    write(os.path.join(box.home, ".local", "bin", "black"), "#!/bin/sh\n", 0o755)
    diagnose(box, "local-bin", "~/.local/bin is not on PATH", "safepip app ensurepath")
    env = {"PATH": f"{box.variables['PATH']}:{box.home}/.local/bin"}
    assert ids(read(box.run("doctor", "--json", env=env))) == []


# --- what earlier installs left


def test_packages_left_by_user_installs(box: Sandbox) -> None:
    ran = box.call(["/usr/bin/pip", "install", "--user", "--break-system-packages", "beta"])
    assert ran.code == 0, ran.err
    command = "safepip --system uninstall --break-system-packages -y alpha beta"
    broken(box, "leftover-user", "pip install --user left alpha, beta in ~/.local/lib/python3", command)


def test_packages_left_for_a_python_that_is_gone(box: Sandbox) -> None:
    site = os.path.join(box.home, ".local", "lib", "python3.4", "site-packages")
    os.makedirs(os.path.join(site, "old_thing-1.0.dist-info"))
    broken(box, "leftover-user", "left old-thing in", f"mv {site} {site}.old")


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
    broken(box, "marker-odd", "is no regular file", "mv ")


def test_an_application_whose_python_is_gone(box: Sandbox) -> None:
    venv = os.path.join(box.home, ".local", "share", "pipx", "venvs", "black")
    write(os.path.join(venv, "pipx_metadata.json"), "{}")
    diagnose(box, "application-broken", "black lost its Python", "safepip app reinstall black")


# --- home, directories, owners


def test_home_unset(box: Sandbox) -> None:
    home = pwd.getpwuid(os.geteuid()).pw_dir
    env = {"HOME": None, **{f"XDG_{name}_HOME": box.temporary for name in ("CACHE", "STATE", "DATA", "CONFIG")}}
    broken(box, "home-unset", "HOME is not set", f"export HOME={home}", env)


def test_home_missing(box: Sandbox) -> None:
    gone = os.path.join(box.root, "gone")
    env = {"HOME": gone}
    one = diagnose(box, "home-missing", "not there", f"mkdir -p {gone}", env)
    mend(box, one, env)


def test_working_directory_gone(box: Sandbox) -> None:
    gone = "mkdir gone && cd gone && rmdir ../gone && "
    found = read(box.call(["bash", "-c", gone + "exec safepip doctor --json"]))
    (one,) = (one for one in found if one.id == "directory-gone")
    assert (one.status, one.command) == ("problem", "cd")
    assert "directory-gone" not in ids(
        read(box.call(["bash", "-c", f"{gone}{one.command}; exec safepip doctor --json"]))
    )


def test_state_open_to_everybody(box: Sandbox) -> None:
    state = os.path.join(box.home, ".local", "state", "safepip")
    os.makedirs(state)
    os.chmod(state, 0o777)
    broken(box, "state-folder", "can be written by everybody", f"chmod go-w {state}")


@pytest.fixture
def nobodys(make_sandbox: Callable[..., Sandbox], own_for_all: str) -> Sandbox:
    """Give a world that belongs to an ordinary user, and a sudo that does as told when root mends things there."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv to become an ordinary user")
    box = make_sandbox(cold=True, safepip=own_for_all)
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


def test_an_environment_of_another_user(nobodys: Sandbox) -> None:
    assert as_nobody(nobodys, "install", "alpha").code == 0
    give_away(nobodys.venv, 4242)
    found = read(as_nobody(nobodys, "doctor", "--json"))
    assert all(".venv" not in str(one.command) or one.status != "ok" for one in found)


@pytest.mark.parametrize("role", ["cache", "state", "data"])
def test_a_folder_of_safepips_that_root_owns(nobodys: Sandbox, role: str) -> None:
    below = {"cache": ".cache", "state": ".local/state", "data": ".local/share"}[role]
    path = os.path.join(nobodys.home, below, "safepip")
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
