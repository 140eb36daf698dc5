"""Whatever the umask, safepip's own files are its user's alone, and the environment's are as pip would make them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox import Sandbox


def modes(root: str) -> dict[str, str]:
    found = {}
    for folder, names, files in os.walk(root):
        for path in (os.path.join(folder, name) for name in (*names, *files)):
            if not os.path.islink(path):
                status = os.stat(path)
                found[path] = f"{'d' if stat.S_ISDIR(status.st_mode) else '-'}{status.st_mode & 0o777:o}"
    return found


@pytest.mark.parametrize("mask", ["000", "077"])
def test_own_files_are_private(sandbox: Sandbox, mask: str) -> None:
    line = f'umask {mask}; "$0" install alpha && "$0" list'
    ran = sandbox.call(["sh", "-c", line, sandbox.safepip])
    assert ran.code == 0, ran.err
    own = {**modes(f"{sandbox.home}/.local"), **modes(f"{sandbox.venv}/.safepip")}
    shared = {f"{sandbox.home}/.local", f"{sandbox.home}/.local/state"}  # made so as well: XDG asks for it
    assert {mode for path, mode in own.items() if path not in shared} <= {"d700", "-600"}
    open_to_all = "7" if mask == "000" else "0"
    assert oct(os.stat(sandbox.venv).st_mode)[-1] == open_to_all
    (site,) = (
        path for path, names, _ in os.walk(sandbox.venv) if "pip" in names and path.endswith("site-packages")
    )
    expected = 0o666 & ~int(mask, 8)
    assert os.stat(os.path.join(site, "alpha.py")).st_mode & 0o777 == expected
    pip = os.path.join(site, "pip", "__init__.py")
    assert os.stat(pip).st_mode & 0o777 == expected & ~0o022  # environments may share it: its owner's alone
