"""The environments: active, here, the home one, and the remembered ones."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from functools import cache

from safepip.core.world import ABSENT, BROKEN, FOREIGN, NOWHERE, UNFINISHED, UNTRUSTED, USABLE
from safepip.envs.asides import half_removed
from safepip.envs.exchange import left_aside
from safepip.envs.faults import fault, lacks_pip, recorded_elsewhere
from safepip.envs.health import left_by_root
from safepip.envs.journal import is_left
from safepip.envs.trust import made_elsewhere
from safepip.envs.verify import verdict
from safepip.errors import SafepipError
from safepip.report import first_of
from safepip.system.environment import CREATING, examine
from safepip.system.interpreter import interview
from safepip.system.registry import entries

from .finding import MOST_NAMES, Context, Environment, Finding, Findings, move_aside, ok, problem, warning

_ROLES = {
    "named": "the environment that was named",
    "active": "the active environment",
    "here": "the environment of this place",
    "home": "the home environment",
}
_ELSEWHERE = "export SAFEPIP_ENV=.venv-own"  # beside an environment of another system


def check(context: Context) -> Findings:
    """Look at each environment once."""
    intact_others = 0
    seen = set()
    for role, found in _environments(context):
        path = os.path.realpath(found.path) if found.path else ""
        if path in seen:
            continue
        seen.add(path)
        faults = list(_faults(role, found, context))
        yield from faults
        if faults:
            continue
        if role not in _ROLES:
            intact_others += 1
        elif (role, found.state) != ("home", ABSENT):
            yield _intact(role, found)
    if intact_others == 1:
        yield ok("environments", "1 other environment is intact")
    elif intact_others:
        yield ok("environments", f"{intact_others} other environments are intact")
    yield from _gone(context)


def _gone(context: Context) -> Findings:
    gone = [entry.registration.path for entry in entries(context.state) if not entry.is_there]
    if gone:
        names = first_of(gone, MOST_NAMES)
        why = f"safepip remembers {names}, no longer there; `safepip env prune --yes` forgets that"
        yield ok("environments-gone", why)


def _environments(context: Context) -> Iterator[tuple[str, Environment]]:
    """Yield each environment with its role, a key of _ROLES or "remembered"."""
    try:
        if context.named_environment:
            yield "named", context.named_environment[1]
        else:
            if context.active:
                yield "active", context.active
            yield "here", context.place
    except SafepipError:
        return  # the target's finding tells it
    if context.data is not None:
        yield "home", context.examine(os.path.join(context.data, "home"))
    # Many environments have the same Python.
    ask = cache(lambda python: interview(python, context.ambient.environ, context.cache, keep=False))
    for entry in entries(context.state):
        if entry.is_there:
            yield "remembered", examine(entry.registration.path, ask, context.vet)


def _intact(role: str, found: Environment) -> Finding:
    what = f"{_ROLES[role]}, {_name(found)},"
    if found.state == ABSENT:
        return ok("environment", f"{what} does not exist yet: the first install makes it")
    # An empty directory is the user's wish for an environment.
    if found.state == UNFINISHED:
        return ok("environment", f"{what} is empty: the first install fills it")
    intact = f"{what} is intact (Python {found.version})"
    if found.has_pip:
        return ok("environment", intact)
    return ok("environment", f"{intact}, without a pip of its own: safepip's serves it")


def _faults(role: str, found: Environment, context: Context) -> Findings:
    repair = _env("repair", found, context)
    aside = left_aside(found.path, context) if found.path else ""
    if aside:
        why = f"a repair of {_name(found)} was interrupted; the old one is intact: {aside}"
        yield problem("repair-killed", why, repair)
    elif found.state == USABLE:
        yield from _faults_inside(role, found, repair, context)
    elif found.state == UNFINISHED:
        if os.path.lexists(os.path.join(found.path, CREATING)):  # else an empty directory of the user's
            where = "" if role == "here" else f"--env {shlex.quote(_name(found))} "
            why = f"{_name(found)} is unfinished: its creation was interrupted"
            yield warning("environment-unfinished", why, f"safepip {where}env create")
    else:
        yield from _unusable(found, repair, context)


def _unusable(found: Environment, repair: str, context: Context) -> Findings:
    why = f"{_name(found)} {found.reason}"
    if found.state == BROKEN:
        yield problem("environment-broken", why, _rebuild(found, repair))
    elif found.state == FOREIGN:
        yield problem("environment-foreign", why, _ELSEWHERE)
    elif found.state == NOWHERE:
        yield problem("environment-nowhere", found.reason, _ELSEWHERE)
    elif found.state == UNTRUSTED:
        was_copied = recorded_elsewhere(found.path) is not None and found.reason == made_elsewhere(found.path)
        if was_copied:
            yield problem("environment-moved", why, repair)
        else:
            yield problem("environment-untrusted", why, _env("trust", found, context))


def _name(found: Environment) -> str:
    return found.known_as or found.path


def _env(word: str, found: Environment, context: Context) -> str:
    return f"safepip env {word} {shlex.quote(context.typed(found))}"


def _rebuild(found: Environment, repair: str) -> str:
    if found.other_system:
        return _ELSEWHERE
    try:
        fault(found)
    except SafepipError:  # no Python or list of packages is left to rebuild it from
        return move_aside(_name(found), ".old")
    return repair


def _faults_inside(role: str, found: Environment, repair: str, context: Context) -> Findings:
    """Yield the faults in an environment that can be used."""
    path = _name(found)
    yield from _damage(role, found, repair, context)
    # pip fails in the middle of an upgrade if it cannot replace these.
    left = left_by_root(found.path, context.ambient.user)
    if left:
        why = f"{left} belongs to root, left by an earlier sudo pip"
        yield problem("environment-of-root", why, f'sudo chown -R "$USER" {shlex.quote(path)}')
    if is_left(found.path, locked=False):
        why = f"an install in {path} was killed half way; the next one recovers from that"
        yield warning("install-killed", why, repair)
    if not found.has_pip and lacks_pip(found, context):
        why = f"{path} has lost its pip: safepip's serves it, but its python -m pip fails"
        yield warning("environment-without-pip", why, repair)
    moved_aside = list(map(os.path.basename, half_removed(found.path)))
    if moved_aside:
        names = first_of(moved_aside, MOST_NAMES)
        why = f"pip warns at every command: an interrupted one left {names} in {path}"
        yield warning("half-removed", why, repair)


def _damage(role: str, found: Environment, repair: str, context: Context) -> Findings:
    if role not in _ROLES:  # to verify all files of all environments takes seconds
        return
    damage = fault(found, context.state) or verdict(found.path)
    if not damage:
        return
    name = "environment-moved"
    if recorded_elsewhere(found.path) is None:
        name = "environment-damaged"
    yield problem(name, f"{_name(found)} {damage}", repair)
