"""How safepip finds out who installed it, and what it says of the commands for that."""

from __future__ import annotations

import json
import os
import sys

import pytest

from safepip.core.invocation import read_invocation
from safepip.core.record import replace
from safepip.doctor import installation
from safepip.report import Report
from safepip.system.observe import Context, ambient


def context(*words, prefix=sys.prefix):
    there = replace(ambient(), prefix=prefix, base_prefix="/usr")
    return Context(read_invocation("safepip", words, module=False), there)


@pytest.fixture
def of(monkeypatch, tmp_path):
    """Have safepip lie in a directory of a name; give that directory."""

    def place(name):
        module = tmp_path / name / "safepip" / "doctor" / "installation.py"
        module.parent.mkdir(parents=True)
        monkeypatch.setattr(installation, "__file__", str(module))
        return tmp_path / name

    return place


@pytest.mark.parametrize(
    ("file", "by", "update"),
    [
        ("pipx_metadata.json", "pipx", "pipx upgrade safepip"),
        ("uv-receipt.toml", "uv tool", "uv tool upgrade safepip"),
        ("nothing special", "pip in {prefix}", "{prefix}/bin/python -m pip install -U safepip"),
    ],
)
def test_a_tools_environment_is_known_by_the_file_that_the_tool_leaves(of, tmp_path, file, by, update):
    of("lib")
    prefix = tmp_path / "venv"
    prefix.mkdir()
    (prefix / file).write_text("")
    own = installation.own_installation(context(prefix=str(prefix)))
    assert (own.by, own.update) == (by.format(prefix=prefix), update.format(prefix=prefix))
    assert own.repair
    assert own.remove


def test_pip_is_told_to_take_it_from_where_it_had_it(of, tmp_path):
    of("lib")
    noted = tmp_path / "lib" / "python3.12" / "site-packages" / "safepip-1.dist-info" / "direct_url.json"
    noted.parent.mkdir(parents=True)
    for text, source in (('{"url": "file:///a b/clone"}', "'/a b/clone'"), ("torn", "safepip"), ("[]", "safepip")):
        noted.write_text(text)
        assert installation.of_environment(str(tmp_path)).update.endswith(f"pip install -U {source}")


def test_what_bootstrap_noted_is_what_is_said(of, tmp_path):
    app = of("lib").parent
    noted = {"again": "python3 /c/bootstrap.py", "update": "git pull && …", "remove": "… --uninstall"}
    (app / ".bootstrap").write_text(json.dumps(noted))
    own = installation.own_installation(context())
    assert (own.by, own.update, own.repair, own.remove) == ("bootstrap.py", *(noted[key] for key in ("update", "again", "remove")))  # fmt: skip
    (app / ".bootstrap").write_text("torn")
    assert installation.own_installation(context()).by.startswith("pip in ")


@pytest.mark.parametrize(("mark", "by"), [("counted", "safepip.pyz"), (".git", "the clone ")])
def test_the_archive_and_a_clone_are_told_apart(of, mark, by):
    (of("here") / mark).write_text("")
    assert installation.own_installation(context()).by.startswith(by)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("install", "-U", "safepip"), "to update that one: "),
        (("install", "--upgrade", "SafePip==2", "six"), "to update that one: "),
        (("uninstall", "-y", "safepip"), "to remove that one: "),
        (("install", "safepip"), ""),
        (("install", "-U", "safepip-plugin"), ""),
        (("show", "safepip"), ""),
    ],
)
def test_what_would_change_another_copy_says_how_this_one_is_changed(capfd, words, said):
    installation.tell("/elsewhere/.venv", context(*words), Report())
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == (2 if said else 0)
    assert all("/elsewhere/.venv" in line for line in lines[:1])
    assert all(said in line for line in lines[1:])


def test_nothing_is_said_where_it_is_its_own_environment(capfd, tmp_path):
    os.symlink(tmp_path, tmp_path / "link")
    installation.tell(str(tmp_path / "link"), context("install", "-U", "safepip", prefix=str(tmp_path)), Report())
    assert capfd.readouterr().err == ""


def test_a_safepip_on_path_whose_python_was_replaced_is_named_with_its_tools_command(of, environment, monkeypatch):
    of("lib")
    version = f"python3.{sys.version_info[1]}"
    os.rename(os.path.join(environment, "lib", version), os.path.join(environment, "lib", "python3.2"))
    config = os.path.join(environment, "pyvenv.cfg")
    with open(config, encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("version")]
    with open(config, "w", encoding="utf-8") as file:
        file.writelines([*lines, "version = 3.2.1\n"])
    program = os.path.join(environment, "bin", "safepip")
    with open(program, "w", encoding="utf-8") as file:
        file.write(f"#!{environment}/bin/python\nfrom safepip.cli import main\n")
    os.chmod(program, 0o755)
    with open(os.path.join(environment, "pipx_metadata.json"), "w", encoding="utf-8") as file:
        file.write("{}")
    monkeypatch.setenv("PATH", os.path.dirname(program))
    found = {one.id: one for one in installation.check(context(prefix="/elsewhere"))}
    problem = found["safepip-without-python"]
    assert "was made with Python 3.2, which is gone" in problem.why
    assert (problem.status, problem.command) == ("problem", "pipx reinstall safepip")
