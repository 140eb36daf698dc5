"""What comes with a repository or an archive, and what the surroundings do, harms nothing."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from sandbox import write_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox


@pytest.fixture
def precious(sandbox: Sandbox) -> str:
    path = os.path.join(sandbox.home, "precious")
    with open(path, "w") as file:
        file.write("mine")
    return path


def content(path: str) -> str:
    with open(path) as file:
        return file.read()


def test_a_mark_that_is_a_link_overwrites_nothing(sandbox: Sandbox, precious: str) -> None:
    os.makedirs(f"{sandbox.venv}/.safepip")
    os.symlink(precious, f"{sandbox.venv}/.safepip/creating")
    ran = sandbox.run("install", "alpha")
    assert (ran.code, content(precious)) == (77, "mine")


def test_a_folder_for_the_mark_that_is_a_link_is_refused(sandbox: Sandbox) -> None:
    elsewhere = os.path.join(sandbox.home, "elsewhere")
    os.makedirs(elsewhere)
    open(os.path.join(elsewhere, "creating"), "w").close()
    os.makedirs(sandbox.venv)
    os.symlink(elsewhere, f"{sandbox.venv}/.safepip")
    assert sandbox.run("install", "alpha").code == 77
    assert os.listdir(elsewhere) == ["creating"]


def test_a_tracked_mark_is_not_ours(sandbox: Sandbox) -> None:
    sandbox.write(".venv/.safepip/creating")
    sandbox.write(".venv/lib/theirs.py", "x = 1\n")
    for words in (["init", "-q"], ["add", "-Af", "."]):
        subprocess.run(["git", *words], cwd=sandbox.project, check=True)
    assert sandbox.run("install", "alpha").code == 77
    assert content(f"{sandbox.venv}/lib/theirs.py") == "x = 1\n"


@pytest.mark.parametrize("how", ["by the setting env-dir", "by a link"])
def test_work_beside_a_mark_is_kept(sandbox: Sandbox, how: str) -> None:
    sandbox.write("src/.safepip/creating")
    mine = sandbox.write("src/mine.py", "mine\n")
    if how == "by a link":
        os.symlink("src", sandbox.venv)
    else:
        sandbox.write("pyproject.toml", '[tool.safepip]\nenv-dir = "src"\n')
    assert sandbox.run("install", "alpha").code == 77
    assert content(mine) == "mine\n"


def test_a_planted_journal_is_not_obeyed(sandbox: Sandbox, precious: str) -> None:
    canary = os.path.join(sandbox.home, "canary")
    sandbox.write(".venv/.safepip/creating")
    sandbox.write("evil/evil-1.0.dist-info/RECORD", f"evil.py,sha256=AAAA,1\n{precious},,\n")
    sandbox.write(
        "evil/pyproject.toml", '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
    )
    sandbox.write("evil/b.py", f"open({canary!r}, 'w').close()\n")
    row = "d\t../evil/evil-1.0.dist-info\t1\t1\t./evil"
    head = "safepip-journal-1\t1\t1\t1\th\t\tinstall evil\t/\t"
    sandbox.write(".venv/.safepip/journal", f"{head}\n{row}\nn\tlib/python3.11/site-packages\tevil.py")
    assert sandbox.run("install", "--only-binary", ":all:", "alpha").code == 0
    assert not os.path.exists(canary)
    assert content(precious) == "mine"
    assert "alpha" in sandbox.packages()


def test_nobody_else_can_lock_an_environment_and_a_closed_stream_is_not_written_into_the_lock(
    sandbox: Sandbox,
) -> None:
    assert sandbox.run("install", "alpha").code == 0
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        sandbox.call(["sh", "-c", f'"$0" install nosuchpackage alpha {closed}', sandbox.safepip])
        assert content(f"{sandbox.venv}/.lock") == "", closed
    assert os.stat(f"{sandbox.venv}/.lock").st_mode & 0o077 == 0


@pytest.fixture
def own_cache(sandbox: Sandbox, cache: str) -> None:
    """Give the world a copy of the cache that the tests share."""
    path = os.path.join(sandbox.home, ".cache", "safepip")
    os.unlink(path)
    shutil.copytree(cache, path, symlinks=True)


@pytest.mark.usefixtures("own_cache")
def test_garbage_in_the_image_is_made_again(sandbox: Sandbox) -> None:
    assert sandbox.run("install", "alpha").code == 0
    manifests = glob.glob(f"{sandbox.home}/.cache/safepip/images/*/manifest")
    assert manifests
    for manifest in manifests:
        with open(manifest, "ab") as file:
            file.write(b"\xff")
    other = os.path.join(sandbox.home, "other")
    os.mkdir(other)
    assert sandbox.run("install", "alpha", cwd=other).code == 0


@pytest.mark.usefixtures("own_cache")
def test_an_image_that_was_edited_is_made_again(sandbox: Sandbox) -> None:
    assert sandbox.run("install", "alpha").code == 0
    (init,) = glob.glob(f"{sandbox.venv}/lib/python3*/site-packages/pip/__init__.py")
    with open(init, "a") as file:  # goes through the hard link
        file.write("raise SystemExit('edited')\n")
    other = os.path.join(sandbox.home, "other")
    os.mkdir(other)
    assert sandbox.run("install", "alpha", cwd=other).code == 0


@pytest.mark.usefixtures("own_cache")
def test_who_opens_one_environment_opens_no_other(sandbox: Sandbox) -> None:
    other = os.path.join(sandbox.home, "other")
    os.mkdir(other)
    for folder in (sandbox.project, other):
        assert sandbox.run("install", "alpha", cwd=folder).code == 0
    subprocess.run(["chmod", "-R", "a+w", sandbox.venv], check=True)
    (opened,) = glob.glob(f"{sandbox.venv}/lib/python3*/site-packages/pip/_internal/cli/main.py")
    mine = opened.replace(sandbox.project, other)
    with open(opened, "a") as file:
        file.write("raise SystemExit('tampered')\n")
    ran = sandbox.run("install", "many1", cwd=other)
    assert ran.code == 0, ran.err
    said = "others could write to the files that pip shares with other environments; it has its own here now"
    assert (said in ran.said) is (os.geteuid() != 0)  # root's environments share no file of pip
    assert not os.path.samefile(opened, mine)
    assert os.stat(mine).st_mode & 0o022 == 0
    assert "tampered" not in content(mine)
    again = sandbox.run("install", "many2", cwd=other)
    assert (again.code, again.said) == (0, [])


def test_a_dry_run_inherits_what_is_open(sandbox: Sandbox) -> None:
    ran = sandbox.call(["bash", "-c", '"$0" install --dry-run -r <(echo alpha)', sandbox.safepip])
    assert ran.code == 0
    assert "Would install alpha" in ran.text
    assert os.listdir(sandbox.temporary) == []


def test_a_dry_run_that_is_ended_leaves_no_trace(sandbox: Sandbox) -> None:
    begun = os.path.join(sandbox.home, "begun")
    hook = f"open({begun!r}, 'w').close(); import time; time.sleep(60)"
    source = write_source(sandbox.home, "slow", hook=hook)
    with sandbox.start("install", "--dry-run", source) as running:
        while not os.path.exists(begun) and running.poll() is None:
            time.sleep(0.05)
        running.terminate()
        running.communicate(timeout=60)
        assert running.returncode == -signal.SIGTERM
    assert [name for name in os.listdir(sandbox.temporary) if name.startswith("safepip-")] == []
    assert not os.path.exists(sandbox.venv)


def test_a_dry_run_that_is_ended_while_it_prepares_leaves_no_trace(sandbox: Sandbox) -> None:
    with sandbox.start("install", "--dry-run", "alpha") as running:
        while not glob.glob(f"{sandbox.temporary}/safepip-*") and running.poll() is None:
            time.sleep(0.001)
        running.terminate()
        _, err = running.communicate(timeout=60)
        assert running.returncode == -signal.SIGTERM, err
    assert [name for name in os.listdir(sandbox.temporary) if name.startswith("safepip-")] == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes the calls fail")
def test_without_locks_it_goes_on_and_says_so_once(sandbox: Sandbox) -> None:
    failing = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"]
    failing += ["-e", "trace=flock", "-e", "inject=flock:error=ENOSYS"]
    ran = sandbox.call([*failing, sandbox.safepip, "install", "alpha"])
    assert ran.code == 0, ran.err
    assert len([line for line in ran.said if "cannot be locked" in line]) == 1
    assert b"Traceback" not in ran.err
    assert sandbox.call([*failing, sandbox.safepip, "install", "many1"]).code == 0
    assert {"alpha", "many1"} <= sandbox.packages()


def test_where_the_state_holds_no_lock_one_environment_is_made_all_the_same(sandbox: Sandbox) -> None:
    os.makedirs(os.path.join(sandbox.home, ".local", "state", "safepip"))
    open(os.path.join(sandbox.home, ".local", "state", "safepip", "locks"), "w").close()
    running = [sandbox.start("install", f"many{number}") for number in range(4)]
    ended = [(*one.communicate(timeout=120), one.returncode) for one in running]
    assert [code for *_, code in ended] == [0] * 4, ended
    assert {f"many{number}" for number in range(4)} <= sandbox.packages()
    assert not os.path.lexists(f"{sandbox.venv}/.safepip/creating")


@pytest.fixture
def making(sandbox: Sandbox) -> Iterator[None]:
    """Have another process hold the lock under which the project's environment is made."""
    fcntl = pytest.importorskip("fcntl")
    name = hashlib.sha256(os.fsencode(os.path.realpath(sandbox.venv))).hexdigest()[:32]
    os.makedirs(folder := os.path.join(sandbox.home, ".local", "state", "safepip", "locks"))
    with open(os.path.join(folder, name), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("making")
def test_waiting_for_a_creation_names_who_makes_it_and_obeys_ctrl_c(sandbox: Sandbox) -> None:
    with sandbox.start("install", "alpha") as running:
        assert running.stderr is not None
        line = running.stderr.readline()
        assert line.startswith(f"safepip: waiting for another command to make {sandbox.venv}".encode())
        assert f"(process {os.getpid()}: ".encode() in line or not os.path.exists("/proc/locks")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (-signal.SIGINT, b"")
    assert not os.path.lexists(sandbox.venv)


@pytest.mark.usefixtures("making")
def test_waiting_for_a_creation_ends_with_75(sandbox: Sandbox) -> None:
    ran = sandbox.run("install", "alpha", env={"SAFEPIP_LOCK_TIMEOUT": "0.2"})
    assert ran.code == 75
    assert ran.said[0].startswith(f"error: another command has been making {sandbox.venv} for ")
    assert sandbox.run("list").code == 0


def test_a_home_without_room_does_not_matter(sandbox: Sandbox) -> None:
    small = os.path.join(sandbox.root, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", small], check=False).returncode:
        pytest.skip("needs root, and its rights, to mount")
    try:
        ran = sandbox.run("install", "alpha", env={"HOME": small})
        assert ran.code == 0, ran.err
        assert "alpha" in sandbox.packages()
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize("words", [("remove", "-y"), ("prune", "--unused", "0", "-y")])
def test_environments_are_removed_on_a_full_disk(sandbox: Sandbox, words: tuple[str, ...]) -> None:
    """Environment, state and cache are on that disk."""
    small = os.path.join(sandbox.root, "small")
    project = os.path.join(small, "project")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", small], check=False).returncode:
        pytest.skip("needs root, and its rights, to mount")
    try:
        os.mkdir(project)
        home = {"HOME": small}
        assert sandbox.run("env", "create", cwd=project, env=home).code == 0
        with contextlib.suppress(OSError), open(f"{small}/zeros", "wb", buffering=0) as file:
            while file.write(bytes(1 << 12)):
                pass
        assert shutil.disk_usage(small).free == 0
        ran = sandbox.run("env", *words, cwd=project, env=home)
        assert (ran.code, os.listdir(project)) == (0, []), ran.err
        listed = sandbox.run("env", "list", "--json", cwd=project, env=home)
        assert project not in listed.text
    finally:
        subprocess.run(["umount", small], check=True)


def test_by_sudo_nothing_of_roots_is_left_in_a_home_that_was_kept(sandbox: Sandbox) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, for whom alone sudo's variables mean something")
    os.unlink(os.path.join(sandbox.home, ".cache", "safepip"))
    os.rmdir(os.path.join(sandbox.home, ".cache"))
    sandbox.run("explain", "install", "alpha", env={"SUDO_UID": "2", "SUDO_GID": "2"})
    sandbox.run("install", "alpha", env={"SUDO_UID": "2", "SUDO_GID": "2"})
    assert not os.path.exists(os.path.join(sandbox.home, ".cache"))
