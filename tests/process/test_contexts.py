"""Every context that people type pip in: each built for real, explained and installed into."""

from __future__ import annotations

import glob
import json
import os
import pwd
import subprocess

import pytest
from sandbox import SYSTEM_PATH, SYSTEM_PYTHON, Sandbox, copy_distribution, link_tree, look, write_launcher

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


def explained(box: Sandbox, *words: str, **how: object) -> dict[str, object]:
    told = box.run("explain", "--json", *words, **how)
    assert told.code == 0, told.err
    found: dict[str, object] = json.loads(told.out)
    return found


def make_environment(box: Sandbox, path: str, *options: str) -> str:
    """Make an environment as venv does; pip is copied, which takes a tenth of ensurepip's time."""
    done = box.call([SYSTEM_PYTHON, "-m", "venv", "--without-pip", *options, path])
    assert done.code == 0, done
    (library,) = glob.glob(os.path.join(path, "lib", "python*"))
    copy_distribution("pip", os.path.join(library, "site-packages"))
    write_launcher(os.path.join(path, "bin", "pip"), os.path.join(path, "bin", "python"), "pip._internal.cli.main")
    return path


def pyenv_versions() -> dict[str, str]:
    root = os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".pyenv", "versions")
    return {os.path.basename(path): path for path in sorted(glob.glob(os.path.join(root, "*")))}


def python_of(minor: str) -> str:
    """Return the folder of a pyenv Python's programs, or skip."""
    for version, path in pyenv_versions().items():
        if version.startswith(minor + "."):
            return os.path.join(path, "bin")
    pytest.skip(f"there is no Python {minor} of pyenv here")


class TestOthersEnvironments:
    @pytest.mark.parametrize("told", [{}, {"VIRTUAL_ENV": "{env}"}], ids=["by PATH alone", "activated"])
    def test_one_that_is_first_on_path_is_served_untouched(self, sandbox: Sandbox, told: dict[str, str]) -> None:
        env = make_environment(sandbox, os.path.join(sandbox.root, "opt"))
        variables = {
            "PATH": f"{env}/bin:{SYSTEM_PATH}",
            **{name: text.format(env=env) for name, text in told.items()},
        }
        found = explained(sandbox, "install", "--user", "alpha", env=variables)
        assert (found["plan"], found["environment"]) == ("pip", env)
        assert found["argv"][2:] == ["install", "--user", "alpha"]
        assert sandbox.run("install", "alpha", env=variables).said == []
        assert "alpha" in sandbox.packages(f"{env}/bin/python")
        assert not os.path.exists(sandbox.venv)

    def test_a_variable_that_comes_late_counts_on_a_managed_python(self, sandbox: Sandbox) -> None:
        env = make_environment(sandbox, os.path.join(sandbox.root, "opt"))
        variables = {"VIRTUAL_ENV": env, "PATH": f"{SYSTEM_PATH}:{env}/bin"}
        assert explained(sandbox, "install", "alpha", env=variables)["environment"] == env
        assert sandbox.run("install", "alpha", env=variables).code == 0
        assert "alpha" in sandbox.packages(f"{env}/bin/python")

    def test_a_variable_that_comes_late_is_nothing_to_an_unmanaged_python(
        self, sandbox: Sandbox, unmanaged_python: str
    ) -> None:
        env = make_environment(sandbox, os.path.join(sandbox.root, "opt"))
        variables = {"VIRTUAL_ENV": env, "PATH": f"{os.path.dirname(unmanaged_python)}:{SYSTEM_PATH}"}
        found = explained(sandbox, "install", "alpha", env=variables)
        assert (found["plan"], found["environment"], found["managed"]) == ("pip", None, False)

    @pytest.mark.parametrize("stale", ["/nowhere", "{home}"])
    def test_a_stale_variable_is_told_once_and_passed_over(self, sandbox: Sandbox, stale: str) -> None:
        ran = sandbox.run("install", "alpha", env={"VIRTUAL_ENV": stale.format(home=sandbox.home)})
        assert ran.code == 0
        assert sum("is not an environment" in line for line in ran.said) == 1
        assert "alpha" in sandbox.packages()

    def test_what_a_hook_activated_serves_in_its_project_alone_managed_or_not(
        self, sandbox: Sandbox, unmanaged_python: str
    ) -> None:
        """One place: `list` and `install` go the same way, in the project, elsewhere, and in another project."""
        assert sandbox.run("install", "alpha").code == 0
        env, elsewhere = sandbox.venv, os.path.join(sandbox.home, "elsewhere")
        os.mkdir(elsewhere)
        for below in (SYSTEM_PATH, f"{os.path.dirname(unmanaged_python)}:{SYSTEM_PATH}"):
            hooked = {"SAFEPIP_ACTIVATED": env, "VIRTUAL_ENV": env, "PATH": f"{env}/bin:{below}"}
            for words in (("install", "alpha"), ("list",)):
                assert explained(sandbox, *words, env=hooked)["environment"] == env
                there = explained(sandbox, *words, env=hooked, cwd=elsewhere)["environment"]
                managed = below == SYSTEM_PATH and words[0] == "install"
                assert there == (os.path.join(elsewhere, ".venv") if managed else None)
                told = json.loads(sandbox.run("explain", "--json", "--project", elsewhere, *words, env=hooked).out)
                assert told["environment"] == there
        another = os.path.join(sandbox.home, "another")
        os.mkdir(another)
        assert sandbox.run("install", "beta", cwd=another).code == 0
        for words in (("install", "alpha"), ("list",)):  # the one that the next prompt there has active
            assert explained(sandbox, *words, env=hooked, cwd=another)["environment"] == f"{another}/.venv"
        before = {**hooked, "PATH": f"{os.path.dirname(unmanaged_python)}:{hooked['PATH']}"}
        assert explained(sandbox, "install", "alpha", env=before, cwd=another)["environment"] is None
        ran = sandbox.run("install", "alpha", env=hooked, cwd=another)
        assert ran.code == 0, ran.err
        assert "alpha" in sandbox.packages(f"{another}/.venv/bin/python")

    def test_an_empty_variable_is_none(self, sandbox: Sandbox) -> None:
        assert sandbox.run("list", env={"VIRTUAL_ENV": "", "CONDA_PREFIX": ""}).said == []

    def test_user_does_not_slip_past_the_marker_where_system_packages_are_visible(self, sandbox: Sandbox) -> None:
        make_environment(sandbox, sandbox.venv, "--system-site-packages")
        ran = sandbox.run("install", "--user", "alpha")
        assert ran.code == 0
        assert [line for line in ran.said if "--user" in line]
        assert not os.path.exists(os.path.join(sandbox.home, ".local", "lib"))
        assert os.path.exists(glob.glob(f"{sandbox.venv}/lib/python3*/site-packages/alpha*")[0])


class TestConda:
    @pytest.fixture
    def conda(self, sandbox: Sandbox, unmanaged_python: str) -> str:
        """Build a base and a child of it, as an installer of conda lays them out."""
        base = os.path.join(sandbox.root, "conda")
        for prefix in (base, os.path.join(base, "envs", "work")):
            link_tree(os.path.dirname(os.path.dirname(unmanaged_python)), prefix)
            os.makedirs(os.path.join(prefix, "conda-meta"))
            open(os.path.join(prefix, "conda-meta", "history"), "w").close()
        os.makedirs(os.path.join(base, "condabin"))
        return base

    def mark(self, prefix: str) -> None:
        (library,) = glob.glob(os.path.join(prefix, "lib", "python3*"))
        open(os.path.join(library, "EXTERNALLY-MANAGED"), "w").close()

    def test_a_child_is_served(self, sandbox: Sandbox, conda: str) -> None:
        child = f"{conda}/envs/work"
        variables = {"PATH": f"{child}/bin:{conda}/condabin:{SYSTEM_PATH}", "CONDA_PREFIX": child}
        found = explained(sandbox, "install", "alpha", env=variables)
        assert (found["plan"], found["environment"]) == ("pip", child)
        assert sandbox.run("install", "alpha", env=variables).code == 0
        assert "alpha" in sandbox.packages(f"{child}/bin/python3")

    def test_a_child_that_comes_late_is_served(self, sandbox: Sandbox, conda: str) -> None:
        child = f"{conda}/envs/work"
        assert explained(sandbox, "install", "alpha", env={"CONDA_PREFIX": child})["environment"] == child

    def test_base_counts_by_its_marker(self, sandbox: Sandbox, conda: str) -> None:
        variables = {"PATH": f"{conda}/bin:{SYSTEM_PATH}", "CONDA_PREFIX": conda}
        assert explained(sandbox, "install", "alpha", env=variables)["plan"] == "pip"
        self.mark(conda)
        found = explained(sandbox, "install", "alpha", env=variables)
        assert (found["plan"], found["environment"], found["managed"]) == ("create", sandbox.venv, True)

    def test_a_marked_child_is_no_dead_end(self, sandbox: Sandbox, conda: str) -> None:
        child = f"{conda}/envs/work"
        self.mark(child)
        variables = {"PATH": f"{child}/bin:{SYSTEM_PATH}", "CONDA_PREFIX": child}
        assert explained(sandbox, "install", "alpha", env=variables)["plan"] == "create"

    def test_pixis_environment_of_the_project_is_found(self, sandbox: Sandbox, conda: str) -> None:
        sandbox.write("pixi.toml", '[workspace]\nname = "a"\n')
        default = os.path.join(sandbox.project, ".pixi", "envs", "default")
        os.makedirs(os.path.dirname(default))
        link_tree(f"{conda}/envs/work", default)
        refused = sandbox.run("list")
        assert (refused.code, "safepip env trust" in " ".join(refused.said)) == (77, True)
        shell = {"PATH": f"{default}/bin:{SYSTEM_PATH}", "CONDA_PREFIX": default}
        assert explained(sandbox, "list", env=shell)["environment"] == default


class TestVersionManagers:
    @pytest.fixture
    def shimmed(self, sandbox: Sandbox, unmanaged_python: str) -> dict[str, str]:
        """Put shims of pyenv's form first on PATH: a script asks the manager, which runs what was chosen."""
        versions = os.path.join(sandbox.root, "versions")
        os.makedirs(os.path.join(versions, "shims"))
        os.makedirs(os.path.join(versions, "system"))
        for name in ("python", "python3"):
            os.symlink(SYSTEM_PYTHON, os.path.join(versions, "system", name))
            shim = os.path.join(versions, "shims", name)
            with open(shim, "w") as file:
                file.write(
                    '#!/bin/sh\nversion="${CHOSEN:-$(cat .python-version 2>/dev/null || echo system)}"\n'
                    f'[ "$version" = gone ] && {{ echo "manager: gone is not installed" >&2; exit 127; }}\n'
                    f'[ "$version" = system ] && exec {versions}/system/{name} "$@"\n'
                    f'exec {os.path.dirname(unmanaged_python)}/{name} "$@"\n'
                )
            os.chmod(shim, 0o755)
        return {"PATH": f"{versions}/shims:{SYSTEM_PATH}"}

    def test_the_interpreter_behind_the_shim_is_the_target(
        self, sandbox: Sandbox, shimmed: dict[str, str], unmanaged_python: str
    ) -> None:
        found = explained(sandbox, "install", "alpha", env={**shimmed, "CHOSEN": "other"})
        assert os.path.realpath(str(found["interpreter"])) == os.path.realpath(unmanaged_python)
        assert (found["plan"], found["managed"]) == ("pip", False)

    def test_the_choice_is_followed_when_it_changes(self, sandbox: Sandbox, shimmed: dict[str, str]) -> None:
        assert explained(sandbox, "install", "alpha", env=shimmed)["managed"] is True
        sandbox.write(".python-version", "other\n")
        assert explained(sandbox, "install", "alpha", env=shimmed)["managed"] is False
        assert explained(sandbox, "install", "alpha", env={**shimmed, "CHOSEN": "system"})["managed"] is True

    def test_a_shim_that_fails_has_the_last_word(self, sandbox: Sandbox, shimmed: dict[str, str]) -> None:
        ran = sandbox.run("install", "alpha", env={**shimmed, "CHOSEN": "gone"})
        assert (ran.code, ran.err) == (127, b"manager: gone is not installed\n")
        assert not os.path.exists(sandbox.venv)

    def test_the_real_pyenv_is_asked(self, sandbox: Sandbox) -> None:
        root = os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".pyenv")
        folder = python_of("3.12")
        if not os.path.isdir(os.path.join(root, "shims")):
            pytest.skip("there is no pyenv here")
        variables = {
            "PATH": f"{root}/shims:{root}/bin:{SYSTEM_PATH}",
            "PYENV_ROOT": root,
            "PYENV_VERSION": os.path.basename(os.path.dirname(folder)),
        }
        found = explained(sandbox, "list", env=variables)
        assert os.path.dirname(str(found["interpreter"])) == folder
        assert found["managed"] is False


class TestNames:
    def test_a_version_in_the_name_picks_the_interpreter(self, sandbox: Sandbox, unmanaged_python: str) -> None:
        minor = os.path.basename(unmanaged_python).removeprefix("python")
        path = f"{SYSTEM_PATH}:{os.path.dirname(unmanaged_python)}"
        for name in (f"pip{minor}", f"pip-{minor}"):
            ran = sandbox.call([sandbox.named(name), "--version"], env={"PATH": path})
            assert f"(python {minor})" in ran.text

    def test_another_version_than_the_environments_is_refused_with_the_ways_out(self, sandbox: Sandbox) -> None:
        make_environment(sandbox, sandbox.venv)
        folder = python_of("3.12")
        variables = {"PATH": f"{SYSTEM_PATH}:{folder}", "SAFEPIP_SCOPE": "always"}
        ran = sandbox.call([sandbox.named("pip3.12"), "install", "alpha"], env=variables)
        assert ran.code == 3
        assert any("SAFEPIP_ENV=.venv-3.12" in line for line in ran.said)
        assert "alpha" not in sandbox.packages()

    def test_one_that_is_not_there_is_127(self, sandbox: Sandbox) -> None:
        ran = sandbox.call([sandbox.named("pip3.99"), "list"])
        assert (ran.code, ran.out) == (127, b"")


class TestOldInterpreters:
    @pytest.mark.parametrize("minor", ["3.6", "3.7"])
    def test_too_old_ends_with_3_and_the_way_out(self, sandbox: Sandbox, minor: str) -> None:
        variables = {"PATH": f"{python_of(minor)}:{SYSTEM_PATH}", "SAFEPIP_SCOPE": "always"}
        ran = sandbox.run("install", "alpha", env=variables)
        assert ran.code == 3
        assert "too old" in ran.said[0]
        assert "--python" in ran.said[1]
        assert not os.path.exists(sandbox.venv)

    @pytest.mark.parametrize("minor", ["3.8", "3.9"])
    def test_old_ones_get_a_pip_that_runs_there(self, sandbox: Sandbox, minor: str) -> None:
        variables = {"PATH": f"{python_of(minor)}:{SYSTEM_PATH}", "SAFEPIP_SCOPE": "always"}
        assert sandbox.run("install", "alpha", env=variables).code == 0
        assert f"(python {minor})" in sandbox.run("--version", env=variables).text
        assert "alpha" in sandbox.run("list", env=variables).text

    @pytest.mark.parametrize("minor", ["3.6", "3.7", "3.8"])
    def test_unmanaged_they_are_left_to_their_own_pip(self, sandbox: Sandbox, minor: str) -> None:
        folder = python_of(minor)
        variables = {"PATH": f"{folder}:{SYSTEM_PATH}"}
        bare = sandbox.call([f"{folder}/pip", "list"], env=variables)
        ours = sandbox.run("list", env=variables)
        assert (ours.code, ours.out, ours.err) == (bare.code, bare.out, bare.err)

    def test_what_the_marker_says_does_not_matter_but_that_it_is_a_file(
        self, sandbox: Sandbox, unmanaged_python: str
    ) -> None:
        folder = os.path.join(sandbox.root, "python")
        link_tree(os.path.dirname(os.path.dirname(unmanaged_python)), folder)
        (library,) = glob.glob(os.path.join(folder, "lib", "python3*"))
        marker = os.path.join(library, "EXTERNALLY-MANAGED")
        variables = {"PATH": f"{folder}/bin:{SYSTEM_PATH}"}
        os.mkdir(marker)
        assert explained(sandbox, "install", "alpha", env=variables)["managed"] is False
        os.rmdir(marker)
        for content in (b"", b"\xff\xfe garbage", b"[externally-managed]\nError=x\nError=y\n"):
            with open(marker, "wb") as file:
                file.write(content)
            assert explained(sandbox, "install", "alpha", env=variables)["managed"] is True
        os.unlink(marker)
        os.symlink("nowhere", marker)
        assert explained(sandbox, "install", "alpha", env=variables)["managed"] is False


@as_root
class TestSudo:
    USER = 4321

    @pytest.fixture
    def theirs(self, nobodys: Sandbox) -> Sandbox:
        """Give a project of another user's, who has an entry in the password database: nobody's."""
        return nobodys

    def uid(self) -> int:
        return pwd.getpwnam("nobody").pw_uid

    def gid(self) -> int:
        return pwd.getpwnam("nobody").pw_gid

    def behind_sudo(self) -> dict[str, str]:
        return {"SUDO_UID": str(self.uid()), "SUDO_GID": str(self.gid()), "SUDO_USER": "nobody", "HOME": "/root"}

    def make_theirs(self, box: Sandbox) -> None:
        make_environment(box, box.venv)
        subprocess.run(["chown", "-R", f"{self.uid()}:{self.gid()}", box.venv], check=True)

    def leave_their_cache(self, box: Sandbox) -> None:
        """Have root keep a cache of its own: tests of the ordinary user share theirs."""
        os.unlink(os.path.join(box.home, ".cache", "safepip"))

    def owners(self, folder: str) -> set[int]:
        return {os.lstat(os.path.join(folder, name)).st_uid for name in look(folder)}

    def test_nothing_of_roots_appears_in_a_users_project(self, theirs: Sandbox) -> None:
        theirs.write("pyproject.toml")
        os.chown(os.path.join(theirs.project, "pyproject.toml"), self.uid(), self.gid())
        ran = theirs.run("install", "alpha", env=self.behind_sudo())
        assert ran.code == 0, ran.err
        assert ran.said[0].startswith("going on as nobody, not as root")
        assert self.owners(theirs.project) == {self.uid()}

    def test_nor_in_an_environment_of_theirs_that_is_active(self, theirs: Sandbox) -> None:
        self.make_theirs(theirs)
        active = {**self.behind_sudo(), "PATH": f"{theirs.venv}/bin:{SYSTEM_PATH}", "VIRTUAL_ENV": theirs.venv}
        assert theirs.run("install", "alpha", env=active).code == 0
        assert self.owners(theirs.venv) == {self.uid()}

    def test_system_stays_root(self, theirs: Sandbox) -> None:
        ran = theirs.run("--system", "list", env=self.behind_sudo())
        assert (ran.code, ran.said) == (0, [])

    def test_root_in_a_container_keeps_its_own_for_anothers_project_elsewhere(self, theirs: Sandbox) -> None:
        self.leave_their_cache(theirs)
        ran = theirs.run("install", "alpha")
        assert ran.code == 0
        assert ran.said[0].startswith(f"others can rename what root puts into {theirs.project}; ")
        assert not os.path.lexists(theirs.venv)
        assert "alpha" in theirs.run("list").text

    def test_root_uses_anothers_environment_only_when_told_to(self, theirs: Sandbox) -> None:
        self.leave_their_cache(theirs)
        self.make_theirs(theirs)
        assert "/safepip/envs/" in theirs.run("env", "path").text
        assert theirs.run("env", "path", env={"SAFEPIP_TRUST": theirs.project}).text == f"{theirs.venv}\n"
        ran = theirs.run("install", "alpha")
        assert (ran.code, ran.said[0].startswith(".venv belongs to another user; ")) == (0, True)
        way = f"export SAFEPIP_TRUST={theirs.project}"
        assert ran.said[1] == f"to trust all below a folder, such as a mount: {way}"
        assert theirs.run("env", "trust", ".venv").code == 0
        assert theirs.run("env", "path").text == f"{theirs.venv}\n"

    def test_sudo_undo_and_upgrade_act_in_the_users_project(self, theirs: Sandbox) -> None:
        assert theirs.run("install", "alpha==1.0", env=self.behind_sudo()).code == 0
        ran = theirs.run("upgrade", "--dry-run", env=self.behind_sudo())
        assert (ran.code, ran.text) == (0, "alpha  1.0 -> 2.0\n"), ran.err
        ran = theirs.run("undo", env=self.behind_sudo())
        assert ran.code == 0, ran.err
        assert "- alpha 1.0" in ran.text

    def test_what_only_reads_looks_at_the_users_environment_too(self, theirs: Sandbox) -> None:
        assert theirs.run("install", "alpha==1.0", env=self.behind_sudo()).code == 0
        assert "+ alpha 1.0" in theirs.run("history", env=self.behind_sudo()).text
        for word in ("path", "info"):
            assert theirs.venv in theirs.run("env", word, env=self.behind_sudo()).text
        assert f"{theirs.venv}, is intact" in theirs.run("doctor", "--json", env=self.behind_sudo()).text

    def test_what_an_earlier_sudo_pip_left_is_named(self, theirs: Sandbox) -> None:
        as_them = ["setpriv", f"--reuid={self.uid()}", f"--regid={self.gid()}", "--clear-groups"]
        assert theirs.call([*as_them, theirs.safepip, "install", "alpha"]).code == 0
        (left,) = glob.glob(os.path.join(theirs.venv, "lib", "python3*", "site-packages", "alpha-*"))
        os.chown(left, 0, 0)
        ran = theirs.call([*as_them, theirs.safepip, "install", "beta"])
        assert any("chown" in line for line in ran.said)
