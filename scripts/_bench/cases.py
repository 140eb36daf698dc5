"""What is measured: each group of cases, with the goals that are to be reached."""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import shlex
import shutil
import subprocess

from bootstrap import OLDEST

from _bench.measure import Case, Goal, Group, Series, last_line
from _bench.world import (
    MANAGERS,
    NAMED,
    SMALL,
    SYSTEM_PATH,
    ask,
    base_python,
    in_environment,
    is_managed,
    make_mute,
    make_project,
    site_packages,
    write_mute_pip,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from _bench.measure import Times
    from _bench.world import World

PARTS = ("passing", "creation", "first", "managers", "nothing", "growing", "many", "hooks")
PROMPTS = 300  # one run of a hook is too short to be measured
OVERVIEW = 500.0  # ms that the list of 2000 environments may take over a start of Python
EXTRA = 15.0  # ms that passing through may cost
LISTED = 60  # distributions that are listed


def groups(world: World, notes: list[str], *, quick: bool, only: Sequence[str] = ()) -> Iterator[Group]:
    """Yield all that is to be measured, or what `only` names; what a group needs is made just before it."""
    sizes = (100, 2000) if quick else (100, 500, 2000)
    makers: dict[str, Callable[[], Iterable[Group]]] = {
        "passing": lambda: [passing_through(world, notes)],
        "creation": lambda: [creation(world)],
        "first": lambda: [] if quick else [first_creation(world)],
        "managers": lambda: [] if quick else whole_managers(world),
        "nothing": lambda: [doing_nothing(world, sizes)],
        "growing": lambda: [growing(world, quick=quick)],
        "many": lambda: [seeing_to(world, quick=quick)],
        "hooks": lambda: hooks(world, notes),
    }
    for name in [name for name in only if name in makers] if only else makers:
        yield from makers[name]()


def passing_through(world: World, notes: list[str]) -> Group:
    """Return what only goes on to pip, beside that pip called directly."""
    project, mute = make_project(world, "passing", LISTED), make_project(world, "mute")
    make_mute(mute)
    cases = [Case("one start of Python", (in_environment(project, "python"), "-c", "pass"), project)]
    goals: list[Goal] = []
    for what, words, where, limit in (
        (f"list of {LISTED}", ("list",), project, 0.85),
        ("--version", ("--version",), project, 1.0),
        ("install, satisfied, pip asked", ("install", SMALL), project, 0.8),
        ("a pip that does nothing: list", ("list",), mute, None),
        ("a pip that does nothing: install", ("install", SMALL), mute, None),
    ):
        pip = f"{what}, pip"
        cases.append(Case(pip, (in_environment(where, "pip"), *words), where))
        for name, program in (("safepip's console script", world.safepip), ("safepip", world.isolated)):
            cases.append(Case(f"{what}, {name}", (program, *words), where, environ={"SAFEPIP_FAST": "0"}))
        own = cases[-1].name
        goals.append(Goal(own, pip, "extra", EXTRA) if limit is None else Goal(own, pip, "ratio", limit))
    more, more_goals = on_unmanaged(world, notes)
    return Group("Passing through", [*cases, *more], [*goals, *more_goals])


def on_unmanaged(world: World, notes: list[str]) -> tuple[list[Case], list[Goal]]:
    """Return the pair on a Python that is not managed, if there is one; its pip is one that does nothing."""
    named = (shutil.which(f"python3.{minor}") for minor in range(20, OLDEST[1] - 1, -1))
    python = next((path for path in (base_python(), *named) if path and serves_unmanaged(path)), None)
    if python is None:
        notes.append("every Python with pip here is managed")
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
    """Return True if an interpreter is its folder's python3, has pip, and is not managed or an environment's."""
    beside, pip = (os.path.join(os.path.dirname(python), name) for name in ("python3", "pip3"))
    if os.path.realpath(beside) != os.path.realpath(python) or not os.access(pip, os.X_OK):
        return False
    return not is_managed(python) and ask(python, "sys.prefix == sys.base_prefix") == "True"


COLD = "safepip install, in a fresh directory"
READY = "pip install, in a ready environment"


def creation(world: World) -> Group:
    """Return the way from a fresh directory to an environment with one small wheel in it."""
    pip = in_ready(world, "ready")
    local, uv = os.path.join(".venv", "bin", "pip"), world.tools.get("uv", "")
    install = (local, "install", SMALL)
    plain = ("--no-setuptools", "--no-periodic-update")  # the cheapest there is: without a look for newer wheels
    seeded = (world.tools["virtualenv"], *plain, "--python", world.python, ".venv")
    by_virtualenv = from_nothing(world, "virtualenv (without setuptools) and pip", seeded, install)
    by_venv = from_nothing(world, "python -m venv and pip", (world.python, "-m", "venv", ".venv"), install)
    made = (uv, "venv", "--quiet", "--python", world.python)
    by_uv = from_nothing(world, "uv venv and uv pip install", made, (uv, "pip", "install", SMALL))
    others = [by_virtualenv, by_venv, *([by_uv] if uv else []), *by_pipx(world)]
    of_ready = 1.5 if os.geteuid() == 0 else 1.0  # root's environments share no file
    limits = ((READY, of_ready), (by_virtualenv.name, 0.45), (by_venv.name, 0.2))
    goals = [Goal(COLD, against, "ratio", limit) for against, limit in limits]
    return Group("Creation, and one small wheel", [cold(world), pip, *others], goals, share=1 / 3)


def in_ready(world: World, name: str) -> Case:
    """Return the case of pip that installs into an environment which is there already."""
    ready = make_project(world, name)
    argv = (in_environment(ready, "pip"), "install", SMALL)
    before = functools.partial(take_out, ready)
    return Case(READY, argv, ready, before, makes=in_environment(ready, SMALL))


def cold(world: World) -> Case:
    """Return the case of safepip in a fresh directory."""
    return from_nothing(world, COLD, (world.isolated, "install", SMALL))._replace(optional=False)


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
    goals = [Goal(case.name, READY, "ratio", 2.5)]
    cases = [case, first, in_ready(world, "ready-first")]
    return Group("Creation, with an empty cache (once per Python)", cases, goals, share=1 / 2)


PYPROJECT = '[project]\nname = "bench"\nversion = "1"\nrequires-python = ">=3.10"\n'
POETRY = PYPROJECT + "[tool.poetry]\npackage-mode = false\n"
PDM = PYPROJECT + "[tool.pdm]\ndistribution = false\n"
HATCH = (
    PYPROJECT
    + """[tool.hatch.envs.default]
path = ".venv"
skip-install = true
dependencies = ["%s"]
python = "%s"
"""
)


def whole_managers(world: World) -> list[Group]:
    """Return the same job done by programs that manage whole projects, locking included."""
    wheel = os.path.join(world.wheels, f"{SMALL.replace('-', '_')}-1.0-py3-none-any.whl")
    tools = {name: world.tools.get(name, "") for name in MANAGERS}
    named = (tools["pdm"], "-n", "use", "--quiet", world.python)
    poetry = from_nothing(world, "poetry add", (tools["poetry"], "-n", "add", wheel), pyproject=POETRY)
    pdm = from_nothing(world, "pdm add", named, (tools["pdm"], "-n", "add", wheel), pyproject=PDM)
    install = (tools["pipenv"], "--python", world.python, "install", wheel)
    pipenv = from_nothing(world, "pipenv install", install)
    environment = HATCH % (SMALL, world.python)
    hatch = from_nothing(world, "hatch env create", (tools["hatch"], "env", "create"), pyproject=environment)
    made = dict(zip(MANAGERS, (poetry, pdm, pipenv, hatch), strict=True))
    cases = [case for name, case in made.items() if tools[name]]
    return [Group("Creation, by managers of projects", [cold(world), *cases], share=1 / 7)] if cases else []


def doing_nothing(world: World, sizes: Sequence[int]) -> Group:
    """Return installing what is there already."""
    cases = satisfied(world, "1 requirement, 10 distributions", 10, ("bench-dist-0",))
    listed = f"{LISTED} requirements, {LISTED} distributions"
    cases += satisfied(world, listed, LISTED, ("-r", "requirements.txt"))
    names = {size: f"{NAMED} requirements, {size} distributions" for size in sizes}
    for size, what in names.items():
        cases += satisfied(world, what, size, ("-r", "requirements.txt"))
    floor = Case("the floor: one start of Python", (world.python, "-IS", "-c", "pass"), world.home)
    goals = [Goal(f"{listed}: safepip", f"{listed}: pip", "ratio", 0.045)]
    if "uv" in world.tools:
        goals.append(Goal(f"{names[100]}: safepip", f"{names[100]}: uv", "ratio", 1.0))
        goals.append(Goal(f"{names[2000]}: safepip", f"{names[2000]}: uv", "ratio", 1 / 3))
    shown = {size: f"{what}: safepip" for size, what in names.items()}
    series = Series("safepip, nothing to do", "distribution", shown)
    return Group("Doing nothing", [floor, *cases], goals, [series], share=1 / 2)


def satisfied(world: World, what: str, size: int, words: tuple[str, ...]) -> list[Case]:
    """Return the ways to install `words` into an environment of `size` distributions that has them."""
    project = make_project(world, f"satisfied-{size}", size)
    cases = [
        Case(f"{what}: safepip", (world.isolated, "install", *words), project),
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


def seeing_to(world: World, *, quick: bool) -> Group:
    """Return what it takes to list and to prune many environments, which are there."""
    project = make_project(world, "listed")
    start = Case("Python alone", (os.path.join(os.path.dirname(world.safepip), "python"), "-c", "pass"), project)
    listed: dict[int, Case] = {}
    pruned: dict[int, Case] = {}
    for count in (500, 2000) if quick else (500, 1000, 2000):
        environ = {"XDG_STATE_HOME": make_many(world, project, count)}
        for cases, words in ((listed, ("env", "list")), (pruned, ("env", "prune", "--unused", "30"))):
            name = f"{' '.join(words[:2])}, environments: {count}"
            cases[count] = Case(name, (world.safepip, *words), project, environ=environ)
    series = [
        Series(f"safepip env {word}", "environment", {size: case.name for size, case in cases.items()})
        for word, cases in (("list", listed), ("prune", pruned))
    ]
    goals = [Goal(cases[2000].name, start.name, "extra", OVERVIEW) for cases in (listed, pruned)]
    return Group("Many environments", [start, *listed.values(), *pruned.values()], goals, series, share=1 / 3)


def make_many(world: World, project: str, count: int) -> str:
    """Make the outlines of `count` environments, in the form of registry.py; return the folder of the state."""
    state, model = os.path.join(world.root, f"many-state-{count}"), os.path.join(project, ".venv")
    records = os.path.join(state, "safepip", "environments")
    os.makedirs(records)
    for number in range(count):
        path = os.path.join(world.root, f"many-{count}", str(number), ".venv")
        site = os.path.join(path, os.path.relpath(site_packages(project), model))
        for name in ("one", "two", "three"):
            os.makedirs(os.path.join(site, f"{name}-1.0.dist-info"))
        os.mkdir(os.path.join(path, "bin"))
        os.symlink(os.path.realpath(os.path.join(model, "bin", "python")), os.path.join(path, "bin", "python"))
        shutil.copyfile(os.path.join(model, "pyvenv.cfg"), os.path.join(path, "pyvenv.cfg"))
        at = os.stat(path)
        fields = ("safepip-environment-1", path, str(at.st_dev), str(at.st_ino), "made", "", "", "")
        with open(os.path.join(records, f"{at.st_dev:x}-{at.st_ino:x}"), "w", encoding="utf-8") as file:
            file.write("\0".join(fields))
    return state


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
            for name, call in ((where, "_safepip_follow"), (f"{where}{EMPTY}", ":")):
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
        has_hook = "_safepip_follow" in text.read()
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
