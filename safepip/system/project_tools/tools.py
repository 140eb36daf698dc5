"""EDGE  tools that keep a project (uv, Poetry, PDM, Pipenv, Hatch, pixi): where the environment of each is.

Read from the tools' own sources and tried with uv 0.13.9, Poetry 2.5.1, PDM 2.29.3, Pipenv 2026.10.3 and
Hatch 1.18.2; pixi could not be had and follows its published source. What is found here is only a place: whether
it may serve is for the caller to judge, for a project's files can name any directory.
"""

from __future__ import annotations

import os
import sys

from safepip.core.pip_line import normalised_name
from safepip.core.record import Record
from safepip.report import quoted
from safepip.system.directories import at_home
from safepip.system.environment import is_conda, is_environment, of_python
from safepip.system.files import recall, remember
from safepip.system.interpreter import candidates

from .detect import content, inside, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    Ask = Callable[[list[str], Mapping[str, str], str], tuple[int, bytes]]

_COMMANDS = {
    "uv": ("uv", "uv add"),
    "poetry": ("Poetry", "poetry add"),
    "pdm": ("PDM", "pdm add"),
    "pipenv": ("Pipenv", "pipenv install"),
    "hatch": ("Hatch", ""),
    "pixi": ("pixi", "pixi add --pypi"),
}
_PATIENCE = 10  # seconds for a tool to answer; the slowest seen took 4
_FORMAT = "safepip-manager-1"
# Variables that move environments, by how they begin. Others of these tools hold passwords, which are not kept.
_STEERING = (
    "POETRY_VIRTUALENVS_", "POETRY_CACHE_DIR", "POETRY_CONFIG_DIR", "PIPENV_CUSTOM_VENV_NAME", "PIPENV_PIPFILE",
    "PIPENV_PYTHON", "PIPENV_VENV_IN_PROJECT", "WORKON_HOME", "HATCH_CONFIG", "HATCH_DATA_DIR", "HATCH_ENV",
    "PIXI_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
)  # fmt: skip
_ACTIVE = ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PIPENV_ACTIVE", "POETRY_ACTIVE")
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_PLACES = {  # as platformdirs has them: variable, below home on Unix, below home on a Mac
    "cache": ("XDG_CACHE_HOME", ".cache", "Library/Caches"),
    "config": ("XDG_CONFIG_HOME", ".config", "Library/Application Support"),
    "data": ("XDG_DATA_HOME", ".local/share", "Library/Application Support"),
}
_ON_WINDOWS = {  # by kind and tool, where it is not just the tool's name below LOCALAPPDATA
    ("cache", "pypoetry"): ("LOCALAPPDATA", "pypoetry\\Cache"),
    ("config", "pypoetry"): ("APPDATA", "pypoetry"),
    ("config", "pdm"): ("LOCALAPPDATA", "pdm\\pdm"),
    ("data", "pdm"): ("LOCALAPPDATA", "pdm\\pdm"),
}
_ARCHIVES = (".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tlz", ".tar.lzma")


def environment(
    root: str,
    keeper: str,
    environ: Mapping[str, str],
    home: str | None,
    cache: str | None,
    *,
    ask: Ask | None = None,
    platform: str = sys.platform,
) -> str | None:
    """Return the path of the environment that the tool `keeper` has for the project at `root`, if it exists.

    Found by reading files, nothing of it is run. Where these do not tell, the tool is asked with a time-out,
    and its answer kept in the folder `cache` until a file or variable that steers it changes. `ask` takes
    argv, environ and cwd, and returns exit code and stdout.
    """
    project = _Project(root=root, environ=environ, home=home, platform=platform)
    exists = is_conda if keeper == "pixi" else is_environment
    for found in _READERS[keeper](project):
        paths = (found,) if isinstance(found, str) else _answer(project, found, cache, ask or _ask)
        for path in paths:
            if exists(path):
                return os.path.normpath(path)
    return None


def hint(keeper: str, requirements: Sequence[str]) -> str:
    """Return the line that says how these `requirements`, as typed, are recorded; empty if none can be.

    Paths, archives and URLs are left out: the tools spell them differently from pip.
    """
    named = [quoted(requirement) for requirement in requirements if _is_plain(requirement)]
    if not named:
        return ""
    name, command = _COMMANDS[keeper]
    how = " ".join((command, *named)) if command else "add it to [project.dependencies]"
    return f"this project is kept by {name}; to record the dependency: {how}"


def hinted(state: str | None, root: str) -> bool:
    """Tell whether the user was given the hint for the project at `root`, by the folder `state`."""
    path = _note(state, "hinted", root)
    return path is not None and recall(path) == os.path.realpath(root)


def note_hinted(state: str | None, root: str) -> None:
    """Remember in the folder `state` that the user was given the hint for the project at `root`."""
    path = _note(state, "hinted", root)
    if path is not None:
        remember(path, os.path.realpath(root))


class _Project(Record):
    """The project at `root`, and what surrounds the user who works in it."""

    root: str
    environ: Mapping[str, str]
    home: str | None
    platform: str

    @property
    def real(self) -> str:
        """Return the root as the tools see it, which ask the system for the working directory."""
        return os.path.realpath(self.root)

    def path(self, *parts: str) -> str:
        """Return a path relative to the root, with a leading ~ taken for the home directory."""
        return os.path.join(self.root, at_home(os.path.join(*parts), self.home))

    def toml(self, path: str, *words: bytes) -> dict[str, Any]:
        """Return a TOML file's content; empty where it has none of the `words`, or is no TOML."""
        data = content(self.path(path))
        return parsed(data) if not words or any(word in data for word in words) else {}

    def line(self, path: str) -> str:
        """Return the first line of a file, white space trimmed; empty where there is none."""
        text = os.fsdecode(content(self.path(path))[:4096]).strip()
        return "" if "\0" in text else text.partition("\n")[0].strip()

    def folder(self, kind: str, tool: str) -> str | None:
        """Return where platformdirs puts a tool's files of that kind, or None without a home."""
        if self.platform == "win32":
            variable, below = _ON_WINDOWS.get((kind, tool), ("LOCALAPPDATA", tool))
            base = self.environ.get(variable)
            return base and os.path.join(base, below)
        variable, unix, mac = _PLACES[kind]
        named = self.environ.get(variable, "")
        if os.path.isabs(named):
            return os.path.join(named, tool)
        return self.home and os.path.join(self.home, mac if self.platform == "darwin" else unix, tool)


class _Question(Record):
    """What the tool is asked where files do not tell: `program`, `words`, the paths that its answer hangs on."""

    program: str
    words: tuple[str, ...]
    watch: tuple[str, ...]


if TYPE_CHECKING:
    _Found = Iterator[str | _Question]


# -- the tools' own rules: each yields the places in the tool's order, and a question where files do not tell


def _uv(project: _Project) -> _Found:
    """Yield uv's environment (docs: concepts/projects/config, "Project environment path").

    A central one (preview) is linked from .venv, or named in a file of that name where links cannot be.
    """
    path = os.path.join(project.root, project.environ.get("UV_PROJECT_ENVIRONMENT", ".venv"))
    named = project.line(path) if os.path.isfile(path) else ""
    yield os.path.join(os.path.dirname(path), named) if named else path


def _poetry(project: _Project) -> _Found:
    """Yield Poetry's environments (poetry/utils/env/env_manager.py: `get`, `generate_env_name`).

    Of several minors envs.toml names the one in use; else it is that of the `python` on PATH, which only
    Poetry finds as Poetry does. It runs their Pythons for that, so never those that the project brought.
    """
    own = os.path.join(project.root, ".venv")
    tables = _poetry_tables(project)
    in_project = _poetry_setting(project, tables, "virtualenvs", "in-project")
    if isinstance(in_project, str):
        in_project = in_project.lower() in {"true", "1"}
    if in_project or (in_project is None and os.path.isdir(own)):
        yield own
        return
    place = _poetry_place(project, tables)
    if place is None:
        return
    base = _poetry_name(project)
    minor = _text(inside(project.toml(os.path.join(place, "envs.toml")), base, "minor")).strip()
    if minor:
        yield os.path.join(place, f"{base}-py{minor}")
    found = sorted(_beginning(place, f"{base}-py"), key=_version, reverse=True)
    if len(found) > 1 and not _is_below(place, project.real):
        watch = (project.path("pyproject.toml"), project.path("poetry.toml"), place)
        words = ("--no-plugins", "--no-ansi", "env", "info", "--path")
        yield _Question(program="poetry", words=words, watch=watch)
    for name in found:
        yield os.path.join(place, name)


def _poetry_tables(project: _Project) -> list[dict[str, Any]]:
    """Return Poetry's settings, the project's before the user's."""
    config = project.environ.get("POETRY_CONFIG_DIR") or project.folder("config", "pypoetry")
    files = ("poetry.toml", *((os.path.join(config, "config.toml"),) if config else ()))
    return [project.toml(file, b"virtualenvs", b"cache-dir") for file in files]


def _poetry_setting(project: _Project, tables: list[dict[str, Any]], *keys: str) -> object:
    """Return one of Poetry's settings, by variable or file, or None (poetry/config/config.py: `get`)."""
    variable = "POETRY_" + "_".join(keys).upper().replace("-", "_")
    values = (inside(table, *keys) for table in tables)
    return project.environ.get(variable) or next((value for value in values if value is not None), None)


def _poetry_place(project: _Project, tables: list[dict[str, Any]]) -> str | None:
    """Return the folder of Poetry's environments; None if it makes none, or there is no home."""
    created = _poetry_setting(project, tables, "virtualenvs", "create")
    if created is False or (isinstance(created, str) and created.lower() not in {"true", "1"}):
        return None
    cache = _poetry_setting(project, tables, "cache-dir") or project.folder("cache", "pypoetry")
    path = _poetry_setting(project, tables, "virtualenvs", "path") or os.path.join("{cache-dir}", "virtualenvs")
    if not isinstance(path, str) or (not isinstance(cache, str) and "{cache-dir}" in path):
        return None
    return project.path(path.replace("{cache-dir}", _text(cache)))


def _poetry_name(project: _Project) -> str:
    """Return what the names of the project's environments begin with."""
    import hashlib

    document = project.toml("pyproject.toml")
    name = inside(document, "project", "name") or inside(document, "tool", "poetry", "name")
    safe = _without(normalised_name(_text(name) or "non-package-mode"), ' $`!*@"\\\r\n\t')[:42]
    return f"{safe}-{_short(hashlib.sha256(os.fsencode(os.path.normcase(project.real))).digest())}"


def _pdm(project: _Project) -> _Found:
    """Yield PDM's environments (pdm/project/core.py: `resolve_interpreter`, cli/commands/venv/utils.py).

    The interpreter that was saved decides, even if it lies in no environment. Of several central ones PDM takes
    the first that the folder lists. It is never asked: `pdm info` makes an environment where there is none.
    """
    config = project.environ.get("PDM_CONFIG_FILE") or _joined(project.folder("config", "pdm"), "config.toml")
    users = project.toml(config, b"venv") if config else {}
    tables = (project.toml("pdm.toml", b"use_venv"), users)
    uses = (project.environ.get("PDM_USE_VENV"), *(inside(table, "python", "use_venv") for table in tables))
    uses_any = next((use for use in uses if isinstance(use, str) or use in (0, 1)), True)
    if str(uses_any).lower() in {"false", "no", "0"}:
        return
    saved = project.environ.get("PDM_PYTHON") or project.line(".pdm-python")
    ignored = project.environ.get("PDM_IGNORE_SAVED_PYTHON", "no").lower() not in {"false", "no", "0"}
    if saved and not ignored and os.path.isfile(project.path(saved)):
        lies_in = of_python(project.path(saved))
        if lies_in:
            yield lies_in
        return
    for name in (".venv", "venv", "env"):
        yield os.path.join(project.root, name)
    place = inside(users, "venv", "location") or _joined(project.folder("data", "pdm"), "venvs")
    if isinstance(place, str):
        for name in _beginning(project.path(place), _pdm_prefix(project)):
            yield project.path(place, name)


def _pdm_prefix(project: _Project) -> str:
    import hashlib

    digest = hashlib.md5(os.fsencode(project.real.replace("\\", "/")), usedforsecurity=False).digest()
    return f"{os.path.basename(project.real)}-{_short(digest)}-"


def _pipenv(project: _Project) -> _Found:
    """Yield Pipenv's environments (pipenv/utils/venv_locator.py: `get_location`, `name`).

    One outside the project counts only if the path in its .project leads back: names are the user's to give.
    """
    own = os.path.join(project.root, ".venv")
    wanted = _pipenv_in_project(project)
    named = project.line(own) if os.path.isfile(own) else ""
    if "/" in named or os.sep in named:
        yield os.path.join(project.root, named)
        return
    place = _pipenv_place(project)
    central = _joined(place, named or _pipenv_name(project))
    if central and (named or not wanted) and _leads_back(project, central):
        yield central
    if wanted is not False and not named:
        yield own
    if place and ("$" in place or project.platform == "win32"):  # there names of any case will do
        watch = (project.path("Pipfile"), place)
        yield _Question(program="pipenv", words=("--venv",), watch=watch)


def _leads_back(project: _Project, path: str) -> bool:
    named = project.line(os.path.join(path, ".project"))
    return bool(named) and os.path.realpath(named) == project.real


def _pipenv_in_project(project: _Project) -> bool | None:
    """Return whether the environment is to be in the project; None leaves it to what is there."""
    for variable, turned in (("PIPENV_VENV_IN_PROJECT", False), ("PIPENV_NO_VENV_IN_PROJECT", True)):
        value = project.environ.get(variable, "").lower()
        if value in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
            return (value in {"1", "true", "yes", "on"}) != turned
    value = inside(project.toml("Pipfile", b"venv_in_project"), "pipenv", "venv_in_project")
    return None if value is None else bool(value)


def _pipenv_place(project: _Project) -> str | None:
    """Return WORKON_HOME, or what Pipenv takes for it (pipenv/utils/shell.py: `get_workon_home`)."""
    named = project.environ.get("WORKON_HOME")
    if named:
        return project.path(named)
    if project.platform == "win32":
        return _joined(project.home, ".virtualenvs")
    data = project.environ.get("XDG_DATA_HOME") or _joined(project.home, ".local", "share")
    return data and project.path(data, "virtualenvs")


def _pipenv_name(project: _Project) -> str:
    import hashlib

    custom = project.environ.get("PIPENV_CUSTOM_VENV_NAME")
    if custom:
        return custom
    pipfile = os.path.join(project.real, project.environ.get("PIPENV_PIPFILE", "Pipfile"))
    name = _without(os.path.basename(os.path.dirname(pipfile)), ' &$`!*@"()[]\\\r\n\t')[:42]
    python = project.environ.get("PIPENV_PYTHON", "")
    python = os.path.basename(python) if os.path.isabs(python) else python
    return f"{name}-{_short(hashlib.sha256(os.fsencode(pipfile)).digest())}{python and '-' + python}"


def _hatch(project: _Project) -> _Found:
    """Yield Hatch's environment (hatch/env/virtual.py: `__init__`, cli/application.py: `get_env_directory`).

    A matrix or overrides are Hatch's to work out, but not where asking would run code that the project
    names: plugins and collectors.
    """
    document = project.toml("pyproject.toml")
    hatch = inside(document, "tool", "hatch")
    tables = {**(hatch if isinstance(hatch, dict) else {}), **project.toml("hatch.toml")}
    name = project.environ.get("HATCH_ENV", "default")
    options = _hatch_options(tables.get("envs"), name)
    kind = _text(options.get("type", "virtual"))
    place = _hatch_place(project, kind)
    if kind == "system" or place is None:
        return
    if ("$" in place or "matrix" in options or "overrides" in options) and not tables.get("env"):
        watch = (project.path("pyproject.toml"), project.path("hatch.toml"), place, os.path.dirname(place))
        yield _Question(program="hatch", words=("env", "find", name), watch=watch)
    variable = f"HATCH_ENV_TYPE_{kind.upper().replace('-', '_')}_PATH"
    chosen = project.environ.get(variable) or options.get("path")
    if isinstance(chosen, str) and chosen:
        yield os.path.join(project.root, chosen)
        return
    title = normalised_name(_text(inside(document, "project", "name")) or os.path.basename(project.real))
    last = title if name == "default" else name
    flat = place == _joined(project.home, ".virtualenvs") or _is_below(os.path.realpath(place), project.real)
    yield os.path.join(place, last) if flat else os.path.join(place, title, _hatch_id(project), last)


def _hatch_options(environments: object, name: str) -> dict[str, Any]:
    """Return the options of an environment, those of its templates included."""
    options: dict[str, Any] = {}
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        own = inside(environments, name)
        if not isinstance(own, dict):
            break
        inherited = own if len(seen) == 1 else {key: own[key] for key in own if key != "matrix"}
        options = {**inherited, **options}
        name = name if own.get("detached") else _text(own.get("template", "default"))
    return options


def _hatch_place(project: _Project, kind: str) -> str | None:
    """Return the folder of Hatch's environments of that kind."""
    config = project.environ.get("HATCH_CONFIG") or _joined(project.folder("config", "hatch"), "config.toml")
    folders = inside(project.toml(config, b"dirs"), "dirs") if config else None
    named = inside(folders, "env", kind)
    if isinstance(named, str):
        return project.path(named)
    data = project.environ.get("HATCH_DATA_DIR") or inside(folders, "data") or project.folder("data", "hatch")
    return project.path(data, "env", kind) if isinstance(data, str) else None


def _hatch_id(project: _Project) -> str:
    import hashlib

    folds = project.platform in {"win32", "darwin"}
    root = project.real.casefold() if folds else project.real
    return _short(hashlib.sha256(os.fsencode(root)).digest())


def _pixi(project: _Project) -> _Found:
    """Yield pixi's default environment (pixi: crates/pixi_core/src/workspace/mod.rs, `environments_dir`).

    A detached one is linked from there; where there can be no link, pixi leaves a note in the folder.
    """
    folder = os.path.join(project.root, ".pixi", "envs")
    yield os.path.join(folder, "default")
    if os.path.isdir(folder):
        watch = (*(project.path(name) for name in ("pixi.toml", "pyproject.toml")), folder)
        yield _Question(program="pixi", words=("info", "--json"), watch=watch)


_READERS: Mapping[str, Callable[[_Project], _Found]] = {
    "uv": _uv,
    "poetry": _poetry,
    "pdm": _pdm,
    "pipenv": _pipenv,
    "hatch": _hatch,
    "pixi": _pixi,
}


# -- asking the tool


def _answer(project: _Project, question: _Question, cache: str | None, ask: Ask) -> Sequence[str]:
    """Return the paths that the tool names, from the last time if nothing changed since; none if it fails."""
    environ = project.environ
    program = next(candidates((question.program,), environ.get("PATH", os.defpath), ()), None)
    if program is None:
        return ()
    steered = (f"{name}={environ[name]}" for name in sorted(environ) if name.startswith(_STEERING))
    changes = (_changed(path) for path in question.watch)
    key = (_FORMAT, project.real, program, *question.words, *changes, *steered, "")
    path = _note(cache, "managers", project.root)
    known = tuple((recall(path) or "").split("\0")) if path else ()
    if known[: len(key)] == key:
        return known[len(key) :]
    untouched = {name: value for name, value in environ.items() if name not in _ACTIVE}
    code, out = ask([program, *question.words], untouched, project.root)
    answer = _paths(out) if code == 0 else ()
    if path:
        remember(path, "\0".join((*key, *answer)))
    return answer


def _changed(path: str) -> str:
    try:
        return str(os.stat(path).st_mtime_ns)
    except (OSError, ValueError):
        return "-"


def _paths(out: bytes) -> tuple[str, ...]:
    """Return the absolute paths of an answer: one in a line, or in the JSON of `pixi info`."""
    text = os.fsdecode(out)
    if not text.startswith("{"):
        return tuple(line.strip() for line in text.splitlines() if os.path.isabs(line.strip()))
    import json

    try:
        infos = inside(json.loads(text), "environments_info")
    except (ValueError, RecursionError):
        return ()
    listed = infos if isinstance(infos, list) else []
    found = (inside(info, "prefix") for info in listed if inside(info, "name") == "default")
    return tuple(path for path in found if isinstance(path, str) and os.path.isabs(path))


def _ask(argv: list[str], environ: Mapping[str, str], cwd: str) -> tuple[int, bytes]:
    import subprocess

    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    try:
        asked = subprocess.run(
            argv, env=environ, cwd=cwd, stdin=null, stdout=pipe, stderr=null, check=False, timeout=_PATIENCE
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 1, b""
    return asked.returncode, asked.stdout


# -- small things that several need


def _note(folder: str | None, kind: str, root: str) -> str | None:
    """Return the file in which something is remembered of the project at `root`."""
    try:
        found = os.stat(root)
    except (OSError, ValueError):
        return None
    return folder and os.path.join(folder, kind, f"{found.st_dev:x}-{found.st_ino:x}")


def _text(value: object) -> str:
    """Return what is text, and empty for all else: a number may have more digits than Python prints."""
    return value if isinstance(value, str) else ""


def _joined(folder: str | None, *parts: str) -> str | None:
    return folder and os.path.join(folder, *parts)


def _beginning(folder: str, start: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.startswith(start)]
    except (OSError, ValueError):
        return []


def _is_below(path: str, root: str) -> bool:
    return path.startswith(os.path.join(root, ""))


def _version(name: str) -> tuple[int, ...]:
    """Return the version that a name ends with, after "-py"."""
    return tuple(int(part) for part in name.rpartition("-py")[2].split(".") if part.isdecimal())


def _without(name: str, unsafe: str) -> str:
    return "".join("_" if char in unsafe else char for char in name)


def _short(digest: bytes) -> str:
    """Return 8 characters of URL-safe base64 for a digest's first 6 bytes; base64 itself would load re."""
    number = int.from_bytes(digest[:6], "big")
    return "".join(_BASE64[number >> shift & 63] for shift in range(42, -1, -6))


def _is_plain(requirement: str) -> bool:
    """Tell whether a requirement names a distribution by its name, and no path, archive or URL."""
    is_path = any(char in requirement for char in "/\\@") or requirement.startswith(".")
    return bool(requirement.strip()) and not is_path and not requirement.lower().endswith(_ARCHIVES)
