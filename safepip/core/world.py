"""What a decision is made from, as plain values; safepip.system finds them out."""

from __future__ import annotations

import os.path
import sys

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .app_routing import Apps
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

    `python` is the program to start; `chosen_on_line` tells whether the line, and not PATH, chose it.
    """

    python: str
    prefix: str | None = None
    interpreter: Interpreter | None = None
    chosen_on_line: bool = False
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

    `path` is absolute, with redirects followed; `known_as` the place that the user knows; `state` is one of
    ABSENT, UNFINISHED, BROKEN, FOREIGN, UNTRUSTED and NOWHERE (`reason` says why), and USABLE (then the rest
    is known). `python` is the program to start, under the name that the environment's own pip uses; `version` its
    minor version, as "3.12"; `has_pip` tells whether pip is installed in it. A BROKEN one is `never_environment`
    where neither its name nor what is in it tells that an environment was meant to be there: it may be moved away.
    It is `is_unreadable` where its owner may not look into it. `reason_for_other_place` says what stands in the
    way of an environment in the project, where one is kept elsewhere for that.
    """

    path: str
    known_as: str
    state: str
    reason: str = ""
    other_system: bool = False
    never_environment: bool = False
    is_unreadable: bool = False
    python: str = ""
    version: str = ""
    site: str = ""
    base: Interpreter | None = None
    has_pip: bool = False
    sees_system: bool = False
    reason_for_other_place: str = ""


class Project(Record):
    """A project: its `root`, the place of its `environment`, and the `marker` that it is known by.

    `environment` is absolute, whatever its state; `None` where there is none yet and the settings decide.
    `disposable` is a redirect to an environment of tox's or nox's, which serves only commands that read.
    """

    root: str
    marker: str
    environment: str | None = None
    disposable: str | None = None


class Facts:
    """What follows from facts alone; World and the Context that observes them share it."""

    __slots__ = ()

    if TYPE_CHECKING:
        ambient: Ambient

        @property
        def data(self) -> str | None: ...  # noqa: D102
        @property
        def settings(self) -> Settings: ...  # noqa: D102
        @property
        def first_reading(self) -> PipCommand: ...  # noqa: D102

    @property
    def quiet(self) -> bool:
        """Whether only errors are printed: by `-q`, PIP_QUIET, the setting, or because it is `freeze`."""
        command = self.first_reading
        return bool(command.quiet) or command.subcommand == "freeze" or self.settings.quiet

    def typed(self, found: Environment) -> str:
        """Return the environment's path as the user would type it from here."""
        return self.typed_path(found.known_as)

    def typed_path(self, path: str) -> str:
        """Return the path as the user would type it from here."""
        cwd = self.ambient.cwd
        if cwd is None or cwd == os.sep or not path.startswith(os.path.join(cwd, "")):
            return path
        return path if self._is_in_data(path) else os.path.relpath(path, cwd)

    def display(self, found: Environment) -> str:
        """Return the environment's path as it is shown, with ~ where it is among the user's own data.

        That is for prose: in a command that has to be quoted, a shell would not read the ~.
        """
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
    """What is known of a line before any Python is looked for.

    `untouched` is the variable that asks for bare pip. `first_reading` is the line as read by a pip whose own
    configuration is not known yet. `opts_out` is the variable or file that switches PEP 668 off, and
    `configured_python` tells whether a file of pip's names an interpreter. `sudo_user` is the user and group id
    behind sudo, and `inside` the environment of the pip that safepip runs in.
    """

    invocation: Invocation
    ambient: Ambient
    settings: Settings
    first_reading: PipCommand
    data: str | None = None
    untouched: str | None = None
    opts_out: str | None = None
    configured_python: bool = False
    sudo_user: tuple[int, int] | None = None
    inside: Environment | None = None


class WithTarget(World):
    """The world once the Python is found that the typed command would have served.

    `managed` tells whether something other than pip manages the target, and `command` is the line as its pip
    reads it. `typed_interpreter` is the one whose pip reads a `--python` in the line, and `base` the one that new
    environments are made from. `active` is the active environment, `owner_of_active` its owner if that is the
    user behind sudo, and `stale_active` a variable that names no environment, with its value. `named_environment`
    is which of --env, SAFEPIP_ENV and --python names one, and the environment.
    """

    target: Target
    managed: bool
    command: PipCommand
    typed_interpreter: Target | None = None
    base: Interpreter | None = None
    active: Environment | None = None
    owner_of_active: tuple[int, int] | None = None
    stale_active: tuple[str, str] | None = None
    named_environment: tuple[str, Environment] | None = None


class WithPlace(WithTarget):
    """The world once the environment is found that belongs here.

    `place` is the environment for changes and `reading` the one for commands that only read: of the `project`, or
    the home environment. For a line that names an environment both are that one, and no project counts.
    """

    place: Environment
    reading: Environment
    project: Project | None = None
    details: Details | None = None
    apps: Apps | None = None


class Details(Record):
    """What else counts of the environment that is to serve.

    `command` is the line as its own pip reads it, and `moved_from` its path before it was moved here. `is_known`
    tells whether safepip may rebuild it. `environment_of_named_project` is known where the root of a project was
    named by mistake. For one that is yet to be made, `around` is what would serve if the project's root were not
    under version control itself, and `pip_is_misconfigured` and `missing_input` are why pip can only fail. `hint`
    is the root of a project that another tool keeps, and a line to print once.
    """

    command: PipCommand
    moved_from: str | None = None
    is_known: bool = False
    environment_of_named_project: Environment | None = None
    around: str | None = None
    pip_is_misconfigured: bool = False
    missing_input: str | None = None
    hint: tuple[str, str] | None = None


class Need(Record):
    """The answer of a decision that has to know more: the `stage`, and the `environment` that details are of."""

    stage: str
    environment: Environment | None = None
