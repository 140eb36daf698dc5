from __future__ import annotations

import contextlib
import os
import random
import re
import time

import pytest

from safepip.envs.script_block import read_block, unclosed_block
from safepip.errors import SafepipError

# The reference of PEP 723.
REFERENCE = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
LINES = ("# /// script", "# ///", "#", "# x = 1", "# /// other", "#y", "", "print()", "# /// script ")


def put(work, text):
    path = os.path.join(work, "script.py")
    with open(path, "wb") as file:
        file.write(text.encode() if isinstance(text, str) else text)
    return path


def blocks(text):
    return [found for found in REFERENCE.finditer(text) if found["type"] == "script"]


@pytest.mark.parametrize("seed", range(200))
def test_blocks_are_those_of_the_reference(work, seed):
    drawn = random.Random(seed)
    text = "\n".join(drawn.choices(LINES, k=drawn.randint(1, 14))) + "\n"
    expected = blocks(text)
    path = put(work, text)
    if not expected:
        assert read_block(path) is None
        return
    if len(expected) > 1:
        with pytest.raises(SafepipError, match="a second block of this type"):
            read_block(path)
        return
    found = None
    with contextlib.suppress(SafepipError):  # what stands in it is not TOML
        found = read_block(path)
    assert found is None or found.line == text.count("\n", 0, expected[0].start()) + 1


def test_a_block_without_an_end_is_told_from_none(work):
    assert unclosed_block(put(work, "\n# /// script\n# x = 1\nprint()\n")) == 2
    assert unclosed_block(put(work, "# /// other\n# x = 1\n")) is None
    assert unclosed_block(put(work, "# /// script\n# x = 1\n# ///\n")) is None


def test_very_many_beginnings_are_read_in_good_time(work):
    began = time.monotonic()
    assert read_block(put(work, "# /// script\n" * 100_000)) is None
    assert time.monotonic() - began < 20


def test_requirements_are_one_way_of_writing(work):
    text = '# /// script\n# dependencies = ["B_c[Y,x] >= 1 , <2", "a.zip", "a.zip"]\n# requires-python = ">=3.8"\n# ///\n'
    found = read_block(put(work, text))
    assert found.requirements == ("a-zip", "b-c[x,y]<2,>=1")
    assert str(found.python) == ">=3.8"


def test_lines_end_as_python_reads_them(work):
    text = b"\xef\xbb\xbf# /// script\r\n# dependencies = ['a']\r# ///\nprint()\n"
    assert read_block(put(work, text)).requirements == ("a",)
    latin = b"# coding: latin-1\n# /// script\n# dependencies = []\n# ///\nprint('\xe9')\n"
    assert read_block(put(work, latin)).line == 2
    assert read_block(put(work, latin.replace(b"latin-1", b"utf-8"))) is None
