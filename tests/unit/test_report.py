from __future__ import annotations

import io
import shlex
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree import TREE

from safepip.errors import REFUSED, shell_quote
from safepip.report import Report, printable, without_credentials, without_secrets


def test_only_the_word_error_is_coloured(capfd):
    report = Report()
    report.colour = True
    report.error("no \x1b[2J", ("way",))
    assert capfd.readouterr().err == "safepip: \x1b[1;31merror\x1b[0m: no \\x1b[2J\nsafepip: way\n"


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
    assert printable(text) == expected
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
        ["/bin/sh", "-c", line, sys.executable, code, TREE], capture_output=True, text=True, check=True
    )
    assert said.stdout == "7\n"


def test_comes_after_what_python_has_buffered(capfd):
    sys.stderr.write("first\n")
    Report().say("second")
    assert capfd.readouterr().err == "first\nsafepip: second\n"


# -- secrets


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("alpha==1.0", "alpha==1.0"),
        ("https://user:secret@x.invalid/simple", "https://x.invalid/simple"),
        ("https://secret@x.invalid/simple", "https://x.invalid/simple"),
        ("--index-url=https://user:secret@x.invalid:8080/s", "--index-url=https://x.invalid:8080/s"),
        ("-ihttps://user:se@cret@x.invalid", "-ihttps://x.invalid"),
        ("https://user:sec/ret@x.invalid/s", "https://x.invalid/s"),
        ("a @ git+https://secret@x.invalid/a.git@main#egg=a", "a @ git+https://x.invalid/a.git@main#egg=a"),
        ("git+ssh://git@github.com/o/r.git@v1", "git+ssh://git@github.com/o/r.git@v1"),
        ("https://x.invalid:8080/a@1.0", "https://x.invalid:8080/a@1.0"),
        ("https://[::1]:80/a@1", "https://[::1]:80/a@1"),
        ("http://a:secret@x http://b:secret@y", "http://x http://y"),
        ("https://x.invalid/?to=https://u:secret@y", "https://x.invalid/?to=https://y"),
        ("file:///home/me@work/a.whl", "file:///home/me@work/a.whl"),
    ],
)
def test_credentials_do_not_stay(word, expected):
    assert without_credentials(word) == expected


@pytest.mark.parametrize(
    ("words", "clean"),
    [
        (["--proxy", "u:secret@p:1", "x"], ["--proxy", "p:1", "x"]),
        (["--proxy=u:secret@p:1"], ["--proxy=p:1"]),
        (
            ["--pip-args=-q --proxy=u:secret@p:1 --index-url=https://u:secret@i/s"],
            ["--pip-args=-q --proxy=p:1 --index-url=https://i/s"],
        ),
        (["--prefix", "a@b"], ["--prefix", "a@b"]),
    ],
)
def test_secrets_do_not_stay_in_a_line(words, clean):
    assert without_secrets(words) == clean


def test_what_is_shown_has_no_credentials():
    assert printable("from https://user:secret@x.invalid/s: gone") == "from https://x.invalid/s: gone"


@given(st.text(max_size=20))
def test_cleaning_a_word_ends(word):
    assert len(without_credentials("http://" + word)) <= len(word) + 11


@pytest.mark.skipif(sys.platform == "win32", reason="another shell")
@given(st.text(max_size=20).filter(lambda word: "\0" not in word))
def test_a_quoted_word_is_that_word_to_a_shell(word):
    assert shlex.split(shell_quote(word)) == [word]
    assert shell_quote(word) == shlex.quote(word)


@pytest.mark.skipif(sys.platform == "win32", reason="another shell")
@pytest.mark.parametrize("word", ["flask", "a b", "it's", "$(x)", "`x`", 'a"b', "a!b", "~x", "*", ";", "", "a\nb"])
def test_a_shell_reads_the_word_again(word):
    line = f"printf %s {shell_quote(word)}"
    assert subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True).stdout == word
