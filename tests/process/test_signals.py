"""A signal that comes before pip takes over ends safepip, and what it had started to ask."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox import Sandbox


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_question_does_not_outlive_who_asked(sandbox: Sandbox, name: str) -> None:
    shim, asked = os.path.join(sandbox.bin, "python3"), os.path.join(sandbox.root, "asked")
    with open(shim, "w") as file:
        file.write(f"#!/bin/sh\n: >{asked}\nexec sleep 60\n")
    os.chmod(shim, 0o755)
    with sandbox.start("list", env={"PATH": f"{sandbox.bin}:{sandbox.variables['PATH']}"}) as running:
        while not os.path.exists(asked) and running.poll() is None:
            time.sleep(0.01)
        running.send_signal(getattr(signal, name))
        code = running.wait(60)
        assert code == -getattr(signal, name), running.communicate()
        running.communicate(timeout=30)  # ends only when nobody holds its streams any more
