"""Examine a directory as a virtual environment, without running anything in it."""

from __future__ import annotations

import os
import stat

from safepip.core.record import replace
from safepip.core.world import (
    ABSENT,
    BIN,
    BROKEN,
    EXE,
    MARKER,
    OTHER_SYSTEM,
    UNFINISHED,
    UNTRUSTED,
    USABLE,
    Environment,
)

from .files import names_in as names_in  # noqa: PLC0414  many look into environments with it
from .files import read_regular, recall
from .interpreter import is_program, started_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from safepip.core.world import Interpreter

    Interview = Callable[[str], Interpreter | str]
    Vet = Callable[[str, str], str | None]

OWN = ".safepip"
CREATING = os.path.join(OWN, "creating")
JOURNAL = os.path.join(OWN, "journal")
CONFIG = "pyvenv.cfg"
_NO_TEXT = "is not a redirect (not text)"
PROBED_PIP_FILES = (
    "__init__.py", "_internal/__init__.py", "_internal/cli/main.py", "_internal/cli/base_command.py",
    "_internal/commands/__init__.py", "_internal/utils/misc.py", "_vendor/__init__.py", "_vendor/rich/console.py",
)  # fmt: skip


def examine(path: str, interview: Interview, vet: Vet) -> Environment:
    """Return what lies at the absolute `path`, as an environment.

    `interview` returns what an interpreter answers, or why it does not. Before it is asked, `vet` returns why the
    environment may not be trusted, or None, given its path and that of the interpreter.
    """
    if not os.path.lexists(path):
        return Environment(path=path, known_as=path, state=ABSENT)
    target, reason = target_of(path)
    if not target:
        return _broken(path, reason, never_environment=True)
    found = _directory(target, interview, vet)
    if found.state == BROKEN and os.path.lexists(os.path.join(target, CREATING)):
        found = _directory(target, interview, vet)  # another command began to make it while this one looked
    if target == path:
        return found
    return replace(found, known_as=path)


def target_of(path: str) -> tuple[str, str]:
    """Return the directory that the place leads to, or why none.

    One of the two texts is empty. A file may redirect elsewhere (PEP 832, a draft): its first line, white space
    trimmed, relative to its own folder. virtualenv writes a bare name there, and so do tools to which it means an
    environment of that name kept elsewhere. The reason completes a sentence that begins with the name of the
    place.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        if os.path.islink(path):
            return "", "is a link to nothing"
        return "", "cannot be looked at"
    if stat.S_ISDIR(mode):
        return path, ""
    if not stat.S_ISREG(mode):
        return "", "is not a directory"
    if not os.access(path, os.R_OK):
        return "", "cannot be read"
    line = _start_of(path).replace("\r", "\n").partition("\n")[0].strip()
    if not line:
        return "", "is a file that names no environment"
    return _redirected(path, line)


def _redirected(path: str, line: str) -> tuple[str, str]:
    if "\0" in line:
        return "", _NO_TEXT
    target = os.path.normpath(os.path.join(os.path.dirname(path), line))
    if is_environment(target) or os.path.lexists(os.path.join(target, CREATING)):
        return target, ""
    if not line.isprintable():
        return "", _NO_TEXT
    if os.sep not in line and line not in {".", ".."}:
        return "", f"is a file with the name {line}, which another tool may know"
    if os.path.exists(target):
        return "", f"points at {target}, which is not an environment"
    return "", f"points at {target}, which does not exist"


def is_disposable(target: str, project: str) -> bool:
    """Return True for an environment of tox's or nox's.

    It may lie below the folder `project` or elsewhere.
    """
    way = os.path.relpath(os.path.realpath(target), os.path.realpath(project)).split(os.sep)
    if ".tox" in way or ".nox" in way:
        return True
    return os.path.isfile(os.path.join(target, ".tox-info.json"))


def is_environment(path: str) -> bool:
    """Return True for a virtual environment (PEP 405)."""
    return os.path.isfile(os.path.join(path, CONFIG))


def is_conda(path: str) -> bool:
    """Return True for a conda environment that safepip may use.

    The base environment is not one. pixi's are.
    """
    if not os.path.isdir(os.path.join(path, "conda-meta")):  # Python itself sees nothing virtual in it
        return False
    if os.path.isdir(os.path.join(path, "condabin")):  # conda's own commands: base
        return False
    # One that was marked as managed (PEP 668) counts by its marker, as base does.
    if os.path.isfile(os.path.join(path, "Lib", MARKER)):
        return False
    libraries = os.path.join(path, "lib")
    for name in names_in(libraries):
        if name.startswith(("python", "pypy")) and os.path.isfile(os.path.join(libraries, name, MARKER)):
            return False
    return True


def of_python(path: str) -> str | None:
    """Return the environment that the interpreter at `path` lies in, or None."""
    folder = os.path.dirname(path)
    if os.name == "nt" and is_conda(folder):  # there conda has its Python at the top
        return folder
    prefix = os.path.dirname(folder)  # links are not followed, as Python does not to find pyvenv.cfg (PEP 405)
    if is_environment(prefix) or is_conda(prefix):
        return prefix
    return None


def configuration(path: str) -> dict[str, str]:
    """Return what pyvenv.cfg says, with its keys in lower case."""
    found = {}
    for line in _start_of(os.path.join(path, CONFIG)).splitlines():
        key, equals, value = line.partition("=")
        if equals:
            found[key.strip().lower()] = value.strip()
    return found


def _start_of(file: str) -> str:
    return (read_regular(file, 65536) or b"").decode("utf-8", "surrogateescape")


def is_finished_by_another(path: str) -> bool:
    """Return True if another tool completed what safepip began."""
    config = configuration(path)
    if not config.get("home"):  # pyvenv.cfg is just being written
        return False
    # safepip writes a token into its mark and into pyvenv.cfg; another token, or none, was written since.
    token = recall(os.path.join(path, CREATING))
    signed = config.get("safepip-creation")
    if token is None or not signed:
        return True
    return not signed.startswith(token)  # a power loss may have emptied the mark, or cut it off


def has_doubtful_pip(path: str) -> bool:
    """Return True if pip is damaged, or others could change it."""
    library = os.path.join(path, "lib")
    for name in names_in(library):
        sizes = []
        for file in PROBED_PIP_FILES:  # a handful, since every line pays for it
            try:
                status = os.stat(f"{library}/{name}/site-packages/pip/{file}")
            except OSError:
                continue
            if is_open(status):  # several environments share pip's files as hard links
                return True
            sizes.append(status.st_size)
        # Where some of the files are missing, somebody has replaced pip on purpose.
        if len(sizes) == len(PROBED_PIP_FILES) and 0 in sizes:
            return True
    return False


def is_open(status: os.stat_result) -> bool:
    """Return True if other users can write to a shared file."""
    if status.st_nlink < 2 or not hasattr(os, "geteuid"):  # Windows has no such owners
        return False
    if status.st_uid not in {0, os.geteuid()}:
        return True
    return bool(status.st_mode & 0o022)


def _directory(path: str, interview: Interview, vet: Vet) -> Environment:
    if os.path.lexists(os.path.join(path, CREATING)) and not is_finished_by_another(path):
        return Environment(path=path, known_as=path, state=UNFINISHED)
    if is_environment(path):
        python = os.path.join(path, BIN, "python" + EXE)
        if not is_program(python):
            return _without_python(path, python)
        return _with_python(path, python, interview, vet)
    if is_conda(path):
        return _conda(path, interview, vet)
    try:
        if _is_hardly_begun(path):
            return Environment(path=path, known_as=path, state=UNFINISHED)
    except OSError as error:
        return _broken(path, f"cannot be read: {error.strerror}", is_unreadable=True)
    never = os.path.basename(path) != ".venv" and not os.path.isdir(os.path.join(path, OWN))
    return _broken(path, "is not an environment: it has no pyvenv.cfg", never_environment=never)


def _broken(path: str, reason: str, **more: Any) -> Environment:
    return Environment(path=path, known_as=path, state=BROKEN, reason=reason, **more)


def _is_hardly_begun(path: str) -> bool:
    """Return True if a creation has not yet written its mark."""
    own = os.path.join(path, OWN)
    if not {OWN, ".lock"}.issuperset(os.listdir(path)):
        return False
    if os.path.islink(own):
        return False
    if not os.path.isdir(own):
        return True
    mark = os.path.basename(CREATING)
    return all(name.startswith(mark) for name in os.listdir(own))


def _conda(path: str, interview: Interview, vet: Vet) -> Environment:
    python = os.path.join(path, BIN, "python")
    if EXE:  # Windows, where conda has it at the top
        python = os.path.join(path, "python" + EXE)
    objection = vet(path, os.path.realpath(python))
    if objection:
        return Environment(path=path, known_as=path, state=UNTRUSTED, reason=objection)
    if not is_program(python):
        return _broken(path, f"cannot be used: there is no Python in {path}")
    base = interview(python)  # of a conda environment, that is its own Python
    if isinstance(base, str):
        return _broken(path, f"cannot be used: {base}")
    return as_usable(path, python, base, {})


def _without_python(path: str, python: str) -> Environment:
    if os.path.exists(python):
        return _broken(path, f"has a {python} that cannot be run")
    other = {"bin": "Scripts", "Scripts": "bin"}[BIN]
    if os.path.isdir(os.path.join(path, other)) and not os.path.lexists(python):
        return _broken(path, OTHER_SYSTEM, other_system=True)
    return _broken(path, f"was made with Python {_made_with(path)}, which is gone")


def _with_python(path: str, python: str, interview: Interview, vet: Vet) -> Environment:
    """Prove that this Python with this prefix is that environment."""
    # Its base is asked, never itself: an untrusted environment's Python must not run.
    config = configuration(path)
    if not config.get("home"):
        return _broken(path, "has a pyvenv.cfg that names no Python")
    stands_on = _base_of(path, python, config)
    objection = vet(path, stands_on)
    if objection:
        return Environment(path=path, known_as=path, state=UNTRUSTED, reason=objection)
    base = interview(stands_on)
    if isinstance(base, str):
        return _broken(path, f"was made with Python {_made_with(path)}, which is gone ({base})")
    # Without its libraries it is broken, unless pip removed them with the last package.
    if not os.path.isdir(os.path.join(path, base.site)) and _made_with(path) != base.minor:
        made_with = _made_with(path)
        return _broken(path, f"was made with Python {made_with}, which is gone: its Python is {base.minor} now")
    return as_usable(path, python, base, config)


def as_usable(path: str, python: str, base: Interpreter, config: dict[str, str]) -> Environment:
    """Return the environment at `path`, which nothing keeps from being used."""
    site = os.path.join(path, base.site)
    return Environment(
        path=path,
        known_as=path,
        state=USABLE,
        python=started_as(python),
        version=base.minor,
        site=site,
        base=base,
        has_pip=os.path.isfile(os.path.join(site, "pip", "__init__.py")),
        sees_system=config.get("include-system-site-packages", "").lower() == "true",
    )


def _base_of(path: str, python: str, config: dict[str, str]) -> str:
    """Return the Python outside the environment that its own stands on."""
    real = os.path.realpath(python)
    if not real.startswith(os.path.join(os.path.realpath(path), "")):
        return real
    named = config.get("base-executable", "")
    if os.path.isabs(named):
        return named
    return os.path.join(config.get("home", ""), os.path.basename(real))


def _made_with(path: str) -> str:
    version = named_version(configuration(path))
    if version:
        return version
    for name in sorted(names_in(os.path.join(path, "lib"))):
        if name.startswith("python"):
            return name[6:]
    return "?"


def named_version(config: dict[str, str]) -> str:
    """Return the minor version of Python that a pyvenv.cfg names, or empty."""
    for key in ("python-version", "version", "version_info"):  # of PEP 838, of venv and virtualenv, of uv
        if config.get(key):
            return ".".join(config[key].split(".")[:2])
    return ""
