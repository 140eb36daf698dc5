"""The verbs of safepip: a module each, with `parser()` and `main()`."""

from __future__ import annotations

from importlib import import_module

from safepip.report import Report
from safepip.system.observe import Context


def carry_out(verb: str, words: tuple[str, ...], context: Context, report: Report) -> int:
    """Run a verb and return its exit code."""
    module = import_module(f".{verb}", __name__)
    try:
        return int(module.main(words, context, report))
    except SystemExit as ended:  # argparse has printed the help
        return int(ended.code or 0)
