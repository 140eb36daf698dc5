from __future__ import annotations

import os
import shutil

import pytest

from safepip.registry import ADOPTED, MADE, TRUSTED, Known, everything, forget, known, note

as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def state(home):
    return os.path.join(home, ".local", "state", "safepip")


@pytest.fixture
def made(state, work):
    path = os.path.join(work, ".venv")
    os.mkdir(path)
    note(state, path, MADE)
    return path


def records(state):
    folder = os.path.join(state, "environments")
    return [os.path.join(folder, name) for name in os.listdir(folder)]


@pytest.mark.parametrize("how", [MADE, ADOPTED, TRUSTED])
def test_what_was_noted_is_known(state, work, how):
    note(state, work, how)
    assert known(state, work) == Known(path=work, how=how, index="")


@pytest.mark.parametrize("index", ["", "?", "/p/.git/index 1 2 3\n/caf\udce9 4 5 6"])
def test_the_state_of_gits_index_is_kept(state, work, index):
    note(state, work, ADOPTED, index)
    assert known(state, work) == Known(path=work, how=ADOPTED, index=index)


def test_what_was_noted_last_counts(state, made):
    note(state, made, ADOPTED, "1")
    assert known(state, made) == Known(path=made, how=ADOPTED, index="1")
    note(state, made, TRUSTED)
    assert known(state, made) == Known(path=made, how=TRUSTED, index="")


def test_a_path_of_any_bytes_is_known(state, work):
    path = os.path.join(work, "caf\udce9\n x")
    os.mkdir(path)
    note(state, path, MADE)
    assert known(state, path) == Known(path=path, how=MADE)
    assert [found.path for found in everything(state)] == [path]


def test_nothing_else_is_known(state, made, work):
    assert known(state, work) is None
    assert known(state, os.path.join(work, "missing")) is None


def test_nothing_is_kept_without_a_state(made):
    note(None, made, MADE)
    assert known(None, made) is None
    assert not forget(None, made)
    assert list(everything(None)) == []


def test_what_does_not_exist_is_not_noted(state, work):
    note(state, os.path.join(work, "missing"), MADE)
    note(state, "nul\0in it", MADE)
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
    note("/proc/nothing", made, MADE)
    assert known("/proc/nothing", made) is None


@pytest.mark.parametrize("how", ["", "Made", "signed", "made "])
def test_how_it_came_to_be_known_is_one_of_three(state, made, how):
    note(state, made, how)
    assert known(state, made) is None
    assert list(everything(state)) == []


@pytest.mark.parametrize("field", range(4), ids=["format", "path", "device", "inode"])
def test_every_field_counts(state, made, field):
    record = records(state)[0]
    with open(record) as file:
        fields = file.read().split("\0")
    fields[field] += "1"
    with open(record, "w") as file:
        file.write("\0".join(fields))
    assert known(state, made) is None


# -- forgetting


def test_what_is_forgotten_is_no_longer_known(state, made):
    assert forget(state, made)
    assert known(state, made) is None
    assert records(state) == []
    assert not forget(state, made)


def test_what_is_not_known_cannot_be_forgotten(state, made, work):
    assert not forget(state, work)
    assert not forget(state, os.path.join(work, "missing"))
    assert known(state, made) is not None


def test_what_took_its_place_is_not_forgotten_with_it(state, made):
    os.rename(made, made + ".moved")
    assert not forget(state, made + ".moved")
    assert len(records(state)) == 1


def test_a_record_that_cannot_be_removed_is_said_to_stay(state, made, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refuse)
    assert not forget(state, made)
    assert known(state, made) is not None


# -- all of them


def test_everything_that_is_remembered_is_told(state, made, work):
    note(state, work, ADOPTED, "1")
    assert sorted(everything(state), key=lambda found: found.path) == [
        Known(path=work, how=ADOPTED, index="1"),
        Known(path=made, how=MADE),
    ]


def test_what_is_gone_is_told_too(state, made):
    os.rmdir(made)
    assert list(everything(state)) == [Known(path=made, how=MADE)]


@pytest.mark.parametrize("text", ["", "made", "safepip-environment-1\0/x\0001\0002\0signed\0", "\udcff"])
def test_records_that_are_none_are_left_out(state, made, text):
    with open(os.path.join(state, "environments", "0-0"), "wb") as file:
        file.write(os.fsencode(text))
    os.mkdir(os.path.join(state, "environments", "1-1"))
    assert list(everything(state)) == [Known(path=made, how=MADE)]


def test_before_anything_was_remembered_there_is_nothing(state):
    assert list(everything(state)) == []
