"""The programs that PATH gives: safepip, python and pip, and whether they belong together."""

from __future__ import annotations

import glob
import os
import shlex
from importlib.metadata import distributions

from safepip import __version__
from safepip.core.record import Record
from safepip.core.world import EXE
from safepip.system.environment import of_python
from safepip.system.interpreter import head_of, is_program, python_named

from .finding import known, ok, problem, put_first, sudo, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .finding import Context, Finding, Findings

PIPS = ("pip", "pip3")
PYTHONS = ("python3", "python")


class Program(Record):
    """A program on PATH, and the interpreter that its first line names, empty for a binary.

    `serves` is the environment or the real interpreter that it belongs to; `own` means that safepip wrote it.
    """

    path: str
    runs: str = ""
    serves: str = ""
    own: bool = False

    @property
    def lost(self) -> bool:
        """Whether its interpreter is gone."""
        return bool(self.runs) and not os.path.exists(self.runs)


def check(context: Context) -> Findings:
    """Look at the programs that PATH gives, in its order."""
    program = known(own_program, "")
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


def own_program() -> str:
    """Return the absolute path of the program that starts safepip."""
    from safepip.verbs.init import own_program  # noqa: PLC0415

    return own_program()


def search(context: Context) -> list[str]:
    """Return the entries of PATH."""
    return context.ambient.environ.get("PATH", os.defpath).split(os.pathsep)


def on_path(names: tuple[str, ...], context: Context) -> list[Program]:
    """Return the first of the names in each directory of PATH; two ways to one directory count once."""
    found: dict[str, str] = {}
    for folder in search(context):
        paths = (os.path.join(folder, name + EXE) for name in names if os.path.isabs(folder))
        path = next((path for path in paths if is_program(path)), None)
        if path is not None:
            found.setdefault(os.path.realpath(folder), path)
    return [_program(path) for path in found.values()]


def _program(path: str) -> Program:
    head = head_of(path)
    is_script = head.startswith(b"#!")
    runs = python_named(head)
    serves = of_python(runs or path) or os.path.realpath(runs or path)
    if is_script and not runs:
        serves = ""  # "#!/usr/bin/env python3" serves whichever comes first
    return Program(path=path, runs=runs, serves=serves, own=is_script and b"safepip" in head)


def _in_order(programs: list[Program]) -> str:
    return ", then ".join(program.path for program in programs)


# -- other programs called safepip


def _safepips(program: str, context: Context) -> Findings:
    found = on_path(("safepip",), context)
    folder = os.path.dirname(program)
    if not found:
        yield warning("safepip-off-path", f"safepip is not on PATH: it is in {folder}", put_first(folder))
    elif os.path.realpath(found[0].path) != os.path.realpath(program):
        first = found[0].path
        project = project_of(first)
        foreign = project and project != "safepip"
        what = f"the safepip of another project, {project}," if foreign else "another safepip"
        why = f"{what} comes first on PATH: {first}, not {program}"
        yield warning("safepip-shadowed", why, put_first(folder))


def project_of(program: str) -> str:
    """Return the name of the distribution that installed a program, by its metadata, or ""."""
    name = os.path.basename(program)
    beside = [os.path.realpath(program), python_named(head_of(program))]
    for distribution in distributions(path=_sites_beside(beside)):
        scripts = distribution.entry_points.select(group="console_scripts", name=name)
        recorded = [file for file in distribution.files or () if os.fspath(file).endswith(f"/bin/{name}")]
        if scripts or recorded:
            return str(distribution.metadata["Name"]).lower()
    return ""


def _sites_beside(programs: list[str]) -> list[str]:
    """Return the folders of modules that belong to the directories of these programs."""
    prefixes = {os.path.dirname(os.path.dirname(path)) for path in programs if path}
    patterns = (os.path.join(glob.escape(prefix), "lib", "python*", "*-packages") for prefix in sorted(prefixes))
    return [site for pattern in patterns for site in glob.glob(pattern)]


# -- pip


def _lost(pip: Program, context: Context) -> Finding:
    why = f"{pip.path} cannot run: its Python, {pip.runs}, is gone"
    environment = of_python(pip.path)
    if environment is not None:
        return problem("pip-without-python", why, f"safepip env repair {shlex.quote(environment)}")
    remove = f"{sudo(context, os.path.dirname(pip.path))}rm {shlex.quote(pip.path)}"
    return problem("pip-without-python", why, remove)


def _mismatch(pips: list[Program], python: Program, context: Context) -> Findings:
    """Tell of a first pip that belongs to another Python than the first one."""
    pip = pips[0]
    if pip.own or pip.lost or not (pip.serves and python.serves) or pip.serves == python.serves:
        return
    if known(lambda: context.target.problem is not None, True):
        return
    folder = os.path.dirname(python.path)
    why = f"pip and python differ: {pip.path} is that of {pip.serves}, not of {python.path}"
    beside = any(os.path.dirname(other.path) == folder for other in pips)
    if beside or not context.data:
        yield warning("pip-mismatch", why, put_first(folder))
    else:
        shims = os.path.join(context.data, "shims")
        yield warning("pip-mismatch", why, f"safepip shims {shlex.quote(shims)} && {put_first(shims)}")


def _relative(context: Context) -> Findings:
    entries = search(context)
    relative = [entry for entry in entries if not os.path.isabs(entry)]
    if relative:
        clean = os.pathsep.join(entry for entry in entries if os.path.isabs(entry))
        why = f"PATH holds {relative[0] or 'an empty entry'}: programs of whatever directory one is in would run"
        yield warning("path-relative", why, f"export PATH={shlex.quote(clean)}")
