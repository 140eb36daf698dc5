"""What a decision is made from, as plain values."""

from __future__ import annotations

import os.path
import sys

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .invocation import Invocation
    from .pip_line import PipCommand
    from .settings import Settings

# What a decision may need to know next.
TARGET = "target"
TYPED_INTERPRETER = "typed_interpreter"
PLACE = "place"
DETAILS = "details"
APPS = "apps"

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
    """What surrounds the process.

    An empty variable counts as unset. `terminal` tells whether stderr is one, `attended` whether any of the three
    streams is.
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
    """The Python that the typed command would have served.

    It is an `interpreter`, or an environment at `prefix`. `python` is the program to start; `chosen_on_line` tells
    whether the line, and not PATH, chose it.
    """

    python: str
    prefix: str | None = None
    interpreter: Interpreter | None = None
    chosen_on_line: bool = False
    problem: str | None = None


class Interpreter(Record):
    """A Python that is not a virtual environment.

    `path` is absolute and the one to start; `real` is its binary; `site` is the site-packages of an environment
    made from it, relative to that environment.
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
        """Return True if it runs in a virtual environment (PEP 405)."""
        return self.prefix != self.base_prefix

    @property
    def marker(self) -> str:
        """Return the path of its marker (PEP 668), which need not exist."""
        return os.path.join(self.stdlib, MARKER)


class Environment(Record):
    """A place for an environment, and what was found there.

    `reason` says why `state` is not USABLE. What follows `is_unreadable` is known of a usable one only, but for
    the last.
    """

    path: str  # absolute, redirects followed
    known_as: str  # the place that the user knows
    state: str
    reason: str = ""
    other_system: bool = False
    never_environment: bool = False  # neither its name nor its content is an environment's: it may be moved away
    is_unreadable: bool = False  # its owner may not look into it
    python: str = ""  # the program to start, under the name that the environment's own pip uses
    version: str = ""  # as "3.12"
    site: str = ""
    base: Interpreter | None = None
    has_pip: bool = False
    sees_system: bool = False
    reason_for_other_place: str = ""  # what keeps the environment out of the project


class Project(Record):
    """A project, known by its `marker`."""

    root: str
    marker: str
    environment: str | None = None  # an absolute path; None where there is none yet and the settings decide
    disposable: str | None = None  # a redirect to an environment of tox's or nox's, which serves only readers


class Facts:
    """What World and the Context that observes it have in common."""

    __slots__ = ()

    if TYPE_CHECKING:
        ambient: Ambient
        data: str | None

        @property
        def settings(self) -> Settings: ...  # noqa: D102
        @property
        def first_reading(self) -> PipCommand: ...  # noqa: D102

    @property
    def quiet(self) -> bool:
        """Whether only errors are printed: by `-q`, PIP_QUIET, setting or `freeze`."""
        command = self.first_reading
        if command.quiet or command.subcommand == "freeze":
            return True
        return self.settings.quiet

    def typed(self, found: Environment) -> str:
        """Return the environment's path as the user would type it from here."""
        return self.typed_path(found.known_as)

    def typed_path(self, path: str) -> str:
        """Return the path as the user would type it from here."""
        cwd = self.ambient.cwd
        if cwd is None or cwd == os.sep:
            return path
        if not path.startswith(os.path.join(cwd, "")) or self._is_in_data(path):
            return path
        return os.path.relpath(path, cwd)

    def display(self, found: Environment) -> str:
        """Return the environment's path for prose, perhaps with ~ in front."""
        # Not for a command that has to be quoted, where a shell would not read the ~.
        home = self.ambient.home
        if home is None or not self._is_in_data(found.known_as):
            return self.typed(found)
        start = os.path.join(home, "")
        if not found.known_as.startswith(start):
            return found.known_as
        return os.path.join("~", found.known_as.removeprefix(start))

    def _is_in_data(self, path: str) -> bool:
        return self.data is not None and path.startswith(os.path.join(self.data, ""))


class World(Record, Facts):
    """What is known of a line before any Python is looked for."""

    invocation: Invocation
    ambient: Ambient
    settings: Settings
    first_reading: PipCommand  # by a pip whose own configuration is not known yet
    data: str | None = None
    untouched: str | None = None  # the variable that asks for bare pip
    opts_out: str | None = None  # the variable or file that switches PEP 668 off
    configured_python: bool = False  # whether a file of pip's names an interpreter
    sudo_user: tuple[int, int] | None = None  # the user and group id behind sudo
    inside: Environment | None = None  # whose pip safepip runs in


class WithTarget(World):
    """The world once the target is found."""

    target: Target
    managed: bool
    command: PipCommand  # as the target's pip reads the line
    typed_interpreter: Target | None = None  # whose pip reads a `--python` in the line
    base: Interpreter | None = None  # what new environments are made from
    active: Environment | None = None
    owner_of_active: tuple[int, int] | None = None  # if that is the user behind sudo
    stale_active: tuple[str, str] | None = None  # a variable that does not name an environment, and its value
    named_environment: tuple[str, Environment] | None = None  # with the option or variable that names it


class WithPlace(WithTarget):
    """The world once the environment is found that belongs here.

    Where a line names an environment, `place` and `environment_to_read` are that one, and no project counts.
    """

    place: Environment  # for commands that change it
    environment_to_read: Environment  # for commands that only read it
    project: Project | None = None  # None where the home environment serves
    details: Details | None = None
    apps: Apps | None = None


class Details(Record):
    """What else counts of the environment that is to serve."""

    command: PipCommand  # as the environment's own pip reads the line
    moved_from: str | None = None
    is_known: bool = False  # whether safepip may rebuild it
    environment_of_named_project: Environment | None = None  # where the root of a project was named by mistake
    hint: tuple[str, str] | None = None  # the root of a project that another tool keeps, and a line to print once
    # Of an environment that is yet to be made:
    outer_environment: str | None = None  # what would serve if the project were not a repository of its own
    pip_is_misconfigured: bool = False
    missing_input: str | None = None  # why pip can only fail


class Apps(Record):
    """What pipx has."""

    installed: tuple[str, ...] = ()  # the names of the applications
    beside: frozenset[str] = frozenset()  # names on the line that the environment here has as well
    of_asked: Environment | None = None  # of the one application that is asked for


class Need(Record):
    """The answer of a decision that has to know more first."""

    stage: str
    environment: Environment | None = None  # that the details are of
