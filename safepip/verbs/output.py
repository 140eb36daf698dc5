"""Print the answers of verbs on stdout."""

from __future__ import annotations

import json
import sys
import time

from safepip.report import printable


def show(*lines: str) -> None:
    """Print lines, with control characters escaped."""
    # Flushed, since what pip prints next must come behind it.
    sys.stdout.write("".join([f"{printable(line)}\n" for line in lines]))
    sys.stdout.flush()


def show_json(value: object, *, indent: int | None = None) -> None:
    """Print one value as JSON."""
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")
    sys.stdout.flush()


def as_utc(seconds: float) -> str:
    """Return a time in ISO 8601, for programs."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def human(size: float) -> str:
    """Return a number of bytes with a unit."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
