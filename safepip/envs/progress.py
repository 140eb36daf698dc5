"""Show the progress of long work in a line at the terminal."""

from __future__ import annotations

import contextlib
import os
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safepip.report import Report
    from safepip.system.observe import Context

SOON = 0.7  # seconds
_OFTEN = 0.2


@contextlib.contextmanager
def shown_while(
    doing: str | Callable[[], str], context: Context, report: Report, *, soon: float = SOON
) -> Iterator[None]:
    """Show what is being done while the block runs.

    `doing` is a few plain words, so that the line fits most terminals, or returns them each time. A block of less
    than `soon` seconds shows nothing.
    """
    if report.quiet or not _moves_back(context, report):
        yield
        return
    ended = threading.Event()
    told = (lambda: doing) if isinstance(doing, str) else doing
    watch = threading.Thread(target=_watch, args=(told, ended, report, soon), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()
        report.passing("")


def _moves_back(context: Context, report: Report) -> bool:
    """Return True if the terminal can write a line again."""
    if not report.terminal:
        return False
    kind = context.ambient.environ.get("TERM")
    if kind is None:  # Windows does not set it
        return context.ambient.platform == "win32"
    return kind != "dumb"


def _watch(told: Callable[[], str], ended: threading.Event, report: Report, pause: float) -> None:
    began = time.monotonic()
    while not ended.wait(pause):
        seconds = int(time.monotonic() - began)
        report.passing(f"{told()} ({seconds} s)")
        pause = _OFTEN


def downloaded(folder: str, many: int) -> str:
    """Return how many packages are there, as wheels in the folder."""
    try:
        there = sum(name.endswith(".whl") for name in os.listdir(folder))
    except OSError:
        there = 0
    return f"{min(there, many)} of {many} packages are here"
