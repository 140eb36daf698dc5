"""Starts pip under the target interpreter, as its own launcher would.

Runs on every Python that pip runs on, and alone in its folder: Python puts that folder first on sys.path,
and it is exchanged for the one that a launcher has there. So neither the working directory nor safepip's
own packages can be imported by pip. What safepip has to say comes in variables, removed before pip starts.

Python compiles this file at each start, so it holds no more than every line needs. The rest is imported from
the folder `after_pip`, which is on sys.path for just that long.
"""

import importlib
import os
import sys

PROGRAM = "SAFEPIP_RUN_AS"  # path of the program that pip takes itself for; "-m" for python -m pip
SPARE = "SAFEPIP_RUN_SPARE"  # folder with the pip to use where the interpreter has none
JOURNAL = "SAFEPIP_RUN_JOURNAL"  # the environment that holds a journal of what was installed before
KEEP = "SAFEPIP_RUN_KEEP"  # a question as envs/noop_cache.py words it, whose answer is to be kept if all was there
DISCARD = "SAFEPIP_RUN_DISCARD"  # how the new environment is removed again if nothing was installed
HINT = "SAFEPIP_RUN_HINT"  # "NAMES:how to run {}", to be said of what comes with the packages called so
PATTERNS = "SAFEPIP_RUN_PATTERNS"  # folder of compiled regular expressions
CLOSING = "SAFEPIP_RUN_CLOSING"  # lines to be said when pip has ended
AFTER_PIP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    """Start pip as it was asked for, and return its exit code."""
    program = os.environ.pop(PROGRAM, "pip")
    spare = os.environ.pop(SPARE, "")
    hint = os.environ.pop(HINT, "")
    closing = os.environ.pop(CLOSING, "")
    journal = os.environ.pop(JOURNAL, "")
    keep = os.environ.pop(KEEP, "")
    discard = os.environ.pop(DISCARD, "")
    patterns = os.environ.pop(PATTERNS, "")
    _put_launcher_folder(program)
    _own("safepip_faster").hasten(patterns)
    pip_main = _find_pip(spare, journal)
    if program == "-m":
        import pip

        program = os.path.join(os.path.dirname(os.path.abspath(pip.__file__)), "__main__.py")
    sys.argv[0] = program
    if journal:
        discard = _own("safepip_discard").Discarding(discard) if discard else None
        pip_main = _own("safepip_notes").noting(pip_main, journal, keep, discard)
    if hint:
        pip_main = _own("safepip_hint").hinting(pip_main, hint)
    if closing:
        pip_main = _own("safepip_hint").closing(pip_main, closing)
    _expose_damage()
    try:
        return pip_main()
    except Exception:  # pip prints its own: what it lets pass may be that a file of its own is damaged
        pip_main = _own("safepip_spare").replace_damaged(spare, bool(journal))
        if pip_main is None:
            raise
        return pip_main()


def _expose_damage():
    """Raise what pip would log, if a damaged file is why."""
    # pip imports some modules only while it works. All versions log what they did not expect in the same words.
    if "logging" not in sys.modules:  # pip always loads it; what stands in for pip in a measurement does not
        return
    logger = sys.modules["logging"].Logger
    critical = logger.critical

    def ask_first(self, message, *args, **options):
        if message == "Exception:" and _is_damaged():
            raise  # noqa: PLE0704  what pip is about to log
        critical(self, message, *args, **options)

    logger.critical = ask_first


def _is_damaged():
    try:
        return _own("safepip_spare").is_damaged()
    except ImportError:  # pip 26.3 lets nothing be imported once it has installed something
        return False


def _put_launcher_folder(program):
    """Exchange this file's folder on sys.path for that of the programs."""
    here = os.path.dirname(os.path.abspath(__file__))
    if not sys.path or os.path.abspath(sys.path[0]) != here:  # with PYTHONSAFEPATH a launcher has none either
        return
    if program == "-m":  # has the working directory there, whose modules would come in place of pip's own
        del sys.path[0]
    else:
        sys.path[0] = os.path.dirname(sys.executable)


def _find_pip(spare, journal):
    """Return the main function of the interpreter's pip, else of the spare."""
    try:
        import pip._internal.cli.main as entry

        # `cli` from pip 26.3 on (it blocks imports once something was installed, so what is needed afterwards is
        # imported before), `main` from 19.3 on.
        return getattr(entry, "cli", None) or entry.main
    except Exception:  # without pip, or with a damaged one
        found = _own("safepip_spare").find_pip(spare, bool(journal))
        if found is None:
            raise
        return found


def _own(name):
    """Return a module of the folder `after_pip`."""
    sys.path.insert(0, AFTER_PIP)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(AFTER_PIP)


if __name__ == "__main__":
    sys.exit(main())
