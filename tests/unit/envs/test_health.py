from __future__ import annotations

import os

import pytest

from safepip.envs.health import left_by_root, shares_opened_pip
from safepip.envs.inventory import sites

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
    with open(path, "xb"):
        pass
    os.link(path, os.path.join(work, "of-another"))
    return path


def test_a_shared_pip_that_is_closed_is_fine(environment, shared):
    assert not shares_opened_pip(environment, ME)


@pytest.mark.parametrize(
    ("mode", "umask", "opened"), [(0o666, 0o022, True), (0o664, 0o002, False), (0o664, 0o022, True)]
)
def test_a_shared_pip_that_others_may_write_is_told_of(environment, shared, mode, umask, opened):
    os.chmod(shared, mode)
    os.umask(umask)
    assert shares_opened_pip(environment, ME) is opened


def test_a_pip_of_its_own_may_be_open(environment, shared, work):
    os.chmod(shared, 0o666)
    os.unlink(os.path.join(work, "of-another"))
    assert not shares_opened_pip(environment, ME)


@as_root
def test_a_shared_pip_that_was_given_away_is_told_of(environment, shared):
    os.chown(shared, STRANGER, STRANGER)
    assert shares_opened_pip(environment, ME)
    assert not shares_opened_pip(environment, STRANGER)


def test_where_there_is_no_pip_nothing_is_shared(environment):
    assert not shares_opened_pip(environment, ME)
