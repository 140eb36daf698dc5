from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess

import pytest

from safepip.core.invocation import Invocation
from safepip.errors import SafepipError
from safepip.report import Report
from safepip.shells import detect, links, shim
from safepip.shells.files import filled, read_file
from safepip.shells.known import forget_for_shells, is_known_to_shells, note_for_shells
from safepip.system.observe import Context, ambient
from safepip.system.project import MARKERS
from safepip.verbs import init

LANGUAGES = sorted(set(detect.LANGUAGES.values()))


@pytest.fixture
def state(home):
    return os.path.join(home, "state")


@pytest.fixture(autouse=True)
def program(home, monkeypatch):
    path = os.path.join(home, "safepip")
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n")
    os.chmod(path, 0o755)
    monkeypatch.setattr("sys.argv", [path])
    return path


@pytest.fixture
def run(capfd):
    """Carry out `safepip init` with these words; return exit code, stdout and stderr."""

    def run(*words):
        context = Context(Invocation(words=()), ambient())
        code = init.main(words, context, Report())
        return (code, *capfd.readouterr())

    return run


# -- which environments the hooks may activate


def make(path):
    os.makedirs(path)
    return path


def test_only_what_was_noted_is_known(state, work):
    first, second = make(os.path.join(work, "a", ".venv")), make(os.path.join(work, "b", ".venv"))
    note_for_shells(state, first)
    assert is_known_to_shells(state, first)
    assert not is_known_to_shells(state, second)


def test_noting_again_changes_nothing(state, work):
    path = make(os.path.join(work, ".venv"))
    note_for_shells(state, path)
    before = os.listdir(os.path.join(path, ".safepip"))
    note_for_shells(state, path)
    assert os.listdir(os.path.join(path, ".safepip")) == before
    assert len(os.listdir(os.path.join(state, "activate"))) == 1


def test_a_copy_or_a_moved_environment_is_not_known(state, work):
    path = make(os.path.join(work, ".venv"))
    note_for_shells(state, path)
    copied, moved = os.path.join(work, "copied"), os.path.join(work, "moved")
    shutil.copytree(path, copied)
    os.rename(path, moved)
    assert not is_known_to_shells(state, copied)
    assert not is_known_to_shells(state, moved)


def test_what_is_put_in_its_place_is_not_known(state, work):
    path = make(os.path.join(work, ".venv"))
    note_for_shells(state, path)
    shutil.rmtree(path)
    os.makedirs(os.path.join(path, ".safepip", "shell-" + "0" * 32))
    assert not is_known_to_shells(state, path)


def test_a_forgotten_environment_is_not_known_and_leaves_nothing(state, work):
    path = make(os.path.join(work, ".venv"))
    note_for_shells(state, path)
    forget_for_shells(state, path)
    assert not is_known_to_shells(state, path)
    assert os.listdir(os.path.join(state, "activate")) == os.listdir(os.path.join(path, ".safepip")) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is denied to root")
def test_what_cannot_be_written_is_let_be(state, work):
    path = make(os.path.join(work, ".venv"))
    os.chmod(path, 0o500)
    note_for_shells(state, path)
    assert not is_known_to_shells(state, path)


def test_without_a_state_nothing_is_noted(work):
    path = make(os.path.join(work, ".venv"))
    note_for_shells(None, path)
    forget_for_shells(None, path)
    assert os.listdir(path) == []


# -- links to the home environment's programs


@pytest.fixture
def data(home):
    programs = os.path.join(home, "data", "home", "bin")
    os.makedirs(programs)
    for name in ("http", "python3", "pip3.12", "activate", "activate.fish"):
        with open(os.path.join(programs, name), "w", encoding="utf-8"):
            os.chmod(os.path.join(programs, name), 0o755)
    with open(os.path.join(programs, "notes.txt"), "w", encoding="utf-8"):
        pass
    return os.path.join(home, "data")


def test_links_lead_to_programs_that_packages_brought(data):
    links.refresh(data)
    assert os.listdir(os.path.join(data, "programs")) == ["http"]
    assert os.path.samefile(os.path.join(data, "programs", "http"), os.path.join(data, "home", "bin", "http"))


def test_links_follow_and_leave_alone_what_is_not_theirs(data):
    links.refresh(data)
    with open(os.path.join(data, "programs", "mine"), "w", encoding="utf-8"):
        os.unlink(os.path.join(data, "home", "bin", "http"))
    links.refresh(data)
    assert os.listdir(os.path.join(data, "programs")) == ["mine"]


def test_links_have_the_time_of_the_programs(data):
    links.refresh(data)
    times = [os.stat(os.path.join(data, *way)).st_mtime_ns for way in (("programs",), ("home", "bin"))]
    assert times[0] == times[1]


def test_without_a_home_environment_the_folder_is_older_than_any(home):
    links.refresh(os.path.join(home, "none"))
    links.refresh(None)
    assert os.stat(os.path.join(home, "none", "programs")).st_mtime_ns == 0


# -- which shell


@pytest.mark.parametrize(
    ("shell", "language"),
    [
        ("/bin/bash", "bash"), ("-zsh", "zsh"), ("/usr/bin/bsd-csh", "tcsh"), ("dash", "sh"), ("/bin/busybox", "sh"),
        ("nu", "nushell"), ("C:/pwsh.EXE", "powershell"), ("/usr/bin/python3", None),
    ],
)  # fmt: skip
def test_a_shell_speaks_its_language(shell, language):
    assert detect.language_of(shell) == language


@pytest.fixture
def parent(monkeypatch):
    return lambda path: monkeypatch.setattr(detect, "_parent", lambda: path)


def test_the_parent_is_the_users_shell_but_one_that_runs_scripts(parent):
    parent("/usr/bin/fish")
    assert detect.users_shell({"SHELL": "/bin/sh"}) == "/usr/bin/fish"
    parent("/bin/dash")
    assert detect.users_shell({"SHELL": "/bin/sh"}) == "/bin/sh"
    assert detect.users_shell({}) == "/bin/dash"
    parent("")
    assert detect.users_shell({"SHELL": "/bin/sh"}) == "/bin/sh"
    assert detect.users_shell({"SHELL": "/nowhere/zsh"}) == "/bin/sh"


# -- init


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_placeholder_is_filled(run, language):
    code, out, err = run(language)
    assert (code, err) == (0, "")
    assert "safepip" in out
    for name in ("PROGRAM", "STATE", "HOME", "LINKS", "WORDS", "PYTHONS"):
        assert f"__{name}__" not in out


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "tcsh"])
def test_without_activation_no_variable_of_it_remains(run, language):
    _, out, _ = run(language, "--no-activate")
    assert "VIRTUAL_ENV" not in out
    assert "SAFEPIP_ACTIVATED" not in out


def test_tcsh_gets_one_line(run):
    _, out, _ = run("tcsh", "--no-activate")
    assert out.count("\n") == 1
    assert "set _safepip_activate = ''" in out


ODD = '/it\'s "a" $HOME/back\\slash/!x/%s/`y`'


@pytest.mark.parametrize(
    ("program", "language", "before"),
    [("bash", "bash", ""), ("zsh", "zsh", ""), ("dash", "sh", ""), ("fish", "fish", ""), ("tcsh", "tcsh", "-f")],
)
def test_a_path_comes_through_quoting_as_it_is(program, language, before):
    shell = shutil.which(program)
    if shell is None:
        pytest.skip(f"there is no {program} here")
    line = f"env printf %s {init._QUOTES[language](ODD)}"
    argv = [shell, *before.split(), "-c", line]
    assert subprocess.run(argv, capture_output=True, text=True, check=False).stdout == ODD


def test_what_a_value_holds_is_not_filled_again():
    assert filled("__A__ __B__ __C__", {"A": "__B__", "B": "b"}, shlex.quote) == "__B__ b __C__"


def test_an_unknown_shell_or_option_is_a_wrong_use(run):
    for words in (("pwnsh",), ("bash", "--frob"), ("bash", "zsh"), ("bash", "--undo", "--no-activate")):
        with pytest.raises(SafepipError) as raised:
            run(*words)
        assert raised.value.code == 64


@pytest.mark.parametrize("language", LANGUAGES)
def test_undo_removes_what_init_said_to_add_and_nothing_else(run, home, monkeypatch, language):
    monkeypatch.setattr(init, "users_shell", lambda _environ: language)
    code, out, told = run()
    assert (code, out) == (0, "")
    assert told
    added = {}
    for line in told.splitlines():
        file, _, text = line.removeprefix("safepip: add to ").partition(": ")
        added[file] = text
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w", encoding="utf-8", newline="") as opened:
            opened.write(f"mine\r\n{text}\n# {text}\nmine too")
    code, out, said = run(language, "--undo")
    assert (code, out) == (0, "")
    for file, text in added.items():
        with open(file, encoding="utf-8", newline="") as opened:
            assert opened.read() == f"mine\r\n# {text}\nmine too"
        assert f"removed from {file}: {text}" in said
    assert "nothing of safepip's" in run(language, "--undo")[2]


def test_undo_finds_the_line_with_an_option_and_another_path(run, home):
    file = os.path.join(home, ".bashrc")
    with open(file, "w", encoding="utf-8") as opened:
        opened.write("  eval \"$('/a b/safepip' init bash --no-activate)\"\n")
    run("bash", "--undo")
    assert os.path.getsize(file) == 0


def test_undo_keeps_a_link_and_the_mode(run, home, work):
    real, link = os.path.join(work, "rc"), os.path.join(home, ".bashrc")
    with open(real, "w", encoding="utf-8") as opened:
        opened.write('eval "$(safepip init bash)"\n')
    os.chmod(real, 0o600)
    os.symlink(real, link)
    run("bash", "--undo")
    assert os.path.islink(link)
    assert (os.path.getsize(real), os.stat(real).st_mode & 0o777) == (0, 0o600)


# -- shims


def test_a_shim_may_replace_only_a_shim(home, program):
    folder = os.path.join(home, "shims")
    shim.write_shims(folder, ("pip",), program, None)
    assert shim.is_free(os.path.join(folder, "pip"))
    assert shim.is_free(os.path.join(folder, "nothing"))
    assert not shim.is_free(program)
    assert not shim.is_free(home)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="there is no shellcheck here")
@pytest.mark.parametrize(
    "name", ["init.bash", "init.sh", "python.sh", "shell.bash", "shell.sh", "shim-pip.sh", "shim-python.sh"]
)
def test_shellcheck_finds_nothing(name):
    folder = os.path.dirname(shim.__file__)
    done = subprocess.run(["shellcheck", os.path.join(folder, name)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_the_search_is_the_same_in_hooks_and_shims():
    assert "_safepip_find() {" in shim._find()
    assert "_safepip_knows() {" in shim._find()
    assert "</find>" not in shim._find()
    assert "__FIND__" in read_file("shim-python.sh")


# -- what a project is


HOOKS = ("init.bash", "init.zsh", "init.fish", "init.sh", "init.xsh", "init.nu", "init.ps1", "find.tcsh")


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_knows_every_marker_of_a_project(name):
    text = read_file(name)
    assert [marker for marker in (*MARKERS, "requirements*.txt") if marker not in text] == []


@pytest.mark.parametrize(
    ("name", "before"), [("bash", ""), ("zsh", "-f"), ("dash", ""), ("fish", "--no-config"), ("tcsh", "-f")]
)
@pytest.mark.parametrize("marker", [*MARKERS[:9], "requirements-dev.txt", None])
def test_a_project_below_keeps_the_environment_above_out(home, work, state, name, before, marker):
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"there is no {name} here")
    path, below = make(os.path.join(work, ".venv")), make(os.path.join(work, "a [b]", "c"))
    for file in (
        os.path.join(path, "pyvenv.cfg"),
        *([os.path.join(os.path.dirname(below), marker)] if marker else []),
    ):
        with open(file, "w"):
            pass
    note_for_shells(state, path)
    quoted = init._QUOTES[detect.LANGUAGES["sh" if name == "dash" else name]]
    if name == "tcsh":
        file = quoted(os.path.join(os.path.dirname(shim.__file__), "find.tcsh"))
        code = f"set _safepip_state = {quoted(state)}\nset _safepip_found = ''\nsource {file}\n"
    else:
        text = read_file(f"init.{'sh' if name == 'dash' else name}")
        kept = "set -g _safepip_state " if name == "fish" else "_safepip_state="
        functions = "".join(
            re.findall(
                r"(?ms)^(?:function )?_safepip_(?:find|is_project|in_repository|knows)\b.*?^(?:\}|end)\n", text
            )
        )
        code = f"{kept}{quoted(state)}\n{functions}\n_safepip_find\n"
    script = os.path.join(home, "script")
    with open(script, "w") as file:
        file.write(f'{code}echo "found=$_safepip_found"\n')
    done = subprocess.run([shell, *before.split(), script], capture_output=True, text=True, check=False, cwd=below)
    assert (done.stdout, done.stderr) == (f"found={'' if marker else path}\n", "")
