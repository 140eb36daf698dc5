"""`safepip env create --like`: the environment of a worktree or a clone, with what another has."""

from __future__ import annotations

import glob
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from real_world import NOBODY
from sandbox import Sandbox, make_sdist, make_wheel, write_source

pytestmark = pytest.mark.slow
MakeSandbox = Callable[..., Sandbox]
NO_INDEX = {"PIP_FIND_LINKS": "/nowhere"}  # nothing can be got


@pytest.fixture
def box(make_sandbox: MakeSandbox) -> Sandbox:
    """Give a project under git with an environment: beta, alpha, and itself, in place."""
    made = make_sandbox()
    write_source(made.project, "proj")
    git(made, "init", "-q")
    git(made, "add", "-A")
    git(made, "commit", "-qm", "begun")
    ran = made.run("install", "beta", "many0", "-e", ".")
    assert ran.code == 0, ran.err
    return made


def git(box: Sandbox, *words: str) -> None:
    named = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    ran = box.call(["git", *named, *words])
    assert ran.code == 0, ran.err


def worktree(box: Sandbox, *parts: str) -> str:
    path = os.path.join(box.home, *parts)
    git(box, "worktree", "add", "-q", "--detach", path)
    return path


def frozen(box: Sandbox, cwd: str) -> list[str]:
    return [line for line in box.run("freeze", "--all", cwd=cwd).text.splitlines() if line[:1] not in "#-"]


def origin(box: Sandbox, cwd: str, module: str) -> str:
    return box.run("run", "python", "-c", f"import {module}; print({module}.__file__)", cwd=cwd).text.strip()


@pytest.mark.parametrize("place", [("fix",), ("project", ".worktrees", "fix")])
def test_a_worktree_gets_the_same_without_an_index_and_itself_in_place(
    box: Sandbox, place: tuple[str, ...]
) -> None:
    path = worktree(box, *place)
    ran = box.run("env", "create", "--like", ".", path, env=NO_INDEX)
    assert (ran.code, ran.out) == (0, b""), ran.err
    assert ran.said[-1].endswith("has the same packages as .venv")
    assert frozen(box, path) == frozen(box, box.project)
    assert origin(box, path, "proj") == os.path.join(path, "proj.py")
    assert origin(box, box.project, "proj") == os.path.join(box.project, "proj.py")
    beta = os.path.join(path, ".venv", "bin", "beta")
    assert box.call([beta]).out == b"this is beta 1.0\n"
    with open(beta, "rb") as file:
        assert file.readline().startswith(b"#!" + os.fsencode(os.path.join(path, ".venv", "bin", "python")))
    assert box.run("env", "info", path).text.rpartition("health:")[2].strip() == "ok"
    assert box.run("check", cwd=path).code == 0
    before = frozen(box, box.project)
    assert box.run("uninstall", "-y", "beta", "proj", cwd=path).code == 0
    assert frozen(box, box.project) == before


def test_it_is_made_for_the_place_that_one_is_in(box: Sandbox) -> None:
    path = worktree(box, "fix")
    assert box.run("env", "create", "--like", "../project/.venv", cwd=path, env=NO_INDEX).code == 0
    assert frozen(box, path) == frozen(box, box.project)
    entry = box.run("history", cwd=path).text
    assert "made the environment" in entry
    assert box.run("undo", cwd=path).code == 0
    assert [line.partition("==")[0] for line in frozen(box, path)] == ["pip"]


def test_a_worktree_never_falls_back_to_the_main_checkouts_environment(box: Sandbox) -> None:
    path = worktree(box, "project", ".worktrees", "fix")
    assert box.run("env", "path", cwd=path).text == os.path.join(path, ".venv") + "\n"
    assert box.run("list", "--format=freeze", cwd=path).text != box.run("list", "--format=freeze").text
    ran = box.run("env", "create", "--like", ".", cwd=path)
    assert (ran.code, ran.said) == (3, ["error: .venv does not exist"])
    assert not os.path.lexists(os.path.join(path, ".venv"))


def test_an_environment_that_exists_is_refused_with_the_way_out(box: Sandbox) -> None:
    path = worktree(box, "fix")
    assert box.run("env", "create", path).code == 0
    ran = box.run("env", "create", "--like", ".", path)
    assert ran.code == 73
    assert ran.said[1] == f"remove it first: safepip env remove {path}/.venv"
    assert box.run(*ran.said[1].partition("safepip ")[2].split()).code == 0
    assert box.run("env", "create", "--like", ".", path).code == 0


def test_without_a_model_a_directory_gets_an_empty_environment(box: Sandbox) -> None:
    path = worktree(box, "fix")
    assert box.run("env", "create", path).code == 0
    assert [line.partition("==")[0] for line in frozen(box, path)] == ["pip"]
    assert box.run("env", "create", os.path.join(box.home, "nowhere")).code == 3
    assert box.run("env", "create", box.venv).code == 64


def test_urls_archives_and_folders_keep_where_they_came_from(box: Sandbox, wheels: str) -> None:
    away = write_source(os.path.join(box.home, "away"), "away")
    kept = write_source(os.path.join(box.home, "kept"), "kept")
    subprocess.run(["git", "init", "-q", kept], check=True)
    for words in (("add", "-A"), ("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x")):
        subprocess.run(["git", "-C", kept, *words], check=True)
    wheel = glob.glob(os.path.join(wheels, "many1-*.whl"))[0]
    assert box.run("install", "-e", away, wheel, f"kept @ git+file://{kept}", "delta").code == 0
    path = worktree(box, "fix")
    assert box.run("env", "create", "--like", ".", path, env=NO_INDEX).code == 0
    assert frozen(box, path) == frozen(box, box.project)
    assert origin(box, path, "away") == os.path.join(away, "away.py")
    assert origin(box, path, "proj") == os.path.join(path, "proj.py")


def test_what_was_changed_there_is_got_again(box: Sandbox) -> None:
    """A file that was edited is nobody's package; one that is damaged is not handed on."""
    with open(
        os.path.join(glob.glob(f"{box.venv}/lib/*/site-packages")[0], "many0.py"), "a", encoding="utf-8"
    ) as file:
        file.write("edited = True\n")
    path = worktree(box, "fix")
    failed = box.run("env", "create", "--like", ".", path, env=NO_INDEX)
    assert failed.code == 3
    assert failed.said[-2].startswith("error: no environment was made: could not get many0 1.0")
    assert not os.path.lexists(os.path.join(path, ".venv"))
    assert box.run("env", "create", "--like", ".", path).code == 0
    asking = "import many0; print(hasattr(many0, 'edited'))"
    assert box.run("run", "python", "-c", asking, cwd=path).text == "False\n"


def test_a_project_whose_metadata_may_differ_is_installed_by_pip(box: Sandbox) -> None:
    path = worktree(box, "fix")
    write_source(path, "proj", "2.0")
    assert box.run("env", "create", "--like", ".", path).code == 0
    assert "proj 2.0" in " ".join(box.run("list", cwd=path).text.split())
    assert origin(box, path, "proj") == os.path.join(path, "proj.py")


def test_a_package_of_the_project_that_is_not_here_is_left_out(box: Sandbox) -> None:
    below = write_source(os.path.join(box.project, "libs", "below"), "below")
    assert box.run("install", "-e", below).code == 0
    path = worktree(box, "fix")
    ran = box.run("env", "create", "--like", ".", path)
    assert ran.code == 0
    assert any(line.startswith("below is left out: it is installed from") for line in ran.said)
    assert not any(line.startswith("below") for line in frozen(box, path))


def test_for_another_python_pip_installs_it_again(box: Sandbox, unmanaged_python: str) -> None:
    path = worktree(box, "fix")
    ran = box.run("env", "create", "--like", ".", "--python", unmanaged_python, path)
    assert ran.code == 0, ran.err
    names = [[line.partition("==")[0] for line in frozen(box, at)] for at in (path, box.project)]
    assert names[0] == names[1]
    assert origin(box, path, "proj") == os.path.join(path, "proj.py")


def test_an_untrusted_environment_is_no_model(box: Sandbox, managed_python: str) -> None:
    other = os.path.join(box.home, "other")
    os.makedirs(other)
    subprocess.run([managed_python, "-m", "venv", "--without-pip", os.path.join(other, ".venv")], check=True)
    for words in (("init", "-q"), ("add", "-f", ".venv")):
        subprocess.run(["git", "-C", other, *words], check=True)
    ran = box.run("env", "create", "--like", other, worktree(box, "fix"))
    assert (ran.code, ran.said[1]) == (77, f"if you trust it: safepip env trust {other}/.venv")


def test_pip_is_the_models_version(box: Sandbox) -> None:
    folder = os.path.join(box.home, "pips")
    os.makedirs(folder)
    site = glob.glob(f"{box.venv}/lib/*/site-packages")[0]
    shutil.rmtree(os.path.join(site, "pip"))
    for info in glob.glob(f"{site}/pip-*"):
        shutil.rmtree(info)
    make_wheel(folder, "pip", "99.0", commands=["pip"])
    # The real pip cannot install itself here any more; safepip's own can.
    assert box.run("install", "--no-deps", os.path.join(folder, "pip-99.0-py3-none-any.whl")).code == 0
    path = worktree(box, "fix")
    assert box.run("env", "create", "--like", ".", path, env=NO_INDEX).code == 0
    infos = glob.glob(os.path.join(path, ".venv", "lib", "*", "site-packages", "pip-*"))
    assert [os.path.basename(info) for info in infos] == ["pip-99.0.dist-info"]


def test_a_creation_that_was_killed_leaves_nothing_usable_and_the_next_succeeds(box: Sandbox) -> None:
    for number in range(4):
        path = worktree(box, f"fix{number}")
        begun = subprocess.Popen(
            [box.safepip, "env", "create", "--like", ".", path], cwd=box.project, env=box.environ(),
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        while not os.path.lexists(os.path.join(path, ".venv")) and begun.poll() is None:
            time.sleep(0.005)
        time.sleep(0.03 * number)
        os.killpg(begun.pid, signal.SIGKILL)
        begun.wait()
        ran = box.run("env", "create", "--like", ".", path)
        assert ran.code == 0 or "is there, with Python" in ran.said[0]
        assert frozen(box, path) == frozen(box, box.project)


# -- files that are shared


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_shares_files_that_only_he_can_change(nobodys: Sandbox) -> None:
    box = nobodys
    os.makedirs(os.path.join(box.home, "fix"))
    os.chown(os.path.join(box.home, "fix"), NOBODY, NOBODY)
    as_nobody = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", box.safepip]
    assert box.call([*as_nobody, "install", "beta"]).code == 0
    site = glob.glob(f"{box.venv}/lib/*/site-packages")[0]
    os.chmod(os.path.join(site, "alpha.py"), 0o666)
    ran = box.call([*as_nobody, "env", "create", "--like", ".", "../fix"], env=NO_INDEX)
    assert ran.code == 0, ran.err
    new = glob.glob(f"{box.home}/fix/.venv/lib/*/site-packages")[0]
    shared = [name for name in ("alpha.py", "beta.py") if os.path.samefile(f"{site}/{name}", f"{new}/{name}")]
    assert shared in (["beta.py"], [])  # clones are files of their own
    assert not os.path.samefile(f"{box.venv}/bin/beta", f"{box.home}/fix/.venv/bin/beta")
    root = box.run("env", "create", "--like", ".", "../roots", cwd=box.project)
    assert root.code == 3
    os.makedirs(os.path.join(box.home, "roots"))
    for model in (".", ".venv"):  # root takes no environment of another user's
        assert box.run("env", "create", "--like", model, "../roots").code in {3, 77}
    assert os.listdir(os.path.join(box.home, "roots")) == []


def test_root_shares_no_file(box: Sandbox) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root is root")
    path = worktree(box, "fix")
    assert box.run("env", "create", "--like", ".", path).code == 0
    for name in glob.glob("lib/*/site-packages/**", root_dir=box.venv, recursive=True):
        old, new = os.path.join(box.venv, name), os.path.join(path, ".venv", name)
        assert not os.path.isfile(old) or not os.path.exists(new) or not os.path.samefile(old, new)


# -- what other tools make


@pytest.mark.parametrize("flat", [True, False])
def test_setuptools_development_mode_is_led_here(
    make_sandbox: MakeSandbox, published_wheels: str, *, flat: bool
) -> None:
    """As a .pth file for a src folder, and a module that finds packages for a flat one."""
    box = make_sandbox()
    box.write("pyproject.toml", '[build-system]\nrequires=["setuptools"]\nbuild-backend="setuptools.build_meta"\n'
                                '[project]\nname="app"\nversion="1.0"\n[project.scripts]\napp = "app:main"\n')  # fmt: skip
    box.write("app/__init__.py" if flat else "src/app/__init__.py", "def main():\n    print(__file__)\n")
    git(box, "init", "-q")
    git(box, "add", "-A")
    git(box, "commit", "-qm", "begun")
    assert box.run("install", "-e", ".", env={"PIP_FIND_LINKS": published_wheels}).code == 0
    path = worktree(box, "fix")
    ran = box.run("env", "create", "--like", ".", path, env=NO_INDEX)
    assert ran.code == 0, ran.err
    assert box.run("run", "app", cwd=path).text.startswith(os.path.join(path, ""))
    told = json.loads(box.run("list", "--format=json", cwd=path).out)
    places = {one["name"]: one.get("editable_project_location") for one in told}
    assert places["app"] == path


def test_an_environment_that_uv_made_is_a_model_too(sandbox: Sandbox, wheels: str, uv_programs: str) -> None:
    box, uv = sandbox, os.path.join(uv_programs, "uv")
    python = box.call([uv, "venv", "-q", "--python", "/usr/bin/python3"])
    assert python.code == 0, python.err
    assert box.call([uv, "pip", "install", "-q", "--no-index", "-f", wheels, "beta"]).code == 0
    path = os.path.join(box.home, "fix")
    os.makedirs(path)
    assert box.run("env", "create", "--like", ".", path, env=NO_INDEX).code == 0
    assert box.call([os.path.join(path, ".venv", "bin", "beta")]).out == b"this is beta 1.0\n"


def test_a_source_distribution_needs_no_build(box: Sandbox) -> None:
    folder = os.path.join(box.home, "sdists")
    os.makedirs(folder)
    counted = os.path.join(box.home, "counted")
    make_sdist(folder, "built", "1.0", hook=f"open({counted!r}, 'a').write('x')")
    assert box.run("install", "built", env={"PIP_FIND_LINKS": folder}).code == 0
    assert box.run("env", "create", "--like", ".", worktree(box, "fix"), env=NO_INDEX).code == 0
    with open(counted, encoding="utf-8") as file:
        assert file.read() == "x"
