"""Which environment a shell's hook has active in a directory, and which variables it changes for that."""

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

# In safepip's data: the home environment, links to its programs, and what has a Python see its packages.
HOME = "home"
LINKS = "programs"
USER_BASE = "python"
_CREATING = os.path.join(".safepip", "creating")
_CONFIG = "pyvenv.cfg"
_CONDA_BASE = "base"
_PLAIN = " ._-+@,"  # characters that mean nothing in any shell's prompt, beside letters and digits


class Place:
    """What a hook looks at: the variables, the working directory, and whose files count."""

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
        """Find the environment to activate, and the file that comes or goes with it."""
        project = find(cwd, self.home, self.owners)
        self.in_project = project is not None
        root = project.root if project is not None else cwd
        path = (project and project.environment) or os.path.join(root, ENVIRONMENT)
        creating = os.path.join(path, _CREATING)
        self.watch = creating if os.path.lexists(creating) else os.path.join(path, _CONFIG)
        self.found = activated_in(project, self.state, self.environ) or ""


def activated_in(project: Project | None, state: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the project's environment if hooks activate it: it is complete, and safepip made it or trusts it.

    Beside a conda environment no hook activates anything.
    """
    path = project.environment if project is not None else None
    if path is None or os.pathsep in path or not os.path.isfile(os.path.join(path, _CONFIG)):
        return None
    if os.path.lexists(os.path.join(path, _CREATING)) or registry.registration(state, path) is None:
        return None
    return path if environ.get("CONDA_DEFAULT_ENV", "") in {"", _CONDA_BASE} else None


def follow(place: Place, off: str, *, prompt: bool) -> list[Step]:
    """Return what a shell does at a prompt in this place; `off` is the environment that the user deactivated.

    The steps are taken in the place's own variables as well. What is active by hand stays. An environment that
    was deactivated by hand stays off until the user leaves its project.
    """
    active = place.environ.get("VIRTUAL_ENV", "")
    if active and active != place.at:
        return [("set", "_safepip_off", ""), ("set", "_safepip_watch", "")]
    if off != place.found:
        off = ""
    if place.at and not active and place.found == place.at:
        off = place.at
    wanted = "" if off else place.found
    steps: list[Step] = []
    if place.at and wanted != place.at:
        steps += leave(place.environ)
    if wanted and wanted != place.at:
        steps += enter(place.environ, wanted, prompt=prompt)
    return [*steps, ("set", "_safepip_off", off), ("set", "_safepip_watch", place.watch)]


def leave(environ: dict[str, str]) -> list[Step]:
    """Return the steps out of the environment that a hook activated, and take it out of `environ`."""
    at = environ.pop(ACTIVATED, "")
    if not at:
        return []
    own = os.path.join(at, BIN)
    kept = [entry for entry in environ.get("PATH", "").split(os.pathsep) if entry != own]
    environ["PATH"] = os.pathsep.join(kept)
    steps: list[Step] = [("call", "_safepip_leave", ""), ("export", "PATH", environ["PATH"])]
    gone = [ACTIVATED]
    if environ.get("VIRTUAL_ENV") == at:
        gone += ["VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT"]
    for name in gone:
        environ.pop(name, None)
        steps.append(("export", name, None))
    return steps


def enter(environ: dict[str, str], path: str, *, prompt: bool) -> list[Step]:
    """Return the steps into the environment at `path`, and take them in `environ`."""
    before = environ.get("PATH", "")
    own = os.path.join(path, BIN)
    environ.update({ACTIVATED: path, "VIRTUAL_ENV": path, "PATH": own + os.pathsep + before if before else own})
    name = _name_for_prompt(path)
    shown = prompt and not environ.get("VIRTUAL_ENV_DISABLE_PROMPT")
    return [
        ("export", ACTIVATED, path),
        ("export", "VIRTUAL_ENV", path),
        ("export", "VIRTUAL_ENV_PROMPT", name),
        ("export", "PATH", environ["PATH"]),
        ("call", "_safepip_enter", f"({name}) " if shown else ""),
    ]


def due(at: str, project: Project | None, state: str | None, environ: Mapping[str, str]) -> Changes:
    """Return the changes of variables by which a command has what a prompt in its directory would give.

    What a hook activated, `at`, is not the user's choice: `cd there && pip install`, a recipe of make and
    `bash -c` go by the directory, which is in the `project`. In its own project it stands, and so does one
    that was activated by hand on top of it: that puts it on PATH once more. What else stands before it on PATH
    was put there by the user and stays there.
    """
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    own = os.path.join(at, BIN)
    found = activated_in(project, state, environ)
    is_at_home = found is not None and os.path.realpath(found) == os.path.realpath(at)
    if is_at_home or _is_by_hand(own, entries):
        return ()
    other = [os.path.join(found, BIN)] if found else []
    kept: list[str] = []
    for entry in entries:
        kept += other if entry == own else [entry]
    return ((ACTIVATED, found), ("VIRTUAL_ENV", found), ("PATH", os.pathsep.join(kept)))


def _is_by_hand(own: str, entries: list[str]) -> bool:
    """Return True if the environment's directory `own` is on PATH twice, first in whatever spelling."""
    if own not in entries:
        return False
    before = entries[: entries.index(own)]
    return entries.count(own) > 1 or any(os.path.isabs(entry) and _is_same(entry, own) for entry in before)


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _name_for_prompt(path: str) -> str:
    """Return what `activate` shows, by pyvenv.cfg, without characters that a shell might act on."""
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
    plain = "".join(char if char.isalnum() or char in _PLAIN else "_" for char in name[:64])
    return plain.strip() or ENVIRONMENT
