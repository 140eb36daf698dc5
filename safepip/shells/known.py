"""Which environments a shell's hook may activate, those that safepip made or adopted; and what it would change.

A hook starts no process, and so cannot ask the registry, which goes by device and inode. Two things tell it:
`<environment>/.safepip/shell-TOKEN`, an empty file, and `<state>/activate/shell-TOKEN`, a link to the
environment. A shell finds the first by a glob and compares the link with the environment by `test -ef`, or
by the real path: all of it built in everywhere, with nothing to encode, and whatever links the user came by.

TOKEN is random and the environment's own, so that nothing that came in an archive or a clone carries a link's
name: it would have to know the user's token. An environment that was copied or moved has its token still, but
the link leads to where it was. Rejected: a path alone, which what is put in its place inherits.
"""

from __future__ import annotations

import os

from safepip.system.environment import CREATING, OWN, is_environment
from safepip.system.files import make_folder
from safepip.system.interpreter import BIN, candidates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Changes = tuple[tuple[str, str | None], ...]

FOLDER = "activate"
PREFIX = "shell-"
_NAMES = ("python3", "python")
_CONDA_BASE = "base"


def note_for_shells(state: str | None, path: str) -> None:
    """Let the hooks activate the environment at the absolute `path`; cheap where they may already.

    What cannot be written is let be: such an environment is activated by hand.
    """
    if state is None or is_known_to_shells(state, path):
        return
    name = PREFIX + os.urandom(16).hex()
    folder = os.path.join(state, FOLDER)
    try:
        make_folder(folder)
        make_folder(os.path.join(path, OWN))
        os.symlink(path, os.path.join(folder, name))
        os.close(os.open(os.path.join(path, OWN, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return


def forget_for_shells(state: str | None, path: str) -> None:
    """Have no hook activate the environment at `path` any more; it may be gone already."""
    if state is None:
        return
    for file in (*_links_to(state, path), *_marks(path)):
        _remove(file)


def due(at: str, here: str | None, state: str | None, environ: Mapping[str, str]) -> Changes:
    """Return the changes of variables that a hook, which activated `at`, would make where `here` is, or none.

    What a hook activated is not the user's choice: `cd there && pip install`, a recipe of make and `bash -c` go
    by the directory. In its own project it stands, and so does one that was activated by hand on top of it:
    that puts it on PATH once more. What else stands before it on PATH was put there by the user and stays there.
    Beside a conda environment no hook activates anything.
    """
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    own = os.path.join(at, BIN)
    beside_conda = environ.get("CONDA_DEFAULT_ENV", _CONDA_BASE) != _CONDA_BASE
    found = None if beside_conda or here is None or state is None or not _is_activated(here, state) else here
    is_at_home = found is not None and os.path.realpath(found) == os.path.realpath(at)
    if is_at_home or _is_by_hand(own, entries):
        return ()
    kept = _put_in_its_place(own, os.path.join(found, BIN) if found else None, entries)
    changes: Changes = (("VIRTUAL_ENV", found), ("PATH", os.pathsep.join(kept)))
    wanted = environ.get("SAFEPIP_PYTHON", "")
    gone = wanted in _NAMES and next(candidates((wanted,), os.pathsep.join(kept), ()), None) is None
    return (*changes, ("SAFEPIP_PYTHON", None)) if gone else changes  # the hooks' `python -m pip`: any will do


def _is_by_hand(own: str, entries: list[str]) -> bool:
    """Tell whether the environment's folder `own` is on PATH twice, the first time however it is spelled."""
    if own not in entries:
        return False
    before = entries[: entries.index(own)]
    return entries.count(own) > 1 or any(os.path.isabs(entry) and _is_same(entry, own) for entry in before)


def _put_in_its_place(own: str, other: str | None, entries: list[str]) -> list[str]:
    """Return the entries with `other`, or nothing, where `own` stands."""
    exchanged = (other if entry == own else entry for entry in entries)
    return [entry for entry in exchanged if entry is not None]


def _is_activated(path: str, state: str) -> bool:
    """Tell whether a hook would activate the environment at `path`, once it is complete."""
    complete = is_environment(path) and not os.path.lexists(os.path.join(path, CREATING))
    return complete and is_known_to_shells(state, path)


def is_known_to_shells(state: str, path: str) -> bool:
    """Tell what the hooks find out: whether a mark of the environment has a link that leads to it."""
    links = (os.path.join(state, FOLDER, os.path.basename(mark)) for mark in _marks(path))
    return any(_is_same(link, path) for link in links)


def _marks(path: str) -> Iterator[str]:
    return _named(os.path.join(path, OWN))


def _links_to(state: str, path: str) -> Iterator[str]:
    for link in _named(os.path.join(state, FOLDER)):
        if os.path.islink(link) and os.readlink(link) == path:
            yield link


def _named(folder: str) -> Iterator[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return
    yield from (os.path.join(folder, name) for name in names if name.startswith(PREFIX))


def _remove(file: str) -> None:
    try:
        os.unlink(file)
    except OSError:
        return


def _is_same(link: str, path: str) -> bool:
    try:
        return os.path.samefile(link, path)
    except OSError:
        return False
