"""safepip help TOPIC: a page of the package, shown in the terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

from safepip.core.settings import TABLE, Row
from safepip.report import Report
from safepip.system.observe import Context

from .markdown import rendered

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NO_PAGER = "--no-pager"
_WIDEST, _PLAIN = 100, 80  # columns: longer lines are hard to read
_SETTINGS = "<!-- settings -->"


def main(words: tuple[str, ...], context: Context, _report: Report) -> int:
    """Print the page that `words` name, in a terminal with a pager."""
    text = page(words[0])
    if not sys.stdout.isatty():
        sys.stdout.write(rendered(text, _PLAIN, colour=False))
        return 0
    variables = context.ambient.environ
    is_plain = bool(variables.get("NO_COLOR")) or variables.get("TERM") == "dumb"
    columns = min(shutil.get_terminal_size().columns, _WIDEST)
    shown = rendered(text, columns, colour=not is_plain)
    pager = None if NO_PAGER in words else _pager(variables)
    if pager is None or not _paged(shown, pager, variables):
        sys.stdout.write(shown)
    return 0


def overview() -> str:
    """Return the lines on safepip that stand before pip's help."""
    return _read("help.txt")


def page(topic: str) -> str:
    """Return a page in Markdown, with the table of settings filled in."""
    text = _read(os.path.join("help", f"{topic}.md"))
    rows = ["| key | what it does | default |", "|---|---|---|", *map(_row, TABLE)]
    return text.replace(_SETTINGS, "\n".join(rows))


def _row(row: Row) -> str:
    meaning = row.help
    choices = row.kind.wants.split(" or ")
    if row.default in choices:
        meaning += ": " + ", ".join(map("`{}`".format, choices))
    if row.users_only:
        meaning += " (not in a project)"
    default = f"`{str(row.default).lower()}`"
    if row.default == ():
        default = "`[]`"
    if row.default is None:  # TOML has no such value
        default = {"python": "the first on PATH", "lock-timeout": "wait for ever"}[row.key]
    return f"| `{row.key}` | {meaning} | {default} |"


def _pager(variables: Mapping[str, str]) -> list[str] | None:
    """Return the command that shows long texts, or None for no pager."""
    named = variables.get("PAGER", "less")
    if variables.get("TERM") == "dumb":
        return None
    if named in {"", "cat"}:
        return None
    try:
        return shlex.split(named)
    except ValueError:  # quotes that do not match
        return None


def _paged(text: str, pager: list[str], variables: Mapping[str, str]) -> bool:
    """Show `text` with the pager, or return False if that fails."""
    # As git starts less: end at once if the text fits on the screen, show colours, leave the screen as it is.
    environ = {"LESS": "FRX", "MORE": "FRX", **variables}
    try:
        running = subprocess.Popen(pager, stdin=subprocess.PIPE, env=environ, text=True, encoding="utf-8")
    except OSError:
        return False
    with suppress(KeyboardInterrupt):
        running.communicate(text)
    while running.poll() is None:  # an interrupt is for the pager, which goes on
        with suppress(KeyboardInterrupt):
            running.wait()
    return True


def _read(name: str) -> str:
    with open(os.path.join(PACKAGE, name), encoding="utf-8") as file:
        return file.read()
