"""What an answer of pip's rests on: whatever changes it, another digest; whatever is not plain, none."""

from __future__ import annotations

import os
import threading

import pytest

from safepip import __version__
from safepip.core.invocation import read_invocation
from safepip.core.pip_line import read
from safepip.core.plan import Handover
from safepip.core.record import Record, replace
from safepip.envs.journal import JOURNAL
from safepip.envs.noop_cache import SATISFIED, noop_cache, repeat
from safepip.system.observe import Context, ambient


class Question(Record):
    slot: str
    digest: str
    read: int
    files: tuple[str, ...]


@pytest.fixture
def asker(environment, work, home, monkeypatch):
    """Give who asks as a line would, in a project with files and an environment with two distributions."""
    monkeypatch.setenv("PIP_CONFIG_FILE", f"{work}/pip.conf")  # the machine's own may hold anything
    site = site_of(environment)
    os.makedirs(f"{site}/pip/_internal", exist_ok=True)
    for name in ("six-1.0", "idna-2.0"):
        os.makedirs(f"{site}/{name}.dist-info")
        write(f"{site}/{name}.dist-info/METADATA", "Name: x\n")
    write(f"{work}/req.txt", "-c con.txt\nsix\n")
    write(f"{work}/con.txt", "idna<9\n")
    write(f"{work}/pip.conf", "[global]\ntimeout = 9\n")
    monkeypatch.setattr("safepip.system.pip_config._global_folders", lambda *_args: [f"{home}/nowhere"])

    def asker(*words, **changes):
        words = words or ("install", "-r", "req.txt")
        around = ambient()
        command = read(words, around.environ)  # so that no interpreter is asked for its own pip.conf
        context = Context(read_invocation("safepip", words, module=False), around, command=command)
        handover = Handover(
            python=f"{environment}/bin/python", words=words, program=f"{environment}/bin/pip",
            environment=environment, enter=True, changes_packages=True,
        )  # fmt: skip
        return noop_cache(replace(handover, **changes), context)

    return asker


@pytest.fixture
def asking(asker):
    """Ask, and give the question, parsed as the runner does."""

    def asking(*words, **changes):
        found = asker(*words, **changes)
        text = found and found.question()
        if text is None:
            return None
        slot, digest, read, *files = text.split("\n")
        return Question(slot=slot, digest=digest, read=int(read), files=tuple(files))

    return asking


@pytest.fixture
def answer(asker):
    """Give the answer to what is asked."""
    return lambda *words: asker(*words).answer()


def site_of(environment):
    (version,) = os.listdir(f"{environment}/lib")
    return f"{environment}/lib/{version}/site-packages"


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def test_nothing_changed_is_the_same_question(asking):
    assert asking() == asking()
    assert len(asking().digest) == 40


def test_the_question_says_how_each_file_is_for_runner_to_compare(asking, environment, work):
    paths = [line.partition(" ")[2] for line in asking().files]
    assert paths[:2] == ["req.txt", "con.txt"]
    assert paths[-3:] == [f"{work}/pip.conf", f"{environment}/pyvenv.cfg", site_of(environment)]


PYVENV = "home = /usr/bin\ninclude-system-site-packages = false\n"
CHANGES = {
    "a requirements file": lambda env, work: write(f"{work}/req.txt", "-c con.txt\nsix>0\n"),
    "a file named there": lambda env, work: write(f"{work}/con.txt", "idna<8\n"),
    "pip's configuration": lambda env, work: write(f"{work}/pip.conf", "[global]\ntimeout = 8\n"),
    "a distribution more": lambda env, work: os.mkdir(f"{site_of(env)}/new-1.egg-info"),
    "a distribution less": lambda env, work: os.rename(f"{site_of(env)}/idna-2.0.dist-info", f"{work}/gone"),
    "another version": lambda env, work: os.rename(
        f"{site_of(env)}/six-1.0.dist-info", f"{site_of(env)}/six-2.0.dist-info"
    ),
    "metadata in place": lambda env, work: write(f"{site_of(env)}/six-1.0.dist-info/METADATA", "Name: y\n"),
    "a path file": lambda env, work: write(f"{site_of(env)}/x.pth", "/tmp\n"),
    "pyvenv.cfg": lambda env, work: write(f"{env}/pyvenv.cfg", f"{PYVENV}version = 3\n"),
    "a program": lambda env, work: write(f"{env}/bin/six-1.0.dist-info", ""),
    "a folder of pip's": lambda env, work: os.mkdir(f"{site_of(env)}/pip/_internal/new"),
    "PIP_NO_DEPS": lambda env, work: os.environ.update(PIP_NO_DEPS="1"),
    "LC_ALL": lambda env, work: os.environ.update(LC_ALL="C"),
    "COLUMNS": lambda env, work: os.environ.update(COLUMNS="7"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_another_question(asking, environment, work, monkeypatch, change):
    monkeypatch.setattr(os, "environ", os.environ.copy())
    before = asking()
    CHANGES[change](environment, work)
    assert asking().digest != before.digest


def test_metadata_written_in_place_with_its_old_times_is_another_question(asking, environment):
    path = f"{site_of(environment)}/six-1.0.dist-info/METADATA"
    before, stat = asking(), os.stat(path)
    write(path, "Name: z\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert asking().digest != before.digest


def test_metadata_of_two_links_written_in_place_with_its_old_time_and_size_is_another_question(
    asking, environment, work
):
    path = f"{site_of(environment)}/six-1.0.dist-info/METADATA"
    os.link(path, f"{work}/link")
    before, stat = asking(), os.stat(path)
    write(path, "Name: y\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert os.stat(path).st_size == stat.st_size
    assert asking().digest != before.digest


@pytest.fixture
def shared(environment, work):
    """Give the metadata of pip, which all environments of a user share by hard links."""
    path = f"{site_of(environment)}/pip-26.3.dist-info/METADATA"
    os.mkdir(os.path.dirname(path))
    write(path, "Name: pip\n")
    os.link(path, f"{work}/image")
    return path


def test_another_environment_that_shares_pips_files_changes_nothing(asking, shared, work):
    before = asking()
    os.link(shared, f"{work}/another")
    assert asking().digest == before.digest


def test_pips_shared_metadata_written_in_place_is_another_question(asking, shared):
    before, stat = asking(), os.stat(shared)
    write(shared, "Name: pop\n")
    os.utime(shared, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert asking().digest != before.digest


@pytest.mark.parametrize(
    "other",
    [
        {"words": ("install", "six")},
        {"program": "/elsewhere/pip"},
        {"python": "/elsewhere/python"},
        {"variables": (("PIP_USER", "0"),)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_handover_is_another_question(asking, other):
    assert asking(**other).digest != asking().digest


def test_another_directory_is_another_question(asking, work, monkeypatch):
    before = asking("install", "six")
    os.mkdir(f"{work}/sub")
    monkeypatch.chdir(f"{work}/sub")
    assert asking("install", "six").digest != before.digest


@pytest.mark.parametrize(
    "words",
    [
        "-U six", "--upgrade six", "--force-reinstall six", "-I six", "--pre six", "-e .", ".", "./six", "six.whl",
        "--group x", "--report r six", "-v six", "--log l six", "--src s six", "-r gone.txt", "-r pylock.toml",
        "-r file:req.txt", "--use-feature fast-deps six", "--config-settings a=b six", "--unknown six", "-r .",
        "--python-version 3 six", "six @ file:///x", "--only-deps six", "--debug six", "--all-releases six six",
        "--check-build-dependencies six", "--ignore-requires-python six", "-r fifo", "--dry-run six", "-c fifo six",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_pip(asking, work, words):
    os.mkfifo(f"{work}/fifo")
    write(f"{work}/pylock.toml", "six\n")
    assert asking("install", *words.split()) is None


@pytest.mark.parametrize(
    "words", ["six", "-q six", "--no-deps -c con.txt six", "six[x] -rreq.txt", "--isolated six"]
)
def test_what_is_plain_is_a_question(asking, words):
    assert asking("install", *words.split()) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTHONPATH", "more"), ("PIP_UPGRADE", "1"), ("PIP_PRE", "1"), ("PIP_EDITABLE", "."), ("PIP_PYTHON", "python3"),
        ("PIP_LOG", "log"), ("PIP_TARGET", "t"), ("PIP_CONSTRAINT", "gone.txt"), ("PIP_FUTURE_OPTION", "1"),
    ],
)  # fmt: skip
def test_variables_that_are_not_plain_leave_it_to_pip(asking, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert asking("install", "six") is None


@pytest.mark.parametrize(
    "text",
    [
        "[install]\nupgrade = true\n", "[install]\nconstraint = gone.txt\n", "[DEFAULT]\npre = 1\n[install]\n", "timeout\n",
        "[global]\ntimeout = 3\n  4\n", "[global]\nfuture = 1\n", "[global]\npython = python3\n", "[install]\ngroup = dev\n",
        "[global]\neditable =\n  .\n", "[global]\ncache-dir = x\n", "[:env:]\ntarget = x\n",
    ],
)  # fmt: skip
def test_a_configuration_that_is_not_plain_leaves_it_to_pip(asking, work, text):
    write(f"{work}/pip.conf", text)
    assert asking("install", "six") is None


@pytest.mark.parametrize(
    "text",
    [
        "[install]\nconstraint = con.txt\n", "[global]\nconstraint =\n  con.txt\n  con.txt\n", "[install]\nrequirement = req.txt\n",
        "[DEFAULT]\ntimeout = 3\n[global]\nconstraint = con.txt\n",
    ],
)  # fmt: skip
def test_a_file_that_the_configuration_names_counts_as_one_on_the_line(asking, work, text):
    write(f"{work}/pip.conf", text)
    before = asking("install", "six")
    assert "con.txt" in before.files[before.read - 1]
    write(f"{work}/con.txt", "idna<8\n")
    assert asking("install", "six").digest != before.digest
    write(f"{work}/con.txt", "-e .\n")
    assert asking("install", "six") is None


@pytest.mark.parametrize("text", ["[list]\nformat = json\n", "[download]\nconstraint = gone.txt\n"])
def test_what_the_configuration_says_of_other_commands_does_not_count(asking, work, text):
    write(f"{work}/pip.conf", text)
    assert asking("install", "six") is not None


def test_a_configuration_that_is_no_file_leaves_it_to_pip(asking, work):
    os.unlink(f"{work}/pip.conf")
    os.mkdir(f"{work}/pip.conf")
    assert asking("install", "six") is None


@pytest.mark.parametrize("place", ["~/wheels", "wheels ~/wheels"])
def test_a_home_that_may_not_be_there_leaves_it_to_pip(asking, work, monkeypatch, place):
    write(f"{work}/pip.conf", f"[global]\nfind-links = {place}\n")
    assert asking("install", "six") is None
    write(f"{work}/pip.conf", "[global]\nfind-links = wheels\n")
    assert asking("install", "six") is not None
    assert asking("install", "-f", place, "six") is None
    monkeypatch.setenv("PIP_FIND_LINKS", place)
    assert asking("install", "six") is None


@pytest.mark.parametrize(
    "text", ["", "home = /usr/bin\n", PYVENV.replace("false", "true"), PYVENV.replace("home", "x")]
)
def test_an_environment_that_may_see_more_than_itself_leaves_it_to_pip(asking, environment, text):
    write(f"{environment}/pyvenv.cfg", text)
    assert asking() is None


def test_what_is_no_virtual_environment_leaves_it_to_pip(asking, environment):
    os.unlink(f"{environment}/pyvenv.cfg")
    assert asking() is None


def test_a_path_file_that_runs_code_leaves_it_to_pip(asking, environment):
    write(f"{site_of(environment)}/hook.pth", "import hook\n")
    assert asking() is None


@pytest.mark.parametrize("name", ["_virtualenv.pth", "_virtualenv.start", "distutils-precedence.pth"])
def test_code_of_virtualenv_and_setuptools_finds_no_distribution(asking, environment, name):
    write(f"{site_of(environment)}/{name}", "import x\n")
    before = asking()
    write(f"{site_of(environment)}/{name}", "import yy\n")
    assert asking().digest != before.digest


def test_a_start_file_leaves_it_to_pip(asking, environment):
    write(f"{site_of(environment)}/hook.start", "hook:run\n")
    assert asking() is None


@pytest.mark.parametrize("name", ["NEW-1.DIST-INFO", "new-1.dist-info"])
def test_a_distribution_without_metadata_leaves_it_to_pip(asking, environment, name):
    os.mkdir(f"{site_of(environment)}/{name}")
    assert asking() is None


@pytest.mark.parametrize("name", ["old.egg", "old.egg-link"])
def test_distributions_that_lie_elsewhere_leave_it_to_pip(asking, environment, name):
    write(f"{site_of(environment)}/{name}", "")
    assert asking() is None


def test_a_file_that_names_itself_is_read_once(asking, work):
    write(f"{work}/req.txt", "-r req.txt\nsix\n")
    assert asking() is not None


def test_a_chain_of_very_many_files_is_left_to_pip(asking, work):
    for number in range(80):
        write(f"{work}/{number}.txt", f"-r {number + 1}.txt\n")
    assert asking("install", "-r", "0.txt") is None


# -- the answer


def keep(environment, question, printed):
    os.makedirs(os.path.join(environment, SATISFIED), exist_ok=True)
    with open(os.path.join(environment, SATISFIED, question.slot), "wb") as file:
        named = "\n".join(line.partition(" ")[2] for line in question.files[: question.read])
        file.write(f"{question.digest}\n{question.read}\n{named}\n".encode() + printed)


def test_an_answer_is_found_as_it_was_kept(asking, answer, environment):
    assert answer() is None
    keep(environment, asking(), b"one\n\xfftwo")
    assert answer() == b"one\n\xfftwo"


def test_the_answer_to_another_question_is_none(asking, answer, environment):
    keep(environment, replace(asking(), digest="0" * 40), b"one\n")
    assert answer() is None


def test_while_a_change_is_at_work_or_was_killed_there_is_no_answer(asking, answer, environment):
    keep(environment, asking(), b"one\n")
    write(os.path.join(environment, JOURNAL), "")
    assert answer() is None


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"x", b"\0" * 50, b"x\n" + b"9" * 5000 + b"\n", b"x\n7\ny", None], ids=repr
)
def test_a_kept_answer_that_is_damaged_is_none(asking, answer, environment, content):
    keep(environment, asking(), b"one\n")
    path = os.path.join(environment, SATISFIED, asking().slot)
    os.unlink(path)
    if content is None:
        os.mkdir(path)
    else:
        with open(path, "wb") as file:
            file.write(content)
    assert answer() is None


def test_a_link_in_place_of_an_answer_is_not_followed_into_a_terminal_or_fifo(asking, answer, environment, work):
    keep(environment, asking(), b"one\n")
    path = os.path.join(environment, SATISFIED, asking().slot)
    os.unlink(path)
    os.mkfifo(f"{work}/pipe")
    os.symlink(f"{work}/pipe", path)
    assert answer() is None


def test_answers_are_kept_apart_by_what_is_typed_and_an_empty_one_may_be_kept_with_q(asking):
    # Two lines may share one of the 64 slots, and the path of the test counts too; ten lines hardly do.
    assert len({asking("install", f"name{number}").slot for number in range(10)}) > 1
    assert asking("install", "-q", "six").slot.endswith("q")


def test_the_answer_is_written_as_it_is(capfd):
    assert repeat(b"one\n\xff") == 0
    assert capfd.readouterr().out.encode("utf-8", "surrogateescape")[:4] == b"one\n"


def test_a_stdout_that_takes_nothing_leaves_it_to_pip(monkeypatch):
    full = os.open("/dev/full", os.O_WRONLY)
    kept = os.dup(1)
    try:
        os.dup2(full, 1)
        assert repeat(b"one\n") is None
        assert repeat(b"") == 0
    finally:
        os.dup2(kept, 1)
        os.close(full)
        os.close(kept)


def test_a_reader_that_goes_away_half_way_ends_it_as_it_ends_pip():
    reader, writer = os.pipe()
    kept = os.dup(1)
    try:
        os.dup2(writer, 1)
        threading.Thread(target=lambda: (os.read(reader, 1), os.close(reader))).start()
        assert repeat(b"x" * (1 << 20)) == 120
    finally:
        os.dup2(kept, 1)
        os.close(writer)
        os.close(kept)


def test_another_version_of_safepip_asks_again(asking, monkeypatch):
    before = asking()
    monkeypatch.setattr("safepip.envs.noop_cache.__version__", f"{__version__}.1")
    assert asking().digest != before.digest
