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
    from collections.abc import Mapping

    from safepip.core.pip_line import Kind

SYSTEM_FOLDER = "/etc"
_LINE_ENDS = {ord("\t"): None, ord("\n"): None, ord("\r"): None}
_BRACKETS = frozenset("[]")


def find(
    environ: Mapping[str, str],
    home: str | None,
    *,
    platform: str = sys.platform,
    site_prefix: str | None,
    strict: bool = False,
    read_before: dict[tuple[str, bool], ConfigFile | None] | None = None,
) -> tuple[ConfigFile, ...]:
    """Return the files that pip would read, from lowest to highest precedence.

    `site_prefix` is the `sys.prefix` of the Python that pip would run under; None leaves its file out.
    `strict` has every file parsed wholly, so that a malformed one is found. A file that cannot be opened
    is none to pip. An undecodable or malformed one has its `error`, and no sections. `read_before` keeps what
    was read, by path and `strict`: for another prefix most files are the same.
    """
    encoding = None
    if environ.get("PYTHONUTF8") == "1":  # pip would run in that mode though safepip does not
        encoding = "utf-8"
    known = {} if read_before is None else read_before
    found = []
    for path, kind in _kinds(environ, home, platform, site_prefix).items():
        if (path, strict) not in known:
            known[path, strict] = _read(path, kind, encoding, strict=strict)
        file = known[path, strict]
        if file is not None:
            found.append(file)
    return tuple(found)


def paths(
    environ: Mapping[str, str], home: str | None, *, platform: str = sys.platform, site_prefix: str | None
) -> tuple[str, ...]:
    """Return where pip would look for its files, in `find`'s order."""
    return tuple(_kinds(environ, home, platform, site_prefix))


def _kinds(
    environ: Mapping[str, str], home: str | None, platform: str, site_prefix: str | None
) -> dict[str, Kind]:
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return {}
    name, in_home = "pip.conf", ".pip"
    if platform.startswith("win"):
        name, in_home = "pip.ini", "pip"
    kinds: dict[str, Kind] = {}
    for folder in _global_folders(environ, platform, site_prefix):
        kinds[os.path.join(folder, name)] = "global"
    hides_users_files = named != "" and os.path.exists(named)
    # A file that is named twice keeps its lower place: pip reads by path.
    if home is not None and not hides_users_files:
        kinds.setdefault(os.path.join(home, in_home, name), "user")
        kinds.setdefault(os.path.join(_user_folder(environ, home, platform), name), "user")
    if site_prefix is not None:
        kinds.setdefault(os.path.join(site_prefix, name), "site")
    if named:
        kinds.setdefault(named, "env")
    return kinds


def _global_folders(environ: Mapping[str, str], platform: str, site_prefix: str | None) -> list[str]:
    if platform.startswith("win"):
        data = environ.get("PROGRAMDATA") or environ.get("ALLUSERSPROFILE") or "C:\\ProgramData"
        return [os.path.join(data, "pip")]
    if platform == "darwin":
        named = _in_each(environ.get("XDG_DATA_DIRS", ""))
        if named:
            return named
        everybodys = "/Library/Application Support/pip"
        # pip goes by `sys.base_prefix`, so it finds Homebrew's folder from a virtual environment too; that is not
        # known here.
        head, _, tail = (site_prefix or "").rpartition("/opt/python")
        if "/Frameworks/Python.framework/Versions/" in tail:
            return [f"{head}/share/pip", everybodys]
        return [everybodys]
    named = _in_each(environ.get("XDG_CONFIG_DIRS", ""))
    if named:
        return [*named, SYSTEM_FOLDER]
    return ["/etc/xdg/pip", SYSTEM_FOLDER]


def _user_folder(environ: Mapping[str, str], home: str, platform: str) -> str:
    if platform.startswith("win"):
        data = environ.get("APPDATA") or os.path.join(home, "AppData", "Roaming")
        return os.path.join(data, "pip")
    config = os.path.join(home, ".config")
    if platform == "darwin":
        support = os.path.join(home, "Library", "Application Support")
        folder = os.path.join(_named(environ, "XDG_DATA_HOME", support), "pip")
        if os.path.isdir(folder):
            return folder
        return os.path.join(config, "pip")
    return os.path.join(_named(environ, "XDG_CONFIG_HOME", config), "pip")


def _named(environ: Mapping[str, str], variable: str, default: str) -> str:
    path = environ.get(variable, "").strip()
    if path.startswith("/"):  # the XDG specification has relative paths ignored
        return path
    return default


def _in_each(search: str) -> list[str]:
    found = []
    for path in map(str.strip, search.split(os.pathsep)):
        if path.startswith("/"):
            found.append(os.path.join(path, "pip"))
    return found


def _read(path: str, kind: Kind, encoding: str | None, *, strict: bool) -> ConfigFile | None:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (OSError, ValueError):  # the latter for a path that no system call takes
        return None
    sections = plain(content)
    if sections is not None:
        return ConfigFile(path=path, kind=kind, sections=sections)
    if strict or _matters(content):
        return _parsed(path, kind, content, encoding)
    return ConfigFile(path=path, kind=kind, sections={})


def plain(content: bytes) -> dict[str, dict[str, str]] | None:
    """Return a file's sections, or None if only configparser can read it.

    A plain file is ASCII and has one setting a line, no section or key twice and no [DEFAULT].
    """
    if not content.isascii():
        return None
    text = content.decode()
    if not text.translate(_LINE_ENDS).isprintable():
        return None
    return _plain_sections(text.splitlines())


def _plain_sections(lines: list[str]) -> dict[str, dict[str, str]] | None:
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] | None = None
    for line in lines:
        stripped = line.strip()
        if stripped[:1] in {"", "#", ";"}:
            continue
        if line[0].isspace():  # continues the line before it
            return None
        if stripped.startswith("["):
            name = _section_name(stripped)
            if name == "" or name in sections:
                return None
            section = sections[name] = {}
        elif section is None or not _add_setting(stripped, section):
            return None
    return sections


def _section_name(header: str) -> str:
    """Return the name in a plain header such as [install], or empty."""
    name = header[1:-1]
    if header != f"[{name}]" or not _BRACKETS.isdisjoint(name):
        return ""
    if name == "DEFAULT":  # configparser adds what it says to every section
        return ""
    return name


def _add_setting(line: str, section: dict[str, str]) -> bool:
    """Add the setting of a line, or return False if not plain."""
    name, equals, _ = line.replace(":", "=").partition("=")
    key = normalised(name.rstrip())
    if key == "" or key in section:
        return False
    section[key] = line[len(name) + 1 :].strip()
    return equals != ""


def _matters(content: bytes) -> bool:
    """Return True if a line could set a key that counts."""
    keys = {"version"}
    for names, _, _, _, _, field, _ in SPECS:
        if field:  # of PipCommand
            keys.update(map(normalised, names))
    for line in content.decode("latin-1").splitlines():
        name = line.replace(":", "=", 1).partition("=")[0].strip()
        if normalised(name) in keys:
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
