from __future__ import annotations

import os
import subprocess

import pytest

from safepip.core.invocation import Invocation
from safepip.errors import CANNOT_CREATE, USAGE, SafepipError
from safepip.report import Report
from safepip.system.observe import Context, ambient
from safepip.verbs import shims

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX ones")


@pytest.fixture
def own(home, monkeypatch):
    """safepip's own program, as it was started, and a PATH with some Pythons."""
    program = os.path.join(home, "own", "safepip")
    pythons = os.path.join(home, "pythons")
    for folder in (os.path.dirname(program), pythons):
        os.mkdir(folder)
    names = ("python3.9", "python3.12", "python3.12-config", "python3", "python3.x")
    for path in (program, *(os.path.join(pythons, name) for name in names)):
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n")
        os.chmod(path, 0o755)
    monkeypatch.setattr("sys.argv", [program])
    monkeypatch.setenv("PATH", f"{pythons}:relative:{home}/gone")
    return program


def write(*words):
    """Write shims."""
    return shims.main(words, Context(Invocation(words=()), ambient()), Report())


def refused(*words):
    """Return how it was refused."""
    with pytest.raises(SafepipError) as raised:
        write(*words)
    return raised.value.code, raised.value.what


def test_there_is_a_pip_for_each_python_on_path(own, home, capfd):
    assert write(f"{home}/s") == 0
    names = ["pip", "pip3", "pip3.9", "pip3.12"]
    assert sorted(name for name in os.listdir(f"{home}/s") if not name.startswith(".")) == sorted(names)
    assert all(os.access(f"{home}/s/{name}", os.X_OK) for name in names)
    told = f"wrote {' '.join(names)} to {home}/s; put it first: PATH={home}/s:$PATH"
    assert capfd.readouterr().err == f"safepip: {told}\n"


def test_an_empty_name_is_refused_and_nothing_is_written(own, home, monkeypatch):
    monkeypatch.chdir(home)
    before = os.listdir(home)
    assert refused("") == (USAGE, "argument DIR: it is empty")
    assert refused("", "--undo") == (USAGE, "argument DIR: it is empty")
    assert os.listdir(home) == before


def test_they_lead_to_the_safepip_that_wrote_them(own, home):
    with open(own, "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\necho "$0" "$@"\n')
    write(f"{home}/s")
    ran = subprocess.run([f"{home}/s/pip3.9", "list", "a b"], capture_output=True, text=True, check=True)
    assert os.path.basename(ran.stdout.split()[0]) == "pip3.9"  # by which safepip knows what was typed
    assert ran.stdout.endswith(" list a b\n")


def test_without_a_folder_they_go_into_safepips_own(own, home):
    write()
    assert os.path.exists(f"{home}/.local/share/safepip/shims/pip")


def test_python_comes_only_if_it_is_asked_for(own, home):
    write(f"{home}/s", "--python")
    assert {"python", "python3"} <= set(os.listdir(f"{home}/s"))


def test_they_are_written_again_over_their_own(own, home):
    for _ in "12":
        assert write(f"{home}/s") == 0


def test_what_is_not_safepips_stays_and_nothing_else_is_written(own, home):
    os.mkdir(f"{home}/s")
    with open(f"{home}/s/pip3", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n")
    assert refused(f"{home}/s") == (CANNOT_CREATE, f"{home}/s/pip3 is not a shim of safepip's")
    assert os.listdir(f"{home}/s") == ["pip3"]


@pytest.mark.parametrize("words", [("a", "b"), ("--pyhton",), ("-x",)])
def test_what_is_not_understood_is_wrong_usage(own, words):
    assert refused(*words)[0] == USAGE


def test_a_folder_with_a_space_is_quoted_in_what_is_to_be_typed(own, home, capfd):
    write(f"{home}/my shims")
    assert capfd.readouterr().err.endswith(f"put it first: PATH='{home}/my shims':$PATH\n")


def test_undo_removes_the_shims_of_all_folders_and_leaves_what_is_not_a_shim(own, home, capfd):
    for folder in ("s", "t"):
        write(f"{home}/{folder}", "--python")
    with open(f"{home}/t/pip-mine", "w", encoding="utf-8") as file:
        file.write("mine")
    capfd.readouterr()
    assert write("--undo") == 0
    assert not os.path.exists(f"{home}/s")
    assert os.listdir(f"{home}/t") == ["pip-mine"]
    names = "pip pip3 pip3.12 pip3.9 python python3"
    told = [f"safepip: removed {names} from {home}/{folder}" for folder in ("s", "t")]
    assert capfd.readouterr().err.splitlines() == told
    assert write("--undo") == 0
    assert capfd.readouterr().err == ""


def test_undo_of_a_named_folder_touches_no_other(own, home):
    for folder in ("s", "t"):
        write(f"{home}/{folder}")
    write("--undo", f"{home}/s")
    assert not os.path.exists(f"{home}/s")
    assert "pip" in os.listdir(f"{home}/t")


def test_a_python_shim_starts_python3_where_there_is_no_python(own, home, capfd):
    """`command -v python || command -v python3` must not end in 127."""
    with open(f"{home}/pythons/python3", "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\necho "python3 $*"\n')
    write(f"{home}/s", "--python")
    assert "there is no python on PATH: the one in that directory starts python3" in capfd.readouterr().err
    argv = ["/bin/sh", "-c", f'PATH="{home}/s:$PATH"; "$(command -v python || command -v python3)" -c "a b"']
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "python3 -c a b\n", "")


def test_a_python_shim_prefers_a_python(own, home, capfd):
    for name in ("python", "python3"):
        with open(f"{home}/pythons/{name}", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho {name}\n")
        os.chmod(f"{home}/pythons/{name}", 0o755)
    write(f"{home}/s", "--python")
    assert "there is no python" not in capfd.readouterr().err
    environ = {**os.environ, "PATH": f"{home}/s:{os.environ['PATH']}"}
    ran = subprocess.run([f"{home}/s/python"], env=environ, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "python\n")


def test_where_there_is_no_python_at_all_the_shim_says_so(own, home):
    for name in os.listdir(f"{home}/pythons"):
        os.unlink(f"{home}/pythons/{name}")
    write(f"{home}/s", "--python")
    environ = {**os.environ, "PATH": f"{home}/s"}
    ran = subprocess.run([f"{home}/s/python"], env=environ, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (127, "safepip: error: there is no other python on PATH\n")


def test_a_shim_that_cannot_be_written_leaves_nothing_behind(own, home):
    os.makedirs(f"{home}/s/.safepip/pip")
    with pytest.raises(OSError):  # noqa: PT011  whichever the system gives
        write(f"{home}/s")
    assert sorted(os.listdir(f"{home}/s")) == [".safepip"]
    assert os.listdir(f"{home}/s/.safepip") == ["pip"]
