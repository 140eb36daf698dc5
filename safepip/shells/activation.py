"""Decide which environment a shell's hook activates in a directory."""

from __future__ import annotations

import os

from safepip.core.world import BIN, Project
from safepip.system import registry
from safepip.system.process import ACTIVATED
from safepip.system.project import ENVIRONMENT, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .quoting import Step

    Changes = tuple[tuple[str, str | None], ...]

# In safepip's data: the home environment, links to its programs, and a user base that shows its packages.
HOME = "home"
LINKS = "programs"
USER_BASE = "python"
_CREATING = os.path.join(".safepip", "creating")
_CONFIG = "pyvenv.cfg"
_CONDA_BASE = "base"
_PLAIN = " ._-+@,"  # no prompt gives these a meaning, nor letters and digits
_LONGEST = 64  # characters of a name in the prompt


class Place:
    """The world of a hook, in which the files of `owners` count."""

    def __init__(
        self,
        environ: dict[str, str],
        cwd: str | None,
        home: str | None,
        owners: frozenset[int],
        state: str | None,
    ) -> None:
        self.environ = environ
        self.cwd = cwd
        self.home = home
        self.owners = owners
        self.state = state
        self.at = environ.get(ACTIVATED, "")
        self.found = ""
        self.watch = ""
        self.in_project = False
        if cwd is not None:
            self._look(cwd)

    def _look(self, cwd: str) -> None:
        project = find(cwd, self.home, self.owners)
        path = os.path.join(cwd, ENVIRONMENT)
        if project is not None:
            self.in_project = True
            path = project.environment or os.path.join(project.root, ENVIRONMENT)
        self.watch = os.path.join(path, _CREATING)
        if not os.path.lexists(self.watch):
            self.watch = os.path.join(path, _CONFIG)
        self.found = activated_in(project, self.state, self.environ) or ""


def activated_in(project: Project | None, state: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the project's environment if hooks activate it, else None."""
    if project is None or project.environment is None:
        return None
    path = project.environment
    if os.pathsep in path:
        return None
    if not os.path.isfile(os.path.join(path, _CONFIG)):
        return None
    if os.path.lexists(os.path.join(path, _CREATING)):
        return None
    if registry.registration(state, path) is None:  # safepip neither made nor trusts it
        return None
    # Two active environments would hide each other's programs: conda's own stays alone.
    if environ.get("CONDA_DEFAULT_ENV", "") not in {"", _CONDA_BASE}:
        return None
    return path


def follow(place: Place, off: str, *, prompt: bool) -> list[Step]:
    """Return the steps of a shell in this place, and take them.

    `off` is the environment that the user deactivated.
    """
    active = place.environ.get("VIRTUAL_ENV", "")
    if active not in {"", place.at}:  # the user activated it, so it stays
        return [("set", "_safepip_off", ""), ("set", "_safepip_watch", "")]
    off = _switched_off(place, off)
    wanted = place.found
    if off:
        wanted = ""
    steps: list[Step] = []
    if wanted != place.at:
        steps += leave(place.environ)
        if wanted:
            steps += enter(place.environ, wanted, prompt=prompt)
    return [*steps, ("set", "_safepip_off", off), ("set", "_safepip_watch", place.watch)]


def _switched_off(place: Place, off: str) -> str:
    # What the user deactivated stays off until the shell leaves its project.
    if place.at == place.found and not place.environ.get("VIRTUAL_ENV"):
        return place.at  # `unset VIRTUAL_ENV` deactivates, too
    if off == place.found:
        return off
    return ""


def leave(environ: dict[str, str]) -> list[Step]:
    """Return the steps out of a hook's environment, taken in `environ`."""
    at = environ.pop(ACTIVATED, "")
    if not at:
        return []
    own = os.path.join(at, BIN)
    entries = environ.get("PATH", "").split(os.pathsep)
    while own in entries:
        entries.remove(own)
    environ["PATH"] = os.pathsep.join(entries)
    steps: list[Step] = [("call", "_safepip_leave", ""), ("export", "PATH", environ["PATH"])]
    gone = [ACTIVATED]
    if environ.get("VIRTUAL_ENV") == at:
        gone += ["VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT"]
    for name in gone:
        environ.pop(name, None)
        steps.append(("export", name, None))
    return steps


def enter(environ: dict[str, str], path: str, *, prompt: bool) -> list[Step]:
    """Return the steps into an environment, taken in `environ`."""
    search = os.path.join(path, BIN)
    if environ.get("PATH"):
        search += os.pathsep + environ["PATH"]
    environ.update({ACTIVATED: path, "VIRTUAL_ENV": path, "PATH": search})
    name = _name_for_prompt(path)
    in_front = ""
    if prompt and not environ.get("VIRTUAL_ENV_DISABLE_PROMPT"):
        in_front = f"({name}) "
    return [
        ("export", ACTIVATED, path),
        ("export", "VIRTUAL_ENV", path),
        ("export", "VIRTUAL_ENV_PROMPT", name),
        ("export", "PATH", search),
        ("call", "_safepip_enter", in_front),
    ]


def due(at: str, project: Project | None, state: str | None, environ: Mapping[str, str]) -> Changes:
    """Return the variables that a prompt in this directory would change.

    A hook's environment `at` is not the user's choice: `cd there && pip install`, a recipe of make and
    `bash -c` go by the directory, which is in the `project`.
    """
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    own = os.path.join(at, BIN)
    found = activated_in(project, state, environ)
    if found is not None and os.path.realpath(found) == os.path.realpath(at):
        return ()
    if _is_by_hand(own, entries):
        return ()
    kept: list[str] = []
    for entry in entries:  # entries before the environment's are the user's and stay there
        if entry != own:
            kept.append(entry)
        elif found:
            kept.append(os.path.join(found, BIN))
    return ((ACTIVATED, found), ("VIRTUAL_ENV", found), ("PATH", os.pathsep.join(kept)))


def _is_by_hand(own: str, entries: list[str]) -> bool:
    # `activate` by hand on top of the hook puts the directory on PATH once more.
    if own not in entries:
        return False
    if entries.count(own) > 1:
        return True
    before = entries[: entries.index(own)]
    return any(_is_same(entry, own) for entry in before)  # it may be spelled in another way


def _is_same(one: str, other: str) -> bool:
    if not os.path.isabs(one):
        return False
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _name_for_prompt(path: str) -> str:
    name = os.path.basename(path)
    try:
        with open(os.path.join(path, _CONFIG), encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and key.strip() == "prompt":
            name = value.strip().strip("'\"")
    return "".join(map(_plain, name[:_LONGEST])).strip() or ENVIRONMENT


def _plain(char: str) -> str:
    # A shell expands others in its prompt, and a project's author must not run commands there.
    if char.isalnum() or char in _PLAIN:
        return char
    return "_"
