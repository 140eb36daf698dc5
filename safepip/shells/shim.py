"""Shims: sh programs called pip or python that go by way of safepip, each a few lines of what lies beside this."""

from __future__ import annotations

import contextlib
import os
import shlex

from safepip.core.world import EXE
from safepip.system.files import replace_file, replace_link
from safepip.system.interpreter import candidates

from .files import filled, read_file

PYTHONS = ("python", "python3")
_NAMED = ".safepip"  # links to safepip itself: the name that it is called by tells it what was typed
_MADE = b"safepip made this"


def write_shims(folder: str, names: tuple[str, ...], program: str, *, project: bool = True) -> None:
    """Write the shims called `names` to `folder`; `program` is the path of safepip's own.

    On Windows they are copies of it, which goes by the name that it is called by; those of Python are left out.
    With `project` those of Python serve the project's environment.
    """
    mask = os.umask(0o022)
    os.umask(mask | 0o022)  # nobody else may add programs to a folder on PATH
    try:
        os.makedirs(os.path.join(folder, _NAMED), exist_ok=True)
    finally:
        os.umask(mask)
    for name in names:
        path = os.path.join(folder, name)
        if EXE and name not in PYTHONS:
            with open(program, "rb") as file:
                replace_file(path + EXE, file.read(), mode=0o755)
        elif name in PYTHONS and not EXE:
            values = {"NAME": name, "PROGRAM": program, "PROJECT": "1" if project else ""}
            _write(path, "shim-python.sh", values)
        elif not EXE:
            link = os.path.join(folder, _NAMED, name)
            replace_link(link, program)
            _write(path, "shim-pip.sh", {"NAME": name, "PROGRAM": link})


def write_python_shims(folder: str, program: str, search: str) -> None:
    """Write shims of Python that only send `-m pip` to safepip, for those names that PATH `search` has."""
    names = tuple(name for name in PYTHONS if next(candidates((name,), search, ()), None))
    write_shims(folder, names, program, project=False)


def is_free(path: str) -> bool:
    """Return True if a shim may be written to `path`: nothing lies there, or another shim."""
    if not os.path.lexists(path + EXE) or (EXE and os.path.isdir(os.path.join(os.path.dirname(path), _NAMED))):
        return True
    try:
        with open(path, "rb") as file:
            return _MADE in file.read(256)
    except OSError:
        return False


def remove_shims(folder: str) -> list[str]:
    """Remove safepip's shims from a folder, and the folder if nothing else is in it; return their names."""
    links = os.path.join(folder, _NAMED)
    if not os.path.isdir(links):
        return []
    names = [name for name in sorted(os.listdir(folder)) if _is_shim(folder, name)]
    for name in names:
        os.unlink(os.path.join(folder, name))
    for name in os.listdir(links):
        if os.path.islink(os.path.join(links, name)):
            os.unlink(os.path.join(links, name))
    with contextlib.suppress(OSError):  # other files stay, and their folders with them
        os.rmdir(links)
        os.rmdir(folder)
    return names


def _is_shim(folder: str, name: str) -> bool:
    """Return True for a shim: on Windows a copy of safepip's program, by a name that only shims have there."""
    path = os.path.join(folder, name)
    if not os.path.isfile(path) or os.path.islink(path):
        return False
    if EXE:
        return name.startswith("pip") and name.endswith(EXE)
    return is_free(path)


def _write(path: str, name: str, values: dict[str, str]) -> None:
    text = filled(read_file(name), {"NEXT": read_file("shim-next.sh").rstrip()}, str)
    replace_file(path, os.fsencode(filled(text, values, shlex.quote)), mode=0o755)
