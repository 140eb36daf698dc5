"""Every line that safepip can print, as a list in the tree: a new message is seen in review."""

from __future__ import annotations

import ast
import importlib.util
import os

import pytest
from tree import SCRIPTS

_spec = importlib.util.spec_from_file_location("messages", os.path.join(SCRIPTS, "messages.py"))
messages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(messages)


def test_the_list_is_up_to_date():
    """Read each new line once: what happened, why, one command; then `python3 scripts/messages.py --write`."""
    with open(messages.SNAPSHOT, encoding="utf-8") as file:
        assert messages.listing().splitlines() == file.read().splitlines()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('report.say(f"could not read {path}: {why}")', ["could not read {…}: {…}"]),
        ('x = "first line\\nsecond line here"', ["first line", "second line here"]),
        ('x = "one-word"', []),
        ('def f():\n    """Read the words of a line."""\n    return "is gone now"', ["is gone now"]),
    ],
)
def test_a_message_is_a_string_with_two_words(code, found):
    assert sorted(messages.messages(ast.parse(code))) == found
