"""safepip env prune: show and remove environments that nobody needs."""

from __future__ import annotations

import argparse
import os
import time

from safepip.core.record import Record
from safepip.envs import inventory
from safepip.envs.listing import last_use
from safepip.envs.removal import remove
from safepip.errors import SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.observe import Context
from safepip.system.registry import Entry
from safepip.verbs.output import show

_DAY = 86400


class Doomed(Record):
    """A record that is not needed, and if the environment goes too."""

    entry: Entry
    why: str
    remove: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this word."""
    parser.add_argument(
        "--unused", metavar="DAYS", type=_days, help="also environments that were not used for so many days"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="remove them")


def main(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Show the environments and the reasons, or remove them."""
    doomed = []
    for entry in registry.entries(context.state):
        one = _doom(entry, said.unused, context)
        if one is not None:
            doomed.append(one)
    if not doomed:
        report.say("there is nothing to prune")
        return 0
    for one in doomed:
        if said.yes:
            outcome = _carry_out(one, context, report)
        else:
            outcome = "would remove" if one.remove else "would forget"
        if outcome:
            show(f"{outcome} {one.entry.registration.path} ({one.why})")
    if not said.yes:
        report.say("to do it: add --yes")
    return 0


def device_of(path: str) -> int:
    """Return the device of `path` or of the nearest directory above."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev


def _days(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a number of days")
    return int(text)


def _doom(entry: Entry, unused: int | None, context: Context) -> Doomed | None:
    path = entry.registration.path
    if not entry.is_there:
        return _gone(entry)
    if entry.registration.how != registry.MADE:  # the user's own
        return None
    project = entry.registration.project
    if project and not os.path.lexists(project):
        return Doomed(entry=entry, why=f"its project {project} is gone", remove=True)
    if unused is None:
        return None
    if path == os.path.join(context.data or "", "home"):  # serves wherever there is no project
        return None
    days = int((time.time() - last_use(entry)) // _DAY)
    if days < unused or inventory.users(path):  # a process may run in it for months
        return None
    return Doomed(entry=entry, why=f"not used for {days} days", remove=True)


def _gone(entry: Entry) -> Doomed | None:
    path = entry.registration.path
    if device_of(path) != entry.device:  # its disk is not mounted now
        return None
    why = "another one is there now" if os.path.lexists(path) else "it is gone"
    return Doomed(entry=entry, why=why, remove=False)


def _carry_out(one: Doomed, context: Context, report: Report) -> str:
    """Remove or forget it, and return the outcome, "" for an error."""
    if not one.remove:
        registry.discard(one.entry)
        return "forgot"
    try:
        remove(one.entry, context, report)
    except SafepipError as error:
        report.error(error.what, code=error.code)
        return ""
    return "removed"
