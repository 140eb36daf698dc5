"""Where all of it happens: safepip from this clone, wheels, tools, projects, and variables that seal it off."""

from __future__ import annotations

import base64
import csv
import glob
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from typing import NamedTuple

from bootstrap import (
    CLONE,
    OLDEST,
    Places,
    Stop,
    obtain_pip,
    place_files,
    run_pip,
    this_clone,
    version_of,
    write_launcher,
)
from environments import environment_python, make_environment

from _bench.measure import Case, run, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

SYSTEM_PYTHON = "/usr/bin/python3"
SYSTEM_PATH = "/usr/bin:/bin"
SMALL = "bench-small"
NAMED = 100  # requirements in a file
FETCHED = ("uv", "pipx")  # from the index where they are not installed; the others are left out then
MANAGERS = ("poetry", "pdm", "pipenv", "hatch")


class World(NamedTuple):
    """Where all of it happens, and with what: a home directory, wheels, programs, variables."""

    root: str
    python: str
    environ: Mapping[str, str]
    tools: Mapping[str, str]

    @property
    def home(self) -> str:
        """Return the home directory of the programs that are measured."""
        return os.path.join(self.root, "home")

    @property
    def wheels(self) -> str:
        """Return the folder of the wheels, the only place that anything is installed from."""
        return os.path.join(self.root, "wheels")

    @property
    def safepip(self) -> str:
        """Return safepip's console script as pip writes it."""
        return os.path.join(self.root, "own", "bin", "safepip")

    @property
    def isolated(self) -> str:
        """Return safepip's launcher as bootstrap.py writes it."""
        return os.path.join(self.root, "launcher", "safepip")


def set_up(root: str, options: argparse.Namespace, notes: list[str]) -> World:
    """Make in `root` all that is measured; from here on nothing reaches an index."""
    python = chosen_python(options.python)
    say(f"installing safepip of this clone for {python} ...")
    pip = obtain_pip(root, None)
    own = os.path.join(root, "own")
    make_environment(python, own)
    if run_pip(environment_python(own), pip, ["install", "-qq", CLONE]) != 0:
        raise Stop(69, "could not install safepip and what it needs; pip's own words stand above")
    environ = sealed(root, python)
    if not is_managed(python):
        environ["SAFEPIP_SCOPE"] = "always"
        notes.append(f"{python} is not managed: SAFEPIP_SCOPE=always stands in for that")
    for folder in ("home", "tmp", "wheels"):
        os.mkdir(os.path.join(root, folder))
    world = World(root, python, environ, find_tools(root, python, pip, options, environ, notes))
    set_up_launcher(world, pip)
    write_wheel(world.wheels, SMALL)
    return world


def set_up_launcher(world: World, pip: str) -> None:
    """Place safepip's files and its launcher as bootstrap.py does, for the Python that is measured."""
    folder = os.path.join(world.root, "launcher-wheels")
    if run_pip(world.python, pip, ["wheel", "-qq", "--wheel-dir", folder, CLONE]) != 0:
        raise Stop(69, "could not get the wheels of safepip and what it needs; see pip's output above")
    places = Places(os.path.join(world.root, "launcher", "app"), world.isolated)
    place_files(places, glob.glob(os.path.join(glob.escape(folder), "*.whl")), this_clone())
    write_launcher(places, world.python, this_clone().again)


def chosen_python(wanted: str | None) -> str:
    """Return the Python to serve, links followed: the one asked for, else the system's, else this one's base."""
    usual = SYSTEM_PYTHON if version_of(SYSTEM_PYTHON) >= OLDEST else base_python()
    python = os.path.realpath(wanted or usual)
    if version_of(python) < OLDEST:
        raise Stop(69, f"{python} is not a Python, or older than 3.10")
    return python


def base_python() -> str:
    """Return the interpreter that runs this, outside any environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def is_managed(python: str) -> bool:
    """Return True if an interpreter has the marker (PEP 668)."""
    return os.path.isfile(os.path.join(ask(python, "sysconfig.get_path('stdlib')"), "EXTERNALLY-MANAGED"))


def ask(python: str, expression: str) -> str:
    """Return what an expression is under an interpreter, "" where it fails."""
    command = [python, "-I", "-c", f"import sys, sysconfig; print({expression})"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def sealed(root: str, python: str) -> dict[str, str]:
    """Return all the variables that the measured programs get.

    PYTHONDONTWRITEBYTECODE is not among them: with it every start would compile again.
    """
    wheels = os.path.join(root, "wheels")
    return {
        "HOME": os.path.join(root, "home"),
        "PATH": os.pathsep.join([os.path.dirname(python), SYSTEM_PATH]),
        "TMPDIR": os.path.join(root, "tmp"),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": wheels,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": wheels,
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "PIPX_DEFAULT_BACKEND": "pip",
        "PIPX_DEFAULT_PYTHON": python,
        "PIPX_DISABLE_SHARED_LIBS_AUTO_UPGRADE": "1",
        "POETRY_VIRTUALENVS_IN_PROJECT": "1",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PDM_CHECK_UPDATE": "0",
    }


def find_tools(
    root: str, python: str, pip: str, options: argparse.Namespace, environ: Mapping[str, str], notes: list[str]
) -> dict[str, str]:
    """Return the paths of the programs to compare with, by name; say in `notes` which are missing."""
    wanted = ("uv",) if options.quick else (*FETCHED, *MANAGERS)
    search = os.pathsep.join([*map(os.path.abspath, options.tools), os.environ.get("PATH", os.defpath)])
    found = {"virtualenv": os.path.join(root, "own", "bin", "virtualenv")}
    for name in wanted:
        path = shutil.which(name, path=search)
        if path is not None and runs(path, environ):
            found[name] = path
    missing = [name for name in FETCHED if name in wanted and name not in found]
    if missing:
        say(f"fetching {' and '.join(missing)} ...")
        folder = os.path.join(root, "tools")
        make_environment(python, folder)
        if run_pip(environment_python(folder), pip, ["install", "-qq", *missing]) == 0:
            found.update((name, os.path.join(folder, "bin", name)) for name in missing)
    notes.extend(f"{name} is not installed (--tools DIR)" for name in wanted if name not in found)
    return found


def runs(program: str, environ: Mapping[str, str]) -> bool:
    """Return True if a program starts; a version manager's shim without a program behind it does not."""
    try:
        ended = subprocess.run([program, "--version"], env=environ, capture_output=True, check=False)
    except OSError:  # its interpreter is not for this user
        return False
    return ended.returncode == 0


def write_wheel(folder: str, name: str) -> str:
    """Write the wheel of a package of one module and one program into `folder`; return its path."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    files = {
        f"{module}.py": 'def main():\n    print("it works")\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {module}:main\n",
    }
    files[f"{info}/RECORD"] = record({path: text.encode() for path, text in files.items()}, f"{info}/RECORD")
    path = os.path.join(folder, f"{module}-1.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    return path


def record(files: Mapping[str, bytes], own: str) -> str:
    """Return the text of a RECORD of `files`; `own` is its own path."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow((path, f"sha256={digest}", len(content)))
    rows.writerow((own, "", ""))
    return out.getvalue()


def make_project(world: World, name: str, distributions: int = 0) -> str:
    """Make a directory below the home directory that safepip gave an environment; return its path."""
    project = os.path.join(world.home, name)
    os.mkdir(project)
    run(Case(f"making {name}", (world.safepip, "install", SMALL), project), world.environ)
    add_distributions(site_packages(project), distributions)
    with open(os.path.join(project, "requirements.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"bench-dist-{number}\n" for number in range(min(distributions, NAMED)))
    return project


def site_packages(project: str) -> str:
    """Return the site-packages of a project's environment."""
    return glob.glob(os.path.join(glob.escape(project), ".venv", "lib", "python*", "site-packages"))[0]


def add_distributions(site: str, count: int) -> None:
    """Write what is left of `count` installed packages that have no module."""
    for number in range(count):
        info = os.path.join(site, f"bench_dist_{number}-1.0.dist-info")
        os.mkdir(info)
        metadata = f"Metadata-Version: 2.1\nName: bench-dist-{number}\nVersion: 1.0\n"
        for name, text in (("METADATA", metadata), ("INSTALLER", "pip\n"), ("RECORD", "")):
            with open(os.path.join(info, name), "w", encoding="utf-8") as file:
                file.write(text)


def make_mute(project: str) -> None:
    """Put a pip that does nothing into a project's environment: what is left to measure is safepip."""
    site = site_packages(project)
    shutil.rmtree(os.path.join(site, "pip"))
    write_mute_pip(site)


def write_mute_pip(site: str) -> None:
    """Write a pip that does nothing into the folder `site`."""
    at = os.path.join(site, "pip")
    for name in ("", "_internal", "cli"):
        at = os.path.join(at, name)
        os.makedirs(at, exist_ok=True)
        open(os.path.join(at, "__init__.py"), "w", encoding="utf-8").close()
    with open(os.path.join(at, "main.py"), "w", encoding="utf-8") as file:
        file.write("def main(args=None):\n    return 0\n\n\ncli = main\n")


def in_environment(project: str, program: str) -> str:
    """Return the path of a program of a project's environment."""
    return os.path.join(project, ".venv", "bin", program)
