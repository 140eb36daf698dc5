"""How plain `pip` comes to be safepip: shims on PATH, the line of `safepip init` in a shell's file."""

from __future__ import annotations

import os
import re
import shlex

from safepip.system.environment import names_in
from safepip.system.interpreter import head_of, is_program
from safepip.system.pipx import home_of, installed_applications

from .finding import known, ok, put_first, warning
from .path import PIPS, on_path, search

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .finding import Context, Finding, Findings

# The program safepip in a line of a shell: in single quotes, in double quotes, or bare.
_PROGRAM = re.compile(
    r"""'(/[^'\n]*safepip)'|"([~$/][^"\n]*safepip)"|((?:~[\w.-]*|\$\{?HOME\}?)?/[^\s'"`;|&()]*safepip)(?![\w./-])"""
)


def check(context: Context) -> Findings:
    """Look at the shims, at the line of init, and at the directory of pipx's programs."""
    pips = on_path(PIPS, context)
    for folder in _shim_folders(context):
        yield from _shims(folder, pips[0].path if pips else "", context)
    if pips and pips[0].own and not pips[0].lost:
        yield ok("routed", f"pip is safepip's: {pips[0].path}")
    else:
        yield _init(context)
    if context.ambient.home:
        yield _local_bin(os.path.join(context.ambient.home, ".local", "bin"), context)


# -- shims


def _shim_folders(context: Context) -> list[str]:
    """Return the directories of shims on PATH, and safepip's own one."""
    own = [os.path.join(context.data, "shims")] if context.data else []
    folders = dict.fromkeys((*filter(os.path.isabs, search(context)), *own))
    return [folder for folder in folders if b"safepip made this" in head_of(os.path.join(folder, "pip"))]


def _shims(folder: str, first_pip: str, context: Context) -> Findings:
    if not is_program(os.path.join(folder, ".safepip", "pip")):
        why = f"the shims in {folder} lead to a safepip that is gone"
        yield warning("shims-stale", why, f"safepip shims {shlex.quote(folder)}")
    elif folder not in search(context):
        yield warning("shims-off-path", f"the shims in {folder} are not on PATH", put_first(folder))
    elif first_pip and first_pip != os.path.join(folder, "pip"):
        yield warning("shims-shadowed", f"{first_pip} comes before the shims in {folder}", put_first(folder))


# -- init


def _init(context: Context) -> Finding:
    lines: tuple[tuple[str, str], ...] = known(lambda: lines_to_add(context), ())
    for file, _ in lines:
        line = _line_of_safepip(file)
        if line:
            gone = _missing_program(line)
            if not gone:
                return ok("routed", f"pip is safepip's in the shells that read {file}")
            why = f"{file} starts {gone}, which is gone"
            return warning("init-stale", why, "safepip init --write")
    if known(lambda: context.managed, False):
        why = "pip alone is not safepip's: neither init nor shims are in place"
        return warning("routed", why, "safepip init --write" if lines else "safepip init")
    return ok("routed", "pip alone is not safepip's, which this Python does not need")


def lines_to_add(context: Context) -> tuple[tuple[str, str], ...]:
    """Return pairs of a file that the user's shell reads and the line that it needs."""
    from safepip.verbs.init import lines_to_add  # noqa: PLC0415

    return lines_to_add(context)


def _line_of_safepip(file: str) -> str:
    """Return the first line of the file that names safepip, comments left out; "" where none does."""
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return next((line for line in opened if "safepip" in line.partition("#")[0]), "")
    except OSError:
        return ""


def _missing_program(line: str) -> str:
    """Return the first program safepip that the line names and that does not exist, or ""."""
    for found in _PROGRAM.finditer(line):
        typed = "".join(filter(None, found.groups()))
        path = os.path.expanduser(re.sub(r"^\$(?:HOME\b|\{HOME\})", "~", typed))
        if os.path.isabs(path) and "$" not in path and not os.path.exists(path):
            return path
    return ""


# -- the directory of pipx's programs


def _local_bin(folder: str, context: Context) -> Finding:
    if folder in search(context):
        return ok("local-bin", f"{folder} is on PATH")
    names = names_in(folder)
    has_applications = bool(installed_applications(os.path.join(home_of(context), "venvs")))
    if has_applications or any(is_program(os.path.join(folder, name)) for name in names):
        why = f"{folder} is not on PATH: programs installed there are not found"
        return warning("local-bin", why, "safepip app ensurepath")
    return ok("local-bin", f"{folder} is not needed on PATH")
