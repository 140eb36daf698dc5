"""The folder of links to the home environment's programs, which `init` puts last on PATH."""

from __future__ import annotations

import os

from safepip.system.files import make_folder
from safepip.system.interpreter import BIN, is_program

LINKS = "programs"
HOME = "home"
_NOT = ("python", "pip", "activate", "deactivate", "Activate", "pydoc", ".")


def refresh(data: str | None) -> None:
    """Make the links in `<data>/programs` those to the programs of the home environment, if there is one.

    Other files there are let be. The folder gets the time of the programs' own, by which a shell sees
    without a process whether there is anything to do; that of no environment is 1970.
    """
    if data is None:
        return
    links, programs = os.path.join(data, LINKS), os.path.join(data, HOME, BIN)
    try:
        make_folder(links)
        time = os.stat(programs).st_mtime_ns if os.path.isdir(programs) else 0
        _exchange(links, programs)
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


def _wanted(programs: str) -> set[str]:
    """Return the names of the programs that packages brought; those of the environment itself are not for all."""
    if not os.path.isdir(programs):
        return set()
    names = (name for name in os.listdir(programs) if not name.startswith(_NOT))
    return {name for name in names if is_program(os.path.join(programs, name))}
