"""What was changed by hand in an environment, read off its files."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest

from safepip.envs.modified_files import edited

SITE = "lib/python3.11/site-packages"


def put(path, text="", at=1000):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.utime(path, (at, at))


def made(path, *, activate="of the new", config="home = /usr/bin\nversion = 3.11.2\n"):
    """Make what an environment with one package has."""
    put(f"{path}/pyvenv.cfg", config)
    for name in ("activate", "activate.fish", "python"):
        put(f"{path}/bin/{name}", activate)
    put(f"{path}/{SITE}/alpha.py", "x = 1\n")
    put(f"{path}/{SITE}/alpha-1.0.dist-info/METADATA", "Name: alpha\nVersion: 1.0\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).decode().rstrip("=")
    record = f"alpha.py,sha256={digest},6\nalpha-1.0.dist-info/METADATA,,\nalpha-1.0.dist-info/RECORD,,\n"
    put(f"{path}/{SITE}/alpha-1.0.dist-info/RECORD", record)
    return path


@pytest.fixture
def old(work):
    return made(f"{work}/old")


@pytest.fixture
def new(work):
    return made(f"{work}/new")


def test_what_is_as_it_was_made_is_not_edited(old, new):
    assert edited(old, new) == []


def test_a_file_unlike_its_record_is(old, new):
    put(f"{old}/{SITE}/alpha.py", "x = 2\n")
    assert edited(old, new) == [f"{SITE}/alpha.py"]


def test_a_row_that_is_none_hides_no_edit(old, new):
    with open(f"{old}/{SITE}/alpha-1.0.dist-info/RECORD", "a", encoding="utf-8") as file:
        file.write("z\0,,\n")
    put(f"{old}/{SITE}/alpha.py", "x = 2\n")
    assert edited(old, new) == [f"{SITE}/alpha.py"]


@pytest.mark.parametrize(
    "record", ["alpha.py,sha256=x", "alpha.py,shake_128=x,6", "alpha.py,nonsense=x,6", "\0,sha256=x,"]
)
def test_a_record_that_is_odd_does_no_harm(old, new, record):
    put(f"{old}/{SITE}/alpha-1.0.dist-info/RECORD", record + "\n")
    assert edited(old, new) in ([], [f"{SITE}/alpha.py"])


def test_what_is_gone_or_no_file_is_not_edited(old, new):
    os.unlink(f"{old}/{SITE}/alpha.py")
    assert edited(old, new) == []
    os.mkfifo(f"{old}/{SITE}/alpha.py")
    assert edited(old, new) == []


def test_a_script_written_after_the_others_is_if_a_new_one_differs(old, new):
    put(f"{old}/bin/activate", "export SECRET=1", at=2000)
    assert edited(old, new) == ["bin/activate"]
    put(f"{new}/bin/activate", "export SECRET=1")
    assert edited(old, new) == []


def test_scripts_of_another_virtualenv_are_not(work, new):
    assert edited(made(f"{work}/older", activate="of an older one"), new) == []


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ("home = /usr/bin\nversion = 3.10.1\npython-version = 3.10\n", []),
        ("home = /usr/bin\nprompt = mine\n", ["pyvenv.cfg"]),
    ],
    ids=["another Python", "a key of the user's"],
)
def test_settings_of_the_users_own_are(work, new, config, found):
    assert edited(made(f"{work}/another", config=config), new) == found
