"""Commands under strace: killed with all that they started at a counted change, or slowed down where they change.

Counted, and not timed: so a kill lands where it should on a loaded machine too. Each change (but for opening a
file, which is too frequent) is held for a moment when it is done, so that it is the last one.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .world import World

CHANGES = (
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,chmod,fchmodat"
)
HELD = 2000  # microseconds
_CALL = re.compile(r"(?:\d+ +)?(\w+)\(")
_MADE_UP = re.compile(r"\b[0-9a-f]{8,}|\d+|(?<=/)tmp[^/]+|~[^/]*")
_PATHS = re.compile(r'"((?:[^"\\]|\\.)*)"')


def slowed(world: World, argv: Sequence[str], delay: int) -> list[str]:
    """Return the command with each renaming and removal in it delayed by `delay` microseconds."""
    calls = "rename,renameat,renameat2,unlink,unlinkat"
    options = ["-f", "--seccomp-bpf", "-qq", "-e", f"trace={calls}", "-e", "signal=none"]
    return [str(world.strace), *options, "-e", f"inject={calls}:delay_enter={delay}", "-o", os.devnull, *argv]


def kill_when(
    world: World,
    argv: Sequence[str],
    cwd: str,
    decides: Callable[[str], bool],
    env: Mapping[str, str | None] | None = None,
) -> int:
    """Run the command; kill its whole process group as soon as `decides` says so of a change; return its code."""
    with tempfile.TemporaryDirectory(dir=world.scratch) as folder:
        pipe = os.path.join(folder, "lines")
        os.mkfifo(pipe)
        traced = [str(world.strace), "-f", "--seccomp-bpf", "-qq", "-s", "4096", "-e", f"trace={CHANGES},openat"]
        traced += ["-e", "signal=none", "-e", f"inject={CHANGES}:delay_exit={HELD}", "-o", pipe, *argv]
        null = subprocess.DEVNULL
        variables = world.environ(env)
        process = subprocess.Popen(
            traced, cwd=cwd, env=variables, stdin=null, stdout=null, stderr=null, start_new_session=True
        )
        with open(pipe, errors="replace") as lines:
            for line in lines:
                if is_change(line, world.scratch) and decides(line):
                    os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def changes_of(
    world: World, argv: Sequence[str], cwd: str, env: Mapping[str, str | None] | None = None
) -> list[str]:
    """Run the command to its end; return strace's lines of all that it changed."""
    found: list[str] = []

    def note(line: str) -> bool:
        found.append(line)
        return False

    code = kill_when(world, argv, cwd, note, env)
    if code != 0:
        raise RuntimeError(f"{argv} ended with {code} without being killed")
    return found


def is_change(line: str, below: str) -> bool:
    """Return True if a line of strace's is a call that changed something below the folder."""
    if " = -1 " in line or f"{below}/" not in line:
        return False
    return "openat" not in line or "O_CREAT" in line


def site_of_call(line: str, below: str) -> str:
    """Return what names the call site: the call, and the folder and kind of what it is about.

    Names that are made up each time lose what is made up; pip's own many folders count as one.
    """
    called = _CALL.match(line)
    paths = [_likened(path.removeprefix(below)) for path in _PATHS.findall(line)]
    return " ".join([called.group(1) if called else "?", *paths])


def _likened(path: str) -> str:
    if path.startswith("/tmp/"):  # noqa: S108  the world's own
        return "tmp/#"
    folder, name = os.path.split(path)
    stem, kind = os.path.splitext(name)
    kind = f"*{kind}" if kind[1:].isalpha() else _MADE_UP.sub("#", stem)
    kind = "*.pyc" if ".pyc" in name else kind  # those in the making have a number behind
    _, installed, below = path.partition("site-packages/")
    if not installed:
        _, installed, below = path.partition("/site/")  # of the image
    if installed and "/" in below:
        first, _, deeper = below.partition("/")
        return f"{first}/{'**/*' if '/' in deeper and '.' not in kind else kind}"
    return _MADE_UP.sub("#", f"{folder}/{kind}")


def at_count(count: int) -> Callable[[str], bool]:
    """Return what decides for the count-th change, from 1."""
    seen = iter(range(1, count))
    return lambda _line: next(seen, None) is None


def at_site(site: str, occurrence: int, below: str) -> Callable[[str], bool]:
    """Return what decides for the occurrence-th change of that call site, from 1."""
    reached = at_count(occurrence)
    return lambda line: site_of_call(line, below) == site and reached(line)


def first_and_last(lines: Sequence[str], below: str) -> Iterator[tuple[str, int]]:
    """Yield each distinct call site with the number of its first and of its last occurrence."""
    counted: dict[str, int] = {}
    for line in lines:
        site = site_of_call(line, below)
        counted[site] = counted.get(site, 0) + 1
    for site, count in counted.items():
        yield from ((site, occurrence) for occurrence in sorted({1, count}))
