"""Unpacks the wheels of safepip.pyz into a folder, at once or not at all."""

import contextlib
import io
import os
import shutil
import sys
import tempfile
import time
import zipfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CANNOT_CREATE = 73
AN_HOUR = 3600


def unpack(archive: str, folder: str, digest: str, is_usable: "Callable[[str], bool]") -> str:
    """Unpack `archive` into `folder`, else into one of the user's below the temporary directory; return which.

    The second serves without a home, where it cannot be written, and root behind sudo: readable for
    all then, for safepip goes on as another user.
    """
    user = "sudo" if "SUDO_UID" in os.environ else getattr(os, "geteuid", int)()
    temporary = os.path.join(tempfile.gettempdir(), f"safepip-{user}-{digest[:16]}")
    trouble = make_ready(archive, folder, is_usable) if folder else "there is no home"
    if trouble is None:
        return folder
    second = make_ready(archive, temporary, is_usable)
    if second is None:
        return temporary
    sys.stderr.write(f"safepip: error: cannot unpack itself: {trouble}\nsafepip: nor elsewhere: {second}\n")
    sys.stderr.write("safepip: name a folder that can be written: XDG_CACHE_HOME=DIR\n")
    raise SystemExit(CANNOT_CREATE)


def make_ready(archive: str, place: str, is_usable: "Callable[[str], bool]") -> "str | None":
    """Have the whole archive unpacked at `place`; return why that cannot be, None where it is."""
    try:
        if is_usable(place) and is_whole(archive, place):
            note_count(place)
        else:
            if os.path.dirname(place) != tempfile.gettempdir():
                make_own_folder(os.path.dirname(place))
            place_whole(archive, place, lambda path: is_usable(path) and is_whole(archive, path))
    except OSError as error:
        return f"{error.filename or place}: {error.strerror or error}"
    return None


def is_whole(archive: str, folder: str) -> bool:
    """Return True if `folder` has every file of the archive, in its size."""
    try:
        return all(
            os.lstat(os.path.join(folder, member.filename)).st_size == member.file_size
            for _, content in wheels(archive)
            for member in members(content)
            if not member.is_dir()
        )
    except OSError:
        return False


def note_count(folder: str) -> None:
    """Note that the files were counted now."""
    with open(os.path.join(folder, "counted"), "wb"):
        os.utime(os.path.join(folder, "counted"))


def make_own_folder(path: str) -> None:
    """Make the folder `path`, but not in another user's: root, say, with that user's HOME."""
    above = path
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if os.name != "nt" and os.stat(above).st_uid != os.geteuid():
        raise PermissionError(None, "it belongs to another user", above)
    os.makedirs(path, mode=0o700, exist_ok=True)


def place_whole(archive: str, place: str, is_usable: "Callable[[str], bool]") -> None:
    """Unpack beside `place`, then give it that name; the first process wins, and what is broken makes way.

    Whatever the umask: others are to read what root unpacks for them, and never to write what root will run.
    """
    parent = os.path.dirname(place)
    clear_scratch(parent)
    scratch = tempfile.mkdtemp(prefix="safepip-new-", dir=parent)
    mask = os.umask(0o022)
    try:
        extract(archive, scratch)
        make_bytecode_folders(scratch)
        note_count(scratch)
        if "SUDO_UID" in os.environ:
            os.chmod(scratch, 0o755)  # noqa: S103 (nobody but root can write to it)
        with contextlib.suppress(OSError):
            os.rename(scratch, place)
        if not is_usable(place):
            os.rename(place, scratch + ".old")
            os.rename(scratch, place)
    finally:
        os.umask(mask)
        for left in (scratch, scratch + ".old"):
            shutil.rmtree(left, ignore_errors=True)


def make_bytecode_folders(folder: str) -> None:
    """Make the folders that Python would make on import, by the umask of the first user."""
    for at, _, names in os.walk(folder):
        if any(name.endswith(".py") for name in names):
            os.mkdir(os.path.join(at, "__pycache__"))


def clear_scratch(parent: str) -> None:
    """Remove what was left an hour ago or more by one that was killed."""
    for entry in os.scandir(parent):
        with contextlib.suppress(OSError):
            if entry.name.startswith("safepip-new-") and time.time() - entry.stat().st_mtime > AN_HOUR:
                shutil.rmtree(entry.path, ignore_errors=True)


def extract(archive: str, folder: str, left_out: "tuple[str, ...]" = ()) -> None:
    """Unpack into `folder` what the wheels in `archive` would put into site-packages, metadata included."""
    for name, content in wheels(archive):
        if not name.startswith(left_out):
            with zipfile.ZipFile(io.BytesIO(content)) as wheel:
                wheel.extractall(folder, members(content))


def members(wheel: bytes) -> "list[zipfile.ZipInfo]":
    """Return what a wheel of this content puts into site-packages."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as opened:
        return [member for member in opened.infolist() if ".data/" not in member.filename]


def wheels(archive: str) -> "list[tuple[str, bytes]]":
    """Return the wheels in `archive`: name and content."""
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if name.startswith("wheels/")]
        return [(os.path.basename(name), opened.read(name)) for name in names]
