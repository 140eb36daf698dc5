"""All that pip can install arrives in the environment, and every argument as it was typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import machine
import pytest
from sandbox import Kept, Sandbox, make_sdist, put_recording_pip, write_source

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(make_sandbox: Callable[..., Sandbox]) -> Kept:
    box = make_sandbox()
    ran = box.run("install", "many0")
    assert ran.code == 0, ran.err
    return Kept(box)


@pytest.fixture
def emptied(world: Kept) -> Sandbox:
    """Give a project whose environment holds nothing but pip and many0."""
    return world.restore()


def installs(box: Sandbox, *line: str, cwd: str | None = None) -> set[str]:
    ran = box.run("install", "--no-cache-dir", *line, cwd=cwd)
    assert ran.code == 0, ran.err
    return box.packages() - {"pip", "many0"}


def test_wheel_file(emptied: Sandbox) -> None:
    wheel = os.path.join(emptied.variables["PIP_FIND_LINKS"], "beta-1.0-py3-none-any.whl")
    assert installs(emptied, wheel) == {"alpha", "beta"}


def test_sdist_by_name(emptied: Sandbox) -> None:
    assert installs(emptied, "delta") == {"delta"}


def test_sdist_file_with_spaces_in_its_path(emptied: Sandbox) -> None:
    os.makedirs(folder := os.path.join(emptied.root, "with space"), exist_ok=True)
    assert installs(emptied, make_sdist(folder, "echo", "1.0")) == {"echo"}
    assert installs(
        emptied, "--force-reinstall", f"echo @ file://{folder}/echo-1.0.tar.gz".replace(" s", "%20s")
    ) == {"echo"}


def test_the_project_itself(emptied: Sandbox) -> None:
    source = write_source(os.path.join(emptied.project, "own"), "itself")
    before = set(os.listdir(source))
    assert installs(emptied, "./own") == {"itself"}
    assert set(os.listdir(source)) == before


def test_a_dot_and_an_editable_dot(sandbox: Sandbox) -> None:
    write_source(sandbox.project, "dotted")
    assert sandbox.run("install", ".").code == 0
    assert "dotted" in sandbox.packages()
    assert sandbox.run("uninstall", "-y", "dotted").code == 0
    ran = sandbox.run("install", "-e", ".")
    assert ran.code == 0, ran.err
    shown = sandbox.call([sandbox.python, "-c", "import dotted; print(dotted.__file__)"], cwd="/")
    assert shown.text.strip() == os.path.join(sandbox.project, "dotted.py")
    assert b"dotted" in sandbox.run("list", "-e").out


def test_editable_of_another_directory_stays_in_this_project(emptied: Sandbox) -> None:
    other = write_source(os.path.join(emptied.home, "other"), "library")
    assert installs(emptied, "-e", "../other") == {"library"}
    assert not os.path.exists(os.path.join(other, ".venv"))


def test_requirements_and_constraints(emptied: Sandbox) -> None:
    emptied.write("reqs.txt", "beta\n")
    emptied.write("cons.txt", "alpha<2\n")
    assert installs(emptied, "-r", "reqs.txt", "-ccons.txt") == {"alpha", "beta"}
    assert b"alpha==1.0" in emptied.run("freeze").out


def test_requirements_elsewhere_stay_in_this_project(emptied: Sandbox) -> None:
    os.makedirs(folder := os.path.join(emptied.home, "elsewhere"), exist_ok=True)
    with open(os.path.join(folder, "requirements.txt"), "w", encoding="utf-8") as file:
        file.write("alpha\n")
    assert installs(emptied, "-r", "../elsewhere/requirements.txt") == {"alpha"}
    assert os.listdir(folder) == ["requirements.txt"]


def test_requirement_by_variable_only(emptied: Sandbox) -> None:
    emptied.write("reqs.txt", "alpha\n")
    ran = emptied.run("install", env={"PIP_REQUIREMENT": "reqs.txt"})
    assert ran.code == 0, ran.err
    assert "alpha" in emptied.packages()


def test_requirements_from_a_pipe(emptied: Sandbox) -> None:
    ran = emptied.run("install", "-r", "/dev/stdin", stdin=b"alpha\n")
    assert ran.code == 0, ran.err
    assert "alpha" in emptied.packages()


def test_dependency_group(emptied: Sandbox) -> None:
    emptied.write("pyproject.toml", '[dependency-groups]\ndev = ["alpha<2"]\n')
    assert installs(emptied, "--group", "dev") == {"alpha"}
    assert installs(emptied, "--group", "pyproject.toml:dev") == {"alpha"}
    os.unlink(os.path.join(emptied.project, "pyproject.toml"))


def test_extras(emptied: Sandbox) -> None:
    assert installs(emptied, "extra[more]") == {"extra", "alpha"}


def test_git_over_file(emptied: Sandbox) -> None:
    folder = write_source(os.path.join(emptied.root, "repository"), "versioned")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", folder, *words], check=True, env=emptied.environ())
    assert installs(emptied, f"git+file://{folder}") == {"versioned"}


def test_upgrade_and_pin(emptied: Sandbox) -> None:
    installs(emptied, "alpha==1.0")
    assert b"alpha==1.0" in emptied.run("freeze").out
    installs(emptied, "-U", "alpha")
    assert b"alpha==2.0" in emptied.run("freeze").out


def test_packages_of_the_working_directory_do_not_hijack_pip(emptied: Sandbox) -> None:
    names = ("pip.py", "json.py", "virtualenv.py", "os.py", "safepip.py")
    for name in names:
        emptied.write(name, "raise SystemExit('hijacked')\n")
    assert installs(emptied, "alpha") == {"alpha"}
    for name in names:
        os.unlink(os.path.join(emptied.project, name))


# --- the user site

USER = (
    (["--user"], {}, "", "--user"),
    ([], {"PIP_USER": "1"}, "", "PIP_USER"),
    ([], {"PIP_NO_USER": "1"}, "", "PIP_NO_USER"),
    ([], {}, "[install]\nuser = true\n", "pip.conf"),
    ([], {}, "[global]\nuser = yes\n", "pip.conf"),
    (["--user", "--isolated"], {}, "", "--user"),
)


@pytest.mark.parametrize(
    ("options", "variables", "configuration", "named"),
    USER,
    ids=["flag", "variable", "inverse", "install", "global", "isolated"],
)
def test_user_installs_go_into_the_environment_with_one_notice(
    emptied: Sandbox, options: list[str], variables: dict[str, str], configuration: str, named: str
) -> None:
    if configuration:
        machine.skip_where_pip_reads_files()
    os.makedirs(folder := os.path.join(emptied.home, ".config", "pip"), exist_ok=True)
    with open(path := os.path.join(folder, "pip.conf"), "w", encoding="utf-8") as file:
        file.write(configuration)
    links = ["--no-index", "-f", emptied.variables["PIP_FIND_LINKS"]]
    ran = emptied.run("install", *links, *options, "alpha", env=variables)
    os.unlink(path)
    assert ran.code == 0, ran.err
    assert "alpha" in emptied.packages()
    assert len(ran.said) == 1
    assert named in ran.said[0]
    assert "has no meaning in .venv; left out" in ran.said[0]
    assert not os.path.exists(os.path.join(emptied.home, ".local", "lib"))


@pytest.mark.parametrize("line", [["list"], ["freeze"], ["inspect"]], ids=" ".join)
def test_looking_with_user_set_sees_the_environment(emptied: Sandbox, line: list[str]) -> None:
    ran = emptied.run(*line, env={"PIP_USER": "1"})
    assert b"many0" in ran.out
    assert ran.code == 0
    assert len(ran.said) == (0 if line == ["freeze"] else 1)


def test_quiet_keeps_the_notice_back(emptied: Sandbox) -> None:
    assert emptied.run("install", "-q", "--user", "alpha").err == b""
    assert emptied.run("install", "--user", "alpha", env={"PIP_QUIET": "1"}).err == b""


# --- arguments arrive as typed


@pytest.fixture(scope="module")
def recorded(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    box = make_sandbox()
    assert box.run("install", "many0").code == 0
    put_recording_pip(box.venv)
    box.variables["RECORD"] = os.path.join(box.root, "record.json")
    return box


def arrived(box: Sandbox) -> dict[str, object]:
    with open(box.variables["RECORD"], encoding="utf-8") as file:
        record: dict[str, object] = json.load(file)
    os.unlink(box.variables["RECORD"])
    record["argv"] = [bytes.fromhex(word) for word in record["argv"]]  # type: ignore[attr-defined]
    record["environ"] = {bytes.fromhex(k): bytes.fromhex(v) for k, v in record["environ"].items()}  # type: ignore[attr-defined]
    return record


ARGUMENTS = (
    [b"install", b"a b", b"", b"  ", b"\t"],
    [b"install", "päckage-名前".encode(), "\U0001f40d".encode()],
    [b"install", b"\xff\xfe", b"a\x80b", b"-f", b"\xc3("],
    [b"install", b"line\nbreak", b"'quoted \"words\"'", b"$HOME", b"`x`", b"\\", b"*"],
    [b"install", b"a; python_version>\"2\"", b"name @ file:///a b"],
    [b"install", b"-qUr", b"pyproject file", b"--", b"--user", b"-t"],
    [b"install", b"x" * 100_000],
    [b"list", b"--", b"--user"],
    [b"-v", b"--proxy", b"install", b"install", b"alpha"],
    [b"show", b"", b"-f", b"--files"],
    [b"config", b"set", b"global.x", b" y "],
    [b"an unknown word", b"--bogus"],
)  # fmt: skip


@pytest.mark.parametrize("line", ARGUMENTS, ids=lambda line: ascii(b" ".join(line))[:40])
def test_arguments_arrive_byte_for_byte(recorded: Sandbox, line: list[bytes]) -> None:
    recorded.write("pyproject file", "")
    ran = recorded.run(*line)
    assert (ran.code, ran.out, ran.err) == (0, b"", b"")
    assert arrived(recorded)["argv"][1:] == line  # type: ignore[index]


def test_only_the_word_user_is_dropped_where_it_was_the_option(recorded: Sandbox) -> None:
    recorded.write("--user", "")
    assert recorded.run("install", "--user", "-r", "--user", "--", "--user").code == 0
    assert arrived(recorded)["argv"][1:] == [b"install", b"-r", b"--user", b"--", b"--user"]  # type: ignore[index]


def test_own_options_before_the_subcommand_are_dropped(recorded: Sandbox) -> None:
    words = ["--lib", "-v", "--env", recorded.venv, "--no-input", "install", "--", "--env", "--system"]
    assert recorded.run(*words).code == 0
    assert arrived(recorded)["argv"][1:] == [b"-v", b"--no-input", b"install", b"--", b"--env", b"--system"]  # type: ignore[index]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 23, 120, 255])
def test_pips_exit_code_is_safepips(recorded: Sandbox, code: int) -> None:
    assert recorded.run("list", env={"RECORDED_CODE": str(code)}) == (code, b"", b"")
    assert recorded.run("install", "x", env={"RECORDED_CODE": str(code)}) == (code, b"", b"")


def test_variables_that_pip_gets(recorded: Sandbox) -> None:
    given = {
        "PIP_INDEX_URL": "https://u:p@example.invalid/simple", "HTTPS_PROXY": "http://p:1", "EMPTY": "",
        "PYTHONHOME": sys.base_prefix, "_PIP_ODD": "\udcff", "PIP_CERT": "/c", "PIP_CONFIG_FILE": os.devnull, "PYTHONWARNINGS": "",
    }  # fmt: skip
    assert recorded.run("install", "x", env=given).code == 0
    got = arrived(recorded)["environ"]
    assert isinstance(got, dict)
    for name in given.keys() - {"PYTHONHOME"}:
        assert got[os.fsencode(name)] == os.fsencode(given[name]), name
    assert b"PYTHONHOME" not in got
    assert got[b"VIRTUAL_ENV"] == os.fsencode(recorded.venv)
    assert got[b"PATH"] == os.fsencode(f"{recorded.venv}/bin:{recorded.variables['PATH']}")
    assert [name for name in got if name.startswith(b"SAFEPIP_RUN")] == []


def test_pip_is_started_as_its_own_launcher_would(recorded: Sandbox) -> None:
    assert recorded.run("list").code == 0
    record = arrived(recorded)
    assert record["argv"] == [os.fsencode(os.path.join(recorded.venv, "bin", "pip")), b"list"]
    assert record["prefix"] == recorded.venv
    assert record["cwd"] == recorded.project
    path = record["path"]
    assert isinstance(path, list)
    assert path[0] == os.path.join(recorded.venv, "bin")
    assert not [entry for entry in path if entry in {"", recorded.project} or "after_pip" in entry]
