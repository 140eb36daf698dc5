"""safepip run [--] CMD…: the program CMD as if the environment of this place were active."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal only adds enums, which cost more than the rest
import os
import sys

from safepip.core.record import replace
from safepip.core.world import ABSENT, BIN, EXE, UNFINISHED, USABLE
from safepip.envs.in_force import repaired, unfit
from safepip.errors import CANNOT_RUN, NOT_FOUND, SafepipError, shell_quote
from safepip.shells.program import own_program
from safepip.system.environment import of_python
from safepip.system.files import read_regular
from safepip.system.interpreter import candidates, head_of, is_program, python_named
from safepip.system.observe import Context
from safepip.system.process import entered, inherited, start

from .arguments import for_verb, shows_help

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.world import Environment
    from safepip.report import Report

    from .arguments import Parser

_SCRIPTS = (".py", ".pyw")
_FILES = (*_SCRIPTS, ".pyz")
_BLOCK = b"# /// script"
_MOST = 16 << 20  # bytes of a script that are searched for it


def parser() -> Parser:
    """Return the parser of `run`; only its help and usage are used, for the words are another program's."""
    made = for_verb(
        "run",
        usage="safepip run [--] PROGRAM [ARGUMENTS], safepip run FILE.py, safepip run -m MODULE",
        more="In a project that is its environment, elsewhere the one in your home directory. A file that says\n"
        "what it needs (PEP 723, inline script metadata) has an environment for itself.",
        example="safepip run pytest -x",
    )
    made.add_argument("program", metavar="PROGRAM", help="a program of the environment, or one on PATH")
    made.add_argument("file", metavar="FILE.py", help="a Python file: the environment's Python runs it")
    made.add_argument("-m", metavar="MODULE", help="a module: the environment's Python runs it")
    return made


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Become the program that `words` name; signals, exit code, stdin and terminal are its own."""
    if shows_help(words):
        parser().print_help()
        return 0
    is_plain = words[:1] == ("--",)
    words = words[1:] if is_plain else words
    if not words or not words[0]:
        parser().error("no program given")
    if words[0].startswith("-") and words[0] != "-m" and not is_plain:
        parser().error(f"unknown option: {words[0]}")
    script = _script_environment(words[0], context, report)
    if script is not None:
        _give_signals_back()
        return start((script.python, *words), entered(script.path, inherited()))
    found = to_run_in(context, report)
    argv = _by_own_python(_argv(words, found, context), found, context, report)
    _give_signals_back()
    return start(argv, entered(found.path, inherited()))


def _script_environment(name: str, context: Context, report: Report) -> Environment | None:
    """Return the environment that a script with a block (PEP 723) has for itself; None if it has no block."""
    if context.named is not None or not _may_have_block(name):
        return None
    from safepip.envs.script import script_environment  # noqa: PLC0415  with virtualenv, which is slow to import

    return script_environment(name, context, report, own_program)


def _may_have_block(name: str) -> bool:
    """Return True for a Python file, by its ending or as a program by path, in which a block may begin."""
    content = read_regular(name, _MOST) or b""
    is_script = name.endswith(_SCRIPTS) or (os.sep in name and content.startswith(b"#!"))
    return is_script and _BLOCK in content


def to_run_in(context: Context, report: Report) -> Environment:
    """Return the environment in force; where it is yet to be made, the home environment serves."""
    candidate = repaired(context, report)
    if candidate.state == USABLE:
        return candidate
    if context.named is not None:
        raise unfit(candidate, context)
    fallback = _home(context)
    if candidate.state not in {ABSENT, UNFINISHED} or fallback.state != USABLE:
        raise unfit(candidate, context)
    report.say(
        f"there is no {context.display(candidate)}; running it in the home environment {context.display(fallback)}"
    )
    return fallback


def _home(context: Context) -> Environment:
    """Return the home environment: the place of a directory that is in no project."""
    home: Environment = Context(context.invocation, replace(context.ambient, cwd=None), context.tell).place
    return home


def _argv(words: tuple[str, ...], found: Environment, context: Context) -> tuple[str, ...]:
    """Return what to start: a module, a Python file, a program by path, or one of the environment's."""
    name = words[0]
    if name == "-m" or (_is_python_file(name) and not os.access(name, os.X_OK)):
        return (found.python, *words)
    if os.sep in name:
        return (os.path.abspath(name), *words[1:])
    path = _in(found, name)
    if path is None and _is_python_file(name):
        return (found.python, *words)
    if path is None and os.path.isfile(os.path.join(found.path, BIN, name)):
        raise _not_executable(os.path.join(found.path, BIN, name), found, context)
    return (path or _elsewhere(name, found, context), *words[1:])


def _is_python_file(name: str) -> bool:
    return name.endswith(_FILES) and os.path.isfile(name)


def _by_own_python(argv: tuple[str, ...], found: Environment, context: Context, report: Report) -> tuple[str, ...]:
    """Return what to start where a script of the environment, moved or copied, names the Python of another.

    Its own Python runs it then: the other is gone, or has other packages.
    """
    folder = os.path.realpath(os.path.join(found.path, BIN))
    python = python_named(head_of(argv[0]))
    elsewhere = os.path.realpath(os.path.dirname(python)) != folder
    gone = not is_program(python)
    if not python or os.path.realpath(os.path.dirname(argv[0])) != folder or not elsewhere:
        return argv
    if not gone and of_python(python) is None:  # the user's own script
        return argv
    before = context.moved_from(found)
    why = "is gone" if gone else "is another environment's"
    why += f": {context.typed(found)} was moved here from {before}" if before else ""
    report.say(f"{os.path.basename(argv[0])} names {python}, which {why}")
    report.say("running it with the Python of this environment; repair its scripts: safepip env repair")
    return (found.python, *argv)


def _in(environment: Environment, name: str) -> str | None:
    path = os.path.join(environment.path, BIN, name)
    return next((tried for tried in (path, path + EXE) if is_program(tried)), None)


def _not_executable(path: str, found: Environment, context: Context) -> SafepipError:
    """Return why a program of the environment cannot be run, and how its Python runs it all the same."""
    flags = 0
    if sys.platform != "win32":
        flags = os.statvfs(path).f_flag
    why = "its file system is mounted noexec" if flags & getattr(os, "ST_NOEXEC", 0) else "it is not executable"
    name = os.path.basename(path)
    module = _module_of(name, found)
    start_it = f"-m {module}" if module else shell_quote(os.path.join(context.typed(found), BIN, name))
    way = f"run it with Python: safepip run python {start_it}"
    return SafepipError(CANNOT_RUN, f"{path} cannot be run: {why}", way)


def _module_of(program: str, found: Environment) -> str:
    """Return the package that `python -m` runs as this program, by the metadata, or ""."""
    from importlib.metadata import distributions  # noqa: PLC0415  on the way to an error only

    for distribution in distributions(path=[found.site]):
        for entry in distribution.entry_points.select(group="console_scripts", name=program):
            package = entry.module.partition(".")[0]
            if os.path.isfile(os.path.join(found.site, package, "__main__.py")):
                return package
    return ""


def _elsewhere(name: str, found: Environment, context: Context) -> str:
    """Return the program on PATH: an active environment would run that too; 127 where there is none."""
    search = context.ambient.environ.get("PATH", os.defpath)
    path = next(candidates((name,), search, ()), None)
    if path is not None:
        return path
    what = f"there is no program {name} in {context.display(found)}, nor on PATH"
    home = _home(context)
    if home.state == USABLE and home.path != found.path and _in(home, name):
        way = f"it is in the home environment: {os.path.join(home.path, BIN, name)}"
        raise SafepipError(NOT_FOUND, what, way, f"to have it here: safepip install {name}")
    if name.endswith(_FILES):
        raise SafepipError(NOT_FOUND, f"there is no file {name} here, nor a program of that name")
    raise SafepipError(NOT_FOUND, what, *_near(name, found))


def _near(name: str, found: Environment) -> tuple[str, ...]:
    """Return what may have been meant: never a line that installs what is only spelt so."""
    from difflib import get_close_matches  # noqa: PLC0415  on the way to an error only

    folder = os.path.join(found.path, BIN)
    names = [known.removesuffix(EXE) for known in os.listdir(folder) if is_program(os.path.join(folder, known))]
    near = get_close_matches(name, names, n=1)
    return (
        (f"maybe {near[0]}? safepip run {near[0]}",)
        if near
        else ("install first what brings it: safepip install …",)
    )


def _give_signals_back() -> None:
    """Undo what Python does for itself and exec would pass on: without it `safepip run yes | head` complains."""
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
