"""What lies in an environment, read off its files alone."""

from __future__ import annotations

import os

import pytest

from safepip.envs import inventory
from safepip.envs.verify import sites


def put(path, text=""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@pytest.fixture
def site(environment):
    (found,) = sites(environment)
    return found


def installed(site, name, version="1.0", *, files=(), kind="dist-info", asked=True):
    """Put a distribution there, with its list of files."""
    info = os.path.join(site, f"{name}-{version}.{kind}")
    put(os.path.join(info, "METADATA"), f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if asked:
        put(os.path.join(info, "REQUESTED"))
    rows = [f"{os.path.basename(info)}/METADATA,,", *(f"{file},,5" for file in files)]
    put(os.path.join(info, "RECORD"), "\n".join([*rows, f"{os.path.basename(info)}/RECORD,,"]) + "\n")
    for file in files:
        put(os.path.normpath(os.path.join(site, file)), "x = 1")
    return info


def test_distributions_are_known_by_their_normalised_names(environment, site):
    info = installed(site, "Big_Thing.x", "2.1")
    installed(site, "small", asked=False)
    found = inventory.distributions(environment)
    assert sorted(found) == ["big-thing-x", "small"]
    assert (found["big-thing-x"].state.version, found["big-thing-x"].info) == ("2.1", info)
    assert [found[name].state.requested for name in sorted(found)] == [True, False]
    assert inventory.packages(environment) == 2


@pytest.mark.parametrize("half", ["1.0", "2.0"])
def test_of_two_of_a_name_the_intact_one_counts(environment, site, half):
    infos = {version: installed(site, "alpha", version) for version in ("1.0", "2.0")}
    os.unlink(os.path.join(infos.pop(half), "RECORD"))
    assert [inventory.distributions(environment)["alpha"].info] == list(infos.values())


def test_what_pip_moved_aside_is_no_distribution(environment, site):
    installed(site, "~lpha")
    assert inventory.distributions(environment) == {}
    assert inventory.packages(environment) == 0


@pytest.mark.parametrize(("name", "counts"), [("alpha", True), ("pip", False), ("setuptools", False)])
def test_a_folder_holds_something_beyond_what_creators_put_there(site, name, counts):
    assert not inventory.holds(site)
    installed(site, name)
    assert inventory.holds(site) is counts


def test_all_metadata_of_a_name_is_found(site):
    both = [installed(site, "Al_pha", "1.0"), installed(site, "al.pha", "2.0", kind="egg-info")]
    installed(site, "alphabet")
    assert sorted(inventory.metadata(site, "al-pha")) == sorted(both)


def test_a_record_that_is_none_names_no_files(environment, site):
    info = installed(site, "alpha")
    for content in ("\0,,\n", '"open', ""):
        put(os.path.join(info, "RECORD"), content)
        assert [
            path for path in inventory.recorded(inventory.distributions(environment)["alpha"]) if "\0" in path
        ] == []
    os.unlink(os.path.join(info, "RECORD"))
    assert inventory.recorded(inventory.distributions(environment)["alpha"]) == []


def test_a_row_that_is_none_hides_no_other(environment, site):
    info = installed(site, "alpha", files=["alpha.py"])
    with open(os.path.join(info, "RECORD"), "a", encoding="utf-8") as file:
        file.write("z\0,,\n")
    assert os.path.join(site, "alpha.py") in inventory.recorded(inventory.distributions(environment)["alpha"])


def test_strays_are_what_neither_a_distribution_nor_a_creator_put_there(environment, site):
    installed(site, "alpha", files=("alpha.py", "../../../bin/alpha"))
    assert inventory.strays(environment) == []
    put(os.path.join(environment, "bin", "𝜋thon"))  # venv of Python 3.14 makes it
    put(os.path.join(environment, "bin", "mine"))
    put(os.path.join(site, "notes.txt"))
    put(os.path.join(site, "__pycache__", "alpha.pyc"))
    assert inventory.strays(environment) == [
        "bin/mine",
        os.path.relpath(os.path.join(site, "notes.txt"), environment),
    ]


def test_a_link_to_a_folder_is_a_stray_unless_a_package_lies_there(environment, site, work):
    os.makedirs(f"{work}/data/below")
    put(f"{work}/data/x.py")
    for name in ("mine", "alpha"):
        os.symlink(f"{work}/data", os.path.join(site, name))
    installed(site, "alpha", files=("alpha/below/y.py",))
    assert inventory.strays(environment) == [os.path.relpath(os.path.join(site, "mine"), environment)]


def test_the_stamp_changes_with_what_is_installed(environment, site):
    before = inventory.stamp(environment)
    assert inventory.stamp(environment) == before
    os.utime(site, (1, 1))
    assert inventory.stamp(environment) != before


def test_a_size_is_that_of_the_files_and_no_links(work):
    put(f"{work}/tree/a", "12345")
    put(f"{work}/tree/b/c", "123")
    put(f"{work}/large", "x" * 1000)
    os.symlink(f"{work}/large", f"{work}/tree/link")
    os.symlink(work, f"{work}/tree/up")
    links = sum(os.lstat(f"{work}/tree/{name}").st_size for name in ("link", "up"))
    assert inventory.size(f"{work}/tree") == 8 + links
    assert inventory.size(f"{work}/gone") == 0


def test_to_look_at_an_environment_is_no_use_of_it(environment):
    config = os.path.join(environment, "pyvenv.cfg")
    os.utime(config, (1000, 2000))
    with inventory.unread(environment):
        os.utime(config, (3000, 2000))  # as reading it would
    assert inventory.last_start(environment) == 1000
    with inventory.unread(environment + "/gone"):
        pass
    assert inventory.last_start(environment + "/gone") == inventory.last_change(environment + "/gone") == 0


@pytest.mark.parametrize(
    ("config", "minor", "sees"),
    [
        ("version = 3.11.4\ninclude-system-site-packages = true\n", "3.11", True),
        ("version_info = 3.12.1.final.0\ninclude-system-site-packages = false\n", "3.12", False),
        ("python-version = 3.15\nversion = 3.15.2\n", "3.15", False),
        ("python-version = 3.15\nversion_info = 3.14.1\n", "3.15", False),
        ("home = /usr/bin\n", "", False),
    ],
)
def test_its_configuration_tells_of_its_python(work, config, minor, sees):
    put(f"{work}/e/pyvenv.cfg", config)
    assert (inventory.made_with(f"{work}/e"), inventory.seen_system(f"{work}/e")) == (minor, sees)


def test_where_there_is_nothing_nothing_is_found(work):
    assert inventory.distributions(f"{work}/gone") == {}
    assert sites(f"{work}/gone") == inventory.strays(f"{work}/gone") == []
    assert (inventory.packages(f"{work}/gone"), inventory.stamp(f"{work}/gone")) == (0, "")
