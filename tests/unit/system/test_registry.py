from __future__ import annotations

import os
import shutil

import pytest

from safepip.core.record import replace
from safepip.system.files import SCRATCH
from safepip.system.registry import (
    ADOPTED,
    MADE,
    TRUSTED,
    Registration,
    discard,
    entries,
    entry,
    entry_of,
    forget,
    measured,
    moved_from,
    note,
    note_use,
    registration,
    size_of,
)

as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")


def everything(state):
    return [found.registration for found in entries(state)]


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
    assert registration(state, work) == Registration(path=work, how=how, index="")


@pytest.mark.parametrize("index", ["", "?", "/p/.git/index 1 2 3\n/caf\udce9 4 5 6"])
def test_the_state_of_gits_index_is_kept(state, work, index):
    note(state, work, ADOPTED, index)
    assert registration(state, work) == Registration(path=work, how=ADOPTED, index=index)


def test_what_was_noted_last_counts(state, made):
    note(state, made, ADOPTED, "1")
    assert registration(state, made) == Registration(path=made, how=ADOPTED, index="1")
    note(state, made, TRUSTED)
    assert registration(state, made) == Registration(path=made, how=TRUSTED, index="")


def test_what_travelled_with_an_environment_tells_nothing_of_it(state, work):
    came = os.path.join(work, "came")
    own = os.path.join(came, ".safepip")
    os.makedirs(os.path.join(own, "satisfied"))
    files = [os.path.join(own, name) for name in ("journal", "damage", "satisfied/1")]
    for path in files:
        open(path, "w").close()
    note(state, came, ADOPTED)
    assert [path for path in files if os.path.lexists(path)] == []
    for path in files:
        open(path, "w").close()
    note(state, came, TRUSTED)  # known by its id: they are its own
    assert all(map(os.path.exists, files))


def test_answers_that_are_a_link_are_not_emptied(state, work):
    came = os.path.join(work, "came")
    os.makedirs(os.path.join(came, ".safepip"))
    open(os.path.join(work, "mine"), "w").close()
    os.symlink(work, os.path.join(came, ".safepip", "satisfied"))
    note(state, came, ADOPTED)
    assert os.path.exists(os.path.join(work, "mine"))


def test_a_path_of_any_bytes_is_known(state, work):
    path = os.path.join(work, "caf\udce9\n x")
    os.mkdir(path)
    note(state, path, MADE)
    assert registration(state, path) == Registration(path=path, how=MADE)
    assert [found.path for found in everything(state)] == [path]


def test_nothing_else_is_known(state, made, work):
    assert registration(state, work) is None
    assert registration(state, os.path.join(work, "missing")) is None


def test_nothing_is_kept_without_a_state(made):
    note(None, made, MADE)
    assert registration(None, made) is None
    assert not forget(None, made)
    assert everything(None) == []


def test_what_does_not_exist_is_not_noted(state, work):
    note(state, os.path.join(work, "missing"), MADE)
    note(state, "nul\0in it", MADE)
    assert not os.path.exists(state)


def test_lies_in_the_state_and_but_an_id_in_the_environment(state, made):
    assert [names for _, _, names in os.walk(made)] == [[], ["id"]]
    assert len(records(state)) == 1


def test_what_a_killed_command_wrote_of_the_id_goes_with_the_next(state, made):
    folder = os.path.join(made, ".safepip")
    os.rename(os.path.join(folder, "id"), os.path.join(folder, f".id{SCRATCH}0123456789abcdef"))
    note(state, made, MADE)
    assert os.listdir(folder) == ["id"]


def test_a_directory_that_got_the_number_of_one_that_was_removed_is_another(state, made):
    """The system gives numbers of directories again, to the next one that is made."""
    os.unlink(os.path.join(made, ".safepip", "id"))
    assert registration(state, made) is None
    with open(os.path.join(made, ".safepip", "id"), "w") as file:
        file.write("guessed")
    assert registration(state, made) is None


def test_another_directory_at_the_same_path_is_another_environment(state, made):
    other = made + ".new"
    os.mkdir(other)
    os.rename(made, made + ".old")
    os.rename(other, made)
    assert registration(state, made) is None


def test_a_moved_environment_is_no_longer_that_environment(state, made):
    os.rename(made, made + ".moved")
    assert registration(state, made + ".moved") is None


def test_a_copied_environment_is_another(state, made):
    shutil.copytree(made, made + ".copy")
    assert registration(state, made + ".copy") is None


@pytest.mark.parametrize("text", ["", "made", "safepip-environment-1", "\0\0\0\0made", "x" * 100_000])
def test_a_record_that_is_none_proves_nothing(state, made, text):
    with open(records(state)[0], "w") as file:
        file.write(text)
    assert registration(state, made) is None


def test_a_truncated_record_proves_nothing(state, made):
    record = records(state)[0]
    with open(record) as file:
        text = file.read()
    with open(record, "w") as file:
        file.write(text.rpartition("\0")[0])
    assert registration(state, made) is None


@as_root
def test_a_record_of_another_user_proves_nothing(state, made):
    os.chown(records(state)[0], 12345, 12345)
    assert registration(state, made) is None


def test_a_state_that_cannot_be_written_is_let_be(home, made):
    note("/proc/nothing", made, MADE)
    assert registration("/proc/nothing", made) is None


@pytest.mark.parametrize("how", ["", "Made", "signed", "made "])
def test_how_it_came_to_be_known_is_one_of_three(state, made, how):
    note(state, made, how)
    assert registration(state, made) is None
    assert everything(state) == []


@pytest.mark.parametrize("field", [0, 1, 3], ids=["format", "path", "inode"])
def test_every_field_counts(state, made, field):
    record = records(state)[0]
    with open(record) as file:
        fields = file.read().split("\0")
    fields[field] += "1"
    with open(record, "w") as file:
        file.write("\0".join(fields))
    assert registration(state, made) is None


# -- forgetting


def test_what_is_forgotten_is_no_longer_known(state, made):
    assert forget(state, made)
    assert registration(state, made) is None
    assert records(state) == []
    assert not forget(state, made)


def test_what_is_not_known_cannot_be_forgotten(state, made, work):
    assert not forget(state, work)
    assert not forget(state, os.path.join(work, "missing"))
    assert registration(state, made) is not None


def test_what_took_its_place_is_not_forgotten_with_it(state, made):
    os.rename(made, made + ".moved")
    assert not forget(state, made + ".moved")
    assert len(records(state)) == 1


def test_a_record_that_cannot_be_removed_is_said_to_stay(state, made, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refuse)
    assert not forget(state, made)
    assert registration(state, made) is not None


# -- all of them


def test_everything_that_is_remembered_is_told(state, made, work):
    note(state, work, ADOPTED, "1")
    assert sorted(everything(state), key=lambda found: found.path) == [
        Registration(path=work, how=ADOPTED, index="1"),
        Registration(path=made, how=MADE),
    ]


def test_what_is_gone_is_told_too(state, made):
    shutil.rmtree(made)
    assert everything(state) == [Registration(path=made, how=MADE)]


@pytest.mark.parametrize("text", ["", "made", "safepip-environment-1\0/x\0001\0002\0signed\0", "\udcff"])
def test_records_that_are_none_are_left_out(state, made, text):
    with open(os.path.join(state, "environments", "0-0"), "wb") as file:
        file.write(os.fsencode(text))
    os.mkdir(os.path.join(state, "environments", "1-1"))
    assert everything(state) == [Registration(path=made, how=MADE)]


def test_before_anything_was_remembered_there_is_nothing(state):
    assert everything(state) == []


# -- the project, which came later


def test_the_project_is_kept(state, work):
    note(state, work, MADE, project="/p")
    assert registration(state, work) == Registration(path=work, how=MADE, project="/p")


def test_a_record_with_more_fields_than_are_known_proves_nothing(state, made):
    with open(records(state)[0], "a") as file:
        file.write("\0project\0more")
    assert registration(state, made) is None


# -- records


def test_a_record_tells_of_its_directory(state, made):
    found = entry(state, made)
    stat = os.stat(made)
    assert (found.registration, found.device, found.inode) == (
        Registration(path=made, how=MADE),
        stat.st_dev,
        stat.st_ino,
    )
    assert (found.file, found.used) == (records(state)[0], os.stat(records(state)[0]).st_mtime)
    assert found == entry_of(state, stat.st_dev, stat.st_ino)
    assert [found] == list(entries(state))


def test_where_there_is_no_record_there_is_none(state, made, work):
    assert entry(state, work) is None
    assert entry(None, made) is None
    assert entry_of(None, 1, 2) is None
    assert entry_of(state, 1, 2) is None
    assert list(entries(None)) == []
    assert list(entries("/dev/null")) == []


@pytest.mark.parametrize("field", [2, 3], ids=["device", "inode"])
def test_a_record_of_no_identity_is_none(state, made, field):
    record = records(state)[0]
    with open(record) as file:
        fields = file.read().split("\0")
    fields[field] = "x"
    with open(record, "w") as file:
        file.write("\0".join(fields))
    assert list(entries(state)) == []


def test_a_record_that_goes_while_it_is_read_has_no_last_use(state, made, monkeypatch):
    """Another command forgets it in that moment."""
    stat, record = os.stat, records(state)[0]

    def gone(path, **how):
        if path == record:
            raise FileNotFoundError(2, "No such file or directory")
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", gone)
    assert [found.used for found in entries(state)] == [0]


def test_a_record_knows_whether_its_directory_is_there(state, made):
    found = entry(state, made)
    assert found.is_there
    os.rename(made, made + ".moved")
    assert not found.is_there
    assert found.is_at(made + ".moved")
    os.mkdir(made)
    assert not found.is_there
    assert not found.is_at("nul\0in it")


# -- one that was moved


def test_one_that_was_moved_is_known_from_when_it_was_elsewhere(state, made):
    os.rename(made, made + ".moved")
    assert moved_from(state, made + ".moved").registration == Registration(path=made, how=MADE)


def test_one_that_stayed_or_was_never_known_was_not_moved(state, made, work):
    assert moved_from(state, made) is None
    assert moved_from(state, work) is None
    assert moved_from(state, f"{work}/missing") is None
    assert moved_from(None, made) is None


def test_another_name_of_one_that_stayed_is_no_move(state, made):
    """As by a link, or a folder mounted twice."""
    os.symlink(made, made + ".link")
    assert moved_from(state, made + ".link") is None


def test_a_record_of_another_directory_tells_of_no_move(state, made, work):
    other = os.path.join(work, "other")
    os.mkdir(other)
    stat = os.stat(other)
    os.rename(records(state)[0], os.path.join(state, "environments", f"{stat.st_dev:x}-{stat.st_ino:x}"))
    assert moved_from(state, other) is None


# -- use, and size


def test_use_is_remembered_by_the_records_time(state, made, work):
    record = records(state)[0]
    os.utime(record, (1, 1))
    assert entry(state, made).used == 1
    note_use(state, made)
    assert entry(state, made).used > 1


def test_use_of_what_is_not_known_is_not_remembered(state, made, work):
    note_use(state, work)
    note_use(state, f"{work}/missing")
    note_use(None, made)
    assert registration(state, work) is None
    assert len(records(state)) == 1


def test_a_size_is_remembered_for_as_long_as_nothing_changed(state, made):
    found = entry(state, made)
    assert size_of(found, "1") is None
    measured(found, "1", 12345, 3)
    assert size_of(found, "1") == (12345, 3)
    assert size_of(found, "2") is None
    measured(found, "2", 0, 3)
    assert (size_of(found, "1"), size_of(found, "2")) == (None, (0, 3))


def test_a_size_is_that_directorys(state, made):
    found = entry(state, made)
    measured(found, "1", 12345, 3)
    assert size_of(replace(found, registration=Registration(path="/elsewhere", how=MADE)), "1") is None


@pytest.mark.parametrize("text", ["", "5", "x", "-5", "7" * 5000])
def test_a_size_that_is_none_is_not_believed(state, made, text):
    found = entry(state, made)
    measured(found, "1", 7, 3)
    (folder,) = (name for name in os.listdir(state) if name != "environments")
    file = os.path.join(state, folder, os.path.basename(found.file))
    with open(file) as opened:
        fields = opened.read().split("\0")
    with open(file, "w") as opened:
        opened.write(text if text in {"", "5"} else "\0".join((*fields[:3], text, "3")))
    assert size_of(found, "1") is None


def test_what_is_discarded_leaves_nothing_behind(state, made):
    found = entry(state, made)
    measured(found, "1", 7, 3)
    assert discard(found)
    assert [names for _, _, names in os.walk(state) if names] == []
    assert discard(found)


def test_a_record_of_what_is_gone_can_be_discarded(state, made):
    found = entry(state, made)
    shutil.rmtree(made)
    assert discard(found)
    assert records(state) == []


# -- records themselves: last use, size, project, moves


def test_a_project_elsewhere_is_remembered(state, made):
    note(state, made, MADE, project="/p")
    assert registration(state, made) == Registration(path=made, how=MADE, project="/p")


def test_the_last_use_is_remembered(state, made):
    os.utime(records(state)[0], (1000, 1000))
    assert entry(state, made).used == 1000
    note_use(state, made)
    assert entry(state, made).used > 10**9


def test_use_of_what_is_not_known_is_not_noted(state, made, work):
    note_use(state, work)
    note_use(state, os.path.join(work, "missing"))
    note_use(None, made)
    assert len(records(state)) == 1


def test_a_size_counts_until_the_next_change(state, made):
    found = entry(state, made)
    assert size_of(found, "1") is None
    measured(found, "1", 4711, 3)
    assert size_of(found, "1") == (4711, 3)
    assert size_of(found, "2") is None
    with open(os.path.join(state, "sizes", os.path.basename(found.file)), "w") as file:
        file.write("rubbish")
    assert size_of(found, "1") is None


def test_a_size_goes_with_its_record(state, made):
    measured(entry(state, made), "1", 4711, 3)
    assert forget(state, made)
    assert os.listdir(os.path.join(state, "sizes")) == []


def test_a_moved_directory_is_recognised_but_not_known(state, made):
    assert moved_from(state, made) is None
    os.rename(made, made + ".moved")
    found = moved_from(state, made + ".moved")
    assert found.registration == Registration(path=made, how=MADE)
    assert not found.is_there
    assert found.is_at(made + ".moved")
    assert registration(state, made + ".moved") is None


def test_another_directory_with_the_same_inode_was_not_moved(state, made):
    """Inodes are used again: the id in the directory tells it from the one that was noted."""
    other = made + ".other"
    os.rename(made, other)
    with open(os.path.join(other, ".safepip", "id"), "w") as file:
        file.write("0" * 32)
    assert moved_from(state, other) is None


def test_a_second_way_to_the_same_directory_is_no_move(state, made):
    os.symlink(made, made + ".link")
    assert moved_from(state, made + ".link") is None


def test_a_record_is_found_by_identity(state, made):
    stat = os.stat(made)
    assert entry_of(state, stat.st_dev, stat.st_ino).registration.path == made
    assert entry_of(state, stat.st_dev, stat.st_ino + 1) is None
    assert entry_of(None, stat.st_dev, stat.st_ino) is None


def test_what_is_gone_can_be_discarded(state, made):
    (found,) = entries(state)
    shutil.rmtree(made)
    assert not found.is_there
    assert discard(found)
    assert list(entries(state)) == []
    assert discard(found)


@pytest.mark.parametrize("identity", ["x", "", "-1"])
def test_a_record_whose_identity_is_none_is_left_out(state, made, identity):
    with open(records(state)[0], "w") as file:
        file.write(f"safepip-environment-1\0{made}\0{identity}\0001\0{MADE}\0\0\0")
    assert list(entries(state)) == []


# -- a file system that has another number since the last reboot or mount


def renumber(state, path, *, identity=True):
    """Make the record of `path` one from when its device had another number."""
    (record,) = records(state)
    with open(record) as file:
        fields = file.read().split("\0")
    fields[2] = "4711"
    fields[7] = fields[7] if identity else ""
    os.unlink(record)
    old = os.path.join(state, "environments", f"{4711:x}-{os.stat(path).st_ino:x}")
    with open(old, "w") as file:
        file.write("\0".join(fields))
    os.utime(old, (1000, 1000))
    return old


def test_an_environment_is_known_though_its_device_has_another_number(state, made):
    measured(entry(state, made), "1", 4711, 3)
    before, sizes = records(state)[0], os.path.join(state, "sizes")
    old = renumber(state, made)
    os.rename(os.path.join(sizes, os.path.basename(before)), os.path.join(sizes, os.path.basename(old)))
    assert [found.is_there for found in entries(state)] == [True]
    assert registration(state, made) == Registration(path=made, how=MADE)
    assert records(state) == [before], "it is noted under the new number, once"
    found = entry(state, made)
    assert (found.device, found.used) == (os.stat(made).st_dev, 1000)
    assert size_of(found, "1") == (4711, 3)
    assert moved_from(state, made) is None
    assert forget(state, made)
    assert [names for _, _, names in os.walk(state) if names] == []


def test_noting_what_was_known_under_another_number_keeps_what_is_its_own(state, made):
    renumber(state, made)
    own = os.path.join(made, ".safepip", "journal")
    open(own, "w").close()
    note(state, made, TRUSTED)
    assert os.path.exists(own)
    assert everything(state) == [Registration(path=made, how=TRUSTED)]


def test_a_change_of_number_that_was_interrupted_is_finished(state, made):
    """The record has its new name, and not yet the new number in it."""
    before = records(state)[0]
    os.rename(renumber(state, made), before)
    assert registration(state, made) == Registration(path=made, how=MADE)
    assert entry(state, made).device == os.stat(made).st_dev


def test_without_its_id_an_environment_stays_bound_to_its_device(state, made):
    renumber(state, made, identity=False)
    assert [found.is_there for found in entries(state)] == [False]
    assert registration(state, made) is None
    assert entry(state, made) is None


@pytest.mark.parametrize("change", ["id", "inode", "path"])
def test_what_an_archive_brings_is_not_taken_for_one_whose_device_has_another_number(state, made, change):
    renumber(state, made)
    path = made
    if change == "id":
        with open(os.path.join(made, ".safepip", "id"), "w") as file:
            file.write("guessed")
    elif change == "inode":
        shutil.copytree(made, made + ".copy")
        os.rename(made, made + ".old")
        os.rename(made + ".copy", made)
    else:
        path = made + ".elsewhere"
        os.rename(made, path)
    assert registration(state, path) is None
    assert [found.is_at(path) for found in entries(state)] == [False]
    assert len(records(state)) == 1


def test_the_listing_of_records_is_read_only_where_none_has_the_number(state, made, monkeypatch):
    monkeypatch.setattr(os, "listdir", None)
    assert registration(state, made) == Registration(path=made, how=MADE)
