"""The environment of a script with a block (PEP 723): in the cache, for what the block asks for and its Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from safepip.core.plan import Create, Handover
from safepip.core.record import replace
from safepip.core.world import ABSENT, BIN, BROKEN, EXE, OLDEST, UNFINISHED, USABLE, Interpreter
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.environment import OWN, of_python
from safepip.system.files import make_folder, recall, remember
from safepip.system.interpreter import candidates, interview, is_script
from safepip.system.observe import Context
from safepip.system.process import end_by, spawn

from . import inventory, journal
from .create import create
from .digest import sha256
from .in_force import unfit
from .pip import own_variables
from .removal import remove
from .script_block import read_block, unclosed_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safepip.core.world import Environment

    from .script_block import ScriptBlock

FOLDER = "scripts"  # in the cache
_STAMP = os.path.join(OWN, "script")  # what was installed, and when that last changed
_PYTHON = re.compile(r"python3(\.\d+)?" + re.escape(EXE))
# What the user's shell or a pip above says to safepip is not meant for the install here.
_NOT_MEANT = ("SAFEPIP_ENV", "SAFEPIP_BYPASS", "SAFEPIP_HANDOVER", "VIRTUAL_ENV")


def script_environment(
    path: str, context: Context, report: Report, own_program: Callable[[], str]
) -> Environment | None:
    """Return the environment that the block of the script at `path` asks for, made if needed; None without one."""
    block = read_block(path)
    if block is None:
        line = unclosed_block(path)
        if line is not None:
            report.say(f"{path}:{line}: this block has no end (# ///), so it is ignored")
        return None
    if context.sudo_user:
        context = _of_root(context)
    base = _python_for(block, context)
    place = _place(block, base, context)
    found = context.examine(place)
    if found.state == USABLE and _is_installed(found, block):
        registry.used(context.state, place)
    else:
        found = _made(found, block, base, context, report)
        _install(found, block, context, own_program)
        remember(os.path.join(place, _STAMP), _stamp(found, block), durable=True)
    _note_script(found, path, context)
    return found


def _of_root(context: Context) -> Context:
    """Return the context of root by sudo in its own home: the user behind sudo could not change what it made."""
    if sys.platform == "win32":  # where sudo leaves no such variables
        return context
    import pwd  # noqa: PLC0415  not on Windows

    home = pwd.getpwuid(0).pw_dir
    kept = {name: value for name, value in context.ambient.environ.items() if not name.startswith("XDG_")}
    return Context(context.invocation, replace(context.ambient, home=home, environ={**kept, "HOME": home}))


def _place(block: ScriptBlock, base: Interpreter, context: Context) -> str:
    """Return where the environment is: equal blocks share one, and each Python has its own."""
    if context.cache is None:
        raise SafepipError(
            CANNOT_CREATE, "the script's environment needs a cache directory", "name one: XDG_CACHE_HOME=DIR"
        )
    key = "\0".join((base.real, base.minor, *block.requirements))
    return os.path.join(os.path.realpath(context.cache), FOLDER, sha256(os.fsencode(key)).hexdigest()[:16])


# -- which Python


def _python_for(block: ScriptBlock, context: Context) -> Interpreter:
    """Return the Python that pip serves here, if it is fit, else the newest fit one on this machine."""
    base = context.base
    found = []
    if base is not None:
        if _fits(base, block):
            return base
        found.append(base)
    found += _pythons(context)
    fit = [one for one in found if _fits(one, block)]
    if fit:
        return max(fit, key=lambda one: one.version)
    names = {".".join(map(str, one.version)): one.path for one in reversed(found)}
    here = ", ".join(f"{names[version]} ({version})" for version in names)
    what = f"{block.path}:{block.line}: the script needs Python {block.python}, which is not on this machine"
    raise SafepipError(NO_ENVIRONMENT, what, f"found: {here}" if here else "no Python was found")


def _fits(python: Interpreter, block: ScriptBlock) -> bool:
    version = ".".join(map(str, python.version))
    return python.version >= OLDEST and block.python.contains(version, prereleases=True)


def _pythons(context: Context) -> Iterator[Interpreter]:
    """Yield the Pythons on PATH and those of pyenv, each once, environments left out."""
    environ = context.ambient.environ
    known = set()
    for path in _programs(context):
        real = os.path.realpath(path)
        if real in known or is_script(path) or of_python(path) is not None:
            continue
        known.add(real)
        found = interview(path, environ, context.cache, keep=context.writes)
        if isinstance(found, Interpreter) and not found.is_virtual:
            yield found


def _programs(context: Context) -> Iterator[str]:
    environ, home = context.ambient.environ, context.ambient.home or os.sep
    search = environ.get("PATH", os.defpath)
    for folder in filter(os.path.isabs, search.split(os.pathsep)):
        names = sorted(filter(_PYTHON.fullmatch, _names(folder)))
        yield from candidates(tuple(name.removesuffix(EXE) for name in names), folder, ())
    versions = os.path.join(environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv"), "versions")
    for version in sorted(_names(versions)):
        yield from candidates(("python3",), os.path.join(versions, version, BIN), ())


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


# -- made and filled


def _made(
    found: Environment, block: ScriptBlock, base: Interpreter, context: Context, report: Report
) -> Environment:
    """Return the environment, made if it is missing; one that cannot be used any more is made again."""
    if found.state == USABLE:
        return found
    if found.state == BROKEN:
        entry = registry.entry(context.state, found.path)
        if entry is None or entry.registration.how != registry.MADE:
            raise unfit(found, context)
        remove(entry, context, report)
        found = context.examine(found.path)
    if found.state not in {ABSENT, UNFINISHED}:
        raise unfit(found, context)
    many = f"{len(block.requirements)} package{'' if len(block.requirements) == 1 else 's'}"
    name = os.path.basename(block.path)
    report.say(f"making an environment for {name} (once): {many}, Python {base.minor}")
    make_folder(os.path.dirname(found.path))
    silent = Report(quiet=True, debug=report.debugging)  # what python3 sees is not about a script
    return create(_plan(found, block, base), context, silent).environment


def _plan(found: Environment, block: ScriptBlock, base: Interpreter) -> Create:
    python = os.path.join(found.path, BIN, "python" + EXE)
    return Create(
        environment=found,
        interpreter=base,
        handover=Handover(python=python, words=(), program="pip"),
        because="the script has a block",
        called=f"the environment of {os.path.basename(block.path)}",
        why="",
        purpose="for this script",
        project=os.path.abspath(block.path),
    )


def _install(found: Environment, block: ScriptBlock, context: Context, own_program: Callable[[], str]) -> None:
    """Have safepip install what the block asks for, as any install into that environment; or raise.

    The user's variables and files for pip say from where and by which policy. stdin and stdout are the script's.
    """
    if not block.requirements:
        return
    environ = own_variables(context.ambient.environ, found.path, policy=True)
    for name in _NOT_MEANT:
        environ.pop(name, None)
    words = ("--quiet", "--disable-pip-version-check", "--no-input", "--", *block.requirements)
    argv = (own_program(), "--env", found.path, "install", *words)
    code = spawn(argv, {**environ, "SAFEPIP_QUIET": "1"}, stdin=subprocess.DEVNULL, stdout=2)
    if code < 0:
        end_by(-code)
    if code:
        what = f"{block.path}:{block.line}: could not install what the script asks for; see pip's output above"
        raise SafepipError(code, what)


def _is_installed(found: Environment, block: ScriptBlock) -> bool:
    """Return True if everything was installed, and nothing has changed since."""
    if recall(os.path.join(found.path, _STAMP)) != _stamp(found, block):
        return False
    return not journal.is_left(found.path, locked=False)


def _stamp(found: Environment, block: ScriptBlock) -> str:
    return "\0".join((inventory.stamp(found.path), *block.requirements))


def _note_script(found: Environment, path: str, context: Context) -> None:
    """Have the record name a script that exists: `env prune` removes the environment of one that is gone."""
    entry = registry.entry(context.state, found.path)
    if entry is not None and not os.path.exists(entry.registration.project):
        known = replace(entry.registration, project=os.path.abspath(path))
        registry.note(context.state, known.path, known.how, known.index, known.project)
