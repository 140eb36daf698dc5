"""PURE  settle what the user's variables and the settings files' tables say; each value knows its origin.

Section 10 of the contract. Nothing here reads a file, the environment or the clock.
"""

from __future__ import annotations

import os

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Literal

    Level = Literal["system", "user", "project"]

_NOTHING: Mapping[str, Any] = {}
_LEVELS = ("system", "user", "project")
_TRUE = ("y", "yes", "t", "true", "on", "1")
_FALSE = ("n", "no", "f", "false", "off", "0")
_FOR_EVER = 1e9  # seconds; beyond what the system's timers take, and no one waits for it


class Fault(Record):
    """What is wrong with what a place says: `origin` is a variable or a file, `line` there from 1 on, else 0.

    `broken` tells that the file is no TOML, so that the line may be one of many. As text it is one line.
    """

    origin: str
    what: str
    line: int = 0
    broken: bool = False

    def __str__(self) -> str:
        return f"{_where(self.origin, self.line)}: {self.what}"


def _where(origin: str, line: int) -> str:
    return f"{origin}:{line}" if line else origin


class Table(Record):
    """What one settings file says, already parsed, or the `error` that it has as a whole."""

    origin: str
    level: Level
    values: Mapping[str, object] = _NOTHING
    lines: Mapping[str, int] = _NOTHING
    error: Fault | None = None


class Settings(Record):
    """Every setting of section 10, and how it came to be so.

    Paths are as the user wrote them: `~` is not expanded, nothing is resolved. `lock_timeout` is in
    seconds, None waits for ever. `origins` pairs a key, spelled as in TOML, with the variable or the
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
    trust: tuple[str, ...] = ()
    origins: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()


def settle(variables: Mapping[str, str], tables: Sequence[Table], project: str | None = None) -> Settings:
    """Return the settings in force: SAFEPIP_<KEY> > project > user > system, each key by itself.

    A value that is wrong or not the project's to set is reported and skipped, so the next lower one
    stands. Lists replace each other, they are not joined. `project` is the project's root, where known.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    faults = [table.error for table in tables if table.error is not None]
    warnings = list(faults)
    for said in (*_of_tables(tables), *_of_variables(variables)):
        complaint = _unknown(said) or _forbidden(said, project) or _unfit(said)
        if complaint is None:
            values[said.key.replace("-", "_")] = _kept(said, project)
            origins[said.key] = _where(said.origin, said.line)
            continue
        warnings.append(Fault(origin=said.origin, line=said.line, what=complaint))
        if said.key in _KINDS:
            faults.append(warnings[-1])
    return Settings(**values, origins=tuple(origins.items()), warnings=tuple(warnings), faults=tuple(faults))


def origin_of(settings: Settings, key: str) -> str | None:
    """Return the variable or "file:line" that set `key`, or None for a default; `-` and `_` are one."""
    return dict(settings.origins).get(key.replace("_", "-"))


class _Said(Record):
    """One key with the value that one place gives it; `level` is None for a variable."""

    key: str
    value: object
    origin: str
    line: int = 0
    level: Level | None = None


def _of_tables(tables: Sequence[Table]) -> Iterator[_Said]:
    for table in sorted(tables, key=lambda table: _LEVELS.index(table.level)):
        for key, value in table.values.items():
            yield _Said(key=key, value=value, origin=table.origin, line=table.lines.get(key, 0), level=table.level)


def _of_variables(variables: Mapping[str, str]) -> Iterator[_Said]:
    for key, kind in _KINDS.items():
        name = "SAFEPIP_" + key.upper().replace("-", "_")
        if text := variables.get(name):  # an empty variable counts as unset
            yield _Said(key=key, value=kind.read(text), origin=name)


def _unknown(said: _Said) -> str | None:
    if said.key in _KINDS:
        return None
    meant = [key for key in _KINDS if _folded(key) == _folded(said.key)]
    return f"unknown key {_shown(said.key)}" + "".join(f" (did you mean {key}?)" for key in meant)


def _folded(key: str) -> list[str]:
    """Return the letters of a key, sorted: so one with two letters exchanged is found, too."""
    return sorted(key.replace("-", "").replace("_", "").lower())


def _forbidden(said: _Said, project: str | None) -> str | None:
    """Return why a project's table may not say this, else None.

    A project comes from a stranger as easily as from the user, so it may not name executables, nor
    paths outside itself, nor loosen what protects the user. What is no text at all is left to _unfit.
    """
    if said.level != "project":
        return None
    if said.key in {"managed", "unmanaged", "trust"}:
        return f"{said.key} is not for a project to set; it belongs in your own config.toml"
    if not isinstance(said.value, str):
        return None
    if said.key == "scope" and said.value == "managed":
        return 'scope may only be "always" in a project'
    if said.key == "python" and not _is_version(said.value):
        return f'python may only be a version in a project, such as "3.12", not {_shown(said.value)}'
    if said.key == "env-dir" and _inside(said.value, project) is None:
        return f"env-dir must be central or a path inside the project, not {_shown(said.value)}"
    return None


def _unfit(said: _Said) -> str | None:
    kind = _KINDS[said.key]
    if kind.fits(said.value):
        return None
    if isinstance(said.value, list) and kind.fits([]):
        odd = next(item for item in said.value if not kind.fits([item]))
        return f"{said.key} must be {kind.wants}; {_shown(odd)} is none"
    return f"{said.key} must be {kind.wants}, not {_shown(said.value)}"


def _kept(said: _Said, project: str | None) -> object:
    """Return the value as Settings holds it: lists as tuples, seconds as a float, a project's path tidied."""
    if isinstance(said.value, list):
        return tuple(said.value)
    if said.key == "lock-timeout":
        assert isinstance(said.value, int | float)
        return float(said.value) if said.value < _FOR_EVER else None
    if said.key == "env-dir" and said.level == "project":
        return _inside(str(said.value), project)
    return said.value


def _inside(path: str, project: str | None) -> str | None:
    """Return `path` relative to the project, without `.` and `..`, or None where it leads out or is none.

    By text alone and alike on every system. The `..` go because `link/..` is not where it seems to be;
    links within the project are for the caller to resolve. A colon is Windows' drive, and splits PATH.
    """
    if path.startswith(("/", "\\", "~")) or ":" in path or not path.isprintable():
        return None
    root = _walked((), project or "")
    there = _walked(root, path)
    if there is None or root is None or there[: len(root)] != root:
        return None
    return "/".join(there[len(root) :]) or None


def _walked(start: tuple[str, ...] | None, path: str) -> tuple[str, ...] | None:
    """Return the folders on the way from `start` along `path`, or None where `..` leads above all of them."""
    way = list(start or ())
    for part in path.replace("\\", "/").split("/"):
        if part == ".." and not way:
            return None
        if part == "..":
            way.pop()
        elif part not in {"", "."}:
            way.append(part)
    return tuple(way)


def _shown(value: object) -> str:
    """Return a value for a message, on one line and short.

    A number may have more digits than Python prints, a table made by dotted keys be too deep for repr.
    """
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:60] + "…")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if abs(value) < _FOR_EVER else "that number"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    return "a date or time"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _is_folder(value: object) -> bool:
    return isinstance(value, str) and _is_text(value) and os.path.normpath(value) != os.curdir


def _is_version(value: str) -> bool:
    return value.isascii() and all(part.isdigit() for part in value.split("."))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _are_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and _is_name(name) for name in value)


def _is_name(name: str) -> bool:
    """Tell whether this is a distribution's name: https://packaging.python.org/specifications/name-normalization."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return name.isascii() and plain.isalnum() and name[0].isalnum() and name[-1].isalnum()


def _are_paths(value: object) -> bool:
    """Tell whether these are absolute: a relative one would be another path in every directory."""
    return isinstance(value, list) and all(
        isinstance(path, str) and _is_text(path) and (os.path.isabs(path) or path.startswith("~"))
        for path in value
    )


def _read_flag(text: str) -> object:
    """Return the truth that one of pip's words stands for, any other text as it is."""
    word = text.lower()
    if word in _TRUE:
        return True
    return False if word in _FALSE else text


def _read_seconds(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _read_paths(text: str) -> object:
    return [path for path in text.split(os.pathsep) if path]


class _Kind(Record):
    """What values a key takes: in words, as a test, and how a variable's text becomes one."""

    wants: str
    fits: Callable[[object], bool]
    read: Callable[[str], object] = str


def _one_of(*choices: str) -> _Kind:
    return _Kind(wants=" or ".join(choices), fits=choices.__contains__)


def _kinds(pairs: Iterable[tuple[_Kind, str]]) -> dict[str, _Kind]:
    return {key: kind for kind, keys in pairs for key in keys.split()}


_FLAG = _Kind(wants="true or false", fits=_is_flag, read=_read_flag)
_NAMES = _Kind(wants="a list of names of packages", fits=_are_names, read=str.split)
_PATHS = _Kind(wants="a list of absolute paths", fits=_are_paths, read=_read_paths)
_KINDS = _kinds(
    (
        (_one_of("managed", "always"), "scope"),
        (_one_of("auto", "explicit", "never"), "app-routing"),
        (_one_of("home", "cwd", "error"), "outside-project"),
        (_Kind(wants='text, such as "3.12"', fits=_is_text), "python"),
        (_Kind(wants="central or a folder", fits=_is_folder), "env-dir"),
        (_Kind(wants="seconds, 0 or more", fits=_are_seconds, read=_read_seconds), "lock-timeout"),
        (_FLAG, "system-site-packages manager-hint env-redirect fast auto-repair quiet hints"),
        (_NAMES, "apps libs"),
        (_PATHS, "managed unmanaged trust"),
    )
)
