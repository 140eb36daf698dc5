from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest
from tree import TREE

from safepip import __version__, cli, errors
from safepip.core.plan import Refuse
from safepip.errors import SafepipError

PLAN = Refuse(code=1, what="x", ways=(), because="x")


@pytest.fixture
def run(capfd):
    """Run a line in this process; return code, stdout and stderr."""

    def run(*words, program="/usr/bin/safepip", **options):
        code = cli.main(words, program, **options)
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def failing(run, monkeypatch):
    """Run a line while something raises."""

    def failing(error, *words):
        def fail(*_args):
            raise error

        monkeypatch.setattr("safepip.system.stages.decided", fail)
        return run(*words)

    return failing


# -- errors become exit codes


@pytest.mark.parametrize(
    "name",
    [
        "NO_ENVIRONMENT", "USAGE", "NO_PIPX", "CANNOT_CREATE", "LOCK_TIMEOUT", "REFUSED", "BAD_SETTINGS",
        "CANNOT_RUN", "NOT_FOUND",
    ],
)  # fmt: skip
def test_an_error_of_safepips_ends_with_its_code_and_the_ways_on(failing, name):
    code = getattr(errors, name)
    assert failing(SafepipError(code, "what happened", "one way", "another")) == (
        code,
        "",
        f"safepip: {'refused' if code == errors.REFUSED else 'error'}: what happened\nsafepip: one way\nsafepip: another\n",
    )


def test_the_exit_codes_stay_as_documented():
    assert [
        errors.NO_ENVIRONMENT, errors.USAGE, errors.NO_PIPX, errors.CANNOT_CREATE, errors.LOCK_TIMEOUT,
        errors.REFUSED, errors.BAD_SETTINGS, errors.CANNOT_RUN, errors.NOT_FOUND,
    ] == [3, 64, 69, 73, 75, 77, 78, 126, 127]  # fmt: skip


def test_an_error_without_words_lets_another_programs_message_stand(failing):
    assert failing(SafepipError(9, "")) == (9, "", "")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_ends_it_by_that_signal():
    code = """
from safepip import cli
from safepip.core import decide

def interrupted(*_):
    raise KeyboardInterrupt

decide.decide = interrupted
raise SystemExit(cli.main(["list"], "safepip"))
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=TREE, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


def test_a_full_disk_is_a_plain_line(failing):
    error = OSError(errno.ENOSPC, "No space left on device", "/home/u/x")
    assert failing(error) == (73, "", "safepip: error: /home/u/x: No space left on device\n")


def test_an_error_of_the_system_may_have_neither_file_nor_number(failing):
    assert failing(OSError("odd")) == (73, "", "safepip: error: odd\n")


def test_an_error_of_the_system_may_name_bytes(failing):
    code, _, said = failing(OSError(errno.EIO, "Input/output error", b"caf\xe9"))
    assert (code, len(said.splitlines())) == (73, 1)


def test_what_is_unforeseen_is_a_plain_line_too(failing):
    code, out, said = failing(ValueError("odd\nthing"))
    assert (code, out) == (70, "")
    assert "Traceback" not in said
    assert "ValueError: odd\\x0athing" in said
    assert "SAFEPIP_BYPASS=1" in said
    assert all(line.startswith("safepip: ") for line in said.splitlines())


def test_in_debug_mode_the_traceback_is_shown(failing, monkeypatch):
    monkeypatch.setenv("SAFEPIP_DEBUG", "1")
    code, _, said = failing(ValueError("odd"))
    assert code == 70
    assert "Traceback" in said


def test_errors_are_said_even_when_quiet(failing):
    assert failing(SafepipError(3, "x"), "-q", "list")[2] == "safepip: error: x\n"


# -- what is asked of safepip itself


def test_a_refusal_ends_with_its_code(run, monkeypatch):
    for code, word in ((77, "refused"), (73, "error")):
        monkeypatch.setattr(
            "safepip.system.stages.decided",
            lambda _context, code=code: Refuse(code=code, what="w", ways=("y",), because=""),
        )
        assert run("list") == (code, "", f"safepip: {word}: w\nsafepip: y\n")


def test_its_version_is_printed(run):
    assert run("--safepip-version") == (0, f"safepip {__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ("--env",),
        ("--env=", "list"),
        ("--project", ""),
        ("--project",),
    ],
)
def test_a_wrong_use_of_its_options_is_told(run, words):
    code, out, said = run(*words)
    assert (code, out) == (64, "")
    assert said.endswith(" needs a directory\n")


def test_a_project_that_is_not_there_is_told(run):
    assert run("--project", "gone", "list") == (64, "", "safepip: error: gone: No such file or directory\n")


def test_a_version_that_is_not_there_is_told(run, home, monkeypatch):
    monkeypatch.setenv("PATH", home)
    assert run("list", program="pip3.99") == (127, "", "safepip: error: there is no python3.99 on PATH\n")


@pytest.mark.parametrize("verb", ["shell", "env"])
def test_words_that_cannot_be_carried_out_are_told(run, verb):
    code, out, said = run(verb, "nonsense")
    assert (code, out) == (64, "")
    assert said.startswith("safepip: error: ")


def test_words_and_name_are_the_processes_own_by_default(capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/safepip", "--safepip-version"])
    assert cli.main() == 0
    assert capfd.readouterr().out == f"safepip {__version__}\n"


def test_the_plan_can_be_seen(run, monkeypatch):
    monkeypatch.setenv("SAFEPIP_DEBUG", "1")
    code, _, said = run("--env")
    assert code == 64
    assert "safepip: debug: plan: Refuse(code=64" in said


def test_after_stepping_down_everything_is_looked_at_again(run, monkeypatch):
    seen = []
    monkeypatch.setattr("safepip.system.stages.decided", lambda context: seen.append(context) or PLAN)
    codes = iter((None, 5))
    monkeypatch.setattr("safepip.actions.execute.execute", lambda *_args: next(codes))
    assert run("list")[0] == 5
    assert len({id(context) for context in seen}) == 2


def test_a_relative_project_is_entered_once_although_decided_again(run, monkeypatch, work):
    os.mkdir("sub")
    seen = []
    monkeypatch.setattr("safepip.system.stages.decided", lambda context: seen.append(context.ambient.cwd) or PLAN)
    codes = iter((None, 5))
    monkeypatch.setattr("safepip.actions.execute.execute", lambda *_args: next(codes))
    run("--project", "sub", "list")
    assert seen == [os.path.join(work, "sub")] * 2


# -- as a process


def start(code, shell='exec "$0" -I -c "$1" "$2"', cwd=None):
    argv = [
        "/bin/sh",
        "-c",
        shell,
        sys.executable,
        f"import sys; sys.path.insert(0, sys.argv.pop(1)); {code}",
        TREE,
    ]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd)


MAIN = "from safepip.cli import main; sys.exit(main({words!r}, 'safepip'))"


def test_a_working_directory_that_is_gone_is_no_traceback(work):
    os.mkdir("gone")
    shell = f'cd {work}/gone && rmdir {work}/gone && exec "$0" -I -c "$1" "$2"'
    done = start(MAIN.format(words=["--safepip-version"]), shell)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk")
def test_a_full_stdout_is_a_plain_line():
    done = start(MAIN.format(words=["--safepip-version"]), 'exec "$0" -I -c "$1" "$2" >/dev/full')
    assert done.returncode == 73
    assert done.stderr.startswith("safepip: error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "words", [["help", "faq"], ["undo", "--help"], ["explain", "freeze"], ["--safepip-version"]]
)
def test_a_closed_stdout_takes_what_is_written_as_with_print(words):
    done = start(MAIN.format(words=words), 'exec "$0" -I -c "$1" "$2" >&-')
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_stderr_is_let_be():
    done = start(MAIN.format(words=["--env"]), 'exec "$0" -I -c "$1" "$2" 2>&-')
    assert (done.returncode, done.stdout) == (64, "")


def test_python_m_safepip_is_the_module(monkeypatch):
    done = subprocess.run(
        [sys.executable, "-m", "safepip", "--safepip-version"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": TREE},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"safepip {__version__}\n")
