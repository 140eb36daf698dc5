"""safepip.pyz without starting it: where it unpacks, what it takes for unpacked, and that all of it is locked."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import time
import zipfile
from pathlib import Path

import pytest
import tree

from safepip.system import directories

SCRIPTS = Path(tree.SCRIPTS)
PARTS = SCRIPTS / "pyz"


def loaded(path: Path):
    spec = importlib.util.spec_from_file_location(f"pyz_{path.stem.strip('_')}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


start, unpack = loaded(PARTS / "__main__.py"), loaded(PARTS / "unpack.py")


@pytest.fixture
def make_pyz(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return loaded(SCRIPTS / "make_pyz.py")


# -- where it unpacks


@pytest.mark.parametrize("named", [None, "", "relative", "/named"])
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_it_unpacks_into_safepips_cache(monkeypatch, home, named, platform):
    environ = {"HOME": home} if named is None else {"HOME": home, "XDG_CACHE_HOME": named}
    monkeypatch.setenv("HOME", home)
    if platform == "win32":
        environ["LOCALAPPDATA"] = "/local"
    assert start.cache_folder(environ, platform) == os.path.join(
        directories.cache_dir(environ, home, platform), "pyz", start.DIGEST
    )


def test_root_behind_sudo_does_not_unpack_where_the_user_cannot_look(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert start.cache_folder({"SUDO_UID": "1000", "HOME": "/root"}, "linux") == ""


# -- what counts as unpacked


def make_wheel(path: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


@pytest.fixture
def archive(tmp_path):
    """An archive with two wheels."""
    own = {"safepip/__init__.py": "", "safepip/cli.py": "main = 1\n", "safepip-1.data/data/share/x": "elsewhere\n"}
    make_wheel(tmp_path / "safepip-1-py3-none-any.whl", own)
    make_wheel(
        tmp_path / "pip-1-py3-none-any.whl", {"pip/__init__.py": "", "pip-1.dist-info/METADATA": "Name: pip\n"}
    )
    path = tmp_path / "safepip.pyz"
    with zipfile.ZipFile(path, "w") as opened:
        for wheel in tmp_path.glob("*.whl"):
            opened.write(wheel, f"wheels/{wheel.name}")
    return str(path)


@pytest.fixture
def folder(archive, tmp_path):
    path = str(tmp_path / "cache" / "safepip" / "pyz" / "digest")
    assert unpack.unpack(archive, path, "digest", start.is_usable) == path
    return path


def tree(folder: str) -> set[str]:
    return {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}


def test_it_holds_what_the_wheels_hold_and_belongs_to_the_user_alone(folder):
    files = {"safepip/__init__.py", "safepip/cli.py", "pip/__init__.py", "pip-1.dist-info/METADATA", "counted"}
    assert tree(folder) == files
    assert start.is_usable(folder)
    assert not start.is_due(folder)
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert os.listdir(os.path.dirname(folder)) == ["digest"]


def test_one_that_others_can_write_to_is_not_used_but_made_again(archive, folder):
    os.chmod(folder, 0o777)
    Path(folder, "safepip", "cli.py").write_text("evil\n")
    assert not start.is_usable(folder)
    assert unpack.unpack(archive, folder, "digest", start.is_usable) == folder
    assert Path(folder, "safepip", "cli.py").read_text() == "main = 1\n"
    assert os.listdir(os.path.dirname(folder)) == ["digest"]


def test_a_link_in_its_place_is_not_followed(archive, folder, tmp_path):
    os.rename(folder, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", folder)
    assert not start.is_usable(folder)
    unpack.unpack(archive, folder, "digest", start.is_usable)
    assert not os.path.islink(folder)
    assert start.is_usable(folder)


def test_once_a_day_the_files_are_counted_and_what_is_gone_comes_back(archive, folder):
    os.unlink(os.path.join(folder, "pip", "__init__.py"))
    assert not start.is_due(folder)
    long_ago = time.time() - 2 * start.A_DAY
    os.utime(os.path.join(folder, "counted"), (long_ago, long_ago))
    assert start.is_due(folder)
    assert unpack.unpack(archive, folder, "digest", start.is_usable) == folder
    assert "pip/__init__.py" in tree(folder)
    assert not start.is_due(folder)


@pytest.mark.parametrize("umask", [0, 0o077])
def test_whatever_the_umask_all_can_read_and_nobody_else_can_write(archive, tmp_path, monkeypatch, umask):
    monkeypatch.setattr(unpack.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("SUDO_UID", "1000")
    before = os.umask(umask)
    try:
        folder = unpack.unpack(archive, "", "digest", start.is_usable)
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    modes = {os.path.relpath(at, folder): os.stat(at).st_mode & 0o777 for at, _, _ in os.walk(folder)}
    assert set(modes.values()) == {0o755}
    assert {"safepip/__pycache__", "pip/__pycache__"} <= set(modes), "else root's umask would make them"
    assert {os.stat(os.path.join(folder, name)).st_mode & 0o777 for name in tree(folder)} == {0o644}


def test_one_with_files_that_others_can_write_to_is_made_again(archive, folder):
    os.chmod(os.path.join(folder, "safepip", "cli.py"), 0o666)
    assert not start.is_usable(folder)
    assert unpack.unpack(archive, folder, "digest", start.is_usable) == folder
    assert start.is_usable(folder)


def test_after_something_unforeseen_the_files_are_counted(folder):
    start.count_again(folder)
    assert start.is_due(folder)
    start.count_again(folder)


def test_without_a_home_it_unpacks_below_the_temporary_directory(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack.tempfile, "tempdir", str(tmp_path / "tmp"))
    os.mkdir(tmp_path / "tmp")
    (tmp_path / "file").write_text("")
    for folder in ("", str(tmp_path / "file" / "pyz" / "digest")):
        found = unpack.unpack(archive, folder, "digest", start.is_usable)
        assert os.path.dirname(found) == str(tmp_path / "tmp")
        assert start.is_usable(found)


def test_where_nothing_can_be_written_it_says_so(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(unpack.tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(SystemExit) as caught:
        unpack.unpack(archive, "", "digest", start.is_usable)
    assert caught.value.code == 73
    assert "XDG_CACHE_HOME" in capsys.readouterr().err


# -- what it is made of


def test_every_python_can_read_how_it_starts():
    """Nothing newer than Python 2.7's syntax, which ast cannot check: so it is looked for by hand."""
    text = (PARTS / "__main__.py").read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(text, feature_version=(3, 7))))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.Starred, ast.AsyncFunctionDef, ast.NamedExpr, ast.Nonlocal)
    assert [node for node in nodes if isinstance(node, newer)] == []
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if node.returns or node.args.kwonlyargs] == []
    assert text.isascii()


def test_the_lock_names_all_that_safepip_needs_on_every_python(make_pyz):
    held, tools = (make_pyz.read_lock(part) for part in Path(make_pyz.LOCK).read_text().split(make_pyz.TOOLS))
    names = {requirement.partition("==")[0] for requirement in held.values()}
    assert {*make_pyz.WANTED, "distlib", "platformdirs", "packaging", "python-discovery"} <= names
    assert "hatchling" in {requirement.partition("==")[0] for requirement in tools.values()}
    assert all(len(sha256) == hashlib.sha256().digest_size * 2 for sha256 in (*held, *tools))


def test_archives_of_the_same_contents_are_the_same(make_pyz):
    assert make_pyz.zipped({"b": b"2", "a": b"1"}) == make_pyz.zipped({"a": b"1", "b": b"2"})
    assert make_pyz.digest_of({"a": b"1"}) != make_pyz.digest_of({"a": b"2"})


def test_a_wheel_that_is_not_the_locked_one_is_not_taken(make_pyz, tmp_path):
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "pip-26.3-py3-none-any.whl").write_text("another")
    with pytest.raises(make_pyz.Stop, match=r"lacks pip==26\.3"):
        make_pyz.collect({"0" * 64: "pip==26.3"}, str(tmp_path / "from"), str(tmp_path))
