from __future__ import annotations

import os
import re
from importlib.metadata import PackageNotFoundError

import pytest

from safepip.doctor.advisories import FLOORS, dated
from safepip.doctor.facts import Dated, Facts
from safepip.doctor.findings import findings

PYPROJECT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "pyproject.toml")


def test_pyproject_demands_the_same():
    with open(PYPROJECT, encoding="utf-8") as file:
        needed = file.read().partition("\ndependencies = [")[2].partition("\n]")[0]
    demanded = dict(re.findall(r'"(\w+) >= ([\d.]+)"', needed))
    assert {name: demanded[name] for name, _, _ in FLOORS} == {name: floor for name, floor, _ in FLOORS}


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        ({"pip": "26.2", "virtualenv": "20.36.1", "filelock": "3.20.3"}, []),
        ({"pip": "27.0.dev0", "virtualenv": "21.1", "filelock": "4"}, []),
        ({"pip": "26.1.2", "virtualenv": "20.36.1", "filelock": "3.20.2"}, ["pip", "filelock"]),
        ({"pip": "9.0.3", "virtualenv": "20.36"}, ["pip", "virtualenv"]),
    ],
)
def test_what_is_older_is_named(installed, found):
    def version_of(name):
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    assert [one.name for one in dated(version_of)] == found


def test_doctor_warns_of_it():
    old = Dated(name="pip", version="25.0", floor="26.2", advisory="CVE-2026-13346")
    (finding,) = [one for one in findings(Facts(dated=(old,))) if one.id == "dependency-outdated"]
    assert finding.status == "warning"
    assert "pip 25.0" in finding.why
    assert "CVE-2026-13346" in finding.why
    assert finding.command is not None
    assert "'pip>=26.2'" in finding.command
