"""What an experiment found out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .world import World


class Result(NamedTuple):
    """How often an experiment tried, how often it failed, and a line that names each failure.

    `unit` says what was counted ("rounds", "kills", "sizes"). With `skipped`, the reason, nothing was tried.
    """

    name: str
    tried: int = 0
    failed: int = 0
    notes: list[str] = []  # noqa: RUF012  never changed in place
    unit: str = "rounds"
    skipped: str = ""


Experiment = Callable[["World", int, random.Random], Result]
