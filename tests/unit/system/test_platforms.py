"""Other systems than this one: their facts put in, and what they lack taken away."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import safepip
from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.core.world import USABLE
from safepip.doctor import directories
from safepip.shells import shim
from safepip.system import environment, observe, processes
from safepip.system.environment import examine
from safepip.system.interpreter import interview, is_store_alias, keg, lasting
from safepip.system.observe import Context, ambient
from safepip.system.project import may_be_root

PACKAGE = os.path.dirname(safepip.__file__)

# What Windows' Python has not; everything that safepip may load is loaded without it.
WITHOUT = """
import importlib, os, pkgutil, sys
sys.path.insert(0, sys.argv[1])
for name in ("fcntl", "pwd", "grp", "resource", "termios", "pty", "tty", "readline"):
    sys.modules[name] = None
import safepip
names = [one.name for one in pkgutil.walk_packages(safepip.__path__, "safepip.") if not one.name.startswith(BEHIND)]
import subprocess, shutil, tempfile, filelock, virtualenv  # noqa
for name in ("geteuid", "getuid", "getegid", "getgid", "uname", "fork", "statvfs", "initgroups", "setuid", "setgid",
             "mkfifo", "chown", "lchown", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_DIRECTORY", "O_PATH"):
    if hasattr(os, name):
        delattr(os, name)
for name in names:
    if name != "safepip.__main__":
        importlib.import_module(name)
print(len(names))
"""


def test_nothing_that_windows_lacks_is_needed_to_load_a_module():
    code = WITHOUT.replace("BEHIND", "'safepip.after_pip'")
    argv = [sys.executable, "-c", code, os.path.dirname(PACKAGE)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


# -- Windows


def put(path, content=b""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o755)
    return path


@pytest.mark.parametrize(
    ("folder", "content", "expected"),
    [
        ("Microsoft/WindowsApps", b"", True),
        ("microsoft/WINDOWSAPPS", b"", True),
        ("Microsoft/WindowsApps", b"MZ", False),
        ("Python312", b"", False),
    ],
)
def test_an_alias_of_the_store_is_known_by_its_folder_and_its_emptiness(folder, content, expected, work):
    assert is_store_alias(put(os.path.join(work, folder, "python3.exe"), content)) is expected


def test_an_alias_without_a_python_behind_it_is_passed_over(work, base_python, monkeypatch):
    alias = put(os.path.join(work, "Microsoft/WindowsApps/python3"))
    real = os.path.join(work, "real")
    os.mkdir(real)
    os.symlink(base_python, os.path.join(real, "python3"))
    monkeypatch.setenv("PATH", os.pathsep.join((os.path.dirname(alias), real)))
    found = Context(Invocation(words=("list",)), ambient())
    assert found.target.python == os.path.join(real, "python3")


def test_an_alias_with_a_python_behind_it_serves(work, base, monkeypatch):
    alias = put(os.path.join(work, "Microsoft/WindowsApps/python3"))
    monkeypatch.setenv("PATH", os.path.dirname(alias))
    monkeypatch.setattr(observe, "interview", lambda path, *_, **__: replace(base, path=path))
    assert Context(Invocation(words=("list",)), ambient()).target.python == alias


@pytest.mark.parametrize(("platform", "expected"), [("linux", ["state-folder"]), ("win32", ["folders"])])
def test_the_doctor_reads_no_modes_where_they_say_nothing(platform, expected, work):
    os.chmod(work, 0o777)
    there = replace(ambient(), platform=platform)
    context = Context(Invocation(words=()), there, cache=None, state=work, data=None)
    findings = list(directories.check(context))
    assert [finding.id for finding in findings] == expected
    assert ("can be written by everybody" in findings[0].why) is (platform == "linux")


@pytest.mark.parametrize(("below", "expected"), [("", False), ("System32", False), ("../Windowsx", True)])
def test_what_is_windows_own_becomes_no_project(below, expected, work):
    windows = os.path.join(work, "Windows")
    at = os.path.normpath(os.path.join(windows, below))
    os.makedirs(at)
    owners = frozenset({os.lstat(at).st_uid})
    assert may_be_root(at, "/home/u", {"SYSTEMROOT": windows, "PROGRAMFILES": ""}, owners) is expected


def test_on_windows_nobody_is_stepped_down_to(monkeypatch):
    monkeypatch.setenv("SUDO_UID", "1000")
    there = replace(ambient(), platform="win32", user=0)
    assert Context(Invocation(words=()), there).sudo_user is None
    assert Context(Invocation(words=()), replace(there, platform="linux")).sudo_user == (1000, -1)


def test_a_conda_environment_has_its_python_at_the_top_on_windows(work, base, monkeypatch):
    monkeypatch.setattr(environment, "EXE", ".exe")
    monkeypatch.setattr(environment, "BIN", "Scripts")
    os.makedirs(os.path.join(work, "conda", "conda-meta"))
    python = put(os.path.join(work, "conda", "python.exe"), b"MZ")
    found = examine(os.path.join(work, "conda"), lambda _path: base, lambda *_: None)
    assert (found.state, found.python) == (USABLE, python)


def test_shims_are_copies_of_safepip_on_windows(work, monkeypatch):
    monkeypatch.setattr(shim, "EXE", ".exe")
    program = put(os.path.join(work, "safepip.exe"), b"MZ launcher")
    folder = os.path.join(work, "shims")
    for _ in "12":  # written again, they are no foreign files
        assert all(shim.is_free(os.path.join(folder, name)) for name in ("pip", "pip3.12"))
        shim.write_shims(folder, ("pip", "pip3.12", "python"), program)
    assert sorted(os.listdir(folder)) == [".safepip", "pip.exe", "pip3.12.exe"]
    with open(os.path.join(folder, "pip.exe"), "rb") as file:
        assert file.read() == b"MZ launcher"


def test_a_foreign_program_is_not_overwritten_by_a_shim_on_windows(work, monkeypatch):
    monkeypatch.setattr(shim, "EXE", ".exe")
    put(os.path.join(work, "Scripts", "pip.exe"), b"MZ")
    assert not shim.is_free(os.path.join(work, "Scripts", "pip"))


# -- macOS


def test_what_a_framework_leaves_to_its_child_does_not_answer_for_another(base_python):
    seen = []

    def ask(_argv, environ, _aloud):
        seen.append(environ)
        return 1, b""

    interview(base_python, {"__PYVENV_LAUNCHER__": "/x/python", "PYTHONHOME": "/x", "HOME": "/h"}, None, ask=ask)
    assert seen == [{"HOME": "/h"}] * 2


@pytest.fixture
def brewed(work):
    """A Homebrew of two formulae: python@3.12 with its framework, and one that opt does not lead to."""
    inner = "Frameworks/Python.framework/Versions/3.12/bin/python3.12"
    binary = put(os.path.join(work, "brew/Cellar/python@3.12/3.12.1", inner), b"binary")
    put(os.path.join(work, "brew/Cellar/python@3.11/3.11.4/bin/python3.11"), b"binary")
    os.makedirs(os.path.join(work, "brew/opt"))
    os.makedirs(os.path.join(work, "brew/bin"))
    os.symlink("../Cellar/python@3.12/3.12.1", os.path.join(work, "brew/opt/python@3.12"))
    os.symlink(os.path.relpath(binary, os.path.join(work, "brew/bin")), os.path.join(work, "brew/bin/python3"))
    return os.path.join(work, "brew")


def test_homebrews_python_has_a_path_that_stays(brewed):
    python = os.path.join(brewed, "bin/python3")
    stays = os.path.join(brewed, "opt/python@3.12")
    assert keg(python) == (os.path.join(brewed, "Cellar/python@3.12/3.12.1"), stays)
    assert lasting(python) == os.path.join(stays, "Frameworks/Python.framework/Versions/3.12/bin/python3.12")
    assert os.path.samefile(lasting(python), python)


@pytest.mark.parametrize("path", ["Cellar/python@3.11/3.11.4/bin/python3.11", "elsewhere/python3", "Cellar/x"])
def test_any_other_python_keeps_its_path(brewed, path):
    assert lasting(os.path.join(brewed, path)) == os.path.join(brewed, path)
    assert keg(os.path.join(brewed, path)) is None


@pytest.mark.skipif(not os.path.exists("/bin/ps") or not os.path.isdir("/proc/self"), reason="no ps, or no /proc")
def test_ps_tells_the_same_parents_as_proc():
    assert processes.parent_by_ps(os.getpid()) == os.getppid()
    at = os.getpid()
    while at > 1:
        assert processes.is_ancestor(at)  # by /proc
        assert processes.is_ancestor(at, processes.parent_by_ps)
        with open(f"/proc/{at}/status", encoding="utf-8") as file:
            (above,) = [int(line.split()[1]) for line in file if line.startswith("PPid:")]
        assert processes.parent_by_ps(at) == above
        at = above
    assert processes.parent_by_ps(2**30) == 0
