"""What `safepip hook` answers, and that real shells make of it exactly what was meant."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys

import pytest

from safepip.shells import LANGUAGES
from safepip.shells.activation import follow, leave
from safepip.shells.hook import answer, begins, place_of
from safepip.shells.quoting import assignments, quote, render
from safepip.system import registry
from safepip.system.process import inherited

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the shells of POSIX")
HOSTILE = (
    "it's", '"two"', "$HOME ${HOME} $(id) `id`", "a  b\tc", "back\\slash\\\\", "!x !! !$", "%s %n ~ * ? [a-z] {a,b}",
    "# ; & | < > ( )", "-n", "\x1b[31m\x07", "two\nlines\n", "trailing\\", "$'x'", "\u2018\u2019", "naïve 名", "^x^y", "=ls",
)  # fmt: skip
SHELLS = {
    "bash": ("bash", "--norc", "-c"),
    "zsh": ("zsh", "-f", "-c"),
    "sh": ("dash", "-c"),
    "ksh": ("ksh", "-c"),
    "mksh": ("mksh", "-c"),
    "busybox": ("busybox", "sh", "-c"),
    "fish": ("fish", "--no-config", "-c"),
    "tcsh": ("tcsh", "-f", "-c"),
    "nushell": ("nu", "-n", "-c"),
}
EVALUATED = {"fish": "cat answer | source; ", "tcsh": 'eval "`cat answer`"; '}
PRINT = 'printf \'%s|%s\' "${shown}" "$EXPORTED"'


def shell_argv(name):
    argv = SHELLS[name]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"there is no {argv[0]} here")
    return argv


def seen_by(name, language, value):
    """Return a shell's own and exported variable after it evaluated the answer."""
    steps = [("set", "shown", value), ("export", "EXPORTED", value)]
    with open("answer", "wb") as file:
        file.write(os.fsencode(render(language, steps)))
    code = EVALUATED.get(name, 'eval "$(cat answer)"; ') + "env -0"
    code += f"; {PRINT}" if language != "fish" else "; printf '%s|%s' $shown $EXPORTED"
    done = subprocess.run([*shell_argv(name), code], capture_output=True, check=False)
    variables, _, printed = done.stdout.rpartition(b"\0")
    exported = dict(line.partition(b"=")[::2] for line in variables.split(b"\0"))
    assert done.stderr == b""
    return os.fsdecode(exported[b"EXPORTED"]), os.fsdecode(printed)


@pytest.mark.parametrize("value", [*HOSTILE, os.fsdecode(b"caf\xe9 \xff")], ids=ascii)
@pytest.mark.parametrize("name", ["bash", "zsh", "sh", "ksh", "mksh", "busybox", "fish", "tcsh"])
def test_a_shell_reads_exactly_what_was_meant(work, name, value):
    language = name if name in LANGUAGES.values() else "sh"
    if name == "tcsh" and ("\n" in value or not value.isprintable()):
        pytest.skip("tcsh has no such values")
    assert seen_by(name, language, value) == (value, f"{value}|{value}")


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_data_reads_back_as_it_was(value):
    steps = [("set", "shown", "before"), ("set", "shown", value), ("export", "GONE", None)]
    assert ast.literal_eval(render("xonsh", steps)) == {"shown": value, "GONE": None}
    for language in ("nushell", "powershell"):
        assert json.loads(render(language, steps)) == {"shown": value, "GONE": None}


@pytest.mark.parametrize("value", [value for value in HOSTILE if value.isprintable()], ids=ascii)
def test_nushell_reads_exactly_what_was_meant(value):
    code = f"{assignments('nushell', {'shown': value})}; print -n $env.shown"
    done = subprocess.run([*shell_argv("nushell"), code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (value, "")


def test_an_apostrophe_of_any_kind_ends_no_text_of_powershells():
    assert quote("powershell", "a'b\u2019c") == "'a''b\u2019\u2019c'"


# -- what is active where


@pytest.fixture
def state(home):
    return os.path.join(home, ".local", "state", "safepip")


@pytest.fixture
def make(state):
    """Make something that hooks take for an environment which safepip made."""

    def make(project, *, known=True, prompt=""):
        path = os.path.join(project, ".venv")
        os.makedirs(os.path.join(path, "bin"))
        with open(os.path.join(path, "pyvenv.cfg"), "w", encoding="utf-8") as file:
            file.write(f"home = /usr/bin\nprompt = {prompt}\n" if prompt else "home = /usr/bin\n")
        if known:
            registry.note(state, path, registry.MADE)
        return path

    return make


@pytest.fixture
def shell(monkeypatch):  # noqa: C901  a small class
    """Play a shell: type `cd`, see what is active; variables are those that the answers set."""

    class Shell:
        def __init__(self):
            self.environ = {**inherited(), "PATH": "/usr/bin:/bin"}
            self.own = {}

        def asks(self, *words):
            for name in [*os.environ]:
                monkeypatch.delenv(name)
            for name, value in self.environ.items():
                monkeypatch.setenv(name, value)
            told = ast.literal_eval(os.fsdecode(answer(["xonsh", *words])))
            for name, value in told.items():
                if name.startswith("_safepip"):
                    self.own[name] = value
                elif value is None:
                    self.environ.pop(name, None)
                else:
                    self.environ[name] = value
            return self

        def prompt(self):
            self.asks("1", self.own.get("_safepip_off", ""))
            return self.environ.get("VIRTUAL_ENV", "")

        def cd(self, folder):
            os.chdir(folder)
            return self.prompt()

        @property
        def path(self):
            return self.environ["PATH"].split(":")

    return Shell()


@pytest.mark.skipif(shutil.which("tcsh") is None, reason="there is no tcsh here")
@pytest.mark.parametrize("option", ["", "set backslash_quote ;"])
@pytest.mark.parametrize(
    "value", ["x\\';touch found;'", "'\\''", "a\\", "a!b!!", "\\!", "\\\\!", "`touch found`", "$(touch found)"]
)
def test_tcsh_takes_what_it_evaluates_for_data_whatever_it_makes_of_backslashes(tmp_path, option, value):
    (tmp_path / "answer").write_text(render("tcsh", [("export", "VALUE", value)]), encoding="utf-8")
    script = f'{option} eval "`cat answer`" ; printenv VALUE'
    ran = subprocess.run(["tcsh", "-f", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == (f"{value}\n", "")
    assert os.listdir(tmp_path) == ["answer"]


def test_an_environment_is_active_in_its_project_and_below(shell, make, home, work):
    path = make(work)
    os.makedirs(f"{work}/below/deep")
    assert shell.cd(f"{work}/below/deep") == path
    assert shell.path == [f"{path}/bin", "/usr/bin", "/bin"]
    assert shell.environ["SAFEPIP_ACTIVATED"] == path
    assert shell.cd(home) == ""
    assert shell.path == ["/usr/bin", "/bin"]
    assert not {"SAFEPIP_ACTIVATED", "VIRTUAL_ENV_PROMPT"} & set(shell.environ)


def test_from_one_project_into_another_only_the_other_is_active(shell, make, work):
    first, second = make(f"{work}/a"), make(f"{work}/b")
    for project in ("a", "b"):
        with open(f"{work}/{project}/pyproject.toml", "w"):
            pass
    assert shell.cd(f"{work}/a") == first
    assert shell.cd(f"{work}/b") == second
    assert shell.path == [f"{second}/bin", "/usr/bin", "/bin"]


@pytest.mark.parametrize("what", ["copied", "moved", "put in its place", "unfinished", "of another tool"])
def test_what_safepip_does_not_know_is_not_active(shell, make, work, what):
    path = make(work, known=what != "of another tool")
    if what == "copied":
        shutil.copytree(path, f"{work}/b/.venv")
    elif what == "moved":
        os.makedirs(f"{work}/b")
        os.rename(path, f"{work}/b/.venv")
    elif what == "put in its place":
        os.rename(path, f"{path}.away")
        shutil.copytree(f"{path}.away", path)
    elif what == "unfinished":
        os.makedirs(f"{path}/.safepip", exist_ok=True)
        with open(f"{path}/.safepip/creating", "w"):
            pass
    folder = f"{work}/b" if what in {"copied", "moved"} else work
    assert shell.cd(folder) == ""


def test_what_was_deactivated_by_hand_stays_off_until_one_leaves(shell, make, home, work):
    path = make(work)
    os.mkdir(f"{work}/below")
    assert shell.prompt() == path
    shell.asks("leave")
    assert shell.path == ["/usr/bin", "/bin"]
    assert shell.cd(f"{work}/below") == ""
    assert shell.cd(home) == ""
    assert shell.cd(work) == path


def test_one_whose_variable_was_removed_by_hand_stays_off_too(shell, make, work):
    path = make(work)
    assert shell.prompt() == path
    del shell.environ["VIRTUAL_ENV"]
    assert shell.prompt() == ""
    assert f"{path}/bin" not in shell.path
    assert shell.prompt() == ""


def test_another_that_is_activated_by_hand_stays_wherever_one_goes(shell, make, home, work):
    assert shell.cd(work) == ""
    shell.environ["VIRTUAL_ENV"] = "/by/hand"
    make(work)
    assert shell.prompt() == "/by/hand"
    assert shell.cd(home) == "/by/hand"


def test_activate_takes_the_hooks_environment_off_and_does_not_keep_it_off(shell, make, work):
    path = make(work)
    assert shell.prompt() == path
    shell.asks("leave", "nondestructive")
    assert shell.own["_safepip_off"] == ""
    assert shell.prompt() == path


def test_beside_a_conda_environment_nothing_is_active(shell, make, work):
    path = make(work)
    shell.environ["CONDA_DEFAULT_ENV"] = "base"
    assert shell.prompt() == path
    shell.environ["CONDA_DEFAULT_ENV"] = "science"
    assert shell.prompt() == ""


def test_the_shell_watches_the_file_that_comes_and_goes_with_the_environment(shell, make, work):
    shell.prompt()
    assert shell.own["_safepip_watch"] == f"{work}/.venv/pyvenv.cfg"
    path = make(work)
    assert shell.prompt() == path
    shutil.rmtree(path)
    assert shell.prompt() == ""
    os.makedirs(f"{path}/.safepip")
    with open(f"{path}/.safepip/creating", "w"):
        shell.prompt()
    assert shell.own["_safepip_watch"] == f"{path}/.safepip/creating"


def test_in_a_directory_that_is_gone_nothing_is_active(shell, make, work, home):
    path = make(f"{work}/gone")
    assert shell.cd(f"{work}/gone") == path
    shutil.rmtree(f"{work}/gone")
    assert shell.prompt() == ""


def test_a_path_that_path_cannot_hold_is_not_active(shell, make, work):
    make(f"{work}/a:b")
    assert shell.cd(f"{work}/a:b") == ""


def test_a_shell_that_begins_enters_what_it_inherited_again(shell, make, home, work):
    """What the rc file did to PATH may have put the environment behind."""
    path = make(work)
    shell.environ.update(VIRTUAL_ENV=path, SAFEPIP_ACTIVATED=path, PATH=f"/usr/bin:{path}/bin")
    shell.asks("start", "1")
    assert shell.path == [f"{path}/bin", f"{home}/.local/bin", "/usr/bin", f"{home}/.local/share/safepip/programs"]
    before = shell.path
    assert shell.asks("start", "1").path == before


def test_pipxs_own_folder_counts(shell, work):
    shell.environ["PIPX_BIN_DIR"] = "/opt/apps"
    assert shell.asks("start", "0").path[0] == "/opt/apps"


def test_without_activation_only_path_is_completed(shell, make, work):
    make(work)
    shell.asks("start", "0")
    shell.asks("0")
    assert "VIRTUAL_ENV" not in shell.environ


# -- the prompt


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("", ".venv"),
        ("blog", "blog"),
        ("'my blog'", "my blog"),
        ("$(id)`id`\\u%n!{x}\x1b[1m", "__id__id__u_n__x___1m"),
        ("名", "名"),
    ],
    ids=ascii,
)
def test_the_prompt_shows_what_activate_would_and_nothing_that_a_shell_acts_on(shell, make, work, prompt, shown):
    make(work, prompt=prompt)
    shell.prompt()
    assert shell.own["_safepip_enter"] == f"({shown}) "
    assert shell.environ["VIRTUAL_ENV_PROMPT"] == shown


def test_the_prompt_can_stay_as_it_is(shell, make, work, home):
    make(work)
    assert shell.asks("plain").own["_safepip_enter"] == ""
    shell.asks("leave", "nondestructive")
    shell.environ["VIRTUAL_ENV_DISABLE_PROMPT"] = "1"
    assert shell.asks("1").own["_safepip_enter"] == ""


# -- what is not a question, and what tcsh cannot read


@pytest.mark.parametrize(
    "words", [(), ("bash",), ("pwnsh", "1"), ("bash", "frob"), ("bash", "complete", "1", "pip")]
)
def test_what_no_hook_asks_is_answered_by_the_verb(words):
    assert answer(words) is None


def test_tcsh_is_told_nothing_where_a_value_has_two_lines(make, work, monkeypatch):
    path = make(f"{work}/two\nlines")
    os.chdir(os.path.dirname(path))
    assert answer(["tcsh", "1", ""]) == b""
    assert os.fsencode(path) in answer(["bash", "1", ""])


def test_a_shim_is_told_where_the_programs_are(make, work, home):
    path = make(work)
    assert answer(["sh", "bin"]) == os.fsencode(f"{path}/bin")
    os.chdir(home)
    assert answer(["sh", "bin"]) == b""


def test_steps_are_taken_in_the_variables_that_they_were_made_from(make, work):
    path = make(work)
    environ = {**inherited(), "PATH": "/usr/bin"}
    follow(place_of(environ), "", prompt=True)
    assert (environ["VIRTUAL_ENV"], environ["PATH"]) == (path, f"{path}/bin:/usr/bin")
    leave(environ)
    assert ("VIRTUAL_ENV" in environ, environ["PATH"]) == (False, "/usr/bin")
    assert begins(environ, "0")[0][:2] == ("export", "PATH")
