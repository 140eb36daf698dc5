from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from safepip.actions import pipx
from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.envs import journal
from safepip.errors import NO_PIPX, SafepipError
from safepip.report import Report
from safepip.shells import links
from safepip.system.files import SCRATCH, make_folder, recall, remember, replace_file, replace_link, sweep
from safepip.system.observe import Context, ambient

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(home):
    return os.path.join(home, ".cache", "safepip", "interpreters", "1-2")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_what_was_remembered_is_recalled(path):
    remember(path, "caf\udce9\0one\n")
    assert recall(path) == "caf\udce9\0one\n"


def test_what_was_remembered_last_counts(path):
    remember(path, "a long text")
    remember(path, "short")
    assert recall(path) == "short"


def test_nothing_is_recalled_where_there_is_nothing(path):
    assert recall(path) is None


def test_a_file_is_the_users_alone(path):
    os.umask(0)
    remember(path, "x")
    assert mode(path) == 0o600
    assert mode(os.path.dirname(path)) == 0o700


def test_safepips_own_folder_is_the_users_alone(path):
    remember(path, "x")
    assert mode(os.path.dirname(os.path.dirname(path))) == 0o700


def test_a_folder_is_the_users_alone_with_all_that_is_made_above_it(home):
    os.umask(0)
    make_folder(os.path.join(home, "a", "b", "c"))
    assert [mode(os.path.join(home, name)) for name in ("a", "a/b", "a/b/c")] == [0o700] * 3
    assert os.umask(0o022) == 0


def test_a_folder_that_is_there_stays_as_it_is(home):
    os.mkdir(os.path.join(home, "a"), 0o755)
    make_folder(os.path.join(home, "a", "b"))
    assert (mode(os.path.join(home, "a")), mode(os.path.join(home, "a", "b"))) == (0o755, 0o700)
    make_folder(os.path.join(home, "a"))
    assert mode(os.path.join(home, "a")) == 0o755


def test_a_folder_that_cannot_be_made_leaves_the_mask_as_it_was():
    os.umask(0o027)
    with pytest.raises(OSError, match="Not a directory"):
        make_folder("/dev/null/x/y")
    assert os.umask(0o022) == 0o027


def test_two_writers_do_not_meet(path, monkeypatch):
    """Each writes to a name that nobody can foretell; the one that renames last counts."""
    names = []
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: names.append(old) or rename(old, new))
    remember(path, "x")
    remember(path, "y")
    assert len(set(names)) == 2
    assert {os.path.dirname(name) for name in names} == {os.path.dirname(path)}
    assert recall(path) == "y"


def test_a_full_disk_leaves_the_old_text_and_nothing_else(path, monkeypatch):
    remember(path, "old")

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    remember(path, "new")
    assert (recall(path), os.listdir(os.path.dirname(path))) == ("old", ["1-2"])


def test_nothing_but_the_file_is_left(path):
    remember(path, "x")
    remember(path, "y")
    assert os.listdir(os.path.dirname(path)) == ["1-2"]


def test_is_written_beside_and_renamed(path):
    """A reader with the old file open goes on reading the old text."""
    remember(path, "old")
    with open(path) as file:
        remember(path, "new")
        assert file.read() == "old"


def test_replaces_a_link_and_not_what_it_points_at(path, home):
    os.makedirs(os.path.dirname(path))
    other = os.path.join(home, "other")
    with open(other, "w") as file:
        file.write("mine")
    os.symlink(other, path)
    remember(path, "x")
    assert (recall(path), os.path.islink(path), recall(other)) == ("x", False, "mine")


def test_follows_no_link_when_recalling(path, home):
    remember(path, "x")
    link = os.path.join(home, "link")
    os.symlink(path, link)
    assert recall(link) is None


@as_root
def test_does_not_recall_what_another_user_wrote(path):
    remember(path, "x")
    os.chown(path, 12345, 12345)
    assert recall(path) is None


def test_a_fifo_or_a_directory_is_nothing_and_nobody_is_waited_for(home):
    os.mkfifo(os.path.join(home, "fifo"))
    assert not recall(os.path.join(home, "fifo"))
    assert recall(home) is None


@pytest.mark.parametrize("bad", ["/dev/null/x/y", "/proc/safepip/x", "nul\0x/y"])
def test_what_cannot_be_written_is_let_be(bad):
    remember(bad, "x")
    assert recall(bad) is None


def test_a_folder_in_the_way_is_let_be(path):
    os.makedirs(os.path.join(path, "inner"))
    remember(path, "x")
    assert recall(path) is None


def test_a_write_that_fails_leaves_nothing_behind(path):
    os.makedirs(os.path.join(path, "inner"))
    remember(path, "x")
    assert os.listdir(os.path.dirname(path)) == ["1-2"]


def test_what_a_killed_writer_left_stops_nobody(path):
    os.makedirs(os.path.dirname(path))
    with open(f"{path}.{os.getpid()}", "w"):
        pass
    remember(path, "x")
    assert recall(path) == "x"


def look_for_pipx_in_vain(data):
    around = replace(ambient(), environ={"PATH": "/nowhere"})
    context = Context(Invocation(words=()), around, state=data, data=None)
    with pytest.raises(SafepipError) as failed:
        pipx.become(("list",), context, Report(), alone=True)
    assert failed.value.code == NO_PIPX


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
@pytest.mark.parametrize(
    "make",
    [
        links.refresh,
        lambda data: journal.write(os.path.join(data, "more", "journal"), []),
        look_for_pipx_in_vain,
    ],
    ids=["links", "journal", "pipx"],
)
def test_all_folders_that_are_made_on_the_way_are_the_users_alone(home, make):
    data = os.path.join(home, "a", "b", "c")
    make(data)
    for folder in ("a", "a/b", "a/b/c"):
        assert os.stat(os.path.join(home, folder)).st_mode & 0o777 == 0o700


# -- the one writer


@pytest.fixture
def rc(home):
    """A file of the user's that others must not read."""
    path = os.path.join(home, ".bashrc")
    with open(path, "w") as file:
        file.write("secret\n")
    os.chmod(path, 0o600)
    return path


def test_a_file_has_the_rights_of_the_original_from_the_first_moment(rc, monkeypatch):
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: seen.append(mode(old)) or replace(old, new))
    replace_file(rc, b"more\n", like=rc)
    os.chmod(rc, 0o644)
    replace_file(rc, b"more\n", like=rc)
    assert (seen, mode(rc)) == ([0o600, 0o644], 0o644)


@as_root
def test_a_file_keeps_its_owner(rc):
    os.chown(rc, 2002, 2002)
    replace_file(rc, b"more\n", like=rc)
    assert (os.stat(rc).st_uid, os.stat(rc).st_gid, mode(rc)) == (2002, 2002, 0o600)


@pytest.mark.parametrize("call", ["replace", "fsync", "fchmod"])
def test_a_failed_write_leaves_the_original_and_no_scratch_file(rc, home, monkeypatch, call):
    def fail(*_args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="Input/output"):
        replace_file(rc, b"new")
    with open(rc) as file:
        assert file.read() == "secret\n"
    assert sorted(os.listdir(home)) == [".bashrc", "work"]


def test_a_link_is_replaced_by_rename(home):
    path = os.path.join(home, "pip")
    for target in ("/one", "/two"):
        replace_link(path, target)
        assert os.readlink(path) == target
    assert sorted(os.listdir(home)) == ["pip", "work"]


@pytest.mark.skipif(os.name == "nt", reason="there are no such locks")
def test_scratch_files_of_killed_writers_are_swept_and_those_in_use_stay(rc, home):
    code = "import os, sys; sys.path.insert(0, sys.argv[1]); from safepip.system import files; "
    code += (
        "files.os.replace = lambda old, new: (print(flush=True), input()); files.replace_file(sys.argv[2], b'x')"
    )
    argv = [sys.executable, "-c", code, TREE, rc]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        os.symlink("/gone", os.path.join(home, f".pip{SCRATCH}0123"))
        sweep(home)
        assert sum(SCRATCH in name for name in os.listdir(home)) == 1
        process.kill()
    sweep(home)
    assert sorted(os.listdir(home)) == [".bashrc", "work"]


def test_only_scratch_files_of_a_named_file_are_swept(tmp_path):
    names = (f".rc{SCRATCH}1", f".rc.local{SCRATCH}1", "rc")
    for name in names:
        (tmp_path / name).touch()
    sweep(str(tmp_path), "rc")
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:])
    sweep(str(tmp_path))
    assert os.listdir(tmp_path) == ["rc"]
