"""What lies in the URL of an index is nobody's business: it is neither kept nor shown."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox import Sandbox

SECRET = "s3cr3t"
URL = f"https://me:{SECRET}@127.0.0.1:9/simple"
WAYS = {
    "by variables": ([], {"PIP_EXTRA_INDEX_URL": URL}),
    "by options": (["--extra-index-url", URL, "--proxy", f"me:{SECRET}@127.0.0.1:9"], {}),
}


def files_with_the_secret(root: str) -> list[str]:
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    found += [path] if SECRET.encode() in file.read() else []
    return found


@pytest.mark.parametrize("way", WAYS)
def test_an_install_keeps_and_shows_nothing(sandbox: Sandbox, way: str) -> None:
    words, variables = WAYS[way]
    env = {**variables, "SAFEPIP_DEBUG": "1"}
    ran = sandbox.run("install", *words, "alpha", env=env)
    assert ran.code == 0, ran.err
    for line in (["explain", "install", *words, "alpha"], ["explain", "--json", "list"], ["history"], ["doctor"]):
        told = sandbox.run(*line, env=env)
        assert SECRET.encode() not in told.out + told.err
    assert SECRET not in "\n".join(ran.said)
    assert files_with_the_secret(sandbox.root) == []


def test_nor_does_one_that_fails_or_is_explained_to_a_program(sandbox: Sandbox) -> None:
    line = ["install", "--index-url", URL, "--retries", "0", "--timeout", "1", "nosuchpackage"]
    ran = sandbox.run(*line, env={"SAFEPIP_DEBUG": "1"})
    assert ran.code == 1
    assert SECRET not in "\n".join(ran.said)
    explained = json.loads(sandbox.run("explain", "--json", *line).text)
    assert explained["argv"][-7:] == [*line[:2], "https://127.0.0.1:9/simple", *line[3:]][-7:]
    assert files_with_the_secret(sandbox.root) == []
