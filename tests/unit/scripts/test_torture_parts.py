"""The parts of scripts/torture.py that reckon and tell, and what scripts/test.py makes of root's skips."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import tree

SCRIPTS = Path(tree.SCRIPTS)


def load(name):
    spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.append(str(SCRIPTS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPTS))
    return module


torture = load("torture")
run_all = load("test")
from _torture import oracle, strace, wheels  # noqa: E402  torture.py has loaded them
from _torture.result import Result  # noqa: E402  likewise

# -- the table


def test_the_table_sets_peers_beside_each_figure():
    table = torture.table([Result("race-replace", 100, 2)], 5).splitlines()
    assert table[2].split("  ")[0] == "race-replace"
    assert "100 rounds" in table[2]
    assert "2  bare pip" in table[2]
    assert "seed 5" in table


def test_what_was_skipped_is_said_and_why():
    table = torture.table([Result("kill-pip", skipped="strace is missing")], 1).splitlines()
    assert "skipped: kill-pip: strace is missing" in table


def test_every_experiment_has_its_peers_figures():
    names = set(torture.find_experiments())
    assert {"race-create", "race-replace", "kill-create", "kill-fresh", "kill-upgrade", "kill-pip"} <= names


def test_an_unknown_experiment_is_named(capsys):
    with pytest.raises(SystemExit) as caught:
        torture.parse(["--safepip", sys.executable, "nonsense"], {"real": None})
    assert caught.value.code == 2
    assert "no experiment is called nonsense; there are: real" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "rounds"), [((), 100), (("--quick",), 2), (("--rounds", "7"), 7)])
def test_rounds(words, rounds):
    assert torture.parse(["--safepip", sys.executable, *words], {}).rounds == rounds


# -- counting


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ('7 mkdir("/s/home/p/.venv", 0777) = 0 (DELAYED)', True),
        ('mkdir("/s/home/p/.venv", 0777) = -1 EEXIST (File exists)', False),
        ('7 mkdir("/elsewhere", 0777) = 0', False),
        ('7 openat(AT_FDCWD, "/s/x", O_WRONLY|O_CREAT, 0666) = 3', True),
        ('7 openat(AT_FDCWD, "/s/x", O_RDONLY) = 3', False),
    ],
)
def test_what_counts_as_a_change(line, counts):
    assert strace.is_change(line, "/s") is counts


def test_call_sites_are_told_apart_without_what_is_made_up():
    site = "/s/home/p/.venv/lib/python3.11/site-packages"
    lines = [
        f'7 rename("{site}/pack/__pycache__/a.cpython-311.pyc.139", "{site}/pack/__pycache__/a.cpython-311.pyc") = 0',
        f'8 rename("{site}/pack/__pycache__/b.cpython-311.pyc.207", "{site}/pack/__pycache__/b.cpython-311.pyc") = 0',
        '8 mkdir("/s/tmp/pip-unpack-xyz", 0700) = 0',
        '8 mkdir("/s/home/p/.venv", 0777) = 0',
    ]
    sites = [strace.site_of_call(line, "/s") for line in lines]
    assert sites[0] == sites[1]
    assert len(set(sites)) == 3
    assert list(strace.first_and_last(lines, "/s")) == [(sites[0], 1), (sites[0], 2), (sites[2], 1), (sites[3], 1)]


def test_a_count_is_reached_once():
    decides = strace.at_count(2)
    assert [decides("x") for _ in range(2)] == [False, True]


# -- judging


@pytest.fixture
def site(tmp_path):
    """What unpacking a wheel leaves."""
    folder = os.path.join(tmp_path, "site")
    with wheels.zipfile.ZipFile(wheels.make_package(str(tmp_path), "pack", "1.0")) as archive:
        archive.extractall(folder)
    Path(folder, "pack-1.0.dist-info", "INSTALLER").touch()
    return folder


def test_a_whole_one_has_no_faults(site):
    assert oracle.faults(site) == []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda site: os.unlink(f"{site}/pack/part0.py"), "pack/part0.py is missing"),
        (lambda site: Path(f"{site}/pack/part0.py").write_text("x"), "pack/part0.py is another"),
        (lambda site: os.unlink(f"{site}/pack-1.0.dist-info/METADATA"), "lacks METADATA"),
        (lambda site: os.mkdir(f"{site}/~ack"), "left aside"),
        (lambda site: os.mkdir(f"{site}/pack-2.0.dist-info"), "twice: pack"),
    ],
)
def test_each_damage_is_found(site, damage, fault):
    damage(site)
    assert any(fault in found for found in oracle.faults(site))


def test_what_no_record_names_is_an_orphan(site):
    Path(site, "left.py").touch()
    assert f"orphan: {site}/left.py" in oracle.orphans(site)


# -- root's skips


def test_root_must_not_skip_what_needs_root():
    lines = ["SKIPPED [1] a.py:1: needs root and setpriv", "SKIPPED [2] b.py:2: root reads everything"]
    assert run_all.skipped_by_root(lines, True) == lines[:1]
    assert run_all.skipped_by_root(lines, False) == []


def test_the_reasons_are_those_of_the_tests():
    tests = SCRIPTS.parent / "tests"
    texts = [
        path.read_text(encoding="utf-8") for path in tests.rglob("test_*.py") if path.name != Path(__file__).name
    ]
    for reason in run_all.ROOT_ONLY:
        assert any(reason in text for text in texts)
