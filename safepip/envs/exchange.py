"""Exchange an environment for a new one at the same path.

At any time one of the two is complete. The old one is renamed, since scripts carry their path, and what is under
way is noted in the user's state first. After a kill the next command finishes the exchange or takes it back. The
new environment counts from the moment that its mark of a creation under way (`.safepip/creating`) is removed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat

from safepip.core.record import Record, fields_of, replace
from safepip.errors import CANNOT_CREATE, REFUSED, SafepipError
from safepip.system import registry
from safepip.system.environment import CREATING, OWN, configuration
from safepip.system.files import number, recall, recall_fields, remember, replace_file, sweep

from . import inventory
from .creation_lock import change_lock, creation_lock, key_of
from .modified_files import edited
from .on_disk import sync
from .removal import empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.report import Report
    from safepip.system.observe import Context

_FORMAT = "safepip-repair-1"
_EXCHANGING = "exchanging"  # the old one is complete, here or aside; the new one as soon as its mark is gone
_REMOVING = "removing"  # the new one is complete, and the old one goes


class Exchange(Record):
    """An exchange under way of the environment at `path`.

    The old one is moved `aside`. `device` and `inode` are its, and `token` signs the new one. `how` and `project`
    are those of the registry.
    """

    path: str
    aside: str
    device: int
    inode: int
    token: str
    how: str
    project: str = ""
    stage: str = _EXCHANGING

    @property
    def real(self) -> str:
        """Return the path without links: where the environment itself is."""
        return os.path.realpath(self.path)

    @property
    def has_old_aside(self) -> bool:
        """Return True if the old directory is where it was moved to.

        A device gets another number when it is mounted again, and a layered file system other inodes with it.
        """
        try:
            found = os.lstat(self.aside)
        except OSError:
            return False
        if not stat.S_ISDIR(found.st_mode):
            return False
        return found.st_ino == self.inode or found.st_dev != self.device

    @property
    def has_complete_new(self) -> bool:
        """Return True if the path holds the new environment, completed."""
        is_signed = configuration(self.real).get("safepip-creation") == self.token
        return is_signed and not os.path.lexists(os.path.join(self.real, CREATING))

    @property
    def has_begun_new(self) -> bool:
        """Return True if only this exchange has written there."""
        if recall(os.path.join(self.real, CREATING)) == self.token:
            return True
        try:
            names = os.listdir(self.real)
            if names == [OWN]:
                names = os.listdir(os.path.join(self.real, OWN))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return not names


def begin(path: str, entry: registry.Entry | None, context: Context) -> Exchange:
    """Note in the user's state that the exchange begins."""
    real = os.path.realpath(path)
    status = os.stat(real)
    token = secrets.token_hex(16)
    how = project = ""
    if entry is not None:
        how, project = entry.registration.how, entry.registration.project
    begun = Exchange(
        path=path,
        aside=f"{real}.old-{token[:8]}",
        device=status.st_dev,
        inode=status.st_ino,
        token=token,
        how=how,
        project=project,
    )
    note(begun, context)
    return begun


@contextlib.contextmanager
def new_directory(begun: Exchange, context: Context, report: Report) -> Iterator[int | None]:
    """Make the new directory, marked unfinished until the block ends."""
    os.makedirs(os.path.join(begun.real, OWN), 0o700)
    mode = os.stat(begun.aside).st_mode & 0o7777
    os.chmod(begun.real, mode | 0o700)  # one that may not be written is made so at the end
    mark = os.path.join(begun.real, CREATING)
    replace_file(mark, begun.token.encode())
    with change_lock(begun.real, context, report) as lock:
        yield lock
        sync(begun.real)
        os.chmod(begun.real, mode)
        os.unlink(mark)


def resume(path: str, called: str, context: Context, report: Report) -> bool:
    """Finish or take back a killed exchange, if there was one.

    Ask this before an environment is made there: the old one, which is complete, would be left aside.
    """
    if noted(path, context) is None:
        return False
    with creation_lock(path, context, report):
        resume_locked(path, called, context, report)
    return True


def resume_locked(path: str, called: str, context: Context, report: Report) -> bool:
    """Do as `resume`, for a caller that holds the lock."""
    begun = noted(path, context)
    if begun is None:
        return False
    if not begun.has_old_aside:
        if begun.stage == _EXCHANGING and begun.has_begun_new:
            _discard(begun.real)  # somebody took the old one away
        _forget(begun, context)
        return True
    if begun.stage == _REMOVING or begun.has_complete_new:
        report.say(f"an interrupted repair of {called} was nearly done; finishing it")
        finish(begun, called, context, report)
        return True
    if os.path.lexists(begun.real) and not begun.has_begun_new:
        what = f"a repair of {called} was interrupted, and another command has made the environment again since"
        raise SafepipError(REFUSED, what, f"the old one is whole: {begun.aside}", "rename or remove one of them")
    report.say(f"a repair of {called} was interrupted; the old one is back in its place")
    put_back(begun, context, report)
    return True


def left_aside(path: str, context: Context) -> str:
    """Return where an interrupted exchange left the old environment, or empty."""
    begun = noted(path, context)
    if begun is None or begun.stage != _EXCHANGING:
        return ""
    if not begun.has_old_aside:
        return ""
    return begun.aside


def finish(begun: Exchange, called: str, context: Context, report: Report) -> None:
    """Remove the old environment if safepip made all that is in it."""
    old = registry.entry_of(context.state, begun.device, begun.inode)
    if old is not None:
        registry.discard(old)
    why = _why_kept(begun)
    if why:
        report.say(f"the old {called} {why}: kept as {begun.aside}")
    else:
        note(replace(begun, stage=_REMOVING), context)
        with contextlib.suppress(OSError):
            _discard(begun.aside)
        if os.path.lexists(begun.aside):
            report.say(f"not all of the old {called} can be removed: {begun.aside}")
    _forget(begun, context)


def put_back(begun: Exchange, context: Context, report: Report) -> None:
    """Move the old environment back to its place."""
    if begun.has_old_aside:
        with change_lock(begun.real, context, report):  # until no pip writes to it any more
            _discard(begun.real)
        os.rename(begun.aside, begun.real)
    _forget(begun, context)


def _why_kept(begun: Exchange) -> str:
    """Return why the old environment must stay, or empty."""
    # What safepip did not put there would be lost.
    if begun.how != registry.MADE:
        return "was not made by safepip"
    if begun.stage == _REMOVING:
        return ""
    strays = inventory.strays(begun.aside)
    if strays:
        return f"holds {strays[0]}, which no package put there"
    by_hand = edited(begun.aside, begun.real)
    if by_hand:
        return f"holds {by_hand[0]}, which was changed by hand"
    return ""


def _discard(path: str) -> None:
    """Remove an environment, safepip's folder in it last."""
    # The mark of an unfinished one lies there: a kill leaves it marked.
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)
    with contextlib.suppress(FileNotFoundError):
        empty(path, last=(OWN,))
        os.rmdir(path)


# -- the note in the user's state


def note(begun: Exchange, context: Context) -> None:
    """Write what is under way into the user's state, or raise SafepipError."""
    file = _file(begun.path, context)
    text = "\0".join((_FORMAT, *map(str, fields_of(begun).values())))
    if file is not None:
        sweep(os.path.dirname(file))
        remember(file, text, durable=True)
    if file is None or recall(file) != text:
        what = "your state folder cannot be written, so that an interrupted repair could not be taken back"
        raise SafepipError(CANNOT_CREATE, what, "name another: XDG_STATE_HOME=DIR")


def noted(path: str, context: Context) -> Exchange | None:
    """Return the exchange of `path` that is under way, or None."""
    file = _file(path, context)
    if file is None:
        return None
    fields = recall_fields(file)
    if len(fields) != 9 or fields[0] != _FORMAT:
        return None
    _, noted_path, aside, *numbers, token, how, project, stage = fields
    device, inode = map(number, numbers)
    if device is None or inode is None:
        return None
    # Notes get damaged: it must be about this environment, with the old one beside it.
    real = os.path.realpath(noted_path)
    if real != os.path.realpath(path) or os.path.dirname(aside) != os.path.dirname(real):
        return None
    return Exchange(
        path=noted_path,
        aside=aside,
        device=device,
        inode=inode,
        token=token,
        how=how,
        project=project,
        stage=stage,
    )


def _forget(begun: Exchange, context: Context) -> None:
    file = _file(begun.path, context)
    if file is not None:
        with contextlib.suppress(OSError):
            os.unlink(file)


def _file(path: str, context: Context) -> str | None:
    if context.state is None:
        return None
    return os.path.join(context.state, registry.REPAIRS, key_of(path))
