"""What pip gets that safepip runs for its own purposes."""

from __future__ import annotations

import json
import os
import sys

import pytest

from safepip.envs.pip import run_pip
from safepip.system.environment import USABLE, Environment

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
        found = Environment(path=path, named=path, state=USABLE, python=python)
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
