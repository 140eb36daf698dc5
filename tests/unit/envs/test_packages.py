"""What metadata says of files and origins; no pip, no Python is run."""

from __future__ import annotations

import json
import os
import sys

import pytest

from safepip.core.invocation import read_invocation
from safepip.core.record import replace
from safepip.envs import history, journal, packages, verify
from safepip.envs.history import State
from safepip.envs.verify import sites
from safepip.system.observe import Context, ambient

ORIGINS = [
    ({}, "", ("a==1",)),
    ({"url": "file:///x%20y", "dir_info": {"editable": True}}, None, ("-e", "/x y")),
    ({"url": "file:///x", "dir_info": {}}, None, ("a @ file:///x",)),
    (
        {"url": "https://x/a.zip", "archive_info": {"hashes": {"sha256": "1"}}},
        None,
        ("a @ https://x/a.zip#sha256=1",),
    ),
    (
        {"url": "https://x/a.zip", "archive_info": {}, "subdirectory": "b"},
        None,
        ("a @ https://x/a.zip#subdirectory=b",),
    ),
    ({"url": "https://x/r", "vcs_info": {"vcs": "git", "commit_id": "12"}}, None, ("a @ git+https://x/r@12",)),
    ({}, "/some/where\n.", ("-e", "/some/where")),
]


@pytest.mark.skipif(sys.platform == "win32", reason="the paths of POSIX")
@pytest.mark.parametrize(("told", "text", "expected"), ORIGINS)
def test_a_distribution_is_named_by_its_origin(told, text, expected):
    state = State(version="1", origin=json.dumps(told) if text is None else text)
    assert packages.requirement("a", state) == expected


@pytest.fixture
def found(environment):
    """An environment with alpha, as it is examined."""
    (site,) = sites(environment)
    info = os.path.join(site, "alpha-1.0.dist-info")
    os.makedirs(info)
    names = ("METADATA", "INSTALLER", "RECORD")
    texts = ("Name: alpha\nVersion: 1.0\n", "pip\n", "".join(f"alpha-1.0.dist-info/{name},,\n" for name in names))
    for name, text in zip(names, texts, strict=True):
        with open(os.path.join(info, name), "w", encoding="utf-8") as file:
            file.write(text)
    world = Context(read_invocation("pip", ["list"]), replace(ambient(), terminal=False))
    return world.examine(environment, trusted=True)


def record(found):
    """Return the text of alpha's RECORD."""
    with open(os.path.join(found.site, "alpha-1.0.dist-info", "RECORD"), encoding="utf-8") as file:
        return file.read()


def test_it_says_who_asked_and_from_where(found):
    packages.describe(found, "alpha", requested=True, origin='{"url": "file:///x"}')
    state = history.installed(journal.snapshot(found.path))["alpha"]
    assert state == State(version="1.0", requested=True, origin='{"url": "file:///x"}')
    assert "alpha-1.0.dist-info/REQUESTED,sha256=" in record(found)
    packages.describe(found, "alpha", requested=False, origin="")
    assert history.installed(journal.snapshot(found.path))["alpha"] == State(version="1.0")
    assert len(record(found).splitlines()) == 3


def test_the_origin_stays_unless_another_is_given(found):
    packages.describe(found, "alpha", requested=True, origin='{"url": "file:///x"}')
    packages.describe(found, "alpha", requested=False)
    assert history.installed(journal.snapshot(found.path))["alpha"] == State(
        version="1.0", origin='{"url": "file:///x"}'
    )


def test_its_files_are_those_that_it_names_and_its_own(found):
    info = os.path.join(found.site, "alpha-1.0.dist-info")
    with open(os.path.join(info, "RECORD"), "a", encoding="utf-8") as file:
        file.write("alpha.py,,\n../../../bin/alpha,,\n../../../../outside,,\n/etc/passwd,,\nz\0,,\n")
    open(os.path.join(info, "unnamed"), "xb").close()
    named = set(packages.files_of(found, "alpha"))
    assert {os.path.relpath(path, found.path) for path in named} == {
        *(os.path.relpath(os.path.join(info, name), found.path) for name in (*os.listdir(info),)),
        os.path.relpath(os.path.join(found.site, "alpha.py"), found.path),
        os.path.join("bin", "alpha"),
    }


def test_a_file_is_as_recorded_by_its_digest(work):
    path = os.path.join(work, "x")
    with open(path, "w", encoding="utf-8") as file:
        file.write("text")
    row = verify.Row(path=path, digest=verify.digest_of(path), size=4)
    assert verify.is_as_recorded(row)
    assert not verify.is_as_recorded(replace(row, digest=""))
    with open(path, "a", encoding="utf-8") as file:
        file.write("!")
    assert not verify.is_as_recorded(row)
    assert verify.digest_of(f"{work}/gone") == ""


def test_missing_bytecode_is_written_for_sources_that_are_there(found):
    source = os.path.join(found.site, "alpha.py")
    with open(source, "w", encoding="utf-8") as file:
        file.write("x = 1\n")
    compiled = os.path.join(found.site, "__pycache__", f"alpha.{sys.implementation.cache_tag}.pyc")
    gone = os.path.join(found.site, "__pycache__", f"gone.{sys.implementation.cache_tag}.pyc")
    assert packages.source_of(compiled) == source
    packages.compile_bytecode(found, (compiled, gone))
    assert (os.path.isfile(compiled), os.path.exists(gone)) == (True, False)
