"""`upgrade` with real pip: one run whose resolver sees everything, and an undo that takes all of it back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest
from sandbox import Sandbox, make_wheel, write_source

pytestmark = pytest.mark.slow
MakeSandbox = Callable[..., Sandbox]


@pytest.fixture(scope="module")
def index(base: str) -> str:
    """Give an index whose newest versions do not all fit together."""
    folder = os.path.join(base, "upgrade-wheels")
    os.mkdir(folder)
    for version in ("1.0", "1.5", "2.0"):
        make_wheel(folder, "low", version)
        make_wheel(folder, "free", version, commands=["free"])
    make_wheel(folder, "needy", "1.0", requires=["low<2"])
    make_wheel(folder, "dep", "1.0")
    make_wheel(folder, "dep", "1.1", requires=["brandnew"])
    make_wheel(folder, "dep", "2.0", requires=["brandnew", "low>=2"])
    make_wheel(folder, "brandnew", "3.0")
    make_wheel(folder, "app", "1.0", requires=["dep"])
    make_wheel(folder, "rival", "1.0", requires=["low<1.2"])
    make_wheel(folder, "rival", "2.0", requires=["low<1.8"])
    make_wheel(folder, "pip", "99.0")
    return folder


@pytest.fixture
def box(make_sandbox: MakeSandbox, index: str) -> Sandbox:
    box = make_sandbox()
    box.variables["PIP_FIND_LINKS"] = index
    return box


def ok(box: Sandbox, *words: str, **how: object) -> str:
    ran = box.run(*words, **how)
    assert ran.code == 0, (words, ran.err)
    return ran.text


def planned(box: Sandbox, *words: str, **how: object) -> dict[str, dict[str, tuple[str | None, ...]]]:
    told = json.loads(ok(box, "upgrade", "--dry-run", "--json", *words, **how))
    assert set(told) == {"environment", "changes", "held", "left"}
    return {
        "changes": {one["name"]: (one["from"], one["to"]) for one in told["changes"]},
        "held": {one["name"]: (one["version"], one["latest"], one["because"]) for one in told["held"]},
        "left": {one["name"]: (one["version"], one["because"]) for one in told["left"]},
    }


def requested(box: Sandbox) -> set[str]:
    site = next(path for path, _, _ in os.walk(box.venv) if path.endswith("site-packages"))
    infos = [name for name in os.listdir(site) if os.path.exists(os.path.join(site, name, "REQUESTED"))]
    return {info.partition("-")[0] for info in infos}


def test_all_that_can_move_moves_and_nothing_breaks(box: Sandbox) -> None:
    ok(box, "install", "low==1.0", "dep==1.0")
    ok(box, "install", "needy", "free==1.0", "app")
    before, asked = ok(box, "freeze"), requested(box)
    assert planned(box) == {
        "changes": {
            "low": ("1.0", "1.5"),
            "free": ("1.0", "2.0"),
            "dep": ("1.0", "1.1"),
            "brandnew": (None, "3.0"),
        },
        "held": {
            "low": ("1.5", "2.0", "needy 1.0 needs low<2"),
            "dep": ("1.1", "2.0", "it does not fit with what else is installed, or your constraints for pip"),
        },
        "left": {},
    }
    assert ok(box, "freeze") == before
    told = ok(box, "upgrade")
    assert "low       1.0 -> 1.5" in told
    assert "Successfully installed brandnew-3.0 dep-1.1 free-2.0 low-1.5" in told
    assert ok(box, "check") == "No broken requirements found.\n"
    assert requested(box) == asked
    entries = json.loads(ok(box, "history", "--json"))
    assert [entry["line"] for entry in entries][2:] == ["upgrade"]
    ran = box.run("upgrade")
    assert (ran.code, ran.text.splitlines()[-1]) == (0, "nothing to upgrade in .venv")
    ok(box, "undo")
    assert ok(box, "freeze") == before
    assert os.listdir(box.temporary) == []


def test_where_nothing_is_outdated_one_line_says_so(box: Sandbox) -> None:
    ok(box, "install", "free")
    assert ok(box, "upgrade") == "nothing to upgrade in .venv\n"
    assert len(json.loads(ok(box, "history", "--json"))) == 1


def test_a_named_package_takes_only_what_it_needs(box: Sandbox) -> None:
    ok(box, "install", "low==1.0", "free==1.0", "dep==1.0", "app")
    assert planned(box, "dep")["changes"] == {
        "dep": ("1.0", "2.0"),
        "low": ("1.0", "2.0"),
        "brandnew": (None, "3.0"),
    }
    ok(box, "upgrade", "Free")
    assert {"free==2.0", "low==1.0", "dep==1.0"} < set(ok(box, "freeze").split())


def test_pins_of_the_project_hold(box: Sandbox) -> None:
    ok(box, "install", "low==1.0", "free==1.0", "dep==1.0", "rival==1.0")
    box.write("requirements.txt", "-r requirements/base.txt\nlow==1.0 \\\n    --hash=sha256:00\n")
    box.write("requirements/base.txt", "free<2 ; python_version > '3'\n")
    box.write("pyproject.toml", '[project]\nname = "me"\nversion = "1"\ndependencies = ["dep~=1.0"]\n')
    told = planned(box)
    assert told["changes"] == {
        "dep": ("1.0", "1.1"),
        "free": ("1.0", "1.5"),
        "brandnew": (None, "3.0"),
        "rival": ("1.0", "2.0"),
    }
    assert {name: why for name, (_, _, why) in told["held"].items()} == {
        "low": "requirements.txt says low==1.0",
        "free": "base.txt says free<2",
        "dep": "pyproject.toml says dep~=1.0",
    }
    own = {"PIP_CONSTRAINT": box.write("mine.txt", "dep==1.0\nfree==1.0\n")}
    assert planned(box, env=own)["changes"] == {"rival": ("1.0", "2.0")}


def test_a_file_of_another_environment_pins_nothing(box: Sandbox) -> None:
    ok(box, "install", "free==1.0")
    box.write("requirements.txt", "free>=1\n")
    box.write("requirements-old.txt", "free==0.5\n")
    assert planned(box)["changes"] == {"free": ("1.0", "2.0")}


def test_sources_in_a_requirements_file_are_used(box: Sandbox, index: str) -> None:
    ok(box, "install", "free==1.0")
    os.symlink(index, os.path.join(box.project, "wheel house"))
    box.write("requirements.txt", '--find-links "wheel house"\n--no-index\nfree\n')
    gone = {"PIP_FIND_LINKS": None, "PIP_NO_INDEX": None, "PIP_INDEX_URL": "http://localhost:1/"}
    assert planned(box, env=gone)["changes"] == {"free": ("1.0", "2.0")}
    ok(box, "upgrade", env=gone)
    assert "free==2.0" in ok(box, "freeze")


def test_editable_installs_and_urls_are_left_alone_and_named(box: Sandbox, index: str) -> None:
    write_source(os.path.join(box.project, "lib"), "library")
    ok(box, "install", "-e", "./lib", os.path.join(index, "low-1.0-py3-none-any.whl"), "free==1.0")
    assert planned(box) == {
        "changes": {"free": ("1.0", "2.0")},
        "held": {},
        "left": {"library": ("1.0", "editable"), "low": ("1.0", "from a URL or directory")},
    }
    assert "left alone: " in ok(box, "upgrade", "--dry-run")
    assert "low 1.0 (from a URL or directory)" in ok(box, "upgrade", "low")
    frozen = ok(box, "freeze")
    assert "free==1.0" in frozen
    assert "low @ file://" in frozen


def test_pip_moves_only_if_it_is_named(box: Sandbox) -> None:
    ok(box, "install", "free")
    assert "pip" not in planned(box)["changes"]
    assert list(planned(box, "pip")["changes"]) == ["pip"]


def test_what_does_not_fit_together_already_does_not_stop_the_rest(box: Sandbox) -> None:
    ok(box, "install", "needy", "free==1.0")
    ok(box, "install", "--no-deps", "low==2.0")
    assert planned(box)["changes"] == {"free": ("1.0", "2.0")}


def test_the_environment_in_force_is_upgraded(box: Sandbox) -> None:
    for where in (("--env", "other"), ()):
        ok(box, *where, "install", "free==1.0")
    ok(box, "install", "free==1.0", cwd=box.home)
    ok(box, "--env", "other", "upgrade")
    active = {"PATH": f"{box.project}/other/bin:{box.variables['PATH']}"}
    assert ok(box, "upgrade", env=active) == "nothing to upgrade in other\n"
    ok(box, "upgrade", cwd=box.home)
    assert "free==2.0" in ok(box, "freeze", cwd=box.home)
    assert "free==1.0" in ok(box, "freeze")


def test_a_file_that_only_older_versions_would_satisfy_lets_nothing_move_further(box: Sandbox) -> None:
    ok(box, "install", "free==1.5", "low==1.0")
    box.write("requirements.txt", "free<1.2\nlow>=1.5\n")
    told = planned(box)
    assert told["changes"] == {"low": ("1.0", "2.0")}
    assert told["held"] == {"free": ("1.5", "2.0", "requirements.txt says free<1.2")}


def test_a_pip_without_reports_is_told(box: Sandbox) -> None:
    ok(box, "install", "free==1.0")
    site = next(path for path, _, _ in os.walk(box.venv) if path.endswith("site-packages"))
    info = next(name for name in os.listdir(site) if name.startswith("pip-"))
    path = os.path.join(site, info, "METADATA")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    os.unlink(path)  # other environments may share it
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(f"Version: {info.split('-')[1].removesuffix('.dist')}", "Version: 21.3"))
    ran = box.run("upgrade")
    assert ran.code == 1
    assert "its pip 21.3 cannot tell what it would install" in ran.said[0]
    assert ran.said[1] == "upgrade that first: safepip install -U pip"


def test_json_is_alone_on_standard_output(box: Sandbox) -> None:
    ok(box, "install", "free==1.0")
    ran = box.run("upgrade", "--json")
    assert ran.code == 0
    assert [one["name"] for one in json.loads(ran.text)["changes"]] == ["free"]
    assert b"Successfully installed free-2.0" in ran.err


def test_a_wrong_use_is_told(box: Sandbox) -> None:
    ok(box, "install", "free==1.0")
    for line in ("upgrade nowhere", "upgrade --nonsense", "--save upgrade", "upgrade --apps nowhere"):
        assert box.run(*line.split()).code == 64, line
    assert "free==1.0" in ok(box, "freeze")


def test_without_an_environment_nothing_is_made(box: Sandbox) -> None:
    ran = box.run("upgrade")
    assert ran.code == 3
    assert os.listdir(box.project) == []


def test_an_environment_that_is_not_trusted_is_refused(box: Sandbox) -> None:
    ok(box, "install", "free==1.0")
    os.rename(box.venv, os.path.join(box.project, "theirs"))
    os.symlink("theirs", box.venv)
    box.call(["git", "init", "-q"])
    box.call(["git", "add", "-f", "theirs/pyvenv.cfg", ".venv"])
    box.variables["XDG_STATE_HOME"] = os.path.join(box.home, "fresh")
    assert box.run("upgrade").code == 77


def test_where_pip_cannot_ask_nothing_changes(box: Sandbox) -> None:
    ok(box, "install", "free==1.0")
    ran = box.run(
        "upgrade",
        env={
            "PIP_FIND_LINKS": None,
            "PIP_NO_INDEX": None,
            "PIP_INDEX_URL": "http://localhost:1/",
            "PIP_RETRIES": "0",
        },
    )
    assert ran.code in {0, 1}
    assert "free==1.0" in ok(box, "freeze")


def test_an_index_that_does_not_answer_is_an_error(box: Sandbox) -> None:
    ok(box, "install", "low==1.0")
    box.variables.update(
        PIP_FIND_LINKS="", PIP_NO_INDEX="0", PIP_RETRIES="0", PIP_INDEX_URL="http://127.0.0.1:9/simple"
    )
    ran = box.run("upgrade")
    assert (ran.code, ran.text) == (1, "")
    assert "Could not fetch URL http://127.0.0.1:9/simple/low/" in " ".join(ran.said)


def test_an_upgrade_does_not_get_past_required_hashes(box: Sandbox) -> None:
    ok(box, "install", "low==1.0")
    ran = box.run("upgrade", env={"PIP_REQUIRE_HASHES": "1"})
    assert (ran.code, ran.text) == (1, "")
    assert "require-hashes is set (PIP_REQUIRE_HASHES)" in " ".join(ran.said)
    assert "low==1.0" in ok(box, "freeze")
    assert planned(box, env={"PIP_REQUIRE_HASHES": "0"})["changes"]["low"] == ("1.0", "2.0")


def test_only_names_can_be_upgraded(box: Sandbox) -> None:
    ok(box, "install", "low==1.0")
    lines = [("--", name) for name in ("low>=2", "-x", "", "a b", "low[x]", "./low", "\udcff")]
    for line in (*lines, ("--apps", "--", "low>=2")):
        ran = box.run("upgrade", *line)
        assert (ran.code, ran.text) == (64, "")
        assert [said for said in ran.said if "is not the name of a package" in said] != []
