"""Repeat pip's answer to an install that it found satisfied, while nothing relevant has changed.

All that pip's answer depends on goes into one digest: the line, variables, pip's configuration, the files that
these name, and what is installed. The runner keeps what pip printed under that digest, where pip changed nothing
and printed nothing on stderr. Where anything is not plain, nothing is kept: being slow is better than being
wrong. Every install passes here, so it imports little more than `os`.
"""

from __future__ import annotations

import os
import sys

try:
    from _blake2 import blake2b  # hashlib loads OpenSSL, which costs more than all the rest
except ImportError:  # as with a PYTHONHOME of another Python, which the environment's Python will not see
    blake2b = None  # type: ignore[assignment, misc]  # nothing is kept or repeated then

from safepip import __version__
from safepip.core.record import Record
from safepip.system import pip_config
from safepip.system.environment import JOURNAL, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from safepip.core.plan import Handover
    from safepip.system.observe import Context

SATISFIED = os.path.join(".safepip", "satisfied")
_SLOTS = 64  # so many answers are kept in an environment
_LARGEST = 1 << 20  # bytes of a file that is read
_KIND, _REGULAR = 0o170000, 0o100000
_BROKEN = 120

_FORBIDDEN = ("PYTHONPATH", "PYTHONHOME", "PYTHONPLATLIBDIR")  # these bring modules, and so distributions, along
_COUNTING = ("PIP_", "_PIP_", "PYTHON", "LC_", "XDG_")
_COUNTING_TOO = frozenset((
    "HOME", "LANG", "LANGUAGE", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JUPYTER_COLUMNS", "JUPYTER_LINES", "USER", "SUDO_UID",
    "TMPDIR", "TEMP", "TMP",
))  # fmt: skip
# The parts of a distribution's metadata that change when it does: pip writes a dist-info (PEP 376) as a whole.
_TELLING = {".dist-info": ("/METADATA",), ".egg-info": ("", "/PKG-INFO", "/requires.txt")}
_OF_PIP = ("pip", "pip/_internal", "pip/_vendor")  # without one of its directories pip fails
_KNOWN_PATHS = ("distutils-precedence", "_virtualenv")  # of setuptools and virtualenv: these find no distribution
_ELSEWHERE = (".egg", ".egg-link")  # these lead to distributions that lie elsewhere
_STARTING = (".pth", ".start")  # read when Python starts; the latter since 3.15 (PEP 829)


class Question(Record):
    """What pip is asked: its `digest`, the `slot` that keeps the answer, and the state of each file that counts.

    The first `read` of the files are those that the line or the configuration names. A slot that ends in "q" may
    keep an empty answer.
    """

    slot: str
    digest: str
    read: int
    files: tuple[str, ...]

    @property
    def variable(self) -> str:
        """Return the question as the runner reads it: a line each."""
        return "\n".join((self.slot, self.digest, str(self.read), *self.files))


class Asker:
    """Works out what one line asks of pip, and finds the answer that was kept."""

    def __init__(self, handover: Handover, context: Context) -> None:
        self.context = context
        self.environment = handover.environment or ""
        self.words = handover.words
        self.variables = _changed(context.ambient.environ, handover.variables)
        self.line = (*_line(handover, context), *_surroundings(context))

    @property
    def slot(self) -> str:
        """Return the name of the file that keeps the answer; one that ends in "q" may be empty."""
        number = int(_digest(self.line)[:8], 16) % _SLOTS
        if self.context.command.quiet:
            return f"{number:02d}q"
        return f"{number:02d}"

    def answer(self) -> bytes | None:
        """Return what pip printed when it was last asked the same, or None.

        The files that the line names are known from that time: as long as their content is the same, they name
        the same files. None while a change is at work or was killed: what is installed may not be whole.
        """
        if os.path.lexists(os.path.join(self.environment, JOURNAL)):
            return None
        kept = _content(os.path.join(self.environment, SATISFIED, self.slot)) or b""
        digest, _, rest = kept.partition(b"\n")
        count, _, rest = rest.partition(b"\n")
        if not count.isdigit() or len(count) > 3:
            return None
        *paths, printed = rest.split(b"\n", int(count))
        if len(paths) != int(count):
            return None
        files = [(path, _content(path)) for path in map(os.fsdecode, paths)]
        if digest != self._digest(files).encode():
            return None
        return printed

    def question(self) -> Question | None:
        """Return what pip is about to be asked, or None where its answer must not be kept."""
        # Taken before anything is read, so that what is read is not older.
        before = tuple(f"{signature(path)} {path}" for path in self._own_files())
        files = self._asked_files()
        if files is None or _installed(self.environment) is None:
            return None
        named = tuple(f"{signature(path)} {path}" for path, _ in files)
        counting = (*named, *before)
        if "\n" in "".join(counting):  # the runner reads a line each
            return None
        if files != self._asked_files():  # one was changed meanwhile
            return None
        return Question(slot=self.slot, digest=self._digest(files), read=len(named), files=counting)

    def _digest(self, files: Iterable[tuple[str, bytes | None]]) -> str:
        """Return what tells this question, with the content of these files, from any other."""
        configuration = [(path, _content(path)) for path in filter(os.path.lexists, self._places())]
        parts: list[str | bytes] = [*self.line, ""]
        for path, content in (*configuration, *files):
            parts += (path, content or b"\0")
        return _digest((*parts, "", _installed(self.environment) or ""))

    def _places(self) -> tuple[str, ...]:
        ambient = self.context.ambient
        return pip_config.paths(
            self.variables, ambient.home, platform=ambient.platform, site_prefix=self.environment
        )

    def _asked_files(self) -> list[tuple[str, bytes]] | None:
        """Return path and content of the files that line or configuration name, None if one is not plain."""
        from .requirements import asked_files, with_nested  # noqa: PLC0415  an answer is repeated without it

        ambient, places = self.context.ambient, self._places()
        configuration = pip_config.find(
            self.variables, ambient.home, platform=ambient.platform, site_prefix=self.environment, strict=True
        )
        if len(configuration) != sum(map(os.path.lexists, places)):
            return None  # one of them is a directory, or cannot be read
        if not self.variables.keys().isdisjoint(_FORBIDDEN):
            return None
        asked = asked_files(self.words, self.variables, configuration)
        if asked is None:
            return None
        return with_nested(asked, _content)

    def _own_files(self) -> tuple[str, ...]:
        return (*self._places(), os.path.join(self.environment, "pyvenv.cfg"), *_sites(self.environment))


def ask(handover: Handover, context: Context) -> Asker | None:
    """Return who asks what pip would be asked, or None where nothing is ever kept."""
    if os.name == "nt" or blake2b is None:
        return None
    if handover.environment is None or context.ambient.cwd is None:
        return None
    return Asker(handover, context)


def repeat(printed: bytes) -> int | None:
    """Write pip's answer to stdout; return its exit code, or None if it cannot be written: pip then tells why.

    Where the reader goes away half way it ends as pip does (`BrokenStdoutLoggingError`, then Python's own 120).
    """
    written = 0
    try:
        while written < len(printed):
            written += os.write(1, printed[written:])
    except OSError:
        if written:
            return _BROKEN
        return None
    return 0


def signature(path: str) -> str:
    """Return what changes when a file is written or exchanged; the runner looks again when pip has ended."""
    try:
        stat = os.stat(path)
    except OSError:
        return "-"
    return f"{stat.st_ino}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_size}"


def _changed(environ: Mapping[str, str], changes: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    variables = dict(environ)
    for name, value in changes:
        variables.pop(name, None)
        if value is not None:
            variables[name] = value
    return variables


def _line(handover: Handover, context: Context) -> Iterator[str]:
    """Yield what is typed, where, and in what name."""
    yield __version__
    yield from handover.argv
    yield handover.program
    for name, value in handover.variables:
        yield f"{name}={value}"
    yield str(context.ambient.cwd)
    yield str(context.ambient.user)


def _surroundings(context: Context) -> Iterator[str]:
    """Yield the variables that pip reads, the terminal it writes to, and the system that markers ask for."""
    environ = context.ambient.environ
    for name in sorted(environ):
        if name.startswith(_COUNTING) or name in _COUNTING_TOO:
            yield f"{name}={environ[name]}"
    for stream in (1, 2):
        yield str(os.get_terminal_size(stream)) if os.isatty(stream) else "no terminal"
    if sys.platform != "win32":
        system = os.uname()
        yield from (system.sysname, system.release, system.version, system.machine)
    yield from map(_rights, _caches(context))


def _caches(context: Context) -> Iterator[str]:
    """Yield pip's cache directories: pip warns of one that it cannot write to."""
    environ, home = context.ambient.environ, context.ambient.home or os.sep
    yield os.path.join(environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "pip")
    yield environ.get("PIP_CACHE_DIR", os.sep)
    for option, _, value in context.command.options:
        if option == "--cache-dir" and value:
            yield value


def _rights(path: str) -> str:
    path = os.path.abspath(path)
    while not os.path.exists(path) and path != os.sep:
        path = os.path.dirname(path)
    return f"{os.stat(path).st_uid} {os.access(path, os.W_OK)}"


def _installed(environment: str) -> str | None:
    """Return what tells one state of what is installed from another, None where that is not plain."""
    if not _sees_itself_only(os.path.join(environment, "pyvenv.cfg")):
        return None
    found = [signature(os.path.join(environment, name)) for name in ("pyvenv.cfg", "bin/python", "bin")]
    for folder in _sites(environment):
        site = _distributions(folder)
        if site is None:
            return None
        found.append(site)
    return "\0\0".join(found)


def _sees_itself_only(configuration: str) -> bool:
    """Return True for a virtual environment (PEP 405) that leaves the system's packages out."""
    settings = {}
    for line in (_content(configuration) or b"").lower().splitlines():
        key, _, value = line.partition(b"=")
        settings[key.strip()] = value.strip()
    if b"home" not in settings:
        return False
    return settings.get(b"include-system-site-packages") == b"false"


def _sites(environment: str) -> list[str]:
    """Return the directories of distributions; a `lib64` that is a link adds nothing."""
    found = []
    for name in ("lib", "lib64"):
        folder = os.path.join(environment, name)
        if not os.path.islink(folder):
            found += [os.path.join(folder, version, "site-packages") for version in names_in(folder)]
    return found


def _distributions(site: str) -> str | None:
    """Return a text for the directory and each distribution or path file in it; None where one lies elsewhere."""
    try:
        folder = os.open(site, os.O_RDONLY)
    except OSError:
        return ""
    try:
        names = os.listdir(folder)
        found = [site]
        found += [_state(name, folder) for name in (".", *_OF_PIP)]
        for name in names:
            suffix = name[name.rfind(".") :].lower()
            if suffix in _ELSEWHERE:
                return None
            if suffix in _STARTING:
                if not _is_plain_path_file(os.path.join(site, name), name):
                    return None
                found += (name, _state(name, folder))
            for part in _TELLING.get(suffix, ()):
                state = _state(name + part, folder)
                if part == "/METADATA" and state == "-":
                    return None
                found += (name, state)
        return "\0".join(found)
    finally:
        os.close(folder)


def _is_plain_path_file(path: str, name: str) -> bool:
    """Return True if such a file runs no code, which could lead elsewhere another time."""
    stem, _, suffix = name.rpartition(".")
    if stem in _KNOWN_PATHS:
        return True
    if suffix != "pth":
        return False
    content = _content(path)
    return content is not None and b"import" not in content


def _state(name: str, folder: int) -> str:
    """Return what changes when an entry of a directory is written or exchanged."""
    try:
        stat = os.stat(name, dir_fd=folder)
        changed = str(stat.st_ctime_ns)
        # Making another environment adds a hard link to pip's files, which changes their ctime and nothing else.
        is_shared = stat.st_nlink > 1 and stat.st_mode & _KIND == _REGULAR
        if is_shared and name.startswith("pip-"):
            changed = _text(name, folder)
    except OSError:
        return "-"
    return f"{stat.st_ino} {stat.st_mtime_ns} {stat.st_size} {changed}"


def _text(name: str, folder: int) -> str:
    descriptor = os.open(name, os.O_RDONLY, dir_fd=folder)
    try:
        return _digest((os.read(descriptor, _LARGEST),))
    finally:
        os.close(descriptor)


def _content(path: str) -> bytes | None:
    """Return what a regular file holds; None for anything else, one that is too large or cannot be read."""
    try:
        if os.stat(path).st_mode & _KIND != _REGULAR:
            return None  # opening a FIFO would let its writer go on, whose text pip is to read
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except (OSError, ValueError):
        return None
    try:
        stat = os.fstat(descriptor)
        if stat.st_mode & _KIND != _REGULAR or stat.st_size > _LARGEST:
            return None
        content = os.read(descriptor, _LARGEST + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if len(content) != stat.st_size:  # it is being written
        return None
    return content


def _digest(parts: Iterable[str | bytes]) -> str:
    """Return one digest of all parts, none of which can run into the next."""
    whole = blake2b(digest_size=20)
    for part in parts:
        if isinstance(part, str):
            part = part.encode(sys.getfilesystemencoding(), "surrogateescape")  # noqa: PLW2901  the same, as bytes
        whole.update(b"%d:" % len(part) + part)
    return whole.hexdigest()
