"""safepip run CMD…: run the program CMD in the environment here."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal only adds enums, which cost more than the rest
import os
import sys

from safepip.core.record import replace
from safepip.core.world import ABSENT, BIN, EXE, UNFINISHED, USABLE, Environment
from safepip.envs.in_force import in_force, repaired, unfit
from safepip.errors import CANNOT_RUN, NOT_FOUND, SafepipError, shell_quote
from safepip.report import Report
from safepip.shells.program import own_program
from safepip.system.environment import of_python
from safepip.system.files import read_regular
from safepip.system.interpreter import head_of, is_program, program_on_path, python_named
from safepip.system.observe import Context
from safepip.system.process import entered, inherited, start

from .arguments import Parser, for_verb, shows_help

_SCRIPTS = (".py", ".pyw")
_FILES = (*_SCRIPTS, ".pyz")
_BLOCK = b"# /// script"
_MOST = 16 << 20  # bytes of a script that are searched for it


def parser() -> Parser:
    """Return the parser of `run`, for its help alone."""
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
    """Become the program that `words` name."""
    if shows_help(words):
        parser().print_help()
        return 0
    words = _without_dashes(words)
    script = _script_environment(words[0], context, report)
    if script is not None:
        _give_signals_back()
        return start(_by_python(script.python, words), entered(script.path, inherited()))
    found = to_run_in(context, report)
    argv = _by_own_python(_argv(words, found, context), found, context, report)
    _give_signals_back()
    return start(argv, entered(found.path, inherited()))


def _without_dashes(words: tuple[str, ...]) -> tuple[str, ...]:
    # After "--" a program's name may begin with a dash.
    is_plain = words[:1] == ("--",)
    if is_plain:
        words = words[1:]
    name = "".join(words[:1])
    if not name:
        parser().error("no program given")
    if name.startswith("-") and name != "-m" and not is_plain:
        parser().error(f"unknown option: {name}")
    return words


def _script_environment(name: str, context: Context, report: Report) -> Environment | None:
    if context.named_environment is not None or not _may_have_block(name):
        return None
    from safepip.envs.script import script_environment  # noqa: PLC0415  with virtualenv, which is slow to import

    return script_environment(name, context, report, own_program)


def _may_have_block(name: str) -> bool:
    content = read_regular(name, _MOST)
    if content is None or _BLOCK not in content:
        return False
    if name.endswith(_SCRIPTS):
        return True
    return os.sep in name and content.startswith(b"#!")  # a program by path


def to_run_in(context: Context, report: Report) -> Environment:
    """Return the environment in force, else the home environment."""
    candidate = repaired(context, report)
    if candidate.state == USABLE:
        return candidate
    if context.named_environment is not None:
        raise unfit(candidate, context)
    fallback = _home(context)
    if candidate.state not in {ABSENT, UNFINISHED} or fallback.state != USABLE:
        raise unfit(candidate, context)
    missing, home = context.display(candidate), context.display(fallback)
    report.say(f"there is no {missing}; running it in the home environment {home}")
    return fallback


def _home(context: Context) -> Environment:
    outside = replace(context.ambient, cwd=None)  # no directory, so no project
    return Context(context.invocation, outside, context.tell).place


def _argv(words: tuple[str, ...], found: Environment, context: Context) -> tuple[str, ...]:
    name = words[0]
    if name == "-m":
        return (found.python, *words)
    if _is_python_file(name) and not os.access(name, os.X_OK):
        return _by_python(found.python, words)
    if os.sep in name:
        return (os.path.abspath(name), *words[1:])
    path = _in(found, name)
    if path is not None:
        return (path, *words[1:])
    if _is_python_file(name):
        return _by_python(found.python, words)
    file = os.path.join(found.path, BIN, name)
    if os.path.isfile(file):
        raise _not_executable(file, found, context)
    return (_elsewhere(name, found, context), *words[1:])


def _by_python(python: str, words: tuple[str, ...]) -> tuple[str, ...]:
    # Python must not take the name of a file for an option.
    if words[0].startswith("-"):
        return (python, "--", *words)
    return (python, *words)


def _is_python_file(name: str) -> bool:
    return name.endswith(_FILES) and os.path.isfile(name)


def _by_own_python(argv: tuple[str, ...], found: Environment, context: Context, report: Report) -> tuple[str, ...]:
    # In a moved or copied environment that Python does not exist, or has other packages.
    folder = os.path.realpath(os.path.join(found.path, BIN))
    if os.path.realpath(os.path.dirname(argv[0])) != folder:
        return argv
    python = python_named(head_of(argv[0]))
    if not python or os.path.realpath(os.path.dirname(python)) == folder:
        return argv
    if not is_program(python):
        why = "is gone"
    elif of_python(python) is not None:
        why = "is another environment's"
    else:  # the user wrote it
        return argv
    before = context.moved_from(found)
    if before:
        why += f": {context.typed(found)} was moved here from {before}"
    report.say(f"{os.path.basename(argv[0])} names {python}, which {why}")
    report.say("running it with the Python of this environment; repair its scripts: safepip env repair")
    return (found.python, *argv)


def _in(environment: Environment, name: str) -> str | None:
    path = os.path.join(environment.path, BIN, name)
    return next(filter(is_program, (path, path + EXE)), None)


def _not_executable(path: str, found: Environment, context: Context) -> SafepipError:
    why = "it is not executable"
    if sys.platform != "win32" and os.statvfs(path).f_flag & getattr(os, "ST_NOEXEC", 0):
        why = "its file system is mounted noexec"
    name = os.path.basename(path)
    module = _module_of(name, found)
    program = shell_quote(os.path.join(context.typed(found), BIN, name))
    if module:
        program = f"-m {module}"
    way = f"run it with Python: safepip run python {program}"
    return SafepipError(CANNOT_RUN, f"{path} cannot be run: {why}", way)


def _module_of(program: str, found: Environment) -> str:
    from importlib.metadata import distributions  # noqa: PLC0415  on the way to an error only

    for distribution in distributions(path=[found.site]):
        for entry in distribution.entry_points.select(group="console_scripts", name=program):
            package = entry.module.partition(".")[0]
            if os.path.isfile(os.path.join(found.site, package, "__main__.py")):
                return package
    return ""


def _elsewhere(name: str, found: Environment, context: Context) -> str:
    # An active environment would run a program on PATH too.
    path = program_on_path(name, context.ambient.environ)
    if path is not None:
        return path
    what = f"there is no program {name} in {context.display(found)}, nor on PATH"
    home = _home(context)
    if home.path != found.path and home.state == USABLE and _in(home, name):
        way = f"it is in the home environment: {os.path.join(home.path, BIN, name)}"
        raise SafepipError(NOT_FOUND, what, way, f"to have it here: safepip install {name}")
    if name.endswith(_FILES):
        raise SafepipError(NOT_FOUND, f"there is no file {name} here, nor a program of that name")
    raise SafepipError(NOT_FOUND, what, *_near(name, found))


def _near(name: str, found: Environment) -> tuple[str, ...]:
    # Never a line that installs a package of a similar name: it may be a squatter's.
    from difflib import get_close_matches  # noqa: PLC0415  on the way to an error only

    near = get_close_matches(name, _programs(found), n=1)
    if near:
        return (f"maybe {near[0]}? safepip run {near[0]}",)
    return ("install the package that has it: safepip install …",)


def _programs(found: Environment) -> list[str]:
    folder = os.path.join(found.path, BIN)
    found_there = []
    for name in sorted(os.listdir(folder)):
        if is_program(os.path.join(folder, name)):
            found_there.append(name.removesuffix(EXE))
    return found_there


def complete(typed: tuple[str, ...], _current: str, context: Context) -> dict[str, str]:
    """Return the words that may stand behind `typed`."""
    import pkgutil  # noqa: PLC0415  for completion only, as the next one

    from .completion import FILES, files  # noqa: PLC0415

    found = in_force(context)
    if typed not in {(), ("--",), ("-m",)}:  # the program's own arguments
        return {FILES: ""}
    if found.state != USABLE:
        return {FILES: ""}
    if typed == ("-m",):
        places = [found.site, context.absolute(os.curdir)]
        names = [module.name for module in pkgutil.iter_modules(places)]
        return dict.fromkeys(names, "module")
    programs = dict.fromkeys(_programs(found), "program of the environment")
    return {**programs, **files(""), "-m": "run a module", FILES: ""}


def _give_signals_back() -> None:
    # Python ignores these signals, and exec passes that on: `safepip run yes | head` would complain.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
