"""The line of `safepip init` in the files that shells read when they start: which file, which line, write, remove.

The line names safepip by its absolute path, because login shells read these files before PATH is complete. A
safepip that is missing or broken costs one line at each start of a shell, and pip stays the plain one.
"""

from __future__ import annotations

import os
import re
import stat
import string

from safepip.errors import CANNOT_CREATE, SafepipError
from safepip.system.files import replace_file

from .detect import LANGUAGES, name_of
from .quoting import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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
# What earlier versions said to add, and what people write by themselves.
_PLAIN_LINES = (
    f'eval "$({_START})"',
    f"{_START} | source",
    f"eval `{_START}`",
    _TCSH_QUOTED,
    f"{_START} | Out-String | Invoke-Expression",
    f"execx($({_START}))",
    f"{_START} | {_SAVE}",
)
# Login shells of bash read other files, which many a system has read ~/.bashrc.
_READ_BASHRC = '[ -z "$BASH_VERSION" ] || case $- in *i*) . ~/.bashrc ;; esac # safepip init bash'
_OF_SH = {"ksh": ".kshrc", "ksh93": ".kshrc", "mksh": ".mkshrc", "yash": ".yashrc"}
# safepip, as one may have written it in the line.
_PROGRAM = r"""(?:(?:&\ )?'[^'\n]*safepip'|\^?"[^"\n]*safepip"|\^?[^\s'"]*safepip)"""


def lines_for(shell: str, program: str, home: str, environ: Mapping[str, str], *, options: str = "") -> Lines:
    """Return which line which file needs for the shell of this path or name."""
    language = LANGUAGES[name_of(shell)]
    files = _files(language, shell, home, environ)
    word = quote(language, program)
    if language != "xonsh" and not re.search(r"[^\w@%+=:,./-]", program):
        word = program
    templates = (_TCSH_QUOTED,) if language == "tcsh" and word != program else _LINES[language]
    filled = [line.replace("@PROGRAM@", word).replace("@SHELL@", language + options) for line in templates]
    lines = list(zip(files, filled, strict=True))
    login = _login_file(home) if language == "bash" else None
    return (*lines, *([(login, _READ_BASHRC)] if login else []))


def write(lines: Lines, shell: str) -> list[tuple[str, str]]:
    """Put each line at the end of its file, in the place of older ones of safepip's; return what was written."""
    told = _pattern(LANGUAGES[name_of(shell)])
    written = []
    for file, line in lines:
        before = _read(file)
        if line in map(str.rstrip, before):
            continue
        kept = [old for old in before if not told.fullmatch(old.rstrip("\r\n"))]
        if kept and not kept[-1].endswith("\n"):
            kept[-1] += "\n"
        _write(file, [*kept, f"{line}\n"])
        written.append((file, line))
    return written


def remove(lines: Lines, shell: str) -> list[tuple[str, str]]:
    """Remove safepip's lines from the files; any other line is the user's own. Return what was removed."""
    told = _pattern(LANGUAGES[name_of(shell)])
    removed = []
    for file in dict.fromkeys(file for file, _ in lines):
        before = _read(file)
        kept = [line for line in before if not told.fullmatch(line.rstrip("\r\n"))]
        if kept != before:
            _write(file, kept)
            removed += [(file, line.strip()) for line in before if line not in kept]
    return removed


def all_files(shell: str, home: str, environ: Mapping[str, str]) -> Lines:
    """Return every file of the shell's that may have a line of safepip's, without the lines."""
    language = LANGUAGES[name_of(shell)]
    files = _files(language, shell, home, environ)
    if language == "bash":
        files = (*files, *(os.path.join(home, name) for name in _LOGIN_FILES))
    return tuple((file, "") for file in files)


_LOGIN_FILES = (".bash_profile", ".bash_login", ".profile")  # bash reads the first that exists


def _files(language: str, shell: str, home: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    config = _absolute(environ, "XDG_CONFIG_HOME") or os.path.join(home, ".config")
    if language == "bash":
        return (os.path.join(home, ".bashrc"),)
    if language == "zsh":
        return (os.path.join(_absolute(environ, "ZDOTDIR") or home, ".zshrc"),)
    if language == "fish":
        return (os.path.join(config, "fish", "config.fish"),)
    if language == "sh":
        return (_absolute(environ, "ENV") or os.path.join(home, _OF_SH.get(name_of(shell), ".profile")),)
    if language == "tcsh":
        return (_first(os.path.join(home, ".tcshrc"), os.path.join(home, ".cshrc")),)
    if language == "powershell":
        return (os.path.join(config, "powershell", "profile.ps1"),)
    if language == "xonsh":
        return (_first(os.path.join(home, ".xonshrc"), os.path.join(config, "xonsh", "rc.xsh")),)
    return tuple(os.path.join(config, "nushell", name) for name in ("env.nu", "config.nu"))


def _absolute(environ: Mapping[str, str], name: str) -> str:
    """Return the path that a variable holds, variables in it expanded as sh does with ENV; "" if relative."""
    path = string.Template(environ.get(name, "")).safe_substitute(environ)
    return path if os.path.isabs(path) else ""


def _first(preferred: str, other: str) -> str:
    return preferred if os.path.exists(preferred) or not os.path.exists(other) else other


def _login_file(home: str) -> str | None:
    """Return the file in which login shells of bash have to be told of ~/.bashrc; None where they are."""
    paths = [os.path.join(home, name) for name in _LOGIN_FILES]
    path = next(filter(os.path.isfile, paths), paths[-1])
    told = [line for line in _read(path) if "bashrc" in line.partition("#")[0] and line.strip() != _READ_BASHRC]
    return None if told else path


def _pattern(language: str) -> re.Pattern[str]:
    """Return what matches the lines that safepip writes or wrote for shells of this language."""
    shells = "|".join(name for name, spoken in LANGUAGES.items() if spoken == language)
    told = []
    for line in (*_LINES[language], *_PLAIN_LINES):
        text = re.escape(line).replace("@PROGRAM@", _PROGRAM)
        told.append(text.replace("@SHELL@", rf"(?:{shells})(?:\ --no-activate)?"))
    if language == "bash":
        told.append(re.escape(_READ_BASHRC))
    return re.compile(rf"[ \t]*(?:{'|'.join(told)})[ \t]*")


def _read(file: str) -> list[str]:
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # reading a pipe would not end; a device is not to be replaced
            raise SafepipError(CANNOT_CREATE, f"{file} is not a regular file; it is left as it is")
        with open(file, encoding="utf-8", errors="surrogateescape", newline="") as opened:
            return opened.readlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SafepipError(CANNOT_CREATE, f"cannot read {file}: {error.strerror}") from None


def _write(file: str, lines: list[str]) -> None:
    """Write the file with its old rights; where it is a link, the file that it leads to."""
    real = os.path.realpath(file)
    like = real if os.path.exists(real) else None
    text = "".join(lines).encode("utf-8", "surrogateescape")
    try:
        os.makedirs(os.path.dirname(real), exist_ok=True)
        replace_file(real, text, mode=0o644, like=like)
    except OSError as error:
        raise SafepipError(CANNOT_CREATE, f"cannot write {file}: {error.strerror}") from None
