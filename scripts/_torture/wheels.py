"""Wheels made with zipfile, so that nothing is downloaded."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SMALL = tuple(f"small{number}" for number in range(8))  # each needs `shared`
MANY_FILES = 40


def make_wheels(folder: str) -> None:
    """Fill the folder: small0 to small7 and what they share; pack, other, big in two versions; third, fourth."""
    os.makedirs(folder)
    make_package(folder, "shared", "1.0")
    for name in SMALL:
        make_package(folder, name, "1.0", requires=["shared"])
    for version in ("1.0", "2.0"):
        make_package(folder, "pack", version)
        make_package(folder, "other", version, requires=["pack"])
        make_package(folder, "big", version, modules=MANY_FILES)
    make_package(folder, "third", "1.0")
    make_package(folder, "fourth", "1.0")


def make_package(folder: str, name: str, version: str, *, requires: Sequence[str] = (), modules: int = 2) -> str:
    """Write a wheel with a package, a single module, data and a program: all that pip moves in different ways.

    Of two versions each has a module that the other has not, and all that both have differ.
    """
    info = f"{name}-{version}.dist-info"
    parts = ("__init__", *(f"part{number}" for number in range(modules)))
    files = {f"{name}/{part}.py": f"PART = {part!r}\nVERSION = {version!r}\n" for part in parts}
    files[f"{name}/inner/__init__.py"] = ""
    files[f"{name}/inner/data.txt"] = version * 3000
    files[f"{name}/only_{version[0]}.py"] = ""
    files[f"{name}_single.py"] = f"VERSION = {version!r}\ndef main():\n    print(VERSION)\n"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    files[f"{info}/METADATA"] = "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires)]) + "\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: torture\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {name}_single:main\n"
    wheel = os.path.join(folder, f"{name}-{version}-py3-none-any.whl")
    _pack(wheel, files, f"{info}/RECORD")
    return wheel


def make_slow_source(folder: str, flag: str) -> str:
    """Write a project whose building makes the file `flag`, and then takes a minute."""
    os.makedirs(folder)
    project = '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
    backend = f"import time\ndef build_wheel(*_):\n    open({flag!r}, 'w').close()\n    time.sleep(60)\n"
    metadata = '[project]\nname = "slow"\nversion = "1.0"\n'
    for name, text in (("pyproject.toml", project + metadata), ("slow.py", backend)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    return folder


def _pack(wheel: str, files: Mapping[str, str], record: str) -> None:
    rows = [f"{path},sha256={digest(text.encode())},{len(text)}" for path, text in files.items()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in (*files.items(), (record, "\n".join([*rows, f"{record},,"]) + "\n")):
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)


def digest(content: bytes) -> str:
    """Return the SHA-256 as RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
