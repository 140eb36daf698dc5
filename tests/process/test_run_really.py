"""What was installed, run: `safepip run`, `safepip shell`, and shims first on PATH, with real programs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from sandbox import SYSTEM_PATH, Ran, Sandbox

pytestmark = pytest.mark.slow
MakeSandbox = Callable[..., Sandbox]
HOME_ENVIRONMENT = (".local", "share", "safepip", "home")


@pytest.fixture(scope="module")
def box(make_sandbox: MakeSandbox) -> Sandbox:
    """Give a project with beta, and a home environment with many0, which has no program."""
    made = make_sandbox()
    assert made.run("install", "beta").code == 0
    return made


# --- run


def test_run_starts_a_program_of_the_project_from_below(box: Sandbox) -> None:
    below = os.path.join(box.project, "a")
    os.makedirs(below, exist_ok=True)
    assert box.run("run", "beta", cwd=below) == (0, b"this is beta 1.0\n", b"")
    assert box.run("run", "--", "beta").out == b"this is beta 1.0\n"


def test_run_python_is_the_projects(box: Sandbox) -> None:
    code = "import sys, os; print(sys.executable, os.environ['VIRTUAL_ENV'])"
    assert box.run("run", "python", "-c", code).text.split() == [box.python, box.venv]
    assert box.run("run", "python3", "-c", code).text.split() == [f"{box.python}3", box.venv]


def test_run_takes_a_module_and_a_file(box: Sandbox) -> None:
    assert box.run("run", "-m", "alpha").code == 0
    box.write("say it.py", "import sys, beta; print(beta.VERSION, sys.argv[1:])")
    assert box.run("run", "say it.py", "a b").out == b"1.0 ['a b']\n"
    assert box.run("run", "./say it.py", "-x").out == b"1.0 ['-x']\n"


def test_exit_code_and_stdin_are_the_programs(box: Sandbox) -> None:
    code = "import sys; sys.stdout.write(sys.stdin.read()[::-1]); sys.exit(7)"
    assert box.run("run", "python", "-c", code, stdin=b"abc") == (7, b"cba", b"")


def test_a_signal_that_ends_the_program_ends_run_alike(box: Sandbox) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert box.run("run", "python", "-c", code).code == -signal.SIGTERM


def test_a_broken_pipe_ends_the_program_as_it_would_without_safepip(box: Sandbox) -> None:
    ran = box.call(["/bin/bash", "-c", '"$0" run yes | head -1; echo "${PIPESTATUS[0]}"', box.safepip])
    assert ran == (0, b"y\n%d\n" % (128 + signal.SIGPIPE), b"")


def test_a_missing_program_is_127_with_the_way_on(box: Sandbox) -> None:
    ran = box.run("run", "no-such-program")
    assert (ran.code, ran.out) == (127, b"")
    assert ran.said == [
        "error: there is no program no-such-program in .venv, nor on PATH",
        "install the package that has it: safepip install …",
    ]


def test_a_program_of_the_home_environment_is_named_when_missing_here(make_sandbox: MakeSandbox) -> None:
    box = make_sandbox()
    assert box.run("install", "beta", cwd=box.home).code == 0
    elsewhere = box.run("run", "beta")
    assert elsewhere.out == b"this is beta 1.0\n"
    assert "running it in the home environment" in elsewhere.said[0]
    assert box.run("install", "alpha").code == 0
    ran = box.run("run", "beta")
    assert ran.code == 127
    assert (
        ran.said[1] == f"it is in the home environment: {os.path.join(box.home, *HOME_ENVIRONMENT, 'bin', 'beta')}"
    )


def test_what_cannot_be_executed_is_126(box: Sandbox) -> None:
    box.write("plain", "")
    assert box.run("run", "./plain").code == 126


def test_without_any_environment_run_says_how_one_comes(sandbox: Sandbox) -> None:
    ran = sandbox.run("run", "ls")
    assert (ran.code, ran.out) == (3, b"")
    assert ran.said[1] == "make it by installing something: safepip install …"


# --- shell


def shell(box: Sandbox, program: str, typed: bytes, **env: str) -> Ran:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"there is no {program} here")
    return box.run("shell", env={"SHELL": path, **env}, stdin=typed)


@pytest.mark.parametrize("program", ["bash", "zsh", "dash", "fish", "tcsh", "ksh", "mksh"])
def test_shell_is_the_users_own_and_its_exit_code_passes(box: Sandbox, program: str) -> None:
    ran = shell(box, program, b"beta\nexit 5\n")
    assert (ran.code, ran.out) == (5, b"this is beta 1.0\n")


def test_shell_refuses_to_nest(box: Sandbox) -> None:
    ran = shell(box, "dash", b"%s shell\nexit $?\n" % box.safepip.encode())
    assert ran.code == 64
    assert ran.said == [f"error: this is the shell of {box.venv} already", "leave it: exit"]


RC = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish", "dash": ".shrc", "mksh": ".shrc"}


@pytest.mark.parametrize("program", RC)
def test_the_users_rc_file_is_read_and_may_spoil_path(box: Sandbox, program: str) -> None:
    pexpect = pytest.importorskip("pexpect")
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"there is no {program} here")
    rc = os.path.join(box.home, RC[program])
    os.makedirs(os.path.dirname(rc), exist_ok=True)
    with open(rc, "w", encoding="utf-8") as file:
        file.write("set -gx PATH /usr/bin /bin\n" if program == "fish" else f"PATH={SYSTEM_PATH}\n")
        file.write("set -gx MINE read\n" if program == "fish" else "export MINE=read\n")
    variables = {**box.environ(), "SHELL": path, "ENV": rc, "TERM": "xterm"}
    child = pexpect.spawn(box.safepip, ["shell"], env=variables, cwd=box.project, encoding="utf-8", timeout=30)
    child.expect_exact("leave it with exit")
    child.expect(r"[#$%>] ")
    child.send('beta; echo "$MINE"-"rc"; exit 6\r')
    child.expect("this is beta 1.0")
    child.expect("read-rc")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 6


# --- shims


@pytest.fixture
def shims(sandbox: Sandbox) -> str:
    folder = os.path.join(sandbox.root, "it's shims")
    ran = sandbox.run("shims", folder, "--python")
    assert (ran.code, ran.out) == (0, b"")
    sandbox.variables["PATH"] = f"{folder}:{SYSTEM_PATH}"
    return folder


def test_shims_are_short_scripts_that_name_safepip(shims: str) -> None:
    names = sorted(name for name in os.listdir(shims) if not name.startswith("."))
    assert {"pip", "pip3", "python", "python3"} <= set(names)
    assert any(name.startswith("pip3.") for name in names)
    for name in names:
        with open(os.path.join(shims, name), "rb") as file:
            head = file.read(256)
        assert head.startswith(b"#!/bin/sh\n")
        assert b"safepip" in head


def test_scripts_make_and_subprocess_get_the_projects_environment(sandbox: Sandbox, shims: str) -> None:
    script = sandbox.write("install.sh", "#!/bin/sh\nexec pip install alpha\n")
    os.chmod(script, 0o755)
    assert sandbox.call([script]).code == 0
    code = "import subprocess; subprocess.check_call(['pip', 'install', 'many0'])"
    assert sandbox.call(["python3", "-c", code]).code == 0
    sandbox.write("Makefile", "all:\n\tpip3 install many1\n\tpython3 -c 'import many0, many1'\n")
    if shutil.which("make"):
        assert sandbox.call(["make"]).code == 0
    assert sandbox.call([os.path.join(shims, "python3"), "-m", "pip", "install", "many2"]).code == 0
    assert {"alpha", "many0", "many2"} <= sandbox.packages()


def test_a_shim_of_python_serves_the_project_that_one_is_in(sandbox: Sandbox, shims: str) -> None:
    show = ["python3", "-c", "import sys; print(sys.prefix)"]
    assert sandbox.call(show).text.strip() == "/usr"
    assert sandbox.run("install", "alpha").code == 0
    assert sandbox.call(show).text.strip() == sandbox.venv
    assert sandbox.call(show, cwd=sandbox.home).text.strip() == "/usr"
    copied = os.path.join(sandbox.home, "copied")
    shutil.copytree(sandbox.venv, os.path.join(copied, ".venv"), symlinks=True)
    assert sandbox.call(show, cwd=copied).text.strip() == "/usr"


def test_shims_work_without_any_variable(sandbox: Sandbox, shims: str) -> None:
    pip = os.path.join(shims, "pip")
    ran = sandbox.call(["/usr/bin/env", "-i", f"HOME={sandbox.home}", pip, "--version"])
    assert ran.code == 0, ran.err
    assert ran.out.startswith(b"pip ")
    bare = sandbox.call(["/usr/bin/env", "-i", os.path.join(shims, "python3"), "-c", "print(1)"])
    assert bare == (0, b"1\n", b"")


def test_shims_of_another_tool_that_lead_back_end(sandbox: Sandbox, shims: str) -> None:
    """As pyenv's with `system`: an exec of the first such name on PATH that is not its own."""
    theirs = os.path.join(sandbox.root, "theirs")
    os.makedirs(theirs)
    for name in ("python3", "pip"):
        with open(os.path.join(theirs, name), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/bash\nexec "{shims}/{name}" "$@"\n')
        os.chmod(os.path.join(theirs, name), 0o755)
    for order in (f"{shims}:{theirs}", f"{theirs}:{shims}"):
        env = {"PATH": f"{order}:{SYSTEM_PATH}"}
        assert sandbox.call(["python3", "-c", "print(1)"], env=env) == (0, b"1\n", b"")
        ran = sandbox.call(["pip", "install", "alpha"], env=env)
        assert ran.code == 0, ran.err
    assert "alpha" in sandbox.packages()


def test_a_shim_without_safepip_goes_on_to_the_next(sandbox: Sandbox, shims: str) -> None:
    shutil.rmtree(os.path.join(shims, ".safepip"))
    later = os.path.join(sandbox.root, "later")
    os.makedirs(later)
    with open(os.path.join(later, "pip"), "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\necho "next $*"\n')
    os.chmod(os.path.join(later, "pip"), 0o755)
    assert sandbox.call(["pip", "a b"], env={"PATH": f"{shims}:{later}:/bin"}) == (0, b"next a b\n", b"")
    assert sandbox.call(["pip"], env={"PATH": f"{shims}"}).code == 127


def test_a_shim_tells_safepip_the_version_in_its_name(sandbox: Sandbox, shims: str) -> None:
    minor = subprocess.check_output(
        ["/usr/bin/python3", "-c", "import sys; print('3.%d' % sys.version_info[1])"], text=True
    )
    ran = sandbox.call([os.path.join(shims, f"pip{minor.strip()}"), "--help"])
    assert ran.code == 0, ran.err
    assert f"pip{minor.strip()} <command>" in ran.text.replace("\n", " ")


def test_a_foreign_file_of_that_name_is_not_overwritten(sandbox: Sandbox) -> None:
    folder = os.path.join(sandbox.root, "mine")
    os.makedirs(folder)
    with open(os.path.join(folder, "pip3"), "w", encoding="utf-8") as file:
        file.write("my own")
    ran = sandbox.run("shims", folder)
    assert ran.code == 73
    assert os.listdir(folder) == ["pip3"]
    assert sandbox.run("shims", folder).said == ran.said
    assert sys.platform != "win32"
