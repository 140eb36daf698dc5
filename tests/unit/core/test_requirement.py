"""Requirements, and the files that -r, -c and --group open, told as pip and its `packaging` tell them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pip
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pip._internal.utils import filetypes, pylock, urls
from pip._vendor.packaging.requirements import InvalidRequirement
from pip._vendor.packaging.requirements import Requirement as Truth
from pip._vendor.packaging.utils import canonicalize_name
from pip._vendor.packaging.version import Version

from safepip.core import pip_options
from safepip.core.requirement import (
    ARCHIVES,
    group_file,
    is_archive,
    is_lock_file,
    name_and_version,
    name_in,
    normalised_name,
    parse,
    requirements_file,
)

OLD_PIP = Version(pip.__version__) < Version(pip_options.VERSION)
needs_pip = pytest.mark.skipif(OLD_PIP, reason=f"the table is pip {pip_options.VERSION}'s")


@given(st.text("aB1-_.", max_size=8))
def test_names_are_normalised_as_pip_does(name):
    assert normalised_name(name) == canonicalize_name(name)


@pytest.mark.parametrize(
    "requirement",
    [
        "six", "Six", "zope.interface", "ruamel_yaml", "six==1.17", "six >= 1, <2", "six[all]", "six[a,b]~=1.0",
        "six; python_version < '3'", 'six ; sys_platform=="linux"', "six===1.0", "six==1.*", "six==1.0+local",
        "six (>=1)", "2to3",
    ],
)  # fmt: skip
def test_a_name_with_extras_versions_and_markers_is_plain(requirement):
    assert parse(requirement).name == canonicalize_name(Truth(requirement).name) == name_in(requirement)


@pytest.mark.parametrize(
    "requirement",
    [
        "", ".", "./six", "six/", "..", "-six", "six @ file:///x", "git+https://x", "file:six", "https://h/six", "six.whl",
        "six.tar.gz", "six.ZIP", "six.tgz", "~six", "$six", "six==${V}", "sïx", "six\\", "six#egg=x", "six;'\n'", "_six",
        "six ; python_version < '3' @ x", "six|x", "six.tar.lzma", "six.whl[extra]", "six >=1 --hash=sha256:0", "six;",
    ],
)  # fmt: skip
def test_what_may_be_more_than_a_name_is_not(requirement):
    assert parse(requirement) is None


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("six @ file:///x", "six"),
        ("Six@https://h/six.whl", "six"),
        ("git+https://x", ""),
        ("./six", ""),
        ("six.whl", ""),
    ],
)
def test_a_requirement_may_begin_with_a_name_and_lead_elsewhere(requirement, name):
    assert name_in(requirement) == name


PIECES = st.sampled_from(
    [
        *"@[]();,/.-_ #\\x1",
        "six",
        "[a,b]",
        "==1.0",
        ">=1",
        "~=",
        "python_version<'3'",
        ".zip",
        ".tar.gz",
        ".whl",
        "file:",
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join))
@settings(max_examples=500, derandomize=True, deadline=None)
def test_what_is_plain_is_read_alike_by_pip(requirement):
    found = parse(requirement)
    with contextlib.suppress(InvalidRequirement):
        true = Truth(requirement)
        if found is not None:
            assert (found.name, true.url) == (canonicalize_name(true.name), None)
        is_file = is_archive(requirement.partition(";")[0])
        assert is_file or true.name.endswith("_") or name_in(requirement) == canonicalize_name(true.name)


@needs_pip
@given(st.lists(st.sampled_from([*"[]ab.", ".zip", ".tar.gz", ".tlz", "[x]"]), max_size=6).map("".join))
@settings(derandomize=True, deadline=None)
def test_archives_are_told_as_pip_tells_them(text):
    with contextlib.suppress(InvalidRequirement):
        assert is_archive(f"x{text}") == filetypes.is_archive_file(urls.strip_extras(f"x{text}")[0])
    assert set(ARCHIVES) == set(filetypes.ARCHIVE_EXTENSIONS)


@needs_pip
@given(st.lists(st.sampled_from(["pylock", ".toml", ".", "a", "/", "B", "-"]), max_size=6).map("".join))
@settings(derandomize=True, deadline=None)
def test_lock_files_are_told_as_pip_tells_them(path):
    assert is_lock_file(path) == pylock.is_valid_pylock_filename(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x/Six_a-1.0.dist-info", ("six-a", "1.0")), ("six-1.0-py3.11.egg-info", ("six", "1.0")),
        ("six.egg-link", ("six", "?")), ("six_a-1.0_1-py3-none-any.whl", ("six-a", "1.0-1")), ("six.dist-info", ("six", "?")),
    ],
)  # fmt: skip
def test_name_and_version_are_told_by_the_name_of_a_file(path, expected):
    assert name_and_version(path) == expected


# -- what pip opens

REQUIREMENTS = (
    "req.txt", "sub/req.txt", "pylock.toml", "pylock.toml[docs]", "pylock.toml[docs,test]", "sub/pylock.dev.toml [docs]",
    "pylock.a.b.toml[docs]", "req.txt[docs]", "gone.txt", "pylock.dev.toml[]", "a[b]c", "pylock.toml[a][b]", "pylock.x.toml",
    "Pylock.toml[docs]", "pylock..toml[docs]", "./pylock.toml[docs]",
)  # fmt: skip
GROUPS = (
    "dev", "pyproject.toml:dev", "sub/pyproject.toml:dev", "pylock.toml:docs", "pylock.dev.toml:docs", "pylock.toml[docs]:dev",
    "sub/pylock.dev.toml[docs]:dev", "a:b/pyproject.toml:dev",
)  # fmt: skip


ASK = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from pip._internal.cli.main import main
from pip._internal.commands import create_command
create_command("install")  # imports once what each child would import
here, seen = os.getcwd() + os.sep, []
def listen(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        path = os.path.abspath(arguments[0])
        if path.startswith(here):
            seen.append(path.removeprefix(here))
sys.addaudithook(listen)
for line in json.load(sys.stdin):
    if os.fork():  # for pip keeps the groups of one line for the next of the same process
        os.wait()
        continue
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        main(["install", "--isolated", "--dry-run", "--no-index", *line])
    print(json.dumps(sorted(set(seen))), flush=True)
    break
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Map each line to the files below the working directory that pip opens for it."""
    folder = tmp_path_factory.mktemp("opened")
    for path in ("req.txt", "sub/req.txt", "req.txt[docs]", "a[b]c", "Pylock.toml[docs]", "pylock..toml[docs]"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("")
    lines = [("-r", value) for value in REQUIREMENTS] + [("--group", value) for value in GROUPS]
    done = subprocess.run(
        [sys.executable, "-I", "-c", ASK], input=json.dumps(lines), cwd=folder, check=True, capture_output=True, text=True,
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull},
    )  # fmt: skip
    return dict(zip(lines, map(json.loads, done.stdout.splitlines()), strict=True))


@needs_pip
@pytest.mark.parametrize("value", REQUIREMENTS)
def test_the_file_of_r_is_the_one_that_pip_opens(opened, value):
    assert opened["-r", value] == [os.path.normpath(requirements_file(value))]


@needs_pip
@pytest.mark.parametrize("value", GROUPS)
def test_the_file_of_a_group_is_the_one_that_pip_opens(opened, value):
    assert opened["--group", value] == [os.path.normpath(group_file(value))]


@pytest.mark.parametrize("url", ["https://h/r.txt", "file:///r.txt", "HTTP://h/pylock.toml[docs]", "file:r.txt"])
def test_a_url_opens_nothing_here(url):
    assert requirements_file(url) is None


# -- the generated table


def _make_options():
    path = Path(__file__).parents[3] / "scripts" / "make_options.py"
    spec = importlib.util.spec_from_file_location("make_options", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_pip
def test_pip_reads_the_values_of_r_c_and_group_as_when_they_were_last_looked_at():
    told = "pip reads -r, -c, --group or a requirements file in another way: look at make_options.MEANINGS"
    assert _make_options().meaning() == pip_options.MEANING, told


@needs_pip
def test_another_reading_of_a_value_gives_another_digest(monkeypatch):
    make_options = _make_options()
    monkeypatch.setattr(make_options, "VALUES", (*make_options.VALUES, "pip:__version__"))
    assert make_options.meaning() != pip_options.MEANING
