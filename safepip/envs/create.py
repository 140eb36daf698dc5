"""Environments made: by virtualenv, in place, under locks, usable only once complete."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

from safepip.core.record import Record
from safepip.core.world import ABSENT, BIN, EXE, UNFINISHED, USABLE
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, REFUSED, SafepipError
from safepip.report import printable
from safepip.system.environment import CREATING, OWN
from safepip.system.files import make_folder
from safepip.system.interpreter import head_of, keg, lasting
from safepip.system.process import inherited
from safepip.system.registry import MADE, note

from .creation_lock import creation_lock
from .creation_mark import begin, mark, read_token, unmark, withdraw
from .git import tracks
from .image import image_for, is_ready, is_whole, put_pip
from .lock import LOCK, acquire, can_lock
from .on_disk import sync
from .os_packages import offer
from .pip import own_variables
from .progress import SOON, shown_while
from .removal import empty
from .template import stamp, template_for

# Older ones get the pip that they bring themselves: virtualenv has none for them any more.
_OLDEST_BUNDLED = (3, 9)

_ROOM = 64 << 20  # bytes that the cache must have free to be used, ...
_FILES = 4000  # ... and files
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")  # what Docker and Podman put there
# What virtualenv and safepip leave at the top of an environment; anything else there is somebody's work.
_OF_CREATIONS = frozenset((
    OWN, LOCK, "bin", "Scripts", "lib", "lib64", "Lib", "include", "Include", "share", "pyvenv.cfg", ".gitignore",
    "CACHEDIR.TAG",
))  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from virtualenv.create.creator import Creator

    from safepip.core.plan import Create
    from safepip.core.world import Environment, Interpreter
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
    """Make the environment that the plan names, unless another command has by now; return it, usable.

    `fill` is called with the path of what is nearly an environment, to put there what it is to begin with.

    Of any number of commands at once one makes it and the others wait. What a failed or interrupted
    creation leaves is marked as unfinished, and the next command starts again.
    """
    path = plan.environment.path
    with creation_lock(path, context, report):
        found = context.examine(path, trusted=context.named_environment is not None)
        if found.state == USABLE:
            return Made(environment=found)
        if found.state not in {ABSENT, UNFINISHED}:
            raise SafepipError(NO_ENVIRONMENT, f"{plan.called} {found.reason}")
        if found.state == UNFINISHED:
            _refuse_anothers(path, plan.called, context.ambient.user)
        search = context.ambient.environ.get("PATH", "")
        attended, image = context.ambient.attended, _is_image(context)
        local = context.named_environment is None and context.project is not None
        announcement = _announcement(plan, path, search, attended=attended, image=image, local=local)
        for line in filter(None, (announcement, offer(plan, context))):
            report.say(line)
        existed = os.path.isdir(path)
        doing, soon = f"making {plan.called}", SOON
        if not is_ready(plan.interpreter, context.cache):
            doing, soon = f"{doing}, and preparing pip for all later ones", 0
        with _told_plainly(path), shown_while(doing, context, report, soon=soon):
            by_this_command = _make(plan, context, report, fill)
        made = context.examine(path, trusted=True)
    if made.state != USABLE:
        raise SafepipError(NO_ENVIRONMENT, f"{plan.called} was made, but {made.reason or made.state}")
    redirect = plan.redirect if plan.redirect and _redirect(plan.redirect, path) else ""
    return Made(environment=made, by_this_command=by_this_command, existed=existed, redirect=redirect)


def _redirect(file: str, path: str) -> bool:
    """Write a `.venv` file in the project that leads to its environment (PEP 832), unless something is there."""
    folder = os.path.dirname(file)
    inside = path.startswith(os.path.join(folder, ""))
    line = (os.path.relpath(path, folder) if inside else path) + "\n"
    with contextlib.suppress(FileExistsError), open(file, "xb") as redirect:
        redirect.write(os.fsencode(line))
        return True
    return False


def build(path: str, interpreter: Interpreter, cache: str | None, *, pip: bool, system: bool = False) -> None:
    """Have virtualenv make an environment at `path`; with pip in it, as links to an image, or empty.

    Where there can be no image, virtualenv's own copy of pip serves.
    """
    if cache is not None and not _has_room(cache):
        cache = None
    if not pip:
        _build(path, interpreter, cache, seed=False, system=system)
        return
    if _stamped(path, interpreter, cache, system=system):
        return
    image = _image(interpreter, cache)
    bundled = image is None and interpreter.version >= _OLDEST_BUNDLED
    _build(path, interpreter, cache, seed=bundled, system=system)
    python = os.path.join(path, BIN, "python" + EXE)
    if image is not None:
        put_pip(image, path, python, os.path.join(path, interpreter.site))
    elif not bundled:
        _seed_old(python, interpreter)


def _stamped(path: str, interpreter: Interpreter, cache: str | None, *, system: bool) -> bool:
    """Write the environment from a template, with pip from an image; return False if there can be none."""
    name = os.path.basename(path)
    has_others = os.path.isdir(path) and not {OWN, LOCK}.issuperset(os.listdir(path))
    if cache is None or has_others or printable(name) != name or keg(interpreter.path) is not None:
        return False
    template = template_for(
        path,
        interpreter,
        cache,
        lambda at: _build(at, interpreter, cache, system=system),
        lambda: _image(interpreter, cache),
        system=system,
    )
    if template is None:
        return False
    image: str | None = os.path.join(cache, "images", template.image)
    if image is None or not is_whole(image):
        image = _image(interpreter, cache)
    if image is None:
        return False
    os.makedirs(path, exist_ok=True)
    stamp(template, path, read_token(path))
    put_pip(image, path, os.path.join(path, BIN, "python" + EXE), os.path.join(path, interpreter.site))
    return True


def _image(interpreter: Interpreter, cache: str | None) -> str | None:
    return image_for(interpreter, cache, lambda at: _build(at, interpreter, cache))


def _has_room(cache: str) -> bool:
    """Return True if the cache can hold what virtualenv and the image put there."""
    try:
        make_folder(cache)
        if sys.platform == "win32":
            return True
        space = os.statvfs(cache)
    except OSError:
        return False
    return space.f_bavail * space.f_frsize >= _ROOM and (space.f_files == 0 or space.f_favail >= _FILES)


def _build(
    path: str, interpreter: Interpreter, cache: str | None, *, seed: bool = False, system: bool = False
) -> None:
    """Run virtualenv in this process.

    The user's settings for virtualenv stay out of it, and so does its background search for newer wheels.
    """
    import io  # noqa: PLC0415  slow to import, and only needed without a template
    import logging  # noqa: PLC0415  likewise

    from virtualenv import session_via_cli  # noqa: PLC0415  likewise

    options = ["--python", lasting(interpreter.path), "--no-periodic-update"]
    options += ["--no-setuptools"] if seed else ["--no-seed"]
    options += ["--system-site-packages"] if system else []
    name = os.path.basename(path)
    options += [] if printable(name) == name else [f"--prompt={printable(name)}"]  # prompts show it
    logging.disable(logging.CRITICAL)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), _app_data(cache) as app_data:
            argv = [*options, "--app-data", app_data, "--", path]
            session = session_via_cli(argv, setup_logging=False, env=_virtualenv_environ())
            session.creator.venv_redirect = False  # the project's folder is the user's
            _sign(session.creator, read_token(path))
            session.run()
            _outlive_upgrades(path, interpreter)
    except (SystemExit, RuntimeError) as error:
        told = said.getvalue().strip().rpartition("error: ")[2] or str(error)
        reason = told.strip().rpartition("\n")[2]  # of a traceback, what it ends in
        raise _no_environment(interpreter, reason) from error
    finally:
        logging.disable(logging.NOTSET)


def _outlive_upgrades(path: str, interpreter: Interpreter) -> None:
    """Have the environment stand on its base by a path that stays, where that is Homebrew's."""
    found = keg(interpreter.path)
    if found is None:
        return
    goes, stays = (os.path.join(folder, "") for folder in found)
    programs = (entry.path for entry in os.scandir(os.path.join(path, BIN)) if entry.is_symlink())
    for link in [link for link in programs if os.readlink(link).startswith(goes)]:
        target = os.readlink(link).replace(goes, stays, 1)
        os.unlink(link)
        os.symlink(target, link)
    config = os.path.join(path, "pyvenv.cfg")
    with open(config, encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    with open(config, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text.replace(goes, stays))


def _no_environment(interpreter: Interpreter, reason: str) -> SafepipError:
    return SafepipError(
        NO_ENVIRONMENT,
        f"no environment can be made from {interpreter.path} (Python {interpreter.minor}): {reason}",
        "name another Python: safepip --python PYTHON …, or the setting python",
    )


@contextlib.contextmanager
def _app_data(cache: str | None) -> Iterator[str]:
    """Give virtualenv a folder for what it learns of interpreters: the user's cache, else one for now.

    Without locks it waits for good for the lock files that lie in a cache from other days.
    """
    if cache is not None and can_lock(os.path.join(cache, "virtualenv.lock")):
        folder = os.path.join(cache, "virtualenv")
        make_folder(folder)
        yield folder
        return
    import tempfile  # noqa: PLC0415  slow to import, and rarely needed

    with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
        yield folder


def _announcement(
    plan: Create, path: str, search: str, *, attended: bool, image: bool = False, local: bool = False
) -> str:
    """Return what is said before the environment is made; `search` is PATH.

    One that is `local` serves the project here, which shims of Python lead to.

    In an `image` that is being built, PATH is set by an instruction of the Dockerfile.
    """
    if attended:
        return f"{plan.why and f'{plan.why}; '}creating {plan.called} {plan.purpose}"
    programs = os.path.dirname(plan.handover.python)
    if _is_found(programs, search):
        return f"creating {path}, where PATH finds python3"
    if local and _is_shimmed(search):
        return f"creating {path}; python3, a shim of safepip's, uses it in this project"
    instruction = "ENV " if image else ""
    use = f"use {os.path.join(programs, 'python')} or {instruction}PATH={programs}:$PATH"
    return f"creating {path}; python3 will NOT see its packages: {use}"


def _is_image(context: Context) -> bool:
    """Return True for root, as whom images are built, and in a container."""
    if context.ambient.user == 0 or context.ambient.environ.get("container"):
        return True
    return any(map(os.path.exists, _CONTAINER_FILES))


def _is_shimmed(search: str) -> bool:
    """Return True if the first `python3` is a shim that serves the project that one is in."""
    paths = (os.path.join(folder, "python3") for folder in search.split(os.pathsep) if os.path.isabs(folder))
    first = next((path for path in paths if os.access(path, os.X_OK)), "")
    head = head_of(first, 2048)
    return b"safepip made this" in head and b"if [ -n 1 ]" in head  # see shim-python.sh


def _is_found(programs: str, search: str) -> bool:
    """Return True if `python3` will be the one in the folder `programs`, which does not exist yet."""
    for folder in filter(os.path.isabs, search.split(os.pathsep)):
        if os.path.realpath(folder) == os.path.realpath(programs):
            return True
        if os.access(os.path.join(folder, "python3" + EXE), os.X_OK):
            return False
    return False


@contextlib.contextmanager
def _told_plainly(path: str) -> Iterator[None]:
    """Turn what can go wrong with a disk into one line."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        way = "free some space and try again" if full else "keep it elsewhere: SAFEPIP_ENV=DIR"
        raise SafepipError(CANNOT_CREATE, f"{path} cannot be created: {error.strerror or error}", way) from error


def _make(plan: Create, context: Context, report: Report, fill: Callable[[str], None]) -> bool:
    """Make the environment in place, marked as unfinished until it is; False if another command finished it.

    Where the state cannot hold a lock, the environment's own lets one of several commands do it.
    """
    path = plan.environment.path
    existed, begun = os.path.isdir(path), False
    token = os.urandom(16).hex()
    lock = None
    try:
        if context.data is not None and path.startswith(os.path.join(context.data, "")):
            make_folder(os.path.dirname(path))
        mark(path, token)
        lock = acquire(path, context.settings.lock_timeout, report, warn=False)  # it is taken once more
        if context.examine(path, trusted=True).state not in {ABSENT, UNFINISHED}:
            unmark(path, token)
            return False
        begun = True
        begin(path)
        _empty(path)
        build(path, plan.interpreter, context.cache, pip=True, system=plan.system_site_packages)
        fill(path)
        note(context.state, path, MADE, project=plan.project)
        sync(path)
        os.unlink(os.path.join(path, CREATING))
    except BaseException:
        if begun:
            _clear_away(path, existed=existed)
        else:
            withdraw(path, token, existed=existed)
        raise
    finally:
        if lock is not None:
            os.close(lock)
    return True


def _clear_away(path: str, *, existed: bool) -> None:
    """Leave things as they were before a creation that failed: nothing, or the user's empty directory."""
    with contextlib.suppress(OSError):
        empty(path, last=(OWN, LOCK))  # the mark goes last
        if not existed:
            os.rmdir(path)


def _seed_old(python: str, interpreter: Interpreter) -> None:
    """Put pip into an environment by the interpreter's own ensurepip, then the last one that runs there.

    Where no index can be reached, the first stays.
    """
    if _silently([python, "-I", "-m", "ensurepip", "--default-pip"]):
        raise _no_environment(interpreter, "it has no ensurepip")
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check"]
    _silently([*pip, "install", "--quiet", "--retries", "0", "--upgrade", "pip"])


def _silently(argv: list[str]) -> int:
    import subprocess  # noqa: PLC0415  slow to import, and only needed for old Pythons

    null = subprocess.DEVNULL
    return subprocess.call(argv, env=own_variables(inherited()), stdin=null, stdout=null, stderr=null)


def _sign(creator: Creator, token: str) -> None:
    """Have the token of this creation stand in the pyvenv.cfg from its first writing on."""
    if not token:
        return
    fill = creator.set_pyenv_cfg

    def fill_and_sign() -> None:
        fill()
        creator.pyenv_cfg["safepip-creation"] = token

    creator.set_pyenv_cfg = fill_and_sign  # type: ignore[method-assign]


def _refuse_anothers(path: str, called: str, user: int) -> None:
    """Refuse to empty an unfinished environment that is not the user's own, or came with a repository."""
    if not os.listdir(path):
        return
    own = os.path.join(path, OWN)
    anothers = os.lstat(path).st_uid != user or any(map(os.path.islink, (own, os.path.join(path, CREATING))))
    foreign = set(os.listdir(path)) - _OF_CREATIONS
    if anothers or foreign or tracks(os.path.dirname(path), path):
        what = f"{called} holds an unfinished environment that you did not make"
        raise SafepipError(REFUSED, what, "move it aside, or keep yours elsewhere: SAFEPIP_ENV=DIR")


def _empty(path: str) -> None:
    """Remove what an unfinished creation left; safepip's own mark and the lock stay."""
    empty(path, kept=(OWN, LOCK))
    empty(os.path.join(path, OWN), kept=(os.path.basename(CREATING),))


def _virtualenv_environ() -> dict[str, str]:
    kept = {name: value for name, value in inherited().items() if not name.startswith("VIRTUALENV_")}
    return {**kept, "VIRTUALENV_CONFIG_FILE": os.devnull}
