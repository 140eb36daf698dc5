"""The markers of many systems (data/markers), and lists of packages as their packagers keep them, made by hand."""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
import tarfile

import pytest
from tree import DATA

from safepip.core.invocation import Invocation
from safepip.core.record import replace
from safepip.core.world import Interpreter, Target
from safepip.envs import os_packages
from safepip.envs.os_packages import native_command, offer
from safepip.system.observe import Context, ambient

MARKERS = os.path.join(DATA, "markers")
NAMING = {
    "debian": "apt install python3-flask",
    "raspberry-pi-os": "apt install python3-flask",
    "homebrew": "brew install flask",
    "arch": "pacman -S python-flask",
    "alpine": "apk add py3-flask",
    "names-dnf": "dnf install python3-flask",
}
NAMING_NONE = ("gentoo", "nix", "uv", "msys2-mingw", "empty")


def marker(system):
    return os.path.join(MARKERS, f"{system}.txt")


def asked(system, name, root, **how):
    return native_command(marker(system), name, {}, os.path.join(root, "home/u"), root=str(root), **how)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def apt(root, names, installed=()):
    text = "".join(f"Package: {name}\nVersion: 1\nDescription: x\n\n" for name in names)
    write(root / "var/lib/apt/lists/deb_dists_stable_main_binary-amd64_Packages", text.encode())
    write(root / "var/lib/apt/lists/deb_dists_stable_InRelease", b"Package: python3-never\n")
    for name in installed:
        write(root / f"var/lib/dpkg/info/{name}.list", b"")


def dnf(root, names, installed=()):
    path = root / "var/cache/dnf/packages.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path)
    for table, some in (("available", names), ("installed", installed)):
        database.execute(f"CREATE TABLE {table} (pkg TEXT)")
        database.executemany(
            f"INSERT INTO {table} VALUES (?)", [(f"{name}-1:2.2.3-1.fc40.noarch",) for name in some]
        )
    database.commit()
    database.close()


def pacman(root, names, installed=()):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in names:
            folder = tarfile.TarInfo(f"{name}-3.0.3-1/")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
            desc = tarfile.TarInfo(f"{name}-3.0.3-1/desc")
            desc.size = 6
            archive.addfile(desc, io.BytesIO(b"%NAME%"))
    write(root / "var/lib/pacman/sync/extra.db", packed.getvalue())
    for name in installed:
        write(root / f"var/lib/pacman/local/{name}-3.0.3-1/desc", b"")


def apk(root, names, installed=()):
    text = "".join(f"C:Q1\nP:{name}\nV:1\n\n" for name in names).encode()
    # A signature comes first, as a gzip of its own.
    write(
        root / "var/cache/apk/APKINDEX.066df28d.tar.gz",
        gzip.compress(b"signature\0") + gzip.compress(b"\0\n" + text),
    )
    write(root / "lib/apk/db/installed", "".join(f"C:Q1\nP:{name}\nV:1\n\n" for name in installed).encode())


def brew(root, names, installed=()):
    write(
        root / "home/u/Library/Caches/Homebrew/api/formula_names.txt",
        "".join(f"{name}\n" for name in names).encode(),
    )


LISTS = {
    "debian": (apt, "python3-{}"),
    "raspberry-pi-os": (apt, "python3-{}"),
    "homebrew": (brew, "{}"),
    "arch": (pacman, "python-{}"),
    "alpine": (apk, "py3-{}"),
    "names-dnf": (dnf, "python3-{}"),
}


@pytest.fixture
def root(tmp_path):
    """A file system of its own."""
    return tmp_path


def test_every_marker_is_judged():
    assert sorted(os.listdir(MARKERS)) == sorted(f"{system}.txt" for system in (*NAMING, *NAMING_NONE))


@pytest.mark.parametrize("system", NAMING)
def test_what_the_marker_names_is_offered_where_the_lists_have_it(system, root):
    make, spelt = LISTS[system]
    make(root, [spelt.format(name) for name in ("aaa", "flask-wtf", "flask", "zzz")])
    assert asked(system, "flask", root) == NAMING[system]
    assert asked(system, "Flask", root) == NAMING[system]


@pytest.mark.parametrize("system", NAMING)
def test_nothing_is_offered_that_the_lists_do_not_have(system, root):
    make, spelt = LISTS[system]
    make(root, [spelt.format(name) for name in ("flask-wtf", "xflask", "flas")])
    assert asked(system, "flask", root) is None
    assert asked(system, "never", root) is None


@pytest.mark.parametrize("system", NAMING)
def test_nothing_is_offered_without_lists(system, root):
    assert asked(system, "flask", root) is None


@pytest.mark.parametrize("system", [name for name in NAMING if name != "homebrew"])
def test_nothing_is_offered_that_is_installed(system, root):
    make, spelt = LISTS[system]
    make(root, [spelt.format("flask")], [spelt.format("flask")])
    assert asked(system, "flask", root) is None


@pytest.mark.parametrize("system", NAMING)
def test_the_first_of_a_list_is_found(system, root):
    make, spelt = LISTS[system]
    make(root, [spelt.format("flask")])
    assert asked(system, "flask", root) == NAMING[system]


@pytest.mark.parametrize("system", NAMING_NONE)
def test_a_marker_that_names_no_command_offers_none(system, root):
    for make, spelt in LISTS.values():
        make(root, [spelt.format("flask")])
    assert asked(system, "flask", root) is None
    assert native_command(str(root / "no-marker"), "flask", {}, None, root=str(root)) is None


def test_debian_keeps_the_dots_of_a_name(root):
    apt(root, ["python3-zope.interface", "python3-ruamel.yaml", "python3-typing-extensions"])
    assert asked("debian", "zope.interface", root) == "apt install python3-zope.interface"
    assert asked("debian", "ruamel.yaml", root) == "apt install python3-ruamel.yaml"
    assert asked("debian", "typing_extensions", root) == "apt install python3-typing-extensions"


def test_debians_packages_of_an_architecture_count_as_installed(root):
    apt(root, ["python3-yaml"], ["python3-yaml:amd64"])
    assert asked("debian", "yaml", root) is None


def test_a_packed_list_of_debians_is_read(root):
    write(root / "var/lib/apt/lists/deb_Packages.gz", gzip.compress(b"Package: python3-flask\nVersion: 1\n"))
    assert asked("debian", "flask", root) == NAMING["debian"]


def test_a_name_on_the_border_of_two_blocks_is_found(root):
    for before in range((1 << 20) - 30, (1 << 20) + 2, 3):
        write(root / "var/lib/apt/lists/x_Packages", b"x" * before + b"\nPackage: python3-flask\nVersion: 1\n")
        assert asked("debian", "flask", root) == NAMING["debian"]


@pytest.mark.parametrize("system", ["debian", "arch", "alpine", "homebrew"])
def test_a_list_that_takes_too_long_is_left(system, root):
    make, spelt = LISTS[system]
    make(root, [spelt.format("flask")])
    times = iter([0.0, *([1.0] * 99)])
    assert asked(system, "flask", root, clock=lambda: next(times)) is None


@pytest.mark.parametrize(
    ("system", "path", "content"),
    [
        ("arch", "var/lib/pacman/sync/extra.db", b"\x1f\x8bno gzip"),
        ("arch", "var/lib/pacman/sync/extra.db", gzip.compress(b"\0python-flask-3-1/" * 99, mtime=0)[:-20]),
        ("alpine", "var/cache/apk/APKINDEX.1.tar.gz", gzip.compress(b"x" * 999, mtime=0)[:40] + b"\0" * 99),
        ("names-dnf", "var/cache/dnf/packages.db", b"no database"),
        ("names-dnf", "var/cache/dnf/packages.db", b""),
    ],
)
def test_a_damaged_list_offers_nothing(system, path, content, root):
    write(root / path, content)
    assert asked(system, "flask", root) in {None, NAMING[system]}
    assert asked(system, "django", root) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_in_the_place_of_a_list_is_not_waited_for(root):
    os.makedirs(root / "var/lib/apt/lists")
    os.mkfifo(root / "var/lib/apt/lists/x_Packages")
    assert asked("debian", "flask", root) is None


# -- when it is offered


@pytest.fixture
def context(tmp_path, monkeypatch, home):
    """Return what makes a context of a line on a Python with Homebrew's marker, whose list has flask and rich."""
    write(tmp_path / "cache/api/formula_names.txt", b"flask\nrich\n")
    stdlib = tmp_path / "stdlib"
    with open(marker("homebrew"), "rb") as file:
        write(stdlib / "EXTERNALLY-MANAGED", file.read())
    python = Interpreter(
        path="/opt/python3",
        real="/opt/python3",
        version=(3, 12, 1),
        prefix="/opt",
        base_prefix="/opt",
        stdlib=str(stdlib),
        site="lib/site-packages",
    )

    def context(line, *, terminal=True, **variables):
        monkeypatch.setenv("HOMEBREW_CACHE", str(tmp_path / "cache"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        surroundings = replace(ambient(), terminal=terminal)
        told = Invocation(words=tuple(line.split()))
        return Context(told, surroundings, target=Target(python=python.path, interpreter=python))

    return context


class Planned:
    hint = None


class Hinted:
    hint = ("/project", "uv add flask")


OFFERED = "the system has it too, for its own Python: brew install flask"


@pytest.mark.parametrize("line", ["install flask", "install -U flask", "install Flask", "-v install flask"])
def test_it_is_offered_for_one_plain_name(context, line):
    assert offer(Planned, context(line)) == OFFERED


@pytest.mark.parametrize(
    "line",
    [
        "install flask rich", "install flask>=2", "install flask[async]", "install ./flask", "install flask.whl",
        "install -r flask", "install -e flask", "install flask -r r.txt", "install", "install git+https://x/flask",
        "install nothing-like-it", "install -q flask", "install flask/", "install --group g flask",
    ],
)  # fmt: skip
def test_it_is_not_offered_for_anything_else(context, line):
    assert offer(Planned, context(line)) is None


@pytest.mark.parametrize(
    "variables",
    [{"SAFEPIP_HINTS": "no"}, {"SAFEPIP_QUIET": "1"}, {"PIP_QUIET": "1"}, {"SAFEPIP_ENV": "/env"}],
    ids=str,
)
def test_it_is_not_offered_to_those_who_want_none(context, variables):
    assert offer(Planned, context("install flask", **variables)) is None


@pytest.mark.parametrize(("user", "has_sudo", "begins"), [(0, True, ""), (7, True, "sudo "), (7, False, "")])
def test_who_is_not_root_is_told_to_use_sudo_if_there_is_one(
    context, tmp_path, monkeypatch, user, has_sudo, begins
):
    write(tmp_path / "bin/sudo", b"#!/bin/sh\n")
    os.chmod(tmp_path / "bin/sudo", 0o755 if has_sudo else 0o644)
    here = context("install flask", PATH=str(tmp_path / "bin"))
    here.ambient = replace(here.ambient, user=user)
    assert offer(Planned, here) == OFFERED  # Homebrew refuses to be run as root
    monkeypatch.setattr(os_packages, "native_command", lambda *_args: "apt install python3-flask")
    assert offer(Planned, here).endswith(f": {begins}apt install python3-flask")


def test_it_is_not_offered_off_a_terminal(context):
    assert offer(Planned, context("install flask", terminal=False)) is None


def test_it_is_not_offered_beside_another_hint(context):
    assert offer(Hinted, context("install flask")) is None


def test_it_is_not_offered_where_nothing_marks_the_python(context, tmp_path):
    os.unlink(tmp_path / "stdlib/EXTERNALLY-MANAGED")
    assert offer(Planned, context("install flask")) is None
    assert offer(Planned, context("install flask", SAFEPIP_MANAGED="/opt/python3")) is None
