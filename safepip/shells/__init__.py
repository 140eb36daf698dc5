"""Shell integration: code for each shell, and answers to its hook."""

from __future__ import annotations

import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
# The names of shells, and the language that each speaks.
LANGUAGES = {
    "bash": "bash", "zsh": "zsh", "fish": "fish", "sh": "sh", "dash": "sh", "ash": "sh", "busybox": "sh",
    "ksh": "sh", "ksh93": "sh", "mksh": "sh", "yash": "sh", "posix": "sh", "tcsh": "tcsh", "csh": "tcsh",
    "pwsh": "powershell", "powershell": "powershell", "xonsh": "xonsh", "nu": "nushell", "nushell": "nushell",
}  # fmt: skip


def read_file(name: str) -> str:
    """Return the text of one of the shells' files."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()
