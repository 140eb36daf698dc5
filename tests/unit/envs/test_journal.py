"""What stands in an environment before a change: written cheaply, read back, and the same as runner.py's."""

from __future__ import annotations

import os
import runpy
import stat
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safepip.core.plan import RUNNER
from safepip.core.record import replace
from safepip.core.requirement import name_and_version
from safepip.envs import journal

NOTES = os.path.join(os.path.dirname(os.path.dirname(RUNNER)), "safepip_notes.py")

SITE = "Lib/site-packages" if os.name == "nt" else "lib/python{}.{}/site-packages".format(*sys.version_info)


def _is_storable(text):
    try:
        return os.fsdecode(os.fsencode(text)) == text
    except UnicodeEncodeError:
        return False


TEXTS = st.text(alphabet=st.characters(exclude_categories=()), max_size=12).filter(_is_storable)


def put(environment, name, **files):
    folder = os.path.join(environment, SITE, name)
    os.makedirs(folder)
    for file, text in files.items():
        with open(os.path.join(folder, file.replace("direct_url", "direct_url.json")), "w") as out:
            out.write(text)
    return folder


@pytest.fixture
def place(work):
    path = os.path.join(work, "env")
    os.makedirs(os.path.join(path, SITE))
    os.makedirs(os.path.join(path, "bin"))
    return path


def fields(rows, kind):
    return [row.split("\t")[1:] for row in rows if row.startswith(kind)]


# -- what is installed


def test_a_row_tells_path_identity_request_and_origin(place):
    put(place, "alpha-1.0.dist-info", REQUESTED="")
    put(place, "beta-2.0.dist-info", direct_url='{"url": "file:///x y"}')
    first, second = fields(journal.snapshot(place), "d")
    stamp = journal.stamp_of(os.path.join(place, SITE, "alpha-1.0.dist-info"))
    assert first == [f"{SITE}/alpha-1.0.dist-info", stamp, "1", ""]
    assert journal.unescaped(second[3]) == '{"url": "file:///x y"}'
    assert second[2] == ""


def test_what_pip_moved_aside_is_no_distribution_but_a_name(place):
    put(place, "~lpha-1.0.dist-info")
    rows = journal.snapshot(place)
    assert fields(rows, "d") == []
    assert journal.unpacked(fields(rows, "n")[1][1]) == ("~lpha-1.0.dist-info",)


def test_an_environment_without_anything_has_rows_all_the_same(work):
    assert fields(journal.snapshot(os.path.join(work, "none")), "d") == []


def test_what_is_as_known_is_not_read_again(place):
    info = put(place, "alpha-1.0.dist-info", direct_url="{}")
    known = journal.snapshot(place)
    since = os.stat(info)
    os.unlink(os.path.join(info, "direct_url.json"))
    os.utime(info, ns=(since.st_atime_ns, since.st_mtime_ns))
    assert journal.snapshot(place, known) == known
    assert journal.snapshot(place) != known


@pytest.mark.skipif(os.name == "nt", reason="the layout of POSIX")
def test_the_runner_lists_the_same(place):
    put(place, "alpha-1.0.dist-info", REQUESTED="", direct_url='{"url":\t"x%\n y"}')
    put(place, "odd name é%20-1.0.dist-info")
    put(place, "legacy-2.0-py3.11.egg-info")
    put(place, "~eta-2.0.dist-info")
    with open(os.path.join(place, SITE, "linked.egg-link"), "w") as file:
        file.write("/some where\n.")
    os.symlink("nowhere", os.path.join(os.fsencode(os.path.join(place, "bin")), b"\xff\xfe"))
    runner = runpy.run_path(NOTES)
    assert b"\n".join(runner["_listing"](os.fsencode(place))) == os.fsencode("\n".join(journal.snapshot(place)))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("alpha-1.0.dist-info", ("alpha", "1.0")),
        ("Typing_Extensions-4.0.dist-info", ("typing-extensions", "4.0")),
        ("zope.interface-5.dist-info", ("zope-interface", "5")),
        ("a__b-1.dist-info", ("a-b", "1")),
        ("local-1.0+x.dist-info", ("local", "1.0+x")),
        ("post-1.0_1.dist-info", ("post", "1.0-1")),
        ("nameless.dist-info", ("nameless", "?")),
        ("legacy-2.0-py3.11.egg-info", ("legacy", "2.0")),
        ("develop.egg-info", ("develop", "?")),
        ("linked.egg-link", ("linked", "?")),
    ],
)
def test_name_and_version_are_read_off_the_metadatas_name(path, expected):
    assert name_and_version(f"{SITE}/{path}") == expected
    in_runner = runpy.run_path(NOTES)["name_and_version"](os.fsencode(f"{SITE}/{path}"))
    assert tuple(map(os.fsdecode, in_runner)) == expected


# -- the journal


def test_a_journal_is_this_users_alone_and_tells_the_line(place):
    assert journal.begin(place, ["install", "", "a b"], "/some where", created=True)
    path = os.path.join(place, ".safepip", "journal")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    heading = journal.pending(place).heading
    assert (heading.number, heading.words, heading.cwd) == ("1", ("install", "", "a b"), "/some where")
    assert heading.created
    assert heading.process == os.getpid()
    assert list(journal.pending(place).rows) == journal.snapshot(place)


def test_nothing_else_is_left(place):
    journal.begin(place, [], None)
    assert os.listdir(os.path.join(place, ".safepip")) == ["journal"]
    journal.end(place)
    assert os.listdir(os.path.join(place, ".safepip")) == []
    journal.end(place)


def test_where_it_cannot_be_written_that_is_said(work):
    path = os.path.join(work, "file")
    with open(path, "w"):
        pass
    assert not journal.begin(path, ["install"], work)


def test_a_disk_that_is_full_leaves_no_half_journal(place, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert not journal.begin(place, ["install"], "/")
    assert os.listdir(os.path.join(place, ".safepip")) == []


def test_the_id_is_the_number_of_the_line_to_come(place):
    os.mkdir(os.path.join(place, ".safepip"))
    with open(os.path.join(place, ".safepip", "history"), "w") as file:
        file.write("1\n2\n")
    journal.begin(place, [], None)
    assert journal.pending(place).heading.number == "3"


def test_what_changed_without_safepip_is_in_it(place):
    gone = put(place, "gone-1.0.dist-info")
    put(place, "same-1.0.dist-info")
    journal.write(os.path.join(place, journal.DISTRIBUTIONS), journal.snapshot(place))
    os.rmdir(gone)
    put(place, "come-1.0.dist-info")
    journal.begin(place, [], None)
    assert journal.pending(place).heading.outside == ("come", "gone")


@pytest.mark.parametrize(
    "text", ["", "x", "safepip-journal-2\t1\tx\t1\t\t\t\t\t\n.", "safepip-journal-1\t1", "\0\n\xff"]
)
def test_of_an_empty_or_unknown_journal_nothing_is_known(place, text):
    journal.write(os.path.join(place, journal.JOURNAL), [text])
    assert journal.pending(place).heading is None


def test_a_journal_that_was_cut_off_anywhere_is_recognised(place):
    put(place, "alpha-1.0.dist-info")
    journal.begin(place, ["install", "x"], "/")
    path = os.path.join(place, journal.JOURNAL)
    with open(path, "rb") as file:
        content = file.read()
    for length in range(len(content)):
        with open(path, "wb") as file:
            file.write(content[:length])
        assert journal.pending(place).heading is None, length


def test_a_link_is_no_journal(place, work):
    journal.begin(place, [], None)
    os.rename(os.path.join(place, journal.JOURNAL), os.path.join(work, "elsewhere"))
    os.symlink(os.path.join(work, "elsewhere"), os.path.join(place, journal.JOURNAL))
    assert journal.pending(place).heading is None


# -- whose it is


def test_without_a_journal_nobody_was_killed(place):
    assert not journal.is_left(place, locked=True)


def test_under_the_lock_whoever_wrote_it_is_gone(place):
    journal.begin(place, [], None)
    assert journal.is_left(place, locked=True)


@pytest.mark.skipif(os.name == "nt", reason="no process is asked there")
def test_without_a_lock_its_process_is_asked(place, monkeypatch):
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", os.getppid)
        journal.begin(place, [], None)
    assert not journal.is_left(place, locked=False)
    assert not journal.begin(place, ["install"], "/"), "it is another's, who may be at work"

    def gone(*_):
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", gone)
    assert journal.is_left(place, locked=False)
    monkeypatch.setattr(journal, "_host", lambda: "another")
    assert not journal.is_left(place, locked=False)


# -- fields and secrets


@given(st.lists(TEXTS, max_size=4))
def test_words_come_back_as_they_were(words):
    field = journal.packed(words)
    assert not set("\t\n\r\0") & set(field)
    assert list(journal.unpacked(field)) == words


@pytest.mark.parametrize(
    "words", [["--proxy", "u:secret@p:1"], ["--proxy=u:secret@p:1"], ["--prox=http://u:secret@p:1"]]
)
def test_those_of_a_proxy_neither(place, words):
    journal.begin(place, ["install", *words, "x"], "/")
    with open(os.path.join(place, journal.JOURNAL)) as file:
        text = file.read()
    assert "secret" not in text
    assert "p:1" in text


# -- what could not be put right yet


def test_a_journal_is_kept_whole_until_everything_is_put_right(place):
    put(place, "alpha-1.0.dist-info")
    journal.begin(place, ("install", "x"), "/")
    begun = journal.pending(place)
    assert journal.keep(place, begun)
    journal.end(place)
    assert journal.is_left(place, locked=True)
    assert journal.pending(place, journal.DAMAGE) == replace(begun, name=journal.DAMAGE)
    journal.end(place, journal.DAMAGE)
    assert not journal.is_left(place, locked=True)


def test_of_two_commands_the_listing_before_both_is_kept(place):
    info = put(place, "alpha-1.0.dist-info")
    journal.begin(place, ("install", "x"), "/")
    before = journal.pending(place).rows
    journal.keep(place, journal.pending(place))
    journal.end(place)
    put(info, "more")
    put(place, "beta-1.0.dist-info")
    journal.begin(place, ("install", "y"), "/")
    later = [row for row in journal.pending(place).rows if "beta" in row]
    journal.keep(place, journal.pending(place))
    kept = journal.pending(place, journal.DAMAGE)
    assert kept.heading.words == ("install", "y")
    assert kept.rows == (*before, later[0])


def test_of_a_journal_that_cannot_be_read_everything_is_kept_to_be_verified(place):
    journal.write(os.path.join(place, journal.JOURNAL), ["junk"])
    assert journal.keep(place, journal.pending(place))
    assert journal.pending(place, journal.DAMAGE).heading is None
