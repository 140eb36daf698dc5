"""Find and read pip's configuration files.

pip parses every one of them at each call, and loading configparser costs 9 ms. So a plain file is read here, line
by line, and configparser is loaded only for another one that names a key that matters. Source: pip's
`_internal/configuration.py` and `_internal/utils/appdirs.py`.
"""

from __future__ import annotations

import os
import sys

from safepip.core.pip_line import ConfigFile, normalised
from safepip.core.pip_options import SPECS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from safepip.core.pip_line import Kind

SYSTEM_FOLDER = "/etc"
_TOLD = [spec[0] for spec in SPECS if spec[5]]  # the options of which PipCommand has a field
_KEYS = frozenset(["version", *(name[2:] for names in _TOLD for name in names)])
_LINE_ENDS = {ord(char): None for char in "\t\n\r"}


def find(
    environ: Mapping[str, str],
    home: str | None,
    *,
    platform: str = sys.platform,
    site_prefix: str | None,
    strict: bool = False,
) -> tuple[ConfigFile, ...]:
    """Return the files that pip would read, from lowest to highest precedence.

    `site_prefix` is the `sys.prefix` of the Python that pip would run under; None leaves its file out.
    `strict` has every file parsed wholly, so that a malformed one is found. A file that cannot be opened
    is none to pip. An undecodable or malformed one has its `error`, and no sections.
    """
    kinds = _kinds(environ, home, platform, site_prefix)
    found = (_read(path, kind, _encoding_of(environ), strict=strict) for path, kind in kinds.items())
    return tuple(file for file in found if file is not None)


def paths(
    environ: Mapping[str, str], home: str | None, *, platform: str = sys.platform, site_prefix: str | None
) -> tuple[str, ...]:
    """Return where pip would look for its files, whether they exist or not, in `find`'s order."""
    return tuple(_kinds(environ, home, platform, site_prefix))


def _kinds(
    environ: Mapping[str, str], home: str | None, platform: str, site_prefix: str | None
) -> dict[str, Kind]:
    """Return the places to look at, and of what kind a file there is."""
    named = environ.get("PIP_CONFIG_FILE") or None
    if named == os.devnull:
        return {}
    places = _places(environ, home, platform, site_prefix)
    if named is not None:
        if os.path.exists(named):
            places = [place for place in places if place[0] != "user"]
        places.append(("env", named))
    # A file that is named twice keeps its lower place: pip keeps what it read by path.
    kinds: dict[str, Kind] = {}
    for kind, path in places:
        kinds.setdefault(path, kind)
    return kinds


def _places(
    environ: Mapping[str, str], home: str | None, platform: str, site_prefix: str | None
) -> list[tuple[Kind, str]]:
    windows = platform.startswith("win")
    name = "pip.ini" if windows else "pip.conf"
    places: list[tuple[Kind, str]] = [
        ("global", os.path.join(folder, name)) for folder in _global_folders(environ, platform, site_prefix)
    ]
    if home is not None:
        places.append(("user", os.path.join(home, "pip" if windows else ".pip", name)))
        places.append(("user", os.path.join(_user_folder(environ, home, platform), name)))
    if site_prefix is not None:
        places.append(("site", os.path.join(site_prefix, name)))
    return places


def _global_folders(environ: Mapping[str, str], platform: str, site_prefix: str | None) -> list[str]:
    if platform.startswith("win"):
        data = environ.get("PROGRAMDATA") or environ.get("ALLUSERSPROFILE") or "C:\\ProgramData"
        return [os.path.join(data, "pip")]
    if platform == "darwin":
        folders = list(_absolute(environ.get("XDG_DATA_DIRS", "").split(os.pathsep)))
        folders = folders or [*_homebrew(site_prefix or ""), "/Library/Application Support"]
        return [os.path.join(folder, "pip") for folder in folders]
    folders = list(_absolute(environ.get("XDG_CONFIG_DIRS", "").split(os.pathsep))) or ["/etc/xdg"]
    return [*(os.path.join(folder, "pip") for folder in folders), SYSTEM_FOLDER]


def _homebrew(prefix: str) -> Iterator[str]:
    """Yield the shared folder of Homebrew's own Python.

    pip goes by `sys.base_prefix`, so it finds this from a virtual environment too; that is not known here.
    """
    head, found, tail = prefix.rpartition("/opt/python")
    if found and "/Frameworks/Python.framework/Versions/" in tail:
        yield f"{head}/share"


def _user_folder(environ: Mapping[str, str], home: str, platform: str) -> str:
    if platform.startswith("win"):
        return os.path.join(environ.get("APPDATA") or os.path.join(home, "AppData", "Roaming"), "pip")
    if platform == "darwin":
        support = os.path.join(home, "Library", "Application Support")
        data = os.path.join(next(_absolute([environ.get("XDG_DATA_HOME", "")]), support), "pip")
        return data if os.path.isdir(data) else os.path.join(home, ".config", "pip")
    config = next(_absolute([environ.get("XDG_CONFIG_HOME", "")]), os.path.join(home, ".config"))
    return os.path.join(config, "pip")


def _absolute(paths: list[str]) -> Iterator[str]:
    """Yield the paths that count: the XDG specification has relative ones ignored."""
    for path in paths:
        if path.strip().startswith("/"):
            yield path.strip()


def _encoding_of(environ: Mapping[str, str]) -> str | None:
    """Return UTF-8 where pip would run in that mode though safepip does not, or None for the locale's."""
    return "utf-8" if environ.get("PYTHONUTF8") == "1" else None


def _read(path: str, kind: Kind, encoding: str | None, *, strict: bool) -> ConfigFile | None:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (OSError, ValueError):  # the latter for a path that no system call takes
        return None
    sections = plain(content)
    if sections is None and not strict and not _matters(content):
        sections = {}
    if sections is None:
        return _parsed(path, kind, content, encoding)
    return ConfigFile(path=path, kind=kind, sections=sections)


def plain(content: bytes) -> dict[str, dict[str, str]] | None:
    """Return the sections of a file, or None where only configparser can tell what it says.

    A plain file is ASCII and has one setting a line, no section or key twice and no [DEFAULT].
    """
    if not content.isascii() or not content.decode().translate(_LINE_ENDS).isprintable():
        return None
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] | None = None
    for line in content.decode().splitlines():
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if line[0].isspace():
            return None
        if text[0] == "[":
            name = text[1:-1]
            if text[-1] != "]" or not name or "[" in name or "]" in name or name == "DEFAULT" or name in sections:
                return None
            section = sections[name] = {}
            continue
        name, equals, _ = text.replace(":", "=").partition("=")
        key = normalised(name.rstrip())
        if section is None or not equals or not key or key in section:
            return None
        section[key] = text[len(name) + 1 :].strip()
    return sections


def _matters(content: bytes) -> bool:
    """Return True if a line could set one of the keys; a comment or a continued value may look so too."""
    for line in content.decode("latin-1").splitlines():
        name = line.replace(":", "=", 1).partition("=")[0].strip()
        if normalised(name) in _KEYS:
            return True
    return False


def _parsed(path: str, kind: Kind, content: bytes, encoding: str | None) -> ConfigFile:
    import configparser  # 9 ms that most calls do not need
    import io

    parser = configparser.RawConfigParser()
    parser.optionxform = normalised  # type: ignore[assignment, method-assign]  # as documented
    sections: dict[str, dict[str, str]] = {}
    error = None
    with io.TextIOWrapper(io.BytesIO(content), encoding=encoding) as text:
        try:
            parser.read_file(text, source=path)
            # Through items(), as pip does: it adds what [DEFAULT] says to every section.
            sections = {section: dict(parser.items(section)) for section in parser.sections()}
        except UnicodeError:
            error = f"Configuration file contains invalid {text.encoding} characters in {path}."
        except configparser.Error as malformed:
            error = " ".join(f"Configuration file could not be loaded. {malformed}".split())
    return ConfigFile(path=path, kind=kind, sections=sections, error=error)
