from __future__ import annotations

import os

import pytest

from safepip.envs.health import has_doubtful_pip_file, left_by_root
from safepip.envs.verify import sites
from safepip.system.environment import PROBED_PIP_FILES, has_doubtful_pip

ME = os.geteuid() if hasattr(os, "geteuid") else 0
STRANGER = 54321

pytestmark = pytest.mark.skipif(os.name == "nt", reason="owners and modes are POSIX's")
as_root = pytest.mark.skipif(ME != 0, reason="only root can give files away")


def give(path, user):
    """Give a tree away."""
    for folder, folders, files in os.walk(path):
        for name in (".", *folders, *files):
            os.lchown(os.path.join(folder, name), user, user)


@as_root
@pytest.mark.parametrize("inside", ["x", "bin/x", "SITE/x"])
def test_what_root_left_is_found(environment, inside):
    path = os.path.join(environment, inside.replace("SITE", os.path.relpath(sites(environment)[0], environment)))
    give(environment, STRANGER)
    assert left_by_root(environment, STRANGER) is None
    os.mkdir(path)
    assert left_by_root(environment, STRANGER) == path


@as_root
def test_an_environment_that_is_wholly_roots_in_the_users_own_directory_is_found(environment):
    around = os.path.dirname(environment)
    os.lchown(around, STRANGER, STRANGER)
    assert left_by_root(environment, STRANGER) == environment
    os.lchown(around, 0, 0)  # as in /opt, where it is root's on purpose
    assert left_by_root(environment, STRANGER) is None


@as_root
def test_a_link_of_roots_is_no_obstacle_for_pip_renames_it(environment):
    give(environment, STRANGER)
    os.symlink("/usr/bin/env", os.path.join(environment, "bin", "x"))
    assert left_by_root(environment, STRANGER) is None


def test_to_root_nothing_is_left_by_root(environment):
    assert left_by_root(environment, 0) is None


def test_what_cannot_be_looked_at_is_passed_over(work):
    assert left_by_root(f"{work}/gone", ME + 1) is None


@pytest.fixture
def shared(environment, work):
    """An environment with a pip whose file another environment has too."""
    path = os.path.join(sites(environment)[0], "pip", "__init__.py")
    os.makedirs(os.path.dirname(path))
    with open(path, "xb") as file:
        file.write(b"text")
    for name in PROBED_PIP_FILES[1:]:
        other = os.path.join(os.path.dirname(path), name)
        os.makedirs(os.path.dirname(other), exist_ok=True)
        with open(other, "xb") as file:
            file.write(b"text")
    info = os.path.join(sites(environment)[0], "pip-1.0.dist-info")
    os.mkdir(info)
    with open(os.path.join(info, "RECORD"), "x") as file:
        file.write("pip/__init__.py,sha256=x,4\n")
    os.link(path, os.path.join(work, "of-another"))
    return path


def doubtful(environment):
    found = has_doubtful_pip(environment)
    assert has_doubtful_pip_file(environment) is found
    return found


def test_a_shared_pip_that_is_closed_is_fine(environment, shared):
    assert not doubtful(environment)


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_shared_pip_that_others_can_write_is_doubtful(environment, shared, mode):
    os.chmod(shared, mode)
    assert doubtful(environment)


def test_a_pip_of_its_own_may_be_open(environment, shared, work):
    os.chmod(shared, 0o666)
    os.unlink(os.path.join(work, "of-another"))
    assert not doubtful(environment)


@as_root
def test_a_shared_pip_that_was_given_away_is_doubtful(environment, shared):
    os.chown(shared, STRANGER, STRANGER)
    assert doubtful(environment)


def test_a_pip_with_an_empty_file_is_doubtful(environment, shared):
    os.truncate(shared, 0)
    assert doubtful(environment)


def test_a_pip_that_was_replaced_by_another_program_is_left_alone(environment, shared):
    os.truncate(shared, 0)
    os.unlink(os.path.join(os.path.dirname(shared), "_vendor", "rich", "console.py"))
    assert not has_doubtful_pip(environment)


def test_before_a_change_every_file_is_looked_at(environment, shared):
    os.truncate(shared, 3)
    assert has_doubtful_pip_file(environment)
    assert not has_doubtful_pip(environment)


def test_an_environment_without_pip_has_no_doubtful_one(environment, work):
    assert not doubtful(environment)
    assert not doubtful(f"{work}/gone")
