"""pip's variables and configuration files that move or stop installs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence

from safepip.core.pip_line import ConfigFile, as_boolean, normalised, read
from safepip.core.record import Record, replace
from safepip.system.keeper import content

from .finding import (
    Context,
    Finding,
    Findings,
    is_managed,
    move_aside,
    ok,
    problem,
    sudo,
    target_interpreter,
    warning,
)

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
    """A setting of pip.

    `where` is a variable's name or a file's path. `kind` is "variable" or pip's name for the file. `spelled` is
    the key as the file has it. `simple` is True if `pip config unset` removes it.
    """

    key: str
    value: str
    where: str
    kind: str = "variable"
    section: str = "global"
    spelled: str = ""
    simple: bool = False


def check(context: Context) -> Findings:
    """Look at pip's variables and files."""
    files = _files(context)
    found = list(_faults(files, context))
    yield from found
    if files and not found:
        paths = ", ".join(file.path for file in files)
        yield ok("pip-config", f"pip reads {paths}; nothing there moves installs")
    named = context.ambient.environ.get("PIP_CONFIG_FILE")
    if named and not os.path.exists(named):
        why = f"PIP_CONFIG_FILE names {named}, which does not exist"
        yield warning("pip-config-file", why, "unset PIP_CONFIG_FILE")


def _faults(files: Sequence[ConfigFile], context: Context) -> Findings:
    for file in files:
        if file.error:
            error = file.error.removeprefix("Configuration file could not be loaded. ")
            error = error.replace(f"in {file.path}.", "").replace(f"'{file.path}'", "it").strip().rstrip(".")
            aside = move_aside(file.path, ".broken", sudo(context, os.path.dirname(file.path)))
            why = f"every pip command fails at {file.path}: {error}"
            yield problem("pip-config-malformed", why, aside)
    wrong = set()
    settings = list(_all(files, context))
    for setting, error in _rejected(files, settings, context):
        wrong.add((setting.where, setting.key))
        why = f"pip rejects what {setting.where} says: {error}"
        yield problem("pip-setting-wrong", why, unset(setting, context))
    for setting in settings:
        if (setting.where, setting.key) in wrong:  # named already
            continue
        if _counts(setting, context):
            yield _in_force(setting, context)


def settings_in_force(context: Context) -> list[PipSetting]:
    """Return the settings that move or stop installs."""
    found = []
    for setting in _all(_files(context), context):
        if _counts(setting, context):
            found.append(setting)
    return found


def unset(setting: PipSetting, context: Context) -> str:
    """Return the command that removes the setting."""
    if setting.kind == "variable":
        return f"unset {setting.where}"
    if setting.kind == "user" and setting.simple:
        return f"safepip config --user unset {shlex.quote(f'{setting.section}.{setting.key}')}"
    # `pip config` writes to one file of a kind only.
    spelled = setting.spelled or setting.key
    pattern = shlex.quote(f"/^[[:space:]]*{spelled}[[:space:]]*[=:]/d")
    return f"{sudo(context, setting.where)}sed -i.bak {pattern} {shlex.quote(setting.where)}"


def _files(context: Context) -> Sequence[ConfigFile]:
    interpreter = target_interpreter(context)
    site = None
    if interpreter is not None:
        site = interpreter.prefix
    return context.pip_files(site, strict=True)  # pip stops at a malformed file whatever the line is


def _in_force(setting: PipSetting, context: Context) -> Finding:
    name = f"pip-{setting.key}"
    undo = unset(setting, context)
    if setting.key in _FILES:
        missing = _missing(setting, context)
        why = f"{setting.where} has pip read {missing}, which does not exist: every install fails"
        return problem(name, why, undo)
    if setting.key.startswith("require-"):
        why = f"pip refuses to work outside an environment (require-virtualenv, by {setting.where})"
        if is_managed(context):  # safepip routes each install into an environment
            return ok(name, why)
        return warning(name, why, undo)
    meaning = _MEANT[setting.key].format(setting.value)
    return warning(name, f"{setting.where} {meaning} ({setting.key})", undo)


def _counts(setting: PipSetting, context: Context) -> bool:
    if setting.key in _FLAGS:
        return bool(as_boolean(setting.value))
    if setting.key in _FILES:
        return _missing(setting, context) != ""
    return setting.value != ""


def _missing(setting: PipSetting, context: Context) -> str:
    cwd = context.absolute(os.curdir)
    for path in setting.value.split():
        if "://" in path:
            continue
        if path.startswith("file:"):
            continue
        # A ~ does not mean the home directory here: pip opens the path as it stands.
        if not os.path.exists(os.path.join(cwd, path)):
            return path
    return ""


# -- all settings


def _all(files: Sequence[ConfigFile], context: Context) -> Iterator[PipSetting]:
    environ = context.ambient.environ
    for name, key in _pip_variables(environ):
        if key in _LOOKED_AT:
            yield PipSetting(key=key, value=environ[name], where=name)
    written = _written_by_pip(files, context.ambient.home or os.sep)
    for file in files:
        for section, values in file.sections.items():
            for key in values:
                if key in _LOOKED_AT:
                    yield _setting(file, section, key, is_written=file.path in written)


def _pip_variables(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    for name in sorted(environ):
        if name.startswith("PIP_"):
            found.append((name, normalised(name.removeprefix("PIP_"))))
    return found


def _written_by_pip(files: Sequence[ConfigFile], home: str) -> set[str]:
    # `pip config` writes the last file of a kind.
    last = {file.kind: file.path for file in files}
    old = {os.path.join(home, ".pip"), os.path.join(home, "pip")}  # pip reads pip.conf there, but never writes it
    found = set()
    for path in last.values():
        if os.path.dirname(path) not in old:
            found.add(path)
    return found


def _setting(file: ConfigFile, section: str, key: str, *, is_written: bool = False) -> PipSetting:
    spelled = _spelled(file.path, section, key)
    return PipSetting(
        key=key,
        value=file.sections[section][key],
        where=file.path,
        kind=file.kind,
        section=section,
        spelled=spelled,
        # `pip config` writes keys in its own spelling, and takes --python for an option of its own.
        simple=is_written and spelled == key != "python",
    )


def _spelled(path: str, section: str, key: str) -> str:
    """Return how the file spells the key, or "" in [DEFAULT]."""
    at = ""
    for line in os.fsdecode(content(path)).splitlines():
        text = line.strip()
        if text.startswith("["):
            at = text[1:].partition("]")[0]
            continue
        name = text.replace(":", "=", 1).partition("=")[0].strip()
        if (at, normalised(name)) == (section, key):
            return name
    return ""


# -- settings that pip rejects


def _rejected(
    files: Sequence[ConfigFile], settings: Sequence[PipSetting], context: Context
) -> Iterator[tuple[PipSetting, str]]:
    # pip reads every value before it looks at the line, so one wrong value stops all commands.
    yield from _wrong_flags(settings)
    looked_at = {setting.where for setting in settings}
    environ = context.ambient.environ
    for name, key in _pip_variables(environ):
        if name in looked_at:
            continue
        error = _error({name: environ[name]}, ())
        if error:
            yield PipSetting(key=key, value=environ[name], where=name), error
    for file in files:
        if file.path in looked_at:
            continue
        if file.error is None:
            yield from _rejected_in(file)


def _wrong_flags(settings: Sequence[PipSetting]) -> Iterator[tuple[PipSetting, str]]:
    for setting in settings:
        if setting.key not in _FLAGS:
            continue
        if setting.value and as_boolean(setting.value) is None:
            error = f"{setting.value!r} is not a truth value for {setting.key}"
            yield replace(setting, simple=False), error  # `pip config` stops at it, too


def _rejected_in(file: ConfigFile) -> Iterator[tuple[PipSetting, str]]:
    """Yield the setting of a file that pip rejects, and why."""
    error = _error({}, (file,))
    if not error:
        return
    for section, values in file.sections.items():
        for key in values:
            alone: ConfigFile = replace(file, sections={section: {key: values[key]}})
            if _error({}, (alone,)):
                yield _setting(file, section, key), error
                return
    yield PipSetting(key="?", value="", where=file.path, kind=file.kind), error


def _error(environ: Mapping[str, str], files: Sequence[ConfigFile]) -> str:
    """Return why pip stops at these settings, or ""."""
    command = read(("install", "x"), environ, files)
    if command.outcome != "parse_error":
        return ""
    return command.error or ""
