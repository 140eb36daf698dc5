from __future__ import annotations

import importlib
import os
import sys

import pytest

from safepip.system.directories import NAME, at_home, cache_dir, data_dir, state_dir

PLACES = [
    (cache_dir, "cache", "XDG_CACHE_HOME"),
    (state_dir, "state", "XDG_STATE_HOME"),
    (data_dir, "data", "XDG_DATA_HOME"),
]


def by_platformdirs(kind):
    platformdirs = importlib.import_module("platformdirs.unix")
    return getattr(platformdirs.Unix(NAME, appauthor=False), f"user_{kind}_dir")


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="XDG's places")
@pytest.mark.parametrize("named", [None, "", "/named", "/named/", "/named/caf\udce9"])
@pytest.mark.parametrize(("place", "kind", "variable"), PLACES, ids=["cache", "state", "data"])
def test_are_those_of_platformdirs(place, kind, variable, named, home, monkeypatch):
    if named is not None:
        monkeypatch.setenv(variable, named)
    assert place(os.environ, home, "linux") == by_platformdirs(kind)


@pytest.mark.parametrize(("place", "kind", "variable"), PLACES, ids=["cache", "state", "data"])
def test_a_relative_variable_is_ignored_as_xdg_says(place, kind, variable):
    assert place({variable: "relative"}, "/home/u", "linux") == place({}, "/home/u", "linux")


@pytest.mark.parametrize(
    "variables", [{}, {"XDG_CACHE_HOME": "/named", "XDG_STATE_HOME": "/named"}], ids=["", "xdg"]
)
@pytest.mark.parametrize(("place", "kind", "variable"), PLACES, ids=["cache", "state", "data"])
def test_are_those_of_platformdirs_on_macos(place, kind, variable, variables, home, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    theirs = importlib.import_module("platformdirs.macos").MacOS(NAME, appauthor=False)
    assert place(os.environ, home, "darwin") == getattr(theirs, f"user_{kind}_dir")


@pytest.mark.parametrize(("place", "kind", "variable"), PLACES, ids=["cache", "state", "data"])
def test_are_those_of_platformdirs_on_windows(place, kind, variable, home, monkeypatch):
    """By the variables alone: the folders that Windows itself knows of cannot be asked for elsewhere."""
    local = os.path.join(home, "AppData", "Local")
    monkeypatch.setenv("LOCALAPPDATA", local)
    windows = importlib.import_module("platformdirs.windows")
    monkeypatch.setattr(windows, "get_win_folder", windows.get_win_folder_from_env_vars)
    theirs = windows.Windows(NAME, appauthor=False)
    assert place(os.environ, home, "win32") == getattr(theirs, f"user_{kind}_dir")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (cache_dir, "/Users/u/Library/Caches/safepip"),
        (state_dir, "/Users/u/Library/Application Support/safepip"),
        (data_dir, "/Users/u/Library/Application Support/safepip"),
    ],
)
def test_on_macos(place, expected):
    assert place({}, "/Users/u", "darwin") == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (cache_dir, ("safepip", "Cache")),
        (state_dir, ("safepip",)),
        (data_dir, ("safepip",)),
    ],
)
def test_on_windows(place, expected):
    local = "C:\\Users\\u\\AppData\\Local"
    assert place({"LOCALAPPDATA": local}, "C:\\Users\\u", "win32") == os.path.join(local, *expected)
    assert place({}, "HOME", "win32") == os.path.join("HOME", "AppData", "Local", *expected)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize(("place", "kind", "variable"), PLACES, ids=["cache", "state", "data"])
def test_there_are_none_without_a_home(place, kind, variable, platform):
    assert place({}, None, platform) is None


@pytest.mark.parametrize(("place", "kind", "variable"), PLACES, ids=["cache", "state", "data"])
def test_a_variable_will_do_without_a_home(place, kind, variable):
    assert place({variable: "/named"}, None, "linux") == "/named/safepip"


@pytest.mark.parametrize(
    ("path", "home", "expected"),
    [
        ("~", "/home/u", "/home/u"),
        ("~/p/.venv", "/home/u", "/home/u/p/.venv"),
        ("~/p", "/", "/p"),
        ("~/p", None, "~/p"),
        ("~other/p", "/home/u", "~other/p"),
        ("p/~/q", "/home/u", "p/~/q"),
    ],
)
def test_a_leading_tilde_is_the_home_directory(path, home, expected):
    assert at_home(path, home) == expected
