"""What pipx did, as `history` shows it and `undo` answers to it: pipx's folder is written by hand here."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.envs import applications, history
from safepip.envs.history import Change, Entry, State
from safepip.errors import NO_ENVIRONMENT, USAGE, SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.observe import Context, ambient
from safepip.verbs import history as shows
from safepip.verbs import undo


@pytest.fixture
def context(base_python, home, monkeypatch):
    """At the home directory, outside any project."""
    monkeypatch.chdir(home)
    return Context(Invocation(words=("install", "cow", "--proxy=me:secret@host")), ambient())


def keep(context, name, version):
    """Have pipx hold this version of an application, or none."""
    folder = os.path.join(os.path.dirname(context.data), "pipx", "venvs", name)
    shutil.rmtree(folder, ignore_errors=True)
    if version:
        os.makedirs(folder)
        with open(os.path.join(folder, "pipx_metadata.json"), "w") as file:
            json.dump({"main_package": {"package_version": version}}, file)


def change(context, name, version):
    before = applications.held(context)
    keep(context, name, version)
    applications.note(before, context)


def refused(context, *words):
    fresh = Context(context.invocation, context.ambient)
    with pytest.raises(SafepipError) as failed:
        undo.main(words, fresh, Report())
    return failed.value


@pytest.mark.parametrize(
    ("versions", "way"),
    [
        (["1"], "safepip app uninstall cow"),
        (["1", "2"], "safepip app install --force cow==1"),
        (["1", "2", None], "safepip app install cow==2"),
    ],
    ids=["came", "changed", "went"],
)
def test_undo_names_what_takes_it_back(context, versions, way):
    for version in versions:
        change(context, "cow", version)
    failed = refused(context)
    assert (failed.code, failed.ways) == (USAGE, (f"take it back: {way}",))
    assert failed.what == "the last change, cow, is with pipx, whose changes undo does not reach"


def test_what_was_taken_back_by_pipxs_own_words_is_passed_over(context):
    change(context, "cow", "1")
    keep(context, "cow", None)
    assert refused(context).code == NO_ENVIRONMENT


def test_a_number_asks_for_the_environment(context):
    change(context, "cow", "1")
    assert refused(context, "1").code == NO_ENVIRONMENT


def test_what_changed_nothing_is_not_noted(context):
    change(context, "cow", "1")
    change(context, "cow", "1")
    assert len(applications.read(context)) == 1


def test_elsewhere_it_is_not_told(context, environment):
    change(context, "cow", "1")
    inside = Context(context.invocation, replace(context.ambient, cwd=os.path.dirname(environment)))
    assert applications.read(inside) == []
    assert applications.last(inside) is None
    change(inside, "cow", "2")
    assert [one.changes[0].after.version for one in applications.read(inside)] == ["2"]
    named = Context(replace(context.invocation, env=environment), context.ambient)
    assert applications.read(named) == []


@pytest.fixture
def home_environment(context, environment):
    """The home environment, in which one thing was installed at the time 100."""
    path = os.path.join(context.data, "home")
    os.makedirs(context.data)
    shutil.copytree(environment, path, symlinks=True)
    os.makedirs(os.path.join(path, ".safepip"), exist_ok=True)
    registry.note(context.state, path, registry.MADE)
    came = Change(name="six", before=None, after=State(version="1"))
    history.append(path, Entry(id="1", time=100, kind="pip", words=("install", "six"), changes=(came,)))
    return path


def test_undo_says_how_the_last_change_of_the_environment_is_reached(context, home_environment):
    change(context, "cow", "1")
    assert refused(context).ways[-1] == "the last one in the home environment: safepip undo 1"


def test_what_was_done_in_the_environment_since_is_the_last(context, home_environment, capfd):
    change(context, "cow", "1")
    came = Change(name="idna", before=None, after=State(version="1"))
    later = Entry(id="2", time=2**33, kind="pip", words=("install", "idna"), changes=(came,))
    history.append(home_environment, later)
    assert undo.main((), Context(context.invocation, context.ambient), Report(quiet=True)) == 0
    assert capfd.readouterr().out.startswith("undoing 2 (")
    assert history.read(home_environment)[-1].further == "1"


def test_history_shows_both_in_their_order(context, home_environment, capfd):
    change(context, "cow", "1")
    assert shows.main((), context, Report()) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line[:6] for line in lines] == ["   1  ", "      ", "   -  ", "      "]
    assert lines[2].endswith("install cow --proxy=host (with pipx)")
    assert lines[3] == "      + cow 1"
    shows.main(("--json",), context, Report())
    first, second = json.loads(capfd.readouterr().out)
    assert (first["id"], first["with"], first["undone"]) == ("1", "pip", False)
    assert (second["id"], second["with"], second["undone"]) == ("pipx-1", "pipx", False)


def test_history_shows_it_without_a_home_environment(context, capfd):
    change(context, "cow", "1")
    assert shows.main((), context, Report()) == 0
    assert "+ cow 1" in capfd.readouterr().out


def test_a_file_of_pipxs_that_tells_nothing_is_of_no_harm(context):
    keep(context, "cow", "1")
    folder = os.path.join(os.path.dirname(context.data), "pipx", "venvs", "cow")
    for text in ("", "[]", '{"main_package": null}', '{"main_package": {"package_version": null}}'):
        with open(os.path.join(folder, "pipx_metadata.json"), "w") as file:
            file.write(text)
        assert applications.held(context)["cow"].version == "?"
