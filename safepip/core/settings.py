"""Merge what variables and settings files say.

`TABLE` has a row for each setting. `help settings` and the tests read it.
"""

from __future__ import annotations

import os

from .pip_line import as_boolean
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Literal

    Level = Literal["system", "user", "project"]

_NOTHING: Mapping[str, Any] = {}
_LEVELS = ("system", "user", "project")
_FOREVER = 1e9  # seconds; more than the system's timers take
_LONGEST_SHOWN = 60  # characters of a value in a message


class Fault(Record):
    """What is wrong in a variable or file."""

    origin: str  # the variable's or file's name
    what: str
    line: int = 0  # counted from 1
    broken: bool = False  # the file is not TOML, so that the line may be one of many

    def __str__(self) -> str:
        return f"{_place(self.origin, self.line)}: {self.what}"


def _place(origin: str, line: int) -> str:
    if line:
        return f"{origin}:{line}"
    return origin


class Table(Record):
    """The parsed content of one settings file, or its `error`."""

    origin: str
    level: Level
    values: Mapping[str, object] = _NOTHING
    lines: Mapping[str, int] = _NOTHING
    error: Fault | None = None


class Settings(Record):
    """The value of every setting, with its origin.

    Paths are as the user wrote them: `~` is not expanded, nothing is resolved. `lock_timeout` is in
    seconds, None waits forever. `origins` pairs a key, spelled as in TOML, with the variable or the
    "file:line" that set it. Of the `warnings` those in `faults` stop `install` with 78.
    """

    scope: Literal["managed", "always"] = "managed"
    python: str | None = None
    env_dir: str = ".venv"
    system_site_packages: bool = False
    apps: tuple[str, ...] = ()
    libs: tuple[str, ...] = ()
    app_routing: Literal["auto", "explicit", "never"] = "auto"
    managed: tuple[str, ...] = ()
    unmanaged: tuple[str, ...] = ()
    outside_project: Literal["home", "cwd", "error"] = "home"
    manager_hint: bool = True
    lock_timeout: float | None = None
    env_redirect: bool = False
    fast: bool = True
    auto_repair: bool = False
    quiet: bool = False
    hints: bool = True
    prompt: bool = True
    save_style: Literal["compatible", "minimum"] = "compatible"
    trust: tuple[str, ...] = ()
    origins: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()


def merge(variables: Mapping[str, str], tables: Sequence[Table], project: str | None = None) -> Settings:
    """Return the settings in force: SAFEPIP_<KEY> > project > user > system.

    That holds for each key by itself: a value that is wrong, or that a project may not set, is reported, and the
    next lower one counts. `project` is the project's root, where known.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    faults = list(filter(None, [table.error for table in tables]))
    warnings = list(faults)
    for entry in _entries(variables, tables):
        complaint = _complaint(entry, project)
        if complaint is None:
            values[entry.key.replace("-", "_")] = _converted(entry, project)
            origins[entry.key] = _place(entry.origin, entry.line)
            continue
        fault = Fault(origin=entry.origin, line=entry.line, what=complaint)
        warnings.append(fault)
        if entry.key in ROWS:
            faults.append(fault)
    return Settings(**values, origins=tuple(origins.items()), warnings=tuple(warnings), faults=tuple(faults))


def origin_of(settings: Settings, key: str) -> str | None:
    """Return the variable or "file:line" that set `key`, or None."""
    return dict(settings.origins).get(key.replace("_", "-"))


def variable_name(key: str) -> str:
    """Return the name of the variable that sets `key`."""
    return "SAFEPIP_" + key.upper().replace("-", "_")


class _Entry(Record):
    """A key with the value that one place gives it."""

    key: str
    value: object
    origin: str
    line: int = 0
    level: Level | None = None  # None for a variable


def _entries(variables: Mapping[str, str], tables: Sequence[Table]) -> Iterator[_Entry]:
    """Yield what is set, the highest precedence last."""
    for table in sorted(tables, key=lambda table: _LEVELS.index(table.level)):
        for key, value in table.values.items():
            line = table.lines.get(key, 0)
            yield _Entry(key=key, value=value, origin=table.origin, line=line, level=table.level)
    for row in TABLE:
        name = variable_name(row.key)
        text = variables.get(name)
        if text:  # an empty variable counts as unset
            yield _Entry(key=row.key, value=row.kind.read(text), origin=name)


def _complaint(entry: _Entry, project: str | None) -> str | None:
    """Return why this entry cannot count, or None."""
    row = ROWS.get(entry.key)
    if row is None:
        return _unknown(entry.key)
    if entry.level == "project":
        forbidden = _forbidden_in_project(row, entry.value, project)
        if forbidden is not None:
            return forbidden
    return _misfit(row, entry.value)


def _unknown(key: str) -> str:
    complaint = f"unknown key {_printable(key)}"
    for known in ROWS:
        if _letters(known) == _letters(key):
            return f"{complaint} (did you mean {known}?)"
    return complaint


def _letters(key: str) -> list[str]:
    # Sorted, so that a key with two letters exchanged is found too.
    return sorted(key.replace("-", "").replace("_", "").lower())


def _forbidden_in_project(row: Row, value: object, project: str | None) -> str | None:
    """Return why a project's table may not say this, or None.

    A project can come from anybody, so it must not name executables or paths outside itself, and must not
    loosen what protects the user. A value that is not text is left to _misfit.
    """
    if row.users_only:
        return f"{row.key} is not for a project to set; it belongs in your own config.toml"
    if not isinstance(value, str):
        return None
    match row.key:
        case "scope" if value == "managed":
            return 'scope may only be "always" in a project'
        case "python" if not _is_version(value):
            return f'python may only be a version in a project, such as "3.12", not {_printable(value)}'
        case "env-dir" if _path_inside(value, project) is None:
            return f"env-dir must be central or a path inside the project, not {_printable(value)}"
    return None


def _misfit(row: Row, value: object) -> str | None:
    kind = row.kind
    if kind.fits(value):
        return None
    wanted = f"{row.key} must be {kind.wants}"
    if isinstance(value, list) and kind.fits([]):
        wrong = next(item for item in value if not kind.fits([item]))
        return f"{wanted}, and {_printable(wrong)} does not fit"
    return f"{wanted}, not {_printable(value)}"


def _converted(entry: _Entry, project: str | None) -> object:
    """Return the value as Settings holds it."""
    if isinstance(entry.value, list):
        return tuple(entry.value)
    if entry.key == "lock-timeout":
        assert isinstance(entry.value, int | float)
        return float(entry.value) if entry.value < _FOREVER else None
    if entry.key == "env-dir" and entry.level == "project":
        return _path_inside(str(entry.value), project)
    return entry.value


def _path_inside(path: str, project: str | None) -> str | None:
    """Return `path` relative to the project, or None outside it."""
    # By text alone, and alike on every system. Links within the project are for the caller to resolve.
    if path.startswith(("/", "\\", "~")):
        return None
    if ":" in path or not path.isprintable():  # a colon is Windows' drive, and splits PATH
        return None
    root = _walk([], project or "")
    if root is None:
        return None
    target = _walk(root, path)
    if target is None:
        return None
    if target[: len(root)] != root:
        return None
    return "/".join(target[len(root) :]) or None


def _walk(start: list[str], path: str) -> list[str] | None:
    """Return the folders along `path`, or None where it leads out."""
    way = list(start)
    for part in path.replace("\\", "/").split("/"):
        if part in {"", "."}:
            continue
        if part != "..":
            way.append(part)
        elif way:  # because `link/..` is not where it seems to be
            way.pop()
        else:
            return None
    return way


def _printable(value: object) -> str:
    """Return a value for a message, on one line and short."""
    if isinstance(value, str):
        if len(value) > _LONGEST_SHOWN:
            value = value[:_LONGEST_SHOWN] + "…"
        return repr(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        if abs(value) < _FOREVER:
            return str(value)
        return "that number"  # not a number, or one with more digits than Python prints
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):  # dotted keys may make one too deep for repr
        return "a table"
    return "a date or time"


# -- what values a key takes


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return value != "" and "\0" not in value


def _is_folder(value: object) -> bool:
    return _is_text(value) and os.path.normpath(str(value)) != os.curdir


def _is_version(value: str) -> bool:
    return value.isascii() and all(map(str.isdigit, value.split(".")))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    if isinstance(value, bool):  # which Python takes for an integer
        return False
    return isinstance(value, int | float) and value >= 0


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_name, value))


def _is_name(value: object) -> bool:
    # The packaging specification "Names and normalization".
    if not isinstance(value, str) or not value.isascii():
        return False
    letters = value.replace("-", "").replace("_", "").replace(".", "")
    return f"{value[:1]}{letters}{value[-1:]}".isalnum()


def _are_paths(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_absolute, value))


def _is_absolute(value: object) -> bool:
    # A relative path would be another path in every directory.
    if not _is_text(value):
        return False
    path = str(value)
    return path.startswith("~") or os.path.isabs(path)


def _read_flag(text: str) -> object:
    flag = as_boolean(text)
    if flag is None:
        return text  # which is reported as it is
    return flag


def _read_seconds(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _read_paths(text: str) -> object:
    return list(filter(None, text.split(os.pathsep)))


class Kind(Record):
    """What values a key takes."""

    wants: str  # in words
    fits: Callable[[object], bool]
    read: Callable[[str], object] = str  # of a variable


def _one_of(*choices: str) -> Kind:
    return Kind(wants=" or ".join(choices), fits=choices.__contains__)


class Row(Record):
    """One setting."""

    key: str  # as in TOML
    kind: Kind
    help: str  # one line
    users_only: bool = False  # a project may not set it

    @property
    def default(self) -> object:
        """Return the value in force where nobody sets it."""
        return getattr(_DEFAULTS, self.key.replace("-", "_"))


_FLAG = Kind(wants="true or false", fits=_is_flag, read=_read_flag)
_NAMES = Kind(wants="a list of names of packages", fits=_are_names, read=str.split)
_PATHS = Kind(wants="a list of absolute paths", fits=_are_paths, read=_read_paths)
_PYTHON = Kind(wants='text, such as "3.12"', fits=_is_text)
_FOLDER = Kind(wants="central or a folder", fits=_is_folder)
_SECONDS = Kind(wants="seconds, 0 or more", fits=_is_seconds, read=_read_seconds)


def _row(key: str, kind: Kind, help: str, *, users_only: bool = False) -> Row:  # noqa: A002
    return Row(key=key, kind=kind, help=help, users_only=users_only)


TABLE = (
    _row("scope", _one_of("managed", "always"), "act only on managed Pythons, or on all"),
    _row("python", _PYTHON, "which Python to use: a version such as 3.12, or a path"),
    _row("env-dir", _FOLDER, "name of new environments, or `central`: keep them in your data directory"),
    _row("system-site-packages", _FLAG, "new environments see the system's packages (GPIO, ROS, apt)"),
    _row("managed", _PATHS, "paths of interpreters to treat as managed", users_only=True),
    _row("unmanaged", _PATHS, "paths of interpreters to treat as not managed", users_only=True),
    _row("outside-project", _one_of("home", "cwd", "error"), "where to install outside any project"),
    _row("apps", _NAMES, "names of packages that pipx always installs"),
    _row("libs", _NAMES, "names of packages that pipx never installs"),
    _row("app-routing", _one_of("auto", "explicit", "never"), "when pipx installs an application"),
    _row("manager-hint", _FLAG, "say once how uv, Poetry, PDM and others record a dependency"),
    _row("lock-timeout", _SECONDS, "seconds to wait for another command in the same environment"),
    _row(
        "trust",
        _PATHS,
        "paths of environments, or their folders, to use even if others made them",
        users_only=True,
    ),
    _row("env-redirect", _FLAG, "write a `.venv` file that says where an environment kept elsewhere is"),
    _row("auto-repair", _FLAG, "rebuild a broken environment before the command that needs it"),
    _row("fast", _FLAG, "answer an install of what is already there without starting pip"),
    _row("quiet", _FLAG, "print only errors"),
    _row("hints", _FLAG, "say how to run what was installed"),
    _row("prompt", _FLAG, "shells show the environment that they activated in the prompt"),
    _row("save-style", _one_of("compatible", "minimum"), "how --save records a version: as ~=, or as >="),
)
ROWS = {row.key: row for row in TABLE}
_DEFAULTS = Settings()
