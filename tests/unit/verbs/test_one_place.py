"""One place to add a thing: a row of a table appears wherever people look for it."""

from __future__ import annotations

import os
import sys
import types

import pytest

from safepip.core.invocation import VERBS, Invocation, read_invocation
from safepip.core.pip_line import read
from safepip.core.settings import ROWS, TABLE, merge, variable_name
from safepip.core.slips import answer_to_slip
from safepip.doctor.surroundings import unknown_variables
from safepip.report import Report
from safepip.system.observe import Context, ambient
from safepip.verbs import carry_out, env
from safepip.verbs.arguments import for_verb
from safepip.verbs.completion import completions
from safepip.verbs.help import page

VERB, MEANING = "frobnicate", "Frobnicate the environment"
VALUES = {
    "true or false": "yes",
    "seconds, 0 or more": "5",
    "a list of absolute paths": "/x",
    "central or a folder": "x",
}


@pytest.fixture
def context():
    return Context(Invocation(words=()), ambient(), keep=False)


@pytest.fixture
def verb(monkeypatch):
    """A verb as one adds it: a row, and a module of its name."""

    def parser():
        made = for_verb(VERB, example=f"safepip {VERB}")
        made.add_argument("--gently", action="store_true", help="with care")
        return made

    def main(words, _context, _report):
        return 5 if parser().parse_args(words).gently else 4

    module = types.ModuleType(f"safepip.verbs.{VERB}")
    module.parser, module.main = parser, main
    monkeypatch.setitem(VERBS, VERB, MEANING)
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_a_verb_is_read_and_carried_out(verb, context):
    assert read_invocation("safepip", [VERB, "--gently"]).verb == VERB
    assert read_invocation("safepip", ["help", VERB]).arguments == ("--help",)
    assert carry_out(VERB, ("--gently",), context, Report()) == 5


def test_a_verb_is_offered_where_it_is_nearly_typed(verb):
    assert answer_to_slip(read([VERB[:-1]], {})) == f"maybe you meant: safepip {VERB}"


def test_a_verb_has_help_and_completes(verb, context, capsys, monkeypatch):
    assert carry_out(VERB, ("--help",), context, Report()) == 0
    assert MEANING in capsys.readouterr().out
    program = os.path.join(os.getcwd(), "safepip")
    with open(program, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n")
    os.chmod(program, 0o755)
    monkeypatch.setattr("sys.argv", [program])
    assert completions(("safepip",), "", context)[VERB] == MEANING
    assert completions(("safepip", "help"), "", context)[VERB] == MEANING
    assert completions(("safepip", VERB), "", context)["--gently"] == "with care"


@pytest.mark.parametrize("word", env.WORDS)
def test_each_word_of_env_completes_and_has_help(word, context, capsys):
    assert completions(("safepip", "env"), "", context)[word] == env.WORDS[word]
    assert carry_out("env", (word, "--help"), context, Report()) == 0
    assert env.WORDS[word] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("key", ROWS)
def test_each_setting_has_a_line_of_help_and_a_variable_that_doctor_knows(key):
    name = variable_name(key)
    assert f"| `{key}` | {ROWS[key].help}" in page("settings")
    assert list(unknown_variables({name: "x", f"{name}_X": "x"})) == [f"{name}_X"]
    value = VALUES.get(ROWS[key].kind.wants, ROWS[key].kind.wants.split(" or ")[0])
    assert merge({name: value}, ()).warnings == ()
    assert dict(merge({name: value}, ()).origins) == {key: name}


def test_no_setting_is_without_a_row():
    assert [row.key for row in TABLE] == list(ROWS)
