"""What pip gets that safepip runs for its own purposes."""

from __future__ import annotations

import json
import os
import sys

import pytest

from safepip.core.pip_line import dests, keys
from safepip.core.pip_options import OPTIONS, SPECS
from safepip.core.world import USABLE, Environment
from safepip.envs.pip import own_variables, run_pip

RECORDING = """#!{python}
import json, os, sys
with open({record!r}, "w") as file:
    json.dump([sys.argv[1:], dict(os.environ)], file)
sys.stderr.write(os.environ.get("SAID", ""))
sys.exit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture
def run(work, monkeypatch):
    """Run pip in an environment whose Python records; return why it failed, and the variables that it had."""
    path, record = os.path.join(work, ".venv"), os.path.join(work, "record")
    os.makedirs(os.path.join(path, "bin"))
    python = os.path.join(path, "bin", "python")
    with open(python, "w") as file:
        file.write(RECORDING.format(python=sys.executable, record=record))
    os.chmod(python, 0o755)

    def run(*, sealed=False, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        found = Environment(path=path, known_as=path, state=USABLE, python=python)
        failed = run_pip(found, ("install", "x"), sealed=sealed)
        with open(record) as file:
            return failed, json.load(file)[1]

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for Python")
class TestRunPip:
    def test_a_user_site_asked_for_in_a_configuration_file_is_out_of_force(self, run):
        failed, environ = run(PIP_USER="1", PIP_TARGET="/x", PIP_INDEX_URL="https://x/s")
        assert failed == ""
        assert environ["PIP_USER"] == "0"
        assert environ["PIP_INDEX_URL"] == "https://x/s"
        assert "PIP_TARGET" not in environ

    def test_sealed_it_has_no_settings_at_all(self, run):
        _, environ = run(sealed=True, PIP_INDEX_URL="https://x/s")
        assert {name for name in environ if name.startswith("PIP_")} == {"PIP_CONFIG_FILE"}
        assert environ["PIP_CONFIG_FILE"] == os.devnull

    @pytest.mark.parametrize(
        ("said", "why"),
        [("ERROR: no x\nmore", "no x"), ("a\nb", "b"), ("ERROR: Exception:\nb", "b"), ("", "pip ended with 3")],
        ids=["error", "text", "exception", "none"],
    )
    def test_it_tells_why_it_failed(self, run, said, why):
        assert run(CODE="3", SAID=said)[0] == why


KINDS = ("source", "build", "wanted", "place", "effect")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec[0][0])
def test_every_option_of_pips_is_of_one_kind(spec):
    assert [kind for kind in spec[6] if kind in KINDS] == [spec[6][0]]
    assert set(spec[6][1:]) <= {"idle", "pipx", "own"}


def test_an_option_is_the_same_thing_to_each_subcommand_that_installs_or_fetches():
    for name in ("lock", "download", "wheel"):
        assert {SPECS[at][1] for at in OPTIONS[name]} <= {dest for kind in KINDS for dest in dests(kind)}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec[0][0])
def test_a_pip_of_safepips_own_hears_of_sources_and_builds_alone(spec, home, monkeypatch):
    names = [name[2:] for name in spec[0] if name.startswith("--")]
    variables = {f"PIP_{name.upper().replace('-', '_')}": "1" for name in names}
    found = own_variables({"HOME": str(home), "LANG": "C", **variables})
    kept = variables if spec[6][0] in {"source", "build"} else {}
    assert found == {"HOME": str(home), "LANG": "C", "PIP_CONFIG_FILE": os.devnull, "PIP_USER": "0", **kept}


def test_it_hears_of_the_sources_in_configuration_files_and_of_nothing_else_there(work):
    path = os.path.join(work, "pip.conf")
    with open(path, "w") as file:
        file.write("[global]\nindex-url = https://x/s\nconstraint = c.txt\ngroup = dev\n")
        file.write("[install]\ntarget = /t\nno-binary =\n  a\n  b\n[list]\nproxy = p\n")
    found = own_variables({"PIP_CONFIG_FILE": path, "PIP_PROXY": "q", "PIP_GROUP": "dev", "_PIP_X": "1"})
    expected = {"PIP_INDEX_URL": "https://x/s", "PIP_NO_BINARY": "\na\nb", "PIP_PROXY": "q"}
    assert found == {**expected, "PIP_CONFIG_FILE": os.devnull, "PIP_USER": "0"}


def test_kinds_are_told_by_key_and_by_dest():
    assert {"index-url", "pypi-url"} <= keys("source")
    assert "index_url" in dests("source")
    assert "group" not in keys("source") | keys("build")
