"""`safepip run FILE.py` with a block of PEP 723: an environment for the script alone, with real pip."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from sandbox import SYSTEM_PATH, Sandbox, make_sdist

pytestmark = pytest.mark.slow
MakeSandbox = Callable[..., Sandbox]
BLOCK = '# /// script\n# dependencies = ["beta", "Many0 >=1"]\n# ///\n'
SAYS = "import sys, beta, many0\nprint(beta.VERSION, sys.argv, sys.stdin.read())\nsys.exit(7)\n"


@pytest.fixture
def box(make_sandbox: MakeSandbox, cache: str) -> Sandbox:
    """Give a world that shares what making environments needs, and none of the scripts' environments."""
    made = make_sandbox(cold=True)
    own = os.path.join(made.home, ".cache", "safepip")
    os.makedirs(own)
    for name in ("images", "templates", "interpreters", "virtualenv"):
        os.makedirs(os.path.join(cache, name), 0o700, exist_ok=True)
        os.symlink(os.path.join(cache, name), os.path.join(own, name))
    return made


def environments(box: Sandbox) -> list[str]:
    return glob.glob(os.path.join(box.home, ".cache", "safepip", "scripts", "*"))


def test_a_script_runs_with_what_its_block_asks_for(box: Sandbox) -> None:
    box.write("say.py", BLOCK + SAYS)
    first = box.run("run", "say.py", "a b", "-x", stdin=b"typed")
    assert (first.code, first.out) == (7, b"1.0 ['say.py', 'a b', '-x'] typed\n")
    assert first.said == [f"making an environment for say.py (once): 2 packages, Python {python(box)}"]
    assert box.run("run", "./say.py") == (7, b"1.0 ['./say.py'] \n", b"")
    assert not os.path.lexists(box.venv)
    assert box.run("install", "many1").code == 0
    assert box.run("run", "--", "say.py").code == 7  # a project's own environment is not the script's
    assert len(environments(box)) == 1


def python(box: Sandbox) -> str:
    return box.call(["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).text.strip()


def test_equal_blocks_share_an_environment_and_each_python_has_its_own(
    box: Sandbox, unmanaged_python: str
) -> None:
    box.write("one.py", BLOCK + "import beta\n")
    box.write("two.py", '# /// script\n# dependencies = [\n#   "many0>=1", "BETA",\n# ]\n# ///\nimport beta\n')
    assert box.run("run", "one.py").code == 0
    assert box.run("run", "two.py") == (0, b"", b"")
    path = f"{os.path.dirname(unmanaged_python)}:{SYSTEM_PATH}"
    assert box.run("run", "two.py", env={"PATH": path}).code == 0
    assert len(environments(box)) == 2


def test_it_is_listed_by_its_script_and_pruned_with_it(box: Sandbox) -> None:
    script = box.write("say.py", BLOCK)
    assert box.run("run", "say.py").code == 0
    assert "~/project/say.py" in box.run("env", "list").text
    assert box.run("env", "prune").said == ["there is nothing to prune"]
    os.rename(script, os.path.join(box.project, "said.py"))
    assert "say.py is gone" in box.run("env", "prune").text
    assert box.run("run", "said.py").code == 0
    assert box.run("env", "prune").said == ["there is nothing to prune"]
    os.unlink(os.path.join(box.project, "said.py"))
    assert box.run("env", "prune", "--yes").code == 0
    assert environments(box) == []


def test_without_a_block_the_environment_of_the_place_serves(box: Sandbox) -> None:
    assert box.run("install", "many1").code == 0
    box.write("plain.py", "import many1, sys\nprint(sys.prefix)\n")
    box.write("open.py", '# /// script\n# dependencies = ["beta"]\nimport many1, sys\nprint(sys.prefix)\n')
    box.write("other.py", "# /// pyproject\n# x\n# ///\nimport many1, sys\nprint(sys.prefix)\n")
    assert box.run("run", "plain.py") == (0, f"{box.venv}\n".encode(), b"")
    assert box.run("run", "other.py") == (0, f"{box.venv}\n".encode(), b"")
    ran = box.run("run", "open.py")
    assert (ran.text, ran.said) == (
        f"{box.venv}\n",
        ["open.py:1: this block has no end (# ///), so it is ignored"],
    )


def test_the_environment_that_was_named_is_used_all_the_same(box: Sandbox) -> None:
    box.write("say.py", BLOCK + "import sys\nprint(sys.prefix)\n")
    named = os.path.join(box.project, "named")
    assert box.run("--env", named, "install", "many1").code == 0
    assert box.run("--env", named, "run", "say.py").text == f"{named}\n"


@pytest.mark.parametrize(
    ("block", "line", "told"),
    [
        ("# dependencies = [\n", 2, "broken TOML"),
        ("# dependencies = [\n#  'alpha',\n#  '-r evil',\n# ]\n", 4, "'-r evil' is not a requirement (PEP 508)"),
        ("# dependencies = ['./here']\n", 2, "'./here' is not a requirement (PEP 508)"),
        ("# dependencies = 'alpha'\n", 2, "dependencies is not a list"),
        ("# dependencies = [3]\n", 2, "3 is not a requirement (PEP 508)"),
        ("#\n# requires-python = 'three'\n", 3, "requires-python is 'three', which names no versions"),
        ("# x=1\n# ///\n\n# /// script\n# y=1\n", 5, "a second block of this type; the first is in line 1"),
    ],
)
def test_a_wrong_block_is_refused_with_its_line(furnished: Sandbox, block: str, line: int, told: str) -> None:
    furnished.write("wrong.py", f"# /// script\n{block}# ///\nprint('ran')\n")
    ran = furnished.run("run", "wrong.py")
    assert (ran.code, ran.out, len(ran.said)) == (78, b"", 1)
    assert ran.said[0].startswith(f"error: wrong.py:{line}: the script's block is wrong: {told}")


def test_requires_python_is_obeyed_with_the_pythons_on_this_machine(box: Sandbox, unmanaged_python: str) -> None:
    """As another Python further down PATH, or one of pyenv's."""
    asking = "import sys; print('%d.%d.%d' % sys.version_info[:3], '%d.%d' % sys.version_info[:2])"
    exact, minor = box.call([unmanaged_python, "-c", asking]).text.split()
    system = box.call(["/usr/bin/python3", "-c", asking]).text.split()[0]
    if exact == system:
        pytest.skip("both Pythons are the same version")
    box.write("say.py", f'# /// script\n# requires-python = "=={exact}"\n# ///\nimport sys\nprint(sys.version)\n')
    missing = box.run("run", "say.py")
    assert missing.code == 3
    assert missing.said == [
        f"error: say.py:1: the script needs Python =={exact}, which is not on this machine",
        f"found: /usr/bin/python3 ({system})",
    ]
    versions = os.path.join(box.home, ".pyenv", "versions", exact)
    os.makedirs(os.path.dirname(versions))
    os.symlink(os.path.dirname(os.path.dirname(unmanaged_python)), versions)
    assert box.run("run", "say.py").text.startswith(exact)
    os.unlink(versions)
    path = f"{SYSTEM_PATH}:{os.path.dirname(unmanaged_python)}"
    assert box.run("run", "say.py", env={"PATH": path}).text.startswith(exact)
    assert minor in box.run("env", "list").text


def test_a_byte_order_mark_crlf_and_a_shebang_change_nothing(box: Sandbox) -> None:
    text = BLOCK + "import beta, sys\nprint(beta.VERSION, sys.argv[1:])\n"
    box.write("windows.py", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert box.run("run", "windows.py", "x").out == b"1.0 ['x']\n"
    program = box.write("bin/tool", f"#!/usr/bin/env -S {box.safepip} run\n{text}")
    os.chmod(program, 0o555)
    assert box.call([program, "x"]).out == b"1.0 ['x']\n"


def test_a_script_of_another_folder_that_cannot_be_written_runs(box: Sandbox) -> None:
    os.makedirs(os.path.join(box.home, "there"))
    path = box.write(os.path.join(box.home, "there", "say it.py"), BLOCK + "import beta\nprint(__file__)\n")
    os.chmod(path, 0o444)
    os.chmod(os.path.dirname(path), 0o555)
    assert box.run("run", path, cwd="/").text == f"{path}\n"
    assert os.listdir(os.path.dirname(path)) == ["say it.py"]


def test_variables_of_pip_that_lead_elsewhere_are_not_for_the_script(box: Sandbox) -> None:
    """Where packages come from, and which, is: constraints hold."""
    box.write("say.py", "# /// script\n# dependencies = ['alpha']\n# ///\nimport alpha\nprint(alpha.VERSION)\n")
    constraints = box.write("constraints.txt", "alpha<2\n")
    variables = {
        "PIP_TARGET": os.path.join(box.home, "target"), "PIP_DRY_RUN": "1", "PIP_REQUIREMENT": "/nowhere",
        "PIP_CONSTRAINT": constraints, "SAFEPIP_BYPASS": "1", "PIP_REQUIRE_VIRTUALENV": "1",
    }  # fmt: skip
    ran = box.run("run", "say.py", env=variables)
    assert (ran.code, ran.out) == (0, b"1.0\n"), ran.err


def test_what_pip_cannot_install_ends_with_pips_code_and_the_script_does_not_run(box: Sandbox) -> None:
    box.write("say.py", "# /// script\n# dependencies = ['nosuchthing']\n# ///\nprint('ran')\n")
    for _ in range(2):
        ran = box.run("run", "say.py")
        assert (ran.code, ran.out) == (1, b"")
        assert b"No matching distribution found for nosuchthing" in ran.err
        assert ran.said[-1].startswith("error: say.py:1: could not install what the script asks for")


def test_what_was_removed_from_it_is_installed_again(box: Sandbox) -> None:
    box.write("say.py", BLOCK + "import beta, many0\n")
    assert box.run("run", "say.py").code == 0
    assert box.run("--env", environments(box)[0], "uninstall", "-y", "many0").code == 0
    assert box.run("run", "say.py").code == 0


def test_one_whose_python_is_gone_is_made_again(box: Sandbox) -> None:
    box.write("say.py", BLOCK + "import beta, many0\n")
    assert box.run("run", "say.py").code == 0
    for link in glob.glob(os.path.join(environments(box)[0], "bin", "python*")):
        os.unlink(link)
    assert box.run("run", "say.py").code == 0


def test_a_run_that_was_killed_at_any_moment_does_not_spoil_the_next(box: Sandbox) -> None:
    box.write("say.py", BLOCK + "import beta, many0\nprint('ran')\n")
    for number in range(3):
        shutil.rmtree(os.path.join(box.home, ".cache", "safepip", "scripts"), ignore_errors=True)
        begun = subprocess.Popen(
            [box.safepip, "run", "say.py"], cwd=box.project, env=box.environ(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        time.sleep(0.3 * number)
        os.killpg(begun.pid, signal.SIGKILL)
        begun.wait()
        ran = box.run("run", "say.py")
        assert (ran.code, ran.out) == (0, b"ran\n"), ran.err


def test_an_interrupt_while_it_is_made_ends_the_run(box: Sandbox) -> None:
    folder = os.path.join(box.home, "slow")
    os.makedirs(folder)
    building = os.path.join(box.home, "building")
    make_sdist(folder, "slow", "1.0", hook=f"open({building!r}, 'w').close()\nimport time\ntime.sleep(60)")
    box.write("say.py", "# /// script\n# dependencies = ['slow']\n# ///\nprint('ran')\n")
    begun = box.start("run", "say.py", env={"PIP_FIND_LINKS": folder})
    while not os.path.exists(building):
        assert begun.poll() is None
        time.sleep(0.05)
    begun.send_signal(signal.SIGTERM)
    out, _ = begun.communicate(timeout=20)
    assert (begun.returncode, out) == (-signal.SIGTERM, b"")


def test_two_at_once_make_one(box: Sandbox) -> None:
    box.write("say.py", BLOCK + "import beta, many0\nprint('ran')\n")
    both = [box.start("run", "say.py") for _ in range(3)]
    assert [(one.communicate(timeout=60)[0], one.returncode) for one in both] == [(b"ran\n", 0)] * 3
    assert len(environments(box)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a user behind sudo")
def test_root_by_sudo_keeps_it_out_of_the_users_home(make_sandbox: MakeSandbox, own_for_all: str) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bwrap is not installed")
    box = make_sandbox(cold=True, safepip=own_for_all)
    box.write("say.py", BLOCK + "import os\nprint(os.environ['HOME'])\n")
    roots = os.path.join(box.root, "roots")
    os.mkdir(roots)
    home = pwd.getpwuid(0).pw_dir
    inside = ["bwrap", "--dev-bind", "/", "/", "--bind", roots, home, box.safepip, "run", "say.py"]
    ran = box.call(inside, env={"SUDO_UID": "12345", "SUDO_GID": "12345"})
    assert ran.text == f"{box.home}\n", ran.err
    assert os.listdir(box.home) == ["project"]
    assert len(os.listdir(os.path.join(roots, ".cache", "safepip", "scripts"))) == 1


def test_a_script_whose_name_begins_with_a_dash(box: Sandbox) -> None:
    box.write("-x.py", "# /// script\n# dependencies = []\n# ///\nimport sys\nprint(sys.argv)\n")
    ran = box.run("run", "--", "-x.py", "a")
    assert (ran.code, ran.text) == (0, "['-x.py', 'a']\n"), ran.err
