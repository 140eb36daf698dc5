"""The picture of a session: what of a terminal is understood, and that the same output gives the same picture."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tree import SCRIPTS

if sys.platform == "win32":
    pytest.skip("needs pseudo-terminals", allow_module_level=True)

SCRIPT = Path(SCRIPTS, "pictures", "session.py")
_spec = importlib.util.spec_from_file_location("session_svg", SCRIPT)
session = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(session)


def texts(lines):
    return [session.plain(line) for line in lines]


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        pytest.param("a\nb", ["a", "b"], id="lines"),
        pytest.param("loading\rdone", ["doneing"], id="a carriage return writes over"),
        pytest.param("loading\r\x1b[Kdone", ["done"], id="erased to the end"),
        pytest.param("loading\x1b[2K\rdone", ["done"], id="erased whole"),
        pytest.param("ab\bc", ["ac"], id="backspace"),
        pytest.param("\x1b]0;title\x07a\x1b[?2004hb\x1b=c", ["abc"], id="what steers a terminal is not seen"),
        pytest.param("a   \n", ["a", ""], id="no space at the end"),
    ],
)
def test_a_terminal_shows(written, seen):
    assert texts(session.screen(written)) == seen


def test_colours_are_kept():
    ((first, _, third),) = session.screen("\x1b[1;31ma\x1b[39mb\x1b[0mc")
    assert first == ("a", session.Style("31", bold=True))
    assert third == ("c", session.Style())
    assert session.screen("\x1b[92ma")[0][0][1].colour == "32"


def test_of_long_answers_the_end_is_cut_off_but_of_an_installation_the_middle(tmp_path):
    def shown(*lines):
        return texts(session.shown("\r\n".join(("$ x", *lines)).encode(), str(tmp_path), "wheels"))

    assert shown("1", "2", "3", "4") == ["$ x", "1", "2", "3", "4"]
    assert shown("1", "2", "3", "4", "5") == ["$ x", "1", "2", "3", "4", "…"]
    assert shown("1", "2", "3", "4", "Successfully") == ["$ x", "1", "…", "3", "4", "Successfully"]


def test_what_is_of_this_machine_is_not_shown(tmp_path):
    answer = f"$ x\r\nLooking in links: /wheels\r\nProcessing /wheels/a.whl\r\n{tmp_path}/you/blog".encode()
    assert texts(session.shown(answer, str(tmp_path), "/wheels")) == ["$ x", "Processing a.whl", "/home/you/blog"]


def test_the_same_answers_give_the_same_picture_and_it_is_one():
    answers = [session.screen("\x1b[31m<a> & b\x1b[m\n" + "x" * 200)]
    picture = session.draw(answers)
    assert picture == session.draw(answers)
    shown = [text for text in ET.fromstring(picture).itertext() if text.strip()]
    assert "<a> & b" in shown
    assert "x" * 200 in "".join(shown)


@pytest.mark.skipif(not os.path.exists("/bin/bash"), reason="needs bash")
def test_a_real_shell_is_recorded(tmp_path):
    (tmp_path / "safepip").write_text("#!/bin/sh\necho I am $0 in $HOME\n")
    (tmp_path / "safepip").chmod(0o755)
    environ = session.surroundings(str(tmp_path), "wheels", str(tmp_path / "safepip"))
    answers = session.record(("alias pip=safepip", "pip | cat", "cd ..; false"), environ, f"{tmp_path}/you/blog")
    shown = [texts(session.shown(answer, str(tmp_path), "wheels")) for answer in answers]
    said = f"I am {tmp_path}/bin/safepip in /home/you"
    assert shown == [["~/blog $ alias pip=safepip"], ["~/blog $ pip | cat", said], ["~/blog $ cd ..; false"]]


def test_the_picture_tells_nothing_of_the_machine_it_was_made_on():
    text = Path(session.PICTURE).read_text(encoding="utf-8")
    lines = "".join(ET.fromstring(text).itertext())
    assert all(line in lines for line in session.SESSION)
    assert "Successfully installed" in lines
    assert set(re.findall(r"(?<![\w.~])/\w+", lines)) == {"/usr"}
