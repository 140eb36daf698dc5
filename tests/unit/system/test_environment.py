from __future__ import annotations

import os
import shutil
import sys

import pytest

from safepip.core.record import replace
from safepip.core.world import ABSENT, BROKEN, OTHER_SYSTEM, UNFINISHED, UNTRUSTED, USABLE
from safepip.system.environment import (
    CONFIG,
    CREATING,
    configuration,
    examine,
    is_conda,
    is_environment,
    is_finished_by_another,
    of_python,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layout of POSIX")

MINOR = "{}.{}".format(*sys.version_info)
LIB = f"lib/python{MINOR}"


def trusting(path, base):
    return None


@pytest.fixture
def look(base):
    """Examine a path; the interpreter outside is asked once a session, and nothing else may be asked."""

    def interview(path):
        if os.path.realpath(path) == base.real:
            return base
        return f"{path} cannot be read"

    return lambda path: examine(path, interview, trusting)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def reconfigure(environment, **values):
    kept = {**configuration(environment), **values}
    write(os.path.join(environment, CONFIG), "".join(f"{k} = {v}\n" for k, v in kept.items() if v is not None))


def remove(environment, name):
    path = os.path.join(environment, name)
    shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


# -- whole ones


def test_a_finished_one_is_usable(environment, look, base):
    found = look(environment)
    assert (found.state, found.reason, found.path, found.known_as) == (USABLE, "", environment, environment)
    assert found.python == os.path.join(environment, "bin", "python")
    assert found.version == MINOR
    assert found.site == os.path.join(environment, LIB, "site-packages")
    assert found.base == base
    assert (found.has_pip, found.sees_system) == (False, False)


def test_it_is_started_as_its_own_launcher_says(environment, look):
    write(os.path.join(environment, "bin/pip"), f"#!{environment}/bin/python3\n")
    assert look(environment).python == os.path.join(environment, "bin", "python3")


def test_pip_is_seen(environment, look):
    write(os.path.join(environment, LIB, "site-packages/pip/__init__.py"), "")
    assert look(environment).has_pip


@pytest.mark.parametrize(("text", "sees"), [("true", True), ("True", True), ("false", False), ("yes", False)])
def test_it_is_known_whether_it_sees_the_systems_packages(environment, look, text, sees):
    reconfigure(environment, **{"include-system-site-packages": text})
    assert look(environment).sees_system is sees


def test_nothing_in_it_is_run(environment, look, home):
    python = os.path.join(environment, "bin", "python")
    os.unlink(python)
    write(python, f"#!/bin/sh\ntouch {home}/ran\n")
    os.chmod(python, 0o755)
    look(environment)
    assert not os.path.exists(os.path.join(home, "ran"))


@pytest.mark.parametrize("name", ["activate", "Activate.ps1", "activate.fish", "python3"])
def test_what_is_not_needed_may_be_missing(environment, look, name):
    remove(environment, f"bin/{name}")
    assert look(environment).state == USABLE


def test_a_python_that_is_a_copy_stands_on_the_one_in_pyvenv_cfg(environment, look, base):
    python = os.path.join(environment, "bin", "python")
    os.unlink(python)
    shutil.copy(base.real, python)
    reconfigure(environment, **{"base-executable": base.real})
    assert look(environment).base == base


def test_a_python_that_is_a_copy_may_be_known_by_its_home_alone(environment, look, base):
    name = os.path.basename(base.real)
    os.unlink(os.path.join(environment, "bin", "python"))
    if os.path.lexists(os.path.join(environment, "bin", name)):
        os.unlink(os.path.join(environment, "bin", name))
    shutil.copy(base.real, os.path.join(environment, "bin", name))
    os.symlink(name, os.path.join(environment, "bin", "python"))
    reconfigure(environment, home=os.path.dirname(base.real), **{"base-executable": None})
    assert look(environment).base == base


# -- what may be gone


def test_absent(work, look):
    path = os.path.join(work, ".venv")
    assert (look(path).state, look(path).path) == (ABSENT, path)


@pytest.mark.parametrize(
    ("gone", "reason"),
    [
        ("pyvenv.cfg", "is not an environment: it has no pyvenv.cfg"),
        ("bin/python", f"was made with Python {MINOR}, which is gone"),
        ("bin", f"was made with Python {MINOR}, which is gone"),
    ],
)
def test_what_is_missing_is_said(environment, look, gone, reason):
    remove(environment, gone)
    found = look(environment)
    assert (found.state, found.reason, found.other_system) == (BROKEN, reason, False)


@pytest.mark.parametrize("gone", [f"{LIB}/site-packages", LIB, "lib"])
def test_site_packages_that_are_missing_are_just_empty(environment, look, gone):
    """Pip removes the folder with the last package in it."""
    remove(environment, gone)
    assert (look(environment).state, look(environment).has_pip) == (USABLE, False)


def test_a_python_that_is_gone_is_said(environment, look):
    os.unlink(os.path.join(environment, "bin", "python"))
    os.symlink("/gone/bin/python3.9", os.path.join(environment, "bin", "python"))
    reconfigure(environment, version="3.9.2")
    assert look(environment).reason == "was made with Python 3.9, which is gone"


@pytest.mark.parametrize(
    ("values", "libraries", "version"),
    [
        ({"version": "3.9.2"}, "lib/python3.1", "3.9"),
        ({"version": None, "version_info": "3.8.1.final.0"}, "lib/python3.1", "3.8"),
        ({"version": None, "version_info": None, "python-version": "3.9"}, "lib/python3.1", "3.9"),
        ({"version": None, "version_info": None}, "lib/python3.7", "3.7"),
        ({"version": None, "version_info": None}, None, "?"),
    ],
)
def test_the_version_that_made_it_is_looked_for(environment, look, values, libraries, version):
    remove(environment, "bin/python")
    remove(environment, "lib")
    if libraries:
        os.makedirs(os.path.join(environment, libraries))
    reconfigure(environment, **values)
    assert look(environment).reason == f"was made with Python {version}, which is gone"


def test_a_python_that_became_another_version_is_said(environment, look):
    """A distribution's upgrade: bin/python3 is a link to what now is a newer Python."""
    os.rename(os.path.join(environment, LIB), os.path.join(environment, "lib/python3.2"))
    reconfigure(environment, version="3.2.1")
    assert look(environment).reason == f"was made with Python 3.2, which is gone: its Python is {MINOR} now"


def test_a_python_that_cannot_be_run_is_said(environment, look):
    python = os.path.join(environment, "bin", "python")
    os.unlink(python)
    write(python, "")
    os.chmod(python, 0o644)
    assert look(environment).reason == f"has a {python} that cannot be run"


def test_a_base_that_does_not_answer_is_said(environment):
    found = examine(environment, lambda path: f"{path} does not answer", trusting)
    assert found.state == BROKEN
    assert found.reason.startswith(f"was made with Python {MINOR}, which is gone (")


def test_a_copy_whose_home_is_gone_is_broken(environment, look):
    python = os.path.join(environment, "bin", "python")
    os.unlink(python)
    shutil.copy("/bin/sh", python)
    reconfigure(environment, home="/gone/bin", **{"base-executable": None})
    assert look(environment).state == BROKEN


def test_another_systems_layout_is_said(work, look):
    path = os.path.join(work, ".venv")
    write(os.path.join(path, CONFIG), "home = C:\\Python312\nversion = 3.12.1\n")
    write(os.path.join(path, "Scripts/python.exe"), "")
    found = look(path)
    assert (found.state, found.reason, found.other_system) == (BROKEN, OTHER_SYSTEM, True)


def test_a_directory_with_other_things_in_it_is_no_environment(work, look):
    path = os.path.join(work, ".venv")
    write(os.path.join(path, "mine.txt"), "")
    assert (look(path).state, look(path).reason) == (BROKEN, "is not an environment: it has no pyvenv.cfg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_directory_that_cannot_be_read_is_said(work, look):
    path = os.path.join(work, ".venv")
    os.mkdir(path, 0o300)
    found = look(path)
    os.chmod(path, 0o700)
    assert (found.state, found.reason) == (BROKEN, "cannot be read: Permission denied")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_said(work, look):
    path = os.path.join(work, ".venv")
    write(path, "x")
    os.chmod(path, 0)
    assert (look(path).state, look(path).reason) == (BROKEN, "cannot be read")


# -- conda's, and pixi's


@pytest.fixture
def conda(work, base):
    """An environment as conda makes it: with a Python of its own, and no pyvenv.cfg."""
    path = os.path.join(work, "conda")
    write(os.path.join(path, "conda-meta/history"), "")
    write(os.path.join(path, "bin/python"), "binary")
    os.chmod(os.path.join(path, "bin/python"), 0o755)
    own = replace(base, path=os.path.join(path, "bin/python"), real=os.path.join(path, "bin/python"))
    return path, own


def test_a_conda_environment_is_usable_and_its_own_base(conda):
    path, own = conda
    found = examine(path, {own.path: own}.__getitem__, trusting)
    assert (found.state, found.python, found.base, found.version) == (USABLE, own.path, own, MINOR)
    assert found.site == os.path.join(path, own.site)


@pytest.mark.parametrize("gone", ["bin/python", "bin"])
def test_a_conda_environment_without_python_is_broken(conda, gone):
    path, own = conda
    remove(path, gone)
    found = examine(path, {own.path: own}.__getitem__, trusting)
    assert (found.state, found.reason) == (BROKEN, f"cannot be used: there is no Python in {path}")


def test_a_conda_environment_whose_python_does_not_answer_is_broken(conda):
    found = examine(conda[0], lambda path: f"{path} does not answer", trusting)
    assert (found.state, found.reason) == (BROKEN, f"cannot be used: {conda[1].path} does not answer")


def test_condas_base_is_no_environment(conda):
    path, own = conda
    assert is_conda(path)
    assert of_python(own.path) == path
    os.mkdir(os.path.join(path, "condabin"))
    assert not is_conda(path)
    assert of_python(own.path) is None
    assert examine(path, {own.path: own}.__getitem__, trusting).state == BROKEN


def test_a_conda_environment_that_is_marked_counts_by_its_marker(conda):
    path, own = conda
    write(os.path.join(path, LIB, "EXTERNALLY-MANAGED"), "")
    assert not is_conda(path)
    assert of_python(own.path) is None


@pytest.mark.parametrize("where", ["lib", "lib/other", "lib/pythonic/site-packages", "share"])
def test_a_marker_elsewhere_in_a_conda_environment_means_nothing(conda, where):
    write(os.path.join(conda[0], where, "EXTERNALLY-MANAGED"), "")
    assert is_conda(conda[0])


def test_a_conda_environment_is_started_as_its_own_launcher_says(conda, base):
    path, own = conda
    os.symlink("python", os.path.join(path, "bin/python3.12"))
    write(os.path.join(path, "bin/pip"), f"#!{path}/bin/python3.12\n")
    found = examine(path, {own.path: own}.__getitem__, trusting)
    assert found.python == os.path.join(path, "bin/python3.12")


# -- links and other files


def test_a_link_to_one_serves(environment, work, look):
    link = os.path.join(work, "link")
    os.symlink(".venv", link)
    assert (look(link).state, look(link).path) == (USABLE, link)


@pytest.mark.parametrize("target", ["gone", ".venv"], ids=["dangling", "a loop"])
def test_a_link_to_nothing_is_broken(work, look, target):
    path = os.path.join(work, ".venv")
    os.symlink(target, path)
    assert (look(path).state, look(path).reason) == (BROKEN, "is a link to nothing")


def test_a_fifo_is_not_waited_for(work, look):
    path = os.path.join(work, ".venv")
    os.mkfifo(path)
    assert (look(path).state, look(path).reason) == (BROKEN, "is not a directory")


def test_a_fifo_in_place_of_pyvenv_cfg_is_not_waited_for(environment, look):
    remove(environment, CONFIG)
    os.mkfifo(os.path.join(environment, CONFIG))
    assert look(environment).state == BROKEN


# -- redirect files


@pytest.fixture
def redirect(work, look):
    def redirect(text):
        path = os.path.join(work, "p", ".venv")
        write(path, text)
        return look(path)

    return redirect


@pytest.mark.parametrize(
    "text", ["../.venv", "../.venv\n", " \t../.venv \r\nmore\n", "../../work/.venv/\n", "{}\n"]
)
def test_a_redirect_is_followed(environment, work, redirect, text):
    found = redirect(text.format(environment))
    assert (found.state, found.path, found.known_as) == (USABLE, environment, os.path.join(work, "p", ".venv"))


def test_a_redirect_to_the_bare_name_of_one_beside_it_is_followed(environment, work, redirect):
    os.makedirs(os.path.join(work, "p"))
    os.rename(environment, os.path.join(work, "p", "mine"))
    assert redirect("mine\n").path == os.path.join(work, "p", "mine")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("../gone\n", "does not exist"),
        ("/gone", "does not exist"),
        ("..", "is not an environment"),
        (".", "is not an environment"),
        ("./", "is not an environment"),
    ],
)
def test_a_redirect_to_nothing_may_be_moved_away(work, redirect, text, why):
    found = redirect(text)
    target = os.path.normpath(os.path.join(work, "p", text.strip()))
    assert (found.state, found.reason, found.never_environment) == (
        BROKEN,
        f"points at {target}, which {why}",
        True,
    )


@pytest.mark.parametrize("text", ["", "\n", " \n", "blog-3.12\n", "\n../.venv\n", "a\0/b\n", "caf\udce9"])
def test_another_tools_name_may_be_moved_away(environment, redirect, text):
    found = redirect(text)
    assert (found.state, found.never_environment) == (BROKEN, True)


@pytest.mark.parametrize("text", ["a\0/b\n", "caf\udce9\n", "\x7fELF\x02/\x01", "\x1b[31m/x\n"])
def test_bytes_that_are_not_text_are_not_repeated(redirect, text):
    found = redirect(text)
    assert (found.state, found.reason) == (BROKEN, "is not a redirect (not text)")


def test_a_redirect_to_an_unfinished_one_says_so(environment, redirect):
    write(os.path.join(environment, CREATING), "token")
    reconfigure(environment, **{"safepip-creation": "token"})
    assert redirect("../.venv").state == UNFINISHED


def test_a_redirect_to_a_redirect_is_no_environment(environment, work, redirect):
    write(os.path.join(work, "other"), "./.venv\n")
    assert redirect("../other").state == BROKEN


# -- unfinished ones


def test_a_creation_that_begins_while_it_is_looked_at_is_unfinished(work, look, monkeypatch):
    path = os.path.join(work, ".venv")
    os.makedirs(path)

    def begin(at):
        write(os.path.join(path, CREATING), "token")
        os.makedirs(os.path.join(path, "bin"), exist_ok=True)
        return False

    monkeypatch.setattr("safepip.system.environment.is_environment", begin)
    assert look(path).state == UNFINISHED


def test_an_empty_directory_is_to_be_finished(work, look):
    path = os.path.join(work, ".venv")
    os.mkdir(path)
    assert look(path).state == UNFINISHED


@pytest.mark.parametrize("stage", ["the mark alone", "all but the configuration", "all but the end"])
def test_one_with_the_mark_is_to_be_finished(environment, look, stage):
    write(os.path.join(environment, CREATING), "token")
    if stage == "all but the end":
        reconfigure(environment, **{"safepip-creation": "token"})
    else:
        remove(environment, CONFIG)
    if stage == "the mark alone":
        remove(environment, "bin")
        remove(environment, "lib")
    assert look(environment).state == UNFINISHED


@pytest.mark.parametrize("token", [None, "another"])
def test_one_that_another_tool_finished_is_finished(environment, look, token):
    write(os.path.join(environment, CREATING), "token")
    reconfigure(environment, **{"safepip-creation": token})
    assert is_finished_by_another(environment)
    assert look(environment).state == USABLE


def test_a_configuration_in_the_making_finishes_nothing(environment, look):
    write(os.path.join(environment, CREATING), "token")
    write(os.path.join(environment, CONFIG), "")
    assert look(environment).state == UNFINISHED


@pytest.mark.parametrize("names", [[".safepip/"], [".lock"], [".lock", ".safepip/creating.0a1b"]])
def test_what_precedes_the_mark_is_unfinished_too(work, look, names):
    path = os.path.join(work, ".venv")
    for name in names:
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        if not name.endswith("/"):
            write(os.path.join(path, name), "")
    assert look(path).state == UNFINISHED


@pytest.mark.parametrize("name", ["mine", ".safepip/journal", ".safepip/mine"])
def test_with_anything_else_in_it_it_is_no_beginning(work, look, name):
    path = os.path.join(work, ".venv")
    write(os.path.join(path, name), "")
    assert look(path).state == BROKEN


def test_an_empty_mark_began_nothing(work, look):
    path = os.path.join(work, ".venv")
    write(os.path.join(path, CREATING), "")
    assert not is_finished_by_another(path)
    assert look(path).state == UNFINISHED


def test_the_mark_removed_it_is_finished(environment, look):
    write(os.path.join(environment, CREATING), "token")
    reconfigure(environment, **{"safepip-creation": "token"})
    remove(environment, CREATING)
    assert look(environment).state == USABLE


@pytest.mark.parametrize("token", ["token\n", " token", "TOKEN", "token\0"])
def test_the_token_counts_as_it_stands(environment, look, token):
    write(os.path.join(environment, CREATING), token)
    reconfigure(environment, **{"safepip-creation": "token"})
    assert is_finished_by_another(environment)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_users_mark_does_not_tell_the_token(environment):
    write(os.path.join(environment, CREATING), "token")
    reconfigure(environment, **{"safepip-creation": "token"})
    os.chown(os.path.join(environment, CREATING), 12345, 12345)
    assert is_finished_by_another(environment)


# -- which of them may be used


@pytest.fixture
def asked():
    """What was asked: pairs of the environment and its base, then the interpreters that were run."""
    return []


def doubting(asked):
    return lambda path, base: asked.append((path, base)) or "came from a stranger"


def running(asked):
    return lambda path: asked.append(path) or f"{path} was run"


def test_one_that_is_objected_to_is_untrusted_and_its_base_is_not_run(environment, asked, base):
    found = examine(environment, running(asked), doubting(asked))
    assert asked == [(environment, base.real)]
    assert (found.state, found.reason) == (UNTRUSTED, "came from a stranger")
    assert (found.path, found.known_as) == (environment, environment)
    assert (found.python, found.base, found.site) == ("", None, "")


def test_a_conda_environment_that_is_objected_to_is_untrusted_and_is_not_run(conda, asked):
    path, own = conda
    found = examine(path, running(asked), doubting(asked))
    assert asked == [(path, own.path)]
    assert (found.state, found.reason) == (UNTRUSTED, "came from a stranger")


def test_a_conda_environments_python_is_vetted_where_its_links_lead(conda, asked, base):
    path, own = conda
    os.unlink(own.path)
    os.symlink(base.real, own.path)
    assert examine(path, running(asked), doubting(asked)).state == UNTRUSTED
    assert asked == [(path, base.real)]


def test_a_redirect_leads_to_the_same_question(environment, work, asked):
    redirect = os.path.join(work, "p", ".venv")
    write(redirect, f"{environment}\n")
    found = examine(redirect, running(asked), doubting(asked))
    assert [path for path, _ in asked] == [environment]
    assert (found.state, found.path, found.known_as) == (UNTRUSTED, environment, redirect)


def test_the_base_is_named_as_the_environment_says_where_its_python_is_a_copy(environment, asked, home):
    python = os.path.join(environment, "bin", "python")
    os.unlink(python)
    write(python, "binary")
    os.chmod(python, 0o755)
    reconfigure(environment, **{"base-executable": f"{home}/evil"})
    assert examine(environment, running(asked), doubting(asked)).state == UNTRUSTED
    assert asked == [(environment, f"{home}/evil")]


def test_what_is_not_objected_to_is_run_after_it_was_asked(environment, asked, base):
    examine(environment, running(asked), lambda path, stands_on: asked.append((path, stands_on)))
    assert asked == [(environment, base.real), base.real]


@pytest.mark.parametrize("gone", ["pyvenv.cfg", "bin/python"])
def test_what_cannot_run_needs_no_trust(environment, asked, gone):
    remove(environment, gone)
    assert examine(environment, running(asked), doubting(asked)).state == BROKEN
    assert asked == []


def test_what_is_to_be_made_needs_no_trust(work, asked):
    assert examine(os.path.join(work, ".venv"), running(asked), doubting(asked)).state == ABSENT
    os.mkdir(os.path.join(work, ".venv"))
    assert examine(os.path.join(work, ".venv"), running(asked), doubting(asked)).state == UNFINISHED
    assert asked == []


# -- the small questions


def test_an_environment_is_what_python_takes_for_one(environment, work):
    assert is_environment(environment)
    assert not is_environment(work)


def test_the_environment_of_a_python_is_where_it_was_started(environment, base):
    assert of_python(os.path.join(environment, "bin", "python")) == environment
    assert of_python(base.real) is None


def test_the_configuration_is_read_as_python_does(work):
    write(os.path.join(work, CONFIG), "Home = /usr/bin\n no equals\nVERSION=3.1\na = b = c\ncaf\udce9 = x\n")
    assert configuration(work) == {"home": "/usr/bin", "version": "3.1", "a": "b = c", "caf\udce9": "x"}


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_configuration_that_is_no_file_is_empty_and_not_waited_for(work, make):
    make(os.path.join(work, "pyvenv.cfg"))
    assert configuration(work) == {}


def test_a_configuration_that_is_not_there_is_empty(work):
    assert configuration(work) == {}
