"""To come."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .result import Experiment

EXPERIMENTS: dict[str, Experiment] = {}
