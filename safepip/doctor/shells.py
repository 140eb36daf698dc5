"""Whether plain `pip` starts safepip: by shims, or the line of init."""

from __future__ import annotations

import os
import re
import shlex

from safepip.shells.startup_files import Lines, lines_to_add
from safepip.system.environment import names_in
from safepip.system.interpreter import head_of, is_program
from safepip.system.pipx import environments_of, installed_applications

from .finding import Context, Finding, Findings, attempt, is_managed, ok, put_first, warning
from .path import PIPS, Program, on_path, path_entries

# The program safepip in a line of a shell: in single quotes, in double quotes, or bare.
_PROGRAM = re.compile(
    r"""'(/[^'\n]*safepip)'|"([~$/][^"\n]*safepip)"|((?:~[\w.-]*|\$\{?HOME\}?)?/[^\s'"`;|&()]*safepip)(?![\w./-])"""
)


def check(context: Context) -> Findings:
    """Look at shims, the line of init, and ~/.local/bin."""
    first, *_ = [*on_path(PIPS, context), Program(path="")]
    folders = list(filter(os.path.isabs, path_entries(context)))
    if context.data:
        folders.append(os.path.join(context.data, "shims"))
    for folder in dict.fromkeys(folders):
        if b"safepip made this" in head_of(os.path.join(folder, "pip")):
            yield from _shims(folder, first.path, context)
    if first.own and not first.lost:
        yield ok("routed", f"pip is safepip's: {first.path}")
    else:
        yield _init(context)
    if context.ambient.home:
        yield _local_bin(os.path.join(context.ambient.home, ".local", "bin"), context)


def _shims(folder: str, first_pip: str, context: Context) -> Findings:
    # The link leads to the safepip that wrote the shims.
    if not is_program(os.path.join(folder, ".safepip", "pip")):
        why = f"the shims in {folder} lead to a safepip that is gone"
        yield warning("shims-stale", why, f"safepip shims {shlex.quote(folder)}")
    elif folder not in path_entries(context):
        yield warning("shims-off-path", f"the shims in {folder} are not on PATH", put_first(folder))
    elif first_pip and first_pip != os.path.join(folder, "pip"):
        yield warning("shims-shadowed", f"{first_pip} comes before the shims in {folder}", put_first(folder))


def _init(context: Context) -> Finding:
    no_lines: Lines = ()
    # Without a known shell no file can be named.
    lines = attempt(lambda: lines_to_add(context), no_lines)
    for file, _ in lines:
        line = _line_of_safepip(file)
        if not line:
            continue
        gone = _missing_program(line)
        if gone:
            return warning("init-stale", f"{file} starts {gone}, which is gone", "safepip init --write")
        return ok("routed", f"pip is safepip's in the shells that read {file}")
    if is_managed(context):
        why = "pip alone is not safepip's: neither init nor shims are in place"
        if lines:
            return warning("routed", why, "safepip init --write")
        # The shell is unknown, and `init` names the ones to choose from.
        return warning("routed", why, "safepip init")
    return ok("routed", "pip alone is not safepip's, which this Python does not need")


def _line_of_safepip(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            for line in opened:
                if "safepip" in line.partition("#")[0]:
                    return line
    except OSError:
        return ""
    return ""


def _missing_program(line: str) -> str:
    for found in _PROGRAM.finditer(line):
        typed = found[found.lastindex or 0]
        path = os.path.expanduser(re.sub(r"^\$(?:HOME\b|\{HOME\})", "~", typed))
        if not os.path.isabs(path) or "$" in path:  # only the shell knows where it leads
            continue
        if not os.path.exists(path):
            return path
    return ""


def _local_bin(folder: str, context: Context) -> Finding:
    if folder in path_entries(context):
        return ok("local-bin", f"{folder} is on PATH")
    programs = [os.path.join(folder, name) for name in names_in(folder)]
    if any(map(is_program, programs)) or installed_applications(environments_of(context)):
        why = f"{folder} is not on PATH: programs installed there are not found"
        return warning("local-bin", why, "safepip app ensurepath")
    return ok("local-bin", f"{folder} is not needed on PATH")
