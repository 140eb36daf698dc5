"""Make the environment of a script with a block (PEP 723)."""

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
from safepip.system.files import make_folder, names_in, recall, remember
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
    """Return the environment that a script's block asks for, made if needed."""
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
        registry.note_use(context.state, place)
    else:
        found = _made(found, block, base, context, report)
        _install(found, block, context, own_program)
        remember(os.path.join(place, _STAMP), _stamp(found, block), durable=True)
    _note_script(found, path, context)
    return found


def _of_root(context: Context) -> Context:
    """Return the context of root in its own home."""
    # In the home of the user behind sudo, that user could not change what root made.
    if sys.platform == "win32":  # where sudo leaves no such variables
        return context
    import pwd  # noqa: PLC0415  not on Windows

    home = pwd.getpwuid(0).pw_dir
    kept = {name: value for name, value in context.ambient.environ.items() if not name.startswith("XDG_")}
    return Context(context.invocation, replace(context.ambient, home=home, environ={**kept, "HOME": home}))


def _place(block: ScriptBlock, base: Interpreter, context: Context) -> str:
    # Scripts with equal blocks share one, and each Python has its own.
    if context.cache is None:
        raise SafepipError(
            CANNOT_CREATE, "the script's environment needs a cache directory", "name one: XDG_CACHE_HOME=DIR"
        )
    key = "\0".join((base.real, base.minor, *block.requirements))
    return os.path.join(os.path.realpath(context.cache), FOLDER, sha256(os.fsencode(key)).hexdigest()[:16])


# -- which Python


def _python_for(block: ScriptBlock, context: Context) -> Interpreter:
    """Return the Python that pip serves here, or the newest that fits."""
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
    paths = {_version(one): one.path for one in reversed(found)}
    here = "no Python was found"
    if paths:
        here = "found: " + ", ".join(f"{path} ({version})" for version, path in paths.items())
    what = f"{block.path}:{block.line}: the script needs Python {block.python}, which is not on this machine"
    raise SafepipError(NO_ENVIRONMENT, what, here)


def _fits(python: Interpreter, block: ScriptBlock) -> bool:
    return python.version >= OLDEST and block.python.contains(_version(python), prereleases=True)


def _version(python: Interpreter) -> str:
    return ".".join(map(str, python.version))


def _pythons(context: Context) -> Iterator[Interpreter]:
    """Yield the Pythons on PATH and those of pyenv, each once."""
    environ = context.ambient.environ
    known = set()
    for path in _programs(context):
        real = os.path.realpath(path)
        if real in known:
            continue
        if is_script(path) or of_python(path) is not None:  # pyenv's shims are scripts
            continue
        known.add(real)
        found = interview(path, environ, context.cache, keep=context.writes)
        if isinstance(found, Interpreter) and not found.is_virtual:
            yield found


def _programs(context: Context) -> Iterator[str]:
    environ = context.ambient.environ
    search = environ.get("PATH", os.defpath)
    for folder in filter(os.path.isabs, search.split(os.pathsep)):
        names = sorted(filter(_PYTHON.fullmatch, names_in(folder)))
        yield from candidates(tuple(name.removesuffix(EXE) for name in names), folder, ())
    pyenv = environ.get("PYENV_ROOT", "")
    if not pyenv:
        pyenv = os.path.join(context.ambient.home or os.sep, ".pyenv")
    versions = os.path.join(pyenv, "versions")
    for version in sorted(names_in(versions)):
        yield from candidates(("python3",), os.path.join(versions, version, BIN), ())


# -- made and filled


def _made(
    found: Environment, block: ScriptBlock, base: Interpreter, context: Context, report: Report
) -> Environment:
    """Return the environment, made if it is missing or broken."""
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
    many = f"{len(block.requirements)} packages"
    if len(block.requirements) == 1:
        many = "1 package"
    name = os.path.basename(block.path)
    report.say(f"making an environment for {name} (once): {many}, Python {base.minor}")
    make_folder(os.path.dirname(found.path))
    python = os.path.join(found.path, BIN, "python" + EXE)
    plan = Create(
        environment=found,
        interpreter=base,
        handover=Handover(python=python, words=(), program="pip"),
        because="the script has a block",
        called=f"the environment of {name}",
        why="",
        purpose="for this script",
        project=os.path.abspath(block.path),
    )
    silent = Report(quiet=True, debug=report.debugging)  # what python3 sees is not about a script
    return create(plan, context, silent).environment


def _install(found: Environment, block: ScriptBlock, context: Context, own_program: Callable[[], str]) -> None:
    """Have safepip install what the block asks for, or raise SafepipError."""
    if not block.requirements:
        return
    environ = own_variables(context.ambient.environ, found.path, policy=True)  # the user's sources and policy
    for name in _NOT_MEANT:
        environ.pop(name, None)
    words = ("--quiet", "--disable-pip-version-check", "--no-input", "--", *block.requirements)
    argv = (own_program(), "--env", found.path, "install", *words)
    # stdin and stdout are the script's.
    code = spawn(argv, {**environ, "SAFEPIP_QUIET": "1"}, stdin=subprocess.DEVNULL, stdout=2)
    if code < 0:
        end_by(-code)
    if code:
        what = f"{block.path}:{block.line}: could not install what the script asks for; see pip's output above"
        raise SafepipError(code, what)


def _is_installed(found: Environment, block: ScriptBlock) -> bool:
    """Return True if all was installed, and nothing has changed since."""
    if recall(os.path.join(found.path, _STAMP)) != _stamp(found, block):
        return False
    return not journal.is_left(found.path, locked=False)


def _stamp(found: Environment, block: ScriptBlock) -> str:
    return "\0".join((inventory.stamp(found.path), *block.requirements))


def _note_script(found: Environment, path: str, context: Context) -> None:
    # `env prune` removes the environment of a script that is gone, so the record names one that exists.
    entry = registry.entry(context.state, found.path)
    if entry is not None and not os.path.exists(entry.registration.project):
        known = replace(entry.registration, project=os.path.abspath(path))
        registry.note(context.state, known.path, known.how, known.index, known.project)
