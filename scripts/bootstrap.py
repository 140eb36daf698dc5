#!/usr/bin/env python3
"""Set safepip up from a bare clone: python3 scripts/bootstrap.py.

From a wheel and nothing else: PYTHONPATH=safepip-VERSION-py3-none-any.whl python3 -m safepip.bootstrap, where the
wheel stands for the clone.

It needs Python 3.10 or newer and nothing else, neither pip nor ensurepip. It puts safepip and the libraries that
it needs into $XDG_DATA_HOME/safepip/app (~/.local/share/safepip/app), writes the command ~/.local/bin/safepip and
shows that the command works. Run it again to update both; everything is downloaded before anything is changed.

The libraries are plain Python and lie in a directory that names no version of it. The command is a shell script
that names the Python to run them with, and looks for another one when that is gone: so an upgrade of the system
from one Python to the next breaks nothing. It costs no more than a script of a virtual environment: 50.4 million
instructions for `--safepip-version` against 51.6, because `-IS` skips site-packages. Without the shell it would be
50.0, but a first line that names a Python which is gone cannot look for another.

Exit codes: 64 usage, 69 could not get what is needed, 73 cannot write, 1 the demonstration failed.

Python 3.6 must be able to read this file, so that an old python3 can say what is missing: annotations that it
would not understand are quoted, and no other syntax here may be newer.
"""

import argparse
import base64
import compileall
import configparser
import contextlib
import glob
import hashlib
import html
import http.client
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from typing import NamedTuple

with contextlib.suppress(ImportError):  # Windows, which find_places refuses
    import fcntl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

CLONE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # or the wheel that this lies in
OLDEST = (3, 10)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11", "python3.10")
LAUNCHER_MARK = "# safepip's launcher, made by scripts/bootstrap.py; running that again replaces it"
STATE_FILE = ".bootstrap"
SCRATCH = ".safepip-"  # how the names of files begin that are yet to be renamed
# Shells with a start-up file of their own; safepip/shells/startup_files.py knows the files.
SHELLS = ("bash", "zsh", "fish", "sh", "ksh", "mksh", "yash", "tcsh", "powershell", "xonsh", "nushell")
CERTIFICATES = "certificates.pem"  # those that were fetched for one run
SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # where Debian's pip looks, and nowhere else
# Set to "0" instead of removed: otherwise the value of a configuration file would count.
NEUTRALISED = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DRY_RUN": "0"}
REMOVED = (
    "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_BREAK_SYSTEM_PACKAGES", "PIP_BUILD_TRACKER",
    "_PIP_RUNNING_IN_SUBPROCESS", "PYTHONHOME", "PYTHONPATH", "PYTHONWARNINGS", "__PYVENV_LAUNCHER__",
)  # fmt: skip


class Stop(Exception):  # noqa: N818 (a planned end)
    """The script ends here: exit code, then the lines that say what happened and what to do."""

    def __init__(self, code: int, *lines: str) -> None:
        super().__init__(code, *lines)
        self.code, self.lines = code, lines


class Places(NamedTuple):
    """Where things go: safepip's own directory and the command."""

    app: str
    launcher: str

    @property
    def lib(self) -> str:
        """Return the directory of safepip and its libraries."""
        return os.path.join(self.app, "lib")


class Source(NamedTuple):
    """Where safepip comes from: this clone or wheel, or the archive that scripts/make_pyz.py builds.

    `again` is the command that sets safepip up once more, `update` the one that brings a newer version, `remove`
    the one that removes it; `wheels(work, options)` puts wheels into the directory `work` and returns their paths.
    """

    program: str
    again: str
    update: str
    remove: str
    wheels: "Callable[[str, argparse.Namespace], list[str]]"
    demonstrates: bool


class IndexFile(NamedTuple):
    """A file that a page or a directory offers; `sha256` and `requires_python` are "" where not given."""

    url: str
    sha256: str = ""
    requires_python: str = ""


def main(argv: "list[str]", source: "Source | None" = None) -> int:
    """Run the command line `argv` with what `source` gives (None: this clone); return the exit code."""
    try:
        use_recent_python()
        source = source or this_clone()
        options = parse(argv, source)
        places = find_places(os.environ)
        if options.uninstall or behind_sudo(os.environ, os.geteuid()):
            refuse_anothers_home(os.environ["HOME"])
        if options.uninstall:
            uninstall(places, source, purge=options.purge)
        else:
            set_up(places, options, source)
    except Stop as stop:
        return complain(stop.code, *stop.lines)
    except OSError as error:
        return complain(73, f"cannot write {error.filename or 'a temporary file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return complain(130, "interrupted; run it again to finish")
    return 0


def this_clone() -> Source:
    """Return the clone, or the wheel, that this file lies in as a source."""
    if os.path.isfile(CLONE):
        again = f"PYTHONPATH={shlex.quote(CLONE)} python3 -m safepip.bootstrap"
        update = f"{again} (the path of a newer wheel)"
    else:
        again = update = f"python3 {shlex.quote(os.path.join(CLONE, 'scripts', 'bootstrap.py'))}"
        if os.path.exists(os.path.join(CLONE, ".git")):
            update = f"git -C {shlex.quote(CLONE)} pull && {again}"
    return Source("bootstrap.py", again, update, f"{again} --uninstall", from_clone, demonstrates=True)


def complain(code: int, *lines: str) -> int:
    """Print `lines` on stderr, the first as an error; return `code`."""
    kind = "error: "
    for line in lines:
        print(f"{os.path.basename(sys.argv[0])}: {kind}{line}", file=sys.stderr)
        kind = ""
    return code


# --- the Python that runs this


def use_recent_python() -> None:
    """Go on under a newer Python from PATH where this one is too old; Stop if there is none."""
    if tuple(sys.version_info[:2]) >= OLDEST:
        return
    words = sys.argv if os.path.isfile(sys.argv[0]) else ["-m", "safepip.bootstrap", *sys.argv[1:]]  # in a wheel
    for name in NEWER:
        python = shutil.which(name)
        if python and version_of(python) >= OLDEST:
            sys.stdout.flush()
            os.execv(python, [python, *words])
    found = ".".join(map(str, sys.version_info[:2]))
    raise Stop(
        69,
        f"safepip needs Python 3.10 or newer; this is {found} ({sys.executable})",
        f"install a newer one, or name it: python3.12 {' '.join(words)}",
    )


def version_of(python: str) -> "tuple[int, ...]":
    """Return the version (major, minor) of the interpreter `python`, () where it does not run."""
    command = [python, "-I", "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        answer = subprocess.check_output(command, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):  # a version manager's shim, nothing behind it
        return ()
    return tuple(map(int, answer.split()))


# --- what is asked for, and where it goes


def parse(argv: "list[str]", source: Source) -> argparse.Namespace:
    """Read the command line; an archive that holds everything takes no options about where to get it."""
    parser = argparse.ArgumentParser(prog=source.program, description="Set safepip up for this user.")
    if source.demonstrates:
        parser.add_argument("--index-url", metavar="URL", help="where packages come from (default: as for pip)")
        parser.add_argument("--no-demo", action="store_true", help="do not try the result on a temporary project")
    parser.set_defaults(no_demo=not source.demonstrates)
    parser.add_argument("--uninstall", action="store_true", help="remove the command and safepip's own files")
    parser.add_argument("--purge", action="store_true", help="with --uninstall: caches and environments, too")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    try:
        options = parser.parse_args(argv)
        if options.purge and not options.uninstall:
            parser.error("--purge goes with --uninstall")
    except SystemExit as end:  # argparse's own code is 2
        raise SystemExit(64 if end.code else 0) from None
    return options


def find_places(environ: "Mapping[str, str]") -> Places:
    """Return where to put things by `environ`; raise Stop without a home directory."""
    if os.name == "nt":
        raise Stop(69, "this script is for POSIX systems", "on Windows: pipx install .")
    home = environ.get("HOME", "")
    if home == "":
        raise Stop(73, "HOME is not set; safepip would be set up there")
    if not os.path.isabs(home) or not os.path.isdir(home):
        raise Stop(73, f"HOME is not a directory: {home}; safepip would be set up there")
    data = own_directory("data", environ)
    return Places(os.path.join(data, "app"), os.path.join(home, ".local", "bin", "safepip"))


def own_directory(kind: str, environ: "Mapping[str, str]") -> str:
    """Return safepip's directory of this kind (data, state, cache), by the XDG specification."""
    named = environ.get(f"XDG_{kind.upper()}_HOME", "")
    if os.path.isabs(named):  # relative ones are ignored
        return os.path.join(named, "safepip")
    usual = {"data": ".local/share", "state": ".local/state", "cache": ".cache"}[kind]
    return os.path.join(environ["HOME"], usual, "safepip")


# --- setting up


def set_up(places: Places, options: argparse.Namespace, source: Source) -> None:
    """Place or update safepip's files and the command, show that it works, say how to go on."""
    say = silent if options.quiet else speak
    behind = behind_sudo(os.environ, os.geteuid())
    if behind:
        say(f"this sets safepip up for root, by sudo; for {behind} run it again without sudo")
    refuse_foreign(places)
    os.umask(0o022)  # others must not be able to write to what this user runs
    with locked(places.app + ".lock"), tempfile.TemporaryDirectory(prefix="safepip-bootstrap-") as work:
        refuse_foreign(places)
        if source.demonstrates:
            say("downloading pip, safepip and what it needs ...")
        wheels = source.wheels(work, options)
        say(f"installing into {places.app} ...")
        place_files(places, wheels, source)
        write_launcher(places, lasting_python(), source.again)
        link_shared(places)
        say(f"made {places.launcher}")
    if not options.no_demo:
        demonstrate(places, say)
    say_farewell(places, say)


def behind_sudo(environ: "Mapping[str, str]", user: int) -> str:
    """Return the name of the user behind sudo, where root acts for another; else ""."""
    name = environ.get("SUDO_USER", "")
    if user != 0 or name == "root":
        return ""
    return name


def speak(line: str) -> None:
    """Print `line` before whatever another program prints next."""
    print(line, flush=True)


def silent(_line: str) -> None:
    """Print nothing."""


def refuse_foreign(places: Places) -> None:
    """Stop where the command or safepip's directory exists but was not made by this script."""
    if os.path.lexists(places.launcher) and not is_own_launcher(places.launcher):
        raise Stop(
            73,
            f"{places.launcher} exists and was not made by this script",
            "it is left alone: remove it, or move it away, and run this again",
        )
    if not is_own_directory(places.app):
        raise Stop(73, f"{places.app} exists and was not made by this script", "move it away first")


def is_own_directory(app: str) -> bool:
    """Return True if the directory `app` has this script's mark, or nothing but a mark begun."""
    state_file = os.path.join(app, STATE_FILE)
    if os.path.isfile(state_file):
        return os.stat(state_file).st_uid == os.geteuid()
    if not os.path.isdir(app):
        return True
    return all(name.startswith(SCRATCH) for name in os.listdir(app))  # killed while it wrote the mark


def refuse_anothers_home(home: str) -> None:
    """Stop where root would remove or run what another user put there, or leave files of root's in it."""
    if os.geteuid() == 0 and os.stat(home).st_uid != 0:
        raise Stop(77, f"HOME is {home}, which belongs to another user", "run this as that user, or: sudo -H ...")


def is_own_launcher(path: str) -> bool:
    """Return True if `path` is a launcher that this script wrote."""
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return LAUNCHER_MARK.encode() in file.read(4096)


@contextlib.contextmanager
def locked(path: str) -> "Iterator[None]":
    """Hold the lock file `path`; wait while another run of this script holds it."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another run of this script ...", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        os.set_inheritable(file.fileno(), True)  # a pip that outlives a killed run goes on holding the lock
        yield  # the file stays: if it were removed, a third run could start beside one that waited


# --- safepip's own files


def from_clone(work: str, options: argparse.Namespace) -> "list[str]":
    """Put wheels of safepip, from this clone or wheel, and of all it needs into `work`; return their paths."""
    pip = obtain_pip(work, options.index_url)
    folder = os.path.join(work, "wheels")
    arguments = ["wheel", "--quiet", "--wheel-dir", folder, *index_options(options.index_url), CLONE]
    if run_pip(sys.executable, pip, arguments) != 0:
        raise Stop(
            69,
            "pip could not get what safepip needs; see its output above",
            "without a connection: put the wheels into a folder and set PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER",
            "behind a mirror: run this again with --index-url URL",
        )
    return sorted(glob.glob(os.path.join(glob.escape(folder), "*.whl")))


def index_options(index_url: "str | None") -> "list[str]":
    """Return pip's options for the index that was asked for; None leaves that to pip."""
    if index_url is None:
        return []
    return ["--index-url", index_url]


def place_files(places: Places, wheels: "list[str]", source: Source) -> None:
    """Make `places.app` hold exactly these wheels; a run that is killed leaves the former files in place.

    They are unpacked beside `lib` and renamed. Only bytecode depends on a version: each Python adds its own.
    """
    os.makedirs(places.app, mode=0o700, exist_ok=True)
    state = {"again": source.again, "update": source.update, "remove": source.remove}
    replace_file(os.path.join(places.app, STATE_FILE), json.dumps(state).encode(), 0o600)
    scratch = os.path.join(places.app, "new")
    remove(scratch)
    os.mkdir(scratch, 0o755)
    for wheel in wheels:
        unpack_wheel(wheel, scratch)
    compileall.compile_dir(os.path.join(scratch, "lib"), stripdir=scratch, prependdir=places.app, quiet=2)
    check_files(scratch)
    for name in os.listdir(places.app):  # the environment of former versions of this script as well
        if name not in (STATE_FILE, "new", "lib", "share"):
            remove(os.path.join(places.app, name))
    for name in ("lib", "share"):
        exchange(os.path.join(scratch, name), os.path.join(places.app, name))
    remove(scratch)


def unpack_wheel(path: str, app: str) -> None:
    """Unpack a wheel as pip would: modules into `lib`, and what it brings for other programs into `share`."""
    with zipfile.ZipFile(path) as wheel:
        for member in wheel.infolist():
            head, data, tail = member.filename.partition(".data/data/share/")
            if data and "/" not in head:
                member.filename = "share/" + tail
            elif ".data/" in member.filename:
                continue
            else:
                member.filename = "lib/" + member.filename
            path = wheel.extract(member, app)
            executable = member.external_attr >> 16 & 0o111  # zipfile leaves the rights out
            if executable:
                os.chmod(path, os.stat(path).st_mode | executable)


def check_files(app: str) -> None:
    """Stop where this Python cannot run safepip from `app`."""
    start = os.path.join(app, "lib", "safepip", "launcher", "start.py")
    command = [lasting_python(), "-IS", start, "--fits", ""]
    result = subprocess.run(command, capture_output=True, check=False)
    if result.returncode != 0:
        told = ["no reason given", *os.fsdecode(result.stderr).strip().splitlines()]
        raise Stop(69, f"what was downloaded does not run under {command[0]}: {told[-1]}")


def exchange(new: str, place: str) -> None:
    """Put the directory `new`, if it exists, in the place of another."""
    if os.path.lexists(place):
        os.rename(place, new + ".old")
    if os.path.lexists(new):
        os.rename(new, place)


def remove(path: str) -> None:
    """Remove a file or a directory; links are not followed."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def empty_app(app: str) -> None:
    """Remove what `app` holds, the mark last: by it a run that was killed is recognised and finished."""
    for name in sorted(os.listdir(app), key=lambda name: name == STATE_FILE):
        remove(os.path.join(app, name))


def discard(path: str) -> None:
    """Remove a directory of safepip's; of one that lies behind a link, which may hold more, the link."""
    if os.path.islink(path):
        print(f"left: {os.path.realpath(path)} ({path} was a link to it)")
    remove(path)


def lasting_python() -> str:
    """Return the path of this Python, outside any environment, by a name that outlives an upgrade."""
    python = getattr(sys, "_base_executable", None) or sys.executable
    if sys.prefix != sys.base_prefix and python == sys.executable:  # Python 3.10 and older tell the environment's
        python = os.path.realpath(python)
    beside = os.path.join(os.path.dirname(python), "python3")
    if os.path.exists(beside) and os.path.samefile(python, beside):
        return beside
    return python


def replace_file(path: str, content: bytes, mode: int) -> None:
    """Write `content` to `path` by rename, so that nobody ever sees half of it."""
    descriptor, temporary = tempfile.mkstemp(prefix=SCRATCH, dir=os.path.dirname(path))
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_launcher(places: Places, python: str, again: str) -> None:
    """Write the command, or replace it."""
    text = read_bytes(os.path.join(places.lib, "safepip", "launcher", "command.sh"))
    for name, value in (("PYTHON", python), ("APP", places.app), ("AGAIN", again)):
        text = text.replace(f"__{name}__".encode(), os.fsencode(shlex.quote(value)))
    os.makedirs(os.path.dirname(places.launcher), exist_ok=True)
    replace_file(places.launcher, text, 0o755)


def link_shared(places: Places) -> None:
    """Link the manual page and the completions where `man` and shells look; existing files stay."""
    for source, link in shared_files(places):
        if not os.path.lexists(link):
            with contextlib.suppress(OSError):  # the command works without
                os.makedirs(os.path.dirname(link), exist_ok=True)
                os.symlink(source, link)


def unlink_shared(places: Places) -> None:
    """Remove the links that `link_shared` made, and the directories that it left empty."""
    top = os.path.join(os.path.dirname(os.path.dirname(places.launcher)), "share")
    for source, link in shared_files(places):
        if os.path.islink(link) and os.readlink(link) == source:
            os.unlink(link)
        remove_empty(os.path.dirname(link), top)


def remove_empty(folder: str, top: str) -> None:
    """Remove `folder` and those above it, below `top`, until one holds something."""
    while folder != top:
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass  # a run that was killed came so far
        except OSError:
            return
        folder = os.path.dirname(folder)


def shared_files(places: Places) -> "Iterator[tuple[str, str]]":
    """Yield the files that the wheel brought for other programs, and where these look: beside the command."""
    own = os.path.join(places.app, "share")
    everybodys = os.path.join(os.path.dirname(os.path.dirname(places.launcher)), "share")
    for at, _, names in os.walk(own):
        for name in names:
            source = os.path.join(at, name)
            yield source, os.path.join(everybodys, os.path.relpath(source, own))


# --- running pip


def run_pip(python: str, pip: str, arguments: "list[str]", environ: "Mapping[str, str] | None" = None) -> int:
    """Run the unpacked `pip` under `python`, by default with the user's settings; return its exit code."""
    if environ is None:
        environ = pip_environ(os.environ)
    return subprocess.run([python, "-I", pip, *arguments], env=environ, close_fds=False, check=False).returncode


def pip_environ(environ: "Mapping[str, str]") -> "dict[str, str]":
    """Return `environ` without what would send pip's work elsewhere; indexes, proxies, certificates stay."""
    kept = dict(environ)
    for name in REMOVED:
        kept.pop(name, None)
    kept.update(NEUTRALISED, PIP_DISABLE_PIP_VERSION_CHECK="1")
    return kept


# --- where a pip comes from


def obtain_pip(work: str, index_url: "str | None") -> str:
    """Unpack some pip into the folder `work`; return the path that `python PATH ARGS` runs as pip.

    The first of: what this Python's own pip downloads (no more, for the interpreter may be managed, and a pip
    before 22.3 cannot serve another), what ensurepip or the system has, what this script downloads itself.
    """
    pip = unpack_pip(downloaded_pip(work, index_url) or bundled_pip() or fetched_pip(work, index_url), work)
    give_certificates(pip, os.path.join(work, CERTIFICATES))
    return pip


def unpack_pip(wheel: str, work: str) -> str:
    """Unpack pip's wheel into the folder `work`; return the path that `python PATH ARGS` runs as pip."""
    try:
        with zipfile.ZipFile(wheel) as archive:  # its metadata stays out: pip would take itself for installed
            archive.extractall(work, [name for name in archive.namelist() if name.startswith("pip/")])
    except zipfile.BadZipFile:
        raise Stop(69, f"{os.path.basename(wheel)} is damaged") from None
    return os.path.join(work, "pip")


def give_certificates(pip: str, bundle: str) -> None:
    """Lead Debian's pip to `bundle` if that was fetched: without the system's file it ends when it starts."""
    core = os.path.join(pip, "_vendor", "certifi", "core.py")
    if os.path.exists(bundle) and os.path.exists(core):
        replace_file(core, read_bytes(core).replace(SYSTEM_CERTIFICATES.encode(), bundle.encode()), 0o600)


def downloaded_pip(work: str, index_url: "str | None") -> "str | None":
    """Return the wheel of the newest pip as this Python's pip downloads it, None where that failed."""
    start = (  # not -I, which would hide a pip in the user's site; nor -m, which takes ./pip.py for pip
        "import runpy, sys; sys.path = [path for path in sys.path if path]; "
        "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
    )
    options = ["--no-deps", "--only-binary=:all:", "--dest", work, *index_options(index_url)]
    command, quiet = [sys.executable, "-c", start, "download", *options, "pip"], subprocess.DEVNULL
    subprocess.run(command, env=pip_environ(os.environ), stdout=quiet, stderr=quiet, check=False)
    return newest_wheel(work)


def bundled_pip() -> "str | None":
    """Return the wheel of pip that came with Python or with the system, None where neither brought one."""
    folders = [
        os.path.join(sysconfig.get_path("stdlib"), "ensurepip", "_bundled"),
        sysconfig.get_config_var("WHEEL_PKG_DIR") or "",  # where Fedora's ensurepip has it
        "/usr/share/python-wheels",
    ]
    return next(filter(None, map(newest_wheel, folders)), None)


def newest_wheel(folder: str) -> "str | None":
    """Return the newest wheel of pip in `folder`, or None."""
    if not os.path.isdir(folder):
        return None
    newest = newest_pip(map(IndexFile, os.listdir(folder)), tuple(sys.version_info[:3]))
    if newest is None:
        return None
    return os.path.join(folder, newest.url)


def newest_pip(files: "Iterable[IndexFile]", python: "tuple[int, ...]") -> "IndexFile | None":
    """Return the newest released wheel of pip among `files` that allows the version `python`."""
    newest = None  # type: IndexFile | None
    version = ()  # type: tuple[int, ...]
    for file in files:
        if pip_version(file.url) > version and allows(file.requires_python, python):
            newest, version = file, pip_version(file.url)
    return newest


def pip_version(url: str) -> "tuple[int, ...]":
    """Return the version in the name of a wheel of pip, () for any other file and for pre-releases."""
    name = urllib.parse.unquote(url.rpartition("/")[2])
    found = re.match(r"pip-(\d+(?:\.\d+)*)-(?:py2\.)?py3-none-any\.whl$", name)
    if found is None:
        return ()
    return numbers(found.group(1))


def allows(requires: str, python: "tuple[int, ...]") -> bool:
    """Return False if the specifiers `requires` ask for a newer Python."""
    floors = re.findall(r">=\s*(\d+(?:\.\d+)*)", requires)  # pip has set no other limit since 3.10
    return python >= max(map(numbers, floors), default=())


def numbers(version: str) -> "tuple[int, ...]":
    """Return a version of numbers and dots as one that compares."""
    return tuple(map(int, version.split(".")))


# --- downloading a pip without one


def fetched_pip(work: str, index_url: "str | None") -> str:
    """Download the newest fitting pip from where pip would look; return the wheel's path, or Stop."""
    settings = pip_settings(os.environ, config_files(os.environ))
    opener = make_opener(settings)
    places = pages(settings, index_url)
    if not places and "no-index" not in settings:
        packaged = packaged_pip(work)
        if packaged is not None:
            return packaged
    files, troubles = offered_at(places, opener)
    chosen = newest_pip(files, tuple(sys.version_info[:3]))
    if chosen is None:
        raise no_pip(troubles)
    try:
        return download(chosen, work, opener)
    except (OSError, http.client.HTTPException) as error:
        raise no_pip([f"{without_credentials(chosen.url)}: {error}"]) from None


def packaged_pip(work: str) -> "str | None":
    """Return the wheel in Debian's package of pip, which any user may download; None where that failed.

    This is for where nothing names an index, for pip knows one and this script does not. Without the system's
    certificates Debian's pip would give up, so those come the same way, and count for this run alone.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return None
    packages = ["python3-pip-whl"]
    if not os.path.exists(SYSTEM_CERTIFICATES):
        packages.append("ca-certificates")
    folder = unpacked_packages(work, packages)
    certificates = glob.glob(os.path.join(folder, "usr/share/ca-certificates/**/*.crt"), recursive=True)
    if certificates:
        bundle = os.path.join(work, CERTIFICATES)
        replace_file(bundle, b"\n".join(map(read_bytes, sorted(certificates))), 0o600)
        os.environ.setdefault("PIP_CERT", bundle)
    return newest_wheel(os.path.join(folder, "usr/share/python-wheels"))


def unpacked_packages(work: str, packages: "list[str]") -> str:
    """Unpack Debian packages below `work`, found by the system's lists of them or else by fresh ones."""
    apt = os.path.join(work, "apt")
    os.makedirs(os.path.join(apt, "lists", "partial"))
    command = ["apt-get", "-o", "Acquire::Retries=0"]
    if not runs([*command, "download", *packages], apt):
        for option in (f"Dir::State::lists={apt}/lists", f"Dir::Cache={apt}", "Acquire::Languages=none"):
            command += ["-o", option]
        if runs([*command, "update"], apt):
            runs([*command, "download", *packages], apt)
    for package in glob.glob(os.path.join(glob.escape(apt), "*.deb")):
        runs(["dpkg-deb", "--extract", package, os.path.join(apt, "root")], apt)
    return os.path.join(apt, "root")


def runs(command: "list[str]", folder: str) -> bool:
    """Return True if `command` succeeds in `folder`; its output is ignored."""
    quiet = subprocess.DEVNULL
    done = subprocess.run(command, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet, check=False)
    return done.returncode == 0


def read_bytes(path: str) -> bytes:
    """Return what the file `path` holds."""
    with open(path, "rb") as file:
        return file.read()


def offered_at(
    places: "Iterable[str]", opener: urllib.request.OpenerDirector
) -> "tuple[list[IndexFile], list[str]]":
    """Return the files that pages offer, and for each that could not be read a line that says why."""
    files, troubles = [], []  # type: list[IndexFile], list[str]
    for page in places:
        try:
            files += files_at(page, opener)
        except (OSError, ValueError, http.client.HTTPException) as error:
            troubles.append(f"{without_credentials(page)}: {error}")
    return files, troubles


def no_pip(troubles: "list[str]") -> Stop:
    """Return the error that no pip was found; `troubles` say which places failed and why."""
    return Stop(
        69,
        "this machine has no pip, and none could be downloaded",
        *(f"tried {trouble}" for trouble in troubles),
        advice(),
        "or name a package index: run this again with --index-url URL",
    )


def advice() -> str:
    """Return the line that says what to install, in the words of the package manager found here."""
    commands = {
        "apt-get": "apt install python3-venv python3-pip",
        "dnf": "dnf install python3-pip",
        "apk": "apk add py3-pip",
        "pacman": "pacman -S python-pip",
        "zypper": "zypper install python3-pip",
    }
    for manager, command in commands.items():
        if shutil.which(manager):
            return f"install it with: {command}"
    return "install your system's packages of venv and pip"


def config_files(environ: "Mapping[str, str]") -> "list[str]":
    """Return the files that pip would read, later ones winning (as in pip's `_internal/configuration.py`)."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = environ.get("HOME", "")
    everybodys = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    folders = [os.path.join(folder, "pip") for folder in filter(None, everybodys.split(":"))]
    folders.append("/etc")
    if not os.path.exists(named):  # otherwise it stands for the user's
        folders.append(home + "/.pip")
        folders.append(os.path.join(environ.get("XDG_CONFIG_HOME") or home + "/.config", "pip"))
    folders.append(sys.prefix)
    return [*(os.path.join(folder, "pip.conf") for folder in folders), *filter(None, [named])]


def pip_settings(environ: "Mapping[str, str]", files: "Iterable[str]") -> "dict[str, str]":
    """Return pip's settings by long name: those for all commands, then for `install`, then variables."""
    parsers = list(map(read_config, files))
    pairs = []  # type: list[tuple[str, str]]
    for section in ("global", "install"):
        for parser in parsers:
            if parser.has_section(section):
                pairs += parser.items(section)
    pairs += [(name[4:], value) for name, value in environ.items() if name.startswith("PIP_")]
    return {name.lower().replace("_", "-"): value for name, value in pairs if value}


def read_config(path: str) -> configparser.RawConfigParser:
    """Read one configuration file of pip; a missing or broken one is empty."""
    parser = configparser.RawConfigParser()
    with contextlib.suppress(configparser.Error, OSError, UnicodeDecodeError):
        parser.read(path, encoding="utf-8")
    return parser


def pages(settings: "Mapping[str, str]", index_url: "str | None") -> "list[str]":
    """Return where files of pip may be listed: folders or pages of files, then pip's page on each index."""
    found = list(map(os.path.expanduser, settings.get("find-links", "").split()))
    if settings.get("no-index", "0").lower() in ("1", "true", "yes", "on"):
        return found
    main_index = index_url or settings.get("index-url", "")
    indexes = [*main_index.split(), *settings.get("extra-index-url", "").split()]
    return found + [index.rstrip("/") + "/pip/" for index in indexes]


def make_opener(settings: "Mapping[str, str]") -> urllib.request.OpenerDirector:
    """Return what opens URLs with the certificates and the proxy that pip was told to use."""
    handlers = []  # type: list[urllib.request.BaseHandler]
    if settings.get("cert"):
        import ssl  # noqa: PLC0415 (some Pythons were built without it)

        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=settings["cert"])))
    if settings.get("proxy"):
        handlers.append(urllib.request.ProxyHandler(dict.fromkeys(("http", "https"), settings["proxy"])))
    return urllib.request.build_opener(*handlers)


def files_at(place: str, opener: urllib.request.OpenerDirector) -> "list[IndexFile]":
    """Return the files offered by `place`: a folder, a page, or the URL of either."""
    path = local_path(place)
    if path is None:
        with opener.open(request(place), timeout=60) as answer:
            return parse_html(answer.read().decode("utf-8", "replace"), answer.geturl())
    if os.path.isdir(path):
        folder, path = path, os.path.join(path, "index.html")
        if not os.path.isfile(path):
            return [IndexFile(path_url(os.path.join(folder, name))) for name in os.listdir(folder)]
    with open(path, encoding="utf-8", errors="replace") as file:
        return parse_html(file.read(), path_url(path))


def local_path(place: str) -> "str | None":
    """Return the path that `place` names, None if it is on another machine."""
    if place.startswith("file:"):
        return urllib.request.url2pathname(urllib.parse.urlsplit(place).path)
    if "://" in place:
        return None
    return os.path.abspath(place)


def path_url(path: str) -> str:
    """Return the file: URL of a path."""
    return "file://" + urllib.request.pathname2url(path)


def request(url: str) -> urllib.request.Request:
    """Return a request for `url` with its credentials in a header."""
    made = urllib.request.Request(without_credentials(url), headers={"Accept": "text/html"})  # noqa: S310
    user, at, _ = urllib.parse.urlsplit(url).netloc.rpartition("@")
    if at:
        token = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        made.add_header("Authorization", f"Basic {token}")
    return made


def without_credentials(url: str) -> str:
    """Return `url` as it may be shown."""
    return re.sub(r"^(\w+://)[^/]*@", r"\1", url)


def parse_html(text: str, base: str) -> "list[IndexFile]":
    """Return the files of an index page (PEP 503) at the URL `base`; yanked ones are left out (PEP 592)."""
    files = []
    for tag, inside in re.findall(r"<(base|a)\s([^>]*)>", text):
        values = dict(re.findall(r"""([\w-]+)=["']([^"']*)["']""", inside))
        if "href" not in values or "data-yanked" in inside:
            continue
        link = html.unescape(values["href"])
        url, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(base, link))
        if tag == "base":
            base = url
            continue
        sha256 = urllib.parse.parse_qs(fragment).get("sha256", [""])[0]
        files.append(IndexFile(url, sha256, html.unescape(values.get("data-requires-python", ""))))
    return files


def download(file: IndexFile, work: str, opener: urllib.request.OpenerDirector) -> str:
    """Download `file` into the folder `work`, check its hash, return its path."""
    path = local_path(file.url)
    if path is not None:
        content = read_bytes(path)
    else:
        with opener.open(request(file.url), timeout=60) as answer:
            content = answer.read()
    if file.sha256 and hashlib.sha256(content).hexdigest() != file.sha256:
        raise Stop(69, f"{without_credentials(file.url)} is not what its index promised (sha256 differs)")
    target = os.path.join(work, urllib.parse.unquote(file.url.rpartition("/")[2]))
    replace_file(target, content, 0o600)
    return target


# --- showing that it works


def demonstrate(places: Places, say: "Callable[[str], None]") -> None:
    """Install a tiny package into a temporary project with the new command, then import it."""
    if os.path.isdir(os.path.join(sys.base_prefix, "conda-meta")):  # an active environment would be served
        return
    with tempfile.TemporaryDirectory(prefix="safepip-demo-") as work:
        project = os.path.join(os.path.realpath(work), "project")
        os.mkdir(project)
        with open(os.path.join(project, "pyproject.toml"), "w", encoding="utf-8") as file:
            file.write('[project]\nname = "demo"\nversion = "1"\n')
        make_demo_wheel(work)
        say(f"\ntrying it in a temporary project, {project}:")
        install = [places.launcher, "install", "--no-index", "--find-links", work, "safepip-demo"]
        show_step(install, "safepip install safepip-demo", project, say)
        use = [os.path.join(project, ".venv", "bin", "python"), "-c", "import safepip_demo"]
        show_step(use, shlex.join(use), project, say)


def make_demo_wheel(folder: str) -> None:
    """Write the wheel of a package of one line into `folder`."""
    files = {
        "safepip_demo.py": 'print("imported: it works")\n',
        "safepip_demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: safepip-demo\nVersion: 1.0\n",
        "safepip_demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "safepip_demo-1.0.dist-info/RECORD"
    files[record] = "".join(f"{name},,\n" for name in [*files, record])
    with zipfile.ZipFile(os.path.join(folder, "safepip_demo-1.0-py3-none-any.whl"), "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def show_step(command: "list[str]", shown: str, project: str, say: "Callable[[str], None]") -> None:
    """Run one command of the demonstration and show its output; Stop if it fails."""
    environ = demo_environ(os.environ, os.path.dirname(project))
    say(f"  $ {shown}")
    pipe, same = subprocess.PIPE, subprocess.STDOUT
    try:
        result = subprocess.run(command, cwd=project, env=environ, stdout=pipe, stderr=same, check=False)
    except OSError as error:
        raise Stop(1, f"the demonstration failed: {command[0]}: {error.strerror}") from None
    lines = os.fsdecode(result.stdout).splitlines()
    for line in lines:
        say(f"  {line}")
    if result.returncode != 0:
        raise Stop(1, f"the demonstration failed (exit code {result.returncode}): {shown}", *lines)


def demo_environ(environ: "Mapping[str, str]", work: str) -> "dict[str, str]":
    """Return `environ` without the user's settings, so that safepip leaves no trace outside `work`.

    The Python first on PATH is the one below this script's, never a virtual environment, which safepip would
    serve; with `scope = "always"` a Python that is not managed is left alone as well.
    """
    foreign = ("PIP_", "SAFEPIP_", "PYTHON", "SUDO_", "CONDA_", "VIRTUAL_ENV")
    sealed = {name: value for name, value in environ.items() if not name.startswith(foreign)}
    for kind in ("DATA", "STATE", "CACHE", "CONFIG"):
        sealed[f"XDG_{kind}_HOME"] = os.path.join(work, kind.lower())
    sealed["PATH"] = os.pathsep.join([os.path.join(sys.base_prefix, "bin"), environ.get("PATH", os.defpath)])
    return {**sealed, "SAFEPIP_SCOPE": "always", "SAFEPIP_QUIET": "1", "PIP_CONFIG_FILE": os.devnull}


def say_farewell(places: Places, say: "Callable[[str], None]") -> None:
    """Say how to go on; by the absolute path, because PATH of a new shell may lack it."""
    program = shlex.quote(places.launcher)
    folder = os.path.dirname(places.launcher)
    typed = program
    if folder in os.environ.get("PATH", "").split(os.pathsep):
        typed = "safepip"
    say("\nsafepip is ready. Go on with one of:")
    say(f"  {typed} install X        install X where it belongs")
    say(f"  {program} init --write     let every new shell use it for pip, and find what it installs")
    say(f"  {program} init             show first what that would write, and where")


# --- removing it


def uninstall(places: Places, source: Source, *, purge: bool) -> None:
    """Remove what this script and `safepip init` wrote; with `purge` safepip's environments and caches, too."""
    was_there = False
    with locked(places.app + ".lock"):
        refuse_foreign(places)
        if os.path.lexists(places.launcher) or os.path.isdir(places.app):
            take_back(places)
            if os.path.lexists(places.launcher):
                os.unlink(places.launcher)
            unlink_shared(places)
            if os.path.isdir(places.app) and not os.path.islink(places.app):
                empty_app(places.app)
            discard(places.app)
            print("removed safepip; environments inside your projects stay as they are")
            was_there = True
        elif not purge:
            print("this script has not set up a safepip here")
        for path in startup_files(os.environ):
            print(f"{path} still has a line that starts safepip: remove it")
    purge_or_list(source, purge=purge)
    if was_there:
        print("shells that are open still know safepip: open a new shell")


def take_back(places: Places) -> None:
    """Have safepip remove its lines from start-up files, and its shims; the launcher's own Python may be gone."""
    start = os.path.join(places.lib, "safepip", "launcher", "start.py")
    if not os.path.isfile(start):
        return
    undone = [["init", shell, "--undo"] for shell in SHELLS]
    for words in [*undone, ["shims", "--undo"]]:
        command = [lasting_python(), "-IS", start, places.launcher, *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        for line in os.fsdecode(done.stderr).splitlines():
            if line.startswith("safepip: removed "):
                print(line[len("safepip: ") :])


def purge_or_list(source: Source, *, purge: bool) -> None:
    """Remove, or else name, what safepip keeps outside of projects."""
    data = own_directory("data", os.environ)
    state = own_directory("state", os.environ)
    cache = own_directory("cache", os.environ)
    whats = {
        os.path.join(data, "home"): "the home environment",
        os.path.join(data, "envs"): "environments of projects that cannot hold one",
        os.path.join(data, "pipx"): "its own pipx; the applications are pipx's and stay",
        state: "what it remembers",
        cache: "what it can make again",
    }
    left = [path for path in whats if os.path.isdir(path)]
    for name in ("programs", "python", "pythons", "shims"):  # what shells use
        remove(os.path.join(data, name))
    done = "removing" if purge else "left:"
    for path in left:
        print(f"{done} {path} ({whats[path]})")
    if purge:
        for path in (data, state, cache):
            discard(path)
    elif left:
        print(f"to remove these as well: {source.remove} --purge")


def startup_files(environ: "Mapping[str, str]") -> "list[str]":
    """Return the start-up files of shells in which a line still names safepip."""
    home = glob.escape(os.path.expanduser("~"))
    config = glob.escape(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"))
    names = ("fish/config.fish", "xonsh/rc.xsh", "powershell/profile.ps1", "nushell/env.nu", "nushell/config.nu")
    dotted = ("*rc", "*profile", "bash_login", "bash_aliases", "bash_logout", "login", "zshenv", "zlogin")
    patterns = [f"{home}/.{name}" for name in dotted] + [f"{config}/{name}" for name in names]
    line = re.compile(rb"^[^#\n]*safepip(?:['\"]? init |['\"]?$)", re.MULTILINE)
    found = []
    for pattern in patterns:
        for path in filter(os.path.isfile, sorted(glob.glob(pattern))):
            if line.search(read_bytes(path)):
                found.append(path)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
