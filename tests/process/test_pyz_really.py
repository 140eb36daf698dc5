"""safepip.pyz for real: built, run in place, and set up from, by the system's Python and others, offline."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox import SYSTEM_PYTHON, Sandbox
from tree import TREE

pytestmark = pytest.mark.slow
PATIENCE = 180


@pytest.fixture(scope="module")
def pyz(base: str, published_wheels: str) -> str:
    """Build it once, from a copy of the tree; where others may enter."""
    copy, made = os.path.join(base, "pyz-tree"), os.path.join(base, "pyz", "safepip.pyz")
    left_out = shutil.ignore_patterns(".*", "__pycache__", "tests", "dist")
    shutil.copytree(TREE, copy, ignore=left_out)
    script = os.path.join(copy, "scripts", "make_pyz.py")
    argv = [sys.executable, script, "--wheels", published_wheels, made]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if "lacks" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return made


def environ(home: Path, **more: str) -> dict[str, str]:
    sealed = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    return {**sealed, "TMPDIR": str(home), **more}


def called(
    pyz: str, home: Path, *words: str, before: tuple[str, ...] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    argv = [*before, SYSTEM_PYTHON, pyz, *words]
    streams = {"capture_output": True, "stdin": subprocess.DEVNULL, "text": True}
    return subprocess.run(argv, env=environ(home, **more), cwd=home, timeout=PATIENCE, check=False, **streams)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


# -- in place


def test_it_does_the_main_job_in_place(sandbox: Sandbox, pyz: str) -> None:
    def call(*words: str) -> tuple[int, str]:
        ran = sandbox.call([SYSTEM_PYTHON, pyz, *words])
        assert b"Traceback" not in ran.err
        return ran.code, ran.text

    assert call("install", "beta")[0] == 0
    assert call("freeze") == (0, "alpha==2.0\nbeta==1.0\n")
    assert call("run", "python", "-c", "import beta") == (0, "")
    assert call("uninstall", "-y", "beta")[0] == 0
    assert call("freeze") == (0, "alpha==2.0\n")
    assert call("--safepip-version")[1].startswith("safepip ")


def test_it_is_a_program_that_shells_and_links_can_call(sandbox: Sandbox, pyz: str) -> None:
    link = os.path.join(sandbox.root, "pip3")
    os.symlink(pyz, link)
    assert sandbox.call([link, "install", "beta"]).code == 0
    assert sandbox.call([link, "--install"]).code == 2, "called as pip, every word is pip's"
    assert pyz in sandbox.call([pyz, "init", "bash"]).text


def test_four_at_once_unpack_it_once(pyz: str, home: Path) -> None:
    argv = [SYSTEM_PYTHON, pyz, "--safepip-version"]
    runs = [subprocess.Popen(argv, env=environ(home), stdout=subprocess.PIPE) for _ in range(4)]
    assert {run.communicate(timeout=PATIENCE)[0][:8] for run in runs} == {b"safepip "}
    assert {run.returncode for run in runs} == {0}
    assert len(os.listdir(home / ".cache" / "safepip" / "pyz")) == 1


def test_a_file_that_was_lost_comes_back(pyz: str, home: Path) -> None:
    words = ("help", "faq")
    assert called(pyz, home, *words).returncode == 0
    (unpacked,) = (home / ".cache" / "safepip" / "pyz").iterdir()
    for lost in ("core/decide.py", "report.py", "verbs/help.py"):
        (unpacked / "safepip" / lost).unlink()
        first = called(pyz, home, *words)
        assert "Traceback" not in first.stderr
        assert first.returncode in {0, 70}, "what is imported late comes back at the next start"
        assert called(pyz, home, *words).returncode == 0
        assert (unpacked / "safepip" / lost).exists()


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9", "3.10", "3.12", "3.13"])
def test_every_python_starts_it_or_says_what_is_missing(pyz: str, home: Path, version: str) -> None:
    versions = os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".pyenv", "versions")
    python = next(iter(glob.glob(f"{versions}/{version}.*/bin/python")), None)
    if python is None:
        pytest.skip(f"there is no Python {version} among pyenv's")
    argv = [python, pyz, "--safepip-version"]
    empty = environ(home, PATH=str(home))
    done = subprocess.run(argv, env=empty, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if version in {"2.7", "3.6", "3.9"}:
        assert done.returncode == 69
        assert "safepip needs Python 3.10 or newer" in done.stderr
    else:
        assert (done.returncode, done.stdout[:8]) == (0, "safepip "), done.stderr


# -- set up


def test_without_pip_venv_and_ensurepip_it_sets_safepip_up_offline(pyz: str, home: Path) -> None:
    before = without("pip", "venv", "ensurepip")
    for module in ("pip", "venv", "ensurepip"):
        assert subprocess.run([*before, SYSTEM_PYTHON, "-m", module, "--help"], check=False).returncode != 0
    made = called(pyz, home, "--install", before=before)
    assert made.returncode == 0, made.stderr
    assert f"{home}/.local/bin/safepip init --write" in made.stdout
    command = home / ".local" / "bin" / "safepip"
    told = subprocess.check_output([*before, command, "--safepip-version"], env=environ(home), text=True)
    assert told.startswith("safepip ")
    assert not (home / ".cache" / "safepip").exists(), "only running it in place unpacks it there"


def without(*modules: str) -> tuple[str, ...]:
    """A view of this machine in which the system's Python lacks these modules."""
    bwrap = shutil.which("bwrap")
    if bwrap is None or subprocess.run([bwrap, "--dev-bind", "/", "/", "true"], check=False).returncode != 0:
        pytest.skip("needs bubblewrap")
    folders = [Path("/usr/share/python-wheels")]
    for module in modules:
        code = f"import {module}, os; print(os.path.dirname({module}.__file__))"
        found = subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, text=True, check=False)
        folders.append(Path(found.stdout.strip() or "/nonexistent"))
    hidden = [word for folder in folders if folder.is_dir() for word in ("--tmpfs", str(folder))]
    return (bwrap, "--dev-bind", "/", "/", *hidden)


def test_it_sets_safepip_up_in_silence_whatever_pip_is_told_and_removes_it(pyz: str, home: Path) -> None:
    made = called(pyz, home, "--install", "--quiet", PIP_USER="1", PIP_TARGET="/nonexistent", VIRTUALENV_SEED="1")
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    assert (home / ".local" / "share" / "man" / "man1" / "safepip.1").exists()
    command = [home / ".local" / "bin" / "safepip", "--safepip-version"]
    assert subprocess.check_output(command, env=environ(home)).startswith(b"safepip ")
    assert called(pyz, home, "--uninstall").returncode == 0
    left = [path for path in (home / ".local").rglob("*") if not path.is_dir()]
    assert [path.name for path in left] == ["app.lock"]


def test_it_leaves_a_command_of_others_alone(pyz: str, home: Path) -> None:
    command = home / ".local" / "bin" / "safepip"
    command.parent.mkdir(parents=True)
    command.write_text("mine\n")
    refused = called(pyz, home, "--install")
    assert refused.returncode == 73
    assert "safepip.pyz: error: " in refused.stderr
    assert command.read_text() == "mine\n"


def test_a_usage_error_is_64(pyz: str, home: Path) -> None:
    assert called(pyz, home, "--install", "--nonsense").returncode == 64
