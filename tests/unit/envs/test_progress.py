"""A line that tells how far long work is, and is gone when it is done."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios
import threading
import types

import pytest
from tree import TREE

from safepip.envs.progress import downloaded, shown_while
from safepip.report import Report


def at(platform="linux", **environ):
    return types.SimpleNamespace(ambient=types.SimpleNamespace(environ=environ, platform=platform))


def screen(written):
    """Return the lines that a terminal shows in the end."""
    lines = [""]
    column = 0
    for char in written:
        if char == "\n":
            lines.append("")
        column = 0 if char in "\r\n" else column + 1
        if char not in "\r\n":
            lines[-1] = lines[-1][: column - 1].ljust(column - 1) + char + lines[-1][column:]
    return [line.rstrip() for line in lines]


def waiting_for(times):
    """Give words that say that they were asked for, and something to wait for that."""
    asked = threading.Event()
    seen = []

    def doing():
        seen.append(1)
        if len(seen) == times:
            asked.set()
        return f"{len(seen)} done"

    return doing, asked


@pytest.mark.parametrize(
    "variables",
    [{"TERM": "vt100"}, {"TERM": "xterm", "NO_COLOR": "1"}, {"platform": "win32"}],
    ids=["plain", "no colour", "Windows"],
)
def test_it_is_written_again_and_gone_in_the_end(capfd, variables):
    report = Report(terminal=True)
    doing, asked = waiting_for(2)
    report.say("before")
    with shown_while(doing, at(**variables), report, soon=0.0):
        assert asked.wait(20)
    report.say("after")
    written = capfd.readouterr().err
    assert "\rsafepip: 1 done (0 s)\rsafepip: 2 done (" in written
    assert screen(written) == ["safepip: before", "safepip: after", ""]
    assert "\x1b" not in written


def test_what_is_said_meanwhile_stands_alone(capfd):
    report = Report(terminal=True)
    report.passing("something that is rather long")
    report.error("x")
    report.passing("short")
    report.passing("")
    report.passing("")
    assert screen(capfd.readouterr().err) == ["safepip: error: x", ""]


@pytest.mark.parametrize(
    ("report", "variables"),
    [
        (Report(), {"TERM": "xterm"}),
        (Report(terminal=True, quiet=True), {"TERM": "xterm"}),
        (Report(terminal=True), {"TERM": "dumb"}),
        (Report(terminal=True), {}),
    ],
    ids=["piped", "quiet", "dumb", "no TERM"],
)
def test_nobody_looks_on(capfd, report, variables):
    doing, asked = waiting_for(1)
    with shown_while(doing, at(**variables), report, soon=0.0):
        assert not asked.wait(0.3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("columns", "shown"), [(20, "safepip: 12345678901"[:19]), (0, "safepip: 12345678901234")])
def test_a_line_is_cut_where_the_terminal_is_narrow(columns, shown):
    primary, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    code = "from safepip.report import Report; Report().passing('12345678901234')"
    subprocess.run([sys.executable, "-c", code], check=True, stderr=terminal, cwd=TREE)
    assert os.read(primary, 1000).decode() == "\r" + shown


def test_what_is_done_soon_shows_nothing(capfd):
    with shown_while("x", at(TERM="xterm"), Report(terminal=True), soon=60.0):
        pass
    assert capfd.readouterr().err == ""


def test_what_goes_wrong_takes_it_away(capfd):
    doing, asked = waiting_for(1)
    work = shown_while(doing, at(TERM="xterm"), Report(terminal=True), soon=0.0)
    work.__enter__()
    assert asked.wait(20)
    assert not work.__exit__(KeyError, KeyError("x"), None)
    assert screen(capfd.readouterr().err) == [""]


def test_packages_are_counted_by_their_wheels(work):
    for name in ("a-1.whl", "b-1.whl", "pip-1.whl", "c-1.tar.gz"):
        with open(os.path.join(work, name), "w"):
            pass
    assert downloaded(work, 5) == "3 of 5 packages are here"
    assert downloaded(work, 2) == "2 of 2 packages are here"
    assert downloaded(os.path.join(work, "gone"), 2) == "0 of 2 packages are here"
