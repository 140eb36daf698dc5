"""The pages of `safepip help`, as texts; what they tell to type is typed in tests/process."""

from __future__ import annotations

import importlib
import os
import re
import sys

import pytest
from tree import TREE

from safepip import errors
from safepip.core import pip_options, settings
from safepip.core.invocation import OPTIONS, TOPICS, VERBS, Invocation
from safepip.core.record import replace
from safepip.report import Report
from safepip.system.observe import Context, ambient
from safepip.verbs import carry_out
from safepip.verbs.env import WORDS
from safepip.verbs.help import PACKAGE, main, overview, page
from safepip.verbs.markdown import CODE, blocks, rendered

OWN_OPTIONS = (*OPTIONS, "--python")
PAGES = os.path.join(PACKAGE, "help")
FENCES = {"bash", "crontab", "dockerfile", "ini", "json", "make", "text", "toml", "yaml"}
OWN_VARIABLES = {"SAFEPIP_ENV", "SAFEPIP_BYPASS", "SAFEPIP_DEBUG"}


def text_of(topic):
    with open(os.path.join(PAGES, f"{topic}.md"), encoding="utf-8") as file:
        return file.read()


def surroundings(**environ):
    seen = ambient()
    return Context(Invocation(words=()), replace(seen, environ={"TERM": "xterm", **environ}))


def test_there_is_a_page_for_each_topic_and_no_other():
    assert sorted(os.listdir(PAGES)) == sorted(f"{topic}.md" for topic in TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_no_topic_is_a_word_of_pips_or_of_safepips(topic):
    commands = importlib.import_module("pip._internal.commands").commands_dict
    assert topic not in {*commands, *pip_options.SUBCOMMANDS, *VERBS, "help"}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_is_short_and_any_terminal_can_show_it(topic):
    lines = text_of(topic).split("\n")
    assert len(lines) <= (150 if topic == "contributing" else 130)
    assert lines[0].startswith("# ")
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []
    assert [line for line in lines if line != line.rstrip() or not line.isascii()] == []
    assert set(re.findall(r"^```(.+)$", text_of(topic), re.MULTILINE)) <= FENCES


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_is_plain_where_output_goes_to_a_pipe(topic, capsys):
    assert main((topic,), surroundings(PAGER="false"), None) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (rendered(page(topic), 80, colour=False), "")
    assert "\x1b" not in out
    assert [line for line in out.splitlines() if len(line) > 80 and not line.startswith(" " * 6)] == []
    assert "<!--" not in out


@pytest.mark.parametrize("topic", TOPICS)
def test_a_link_of_a_page_leads_to_a_page(topic):
    targets = re.findall(r"\]\(([^)]+)\)", text_of(topic))
    assert {target for target in targets if "://" not in target} <= {f"{topic}.md" for topic in TOPICS}


def test_the_overview_names_every_verb_and_option_in_ten_lines():
    lines = overview().rstrip("\n").split("\n")
    assert len(lines) == 10
    assert max(map(len, lines)) <= 80
    named = re.findall(r"--[a-z-]+|[a-z]+", overview())
    assert {*VERBS, *OPTIONS, *WORDS} <= set(named)


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
    typed = re.findall(r"`safepip ([a-z-]+)", text_of(topic))
    code = [line for kind, lines in blocks(text_of(topic)) if kind == CODE for line in lines]
    typed += re.findall(r"^safepip ([a-z-]+)", "\n".join(code), re.MULTILINE)
    assert [word for word in typed if word not in {*OWN_OPTIONS, *VERBS, *pip_options.SUBCOMMANDS}] == []
    named = re.findall(r"safepip help ([a-z-]+)", text_of(topic))
    assert set(named) <= set(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_variable_that_a_page_names_is_one(topic):
    named = set(re.findall(r"\bSAFEPIP_[A-Z_]+(?![A-Z_<])", text_of(topic)))
    assert named <= {settings.variable_name(key) for key in settings.ROWS} | OWN_VARIABLES | {"SAFEPIP_"}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_file_of_the_project_that_a_page_names_exists(topic):
    scripts = re.findall(r"\bscripts/[\w/]+\.py", text_of(topic))
    modules = re.findall(
        r"`((?:core|system|actions|envs|after_pip|verbs|doctor|shells|launcher)/[\w/.]*)`", text_of(topic)
    )
    named = [*scripts, *(f"safepip/{path}" for path in modules)]
    assert [path for path in named if not os.path.exists(os.path.join(TREE, path))] == []


def test_the_page_on_settings_has_every_key_with_its_choices_and_its_default():
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \| (.+) \|$", page("settings"), re.MULTILINE)
    assert [key for key, _, _ in rows] == [row.key for row in settings.TABLE]
    told = {key: (what, default) for key, what, default in rows}
    assert told["scope"] == ("act only on managed Pythons, or on all: `managed`, `always`", "`managed`")
    assert told["fast"][1] == "`true`"
    assert told["lock-timeout"][1] == "wait for ever"
    assert {key for key in told if told[key][0].endswith("(not in a project)")} == {
        "managed", "unmanaged", "trust",
    }  # fmt: skip


def test_the_page_on_variables_has_every_one_that_is_not_a_setting():
    assert (
        set(re.findall(r"^\| `(SAFEPIP_[A-Z]+)=", text_of("environment-variables"), re.MULTILINE)) == OWN_VARIABLES
    )


def test_the_page_on_exit_codes_has_every_one_and_no_other():
    codes = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text_of("exit-codes"), re.MULTILINE)} == codes


# -- in a terminal


@pytest.fixture
def shown(monkeypatch):
    """Give what a terminal of 60 columns shows of the page on CI."""

    def show(*words, **environ):
        parent, child = os.openpty()
        monkeypatch.setenv("COLUMNS", "60")
        with os.fdopen(child, "w") as stream, monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stream)
            assert main(("ci", *words), surroundings(**environ), None) == 0
            print(".", end="", flush=True, file=stream)
            text = os.read(parent, 1 << 16).decode()
        os.close(parent)
        return text.replace("\r\n", "\n").removesuffix(".")

    return show


def test_a_terminal_shows_headings_and_code_in_colour_within_its_width(shown):
    text = shown("--no-pager")
    assert text.startswith("\x1b[1msafepip in CI\x1b[0m\n\n")
    assert "\x1b[36m      safepip run pytest\x1b[0m\n" in text
    plain = re.sub(r"\x1b\[\d*m", "", text)
    assert [line for line in plain.splitlines() if len(line) > 60 and not line.startswith(" " * 6)] == []


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_colours_can_be_switched_off(shown, variables):
    assert "\x1b" not in shown("--no-pager", **variables)


def test_the_pager_of_the_user_shows_the_page(shown, tmp_path):
    program = tmp_path / "pager"
    program.write_text('#!/bin/sh\necho "$LESS $1" > "$0.said"; cat > "$0.read"\n')
    program.chmod(0o755)
    assert shown(PAGER=f"{program} -x", PATH=os.environ["PATH"]) == ""
    assert (tmp_path / "pager.said").read_text() == "FRX -x\n"
    assert "safepip in CI" in (tmp_path / "pager.read").read_text()


@pytest.mark.parametrize("pager", ["", "cat", "/nowhere/pager", "'", "/etc/passwd"])
def test_without_a_pager_that_runs_the_page_is_printed(shown, pager):
    assert "safepip in CI" in shown(PAGER=pager)
