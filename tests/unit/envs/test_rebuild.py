"""What `repair` makes of what it finds, and how an interrupted one is taken up; no pip, no Python is run."""

from __future__ import annotations

import os
import shutil

import pytest

from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.core.world import ABSENT, BROKEN, UNFINISHED, USABLE, Environment
from safepip.envs import exchange, faults, inventory
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, REFUSED, SafepipError
from safepip.report import Report
from safepip.system import registry
from safepip.system.observe import Context, ambient


@pytest.fixture
def context():
    return Context(Invocation(words=()), ambient())


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(Report, "say", lambda _self, line: lines.append(line))
    return lines


def write(path, text=""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    return path


def install(path, name, version="1.0", *, library="python3.11", files=("x.py",), **metadata):
    """Have a distribution in the environment as pip would leave it."""
    site = os.path.join(path, "lib", library, "site-packages")
    info = f"{name}-{version}.dist-info"
    names = [f"{name}/{one}" for one in files] + [f"{info}/{one}" for one in ("METADATA", *metadata)]
    for one in names:
        write(os.path.join(site, one), metadata.get(os.path.basename(one), ""))
    write(os.path.join(site, info, "RECORD"), "".join(f"{one},,\n" for one in (*names, f"{info}/RECORD")))
    return os.path.join(site, name)


@pytest.fixture
def venv(work):
    """An environment of files alone."""
    path = os.path.join(work, ".venv")
    write(os.path.join(path, "pyvenv.cfg"), "home = /usr/bin\nversion = 3.11.2\n")
    write(os.path.join(path, "bin", "activate"), f"VIRTUAL_ENV='{path}'\nexport VIRTUAL_ENV\n")
    install(path, "pip")
    return path


def usable(path, **how):
    site = os.path.join(path, "lib", "python3.11", "site-packages")
    known = {"state": USABLE, "version": "3.11", "site": site, "has_pip": True, **how}
    return Environment(path=path, known_as=path, **known)


# -- what is wrong


def test_a_whole_environment_has_no_fault(venv):
    install(venv, "alpha")
    assert faults.fault(usable(venv)) is None


def test_what_is_broken_says_why(venv):
    assert faults.fault(usable(venv, state=BROKEN, reason="is old")) == "is old"


@pytest.mark.parametrize("state", [ABSENT, UNFINISHED, BROKEN])
def test_where_there_is_nothing_nothing_can_be_rebuilt(work, state):
    with pytest.raises(SafepipError) as failed:
        faults.fault(usable(work, state=state))
    assert failed.value.code == NO_ENVIRONMENT


def test_packages_of_another_python_are_a_fault(venv):
    install(venv, "pip", library="python3.12")
    assert faults.fault(usable(venv)) is None
    install(venv, "alpha", library="python3.12")
    assert "another Python" in faults.fault(usable(venv))


def test_a_moved_environment_is_one_by_identity_and_by_its_texts(venv, context):
    registry.note(context.state, venv, registry.MADE)
    assert faults.moved(context.state, venv) is None
    other = venv + ".moved"
    os.rename(venv, other)
    assert faults.fault(usable(other)).startswith(f"was made elsewhere (in {venv}) and moved here")
    assert faults.moved(context.state, other).registration.path == venv
    os.mkdir(venv)  # a new one where it was
    assert "and copied here" in faults.fault(usable(other))
    assert "and moved here" in faults.fault(usable(other), context.state)
    write(os.path.join(other, "bin", "activate"), f"VIRTUAL_ENV='{other}'\nexport VIRTUAL_ENV\n")
    assert faults.moved(context.state, other) is None


def test_without_an_id_its_texts_must_name_the_very_place(venv, context, monkeypatch):
    monkeypatch.setattr(registry, "_identified", lambda _path, _before: "")
    registry.note(context.state, venv, registry.MADE)
    other = venv + ".moved"
    os.rename(venv, other)
    assert faults.moved(context.state, other).registration.path == venv
    write(os.path.join(other, "bin", "activate"), "VIRTUAL_ENV='/some/where/else'\nexport VIRTUAL_ENV\n")
    assert faults.moved(context.state, other) is None


def test_pip_is_lost_only_where_it_was(venv, context):
    assert not faults.lacks_pip(usable(venv), context)
    assert faults.lacks_pip(usable(venv, has_pip=False), context)
    for name in ("pip", "pip-1.0.dist-info"):
        shutil.rmtree(os.path.join(venv, "lib/python3.11/site-packages", name))
    assert not faults.lacks_pip(usable(venv, has_pip=False), context)
    registry.note(context.state, venv, registry.MADE)
    assert faults.lacks_pip(usable(venv, has_pip=False), context)


# -- what an environment holds


def test_what_nobody_recorded_is_a_stray(venv):
    install(venv, "alpha")
    assert inventory.strays(venv) == []
    write(os.path.join(venv, "share", "mine.txt"))
    write(os.path.join(venv, "lib", "python3.11", "site-packages", "mine.pth"))
    write(os.path.join(venv, "bin", "__pycache__", "x.pyc"))
    assert inventory.strays(venv) == ["lib/python3.11/site-packages/mine.pth", "share/mine.txt"]


def test_packages_are_counted_without_what_is_left_aside(venv):
    install(venv, "alpha")
    os.mkdir(os.path.join(venv, "lib/python3.11/site-packages/~lpha-1.0.dist-info"))
    assert inventory.packages(venv) == 2


def test_the_stamp_changes_with_what_is_installed(venv):
    site = os.path.join(venv, "lib/python3.11/site-packages")
    os.utime(site, (1, 1))
    before = inventory.stamp(venv)
    assert inventory.stamp(venv) == before
    install(venv, "alpha")
    assert inventory.stamp(venv) != before


# -- taking up what was killed


@pytest.fixture
def under(venv, context, work):
    """A repair that has begun: noted, nothing moved yet."""
    registry.note(context.state, venv, registry.MADE)
    stat = os.stat(venv)
    found = exchange.Exchange(
        path=venv, aside=venv + ".old-1", device=stat.st_dev, inode=stat.st_ino, token="t" * 32, how=registry.MADE
    )
    exchange.note(found, context)
    return found


def begin(under, *, mark=True, signed=True):
    """Have the new one as far as it is to be."""
    os.rename(under.path, under.aside)
    if signed:
        write(os.path.join(under.path, "pyvenv.cfg"), f"home = /usr/bin\nsafepip-creation = {under.token}\n")
    if mark:
        write(os.path.join(under.path, ".safepip", "creating"), under.token)


def resume(under, context):
    return exchange.resume(under.path, ".venv", context, Report())


def is_old(under):
    stat = os.stat(under.path)
    return (stat.st_dev, stat.st_ino) == (under.device, under.inode)


def test_without_a_record_there_is_nothing_to_resume(venv, context):
    assert not exchange.resume(venv, ".venv", context, Report())


def test_killed_before_the_rename_all_is_as_it_was(under, context, said):
    assert resume(under, context)
    assert is_old(under)
    assert not resume(under, context)


def nothing(under):
    os.rename(under.path, under.aside)


def empty(under):
    nothing(under)
    os.mkdir(under.path)


def unmarked(under):
    empty(under)
    os.mkdir(os.path.join(under.path, ".safepip"))


def marked(under):
    begin(under, signed=False)


@pytest.mark.parametrize("half", [nothing, empty, unmarked, marked, begin])
def test_killed_half_way_the_old_one_comes_back(under, context, said, half):
    half(under)
    assert resume(under, context)
    assert is_old(under)
    assert not os.path.lexists(under.aside)
    assert registry.registration(context.state, under.path).how == registry.MADE
    assert len(said) == 1


def test_killed_when_the_new_one_was_whole_it_stays_and_the_old_one_goes(under, context, said):
    begin(under, mark=False)
    assert resume(under, context)
    assert not is_old(under)
    assert not os.path.lexists(under.aside)
    assert not resume(under, context)


@pytest.mark.parametrize("how", [registry.ADOPTED, registry.TRUSTED, ""])
def test_what_safepip_did_not_make_is_kept_aside(under, context, said, how):
    other = replace(under, how=how)
    exchange.note(other, context)
    begin(other, mark=False)
    assert resume(other, context)
    assert os.path.isdir(other.aside)
    assert other.aside in said[-1]


def test_killed_while_the_old_one_was_removed_the_rest_of_it_goes(under, context, said):
    begin(under, mark=False)
    exchange.note(replace(under, stage="removing"), context)
    os.unlink(os.path.join(under.aside, "pyvenv.cfg"))
    shutil.rmtree(os.path.join(under.aside, "lib/python3.11/site-packages/pip-1.0.dist-info"))
    assert resume(under, context)
    assert not os.path.lexists(under.aside)


def test_after_the_file_system_was_mounted_again_the_old_one_is_known(under, context, said):
    """Its device has another number then, and a layered file system gives other inodes, too."""
    other = replace(under, device=under.device + 1, inode=under.inode + 1)
    exchange.note(other, context)
    begin(other)
    assert resume(other, context)
    assert is_old(under)


def test_another_directory_in_place_of_the_old_one_is_not_moved_back(under, context, said):
    begin(under)
    os.rename(under.aside, under.aside + ".away")
    os.mkdir(under.aside)
    os.mkdir(under.aside + ".more")  # so that the inode is not used again
    assert resume(under, context)
    assert not os.path.lexists(under.path)
    assert os.path.isdir(under.aside)


def test_what_another_command_made_meanwhile_is_not_touched(under, context, said):
    begin(under, mark=False, signed=False)
    write(os.path.join(under.path, "pyvenv.cfg"), "home = /usr/bin\n")
    with pytest.raises(SafepipError) as failed:
        resume(under, context)
    assert failed.value.code == REFUSED
    assert under.aside in failed.value.ways[0]
    assert os.path.isdir(under.aside)
    assert os.path.isfile(os.path.join(under.path, "pyvenv.cfg"))


def test_an_old_one_that_somebody_took_away_is_not_waited_for(under, context, said):
    begin(under)
    shutil.rmtree(under.aside)
    assert resume(under, context)
    assert not os.path.lexists(under.path)


@pytest.mark.parametrize("text", ["", "safepip-repair-1", "safepip-repair-2\0" + "\0" * 7, "\0" * 8])
def test_a_damaged_record_is_none(under, context, text):
    exchange.note(under, context)
    folder = os.path.join(context.state, "repairs")
    (name,) = os.listdir(folder)
    write(os.path.join(folder, name), text)
    assert not resume(under, context)
    assert is_old(under)


def test_without_a_state_nothing_is_begun(under, monkeypatch):
    context = Context(Invocation(words=()), ambient(), state=None)
    with pytest.raises(SafepipError) as failed:
        exchange.note(under, context)
    assert failed.value.code == CANNOT_CREATE
