"""Make an environment in place, under locks, usable only once complete."""

from __future__ import annotations

import contextlib
import errno
import os

from safepip.core.record import Record
from safepip.core.world import ABSENT, EXE, UNFINISHED, USABLE
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, REFUSED, SafepipError
from safepip.system.environment import CREATING, OWN
from safepip.system.files import is_in, make_folder, recall
from safepip.system.interpreter import head_of
from safepip.system.registry import MADE, note

from .build import build
from .creation_lock import creation_lock
from .git import tracks
from .image import is_ready
from .lock import LOCK, acquire
from .on_disk import sync
from .os_packages import offer
from .progress import SOON, shown_while
from .removal import empty

_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")  # what Docker and Podman put there
# What virtualenv and safepip leave at the top of an environment; anything else there is somebody's work.
_OF_CREATIONS = frozenset((
    OWN, LOCK, "bin", "Scripts", "lib", "lib64", "Lib", "include", "Include", "share", "pyvenv.cfg", ".gitignore",
    "CACHEDIR.TAG",
))  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safepip.core.plan import Create
    from safepip.core.world import Environment
    from safepip.report import Report
    from safepip.system.observe import Context


class Made(Record):
    """The usable `environment`, and whether this command made it.

    `existed` if its directory was there before, empty; `redirect` is the file that was written for it, or "".
    """

    environment: Environment
    by_this_command: bool = False
    existed: bool = False
    redirect: str = ""


def create(
    plan: Create, context: Context, report: Report, fill: Callable[[str], None] = lambda _path: None
) -> Made:
    """Make the environment that the plan names, unless another command has.

    `fill` is called with its path before it counts as complete. Of any number of commands at once one makes it and
    the others wait. What a failed or interrupted creation leaves is marked as unfinished, and the next command
    starts again.
    """
    path = plan.environment.path
    with creation_lock(path, context, report):
        found = context.examine(path, trusted=context.named_environment is not None)
        if found.state == USABLE:
            return Made(environment=found)
        if found.state not in {ABSENT, UNFINISHED}:
            raise SafepipError(NO_ENVIRONMENT, f"{plan.called} {found.reason}")
        if found.state == UNFINISHED:
            _refuse_work_of_others(path, plan.called, context.ambient.user)
        for line in filter(None, (_announcement(plan, context), offer(plan, context))):
            report.say(line)
        existed = os.path.isdir(path)
        doing, soon = f"making {plan.called}", SOON
        if not is_ready(plan.interpreter, context.cache):
            doing, soon = f"{doing}, and preparing pip for all later ones", 0
        with _disk_errors(path), shown_while(doing, context, report, soon=soon):
            by_this_command = _make(plan, context, report, fill)
        made = context.examine(path, trusted=True)
    if made.state != USABLE:
        raise SafepipError(NO_ENVIRONMENT, f"{plan.called} was made, but {made.reason or made.state}")
    redirect = _write_redirect(plan.redirect, path)
    return Made(environment=made, by_this_command=by_this_command, existed=existed, redirect=redirect)


def _refuse_work_of_others(path: str, called: str, user: int) -> None:
    """Refuse to empty what the user did not make, or git tracks."""
    names = os.listdir(path)
    if not names:
        return
    signs = (
        os.lstat(path).st_uid != user,
        os.path.islink(os.path.join(path, OWN)),
        os.path.islink(os.path.join(path, CREATING)),
        not _OF_CREATIONS.issuperset(names),
    )
    if any(signs) or tracks(os.path.dirname(path), path):
        what = f"{called} holds an unfinished environment that you did not make"
        raise SafepipError(REFUSED, what, "move it aside, or keep yours elsewhere: SAFEPIP_ENV=DIR")


def _announcement(plan: Create, context: Context) -> str:
    """Return what is said before the environment is made."""
    if context.ambient.attended:
        why = f"{plan.why}; " if plan.why else ""
        return f"{why}creating {plan.called} {plan.purpose}"
    path = plan.environment.path
    programs = os.path.dirname(plan.handover.python)
    search = list(filter(os.path.isabs, context.ambient.environ.get("PATH", "").split(os.pathsep)))
    if _is_found(programs, search):
        return f"creating {path}, where PATH finds python3"
    is_projects = context.named_environment is None and context.project is not None
    if is_projects and _is_shimmed(search):
        return f"creating {path}; python3, a shim of safepip's, uses it in this project"
    instruction = "ENV " if _is_image_build(context) else ""  # which sets PATH in a Dockerfile
    use = f"use {os.path.join(programs, 'python')} or {instruction}PATH={programs}:$PATH"
    return f"creating {path}; python3 will NOT see its packages: {use}"


def _is_found(programs: str, search: list[str]) -> bool:
    """Return True if PATH will find `python3` in the new folder `programs`."""
    for folder in search:
        if os.path.realpath(folder) == os.path.realpath(programs):
            return True
        if os.access(os.path.join(folder, "python3" + EXE), os.X_OK):
            return False
    return False


def _is_shimmed(search: list[str]) -> bool:
    """Return True if the first `python3` is a shim that serves projects."""
    for folder in search:
        python = os.path.join(folder, "python3")
        if os.access(python, os.X_OK):
            head = head_of(python, 2048)
            return b"safepip made this" in head and b"if [ -n 1 ]" in head  # see shim-python.sh
    return False


def _is_image_build(context: Context) -> bool:
    if context.ambient.user == 0:  # as whom images are built
        return True
    if context.ambient.environ.get("container"):  # systemd's convention, which Podman follows
        return True
    return any(map(os.path.exists, _CONTAINER_FILES))


@contextlib.contextmanager
def _disk_errors(path: str) -> Iterator[None]:
    """Turn errors of the system into one with a way on."""
    try:
        yield
    except OSError as error:
        way = "keep it elsewhere: SAFEPIP_ENV=DIR"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            way = "free some space and try again"
        raise SafepipError(CANNOT_CREATE, f"{path} cannot be created: {error.strerror or error}", way) from error


def _make(plan: Create, context: Context, report: Report, fill: Callable[[str], None]) -> bool:
    """Make the environment in place, or return False if another command did."""
    path = plan.environment.path
    existed, has_begun = os.path.isdir(path), False
    lock = None
    try:
        if context.data is not None and is_in(path, context.data):
            make_folder(os.path.dirname(path))
        os.makedirs(path, exist_ok=True)
        # Where the state cannot hold a lock, this one alone lets one of several commands make it.
        lock = acquire(path, context.settings.lock_timeout, report, warn=False)
        if context.examine(path, trusted=True).state not in {ABSENT, UNFINISHED}:
            return False
        has_begun = True
        _mark_unfinished(path)
        empty(path, kept=(OWN, LOCK))
        empty(os.path.join(path, OWN), kept=(os.path.basename(CREATING),))
        build(path, plan.interpreter, context.cache, pip=True, system=plan.system_site_packages)
        fill(path)
        note(context.state, path, MADE, project=plan.project)
        sync(path)
        os.unlink(os.path.join(path, CREATING))
    except BaseException:
        with contextlib.suppress(OSError):
            if has_begun:
                empty(path, last=(OWN, LOCK))  # the mark goes last
            if not existed:
                os.rmdir(path)
        raise
    finally:
        if lock is not None:
            os.close(lock)
    return True


def _mark_unfinished(path: str) -> None:
    make_folder(os.path.join(path, OWN))
    file = os.path.join(path, CREATING)
    # pyvenv.cfg gets the same token; one without it was written by another tool.
    token = os.urandom(16).hex()
    # Until the mark itself is there, readers tell a creation by the name of this file.
    scratch = f"{file}.{token}"
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as mark:
        mark.write(token.encode())
        mark.flush()
        os.fsync(mark.fileno())
    os.replace(scratch, file)  # follows no link in its place
    if recall(file) is None:  # the file system gives files to another user, and the mark would not count
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), file)


def _write_redirect(file: str | None, path: str) -> str:
    """Write a redirect (PEP 832) where nothing is, and return its path."""
    if not file:
        return ""
    folder = os.path.dirname(file)
    target = os.path.relpath(path, folder) if is_in(path, folder) else path
    try:
        with open(file, "xb") as redirect:
            redirect.write(os.fsencode(f"{target}\n"))
    except FileExistsError:
        return ""
    return file
