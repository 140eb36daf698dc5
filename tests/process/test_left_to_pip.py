"""What safepip leaves to pip as it is: places the user names, opting out, and lines that install nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import machine
import pytest
from sandbox import SYSTEM_PATH, Ran, Sandbox, Seen, look, system_listing

from safepip import cli
from safepip.core.invocation import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Explain = Callable[..., dict[str, object]]

pytestmark = pytest.mark.slow


def bare_pip(sandbox: Sandbox, *words: str, **how: object) -> Ran:
    """Run the system's own pip by its own name."""
    return sandbox.call(["/usr/bin/pip", *words], **how)  # type: ignore[arg-type]


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Explain:
    """Run `safepip explain --json` in this process: one of its own costs a hundred times as much."""

    def explain(sandbox: Sandbox, *words: str, env: Mapping[str, str | None] | None = None) -> dict[str, object]:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in sandbox.environ(env).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(sandbox.project)
        code = cli.main(["explain", "--json", *words], "safepip")
        shown = capsys.readouterr()
        assert (code, shown.err) == (0, "")
        explained: dict[str, object] = json.loads(shown.out)
        return explained

    return explain


# --- nothing is created

# Others are compared with pip's own answers below.
NOTHING = (
    ["show", "alpha"], ["wheel", "-w", "got", "alpha"], ["lock", "alpha", "-o", "-"],
    ["index", "versions", "alpha"], ["debug"], ["install", "-h"], ["install"],
    ["install", "-r", "missing.txt"], ["install", "-c", "missing.txt", "alpha"], ["help"],
    ["help", "nonsense"], [], ["install", "-r"], ["install", "--upg", "alpha"],
    ["--safepip-version"], ["--safepip-version", "install", "alpha"], ["explain", "install", "alpha"],
    ["install", "--dry-run", "alpha"], ["install", "--dry-run", "--report", "-", "--quiet", "alpha"],
    ["install", "--python", "/usr/bin/python3", "alpha"], ["-qU", "install", "alpha"],
)  # fmt: skip


@pytest.fixture(scope="module")
def bare_world(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox()


@pytest.fixture
def bare_project(bare_world: Sandbox) -> Iterator[Sandbox]:
    """Give a world that holds an empty project and nothing else; a test that leaves something harms no other."""
    yield bare_world
    for folder in (bare_world.project, bare_world.temporary):
        shutil.rmtree(folder)
        os.mkdir(folder)


def left_behind(box: Sandbox, before: dict[str, Seen]) -> set[str]:
    """Return what is new, but for the wheels that a line asked for."""
    new = {name.removeprefix("home/project/") for name in box.traces().keys() - before.keys()}
    return {name for name in new if name != "got" and not name.startswith("got/alpha-")}


@pytest.mark.parametrize("line", NOTHING, ids=lambda line: " ".join(line) or "nothing")
def test_never_creates_anything(bare_project: Sandbox, line: list[str]) -> None:
    before = bare_project.traces()
    ran = bare_project.run(*line)
    assert left_behind(bare_project, before) == set()
    assert ran.code in {0, 1, 2}


@pytest.mark.parametrize(
    "line",
    [["install"], ["install", "-r", "missing.txt"], ["install", "-c", "missing.txt", "alpha"]],
    ids=" ".join,
)
def test_an_install_that_pip_must_fail_ends_with_the_true_error(bare_project: Sandbox, line: list[str]) -> None:
    ran = bare_project.run(*line)
    assert ran.code == 1
    assert b"externally-managed" not in ran.err
    assert (b"missing.txt" if len(line) > 1 else b"at least one requirement") in ran.err


SAME_AS_BARE = (
    ["list"], ["list", "--format=json"], ["freeze"], ["check"], ["show", "pip"], ["inspect"], ["--version"], ["-V"], ["help", "install"], ["install", "--help"], ["cache", "dir"], ["config", "list"],
    ["isntall", "alpha"], ["uninstall"], ["uninstall", "-y", "alpha"], ["completion", "--bash"], ["hash", "missing.whl"],
    ["download", "-d", "got", "alpha"],
)  # fmt: skip


@pytest.mark.parametrize("line", SAME_AS_BARE, ids=lambda line: " ".join(line) or "nothing")
def test_without_an_environment_the_target_interpreters_pip_answers(
    bare_project: Sandbox, line: list[str]
) -> None:
    """And safepip creates nothing."""
    got = os.path.join(bare_project.project, "got")
    wanted = bare_pip(bare_project, *line)
    shutil.rmtree(got, ignore_errors=True)
    before = bare_project.traces()
    ran = bare_project.run(*line)
    assert (ran.code, ran.out, ran.pips_err) == wanted
    assert left_behind(bare_project, before) == set()


@pytest.mark.parametrize("line", [[], ["help"], ["-h"]], ids=" ".join)
def test_help_begins_with_ten_lines_of_safepips_only_where_that_was_typed(
    bare_project: Sandbox, line: list[str]
) -> None:
    pips, ours = bare_pip(bare_project, *line), bare_project.run(*line)
    assert (ours.code, ours.err) == (0, b"")
    own, blank, rest = ours.out.partition(b"\n\n")
    assert (len(own.splitlines()), blank + rest) == (10, blank + pips.out)
    assert bare_project.call([bare_project.named("pip"), *line]) == pips


def test_help_of_nothing_names_the_topics(bare_project: Sandbox) -> None:
    ran = bare_project.run("help", "nonsense")
    assert (ran.code, ran.out) == (1, b"")
    assert ", ".join(TOPICS) in ran.said[0]
    assert b'unknown command "nonsense"' in ran.pips_err


def test_uninstall_without_an_environment_keeps_pips_refusal(bare_project: Sandbox) -> None:
    ran = bare_project.run("uninstall", "-y", "alpha")
    assert ran.code == 1
    assert b"externally-managed-environment" in ran.err
    assert ran.said == [".venv does not exist yet, so nothing is installed in it"]
    assert ran.err.endswith(b"installed in it\n")


# --- dry runs


def test_dry_run_without_an_environment_prints_pips_report_and_leaves_no_trace(sandbox: Sandbox) -> None:
    before = sandbox.traces()
    ran = sandbox.run("install", "--dry-run", "beta")
    assert ran.code == 0, ran.err
    assert b"Would install alpha-2.0 beta-1.0" in ran.out
    assert sandbox.traces() == before


def test_dry_run_passes_pips_failure(sandbox: Sandbox) -> None:
    before = sandbox.traces()
    ran = sandbox.run("install", "--dry-run", "nowhere-to-be-found")
    assert ran.code == 1
    assert b"No matching distribution found" in ran.err
    assert sandbox.traces() == before


def test_dry_run_in_an_environment_changes_nothing(furnished: Sandbox) -> None:
    before = look(furnished.home, skip=[".cache", ".lock"])
    ran = furnished.run("install", "--dry-run", "many0")
    assert b"Would install many0-1.0" in ran.out
    assert look(furnished.home, skip=[".cache", ".lock"]) == before


# --- a place that the user names

PLACES = (
    (["-t", "there"], {}, None),
    (["--target", "there"], {}, None),
    (["--target=there"], {}, None),
    (["--targ=there"], {}, None),
    (["-qtthere"], {}, None),
    (["-qt", "there"], {}, None),
    ([], {"PIP_TARGET": "there"}, None),
    ([], {}, "[install]\ntarget = there\n"),
    ([], {}, "[global]\ntarget = there\n"),
    (["--prefix", "there"], {}, None),
    (["--prefi=there"], {}, None),
    ([], {"PIP_PREFIX": "there"}, None),
    ([], {}, "[install]\nprefix = there\n"),
    (["--root", "there"], {}, None),
    (["--root=there"], {}, None),
    ([], {"PIP_ROOT": "there"}, None),
    (["-t", "there", "--user", "--no-user"], {}, None),
    (["--dry-run", "--report", "there"], {}, None),
    (["--dry-run"], {"PIP_REPORT": "there"}, None),
)


def _name(case: object) -> str:
    return str(case) if case else "-"


REALLY_RUN = [PLACES[at] for at in (0, 7, 9, 13, 17)]


@pytest.mark.parametrize(("options", "variables", "configuration"), PLACES, ids=_name)
def test_a_place_is_understood(
    explain: Explain,
    bare_project: Sandbox,
    options: list[str],
    variables: dict[str, str],
    configuration: str | None,
) -> None:
    line = ["install", *options, "alpha"]
    with configured(bare_project, configuration):
        explained = explain(bare_project, *line, env=variables)
    assert (explained["plan"], explained["environment"]) == ("pip", None)
    assert explained["argv"][2:] == line  # type: ignore[index]


@pytest.mark.parametrize(("options", "variables", "configuration"), REALLY_RUN, ids=_name)
def test_a_place_is_handed_to_pip_untouched(
    bare_project: Sandbox, options: list[str], variables: dict[str, str], configuration: str | None
) -> None:
    line = ["install", "--no-compile", *options, "alpha"]
    there = os.path.join(bare_project.project, "there")
    with configured(bare_project, configuration):
        wanted = bare_pip(bare_project, *line, env=variables)
        expected = _listing(there)
        shutil.rmtree(there) if os.path.isdir(there) else os.unlink(there)
        ran = bare_project.run(*line, env=variables)
    assert (ran, _listing(there)) == (wanted, expected)
    assert expected
    assert os.listdir(bare_project.project) == ["there"]


@contextlib.contextmanager
def configured(sandbox: Sandbox, text: str | None) -> Iterator[None]:
    """Have `text` stand in the user's pip.conf meanwhile."""
    if text:
        machine.skip_where_pip_reads_files()
    folder = os.path.join(sandbox.home, ".config", "pip")
    os.makedirs(folder)
    with open(os.path.join(folder, "pip.conf"), "w", encoding="utf-8") as file:
        file.write(text or "")
    yield
    shutil.rmtree(os.path.dirname(folder))


def _listing(path: str) -> set[str]:
    return set(look(path)) if os.path.isdir(path) else {"a file"} if os.path.isfile(path) else set()


# --- opting out

OPT_OUTS = (
    (["--break-system-packages"], {}, ""),
    (["--break-sys"], {}, ""),
    ([], {"PIP_BREAK_SYSTEM_PACKAGES": "1"}, ""),
    ([], {"PIP_BREAK_SYSTEM_PACKAGES": "yes"}, ""),
    ([], {}, "[global]\nbreak-system-packages = true\n"),
    ([], {}, "[install]\nbreak-system-packages = true\n"),
)


@pytest.mark.parametrize(("options", "variables", "configuration"), OPT_OUTS, ids=_name)
def test_opting_out_is_understood(
    explain: Explain, bare_project: Sandbox, options: list[str], variables: dict[str, str], configuration: str
) -> None:
    line = ["install", *options, "alpha"]
    with configured(bare_project, configuration):
        explained = explain(bare_project, *line, env=variables)
    assert (explained["plan"], explained["environment"]) == ("pip", None)
    assert explained["argv"][2:] == line  # type: ignore[index]


@pytest.mark.usefixtures("walls")
@pytest.mark.parametrize(("options", "variables", "configuration"), [OPT_OUTS[at] for at in (0, 4)], ids=_name)
def test_opting_out_installs_into_the_system_as_pip_does(
    bare_project: Sandbox, options: list[str], variables: dict[str, str], configuration: str
) -> None:
    """In a namespace where /usr/local is a throw-away and all else of the machine is read-only."""
    system = system_listing()
    shell = '"$@" || exit; find /usr/local -name "alpha*" | sort'
    line = ["install", "--no-compile", *options, "alpha"]
    with configured(bare_project, configuration):
        wanted = _walled(bare_project, ["sh", "-c", shell, "sh", "/usr/bin/pip", *line], variables)
        ran = _walled(bare_project, ["sh", "-c", shell, "sh", bare_project.safepip, *line], variables)
    assert ran == wanted
    assert ran.code == 0, ran.err
    assert b"/usr/local/lib/python3" in ran.out
    assert not os.path.lexists(bare_project.venv)
    assert system_listing() == system


@pytest.mark.parametrize(
    "line", [["list"], ["uninstall", "alpha"], ["install", "alpha"], ["freeze"]], ids=" ".join
)
@pytest.mark.parametrize("how", ["variable", "global section"])
def test_opting_out_for_good_counts_for_every_subcommand(
    explain: Explain, furnished: Sandbox, line: list[str], how: str
) -> None:
    variable = how == "variable"
    with configured(furnished, None if variable else "[global]\nbreak-system-packages = true\n"):
        explained = explain(furnished, *line, env={"PIP_BREAK_SYSTEM_PACKAGES": "1"} if variable else {})
    assert (explained["plan"], explained["environment"]) == ("pip", None)
    assert str(explained["argv"][0]).startswith("/usr/bin/python3")  # type: ignore[index]


def test_false_values_do_not_opt_out(explain: Explain, bare_project: Sandbox) -> None:
    assert explain(bare_project, "install", "alpha", env={"PIP_BREAK_SYSTEM_PACKAGES": "0"})["plan"] == "create"
    assert explain(bare_project, "install", "alpha", env={"PIP_BREAK_SYSTEM_PACKAGES": ""})["plan"] == "create"


@pytest.mark.parametrize("variables", [{"SAFEPIP_BYPASS": "1"}, {}], ids=["variable", "option"])
def test_bypassing_gives_pips_refusal(bare_project: Sandbox, variables: dict[str, str]) -> None:
    options = [] if variables else ["--system"]
    ran = bare_project.run(*options, "install", "alpha", env=variables)
    assert ran == bare_pip(bare_project, "install", "alpha")
    assert ran.code == 1
    assert b"externally-managed-environment" in ran.err


@pytest.fixture(scope="module")
def walls(managed_python: str) -> None:
    """Skip where no namespace can be made."""
    bwrap = shutil.which("bwrap")
    if bwrap is None or os.geteuid() != 0:
        pytest.skip("needs bubblewrap and root to wall the machine's own files in")
    tried = subprocess.run([bwrap, "--ro-bind", "/", "/", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"bubblewrap does not work here: {tried.stderr!r}")


def _walled(sandbox: Sandbox, argv: list[str], variables: dict[str, str]) -> Ran:
    walls = [
        "bwrap", "--ro-bind", "/", "/", "--tmpfs", "/usr/local", "--dev", "/dev", "--proc", "/proc",
        "--bind", sandbox.root, sandbox.root, "--die-with-parent", "--chdir", sandbox.project,
    ]  # fmt: skip
    assert SYSTEM_PATH in sandbox.variables["PATH"]
    return sandbox.call([*walls, *argv], env=variables)
