from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from tree import TREE

from safepip.actions.sudo import step_down
from safepip.errors import REFUSED, SafepipError
from safepip.report import Report

pwd = pytest.importorskip("pwd", reason="Windows has no such users")
NOBODY = pwd.getpwnam("nobody")
# In a process of its own, for there is no way back.
STEPS = """
import json, os, sys
from safepip.actions.sudo import step_down
from safepip.report import Report
os.umask(0o077)
step_down(int(sys.argv[1]), int(sys.argv[2]), Report())
print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups(), os.umask(0), dict(os.environ)]))
"""
OF_ROOT = {
    "SUDO_UID": "1",
    "SUDO_GID": "1",
    "SUDO_USER": "x",
    "SUDO_COMMAND": "y",
    "XDG_CACHE_HOME": "/root/c",
    "KEPT": "k",
}


def stepped(uid, gid):
    """Return what became of a process of root's that stepped down."""
    environ = {**os.environ, **OF_ROOT, "HOME": "/root", "PYTHONPATH": TREE}
    argv = [sys.executable, "-c", STEPS, str(uid), str(gid)]
    return subprocess.run(argv, env=environ, cwd="/", capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can step down")
@pytest.mark.parametrize("gid", [NOBODY.pw_gid, -1], ids=["the group that sudo names", "the user's own group"])
def test_root_becomes_the_user_wholly(gid):
    ran = stepped(NOBODY.pw_uid, gid)
    if ran.returncode and "it cannot read " in ran.stderr:
        pytest.skip("this Python, or this checkout, is root's alone")
    users, groups, more, umask, environ = json.loads(ran.stdout)
    assert users == [NOBODY.pw_uid] * 3
    assert groups == [NOBODY.pw_gid] * 3
    assert 0 not in more
    assert umask == 0o077  # root's stricter one stands
    assert not set(OF_ROOT) - {"KEPT"} & set(environ)
    assert (environ["HOME"], environ["USER"], environ["KEPT"]) == (NOBODY.pw_dir, "nobody", "k")
    assert ran.stderr == "safepip: going on as nobody, not as root (root: safepip --system)\n"


@pytest.mark.parametrize("uid", [2**31 - 7, 2**40], ids=["unknown", "too large for a user"])
def test_a_user_that_there_is_not_is_refused_with_what_to_type(uid):
    with pytest.raises(SafepipError) as raised:
        step_down(uid, -1, Report())
    assert raised.value.code == REFUSED
    assert raised.value.what.startswith(f"root cannot step down to user {uid}, who called sudo: ")
    assert raised.value.ways[0] == "type it without sudo"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_who_is_not_root_cannot():
    with pytest.raises(SafepipError) as raised:
        step_down(NOBODY.pw_uid, -1, Report())
    assert "Operation not permitted" in raised.value.what
