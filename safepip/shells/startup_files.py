"""Write the line of `safepip init` into the start-up files of shells.

The line names safepip by its absolute path, because login shells read these files before PATH is complete. If
safepip is missing or broken, each start of a shell prints one line, and pip stays the plain one.
"""

from __future__ import annotations

import os
import re
import stat
import string
from collections.abc import Iterable, Mapping

from safepip.errors import CANNOT_CREATE, USAGE, SafepipError
from safepip.system.files import replace_file, sweep
from safepip.system.observe import Context

from . import LANGUAGES
from .detect import language_of, name_of, users_shell
from .program import own_program, typed_program
from .quoting import quote

Lines = tuple[tuple[str, str], ...]  # pairs of a file, as an absolute path, and the line that it needs
_FAILED = "safepip does not start: set it up again"
_START = "@PROGRAM@ init @SHELL@"
_POSIX = f"""eval "$({_START} 2>/dev/null || echo 'echo "{_FAILED}" >&2')\""""
_FISH = f"""begin; test -x @PROGRAM@; and {_START} 2>/dev/null; or echo 'echo "{_FAILED}" >&2'; end | source"""
_TCSH = f"""eval "`sh -c '{_START} 2>/dev/null || echo echo {_FAILED}'`\""""
_TCSH_QUOTED = f'eval "`{_START}`"'  # a program that needs quotes cannot be quoted once more
_POWERSHELL = (
    f"try {{ & {_START} 2>$null | Out-String | Invoke-Expression }} "
    f"catch {{ [Console]::Error.WriteLine('{_FAILED}') }}"
)
_XONSH = (
    """execx(__import__("subprocess").run(["sh", "-c", '"$0" init @SHELL@ 2>/dev/null', @PROGRAM@], """
    f"""env=${{...}}.detype(), stdout=-1, text=True).stdout or "print('{_FAILED}')")"""
)
_SAVE = "save --force ($nu.default-config-dir | path join safepip.nu)"
_NUSHELL = f'try {{ ^{_START} err> /dev/null | {_SAVE} }} catch {{ "" | {_SAVE}; print --stderr "{_FAILED}" }}'
_LINES = {
    "bash": (_POSIX,),
    "zsh": (_POSIX,),
    "sh": (_POSIX,),
    "fish": (_FISH,),
    "tcsh": (_TCSH,),
    "powershell": (_POWERSHELL,),
    "xonsh": (_XONSH,),
    "nushell": (_NUSHELL, "source safepip.nu"),
}
# Earlier versions said to add these, and people write them by themselves.
_PLAIN_LINES = (
    f'eval "$({_START})"',
    f"{_START} | source",
    f"eval `{_START}`",
    _TCSH_QUOTED,
    f"{_START} | Out-String | Invoke-Expression",
    f"execx($({_START}))",
    f"{_START} | {_SAVE}",
)
# Login shells of bash read other files. Many systems, but not all, let these read ~/.bashrc.
_READ_BASHRC = '[ -z "$BASH_VERSION" ] || case $- in *i*) . ~/.bashrc ;; esac # safepip init bash'
_LOGIN_FILES = (".bash_profile", ".bash_login", ".profile")  # bash reads the first that exists
_OF_SH = {"ksh": ".kshrc", "ksh93": ".kshrc", "mksh": ".mkshrc", "yash": ".yashrc"}
# safepip, as people write it in the line.
_PROGRAM = r"""(?:(?:&\ )?'[^'\n]*safepip'|\^?"[^"\n]*safepip"|\^?[^\s'"]*safepip)"""


def chosen_shell(named: str | None, context: Context) -> str:
    """Return the shell that was named, else the user's."""
    own = users_shell(context.ambient.environ)
    if named is not None and name_of(named) != name_of(own):
        return named
    if language_of(own) is None:
        raise SafepipError(
            USAGE, f"unsupported shell: {own}", f"name one: {typed_program(context)} init {next(iter(LANGUAGES))}"
        )
    return own


def lines_to_add(context: Context, shell: str | None = None, options: str = "") -> Lines:
    """Return the files of a shell, or the user's, with their lines."""
    if shell is None:
        shell = chosen_shell(None, context)
    home = context.ambient.home or os.sep
    language = LANGUAGES[name_of(shell)]
    word = program = own_program()
    if language == "xonsh" or re.search(r"[^\w@%+=:,./-]", program):
        word = quote(language, program)
    templates = _LINES[language]
    if language == "tcsh" and word != program:
        templates = (_TCSH_QUOTED,)
    files = _files(language, shell, home, context.ambient.environ)
    lines = []
    for file, template in zip(files, templates, strict=True):
        lines.append((file, template.replace("@PROGRAM@", word).replace("@SHELL@", language + options)))
    if language == "bash":
        login = _login_file(home)
        if login is not None:
            lines.append((login, _READ_BASHRC))
    return tuple(lines)


def write(lines: Lines, shell: str) -> list[tuple[str, str]]:
    """Write lines at the ends of their files, and return those written."""
    of_safepip = _pattern(LANGUAGES[name_of(shell)])
    written = []
    for file, line in lines:
        _sweep(file)
        before = _read(file)
        # Written again, the line would move to the end of the file.
        if line in map(str.rstrip, before):
            continue
        kept = _without(before, of_safepip)
        # The user's last line may lack its end.
        if kept and not kept[-1].endswith("\n"):
            kept[-1] += "\n"
        _write(file, [*kept, f"{line}\n"])
        written.append((file, line))
    return written


def remove(files: Iterable[str], shell: str) -> list[tuple[str, str]]:
    """Remove safepip's lines from the files, and return them."""
    of_safepip = _pattern(LANGUAGES[name_of(shell)])
    removed: list[tuple[str, str]] = []
    for file in files:
        _sweep(file)
        before = _read(file)
        kept = _without(before, of_safepip)
        if kept != before:
            _write(file, kept)
        for line in before:
            if line not in kept:
                removed.append((file, line.strip()))
    return removed


def _without(lines: list[str], of_safepip: re.Pattern[str]) -> list[str]:
    kept = []
    for line in lines:
        if not of_safepip.fullmatch(line.rstrip("\r\n")):
            kept.append(line)
    return kept


def all_files(shell: str, home: str, environ: Mapping[str, str]) -> list[str]:
    """Return all files of the shell that may have such a line."""
    language = LANGUAGES[name_of(shell)]
    files = list(_files(language, shell, home, environ))
    if language == "bash":
        files += [os.path.join(home, name) for name in _LOGIN_FILES]
    return files


def _files(language: str, shell: str, home: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    config = _directory(environ, "XDG_CONFIG_HOME", os.path.join(home, ".config"))
    match language:
        case "bash":
            return (os.path.join(home, ".bashrc"),)
        case "zsh":
            return (os.path.join(_directory(environ, "ZDOTDIR", home), ".zshrc"),)
        case "fish":
            return (os.path.join(config, "fish", "config.fish"),)
        case "sh":
            usual = os.path.join(home, _OF_SH.get(name_of(shell), ".profile"))
            return (_directory(environ, "ENV", usual),)
        case "tcsh":
            return (_first(os.path.join(home, ".tcshrc"), os.path.join(home, ".cshrc")),)
        case "powershell":
            return (os.path.join(config, "powershell", "profile.ps1"),)
        case "xonsh":
            return (_first(os.path.join(home, ".xonshrc"), os.path.join(config, "xonsh", "rc.xsh")),)
        case _:
            folder = os.path.join(config, "nushell")
            # env.nu is read first, so that config.nu finds the file which it writes.
            return (os.path.join(folder, "env.nu"), os.path.join(folder, "config.nu"))


def _directory(environ: Mapping[str, str], name: str, otherwise: str) -> str:
    """Return the absolute path that a variable holds, or `otherwise`."""
    # sh expands variables in the value of ENV (POSIX, "sh", ENVIRONMENT VARIABLES).
    path = string.Template(environ.get(name, "")).safe_substitute(environ)
    if os.path.isabs(path):
        return path
    return otherwise


def _first(preferred: str, other: str) -> str:
    for path in (preferred, other):
        if os.path.exists(path):
            return path
    return preferred


def _login_file(home: str) -> str | None:
    # Login shells of bash read ~/.bashrc only if one of these files says so.
    paths = [os.path.join(home, name) for name in _LOGIN_FILES]
    path = next(filter(os.path.isfile, paths), paths[-1])
    for line in _read(path):
        if "bashrc" in line.partition("#")[0] and line.strip() != _READ_BASHRC:
            return None
    return path


def _pattern(language: str) -> re.Pattern[str]:
    shells = "|".join(filter(lambda name: LANGUAGES[name] == language, LANGUAGES))
    patterns = []
    for line in (*_LINES[language], *_PLAIN_LINES):
        text = re.escape(line).replace("@PROGRAM@", _PROGRAM)
        patterns.append(text.replace("@SHELL@", rf"(?:{shells})(?:\ --no-activate)?"))
    if language == "bash":
        patterns.append(re.escape(_READ_BASHRC))
    return re.compile(rf"[ \t]*(?:{'|'.join(patterns)})[ \t]*")


def _read(file: str) -> list[str]:
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # a pipe would block; a device must not be replaced
            raise SafepipError(CANNOT_CREATE, f"{file} is not a regular file; it is left as it is")
        with open(file, encoding="utf-8", errors="surrogateescape", newline="") as opened:
            return opened.readlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SafepipError(CANNOT_CREATE, f"cannot read {file}: {error.strerror}") from None


def _sweep(file: str) -> None:
    """Remove what a killed command was writing in place of the file."""
    sweep(*os.path.split(os.path.realpath(file)))


def _write(file: str, lines: list[str]) -> None:
    real = os.path.realpath(file)  # dotfiles are often links into a repository
    like = real if os.path.exists(real) else None
    text = "".join(lines).encode("utf-8", "surrogateescape")
    try:
        os.makedirs(os.path.dirname(real), exist_ok=True)
        replace_file(real, text, mode=0o644, like=like)
    except OSError as error:
        raise SafepipError(CANNOT_CREATE, f"cannot write {file}: {error.strerror}") from None
