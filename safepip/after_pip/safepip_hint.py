"""Say how to run what was installed, or where a package is.

Imported by runner.py before it starts pip, under any Python that pip runs on, and only where there is something to
say. From pip 26.3 on nothing can be imported when pip has ended: `os` and `sys` must do.
"""

import os
import sys

from safepip_notes import name_and_version, names_in, read, sites_of

PLAIN = "-.+0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"  # signs of a name that may be shown


def hinting(pip_main, hint):
    """Return a function that calls pip, then says how to run things.

    `hint` is the names on the line, a colon, and how a program is run, with {} where its name goes.
    """
    names, _, how = hint.partition(":")
    asked = list(map(_folded, names.split(" ")))

    def run():
        before = _infos()
        code = pip_main()
        if not code:
            _say_how(sorted(_infos() - before), asked, how)
        return code

    return run


def closing(pip_main, lines):
    """Return a function that calls pip, and then says the lines."""

    def run():
        try:
            code = pip_main()
        except SystemExit:  # pip rejects an option
            _say(lines)
            raise
        _say(lines)
        return code

    return run


def _say(lines):
    for line in lines.split("\n"):
        sys.stderr.write("safepip: %s\n" % line)


def _infos():
    """Return the folders with the metadata of what is installed."""
    environment = getattr(os, "fsencode", str)(sys.prefix)  # Python 2 has bytes
    found = set()
    for site in sites_of(environment):
        folder = os.path.join(environment, site)
        for name in names_in(folder):
            if name.endswith(b".dist-info"):
                found.add(os.path.join(folder, name))
    return found


def _say_how(new, asked, how):
    """Say how to run a requested package's program, else the user's code."""
    requested = []
    for info in new:
        name = name_and_version(info)[0].decode("utf-8", "replace")
        if name == "pip":
            continue
        if name in asked:
            requested.append((asked.index(name), name, info))
        elif os.path.exists(os.path.join(info, b"REQUESTED")):  # of a requirements file, since pip 20.2
            requested.append((len(asked), name, info))
    for _, name, info in sorted(requested):
        program = _main_program(name, _entry_points(info) or _scripts(info))
        if program:
            sys.stderr.write("safepip: run it with: %s\n" % how.replace("{}", program, 1))
            return
    if requested:
        sys.stderr.write("safepip: run your code with: %s\n" % how.replace("{}", "FILE.py", 1))


def _folded(name):
    return name.lower().replace("_", "-").replace(".", "-")


def _main_program(name, programs):
    """Return the program that a package is known for, or "".

    `programs` are pairs with the module. It is one called like the package, or like a part of its name
    (django-admin, aws of awscli), else the only one.
    """
    others = []
    related = []
    for program, module in programs:
        folded = _folded(program)
        # A tool of one part of the package (f2py of numpy.f2py), or for builds (numpy-config).
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
            found.append((name, ""))  # its module is not known
    return found


def _lines(info, name):
    found = []
    for line in read(os.path.join(info, name)).decode("utf-8", "replace").splitlines():
        if not line.strip(PLAIN + " \t,=:[]()/\\;#+~"):
            found.append(str(line.strip()))
    return found
