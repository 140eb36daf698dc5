from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess

import pytest

from safepip.core.invocation import Invocation
from safepip.errors import SafepipError
from safepip.report import Report
from safepip.shells import FOLDER, LANGUAGES, detect, links, shim, startup_files
from safepip.shells.quoting import assignments
from safepip.shells.shim import filled
from safepip.system.observe import Context, ambient
from safepip.verbs import init

EACH_LANGUAGE = sorted(set(LANGUAGES.values()))


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


@pytest.mark.parametrize("language", EACH_LANGUAGE)
def test_the_code_begins_with_the_program_and_whether_it_activates(run, language, program):
    for option, hooked in ((), "1"), (("--no-activate",), "0"):
        code, out, err = run(language, *option)
        assert (code, err) == (0, "")
        values = {"_safepip_program": program, "_safepip_hooked": hooked}
        assert out.startswith(assignments(language, values))


def test_a_prompt_stays_as_it_is_where_the_setting_says_so(run, monkeypatch, program):
    monkeypatch.setenv("SAFEPIP_PROMPT", "no")
    values = {"_safepip_program": program, "_safepip_hooked": "plain"}
    assert run("bash")[1].startswith(assignments("bash", values))


def test_tcsh_gets_one_line(run):
    assert run("tcsh")[1].count("\n") == 1


def test_what_a_value_holds_is_not_filled_again():
    assert filled("__A__ __B__ __C__", {"A": "__B__", "B": "b"}, shlex.quote) == "__B__ b __C__"


def test_an_unknown_shell_or_option_is_a_wrong_use(run):
    for words in (("pwnsh",), ("bash", "--frob"), ("bash", "zsh"), ("bash", "--undo", "--write")):
        with pytest.raises(SafepipError) as raised:
            run(*words)
        assert raised.value.code == 64


def lines_shown(out):
    """Return pairs of file and line from what bare `init` prints: one below the other."""
    shown = out.splitlines()
    return [(file.removeprefix("# "), line) for file, line in zip(shown[::2], shown[1::2], strict=True)]


@pytest.fixture
def login_files(home):
    """A ~/.profile as Debian's, by which login shells of bash read ~/.bashrc."""
    with open(os.path.join(home, ".profile"), "w", encoding="utf-8") as file:
        file.write('if [ -n "$BASH_VERSION" ]; then . "$HOME/.bashrc"; fi\n')


@pytest.mark.parametrize("language", EACH_LANGUAGE)
def test_init_shows_file_and_line_with_the_absolute_path(run, home, monkeypatch, program, login_files, language):
    monkeypatch.setattr(startup_files, "users_shell", lambda _environ: language)
    code, out, err = run()
    assert (code, err) == (
        0,
        "safepip: have "
        + ("these lines" if language == "nushell" else "this line")
        + f" written: {program} init --write\n",
    )
    for file, _ in lines_shown(out):
        assert file.startswith(home)
    assert program in lines_shown(out)[0][1]


def test_printed_commands_name_safepip_by_its_path_only_where_path_does_not_lead_to_it(run, monkeypatch, program):
    monkeypatch.setattr(startup_files, "users_shell", lambda _environ: "fish")
    assert f"remove it again: {program} init --undo\n" in run("--write")[2]
    monkeypatch.setenv("PATH", os.path.dirname(program) + os.pathsep + os.environ["PATH"])
    assert run()[2] == "safepip: have this line written: safepip init --write\n"


@pytest.mark.parametrize("options", [(), ("--no-activate",)], ids=str)
@pytest.mark.parametrize("language", EACH_LANGUAGE)
def test_what_write_adds_is_there_once_and_undo_leaves_every_other_line(
    run, monkeypatch, login_files, language, options
):
    monkeypatch.setattr(startup_files, "users_shell", lambda _environ: language)
    shown = lines_shown(run(*options)[1])
    for file, line in shown:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w", encoding="utf-8", newline="") as opened:
            opened.write(f"mine\r\n# {line}\nmine too")
    code, out, said = run("--write", *options)
    assert (code, out) == (0, "")
    for file, line in shown:
        assert f"wrote to {file}: {line}" in said
        with open(file, encoding="utf-8", newline="") as opened:
            assert opened.read() == f"mine\r\n# {line}\nmine too\n{line}\n"
    assert f"already in {shown[0][0]}\n" in run("--write", *options)[2]
    code, out, said = run(language, "--undo")
    assert (code, out) == (0, "")
    for file, line in shown:
        assert f"removed from {file}: {line}" in said
        with open(file, encoding="utf-8", newline="") as opened:
            assert opened.read() == f"mine\r\n# {line}\nmine too\n"
    assert "has no line of safepip's" in run(language, "--undo")[2]


@pytest.mark.parametrize(
    ("language", "old"),
    [
        ("bash", 'eval "$(safepip init bash)"'),
        ("bash", "  eval \"$('/a b/safepip' init bash --no-activate)\""),
        ("fish", "~/.local/bin/safepip init fish | source"),
        ("tcsh", "eval `safepip init tcsh`"),
        ("xonsh", "execx($(safepip init xonsh))"),
        ("zsh", 'eval "$(/gone/safepip init zsh)"'),
    ],
)
def test_write_replaces_the_lines_of_earlier_versions_and_undo_removes_them(
    run, monkeypatch, login_files, language, old
):
    monkeypatch.setattr(startup_files, "users_shell", lambda _environ: language)
    ((file, line),) = lines_shown(run()[1])
    os.makedirs(os.path.dirname(file), exist_ok=True)
    for word, after in (("--write", f"a\nb\n{line}\n"), ("--undo", "a\nb\n")):
        with open(file, "w", encoding="utf-8") as opened:
            opened.write(f"a\n{old}\nb\n")
        assert run(language, word)[0] == 0
        with open(file, encoding="utf-8") as opened:
            assert opened.read() == after


def test_login_shells_of_bash_are_led_to_bashrc_where_nothing_else_does(run, home):
    for name in (".profile", ".bash_profile"):
        with open(os.path.join(home, name), "w", encoding="utf-8") as file:
            file.write("# not .bashrc\n")
    run("bash", "--write")
    with open(os.path.join(home, ".bash_profile"), encoding="utf-8") as file:
        assert ". ~/.bashrc" in file.read()
    run("bash", "--undo")
    for name in (".profile", ".bash_profile"):
        with open(os.path.join(home, name), encoding="utf-8") as file:
            assert file.read() == "# not .bashrc\n"


def test_a_link_and_the_rights_of_the_file_behind_it_stay(run, home, work, login_files):
    real, link = os.path.join(work, "rc"), os.path.join(home, ".bashrc")
    with open(real, "w", encoding="utf-8"):
        os.chmod(real, 0o600)
    os.symlink(real, link)
    for words in (("bash", "--write"), ("bash", "--undo")):
        run(*words)
        assert os.path.islink(link)
        assert os.stat(real).st_mode & 0o777 == 0o600
        assert (os.path.getsize(real) > 0) == ("--write" in words)
        assert sorted(os.listdir(work)) == ["rc"]


def test_bytes_that_are_no_text_stay(run, home, login_files):
    with open(os.path.join(home, ".bashrc"), "wb") as file:
        file.write(b"caf\xe9=1\n")
    run("bash", "--write")
    run("bash", "--undo")
    with open(os.path.join(home, ".bashrc"), "rb") as file:
        assert file.read() == b"caf\xe9=1\n"


def test_a_file_that_cannot_be_written_is_named(run, home, login_files):
    os.mkdir(os.path.join(home, ".bashrc"))
    with pytest.raises(SafepipError) as raised:
        run("bash", "--write")
    assert (raised.value.code, ".bashrc" in raised.value.what) == (73, True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.parametrize("word", ["--write", "--undo"])
def test_a_pipe_or_what_a_link_leads_to_is_neither_read_nor_replaced(run, home, work, login_files, word):
    pipe, link = os.path.join(work, "pipe"), os.path.join(home, ".bashrc")
    os.mkfifo(pipe)
    os.symlink(pipe, link)
    with pytest.raises(SafepipError) as raised:
        run("bash", word)
    assert raised.value.code == 73
    assert stat.S_ISFIFO(os.stat(link).st_mode)


@pytest.mark.parametrize("variable", ["ENV", "XDG_CONFIG_HOME", "ZDOTDIR"])
def test_a_variable_with_a_relative_path_names_no_start_up_file(run, home, work, monkeypatch, variable):
    monkeypatch.setenv(variable, "relative")
    monkeypatch.chdir(work)
    for shell in ("sh", "fish", "zsh"):
        run(shell, "--write")
    assert os.listdir(work) == []


def test_variables_in_the_name_of_shs_file_are_expanded_as_sh_does(run, home, monkeypatch):
    monkeypatch.setenv("ENV", "$HOME/.shrc")
    run("sh", "--write")
    assert os.path.isfile(os.path.join(home, ".shrc"))


# -- shims


def test_a_shim_may_replace_only_a_shim(home, program):
    folder = os.path.join(home, "shims")
    shim.write_shims(folder, ("pip",), program)
    assert shim.is_free(os.path.join(folder, "pip"))
    assert shim.is_free(os.path.join(folder, "nothing"))
    assert not shim.is_free(program)
    assert not shim.is_free(home)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="there is no shellcheck here")
@pytest.mark.parametrize("name", [name for name in sorted(os.listdir(FOLDER)) if name.endswith((".sh", ".bash"))])
def test_shellcheck_finds_nothing(name):
    folder = os.path.dirname(shim.__file__)
    done = subprocess.run(["shellcheck", os.path.join(folder, name)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
