"""What shells use of the home environment outside of projects: links to its programs, and its packages.

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
    """Make the links in `<data>/programs` those to the programs of the home environment, if there is one.

    Other files there stay. The directory gets the time of the programs' own, by which `safepip hook` sees whether
    there is anything to do; that of no environment is 1970.
    """
    if data is None:
        return
    links, programs = os.path.join(data, LINKS), os.path.join(data, HOME, BIN)
    try:
        make_folder(links)
        time = os.stat(programs).st_mtime_ns if os.path.isdir(programs) else 0
        _exchange(links, programs)
        _show_packages(data)
        os.utime(links, ns=(time, time))
    except OSError:
        return


def _exchange(links: str, programs: str) -> None:
    wanted = _wanted(programs)
    for name in os.listdir(links):
        link = os.path.join(links, name)
        if name not in wanted and os.path.islink(link) and os.path.dirname(os.readlink(link)) == programs:
            os.unlink(link)
    for name in wanted:
        link = os.path.join(links, name)
        if not os.path.lexists(link):
            os.symlink(os.path.join(programs, name), link)


def _show_packages(data: str) -> None:
    """Write a .pth file that leads to the home environment's packages, and then to those of the user site."""
    libraries = os.path.join(data, HOME, "lib")
    for name in names_in(libraries):
        parts = ("lib", name, "site-packages")
        packages = os.path.join(data, HOME, *parts)
        own = os.path.join(data, USER_BASE, *parts)
        if not name.startswith("python") or not os.path.isdir(packages):
            continue
        user = os.path.join(os.path.expanduser("~"), ".local", *parts)
        lines = [f"import site; site.addsitedir({folder!a})\n" for folder in (packages, user)]
        make_folder(own)
        replace_file(os.path.join(own, "safepip.pth"), "".join(lines).encode(), durable=False)


def _wanted(programs: str) -> set[str]:
    """Return the names of the programs that packages brought; those of the environment itself are not for all."""
    if not os.path.isdir(programs):
        return set()
    names = (name for name in os.listdir(programs) if not name.startswith(_NOT))
    return {name for name in names if is_program(os.path.join(programs, name))}
