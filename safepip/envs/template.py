"""Keep what virtualenv writes for an environment, to write it again.

Importing virtualenv and starting its session takes a third of a creation. virtualenv stays the maker: it makes one
environment per interpreter, whose every file is noted with placeholders for the path, its last part and the
creation's token.
"""

from __future__ import annotations

import marshal
import os
import sys
from binascii import crc32

from safepip import __version__
from safepip.core.record import Record
from safepip.system.environment import CONFIG, CREATING, OWN
from safepip.system.files import make_folder, open_folder, replace_file, umask
from safepip.system.process import spare_pip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safepip.core.world import Interpreter

    Entry = tuple[str, str, int, bytes]

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # absent on Windows, as the next
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_FORMAT = "safepip-template-2"
# Characters that every shell takes as they are; virtualenv's scripts for some of them quote all others.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-")
_SPACED = " x"  # a path with a space is quoted by some; letters beyond ASCII are escaped by xonsh's
_LARGEST = 1 << 20  # bytes: a copied interpreter is not for a template
_PATH, _NAME, _TOKEN = b"\0p", b"\0n", b"\0t"  # stand for the path, its last part, and the creation's token
_SIGNED = b"safepip-creation = %s\n"


class Template(Record):
    """What virtualenv wrote, in order, and the name of pip's image.

    The entries are files ("f"), directories ("d") and links ("l"), with path, mode and content or target.
    """

    entries: tuple[Entry, ...]
    image: str


def template_for(
    path: str,
    interpreter: Interpreter,
    cache: str,
    build: Callable[[str], None],
    image: Callable[[], str | None],
    *,
    system: bool,
) -> Template | None:
    """Return the template for an environment, made if needed, or None.

    `build` has virtualenv make an environment, and `image` returns the image with pip.
    """
    if os.name == "nt" or interpreter.implementation != "cpython":
        return None
    kind = _kind(path)
    if kind is None or os.path.realpath(path) != path:  # virtualenv follows links
        return None
    try:
        key = _key(interpreter, kind, system=system)
    except OSError:
        return None
    folder = os.path.join(cache, "templates")
    file = os.path.join(folder, f"{interpreter.minor}-{crc32(key):08x}")
    known = _read(file, key)
    if known is not None:
        return known
    try:
        made = _make(folder, kind, build, image)
        if made is not None:
            packed = marshal.dumps((made.image, made.entries))
            replace_file(file, b"%s\n%08x\n%s" % (key, crc32(packed), packed), durable=False)
    except OSError:
        return None
    return made


def stamp(template: Template, path: str, token: str) -> None:
    """Write the environment at `path`, signed with the token if given."""
    values = {_PATH: os.fsencode(path), _NAME: os.fsencode(os.path.basename(path)), _TOKEN: token.encode()}
    # Directories are reached by descriptors, and nothing that exists is opened: no link is followed.
    folders = {"": open_folder(path)}
    try:
        for kind, relative, mode, content in template.entries:
            above, name = os.path.split(relative)
            inside = folders[above]
            if kind == "d":
                os.mkdir(name, mode, dir_fd=inside)
                folders[relative] = open_folder(name, inside)
            elif kind == "l":
                os.symlink(os.fsdecode(content), name, dir_fd=inside)
            else:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
                with open(os.open(name, flags, mode, dir_fd=inside), "wb") as file:
                    file.write(_filled(content, values))
    finally:
        for descriptor in folders.values():
            os.close(descriptor)


def _filled(content: bytes, values: dict[bytes, bytes]) -> bytes:
    if not values[_TOKEN]:
        content = content.replace(_SIGNED % _TOKEN, b"")
    for placeholder, value in values.items():
        content = content.replace(placeholder, value)
    return content


def _kind(path: str) -> str | None:
    """Return "plain" or "quoted", by how shells' scripts write the path."""
    others = set(path) - _PLAIN
    if not others:
        return "plain"
    if others == {" "}:
        return "quoted"
    return None  # some shell would quote it otherwise than the placeholder


def _key(interpreter: Interpreter, kind: str, *, system: bool) -> bytes:
    """Return all that decides what virtualenv writes, besides the path."""
    base = os.stat(interpreter.real)
    maker = os.stat(_maker())
    pip = os.stat(spare_pip() or os.sep)  # another pip has other metadata in that folder
    fields = (
        _FORMAT, __version__, kind, system, f"{umask():o}", sys.executable, sys.hexversion, interpreter.path,
        interpreter.real,
        interpreter.version, interpreter.prefix, interpreter.base_prefix, interpreter.site,
        base.st_dev, base.st_ino, base.st_ctime_ns, base.st_size,
        maker.st_ino, maker.st_mtime_ns, maker.st_size, pip.st_ino, pip.st_mtime_ns,
    )  # fmt: skip
    return "\t".join(map(str, fields)).encode("utf-8", "surrogateescape").replace(b"\n", b"?")


def _maker() -> str:
    """Return the file with virtualenv's version, found without importing it."""
    for folder in sys.path:
        file = os.path.join(folder, "virtualenv", "version.py")
        if os.path.isfile(file):
            return file
    return os.path.dirname(os.path.abspath(__file__))


def _read(file: str, key: bytes) -> Template | None:
    """Return the template that this user wrote under the same key."""
    head, _, rest = _own_content(file).partition(b"\n")
    check, _, packed = rest.partition(b"\n")
    if head != key or check != b"%08x" % crc32(packed):
        return None
    image, entries = marshal.loads(packed)  # noqa: S302  this user wrote it
    return Template(entries=entries, image=image)


def _own_content(file: str) -> bytes:
    """Return the content of a file that nobody else can have written."""
    try:
        descriptor = os.open(file, os.O_RDONLY | _NO_LINK | _NO_WAIT)
    except OSError:
        return b""
    with open(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if status.st_mode & 0o022:
            return b""
        if sys.platform != "win32" and status.st_uid != os.geteuid():
            return b""
        return opened.read(_LARGEST)


def _make(
    folder: str, kind: str, build: Callable[[str], None], image: Callable[[], str | None]
) -> Template | None:
    """Have virtualenv make a temporary environment, and note what it wrote.

    Raise OSError if that cannot be written again.
    """
    pip = image()
    if pip is None:
        return None
    make_folder(folder)
    token, name = os.urandom(16).hex(), f"name{os.urandom(8).hex()}"
    scratch = os.path.join(os.path.realpath(folder), f"tmp{os.urandom(6).hex()}")
    if kind == "quoted":
        scratch += _SPACED
    path = os.path.join(scratch, name)
    if _kind(path) != kind:
        return None
    try:
        os.makedirs(os.path.join(path, OWN), 0o700)
        with open(os.path.join(path, CREATING), "xb") as mark:
            os.chmod(mark.fileno(), 0o600)
            mark.write(token.encode())
        build(path)
        entries = tuple(_noted(path, name.encode(), token.encode()))
    finally:
        from shutil import rmtree  # noqa: PLC0415  slow to import, and rarely needed

        rmtree(scratch, ignore_errors=True)
    contents = {entry[1]: entry[3] for entry in entries}
    is_signed = _SIGNED % _TOKEN in contents.get(CONFIG, b"")
    if not is_signed or _PATH not in contents.get(os.path.join("bin", "activate"), b""):
        raise OSError("virtualenv writes other files than were expected")
    return Template(entries=entries, image=os.path.basename(pip))


def _noted(top: str, name: bytes, token: bytes, below: str = "") -> Iterator[Entry]:
    """Yield what lies in a directory, each directory before its content."""
    for entry in sorted(os.scandir(os.path.join(top, below)), key=lambda entry: entry.name):
        relative = os.path.join(below, entry.name)
        if relative == OWN:
            continue
        mode = entry.stat(follow_symlinks=False).st_mode & 0o777
        if entry.is_symlink():
            target = os.fsencode(os.readlink(entry.path))
            if b"templates" in target:
                raise OSError(f"{relative} leads to where the template was made")
            yield "l", relative, mode, target
        elif entry.is_dir():
            yield "d", relative, mode, b""
            yield from _noted(top, name, token, relative)
        else:
            with open(entry.path, "rb") as file:
                content = file.read(_LARGEST + 1)
            if b"\0" in content or len(content) > _LARGEST:
                raise OSError(f"{relative} is a program")
            content = content.replace(os.fsencode(top), _PATH).replace(name, _NAME).replace(token, _TOKEN)
            yield "f", relative, mode, content
