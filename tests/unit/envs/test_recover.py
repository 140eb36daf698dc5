"""What a killed install left: what belongs where, which words name it again, and what metadata says of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safepip.core.invocation import read_invocation
from safepip.envs import asides, history, journal, packages, recover, verify
from safepip.report import Report
from safepip.system.observe import Context, ambient

SITE = "lib/python{}.{}/site-packages".format(*sys.version_info)


@pytest.mark.parametrize(
    ("name", "original", "expected"),
    [
        ("~lpha", "alpha", True),
        ("~-pha", "alpha", True),
        ("~-~ha", "alpha", True),
        ("~alpha", "alpha", True),
        ("~.alpha", "alpha", True),
        ("~lpha-1.0.dist-info", "alpha-1.0.dist-info", True),
        ("~eta", "alpha", False),
        ("~xpha", "alpha", False),
        ("alpha", "alpha", False),
        ("~", "alpha", False),
        ("", "alpha", False),
        ("~xalpha", "alpha", False),
    ],
)
def test_what_pip_calls_a_folder_that_it_moved_aside(name, original, expected):
    assert asides.is_aside(name, original) is expected


@given(st.text(max_size=6), st.text(min_size=1, max_size=6))
def test_any_name_can_be_asked_about(name, original):
    assert asides.is_aside(name, original) in {True, False}


def test_the_sources_of_a_line_are_its_own():
    line = [
        "install",
        "-f",
        "wheels",
        "-i",
        "https://x/s",
        "--no-index",
        "--pre",
        "-r",
        "x",
        "--find-links=/y",
        "-U",
        "a",
    ]
    expected = (
        "--find-links",
        "/at/wheels",
        "--index-url",
        "https://x/s",
        "--no-index",
        "--pre",
        "--find-links",
        "/y",
    )
    assert packages.sources(line, "/at") == expected


# -- what is left


@pytest.fixture
def left(environment):
    """An environment with alpha, its journal, and what heals it."""
    site = os.path.join(environment, SITE)
    info = os.path.join(site, "alpha-1.0.dist-info")
    os.makedirs(info)
    files = {"METADATA": "Name: alpha\nVersion: 1.0\n", "INSTALLER": "pip\n", "RECORD": ""}
    rows = [f"alpha-1.0.dist-info/{name},," for name in files]
    for name, text in files.items():
        with open(os.path.join(info, name), "w") as file:
            file.write("\n".join(rows) + "\n" if name == "RECORD" else text)

    def mend():
        lines = []
        report = Report()
        report.say = lines.append
        recover.recover(environment, Context(read_invocation("pip", ["list"]), ambient()), report)
        return lines

    mend.site, mend.environment, mend.info = site, environment, info
    assert journal.begin(environment, ["install", "-U", "alpha"], "/")
    return mend


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def aside(left):
    return [name for name in sorted(os.listdir(left.site)) if name.startswith("~")]


def test_where_nothing_happened_nothing_is_said(left):
    assert left() == []
    assert not os.path.lexists(os.path.join(left.environment, journal.JOURNAL))
    assert history.read(left.environment) == []


def test_metadata_that_was_moved_aside_is_put_back(left):
    moved = os.path.join(left.site, "~lpha-1.0.dist-info")
    os.rename(left.info, moved)
    with open(os.path.join(moved, "RECORD"), "w") as file:
        file.write(f"alpha-1.0.dist-info/METADATA,sha256={verify.digest_of(os.path.join(moved, 'METADATA'))},\n")
    assert left() == ["the last install here was interrupted; put right: alpha 1.0"]
    assert os.path.isfile(os.path.join(left.info, "METADATA"))
    assert [name for name in os.listdir(left.site) if name.startswith("~")] == []


def test_what_lay_aside_before_stays(environment, left):
    journal.end(environment)
    os.mkdir(os.path.join(left.site, "~lpha"))
    journal.begin(environment, ["install", "x"], "/")
    os.mkdir(os.path.join(left.site, "~-pha"))
    assert left() == []
    assert aside(left) == ["~lpha"]


@pytest.mark.parametrize("name", ["~ew", "~backup", "~beta-1.0.dist-info", "~"])
def test_a_folder_that_pip_would_not_call_so_stays(left, name):
    os.mkdir(os.path.join(left.site, name))
    write(os.path.join(left.environment, "bin", "~lpha"), "mine")
    assert left() == []
    assert aside(left) == [name]
    assert os.path.exists(os.path.join(left.environment, "bin", "~lpha"))


def test_a_file_called_as_pip_calls_folders_stays(left):
    write(os.path.join(left.site, "~lpha"), "mine")
    left()
    assert aside(left) == ["~lpha"]


@pytest.mark.parametrize("where", ["bin/mine", f"{SITE}/mine.py", f"{SITE}/mine/part.py", f"{SITE}/alpha/mine.py"])
def test_what_no_metadata_names_stays(left, where):
    path = os.path.join(left.environment, where)
    write(path, "mine")
    assert left() == []
    assert os.path.isfile(path)


def test_only_bytecode_of_a_distributions_own_source_is_swept(left):
    cache = os.path.join(left.site, "alpha", "__pycache__")
    record = os.path.join(left.info, "RECORD")
    write(record, read(record) + "alpha/part.py,,\n")
    write(os.path.join(left.site, "alpha", "part.py"), "")
    for name in ("part.cpython-311.pyc.123", "mine.cpython-311.pyc.123", "part.pyc.bak"):
        write(os.path.join(cache, name), "")
    left()
    assert sorted(os.listdir(cache)) == ["mine.cpython-311.pyc.123", "part.pyc.bak"]


def test_only_metadata_that_pip_was_writing_is_swept(left):
    for name in ("RECORDph3fjppi.tmp", "INSTALLERi4iyoa91.tmp", "mine.tmp", "RECORD.tmp"):
        write(os.path.join(left.info, name), "")
    left()
    assert [name for name in sorted(os.listdir(left.info)) if name.endswith(".tmp")] == ["RECORD.tmp", "mine.tmp"]


def unpacked(left, *, installer=None, edited=True):
    """Have a wheel of beta lie there as unzip leaves it, with the times of now; return its files."""
    files = {
        "beta/__init__.py": "1\n",
        "beta-1.0.dist-info/METADATA": "Name: beta\nVersion: 1.0\n",
        "beta-1.0.dist-info/WHEEL": "",
    }
    files = {os.path.join(left.site, name): text for name, text in files.items()}
    for path, text in files.items():
        write(path, text)
    rows = [f"{os.path.relpath(path, left.site)},sha256={verify.digest_of(path)}," for path in files]
    record = os.path.join(left.site, "beta-1.0.dist-info", "RECORD")
    write(record, "\n".join([*rows, "beta-1.0.dist-info/RECORD,,", ""]))
    if installer is not None:
        files[os.path.join(left.site, "beta-1.0.dist-info", "INSTALLER")] = installer
        write(os.path.join(left.site, "beta-1.0.dist-info", "INSTALLER"), installer)
    source = next(iter(files))
    if edited:
        files[source] = "1  # mine\n"
        write(source, files[source])
        later = os.stat(record).st_mtime_ns + 1_000_000_000
        os.utime(source, ns=(later, later))
    return files


@pytest.mark.parametrize("installer", [None, "uv\n", "by hand"])
def test_a_wheel_that_was_unpacked_by_hand_and_edited_stays(left, installer):
    files = unpacked(left, installer=installer)
    assert left() == []
    assert {path: read(path) for path in files} == files


def test_metadata_without_a_record_of_another_tool_stays(left):
    files = unpacked(left, installer="conda\n")
    os.unlink(os.path.join(left.site, "beta-1.0.dist-info", "RECORD"))
    assert left() == []
    assert {path: read(path) for path in files} == files


def test_half_metadata_that_cannot_be_fetched_is_kept_elsewhere_and_named(left):
    files = unpacked(left, edited=False)
    os.unlink(os.path.join(left.site, "beta-1.0.dist-info", "RECORD"))
    kept = os.path.join(left.environment, ".safepip", "left", "1")
    (said,) = left()
    assert said.endswith(f"put right: beta 1.0 (not installed); what lay in the way is in {kept}")
    assert os.listdir(os.path.join(left.site, "beta")) == ["__init__.py"]
    aside = [os.path.join(kept, os.path.relpath(path, left.environment)) for path in files if "dist-info" in path]
    assert [path for path in aside if not os.path.isfile(path)] == []


def test_what_was_edited_since_is_not_replaced_where_pip_had_not_begun_to_write(left):
    source = os.path.join(left.site, "alpha", "part.py")
    write(source, "1\n")
    record = os.path.join(left.info, "RECORD")
    write(record, read(record) + f"alpha/part.py,sha256={verify.digest_of(source)},2\n")
    journal.begin(left.environment, ["install", "-U", "alpha"], "/")
    write(source, "mine")
    assert left() == []
    assert read(source) == "mine"


def test_what_lies_in_place_of_a_folder_that_is_put_back_is_kept_and_told(left):
    source = os.path.join(left.site, "alpha", "part.py")
    write(source, "1\n")
    record = os.path.join(left.info, "RECORD")
    said = os.path.join(left.info, "METADATA")
    rows = [f"{os.path.relpath(path, left.site)},sha256={verify.digest_of(path)}," for path in (source, said)]
    write(record, "\n".join(rows))
    journal.begin(left.environment, ["install", "-U", "alpha"], "/")
    os.rename(os.path.dirname(source), os.path.join(left.site, "~lpha"))
    os.rename(left.info, os.path.join(left.site, "~lpha-1.0.dist-info"))
    write(os.path.join(left.site, "alpha", "mine.py"), "mine")
    kept = os.path.join(left.environment, ".safepip", "left", "1")
    said = f"the last install here was interrupted; put right: alpha 1.0; what lay in the way is in {kept}"
    assert left() == [said]
    assert read(os.path.join(kept, SITE, "alpha", "mine.py")) == "mine"
    assert os.listdir(os.path.dirname(source)) == ["part.py"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process was started")
def test_what_a_living_program_of_the_environment_may_be_writing_stays(left):
    python = os.path.join(left.environment, "bin", "python")
    line = [python, "-I", "-c", "print(flush=True); input()"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        info = os.path.join(left.site, "beta-1.0.dist-info")
        write(os.path.join(info, "METADATA"), "Name: beta\nVersion: 1.0\n")
        os.mkdir(os.path.join(left.site, "~lpha"))
        (said,) = left()
        assert "could not get beta 1.0 again" in said
        assert os.listdir(info) == ["METADATA"]
        process.stdin.close()
    assert left()[0].startswith("an earlier install here was interrupted; put right: beta 1.0 (not installed)")
    assert not os.path.lexists(info)


def test_of_two_metadata_the_whole_new_one_stays(left):
    new = os.path.join(left.site, "alpha-2.0.dist-info")
    os.mkdir(new)
    for name in ("METADATA", "INSTALLER", "RECORD"):
        with open(os.path.join(new, name), "w") as file:
            rows = [f"alpha-2.0.dist-info/{one},," for one in ("METADATA", "INSTALLER", "RECORD")]
            file.write("\n".join(rows) if name == "RECORD" else "Name: alpha\n")
    assert left() == ["the last install here was interrupted; put right: alpha 2.0"]
    assert not os.path.exists(left.info)
    (entry,) = history.read(left.environment)
    assert (entry.words, entry.changes[0].after.version) == (("install", "-U", "alpha"), "2.0")


def test_a_removal_that_was_done_is_only_noted(left):
    for name in os.listdir(left.info):
        os.unlink(os.path.join(left.info, name))
    os.rmdir(left.info)
    assert left() == []
    (entry,) = history.read(left.environment)
    assert entry.changes[0].after is None


@pytest.mark.parametrize(
    "text", ["", "junk", "safepip-journal-2\t1\t1\t1\t\t\t\t\t\nd\t../../x\t1\t\t\nd\tx\nn\ty\tz"]
)
def test_any_journal_can_be_read(left, text):
    journal.write(os.path.join(left.environment, journal.JOURNAL), [text])
    left()
    assert os.path.isdir(left.info)
    assert not os.path.lexists(os.path.join(left.environment, journal.JOURNAL))
