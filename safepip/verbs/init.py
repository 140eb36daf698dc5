"""safepip init: make a shell's pip safepip's."""

from __future__ import annotations

import argparse
import os
import sys

from safepip.doctor.neighbours import neighbours_here
from safepip.errors import USAGE, SafepipError
from safepip.report import Report
from safepip.shells import FOLDER, LANGUAGES, read_file, startup_files
from safepip.shells.detect import language_of, name_of
from safepip.shells.hook import begins
from safepip.shells.links import refresh
from safepip.shells.program import own_program, typed_program
from safepip.shells.quoting import assignments, quote, render
from safepip.shells.shim import write_python_shims
from safepip.shells.startup_files import Lines
from safepip.system.observe import Context
from safepip.system.process import inherited

from .arguments import for_verb

_SUPPORTED = ", ".join(dict.fromkeys(LANGUAGES.values()))
_POSIX = ("bash", "zsh", "sh")
# Shells whose code ends with the answer to `hook SHELL start`; the others ask for it.
_BEGUN = (*_POSIX, "fish")
_FILES = {
    "bash": ("common.sh", "complete.bash", "init.bash"),
    "zsh": ("common.sh", "complete.zsh", "init.zsh"),
    "sh": ("common.sh", "init.sh"),
    "fish": ("complete.fish", "init.fish"),
    "powershell": ("init.ps1",),
    "xonsh": ("init.xsh",),
    "nushell": ("init.nu",),
}
_MORE = """\
Without SHELL, show which line your shell's start-up file needs. With it, print the
code that the line evaluates: functions pip, pip3 and python, the project's environment
active on entering a directory, and completion."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this verb's arguments."""
    made = for_verb("init", example="safepip init --write", more=_MORE)
    made.add_argument("shell", metavar="SHELL", nargs="?", help=_SUPPORTED)
    made.add_argument("--no-activate", action="store_true", help="do not activate the project's environment")
    either = made.add_mutually_exclusive_group()
    either.add_argument("--write", action="store_true", help="write the line into the shell's start-up file")
    either.add_argument("--undo", action="store_true", help="remove the line from the shell's start-up file")
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Print the code for a shell, or set up its line."""
    said = parser().parse_args(words)
    if said.shell is not None and language_of(said.shell) is None:
        raise SafepipError(USAGE, f"unsupported shell: {said.shell}", f"supported: {_SUPPORTED}")
    if said.undo:
        return _undo(said.shell, context, report)
    if said.write or said.shell is None:
        options = " --no-activate" if said.no_activate else ""
        shell = startup_files.chosen_shell(said.shell, context)
        lines = startup_files.lines_to_add(context, shell, options)
        if said.write:
            _write(shell, lines, context, report)
        else:
            _show(lines, context, report)
        _name_neighbours(context, report)
        return 0
    language = LANGUAGES[name_of(said.shell)]
    refresh(context.data)
    if language == "fish" and context.data is not None:
        search = context.ambient.environ.get("PATH", os.defpath)
        write_python_shims(os.path.join(context.data, "pythons"), own_program(), search)
    sys.stdout.flush()
    # As bytes, for a path may have some that are not UTF-8.
    sys.stdout.buffer.write(os.fsencode(code(language, context, activate=not said.no_activate)))
    return 0


def code(language: str, context: Context, *, activate: bool = True) -> str:
    """Return the code for a shell of this language."""
    hooked = "1" if context.settings.prompt else "plain"
    if not activate:
        hooked = "0"
    values = {"_safepip_program": own_program(), "_safepip_hooked": hooked}
    if language == "tcsh":  # one line: backticks, its only way to evaluate, join lines
        line = assignments(language, {**values, "_safepip_files": FOLDER})
        return f"{line} ; source {quote(language, os.path.join(FOLDER, 'init.tcsh'))}\n"
    if language in _POSIX:
        values["_safepip_shell"] = language
    parts = [assignments(language, values), *map(read_file, _FILES[language])]
    if language in _BEGUN:
        parts.append(render(language, begins(inherited(), hooked)))
    return "\n".join([*parts, ""])


def _show(lines: Lines, context: Context, report: Report) -> None:
    # With the file as a comment the output can be appended or evaluated.
    sys.stdout.write("".join(f"# {file}\n{line}\n" for file, line in lines))
    sys.stdout.flush()
    what = "these lines" if len(lines) > 1 else "this line"
    report.say(f"have {what} written: {typed_program(context)} init --write")


def _write(shell: str, lines: Lines, context: Context, report: Report) -> None:
    written = startup_files.write(lines, shell)
    for file, line in lines:
        if (file, line) in written:
            report.say(f"wrote to {file}: {line}")
        else:
            report.say(f"already in {file}")
    if written:
        report.say(f"new shells read it; remove it again: {typed_program(context)} init --undo")


def _name_neighbours(context: Context, report: Report) -> None:
    for found in neighbours_here(context):
        report.say(found.what)
        if not found.both_act:
            report.say(f"to have both act: {found.way}")


def _undo(named: str | None, context: Context, report: Report) -> int:
    shell = startup_files.chosen_shell(named, context)
    ambient = context.ambient
    files = startup_files.all_files(shell, ambient.home or os.sep, ambient.environ)
    removed = startup_files.remove(files, shell)
    for file, line in removed:
        report.say(f"removed from {file}: {line}")
    if not removed:
        report.say(f"{files[0]} has no line of safepip's")
    return 0
