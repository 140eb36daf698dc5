"""An install that pip found satisfied is answered without pip, byte for byte, and never where that could be wrong."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable

import pytest
from idle_oracle import REPEATED, Rounds
from sandbox import Ran, Sandbox

pytestmark = pytest.mark.slow
MakeSandbox = Callable[..., Sandbox]
DEBUG = {"SAFEPIP_DEBUG": "1"}


def is_repeated(ran: Ran) -> bool:
    return REPEATED in "\n".join(ran.said)


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    ran = sandbox.run("install", "beta")
    assert ran.code == 0, ran.err
    return sandbox


def answers(box: Sandbox, *words: str, env: dict[str, str | None] | None = None) -> list[Ran]:
    """Ask the same three times: pip's run may still change what is seen, then it is kept, then repeated."""
    return [box.run("install", *words, env={**DEBUG, **(env or {})}) for _ in "123"]


def test_the_answer_of_pip_is_repeated_byte_for_byte(box: Sandbox) -> None:
    box.write("req.txt", "-c con.txt\nbeta # é\n")
    box.write("con.txt", "alpha<9\n")
    for line in ("beta", "-q beta", "-r req.txt --no-deps"):
        ran = answers(box, *line.split())
        true = box.run("install", *line.split(), env={"SAFEPIP_FAST": "0"})
        assert [is_repeated(one) for one in ran] == [False, False, True] or is_repeated(ran[1]), line
        assert (ran[2].code, ran[2].out, ran[2].pips_err) == (true.code, true.out, b"")
        assert (b"Requirement already satisfied: " in true.out) == ("-q" not in line)


def test_it_is_repeated_in_an_active_environment_too(box: Sandbox) -> None:
    env = {"PATH": f"{box.venv}/bin:{box.variables['PATH']}", "VIRTUAL_ENV": box.venv}
    ran = answers(box, "beta", env=env)
    assert is_repeated(ran[2])
    assert ran[2].out == box.venv_pip("install", "beta", env=env).out


def test_it_can_be_turned_off(box: Sandbox) -> None:
    assert is_repeated(answers(box, "beta")[2])
    assert not is_repeated(box.run("install", "beta", env={**DEBUG, "SAFEPIP_FAST": "0"}))
    box.write("pyproject.toml", "[tool.safepip]\nfast = false\n")
    assert not is_repeated(box.run("install", "beta", env=DEBUG))


def test_a_run_that_said_something_on_stderr_is_not_kept(box: Sandbox) -> None:
    link = {"PIP_CACHE_DIR": "/proc/nowhere"}  # pip warns that it cannot write there
    ran = answers(box, "beta", env=link)
    assert b"WARNING" in ran[2].pips_err or ran[2].pips_err == b""
    assert is_repeated(ran[2]) == (ran[2].pips_err == b"" and ran[1].pips_err == b"")


def test_what_pip_did_not_find_satisfied_is_not_kept(box: Sandbox) -> None:
    assert not any(is_repeated(ran) for ran in answers(box, "nothing-such"))
    assert not any(is_repeated(ran) for ran in answers(box, "--force-reinstall", "alpha"))


def test_an_editable_project_leaves_it_to_pip(box: Sandbox) -> None:
    os.makedirs(f"{box.project}/src")
    with open(os.path.join(site(box), "editable.pth"), "w", encoding="utf-8") as file:
        file.write(f"{box.project}/src\n")
    assert not any(is_repeated(ran) for ran in answers(box, "beta"))


def site(box: Sandbox) -> str:
    return box.call([box.python, "-c", "import sysconfig as s; print(s.get_path('purelib'))"]).text.strip()


def test_a_change_by_pip_alone_is_seen(box: Sandbox) -> None:
    answers(box, "beta")
    assert box.venv_pip("uninstall", "-y", "alpha").code == 0
    ran = box.run("install", "beta", env=DEBUG)
    assert not is_repeated(ran)
    assert b"Successfully installed alpha" in ran.out


def test_a_terminal_has_an_answer_of_its_own(box: Sandbox) -> None:
    piped = answers(box, "beta")[2]
    shown = [on_terminal(box, "install", "beta") for _ in "123"]
    true = on_terminal(box, "install", "beta", SAFEPIP_FAST="0")
    assert shown[2] == shown[0] == true
    assert true.replace(b"\r\n", b"\n") == piped.out


def on_terminal(box: Sandbox, *words: str, **env: str) -> bytes:
    """Run safepip with its stdout a terminal; return what was shown there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [box.safepip, *words], cwd=box.project, env=box.environ(env), stdin=subprocess.DEVNULL, stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not more:
                break
            shown += more
        process.wait()
    os.close(ours)
    return shown


def test_no_secret_of_the_line_is_kept(box: Sandbox) -> None:
    secret = "https://u:hunter2@host.invalid/simple"
    box.write("req.txt", f"--extra-index-url {secret}\nbeta\n")
    answers(box, "-r", "req.txt", "-i", secret, env={"PIP_NO_INDEX": None, "PIP_FIND_LINKS": None})
    kept = os.path.join(box.venv, ".safepip", "satisfied")
    contents = b"".join(read(os.path.join(kept, name)) for name in os.listdir(kept))
    assert contents
    assert b"hunter2" not in contents


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def test_where_nothing_can_be_kept_pip_runs(box: Sandbox) -> None:
    folder = os.path.join(box.venv, ".safepip", "satisfied")
    if os.path.isdir(folder):
        os.rename(folder, folder + ".away")
    box.write(".venv/.safepip/satisfied", "in the way")
    ran = answers(box, "beta")
    assert [one.code for one in ran] == [0, 0, 0]
    assert not any(map(is_repeated, ran))


def test_in_random_states_the_answer_is_always_pips(make_sandbox: MakeSandbox) -> None:
    rounds = Rounds(make_sandbox(), 1)
    rounds.run(9)
    assert rounds.wrong == []
    assert rounds.hits > 5
