"""Packages that earlier installs left outside environments."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Iterator

from safepip.core.requirement import normalised_name
from safepip.report import first_of
from safepip.shells.program import own_program
from safepip.system.files import read_regular
from safepip.system.interpreter import program_on_path

from .finding import (
    MOST_NAMES,
    Ambient,
    Context,
    Findings,
    Interpreter,
    is_managed,
    move_aside,
    ok,
    sudo,
    target_interpreter,
    warning,
)

_WITH_PYTHON = ("pip", "setuptools", "wheel")  # ensurepip puts these beside a Python
_INFO = (".dist-info", ".egg-info", ".egg-link")
_LONGEST = 100  # bytes of an installer's name


def check(context: Context) -> Findings:
    """Look at packages that pip put outside environments."""
    found = [*_in_user_sites(context), *_in_system(context)]
    yield from found
    if not found:
        yield ok("leftovers", "nothing was left by --user, sudo pip or broken-system installs")


def _in_user_sites(context: Context) -> Findings:
    target = target_interpreter(context)
    for folder, version in user_sites(context.ambient):
        names = _installed(folder)
        if not names:
            continue
        why = f"pip install --user left {first_of(names, MOST_NAMES)} in {folder}"
        seen = f"{why}, where Python {version} sees it outside environments"
        # safepip serves this Python, so that it can remove them itself.
        if target is not None and version == target.minor:
            line = f"safepip --system uninstall --break-system-packages -y {shlex.join(names)}"
            yield warning("leftover-user", seen, line)
            continue
        python = program_on_path(f"python{version}", context.ambient.environ)
        if python:
            variable = "env PIP_BREAK_SYSTEM_PACKAGES=1"  # an option would stop older pips
            line = f"{variable} {shlex.quote(python)} -m pip uninstall -y {shlex.join(names)}"
            yield warning("leftover-user", seen, line)
        else:
            yield warning("leftover-user", f"{why}, for a Python that is gone", move_aside(folder, ".old"))


def _in_system(context: Context) -> Findings:
    target = target_interpreter(context)
    if target is None or not is_managed(context):
        return
    for folder, is_pips in system_sites(target):
        # The system's own packages lie in the other folders.
        names = _installed(folder, only_by_pip=not is_pips)
        if not names:
            continue
        left = f"sudo pip or --break-system-packages left {first_of(names, MOST_NAMES)} in {folder}"
        why = f"{left}, where Python {target.minor} sees it outside environments"
        become = sudo(context, folder)
        program = "safepip"
        if become:
            program = shlex.quote(own_program())  # sudo has another PATH
        line = f"{become}{program} --system uninstall --break-system-packages -y {shlex.join(names)}"
        yield warning("leftover-system", why, line)


def user_sites(ambient: Ambient) -> Iterator[tuple[str, str]]:
    """Yield the user's site folders, each with its Python version."""
    base = ambient.environ.get("PYTHONUSERBASE", "")
    if not base and ambient.home:
        base = os.path.join(ambient.home, ".local")
    if base:
        for folder in sorted(glob.glob(os.path.join(glob.escape(base), "lib", "python*", "site-packages"))):
            version = os.path.basename(os.path.dirname(folder)).removeprefix("python")
            if version.replace(".", "").isdecimal():
                yield folder, version
    if ambient.platform == "darwin" and ambient.home:  # a framework build has its own place (PEP 370)
        versions = os.path.join(glob.escape(ambient.home), "Library", "Python", "*")
        for folder in sorted(glob.glob(os.path.join(versions, "lib", "python", "site-packages"))):
            yield folder, folder.split(os.sep)[-4]


def system_sites(target: Interpreter) -> Iterator[tuple[str, bool]]:
    """Yield folders for all users, and whether only pip writes there."""
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


def _installed(folder: str, *, only_by_pip: bool = False) -> list[str]:
    """Return the names of the distributions in a folder, in alphabetical order."""
    names = []
    for info in glob.glob(os.path.join(glob.escape(folder), "[!~]*")):  # pip renames to ~ while it removes
        if not info.endswith(_INFO):
            continue
        name = os.path.basename(info).rpartition(".")[0].partition("-")[0]
        if only_by_pip and (name in _WITH_PYTHON or not _is_by_pip(info)):
            continue
        names.append(name)
    return sorted(set(map(normalised_name, names)))


def _is_by_pip(info: str) -> bool:
    # The system's package manager writes another name into INSTALLER, or none.
    installer = read_regular(os.path.join(info, "INSTALLER"), _LONGEST) or b""
    return installer.strip() in {b"pip", b"uv"}
