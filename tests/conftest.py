"""The world is sealed: no test sees the user's home, settings, variables, working directory or the network.

Processes that a test starts inherit the sealed variables, but not the sealed sockets.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

import machine
import pytest
from longest_first import (  # noqa: F401  hooks
    pytest_collection_modifyitems,
    pytest_configure_node,
    pytest_runtest_logreport,
    pytest_sessionfinish,
)

from safepip.system import directories, pip_config

_SEALED = (
    "XDG_", "SAFEPIP_", "PIP_", "_PIP_", "PYTHON", "__PYVENV_", "SUDO_", "CONDA_", "VIRTUAL_ENV", "VIRTUALENV_",
    "UV_", "PYENV_", "APPDATA", "LOCALAPPDATA", "USERPROFILE",
)  # fmt: skip
_FOR_TESTS = "SAFEPIP_TEST_"  # what scripts/test.py and people tell the tests themselves, of no meaning to safepip


# What a runner in the background may have been told to ignore, its children would ignore too.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


class NetworkNotFakedError(AssertionError):
    """A unit test reached for the network: the other side is to be faked."""


class HomeNotSealedError(AssertionError):
    """A test reached the real user's store: HOME or an XDG variable got lost on the way."""


def _is_sealed(name):
    return name.startswith(_SEALED) and not name.startswith(_FOR_TESTS)


def _real_store():
    home = os.path.expanduser("~")
    found = (
        of(os.environ, home, sys.platform)
        for of in (directories.cache_dir, directories.state_dir, directories.data_dir)
    )
    return tuple(os.path.join(folder, "") for folder in found)


_REAL_STORE = _real_store()
_WATCHED = {"open", "os.mkdir", "os.rename", "os.remove", "os.listdir", "os.scandir", "os.rmdir"}


def _watch(event, args):
    if event in _WATCHED and args and isinstance(args[0], str) and args[0].startswith(_REAL_STORE):
        raise HomeNotSealedError(f"{args[0]}: use the fixtures `home` and `work`")


sys.addaudithook(_watch)


def pytest_configure():
    machine.hide()
    for name in filter(_is_sealed, list(os.environ)):  # for fixtures of the session, made before any test
        del os.environ[name]


@pytest.fixture(autouse=True)
def sealed(monkeypatch, tmp_path_factory):
    """A home and a working directory of this test's own, in a world without variables or network."""
    world = os.path.realpath(tmp_path_factory.mktemp("world"))
    home, work = os.path.join(world, "home"), os.path.join(world, "home", "work")
    os.makedirs(work)
    for name in filter(_is_sealed, list(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", home)
    monkeypatch.chdir(work)
    if machine.visible():
        monkeypatch.setenv("XDG_CONFIG_DIRS", world)
        monkeypatch.setattr(pip_config, "SYSTEM_FOLDER", world)

    def refuse(*args, **_options):
        raise NetworkNotFakedError(f"connection to {args[1:]}: fake the other side")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    umask = os.umask(0o022)
    yield home
    os.umask(umask)


@pytest.fixture
def home(sealed):
    """The home directory."""
    return sealed


@pytest.fixture
def work(home):
    """The working directory, an empty one below the home directory."""
    return os.path.join(home, "work")


@pytest.fixture(scope="session")
def base_python():
    """The binary of the Python under test, outside any environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
