"""Requirements that every pip reads alike, and files of them; where there is doubt nothing is said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safepip.envs.requirements import nested


@pytest.mark.parametrize(
    ("content", "files"),
    [
        (b"", []),
        (b"six\nidna==3\n", []),
        (b"# one\n\n  # two\nsix # three\n", []),
        ("# schön\nsix\n".encode(), []),
        (b"six \\\n  >=1\n", []),
        (b"six==1 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\n", []),
        (b"six\r\nidna\ridna\n", []),
        (b"-r a.txt\n--requirement b.txt\n-c c.txt\n--constraint=d.txt\n--requirement=e.txt\n", list("abcde")),
        (b"-r ../a.txt # why\n", ["../a"]),
        (b"-i file\n--index-url=file\n--extra-index-url file\n--trusted-host h\n--no-index\n", []),
        (b"--prefer-binary\n--require-hashes\n--no-binary :all:\n--only-binary six\n", []),
        (b"# a comment does not go on \\\nsix\n", []),
        (b"six#no-comment\n", None),
        (b"six\\", []),
    ],
)
def test_a_plain_file_tells_the_files_that_it_names(content, files):
    found = nested(content)
    assert (found if found is None else [name.removesuffix(".txt") for name in found]) == files


@pytest.mark.parametrize(
    "content",
    [
        b"-e .\n", b"--editable x\n", b".\n", b"./six\n", b"six.whl\n", b"six @ file:///x\n", b"--pre\n", b"six==${V}\n",
        b"# ${V}\n", b"--req a.txt\n", b"-ra.txt\n", b"-r a.txt -c b.txt\n", b"-r 'a.txt'\n", b"-r a\\ b.txt\n",
        b"-r file:a.txt\n", b"-r\n", b"--requirement=\n", b"-r -c\n", b"--use-feature x\n", b"--find-links x\n",
        b"six --config-settings a=b\n", b"six --hash=md5:ab\n", b"six --hash=sha256:\n", b"\xef\xbb\xbfsix\n", b"six\x0c",
        b"six\x0b-r a.txt\n", b"# \xe2\x80\xa8-r a.txt\n", b"# \xc2\x85-r a.txt\n", b"# coding: latin-1\nsix\n",
        b"#\n# vim: set fileencoding=utf-16 :\n", b"\xff\xfes\x00", b"# \xe4\nsix\n", b"\0", b"six\x1c", b"--no-index x\n",
        b"-i 'file'\n", b"--index-url\n", b"-- six\n",
    ],
)  # fmt: skip
def test_where_there_is_doubt_nothing_is_said(content):
    assert nested(content) is None


@given(st.binary(max_size=200))
@settings(max_examples=300, derandomize=True, deadline=None)
def test_no_bytes_are_too_odd(content):
    found = nested(content)
    assert found is None or all(name and not name.startswith("-") for name in found)
