"""What is shipped: the same from the same tree, exactly these files, and nothing in it that is not true."""

from __future__ import annotations

import ast
import email.parser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from typing import NamedTuple

import pytest
from tree import TREE

import safepip
from safepip import errors
from safepip.core.invocation import TOPICS

BESIDE = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
FOLDERS = ("safepip", "tests", "scripts")
# What a package of Python with scripts for shells may hold; anything else was left there by mistake.
KINDS = {
    ".py",
    ".md",
    ".txt",
    ".typed",
    ".sh",
    ".bash",
    ".zsh",
    ".fish",
    ".tcsh",
    ".nu",
    ".ps1",
    ".xsh",
    ".zshenv",
}
SHARED = {
    "share/man/man1/safepip.1",
    "share/bash-completion/completions/safepip",
    "share/zsh/site-functions/_safepip",
    "share/fish/vendor_completions.d/safepip.fish",
}


class Built(NamedTuple):
    """A wheel and an sdist, and the files of the tree that they were built from."""

    expected: set[str]
    wheel: str
    sdist: str


def read(*path):
    with open(os.path.join(TREE, *path), encoding="utf-8") as file:
        return file.read()


def in_the_tree():
    """Return the files below FOLDERS that git has or would take, or all of them where there is no git."""
    git = ["git", "-c", f"safe.directory={TREE}", "-C", TREE, "ls-files", "-z"]
    if os.path.exists(os.path.join(TREE, ".git")) and shutil.which("git"):
        told = subprocess.check_output([*git, "--cached", "--others", "--exclude-standard", "--", *FOLDERS])
        names = {os.fsdecode(name) for name in told.split(b"\0") if name}
    else:
        walks = (walk for folder in FOLDERS for walk in os.walk(os.path.join(TREE, folder)))
        names = {os.path.relpath(os.path.join(at, name), TREE) for at, _, found in walks for name in found}
    return {name for name in names if os.path.isfile(os.path.join(TREE, name)) and not name.endswith(".pyc")}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Give a copy of this tree, into which strays were put: others may be writing to the first."""
    for module in ("build", "hatchling"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    copy = str(tmp_path_factory.mktemp("built") / "tree")
    for name in (*in_the_tree(), *BESIDE - {"PKG-INFO"}):
        os.makedirs(os.path.dirname(os.path.join(copy, name)), exist_ok=True)
        shutil.copy(os.path.join(TREE, name), os.path.join(copy, name))
    for stray in ("safepip/__pycache__", ".venv", "tests/__pycache__"):
        os.makedirs(os.path.join(copy, stray), exist_ok=True)
        with open(os.path.join(copy, stray, "stray.pyc"), "w"):
            pass
    return copy


def build(tool, tree, out, umask=0o022, **environ):
    """Build with `tool`, a module and its arguments."""
    kept = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    done = subprocess.run(
        [sys.executable, "-m", *tool], cwd=tree, capture_output=True, text=True, check=False, umask=umask,
        env={**kept, **environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    wheel, sdist = (next(name for name in os.listdir(out) if name.endswith(end)) for end in (".whl", ".gz"))
    return os.path.join(out, wheel), os.path.join(out, sdist)


@pytest.fixture(scope="module")
def built(tree):
    """Give a wheel that was built from the sdist."""
    out = os.path.join(os.path.dirname(tree), "out")
    files = {os.path.relpath(os.path.join(at, name), tree) for at, _, names in os.walk(tree) for name in names}
    expected = {name for name in files if name.startswith(FOLDERS) and not name.endswith(".pyc")}
    return Built(expected, *build(["build", "--no-isolation", "--outdir", out], tree, out))


@pytest.fixture(scope="module")
def metadata(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        return email.parser.Parser().parsestr(wheel.read(name).decode())


# -- the same every time


def test_another_folder_hour_umask_and_user_give_the_same_files(tree, built, tmp_path):
    copy, out = str(tmp_path / "another place"), str(tmp_path / "out")
    shutil.copytree(tree, copy)
    for at, _, names in os.walk(copy):
        for name in names:
            path = os.path.join(at, name)
            os.chmod(path, os.stat(path).st_mode & 0o700)
            os.utime(path, (86400 * 365 * 20, 86400 * 365 * 30))
    tool = ["hatchling", "build", "-d", out]
    again = build(
        tool, copy, out, umask=0o077, TZ="Asia/Kathmandu", LC_ALL="C", PYTHONHASHSEED="7", USER="another"
    )
    for path, other in zip(built[1:], again, strict=True):
        assert os.path.basename(path) == os.path.basename(other)
        with open(path, "rb") as first, open(other, "rb") as second:
            assert first.read() == second.read(), "from the tree it is as from the sdist"


# -- exactly these files


def test_the_package_holds_code_and_scripts_only():
    package = {name for name in in_the_tree() if name.startswith("safepip/")}
    odd = {name for name in package if (os.path.splitext(name)[1] or os.path.basename(name)) not in KINDS}
    assert odd == set()
    known = {
        "py.typed",
        "help.txt",
        "after_pip/runner/runner.py",
        "shells/zsh/.zshenv",
        *(f"help/{page}.md" for page in TOPICS),
    }
    assert {f"safepip/{name}" for name in known} <= package
    walks = (os.path.join(at, name) for at, _, names in os.walk(os.path.join(TREE, "safepip")) for name in names)
    assert {os.path.relpath(path, TREE) for path in walks if path.endswith(".py")} <= package


def test_the_wheel_holds_exactly(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
    info = {name.partition("/")[2] for name in names if ".dist-info/" in name}
    data = {name.partition(".data/data/")[2] for name in names if ".data/" in name}
    assert info == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert data == SHARED
    package = {name for name in names if ".dist-info/" not in name and ".data/" not in name}
    assert package == {"safepip/bootstrap.py", *(name for name in built.expected if name.startswith("safepip/"))}


def test_the_sdist_holds_exactly(built):
    with tarfile.open(built.sdist) as sdist:
        members = sdist.getmembers()
    assert {member.name.partition("/")[2] for member in members if member.isfile()} == BESIDE | built.expected
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}


def test_the_entry_point_is_main(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        assert wheel.read(name).decode().split() == ["[console_scripts]", "safepip", "=", "safepip.cli:main"]


# -- what it says of itself


def test_the_version_is_from_one_place(metadata):
    assert metadata["Version"] == safepip.__version__
    assert safepip.__version__ not in read("pyproject.toml")


def test_the_changelog_tells_of_this_version_and_its_day():
    newest = re.findall(r"^## \[(.+?)\](.*)$", read("CHANGELOG.md"), re.MULTILINE)
    released = [(version, day) for version, day in newest if version != "Unreleased"]
    assert released[0][0] == safepip.__version__
    assert re.fullmatch(r" - 20\d\d-[01]\d-[0-3]\d", released[0][1])


def test_it_needs_what_it_imports_and_no_more(metadata):
    """Beyond these only the standard library; typing_extensions is for the type checker."""
    needs = {re.split(r"[ ;<>=]", need)[0] for need in metadata.get_all("Requires-Dist")}
    assert needs == {"pip", "virtualenv", "filelock", "tomli"}
    package = [name for name in in_the_tree() if name.startswith("safepip/") and name.endswith(".py")]
    imported = {top for name in package for top in imports(ast.parse(read(name))) if not top.startswith("safepip")}
    other_standard_library = {"tomllib", "_sha2", "_sha256"}  # of Python 3.11 on, 3.12 on, and up to 3.11
    assert imported - set(sys.stdlib_module_names) - other_standard_library - {"typing_extensions"} == needs


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_it_claims_no_platform_that_was_not_tried(metadata):
    claimed = metadata.get_all("Classifier")
    assert [line for line in claimed if line.startswith("Operating System")] == [
        "Operating System :: POSIX :: Linux"
    ]


def test_the_readme_has_nothing_that_only_a_clone_can_show(metadata):
    text = re.sub(r"```.*?```", "", metadata.get_payload(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r"(?:src|href)=[\"']([^\"']+)", text)
    targets += re.findall(r"^\[[^\]]+\]: (\S+)", text, re.MULTILINE)
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


def test_an_index_would_render_it(built):
    for module in ("twine", "readme_renderer"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    argv = [sys.executable, "-m", "twine", "check", "--strict", built.wheel, built.sdist]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# -- the manual page and the completions


@pytest.fixture(scope="module")
def shared(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        return {
            name.partition(".data/data/")[2]: wheel.read(name).decode()
            for name in wheel.namelist()
            if ".data/" in name
        }


def plain(page):
    """Return a page as one reads it, without a program that formats it."""
    for escaped, char in {
        "\\-": "-",
        "\\(aq": "'",
        "\\(ha": "^",
        "\\(ti": "~",
        "\\(dq": '"',
        "\\`": "`",
        "\\&": "",
    }.items():
        page = page.replace(escaped, char)
    return page.replace("\\e", "\\")


def test_the_manual_has_all_that_help_shows(shared):
    page = plain(shared["share/man/man1/safepip.1"])
    for line in read("safepip", "help.txt").strip().splitlines()[1:]:
        for part in re.split(r"  +", line.strip()):
            assert part in page
    for topic in TOPICS:
        lines = read("safepip", "help", f"{topic}.md").splitlines()
        for line in lines:
            if line.startswith("#"):
                assert f'"{line.lstrip("# ")}"' in page
        code = "\n".join(lines).split("\n```")[1::2]
        for block in code:
            assert block.partition("\n")[2] in page, topic


def test_the_manual_has_every_exit_code(shared):
    page = shared["share/man/man1/safepip.1"].partition('.SH "EXIT STATUS"')[2].partition(".SH")[0]
    codes = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    assert {int(code) for code in re.findall(r"^\.B (\d+)$", page, re.MULTILINE)} == codes


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_manual_is_formatted_without_complaint(shared):
    argv = ["groff", "-man", "-Tutf8", "-ww", "-rLL=80n"]
    done = subprocess.run(
        argv, input=shared["share/man/man1/safepip.1"].encode(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    text = re.sub(r"\x1b\[[\d;]*m|.\x08", "", done.stdout.decode())
    assert "safepip - pip, as it was, on a Python that the system manages" in text


@pytest.mark.parametrize("name", sorted(SHARED - {"share/man/man1/safepip.1"}))
def test_the_completions_are_those_of_init(shared, name):
    shell = {"completions": "bash", "site-functions": "zsh"}.get(name.split("/")[2], "fish")
    assert read("safepip", "shells", f"complete.{shell}") in shared[name]


COMPLETED = {
    "bash": (
        "source share/bash-completion/completions/safepip; COMP_WORDS=(safepip {0}); COMP_CWORD={1}; "
        '_safepip_complete safepip; printf "%s\\n" "${{COMPREPLY[@]}}"'
    ),
    "zsh": (
        "fpath=($PWD/share/zsh/site-functions $fpath); autoload -Uz compinit; compinit -u -D; "
        "[[ $_comps[safepip] == _safepip ]] || exit 1; _describe() {{ print -l ${{found%%:*}}; }}; "
        "words=(safepip {0}); CURRENT=$(( {1} + 1 )); source $fpath[1]/_safepip"
    ),
    "fish": "complete -C 'safepip {0}' | string replace -r '\\t.*' ''; exit 0",
}


@pytest.mark.skipif(sys.platform == "win32", reason="no such shells")
@pytest.mark.parametrize(("typed", "at", "expected"), [("in", 1, {"init", "install"}), ("init fi", 2, {"fish"})])
@pytest.mark.parametrize("shell", sorted(COMPLETED))
def test_shells_find_them_and_complete_by_them(shared, shell, typed, at, expected, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    for name, text in shared.items():
        os.makedirs(tmp_path / os.path.dirname(name), exist_ok=True)
        (tmp_path / name).write_text(text)
    program = tmp_path / "bin" / "safepip"
    program.parent.mkdir()
    start = "import sys; sys.argv[0] = 'safepip'; from safepip.cli import main; sys.exit(main())"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={TREE} exec {sys.executable} -c "{start}" "$@"\n')
    program.chmod(0o755)
    environ = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "XDG_DATA_DIRS": str(tmp_path / "share"),
    }
    plainly = {"bash": ["--norc", "-c"], "zsh": ["-f", "-c"], "fish": ["-c"]}[shell]
    argv = [shell, *plainly, COMPLETED[shell].format(typed, at)]
    done = subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert expected <= set(done.stdout.split()), done.stdout
