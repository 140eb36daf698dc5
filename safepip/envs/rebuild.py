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

from safepip.core.world import BIN, BROKEN, EXE, OLDEST, Environment, Interpreter
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, SafepipError
from safepip.system import registry
from safepip.system.environment import as_usable, configuration, is_conda
from safepip.system.interpreter import interview, is_program
from safepip.system.project import ENVIRONMENT

from . import exchange, history, inventory, journal, packages, recover
from .create import build
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
        is_finished = exchange.take_up(path, called, context, report)
        with _locked(os.path.realpath(path), context, report) as lock:
            recovered = recover.recover(path, context, report, lock=lock).restored
            found = context.examine(path, named=True)
            why = _why_rebuild(found, context)
            if why is not None:
                _rebuild(_Work(found, called, context, report), why)
                return
            is_repaired = _repair_files(found, called, context, report, lock)
    if not (is_repaired or recovered or is_finished or unasked):
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
    """Finish or take back a repair of `path` that was killed; tell whether there was one.

    To be asked before an environment is made there: the old one, which is whole, would be left aside.
    """
    if exchange.noted(path, context) is None:
        return False
    with creation_lock(path, context, report):
        exchange.take_up(path, called, context, report)
    return True


def _refuse_other_directories(path: str, called: str, context: Context) -> None:
    """Refuse a directory that never was an environment: /usr looks like a broken one."""
    known = was_environment(path) or is_conda(path) or _was_meant(path, context)
    if os.path.isdir(path) and os.listdir(path) and not known:
        what = f"{called} is not an environment, so there is nothing to rebuild it from"
        raise SafepipError(NO_ENVIRONMENT, what, "rename it, then install again")


def _was_meant(path: str, context: Context) -> bool:
    """Return True for the project's `.venv`, unless a Python itself is installed there."""
    project = context.project
    if project is None or path != os.path.join(project.root, ENVIRONMENT) or not os.path.isdir(path):
        return False
    return not (is_conda(path) or glob.glob(os.path.join(glob.escape(path), "lib", "*", "os.py")))


class _Work:
    """What a rebuilding is made from."""

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
        is_made = self.entry is not None and self.entry.registration.how == registry.MADE
        self.has_pip = self.pip is not None or is_made


def _rebuild(work: _Work, why: str) -> None:
    """Get everything, then exchange the old environment for a new one."""
    many = f"{len(work.wanted)} package{'' if len(work.wanted) == 1 else 's'}"
    work.report.say(f"{work.called} {why}")
    work.report.say(f"getting its {many} for Python {work.base.minor} ({work.base.path})")
    with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
        wheels = os.path.join(folder, "wheels")
        os.mkdir(wheels)
        with _told_plainly(work.called):
            with shown_while(
                lambda: wheels_in(wheels, sum(not one.is_editable for one in work.wanted)),
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
    """Turn what can go wrong with a disk into one line."""
    try:
        yield
    except OSError as error:
        raise _not_repaired(called, error.strerror or str(error), code=CANNOT_CREATE) from error


def _not_repaired(called: str, what: str, *ways: str, code: int = NO_ENVIRONMENT) -> SafepipError:
    return SafepipError(code, f"{called} was not repaired and is as it was: {what}", *ways)


# -- from which Python


def _interpreter(found: Environment, context: Context) -> Interpreter:
    """Return the base that the environment had, else what is in its place now, else the target interpreter."""
    made, candidates = inventory.made_with(found.path), list(_bases(found, context))
    same = next((one for one in candidates if one.minor == made), None)
    base = same or (candidates[0] if candidates else None) or context.base
    if base is None or base.version < OLDEST:
        what = f"could not find a Python to rebuild {found.named} with"
        raise SafepipError(NO_ENVIRONMENT, what, "put a python3 on PATH, or name one with the setting python")
    return base


def _bases(found: Environment, context: Context) -> Iterator[Interpreter]:
    """Yield the Pythons that are where the environment's base was, by its link and by its pyvenv.cfg."""
    config, made = configuration(found.path), inventory.made_with(found.path)
    linked = os.path.realpath(os.path.join(found.path, BIN, "python" + EXE))
    home = config.get("home", "")
    named = [linked, config.get("base-executable", ""), os.path.join(home, f"python{made}{EXE}")]
    inside = os.path.join(os.path.realpath(found.path), "")
    for path in dict.fromkeys((*named, os.path.join(home, "python3" + EXE))):
        if os.path.isabs(path) and is_program(path) and not os.path.realpath(path).startswith(inside):
            known = interview(path, context.ambient.environ, context.cache)
            if isinstance(known, Interpreter) and not known.is_virtual:
                yield known


# -- everything that is to come


def _gather(work: _Work, place: str, wheels: str) -> None:
    """Put wheels of everything that can be one into the folder, by a temporary environment of the new Python."""
    folders = (one.words[1].partition("#")[0] for one in work.wanted if one.is_editable)
    gone = next((folder for folder in folders if not os.path.isdir(folder)), None)
    if gone is not None:
        raise _not_repaired(work.called, f"{gone}, which it has a package from, is gone")
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
    """Return True if the new environment needs another pip than it comes with.

    One that served an older Python may not run on this: then the one that comes with it stays.
    """
    seeded = inventory.distributions(helper.path).get("pip")
    same = seeded is not None and work.pip is not None and seeded.state.version == work.pip.state.version
    return not same and work.base.minor == inventory.made_with(work.path)


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
    pip = [work.pip] if work.pip is not None and "pip" in packages.wheels_in(wheels) else []
    try:
        packages.install(made, [*work.wanted, *pip], wheels, lock=lock)
    except FailedError as error:
        raise _not_repaired(work.called, f"{error.what} again: {error.why}") from None
    now = inventory.distributions(made.path)
    for one in work.wanted:
        if one.name not in now or not _is_as_before(one, now[one.name].state.version):
            raise _not_repaired(work.called, f"{one.name} did not become {one.state.version} again")


def _is_as_before(one: packages.Wanted, version: str) -> bool:
    """Return True if this is the version from before; that of a folder or a repository may have changed."""
    return one.is_editable or one.is_of_vcs or one.state.version in {version, "?"}


def _carry_over(old: str, made: Environment) -> None:
    """Keep the history, which goes on from what is installed now."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(os.path.join(old, journal.SAVED), os.path.join(made.path, journal.SAVED))
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(os.path.join(old, journal.HISTORY), os.path.join(made.path, journal.HISTORY))
        history.leave(made.path, journal.snapshot(made.path))


def _examined(path: str, named: str, base: Interpreter) -> Environment:
    """Return what an environment of safepip's will be once it is finished."""
    python, site = os.path.join(path, BIN, "python" + EXE), os.path.join(path, base.site)
    return as_usable(path, named, python, base, site, configuration(path))


# -- the environment


@contextlib.contextmanager
def _locked(real: str, context: Context, report: Report) -> Iterator[int | None]:
    """Hold the environment's own lock, if there is an environment; give its descriptor."""
    lock = acquire(real, context.settings.lock_timeout, report) if os.path.isdir(real) else None
    try:
        yield lock
    finally:
        if lock is not None:
            os.close(lock)
