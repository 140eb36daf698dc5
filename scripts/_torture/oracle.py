"""Check an environment by its own files: `pip check` looks at versions, not at files."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING

from .wheels import digest

if TYPE_CHECKING:
    from .world import World

# What an environment is made with, and what imports differently outside its own program.
_NOT_IMPORTED = frozenset(("pip", "setuptools", "pkg_resources", "_distutils_hack", "__pycache__"))


def site_of(environment: str) -> str:
    """Return the directory of the packages that are installed in the environment."""
    library = os.path.join(environment, "lib")
    (python,) = (name for name in os.listdir(library) if name.startswith("python"))
    return os.path.join(library, python, "site-packages")


def faults(site: str) -> list[str]:
    """Return everything that is wrong with the installed packages."""
    # A name that begins with "~" is what pip moved aside; it is reported below.
    infos = [info for info in _metadata_directories(site) if not info.startswith("~")]
    names = [info.removesuffix(".dist-info").rpartition("-")[0].lower() for info in infos]
    found = [f"twice: {name}" for name in sorted({name for name in names if names.count(name) > 1})]
    for info in infos:
        found += _faults_of_one(site, info)
    for folder, directories, files in os.walk(site):
        aside = [name for name in (*directories, *files) if name.startswith("~")]
        found += [f"left aside: {os.path.join(folder, name)}" for name in aside]
    return found


def orphans(site: str) -> list[str]:
    """Return the files that no RECORD names: what is left of a package killed before it had metadata."""
    named: set[str] = set()
    for info in _metadata_directories(site):
        named.update(os.path.normpath(os.path.join(site, path)) for path, _ in _record(site, info))
    found = []
    for folder, _, files in os.walk(site):
        # virtualenv's own files have no RECORD.
        unnamed = [name for name in files if os.path.join(folder, name) not in named]
        found += [f"orphan: {os.path.join(folder, name)}" for name in unnamed if "virtualenv" not in name]
    return found


def _metadata_directories(site: str) -> list[str]:
    return sorted(name for name in os.listdir(site) if name.endswith(".dist-info"))


def _record(site: str, info: str) -> list[tuple[str, str]]:
    """Return path and hash of each row of a RECORD."""
    with open(os.path.join(site, info, "RECORD"), newline="", encoding="utf-8") as file:
        return [(row[0], row[1]) for row in csv.reader(file) if row]


def _faults_of_one(site: str, info: str) -> list[str]:
    wanted = ("METADATA", "RECORD", "INSTALLER")
    missing = [name for name in wanted if not os.path.isfile(os.path.join(site, info, name))]
    found = [f"{info} lacks {name}" for name in missing]
    if "RECORD" in missing:
        return found
    rows = _record(site, info)
    for path, recorded in rows:
        full = os.path.join(site, path)
        if not os.path.isfile(full):
            found.append(f"{info}: {path} is missing")
        elif recorded and recorded != _hash(full):
            found.append(f"{info}: {path} is another")
    # RECORD names the metadata beside it, unless it is empty or was cut off.
    if not found and f"{info}/METADATA" not in dict(rows):
        found.append(f"{info}: RECORD is not whole")
    return found


def _hash(path: str) -> str:
    with open(path, "rb") as file:
        return f"sha256={digest(file.read())}"


def unimportable(world: World, environment: str) -> list[str]:
    """Return what goes wrong on importing all installed modules, except those of the environment itself."""
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    python = os.path.join(environment, "bin", "python")
    ran = world.run([python, "-I", "-c", code, *_modules(site_of(environment))], world.home)
    if ran.code == 0:
        return []
    return [f"not importable: {ran.last}"]


def _modules(site: str) -> list[str]:
    names = []
    for folder, directories, files in os.walk(site):
        directories[:] = [name for name in directories if name not in _NOT_IMPORTED and "." not in name]
        sources = [name for name in files if name.endswith(".py") and not name.startswith("_virtual")]
        for name in sources:
            path = os.path.relpath(os.path.join(folder, name), site)
            module = path.removesuffix(".py").removesuffix("/__init__")
            names.append(module.replace(os.sep, "."))
    return names
