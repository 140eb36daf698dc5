"""`safepip explain`: one answer for every plan, in both forms, and nothing is touched."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from sandbox import Sandbox, look

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow
KEYS = [
    "plan",
    "subcommand",
    "interpreter",
    "managed",
    "environment",
    "project",
    "because",
    "argv",
    "records",
    "policy",
]


@pytest.fixture(scope="module")
def fresh(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Give a world with a cold cache: not even that may be filled."""
    return make_sandbox(cold=True)


def explain(box: Sandbox, *words: str | bytes, **how: object) -> dict[str, object]:
    ran = box.run("explain", "--json", *words, **how)
    assert (ran.code, ran.err) == (0, b""), ran.err
    explained: dict[str, object] = json.loads(ran.out)
    assert sorted(explained) == sorted(KEYS)
    assert isinstance(explained["because"], str)
    assert explained["because"]
    return explained


FRESH = (
    (["install", "alpha"], "create", "install"),
    (["install", "--dry-run", "alpha"], "ephemeral", "install"),
    (["list"], "pip", "list"),
    (["install", "--help"], "pip", "install"),
    (["--help"], "pip", None),
    (["--", "install", "alpha"], "create", "install"),
    (["--json"], "pip", None),
    (["isntall"], "pip", None),
    (["install", "-r"], "pip", "install"),
    (["install", "--target", "d", "alpha"], "pip", "install"),
    (["--system", "install", "alpha"], "pip", "install"),
    (["--lib", "install", "alpha"], "create", "install"),
    (["uninstall", "alpha"], "pip", "uninstall"),
    (["--python", "/usr/bin/python3", "install", "alpha"], "create", "install"),
)


@pytest.mark.parametrize(
    ("line", "plan", "subcommand"), FRESH, ids=lambda one: " ".join(one) if isinstance(one, list) else ""
)
def test_every_line_in_a_fresh_project(fresh: Sandbox, line: list[str], plan: str, subcommand: str | None) -> None:
    before = look(fresh.home), look(fresh.temporary)
    explained = explain(fresh, *line)
    text = fresh.run("explain", *(["--json"] if line[:1] == ["--json"] else []), *line)
    assert (look(fresh.home), look(fresh.temporary)) == before
    assert (explained["plan"], explained["managed"], explained["project"]) == (plan, True, fresh.project)
    assert explained["subcommand"] == subcommand
    assert explained["interpreter"] == "/usr/bin/python3"
    assert explained["environment"] == (fresh.venv if plan == "create" else None)
    assert explained["argv"]
    assert (text.code, text.err) == (0, b"")


def test_env_option_belongs_to_the_explained_line(fresh: Sandbox) -> None:
    there = os.path.join(fresh.project, "there")
    explained = explain(fresh, "--env", "there", "install", "alpha")
    assert (explained["plan"], explained["environment"]) == ("create", there)


def test_project_option_belongs_to_the_explained_line(fresh: Sandbox) -> None:
    explained = explain(fresh, "--project", fresh.project, "install", "alpha", cwd=fresh.home)
    assert (explained["project"], explained["environment"]) == (fresh.project, fresh.venv)


def test_bytes_that_are_no_utf8_are_lone_surrogates(fresh: Sandbox) -> None:
    ran = fresh.run("explain", "--json", "install", b"\xff\xc3(")
    assert ran.out.isascii()
    assert json.loads(ran.out)["argv"][-1] == "\udcff\udcc3("
    text = fresh.run("explain", "install", b"\xff", env={"LANG": "C"})
    assert (text.code, text.err) == (0, b"")


def test_json_is_one_line_of_one_object(fresh: Sandbox) -> None:
    ran = fresh.run("explain", "--json", "install", "a\nb")
    assert ran.out.count(b"\n") == 1
    assert ran.out.endswith(b"}\n")


def test_an_existing_environment(furnished: Sandbox) -> None:
    explained = explain(furnished, "install", "alpha")
    assert (explained["plan"], explained["environment"]) == ("environment", furnished.venv)
    assert explained["argv"][0] == furnished.python  # type: ignore[index]
    assert explained["argv"][2:] == ["install", "alpha"]  # type: ignore[index]
    text = furnished.run("explain", "install", "alpha").text.splitlines()
    assert (
        text[0] == f"would install in {furnished.venv} (Python 3.11), which exists" or "would install" in text[0]
    )
    assert text[1].startswith("  because  ")


def test_help_in_an_existing_environment_means_its_pip(furnished: Sandbox) -> None:
    explained = explain(furnished, "--help")
    assert (explained["plan"], explained["environment"]) == ("pip", furnished.venv)


def test_active_environment_means_its_pip(furnished: Sandbox) -> None:
    explained = explain(furnished, "install", "x", env={"PATH": f"{furnished.venv}/bin:/usr/bin:/bin"})
    assert (explained["plan"], explained["environment"]) == ("pip", furnished.venv)


def test_outside_a_project(fresh: Sandbox) -> None:
    explained = explain(fresh, "install", "alpha", cwd=fresh.home)
    home = os.path.join(fresh.home, ".local", "share", "safepip", "home")
    assert (explained["plan"], explained["environment"], explained["project"]) == ("create", home, None)


def test_a_redirect_is_resolved(furnished: Sandbox) -> None:
    os.makedirs(folder := os.path.join(furnished.home, "redirected"))
    with open(os.path.join(folder, ".venv"), "w", encoding="utf-8") as file:
        file.write(f"{furnished.venv}\n")
    explained = explain(furnished, "install", "alpha", cwd=folder)
    assert (explained["plan"], explained["environment"], explained["project"]) == (
        "environment",
        furnished.venv,
        folder,
    )


def test_a_broken_environment_is_refused(fresh: Sandbox) -> None:
    os.makedirs(folder := os.path.join(fresh.home, "broken", ".venv"))
    with open(os.path.join(folder, "something"), "w", encoding="utf-8"):
        pass
    explained = explain(fresh, "install", "alpha", cwd=os.path.dirname(folder))
    assert (explained["plan"], explained["argv"]) == ("refuse", [])
    assert fresh.run("explain", "install", "alpha", cwd=os.path.dirname(folder)).text.startswith(
        "would refuse: .venv "
    )


def test_unmanaged_interpreter(fresh: Sandbox, unmanaged_python: str) -> None:
    path = f"{os.path.dirname(unmanaged_python)}:/usr/bin:/bin"
    explained = explain(fresh, "install", "alpha", env={"PATH": path})
    assert (explained["plan"], explained["managed"], explained["environment"]) == ("pip", False, None)
    assert str(explained["interpreter"]).startswith(os.path.dirname(unmanaged_python))


def test_what_is_explained_is_what_is_run(sandbox: Sandbox) -> None:
    assert explain(sandbox, "install", "alpha")["plan"] == "create"
    assert sandbox.run("install", "alpha").code == 0
    explained = explain(sandbox, "freeze", "--all")
    argv = explained["argv"]
    assert isinstance(argv, list)
    assert sandbox.call(argv).out == sandbox.run("freeze", "--all").out


def test_a_whole_line_is_explained_as_it_would_be_typed(fresh: Sandbox) -> None:
    plain = fresh.run("explain", "install", "alpha")
    for before in (["pip"], ["pip3"], ["python3", "-m", "pip"], ["python", "-m", "pip"], ["safepip"]):
        assert fresh.run("explain", *before, "install", "alpha") == plain
    other = fresh.run("explain", "python3.999", "-m", "pip", "install", "alpha")
    assert "there is no python3.999 on PATH" in other.out.decode()


def test_explain_without_a_line_is_a_wrong_use(fresh: Sandbox) -> None:
    ran = fresh.run("explain")
    assert (ran.code, ran.out) == (64, b"")
    assert explain(fresh)["plan"] == "pip"  # as JSON the bare line has its answer as any other
    assert "usage: safepip explain [--json] PIP-ARGUMENTS" in ran.said
    assert fresh.run("explain", "--help").out.startswith(b"usage: safepip explain [--json] PIP-ARGUMENTS\n")


def test_a_word_of_safepips_own_is_explained_as_such(fresh: Sandbox) -> None:
    assert explain(fresh, "run", "x")["because"] == "the word is safepip's own"
    told = fresh.run("explain", "run", "x")
    assert (told.code, told.out.decode().splitlines()[0]) == (
        0,
        "would do it itself: run is a verb of safepip's",
    )
