"""Read the tables that hold settings: system's, user's and project's.

safepip stands before every pip call, so TOML's parser (15 ms) is loaded only where a file holds a table.
"""

from __future__ import annotations

import os
import stat  # which os has loaded
import sys

from safepip.core.settings import Fault, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from safepip.core.settings import Level

SYSTEM = "/etc/safepip/config.toml"
LARGEST = 1 << 20  # bytes; no settings file is that large, but what a project holds may be
_MOST_DOTS = 1000  # in a line; tomllib takes minutes for a key of very many parts, tomli has this same limit
_WORD = b"safepip"
_BASE = ("tool", "safepip")
# The ASCII letters, as escapes in a quoted key may spell them; \x is TOML 1.1.
_ESCAPED_LETTERS = (b"\\u006", b"\\u007", b"\\U0000006", b"\\U0000007", b"\\x6", b"\\x7")


def tables(
    environ: Mapping[str, str],
    home: str,
    root: str | None,
    *,
    platform: str = sys.platform,
    system: str = SYSTEM,
) -> tuple[Table, ...]:
    """Return one table a place, the system's first.

    It is empty without a file. `root` is the project's, None outside of any. Windows has no place for the whole
    system. A user's or the system's file that exists but cannot be read is an error; a project's counts as absent.
    """
    found = []
    if platform != "win32":
        found.append(_own(system, "system"))
    user = user_file(environ, home, platform=platform)
    if os.path.isabs(user):  # without a home it would be a file of the working directory's
        found.append(_own(user, "user"))
    if root is not None:
        found.append(_project(os.path.join(root, "pyproject.toml")))
    return tuple(found)


def user_file(environ: Mapping[str, str], home: str, *, platform: str = sys.platform) -> str:
    """Return where the user's settings are, whether they exist or not."""
    if platform == "win32":
        folder = environ.get("APPDATA") or os.path.join(home, "AppData", "Roaming")
        return os.path.join(folder, "safepip", "config.toml")
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):  # unset, empty, or what the XDG specification says to ignore
        folder = os.path.join(home, ".config")
        native = os.path.join(home, "Library", "Application Support")
        # Data and state lie in the same folder on macOS: only a file of settings tells where the user keeps them.
        if platform == "darwin" and os.path.lexists(os.path.join(native, "safepip", "config.toml")):
            folder = native
    return os.path.join(folder, "safepip", "config.toml")


def _own(path: str, level: Level) -> Table:
    """Return the table that a file of safepip's is."""
    data, problem = _content(path)
    if problem is not None:
        return Table(origin=path, level=level, error=Fault(origin=path, what=problem))
    if all(line.lstrip()[:1] in {b"", b"#"} for line in data.splitlines()):  # without the parser
        return Table(origin=path, level=level)
    values, error = parse(data, path)
    return Table(origin=path, level=level, values=values, lines=_lines(data, ()), error=error)


def _project(path: str) -> Table:
    """Return the [tool.safepip] of a pyproject.toml."""
    # Broken TOML matters only where it may hold the table.
    data, _problem = _content(path)
    if not may_hold_table(data):
        return Table(origin=path, level="project")
    document, error = parse(data, path)
    tool = document.get("tool")
    values = tool.get("safepip", {}) if isinstance(tool, dict) else {}
    if not isinstance(values, dict):
        return Table(origin=path, level="project", error=Fault(origin=path, what="tool.safepip must be a table"))
    return Table(origin=path, level="project", values=values, lines=_lines(data, _BASE), error=error)


def _content(path: str) -> tuple[bytes, str | None]:
    """Return a file's bytes, empty if absent, and why it is unreadable."""
    try:
        # Opening a FIFO would wait for its writer, a terminal could become the controlling one.
        quick = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
        file = os.open(path, os.O_RDONLY | quick)
        try:
            return _regular(file)
        finally:
            os.close(file)
    except (FileNotFoundError, NotADirectoryError):
        return b"", None
    except OSError as error:
        if not os.path.lexists(path):  # a home that this user may not enter holds no settings of this user
            return b"", None
        return b"", f"cannot be read: {error.strerror}"


def _regular(file: int) -> tuple[bytes, str | None]:
    mode = os.fstat(file).st_mode
    if stat.S_ISCHR(mode):  # a link to /dev/null, which means: none
        return b"", None
    if not stat.S_ISREG(mode):
        return b"", "cannot be read: not a regular file"
    data = b""
    while len(data) <= LARGEST:
        more = os.read(file, LARGEST + 1 - len(data))
        if not more:
            return data, None
        data += more
    return b"", "cannot be read: larger than 1 MiB"


def may_hold_table(data: bytes) -> bool:
    """Return False only if a pyproject.toml cannot hold the table.

    Nothing is parsed. A key is spelled bare, quoted, or quoted with escapes. Blanks aside, it is followed by `.`,
    `=` or `]`, and begins a line or follows `.`, `{` or `,`. So `"safepip>=1"` in a list of dependencies, a
    comment or a project's name does not load the parser; what looks like a key within a text does.
    """
    at = data.find(_WORD)
    while at >= 0:
        if _is_key(data, at):
            return True
        at = data.find(_WORD, at + 1)
    return any(text in data for text in _ESCAPED_LETTERS)


def _is_key(data: bytes, start: int) -> bool:
    end = start + len(_WORD)
    quote = data[max(start - 1, 0) : start]
    if quote in {b'"', b"'"}:
        if data[end : end + 1] != quote:
            return False
        start, end = start - 1, end + 1
    # Only so many blanks are skipped, so that a large file is not walked again and again.
    before = data[max(start - 100, 0) : start].rstrip(b" \t")[-1:]
    after = data[end : end + 100].lstrip(b" \t")[:1]
    if after in {b"]", b"\n", b"\r"}:  # a header, even one that is broken
        return before in {b"", b"."}
    if after not in {b"", b".", b"="}:
        return False
    return before in {b"", b"\n", b".", b"{", b","}


def parse(data: bytes, path: str) -> tuple[dict[str, Any], Fault | None]:
    """Return the TOML document, and where it is broken."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    for number, text in enumerate(data.split(b"\n"), start=1):
        if text.count(b".") > _MOST_DOTS:
            return {}, Fault(origin=path, line=number, what=f"more than {_MOST_DOTS} dots in one line")
    try:
        return tomllib.loads(data.decode()), None
    except UnicodeDecodeError as error:
        return {}, _broken(path, "not UTF-8", data.count(10, 0, error.start) + 1)
    except RecursionError:
        return {}, _broken(path, "nested too deeply")
    except ValueError as error:  # a TOMLDecodeError, or a number with more digits than Python reads
        reason, _, position = str(error).partition(" (at line ")
        return {}, _broken(path, reason, int(position.partition(",")[0] or 0))


def _broken(path: str, reason: str, line: int = 0) -> Fault:
    return Fault(origin=path, line=line, what=f"broken TOML: {reason}", broken=True)


def _lines(data: bytes, base: tuple[str, ...]) -> dict[str, int]:
    """Return the line of each key of the table `base`."""
    # For messages only, so well-kept files must do, without a parser.
    lines: dict[str, int] = {}
    header: tuple[str, ...] = ()
    for number, line in enumerate(data.decode(errors="replace").split("\n"), start=1):
        text = line.strip()
        if text.startswith("["):
            header = key = _parts(text.partition("]")[0].lstrip("["))
        elif "=" in text and not text.startswith("#"):
            key = header + _parts(text.partition("=")[0])
        else:
            continue
        if key[: len(base)] == base and len(key) > len(base):
            lines.setdefault(key[len(base)], number)
    return lines


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
