"""Which environment is in force, and what is said of one that cannot be used."""

from __future__ import annotations

import os

import pytest

from safepip.core.invocation import Invocation
from safepip.core.world import ABSENT, BROKEN, FOREIGN, NOWHERE, UNFINISHED, UNTRUSTED, USABLE, Environment
from safepip.envs import exchange
from safepip.envs.in_force import in_force, usable
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, REFUSED, SafepipError
from safepip.report import Report
from safepip.system.observe import Context, ambient
from safepip.verbs import env, history, run, shell, undo

MAKE = ("make it by installing something: safepip install …",)
REPAIR = "rebuild it with the same packages: safepip env repair"
ELSEWHERE = 'to keep yours elsewhere: SAFEPIP_ENV=DIR, or env-dir = "central" in your config.toml'
STATES = [
    pytest.param(ABSENT, "", False, NO_ENVIRONMENT, "there is no .venv here yet", MAKE, id="absent"),
    pytest.param(UNFINISHED, "", False, NO_ENVIRONMENT, "there is no .venv here yet", MAKE, id="unfinished"),
    pytest.param(BROKEN, "is old", False, NO_ENVIRONMENT, ".venv is old", (REPAIR,), id="broken"),
    pytest.param(BROKEN, "is odd", True, NO_ENVIRONMENT, ".venv is odd", (ELSEWHERE, REPAIR), id="another system's"),
    pytest.param(FOREIGN, "is hers", False, REFUSED, ".venv is hers", (ELSEWHERE,), id="foreign"),
    pytest.param(NOWHERE, "no home", False, CANNOT_CREATE, "no home", ("name a place: SAFEPIP_ENV=DIR",), id="nowhere"),
    pytest.param(
        UNTRUSTED, "is tracked", False, REFUSED, ".venv is tracked",
        ("if you trust it: safepip env trust .venv",), id="untrusted",
    ),
]  # fmt: skip


def at(work, state, reason="", other_system=False):
    """A context in which the environment of the place is in that state."""
    path = "" if state == NOWHERE else os.path.join(work, ".venv")
    found = Environment(path=path, known_as=path, state=state, reason=reason, other_system=other_system)
    known = {
        "place": found,
        "named_environment": None,
        "active": None,
        "sudo_user": None,
        "may_repair": lambda _found: True,
    }
    return Context(Invocation(words=()), ambient(), **known)


def test_what_is_usable_is_in_force(work):
    context = at(work, USABLE)
    assert usable(context, Report()) is in_force(context) is context.place


def test_one_whose_rebuild_was_killed_comes_back(work, monkeypatch):
    path = os.path.join(work, ".venv")
    os.makedirs(os.path.join(path, "bin"))
    context = at(work, ABSENT)
    begun = exchange.begin(path, None, context)
    os.rename(path, begun.aside)
    examined = Environment(path=path, known_as=path, state=USABLE)
    monkeypatch.setattr(Context, "examine", lambda _self, _path, **_how: examined)
    assert usable(context, Report()) is examined
    assert os.listdir(path) == ["bin"], "the old one"
    assert not os.path.lexists(begun.aside)


def test_a_named_one_goes_before_an_active_one_and_that_before_the_place(work):
    named, active = (Environment(path=name, known_as=name, state=ABSENT) for name in ("/named", "/active"))
    context = at(work, USABLE)
    context.active = active
    assert in_force(context) is active
    context.named_environment = ("--env", named)
    assert in_force(context) is named


@pytest.mark.parametrize(("state", "reason", "other_system", "code", "what", "ways"), STATES)
@pytest.mark.parametrize(
    "word", [run, shell, history, undo, env], ids=lambda word: word.__name__.rpartition(".")[2]
)
def test_every_word_says_the_same_of_a_state(work, word, state, reason, other_system, code, what, ways):
    words = {run: ("x",), env: ("path",)}.get(word, ())
    if word is env and state in {ABSENT, UNFINISHED, BROKEN}:  # whose path is known all the same
        words = ("create",) if state == BROKEN else ("info", "missing")
        what = what.replace(".venv here", "missing here")
    with pytest.raises(SafepipError) as failed:
        word.main(words, at(work, state, reason, other_system), Report())
    assert (failed.value.code, failed.value.what, failed.value.ways) == (code, what, ways)
