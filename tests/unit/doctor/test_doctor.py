"""Each fault is made, named by doctor with a command, and that command, typed in a shell, repairs it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

import safepip
from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.core.world import Interpreter, Target
from safepip.doctor import advisories, directories, examine, path, stray_installs, surroundings
from safepip.doctor.finding import Finding
from safepip.errors import SafepipError
from safepip.report import Report
from safepip.system.interpreter import is_marked
from safepip.system.observe import Context, ambient
from safepip.system.registry import MADE, TRUSTED, note
from safepip.verbs import doctor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(safepip.__file__)))
PYPROJECT = os.path.join(ROOT, "pyproject.toml")
LAUNCHER = f"""#!{sys.executable}
import sys
sys.path.insert(0, {ROOT!r})
from safepip.cli import main
sys.exit(main())
"""
TOOLS = (
    "bash",
    "sh",
    "env",
    "sed",
    "mv",
    "rm",
    "chmod",
    "mkdir",
    "git",
)  # with neither pip nor python beside them

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are for POSIX shells")


def put(path, text="", mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


class World:
    """A home in which nothing is wrong: safepip and a managed python3 on PATH, safepip in the shell's file."""

    def __init__(self, home, work, python):
        self.home, self.work, self.python = home, work, python
        self.venv = os.path.join(work, ".venv")
        self.state = os.path.join(home, ".local", "state", "safepip")
        self.bin, self.tools = os.path.join(home, "bin"), os.path.join(home, "tools")
        self.program = put(os.path.join(self.bin, "safepip"), LAUNCHER, 0o755)
        self.bashrc = put(os.path.join(home, ".bashrc"), f'eval "$({self.program} init bash)"\n')
        os.makedirs(os.path.join(home, "python"))
        os.symlink(python, os.path.join(home, "python", "python3"))
        os.makedirs(self.tools)
        for name in TOOLS:
            os.symlink(shutil.which(name) or name, os.path.join(self.tools, name))

    def put(self, name, text="", mode=0o644):
        """Write a file, relative to the home directory."""
        return put(os.path.join(self.home, name), text, mode)

    def first_on_path(self, folder):
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"

    def make_environment(self, path=None, how=TRUSTED):
        path = path or self.venv
        subprocess.run([self.python, "-I", "-m", "venv", "--without-pip", path], check=True)
        if how:
            note(self.state, path, how)
        return path

    def site(self, path=None):
        (library,) = os.listdir(os.path.join(path or self.venv, "lib"))
        return os.path.join(path or self.venv, "lib", library, "site-packages")


@pytest.fixture
def world(home, work, base_python, monkeypatch):
    before = dict(os.environ)
    made = World(home, work, base_python)
    os.environ.update(
        PATH=f"{made.bin}:{home}/python:{made.tools}",
        SHELL="/bin/bash",
        USER="root",
        SAFEPIP_MANAGED=base_python,
    )
    monkeypatch.setattr(sys, "argv", [made.program])
    yield made
    os.environ.clear()
    os.environ.update(before)


def look(**how):
    """Return the findings of an install typed here."""
    return examine(Context(Invocation(words=("install", "x")), replace(ambient(), **how), keep=False))


def faults():
    """Return what is wrong, but for what the machine's Python itself has installed."""
    return [one for one in look() if one.status != "ok" and one.id != "leftover-system"]


def repair(command):
    """Type the command in a shell, and take over the directory and the variables that it leaves."""
    done = subprocess.run(
        ["bash", "-c", f'{command}\ncode=$?; pwd; printf "\\0"; env -0; exit $code'],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    _, _, variables = done.stdout.partition(b"\0")
    left = dict(os.fsdecode(one).split("=", 1) for one in variables.split(b"\0") if b"=" in one)
    os.environ.clear()
    os.environ.update(left)


def test_nothing_is_wrong(world):
    assert faults() == []
    assert {"safepip", "python", "marker", "decision", "project", "environment", "routed", "folders"} <= {
        one.id for one in look()
    }


# -- faults, each with a part of the reason and a part of the command

FAULTS = []


def fault(name, status, why, command, *, repaired=True):
    """Take a function that makes the fault into the table; `repaired` tells whether the command can be typed here."""

    def take(make):
        FAULTS.append(pytest.param(make, name, status, why, command, repaired, id=make.__name__.replace("_", " ")))
        return make

    return take


def variable(name, value, finding, status, why):
    def make(_world):
        os.environ[name] = value

    FAULTS.append(pytest.param(make, finding, status, why, f"unset {name}", True, id=f"{name}={value}"))


variable("PIP_TARGET", "/opt/all", "pip-target", "warning", "/opt/all")
variable("PIP_PREFIX", "/opt/all", "pip-prefix", "warning", "/opt/all")
variable("PIP_ROOT", "/opt/all", "pip-root", "warning", "/opt/all")
variable("PIP_USER", "1", "pip-user", "warning", "--user")
variable("PIP_BREAK_SYSTEM_PACKAGES", "yes", "pip-break-system-packages", "warning", "the system's Python")
variable("PIP_DRY_RUN", "true", "pip-dry-run", "warning", "only show")
variable("PIP_USER", "maybe", "pip-setting-wrong", "problem", "'maybe' is not a truth value")
variable("PIP_TIMEOUT", "soon", "pip-setting-wrong", "problem", "soon")
variable("PIP_CONSTRAINT", "/no/c.txt", "pip-constraint", "problem", "/no/c.txt, which does not exist")
variable("PIP_BUILD_CONSTRAINT", "~/work/x", "pip-build-constraint", "problem", "~/work/x")  # as pip takes it
variable("PIP_CONFIG_FILE", "/no/pip.conf", "pip-config-file", "warning", "/no/pip.conf, which does not exist")
variable("PIP_PYTHON", "/no/python", "python", "problem", "there is no /no/python")
variable("SAFEPIP_PYTHON", "python3.99", "python", "problem", "there is no python3.99")
variable("SAFEPIP_SCOPE", "sometimes", "setting-wrong", "problem", "SAFEPIP_SCOPE: scope must be")
variable("SAFEPIP_ENVDIR", "x", "unknown-variable", "warning", "SAFEPIP_ENVDIR is not a setting")
variable("SAFEPIP_BYPASS", "1", "bypass", "warning", "nothing is routed")
variable("VIRTUAL_ENV", "/no/venv", "active-stale", "warning", "/no/venv, which does not exist")
variable("PYTHONPATH", "/opt/modules", "pythonpath", "warning", "/opt/modules")


def file_of_pip(text, finding, status, why, command, name=".config/pip/pip.conf"):
    def make(world):
        world.put(name, text)

    FAULTS.append(pytest.param(make, finding, status, why, command, True, id=f"{name}: {text!r}"))


file_of_pip("[install]\nuser = true\n", "pip-user", "warning", "--user", "config --user unset install.user")
file_of_pip("[global]\ntarget = /x\n", "pip-target", "warning", "/x", "config --user unset global.target")
file_of_pip("[global]\nprefix: /x\n", "pip-prefix", "warning", "/x", "config --user unset global.prefix")
file_of_pip("[global]\nuser = 1\n", "pip-user", "warning", "~/.pip/pip.conf", "sed -i.bak", ".pip/pip.conf")
file_of_pip("[global]\nbreak_system_packages = 1\n", "pip-break-system-packages", "warning", "conf", "sed -i.bak")
file_of_pip("[DEFAULT]\nuser = 1\n[global]\n", "pip-user", "warning", "--user", "sed -i.bak")
file_of_pip("[global\nuser", "pip-config-malformed", "problem", "every pip command fails", "pip.conf.broken")
file_of_pip("[global]\nuser = maybe\n", "pip-setting-wrong", "problem", "not a truth value", "/d")
file_of_pip("[global]\nretries = many\n", "pip-setting-wrong", "problem", "many", "sed -i.bak")
file_of_pip("[install]\nconstraint = /no/c\n", "pip-constraint", "problem", "/no/c", "unset install.constraint")
file_of_pip("[global]\npython = /no/python\n", "python", "problem", "there is no /no/python", "sed")


def settings(name, text, status, why, command):
    def make(world):
        world.put(name, text)

    FAULTS.append(pytest.param(make, "setting-wrong", status, why, command, True, id=f"{name}: {text!r}"))


settings(".config/safepip/config.toml", "hints = true\nenv_dir = 'x'\n", "warning", "unknown key", "2s/^/# /")
settings(".config/safepip/config.toml", "scope = 'never'\n", "problem", "scope must be", "1s/^/# /")
settings(".config/safepip/config.toml", "apps = [\n 'a b',\n]\n", "problem", "apps must be", "config.toml.broken")


@fault("setting-wrong", "problem", "broken TOML", "config.toml.broken")
def a_broken_settings_file(world):
    world.put(".config/safepip/config.toml", "scope = \n")


@fault("setting-wrong", "problem", 'may only be "always"', "2s/^/# /")
def a_setting_that_a_project_may_not_make(world):
    world.put("work/pyproject.toml", "[tool.safepip]\nscope = 'managed'\n")


@fault("setting-wrong", "problem", "broken TOML", '"${EDITOR:-vi}" +2 ', repaired=False)
def a_broken_project_file_is_for_an_editor(world):
    world.put("work/pyproject.toml", "[tool.safepip]\nscope = \n")


# surroundings


@fault("home-unset", "warning", "the password database says ", "export HOME=")
def home_unset(world):
    del os.environ["HOME"]
    for name in ("CACHE", "STATE", "DATA", "CONFIG"):  # not the real user's
        os.environ[f"XDG_{name}_HOME"] = world.put(f"xdg/{name}/x")[:-2]


@fault("home-missing", "problem", "does not exist: ", "mkdir -p ")
def home_missing(world):
    os.environ["HOME"] = os.path.join(world.work, "gone")


@fault("directory-gone", "problem", "was removed", "cd", repaired=False)
def the_working_directory_was_removed(world):
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")


# programs


@fault("safepip-off-path", "warning", "is not on PATH", "export PATH=")
def safepip_is_not_on_path(world):
    os.environ["PATH"] = os.environ["PATH"].replace(world.bin, "/none")


@fault("safepip-shadowed", "warning", "another safepip comes first on PATH: ~/other/safepip", "export PATH=")
def another_safepip_comes_first(world):
    world.first_on_path(os.path.dirname(world.put("other/safepip", "#!/bin/sh\n", 0o755)))


@fault("safepip-shadowed", "warning", "the safepip of another project, safepip-scanner,", "export PATH=")
def the_safepip_of_another_project_comes_first(world):
    other(world, "entry_points.txt", "[console_scripts]\nsafepip = safepip_scanner.cli:main\n")


@fault("safepip-shadowed", "warning", "the safepip of another project, safepip-scanner,", "export PATH=")
def another_projects_safepip_is_a_plain_script(world):
    other(world, "RECORD", "../../../bin/safepip,,\n")


def other(world, name, text):
    """Have another distribution own the first program safepip on PATH."""
    info = "other/lib/python3.11/site-packages/Safepip_Scanner-1.0.dist-info"
    world.put(f"{info}/METADATA", "Metadata-Version: 2.1\nName: Safepip-Scanner\nVersion: 1.0\n")
    world.put(f"{info}/{name}", text)
    world.first_on_path(os.path.dirname(world.put("other/bin/safepip", "#!/bin/sh\n", 0o755)))


@fault("pip-without-python", "problem", "its Python, /gone/python3, is gone", "rm ")
def a_pip_whose_python_is_gone(world):
    world.put("bin/pip", "#!/gone/python3\n", 0o755)


@fault("pip-without-python", "problem", "/gone/with space/python, is gone", "rm ")
def a_pip_started_by_a_trampoline_whose_python_is_gone(world):
    world.put("bin/pip", '#!/bin/sh\n\'\'\'exec\' "/gone/with space/python" "$0" "$@"\n', 0o755)


@fault("pip-without-python", "problem", "is gone", "safepip env repair ", repaired=False)
def a_pip_of_an_environment_whose_python_is_gone(world):
    world.make_environment()
    put(os.path.join(world.venv, "bin", "pip"), "#!/gone/python3\n", 0o755)
    world.first_on_path(os.path.join(world.venv, "bin"))


@fault("pip-mismatch", "warning", "pip and python differ", "safepip shims ")
def pip_and_python_differ(world):
    another = world.put("another/python3", "#!/bin/sh\n", 0o755)
    world.put("bin/pip", f"#!{another}\n", 0o755)


@fault("path-relative", "warning", "PATH holds .", "export PATH=")
def path_holds_the_working_directory(_world):
    os.environ["PATH"] += ":."


@fault("path-relative", "warning", "PATH holds an empty entry", "export PATH=")
def path_has_an_empty_entry(_world):
    os.environ["PATH"] += ":"


# how pip comes to be safepip's


@fault("routed", "warning", "neither init nor shims", "safepip init --write")
def neither_init_nor_shims(world):
    os.unlink(world.bashrc)


def stale(line, gone):
    def make(world):
        put(world.bashrc, f"{line}\n")

    why = f"~/.bashrc starts {gone}, which is gone"
    FAULTS.append(pytest.param(make, "init-stale", "warning", why, "safepip init --write", True, id=line))


stale("eval \"$('/old/safepip' init bash)\"", "/old/safepip")
stale('eval "$(/old/bin/safepip init bash)"', "/old/bin/safepip")
stale('eval "$(~/old/safepip init bash)"', "~/old/safepip")
stale('eval "$($HOME/old/safepip init bash)"', "~/old/safepip")
stale('eval "$("${HOME}/old dir/safepip" init bash)"', "~/old dir/safepip")
stale("eval \"$('/old place/bin/safepip' init bash)\"", "/old place/bin/safepip")


SHIMS = ".local/share/safepip/shims"


@fault("shims-off-path", "warning", "are not on PATH", "export PATH=")
def shims_off_path(world):
    repair("safepip shims")


@fault("shims-shadowed", "warning", "pip comes before the shims", "export PATH=")
def shims_behind_pip(world):
    repair("safepip shims")
    world.first_on_path(os.path.join(world.home, SHIMS))
    world.first_on_path(os.path.dirname(world.put("a/pip", "#!/bin/sh\n", 0o755)))


@fault("shims-stale", "warning", "a safepip that is gone", "safepip shims ")
def shims_of_a_safepip_that_is_gone(world):
    repair("safepip shims")
    world.first_on_path(os.path.join(world.home, SHIMS))
    link = os.path.join(world.home, SHIMS, ".safepip", "pip")
    os.unlink(link)
    os.symlink("/no/safepip", link)


@fault("local-bin", "warning", "~/.local/bin is not on PATH", "safepip app ensurepath", repaired=False)
def programs_of_pipx_that_path_does_not_find(world):
    world.put(".local/bin/black", "#!/bin/sh\n", 0o755)


# environments


@fault("environment-broken", "problem", "~/work/.venv is not an environment", "mv ")
def an_environment_without_configuration(world):
    world.put("work/.venv/something")


@fault("environment-broken", "problem", "was made with Python ", "safepip env repair .venv", repaired=False)
def an_environment_whose_python_is_gone(world):
    world.make_environment()
    for name in ("python", "python3"):
        os.unlink(os.path.join(world.venv, "bin", name))
    os.symlink("/usr/bin/python3.4", os.path.join(world.venv, "bin", "python"))


@fault("active-stale", "warning", "was made with Python ", "safepip env repair ", repaired=False)
def an_active_environment_whose_python_is_gone(world):
    an_environment_whose_python_is_gone(world)
    os.environ["VIRTUAL_ENV"] = world.venv


@fault("environment-broken", "problem", "another system", "export SAFEPIP_ENV=")
def an_environment_of_another_system(world):
    world.put("work/.venv/pyvenv.cfg", "home = C:\\Python312\nversion = 3.12.1\n")
    world.put("work/.venv/Scripts/python.exe")


@fault("environment-broken", "problem", "~/work/odd is not an environment", "mv ")
def an_environment_that_was_named(world):
    world.put("work/odd/something")
    os.environ["SAFEPIP_ENV"] = "odd"


@fault("environment-untrusted", "problem", "came with the repository", "safepip env trust .venv")
def an_environment_that_came_with_the_repository(world):
    world.make_environment(how=None)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "-f", ".venv"], check=True)


@fault("environment-moved", "problem", "and copied here", "safepip env repair .venv", repaired=False)
def a_copied_project(world):
    shutil.copytree(world.make_environment(os.path.join(world.home, "original")), world.venv, symlinks=True)


@fault("environment-moved", "problem", "and moved here", "safepip env repair .venv", repaired=False)
def a_moved_project(world):
    os.rename(world.make_environment(os.path.join(world.home, "original"), MADE), world.venv)


@fault("environment-unfinished", "warning", "was interrupted", "safepip env create", repaired=False)
def a_creation_that_was_interrupted(world):
    world.put("work/.venv/.safepip/creating", "0123")


@fault("environment-unfinished", "warning", "was interrupted", "safepip --env ", repaired=False)
def a_creation_of_the_home_environment_that_was_interrupted(world):
    world.put(".local/share/safepip/home/.safepip/creating", "0123")


@fault("environment-without-pip", "warning", "has lost its pip", "safepip env repair .venv", repaired=False)
def an_environment_that_lost_pip(world):
    world.make_environment(how=MADE)


@fault("half-removed", "warning", "left ~ix-1.0.dist-info in ~/work/.venv", "safepip env repair .venv")
def what_an_interrupted_uninstall_left(world):
    world.make_environment()
    os.mkdir(os.path.join(world.site(), "~ix-1.0.dist-info"))


@fault("active-other", "warning", "is not this project's", ". ")
def another_environment_is_active(world):
    world.make_environment()
    other = world.make_environment(os.path.join(world.home, "other"))
    os.environ["VIRTUAL_ENV"] = other
    world.first_on_path(os.path.join(other, "bin"))


@fault(
    "environment-broken", "problem", "~/work/.venv is not an environment", "safepip env repair ", repaired=False
)
def an_environment_elsewhere_that_safepip_remembers(world):
    world.make_environment(how=MADE)
    os.unlink(os.path.join(world.venv, "pyvenv.cfg"))
    os.chdir(world.home)


# what earlier installs left


@fault(
    "leftover-user",
    "warning",
    "pip install --user left some-thing in ~/.local/lib/python",
    "-y some-thing",
    repaired=False,
)
def packages_of_user_installs(world):
    major, minor = sys.version_info[:2]
    world.put(f".local/lib/python{major}.{minor}/site-packages/Some_Thing-1.0.dist-info/INSTALLER", "pip\n")


@fault("leftover-user", "warning", "left old-thing in ", "mv ")
def packages_for_a_python_that_is_gone(world):
    world.put(".local/lib/python2.0/site-packages/old_thing-1.egg-info")


@fault(
    "application-broken",
    "problem",
    "the application black is not an environment",
    "safepip app reinstall black",
    repaired=False,
)
def an_application_whose_python_is_gone(world):
    world.put(".local/share/pipx/venvs/black/pipx_metadata.json", "{}")


# safepip's own directories


@fault("state-folder", "warning", "can be written by everybody", "chmod go-w ")
def state_open_to_everybody(world):
    os.chmod(os.path.dirname(world.put(".local/state/safepip/environments/x")), 0o777)


@pytest.mark.parametrize(("make", "name", "status", "why", "command", "repaired"), FAULTS)
def test_a_fault_is_named_with_the_command_that_repairs_it(world, make, name, status, why, command, repaired):
    make(world)
    found = [one for one in faults() if one.id == name]
    assert len(found) == 1, faults()
    (one,) = found
    assert one.status == status
    assert why in one.why
    assert not one.why.endswith(".")
    assert command in one.command
    if repaired:
        repair(one.command)
        assert name not in {one.id for one in faults()}


# -- what is not a fault


def test_an_empty_environment_is_not_a_fault(world):
    os.mkdir(world.venv)
    assert faults() == []


def test_an_environment_that_never_had_pip_is_not_a_fault(world):
    world.make_environment()
    assert faults() == []
    assert any("without a pip of its own" in one.why for one in look())


def test_a_shim_serves_instead_of_init(world):
    os.unlink(world.bashrc)
    repair("safepip shims")
    world.first_on_path(os.path.join(world.home, SHIMS))
    assert faults() == []


@pytest.mark.parametrize(
    "line", ["'{}' init bash", "~/bin/safepip init bash", '"$HOME/bin/safepip" init bash', "safepip init bash"]
)
def test_a_line_whose_program_exists_serves(world, line):
    put(world.bashrc, f'# safepip\neval "$({line.format(world.program)})"\n')
    assert faults() == []


def test_require_virtualenv_matters_only_where_nothing_is_routed(world):
    os.environ["PIP_REQUIRE_VIRTUALENV"] = "1"
    assert faults() == []
    os.environ["SAFEPIP_UNMANAGED"] = os.environ.pop("SAFEPIP_MANAGED")
    assert [one.command for one in faults() if one.id == "pip-require-virtualenv"] == [
        "unset PIP_REQUIRE_VIRTUALENV"
    ]


def test_a_pip_started_by_env_belongs_to_nobody(world):
    world.put("bin/pip", "#!/usr/bin/env python3\n", 0o755)
    assert faults() == []


def test_files_that_pip_can_read_are_not_faults(world):
    world.put("work/there.txt")
    os.environ["PIP_CONSTRAINT"] = "there.txt https://x/c.txt"
    assert faults() == []


def test_no_variable_that_safepip_itself_uses_is_taken_for_a_slip():
    """All that its sources name, those of the shells and the pages of help too."""
    used = set()
    for folder, _, names in os.walk(os.path.join(ROOT, "safepip")):
        for name in names:
            if not name.endswith(".pyc"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    used.update(re.findall(r"\bSAFEPIP_[A-Z_]*[A-Z]\b", file.read()))
    assert {"SAFEPIP_HOOK", "SAFEPIP_SHELL_ZDOTDIR", "SAFEPIP_RUN_AS"} <= used
    assert list(surroundings.unknown_variables(dict.fromkeys(used, "x") | {"SAFEPIP_ENVDIR": "x"})) == [
        "SAFEPIP_ENVDIR"
    ]


# -- what is told of things that are fine


def why(name):
    return next(one.why for one in look() if one.id == name)


def test_the_environment_that_is_gone_is_named(world):
    shutil.rmtree(world.make_environment())
    assert why("environments-gone").startswith("safepip remembers ~/work/.venv, no longer there")


def test_environments_elsewhere_are_counted(world):
    world.make_environment()
    os.chdir(world.home)
    assert why("environments") == "1 other environment is intact"


def test_an_active_environment(world):
    os.environ["VIRTUAL_ENV"] = world.make_environment()
    assert why("active") == "the environment ~/work/.venv is active, by VIRTUAL_ENV"
    world.first_on_path(os.path.join(world.venv, "bin"))
    assert why("python").endswith("of the environment ~/work/.venv")


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("SAFEPIP_HINTS", "1", "would create ~/work/.venv (Python "),
        ("PIP_TARGET", "/x", "would leave it to the pip of ~/python/python3, since --target (PIP_TARGET)"),
        ("SAFEPIP_ENV_DIR", "central", "would create ~/.local/share/safepip/envs/work-"),
    ],
)
def test_the_outcome_of_an_install_is_told(world, name, value, outcome):
    os.environ[name] = value
    assert outcome in why("decision")


def test_programs_are_told_in_the_order_of_path(world):
    first, second = (os.path.dirname(world.put(f"{name}/pip3", "#!/bin/sh\n", 0o755)) for name in "ab")
    world.put("b/pip", "#!/bin/sh\n", 0o755)
    os.environ["PATH"] = os.pathsep.join([first, second, first, world.bin])
    assert [one.path for one in path.on_path(path.PIPS, Context(Invocation(words=()), ambient()))] == [
        f"{first}/pip3",
        f"{second}/pip",
    ]


def test_home_is_written_short_in_reasons_but_not_in_commands(world):
    world.put("work/.venv/something")
    (one,) = faults()
    assert one.why.startswith("~/work/.venv ")
    assert one.command == f"mv {world.venv} {world.venv}.old"


def test_commands_are_quoted(world):
    place = os.path.join(world.home, "a b;c")
    world.put("a b;c/.venv/something")
    os.chdir(place)
    (one,) = faults()
    assert shlex.split(one.command) == ["mv", f"{place}/.venv", f"{place}/.venv.old"]


def test_packages_in_a_managed_python(world):
    prefix = os.path.join(world.home, "managed")
    for name, installer in (("pip", "pip"), ("ours", "pip"), ("theirs", "rpm"), ("uvs", "uv")):
        world.put(f"managed/lib/python3.12/site-packages/{name}-1.0.dist-info/INSTALLER", installer)
    python = Interpreter(
        path=f"{prefix}/bin/python3", real=f"{prefix}/bin/python3", version=(3, 12), prefix=prefix,
        base_prefix=prefix, stdlib=f"{prefix}/lib/python3.12", site="lib/python3.12/site-packages",
    )  # fmt: skip

    def found(*, managed):
        context = Context(
            Invocation(words=()), ambient(), target=Target(python="x", interpreter=python), managed=managed
        )
        return [one.why.split(" in ")[0] for one in stray_installs.check(context) if one.status != "ok"]

    assert found(managed=True) == ["sudo pip or --break-system-packages left ours, uvs"]
    assert found(managed=False) == []


@pytest.mark.parametrize(("place", "fault"), [("/", "mode"), (None, "owner")])
def test_nobody_is_told_to_take_the_root_directory(place, fault, work, monkeypatch):
    """A container's user without a name has / for a home."""
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    world = replace(ambient(), user=54321, home=place or work)
    commands = [one.command for one in directories.check(Context(Invocation(words=()), world, keep=False))]
    assert commands
    assert not any("chown" in command and command.endswith(" /") for command in commands)


# -- what safepip runs with


def test_pyproject_demands_what_advisories_demand():
    with open(PYPROJECT, encoding="utf-8") as file:
        needed = file.read().partition("\ndependencies = [")[2].partition("\n]")[0]
    demanded = dict(re.findall(r'"(\w+) >= ([\d.]+)"', needed))
    assert {name: demanded[name] for name, _, _ in advisories.FLOORS} == {
        name: floor for name, floor, _ in advisories.FLOORS
    }


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        ({"pip": "26.2", "virtualenv": "20.36.1", "filelock": "3.20.3"}, []),
        ({"pip": "27.0.dev0", "virtualenv": "21.1", "filelock": "4"}, []),
        ({"pip": "26.1.2", "virtualenv": "20.36.1", "filelock": "3.20.2"}, ["pip", "filelock"]),
        ({"pip": "9.0.3", "virtualenv": "20.36"}, ["pip", "virtualenv"]),
    ],
)
def test_an_old_release_with_an_advisory_is_named(installed, found):
    def version_of(name):
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    warned = list(advisories.check(Context(Invocation(words=()), ambient()), version_of))
    assert [one.why.split()[3] for one in warned] == found
    assert all("CVE-" in one.why and " -m pip install --upgrade " in one.command for one in warned)


# -- how findings are shown


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


# -- the verb


def run(capsys, *words):
    code = doctor.main(words, Context(Invocation(words=(), verb="doctor"), ambient(), keep=False), Report())
    return code, capsys.readouterr().out


def test_json_has_every_finding(capsys, world):
    code, out = run(capsys, "--json")
    rows = json.loads(out)
    assert (code, list(rows)) == (0, ["findings"])
    assert [list(row) for row in rows["findings"]] == [["id", "status", "why", "command"]] * len(look())


def test_text_ends_with_a_count_and_a_problem_is_exit_code_1(capsys, world):
    world.put("work/.venv/something")
    code, out = run(capsys)
    assert code == 1
    assert out.splitlines()[-1].startswith("1 problem")


def test_managed_says_so(capsys, world, environment, base):
    python3 = os.path.join(world.home, "python", "python3")
    why = base.marker if is_marked(base) else "by the setting managed (SAFEPIP_MANAGED)"
    assert run(capsys, "--managed") == (0, f"{python3} is managed: {why}\n")
    assert run(capsys, "--managed", "python3")[0] == 0
    assert run(capsys, "--managed", environment)[0] == 1


def test_without_the_setting_the_marker_decides_whether_a_python_is_managed(capsys, world, base):
    python3 = os.path.join(world.home, "python", "python3")
    os.environ["SAFEPIP_MANAGED"] = "/none"
    code, out = run(capsys, "--managed", python3)
    if is_marked(base):
        assert (code, out) == (0, f"{python3} is managed: {base.marker}\n")
    else:
        assert (code, "is not managed: there is no " in out) == (1, True)


@pytest.mark.parametrize("named", ["python3.99", "/no/python", "3.99"])
def test_managed_of_nothing(capsys, world, named):
    with pytest.raises(SafepipError) as raised:
        run(capsys, "--managed", named)
    assert raised.value.code == 127


@pytest.mark.parametrize("line", ["--what", "x", "--json x", "--json --managed", "--managed a b", "--managed "])
def test_a_wrong_use_is_refused(capsys, world, line):
    with pytest.raises(SafepipError) as raised:
        run(capsys, *line.split(" "))
    assert raised.value.code == 64
