"""Environments written from a template are, byte for byte, what virtualenv writes at that path."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from safepip.envs import template
from safepip.envs.build import build
from safepip.system.environment import CREATING, OWN
from safepip.system.interpreter import interview

pytestmark = pytest.mark.skipif(os.name == "nt", reason="virtualenv makes those itself")

PLAIN = [".venv", "env-1.2", "_UPPER"]
SPACED = ["my env", " leading", "two  of them", "end "]
LEFT_TO_VIRTUALENV = [
    "a@b", "a,b", "a+b", "a=b",
    "it's", 'a"b', "$HOME", "a`b", "a\\b", "a!b", "100%", "a;b", "(x)", "[x]", "~", "#x", "a&b", "*", "a{b}", "<x>",
    "|", "^", "a\tb", "é", "日本語",
]  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return os.path.realpath(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def python():
    """The interpreter below this one."""
    found = interview(os.path.realpath(sys.executable), dict(os.environ), None)
    assert not isinstance(found, str)
    return found


def begun(path):
    """Make the directory as a creation has begun it."""
    os.makedirs(os.path.join(path, OWN), 0o700)
    with open(os.path.join(path, CREATING), "w", encoding="ascii") as mark:
        mark.write("0123456789abcdef" * 2)


def tree(top):
    """Return all that lies in an environment, but for what is safepip's own: kind, mode, content."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, top)
            if relative.split(os.sep)[0] == OWN:
                continue
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                content = os.readlink(path)
            elif stat.S_ISDIR(mode):
                content = ""
            else:
                with open(path, "rb") as file:
                    content = file.read()
            found[relative] = (mode, content)
    return found


def stamped(path, python, cache, *, system):
    made = template.template_for(
        path,
        python,
        cache,
        lambda at: build(at, python, cache, pip=False, system=system),
        lambda: "image",
        system=system,
    )
    if made is None:
        return False
    template.stamp(made, path, "0123456789abcdef" * 2)
    return True


@pytest.mark.parametrize("system", [False, True], ids=["alone", "system-site-packages"])
@pytest.mark.parametrize("name", [*PLAIN, *SPACED])
@pytest.mark.parametrize("above", ["project", "my project"])
def test_every_byte_is_virtualenvs(work, cache, python, above, name, system):
    path = os.path.join(work, above, name)
    begun(path)
    build(path, python, cache, pip=False, system=system)
    made_by_virtualenv = tree(path)
    os.rename(path, f"{path}.kept")
    begun(path)
    assert stamped(path, python, cache, system=system)
    assert tree(path) == made_by_virtualenv
    assert len([name for name in made_by_virtualenv if "activate" in name]) >= 7


@pytest.mark.parametrize("name", LEFT_TO_VIRTUALENV)
def test_what_shells_may_quote_otherwise_is_left_to_virtualenv(work, cache, python, name):
    path = os.path.join(work, name)
    begun(path)
    assert not stamped(path, python, cache, system=False)
    assert not stamped(os.path.join(path, ".venv"), python, cache, system=False)


def test_a_path_through_a_link_is_left_to_virtualenv(work, cache, python):
    os.mkdir(os.path.join(work, "real"))
    os.symlink("real", os.path.join(work, "link"))
    path = os.path.join(work, "link", ".venv")
    begun(path)
    assert not stamped(path, python, cache, system=False)


def test_another_umask_has_a_template_of_its_own(work, cache, python):
    before = os.umask(0o027)
    try:
        for name in ("one", "two"):
            begun(os.path.join(work, name))
        build(os.path.join(work, "one"), python, cache, pip=False)
        modes = {path: mode for path, (mode, _) in tree(os.path.join(work, "one")).items()}
        assert stamped(os.path.join(work, "two"), python, cache, system=False)
    finally:
        os.umask(before)
    assert {path: mode for path, (mode, _) in tree(os.path.join(work, "two")).items()} == modes


def template_files(cache):
    return [os.path.join(cache, "templates", name) for name in os.listdir(os.path.join(cache, "templates"))]


def spoil(path):
    with open(path, "rb+") as file:
        file.seek(-9, os.SEEK_END)
        file.write(b"x")


@pytest.mark.parametrize(
    "harm",
    [spoil, lambda path: os.truncate(path, 300), lambda path: os.chmod(path, 0o666)],
    ids=["spoilt", "torn", "open"],
)
def test_a_template_that_is_not_what_was_written_is_made_again(work, home, python, harm):
    own_cache = os.path.join(home, "cache")
    begun(os.path.join(work, "one"))
    assert stamped(os.path.join(work, "one"), python, own_cache, system=False)
    (file,) = template_files(own_cache)
    with open(file, "rb") as opened:
        before = opened.read().partition(b"\n")[2].count(b"activate")
    harm(file)
    begun(os.path.join(work, "two"))
    assert stamped(os.path.join(work, "two"), python, own_cache, system=False)
    one, two = tree(os.path.join(work, "one")), tree(os.path.join(work, "two"))
    assert set(one) == set(two)
    assert template_files(own_cache) == [file]
    assert os.stat(file).st_mode & 0o777 == 0o600
    with open(file, "rb") as opened:
        assert opened.read().partition(b"\n")[2].count(b"activate") == before


def test_a_link_in_the_way_is_not_followed(work, cache, python):
    path, elsewhere = os.path.join(work, ".venv"), os.path.join(work, "elsewhere")
    os.mkdir(elsewhere)
    begun(path)
    os.symlink(elsewhere, os.path.join(path, "bin"))
    with pytest.raises(FileExistsError):
        stamped(path, python, cache, system=False)
    assert os.listdir(elsewhere) == []


def test_the_second_creation_starts_no_virtualenv(work, home, python):
    """Nor filelock: both take more time than the creation itself."""
    cache = os.path.join(home, "cache")
    build(os.path.join(work, "first"), python, cache, pip=True)
    code = (
        "import sys\n"
        "from safepip.envs.build import build\nfrom safepip.system.interpreter import interview\n"
        "build(sys.argv[1], interview(sys.argv[3], {}, None), sys.argv[2], pip=True)\n"
        "print({'virtualenv', 'filelock', 'platformdirs'} & set(sys.modules))\n"
    )
    second = os.path.join(work, "second")
    argv = [sys.executable, "-c", code, second, cache, os.path.realpath(sys.executable)]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "set()\n"
    ran = subprocess.run([f"{second}/bin/pip", "--version"], capture_output=True, text=True, check=True)
    assert second in ran.stdout
