"""What completes where: words of safepip's own with what they mean, and never pip's behind them."""

from __future__ import annotations

import os

import pytest

from safepip.core.invocation import TOPICS, VERBS, Invocation
from safepip.core.pip_options import SUBCOMMANDS
from safepip.errors import SafepipError
from safepip.report import Report
from safepip.system.observe import Context, ambient
from safepip.verbs import hook

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX ones")


@pytest.fixture
def pip(home, monkeypatch):
    """A safepip that answers by pip's protocol as pip would."""
    program = os.path.join(home, "safepip")
    with open(program, "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\n[ "$PIP_AUTO_COMPLETE" = 1 ] && echo "install $COMP_CWORD ${COMP_WORDS%% *}"\n')
    os.chmod(program, 0o755)
    monkeypatch.setattr("sys.argv", [program])


@pytest.fixture
def complete(pip, capfd):
    """Complete the last of these words; return what may stand there, and what it means."""

    def complete(*line, shell="fish", **known):
        context = Context(Invocation(words=()), ambient(), **known)
        assert hook.main((shell, "complete", str(len(line) - 1), *line), context, Report()) == 0
        pairs = (row.partition("\t") for row in capfd.readouterr().out.splitlines())
        return {word: told for word, _, told in pairs}

    return complete


def test_the_first_word_is_safepips_or_pips(complete):
    found = complete("safepip", "")
    assert {**VERBS, "hook": ""}.items() >= {verb: found.get(verb, "") for verb in VERBS}.items()
    assert {"install", "help"} <= set(found)
    assert "hook" not in found
    assert complete("safepip", "--pro") == {"--project": "As if started in that directory"}


def test_called_as_pip_the_first_word_is_pips(complete):
    assert set(complete("pip", "")) == {"install", "1", "pip"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("env", ""), {"path", "list", "info", "create", "remove", "prune", "trust", "repair"}),
        (("env", "create", "--"), {"--like", "--python", "--system-site-packages", "--help"}),
        (("env", "list", "--"), {"--json", "--help"}),
        (("app", "up"), {"upgrade", "upgrade-all"}),
        (("init", "z"), {"zsh"}),
        (("init", "--"), {"--write", "--undo", "--no-activate", "--help"}),
        (("init", "bash", "--no"), {"--no-activate"}),
        (("shims", "--"), {"--python", "--undo", "--help"}),
        (("undo", "--t"), {"--to"}),
        (("history", "--"), {"--json", "--help"}),
        (("--system", "env", "pa"), {"path"}),
        (("help", "do"), {"doctor", "docker", "download"}),
        (("shell", "-"), {"--help"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_behind_a_verb_its_own_words_complete(complete, line, expected):
    found = complete("safepip", *line)
    assert set(found) == expected
    assert all(found.values())


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in {"explain", "hook"}])
def test_no_word_of_pips_stands_behind_a_verb_of_safepips(complete, verb):
    own = {"list", "install", "uninstall"} if verb == "app" else {"list"} if verb == "env" else set()
    for current in ("", "-", "i", "l"):
        assert set(complete("safepip", verb, current)) & set(SUBCOMMANDS) <= own


def test_help_completes_to_verbs_topics_and_pips_commands(complete):
    found = complete("safepip", "help", "")
    assert set(found) >= {*TOPICS, *SUBCOMMANDS, "run"}


def test_a_line_to_explain_is_pips(complete):
    assert {"install", "list"} <= set(complete("safepip", "explain", ""))
    assert set(complete("safepip", "explain", "--j")) == {"--json"}
    assert set(complete("safepip", "explain", "--json", "install", "")) == {"install", "2", "pip"}


def test_run_completes_to_programs_files_and_modules(complete, environment, work, monkeypatch):
    monkeypatch.setenv("SAFEPIP_ENV", environment)
    with open(f"{work}/get.py", "w"), open(f"{environment}/bin/tool", "w"):
        os.chmod(f"{environment}/bin/tool", 0o755)
    found = complete("safepip", "run", "")
    assert found["tool"] == "program of the environment"
    assert {"get.py", "python"} <= set(found)
    assert complete("safepip", "run", "-") == {"-m": "run a module"}
    assert "get" in complete("safepip", "run", "-m", "")
    assert set(complete("safepip", "run", "tool", "ge")) == {"get.py"}
    assert complete("safepip", "run", "tool", "ge", shell="bash") == {}  # which completes files by itself


def test_directories_complete_where_a_directory_is_named(complete, work):
    os.makedirs(f"{work}/sub/deep")
    assert set(complete("safepip", "--project", "s")) == {"sub/"}
    assert set(complete("safepip", "env", "info", "sub/")) == {"sub/deep/"}
    assert set(complete("safepip", "shims", "su")) == {"sub/"}


def test_each_shell_reads_its_own_form(complete):
    assert complete("safepip", "env", "pa", shell="bash") == {"path": ""}
    assert next(iter(complete("safepip", "env", "pa", shell="zsh"))).startswith("path:print the path")


def test_tcsh_names_the_line_in_a_variable(complete, monkeypatch):
    monkeypatch.setenv("COMMAND_LINE", "safepip env ")
    assert "create" in complete("0", shell="tcsh")
    monkeypatch.setenv("COMMAND_LINE", "safepip env pa")
    assert set(complete("0", shell="tcsh")) == {"path"}


def test_a_question_that_no_shell_asks_is_a_wrong_use(pip):
    for words in ((), ("bash",), ("bash", "complete", "x"), ("pwnsh", "complete", "1")):
        with pytest.raises(SafepipError) as raised:
            hook.main(words, Context(Invocation(words=()), ambient()), Report())
        assert raised.value.code == 64
