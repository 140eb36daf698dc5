"""A world of its own for the real console script: declare home, project, PATH and wheels; run; look at what came.

Nothing here asserts. `Sandbox` runs programs with variables that are all written down here, so that what the
person who runs the tests has set does not reach them, and offline: the only index is a folder of wheels that
`make_wheelhouse` writes with zipfile.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import importlib.util
import io
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple

import machine
from tree import TREE

from safepip.system import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SYSTEM_PYTHON = "/usr/bin/python3"
SYSTEM_PATH = "/usr/bin:/bin"
OURS = b"safepip: "
PATIENCE = 120  # seconds after which a program counts as hung

# --- what a program did


class Ran(NamedTuple):
    """How a program ended (negative: by that signal) and what it wrote, as bytes."""

    code: int
    out: bytes
    err: bytes

    @property
    def said(self) -> list[str]:
        """Return safepip's own lines, without their prefix."""
        lines = self.err.splitlines()
        return [os.fsdecode(line[len(OURS) :]) for line in lines if line.startswith(OURS)]

    @property
    def pips_err(self) -> bytes:
        """Return the standard error without safepip's lines."""
        return b"".join(line for line in self.err.splitlines(keepends=True) if not line.startswith(OURS))

    @property
    def text(self) -> str:
        """Return the standard output as text."""
        return os.fsdecode(self.out)


class Seen(NamedTuple):
    """What lies at a path: "dir", "file" or "link", its size, a digest of its contents, and its mtime."""

    kind: str
    size: int
    digest: str
    mtime: int


def look(
    root: str, *, skip: Iterable[str] = (), contents: bool = True, known: dict[tuple[int, ...], str] | None = None
) -> dict[str, Seen]:
    """Return everything below `root` by relative path; entries named in `skip` are left out with all in them.

    `known` keeps digests from one look to the next, by the identity and the times of the file.
    """
    found: dict[str, Seen] = {}
    digests = {} if known is None else known
    left_out = frozenset(skip)

    def enter(folder: str, relative: str) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.name in left_out:
                continue
            name = f"{relative}{entry.name}"
            found[name] = _seen(entry, digests, contents=contents)
            if entry.is_dir(follow_symlinks=False):
                enter(entry.path, f"{name}/")

    enter(root, "")
    return found


def _seen(entry: os.DirEntry[str], digests: dict[tuple[int, ...], str], *, contents: bool) -> Seen:
    status = entry.stat(follow_symlinks=False)
    if entry.is_symlink():
        return Seen("link", 0, os.readlink(entry.path), status.st_mtime_ns)
    if not stat.S_ISREG(status.st_mode):
        return Seen("dir" if entry.is_dir() else "other", 0, "", status.st_mtime_ns)
    key = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
    if contents and key not in digests:
        with open(entry.path, "rb") as file:
            digests[key] = hashlib.sha256(file.read()).hexdigest()
    return Seen("file", status.st_size, digests[key] if contents else "", status.st_mtime_ns)


def without_times(seen: Mapping[str, Seen]) -> dict[str, tuple[str, int, str]]:
    """Return the listing without what differs between two equal runs."""
    return {name: (one.kind, one.size, one.digest) for name, one in seen.items()}


def system_listing() -> dict[str, dict[str, Seen]]:
    """Return names, sizes and times of what a stray install would change on the machine itself."""
    libraries = [name for name in os.listdir("/usr/lib") if name.startswith("python3")]
    roots = [
        *(os.path.join("/usr/lib", name) for name in libraries),
        "/usr/local/lib",
        "/usr/bin",
        "/usr/local/bin",
    ]
    return {root: look(root, contents=False) for root in roots}


# --- the world


class Sandbox:
    """A home directory with a project in it, and one way to run programs there.

    `path` is PATH; `variables` are the child's, all of them. The project lies inside HOME, so that the walk
    up the tree ends there, whatever lies in the machine's temporary directory.
    """

    def __init__(
        self, root: str, safepip: str, wheels: str, *, path: str = SYSTEM_PATH, cache: str | None = None
    ) -> None:
        self.root = root
        self.safepip = safepip
        self.home = os.path.join(root, "home")
        self.project = os.path.join(self.home, "project")
        self.temporary = os.path.join(root, "tmp")
        self.bin = os.path.join(root, "bin")
        for folder in (self.project, self.temporary, self.bin):
            os.makedirs(folder)
        if cache is not None:
            os.makedirs(os.path.join(self.home, ".cache"))
            os.symlink(cache, os.path.join(self.home, ".cache", "safepip"))
        self.variables = {
            "HOME": self.home,
            "PATH": path,
            "TMPDIR": self.temporary,
            "LANG": "C.UTF-8",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": wheels,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **machine.variables(),
        }

    @property
    def venv(self) -> str:
        """Return the path of the project's environment."""
        return os.path.join(self.project, ".venv")

    @property
    def python(self) -> str:
        """Return the Python of the project's environment."""
        return os.path.join(self.venv, "bin", "python")

    def environ(self, env: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return the child's variables with `env` laid over them; None removes one."""
        merged: dict[str, str | None] = {**self.variables, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def run(self, *words: str | bytes, **how: object) -> Ran:
        """Run safepip's console script with the arguments `words`; `how` as with `call`."""
        return self.call([self.safepip, *words], **how)  # type: ignore[arg-type]

    def call(
        self,
        argv: Sequence[str | bytes],
        *,
        cwd: str | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: bytes = b"",
    ) -> Ran:
        """Run any program in this world, in the project unless `cwd` says otherwise."""
        done = subprocess.run(
            argv,
            cwd=self.project if cwd is None else cwd,
            env=self.environ(env),
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(
        self, *words: str, env: Mapping[str, str | None] | None = None, cwd: str | None = None
    ) -> subprocess.Popen[bytes]:
        """Start safepip and return at once; both streams are pipes."""
        return subprocess.Popen(
            [self.safepip, *words],
            cwd=cwd or self.project,
            env=self.environ(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def venv_pip(self, *words: str, **how: object) -> Ran:
        """Run the pip of the project's environment, without safepip."""
        return self.call([self.python, "-m", "pip", *words], **how)  # type: ignore[arg-type]

    def write(self, name: str, text: str | bytes = "") -> str:
        """Write a file, relative to the project, and return its path."""
        path = os.path.join(self.project, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def named(self, name: str) -> str:
        """Return a link to safepip of another name."""
        link = os.path.join(self.bin, name)
        if not os.path.lexists(link):
            os.symlink(self.safepip, link)
        return link

    def packages(self, python: str | None = None) -> set[str]:
        """Return the names of the distributions that an interpreter's environment holds."""
        code = "import importlib.metadata as m; print(*(d.metadata['Name'] for d in m.distributions()))"
        return set(self.call([python or self.python, "-I", "-c", code], cwd="/").text.split())

    def traces(self) -> dict[str, Seen]:
        """Return everything in home and the temporary directory, what safepip may cache left out."""
        seen = {f"home/{name}": one for name, one in look(self.home, skip=[".cache"]).items()}
        return {**seen, **{f"tmp/{name}": one for name, one in look(self.temporary).items()}}


class Kept:
    """A world as it is now, to be put back before each test that changes it.

    Files that a test did not touch stay, so that putting back costs little.
    """

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.project = box.project
        self.variables = dict(box.variables)
        self.copy = f"{box.root}.kept"
        shutil.copytree(box.root, self.copy, symlinks=True)
        self.marks = _marks(box.root)

    def restore(self) -> Sandbox:
        """Put everything back and return the world."""
        self.box.project = self.project
        self.box.variables = dict(self.variables)
        now = _marks(self.box.root)
        for name in sorted(now, reverse=True):  # what lies in a directory before the directory
            if now[name] != self.marks.get(name):
                _remove(os.path.join(self.box.root, name))
        for name in sorted(self.marks):
            self._put(name)
        for name, mark in self.marks.items():
            if mark == DIRECTORY:
                _date(os.path.join(self.copy, name), os.path.join(self.box.root, name))
        self._register()
        return self.box

    def _put(self, name: str) -> None:
        place = os.path.join(self.box.root, name)
        if os.path.lexists(place):
            return
        if self.marks[name] == DIRECTORY:
            os.mkdir(place)
            return
        shutil.copy2(os.path.join(self.copy, name), place, follow_symlinks=False)
        self.marks[name] = _mark(place)

    def _register(self) -> None:
        """Have safepip know the environments that were copied: another inode is another environment to it."""
        state = os.path.join(self.box.home, ".local", "state", "safepip")
        for entry in list(registry.entries(state)):
            known = entry.registration
            if not entry.is_there and os.path.isdir(known.path):
                registry.discard(entry)
                registry.note(state, known.path, known.how, known.index, known.project)


DIRECTORY = ("directory",)


def _marks(root: str) -> dict[str, tuple[object, ...]]:
    """Return what tells a changed file below `root` from an unchanged one, by relative path."""
    marks: dict[str, tuple[object, ...]] = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = os.path.join(folder, name)
            marks[os.path.relpath(path, root)] = _mark(path)
    return marks


def _mark(path: str) -> tuple[object, ...]:
    status = os.lstat(path)
    if stat.S_ISDIR(status.st_mode):
        return DIRECTORY
    return (status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _date(copy: str, place: str) -> None:
    """Give a directory the times and mode of its copy; where it has them its time of change stays."""
    wanted, found = os.stat(copy), os.stat(place)
    if (wanted.st_mtime_ns, wanted.st_mode) != (found.st_mtime_ns, found.st_mode):
        shutil.copystat(copy, place)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


# --- safepip itself, installed


def install_safepip(folder: str, python: str) -> str:
    """Install safepip from the tree, with what it needs, into a new environment; return the console script.

    Copied from the running environment, so without a network: the same files that pip would have put there.
    """
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True, stdin=subprocess.DEVNULL)
    own_python = os.path.join(folder, "bin", "python")
    site = subprocess.check_output(
        [own_python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    for name in _needed(("pip", "virtualenv", "filelock", "platformdirs", "tomli")):
        copy_distribution(name, site)
    shutil.copytree(os.path.join(TREE, "safepip"), os.path.join(site, "safepip"), ignore=_no_bytecode)
    write_launcher(os.path.join(folder, "bin", "safepip"), own_python, "safepip.cli")
    return os.path.join(folder, "bin", "safepip")


def write_launcher(path: str, python: str, module: str) -> None:
    """Write the console script of `module`'s main as pip would."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f"#!{python}\nimport re\nimport sys\nfrom {module} import main\nif __name__ == '__main__':\n"
            "    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    sys.exit(main())\n"
        )
    os.chmod(path, 0o755)


def copy_distribution(name: str, site: str) -> None:
    """Copy an installed distribution's files, its scripts left out, into another site-packages.

    Bytecode comes with them, and their times, by which it counts as fresh: compiling pip takes two seconds.
    """
    files = [file for file in metadata.distribution(name).files or () if file.parts[0] != ".."]
    wanted = {os.path.join(*file.parts): os.fspath(file.locate()) for file in files}
    for relative, path in list(wanted.items()):
        if relative.endswith(".py"):
            compiled = importlib.util.cache_from_source(path)
            wanted[os.path.relpath(compiled, path.removesuffix(relative))] = compiled
    for relative, path in wanted.items():
        if os.path.isfile(path):
            target = os.path.join(site, relative)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(path, target)


def _needed(names: Iterable[str]) -> list[str]:
    """Return those of the distributions that are installed here, and all that they need."""
    found: list[str] = []
    left = list(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.append(name)
        plain = [one for one in requires if "extra" not in one]
        left += ["".join(c if c.isalnum() or c in "-_." else " " for c in one).split()[0] for one in plain]
    return found


def unmanaged_pythons() -> Iterator[str]:
    """Yield Pythons that may be unmanaged: the one that runs the tests, pyenv's, and those on PATH."""
    yield os.path.realpath(sys.executable)
    home = pwd.getpwuid(os.getuid()).pw_dir
    for version in ("3.12", "3.13", "3.11", "3.10"):
        yield from sorted(
            glob.glob(os.path.join(home, ".pyenv", "versions", f"{version}.*", "bin", f"python{version}"))
        )
        found = shutil.which(f"python{version}")
        if found is not None:
            yield os.path.realpath(found)


def copy_interpreter(python: str, folder: str) -> str | None:
    """Copy an unmanaged Python, with pip, to stand alone in `folder`; None where it is managed or does not run there."""
    code = "import sys, sysconfig; print(sysconfig.get_path('stdlib'), *sys.version_info[:2])"
    asked = subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, env={"PATH": "/bin"}, check=False
    )
    if asked.returncode:
        return None
    stdlib, major, minor = asked.stdout.split()
    if os.path.exists(os.path.join(stdlib, "EXTERNALLY-MANAGED")) or (int(major), int(minor)) < (3, 10):
        return None
    library = f"python{major}.{minor}"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "bin"))
    shutil.copytree(stdlib, os.path.join(folder, "lib", library), ignore=_heavy, symlinks=True)
    os.makedirs(site := os.path.join(folder, "lib", library, "site-packages"))
    copied = os.path.join(folder, "bin", library)
    shutil.copy2(os.path.realpath(python), copied)
    for name in ("python3", "python"):
        os.symlink(library, os.path.join(folder, "bin", name))
    copy_distribution("pip", site)
    write_launcher(os.path.join(folder, "bin", "pip"), copied, "pip._internal.cli.main")
    tried = [copied, "-c", "import sys; print(sys.prefix)"]
    shown = subprocess.run(tried, capture_output=True, text=True, env={"PATH": "/bin"}, check=False)
    return copied if shown.stdout.strip() == folder else None


def link_tree(source: str, target: str) -> None:
    """Copy a folder by hard links, which is quick; its files must not be written to afterwards, only replaced."""
    shutil.copytree(source, target, symlinks=True, copy_function=os.link)


def _heavy(_folder: str, names: list[str]) -> list[str]:
    unwanted = {"test", "tests", "idlelib", "turtledemo", "site-packages", "tkinter", "lib2to3", "__pycache__"}
    return [name for name in names if name in unwanted or name.startswith("config-")]


def _no_bytecode(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__"]


FAKE_PIP = '''
import json, os, sys

def main(args=None):
    """Write down how pip was called; end as RECORDED_CODE says."""
    record = {
        "argv": [os.fsencode(word).hex() for word in sys.argv],
        "environ": {os.fsencode(k).hex(): os.fsencode(v).hex() for k, v in os.environ.items()},
        "executable": sys.executable, "prefix": sys.prefix, "path": sys.path,
    }
    try:
        record["cwd"] = os.getcwd()
    except OSError:
        record["cwd"] = None
    with open(os.environ["RECORD"], "w") as file:
        json.dump(record, file)
    return int(os.environ.get("RECORDED_CODE", "0"))
'''


def put_recording_pip(environment: str) -> None:
    """Exchange an environment's pip for one that only writes its arguments to the file named by RECORD."""
    libraries = os.path.join(environment, "lib")
    (library,) = (name for name in os.listdir(libraries) if name.startswith("python"))
    pip = os.path.join(libraries, library, "site-packages", "pip")
    start = "import sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
    for parts, text in ((("_internal", "cli", "main.py"), FAKE_PIP), (("__main__.py",), start)):
        path = os.path.join(pip, *parts)
        os.unlink(path)  # which other environments may share
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        rewrite_record(os.path.dirname(pip), "/".join(("pip", *parts)), text)


def rewrite_record(site: str, name: str, text: str) -> None:
    """Have pip's RECORD name the file's new contents, so that pip counts as intact."""
    (path,) = glob.glob(os.path.join(glob.escape(site), "pip-*.dist-info", "RECORD"))
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    with open(path, encoding="utf-8") as file:
        rows = [row for row in file.read().splitlines() if not row.startswith(f"{name},")]
    os.unlink(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([*rows, f"{name},sha256={digest},{len(text.encode())}", ""]))


# --- packages


def make_wheelhouse(folder: str) -> str:
    """Fill `folder`: alpha 1.0 and 2.0, beta (needs alpha, has a command), ten small ones, and the sdist delta."""
    os.makedirs(folder)
    make_wheel(folder, "alpha", "1.0")
    make_wheel(folder, "alpha", "2.0")
    make_wheel(folder, "beta", "1.0", requires=["alpha"], commands=["beta"])
    make_wheel(folder, "gamma", "1.0", requires=["alpha<2"])
    make_wheel(folder, "extra", "1.0", requires=["alpha ; extra == 'more'"], extras=["more"])
    for number in range(10):
        make_wheel(folder, f"many{number}", "1.0")
    make_sdist(folder, "delta", "1.0")
    return folder


def make_wheel(
    folder: str,
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    commands: Sequence[str] = (),
    extras: Sequence[str] = (),
) -> str:
    """Write a pure wheel with one module, called like it, and return its path."""
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: made by safepip's tests"]
    lines += [f"Provides-Extra: {one}" for one in extras] + [f"Requires-Dist: {one}" for one in requires]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n\n\ndef main():\n    print('this is', {name!r}, VERSION)\n",
        f"{info}/METADATA": "\n".join(lines) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if commands:
        entries = "".join(f"{command} = {name}:main\n" for command in commands)
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{entries}"
    record = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(text)}")
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    wheel = os.path.join(folder, f"{name}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return wheel


BACKEND = '''
"""A whole build backend: needs nothing, so that no build requirement has to be fetched."""
import os, zipfile

NAME, VERSION = {name!r}, {version!r}


def _pack(folder, files):
    info = NAME + "-" + VERSION + ".dist-info"
    files[info + "/METADATA"] = "Metadata-Version: 2.1\\nName: " + NAME + "\\nVersion: " + VERSION + "\\n"
    files[info + "/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[info + "/RECORD"] = "".join(path + ",,\\n" for path in [*files, info + "/RECORD"])
    wheel = NAME + "-" + VERSION + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
{hook}
    with open(NAME + ".py") as file:
        return _pack(wheel_directory, {{NAME + ".py": file.read()}})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _pack(wheel_directory, {{"__editable__" + NAME + ".pth": os.getcwd() + "\\n"}})
'''


def write_source(folder: str, name: str, version: str = "1.0", *, hook: str = "pass") -> str:
    """Write a project with its own PEP 517 backend; the code `hook` runs whenever a wheel is built."""
    files = {
        "pyproject.toml": (
            '[build-system]\nrequires = []\nbuild-backend = "own_backend"\nbackend-path = ["_build"]\n'
            f'[project]\nname = "{name}"\nversion = "{version}"\n[dependency-groups]\ndev = ["alpha<2"]\n'
        ),
        f"{name}.py": f"VERSION = {version!r}\n",
        "_build/own_backend.py": BACKEND.format(name=name, version=version, hook=textwrap.indent(hook, "    ")),
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
            file.write(text)
    return folder


def make_sdist(folder: str, name: str, version: str, *, hook: str = "pass") -> str:
    """Write a source distribution of such a project and return its path."""
    source = write_source(os.path.join(folder, f".{name}-source"), name, version, hook=hook)
    path = os.path.join(folder, f"{name}-{version}.tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        for relative, seen in look(source).items():
            if seen.kind == "file":
                with open(os.path.join(source, relative), "rb") as file:
                    text = file.read()
                member = tarfile.TarInfo(f"{name}-{version}/{relative}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text))
    shutil.rmtree(source)
    return path
