"""No damaged or made-up input ends in an error, a wait, or another place: a short form of scripts/torture.py fuzz."""

from __future__ import annotations

import sys

import pytest
from tree import SCRIPTS

sys.path.insert(0, SCRIPTS)
try:
    from _torture.fuzz import hunt
    from _torture.readers import READERS
finally:
    sys.path.remove(SCRIPTS)


@pytest.mark.skipif(sys.platform == "win32", reason="places and modes of POSIX")
@pytest.mark.parametrize("name", READERS)
def test_nothing_read_ends_in_an_error(name, work):
    tried, wrong = hunt(name, READERS[name], work, examples=50, seed=1)
    assert wrong == ""
    assert tried >= 10  # what is read, is read often
