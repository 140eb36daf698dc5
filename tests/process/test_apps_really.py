"""Applications with the real pipx: wheels made here, a wheel of pipx from the folder that scripts/test.py fills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess

import machine
import pytest
from sandbox import SYSTEM_PATH, SYSTEM_PYTHON, Ran, Sandbox, look, make_wheel

pytestmark = pytest.mark.slow

ANNOUNCED = "httpie is an application: installing it with pipx (into the home environment instead: safepip --lib install httpie)"


@pytest.fixture(scope="module")
def app_wheels(base: str) -> str:
    folder = os.path.join(base, "app-wheels")
    os.makedirs(folder)
    for version in ("1.0", "2.0"):
        make_wheel(folder, "httpie", version, commands=["http"])
    make_wheel(folder, "black", "1.0", commands=["black"])
    make_wheel(folder, "ansible", "1.0", requires=["black"])
    make_wheel(folder, "lib", "1.0")
    make_wheel(folder, "other", "1.0", requires=["black"])
    make_wheel(folder, "tox", "1.0", requires=["nowhere-to-be-had"], commands=["tox"])
    return folder


@pytest.fixture(scope="module")
def pipx(base: str, pipx_environment: str) -> str:
    """Give a folder with the program of a pipx, and nothing else."""
    folder = os.path.join(base, "pipx-bin")
    os.makedirs(folder)
    os.symlink(os.path.join(pipx_environment, "bin", "pipx"), os.path.join(folder, "pipx"))
    return folder


@pytest.fixture
def bare(sandbox: Sandbox, app_wheels: str, published_wheels: str) -> Sandbox:
    """Give a world without pipx, from whose wheels it can be had; what is tested happens in the home directory."""
    sandbox.variables["PIP_FIND_LINKS"] = f"{app_wheels} {published_wheels}"
    sandbox.project, sandbox.inside = sandbox.home, sandbox.project  # type: ignore[attr-defined]
    return sandbox


@pytest.fixture
def world(bare: Sandbox, pipx: str, base: str) -> Sandbox:
    """Give a world with pipx on PATH, and pip for pipx's environments there already."""
    bare.variables["PATH"] = f"{SYSTEM_PATH}:{pipx}:{bare.home}/.local/bin"
    bare.variables["PIPX_SHARED_LIBS"] = os.path.join(base, "pipx-shared")
    return bare


def call(sandbox: Sandbox, name: str) -> Ran:
    """Run a program by its name, found on PATH or where pipx puts it."""
    programs = os.path.join(sandbox.home, ".local", "bin")
    return sandbox.call(["/usr/bin/env", name], env={"PATH": f"{programs}:{sandbox.variables['PATH']}"})


def version(sandbox: Sandbox, program: str = "http") -> str:
    ran = call(sandbox, program)
    return ran.text.split()[-1] if ran.code == 0 else f"exit {ran.code}"


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err.decode()
    return ran


def home_packages(sandbox: Sandbox) -> set[str]:
    python = os.path.join(sandbox.home, ".local/share/safepip/home/bin/python")
    return sandbox.packages(python) if os.path.exists(python) else set()


def apps(sandbox: Sandbox) -> set[str]:
    folder = os.path.join(sandbox.home, ".local/share/pipx/venvs")
    return {name for name in os.listdir(folder) if name[0] != "."} if os.path.isdir(folder) else set()


# -- the whole life


def test_installed_run_shown_listed_upgraded_changed_and_removed(world: Sandbox) -> None:
    ran = done(world.run("install", "httpie==1.0"))
    assert ran.said == [ANNOUNCED]
    assert (ran.out, b"installed package httpie 1.0" in ran.err) == (b"", True), "stdout is pip's"
    assert version(world) == "1.0"
    assert home_packages(world) == set()
    assert world.run("undo").said[1:] == ["take it back: safepip app uninstall httpie"]

    assert b"Version: 1.0\n" in done(world.run("show", "httpie")).out
    listed = done(world.run("list"))
    assert listed.said == ["with pipx: httpie (safepip app list)"]
    assert b"httpie" not in listed.out
    assert done(world.run("freeze")).err == b""
    assert b"httpie" in done(world.run("app", "list", "--short")).out

    again = done(world.run("install", "httpie"))
    assert b"already seems to be installed" in again.err
    assert version(world) == "1.0"
    ran = done(world.run("install", "-U", "httpie"))
    assert ran.said == ["httpie is with pipx: upgrading it"]
    assert (ran.out, b"upgraded" in ran.err) == (b"", True)
    assert version(world) == "2.0", "the pin is gone, as with pip"
    done(world.run("install", "HTTPie<2"))
    assert version(world) == "1.0"
    done(world.run("install", "-U", "httpie<3"))
    assert version(world) == "2.0"

    ran = done(world.run("uninstall", "-y", "httpie"))
    assert ran.said == ["httpie is with pipx: removing it"]
    assert (ran.out, b"uninstalled httpie" in ran.err) == (b"", True)
    assert version(world) == "exit 127"
    assert apps(world) == set()
    told = ["+ httpie 1.0", "httpie 1.0 -> 2.0", "httpie 2.0 -> 1.0", "httpie 1.0 -> 2.0", "- httpie 2.0"]
    assert [line.strip() for line in world.run("history").text.splitlines()[1::2]] == told


def test_from_a_state_without_pipx(bare: Sandbox, pipx: str) -> None:
    ran = done(bare.run("install", "httpie"))
    own = os.path.join(bare.home, ".local/share/safepip/pipx")
    programs = os.path.join(bare.home, ".local/bin")
    assert ran.said[:2] == [ANNOUNCED, f"downloading pipx to {own} (once)"]
    assert ran.said[2].startswith(
        f"{programs} is not on PATH; for good: {bare.safepip} app ensurepath      now: export PATH="
    )
    assert b"pipx ensurepath`" not in ran.err, "pipx itself is not on PATH"
    assert version(bare) == "2.0"
    assert done(bare.run("install", "black", env={"PATH": f"{SYSTEM_PATH}:{programs}"})).said == [
        ANNOUNCED.replace("httpie", "black")
    ]
    assert "creating" not in os.listdir(os.path.join(own, ".safepip"))
    listed = bare.call([os.path.join(pipx, "pipx"), "list", "--short"])
    assert listed.text.split() == ["black", "1.0", "httpie", "2.0"], "a pipx that came later sees the same"


@pytest.mark.parametrize("where", ["variable", "file"])
def test_no_group_target_or_constraint_of_all_installs_gets_into_safepips_own_pipx(
    bare: Sandbox, app_wheels: str, where: str
) -> None:
    bare.write("pyproject.toml", '[dependency-groups]\ndev = ["lib"]\n')
    bare.write("../con.txt", "pipx<1\n")
    settings = {
        "group": "dev",
        "constraint": f"{bare.home}/con.txt",
        "target": f"{bare.home}/target",
        "dry-run": "1",
    }
    if where == "variable":
        bare.variables.update((f"PIP_{key.upper().replace('-', '_')}", value) for key, value in settings.items())
    else:
        machine.skip_where_pip_reads_files()
        lines = (f"{key} = {value}\n" for key, value in settings.items())
        bare.write(".config/pip/pip.conf", "[install]\n" + "".join(lines))
    done(bare.run("app", "list"))
    packages = bare.packages(os.path.join(bare.home, ".local/share/safepip/pipx/bin/python"))
    assert {"pipx", "lib"} & packages == {"pipx"}
    assert not os.path.exists(f"{bare.home}/target")


def test_a_pipx_that_is_too_old_or_does_not_run_is_passed_over(bare: Sandbox) -> None:
    for name, script in (("a", "echo 1.0.0"), ("b", "exit 127")):
        folder = os.path.join(bare.bin, name)
        os.makedirs(folder)
        with open(os.path.join(folder, "pipx"), "w") as file:
            file.write(f"#!/bin/sh\n{script}\n")
        os.chmod(os.path.join(folder, "pipx"), 0o755)
    path = f"{bare.bin}/a:{bare.bin}/b:{SYSTEM_PATH}"
    ran = done(bare.run("app", "--version", env={"PATH": path}))
    assert any(line.startswith("downloading pipx to ") for line in ran.said)
    assert ran.text[:1].isdigit(), ran


# -- which way


def test_a_library_forced_falls_back_to_the_environment(world: Sandbox) -> None:
    ran = done(world.run("--app", "install", "lib"))
    assert ran.said[0] == "lib has no programs: installing into the home environment"
    assert b"No apps" not in ran.err
    assert "lib" in home_packages(world)
    assert apps(world) == set()


def test_programs_of_what_it_needs_do_not_count_unless_that_is_usual(world: Sandbox) -> None:
    done(world.run("--app", "install", "other"))
    assert "other" in home_packages(world)
    done(world.run("install", "ansible"))
    assert apps(world) == {"ansible"}
    assert version(world, "black") == "1.0"


def test_of_several_only_those_without_programs_fall_back(world: Sandbox) -> None:
    ran = done(world.run("--app", "install", "--pre", "httpie", "lib"))
    assert "lib has no programs: installing into the home environment" in ran.said
    assert apps(world) == {"httpie"}
    assert home_packages(world) & {"lib", "httpie"} == {"lib"}


def test_a_mixed_line_is_one_install_in_the_environment(world: Sandbox) -> None:
    done(world.run("install", "httpie", "lib"))
    assert {"httpie", "lib"} <= home_packages(world)
    assert apps(world) == set()
    done(world.run("install", "httpie"))
    assert apps(world) == set(), "it is not installed twice"


def test_inside_a_project_only_with_app(world: Sandbox) -> None:
    inside: str = world.inside  # type: ignore[attr-defined]
    done(world.run("install", "black", cwd=inside))
    assert "black" in world.packages(os.path.join(inside, ".venv/bin/python"))
    done(world.run("--app", "install", "httpie", cwd=inside))
    assert apps(world) == {"httpie"}


def test_outside_a_project_lib_goes_to_the_home_environment(world: Sandbox) -> None:
    done(world.run("--lib", "install", "httpie"))
    assert "httpie" in home_packages(world)
    assert apps(world) == set()


def test_the_verb_is_pipx_itself(world: Sandbox) -> None:
    done(world.run("app", "install", "httpie"))
    done(world.run("app", "inject", "httpie", "lib"))
    assert b"httpie 2.0" in done(world.run("app", "list", "--short", "--include-injected")).out
    assert world.run("app", "uninstall", "nothing").code == 1
    done(world.run("app", "uninstall", "httpie"))
    assert apps(world) == set()


def test_help_needs_no_pipx(bare: Sandbox) -> None:
    before = bare.traces()
    assert done(bare.run("app", "--help")).out.startswith(b"usage: safepip app WORD")
    assert done(bare.run("app")).out.startswith(b"usage: safepip app WORD")
    assert bare.traces() == before


def test_explain_shows_the_words_for_pipx_and_touches_nothing(bare: Sandbox) -> None:
    before = bare.traces()
    ran = done(bare.run("explain", "--json", "install", "--pre", "httpie==1.0"))
    explained = json.loads(ran.out)
    assert explained["plan"] == "pipx"
    assert explained["argv"] == [
        "pipx",
        "install",
        "--pip-args=--pre",
        "--python",
        SYSTEM_PYTHON,
        "--",
        "httpie==1.0",
    ]
    ran = done(bare.run("explain", "install", "httpie", "black"))
    assert ran.text.splitlines()[0] == "would install httpie, black with pipx"
    assert ran.text.count("pipx install") == 2
    assert bare.traces() == before


# -- what goes wrong


def test_without_a_source_for_pipx_it_says_so_and_leaves_nothing(bare: Sandbox, app_wheels: str) -> None:
    ran = bare.run("install", "httpie", env={"PIP_FIND_LINKS": app_wheels})
    assert ran.code == 69
    assert "error: could not install pipx; see pip's output above" in ran.said
    assert "into an environment instead: safepip --lib install …" in ran.said
    assert b"Traceback" not in ran.err
    assert not os.path.exists(os.path.join(bare.home, ".local/share/safepip/pipx"))
    assert apps(bare) == set()


def test_where_nothing_can_be_kept_it_says_so(bare: Sandbox) -> None:
    with open(os.path.join(bare.home, ".local"), "w"):
        pass
    ran = bare.run("install", "httpie")
    assert ran.code == 69
    assert any(line.startswith("error: pipx cannot be kept in ") for line in ran.said)
    assert b"Traceback" not in ran.err


def test_what_pipx_cannot_install_leaves_nothing_and_its_code(world: Sandbox) -> None:
    ran = world.run("install", "tox")
    assert ran.code == 1
    assert b"nowhere-to-be-had" in ran.err
    assert apps(world) == set()
    assert home_packages(world) == set()


def test_a_version_that_cannot_be_had_leaves_what_is_there(world: Sandbox) -> None:
    done(world.run("install", "httpie==1.0"))
    assert world.run("install", "httpie==9").code == 1
    assert version(world) == "1.0"


def test_three_at_once_from_a_state_without_pipx(bare: Sandbox) -> None:
    running = [bare.start("install", name) for name in ("httpie", "black", "httpie")]
    ended = [(process.communicate()[1], process.returncode) for process in running]
    assert [code for _, code in ended] == [0] * 3, ended
    assert sum(b"downloading pipx" in err for err, _ in ended) == 1
    assert apps(bare) == {"httpie", "black"}
    assert (version(bare), version(bare, "black")) == ("2.0", "1.0")


def test_a_fetch_that_was_killed_is_begun_again(bare: Sandbox) -> None:
    own = os.path.join(bare.home, ".local/share/safepip/pipx")
    process = bare.start("install", "httpie")
    while process.poll() is None and not os.path.exists(os.path.join(own, "pyvenv.cfg")):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert os.path.exists(os.path.join(own, ".safepip", "creating"))
    ran = done(bare.run("app", "--version"))
    assert f"downloading pipx to {own} (once)" in ran.said
    assert ran.text[:1].isdigit(), ran


def test_without_ensurepip_pipx_has_its_pip_all_the_same(bare: Sandbox) -> None:
    bwrap = shutil.which("bwrap")
    if bwrap is None or subprocess.run([bwrap, "--dev-bind", "/", "/", "true"], check=False).returncode != 0:
        pytest.skip("needs bubblewrap")
    code = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    stdlib = subprocess.check_output([SYSTEM_PYTHON, "-I", "-c", code], text=True).strip()
    folders = [folder for folder in (f"{stdlib}/ensurepip", "/usr/share/python-wheels") if os.path.isdir(folder)]
    hidden = [word for folder in folders for word in ("--tmpfs", folder)]
    ran = bare.call([bwrap, "--dev-bind", "/", "/", *hidden, bare.safepip, "install", "httpie"])
    assert ran.code == 0, ran.err.decode()
    assert version(bare) == "2.0"


def test_nothing_of_the_working_directory_is_run(world: Sandbox) -> None:
    for name in ("pip.py", "json.py", "venv.py", "pipx.py"):
        world.write(name, "open('/'.join(__file__.split('/')[:-1]) + '/hijacked', 'w')\n")
    done(world.run("install", "httpie"))
    assert "hijacked" not in look(world.home)


def test_pips_settings_reach_pipx_but_do_not_lead_it_elsewhere(world: Sandbox) -> None:
    ran = done(world.run("install", "httpie", env={"PIP_USER": "1", "VIRTUAL_ENV": "/nowhere"}))
    assert version(world) == "2.0", ran.err.decode()
    python = os.path.join(world.home, ".local/share/pipx/venvs/httpie/bin/python")
    assert "httpie" in world.packages(python)


# -- the rules by which pip takes packages hold for pipx as well


@pytest.fixture
def with_uv(world: Sandbox, uv_programs: str) -> Sandbox:
    """Give a world where pipx would use uv, which reads none of pip's settings: with it, nothing can be got."""
    world.variables["PATH"] += f":{uv_programs}"
    world.variables["PIPX_DEFAULT_BACKEND"] = "uv"
    return world


def test_pips_settings_hold_whatever_the_backend_of_pipx_is(with_uv: Sandbox) -> None:
    done(with_uv.run("install", "httpie"))
    assert version(with_uv) == "2.0"
    constraints = with_uv.write("constraints.txt", "black==0.1\n")
    refused = with_uv.run("install", "black", env={"PIP_CONSTRAINT": constraints})
    assert refused.code != 0
    assert apps(with_uv) == {"httpie"}


def test_an_application_that_pipx_installed_with_uv_is_upgraded_by_pip(with_uv: Sandbox, app_wheels: str) -> None:
    offline = {"UV_OFFLINE": "1", "UV_FIND_LINKS": app_wheels}
    done(with_uv.call(["pipx", "install", "httpie==1.0"], env=offline))
    ran = done(with_uv.run("install", "-U", "httpie"))
    assert any("httpie was installed with uv" in line for line in ran.said)
    assert version(with_uv) == "2.0"


def test_where_hashes_are_required_no_application_goes_to_pipx(world: Sandbox) -> None:
    ran = world.run("install", "httpie", env={"PIP_REQUIRE_HASHES": "1"})
    assert ran.code == 1
    assert b"--require-hashes mode" in ran.err
    assert world.run("--app", "install", "httpie", env={"PIP_REQUIRE_HASHES": "1"}).code == 64
    assert apps(world) == set()


def test_upgrade_with_apps_upgrades_applications(world: Sandbox) -> None:
    """And with --save, an application is not recorded, since pipx has its own list."""
    ran = done(world.run("--save", "--app", "install", "httpie==1.0", "black"))
    assert [line for line in ran.said if line.startswith("not recorded")] != []
    told = json.loads(done(world.run("upgrade", "--apps", "--dry-run", "--json")).text)
    assert told["changes"] == [{"name": "httpie", "from": "1.0", "to": "2.0"}]
    assert done(world.run("upgrade", "--apps", "--dry-run")).text == "httpie  1.0 -> 2.0\n"
    assert version(world) == "1.0"
    assert world.run("upgrade", "--apps", "nowhere").code == 64
    done(world.run("upgrade", "--apps"))
    assert version(world) == "2.0"
    last = json.loads(done(world.run("history", "--json")).text)[-1]
    assert (last["line"], last["with"], last["changed"][0]["to"]) == ("upgrade --apps", "pipx", "2.0")
