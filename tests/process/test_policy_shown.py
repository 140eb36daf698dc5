"""What restricts or leads pip is seen before it counts: in `explain` and `doctor`, with where it is set."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox import Sandbox

pytestmark = pytest.mark.slow


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Give a user with an index in pip's file, and rules and a proxy in variables."""
    path = os.path.join(sandbox.home, ".config", "pip", "pip.conf")
    sandbox.write(
        path, "[global]\nindex-url = https://me:secret@mirror.example/simple\n[install]\nonly-binary = :all:\n"
    )
    sandbox.variables |= {"PIP_UPLOADED_PRIOR_TO": "P7D", "HTTPS_PROXY": "http://me:secret@proxy.example:3128"}
    return sandbox


def test_explain_shows_each_rule_and_its_source(box: Sandbox) -> None:
    file = os.path.join(box.home, ".config", "pip", "pip.conf")
    found = json.loads(box.run("explain", "--json", "install", "alpha", "--require-hashes").out)["policy"]
    told = {one["option"]: (one["value"], one["from"]) for one in found}
    assert told["index-url"] == ("https://mirror.example/simple", file)
    assert told["only-binary"] == (":all:", file)
    assert told["uploaded-prior-to"] == ("P7D", "PIP_UPLOADED_PRIOR_TO")
    assert told["proxy"] == ("http://proxy.example:3128", "HTTPS_PROXY")
    assert told["require-hashes"] == ("true", "the command line")
    text = box.run("explain", "install", "alpha").text
    assert f"  policy   index-url https://mirror.example/simple ({file})\n" in text
    assert "secret" not in text
    assert json.loads(box.run("explain", "--json", "uninstall", "alpha").out)["policy"] == []


def test_the_environments_own_file_counts_where_its_pip_runs(box: Sandbox) -> None:
    assert box.run("install", "alpha", env={"HTTPS_PROXY": None}).code == 0
    box.write(".venv/pip.conf", "[global]\nindex-url = https://other.example/simple\n")
    (rule,) = [
        one
        for one in json.loads(box.run("explain", "--json", "install", "beta").out)["policy"]
        if one["option"] == "index-url"
    ]
    assert rule == {
        "option": "index-url",
        "value": "https://other.example/simple",
        "from": os.path.join(box.venv, "pip.conf"),
    }


def test_doctor_shows_them_as_well(box: Sandbox) -> None:
    findings = json.loads(box.run("doctor", "--json").out)["findings"]
    told = {one["id"]: (one["status"], one["why"]) for one in findings}
    assert told["policy-uploaded-prior-to"] == ("ok", "uploaded-prior-to is P7D, by PIP_UPLOADED_PRIOR_TO")
    assert told["policy-proxy"] == ("ok", "proxy is http://proxy.example:3128, by HTTPS_PROXY")
    assert told["policy-index-url"][1].startswith(
        "index-url is https://mirror.example/simple, by ~/.config/pip/pip.conf"
    )
