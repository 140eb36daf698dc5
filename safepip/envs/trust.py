"""Why an environment that safepip did not make may not be adopted.

Nothing of it is executed or imported to find out: owners, modes, links, and the texts that its makers wrote.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import stat

from safepip.core.world import BIN, EXE, MADE_ELSEWHERE
from safepip.system.files import read_regular
from safepip.system.project import DIRENV

from .git import tracks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Filesystem = Callable[[str], str]

_CONFIG = "pyvenv.cfg"
_MOUNTS = "/proc/self/mountinfo"
# File systems on which everything seems writable by all, or by nobody, whatever is so.
_WITHOUT_MODES = frozenset((
    "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "fuse.exfat", "fuse.ntfs-3g", "9p", "drvfs", "cifs",
    "smb2", "smb3", "smbfs", "vboxsf", "hgfs", "fuse.vmhgfs-fuse", "prl_fs", "afs", "auristorfs",
))  # fmt: skip
_MOST_LINKS = 40  # as Linux
_LONGEST_TEXT = 1 << 16  # bytes read of pyvenv.cfg and activate
_LONGEST_HEAD = 1024  # bytes read of a script
_MOST_ENTRIES = 4096  # entries of bin looked at ...
_MOST_SCRIPTS = 256  # ... and of these, files opened
_MOST_SPELLINGS = 64  # places that one line can be read to name
_LONGEST_PATH = 4096  # characters
_ASSIGNED = re.compile(r"^[ \t]*(?:export[ \t]+)?VIRTUAL_ENV=(.+)$", re.MULTILINE)
_CYGPATH = re.compile(r"\$\(cygpath (?:-u )?(.+)\)$")
_MAKERS = re.compile(r" -m (?:venv|virtualenv) ")
_PYTHON = re.compile(r"(.*?[/\\](?:bin|Scripts)[/\\](?:python|pypy)[\w.-]*)(?:\s|$)")
_TRAMPOLINE = re.compile(r"'''exec' (.+?) \"\$0\"")
_SYSTEM = frozenset(("/", "/usr", "/usr/local", "/opt/local", "/opt/homebrew", "/usr/pkg", "/sw"))


def filesystem(path: str, mounts: str = _MOUNTS) -> str:
    """Return the type of the file system that holds `path`, as Linux calls it; "" where that is not told."""
    try:
        with open(mounts, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return "ntfs" if os.name == "nt" else ""
    real = os.path.realpath(path)
    longest, found = "", ""
    for line in lines:  # of two in one place, the later one covers the other
        before, _, after = (part.split(b" ") for part in line.partition(b" - "))
        point = _unescaped(before[4]) if len(before) > 4 else ""
        if point and len(point) >= len(longest) and _is_in(real, point):
            longest, found = point, os.fsdecode(after[0])
    return found


def has_modes(path: str, filesystem: Filesystem = filesystem) -> bool:
    """Return True if the modes of what lies at `path` say who may write there."""
    return filesystem(path) not in _WITHOUT_MODES


def objection(
    path: str,
    base: str,
    owners: frozenset[int],
    search: str,
    *,
    place: str = "",
    around: frozenset[int] | None = None,
    filesystem: Filesystem = filesystem,
) -> str | None:
    """Return why the environment at the absolute `path` may not be adopted, or None.

    `base` is the interpreter that its Python stands on, `owners` the user ids that count as the user's own,
    `search` the user's PATH. `path` may be a link: it and its target count, and the folder that holds the
    link is the project. So is the folder of `place`, the redirect file that led to it. Owners of the folder may
    be others, `around`, too. The reason completes a sentence that begins with the environment's name. In this
    order, first match wins:

     1. The folder around it, itself, its pyvenv.cfg or bin belongs to another user.
     2. One of these can be written by everybody, or lies where everybody could replace it.
     3. It is a conda environment.
     4. git tracks it, or the redirect.
     5. Its Python lies inside the project.
     6. The interpreter that it stands on belongs to another user, and is none that PATH gives; or it can be
        written or replaced by everybody.
     7. It records another location than its own, or none at all: an archive brought it, or a copy.

    What cannot be looked at is not adopted.
    """
    try:
        return (
            _of_another_user(path, owners, owners if around is None else around)
            or _open_to_all(path, filesystem)
            or _conda(path)
            or _tracked(path, place, owners)
            or _with_own_python(path, base, place)
            or _on_strange_python(path, base, owners, search, filesystem)
            or made_elsewhere(path)
        )
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else None
        return f"cannot be looked at ({told or error})"


def _parts(path: str) -> tuple[tuple[str, str], ...]:
    """Return the folder around the environment, and what must be the user's in it, each with words for it."""
    return (
        (os.path.dirname(path), "lies in a folder that"),
        (path, ""),
        (os.path.join(path, _CONFIG), f"has a {_CONFIG} that"),
        (os.path.join(path, BIN), f"has a {BIN} that"),
    )


def _of_another_user(path: str, owners: frozenset[int], around: frozenset[int]) -> str | None:
    for part, words in _parts(path):
        allowed = around if part == os.path.dirname(path) else owners
        for hop in _hops(part):
            user = os.lstat(hop).st_uid
            if user not in allowed:
                return f"{words} belongs to another user (uid {user})".lstrip()
    return None


def _open_to_all(path: str, filesystem: Filesystem) -> str | None:
    """Tell of what everybody can write to or replace; a sticky folder around it, as /tmp is, is fine."""
    for part, words in _parts(path)[1:]:
        if _is_open(part, filesystem):
            return f"{words} can be written by everybody".lstrip()
    hops = [hop for part, _ in _parts(path)[1:] for hop in _hops(part)]
    folder = _open_above(hops, filesystem)
    return folder and f"lies in {folder}, where everybody can replace it"


def _conda(path: str) -> str | None:
    has_history = os.path.lexists(os.path.join(path, "conda-meta", "history"))
    return "is a conda environment that is not active" if has_history else None


def _tracked(path: str, place: str, owners: frozenset[int]) -> str | None:
    named = dict.fromkeys(filter(None, (path, os.path.realpath(path), place)))
    if any(tracks(os.path.dirname(at), at, owners) for at in named):
        return "came with the repository (git tracks it) and could run anything"
    return None


def _with_own_python(path: str, base: str, place: str) -> str | None:
    """Look at `home` as well, from where Python takes its standard library, and at a Python that is not a link."""
    own = [] if os.name == "nt" else [_python(path)]  # there it is a launcher always
    homes = [os.path.join(os.path.dirname(path), home) for home in _values(path, "home")]
    pythons = [os.path.realpath(python) for python in (base, *own, *homes)]
    for project in (_project_of(path), _project_of(place or path)):
        inside = os.path.realpath(path) if project == os.sep else project  # "/venv" of a container
        if any(_is_in(python, inside) for python in pythons):
            return "has its Python inside the project"
    return None


def _project_of(place: str) -> str:
    """Return the folder that an environment is the project's of; direnv keeps it one deeper."""
    folder = os.path.realpath(os.path.dirname(place))
    return os.path.dirname(folder) if os.path.basename(folder) == DIRENV else folder


def _on_strange_python(
    path: str, base: str, owners: frozenset[int], search: str, filesystem: Filesystem
) -> str | None:
    """Look at each link on the way to the interpreter, too: its owner can point it elsewhere."""
    real = os.path.realpath(base)
    hops = [*_hops(_python(path)), *_hops(base), real]
    users = {hop: os.lstat(hop).st_uid for hop in hops}
    strange = next((hop for hop, user in users.items() if user not in owners), None)
    if strange and not _is_on_path(real, search, filesystem):
        return f"stands on {strange}, which belongs to another user (uid {users[strange]}) and is not on PATH"
    if _is_open(real, filesystem):
        return f"stands on {real}, which can be written by everybody"
    folder = _open_above(hops, filesystem)
    return folder and f"stands on {real}, which everybody can replace in {folder}"


def made_elsewhere(path: str, *, moved: bool = False) -> str | None:
    """Return how an environment came here that another place is recorded in, or None; `moved` is known.

    Environments that find out where they are (uv's relocatable ones) record nothing: so may any archive.
    """
    place = recorded_place(path)
    if place is None:
        return "does not record where it was made, so it could come from anywhere"
    if place == os.path.realpath(path):
        return None
    is_moved = moved or not os.path.lexists(place)
    return f"{MADE_ELSEWHERE} (in {place}) and {'moved' if is_moved else 'copied'} here"


def recorded_place(path: str) -> str | None:
    """Return where the environment's own texts say that it is, or None where they say nothing.

    That is its real path if all of them agree on that, else the first other place that one names.
    """
    real, found = os.path.realpath(path), None
    for spellings in _records(path):
        if not any(_is_at(spelling, real) for spelling in spellings):
            return spellings[0]
        found = real
    return found


# -- owners and modes


def _hops(path: str) -> Iterator[str]:
    """Yield `path` and, while it is a link, what it points at."""
    for _ in range(_MOST_LINKS):
        yield path
        if not os.path.islink(path):
            return
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _open_above(paths: list[str], filesystem: Filesystem) -> str | None:
    """Return the first folder around or above the `paths` in which everybody can replace what lies in it."""
    folders = dict.fromkeys(folder for path in paths for folder in _above(path))
    return next((folder for folder in folders if _is_open(folder, filesystem, sticky=True)), None)


def _above(path: str) -> Iterator[str]:
    """Yield the folder that really holds the entry `path`, and those above it."""
    at = os.path.realpath(os.path.dirname(path))
    while True:
        yield at
        if at == os.path.dirname(at):
            return
        at = os.path.dirname(at)


def _is_open(path: str, filesystem: Filesystem, *, sticky: bool = False) -> bool:
    """Return True if everybody can write to `path`; with `sticky`, if they can replace the entries in it."""
    mode = os.stat(path).st_mode
    guarded = sticky and mode & stat.S_ISVTX
    return bool(mode & stat.S_IWOTH) and not guarded and has_modes(path, filesystem)


def _is_on_path(real: str, search: str, filesystem: Filesystem) -> bool:
    """Return True if `real` is a Python in an absolute entry of PATH that not everybody can write to."""
    for entry in filter(os.path.isabs, search.split(os.pathsep)):
        try:
            names = [] if _is_open(entry, filesystem) else os.listdir(entry)
        except (OSError, ValueError):
            continue
        pythons = (os.path.join(entry, name) for name in names if name.startswith(("python", "pypy")))
        if any(os.path.realpath(python) == real for python in pythons):
            return True
    return False


def _python(path: str) -> str:
    return os.path.join(path, BIN, "python" + EXE)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _unescaped(point: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8) & 255]), point))


# -- where it was made


def _records(path: str) -> Iterator[list[str]]:
    """Yield the spellings that each record of the location can be read as, absolute paths all of them."""
    for command in _values(path, "command"):
        yield from filter(None, [_destinations(command)])
    activate = _text(os.path.join(path, BIN, "activate"), _LONGEST_TEXT)
    for value in _ASSIGNED.findall(activate):
        wrapped = _CYGPATH.match(value.strip())
        yield from filter(None, [_spellings(wrapped[1] if wrapped else value)])
    for script in _scripts(os.path.join(path, BIN)):
        yield from filter(None, [_prefixes(_text(script, _LONGEST_HEAD))])


def _destinations(command: str) -> list[str]:
    """Return what the `command` of venv or virtualenv can end with: it is not quoted, so each "/" may begin it."""
    rest = _MAKERS.split(command, maxsplit=1)[1:]
    words = rest[0].split(" ") if rest else []
    tails = (" ".join(words[i:]) for i, word in enumerate(words) if os.path.isabs(word))
    return [tail for tail, _ in zip(tails, range(_MOST_SPELLINGS), strict=False)]


def _spellings(value: str) -> list[str]:
    """Return the absolute paths that a word of shell can be: makers quoted it well, badly, or not at all."""
    value = value.strip()
    bare = value[1:-1] if value[:1] in {'"', "'"} and value[-1:] == value[:1] else value
    try:
        words = shlex.split(value)[:1]
    except ValueError:
        words = []
    return [word for word in dict.fromkeys((*words, bare)) if os.path.isabs(word)]


def _scripts(folder: str) -> list[str]:
    """Return the files that installers may have written, links left out."""
    with os.scandir(folder) as entries:
        some = [entry for entry, _ in zip(entries, range(_MOST_ENTRIES), strict=False)]
    names = sorted(entry.name for entry in some if entry.is_file(follow_symlinks=False))
    return [os.path.join(folder, name) for name in names[:_MOST_SCRIPTS]]


def _prefixes(head: str) -> list[str]:
    """Return the environments whose Python a script may be for; none, if it is for any other program.

    Long paths, and those with spaces, stand in a second line that /bin/sh reads.
    """
    first, _, rest = head.partition("\n")
    if not first.startswith("#!"):
        return []
    trampoline = _TRAMPOLINE.match(rest) if first[2:].strip() == "/bin/sh" else None
    words = _spellings(trampoline[1]) if trampoline else [first[2:].strip()]
    pythons = (_PYTHON.match(word) for word in words if not word.startswith("/usr/bin/env "))
    found = (os.path.normpath(python[1]) for python in pythons if python)
    return [os.path.dirname(os.path.dirname(python)) for python in found if _is_of_environment(python)]


def _is_of_environment(python: str) -> bool:
    """Return True if a script's interpreter is, or was, that of an environment."""
    prefix = os.path.dirname(os.path.dirname(python))
    if not os.path.isabs(python) or prefix in _SYSTEM:
        return False
    return os.path.lexists(os.path.join(prefix, _CONFIG)) or not os.path.exists(python)


def _is_at(spelling: str, real: str) -> bool:
    """Return True if the recorded place is the real one; a path that differs between processes is not."""
    plain = "/" + os.path.normpath(spelling).lstrip("/")
    magic = plain.startswith(("/proc/", "/dev/")) and not plain.startswith("/dev/shm/")  # noqa: S108  named, not used
    return not magic and len(spelling) <= _LONGEST_PATH and os.path.realpath(spelling) == real


def _values(path: str, key: str) -> list[str]:
    """Return all values that pyvenv.cfg gives `key`, for its readers differ on which of them counts."""
    text = _text(os.path.join(path, _CONFIG), _LONGEST_TEXT, follow=True)
    if len(text) == _LONGEST_TEXT:
        raise ValueError(f"{_CONFIG} is too long")
    pairs = (line.partition("=") for line in text.split("\n"))
    return [value.strip() for name, _, value in pairs if name.strip().lower() == key]


def _text(path: str, size: int, *, follow: bool = False) -> str:
    return os.fsdecode(read_regular(path, size, follow=follow) or b"")
