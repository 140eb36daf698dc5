"""safepip hook SHELL …: answer a shell's hook.

It asks when the directory has changed, and after a pip command. It evaluates the answer and waits for it, so that
this imports next to nothing.
"""

from __future__ import annotations

import os
import sys

from safepip.core.world import BIN
from safepip.system.directories import data_dir, state_dir
from safepip.system.interpreter import program_on_path
from safepip.system.process import ACTIVATED, inherited
from safepip.system.project import may_be_root, owner
from safepip.system.registry import registration

from . import LANGUAGES
from .activation import HOME, LINKS, USER_BASE, Place, follow, leave
from .quoting import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .quoting import Step

_QUESTIONS = ("1", "plain", "0", "start", "leave", "bin")


def answer(words: Sequence[str]) -> bytes | None:
    """Return code for the shell to evaluate, or None for other words.

    After the shell's name comes the question:
    - `1 OFF`: follow the directory; OFF is the environment that the user deactivated
    - `plain OFF`: the same, with the prompt as it is
    - `0`: only bring the links up to date
    - `start` and one of these: a shell begins
    - `leave [nondestructive]`: the user typed `deactivate`
    - `bin`: print the directory of programs of the environment that is active here
    """
    if len(words) < 2:
        return None
    language, question, given = words[0], words[1], "".join(words[2:3])
    if language not in LANGUAGES.values() or question not in _QUESTIONS:
        return None
    environ = inherited()
    if question == "bin":
        found = place_of(environ).found
        if not found:
            return b""
        return os.fsencode(os.path.join(found, BIN))
    if question == "leave":
        off = environ.get(ACTIVATED, "")
        if given == "nondestructive":  # `activate` calls it so, before it activates another one
            off = ""
        return _encoded(language, [*leave(environ), ("set", "_safepip_off", off)])
    if question == "start":
        return _encoded(language, begins(environ, given))
    off = given or environ.get("_safepip_off", "")  # tcsh has it in a variable
    return _encoded(language, steps_here(environ, question, off))


def begins(environ: dict[str, str], hooked: str) -> list[Step]:
    """Return the steps of a shell that begins."""
    environ["PATH"] = os.pathsep.join(_completed(environ))
    steps: list[Step] = []
    is_active = environ.get(ACTIVATED, "") == environ.get("VIRTUAL_ENV")
    if is_active and hooked != "0":
        # The rc file may have put other directories before those of an inherited environment: enter it again.
        steps = leave(environ)
    return [
        *steps,
        ("export", "PATH", environ["PATH"]),
        *steps_here(environ, hooked, ""),
        ("call", "_safepip_begun", ""),
    ]


def _completed(environ: Mapping[str, str]) -> list[str]:
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    programs = _pipx_programs(environ)
    if programs and programs not in entries:
        entries.insert(0, programs)  # as login shells have it
    data = _data(environ)
    if data is None:
        return entries
    links = os.path.join(data, LINKS)
    if links not in entries:
        entries.append(links)
    return entries


def _pipx_programs(environ: Mapping[str, str]) -> str | None:
    named = environ.get("PIPX_BIN_DIR")
    if named:
        return named
    home = _home(environ)
    if home is None:
        return None
    return os.path.join(home, ".local", "bin")


def _home(environ: Mapping[str, str]) -> str | None:
    for name in ("HOME", "USERPROFILE"):
        if environ.get(name):
            return environ[name]
    return None


def _data(environ: Mapping[str, str]) -> str | None:
    return data_dir(environ, _home(environ), sys.platform)


def steps_here(environ: dict[str, str], hooked: str, off: str) -> list[Step]:
    """Return the steps for the working directory."""
    _refresh(environ)
    if hooked == "0":
        return []
    place = place_of(environ)
    return [*follow(place, off, prompt=hooked != "plain"), *_home_steps(place)]


def place_of(environ: dict[str, str]) -> Place:
    """Return this process's place."""
    try:
        cwd = os.getcwd()
    except OSError:
        cwd = None
    home = _home(environ)
    return Place(environ, cwd, home, _owners(environ, cwd), state_dir(environ, home, sys.platform))


def _owners(environ: Mapping[str, str], cwd: str | None) -> frozenset[int]:
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    if user != 0:
        return frozenset((0, user))
    if cwd is None or environ.get("SUDO_UID", "0") != "0":
        return frozenset((0,))
    return frozenset((0, owner(cwd)))  # plain root, as in a container, works in the projects of others


def _home_steps(place: Place) -> list[Step]:
    # Outside of projects `python3` sees the home environment's packages.
    data = _data(place.environ)
    if data is None or not _is_home_in_force(place, data):
        return [("set", "_safepip_home", "")]
    base, name = "", "python3"
    own = os.path.join(data, HOME, BIN, "python3")
    if _real_program("python3", place) == os.path.realpath(own):  # another Python could not import the packages
        base = os.path.join(data, USER_BASE)
    if _real_program("python", place):
        name = "python"
    return [("set", "_safepip_home", base), ("set", "_safepip_home_python", name)]


def _real_program(name: str, place: Place) -> str:
    path = program_on_path(name, place.environ)
    if path is None:
        return ""
    return os.path.realpath(path)


def _is_home_in_force(place: Place, data: str) -> bool:
    if place.cwd is None or place.in_project:
        return False
    for name in ("VIRTUAL_ENV", "PYTHONUSERBASE", "PYTHONNOUSERSITE"):
        if place.environ.get(name):  # the user chose other packages
            return False
    if registration(place.state, os.path.join(data, HOME)) is None:
        return False
    return not may_be_root(place.cwd, place.home, place.environ, place.owners)


def _refresh(environ: Mapping[str, str]) -> None:
    data = _data(environ)
    if data is None:
        return
    if _time(os.path.join(data, HOME, BIN)) == _time(os.path.join(data, LINKS)):
        return
    from .links import refresh  # noqa: PLC0415  only after a change of the home environment

    refresh(data)


def _time(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _encoded(language: str, steps: list[Step]) -> bytes:
    code = os.fsencode(render(language, steps))
    if language == "tcsh" and code.count(b"\n") > 1:  # tcsh joins the lines of what it evaluates
        return b""
    return code
