"""Find the environment of the tool that keeps a project.

Read from the tools' own sources and tried with uv 0.13.9, Poetry 2.5.1, PDM 2.29.3, Pipenv 2026.10.3 and Hatch
1.18.2; pixi.py follows pixi's published source, untried. The result is only a path: the caller judges whether it
may be used, since a project's files can name any directory.
"""

from __future__ import annotations

import os
import sys

from safepip.core.requirement import parse
from safepip.errors import shell_quote
from safepip.system.environment import is_conda, is_environment
from safepip.system.files import recall, recall_fields, remember
from safepip.system.interpreter import program_on_path
from safepip.system.keeper import inside

from .project import Named, Project, Question, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .project import Found

    Ask = Callable[[list[str], Mapping[str, str], str], tuple[int, bytes]]

# What a tool is called, and its commands that record an added and a removed requirement; Hatch has none.
_COMMANDS = {
    "uv": ("uv", "uv add", "uv remove"),
    "poetry": ("Poetry", "poetry add", "poetry remove"),
    "pdm": ("PDM", "pdm add", "pdm remove"),
    "pipenv": ("Pipenv", "pipenv install", "pipenv uninstall"),
    "hatch": ("Hatch", "", ""),
    "pixi": ("pixi", "pixi add --pypi", "pixi remove --pypi"),
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


def environment(
    root: str,
    keeper: str,
    environ: Mapping[str, str],
    home: str | None,
    cache: str | None,
    *,
    ask: Ask | None = None,
    platform: str = sys.platform,
) -> Named | None:
    """Return the environment that the tool `keeper` has, if it exists.

    Its `file` is empty unless a file of the project names the path. Nothing of the environment is run to find it.
    Where files do not tell, the tool is asked with a time-out, and its answer kept in the folder `cache` until a
    file or variable that steers it changes. `ask` takes argv, environ and cwd, and returns exit code and stdout.
    """
    project = Project(root=root, environ=environ, home=home, platform=platform)
    exists = is_conda if keeper == "pixi" else is_environment
    for found in _environments(keeper, project):
        file = ""
        paths: Sequence[str]
        if isinstance(found, Question):
            paths = _answer(project, found, cache, ask or _ask)
        elif isinstance(found, Named):
            paths, file = (found.path,), found.file
        else:
            paths = (found,)
        for path in filter(exists, paths):
            return Named(path=os.path.normpath(path), file=file)
    return None


def hint(keeper: str, requirements: Sequence[str]) -> str:
    """Return how these `requirements` are recorded, or empty.

    Paths, archives and URLs are left out: the tools spell them differently from pip.
    """
    named = _named(requirements)
    if not named:
        return ""
    name, command, _ = _COMMANDS[keeper]
    how = "add it to [project.dependencies]"
    if command:
        how = " ".join((command, *named))
    return f"this project is kept by {name}; to record the dependency: {how}"


def recording(keeper: str, subcommand: str, requirements: Sequence[str]) -> str:
    """Return which command of the tool records what `subcommand` did."""
    named = _named(requirements)
    name, command, removing = _COMMANDS[keeper]
    by_hand = "add to [project.dependencies]"
    if subcommand != "install":
        command, by_hand = removing, "remove from [project.dependencies]"
    if not command or not named:
        command = by_hand
    return f"this project is kept by {name}: {' '.join((command, *named))}"


def _named(requirements: Sequence[str]) -> list[str]:
    return list(map(shell_quote, filter(parse, requirements)))


def hinted(state: str | None, root: str) -> bool:
    """Return True if the user has seen the project's hint."""
    path = _note(state, "hinted", root)
    return path is not None and recall(path) == os.path.realpath(root)


def note_hinted(state: str | None, root: str) -> None:
    """Remember that the user has seen the project's hint."""
    path = _note(state, "hinted", root)
    if path is not None:
        remember(path, os.path.realpath(root))


def _environments(keeper: str, project: Project) -> Found:
    from importlib import import_module

    found: Found = import_module(f".{keeper}", __package__).environments(project)
    return found


# -- asking the tool


def _answer(project: Project, question: Question, cache: str | None, ask: Ask) -> Sequence[str]:
    """Return the paths that the tool names, perhaps from last time."""
    environ = project.environ
    program = program_on_path(question.program, environ)
    if program is None:
        return ()
    argv = [program, *question.words]
    path = _note(cache, "managers", project.root)
    if path is None:
        return _asked(project, argv, ask)
    steered = [f"{name}={environ[name]}" for name in sorted(environ) if name.startswith(_STEERING)]
    key = (_FORMAT, project.real, *argv, *map(_changed, question.watch), *steered, "")
    known = recall_fields(path)
    if known[: len(key)] == key:
        return known[len(key) :]
    answer = _asked(project, argv, ask)
    remember(path, "\0".join((*key, *answer)))
    return answer


def _asked(project: Project, argv: list[str], ask: Ask) -> tuple[str, ...]:
    environ = dict(project.environ)
    for name in _ACTIVE:  # in an active environment, tools name that one
        environ.pop(name, None)
    code, out = ask(argv, environ, project.root)
    if code:
        return ()
    return _paths(out)


def _changed(path: str) -> str:
    try:
        return str(os.stat(path).st_mtime_ns)
    except (OSError, ValueError):
        return "-"


def _paths(out: bytes) -> tuple[str, ...]:
    """Return the absolute paths of an answer, lines or pixi's JSON."""
    answer = os.fsdecode(out)
    if not answer.startswith("{"):
        return tuple(filter(os.path.isabs, map(str.strip, answer.splitlines())))
    import json

    try:
        infos = inside(json.loads(answer), "environments_info")
    except (ValueError, RecursionError):
        return ()
    if not isinstance(infos, list):
        return ()
    paths = [text(inside(info, "prefix")) for info in infos if inside(info, "name") == "default"]
    return tuple(filter(os.path.isabs, paths))


def _note(folder: str | None, kind: str, root: str) -> str | None:
    try:
        found = os.stat(root)
    except (OSError, ValueError):
        return None
    if not folder:
        return None
    return os.path.join(folder, kind, f"{found.st_dev:x}-{found.st_ino:x}")
