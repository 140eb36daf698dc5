"""What an undo is asked for, and which entry it leads to; that it is carried out is for the tests with real pips."""

from __future__ import annotations

import os

import pytest

from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.envs import history
from safepip.errors import USAGE, SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.observe import Context, ambient
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
    changes = (history.Change(name=f"x{number}", before=None, after=history.State(version="1")),)
    return history.Entry(
        id=str(number), time=0, kind=kind, words=("install", "x"), further=further, changes=changes
    )


ENTRIES = [entry(1), entry(2), entry(3, "1"), entry(4)]


def undone(environment, entries, count):
    """Undo `count` steps of these entries; return the exit code."""
    os.makedirs(os.path.join(environment, ".safepip"), exist_ok=True)
    context = Context(Invocation(words=("undo",)), replace(ambient(), cwd=os.path.dirname(environment)))
    registry.note(context.state, environment, registry.MADE)
    for one in entries:
        history.append(environment, one)
    return undo.main((str(count),), context, Report(quiet=True))


@pytest.mark.parametrize(("count", "aim"), [(1, "1"), (2, history.START)])
def test_steps_are_counted_without_those_taken_back(environment, count, aim):
    assert undone(environment, ENTRIES, count) == 0
    assert history.read(environment)[-1].further == aim


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([], "there is nothing to undo in .venv"),
        (ENTRIES[:1], "there is one step to undo in .venv"),
        (ENTRIES, "there are 2 steps to undo in .venv"),
    ],
)
def test_more_steps_than_there_are_is_told(environment, entries, told):
    with pytest.raises(SafepipError) as raised:
        undone(environment, entries, 9)
    assert (raised.value.code, raised.value.what) == (USAGE, told)
