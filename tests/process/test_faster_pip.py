"""pip started by runner.py is faster than pip alone, and differs from it in nothing else."""

from __future__ import annotations

import glob
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

from safepip.core.plan import RUNNER

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals, signals and modes of POSIX")

BARE = (sys.executable, "-m", "pip")
FASTER = (sys.executable, RUNNER)
NOT_THERE = "no-such-distribution-at-all"
PLUG_IN = """
import atexit, weakref
def say(text):
    with open({said!r}, "a") as file:
        file.write(text + "\\n")
class Kept:
    pass
kept, open_file = Kept(), open({said!r} + ".open", "w")
open_file.write("written at the end")
weakref.finalize(kept, say, "finalized")
atexit.register(say, "at exit")
def get_credential(system, name):
    say("asked")
"""


REFUSING = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Refusing(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", "Basic realm=here")
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
server = HTTPServer(("127.0.0.1", 0), Refusing)
print(server.server_port, flush=True)
server.serve_forever()
"""


def content(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def variables(**more):
    return {**os.environ, "PIP_CONFIG_FILE": os.devnull, "SAFEPIP_RUN_AS": "-m", **more}


def ran(start, *words, shell="", **more):
    """Run pip; return its exit code and what it said, with its process id and times taken out."""
    line = f"{shlex.join((*start, *words))} {shell}"
    done = subprocess.run(line, shell=True, env=variables(**more), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The folder that keeps compiled expressions, filled by one run of pip; not to be changed."""
    folder = os.path.join(tmp_path_factory.mktemp("cache"), "patterns")
    ran(FASTER, "list", SAFEPIP_RUN_PATTERNS=folder)
    return folder


@pytest.fixture
def copied(cache, home):
    """A copy of that folder, to be changed."""
    return shutil.copytree(cache, os.path.join(home, "copied"))


def kept_in(folder):
    (path,) = glob.glob(os.path.join(folder, "*"))
    return path


LINES = [
    ("--version",),
    ("list",),
    ("show", NOT_THERE),
    ("install", "--no-index", NOT_THERE),
    ("install", "--no-such-option"),
    ("install", "--no-index", "-v", "pip"),
    ("hash", os.path.join("no", "such", "file")),
]


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_output_and_exit_code_are_those_of_pip_alone(cache, words):
    assert ran(FASTER, *words, SAFEPIP_RUN_PATTERNS=cache) == ran(BARE, *words)


NOBODY_LISTENS = [
    *((("--version",), shell) for shell in (">/dev/full", ">&-", "| head -c 1", "2>/dev/full", "2>&-")),
    *((("list",), shell) for shell in (">/dev/full", ">&-", "| head -c 1")),
    *((("install", "--no-index", NOT_THERE), shell) for shell in (">/dev/full", "2>/dev/full", "2>&-")),
]


@pytest.mark.parametrize(("words", "shell"), NOBODY_LISTENS)
def test_it_ends_as_pip_alone_where_nobody_listens(cache, words, shell):
    code, out, _ = ran(FASTER, *words, shell=shell, SAFEPIP_RUN_PATTERNS=cache)  # tracebacks name their caller
    assert (code, out) == ran(BARE, *words, shell=shell)[:2]


def test_a_full_stdout_ends_with_pythons_own_exit_code(cache):
    code, _, error = ran(FASTER, "--version", shell=">/dev/full", SAFEPIP_RUN_PATTERNS=cache)
    assert code == 120, error


def on_terminal(start, *words, **more):
    master, slave = pty.openpty()
    with subprocess.Popen(
        (*start, *words), env=variables(**more), stdin=slave, stdout=slave, stderr=slave, close_fds=True
    ) as child:
        os.close(slave)
        said = []
        while True:
            try:
                said.append(os.read(master, 65536))
            except OSError:  # the other end was closed
                break
            if not said[-1]:
                break
    os.close(master)
    return child.returncode, b"".join(said)


@pytest.mark.parametrize("words", [("list",), ("install", "--no-index", NOT_THERE)], ids=["list", "failing"])
def test_a_terminal_shows_the_same(cache, words):
    assert on_terminal(FASTER, *words, SAFEPIP_RUN_PATTERNS=cache) == on_terminal(BARE, *words)


def test_a_log_is_complete(cache, work):
    logs = []
    for number, start in enumerate((BARE, FASTER)):
        path = os.path.join(work, f"log-{number}")
        ran(start, "install", "--no-index", "-vv", NOT_THERE, "--log", path, SAFEPIP_RUN_PATTERNS=cache)
        with open(path, encoding="utf-8") as file:
            without_times = re.sub(r"(?m)^\S+ ", "", file.read())
        logs.append(re.sub(r"pip-[a-z-]+-\w{8}\b", "", without_times))
    assert logs[0] == logs[1] != ""


@pytest.mark.parametrize("words", [("install", "--dry-run", "."), ("install", "--dry-run", NOT_THERE)])
def test_temporary_directories_are_removed(cache, work, words):
    temporary = os.path.join(work, "temporary")
    os.mkdir(temporary)
    code, _, _ = ran(FASTER, *words, "--no-index", TMPDIR=temporary, SAFEPIP_RUN_PATTERNS=cache)
    assert code != 0
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_as_it_ends_pip_alone(cache, work, number):
    """The index never answers."""
    temporary, waiting = os.path.join(work, "temporary"), os.path.join(work, "waiting")
    os.mkdir(temporary)
    serves = (
        "import socket, sys; listening = socket.create_server(('127.0.0.1', 0))\n"
        "print(listening.getsockname()[1], flush=True)\n"
        "while True: accepted = listening.accept(); print('came', flush=True); kept = [accepted]\n"
    )
    ended = []
    with subprocess.Popen([sys.executable, "-c", serves], stdout=subprocess.PIPE, text=True) as server:
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/"
            for start in (BARE, FASTER):
                environ = variables(TMPDIR=temporary, SAFEPIP_RUN_PATTERNS=cache)
                argv = [*start, "download", "--index-url", url, "-d", waiting, NOT_THERE]
                with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as pip:
                    assert server.stdout.readline() == "came\n"
                    time.sleep(0.1)  # pip is in the middle of its request then
                    pip.send_signal(number)
                    said = pip.communicate(timeout=30)[0]
                ended.append((pip.returncode, said.replace(url.encode(), b"")))
                if number == signal.SIGINT:
                    assert os.listdir(temporary) == []
        finally:
            server.kill()
    assert ended[0] == ended[1]


def test_what_a_keyring_registers_for_the_exit_runs(cache, work):
    said = os.path.join(work, "said")
    with open(os.path.join(work, "keyring.py"), "w", encoding="utf-8") as file:
        file.write(PLUG_IN.format(said=said))
    told = []
    with subprocess.Popen([sys.executable, "-c", REFUSING], stdout=subprocess.PIPE, text=True) as server:
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/"
            words = ("download", "--keyring-provider", "import", "--index-url", url, "--no-input", NOT_THERE)
            for start in (BARE, FASTER):
                ran(start, *words, PYTHONPATH=work, SAFEPIP_RUN_PATTERNS=cache)
                told.append(sorted([*content(said).splitlines(), content(f"{said}.open")]))
                os.unlink(said)
        finally:
            server.kill()
    assert told[0] == told[1]
    assert {"asked", "at exit", "finalized", "written at the end"} <= set(told[1])


def test_what_was_there_before_pip_ends_after_it(cache, work):
    """Exit handlers of a sitecustomize, which are older than any of the runner's."""
    said = os.path.join(work, "said")
    with open(os.path.join(work, "sitecustomize.py"), "w", encoding="utf-8") as file:
        file.write(PLUG_IN.format(said=said))
    assert ran(FASTER, "--version", PYTHONPATH=work, SAFEPIP_RUN_PATTERNS=cache)[0] == 0
    assert {"at exit", "finalized"} <= set(content(said).splitlines())
    assert content(f"{said}.open") == "written at the end"


@pytest.mark.parametrize("others", [False, True], ids=["pip alone", "a module of others"])
@pytest.mark.parametrize("words", [["--version"], ["list"], ["install", "--no-index", NOT_THERE]], ids=" ".join)
def test_objects_are_left_to_the_operating_system_where_all_are_pips(cache, work, words, others):
    with open(os.path.join(work, "others.py"), "w", encoding="utf-8"):
        pass
    code = (
        "import atexit, gc, os, runpy, sys\n"
        "atexit.register(lambda: os.write(2, b'frozen' if gc.get_freeze_count() > 10000 else b'freed'))\n"
        f"sys.path.append({work!r})\n"
        f"{'import others' if others else ''}\n"
        f"sys.argv = [{RUNNER!r}, *{words!r}]; sys.path[0] = {os.path.dirname(RUNNER)!r}\n"
        f"runpy.run_path({RUNNER!r}, run_name='__main__')\n"
    )
    environ = variables(SAFEPIP_RUN_PATTERNS=cache)
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert done.stderr.endswith("freed" if others else "frozen")


def test_the_collector_still_works(cache):
    code = (
        f"import sys; sys.path.insert(0, {os.path.dirname(os.path.dirname(RUNNER))!r})\n"
        f"import gc, safepip_faster, weakref; safepip_faster.hasten({cache!r})\n"
        "class Node: pass\n"
        "def cycle():\n    node = Node(); node.itself = node; return weakref.ref(node)\n"
        "first = cycle(); kept = [[] for _ in range(200000)]\n"
        "print(gc.isenabled(), first() is None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


# -- compiled expressions


COMPARE = """
import marshal, re, sys, _sre
compiler = getattr(re, "_compiler", None) or __import__("sre_compile")
with open(sys.argv[1], "rb") as file:
    rows = marshal.loads(file.read().split(b"\\n", 2)[2])
for (kind, pattern, flags), compiled in rows.items():
    own, kept = compiler.compile(pattern, flags), _sre.compile(pattern, *compiled)
    assert own == kept and own.groups == kept.groups and own.groupindex == kept.groupindex, pattern
    assert type(pattern) is (str, bytes)[kind]
print(len(rows))
"""
PYTHONS = [sys.executable, *sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python")))]


def of_version(python):
    return subprocess.run([python, "--version"], capture_output=True, text=True, check=False).stdout.strip()


@pytest.mark.parametrize("python", PYTHONS, ids=of_version)
def test_kept_expressions_are_what_this_python_would_compile(home, python):
    folder = os.path.join(home, "patterns")
    done = subprocess.run(
        [python, RUNNER, "list"], env=variables(SAFEPIP_RUN_PATTERNS=folder), capture_output=True, check=False
    )
    if b"No module named" in done.stderr:
        pytest.skip("this Python has no pip")
    has_freeze = subprocess.run([python, "-c", "import gc; gc.freeze"], capture_output=True, check=False)
    if has_freeze.returncode:
        assert not os.path.exists(folder)
        return
    compared = subprocess.run(
        [python, "-c", COMPARE, kept_in(folder)], capture_output=True, text=True, check=False
    )
    assert compared.stderr == ""
    assert int(compared.stdout) > 50


def compiles(folder):
    """Return how many expressions `pip list` compiles by itself."""
    code = (
        "import re, sys, runpy; compiler = getattr(re, '_compiler', None) or __import__('sre_compile')\n"
        "compile, count = compiler.compile, [0]\n"
        "def counting(*args): count[0] += 1; return compile(*args)\n"
        "compiler.compile = counting\n"
        "import atexit; atexit.register(lambda: sys.stderr.write(str(count[0])))\n"
        f"sys.argv = [{RUNNER!r}, 'list']; sys.path[0] = {os.path.dirname(RUNNER)!r}\n"
        f"runpy.run_path({RUNNER!r}, run_name='__main__')\n"
    )
    environ = variables(SAFEPIP_RUN_PATTERNS=folder, PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    return int(done.stderr)


def test_what_was_kept_is_not_compiled_again(cache):
    assert compiles("") > 50
    assert compiles(cache) < 5


def put(path, content):
    with open(path, "wb") as file:
        file.write(content)


def spoilt(content):
    return content[:-1] + bytes((content[-1] ^ 1,))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path, content: put(path, content[:-5]), id="torn"),
        pytest.param(lambda path, content: put(path, spoilt(content)), id="spoilt"),
        pytest.param(lambda path, content: put(path, b""), id="empty"),
        pytest.param(lambda path, content: put(path, content.replace(b"3.", b"9.", 1)), id="another Python's"),
        pytest.param(lambda path, _content: os.chmod(path, 0o666), id="open to all"),
        pytest.param(
            lambda path, _content: (os.rename(path, f"{path}x"), os.symlink(f"{path}x", path)), id="link"
        ),
        pytest.param(lambda path, _content: (os.unlink(path), os.mkfifo(path)), id="pipe"),
    ],
)
def test_a_file_that_is_not_what_was_written_is_not_used(copied, change):
    path = kept_in(copied)
    with open(path, "rb") as file:
        before = file.read()
    change(path, before)
    assert compiles(copied) > 50


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_not_used(copied):
    os.chown(kept_in(copied), 12345, 12345)
    assert compiles(copied) > 50


def test_nothing_is_kept_where_bytecode_is_not(home):
    folder = os.path.join(home, "patterns")
    assert ran(FASTER, "list", SAFEPIP_RUN_PATTERNS=folder, PYTHONDONTWRITEBYTECODE="1")[0] == 0
    assert not os.path.exists(folder)


def test_a_place_that_cannot_be_written_harms_nothing(home):
    blocked = os.path.join(home, "file")
    put(blocked, b"")
    expected = ran(BARE, "list")
    assert ran(FASTER, "list", SAFEPIP_RUN_PATTERNS=os.path.join(blocked, "patterns")) == expected


def test_expressions_that_python_warns_of_are_not_kept(home, work):
    with open(os.path.join(work, "sitecustomize.py"), "w", encoding="utf-8") as file:
        file.write("import re, warnings\nwarnings.simplefilter('ignore')\n")
        file.write("re.compile('[[a]b&&c')\nre.compile('plain')\n")
    folder = os.path.join(home, "patterns")
    assert ran(FASTER, "list", SAFEPIP_RUN_PATTERNS=folder, PYTHONPATH=work)[0] == 0
    with open(kept_in(folder), "rb") as file:
        kept = file.read()
    assert b"plain" in kept
    assert b"[[a]b" not in kept
