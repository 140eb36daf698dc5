"""Find what is wrong with an environment that works, without running it."""

from __future__ import annotations

import os

from safepip.system.environment import has_doubtful_pip, is_open, names_in


def left_by_root(environment: str, user: int) -> str | None:
    """Return a path of the environment that only root can change.

    An earlier `sudo pip install` leaves such; pip then fails half way through replacing them.
    """
    if user == 0:
        return None
    try:
        owner, owner_around = os.stat(environment).st_uid, os.stat(os.path.dirname(environment)).st_uid
    except OSError:
        return None
    # An environment in a directory that is not the user's, such as /opt, is root's on purpose.
    if owner == 0 and owner_around == user:
        return environment
    if owner != user:
        return None
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
    """Return True if a shared pip is open to others or damaged.

    A pip that is not shared is looked at as before a line that reads: a full look takes 3 ms or more (959 files).
    """
    # `chmod -R` of one environment opens the files under all their names.
    for folder in _folders(environment)[2:]:
        if not _is_shared(os.path.join(folder, "pip", "__init__.py")):
            continue
        for name in names_in(folder):
            if not name.startswith("pip-") or not name.endswith(".dist-info"):
                continue
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
    """Return True if others can change the file, or it is damaged."""
    is_bytecode = row[0].endswith(".pyc")
    try:
        status = os.stat(f"{site}/{row[0]}")
    except (OSError, ValueError):
        return not is_bytecode
    if is_open(status):
        return True
    if is_bytecode or len(row) != 3 or not row[-1].isdecimal():
        return False
    return status.st_size < int(row[-1])


def _is_roots(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_uid == 0 and not entry.is_symlink()
    except OSError:  # gone since: another command is at work
        return False


def _folders(environment: str) -> list[str]:
    libraries = os.path.join(environment, "lib")
    sites = [os.path.join(libraries, name, "site-packages") for name in names_in(libraries)]
    return [environment, os.path.join(environment, "bin"), *sites]
