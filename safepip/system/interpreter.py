"""EDGE  Python interpreters: which one a command would have served, and what is known of it.

An interpreter is asked once and the answer kept under the identity of its binary; the PEP 668
marker is looked up on every call, for an administrator may put it there or take it away.
"""

from __future__ import annotations

import os
import sys

from safepip.core.record import Record
from safepip.errors import CANNOT_RUN, SafepipError

from .files import number, recall, remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Ask = Callable[[list[str], Mapping[str, str], bool], tuple[int, bytes]]

MARKER = "EXTERNALLY-MANAGED"
BIN = "Scripts" if sys.platform == "win32" else "bin"
ASKING = "SAFEPIP_ASKING"  # set for a program that is asked something: should it call safepip, that asks no more
EXE = ".exe" if sys.platform == "win32" else ""
OLDEST = (3, 8)  # that virtualenv can make an environment of, and that brings a pip of its own

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
_LEADING = ("PYTHON", "__PYVENV_LAUNCHER__")  # variables that would have it answer for another one
_WHERE = "import sys; sys.stdout.write(sys.executable)"
_FORMAT = "safepip-interpreter-2"


class Interpreter(Record):
    """A Python that is no virtual environment, and what it answered when asked.

    `path` is absolute and the one to start; `real` its binary; `stdlib` where the marker lies;
    `site` the site-packages of an environment made from it, relative to that environment.
    """

    path: str
    real: str
    version: tuple[int, ...]
    prefix: str
    base_prefix: str
    stdlib: str
    site: str
    implementation: str = "cpython"

    @property
    def minor(self) -> str:
        """Return the version that names an environment's libraries, as "3.12"."""
        return ".".join(map(str, self.version[:2]))

    @property
    def is_virtual(self) -> bool:
        """Tell whether it says itself that it runs in a virtual environment (PEP 405)."""
        return self.prefix != self.base_prefix

    @property
    def marker(self) -> str:
        """Return where PEP 668's marker of this interpreter lies, if it has one."""
        return os.path.join(self.stdlib, MARKER)


def candidates(names: tuple[str, ...], search: str, skip: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths of the programs called `names` in the order of the PATH `search`.

    All of the first name come before any of the second. Empty and relative entries are passed over, for
    they mean the working directory, and so are the folders `skip` and shims of safepip's own.
    """
    folders = [entry for entry in search.split(os.pathsep) if os.path.isabs(entry)]
    for name in names:
        for folder in folders:
            path = os.path.join(folder, name + EXE)
            if is_program(path) and os.path.realpath(folder) not in skip and not _is_own_shim(path):
                yield path


def is_program(path: str) -> bool:
    """Tell whether `path` is a file that this user may execute."""
    return os.path.isfile(path) and os.access(path, os.X_OK)


def is_script(path: str) -> bool:
    """Tell whether `path` is a script and not a binary, as the shims of version managers are."""
    return head_of(path, 2) == b"#!"


def is_store_alias(path: str) -> bool:
    """Tell whether Windows put the name there for its Store: an empty file, with or without a Python behind it."""
    folder = os.path.dirname(path).replace("\\", "/").lower()
    return folder.endswith("/microsoft/windowsapps") and os.path.getsize(path) == 0


def lasting(path: str) -> str:
    """Return a path of the interpreter at `path` that outlives Homebrew's upgrades, if it is Homebrew's."""
    found = keg(path)
    return found[1] + os.path.realpath(path)[len(found[0]) :] if found else path


def keg(path: str) -> tuple[str, str] | None:
    """Return the folder of this version of a Homebrew Python, and the link to it that stays; None if it is none.

    A version lies in Cellar/FORMULA/VERSION and goes when the next one comes; opt/FORMULA leads to the present.
    """
    before, _, after = os.path.realpath(path).partition("/Cellar/")
    formula, version = (*after.split("/"), "", "")[:2]
    goes, stays = os.path.join(before, "Cellar", formula, version), os.path.join(before, "opt", formula)
    return (goes, stays) if version and os.path.realpath(stays) == goes else None


def behind_shim(path: str, environ: Mapping[str, str], ask: Ask | None = None) -> str:
    """Return the interpreter that a version manager's shim would run here and now.

    Asked each time, for the answer depends on variables, files up the tree and the manager's own
    state. Where the shim fails, its message has been shown and its exit code stands.
    """
    if ASKING in environ:
        what = f"{path} leads back to safepip, which was asking it what Python it runs"
        raise SafepipError(
            CANNOT_RUN, what, "put another Python before it on PATH, or name one: SAFEPIP_PYTHON=/path"
        )
    try:
        code, answer = (ask or _ask)([path, "-c", _WHERE], {**environ, ASKING: "1"}, True)
    except OSError as error:
        raise SafepipError(CANNOT_RUN, f"{path} cannot be run: {error.strerror}") from None
    found = os.fsdecode(answer)
    if code or not os.path.isabs(found):
        code = 128 - code if code < 0 else code  # ended by a signal
        raise SafepipError(code or CANNOT_RUN, "" if code else f"{path} did not say which Python it runs")
    return found


def interview(
    path: str,
    environ: Mapping[str, str],
    cache: str | None,
    *,
    keep: bool = True,
    ask: Ask | None = None,
) -> Interpreter | str:
    """Return what is known of the interpreter at `path`, or the reason why nothing could be learned.

    The answer is kept in the folder `cache` under real path, device, inode, ctime and size of the
    binary: mtimes say nothing on Nix and ostree, where every file has the same.
    """
    real = os.path.realpath(path)
    try:
        stat = os.stat(real)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    key = (_FORMAT, real, *map(str, (stat.st_dev, stat.st_ino, stat.st_ctime_ns, stat.st_size)))
    kept = cache and os.path.join(cache, "interpreters", f"{stat.st_dev:x}-{stat.st_ino:x}")
    known = _recall(kept, key) if kept else None
    if known is not None:
        return _interpreter(path, real, known)
    answer = _interrogate(path, environ, ask or _ask)
    if isinstance(answer, str):
        return answer
    if kept and keep:
        remember(kept, "\0".join((*key, _sum_of(answer), *answer)))
    return _interpreter(path, real, answer)


def is_marked(interpreter: Interpreter) -> bool:
    """Tell whether PEP 668's marker is there: a regular file, links followed, as pip's own test."""
    return os.path.isfile(interpreter.marker)


def started_as(python: str) -> str:
    """Return the name of `python` by which its own pip's launcher starts it, in the same folder.

    Scripts that pip installs begin with the path that it was started by, so RECORD and scripts come out
    as bare pip's only if that name is kept.
    """
    folder = os.path.dirname(python)
    named = python_named(head_of(os.path.join(folder, "pip")))
    path = os.path.join(folder, os.path.basename(named))
    same = named and os.path.realpath(path) == os.path.realpath(python)
    return path if same and is_program(path) else python


def python_named(head: bytes) -> str:
    """Return the Python, an absolute path, that the first lines of a script name; empty where they name none."""
    first, _, rest = head.partition(b"\n")
    named = first[2:].strip() if first.startswith(b"#!") else b""
    if named == b"/bin/sh":  # the trampoline of paths too long or with spaces: exec PATH "$0" "$@"
        named = rest.partition(b"exec' ")[2].partition(b' "$0"')[0].strip(b"'\"")
    path = os.fsdecode(named)
    return path if os.path.isabs(path) and os.path.basename(path).startswith(("python", "pypy")) else ""


def head_of(path: str, size: int = 1024) -> bytes:
    """Return the first bytes of a file, none where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _is_own_shim(path: str) -> bool:
    head = head_of(path, 256)
    return head.startswith(b"#!") and b"safepip" in head


def _recall(path: str, key: tuple[str, ...]) -> tuple[str, ...] | None:
    fields = tuple((recall(path) or "").split("\0"))
    answer = fields[len(key) + 1 :]
    return answer if fields == (*key, _sum_of(answer), *answer) and _is_answer(answer) else None


def _sum_of(answer: tuple[str, ...]) -> str:
    """Return a checksum: what a disk or a hand has damaged is no answer; zlib's would have to be loaded."""
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
        version=tuple(int(part) for part in version.split(".")),
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
    """Run a program to its end, which a signal to this process brings about as well."""
    import signal
    import subprocess

    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    children: list[subprocess.Popen[bytes]] = []
    came: list[int] = []

    def end(number: int, _frame: object) -> None:
        came.append(number)
        if children:
            raise KeyboardInterrupt

    plain = (signal.SIG_DFL, signal.default_int_handler)  # nohup has one ignored
    numbers = [
        getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
    ]
    before = {one: handler for one in numbers if (handler := signal.getsignal(one)) in plain}
    for one in before:
        signal.signal(one, end)
    try:
        stderr = None if aloud else null
        children.append(subprocess.Popen(argv, env=environ, stdin=null, stdout=pipe, stderr=stderr))
        if came:
            end(came[0], None)
        answer, _ = children[0].communicate()
    except KeyboardInterrupt:
        children[0].kill()
        signal.signal(came[0], signal.SIG_DFL)
        os.kill(os.getpid(), came[0])
        raise
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    return children[0].returncode, answer
