from __future__ import annotations

import contextlib
import errno
import io
import os
import subprocess
import sys

import pytest

from safepip.envs.lock import LOCK, acquire
from safepip.errors import LOCK_TIMEOUT, SafepipError
from safepip.report import Report

fcntl = pytest.importorskip("fcntl")


class Time:
    """A clock that moves only when someone sleeps; `after` seconds pass, then `happens` once."""

    def __init__(self, after=None, happens=None):
        self.now = 100.0
        self.due = None if after is None else self.now + after
        self.happens = happens

    def clock(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds
        assert self.now < 1000, "waits for ever"
        if self.due is not None and self.now >= self.due:
            self.due = None
            self.happens()


class Heard(Report):
    """Keeps what is said."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def say(self, line):
        self.lines.append(line)


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def lock(work, heard):
    """Acquire the lock of the working directory; give back what is still held at the end."""
    held = []

    def lock(timeout=None, time=None):
        time = time or Time()
        descriptor = acquire(work, timeout, heard, time.sleep, time.clock)
        if descriptor is not None:
            held.append(descriptor)
        return descriptor

    yield lock
    for descriptor in held:
        with contextlib.suppress(OSError):  # the test closed it
            os.close(descriptor)


@pytest.fixture
def other(work):
    """Another command that holds the lock; call it to let go."""
    descriptor = os.open(os.path.join(work, LOCK), os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    def let_go():
        nonlocal descriptor
        if descriptor is not None:
            os.close(descriptor)
            descriptor = None

    yield let_go
    let_go()


def is_free(work):
    descriptor = os.open(os.path.join(work, LOCK), os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


# -- held


def test_holds_the_file_that_uv_locks(lock, work, heard):
    descriptor = lock()
    assert os.path.samestat(os.fstat(descriptor), os.stat(os.path.join(work, ".lock")))
    assert not is_free(work)
    os.close(descriptor)
    assert is_free(work)
    assert heard.lines == []


def test_a_file_that_is_there_is_left_as_it_is(lock, work):
    path = os.path.join(work, LOCK)
    with open(path, "w") as file:
        file.write("of another tool's")
    os.chmod(path, 0o666)
    lock()
    with open(path) as file:
        assert (file.read(), os.stat(path).st_mode & 0o777) == ("of another tool's", 0o666)


def test_survives_an_exec_and_vanishes_with_the_process(lock, work):
    descriptor = lock()
    assert os.get_inheritable(descriptor)
    code = "import sys; print('here', flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", code], close_fds=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout.readline() == b"here\n"
        os.close(descriptor)
        assert not is_free(work)
    assert is_free(work)


def test_vanishes_with_a_process_that_is_killed(lock, work):
    descriptor = lock()
    with subprocess.Popen(["/bin/sh", "-c", "kill -9 $$"], close_fds=False):
        os.close(descriptor)
    assert is_free(work)


# -- busy


def test_waits_until_the_other_ends(lock, other, heard):
    assert lock(time=Time(0.5, other)) is not None
    assert heard.lines == []


def test_tells_after_a_second_and_only_once(lock, other, heard, work):
    assert lock(time=Time(5, other)) is not None
    (line,) = heard.lines
    assert line.startswith(f"waiting for another command in {work} to end")


def test_tells_not_before_a_second(lock, other, heard):
    lock(time=Time(0.9, other))
    assert heard.lines == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc/locks")
def test_tells_who_is_waited_for_where_the_system_does(lock, other, heard):
    lock(time=Time(2, other))
    with open("/proc/locks") as file:
        told = str(os.getpid()) in file.read()
    assert (f"(process {os.getpid()}: " in heard.lines[0]) or not told


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (b"/e/bin/python\0/x/runner/runner.py\0install\0six\0", "(process 4711: pip install six)"),
        (b"/usr/bin/uv\0pip\0sync\0", "(process 4711: /usr/bin/uv pip sync)"),
        (b"x" * 100, f"(process 4711: {'x' * 60})"),
        (b"", "(process 4711)"),
        (None, "(process 4711)"),
    ],
)
def test_tells_what_is_waited_for_as_it_was_typed(lock, other, heard, work, monkeypatch, command, shown):
    inode = os.stat(os.path.join(work, LOCK)).st_ino
    rows = (
        f"1: POSIX  ADVISORY  WRITE 1 08:01:{inode} 0 EOF\n"
        f"2: FLOCK  ADVISORY  WRITE 2 08:01:{inode + 1} 0 EOF\n"
        f"3: -> FLOCK  ADVISORY  WRITE 3 08:01:{inode} 0 EOF\n"
        f"4: FLOCK  ADVISORY  WRITE 4711 08:01:{inode} 0 EOF\n"
    )

    def open_(path, *_mode, **_options):
        if path == "/proc/locks":
            return io.StringIO(rows)
        if command is None:
            raise FileNotFoundError(path)
        assert path == "/proc/4711/cmdline"
        return io.BytesIO(command)

    monkeypatch.setattr("safepip.envs.lock.open", open_, raising=False)
    lock(time=Time(2, other))
    assert heard.lines == [f"waiting for another command in {work} to end {shown}"]


def test_says_nothing_of_whom_it_waits_for_where_the_system_does_not_tell(lock, other, heard, work, monkeypatch):
    def open_(path, *_mode, **_options):
        raise FileNotFoundError(path)

    monkeypatch.setattr("safepip.envs.lock.open", open_, raising=False)
    lock(time=Time(2, other))
    assert heard.lines == [f"waiting for another command in {work} to end"]


@pytest.mark.parametrize("timeout", [0, 0.01, 3, 30.0])
def test_gives_up_after_the_timeout(lock, other, timeout, work, heard):
    time = Time()
    with pytest.raises(SafepipError) as error:
        lock(timeout, time)
    assert error.value.code == LOCK_TIMEOUT == 75
    assert error.value.what.startswith(f"{work} has been in use by another command for {timeout:.0f} s")
    assert "lock-timeout" in error.value.ways[0]
    assert timeout <= time.now - 100 < timeout + 0.2
    assert len(heard.lines) == (timeout > 1)


def test_what_was_opened_is_closed_when_giving_up(lock, other):
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(SafepipError):
        lock(1)
    assert len(os.listdir("/dev/fd")) == before


# -- replaced


def test_a_file_that_was_replaced_while_waiting_is_tried_again(lock, other, work):
    """After `--clear` of another tool, a lock on the old file holds nothing."""

    def replace():
        os.unlink(os.path.join(work, LOCK))
        other()

    descriptor = lock(time=Time(0.5, replace))
    assert os.path.samestat(os.fstat(descriptor), os.stat(os.path.join(work, LOCK)))


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_file_that_was_replaced_between_opening_and_locking_is_tried_again(lock, work, monkeypatch, how):
    path = os.path.join(work, LOCK)
    real, opened = os.open, []

    def racing(name, *rest):
        descriptor = real(name, *rest)
        if name == path and not opened:
            opened.append(name)
            os.unlink(path)
            if how == "replaced":
                os.close(real(path, os.O_CREAT | os.O_RDWR))
        return descriptor

    monkeypatch.setattr(os, "open", racing)
    descriptor = lock()
    assert os.path.samestat(os.fstat(descriptor), os.stat(path))
    assert not is_free(work)


# -- where there can be none


def test_a_link_is_not_followed(lock, work, home):
    os.symlink(os.path.join(home, "elsewhere"), os.path.join(work, LOCK))
    assert lock() is None
    assert not os.path.exists(os.path.join(home, "elsewhere"))


def test_a_link_to_a_file_is_not_followed_either(lock, work, home):
    with open(os.path.join(home, "elsewhere"), "w"):
        pass
    os.symlink(os.path.join(home, "elsewhere"), os.path.join(work, LOCK))
    assert lock() is None


def test_a_fifo_is_not_waited_for(lock, work):
    os.mkfifo(os.path.join(work, LOCK))
    assert lock() is None


def test_a_directory_is_none(lock, work):
    os.mkdir(os.path.join(work, LOCK))
    assert lock() is None


def test_an_environment_that_is_gone_has_none(lock, work):
    os.rmdir(work)
    assert lock() is None


def test_a_file_that_may_only_be_read_is_locked(lock, work):
    path = os.path.join(work, LOCK)
    with open(path, "w"):
        pass
    os.chmod(path, 0o444)
    assert lock() is not None
    assert not is_free_to_read(path)


def is_free_to_read(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_place_that_may_only_be_read_has_none(lock, work):
    os.chmod(work, 0o555)
    try:
        assert lock() is None
    finally:
        os.chmod(work, 0o755)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_file_system_without_locks_is_told_and_worked_on(lock, heard, work, monkeypatch, number):
    def refuse(*_args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = len(os.listdir("/dev/fd"))
    assert lock() is None
    assert len(os.listdir("/dev/fd")) == before
    assert heard.lines == [
        f"{os.path.join(work, LOCK)} cannot be locked ({os.strerror(number)}); going on without a lock"
    ]


def test_windows_has_none(lock, monkeypatch, work):
    monkeypatch.setattr("safepip.envs.lock.os.name", "nt")
    assert lock() is None
    assert os.listdir(work) == []
