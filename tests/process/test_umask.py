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


def reachable(root: str) -> dict[str, str]:
    """Return the modes of what another user can get at below a folder that everybody may enter."""
    found = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            status = os.lstat(os.path.join(folder, name))
            if not stat.S_ISLNK(status.st_mode):
                found[os.path.join(folder, name)] = f"{status.st_mode & 0o777:o}"
        names[:] = [name for name in names if int(found.get(os.path.join(folder, name), "0"), 8) & 0o001]
    return found


def test_no_folder_of_safepips_is_open_to_others(sandbox: Sandbox) -> None:
    """Where ~/.local and ~/.cache may be entered by all, as distributions make them."""
    for folder in (".cache", ".local/share", ".local/state"):
        os.makedirs(os.path.join(sandbox.home, folder), exist_ok=True)
    os.makedirs(os.path.join(sandbox.home, "Documents"), exist_ok=True)
    lines = (
        "cd ~/Documents && S shims && S install alpha && S uninstall -y alpha && S undo && S env repair",
        "cd ~/Documents && SAFEPIP_ENV_DIR=central S install --dry-run alpha && S history && S init --write bash",
        f"cd {sandbox.project} && SAFEPIP_ENV_DIR=central S install beta && S install beta && S env prune",
    )
    for line in lines:
        ran = sandbox.call(["sh", "-c", f'umask 000; S() {{ "$0" "$@"; }}; {line}', sandbox.safepip])
        assert ran.code == 0, (line, ran.err)
    folders = (".cache", ".local/share", ".local/state")
    found = {path: mode for one in folders for path, mode in reachable(os.path.join(sandbox.home, one)).items()}
    assert found
    assert {path: mode for path, mode in found.items() if int(mode, 8) & 0o022} == {}


def test_shims_can_be_used_by_others_but_not_changed(sandbox: Sandbox) -> None:
    folder = os.path.join(sandbox.home, "shims")
    assert sandbox.call(["sh", "-c", f'umask 000; "$0" shims {folder}', sandbox.safepip]).code == 0
    found = {os.path.basename(path): mode for path, mode in {**reachable(folder), folder: ""}.items()}
    assert found["pip"] == found[".safepip"] == "755"
    assert os.stat(folder).st_mode & 0o777 == 0o755
