from __future__ import annotations

import os
import signal
import tempfile

import pytest

from safepip.actions.temporary import run_in_temporary
from safepip.core.invocation import Invocation
from safepip.core.plan import Handover, Temporary
from safepip.core.record import replace
from safepip.errors import CANNOT_CREATE, SafepipError
from safepip.system.observe import Context, ambient

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX ones")


@pytest.fixture
def temporary(work, monkeypatch):
    """A temporary directory that is empty."""
    path = os.path.join(work, "temporary")
    os.mkdir(path)
    monkeypatch.setattr(tempfile, "tempdir", path)
    return path


@pytest.fixture
def context(work):
    """What surrounds this process."""
    return Context(Invocation(words=()), replace(ambient(), cwd=work), cache=None)


def plan(base, *words):
    """Return the plan to have pip do this in an environment that is gone afterwards."""
    handover = Handover(python="/x/bin/python", words=words, program="/x/bin/pip", environment="/x", enter=True)
    return Temporary(interpreter=base, handover=handover, because="x")


def test_pip_runs_in_an_environment_that_is_gone_afterwards(temporary, context, base, capfd):
    assert run_in_temporary(plan(base, "debug"), context) == 0
    told = capfd.readouterr().out
    assert f"sys.executable: {temporary}/safepip-" in told
    assert os.listdir(temporary) == []


def test_pips_exit_code_is_returned(temporary, context, base, capfd):
    assert run_in_temporary(plan(base, "no-such-word"), context) == 1
    assert "no-such-word" in capfd.readouterr().err
    assert os.listdir(temporary) == []


def test_handlers_of_signals_are_as_before(temporary, context, base, capfd):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    run_in_temporary(plan(base, "--version"), context)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


def test_where_there_is_no_room_it_is_told_plainly(temporary, context, base):
    os.rmdir(temporary)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(SafepipError) as raised:
        run_in_temporary(plan(base, "--version"), context)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before, "signals are let through again"
    assert (raised.value.code, raised.value.what) == (
        CANNOT_CREATE,
        "could not make a temporary environment: No such file or directory",
    )
