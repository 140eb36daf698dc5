"""Starts pip under the target interpreter, as its own launcher would; then says how to use what came.

Runs on every Python that pip runs on, and alone in its folder: Python puts that folder first on sys.path,
and it is exchanged for the one that a launcher has there. So neither the working directory nor safepip's
own packages can be imported by pip. What safepip has to say comes in variables, removed before pip starts.
"""

import os
import sys

PROGRAM = "SAFEPIP_RUN_AS"  # path of the program that pip takes itself for; "-m" for python -m pip
SPARE = "SAFEPIP_RUN_SPARE"  # folder with the pip to use where the interpreter has none
TELL = "SAFEPIP_RUN_TELL"  # "PROGRAM:how to run {}": PROGRAM is named where no new one came, unless empty


def main():
    """Start pip under the name and in the surroundings that were asked for; return its exit code."""
    program = os.environ.pop(PROGRAM, "pip")
    spare = os.environ.pop(SPARE, "")
    tell = os.environ.pop(TELL, "")
    _put_launcher_folder(program)
    pip_main = _find_pip(spare)
    sys.argv[0] = _module_path() if program == "-m" else program
    if not tell:
        return pip_main()
    before = _programs()
    code = pip_main()
    if not code:
        _tell(sorted(_programs() - before), tell)
    return code


def _put_launcher_folder(program):
    """Exchange this file's folder on sys.path, if it is there, for the folder of the interpreter's programs.

    It is not there with PYTHONSAFEPATH, nor would a launcher's be. `python -m pip` has the working directory
    there, whose modules would be imported in place of pip's own: left out.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        if program == "-m":
            del sys.path[0]
        else:
            sys.path[0] = os.path.dirname(sys.executable)


def _find_pip(spare):
    """Return the main function of the interpreter's own pip, else of the spare one.

    Its name has changed: `cli` from pip 26.3 on (it blocks imports once something was installed, so this
    file imports all that it needs before), `main` from 19.3 on.
    """
    try:
        import pip._internal.cli.main as entry
    except ImportError:
        if _has_pip():
            from pip._internal import main as pip_main  # pip 10 to 19.2, or it fails as bare pip would

            return pip_main
        if not spare:
            raise
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


def _module_path():
    """Return what `python -m pip` has as its program, so that pip names itself as there."""
    import pip

    return os.path.join(os.path.dirname(os.path.abspath(pip.__file__)), "__main__.py")


def _programs():
    """Return the names of the programs in the environment."""
    try:
        return set(os.listdir(os.path.dirname(sys.executable)))
    except OSError:
        return set()


def _tell(came, tell):
    """Say how the programs that came are run, or what there is in a new environment: one line."""
    spare, _, how = tell.partition(":")
    program = next((name for name in came if not name.startswith(("pip", "__pycache__"))), spare)
    if program:
        sys.stderr.write("safepip: run it with: %s\n" % how.replace("{}", program))


if __name__ == "__main__":
    sys.exit(main())
