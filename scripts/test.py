#!/usr/bin/env python3
"""Make what the tests need and run them all: python3 scripts/test.py [--quick] [--python X.Y] [pytest arguments].

Needs only python3 and a package index. Environments, wheels and tools are kept in .test-envs/ (ignored by git) and
made again when what they are made from has changed. Ruff, mypy and the unit tests on other Pythons run beside
pytest, which runs everything on this Python and holds the coverage of the pure modules at 100 %. Arguments for
pytest leave out the other Pythons and the coverage. The last line is pytest's; the exit code is 0 only when
everything passed.

Like bootstrap.py, whose way to a pip it uses, this file stays readable for Python 3.6.
"""

import argparse
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bootstrap import (
    CLONE,
    OLDEST,
    Stop,
    complain,
    locked,
    obtain_pip,
    pip_environ,
    run_pip,
    speak,
    use_recent_python,
    version_of,
)
from environments import environment_python, make_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

STORE = os.path.join(CLONE, ".test-envs")
WHEELS = os.path.join(STORE, "wheels")
TOOLS = os.path.join(STORE, "tools")
OTHER_PYTHONS = ("3.10", "3.13")
SUPPORTED_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PURE_MODULES = (
    "core/pip_line", "core/settings", "core/world", "core/plan", "core/decide", "core/handover", "core/creation",
    "core/refusals", "core/slips",
)  # fmt: skip
WHEELS_WANTED = (
    "pip", "virtualenv", "filelock", "platformdirs", "packaging", "typing-extensions",
    "hatchling", "setuptools", "wheel", "uv", "pipx",
)  # fmt: skip
PURE_WHEELS_WANTED = ("tomli",)  # has wheels for single Pythons too, and the tests use several
PYZ_WHEELS = os.path.join(CLONE, "scripts", "pyz", "wheels.txt")
# Each in an environment of its own, called as the package: .test-envs/tools/poetry/bin/poetry.
TOOLS_WANTED = (
    "uv", "poetry", "pdm", "pipenv", "hatch", "tox", "nox", "pre-commit", "pip-tools", "ansible-core", "xonsh",
)  # fmt: skip
# Programs that some tests need, by the Debian package that has them.
DEBIAN_PACKAGES = {
    "fish": "fish", "zsh": "zsh", "tcsh": "tcsh", "ksh": "ksh", "mksh": "mksh", "busybox": "busybox",
    "strace": "strace", "bwrap": "bubblewrap", "git": "git", "make": "make", "groff": "groff",
    "shellcheck": "shellcheck", "setpriv": "util-linux", "script": "bsdutils", "sudo": "sudo", "tmux": "tmux",
}  # fmt: skip
ROOT_ONLY = ("needs root", "only root")  # a test with such a reason must not be skipped when root runs it
UNIT_TESTS = ("--ignore=tests/process", "--ignore=tests/slow")
# One worker more than cores, since the tests wait a third of their time for disks, locks and terminals.
# A file stays with one worker: what its fixtures make once is made once. tests/longest_first.py orders the files.
WORKERS = (os.cpu_count() or 1) + 1
SIDE_BY_SIDE = (f"--numprocesses={WORKERS}", "--dist=loadfile", "--no-loadscope-reorder")
CHECKS_AT_ONCE = 2  # beside pytest; one at a time would still run when pytest has ended


def main(argv: "list[str]") -> int:
    """Prepare, check and test by the command line `argv`; return the exit code."""
    try:
        use_recent_python()
        options, pytest_arguments = parse(argv)
        return run_all(chosen_python(options.python), pytest_arguments, quick=options.quick)
    except Stop as stop:
        return complain(stop.code, *stop.lines)
    except KeyboardInterrupt:
        return 130


def parse(argv: "list[str]") -> "tuple[argparse.Namespace, list[str]]":
    """Read the command line; what is not known is for pytest."""
    parser = argparse.ArgumentParser(prog="test.py", description="Run all checks and tests.", allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="only the unit tests, only on one Python")
    parser.add_argument("--python", metavar="X.Y", default=sys.executable, help="a version, or a path")
    return parser.parse_known_args(argv)


def chosen_python(wanted: str) -> str:
    """Return the path of the Python that was asked for; Stop where there is none."""
    python = find_python(wanted)
    if python is None or version_of(python) < OLDEST:
        raise Stop(69, f"there is no Python {wanted} on PATH or among pyenv's, or it is older than 3.10")
    return python


def find_python(wanted: str) -> "str | None":
    """Return the path of the Python of version `wanted` (or at that path), None where there is none."""
    if os.sep in wanted:
        return wanted
    version = tuple(map(int, filter(str.isdigit, wanted.split("."))))
    pyenv = os.path.join(os.path.expanduser("~"), ".pyenv", "versions", f"{wanted}.*", "bin", "python")
    candidates = [shutil.which(f"python{wanted}"), *sorted(glob.glob(pyenv), reverse=True)]
    for python in filter(None, candidates):
        if version_of(python) == version:
            return python
    return None


def run_all(python: str, pytest_arguments: "list[str]", *, quick: bool) -> int:
    """Prepare, then check and test at the same time; return 0 only when everything passed."""
    os.makedirs(STORE, exist_ok=True)  # readable for the other users that some tests become
    environment = prepare_environment(python, ("test", "check", "docs"))
    prepare_wheels(environment_python(environment))
    arguments, others = list(pytest_arguments), []  # type: list[str], list[str]
    if quick:
        arguments = [*UNIT_TESTS, *pytest_arguments]
    elif not pytest_arguments:
        others = [name for name in OTHER_PYTHONS if name != version_name(python)]
    checks = checks_of(environment, others)
    with ThreadPoolExecutor(max_workers=CHECKS_AT_ONCE) as beside:
        passed = {name: beside.submit(check) for name, check in checks.items()}
        if not quick:
            prepare_tools(environment_python(environment), python)
        code, closing_line, skipped = run_pytest(environment, arguments)
        failed = [name for name, check in passed.items() if not check.result()]
    failed += [f"root skipped what needs root: {line}" for line in skipped_by_root(skipped, is_root())]
    if not pytest_arguments:
        failed += coverage_gaps(coverage_report(environment))
    advise_packages(skipped)
    for name in failed:
        speak(f"FAILED: {name}")
    speak(closing_line)
    return 1 if failed or code != 0 else 0


def advise_packages(skipped: "Iterable[str]") -> None:
    """Name the Debian packages that would let skipped tests run."""
    missing = sorted({package for program, package in DEBIAN_PACKAGES.items() if shutil.which(program) is None})
    if missing and any(skipped):
        speak(f"more tests would run after: apt-get install {' '.join(missing)}")


# --- preparing


def prepare_environment(python: str, groups: "tuple[str, ...]") -> str:
    """Return a development environment of `python` with the dependency `groups`; made where it is out of date."""
    environment = os.path.join(STORE, environment_name(python))
    with open(os.path.join(CLONE, "pyproject.toml"), encoding="utf-8") as file:
        request = "\n".join([os.path.realpath(python), *groups, file.read()])
    with locked(environment + ".lock"):
        if stamp_of(environment) != digest(request) or version_of(environment_python(environment)) == ():
            speak(f"making {os.path.relpath(environment)} ...")
            shutil.rmtree(environment, ignore_errors=True)
            make_environment(python, environment)
            install_groups(environment, groups)
            write_stamp(environment, digest(request))
    return environment


def environment_name(python: str) -> str:
    """Return a name for the environment of `python`, which differs for two Pythons of one version."""
    return f"py{version_name(python)}-{digest(os.path.realpath(python))[:6]}"


def install_groups(environment: str, groups: "tuple[str, ...]") -> None:
    """Install safepip, editable, and the dependency `groups` of its pyproject.toml."""
    project = os.path.join(CLONE, "pyproject.toml")
    wanted = []
    for group in groups:
        wanted += ["--group", f"{project}:{group}"]
    python = environment_python(environment)
    with tempfile.TemporaryDirectory(prefix="safepip-test-") as work:
        pip = obtain_pip(work, None)
        code = run_pip(python, pip, ["install", "--quiet", "pip >= 26.2"])  # --group came with pip 25.1
    if code == 0:
        command = [python, "-I", "-m", "pip", "install", "--quiet", *wanted, "--editable", CLONE]
        code = subprocess.run(command, env=pip_environ(os.environ), check=False).returncode
    if code != 0:
        raise Stop(69, f"could not fill {environment}; see pip's output above")


def prepare_wheels(python: str) -> None:
    """Download once, with the pip of `python`, what the offline tests install."""
    with open(PYZ_WHEELS, encoding="utf-8") as file:
        request = "\n".join([*SUPPORTED_PYTHONS, *WHEELS_WANTED, *PURE_WHEELS_WANTED, file.read()])
    with locked(WHEELS + ".lock"):
        if stamp_of(WHEELS) == digest(request):
            return
        speak(f"filling {os.path.relpath(WHEELS)} ...")
        shutil.rmtree(WHEELS, ignore_errors=True)
        for python_version in SUPPORTED_PYTHONS:
            narrowed = ["--only-binary=:all:", "--python-version", python_version]
            download_wheels(python, [*narrowed, *WHEELS_WANTED])
        pure = ["--no-deps", "--only-binary=:all:", "--platform", "any", "--implementation", "py", "--abi", "none"]
        download_wheels(python, [*pure, *PURE_WHEELS_WANTED])
        download_wheels(python, [*pure, "--python-version", "3.10", "--require-hashes", "-r", PYZ_WHEELS])
        write_stamp(WHEELS, digest(request))


def download_wheels(python: str, arguments: "list[str]") -> None:
    """Run one `pip download` into the wheels' folder."""
    command = [python, "-I", "-m", "pip", "download", "--quiet", "--dest", WHEELS, *arguments]
    if subprocess.run(command, env=pip_environ(os.environ), check=False).returncode != 0:
        raise Stop(69, "could not download the wheels that the tests install; see pip's output above")


def prepare_tools(pip_python: str, python: str) -> None:
    """Make an environment of `python` for each of the tools, filled by the pip of `pip_python`."""
    with locked(TOOLS + ".lock"):
        for name in TOOLS_WANTED:
            environment = os.path.join(TOOLS, name)
            if stamp_of(environment) == name and version_of(environment_python(environment)) != ():
                continue
            speak(f"making {os.path.relpath(environment)} ...")
            shutil.rmtree(environment, ignore_errors=True)
            make_environment(python, environment)
            if install_tool(pip_python, environment, name):
                write_stamp(environment, name)
            else:
                shutil.rmtree(environment)
                speak(f"could not install {name}; tests that need it are skipped")


def install_tool(pip_python: str, environment: str, name: str) -> bool:
    """Install the package `name` into `environment`; return True if that succeeded."""
    pip = [pip_python, "-I", "-m", "pip", "--python", environment_python(environment)]
    command = [*pip, "install", "--quiet", "--no-compile", "--only-binary=:all:", name]
    return subprocess.run(command, env=pip_environ(os.environ), check=False).returncode == 0


def digest(text: str) -> str:
    """Return a short name for `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamp_of(folder: str) -> "str | None":
    """Return the digest of what `folder` was completely made from, None where it is not complete."""
    stamp = os.path.join(folder, ".complete")
    if not os.path.isfile(stamp):
        return None
    with open(stamp, encoding="utf-8") as file:
        return file.read()


def write_stamp(folder: str, text: str) -> None:
    """Note that `folder` is complete."""
    with open(os.path.join(folder, ".complete"), "w", encoding="utf-8") as file:
        file.write(text)


def version_name(python: str) -> str:
    """Return the version of an interpreter as people write it, such as 3.12."""
    return ".".join(map(str, version_of(python)))


# --- checking and testing


def checks_of(environment: str, other_pythons: "Iterable[str]") -> "dict[str, Callable[[], bool]]":
    """Return the unit tests on other Pythons and the checkers by name, those that take longest first."""
    checks = {}  # type: dict[str, Callable[[], bool]]
    for version in other_pythons:
        checks[f"unit tests on Python {version}"] = partial(passes_on, version)
    checkers = {"mypy": ["mypy"], "ruff": ["ruff", "check", "."], "format": ["ruff", "format", "--check", "."]}
    for platform in ("win32", "darwin"):
        folder = os.path.join(STORE, f"mypy-{platform}")
        checkers[f"mypy for {platform}"] = ["mypy", "--platform", platform, "--cache-dir", folder, "safepip"]
    for name, words in checkers.items():
        checks[name] = partial(passes, environment, words)
    return checks


def passes(environment: str, words: "list[str]") -> bool:
    """Run `python -m` with `words` in the clone, print its output in one piece, and return True if it passed."""
    python = environment_python(environment)
    pipe, same = subprocess.PIPE, subprocess.STDOUT
    environ = test_environ(os.environ)
    run = subprocess.run([python, "-m", *words], cwd=CLONE, env=environ, stdout=pipe, stderr=same, check=False)
    output = run.stdout.decode(errors="replace").rstrip()
    speak(f"$ {os.path.relpath(python)} -m {' '.join(words)}\n{output}")
    return run.returncode == 0


def passes_on(version: str) -> bool:
    """Return True if the unit tests pass on another Python, or if that Python is missing."""
    python = find_python(version)
    if python is None:
        speak(f"no Python {version} here: the unit tests are not repeated on it")
        return True
    # What is marked as slow makes real environments with other tools: once, on this Python, is enough.
    words = ["pytest", "--quiet", *UNIT_TESTS, "-m", "not slow"]
    return passes(prepare_environment(python, ("test",)), words)


def run_pytest(environment: str, arguments: "list[str]") -> "tuple[int, str, list[str]]":
    """Run pytest with coverage; return its exit code, its closing line, and its lines on what was skipped."""
    report = coverage_report(environment)
    if os.path.exists(report):
        os.unlink(report)
    coverage = ["--cov=safepip/core", "--cov-branch", "--cov-report=", f"--cov-report=json:{report}"]
    command = [environment_python(environment), "-m", "pytest", *SIDE_BY_SIDE, *coverage, *arguments]
    environ = {**test_environ(os.environ), "COVERAGE_FILE": os.path.join(environment, ".coverage")}
    speak(f"$ {os.path.relpath(command[0])} -m pytest {' '.join(arguments)}")
    closing_line, skipped = "pytest printed nothing", []
    pipe, same = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(command, cwd=CLONE, env=environ, stdout=pipe, stderr=same) as run:
        for line in run.stdout or ():
            shown = line.decode(errors="replace").rstrip("\n")
            speak(shown)
            if shown.startswith("SKIPPED ["):
                skipped.append(shown)
            elif re.match(r"=+ .* in [\d.]+s.* =+$", shown):
                closing_line = shown
    return run.returncode, closing_line, skipped


def skipped_by_root(skipped: "Iterable[str]", root: bool) -> "list[str]":
    """Return those of pytest's lines that skip what only root can do, though root runs them."""
    if not root:
        return []
    return [line for line in skipped if any(reason in line for reason in ROOT_ONLY)]


def is_root() -> bool:
    """Return True if root runs this."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def test_environ(environ: "Mapping[str, str]") -> "dict[str, str]":
    """Return `environ` without what would make tests depend on who runs them."""
    foreign = ("PIP_", "SAFEPIP_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {name: value for name, value in environ.items() if not name.startswith(foreign)}
    return {**kept, "SAFEPIP_TEST_WHEELS": WHEELS, "SAFEPIP_TEST_TOOLS": TOOLS}


def coverage_report(environment: str) -> str:
    """Return where the coverage of the last run is noted."""
    return os.path.join(environment, "coverage.json")


def coverage_gaps(report: str) -> "list[str]":
    """Return what the tests leave out of the pure modules, by coverage's JSON report."""
    if not os.path.isfile(report):
        return ["coverage: pytest made no report"]
    with open(report, encoding="utf-8") as file:
        measured = json.load(file)["files"]  # type: Mapping[str, dict[str, list[object]]]
    gaps = []
    for name in PURE_MODULES:
        path = f"safepip/{name}.py"
        if path not in measured:
            gaps.append(f"coverage of {path}: not measured")
            continue
        lines, branches = measured[path]["missing_lines"], measured[path]["missing_branches"]
        if lines or branches:
            told = f"{len(lines)} lines {lines[:9]}, {len(branches)} branches {branches[:9]}"
            gaps.append(f"coverage of {path}: {told}")
    return gaps


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
