"""EDGE  pip's answer to an install that it found satisfied, repeated while nothing has changed that counts.

Everything that pip's answer depends on goes into one digest: the line, the files that it names, pip's
configuration, what is installed. runner.py keeps what pip printed, under that digest, where pip changed nothing
and said nothing on stderr. Where anything is not plain there is no digest, and pip is asked: being slow is
better than being wrong. On the way of every install, so `os` and little else must do.
"""

from __future__ import annotations

import os
import sys

try:
    from _blake2 import blake2b  # hashlib loads OpenSSL, which costs more than all the rest
except ImportError:  # a PYTHONHOME of another Python's, say, which the environment's will not have
    blake2b = None  # type: ignore[assignment, misc]  # there is no answer without pip then

from safepip import __version__
from safepip.core.pip_line import normalised
from safepip.core.record import Record
from safepip.core.requirement import parse
from safepip.system import pip_config
from safepip.system.environment import names_in

from .journal import JOURNAL
from .requirements import nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from safepip.core.plan import Handover
    from safepip.system.observe import Context

SATISFIED = os.path.join(".safepip", "satisfied")
_SLOTS = 64  # so many answers are kept in an environment
_LARGEST = 1 << 20  # bytes of a file that is read
_MOST_FILES = 64
_REGULAR = 0o100000
_BROKEN = 120

# pip's options that neither add to what is wanted nor keep what is installed from being enough: these say where
# packages would come from, and how pip looks.
_HARMLESS = frozenset((
    "cache-dir", "cert", "client-cert", "compile", "default-timeout", "disable-pip-version-check",
    "exists-action", "extra-index-url", "find-links", "index-url", "keyring-provider", "no-binary",
    "no-build-isolation", "no-cache-dir", "no-clean", "no-color", "no-compile", "no-dependencies", "no-deps",
    "no-index", "no-input", "no-proxy-env", "no-python-version-warning", "no-user", "no-warn-conflicts",
    "no-warn-script-location", "only-binary", "prefer-binary", "progress-bar", "proxy", "pypi-url", "quiet",
    "require-hashes", "require-venv", "require-virtualenv", "retries", "root-user-action", "timeout",
    "trusted-host", "use-pep517", "user",
))  # fmt: skip
_ON_LINE = _HARMLESS | {"requirement", "constraint", "isolated"}
_IN_VARIABLES = _HARMLESS | {"requirement", "constraint", "config-file"}
_IN_FILES = _HARMLESS - {"cache-dir"}  # whether that can be written to is not looked up there
_FORBIDDEN = ("PYTHONPATH", "PYTHONHOME", "PYTHONPLATLIBDIR")  # these bring modules, and so distributions, along
_COUNTING = ("PIP_", "PYTHON", "LC_", "XDG_")
_COUNTING_TOO = frozenset((
    "HOME", "LANG", "LANGUAGE", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JUPYTER_COLUMNS", "JUPYTER_LINES", "USER", "SUDO_UID",
))  # fmt: skip
# What tells one state of a distribution from another: pip writes a dist-info (PEP 376) anew as a whole.
_TELLING = {".dist-info": ("/METADATA",), ".egg-info": ("", "/PKG-INFO", "/requires.txt")}
_OF_PIP = ("pip", "pip/_internal", "pip/_vendor")  # where one of its folders is gone, pip fails
_KNOWN_PATHS = ("distutils-precedence.pth", "_virtualenv.pth")  # of setuptools and virtualenv


class Question(Record):
    """What pip is asked: its `digest`, the `slot` that keeps the answer, and how each file was that counts.

    The first `read` of the files are those that are asked for by name. A slot that ends in "q" may keep an empty
    answer.
    """

    slot: str
    digest: str
    read: int
    files: tuple[str, ...]

    @property
    def variable(self) -> str:
        """Return the question as runner.py reads it: a line each."""
        return "\n".join((self.slot, self.digest, str(self.read), *self.files))


class Asker:
    """What is asked at a line, worked out as far as it takes: the files that it names are read at most twice."""

    def __init__(self, handover: Handover, context: Context) -> None:
        self.context = context
        self.environment = handover.environment or ""
        self.line = (*_line(handover, context), *_surroundings(context))
        ambient, prefix = context.ambient, self.environment
        places = pip_config.paths(ambient.environ, ambient.home, platform=ambient.platform, site_prefix=prefix)
        own = (*places, os.path.join(prefix, "pyvenv.cfg"), *_sites(prefix))
        self.before = tuple(f"{signature(path)} {path}" for path in own)  # what is read below is not older
        self.installed = _installed(prefix)
        self.configuration = _configuration(places)

    @property
    def slot(self) -> str:
        """Return the name of the file that keeps the answer; one that ends in "q" may be empty."""
        return f"{int(_digest(self.line)[:8], 16) % _SLOTS:02d}{'q' if self.context.command.quiet else ''}"

    def digest(self, files: Iterable[tuple[str, bytes]]) -> str:
        """Return what tells this question, with these requirements files, from any other."""
        read = (part for file in (*(self.configuration or ()), *files) for part in file)
        return _digest((*self.line, "", *read, "", self.installed or ""))

    def answer(self) -> bytes | None:
        """Return what pip printed when it was last asked the same, or None.

        That its files are what they were tells that they name the same files: they need not be looked through.
        None too while a change is at work, or was killed there: what is installed may not be whole.
        """
        if os.path.lexists(os.path.join(self.environment, JOURNAL)):
            return None
        kept = _content(os.path.join(self.environment, SATISFIED, self.slot)) or b""
        digest, _, rest = kept.partition(b"\n")
        count, _, rest = rest.partition(b"\n")
        *paths, printed = rest.split(b"\n", int(count)) if count.isdigit() and len(count) < 4 else [b""]
        files = [(path, _content(path)) for path in map(os.fsdecode, paths)]
        read = [(path, content) for path, content in files if content is not None]
        return printed if len(read) == len(files) and digest == self.digest(read).encode() else None

    def question(self) -> Question | None:
        """Return what pip is about to be asked, None where a file is not plain."""
        command = self.context.command
        asked = (*command.r_files, *command.constraints)
        files = _requirement_files(asked)
        if files is None or self.configuration is None:
            return None
        named = tuple(f"{signature(path)} {path}" for path, _ in files)
        counting = (*named, *self.before)
        if any("\n" in line for line in counting) or files != _requirement_files(asked):
            return None
        return Question(slot=self.slot, digest=self.digest(files), read=len(named), files=counting)


def ask(handover: Handover, context: Context) -> Asker | None:
    """Return who asks what pip would be asked, or None where its answer cannot be foretold."""
    if handover.environment is None or os.name == "nt" or blake2b is None or not _is_plain_line(context):
        return None
    asker = Asker(handover, context)
    return None if asker.installed is None or asker.configuration is None else asker


def repeat(printed: bytes) -> int | None:
    """Write pip's answer to stdout; return its exit code, None where nothing can be written: pip is to say why.

    Where the reader goes away half way it ends as pip does (`BrokenStdoutLoggingError`, then Python's own 120).
    """
    written = 0
    try:
        while written < len(printed):
            written += os.write(1, printed[written:])
    except OSError:
        return _BROKEN if written else None
    return 0


def signature(path: str) -> str:
    """Return what tells whether a file has been written or exchanged; runner.py looks again when pip has ended."""
    try:
        stat = os.stat(path)
    except OSError:
        return "-"
    return f"{stat.st_ino}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_size}"


def _is_plain_line(context: Context) -> bool:
    """Tell whether the line asks for names alone, and no variable for more than that."""
    command, environ = context.command, context.ambient.environ
    unclear = command.outcome != "ok" or command.editables or command.groups or command.scripts or command.upgrade
    if unclear or command.subcommand != "install" or context.ambient.cwd is None:
        return False
    given = [(option[2:], value or "") for option, _, value in command.options]
    set_so = [(normalised(name[4:]), value) for name, value in environ.items() if name.startswith("PIP_")]
    if not (
        _ON_LINE.issuperset(name for name, _ in given) and _IN_VARIABLES.issuperset(name for name, _ in set_so)
    ):
        return False
    if not all(_is_plain_value(*pair) for pair in (*given, *set_so)):
        return False
    return not any(name in environ for name in _FORBIDDEN) and all(map(parse, command.requirements))


def _is_plain_value(key: str, value: str) -> bool:
    """Tell whether pip takes the value as it is: `~` in a place of packages is a home only where that exists."""
    return key != "find-links" or "~" not in value


def _line(handover: Handover, context: Context) -> Iterator[str]:
    """Yield what is typed, where, and in what name."""
    yield __version__
    yield from handover.argv
    yield handover.program
    for name, value in handover.changes:
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
    yield from (_rights(path) for path in _caches(context))


def _caches(context: Context) -> Iterator[str]:
    """Yield pip's cache folders: pip warns of one that it may not write to."""
    environ, home = context.ambient.environ, context.ambient.home or os.sep
    yield os.path.join(environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "pip")
    yield environ.get("PIP_CACHE_DIR", os.sep)
    yield from (value for option, _, value in context.command.options if option == "--cache-dir" and value)


def _rights(path: str) -> str:
    path = os.path.abspath(path)
    while not os.path.exists(path) and path != os.sep:
        path = os.path.dirname(path)
    return f"{os.stat(path).st_uid} {os.access(path, os.W_OK)}"


def _configuration(places: Iterable[str]) -> list[tuple[str, bytes]] | None:
    """Return path and content of pip's configuration files, None where one is not plain."""
    found = []
    for path in places:
        if os.path.lexists(path):
            content = _content(path)
            if content is None or not _is_plain_configuration(content):
                return None
            found.append((path, content))
    return found


def _requirement_files(asked: Iterable[str]) -> list[tuple[str, bytes]] | None:
    """Return the files, and those that they name in turn, each relative to the one before (as pip has it)."""
    found: dict[str, bytes] = {}
    paths = list(asked)
    while paths:
        path = paths.pop()
        if path in found:
            continue
        content = None if _leads_elsewhere(path) else _content(path)
        inner = nested(content) if content is not None else None
        if content is None or inner is None or len(found) == _MOST_FILES:
            return None
        found[path] = content
        paths.extend(os.path.join(os.path.dirname(path), name) for name in inner)
    return list(found.items())


def _leads_elsewhere(path: str) -> bool:
    """Tell whether it may be a URL to pip, or a lock file (PEP 751) and no list of requirements."""
    return ":" in path or os.path.basename(path).startswith("pylock")


def _is_plain_configuration(content: bytes) -> bool:
    """Tell whether one of pip's configuration files holds nothing but harmless keys, each in one line."""
    for line in content.decode("latin-1").splitlines():
        text = line.strip()
        if not text or text[0] in "#;" or (text[0] == "[" and text[-1] == "]" and "DEFAULT" not in text):
            continue
        name, equals, value = line.replace(":", "=", 1).partition("=")
        key = normalised(name.strip())
        if line[0].isspace() or not equals or key not in _IN_FILES or not _is_plain_value(key, value):
            return False
    return True


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
    """Tell whether it is of a virtual environment (PEP 405) that leaves the system's packages out."""
    lines = (_content(configuration) or b"").lower().splitlines()
    pairs = {key.strip(): value.strip() for key, _, value in (line.partition(b"=") for line in lines)}
    return b"home" in pairs and pairs.get(b"include-system-site-packages") == b"false"


def _sites(environment: str) -> list[str]:
    """Return the folders of distributions; a `lib64` that is a link says nothing new."""
    libraries = (os.path.join(environment, name) for name in ("lib", "lib64"))
    folders = (library for library in libraries if not os.path.islink(library))
    return [os.path.join(folder, name, "site-packages") for folder in folders for name in names_in(folder)]


def _distributions(site: str) -> str | None:
    """Return a text for the folder and for each distribution or path file in it; None where one lies elsewhere."""
    try:
        names, folder = os.listdir(site), os.open(site, os.O_RDONLY)
    except OSError:
        return ""
    try:
        found = [site, _state(".", folder), *(_state(name, folder) for name in _OF_PIP)]
        for name in names:
            suffix = name[name.rfind(".") :].lower()
            if suffix in {".egg", ".egg-link"}:
                return None
            if suffix == ".pth":
                if not _is_plain_path_file(os.path.join(site, name), name):
                    return None
                found += (name, _state(name, folder))
            for part in _TELLING.get(suffix, ()):
                found += (name, _state(name + part, folder))
                if part == "/METADATA" and found[-1] == "-":
                    return None
        return "\0".join(found)
    finally:
        os.close(folder)


def _is_plain_path_file(path: str, name: str) -> bool:
    """Tell whether a path file runs no code, which may lead elsewhere another time."""
    content = _content(path)
    return name in _KNOWN_PATHS or (content is not None and b"import" not in content)


def _state(name: str, folder: int) -> str:
    """Return what tells whether an entry has been written or exchanged.

    A hard link more, as pip's files get with every environment that is made, is no change of it.
    """
    try:
        stat = os.stat(name, dir_fd=folder)
    except OSError:
        return "-"
    changed = stat.st_ctime_ns if stat.st_nlink == 1 else 0
    return f"{stat.st_ino} {stat.st_mtime_ns} {stat.st_size} {changed}"


def _content(path: str) -> bytes | None:
    """Return what a regular file holds; None for what is none, is too large, or cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except (OSError, ValueError):
        return None
    try:
        stat = os.fstat(descriptor)
        if stat.st_mode & 0o170000 != _REGULAR or stat.st_size > _LARGEST:
            return None
        content = os.read(descriptor, _LARGEST + 1)
        return content if len(content) == stat.st_size else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _digest(parts: Iterable[str | bytes]) -> str:
    """Return one digest of all parts, none of which can run into the next."""
    whole = blake2b(digest_size=20)
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode(sys.getfilesystemencoding(), "surrogateescape")
        whole.update(b"%d:" % len(data) + data)
    return whole.hexdigest()
