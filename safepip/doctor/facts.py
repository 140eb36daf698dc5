"""PURE  what doctor gathers, as values, and the findings that it comes to."""

from __future__ import annotations

from safepip.core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Status = Literal["ok", "warning", "problem"]


class Finding(Record):
    """One thing that was looked at: `why` it is as it is, and the `command` that mends it, or None."""

    id: str
    status: Status
    why: str
    command: str | None = None


class Program(Record):
    """A program on PATH. `runs` is the interpreter that its first line names, empty for a binary.

    `serves` is the environment or the real interpreter that it belongs to; `missing` tells that its
    interpreter is gone, `own` that it goes by way of safepip, `removable` that the user may remove it.
    """

    path: str
    runs: str = ""
    serves: str = ""
    missing: bool = False
    own: bool = False
    removable: bool = True


class Shims(Record):
    """A folder of shims: whether PATH has it, the other pip that PATH has `before` it, and whether they work."""

    folder: str
    on_path: bool = True
    before: str = ""
    missing: bool = False


class Init(Record):
    """What `safepip init` would have the user add to files: pairs of file and line.

    `named` is a file that names safepip already, `missing` the program in it that is gone, or empty.
    """

    lines: tuple[tuple[str, str], ...] = ()
    named: str = ""
    missing: str = ""


class Programs(Record):
    """What PATH gives. `program` is the safepip that runs, empty where it has no program of its own.

    `shim_folder` is where `safepip shims` writes to, empty without a home directory.
    """

    version: str = ""
    program: str = ""
    python: str = ""
    safepips: tuple[Program, ...] = ()
    pythons: tuple[Program, ...] = ()
    pips: tuple[Program, ...] = ()
    shims: tuple[Shims, ...] = ()
    shim_folder: str = ""
    init: Init = Init()
    search: tuple[str, ...] = ()
    local_bin: str = ""
    needs_local_bin: bool = False


class Surroundings(Record):
    """The variables and the places that everything else depends on; `dead` are variables that mean nothing."""

    home: str = ""
    has_home_variable: bool = True
    home_exists: bool = True
    home_can_be_made: bool = True
    directory: str | None = None
    python_variables: tuple[tuple[str, str], ...] = ()
    bypass: str = ""
    dead: tuple[str, ...] = ()
    user: int = 1000


class Interpreted(Record):
    """The target interpreter; `problem` is what failed.

    `lies` tells what is at `marker`: "file", "nothing" or "other". `managed` is the verdict, `said` the setting
    that gave it, if not the marker; `setting` what named the Python, `environment` the one that it lies in.
    """

    python: str = ""
    version: str = ""
    environment: str = ""
    marker: str = ""
    lies: str = "nothing"
    managed: bool = False
    said: str = ""
    setting: str = ""
    problem: str = ""


class PipSetting(Record):
    """One setting of pip's that `where` sets, a variable's name or a file's path.

    `kind` is "variable" or pip's name for the file; `spelled` the key as the file has it; `simple` tells
    whether `pip config unset` takes it away; `lost` is the file that the value names and that is not there.
    """

    key: str
    value: str
    where: str
    kind: str = "variable"
    section: str = "global"
    spelled: str = ""
    simple: bool = True
    writable: bool = True
    lost: str = ""


class Pip(Record):
    """How pip is configured.

    `malformed` are files, each with its error and whether the user may rename it; `rejected` are settings,
    each with pip's error.
    """

    settings: tuple[PipSetting, ...] = ()
    malformed: tuple[tuple[str, str, bool], ...] = ()
    rejected: tuple[tuple[PipSetting, str], ...] = ()
    absent_file: str = ""
    files: tuple[str, ...] = ()


class Place(Record):
    """An environment. `role` is "named", "active", "here", "home" or "known"; `state` and `reason` as examined.

    `shown` is its path as typed from here; `interrupted` tells of a creation that was; `by_root` is a path in it
    that root left; `killed` tells of a journal whose command was killed, `moved` that it records another place
    than its own. `damage` is what a repair would mend in one that works; `can_be_rebuilt` tells whether a repair
    has something to go by, `repairing` where one that was killed left the old environment.
    """

    path: str
    role: str
    state: str
    shown: str = ""
    reason: str = ""
    version: str = ""
    interrupted: bool = False
    other_system: bool = False
    has_pip: bool = True
    lost_pip: bool = False
    by_root: str = ""
    killed: bool = False
    moved: bool = False
    damage: str = ""
    can_be_rebuilt: bool = True
    repairing: str = ""


class Decision(Record):
    """What an install here would come to: the steps, then the outcome; `refused` with a way on, or empty."""

    outcome: str = ""
    because: str = ""
    refused: str = ""
    way: str | None = None
    explained: bool = False
    active: str = ""
    variable: str = ""
    stale: tuple[str, str, str] | None = None
    project: str = ""
    marker: str = ""
    keeper: str = ""
    other: str = ""


class Complaint(Record):
    """A setting of safepip's that is wrong. `variable` or `file` and `line` say where; `stops` installs.

    `whole` tells that the line is all of the key's value; `own` that the file is safepip's alone.
    """

    text: str
    variable: str = ""
    file: str = ""
    line: int = 0
    whole: bool = False
    own: bool = False
    stops: bool = False


class Leftover(Record):
    """Distributions that pip put into `folder` for the Python `version`; `python` removes them, if there is one.

    `target` tells that it is the target interpreter's folder, `system` that it is no user's.
    """

    folder: str
    version: str
    names: tuple[str, ...]
    python: str = ""
    target: bool = False
    system: bool = False
    writable: bool = True


class Folder(Record):
    """A folder of safepip's own, by its `role`. `at` is what is in the way: it, one in it, or one above it.

    `fault` is "", "owner", "mode", "open" or "read-only"; `mine` tells whether `at` is the user's, `variable`
    what moves the folder.
    """

    role: str
    path: str
    at: str = ""
    fault: str = ""
    mine: bool = True
    variable: str = ""
    set_by_variable: bool = False


class Dated(Record):
    """A distribution that safepip runs with in a `version` that an `advisory` speaks of; from `floor` on not."""

    name: str
    version: str
    floor: str
    advisory: str


class Facts(Record):
    """All that was gathered."""

    surroundings: Surroundings = Surroundings()
    programs: Programs = Programs()
    target: Interpreted = Interpreted()
    pip: Pip = Pip()
    decision: Decision = Decision()
    places: tuple[Place, ...] = ()
    known: int = 0
    gone: int = 0
    complaints: tuple[Complaint, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    applications: tuple[str, ...] = ()
    broken_applications: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()
    dated: tuple[Dated, ...] = ()
