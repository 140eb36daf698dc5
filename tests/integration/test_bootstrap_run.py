"""scripts/bootstrap.py for real: the host's Python, an empty HOME, wheels instead of a network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CLONE = Path(__file__).parent.parent.parent
WHEELS = Path(os.environ.get("SAFEPIP_TEST_WHEELS") or CLONE / ".test-envs" / "wheels")
LIMIT = 180


def system_python() -> str:
    """The host's own Python where safepip supports it, so that the managed case is met where it exists."""
    recent = "import sys; sys.exit(sys.version_info < (3, 10))"
    python = "/usr/bin/python3"
    if os.path.exists(python) and subprocess.run([python, "-c", recent], check=False).returncode == 0:
        return python
    return os.path.realpath(sys.executable)


def asked(python: str, expression: str) -> str:
    command = [python, "-I", "-c", f"import sys, sysconfig; print({expression})"]
    return subprocess.check_output(command, text=True).strip()


@pytest.fixture
def home(tmp_path) -> Path:
    if not WHEELS.is_dir():
        pytest.skip("no wheels here: run scripts/test.py")
    made = tmp_path / "home"
    made.mkdir()
    return made


def environ(home: Path, **more: str) -> dict[str, str]:
    sealed = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    return {**sealed, "TMPDIR": str(home.parent), "PIP_FIND_LINKS": str(WHEELS), **more}


def bootstrap(
    home: Path, *words: str, before: tuple[str, ...] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    command = [*before, system_python(), str(CLONE / "scripts" / "bootstrap.py"), *words]
    streams = {"capture_output": True, "stdin": subprocess.DEVNULL, "text": True}
    return subprocess.run(command, env=environ(home, **more), cwd=home, timeout=LIMIT, check=False, **streams)


def version_told(home: Path, **more: str) -> str:
    command = [home / ".local/bin/safepip", "--safepip-version"]
    return subprocess.check_output(command, env=environ(home, **more), cwd=home, text=True)


def contents(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir())


def test_from_an_empty_home_to_a_command_that_works_and_away_again(home):
    made = bootstrap(home)
    assert made.returncode == 0, made.stderr
    assert "imported: it works" in made.stdout
    assert "safepip is ready" in made.stdout
    assert "is not on PATH yet" in made.stdout
    assert version_told(home, PYTHONWARNINGS="error", PYTHONPATH="/nonexistent").startswith("safepip ")
    left = {line.split("/")[0] for line in contents(home)}
    assert left <= {".local", ".cache"}, "the demonstration leaves nothing"
    assert (home / ".local/share/man/man1/safepip.1").read_text().startswith(".TH SAFEPIP 1")
    assert (home / ".local/share/bash-completion/completions/safepip").exists()

    again = bootstrap(home, "--quiet", "--no-demo")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    said = made.stdout.partition("Go on with:")[2].split("\n")
    assert "is not on PATH yet; or log in again" in said[1]
    assert any(line.startswith("  safepip init ") for line in said)
    assert "by sudo" not in made.stdout

    (home / ".bashrc").write_text('eval "$(safepip init bash)"\n')
    (home / ".zshrc").write_text('# eval "$(safepip init zsh)"\n')
    away = bootstrap(home, "--uninstall")
    assert away.returncode == 0, away.stderr
    assert f"{home}/.bashrc still has a line with `safepip init`: take it out" in away.stdout
    assert ".zshrc" not in away.stdout
    assert bootstrap(home, "--uninstall").stdout == "there is no safepip of this script's to remove\n"
    (home / ".bashrc").unlink()
    (home / ".zshrc").unlink()
    assert [line for line in contents(home) if line.startswith(".local")] == [".local/share/safepip/app.lock"]


def without_pip() -> tuple[str, ...]:
    """A view of this machine in which the system's Python has neither pip nor ensurepip nor wheels of them."""
    bwrap = shutil.which("bwrap")
    if bwrap is None or subprocess.run([bwrap, "--dev-bind", "/", "/", "true"], check=False).returncode != 0:
        pytest.skip("needs bubblewrap")
    python = system_python()
    stdlib = Path(asked(python, "sysconfig.get_path('stdlib')"))
    folders = [stdlib / "ensurepip", Path("/usr/share/python-wheels"), Path("/usr/lib/python3/dist-packages/pip")]
    folders.append(Path(asked(python, "sysconfig.get_path('purelib')")) / "pip")
    hidden = [word for folder in folders if folder.is_dir() for word in ("--tmpfs", str(folder))]
    return (bwrap, "--dev-bind", "/", "/", *hidden)


def test_without_pip_and_ensurepip_below_an_awkward_folder_it_fetches_a_pip_by_itself(home):
    before, spaced = without_pip(), home / "it's a home"
    spaced.mkdir()
    assert subprocess.run([*before, system_python(), "-m", "pip", "--version"], check=False).returncode != 0
    made = bootstrap(spaced, before=before)
    assert made.returncode == 0, made.stderr
    assert "imported: it works" in made.stdout
    assert (spaced / ".local/bin/safepip").read_text().startswith("#!/bin/sh\n")
    assert version_told(spaced).startswith("safepip ")


def test_without_pip_and_without_a_place_to_fetch_it_from_it_says_what_to_install(home):
    made = bootstrap(home, before=without_pip(), PIP_FIND_LINKS="")
    assert made.returncode == 69
    assert "install" in made.stderr
    assert "--index-url" in made.stderr
    assert "Traceback" not in made.stderr
    assert not (home / ".local/bin").exists()


def test_without_a_network_a_working_safepip_stays(home):
    assert bootstrap(home, "--no-demo").returncode == 0
    cut_off = bootstrap(home, "--no-demo", PIP_FIND_LINKS="")
    assert cut_off.returncode == 69
    assert "PIP_FIND_LINKS" in cut_off.stderr
    assert "Traceback" not in cut_off.stderr
    assert version_told(home).startswith("safepip ")


def test_a_settled_habit_of_user_installs_changes_nothing(home):
    config = home / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True)
    config.write_text(
        "[global]\nuser = true\nrequire-virtualenv = true\n[install]\ntarget = /nonexistent/target\n"
    )
    made = bootstrap(home, "--no-demo", PIP_CONFIG_FILE="", PIP_PREFIX="/nonexistent/prefix")
    assert made.returncode == 0, made.stderr
    assert version_told(home).startswith("safepip ")


def test_two_at_once_and_one_that_was_killed_leave_a_working_command(home):
    command = [system_python(), str(CLONE / "scripts" / "bootstrap.py"), "--no-demo"]
    first = subprocess.Popen(
        command, env=environ(home), cwd=home, stdout=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(home / ".local/share/safepip/app/bin/python", first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    runs = [subprocess.Popen(command, env=environ(home), cwd=home, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(LIMIT) for run in runs] == [0, 0]
    assert version_told(home).startswith("safepip ")


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT
    while not path.exists():
        assert process.poll() is None, "it ended before it made anything"
        assert time.monotonic() < deadline
        time.sleep(0.02)
