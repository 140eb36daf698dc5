"""`history` and `undo` with real pip: every earlier `pip freeze` comes back exactly, or nothing changes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable

import pytest
import sequences
from sandbox import Sandbox, write_source

pytestmark = pytest.mark.slow
MakeSandbox = Callable[..., Sandbox]


@pytest.fixture(scope="module")
def wheelhouse(base: str, wheels: str) -> str:
    """Give wheels of this module's own, so that some can be withdrawn."""
    folder = os.path.join(base, "history-wheels")
    shutil.copytree(wheels, folder)
    sequences.furnish(folder)
    return folder


@pytest.fixture
def box(make_sandbox: MakeSandbox, wheelhouse: str) -> Sandbox:
    box = make_sandbox()
    box.variables["PIP_FIND_LINKS"] = wheelhouse
    return box


def ok(box: Sandbox, *words: str, env: dict[str, str | None] | None = None) -> str:
    ran = box.run(*words, env=env)
    assert ran.code == 0, (words, ran.err)
    return ran.text


def freeze(box: Sandbox) -> str:
    return ok(box, "freeze", "--all")


def entries(box: Sandbox) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(ok(box, "history", "--json"))
    return found


def contents(box: Sandbox) -> dict[str, bytes]:
    """Return the files in the environment that are pip's to change, what is compiled left out."""
    found = {}
    for folder in ("bin", "lib"):
        for at, _, names in os.walk(os.path.join(box.venv, folder)):
            for name in names:
                path = os.path.join(at, name)
                if os.path.isfile(path) and not name.endswith(".pyc"):
                    with open(path, "rb") as file:
                        found[path] = file.read()
    return found


def test_each_command_is_one_entry(box: Sandbox) -> None:
    ok(box, "install", "alpha<2", "--extra-index-url", "https://me:secret@example.invalid/simple")
    ok(box, "install", "alpha<2")
    ok(box, "list")
    ok(box, "install", "-U", "beta")
    ok(box, "uninstall", "-y", "beta")
    assert box.run("install", "no-such").code == 1
    first, second, third = entries(box)
    assert (first["id"], first["created"]) == ("1", True)
    assert first["line"] == "install 'alpha<2' --extra-index-url https://example.invalid/simple"
    assert first["came"] == [{"name": "alpha", "version": "1.0"}]
    assert second["came"] == [{"name": "beta", "version": "2.0"}]
    assert second["changed"] == [{"name": "alpha", "from": "1.0", "to": "2.0"}]
    assert third["went"] == [{"name": "beta", "version": "2.0"}]
    assert str(first["time"]).endswith("Z")
    with open(os.path.join(box.venv, ".safepip", "history")) as file:
        assert "secret" not in file.read()
    assert max(map(len, ok(box, "history").splitlines())) <= 80


def test_undo_returns_each_earlier_freeze(box: Sandbox) -> None:
    """More of them: scripts/chance/undo.py."""
    assert sequences.faults(box, 1, 3) == []


def test_the_first_step_undone_leaves_the_bare_environment(box: Sandbox) -> None:
    ok(box, "install", "many0")
    frozen = freeze(box)
    ok(box, "undo")
    assert freeze(box).splitlines() == [line for line in frozen.splitlines() if line != "many0==1.0"]
    again = box.run("undo")
    assert (again.code, again.said[0]) == (64, "error: there is nothing to undo in .venv")


def test_many_steps_at_once(box: Sandbox) -> None:
    ok(box, "install", "many0")
    frozen = freeze(box)
    ok(box, "install", "many1")
    ok(box, "install", "many2")
    assert "undoing 3" in ok(box, "undo", "2")
    assert freeze(box) == frozen
    assert [one["undone"] for one in entries(box)] == [False, True, True, False]
    ran = box.run("undo", "5")
    assert ran.code == 64
    assert ran.said[0] == "error: there is one step to undo in .venv"


def test_a_withdrawn_wheel_leaves_all_as_it_was(box: Sandbox, wheelhouse: str, base: str) -> None:
    own = shutil.copytree(wheelhouse, os.path.join(base, "withdrawn"))
    box.variables["PIP_FIND_LINKS"] = own
    ok(box, "install", "alpha<2", "many0")
    ok(box, "install", "-U", "alpha")
    ok(box, "uninstall", "-y", "many0")
    os.unlink(os.path.join(own, "alpha-1.0-py3-none-any.whl"))
    before, files, noted = freeze(box), contents(box), entries(box)
    ran = box.run("undo", "2")
    assert ran.code == 1
    assert ran.said[0] == "error: not undone, all is as it was: could not get alpha 1.0"
    assert (freeze(box), contents(box), entries(box)) == (before, files, noted)
    assert not os.path.lexists(os.path.join(box.venv, ".safepip", "journal"))


def test_a_failure_half_way_puts_all_back(box: Sandbox) -> None:
    """The editable's folder is gone by then: what was changed before it is put back from copies."""
    source = write_source(os.path.join(box.project, "lib"), "library")
    ok(box, "install", "alpha<2", "-e", "lib")
    ok(box, "uninstall", "-y", "library")
    ok(box, "install", "-U", "alpha")
    shutil.rmtree(source)
    before, files = freeze(box), contents(box)
    ran = box.run("undo", "2")
    assert ran.code == 1, ran.err
    assert "all is as it was" in ran.said[0]
    assert (freeze(box), contents(box)) == (before, files)


def test_what_bare_pip_did_is_told_and_kept(box: Sandbox) -> None:
    ok(box, "install", "alpha<2")
    assert box.venv_pip("install", "-q", "many3").code == 0
    ok(box, "install", "beta==1.0")
    assert box.venv_pip("install", "-q", "many4").code == 0
    ran = box.run("undo")
    assert ran.code == 0
    assert ran.said == ["changed without safepip meanwhile: many3, many4 (kept)"] or ran.said == [
        "changed without safepip meanwhile: many4 (kept)"
    ]
    assert "many3==1.0" in freeze(box)
    assert box.venv_pip("install", "-q", "-U", "alpha").code == 0
    ran = box.run("undo")
    assert ran.code == 0
    assert "alpha (undone too)" in ran.said[0]
    assert [line.partition("=")[0] for line in freeze(box).splitlines() if "pip" not in line] == ["many3", "many4"]


def test_what_was_requested_is_so_again(box: Sandbox) -> None:
    ok(box, "install", "beta==1.0")
    ok(box, "uninstall", "-y", "alpha", "beta")
    ok(box, "undo")
    site = os.path.join(box.venv, "lib", next(iter(os.listdir(os.path.join(box.venv, "lib")))), "site-packages")
    asked = {
        name: os.path.exists(os.path.join(site, f"{name}.dist-info", "REQUESTED"))
        for name in ("alpha-2.0", "beta-1.0")
    }
    assert asked == {"alpha-2.0": False, "beta-1.0": True}
    assert ok(box, "check")


def test_no_network_setting_of_the_users_gets_in_the_way(box: Sandbox) -> None:
    box.write("constraints.txt", "alpha==2.0\n")
    ok(box, "install", "alpha<2")
    ok(box, "install", "-U", "alpha")
    box.variables |= {
        "PIP_CONSTRAINT": "constraints.txt",
        "PIP_TARGET": "away",
        "PIP_QUIET": "3",
        "PIP_DRY_RUN": "1",
    }
    ok(box, "undo")
    assert "alpha==1.0" in box.venv_pip("freeze", env={"PIP_TARGET": None, "PIP_QUIET": None}).text


WRONG = (
    ("0",), ("-1",), ("x",), ("\u00b2",), ("9" * 5000,), ("--to",), ("--to", ""), ("--to", "9" * 5000), ("1", "2"),
)  # fmt: skip


def test_a_wrong_line_changes_nothing(box: Sandbox) -> None:
    ok(box, "install", "many0")
    before = freeze(box)
    for words in WRONG:
        ran = box.run("undo", *words)
        assert (ran.code, len(ran.err) < 400) == (64, True), (words, ran.err)
    assert freeze(box) == before


def test_a_history_that_is_a_pipe_is_none(box: Sandbox) -> None:
    ok(box, "install", "many0")
    path = os.path.join(box.venv, ".safepip", "history")
    os.unlink(path)
    os.mkfifo(path)
    assert ok(box, "history").startswith("nothing was changed")
    ok(box, "install", "many1")
    assert box.run("undo").said[0] == "error: there is nothing to undo in .venv"


def test_without_an_environment_there_is_nothing(box: Sandbox) -> None:
    for word in ("history", "undo"):
        ran = box.run(word)
        assert (ran.code, ran.said[0]) == (3, "error: there is no .venv here yet")
        assert ok(box, word, "--help").startswith(f"usage: safepip {word} ")
