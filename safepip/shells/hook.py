"""safepip hook SHELL …: what a shell asks when the directory has changed and after a pip command.

The shell evaluates the answer. Started at each change of directory, this imports next to nothing.
"""

from __future__ import annotations

import os
import sys

from safepip.core.world import BIN
from safepip.system.directories import data_dir, state_dir
from safepip.system.interpreter import candidates
from safepip.system.process import ACTIVATED, inherited
from safepip.system.project import may_be_root, owner
from safepip.system.registry import registration

from .activation import HOME, LINKS, USER_BASE, Place, follow, leave
from .quoting import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .quoting import Step

LANGUAGES = ("bash", "zsh", "fish", "sh", "tcsh", "powershell", "xonsh", "nushell")
_QUESTIONS = ("1", "plain", "0", "start", "leave", "bin")
_PYTHONS = ("python", "python3")


def answer(words: Sequence[str]) -> bytes | None:
    """Return what the shell is to evaluate, or None where `words` are no question that a hook asks.

    After the shell's name comes what it wants. `1 OFF`: follow the directory; OFF is the environment that the
    user deactivated. `plain OFF`: the same, with the prompt as it is. `0`: nothing but fresh links. `start` and
    one of these: a shell begins. `leave [nondestructive]`: the user typed `deactivate`. `bin`: print where the
    programs are of the environment that is active here.
    """
    if len(words) < 2 or words[0] not in LANGUAGES or words[1] not in _QUESTIONS:
        return None
    language, what, given = words[0], words[1], "".join(words[2:3])
    environ = inherited()
    if what == "bin":
        found = place_of(environ).found
        return os.fsencode(os.path.join(found, BIN)) if found else b""
    if what == "leave":
        off = "" if given == "nondestructive" else environ.get(ACTIVATED, "")
        return _encoded(language, [*leave(environ), ("set", "_safepip_off", off)])
    if what == "start":
        return _encoded(language, begins(environ, given))
    off = given or environ.get("_safepip_off", "")  # as tcsh gives it
    return _encoded(language, steps_here(environ, what, off))


def begins(environ: dict[str, str], hooked: str) -> list[Step]:
    """Return what a shell that begins changes: PATH, and what the working directory asks for.

    pipx's programs come first, as login shells have them, those of the home environment last. What else the rc
    file did to PATH may have put an environment that was inherited behind: it is entered again.
    """
    home = environ.get("HOME") or environ.get("USERPROFILE")
    data = data_dir(environ, home, sys.platform)
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    pipx = environ.get("PIPX_BIN_DIR") or (home and os.path.join(home, ".local", "bin"))
    if pipx and pipx not in entries:
        entries.insert(0, pipx)
    if data and os.path.join(data, LINKS) not in entries:
        entries.append(os.path.join(data, LINKS))
    environ["PATH"] = os.pathsep.join(entries)
    inherited = environ.get(ACTIVATED) and environ.get(ACTIVATED) == environ.get("VIRTUAL_ENV")
    steps = leave(environ) if inherited and hooked != "0" else []
    return [
        *steps,
        ("export", "PATH", environ["PATH"]),
        *steps_here(environ, hooked, ""),
        ("call", "_safepip_begun", ""),
    ]


def steps_here(environ: dict[str, str], hooked: str, off: str) -> list[Step]:
    """Return what the shell changes in the working directory."""
    _refresh(environ)
    if hooked == "0":
        return []
    place = place_of(environ)
    return [*follow(place, off, prompt=hooked != "plain"), *_home_steps(place)]


def place_of(environ: dict[str, str]) -> Place:
    """Return this process's place; whose files count is as for every command."""
    try:
        cwd = os.getcwd()
    except OSError:
        cwd = None
    home = environ.get("HOME") or environ.get("USERPROFILE") or None
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    owners = {0, user}
    if user == 0 and cwd is not None and environ.get("SUDO_UID", "0") == "0":
        owners.add(owner(cwd))
    return Place(environ, cwd, home, frozenset(owners), state_dir(environ, home, sys.platform))


def _home_steps(place: Place) -> list[Step]:
    """Return the steps after which `python3` sees the home environment's packages, where these serve."""
    data = data_dir(place.environ, place.home, sys.platform)
    if data is None or not _is_home_in_force(place, data):
        return [("set", "_safepip_home", "")]
    search = place.environ.get("PATH", os.defpath)
    first = {name: next(candidates((name,), search, ()), "") for name in _PYTHONS}
    own = os.path.join(data, HOME, BIN, "python3")
    same = os.path.realpath(first["python3"]) == os.path.realpath(own)
    base = os.path.join(data, USER_BASE) if same else ""
    name = "python" if first["python"] else "python3"
    return [("set", "_safepip_home", base), ("set", "_safepip_home_python", name)]


def _is_home_in_force(place: Place, data: str) -> bool:
    if place.cwd is None or place.in_project or place.environ.get("VIRTUAL_ENV"):
        return False
    if place.environ.get("PYTHONUSERBASE") or place.environ.get("PYTHONNOUSERSITE"):
        return False
    if registration(place.state, os.path.join(data, HOME)) is None:
        return False
    return not may_be_root(place.cwd, place.home, place.environ, place.owners)


def _refresh(environ: Mapping[str, str]) -> None:
    """Bring the links to the home environment's programs up to date where its programs changed."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    data = data_dir(environ, home, sys.platform)
    if data is None or _time(os.path.join(data, HOME, BIN)) == _time(os.path.join(data, LINKS)):
        return
    from .links import refresh  # noqa: PLC0415  only after a change of the home environment

    refresh(data)


def _time(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _encoded(language: str, steps: list[Step]) -> bytes:
    """Return the steps as bytes; for tcsh, which joins lines, nothing where a value has a line end."""
    if language == "tcsh" and any("\n" in (value or "") for _, _, value in steps):
        return b""
    return os.fsencode(render(language, steps))
