"""Sequences of changes by chance, undone step by step: each earlier freeze comes back, and each file of --save."""

from __future__ import annotations

import json
import os
import random

from sandbox import make_wheel, write_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbox import Sandbox

_PLAIN = ("alpha", "beta", "gamma", "delta", "extra[more]", *(f"many{number}" for number in range(6)))
_PINNED = ("alpha==1.0", "alpha==2.0", "alpha<2", "beta==1.0", "beta==2.0", "omega==0.9", "omega==1.0.post1")
_LIST = b"# by hand\r\nalpha<2  # why\r\n\r\nomega; python_version > '3'\r\n# end"
_SAVE = "--save=list.txt"
_MOST = 40  # lines that are tried until enough of them changed something


def furnish(wheels: str) -> None:
    """Add to the wheels what makes upgrades and downgrades take others with them."""
    make_wheel(wheels, "beta", "2.0", requires=["alpha>=2"], commands=["beta"])
    for version in ("0.9", "1.0", "1.0.post1"):
        make_wheel(wheels, "omega", version, requires=["many5"], commands=["omega", f"omega{version[0]}"])


def faults(box: Sandbox, seed: int, changes: int) -> list[str]:
    """Change the project's environment so often, undo all of it, and return where a freeze was not the earlier one.

    After that the last state is asked for by its id, and some state in between after it.
    """
    chance = random.Random(seed)
    write_source(os.path.join(box.project, "lib"), "library")
    box.write("list.txt", _LIST)
    lines, frozen = _changed(box, chance, changes)
    found = [] if len(frozen) > changes else [f"only {len(frozen) - 1} of the lines changed anything"]
    ids = [one["id"] for one in json.loads(box.run("history", "--json").text)]
    for number in range(len(frozen) - 2, -1, -1):
        found += _unlike(box, ("undo",), frozen[number])
    some = chance.randrange(1, len(frozen))
    for number in (len(frozen) - 1, some):
        found += _unlike(box, ("undo", "--to", ids[number]), frozen[number])
    return [f"{one}\n  after {lines}" for one in found]


def _changed(box: Sandbox, chance: random.Random, changes: int) -> tuple[list[str], list[str]]:
    """Run lines until so many of them changed something; return them, and each freeze, the first of the bare one."""
    assert box.run("env", "create").code == 0
    assert box.run("install", "alpha==1.0").code == 0  # so that the state before has an id, too
    lines, frozen = ["install alpha==1.0"], [state(box)]
    while len(frozen) <= changes and len(lines) < _MOST:
        line = _line(chance, frozen[-1], box)
        ran = box.run(*line)
        lines.append(" ".join(line) + (f" ({ran.code})" if ran.code else ""))
        now = state(box)
        if now != frozen[-1]:
            frozen.append(now)
    return lines, frozen


def _line(chance: random.Random, frozen: str, box: Sandbox) -> tuple[str, ...]:
    """Return some line; what it removes is installed."""
    installed = [line.partition("=")[0].partition(" ")[0] for line in frozen.splitlines()]
    there = sorted(name for name in installed if name.isalnum() and name not in {"pip", "list"})
    kind = chance.choice(("install", "install", "upgrade", "upgrade all", "uninstall", "save", "save", "other"))
    if kind == "uninstall" and there:
        saved = chance.choice(((), (_SAVE,)))
        return (*saved, "uninstall", "-y", *chance.sample(there, min(len(there), chance.randint(1, 3))))
    if kind == "upgrade all":
        return ("upgrade", *chance.sample(there, chance.randint(0, min(len(there), 1))))
    if kind == "save":
        return (_SAVE, "install", *chance.sample((*_PLAIN, *_PINNED), chance.randint(1, 3)))
    if kind == "upgrade":
        return ("install", "-U", *chance.sample(_PLAIN, chance.randint(1, 2)))
    if kind == "other":
        return _other(chance, box)
    return ("install", *chance.sample((*_PLAIN, *_PINNED), chance.randint(1, 3)))


def _other(chance: random.Random, box: Sandbox) -> tuple[str, ...]:
    """Return an install that is not by name from the index."""
    wheels = box.variables["PIP_FIND_LINKS"]
    written = box.write("requirements.txt", "\n".join(chance.sample(_PLAIN, 3)) + "\n")
    return chance.choice(
        (
            ("install", "-e", "lib"),
            (_SAVE, "install", "-e", "lib"),
            ("install", "./lib"),
            ("install", "-r", written),
            ("install", "--no-deps", "beta==1.0"),
            ("install", "--force-reinstall", "--no-deps", "alpha==2.0"),
            ("install", os.path.join(wheels, "omega-1.0-py3-none-any.whl")),
            ("install", "library @ file://" + os.path.join(box.project, "lib")),
        )
    )


def _unlike(box: Sandbox, line: tuple[str, ...], wanted: str) -> list[str]:
    ran, now = box.run(*line), state(box)
    if ran.code == 0 and now == wanted:
        return []
    told = os.fsdecode(ran.err).strip()
    return [f"{' '.join(line)} ended with {ran.code} {told}: wanted {wanted.split()}, there is {now.split()}"]


def state(box: Sandbox) -> str:
    """Return what pip says is installed, and the content of the file that --save edits."""
    with open(os.path.join(box.project, "list.txt"), "rb") as file:
        return freeze(box) + "".join(f"list.txt: {line!r}\n" for line in file.read().splitlines(keepends=True))


def freeze(box: Sandbox) -> str:
    """Return what pip says is installed, itself included."""
    ran = box.run("freeze", "--all")
    assert ran.code == 0, ran.err
    return ran.text
