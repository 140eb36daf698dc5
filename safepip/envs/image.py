"""pip for new environments, as hard links to an image: installed and compiled once per Python and pip.

virtualenv's own seeding copies and leaves 1,500 files uncompiled, which costs more than all the rest of a
creation, and as much again on pip's first start. pip replaces files by rename, so what it does to itself
in an environment leaves the image as it is. Programs append their own certificates to cacert.pem, in place:
that file is always a copy.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from safepip.core.world import BIN
from safepip.system.files import make_folder, umask
from safepip.system.process import inherited

from .digest import record_row
from .seed import lay_out, own_seed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from safepip.core.world import Interpreter

    _Way = Callable[[str, int, int], None]

_DIRECTORY = getattr(os, "O_DIRECTORY", 0)  # absent on Windows, as the next
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_MANIFEST = "manifest"  # written last: an image without it is none
_NEVER_LINKED = ("cacert.pem", "RECORD")
_OTHERS = 0o022  # only this user may write to files that environments share, whatever the umask
_CHUNK = 1 << 17  # bytes that are copied at once: most files of pip are smaller
_FICLONE = 0x40049409  # of linux/fs.h, the same on all processors that Python has wheels for
_LONGEST_SHEBANG = 127  # bytes; Linux cuts off what is longer


def image_for(interpreter: Interpreter, cache: str | None, build: Callable[[str], None]) -> str | None:
    """Return the image for environments of `interpreter`, made now if there is none, or None if it cannot be.

    It comes from safepip's own pip, else from virtualenv's wheel; `build` makes an empty environment at a path.
    Every file is checked against the manifest, owner and mode included: what was changed behind our back (a
    `chown -R` over an environment) is made again.
    """
    if cache is None or os.name == "nt":
        return None
    folder = os.path.join(cache, "images")
    seed = own_seed(interpreter)
    if seed is not None:
        image = os.path.join(folder, _name(interpreter, seed.version))
        if is_whole(image) or _make(image, lambda made: lay_out(seed, interpreter, made, umask())):
            return image
    from virtualenv.seed.wheels.embed import get_embed_wheel  # noqa: PLC0415  with virtualenv, slow to import

    wheel = get_embed_wheel("pip", interpreter.minor)
    if wheel is None:
        return None
    image = os.path.join(folder, _name(interpreter, wheel.version))

    def install(made: str) -> bool:
        _install_into(made, str(wheel.path), wheel.version, interpreter, build)
        return True

    return image if is_whole(image) or _make(image, install) else None


def is_ready(interpreter: Interpreter, cache: str | None) -> bool:
    """Return True if some image for environments of the interpreter was made before, by its name."""
    start = _name(interpreter, "")[: -len("-000")]
    try:
        return cache is not None and any(
            name.startswith(start) for name in os.listdir(os.path.join(cache, "images"))
        )
    except OSError:
        return False


def install_pip(image: str, environment: str, python: str, site: str) -> None:
    """Put the image's pip into the environment, whose interpreter is `python` and site-packages `site`."""
    _put(os.path.join(image, "site"), site)
    scripts = {name: _script(image, name, python) for name in os.listdir(os.path.join(image, BIN))}
    for name, content in scripts.items():
        path = os.path.join(environment, BIN, name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o777 & ~umask())
    _record(site, environment, scripts)


def share_file(source: str, target: str) -> None:
    """Put a file at a new path of the same name, as a clone, a hard link or a copy.

    A link only of a file that this user alone can change, and not for root.
    """
    if sys.platform == "win32":
        from shutil import copy2  # noqa: PLC0415  slow to import, and only needed here

        copy2(source, target)
        return
    status = os.lstat(source)
    ways: list[_Way] = [_clone]
    if status.st_uid == os.geteuid() != 0 and not status.st_mode & _OTHERS:
        ways.append(_link)
    inside = _open_folder(os.path.dirname(source), None)
    into = _open_folder(os.path.dirname(target), None)
    try:
        _put_file(os.path.basename(target), inside, into, ways)
    finally:
        os.close(inside)
        os.close(into)


def _name(interpreter: Interpreter, pip: str) -> str:
    version = ".".join(map(str, interpreter.version))
    abi = "".join(char if char.isalnum() else "_" for char in interpreter.site)
    return f"{interpreter.implementation}-{version}-{abi}-pip-{pip}-{umask() | _OTHERS:03o}"


def _make(image: str, fill: Callable[[str], bool]) -> bool:
    """Have `fill` write a new image, and keep that if it is whole; return True if there is one now."""
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
            if not fill(made):
                return False
            seal(made)
            rmtree(image, ignore_errors=True)
            with contextlib.suppress(OSError):  # another command was faster
                os.rename(made, image)
    except OSError:
        return False
    finally:
        os.umask(before)
    return is_whole(image)


def _install_into(
    made: str, wheel: str, version: str, interpreter: Interpreter, build: Callable[[str], None]
) -> None:
    """Install pip from its wheel into an environment that is gone afterwards, and move what came to `made`."""
    environment = os.path.join(os.path.dirname(made), "env")
    build(environment)
    before = set(os.listdir(os.path.join(environment, BIN)))
    _install(os.path.join(environment, BIN, "python"), wheel, version)
    os.rename(os.path.join(environment, interpreter.site), os.path.join(made, "site"))
    for name in set(os.listdir(os.path.join(environment, BIN))) - before:
        os.rename(os.path.join(environment, BIN, name), os.path.join(made, BIN, name))
    for relative in list(_files(os.path.join(made, "site"))):
        if not relative.startswith("pip"):  # virtualenv's own patch of distutils: the environment has its own
            os.unlink(os.path.join(made, "site", relative))


def _clear_scratch(folder: str) -> None:
    """Remove what was left by one that was killed while it made an image, an hour ago or more."""
    for entry in os.scandir(folder):
        if entry.name.startswith("tmp") and time.time() - entry.stat(follow_symlinks=False).st_mtime > 3600:
            from shutil import rmtree  # noqa: PLC0415  slow to import, and rarely needed

            rmtree(entry.path, ignore_errors=True)


def _install(python: str, wheel: str, version: str) -> None:
    """Install by name, so that no origin is recorded: `pip freeze --all` would show it."""
    kept = {name: value for name, value in inherited().items() if not name.startswith(("PIP_", "PYTHON"))}
    pip = [python, "-I", os.path.join(wheel, "pip"), "install", "--quiet", "--no-index", "--no-deps"]
    argv = [*pip, "--find-links", os.path.dirname(wheel), f"pip=={version}"]
    import subprocess  # noqa: PLC0415  slow to import, and only needed for a new image

    null = subprocess.DEVNULL
    environ = {**kept, "PIP_CONFIG_FILE": os.devnull}
    ended = subprocess.run(argv, env=environ, check=False, stdin=null, stdout=null, stderr=null, cwd=os.sep)
    if ended.returncode:
        raise OSError(f"pip could not be installed for an image: {ended.returncode}")


def seal(image: str) -> None:
    """Write the manifest, by which `is_whole` knows an image again."""
    rows = [_row_of(relative, os.lstat(os.path.join(image, relative))) for relative in _files(image)]
    with open(os.path.join(image, _MANIFEST), "w", encoding="utf-8") as file:
        file.write("\n".join(rows))


def is_whole(image: str) -> bool:
    """Return True if every file of the image is as it was sealed, and this user's."""
    try:
        with open(os.path.join(image, _MANIFEST), encoding="utf-8") as file:
            rows = file.read().split("\n")
        folders: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            relative = row.partition("\0")[0]
            folders.setdefault(os.path.dirname(relative), []).append((relative, row))
        return all(_is_as_sealed(os.path.join(image, folder), files) for folder, files in folders.items())
    except (OSError, ValueError):
        return False


def _is_as_sealed(folder: str, files: Iterable[tuple[str, str]]) -> bool:
    """Return True if the files are as their rows say."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return all(
            _row_of(relative, os.lstat(os.path.basename(relative), dir_fd=descriptor)) == row
            for relative, row in files
        )
    finally:
        os.close(descriptor)


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


def _put(source: str, target: str) -> None:
    """Put what lies in the directory `source` into `target`.

    As clones where the file system has them; else as hard links, but not for root, whose environments share
    no file; else as copies.
    """
    os.makedirs(target, exist_ok=True)
    runs_as_root = sys.platform != "win32" and os.geteuid() == 0
    ways: list[_Way] = [_clone] if runs_as_root else [_clone, _link]
    _put_folder(_open_folder(source, None), _open_folder(target, None), ways)


def _open_folder(name: str, inside: int | None) -> int:
    return os.open(name, os.O_RDONLY | _DIRECTORY | _NO_LINK, dir_fd=inside)


def _put_folder(inside: int, into: int, ways: list[_Way]) -> None:
    """Put what lies in one open directory into the other, by the first of the ways that works; close both."""
    try:
        with os.scandir(inside) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(entry.name, dir_fd=into)
                    _put_folder(_open_folder(entry.name, inside), _open_folder(entry.name, into), ways)
                else:
                    _put_file(entry.name, inside, into, ways)
    finally:
        os.close(inside)
        os.close(into)


def _put_file(name: str, inside: int, into: int, ways: list[_Way]) -> None:
    """Put one file; a way that fails once is not tried again: other file system, or protected links."""
    possible = [way for way in ways if way is not _link] if name in _NEVER_LINKED else ways
    way = possible[0] if possible else _copy
    try:
        way(name, inside, into)
    except FileExistsError:
        os.unlink(name, dir_fd=into)
        _put_file(name, inside, into, ways)
    except OSError:
        if way is _copy:
            raise
        ways.remove(way)
        _put_file(name, inside, into, ways)


def _link(name: str, inside: int, into: int) -> None:
    os.link(name, name, src_dir_fd=inside, dst_dir_fd=into, follow_symlinks=False)


def _clone(name: str, inside: int, into: int) -> None:
    """Copy on write: the file system shares the content until one of the files is changed."""
    if sys.platform == "win32":
        raise OSError("there are no clones here")
    import fcntl  # noqa: PLC0415  not on Windows

    _transfer(name, inside, into, lambda source, target: fcntl.ioctl(target, _FICLONE, source))


def _copy(name: str, inside: int, into: int) -> None:
    def copy(source: int, target: int) -> None:
        while chunk := os.read(source, _CHUNK):
            while chunk:  # a disk that is nearly full takes less
                chunk = chunk[os.write(target, chunk) :]

    _transfer(name, inside, into, copy)


def _transfer(name: str, inside: int, into: int, fill: Callable[[int, int], object]) -> None:
    """Make a new file of the rights and the time of another, with what `fill` puts there.

    The time counts: compiled files are used only if they name that of their source.
    """
    source = os.open(name, os.O_RDONLY | _NO_LINK, dir_fd=inside)
    try:
        status = os.fstat(source)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
        target = os.open(name, flags, status.st_mode & 0o777, dir_fd=into)
        try:
            fill(source, target)
            if not name.endswith(".pyc"):
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        except OSError:
            os.unlink(name, dir_fd=into)
            raise
        finally:
            os.close(target)
    finally:
        os.close(source)


def _script(image: str, name: str, python: str) -> bytes:
    """Return a launcher of pip's for the interpreter `python`."""
    with open(os.path.join(image, BIN, name), "rb") as file:
        return for_python(file.read(), python)


def for_python(script: bytes, python: str) -> bytes:
    """Return a script with the interpreter `python` in its first line, as pip itself would write it."""
    body = script.partition(b"\n")[2]
    if body.startswith(b"'''exec' "):  # the image lay too deep for a plain first line
        body = body.partition(b"\n' '''\n")[2]
    path = os.fsencode(python)
    if len(path) + 3 <= _LONGEST_SHEBANG and not any(char in path for char in b" \t\n"):
        return b"#!" + path + b"\n" + body
    quoted = b"".join(b"\\" + bytes((char,)) if char in b'\\"$`' else bytes((char,)) for char in path)
    return b"#!/bin/sh\n'''exec' \"" + quoted + b'" "$0" "$@"\n\' \'\'\'\n' + body


def _record(site: str, environment: str, scripts: dict[str, bytes]) -> None:
    """Have pip's RECORD say what the launchers of this environment are; all other rows are right already."""
    of_pip = [name for name in os.listdir(site) if name.startswith("pip-")]
    info = next(name for name in of_pip if name.endswith(".dist-info"))
    path = os.path.join(site, info, "RECORD")
    programs = os.path.relpath(os.path.join(environment, BIN), site)
    rows = {os.path.join(programs, name): content for name, content in scripts.items()}
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            name = line.partition(",")[0]
            file.write((record_row(name, rows[name]) if name in rows else line) + "\n")
