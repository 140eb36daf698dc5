#!/usr/bin/env python3
"""Measure what safepip costs beside pip and its neighbours: python3 scripts/bench.py [--quick] [--rounds N].

It makes its own wheels, and safepip from this clone in a directory that is gone afterwards; only that needs a
package index. Every figure is the user and system CPU of a command and all that it starts, in ms. What is to be
compared runs by turns, round by round, in an order that changes; ratios and differences are taken within a
round, and the median of them is what is shown, with its standard error: a busy machine does less harm so.

The table goes to stdout, progress to stderr. The exit code tells whether it could be measured, not what came out.
"""

from __future__ import annotations

import argparse
import base64
import csv
import functools
import glob
import hashlib
import html
import io
import json
import os
import platform
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from typing import NamedTuple

from bootstrap import (
    CLONE,
    OLDEST,
    Stop,
    complain,
    environment_python,
    make_environment,
    obtain_pip,
    run_pip,
    use_recent_python,
    version_of,
    write_launcher,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Times = dict[str, list[float]]  # of each case its ms, one a round

SYSTEM_PYTHON = "/usr/bin/python3"
SYSTEM_PATH = "/usr/bin:/bin"
JSON_FILE = os.path.join(CLONE, "bench.json")
SMALL = "bench-small"
ROUNDS, QUICK_ROUNDS = 15, 4
PROMPTS = 300  # one run of a hook is too short to be measured
NAMED = 100  # requirements in a file
EXTRA = 15.0  # ms that passing through may cost
FETCHED = ("uv", "pipx")  # from the index where they are not installed; the others are left out then
MANAGERS = ("poetry", "pdm", "pipenv")


class Case(NamedTuple):
    """One command to measure, run in `cwd` after `before`, which is not measured.

    `environ` is laid over the sealed variables. A run that does not leave `makes`, a path, has failed. One
    that is `optional` and fails is left out with a note.
    """

    name: str
    argv: tuple[str, ...]
    cwd: str
    before: Callable[[], None] = lambda: None
    environ: Mapping[str, str] = {}
    makes: str = ""
    optional: bool = False


class Goal(NamedTuple):
    """What is to hold of a case: at most `limit` ms more than another ("extra"), or times the other ("ratio")."""

    case: str
    against: str
    kind: str
    limit: float


class Series(NamedTuple):
    """Cases that differ in one size only, by that size; the `unit` is what one more of it is."""

    name: str
    unit: str
    cases: Mapping[int, str]


class Group(NamedTuple):
    """What is measured together: in `share` of the rounds, by turns; `derive` makes what is shown of the times."""

    title: str
    cases: Sequence[Case]
    goals: Sequence[Goal] = ()
    series: Sequence[Series] = ()
    share: float = 1.0
    derive: Callable[[Times], Times] = lambda times: times


class Verdict(NamedTuple):
    """A goal, what was reached of it, and the standard error of that median: None where there was one round."""

    goal: Goal
    reached: float
    error: float | None
    ok: bool


class Line(NamedTuple):
    """A straight line through the medians of a series: ms at size 0, ms for one more, and the farthest miss."""

    series: Series
    base: float
    each: float
    off: float


class Result(NamedTuple):
    """What came out of a group."""

    title: str
    rounds: int
    times: Times
    verdicts: list[Verdict]
    lines: list[Line]


class Bar(NamedTuple):
    """One bar of a chart."""

    label: str
    ms: float
    own: bool


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
        """Return safepip's launcher as bootstrap.py writes it, which starts Python by `-I`."""
        return os.path.join(self.root, "launcher", "safepip")


def main(argv: list[str]) -> int:
    """Measure by the command line `argv`; return the exit code."""
    try:
        use_recent_python()
        options = parse(argv)
        rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
        with tempfile.TemporaryDirectory(prefix="safepip-bench-", ignore_cleanup_errors=True) as root:
            notes: list[str] = []
            world = set_up(os.path.realpath(root), options, notes)
            before = load()
            results = [measure(group, world, rounds, notes) for group in groups(world, notes, quick=options.quick)]
            told = {**machine(world), "load": f"{before} before, {load()} after"}
        show(told, results, notes)
        write(options, told, results, notes)
    except Stop as stop:
        return complain(stop.code, *stop.lines)
    except KeyboardInterrupt:
        return complain(130, "interrupted; nothing was written")
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.py", description="Measure what safepip costs.")
    parser.add_argument("--quick", action="store_true", help="few rounds and sizes; pip, venv, virtualenv, uv")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"default {ROUNDS}, {QUICK_ROUNDS} with --quick")
    parser.add_argument("--python", metavar="PATH", help=f"a managed Python (default {SYSTEM_PYTHON})")
    parser.add_argument("--tools", action="append", default=[], metavar="DIR", help="look for programs here first")
    parser.add_argument("--json", metavar="FILE", default=JSON_FILE, help="default %(default)s")
    parser.add_argument("--svg", metavar="FILE", help="draw a chart")
    return parser.parse_args(argv)


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, file=sys.stderr, flush=True)


# --- the world


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
    write_launcher(world.isolated, environment_python(own))
    write_wheel(world.wheels, SMALL)
    return world


def chosen_python(wanted: str | None) -> str:
    """Return the Python to serve, links followed: the one asked for, else the system's, else this one's base."""
    usual = SYSTEM_PYTHON if version_of(SYSTEM_PYTHON) >= OLDEST else base_python()
    python = os.path.realpath(wanted or usual)
    if version_of(python) < OLDEST:
        raise Stop(69, f"{python} is no Python, or older than 3.10")
    return python


def base_python() -> str:
    """Return the interpreter that runs this, outside any environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def is_managed(python: str) -> bool:
    """Tell whether an interpreter bears PEP 668's marker."""
    return os.path.isfile(os.path.join(ask(python, "sysconfig.get_path('stdlib')"), "EXTERNALLY-MANAGED"))


def ask(python: str, expression: str) -> str:
    """Return what an expression is under an interpreter, "" where it fails."""
    command = [python, "-I", "-c", f"import sys, sysconfig; print({expression})"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def sealed(root: str, python: str) -> dict[str, str]:
    """Return all the variables that the measured programs get.

    PYTHONDONTWRITEBYTECODE is not among them: with it every start would compile anew.
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
    """Tell whether a program starts; a version manager's shim without anything behind it does not."""
    return subprocess.run([program, "--version"], env=environ, capture_output=True, check=False).returncode == 0


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
    run(Case(f"making {name}", (world.safepip, "install", SMALL), project), world)
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


# --- what is measured


def groups(world: World, notes: list[str], *, quick: bool) -> Iterator[Group]:
    """Yield all that is to be measured; what a group needs is made just before it."""
    yield passing_through(world, notes)
    yield creation(world)
    if not quick:
        yield first_creation(world)
        if any(name in world.tools for name in MANAGERS):
            yield whole_managers(world)
    yield doing_nothing(world, (100, 2000) if quick else (100, 500, 2000))
    yield growing(world, quick=quick)
    yield from hooks(world, notes)


def passing_through(world: World, notes: list[str]) -> Group:
    """Return what only goes on to pip, beside that pip called directly."""
    project, mute = make_project(world, "passing"), make_project(world, "mute")
    make_mute(mute)
    cases = [Case("one start of Python", (in_environment(project, "python"), "-c", "pass"), project)]
    goals: list[Goal] = []
    for what, words, where in (
        ("list", ("list",), project),
        ("--version", ("--version",), project),
        ("a pip that does nothing: list", ("list",), mute),
        ("a pip that does nothing: install", ("install", SMALL), mute),
    ):
        cases.append(Case(f"{what}, pip", (in_environment(where, "pip"), *words), where))
        for name, program in (("safepip", world.safepip), ("safepip by python -I", world.isolated)):
            cases.append(Case(f"{what}, {name}", (program, *words), where, environ={"SAFEPIP_FAST": "0"}))
            goals.append(Goal(cases[-1].name, f"{what}, pip", "extra", EXTRA))
    more, more_goals = on_unmanaged(world, notes)
    return Group("Passing through", [*cases, *more], [*goals, *more_goals])


def in_environment(project: str, program: str) -> str:
    """Return the path of a program of a project's environment."""
    return os.path.join(project, ".venv", "bin", program)


def on_unmanaged(world: World, notes: list[str]) -> tuple[list[Case], list[Goal]]:
    """Return the pair on a Python that is not managed, if there is one; its pip is one that does nothing."""
    named = (shutil.which(f"python3.{minor}") for minor in range(20, OLDEST[1] - 1, -1))
    python = next((path for path in (base_python(), *named) if path and serves_unmanaged(path)), None)
    if python is None:
        notes.append("there is no Python with pip here that is not managed")
        return [], []
    folder, cwd = os.path.dirname(python), os.path.join(world.home, "unmanaged")
    os.mkdir(cwd)
    write_mute_pip(cwd)
    path = os.pathsep.join([folder, SYSTEM_PATH])
    environ = {"PATH": path, "PYTHONPATH": cwd, "SAFEPIP_SCOPE": "managed"}
    what = "a pip that does nothing, on an unmanaged Python: list"
    cases = [
        Case(f"{what}, {name}", (program, "list"), world.home, environ=environ)
        for name, program in (("pip", os.path.join(folder, "pip3")), ("safepip", world.safepip))
    ]
    return cases, [Goal(cases[1].name, cases[0].name, "extra", EXTRA)]


def serves_unmanaged(python: str) -> bool:
    """Tell whether an interpreter is its folder's python3, has pip, and is not managed or an environment's."""
    beside, pip = (os.path.join(os.path.dirname(python), name) for name in ("python3", "pip3"))
    if os.path.realpath(beside) != os.path.realpath(python) or not os.access(pip, os.X_OK):
        return False
    return not is_managed(python) and ask(python, "sys.prefix == sys.base_prefix") == "True"


COLD = "safepip install, in a fresh directory"
READY = "pip install, in a ready environment"


def creation(world: World) -> Group:
    """Return the way from a fresh directory to an environment with one small wheel in it."""
    ready = make_project(world, "ready")
    pip = Case(
        READY,
        (in_environment(ready, "pip"), "install", SMALL),
        ready,
        functools.partial(take_out, ready),
        makes=in_environment(ready, SMALL),
    )
    local, uv = os.path.join(".venv", "bin", "pip"), world.tools.get("uv", "")
    install = (local, "install", SMALL)
    plain = ("--no-setuptools", "--no-periodic-update")  # the cheapest there is: without a look for newer wheels
    seeded = (world.tools["virtualenv"], *plain, "--python", world.python, ".venv")
    by_virtualenv = from_nothing(world, "virtualenv (without setuptools) and pip", seeded, install)
    by_venv = from_nothing(world, "python -m venv and pip", (world.python, "-m", "venv", ".venv"), install)
    made = (uv, "venv", "--quiet", "--python", world.python)
    by_uv = from_nothing(world, "uv venv and uv pip install", made, (uv, "pip", "install", SMALL))
    others = [by_virtualenv, by_venv, *([by_uv] if uv else []), *by_pipx(world)]
    limits = ((READY, 1.4), (by_virtualenv.name, 0.45), (by_venv.name, 0.2))
    goals = [Goal(COLD, against, "ratio", limit) for against, limit in limits]
    return Group("Creation, and one small wheel", [cold(world), pip, *others], goals, share=1 / 3)


def cold(world: World) -> Case:
    """Return the case of safepip in a fresh directory."""
    return from_nothing(world, COLD, (world.safepip, "install", SMALL))._replace(optional=False)


def from_nothing(world: World, name: str, *commands: tuple[str, ...], pyproject: str = "") -> Case:
    """Return the case of commands that together make an environment in a fresh directory and install into it."""
    cwd = os.path.join(world.home, "fresh-" + hashlib.sha256(name.encode()).hexdigest()[:8])
    line = " && ".join(map(shlex.join, commands))
    argv = commands[0] if len(commands) == 1 else ("/bin/sh", "-c", line)
    before = functools.partial(refresh, cwd, pyproject)
    return Case(name, argv, cwd, before, makes=in_environment(cwd, SMALL), optional=True)


def refresh(folder: str, pyproject: str) -> None:
    """Make `folder` a new directory, with a pyproject.toml if it has any text."""
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    if pyproject:
        with open(os.path.join(folder, "pyproject.toml"), "w", encoding="utf-8") as file:
            file.write(pyproject)


def take_out(project: str) -> None:
    """Remove the small package from a project's environment, faster than pip would."""
    for path in glob.glob(os.path.join(glob.escape(site_packages(project)), "bench_small*")):
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    for path in glob.glob(os.path.join(glob.escape(site_packages(project)), "__pycache__", "bench_small*")):
        os.unlink(path)
    if os.path.exists(in_environment(project, SMALL)):
        os.unlink(in_environment(project, SMALL))


def by_pipx(world: World) -> list[Case]:
    """Return the case of pipx, its shared libraries ready after the round that warms up."""
    if "pipx" not in world.tools:
        return []
    home = os.path.join(world.home, "pipx")
    venvs = os.path.join(home, "venvs", SMALL)
    before = functools.partial(shutil.rmtree, venvs, ignore_errors=True)
    program = os.path.join(venvs, "bin", SMALL)
    environ = {"PIPX_HOME": home, "PIPX_BIN_DIR": os.path.join(home, "bin")}
    argv = (world.tools["pipx"], "install", "--force", SMALL)
    return [Case("pipx install (by pip)", argv, world.home, before, environ, program, optional=True)]


def first_creation(world: World) -> Group:
    """Return safepip's creation where nothing is in its cache yet: interpreter asked, image made."""
    cache = os.path.join(world.home, "empty-cache")
    first = cold(world)
    refreshed = first.before

    def before() -> None:
        refreshed()
        shutil.rmtree(cache, ignore_errors=True)

    case = first._replace(name="safepip install, the very first", before=before, environ={"XDG_CACHE_HOME": cache})
    return Group("Creation, with an empty cache (once per Python)", [case, first], share=1 / 7)


PYPROJECT = '[project]\nname = "bench"\nversion = "1"\nrequires-python = ">=3.10"\n'
POETRY = PYPROJECT + "[tool.poetry]\npackage-mode = false\n"
PDM = PYPROJECT + "[tool.pdm]\ndistribution = false\n"


def whole_managers(world: World) -> Group:
    """Return the same job done by programs that manage whole projects, locking included."""
    wheel = os.path.join(world.wheels, f"{SMALL.replace('-', '_')}-1.0-py3-none-any.whl")
    tools = {name: world.tools.get(name, "") for name in MANAGERS}
    named = (tools["pdm"], "-n", "use", "--quiet", world.python)
    poetry = from_nothing(world, "poetry add", (tools["poetry"], "-n", "add", wheel), pyproject=POETRY)
    pdm = from_nothing(world, "pdm add", named, (tools["pdm"], "-n", "add", wheel), pyproject=PDM)
    install = (tools["pipenv"], "--python", world.python, "install", wheel)
    made = dict(zip(MANAGERS, (poetry, pdm, from_nothing(world, "pipenv install", install)), strict=True))
    cases = [case for name, case in made.items() if tools[name]]
    return Group("Creation, by managers of projects", [cold(world), *cases], share=1 / 7)


def doing_nothing(world: World, sizes: Sequence[int]) -> Group:
    """Return installing what is there already."""
    cases = satisfied(world, "1 requirement, 10 distributions", 10, ("bench-dist-0",))
    names = {size: f"{NAMED} requirements, {size} distributions" for size in sizes}
    for size, what in names.items():
        cases += satisfied(world, what, size, ("-r", "requirements.txt"))
    goals = [Goal(f"{names[100]}: safepip", f"{names[100]}: pip", "ratio", 0.06)]
    if "uv" in world.tools:
        goals.append(Goal(f"{names[100]}: safepip", f"{names[100]}: uv", "ratio", 1.0))
        goals.append(Goal(f"{names[2000]}: safepip", f"{names[2000]}: uv", "ratio", 1 / 3))
    shown = {size: f"{what}: safepip" for size, what in names.items()}
    series = Series("safepip, nothing to do", "distribution", shown)
    return Group("Doing nothing", cases, goals, [series], share=1 / 2)


def satisfied(world: World, what: str, size: int, words: tuple[str, ...]) -> list[Case]:
    """Return the ways to install `words` into an environment of `size` distributions that has them."""
    project = make_project(world, f"satisfied-{size}", size)
    cases = [
        Case(f"{what}: safepip", (world.safepip, "install", *words), project),
        Case(f"{what}: pip", (in_environment(project, "pip"), "install", *words), project),
    ]
    if "uv" in world.tools:
        cases.append(Case(f"{what}: uv", (world.tools["uv"], "pip", "install", *words), project, optional=True))
    return cases


def growing(world: World, *, quick: bool) -> Group:
    """Return what safepip costs by depth, distributions and environments, before a pip that does nothing."""
    depths = (1, 20, 200) if quick else (1, 5, 20, 100, 200)
    sizes = (10, 2000) if quick else (10, 100, 500, 2000)
    counts = (1, 1000) if quick else (1, 100, 1000, 10_000)
    parts = {
        ("safepip list, by depth", "level"): by_depth(world, depths),
        ("safepip install, by distributions", "distribution"): by_distributions(world, sizes),
        ("safepip install, by environments known", "environment"): by_environments(world, counts),
    }
    cases = [case for part in parts.values() for case in part.values()]
    series = [Series(*told, {size: case.name for size, case in part.items()}) for told, part in parts.items()]
    return Group("Growing, before a pip that does nothing", cases, (), series)


def by_depth(world: World, depths: Iterable[int]) -> dict[int, Case]:
    """Return the cases of directories below a project."""
    project = make_project(world, "deep")
    make_mute(project)
    cases = {}
    for depth in depths:
        cwd = os.path.join(project, *("d" * depth))
        os.makedirs(cwd, exist_ok=True)
        cases[depth] = Case(f"list, at depth {depth}", (world.safepip, "list"), cwd)
    return cases


def by_distributions(world: World, sizes: Iterable[int]) -> dict[int, Case]:
    """Return the cases of environments with many distributions."""
    cases = {}
    for size in sizes:
        project = make_project(world, f"installed-{size}", size)
        make_mute(project)
        cases[size] = Case(f"install, distributions: {size}", (world.safepip, "install", SMALL), project)
    return cases


def by_environments(world: World, counts: Iterable[int]) -> dict[int, Case]:
    """Return the cases of users with many environments, as the registry and the shells' hooks remember them."""
    project = make_project(world, "registered")
    make_mute(project)
    cases = {}
    for count in counts:
        state = os.path.join(world.root, f"state-{count}")
        shutil.copytree(os.path.join(world.home, ".local", "state"), state, symlinks=True)
        register(os.path.join(state, "safepip"), count - 1)
        argv, environ = (world.safepip, "install", SMALL), {"XDG_STATE_HOME": state}
        cases[count] = Case(f"install, environments known: {count}", argv, project, environ=environ)
    return cases


def register(state: str, count: int) -> None:
    """Have `state` remember `count` environments more, in the form of envs/registry.py and shells/known.py."""
    environments, activate = os.path.join(state, "environments"), os.path.join(state, "activate")
    os.makedirs(environments, exist_ok=True)
    os.makedirs(activate, exist_ok=True)
    for number in range(count):
        path = f"/nowhere/{number}/.venv"
        with open(os.path.join(environments, f"ffff-{number:x}"), "w", encoding="utf-8") as file:
            file.write("\0".join(("safepip-environment-1", path, "65535", str(number), "made")))
        os.symlink(path, os.path.join(activate, f"shell-{number:032x}"))


def hooks(world: World, notes: list[str]) -> Iterator[Group]:
    """Yield the hooks that shells run before each prompt, where this safepip has them."""
    project = make_project(world, "prompt")
    below = os.path.join(project, *("d" * 20))
    os.makedirs(below)
    places = {"in a project": project, "20 levels below it": below, "outside": world.home}
    cases: list[Case] = []
    for shell, quiet in (("bash", "--norc"), ("zsh", "-f")):
        program, rc = shutil.which(shell), os.path.join(world.root, f"rc.{shell}")
        trouble = f"{shell} is not installed" if program is None else write_rc(world, shell, rc)
        if program is None or trouble:
            notes.append(f"no hook measured: {trouble}")
            continue
        for where, cwd in places.items():
            for name, call in ((where, "_safepip_hook"), (f"{where}{EMPTY}", ":")):
                loop = f"source {shlex.quote(rc)}; i=0; while (( i++ < {PROMPTS} )); do {call}; done"
                cases.append(Case(f"{shell}, {name}", (program, quiet, "-c", loop), cwd))
    if cases:
        yield Group("The prompt's hook, one prompt", cases, share=1 / 3, derive=one_prompt)


EMPTY = " (empty)"


def write_rc(world: World, shell: str, rc: str) -> str | None:
    """Write what `safepip init` prints for a shell to a file; return why that is impossible, or None."""
    with open(rc, "wb") as file:
        argv = [world.safepip, "init", shell]
        ended = subprocess.run(
            argv, env=world.environ, cwd=world.home, stdout=file, stderr=subprocess.PIPE, check=False
        )
    with open(rc, encoding="utf-8") as text:
        has_hook = "_safepip_hook" in text.read()
    if ended.returncode == 0 and has_hook:
        return None
    return f"safepip init {shell} gives none: {last_line(ended.stderr)}"


def one_prompt(times: Times) -> Times:
    """Return the ms of one prompt: what the loops with a hook took more than those without, divided."""
    return {
        name: [(full - bare) / PROMPTS for full, bare in zip(taken, times[name + EMPTY], strict=True)]
        for name, taken in times.items()
        if name + EMPTY in times
    }


# --- measuring


def measure(group: Group, world: World, rounds: int, notes: list[str]) -> Result:
    """Run all cases of a group by turns, and once more before that to warm up."""
    rounds = max(1, round(rounds * group.share))
    say(f"measuring: {group.title} (rounds: {rounds}, commands: {len(group.cases)}) ...")
    cases = list(group.cases)
    times: Times = {case.name: [] for case in cases}
    for number in range(rounds + 1):
        for case in turned(cases, number):
            ms = attempt(case, world, notes)
            if ms is None:
                cases.remove(case)
                del times[case.name]
            elif number > 0:
                times[case.name].append(ms)
    times = group.derive(times)
    verdicts = [judge(goal, times) for goal in group.goals if goal.case in times and goal.against in times]
    lines = [line_through(series, times) for series in group.series]
    return Result(group.title, rounds, times, verdicts, lines)


def attempt(case: Case, world: World, notes: list[str]) -> float | None:
    """Run a case; return its ms, or None, with a note, where it failed and may be left out."""
    try:
        return run(case, world)
    except Stop as stop:
        if not case.optional:
            raise
        reason = next((line for line in stop.lines[2:] if "error" in line.lower()), stop.lines[-1])
        notes.append(f"left out: {stop.lines[0]} ({reason})")
        return None


def turned(cases: Sequence[Case], number: int) -> list[Case]:
    """Return the cases in the order of round `number`: each comes first as often as any other, and backwards."""
    start = number % max(1, len(cases))
    order = [*cases[start:], *cases[:start]]
    return order if number % 2 == 0 else order[::-1]


def run(case: Case, world: World) -> float:
    """Run a case; return the ms of CPU that it and all its children took; Stop where it failed."""
    case.before()
    environ = {**world.environ, **case.environ}
    null = subprocess.DEVNULL
    with tempfile.TemporaryFile() as errors:  # not a pipe, which what outlives the command would keep open
        start = children_cpu()
        ended = subprocess.run(
            case.argv, cwd=case.cwd, env=environ, stdin=null, stdout=null, stderr=errors, check=False
        )
        used = children_cpu() - start
        errors.seek(0)
        told = errors.read()
    if ended.returncode != 0:
        raise Stop(69, f"{case.name} ended with {ended.returncode}", shlex.join(case.argv), *said(told)[-3:])
    if case.makes and not os.path.lexists(case.makes):
        raise Stop(69, f"{case.name} did not make {case.makes}", shlex.join(case.argv), *said(told)[-3:])
    return used * 1000


def children_cpu() -> float:
    """Return the seconds of CPU, user and system, of all children waited for so far, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def last_line(told: bytes) -> str:
    """Return the last line of what a program said, for a message."""
    return (said(told) or ["nothing"])[-1]


def said(told: bytes) -> list[str]:
    """Return the lines of what a program said, without the empty ones."""
    return [line.strip() for line in told.decode(errors="replace").splitlines() if line.strip()]


# --- reckoning


ERROR = 1.4826 * 1.2533  # of normal noise: standard deviation by the median deviation; error of median by mean's


def judge(goal: Goal, times: Times) -> Verdict:
    """Compare two cases round by round; return the median of that beside the goal."""
    pairs = list(zip(times[goal.case], times[goal.against], strict=True))
    compared = [own - other if goal.kind == "extra" else own / other for own, other in pairs]
    reached = statistics.median(compared)
    spread = statistics.median(abs(one - reached) for one in compared)
    error = ERROR * spread / len(compared) ** 0.5 if len(compared) > 1 else None
    return Verdict(goal, reached, error, reached <= goal.limit)


def line_through(series: Series, times: Times) -> Line:
    """Return the line of least squares through the medians of a series."""
    points = [(float(size), statistics.median(times[name])) for size, name in series.cases.items()]
    each, base = statistics.linear_regression(*zip(*points, strict=True))
    return Line(series, base, each, max(abs(base + each * size - ms) for size, ms in points))


def load() -> str:
    """Return the load averages."""
    return " ".join(f"{number:.1f}" for number in os.getloadavg())


def machine(world: World) -> dict[str, str]:
    """Return on what it ran, by name; once all groups are through."""
    programs = {"pip": in_environment(os.path.join(world.home, "ready"), "pip"), **world.tools}
    describe = ["git", "-C", CLONE, "describe", "--always", "--dirty"]
    told = {
        "when": time.strftime("%Y-%m-%d"),
        "safepip": subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip() or "?",
        "CPU": f"{os.cpu_count()} cores of {processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{ask(world.python, 'sys.version.split()[0]')} ({world.python})",
        "ensurepip's pip": ask(world.python, "__import__('ensurepip').version()") or "none",
    }
    return {**told, **{name: version_told(path, world.environ) for name, path in programs.items()}}


def processor() -> str:
    """Return the name of the processor."""
    if os.path.isfile("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def version_told(program: str, environ: Mapping[str, str]) -> str:
    """Return the version that a program tells: the first word with a dot in its first line that has one."""
    told = subprocess.run([program, "--version"], env=environ, capture_output=True, text=True, check=False).stdout
    numbers = (word.strip("(),") for word in told.split() if word.strip("(),")[:1].isdigit() and "." in word)
    return next(numbers, "?")


# --- telling


def show(told: Mapping[str, str], results: Sequence[Result], notes: Sequence[str]) -> None:
    """Print the tables."""
    print("; ".join(f"{name} {value}" for name, value in told.items()))
    for result in results:
        print(f"\n{result.title} (rounds: {result.rounds})\n\n{table(result)}")
        for line in result.lines:
            print(f"\n{line_text(line)}")
    for note in notes:
        print(f"\nNote: {note}.")
    missed = sum(not verdict.ok for result in results for verdict in result.verdicts)
    count = sum(len(result.verdicts) for result in results)
    print(f"\n{count - missed} of {count} goals reached.")


def table(result: Result) -> str:
    """Return the table of a group, in Markdown and for the eye: ms CPU, then each goal beside what was reached."""
    rows: list[tuple[str, ...]] = [("", "median", "min", "goal", "reached", "")]
    for name, taken in result.times.items():
        goals = [goal_texts(verdict) for verdict in result.verdicts if verdict.goal.case == name]
        first, *others = goals or [("", "", "")]
        rows.append((name, figure(statistics.median(taken)), figure(min(taken)), *first))
        rows.extend(("", "", "", *texts) for texts in others)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = (f"| {' | '.join(aligned(row, widths))} |" for row in rows)
    rule = "|".join("-" * (width + 1) + (":" if column in FIGURES else "-") for column, width in enumerate(widths))
    return "\n".join([head, f"|{rule}|", *body])


FIGURES = (1, 2, 4)  # columns of a table


def aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the cells of a row as wide as their columns, figures to the right."""
    cells = enumerate(zip(row, widths, strict=True))
    return [text.rjust(width) if column in FIGURES else text.ljust(width) for column, (text, width) in cells]


def figure(ms: float) -> str:
    """Return ms as they are shown: no more digits than mean anything."""
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 1 else f"{ms:.3f}"


def goal_texts(verdict: Verdict) -> tuple[str, str, str]:
    """Return a goal, what was reached, and the verdict, as they are shown."""
    goal = verdict.goal
    word = "ok" if verdict.ok else "MISSED"
    if goal.kind == "extra":
        error = "?" if verdict.error is None else f"{verdict.error:.1f}"
        return f"at most +{goal.limit:.0f} ms over pip", f"{verdict.reached:+.1f} ±{error} ms", word
    other = goal.against.removeprefix(goal.case.partition(": ")[0] + ": ")
    error = "?" if verdict.error is None else f"{verdict.error:.3f}"
    return f"at most {goal.limit:.2f} of {other}", f"{verdict.reached:.3f} ±{error}", word


def line_text(line: Line) -> str:
    """Return what a line through a series says, in words."""
    sizes = sorted(line.series.cases)
    span = f"{sizes[0]} to {sizes[-1]}"
    each = f"{line.each * 1000:.2f} µs for each {line.series.unit} ({span})"
    text = f"{line.series.name}: {line.base:.1f} ms and {each}"
    return text if len(sizes) < 3 else f"{text}; no median is off that line by more than {line.off:.1f} ms"


def write(
    options: argparse.Namespace, told: Mapping[str, str], results: Sequence[Result], notes: Sequence[str]
) -> None:
    """Write the files that were asked for."""
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump(as_data(told, results, notes), file, indent=1, ensure_ascii=False)
        file.write("\n")
    if options.svg:
        with open(options.svg, "w", encoding="utf-8") as file:
            file.write(svg(charts(results), footnote(told)))


def as_data(told: Mapping[str, str], results: Sequence[Result], notes: Sequence[str]) -> dict[str, object]:
    """Return all that was measured, every single run included, as JSON can hold it."""
    groups = [group_data(result) for result in results]
    return {"machine": dict(told), "unit": "ms of user and system CPU", "groups": groups, "notes": list(notes)}


def group_data(result: Result) -> dict[str, object]:
    """Return what came out of one group as JSON can hold it."""
    return {
        "title": result.title,
        "rounds": result.rounds,
        "cases": {name: [round(ms, 4) for ms in taken] for name, taken in result.times.items()},
        "goals": [{**one._asdict(), "goal": one.goal._asdict()} for one in result.verdicts],
        "lines": [{**line._asdict(), "series": line.series.name} for line in result.lines],
    }


def charts(results: Sequence[Result]) -> list[tuple[str, list[Bar]]]:
    """Return what the chart shows, by title: creation, everyone's, and doing nothing with 100 requirements."""
    creations: dict[str, float] = {}
    idle: dict[str, float] = {}
    what = f"{NAMED} requirements, 100 distributions"
    for result in results:
        for name, taken in result.times.items():
            if result.title.startswith("Creation"):
                creations.setdefault(name, statistics.median(taken))
            elif name.startswith(f"{what}: "):
                idle[name.removeprefix(f"{what}: ")] = statistics.median(taken)
    found = (("An environment and one small wheel: ms CPU", creations), (f"Nothing to do, {what}: ms CPU", idle))
    return [(title, bars(figures)) for title, figures in found if figures]


def bars(figures: Mapping[str, float]) -> list[Bar]:
    """Return bars, the shortest first; safepip's are its own."""
    return sorted((Bar(name, ms, "safepip" in name) for name, ms in figures.items()), key=lambda bar: bar.ms)


def footnote(told: Mapping[str, str]) -> str:
    """Return the line below a chart: what it was measured on."""
    shown = ("when", "CPU", "Python", "virtualenv", "uv")
    return ", ".join(f"{name} {told[name]}" for name in shown if name in told)


_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.small{font-size:11px;fill:#6e7781}.title{font-weight:600}"
    ".other{fill:#afb8c1}.own{fill:#0969da}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#8d96a0}.other{fill:#57606a}.own{fill:#4493f8}}"
)


def svg(parts: Sequence[tuple[str, Sequence[Bar]]], foot: str) -> str:
    """Return bar charts below each other as one SVG; each has a scale of its own, from 0."""
    drawn: list[str] = []
    top = 24
    for title, bars in parts:
        drawn.append(f'<text class="title" x="8" y="{top}">{html.escape(title)}</text>')
        longest = max(bar.ms for bar in bars)
        for number, bar in enumerate(bars):
            drawn.extend(draw(bar, top + 12 + 24 * number, longest))
        top += 24 * len(bars) + 44
    drawn.append(f'<text class="small" x="8" y="{top - 8}">{html.escape(foot)}</text>')
    size = f'width="760" height="{top}" viewBox="0 0 760 {top}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    names = html.escape("; ".join(title for title, _ in parts))
    return "\n".join([head, f"<title>{names}</title>", f"<style>{_STYLE}</style>", *drawn, "</svg>", ""])


def draw(bar: Bar, y: int, longest: float) -> list[str]:
    """Return one bar with its label and figure; `longest` ms are 400 wide."""
    width = max(1.0, 400 * bar.ms / longest) if longest > 0 else 1.0
    kind = "own" if bar.own else "other"
    return [
        f'<text x="270" y="{y + 13}" text-anchor="end">{html.escape(bar.label)}</text>',
        f'<rect class="{kind}" x="280" y="{y}" width="{width:.1f}" height="18" rx="2"/>',
        f'<text x="{288 + width:.1f}" y="{y + 13}">{figure(bar.ms)}</text>',
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
