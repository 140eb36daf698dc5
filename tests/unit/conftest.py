"""What the tests of single modules share: one interpreter, asked once, and real environments without pip."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from safepip.core.world import Interpreter
from safepip.system.interpreter import interview


@pytest.fixture(scope="session")
def base(base_python) -> Interpreter:
    """What that Python answers when asked."""
    known = interview(base_python, {}, None)
    assert isinstance(known, Interpreter), known
    return known


@pytest.fixture(scope="session")
def finished(base_python, tmp_path_factory):
    """A real environment, finished, without pip; not to be changed, see `environment`."""
    path = os.path.join(os.path.realpath(tmp_path_factory.mktemp("finished")), ".venv")
    subprocess.run([base_python, "-I", "-m", "venv", "--without-pip", path], check=True)
    return path


@pytest.fixture
def environment(finished, work):
    """A copy of the finished environment at `.venv` of the working directory, for this test alone."""
    path = os.path.join(work, ".venv")
    shutil.copytree(finished, path, symlinks=True)
    return path
