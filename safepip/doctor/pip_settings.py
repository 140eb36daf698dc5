"""pip's variables and configuration files, as far as they move or stop installs."""

from __future__ import annotations

import os
import shlex

from safepip.core.pip_line import normalised, read
from safepip.core.record import Record, replace
from safepip.system.pip_config import find
from safepip.system.project_tools.detect import content

from .finding import known, move_aside, ok, problem, sudo, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safepip.core.pip_line import ConfigFile

    from .finding import Context, Finding, Findings

_TRUE = ("y", "yes", "t", "true", "on", "1")
_FALSE = ("n", "no", "f", "false", "off", "0", "")
_FLAGS = ("user", "break-system-packages", "require-virtualenv", "require-venv", "dry-run")
_FILES = ("constraint", "requirement", "build-constraint")
_MEANT = {
    "target": "sends every install to {}",
    "prefix": "sends every install to the prefix {}",
    "root": "sends every install below {}",
    "python": "sends every pip command to {}",
    "user": "has every install ask for --user",
    "break-system-packages": "lets every install change the system's Python",
    "dry-run": "has every install only show what it would do",
}
_LOOKED_AT = {*_FLAGS, *_FILES, *_MEANT}


class PipSetting(Record):
    """A setting of pip, and `where` it stands: a variable's name or a file's path.

    `kind` is "variable" or pip's name for the file, `spelled` the key as the file has it. `simple` tells whether
    `pip config unset` removes it.
    """

    key: str
    value: str
    where: str
    kind: str = "variable"
    section: str = "global"
    spelled: str = ""
    simple: bool = True


def check(context: Context) -> Findings:
    """Look at what pip's variables and files say about where it installs to."""
    files = _files(context)
    found = [_malformed(file, context) for file in files if file.error]
    rejected = list(_rejected(files, context))
    for setting, error in rejected:
        why = f"pip rejects what {setting.where} says: {error}"
        found.append(problem("pip-setting-wrong", why, unset(setting, context)))
    wrong = {(setting.where, setting.key) for setting, _ in rejected}
    settings = [one for one in settings_in_force(context) if (one.where, one.key) not in wrong]
    found += [_in_force(setting, context) for setting in settings]
    yield from found
    if files and not found:
        paths = ", ".join(file.path for file in files)
        yield ok("pip-config", f"pip reads {paths}; nothing there moves installs")
    yield from _named_file(context.ambient.environ.get("PIP_CONFIG_FILE", ""))


def _named_file(path: str) -> Findings:
    if path and not os.path.exists(path):
        why = f"PIP_CONFIG_FILE names {path}, which does not exist"
        yield warning("pip-config-file", why, "unset PIP_CONFIG_FILE")


def settings_in_force(context: Context) -> list[PipSetting]:
    """Return the settings that move or stop installs: true flags, places, files that cannot be read."""
    return [one for one in _all(context) if _counts(one, context)]


def unset(setting: PipSetting, context: Context) -> str:
    """Return what takes the setting away: sed where `pip config` cannot, for it writes to one file of a kind."""
    if setting.kind == "variable":
        return f"unset {setting.where}"
    if setting.kind == "user" and setting.simple:
        return f"safepip config --user unset {shlex.quote(f'{setting.section}.{setting.key}')}"
    pattern = shlex.quote(f"/^[[:space:]]*{setting.spelled or setting.key}[[:space:]]*[=:]/d")
    return f"{sudo(context, setting.where)}sed -i.bak {pattern} {shlex.quote(setting.where)}"


def _files(context: Context) -> Sequence[ConfigFile]:
    ambient = context.ambient
    interpreter = known(lambda: context.target.interpreter, None)
    site = interpreter.prefix if interpreter else None
    return find(ambient.environ, ambient.home, platform=ambient.platform, site_prefix=site, strict=True)


def _malformed(file: ConfigFile, context: Context) -> Finding:
    error = str(file.error).removeprefix("Configuration file could not be loaded. ")
    error = error.replace(f"in {file.path}.", "").replace(f"'{file.path}'", "it").strip().rstrip(".")
    aside = move_aside(file.path, ".broken", sudo(context, os.path.dirname(file.path)))
    return problem("pip-config-malformed", f"every pip command fails at {file.path}: {error}", aside)


def _in_force(setting: PipSetting, context: Context) -> Finding:
    name = f"pip-{setting.key}"
    undo = unset(setting, context)
    if setting.key in _FILES:
        why = (
            f"{setting.where} has pip read {_missing(setting, context)}, which does not exist: every install fails"
        )
        return problem(name, why, undo)
    if setting.key.startswith("require-"):
        why = f"pip refuses to work outside an environment (require-virtualenv, by {setting.where})"
        managed = known(lambda: context.managed, False)
        return ok(name, why) if managed else warning(name, why, undo)
    meaning = _MEANT[setting.key].format(setting.value)
    return warning(name, f"{setting.where} {meaning} ({setting.key})", undo)


# -- what is set


def _all(context: Context) -> Iterator[PipSetting]:
    yield from _of_variables(context.ambient.environ)
    files = _files(context)
    last = {file.kind: file.path for file in files}
    home = context.ambient.home or os.sep
    old = [os.path.join(home, name) for name in (".pip", "pip")]  # whose file `pip config` does not write
    for file in files:
        written = last[file.kind] == file.path and os.path.dirname(file.path) not in old
        for setting in _of_file(file):
            yield replace(setting, simple=written and setting.spelled == setting.key != "python")


def _of_variables(environ: Mapping[str, str]) -> Iterator[PipSetting]:
    for name, value in sorted(environ.items()):
        key = normalised(name[4:]) if name.startswith("PIP_") else ""
        if key in _LOOKED_AT:
            yield PipSetting(key=key, value=value, where=name)


def _of_file(file: ConfigFile) -> Iterator[PipSetting]:
    for section, values in file.sections.items():
        for key, value in values.items():
            if key in _LOOKED_AT:
                spelled = _spelled(file.path, section, key)
                yield _setting(file, section, key, value, spelled)


def _setting(file: ConfigFile, section: str, key: str, value: str, spelled: str) -> PipSetting:
    return PipSetting(
        key=key, value=value, where=file.path, kind=file.kind, section=section, spelled=spelled, simple=False
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


def _counts(setting: PipSetting, context: Context) -> bool:
    if setting.key in _FLAGS:
        return setting.value.lower() in _TRUE
    if setting.key in _FILES:
        return bool(_missing(setting, context))
    return setting.value != ""


def _missing(setting: PipSetting, context: Context) -> str:
    """Return the first local file that the setting names and that does not exist, or "".

    A ~ does not mean the home directory here: pip opens what the option says.
    """
    for path in setting.value.split():
        is_url = "://" in path or path.startswith("file:")
        if not is_url and not os.path.exists(os.path.join(context.ambient.cwd or os.sep, path)):
            return path
    return ""


# -- what pip rejects


def _rejected(files: Sequence[ConfigFile], context: Context) -> Iterator[tuple[PipSetting, str]]:
    """Yield the settings that pip stops at, for it reads every value before it looks at the line."""
    known_settings = list(_all(context))
    for setting in known_settings:
        if setting.key in _FLAGS and setting.value.lower() not in (*_TRUE, *_FALSE):
            error = f"{setting.value!r} is not a truth value for {setting.key}"
            yield replace(setting, simple=False), error
    looked_at = {setting.where for setting in known_settings}
    yield from _rejected_variables(context.ambient.environ, looked_at)
    for file in files:
        error = "" if file.error or file.path in looked_at else _error({}, (file,))
        if error:
            yield _culprit(file), error


def _rejected_variables(environ: Mapping[str, str], looked_at: set[str]) -> Iterator[tuple[PipSetting, str]]:
    names = sorted(name for name in environ if name.startswith("PIP_"))
    for name in names:
        error = "" if name in looked_at else _error({name: environ[name]}, ())
        if error:
            yield PipSetting(key=normalised(name[4:]), value=environ[name], where=name), error


def _error(environ: Mapping[str, str], files: Sequence[ConfigFile]) -> str:
    """Return why pip stops at these settings, or ""."""
    command = read(("install", "x"), environ, files)
    return command.error or "" if command.outcome == "parse_error" else ""


def _culprit(file: ConfigFile) -> PipSetting:
    """Return the setting of a file that pip rejects."""
    for section, values in file.sections.items():
        for key, value in values.items():
            alone: ConfigFile = replace(file, sections={section: {key: value}})
            if _error({}, (alone,)):
                spelled = _spelled(file.path, section, key) or key
                return _setting(file, section, key, value, spelled)
    return PipSetting(key="?", value="", where=file.path, kind=file.kind, simple=False)
