"""Where experiments take place: homes and projects of their own, sealed variables, own wheels, no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from .wheels import make_wheels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYSTEM_PYTHON = "/usr/bin/python3"
SYSTEM_PATH = "/usr/bin:/bin"
PATIENCE = 600  # seconds after which a command counts as hung


class Ran(NamedTuple):
    """How a command ended (negative: by that signal), and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """Return safepip's own lines."""
        return [line for line in self.err.splitlines() if line.startswith("safepip: ")]

    @property
    def last(self) -> str:
        """Return the last line of what it complained, for a note."""
        return f"code {self.code}: {(self.err.strip() or self.out.strip())[-300:].splitlines()[-1:]}"


class World:
    """A scratch folder with a home in it, the safepip under torture, and the tools that this machine has.

    `safepip` is a console script; `uv` and `strace` are paths, or None where there is none; `wheels` is a folder
    that pip's find-links names; `scratch` is the caller's to remove, any user may enter it. Caches are shared by
    all that runs with the same `home`.
    """

    def __init__(self, safepip: str, scratch: str, *, uv: str | None, strace: str | None, quick: bool) -> None:
        self.safepip = safepip
        self.scratch = scratch
        self.uv = uv
        self.strace = strace
        self.quick = quick
        self.root = os.geteuid() == 0
        self.managed = is_managed(SYSTEM_PYTHON)
        os.chmod(scratch, 0o755)
        self.home = self.folder("home")
        self.temporary = self.folder("tmp")
        self.wheels = os.path.join(scratch, "wheels")
        make_wheels(self.wheels)

    @staticmethod
    def tell(line: str) -> None:
        """Write a line of progress."""
        print(line, file=sys.stderr, flush=True)

    def count(self, name: str, done: int, total: int, wrong: str = "") -> None:
        """Tell of a failure at once, and now and then how far an experiment has come."""
        if wrong:
            self.tell(f"  {wrong}")
        if done % max(1, total // 10) == 0:
            self.tell(f"  {name}: {done} of {total}")

    def note(self, name: str, done: int, total: int, where: str, wrong: Sequence[str]) -> list[str]:
        """Tell how far an experiment has come, and return what was wrong."""
        told = []
        if wrong:
            told.append(f"{where}: {'; '.join(wrong[:3])[:400]}")
        self.count(name, done, total, "".join(told))
        return told

    def folder(self, name: str) -> str:
        """Make a folder of that name in the scratch folder, and return its path."""
        path = os.path.join(self.scratch, name)
        os.makedirs(path, exist_ok=True)
        return path

    def new_folder(self, name: str) -> str:
        """Make a folder that nothing else uses, and return its path."""
        return tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch)

    def project(self, name: str) -> str:
        """Make an empty project of that name in the home directory, in place of one that is there."""
        path = os.path.join(self.home, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def environ(self, extra: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return all variables of a command, with `extra` laid over them; None removes one."""
        variables: dict[str, str | None] = {
            "HOME": self.home,
            "PATH": SYSTEM_PATH,
            "TMPDIR": self.temporary,
            "LANG": "C.UTF-8",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_OFFLINE": "1",
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": self.wheels,
            "UV_PYTHON_DOWNLOADS": "never",
        }
        if not self.managed:
            variables["SAFEPIP_SCOPE"] = "always"
        merged = {**variables, **(extra or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def run(self, argv: Sequence[str], cwd: str, env: Mapping[str, str | None] | None = None) -> Ran:
        """Run any program to its end, its input empty."""
        with self.start(argv, cwd, env) as process:
            return self.end(process)

    def start(
        self, argv: Sequence[str], cwd: str, env: Mapping[str, str | None] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start any program in a session of its own; its streams are pipes."""
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        return subprocess.Popen(
            argv, cwd=cwd, env=self.environ(env), stdin=null, stdout=pipe, stderr=pipe, start_new_session=True
        )

    @staticmethod
    def end(process: subprocess.Popen[bytes]) -> Ran:
        """Wait for a program that was started; one that hangs is killed."""
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        return Ran(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def is_managed(python: str) -> bool:
    """Return True if an interpreter has the marker (PEP 668)."""
    code = "import os, sysconfig as s; print(os.path.isfile(s.get_path('stdlib') + '/EXTERNALLY-MANAGED'))"
    asked = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
    return asked.stdout.strip() == "True"
