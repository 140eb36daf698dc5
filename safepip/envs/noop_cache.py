"""Repeat pip's answer to an install while nothing relevant has changed.

The line, variables, pip's configuration, the files that these name, and what is installed go into one digest. The
runner keeps what pip printed under that digest, where pip changed nothing and printed nothing on stderr. Where
anything is not plain, nothing is kept: being slow is better than being wrong. Every install passes here, so it
imports little more than `os`.
"""

from __future__ import annotations

import os
import sys

try:
    from _blake2 import blake2b  # hashlib loads OpenSSL, which costs more than all the rest
except ImportError:  # as with a PYTHONHOME of another Python, which the environment's Python will not see
    blake2b = None  # type: ignore[assignment, misc]  # nothing is kept or repeated then

from safepip import __version__
from safepip.system import pip_config
from safepip.system.environment import JOURNAL, configuration, names_in
from safepip.system.files import read_regular
from safepip.system.process import applied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from safepip.core.plan import Handover
    from safepip.system.observe import Context

SATISFIED = os.path.join(".safepip", "satisfied")
_SLOTS = 64  # so many answers are kept in an environment
_LARGEST = 1 << 20  # bytes of a file that is read
_BROKEN = 120

_FORBIDDEN = ("PYTHONPATH", "PYTHONHOME", "PYTHONPLATLIBDIR")  # these bring modules, and so distributions, along
_COUNTING = ("PIP_", "_PIP_", "PYTHON", "LC_", "XDG_")
_COUNTING_TOO = frozenset((
    "HOME", "LANG", "LANGUAGE", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JUPYTER_COLUMNS", "JUPYTER_LINES", "USER", "SUDO_UID",
    "TMPDIR", "TEMP", "TMP",
))  # fmt: skip
# What changes with a distribution, by how its entry ends: pip writes a dist-info (PEP 376) as a whole.
_TELLING = {
    ".dist-info": ("/METADATA",), ".egg-info": ("", "/PKG-INFO", "/requires.txt"), ".pth": ("",), ".start": ("",),
}  # fmt: skip
_OF_PIP = ("pip", "pip/_internal", "pip/_vendor")  # without one of its directories pip fails
_KNOWN_PATHS = ("distutils-precedence", "_virtualenv")  # of setuptools and virtualenv: these find no distribution
_ELSEWHERE = (".egg", ".egg-link")  # these lead to distributions that lie elsewhere
_STARTING = (".pth", ".start")  # read when Python starts; the latter since 3.15 (PEP 829)


class NoopCache:
    """The answer of pip to one line, kept for the next time."""

    def __init__(self, environment: str, handover: Handover, context: Context) -> None:
        self.environment = environment
        self._context = context
        self._words = handover.words
        self._variables = applied(context.ambient.environ, handover.variables)
        self._line = tuple(_line(handover, context))

    def answer(self) -> bytes | None:
        """Return what pip printed when last asked the same, or None."""
        # While a change is at work or was killed, what is installed may not be whole.
        if os.path.lexists(os.path.join(self.environment, JOURNAL)):
            return None
        kept = _content(os.path.join(self.environment, SATISFIED, self._slot())) or b""
        digest, _, rest = kept.partition(b"\n")
        count, _, rest = rest.partition(b"\n")
        if not count.isdigit() or len(count) > 3:
            return None
        *named, printed = rest.split(b"\n", int(count))
        if len(named) != int(count):
            return None
        # As long as the content of these files is the same, the line names the same files.
        paths = list(map(os.fsdecode, named))
        files = dict(zip(paths, map(_content, paths), strict=True))
        if digest != self._digest(files, _installed(self.environment)).encode():
            return None
        return printed

    def question(self) -> str | None:
        """Return what pip is asked, as the runner reads it, or None.

        Where it is None the answer must not be kept. A line each: the slot, the digest, how many files the line
        or the configuration names, then the state of those and of all others that the answer rests on.
        """
        own_files = (*self._places(), os.path.join(self.environment, "pyvenv.cfg"), *_sites(self.environment))
        # Taken before anything is read, so that what is read is not older.
        before = list(map(_line_of, own_files))
        files = self._asked_files()
        if files is None:
            return None
        installed = _installed(self.environment)
        if installed is None:
            return None
        named = list(map(_line_of, files))
        if "\n" in "".join((*named, *before)):  # would look like two lines
            return None
        if files != self._asked_files():  # one was changed meanwhile
            return None
        return "\n".join((self._slot(), self._digest(files, installed), str(len(named)), *named, *before))

    def _slot(self) -> str:
        """Return the name of the file that keeps the answer."""
        number = int(_digest(self._line)[:8], 16) % _SLOTS
        if self._context.command.quiet:  # then pip may print nothing at all
            return f"{number:02d}q"
        return f"{number:02d}"

    def _digest(self, files: Mapping[str, bytes | None], installed: str | None) -> str:
        """Return the digest of a question, files and packages included."""
        parts: list[str | bytes | None] = [*self._line, ""]
        for path in filter(os.path.lexists, self._places()):
            parts += (path, _content(path))
        for item in files.items():
            parts += item
        return _digest((*parts, "", installed))

    def _places(self) -> tuple[str, ...]:
        ambient = self._context.ambient
        return pip_config.paths(
            self._variables, ambient.home, platform=ambient.platform, site_prefix=self.environment
        )

    def _asked_files(self) -> dict[str, bytes] | None:
        """Return path and content of the named files, None where not plain."""
        from .requirements import named_files  # noqa: PLC0415  an answer is repeated without it

        if not self._variables.keys().isdisjoint(_FORBIDDEN):
            return None
        ambient = self._context.ambient
        configuration = pip_config.find(
            self._variables, ambient.home, platform=ambient.platform, site_prefix=self.environment, strict=True
        )
        if len(configuration) != sum(map(os.path.lexists, self._places())):
            return None  # one of them is a directory, or cannot be read
        return named_files(self._words, self._variables, configuration, _content)


def noop_cache(handover: Handover, context: Context) -> NoopCache | None:
    """Return the cache for a line, None where nothing is ever kept."""
    if os.name == "nt" or blake2b is None:
        return None
    if handover.environment is None:
        return None
    if context.ambient.cwd is None:
        return None
    return NoopCache(handover.environment, handover, context)


def repeat(printed: bytes) -> int | None:
    """Return pip's exit code, its answer written, None if that fails."""
    written = 0
    try:
        while written < len(printed):
            written += os.write(1, printed[written:])
    except OSError:
        if not written:
            return None
        return _BROKEN  # of pip's BrokenStdoutLoggingError Python itself makes this
    return 0


def _line_of(path: str) -> str:
    # after_pip/safepip_notes.py compares it when pip has ended.
    return f"{_signature(path)} {path}"


def _signature(path: str, folder: int | None = None) -> str:
    """Return what changes when a file is written or exchanged."""
    try:
        stat = os.stat(path, dir_fd=folder)
    except OSError:
        return "-"
    return f"{stat.st_ino}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_size}"


def _line(handover: Handover, context: Context) -> Iterator[str]:
    """Yield what pip's answer depends on, besides files and distributions."""
    environ = context.ambient.environ
    yield __version__
    yield from handover.argv
    yield handover.program
    for name, value in handover.variables:
        yield f"{name}={value}"
    yield str(context.ambient.cwd)
    yield str(context.ambient.user)
    for name in sorted(environ):
        if name.startswith(_COUNTING) or name in _COUNTING_TOO:
            yield f"{name}={environ[name]}"
    for stream in (1, 2):
        if os.isatty(stream):
            yield str(os.get_terminal_size(stream))
        else:
            yield "no terminal"
    if sys.platform != "win32":
        system = os.uname()
        yield from (system.sysname, system.release, system.version, system.machine)
    for cache in _caches(context):  # pip warns of one that it cannot write to
        folder = os.path.abspath(cache)
        while not os.path.exists(folder) and folder != os.sep:
            folder = os.path.dirname(folder)
        yield f"{os.stat(folder).st_uid} {os.access(folder, os.W_OK)}"


def _caches(context: Context) -> Iterator[str]:
    environ = context.ambient.environ
    default = os.path.join(context.ambient.home or os.sep, ".cache")
    yield os.path.join(environ.get("XDG_CACHE_HOME") or default, "pip")
    yield environ.get("PIP_CACHE_DIR", os.sep)
    for option, _, value in context.command.options:
        if option == "--cache-dir" and value:
            yield value


def _installed(environment: str) -> str | None:
    """Return the state of all distributions, None where it is not plain."""
    config = configuration(environment)
    if "home" not in config:
        return None
    if config.get("include-system-site-packages", "").lower() != "false":
        return None
    found = []
    for name in ("pyvenv.cfg", "bin/python", "bin"):
        found.append(_signature(os.path.join(environment, name)))
    for folder in _sites(environment):
        site = _distributions(folder)
        if site is None:
            return None
        found.append(site)
    return "\0\0".join(found)


def _sites(environment: str) -> list[str]:
    """Return the directories of distributions."""
    found = []
    for name in ("lib", "lib64"):
        folder = os.path.join(environment, name)
        if os.path.islink(folder):  # as `lib64`, which leads to `lib`
            continue
        for version in names_in(folder):
            found.append(os.path.join(folder, version, "site-packages"))
    return found


def _distributions(site: str) -> str | None:
    """Return the state of a directory's distributions, None if one lies elsewhere."""
    try:
        folder = os.open(site, os.O_RDONLY)
    except OSError:
        return ""
    try:
        found = [site, *(_signature(name, folder) for name in (".", *_OF_PIP))]
        for name in os.listdir(folder):
            suffix = name[name.rfind(".") :].lower()
            if suffix in _ELSEWHERE:
                return None
            if suffix in _STARTING and not _is_plain_path_file(os.path.join(site, name), name):
                return None
            for part in _TELLING.get(suffix, ()):
                state = _signature(name + part, folder)
                if state == "-" and part == "/METADATA":
                    return None
                if name.startswith("pip-"):
                    # Making another environment adds a hard link to pip's files, which changes their ctime.
                    state = _digest((_content(os.path.join(site, name + part)) or state,))
                found += (name, state)
        return "\0".join(found)
    finally:
        os.close(folder)


def _is_plain_path_file(path: str, name: str) -> bool:
    """Return True if the file runs no code, which may look elsewhere."""
    stem, _, suffix = name.rpartition(".")
    if stem in _KNOWN_PATHS:
        return True
    content = _content(path)
    if suffix != "pth" or content is None:
        return False
    return b"import" not in content


def _content(path: str) -> bytes | None:
    """Return what a regular file holds, None if that is too much."""
    content = read_regular(path, _LARGEST + 1)
    if content is None or len(content) > _LARGEST:
        return None
    return content


def _digest(parts: Iterable[str | bytes | None]) -> str:
    """Return one digest of all parts, each with its length."""
    whole = blake2b(digest_size=20)
    for part in parts:
        if part is None:
            part = b"\0"  # noqa: PLW2901  where nothing could be read
        if isinstance(part, str):
            part = part.encode(sys.getfilesystemencoding(), "surrogateescape")  # noqa: PLW2901  the same, as bytes
        whole.update(b"%d:" % len(part) + part)
    return whole.hexdigest()
