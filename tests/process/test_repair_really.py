"""`safepip env repair`, on environments that real Pythons, real moves and real kills have broken; offline."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from _torture.oracle import faults
from kills import kill_at
from sandbox import Kept, Sandbox, copy_interpreter, look, make_wheel, without_times, write_source

pytestmark = pytest.mark.slow
MakeSandbox = Callable[..., Sandbox]
KEPT = [".venv"]
KILLS = int(os.environ.get("SAFEPIP_TEST_KILLS", "2"))


class Exchanged:
    """A Python at one path, of which there are two minor versions to put there."""

    def __init__(self, folder: str, versions: list[str]) -> None:
        self.folder = folder
        self.versions = versions
        self.path = os.path.join(folder, "python")
        self.now: str | None = None

    def put(self, version: str | None) -> None:
        """Have this version there, or none."""
        if self.now is not None:
            os.rename(self.path, os.path.join(self.folder, self.now))
        if version is not None:
            os.rename(os.path.join(self.folder, version), self.path)
        self.now = version

    def other(self) -> str:
        """Have the other version there, and return it."""
        self.put(next(version for version in self.versions if version != self.now))
        return str(self.now)


@pytest.fixture(scope="module")
def exchanged(base: str) -> Exchanged:
    folder = os.path.join(base, "exchanged")
    os.makedirs(folder)
    home = pwd.getpwuid(os.getuid()).pw_dir
    versions: list[str] = []
    for minor in ("3.12", "3.13", "3.10"):
        for found in sorted(glob.glob(f"{home}/.pyenv/versions/{minor}.*/bin/python{minor}")):
            if minor not in versions and copy_interpreter(found, os.path.join(folder, minor)):
                versions.append(minor)
    if len(versions) < 2:
        pytest.skip("there are no two Pythons of pyenv's that can be copied")
    return Exchanged(folder, versions[:2])


@pytest.fixture
def python(exchanged: Exchanged) -> Iterator[Exchanged]:
    exchanged.put(exchanged.versions[0])
    yield exchanged
    exchanged.put(None)


def with_program(box: Sandbox) -> Sandbox:
    """Install what comes in all ways: by name, as a dependency, editable, by URL, with an extra."""
    wheels = shutil.copytree(box.variables["PIP_FIND_LINKS"], os.path.join(box.root, "wheels"))
    box.variables["PIP_FIND_LINKS"] = wheels
    write_source(os.path.join(box.home, "mine"), "mine")
    line = (
        "install",
        "beta",
        "extra[more]",
        "-e",
        os.path.join(box.home, "mine"),
        os.path.join(wheels, "delta-1.0.tar.gz"),
    )
    ran = box.run(*line)
    assert ran.code == 0, ran.err
    assert box.run("install", "alpha==1.0").code == 0
    return box


@pytest.fixture(scope="module")
def made(make_sandbox: MakeSandbox, exchanged: Exchanged) -> Kept:
    """Make a project with an environment from the Python that can be exchanged."""
    exchanged.put(exchanged.versions[0])
    made = make_sandbox()
    ran = made.run("env", "create", "--python", os.path.join(exchanged.path, "bin", "python3"))
    assert ran.code == 0, ran.err
    return Kept(with_program(made))


@pytest.fixture
def box(python: Exchanged, made: Kept) -> Sandbox:  # made from the Python that `python` puts there
    return made.restore()


def site(box: Sandbox) -> str:
    (found,) = glob.glob(os.path.join(box.venv, "lib", "python*", "site-packages"))
    return found


def requested(box: Sandbox) -> set[str]:
    return {path.split("/")[-2].partition("-")[0] for path in glob.glob(f"{site(box)}/*/REQUESTED")}


def state(box: Sandbox) -> tuple[object, ...]:
    """Return what has to be the same after a repair, and prove that the program works."""
    program = box.call([os.path.join(box.venv, "bin", "beta")])
    assert program.text == "this is beta 1.0\n", program.err
    frozen, history = box.run("freeze").text, box.run("history", "--json").text
    assert "alpha==1.0" in frozen
    return frozen, history, requested(box)


def environments(box: Sandbox) -> list[str]:
    return sorted(name for name in os.listdir(box.project) if name.startswith(".venv"))


def repaired(box: Sandbox, *words: str) -> list[str]:
    ran = box.run("env", "repair", *words)
    assert ran.code == 0, ran.err
    assert faults(site(box)) == []
    assert environments(box) == KEPT, ran.err
    assert glob.glob(os.path.join(box.home, ".local", "state", "safepip", "repairs", "*")) == []
    return ran.said


def version(box: Sandbox) -> str:
    return box.call([box.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).text.strip()


# -- its Python


def test_another_minor_version_in_its_place_gets_the_same_packages_and_undo_goes_on(
    box: Sandbox, python: Exchanged
) -> None:
    before = state(box)
    now = python.other()
    ran = box.run("list")
    assert ran.code == 3
    assert ran.said[-1].endswith("safepip env repair")
    said = repaired(box)
    assert version(box) == now
    assert state(box) == before
    assert len(said) == 4
    assert repaired(box) == ["there is nothing to repair in .venv"]
    ran = box.run("undo")
    assert ran.code == 0, ran.err
    assert "alpha==2.0" in box.run("freeze").text


def test_a_python_that_is_gone_is_replaced_by_the_target_interpreter(box: Sandbox, python: Exchanged) -> None:
    before = state(box)
    python.put(None)
    assert box.run("list").code == 3
    repaired(box)
    real = os.path.realpath(box.python)
    assert real.startswith("/usr/bin/python3")
    assert state(box) == before


def test_an_environment_that_sees_the_system_still_does(sandbox: Sandbox, python: Exchanged) -> None:
    line = ("env", "create", "--system-site-packages", "--python", os.path.join(python.path, "bin", "python3"))
    assert sandbox.run(*line).code == 0
    assert sandbox.run("install", "alpha").code == 0
    python.other()
    repaired(sandbox)
    with open(os.path.join(sandbox.venv, "pyvenv.cfg")) as file:
        assert "include-system-site-packages = true" in file.read()


@pytest.mark.skipif(shutil.which("git", path="/usr/bin:/bin") is None, reason="there is no git")
def test_what_came_from_version_control_comes_from_the_same_commit(sandbox: Sandbox, python: Exchanged) -> None:
    source = write_source(os.path.join(sandbox.home, "kept"), "kept")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        assert sandbox.call([*git, *words], cwd=source).code == 0
    line = ("env", "create", "--python", os.path.join(python.path, "bin", "python3"))
    assert sandbox.run(*line).code == 0
    assert sandbox.run("install", f"git+file://{source}").code == 0
    before = sandbox.run("freeze").text
    assert "kept @ git+file://" in before
    sandbox.write(os.path.join(source, "kept.py"), "VERSION = 'later'\n")
    assert sandbox.call([*git, "commit", "-qam", "two"], cwd=source).code == 0
    python.other()
    repaired(sandbox)
    assert sandbox.run("freeze").text == before
    assert sandbox.call([sandbox.python, "-c", "import kept; print(kept.VERSION)"]).text == "1.0\n"


# -- unasked


UNASKED = {"SAFEPIP_AUTO_REPAIR": "1"}


LINES = (  # the words of both kinds: safepip's own, and pip's, of which `freeze` is another below
    (("run", "beta"), "this is beta 1.0"),
    (("install", "alpha==2.0"), "Successfully installed alpha-2.0"),
)


def test_a_line_that_needs_it_has_it_repaired_first(sandbox: Sandbox, python: Exchanged) -> None:
    ran = sandbox.run("--env", "other", "env", "create", "--python", os.path.join(python.path, "bin", "python3"))
    assert ran.code == 0, ran.err
    assert sandbox.run("--env", "other", "install", "beta", "alpha==1.0").code == 0
    for line, out in LINES:
        now = python.other()
        ran = sandbox.run(*line, env={**UNASKED, "SAFEPIP_ENV": "other"})
        assert ran.code == 0, (line, ran.err)
        assert out in ran.text
        assert ran.said[0].startswith("other was made with Python")
        assert os.listdir(os.path.join(sandbox.project, "other", "lib")) == [f"python{now}"]


def test_freeze_has_it_repaired_without_a_word(box: Sandbox, python: Exchanged) -> None:
    frozen = box.run("freeze").text
    python.other()
    explained = box.run("explain", "freeze", env=UNASKED)
    assert explained.text.startswith(f"would rebuild {box.venv}, which was made with Python")
    assert box.run("explain", "--json", "freeze", env=UNASKED).text.startswith('{"plan": "environment"')
    ran = box.run("freeze", env=UNASKED)
    assert (ran.code, ran.text, ran.err) == (0, frozen, b"")


def test_of_two_lines_at_once_that_need_it_one_repairs_it(box: Sandbox, python: Exchanged) -> None:
    python.other()
    environ = box.environ(UNASKED)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen([box.safepip, "list"], cwd=box.project, env=environ, **pipes) for _ in range(2)]
    ended = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert ended[0][0] == ended[1][0] != b""
    told = b"".join(err for _, err in ended)
    assert told.count(b".venv is repaired") == 1
    assert b"nothing to repair" not in told


def test_what_the_user_edited_is_kept_aside(box: Sandbox, python: Exchanged) -> None:
    path = os.path.join(site(box), "alpha.py")
    with open(path, "a", encoding="utf-8") as file:
        file.write("\nmine = True\n")
    python.other()
    ran = box.run("env", "repair")
    assert ran.code == 0, ran.err
    (aside,) = (name for name in environments(box) if name != ".venv")
    (line,) = (line for line in ran.said if "changed by hand" in line)
    assert f"holds {os.path.relpath(path, box.venv)}, which" in line
    assert line.endswith(aside)


def test_what_needs_none_or_cannot_be_repaired_leaves_it_broken(box: Sandbox, python: Exchanged) -> None:
    python.other()
    looked = whole(box)
    for line in (("cache", "dir"), ("--version",), ("env", "path"), ("env", "list"), ("explain", "list")):
        assert box.run(*line, env=UNASKED).code == 0
    ran = box.run("list", env={**UNASKED, "PIP_FIND_LINKS": None})
    assert (ran.code, ran.out) == (3, b"")
    assert ".venv was not repaired and is as it was" in ran.said[-1]
    assert whole(box) == looked


def test_a_strangers_is_not_repaired_unasked(box: Sandbox, python: Exchanged) -> None:
    """What it lists could be anything, and building that would run it."""
    copy = os.path.join(box.home, "copy")
    shutil.copytree(box.project, copy, symlinks=True)
    python.put(None)
    looked = without_times(look(copy))
    ran = box.run("list", cwd=copy, env=UNASKED)
    assert (ran.code, ran.out) == (3, b"")
    assert without_times(look(copy)) == looked


# -- all or nothing


def whole(box: Sandbox) -> dict[str, tuple[str, int, str]]:
    return without_times(look(box.project, skip=[".lock"]))


def test_what_cannot_be_rebuilt_stays_as_it_was_until_it_can(box: Sandbox, python: Exchanged) -> None:
    """Without a wheel, and without the sources of what is editable, which fail when all else is in place."""
    before = state(box)
    wheel = os.path.join(box.variables["PIP_FIND_LINKS"], "alpha-1.0-py3-none-any.whl")
    source = os.path.join(box.home, "mine", "_build", "own_backend.py")
    python.other()
    looked = whole(box)
    for path in (wheel, source):
        os.rename(path, path + ".gone")
        ran = box.run("env", "repair")
        os.rename(path + ".gone", path)
        assert ran.code == 3
        assert ".venv was not repaired and is as it was" in ran.said[-1]
        assert ("alpha==1.0" in ran.said[-1]) == (path == wheel)
        assert whole(box) == looked
    repaired(box)
    assert state(box) == before


def test_the_folder_of_an_editable_package_that_is_gone_is_told(box: Sandbox, python: Exchanged) -> None:
    shutil.rmtree(os.path.join(box.home, "mine"))
    python.other()
    ran = box.run("env", "repair")
    assert ran.code == 3
    assert f"{box.home}/mine, which it has a package from, is gone" in ran.said[-1]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the calls")
def test_killed_anywhere_the_old_or_the_new_one_is_whole(box: Sandbox, python: Exchanged) -> None:
    """And the next repair leaves one environment, with everything in it."""
    before = state(box)
    python.other()
    line = [box.safepip, "env", "repair"]
    total = kill_at(line, 0, box.project, cwd=box.project, env=box.variables)
    assert state(box) == before
    assert total > 100
    for point in range(KILLS):
        python.other()
        kill_at(line, 1 + point * (total - 1) // KILLS, box.project, cwd=box.project, env=box.variables)
        assert any(is_whole(box, name) for name in environments(box)), point
        ran = box.run("env", "repair")
        assert ran.code == 0, (point, ran.err)
        assert environments(box) == KEPT, (point, ran.err)
        assert state(box) == before, point


def is_whole(box: Sandbox, name: str) -> bool:
    folder = os.path.join(box.project, name)
    (found,) = glob.glob(os.path.join(folder, "lib", "python*", "site-packages")) or [""]
    done = not os.path.lexists(os.path.join(folder, ".safepip", "creating"))
    return bool(found) and done and faults(found) == [] and os.path.exists(os.path.join(folder, "bin", "beta"))


def test_only_safepip_killed_while_its_pip_goes_on(box: Sandbox, python: Exchanged) -> None:
    """The old environment comes back once that pip has ended, and not under its hands."""
    before = state(box)
    source = os.path.join(box.home, "mine", "_build", "own_backend.py")
    with open(source) as file:
        text = file.read()
    marker = os.path.join(box.home, "building")
    slow = f"\nimport time\nif not os.path.exists({marker!r}):\n    open({marker!r}, 'w').close()\n    time.sleep(2)\n"
    with open(source, "w") as file:
        file.write(text + slow)
    python.other()
    process = box.start("env", "repair")
    while not os.path.exists(marker):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.communicate()
    with open(source, "w") as file:
        file.write(text)
    ran = box.run("env", "repair")
    assert ran.code == 0, ran.err
    assert environments(box) == KEPT, ran.err
    assert state(box) == before


def test_a_prefix_that_is_no_environment_is_left_alone(sandbox: Sandbox, python: Exchanged) -> None:
    """A whole Python looks like an environment that lost its configuration; so does conda's base."""
    before = look(python.path)
    for named in (python.path, sandbox.home):
        ran = sandbox.run("env", "repair", named)
        assert (ran.code, ran.out) == (3, b"")
        assert "is not an environment, so there is nothing to rebuild" in ran.said[0]
    assert look(python.path) == before
    assert not os.path.exists(os.path.join(sandbox.home, ".lock"))


# -- moved, and smaller faults


@pytest.fixture(scope="module")
def furnished_plainly(make_sandbox: MakeSandbox) -> Kept:
    """Make a project with an environment on the system's Python."""
    return Kept(with_program(make_sandbox()))


@pytest.fixture
def plain(furnished_plainly: Kept) -> Sandbox:
    return furnished_plainly.restore()


def test_a_moved_project_works_again(plain: Sandbox) -> None:
    before = state(plain)
    moved = os.path.join(plain.home, "renamed")
    os.rename(plain.project, moved)
    plain.project = moved
    beta = os.path.join(plain.venv, "bin", "beta")
    with pytest.raises(OSError, match="beta"):
        subprocess.run([beta], check=False)
    listed = plain.run("list")
    assert (listed.code, listed.said) == (
        0, [f".venv was moved here from {plain.home}/project/.venv; repair its scripts: safepip env repair"]
    )  # fmt: skip
    repaired(plain)
    assert state(plain) == before
    activate = f". {plain.venv}/bin/activate; command -v beta"
    assert plain.call(["sh", "-c", activate]).text.strip() == beta
    assert plain.run("env", "list", "--json").text.count('"path"') == 1


def test_a_copied_project_is_refused_until_it_is_named(plain: Sandbox) -> None:
    original = plain.project
    copy = os.path.join(plain.home, "copy")
    shutil.copytree(original, copy, symlinks=True)
    plain.project = copy
    ran = plain.run("env", "repair")
    assert ran.code == 77
    ran = plain.run("env", "repair", ".venv")
    assert ran.code == 0, ran.err
    assert plain.call([os.path.join(plain.venv, "bin", "beta")]).text == "this is beta 1.0\n"
    with open(os.path.join(plain.venv, "bin", "beta")) as file:
        assert file.readline().startswith(f"#!{copy}")
    (aside,) = (name for name in environments(plain) if name != ".venv")  # which safepip did not make
    assert any(f"kept as {copy}/{aside}" in line for line in ran.said)


def test_pip_comes_back(plain: Sandbox) -> None:
    before = state(plain)
    said = {"pip*": "putting pip into .venv again"}
    for gone in ("pip*", "pip/_internal/cli"):
        for path in glob.glob(os.path.join(site(plain), gone)):
            shutil.rmtree(path)
        assert repaired(plain)[0].startswith(said.get(gone, "put back damaged files of pip ")), gone
        assert plain.call([os.path.join(plain.venv, "bin", "pip"), "--version"]).code == 0, gone
    assert state(plain) == before


def test_single_files_come_back_without_a_rebuild(plain: Sandbox) -> None:
    """So all else in the environment stays: files of the user's, and what was edited."""
    before = state(plain)
    notes, edited = os.path.join(plain.venv, "notes.txt"), os.path.join(site(plain), "beta.py")
    for path in (notes, edited):
        with open(path, "a") as file:
            file.write("# mine\n")
    identity = os.stat(plain.venv).st_ino
    os.unlink(os.path.join(site(plain), "alpha.py"))
    ran = plain.run("env", "repair")
    assert (ran.code, ran.said) == (0, ["put back damaged files of alpha 1.0"])
    assert os.stat(plain.venv).st_ino == identity
    assert state(plain) == before
    for path in (notes, edited):
        with open(path) as file:
            assert file.read().endswith("# mine\n")


@pytest.mark.parametrize("length", [0, 0.5])
@pytest.mark.parametrize("names", [("alpha.py", "METADATA", "WHEEL"), ("RECORD",)], ids=" ".join)
def test_emptied_and_cut_files_come_back(plain: Sandbox, names: tuple[str, ...], length: float) -> None:
    for name in names:
        path = os.path.join(site(plain), name if name == "alpha.py" else f"alpha-1.0.dist-info/{name}")
        os.truncate(path, int(os.path.getsize(path) * length))
    assert "damaged files of alpha: " in plain.run("env", "info").text
    assert plain.run("doctor").code == 1
    assert repaired(plain) == ["put back damaged files of alpha 1.0"]
    assert "alpha==1.0" in plain.run("freeze").text


@pytest.mark.parametrize("name", ["__init__.py", "_internal/cli/main.py", "_internal/utils/misc.py"])
def test_a_line_that_reads_works_with_a_damaged_pip(plain: Sandbox, answers: dict[str, str], name: str) -> None:
    path = os.path.join(site(plain), "pip", name)
    os.unlink(path)  # other environments may share the file
    open(path, "wb").close()
    ran = plain.run("freeze")
    assert (ran.code, ran.text) == (0, answers["freeze"])
    assert faults(site(plain)) == []


@pytest.fixture(scope="module")
def answers(furnished_plainly: Kept) -> dict[str, str]:
    """Return what the lines that read answer in the undamaged project."""
    box = furnished_plainly.restore()
    return {word: box.run(word).text for word in ("list", "freeze")}


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("metadata/importlib/_dists.py", "cut"),
        ("commands/list.py", "gone"),
        ("operations/freeze.py", "empty"),
        ("req/req_install.py", "cut"),
    ],
)
def test_a_file_of_pip_that_is_damaged_and_imported_late_costs_no_answer(
    plain: Sandbox, answers: dict[str, str], name: str, damage: str
) -> None:
    """pip imports some modules only while it works, and would print the traceback itself."""
    path = os.path.join(site(plain), "pip", "_internal", name)
    with open(path, "rb") as file:
        content = file.read()
    os.unlink(path)  # other environments may share the file
    if damage != "gone":
        with open(path, "wb") as file:
            file.write(b"" if damage == "empty" else content[: len(content) // 2])
    for word, answer in answers.items():
        ran = plain.run(word)
        assert (ran.code, ran.text) == (0, answer), ran.err
        assert b"Traceback" not in ran.err
        assert [one for one in ran.said if not one.endswith(f"{name}); repair it: safepip env repair")] == []
    ran = plain.run("install", "alpha==2.0")
    assert b"Traceback" not in ran.err
    assert ran.code == 0 or ran.said[-1].endswith("repair it: safepip env repair")
    assert repaired(plain)[0].startswith(("put back damaged files of pip ", "there is nothing to repair"))


def test_a_pip_that_cannot_be_imported_is_answered_in_one_line(plain: Sandbox) -> None:
    (path,) = glob.glob(os.path.join(site(plain), "pip", "_internal", "__pycache__", "pyproject.*.pyc"))
    os.truncate(path, 200)
    (line,) = [line for line in plain.run("wheel", "alpha", "--no-deps").err.splitlines() if b"safepip" in line]
    assert line.endswith(b"repair it: safepip env repair")
    assert repaired(plain) == ["put back damaged files of bytecode"]


def test_an_interrupted_install_is_put_right(plain: Sandbox) -> None:
    before = state(plain)
    make_wheel(plain.variables["PIP_FIND_LINKS"], "later", "1.0")
    journal = os.path.join(plain.venv, ".safepip", "journal")
    process = plain.start("install", "later")
    while not os.path.exists(journal):
        assert process.poll() is None
    process.kill()
    process.communicate()
    plain.run("env", "repair")
    assert not os.path.exists(journal)
    assert state(plain)[0] == before[0]


def test_of_another_makers_environment_the_old_one_stays(sandbox: Sandbox, python: Exchanged) -> None:
    made = [os.path.join(python.path, "bin", "python3"), "-m", "venv", "--without-pip", sandbox.venv]
    assert sandbox.call(made).code == 0
    assert sandbox.run("install", "beta").code == 0
    python.other()
    ran = sandbox.run("env", "repair")
    assert ran.code == 0, ran.err
    assert "beta==1.0" in sandbox.run("freeze").text
    assert not os.path.exists(os.path.join(site(sandbox), "pip"))
    assert len(environments(sandbox)) == 2


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace shows the order of the calls")
def test_what_is_put_back_is_on_the_disk_before_the_journal_ends(plain: Sandbox) -> None:
    journal = os.path.join(plain.venv, ".safepip", "journal")
    with open(journal, "w"):
        pass  # an empty one: verify everything
    source = os.path.join(site(plain), "alpha.py")
    os.unlink(source)
    log = os.path.join(plain.root, "strace.log")
    calls = "trace=fsync,syncfs,rename,renameat,renameat2,unlink,unlinkat"
    line = ["strace", "-f", "-y", "-qq", "-e", calls, "-o", log, plain.safepip, "install", "beta"]
    ran = plain.call(line, cwd=plain.project)
    assert ran.code == 0, ran.err
    assert "put right: alpha 1.0" in ran.said[0]
    with open(log) as file:
        lines = [one.partition(" ")[2].strip() for one in file]
    (put,) = (number for number, one in enumerate(lines) if one.startswith("rename") and f'"{source}"' in one)
    ended = next(number for number, one in enumerate(lines) if one.startswith("unlink") and f'"{journal}"' in one)
    scratch = lines[put].split('"')[1]
    assert any(one.startswith("fsync") and scratch in one for one in lines[:put])
    assert put < ended
