"""EDGE  what surrounds safepip, looked at for doctor: PATH, pip's files, leftovers, folders of its own."""

from __future__ import annotations

import os
import sys

from safepip import __version__
from safepip._record import changed
from safepip.command import normalised, normalised_name, read
from safepip.environment import of_python
from safepip.interpreter import EXE, is_program
from safepip.pipconf import find
from safepip.project import owner
from safepip.settings import Settings

from .facts import (
    Complaint,
    Folder,
    Leftover,
    PipSetting,
    Program,
    Programs,
    Shims,
    Surroundings,
)
from .facts import Pip as PipFacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safepip.command import ConfigFile
    from safepip.context import Ambient, Context
    from safepip.interpreter import Interpreter

    from .facts import Init

_PIP_NAMES = ("pip", "pip3")
_PYTHON_NAMES = ("python3", "python")
_TRUE = ("y", "yes", "t", "true", "on", "1")
_FALSE = ("n", "no", "f", "false", "off", "0")
_FLAGS = ("user", "break-system-packages", "require-virtualenv", "require-venv", "dry-run")
_PLACES = ("target", "prefix", "root", "python")
_READ = ("constraint", "requirement", "build-constraint")
_VARIABLES = ("PYTHONHOME", "PYTHONPATH")
# Variables that are no settings: of the contract, of the shells' code, and for tests.
_OTHERS = (
    "BYPASS", "ENV", "DEBUG", "HANDOVER", "ACTIVATED", "HOOK", "SHIM", "SHELL", "SHELL_ENV", "SHELL_ZDOTDIR",
    "ASKING", "PYTHON",
)  # fmt: skip
_PREFIXES = ("SAFEPIP_RUN_", "SAFEPIP_TEST_")
_WITH_PYTHON = ("pip", "setuptools", "wheel")  # what ensurepip puts beside a Python
_INFO = (".dist-info", ".egg-info", ".egg-link")
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
    head = _head(path)
    own = b"safepip" in head and head.startswith(b"#!")
    runs = _interpreter_of(head)
    if not runs:
        serves = of_python(path) or os.path.realpath(path)
        return Program(path=path, serves="" if head.startswith(b"#!") else serves, own=own)
    serves = of_python(runs) or os.path.realpath(runs)
    removable = os.access(os.path.dirname(path), os.W_OK)
    missing = not os.path.exists(runs)
    return Program(path=path, runs=runs, serves=serves, missing=missing, own=own, removable=removable)


def _interpreter_of(head: bytes) -> str:
    """Return the Python that a script's first lines name, or "" where it is none or found on PATH."""
    first, _, rest = head.partition(b"\n")
    named = first[2:].strip() if first.startswith(b"#!") else b""
    if named == b"/bin/sh":  # of long paths: exec PATH "$0" "$@"
        named = rest.partition(b"exec' ")[2].partition(b' "$0"')[0].strip(b"'\"")
    path = os.fsdecode(named)
    return path if os.path.basename(path).startswith(("python", "pypy")) and os.path.isabs(path) else ""


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1024)
    except OSError:
        return b""


def _shims(search: Sequence[str], pips: Sequence[Program], data: str | None) -> Iterator[Shims]:
    """Yield the folders of shims on PATH, and safepip's own one."""
    own = [os.path.join(data, "shims")] if data else []
    for folder in dict.fromkeys((*(entry for entry in search if os.path.isabs(entry)), *own)):
        shim = os.path.join(folder, "pip")
        head = _head(shim)
        if head.startswith(b"#!") and b"safepip made this" in head:
            ahead = pips[0].path if pips and pips[0].path != shim else ""
            target = os.path.join(folder, ".safepip", "pip")
            yield Shims(folder=folder, on_path=folder in search, before=ahead, missing=not is_program(target))


# -- pip's configuration


def pip_facts(ambient: Ambient, site: str | None) -> PipFacts:
    """Look at what pip's variables and files say of where it installs to; `site` is its Python's prefix."""
    environ = ambient.environ
    files = find(environ, ambient.home, platform=ambient.platform, site_prefix=site, strict=True)
    named = environ.get("PIP_CONFIG_FILE", "")
    found = (*_of_variables(environ, ambient), *_of_files(files, ambient))
    whole = tuple(file for file in files if not file.error)
    return PipFacts(
        settings=tuple(setting for setting in found if _counts(setting)),
        malformed=tuple(_malformed(file) for file in files if file.error),
        rejected=tuple(_rejected(found, environ, whole)),
        absent_file="" if not named or os.path.exists(named) else named,
        files=tuple(file.path for file in files),
    )


def _malformed(file: ConfigFile) -> tuple[str, str, bool]:
    """Return the file, pip's error without what is said anyway, and whether the user may rename it."""
    short = str(file.error).removeprefix("Configuration file could not be loaded. ")
    error = short.replace(f"in {file.path}.", "").replace(f"'{file.path}'", "it").strip().rstrip(".")
    return file.path, error, os.access(os.path.dirname(file.path), os.W_OK)


def _of_variables(environ: Mapping[str, str], ambient: Ambient) -> Iterator[PipSetting]:
    for name in sorted(environ):
        key = normalised(name[4:]) if name.startswith("PIP_") else ""
        if key in {*_FLAGS, *_PLACES, *_READ}:
            yield PipSetting(key=key, value=environ[name], where=name, lost=_lost(key, environ[name], ambient))


def _of_files(files: Sequence[ConfigFile], ambient: Ambient) -> Iterator[PipSetting]:
    last = {file.kind: file.path for file in files}
    home = ambient.home or os.sep
    old = [os.path.join(home, name) for name in (".pip", "pip")]  # whose file `pip config` does not write
    for file in files:
        for section, values in file.sections.items():
            for key, value in values.items():
                if key in {*_FLAGS, *_PLACES, *_READ}:
                    spelled = _spelled(file.path, section, key)
                    yield PipSetting(
                        key=key,
                        value=value,
                        where=file.path,
                        kind=file.kind,
                        section=section,
                        spelled=spelled or key,
                        simple=spelled == key != "python"
                        and last[file.kind] == file.path
                        and os.path.dirname(file.path) not in old,
                        writable=os.access(file.path, os.W_OK),
                        lost=_lost(key, value, ambient),
                    )


def _spelled(path: str, section: str, key: str) -> str:
    """Return how the file spells the key in that section, "" where it comes from elsewhere ([DEFAULT])."""
    at = ""
    for line in os.fsdecode(_content(path)).splitlines():
        text = line.strip()
        name = text.replace(":", "=", 1).partition("=")[0].strip()
        if text.startswith("["):
            at = text[1:].partition("]")[0]
        elif at == section and normalised(name) == key:
            return name
    return ""


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""


def _lost(key: str, value: str, ambient: Ambient) -> str:
    """Return the first local file of a setting that names files to read and cannot be read, or "".

    A ~ is no home directory here: pip opens what the option says.
    """
    named = value.split() if key in _READ else []
    paths = (path for path in named if "://" not in path and not path.startswith("file:"))
    full = ((path, os.path.join(ambient.cwd or os.sep, path)) for path in paths)
    return next((path for path, at in full if not os.path.exists(at)), "")


def _counts(setting: PipSetting) -> bool:
    """Tell whether a setting moves or stops installs: a flag that is true, a place, a file that is lost."""
    if setting.key in _FLAGS:
        return setting.value.lower() in _TRUE
    return bool(setting.lost) if setting.key in _READ else setting.value != ""


def _rejected(
    found: Sequence[PipSetting], environ: Mapping[str, str], files: Sequence[ConfigFile]
) -> Iterator[tuple[PipSetting, str]]:
    """Yield what pip stops at: it reads every value before it looks at the line."""
    for setting in found:
        if setting.key in _FLAGS and setting.value.lower() not in (*_TRUE, *_FALSE, ""):
            yield changed(setting, simple=False), f"{setting.value!r} is no truth value for {setting.key}"
    known = {setting.where for setting in found}
    for name in sorted(environ):
        if name.startswith("PIP_") and name not in known and _fails({name: environ[name]}, ()):
            error = read(("install", "x"), {name: environ[name]}, ()).error or ""
            yield PipSetting(key=normalised(name[4:]), value=environ[name], where=name), error
    for file in files:
        if not any(where == file.path for where in known) and _fails({}, (file,)):
            yield _culprit(file)


def _fails(environ: Mapping[str, str], files: Sequence[ConfigFile]) -> bool:
    return read(("install", "x"), environ, files).outcome == "parse_error"


def _culprit(file: ConfigFile) -> tuple[PipSetting, str]:
    """Return the key of the file that pip rejects, and why."""
    error = read(("install", "x"), {}, (file,)).error or ""
    for section, values in file.sections.items():
        for key, value in values.items():
            alone: ConfigFile = changed(file, sections={section: {key: value}})
            if _fails({}, (alone,)):
                setting = PipSetting(key=key, value=value, where=file.path, kind=file.kind, section=section)
                writable = os.access(file.path, os.W_OK)
                spelled = _spelled(file.path, section, key) or key
                return changed(setting, simple=False, spelled=spelled, writable=writable), error
    return PipSetting(key="?", value="", where=file.path, kind=file.kind, simple=False), error


# -- safepip's settings


def complaints(settings: Settings) -> Iterator[Complaint]:
    """Yield what is wrong with the settings, and where each stands."""
    for fault in settings.warnings:
        stops = fault in settings.faults
        if fault.origin.startswith("SAFEPIP_"):
            yield Complaint(text=str(fault), variable=fault.origin, stops=stops)
            continue
        own = os.path.basename(fault.origin) == "config.toml"
        whole = fault.line > 0 and not fault.broken and _is_whole(fault.origin, fault.line)
        yield Complaint(text=str(fault), file=fault.origin, line=fault.line, whole=whole, own=own, stops=stops)


def _is_whole(path: str, line: int) -> bool:
    """Tell whether the line holds a key and all of its value, so that it can be taken out alone."""
    text = _content(path).decode("utf-8", "replace").split("\n")[line - 1 : line]
    opens = [char for char in "".join(text) if char in "[]{}"]
    balanced = opens.count("[") == opens.count("]") and opens.count("{") == opens.count("}")
    quoted = any(quotes in "".join(text) for quotes in ('"""', "'''"))
    return balanced and not quoted and "=" in "".join(text)


# -- what earlier installs left


def leftovers(ambient: Ambient, target: Interpreter | None, *, managed: bool) -> Iterator[Leftover]:
    """Yield what pip put outside environments: into the user's site, and into what a system manages."""
    minor = target.minor if target is not None else ""
    for folder, version in user_sites(ambient):
        names = _distributions(folder, ())
        if names:
            ours = target is not None and version == minor
            python = target.path if ours and target else _on_path(f"python{version}", ambient)
            yield Leftover(folder=folder, version=version, names=names, python=python, target=ours)
    if target is None or not managed:
        return
    for folder, anybodys in system_sites(target):
        names = _distributions(folder, () if anybodys else _WITH_PYTHON, by_pip=not anybodys)
        if names:
            writable = os.access(folder, os.W_OK)
            yield Leftover(
                folder=folder, version=minor, names=names, python=target.path, target=True, system=True,
                writable=writable,
            )  # fmt: skip


def user_sites(ambient: Ambient) -> Iterator[tuple[str, str]]:
    """Yield the folders of the user's site, each with the Python version that looks there."""
    base = ambient.environ.get("PYTHONUSERBASE") or (ambient.home and os.path.join(ambient.home, ".local"))
    for version in _versions(os.path.join(base, "lib")) if base else ():
        yield os.path.join(str(base), "lib", f"python{version}", "site-packages"), version
    native = os.path.join(ambient.home or os.sep, "Library", "Python")
    for version in _names(native) if ambient.platform == "darwin" else ():
        yield os.path.join(native, version, "lib", "python", "site-packages"), version


def _versions(folder: str) -> list[str]:
    names = (name[6:] for name in _names(folder) if name.startswith("python"))
    return [version for version in names if all(part.isdecimal() for part in version.split("."))]


def system_sites(target: Interpreter) -> Iterator[tuple[str, bool]]:
    """Yield the folders where pip puts what is for all, and whether nothing but pip writes there."""
    library = f"python{target.minor}"
    real = os.path.realpath(target.base_prefix)
    seen = set()
    if real == "/usr":
        for name in ("dist-packages", "site-packages"):
            yield os.path.join("/usr/local/lib", library, name), True
    for lib in ("lib", "lib64"):
        for folder in (os.path.join(library, "site-packages"), os.path.join("python3", "dist-packages")):
            path = os.path.realpath(os.path.join(target.base_prefix, lib, folder))
            if path not in seen:
                seen.add(path)
                yield path, False


def _distributions(folder: str, but: tuple[str, ...], *, by_pip: bool = False) -> tuple[str, ...]:
    """Return the normalised names of what is installed in the folder; with `by_pip` only what pip says it put."""
    found = set()
    for entry in _names(folder):
        if entry.endswith(_INFO) and not entry.startswith("~"):
            name = normalised_name(entry.rpartition(".")[0].partition("-")[0])
            mine = not by_pip or _content(os.path.join(folder, entry, "INSTALLER")).strip() in {b"pip", b"uv"}
            if name not in but and mine:
                found.add(name)
    return tuple(sorted(found))


def _on_path(name: str, ambient: Ambient) -> str:
    entries = ambient.environ.get("PATH", os.defpath).split(os.pathsep)
    paths = (os.path.join(entry, name + EXE) for entry in entries if os.path.isabs(entry))
    return next((path for path in paths if is_program(path)), "")


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


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
        yield from (inner for inner in (os.path.join(path, name) for name in _names(path)) if os.path.isdir(inner))


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
