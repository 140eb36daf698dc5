"""The programs that PATH gives: safepip, python and pip, and whether they belong together."""

from __future__ import annotations

import glob
import os
import shlex
from importlib.metadata import Distribution, distributions

from safepip import __version__
from safepip.core.record import Record
from safepip.core.world import EXE
from safepip.shells.program import own_program
from safepip.system.environment import of_python
from safepip.system.interpreter import head_of, is_program, python_named

from .finding import attempt, ok, problem, put_first, sudo, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .finding import Context, Finding, Findings

PIPS = ("pip", "pip3")
PYTHONS = ("python3", "python")


class Program(Record):
    """A program on PATH, and the interpreter in its first line, empty for a binary.

    `serves` is its environment or real interpreter. `own` is True if safepip wrote it.
    """

    path: str
    runs: str = ""
    serves: str = ""
    own: bool = False

    @property
    def lost(self) -> bool:
        """Return True if its interpreter does not exist."""
        return self.runs != "" and not os.path.exists(self.runs)


def check(context: Context) -> Findings:
    """Look at the programs that PATH gives, in its order."""
    program = attempt(own_program, "")
    yield ok("safepip", f"safepip {__version__} runs from {program or context.ambient.executable}")
    if program:
        yield from _safepips(program, context)
    pythons, pips = on_path(PYTHONS, context), on_path(PIPS, context)
    if pythons:
        yield ok("python-on-path", f"python on PATH: {_in_order(pythons)}")
    if pips:
        yield ok("pip-on-path", f"pip on PATH: {_in_order(pips)}")
    elif pythons:
        yield ok("pip-on-path", "there is no pip on PATH; safepip brings its own")
    for pip in pips:
        if pip.lost:
            yield _lost(pip, context)
    if pips and pythons:
        yield from _mismatch(pips, pythons[0], context)
    yield from _relative(context)


def path_entries(context: Context) -> list[str]:
    """Return the entries of PATH."""
    return context.ambient.environ.get("PATH", os.defpath).split(os.pathsep)


def on_path(names: tuple[str, ...], context: Context) -> list[Program]:
    """Return the first of the names in each directory of PATH."""
    found: dict[str, str] = {}
    for folder in path_entries(context):
        path = _first_program(folder, names)
        if path:  # two ways to one directory count once
            found.setdefault(os.path.realpath(folder), path)
    return list(map(_program, found.values()))


def _first_program(folder: str, names: tuple[str, ...]) -> str:
    if not os.path.isabs(folder):
        return ""
    for name in names:
        path = os.path.join(folder, name + EXE)
        if is_program(path):
            return path
    return ""


def _program(path: str) -> Program:
    head = head_of(path)
    is_script = head.startswith(b"#!")
    runs = python_named(head)
    python = runs or path
    serves = of_python(python) or os.path.realpath(python)
    if is_script and not runs:
        serves = ""  # "#!/usr/bin/env python3" serves the first on PATH
    return Program(path=path, runs=runs, serves=serves, own=is_script and b"safepip" in head)


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
    project = project_of(first)
    if project not in {"", "safepip"}:
        what = f"the safepip of another project, {project},"
    why = f"{what} comes first on PATH: {first}, not {program}"
    yield warning("safepip-shadowed", why, put_first(folder))


def project_of(program: str) -> str:
    """Return the name of the distribution that installed a program, by its metadata, or ""."""
    name = os.path.basename(program)
    beside = [os.path.realpath(program), python_named(head_of(program))]
    for distribution in distributions(path=_sites_beside(beside)):
        if _installs(distribution, name):
            return str(distribution.metadata["Name"]).lower()
    return ""


def _installs(distribution: Distribution, name: str) -> bool:
    if distribution.entry_points.select(group="console_scripts", name=name):
        return True
    files = distribution.files or ()
    return any(os.fspath(file).endswith(f"/bin/{name}") for file in files)


def _sites_beside(programs: list[str]) -> list[str]:
    """Return the folders of modules that belong to the directories of these programs."""
    prefixes = {os.path.dirname(os.path.dirname(path)) for path in programs if path}
    sites = []
    for prefix in sorted(prefixes):
        sites += glob.glob(os.path.join(glob.escape(prefix), "lib", "python*", "*-packages"))
    return sites


# -- pip


def _lost(pip: Program, context: Context) -> Finding:
    why = f"{pip.path} cannot run: its Python, {pip.runs}, is gone"
    environment = of_python(pip.path)
    if environment is not None:
        return problem("pip-without-python", why, f"safepip env repair {shlex.quote(environment)}")
    remove = f"{sudo(context, os.path.dirname(pip.path))}rm {shlex.quote(pip.path)}"
    return problem("pip-without-python", why, remove)


def _mismatch(pips: list[Program], python: Program, context: Context) -> Findings:
    pip = pips[0]
    if pip.own or pip.lost:
        return
    if not pip.serves or not python.serves or pip.serves == python.serves:
        return
    if attempt(lambda: context.target.problem is not None, True):
        return
    folder = os.path.dirname(python.path)
    why = f"pip and python differ: {pip.path} is that of {pip.serves}, not of {python.path}"
    folders_of_pips = [os.path.dirname(other.path) for other in pips]
    if folder in folders_of_pips or not context.data:
        yield warning("pip-mismatch", why, put_first(folder))
    else:
        shims = os.path.join(context.data, "shims")
        yield warning("pip-mismatch", why, f"safepip shims {shlex.quote(shims)} && {put_first(shims)}")


def _relative(context: Context) -> Findings:
    entries = path_entries(context)
    absolute = list(filter(os.path.isabs, entries))
    if absolute == entries:
        return
    first = next(entry for entry in entries if not os.path.isabs(entry))
    why = f"PATH holds {first or 'an empty entry'}: programs of whatever directory one is in would run"
    clean = os.pathsep.join(absolute)
    yield warning("path-relative", why, f"export PATH={shlex.quote(clean)}")
