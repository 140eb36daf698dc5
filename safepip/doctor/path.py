"""The programs safepip, python and pip on PATH."""

from __future__ import annotations

import glob
import itertools
import os
import shlex
from importlib.metadata import Distribution, distributions

from safepip import __version__
from safepip.core.record import Record
from safepip.core.world import EXE
from safepip.shells.program import own_program
from safepip.system.environment import of_python
from safepip.system.interpreter import head_of, is_program, python_named

from .finding import Context, Finding, Findings, attempt, ok, problem, put_first, sudo, warning

PIPS = ("pip", "pip3")
PYTHONS = ("python3", "python")


class Program(Record):
    """A program on PATH, and the interpreter that its first line `runs`.

    `serves` is its environment or real interpreter. `own` is True if safepip wrote it.
    """

    path: str
    runs: str = ""
    serves: str = ""
    own: bool = False

    @property
    def lost(self) -> bool:
        """Return True if its interpreter does not exist."""
        if not self.runs:
            return False
        return not os.path.exists(self.runs)


def check(context: Context) -> Findings:
    """Look at the programs that PATH gives, in its order."""
    program = attempt(own_program, "")
    if program:
        yield ok("safepip", f"safepip {__version__} runs from {program}")
        yield from _safepips(program, context)
    else:  # `python -m safepip`, without a console script
        yield ok("safepip", f"safepip {__version__} runs from {context.ambient.executable}")
    pythons = on_path(PYTHONS, context)
    if pythons:
        yield ok("python-on-path", f"python on PATH: {_in_order(pythons)}")
    yield from _pips(pythons, context)
    yield from _relative(context)


def _pips(pythons: list[Program], context: Context) -> Findings:
    pips = on_path(PIPS, context)
    if not pips:
        if pythons:
            yield ok("pip-on-path", "there is no pip on PATH; safepip brings its own")
        return
    yield ok("pip-on-path", f"pip on PATH: {_in_order(pips)}")
    # All of them: a later one runs once the first is repaired or removed.
    for pip in pips:
        if pip.lost:
            yield _lost(pip, context)
    if pythons:
        yield from _mismatch(pips, pythons[0], context)


def path_entries(context: Context) -> list[str]:
    """Return the entries of PATH."""
    return context.ambient.environ.get("PATH", os.defpath).split(os.pathsep)


def on_path(names: tuple[str, ...], context: Context) -> list[Program]:
    """Return the first of the names in each directory of PATH."""
    folders = filter(os.path.isabs, path_entries(context))
    found: dict[str, str] = {}
    for folder, name in itertools.product(folders, names):
        path = os.path.join(folder, name + EXE)
        if is_program(path):
            found.setdefault(os.path.realpath(folder), path)  # two ways to one directory count once
    return list(map(_program, found.values()))


def _program(path: str) -> Program:
    head = head_of(path)
    if not head.startswith(b"#!"):
        return Program(path=path, serves=_served_by(path))
    is_own = b"safepip" in head
    python = python_named(head)
    if not python:  # "#!/usr/bin/env python3" serves the first on PATH
        return Program(path=path, own=is_own)
    return Program(path=path, runs=python, serves=_served_by(python), own=is_own)


def _served_by(python: str) -> str:
    return of_python(python) or os.path.realpath(python)


def _in_order(programs: list[Program]) -> str:
    return ", then ".join(program.path for program in programs)


# -- other programs called safepip


def _safepips(program: str, context: Context) -> Findings:
    found = on_path(("safepip",), context)
    folder = os.path.dirname(program)
    if not found:
        yield warning("safepip-off-path", f"safepip is not on PATH: it is in {folder}", put_first(folder))
        return
    first = found[0].path
    if os.path.realpath(first) == os.path.realpath(program):
        return
    what = "another safepip"
    # Another project may install a program of this name.
    project = project_of(first)
    if project not in {"", "safepip"}:
        what = f"the safepip of another project, {project},"
    why = f"{what} comes first on PATH: {first}, not {program}"
    yield warning("safepip-shadowed", why, put_first(folder))


def project_of(program: str) -> str:
    """Return the name of the distribution that installed a program, or ""."""
    name = os.path.basename(program)
    beside = [os.path.realpath(program), python_named(head_of(program))]
    sites = []
    for folder in sorted(set(map(os.path.dirname, filter(None, beside)))):
        # site-packages, and the dist-packages of Debian
        prefix = glob.escape(os.path.dirname(folder))
        sites += glob.glob(os.path.join(prefix, "lib", "python*", "*-packages"))
    for distribution in distributions(path=sites):
        if _installs(distribution, name):
            return str(distribution.metadata["Name"]).lower()
    return ""


def _installs(distribution: Distribution, name: str) -> bool:
    if distribution.entry_points.select(group="console_scripts", name=name):
        return True
    for file in distribution.files or ():  # scripts without an entry point stand in RECORD alone
        if os.fspath(file).endswith(f"/bin/{name}"):
            return True
    return False


# -- pip


def _lost(pip: Program, context: Context) -> Finding:
    why = f"{pip.path} cannot run: its Python, {pip.runs}, is gone"
    # An environment can be rebuilt; a lone script can only go.
    environment = of_python(pip.path)
    if environment is not None:
        return problem("pip-without-python", why, f"safepip env repair {shlex.quote(environment)}")
    remove = f"{sudo(context, os.path.dirname(pip.path))}rm {shlex.quote(pip.path)}"
    return problem("pip-without-python", why, remove)


def _mismatch(pips: list[Program], python: Program, context: Context) -> Findings:
    pip = pips[0]
    if pip.own or pip.lost:
        return
    if "" in {pip.serves, python.serves}:  # unknown
        return
    if pip.serves == python.serves:
        return
    if attempt(lambda: context.target.problem is not None, True):  # the target's finding comes first
        return
    folder = os.path.dirname(python.path)
    why = f"pip and python differ: {pip.path} is that of {pip.serves}, not of {python.path}"
    command = put_first(folder)
    if folder not in [os.path.dirname(other.path) for other in pips] and context.data:
        # No pip lies beside that Python, so a shim has to serve it.
        shims = os.path.join(context.data, "shims")
        command = f"safepip shims {shlex.quote(shims)} && {put_first(shims)}"
    yield warning("pip-mismatch", why, command)


def _relative(context: Context) -> Findings:
    entries = path_entries(context)
    absolute = list(filter(os.path.isabs, entries))
    if absolute == entries:
        return
    relative = list(itertools.filterfalse(os.path.isabs, entries))
    named = relative[0] or "an empty entry"  # an empty one means the working directory (POSIX)
    why = f"PATH holds {named}: programs of whatever directory one is in would run"
    clean = os.pathsep.join(absolute)
    yield warning("path-relative", why, f"export PATH={shlex.quote(clean)}")
