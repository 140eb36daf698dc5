"""What earlier installs left outside environments: in the user's site, and in what a system manages."""

from __future__ import annotations

import os
import shlex

from safepip.core.requirement import normalised_name
from safepip.core.world import EXE
from safepip.system.environment import names_in
from safepip.system.interpreter import is_program
from safepip.system.project_tools.detect import content

from .finding import known, listed, move_aside, ok, sudo, warning
from .path import own_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .finding import Ambient, Context, Findings, Interpreter

_WITH_PYTHON = ("pip", "setuptools", "wheel")  # what ensurepip puts beside a Python
_INFO = (".dist-info", ".egg-info", ".egg-link")


def check(context: Context) -> Findings:
    """Look at what pip put outside environments."""
    found = [*_in_user_sites(context), *_in_system(context)]
    yield from found
    if not found:
        yield ok("leftovers", "nothing was left by --user, sudo pip or broken-system installs")


def _in_user_sites(context: Context) -> Findings:
    target = known(lambda: context.target.interpreter, None)
    for folder, version in user_sites(context.ambient):
        names = _distributions(folder)
        if not names:
            continue
        why = f"pip install --user left {listed(names)} in {folder}"
        seen = f"{why}, where Python {version} sees it outside environments"
        python = _on_path(f"python{version}", context.ambient)
        if target is not None and version == target.minor:
            line = f"safepip --system uninstall --break-system-packages -y {shlex.join(names)}"
            yield warning("leftover-user", seen, line)
        elif python:
            variable = "env PIP_BREAK_SYSTEM_PACKAGES=1"  # an option would stop older pips
            line = f"{variable} {shlex.quote(python)} -m pip uninstall -y {shlex.join(names)}"
            yield warning("leftover-user", seen, line)
        else:
            yield warning("leftover-user", f"{why}, for a Python that is gone", move_aside(folder, ".old"))


def _in_system(context: Context) -> Findings:
    target = known(lambda: context.target.interpreter, None)
    if target is None or not known(lambda: context.managed, False):
        return
    for folder, pips_alone in system_sites(target):
        names = _distributions(folder) if pips_alone else _by_pip(folder)
        if names:
            why = f"sudo pip or --break-system-packages left {listed(names)} in {folder}"
            become = sudo(context, folder)
            program = shlex.quote(own_program()) if become else "safepip"
            line = f"{become}{program} --system uninstall --break-system-packages -y {shlex.join(names)}"
            yield warning(
                "leftover-system", f"{why}, where Python {target.minor} sees it outside environments", line
            )


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
    """Yield the folders where pip puts what is for all users, and whether only pip writes there."""
    library = f"python{target.minor}"
    if os.path.realpath(target.base_prefix) == "/usr":
        for name in ("dist-packages", "site-packages"):
            yield os.path.join("/usr/local/lib", library, name), True
    seen = set()
    for lib in ("lib", "lib64"):
        for folder in (os.path.join(library, "site-packages"), os.path.join("python3", "dist-packages")):
            path = os.path.realpath(os.path.join(target.base_prefix, lib, folder))
            if path not in seen:
                seen.add(path)
                yield path, False


def _by_pip(folder: str) -> tuple[str, ...]:
    """Return the names of what pip or uv says that it put there, but for what comes with a Python."""
    names = []
    for entry in _infos(folder):
        installer = content(os.path.join(folder, entry, "INSTALLER")).strip()
        name = _name_of(entry)
        if installer in {b"pip", b"uv"} and name not in _WITH_PYTHON:
            names.append(name)
    return tuple(sorted(set(names)))


def _distributions(folder: str) -> tuple[str, ...]:
    return tuple(sorted(set(map(_name_of, _infos(folder)))))


def _infos(folder: str) -> list[str]:
    return [name for name in names_in(folder) if name.endswith(_INFO) and not name.startswith("~")]


def _name_of(info: str) -> str:
    return normalised_name(info.rpartition(".")[0].partition("-")[0])


def _on_path(name: str, ambient: Ambient) -> str:
    for entry in ambient.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(entry, name + EXE)
        if os.path.isabs(entry) and is_program(path):
            return path
    return ""
