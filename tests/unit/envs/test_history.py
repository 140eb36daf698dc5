"""The history: one line an entry, steps that an undo takes back, and the state that they lead to."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safepip.core.invocation import Invocation
from safepip.core.plan import RUNNER
from safepip.core.record import replace
from safepip.envs import history, journal
from safepip.envs.history import Change, Entry, State
from safepip.report import Report
from safepip.system import registry
from safepip.system.observe import Context, ambient
from safepip.verbs import history as verb

TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=8)
STATES = st.none() | st.builds(State, version=TEXTS.filter(bool), requested=st.booleans(), origin=TEXTS)
CHANGES = st.builds(Change, name=TEXTS.filter(bool), before=STATES, after=STATES)
ENTRIES = st.builds(
    Entry,
    id=st.integers(0, 99).map(str),
    time=st.integers(0, 2**40),
    kind=st.sampled_from(["pip", "undo"]),
    words=st.lists(TEXTS).map(tuple),
    cwd=TEXTS,
    outside=st.lists(TEXTS).map(tuple),
    further=TEXTS,
    changes=st.lists(CHANGES, min_size=1, max_size=3).map(tuple),
)


def at(version):
    return State(version=version) if version else None


def entry(number, *changes, undo=None, words=("install",)):
    """An entry; a change is written "alpha 1->2", with nothing for absence."""
    found = []
    for text in changes:
        name, _, versions = text.partition(" ")
        before, _, after = versions.partition("->")
        found.append(Change(name=name, before=at(before), after=at(after)))
    kind, further = ("undo", undo) if undo is not None else ("pip", "")
    return Entry(id=str(number), time=0, kind=kind, words=words, further=further, changes=tuple(found))


# -- on disk


@given(st.lists(ENTRIES, max_size=3))
def test_entries_come_back_as_they_were(tmp_path_factory, entries):
    place = str(tmp_path_factory.mktemp("place"))
    os.mkdir(os.path.join(place, ".safepip"))
    for one in entries:
        history.append(place, one)
    assert history.read(place) == entries


def test_no_history_is_an_empty_one(work):
    assert history.read(work) == []


def test_it_is_this_users_alone(work):
    os.mkdir(os.path.join(work, ".safepip"))
    history.append(work, entry(1, "a ->1"))
    assert stat.S_IMODE(os.stat(os.path.join(work, history.HISTORY)).st_mode) == 0o600


@pytest.mark.parametrize(
    "torn", ["7\t0\tpip", "junk", "1\t0\tpip\t\t\t\t\ta", "x\t0\tpip\t\t\t\t\ta % % % 1 % %", "\xff\0"]
)
def test_a_torn_line_is_passed_over_and_harms_no_other(work, torn):
    os.mkdir(os.path.join(work, ".safepip"))
    history.append(work, entry(1, "a ->1"))
    with open(os.path.join(work, history.HISTORY), "a") as file:
        file.write(torn)
    history.append(work, entry(2, "a 1->2"))
    assert [one.id for one in history.read(work)] == ["1", "2"]


# -- steps


def test_each_command_is_a_step():
    assert history.steps([entry(1, "a ->1"), entry(2, "b ->1")])[-1] == ("1", "2")


def test_an_undo_takes_steps_back_and_is_none():
    entries = [entry(1, "a ->1"), entry(2, "b ->1"), entry(3, "b 1->", undo="1"), entry(4, "c ->1")]
    assert history.steps(entries) == [(), ("1",), ("1", "2"), ("1",), ("1", "4")]


def test_going_to_a_later_state_brings_its_steps_back():
    entries = [entry(1, "a ->1"), entry(2, "a 1->2"), entry(3, "a 2->", undo="0"), entry(4, "a ->2", undo="2")]
    assert history.steps(entries)[-1] == ("1", "2")


def test_the_state_after_an_entry_is_what_the_next_ones_found():
    entries = [entry(1, "a ->1"), entry(2, "a 1->2", "b ->1"), entry(3, "a 2->3")]
    assert history.states_at(entries, "1") == {"a": at("1"), "b": None}
    assert history.states_at(entries, "0") == {"a": None, "b": None}
    assert history.states_at(entries, "3") == {}


def test_what_changed_without_safepip_before_a_command_stays():
    entries = [entry(1, "a ->1"), entry(2, "a 5->6")]
    assert history.states_at(entries, "1") == {"a": at("5")}


def test_what_was_undone_before_is_not_undone_again():
    entries = [entry(1, "a ->1"), entry(2, "a 1->2"), entry(3, "a 2->1", undo="1"), entry(4, "b ->1")]
    assert history.states_at(entries, "1") == {"b": None}
    assert history.states_at(entries, "2") == {"a": at("2"), "b": None}


VERSIONS = st.sampled_from(["", "1", "2", "3"])
MOVES = st.lists(st.one_of(st.tuples(st.sampled_from("abc"), VERSIONS), st.integers(0, 3)), max_size=12)


@given(MOVES)
def test_undoing_leads_to_each_earlier_state_exactly(moves):
    """A move changes a name, or undoes as many steps."""
    entries, now, states = [], {}, {"0": {}}
    for move in moves:
        number = str(len(entries) + 1)
        steps = history.steps(entries)[-1]
        if isinstance(move, int):
            to = ("0", *steps)[-min(move, len(steps)) - 1]
            wanted = {**now, **history.states_at(entries, to)}
            after = {name: state for name, state in wanted.items() if state}
            assert after == states[to]
        else:
            name, version = move
            to, after = None, {key: value for key, value in now.items() if key != name}
            after.update({name: at(version)} if version else {})
        changes = history.changes(now, after)
        kind, further = ("pip", "") if to is None else ("undo", to)
        if changes:
            entries.append(Entry(id=number, time=0, kind=kind, words=(), further=further, changes=changes))
            states[number] = after
        now = after


def test_a_change_is_what_freeze_would_show():
    before = {"a": State(version="1", requested=True), "b": State(version="1", origin="x"), "c": at("1")}
    after = {"a": State(version="1"), "b": at("1"), "d": at("1")}
    assert [change.name for change in history.changes(before, after)] == ["b", "c", "d"]


# -- what the runner writes

PIP = """
import os
def main():
    exec(os.environ["FAKE_PIP_DOES"])
    return int(os.environ.get("FAKE_PIP_CODE", "0"))
"""


@pytest.fixture
def pip(environment):
    """Run runner.py over a pip that does what is said, with a journal."""
    site = os.path.join(environment, "lib", "python{}.{}".format(*sys.version_info), "site-packages")
    for folder in ("pip", "pip/_internal", "pip/_internal/cli"):
        os.makedirs(os.path.join(site, folder))
        with open(os.path.join(site, folder, "__init__.py"), "w"):
            pass
    with open(os.path.join(site, "pip/_internal/cli/main.py"), "w") as file:
        file.write(PIP)

    def run(does, code=0, words=("install", "x y")):
        assert journal.begin(environment, words, "/at")
        argv = [os.path.join(environment, "bin", "python"), RUNNER, *words]
        sealed = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        variables = {
            "SAFEPIP_RUN_JOURNAL": environment,
            "FAKE_PIP_DOES": f"site = {site!r}\n{does}",
            "FAKE_PIP_CODE": str(code),
        }
        return subprocess.run(argv, env={**sealed, **variables}, capture_output=True, text=True, check=False)

    run.site, run.environment = site, environment
    return run


def make(name, more=""):
    return f"os.mkdir(site + '/{name}.dist-info')\n{more}"


def left(pip):
    return os.path.lexists(os.path.join(pip.environment, journal.JOURNAL))


@pytest.mark.skipif(sys.platform == "win32", reason="the layout of POSIX")
class TestRunner:
    def test_what_came_is_one_entry(self, pip):
        done = pip(make("alpha-1.0", "open(site + '/alpha-1.0.dist-info/REQUESTED', 'w').close()"))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        (one,) = history.read(pip.environment)
        assert (one.id, one.kind, one.words, one.cwd) == ("1", "pip", ("install", "x y"), "/at")
        assert one.changes == (Change(name="alpha", before=None, after=State(version="1.0", requested=True)),)
        assert not left(pip)

    def test_went_and_changed_too(self, pip):
        pip(make("alpha-1.0", make("beta-1.0")))
        pip(
            "os.rmdir(site + '/alpha-1.0.dist-info'); os.rename(site + '/beta-1.0.dist-info', site + '/beta-2.0.dist-info')"
        )
        assert history.read(pip.environment)[1].changes == (
            Change(name="alpha", before=at("1.0"), after=None),
            Change(name="beta", before=at("1.0"), after=at("2.0")),
        )

    def test_nothing_changed_is_no_entry(self, pip):
        assert pip("pass").returncode == 0
        assert history.read(pip.environment) == []
        assert not left(pip)

    def test_pips_exit_code_passes_and_what_it_changed_is_noted(self, pip):
        assert pip(make("alpha-1.0"), code=7).returncode == 7
        assert len(history.read(pip.environment)) == 1
        assert left(pip), "what failed half way is looked at by the next change"

    def test_a_failure_that_changed_nothing_is_done_with(self, pip):
        assert pip("pass", code=1).returncode == 1
        assert not left(pip)

    @pytest.mark.parametrize(("does", "code"), [("raise SystemExit(5)", 5), ("raise SystemExit(0)", 0)])
    def test_an_exit_of_pips_passes(self, pip, does, code):
        assert pip(make("alpha-1.0", does)).returncode == code
        assert len(history.read(pip.environment)) == 1

    def test_an_interrupt_passes(self, pip):
        assert pip(make("alpha-1.0", "raise KeyboardInterrupt")).returncode in {1, 130, -2}
        assert len(history.read(pip.environment)) == 1

    def test_imports_may_be_blocked_by_then(self, pip):
        block = "import sys\ndef hook(name, args):\n    if name == 'import': raise RuntimeError(args[0])\nsys.addaudithook(hook)"
        assert pip(make("alpha-1.0", block)).returncode == 0
        assert len(history.read(pip.environment)) == 1

    def test_where_nothing_can_be_noted_pip_stands(self, pip):
        done = pip(
            make(
                "alpha-1.0",
                "import shutil; shutil.rmtree(os.environ['VIRTUAL'] if 0 else site + '/../../../.safepip')",
            )
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_variable_does_not_reach_pip(self, pip):
        assert pip("assert 'SAFEPIP_RUN_JOURNAL' not in os.environ").returncode == 0

    def test_an_origin_is_kept(self, pip):
        pip(
            make(
                "alpha-1.0",
                "open(site + '/alpha-1.0.dist-info/direct_url.json', 'w').write('{\"url\": \"file:///a%20b\"}')",
            )
        )
        (change,) = history.read(pip.environment)[0].changes
        assert change.after.origin == '{"url": "file:///a%20b"}'


# -- for people, and for programs


def as_json(environment, entries, capfd):
    """Return what `history --json` prints of an environment with these entries."""
    os.makedirs(os.path.join(environment, ".safepip"), exist_ok=True)
    for one in entries:
        history.append(environment, one)
    context = Context(Invocation(words=("history",)), ambient())
    registry.note(context.state, environment, registry.MADE)
    assert verb.main(("--json",), context, Report()) == 0
    return json.loads(capfd.readouterr().out)


def test_json_has_the_documented_shape(environment, capfd):
    origin = json.dumps({"url": "file:///x", "dir_info": {"editable": True}})
    moved = Change(name="b", before=at("1"), after=State(version="1", origin=origin))
    one = Entry(
        id="1",
        time=0,
        kind="pip",
        words=("install", "a b"),
        further="created",
        changes=(*entry(1, "a ->1", "c 1->", "d 1->2").changes, moved),
    )
    (printed,) = as_json(environment, [one], capfd)
    assert printed == {
        "id": "1",
        "time": "1970-01-01T00:00:00Z",
        "line": "install 'a b'",
        "came": [{"name": "a", "version": "1"}],
        "went": [{"name": "c", "version": "1"}],
        "changed": [
            {"name": "d", "from": "1", "to": "2"},
            {"name": "b", "from": "1", "to": "1", "to_origin": "-e file:///x"},
        ],
        "created": True,
        "undone": False,
        "undo_to": None,
        "with": "pip",
        "files": [],
    }


def test_an_undo_names_where_it_went_and_what_it_undid(environment, capfd):
    entries = [entry(1, "a ->1"), entry(2, "a 1->", undo="0")]
    first, second = as_json(environment, entries, capfd)
    assert (first["undone"], first["undo_to"]) == (True, None)
    assert (second["undone"], second["undo_to"]) == (False, "0")


def test_the_text_keeps_to_80_columns_and_escapes_what_could_steer_a_terminal():
    names = [f"distribution-number-{number} 1.0->2.0" for number in range(12)]
    one = entry(1, *names, words=("install", "\x1b[2J", *(["x" * 30] * 5)))
    lines = verb.lines(one, [one])
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines)
    assert "distribution-number-11 1.0 -> 2.0" in " ".join(" ".join(lines).split())


def test_a_sign_and_its_name_stay_on_one_line():
    names = [f"{'x' * (10 + number)} ->1.0" for number in range(30)]
    one = entry(1, *names)
    lines = verb.lines(one, [one])
    assert [line for line in lines if line.endswith((" +", " -"))] == []
    assert not any("\N{NO-BREAK SPACE}" in line for line in lines)


def test_an_environment_stays_when_its_first_install_is_undone():
    first = replace(entry(1, "a ->1"), further="created")
    entries = [first, entry(2, "a 1->", undo="0")]
    assert verb.lines(first, [first])[1].strip() == "made the environment, + a 1"
    assert verb.lines(first, entries)[0].endswith(" install (undone)")
    assert verb.lines(first, entries)[1].strip() == "made the environment (which stays), + a 1"
