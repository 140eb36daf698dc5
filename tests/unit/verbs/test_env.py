"""The words of `safepip env` that need no real environment; the rest is in process/test_env_really.py."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from safepip.actions import sudo
from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.core.world import Environment
from safepip.envs import verify
from safepip.envs.in_force import unfit
from safepip.errors import NO_ENVIRONMENT, REFUSED, USAGE, SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.observe import Context, ambient
from safepip.verbs import env
from safepip.verbs.env import prune, repair
from safepip.verbs.output import human


@pytest.fixture
def context(base_python, monkeypatch):
    return Context(Invocation(words=()), ambient())


@pytest.fixture
def made(environment, context):
    """The finished environment at .venv, as if safepip had made it."""
    registry.note(context.state, environment, registry.MADE)
    return environment


@pytest.fixture
def run(context, capfd):
    """Carry out a word; return its code and what it printed."""

    def run(*words):
        code = env.main(words, Context(context.invocation, context.ambient), Report())
        return code, capfd.readouterr().out

    return run


def fails(run, code, *words):
    with pytest.raises(SafepipError) as failed:
        run(*words)
    assert failed.value.code == code, failed.value.what
    return failed.value


def test_a_word_is_needed(run):
    assert fails(run, USAGE).ways[0].startswith("usage: safepip env")


@pytest.mark.parametrize(
    "words", [("x",), ("path", "x", "y"), ("list", "--jso", "x"), ("prune", "--unused", "1.5")]
)
def test_wrong_words_are_told(run, words):
    fails(run, USAGE, *words)


@pytest.mark.parametrize(("typed", "way"), [("lst", "maybe: safepip env list"), ("xyzzy", "usage: safepip env")])
def test_a_word_that_is_none_is_answered_by_the_nearest(run, typed, way):
    failed = fails(run, USAGE, typed)
    assert failed.what == f"env has no word {typed}"
    assert failed.ways[0].startswith(way)


@pytest.mark.parametrize(
    ("words", "usage"),
    [(("remove", "--yess"), "remove [-h] [-y] [DIR]"), (("list", "x"), "list [-h] [--json]")],
    ids=["option", "word"],
)
def test_a_wrong_use_is_answered_by_the_usage_of_that_word(run, words, usage):
    failed = fails(run, USAGE, *words)
    assert failed.what == f"env {words[0]} takes no {words[1]}"
    assert failed.ways == (f"usage: safepip env {usage}",)


def test_the_path_is_printed(run, made):
    assert run("path") == (0, made + "\n")


def test_the_path_for_a_directory_is_that_of_its_place(run, made, home):
    below = os.path.join(os.path.dirname(made), "below")
    os.mkdir(below)
    assert run("path", "below") == (0, made + "\n")
    assert run("path", made) == (0, made + "\n")
    assert run("path", home)[1].endswith("/safepip/home\n")
    fails(run, NO_ENVIRONMENT, "path", "missing")


def test_a_project_stands_for_its_environment(run, made, context):
    root = os.path.dirname(made)
    assert f"path:        {made}\n" in run("info", root)[1]
    run("trust", root)
    os.symlink(root, root + "-link")
    assert run("remove", root + "-link")[0] == 0
    assert not os.path.lexists(made)


def test_below_a_project_nothing_stands_for_its_environment(run, made):
    below = os.path.join(os.path.dirname(made), "below")
    os.mkdir(below)
    fails(run, NO_ENVIRONMENT, "info", "below")
    fails(run, REFUSED, "remove", "below")
    fails(run, USAGE, "remove", "")
    assert os.path.isdir(made)


def test_what_is_no_environment_has_no_facts(run, environment):
    os.rename(environment, environment + ".away")
    os.mkdir(environment)
    fails(run, NO_ENVIRONMENT, "info")
    fails(run, NO_ENVIRONMENT, "info", ".venv")
    with open(os.path.join(environment, "file"), "w"):
        pass
    fails(run, NO_ENVIRONMENT, "info")


def test_a_project_that_was_named_as_an_environment_is_told(run, context, made):
    root = os.path.dirname(made)
    named = Context(replace(context.invocation, env=root), context.ambient)
    refused = unfit(named.named_environment[1], named)
    assert refused.what == f"{root} is a project, not an environment; its environment is {made}"
    assert refused.ways == (f"as if started there: safepip --project {root} …",)


def test_the_list_as_json(run, made):
    code, out = run("list", "--json")
    (found,) = json.loads(out)
    assert code == 0
    assert (found["path"], found["project"], found["health"]) == (made, os.path.dirname(made), "ok")


def test_the_facts_as_json(run, made):
    code, out = run("info", "--json")
    found, (in_list,) = json.loads(out), json.loads(run("list", "--json")[1])
    assert code == 0
    assert in_list.items() <= found.items(), "the list's keys mean the same"
    assert set(found) - set(in_list) == {"interpreter", "known_as", "has_pip", "sees_system"}
    assert found["known_as"] == "made"


def test_with_the_option_system_the_words_stay_roots(context, made, monkeypatch):
    monkeypatch.setattr(sudo, "step_down", lambda *_: pytest.fail("stepped down"))
    staying = Context(replace(context.invocation, system=True), context.ambient, sudo_user=(1, 1))
    assert sudo.of_user_behind_sudo(staying, Report()) is staying
    assert env.main(("path", made), staying, Report()) == 0
    assert env.main(("trust", "--list"), staying, Report()) == 0


def test_the_size_is_measured_once_per_change(run, made):
    def size():
        return json.loads(run("list", "--json")[1])[0]["size"]

    before = size()
    with open(os.path.join(made, "bin", "activate"), "a") as file:
        file.write("#" * 5000)
    assert size() == before
    os.utime(os.path.join(made, "bin"), (1, 1))
    assert size() >= before + 5000


def test_an_interrupted_change_is_seen(run, made):
    os.makedirs(os.path.join(made, ".safepip"), exist_ok=True)
    with open(os.path.join(made, ".safepip", "journal"), "w") as file:
        file.write("torn")
    assert json.loads(run("list", "--json")[1])[0]["health"].startswith("interrupted")


def test_an_environment_that_is_not_called_as_usual_is_listed_by_its_path(run, context, home, made):
    other = os.path.join(home, "work", "other")
    os.rename(made, other)
    registry.note(context.state, other, registry.TRUSTED)
    assert "~/work/other " in run("list")[1]


def test_the_columns_hold_whatever_a_project_is_called(run, made, context, home):
    for name in ("\n\n\n", "plain"):
        path = os.path.join(home, "work", name, ".venv")
        shutil.copytree(made, path, symlinks=True)
        registry.note(context.state, path, registry.MADE)
    lines = run("list")[1].splitlines()
    assert len({line.index(" 3.") for line in lines[1:]}) == 1


def test_what_safepip_keeps_of_its_own_is_no_project(run, made, context):
    for name in ("home", "pipx"):
        path = os.path.join(context.data, name)
        shutil.copytree(made, path, symlinks=True)
        registry.note(context.state, path, registry.MADE)
    out = run("list")[1]
    assert "(outside projects) " in out
    assert "(safepip's own pipx) " in out


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345_678, "12 MB"), (2_500_000_000, "2.5 GB")],
)
def test_sizes_are_for_people(size, said):
    assert human(size) == said


@pytest.mark.parametrize(
    "words",
    [
        ("create", "--python", ""), ("create", "--like", ""), ("create", ""), ("path", ""), ("info", ""),
        ("remove", ""), ("trust", ""), ("repair", ""),
    ],
)  # fmt: skip
def test_an_empty_name_is_refused(run, made, words):
    """As from a variable that is not set: it does not mean the working directory."""
    assert fails(run, USAGE, *words).what.endswith(": it is empty")
    assert os.path.isdir(made)


# -- remove and prune


def test_what_is_not_known_is_not_removed(run, environment):
    fails(run, REFUSED, "remove")
    fails(run, NO_ENVIRONMENT, "remove", "missing")
    assert os.path.isdir(environment)


@pytest.mark.parametrize("how", [registry.ADOPTED, registry.TRUSTED])
def test_what_others_made_is_not_removed(run, environment, context, how):
    registry.note(context.state, environment, how)
    fails(run, REFUSED, "remove")
    assert run("prune", "--unused", "0", "--yes") == (0, "")
    assert os.path.isdir(environment)


def test_what_was_made_is_removed(run, made, context):
    assert run("remove", ".venv")[0] == 0
    assert not os.path.lexists(made)
    assert list(registry.entries(context.state)) == []


def test_what_holds_packages_is_removed_only_when_that_is_said(run, made):
    (site,) = verify.sites(made)
    for name in ("six", "idna", "pip"):
        os.makedirs(os.path.join(site, f"{name}-1.0.dist-info"))
    failed = fails(run, USAGE, "remove")
    assert failed.what.startswith(f"{made} holds 2 packages: idna, six (")
    assert failed.ways == ("to remove it with that: safepip env remove --yes .venv",)
    assert os.path.isdir(made)
    assert run("remove", "-y")[0] == 0
    assert not os.path.lexists(made)


def test_what_the_user_put_there_is_removed_only_when_that_is_said(run, made):
    with open(os.path.join(made, "notes.txt"), "w"):
        pass
    assert "notes.txt, which no package put there" in fails(run, USAGE, "remove").what
    assert run("remove", "--yes")[0] == 0


def test_a_removal_that_is_killed_leaves_what_is_unfinished(run, made, context, monkeypatch):
    def killed(*_path, **_how):
        raise KeyboardInterrupt

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, "rmdir", killed)
        with pytest.raises(KeyboardInterrupt):
            run("remove")
    assert Context(context.invocation, context.ambient).place.state == "unfinished"
    assert run("remove")[0] == 0
    assert not os.path.lexists(made)


def test_prune_keeps_what_lies_on_a_disk_that_is_not_there(run, made, context, monkeypatch):
    (found,) = registry.entries(context.state)
    os.rename(made, made + ".away")
    monkeypatch.setattr(prune, "device_of", lambda _path: found.device + 1)
    assert run("prune", "--yes") == (0, "")
    assert len(list(registry.entries(context.state))) == 1


def test_prune_forgets_what_has_a_successor(run, made, context):
    shutil.copytree(made, made + ".copy", symlinks=True)
    shutil.rmtree(made)
    os.rename(made + ".copy", made)
    registry.note(context.state, made, registry.TRUSTED)
    assert run("prune", "--yes") == (0, f"forgot {made} (another one is there now)\n")
    assert registry.registration(context.state, made).how == registry.TRUSTED


def test_prune_never_takes_the_home_environment(run, made, context):
    home = os.path.join(context.data, "home")
    os.makedirs(context.data)
    os.rename(made, home)
    registry.note(context.state, home, registry.MADE)
    assert run("prune", "--unused", "0", "--yes") == (0, "")
    assert os.path.isdir(home)


def test_days_are_counted_from_the_last_use(run, made, context):
    (found,) = registry.entries(context.state)
    then = time.time() - 40 * 86400
    for path in (found.file, os.path.join(made, "pyvenv.cfg"), os.path.join(made, ".safepip")):
        os.utime(path, (then, then))
    assert run("prune", "--unused", "41") == (0, "")
    assert run("prune", "--unused", "40")[1] == f"would remove {made} (not used for 40 days)\n"
    registry.note_use(context.state, made)
    assert run("prune", "--unused", "40") == (0, "")


# -- trust


def test_trust_is_noted_and_revoked(run, environment, context):
    assert run("trust")[0] == 0
    assert registry.registration(context.state, environment).how == registry.TRUSTED
    assert run("trust", "--list") == (0, environment + "\n")
    run("trust", "--revoke")
    assert registry.registration(context.state, environment) is None


def test_what_safepip_made_stays_made_when_it_is_trusted(run, made, context):
    run("trust")
    assert registry.registration(context.state, made).how == registry.MADE
    fails(run, USAGE, "trust", "--revoke")


def test_trust_needs_an_environment(run):
    fails(run, NO_ENVIRONMENT, "trust")
    fails(run, NO_ENVIRONMENT, "trust", "missing")


def test_a_state_that_cannot_be_written_is_told(run, environment, monkeypatch):
    monkeypatch.setattr(registry, "note", lambda *_args: None)
    failed = fails(run, 73, "trust")
    assert "cannot be written" in failed.what
    assert failed.ways == (f"what is named needs no trust: export SAFEPIP_ENV={environment}",)


# -- repair


def test_what_is_whole_needs_no_repair(run, environment, context, monkeypatch, capfd):
    registry.note(context.state, environment, registry.ADOPTED)
    assert run("repair", ".venv")[0] == 0


def test_what_is_broken_and_unknown_has_to_be_named(run, environment):
    os.unlink(os.path.join(environment, "bin", "python"))
    failed = fails(run, REFUSED, "repair")
    assert failed.ways == ("if you trust it: safepip env repair .venv",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_anothers_environment_is_not_repaired(context, environment):
    os.chown(environment, 12345, -1)
    found = Environment(path=environment, known_as=environment, state="broken", reason="is old")
    with pytest.raises(SafepipError) as failed:
        repair.permit(found, context, named=True)
    assert failed.value.code == REFUSED


def test_where_there_is_nothing_the_way_on_is_told(run):
    assert fails(run, NO_ENVIRONMENT, "repair").ways == ("make it: safepip env create",)
