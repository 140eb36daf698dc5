"""What is wrong with an environment that works: found without running anything in it."""

from __future__ import annotations

import os

from safepip.system.environment import has_doubtful_pip, is_open, names_in


def left_by_root(environment: str, user: int) -> str | None:
    """Return the environment, or a path in it, that root owns and `user` cannot change, or None.

    An earlier `sudo pip install` leaves such; pip then fails half way through replacing them. An environment in a
    directory that is not the user's, such as /opt, is root's on purpose.
    """
    if user == 0:
        return None
    try:
        owner, owner_around = os.stat(environment).st_uid, os.stat(os.path.dirname(environment)).st_uid
    except OSError:
        return None
    if owner == 0 and owner_around == user:
        return environment
    return _path_of_root(environment) if owner == user else None


def _path_of_root(environment: str) -> str | None:
    for folder in _folders(environment):
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if _is_roots(entry):
                return entry.path
    return None


def has_doubtful_pip_file(environment: str) -> bool:
    """Return True if pip is shared, and any file of it is open to others, missing, or smaller than recorded.

    A pip of the environment's own is looked at as before a line that reads: a full look takes 3 ms or more
    (959 files).

    Who opens one environment to others (`chmod -R`, `chown -R`) opens every one of the files' names.
    """
    for folder in _folders(environment)[2:]:
        if not _is_shared(os.path.join(folder, "pip", "__init__.py")):
            continue
        for name in names_in(folder):
            if name.startswith("pip-") and name.endswith(".dist-info"):
                return any(_is_doubtful(folder, row) for row in _rows(f"{folder}/{name}/RECORD"))
    return has_doubtful_pip(environment)


def _is_shared(path: str) -> bool:
    try:
        return os.stat(path).st_nlink > 1
    except OSError:
        return False


def _rows(record: str) -> list[list[str]]:
    try:
        with open(record, encoding="utf-8", errors="surrogateescape") as file:
            return [line.rstrip().rsplit(",", 2) for line in file]
    except (OSError, ValueError):
        return []


def _is_doubtful(site: str, row: list[str]) -> bool:
    is_bytecode = row[0].endswith(".pyc")
    try:
        status = os.stat(f"{site}/{row[0]}")
    except (OSError, ValueError):
        return not is_bytecode
    recorded = row[-1] if len(row) == 3 and row[-1].isdecimal() else "0"
    return is_open(status) or (status.st_size < int(recorded) and not is_bytecode)


def _is_roots(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_uid == 0 and not entry.is_symlink()
    except OSError:  # gone since: another command is at work
        return False


def _folders(environment: str) -> list[str]:
    libraries = os.path.join(environment, "lib")
    names = os.listdir(libraries) if os.path.isdir(libraries) else []
    sites = [os.path.join(libraries, name, "site-packages") for name in names]
    return [environment, os.path.join(environment, "bin"), *sites]
