"""All kinds of things that can stand where a project's environment would be: each makes one at a path."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def link_to(target: str) -> Callable[[str], None]:
    return lambda path: os.symlink(target, path)


def file_with(content: bytes, mode: int = 0o644) -> Callable[[str], None]:
    def write(path: str) -> None:
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)

    return write


def folder_with(*names: str, mode: int = 0o755) -> Callable[[str], None]:
    def make(path: str) -> None:
        os.mkdir(path)
        for name in names:
            os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
            file_with(b"")(os.path.join(path, name))
        os.chmod(path, mode)

    return make


def environment_beside(name: str, leads: Callable[[str], None]) -> Callable[[str], None]:
    """Make a real environment of that name in the project, too."""

    def make(path: str) -> None:
        beside = os.path.join(os.path.dirname(path), name)
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", beside], check=True)
        leads(path)

    return make


def broken_environment(path: str) -> None:
    """Make one whose Python is gone."""
    os.makedirs(os.path.join(path, "bin"))
    os.symlink("/nowhere/python3", os.path.join(path, "bin", "python"))
    with open(os.path.join(path, "pyvenv.cfg"), "w", encoding="utf-8") as file:
        file.write("home = /nowhere\nversion = 3.9.2\n")


# These count as absent: `list`, `freeze` and `install` go on as if nothing were there.
ABSENT = {
    "link to nothing": link_to("../gone"),
    "link to itself": link_to(".venv"),
    "link to a file": link_to("readme"),
    "redirect to nothing": file_with(b"./gone\n"),
    "absolute redirect to nothing": file_with(b"/nowhere/at/all"),
    "redirect to a folder": file_with(b"..\n"),
    "redirect to the system": file_with(b"/usr\n"),
    "redirect to tox's that is gone": file_with(b".tox/py311\n"),
    "redirect to tox's": environment_beside(".tox/py311", file_with(b".tox/py311\n")),
    "link to nox's": environment_beside(".nox/tests", link_to(".nox/tests")),
    "name of another tool's": file_with(b"blog-3.12\n"),
    "empty file": file_with(b""),
    "binary file": file_with(bytes(range(256))),
    "text that is not UTF-8": file_with(b"caf\xe9/env\n"),
    "unreadable file": file_with(b"./gone", 0),
    "pipe": os.mkfifo,
    "empty folder": folder_with(),
    "nothing": lambda _path: None,
    "link to nothing beside a good venv": environment_beside("venv", link_to("../gone")),
    "pipe beside a good env": environment_beside("env", os.mkfifo),
    "redirect to a good one": environment_beside(".docs-venv", file_with(b".docs-venv\n")),
    "link to a good one": environment_beside("mine", link_to("mine")),
    "direnv's": environment_beside(".direnv/python-3.11", lambda _path: None),
}
# These are never skipped, and the message names a command that helps.
IN_THE_WAY = {
    "folder without pyvenv.cfg": folder_with("lib/python3.11/site-packages/six.py", "notes.txt"),
    "unreadable folder": folder_with(mode=0),
    "its Python is gone": broken_environment,
    "unreadable, with files": folder_with("notes.txt", mode=0),
}
KINDS = {**ABSENT, **IN_THE_WAY}
