"""safepip.pyz --install: what scripts/bootstrap.py does, with all that it needs out of the archive."""

import argparse
import os

import bootstrap
import unpack

START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from virtualenv.__main__ import run; run(sys.argv[1:])"
EMPTY = ("--no-seed", "--no-periodic-update", "--quiet")


def main(argv: "list[str]", archive: str) -> int:
    """Carry out `argv`, whose first word is --install or --uninstall; return the exit code."""
    made: list[str] = []

    def supply(work: str, _options: argparse.Namespace) -> "tuple[str, list[str]]":
        made.append(work)
        return from_archive(archive, work)

    def make(python: str, path: str) -> None:
        make_environment(python, path, made[0])

    words = [word for word in argv if word != "--install"]
    return bootstrap.main(words, bootstrap.Source("safepip.pyz --install", supply, make, demonstrates=False))


def from_archive(archive: str, work: str) -> "tuple[str, list[str]]":
    """Put pip, virtualenv and the wheels into the folder `work`; return pip's path and the wheels'."""
    folder = os.path.join(work, "wheels")
    os.mkdir(folder)
    paths = []
    for name, content in unpack.wheels(archive):
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "wb") as file:
            file.write(content)
    unpack.extract(archive, os.path.join(work, "site"), ("pip-", "safepip-"))
    pip = next(path for path in paths if os.path.basename(path).startswith("pip-"))
    return bootstrap.unpack_pip(pip, work), paths


def make_environment(python: str, path: str, work: str) -> None:
    """Make an environment without pip; by virtualenv, for a system's Python may lack venv."""
    options = [*EMPTY, "--app-data", os.path.join(work, "app-data"), "--python", python]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VIRTUALENV_")}
    environ["VIRTUALENV_CONFIG_FILE"] = os.devnull
    bootstrap.run_maker(python, ["-c", START, os.path.join(work, "site"), *options, path], environ)
