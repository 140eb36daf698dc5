"""Write an environment by virtualenv or a template, pip from an image."""

from __future__ import annotations

import contextlib
import os
import sys

from safepip.core.world import BIN, EXE
from safepip.errors import NO_ENVIRONMENT, SafepipError
from safepip.report import printable
from safepip.system.environment import CONFIG, CREATING, OWN
from safepip.system.files import make_folder, recall
from safepip.system.interpreter import keg, lasting
from safepip.system.process import inherited, without

from .image import image_for, install_pip, is_whole
from .lock import LOCK, can_lock
from .pip import own_variables, run_silently
from .template import stamp, template_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtualenv.create.creator import Creator

    from safepip.core.world import Interpreter

_OLDEST_BUNDLED = (3, 9)  # virtualenv has no pip for older Pythons any more
_ROOM = 64 << 20  # bytes that the cache must have free to be used, ...
_FILES = 4000  # ... and files


def build(path: str, interpreter: Interpreter, cache: str | None, *, pip: bool, system: bool = False) -> None:
    """Write an environment at `path`, empty or with pip.

    With `system` it sees the system's packages. A token in the mark of its creation is written to its pyvenv.cfg
    as well. Raise SafepipError where virtualenv cannot make one, OSError where a file cannot be written.
    """
    if cache is not None and not _has_room(cache):
        cache = None
    if not pip:
        _run_virtualenv(path, interpreter, cache, system=system)
        return
    if _write_from_template(path, interpreter, cache, system=system):
        return
    image = _image(interpreter, cache)
    is_bundled = image is None and interpreter.version >= _OLDEST_BUNDLED
    _run_virtualenv(path, interpreter, cache, seed=is_bundled, system=system)
    python = os.path.join(path, BIN, "python" + EXE)
    if image is not None:
        install_pip(image, path, python, os.path.join(path, interpreter.site))
    elif not is_bundled:
        _install_old_pip(python, interpreter)


def _has_room(cache: str) -> bool:
    """Return True if virtualenv's files and an image fit into the cache."""
    try:
        make_folder(cache)
        if sys.platform == "win32":
            return True
        space = os.statvfs(cache)
    except OSError:
        return False
    if space.f_files and space.f_favail < _FILES:  # btrfs does not count files
        return False
    return space.f_bavail * space.f_frsize >= _ROOM


def _write_from_template(path: str, interpreter: Interpreter, cache: str | None, *, system: bool) -> bool:
    """Write it from a template and an image, or return False."""
    if cache is None or keg(interpreter.path) is not None:
        return False
    name = os.path.basename(path)
    if printable(name) != name:
        return False
    if os.path.isdir(path) and not {OWN, LOCK}.issuperset(os.listdir(path)):
        return False
    template = template_for(
        path,
        interpreter,
        cache,
        lambda at: _run_virtualenv(at, interpreter, cache, system=system),
        lambda: _image(interpreter, cache),
        system=system,
    )
    if template is None:
        return False
    # Known by name: to ask which image there should be can mean to import virtualenv.
    named = os.path.join(cache, "images", template.image)
    image = named if is_whole(named) else _image(interpreter, cache)
    if image is None:
        return False
    os.makedirs(path, exist_ok=True)
    stamp(template, path, _token(path))
    install_pip(image, path, os.path.join(path, BIN, "python" + EXE), os.path.join(path, interpreter.site))
    return True


def _image(interpreter: Interpreter, cache: str | None) -> str | None:
    return image_for(interpreter, cache, lambda at: _run_virtualenv(at, interpreter, cache))


def _token(path: str) -> str:
    return recall(os.path.join(path, CREATING)) or ""


def _run_virtualenv(
    path: str, interpreter: Interpreter, cache: str | None, *, seed: bool = False, system: bool = False
) -> None:
    """Run virtualenv in this process, with `seed` for its own pip."""
    import io  # noqa: PLC0415  slow to import, and only needed without a template
    import logging  # noqa: PLC0415  likewise

    from virtualenv import session_via_cli  # noqa: PLC0415  likewise

    # Without the periodic update no search for newer wheels goes on in the background.
    options = ["--python", lasting(interpreter.path), "--no-periodic-update"]
    options.append("--no-setuptools" if seed else "--no-seed")
    if system:
        options.append("--system-site-packages")
    prompt = printable(os.path.basename(path))
    if prompt != os.path.basename(path):
        options.append(f"--prompt={prompt}")
    # The user's settings for virtualenv are meant for other environments.
    environ = without(inherited(), "VIRTUALENV_")
    environ["VIRTUALENV_CONFIG_FILE"] = os.devnull
    logging.disable(logging.CRITICAL)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed), _app_data(cache) as app_data:
            argv = [*options, "--app-data", app_data, "--", path]
            session = session_via_cli(argv, setup_logging=False, env=environ)
            session.creator.venv_redirect = False  # the project's folder is the user's
            _sign(session.creator, _token(path))
            session.run()
            _outlive_upgrades(path, interpreter)
    except (SystemExit, RuntimeError) as error:
        message = printed.getvalue().rpartition("error: ")[2].strip() or str(error).strip()
        reason = message.rpartition("\n")[2]  # of a traceback, what it ends in
        raise _no_environment(interpreter, reason) from error
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def _app_data(cache: str | None) -> Iterator[str]:
    """Give virtualenv a folder for what it learns of interpreters."""
    # Without locks virtualenv waits for good for the lock files that lie in a cache from other days.
    if cache is not None and can_lock(os.path.join(cache, "virtualenv.lock")):
        folder = os.path.join(cache, "virtualenv")
        make_folder(folder)
        yield folder
        return
    import tempfile  # noqa: PLC0415  slow to import, and rarely needed

    with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
        yield folder


def _sign(creator: Creator, token: str) -> None:
    """Put the token of this creation into the pyvenv.cfg that virtualenv writes."""
    if not token:
        return
    fill = creator.set_pyenv_cfg

    def fill_and_sign() -> None:
        fill()
        creator.pyenv_cfg["safepip-creation"] = token

    creator.set_pyenv_cfg = fill_and_sign  # type: ignore[method-assign]


def _outlive_upgrades(path: str, interpreter: Interpreter) -> None:
    """Refer to Homebrew's Python by the path that outlives its upgrades."""
    found = keg(interpreter.path)
    if found is None:
        return
    versioned, stable = os.path.join(found[0], ""), os.path.join(found[1], "")
    for program in list(os.scandir(os.path.join(path, BIN))):
        if program.is_symlink():
            target = os.readlink(program.path).replace(versioned, stable, 1)
            os.unlink(program.path)
            os.symlink(target, program.path)
    config = os.path.join(path, CONFIG)
    with open(config, encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    with open(config, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text.replace(versioned, stable))


def _install_old_pip(python: str, interpreter: Interpreter) -> None:
    """Install pip by ensurepip, then the newest that runs there."""
    environ = own_variables(inherited())
    if run_silently((python, "-I", "-m", "ensurepip", "--default-pip"), environ):
        raise _no_environment(interpreter, "it has no ensurepip")
    pip = (python, "-I", "-m", "pip", "--disable-pip-version-check")
    run_silently((*pip, "install", "--quiet", "--retries", "0", "--upgrade", "pip"), environ)  # or the first stays


def _no_environment(interpreter: Interpreter, reason: str) -> SafepipError:
    what = f"no environment can be made from {interpreter.path} (Python {interpreter.minor}): {reason}"
    way = "name another Python: safepip --python PYTHON …, or the setting python"
    return SafepipError(NO_ENVIRONMENT, what, way)
