"""Find the system's own package of a requested one.

The marker of a managed Python often names the command to use instead of pip, with `xyz` for the package. That
command is suggested with the package's name in it; it is never guessed from the distribution. Only the package
lists on this machine are read, for a fraction of a second at most: nothing is started or downloaded.
"""

from __future__ import annotations

import fnmatch
import gzip
import os
import re
import shutil
import time
import zlib
from contextlib import closing

from safepip.core.requirement import Requirement, normalised_name, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping

    from safepip.core.plan import Create
    from safepip.system.observe import Context

    Clock = Callable[[], float]

# The placeholders of Debian, Homebrew and Arch.
_COMMAND = re.compile(
    r"\b((apt|apt-get|dnf|pacman|apk|brew) (?:install|-S|add)) ([a-z0-9.+-]*)(?:xyz|somepackage)\b"
)
_LONGEST_MARKER = 1 << 14  # bytes
_BLOCK = 1 << 20  # bytes of a list read at once
_OVERLAP = 1 << 10  # bytes of the last block looked at again: more than a name and what frames it
_PATIENCE = 0.25  # seconds to search


def offer(plan: Create, context: Context) -> str | None:
    """Return the line that names the system's package, or None."""
    if not context.ambient.terminal or not context.settings.hints:
        return None
    if context.quiet or plan.hint or context.named_environment:  # one hint is enough
        return None
    name = _only_name(context)
    interpreter = context.target.interpreter
    if name is None or interpreter is None or not context.managed:
        return None
    command = native_command(interpreter.marker, name, context.ambient.environ, context.ambient.home)
    if command is None:
        return None
    return f"the system has it too, for its own Python: {_as_root(command, context)}{command}"


def _as_root(command: str, context: Context) -> str:
    """Return `sudo ` for a user who needs it and has it."""
    if command.startswith("brew ") or context.ambient.user == 0:  # Homebrew refuses to be run as root
        return ""
    if shutil.which("sudo", path=context.ambient.environ.get("PATH", os.defpath)) is None:
        return ""
    return "sudo "


def _only_name(context: Context) -> str | None:
    """Return the one plain name that the line installs, else None."""
    line = context.command
    if any((line.r_files, line.editables, line.groups, line.scripts)):
        return None
    if len(line.requirements) != 1:
        return None
    (name,) = line.requirements
    wanted = parse(name)
    if wanted is None or wanted != Requirement(name=wanted.name):
        return None
    return name.strip()


def native_command(
    marker: str,
    name: str,
    environ: Mapping[str, str],
    home: str | None,
    *,
    root: str = os.sep,
    clock: Clock = time.monotonic,
) -> str | None:
    """Return the command that a marker file names, for the package `name`.

    Return None if it names none, if the lists on this machine, searched for below `root`, lack that package, or
    if it is installed.
    """
    named = _COMMAND.search(_text(marker))
    if named is None:
        return None
    command, manager, prefix = named.groups()
    spelt = (normalised_name(name), name.lower().replace("_", "-"))  # Debian keeps dots
    lists = _Lists(root, environ, home, clock)
    has: Mapping[str, Callable[[str], bool]] = {
        "apt": lists.apt, "apt-get": lists.apt, "dnf": lists.dnf, "pacman": lists.pacman, "apk": lists.apk,
        "brew": lists.brew,
    }  # fmt: skip
    try:
        for spelling in dict.fromkeys(spelt):
            package = prefix + spelling
            if has[manager](package):
                return f"{command} {package}"
    except (OSError, EOFError, ValueError, zlib.error):  # a list that cannot be read, or is damaged
        return None
    return None


def _text(marker: str) -> str:
    """Return the marker's text, with single spaces."""
    try:
        with open(marker, "rb") as file:
            return " ".join(file.read(_LONGEST_MARKER).decode("utf-8", "replace").split())
    except OSError:
        return ""


class _Lists:
    """The package lists on a machine.

    Each public method returns True if a package is listed and not installed.
    """

    def __init__(self, root: str, environ: Mapping[str, str], home: str | None, clock: Clock) -> None:
        self.root = root
        self.environ = environ
        self.home = home
        self.clock = clock
        self.until = clock() + _PATIENCE

    def apt(self, package: str) -> bool:
        """Look into Debian's lists."""
        if self._matching("var/lib/dpkg/info", f"{package}.list", f"{package}:*.list"):
            return False
        # Debian's images compress theirs with lz4, which Python cannot read.
        lists = self._matching("var/lib/apt/lists", "*_Packages", "*_Packages.gz")
        return self._holds(lists, f"\nPackage: {package}\n")

    def dnf(self, package: str) -> bool:
        """Look into what dnf 4 keeps for completion: rows such as `python3-flask-1:2.2.3-1.fc38.noarch`."""
        import sqlite3  # noqa: PLC0415  not every Python has it

        for path in self._matching("var/cache/dnf", "packages.db"):
            with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
                try:
                    is_installed = _has_row(database, "installed", package)
                    is_available = _has_row(database, "available", package)
                except sqlite3.Error:
                    return False
            return is_available and not is_installed
        return False

    def pacman(self, package: str) -> bool:
        """Look into archives that hold a folder `python-flask-3.0.3-1/` for each package."""
        for path in self._matching("var/lib/pacman/local", "*"):
            if _is_build(os.path.basename(path), package):
                return False
        build = re.compile(b"\0" + re.escape(package.encode()) + rb"-[^-/\0]+-[^-/\0]+/")
        return self._holds(self._matching("var/lib/pacman/sync", "*.db"), f"\0{package}-", build)

    def apk(self, package: str) -> bool:
        """Look into Alpine's indexes, which `apk add --no-cache` does not keep."""
        line = f"\nP:{package}\n"
        installed = self._matching("lib/apk/db", "installed") + self._matching("usr/lib/apk/db", "installed")
        if self._holds(installed, line):
            return False
        index = "APKINDEX.*.tar.gz"
        lists = self._matching("var/cache/apk", index) + self._matching("etc/apk/cache", index)
        return self._holds(lists, line)

    def brew(self, package: str) -> bool:
        """Look into Homebrew's list of names, a name a line."""
        caches = [self.environ.get("HOMEBREW_CACHE", "")]
        if self.home:
            caches.append(os.path.join(self.home, "Library/Caches/Homebrew"))
            caches.append(os.path.join(self.home, ".cache/Homebrew"))
        lists: list[str] = []
        for cache in filter(None, caches):
            lists += self._matching(f"{cache}/api", "formula_names.txt")
        return self._holds(lists, f"\n{package}\n")

    def _matching(self, folder: str, *patterns: str) -> list[str]:
        """Return the files in `folder` whose names match a pattern."""
        at = os.path.join(self.root, folder)  # Homebrew's caches are absolute
        if not os.path.isdir(at):
            return []
        names = os.listdir(at)
        found: list[str] = []
        for pattern in patterns:
            found += [os.path.join(at, name) for name in fnmatch.filter(names, pattern)]
        return found

    def _holds(self, paths: list[str], text: str, build: re.Pattern[bytes] | None = None) -> bool:
        """Return True if a file has `text`, and the `build` there."""
        sought = text.encode()
        for path in paths:
            for block in self._blocks(path, sought[:1]):
                if sought not in block:
                    continue
                if build is None or build.search(block):
                    return True
        return False

    def _blocks(self, path: str, end: bytes) -> Iterator[bytes]:
        """Yield the unpacked content in overlapping blocks, until time is up."""
        if not os.path.isfile(path):
            return
        with open(path, "rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_packed else open(path, "rb") as content:
            while self.clock() < self.until:
                block = content.read(_BLOCK)
                if not block:
                    return
                yield end + block
                end = block[-_OVERLAP:]


def _has_row(database: sqlite3.Connection, table: str, package: str) -> bool:
    rows = database.execute(f"SELECT pkg FROM {table} WHERE pkg GLOB ?", (f"{package}-*",))  # noqa: S608  two fixed names
    return any(_is_build(name, package) for (name,) in rows)


def _is_build(name: str, package: str) -> bool:
    """Return True for the package's name, a version and a release."""
    version_and_release = name.removeprefix(f"{package}-")
    return version_and_release != name and version_and_release.count("-") == 1
