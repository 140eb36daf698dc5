from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safepip.core.settings import Fault, Table, merge
from safepip.system import settings_files
from safepip.system.settings_files import may_hold_table, user_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

posix = pytest.mark.skipif(os.name == "nt", reason="FIFOs, modes and links of POSIX")
UNREADABLE = "cannot be read: "


@pytest.fixture
def world(tmp_path):
    """A home, a project and a place for the system's file, all empty."""
    (tmp_path / "home/.config/safepip").mkdir(parents=True)
    (tmp_path / "project").mkdir()
    (tmp_path / "etc").mkdir()
    return tmp_path


def look(world, environ=None, platform="linux"):
    return settings_files.tables(
        environ or {},
        str(world / "home"),
        str(world / "project"),
        platform=platform,
        system=str(world / "etc/config.toml"),
    )


def user_path(world):
    return world / "home/.config/safepip/config.toml"


def user_table(world, data):
    user_path(world).write_bytes(data)
    return look(world)[1]


def project_table(world, data):
    (world / "project/pyproject.toml").write_bytes(data)
    return look(world)[2]


# Where the files are.


def test_without_any_file_there_are_three_empty_tables_that_name_their_places(world):
    system, user, project = look(world)
    assert system == Table(origin=str(world / "etc/config.toml"), level="system")
    assert user == Table(origin=str(user_path(world)), level="user")
    assert project == Table(origin=str(world / "project/pyproject.toml"), level="project")


def test_the_systems_file_lies_in_etc():
    assert settings_files.SYSTEM == "/etc/safepip/config.toml"


def test_outside_a_project_there_is_no_projects_table(world):
    found = settings_files.tables({}, str(world / "home"), None, platform="linux", system=str(world / "etc/x"))
    assert [table.level for table in found] == ["system", "user"]


def test_windows_has_no_place_for_the_whole_system(world):
    assert [table.level for table in look(world, platform="win32")] == ["user", "project"]


def test_without_a_home_no_file_of_the_working_directory_is_taken_for_the_users(world, monkeypatch):
    user_path(world).write_text("trust = ['/']\n")
    monkeypatch.chdir(world / "home")
    found = settings_files.tables({}, "", None, platform="linux", system=str(world / "etc/x"))
    assert [table.level for table in found] == ["system"]


def test_all_three_are_read(world):
    (world / "etc/config.toml").write_text("fast = false\n")
    user_path(world).write_text("hints = false\n")
    (world / "project/pyproject.toml").write_text("[tool.safepip]\nquiet = true\n")
    assert [dict(table.values) for table in look(world)] == [
        {"fast": False},
        {"hints": False},
        {"quiet": True},
    ]


@posix
@pytest.mark.parametrize(
    ("platform", "environ", "path"),
    [
        ("linux", {}, "/h/.config/safepip/config.toml"),
        ("linux", {"XDG_CONFIG_HOME": "/x"}, "/x/safepip/config.toml"),
        ("linux", {"XDG_CONFIG_HOME": ""}, "/h/.config/safepip/config.toml"),
        ("linux", {"XDG_CONFIG_HOME": "relative"}, "/h/.config/safepip/config.toml"),
        ("darwin", {}, "/h/.config/safepip/config.toml"),
        ("darwin", {"XDG_CONFIG_HOME": "/x"}, "/x/safepip/config.toml"),
        ("win32", {"APPDATA": "/a"}, "/a/safepip/config.toml"),
        ("win32", {"APPDATA": ""}, "/h/AppData/Roaming/safepip/config.toml"),
    ],
    ids=str,
)
def test_the_users_file_is_where_the_platform_keeps_it(platform, environ, path):
    assert user_file(environ, "/h", platform=platform) == path


def test_on_macos_a_file_in_application_support_goes_before_the_usual_one(tmp_path):
    folder = tmp_path / "Library/Application Support/safepip"
    folder.mkdir(parents=True)  # as for safepip's own data
    assert user_file({}, str(tmp_path), platform="darwin") == str(tmp_path / ".config/safepip/config.toml")
    (folder / "config.toml").touch()
    assert user_file({}, str(tmp_path), platform="darwin") == str(folder / "config.toml")


# What a pyproject.toml may look like.

HOLDING = {
    "a plain header": b'[tool.safepip]\nscope = "always"\n',
    "a header after others": b'[project]\nname = "x"\n[tool.safepip]\nscope = "always"\n',
    "a header with blanks": b'  [ tool\t. safepip ]\nscope="always"\n',
    "a header with very many blanks": b"[tool." + b" " * 500 + b"safepip" + b" " * 500 + b']\nscope="always"\n',
    "a header with a comment": b'[tool.safepip]# ours\nscope = "always"\n',
    "CRLF line ends": b'[tool.safepip]\r\nscope = "always"\r\n',
    "a quoted header": b'["tool"."safepip"]\nscope = "always"\n',
    "a header in single quotes": b"['tool'.'safepip']\nscope = 'always'\n",
    "a dotted key": b'tool.safepip.scope = "always"\n',
    "a dotted key with blanks": b'tool . safepip . scope = "always"\n',
    "a dotted quoted key": b'tool."safepip".scope = "always"\n',
    "a dotted key under tool": b'[tool]\nsafepip.scope = "always"\n',
    "a quoted dotted key under tool": b'[tool]\n"safepip".scope = "always"\n',
    "an inline table under tool": b'[tool]\nsafepip = {scope = "always"}\n',
    "an inline table without blanks": b'[tool]\nx=1\nsafepip={scope="always"}',
    "an inline table of tool": b'tool = {safepip = {scope = "always"}}\n',
    "an inline table after another": b'tool = {x = 1, safepip.scope = "always"}\n',
    "an inline table after a list": b'tool = {x = [\n1,\n], safepip.scope = "always"}\n',
    "an inline table after a text": b'tool = {x = """\n# """, safepip.scope = "always"}\n',
    "an indented key": b'[tool]\n\t safepip.scope = "always"\n',
    "a key at the very start": b'safepip = 1\n[tool.safepip]\nscope = "always"\n',
    "an escape of four digits": b'[tool."s\\u0061fepip"]\nscope = "always"\n',
    "an escape of eight digits": b'[tool."\\U00000073afepip"]\nscope = "always"\n',
    "a key at the very end": b'[tool]\nx = 1\n[tool.safepip]\nscope = "always"',
}


@pytest.mark.parametrize("name", HOLDING)
def test_the_table_is_found_in_every_spelling(world, name):
    table = project_table(world, HOLDING[name])
    assert table.error is None
    assert table.values == {"scope": "always"}


MENTIONING = {
    "nothing": b"",
    "no word of it": b'[project]\nname = "x"\n',
    "a dependency": b'[project]\ndependencies = ["safepip"]\n',
    "a dependency with a version": b'[project]\ndependencies = [\n  "safepip==1.0",\n  "safepip>=1",\n]\n',
    "the name": b'[project]\nname = "safepip"\n',
    "a comment": b"# safepip is good\n#safepip\n",
    "a description": b'[project]\ndescription = "made with safepip. Good"\n',
    "a list of dependencies in a row": b'x = ["a", "safepip", "b"]\ny = ["a","safepip"]\nz = ["safepip", 1]\n',
    "a file's name": b'include = ["safepip.toml", "x/safepip"]\n',
    "another tool's table": b"[safepip]\n[tool.my-safepip]\n[tool.safepip-x]\nx-safepip.y = 1\nsafepip_x = 1\n",
    "an escape of no letter": b'x = "\\u00e9"\n',
    "the word alone in a line": b'x = """\nsafepip\n"""\n',
}


@pytest.mark.parametrize("name", MENTIONING)
def test_a_mere_mention_does_not_load_the_parser(name):
    assert not may_hold_table(MENTIONING[name])


def test_an_unsure_mention_is_parsed_and_holds_nothing(world):
    assert project_table(world, b'[project.scripts]\nsafepip = "safepip.cli:main"\n').values == {}
    assert project_table(world, b'tool = 1\nx.safepip = "y"\n').values == {}


def test_broken_toml_without_the_table_is_not_our_affair(world):
    assert project_table(world, b'[project\nname = "safepip\n').error is None


def test_a_table_that_is_none_is_an_error(world):
    path = world / "project/pyproject.toml"
    for data in (b"tool.safepip = 3\n", b"[[tool.safepip]]\n"):
        assert project_table(world, data) == Table(
            origin=str(path), level="project", error=Fault(origin=str(path), what="tool.safepip must be a table")
        )


# Lines.


def test_every_key_knows_its_line(world):
    data = b'[project]\nfast = 1\n\n[tool.safepip]\n# fast = 2\n"env-dir" = "x"\nquiet=true\n[tool.x]\nhints = 1\n'
    assert project_table(world, data).lines == {"env-dir": 6, "quiet": 7}


def test_dotted_keys_and_headers_below_know_their_line(world):
    data = b"tool.safepip.fast = true\n[tool]\nsafepip.quiet = true\n[ tool . 'safepip' . colour ]\nx = 1\n"
    assert project_table(world, data).lines == {"fast": 1, "quiet": 3, "colour": 4}


def test_the_users_keys_know_their_line(world):
    table = user_table(
        world, b"# mine\nfast = true\nfast.x = 1\n[colour]\nred = 1\n".replace(b"fast.x = 1\n", b"\n")
    )
    assert table.lines == {"fast": 2, "colour": 4}
    warning = Fault(origin=str(user_path(world)), line=4, what="unknown key 'colour'")
    assert merge({}, (table,)).warnings == (warning,)


# What is broken.


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"fast = false\nscope = \n", ":2"),
        (b"fast = false\nscope = 'x\n", ""),
        (b"fast\n", ":1"),
        (b"[[fast", ""),
        (b"fast = 1\nfast = 2\n", ":2"),
        (b"# fine\nfast = '\xff'\n", ":2"),
        (b"\xff\xfef\x00", ":1"),
        (b"x = 1" + b"." * 2000, ":1"),
        (b"x = " + b"[" * 100_000, ""),
        (b"x = " + b"{x=" * 100_000, ""),
        (b"x = " + b"1" * 5000, ""),
    ],
    ids=lambda value: ascii(value[:24]),
)
def test_broken_toml_is_one_line_with_the_file_and_its_line(world, data, line):
    if data.endswith(b"1" * 5000) and sys.version_info < (3, 10, 7):
        pytest.skip("this Python reads numbers of any length")
    table = user_table(world, data)
    assert table.values == {}
    assert str(table.error).startswith(f"{user_path(world)}{line}: ")
    assert str(table.error).isprintable()
    assert merge({}, (table,)).faults == (table.error,)


def test_a_key_of_very_many_parts_does_not_hold_up_the_user(world):
    table = project_table(world, b"[tool.safepip]\nx" + b".x" * 400_000 + b" = 1\n")
    assert str(table.error) == f"{world / 'project/pyproject.toml'}:2: more than 1000 dots in one line"


def test_a_broken_table_of_the_projects_is_an_error(world):
    table = project_table(world, b"[tool.safepip]\nscope = always\n")
    assert str(table.error).startswith(f"{world / 'project/pyproject.toml'}:2: broken TOML: ")


# What cannot be read.


def test_a_directory_in_the_files_place_is_an_error_but_for_the_projects(world):
    for place in (user_path(world), world / "etc/config.toml", world / "project/pyproject.toml"):
        place.mkdir()
    system, user, project = look(world)
    assert str(user.error).startswith(f"{user_path(world)}: {UNREADABLE}")
    assert str(system.error).startswith(f"{world / 'etc/config.toml'}: {UNREADABLE}")
    assert project.error is None


@posix
def test_a_fifo_does_not_hang(world):
    os.mkfifo(user_path(world))
    os.mkfifo(world / "project/pyproject.toml")
    _system, user, project = look(world)
    assert str(user.error) == f"{user_path(world)}: cannot be read: not a regular file"
    assert (project.error, project.values) == (None, {})


@posix
def test_a_link_to_the_null_device_means_none(world):
    user_path(world).symlink_to("/dev/null")
    assert look(world)[1] == Table(origin=str(user_path(world)), level="user")


@posix
def test_a_link_to_a_file_elsewhere_is_followed_and_a_dangling_one_is_absent(world):
    (world / "dotfiles.toml").write_text("fast = false\n")
    user_path(world).symlink_to(world / "dotfiles.toml")
    (world / "etc/config.toml").symlink_to(world / "gone.toml")
    system, user, _project = look(world)
    assert (user.values, user.error) == ({"fast": False}, None)
    assert (system.values, system.error) == ({}, None)


@posix
def test_a_loop_of_links_is_an_error_but_for_the_projects(world):
    for place in (user_path(world), world / "project/pyproject.toml"):
        place.symlink_to(place)
    _system, user, project = look(world)
    assert UNREADABLE in str(user.error)
    assert project.error is None


def test_a_file_in_the_folders_place_is_as_none(world):
    (world / "config").write_text("")
    user = look(world, {"XDG_CONFIG_HOME": str(world / "config")})[1]
    assert (user.values, user.error) == ({}, None)


@posix
@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may read everything")
def test_an_unreadable_file_is_an_error_but_for_the_projects(world):
    for place in (user_path(world), world / "project/pyproject.toml"):
        place.write_text("[tool.safepip]\n")
        place.chmod(0)
    _system, user, project = look(world)
    assert str(user.error) == f"{user_path(world)}: cannot be read: Permission denied"
    assert (project.error, project.values) == (None, {})


def test_a_system_that_denies_reading_is_an_error_where_a_file_is_seen(world, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    user_path(world).write_text("fast = false\n")
    monkeypatch.setattr(os, "open", denied)
    system, user, project = look(world)
    assert str(user.error) == f"{user_path(world)}: cannot be read: Permission denied"
    assert (system.error, project.error) == (None, None)  # none there, as in a home that may not be entered


def test_a_huge_file_is_an_error_but_for_the_projects(world):
    huge = b"[tool.safepip]\nfast = false\n" + b"#" * (1 << 20)
    assert str(user_table(world, huge).error) == f"{user_path(world)}: cannot be read: larger than 1 MiB"
    project = project_table(world, huge)
    assert (project.error, project.values) == (None, {})


def test_a_file_of_exactly_the_largest_size_is_read(world):
    start = b"fast = false\n"
    assert user_table(world, start + b"#" * ((1 << 20) - len(start))).values == {"fast": False}


def test_a_large_file_full_of_the_word_is_looked_through_at_once():
    assert not may_hold_table(b"# " + b"safepip " * 131_000)


@pytest.mark.parametrize("data", [b"", b"\n \n", b"# fast = false\r\n\t# none\n"], ids=ascii)
def test_a_file_of_comments_says_nothing(world, data):
    assert user_table(world, data) == Table(origin=str(user_path(world)), level="user")


# Start-up.

PROBE = """
import os, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
from safepip.system import settings_files as configfiles
configfiles.tables({}, sys.argv[2] + "/home", sys.argv[2] + "/project", system=sys.argv[2] + "/etc/config.toml")
print(*sorted(set(sys.modules) - before))
"""


def test_without_a_table_nothing_is_imported(world):
    (world / "project/pyproject.toml").write_bytes(b"".join(MENTIONING.values()))
    user_path(world).write_text("# nothing\n")
    source = Path(settings_files.__file__).parents[2]
    command = [sys.executable, "-I", "-S", "-c", PROBE, str(source), str(world)]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert loaded == [
        "__future__",
        "safepip",
        "safepip.core",
        "safepip.core.pip_line",
        "safepip.core.pip_options",
        "safepip.core.record",
        "safepip.core.settings",
        "safepip.system",
        "safepip.system.settings_files",
    ]


# Fuzz.

PIECES = (
    b'tool safepip scope trust [ ] { } . = , " \' """ # 1 \\u0073 "always" true [tool.safepip]\n \xff \0'.split(
        b" "
    )
)
words = st.sampled_from([*PIECES, b" ", b"\n", b"\r\n"])
contents = st.one_of(st.binary(max_size=200), st.lists(words, max_size=25).map(b"".join))


@given(contents)
def test_no_bytes_make_it_crash(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    (folder / "safepip").mkdir(parents=True, exist_ok=True)
    (folder / "safepip/config.toml").write_bytes(data)
    (folder / "pyproject.toml").write_bytes(data)
    found = settings_files.tables(
        {"XDG_CONFIG_HOME": str(folder)},
        str(folder),
        str(folder),
        platform="linux",
        system=str(folder / "none"),
    )
    for line in merge({}, found, str(folder)).warnings:
        assert str(line).isprintable()


@given(contents)
def test_whatever_holds_the_table_is_seen_to_hold_it(data):
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError):  # what tomllib raises for broken TOML is a ValueError
        return
    tool = document.get("tool")
    if isinstance(tool, dict) and "safepip" in tool:
        assert may_hold_table(data)
