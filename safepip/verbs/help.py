"""safepip help TOPIC: a page of safepip, as it lies in the package."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main(words: tuple[str, ...], _context: Context, _report: Report) -> int:
    """Print the page that `words` name."""
    sys.stdout.write(_read(os.path.join("help", f"{words[0]}.txt")))
    return 0


def overview() -> str:
    """Return the lines on safepip's own verbs and options that stand before pip's help."""
    return _read("help.txt")


def _read(name: str) -> str:
    with open(os.path.join(PACKAGE, name), encoding="utf-8") as page:
        return page.read()
