"""Acting on a plan: what the process that pip becomes is given, with the system's exec and spawn recorded."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import types

import pytest
from tree import TREE

from safepip import __version__
from safepip.actions import pipx, sudo
from safepip.actions.execute import execute, hand_over
from safepip.core.invocation import VERBS, read_invocation
from safepip.core.pip_line import read
from safepip.core.plan import (
    RUNNER,
    Create,
    Handover,
    InEnvironment,
    Pip,
    Pipx,
    Rebuild,
    Refuse,
    RunHint,
    StepDown,
    Temporary,
    Verb,
    Version,
)
from safepip.core.record import replace
from safepip.core.settings import Settings
from safepip.core.world import ABSENT, BROKEN, USABLE, Environment, Interpreter
from safepip.envs import health, journal, rebuild
from safepip.envs.create import Made
from safepip.envs.verify import sites
from safepip.errors import CANNOT_RUN, NOT_FOUND, SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.observe import Context, ambient
from safepip.system.process import HANDOVER, child_environ, entered, spawn, start
from safepip.system.project_tools.tools import hinted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at descriptors in /proc")

BASE = Interpreter(
    path="/usr/bin/python3", real="/usr/bin/python3.12", version=(3, 12, 3), prefix="/usr", base_prefix="/usr",
    stdlib="/usr/lib/python3.12", site="lib/python3.12/site-packages",
)  # fmt: skip
PLAIN = Handover(python="/py", words=("list",), program="/bin/pip")


class ReplacedError(Exception):
    """The process became another program, and so nothing of safepip's ran on."""


@pytest.fixture
def became(monkeypatch):
    """What this process became: program, argv, environ and the descriptors that the program inherits, each time."""
    calls = []

    def execve(path, argv, environ):
        held = inherited()
        calls.append(types.SimpleNamespace(path=path, argv=argv, environ=environ, held=sorted(held.values())))
        for descriptor in (number for number, name in held.items() if name.endswith(".lock")):
            os.close(descriptor)  # as when the program has ended
        raise ReplacedError

    monkeypatch.setattr(os, "execve", execve)
    return calls


def inherited():
    """Return the descriptors that an exec leaves open, and the paths of their files."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.get_inheritable(int(name)):
                found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


@pytest.fixture
def context(home, work):
    """What surrounds this process, and a line that installs."""
    invocation = read_invocation("safepip", ("install", "six"), module=False)
    around = replace(ambient(), cwd=work, terminal=False)
    state = os.path.join(home, "state")
    return Context(invocation, around, settings=Settings(), state=state, cache=None)


@pytest.fixture
def report():
    return Report()


@pytest.fixture
def into(environment):
    """The hand-over of a change to the pip of a real environment."""
    return Handover(
        python=f"{environment}/bin/python", words=("install", "six"), program=f"{environment}/bin/pip",
        environment=environment, enter=True, changes_packages=True,
    )  # fmt: skip


# -- the variables that pip gets


def test_nothing_is_changed_but_what_the_runner_removes(monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/h")
    monkeypatch.setenv("VIRTUAL_ENV", "/v")
    monkeypatch.setenv("PIP_INDEX_URL", "https://x")
    before = dict(os.environ)
    after = child_environ(PLAIN)
    spare = after.pop("SAFEPIP_RUN_SPARE")
    assert after.pop("SAFEPIP_RUN_AS") == "/bin/pip"
    assert after == before == dict(os.environ)
    assert os.path.isfile(os.path.join(spare, "pip", "__init__.py"))


def test_where_safepip_has_no_pip_none_is_offered(monkeypatch, work):
    monkeypatch.setattr(sys, "path", [work])
    assert "SAFEPIP_RUN_SPARE" not in child_environ(PLAIN)


def test_changes_are_made_and_none_removes(monkeypatch):
    monkeypatch.setenv("PIP_PYTHON", "/x")
    found = child_environ(
        replace(PLAIN, variables=(("PIP_PYTHON", None), ("PIP_NO_USER", None), ("PIP_USER", "0")))
    )
    assert found["PIP_USER"] == "0"
    assert not {"PIP_PYTHON", "PIP_NO_USER"} & set(found)
    assert os.environ["PIP_PYTHON"] == "/x"


def test_the_plans_changes_come_last():
    told = replace(PLAIN, environment="/e", enter=True, variables=(("VIRTUAL_ENV", None), ("PATH", "/only")))
    assert child_environ(told)["PATH"] == "/only"
    assert "VIRTUAL_ENV" not in child_environ(told)


@pytest.mark.parametrize("enter", [True, False])
def test_an_environment_is_entered_where_the_plan_says_so(monkeypatch, enter):
    monkeypatch.setenv("PATH", "/a:/b")
    monkeypatch.setenv("PYTHONHOME", "/h")
    found = child_environ(replace(PLAIN, environment="/e", enter=enter))
    assert found["PATH"] == ("/e/bin:/a:/b" if enter else "/a:/b")
    assert ("VIRTUAL_ENV" in found, "PYTHONHOME" in found) == (enter, not enter)


def test_what_is_to_be_said_is_given_to_the_runner():
    assert {"SAFEPIP_RUN_HINT", "SAFEPIP_RUN_CLOSING"}.isdisjoint(child_environ(PLAIN))
    hint = RunHint(how="run {} in a\x1bb", asked=("six", "click"))
    found = child_environ(replace(PLAIN, run_hint=hint, closing=("one", "tw\x1bo")))
    assert found["SAFEPIP_RUN_HINT"] == "six click:run {} in a\\x1bb"
    assert found["SAFEPIP_RUN_CLOSING"] == "one\ntw\\x1bo"


def test_only_a_lock_marks_the_handover():
    assert HANDOVER not in child_environ(replace(PLAIN, environment="/e"))
    found = child_environ(replace(PLAIN, environment="/e"), locked=True)
    assert found[HANDOVER] == f"{os.getpid()}:/e"


def test_variables_of_any_bytes_arrive(monkeypatch):
    monkeypatch.setenv("ODD", "caf\udce9")
    assert child_environ(PLAIN)["ODD"] == "caf\udce9"


def test_an_environment_whose_pip_runs_is_the_hooks_no_more(monkeypatch):
    """What its builds start goes by it, and not by the directory that they are built in."""
    monkeypatch.setenv("SAFEPIP_ACTIVATED", "/e")
    assert "SAFEPIP_ACTIVATED" not in child_environ(replace(PLAIN, environment="/e"))
    assert child_environ(PLAIN)["SAFEPIP_ACTIVATED"] == "/e"


# -- an environment entered


def test_what_is_entered_comes_first_and_nothing_leads_away_from_it():
    given = {
        "PATH": "/a", "PYTHONHOME": "/h", "_PIP_RUNNING_IN_SUBPROCESS": "1", "__PYVENV_LAUNCHER__": "/l",
        "SAFEPIP_ACTIVATED": "/e",
        "VIRTUAL_ENV": "/old", "PYTHONPATH": "/p",
    }  # fmt: skip
    kept = dict(given)
    assert entered("/e", given) == {"PATH": "/e/bin:/a", "VIRTUAL_ENV": "/e", "PYTHONPATH": "/p"}
    assert given == kept


def test_without_a_path_the_systems_own_follows():
    assert entered("/e", {}) == {"PATH": f"/e/bin:{os.defpath}", "VIRTUAL_ENV": "/e"}


# -- becoming another program


def test_the_process_becomes_the_program(became):
    argv = ("/py", "", "caf\udce9", "a b", "--")
    with pytest.raises(ReplacedError):
        start(argv, {"A": "b"})
    assert (became[0].path, became[0].argv, became[0].environ) == ("/py", argv, {"A": "b"})


def test_what_was_printed_is_out_before(became, monkeypatch):
    flushed = []
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(flush=lambda: flushed.append(len(became))))
    with pytest.raises(ReplacedError):
        start(("/py",), {})
    assert flushed == [0]


def test_a_closed_stdout_is_let_be(became, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(ReplacedError):
        start(("/py",), {})


@pytest.mark.parametrize(
    ("name", "mode", "code", "what"),
    [
        ("gone", None, NOT_FOUND, "does not exist"),
        ("data", 0o644, CANNOT_RUN, "cannot be run: Permission denied"),
    ],
)
def test_what_cannot_be_started_is_told(work, name, mode, code, what):
    path = os.path.join(work, name)
    if mode is not None:
        with open(path, "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod(path, mode)
    with pytest.raises(SafepipError) as raised:
        start((path,), {})
    assert (raised.value.code, raised.value.what) == (code, f"{path} {what}")


def test_on_windows_the_program_is_waited_for(became, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert start(("/bin/sh", "-c", 'exit "$A"'), {"A": "7"}) == 7
    assert became == []


# -- a child


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 42", 42), ("kill -TERM $$", -15), ("kill -9 $$", -9)]
)
def test_a_childs_exit_code_tells_what_ended_it(script, code):
    assert spawn(("/bin/sh", "-c", script), {"PATH": "/bin"}) == code


def test_a_child_gets_the_variables_and_no_others(work):
    out = os.path.join(work, "out")
    spawn(("/bin/sh", "-c", f'env | grep -c . >{out}; echo "$A" >>{out}'), {"A": "b", "PATH": "/usr/bin:/bin"})
    with open(out) as file:
        assert file.read().split()[1] == "b"


def test_ctrl_c_is_the_childs():
    before = signal.getsignal(signal.SIGINT)
    assert spawn(("/bin/sh", "-c", "kill -INT $PPID; exit 5"), {"PATH": "/bin"}) == 5
    assert signal.getsignal(signal.SIGINT) == before


def test_a_child_is_not_deaf_to_ctrl_c():
    """An ignored signal would be inherited, a handler is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run in the background
    try:
        assert spawn(("/bin/sh", "-c", "kill -INT $$; exit 5"), {"PATH": "/bin"}) == -signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_that_was_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert spawn(("/bin/sh", "-c", "kill -INT $$; exit 5"), {"PATH": "/bin"}) == 5
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_child_that_cannot_be_started_is_told(work):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SafepipError) as raised:
        spawn((f"{work}/gone",), {})
    assert (raised.value.code, raised.value.what) == (
        CANNOT_RUN,
        f"{work}/gone cannot be run: No such file or directory",
    )
    assert signal.getsignal(signal.SIGINT) == before


# -- handing over


def test_pip_is_started_by_the_runner(became, context, report):
    with pytest.raises(ReplacedError):
        hand_over(PLAIN, context, report)
    assert (became[0].path, became[0].argv) == ("/py", ("/py", RUNNER, "list"))
    assert became[0].environ == child_environ(PLAIN)


def test_pip_is_a_child_process_where_something_follows_its_end(became, context, report):
    code = hand_over(Handover(python="/bin/echo", words=(), program="pip", wait=True), context, report)
    assert (code, became) == (0, [])


def test_a_change_holds_the_environments_lock_through_the_exec(became, context, report, into):
    with pytest.raises(ReplacedError):
        hand_over(into, context, report)
    lock = os.path.join(into.environment, ".lock")
    assert became[0].held.count(lock) == 1
    assert became[0].environ[HANDOVER] == f"{os.getpid()}:{into.environment}"
    assert became[0].environ["SAFEPIP_RUN_JOURNAL"] == into.environment


def test_a_reader_takes_no_lock_and_leaves_no_trace(became, context, report, into):
    before = sorted(os.listdir(into.environment))
    with pytest.raises(ReplacedError):
        hand_over(replace(into, changes_packages=False), context, report)
    assert not {HANDOVER, "SAFEPIP_RUN_JOURNAL"} & set(became[0].environ)
    assert sorted(os.listdir(into.environment)) == before


def test_a_change_outside_of_environments_takes_none(became, context, report):
    with pytest.raises(ReplacedError):
        hand_over(replace(PLAIN, changes_packages=True), context, report)
    assert not {HANDOVER, "SAFEPIP_RUN_JOURNAL"} & set(became[0].environ)


def test_where_there_can_be_no_lock_pip_runs_without(became, context, report, into):
    os.mkdir(os.path.join(into.environment, ".lock"))
    with pytest.raises(ReplacedError):
        hand_over(into, context, report)
    assert HANDOVER not in became[0].environ


def test_what_a_killed_change_left_is_healed_first(became, context, report, into, capfd):
    journal.begin(into.environment, ("install", "half"), None)
    half = holding(into.environment, "half")
    with pytest.raises(ReplacedError):
        hand_over(into, context, report)
    assert "the last install here was interrupted" in capfd.readouterr().err
    assert not os.path.exists(half)
    assert journal.pending(into.environment).heading.words == ("install", "six")


def holding(environment, name):
    """Put a distribution's metadata into an environment, with no list of files; return its path."""
    (site,) = sites(environment)
    info = os.path.join(site, f"{name}-1.0.dist-info")
    os.mkdir(info)
    with open(os.path.join(info, "METADATA"), "w", encoding="utf-8") as file:
        file.write(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    return info


def test_where_no_journal_can_be_written_pip_runs_without(became, context, report, into):
    folder = os.path.join(into.environment, ".safepip")
    shutil.rmtree(folder, ignore_errors=True)
    with open(folder, "xb"):
        pass  # in the place of the folder
    with pytest.raises(ReplacedError):
        hand_over(into, context, report)
    assert "SAFEPIP_RUN_JOURNAL" not in became[0].environ
    assert HANDOVER in became[0].environ


def test_what_an_earlier_sudo_left_is_told_of(became, context, report, into, monkeypatch, capfd):
    monkeypatch.setattr(health, "left_by_root", lambda *_args: f"{into.environment}/x")
    with pytest.raises(ReplacedError):
        hand_over(into, context, report)
    assert capfd.readouterr().err == (
        f"safepip: {into.environment}/x belongs to root, left by an earlier sudo pip; give it back first:\n"
        f'safepip: sudo chown -R "$USER" {into.environment}\n'
    )


def test_where_nothing_is_wrong_nothing_is_told(became, context, report, into, capfd):
    with pytest.raises(ReplacedError):
        hand_over(into, context, report)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "how", "shown"),
    [
        ((), {}, True),
        (("help",), {}, True),
        (("--help",), {}, True),
        (("-q", "-h", "list"), {}, True),
        (("list", "--help"), {}, False),
        (("--help",), {"shim": True}, False),
        (("--help",), {"system": True}, False),
    ],
)
def test_before_pips_help_comes_safepips(became, context, report, capfd, words, how, shown):
    context.invocation = replace(context.invocation, words=words, **how)
    context.first_reading = read(words, {}, ())
    with pytest.raises(ReplacedError):
        hand_over(PLAIN, context, report)
    assert capfd.readouterr().out.startswith("safepip is pip") is shown


# -- each plan


def act(plan, context, report):
    """Carry out a plan that ends with pip."""
    with pytest.raises(ReplacedError):
        execute(plan, context, report)


def test_pip_is_handed_the_line_after_what_is_to_be_said(became, context, report, capfd):
    act(Pip(handover=PLAIN, because="x", notices=("one", "two")), context, report)
    assert capfd.readouterr().err == "safepip: one\nsafepip: two\n"
    assert became[0].argv == PLAIN.argv


def test_an_environment_made_for_a_line_is_locked_once_and_removed_if_nothing_comes(
    became, context, report, into, monkeypatch
):
    found = Environment(path=into.environment, known_as=into.environment, state=USABLE, python=into.python)
    made = Made(environment=found, by_this_command=True)
    monkeypatch.setattr("safepip.envs.create.create", lambda *_args: made)
    plan = Create(
        environment=replace(found, state=ABSENT), interpreter=BASE, handover=replace(into, python="/not/yet"),
        because="x", called=".venv", why="w", purpose="p",
    )  # fmt: skip
    act(plan, context, report)
    assert became[0].path == into.python
    assert became[0].held.count(os.path.join(into.environment, ".lock")) == 1
    assert became[0].environ[HANDOVER] == f"{os.getpid()}:{into.environment}"
    assert became[0].environ["SAFEPIP_RUN_JOURNAL"] == into.environment
    assert "SAFEPIP_RUN_DISCARD" in became[0].environ


@pytest.mark.parametrize(("later", "code"), [((0,), 0), ((None, 4), 4)], ids=["at once", "after a repair"])
def test_what_has_no_programs_goes_into_the_environment(context, report, monkeypatch, later, code, capfd):
    """Decided again without pipx where the environment had to be repaired first."""
    codes, seen = iter(later), []
    again = Refuse(code=4, what="again", ways=(), because="x")
    monkeypatch.setattr(pipx, "run_pipx", lambda *_args: (0, ("six",)))
    monkeypatch.setattr(pipx, "decided_without_pipx", lambda specs, here, _report: (here, again))
    monkeypatch.setattr("safepip.actions.execute.hand_over", lambda plan, *_args: seen.append(plan) or next(codes))
    context.command = read(("install", "six", "black"), {}, ())
    fallback = Pip(handover=replace(PLAIN, words=("install", "six", "black")), because="x")
    plan = Pipx(runs=(("install", "six"),), because="x", specs=("six",), names=("six",), fallback=fallback)
    context.place = Environment(path="/e", known_as="/e", state=USABLE)
    assert execute(plan, context, report) == code
    assert [handover.words for handover in seen] == [("install", "--", "six")]
    assert "six has no programs: installing into" in capfd.readouterr().err


def test_where_packages_are_that_are_not_here_is_said(became, context, report, finished, home, capfd):
    kept = shutil.copytree(finished, os.path.join(home, "data", "home"), symlinks=True)
    holding(kept, "six")
    context.data = os.path.dirname(kept)
    sought = Pip(handover=PLAIN, because="x", sought=("six",), otherwise="nowhere")
    act(sought, context, report)
    said = f"six is in the home environment: safepip --env {kept} uninstall six"
    assert became[0].environ["SAFEPIP_RUN_CLOSING"] == said
    act(replace(sought, sought=("none",)), context, report)
    assert became[1].environ["SAFEPIP_RUN_CLOSING"] == "nowhere"
    report.quiet = True
    act(sought, context, report)
    assert "SAFEPIP_RUN_CLOSING" not in became[2].environ
    assert capfd.readouterr().err == ""


def env(path, state=USABLE):
    return Environment(path=path, known_as=path, state=state, python=f"{path}/bin/python", base=BASE)


def test_a_hint_is_said_once_and_noted(became, context, report, into, work, capfd):
    plan = InEnvironment(
        environment=env(into.environment), handover=into, because="x", notices=("n",), hint=(work, "use uv")
    )
    act(plan, context, report)
    assert capfd.readouterr().err == "safepip: n\nsafepip: use uv\n"
    assert hinted(context.state, work)


def test_a_hint_that_nobody_heard_is_not_noted(became, context, into, work, capfd):
    plan = InEnvironment(environment=env(into.environment), handover=into, because="x", hint=(work, "use uv"))
    act(plan, context, Report(quiet=True))
    assert capfd.readouterr().err == ""
    assert not hinted(context.state, work)


@pytest.fixture
def creation(into, work, base):
    """The plan of a creation."""
    path = os.path.join(work, "new")
    return Create(
        environment=env(path, ABSENT), interpreter=base, handover=replace(into, environment=path), because="x",
        called="new", why="y", purpose="z", notices=("n",), hint=(work, "use uv"),
    )  # fmt: skip


def test_an_environment_is_made_and_its_pip_handed_the_line(became, context, report, work, creation, capfd):
    """Under the name that the new environment's own launcher has, with its lock; shells may activate it."""
    act(creation, context, report)
    path = creation.environment.path
    with open(f"{path}/bin/pip", encoding="utf-8") as launcher:
        assert launcher.readline() == f"#!{became[0].path}\n"
    assert became[0].held.count(os.path.join(path, ".lock")) == 1
    assert became[0].environ["SAFEPIP_RUN_JOURNAL"] == path
    said = capfd.readouterr().err.splitlines()
    assert (said[0], said[-1]) == ("safepip: n", "safepip: use uv")
    assert "creating new" in said[1] or f"creating {path}" in said[1]
    assert hinted(context.state, work)
    assert registry.registration(context.state, path).how == registry.MADE


def test_a_throw_away_environments_code_is_returned(context, report, base, capfd):
    handover = replace(PLAIN, python="/x/python3", words=("no-such-word",))
    plan = Temporary(interpreter=base, handover=handover, because="x", notices=("n",))
    assert execute(plan, context, report) == 1
    said = capfd.readouterr().err
    assert said.startswith("safepip: n\n")
    assert "no-such-word" in said


def test_pipxs_code_is_returned(context, report, monkeypatch, capfd):
    monkeypatch.setattr(pipx, "run_pipx", lambda *_args: (9, ()))
    plan = Pipx(runs=(("list",),), because="x", notices=("n",))
    assert execute(plan, context, report) == 9
    assert capfd.readouterr().err == "safepip: n\n"


@pytest.mark.parametrize("mended", [True, False])
def test_after_a_repair_it_is_decided_again_unless_it_did_not_help(
    context, report, monkeypatch, work, capfd, mended
):
    path = os.path.join(work, "ruin")
    os.makedirs(os.path.join(path, "something"))
    monkeypatch.setattr(rebuild, "repair", lambda path, *_args, **_how: shutil.rmtree(path) if mended else None)
    found = Environment(path=path, known_as=path, state=BROKEN)
    context.examine = lambda path, **_how: replace(found, state=BROKEN if os.path.exists(path) else USABLE)
    refusal = Refuse(code=3, what="w", ways=(), because="x")
    plan = Rebuild(environment=found, handover=PLAIN, refusal=refusal, called=".venv", because="x")
    assert execute(plan, context, report) == (None if mended else 3)
    assert capfd.readouterr().err == ("" if mended else "safepip: error: w\n")


@pytest.mark.parametrize(("code", "word"), [(77, "refused"), (73, "error"), (64, "error")])
def test_a_refusal_is_said_with_the_ways_on(context, report, capfd, code, word):
    assert execute(Refuse(code=code, what="w", ways=("a", "b"), because="x"), context, report) == code
    assert capfd.readouterr().err == f"safepip: {word}: w\nsafepip: a\nsafepip: b\n"


def test_after_stepping_down_it_is_decided_again(context, report, monkeypatch):
    became_user = []
    monkeypatch.setattr(sudo, "step_down", lambda uid, gid, _report: became_user.append((uid, gid)))
    assert execute(StepDown(uid=7, gid=8, because="x"), context, report) is None
    assert became_user == [(7, 8)]


def test_safepips_own_version_is_printed(context, report, capfd):
    assert execute(Version(), context, report) == 0
    assert capfd.readouterr().out == f"safepip {__version__}\n"


@pytest.mark.parametrize("word", VERBS)
def test_a_word_gets_its_arguments(context, report, word, capfd):
    assert execute(Verb(word=word, words=("--help",)), context, report) == 0
    assert f"safepip {word}" in capfd.readouterr().out.partition("\n")[0]


def test_only_plans_are_carried_out(context, report):
    with pytest.raises(AssertionError):
        execute("no plan", context, report)


def test_what_would_end_safepip_is_passed_on_to_its_child():
    """The child ends by it, so that what is to be cleaned up after it can be.

    In a process of its own: where there is another thread (a test runner's), that one may get the signal.
    """
    code = (
        "import os; from safepip.system.process import spawn\n"
        "told = f'kill -TERM {os.getpid()}; sleep 20 >&- 2>&-'\n"
        "print(spawn(('/bin/sh', '-c', told), {'PATH': os.environ['PATH']}))"
    )
    root = TREE
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == (f"{-signal.SIGTERM}\n", "")
