"""Find another Python for the launcher.

Its own is gone, or does not run safepip. Python 3.6 can read this.
"""

import contextlib
import os
import shlex
import sys

OLDEST = (3, 10)


def offer(launcher: str) -> int:
    """Offer this Python to the launcher if safepip runs under it."""
    reason = _unfit()
    if reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    python = _lasting(sys.executable)
    if launcher:
        _record(python, os.path.realpath(launcher))
    sys.stdout.write(f"{python}\n")
    return 0


def _unfit() -> str:
    """Return why safepip cannot run under this Python, "" if it can."""
    if sys.version_info < OLDEST:
        return "it is older than Python 3.10"
    folder = os.path.dirname(sys.executable)
    for at in (folder, os.path.dirname(folder)):
        if os.path.exists(os.path.join(at, "pyvenv.cfg")):
            return "it belongs to an environment, and would go with it"
    try:
        import filelock  # noqa: F401
        import pip  # noqa: F401
        import virtualenv  # noqa: F401

        import safepip.cli
        import safepip.system.settings_files  # noqa: F401 (reads TOML)
    except (ImportError, SyntaxError) as error:
        return str(error)
    return ""


def _lasting(python: str) -> str:
    # The name without a version outlives upgrades.
    beside = os.path.join(os.path.dirname(python), "python3")
    if os.path.exists(beside) and os.path.samefile(python, beside):
        return beside
    return python


def _record(python: str, launcher: str) -> None:
    # If it cannot be written, the next start searches again.
    scratch = f"{launcher}.{os.getpid()}"
    try:
        with open(launcher, "rb") as file:
            user = 0
            if sys.platform != "win32":
                user = os.geteuid()
            is_own = os.fstat(file.fileno()).st_uid == user  # root leaves that of another user alone
            lines = file.read().split(b"\n")
        at = next(number for number, line in enumerate(lines) if line.startswith(b"python="))
        shlex.split(os.fsdecode(lines[at]))  # a path with a line end in it goes on in the next line
        if not is_own:
            return
        lines[at] = b"python=" + os.fsencode(shlex.quote(python))
        with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755), "wb") as file:
            file.write(b"\n".join(lines))
        os.replace(scratch, launcher)
    except (OSError, StopIteration, ValueError):
        return


def search(error: Exception) -> int:
    """Start the launcher again, to look for another Python."""
    reason = f"{sys.executable} does not run it ({error})"
    if _unfit():  # else the search would end here again
        with contextlib.suppress(OSError):
            os.execve("/bin/sh", ["sh", *sys.argv], dict(os.environ, SAFEPIP_UNFIT=reason))
    sys.stderr.write(f"safepip: error: {reason}; run scripts/bootstrap.py again\n")
    return 127
