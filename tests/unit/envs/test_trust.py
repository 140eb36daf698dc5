from __future__ import annotations

import functools
import os
import pwd
import shutil
import stat
import subprocess
import sys
import time
from glob import glob

import pytest
from forked import code_of_child
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree import TOOLS

from safepip.envs.trust import filesystem, objection

as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
with_git = pytest.mark.skipif(shutil.which("git") is None, reason="asks git to track")

MINE = frozenset({0, os.geteuid()})
MALLORY = 2001
TRACKED = "came with the repository (git tracks it) and could run anything"
INSIDE = "has its Python inside the project"
UNRECORDED = "does not record where it was made, so it could come from anywhere"


# -- a world in which everything that could be run tells of it


@pytest.fixture
def marker(home):
    return os.path.join(home, "was-executed")


@pytest.fixture(autouse=True)
def nothing_was_executed(marker):
    yield
    assert not os.path.exists(marker)


@pytest.fixture
def canary(marker):
    """Make a program that tells when it is run."""

    def make(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\ntouch '{marker}'\n")
        os.chmod(path, 0o755)
        return path

    return make


@pytest.fixture
def base(home, canary):
    """The interpreter, well outside any project."""
    return canary(os.path.join(home, "pythons", "bin", "python3.12"))


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(os.fsencode(text))


def made(path, base, *, command=True, activate=True, script=True):
    """Make an environment as venv would have, with a script as pip would."""
    os.makedirs(os.path.join(path, "bin"))
    told = f"command = {base} -m venv {path}\n" if command else ""
    write(os.path.join(path, "pyvenv.cfg"), f"home = {os.path.dirname(base)}\nversion = 3.12.1\n{told}")
    os.symlink(base, os.path.join(path, "bin", "python"))
    if activate:
        write(
            os.path.join(path, "bin", "activate"),
            f'deactivate () {{\n    unset VIRTUAL_ENV\n}}\nVIRTUAL_ENV="{path}"\nexport VIRTUAL_ENV\n',
        )
    if script:
        write(os.path.join(path, "bin", "pip"), f"#!{path}/bin/python\nimport sys\n")
    return path


@pytest.fixture
def git_repository(work):
    """Track a file in a repository that is the working directory."""

    def track(name, text):
        write(os.path.join(work, name), text)
        for words in (["init", "-q"], ["add", "-f", name]):
            subprocess.run(["git", *words], cwd=work, check=True)
        return os.path.join(work, name)

    return track


@pytest.fixture
def venv(work, base):
    return made(os.path.join(work, ".venv"), base)


def judged(path, *, search="", owners=MINE, base=None, **options):
    return objection(
        path, base or os.path.realpath(os.path.join(path, "bin", "python")), owners, search, **options
    )


def chmod(path, mode):
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | mode)


def test_the_users_own_environment_is_adopted(venv):
    assert judged(venv) is None


# -- a redirect, and direnv's


@with_git
def test_a_redirect_that_git_tracks_is_refused(home, base, git_repository):
    elsewhere = made(os.path.join(home, "mine", "env"), base)
    redirect = git_repository(".venv", f"{elsewhere}\n")
    assert judged(elsewhere) is None
    assert judged(elsewhere, redirect=redirect) == TRACKED


@with_git
@pytest.mark.parametrize(
    ("link", "below"), [(".direnv", "python-3.12"), (".pixi", "envs/default"), (".pixi/envs", "default")]
)
def test_what_lies_below_a_link_that_git_tracks_is_refused(home, work, base, link, below):
    made(os.path.join(home, "mine", "folder", below), base)
    os.makedirs(os.path.dirname(os.path.join(work, link)), exist_ok=True)
    os.symlink(os.path.join(home, "mine", "folder"), os.path.join(work, link))
    path = os.path.join(work, link, below)
    assert judged(path) is None
    subprocess.run(["git", "init", "-q"], cwd=work, check=True)
    subprocess.run(["git", "add", "-f", link], cwd=work, check=True)
    assert judged(path) == TRACKED


def test_a_python_beside_the_redirect_is_refused(home, work, canary):
    elsewhere = made(os.path.join(home, "mine", "env"), canary(os.path.join(work, "brought", "bin", "python3")))
    assert judged(elsewhere) is None
    assert judged(elsewhere, redirect=os.path.join(work, ".venv")) == INSIDE


def test_direnvs_environment_is_the_project_folders(work, base, canary):
    assert judged(made(os.path.join(work, ".direnv", "python-3.12"), base)) is None
    brought = canary(os.path.join(work, "brought", "bin", "python3"))
    assert judged(made(os.path.join(work, ".direnv", "python-3.11"), brought)) == INSIDE


@as_root
def test_the_folder_around_it_may_be_anothers_where_that_is_said(venv, work):
    os.chown(work, MALLORY, MALLORY)
    assert judged(venv, owners_around=MINE | {MALLORY}) is None
    os.chown(venv, MALLORY, MALLORY)
    assert judged(venv, owners_around=MINE | {MALLORY}) == "belongs to another user (uid 2001)"


# -- whose it is


@as_root
@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("..", "lies in a folder that belongs to another user (uid 2001)"),
        ("", "belongs to another user (uid 2001)"),
        ("pyvenv.cfg", "has a pyvenv.cfg that belongs to another user (uid 2001)"),
        ("bin", "has a bin that belongs to another user (uid 2001)"),
    ],
)
def test_another_users_is_refused(venv, part, told):
    os.chown(os.path.join(venv, part), MALLORY, MALLORY)
    assert judged(venv) == told
    assert judged(venv, owners=MINE | {MALLORY}) is None


@as_root
def test_a_users_environment_in_what_root_owns_is_adopted(venv):
    for part in ("", "bin", "pyvenv.cfg"):
        os.chown(os.path.join(venv, part), 2002, 2002)
    assert judged(venv, owners=frozenset({0, 2002})) is None


@as_root
def test_roots_environment_in_the_users_folder_is_adopted(venv, work):
    os.chown(work, 2002, 2002)
    assert judged(venv, owners=frozenset({0, 2002})) is None


@as_root
def test_the_links_of_another_user_are_refused(venv, home, work):
    shutil.move(venv, os.path.join(home, "target"))
    os.symlink(os.path.join(home, "target"), venv)
    os.lchown(venv, MALLORY, MALLORY)
    assert judged(venv) == "belongs to another user (uid 2001)"


@as_root
@pytest.mark.parametrize("part", ["bin", "pyvenv.cfg"])
def test_parts_that_are_links_to_another_users_are_refused(venv, home, part):
    elsewhere = os.path.join(home, "elsewhere")
    shutil.move(os.path.join(venv, part), elsewhere)
    os.symlink(elsewhere, os.path.join(venv, part))
    assert judged(venv) is None
    os.chown(elsewhere, MALLORY, MALLORY)
    assert judged(venv) == f"has a {part} that belongs to another user (uid 2001)"


# -- who can write to it


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("", "can be written by everybody"),
        ("pyvenv.cfg", "has a pyvenv.cfg that can be written by everybody"),
        ("bin", "has a bin that can be written by everybody"),
    ],
)
@pytest.mark.parametrize("mode", [0o002, 0o1002])
def test_what_everybody_can_write_to_is_refused(venv, part, told, mode):
    chmod(os.path.join(venv, part), mode)
    assert judged(venv) == told


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_what_everybody_can_replace_is_refused_and_the_sticky_bit_prevents_that(venv, levels):
    folder = venv
    for _ in range(levels):
        folder = os.path.dirname(folder)
    chmod(folder, 0o777)
    assert judged(venv) == f"lies in {folder}, where everybody can replace it"
    chmod(folder, 0o1777)
    assert judged(venv) is None


def test_an_environment_in_the_temporary_folder_itself_is_adopted(home, base):
    temporary = os.path.join(home, "tmp")
    os.mkdir(temporary)
    chmod(temporary, 0o1777)
    assert judged(made(os.path.join(temporary, ".venv"), base)) is None


def test_a_group_may_write_as_with_umask_002(venv, work):
    for folder, folders, files in os.walk(work):
        for name in (*folders, *files, ""):
            if not os.path.islink(os.path.join(folder, name)):
                chmod(os.path.join(folder, name), 0o020)
    assert judged(venv) is None


@pytest.mark.parametrize("kind", ["drvfs", "9p", "cifs", "smb3", "vfat", "exfat", "ntfs3", "fuseblk", "vboxsf"])
def test_where_there_are_no_modes_only_the_owner_decides(venv, work, kind):
    for path in (work, venv, os.path.join(venv, "bin"), os.path.join(venv, "pyvenv.cfg")):
        os.chmod(path, 0o777)
    assert judged(venv, filesystem=lambda _path: kind) is None
    assert judged(venv, filesystem=lambda _path: "ext4") is not None


@as_root
def test_where_there_are_no_modes_the_owner_still_decides(venv):
    os.chown(venv, MALLORY, MALLORY)
    assert judged(venv, filesystem=lambda _path: "drvfs") == "belongs to another user (uid 2001)"


def test_the_target_of_a_link_is_looked_at_where_it_lies(home, work, base):
    shared = os.path.join(home, "shared")
    os.mkdir(shared)
    path = made(os.path.join(shared, "environment"), base)
    os.symlink(path, os.path.join(work, ".venv"))
    assert judged(os.path.join(work, ".venv")) is None
    chmod(shared, 0o777)
    assert judged(os.path.join(work, ".venv")) == f"lies in {shared}, where everybody can replace it"


# -- what git tracks


def git(*words, cwd):
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *words], cwd=cwd, env=environ, check=True, capture_output=True)


@with_git
@pytest.mark.parametrize("part", [".venv", ".venv/pyvenv.cfg", ".venv/bin/pip"])
def test_what_came_with_the_repository_is_refused(venv, work, part):
    git("init", "-q", cwd=work)
    write(os.path.join(work, "README"), "")
    git("add", "README", cwd=work)
    assert judged(venv) is None
    git("add", part, cwd=work)
    assert judged(venv) == TRACKED


@with_git
@pytest.mark.parametrize("tracked", [".venv", "target"])
def test_a_link_that_came_with_the_repository_is_refused_and_so_is_its_target(work, base, tracked):
    git("init", "-q", cwd=work)
    made(os.path.join(work, "target"), base)
    os.symlink("target", os.path.join(work, ".venv"))
    assert judged(os.path.join(work, ".venv")) is None
    git("add", tracked, cwd=work)
    assert judged(os.path.join(work, ".venv")) == TRACKED


def test_an_index_of_unknown_format_counts_as_tracked(venv, work):
    write(os.path.join(work, ".git", "index"), "DIRC\0\0\0\x05")
    assert judged(venv) == TRACKED


@as_root
def test_the_repository_of_another_user_denies_nothing(venv, home):
    write(os.path.join(home, ".git", "index"), "DIRC\0\0\0\x05")
    os.chown(os.path.join(home, ".git"), MALLORY, MALLORY)
    assert judged(venv) is None


# -- its Python


def put_python(path, target):
    python = os.path.join(path, "bin", "python")
    os.remove(python)
    os.symlink(target, python)
    return python


def test_a_python_that_is_a_script_is_refused(venv, canary, base):
    os.remove(os.path.join(venv, "bin", "python"))
    canary(os.path.join(venv, "bin", "python"))
    assert judged(venv) == INSIDE
    assert judged(venv, base=base) == INSIDE


@pytest.mark.parametrize("place", ["tools/python3", ".venv/lib/python3"])
def test_a_python_that_lies_in_the_project_is_refused(venv, work, canary, place):
    put_python(venv, canary(os.path.join(work, place)))
    assert judged(venv) == INSIDE


def test_a_python_that_lies_in_the_project_by_way_of_a_link_is_refused(venv, home, work, canary):
    canary(os.path.join(work, "tools", "python3"))
    os.symlink(os.path.join(work, "tools"), os.path.join(home, "tools"))
    put_python(venv, os.path.join(home, "tools", "python3"))
    assert judged(venv) == INSIDE


@pytest.mark.parametrize(
    "home_line",
    ["home = {work}/tools", "HOME={work}/tools", "home = tools", "home = ../../home/work/tools\nhome = /usr/bin"],
)
def test_a_standard_library_in_the_project_is_refused(venv, work, home_line):
    write(os.path.join(venv, "pyvenv.cfg"), home_line.format(work=work) + "\n")
    assert judged(venv) == INSIDE


def test_a_base_in_the_project_is_refused(venv, work, canary):
    assert judged(venv, base=canary(os.path.join(work, "python"))) == INSIDE


@as_root
def test_an_environment_in_the_root_directory_is_adopted_though_everything_lies_below_it(home, base):
    """A container's `/venv`."""
    made(os.path.join(home, "venv"), base)
    write(
        os.path.join(home, "venv", "pyvenv.cfg"),
        "home = /pythons/bin\ncommand = /pythons/bin/python -m venv /venv\n",
    )
    write(os.path.join(home, "venv", "bin", "activate"), "VIRTUAL_ENV=/venv\n")
    write(os.path.join(home, "venv", "bin", "pip"), "#!/venv/bin/python\n")
    for target, expected in (("/pythons/bin/python3.12", None), ("/venv/lib/python", INSIDE)):
        put_python(os.path.join(home, "venv"), target)

        def is_told_otherwise(target=target, expected=expected):
            os.chroot(home)
            return int(objection("/venv", target, MINE, "") != expected)

        assert code_of_child(is_told_otherwise) == 0


@pytest.fixture
def strange(home, canary):
    """An interpreter of another user, as Linuxbrew's or a cluster's."""
    python = canary(os.path.join(home, "brew", "Cellar", "python3.12"))
    os.chown(python, MALLORY, MALLORY)
    os.makedirs(os.path.join(home, "brew", "bin"))
    os.symlink(python, os.path.join(home, "brew", "bin", "python3.12"))
    return python


@as_root
def test_the_python_of_another_user_is_refused_unless_path_gives_it(home, work, strange):
    path = made(os.path.join(work, ".venv"), strange)
    told = f"stands on {strange}, which belongs to another user (uid 2001) and is not on PATH"
    found = os.path.join(home, "brew", "bin")
    assert judged(path) == told
    assert judged(path, search="/usr/bin:/bin") == told
    assert judged(path, search=f"/usr/bin:{found}:/bin") is None


@as_root
def test_only_absolute_entries_of_path_that_not_everybody_can_write_to_give_a_python(
    home, work, strange, monkeypatch
):
    path = made(os.path.join(work, ".venv"), strange)
    monkeypatch.chdir(os.path.join(home, "brew"))
    found = os.path.join(home, "brew", "bin")
    os.symlink("python3.12", os.path.join(found, "other"))
    for search in ("", "bin", ":", ".:bin", "/nowhere", "/nul\0", os.path.join(found, "python3.12")):
        assert judged(path, search=search) is not None
    chmod(found, 0o1777)
    assert judged(path, search=found) is not None
    assert judged(path, search=found, filesystem=lambda _path: "drvfs") is None


@as_root
def test_a_name_on_path_that_nobody_takes_for_python_gives_none(home, work, strange):
    path = made(os.path.join(work, ".venv"), strange)
    folder = os.path.join(home, "bin")
    os.mkdir(folder)
    os.symlink(strange, os.path.join(folder, "tool"))
    assert judged(path, search=folder) is not None


@as_root
def test_a_link_of_another_users_on_the_way_to_the_python_is_refused(venv, home, base):
    link = os.path.join(home, "link")
    os.symlink(base, link)
    put_python(venv, link)
    assert judged(venv) is None
    os.lchown(link, MALLORY, MALLORY)
    assert judged(venv) == f"stands on {link}, which belongs to another user (uid 2001) and is not on PATH"
    assert judged(venv, search=os.path.dirname(base)) is None


def test_a_python_that_everybody_can_write_to_is_refused(venv, base):
    chmod(base, 0o002)
    assert judged(venv) == f"stands on {base}, which can be written by everybody"
    assert judged(venv, search=os.path.dirname(base)) is not None
    assert judged(venv, filesystem=lambda _path: "cifs") is None


def test_a_python_that_everybody_can_replace_is_refused(venv, base):
    folder = os.path.dirname(os.path.dirname(base))
    chmod(folder, 0o777)
    assert judged(venv) == f"stands on {base}, which everybody can replace in {folder}"
    chmod(folder, 0o1777)
    assert judged(venv) is None


def test_a_conda_environment_is_refused(venv):
    write(os.path.join(venv, "conda-meta", "history"), "")
    assert judged(venv) == "is a conda environment that is not active"


# -- where it was made


def copied(path, home):
    """Copy the project, and return the copy's environment."""
    shutil.copytree(os.path.dirname(path), os.path.join(home, "copy"), symlinks=True)
    return os.path.join(home, "copy", os.path.basename(path))


def elsewhere(path, *, gone=False):
    return f"was made elsewhere (in {path}) and {'moved' if gone else 'copied'} here"


@pytest.mark.parametrize("only", ["command", "activate", "script"])
def test_each_record_alone_tells_of_a_copy(home, work, base, only):
    records = {name: name == only for name in ("command", "activate", "script")}
    path = made(os.path.join(work, ".venv"), base, **records)
    assert judged(path) is None
    assert judged(copied(path, home)) == elsewhere(path)


@pytest.mark.parametrize("only", ["command", "activate", "script"])
def test_a_moved_project_is_refused(home, work, base, only):
    records = {name: name == only for name in ("command", "activate", "script")}
    path = made(os.path.join(work, "project", ".venv"), base, **records)
    os.rename(os.path.dirname(path), os.path.join(work, "renamed"))
    assert judged(os.path.join(work, "renamed", ".venv")) == elsewhere(path, gone=True)


def test_records_that_do_not_agree_are_refused(venv, work):
    write(os.path.join(venv, "bin", "tool"), f"#!{work}/other/.venv/bin/python\n")
    assert judged(venv) == elsewhere(f"{work}/other/.venv", gone=True)


def test_an_environment_that_records_nothing_is_refused(work, base):
    """As uv's relocatable ones, and any archive that wants to be taken for one."""
    path = made(os.path.join(work, ".venv"), base, command=False, activate=False, script=False)
    assert judged(path) == UNRECORDED


def test_a_link_to_an_environment_is_adopted_by_the_location_of_either(home, work, base):
    target = made(os.path.join(home, "environments", "one"), base)
    os.symlink(target, os.path.join(work, ".venv"))
    assert judged(os.path.join(work, ".venv")) is None
    shutil.rmtree(target)
    made(os.path.join(home, "tmp"), base)
    os.rename(os.path.join(home, "tmp"), target)
    write(
        os.path.join(target, "pyvenv.cfg"), f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv {work}/.venv\n"
    )
    write(os.path.join(target, "bin", "activate"), f"VIRTUAL_ENV={work}/.venv\n")
    write(os.path.join(target, "bin", "pip"), f"#!{work}/.venv/bin/python\n")
    assert judged(os.path.join(work, ".venv")) is None


def test_a_location_recorded_through_a_link_is_the_real_one(home, work, base):
    os.symlink(work, os.path.join(home, "link"))
    path = made(os.path.join(home, "link", ".venv"), base)
    assert judged(path) is None
    assert judged(os.path.join(work, ".venv")) is None


@pytest.mark.parametrize(
    "magic",
    [
        "/proc/self/cwd",
        "//proc/self/cwd",
        "/usr/../proc/self/cwd",
        "/proc/thread-self/cwd",
        "/dev/../proc/self/cwd",
        "/dev/fd/{fd}",
    ],
)
@pytest.mark.parametrize("only", ["command", "activate", "script"])
def test_a_location_that_is_right_everywhere_is_none(work, base, magic, only, monkeypatch):
    path = made(os.path.join(work, ".venv"), base, command=False, activate=False, script=False)
    monkeypatch.chdir(work)
    descriptor = os.open(work, os.O_RDONLY)
    place = magic.format(fd=descriptor) + "/.venv"
    assert os.path.realpath(place) == os.path.realpath(path)
    texts = {
        "command": ("pyvenv.cfg", f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv {place}\n"),
        "activate": ("bin/activate", f"VIRTUAL_ENV='{place}'\n"),
        "script": ("bin/pip", f"#!{place}/bin/python\n"),
    }
    write(os.path.join(path, texts[only][0]), texts[only][1])
    assert judged(path).startswith("was made elsewhere (in ")
    os.close(descriptor)


COMMANDS = {
    "venv": "/usr/bin/python3 -m venv {}",
    "venv with options": "/usr/bin/python3 -m venv --copies --without-pip --system-site-packages --upgrade-deps {}",
    "venv with a prompt": '/usr/bin/python3 -m venv --prompt="a /b" --clear {}',
    "virtualenv": "/opt/tools/bin/python -m virtualenv {}",
    "a Python in a folder with spaces": "/my pythons/python -m venv {}",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("name", [".venv", "a b/.venv", " -m venv /x/.venv", "it's/.venv", "-dash /.venv"])
def test_the_command_in_pyvenv_cfg_ends_with_the_location(work, base, command, name):
    path = made(os.path.join(work, name), base, command=False, activate=False, script=False)
    write(os.path.join(path, "pyvenv.cfg"), f"home = /usr/bin\nCommand = {command.format(path)}\n")
    assert judged(path) is None
    write(os.path.join(path, "pyvenv.cfg"), f"home = /usr/bin\nCommand = {command.format(path)}x\n")
    assert judged(path).startswith("was made elsewhere (in ")


@pytest.mark.parametrize(
    "command",
    ["", "python", "/usr/bin/python3 -m venv", "/usr/bin/python3 -m venv .venv", "/usr/bin/python3 -m other /x"],
)
def test_a_command_without_a_location_records_none(work, base, command):
    path = made(os.path.join(work, ".venv"), base, command=False, script=False)
    write(os.path.join(path, "pyvenv.cfg"), f"home = /usr/bin\ncommand = {command}\n")
    assert judged(path) is None
    os.remove(os.path.join(path, "bin", "activate"))
    assert judged(path) == UNRECORDED


ACTIVATES = {
    "venv to 3.11": 'VIRTUAL_ENV="{}"',
    "venv 3.12": '    export VIRTUAL_ENV=$(cygpath "{0}")\n    export VIRTUAL_ENV="{0}"',
    "venv 3.13": '        VIRTUAL_ENV=$(cygpath "{0}")\n        export VIRTUAL_ENV\n        export VIRTUAL_ENV="{0}"',
    "venv, well quoted": "VIRTUAL_ENV={quoted}",
    "venv 3.13, well quoted": "        VIRTUAL_ENV=$(cygpath {quoted})\n        export VIRTUAL_ENV={quoted}",
    "virtualenv 16": 'VIRTUAL_ENV="{}"\nexport VIRTUAL_ENV',
    "virtualenv 20.0": "VIRTUAL_ENV='{0}'\nif x ; then\n    VIRTUAL_ENV=$(cygpath -u \"$VIRTUAL_ENV\")\nfi",
    "virtualenv 20.27": 'VIRTUAL_ENV={quoted}\n    VIRTUAL_ENV=$(cygpath -u "$VIRTUAL_ENV")',
    "virtualenv 21": '    VIRTUAL_ENV="$CURRENT_ENV"\nelse\n    VIRTUAL_ENV={quoted}\n    VIRTUAL_ENV=$(cygpath "$VIRTUAL_ENV")',
    "uv": "VIRTUAL_ENV='{quoted_inside}'\n    VIRTUAL_ENV=$(cygpath -u \"$VIRTUAL_ENV\")\nexport VIRTUAL_ENV",
}


@pytest.mark.parametrize("text", ACTIVATES.values(), ids=ACTIVATES)
@pytest.mark.parametrize(
    "name",
    [".venv", "a b/.venv", "it's/.venv", "$HOME/.venv", "caf\u00e9/.venv", '"/.venv', "`x`/.venv", "\udce9/.venv"],
)
def test_activate_is_read_as_every_maker_wrote_it(home, work, base, text, name):
    def filled(place):
        inside = place.replace("'", "'\"'\"'")
        return text.format(place, quoted=f"'{inside}'", quoted_inside=inside) + "\n"

    path = made(os.path.join(work, name), base, command=False, activate=False, script=False)
    write(os.path.join(path, "bin", "activate"), filled(path))
    assert judged(path) is None
    write(os.path.join(path, "bin", "activate"), filled(os.path.join(home, name)))
    assert judged(path).startswith(f"was made elsewhere (in {home}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "VIRTUAL_ENV=\n",
        "VIRTUAL_ENV=$HOME\n",
        'VIRTUAL_ENV=\'\'"$(dirname -- "$(dirname -- "$(realpath -- "$SCRIPT_PATH")")")"\'\'\n',
        "MY_VIRTUAL_ENV=/x\n",
        "# VIRTUAL_ENV=/x\n",
        "VIRTUAL_ENV='\n",
    ],
)
def test_an_activate_that_works_it_out_records_nothing(work, base, text):
    path = made(os.path.join(work, ".venv"), base, command=False, script=False)
    write(os.path.join(path, "bin", "activate"), text)
    assert judged(path) == UNRECORDED


SCRIPTS = {
    "plain": "#!{}/bin/python\n",
    "with an option": "#!{}/bin/python3.12 -I\n",
    "with blanks": "#! {}/bin/python3 \n",
    "with the ends of lines of another system": "#!{}/bin/python\r\n",
    "pip, long": "#!/bin/sh\n'''exec' {}/bin/python \"$0\" \"$@\"\n' '''\n",
    "pip, spaces": "#!/bin/sh\n'''exec' \"{}/bin/python\" \"$0\" \"$@\"\n' '''\n",
    "uv": "#!/bin/sh\n'''exec' '{}/bin/python' \"$0\" \"$@\"\n' '''\n",
    "PyPy": "#!{}/bin/pypy3\n",
}


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("gone", [True, False])
def test_scripts_are_read_as_every_installer_wrote_them(home, work, base, text, gone):
    other = made(os.path.join(home, "other", ".venv"), base)
    path = made(os.path.join(work, ".venv"), base, command=False, activate=False, script=False)
    write(os.path.join(path, "bin", "tool"), text.format(path))
    assert judged(path) is None
    write(os.path.join(path, "bin", "tool"), text.format(other))
    if gone:
        shutil.rmtree(other)
    assert judged(path) == elsewhere(other, gone=gone)


@pytest.mark.parametrize("name", ["a b", "it's", 'a"b', "x" * 200])
def test_scripts_in_odd_places_are_read(work, base, name):
    path = made(os.path.join(work, name, ".venv"), base, command=False, activate=False, script=False)
    quoted = path.replace("'", "'\"'\"'")
    for line in (
        f"#!{path}/bin/python\n",
        f"#!/bin/sh\n'''exec' \"{path}/bin/python\" \"$0\"\n",
        f"#!/bin/sh\n'''exec' '{quoted}/bin/python' \"$0\"\n",
    ):
        write(os.path.join(path, "bin", "tool"), line)
        assert judged(path) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x7fELF",
        "#!/bin/sh\necho\n",
        "#!/usr/bin/env bash\n",
        "#!/usr/bin/env python3\n",
        "#!/usr/bin/env /x/y/bin/python\n",
        "#!/usr/bin/python\n",
        "#!/usr/bin/python2.4\n",
        "#!/usr/local/bin/python9.9 -E\n",
        "#!/bin/python\n",
        "#!/opt/perl/bin/perl\n",
        "#!python\n",
        "#!bin/python\n",
        "#!x/bin/python\n",
        "#!{program}\n",
        "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' 'x\n",
        "#!/bin/sh\n'''exec' 'x \"$0\"\n",
        "print('#!/x/y/bin/python')\n",
    ],
)
def test_scripts_for_anything_but_an_environments_python_record_nothing(work, base, text):
    path = made(os.path.join(work, ".venv"), base, command=False, activate=False, script=False)
    write(os.path.join(path, "bin", "tool"), text.format(program=base))
    assert judged(path) == UNRECORDED


def test_links_in_bin_are_not_followed(home, work, base):
    path = made(os.path.join(work, ".venv"), base, command=False, activate=False, script=False)
    write(os.path.join(home, "tool"), f"#!{path}/bin/python\n")
    write(os.path.join(home, "activate"), f"VIRTUAL_ENV={path}\n")
    os.symlink(os.path.join(home, "tool"), os.path.join(path, "bin", "pip"))
    os.symlink(os.path.join(home, "activate"), os.path.join(path, "bin", "activate"))
    assert judged(path) == UNRECORDED


def test_nobody_is_waited_for(venv):
    os.mkfifo(os.path.join(venv, "bin", "a-tool"))
    os.remove(os.path.join(venv, "bin", "activate"))
    os.mkfifo(os.path.join(venv, "bin", "activate"))
    assert judged(venv) is None
    os.remove(os.path.join(venv, "pyvenv.cfg"))
    os.mkfifo(os.path.join(venv, "pyvenv.cfg"))
    assert judged(venv) is None


def test_only_so_many_scripts_are_looked_at(venv, work):
    for number in range(1000):
        write(os.path.join(venv, "bin", f"tool-{number:04}"), f"#!{venv}/bin/python\n")
    write(os.path.join(venv, "bin", "tool-9999"), f"#!{work}/other/.venv/bin/python\n")
    assert judged(venv) is None


def test_only_the_beginning_of_a_script_is_read(venv, work):
    write(os.path.join(venv, "bin", "tool"), "#!" + " " * 1024 + f"{work}/other/.venv/bin/python\n")
    assert judged(venv) is None


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("bin/activate", "VIRTUAL_ENV=" + "/a" * 32_000 + "\n"),
        ("bin/activate", "VIRTUAL_ENV=/\n" * 4_000),
        ("bin/activate", "VIRTUAL_ENV='" + "'\"'\"'" * 12_000 + "\n"),
        ("bin/activate", "VIRTUAL_ENV=$(cygpath " * 2_500),
        ("pyvenv.cfg", "command = x" + " -m venv " * 7_000 + "/x"),
        ("pyvenv.cfg", "command = x -m venv" + " /x" * 21_000),
        ("bin/pip", "#!" + "/bin/python" * 90 + "x"),
        ("bin/pip", "#!/bin/python" + "." * 1000 + "!"),
        ("bin/pip", "#!/bin/sh\n'''exec' " + '"$0' * 300),
    ],
)
def test_hostile_texts_take_no_time(venv, part, text):
    write(os.path.join(venv, part), text)
    started = time.process_time()
    judged(venv)
    assert time.process_time() - started < 1


def test_a_pyvenv_cfg_too_long_to_be_read_whole_is_refused(venv):
    write(os.path.join(venv, "pyvenv.cfg"), "# \n" * 30_000 + "home = tools\n")
    assert judged(venv) == "cannot be looked at (pyvenv.cfg is too long)"


@pytest.mark.parametrize("missing", [".venv", ".venv/pyvenv.cfg", ".venv/bin"])
def test_what_is_not_there_is_not_adopted(venv, work, missing, base):
    path = os.path.join(work, missing)
    os.rename(path, path + ".gone")
    assert judged(venv, base=base) == "cannot be looked at (No such file or directory)"


def test_what_cannot_be_looked_at_is_not_adopted(venv, work, base):
    os.remove(base)
    assert judged(venv, base=base) == "cannot be looked at (No such file or directory)"
    assert judged("/a\0b", base=base).startswith("cannot be looked at (")
    os.symlink(".venv", os.path.join(work, "loop"))
    os.rename(os.path.join(work, "loop"), os.path.join(work, "loop2"))
    os.symlink("loop", os.path.join(work, "loop"))
    assert (
        judged(os.path.join(work, "loop"), base=base) == "cannot be looked at (Too many levels of symbolic links)"
    )


@settings(max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.binary(max_size=300), part=st.sampled_from(["pyvenv.cfg", "bin/activate", "bin/pip"]))
def test_no_bytes_end_in_an_error_or_prove_anything(home, base, text, part):
    path = os.path.join(home, "fuzzed", ".venv")
    shutil.rmtree(path, ignore_errors=True)
    made(path, base, command=False, activate=False, script=False)
    for written in (
        text,
        b"command = /usr/bin/python3 -m venv " + text,
        b"VIRTUAL_ENV=" + text,
        b"#!" + text,
        b"#!/bin/sh\n'''exec' " + text,
    ):
        write(os.path.join(path, part), os.fsdecode(written))
        assert isinstance(judged(path), str)


# -- which file system it is


MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:50 / /mnt/c rw,noatime shared:1 - 9p drvfs rw,aname=drvfs
41 27 0:51 / /mnt/c rw,noatime shared:1 - drvfs C: rw
42 27 0:52 / /mnt/my\040disk\134 rw - vfat /dev/sdb1 rw
43 27 0:53 / /mnt/caf<e9> rw - exfat /dev/sdc1 rw
nonsense
44 27 0:54 / - broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me", "ext4"),
        ("/", "ext4"),
        ("/mnt/c/x", "drvfs"),
        ("/mnt/c", "drvfs"),
        ("/mnt/cd", "ext4"),
        ("/mnt/my disk\\/a", "vfat"),
        ("/mnt/caf\udce9/x", "exfat"),
    ],
)
def test_the_file_system_is_that_of_the_longest_mount_point(home, path, kind):
    mounts = os.path.join(home, "mountinfo")
    with open(mounts, "wb") as file:
        file.write(MOUNTS.encode().replace(b"<e9>", b"\xe9"))
    assert filesystem(path, mounts) == kind


def test_where_the_system_tells_of_no_mounts_the_file_system_is_unknown(home):
    assert filesystem("/", os.path.join(home, "missing")) == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells")
def test_the_file_system_of_proc_is_proc():
    assert filesystem("/proc/self") == "proc"
    assert filesystem("/")


# -- what real makers make


HOME = pwd.getpwuid(os.getuid()).pw_dir  # the user's own, whatever the tests make of the variable
PYTHONS = {
    **{
        os.path.basename(path)[:4].rstrip("."): f"{path}/bin/python"
        for path in sorted(glob(os.path.join(HOME, ".pyenv", "versions", "3.*")))
    },
    "system": "/usr/bin/python3",
    "this": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
}
UV = shutil.which("uv") or os.path.join(TOOLS, "uv", "bin", "uv")
MAKERS = {
    **{f"venv of {name}": [python, "-I", "-m", "venv", "--without-pip"] for name, python in PYTHONS.items()},
    "virtualenv": [sys.executable, "-I", "-m", "virtualenv", "--no-download", "--quiet"],
    "uv": [UV, "venv", "--quiet", "--offline", "--no-config"],
}


@functools.cache
def works(maker):
    return subprocess.run([*MAKERS[maker], "--help"], check=False, capture_output=True).returncode == 0


def make(maker, path, *options):
    if not os.access(MAKERS[maker][0], os.X_OK):
        pytest.skip(f"there is no {MAKERS[maker][0]}")
    if not works(maker):
        pytest.skip(f"{MAKERS[maker][0]} has no {maker}")
    subprocess.run([*MAKERS[maker], *options, path], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["project", "a project", "it's"])
@pytest.mark.parametrize("maker", MAKERS)
def test_what_a_maker_made_here_is_adopted_and_its_copy_is_not(work, home, maker, name):
    path = os.path.join(work, name, ".venv")
    make(maker, path)
    assert judged(path, search=os.environ["PATH"]) is None
    assert judged(copied(path, home), search=os.environ["PATH"]) == elsewhere(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("maker", "name"),
    [
        ("venv of this", "a project"),  # which takes seconds, for ensurepip
        ("virtualenv", "project"),
        ("virtualenv", "a project"),
        ("virtualenv", "x" * 130),
    ],
)
def test_the_scripts_of_pip_tell_where_it_was_made(work, home, maker, name):
    path = os.path.join(work, name, ".venv")
    options = MAKERS[maker]
    make(maker, path) if maker == "virtualenv" else subprocess.run(
        [*options[:-1], path], check=True, capture_output=True
    )
    assert glob(os.path.join(path, "bin", "pip*"))
    for record in (*glob(os.path.join(path, "bin", "activate*")), os.path.join(path, "pyvenv.cfg")):
        write(record, "")
    assert judged(path, search=os.environ["PATH"]) is None
    assert judged(copied(path, home), search=os.environ["PATH"]) == elsewhere(path)


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--relocatable"], ["--relocatable", "--prompt", "/x"]])
def test_what_uv_makes_to_be_moved_records_nothing_and_is_refused(work, options):
    path = os.path.join(work, ".venv")
    make("uv", path, *options)
    assert judged(path, search=os.environ["PATH"]) == UNRECORDED


@pytest.mark.slow
def test_an_environment_of_copies_holds_a_python_of_its_own_and_is_refused(work):
    path = os.path.join(work, ".venv")
    make("venv of this", path, "--copies")
    assert judged(path, base=PYTHONS["this"]) == INSIDE
