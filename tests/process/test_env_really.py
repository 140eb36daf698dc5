"""`safepip env …`: what is shown, made, trusted, removed; by the real console script."""

from __future__ import annotations

import glob
import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable

import pytest
from _torture.oracle import faults
from real_world import NOBODY
from sandbox import Ran, Sandbox, look, without_times

pytestmark = pytest.mark.slow
MakeSandbox = Callable[..., Sandbox]
DAY = 86400


def listed(box: Sandbox) -> list[dict[str, object]]:
    ran = box.run("env", "list", "--json")
    assert ran.code == 0, ran.err
    found: list[dict[str, object]] = json.loads(ran.text)
    return found


def age(path: str, days: int) -> None:
    """Have everything that tells of the environment's last use be so old."""
    then = time.time() - days * DAY
    for name in ("", ".safepip", "pyvenv.cfg"):
        os.utime(os.path.join(path, name), (then, then))


def age_record(box: Sandbox, days: int) -> None:
    folder = os.path.join(box.home, ".local", "state", "safepip", "environments")
    then = time.time() - days * DAY
    for name in os.listdir(folder):
        os.utime(os.path.join(folder, name), (then, then))


# -- how it is called


def test_without_a_word_the_usage_is_said(sandbox: Sandbox) -> None:
    ran = sandbox.run("env")
    assert (ran.code, ran.out) == (64, b"")
    assert any("usage: safepip env" in line for line in ran.said)


@pytest.mark.parametrize("words", [("--help",), ("list", "--help"), ("repair", "-h")])
def test_help_is_printed(sandbox: Sandbox, words: tuple[str, ...]) -> None:
    ran = sandbox.run("env", *words)
    assert (ran.code, ran.err) == (0, b"")
    assert ran.text.startswith("usage: safepip env")


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("list", "x"), ("prune", "--unused", "-1"), ("prune", "--unused", "x"), ("create", "a", "b")],
)
def test_a_wrong_use_is_told(sandbox: Sandbox, words: tuple[str, ...]) -> None:
    ran = sandbox.run("env", *words)
    assert (ran.code, ran.out) == (64, b"")
    assert ran.said[0].startswith("error: ")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace tells the order of the calls")
@pytest.mark.parametrize("error", ["", "EIO"])
def test_a_new_environment_is_on_the_disk_before_it_counts(sandbox: Sandbox, error: str) -> None:
    log = os.path.join(sandbox.home, "calls")
    inject = ["-e", f"inject=syncfs:error={error}"] if error else []
    traced = ["strace", "-f", "-e", "trace=syncfs,unlink", *inject, "-o", log, sandbox.safepip, "env", "create"]
    ran = sandbox.call(traced)
    with open(log) as file:
        calls = [line.split(None, 1)[1] for line in file if "syncfs(" in line or '/creating"' in line]
    kinds = [call.partition("(")[0] for call in calls]
    assert kinds == (["syncfs"] if error else ["syncfs", "unlink"])
    assert (ran.code, os.path.lexists(sandbox.venv)) == ((73, False) if error else (0, True))


# -- path, list, info


def test_the_path_is_that_of_the_environment_to_be(sandbox: Sandbox) -> None:
    ran = sandbox.run("env", "path")
    assert (ran.code, ran.text, ran.err) == (0, sandbox.venv + "\n", b"")
    assert not os.path.exists(sandbox.venv)


def test_the_path_outside_projects_is_the_home_environment(sandbox: Sandbox) -> None:
    ran = sandbox.run("env", "path", cwd=sandbox.home)
    assert ran.text == os.path.join(sandbox.home, ".local", "share", "safepip", "home") + "\n"


def test_the_path_that_was_named_comes_first(sandbox: Sandbox) -> None:
    ran = sandbox.run("--env", "other", "env", "path")
    assert ran.text == os.path.join(sandbox.project, "other") + "\n"


def test_the_list_tells_of_every_environment(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "list").said == ["no environments are known yet"]
    assert listed(sandbox) == []
    assert sandbox.run("install", "beta").code == 0
    (found,) = listed(sandbox)
    assert set(found) == {"path", "project", "python", "packages", "size", "last_used", "health"}
    assert (found["path"], found["project"], found["health"]) == (sandbox.venv, sandbox.project, "ok")
    assert found["packages"] == 3
    assert isinstance(found["size"], int)
    assert found["size"] > 10**6
    assert str(found["last_used"]).startswith(time.strftime("%Y-", time.gmtime()))
    lines = sandbox.run("env", "list").text.splitlines()
    assert lines[0].split() == ["PROJECT", "PYTHON", "PACKAGES", "SIZE", "LAST", "USE", "HEALTH"]
    assert lines[1].startswith("~/project ")
    assert max(map(len, lines)) <= 80


def test_the_list_sees_what_is_broken_and_leaves_out_what_is_gone(sandbox: Sandbox) -> None:
    for name in ("one", "two"):
        os.makedirs(os.path.join(sandbox.home, name))
        assert sandbox.run("env", "create", cwd=os.path.join(sandbox.home, name)).code == 0
    os.unlink(os.path.join(sandbox.home, "one", ".venv", "bin", "python"))
    shutil.rmtree(os.path.join(sandbox.home, "two"))
    (found,) = listed(sandbox)
    assert found["project"] == os.path.join(sandbox.home, "one")
    assert str(found["health"]).startswith("broken: ")


def test_looking_is_no_use(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    age(sandbox.venv, 30)
    age_record(sandbox, 30)
    first = listed(sandbox)
    assert first == listed(sandbox)
    assert str(first[0]["last_used"]) < time.strftime("%Y-%m-%dT", time.gmtime(time.time() - 20 * DAY))


def test_info_tells_one_fact_a_line(furnished: Sandbox) -> None:
    facts = dict(line.split(": ", 1) for line in furnished.run("env", "info").text.splitlines())
    assert facts["path"].strip() == furnished.venv
    assert facts["packages"].strip() == "3"
    assert facts["known as"].strip() == "made by safepip"
    assert facts["health"].strip() == "ok"
    assert furnished.run("env", "info", "nowhere").code == 3


# -- create


def test_an_environment_is_made_once(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    inode = os.stat(sandbox.venv).st_ino
    ran = sandbox.run("env", "create")
    assert ran.code == 0
    assert "exists already" in ran.said[0]
    assert os.stat(sandbox.venv).st_ino == inode
    assert sandbox.run("install", "beta").code == 0


def test_it_is_made_from_the_python_that_was_named(sandbox: Sandbox, unmanaged_python: str) -> None:
    ran = sandbox.run("env", "create", "--system-site-packages", "--python", unmanaged_python)
    assert ran.code == 0, ran.err
    with open(os.path.join(sandbox.venv, "pyvenv.cfg")) as file:
        config = file.read()
    assert os.path.dirname(unmanaged_python) in config
    assert "include-system-site-packages = true" in config


@pytest.mark.parametrize(("python", "code"), [("9.9", 127), ("/nonexistent/python", 127), ("sh", 127)])
def test_a_python_that_is_none_is_told(sandbox: Sandbox, python: str, code: int) -> None:
    ran = sandbox.run("env", "create", "--python", python)
    assert (ran.code, ran.out) == (code, b"")
    assert not os.path.exists(sandbox.venv)


# -- remove, prune


def test_only_what_safepip_made_is_removed(sandbox: Sandbox, managed_python: str) -> None:
    assert sandbox.call([managed_python, "-m", "venv", "--without-pip", sandbox.venv]).code == 0
    assert sandbox.run("install", "beta").code == 0
    ran = sandbox.run("env", "remove")
    assert ran.code == 77
    assert os.path.exists(sandbox.python)
    shutil.rmtree(sandbox.venv)
    assert sandbox.run("env", "create").code == 0
    assert sandbox.run("env", "remove").said == [f"{sandbox.venv} is removed"]
    assert not os.path.lexists(sandbox.venv)
    assert sandbox.run("env", "remove").code == 3


def test_what_took_the_place_of_what_safepip_made_is_not_removed(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    os.rename(sandbox.venv, os.path.join(sandbox.project, "kept"))
    shutil.copytree(os.path.join(sandbox.project, "kept"), sandbox.venv, symlinks=True)
    assert sandbox.run("env", "remove").code == 77
    assert sandbox.run("env", "remove", "kept").code == 77
    assert sandbox.run("env", "prune", "--unused", "0", "--yes").code == 0
    assert os.path.exists(os.path.join(sandbox.project, "kept", "bin", "python"))
    assert os.path.exists(sandbox.python)


def test_behind_a_link_only_what_is_in_it_is_removed(sandbox: Sandbox) -> None:
    os.mkdir(os.path.join(sandbox.home, "elsewhere"))
    os.symlink(os.path.join(sandbox.home, "elsewhere"), sandbox.venv)
    assert sandbox.run("env", "create").code == 0
    assert sandbox.run("env", "remove").code == 0
    assert os.path.islink(sandbox.venv)
    assert not os.path.exists(os.path.join(sandbox.venv, "pyvenv.cfg"))


def test_prune_shows_and_then_does_it(sandbox: Sandbox) -> None:
    for name in ("old", "new"):
        os.makedirs(os.path.join(sandbox.home, name))
        assert sandbox.run("env", "create", cwd=os.path.join(sandbox.home, name)).code == 0
    old = os.path.join(sandbox.home, "old", ".venv")
    age_record(sandbox, 100)
    for name in ("old", "new"):
        age(os.path.join(sandbox.home, name, ".venv"), 100 if name == "old" else 5)
    assert sandbox.run("env", "prune").said == ["there is nothing to prune"]
    ran = sandbox.run("env", "prune", "--unused", "30")
    assert ran.text == f"would remove {old} (not used for 100 days)\n"
    assert ran.said == ["to do it: add --yes"]
    assert os.path.exists(old)
    ran = sandbox.run("env", "prune", "--unused", "30", "--yes")
    assert ran.text == f"removed {old} (not used for 100 days)\n"
    assert not os.path.exists(old)
    assert len(listed(sandbox)) == 1


@pytest.mark.parametrize("line", [("env", "create"), ("install", "alpha")], ids=" ".join)
def test_prune_knows_when_the_project_of_a_central_environment_is_gone(
    sandbox: Sandbox, line: tuple[str, ...]
) -> None:
    env = {"SAFEPIP_ENV_DIR": "central"}
    assert sandbox.run(*line, env=env).code == 0
    (found,) = listed(sandbox)
    assert found["project"] == sandbox.project
    assert sandbox.run("env", "prune").text == ""
    os.rename(sandbox.project, sandbox.project + ".gone")
    ran = sandbox.run("env", "prune", "--yes", cwd=sandbox.home)
    assert ran.text == f"removed {found['path']} (its project {sandbox.project} is gone)\n"
    assert not os.path.exists(str(found["path"]))


def test_prune_forgets_what_is_gone(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    shutil.rmtree(sandbox.venv)
    assert sandbox.run("env", "prune", "--yes").text == f"forgot {sandbox.venv} (it is gone)\n"
    assert sandbox.run("env", "prune").said == ["there is nothing to prune"]


def test_what_a_process_runs_in_is_not_removed_unasked(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    age(sandbox.venv, 100)
    age_record(sandbox, 100)
    code = "import sys; print(flush=True); sys.stdin.read()"
    active = {"VIRTUAL_ENV": sandbox.venv, "PATH": f"{sandbox.venv}/bin:/usr/bin:/bin"}
    for program, env in ((".venv/bin/python", {}), ("python", active)):
        line = ["/usr/bin/env", *(f"{name}={value}" for name, value in env.items()), program, "-Sc", code]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            line, cwd=sandbox.project, env=sandbox.variables, stdin=pipe, stdout=pipe
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            ran = sandbox.run("env", "remove")
            age(sandbox.venv, 100)
            pruned = sandbox.run("env", "prune", "--unused", "30", "--yes")
            process.communicate()
        assert (ran.code, pruned.out) == (64, b"")
        assert f"holds process {process.pid}, which runs in it" in ran.said[0]
    assert sandbox.run("env", "remove").code == 0


# -- as another user


def as_nobody(box: Sandbox, *words: str) -> Ran:
    return box.call(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", box.safepip, *words])


def test_what_the_user_cannot_change_is_told_before_anything_is_touched(nobodys: Sandbox) -> None:
    assert as_nobody(nobodys, "install", "alpha").code == 0
    (site,) = glob.glob(f"{nobodys.venv}/lib/*/site-packages")
    os.chmod(site, 0o555)
    before = look(nobodys.venv)
    ran = as_nobody(nobodys, "env", "remove", "--yes")
    assert (ran.code, ran.said[0]) == (
        73, f"error: {nobodys.venv} stays as it is: what lies in {site} cannot be removed by you"
    )  # fmt: skip
    assert without_times(look(nobodys.venv)) == without_times(before)
    ran = as_nobody(nobodys, "undo")
    assert (ran.code, ran.said[0]) == (1, "error: not undone, all is as it was: could not remove alpha")
    assert faults(site) == []
    assert as_nobody(nobodys, "run", "python", "-c", "import alpha").code == 0


def test_one_that_may_not_be_written_is_repaired_and_stays_so(nobodys: Sandbox) -> None:
    assert as_nobody(nobodys, "install", "alpha").code == 0
    os.unlink(nobodys.python)
    os.chmod(nobodys.venv, 0o555)
    ran = as_nobody(nobodys, "env", "repair")
    assert ran.code == 0, ran.err
    assert stat.S_IMODE(os.stat(nobodys.venv).st_mode) == 0o555
    assert [name for name in os.listdir(nobodys.project) if name.startswith(".venv")] == [".venv"]


def test_the_history_of_another_user_is_not_taken_for_an_empty_one(nobodys: Sandbox) -> None:
    os.unlink(os.path.join(nobodys.home, ".cache", "safepip"))  # root's own: another user could not read the files
    assert nobodys.run("--env", nobodys.project + "/roots", "install", "alpha").code == 0
    for word in ("history", "undo"):
        ran = as_nobody(nobodys, "--env", nobodys.project + "/roots", word)
        assert (ran.code, ran.out) == (77, b"")
        assert "is another user's" in ran.said[0]


# -- trust


def test_trust_lets_a_refused_environment_serve_until_it_is_revoked(sandbox: Sandbox, managed_python: str) -> None:
    elsewhere = os.path.join(sandbox.home, "elsewhere")
    assert sandbox.call([managed_python, "-m", "venv", "--without-pip", elsewhere]).code == 0
    shutil.copytree(elsewhere, sandbox.venv, symlinks=True)
    assert sandbox.run("list").code == 77
    assert sandbox.run("env", "path").code == 77
    assert sandbox.run("env", "repair").code == 77
    assert sandbox.run("env", "trust", "--list").text == ""
    ran = sandbox.run("env", "trust")
    assert (ran.code, ran.said) == (0, [".venv is trusted from now on"])
    assert sandbox.run("list").code == 0
    assert sandbox.run("env", "trust", "--list").text == sandbox.venv + "\n"
    assert sandbox.run("env", "trust", "--revoke", ".venv").said == [".venv is not trusted any more"]
    assert sandbox.run("list").code == 77


def test_trust_is_of_one_directory_and_not_of_a_path(sandbox: Sandbox, managed_python: str) -> None:
    elsewhere = os.path.join(sandbox.home, "elsewhere")
    assert sandbox.call([managed_python, "-m", "venv", "--without-pip", elsewhere]).code == 0
    shutil.copytree(elsewhere, sandbox.venv, symlinks=True)
    assert sandbox.run("env", "trust", sandbox.venv).code == 0
    os.rename(sandbox.venv, sandbox.venv + ".first")
    shutil.copytree(elsewhere, sandbox.venv, symlinks=True)
    assert sandbox.run("list").code == 77
    assert sandbox.run("env", "trust", "--list").text == ""


@pytest.mark.parametrize("kept_by", ["", "uv"])
def test_a_redirect_that_git_tracks_needs_trust_even_to_an_environment_of_safepips(
    sandbox: Sandbox, kept_by: str
) -> None:
    """Somebody else's repository could have an install change another project of the user's."""
    cloned = os.path.join(sandbox.home, "cloned")
    os.makedirs(cloned)
    for name, text in ((".venv", "../project/.venv\n"), ("uv.lock" if kept_by else "setup.cfg", "")):
        with open(os.path.join(cloned, name), "w", encoding="utf-8") as file:
            file.write(text)
    assert sandbox.run("install", "alpha").code == 0
    assert sandbox.run("install", "beta", cwd=cloned).code == 0  # a redirect of the user's own
    for words in (("init", "-q"), ("add", "-f", ".venv")):
        subprocess.run(["git", "-C", cloned, *words], check=True)
    before = sandbox.packages()
    refused = [
        f"refused: .venv came with the repository (git tracks it) and leads to {sandbox.venv}",
        "if you trust it: safepip env trust .venv",
    ]
    lines = (("install", "gamma"), ("uninstall", "-y", "beta"), ("list",), ("undo",), ("env", "repair"))
    for line in (*lines, ("env", "remove", "--yes")):
        ran = sandbox.run(*line, cwd=cloned)
        assert (ran.code, ran.said) == (77, refused)
    assert sandbox.packages() == before
    assert sandbox.run("env", "trust", ".venv", cwd=cloned).said == [".venv is trusted from now on"]
    assert sandbox.run("env", "trust", "--list").text == f"{cloned}/.venv\n"
    assert sandbox.run("list", cwd=cloned).code == 0
    assert sandbox.run("env", "trust", "--revoke", cwd=cloned).said == [".venv is not trusted any more"]
    assert sandbox.run("env", "trust", "--revoke", cwd=cloned).said == [".venv was not trusted"]
    assert sandbox.run("list", cwd=cloned).code == 77
    assert sandbox.run("list").code == 0


def test_what_is_no_environment_cannot_be_trusted(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "trust").code == 3
    assert sandbox.run("env", "trust", ".").code == 3


# -- many


def test_eight_hundred_are_listed_and_pruned_in_good_time(sandbox: Sandbox) -> None:
    assert sandbox.run("env", "create").code == 0
    code = (
        "import sys, os, shutil; from safepip.system import registry; state, venv, root = sys.argv[1:]\n"
        "for number in range(800):\n"
        "    path = os.path.join(root, f'p{number}', '.venv'); os.makedirs(os.path.join(path, 'bin'))\n"
        "    os.makedirs(os.path.join(path, 'lib', os.listdir(os.path.join(venv, 'lib'))[0], 'site-packages'))\n"
        "    os.symlink(os.path.realpath(os.path.join(venv, 'bin', 'python')), os.path.join(path, 'bin', 'python'))\n"
        "    shutil.copy(os.path.join(venv, 'pyvenv.cfg'), path); registry.note(state, path, 'made')\n"
    )
    own = os.path.join(os.path.dirname(sandbox.safepip), "python")
    state = os.path.join(sandbox.home, ".local", "state", "safepip")
    assert sandbox.call([own, "-I", "-c", code, state, sandbox.venv, sandbox.home]).code == 0
    listed(sandbox)  # measures them, once
    began = time.monotonic()
    assert len(listed(sandbox)) == 801
    assert sandbox.run("env", "prune", "--unused", "30").said == ["there is nothing to prune"]
    assert time.monotonic() - began < 8  # on a loaded machine; the bench measures
