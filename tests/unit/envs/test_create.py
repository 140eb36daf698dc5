"""Environments made for real by virtualenv, and what is left where that cannot be done."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from safepip.core.invocation import Invocation
from safepip.core.plan import Create, Handover
from safepip.core.record import replace
from safepip.core.settings import Settings
from safepip.core.world import ABSENT, UNFINISHED, USABLE, Environment
from safepip.envs import create as module
from safepip.envs.build import build
from safepip.envs.create import create
from safepip.envs.creation_lock import creation_lock
from safepip.envs.lock import acquire
from safepip.errors import CANNOT_CREATE, LOCK_TIMEOUT, NO_ENVIRONMENT, REFUSED, SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.environment import CREATING, configuration
from safepip.system.observe import Context, ambient

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX ones")


@pytest.fixture
def context(home, work):
    """What surrounds this process; nothing is kept but in the state."""
    known = {"state": os.path.join(home, "state"), "cache": None, "data": os.path.join(home, "data")}
    around = replace(ambient(), cwd=work, terminal=False)
    return Context(Invocation(words=("install", "x")), around, settings=Settings(lock_timeout=5), **known)


@pytest.fixture
def plan(work, base):
    """The plan to make `.venv`."""
    path = os.path.join(work, ".venv")
    return Create(
        environment=Environment(path=path, known_as=path, state=ABSENT), interpreter=base, because="x",
        handover=Handover(python=f"{path}/bin/python", words=("install", "x"), program=f"{path}/bin/pip"),
        called=".venv", why="y", purpose="for this project (once)",
    )  # fmt: skip


def refused(plan, context):
    """Return what a creation that is refused says, and its code."""
    with pytest.raises(SafepipError) as raised:
        create(plan, context, Report(quiet=True))
    return raised.value.code, raised.value.what


# -- what is made


def test_an_environment_is_made_with_pip_and_known(plan, context, base, capfd):
    done = create(plan, context, Report())
    made = done.environment
    assert (done.by_this_command, done.existed, done.redirect) == (True, False, "")
    path = plan.environment.path
    assert (made.path, made.state, made.version, made.has_pip) == (path, USABLE, base.minor, True)
    assert registry.registration(context.state, path).how == registry.MADE
    assert not os.path.lexists(os.path.join(path, CREATING))
    assert configuration(path)["safepip-creation"]
    asked = [made.python, "-I", "-c", "import sys, pip; print(sys.prefix)"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == f"{path}\n"
    assert capfd.readouterr().err.startswith(f"safepip: creating {path}; python3 will NOT see its packages")


def test_one_that_another_command_has_made_meanwhile_serves(plan, context, environment):
    registry.note(context.state, environment, registry.MADE)
    before = os.stat(os.path.join(environment, "pyvenv.cfg")).st_mtime_ns
    done = create(plan, context, Report(quiet=True))
    assert (done.environment.state, done.by_this_command) == (USABLE, False)
    assert os.stat(os.path.join(environment, "pyvenv.cfg")).st_mtime_ns == before


def test_a_strangers_that_appeared_meanwhile_does_not_serve(plan, context, environment):
    """It is a copy of one that was made elsewhere."""
    code, what = refused(plan, context)
    assert (code, what.startswith(".venv was made elsewhere")) == (NO_ENVIRONMENT, True)


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "empty"])
def test_an_unfinished_one_is_emptied_and_finished(plan, context, begun):
    path = plan.environment.path
    os.makedirs(os.path.join(path, "lib", "old"))
    os.makedirs(os.path.join(path, ".safepip"))
    with open(os.path.join(path, CREATING), "w", encoding="ascii") as mark:
        mark.write("token" if begun else "")
    done = create(plan, context, Report(quiet=True))
    assert (done.environment.state, done.by_this_command, done.existed) == (USABLE, True, True)
    assert not os.path.exists(os.path.join(path, "lib", "old"))


def test_a_redirect_is_written_beside_what_is_there(plan, context, work):
    file = os.path.join(work, "p", ".venv")
    os.mkdir(os.path.dirname(file))
    assert create(replace(plan, redirect=file), context, Report(quiet=True)).redirect == file
    with open(file, encoding="utf-8") as redirect:
        assert redirect.read() == f"{plan.environment.path}\n"
    assert create(replace(plan, redirect=file), context, Report(quiet=True)).redirect == ""


def test_a_redirect_that_is_there_stays(plan, context, work):
    file = os.path.join(work, ".venv")
    with open(file, "w", encoding="utf-8") as redirect:
        redirect.write("mine\n")
    inside = replace(plan.environment, path=f"{work}/inside", known_as=f"{work}/inside")
    made = create(replace(plan, environment=inside, redirect=file), context, Report(quiet=True))
    assert (made.environment.path, made.by_this_command, made.redirect) == (inside.path, True, "")
    with open(file, encoding="utf-8") as redirect:
        assert redirect.read() == "mine\n"


# -- what is refused, and what is left then


def test_somebodys_work_in_an_unfinished_one_is_not_emptied(plan, context):
    path = plan.environment.path
    os.makedirs(os.path.join(path, ".safepip"))
    for name in (CREATING, "notes.txt"):
        with open(os.path.join(path, name), "xb"):
            pass
    code, what = refused(plan, context)
    assert (code, what) == (REFUSED, ".venv holds an unfinished environment that you did not make")
    assert os.path.exists(os.path.join(path, "notes.txt"))


def test_a_broken_one_is_not_made_again(plan, context):
    os.makedirs(os.path.join(plan.environment.path, "lib"))
    code, what = refused(plan, context)
    assert (code, what.startswith(".venv ")) == (NO_ENVIRONMENT, True)
    assert os.listdir(plan.environment.path) == ["lib"]


@pytest.mark.parametrize("existed", [True, False])
def test_a_python_that_cannot_be_asked_leaves_nothing(plan, context, existed):
    if existed:
        os.mkdir(plan.environment.path)
    gone = replace(plan.interpreter, path="/no/python3", real="/no/python3")
    code, what = refused(replace(plan, interpreter=gone), context)
    assert code == NO_ENVIRONMENT
    assert what.startswith("no environment can be made from /no/python3")
    assert os.path.exists(plan.environment.path) is existed
    assert not existed or os.listdir(plan.environment.path) == []


def test_a_file_in_the_way_is_told_plainly(plan, context, work):
    with open(os.path.join(work, "file"), "xb"):
        pass
    path = os.path.join(work, "file", ".venv")
    code, what = refused(replace(plan, environment=replace(plan.environment, path=path)), context)
    assert (code, what) == (CANNOT_CREATE, f"{path} cannot be created: Not a directory")


@pytest.mark.parametrize(
    ("number", "way"),
    [(errno.ENOSPC, "free some space and try again"), (errno.EACCES, "keep it elsewhere: SAFEPIP_ENV=DIR")],
)
def test_each_fault_of_a_disk_has_its_way_on(plan, context, number, way):
    def fail(_path):
        raise OSError(number, os.strerror(number))

    path = plan.environment.path
    with pytest.raises(SafepipError) as raised:
        create(plan, context, Report(quiet=True), fail)
    assert (raised.value.what, raised.value.ways) == (f"{path} cannot be created: {os.strerror(number)}", (way,))
    assert not os.path.lexists(path)


def test_a_creation_that_waits_too_long_for_another_gives_up(plan, context):
    holds = (
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print(flush=True); sys.stdin.read()\n"
    )
    path = plan.environment.path
    with creation_lock(path, context, Report(quiet=True)):
        pass
    (name,) = os.listdir(os.path.join(context.state, "locks"))
    file = os.path.join(context.state, "locks", name)
    argv = [sys.executable, "-c", holds, file]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        context.settings = Settings(lock_timeout=0.1)
        code, what = refused(plan, context)
        other.stdin.close()
    assert code == LOCK_TIMEOUT
    assert what.startswith(f"another command has been making {path} for 0 s")
    assert not os.path.lexists(path)


# -- what is said


def first_line(plan, context, capfd, monkeypatch, **around):
    """Return what is said first of a creation by a user outside a container, without `safepip: `."""
    monkeypatch.setattr(module, "_CONTAINER_FILES", ())
    context.ambient = replace(context.ambient, user=7, **around)
    create(plan, context, Report())
    return capfd.readouterr().err.splitlines()[0].removeprefix("safepip: ")


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("{0}:/usr/bin", "creating {1}, where PATH finds python3"),
        (
            "relative:/usr/bin",
            "creating {1}; python3 will NOT see its packages: use {0}/python or PATH={0}:$PATH",
        ),
        ("", "creating {1}; python3 will NOT see its packages: use {0}/python or PATH={0}:$PATH"),
    ],
)
def test_without_a_terminal_it_is_said_who_sees_the_packages(plan, context, capfd, monkeypatch, search, said):
    path = plan.environment.path
    environ = {**context.ambient.environ, "PATH": search.format(f"{path}/bin")}
    told = first_line(plan, context, capfd, monkeypatch, environ=environ, attended=False)
    assert told == said.format(f"{path}/bin", path)


@pytest.mark.parametrize(
    ("user", "variables", "instruction"),
    [(0, {}, "ENV PATH="), (7, {"container": "podman"}, "ENV PATH="), (7, {}, "or PATH=")],
)
def test_the_line_of_a_dockerfile_is_named_where_images_are_built(
    plan, context, capfd, monkeypatch, user, variables, instruction
):
    monkeypatch.setattr(module, "_CONTAINER_FILES", ())
    environ = {**context.ambient.environ, "PATH": "/nowhere", **variables}
    context.ambient = replace(context.ambient, user=user, environ=environ, attended=False)
    create(plan, context, Report())
    assert instruction in capfd.readouterr().err


def test_at_a_terminal_it_is_said_why(plan, context, capfd, monkeypatch):
    told = first_line(plan, context, capfd, monkeypatch, attended=True)
    assert told == "y; creating .venv for this project (once)"


# -- where the state has no place for a lock


def test_one_that_another_command_finishes_meanwhile_serves(plan, context, base):
    """The environment's own lock is waited for then."""
    context.state = None
    path = plan.environment.path
    os.mkdir(path)
    lock = acquire(path, 5, Report())

    class Waiting(Report):
        """Lets the other command finish as soon as this one says that it waits for that."""

        def say(self, line):
            if line.startswith("waiting for another command"):
                build(path, base, None, pip=True)
                os.close(lock)

    done = create(plan, context, Waiting())
    assert (done.environment.state, done.by_this_command, done.existed) == (USABLE, False, True)
    assert "safepip-creation" not in configuration(path)


def test_at_each_moment_of_its_creation_it_is_read_as_unfinished(plan, context, monkeypatch):
    """The mark is written with a name that readers know, and is on the disk before anything else."""
    path, states = plan.environment.path, []
    fsync = os.fsync

    def look_and_sync(descriptor):
        states.append(context.examine(path, trusted=True).state)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look_and_sync)
    create(plan, context, Report(quiet=True))
    assert states
    assert set(states) == {UNFINISHED}


def test_what_is_there_before_the_mark_is_an_unfinished_one(plan, context):
    path = plan.environment.path
    os.mkdir(path)
    os.close(acquire(path, 5, Report()))
    assert os.listdir(path) == [".lock"]
    assert context.examine(path, trusted=True).state == UNFINISHED
