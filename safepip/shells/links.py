"""Links to the home environment's programs and packages, for shells.

`init` puts the links last on PATH. A Python that is typed outside of projects gets `<data>/python` as
PYTHONUSERBASE, and so sees the home environment's packages as it would those of `pip install --user`: before the
system's packages, which stay visible. The environment's own Python would hide what apt installed (RPi.GPIO, gi).
"""

from __future__ import annotations

import os

from safepip.core.world import BIN
from safepip.system.environment import names_in
from safepip.system.files import make_folder, replace_file
from safepip.system.interpreter import is_program

from .activation import HOME, LINKS, USER_BASE

_NOT = ("python", "pip", "activate", "deactivate", "Activate", "pydoc", ".")


def refresh(data: str | None) -> None:
    """Link the programs of the home environment, if one exists, in `<data>/programs`."""
    if data is None:
        return
    links, programs = os.path.join(data, LINKS), os.path.join(data, HOME, BIN)
    time = 0
    try:
        make_folder(links)
        if os.path.isdir(programs):
            time = os.stat(programs).st_mtime_ns
        _exchange(links, programs)
        _show_packages(data)
        os.utime(links, ns=(time, time))  # by equal times `safepip hook` sees that nothing changed
    except OSError:
        return


def _exchange(links: str, programs: str) -> None:
    wanted = set()
    for name in names_in(programs):
        if is_program(os.path.join(programs, name)) and not name.startswith(_NOT):
            wanted.add(name)
    for name in set(os.listdir(links)) - wanted:
        link = os.path.join(links, name)
        if os.path.islink(link) and os.path.dirname(os.readlink(link)) == programs:  # others are the user's
            os.unlink(link)
    for name in wanted:
        link = os.path.join(links, name)
        # A file of this name is the user's, and stays.
        if not os.path.lexists(link):
            os.symlink(os.path.join(programs, name), link)


def _show_packages(data: str) -> None:
    libraries = os.path.join(data, HOME, "lib")
    for name in names_in(libraries):
        parts = ("lib", name, "site-packages")
        packages = os.path.join(data, HOME, *parts)
        own = os.path.join(data, USER_BASE, *parts)
        if not name.startswith("python") or not os.path.isdir(packages):
            continue
        # PYTHONUSERBASE hides the user's own site, so the file names that as well.
        user = os.path.join(os.path.expanduser("~"), ".local", *parts)
        lines = map("import site; site.addsitedir({!a})\n".format, (packages, user))
        make_folder(own)
        replace_file(os.path.join(own, "safepip.pth"), "".join(lines).encode(), durable=False)
