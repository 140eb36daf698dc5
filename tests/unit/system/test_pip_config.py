from __future__ import annotations

import configparser
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pip._internal.configuration import Configuration, get_configuration_files
from pip._vendor import platformdirs
from pip._vendor.platformdirs.macos import MacOS
from tree import TREE

from safepip.core.pip_line import ConfigFile, normalised, read
from safepip.system import pip_config
from safepip.system.pip_config import find, plain

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX ones")

USER = "[global]\nuser = yes\n"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def write(path: Path, text: str = USER) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def found(tmp_path, environ, *, platform="linux", site: Path | None = None, strict=False) -> list[ConfigFile]:
    """Return the files below tmp_path: the machine may have some of its own."""
    files = find(
        {"XDG_CONFIG_DIRS": str(tmp_path / "xdg"), **environ},
        str(tmp_path / "home"),
        platform=platform,
        site_prefix=None if site is None else str(site),
        strict=strict,
    )
    return [file for file in files if file.path.startswith(str(tmp_path))]


def paths(tmp_path, environ, **options) -> list[tuple[str, str]]:
    return [(file.kind, file.path) for file in found(tmp_path, environ, **options)]


def one(tmp_path, text: str | bytes, *, strict=False, environ=()) -> ConfigFile:
    path = tmp_path / "one.conf"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    [file] = found(tmp_path, {"PIP_CONFIG_FILE": str(path), **dict(environ)}, strict=strict)
    return file


class TestPlaces:
    def test_linux_in_order_of_precedence(self, tmp_path, home):
        wanted = [
            ("global", write(tmp_path / "a" / "pip" / "pip.conf")),
            ("global", write(tmp_path / "b" / "pip" / "pip.conf")),
            ("user", write(home / ".pip" / "pip.conf")),
            ("user", write(home / ".config" / "pip" / "pip.conf")),
            ("site", write(tmp_path / "prefix" / "pip.conf")),
        ]
        environ = {"XDG_CONFIG_DIRS": f"{tmp_path}/a:relative: {tmp_path}/b "}
        assert paths(tmp_path, environ, site=tmp_path / "prefix") == wanted

    def test_linux_looks_in_etc_when_no_folder_is_named(self, monkeypatch):
        monkeypatch.setattr(pip_config, "SYSTEM_FOLDER", "/etc")  # tests/conftest.py may have hidden it
        opened = []

        def refuse(path, _mode):
            opened.append(path)
            raise FileNotFoundError

        with mock.patch("builtins.open", refuse):
            find({}, "/home/u", platform="linux", site_prefix="/p")
        user = ["/home/u/.pip/pip.conf", "/home/u/.config/pip/pip.conf"]
        assert opened == ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", *user, "/p/pip.conf"]

    def test_xdg_config_home_takes_the_place_of_dot_config(self, tmp_path, home):
        write(home / ".config" / "pip" / "pip.conf")
        wanted = write(tmp_path / "conf" / "pip" / "pip.conf")
        assert paths(tmp_path, {"XDG_CONFIG_HOME": f"{tmp_path}/conf"}) == [("user", wanted)]

    def test_a_relative_xdg_config_home_is_ignored(self, tmp_path, home):
        wanted = write(home / ".config" / "pip" / "pip.conf")
        assert paths(tmp_path, {"XDG_CONFIG_HOME": "conf"}) == [("user", wanted)]

    def test_without_a_home_there_are_no_user_files(self, tmp_path):
        environ = {"XDG_CONFIG_DIRS": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        write(tmp_path / "pip" / "pip.conf")
        files = find(environ, None, platform="linux", site_prefix=None)
        assert "user" not in {file.kind for file in files}

    def test_macos_uses_dot_config_until_the_other_folder_exists(self, tmp_path, home):
        plain = write(home / ".config" / "pip" / "pip.conf")
        assert paths(tmp_path, {}, platform="darwin") == [("user", plain)]
        support = home / "Library" / "Application Support" / "pip"
        support.mkdir(parents=True)
        assert paths(tmp_path, {}, platform="darwin") == []
        wanted = write(support / "pip.conf")
        assert paths(tmp_path, {}, platform="darwin") == [("user", wanted)]

    def test_macos_global_files(self, tmp_path):
        wanted = write(tmp_path / "data" / "pip" / "pip.conf")
        assert paths(tmp_path, {"XDG_DATA_DIRS": f"{tmp_path}/data"}, platform="darwin") == [("global", wanted)]

    def test_macos_homebrew_shares_a_folder(self, tmp_path):
        prefix = (
            tmp_path / "brew" / "opt" / "python@3.13" / "Frameworks" / "Python.framework" / "Versions" / "3.13"
        )
        wanted = write(tmp_path / "brew" / "share" / "pip" / "pip.conf")
        assert paths(tmp_path, {}, platform="darwin", site=prefix) == [("global", wanted)]
        assert paths(tmp_path, {}, platform="darwin", site=tmp_path / "opt" / "python") == []

    def test_windows(self, tmp_path, home):
        wanted = [
            ("global", write(tmp_path / "programs" / "pip" / "pip.ini")),
            ("user", write(home / "pip" / "pip.ini")),
            ("user", write(tmp_path / "roaming" / "pip" / "pip.ini")),
            ("site", write(tmp_path / "prefix" / "pip.ini")),
        ]
        environ = {"PROGRAMDATA": f"{tmp_path}/programs", "APPDATA": f"{tmp_path}/roaming"}
        assert paths(tmp_path, environ, platform="win32", site=tmp_path / "prefix") == wanted

    def test_windows_without_appdata(self, tmp_path, home):
        wanted = write(home / "AppData" / "Roaming" / "pip" / "pip.ini")
        assert paths(tmp_path, {}, platform="win32") == [("user", wanted)]


class TestPipConfigFile:
    def test_the_null_device_means_no_file_at_all(self, tmp_path, home):
        write(home / ".pip" / "pip.conf")
        environ = {"PIP_CONFIG_FILE": os.devnull}
        assert find(environ, str(home), platform="linux", site_prefix=str(tmp_path)) == ()

    def test_an_existing_one_is_last_and_drops_the_user_files_alone(self, tmp_path, home):
        write(home / ".pip" / "pip.conf")
        site, named = write(tmp_path / "prefix" / "pip.conf"), write(tmp_path / "named")
        files = paths(tmp_path, {"PIP_CONFIG_FILE": named}, site=tmp_path / "prefix")
        assert files == [("site", site), ("env", named)]

    @pytest.mark.parametrize("named", ["", "/nowhere/at/all"])
    def test_a_missing_or_empty_one_is_ignored(self, tmp_path, home, named):
        user = write(home / ".pip" / "pip.conf")
        assert paths(tmp_path, {"PIP_CONFIG_FILE": named}) == [("user", user)]

    def test_a_directory_drops_the_user_files_and_gives_none(self, tmp_path, home):
        write(home / ".pip" / "pip.conf")
        assert paths(tmp_path, {"PIP_CONFIG_FILE": str(tmp_path)}) == []

    def test_naming_a_file_that_pip_reads_anyway_does_not_raise_it(self, tmp_path):
        first = write(tmp_path / "xdg" / "pip" / "pip.conf")
        site = write(tmp_path / "prefix" / "pip.conf")
        files = paths(tmp_path, {"PIP_CONFIG_FILE": first}, site=tmp_path / "prefix")
        assert files == [("global", first), ("site", site)]


PIECES = (
    "[global]\n", "[install]\r\n", "[DEFAULT]\n", "[a b]\n", "[x]y]\n", "[]\n", "timeout = 3\n", "timeout: 4\r", "a=b:c\n",
    "a:b=c\n", "--user=1\n", "USER = 2\n", "key\n", "  more\n", "\n", "\t\n", "# c\n", "; c\n", "a = # x\n", "=3\n", "x =\n",
    "\x0b", "\x0c", "é", "[global] \n", "y = a  b \n", "x_y = ; c",
)  # fmt: skip


class TestContents:
    def test_keys_are_normalised_and_sections_are_not(self, tmp_path):
        file = one(tmp_path, "[Global]\n--User = yes\n[install]\nBREAK_SYSTEM_PACKAGES : 1\n")
        assert file.sections == {"Global": {"user": "yes"}, "install": {"break-system-packages": "1"}}
        assert file.error is None

    def test_the_default_section_goes_into_every_other(self, tmp_path):
        file = one(tmp_path, "[DEFAULT]\nuser = yes\n[install]\n[global]\npre = 1\n")
        assert file.sections == {"install": {"user": "yes"}, "global": {"user": "yes", "pre": "1"}}

    def test_a_percent_sign_is_a_percent_sign(self, tmp_path):
        assert one(tmp_path, "[global]\ntarget = %(x)s%%\n").sections == {"global": {"target": "%(x)s%%"}}

    @pytest.mark.parametrize(
        "text", ["", "[global]\nfind-links =\n  x\n", "[DEFAULT]\ntimeout = 60\nuserdata = 1\n"]
    )
    def test_a_file_of_other_keys_that_is_not_plain_counts_as_empty(self, tmp_path, text):
        assert one(tmp_path, text).sections == {}

    def test_strict_reads_it_all_the_same(self, tmp_path):
        found = one(tmp_path, "[global]\ntimeout =\n  60\n", strict=True)
        assert found.sections == {"global": {"timeout": "\n60"}}

    @given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
    @settings(max_examples=1000, derandomize=True, deadline=None)
    def test_what_is_plain_is_read_as_configparser_reads_it(self, text):
        found = plain(text.encode())
        if found is not None:
            parser = configparser.RawConfigParser()
            parser.optionxform = normalised
            parser.read_file(io.StringIO(text, newline=None))
            assert {section: dict(parser.items(section)) for section in parser.sections()} == found

    @pytest.mark.parametrize(
        "text",
        ["user = 1\n", "[global]\nuser\n", "[global]\nuser = 1\n--user = 2\n", "[global]\nuser = 1\n[global]\n"],
        ids=["no section", "no value", "a key twice", "a section twice"],
    )
    def test_what_pip_dies_of_is_one_line(self, tmp_path, text):
        file = one(tmp_path, text, strict=True)
        assert file.sections == {}
        assert file.error is not None
        assert file.error.startswith("Configuration file could not be loaded. ")
        assert file.path in file.error
        assert "\n" not in file.error
        assert read(["install", "x"], {}, [file]).outcome == "parse_error"

    def test_malformed_but_of_no_interest_is_found_by_strict_only(self, tmp_path):
        assert one(tmp_path, "timeout = 1\n").error is None
        assert one(tmp_path, "timeout = 1\n", strict=True).error is not None

    def test_undecodable_bytes_are_an_error_and_no_traceback(self, tmp_path):
        file = one(tmp_path, b"[global]\nuser = 1\ntarget = \xff\n", environ={"PYTHONUTF8": "1"})
        assert file.error == f"Configuration file contains invalid utf-8 characters in {file.path}."

    def test_bytes_beyond_ascii_are_the_locales(self, tmp_path):
        text = "[global]\ntarget = caf\u00e9\n"
        assert one(tmp_path, text, environ={"PYTHONUTF8": "1"}).sections == {"global": {"target": "caf\u00e9"}}

    def test_windows_line_ends(self, tmp_path):
        assert one(tmp_path, b"[global]\r\nuser = 1\r\n").sections == {"global": {"user": "1"}}

    @pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root reads everything")
    def test_an_unreadable_file_is_none(self, tmp_path, home):
        Path(write(home / ".pip" / "pip.conf")).chmod(0)
        assert found(tmp_path, {}) == []

    def test_a_path_that_cannot_be_one_is_none(self):
        assert find({}, "/\0", platform="linux", site_prefix="/\0") == find(
            {}, None, platform="linux", site_prefix=None
        )


def test_pip_itself_finds_the_same(tmp_path, home):
    write(tmp_path / "xdg" / "pip" / "pip.conf", "[global]\nuser=1\n[install]\nTARGET=/x\n")
    write(home / ".pip" / "pip.conf", "[DEFAULT]\n--pre=1\n[global]\nuser=\n")
    write(home / ".config" / "pip" / "pip.conf", "[freeze]\nuser: no\n  more\n")
    write(tmp_path / "prefix" / "pip.conf", "[:env:]\nprefix = a%b\n")
    environ = {"XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "HOME": str(home)}
    with mock.patch.dict(os.environ, environ, clear=True), mock.patch("sys.prefix", str(tmp_path / "prefix")):
        configuration = Configuration(isolated=False)
        configuration.load()
        known = {path: values for path, values in configuration.items() if path.startswith(str(tmp_path))}
    files = found(tmp_path, environ, platform=sys.platform, site=tmp_path / "prefix", strict=True)
    told = {
        file.path: {
            f"{section}.{key}": value for section, items in file.sections.items() for key, value in items.items()
        }
        for file in files
    }
    assert list(told.items()) == list(known.items())


@pytest.mark.parametrize("text", ["", "[global]\nindex-url = x\n", "[install]\nconstraint = /x\nuser: 1\n"])
def test_configparser_is_not_loaded_for_a_file_of_no_interest(tmp_path, home, text):
    write(home / ".pip" / "pip.conf", text)
    code = (
        "import sys; from safepip.system.pip_config import find; "
        f"assert any(f.path.startswith({str(home)!r}) for f in find({{}}, {str(home)!r}, site_prefix=None)); "
        "sys.exit('configparser' in sys.modules or 're' in sys.modules)"
    )
    root = TREE
    subprocess.run([sys.executable, "-S", "-c", code], check=True, cwd=tmp_path, env={"PYTHONPATH": root})


@pytest.mark.parametrize("support", [True, False], ids=["a pip folder in the data folder", "none"])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"XDG_CONFIG_HOME": "{}/conf", "XDG_CONFIG_DIRS": "{}/confs", "XDG_CACHE_HOME": "{}/cache"},
        {"XDG_DATA_HOME": "{}/data"},
        {"XDG_DATA_HOME": " {}/data "},
        {"XDG_DATA_HOME": "data"},
        {"XDG_DATA_DIRS": "{0}/a:relative: {0}/b :"},
        {"XDG_DATA_DIRS": "relative"},
        {"XDG_DATA_DIRS": "", "XDG_DATA_HOME": ""},
        {"XDG_DATA_HOME": "~/data", "XDG_DATA_DIRS": "~/a:{0}/b"},
    ],
    ids=str,
)
def test_pip_itself_looks_at_the_same_places_on_macos(tmp_path, home, variables, support):
    for folder in (tmp_path / "data", home / "data", home / "Library" / "Application Support"):
        if support:
            (folder / "pip").mkdir(parents=True)
    environ = {name: value.format(tmp_path) for name, value in variables.items()}
    prefix = str(tmp_path / "brew/opt/python@3.13/Frameworks/Python.framework/Versions/3.13")
    with (
        mock.patch.dict(os.environ, {**environ, "HOME": str(home)}, clear=True),
        mock.patch.multiple(sys, platform="darwin", prefix=prefix, base_prefix=prefix),
        mock.patch.object(platformdirs, "PlatformDirs", MacOS),
    ):
        known = get_configuration_files()
    found = pip_config.paths(environ, str(home), platform="darwin", site_prefix=prefix)
    assert list(found) == [path for kind in ("global", "user", "site") for path in known[kind]]
