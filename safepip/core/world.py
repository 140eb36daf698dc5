"""What a decision is made from, as plain values; safepip.system finds them out."""

from __future__ import annotations

import os.path
import sys

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# The states of an environment.
ABSENT = "absent"
UNFINISHED = "unfinished"
BROKEN = "broken"
USABLE = "usable"
UNTRUSTED = "untrusted"
FOREIGN = "foreign"
NOWHERE = "nowhere"


MADE_ELSEWHERE = "was made elsewhere"  # begins the reason against one that was copied or moved
OTHER_SYSTEM = "was made on another system"

MARKER = "EXTERNALLY-MANAGED"
BIN = "Scripts" if sys.platform == "win32" else "bin"
EXE = ".exe" if sys.platform == "win32" else ""
OLDEST = (3, 8)  # virtualenv makes environments from it, and it brings a pip


class Ambient(Record):
    """What surrounds the process: one door for it all. An empty variable counts as unset.

    `terminal` tells whether stderr is one, `attended` whether any of the three streams is.
    """

    environ: Mapping[str, str]
    cwd: str | None
    home: str | None
    user: int
    platform: str
    executable: str
    prefix: str
    base_prefix: str
    terminal: bool
    attended: bool = False


class Target(Record):
    """The Python that the typed command would have served: an `interpreter`, or an environment at `prefix`.

    `python` is the program to start; `named` tells whether the line, and not PATH, chose it.
    """

    python: str
    prefix: str | None = None
    interpreter: Interpreter | None = None
    named: bool = False
    problem: str | None = None


class Interpreter(Record):
    """A Python that is not a virtual environment, with its answers.

    `path` is absolute and the one to start; `real` is its binary; the marker lies in `stdlib`; `site` is the
    site-packages of an environment made from it, relative to that environment.
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
        """Return True if it says that it runs in a virtual environment (PEP 405)."""
        return self.prefix != self.base_prefix

    @property
    def marker(self) -> str:
        """Return the path of its marker (PEP 668), whether that exists or not."""
        return os.path.join(self.stdlib, MARKER)


class Environment(Record):
    """A place for an environment, and what was found there.

    `path` is absolute, with redirects followed; `named` the place that the user knows; `state` is one of
    ABSENT, UNFINISHED, BROKEN, FOREIGN, UNTRUSTED and NOWHERE (`reason` says why), and USABLE (then the rest
    is known). `python` is the program to start, under the name that the environment's own pip uses; `version` its
    minor version, as "3.12"; `has_pip` tells whether pip is installed in it. A BROKEN one is `nothing` where
    neither its name nor what is in it tells that an environment was meant to be there: it may be moved away,
    and `closed` where its owner may not look into it.
    `instead` says what stands in the way of an environment in the project, where one is kept elsewhere for that.
    """

    path: str
    named: str
    state: str
    reason: str = ""
    other_system: bool = False
    nothing: bool = False
    closed: bool = False
    python: str = ""
    version: str = ""
    site: str = ""
    base: Interpreter | None = None
    has_pip: bool = False
    sees_system: bool = False
    instead: str = ""


class Project(Record):
    """A project: its `root`, the place of its `environment`, and the `marker` that it is known by.

    `environment` is absolute, whatever its state; `None` where there is none yet and the settings decide.
    `disposable` is a redirect to an environment of tox's or nox's, which serves only commands that read.
    """

    root: str
    marker: str
    environment: str | None = None
    disposable: str | None = None
