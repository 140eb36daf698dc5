#!/usr/bin/env python3
"""Build safepip.pyz, all of safepip in one file: python3 scripts/make_pyz.py [OUT].

OUT is dist/safepip.pyz unless it is named. The file holds the wheels of scripts/pyz/wheels.txt, which names each
by its hash, and safepip's own, built from this clone with the tools that are named there too. The same clone gives
the same file, byte for byte, on every machine: nothing is compressed again, because versions of zlib differ.

--wheels FOLDER takes the wheels from there instead of from the index; --relock chooses the newest wheels that run
on every Python since 3.10 and writes scripts/pyz/wheels.txt.
"""

import argparse
import glob
import hashlib
import os
import shutil
import sys
import tempfile
import zipfile

from bootstrap import (
    CLONE,
    Stop,
    complain,
    obtain_pip,
    replace_file,
    run_pip,
    speak,
    unpack_pip,
    use_recent_python,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PARTS = os.path.join(CLONE, "scripts", "pyz")
LOCK = os.path.join(PARTS, "wheels.txt")
# typing-extensions and tomli: pip goes by the running Python where it decides what older ones need.
WANTED = ("pip", "virtualenv", "filelock", "tomli", "typing-extensions")
BUILDING = ("hatchling",)
TOOLS = "# To build safepip's wheel only:\n"  # line of the lock; above it stands what the archive holds
ANY_PYTHON = (
    "--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none", "--python-version=3.10",
)  # fmt: skip


def main(argv: "list[str]") -> int:
    """Build the archive that `argv` asks for; return the exit code."""
    parser = argparse.ArgumentParser(prog="make_pyz.py", description="Build safepip.pyz.")
    parser.add_argument("out", nargs="?", default=os.path.join("dist", "safepip.pyz"))
    parser.add_argument("--wheels", metavar="FOLDER", help="where the wheels lie (else they are downloaded)")
    parser.add_argument("--safepip", metavar="WHEEL", help="safepip's own wheel (else it is built)")
    parser.add_argument("--relock", action="store_true", help="choose the newest wheels")
    options = parser.parse_args(argv)
    try:
        use_recent_python()
        with tempfile.TemporaryDirectory(prefix="safepip-pyz-") as work:
            if options.relock:
                relock(work)
            make(options, work)
    except Stop as stop:
        return complain(stop.code, *stop.lines)
    return 0


def make(options: argparse.Namespace, work: str) -> None:
    """Build the archive with the folder `work` for what lies in between."""
    held, tools = (read_lock(part) for part in read(LOCK).decode().split(TOOLS))
    folder = collect({**held, **tools}, options.wheels, work)
    own = options.safepip or build_own(folder, work)
    wheels = {f"wheels/{name}": read(os.path.join(folder, name)) for name in os.listdir(folder)}
    contents = {name: wheel for name, wheel in wheels.items() if hashlib.sha256(wheel).hexdigest() in held}
    contents[f"wheels/{os.path.basename(own)}"] = repacked(own)
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    archive = zipped({**parts(digest_of(contents)), **contents}, b"#!/usr/bin/env python3\n")
    replace_file(os.path.abspath(options.out), archive, 0o755)
    speak(f"wrote {os.path.abspath(options.out)}")
    speak(f"sha256 {hashlib.sha256(archive).hexdigest()}")


def read_lock(text: str) -> "dict[str, str]":
    """Return the requirements with hashes in `text`, which is in pip's format: sha256 -> NAME==VERSION."""
    rows = [line.split(" --hash=sha256:") for line in text.splitlines() if "==" in line]
    return {sha256: requirement for requirement, sha256 in rows}


def collect(locked: "Mapping[str, str]", source: "str | None", work: str) -> str:
    """Put the wheels of `locked` into a folder of their own: from the folder `source`, or from the index."""
    folder = os.path.join(work, "wheels")
    os.mkdir(folder)
    if source is None:
        words = ["download", "--quiet", "--no-deps", "--require-hashes", "--dest", folder, *ANY_PYTHON, "-r", LOCK]
        if run_pip(sys.executable, obtain_pip(make_folder(work, "pip"), None), words) != 0:
            raise Stop(69, "could not download what safepip.pyz holds; see pip's output above")
        return folder
    for path in glob.glob(os.path.join(glob.escape(source), "*.whl")):
        if hashlib.sha256(read(path)).hexdigest() in locked:
            shutil.copy(path, folder)
    found = {hashlib.sha256(read(os.path.join(folder, name))).hexdigest() for name in os.listdir(folder)}
    missing = [requirement for sha256, requirement in locked.items() if sha256 not in found]
    if missing:
        raise Stop(69, f"{source} lacks {', '.join(missing)}, or has other files of that name")
    return folder


def build_own(folder: str, work: str) -> str:
    """Build safepip's wheel from this clone by what lies in `folder` alone; return its path."""
    (pip,) = glob.glob(os.path.join(glob.escape(folder), "pip-*.whl"))
    out = os.path.join(work, "own")
    words = ["wheel", "--quiet", "--no-deps", "--no-index", "--find-links", folder, "--wheel-dir", out, CLONE]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    environ["PIP_CONFIG_FILE"] = os.devnull
    if run_pip(sys.executable, unpack_pip(pip, make_folder(work, "pip")), words, environ) != 0:
        raise Stop(69, "could not build safepip's wheel; see pip's output above")
    return os.path.join(out, *os.listdir(out))


def make_folder(work: str, name: str) -> str:
    """Return a folder in `work`."""
    path = os.path.join(work, name)
    os.makedirs(path, exist_ok=True)
    return path


def repacked(wheel: str) -> bytes:
    """Return the wheel with its files as they are, but not compressed and of no date."""
    with zipfile.ZipFile(wheel) as opened:
        return zipped({name: opened.read(name) for name in opened.namelist()})


def parts(digest: str) -> "dict[str, bytes]":
    """Return the archive's own modules, `digest` filled in."""
    paths = [*glob.glob(os.path.join(glob.escape(PARTS), "*.py")), os.path.join(CLONE, "scripts", "bootstrap.py")]
    found = {os.path.basename(path): read(path) for path in paths}
    found["__main__.py"] = found["__main__.py"].replace(b"__DIGEST__", digest.encode())
    return found


def digest_of(contents: "Mapping[str, bytes]") -> str:
    """Return a name for what is unpacked."""
    rows = "".join(f"{hashlib.sha256(contents[name]).hexdigest()} {name}\n" for name in sorted(contents))
    return hashlib.sha256(rows.encode()).hexdigest()[:32]


def zipped(contents: "Mapping[str, bytes]", first_line: bytes = b"") -> bytes:
    """Return an archive of `contents` after the line for shells: sorted, of no date, not compressed."""
    with tempfile.TemporaryFile() as file:
        file.write(first_line)
        with zipfile.ZipFile(file, "w") as archive:
            for name in sorted(contents):
                entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                entry.create_system = 3
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, contents[name])
        file.seek(0)
        return file.read()


def read(path: str) -> bytes:
    """Return the bytes of a file."""
    with open(path, "rb") as file:
        return file.read()


# --- choosing the wheels


def relock(work: str) -> None:
    """Write the lock: the newest wheels that run on every Python since 3.10."""
    pip = obtain_pip(make_folder(work, "pip"), None)
    lines = []
    for name, projects in (("held", WANTED), ("tools", BUILDING)):
        words = ["download", "--quiet", "--dest", make_folder(work, name), *ANY_PYTHON, *projects]
        if run_pip(sys.executable, pip, words) != 0:
            raise Stop(69, "could not download the newest wheels; see pip's output above")
        lines.append(sorted(lock_lines(os.path.join(work, name))))
    held, tools = lines
    with open(LOCK, "w", encoding="utf-8") as file:
        file.write("# Written by scripts/make_pyz.py --relock. What safepip.pyz holds:\n")
        file.writelines([*held, TOOLS, *(line for line in tools if line not in held)])


def lock_lines(folder: str) -> "Iterator[str]":
    """Yield a line of pip's format for each wheel in `folder`."""
    for name in os.listdir(folder):
        project, version = name.split("-")[:2]
        sha256 = hashlib.sha256(read(os.path.join(folder, name))).hexdigest()
        yield f"{project.lower().replace('_', '-')}=={version} --hash=sha256:{sha256}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
