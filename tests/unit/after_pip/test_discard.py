"""An environment made for an install that failed goes again: a real one, unless somebody uses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from safepip.core.plan import RUNNER

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there it stays")

if sys.platform != "win32":
    import fcntl

    sys.path.insert(0, os.path.dirname(os.path.dirname(RUNNER)))
    try:
        from safepip_discard import Discarding, remove_content
    finally:
        del sys.path[0]

MINOR = "{}.{}".format(*sys.version_info)
SITE = f"lib/python{MINOR}/site-packages"


def write(path, text=""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@pytest.fixture
def new(environment, home):
    """A new environment, with all that safepip notes of it."""
    write(f"{environment}/.safepip/id", "x")
    write(f"{environment}/{SITE}/pip-26.3.dist-info/RECORD")
    write(f"{environment}/.lock")
    found = os.stat(environment)
    write(f"{home}/state/environments/{found.st_dev:x}-{found.st_ino:x}", "x")
    return environment


@pytest.fixture
def locked(new):
    """The descriptor that holds its lock."""
    descriptor = os.open(f"{new}/.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def discard(new, locked, home):
    """Discard it as the pip that was told so would."""

    def discard(*, existed="", quiet="", redirect="", lock=locked, inode=None, path=new):
        found = os.stat(new)
        inode = found.st_ino if inode is None else inode
        creation_lock = f"{home}/state/creation"
        lines = (
            found.st_dev,
            inode,
            lock,
            existed,
            quiet,
            creation_lock,
            f"{home}/state",
            redirect,
            ".venv",
            path,
        )
        Discarding("\n".join(map(str, lines)))()
        return not os.path.lexists(os.path.join(path, "pyvenv.cfg"))

    return discard


def test_it_goes_with_all_that_is_remembered_of_it(discard, new, home, capfd):
    assert discard()
    assert not os.path.lexists(new)
    assert os.listdir(f"{home}/state/environments") == []
    assert capfd.readouterr().err == "safepip: nothing was installed; .venv is removed again\n"


def test_the_users_own_empty_directory_stays(discard, new, capfd):
    assert discard(existed="existed", quiet="quiet")
    assert os.listdir(new) == []
    assert capfd.readouterr().err == ""


def test_the_redirect_that_was_written_for_it_goes_too(discard, home):
    redirect = write(f"{home}/p/.venv", "../x\n")
    assert discard(redirect=redirect)
    assert not os.path.lexists(redirect)


USED = {
    "a package": lambda new: write(f"{new}/{SITE}/six-1.16.0.dist-info/RECORD"),
    "an old package": lambda new: write(f"{new}/{SITE}/six-1.16.0.egg-info"),
    "an editable one": lambda new: write(f"{new}/{SITE}/__editable__.six.pth"),
    "somebody's file": lambda new: write(f"{new}/notes.txt"),
    "a checkout": lambda new: write(f"{new}/src/six/setup.py"),
    "a change in its history": lambda new: write(f"{new}/.safepip/history"),
    "a journal": lambda new: write(f"{new}/.safepip/journal"),
    "a mark of another creation": lambda new: write(f"{new}/.safepip/creating"),
}


@pytest.mark.parametrize("what", USED)
def test_one_with_something_in_it_stays(discard, new, what):
    USED[what](new)
    before = sorted(os.listdir(new))
    assert not discard()
    assert sorted(os.listdir(new)) == before


def test_another_one_in_its_place_stays(discard, new):
    assert not discard(inode=os.stat(new).st_ino + 1)


def test_one_behind_a_link_stays(discard, new, home):
    os.symlink(new, f"{home}/link")
    with pytest.raises(OSError, match="link"):
        discard(path=f"{home}/link")
    assert os.path.exists(f"{new}/pyvenv.cfg")


def test_without_its_lock_it_stays(discard, new):
    os.rename(f"{new}/.lock", f"{new}/../was-locked")
    write(f"{new}/.lock")
    assert not discard()


def test_while_another_command_makes_one_there_it_stays(discard, home):
    descriptor = os.open(f"{home}/state/creation", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert not discard()
    os.close(descriptor)
    assert discard()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only Linux tells what runs")
@pytest.mark.parametrize("how", ["started from it", "active"])
def test_while_a_program_of_it_runs_it_stays(discard, new, how):
    argv = [f"{new}/bin/python", "-c", "import sys; sys.stdin.read()"]
    environ = {"PATH": "/usr/bin:/bin"}
    if how == "active":
        argv, environ = ["cat"], {**environ, "VIRTUAL_ENV": new}
    running = subprocess.Popen(argv, stdin=subprocess.PIPE, env=environ)
    time.sleep(0.1)
    assert not discard()
    running.communicate()
    assert discard()


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="only Linux tells who waits")
def test_while_uv_waits_for_its_lock_it_stays(discard, new):
    code = "import fcntl, sys; f = open(sys.argv[1]); print(flush=True); fcntl.flock(f, fcntl.LOCK_EX)"
    os.link(f"{new}/.lock", f"{new}/../other-name")
    waiting = subprocess.Popen([sys.executable, "-c", code, f"{new}/../other-name"], stdout=subprocess.PIPE)
    waiting.stdout.readline()
    time.sleep(0.1)
    assert not discard()
    waiting.kill()
    waiting.communicate()
    assert discard()


def test_nothing_behind_a_link_is_removed(discard, new, home):
    kept = write(f"{home}/kept/file")
    os.symlink(os.path.dirname(kept), f"{new}/lib/python{MINOR}/elsewhere")
    os.symlink(os.path.dirname(kept), f"{new}/share")
    shutil.rmtree(f"{new}/include", ignore_errors=True)
    os.symlink(kept, f"{new}/include")
    assert discard()
    assert os.path.exists(kept)


def test_a_folder_that_is_exchanged_while_it_is_emptied_is_not_entered(new, home, monkeypatch):
    kept = write(f"{home}/kept/file")
    real = os.open

    def exchange(path, *arguments, **options):
        if path == "lib" and not os.path.islink(f"{new}/lib"):
            os.rename(f"{new}/lib", f"{home}/lib")
            os.symlink(f"{home}/kept", f"{new}/lib")
        return real(path, *arguments, **options)

    folder = os.open(new, os.O_RDONLY)
    monkeypatch.setattr(os, "open", exchange)
    with pytest.raises(OSError, match=r"lib|link|directory"):
        remove_content(folder)
    os.close(folder)
    assert os.path.exists(kept)
