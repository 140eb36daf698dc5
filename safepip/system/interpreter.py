"""Find Python interpreters and ask them what they are.

An interpreter is asked once, and its answer is kept under the identity of its binary. The marker (PEP 668) is
looked up on every call, since an administrator may add or remove it.
"""

from __future__ import annotations

import os

from safepip.core.world import EXE, Interpreter
from safepip.errors import CANNOT_RUN, NOT_FOUND, SafepipError

from .files import number, recall_fields, remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Ask = Callable[[list[str], Mapping[str, str], bool], tuple[int, bytes]]

ASKING = "SAFEPIP_ASKING"  # set for a program that safepip asks: if it calls safepip, that asks no further

# Runs on every Python from 2.7 on; `-I` where it exists: nothing of the working directory is imported.
_QUESTIONS = """
import os, sys, sysconfig
def relative(scheme):
    path = sysconfig.get_path("purelib", scheme, {"base": "BASE", "platbase": "BASE"})
    return path[5:]
schemes = sysconfig.get_scheme_names()
scheme = "venv" if "venv" in schemes else "nt" if os.name == "nt" else "posix_prefix"
answers = [
    sys.executable, ".".join(map(str, sys.version_info[:3])), sys.prefix,
    getattr(sys, "base_prefix", getattr(sys, "real_prefix", sys.prefix)),
    sysconfig.get_path("stdlib"), relative(scheme),
    getattr(getattr(sys, "implementation", None), "name", "cpython"),
]
out = getattr(sys.stdout, "buffer", sys.stdout)
encode = getattr(os, "fsencode", lambda text: text)
out.write(b"\\0".join(encode(answer) for answer in answers))
"""
_LEADING = ("PYTHON", "__PYVENV_LAUNCHER__")  # variables that would make it answer for another Python
_WHERE = "import sys; sys.stdout.write(sys.executable)"
_FORMAT = "safepip-interpreter-2"


def candidates(names: tuple[str, ...], search: str, skip: tuple[str, ...]) -> Iterator[str]:
    """Yield the programs called `names` in the order of PATH.

    All of the first name come before any of the second. Empty and relative entries mean the working directory and
    are skipped, as are the folders in `skip` and safepip's own shims.
    """
    folders = list(filter(os.path.isabs, search.split(os.pathsep)))
    for name in names:
        for folder in folders:
            path = os.path.join(folder, name + EXE)
            if not is_program(path) or _is_own_shim(path):
                continue
            if os.path.realpath(folder) not in skip:
                yield path


def program_on_path(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the first program of this name on PATH, or None."""
    return next(candidates((name,), environ.get("PATH", os.defpath), ()), None)


def program_name(wanted: str) -> str:
    """Return the program name for a name or a version of Python."""
    if wanted[:1].isdigit():
        return "python" + ".".join(wanted.split(".")[:2])
    return wanted


def python_on_path(wanted: str, environ: Mapping[str, str]) -> str:
    """Return the first Python on PATH of this name or version."""
    name = program_name(wanted)
    path = program_on_path(name, environ)
    if path is None:
        raise SafepipError(NOT_FOUND, f"there is no {name} on PATH")
    return path


def is_program(path: str) -> bool:
    """Return True if `path` is a file that this user may execute."""
    return os.path.isfile(path) and os.access(path, os.X_OK)


def is_script(path: str) -> bool:
    """Return True for a script, such as a version manager's shim."""
    return head_of(path, 2) == b"#!"


def is_store_alias(path: str) -> bool:
    """Return True for an empty file of the Windows Store."""
    # It may start a Python, or only offer one.
    folder = os.path.dirname(path).replace("\\", "/").lower()
    return folder.endswith("/microsoft/windowsapps") and os.path.getsize(path) == 0


def lasting(path: str) -> str:
    """Return a path of the interpreter that outlives Homebrew's upgrades."""
    found = keg(path)
    if found is None:
        return path
    versioned, stable = found
    return stable + os.path.realpath(path)[len(versioned) :]


def keg(path: str) -> tuple[str, str] | None:
    """Return a Homebrew Python's versioned folder and the stable link.

    For other Pythons it is None.
    """
    # Cellar/FORMULA/VERSION is removed when the next version comes; opt/FORMULA leads to the present one.
    before, _, after = os.path.realpath(path).partition("/Cellar/")
    formula, _, below = after.partition("/")
    version = below.partition("/")[0]
    if not version:
        return None
    versioned = os.path.join(before, "Cellar", formula, version)
    stable = os.path.join(before, "opt", formula)
    if os.path.realpath(stable) != versioned:
        return None
    return versioned, stable


def behind_shim(path: str, environ: Mapping[str, str], ask: Ask | None = None) -> str:
    """Return the interpreter that a version manager's shim runs here."""
    # Asked each time: the answer depends on variables, files up the tree and the manager's own state.
    if ASKING in environ:
        what = f"{path} leads back to safepip, which was asking it what Python it runs"
        raise SafepipError(
            CANNOT_RUN, what, "put another Python before it on PATH, or name one: SAFEPIP_PYTHON=/path"
        )
    try:
        code, answer = (ask or _ask)([path, "-c", _WHERE], {**environ, ASKING: "1"}, True)
    except OSError as error:
        raise SafepipError(CANNOT_RUN, f"{path} cannot be run: {error.strerror}") from None
    if code < 0:  # ended by a signal
        raise SafepipError(128 - code, "")
    if code > 0:  # its own message has been shown
        raise SafepipError(code, "")
    found = os.fsdecode(answer)
    if not os.path.isabs(found):
        raise SafepipError(CANNOT_RUN, f"{path} did not say which Python it runs")
    return found


def interview(
    path: str,
    environ: Mapping[str, str],
    cache: str | None,
    *,
    keep: bool = True,
    ask: Ask | None = None,
    real: str = "",
) -> Interpreter | str:
    """Return what the interpreter at `path` is, or the reason against it.

    The answer is kept in the folder `cache` under real path, device, inode, ctime and size of the binary: mtimes
    say nothing on Nix and ostree, where every file has the same. `real` is the real path, if that is known
    already.
    """
    real = real or os.path.realpath(path)
    try:
        stat = os.stat(real)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    identity = map(str, (stat.st_dev, stat.st_ino, stat.st_ctime_ns, stat.st_size))
    key = (_FORMAT, real, *identity)
    file = ""
    if cache:
        file = os.path.join(cache, "interpreters", f"{stat.st_dev:x}-{stat.st_ino:x}")
        fields = recall_fields(file)
        kept = fields[len(key) + 1 :]
        if fields == (*key, _checksum(kept), *kept) and _is_answer(kept):
            return _interpreter(path, real, kept)
    answer = _interrogate(path, environ, ask or _ask)
    if isinstance(answer, str):
        return answer
    if file and keep:
        remember(file, "\0".join((*key, _checksum(answer), *answer)))
    return _interpreter(path, real, answer)


def is_marked(interpreter: Interpreter) -> bool:
    """Return True if the marker (PEP 668) exists, as pip tests it."""
    return os.path.isfile(interpreter.marker)


def started_as(python: str) -> str:
    """Return the name by which the pip of `python` starts it.

    Scripts that pip installs begin with the path that it was started by, so RECORD and scripts come out as bare
    pip's only if that name is kept.
    """
    folder = os.path.dirname(python)
    named = python_named(head_of(os.path.join(folder, "pip")))
    if not named:
        return python
    path = os.path.join(folder, os.path.basename(named))
    if path == python:
        return python
    if os.path.realpath(path) == os.path.realpath(python) and is_program(path):
        return path
    return python


def python_named(head: bytes) -> str:
    """Return the Python that a script's first lines name, or empty."""
    first, _, rest = head.partition(b"\n")
    if not first.startswith(b"#!"):
        return ""
    named = first[2:].strip()
    if named == b"/bin/sh":  # the trampoline of paths too long or with spaces: exec PATH "$0" "$@"
        named = rest.partition(b"exec' ")[2].partition(b' "$0"')[0].strip(b"'\"")
    path = os.fsdecode(named)
    if not os.path.isabs(path):
        return ""
    if not os.path.basename(path).startswith(("python", "pypy")):
        return ""
    return path


def head_of(path: str, size: int = 1024) -> bytes:
    """Return the first bytes of a file, empty if unreadable."""
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _is_own_shim(path: str) -> bool:
    head = head_of(path, 256)
    return head.startswith(b"#!") and b"safepip" in head


def _checksum(answer: tuple[str, ...]) -> str:
    # Outside of distributions' builds, zlib and binascii are shared libraries, slower to load than this is to run.
    found = 0
    for byte in os.fsencode("\0".join(answer)):
        found = (found * 257 + byte) % 0xFFFFFFFB
    return f"{found:x}"


def _is_answer(fields: tuple[str, ...]) -> bool:
    return len(fields) == 7 and None not in map(number, fields[1].split("."))


def _interpreter(path: str, real: str, known: tuple[str, ...]) -> Interpreter:
    _executable, version, prefix, base_prefix, stdlib, site, implementation = known
    return Interpreter(
        path=path,
        real=real,
        version=tuple(map(int, version.split("."))),
        prefix=prefix,
        base_prefix=base_prefix,
        stdlib=stdlib,
        site=site,
        implementation=implementation,
    )


def _interrogate(path: str, environ: Mapping[str, str], ask: Ask) -> tuple[str, ...] | str:
    sealed = {name: value for name, value in environ.items() if not name.startswith(_LEADING)}
    code = 0
    for isolated in (["-I"], ["-E", "-s"]):  # Python 2 has no -I
        try:
            code, answer = ask([path, *isolated, "-c", _QUESTIONS], sealed, False)
        except OSError as error:
            return f"{path} cannot be run: {error.strerror}"
        fields = tuple(os.fsdecode(answer).split("\0"))
        if code == 0 and _is_answer(fields):
            return fields
    return f"{path} does not answer as a Python does (exit code {code})"


def _ask(argv: list[str], environ: Mapping[str, str], aloud: bool) -> tuple[int, bytes]:
    """Run a program to its end, unless a signal ends this process."""
    import signal
    import subprocess

    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # signals that came before there was a child

    def end(number: int, _frame: object) -> None:
        if not children:
            early.append(number)
            return
        children[0].kill()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is None:  # on Windows
            continue
        handler = signal.getsignal(number)
        if handler in {signal.SIG_DFL, signal.default_int_handler}:  # nohup has one ignored
            before[number] = handler
            signal.signal(number, end)
    null = subprocess.DEVNULL
    stderr: int | None = null
    if aloud:
        stderr = None
    try:
        children.append(subprocess.Popen(argv, env=environ, stdin=null, stdout=subprocess.PIPE, stderr=stderr))
        for number in early:
            end(number, None)
        answer, _ = children[0].communicate()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return children[0].returncode, answer
