from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from safepip.errors import REFUSED
from safepip.report import Report, shown

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def test_every_line_begins_with_the_name_and_goes_to_stderr(capfd):
    report = Report(debug=True)
    report.say("one fact")
    report.error("what happened", ("one way", "another"))
    report.error("what is refused", ("one way",), code=REFUSED)
    report.debug("what is looked at")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "safepip: one fact",
        "safepip: error: what happened",
        "safepip: one way",
        "safepip: another",
        "safepip: refused: what is refused",
        "safepip: one way",
        "safepip: debug: what is looked at",
    ]


def test_quiet_leaves_nothing_but_errors(capfd):
    report = Report(quiet=True)
    report.say("one fact")
    report.error("what happened")
    report.error("what is refused", code=REFUSED)
    assert capfd.readouterr().err.splitlines() == [
        "safepip: error: what happened",
        "safepip: refused: what is refused",
    ]


def test_the_search_is_told_only_when_asked_for(capfd):
    Report().debug("what is looked at")
    assert capfd.readouterr().err == ""


def test_debug_speaks_even_when_quiet(capfd):
    Report(quiet=True, debug=True).debug("x")
    assert capfd.readouterr().err == "safepip: debug: x\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, with spaces", "plain text, with spaces"),
        ("café … 日本 🐍", "café … 日本 🐍"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("one\ntwo\r\tthree\0", r"one\x0atwo\x0d\x09three\x00"),
        ("\x7f\x85\x9b", r"\x7f\x85\x9b"),
        ("a\u202eb\u2066c\u2069\u200f", r"a\u202eb\u2066c\u2069\u200f"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028paragraph\u2029", r"line\u2028paragraph\u2029"),
        ("caf\udce9", r"caf\udce9"),
        ("\U000e0041\U0010ffff", r"\U000e0041\U0010ffff"),
    ],
)
def test_what_is_no_plain_character_is_escaped(text, expected, capfd):
    assert shown(text) == expected
    Report().say(text)
    assert capfd.readouterr().err == f"safepip: {expected}\n"


def test_a_message_with_a_break_stays_one_line(capfd):
    Report().error("one\nsafepip: two", ("three\rfour",))
    assert len(capfd.readouterr().err.splitlines()) == 2


def test_what_the_stream_cannot_encode_is_escaped(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    Report().say("café …")
    assert capfd.readouterr().err == "safepip: caf\\xe9 \\u2026\n"


def test_a_stream_of_unknown_encoding_is_spoken_to_in_utf8(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    Report().say("café")
    assert capfd.readouterr().err == "safepip: café\n"


def test_without_stderr_nothing_is_said(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stderr", None)
    Report().error("what happened")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("closing", ["2>&-", "2>/dev/full"])
def test_a_stderr_that_takes_nothing_is_let_be(closing):
    code = "import sys; sys.path.insert(0, sys.argv[1]); from safepip.report import Report; Report().error('x'); print(7)"
    line = f'"$0" -I -c "$1" "$2" {closing}'
    said = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, code, ROOT], capture_output=True, text=True, check=True
    )
    assert said.stdout == "7\n"


def test_comes_after_what_python_has_buffered(capfd):
    sys.stderr.write("first\n")
    Report().say("second")
    assert capfd.readouterr().err == "first\nsafepip: second\n"
