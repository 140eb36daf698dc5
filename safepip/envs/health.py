"""What is wrong with an environment that works: found without running anything in it."""

from __future__ import annotations

import os


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


def shares_opened_pip(environment: str, user: int) -> bool:
    """Tell whether the files of pip are those of other environments too (see image.py), and others may write them.

    Who opens one environment to others (`chmod -R`, `chown -R`) does so with every one of their names.
    """
    for folder in _folders(environment):
        try:
            found = os.stat(os.path.join(folder, "pip", "__init__.py"))
        except OSError:
            continue
        mask = os.umask(0o077)
        os.umask(mask)
        foreign = found.st_uid not in {0, user}
        return found.st_nlink > 1 and (foreign or bool(found.st_mode & mask & 0o022))
    return False


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
