"""Virtual environments for the tests and the measurements; Python 3.6 must be able to read this file."""

import os
import subprocess

from bootstrap import Stop, advice


def environment_python(environment: str) -> str:
    """Return the path of an environment's Python."""
    return os.path.join(environment, "bin", "python")


def make_environment(python: str, path: str) -> None:
    """Make an environment without pip at `path` for the interpreter `python`."""
    command = [python, "-I", "-m", "venv", "--without-pip", path]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode != 0:
        told = [*os.fsdecode(result.stdout).strip().splitlines(), "it gave no reason"]
        raise Stop(69, f"{python} cannot make an environment: {told[0]}", advice())
