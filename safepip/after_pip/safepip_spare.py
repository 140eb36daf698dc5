"""Find a pip where the interpreter's own is old, damaged or absent.

Imported by runner.py, under any Python that pip runs on; safepip_notes.py beside it tells why it lies here.
"""

import os
import sys


def find_pip(spare, changes):
    """Return the main function of the interpreter's old pip, else of `spare`."""
    if not _has_pip():
        return _spare_pip(spare)
    found = replace_damaged(spare, changes)
    if found is not None:
        return found
    from pip._internal import main as pip_main  # pip 10 to 19.2, or it fails as bare pip would

    return pip_main


def replace_damaged(spare, changes):
    """Return the main function of `spare` if the environment's pip is damaged.

    One line says so. A line that `changes` something ends there: a repair comes first.
    """
    path = _damage()
    if path is None:
        return None
    if sys.stderr:
        line = "safepip: the pip in %s is damaged (%s); repair it: safepip env repair\n"
        sys.stderr.write(line % (sys.prefix, path))
    if changes or not spare:
        sys.exit(3)
    _forget_pip(sys.modules)
    if "logging" in sys.modules:  # pip's loggers are of a class of its own
        _forget_pip(sys.modules["logging"].Logger.manager.loggerDict)
    return _spare_pip(spare)


def is_damaged():
    """Return True if an exception of pip's may come from damaged files."""
    return _damage() is not None and not _is_replaced()


def _damage():
    """Return what is damaged in the environment's own pip, or None."""
    found = _damaged_file()
    kind, _, trace = sys.exc_info()
    if found is not None or kind is not EOFError:
        return found
    while trace.tb_next:
        trace = trace.tb_next
    if "importlib" in trace.tb_frame.f_code.co_filename:  # else pip asked for input
        return "bytecode"
    return None


def _forget_pip(modules):
    for name in list(modules):
        if name.partition(".")[0] == "pip":
            del modules[name]


def _damaged_file():
    """Return a missing or cut-off file of pip, or None."""
    if sys.prefix == getattr(sys, "base_prefix", sys.prefix):
        return None  # the system's own: it fails as bare pip would
    for entry in sys.path:
        if not os.path.isdir(os.path.join(entry, "pip")):
            continue
        for info in os.listdir(entry):
            if info.startswith("pip-") and info.endswith(".dist-info"):
                return _damaged_in(entry, os.path.join(entry, info, "RECORD"))
    return None


def _is_replaced():
    """Return True if pip lacks whole parts, as another program does."""
    pip = sys.modules.get("pip")
    folder = os.path.dirname(getattr(pip, "__file__", None) or "")
    for part in ("_vendor", os.path.join("_internal", "utils")):
        if not os.path.isdir(os.path.join(folder, part)):
            return True
    return False


def _damaged_in(site, record):
    try:
        with open(record) as file:
            lines = file.readlines()
    except (IOError, OSError):
        return "RECORD"
    if not lines:
        return "RECORD"
    for line in lines:
        name, _, size = line.rstrip().rpartition(",")
        name = name.rpartition(",")[0]
        if not size.isdigit():
            continue
        if name.endswith(".pyc"):  # bytecode has no size there
            continue
        path = os.path.join(site, name)
        if not os.path.isfile(path) or os.path.getsize(path) < int(size):
            return name
    return None


def _spare_pip(spare):
    if not spare:
        return None
    _refuse_old_python(spare)
    from importlib.machinery import PathFinder

    sys.meta_path.insert(0, _OnlyPip(spare, PathFinder.find_spec))
    import pip._internal.cli.main as entry

    return getattr(entry, "cli", None) or entry.main


def _has_pip():
    for entry in sys.path:
        if os.path.isfile(os.path.join(entry, "pip", "__init__.py")):
            return True
    return False


def _refuse_old_python(spare):
    """End plainly where this Python is too old for the spare pip."""
    needs = (0,)
    with open(os.path.join(spare, "pip", "__pip-runner__.py")) as file:
        for line in file:
            if line.startswith("PYTHON_REQUIRES"):
                needs = tuple(map(int, line.split("(")[1].split(")")[0].split(",")))
    if sys.version_info < needs:
        this = "%d.%d" % sys.version_info[:2]
        sys.stderr.write(
            "safepip: error: %s has no pip, and safepip's needs Python %s or newer, not %s\n"
            "safepip: give it one of its own: %s -m ensurepip\n"
            % (sys.prefix, ".".join(map(str, needs)), this, sys.executable)
        )
        sys.exit(3)


class _OnlyPip:
    """Finds pip in one folder, whose other modules stay out of sight."""

    def __init__(self, folder, find_in):
        self.folder = folder
        self.find_in = find_in

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002  the protocol of sys.meta_path
        if name != "pip":
            return None
        return self.find_in(name, [self.folder])
