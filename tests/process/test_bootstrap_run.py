"""scripts/bootstrap.py for real: the host's Python, an empty HOME, wheels instead of a network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import machine
import pytest
import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

CLONE = Path(tree.TREE)
WHEELS = Path(tree.WHEELS)
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
def empty(tmp_path) -> Path:
    """Give an empty home directory."""
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


class SetUp(NamedTuple):
    """A run of the script in an empty home directory, which was then moved to `kept`."""

    home: Path
    kept: Path
    made: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def set_up(tmp_path_factory) -> SetUp:
    if not WHEELS.is_dir():
        pytest.skip("no wheels here: run scripts/test.py")
    folder = tmp_path_factory.mktemp("set-up")
    home = folder / "home"
    home.mkdir()
    made = bootstrap(home)
    return SetUp(home, home.rename(folder / "kept"), made)


@pytest.fixture
def home(set_up) -> Iterator[Path]:
    """Give a home directory in which the script has set safepip up, at the same path for each test."""
    shutil.copytree(set_up.kept, set_up.home, symlinks=True)
    yield set_up.home
    shutil.rmtree(set_up.home)


def test_from_an_empty_home_to_a_command_that_works(set_up, home):
    made = set_up.made
    assert made.returncode == 0, made.stderr
    assert "imported: it works" in made.stdout
    assert "safepip is ready" in made.stdout
    assert version_told(home, PYTHONWARNINGS="error", PYTHONPATH="/nonexistent").startswith("safepip ")
    left = {line.split("/")[0] for line in contents(home)}
    assert left <= {".local", ".cache"}, "the demonstration leaves nothing"
    assert (home / ".local/share/man/man1/safepip.1").read_text().startswith(".TH SAFEPIP 1")
    assert (home / ".local/share/bash-completion/completions/safepip").exists()

    said = made.stdout.partition("Go on with one of:")[2].splitlines()
    assert all(line.startswith(f"  {home}/.local/bin/safepip ") for line in said if line), "PATH may lack it"
    assert "by sudo" not in made.stdout


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_removing_it_takes_its_lines_and_shims_with_it_and_names_what_stays(home):
    program = home / ".local/bin/safepip"
    bashrc = written(home / ".bashrc", f'x=1\neval "$({program} init bash)"\n')
    kshrc = written(home / ".kshrc", f'eval "$({program} init sh)"\n')
    fish = written(home / ".config/fish/config.fish", f"set x 1\n{program} init fish | source\n")
    other = written(home / ".zshrc", f"# {program} init zsh\nalias pip=safepip\n")
    subprocess.run([program, "shims", home / "shims"], env=environ(home), check=True)
    project = home / "project"
    project.mkdir()
    for folder in (project, home):
        command = [program, "install", "filelock"]
        subprocess.run(command, cwd=folder, env=environ(home, SAFEPIP_SCOPE="always"), check=True)

    away = bootstrap(home, "--uninstall")
    assert away.returncode == 0, away.stderr
    assert (bashrc.read_text(), kshrc.read_text(), fish.read_text()) == ("x=1\n", "", "set x 1\n")
    assert f"removed from {bashrc}: " in away.stdout
    assert f"{other} still has a line that starts safepip: remove it" in away.stdout
    assert not program.exists()
    assert not (home / "shims").exists()
    assert f"left: {home}/.local/share/safepip/home (the home environment)" in away.stdout
    *_, purge, last = away.stdout.splitlines()
    assert purge.endswith("scripts/bootstrap.py --uninstall --purge")
    assert last.endswith("open a new shell")

    purged = bootstrap(home, "--uninstall", "--purge")
    assert purged.returncode == 0, purged.stderr
    assert (project / ".venv/bin/python").exists(), "a project's environment is the project's"
    ours = [
        line for line in contents(home) if "safepip" in line and not line.startswith(("project/", ".cache/pip"))
    ]
    assert ours == []
    assert bootstrap(home, "--uninstall").stdout.splitlines()[0] == "this script has not set up a safepip here"


def test_it_removes_itself_though_its_python_is_gone(home):
    program = home / ".local/bin/safepip"
    program.write_text(program.read_text().replace("\npython=", "\npython=/nonexistent"))
    bashrc = written(home / ".bashrc", f'eval "$({program} init bash)"\n')
    assert bootstrap(home, "--uninstall").returncode == 0
    assert bashrc.read_text() == ""


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


def test_without_pip_and_ensurepip_below_an_awkward_folder_it_fetches_a_pip_by_itself(empty):
    before, spaced = without_pip(), empty / "it's a home"
    spaced.mkdir()
    assert subprocess.run([*before, system_python(), "-m", "pip", "--version"], check=False).returncode != 0
    made = bootstrap(spaced, before=before)
    assert made.returncode == 0, made.stderr
    assert "imported: it works" in made.stdout
    assert (spaced / ".local/bin/safepip").read_text().startswith("#!/bin/sh\n")
    assert version_told(spaced).startswith("safepip ")


def test_without_pip_and_without_a_place_to_fetch_it_from_it_says_what_to_install(empty):
    made = bootstrap(empty, before=without_pip(), PIP_FIND_LINKS="")
    assert made.returncode == 69
    assert "install" in made.stderr
    assert "--index-url" in made.stderr
    assert "Traceback" not in made.stderr
    assert not (empty / ".local/bin").exists()


def test_without_a_network_a_working_safepip_stays(home):
    cut_off = bootstrap(home, "--no-demo", PIP_FIND_LINKS="")
    assert cut_off.returncode == 69
    assert "PIP_FIND_LINKS" in cut_off.stderr
    assert "Traceback" not in cut_off.stderr
    assert version_told(home).startswith("safepip ")


def test_it_is_repeated_in_silence_and_a_settled_habit_of_user_installs_changes_nothing(home):
    machine.skip_where_pip_reads_files()
    config = home / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True)
    config.write_text(
        "[global]\nuser = true\nrequire-virtualenv = true\n[install]\ntarget = /nonexistent/target\n"
    )
    again = bootstrap(home, "--quiet", "--no-demo", PIP_CONFIG_FILE="", PIP_PREFIX="/nonexistent/prefix")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert version_told(home).startswith("safepip ")


def test_two_at_once_and_one_that_was_killed_leave_a_working_command(empty):
    command = [system_python(), str(CLONE / "scripts" / "bootstrap.py"), "--no-demo"]
    first = subprocess.Popen(
        command, env=environ(empty), cwd=empty, stdout=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(empty / ".local/share/safepip/app/new/lib/pip", first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    runs = [subprocess.Popen(command, env=environ(empty), cwd=empty, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(LIMIT) for run in runs] == [0, 0]
    assert version_told(empty).startswith("safepip ")


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT
    while not path.exists():
        assert process.poll() is None, "it ended before it made anything"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_purge_leaves_what_lies_behind_a_link(home):
    behind = home.parent / "behind"
    (behind / "mine").mkdir(parents=True)
    for link in (".cache/safepip", ".local/state/safepip"):
        shutil.rmtree(home / link, ignore_errors=True)
        (home / link).parent.mkdir(parents=True, exist_ok=True)
        (home / link).symlink_to(behind)
    app = home / ".local/share/safepip/app"
    app.rename(behind / "app")
    app.symlink_to(behind / "app")
    gone = bootstrap(home, "--uninstall", "--purge")
    assert gone.returncode == 0, gone.stderr
    assert f"left: {behind} ({home}/.cache/safepip was a link to it)" in gone.stdout
    assert sorted(path.name for path in behind.iterdir()) == ["app", "mine"]
    assert not (home / ".cache/safepip").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_runs_and_removes_nothing_in_the_home_of_another_user(home):
    os.chown(home, 65534, 65534)
    before = contents(home)
    for words in (("--uninstall",), ("--uninstall", "--purge")):
        assert bootstrap(home, *words).returncode == 77
    assert bootstrap(home, "--no-demo", SUDO_USER="somebody").returncode == 77
    assert contents(home) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_starts_the_launcher_of_another_user_without_rewriting_it(home):
    launcher = home / ".local/bin/safepip"
    lines = launcher.read_text().splitlines(keepends=True)
    lines[2] = "python=/nonexistent/python3\n"
    launcher.write_text("".join(lines))
    os.chown(launcher, 65534, 65534)
    assert version_told(home).startswith("safepip ")
    assert (launcher.stat().st_uid, launcher.read_text()) == (65534, "".join(lines))


def test_a_launcher_whose_python_has_a_line_end_in_its_path_stays_whole(home):
    launcher = home / ".local/bin/safepip"
    lines = launcher.read_text().splitlines(keepends=True)
    lines[2] = "python='/nonexistent\n/python3'\n"
    launcher.write_text("".join(lines))
    for _ in range(2):
        assert version_told(home).startswith("safepip ")
