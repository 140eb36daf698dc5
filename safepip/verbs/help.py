"""safepip help TOPIC: a page of safepip's own, as it lies in the package."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safepip.report import Report
    from safepip.system.observe import Context

PAGES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "help")


def main(words: tuple[str, ...], _context: Context, _report: Report) -> int:
    """Print the page that `words` name."""
    with open(os.path.join(PAGES, f"{words[0]}.txt"), encoding="utf-8") as page:
        sys.stdout.write(page.read())
    return 0
