"""safepip init SHELL: the code that makes a shell serve what safepip installed, for its rc file to evaluate."""

from __future__ import annotations

import os
import re
import shutil
import sys

from safepip.errors import NOT_FOUND, USAGE, SafepipError
from safepip.shells.detect import LANGUAGES, language_of, name_of, users_shell
from safepip.shells.files import FOLDER, read_file
from safepip.shells.hook import begins
from safepip.shells.links import refresh
from safepip.shells.quoting import assignments, quote, render
from safepip.shells.shim import write_python_shims
from safepip.system.interpreter import EXE, is_program
from safepip.system.process import inherited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context

_USAGE = "safepip init [SHELL] [--no-activate | --undo]"
_OPTIONS = ("--no-activate", "--undo")
# safepip, as one may have written it in the line.
_PROGRAM = r"""(?:(?:&\ )?'[^'\n]*safepip'|\^?"[^"\n]*safepip"|[^\s'"]*safepip)"""

# The line for the rc file; {} is the program.
_LINES = {
    "bash": ('eval "$({} init bash)"',),
    "zsh": ('eval "$({} init zsh)"',),
    "fish": ("{} init fish | source",),
    "sh": ('eval "$({} init sh)"',),
    "tcsh": ("eval `{} init tcsh`",),
    "powershell": ("{} init powershell | Out-String | Invoke-Expression",),
    "xonsh": ("execx($({} init xonsh))",),
    "nushell": (
        "{} init nushell | save --force ($nu.default-config-dir | path join safepip.nu)",
        "source safepip.nu",
    ),
}
_OF_SH = {"ksh": ".kshrc", "ksh93": ".kshrc", "mksh": ".mkshrc", "yash": ".yashrc"}
_POSIX = ("bash", "zsh", "sh")
_BEGUN = (*_POSIX, "fish")  # what a shell that begins changes is printed with the code; others ask for it
_FILES = {
    "bash": ("common.sh", "complete.bash", "init.bash"),
    "zsh": ("common.sh", "complete.zsh", "init.zsh"),
    "sh": ("common.sh", "init.sh"),
    "fish": ("complete.fish", "init.fish"),
    "powershell": ("init.ps1",),
    "xonsh": ("init.xsh",),
    "nushell": ("init.nu",),
}


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Print the code for the shell named first in `words`; say what line to add where none is."""
    if words[:1] in {("--help",), ("-h",)}:
        sys.stdout.write(f"usage: {_USAGE}\nSHELL is one of {', '.join(_LINES)}\n")
        return 0
    name, options = _read(words)
    if "--undo" in options:
        return _undo(name, context, report)
    if name is None:
        return _say_the_line(context, report)
    _prepare(LANGUAGES[name], context)
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(code(LANGUAGES[name], context, activate=not options)))
    return 0


def code(language: str, context: Context, *, activate: bool = True) -> str:
    """Return the code for a shell of this language."""
    values = {"_safepip_program": own_program(), "_safepip_hooked": _hooked(context) if activate else "0"}
    if language == "tcsh":  # one line: backticks, its only way to evaluate, join lines
        start = os.path.join(FOLDER, "init.tcsh")
        line = assignments(language, {**values, "_safepip_files": FOLDER})
        return f"{line} ; source {quote(language, start)}\n"
    if language in _POSIX:
        values["_safepip_shell"] = language
    begin = [render(language, begins(inherited(), values["_safepip_hooked"]))] if language in _BEGUN else []
    return "\n".join([assignments(language, values), *map(read_file, _FILES[language]), *begin, ""])


def _hooked(context: Context) -> str:
    return "1" if context.settings.prompt else "plain"


def own_program() -> str:
    """Return the absolute path of the program that starts safepip, links kept: they outlive updates."""
    typed = os.path.abspath(sys.argv[0])
    typed += "" if typed.endswith(EXE) else EXE
    beside = os.path.join(os.path.dirname(sys.executable), "safepip" + EXE)
    behind = os.path.realpath(typed)  # a shim's link called pip, made for the safepip that it leads to
    named = (path for path in (typed, behind, beside) if os.path.basename(path).startswith("safepip"))
    path = next(filter(is_program, named), None) or shutil.which("safepip")
    if path is None:
        mode = (f"make it one: chmod +x {typed}",) if os.path.isfile(typed) else ()
        raise SafepipError(NOT_FOUND, "there is no program safepip, neither beside its Python nor on PATH", *mode)
    return os.path.abspath(path)


def _read(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the shell's name, if one was typed, and the options."""
    options = tuple(word for word in words if word in _OPTIONS)
    names = tuple(word for word in words if word not in _OPTIONS)
    if len(names) > 1 or len(set(options)) > 1 or any(name.startswith("-") for name in names):
        raise SafepipError(USAGE, f"usage: {_USAGE}")
    name = name_of(names[0]) if names else None
    if name is not None and name not in LANGUAGES:
        raise SafepipError(USAGE, f"{names[0]} is no shell that safepip knows", f"known: {', '.join(_LINES)}")
    return name, options


def _prepare(language: str, context: Context) -> None:
    """Write what the code counts on: it starts no process to look."""
    refresh(context.data)
    if language == "fish" and context.data is not None:
        search = context.ambient.environ.get("PATH", os.defpath)
        write_python_shims(os.path.join(context.data, "pythons"), own_program(), search)


def _say_the_line(context: Context, report: Report) -> int:
    """Say which line to add to which file: on stderr, so that evaluating it does no harm."""
    for file, line in lines_to_add(context):
        report.say(f"add to {file}: {line}")
    return 0


def lines_to_add(context: Context) -> tuple[tuple[str, str], ...]:
    """Return pairs of a file that the user's shell reads, as an absolute path, and the line that it needs."""
    shell = users_shell(context.ambient.environ)
    language = language_of(shell)
    if language is None:
        raise SafepipError(USAGE, f"{shell} is no shell that safepip knows; name one", f"usage: {_USAGE}")
    files = _rc_files(language, shell, context)
    program = own_program()
    on_path = shutil.which("safepip")
    same = on_path is not None and os.path.realpath(on_path) == os.path.realpath(program)
    called = {"powershell": "& ", "nushell": "^"}.get(language, "")  # a quoted path alone is a text there
    named = "safepip" if same else called + quote(language, program)
    lines = (line.format(named) for line in _LINES[language])
    return tuple(zip(files, lines, strict=True))


def _rc_files(language: str, shell: str, context: Context) -> tuple[str, ...]:
    """Return the file for each line of the language, as absolute paths."""
    environ, home = context.ambient.environ, context.ambient.home or os.sep
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    of_sh = _OF_SH.get(name_of(shell), ".profile")
    nushell = os.path.join(config, "nushell")
    old_xonsh = os.path.join(home, ".xonshrc")
    return {
        "bash": (os.path.join(home, ".bashrc"),),
        "zsh": (os.path.join(environ.get("ZDOTDIR") or home, ".zshrc"),),
        "fish": (os.path.join(config, "fish", "config.fish"),),
        "sh": (environ.get("ENV") or os.path.join(home, of_sh),),
        "tcsh": (_first(os.path.join(home, ".tcshrc"), os.path.join(home, ".cshrc")),),
        "powershell": (os.path.join(config, "powershell", "profile.ps1"),),
        "xonsh": (_first(old_xonsh, os.path.join(config, "xonsh", "rc.xsh")),),
        "nushell": (os.path.join(nushell, "env.nu"), os.path.join(nushell, "config.nu")),
    }[language]


def _first(preferred: str, other: str) -> str:
    return preferred if os.path.exists(preferred) or not os.path.exists(other) else other


def _undo(name: str | None, context: Context, report: Report) -> int:
    """Remove the lines that safepip told the user to add; any other is the user's own and stays."""
    shell = name or users_shell(context.ambient.environ)
    language = language_of(shell) or "sh"
    shells = r"(?:" + "|".join(known for known, spoken in LANGUAGES.items() if spoken == language) + ")"
    told = []
    for line in _LINES[language]:
        before, _, after = line.partition("{}")
        named = re.escape(after).replace(f"init\\ {language}", rf"init\ {shells}(?:\ --no-activate)?")
        told.append(re.escape(before) + (_PROGRAM if "{}" in line else "") + named)
    for file in dict.fromkeys(_rc_files(language, shell, context)):
        removed = _removed(file, re.compile(rf"[ \t]*(?:{'|'.join(told)})[ \t]*\n?"))
        for line in removed or ("nothing of safepip's",):
            report.say(f"{'removed from' if removed else 'in'} {file}: {line}")
    return 0


def _removed(file: str, told: re.Pattern[str]) -> list[str]:
    """Remove the lines that are wholly as `told` from the file; return them."""
    real = os.path.realpath(file)
    try:
        with open(real, encoding="utf-8", errors="surrogateescape", newline="") as opened:
            lines = opened.readlines()
    except OSError:
        return []
    removed = [line for line in lines if told.fullmatch(line.rstrip("\r\n"))]
    if removed:
        scratch = f"{real}.safepip-{os.getpid()}"
        with open(scratch, "x", encoding="utf-8", errors="surrogateescape", newline="") as opened:
            opened.writelines(line for line in lines if line not in removed)
        shutil.copystat(real, scratch)
        os.replace(scratch, real)
    return [line.strip() for line in removed]
