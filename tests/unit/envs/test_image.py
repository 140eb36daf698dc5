"""pip kept once and put into each environment as links: what counts as whole, and what is written again."""

from __future__ import annotations

import csv
import os
import subprocess

import pytest

from safepip.envs import copying, image
from safepip.envs.build import build
from safepip.envs.verify import sites, verdict

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no images")


def put(path, text="x"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@pytest.fixture
def sealed_image(work):
    """An image that is whole."""
    folder = f"{work}/image"
    put(f"{folder}/site/pip/__init__.py")
    put(f"{folder}/bin/pip", "#!/x\n")
    image.seal(folder)
    return folder


def test_an_image_is_whole_as_it_was_sealed(sealed_image):
    assert image.is_whole(sealed_image)
    put(f"{sealed_image}/site/pip/more.py")  # bytecode comes so
    assert image.is_whole(sealed_image)


@pytest.mark.parametrize(
    "harm",
    [
        lambda at: os.unlink(f"{at}/site/pip/__init__.py"),
        lambda at: put(f"{at}/site/pip/__init__.py", "xy"),
        lambda at: os.utime(f"{at}/site/pip/__init__.py", (1, 1)),
        lambda at: os.chmod(f"{at}/site/pip/__init__.py", 0o666),
        lambda at: put(f"{at}/manifest", ""),
        lambda at: os.unlink(f"{at}/manifest"),
        lambda at: put(f"{at}/manifest", "\0\0\n\0"),
    ],
    ids=["gone", "larger", "touched", "opened", "nothing sealed", "not sealed", "damaged seal"],
)
def test_what_was_changed_since_is_no_image(sealed_image, harm):
    harm(sealed_image)
    assert not image.is_whole(sealed_image)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_what_was_given_away_is_no_image(sealed_image):
    os.chown(f"{sealed_image}/bin/pip", 54321, -1)
    assert not image.is_whole(sealed_image)


@pytest.fixture
def without_clones(monkeypatch):
    """A file system that cannot copy on write."""

    def refuse(*_args):
        raise OSError(95, "not supported")

    monkeypatch.setattr(copying, "_clone", refuse)


def put_pip(work, python="/usr/bin/python3"):
    """Put the image below `work` into the environment there; its pip has a RECORD at least."""
    put(f"{work}/image/site/pip-1.dist-info/RECORD", "pip-1.dist-info/RECORD,,\n")
    os.makedirs(f"{work}/image/bin", exist_ok=True)
    os.makedirs(f"{work}/venv/bin")
    image.install_pip(f"{work}/image", f"{work}/venv", python, f"{work}/venv/site")


@pytest.mark.parametrize("user", [1000, 0], ids=["a user", "root"])
def test_files_are_links_but_for_those_that_change_and_for_root(work, monkeypatch, without_clones, user):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    for name in ("a.py", "sub/b.py", "sub/RECORD", "cacert.pem"):
        put(f"{work}/image/site/{name}")
    put_pip(work)
    same = {name: os.path.samefile(f"{work}/image/site/{name}", f"{work}/venv/site/{name}") for name in
            ("a.py", "sub/b.py", "sub/RECORD", "cacert.pem")}  # fmt: skip
    linked = user != 0
    assert same == {"a.py": linked, "sub/b.py": linked, "sub/RECORD": False, "cacert.pem": False}


def test_a_copy_has_the_content_the_rights_and_the_time(work, monkeypatch, without_clones):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    source = put(f"{work}/image/site/sub/program", "x" * (3 << 20))
    os.chmod(source, 0o700)
    os.utime(source, (10, 20))
    put_pip(work)
    with open(f"{work}/venv/site/sub/program", encoding="utf-8") as file:
        assert file.read() == "x" * (3 << 20)
    status = os.stat(f"{work}/venv/site/sub/program")
    assert (status.st_mode & 0o777, status.st_mtime, status.st_nlink) == (0o700, 20, 1)


def test_a_link_in_the_way_of_pip_is_not_followed(work):
    put(f"{work}/image/site/pip/a.py")
    os.makedirs(f"{work}/venv/site")
    os.mkdir(f"{work}/elsewhere")
    os.symlink(f"{work}/elsewhere", f"{work}/venv/site/pip")
    with pytest.raises(OSError, match="pip"):
        put_pip(work)
    assert os.listdir(f"{work}/elsewhere") == []


@pytest.mark.parametrize(
    "kept", ["#!/image/bin/python\n", "#!/bin/sh\n'''exec' \"/image/bin/python\" \"$0\" \"$@\"\n' '''\n"]
)
@pytest.mark.parametrize("folder", ["plain", "with a space", 'quo"te$`\\', 'spaced "$HOME `id` \\', "x" * 130])
def test_a_launcher_starts_the_python_that_it_is_for(work, base_python, kept, folder):
    python = f"{work}/{folder}/python"
    os.mkdir(os.path.dirname(python))
    os.symlink(base_python, python)
    put(f"{work}/image/bin/pip", kept + "import sys\nprint(sys.argv[1])\n")
    put_pip(work, python)
    assert (
        subprocess.run([f"{work}/venv/bin/pip", "b c"], capture_output=True, text=True, check=True).stdout
        == "b c\n"
    )


def unable(*_args):
    raise OSError(28, "no space")


def test_what_was_left_by_one_that_was_killed_goes_after_an_hour(base, work, monkeypatch):
    monkeypatch.setattr(image, "lay_out", unable)
    for name in ("tmpold", "tmpnew", "image"):
        put(f"{work}/cache/images/{name}/file")
    for name in ("tmpold", "image"):
        os.utime(f"{work}/cache/images/{name}", (1, 1))
    assert image.image_for(base, f"{work}/cache", unable) is None
    assert sorted(os.listdir(f"{work}/cache/images")) == ["image", "tmpnew"]


def test_without_a_cache_there_is_no_image(base):
    assert image.image_for(base, None, lambda _path: None) is None


def test_what_cannot_be_built_is_no_image(base, work, monkeypatch):
    monkeypatch.setattr(image, "lay_out", unable)
    assert image.image_for(base, f"{work}/cache", unable) is None
    assert os.listdir(f"{work}/cache/images") == []


def test_two_environments_have_a_pip_that_each_records_as_its_own(work, base, without_clones):
    for name in ("one", "two"):
        build(f"{work}/{name}", base, f"{work}/cache", pip=True)
    (first,), (second,) = sites(f"{work}/one"), sites(f"{work}/two")
    shared = os.path.samefile(f"{first}/pip/__init__.py", f"{second}/pip/__init__.py")
    assert shared == (os.geteuid() != 0)
    assert verdict(f"{work}/one", hashed=True) == verdict(f"{work}/two", hashed=True) == ""
    for name in ("one", "two"):
        ran = subprocess.run([f"{work}/{name}/bin/pip", "--version"], capture_output=True, text=True, check=True)
        assert f"{work}/{name}/" in ran.stdout
    (info,) = [name for name in os.listdir(first) if name.endswith(".dist-info")]
    with open(f"{first}/{info}/RECORD", encoding="utf-8", newline="") as one:
        rows = {row[0]: row[1:] for row in csv.reader(one)}
    launcher = f"{work}/one/bin/pip"
    assert rows[os.path.relpath(launcher, first)][1] == str(os.path.getsize(launcher))
