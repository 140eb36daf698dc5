"""Start programs, and choose the variables that they get."""

from __future__ import annotations

import os
import sys

from safepip.core.world import BIN
from safepip.errors import CANNOT_RUN, NOT_FOUND, SafepipError
from safepip.report import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from safepip.core.plan import Handover, RunHint

    Changes = list[tuple[str, str | None]]

HANDOVER = "SAFEPIP_HANDOVER"  # "<process id>:<environment>", set only at the handover
ACTIVATED = "SAFEPIP_ACTIVATED"  # the environment that a shell's hook activated, as VIRTUAL_ENV names it
# What would lead an environment's Python or pip elsewhere; what is entered does not go by the directory any more.
_LEFT_BEHIND = (
    (ACTIVATED, None),
    ("PYTHONHOME", None),
    ("_PIP_RUNNING_IN_SUBPROCESS", None),
    ("__PYVENV_LAUNCHER__", None),
)


def inherited() -> dict[str, str]:
    """Return this process's variables for a program to start."""
    # Empty ones stay: only safepip's own settings take them for unset.
    return dict(os.environ)


def without(environ: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    """Return the variables whose names do not begin with a prefix."""
    return {name: value for name, value in environ.items() if not name.startswith(prefixes)}


def start(argv: tuple[str, ...], environ: dict[str, str]) -> int:
    """Replace this process by a program, but on Windows wait for it."""
    if sys.platform == "win32":
        return spawn(argv, environ)
    try:
        sys.stdout and sys.stdout.flush()
        os.execve(argv[0], argv, environ)
    except FileNotFoundError:
        what = f"{argv[0]} does not exist"
        if os.path.lexists(argv[0]):
            what = f"{argv[0]} names a program that does not exist"
        raise SafepipError(NOT_FOUND, what) from None
    except OSError as error:
        raise SafepipError(CANNOT_RUN, f"{argv[0]} cannot be run: {error.strerror}") from None


def spawn(
    argv: tuple[str, ...], environ: dict[str, str], *, stdin: int | None = None, stdout: int | None = None
) -> int:
    """Run a program as a child, and return its exit code.

    It is -N if signal N ended the child, which inherits all open files. Ctrl-C is left to it, for the terminal
    sends it to both; what would end this process is passed on.
    """
    import signal
    import subprocess

    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # signals that came before there was a child
    passed_on = [signal.SIGTERM]
    if sys.platform != "win32":
        passed_on.append(signal.SIGHUP)

    def pass_on(number: int, _frame: object) -> None:
        if number not in passed_on:
            return
        if children:
            children[0].send_signal(number)
        else:
            early.append(number)

    before = {}
    for number in (signal.SIGINT, *passed_on):
        before[number] = signal.getsignal(number)
        if before[number] != signal.SIG_IGN:
            signal.signal(number, pass_on)  # unlike SIG_IGN, a handler is not inherited
    try:
        children.append(subprocess.Popen(argv, env=environ, stdin=stdin, stdout=stdout, close_fds=False))
        for signalled in early:
            children[0].send_signal(signalled)
        return children[0].wait()
    except OSError as error:
        raise SafepipError(CANNOT_RUN, f"{argv[0]} cannot be run: {error.strerror}") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_by(number: int) -> int:
    """End this process by the signal that ended its child.

    If it lives on, return the exit code that a shell would.
    """
    import signal

    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def entered(environment: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with the environment active."""
    return applied(environ, _entering(environment, environ.get("PATH", os.defpath)))


def child_environ(handover: Handover, *, locked: bool = False) -> dict[str, str]:
    """Return the variables that pip gets."""
    environ = inherited()
    return applied(environ, _changes(handover, environ.get("PATH", os.defpath), locked=locked))


def _changes(handover: Handover, search: str, *, locked: bool) -> Changes:
    """Return the changes of variables as data."""
    # runner.py reads the SAFEPIP_RUN_* and removes them.
    environment = handover.environment
    changes: Changes = [("SAFEPIP_RUN_AS", handover.program), ("__PYVENV_LAUNCHER__", None)]
    spare = spare_pip()
    if spare:
        changes.append(("SAFEPIP_RUN_SPARE", spare))
    if handover.run_hint:
        changes.append(("SAFEPIP_RUN_HINT", _packed(handover.run_hint)))
    if handover.closing:
        changes.append(("SAFEPIP_RUN_CLOSING", "\n".join(map(printable, handover.closing))))
    if locked:
        changes.append((HANDOVER, f"{os.getpid()}:{environment}"))
    if environment is not None and handover.enter:
        changes.extend(_entering(environment, search))
    elif environment is not None:
        changes.append((ACTIVATED, None))
    return [*changes, *handover.variables]


def _packed(hint: RunHint) -> str:
    return f"{' '.join(hint.asked)}:{printable(hint.how)}"


def _entering(environment: str, search: str) -> Changes:
    path = os.path.join(environment, BIN) + os.pathsep + search
    return [("VIRTUAL_ENV", environment), ("PATH", path), *_LEFT_BEHIND]


def applied(environ: Mapping[str, str], changes: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Return a copy of the variables with the changes made."""
    changed = dict(environ)
    for name, value in changes:
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = value
    return changed


def spare_pip() -> str | None:
    """Return the folder that safepip's own pip lies in, without importing it."""
    for entry in sys.path:
        if os.path.isfile(os.path.join(entry, "pip", "__init__.py")):
            return entry
    return None
