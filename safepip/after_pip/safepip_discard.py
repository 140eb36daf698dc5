"""Remove an environment that was made for an install which failed.

Imported by runner.py before it starts pip, under any Python that pip runs on. From pip 26.3 on nothing can be
imported when pip has ended. Where that Python has no directory descriptors or no locks (Windows, Python 2), the
environment stays.
"""

import os
import stat
import sys

from safepip_notes import KINDS, read, sites_of

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
INSTALLED = KINDS + (b".pth",)  # noqa: RUF005  Python 2


class Discarding:
    """Removes the environment that `discarding` in envs/removal.py describes."""

    def __init__(self, description):
        fields = description.split("\n")
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
        if not self._is_unused(creation_lock):
            return False
        if not _is_new(folder, self.path):
            return False
        own = os.open(OWN, FOLDER, dir_fd=folder)
        # The mark: what a kill leaves counts as absent, and is made again.
        os.close(os.open(CREATING, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=own))
        os.close(own)
        record = "%x-%x" % self.identity
        of_state = (os.path.join(self.state, "environments", record), os.path.join(self.state, "sizes", record))
        for file in filter(os.path.lexists, of_state + (self.redirect,)):  # noqa: RUF005  Python 2
            os.unlink(file)
        remove_content(folder, last=(OWN, LOCK))
        if not self.existed:
            os.rmdir(os.path.basename(self.path), dir_fd=around)
        return True

    def _is_mine(self, folder):
        """Return True if this process made it, and holds its lock."""
        found = os.fstat(folder)
        if _identity(found) != self.identity or found.st_uid != os.geteuid():
            return False
        return _is_open_as(self.lock, LOCK, folder)

    def _is_unused(self, creation_lock):
        """Return True if no other command makes, awaits or uses it."""
        try:
            fcntl.flock(creation_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (IOError, OSError):
            return False
        if not _is_open_as(creation_lock, self.creation_lock):
            return False
        if _is_waited_for(self.lock):
            return False
        return not _is_run(self.path)


def remove_content(folder, last=()):
    """Remove what an open directory holds, the names `last` in the end."""
    # Never through a link or a mount.
    device = os.fstat(folder).st_dev
    present = os.listdir(folder)
    for name in present:
        if name not in last:
            _remove(folder, name, device)
    for name in last:
        if name in present:
            _remove(folder, name, device)


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
    # Another file may have taken its place.
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return _identity(os.fstat(descriptor)) == _identity(found)


def _is_waited_for(lock):
    """Return True if a process sleeps until the lock is free."""
    # As uv does; safepip asks again and again.
    inode = ":%d" % os.fstat(lock).st_ino
    for line in read("/proc/locks").decode("ascii", "replace").splitlines():
        if "->" in line and inode + " " in line:  # as "1: -> FLOCK  ADVISORY  WRITE 708 00:13:1234 0 EOF"
            return True
    return False


def _is_run(path):
    """Return True if another process was started from it (told on Linux)."""
    begin = os.fsencode(os.path.join(path, ""))
    active = b"VIRTUAL_ENV=" + os.fsencode(path)
    if not os.path.isdir("/proc"):
        return False
    for process in os.listdir("/proc"):
        if not process.isdigit() or int(process) == os.getpid():
            continue
        words = b"\0" + read("/proc/%s/cmdline" % process)  # NUL before each
        if b"\0" + begin in words:
            return True
        if active in read("/proc/%s/environ" % process).split(b"\0"):
            return True
    return False


def _is_new(folder, path):
    """Return True if all that is there came with the creation."""
    if not NEW.issuperset(os.listdir(folder)):
        return False
    own = os.open(OWN, FOLDER, dir_fd=folder)
    notes = os.listdir(own)
    os.close(own)
    if not set(NEW_NOTES).issuperset(notes):
        return False
    path = os.fsencode(path)
    for site in sites_of(path):
        for name in os.listdir(os.path.join(path, site)):
            if name.endswith(INSTALLED) and not name.startswith((b"pip-", b"_virtualenv.pth")):
                return False
    return True
