"""`safepip init` in real shells, in a pseudo-terminal, with the line in a real rc file: what a user types and sees."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import pytest
from sandbox import Sandbox, make_wheel
from tree import TOOLS

from safepip.shells import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

pexpect = pytest.importorskip("pexpect")
pytestmark = pytest.mark.slow

MakeSandbox = Callable[..., Sandbox]
PATIENCE = 60


class Shell(NamedTuple):
    """How a shell is had: its program, rc file below HOME, what stands in that, and how it says where a line ended."""

    name: str
    argv: tuple[str, ...]
    rc: str
    text: str
    line: str = '{}; echo "end""ed"'
    environ: tuple[tuple[str, str], ...] = ()
    completes: bool = True
    tab: str = "\t"

    def __str__(self) -> str:
        return self.name


_ENV = (("ENV", "{home}/.shrc"),)
_SH = 'PS1="$ "\neval "$({safepip} init sh)"\n'
SHELLS = (
    Shell(
        "bash", ("bash", "-i"), ".bashrc",
        "PS1='$ '\nbind 'set enable-bracketed-paste off'\neval \"$({safepip} init bash)\"\n",
    ),
    Shell("zsh", ("zsh", "-i"), ".zshrc", "PS1='$ '\nunsetopt PROMPT_SP\neval \"$({safepip} init zsh)\"\n"),
    Shell(
        "zsh-compinit", ("zsh", "-i"), ".zshrc",
        "PS1='$ '\nunsetopt PROMPT_SP\nautoload -Uz compinit; compinit -u -D\neval \"$({safepip} init zsh)\"\n",
    ),
    Shell("fish", ("fish", "-i"), ".config/fish/config.fish", "function fish_prompt; echo '$ '; end\nset -g fish_greeting\n{safepip} init fish | source\n",
        tab="\t "),
    Shell("dash", ("dash", "-i"), ".shrc", _SH, environ=_ENV, completes=False),
    Shell("ksh", ("ksh", "-i"), ".shrc", _SH, environ=_ENV, completes=False),
    Shell("mksh", ("mksh", "-i"), ".shrc", _SH, environ=_ENV, completes=False),
    Shell("busybox", ("busybox", "sh", "-i"), ".shrc", _SH, environ=_ENV, completes=False),
    Shell("tcsh", ("tcsh", "-i"), ".tcshrc", "set prompt='$ '\neval `{safepip} init tcsh`\n"),
    Shell(
        "xonsh", ("xonsh", "-i"), ".config/xonsh/rc.xsh",
        "$SHELL_TYPE = 'readline'\n$PROMPT = '$ '\nexecx($({safepip} init xonsh))\n", line="{}; echo end@('ed')",
    ),
    Shell(
        "nushell", ("nu",), ".config/nushell/config.nu",
        '$env.config.show_banner = false\n$env.PROMPT_COMMAND = "$"\nsource safepip.nu\n', line='try {{ {} }}; print ("end" + "ed")',
    ),
)  # fmt: skip


class Typist:
    """Types lines into a shell and reads what comes until the shell has carried them out."""

    def __init__(self, shell: Shell, box: Sandbox) -> None:
        self.shell = shell
        program = find(shell.argv[0])
        variables = {name: value.format(home=box.home) for name, value in shell.environ}
        self.child = pexpect.spawn(
            program, list(shell.argv[1:]), env={**box.environ(), **variables, "TERM": "xterm", "SHELL": program},
            cwd=box.project, encoding="utf-8", timeout=PATIENCE, dimensions=(40, 300),
        )  # fmt: skip
        self.child.delaybeforesend = None
        self.until(r"\$")

    def line(self, text: str) -> str:
        """Type a line; return what the shell and its programs wrote, without what steers a terminal."""
        self.child.send(self.shell.line.format(text) + "\r")
        came = self.until("ended")
        self.until(r"\$")  # what is typed before the prompt some shells throw away
        return came

    def until(self, pattern: str) -> str:
        """Read up to `pattern`, and answer a shell that asks the terminal where its cursor is."""
        came = ""
        while self.child.expect([pattern, re.escape("\x1b[6n")]):
            came += self.child.before
            self.child.send("\x1b[1;1R")
        return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\))", "", came + self.child.before)

    def leave(self) -> int | None:
        self.child.send("exit\r")
        while self.child.expect([pexpect.EOF, re.escape("\x1b[6n")]):
            self.child.send("\x1b[1;1R")
        self.child.close()
        status: int | None = self.child.exitstatus
        return status


def find(name: str) -> str:
    """Return the shell's program."""
    program = shutil.which(name) or shutil.which(name, path=os.path.join(TOOLS, name, "bin"))
    if program is None:
        pytest.skip(f"there is no {name} here")
    return program


@pytest.fixture(params=SHELLS, ids=str)
def shell(request: pytest.FixtureRequest) -> Shell:
    found: Shell = request.param
    find(found.argv[0])
    return found


# Of shells that evaluate the same code one; all of them evaluate it in the tests that take `shell` from above.
one_of_each_code = pytest.mark.parametrize(
    "shell",
    [one for one in SHELLS if one.name not in {"ksh", "mksh", "busybox", "zsh-compinit"}],
    ids=str,
    indirect=True,
)


@pytest.fixture(scope="module")
def world(make_sandbox: MakeSandbox) -> Sandbox:
    """Give one world to all shells, with safepip on PATH as a user has it; each gets a project of its own."""
    box = make_sandbox()
    box.named("safepip")
    box.variables["PATH"] += os.pathsep + box.bin
    for number in range(len(SHELLS)):
        make_wheel(box.variables["PIP_FIND_LINKS"], f"tool{number}", "1.0", commands=[f"tool{number}"])
    return box


@pytest.fixture
def box(world: Sandbox, shell: Shell) -> Sandbox:
    """Give that world with a fresh project."""
    world.project = os.path.join(world.home, f"project-{shell}")
    shutil.rmtree(world.project, ignore_errors=True)
    os.makedirs(world.project)
    return world


@pytest.fixture(scope="module")
def odd(make_sandbox: MakeSandbox) -> Sandbox:
    """Give a world with quotes and spaces in the paths of safepip and of the project, which has an environment."""
    box = make_sandbox()
    box.bin, box.project = os.path.join(box.root, ODD), os.path.join(box.home, ODD)
    os.makedirs(box.bin)
    os.makedirs(os.path.join(box.project, "below", "deep"))
    box.named("safepip")
    box.variables["PATH"] += os.pathsep + box.bin
    assert box.run("install", "beta").code == 0
    shutil.copytree(box.venv, os.path.join(box.home, "copied", ".venv"), symlinks=True)
    os.symlink(box.project, os.path.join(box.home, "link"))
    return box


def begin(
    shell: Shell, box: Sandbox, *, options: str = "", twice: bool = False, program: str = "safepip"
) -> Typist:
    """Write the rc file and start the shell in the project."""
    rc = os.path.join(box.home, shell.rc)
    os.makedirs(os.path.dirname(rc), exist_ok=True)
    text = shell.text.replace("{safepip}", program)
    text = re.sub(r"(init \w+)", rf"\1{options}", text)
    with open(rc, "w", encoding="utf-8") as file:
        file.write(text * (2 if twice else 1))
    if shell.name == "nushell":
        with open(os.path.join(os.path.dirname(rc), "env.nu"), "w", encoding="utf-8") as file:
            file.write(
                f"{program} init nushell{options} | save --force ($nu.default-config-dir | path join safepip.nu)\n"
            )
    return Typist(shell, box)


ODD = "it's $odd! [x] #1"
LOOK = 'python3 -c \'import importlib.util as u; print("fo" + "und", u.find_spec("beta"))\''
STATE = """python3 -c 'import os; e = os.environ; v = e.get("VIRTUAL_ENV") or ""; \
print("<" + "%s|%d>" % (v, e["PATH"].split(":").count(v + "/bin")))'"""


def active(typist: Typist) -> tuple[str, int]:
    """Return the shell's active environment, and how often it is on PATH."""
    shown = re.findall(r"<([^<|]*)\|(\d+)>", typist.line(STATE))
    return shown[-1][0].replace("\r\n", ""), int(shown[-1][1])


def test_what_is_installed_serves_until_one_leaves_the_project(shell: Shell, box: Sandbox) -> None:
    typist = begin(shell, box)
    python = "pip" if shell.name == "fish" else "python -m pip"  # no python yet: any will do; fish has no function
    assert "Successfully installed alpha-2.0" in typist.line(f"{python} install alpha")
    assert "Successfully installed beta-1.0" in typist.line("pip install beta")
    assert "imported 1.0" in typist.line("""python -c 'import beta; print("imp" + "orted", beta.VERSION)'""")
    assert "this is beta 1.0" in typist.line("beta")
    listed = typist.line("python -m pip freeze")
    assert "alpha==2.0" in listed
    assert "safepip:" not in listed
    typist.line("cd ..")
    assert "found None" in typist.line(LOOK)
    typist.line(f"cd project-{shell}")
    assert active(typist) == (box.venv, 1)
    typist.line("deactivate")
    assert active(typist)[0] == ""
    typist.line("cd ..")
    typist.line(f"cd project-{shell}")
    assert active(typist) == (box.venv, 1)
    if shell.completes:
        typist.child.send("pip inst\t")
        typist.until("inst.*all")
    typist.child.close(force=True)


def test_the_hook_follows_the_directory_and_knows_what_is_the_users(shell: Shell, odd: Sandbox) -> None:
    """Evaluated twice, under paths with quotes: neither a copy nor what is being made is activated, a link serves."""
    typist = begin(shell, odd, twice=shell.name != "nushell")
    assert active(typist) == (odd.venv, 1)
    typist.line("cd below/deep")
    assert active(typist) == (odd.venv, 1)
    typist.line("cd ../../../copied")
    assert active(typist)[0] == ""
    creating = os.path.join(odd.venv, ".safepip", "creating")
    with open(creating, "w", encoding="utf-8"):
        typist.line("cd ../link")
    assert active(typist)[0] == ""
    os.unlink(creating)
    typist.line("cd ../copied")
    typist.line("cd ../link")
    assert active(typist)[0] in {odd.venv, os.path.join(odd.home, "link", ".venv")}
    typist.line("cd ../copied")
    assert active(typist)[0] == ""
    by_hand = SOURCED.get(shell.name, ". .venv/bin/activate")
    if by_hand:
        typist.line(by_hand)
        typist.line("cd ..")
        assert active(typist) == (odd.venv, 1)  # the copy's own script names the original
        typist.line("deactivate")
        assert active(typist)[0] == ""
    typist.child.close(force=True)


@one_of_each_code
def test_in_one_line_the_directory_decides_and_not_what_the_prompt_was_in(shell: Shell, box: Sandbox) -> None:
    """The environment at the prompt came by the hook; one activated by hand counts wherever one goes."""
    new, typist = f"{box.project}-new", begin(shell, box)
    shutil.rmtree(new, ignore_errors=True)
    typist.line("pip install alpha")
    assert active(typist) == (box.venv, 1)
    go = f"mkdir {new}; cd {new};" if shell.name == "nushell" else f"mkdir {new} && cd {new} &&"
    assert "Successfully installed" in typist.line(f"{go} pip install alpha beta")
    assert active(typist) == (f"{new}/.venv", 1)
    assert "beta" not in box.packages()
    there = f"{box.project}-sub"
    shutil.rmtree(there, ignore_errors=True)
    os.mkdir(there)
    assert f"{there}/.venv" in typist.line(f"sh -c 'cd {there}; safepip explain install alpha'")
    by_hand = SOURCED.get(shell.name, ". .venv/bin/activate")
    if by_hand:
        typist.line(f"cd {box.project}")
        typist.line(by_hand)
        typist.line(f"cd {there}")
        assert "alpha==2.0" in typist.line("pip freeze")
    typist.child.close(force=True)


SOURCED = {
    "fish": "source .venv/bin/activate.fish", "tcsh": "source .venv/bin/activate.csh", "xonsh": "", "nushell": "",
}  # fmt: skip


def test_without_activation_only_pip_is_served(odd: Sandbox) -> None:
    typist = begin(SHELLS[0], odd, options=" --no-activate")
    assert active(typist)[0] == ""
    assert "beta==1.0" in typist.line("pip freeze")
    typist.leave()


@one_of_each_code
def test_a_shell_within_one_and_an_environment_that_comes_or_goes_unasked(shell: Shell, box: Sandbox) -> None:
    """By another process: in a pipe, where the shell's function cannot tell the shell itself, or by `rm`."""
    typist = begin(shell, box)
    typist.line("mkdir below")
    typist.line("cd below")
    typist.line("touch ../pyproject.toml")
    typist.line("cd ..")
    typist.line("cd below")
    typist.line(
        "sh -c 'safepip install alpha' | cat" if shell.name != "nushell" else "sh -c 'safepip install alpha | cat'"
    )
    if not shell.environ:  # without a hook at the prompt cd asks
        assert active(typist) == (box.venv, 1)
    typist.line("cd ..")
    assert active(typist) == (box.venv, 1)
    if shell.name not in {"xonsh", "nushell"}:  # which throw away what is typed too early
        name = " ".join(shell.argv)
        typist.child.send(f"{name}\r")
        typist.until(r"\$")
        assert active(typist) == (box.venv, 1)
        typist.line("cd ..")
        assert active(typist)[0] == ""
        typist.child.send("exit\r")
        typist.until(r"\$")
        assert active(typist) == (box.venv, 1)
    typist.line("rm -rf .venv")
    typist.line("cd .")
    assert active(typist)[0] == ""
    typist.child.close(force=True)


@one_of_each_code
def test_safepip_is_asked_when_the_directory_changed_and_after_pip_and_never_at_each_prompt(
    shell: Shell, box: Sandbox, tmp_path: Path
) -> None:
    log, program = tmp_path / "log", tmp_path / "safepip"
    with open(box.safepip, encoding="utf-8") as file:
        first, _, rest = file.read().partition("\n")
    note = f"import sys\nwith open({str(log)!r}, 'a') as log:\n    log.write(' '.join(sys.argv[1:3]) + '\\n')\n"
    program.write_text(f"{first}\n{note}{rest}")
    program.chmod(0o755)

    def asked() -> int:
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return sum(line.startswith("hook") for line in lines)

    typist = begin(shell, box, program=str(program))
    asked()
    typist.line("pip install alpha")
    assert asked() == 1
    for _ in range(3):
        typist.line("echo x")
    assert asked() == 0
    typist.line("cd ..")
    assert asked() == 1
    typist.line("echo x")
    typist.line("cd .")
    assert asked() == 0
    typist.line(f"cd project-{shell}")
    assert asked() == 1
    assert active(typist) == (box.venv, 1)
    assert asked() == 0
    typist.child.close(force=True)


@one_of_each_code
def test_outside_projects_a_typed_python_sees_the_home_environments_packages_and_a_script_does_not(
    shell: Shell, box: Sandbox
) -> None:
    """The programs of these packages run, too; they come last on PATH."""
    typist = begin(shell, box)
    typist.line("cd ..")
    tool = f"tool{SHELLS.index(shell)}"
    assert "Successfully installed" in typist.line(f"pip install {tool}")
    with open(os.path.join(box.home, f"get-{shell}.py"), "w", encoding="utf-8") as file:
        file.write(f"#!/usr/bin/env python3\nimport {tool}\nprint('impor' + 'ted')\n")
    os.chmod(file.name, 0o755)
    assert "imported" in typist.line(f"python3 get-{shell}.py")
    assert "imported" in typist.line(f"python get-{shell}.py")
    assert "ModuleNotFoundError" in typist.line(f"sh -c './get-{shell}.py; true'")
    if shell.name != "xonsh":  # where a program that fails ends the line
        typist.line(f"cd project-{shell}")
        assert "ModuleNotFoundError" in typist.line(f"python3 ../get-{shell}.py")
    typist.line("cd /")
    assert f"this is {tool} 1.0" in typist.line(tool)
    assert active(typist)[0] == ""
    typist.child.close(force=True)


LOGIN = {"bash": ("bash", "-l"), "zsh": ("zsh", "-l"), "fish": ("fish", "-l"), "tcsh": ("-tcsh",)}


def typed_in_login_shell(name: str, box: Sandbox, home: str, line: str) -> str:
    """Return what a login shell with a short PATH and an empty home but for safepip's line says and prints."""
    find(name)
    argv = LOGIN[name]
    environ = {"HOME": home, "PATH": "/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8"}
    child = pexpect.spawn(
        "/bin/bash", ["-c", f"exec -a {argv[0]} {name} {' '.join(argv[1:])}"], env=environ, cwd=box.project,
        encoding="utf-8", timeout=PATIENCE, dimensions=(40, 300), echo=False,
    )  # fmt: skip
    child.send(f"{line}\rexit\r")
    child.expect(pexpect.EOF)
    return str(child.before)


@pytest.mark.parametrize("name", sorted(LOGIN))
def test_login_shells_find_safepip_and_what_pipx_installs(world: Sandbox, tmp_path: Path, name: str) -> None:
    """ssh, tmux and consoles start these, before PATH has ~/.local/bin."""
    home = str(tmp_path)
    safepip = os.path.join(home, ".local", "bin", "safepip")
    os.makedirs(os.path.dirname(safepip))
    shutil.copy(world.safepip, safepip)
    environ = {"HOME": home, "PATH": "/usr/bin:/bin"}
    assert world.call([safepip, "init", "--write", name], env=environ).code == 0
    text = typed_in_login_shell(name, world, home, "pip --safepip-version; env | grep ^PATH=")
    assert "safepip 0" in text or "0.1" in text
    assert f"PATH={home}/.local/bin:/usr" in text


@pytest.mark.parametrize("fault", ["broken", "gone"])
@pytest.mark.parametrize("name", sorted(LOGIN))
def test_a_safepip_that_cannot_start_costs_one_line_and_pip_is_pip(
    world: Sandbox, tmp_path: Path, name: str, fault: str
) -> None:
    home = str(tmp_path)
    safepip = os.path.join(home, "safepip")
    shutil.copy(world.safepip, safepip)
    environ = {"HOME": home, "PATH": "/usr/bin:/bin"}
    assert world.call([safepip, "init", "--write", name], env=environ).code == 0
    os.unlink(safepip)
    if fault == "broken":
        with open(safepip, "w", encoding="utf-8") as file:
            file.write(f"#!{world.python}\nimport no_such_module\n")
        os.chmod(safepip, 0o755)
    text = typed_in_login_shell(name, world, home, "which pip" if name == "tcsh" else "command -v pip")
    assert text.count("safepip does not start") == 1
    assert "Traceback" not in text
    assert "no_such_module" not in text


def test_a_tcsh_that_is_open_when_safepip_is_removed_stays_quiet(make_sandbox: MakeSandbox) -> None:
    """Its aliases and precmd outlive the files that they name."""
    box = make_sandbox()
    (shell,) = (shell for shell in SHELLS if shell.name == "tcsh")
    program = os.path.join(box.root, "gone", "safepip")
    os.makedirs(os.path.dirname(program))
    shutil.copy(box.safepip, program)
    files = shutil.copytree(FOLDER, os.path.join(box.root, "gone", "shells"))
    with open(os.path.join(box.home, ".tcshrc"), "w", encoding="utf-8") as file:
        file.write(shell.text.format(safepip=program))
    os.makedirs(box.project, exist_ok=True)
    typist = Typist(shell, box)
    typist.line(f"set _safepip_files = {files}")
    assert "safepip 0" in typist.line("pip --safepip-version")
    shutil.rmtree(os.path.dirname(program))
    said = typist.line("cd /") + typist.line("python3 -c 'print(6 * 7)'") + typist.line("pip --version")
    assert "42" in said
    assert "pip " in said
    assert "No such file" not in said
    assert "cannot open" not in said.lower()
    assert "can't open" not in said
    assert typist.leave() == 0
