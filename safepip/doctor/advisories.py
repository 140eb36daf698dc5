"""Advisories published for old releases of the distributions that safepip runs with."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from .finding import Context, Findings, warning

# Name, first good version, the latest advisory for those before; pyproject.toml demands the same.
FLOORS = (
    ("pip", "26.2", "CVE-2026-13346"),
    ("virtualenv", "20.36.1", "CVE-2026-22702"),
    ("filelock", "3.20.3", "CVE-2026-22701"),
)


def check(context: Context, version_of: Callable[[str], str] = version) -> Findings:
    """Compare these distributions with the first good versions."""
    for name, floor, advisory in FLOORS:
        try:
            found = version_of(name)
        except PackageNotFoundError:
            continue
        if _numbers(found) < _numbers(floor):
            why = f"safepip runs with {name} {found}, of which {advisory} warns; {floor} is free of it"
            # By its own Python: it need not be the one on PATH.
            python, wanted = shlex.quote(context.ambient.executable), shlex.quote(f"{name}>={floor}")
            yield warning("dependency-outdated", why, f"{python} -m pip install --upgrade {wanted}")


def _numbers(text: str) -> tuple[int, ...]:
    """Return the release of a version as numbers: "26.2.dev0" is (26, 2)."""
    numbers = []
    for part in text.partition("+")[0].split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
