"""Whether an environment is whole, by its own files: pip check looks at versions, not at files."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING

from .wheels import digest

if TYPE_CHECKING:
    from .world import World


_BROUGHT = frozenset(("pip", "setuptools", "pkg_resources", "_distutils_hack", "__pycache__"))


def site_of(environment: str) -> str:
    """Return the folder of what is installed in the environment."""
    library = os.path.join(environment, "lib")
    (python,) = (name for name in os.listdir(library) if name.startswith("python"))
    return os.path.join(library, python, "site-packages")


def faults(site: str) -> list[str]:
    """Return all that is wrong with what is installed."""
    infos = sorted(name for name in os.listdir(site) if name.endswith(".dist-info") and not name.startswith("~"))
    names = [info.removesuffix(".dist-info").rpartition("-")[0].lower() for info in infos]
    found = [f"twice: {name}" for name in sorted({name for name in names if names.count(name) > 1})]
    for info in infos:
        wanted = ("METADATA", "RECORD", "INSTALLER")
        missing = [name for name in wanted if not os.path.isfile(os.path.join(site, info, name))]
        found += [f"{info} lacks {name}" for name in missing]
        if "RECORD" not in missing:
            found += _unlike_record(site, info) or _unnamed(site, info)
    for folder, names, files in os.walk(site):
        found += [f"left aside: {os.path.join(folder, name)}" for name in (*names, *files) if name.startswith("~")]
    return found


def orphans(site: str) -> list[str]:
    """Return the files that no RECORD names: what is left of something that was killed before it had metadata."""
    named: set[str] = set()
    for info in (name for name in os.listdir(site) if name.endswith(".dist-info")):
        with open(os.path.join(site, info, "RECORD"), newline="", encoding="utf-8") as file:
            named.update(os.path.normpath(os.path.join(site, row[0])) for row in csv.reader(file) if row)
    there = (os.path.join(folder, name) for folder, _, files in os.walk(site) for name in files)
    return [
        f"orphan: {path}" for path in there if path not in named and "virtualenv" not in os.path.basename(path)
    ]


def _unlike_record(site: str, info: str) -> list[str]:
    found = []
    with open(os.path.join(site, info, "RECORD"), newline="", encoding="utf-8") as file:
        for path, recorded, _size in csv.reader(file):
            full = os.path.join(site, path)
            if not os.path.isfile(full):
                found.append(f"{info}: {path} is missing")
            elif recorded:
                with open(full, "rb") as content:
                    if recorded != f"sha256={digest(content.read())}":
                        found.append(f"{info}: {path} is another")
    return found


def _unnamed(site: str, info: str) -> list[str]:
    """Return a fault if RECORD does not name the metadata beside it: it is empty, or was cut off."""
    with open(os.path.join(site, info, "RECORD"), newline="", encoding="utf-8") as file:
        names = {row[0] for row in csv.reader(file) if row}
    return [] if f"{info}/METADATA" in names else [f"{info}: RECORD is not whole"]


def unimportable(world: World, environment: str) -> list[str]:
    """Return what goes wrong on importing all modules that are installed, but those of the environment itself."""
    site = site_of(environment)
    names = []
    for folder, folders, files in os.walk(site):
        folders[:] = [name for name in folders if name not in _BROUGHT and "." not in name]
        inside = os.path.relpath(folder, site).replace(os.sep, ".")
        prefix = "" if inside == "." else f"{inside}."
        names += [prefix + name[:-3] for name in files if name.endswith(".py") and not name.startswith("_virtual")]
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    python = os.path.join(environment, "bin", "python")
    ran = world.run([python, "-I", "-c", code, *(name.removesuffix(".__init__") for name in names)], world.home)
    return [] if ran.code == 0 else [f"not importable: {ran.last}"]
