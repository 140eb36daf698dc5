"""The pip to start where the interpreter's own is of old, or there is none.

Imported by runner.py, under any Python that pip runs on; safepip_notes.py beside it tells why it lies here.
"""

import os
import sys


def find_pip(spare):
    """Return the main function of the interpreter's own old pip, else of that in the folder `spare`, or None."""
    if _has_pip():
        from pip._internal import main as pip_main  # pip 10 to 19.2, or it fails as bare pip would

        return pip_main
    if not spare:
        return None
    _refuse_old_python(spare)
    from importlib.machinery import PathFinder

    sys.meta_path.insert(0, _OnlyPip(spare, PathFinder.find_spec))
    import pip._internal.cli.main as entry

    return getattr(entry, "cli", None) or entry.main


def _has_pip():
    return any(os.path.isfile(os.path.join(entry, "pip", "__init__.py")) for entry in sys.path)


def _refuse_old_python(spare):
    """End plainly where this Python is older than what the spare pip says that it needs."""
    needs = (0,)
    with open(os.path.join(spare, "pip", "__pip-runner__.py")) as file:
        for line in file:
            if line.startswith("PYTHON_REQUIRES"):
                needs = tuple(int(part) for part in line.split("(")[1].split(")")[0].split(","))
    if sys.version_info < needs:
        this = "%d.%d" % sys.version_info[:2]
        sys.stderr.write(
            "safepip: error: %s has no pip, and safepip's needs Python %s or newer, not %s\n"
            "safepip: give it one of its own: %s -m ensurepip\n"
            % (sys.prefix, ".".join(map(str, needs)), this, sys.executable)
        )
        sys.exit(3)


class _OnlyPip:
    """Finds pip, and nothing else, in one folder: the rest of that folder stays out of sight."""

    def __init__(self, folder, find_in):
        self.folder = folder
        self.find_in = find_in

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002  the protocol of sys.meta_path
        return self.find_in(name, [self.folder]) if name == "pip" else None
