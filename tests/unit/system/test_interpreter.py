from __future__ import annotations

import os
import shutil
import sys

import pytest

from safepip.core.record import replace
from safepip.core.world import MARKER, Interpreter
from safepip.errors import CANNOT_RUN, SafepipError
from safepip.system.interpreter import (
    behind_shim,
    candidates,
    interview,
    is_marked,
    is_program,
    is_script,
    started_as,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs of POSIX")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")

ANSWERS = ("/p/bin/python3", "3.12.3", "/p", "/p", "/p/lib/python3.12", "lib/python3.12/site-packages", "cpython")


@pytest.fixture
def program(home):
    """Make a program below the home directory; return its path."""

    def program(path, text="binary", mode=0o755):
        full = os.path.join(home, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.chmod(full, mode)
        return full

    return program


class Asked:
    """Stands in for starting a program: answers, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers or [ANSWERS] * 9)
        self.calls = []

    def __call__(self, argv, environ, aloud):
        self.calls.append((argv, dict(environ), aloud))
        answer = self.answers.pop(0)
        if isinstance(answer, int):
            return answer, b""
        return 0, answer if isinstance(answer, bytes) else os.fsencode("\0".join(answer))


# -- on PATH


@pytest.fixture
def found(home):
    def found(search, names=("python3", "python"), skip=()):
        entries = os.pathsep.join(
            os.path.join(home, entry) if entry in {"a", "b", "c"} else entry for entry in search
        )
        return [os.path.relpath(path, home) for path in candidates(names, entries, skip)]

    return found


def test_the_first_on_path_comes_first(program, found):
    program("a/python3")
    program("b/python3")
    assert found("ab") == ["a/python3", "b/python3"]
    assert found("ba") == ["b/python3", "a/python3"]


def test_all_of_the_first_name_come_before_any_of_the_second(program, found):
    program("a/python")
    program("b/python3")
    assert found("ab") == ["b/python3", "a/python"]


def test_only_the_names_asked_for_count(program, found):
    program("a/python3")
    program("a/python3.12")
    assert found("a", names=("python3.12",)) == ["a/python3.12"]


def test_empty_and_relative_entries_are_skipped(program, found, home, monkeypatch):
    program("a/python3")
    monkeypatch.chdir(home)
    assert found(["", ".", "./a", "a/../a", ""], names=("python3",)) == []
    monkeypatch.chdir(os.path.join(home, "a"))
    assert found(["", ".", "..", "a"]) == ["a/python3"]


def test_what_cannot_be_run_is_skipped(program, found, home):
    program("a/python3", mode=0o644)
    os.makedirs(os.path.join(home, "b/python3"))
    os.makedirs(os.path.join(home, "c"))
    os.symlink("gone", os.path.join(home, "c/python3"))
    assert found(["a", "b", "c", "/gone"]) == []


def test_folders_that_are_to_be_skipped_are_known_by_their_real_path(program, found, home):
    program("a/python3")
    os.symlink("a", os.path.join(home, "b"))
    assert found("ab", skip=(os.path.join(home, "a"),)) == []


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\nexec safepip python\n", "#!/opt/safepip/bin/python\n", "#!/bin/sh\n# safepip\n"]
)
def test_shims_of_safepips_own_are_skipped(program, found, text):
    program("a/python3", text)
    program("b/python3")
    assert found("ab") == ["b/python3"]


@pytest.mark.parametrize("text", ["#!/bin/sh\nexec pyenv exec python\n", "safepip in a binary"])
def test_other_scripts_and_binaries_count(program, found, text):
    program("a/python3", text)
    assert found("a") == ["a/python3"]


def test_a_program_is_a_file_that_may_be_run(program, home):
    assert is_program(program("a/x"))
    assert not is_program(program("a/y", mode=0o600))
    assert not is_program(home)
    assert not is_program(os.path.join(home, "gone"))


def test_a_script_is_no_binary(program, home):
    assert is_script(program("a/x", "#!/bin/sh\n"))
    assert not is_script(program("a/y", "\x7fELF"))
    assert not is_script(os.path.join(home, "gone"))


# -- behind a version manager's shim


def test_a_shim_is_asked_with_the_users_variables(program, home):
    log = os.path.join(home, "log")
    shim = program(
        "shims/python3",
        f'#!/bin/sh\nprintf "%s\\n" "$0" "$1" "$PYENV_VERSION" >> {log}\nprintf /real/python3.11\n',
    )
    environ = {"PYENV_VERSION": "3.11", "PYTHONPATH": "kept"}
    assert behind_shim(shim, environ) == "/real/python3.11"
    with open(log) as file:
        assert file.read().splitlines() == [shim, "-c", "3.11"]


def test_a_shim_is_asked_each_time(program):
    ask = Asked(b"/real/python3.11", b"/real/python3.12")
    assert [behind_shim("/shim", {}, ask) for _ in "12"] == ["/real/python3.11", "/real/python3.12"]


def test_where_a_shim_fails_its_message_and_code_stand(program, capfd):
    shim = program("shims/python3", "#!/bin/sh\necho 'pyenv: version 3.7 is not installed' >&2\nexit 9\n")
    with pytest.raises(SafepipError) as error:
        behind_shim(shim, {"PATH": "/usr/bin:/bin"})
    assert (error.value.code, error.value.what) == (9, "")
    assert capfd.readouterr().err == "pyenv: version 3.7 is not installed\n"


@pytest.mark.parametrize("answer", [b"", b"python3", b"./python3"])
def test_a_shim_that_does_not_tell_is_an_error(answer):
    with pytest.raises(SafepipError, match="/shim did not say which Python it runs") as error:
        behind_shim("/shim", {}, Asked(answer))
    assert error.value.code == CANNOT_RUN


def test_a_shim_whose_interpreter_is_missing_is_an_error(program):
    shim = program("shims/python3", "#!/gone/sh\n")
    with pytest.raises(SafepipError, match="cannot be run: No such file") as error:
        behind_shim(shim, {})
    assert error.value.code == CANNOT_RUN


# -- asked


def test_a_real_one_answers(base, base_python):
    assert base.path == base.real == base_python
    assert base.version == sys.version_info[:3]
    assert base.minor == "{}.{}".format(*sys.version_info)
    assert base.prefix == base.base_prefix == sys.base_prefix
    assert not base.is_virtual
    assert os.path.isfile(os.path.join(base.stdlib, "os.py"))
    assert base.site == f"lib/python{base.minor}/site-packages"
    assert base.implementation == sys.implementation.name


def test_one_in_an_environment_says_so(finished):
    known = interview(os.path.join(finished, "bin", "python"), {}, None)
    assert (known.prefix, known.is_virtual) == (finished, True)


def test_is_asked_in_isolation_without_the_users_python_variables(program):
    ask = Asked()
    interview(program("bin/python3"), {"PYTHONPATH": "x", "PYTHONHOME": "y", "HOME": "z"}, None, ask=ask)
    ((argv, environ, aloud),) = ask.calls
    assert argv[1:3] == ["-I", "-c"]
    assert (environ, aloud) == ({"HOME": "z"}, False)


def test_nothing_of_the_working_directory_is_imported(base_python, home):
    for name in ("sysconfig", "os", "site", "sitecustomize"):
        with open(f"{name}.py", "w") as file:
            file.write(f"open({home!r} + '/ran', 'w')\n")
    assert isinstance(interview(base_python, {"PYTHONPATH": os.getcwd()}, None), Interpreter)
    assert not os.path.exists(os.path.join(home, "ran"))


def test_one_that_does_not_know_the_isolated_mode_is_asked_otherwise(program):
    python = program("bin/python2")
    old = ("/p/bin/python2", "2.7.18", "/p", "/p", "/p/lib/python2.7", "lib/python2.7/site-packages", "cpython")
    ask = Asked(2, old)
    assert interview(python, {}, None, ask=ask).version == (2, 7, 18)
    assert [call[0][1] for call in ask.calls] == ["-I", "-E"]


@pytest.mark.parametrize(
    "answer", [1, b"", b"hello\n", b"\0\0\0\0\0\0", b"\0".join([b"x"] * 7), "\0".join(ANSWERS[:6]).encode(), -11]
)
def test_one_that_does_not_answer_as_python_gives_the_reason(program, answer):
    python = program("bin/python3")
    code = answer if isinstance(answer, int) else 0
    expected = f"{python} does not answer as a Python does (exit code {code})"
    assert interview(python, {}, None, ask=Asked(answer, answer)) == expected


def test_one_that_is_not_there_gives_the_reason(home):
    path = os.path.join(home, "gone")
    assert interview(path, {}, None) == f"{path} cannot be read: No such file or directory"


def test_one_that_cannot_be_started_has_a_reason(program):
    path = program("bin/python3", "no binary of any system")
    assert str(interview(path, {}, None)).startswith(f"{path} cannot be run: ")


def test_paths_that_are_no_text_are_understood(program):
    answers = tuple(field.replace("/p", "/caf\udce9") for field in ANSWERS)
    assert interview(program("bin/python3"), {}, None, ask=Asked(answers)).prefix == "/caf\udce9"


# -- remembered


@pytest.fixture
def cache(home):
    return os.path.join(home, ".cache", "safepip")


@pytest.fixture
def python(program):
    return program("bin/python3.12")


def kept(cache):
    folder = os.path.join(cache, "interpreters")
    (name,) = os.listdir(folder)
    return os.path.join(folder, name)


def asked_again(python, cache):
    ask = Asked()
    known = interview(python, {}, cache, ask=ask)
    assert known.version == (3, 12, 3)
    return bool(ask.calls)


def test_is_asked_once(python, cache):
    assert asked_again(python, cache)
    assert not asked_again(python, cache)


def test_what_is_remembered_is_what_was_answered(python, cache):
    answered = interview(python, {}, cache, ask=Asked())
    assert interview(python, {}, cache, ask=Asked()) == answered


def test_a_link_to_it_is_the_same_binary_under_its_own_path(python, cache, home):
    asked_again(python, cache)
    link = os.path.join(home, "python3")
    os.symlink(python, link)
    ask = Asked()
    known = interview(link, {}, cache, ask=ask)
    assert (known.path, known.real, ask.calls) == (link, python, [])


def test_without_a_cache_is_asked_each_time(python):
    assert asked_again(python, None)
    assert asked_again(python, None)


def test_with_keep_false_nothing_is_written(python, cache, home):
    interview(python, {}, cache, keep=False, ask=Asked())
    assert not os.path.exists(cache)


def test_a_failure_is_not_remembered(python, cache):
    assert isinstance(interview(python, {}, cache, ask=Asked(1, 1)), str)
    assert asked_again(python, cache)


@pytest.mark.parametrize("change", ["size", "inode", "ctime"])
def test_a_binary_that_was_exchanged_is_asked_again(python, cache, program, change):
    asked_again(python, cache)
    before = os.stat(python)
    if change == "size":
        with open(python, "a") as file:
            file.write("x")
    elif change == "inode":
        shutil.copy2(python, python + ".new")
        os.replace(python + ".new", python)
    else:
        while os.stat(python).st_ctime_ns == before.st_ctime_ns:
            os.chmod(python, 0o700)
            os.chmod(python, 0o755)
    os.utime(python, ns=(before.st_atime_ns, before.st_mtime_ns))  # as on Nix and ostree
    assert asked_again(python, cache)


def test_another_binary_of_the_same_inode_number_is_asked_again(python, cache, program):
    """As after the first was removed: the number is used again."""
    asked_again(python, cache)
    other = program("other/python3")
    stat = os.stat(other)
    os.rename(kept(cache), os.path.join(cache, "interpreters", f"{stat.st_dev:x}-{stat.st_ino:x}"))
    assert asked_again(other, cache)


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param(lambda text: "", id="emptied"),
        pytest.param(lambda text: text[: len(text) // 2], id="cut in the middle"),
        pytest.param(lambda text: text.rpartition("\0")[0], id="cut before the last field"),
        pytest.param(lambda text: text + "\0more", id="longer"),
        pytest.param(lambda text: "x" + text, id="of another format"),
        pytest.param(
            lambda text: text.replace("safepip-interpreter-2", "safepip-interpreter-1"), id="of another version"
        ),
        pytest.param(lambda text: "\udcff\udcfe", id="no text"),
        pytest.param(lambda text: text.replace("3.12.3", "three"), id="with a version that is none"),
        pytest.param(lambda text: text[:-1] + "x", id="with a letter exchanged"),
    ],
)
def test_a_damaged_memory_is_ignored(python, cache, poison):
    asked_again(python, cache)
    with open(kept(cache), encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    with open(kept(cache), "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(poison(text))
    assert asked_again(python, cache)
    assert not asked_again(python, cache)


@as_root
def test_a_memory_of_another_user_is_ignored(python, cache):
    asked_again(python, cache)
    os.chown(kept(cache), 12345, 12345)
    assert asked_again(python, cache)


def test_a_memory_that_is_a_link_is_ignored(python, cache, home):
    asked_again(python, cache)
    os.rename(kept(cache), os.path.join(home, "elsewhere"))
    name = f"{os.stat(python).st_dev:x}-{os.stat(python).st_ino:x}"
    os.symlink(os.path.join(home, "elsewhere"), os.path.join(cache, "interpreters", name))
    assert asked_again(python, cache)


def test_a_cache_that_cannot_be_written_is_let_be(python):
    assert asked_again(python, "/dev/null/cache")


# -- the marker of PEP 668


@pytest.fixture
def marked(home):
    stdlib = os.path.join(home, "lib", "python3.12")
    os.makedirs(stdlib)
    python = Interpreter(
        path="/p", real="/p", version=(3, 12), prefix="/", base_prefix="/", stdlib=stdlib, site="site"
    )
    assert python.marker == os.path.join(stdlib, MARKER)
    return python


def put(path, text="[externally-managed]\n"):
    with open(path, "w") as file:
        file.write(text)


@pytest.mark.parametrize("text", ["[externally-managed]\nError=x\n", "", "\xff nonsense"])
def test_the_markers_presence_decides_and_never_its_content(marked, text):
    assert not is_marked(marked)
    put(marked.marker, text)
    assert is_marked(marked)


def test_a_link_to_a_marker_is_one(marked, home):
    put(os.path.join(home, "marker"))
    os.symlink(os.path.join(home, "marker"), marked.marker)
    assert is_marked(marked)


def test_a_dangling_link_is_none(marked):
    os.symlink("gone", marked.marker)
    assert not is_marked(marked)


def test_a_directory_is_none(marked):
    os.mkdir(marked.marker)
    assert not is_marked(marked)


def test_a_fifo_is_none_and_not_waited_for(marked):
    os.mkfifo(marked.marker)
    assert not is_marked(marked)


def test_the_marker_is_looked_up_on_every_call(marked):
    put(marked.marker)
    assert is_marked(marked)
    os.unlink(marked.marker)
    assert not is_marked(marked)


def test_an_interpreter_knows_its_minor_version_and_whether_it_is_virtual(marked):
    assert replace(marked, version=(3, 9, 18)).minor == "3.9"
    assert not marked.is_virtual
    assert replace(marked, prefix="/venv").is_virtual


# -- under which name its pip is started


@pytest.fixture
def bin_with(program, home):
    """A folder of an environment whose pip begins with `head`, with the names that Pythons have there."""

    def bin_with(head):
        python = program("e/bin/python")
        folder = os.path.dirname(python)
        for name in ("python3", "python3.12", "pypy3"):
            os.symlink("python", os.path.join(folder, name))
        program("e/bin/python3.11", "another")
        if head is not None:
            program("e/bin/pip", head.replace("{}", folder))
        return os.path.basename(started_as(python))

    return bin_with


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (None, "python"),
        ("", "python"),
        ("#!{}/python3\n", "python3"),
        ("#!{}/python3.12\n# -*- coding\n", "python3.12"),
        ("#! {}/python3 \n", "python3"),
        ("#!{}/pypy3\n", "pypy3"),
        ("#!{}/python\n", "python"),
        ("#!/the/original/of/a/copy/bin/python3\n", "python3"),
        ("#!{}/python3.11\n", "python"),
        ("#!{}/python3.9\n", "python"),
        ("#!/bin/sh\nexec something\n", "python"),
        ("#!/usr/bin/env node\n", "python"),
        ("\x7fELF python3", "python"),
        ("#!{}/../../../evil/python3\n", "python3"),
    ],
    ids=repr,
)
def test_is_the_one_that_its_own_launcher_has(bin_with, head, name):
    assert bin_with(head) == name


TRAMPOLINE = "#!/bin/sh\n'''exec' {} \"$0\" \"$@\"\n' '''\n# -*- coding: utf-8 -*-\n"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param('"{}/python3"', id="with spaces, as distlib quotes it"),
        pytest.param("{}/python3", id="long, as distlib leaves it"),
        pytest.param("'{}/python3'", id="as uv quotes it"),
    ],
)
def test_a_launcher_may_be_a_trampoline(bin_with, path):
    assert bin_with(TRAMPOLINE.replace("{}", path)) == "python3"


def test_its_pip_may_be_unreadable(bin_with, home):
    os.makedirs(os.path.join(home, "e/bin/pip"))
    assert bin_with(None) == "python"
