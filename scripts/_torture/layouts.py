"""Hostile layouts, which must fire no canary, and honest ones, which must be accepted: two users, so as root only.

A canary is a file that planted code makes: a Python that is a script, a .pth file, a module in the working folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .result import Result

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from .result import Experiment
    from .world import Ran, World

ALICE, MALLORY, OTHER = (
    20_002,
    20_001,
    20_003,
)  # users that need no account: the one tortured, the one who plants, any
_NEEDED = ("safepip", "pip", "virtualenv", "filelock", "platformdirs", "distlib", "python_discovery", "packaging")
_COMMANDS = (
    ["list"], ["--version"], ["install", "pack"], ["freeze"], ["run", "python", "-c", "0"],
    ["explain", "install", "x"], ["env", "list"], ["doctor"], ["uninstall", "-y", "pack"],
)  # fmt: skip
_SHADOWS = (
    "pip",
    "re",
    "json",
    "os",
    "runpy",
    "logging",
    "subprocess",
    "venv",
    "virtualenv",
    "sitecustomize",
    "runner",
)


class Layout(NamedTuple):
    """Where a command is typed, and with which variables."""

    cwd: str
    env: dict[str, str | None] = {}  # noqa: RUF012  never changed in place


class Ground:
    """A folder of its own for one layout: `shared`, where everybody may write, `hers` and `mallorys`."""

    def __init__(self, world: World) -> None:
        self.root = tempfile.mkdtemp(prefix="ground-", dir=world.scratch)
        os.chmod(self.root, 0o755)
        self.canary = os.path.join(self.folder("canaries", MALLORY, 0o1777), "fired")
        self.home = self.folder("home", ALICE, 0o755)
        self.shared = self.folder("shared", 0, 0o1777)
        self.hers = self.folder("shared/hers", ALICE, 0o755)
        self.mallorys = self.folder("shared/mallorys", MALLORY, 0o755)

    def folder(self, name: str, owner: int, mode: int = 0o755) -> str:
        """Make a folder."""
        path = os.path.join(self.root, name)
        os.makedirs(path, exist_ok=True)
        os.chown(path, owner, owner)
        os.chmod(path, mode)
        return path

    def file(self, path: str, text: str, owner: int, mode: int = 0o644) -> str:
        """Write a file and the folders that it needs."""
        missing = os.path.dirname(path)
        while not os.path.isdir(missing):
            missing = os.path.dirname(missing)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        os.chown(path, owner, owner)
        at = os.path.dirname(path)
        while at != missing:
            os.chown(at, owner, owner)
            at = os.path.dirname(at)
        return path

    def link(self, target: str, path: str, owner: int) -> None:
        """Make a link."""
        os.symlink(target, path)
        os.lchown(path, owner, owner)

    @property
    def script(self) -> str:
        """Return a program that fires the canary."""
        return f"#!/bin/sh\n: >{self.canary}\n"

    def environment(self, path: str, owner: int, *, planted: str = "pth", says: str | None = None) -> str:
        """Make an environment by hand that claims to be made at `says`; in it lies planted code, if any."""
        says = path if says is None else says
        command = f"command = /usr/bin/python3 -m venv {says}\n" if says else ""
        text = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {_version()}\n{command}"
        self.file(os.path.join(path, "pyvenv.cfg"), text, owner)
        if says:
            self.file(os.path.join(path, "bin/activate"), f"VIRTUAL_ENV={says}\nexport VIRTUAL_ENV\n", owner)
        site = os.path.join(path, f"lib/python{_minor()}/site-packages")
        code = f"import os; open({self.canary!r}, 'w').close()\n"
        self.file(os.path.join(site, "x.pth"), code if planted == "pth" else "\n", owner)
        self.file(os.path.join(path, "bin/python"), self.script, owner, 0o755)
        if planted != "script":
            os.unlink(os.path.join(path, "bin/python"))
            self.link("/usr/bin/python3", os.path.join(path, "bin/python"), owner)
        return path


def _version() -> str:
    code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    return subprocess.run(
        ["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def _minor() -> str:
    return _version().rpartition(".")[0]


# -- what another user has planted


def _above(ground: Ground, planted: str) -> Layout:
    ground.environment(f"{ground.shared}/.venv", MALLORY, planted=planted)
    return Layout(ground.folder("shared/hers/project", ALICE))


def _beside(ground: Ground, name: str) -> Layout:
    ground.environment(f"{ground.hers}/{name}", MALLORY)
    return Layout(ground.hers)


def _linked(ground: Ground, target: str) -> Layout:
    ground.environment(f"{ground.mallorys}/env", MALLORY, says=f"{ground.hers}/.venv")
    ground.link(target.format(mallorys=ground.mallorys), f"{ground.hers}/.venv", MALLORY)
    return Layout(ground.hers)


def _her_link(ground: Ground) -> Layout:
    ground.environment(f"{ground.mallorys}/env", MALLORY)
    ground.link(f"{ground.mallorys}/env", f"{ground.hers}/.venv", ALICE)
    return Layout(ground.hers)


def _his_project(ground: Ground, below: str) -> Layout:
    ground.environment(f"{ground.mallorys}/.venv", MALLORY)
    ground.file(f"{ground.mallorys}/pyproject.toml", "", MALLORY)
    return Layout(ground.folder(f"shared/mallorys{below}", ALICE if below else MALLORY))


def _redirected(ground: Ground, owner: int) -> Layout:
    ground.environment(f"{ground.mallorys}/env", MALLORY)
    ground.file(f"{ground.hers}/.venv", f"{ground.mallorys}/env\n", owner)
    return Layout(ground.hers)


def _one_part(ground: Ground, part: str) -> Layout:
    place = ground.environment(f"{ground.hers}/.venv", ALICE)
    for folder, names, files in os.walk(os.path.join(place, part)):
        for name in (".", *names, *files):
            os.lchown(os.path.join(folder, name), MALLORY, MALLORY)
    os.lchown(os.path.join(place, part), MALLORY, MALLORY)
    return Layout(ground.hers)


def _his_python(ground: Ground) -> Layout:
    place = ground.environment(f"{ground.hers}/.venv", ALICE, planted="nothing")
    python = ground.file(f"{ground.mallorys}/bin/python3", ground.script, MALLORY, 0o755)
    os.unlink(f"{place}/bin/python")
    ground.link(python, f"{place}/bin/python", ALICE)
    return Layout(ground.hers)


def _open(ground: Ground, part: str, mode: int) -> Layout:
    ground.environment(f"{ground.hers}/.venv", ALICE)
    os.chmod(os.path.join(ground.hers, part), mode)
    return Layout(ground.hers)


def _his_settings(ground: Ground, text: str) -> Layout:
    python = ground.file(f"{ground.shared}/evil/bin/python3", ground.script, MALLORY, 0o755)
    ground.environment(f"{ground.shared}/evil/env", MALLORY, planted="script")
    ground.file(f"{ground.shared}/pyproject.toml", text.format(python=python, shared=ground.shared), MALLORY)
    return Layout(ground.folder("shared/hers/project", ALICE))


def _his_notes(ground: Ground, name: str, text: str) -> Layout:
    ground.environment(f"{ground.shared}/evil", MALLORY, planted="script")
    ground.file(f"{ground.hers}/{name}", text.format(shared=ground.shared), MALLORY)
    return Layout(ground.hers)


def _on_path(ground: Ground, search: str) -> Layout:
    for name in ("python3", "python", "pip", "pipx", "git"):
        ground.file(f"{ground.mallorys}/{name}", ground.script, MALLORY, 0o755)
    return Layout(ground.mallorys, {"PATH": search})


def _repository(ground: Ground) -> Layout:
    ground.folder("shared/.git", MALLORY)
    ground.file(f"{ground.shared}/.git/config", f"[core]\n\tfsmonitor = {ground.canary}.sh\n", MALLORY)
    ground.file(f"{ground.canary}.sh", ground.script, MALLORY, 0o755)
    ground.environment(f"{ground.shared}/.venv", MALLORY)
    return Layout(ground.folder("shared/hers/project", ALICE))


def _begun(ground: Ground, owner: int) -> Layout:
    """Plant the mark of an unfinished environment."""
    place = ground.environment(f"{ground.hers}/.venv", owner, says="/somewhere/else")
    ground.file(f"{place}/.safepip/creating", "0" * 32, owner)
    ground.file(f"{place}/theirs", "", owner)
    return Layout(ground.hers)


def _no_account(ground: Ground) -> Layout:
    ground.environment(f"{ground.shared}/venv", MALLORY)
    return Layout(ground.folder("shared/new", ALICE), {"HOME": "/nonexistent"})


FOREIGN: dict[str, Callable[[Ground], Layout]] = {
    "an environment above, its Python a script": lambda ground: _above(ground, "script"),
    "an environment above, code in a .pth": lambda ground: _above(ground, "pth"),
    "an environment beside": lambda ground: _beside(ground, ".venv"),
    "an environment called venv": lambda ground: _beside(ground, "venv"),
    "a link of his to his environment": lambda ground: _linked(ground, "{mallorys}/env"),
    "a link of his to the system": lambda ground: _linked(ground, "/usr"),
    "her link to his environment": _her_link,
    "his project": lambda ground: _his_project(ground, ""),
    "her folder in his project": lambda ground: _his_project(ground, "/a/b"),
    "his redirect file": lambda ground: _redirected(ground, MALLORY),
    "a redirect file to his environment": lambda ground: _redirected(ground, ALICE),
    "his pyvenv.cfg": lambda ground: _one_part(ground, "pyvenv.cfg"),
    "his bin": lambda ground: _one_part(ground, "bin"),
    "his Python": _his_python,
    "open to all": lambda ground: _open(ground, ".venv", 0o777),
    "bin open to all": lambda ground: _open(ground, ".venv/bin", 0o777),
    "pyvenv.cfg open to all": lambda ground: _open(ground, ".venv/pyvenv.cfg", 0o666),
    "a folder where all can replace it": lambda ground: _open(ground, "", 0o777),
    "his setting python": lambda ground: _his_settings(ground, '[tool.safepip]\npython = "{python}"\n'),
    "his setting env-dir": lambda ground: _his_settings(ground, '[tool.safepip]\nenv-dir = "{shared}/evil/env"\n'),
    "his settings of all kinds": lambda ground: _his_settings(
        ground,
        '[tool.safepip]\ntrust = ["{shared}/evil/env"]\nunmanaged = ["/usr/bin/python3"]\nscope = "managed"\n',
    ),
    "his .pdm-python": lambda ground: _his_notes(ground, ".pdm-python", "{shared}/evil/bin/python\n"),
    "his poetry.toml": lambda ground: _his_notes(ground, "poetry.toml", '[virtualenvs]\npath = "{shared}/evil"\n'),
    "his working directory on PATH": lambda ground: _on_path(ground, ".::/usr/bin:/bin"),
    "his repository above": _repository,
    "his mark of a creation": lambda ground: _begun(ground, MALLORY),
    "no home, and an environment above": _no_account,
}


# -- what came with a repository or an archive: it is all her own


def _brought(ground: Ground, planted: str, says: str | None) -> Layout:
    ground.environment(f"{ground.hers}/.venv", ALICE, planted=planted, says=says)
    return Layout(ground.hers)


def _tracked(ground: Ground) -> Layout:
    ground.environment(f"{ground.hers}/.venv", ALICE)
    for words in (["init", "-q"], ["add", "-Af", "."]):
        git = ["git", "-c", "safe.directory=*", *words]
        subprocess.run(git, cwd=ground.hers, check=True, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"})
    subprocess.run(["chown", "-R", f"{ALICE}:{ALICE}", f"{ground.hers}/.git"], check=True)
    return Layout(ground.hers)


def _python_inside(ground: Ground, home: str) -> Layout:
    place = ground.environment(f"{ground.hers}/.venv", ALICE, planted="nothing")
    python = ground.file(f"{ground.hers}/tools/bin/python3", ground.script, ALICE, 0o755)
    if home:
        command = f"command = x -m venv {place}\n"
        ground.file(f"{place}/pyvenv.cfg", f"home = {ground.hers}/{home}\n{command}", ALICE)
        site = f"{ground.hers}/tools/lib/python{_minor()}"
        ground.file(f"{site}/site.py", f"open({ground.canary!r}, 'w')\n", ALICE)
        ground.file(f"{site}/os.py", f"open({ground.canary!r}, 'w')\n", ALICE)
    else:
        os.unlink(f"{place}/bin/python")
        ground.link(python, f"{place}/bin/python", ALICE)
    return Layout(ground.hers)


def _within(ground: Ground, name: str, text: str) -> Layout:
    ground.environment(f"{ground.hers}/evil", ALICE, planted="script", says="/somewhere/else")
    if text.startswith("->"):
        ground.link("evil", f"{ground.hers}/{name}", ALICE)
    else:
        ground.file(f"{ground.hers}/{name}", text, ALICE)
    return Layout(ground.hers)


def _conda(ground: Ground) -> Layout:
    ground.file(f"{ground.hers}/.venv/conda-meta/history", "", ALICE)
    ground.file(f"{ground.hers}/.venv/bin/python", ground.script, ALICE, 0o755)
    return Layout(ground.hers)


def _records_of_ours(ground: Ground) -> Layout:
    """Plant all that safepip itself leaves in an environment."""
    place = ground.environment(f"{ground.hers}/.venv", ALICE, says="/somewhere/else")
    ground.file(f"{place}/.safepip/id", "0" * 32, ALICE)
    ground.file(f"{place}/.safepip/shell-{'0' * 32}", "", ALICE)
    row = "d\t../../evil-1.dist-info\t1\t1\t./evil"
    ground.file(f"{place}/.safepip/journal", f"safepip-journal-1\t1\t1\t1\th\t\tinstall evil\t/\t\n{row}", ALICE)
    return Layout(ground.hers)


BROUGHT: dict[str, Callable[[Ground], Layout]] = {
    "a Python that is a script": lambda ground: _brought(ground, "script", None),
    "a .pth, and a location that is another": lambda ground: _brought(ground, "pth", "/somewhere/else/.venv"),
    "a .pth, and no location": lambda ground: _brought(ground, "pth", ""),
    "a .pth, and git tracks it": _tracked,
    "a location that is right for every process": lambda ground: _brought(ground, "pth", "/proc/self/cwd/.venv"),
    "a Python in the project": lambda ground: _python_inside(ground, ""),
    "a standard library in the project": lambda ground: _python_inside(ground, "tools/bin"),
    "a link within the project": lambda ground: _within(ground, ".venv", "->"),
    "a redirect file within the project": lambda ground: _within(ground, ".venv", "./evil\n"),
    "the setting env-dir": lambda ground: _within(ground, "pyproject.toml", '[tool.safepip]\nenv-dir = "evil"\n'),
    "a .pdm-python": lambda ground: _within(ground, ".pdm-python", "evil/bin/python\n"),
    "a path in hatch.toml": lambda ground: _within(ground, "hatch.toml", '[envs.default]\npath = "evil"\n'),
    "poetry's place": lambda ground: _within(ground, "poetry.toml", '[virtualenvs]\npath = "evil"\n'),
    "a conda environment": _conda,
    "records as of safepip's": _records_of_ours,
    "a mark of a creation": lambda ground: _begun(ground, ALICE),
}


def all_shadowed(ground: Ground) -> Layout:
    """Lay out all modules at once."""
    for name in _SHADOWS:
        _shadowed(ground, name)
    return Layout(ground.hers)


def _shadowed(ground: Ground, name: str) -> Layout:
    code = f"open({ground.canary!r}, 'w').close()\n"
    ground.file(f"{ground.hers}/{name}.py", code, ALICE)
    ground.file(f"{ground.hers}/{name}/__init__.py", code, ALICE)
    ground.file(f"{ground.hers}/{name}/__main__.py", code, ALICE)
    ground.file(f"{ground.hers}/pyproject.toml", "", ALICE)
    return Layout(ground.hers)


# -- what honest people have


def _honest(ground: Ground) -> Layout:
    ground.environment(f"{ground.hers}/.venv", ALICE, planted="nothing")
    return Layout(ground.hers)


def _group(ground: Ground) -> Layout:
    layout = _honest(ground)
    for folder, names, files in os.walk(ground.hers):
        for name in (".", *names, *files):
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o020)
    return layout


def _in_sticky(ground: Ground) -> Layout:
    ground.environment(f"{ground.shared}/hers/tmp/.venv", ALICE, planted="nothing")
    os.chmod(ground.folder("shared/hers/tmp", ALICE), 0o1777)
    return Layout(f"{ground.shared}/hers/tmp")


def _roots(ground: Ground) -> Layout:
    ground.environment(f"{ground.hers}/.venv", 0, planted="nothing")
    return Layout(ground.hers)


def _clusters_python(ground: Ground) -> Layout:
    """Lay out a Python of somebody else's that PATH gives, as Linuxbrew's and a cluster's are."""
    folder = ground.folder("cluster/bin", OTHER)
    python = os.path.join(folder, f"python{_minor()}")
    shutil.copy(os.path.realpath("/usr/bin/python3"), python)
    for name in ("python3", "python"):
        ground.link(os.path.basename(python), os.path.join(folder, name), OTHER)
    os.chown(python, OTHER, OTHER)
    place = ground.environment(f"{ground.hers}/.venv", ALICE, planted="nothing")
    os.unlink(f"{place}/bin/python")
    ground.link(python, f"{place}/bin/python", ALICE)
    return Layout(ground.hers, {"PATH": f"/usr/bin:/bin:{folder}"})


def _activated(ground: Ground) -> Layout:
    place = ground.environment(f"{ground.root}/group/env", OTHER, planted="nothing")
    return Layout(ground.hers, {"PATH": f"{place}/bin:/usr/bin:/bin", "VIRTUAL_ENV": place})


def _trusted_by_name(ground: Ground) -> Layout:
    place = ground.environment(f"{ground.root}/group/env", OTHER, planted="nothing")
    return Layout(ground.hers, {"SAFEPIP_ENV": place})


def _with_foreign_above(ground: Ground) -> Layout:
    """Lay out what another user has above: it denies nothing below."""
    ground.environment(f"{ground.shared}/.venv", MALLORY)
    return _honest(ground)


HONEST: dict[str, Callable[[Ground], Layout]] = {
    "her own": _honest,
    "umask 002": _group,
    "in a sticky folder": _in_sticky,
    "made by root": _roots,
    "a cluster's Python, by PATH": _clusters_python,
    "a shared one, activated": _activated,
    "a shared one, named": _trusted_by_name,
    "another user's above": _with_foreign_above,
}


# -- the experiments


def planted(world: World, _rounds: int, _rng: random.Random) -> Result:
    """Type every command in every layout that another user has planted something in."""
    return counted("layouts-foreign", FOREIGN, world, _commands(world))


def brought(world: World, _rounds: int, _rng: random.Random) -> Result:
    """Type every command in every layout that a repository or an archive could bring."""
    return counted("layouts-brought", BROUGHT, world, _commands(world))


def shadowed(world: World, _rounds: int, _rng: random.Random) -> Result:
    """Type every command where modules lie in the working directory that a process could import instead."""
    layouts = {name: partial(_shadowed, name=name) for name in _SHADOWS}
    return counted("layouts-modules", layouts, world, _commands(world))


def _commands(world: World) -> tuple[list[str], ...]:
    return _COMMANDS[:3] if world.quick else _COMMANDS


def honest(world: World, _rounds: int, _rng: random.Random) -> Result:
    """List and install where an honest user may."""
    if not world.root:
        return Result("layouts-honest", skipped="takes root, to be several users")
    notes, tried = [], 0
    for name, lay_out in HONEST.items():
        layout = lay_out(ground := Ground(world))
        for words in (["list"], ["install", "pack"])[: 1 if world.quick else 2]:
            ran = typed(world, ground, layout, words)
            shared = name.startswith(("a shared one", "made by root"))  # not hers to change, says pip
            tried += 1
            if "refused" in ran.err or (ran.code and not (shared and "Permission denied" in ran.err)):
                notes.append(f"{name}: {' '.join(words)}: {ran.last}")
    return Result("layouts-honest", tried, len(notes), notes, "commands")


def counted(
    title: str, layouts: Mapping[str, Callable[[Ground], Layout]], world: World, commands: Sequence[list[str]]
) -> Result:
    """Type the commands in each layout, and look whether a canary fired or something of the other user changed."""
    if not world.root:
        return Result(title, skipped="takes root, to be several users")
    notes, tried = [], 0
    for name, lay_out in layouts.items():
        layout = lay_out(ground := Ground(world))
        before = _foreign(ground)
        for words in commands:
            ran = typed(world, ground, layout, words)
            tried += 1
            if os.path.exists(ground.canary):
                notes.append(f"{name}: {' '.join(words)}: the canary")
                os.unlink(ground.canary)
            if "Traceback" in ran.err or ran.code in {70, -9}:
                notes.append(f"{name}: {' '.join(words)}: {ran.last}")
        if _foreign(ground) != before:
            notes.append(f"{name}: files of the other user have changed")
        shutil.rmtree(ground.root)
    return Result(title, tried, len(notes), notes, "commands")


def typed(world: World, ground: Ground, layout: Layout, words: list[str]) -> Ran:
    """Run a line of safepip's as the user who is tortured."""
    return world.run(_as_alice([_for_all(world), *words]), layout.cwd, _variables(world, ground, layout))


def _foreign(ground: Ground) -> list[tuple[str, int]]:
    """Return what belongs to the other user, and when it was written."""
    found = []
    for folder, names, files in os.walk(ground.root):
        for path in (os.path.join(folder, name) for name in (*names, *files)):
            status = os.lstat(path)
            if status.st_uid == MALLORY and "canaries" not in path:
                found.append((path, status.st_mtime_ns))
    return sorted(found)


def _as_alice(argv: list[str]) -> list[str]:
    return ["setpriv", f"--reuid={ALICE}", f"--regid={ALICE}", "--clear-groups", *argv]


def _variables(world: World, ground: Ground, layout: Layout) -> dict[str, str | None]:
    """Return her variables; all layouts share a cache, which has nothing of the project."""
    cache = world.folder("hers-cache")
    os.chown(cache, ALICE, ALICE)
    temporary = ground.folder("home/tmp", ALICE)
    return {"HOME": ground.home, "TMPDIR": temporary, "XDG_CACHE_HOME": cache, **layout.env}


def _for_all(world: World) -> str:
    """Return a safepip that every user may start: what the one under torture imports, on the system's Python."""
    folder = os.path.join(world.scratch, "for-all")
    program = os.path.join(folder, "safepip")
    if os.path.exists(program):
        return program
    with open(world.safepip, encoding="utf-8") as file:
        python = file.readline()[2:].strip()
    code = "import importlib as i, sys\nfor name in sys.argv[1:]: print(i.import_module(name).__path__[0])"
    asked = subprocess.run(
        [python or sys.executable, "-c", code, *_NEEDED], capture_output=True, text=True, check=True
    )
    for path in asked.stdout.split():
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(path, os.path.join(folder, "lib", os.path.basename(path)), ignore=skipped)
        _copy_metadata(path, os.path.join(folder, "lib"))
    with open(program, "w", encoding="utf-8") as file:
        file.write(f"#!/usr/bin/python3 -I\nimport sys\nsys.path.insert(0, {os.path.join(folder, 'lib')!r})\n")
        file.write("from safepip.cli import main\nsys.exit(main())\n")
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    os.chmod(program, 0o755)
    return program


def _copy_metadata(package: str, to: str) -> None:
    """Copy the metadata that lies beside a package: virtualenv finds its parts by entry points."""
    folder, name = os.path.split(package)
    for info in os.listdir(folder):
        if info.endswith(".dist-info") and info.lower().startswith(f"{name}-"):
            shutil.copytree(os.path.join(folder, info), os.path.join(to, info), dirs_exist_ok=True)


EXPERIMENTS: dict[str, Experiment] = {
    "layouts-foreign": planted, "layouts-brought": brought, "layouts-modules": shadowed, "layouts-honest": honest,
}  # fmt: skip
