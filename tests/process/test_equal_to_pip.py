"""The drop-in law: the same line with bare pip and with safepip, in identical worlds at the same place, ends alike.

`equal-lines.txt` holds the lines; others are made up from these by chance. Two worlds: an activated environment, and an unmanaged interpreter first on
PATH. What a run changed is put back from a copy, so that both programs see the very same files and paths.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest
from sandbox import Ran, Sandbox, look, put_recording_pip, without_times, write_source

from safepip.core.invocation import Invocation
from safepip.system.observe import Context, ambient
from safepip.verbs.explain import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

pytestmark = pytest.mark.slow

HERE = os.path.dirname(os.path.abspath(__file__))
VARIABLE = re.compile(r"[A-Z]+_?[A-Z_]*=")
SKIPPED = (".lock", ".safepip", "__pycache__")
OWN_PLACES = re.compile(
    r"(^|/)home/\.(cache|local/state|local/share)/safepip(/|$)|(^|/)home/\.local(/state|/share)?$"
)


def read_lines() -> list[str]:
    with open(os.path.join(HERE, "equal-lines.txt"), encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if line and not line.startswith("#")]


LINES = read_lines()
# Compared with real pip runs; the variable has all of them compared.
COMPARED = LINES if os.environ.get("SAFEPIP_TEST_ALL_LINES") else LINES[::6]
OPTIONS = (
    "-v", "-q", "-qq", "--verbose", "--no-color", "--no-input", "--isolated", "--disable-pip-version-check", "--pre",
    "--log there", "--no-cache-dir", "--timeout 3", "--retries 0", "--format json", "--format freeze", "--local",
    "--format=columns", "--no-deps", "--dry-run", "-U", "--all", "--exclude many9", "--exclude-editable", "--files",
    "--not-required", "--path there", "-h", "--require-virtualenv", "--report -", "--no-index", "--user", "-y",
    "--uptodate", "--no-warn-script-location", "--quiet", "--force-reinstall", "--root-user-action=ignore",
    "alpha", "many9", "nothing-such", "gamma", "./library", "--nonsense", "-c constraints.txt", "-r requirements.txt",
)  # fmt: skip


def made_up(seed: int, count: int) -> Iterator[str]:
    """Yield lines of the file with options and operands added, and words left out; the same for the same seed."""
    chance = random.Random(seed)
    while count:
        words = [*shlex.split(chance.choice(LINES)), *chance.sample(OPTIONS, chance.randrange(4))]
        if chance.random() < 0.2:
            words.remove(chance.choice(words))
        line = " ".join(word if word in OPTIONS else shlex.quote(word) for word in words)
        command = next((word for word in words if not VARIABLE.match(word)), "-")
        if command != "help" and not command.startswith("-"):  # safepip adds words to pip's main help
            yield line
            count -= 1


MADE_UP = tuple(
    dict.fromkeys(
        made_up(
            int(os.environ.get("SAFEPIP_TEST_SEED", "0")), int(os.environ.get("SAFEPIP_TEST_MADE_UP_LINES", "8"))
        )
    )
)
# Lines whose target could differ between the two worlds.
COMPARED_TWICE = [
    line for line in COMPARED if not line.startswith(("cache", "hash", "help", "completion", "config"))
][::4]


class Twins:
    """A world that can be put back: `parts` of it (relative) are watched and restored."""

    def __init__(self, box: Sandbox, bare: str, parts: tuple[str, ...]) -> None:
        self.box = box
        self.bare = bare
        self.parts = parts
        self.known: dict[tuple[int, ...], str] = {}
        self.kept = f"{box.root}.kept"
        for part in parts:
            shutil.copytree(os.path.join(box.root, part), os.path.join(self.kept, part), symlinks=True)
        self.before = self.tree()

    def both(self, line: str) -> tuple[tuple[object, ...], tuple[object, ...]]:
        """Return how the line ended with pip, and with safepip."""
        variables, words = self.split(line)
        return self._ended(self.bare, words, variables), self._ended(self.box.safepip, words, variables)

    def split(self, line: str) -> tuple[Mapping[str, str], list[str]]:
        words = [word.replace("WHEELS", self.box.variables["PIP_FIND_LINKS"]) for word in shlex.split(line)]
        variables = {}
        while words and VARIABLE.match(words[0]):
            name, _, variables[name] = words.pop(0).partition("=")
        return variables, words

    def _ended(self, program: str, words: list[str], variables: Mapping[str, str]) -> tuple[object, ...]:
        # With one seed for both: pip prints a set in the help of `freeze`.
        ran = self.box.call([program, *words], env={"PYTHONHASHSEED": "0", **variables})
        after = self.tree()
        changed = {name: seen for name, seen in after.items() if self.before.get(name) != seen}
        gone = sorted(self.before.keys() - after.keys())
        self.restore({*changed, *gone})
        return ran.code, _steady(ran.out), _steady(ran.pips_err), ran.said, changed, gone

    def tree(self) -> dict[str, tuple[str, int, str]]:
        """Return what is watched, safepip's own places and bytecode left out."""
        found: dict[str, tuple[str, int, str]] = {}
        for part in self.parts:
            seen = without_times(look(os.path.join(self.box.root, part), skip=SKIPPED, known=self.known))
            found.update({f"{part}/{name}": one for name, one in seen.items()})
        return {name: _without_own_dates(name, one) for name, one in found.items() if not OWN_PLACES.search(name)}

    def restore(self, names: set[str]) -> None:
        """Put back the watched entries of these names; those that were not there go."""
        for name in sorted(names, reverse=True):  # what lies in a directory before the directory
            self._remove(os.path.join(self.box.root, name))
        for name in sorted(names & self.before.keys()):
            kept, place = os.path.join(self.kept, name), os.path.join(self.box.root, name)
            if self.before[name][0] == "dir":
                os.makedirs(place, exist_ok=True)
            else:
                shutil.copy2(kept, place, follow_symlinks=False)

    def _remove(self, path: str) -> None:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)


def _without_own_dates(name: str, seen: tuple[str, int, str]) -> tuple[str, int, str]:
    """Leave out the contents of what tells the time or a temporary name: logs, caches, reports."""
    dated = "/.cache/pip/" in name or name.endswith(("project/there", "RECORD"))
    return (seen[0], 0, "") if dated else seen


def _steady(text: bytes) -> bytes:
    """Replace what differs between two runs of pip itself: temporary names, ids, sizes, durations, dates.

    The outermost part of a traceback is the program that starts pip.
    """
    for pattern, instead in (
        (rb"pip-[a-z-]+-[a-z0-9_]{8}", b"pip-TEMPORARY"),
        (rb"\b(tmp|ephem-wheel-cache-|wheels-|editable-)[a-z0-9_]{8}\b", b"TEMPORARY"),
        (rb"/wheels(/[0-9a-f]+){4}", b"/wheels/STORED"),
        (rb"sha256=[0-9a-f]{64}", b"sha256=DIGEST"),
        (rb"\d+(\.\d+)? ?seconds", b"N seconds"),
        (rb"0x[0-9a-f]+", b"0xADDRESS"),
        (rb'  File "[^"]*/(after_pip/[a-z_/]*\.py|bin/pip)", line .*\n(    .*\n)*', b""),
        (rb"\b\d{4}-\d\d-\d\dT[\d:.,+]+", b"DATE"),
    ):
        text = re.sub(pattern, instead, text)
    return text


def furnish(box: Sandbox, pip: str) -> None:
    box.write("requirements.txt", "alpha<2\nmany9\n")
    box.write("constraints.txt", "alpha<2\n")
    box.write("pip.conf", "[install]\nno-deps = true\n")
    box.write("pyproject.toml", '[dependency-groups]\ndev = ["alpha<2"]\n')
    write_source(os.path.join(box.project, "library"), "library")
    ran = box.call([pip, "install", "many8", "many9"])
    assert ran.code == 0, ran.err


@pytest.fixture(scope="module")
def activated(make_sandbox: Callable[..., Sandbox], own: str) -> Twins:
    """Make an environment of virtualenv's, outside any project, and activate it."""
    box = make_sandbox()
    environment = os.path.join(box.root, "env")
    made = box.run("--env", environment, "install", "many9")
    assert made.code == 0, made.err
    shutil.rmtree(os.path.join(environment, ".safepip"), ignore_errors=True)
    box.variables |= {"VIRTUAL_ENV": environment, "PATH": f"{environment}/bin:{box.variables['PATH']}"}
    pip = os.path.join(environment, "bin", "pip")
    furnish(box, pip)
    return Twins(box, pip, ("env", "home", "tmp"))


@pytest.fixture(scope="module")
def unmanaged(make_sandbox: Callable[..., Sandbox], unmanaged_python: str) -> Twins:
    """Put an unmanaged Python first on PATH; only its site-packages and programs are put back."""
    box = make_sandbox()
    folder = os.path.join(box.root, "python")
    shutil.copytree(os.path.dirname(os.path.dirname(unmanaged_python)), folder, symlinks=True)
    pip = os.path.join(folder, "bin", "pip")
    with open(pip, encoding="utf-8") as file:
        text = file.read()
    with open(pip, "w", encoding="utf-8") as file:
        file.write(text.replace(os.path.dirname(os.path.dirname(unmanaged_python)), folder))
    box.variables["PATH"] = f"{folder}/bin:{box.variables['PATH']}"
    furnish(box, pip)
    library = os.path.basename(os.path.realpath(unmanaged_python))
    return Twins(box, pip, (f"python/lib/{library}/site-packages", "python/bin", "home", "tmp"))


@pytest.mark.parametrize("line", LINES)
def test_the_plan_in_an_activated_environment_is_the_line_as_typed(
    activated: Twins, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every line the plan; what pip makes of it is then compared for some."""
    variables, words = activated.split(line)
    environ = {**activated.box.variables, **variables}
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(activated.box.project)
    explained, _, _ = explain(tuple(words), Context(Invocation(words=()), ambient()))
    assert explained["plan"] == "pip", explained
    assert explained["argv"][-len(words) :] == words


@pytest.mark.parametrize("line", COMPARED)
def test_in_an_activated_environment(activated: Twins, line: str) -> None:
    bare, ours = activated.both(line)
    assert ours == bare


@pytest.mark.parametrize("line", MADE_UP)
def test_lines_that_are_made_up(activated: Twins, line: str) -> None:
    bare, ours = activated.both(line)
    assert ours == bare


def test_a_question_that_nobody_answers(activated: Twins) -> None:
    """pip then ends with an EOFError, which is not one of damaged bytecode."""
    bare, ours = activated.both("uninstall many9")
    assert ours == bare
    assert bare[0] == 2


@pytest.mark.parametrize("line", COMPARED_TWICE)
def test_on_an_unmanaged_interpreter(unmanaged: Twins, line: str) -> None:
    bare, ours = unmanaged.both(line)
    assert ours == bare


@pytest.mark.parametrize("world", ["activated", "unmanaged"])
def test_a_line_that_changes_something_shows_in_the_comparison(world: str, request: pytest.FixtureRequest) -> None:
    """The harness itself: an install is seen, and put back."""
    twins: Twins = request.getfixturevalue(world)
    bare, _ = twins.both("install alpha")
    assert any(name.endswith("/alpha.py") for name in bare[4])  # type: ignore[attr-defined]
    assert twins.tree() == twins.before


def test_activated_without_its_variable(activated: Twins) -> None:
    """`ENV PATH=/opt/venv/bin:$PATH` alone activates, as it does for pip."""
    ran = activated.box.run("freeze", env={"VIRTUAL_ENV": None})
    assert ran == activated.box.call([activated.bare, "freeze"], env={"VIRTUAL_ENV": None})
    assert b"many9" in ran.out


def test_activated_late_on_path_serves_under_a_managed_python(activated: Twins) -> None:
    """As in tmux: VIRTUAL_ENV is set, but the system's folders come first on PATH."""
    late = "/usr/bin:/bin:" + os.path.join(activated.box.root, "env", "bin")
    ran: Ran = activated.box.run("freeze", env={"PATH": late})
    assert b"many9==1.0" in ran.out


def test_stale_virtual_env_is_warned_of_once(sandbox: Sandbox) -> None:
    ran = sandbox.run("list", env={"VIRTUAL_ENV": "/nowhere/env"})
    assert ran.code == 0
    assert len(ran.said) == 1
    assert "/nowhere/env" in ran.said[0]


def test_the_activated_environment_wins_over_the_projects(sandbox: Sandbox) -> None:
    assert sandbox.run("install", "many0").code == 0
    assert sandbox.run("--env", "other", "install", "many1").code == 0
    put_recording_pip(sandbox.venv)
    path = f"{sandbox.project}/other/bin:/usr/bin:/bin"
    assert sandbox.run("freeze", env={"PATH": path}).out == b"many1==1.0\n"
