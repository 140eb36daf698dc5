"""safepip's own pip as the pip of new environments: equal to what pip installs, or not used at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from safepip.core.record import Record
from safepip.envs import image, seed
from safepip.envs.build import build
from safepip.system.process import spare_pip

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no images")


@pytest.fixture
def own(work, monkeypatch):
    """A copy of this installation's pip and virtualenv's wheels that tests may change; not compiled."""
    site = os.path.join(work, "own")
    found = spare_pip()
    for name in [name for name in os.listdir(found) if name == "pip" or name.startswith("pip-")]:
        shutil.copytree(
            os.path.join(found, name), os.path.join(site, name), ignore=shutil.ignore_patterns("*.pyc")
        )
    os.makedirs(os.path.join(site, "virtualenv", "seed", "wheels", "embed"))
    monkeypatch.setattr(sys, "path", [site])
    bundle(site, version_in(site))
    return site


def version_in(site):
    (info,) = [name for name in os.listdir(site) if name.startswith("pip-")]
    return info.removeprefix("pip-").removesuffix(".dist-info")


def bundle(site, version):
    wheel = f"pip-{version}-py3-none-any.whl"
    open(os.path.join(site, "virtualenv", "seed", "wheels", "embed", wheel), "wb").close()


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory):
    """Compile pip, which takes a second, for all tests that change something afterwards."""
    pip = tmp_path_factory.mktemp("compiled") / "pip"
    shutil.copytree(os.path.join(spare_pip(), "pip"), pip, ignore=shutil.ignore_patterns("*.pyc"))
    subprocess.run([sys.executable, "-m", "compileall", "-q", pip], check=True)
    return pip


@pytest.fixture
def compiled(own, compiled_once):
    shutil.copytree(
        compiled_once, os.path.join(own, "pip"), dirs_exist_ok=True
    )  # the sources are of the same times
    return own


def tree(top):
    """Return content and rights of every file; what compiled files hold depends on the time of their sources."""
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                content = b"" if name.endswith(".pyc") else file.read()
            found[os.path.relpath(path, top)] = (os.stat(path).st_mode, content)
    return found


def test_an_environment_is_what_pips_own_installation_gives(base, work, monkeypatch):
    env = os.path.join(work, "env")
    build(env, base, os.path.join(work, "ours"), pip=True)
    ours = tree(env)
    os.rename(env, f"{env}.kept")
    monkeypatch.setattr(image, "own_seed", lambda _interpreter: None)
    build(env, base, os.path.join(work, "pips"), pip=True)
    expected = tree(env)
    assert ours.keys() == expected.keys()
    assert [name for name in ours if ours[name] != expected[name]] == []
    assert os.listdir(os.path.join(work, "ours", "images")) == os.listdir(os.path.join(work, "pips", "images"))


SAY_WHERE = """
import inspect, traceback, pip._internal.cli.main as main, pip._internal.build_env as package
print(main.cli.__code__.co_filename, inspect.getsourcefile(main), main.__file__, package.__cached__, sep="\\n")
try:
    main.cli(0)
except Exception as error:
    print(*(frame.filename for frame in traceback.extract_tb(error.__traceback__) if "pip" in frame.filename))
"""


def test_its_compiled_files_are_used_and_name_the_new_place(base, work):
    assert seed.own_seed(base) is not None
    env = os.path.join(work, "env")
    build(env, base, os.path.join(work, "cache"), pip=True)
    before = bytecode(env)
    argv = [os.path.join(env, "bin", "python"), "-I", "-c", SAY_WHERE]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert len(told) >= 6
    assert [path for path in told if not path.startswith(os.path.join(env, "lib", ""))] == []
    assert bytecode(env) == before


def bytecode(top):
    """Return the identity of each compiled file: Python replaces those that do not fit their source."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names]
    return {path: os.stat(path).st_ino for path in paths if path.endswith(".pyc")}


@pytest.mark.usefixtures("compiled")
def test_a_compiled_intact_recent_pip_serves(base, own, work):
    found = seed.own_seed(base)
    assert found == seed.Seed(site=own, version=version_in(own))
    seed.lay_out(found, base, made(work))


def made(work):
    path = os.path.join(work, "made")
    os.makedirs(os.path.join(path, "bin"))
    return path


def edit(path, text="x = 1\n"):
    before = os.stat(path)
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


HARMS = {
    "edited": lambda own, _info: edit(f"{own}/pip/_internal/main.py"),
    "gone": lambda own, _info: os.unlink(f"{own}/pip/_vendor/certifi/cacert.pem"),
    "touched after it was compiled": lambda own, _info: os.utime(f"{own}/pip/_internal/main.py", (1, 1)),
    "not compiled": lambda own, _info: shutil.rmtree(f"{own}/pip/_internal/cli/__pycache__"),
    "without RECORD": lambda _own, info: os.unlink(f"{info}/RECORD"),
    "with a file elsewhere": lambda _own, info: edit(f"{info}/RECORD", "other.py,sha256=x,1\n"),
    "with a file above": lambda _own, info: edit(f"{info}/RECORD", "pip/../other.py,sha256=x,1\n"),
    "of a distribution": lambda _own, info: edit(f"{info}/INSTALLER", "rpm\n"),
    "with more commands": lambda _own, info: edit(f"{info}/entry_points.txt", "more=pip:more\n"),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_any_other_does_not(base, compiled, work, harm):
    harm(compiled, os.path.join(compiled, f"pip-{version_in(compiled)}.dist-info"))
    with pytest.raises(OSError, match=r"pip|RECORD"):
        seed.lay_out(seed.own_seed(base), base, made(work))


def test_one_that_is_older_than_virtualenvs_does_not(base, own):
    bundle(own, "999.0.1")
    assert seed.own_seed(base) is None


def test_two_of_them_do_not(base, own):
    os.mkdir(os.path.join(own, "pip-1.0.dist-info"))
    assert seed.own_seed(base) is None


def test_pythons_with_other_bytecode_get_another(base, own):
    class Other(Record):
        version: tuple[int, ...] = base.version
        implementation: str = base.implementation

    assert seed.own_seed(Other()) is not None
    assert seed.own_seed(Other(version=(3, base.version[1] + 1, 0))) is None
    assert seed.own_seed(Other(implementation="pypy")) is None
