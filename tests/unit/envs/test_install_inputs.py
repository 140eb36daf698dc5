"""What an install names and pip cannot find; whatever is reported, the real pip must fail on."""

from __future__ import annotations

import contextlib
import io
import os
import shlex

import pytest
from pip._internal.cli.main import main

from safepip.core.pip_line import read
from safepip.envs.install_inputs import missing_input

PROJECT = '[build-system]\nrequires = []\nbuild-backend = "nobackend"\n'


def write(path, text=""):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


@pytest.fixture
def files(work):
    """A directory with one of everything that a line may name."""
    write("good/pyproject.toml", PROJECT)
    write("legacy/setup.py")
    write("bare/readme")
    write("sub/good/pyproject.toml", PROJECT)
    write("x.whl")
    write("x.txt")
    write("x-1.0.tar.gz")
    write("script.py", "# /// script\n# dependencies = []\n# ///\n")
    write("groups/pyproject.toml", "[dependency-groups]\nDev_Tools = []\n")
    write("broken/pyproject.toml", "[dependency-groups\n")
    write("without/pyproject.toml", "[project]\nname = 'x'\n")
    write("empty/pyproject.toml")
    for name, text in LISTS.items():
        write(f"lists/{name}", text.replace("{cwd}", work))
    return work


LISTS = {
    "fine.txt": "six\n",
    "gone.txt": "-r nowhere.txt\n",
    "deep.txt": "-r gone.txt\n",
    "constraint.txt": "six\n-c nowhere.txt\n",
    "equals.txt": "--requirement=nowhere.txt\n",
    "glued.txt": "-rnowhere.txt\n",
    "itself.txt": "-r itself.txt\n",
    "path.txt": "six\n./nowhere  # here\n",
    "archive.txt": "nowhere.whl --hash=sha256:00\n",
    "editable.txt": "-e ./bare\n",
    "joined.txt": "-r \\\nnowhere.txt\n",
    "beside.txt": "-r fine.txt\n-c fine.txt\n-e good\n./good\n",
    "marked.txt": "nowhere.whl ; python_version < '3'\n",
    "variable.txt": "-r ${NOWHERE}.txt\n",
    "comment.txt": "# -r nowhere.txt\n",
    "remote.txt": "-r https://example.invalid/r.txt\n",
    "absolute.txt": "-r {cwd}/lists/fine.txt\n",
    "options.txt": "--index-url nowhere.whl\n--no-index\n",
    "quoted.txt": "-r 'no where.txt'\n",
    "pylock.toml": "",
}

# Lines on which pip can only fail, and what is said of them.
FUTILE = {
    ".": ". has neither pyproject.toml nor setup.py",
    "./": "./ has neither pyproject.toml nor setup.py",
    ".[test]": ".[test] has neither pyproject.toml nor setup.py",
    "./bare[a,b]": "./bare[a,b] has neither pyproject.toml nor setup.py",
    "six ./nowhere": "there is no ./nowhere",
    "./nowhere[test]": "there is no ./nowhere[test]",
    "nowhere/deeper": "there is no nowhere/deeper",
    "../nowhere": "there is no ../nowhere",
    "/nowhere/at/all": "there is no /nowhere/at/all",
    "nowhere.whl": "there is no nowhere.whl",
    "nowhere-1.0.tar.gz": "there is no nowhere-1.0.tar.gz",
    "NOWHERE.ZIP": "there is no NOWHERE.ZIP",
    "nowhere.tar.bz2[x]": "there is no nowhere.tar.bz2[x]",
    "./x.txt": "./x.txt is not a package",
    "file:///nowhere/at/all": "there is no file:///nowhere/at/all",
    "file:///nowhere/x.whl": "there is no file:///nowhere/x.whl",
    "file://localhost/nowhere/x.whl#sha256=0": "there is no file://localhost/nowhere/x.whl#sha256=0",
    "file://{cwd}/bare": "file://{cwd}/bare has neither pyproject.toml nor setup.py",
    "'six @ file:///nowhere/x.whl'": "there is no file:///nowhere/x.whl",
    "-e .": ". has neither pyproject.toml nor setup.py",
    "-e ./nowhere": "there is no directory ./nowhere",
    "-e nowhere": "there is no directory nowhere",
    "-e bare": "bare has neither pyproject.toml nor setup.py",
    "-e x.whl": "there is no directory x.whl",
    "-e .[test]": ".[test] has neither pyproject.toml nor setup.py",
    "-e file:///nowhere": "there is no file:///nowhere",
    "--group dev": "pyproject.toml cannot be opened",
    "--group nowhere/pyproject.toml:dev": "nowhere/pyproject.toml cannot be opened",
    "--group groups/pyproject.toml:docs": "groups/pyproject.toml has no dependency group docs",
    "--group without/pyproject.toml:docs": "without/pyproject.toml has no dependency group docs",
    "--group empty/pyproject.toml:docs": "empty/pyproject.toml has no dependency group docs",
    "--requirements-from-script nowhere.py": "nowhere.py cannot be opened",
    "--requirements-from-script bare": "bare cannot be opened",
    "-r nowhere.txt": "nowhere.txt cannot be opened",
    "-r bare": "bare cannot be opened",
    "-r pylock.nowhere.toml": "pylock.nowhere.toml cannot be opened",
    "six -c nowhere.txt": "nowhere.txt cannot be opened",
    "-r lists/gone.txt": "nowhere.txt cannot be opened",
    "-r lists/deep.txt": "nowhere.txt cannot be opened",
    "-r lists/constraint.txt": "nowhere.txt cannot be opened",
    "-r lists/equals.txt": "nowhere.txt cannot be opened",
    "-r lists/glued.txt": "nowhere.txt cannot be opened",
    "-r lists/joined.txt": "nowhere.txt cannot be opened",
    "-r lists/itself.txt": "itself.txt names itself",
    "-r lists/path.txt": "there is no ./nowhere",
    "-r lists/archive.txt": "there is no nowhere.whl",
    "-r lists/editable.txt": "./bare has neither pyproject.toml nor setup.py",
    "six -c lists/gone.txt": "nowhere.txt cannot be opened",
}
# Lines that pip might carry out, or only pip can judge.
OPEN = [
    "six", "six[socks]>=1", "nowhere", "bare", "requirements.txt", "./good", "./good[test]", "good/", "./legacy",
    "{cwd}/good", "./x-1.0.tar.gz", "x.whl", "file://{cwd}/good", "file://{cwd}/x.whl", "file://{cwd}/sub#subdirectory=good",
    "file:relative", "file://elsewhere/x.whl", "git+https://example.invalid/x", "https://example.invalid/x.whl",
    "'nowhere.whl ; python_version < \"3\"'", "'six @ https://example.invalid/x.whl'", "-e good", "-e ./good[test]",
    "-e git+https://example.invalid/x#egg=x", "-e 'x @ git+https://example.invalid/x'", "-e file://{cwd}/good",
    "--group groups/pyproject.toml:dev-tools", "--group groups/pyproject.toml:DEV.TOOLS",
    "--group broken/pyproject.toml:dev", "--requirements-from-script script.py", "-r lists/fine.txt",
    "-r lists/beside.txt", "-r lists/marked.txt", "-r lists/variable.txt", "-r lists/comment.txt",
    "-r lists/remote.txt", "-r lists/absolute.txt", "-r lists/options.txt", "-r lists/quoted.txt",
    "-r lists/pylock.toml", "-r lists/pylock.toml[extra]", "-r https://example.invalid/r.txt", "''", "-r /dev/null",
]  # fmt: skip


def command(line, cwd):
    return read(["install", *shlex.split(line.replace("{cwd}", cwd))], {})


@pytest.mark.parametrize("line", FUTILE)
def test_a_line_that_can_only_fail_is_reported(files, line):
    assert missing_input(command(line, files), files) == FUTILE[line].replace("{cwd}", files)


@pytest.mark.parametrize("line", OPEN)
def test_a_line_that_pip_may_carry_out_is_not(files, line):
    assert missing_input(command(line, files), files) is None


@pytest.mark.parametrize("line", FUTILE)
def test_pip_fails_on_what_is_reported(files, line):
    words = [*command(line, files).argv, "--dry-run", "--no-index", "--no-deps", "--break-system-packages", "-q"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(list(words)) != 0


def test_a_pipe_is_not_waited_for(files):
    os.mkfifo("pipe")
    assert missing_input(command("-r pipe", files), files) is None
    assert missing_input(command("--requirements-from-script pipe", files), files) is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_reported(files):
    os.chmod("x.txt", 0)
    assert missing_input(command("-r x.txt", files), files) == "x.txt cannot be opened"
