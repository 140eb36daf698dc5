"""EDGE  what surrounds safepip, looked at for doctor: variables, PATH, folders of its own."""

from __future__ import annotations

import contextlib
import os
import sys

from safepip import __version__
from safepip.core.record import changed
from safepip.core.settings import Settings
from safepip.system.environment import of_python
from safepip.system.interpreter import EXE, head_of, is_program, python_named
from safepip.system.project import owner

from .facts import Folder, Program, Programs, Shims, Surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safepip.system.observe import Ambient, Context

    from .facts import Init

_PIP_NAMES = ("pip", "pip3")
_PYTHON_NAMES = ("python3", "python")
_VARIABLES = ("PYTHONHOME", "PYTHONPATH")
# Variables that are no settings: of the contract, of the shells' code, and for tests.
_OTHERS = (
    "BYPASS", "ENV", "DEBUG", "HANDOVER", "ACTIVATED", "HOOK", "SHIM", "SHELL", "SHELL_ENV", "SHELL_ZDOTDIR",
    "ASKING", "PYTHON",
)  # fmt: skip
_PREFIXES = ("SAFEPIP_RUN_", "SAFEPIP_TEST_")
_MOVES = {"cache": "XDG_CACHE_HOME", "state": "XDG_STATE_HOME", "data": "XDG_DATA_HOME"}


def surroundings(context: Context) -> Surroundings:
    """Look at the variables and places that all else depends on."""
    ambient = context.ambient
    variables = [(name, ambient.environ[name]) for name in _VARIABLES if name in ambient.environ]
    home = ambient.home or ambient.environ.get("HOME", "")  # one that is not there is none to all else
    return Surroundings(
        home=home,
        has_home_variable="HOME" in ambient.environ or sys.platform == "win32",
        home_exists=not home or os.path.isdir(home),
        home_can_be_made=bool(home) and os.access(_existing(home), os.W_OK | os.X_OK),
        directory=ambient.cwd,
        python_variables=tuple(variables),
        bypass=context.untouched or "",
        dead=tuple(_dead(ambient.environ)),
        user=ambient.user,
    )


def _dead(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables that look like settings and are none; an empty one counts as unset."""
    known = {f"SAFEPIP_{name.upper()}" for name in (*Settings.__annotations__, *_OTHERS)}
    for name in sorted(environ):
        if name.startswith("SAFEPIP_") and name not in known and not name.startswith(_PREFIXES):
            yield name


def _existing(path: str) -> str:
    """Return `path`, or the nearest folder above it that is there."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


# -- PATH


def programs(ambient: Ambient, program: str, init: Init, data: str | None, *, has_applications: bool) -> Programs:
    """Look at what PATH gives, in its order; `program` is the safepip that runs."""
    search = tuple(ambient.environ.get("PATH", os.defpath).split(os.pathsep))
    pips = tuple(_all_called(_PIP_NAMES, search))
    local_bin = os.path.join(ambient.home, ".local", "bin") if ambient.home else ""
    return Programs(
        version=__version__,
        program=program,
        python=ambient.executable,
        safepips=tuple(changed(one, serves=_same(one.path, program)) for one in _all_called(("safepip",), search)),
        pythons=tuple(_all_called(_PYTHON_NAMES, search)),
        pips=pips,
        shims=tuple(_shims(search, pips, data)),
        shim_folder=os.path.join(data, "shims") if data else "",
        init=init,
        search=search,
        local_bin=local_bin,
        needs_local_bin=has_applications or any(_programs_in(local_bin)),
    )


def _same(path: str, program: str) -> str:
    """Return `program` if `path` leads to it."""
    return program if program and os.path.realpath(path) == os.path.realpath(program) else path


def _programs_in(folder: str) -> Iterator[str]:
    names = os.listdir(folder) if folder and os.path.isdir(folder) else []
    return (name for name in names if is_program(os.path.join(folder, name)))


def _all_called(names: tuple[str, ...], search: Sequence[str]) -> Iterator[Program]:
    """Yield the programs of the first of the names that each folder of PATH has; two ways to one are one."""
    seen = set()
    for folder in dict.fromkeys(entry for entry in search if os.path.isabs(entry)):
        paths = (os.path.join(folder, name + EXE) for name in names)
        path = next((path for path in paths if is_program(path)), None)
        real = os.path.realpath(folder)
        if path is not None and real not in seen:
            seen.add(real)
            yield _program(path)


def _program(path: str) -> Program:
    head = head_of(path)
    own = b"safepip" in head and head.startswith(b"#!")
    runs = python_named(head)
    if not runs:
        serves = of_python(path) or os.path.realpath(path)
        return Program(path=path, serves="" if head.startswith(b"#!") else serves, own=own)
    serves = of_python(runs) or os.path.realpath(runs)
    removable = os.access(os.path.dirname(path), os.W_OK)
    missing = not os.path.exists(runs)
    return Program(path=path, runs=runs, serves=serves, missing=missing, own=own, removable=removable)


def _shims(search: Sequence[str], pips: Sequence[Program], data: str | None) -> Iterator[Shims]:
    """Yield the folders of shims on PATH, and safepip's own one."""
    own = [os.path.join(data, "shims")] if data else []
    for folder in dict.fromkeys((*(entry for entry in search if os.path.isabs(entry)), *own)):
        shim = os.path.join(folder, "pip")
        head = head_of(shim)
        if head.startswith(b"#!") and b"safepip made this" in head:
            ahead = pips[0].path if pips and pips[0].path != shim else ""
            target = os.path.join(folder, ".safepip", "pip")
            yield Shims(folder=folder, on_path=folder in search, before=ahead, missing=not is_program(target))


# -- folders of safepip's own


def folders(context: Context) -> Iterator[Folder]:
    """Look at the folders that safepip keeps things in."""
    for role, path in (("cache", context.cache), ("state", context.state), ("data", context.data)):
        if path is not None and (context.ambient.home is None or os.path.isdir(_existing(path))):
            yield _folder(role, path, context.ambient)


def _folder(role: str, path: str, ambient: Ambient) -> Folder:
    variable = _MOVES[role]
    fault, at = "", path
    for at in _looked_at(path):
        fault = _fault(at, path, ambient)
        if fault:
            break
    return Folder(
        role=role,
        path=path,
        at=at if fault else path,
        fault=fault,
        mine=owner(at, follow=True) == ambient.user,
        variable=variable,
        set_by_variable=variable in ambient.environ,
    )


def _looked_at(path: str) -> Iterator[str]:
    """Yield the folder, or the nearest above it, and the folders in it."""
    at = _existing(path)
    yield at
    if at == path:
        with contextlib.suppress(OSError):
            yield from sorted(entry.path for entry in os.scandir(path) if entry.is_dir())


def _fault(at: str, path: str, ambient: Ambient) -> str:
    """Return what keeps the user from writing in `at`; a folder above safepip's own may be open to others."""
    try:
        stat = os.stat(at)
    except OSError:
        return "mode"
    if ambient.platform == "win32":  # modes say nothing there
        return "" if os.access(at, os.W_OK) else "mode"
    mine = ambient.user in {0, stat.st_uid}
    inside = at == path or at.startswith(os.path.join(path, ""))
    if inside and not mine:
        return "owner"
    if not os.access(at, os.W_OK | os.X_OK):
        read_only = sys.platform != "win32" and os.statvfs(at).f_flag & getattr(os, "ST_RDONLY", 1)
        home = ambient.home not in {None, os.sep}  # a container's user without a name has / for a home
        below = home and (at == ambient.home or at.startswith(os.path.join(ambient.home or "", "")))
        return "read-only" if read_only else "mode" if mine or not below else "owner"
    return "open" if inside and stat.st_mode & 0o002 and not stat.st_mode & 0o1000 else ""
