from __future__ import annotations

import os
import shutil

import pytest

from safepip.registry import known, note

as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def state(home):
    return os.path.join(home, ".local", "state", "safepip")


@pytest.fixture
def made(state, work):
    path = os.path.join(work, ".venv")
    os.mkdir(path)
    note(state, path, "made")
    return path


def records(state):
    folder = os.path.join(state, "environments")
    return [os.path.join(folder, name) for name in os.listdir(folder)]


@pytest.mark.parametrize("how", ["made", "adopted"])
def test_what_was_noted_is_known(state, work, how):
    note(state, work, how)
    assert known(state, work) == how


def test_what_was_noted_last_counts(state, made):
    note(state, made, "adopted")
    assert known(state, made) == "adopted"


def test_nothing_else_is_known(state, made, work):
    assert known(state, work) is None
    assert known(state, os.path.join(work, "missing")) is None


def test_nothing_is_kept_without_a_state(made):
    note(None, made, "made")
    assert known(None, made) is None


def test_what_does_not_exist_is_not_noted(state, work):
    note(state, os.path.join(work, "missing"), "made")
    assert not os.path.exists(state)


def test_lies_in_the_state_and_never_in_the_environment(state, made):
    assert os.listdir(made) == []
    assert len(records(state)) == 1


def test_another_directory_at_the_same_path_is_another_environment(state, made):
    other = made + ".new"
    os.mkdir(other)
    os.rename(made, made + ".old")
    os.rename(other, made)
    assert known(state, made) is None


def test_a_moved_environment_is_no_longer_that_environment(state, made):
    os.rename(made, made + ".moved")
    assert known(state, made + ".moved") is None


def test_a_copied_environment_is_another(state, made):
    shutil.copytree(made, made + ".copy")
    assert known(state, made + ".copy") is None


@pytest.mark.parametrize("text", ["", "made", "safepip-environment-1", "\0\0\0\0made", "x" * 100_000])
def test_a_record_that_is_none_proves_nothing(state, made, text):
    with open(records(state)[0], "w") as file:
        file.write(text)
    assert known(state, made) is None


def test_a_truncated_record_proves_nothing(state, made):
    record = records(state)[0]
    with open(record) as file:
        text = file.read()
    with open(record, "w") as file:
        file.write(text.rpartition("\0")[0])
    assert known(state, made) is None


@as_root
def test_a_record_of_another_user_proves_nothing(state, made):
    os.chown(records(state)[0], 12345, 12345)
    assert known(state, made) is None


def test_a_state_that_cannot_be_written_is_let_be(home, made):
    note("/proc/nothing", made, "made")
    assert known("/proc/nothing", made) is None
