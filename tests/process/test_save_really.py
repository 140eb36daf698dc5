"""`--save` with real pip: what was asked for is recorded, all other bytes stay, and undo takes both back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable

import pytest
import sequences
from sandbox import Kept, Sandbox, make_wheel, write_source

pytestmark = pytest.mark.slow
MakeSandbox = Callable[..., Sandbox]


@pytest.fixture(scope="module")
def wheelhouse(base: str, wheels: str) -> str:
    folder = os.path.join(base, "save-wheels")
    shutil.copytree(wheels, folder)
    sequences.furnish(folder)
    return folder


@pytest.fixture
def box(make_sandbox: MakeSandbox, wheelhouse: str) -> Sandbox:
    box = make_sandbox()
    box.variables["PIP_FIND_LINKS"] = wheelhouse
    return box


@pytest.fixture(scope="module")
def made_with_alpha(make_sandbox: MakeSandbox, wheelhouse: str) -> Kept:
    """Make a project that has alpha, for tests that are only about what is written."""
    box = make_sandbox()
    box.variables["PIP_FIND_LINKS"] = wheelhouse
    ok(box, "install", "alpha")
    return Kept(box)


@pytest.fixture
def with_alpha(made_with_alpha: Kept) -> Sandbox:
    return made_with_alpha.restore()


def ok(box: Sandbox, *words: str, **how: object) -> str:
    ran = box.run(*words, **how)
    assert ran.code == 0, (words, ran.err)
    return ran.text


def content(box: Sandbox, name: str = "requirements.txt") -> bytes:
    with open(os.path.join(box.project, name), "rb") as file:
        return file.read()


def test_a_new_file_lists_what_was_asked_for(box: Sandbox) -> None:
    ran = box.run("--save", "install", "extra[more]", "beta<2", 'many3; sys_platform == "win32"')
    assert ran.code == 0, ran.err
    assert content(box) == b'extra[more]~=1.0\nbeta<2\nmany3; sys_platform == "win32"\n'
    assert "recorded beta<2 in requirements.txt" in ran.said
    assert b"alpha" not in content(box)  # beta needs it; nobody asked for it
    ok(box, "install", "-r", "requirements.txt")
    ok(box, "undo")
    assert not os.path.exists(os.path.join(box.project, "requirements.txt"))
    assert "beta" not in ok(box, "freeze")


def test_other_lines_stay_byte_for_byte(box: Sandbox) -> None:
    before = b"\xef\xbb\xbf# web\r\nalpha<2  # why\r\n\r\n  many2 ; python_version > '3'\r\n-f ./none\r\n# end"
    box.write("requirements.txt", before)
    ok(box, "--save", "install", "beta==2.0", "many2", "many1")
    added = before + b"\r\nbeta==2.0\r\nmany1~=1.0"
    assert content(box) == added
    ok(box, "--save", "uninstall", "-y", "beta", "many1")
    assert content(box) == before
    ok(box, "undo")
    assert content(box) == added
    ok(box, "undo")
    assert content(box) == before


def test_an_entry_that_does_not_fit_any_more_is_replaced_in_place(box: Sandbox) -> None:
    box.write("requirements.txt", "Alpha<2 ; python_version > '3'  # slow\nbeta\n")
    ok(box, "--save", "install", "-U", "alpha", "beta")
    assert content(box) == b"Alpha~=2.0; python_version > '3'  # slow\nbeta\n"
    ok(box, "--save", "install", "alpha==1.0")
    assert content(box) == b"Alpha==1.0; python_version > '3'  # slow\nbeta\n"


def test_an_included_file_keeps_its_entries(box: Sandbox) -> None:
    box.write("requirements.txt", "-r sub/base.txt\ngamma\n")
    box.write("sub/base.txt", "alpha<2\n")
    ok(box, "--save", "install", "alpha==2.0", "beta")
    assert (content(box), content(box, "sub/base.txt")) == (
        b"-r sub/base.txt\ngamma\nbeta~=2.0\n",
        b"alpha==2.0\n",
    )
    ok(box, "--save", "uninstall", "-y", "alpha")
    assert content(box, "sub/base.txt") == b""
    ok(box, "undo", "2")
    assert (content(box), content(box, "sub/base.txt")) == (b"-r sub/base.txt\ngamma\n", b"alpha<2\n")


def test_an_uninstall_of_something_without_a_name_removes_no_entry(box: Sandbox) -> None:
    before = "-e ./lib\n./other\nalpha\n"
    box.write("requirements.txt", before)
    ok(box, "env", "create")
    box.run("--save", "uninstall", "-y", "./lib", "nowhere")
    assert content(box) == before.encode()


def test_pyproject_and_its_groups_are_edited(box: Sandbox) -> None:
    before = b'[project]\nname = "me"\nversion = "1"\ndependencies = [\n  "gamma",  # why\n]\n'
    box.write("pyproject.toml", before)
    os.mkdir(os.path.join(box.project, "src"))
    ok(box, "--save", "install", "alpha", cwd=os.path.join(box.project, "src"))
    saved = before.replace(b"# why\n", b'# why\n  "alpha~=2.0",\n')
    assert content(box, "pyproject.toml") == saved
    ok(box, "--save=group:dev", "install", "many1")
    assert content(box, "pyproject.toml") == saved + b'\n[dependency-groups]\ndev = ["many1~=1.0"]\n'
    ok(box, "--save=group:dev", "uninstall", "-y", "many1")
    ok(box, "--save", "uninstall", "-y", "alpha")
    assert content(box, "pyproject.toml") == before + b"\n[dependency-groups]\ndev = []\n"
    ok(box, "undo", "4")
    assert content(box, "pyproject.toml") == before


def test_a_pyproject_that_cannot_be_edited_safely_is_told(with_alpha: Sandbox) -> None:
    before = '[project]\nname = "me"\nversion = "1"\ndynamic = ["dependencies"]\n'
    with_alpha.write("pyproject.toml", before)
    ran = with_alpha.run("--save", "install", "alpha")
    assert ran.code == 0
    assert "add it yourself: alpha~=2.0" in ran.said[-1]
    assert content(with_alpha, "pyproject.toml") == before.encode()


def test_a_file_that_a_program_writes_is_not_edited(with_alpha: Sandbox) -> None:
    made = "# This file is autogenerated by pip-compile\ngamma==1.0\n"
    with_alpha.write("requirements.txt", made)
    ran = with_alpha.run("--save", "install", "alpha")
    assert "add it yourself: alpha~=2.0" in ran.said[-1]
    with_alpha.write("requirements.in", "gamma\n")
    ok(with_alpha, "--save", "install", "alpha")
    assert (content(with_alpha), content(with_alpha, "requirements.in")) == (made.encode(), b"gamma\nalpha~=2.0\n")


def test_a_satisfied_install_records_and_a_dry_run_or_a_failure_does_not(box: Sandbox) -> None:
    ok(box, "install", "alpha")
    ok(box, "install", "alpha")  # from now on pip's answer is known
    box.write("requirements.txt", "many2\n")
    for words in (("install", "--dry-run", "beta"), ("install", "-r", "requirements.txt"), ("install", "nowhere")):
        box.run("--save", *words)
        assert content(box) == b"many2\n"
    assert box.run("--save", "install", "nowhere").code == 1
    ok(box, "--save", "install", "alpha")
    assert content(box) == b"many2\nalpha~=2.0\n"
    last = json.loads(ok(box, "history", "--json"))[-1]
    assert (last["line"], last["came"], last["files"]) == ("install alpha", [], ["requirements.txt"])
    ok(box, "undo")
    assert content(box) == b"many2\n"
    assert "alpha==2.0" in ok(box, "freeze")


def test_the_style_is_a_setting(with_alpha: Sandbox) -> None:
    ok(with_alpha, "--save", "install", "alpha", env={"SAFEPIP_SAVE_STYLE": "minimum"})
    assert content(with_alpha) == b"alpha>=2.0\n"


def test_directories_and_urls_are_written_as_freeze_has_them(box: Sandbox, wheelhouse: str) -> None:
    write_source(os.path.join(box.project, "lib"), "library")
    url = f"file://{wheelhouse}/many4-1.0-py3-none-any.whl"
    ok(
        box,
        "--save=all.txt",
        "install",
        "-e",
        "./lib",
        f"many4 @ {url}",
        f"{wheelhouse}/gamma-1.0-py3-none-any.whl",
    )
    frozen = [line for line in ok(box, "freeze").splitlines() if not line.startswith("#")]
    assert sorted(content(box, "all.txt").decode().splitlines()) == sorted(
        line for line in frozen if "library" in line or "lib" in line or " @ " in line
    )
    before = content(box, "all.txt")
    ok(box, "--save=all.txt", "install", "-e", "lib")
    assert content(box, "all.txt") == before
    box.write("all.txt", "-e ./lib  # mine\n")
    ok(box, "--save=all.txt", "install", "-e", "./lib", "library")
    assert content(box, "all.txt") == b"-e ./lib  # mine\n"
    ok(box, "--save=all.txt", "uninstall", "-y", "library")
    assert content(box, "all.txt") == b""


@pytest.mark.parametrize(
    ("file", "install", "uninstall"),
    [
        ("uv.lock", "uv add alpha", "uv remove alpha"),
        ("poetry.lock", "poetry add alpha", "poetry remove alpha"),
        ("pdm.lock", "pdm add alpha", "pdm remove alpha"),
        ("Pipfile", "pipenv install alpha", "pipenv uninstall alpha"),
        ("hatch.toml", "add to [project.dependencies] alpha", "remove from [project.dependencies] alpha"),
        ("pixi.toml", "pixi add --pypi alpha", "pixi remove --pypi alpha"),
    ],
)
def test_the_command_of_the_tool_that_keeps_the_project_is_named(
    with_alpha: Sandbox, file: str, install: str, uninstall: str
) -> None:
    with_alpha.write(file)
    ran = with_alpha.run("--save", "install", "alpha", env={"SAFEPIP_ENV": ".venv"})
    assert ran.code == 0
    assert [line for line in ran.said if install in line] != []
    ran = with_alpha.run("--save", "uninstall", "-y", "alpha", env={"SAFEPIP_ENV": ".venv"})
    assert [line for line in ran.said if uninstall in line] != []
    assert sorted(os.listdir(with_alpha.project)) == sorted([".venv", file])


def test_undo_leaves_a_file_that_was_edited_since(box: Sandbox) -> None:
    box.write("requirements.txt", "gamma\n")
    ok(box, "--save", "install", "alpha")
    box.write("requirements.txt", "gamma\nalpha~=2.0\nmine\n")
    ran = box.run("undo")
    assert content(box) == b"gamma\nalpha~=2.0\nmine\n"
    assert [line for line in ran.said if "requirements.txt was edited since" in line] != []
    assert "alpha" not in ok(box, "freeze")
    ok(box, "--save", "install", "beta<2")
    ok(box, "undo")
    assert content(box) == b"gamma\nalpha~=2.0\nmine\n"


def test_undo_does_not_go_past_an_edit_in_between(box: Sandbox) -> None:
    ok(box, "--save", "install", "alpha")
    box.write("requirements.txt", "alpha~=2.0\nmine\n")
    ok(box, "--save", "install", "gamma")
    ok(box, "undo")
    assert content(box) == b"alpha~=2.0\nmine\n"
    box.run("undo")
    assert content(box) == b"alpha~=2.0\nmine\n"


def test_rights_and_links_stay(with_alpha: Sandbox) -> None:
    with_alpha.write("real/list.txt", "gamma\n")
    real = os.path.join(with_alpha.project, "real", "list.txt")
    os.chmod(real, 0o640)
    link = os.path.join(with_alpha.project, "requirements.txt")
    os.symlink("real/list.txt", link)
    ok(with_alpha, "--save", "install", "alpha")
    assert os.readlink(link) == "real/list.txt"
    assert content(with_alpha, "real/list.txt") == b"gamma\nalpha~=2.0\n"
    assert stat.S_IMODE(os.stat(real).st_mode) == 0o640
    assert sorted(os.listdir(os.path.dirname(real))) == ["list.txt"]


@pytest.mark.parametrize("kind", ["a link out of the project", "read-only", "a directory", "a pipe"])
def test_a_file_that_may_not_be_written_stays_and_the_entry_is_told(with_alpha: Sandbox, kind: str) -> None:
    path = os.path.join(with_alpha.project, "requirements.txt")
    if kind == "a link out of the project":
        with open(os.path.join(with_alpha.home, "precious"), "w", encoding="utf-8") as file:
            file.write("gamma\n")
        os.symlink("../precious", path)
    elif kind == "read-only":
        os.chmod(with_alpha.write("requirements.txt", "gamma\n"), 0o444)
    elif kind == "a directory":
        os.mkdir(path)
    else:
        os.mkfifo(path)
    ran = with_alpha.run("--save", "install", "alpha")
    assert ran.code == 73
    assert any(line.startswith("error: not recorded: requirements.txt") for line in ran.said)
    if os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            assert file.read() == "gamma\n"


@pytest.mark.parametrize("name", ["a b;$(touch x) näme.txt", "-dash.txt", "new\nline.txt"])
def test_a_file_may_have_any_name(with_alpha: Sandbox, name: str) -> None:
    ok(with_alpha, f"--save={name}", "install", "alpha")
    assert content(with_alpha, name) == b"alpha~=2.0\n"
    ok(with_alpha, "undo")
    assert sorted(os.listdir(with_alpha.project)) == [".venv"]


@pytest.mark.parametrize(
    "words",
    [
        ("--save", "list"),
        ("--save",),
        ("--save", "doctor"),
        ("--save=group:", "install", "alpha"),
        ("--save=other.toml", "install", "alpha"),
        ("--save=setup.cfg", "install", "alpha"),
        ("--save=Pipfile", "install", "alpha"),
        ("--save=none/x.txt", "install", "alpha"),
        ("--save=.", "install", "alpha"),
        ("install", "--save", "alpha"),
    ],
)
def test_a_wrong_use_is_told_before_pip_runs(box: Sandbox, words: tuple[str, ...]) -> None:
    before = os.listdir(box.project)
    assert box.run(*words).code == 64
    assert os.listdir(box.project) == before
    assert not os.path.lexists(os.path.join(box.venv, ".safepip", "journal"))


def test_outside_a_project_a_file_is_to_be_named(box: Sandbox) -> None:
    ran = box.run("--save", "install", "alpha", cwd=box.home)
    assert ran.code == 0
    assert "safepip --save=requirements.txt install alpha" in ran.said[-1]
    ok(box, "--save=mine.txt", "install", "alpha", cwd=box.home)
    with open(os.path.join(box.home, "mine.txt"), "rb") as file:
        assert file.read() == b"alpha~=2.0\n"


def test_an_active_and_a_named_environment_are_asked_for_the_version(box: Sandbox) -> None:
    ok(box, "--save", "--env", "other", "install", "alpha<2")
    active = {"PATH": f"{box.project}/other/bin:{box.variables['PATH']}"}
    ok(box, "--save", "install", "beta", "--no-deps", env=active)
    assert content(box) == b"alpha<2\nbeta~=2.0\n"
    assert "beta" in box.run("--env", "other", "freeze").text


def test_an_environment_without_pip_is_asked_as_well(box: Sandbox) -> None:
    ok(box, "env", "create")
    for folder, names, _ in os.walk(box.venv):
        for name in names:
            if name == "pip" or name.startswith("pip-"):
                shutil.rmtree(os.path.join(folder, name))
    ok(box, "--save", "install", "alpha")
    assert content(box) == b"alpha~=2.0\n"
    ok(box, "--save", "uninstall", "-y", "alpha")
    assert content(box) == b""


def test_a_package_that_stays_installed_stays_recorded(box: Sandbox) -> None:
    ok(box, "--save", "install", "alpha")
    assert box.run("--save", "uninstall", "alpha", stdin=b"n\n").code == 0
    assert content(box) == b"alpha~=2.0\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_loses_nothing(with_alpha: Sandbox) -> None:
    small = os.path.join(with_alpha.project, "small")
    os.mkdir(small)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nothing be mounted")
    try:
        with open(os.path.join(small, "r.txt"), "w", encoding="utf-8") as file:
            file.write("gamma\n")
        with open(os.path.join(small, "rest"), "wb", buffering=0) as file:
            while True:
                try:
                    file.write(b"x" * 4096)
                except OSError:
                    break
        ran = with_alpha.run("--save=small/r.txt", "install", "alpha")
        assert ran.code == 73
        assert ran.said[-2:] == [
            "error: not recorded: small/r.txt: No space left on device",
            "do it there: add alpha~=2.0",
        ]
        assert content(with_alpha, "small/r.txt") == b"gamma\n"
        assert sorted(os.listdir(small)) == ["r.txt", "rest"]
    finally:
        subprocess.run(["umount", small], check=True)


def test_two_at_once_are_both_recorded(box: Sandbox) -> None:
    ok(box, "env", "create")
    running = [box.start("--save", "install", name) for name in ("alpha", "many0", "many1", "many2")]
    assert [one.wait(120) for one in running] == [0, 0, 0, 0]
    for one in running:
        one.communicate()
    assert sorted(content(box).split()) == [b"alpha~=2.0", b"many0~=1.0", b"many1~=1.0", b"many2~=1.0"]
    ok(box, "undo", "4")
    assert not os.path.exists(os.path.join(box.project, "requirements.txt"))


def test_two_environments_at_once_lose_no_entry_of_one_file(box: Sandbox) -> None:
    names = ("alpha", "gamma", "many1", "many2")
    for name in names:
        ok(box, "--env", name, "env", "create")
    running = [box.start("--save", "--env", name, "install", name) for name in names]
    assert [one.wait(120) for one in running] == [0, 0, 0, 0]
    for one in running:
        one.communicate()
    assert sorted(content(box).split()) == [b"alpha~=2.0", b"gamma~=1.0", b"many1~=1.0", b"many2~=1.0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_records_nothing_and_the_next_one_does(box: Sandbox, number: signal.Signals) -> None:
    box.write("requirements.txt", "gamma\n")
    mark = os.path.join(box.project, "building")
    hook = (
        f"import os, time\nif not os.path.exists({mark!r}):\n    open({mark!r}, 'w').close()\n    time.sleep(60)"
    )
    write_source(os.path.join(box.project, "slow"), "slow", hook=hook)
    ok(box, "env", "create")
    one = subprocess.Popen(
        [box.safepip, "--save", "install", "./slow", "alpha"],
        cwd=box.project,
        env=box.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not os.path.exists(mark):
        time.sleep(0.05)
        assert one.poll() is None, one.communicate()
    os.killpg(one.pid, number)
    one.communicate()
    assert one.returncode != 0
    assert content(box) == b"gamma\n"
    ok(box, "--save", "install", "alpha")
    assert content(box) == b"gamma\nalpha~=2.0\n"
    assert [name for name in os.listdir(box.project) if "scratch" in name] == []


def test_explain_tells_where_the_line_is_recorded(with_alpha: Sandbox) -> None:
    told = json.loads(ok(with_alpha, "explain", "--json", "--save", "install", "alpha"))
    assert told["records"] == os.path.join(with_alpha.project, "requirements.txt")
    assert "records  it in" in ok(with_alpha, "explain", "--save=group:dev", "install", "alpha")
    assert json.loads(ok(with_alpha, "explain", "--json", "install", "alpha"))["records"] is None


def test_a_version_of_one_number_and_a_name_spelled_otherwise(box: Sandbox, base: str) -> None:
    folder = os.path.join(base, "calver")
    os.makedirs(folder, exist_ok=True)
    make_wheel(folder, "calendar_like", "5")
    ok(box, "--save", "install", "--find-links", folder, "Calendar.Like")
    assert content(box) == b"Calendar.Like~=5.0\n"


def test_an_interpreter_that_is_not_managed_is_asked_as_well(box: Sandbox, unmanaged_python: str) -> None:
    """A copy of it takes the package; without an environment nothing is noted for undo."""
    prefix = os.path.dirname(os.path.dirname(unmanaged_python))
    own = os.path.join(box.root, "python")
    shutil.copytree(prefix, own, symlinks=True)
    path = f"{own}/bin:{box.variables['PATH']}"
    ok(box, "--save", "install", "alpha", env={"PATH": path})
    assert content(box) == b"alpha~=2.0\n"
    ok(box, "--save", "uninstall", "-y", "alpha", env={"PATH": path})
    assert content(box) == b""


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ('[project]\nname = "x"\ndependencies = [\n', "it is not valid TOML"),
        (b'[project]\nname = "\xe9"\n', "it is not UTF-8"),
        ('[project]\nname = "x"\ndynamic = 7\n', ""),
    ],
)
def test_a_pyproject_that_is_wrong_gets_no_second_list_beside_it(
    with_alpha: Sandbox, text: str, because: str
) -> None:
    with_alpha.write("pyproject.toml", text)
    ran = with_alpha.run("--save", "install", "-q", "alpha")
    assert ran.code == 0, ran.err
    assert not os.path.exists(os.path.join(with_alpha.project, "requirements.txt"))
    missed = [line for line in ran.said if line.startswith(f"not recorded in pyproject.toml: {because}")]
    assert len(missed) == bool(because)  # even with -q


def test_undo_knows_a_file_that_could_not_be_written(box: Sandbox) -> None:
    box.write("requirements.txt", "gamma\n")
    ok(box, "--save", "install", "many1")
    path = os.path.join(box.project, "requirements.txt")
    os.chmod(path, 0o444)
    assert box.run("--save", "install", "many2").code == 73
    os.chmod(path, 0o644)
    ok(box, "undo")
    ran = box.run("undo")
    assert ran.code == 0, ran.err
    assert ran.said == []
    assert content(box) == b"gamma\n"
