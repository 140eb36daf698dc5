"""Shims: sh programs called pip or python that go by way of safepip, each a few lines of what lies beside this."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil

from safepip.system.interpreter import EXE, candidates

from .files import filled, read_file

PYTHONS = ("python", "python3")
_NAMED = ".safepip"  # links to safepip itself: the name that it is called by tells it what was typed
_MADE = b"safepip made this"
_NO_FIND = "_safepip_find() { :; }"


def write_shims(
    folder: str, names: tuple[str, ...], program: str, state: str | None, *, find: bool = True
) -> None:
    """Write the shims called `names` to `folder`; `program` is the path of safepip's own.

    On Windows they are copies of it, which goes by the name that it is called by; those of Python are left out.
    With `find` those of Python serve the project's environment, which is told by the hooks' own search.
    """
    os.makedirs(os.path.join(folder, _NAMED), exist_ok=True)
    for name in names:
        if EXE and name in PYTHONS:
            continue
        if EXE:
            _copy(program, os.path.join(folder, name + EXE))
        elif name not in PYTHONS:
            link = os.path.join(folder, _NAMED, name)
            _link(program, link)
            values = {"NAME": name, "PROGRAM": link}
            _write(os.path.join(folder, name), _filled("shim-pip.sh", values))
        else:
            values = {"NAME": name, "PROGRAM": program, "STATE": state or ""}
            _write(os.path.join(folder, name), _filled("shim-python.sh", values, _find() if find else _NO_FIND))


def write_python_shims(folder: str, program: str, search: str) -> None:
    """Write shims of Python that only send `-m pip` to safepip, for those names that PATH `search` has."""
    names = tuple(name for name in PYTHONS if next(candidates((name,), search, ()), None))
    write_shims(folder, names, program, None, find=False)


def is_free(path: str) -> bool:
    """Tell whether a shim may be written to `path`: there is nothing, or one of these."""
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


def _filled(name: str, values: dict[str, str], find: str = "") -> str:
    text = filled(read_file(name), {"NEXT": read_file("shim-next.sh").rstrip(), "FIND": find}, str)
    return filled(text, values, shlex.quote)


def _find() -> str:
    """Return the search for the project's environment, which `init sh` has as well."""
    return read_file("init.sh").partition("# <find>\n")[2].partition("# </find>\n")[0].rstrip()


def _copy(program: str, path: str) -> None:
    scratch = f"{path}.{os.getpid()}"
    shutil.copyfile(program, scratch)
    os.replace(scratch, path)


def _link(program: str, path: str) -> None:
    scratch = f"{path}.{os.getpid()}"
    os.symlink(program, scratch)
    os.replace(scratch, path)


def _write(path: str, text: str) -> None:
    scratch = f"{path}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with open(os.open(scratch, flags, 0o755), "wb") as file:
        file.write(os.fsencode(text))
    os.replace(scratch, path)
