"""Write and remove shims: programs called pip or python that start safepip."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Callable, Mapping

from safepip.core.world import EXE
from safepip.system.files import replace_file, replace_link, sweep
from safepip.system.interpreter import candidates

from . import read_file

PYTHONS = ("python", "python3")
_NAMED = ".safepip"  # links to safepip itself: the name that it is called by tells it what was typed
_MADE = b"safepip made this"


def write_shims(folder: str, names: tuple[str, ...], program: str, *, project: bool = True) -> None:
    """Write the shims called `names`, which start safepip at `program`.

    With `project` those of Python serve the project's environment.
    """
    mask = os.umask(0o022)
    os.umask(mask | 0o022)  # nobody else may add programs to a folder on PATH
    try:
        # The links of this folder are called pip, so that safepip knows what was typed.
        os.makedirs(os.path.join(folder, _NAMED), exist_ok=True)
    finally:
        os.umask(mask)
    for at in (folder, os.path.join(folder, _NAMED)):
        sweep(at)
    for name in names:
        path = os.path.join(folder, name)
        if EXE:
            if name not in PYTHONS:
                # On Windows a shim is a copy of safepip, which acts by the name that it is called by.
                with open(program, "rb") as file:
                    replace_file(path + EXE, file.read(), mode=0o755)
        elif name in PYTHONS:
            values = {"NAME": name, "PROGRAM": program, "PROJECT": "1" if project else ""}
            _write(path, "shim-python.sh", values)
        else:
            link = os.path.join(folder, _NAMED, name)
            replace_link(link, program)
            _write(path, "shim-pip.sh", {"NAME": name, "PROGRAM": link})


def write_python_shims(folder: str, program: str, search: str) -> None:
    """Write shims of Pythons that send `-m pip` to safepip."""
    names = filter(lambda name: any(candidates((name,), search, ())), PYTHONS)
    write_shims(folder, tuple(names), program, project=False)


def is_free(path: str) -> bool:
    """Return True if a shim may be written to `path`."""
    if not os.path.lexists(path + EXE):
        return True
    if EXE and os.path.isdir(os.path.join(os.path.dirname(path), _NAMED)):
        return True
    try:
        with open(path, "rb") as file:
            return _MADE in file.read(256)
    except OSError:
        return False


def remove_shims(folder: str) -> list[str]:
    """Remove the shims from a folder, and return their names."""
    links = os.path.join(folder, _NAMED)
    if not os.path.isdir(links):
        return []
    removed = []
    for name in sorted(os.listdir(folder)):
        if _is_shim(folder, name):
            os.unlink(os.path.join(folder, name))
            removed.append(name)
    for name in os.listdir(links):
        link = os.path.join(links, name)
        if os.path.islink(link):
            os.unlink(link)
    with contextlib.suppress(OSError):  # other files stay, and their folders with them
        os.rmdir(links)
        os.rmdir(folder)
    return removed


def _is_shim(folder: str, name: str) -> bool:
    path = os.path.join(folder, name)
    if not os.path.isfile(path) or os.path.islink(path):
        return False
    if EXE:  # a copy of safepip's program; only shims have such a name
        return name.startswith("pip") and name.endswith(EXE)
    return is_free(path)


def _write(path: str, name: str, values: dict[str, str]) -> None:
    text = filled(read_file(name), {"NEXT": read_file("shim-next.sh").rstrip()}, str)
    replace_file(path, os.fsencode(filled(text, values, shlex.quote)), mode=0o755)


def filled(text: str, values: Mapping[str, str], quote: Callable[[str], str]) -> str:
    """Return `text` with each __NAME__ replaced by its value, quoted."""

    def one(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        return quote(values[found[1]])

    return re.sub("__([A-Z]+)__", one, text)
