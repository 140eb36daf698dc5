"""Other tools on the word pip, in start-up files or on PATH.

Both act if the other tool comes first and finds safepip's shims as the next pip on PATH.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from safepip.core.record import Record
from safepip.system.files import read_regular
from safepip.system.interpreter import is_program

_A_FUNCTION = "a function"
_MOST = 1 << 20  # bytes of a start-up file, or of a program, that are looked at
_ALIAS = re.compile(r"""\s*alias\s+(?:-\w+\s+)?(?P<name>pip3?)(?:\s*=\s*|\s+)(?P<runs>.+)""")
_FUNCTION = re.compile(r"\s*(?:function\s+(?P<name>pip3?)\b|(?P<posix>pip3?)\s*\(\s*\))")
_SOURCE = re.compile(r"""(?:^|.*?[;&\s])(?:source|\.)\s+["']?(?P<path>[~$/][^\s"';&]*)""")
# What an alias may run that is safepip's anyway.
_ITSELF = ("pip", "pip3", "python", "python3", "safepip")
# In programs called pip that are pip's own, safepip's, a distribution's, or those of version managers.
_PIPS = (
    b"pip._internal", b"from pip import", b"load_entry_point", b"safepip made this", b"/nix/store", b"python-exec",
    b"pyenv", b"asdf", b"mise", b"conda",
)  # fmt: skip


class Neighbour(Record):
    """Another tool, and the `way` to have both act."""

    what: str
    both_act: bool
    way: str = ""


def neighbours(files: Sequence[str], environ: Mapping[str, str], home: str, shims: str) -> list[Neighbour]:
    """Return the other tools in these start-up files and on PATH.

    `shims` is where shims of safepip go if PATH has none.
    """
    folders = filter(os.path.isabs, environ.get("PATH", os.defpath).split(os.pathsep))
    programs = []
    own = wrapper = ""
    for folder in folders:
        path = os.path.join(folder, "pip")
        if not is_program(path):
            continue
        programs.append(path)
        content = read_regular(path, _MOST) or b""
        if b"safepip made this" in content[:256]:
            own = own or path
        elif _is_wrapper(content):
            wrapper = wrapper or path
    found = list(_in_files(files, home, own, shims))
    if wrapper:
        found.append(_on_path(wrapper, programs, own, shims))
    return found


def _is_wrapper(content: bytes) -> bool:
    first, _, body = content.partition(b"\n")
    if not first.startswith(b"#!"):
        return False
    if not body.strip():
        return False
    return not any(text in content for text in _PIPS)


# -- on PATH


def _on_path(wrapper: str, programs: Sequence[str], own: str, shims: str) -> Neighbour:
    folder = shlex.quote(os.path.dirname(wrapper))
    if not own:
        what = f"{wrapper} comes first for pip, and what it runs as pip is not safepip's"
        way = f'safepip shims {shlex.quote(shims)} && export PATH={folder}:{shlex.quote(shims)}:"$PATH"'
        return Neighbour(what=what, both_act=False, way=way)
    if programs.index(own) < programs.index(wrapper):
        what = f"{wrapper} is behind safepip's shims on PATH, so it never acts"
        return Neighbour(what=what, both_act=False, way=f'export PATH={folder}:"$PATH"')
    return Neighbour(what=f"{wrapper} comes first for pip, then safepip: both act", both_act=True)


# -- in start-up files


def _in_files(files: Sequence[str], home: str, own: str, shims: str) -> Iterator[Neighbour]:
    """Yield the aliases and functions of files and of those they read."""
    for file in files:
        lines = [line.partition("#")[0] for line in _lines(file)]
        start = _start_of_safepip(lines)
        for number, line in enumerate(lines, start=1):
            where, taken = f"{file}, line {number},", _taken(line)
            sourced = _sourced(line, home)
            if sourced and sourced not in files:
                where += f" by way of {sourced}"
                taken = next(filter(None, map(_taken, _lines(sourced))), "")
            if taken:
                is_replaced = taken == _A_FUNCTION and number < start
                yield _told(f"{where} makes pip {taken}", own, shims, is_replaced=is_replaced)


def _start_of_safepip(lines: list[str]) -> int:
    """Return the number of the first line that starts safepip, or 0."""
    for number, line in enumerate(lines, start=1):
        if "safepip" in line and " init " in line:
            return number
    return 0


def _sourced(line: str, home: str) -> str:
    """Return the file that a line has the shell read, or ""."""
    found = _SOURCE.match(line)
    if found is None:
        return ""
    return os.path.expanduser(re.sub(r"^(?:\$HOME\b|\$\{HOME\}|~)(?=/)", lambda _found: home, found["path"]))


def _told(what: str, own: str, shims: str, *, is_replaced: bool) -> Neighbour:
    if is_replaced:
        what = f"{what}; safepip's line behind it replaces that, so it never acts"
        return Neighbour(what=what, both_act=False, way="move safepip's line before it: safepip help neighbours")
    if own:
        return Neighbour(what=f"{what}, which comes first, then safepip: both act", both_act=True)
    what = f"{what}, which comes first; what it runs as pip is not safepip's"
    way = f'safepip shims {shlex.quote(shims)} && export PATH={shlex.quote(shims)}:"$PATH"'
    return Neighbour(what=what, both_act=False, way=way)


def _taken(line: str) -> str:
    """Return what the line makes of the word pip, or ""."""
    if "safepip" in line:
        return ""
    if _FUNCTION.match(line):
        return _A_FUNCTION
    alias = _ALIAS.match(line)
    if alias is None:
        return ""
    runs = alias["runs"].strip().strip("'\"")
    if runs.split(" ")[0] in _ITSELF:
        return ""
    return f"an alias of {runs}"


def _lines(file: str) -> list[str]:
    content = read_regular(file, _MOST)
    if content is None:
        return []
    return os.fsdecode(content).splitlines()
