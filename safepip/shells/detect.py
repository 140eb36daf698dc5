"""Find out which shell the user is in."""

from __future__ import annotations

import os
from collections.abc import Mapping

from safepip.system.interpreter import is_program

from . import LANGUAGES

_OF_SCRIPTS = ("sh", "dash", "ash", "busybox")  # more likely to run a script than to be typed in


def users_shell(environ: Mapping[str, str]) -> str:
    """Return the shell that started safepip, else the login shell."""
    # SHELL may be relative, or name a shell that was removed.
    login = environ.get("SHELL", "")
    has_login = os.path.isabs(login) and is_program(login)
    parent = _parent()
    if not has_login:
        login = "/bin/sh"
    if language_of(parent) is None:
        return login
    if not has_login:
        return parent
    # /proc gives the resolved path of the parent; the one in SHELL outlives updates.
    if name_of(parent) in {name_of(login), *_OF_SCRIPTS}:
        return login
    return parent


def language_of(shell: str) -> str | None:
    """Return the language of a shell, or None if it is unknown."""
    return LANGUAGES.get(name_of(shell))


def name_of(shell: str) -> str:
    """Return the name of a shell."""
    # A login shell has a dash in front; Debian calls tcsh's other name bsd-csh.
    return os.path.basename(shell).lstrip("-").lower().removesuffix(".exe").removeprefix("bsd-")


def _parent() -> str:
    # There is no /proc on macOS and Windows.
    folder = f"/proc/{os.getppid()}"
    try:
        program = os.readlink(os.path.join(folder, "exe"))
        with open(os.path.join(folder, "cmdline"), "rb") as file:
            typed = file.read(4096).split(b"\0")[:2]
    except OSError:
        return ""
    if language_of(program):
        return program
    for word in map(os.fsdecode, typed):  # xonsh is a script, so that its program is a Python
        if name_of(word) == "xonsh" and is_program(word):
            return word
    return ""
