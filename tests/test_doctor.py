from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import safepip
from safepip.core.invocation import Invocation
from safepip.core.record import changed
from safepip.core.settings import Fault, Settings, settle
from safepip.doctor.configured import complaints, pip_facts
from safepip.doctor.facts import (
    Complaint,
    Decision,
    Facts,
    Finding,
    Folder,
    Init,
    Interpreted,
    Leftover,
    Pip,
    PipSetting,
    Place,
    Program,
    Programs,
    Shims,
    Surroundings,
)
from safepip.doctor.findings import findings
from safepip.doctor.stray_installs import leftovers
from safepip.doctor.surroundings import folders, programs, surroundings
from safepip.errors import SafepipError
from safepip.report import Report
from safepip.system.interpreter import Interpreter
from safepip.system.observe import Context, ambient
from safepip.system.registry import MADE, TRUSTED, note
from safepip.verbs import doctor

PACKAGE = os.path.dirname(os.path.abspath(safepip.__file__))
HOME = "/home/u"
MANAGED = Interpreted(python="/usr/bin/python3", version="3.12.1", marker="/m", lies="file", managed=True)
BASHRC = Init(lines=((f"{HOME}/.bashrc", 'eval "$(safepip init bash)"'),))


def found(**how):
    """Return the findings that are not ok, of a world in which all else is."""
    facts = {
        "surroundings": Surroundings(home=HOME, directory=f"{HOME}/p"),
        "programs": Programs(
            version="1", program=f"{HOME}/bin/safepip", safepips=(program("safepip"),), init=INIT
        ),
        "target": MANAGED,
        "decision": Decision(outcome="goes", because="it may"),
        **how,
    }
    return [one for one in findings(Facts(**facts)) if one.status != "ok"]


def program(name, folder=f"{HOME}/bin", **how):
    return Program(path=f"{folder}/{name}", **{"serves": f"{folder}/{name}", **how})


INIT = Init(named=f"{HOME}/.bashrc")


def place(state="usable", role="here", **how):
    return {"places": (Place(path=f"{HOME}/p/.venv", shown=".venv", role=role, state=state, **how),)}


def around(**how):
    return {"surroundings": Surroundings(**{"home": HOME, "directory": "/w", **how})}


def on_path(*, init=INIT, **how):
    own = {"version": "1", "program": f"{HOME}/bin/safepip", "safepips": (program("safepip"),)}
    return {"programs": Programs(**{**own, "init": init, **how})}


def of_pip(**how):
    return {"pip": Pip(settings=(PipSetting(**{"value": "1", "where": "PIP_X", **how}),))}


def in_file(**how):
    return of_pip(**{"where": f"{HOME}/.config/pip/pip.conf", "kind": "user", **how})


# -- what the facts mean


def test_no_variable_that_safepip_itself_uses_is_taken_for_a_slip(monkeypatch):
    """All that its sources name, those of the shells and the pages of help too."""
    used = set()
    for folder, _, names in os.walk(PACKAGE):
        for name in names:
            if not name.endswith(".pyc"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    used.update(re.findall(r"\bSAFEPIP_[A-Z_]*[A-Z]\b", file.read()))
    assert {"SAFEPIP_HOOK", "SAFEPIP_SHELL_ZDOTDIR", "SAFEPIP_RUN_AS"} <= used
    for name in used:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SAFEPIP_ENVDIR", "x")
    assert surroundings(Context(Invocation(words=()), ambient())).dead == ("SAFEPIP_ENVDIR",)


def test_nothing_is_wrong():
    assert found() == []
    assert [one.id for one in findings(Facts()) if one.status == "ok"]


TABLE = [
    (around(home=""), "home-unset", "problem", 'export HOME="$(mktemp -d)"'),
    (around(has_home_variable=False), "home-unset", "warning", "export HOME=/home/u"),
    (around(home_exists=False), "home-missing", "problem", "mkdir -p /home/u"),
    (around(home_exists=False, home_can_be_made=False), "home-missing", "problem", 'sudo install -d -o "$USER" /home/u'),
    (around(directory=None), "directory-gone", "problem", "cd"),
    (around(python_variables=(("PYTHONHOME", "/x"),)), "pythonhome", "warning", "unset PYTHONHOME"),
    (around(bypass="SAFEPIP_BYPASS"), "bypass", "warning", "unset SAFEPIP_BYPASS"),
    (around(dead=("SAFEPIP_X",)), "unknown-variable", "warning", "unset SAFEPIP_X"),
    # programs
    (on_path(safepips=()), "safepip-off-path", "warning", 'export PATH=/home/u/bin:"$PATH"'),
    (on_path(safepips=(program("safepip", "/o"),)), "safepip-shadowed", "warning", 'export PATH=/home/u/bin:"$PATH"'),
    (on_path(pips=(program("pip", runs="/gone", missing=True),)), "pip-without-python", "problem", "rm /home/u/bin/pip"),
    (on_path(pips=(program("pip", runs="/gone", missing=True, removable=False),)), "pip-without-python", "problem", "sudo rm /home/u/bin/pip"),
    ({"pip": Pip(malformed=(("/p.conf", "bad", False),))}, "pip-config-malformed", "problem", "sudo mv /p.conf /p.conf.broken"),
    (on_path(pips=(program("pip"), program("pip", "/usr/bin")), pythons=(program("python3", "/usr/bin"),)), "pip-mismatch", "warning", 'export PATH=/usr/bin:"$PATH"'),
    (on_path(pips=(program("pip"),), pythons=(program("python3", "/usr/bin"),)), "pip-mismatch", "warning", 'export PATH=/usr/bin:"$PATH"'),
    (on_path(pips=(program("pip"),), pythons=(program("python3", "/usr/bin"),), shim_folder="/s"), "pip-mismatch", "warning", 'safepip shims /s && export PATH=/s:"$PATH"'),
    (on_path(search=("/usr/bin", ".", "")), "path-relative", "warning", "export PATH=/usr/bin"),
    (on_path(init=BASHRC), "routed", "warning", "echo 'eval \"$(safepip init bash)\"' >> /home/u/.bashrc"),
    (on_path(init=Init()), "routed", "warning", "safepip init"),
    (on_path(init=Init(lines=(("/e/f/x.nu", "a"), ("/e/y.nu", "b")))), "routed", "warning", "mkdir -p /e/f && echo a >> /e/f/x.nu && mkdir -p /e && echo b >> /e/y.nu"),
    (on_path(init=Init(lines=BASHRC.lines, named="/rc", missing="/o/safepip")), "init-stale", "warning", "safepip init --undo && echo 'eval \"$(safepip init bash)\"' >> /home/u/.bashrc"),
    (on_path(shims=(Shims(folder="/s", missing=True),)), "shims-stale", "warning", "safepip shims /s"),
    (on_path(shims=(Shims(folder="/s", on_path=False),)), "shims-off-path", "warning", 'export PATH=/s:"$PATH"'),
    (on_path(shims=(Shims(folder="/s", before="/usr/bin/pip"),)), "shims-shadowed", "warning", 'export PATH=/s:"$PATH"'),
    (on_path(local_bin="/l", needs_local_bin=True), "local-bin", "warning", "safepip app ensurepath"),
    # the target
    ({"target": Interpreted(problem="there is no x", setting="SAFEPIP_PYTHON")}, "python", "problem", "unset SAFEPIP_PYTHON"),
    ({"target": Interpreted(problem="there is no x", setting="/c.toml:3")}, "python", "problem", "sed -i.bak '3s/^/# /' /c.toml"),
    ({"target": Interpreted(problem="none")}, "python", "problem", None),
    ({"target": Interpreted(marker="/m", lies="other")}, "marker-odd", "warning", "sudo mv /m /m.odd"),
    # pip
    ({"pip": Pip(malformed=(("/p.conf", "bad", True),))}, "pip-config-malformed", "problem", "mv /p.conf /p.conf.broken"),
    ({"pip": Pip(absent_file="/p.conf")}, "pip-config-file", "warning", "unset PIP_CONFIG_FILE"),
    ({"pip": Pip(rejected=((PipSetting(key="timeout", value="x", where="PIP_TIMEOUT"), "no"),))}, "pip-setting-wrong", "problem", "unset PIP_TIMEOUT"),
    (of_pip(key="target", where="PIP_TARGET"), "pip-target", "warning", "unset PIP_TARGET"),
    (of_pip(key="constraint", where="PIP_CONSTRAINT", lost="/c"), "pip-constraint", "problem", "unset PIP_CONSTRAINT"),
    (in_file(key="user", section="install"), "pip-user", "warning", "safepip config --user unset install.user"),
    (in_file(key="user", simple=False, spelled="--user"), "pip-user", "warning", "sed -i.bak '/^[[:space:]]*--user[[:space:]]*[=:]/d' /home/u/.config/pip/pip.conf"),
    (of_pip(key="prefix", where="/etc/pip.conf", kind="global", writable=False), "pip-prefix", "warning", "sudo sed -i.bak '/^[[:space:]]*prefix[[:space:]]*[=:]/d' /etc/pip.conf"),
    ({**of_pip(key="require-virtualenv", where="PIP_REQUIRE_VENV"), "target": Interpreted()}, "pip-require-virtualenv", "warning", "unset PIP_REQUIRE_VENV"),
    # settings
    ({"complaints": (Complaint(text="t", variable="SAFEPIP_X", stops=True),)}, "setting-wrong", "problem", "unset SAFEPIP_X"),
    ({"complaints": (Complaint(text="t", file="/c.toml", line=2, whole=True),)}, "setting-wrong", "warning", "sed -i.bak '2s/^/# /' /c.toml"),
    ({"complaints": (Complaint(text="t", file="/config.toml", line=2, own=True),)}, "setting-wrong", "warning", "mv /config.toml /config.toml.broken"),
    ({"complaints": (Complaint(text="t", file="/p.toml", line=2),)}, "setting-wrong", "warning", '"${EDITOR:-vi}" +2 /p.toml'),
    ({"complaints": (Complaint(text="t"),)}, "setting-wrong", "warning", None),
    # the decision
    ({"decision": Decision(stale=("VIRTUAL_ENV", "/v", ""))}, "active-stale", "warning", "unset VIRTUAL_ENV"),
    ({"decision": Decision(active="/v", other="/p/.venv")}, "active-other", "warning", ". /p/.venv/bin/activate"),
    ({"decision": Decision(refused="no", way="mkdir .venv")}, "decision", "problem", "mkdir .venv"),
    # environments
    (place("broken", reason="is gone"), "environment-broken", "problem", "safepip env repair .venv"),
    (place("broken", can_be_rebuilt=False), "environment-broken", "problem", "mv /home/u/p/.venv /home/u/p/.venv.old"),
    (place("broken", other_system=True), "environment-broken", "problem", "export SAFEPIP_ENV=.venv-own"),
    (place("untrusted"), "environment-untrusted", "problem", "safepip env trust .venv"),
    (place("untrusted", moved=True), "environment-moved", "problem", "safepip env repair .venv"),
    (place(damage="was made elsewhere", moved=True), "environment-moved", "problem", "safepip env repair .venv"),
    (place(damage="lacks files of x"), "environment-damaged", "problem", "safepip env repair .venv"),
    (place("foreign"), "environment-foreign", "problem", "export SAFEPIP_ENV=.venv-own"),
    (place("nowhere", reason="no home"), "environment-nowhere", "problem", "export SAFEPIP_ENV=.venv-own"),
    (place("unfinished", interrupted=True), "environment-unfinished", "warning", "safepip env create"),
    (place("unfinished", "home", interrupted=True), "environment-unfinished", "warning", "safepip --env /home/u/p/.venv env create"),
    (place(by_root="/x"), "environment-of-root", "problem", 'sudo chown -R "$USER" /home/u/p/.venv'),
    (place(killed=True), "install-killed", "warning", "safepip env repair .venv"),
    (place(lost_pip=True, has_pip=False), "environment-without-pip", "warning", "safepip env repair .venv"),
    # leftovers
    ({"leftovers": (Leftover(folder="/s", version="3.12", names=("a", "b"), python="/usr/bin/python3", target=True),)}, "leftover-user", "warning", "safepip --system uninstall --break-system-packages -y a b"),
    ({"leftovers": (Leftover(folder="/s", version="3.9", names=("a",), python="/usr/bin/python3.9"),)}, "leftover-user", "warning", "env PIP_BREAK_SYSTEM_PACKAGES=1 /usr/bin/python3.9 -m pip uninstall -y a"),
    ({"leftovers": (Leftover(folder="/s", version="3.9", names=("a",)),)}, "leftover-user", "warning", "mv /s /s.old"),
    ({"leftovers": (Leftover(folder="/s", version="3.12", names=("a",), python="/p", target=True, system=True, writable=False),)}, "leftover-system", "warning", "sudo /home/u/bin/safepip --system uninstall --break-system-packages -y a"),
    ({"broken_applications": ("black",)}, "application-broken", "problem", "safepip app reinstall black"),
    # folders
    ({"folders": (Folder(role="state", path="/s", at="/s", fault="owner", mine=False),)}, "state-folder", "problem", 'sudo chown -R "$USER" /s'),
    ({"folders": (Folder(role="data", path="/a/s", at="/a", fault="owner", mine=False),)}, "data-folder", "problem", 'sudo chown "$USER" /a'),
    ({"folders": (Folder(role="cache", path="/s", at="/s", fault="mode"),)}, "cache-folder", "warning", "chmod u+rwx /s"),
    ({"folders": (Folder(role="state", path="/s", at="/s", fault="open"),)}, "state-folder", "warning", "chmod go-w /s"),
    ({"folders": (Folder(role="state", path="/s", at="/s", fault="read-only", variable="XDG_STATE_HOME"),)}, "state-folder", "problem", 'export XDG_STATE_HOME="$(mktemp -d)"'),
    ({"folders": (Folder(role="state", path="/s", at="/s", fault="mode", variable="XDG_STATE_HOME", set_by_variable=True),)}, "state-folder", "problem", "unset XDG_STATE_HOME"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "name", "status", "command"), TABLE, ids=[f"{row[1]}-{row[3]}"[:60] for row in TABLE]
)
def test_a_fault_is_named_with_its_command(facts, name, status, command):
    (one,) = found(**facts)
    assert (one.id, one.status, one.command) == (name, status, command)
    assert one.why
    assert not one.why.endswith(".")


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(of_pip(key="require-virtualenv"), id="require-virtualenv where installs are routed"),
        pytest.param(place("unfinished"), id="an empty environment"),
        pytest.param(place("absent"), id="no environment yet"),
        pytest.param(place(has_pip=False), id="an environment that never had pip"),
        pytest.param(
            {"decision": Decision(refused="x", explained=True)}, id="a refusal that is explained elsewhere"
        ),
        pytest.param(
            {**on_path(init=Init()), "target": Interpreted(marker="/m")}, id="no shims for an unmanaged Python"
        ),
        pytest.param(on_path(init=Init(), pips=(program("pip", own=True),)), id="a shim instead of init"),
        pytest.param(
            on_path(pips=(program("pip", serves=""),), pythons=(program("python3"),)),
            id="a pip of nobody knows whom",
        ),
        pytest.param(
            {"target": Interpreted(python="/v/bin/python", environment="/v")}, id="an active environment"
        ),
        pytest.param(
            {"target": Interpreted(python="/p", managed=True, said="the setting managed")},
            id="managed by a setting",
        ),
        pytest.param({"gone": 2, "applications": ("a", "b", "c", "d"), **place("absent", "home")}, id="the past"),
        pytest.param({"folders": (Folder(role="state", path="/s"),)}, id="a folder that is fine"),
        pytest.param({"pip": Pip(files=("/etc/pip.conf",))}, id="a file of pip's that moves nothing"),
    ],
)
def test_what_is_no_fault(facts):
    assert found(**facts) == []


def test_home_is_written_short_in_reasons_but_not_in_commands():
    (one,) = found(**place("broken", reason="is gone", can_be_rebuilt=False))
    assert one.why == "~/p/.venv is gone"
    assert str(one.command).startswith("mv /home/u/p/.venv ")


def test_commands_are_quoted():
    path = "/home/u/a b;c/.venv"
    (one,) = found(places=(Place(path=path, role="here", state="broken", can_be_rebuilt=False),))
    assert one.command == "mv '/home/u/a b;c/.venv' '/home/u/a b;c/.venv.old'"


def test_a_setting_that_pip_rejects_is_told_once():
    setting = PipSetting(key="user", value="maybe", where="PIP_USER")
    assert [one.id for one in found(pip=Pip(settings=(setting,), rejected=((setting, "no"),)))] == [
        "pip-setting-wrong"
    ]


def test_a_file_that_names_no_python_is_mended_where_it_stands():
    setting = PipSetting(key="python", value="/no", where="/p.conf", kind="user", simple=False)
    target = Interpreted(problem="there is no /no", setting="/p.conf")
    commands = {one.command for one in found(pip=Pip(settings=(setting,)), target=target)}
    assert commands == {"sed -i.bak '/^[[:space:]]*python[[:space:]]*[=:]/d' /p.conf"}


# -- how they are shown


def test_a_finding_is_one_line_and_its_command_another():
    shown = list(doctor.lines((Finding(id="a", status="warning", why="x is y", command="unset X"),)))
    assert shown == ["warn  x is y", "        unset X", "1 warning"]


def test_reasons_are_folded_and_commands_are_not():
    long = " ".join(["word"] * 40)
    shown = list(doctor.lines((Finding(id="a", status="problem", why=long, command=long),)))
    assert max(map(len, shown[:-2])) <= 80
    assert all(line.startswith("      word") for line in shown[1:-2])
    assert shown[-2:] == [f"        {long}", "1 problem"]


def test_colour_is_on_the_mark_alone():
    (line, _) = doctor.lines((Finding(id="a", status="ok", why="x"),), colour=True)
    assert line == "\x1b[32mok    \x1b[0mx"


def test_what_could_steer_a_terminal_is_escaped():
    shown = list(doctor.lines((Finding(id="a", status="problem", why="\x1b[2J", command="\x1b]0;"),)))
    assert not any("\x1b" in line for line in shown)


# -- what is looked at


def context(**variables):
    for name, value in variables.items():
        os.environ[name] = value
    return Context(Invocation(words=(), verb="doctor"), ambient(), keep=False)


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    """What a test sets is unset again."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        monkeypatch.delenv(name)
    os.environ.update(before)


def put(path, text="", mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def on(*folders):
    os.environ["PATH"] = os.pathsep.join(folders)
    return programs(ambient(), "/o/safepip", Init(), None, has_applications=False)


def test_programs_in_the_order_of_path(home, base_python):
    first, second = os.path.join(home, "a"), os.path.join(home, "b")
    put(f"{first}/pip3", f"#!{base_python}\n", 0o755)
    put(f"{second}/pip", "#!/gone/python3\n", 0o755)
    put(f"{second}/pip3", "#!/gone/python3\n", 0o755)
    os.symlink(base_python, f"{second}/python3")
    seen = on(".", first, second, first)
    assert [(one.path, one.missing) for one in seen.pips] == [(f"{first}/pip3", False), (f"{second}/pip", True)]
    assert [one.path for one in seen.pythons] == [f"{second}/python3"]
    assert seen.pips[0].serves == seen.pythons[0].serves


def test_a_trampoline_names_its_python(home):
    put(f"{home}/a/pip", '#!/bin/sh\n\'\'\'exec\' "/gone/with space/python" "$0" "$@"\n', 0o755)
    (pip,) = on(f"{home}/a").pips
    assert (pip.runs, pip.missing) == ("/gone/with space/python", True)


def test_a_pip_of_env_is_nobodys(home):
    put(f"{home}/a/pip", "#!/usr/bin/env python3\n", 0o755)
    (pip,) = on(f"{home}/a").pips
    assert (pip.runs, pip.serves, pip.missing) == ("", "", False)


def test_shims_are_seen_with_what_comes_before(home):
    put(f"{home}/a/pip", "#!/bin/sh\n", 0o755)
    put(f"{home}/s/pip", "#!/bin/sh\n# safepip made this\n", 0o755)
    (shims,) = on(f"{home}/a", f"{home}/s").shims
    assert shims == Shims(folder=f"{home}/s", before=f"{home}/a/pip", missing=True)


def config(home, text, name=".config/pip/pip.conf"):
    return put(os.path.join(home, name), text)


def test_settings_of_variables_and_files_with_their_origin(home, work):
    path = config(home, "[install]\nno-user = 1\nuser : on\n[global]\ntarget =\nprefix = /x\ndry_run = 0\n")
    os.environ["PIP_BREAK_SYSTEM_PACKAGES"] = "1"
    os.environ["PIP_DRY_RUN"] = "no"
    seen = {(one.where, one.key, one.section, one.simple) for one in pip_facts(ambient(), None).settings}
    assert {one for one in seen if home in one[0] or one[0].isupper()} == {
        ("PIP_BREAK_SYSTEM_PACKAGES", "break-system-packages", "global", True),
        (path, "user", "install", True),
        (path, "prefix", "global", True),
    }


def test_pip_config_cannot_unset_what_is_spelled_otherwise_or_in_its_old_file(home):
    old = config(home, "[global]\nuser = 1\n", ".pip/pip.conf")
    new = config(home, "[DEFAULT]\nprefix = /x\n[global]\nbreak_system_packages = 1\n")
    seen = {(one.where, one.spelled) for one in pip_facts(ambient(), None).settings if not one.simple}
    assert seen >= {(old, "user"), (new, "prefix"), (new, "break_system_packages")}


def test_what_pip_rejects_is_found_by_its_setting(home):
    path = config(home, "[global]\nretries = many\n")
    os.environ["PIP_TIMEOUT"] = "soon"
    rejected = [(one.where, one.key) for one, _ in pip_facts(ambient(), None).rejected]
    assert rejected == [("PIP_TIMEOUT", "timeout"), (path, "retries")]


def test_a_malformed_file_and_one_that_is_missing(home):
    path = config(home, "nothing\n")
    os.environ["PIP_CONFIG_FILE"] = "/no/pip.conf"
    seen = pip_facts(ambient(), None)
    assert [(where, "no section header" in error) for where, error, _ in seen.malformed] == [(path, True)]
    assert seen.absent_file == "/no/pip.conf"


def test_files_that_pip_is_to_read_and_cannot(home, work):
    put(f"{work}/there.txt")
    os.environ["PIP_CONSTRAINT"] = "there.txt https://x/c.txt gone.txt"
    os.environ["PIP_REQUIREMENT"] = "there.txt"
    os.environ["PIP_BUILD_CONSTRAINT"] = "~/work/there.txt"  # which pip takes as it stands
    assert [(one.key, one.lost) for one in pip_facts(ambient(), None).settings if one.kind == "variable"] == [
        ("build-constraint", "~/work/there.txt"),
        ("constraint", "gone.txt"),
    ]


def test_complaints_know_their_place(home):
    path = put(f"{home}/config.toml", "apps = [\n'a b']\nhints = 3\n")
    settings = settle({"SAFEPIP_QUIET": "x"}, ())
    assert [(one.variable, one.stops) for one in complaints(settings)] == [("SAFEPIP_QUIET", True)]
    faults = (
        Fault(origin=path, line=1, what="apps must be"),
        Fault(origin=path, line=3, what="hints must be"),
        Fault(origin=path, line=3, what="broken TOML: x", broken=True),
        Fault(origin=path, what="unreadable"),
    )
    seen = [(one.line, one.whole, one.own) for one in complaints(Settings(warnings=faults))]
    assert seen == [(1, False, True), (3, True, True), (3, False, True), (0, False, True)]


def test_leftovers_of_the_users_site(home, base):
    site = f"{home}/.local/lib/python{base.minor}/site-packages"
    put(f"{site}/Some_Thing-1.0.dist-info/INSTALLER", "pip\n")
    put(f"{home}/.local/lib/python2.0/site-packages/old-1.egg-info")
    os.makedirs(f"{home}/.local/lib/python3.9/site-packages")
    os.makedirs(f"{home}/.local/lib/python3.9.old/site-packages/x-1.dist-info")
    seen = list(leftovers(ambient(), base, managed=False))
    assert [(one.names, one.version, one.python, one.target) for one in seen] == [
        (("old",), "2.0", "", False),
        (("some-thing",), base.minor, base.path, True),
    ]


def test_leftovers_in_a_managed_python(home):
    prefix = f"{home}/python"
    site = f"{prefix}/lib/python3.12/site-packages"
    for name, installer in (("pip", "pip"), ("ours", "pip"), ("theirs", "rpm"), ("uvs", "uv")):
        put(f"{site}/{name}-1.0.dist-info/INSTALLER", installer)
    python = Interpreter(
        path=f"{prefix}/bin/python3", real=f"{prefix}/bin/python3", version=(3, 12), prefix=prefix,
        base_prefix=prefix, stdlib=f"{prefix}/lib/python3.12", site="lib/python3.12/site-packages",
    )  # fmt: skip
    assert [one.names for one in leftovers(ambient(), python, managed=True)] == [("ours", "uvs")]
    assert list(leftovers(ambient(), python, managed=False)) == []


def test_folders_that_are_fine_missing_or_open(home):
    os.makedirs(f"{home}/.local/state/safepip/environments")
    os.chmod(f"{home}/.local/state/safepip/environments", 0o777)
    seen = {one.role: (one.at.removeprefix(home), one.fault) for one in folders(context())}
    assert seen == {
        "cache": ("/.cache/safepip", ""),
        "state": ("/.local/state/safepip/environments", "open"),
        "data": ("/.local/share/safepip", ""),
    }


@pytest.mark.parametrize(("place", "fault"), [("/", "mode"), (None, "owner")])
def test_nobody_is_told_to_take_the_root_directory(place, fault, work, monkeypatch):
    """A container's user without a name has / for a home."""
    world = changed(ambient(), user=54321, home=place or work)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = list(folders(Context(Invocation(words=(), verb="doctor"), world, keep=False)))
    highest = [one for one in found if place is None or one.at == place]  # some machines have a /.cache
    assert {(one.fault, one.mine) for one in highest} == {(fault, False)}


# -- the word


@pytest.fixture
def python3(home, base_python, monkeypatch):
    """Have the Python under test first on PATH, managed."""
    folder = os.path.join(home, "pythons")
    os.makedirs(folder)
    os.symlink(base_python, os.path.join(folder, "python3"))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("SAFEPIP_MANAGED", base_python)
    return os.path.join(folder, "python3")


@pytest.fixture
def trusted(home, work, base_python):
    """Give an environment made in its place, without pip, that the user trusts."""
    path = os.path.join(work, ".venv")
    subprocess.run([base_python, "-I", "-m", "venv", "--without-pip", path], check=True)
    note(f"{home}/.local/state/safepip", path, TRUSTED)
    return path


def run(capsys, *words):
    code = doctor.main(words, context(), Report())
    return code, capsys.readouterr().out


def rows(capsys):
    code, out = run(capsys, "--json")
    assert list(json.loads(out)) == ["findings"]
    return code, {row["id"]: row for row in json.loads(out)["findings"]}


def test_json_has_every_finding(capsys, python3, trusted):
    code, seen = rows(capsys)
    assert code == 0
    assert seen["environment"]["why"].startswith("the environment of this place, ~/work/.venv, is whole")
    assert seen["marker"]["why"].endswith("counts as managed by the setting managed (SAFEPIP_MANAGED)")
    assert seen["decision"]["status"] == "ok"
    assert set(seen["decision"]) == {"id", "status", "why", "command"}


def test_text_ends_with_a_count(capsys, python3, work):
    os.makedirs(f"{work}/.venv/odd")
    code, out = run(capsys)
    assert code == 1
    assert "FAIL  ~/work/.venv is no environment: it has no pyvenv.cfg\n        mv " in out
    assert out.splitlines()[-1].startswith("1 problem, ")


def test_an_environment_that_was_copied_and_lost_pip(capsys, python3, environment, home):
    note(f"{home}/.local/state/safepip", environment, MADE)
    code, seen = rows(capsys)
    assert (code, seen["environment-moved"]["command"]) == (1, "safepip env repair .venv")
    assert seen["environment-without-pip"]["status"] == "warning"


def test_an_active_environment(capsys, python3, trusted, home, work, monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", trusted)
    _, seen = rows(capsys)
    assert seen["active"]["why"] == "the environment ~/work/.venv is active, by VIRTUAL_ENV"
    assert "active-other" not in seen
    monkeypatch.setenv("PATH", f"{trusted}/bin")
    os.makedirs(other := os.path.join(home, "other", ".venv"))
    monkeypatch.chdir(os.path.dirname(other))
    _, seen = rows(capsys)
    assert seen["python"]["why"].endswith("of the environment ~/work/.venv")
    assert "active-other" not in seen  # for that of this place is not finished


def test_the_outcome_is_told_for_every_plan(capsys, python3, work, monkeypatch):
    outcomes = {}
    for name, value in (("SAFEPIP_HINTS", "1"), ("PIP_TARGET", "/x"), ("SAFEPIP_ENV_DIR", "central")):
        monkeypatch.setenv(name, value)
        outcomes[name] = rows(capsys)[1]["decision"]["why"]
        monkeypatch.delenv(name)
    assert "makes ~/work/.venv first" in outcomes["SAFEPIP_HINTS"]
    assert "is left to the pip of ~/pythons/python3, since --target (PIP_TARGET)" in outcomes["PIP_TARGET"]
    assert "makes ~/.local/share/safepip/envs/work-" in outcomes["SAFEPIP_ENV_DIR"]


def test_the_file_that_names_a_safepip_that_is_gone(capsys, python3, home, monkeypatch):
    monkeypatch.setenv("SHELL", shutil.which("bash") or "/bin/sh")
    monkeypatch.setattr(doctor.init, "own_program", lambda: "/o/safepip")
    rc = doctor._init(context()).lines[0][0]
    assert rc.startswith(home)
    put(rc, "# safepip\neval \"$('/gone/safepip' init bash)\"\n")
    assert (doctor._init(context()).named, doctor._init(context()).missing) == (rc, "/gone/safepip")
    put(rc, "# safepip\n")
    assert doctor._init(context()).named == ""


def test_environments_elsewhere_are_looked_at(capsys, python3, trusted, home, monkeypatch):
    elsewhere = os.path.join(home, "elsewhere")
    os.makedirs(elsewhere)
    monkeypatch.chdir(elsewhere)
    _, seen = rows(capsys)
    assert seen["environments"]["why"] == "1 other environment is whole"
    shutil.rmtree(trusted)
    _, seen = rows(capsys)
    assert seen["environments-gone"]["status"] == "ok"


@pytest.mark.skipif(sys.platform == "win32", reason="other programs there")
def test_a_python_that_cannot_be_found_is_a_problem(capsys, python3, monkeypatch):
    monkeypatch.setenv("SAFEPIP_PYTHON", "python3.99")
    code, seen = rows(capsys)
    assert (code, seen["python"]["command"]) == (1, "unset SAFEPIP_PYTHON")


def test_a_stale_variable(capsys, python3, monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", "/no/venv")
    _, seen = rows(capsys)
    assert seen["active-stale"]["why"] == "VIRTUAL_ENV names /no/venv, which is not there"


def test_managed_says_so(capsys, python3, environment):
    assert run(capsys, "--managed") == (0, f"{python3} is managed: by the setting managed (SAFEPIP_MANAGED)\n")
    assert run(capsys, "--managed", "python3")[0] == 0
    assert run(capsys, "--managed", environment)[0] == 1
    os.environ["SAFEPIP_MANAGED"] = "/none"
    code, out = run(capsys, "--managed", python3)
    assert (code, "is not managed: there is no " in out) == (1, True)


@pytest.mark.parametrize("named", ["python3.99", "/no/python"])
def test_managed_of_nothing(python3, named):
    with pytest.raises(SafepipError) as raised:
        doctor.main(("--managed", named), context(), Report())
    assert raised.value.code == 127


def test_help_and_wrong_use(capsys):
    assert run(capsys, "--help")[0] == 0
    for words in (("--what",), ("--json", "x"), ("--managed", "a", "b")):
        with pytest.raises(SafepipError) as raised:
            doctor.main(words, context(), Report())
        assert raised.value.code == 64
