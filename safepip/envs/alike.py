"""Fill a new environment with what another has.

Its files are used if they can serve there, else pip installs the same.
"""

from __future__ import annotations

import json
import os
import shutil
import time

from safepip.core.record import Record, replace
from safepip.core.world import BIN, EXE
from safepip.errors import NO_ENVIRONMENT, SafepipError
from safepip.system.files import is_in
from safepip.system.interpreter import started_as

from . import history, inventory, journal, packages
from .progress import shown_while
from .transplant import Folder, transplant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.core.world import Environment, Interpreter
    from safepip.report import Report
    from safepip.system.observe import Context

    from .inventory import Distribution
    from .packages import Wanted


class Model(Record):
    """The environment to be like."""

    environment: Environment
    root: str  # of its project
    new_root: str  # of the new environment's project


def fill(path: str, base: Interpreter, model: Model, context: Context, report: Report) -> None:
    """Install what the model has into the new, unfinished environment."""
    made = replace(  # what it will be
        model.environment,
        path=path,
        known_as=path,
        python=started_as(os.path.join(path, BIN, "python" + EXE)),
        version=base.minor,
        site=os.path.join(path, base.site),
        base=base,
        has_pip=True,
    )
    entries = history.read(model.environment.path)
    everything, by_pip = [], []
    for name, found in _distributions(made, model).items():
        folder, state = _moved_folder(found, model), found.state
        if folder is not None:
            if not folder.is_project:
                where = f"it is installed from {folder.old}, and {folder.new} is not a project"
                report.say(f"{name} is left out: {where}")
                continue
            origin = json.dumps({"dir_info": {"editable": True}, "url": folder.url})
            state = replace(state, origin=origin)
        wanted = packages.again(name, state, entries)
        everything.append(wanted)
        if not _put_without_pip(found, folder, made, model):
            by_pip.append(wanted)
    if by_pip:
        _have_pip_install(by_pip, made, context, report)
    _note(everything, made, context)


def _distributions(made: Environment, model: Model) -> dict[str, Distribution]:
    """Return what the model has that the new environment needs."""
    found = inventory.distributions(model.environment.path)
    seeded = inventory.distributions(made.path).get("pip")
    pip = found.get("pip")
    if pip is None or seeded is None:
        return found
    if seeded.state.version == pip.state.version or made.version != model.environment.version:
        del found["pip"]  # another Python may need another pip
    return found


def _moved_folder(found: Distribution, model: Model) -> Folder | None:
    """Return the folder in the model's project that it is installed from."""
    if model.root == model.new_root:
        return None
    option, *folders = packages.requirement(found.name, found.state)
    if option != "-e":
        return None
    (old,) = folders
    root = os.path.realpath(model.root)
    real = os.path.realpath(old)
    if not is_in(real, root):
        return None
    new = os.path.normpath(os.path.join(model.new_root, os.path.relpath(real, root)))
    return Folder(old=old, new=new)


def _put_without_pip(found: Distribution, folder: Folder | None, made: Environment, model: Model) -> bool:
    """Return False if only pip can install it."""
    before = model.environment.base
    if made.base is None or before is None or made.base.real != before.real:
        return False
    if folder is not None and not folder.is_alike:
        return False
    if found.name == "pip":
        for path in (os.path.join(made.site, "pip"), *packages.infos_of(made, "pip")):
            shutil.rmtree(path)
        for path in packages.files_of(made, "pip"):
            os.unlink(path)
    return transplant(found, model.environment, made, folder)


def _have_pip_install(wanted: list[Wanted], made: Environment, context: Context, report: Report) -> None:
    with (
        packages.scratch_folder() as folder,
        shown_while("installing packages", context, report),
    ):
        try:
            packages.fetch(made, wanted, folder)
            packages.install(made, wanted, folder)
        except packages.FailedError as error:
            raise SafepipError(NO_ENVIRONMENT, f"no environment was made: {error.what}", error.why) from None


def _note(wanted: list[Wanted], made: Environment, context: Context) -> None:
    # Recovery gets packages again from where the history says, and undo removes them.
    for sources, group in packages.by_sources(wanted).items():
        entry = history.Entry(
            id=journal.next_number(made.path),
            time=int(time.time()),
            kind=history.PIP,
            words=("install", *sources, *(word for one in group for word in one.words)),
            cwd=context.ambient.cwd or "",
            further="created",
            changes=tuple(history.Change(name=one.name, before=None, after=one.state) for one in group),
        )
        history.append(made.path, entry)
    history.leave(made.path, journal.snapshot(made.path))
