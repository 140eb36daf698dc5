"""Starts what this archive holds: unpacked once into the user's cache, and run from there ever after.

safepip cannot run from within an archive: other Pythons start its runner.py, and its pip must be a folder. The
folder is named after the contents, so that any number of versions lie side by side and none is ever changed. It
counts only if it is the user's own and nobody else can write to it.

scripts/make_pyz.py fills in the digest. The oldest Python must be able to read this file, so that it can say what
is missing, and 3.6 what that needs: it looks for a newer one.
"""

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping  # noqa: F401  in comments, for the oldest Python

DIGEST = "__DIGEST__"
ARCHIVE = os.path.dirname(os.path.abspath(__file__))
A_DAY = 86400
UNFORESEEN = 70  # the code with which safepip ends where a module is missing
OTHERS = ("site-packages", "dist-packages")  # what is installed there is none of safepip's business


def main():
    # type: () -> int
    """Start safepip, or set it up; return the exit code."""
    if sys.version_info < (3, 6):
        sys.stderr.write("safepip.pyz: error: safepip needs Python 3.10 or newer: python3 safepip.pyz\n")
        return 69
    if sys.version_info < (3, 10):
        import bootstrap

        return bootstrap.main([])  # it goes on under a newer Python, or says that there is none
    is_pip = os.path.basename(sys.argv[0]).startswith("pip")  # then every word is pip's
    if sys.argv[1:2] in (["--install"], ["--uninstall"]) and not is_pip:
        import install

        return install.main(sys.argv[1:], ARCHIVE)
    folder = cache_folder(os.environ, sys.platform)
    if not is_usable(folder) or is_due(folder):
        folder = unpacked(folder)
    try:
        run = load(folder)
    except ImportError:  # files are gone since they were counted
        folder = unpacked(folder)
        run = load(folder)
    code = run()
    if code == UNFORESEEN:
        count_again(folder)
    return code


def unpacked(folder):
    # type: (str) -> str
    """Have all that the archive holds in `folder`, or in another; return which."""
    sys.path[0] = ARCHIVE
    import unpack

    return unpack.unpack(ARCHIVE, folder, DIGEST, is_usable)


def load(folder):
    # type: (str) -> Callable[[], int]
    """Return safepip's main, imported from `folder`; nothing of a former try counts."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "safepip"]:
        del sys.modules[name]
    sys.path_importer_cache.clear()
    sys.path[:] = [folder] + [path for path in sys.path[1:] if os.path.basename(path) not in OTHERS]
    from safepip.cli import main as safepip_main

    return safepip_main


def count_again(folder):
    # type: (str) -> None
    """Have the files counted at the next start: one of them may be what was missing."""
    try:
        os.unlink(os.path.join(folder, "counted"))
    except OSError:
        return


def cache_folder(environ, platform):
    # type: (Mapping[str, str], str) -> str
    """Return where the unpacked archive is to lie, or "" where the user has no home, or it is not the user's.

    It is <cache>/safepip/pyz/<digest>, the cache by the rule of system/directories.py. Not for root behind sudo:
    safepip steps down to that user, who could not read it.
    """
    if "SUDO_UID" in environ and os.geteuid() == 0:
        return ""
    home = os.path.expanduser("~")
    if platform == "win32":
        local = environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        cache = os.path.join(local, "safepip", "Cache")
    else:
        named = environ.get("XDG_CACHE_HOME", "")
        usual = os.path.join(home, "Library/Caches" if platform == "darwin" else ".cache")
        cache = os.path.join(named if os.path.isabs(named) else usual, "safepip")
    return os.path.join(cache, "pyz", DIGEST) if os.path.isabs(cache) else ""


def is_usable(folder):
    # type: (str) -> bool
    """Return True if `folder` is a folder, complete, this user's own, and writable by nobody else."""
    try:
        status = os.lstat(folder)
        file = os.stat(os.path.join(folder, "safepip", "cli.py"))
    except OSError:
        return False
    if os.name == "nt":
        return True
    return file.st_mode & 0o022 == 0 and status.st_mode & 0o170022 == 0o040000 and status.st_uid == os.geteuid()


def is_due(folder):
    # type: (str) -> bool
    """Return True if the files were last counted a day ago or more: cleaners of old files remove single ones."""
    try:
        return abs(time.time() - os.stat(os.path.join(folder, "counted")).st_mtime) > A_DAY
    except OSError:
        return True


if __name__ == "__main__":
    sys.exit(main())
