"""Which shell the user is in: the one that started safepip, else the login shell."""

from __future__ import annotations

import os

from safepip.system.interpreter import is_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# What programs call themselves, and the language that they speak.
LANGUAGES = {
    "bash": "bash", "zsh": "zsh", "fish": "fish", "sh": "sh", "dash": "sh", "ash": "sh", "busybox": "sh",
    "ksh": "sh", "ksh93": "sh", "mksh": "sh", "yash": "sh", "posix": "sh", "tcsh": "tcsh", "csh": "tcsh",
    "pwsh": "powershell", "powershell": "powershell", "xonsh": "xonsh", "nu": "nushell", "nushell": "nushell",
}  # fmt: skip
_OF_SCRIPTS = ("sh", "dash", "ash", "busybox")  # more likely to run a script than to be typed in


def users_shell(environ: Mapping[str, str]) -> str:
    """Return the absolute path of the user's shell: the parent process if it is one, else SHELL, else /bin/sh."""
    login = environ.get("SHELL", "")
    parent = _parent()
    if parent and language_of(parent) and (name_of(parent) not in _OF_SCRIPTS or not is_program(login)):
        return login if name_of(login) == name_of(parent) and is_program(login) else parent
    return login if os.path.isabs(login) and is_program(login) else "/bin/sh"


def language_of(shell: str) -> str | None:
    """Return the language that the shell at this path, or of this name, speaks: a value of LANGUAGES."""
    return LANGUAGES.get(name_of(shell))


def name_of(shell: str) -> str:
    """Return what a shell is called, without folder, the dash of a login shell and the ending."""
    return os.path.basename(shell).lstrip("-").lower().removesuffix(".exe").removeprefix("bsd-")


def _parent() -> str:
    """Return the program of the parent process, "" where the system does not tell (/proc)."""
    folder = f"/proc/{os.getppid()}"
    try:
        program = os.readlink(os.path.join(folder, "exe"))
        with open(os.path.join(folder, "cmdline"), "rb") as file:
            typed = [os.fsdecode(word) for word in file.read(4096).split(b"\0")[:2]]
    except OSError:
        return ""
    if language_of(program):
        return program
    return next((word for word in typed if name_of(word) == "xonsh" and is_program(word)), "")  # runs in a Python
