"""What is said when pip has ended: how to run what was asked for, or where a package is that pip did not find.

Imported by runner.py before it starts pip, under any Python that pip runs on, and only where there is something to
say. From pip 26.3 on nothing can be imported when pip has ended: `os` and `sys` must do.
"""

import os
import sys

from safepip_notes import names_in, sites_of

PLAIN = "-.+0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"  # signs of a name that may be shown


class Hinting:
    """Calls pip, and says how to run what came with the packages that were asked for.

    `hint` is the names on the line, a colon, and how a program is run, with {} where its name goes.
    """

    def __init__(self, pip_main, hint):
        self.pip_main = pip_main
        asked, _, self.how = hint.partition(":")
        self.asked = list(map(_folded, asked.split(" ")))

    def __call__(self):
        """Call pip, and return its exit code."""
        before = _infos()
        code = self.pip_main()
        if not code:
            _say_how(sorted(_infos() - before), self.asked, self.how)
        return code


class Closing:
    """Calls pip, and says the lines behind whatever pip said."""

    def __init__(self, pip_main, lines):
        self.pip_main = pip_main
        self.lines = lines.split("\n")

    def __call__(self):
        """Call pip, and return its exit code."""
        try:
            code = self.pip_main()
        except SystemExit:  # pip rejects an option
            self._say()
            raise
        self._say()
        return code

    def _say(self):
        for line in self.lines:
            sys.stderr.write("safepip: %s\n" % line)


def _infos():
    """Return the folders with the metadata of what is installed in this environment."""
    environment = getattr(os, "fsencode", str)(sys.prefix)  # Python 2 has bytes
    found = set()
    for site in sites_of(environment):
        folder = os.path.join(environment, site)
        found.update(os.path.join(folder, name) for name in names_in(folder) if name.endswith(b".dist-info"))
    return found


def _say_how(new, asked, how):
    """Say how to run the program of a new package that was asked for, else the user's own code.

    pip marks a package that the line or a requirements file named with a file REQUESTED; before pip 20.2 the
    names on the line must do.
    """
    requested = []
    for info in new:
        name = _name_of(info)
        if name == "pip":
            continue
        if name in asked:
            requested.append((asked.index(name), name, info))
        elif os.path.exists(os.path.join(info, b"REQUESTED")):
            requested.append((len(asked), name, info))
    for _, name, info in sorted(requested):
        program = _main_program(name, _programs(info))
        if program:
            sys.stderr.write("safepip: run it with: %s\n" % how.replace("{}", program, 1))
            return
    if requested:
        sys.stderr.write("safepip: run your code with: %s\n" % how.replace("{}", "FILE.py", 1))


def _name_of(info):
    name = os.path.basename(info).rpartition(b".")[0].partition(b"-")[0]
    return _folded(name.decode("utf-8", "replace"))


def _folded(name):
    """Return a name as names of packages are compared."""
    return name.lower().replace("_", "-").replace(".", "-")


def _main_program(name, programs):
    """Return the program that a package is known for, or "" for a library; `programs` are pairs with the module.

    One called like the package, or like a part of its name (django-admin, aws of awscli); else the only one. It
    does not count if it is a tool of one part of the package (f2py of numpy.f2py) or for builds (numpy-config).
    """
    others = []
    related = []
    for program, module in programs:
        folded = _folded(program)
        if folded.endswith("-config") or folded in module.split(".")[1:]:
            continue
        if program.strip(PLAIN):  # a terminal could take other signs for commands
            continue
        if folded == name:
            return program
        if folded.replace("-", "") == name.replace("-", ""):
            related.insert(0, program)
        elif _is_related(folded, name):
            related.append(program)
        else:
            others.append(program)
    if related:
        return related[0]
    if len(others) == 1:
        return others[0]
    return ""


def _is_related(program, name):
    if name.startswith(program):
        return True
    return program.startswith(name + "-") or program.endswith("-" + name)


def _programs(info):
    """Return the programs of a distribution, each with the module that it calls, "" for a plain script."""
    return _entry_points(info) or [(name, "") for name in _scripts(info)]


def _entry_points(info):
    section, found = "", []
    for line in _lines(info, b"entry_points.txt"):
        name, equals, value = line.partition("=")
        if line.startswith("["):
            section = line
        elif equals and section in ("[console_scripts]", "[gui_scripts]"):
            found.append((name.strip(), value.partition(":")[0].strip()))
    return found


def _scripts(info):
    found = []
    for line in _lines(info, b"RECORD"):
        folder, _, name = line.partition(",")[0].replace("\\", "/").rpartition("/")
        if folder.startswith("../") and folder.endswith(("/bin", "/Scripts")):
            found.append(name)
    return found


def _lines(info, name):
    try:
        with open(os.path.join(info, name), "rb") as file:
            text = file.read().decode("utf-8", "replace")
    except (IOError, OSError):
        return []
    return [str(line.strip()) for line in text.splitlines() if not line.strip(PLAIN + " \t,=:[]()/\\;#+~")]
