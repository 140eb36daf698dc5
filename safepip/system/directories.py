"""Find the directories of safepip's cache, state and data.

Computed by hand because importing platformdirs costs more than all the rest of a start; a test holds the two
equal.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "safepip"
# By kind: a variable, the folder below home on Unix and on a Mac, and the one below the tool's own on Windows.
_FOLDERS = {
    "cache": ("XDG_CACHE_HOME", ".cache", "Library/Caches", "Cache"),
    # Only for other tools, by `folder_of`: safepip's own settings are settings_files.user_file.
    "config": ("XDG_CONFIG_HOME", ".config", "Library/Application Support", ""),
    "data": ("XDG_DATA_HOME", ".local/share", "Library/Application Support", ""),
    "state": ("XDG_STATE_HOME", ".local/state", "Library/Application Support", ""),
}


def at_home(path: str, home: str | None) -> str:
    """Return `path` with a leading ~ replaced by the home directory."""
    if not home:
        return path
    if path in {"~", "~/", "~" + os.sep}:
        return home
    if path.startswith(("~/", "~" + os.sep)):
        return os.path.join(home, path[2:])
    return path


def cache_dir(environ: Mapping[str, str], home: str | None, platform: str) -> str | None:
    """Return the folder of files that may vanish, or None."""
    return folder_of(NAME, "cache", environ, home, platform)


def state_dir(environ: Mapping[str, str], home: str | None, platform: str) -> str | None:
    """Return the folder of the registry and the locks, or None."""
    return folder_of(NAME, "state", environ, home, platform)


def data_dir(environ: Mapping[str, str], home: str | None, platform: str) -> str | None:
    """Return the folder of environments outside projects, or None."""
    return folder_of(NAME, "data", environ, home, platform)


def folder_of(tool: str, kind: str, environ: Mapping[str, str], home: str | None, platform: str) -> str | None:
    """Return where platformdirs puts a tool's files of that kind, or None."""
    variable, unix, mac, windows = _FOLDERS[kind]
    if platform == "win32":  # as platformdirs without an author
        local = environ.get("LOCALAPPDATA")
        if not local and home:
            local = os.path.join(home, "AppData", "Local")
        if not local:
            return None
        return os.path.join(local, tool, windows).rstrip("\\/")
    named = environ.get(variable, "")
    if os.path.isabs(named):  # the XDG specification has relative paths ignored
        return os.path.join(named, tool)
    if home is None:
        return None
    if platform == "darwin":  # Apple's File System Programming Guide, as platformdirs follows it
        return os.path.join(home, mac, tool)
    return os.path.join(home, unix, tool)
