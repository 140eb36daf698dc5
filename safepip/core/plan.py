"""The plans: the few things that safepip can do, each with all that is needed to do it."""

from __future__ import annotations

import os.path

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .world import Environment, Interpreter


PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUNNER = os.path.join(PACKAGE, "after_pip", "runner", "runner.py")


class RunHint(Record):
    """How to run what comes with the packages that were `asked` for: `how`, with {} where the program goes."""

    how: str
    asked: tuple[str, ...] = ()


class Handover(Record):
    """How pip is started: `python` runs it over `words`, under the name `program`.

    `environment` is the one whose pip is meant, or None; `enter` tells whether its programs come first on PATH.
    `variables` are further variables of the child, by name and value (None removes). `changes_packages` tells
    whether the line may change what is installed there, and `is_dry_run` whether safepip keeps pip from installing
    anything. With `wait` pip is a child process, because something follows its end. `run_hint` and the lines
    `closing` are printed when pip has ended.
    """

    python: str
    words: tuple[str, ...]
    program: str
    environment: str | None = None
    enter: bool = False
    variables: tuple[tuple[str, str | None], ...] = ()
    changes_packages: bool = False
    is_dry_run: bool = False
    wait: bool = False
    run_hint: RunHint | None = None
    closing: tuple[str, ...] = ()

    @property
    def argv(self) -> tuple[str, ...]:
        """Return the argument vector of the process that pip becomes."""
        return (self.python, RUNNER, *self.words)


class Pip(Record):
    """Hand the line over untouched, to the interpreter that it was typed for or an environment's pip.

    `sought` are requirements that pip will not find to remove: where they really are is to be said when pip has
    ended, or `otherwise` where that is not known.
    """

    handover: Handover
    because: str
    notices: tuple[str, ...] = ()
    sought: tuple[str, ...] = ()
    otherwise: str = ""


class InEnvironment(Record):
    """Hand the line over to the pip of an existing environment, which is not the one that was typed for.

    `hint` is the root of a project that another tool keeps, and the line to say once of that. `elsewhere` is
    the directory that the environment's own pip.conf has pip install to, or None.
    """

    environment: Environment
    handover: Handover
    because: str
    notices: tuple[str, ...] = ()
    hint: tuple[str, str] | None = None
    elsewhere: str | None = None


class Create(Record):
    """Make the environment at `environment.path` from `interpreter`, then hand the line over to its pip.

    For the user's eyes: what the environment is `called`, `why` it is made and for what `purpose`. `redirect`
    is the file that is to say where it is (PEP 832), or None. `project` is the root of the project that an
    environment kept elsewhere is for, else empty.
    """

    environment: Environment
    interpreter: Interpreter
    handover: Handover
    because: str
    called: str
    why: str
    purpose: str
    system_site_packages: bool = False
    redirect: str | None = None
    notices: tuple[str, ...] = ()
    hint: tuple[str, str] | None = None
    project: str = ""


class Rebuild(Record):
    """Rebuild the broken environment, `called` so for the user's eyes, then decide again.

    `handover` is what that will come to; `refusal` stands where the environment is still broken then.
    """

    environment: Environment
    handover: Handover
    refusal: Refuse
    called: str
    because: str


class Temporary(Record):
    """Run the line in an environment that is gone afterwards: `install --dry-run` where there is none."""

    interpreter: Interpreter
    handover: Handover
    because: str
    notices: tuple[str, ...] = ()


class Pipx(Record):
    """Have pipx do `runs`, its words for each, one after another; the last stands.

    `specs` are the requirements that the runs install, `names` what they are called; where one has no programs,
    `fallback` takes it. `interpreter` is what pipx's own environment is made of, should there be none, with pip's
    options `index` for where packages come from. `says` is for the user's eyes, and may be empty.
    """

    runs: tuple[tuple[str, ...], ...]
    because: str
    specs: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    interpreter: Interpreter | None = None
    index: tuple[str, ...] = ()
    says: str = ""
    notices: tuple[str, ...] = ()
    fallback: Fallback | None = None


class Refuse(Record):
    """Do nothing, say `what` is in the way and the `ways` on, and exit with `code`."""

    code: int
    what: str
    ways: tuple[str, ...]
    because: str


class StepDown(Record):
    """Become the user who called sudo, then decide again."""

    uid: int
    gid: int
    because: str


class Verb(Record):
    """Carry out a word of safepip's own with its arguments."""

    word: str
    words: tuple[str, ...]
    because: str = "the word is safepip's own"


class Version(Record):
    """Print safepip's own version."""

    because: str = "safepip's own version was asked for"


Fallback = InEnvironment | Create | Rebuild | Temporary | Pip | Refuse  # for a package that pipx refuses
Plan = Pip | InEnvironment | Create | Rebuild | Temporary | Pipx | Refuse | StepDown | Verb | Version
