"""Lay out safepip's own pip in an image, as pip installs it.

Unpacking and compiling a wheel of pip takes two seconds; safepip's own pip is unpacked and, as a rule, compiled.
Python corrects the paths in compiled files when it loads them, so tracebacks and `inspect` name the new place.

This pip does not serve where it is not compiled (`uv tool`, and safepip.pyz, whose files are compiled one by one
when they are imported), nor environments of a Python with other bytecode. One that is older than virtualenv's,
edited, or installed by a Linux distribution, which changes it, does not serve either.
"""

from __future__ import annotations

import os
import sys

from safepip.core.record import Record
from safepip.core.world import BIN
from safepip.system.files import number, umask
from safepip.system.process import spare_pip

from .digest import record_row, row_with

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from safepip.core.world import Interpreter

_OF_INSTALLATION = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")  # written when a wheel is installed
_INSTALLERS = ("", "pip", "uv")  # these unpack a wheel as it is; "" is scripts/bootstrap.py
_SCRIPT_MAKER = os.path.join("pip", "_internal", "operations", "install", "wheel.py")
_SCRIPT_START, _SCRIPT_END = 'script_template = textwrap.dedent("""\\\n', '"""'
_HEADER = 16  # bytes


class Seed(Record):
    """A pip that is installed in the directory `site`."""

    site: str
    version: str

    @property
    def metadata(self) -> str:
        """Return the name of its dist-info directory."""
        return f"pip-{self.version}.dist-info"

    def read(self, name: str) -> str:
        """Return the text of a file of its metadata."""
        with open(os.path.join(self.site, self.metadata, name), encoding="utf-8") as file:
            return file.read()


def own_seed(interpreter: Interpreter) -> Seed | None:
    """Return safepip's own pip if environments of the interpreter may get it."""
    if interpreter.version[:2] != sys.version_info[:2]:  # whose bytecode is another
        return None
    if interpreter.implementation != sys.implementation.name:
        return None
    site = spare_pip()
    if site is None:
        return None
    wheels = (os.path.join(entry, "virtualenv", "seed", "wheels", "embed") for entry in sys.path)
    try:
        installed = _versions(os.listdir(site), ".dist-info")
        bundled = _versions(os.listdir(next(filter(os.path.isdir, wheels), "")), "-py3-none-any.whl")
    except OSError:
        return None
    if len(installed) != 1 or not bundled:
        return None
    ((numbers, version),) = installed.items()
    if numbers < max(bundled):
        return None
    return Seed(site=site, version=version)


def _versions(names: Iterable[str], suffix: str) -> dict[tuple[int, ...], str]:
    """Return the versions of pip in names of files, by their numbers."""
    found = {}
    for name in names:
        if name.startswith("pip-") and name.endswith(suffix):
            version = name[len("pip-") : -len(suffix)]
            parts = version.split(".")
            if None not in map(number, parts):  # as in a prerelease
                found[tuple(map(int, parts))] = version
    return found


def lay_out(seed: Seed, interpreter: Interpreter, image: str) -> None:
    """Write the pip into the new directory `image`, its modules below site.

    Raise OSError if it is not as pip would have installed it.
    """
    script = _script(seed)
    if _installer(seed) not in _INSTALLERS:
        raise OSError(f"{seed.metadata} was installed by another program")
    site = os.path.join(image, "site")
    rows = []
    for row in _listed(seed):
        rows += _copy(seed, row, site)
    above = "../" * len(interpreter.site.split(os.sep))
    for name in ("pip", "pip3", f"pip{interpreter.minor}"):
        _write(os.path.join(image, BIN, name), script, 0o777)
        rows.append(record_row(f"{above}{BIN}/{name}", script))
    for name, content in (("INSTALLER", b"pip\n"), ("REQUESTED", b"")):
        _write(os.path.join(site, seed.metadata, name), content, 0o666)
        rows.append(record_row(f"{seed.metadata}/{name}", content))
    rows.append(f"{seed.metadata}/RECORD,,")
    rows.sort(key=lambda row: row.split(","))
    _write(os.path.join(site, seed.metadata, "RECORD"), "\n".join([*rows, ""]).encode(), 0o666)


def _script(seed: Seed) -> bytes:
    """Return a script as this pip writes it for its entry point."""
    with open(os.path.join(seed.site, _SCRIPT_MAKER), encoding="utf-8") as file:
        template = file.read().partition(_SCRIPT_START)[2].partition(_SCRIPT_END)[0]
    points = {}
    for line in seed.read("entry_points.txt").split():
        name, equals, target = line.partition("=")
        if equals:
            points[name] = target
    if not template or "\\" in template:
        raise OSError(f"{_SCRIPT_MAKER} has no plain template of scripts")
    if points.keys() not in ({"pip"}, {"pip", "pip3"}):
        raise OSError(f"{seed.metadata} has other entry points than were expected")
    import textwrap  # noqa: PLC0415  most creations need no new image

    module, _, function = points["pip"].partition(":")
    filled = textwrap.dedent(template) % {
        "module": module,
        "import_name": function.partition(".")[0],
        "func": function,
    }
    return f"#!python\n{filled}".encode()


def _installer(seed: Seed) -> str:
    try:
        return seed.read("INSTALLER").strip()
    except FileNotFoundError:
        return ""


def _listed(seed: Seed) -> list[str]:
    """Return the rows of RECORD that come from pip's wheel."""
    rows = []
    for line in seed.read("RECORD").splitlines():
        name = line.partition(",")[0]
        folder, _, rest = name.partition("/")
        if name.endswith(".pyc") or name.startswith("../"):  # written at installation, as the scripts
            continue
        if folder == seed.metadata and rest in _OF_INSTALLATION:
            continue
        if folder not in {"pip", seed.metadata} or ".." in rest.split("/") or '"' in line:
            raise OSError(f"{seed.metadata} is not plain: {line}")
        rows.append(line)
    return rows


def _copy(seed: Seed, row: str, site: str) -> list[str]:
    """Copy a file with its bytecode, and return their rows."""
    from hashlib import sha256  # noqa: PLC0415  faster than digest.py's for so many files

    name = row.partition(",")[0]
    content, status = _read(os.path.join(seed.site, name))
    if row_with(sha256(content).digest(), name, len(content)) != row:
        raise OSError(f"{name} was changed")
    mode = 0o777 if status.st_mode & 0o111 else 0o666
    _link_or_write(os.path.join(seed.site, name), status, os.path.join(site, name), content, mode)
    if not name.endswith(".py"):
        return [row]
    folder, _, module = name.rpartition("/")
    compiled = f"{folder}/__pycache__/{module[:-3]}.{sys.implementation.cache_tag}.pyc"
    bytecode, its_status = _read(os.path.join(seed.site, compiled))
    if bytecode[:_HEADER] != _header(status):
        raise OSError(f"{name} was changed since it was compiled")
    _link_or_write(os.path.join(seed.site, compiled), its_status, os.path.join(site, compiled), bytecode, 0o666)
    return [row, f"{compiled},,"]


def _read(path: str) -> tuple[bytes, os.stat_result]:
    with open(path, "rb") as file:
        return file.read(), os.fstat(file.fileno())


def _header(source: os.stat_result) -> bytes:
    """Return how a file compiled from this source starts (PEP 552)."""
    from importlib.util import MAGIC_NUMBER  # noqa: PLC0415  as in `_script`

    fields = (0, int(source.st_mtime), source.st_size)
    header = MAGIC_NUMBER
    for field in fields:
        header += (field & 0xFFFFFFFF).to_bytes(4, "little")
    return header


def _link_or_write(source: str, status: os.stat_result, path: str, content: bytes, mode: int) -> None:
    # Environments of root's get copies from the image in any case, so that may be links.
    is_roots = sys.platform != "win32" and os.geteuid() == status.st_uid == 0
    if is_roots and status.st_mode & 0o777 == mode & ~umask():
        try:
            os.link(source, path)
        except OSError:  # another file system, or the first file of a directory
            pass
        else:
            return
    _write(path, content, mode, status)


def _write(path: str, content: bytes, mode: int, like: os.stat_result | None = None) -> None:
    """Write a new file, with the times of `like` if given."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(path, flags, mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path))
        descriptor = os.open(path, flags, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        if like is not None:  # compiled files are checked by the time of their source
            file.flush()
            os.utime(descriptor, ns=(like.st_atime_ns, like.st_mtime_ns))
