"""Hide what the machine's administrator configured for pip and safepip from the tests and their processes.

pip always reads /etc/pip.conf, and no variable hides that file alone. Root gets a mount namespace in which the
files are empty. An ordinary user cannot have that without appearing as another user to the tests: there the
tests run with PIP_CONFIG_FILE=/dev/null, which makes pip read no file, and those about pip's files are skipped.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile

import pytest

PIP_FILES = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf")
SAFEPIP_FILE = "/etc/safepip/config.toml"
CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000


def visible() -> list[str]:
    """Return the machine's configuration files that pip or safepip would read something from."""
    return [path for path in (*PIP_FILES, SAFEPIP_FILE) if _has_text(path)]


def _has_text(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def hide() -> None:
    """Make the files empty for this process and all that it starts, where the system permits that."""
    paths = visible()
    if not paths or not sys.platform.startswith("linux") or os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        return
    handle, empty = tempfile.mkstemp(prefix="safepip-test-empty-")
    os.close(handle)
    os.chmod(empty, 0o644)
    for path in paths:
        libc.mount(os.fsencode(empty), os.fsencode(path), None, MS_BIND, None)
    os.unlink(empty)


def variables() -> dict[str, str]:
    """Return the variables that keep pip from files that could not be hidden."""
    return {"PIP_CONFIG_FILE": os.devnull} if visible() else {}


def skip_where_pip_reads_files() -> None:
    """Skip a test that is about pip's configuration files where the machine's own would take part."""
    found = visible()
    if found:
        pytest.skip(f"{' and '.join(found)} would take part, and only root can hide them")
