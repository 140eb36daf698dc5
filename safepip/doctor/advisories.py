"""Of what safepip runs with: the first releases without the advisories that are published for it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from .facts import Dated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Name, first good version, the latest advisory for those before; pyproject.toml demands the same.
FLOORS = (
    ("pip", "26.2", "CVE-2026-13346"),
    ("virtualenv", "20.36.1", "CVE-2026-22702"),
    ("filelock", "3.20.3", "CVE-2026-22701"),
)


def dated(version_of: Callable[[str], str] = version) -> Iterator[Dated]:
    """Yield what is older than its floor; what cannot be told is let be."""
    for name, floor, advisory in FLOORS:
        try:
            found = version_of(name)
        except PackageNotFoundError:
            continue
        if _numbers(found) < _numbers(floor):
            yield Dated(name=name, version=found, floor=floor, advisory=advisory)


def _numbers(text: str) -> tuple[int, ...]:
    """Return the release of a version as numbers: "26.2.dev0" is (26, 2)."""
    parts = text.partition("+")[0].split(".")
    first_odd = next((at for at, part in enumerate(parts) if not part.isdecimal()), len(parts))
    return tuple(int(part) for part in parts[:first_odd])
