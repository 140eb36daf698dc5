"""safepip shims [DIR] [--python | --undo]: programs called pip, pip3, pip3.N for PATH that start safepip."""

from __future__ import annotations

import os
import re
import shlex

from safepip.core.world import EXE
from safepip.errors import CANNOT_CREATE, SafepipError
from safepip.shells.program import own_program, typed_program
from safepip.shells.shim import PYTHONS, is_free, remove_shims, write_shims
from safepip.system.files import make_folder, recall, remember
from safepip.system.interpreter import candidates

from .arguments import for_verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context

    from .arguments import Parser

_FOLDERS = "shims"  # the file in the state that lists the folders


def parser() -> Parser:
    """Return the parser of this verb's arguments."""
    made = for_verb("shims", example="safepip shims ~/bin")
    made.add_argument("dir", metavar="DIR", nargs="?", help="where (default: a directory of safepip's)")
    either = made.add_mutually_exclusive_group()
    either.add_argument("--python", action="store_true", help="write python and python3, too")
    either.add_argument("--undo", action="store_true", help="remove them")
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Write the shims to the folder named, else to safepip's own; say how they come to serve."""
    try:
        said = parser().parse_args(words)
    except SystemExit as asked:  # --help, printed
        return int(asked.code or 0)
    folder = _folder(said.dir, context)
    if said.undo:
        return _undo([folder] if said.dir else [folder, *_remembered(context)], report)
    pips = ("pip", "pip3", *(f"pip{version}" for version in _versions(context)))
    names = (*pips, *PYTHONS) if said.python else pips
    foreign = next((name for name in names if not is_free(os.path.join(folder, name))), None)
    if foreign:
        what = f"{os.path.join(folder, foreign)} is not a shim of safepip's"
        raise SafepipError(CANNOT_CREATE, what, f"name another directory: {typed_program(context)} shims DIR")
    if said.dir is None:
        make_folder(folder)
    write_shims(folder, names, own_program())
    _remember(folder, context)
    report.say(f"wrote {' '.join(names)} to {folder}; put it first: PATH={shlex.quote(folder)}:$PATH")
    search = context.ambient.environ.get("PATH", os.defpath)
    if said.python and next(candidates(("python",), search, ()), None) is None:
        report.say("there is no python on PATH: the one in that directory starts python3")
    return 0


def _undo(folders: list[str], report: Report) -> int:
    """Remove the shims of these folders."""
    for folder in dict.fromkeys(folders):
        removed = remove_shims(folder)
        if removed:
            report.say(f"removed {' '.join(removed)} from {folder}")
    return 0


def _remember(folder: str, context: Context) -> None:
    """Note where shims are, so that they can be removed together with safepip."""
    known = _remembered(context)
    if context.state is not None and folder not in known:
        remember(os.path.join(context.state, _FOLDERS), "\n".join([*known, folder]))


def _remembered(context: Context) -> list[str]:
    text = recall(os.path.join(context.state, _FOLDERS)) if context.state is not None else None
    return [line for line in (text or "").split("\n") if os.path.isabs(line)]


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
        names = os.listdir(folder) if os.path.isabs(folder) and os.path.isdir(folder) else []
        found.update(name[6:] for name in names if re.fullmatch(r"python3\.\d+" + re.escape(EXE), name))
    return sorted(found, key=lambda version: int(version.partition(".")[2]))
