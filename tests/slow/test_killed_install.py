"""An install that is killed: whatever it left, the next change puts right, and tells so in one line."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable

import pytest
from _torture.oracle import faults, orphans
from _torture.wheels import make_package
from kills import kill_at, reset
from sandbox import Sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the calls"),
]
MakeSandbox = Callable[..., Sandbox]
OLD = ("install", "other==1.0", "third")


@pytest.fixture(scope="module")
def packages(base: str) -> str:
    folder = os.path.join(base, "kill-wheels")
    os.makedirs(folder)
    for version in ("1.0", "2.0"):
        make_package(folder, "pack", version)
        make_package(folder, "other", version, requires=["pack"])
    make_package(folder, "third", "1.0")
    make_package(folder, "fourth", "1.0")
    return folder


@pytest.fixture(scope="module")
def furnished(make_sandbox: MakeSandbox, packages: str) -> Sandbox:
    """Give a world in which other 1.0, pack 1.0 and third are installed, and a copy of its project."""
    box = make_sandbox()
    box.variables["PIP_FIND_LINKS"] = packages
    for line in (("install", "pack==1.0"), OLD):
        assert box.run(*line).code == 0
    shutil.copytree(box.project, os.path.join(box.root, "template"), symlinks=True)
    return box


@pytest.fixture
def box(furnished: Sandbox) -> Sandbox:
    reset(os.path.join(furnished.root, "template"), furnished.project)
    for name in os.listdir(furnished.temporary):
        shutil.rmtree(os.path.join(furnished.temporary, name), ignore_errors=True)
    return furnished


def site(box: Sandbox) -> str:
    libraries = os.path.join(box.venv, "lib")
    return os.path.join(libraries, os.listdir(libraries)[0], "site-packages")


def killed(box: Sandbox, count: int, *line: str) -> list[str]:
    """Kill the line at its count-th change; return what is wrong then."""
    kill_at([box.safepip, *line], count, box.venv, cwd=box.project, env=box.variables)
    return faults(site(box))


def next_change(box: Sandbox, **env: str) -> list[str]:
    ran = box.run("install", "fourth" if not env else "third", env=env)
    assert ran.code == 0, ran.err
    assert not os.path.lexists(os.path.join(box.venv, ".safepip", "journal"))
    return ran.said


UPGRADE = ("install", "-U", "other", "pack")


@pytest.mark.parametrize("count", [14, 44])  # more of them in test_torture.py
def test_an_upgrade_killed_anywhere_is_put_right(box: Sandbox, count: int) -> None:
    before = killed(box, count, *UPGRADE)
    said = next_change(box)
    assert faults(site(box)) == []
    assert len(said) <= 1
    assert not before or not said or said[0].startswith("the last install here was interrupted; put right: ")
    assert b"No broken requirements" in box.run("check").out
    for name in ("pack", "other"):
        assert box.call([os.path.join(box.venv, "bin", name)]).out in {b"1.0\n", b"2.0\n"}


def test_without_any_source_it_is_put_back_from_what_pip_moved_aside(box: Sandbox) -> None:
    assert killed(box, 24, *UPGRADE)
    next_change(box, PIP_FIND_LINKS="/nowhere")
    assert faults(site(box)) == []
    assert b"==1.0\npack==1.0" in box.venv_pip("freeze").out


def test_with_neither_it_is_told_and_the_command_goes_on(box: Sandbox) -> None:
    killed(box, 30, *UPGRADE)
    for name in os.listdir(box.temporary):
        shutil.rmtree(os.path.join(box.temporary, name))
    ran = box.run("install", "third", env={"PIP_FIND_LINKS": "/nowhere"})
    assert ran.code == 0
    (said,) = ran.said
    assert said.endswith("could not get pack 1.0 again; later: safepip install --force-reinstall pack==1.0")
    assert b"pack==1.0" in box.venv_pip("freeze").out
    again = box.run("install", "fourth", env={"PIP_FIND_LINKS": "/nowhere"})
    assert [line for line in again.said if "damage" in line] == []
    assert next_change(box) == ["an earlier install here was interrupted; put right: pack 1.0"]
    assert faults(site(box)) == []
    assert not os.path.lexists(os.path.join(box.venv, ".safepip", "damage"))


def test_an_uninstall_that_was_killed_is_whole_or_done(box: Sandbox) -> None:
    assert killed(box, 5, "uninstall", "-y", "pack")
    next_change(box)
    assert faults(site(box)) == []


@pytest.mark.parametrize("count", [8, 20])
def test_a_fresh_install_that_was_killed_is_whole_or_comes_whole_again(box: Sandbox, count: int) -> None:
    before = set(os.listdir(site(box)))
    killed(box, count, "install", "fourth")
    begun = set(os.listdir(site(box))) - before
    time.sleep(0.02)
    own = [os.path.join(site(box), name) for name in ("mine.pth", "sitecustomize.py")]
    for path in own:
        open(path, "w").close()
    ran = box.run("install", "third")
    assert ran.code == 0, ran.err
    assert faults(site(box)) == []
    left = {name for name in begun if os.path.lexists(os.path.join(site(box), name))}
    assert {name for name in begun if not name.endswith(".dist-info")} <= left
    assert all(map(os.path.exists, own))
    assert box.run("install", "fourth").code == 0
    assert faults(site(box)) == []
    unnamed = orphans(site(box))
    assert [one for one in unnamed if not one.endswith(("/mine.pth", "/sitecustomize.py"))] == []


@pytest.mark.parametrize("count", [8, 40])
def test_what_the_user_put_there_after_the_kill_stays(box: Sandbox, count: int, packages: str) -> None:
    killed(box, count, "install", "fourth")
    files = {
        "bin/mine": "#!/bin/sh\n",
        "bin/~ine": "",
        "fourth/mine.py": "",
        "~ine/kept": "",
        "mine/~ourth/kept": "",
    }
    paths = [os.path.join(box.venv if name.startswith("bin") else site(box), name) for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    with zipfile.ZipFile(make_package(box.root, "byhand", "1.0")) as wheel:
        wheel.extractall(site(box))
        paths += [os.path.join(site(box), name) for name in wheel.namelist()]
    edited = [os.path.join(site(box), name, "part0.py") for name in ("byhand", "third")]
    for path in edited:
        with open(path, "a") as file:
            file.write("# mine\n")
    ran = box.run("install", "third")
    assert ran.code == 0, ran.err
    assert [path for path in paths if not os.path.exists(path)] == []
    for path in edited:
        with open(path) as file:
            assert file.read().endswith("# mine\n")


def test_what_bare_pip_is_writing_meanwhile_stays(box: Sandbox) -> None:
    killed(box, 8, "install", "fourth")
    python = os.path.join(box.venv, "bin", "python")
    half = os.path.join(site(box), "half-1.0.dist-info")
    code = f"import os; os.mkdir({half!r}); open({half!r} + '/METADATA', 'w').close(); print(flush=True); input()"
    with subprocess.Popen([python, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        assert box.run("install", "third").code == 0
        assert os.listdir(half) == ["METADATA"]
        process.stdin.close()


def test_a_begun_packages_hook_comes_whole_again(box: Sandbox) -> None:
    wheel = make_package(os.path.join(box.root), "hooked", "1.0")
    with zipfile.ZipFile(wheel) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    record = "hooked-1.0.dist-info/RECORD"
    files = {"__editable___hooked.pth": b"import hooked.part0\n", **files}
    files[record] = b"__editable___hooked.pth,,\n" + files[record]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    hook = os.path.join(site(box), "__editable___hooked.pth")
    killed(box, 5, "install", wheel)
    assert os.path.exists(hook)
    assert not glob.glob(f"{site(box)}/hooked*.dist-info")
    next_change(box)
    assert box.run("install", wheel).code == 0
    assert os.path.exists(hook)
    assert b"Error processing" not in box.call([box.python, "-c", ""]).err


def test_what_the_user_edited_stays(box: Sandbox) -> None:
    edited = os.path.join(site(box), "third", "part0.py")
    gone = os.path.join(site(box), "third", "inner", "data.txt")
    with open(edited, "a") as file:
        file.write("# mine\n")
    os.unlink(gone)
    for path in (edited, os.path.dirname(gone)):
        os.utime(path, (0, 0))
    killed(box, 14, *UPGRADE)
    next_change(box)
    with open(edited) as file:
        assert file.read().endswith("# mine\n")


def test_only_what_is_missing_of_an_edited_distribution_comes_back(box: Sandbox) -> None:
    edited = os.path.join(site(box), "pack", "part0.py")
    with open(edited, "a") as file:
        file.write("# mine\n")
    killed(box, 3, *UPGRADE)
    for name in os.listdir(box.temporary):  # where pip had put the program
        shutil.rmtree(os.path.join(box.temporary, name))
    said = next_change(box)
    assert said == ["the last install here was interrupted; put right: pack 1.0"]
    assert os.path.isfile(os.path.join(box.venv, "bin", "pack"))
    with open(edited) as file:
        assert file.read().endswith("# mine\n")


def test_what_a_killed_install_did_is_in_the_history(box: Sandbox) -> None:
    assert killed(box, 44, *UPGRADE)
    next_change(box)
    assert box.run("undo", "2").code == 0
    assert b"other==1.0\npack==1.0\n" in box.venv_pip("freeze").out


def test_one_that_changed_nothing_yet_leaves_no_word(box: Sandbox) -> None:
    box.write(
        "slow/pyproject.toml", '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
    )
    box.write("slow/slow.py", "import os, sys, time\nopen(os.environ['READY'], 'w').close()\ntime.sleep(60)\n")
    ready = os.path.join(box.temporary, "ready")
    os.mkfifo(ready)
    process = subprocess.Popen(
        [box.safepip, "install", "./slow"], cwd=box.project, env=box.environ({"READY": ready}), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with open(ready):
        os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    os.unlink(ready)
    assert os.path.lexists(os.path.join(box.venv, ".safepip", "journal"))
    assert next_change(box) == []


def test_a_pip_killed_while_it_replaced_itself_is_put_back(
    box: Sandbox, packages: str, published_wheels: str
) -> None:
    (wheel,) = (name for name in os.listdir(published_wheels) if name.startswith("pip-"))
    own = os.path.join(published_wheels, wheel)
    assert killed(box, 200, "install", "--force-reinstall", own)
    said = next_change(box)
    assert said[0].startswith("the last install here was interrupted; put right: pip")
    assert faults(site(box)) == []
    assert box.run("list").code == 0
