"""The pages of `safepip help`, as texts; what they tell to type is typed in tests/process."""

from __future__ import annotations

import importlib
import os
import re

import pytest

from safepip.core import pip_options, settings
from safepip.core.invocation import OPTIONS, TOPICS, VERBS, Invocation
from safepip.report import Report
from safepip.system.observe import Context, ambient
from safepip.verbs import carry_out
from safepip.verbs.help import PACKAGE, main, overview

OWN_OPTIONS = (*OPTIONS, "--python")
PAGES = os.path.join(PACKAGE, "help")


def text_of(topic):
    with open(os.path.join(PAGES, f"{topic}.txt"), encoding="utf-8") as page:
        return page.read()


def test_there_is_a_page_for_each_topic_and_no_other():
    assert sorted(os.listdir(PAGES)) == sorted(f"{topic}.txt" for topic in TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_no_topic_is_a_word_of_pips_or_of_safepips(topic):
    commands = importlib.import_module("pip._internal.commands").commands_dict
    assert topic not in {*commands, *pip_options.SUBCOMMANDS, *VERBS, "help"}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_is_short_and_fits_80_columns(topic):
    lines = text_of(topic).split("\n")
    assert len(lines) <= 72
    assert [line for line in lines if len(line) > 80 or line != line.rstrip()] == []


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_is_printed_to_standard_output(topic, capsys):
    assert main((topic,), None, None) == 0
    assert capsys.readouterr() == (text_of(topic), "")


def test_the_overview_names_every_verb_and_option_in_ten_lines():
    lines = overview().rstrip("\n").split("\n")
    assert len(lines) == 10
    assert max(map(len, lines)) <= 80
    named = re.findall(r"--[a-z-]+|[a-z]+", overview())
    assert {*VERBS, *OPTIONS} <= set(named)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_says_what_it_does_with_an_example(verb, capsys):
    assert carry_out(verb, ("--help",), Context(Invocation(words=()), ambient()), Report()) == 0
    printed = capsys.readouterr().out
    assert f"safepip {verb}" in printed.partition("\n")[0]
    if verb not in {"init", "hook", "shims", "shell"}:
        assert VERBS[verb] in printed
        assert f"example: safepip {verb}" in printed


@pytest.mark.parametrize("topic", TOPICS)
def test_what_a_page_says_of_safepip_exists(topic):
    """Each word after `safepip` in a command is an option or a word of its own, or pip's."""
    typed = re.findall(r"(?:`|^ +(?:\$ )?)safepip ([a-z-]+)", text_of(topic), re.MULTILINE)
    assert [word for word in typed if word not in {*OWN_OPTIONS, *VERBS, *pip_options.SUBCOMMANDS}] == []
    named = re.findall(r"safepip help ([a-z-]+)", text_of(topic))
    assert set(named) <= set(TOPICS)


def test_the_page_on_settings_has_every_key_and_no_other():
    heads = re.findall(r"^  ([a-z][a-z-]+(?:, [a-z-]+)*)(?:  |\n)", text_of("settings"), re.MULTILINE)
    assert sorted(key for head in heads for key in head.split(", ")) == sorted(settings.ROWS)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_variable_that_a_page_names_is_one(topic):
    known = {"SAFEPIP_" + key.upper().replace("-", "_") for key in settings.ROWS}
    named = set(re.findall(r"\bSAFEPIP_[A-Z_]+", text_of(topic)))
    assert named <= known | {"SAFEPIP_ENV", "SAFEPIP_BYPASS", "SAFEPIP_DEBUG"}
