#!/usr/bin/env python3
"""Make what the tests need and run them all: python3 scripts/test.py [--quick] [--python X.Y] [pytest arguments].

Needs only python3; environments and wheels are kept in .test-envs/ (git ignores it) and made again when what
they are made from has changed. In this order: ruff, mypy, the unit tests on other Pythons where these are found,
then everything on this one, with the coverage of the pure modules held at 100 %. Arguments for pytest leave out
the other Pythons and the coverage. The last line is pytest's; the exit code is not 0 where anything failed.

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
    from collections.abc import Iterable, Mapping

STORE = os.path.join(CLONE, ".test-envs")
WHEELS = os.path.join(STORE, "wheels")
OTHER_PYTHONS = ("3.10", "3.13")
PURE_MODULES = ("command", "settings", "plan", "decide")
WHEELS_WANTED = (
    "pip", "virtualenv", "filelock", "platformdirs", "packaging", "typing-extensions",
    "hatchling", "setuptools", "wheel", "uv", "pipx",
)  # fmt: skip
PURE_WHEELS_WANTED = ("tomli",)  # has wheels for single Pythons too, and the tests use several
PYZ_WHEELS = os.path.join(CLONE, "scripts", "pyz", "wheels.txt")
ROOT_ONLY = ("needs root", "only root")  # in the reason for which a test is skipped: never while root runs them
UNIT_TESTS = ("--ignore=tests/integration",)
# A file of tests stays with one worker: what its fixtures make once is made once.
SIDE_BY_SIDE = ("--numprocesses=auto", "--dist=loadfile")


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
    version = tuple(int(number) for number in wanted.split(".") if number.isdigit())
    pyenv = os.path.join(os.path.expanduser("~"), ".pyenv", "versions", f"{wanted}.*", "bin", "python")
    candidates = [shutil.which(f"python{wanted}"), *sorted(glob.glob(pyenv), reverse=True)]
    return next((python for python in candidates if python and version_of(python) == version), None)


def run_all(python: str, pytest_arguments: "list[str]", *, quick: bool) -> int:
    """Prepare, then check, then test; return 0 only where everything passed."""
    environment = prepare_environment(python, ("test", "check"))
    prepare_wheels(environment_python(environment))
    failed = run_checks(environment)
    if not quick and not pytest_arguments:
        others = [name for name in OTHER_PYTHONS if name != version_name(python)]
        failed += [f"unit tests on Python {name}" for name in others if not passes_on(name)]
    code, closing_line, skipped = run_pytest(environment, [*(UNIT_TESTS if quick else ()), *pytest_arguments])
    failed += [f"root skipped what needs root: {line}" for line in skipped_by_root(skipped, is_root())]
    if not pytest_arguments:
        failed += [f"coverage of {gap}" for gap in coverage_gaps(coverage_report(environment))]
    for name in failed:
        speak(f"FAILED: {name}")
    speak(closing_line)
    return 1 if failed or code != 0 else 0


# --- preparing


def prepare_environment(python: str, groups: "tuple[str, ...]") -> str:
    """Return a development environment of `python` with the dependency `groups`; made where it is out of date."""
    environment = os.path.join(STORE, "py" + version_name(python))
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


def install_groups(environment: str, groups: "tuple[str, ...]") -> None:
    """Install safepip, editable, and the dependency `groups` of its pyproject.toml."""
    project = os.path.join(CLONE, "pyproject.toml")
    wanted = [word for group in groups for word in ("--group", f"{project}:{group}")]
    python = environment_python(environment)
    with tempfile.TemporaryDirectory(prefix="safepip-test-") as work:
        pip = obtain_pip(work, None)
        codes = run_pip(python, pip, ["install", "--quiet", "pip >= 26.2"])  # --group came with pip 25.1
    command = [python, "-I", "-m", "pip", "install", "--quiet", *wanted, "--editable", CLONE]
    if codes != 0 or subprocess.run(command, env=pip_environ(os.environ), check=False).returncode != 0:
        raise Stop(69, f"could not fill {environment}; pip's own words stand above")


def prepare_wheels(python: str) -> None:
    """Download once, with the pip of `python`, what the offline tests install."""
    with open(PYZ_WHEELS, encoding="utf-8") as file:
        request = "\n".join([version_name(python), *WHEELS_WANTED, *PURE_WHEELS_WANTED, file.read()])
    with locked(WHEELS + ".lock"):
        if stamp_of(WHEELS) == digest(request):
            return
        speak(f"filling {os.path.relpath(WHEELS)} ...")
        shutil.rmtree(WHEELS, ignore_errors=True)
        for python_version in sorted({*OTHER_PYTHONS, version_name(python)}):
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
        raise Stop(69, "could not download the wheels that the tests install; pip's own words stand above")


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


def run_checks(environment: str) -> "list[str]":
    """Run the checkers; return the names of those that found something."""
    checks = {"ruff": ["ruff", "check", "."], "format": ["ruff", "format", "--check", "."], "mypy": ["mypy"]}
    for platform in ("win32", "darwin"):
        folder = os.path.join(STORE, f"mypy-{platform}")
        checks[f"mypy for {platform}"] = ["mypy", "--platform", platform, "--cache-dir", folder, "safepip"]
    return [name for name, words in checks.items() if run_module(environment, words) != 0]


def run_module(environment: str, words: "list[str]") -> int:
    """Run `python -m` with `words` in the clone; return the exit code."""
    speak(f"$ {os.path.relpath(environment_python(environment))} -m {' '.join(words)}")
    command = [environment_python(environment), "-m", *words]
    return subprocess.run(command, cwd=CLONE, env=test_environ(os.environ), check=False).returncode


def passes_on(version: str) -> bool:
    """Tell whether the unit tests pass on another Python; where there is none, say so and let it be."""
    python = find_python(version)
    if python is None:
        speak(f"no Python {version} here: the unit tests are not repeated on it")
        return True
    words = ["pytest", "--quiet", *SIDE_BY_SIDE, *UNIT_TESTS]
    return run_module(prepare_environment(python, ("test",)), words) == 0


def run_pytest(environment: str, arguments: "list[str]") -> "tuple[int, str, list[str]]":
    """Run pytest with coverage; return its exit code, its closing line, and its lines on what was skipped."""
    report = coverage_report(environment)
    if os.path.exists(report):
        os.unlink(report)
    coverage = ["--cov=safepip", "--cov-branch", "--cov-report=", f"--cov-report=json:{report}"]
    command = [environment_python(environment), "-m", "pytest", *SIDE_BY_SIDE, *coverage, *arguments]
    environ = {**test_environ(os.environ), "COVERAGE_FILE": os.path.join(environment, ".coverage")}
    speak(f"$ {os.path.relpath(command[0])} -m pytest {' '.join(arguments)}")
    closing_line, skipped = "pytest printed nothing", []
    pipe, same = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(command, cwd=CLONE, env=environ, stdout=pipe, stderr=same) as run:
        for line in run.stdout or ():
            shown = line.decode(errors="replace").rstrip("\n")
            speak(shown)
            closing_line = shown if re.match(r"=+ .* in [\d.]+s.* =+$", shown) else closing_line
            skipped += [shown] if shown.startswith("SKIPPED [") else []
    return run.returncode, closing_line, skipped


def skipped_by_root(skipped: "Iterable[str]", root: bool) -> "list[str]":
    """Return those of pytest's lines that skip what only root can do, for the reason that nobody is root."""
    return [line for line in skipped if root and any(reason in line for reason in ROOT_ONLY)]


def is_root() -> bool:
    """Tell whether root runs this."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def test_environ(environ: "Mapping[str, str]") -> "dict[str, str]":
    """Return `environ` without what would make tests depend on who runs them."""
    foreign = ("PIP_", "SAFEPIP_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {name: value for name, value in environ.items() if not name.startswith(foreign)}
    return {**kept, "SAFEPIP_TEST_WHEELS": WHEELS}


def coverage_report(environment: str) -> str:
    """Return where the coverage of the last run is noted."""
    return os.path.join(environment, "coverage.json")


def coverage_gaps(report: str) -> "list[str]":
    """Return what the tests leave out of the pure modules, by coverage's JSON report."""
    if not os.path.isfile(report):
        return ["everything: there is no report"]
    with open(report, encoding="utf-8") as file:
        measured = json.load(file)["files"]
    return [gap for name in PURE_MODULES for gap in gaps_of(f"safepip/{name}.py", measured)]


def gaps_of(path: str, measured: "Mapping[str, dict[str, list[object]]]") -> "list[str]":
    """Return what was not run of the module `path`, in a list of one line at most."""
    if path not in measured:
        return [f"{path}: not measured"]
    lines, branches = (measured[path][f"missing_{kind}"] for kind in ("lines", "branches"))
    if not lines and not branches:
        return []
    return [f"{path}: {len(lines)} lines {lines[:9]}, {len(branches)} branches {branches[:9]}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
