"""Kill a command at a counted change of an environment, and look at what it left.

Counted by strace and not by the clock, so that a kill lands where it should on a loaded machine too: every
line of strace's that changes something below the environment counts, each such call (but for opening, which
is too frequent) is held for a moment when it is done, and at the k-th the whole process group gets SIGKILL.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import zipfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CALLS = "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,chmod,fchmodat"
HELD = 2000  # microseconds


def kill_at(argv: Sequence[str], count: int, below: str, *, cwd: str, env: Mapping[str, str]) -> int:
    """Run a program, kill it at its `count`-th change below the folder (0: never), return how many there were."""
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "lines")
        os.mkfifo(pipe)
        traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={CALLS},openat", "-e", "signal=none"]
        traced += ["-e", f"inject={CALLS}:delay_exit={HELD}", "-o", pipe, *argv]
        null = subprocess.DEVNULL
        process = subprocess.Popen(
            traced, cwd=cwd, env=dict(env), start_new_session=True, stdin=null, stdout=null, stderr=null
        )
        seen = 0
        with open(pipe, errors="replace") as lines:
            for line in lines:
                seen += is_change(line, below)
                if count > 0 and seen == count:
                    os.killpg(process.pid, signal.SIGKILL)
                    count = -1
        process.wait()
    return seen


def is_change(line: str, below: str) -> bool:
    """Tell whether strace's line is of a call that changed something below the folder, not of safepip's own."""
    if f'"{below}/' not in line or "/.safepip/" in line or " = -1 " in line:
        return False
    return "openat" not in line or "O_CREAT" in line


def faults(site: str, programs: str) -> list[str]:
    """Return all that is wrong with what is installed: the oracle."""
    found = [f"left aside: {name}" for name in sorted(os.listdir(site)) if name.startswith("~")]
    infos = sorted(name for name in os.listdir(site) if name.endswith(".dist-info") and not name.startswith("~"))
    names = [info.rpartition("-")[0].lower() for info in infos]
    found += [f"twice: {name}" for name in sorted({name for name in names if names.count(name) > 1})]
    for info in infos:
        missing = [
            name
            for name in ("METADATA", "RECORD", "INSTALLER")
            if not os.path.isfile(os.path.join(site, info, name))
        ]
        found += [f"{info} lacks {name}" for name in missing]
        if "RECORD" not in missing:
            found += _unlike_record(site, info)
    for folder, names, files in os.walk(site):
        found += [f"left aside: {os.path.join(folder, name)}" for name in (*names, *files) if name.startswith("~")]
    return found


def _unlike_record(site: str, info: str) -> list[str]:
    found = []
    with open(os.path.join(site, info, "RECORD"), newline="", encoding="utf-8") as file:
        for path, digest, _size in csv.reader(file):
            full = os.path.join(site, path)
            if not os.path.isfile(full):
                found.append(f"{info}: {path} is missing")
            elif digest:
                with open(full, "rb") as content:
                    actual = (
                        base64.urlsafe_b64encode(hashlib.sha256(content.read()).digest()).rstrip(b"=").decode()
                    )
                if digest != f"sha256={actual}":
                    found.append(f"{info}: {path} is another")
    return found


def make_package(folder: str, name: str, version: str, *, requires: Sequence[str] = ()) -> str:
    """Write a wheel with a package, a single module, data and a program: all that pip moves in different ways."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/{part}.py": f"PART = {part!r}\nVERSION = {version!r}\n" for part in ("__init__", "one", "two")
    }
    files[f"{name}/inner/__init__.py"] = ""
    files[f"{name}/inner/data.txt"] = version * 3000
    files[f"{name}/only_{version[0]}.py"] = ""
    files[f"{name}_single.py"] = f"VERSION = {version!r}\ndef main():\n    print(VERSION)\n"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    files[f"{info}/METADATA"] = "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires)]) + "\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {name}_single:main\n"
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text)}")
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    wheel = os.path.join(folder, f"{name}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return wheel


def reset(template: str, project: str) -> None:
    """Have the project as the template is; environments keep their paths."""
    shutil.rmtree(project)
    shutil.copytree(template, project, symlinks=True)
