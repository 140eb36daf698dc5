"""EDGE  what earlier installs left outside environments: in the user's site, and in what a system manages."""

from __future__ import annotations

import os

from safepip.core.pip_line import normalised_name
from safepip.system.environment import names_in
from safepip.system.interpreter import EXE, is_program
from safepip.system.project_tools.detect import content

from .facts import Leftover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safepip.system.interpreter import Interpreter
    from safepip.system.observe import Ambient

_WITH_PYTHON = ("pip", "setuptools", "wheel")  # what ensurepip puts beside a Python
_INFO = (".dist-info", ".egg-info", ".egg-link")


def leftovers(ambient: Ambient, target: Interpreter | None, *, managed: bool) -> Iterator[Leftover]:
    """Yield what pip put outside environments: into the user's site, and into what a system manages."""
    minor = target.minor if target is not None else ""
    for folder, version in user_sites(ambient):
        names = _distributions(folder, ())
        if names:
            ours = target is not None and version == minor
            python = target.path if ours and target else _on_path(f"python{version}", ambient)
            yield Leftover(folder=folder, version=version, names=names, python=python, target=ours)
    if target is None or not managed:
        return
    for folder, anybodys in system_sites(target):
        names = _distributions(folder, () if anybodys else _WITH_PYTHON, by_pip=not anybodys)
        if names:
            writable = os.access(folder, os.W_OK)
            yield Leftover(
                folder=folder, version=minor, names=names, python=target.path, target=True, system=True,
                writable=writable,
            )  # fmt: skip


def user_sites(ambient: Ambient) -> Iterator[tuple[str, str]]:
    """Yield the folders of the user's site, each with the Python version that looks there."""
    base = ambient.environ.get("PYTHONUSERBASE") or (ambient.home and os.path.join(ambient.home, ".local"))
    for version in _versions(os.path.join(base, "lib")) if base else ():
        yield os.path.join(str(base), "lib", f"python{version}", "site-packages"), version
    native = os.path.join(ambient.home or os.sep, "Library", "Python")
    for version in sorted(names_in(native)) if ambient.platform == "darwin" else ():
        yield os.path.join(native, version, "lib", "python", "site-packages"), version


def _versions(folder: str) -> list[str]:
    names = (name[6:] for name in sorted(names_in(folder)) if name.startswith("python"))
    return [version for version in names if all(part.isdecimal() for part in version.split("."))]


def system_sites(target: Interpreter) -> Iterator[tuple[str, bool]]:
    """Yield the folders where pip puts what is for all, and whether nothing but pip writes there."""
    library = f"python{target.minor}"
    real = os.path.realpath(target.base_prefix)
    seen = set()
    if real == "/usr":
        for name in ("dist-packages", "site-packages"):
            yield os.path.join("/usr/local/lib", library, name), True
    for lib in ("lib", "lib64"):
        for folder in (os.path.join(library, "site-packages"), os.path.join("python3", "dist-packages")):
            path = os.path.realpath(os.path.join(target.base_prefix, lib, folder))
            if path not in seen:
                seen.add(path)
                yield path, False


def _distributions(folder: str, but: tuple[str, ...], *, by_pip: bool = False) -> tuple[str, ...]:
    """Return the normalised names of what is installed in the folder; with `by_pip` only what pip says it put."""
    found = set()
    for entry in sorted(names_in(folder)):
        if entry.endswith(_INFO) and not entry.startswith("~"):
            name = normalised_name(entry.rpartition(".")[0].partition("-")[0])
            mine = not by_pip or content(os.path.join(folder, entry, "INSTALLER")).strip() in {b"pip", b"uv"}
            if name not in but and mine:
                found.add(name)
    return tuple(sorted(found))


def _on_path(name: str, ambient: Ambient) -> str:
    entries = ambient.environ.get("PATH", os.defpath).split(os.pathsep)
    paths = (os.path.join(entry, name + EXE) for entry in entries if os.path.isabs(entry))
    return next((path for path in paths if is_program(path)), "")
