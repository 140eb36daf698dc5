"""safepip env list: show all environments that safepip knows."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator

from safepip.envs.listing import Listed, listed
from safepip.report import Report, printable, with_tilde
from safepip.system.observe import Context
from safepip.verbs.output import as_utc, human, show, show_json

_HEADING = ("PROJECT", "PYTHON", "PACKAGES", "SIZE", "LAST USE", "HEALTH")
_NUMBERS = ("PACKAGES", "SIZE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this word."""
    parser.add_argument("--json", action="store_true", help="as a JSON array")


def main(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Print the environments, by project."""
    # The environments of one project stand together.
    rows = sorted(listed(context, report), key=lambda row: (row.project or "", row.path))
    if said.json:
        show_json(list(map(_as_json, rows)), indent=1)
    elif rows:
        show(*_table(rows, context))
    else:
        report.say("no environments are known yet")
    return 0


def _as_json(row: Listed) -> dict[str, object]:
    return {
        "path": row.path,
        "project": row.project,
        "python": row.python,
        "packages": row.packages,
        "size": row.size,
        "last_used": as_utc(row.used),
        "health": row.health,  # begins with "ok" or the state, so that programs can compare the first word
    }


def _table(rows: Iterable[Listed], context: Context) -> Iterator[str]:
    cells = [_HEADING, *(_cells(row, context) for row in rows)]
    *columns, health = zip(*cells, strict=True)  # the health may be long, so nothing stands to its right
    padded = [_padded(column) for column in columns]
    for line in zip(*padded, health, strict=True):
        yield "  ".join(line)


def _cells(row: Listed, context: Context) -> tuple[str, ...]:
    # Printable first, since the widths are counted in what the terminal shows.
    name = printable(with_tilde(_name(row, context), context.ambient.home))
    used = time.strftime("%Y-%m-%d", time.localtime(row.used))
    return (name, row.python, str(row.packages), human(row.size), used, row.health)


def _padded(column: tuple[str, ...]) -> list[str]:
    width = max(map(len, column))
    if column[0] in _NUMBERS:
        return [cell.rjust(width) for cell in column]
    return [cell.ljust(width) for cell in column]


def _name(row: Listed, context: Context) -> str:
    # People know an environment by its project, if it is the only one there.
    if context.data is not None:
        if row.path == os.path.join(context.data, "home"):
            return "(outside projects)"
        if row.path == os.path.join(context.data, "pipx"):
            return "(safepip's own pipx)"
    if not row.project:
        return row.path
    is_inside = row.path.startswith(os.path.join(row.project, ""))
    if is_inside and os.path.basename(row.path) != ".venv":
        return row.path
    return row.project
