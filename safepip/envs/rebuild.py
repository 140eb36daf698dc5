"""An environment rebuilt at its own path: the same distributions, on a Python that is there.

First everything is got and built, then the old environment is renamed and the new one made in its place, for
scripts carry their path. What is under way is noted in the user's state before, so that at any time the old
one or the new one is whole, and after a kill the next repair finishes or takes back what this one began. The
new one counts from the moment that its mark of a creation under way (`.safepip/creating`) is removed.
"""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import tempfile

from safepip.core.record import Record, replace
from safepip.core.world import ABSENT, BIN, BROKEN, EXE, OLDEST, UNFINISHED, USABLE, Environment, Interpreter
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, REFUSED, SafepipError
from safepip.system import registry
from safepip.system.environment import CREATING, OWN, configuration, is_conda, is_environment
from safepip.system.files import number, recall, remember
from safepip.system.interpreter import interview, is_program, started_as
from safepip.system.project import ENVIRONMENT

from . import history, inventory, journal, packages, recover
from .create import build
from .creation_lock import creation_lock, key_of
from .lock import acquire
from .modified_files import edited
from .on_disk import sync
from .packages import FailedError
from .progress import shown_while, wheels_in
from .removal import empty
from .trust import made_elsewhere, recorded_place
from .verify import sites

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.report import Report
    from safepip.system.observe import Context

_FORMAT = "safepip-repair-1"
_FOLDER = "repairs"
_EXCHANGING = "exchanging"  # the old one is whole, here or aside; the new one as soon as its mark is gone
_REMOVING = "removing"  # the new one is whole, and the old one goes


class Under(Record):
    """A repair that is under way: of the environment known as `path`, which has been moved `aside`.

    `device` and `inode` are the old one's, `token` is the new one's; `how` and `project` are the registry's.
    """

    path: str
    aside: str
    device: int
    inode: int
    token: str
    how: str
    project: str = ""
    stage: str = _EXCHANGING

    @property
    def real(self) -> str:
        """Return the path without links: where the environment itself is."""
        return os.path.realpath(self.path)


def repair(path: str, called: str, context: Context, report: Report, *, unasked: bool = False) -> None:
    """Repair the environment at the absolute `path`, which may be trusted, if there is something to repair.

    Single files are put back. It is rebuilt only if its Python is gone or it was made elsewhere; that fails as a
    whole, with the environment as it was. `called` is its name for the user's eyes. With `unasked` nothing is said
    if another command has repaired it meanwhile.
    """
    if _recall(path, context) is None:
        _refuse_other_directories(path, called, context)
    with creation_lock(path, context, report):
        finished = _take_up(path, called, context, report)
        with _locked(os.path.realpath(path), context, report) as lock:
            recovered = recover.recover(path, context, report, lock=lock).restored
            found = context.examine(path, named=True)
            why = (
                found.reason
                if _was_meant(path, context) and found.state == BROKEN
                else fault(found, context.state)
            )
            if why is not None:
                _rebuild(_Work(found, called, context, report), why)
            elif not (_repair_files(found, called, context, report, lock) or recovered or finished or unasked):
                report.say(f"there is nothing to repair in {called}")


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
        raise SafepipError(NO_ENVIRONMENT, what, f"name where from: safepip install --force-reinstall {again}")
    return lacked_pip or bool(done.restored)


def resume(path: str, called: str, context: Context, report: Report) -> bool:
    """Finish or take back a repair of `path` that was killed; tell whether there was one.

    To be asked before an environment is made there: the old one, which is whole, would be left aside.
    """
    if _recall(path, context) is None:
        return False
    with creation_lock(path, context, report):
        _take_up(path, called, context, report)
    return True


def _refuse_other_directories(path: str, called: str, context: Context) -> None:
    """Refuse a directory that never was an environment: /usr looks like a broken one."""
    known = _was_environment(path) or is_conda(path) or _was_meant(path, context)
    if os.path.isdir(path) and os.listdir(path) and not known:
        what = f"{called} is not an environment, so there is nothing to rebuild it from"
        raise SafepipError(NO_ENVIRONMENT, what, "rename it, then install again")


def _was_meant(path: str, context: Context) -> bool:
    """Return True for the project's `.venv`, unless a Python itself is installed there."""
    project = context.project
    if project is None or path != os.path.join(project.root, ENVIRONMENT) or not os.path.isdir(path):
        return False
    return not (is_conda(path) or glob.glob(os.path.join(glob.escape(path), "lib", "*", "os.py")))


def _was_environment(path: str) -> bool:
    """Return True for an environment, and for one without pyvenv.cfg that has safepip's notes."""
    noted = os.path.isdir(os.path.join(path, OWN)) and not os.path.isdir(os.path.join(path, "conda-meta"))
    return is_environment(path) or noted


def left_aside(path: str, context: Context) -> str:
    """Return where a repair of `path` that has not ended left the old environment, which is whole; or empty."""
    under = _recall(path, context)
    return under.aside if under and under.stage == _EXCHANGING and _is(under.aside, under) else ""


def fault(found: Environment, state: str | None = None) -> str | None:
    """Return why the environment has to be rebuilt, or None; the reason completes a sentence with its name."""
    if found.state == BROKEN and _was_environment(found.path):
        return found.reason
    if found.state in {ABSENT, UNFINISHED}:
        raise SafepipError(NO_ENVIRONMENT, f"there is no {found.named} yet", "make it: safepip env create")
    if found.state != USABLE:
        what = f"{found.named} {found.reason or found.state}: there is nothing to rebuild it from"
        raise SafepipError(NO_ENVIRONMENT, what, "rename it, then install again")
    if not is_environment(found.path):  # conda's: what is wrong in it is for conda to repair
        return None
    if recorded_elsewhere(found.path) is not None:
        is_moved = moved(state, found.path) is not None
        return f"{made_elsewhere(found.path, moved=is_moved)}: its programs and activate scripts lead there"
    own = os.path.realpath(found.site)
    others = [site for site in sites(found.path) if os.path.realpath(site) != own]
    if any(map(inventory.holds, others)):
        return f"has packages of another Python than its {found.version}"
    return None


def moved(state: str | None, path: str) -> registry.Entry | None:
    """Return the record of the environment at `path` if it was moved there, since when its own texts are wrong.

    Inodes are used again: where no id could be kept in it, its texts have to name the very place recorded.
    """
    entry, place = registry.moved_from(state, path), recorded_elsewhere(path)
    if entry is None or place is None:
        return None
    return entry if entry.identity or entry.registration.path == place else None


def lacks_pip(found: Environment, context: Context) -> bool:
    """Return True if a usable environment has lost pip: other tools make some that never had it."""
    if found.has_pip:
        return False
    known = registry.registration(context.state, found.path)
    made = known is not None and known.how == registry.MADE
    return made or "pip" in inventory.distributions(found.path)


def recorded_elsewhere(path: str) -> str | None:
    """Return the other place that the environment's own texts name instead of where it is, or None."""
    try:
        place = recorded_place(path)
    except (OSError, ValueError):
        return None
    return None if place == os.path.realpath(path) else place


def _take_up(path: str, called: str, context: Context, report: Report) -> bool:
    """Finish or take back a repair that was killed, under the lock; tell whether one was finished."""
    under = _recall(path, context)
    if under is None:
        return False
    if not _is(under.aside, under):
        if under.stage == _EXCHANGING and _is_unfinished(under):  # somebody took the old one away
            _discard(under.real)
        _settled(under, context)
        return under.stage == _REMOVING
    if under.stage == _REMOVING or _is_new_whole(under):
        report.say(f"an interrupted repair of {called} had come far enough; finishing it")
        _finish(under, called, context, report)
        return True
    if os.path.lexists(under.real) and not _is_unfinished(under):
        what = f"a repair of {called} was interrupted, and another command has made it again since"
        raise SafepipError(REFUSED, what, f"the old one is whole: {under.aside}", "rename or remove one of them")
    report.say(f"a repair of {called} was interrupted; the old one is back in its place")
    _put_back(under, context, report)
    return False


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
        self.has_pip = self.pip is not None or self.how == registry.MADE

    @property
    def how(self) -> str:
        """How safepip knows the environment, empty where it does not."""
        return self.entry.registration.how if self.entry else ""


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
        what = f"there is no Python to rebuild {found.named} with"
        raise SafepipError(NO_ENVIRONMENT, what, "have a python3 on PATH, or name one by the setting python")
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
    helper = _usable(place, place, work.base)
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
    under = _begin(work)
    try:
        os.rename(under.real, under.aside)
        with _new(under, work) as (made, lock):
            _install(made, work, wheels, lock)
            _carry_over(under, made)
            registry.note(work.context.state, under.path, registry.MADE, project=under.project)
    except BaseException:
        _put_back(under, work.context, work.report)
        raise
    _finish(under, work.called, work.context, work.report)


def _begin(work: _Work) -> Under:
    """Note in the user's state what is about to happen; without that nothing happens."""
    stat = os.stat(work.real)
    token = secrets.token_hex(16)
    under = Under(
        path=work.path,
        aside=f"{work.real}.old-{token[:8]}",
        device=stat.st_dev,
        inode=stat.st_ino,
        token=token,
        how=work.how,
        project=work.entry.registration.project if work.entry else "",
    )
    _keep(under, work.context)
    return under


@contextlib.contextmanager
def _new(under: Under, work: _Work) -> Iterator[tuple[Environment, int | None]]:
    """Make the new environment, marked as unfinished until the body has ended; give it and its lock."""
    os.makedirs(os.path.join(under.real, OWN), 0o700)
    mode = os.stat(under.aside).st_mode & 0o7777
    os.chmod(under.real, mode | 0o700)  # one that may not be written is made so at the end
    with open(os.path.join(under.real, CREATING), "w", encoding="ascii") as mark:
        mark.write(under.token)
    lock = acquire(under.real, work.context.settings.lock_timeout, work.report)
    try:
        build(under.real, work.base, work.context.cache, pip=work.has_pip, system=work.system)
        yield _usable(under.path, under.real, work.base), lock
        sync(under.real)
        os.chmod(under.real, mode)
        os.unlink(os.path.join(under.real, CREATING))
    finally:
        if lock is not None:
            os.close(lock)


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


def _carry_over(under: Under, made: Environment) -> None:
    """Keep the history, which goes on from what is installed now."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(os.path.join(under.aside, journal.HISTORY), os.path.join(under.real, journal.HISTORY))
        history.leave(under.real, journal.snapshot(made.path))


def _finish(under: Under, called: str, context: Context, report: Report) -> None:
    """Have the new environment known, and the old one gone, if safepip made all that is in it."""
    old = registry.entry_of(context.state, under.device, under.inode)
    if old is not None:
        registry.discard(old)
    why = _why_kept(under)
    if not why:
        _keep(replace(under, stage=_REMOVING), context)
        _open(under.aside)
        with contextlib.suppress(OSError):
            empty(under.aside)
            os.rmdir(under.aside)
        if os.path.lexists(under.aside):
            report.say(f"not all of the old {called} can be removed: {under.aside}")
    else:
        report.say(f"the old {called} {why}: kept as {under.aside}")
    _settled(under, context)


def _why_kept(under: Under) -> str:
    """Return why the old environment is not to go, or empty: what safepip did not put there would be lost."""
    if under.stage == _EXCHANGING:
        strays = inventory.strays(under.aside)
        if strays:
            return f"holds {strays[0]}, which no package put there"
    if under.how != registry.MADE:
        return "was not made by safepip"
    by_hand = edited(under.aside, under.real) if under.stage == _EXCHANGING else []
    return f"holds {by_hand[0]}, which was changed by hand" if by_hand else ""


def _put_back(under: Under, context: Context, report: Report) -> None:
    """Have the old environment at its path again, as it was; once no pip writes to the new one any more."""
    if _is(under.real, under):
        _settled(under, context)
        return
    if os.path.isdir(under.real):
        lock = acquire(under.real, context.settings.lock_timeout, report)
        _discard(under.real)
        if lock is not None:
            os.close(lock)
    os.rename(under.aside, under.real)
    _settled(under, context)


def _discard(path: str) -> None:
    """Remove the unfinished environment; its mark goes last, so that a kill leaves it one."""
    _open(path)
    with contextlib.suppress(FileNotFoundError):
        empty(path, last=(OWN,))
        os.rmdir(path)


def _open(path: str) -> None:
    """Let what is about to go be changed."""
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)


# -- what lies where


def _is(path: str, under: Under) -> bool:
    """Return True if the old environment is at `path`."""
    try:
        stat = os.lstat(path)
    except OSError:
        return False
    return (stat.st_dev, stat.st_ino) == (under.device, under.inode)


def _is_new_whole(under: Under) -> bool:
    signed = configuration(under.real).get("safepip-creation") == under.token
    return signed and not os.path.lexists(os.path.join(under.real, CREATING))


def _is_unfinished(under: Under) -> bool:
    """Return True if the path holds what this repair began to write, or nothing."""
    if recall(os.path.join(under.real, CREATING)) == under.token:
        return True
    try:
        return set(os.listdir(under.real)) <= {OWN} and not os.listdir(os.path.join(under.real, OWN))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _file(path: str, context: Context) -> str | None:
    return context.state and os.path.join(context.state, _FOLDER, key_of(path))


def _keep(under: Under, context: Context) -> None:
    file = _file(under.path, context)
    fields = (under.path, under.aside, str(under.device), str(under.inode), under.token, under.how, under.project)
    text = "\0".join((_FORMAT, *fields, under.stage))
    if file is not None:
        remember(file, text, durable=True)
    if file is None or recall(file) != text:
        what = "your state folder cannot be written, so that an interrupted repair could not be taken back"
        raise SafepipError(CANNOT_CREATE, what, "name another: XDG_STATE_HOME=DIR")


def _recall(path: str, context: Context) -> Under | None:
    file = _file(path, context)
    fields = (recall(file) or "").split("\0") if file else []
    device, inode = map(number, fields[3:5]) if len(fields) == 9 and fields[0] == _FORMAT else (None, None)
    if device is None or inode is None or not _is_of(path, fields[1], fields[2]):
        return None
    return Under(
        path=fields[1],
        aside=fields[2],
        device=device,
        inode=inode,
        token=fields[5],
        how=fields[6],
        project=fields[7],
        stage=fields[8],
    )


def _is_of(path: str, noted: str, aside: str) -> bool:
    """Return True if the note is about this environment, with the old one beside it; notes get damaged."""
    try:
        real = os.path.realpath(noted)
    except ValueError:
        return False
    return real == os.path.realpath(path) and os.path.dirname(aside) == os.path.dirname(real)


def _settled(under: Under, context: Context) -> None:
    file = _file(under.path, context)
    with contextlib.suppress(OSError):
        os.unlink(file or "")


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


def _usable(named: str, path: str, base: Interpreter) -> Environment:
    """Return what an environment of ours will be once it is finished."""
    python = os.path.join(path, BIN, "python" + EXE)
    site = os.path.join(path, base.site)
    return Environment(
        path=path,
        named=named,
        state=USABLE,
        python=started_as(python),
        version=base.minor,
        site=site,
        base=base,
        has_pip=True,
    )
