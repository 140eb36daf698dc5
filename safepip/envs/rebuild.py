"""Repair an environment: put single files back, or rebuild it.

It is rebuilt, at its own path with the same distributions, only if its Python is gone or it was made elsewhere
(faults.py). Everything is downloaded and built first. Then the old environment is exchanged for a new one
(exchange.py); an error leaves the old one as it was.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil

from safepip.core.record import replace
from safepip.core.world import BIN, BROKEN, EXE, OLDEST, Environment, Interpreter
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, SafepipError
from safepip.system import registry
from safepip.system.environment import as_usable, configuration, is_conda
from safepip.system.files import is_in
from safepip.system.interpreter import interview, is_program
from safepip.system.project import ENVIRONMENT

from . import exchange, history, inventory, journal, packages, recover
from .build import build
from .creation_lock import change_lock, creation_lock
from .faults import fault, lacks_pip, moved, was_environment
from .packages import FailedError
from .progress import downloaded, shown_while

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.report import Report
    from safepip.system.observe import Context


def repair(path: str, called: str, context: Context, report: Report, *, unasked: bool = False) -> None:
    """Repair the environment at the absolute `path`, which may be trusted.

    `called` is its name for the user's eyes. With `unasked` nothing is said if nothing has to be repaired, as when
    another command has done it meanwhile.
    """
    if exchange.noted(path, context) is None:
        _refuse_other_directories(path, called, context)
    with creation_lock(path, context, report):
        was_interrupted = exchange.resume_locked(path, called, context, report)
        with change_lock(os.path.realpath(path), context, report) as lock:
            recovered = recover.recover(path, context, report, lock=lock)
            found = context.examine(path, trusted=True)
            if found.state == BROKEN and _was_meant(found.path, context):
                why: str | None = found.reason
            else:
                why = fault(found, context.state)
            if why is not None:
                _rebuild(_Work(found, called, context, report), why)
                return
            is_repaired = _repair_files(found, called, context, report, lock)
    if not any((is_repaired, recovered, was_interrupted, unasked)):
        report.say(f"there is nothing to repair in {called}")


def _repair_files(found: Environment, called: str, context: Context, report: Report, lock: int | None) -> bool:
    """Put pip and damaged files back, and return True if any."""
    if is_conda(found.path):
        return False  # conda's to repair
    lacked_pip = lacks_pip(found, context)
    if lacked_pip:
        report.say(f"putting pip into {called} again")
        with shown_while("installing pip", context, report):
            failed = packages.give_pip(found, lock=lock)
        if failed:
            raise SafepipError(NO_ENVIRONMENT, f"could not install pip into {called}: {failed}")
    with shown_while("verifying packages", context, report):
        done = recover.repair_files(found, report, lock=lock)
    if done.damaged:
        what = f"{called} has damaged files of {', '.join(done.damaged)}, which could not be downloaded again"
        raise SafepipError(NO_ENVIRONMENT, what, f"install it again from where it came: {done.way_on}")
    return lacked_pip or bool(done.restored)


def _refuse_other_directories(path: str, called: str, context: Context) -> None:
    # /usr looks like a broken environment.
    if not os.path.isdir(path) or not os.listdir(path):
        return
    if was_environment(path) or is_conda(path):
        return
    if not _was_meant(path, context):
        what = f"{called} is not an environment, so there is nothing to rebuild it from"
        raise SafepipError(NO_ENVIRONMENT, what, "rename it, then install again")


def _was_meant(path: str, context: Context) -> bool:
    """Return True for the project's `.venv`."""
    project = context.project
    if project is None or path != os.path.join(project.root, ENVIRONMENT):
        return False
    if not os.path.isdir(path) or is_conda(path):
        return False
    # A Python itself may be installed there.
    return not glob.glob(os.path.join(glob.escape(path), "lib", "*", "os.py"))


class _Work:
    """What a rebuild starts from."""

    def __init__(self, found: Environment, called: str, context: Context, report: Report) -> None:
        self.path = found.path
        self.called = called
        self.context = context
        self.report = report
        self.entry = registry.entry(context.state, found.path) or moved(context.state, found.path)
        self.base = _interpreter(found, context)
        self.system = inventory.seen_system(found.path)
        entries = history.read(found.path)
        wanted = {}
        for name, one in inventory.distributions(found.path).items():
            wanted[name] = packages.again(name, one.state, entries)
        self.pip = wanted.pop("pip", None)
        self.wanted = list(wanted.values())
        self.has_pip = self.pip is not None
        if self.entry is not None and self.entry.registration.how == registry.MADE:
            self.has_pip = True  # safepip puts a pip into each environment that it makes


def _rebuild(work: _Work, why: str) -> None:
    """Download everything, then exchange the old environment for a new one."""
    context, report = work.context, work.report
    many = "1 package"
    if len(work.wanted) != 1:
        many = f"{len(work.wanted)} packages"
    to_download = sum(not one.is_editable for one in work.wanted)
    report.say(f"{work.called} {why}")
    report.say(f"getting its {many} for Python {work.base.minor} ({work.base.path})")
    with packages.scratch_folder() as folder:
        wheels = os.path.join(folder, "wheels")
        os.mkdir(wheels)
        try:
            with shown_while(lambda: downloaded(wheels, to_download), context, report):
                _gather(work, os.path.join(folder, "env"), wheels)
            report.say(f"making {work.called} again")
            with shown_while(f"installing {many}", context, report):
                _exchange(work, wheels)
        except OSError as error:
            raise _not_repaired(work.called, error.strerror or str(error), code=CANNOT_CREATE) from error
    report.say(f"{work.called} is repaired: {many}, Python {work.base.minor}")


def _not_repaired(called: str, what: str, *, code: int = NO_ENVIRONMENT) -> SafepipError:
    return SafepipError(code, f"{called} was not repaired and is as it was: {what}")


# -- from which Python


def _interpreter(found: Environment, context: Context) -> Interpreter:
    """Return the Python for the new environment."""
    # The base that it had, else another Python in its place, else the target interpreter.
    made = inventory.made_with(found.path)
    in_place = list(_in_place_of_base(found, context))
    same = [one for one in in_place if one.minor == made]
    fitting = [*same, *in_place]
    base = fitting[0] if fitting else context.base
    if base is None or base.version < OLDEST:
        what = f"could not find a Python to rebuild {found.known_as} with"
        raise SafepipError(NO_ENVIRONMENT, what, "put a python3 on PATH, or name one with the setting python")
    return base


def _in_place_of_base(found: Environment, context: Context) -> Iterator[Interpreter]:
    """Yield the Pythons that the environment's link and its pyvenv.cfg name."""
    config = configuration(found.path)
    home = config.get("home", "")
    named = (
        os.path.realpath(os.path.join(found.path, BIN, "python" + EXE)),
        config.get("base-executable", ""),
        os.path.join(home, f"python{inventory.made_with(found.path)}{EXE}"),
        os.path.join(home, "python3" + EXE),
    )
    inside = os.path.realpath(found.path)
    for path in dict.fromkeys(named):
        if not os.path.isabs(path) or not is_program(path):
            continue
        if is_in(os.path.realpath(path), inside):  # it goes with the environment
            continue
        answer = interview(path, context.ambient.environ, context.cache)
        if isinstance(answer, Interpreter) and not answer.is_virtual:
            yield answer


# -- the packages to install again


def _gather(work: _Work, place: str, wheels: str) -> None:
    """Download or build the wheels with the new Python."""
    for one in work.wanted:
        if not one.is_editable:
            continue
        folder = one.words[1].partition("#")[0]
        if not os.path.isdir(folder):
            raise _not_repaired(work.called, f"{folder}, which it has a package from, is gone")
    build(place, work.base, work.context.cache, pip=True)
    helper = _examined(place, place, work.base)
    try:
        packages.fetch(helper, work.wanted, wheels)
    except FailedError as error:
        raise _not_repaired(work.called, f"{error.what} again: {error.why}") from None
    if work.pip is None or work.base.minor != inventory.made_with(work.path):
        return  # a pip of an older Python may not run on this one
    seeded = inventory.distributions(helper.path).get("pip")
    if seeded is None or seeded.state.version != work.pip.state.version:
        with contextlib.suppress(FailedError):
            packages.fetch(helper, [work.pip], wheels)


# -- the exchange


def _exchange(work: _Work, wheels: str) -> None:
    """Make the new environment in place of the old one."""
    begun = exchange.begin(work.path, work.entry, work.context)
    try:
        os.rename(begun.real, begun.aside)
        with exchange.new_directory(begun, work.context, work.report) as lock:
            build(begun.real, work.base, work.context.cache, pip=work.has_pip, system=work.system)
            made = _examined(begun.real, begun.path, work.base)
            _install(made, work, wheels, lock)
            _carry_over(begun.aside, made)
            registry.note(work.context.state, begun.path, registry.MADE, project=begun.project)
    except BaseException:
        exchange.put_back(begun, work.context, work.report)
        raise
    exchange.finish(begun, work.called, work.context, work.report)


def _install(made: Environment, work: _Work, wheels: str, lock: int | None) -> None:
    """Install everything again, as it was, and prove it."""
    wanted = list(work.wanted)
    if work.pip is not None and "pip" in packages.wheels_in(wheels):
        wanted.append(work.pip)
    try:
        packages.install(made, wanted, wheels, lock=lock)
    except FailedError as error:
        raise _not_repaired(work.called, f"{error.what} again: {error.why}") from None
    now = inventory.distributions(made.path)
    for one in work.wanted:
        if one.name not in now or not _is_as_before(one, now[one.name].state.version):
            raise _not_repaired(work.called, f"{one.name} did not become {one.state.version} again")


def _is_as_before(one: packages.Wanted, version: str) -> bool:
    if one.is_editable or one.is_of_vcs:  # the folder or repository may be at another version now
        return True
    return one.state.version in {version, "?"}


def _carry_over(old: str, made: Environment) -> None:
    """Keep the history, which goes on from what is installed now."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(os.path.join(old, journal.SAVED), os.path.join(made.path, journal.SAVED))
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(os.path.join(old, journal.HISTORY), os.path.join(made.path, journal.HISTORY))
        history.leave(made.path, journal.snapshot(made.path))


def _examined(path: str, named: str, base: Interpreter) -> Environment:
    """Return the environment as it is once it is finished."""
    python = os.path.join(path, BIN, "python" + EXE)
    return replace(as_usable(path, python, base, configuration(path)), known_as=named)
