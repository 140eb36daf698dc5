"""Removes an environment that was made for an install which failed, if nothing was installed in it.

Imported by safepip_notes.py before pip starts, under any Python that pip runs on: `os` and `stat` must do. Where
that Python has no directory descriptors or no locks (Windows, Python 2), the environment stays.
"""

import os
import stat
import sys

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

CAN_REMOVE = bool(fcntl) and os.open in getattr(os, "supports_dir_fd", ())
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
OWN = ".safepip"
CREATING = "creating"
LOCK = ".lock"
# What virtualenv and safepip put into a new environment; anything else is somebody's work.
NEW = frozenset((OWN, LOCK, "bin", "lib", "lib64", "include", "share", "pyvenv.cfg", ".gitignore", "CACHEDIR.TAG"))
NEW_NOTES = ("id", "satisfied", "distributions")
KINDS = (".dist-info", ".egg-info", ".egg-link", ".pth")


class Discarding:
    """Removes the environment that `discarding` in envs/removal.py describes, unless another command uses it."""

    def __init__(self, told):
        fields = told.split("\n")
        self.identity = (int(fields[0]), int(fields[1]))
        self.lock = int(fields[2])
        self.existed, self.quiet = bool(fields[3]), bool(fields[4])
        self.creation_lock, self.state, self.redirect, self.called, self.path = fields[5:]

    def __call__(self):
        """Remove it, and print one line if that was done."""
        if not CAN_REMOVE:
            return
        opened = [os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_DIRECTORY)]
        try:
            opened.append(os.open(os.path.basename(self.path), FOLDER, dir_fd=opened[0]))
            opened.append(os.open(self.creation_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            is_removed = self._remove(*opened)
        finally:
            for descriptor in opened:
                os.close(descriptor)
        if is_removed and not self.quiet and sys.stderr:
            sys.stderr.write("safepip: nothing was installed; %s is removed again\n" % self.called)

    def _remove(self, around, folder, creation_lock):
        if not self._is_mine(folder):
            return False
        if not self._is_unused(creation_lock) or not _is_new(folder):
            return False
        _mark(folder)
        self._forget()
        remove_content(folder, last=(OWN, LOCK))
        if not self.existed:
            os.rmdir(os.path.basename(self.path), dir_fd=around)
        return True

    def _is_mine(self, folder):
        """Return True if this is the directory that was made, and this process holds its lock."""
        found = os.fstat(folder)
        if _identity(found) != self.identity or found.st_uid != os.geteuid():
            return False
        return _is_open_as(self.lock, LOCK, folder)

    def _is_unused(self, creation_lock):
        """Return True if no other command waits for the environment, makes it, or was started from it."""
        if not _is_free(creation_lock) or not _is_open_as(creation_lock, self.creation_lock):
            return False
        return not _is_waited_for(self.lock) and not _is_run(self.path)

    def _forget(self):
        """Remove what the user's state and the project remember of the environment."""
        record = "%x-%x" % self.identity
        for kind in ("environments", "sizes"):
            _unlink(os.path.join(self.state, kind, record))
        _unlink(self.redirect)


def remove_content(folder, last=()):
    """Remove what is in an open directory, the names `last` in the end; never through a link or a mount."""
    device = os.fstat(folder).st_dev
    present = os.listdir(folder)
    for name in present:
        if name not in last:
            _remove(folder, name, device)
    for name in last:
        if name in present:
            _remove(folder, name, device)


def _unlink(file):
    if os.path.lexists(file):
        os.unlink(file)


def _remove(folder, name, device):
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    inner = os.open(name, FOLDER, dir_fd=folder)
    try:
        opened = os.fstat(inner)
        if _identity(opened) != _identity(found) or opened.st_dev != device:
            raise OSError("%s was replaced" % name)
        remove_content(inner)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)


def _identity(found):
    return (found.st_dev, found.st_ino)


def _is_open_as(descriptor, name, folder=None):
    """Return True if the open file is still the one of that name."""
    try:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return _identity(os.fstat(descriptor)) == _identity(there)


def _is_free(descriptor):
    """Take the lock under which environments are made; False if another command makes one here."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (IOError, OSError):
        return False
    return True


def _is_waited_for(lock):
    """Return True if a process sleeps until the lock is free, as uv does; safepip asks again and again."""
    inode = ":%d" % os.fstat(lock).st_ino
    for line in _read("/proc/locks").decode("ascii", "replace").splitlines():
        if "->" not in line:
            continue
        if any(word.endswith(inode) for word in line.split()):
            return True
    return False


def _is_run(path):
    """Return True if another process was started from the environment, where the system tells (Linux)."""
    begin = os.fsencode(os.path.join(path, ""))
    active = b"VIRTUAL_ENV=" + os.fsencode(path)
    if not os.path.isdir("/proc"):
        return False
    for process in os.listdir("/proc"):
        if not process.isdigit() or int(process) == os.getpid():
            continue
        words = b"\0" + _read("/proc/%s/cmdline" % process)  # NUL before each
        if b"\0" + begin in words:
            return True
        if active in _read("/proc/%s/environ" % process).split(b"\0"):
            return True
    return False


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except (IOError, OSError):
        return b""


def _is_new(folder):
    """Return True if all that is in the environment came with its creation: pip, and no notes of a change."""
    if not NEW.issuperset(os.listdir(folder)):
        return False
    own = os.open(OWN, FOLDER, dir_fd=folder)
    notes = os.listdir(own)
    os.close(own)
    return set(NEW_NOTES).issuperset(notes) and _has_only_pip(folder)


def _has_only_pip(folder):
    for library in ("lib", "lib64"):
        for site in _sites(folder, library):
            names = os.listdir(site)
            os.close(site)
            for name in names:
                if name.endswith(KINDS) and not name.startswith(("pip-", "_virtualenv.pth")):
                    return False
    return True


def _sites(folder, library):
    """Yield the folders of packages, each open; `lib64` is a link to the other library, or its like."""
    try:
        libraries = os.open(library, FOLDER, dir_fd=folder)
    except OSError:
        return
    for version in os.listdir(libraries):
        yield os.open(os.path.join(version, "site-packages"), FOLDER, dir_fd=libraries)
    os.close(libraries)


def _mark(folder):
    """Mark the environment as unfinished, so that what a kill leaves counts as absent and is made again."""
    own = os.open(OWN, FOLDER, dir_fd=folder)
    os.close(os.open(CREATING, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=own))
    os.close(own)
