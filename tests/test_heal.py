"""What a killed install left: what belongs where, which words name it again, and what metadata says of it."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safepip.context import Context, ambient
from safepip.envs import heal, history, journal, metadata
from safepip.invocation import read_invocation
from safepip.report import Report

SITE = "lib/python{}.{}/site-packages".format(*sys.version_info)


@pytest.mark.parametrize(
    ("name", "original", "expected"),
    [
        ("~lpha", "alpha", True),
        ("~-pha", "alpha", True),
        ("~-~ha", "alpha", True),
        ("~alpha", "alpha", True),
        ("~.alpha", "alpha", True),
        ("~lpha-1.0.dist-info", "alpha-1.0.dist-info", True),
        ("~eta", "alpha", False),
        ("~xpha", "alpha", False),
        ("alpha", "alpha", False),
        ("~", "alpha", False),
        ("", "alpha", False),
        ("~xalpha", "alpha", False),
    ],
)
def test_what_pip_calls_a_folder_that_it_moved_aside(name, original, expected):
    assert heal._is_aside(name, original) is expected


@given(st.text(max_size=6), st.text(min_size=1, max_size=6))
def test_any_name_can_be_asked_about(name, original):
    assert heal._is_aside(name, original) in {True, False}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Alpha_x[more]>=1", True),
        ("alpha-x", True),
        ("alpha.x @ file:///a", True),
        ("alpha", False),
        ("./alpha-x", False),
    ],
)
def test_a_requirement_names_a_distribution(typed, expected):
    assert heal._is_named("alpha-x", typed) is expected


def test_the_sources_of_a_line_are_its_own():
    line = [
        "install",
        "-f",
        "wheels",
        "-i",
        "https://x/s",
        "--no-index",
        "--pre",
        "-r",
        "x",
        "--find-links=/y",
        "-U",
        "a",
    ]
    expected = (
        "--find-links",
        "/at/wheels",
        "--index-url",
        "https://x/s",
        "--no-index",
        "--pre",
        "--find-links",
        "/y",
    )
    assert heal.sources(line, "/at") == expected


# -- what is left


@pytest.fixture
def left(environment):
    """An environment with alpha, its journal, and what heals it."""
    site = os.path.join(environment, SITE)
    info = os.path.join(site, "alpha-1.0.dist-info")
    os.makedirs(info)
    files = {"METADATA": "Name: alpha\nVersion: 1.0\n", "INSTALLER": "pip\n", "RECORD": ""}
    rows = [f"alpha-1.0.dist-info/{name},," for name in files]
    for name, text in files.items():
        with open(os.path.join(info, name), "w") as file:
            file.write("\n".join(rows) + "\n" if name == "RECORD" else text)

    def mend():
        lines = []
        report = Report()
        report.say = lines.append
        heal.heal(environment, Context(read_invocation("pip", ["list"]), ambient()), report)
        return lines

    mend.site, mend.environment, mend.info = site, environment, info
    assert journal.begin(environment, ["install", "-U", "alpha"], "/")
    return mend


def test_where_nothing_happened_nothing_is_said(left):
    assert left() == []
    assert not os.path.lexists(os.path.join(left.environment, journal.JOURNAL))
    assert history.read(left.environment) == []


def test_metadata_that_was_moved_aside_is_put_back(left):
    moved = os.path.join(left.site, "~lpha-1.0.dist-info")
    os.rename(left.info, moved)
    with open(os.path.join(moved, "RECORD"), "w") as file:
        file.write(f"alpha-1.0.dist-info/METADATA,sha256={metadata.digest_of(os.path.join(moved, 'METADATA'))},\n")
    assert left() == ["the last install here was interrupted; put right: alpha 1.0"]
    assert os.path.isfile(os.path.join(left.info, "METADATA"))
    assert [name for name in os.listdir(left.site) if name.startswith("~")] == []


def test_what_lay_aside_before_stays(environment, left):
    journal.end(environment)
    os.mkdir(os.path.join(left.site, "~ld"))
    journal.begin(environment, ["install", "x"], "/")
    os.mkdir(os.path.join(left.site, "~ew"))
    assert left() == []
    assert [name for name in os.listdir(left.site) if name.startswith("~")] == ["~ld"]


def test_of_two_metadata_the_whole_new_one_stays(left):
    new = os.path.join(left.site, "alpha-2.0.dist-info")
    os.mkdir(new)
    for name in ("METADATA", "INSTALLER", "RECORD"):
        with open(os.path.join(new, name), "w") as file:
            rows = [f"alpha-2.0.dist-info/{one},," for one in ("METADATA", "INSTALLER", "RECORD")]
            file.write("\n".join(rows) if name == "RECORD" else "")
    assert left() == ["the last install here was interrupted; put right: alpha 2.0"]
    assert not os.path.exists(left.info)
    (entry,) = history.read(left.environment)
    assert (entry.words, entry.changes[0].after.version) == (("install", "-U", "alpha"), "2.0")


def test_a_removal_that_was_done_is_only_noted(left):
    for name in os.listdir(left.info):
        os.unlink(os.path.join(left.info, name))
    os.rmdir(left.info)
    assert left() == []
    (entry,) = history.read(left.environment)
    assert entry.changes[0].after is None


@pytest.mark.parametrize(
    "text", ["", "junk", "safepip-journal-1\t1\t1\t1\t\t\t\t\t\nd\t../../x\t1\t\t\nd\tx\nn\ty\tz"]
)
def test_any_journal_can_be_read(left, text):
    journal.write(os.path.join(left.environment, journal.JOURNAL), [text])
    left()
    assert os.path.isdir(left.info)
    assert not os.path.lexists(os.path.join(left.environment, journal.JOURNAL))
