"""The parts of scripts/bootstrap.py that need neither a network nor an environment."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest
from forked import code_of_child
from tree import SCRIPTS

from safepip.shells import LANGUAGES, startup_files

SCRIPT = Path(SCRIPTS, "bootstrap.py")
_spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
bootstrap = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bootstrap)

IndexFile = bootstrap.IndexFile


def opener():
    return urllib.request.build_opener()


# --- the script itself


@pytest.mark.parametrize("name", ["bootstrap.py", "environments.py", "make_pyz.py", "test.py"])
def test_an_old_python_can_read_the_script(name):
    text = (SCRIPT.parent / name).read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 7))
    assert "from __future__ import annotations" not in text, "Python 3.6 does not know it"


def test_it_undoes_init_in_the_start_up_files_of_all_shells():
    """The script stands alone, so it has its own list of the shells that safepip knows."""
    known = {file for shell in LANGUAGES for file in startup_files.all_files(shell, "/home/x", {})}
    assert {file for shell in bootstrap.SHELLS for file in startup_files.all_files(shell, "/home/x", {})} == known


def test_a_usage_error_is_64():
    with pytest.raises(SystemExit) as caught:
        bootstrap.main(["--nonsense"])
    assert caught.value.code == 64


def test_a_python_that_does_not_run_has_no_version(tmp_path):
    shim = tmp_path / "python3.14"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert bootstrap.version_of(str(shim)) == ()
    assert bootstrap.version_of(sys.executable) == sys.version_info[:2]


@pytest.mark.parametrize(
    ("called", "again"),
    [(str(SCRIPT), f"python3.12 {SCRIPT} --quiet"), ("/x/s.whl/safepip/bootstrap.py", "python3.12 -m safepip.bootstrap --quiet")],
)  # fmt: skip
def test_a_python_that_is_too_old_says_how_to_go_on(called, again, monkeypatch):
    monkeypatch.setattr(bootstrap, "OLDEST", (99, 0))
    monkeypatch.setattr(sys, "argv", [called, "--quiet"])
    with pytest.raises(bootstrap.Stop) as caught:
        bootstrap.use_recent_python()
    assert caught.value.code == 69
    assert caught.value.lines[-1].endswith(again)


# --- where things go


def test_places_are_below_home(tmp_path):
    places = bootstrap.find_places({"HOME": str(tmp_path)})
    assert places.app == str(tmp_path / ".local/share/safepip/app")
    assert places.launcher == str(tmp_path / ".local/bin/safepip")


def test_xdg_data_home_moves_the_environment_only(tmp_path):
    places = bootstrap.find_places({"HOME": str(tmp_path), "XDG_DATA_HOME": "/elsewhere"})
    assert places.app == "/elsewhere/safepip/app"
    assert places.launcher == str(tmp_path / ".local/bin/safepip")


def test_a_relative_xdg_data_home_is_ignored(tmp_path):
    places = bootstrap.find_places({"HOME": str(tmp_path), "XDG_DATA_HOME": "data"})
    assert places.app == str(tmp_path / ".local/share/safepip/app")


@pytest.mark.parametrize("home", [None, "", "relative", "/nonexistent/home"])
def test_without_a_home_directory_it_stops_with_73(home, monkeypatch, capsys):
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)
    assert bootstrap.main([]) == 73
    printed = capsys.readouterr()
    assert "HOME is " in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


def test_a_foreign_command_is_left_alone(tmp_path, monkeypatch, capsys):
    foreign = tmp_path / ".local/bin/safepip"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("somebody else's")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert bootstrap.main([]) == 73
    assert bootstrap.main(["--uninstall"]) == 73
    assert foreign.read_text() == "somebody else's"
    assert str(foreign) in capsys.readouterr().err


def test_a_link_to_a_command_is_foreign(tmp_path):
    places = place(tmp_path, make_safepip(tmp_path / "wheels"))
    link = tmp_path / "safepip"
    link.symlink_to(places.launcher)
    assert bootstrap.is_own_launcher(places.launcher)
    assert not bootstrap.is_own_launcher(str(link))


def test_a_foreign_folder_in_the_place_of_the_environment_is_left_alone(tmp_path):
    app = tmp_path / "app"
    app.mkdir()
    places = bootstrap.Places(str(app), str(tmp_path / "bin" / "safepip"))
    bootstrap.refuse_foreign(places)
    (app / "mine").write_text("")
    with pytest.raises(bootstrap.Stop, match="not made by this script"):
        bootstrap.refuse_foreign(places)
    (app / bootstrap.STATE_FILE).write_text("")
    bootstrap.refuse_foreign(places)


LAUNCHER = ("__init__.py", "start.py", "other_python.py", "command.sh")


def make_safepip(folder: Path, text: str = "def main():\n    return 0\n") -> list[str]:
    """Write a wheel of a safepip that starts, and one of what it needs; give their paths."""
    folder.mkdir()
    shared = {"safepip-1.data/data/share/man/man1/safepip.1": ".TH", "safepip-1.data/scripts/other": ""}
    source = SCRIPT.parent.parent / "safepip"
    own = {f"safepip/launcher/{name}": (source / "launcher" / name).read_text() for name in LAUNCHER}
    files = {**own, **shared, "safepip/__init__.py": "", "safepip/cli.py": text, "safepip/system/__init__.py": ""}
    needed = {f"{name}/__init__.py": "" for name in ("pip", "filelock", "virtualenv")}
    for name, content in (("safepip", {**files, "safepip/system/settings_files.py": ""}), ("needed", needed)):
        with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
            for path, written in content.items():
                wheel.writestr(path, written)
    return sorted(map(str, folder.iterdir()))


def place(home: Path, wheels: list[str]):
    """Place these wheels below a home directory as the script does."""
    places = bootstrap.find_places({"HOME": str(home)})
    bootstrap.place_files(places, wheels, bootstrap.this_clone())
    bootstrap.write_launcher(places, bootstrap.lasting_python(), "run it again")
    return places


def test_files_that_a_wheel_marks_as_programs_can_be_run(tmp_path):
    wheel, member = tmp_path / "x-1-py3-none-any.whl", zipfile.ZipInfo("x/program")
    member.external_attr = 0o100755 << 16
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(member, "")
        archive.writestr("x/module.py", "")
    bootstrap.unpack_wheel(str(wheel), str(tmp_path / "app"))
    found = {path.name: os.access(path, os.X_OK) for path in (tmp_path / "app" / "lib" / "x").iterdir()}
    assert found == {"program": True, "module.py": False}


def test_files_are_replaced_whole_and_what_former_versions_left_goes(tmp_path):
    wheels, outside = make_safepip(tmp_path / "wheels"), tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("")
    app = Path(bootstrap.find_places({"HOME": str(tmp_path)}).app)
    (app / "bin").mkdir(parents=True)
    (app / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (app / "lib64").symlink_to(outside)
    for _ in "12":
        place(tmp_path, wheels)
    assert sorted(os.listdir(app)) == [bootstrap.STATE_FILE, "lib", "share"]
    assert sorted(os.listdir(app / "lib")) == ["filelock", "pip", "safepip", "virtualenv"]
    assert (app / "share" / "man" / "man1" / "safepip.1").read_text() == ".TH"
    assert (outside / "kept").exists()
    compiled = os.listdir(app / "lib" / "safepip" / "__pycache__")
    assert f"cli.{sys.implementation.cache_tag}.pyc" in compiled, "the first start need not compile"


def test_files_that_do_not_run_leave_the_former_ones(tmp_path):
    place(tmp_path, make_safepip(tmp_path / "good"))
    with pytest.raises(bootstrap.Stop, match="does not run") as caught:
        place(tmp_path, make_safepip(tmp_path / "bad", "import nonexistent_module\n"))
    assert "nonexistent_module" in caught.value.lines[0]
    launcher = tmp_path / ".local/bin/safepip"
    assert subprocess.run([launcher], check=False).returncode == 0


# --- the environment of pip


# --- the environment of pip


def test_pip_keeps_the_users_indexes_and_loses_what_sends_its_work_elsewhere():
    given = {
        "PIP_INDEX_URL": "i",
        "PIP_CERT": "c",
        "PIP_TARGET": "t",
        "PIP_USER": "1",
        "PYTHONPATH": "p",
        "PATH": "x",
    }
    made = bootstrap.pip_environ(given)
    assert made["PIP_INDEX_URL"] == "i"
    assert made["PIP_CERT"] == "c"
    assert made["PATH"] == "x"
    assert made["PIP_USER"] == "0", "so that `user = true` of a configuration file does not count"
    assert "PIP_TARGET" not in made
    assert "PYTHONPATH" not in made


def test_the_demonstration_hears_nothing_of_the_user(tmp_path):
    given = {"SAFEPIP_ENV": "e", "PIP_TARGET": "t", "VIRTUAL_ENV": "v", "HOME": "h", "PATH": "/some/bin"}
    made = bootstrap.demo_environ(given, str(tmp_path))
    assert not {"SAFEPIP_ENV", "PIP_TARGET", "VIRTUAL_ENV"} & set(made)
    assert made["HOME"] == "h"
    assert made["XDG_STATE_HOME"].startswith(str(tmp_path))
    assert made["PATH"].split(os.pathsep) == [os.path.join(sys.base_prefix, "bin"), "/some/bin"]


def test_pip_installs_the_wheel_of_the_demonstration(tmp_path):
    bootstrap.make_demo_wheel(str(tmp_path))
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        listed = archive.read("safepip_demo-1.0.dist-info/RECORD").decode().splitlines()
        assert [line.split(",")[0] for line in listed] == archive.namelist()


# --- pip's configuration


def test_settings_come_from_files_then_variables(tmp_path):
    shared, own = tmp_path / "shared.conf", tmp_path / "own.conf"
    shared.write_text("[global]\nindex-url = https://shared.example/simple\ncert = /shared.pem\n")
    own.write_text(
        "[global]\nindex_url = https://own.example/simple\n[install]\nfind-links =\n  /a\n  /b\n[list]\ncert=no\n"
    )
    settings = bootstrap.pip_settings(
        {"PIP_EXTRA_INDEX_URL": "x", "PIP_CERT": "", "PATH": "p"}, [str(shared), str(own)]
    )
    assert settings["index-url"] == "https://own.example/simple"
    assert settings["find-links"].split() == ["/a", "/b"]
    assert settings["extra-index-url"] == "x"
    assert settings["cert"] == "/shared.pem", "an empty variable counts as unset"
    assert "path" not in settings


def test_install_beats_global_whatever_the_order_of_files(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_text("[install]\nindex-url = install\n")
    second.write_text("[global]\nindex-url = global\n")
    assert bootstrap.pip_settings({}, [str(first), str(second)])["index-url"] == "install"


@pytest.mark.parametrize(
    "content", [b"no section\n", b"[global]\nx = \xff\n", None], ids=["broken", "bytes", "missing"]
)
def test_a_file_that_cannot_be_read_says_nothing(tmp_path, content):
    path = tmp_path / "pip.conf"
    if content is not None:
        path.write_bytes(content)
    assert bootstrap.pip_settings({}, [str(path)]) == {}


def test_the_files_are_those_that_pip_reads_in_its_order():
    files = bootstrap.config_files({"HOME": "/home/me"})
    for earlier, later in [
        ("/etc/xdg/pip/pip.conf", "/etc/pip.conf"),
        ("/etc/pip.conf", "/home/me/.pip/pip.conf"),
        ("/home/me/.pip/pip.conf", "/home/me/.config/pip/pip.conf"),
        ("/home/me/.config/pip/pip.conf", os.path.join(sys.prefix, "pip.conf")),
    ]:
        assert files.index(earlier) < files.index(later)


def test_a_named_file_stands_in_for_the_users(tmp_path):
    named = tmp_path / "mine.conf"
    named.write_text("")
    files = bootstrap.config_files({"HOME": "/home/me", "PIP_CONFIG_FILE": str(named)})
    assert files[-1] == str(named)
    assert "/home/me/.config/pip/pip.conf" not in files
    assert "/etc/pip.conf" in files


def test_the_null_device_means_no_file_at_all():
    assert bootstrap.config_files({"HOME": "/home/me", "PIP_CONFIG_FILE": os.devnull}) == []


@pytest.mark.parametrize(
    ("settings", "asked", "expected"),
    [
        ({}, None, []),
        ({}, "https://i.example/simple/", ["https://i.example/simple/pip/"]),
        ({"index-url": "https://i.example/simple"}, None, ["https://i.example/simple/pip/"]),
        ({"index-url": "https://i.example/simple"}, "https://o.example", ["https://o.example/pip/"]),
        ({"find-links": "/a /b", "extra-index-url": "x y/"}, None, ["/a", "/b", "x/pip/", "y/pip/"]),
        ({"find-links": "/a", "index-url": "i", "no-index": "true"}, "o", ["/a"]),
        ({"index-url": "i", "no-index": "0"}, None, ["i/pip/"]),
    ],
)
def test_pages_are_asked_where_pip_would_ask(settings, asked, expected):
    assert bootstrap.pages(settings, asked) == expected


# --- pages of an index

HTML = """<!DOCTYPE html><html><body>
<a href="../../files/pip-24.0-py3-none-any.whl#sha256=aa" data-requires-python="&gt;=3.7">pip-24.0</a>
<a href="https://files.example/pip-99.0-py3-none-any.whl" data-yanked="broken">pip-99.0</a>
<a href="pip-23.0.tar.gz#md5=bb">sdist</a><a name="no link">x</a>
</body></html>"""


def test_html_pages_are_read():
    assert bootstrap.parse_html(HTML, "https://i.example/simple/pip/") == [
        IndexFile("https://i.example/files/pip-24.0-py3-none-any.whl", "aa", ">=3.7"),
        IndexFile("https://i.example/simple/pip/pip-23.0.tar.gz", "", ""),
    ]


def test_a_page_may_say_what_its_links_are_relative_to():
    page = '<base href="https://cdn.example/x/"><a href="pip-1-py3-none-any.whl">pip</a>'
    assert (
        bootstrap.parse_html(page, "https://i.example/")[0].url == "https://cdn.example/x/pip-1-py3-none-any.whl"
    )


def test_credentials_go_into_a_header_and_are_never_shown():
    made = bootstrap.request("https://me:p%40ss@i.example/simple/")
    assert made.full_url == "https://i.example/simple/"
    assert made.get_header("Authorization") == "Basic bWU6cEBzcw=="
    assert bootstrap.without_credentials("https://me:pass@i.example/a@b") == "https://i.example/a@b"


# --- choosing


@pytest.mark.parametrize(
    ("requires", "expected"), [("", True), (">=3.9", True), (">= 3.12", False), (">=3.6, !=3.7.*", True)]
)
def test_a_pip_for_newer_pythons_is_not_chosen(requires, expected):
    assert bootstrap.allows(requires, (3, 11, 2)) is expected


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("https://f.example/a/pip-26.3-py3-none-any.whl", (26, 3)),
        ("pip-20.3.4-py2.py3-none-any.whl", (20, 3, 4)),
        ("pip-26.0b1-py3-none-any.whl", ()),
        ("pip-26.0.tar.gz", ()),
        ("pipx-1.0-py3-none-any.whl", ()),
        ("pip-26.3-py3-none-any.whl.metadata", ()),
    ],
)
def test_only_released_wheels_of_pip_count(name, version):
    assert bootstrap.pip_version(name) == version


def test_the_newest_that_fits_this_python_is_chosen():
    files = [
        IndexFile("pip-9.0-py3-none-any.whl"),
        IndexFile("pip-24.3.1-py3-none-any.whl", "", ">=3.8"),
        IndexFile("pip-24.10-py3-none-any.whl", "", ">=3.8"),
        IndexFile("pip-30.0-py3-none-any.whl", "", ">=3.14"),
        IndexFile("pip-31.0a1-py3-none-any.whl"),
    ]
    assert bootstrap.newest_pip(files, (3, 11, 2)).url == "pip-24.10-py3-none-any.whl"
    assert bootstrap.newest_pip(files[-1:], (3, 11, 2)) is None


# --- fetching from this machine


def make_wheel(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"pip-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pip/__main__.py", f"print('{version}')")
        archive.writestr(f"pip-{version}.dist-info/METADATA", "")
    return wheel


def test_a_folder_of_wheels_serves_as_path_and_as_url(tmp_path):
    make_wheel(tmp_path / "with space", "24.0")
    for place in (str(tmp_path / "with space"), (tmp_path / "with space").as_uri()):
        (file,) = bootstrap.files_at(place, opener())
        assert Path(bootstrap.download(file, str(tmp_path), opener())).name == "pip-24.0-py3-none-any.whl"


def test_an_index_on_this_disk_serves(tmp_path):
    wheel = make_wheel(tmp_path / "files", "24.0")
    page = tmp_path / "simple" / "pip"
    page.mkdir(parents=True)
    (page / "index.html").write_text(f'<a href="../../files/{wheel.name}#sha256={sha256(wheel)}">pip</a>')
    (file,) = bootstrap.files_at((tmp_path / "simple").as_uri() + "/pip/", opener())
    assert Path(bootstrap.download(file, str(tmp_path), opener())).read_bytes() == wheel.read_bytes()


def test_a_file_that_is_not_the_promised_one_is_refused(tmp_path):
    wheel = make_wheel(tmp_path / "files", "24.0")
    with pytest.raises(bootstrap.Stop, match="sha256 differs") as caught:
        bootstrap.download(IndexFile(wheel.as_uri(), "0" * 64), str(tmp_path), opener())
    assert caught.value.code == 69
    assert not (tmp_path / wheel.name).exists()


def test_a_damaged_wheel_is_said_to_be_damaged(tmp_path, monkeypatch):
    (tmp_path / "pip-24.0-py3-none-any.whl").write_text("not a zip file")
    monkeypatch.setattr(bootstrap, "downloaded_pip", lambda work, index_url: bootstrap.newest_wheel(work))
    with pytest.raises(bootstrap.Stop, match="damaged"):
        bootstrap.obtain_pip(str(tmp_path), None)


def test_where_nothing_can_be_had_it_says_what_failed_and_what_to_do(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "missing"))
    with pytest.raises(bootstrap.Stop) as caught:
        bootstrap.fetched_pip(str(tmp_path), None)
    assert caught.value.code == 69
    assert any(str(tmp_path / "missing") in line for line in caught.value.lines)
    assert "--index-url" in caught.value.lines[-1]


def debian_tools(folder: Path) -> None:
    """Programs like Debian's: `download` works once there are fresh lists, a package unpacks to what it is for."""
    folder.mkdir()
    programs = {
        "apt-get": 'case "$*" in\n*lists=*update) touch lists/fresh ;;\n'
        "*download*) test -e lists/fresh && touch python3-pip-whl.deb ca-certificates.deb ;;\n*) exit 1 ;;\nesac\n",
        "dpkg-deb": "cd $3 2>/dev/null || mkdir $3 && cd $3\nmkdir -p usr/share/python-wheels usr/share/ca-certificates/m\n"
        "touch usr/share/python-wheels/pip-23.0.1-py3-none-any.whl\n"
        "echo one > usr/share/ca-certificates/m/1.crt\necho two > usr/share/ca-certificates/m/2.crt\n",
    }
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}")
        (folder / name).chmod(0o755)


def test_where_nothing_names_an_index_debians_package_of_pip_serves(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    debian_tools(tmp_path / "bin")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CERT", "")  # for the end of the test, which takes it away
    monkeypatch.delenv("PIP_CERT")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(bootstrap, "SYSTEM_CERTIFICATES", str(tmp_path / "missing.pem"))
    wheel = bootstrap.fetched_pip(str(tmp_path), None)
    assert os.path.basename(wheel) == "pip-23.0.1-py3-none-any.whl"
    assert Path(os.environ["PIP_CERT"]).read_text() == "one\n\ntwo\n"


def test_debians_pip_is_led_to_the_certificates_that_were_fetched_for_it(tmp_path):
    """It loads the system's when it starts, before it reads PIP_CERT: without the file it ends with a traceback."""
    core = tmp_path / "pip" / "_vendor" / "certifi" / "core.py"
    core.parent.mkdir(parents=True)
    core.write_text(f"DEBIAN_CA_CERTS_PATH = '{bootstrap.SYSTEM_CERTIFICATES}'\n")
    bundle = tmp_path / bootstrap.CERTIFICATES
    bootstrap.give_certificates(str(tmp_path / "pip"), str(bundle))
    assert bootstrap.SYSTEM_CERTIFICATES in core.read_text()
    bundle.write_text("one")
    bootstrap.give_certificates(str(tmp_path / "pip"), str(bundle))
    assert core.read_text() == f"DEBIAN_CA_CERTS_PATH = '{bundle}'\n"


def test_an_index_that_is_named_or_forbidden_is_not_gone_round(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    debian_tools(tmp_path / "bin")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(bootstrap.Stop):
        bootstrap.fetched_pip(str(tmp_path), None)
    monkeypatch.delenv("PIP_NO_INDEX")
    with pytest.raises(bootstrap.Stop):
        bootstrap.fetched_pip(str(tmp_path), str(tmp_path / "no-index-here"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- the command


ECHO = "import sys\ndef main():\n    print(*sys.argv[1:], sep='|')\n    print(sys.argv[0])\n    return 3\n"


@pytest.mark.parametrize(
    "folder",
    ["plain", "with space", "it's", "a" * 200, "tab\there", 'dollar$ "quote"', "back\\slash", "é", "\udcff"],
)
def test_the_command_passes_on_its_words_and_the_name_that_it_was_called_by(tmp_path, folder):
    home = tmp_path / folder
    home.mkdir()
    place(home, make_safepip(tmp_path / "wheels", ECHO))
    link = tmp_path / "pip3"
    link.symlink_to(home / ".local/bin/safepip")
    done = subprocess.run([link, "install", "a b", ""], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stdout == f"install|a b|\n{link}\n"


def test_the_command_hears_no_python_variable_of_its_caller(tmp_path):
    place(tmp_path, make_safepip(tmp_path / "wheels"))
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(9)\n")
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nonexistent"}
    command = [tmp_path / ".local/bin/safepip"]
    assert subprocess.run(command, cwd=tmp_path, env=environ, check=False).returncode == 0


def with_python_gone(places, tmp_path: Path) -> dict[str, str]:
    """Make the command name a Python that is gone; give variables with one Python on PATH."""
    bootstrap.write_launcher(places, "/nonexistent/python3", "run it again")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(bootstrap.lasting_python())
    return {"PATH": f"relative:{tmp_path}/no python here:{tmp_path}/bin"}


def test_where_its_python_is_gone_the_command_finds_another_once(tmp_path):
    places = place(tmp_path, make_safepip(tmp_path / "wheels", ECHO))
    environ = with_python_gone(places, tmp_path)
    for _ in "12":
        done = subprocess.run([places.launcher, "a b"], env=environ, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (3, f"a b\n{places.launcher}\n", "")
        environ = {"PATH": "/nonexistent"}
    assert "/nonexistent/python3" not in Path(places.launcher).read_text()
    assert bootstrap.is_own_launcher(places.launcher)


def test_where_its_python_does_not_run_it_the_command_finds_another(tmp_path):
    places = place(tmp_path, make_safepip(tmp_path / "wheels", ECHO))
    environ = with_python_gone(places, tmp_path)
    old = tmp_path / "old" / "python3"
    old.parent.mkdir()
    code = (
        "import sys; sys.modules['safepip.cli'] = None; sys.argv[:] = sys.argv[1:]; exec(open(sys.argv[0]).read())"
    )
    old.write_text(f'#!/bin/sh\nshift\nexec {bootstrap.lasting_python()} -I -c "{code}" "$@"\n')
    old.chmod(0o755)
    bootstrap.write_launcher(places, str(old), "run it again")
    done = subprocess.run([places.launcher, "a b"], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, f"a b\n{places.launcher}\n", "")
    assert str(old) not in Path(places.launcher).read_text()


def test_an_environments_python_is_not_taken_for_one_that_is_gone(tmp_path):
    places = place(tmp_path, make_safepip(tmp_path / "wheels", ECHO))
    bootstrap.write_launcher(places, "/nonexistent/python3", "run it again")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    start = Path(places.lib, "safepip", "launcher", "start.py")
    for python, code in ((tmp_path / "venv/bin/python", 1), (bootstrap.lasting_python(), 0)):
        assert subprocess.run([python, "-IS", start, "--fits", ""], check=False).returncode == code


@pytest.mark.parametrize("broken", ["python", "files", "code"])
def test_what_cannot_be_started_says_in_one_line_what_to_type(tmp_path, broken):
    places = place(tmp_path, make_safepip(tmp_path / "wheels"))
    if broken == "python":
        text = Path(places.launcher).read_text().replace("/usr/local/bin:/usr/bin", "/nonexistent")
        Path(places.launcher).write_text(text.replace(bootstrap.lasting_python(), "/nonexistent/python3"))
    elif broken == "files":
        bootstrap.remove(places.app)
    else:
        Path(places.lib, "safepip", "cli.py").write_text("match it:\n")
    environ = {"PATH": "/nonexistent"}
    done = subprocess.run([places.launcher, "x"], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (127, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("safepip: error: ")
    assert "; set it up again: " in line


def test_a_shim_on_path_that_leads_back_ends_the_search(tmp_path):
    places = place(tmp_path, make_safepip(tmp_path / "wheels"))
    environ = with_python_gone(places, tmp_path)
    (tmp_path / "bin" / "python3").unlink()
    (tmp_path / "bin" / "python3").write_text(f'#!/bin/sh\nexec {places.launcher} "$@"\n')
    (tmp_path / "bin" / "python3").chmod(0o755)
    done = subprocess.run([places.launcher], env=environ, capture_output=True, timeout=60, check=False)
    assert done.returncode in {0, 127}, "by /usr/bin/python3, or not at all; but it ends"


def test_replacing_is_by_rename_and_leaves_nothing_behind(tmp_path):
    target = tmp_path / "safepip"
    target.write_text("old")
    with open(target) as reader:
        bootstrap.replace_file(str(target), b"new", 0o755)
        assert reader.read() == "old"
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["safepip"]


def test_links_to_what_the_wheel_brought_come_and_go_and_leave_others_alone(tmp_path):
    places = bootstrap.find_places({"HOME": str(tmp_path)})
    page, other = Path(places.app, "share/man/man1/safepip.1"), Path(places.app, "share/fish/x.fish")
    for file in (page, other):
        file.parent.mkdir(parents=True)
        file.write_text("ours")
    Path(places.app, bootstrap.STATE_FILE).write_text("")
    theirs = tmp_path / ".local/share/fish/x.fish"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    for _ in "12":
        bootstrap.link_shared(places)
    assert (tmp_path / ".local/share/man/man1/safepip.1").read_text() == "ours"
    bootstrap.uninstall(places, bootstrap.this_clone(), purge=False)
    assert not os.path.lexists(tmp_path / ".local/share/man/man1/safepip.1")
    assert theirs.read_text() == "theirs"
    assert not (tmp_path / ".local/share/man").exists()


@pytest.mark.parametrize("steps", [*range(1, 8), 12, 16, 20, 24, 28, 32, 36])
def test_a_removal_that_was_killed_anywhere_is_finished_by_the_next(tmp_path, steps, monkeypatch):
    places = place(tmp_path, make_safepip(tmp_path / "wheels"))
    bootstrap.link_shared(places)

    def uninstall_until_killed():
        kill_after(steps)
        bootstrap.uninstall(places, bootstrap.this_clone(), purge=False)
        return 0

    assert code_of_child(uninstall_until_killed) in {0, -signal.SIGKILL}
    monkeypatch.setenv("HOME", str(tmp_path))
    bootstrap.uninstall(places, bootstrap.this_clone(), purge=True)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob(".local/**/*")) == [
        ".local/bin", ".local/share",
    ]  # fmt: skip


def kill_after(steps: int) -> None:
    """Kill this process at the removal of file or directory number `steps`."""
    left = [steps]

    def count(event: str, _arguments: object) -> None:
        if event not in {"os.remove", "os.rmdir"}:
            return
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def test_a_set_up_that_was_killed_while_it_wrote_its_mark_is_done_again(tmp_path):
    app = Path(bootstrap.find_places({"HOME": str(tmp_path)}).app)
    app.mkdir(parents=True)
    (app / ".safepip-x1y2").write_text('{"aga')
    places = bootstrap.find_places({"HOME": str(tmp_path)})
    bootstrap.refuse_foreign(places)
    place(tmp_path, make_safepip(tmp_path / "wheels"))
    assert sorted(os.listdir(app)) == [bootstrap.STATE_FILE, "lib", "share"]


@pytest.mark.parametrize(
    ("name", "user", "found"), [("me", 0, "me"), ("me", 1000, ""), ("root", 0, ""), ("", 0, "")]
)
def test_who_called_sudo_is_told_for_whom_it_is(name, user, found):
    assert bootstrap.behind_sudo({"SUDO_USER": name}, user) == found


def test_start_up_files_that_still_start_safepip_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    lines = {
        ".bashrc": 'x=1\neval "$(safepip init bash)"\n',
        ".bash_history": "safepip init --write\n",
        ".zlogin": 'eval "$(safepip init zsh)"\n',
        ".kshrc": "eval \"$('/a b/safepip' init sh)\"",
        ".zshrc": '# eval "$(safepip init zsh)"\n',
        ".profile": "safepip initial x\n",
        ".config/fish/config.fish": "safepip init fish | source\n",
    }
    for name, text in lines.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = [".bashrc", ".kshrc", ".zlogin", ".config/fish/config.fish"]
    assert bootstrap.startup_files({}) == [str(tmp_path / name) for name in found]
    assert bootstrap.startup_files({"XDG_CONFIG_HOME": "/elsewhere"}) == [
        str(tmp_path / name) for name in found[:3]
    ]
