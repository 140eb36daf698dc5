"""Keep pip in images, installed and compiled once per Python and pip.

virtualenv's own seeding copies and leaves 1,500 files uncompiled: that costs more than all the rest of a creation,
and as much again on pip's first start. pip replaces files by rename, so what it does to itself in an environment
leaves the image as it is.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import time

from safepip.core.world import BIN
from safepip.system.files import make_folder, open_folder, umask
from safepip.system.process import inherited, without

from .copying import copy_folder
from .digest import record_row
from .pip import run_silently
from .seed import lay_out, own_seed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safepip.core.world import Interpreter

_MANIFEST = "manifest"  # written last: an image is not whole without it
_OTHERS = 0o022  # only this user may write to files that environments share, whatever the umask
_OLD = 3600  # seconds; a scratch directory of that age is not being written any more
_LONGEST_SHEBANG = 127  # bytes; Linux cuts off what is longer


def image_for(interpreter: Interpreter, cache: str | None, build: Callable[[str], None]) -> str | None:
    """Return the image for an interpreter, made if needed, or None.

    It comes from safepip's own pip, else from virtualenv's wheel; `build` makes an empty environment at a path.
    """
    if cache is None or os.name == "nt":
        return None
    folder = os.path.join(cache, "images")
    seed = own_seed(interpreter)
    if seed is not None:
        image = os.path.join(folder, _name(interpreter, seed.version))
        if _ensure(image, lambda made: lay_out(seed, interpreter, made)):
            return image
    from virtualenv.seed.wheels.embed import get_embed_wheel  # noqa: PLC0415  with virtualenv, slow to import

    wheel = get_embed_wheel("pip", interpreter.minor)
    if wheel is None:
        return None
    image = os.path.join(folder, _name(interpreter, wheel.version))
    if _ensure(image, lambda made: _install_into(made, str(wheel.path), interpreter, build)):
        return image
    return None


def is_ready(interpreter: Interpreter, cache: str | None) -> bool:
    """Return True if an image for the interpreter was made before."""
    if cache is None:
        return False
    start = _name(interpreter, "")[: -len("-000")]
    try:
        names = os.listdir(os.path.join(cache, "images"))
    except OSError:
        return False
    return any(name.startswith(start) for name in names)


def install_pip(image: str, environment: str, python: str, site: str) -> None:
    """Put the image's pip into `site`, and scripts for `python` beside it."""
    copy_folder(os.path.join(image, "site"), site)
    folder = os.path.join(environment, BIN)
    rows = {}
    for name in os.listdir(os.path.join(image, BIN)):
        with open(os.path.join(image, BIN, name), "rb") as file:
            script = for_python(file.read(), python)
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(script)
        os.chmod(path, 0o777 & ~umask())
        recorded = os.path.relpath(path, site)
        rows[recorded] = record_row(recorded, script)
    record = glob.glob(os.path.join(glob.escape(site), "pip-*.dist-info", "RECORD"))[0]
    with open(record, encoding="utf-8") as file:
        lines = file.read().splitlines()
    with open(record, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(rows.get(line.partition(",")[0], line) + "\n" for line in lines)


def _name(interpreter: Interpreter, pip: str) -> str:
    version = ".".join(map(str, interpreter.version))
    abi = "".join(char if char.isalnum() else "_" for char in interpreter.site)
    return f"{interpreter.implementation}-{version}-{abi}-pip-{pip}-{umask() | _OTHERS:03o}"


def _ensure(image: str, fill: Callable[[str], None]) -> bool:
    """Return True if the image is there, written by `fill` if needed."""
    if is_whole(image):
        return True
    folder = os.path.dirname(image)
    before = os.umask(umask() | _OTHERS)
    try:
        make_folder(folder)
        _clear_scratch(folder)
        import tempfile  # noqa: PLC0415  slow to import, and only needed here
        from shutil import rmtree  # noqa: PLC0415  likewise

        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
            made = os.path.join(scratch, "image")
            os.makedirs(os.path.join(made, BIN))
            fill(made)
            seal(made)
            rmtree(image, ignore_errors=True)
            with contextlib.suppress(OSError):  # another command was faster
                os.rename(made, image)
    except OSError:
        return False
    finally:
        os.umask(before)
    return is_whole(image)


def _clear_scratch(folder: str) -> None:
    """Remove what commands left that were killed while they made an image."""
    for entry in os.scandir(folder):
        age = time.time() - entry.stat(follow_symlinks=False).st_mtime
        if entry.name.startswith("tmp") and age > _OLD:
            from shutil import rmtree  # noqa: PLC0415  slow to import, and rarely needed

            rmtree(entry.path, ignore_errors=True)


def _install_into(made: str, wheel: str, interpreter: Interpreter, build: Callable[[str], None]) -> None:
    """Install pip into a temporary environment, and move it to `made`."""
    environment = os.path.join(os.path.dirname(made), "env")
    build(environment)
    programs = os.path.join(environment, BIN)
    before = os.listdir(programs)
    _install(os.path.join(programs, "python"), wheel)
    os.rename(os.path.join(environment, interpreter.site), os.path.join(made, "site"))
    for name in set(os.listdir(programs)).difference(before):
        os.rename(os.path.join(programs, name), os.path.join(made, BIN, name))
    for relative in list(_files(os.path.join(made, "site"))):
        if not relative.startswith("pip"):  # virtualenv's own patch of distutils: the environment has its own
            os.unlink(os.path.join(made, "site", relative))


def _install(python: str, wheel: str) -> None:
    environ = without(inherited(), "PIP_", "PYTHON")
    environ["PIP_CONFIG_FILE"] = os.devnull
    version = os.path.basename(wheel).split("-")[1]
    # By name, so that no origin is recorded, which `pip freeze --all` would show.
    argv = (
        *(python, "-I", os.path.join(wheel, "pip"), "install", "--quiet", "--no-index", "--no-deps"),
        *("--find-links", os.path.dirname(wheel), f"pip=={version}"),
    )
    failed = run_silently(argv, environ, cwd=os.sep)
    if failed:
        raise OSError(f"pip could not be installed for an image: {failed}")


def seal(image: str) -> None:
    """Write the manifest, with which `is_whole` compares the image."""
    rows = [_row_of(relative, os.lstat(os.path.join(image, relative))) for relative in _files(image)]
    with open(os.path.join(image, _MANIFEST), "w", encoding="utf-8") as file:
        file.write("\n".join(rows))


def is_whole(image: str) -> bool:
    """Return True if each file is this user's, as it was sealed."""
    # A `chown -R` over an environment, for one, changes the image that it is linked with.
    try:
        with open(os.path.join(image, _MANIFEST), encoding="utf-8") as file:
            rows = file.read().split("\n")
        folders: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            relative = row.partition("\0")[0]
            folders.setdefault(os.path.dirname(relative), []).append((relative, row))
        for folder, files in folders.items():
            descriptor = open_folder(os.path.join(image, folder))  # the kernel walks its path once
            try:
                for relative, row in files:
                    status = os.lstat(os.path.basename(relative), dir_fd=descriptor)
                    if _row_of(relative, status) != row:
                        return False
            finally:
                os.close(descriptor)
    except (OSError, ValueError):
        return False
    return True


def _row_of(relative: str, stat: os.stat_result) -> str:
    mine = sys.platform == "win32" or stat.st_uid == os.geteuid()
    return f"{relative}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_mode:o}\0{mine}"


def _files(folder: str, below: str = "") -> Iterator[str]:
    """Yield the files below `folder`, relative to it."""
    with os.scandir(os.path.join(folder, below)) as entries:
        for entry in entries:
            relative = os.path.join(below, entry.name)
            if entry.is_dir(follow_symlinks=False):
                yield from _files(folder, relative)
            elif relative != _MANIFEST:
                yield relative


def for_python(script: bytes, python: str) -> bytes:
    """Return a script for the interpreter `python`, as pip would write it."""
    body = script.partition(b"\n")[2]
    if body.startswith(b"'''exec' "):  # the image lay too deep for a plain first line
        body = body.partition(b"\n' '''\n")[2]
    path = os.fsencode(python)
    has_blank = any(char in path for char in b" \t\n")
    if not has_blank and len(path) + 3 <= _LONGEST_SHEBANG:
        return b"#!" + path + b"\n" + body
    for char in (b"\\", b'"', b"$", b"`"):  # which the shell reads between quotes
        path = path.replace(char, b"\\" + char)
    return b"#!/bin/sh\n'''exec' \"" + path + b'" "$0" "$@"\n\' \'\'\'\n' + body
