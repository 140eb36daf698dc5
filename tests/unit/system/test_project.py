from __future__ import annotations

import os
import tempfile
from types import SimpleNamespace

import pytest

from safepip.core.record import replace
from safepip.core.world import Project
from safepip.system.project import HOME_MARKERS, MARKERS, find, may_be_root

as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
STRANGER = 12345
OWNERS = frozenset({0, os.geteuid() if hasattr(os, "geteuid") else 0})


@pytest.fixture
def tree(home):
    """A place below the home directory, which ends every walk: what lies above the test's folder is the machine's."""

    def make(*paths):
        for path in paths:
            full = os.path.join(home, path)
            if path.endswith("/"):
                os.makedirs(full, exist_ok=True)
            else:
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "a", encoding="utf-8"):
                    pass

    return make


@pytest.fixture
def look(home):
    def look(start, folder=".venv", owners=OWNERS, home=home, top=home, makers=None):
        cwd = os.path.join(top, start) if start else top
        os.makedirs(cwd, exist_ok=True)
        return find(cwd, home, owners, folder, makers)

    return look


@pytest.fixture
def at(home):
    """Return the project with this root, both it and the environment relative to the home directory."""

    def at(root, marker, environment=None):
        path = os.path.normpath(os.path.join(home, root))
        return Project(root=path, marker=marker, environment=environment and os.path.join(home, environment))

    return at


def write(path, text):
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


# -- the way up


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("start", ["p", "p/src/pkg"])
def test_a_directory_with_a_marker_is_a_root_for_all_below(tree, look, at, marker, start):
    tree(f"p/{marker}")
    assert look(start) == at("p", marker)


@pytest.mark.parametrize("marker", [".git", ".hg"])
def test_version_control_may_be_a_directory_or_a_file(tree, look, at, marker):
    tree(f"p/{marker}/", f"q/{marker}")
    assert (look("p/a"), look("q/a")) == (at("p", marker), at("q", marker))


def test_without_any_marker_there_is_no_project(look):
    assert look("p/q") is None


def test_the_walk_ends_with_the_first_marker_outside_version_control(tree, look, at):
    tree("p/pyproject.toml", "p/.venv/", "p/lib/setup.py")
    assert look("p/lib/src") == at("p/lib", "setup.py")


def test_the_walk_goes_on_to_the_root_of_version_control(tree, look, at):
    tree("p/.git/", "p/.venv/", "p/lib/setup.py")
    assert look("p/lib/src") == at("p", ".venv", "p/.venv")


def test_the_walk_ends_with_the_root_of_version_control(tree, look, at):
    tree("p/.venv/", "p/sub/.git", "p/sub/a/")
    assert look("p/sub/a") == at("p/sub", ".git")


def test_the_nearest_of_two_repositories_counts(tree, look, at):
    tree("p/.git/", "p/pyproject.toml", "p/sub/.git/", "p/sub/pyproject.toml")
    assert look("p/sub/a") == at("p/sub", "pyproject.toml")


def test_an_environment_is_made_at_the_nearest_marker(tree, look, at):
    tree("p/.git/", "p/pyproject.toml", "p/lib/pyproject.toml")
    assert look("p/lib/src") == at("p/lib", "pyproject.toml")


def test_the_nearest_existing_environment_serves(tree, look, at):
    tree("p/.git/", "p/.venv/", "p/a/.venv/", "p/a/b/setup.py")
    assert look("p/a/b/c") == at("p/a", ".venv", "p/a/.venv")


def test_an_environment_is_a_marker(tree, look, at):
    tree("p/.venv/")
    assert look("p/src") == at("p", ".venv", "p/.venv")


def test_the_working_directory_may_lie_in_the_environment(tree, look, at):
    tree("p/.venv/lib/")
    assert look("p/.venv/lib") == at("p", ".venv", "p/.venv")


# -- requirement files


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements_test.txt"])
def test_requirement_files_are_a_marker(tree, look, at, name):
    tree(f"p/{name}")
    assert look("p/src") == at("p", name)


@pytest.mark.parametrize("name", ["requirement.txt", "requirements.in", "my-requirements.txt", "constraints.txt"])
def test_files_with_like_names_are_none(tree, look, name):
    tree(f"p/{name}")
    assert look("p") is None


@pytest.mark.parametrize("above", ["pyproject.toml", "setup.cfg", ".git/"])
def test_requirement_files_do_not_count_below_a_marker_in_the_repository(tree, look, at, above):
    tree("p/.git/", f"p/{above}", "p/docs/requirements.txt")
    assert look("p/docs").root == at("p", "").root


def test_requirement_files_do_not_count_below_an_environment_in_the_repository(tree, look, at):
    tree("p/.git/", "p/.venv/", "p/docs/requirements.txt")
    assert look("p/docs") == at("p", ".venv", "p/.venv")


@pytest.mark.parametrize(
    "above", ["setup.py", "pyproject.toml", ".venv/", "venv/pyvenv.cfg", ".direnv/python-3.11/pyvenv.cfg"]
)
@pytest.mark.parametrize("start", ["p/docs", "p/docs/a", "p/docs/a/b"])
def test_requirement_files_do_not_count_below_a_marker_outside_a_repository(tree, look, above, start, home):
    tree(f"p/{above}", "p/docs/requirements.txt")
    assert look(start).root == os.path.join(home, "p")


def test_the_nearest_of_several_requirement_files_counts_where_nothing_else_does(tree, look, at):
    tree("p/requirements.txt", "p/docs/requirements.txt", "p/docs/a/")
    assert look("p/docs/a") == at("p/docs", "requirements.txt")


@as_root
def test_requirement_files_count_below_another_users_marker(tree, look, at, home):
    tree("theirs/setup.py", "theirs/mine/requirements.txt")
    os.chown(os.path.join(home, "theirs"), STRANGER, STRANGER)
    assert look("theirs/mine") == at("theirs/mine", "requirements.txt")


def test_the_other_markers_beside_requirement_files_count(tree, look, at):
    tree("p/setup.py", "p/requirements.txt")
    assert look("p/a") == at("p", "setup.py")


# -- environments under other names


@pytest.mark.parametrize("name", ["venv", "env"])
def test_a_root_known_by_its_environment_has_that_one(tree, look, at, name):
    tree(f"p/{name}/pyvenv.cfg")
    assert look("p/src") == at("p", name, f"p/{name}")


@pytest.mark.parametrize("name", ["venv", "env"])
def test_folders_so_named_without_pyvenv_cfg_are_just_folders(tree, look, name):
    tree(f"p/{name}/main.tf")
    assert look("p") is None


def test_dot_venv_comes_before_the_others(tree, look, at):
    tree("p/.venv/", "p/venv/pyvenv.cfg", "p/env/pyvenv.cfg")
    assert look("p") == at("p", ".venv", "p/.venv")


def test_a_marker_beside_it_changes_nothing(tree, look, at):
    tree("p/pyproject.toml", "p/env/pyvenv.cfg")
    assert look("p") == at("p", "env", "p/env")


def test_the_name_in_the_settings_comes_first(tree, look, at):
    tree("p/.venv/", "p/build/env/")
    assert look("p", folder="build/env") == at("p", "env", "p/build/env")


def test_dot_venv_serves_beside_the_name_in_the_settings(tree, look, at):
    tree("p/.venv/")
    assert look("p", folder="other") == at("p", ".venv", "p/.venv")


# -- .venv that is not a directory


def test_dot_venv_may_be_a_link(tree, look, at, home):
    tree("p/", "real/pyvenv.cfg")
    os.symlink("../real", os.path.join(home, "p/.venv"))
    assert look("p/src") == at("p", ".venv", "p/.venv")


@pytest.mark.parametrize("line", ["../real\n", "  ../real  \r\nmore", "{}/real\n", "../p/../real/"])
def test_dot_venv_may_be_a_redirect_file(tree, look, at, home, line):
    tree("p/", "real/pyvenv.cfg")
    write(os.path.join(home, "p/.venv"), line.format(home))
    assert look("p/src") == at("p", ".venv", "p/.venv")


def a_link(target):
    return lambda path: os.symlink(target, path)


def a_file(text):
    return lambda path: write(path, text)


LEADS_NOWHERE = {
    "a link to nothing": a_link("nowhere"),
    "a loop": a_link(".venv"),
    "a link to a file": a_link("pyproject.toml"),
    "a redirect to nothing": a_file("./gone\n"),
    "an absolute redirect to nothing": a_file("/nowhere/at/all\n"),
    "a redirect to its own folder": a_file("."),
    "a redirect to the folder above": a_file(".."),
    "a redirect to a folder": a_file("../folder"),
    "a redirect to tox's that is gone": a_file(".tox/py311"),
    "a name": a_file("blog-3.12\n"),
    "empty": a_file(""),
    "an empty line": a_file(" \n../real"),
    "binary": a_file("a\0b\n"),
    "bytes that are not text": a_file("caf\udce9\n"),
    "a pipe": os.mkfifo if hasattr(os, "mkfifo") else None,
}


@pytest.fixture(params=LEADS_NOWHERE)
def leads_nowhere(request, tree, home):
    """A `.venv` that leads to no environment, in the folder p."""
    tree("p/", "real/pyvenv.cfg", "folder/")
    LEADS_NOWHERE[request.param](os.path.join(home, "p/.venv"))


def test_a_dot_venv_that_leads_nowhere_is_a_weak_marker(leads_nowhere, tree, look, at):
    assert (look("p"), look("p/a")) == (at("p", ".venv"), at("p", ".venv"))


def test_a_dot_venv_that_leads_nowhere_is_passed_over_for_a_marker_above(leads_nowhere, tree, look, at, home):
    tree("above/setup.py")
    os.rename(os.path.join(home, "p"), os.path.join(home, "above/p"))
    assert look("above/p/a") == at("above", "setup.py")


@pytest.mark.parametrize("marker", ["pyproject.toml", ".git/"])
def test_beside_a_dot_venv_that_leads_nowhere_another_environment_serves(leads_nowhere, tree, look, at, marker):
    tree(f"p/{marker}")
    assert look("p") == at("p", marker.rstrip("/"))
    tree("p/venv/pyvenv.cfg")
    assert look("p") == at("p", "venv", "p/venv")


def test_an_environment_above_in_the_repository_serves(leads_nowhere, tree, look, at, home):
    tree("above/.git/", "above/.venv/")
    os.rename(os.path.join(home, "p"), os.path.join(home, "above/p"))
    tree("above/p/pyproject.toml")
    assert look("above/p") == at("above", ".venv", "above/.venv")


@pytest.mark.parametrize("line", [".tox/py311\n", "{}/p/.tox/py311", "../q/.nox/tests-3-12", "build/env"])
def test_a_redirect_to_an_environment_of_toxs_or_noxs_counts_as_absent(tree, look, at, home, line):
    tree("p/.tox/py311/pyvenv.cfg", "q/.nox/tests-3-12/pyvenv.cfg", "p/build/env/pyvenv.cfg", "p/setup.py")
    tree("p/build/env/.tox-info.json")
    write(os.path.join(home, "p/.venv"), line.format(home))
    assert look("p") == replace(at("p", "setup.py"), disposable=os.path.join(home, "p/.venv"))
    tree("p/env/pyvenv.cfg")
    assert look("p") == replace(at("p", "env", "p/env"), disposable=os.path.join(home, "p/.venv"))


def test_a_link_to_an_environment_of_toxs_counts_as_absent(tree, look, at, home):
    tree("p/.tox/py311/pyvenv.cfg")
    os.symlink(".tox/py311", os.path.join(home, "p/.venv"))
    assert look("p") == replace(at("p", ".venv"), disposable=os.path.join(home, "p/.venv"))


def test_a_project_inside_toxs_folder_has_its_environment(tree, look, at, home):
    tree("p/.tox/py311/tmp/q/mine/pyvenv.cfg", "p/.tox/py311/tmp/q/setup.py")
    write(os.path.join(home, "p/.tox/py311/tmp/q/.venv"), "mine\n")
    root = "p/.tox/py311/tmp/q"
    assert look(root) == at(root, ".venv", f"{root}/.venv")


def test_a_redirect_that_the_users_own_virtualenv_made_is_followed(tree, look, at, home):
    tree("p/.docs-venv/pyvenv.cfg")
    write(os.path.join(home, "p/.venv"), ".docs-venv\n")
    assert look("p") == at("p", ".venv", "p/.venv")


def test_a_redirect_file_may_hold_the_bare_name_of_an_environment_beside_it(tree, look, at, home):
    tree("p/mine/pyvenv.cfg")
    write(os.path.join(home, "p/.venv"), "mine\n")
    assert look("p") == at("p", ".venv", "p/.venv")


@pytest.mark.parametrize(
    "names", [["python-3.9.2", "python-3.12", "python-3.11"], ["python-3.12"], ["python-3.10", "python-3.12"]]
)
def test_the_newest_of_direnvs_environments_serves(tree, look, at, names):
    tree(*(f"p/.direnv/{name}/pyvenv.cfg" for name in names), "p/.direnv/bin/pyvenv.cfg", "p/.direnv/python-3.13/")
    assert look("p/src") == at("p", ".direnv", "p/.direnv/python-3.12")


def test_direnvs_environment_comes_after_the_others(tree, look, at):
    tree("p/.direnv/python-3.12/pyvenv.cfg", "p/venv/pyvenv.cfg")
    assert look("p") == at("p", "venv", "p/venv")


def test_a_folder_of_direnvs_without_environments_is_just_a_folder(tree, look):
    tree("p/.direnv/bin/", "p/.direnv/python-3.12/")
    assert look("p") is None


# -- the home directory


@pytest.mark.parametrize("marker", HOME_MARKERS)
def test_the_home_directory_is_a_root_only_as_the_working_directory(tree, look, at, marker):
    tree(marker + "/" if marker == ".venv" else marker)
    assert look("").root == at("", "").root
    assert look("below") is None


@pytest.mark.parametrize("marker", sorted({*MARKERS, "venv/pyvenv.cfg"} - set(HOME_MARKERS)))
def test_the_home_directory_is_no_root_by_other_markers(tree, look, marker):
    tree(marker)
    assert look("") is None


def test_the_home_directory_is_no_root_by_requirement_files(tree, look):
    tree("requirements.txt")
    assert look("") is None


@pytest.mark.parametrize("line", ["blog-3.12\n", "./gone", ".tox/py311"])
def test_a_dot_venv_in_the_home_directory_that_leads_nowhere_counts_as_absent(look, home, line):
    write(os.path.join(home, ".venv"), line)
    assert look("") is None


def test_the_home_directory_has_its_environment(tree, look, at):
    tree(".venv/", ".git/")
    assert look("") == at("", ".venv", ".venv")


def test_the_home_directory_may_be_named_by_a_link(tree, look, home):
    tree("pyproject.toml", "below/")
    link = os.path.join(os.path.dirname(home), "link")
    os.symlink(home, link)
    assert look("below", home=link) is None


def test_a_directory_above_the_home_directory_is_no_root_for_what_is_below_it(tree, look, home):
    write(os.path.join(os.path.dirname(home), "setup.py"), "")
    assert look("p") is None


def test_a_user_without_home_has_projects(tree, look, at):
    tree("p/setup.py")
    assert look("p/a", home=None) == at("p", "setup.py")


# -- what ends the walk


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="says which directory is open")
def test_never_across_a_file_system_boundary(tree, look, at, home, monkeypatch):
    tree("p/setup.py", "p/mounted/", "p/mounted/b/setup.cfg")
    real = os.stat

    def stat(path, **options):
        found = real(path, **options)
        opened = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else str(path)
        other = f"{home}/p/mounted" in opened
        return SimpleNamespace(st_uid=found.st_uid, st_dev=found.st_dev + other, st_mode=found.st_mode)

    monkeypatch.setattr("safepip.system.project.os.stat", stat)
    assert look("p/mounted/a") is None
    assert look("p/mounted/b") == at("p/mounted/b", "setup.cfg")
    assert look("p/c") == at("p", "setup.py")


@as_root
def test_another_users_directory_ends_the_walk_and_denies_nothing_below(tree, look, at, home):
    tree("p/.git/", "p/.venv/", "p/theirs/setup.py", "p/theirs/mine/setup.py", "p/theirs/other/a/")
    os.chown(os.path.join(home, "p/theirs"), STRANGER, STRANGER)
    assert look("p/theirs/mine/a") == at("p/theirs/mine", "setup.py")
    assert look("p/theirs/other/a") is None
    assert look("p/theirs") is None


@as_root
@pytest.mark.parametrize("name", [".venv/", "setup.py", ".git/", "requirements.txt", "env/pyvenv.cfg"])
def test_another_users_environment_or_marker_is_stepped_over(tree, look, home, name):
    tree(f"p/{name}")
    os.chown(os.path.join(home, "p", name.rstrip("/").removesuffix("/pyvenv.cfg")), STRANGER, STRANGER)
    assert look("p") is None


@as_root
@pytest.mark.parametrize("name", [".venv/pyvenv.cfg", "venv/pyvenv.cfg", ".direnv/python-3.12/pyvenv.cfg"])
def test_another_users_project_may_hold_only_environments_of_ones_own(tree, look, at, home, name):
    tree("p/setup.py", f"p/{name}")
    for path in ("p", f"p/{name.partition('/')[0]}"):
        os.chown(os.path.join(home, path), STRANGER, STRANGER)
    both = frozenset({0, STRANGER})
    assert look("p", owners=both, makers=frozenset({0})) == at("p", "setup.py")


@as_root
def test_another_users_environment_denies_no_root(tree, look, at, home):
    tree("p/pyproject.toml", "p/.venv/pyvenv.cfg")
    os.chown(os.path.join(home, "p/.venv"), STRANGER, STRANGER)
    assert look("p") == at("p", "pyproject.toml")


@as_root
def test_another_users_repository_does_not_prolong_the_walk(tree, look, at, home):
    tree("p/.git/", "p/.venv/", "p/a/setup.py")
    os.chown(os.path.join(home, "p/.git"), STRANGER, STRANGER)
    assert look("p/a") == at("p/a", "setup.py")


@as_root
def test_the_owner_of_a_link_counts_and_not_of_what_it_points_at(tree, look, at, home):
    tree("p/", "theirs/pyvenv.cfg")
    os.chown(os.path.join(home, "theirs"), STRANGER, STRANGER)
    os.symlink("../theirs", os.path.join(home, "p/.venv"))
    assert look("p") == at("p", ".venv", "p/.venv")


@as_root
def test_roots_directories_are_excepted(tree, look, at, home):
    tree("p/setup.py", "p/mine/")
    os.chown(os.path.join(home, "p/mine"), STRANGER, STRANGER)
    assert look("p/mine", owners=frozenset({0, STRANGER})) == at("p", "setup.py")


def test_a_directory_that_is_gone_has_no_project(home):
    assert find(os.path.join(home, "gone"), home, OWNERS) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_directory_that_cannot_be_listed_has_no_requirement_files(tree, look, home):
    tree("p/requirements.txt")
    os.chmod(os.path.join(home, "p"), 0o300)
    try:
        assert look("p") is None
    finally:
        os.chmod(os.path.join(home, "p"), 0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_redirect_file_that_cannot_be_read_leads_nowhere(tree, look, at, home):
    tree("p/.venv")
    os.chmod(os.path.join(home, "p/.venv"), 0)
    assert look("p") == at("p", ".venv")


# -- a directory without any marker


@pytest.fixture
def may(home):
    def may(cwd, environ=None, home=home, owners=OWNERS):
        path = os.path.join(home or "", cwd)
        if path.startswith(home or "\0"):
            os.makedirs(path, exist_ok=True)
        return may_be_root(path, home, environ or {}, owners)

    return may


@pytest.mark.parametrize("path", ["p", "p/q", "Downloads/p", "Documents/work/p", ".config/nvim", "Library/p"])
def test_may_become_a_root(may, path):
    assert may(path)


@pytest.mark.parametrize(
    "path",
    [
        "Desktop",
        "Documents",
        "Downloads",
        "Music",
        "Pictures",
        "Videos",
        "Public",
        "Templates",
        ".config",
        ".local/bin",
        "Library",
    ],
)
def test_one_of_the_users_folders_never(may, path):
    assert not may(path)


def test_a_folder_that_the_desktop_named_otherwise_never(may, home):
    os.makedirs(os.path.join(home, ".config"))
    lines = [
        "# comment",
        'XDG_DOWNLOAD_DIR="$HOME/Téléchargements"',
        f'XDG_MUSIC_DIR="{home}/Musik"',
        "XDG_NONE",
        "X_DIR=$HOME/p",
    ]
    write(os.path.join(home, ".config/user-dirs.dirs"), "\n".join(lines))
    assert not may("Téléchargements")
    assert not may("Musik")
    assert may("Téléchargements/p")
    assert may("p")


def test_the_desktops_list_lies_where_xdg_says(may, home):
    os.makedirs(os.path.join(home, "conf"))
    write(os.path.join(home, "conf/user-dirs.dirs"), 'XDG_DOWNLOAD_DIR="$HOME/Eingang"\n')
    assert not may("Eingang", {"XDG_CONFIG_HOME": os.path.join(home, "conf")})


def test_a_folder_reached_by_a_link_is_that_folder(may, home):
    os.makedirs(os.path.join(home, "big/Downloads"))
    os.symlink("big/Downloads", os.path.join(home, "Downloads"))
    assert not may("big/Downloads")


def test_the_home_directory_and_those_above_it_never(may, home):
    assert not may(home)
    assert not may(os.path.dirname(home))
    assert not may(home, home=os.path.join(home, "deeper", "home"))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/home",
        "/usr",
        "/usr/local",
        "/usr/bin",
        "/etc",
        "/etc/ssl",
        "/opt",
        "/var",
        "/dev",
        "/proc",
        "/usr/lib",
    ],
)
def test_a_directory_of_the_system_never(may, path):
    assert not may(path, owners=frozenset({0, os.stat(path).st_uid if os.path.exists(path) else 0}))


def test_a_folder_below_those_that_hold_projects_may(monkeypatch, may):
    monkeypatch.setattr("safepip.system.project.owner", lambda _path: 0)
    folders = ["/opt/x", "/srv/x", "/usr/src/app", "/app", "/usr/local/src/x", "/dev/shm/x", "/tmp/x", "/var/x"]
    assert [path for path in folders if not may(path)] == []


def test_the_temporary_directory_itself_never(may, home):
    assert not may("/tmp")
    assert not may("/var/tmp")
    assert may("t")
    for variable in ("TMPDIR", "TEMP", "TMP"):
        assert not may("t", {variable: os.path.join(home, "t")})
    os.symlink("t", os.path.join(home, "link"))
    assert not may("t", {"TMPDIR": os.path.join(home, "link")})
    assert may("t/p", {"TMPDIR": os.path.join(home, "t")})
    assert not may(os.path.realpath(tempfile.gettempdir()), {"TMPDIR": tempfile.gettempdir()})


@as_root
def test_another_users_directory_never(may, home):
    os.mkdir(os.path.join(home, "theirs"))
    os.chown(os.path.join(home, "theirs"), STRANGER, STRANGER)
    assert not may("theirs")
    assert may("theirs", owners=frozenset({0, STRANGER}))


def test_a_directory_that_is_gone_never(home):
    assert not may_be_root(os.path.join(home, "gone"), home, {}, OWNERS)


def test_without_a_home_only_the_system_is_kept_out_of(may, work):
    assert may(work, home=None)
    assert not may("/usr", home=None)
