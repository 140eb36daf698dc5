"""What would happen to a line, told without anything happening."""

from __future__ import annotations

import json
import os

import pytest

from safepip.core.invocation import Invocation
from safepip.core.plan import RUNNER
from safepip.core.record import replace
from safepip.errors import USAGE, SafepipError
from safepip.report import Report
from safepip.system.observe import Context, ambient
from safepip.verbs import explain

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX ones")


@pytest.fixture
def python3(base_python, home, monkeypatch):
    """A Python on PATH that counts as managed."""
    programs = os.path.join(home, "bin")
    os.mkdir(programs)
    path = os.path.join(programs, "python3")
    os.symlink(base_python, path)
    monkeypatch.setenv("PATH", programs)
    monkeypatch.setenv("SAFEPIP_MANAGED", base_python)
    return path


@pytest.fixture
def told(capsys):
    """Explain a line, typed by words; return the object that is printed."""

    def told(*words):
        context = Context(Invocation(words=(), verb="explain"), replace(ambient(), terminal=False))
        assert explain.main(("--json", *words), context, Report()) == 0
        return json.loads(capsys.readouterr().out)

    return told


def lines(capsys, *words):
    """Return the lines for people."""
    context = Context(Invocation(words=(), verb="explain"), replace(ambient(), terminal=False))
    assert explain.main(words, context, Report()) == 0
    return capsys.readouterr().out.splitlines()


def test_a_line_that_makes_an_environment(told, python3, work, home):
    found = told("install", "six")
    path = os.path.join(work, ".venv")
    assert {name: found[name] for name in ("plan", "subcommand", "interpreter", "managed", "environment", "project")} == {
        "plan": "create", "subcommand": "install", "interpreter": python3, "managed": True, "environment": path,
        "project": work,
    }  # fmt: skip
    assert found["argv"] == [f"{path}/bin/python", RUNNER, "install", "six"]
    assert os.listdir(work) == []
    assert sorted(os.listdir(home)) == ["bin", "work"]  # not even a cache


@pytest.mark.parametrize(
    ("words", "plan", "subcommand"),
    [
        (("install", "--dry-run", "six"), "ephemeral", "install"),
        (("install", "--target", "d", "six"), "pip", "install"),
        (("list",), "pip", "list"),
        (("--system", "install", "six"), "pip", "install"),
        (("--env",), "refuse", None),
        (("doctor",), "pip", None),
        (("--safepip-version",), "pip", None),
    ],
)
def test_each_kind_of_plan_has_its_name(told, python3, words, plan, subcommand):
    found = told(*words)
    assert (found["plan"], found["subcommand"]) == (plan, subcommand)


@pytest.mark.parametrize("words", [("pip3", "list"), ("python3", "-m", "pip", "list"), ("safepip", "list")])
def test_the_name_of_a_pip_may_stand_before_the_line(told, python3, words):
    found = told(*words)
    assert (found["subcommand"], found["argv"][-1], found["interpreter"]) == ("list", "list", python3)


def test_a_python_that_is_not_there_is_a_refusal(told, python3):
    found = told("pip3.99", "install", "six")
    assert (found["plan"], found["because"], found["argv"]) == ("refuse", "there is no python3.99 on PATH", [])
    assert found["interpreter"] is None


def test_a_project_elsewhere_is_looked_at_as_from_there(told, python3, home):
    os.makedirs(os.path.join(home, "other", "p"))
    found = told("--project", "../other/p", "install", "six")
    assert found["project"] == os.path.join(home, "other", "p")


def test_secrets_are_left_out(told, python3):
    found = told("install", "--index-url", "https://user:secret@example.org/simple", "six")
    assert "secret" not in json.dumps(found)
    assert found["argv"][-2:] == ["https://example.org/simple", "six"]


def test_for_people_the_outcome_comes_first_then_why_and_what_runs(capsys, python3, work):
    told = lines(capsys, "install", "six")
    assert told[0].startswith(f"would create {work}/.venv (Python ")
    assert told[1].startswith(f"  because  {python3} is managed by the system")
    assert told[-1].startswith(f"  runs     {work}/.venv/bin/python ")


def test_a_refusal_names_the_ways_on(capsys, python3, work):
    os.mkdir(os.path.join(work, ".venv"))
    os.mkdir(os.path.join(work, ".venv", "lib"))
    told = lines(capsys, "install", "six")
    assert told[0].startswith("would refuse: .venv is not an environment")
    assert told[1] == "  rebuild it with the same packages: safepip env repair .venv"
    assert not any(line.startswith("  runs") for line in told)


def test_nothing_to_explain_is_wrong_usage():
    with pytest.raises(SafepipError) as raised:
        explain.main((), Context(Invocation(words=()), ambient()), Report())
    assert (raised.value.code, raised.value.what) == (USAGE, "no pip line given")
