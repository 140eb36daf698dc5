"""EDGE  what is configured, looked at for doctor: the settings of pip and safepip that move or stop installs."""

from __future__ import annotations

import os

from safepip.core.pip_line import normalised, read
from safepip.core.record import changed
from safepip.system.pip_config import find
from safepip.system.project_tools.detect import content

from .facts import Complaint, PipSetting
from .facts import Pip as PipFacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safepip.core.pip_line import ConfigFile
    from safepip.core.settings import Settings
    from safepip.system.observe import Ambient

_TRUE = ("y", "yes", "t", "true", "on", "1")
_FALSE = ("n", "no", "f", "false", "off", "0")
_FLAGS = ("user", "break-system-packages", "require-virtualenv", "require-venv", "dry-run")
_PLACES = ("target", "prefix", "root", "python")
_READ = ("constraint", "requirement", "build-constraint")


# -- pip's configuration


def pip_facts(ambient: Ambient, site: str | None) -> PipFacts:
    """Look at what pip's variables and files say of where it installs to; `site` is its Python's prefix."""
    environ = ambient.environ
    files = find(environ, ambient.home, platform=ambient.platform, site_prefix=site, strict=True)
    named = environ.get("PIP_CONFIG_FILE", "")
    found = (*_of_variables(environ, ambient), *_of_files(files, ambient))
    whole = tuple(file for file in files if not file.error)
    return PipFacts(
        settings=tuple(setting for setting in found if _counts(setting)),
        malformed=tuple(_malformed(file) for file in files if file.error),
        rejected=tuple(_rejected(found, environ, whole)),
        absent_file="" if not named or os.path.exists(named) else named,
        files=tuple(file.path for file in files),
    )


def _malformed(file: ConfigFile) -> tuple[str, str, bool]:
    """Return the file, pip's error without what is said anyway, and whether the user may rename it."""
    short = str(file.error).removeprefix("Configuration file could not be loaded. ")
    error = short.replace(f"in {file.path}.", "").replace(f"'{file.path}'", "it").strip().rstrip(".")
    return file.path, error, os.access(os.path.dirname(file.path), os.W_OK)


def _of_variables(environ: Mapping[str, str], ambient: Ambient) -> Iterator[PipSetting]:
    for name in sorted(environ):
        key = normalised(name[4:]) if name.startswith("PIP_") else ""
        if key in {*_FLAGS, *_PLACES, *_READ}:
            yield PipSetting(key=key, value=environ[name], where=name, lost=_lost(key, environ[name], ambient))


def _of_files(files: Sequence[ConfigFile], ambient: Ambient) -> Iterator[PipSetting]:
    last = {file.kind: file.path for file in files}
    home = ambient.home or os.sep
    old = [os.path.join(home, name) for name in (".pip", "pip")]  # whose file `pip config` does not write
    for file in files:
        for section, values in file.sections.items():
            for key, value in values.items():
                if key in {*_FLAGS, *_PLACES, *_READ}:
                    spelled = _spelled(file.path, section, key)
                    yield PipSetting(
                        key=key,
                        value=value,
                        where=file.path,
                        kind=file.kind,
                        section=section,
                        spelled=spelled or key,
                        simple=spelled == key != "python"
                        and last[file.kind] == file.path
                        and os.path.dirname(file.path) not in old,
                        writable=os.access(file.path, os.W_OK),
                        lost=_lost(key, value, ambient),
                    )


def _spelled(path: str, section: str, key: str) -> str:
    """Return how the file spells the key in that section, "" where it comes from elsewhere ([DEFAULT])."""
    at = ""
    for line in os.fsdecode(content(path)).splitlines():
        text = line.strip()
        name = text.replace(":", "=", 1).partition("=")[0].strip()
        if text.startswith("["):
            at = text[1:].partition("]")[0]
        elif at == section and normalised(name) == key:
            return name
    return ""


def _lost(key: str, value: str, ambient: Ambient) -> str:
    """Return the first local file of a setting that names files to read and cannot be read, or "".

    A ~ is no home directory here: pip opens what the option says.
    """
    named = value.split() if key in _READ else []
    paths = (path for path in named if "://" not in path and not path.startswith("file:"))
    full = ((path, os.path.join(ambient.cwd or os.sep, path)) for path in paths)
    return next((path for path, at in full if not os.path.exists(at)), "")


def _counts(setting: PipSetting) -> bool:
    """Tell whether a setting moves or stops installs: a flag that is true, a place, a file that is lost."""
    if setting.key in _FLAGS:
        return setting.value.lower() in _TRUE
    return bool(setting.lost) if setting.key in _READ else setting.value != ""


def _rejected(
    found: Sequence[PipSetting], environ: Mapping[str, str], files: Sequence[ConfigFile]
) -> Iterator[tuple[PipSetting, str]]:
    """Yield what pip stops at: it reads every value before it looks at the line."""
    for setting in found:
        if setting.key in _FLAGS and setting.value.lower() not in (*_TRUE, *_FALSE, ""):
            yield changed(setting, simple=False), f"{setting.value!r} is no truth value for {setting.key}"
    known = {setting.where for setting in found}
    for name in sorted(environ):
        if name.startswith("PIP_") and name not in known and _fails({name: environ[name]}, ()):
            error = read(("install", "x"), {name: environ[name]}, ()).error or ""
            yield PipSetting(key=normalised(name[4:]), value=environ[name], where=name), error
    for file in files:
        if not any(where == file.path for where in known) and _fails({}, (file,)):
            yield _culprit(file)


def _fails(environ: Mapping[str, str], files: Sequence[ConfigFile]) -> bool:
    return read(("install", "x"), environ, files).outcome == "parse_error"


def _culprit(file: ConfigFile) -> tuple[PipSetting, str]:
    """Return the key of the file that pip rejects, and why."""
    error = read(("install", "x"), {}, (file,)).error or ""
    for section, values in file.sections.items():
        for key, value in values.items():
            alone: ConfigFile = changed(file, sections={section: {key: value}})
            if _fails({}, (alone,)):
                setting = PipSetting(key=key, value=value, where=file.path, kind=file.kind, section=section)
                writable = os.access(file.path, os.W_OK)
                spelled = _spelled(file.path, section, key) or key
                return changed(setting, simple=False, spelled=spelled, writable=writable), error
    return PipSetting(key="?", value="", where=file.path, kind=file.kind, simple=False), error


# -- safepip's settings


def complaints(settings: Settings) -> Iterator[Complaint]:
    """Yield what is wrong with the settings, and where each stands."""
    for fault in settings.warnings:
        stops = fault in settings.faults
        if fault.origin.startswith("SAFEPIP_"):
            yield Complaint(text=str(fault), variable=fault.origin, stops=stops)
            continue
        own = os.path.basename(fault.origin) == "config.toml"
        whole = fault.line > 0 and not fault.broken and _is_whole(fault.origin, fault.line)
        yield Complaint(text=str(fault), file=fault.origin, line=fault.line, whole=whole, own=own, stops=stops)


def _is_whole(path: str, line: int) -> bool:
    """Tell whether the line holds a key and all of its value, so that it can be taken out alone."""
    text = content(path).decode("utf-8", "replace").split("\n")[line - 1 : line]
    opens = [char for char in "".join(text) if char in "[]{}"]
    balanced = opens.count("[") == opens.count("]") and opens.count("{") == opens.count("}")
    quoted = any(quotes in "".join(text) for quotes in ('"""', "'''"))
    return balanced and not quoted and "=" in "".join(text)
