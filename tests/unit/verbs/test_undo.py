"""What an undo is asked for, and which entry it leads to; that it is carried out is for the tests with real pips."""

from __future__ import annotations

import pytest

from safepip.envs import history
from safepip.errors import USAGE, SafepipError
from safepip.verbs import undo


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ((), (None, None)),
        (("3",), (3, None)),
        (("007",), (7, None)),
        (("1" * 5000,), (111_111_111, None)),
        (("--to", "2"), (None, "2")),
        (("--to=start",), (None, "start")),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_number_of_steps_or_an_id_is_understood(words, asked):
    said = undo.parser().parse_args(words)
    assert (said.count, said.to) == asked


@pytest.mark.parametrize(
    "words",
    [("0",), ("-1",), ("x",), ("1", "2"), ("--to",), ("--to", ""), ("--to=",), ("--to=1", "2"), ("²",), ("٣",)],
)
def test_anything_else_is_wrong_usage(words):
    with pytest.raises(SafepipError) as raised:
        undo.parser().parse_args(words)
    assert (raised.value.code, raised.value.ways) == (USAGE, ("usage: safepip undo [-h] [--to ID] [N]",))


def test_what_is_not_understood_is_shown_short():
    with pytest.raises(SafepipError) as raised:
        undo.parser().parse_args(("x" * 5000,))
    assert len(raised.value.what) < 100


def entry(number, further=""):
    """Return an entry of the history: of an undo to the entry `further`, or of an install."""
    kind = history.UNDO if further else history.PIP
    return history.Entry(id=str(number), time=0, kind=kind, words=("install", "x"), further=further)


ENTRIES = [entry(1), entry(2), entry(3, "1"), entry(4)]


@pytest.mark.parametrize(("count", "aim"), [(1, "1"), (2, history.START)])
def test_steps_are_counted_without_those_taken_back(count, aim):
    assert undo._steps_back(ENTRIES, count, ".venv") == aim


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([], "there is nothing to undo in .venv"),
        (ENTRIES[:1], "there is one step to undo in .venv"),
        (ENTRIES, "there are 2 steps to undo in .venv"),
    ],
)
def test_more_steps_than_there_are_is_told(entries, told):
    with pytest.raises(SafepipError) as raised:
        undo._steps_back(entries, 9, ".venv")
    assert (raised.value.code, raised.value.what) == (USAGE, told)


def test_a_change_with_pipx_is_taken_back_by_pipx():
    one, two = history.State(version="1"), history.State(version="2")
    taken = [
        undo._taken_back(history.Change(name="black", before=before, after=after))
        for before, after in ((None, two), (one, two), (one, None))
    ]
    assert taken == [
        "safepip app uninstall black",
        "safepip app install --force black==1",
        "safepip app install black==1",
    ]
