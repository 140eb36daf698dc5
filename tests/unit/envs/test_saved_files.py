"""What --save notes of files, and how they go back."""

from __future__ import annotations

import os
import stat

import pytest
from forked import code_of_child

from safepip.envs import history, saved_files
from safepip.envs.saved_files import Saved
from safepip.system.files import SCRATCH


@pytest.fixture
def place(work):
    os.makedirs(os.path.join(work, ".venv", ".safepip"))
    return os.path.join(work, ".venv")


def entry(number):
    return history.Entry(id=str(number), time=1, kind=history.SAVE, words=("install", "x"))


def note(place, number, before, after, name="requirements.txt"):
    path = os.path.join(os.path.dirname(place), name)
    assert saved_files.note(place, Saved(entry=str(number), path=path, before=before, after=after))


def way_back(place, *numbers):
    return [(one.expected, one.aimed, one.is_edited) for one in saved_files.back(place, list(map(entry, numbers)))]


CONTENTS = [None, b"", b"a\n", b"a\tb%20\r\n\0\x0b", b"\xff\xfe\x00", "é\u2028\n".encode()]


@pytest.mark.parametrize("before", CONTENTS)
@pytest.mark.parametrize("after", CONTENTS)
def test_any_content_is_noted_byte_for_byte(place, before, after):
    note(place, 1, before, after, "a b\t%.txt")
    (found,) = saved_files.read(place)
    assert (found.before, found.after, os.path.basename(found.path)) == (before, after, "a b\t%.txt")


def test_a_project_that_was_moved_takes_its_notes_along(place, work):
    note(place, 1, None, b"a\n")
    os.rename(place, os.path.join(work, "elsewhere"))
    (found,) = saved_files.read(os.path.join(work, "elsewhere"))
    assert found.path == os.path.join(work, "requirements.txt")


def test_changes_one_after_the_other_go_back_to_the_first_content(place):
    note(place, 1, None, b"a")
    note(place, 2, b"a", b"ab")
    assert way_back(place, 1, 2) == [(b"ab", None, False)]
    assert way_back(place, 2) == [(b"ab", b"a", False)]


def test_an_edit_in_between_is_told(place):
    note(place, 1, None, b"a")
    note(place, 2, b"mine", b"mine b")
    assert way_back(place, 1, 2) == [(b"mine b", None, True)]
    note(place, 3, b"mine b", b"mine")
    assert way_back(place, 1, 2, 3) == [(b"mine", None, True)]


def test_a_change_that_was_noted_and_never_made_does_not_count(place):
    note(place, 1, b"", b"a")
    note(place, 2, b"", b"b")
    assert way_back(place, 1, 2) == [(b"b", b"", False)]


def test_torn_lines_are_ignored(place):
    note(place, 1, b"", b"a")
    with open(os.path.join(place, ".safepip", "saved"), "ab") as file:
        file.write(b"2\trequirements.txt\t=a")
    assert [one.entry for one in saved_files.read(place)] == ["1"]


def test_a_file_changes_only_from_the_content_that_is_expected(work):
    path = os.path.join(work, "list.txt")
    assert saved_files.change(path, None, b"a")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    assert not saved_files.change(path, b"other", b"b")
    assert not saved_files.change(path, None, b"b")
    os.chmod(path, 0o604)
    assert saved_files.change(path, b"a", b"b")
    assert (saved_files.content_of(path), stat.S_IMODE(os.stat(path).st_mode)) == (b"b", 0o604)
    assert saved_files.change(path, b"b", None)
    assert os.listdir(work) == []


def test_what_a_killed_command_was_writing_is_removed(work):
    path = os.path.join(work, "list.txt")
    with open(os.path.join(work, f".list.txt{SCRATCH}0123456789abcdef"), "wb") as file:
        file.write(b"half")
    assert saved_files.change(path, None, b"a")
    assert os.listdir(work) == ["list.txt"]


@pytest.mark.parametrize("kind", ["directory", "pipe", "large"])
def test_what_is_not_a_small_file_is_not_read(work, kind):
    path = os.path.join(work, "list.txt")
    if kind == "directory":
        os.mkdir(path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        with open(path, "wb") as file:
            file.truncate(saved_files.LARGEST + 1)
    with pytest.raises(OSError, match="it is"):
        saved_files.content_of(path)


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() != 0, reason="only root can give a file away, and become another"
)
def test_another_users_file_is_not_taken_over(work):
    path = os.path.join(work, "list.txt")
    with open(path, "wb") as file:
        file.write(b"a")
    os.chmod(path, 0o666)
    os.chmod(work, 0o777)
    for folder in (work, os.path.dirname(work), os.path.dirname(os.path.dirname(work))):
        os.chmod(folder, 0o777)

    def change_as_nobody():
        os.setuid(65534)
        try:
            saved_files.change(path, b"a", b"b")
        except OSError as error:
            return 3 if "another user" in str(error) else 4
        return 5

    assert code_of_child(change_as_nobody) in {3, 4}
    assert saved_files.content_of(path) == b"a"
