"""Fill a new environment with the distributions of another: by its files where they can serve, else by pip."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from urllib.parse import urlsplit
from urllib.request import url2pathname

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
    """The environment to be like, and the roots of its project and of the new one's."""

    environment: Environment
    root: str
    new_root: str


def fill(path: str, base: Interpreter, model: Model, context: Context, report: Report) -> None:
    """Install what the model has into the new environment at `path`, which is not usable yet."""
    made = _to_be(path, base, model)
    entries = history.read(model.environment.path)
    everything, by_pip = [], []
    for name, found in _distributions(made, model).items():
        folder = _folder(found, model)
        if folder is not None and not folder.is_project:
            report.say(f"{name} is left out: it is installed from {folder.old}, and {folder.new} is not a project")
            continue
        wanted = packages.again(name, _state(found, folder), entries)
        everything.append(wanted)
        if not _is_put(found, folder, made, model):
            by_pip.append(wanted)
    if by_pip:
        _have_pip_install(by_pip, made, context, report)
    _note(everything, made, context)


def _to_be(path: str, base: Interpreter, model: Model) -> Environment:
    """Return what the environment will be once it is finished."""
    made: Environment = replace(
        model.environment,
        path=path,
        known_as=path,
        python=started_as(os.path.join(path, BIN, "python" + EXE)),
        version=base.minor,
        site=os.path.join(path, base.site),
        base=base,
        has_pip=True,
    )
    return made


def _distributions(made: Environment, model: Model) -> dict[str, Distribution]:
    """Return what the model has by name, without pip where the new environment came with the right one."""
    found = inventory.distributions(model.environment.path)
    seeded = inventory.distributions(made.path).get("pip")
    pip = found.get("pip")
    if pip is None or seeded is None:
        return found
    if seeded.state.version == pip.state.version or made.version != model.environment.version:
        del found["pip"]
    return found


# -- what is installed from a folder of the model's project, in place


def _folder(found: Distribution, model: Model) -> Folder | None:
    """Return the folder of the model's project that it is installed from, and that of the new one; or None."""
    if model.root == model.new_root:
        return None
    old = _installed_from(found)
    root = os.path.realpath(model.root)
    real = os.path.realpath(old)
    if not old or not is_in(real, root):
        return None
    new = os.path.normpath(os.path.join(model.new_root, os.path.relpath(real, root)))
    return Folder(old=old, new=new)


def _installed_from(found: Distribution) -> str:
    """Return the folder that a distribution is installed from in place, empty for others."""
    if not found.state.origin:
        return ""
    try:
        origin = json.loads(found.state.origin)
    except ValueError:  # an egg-link: the first line is the folder
        return found.state.origin.split("\n")[0]
    if not origin.get("dir_info", {}).get("editable"):
        return ""
    return url2pathname(urlsplit(origin["url"]).path)


def _state(found: Distribution, folder: Folder | None) -> history.State:
    if folder is None:
        return found.state
    origin = json.dumps({"dir_info": {"editable": True}, "url": folder.url})
    state: history.State = replace(found.state, origin=origin)
    return state


# -- installed


def _is_put(found: Distribution, folder: Folder | None, made: Environment, model: Model) -> bool:
    """Put a distribution there without pip; return False if that cannot be."""
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
        tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder,
        shown_while("installing packages", context, report),
    ):
        try:
            packages.fetch(made, wanted, folder)
            packages.install(made, wanted, folder)
        except packages.FailedError as error:
            raise SafepipError(NO_ENVIRONMENT, f"no environment was made: {error.what}", error.why) from None


def _note(wanted: list[Wanted], made: Environment, context: Context) -> None:
    """Write into the history how everything came, so that it can be got again, and taken back."""
    groups: dict[tuple[str, ...], list[Wanted]] = {}
    for one in wanted:
        groups.setdefault(one.sources, []).append(one)
    for sources, group in groups.items():
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
