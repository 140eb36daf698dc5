"""The plans: the few things that safepip can do.

The fields that all have alike: `because` is for `explain`, `notices` are lines to say first, `called` is what the
user knows an environment by.
"""

from __future__ import annotations

import os.path

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .world import Environment, Interpreter


PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUNNER = os.path.join(PACKAGE, "after_pip", "runner", "runner.py")


class RunHint(Record):
    """How to run what was just installed."""

    how: str  # with {} where the program goes
    asked: tuple[str, ...] = ()  # the names of the packages that the line asks for


class Handover(Record):
    """How pip is started."""

    python: str
    words: tuple[str, ...]
    program: str  # the name that pip goes by
    environment: str | None = None  # whose pip is meant
    enter: bool = False  # whether its programs come first on PATH
    variables: tuple[tuple[str, str | None], ...] = ()  # further ones of the child; None removes
    changes_packages: bool = False  # whether the line may change what is installed there
    is_dry_run: bool = False  # whether safepip keeps pip from installing anything
    wait: bool = False  # whether pip is a child process, because something follows its end
    run_hint: RunHint | None = None
    closing: tuple[str, ...] = ()  # lines to print when pip has ended

    @property
    def argv(self) -> tuple[str, ...]:
        """Return the argument vector of the process that pip becomes."""
        return (self.python, RUNNER, *self.words)


class Pip(Record):
    """Hand the line over untouched."""

    handover: Handover
    because: str
    notices: tuple[str, ...] = ()
    sought: tuple[str, ...] = ()  # requirements that pip will not find to remove: say at the end where they are
    otherwise: str = ""  # what to say where that is not known


class InEnvironment(Record):
    """Hand the line over to the environment that serves instead."""

    environment: Environment
    handover: Handover
    because: str
    notices: tuple[str, ...] = ()
    hint: tuple[str, str] | None = None  # the root of a project that another tool keeps, and a line to say once
    elsewhere: str | None = None  # the directory that the environment's own pip.conf has pip install to


class Create(Record):
    """Make the environment, then hand the line over to its pip."""

    environment: Environment
    interpreter: Interpreter
    handover: Handover
    because: str
    called: str
    why: str
    purpose: str
    system_site_packages: bool = False
    redirect: str | None = None  # the file that is to say where the environment is (PEP 832)
    notices: tuple[str, ...] = ()
    hint: tuple[str, str] | None = None  # as in InEnvironment
    project: str = ""  # the root of the project, if its environment is kept elsewhere


class Rebuild(Record):
    """Rebuild the broken environment, then decide again."""

    environment: Environment
    handover: Handover  # what that will come to
    refusal: Refuse  # for an environment that is still broken then
    called: str
    because: str


class Temporary(Record):
    """Run `install --dry-run` in an environment that is removed afterwards."""

    interpreter: Interpreter
    handover: Handover
    because: str
    notices: tuple[str, ...] = ()


class Pipx(Record):
    """Have pipx do `runs`, its words for each, until one fails."""

    runs: tuple[tuple[str, ...], ...]
    because: str
    specs: tuple[str, ...] = ()  # the requirements that the runs install
    names: tuple[str, ...] = ()  # what they are called
    interpreter: Interpreter | None = None  # to make an environment for pipx itself from
    index: tuple[str, ...] = ()  # pip's options for where that comes from
    says: str = ""
    notices: tuple[str, ...] = ()
    fallback: Fallback | None = None  # for packages that have no programs


class Refuse(Record):
    """Say what is in the way, and the ways on."""

    code: int
    what: str
    ways: tuple[str, ...] = ()
    because: str


class StepDown(Record):
    """Become the user who called sudo, then decide again."""

    uid: int
    gid: int
    because: str


class Verb(Record):
    """Carry out a verb with its arguments."""

    word: str
    words: tuple[str, ...]
    because: str = "the word is safepip's own"


class Version(Record):
    """Print safepip's own version."""

    because: str = "safepip's own version was asked for"


Fallback = InEnvironment | Create | Rebuild | Temporary | Pip | Refuse
Plan = Pip | InEnvironment | Create | Rebuild | Temporary | Pipx | Refuse | StepDown | Verb | Version
