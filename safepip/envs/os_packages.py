"""What the system's own packager calls the package that was asked for, where the lists on this machine have it.

The marker of a managed Python often names the command to use instead of pip, `xyz` standing for the package.
That command is offered with the package's name in it, never one guessed from the distribution. Only files that
are there already are read, for a fraction of a second at most: nothing is started and nothing fetched.
"""

from __future__ import annotations

import gzip
import os
import re
import time
import zlib
from contextlib import closing
from fnmatch import fnmatch

from safepip.core.requirement import normalised_name, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from safepip.core.plan import Create
    from safepip.system.observe import Context

    Clock = Callable[[], float]

# In the words of Debian, Homebrew and Arch; Alpine's placeholder is another one.
_COMMAND = re.compile(
    r"\b((apt|apt-get|dnf|pacman|apk|brew) (?:install|-S|add)) ([a-z0-9.+-]*)(?:xyz|somepackage)\b"
)
_LONGEST_MARKER = 1 << 14  # bytes
_BLOCK = 1 << 20  # bytes of a list read at once
_OVERLAP = 1 << 10  # bytes of the last block looked at again: more than a name and what frames it
_PATIENCE = 0.25  # seconds; what has not been found by then is not looked for


def offer(plan: Create, context: Context) -> str | None:
    """Return the line on the system's own package of the one that is asked for, or None where there is none.

    It is for people at a terminal who want hints, and where no other hint is given.
    """
    interpreter, name = context.target.interpreter, _only_name(context)
    wanted = context.ambient.terminal and context.settings.hints and not context.quiet
    if not wanted or plan.hint or context.named or name is None or interpreter is None or not context.managed:
        return None
    command = native_command(interpreter.marker, name, context.ambient.environ, context.ambient.home)
    return command and f"the system has it too, for its own Python: {command}"


def _only_name(context: Context) -> str | None:
    """Return the one plain name that is to be installed, or None if it is anything else, or more."""
    line = context.command
    if any((line.r_files, line.editables, line.groups, line.scripts)) or len(line.requirements) != 1:
        return None
    (name,) = line.requirements
    wanted = parse(name)
    is_bare = wanted is not None and not (wanted.extras or wanted.specifier or wanted.marker)
    return name.strip() if is_bare else None


def native_command(
    marker: str,
    name: str,
    environ: Mapping[str, str],
    home: str | None,
    *,
    root: str = os.sep,
    clock: Clock = time.monotonic,
) -> str | None:
    """Return what the marker at the path `marker` says to type for the package `name`, or None.

    None too where the lists of this machine, looked for below `root`, do not have that package, or it is
    installed already. Distributions write names as PEP 503 normalises them, but for Debian's dots.
    """
    named = _COMMAND.search(_text(marker))
    if named is None:
        return None
    command, manager, prefix = named.groups()
    spelt = (normalised_name(name), name.lower().replace("_", "-"))
    lists = _Lists(root, environ, home, clock)
    has: Mapping[str, Callable[[str], bool]] = {
        "apt": lists.apt, "apt-get": lists.apt, "dnf": lists.dnf, "pacman": lists.pacman, "apk": lists.apk,
        "brew": lists.brew,
    }  # fmt: skip
    try:
        found = next(filter(has[manager], [prefix + one for one in dict.fromkeys(spelt)]), None)
    except (OSError, EOFError, ValueError, zlib.error):  # a list that cannot be read, or is damaged
        return None
    return found and f"{command} {found}"


def _text(marker: str) -> str:
    """Return what the marker says, with single spaces."""
    try:
        with open(marker, "rb") as file:
            return " ".join(file.read(_LONGEST_MARKER).decode("utf-8", "replace").split())
    except OSError:
        return ""


class _Lists:
    """The lists of packages that a machine has; a method tells whether one is listed there and not installed."""

    def __init__(self, root: str, environ: Mapping[str, str], home: str | None, clock: Clock) -> None:
        self.root = root
        self.environ = environ
        self.home = home
        self.clock = clock
        self.until = clock() + _PATIENCE

    def apt(self, package: str) -> bool:
        """Look into Debian's lists; those of its images are compressed with lz4, which Python cannot read."""
        if self._matching("var/lib/dpkg/info", f"{package}.list", f"{package}:*.list"):
            return False
        lists = self._matching("var/lib/apt/lists", "*_Packages", "*_Packages.gz")
        return self._holds(lists, f"\nPackage: {package}\n")

    def dnf(self, package: str) -> bool:
        """Look into what dnf 4 keeps for completion: rows such as `python3-flask-1:2.2.3-1.fc38.noarch`."""
        import sqlite3  # noqa: PLC0415  not every Python has it

        of_package = "SELECT pkg FROM {} WHERE pkg GLOB ?"
        for path in self._matching("var/cache/dnf", "packages.db"):
            with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
                try:
                    there, listed = (
                        [name for (name,) in database.execute(of_package.format(table), (f"{package}-*",))]
                        for table in ("installed", "available")
                    )
                except sqlite3.Error:
                    return False
            return not any(_is_build(name, package) for name in there) and any(
                _is_build(name, package) for name in listed
            )
        return False

    def pacman(self, package: str) -> bool:
        """Look into archives that hold a folder `python-flask-3.0.3-1/` for each package."""
        if any(_is_build(os.path.basename(path), package) for path in self._matching("var/lib/pacman/local", "*")):
            return False
        build = re.compile(b"\0" + re.escape(package.encode()) + rb"-[^-/\0]+-[^-/\0]+/")
        return self._holds(self._matching("var/lib/pacman/sync", "*.db"), f"\0{package}-", build)

    def apk(self, package: str) -> bool:
        """Look into Alpine's indexes, where they are kept (`apk add --no-cache` keeps none)."""
        line = f"\nP:{package}\n"
        installed = [
            path for place in ("lib", "usr/lib") for path in self._matching(f"{place}/apk/db", "installed")
        ]
        places = ("var/cache/apk", "etc/apk/cache")
        lists = [path for place in places for path in self._matching(place, "APKINDEX.*.tar.gz")]
        return not self._holds(installed, line) and self._holds(lists, line)

    def brew(self, package: str) -> bool:
        """Look into Homebrew's list of names, a name a line."""
        caches = [self.environ.get("HOMEBREW_CACHE", "")]
        if self.home:
            caches += [os.path.join(self.home, place, "Homebrew") for place in ("Library/Caches", ".cache")]
        lists = [path for cache in caches if cache for path in self._matching(f"{cache}/api", "formula_names.txt")]
        return self._holds(lists, f"\n{package}\n")

    def _matching(self, folder: str, *patterns: str) -> list[str]:
        """Return the files in `folder`, below the root unless absolute, whose names fit one of the patterns."""
        at = os.path.join(self.root, folder)
        names = os.listdir(at) if os.path.isdir(at) else []
        return [os.path.join(at, name) for name in names if any(fnmatch(name, pattern) for pattern in patterns)]

    def _holds(self, paths: list[str], text: str, build: re.Pattern[bytes] | None = None) -> bool:
        """Tell whether `text`, and the `build` that it begins, is in one of the files, if there is time."""
        sought = text.encode()
        blocks = (block for path in paths for block in self._blocks(path, sought[:1]))
        return any(sought in block and (build is None or build.search(block) is not None) for block in blocks)

    def _blocks(self, path: str, end: bytes) -> Iterator[bytes]:
        """Yield what the file holds, unpacked, in blocks: each begins with the `end` of the one before it."""
        if not os.path.isfile(path):
            return
        with open(path, "rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_packed else open(path, "rb") as content:
            while self.clock() < self.until and (block := content.read(_BLOCK)):
                yield end + block
                end = block[-_OVERLAP:]


def _is_build(name: str, package: str) -> bool:
    """Tell whether `name` is the package's, with version and release behind it, which hold no dash."""
    return name.startswith(f"{package}-") and name[len(package) + 1 :].count("-") == 1
