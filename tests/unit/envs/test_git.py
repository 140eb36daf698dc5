from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safepip.envs.git import index_identity, tracks

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="compares with the real git")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")

MANY = [f"src/{kind}/module_{i}.py" for kind in ("one", "two") for i in range(20)] + [
    "README",
    ".venvx/a",
    ".ven",
    "caf\xe9",
]
INSIDE = ".venv/lib/python3.12/site-packages/x.pth"
# git reads the formats of its index itself: two are enough to see that it is asked for what lies in either.
WRITERS = {"in one file": ["--no-split-index"], "split": ["--split-index"]}


def git(*words, cwd, check=True):
    names = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {**os.environ, **names, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    options = ["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]
    asked = subprocess.run(
        ["git", *options, *words], cwd=cwd, env=environ, capture_output=True, text=True, check=check
    )
    return asked.stdout


def write(root, *names):
    for name in names:
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(os.fsencode(name))


@pytest.fixture
def repository(work):
    """A repository with many files, and an environment that git does not know of yet."""
    git("init", "-q", cwd=work)
    write(work, *MANY)
    git("add", ".", cwd=work)
    write(work, INSIDE, ".venv/pyvenv.cfg")
    return work


@pytest.fixture
def path(work):
    return os.path.join(work, ".venv")


def index_of(root):
    return os.path.join(root, ".git", "index")


def replace_index(root, data):
    with open(index_of(root), "wb") as file:
        file.write(data)


# -- as git writes it


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_an_environment_that_git_does_not_track_is_not_tracked(repository, path, writer):
    git("update-index", *writer, cwd=repository)
    assert not tracks(repository, path)


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_one_file_in_it_is_enough(repository, path, writer):
    git("update-index", *writer, cwd=repository)
    git("add", "-f", INSIDE, cwd=repository)
    assert tracks(repository, path)


def test_what_is_only_meant_to_be_added_counts(repository, path):
    git("add", "-N", "-f", INSIDE, cwd=repository)
    assert tracks(repository, path)


def test_what_git_shall_not_look_at_counts(repository, path):
    git("add", "-f", INSIDE, cwd=repository)
    git("update-index", "--skip-worktree", INSIDE, cwd=repository)
    assert tracks(repository, path)


def test_files_that_git_skips_do_not_hide_the_others(repository, path):
    git("update-index", "--skip-worktree", *MANY[:5], cwd=repository)
    assert not tracks(repository, path)
    git("add", "-f", INSIDE, cwd=repository)
    assert tracks(repository, path)


def test_what_is_tracked_and_deleted_on_disk_counts(repository, path):
    git("add", "-f", INSIDE, cwd=repository)
    os.remove(os.path.join(repository, INSIDE))
    assert tracks(repository, path)


def test_what_was_taken_out_of_the_index_does_not(repository, path):
    git("add", "-f", INSIDE, cwd=repository)
    git("commit", "-qm", "x", cwd=repository)
    assert tracks(repository, path)
    git("rm", "-rq", "--cached", ".venv", cwd=repository)
    assert not tracks(repository, path)


def test_what_is_in_conflict_counts(repository, path):
    git("commit", "-qm", "base", cwd=repository)
    for branch in ("one", "two"):
        git("checkout", "-qb", branch, "main", cwd=repository)
        write(repository, ".venv/pyvenv.cfg")
        with open(os.path.join(path, "pyvenv.cfg"), "a") as file:
            file.write(branch)
        git("add", "-f", ".venv/pyvenv.cfg", cwd=repository)
        git("commit", "-qm", branch, cwd=repository)
    git("merge", "one", cwd=repository, check=False)
    assert "U" in git("status", "--porcelain", cwd=repository) or "AA" in git(
        "status", "--porcelain", cwd=repository
    )
    assert tracks(repository, path)


def test_what_is_ignored_is_not_tracked(repository, path):
    write(path, ".gitignore")
    with open(os.path.join(path, ".gitignore"), "w") as file:
        file.write("*\n")
    git("add", "-A", cwd=repository)
    assert not tracks(repository, path)


def test_a_tracked_link_counts_and_so_does_its_tracked_target(repository, path):
    os.rename(path, path + "-real")
    os.symlink(".venv-real", path)
    assert not tracks(repository, path)
    git("add", "-f", ".venv", cwd=repository)
    assert tracks(repository, path)
    assert not tracks(repository, path + "-real")


def test_a_submodule_in_its_place_counts(repository, path, home):
    other = os.path.join(home, "other")
    shutil.move(path, other)
    git("init", "-q", cwd=other)
    git("add", ".", cwd=other)
    git("commit", "-qm", "x", cwd=other)
    git("submodule", "--quiet", "add", other, ".venv", cwd=repository)
    assert tracks(repository, path)


def test_neighbours_with_like_names_do_not_count(repository, work):
    for name, tracked in (
        (".ven", True),
        (".venvx", True),
        (".venvx/a", True),
        (".v", False),
        (".venvx/a/b", False),
    ):
        assert tracks(repository, os.path.join(work, name)) is tracked


def test_the_root_itself_as_environment_counts_as_soon_as_anything_is_tracked(repository, home):
    assert tracks(repository, repository)
    assert tracks(repository, repository + "/")
    empty = os.path.join(home, "empty")
    git("init", "-q", empty, cwd=home)
    assert not tracks(empty, empty)


def test_names_that_are_no_text(repository, work):
    name = os.fsdecode(b"env-\xff\xe9")
    write(work, f"{name}/pyvenv.cfg")
    assert not tracks(repository, os.path.join(work, name))
    git("add", name, cwd=repository)
    assert tracks(repository, os.path.join(work, name))


def test_many_orders_of_the_same_answer_as_git_itself(repository, work):
    folders = ["a", "a/b", "a/b/.venv", "a-b", "A", ".venv"]
    write(work, *(f"{folder}/f" for folder in folders))
    for folder in folders:
        git("add", "-f", f"{folder}/f", cwd=repository)
        for asked in folders:
            named = bool(git("ls-files", "--", asked, cwd=repository))
            assert tracks(repository, os.path.join(work, asked)) is named, (folder, asked)


# -- split


def test_a_split_index_names_what_the_shared_one_holds(repository, path):
    git("add", "-f", INSIDE, cwd=repository)
    git("update-index", "--split-index", cwd=repository)
    git("add", "README", cwd=repository)
    with open(index_of(repository), "rb") as file:
        assert INSIDE.encode() not in file.read()
    assert tracks(repository, path)


def shared_of(root):
    return next(name for name in os.listdir(os.path.join(root, ".git")) if name.startswith("sharedindex."))


def damage_missing(shared):
    os.remove(shared)


def damage_cut(shared):
    os.truncate(shared, 100)


@pytest.mark.parametrize("damage", [damage_missing, damage_cut])
def test_a_split_index_whose_shared_one_is_not_right_counts_as_tracked(repository, path, damage):
    git("update-index", "--split-index", cwd=repository)
    damage(os.path.join(repository, ".git", shared_of(repository)))
    assert tracks(repository, path)


# -- sparse


@pytest.fixture
def sparse(repository, work):
    write(work, "kept/a", "left/out/b")
    git("add", "kept", "left", cwd=repository)
    git("commit", "-qm", "x", cwd=repository)
    git("sparse-checkout", "set", "--cone", "--sparse-index", "kept", cwd=repository)
    with open(index_of(repository), "rb") as file:
        assert b"sdir" in file.read()
    return repository


def test_a_sparse_index_is_read(sparse, path):
    write(sparse, INSIDE)
    assert not tracks(sparse, path)
    git("add", "-f", "--sparse", INSIDE, cwd=sparse)
    assert tracks(sparse, path)


def test_a_folder_that_a_sparse_index_only_names_is_looked_into(sparse, work):
    for inside, tracked in (("left", True), ("left/out", True), ("left/.venv", False), ("left/out/.venv", False)):
        assert tracks(sparse, os.path.join(work, inside)) is tracked


# -- where the repository is


def test_no_repository_tracks_nothing(work, path):
    assert not tracks(work, path)
    assert index_identity(work) == ""


def test_a_repository_without_an_index_tracks_nothing(work, path):
    git("init", "-q", cwd=work)
    assert not tracks(work, path)
    os.makedirs(os.path.join(work, "sub", ".git"))
    assert not tracks(os.path.join(work, "sub"), os.path.join(work, "sub", ".venv"))


def test_the_repository_is_found_from_below(repository, work):
    write(work, "deep/er/.venv/pyvenv.cfg")
    folder, environment = os.path.join(work, "deep", "er"), os.path.join(work, "deep", "er", ".venv")
    assert not tracks(folder, environment)
    git("add", "-f", "deep", cwd=repository)
    assert tracks(folder, environment)


def test_is_found_from_git_s_own_directory(repository, path):
    git("add", "-f", INSIDE, cwd=repository)
    assert tracks(os.path.join(repository, ".git"), path)


def test_an_empty_git_directory_on_the_way_hides_nothing(repository, work):
    write(work, "sub/.venv/pyvenv.cfg")
    git("add", "-f", "sub", cwd=repository)
    os.mkdir(os.path.join(work, "sub", ".git"))
    assert tracks(os.path.join(work, "sub"), os.path.join(work, "sub", ".venv"))


def test_is_found_through_links(repository, path, home):
    git("add", "-f", INSIDE, cwd=repository)
    link = os.path.join(home, "link")
    os.symlink(repository, link)
    assert tracks(link, os.path.join(link, ".venv"))


def test_what_lies_outside_is_not_tracked(repository, home):
    assert not tracks(repository, os.path.join(home, "README"))


def test_git_s_variables_have_no_say(repository, path, monkeypatch, home):
    git("add", "-f", INSIDE, cwd=repository)
    monkeypatch.setenv("GIT_DIR", os.path.join(home, "none"))
    monkeypatch.setenv("GIT_INDEX_FILE", os.path.join(home, "none"))
    assert tracks(repository, path)


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_worktree_has_an_index_of_its_own(repository, home, path, writer):
    git("commit", "-qm", "x", cwd=repository)
    tree = os.path.join(home, "tree")
    git("worktree", "add", "-q", tree, cwd=repository)
    git("update-index", *writer, cwd=tree)
    write(tree, INSIDE)
    assert not tracks(tree, os.path.join(tree, ".venv"))
    git("add", "-f", INSIDE, cwd=tree)
    assert tracks(tree, os.path.join(tree, ".venv"))
    assert not tracks(repository, path)


def test_a_submodule_has_an_index_of_its_own(repository, home, work):
    other = os.path.join(home, "other")
    write(other, "a")
    git("init", "-q", cwd=other)
    git("add", ".", cwd=other)
    git("commit", "-qm", "x", cwd=other)
    git("submodule", "--quiet", "add", other, "sub", cwd=repository)
    sub = os.path.join(work, "sub")
    assert os.path.isfile(os.path.join(sub, ".git"))
    write(sub, INSIDE)
    assert not tracks(sub, os.path.join(sub, ".venv"))
    git("add", "-f", INSIDE, cwd=sub)
    assert tracks(sub, os.path.join(sub, ".venv"))


def test_a_worktree_whose_repository_is_elsewhere_now_tracks_nothing(work, path):
    """A container sees a mounted worktree or submodule, and not what its `.git` names."""
    with open(os.path.join(work, ".git"), "w") as file:
        file.write("gitdir: /nowhere/.git/worktrees/x\n")
    assert not tracks(work, path)
    assert "nowhere" in index_identity(work)


@pytest.mark.parametrize(
    "text", ["", "gitdir:", "gitdir: ", "gitdir: \n", "x" * 100, "gitdir: " + "x" * 70_000, "gitdir: a\0b"]
)
def test_a_git_file_that_names_nothing_counts_as_tracked(work, path, text):
    with open(os.path.join(work, ".git"), "w") as file:
        file.write(text)
    assert tracks(work, path)
    assert index_identity(work) == "?"


def test_a_git_that_is_neither_file_nor_directory_is_passed_over(work, path):
    os.mkfifo(os.path.join(work, ".git"))
    assert not tracks(work, path)
    os.remove(os.path.join(work, ".git"))
    os.symlink("nowhere", os.path.join(work, ".git"))
    assert not tracks(work, path)


def test_what_is_no_path_counts_as_tracked(repository):
    assert tracks("/a\0b", "/a\0b/.venv")
    assert index_identity("/a\0b") == "?"


@as_root
def test_the_repository_of_another_user_has_no_say_if_owners_are_given(repository, path):
    git("add", "-f", INSIDE, cwd=repository)
    os.chown(os.path.join(repository, ".git"), 2001, 2001)
    assert tracks(repository, path)
    assert tracks(repository, path, frozenset({0, 2001}))
    assert not tracks(repository, path, frozenset({0, 2002}))
    assert index_identity(repository, frozenset({0})) == ""


# -- other spellings


def test_another_spelling_counts_only_where_it_is_the_same_file(repository, work):
    """On a file system that takes .VENV for .venv a repository can bring the one by the name of the other."""
    write(work, "ENV", "env")
    git("add", "-f", "ENV", cwd=repository)
    assert not tracks(repository, os.path.join(work, "env"))
    os.remove(os.path.join(work, "env"))
    os.link(os.path.join(work, "ENV"), os.path.join(work, "env"))
    assert tracks(repository, os.path.join(work, "env"))


def test_another_spelling_that_is_not_there_does_not_count(repository, path, work):
    write(work, ".VENV/a")
    git("add", "-f", ".VENV", cwd=repository)
    shutil.rmtree(os.path.join(work, ".VENV"))
    assert not tracks(repository, path)


# -- what changes the answer


def test_the_identity_stays_while_nothing_changes(repository):
    assert index_identity(repository) == index_identity(repository) != ""


def test_the_identity_changes_with_the_index(repository):
    before = index_identity(repository)
    git("add", "-f", INSIDE, cwd=repository)
    assert index_identity(repository) != before


def test_the_identity_changes_with_the_first_index(work):
    git("init", "-q", cwd=work)
    before = index_identity(work)
    write(work, "a")
    git("add", "a", cwd=work)
    assert "" != before != index_identity(work)


def test_the_identity_changes_with_the_shared_index(repository):
    git("update-index", "--split-index", cwd=repository)
    before = index_identity(repository)
    os.utime(os.path.join(repository, ".git", shared_of(repository)), (1, 1))
    assert index_identity(repository) != before


def test_the_identity_changes_with_size_and_times_put_back(repository):
    before, found = index_identity(repository), os.stat(index_of(repository))
    with open(index_of(repository), "r+b") as file:
        file.write(b"dirc")
    os.utime(index_of(repository), ns=(found.st_atime_ns, found.st_mtime_ns))
    assert index_identity(repository) != before


# -- what is not an index


@pytest.mark.parametrize("data", [b"", b"text", b"DIRC\0\0\0\x09\0\0\0\0" + bytes(20)])
def test_a_damaged_index_counts_as_tracked(repository, path, data):
    replace_index(repository, data)
    assert tracks(repository, path)


def test_without_git_everything_in_a_repository_counts_as_tracked(repository, path, monkeypatch, home):
    monkeypatch.setenv("PATH", home)
    assert tracks(repository, path)


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink("index", path)],
)
def test_an_index_that_is_no_file_counts_as_tracked_and_nobody_is_waited_for(repository, path, make):
    os.remove(index_of(repository))
    make(index_of(repository))
    assert tracks(repository, path)
    assert index_identity(repository)


fuzzed = settings(max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzzed
@given(text=st.binary(max_size=200))
def test_no_git_file_ends_in_an_error(home, text):
    root = os.path.join(home, "fuzzed")
    os.makedirs(root, exist_ok=True)
    for written in (text, b"gitdir: " + text):
        with open(os.path.join(root, ".git"), "wb") as file:
            file.write(written)
        assert tracks(root, os.path.join(root, ".venv")) in {True, False}
        assert index_identity(root)


# -- a repository that wants to run something


def hostile_programs(home):
    """Return a program that leaves a trace when it runs, and the trace."""
    trace = os.path.join(home, "trace")
    program = os.path.join(home, "evil")
    with open(program, "w") as file:
        file.write(f"#!/bin/sh\necho ran >> {trace}\n")
    os.chmod(program, 0o755)
    return program, trace


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_nothing_that_the_repository_names_is_run(repository, path, home, writer):
    git("update-index", *writer, cwd=repository)
    program, trace = hostile_programs(home)
    hooks = os.path.join(repository, ".git", "hooks")
    os.makedirs(hooks, exist_ok=True)
    for hook in ("post-index-change", "post-checkout", "fsmonitor-watchman", "reference-transaction"):
        shutil.copy(program, os.path.join(hooks, hook))
    settings = {
        "core.fsmonitor": program, "core.hooksPath": hooks, "core.sshCommand": program, "core.pager": program,
        "core.editor": program, "core.askPass": program, "core.gitProxy": program, "pager.ls-files": program,
        "alias.ls-files": f"!{program}", "filter.x.clean": program, "filter.x.process": program,
        "diff.external": program, "credential.helper": f"!{program}", "core.worktree": "/",
        "gpg.program": program, "uploadpack.packObjectsHook": program, "trace2.eventTarget": trace,
    }  # fmt: skip
    for name, value in settings.items():
        git("config", "-f", os.path.join(repository, ".git", "config"), name, value, cwd=home)
    write(repository, ".gitattributes")
    assert not tracks(repository, path)
    assert not os.path.exists(trace)


def test_a_missing_tree_of_a_sparse_index_is_not_fetched(sparse, home):
    """A promisor remote may name any program as its upload-pack; to expand the index git would start it."""
    program, trace = hostile_programs(home)
    settings = {
        "remote.origin.url": home, "remote.origin.promisor": "true", "remote.origin.uploadpack": program,
        "remote.origin.partialclonefilter": "tree:0", "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1", "protocol.allow": "always",
    }  # fmt: skip
    for name, value in settings.items():
        git("config", name, value, cwd=sparse)
    shutil.rmtree(os.path.join(sparse, ".git", "objects"))
    os.makedirs(os.path.join(sparse, ".git", "objects"))
    git("ls-files", cwd=sparse, check=False)
    assert os.path.exists(trace), "git itself runs it, else this proves nothing"
    os.remove(trace)
    assert tracks(sparse, os.path.join(sparse, "left", ".venv"))
    assert not os.path.exists(trace)
