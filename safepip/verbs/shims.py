"""safepip shims [DIR]: write programs pip, pip3, pip3.N that start safepip."""

from __future__ import annotations

import os
import re
import shlex

from safepip.core.world import EXE
from safepip.errors import CANNOT_CREATE, SafepipError
from safepip.report import Report
from safepip.shells.program import own_program, typed_program
from safepip.shells.shim import PYTHONS, is_free, remove_shims, write_shims
from safepip.system.environment import names_in
from safepip.system.files import make_folder, recall, remember
from safepip.system.interpreter import program_on_path
from safepip.system.observe import Context

from .arguments import Parser, for_verb, not_empty

_FOLDERS = "shims"  # the file in the state that lists the folders
_VERSIONED = re.compile(r"python(3\.\d+)" + re.escape(EXE))


def parser() -> Parser:
    """Return the parser of this verb's arguments."""
    made = for_verb("shims", example="safepip shims ~/bin")
    where = "where to write them (default: a directory of safepip's)"
    made.add_argument("dir", metavar="DIR", nargs="?", type=not_empty, help=where)
    either = made.add_mutually_exclusive_group()
    either.add_argument("--python", action="store_true", help="also write python and python3")
    either.add_argument("--undo", action="store_true", help="remove them")
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Write the shims to a directory, or remove them."""
    said = parser().parse_args(words)
    folder = _folder(said.dir, context)
    if said.undo:
        folders = [folder]
        if said.dir is None:
            folders += _remembered(context)
        return _undo(folders, report)
    names = ["pip", "pip3", *map("pip{}".format, _versions(context))]
    if said.python:
        names += PYTHONS
    _refuse_others(folder, names, context)
    if said.dir is None:
        make_folder(folder)  # for this user alone, as all of safepip's data
    write_shims(folder, tuple(names), own_program())
    # `shims --undo` removes them all, before safepip itself is removed.
    folders = _remembered(context)
    if context.state is not None and folder not in folders:
        remember(os.path.join(context.state, _FOLDERS), "\n".join([*folders, folder]))
    report.say(f"wrote {' '.join(names)} to {folder}; put it first: PATH={shlex.quote(folder)}:$PATH")
    if said.python and program_on_path("python", context.ambient.environ) is None:
        report.say("there is no python on PATH: the one in that directory starts python3")
    return 0


def _refuse_others(folder: str, names: list[str], context: Context) -> None:
    for name in names:
        path = os.path.join(folder, name)
        if not is_free(path):
            way = f"name another directory: {typed_program(context)} shims DIR"
            raise SafepipError(CANNOT_CREATE, f"{path} is not a shim of safepip's", way)


def _undo(folders: list[str], report: Report) -> int:
    for folder in dict.fromkeys(folders):
        removed = remove_shims(folder)
        if removed:
            report.say(f"removed {' '.join(removed)} from {folder}")
    return 0


def _remembered(context: Context) -> list[str]:
    if context.state is None:
        return []
    text = recall(os.path.join(context.state, _FOLDERS)) or ""
    return list(filter(os.path.isabs, text.split("\n")))


def _folder(named: str | None, context: Context) -> str:
    if named is not None:
        return os.path.abspath(named)
    if context.data is None:
        raise SafepipError(CANNOT_CREATE, "there is no home directory to keep them in", "name a directory")
    return os.path.join(context.data, "shims")


def _versions(context: Context) -> list[str]:
    """Return the minor versions of the Pythons on PATH, as "3.12"."""
    found: set[str] = set()
    for folder in context.ambient.environ.get("PATH", os.defpath).split(os.pathsep):
        if os.path.isabs(folder):  # a relative one means another directory at each place
            for match in filter(None, map(_VERSIONED.fullmatch, names_in(folder))):
                found.add(match[1])
    return sorted(found, key=lambda version: int(version.partition(".")[2]))
