"""Why an environment that safepip did not make may not be adopted.

Nothing of it is executed or imported to find out: owners, modes, links, and the texts that its makers wrote.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import shlex
import stat

from safepip.core.world import BIN, EXE, MADE_ELSEWHERE
from safepip.system.files import is_in, read_regular
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
    """Return Linux's name of the file system that holds `path`, else ""."""
    try:
        with open(mounts, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        if os.name == "nt":
            return "ntfs"
        return ""
    real = os.path.realpath(path)
    longest, found = "", ""
    for line in lines:  # of two in one place, the later one covers the other
        before, _, after = line.partition(b" - ")  # proc_pid_mountinfo(5)
        fields = before.split()
        if len(fields) < 5:
            continue
        point = _unescaped(fields[4])
        if len(point) >= len(longest) and is_in(real, point):
            longest, found = point, os.fsdecode(after.partition(b" ")[0])
    return found


def has_modes(path: str, filesystem: Filesystem = filesystem) -> bool:
    """Return True if the modes of `path` say who may write there."""
    return filesystem(path) not in _WITHOUT_MODES


def objection(
    path: str,
    base: str,
    owners: frozenset[int],
    search: str,
    *,
    redirect: str = "",
    owners_around: frozenset[int] | None = None,
    filesystem: Filesystem = filesystem,
) -> str | None:
    """Return why the environment at `path` may not be adopted, or None.

    `path` is absolute and may be a link: it and its target count, and the folder with the link is the project.
    `base` is the interpreter that its Python stands on, `owners` the user ids that count as the user's own,
    `search` the user's PATH. The folder of `redirect`, the file that led to it, is the project, too. The folder
    may also belong to `owners_around`. The reason completes a sentence that begins with the environment's name.
    In this order, first match wins:

     1. The folder around it, itself, its pyvenv.cfg or bin belongs to another user.
     2. One of these can be written by everybody, or lies where everybody could replace it.
     3. It is a conda environment.
     4. git tracks it, or the redirect, or a link that it lies below.
     5. Its Python lies inside the project.
     6. The interpreter that it stands on belongs to another user, and is none that PATH gives; or it can be
        written or replaced by everybody.
     7. It records another location than its own, or none at all: an archive brought it, or a copy.

    What cannot be looked at is not adopted.
    """
    if owners_around is None:
        owners_around = owners

    def objections() -> Iterator[str | None]:
        yield _of_another_user(path, owners, owners_around)
        yield _open_to_all(path, filesystem)
        yield _conda(path)
        yield _tracked(path, redirect, owners)
        yield _with_own_python(path, base, redirect)
        yield _on_strange_python(path, base, owners, search, filesystem)
        yield made_elsewhere(path)

    try:
        return next(filter(None, objections()), None)
    except OSError as error:
        return f"cannot be looked at ({error.strerror or error})"
    except ValueError as error:
        return f"cannot be looked at ({error})"


def _parts(path: str) -> tuple[tuple[str, str], ...]:
    # The folder around the environment, and what must be the user's in it, each with words for it.
    return (
        (os.path.dirname(path), "lies in a folder that"),
        (path, ""),
        (os.path.join(path, _CONFIG), f"has a {_CONFIG} that"),
        (os.path.join(path, BIN), f"has a {BIN} that"),
    )


def _of_another_user(path: str, owners: frozenset[int], owners_around: frozenset[int]) -> str | None:
    for part, words in _parts(path):
        allowed = owners
        if part == os.path.dirname(path):
            allowed = owners_around
        for hop in _hops(part):
            user = os.lstat(hop).st_uid
            if user not in allowed:
                return f"{words} belongs to another user (uid {user})".lstrip()
    return None


def _open_to_all(path: str, filesystem: Filesystem) -> str | None:
    hops: list[str] = []
    for part, words in _parts(path)[1:]:
        if _is_open(part, filesystem):
            return f"{words} can be written by everybody".lstrip()
        hops += _hops(part)
    folder = _open_above(hops, filesystem)
    if folder is None:
        return None
    return f"lies in {folder}, where everybody can replace it"


def _conda(path: str) -> str | None:
    if os.path.lexists(os.path.join(path, "conda-meta", "history")):
        return "is a conda environment that is not active"
    return None


def _tracked(path: str, redirect: str, owners: frozenset[int]) -> str | None:
    links = filter(os.path.islink, _above(os.path.dirname(path)))  # such as .direnv, which holds environments
    for at in filter(None, dict.fromkeys((path, os.path.realpath(path), redirect, *links))):
        if tracks(os.path.dirname(at), at, owners):
            return "came with the repository (git tracks it) and could run anything"
    return None


def _with_own_python(path: str, base: str, redirect: str) -> str | None:
    # Python takes its standard library from where `home` says, so that counts as well as the program.
    named = [os.path.join(os.path.dirname(path), home) for home in _values(path, "home")]
    if os.name != "nt":  # where the environment's own Python is always a launcher, not a link
        named.append(_python(path))
    pythons = list(map(os.path.realpath, (base, *named)))
    for project in (_project_of(path), _project_of(redirect or path)):
        # The environment of a container may be "/venv": it alone counts, not the whole file system.
        inside = project
        if project == os.sep:
            inside = os.path.realpath(path)
        if any(is_in(python, inside) for python in pythons):
            return "has its Python inside the project"
    return None


def _project_of(place: str) -> str:
    folder = os.path.realpath(os.path.dirname(place))
    if os.path.basename(folder) == DIRENV:  # direnv keeps environments one deeper
        return os.path.dirname(folder)
    return folder


def _on_strange_python(
    path: str, base: str, owners: frozenset[int], search: str, filesystem: Filesystem
) -> str | None:
    # Each link on the way to the interpreter counts, too: its owner can point it elsewhere.
    real = os.path.realpath(base)
    hops = [*_hops(_python(path)), *_hops(base), real]
    for hop in hops:
        user = os.lstat(hop).st_uid
        if user in owners:
            continue
        if not _is_on_path(real, search, filesystem):
            return f"stands on {hop}, which belongs to another user (uid {user}) and is not on PATH"
        break
    if _is_open(real, filesystem):
        return f"stands on {real}, which can be written by everybody"
    folder = _open_above(hops, filesystem)
    if folder is None:
        return None
    return f"stands on {real}, which everybody can replace in {folder}"


def made_elsewhere(path: str, *, moved: bool = False) -> str | None:
    """Return how an environment that records another place came here, or None.

    With `moved` it is known that it was not copied.
    """
    place = recorded_place(path)
    if place is None:  # as uv's relocatable ones, which find out where they are; so may any archive
        return "does not record where it was made, so it could come from anywhere"
    if place == os.path.realpath(path):
        return None
    if moved or not os.path.lexists(place):
        return f"{MADE_ELSEWHERE} (in {place}) and moved here"
    return f"{MADE_ELSEWHERE} (in {place}) and copied here"


def recorded_place(path: str) -> str | None:
    """Return where the environment's files say that it is, or None.

    That is its real path if all of them agree on that, else the first other place that one names.
    """
    real, found = os.path.realpath(path), None
    for spellings in _records(path):
        if not spellings:
            continue
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
    """Return the first folder above the `paths` that everybody can change."""
    folders: dict[str, None] = {}
    for path in paths:
        folders.update(dict.fromkeys(_above(os.path.realpath(os.path.dirname(path)))))
    for folder in folders:
        if _is_open(folder, filesystem, sticky=True):
            return folder
    return None


def _above(folder: str) -> Iterator[str]:
    """Yield a folder, and those above it."""
    while True:
        yield folder
        if folder == os.path.dirname(folder):
            return
        folder = os.path.dirname(folder)


def _is_open(path: str, filesystem: Filesystem, *, sticky: bool = False) -> bool:
    """Return True if everybody can write to `path`.

    With `sticky`, True only if they can replace the entries of others in it.
    """
    mode = os.stat(path).st_mode
    if not mode & stat.S_IWOTH:
        return False
    if sticky and mode & stat.S_ISVTX:  # as /tmp
        return False
    return has_modes(path, filesystem)


def _is_on_path(real: str, search: str, filesystem: Filesystem) -> bool:
    """Return True for a Python on PATH that not everybody can replace."""
    for entry in filter(os.path.isabs, search.split(os.pathsep)):
        try:
            if _is_open(entry, filesystem):
                continue
            names = os.listdir(entry)
        except (OSError, ValueError):
            continue
        for name in names:
            if name.startswith(("python", "pypy")) and os.path.realpath(os.path.join(entry, name)) == real:
                return True
    return False


def _python(path: str) -> str:
    return os.path.join(path, BIN, "python" + EXE)


def _unescaped(point: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8) & 255]), point))


# -- where it was made


def _records(path: str) -> Iterator[list[str]]:
    """Yield the absolute paths that each record of the location may mean."""
    for command in _values(path, "command"):
        yield _destinations(command)
    activate = _text(os.path.join(path, BIN, "activate"), _LONGEST_TEXT)
    for value in _ASSIGNED.findall(activate):
        wrapped = _CYGPATH.match(value.strip())  # as virtualenv writes for Windows' shells
        if wrapped:
            yield _spellings(wrapped[1])
        else:
            yield _spellings(value)
    for script in _scripts(os.path.join(path, BIN)):
        yield _prefixes(_text(script, _LONGEST_HEAD))


def _destinations(command: str) -> list[str]:
    """Return the paths that the `command` of a maker may end with."""
    # It is not quoted, so each word that begins with "/" may begin the path.
    words = "".join(_MAKERS.split(command, maxsplit=1)[1:]).split(" ")
    tails = (" ".join(words[i:]) for i, word in enumerate(words) if os.path.isabs(word))
    return list(itertools.islice(tails, _MOST_SPELLINGS))


def _spellings(value: str) -> list[str]:
    """Return the absolute paths that a word of shell may mean."""
    # Makers of environments quoted it well, badly, or not at all.
    value = bare = value.strip()
    if value.startswith(("'", '"')) and value[-1] == value[0]:
        bare = value[1:-1]
    try:
        words = shlex.split(value)[:1]
    except ValueError:
        words = []
    return list(filter(os.path.isabs, dict.fromkeys((*words, bare))))


def _scripts(folder: str) -> list[str]:
    """Return the files that installers may have written, links left out."""
    with os.scandir(folder) as entries:
        some = itertools.islice(entries, _MOST_ENTRIES)
        files = sorted(entry.path for entry in some if entry.is_file(follow_symlinks=False))
    return files[:_MOST_SCRIPTS]


def _prefixes(head: str) -> list[str]:
    """Return the environments whose Python a script may be for."""
    first, _, rest = head.partition("\n")
    if not first.startswith("#!"):
        return []
    program = first[2:].strip()
    words = [program]
    trampoline = _TRAMPOLINE.match(rest)  # /bin/sh reads a path that is long or has spaces
    if trampoline and program == "/bin/sh":
        words = _spellings(trampoline[1])
    prefixes = []
    for word in words:
        python = _PYTHON.match(word)
        if python is None or word.startswith("/usr/bin/env "):
            continue
        path = os.path.normpath(python[1])
        if _is_of_environment(path):
            prefixes.append(os.path.dirname(os.path.dirname(path)))
    return prefixes


def _is_of_environment(python: str) -> bool:
    """Return True for the Python of an environment, which may be gone."""
    if not os.path.isabs(python):
        return False
    prefix = os.path.dirname(os.path.dirname(python))
    if prefix in _SYSTEM:
        return False
    return os.path.lexists(os.path.join(prefix, _CONFIG)) or not os.path.exists(python)


def _is_at(spelling: str, real: str) -> bool:
    if len(spelling) > _LONGEST_PATH:
        return False
    # A path below /proc or /dev differs between processes, so that it proves nothing; shared memory does not.
    plain = "/" + os.path.normpath(spelling).lstrip("/")
    if plain.startswith(("/proc/", "/dev/")) and not plain.startswith("/dev/shm/"):  # noqa: S108  named, not used
        return False
    return os.path.realpath(spelling) == real


def _values(path: str, key: str) -> list[str]:
    """Return all values of `key` in pyvenv.cfg."""
    # Its readers differ on which of several counts.
    text = _text(os.path.join(path, _CONFIG), _LONGEST_TEXT, follow=True)
    if len(text) == _LONGEST_TEXT:
        raise ValueError(f"{_CONFIG} is too long")
    found = []
    for line in text.split("\n"):
        name, _, value = line.partition("=")
        if name.strip().lower() == key:
            found.append(value.strip())
    return found


def _text(path: str, size: int, *, follow: bool = False) -> str:
    return os.fsdecode(read_regular(path, size, follow=follow) or b"")
