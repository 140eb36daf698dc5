"""Lay out safepip's own pip for new environments, exactly as pip itself would install it.

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
from safepip.system.files import number
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
_HEADER = 16  # bytes at the start of compiled files (PEP 552)


class Seed(Record):
    """A pip that is installed in the folder `site`."""

    site: str
    version: str

    @property
    def info(self) -> str:
        """Return the name of the folder with its metadata."""
        return f"pip-{self.version}.dist-info"


def own_seed(interpreter: Interpreter) -> Seed | None:
    """Return safepip's own pip if environments of the interpreter may get it."""
    has_other_bytecode = interpreter.version[:2] != sys.version_info[:2]
    if has_other_bytecode or interpreter.implementation != sys.implementation.name:
        return None
    site = spare_pip()
    if site is None:
        return None
    try:
        installed = _versions(os.listdir(site), ".dist-info")
        bundled = _versions(os.listdir(_bundled_wheels()), "-py3-none-any.whl")
    except OSError:
        return None
    if len(installed) != 1 or not bundled or max(installed) < max(bundled):
        return None
    (version,) = installed.values()
    return Seed(site=site, version=version)


def _versions(names: Iterable[str], suffix: str) -> dict[tuple[int, ...], str]:
    """Return the versions of pip in the names of files, by their numbers; prereleases are left out."""
    found = {}
    for name in names:
        if name.startswith("pip-") and name.endswith(suffix):
            version = name[len("pip-") : -len(suffix)]
            parts = version.split(".")
            if None not in map(number, parts):
                found[tuple(map(int, parts))] = version
    return found


def _bundled_wheels() -> str:
    """Return virtualenv's folder of wheels, found without importing virtualenv."""
    folders = (os.path.join(entry, "virtualenv", "seed", "wheels", "embed") for entry in sys.path)
    return next(filter(os.path.isdir, folders), "")


def lay_out(seed: Seed, interpreter: Interpreter, image: str, mask: int) -> bool:
    """Write the pip into the new folder `image`, its modules below site; return False if it is not intact.

    `mask` is the process's umask, by which new files get their rights. Every file is compared with RECORD, and
    every compiled one with its source, by time and size as Python does it.
    """
    script = _script(seed)
    listed = _listed(seed)
    if script is None or listed is None:
        return False
    if _installer(seed) not in _INSTALLERS:
        return False
    rows = []
    try:
        for row in listed:
            rows += _copied(seed, row, os.path.join(image, "site"), mask)
    except FileNotFoundError:  # a module is not compiled
        return False
    if not all(rows):
        return False
    above = "../" * len(interpreter.site.split(os.sep))
    for name in ("pip", "pip3", f"pip{interpreter.minor}"):
        _write(os.path.join(image, BIN, name), script, 0o777)
        rows.append(record_row(f"{above}{BIN}/{name}", script))
    info = os.path.join(image, "site", seed.info)
    for name, content in (("INSTALLER", b"pip\n"), ("REQUESTED", b"")):
        _write(os.path.join(info, name), content, 0o666)
        rows.append(record_row(f"{seed.info}/{name}", content))
    rows.append(f"{seed.info}/RECORD,,")
    rows.sort(key=lambda row: row.split(","))
    _write(os.path.join(info, "RECORD"), "".join(f"{row}\n" for row in rows).encode(), 0o666)
    return True


def _installer(seed: Seed) -> str:
    """Return the name of the program that installed it, or "" if there is none."""
    try:
        with open(os.path.join(seed.site, seed.info, "INSTALLER"), encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def _listed(seed: Seed) -> list[str] | None:
    """Return the rows of RECORD that come from pip's wheel, or None for a RECORD that is not plain."""
    try:
        with open(os.path.join(seed.site, seed.info, "RECORD"), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    rows = []
    for line in lines:
        name = line.partition(",")[0]
        folder, _, rest = name.partition("/")
        if name.endswith(".pyc") or name.startswith("../"):  # written at installation, as the scripts
            continue
        if folder == seed.info and rest in _OF_INSTALLATION:
            continue
        if folder not in {"pip", seed.info} or ".." in rest.split("/") or '"' in line:
            return None
        rows.append(line)
    return rows


def _copied(seed: Seed, row: str, site: str, mask: int) -> list[str]:
    """Copy the file of a row, and what it was compiled to; return their rows, an empty one for a changed file."""
    from hashlib import sha256  # noqa: PLC0415  faster than digest.py's for so many files

    name = row.partition(",")[0]
    content, status = _read(os.path.join(seed.site, name))
    if row_with(sha256(content).digest(), name, len(content)) != row:
        return [""]
    is_program = status.st_mode & 0o111
    mode = (0o777 if is_program else 0o666) & ~mask
    _put(os.path.join(seed.site, name), status, os.path.join(site, name), content, mode)
    if not name.endswith(".py"):
        return [row]
    folder, _, module = name.rpartition("/")
    compiled = f"{folder}/__pycache__/{module[:-3]}.{sys.implementation.cache_tag}.pyc"
    bytecode, its_status = _read(os.path.join(seed.site, compiled))
    if bytecode[:_HEADER] != _header(status):
        return [""]
    _put(os.path.join(seed.site, compiled), its_status, os.path.join(site, compiled), bytecode, 0o666 & ~mask)
    return [row, f"{compiled},,"]


def _read(path: str) -> tuple[bytes, os.stat_result]:
    with open(path, "rb") as file:
        return file.read(), os.fstat(file.fileno())


def _put(source: str, status: os.stat_result, path: str, content: bytes, mode: int) -> None:
    """Copy a file; for root link it, whose environments get copies from the image in any case."""
    if sys.platform != "win32" and os.geteuid() == status.st_uid == 0 and status.st_mode & 0o777 == mode:
        try:
            os.link(source, path)
        except OSError:  # another file system, or the first file of a folder
            pass
        else:
            return
    _write(path, content, mode, status)


def _header(source: os.stat_result) -> bytes:
    """Return how the compiled file of this source starts if it is checked by the source's time and size."""
    from importlib.util import MAGIC_NUMBER  # noqa: PLC0415  most creations need no new image

    fields = (0, int(source.st_mtime), source.st_size)
    return MAGIC_NUMBER + b"".join((field & 0xFFFFFFFF).to_bytes(4, "little") for field in fields)


def _script(seed: Seed) -> bytes | None:
    """Return a script as this pip writes it for its own entry point, or None if that cannot be told."""
    with open(os.path.join(seed.site, _SCRIPT_MAKER), encoding="utf-8") as file:
        template = file.read().partition(_SCRIPT_START)[2].partition(_SCRIPT_END)[0]
    with open(os.path.join(seed.site, seed.info, "entry_points.txt"), encoding="utf-8") as file:
        pairs = [line.split("=") for line in file.read().split() if "=" in line]
    points = {pair[0]: pair[-1] for pair in pairs}
    if not template or "\\" in template or points.keys() - {"pip", "pip3"} or "pip" not in points:
        return None
    import textwrap  # noqa: PLC0415  as in `_header`

    module, _, function = points["pip"].partition(":")
    filled = textwrap.dedent(template) % {
        "module": module,
        "import_name": function.partition(".")[0],
        "func": function,
    }
    return f"#!python\n{filled}".encode()


def _write(path: str, content: bytes, mode: int, like: os.stat_result | None = None) -> None:
    """Write a new file, with the times of `like`, if given: compiled files are checked by that of their source."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(path, flags, mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path))
        descriptor = os.open(path, flags, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
        if like is not None:
            file.flush()
            os.utime(descriptor, ns=(like.st_atime_ns, like.st_mtime_ns))
