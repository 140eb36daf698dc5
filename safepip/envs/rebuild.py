"""Repair an environment: put single files back, or rebuild it at its own path with the same distributions.

It is rebuilt only if its Python is gone, or it was made elsewhere. Everything is fetched and built first; then the
old environment is exchanged for a new one (see exchange.py).
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import tempfile

from safepip.core.record import replace
from safepip.core.world import BIN, BROKEN, EXE, OLDEST, Environment, Interpreter
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, SafepipError
from safepip.system import registry
from safepip.system.environment import as_usable, configuration, is_conda
from safepip.system.interpreter import interview, is_program
from safepip.system.project import ENVIRONMENT

from . import exchange, history, inventory, journal, packages, recover
from .build import build
from .creation_lock import creation_lock
from .faults import fault, lacks_pip, moved, was_environment
from .lock import acquire
from .packages import FailedError
from .progress import shown_while, wheels_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.report import Report
    from safepip.system.observe import Context


def repair(path: str, called: str, context: Context, report: Report, *, unasked: bool = False) -> None:
    """Repair the environment at the absolute `path`, which may be trusted, if there is something to repair.

    Single files are put back. It is rebuilt only if its Python is gone or it was made elsewhere; that fails as a
    whole, with the environment as it was. `called` is its name for the user's eyes. With `unasked` nothing is said
    if another command has repaired it meanwhile.
    """
    if exchange.noted(path, context) is None:
        _refuse_other_directories(path, called, context)
    with creation_lock(path, context, report):
        was_interrupted = exchange.resume(path, called, context, report)
        with _locked(os.path.realpath(path), context, report) as lock:
            recovered = recover.recover(path, context, report, lock=lock).restored
            found = context.examine(path, trusted=True)
            why = _why_rebuild(found, context)
            if why is not None:
                _rebuild(_Work(found, called, context, report), why)
                return
            is_repaired = _repair_files(found, called, context, report, lock)
    if not any((is_repaired, recovered, was_interrupted, unasked)):
        report.say(f"there is nothing to repair in {called}")


def _why_rebuild(found: Environment, context: Context) -> str | None:
    if found.state == BROKEN and _was_meant(found.path, context):
        return found.reason
    return fault(found, context.state)


def _repair_files(found: Environment, called: str, context: Context, report: Report, lock: int | None) -> bool:
    """Put back what is damaged in an environment whose Python works; return True if there was something."""
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
        names = ", ".join(done.damaged)
        again = " ".join(one.replace(" ", "==") for one in done.damaged)
        what = f"{called} has damaged files of {names}, which could not be downloaded again"
        raise SafepipError(
            NO_ENVIRONMENT, what, f"install it again from where it came: safepip install --force-reinstall {again}"
        )
    return lacked_pip or bool(done.restored)


def resume(path: str, called: str, context: Context, report: Report) -> bool:
    """Finish or take back a rebuild that was killed, under its lock; return True if there was one.

    To be asked before an environment is made there: the old one, which is whole, would be left aside.
    """
    if exchange.noted(path, context) is None:
        return False
    with creation_lock(path, context, report):
        exchange.resume(path, called, context, report)
    return True


def _refuse_other_directories(path: str, called: str, context: Context) -> None:
    """Refuse a directory that never was an environment: /usr looks like a broken one."""
    if not os.path.isdir(path) or not os.listdir(path):
        return
    if was_environment(path) or is_conda(path):
        return
    if not _was_meant(path, context):
        what = f"{called} is not an environment, so there is nothing to rebuild it from"
        raise SafepipError(NO_ENVIRONMENT, what, "rename it, then install again")


def _was_meant(path: str, context: Context) -> bool:
    """Return True for the project's `.venv`, unless a Python itself is installed there."""
    project = context.project
    if project is None or path != os.path.join(project.root, ENVIRONMENT):
        return False
    if not os.path.isdir(path) or is_conda(path):
        return False
    return not glob.glob(os.path.join(glob.escape(path), "lib", "*", "os.py"))


class _Work:
    """The parts of a rebuilding."""

    def __init__(self, found: Environment, called: str, context: Context, report: Report) -> None:
        self.path = found.path
        self.real = os.path.realpath(found.path)
        self.called = called
        self.context = context
        self.report = report
        self.entry = registry.entry(context.state, found.path) or moved(context.state, found.path)
        self.base = _interpreter(found, context)
        self.system = inventory.seen_system(found.path)
        entries = history.read(found.path)
        held = inventory.distributions(found.path)
        wanted = {name: packages.again(name, one.state, entries) for name, one in held.items()}
        self.pip = wanted.pop("pip", None)
        self.wanted = list(wanted.values())
        self.has_pip = self.pip is not None
        if self.entry is not None and self.entry.registration.how == registry.MADE:
            self.has_pip = True  # safepip puts a pip into each environment that it makes


def _rebuild(work: _Work, why: str) -> None:
    """Get everything, then exchange the old environment for a new one."""
    many = "1 package"
    if len(work.wanted) != 1:
        many = f"{len(work.wanted)} packages"
    to_download = [one for one in work.wanted if not one.is_editable]
    work.report.say(f"{work.called} {why}")
    work.report.say(f"getting its {many} for Python {work.base.minor} ({work.base.path})")
    with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
        wheels = os.path.join(folder, "wheels")
        os.mkdir(wheels)
        with _told_plainly(work.called):
            with shown_while(
                lambda: wheels_in(wheels, len(to_download)),
                work.context,
                work.report,
            ):
                _gather(work, os.path.join(folder, "env"), wheels)
            work.report.say(f"making {work.called} again")
            with shown_while(f"installing {many}", work.context, work.report):
                _exchange(work, wheels)
    work.report.say(f"{work.called} is repaired: {many}, Python {work.base.minor}")


@contextlib.contextmanager
def _told_plainly(called: str) -> Iterator[None]:
    """Turn errors of the disk into one line."""
    try:
        yield
    except OSError as error:
        raise _not_repaired(called, error.strerror or str(error), code=CANNOT_CREATE) from error


def _not_repaired(called: str, what: str, *ways: str, code: int = NO_ENVIRONMENT) -> SafepipError:
    return SafepipError(code, f"{called} was not repaired and is as it was: {what}", *ways)


# -- from which Python


def _interpreter(found: Environment, context: Context) -> Interpreter:
    """Return the base that the environment had, else a Python in its place, else the target interpreter."""
    base = _former_base(found, context) or context.base
    if base is None or base.version < OLDEST:
        what = f"could not find a Python to rebuild {found.known_as} with"
        raise SafepipError(NO_ENVIRONMENT, what, "put a python3 on PATH, or name one with the setting python")
    return base


def _former_base(found: Environment, context: Context) -> Interpreter | None:
    made, candidates = inventory.made_with(found.path), list(_bases(found, context))
    for one in candidates:
        if one.minor == made:
            return one
    return candidates[0] if candidates else None


def _bases(found: Environment, context: Context) -> Iterator[Interpreter]:
    """Yield the Pythons in the place of the environment's base, by its link and its pyvenv.cfg."""
    config, made = configuration(found.path), inventory.made_with(found.path)
    linked = os.path.realpath(os.path.join(found.path, BIN, "python" + EXE))
    home = config.get("home", "")
    named = [linked, config.get("base-executable", ""), os.path.join(home, f"python{made}{EXE}")]
    inside = os.path.join(os.path.realpath(found.path), "")
    for path in dict.fromkeys((*named, os.path.join(home, "python3" + EXE))):
        if not os.path.isabs(path) or not is_program(path):
            continue
        if os.path.realpath(path).startswith(inside):  # it goes with the environment
            continue
        answer = interview(path, context.ambient.environ, context.cache)
        if isinstance(answer, Interpreter) and not answer.is_virtual:
            yield answer


# -- the packages to install again


def _gather(work: _Work, place: str, wheels: str) -> None:
    """Download or build the wheels, by a temporary environment of the new Python."""
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
    if work.pip is not None and _keeps_pip(work, helper):
        with contextlib.suppress(FailedError):
            packages.fetch(helper, [work.pip], wheels)


def _keeps_pip(work: _Work, helper: Environment) -> bool:
    """Return True if the new environment needs another pip than it comes with."""
    if work.base.minor != inventory.made_with(work.path):  # a pip of an older Python may not run on this one
        return False
    seeded = inventory.distributions(helper.path).get("pip")
    if seeded is None or work.pip is None:
        return True
    return seeded.state.version != work.pip.state.version


# -- the exchange


def _exchange(work: _Work, wheels: str) -> None:
    """Rename the old environment, make the new one, and remove the old: or put it back."""
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
    made: Environment = replace(as_usable(path, python, base, configuration(path)), known_as=named)
    return made


# -- the environment


@contextlib.contextmanager
def _locked(real: str, context: Context, report: Report) -> Iterator[int | None]:
    """Hold the environment's own lock, if it exists; give its descriptor."""
    lock = None
    if os.path.isdir(real):
        lock = acquire(real, context.settings.lock_timeout, report)
    try:
        yield lock
    finally:
        if lock is not None:
            os.close(lock)
