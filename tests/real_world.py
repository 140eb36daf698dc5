"""What tests/process and tests/slow share: safepip installed from the tree, wheels, a fresh world for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator

import pytest
from sandbox import (
    SYSTEM_PYTHON,
    Sandbox,
    copy_interpreter,
    install_safepip,
    make_wheelhouse,
    unmanaged_pythons,
)
from tree import SCRIPTS, WHEELS

sys.path.append(SCRIPTS)  # behind the library: test.py is there too

MakeSandbox = Callable[..., Sandbox]
NOBODY = 65534
SEALED = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def is_managed(python: str) -> bool:
    """Ask an interpreter for PEP 668's marker the way that the PEP says."""
    code = (
        "import os, sys, sysconfig\n"
        "path = os.path.join(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED')\n"
        "print(sys.prefix == sys.base_prefix and os.path.isfile(path))"
    )
    try:
        asked = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, env=SEALED, check=False)
    except OSError:
        return False
    return asked.stdout.strip() == "True"


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """Give a short path that any user may enter; pytest's own is long and private."""
    folder = os.path.realpath(tempfile.mkdtemp(prefix="sp-"))
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def managed_python() -> str:
    if not is_managed(SYSTEM_PYTHON):
        pytest.skip(f"{SYSTEM_PYTHON} is not managed here (no EXTERNALLY-MANAGED)")
    return SYSTEM_PYTHON


@pytest.fixture(scope="session")
def own(base: str) -> str:
    """Install safepip from the tree, not editable; give its console script."""
    return install_safepip(os.path.join(base, "own"), sys.executable)


@pytest.fixture(scope="session")
def own_for_all(base: str, managed_python: str) -> str:
    """Install safepip where any user can start it: on the system's Python."""
    folder = os.path.join(base, "own-for-all")
    safepip = install_safepip(folder, managed_python)
    # An ordinary user cannot keep the bytecode, and would compile everything at each start.
    python = os.path.join(folder, "bin", "python")
    subprocess.run([python, "-m", "compileall", "-q", "-x", "/pip/", os.path.join(folder, "lib")], check=True)
    return safepip


@pytest.fixture(scope="session")
def wheels(base: str) -> str:
    return make_wheelhouse(os.path.join(base, "wheels"))


@pytest.fixture(scope="session")
def cache(base: str) -> str:
    """Give a warm cache, so that only the tests that are about a cold one pay for it."""
    folder = os.path.join(base, "cache")
    os.makedirs(folder)
    return folder


@pytest.fixture(scope="session")
def nobodys_cache(base: str) -> str:
    """Give a warm cache that belongs to an ordinary user."""
    folder = os.path.join(base, "nobodys-cache")
    os.makedirs(folder, mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    return folder


@pytest.fixture
def nobodys(make_sandbox: MakeSandbox, own_for_all: str, request: pytest.FixtureRequest) -> Sandbox:
    """Give a world that belongs to an ordinary user."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv to become an ordinary user")
    box = make_sandbox(safepip=own_for_all, warm=request.getfixturevalue("nobodys_cache"))
    for folder, _, _ in os.walk(box.root):
        os.chown(folder, NOBODY, NOBODY)
    return box


@pytest.fixture(scope="session")
def unmanaged_python(base: str) -> str:
    """Give a Python that nobody else uses and no one manages, with a pip of its own, to install into."""
    for found in unmanaged_pythons():
        copied = copy_interpreter(found, os.path.join(base, "python"))
        if copied is not None:
            return copied
    pytest.skip("there is no unmanaged Python here that can be copied")


@pytest.fixture(scope="session")
def published_wheels() -> str:
    """Give the folder of published wheels that scripts/test.py fills."""
    if not os.path.isdir(WHEELS):
        pytest.skip(f"there is no {WHEELS} (scripts/test.py makes it)")
    return WHEELS


@pytest.fixture(scope="session")
def uv_programs(base: str, published_wheels: str) -> str:
    """Give a folder with uv and uvx, unpacked from their wheel."""
    wheel = next((name for name in os.listdir(published_wheels) if name.startswith("uv-")), None)
    if wheel is None:
        pytest.skip("there is no wheel of uv in the folder of wheels")
    folder = os.path.join(base, "uv-programs")
    os.makedirs(folder)
    with zipfile.ZipFile(os.path.join(published_wheels, wheel)) as opened:
        for name in opened.namelist():
            if "/scripts/" in name:
                path = os.path.join(folder, os.path.basename(name))
                with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), "wb") as file:
                    file.write(opened.read(name))
    return folder


@pytest.fixture(scope="session")
def pipx_environment(base: str, published_wheels: str) -> str:
    """Give an environment of the system's Python with pipx."""
    environment = os.path.join(base, "pipx")
    subprocess.run(
        [SYSTEM_PYTHON, "-m", "venv", "--without-pip", environment], check=True, stdin=subprocess.DEVNULL
    )
    argv = [sys.executable, "-I", "-m", "pip", "--python", environment, "install", "-q", "--no-index"]
    argv += ["--find-links", published_wheels, "pipx"]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin", "HOME": environment})
    return environment


@pytest.fixture(scope="session")
def make_sandbox(base: str, own: str, wheels: str, cache: str, managed_python: str) -> MakeSandbox:
    """Make worlds that last as long as the session, at short paths for the first lines of scripts."""
    made: list[str] = []

    def make(*, cold: bool = False, safepip: str = own, warm: str = cache, **how: str) -> Sandbox:
        root = os.path.join(base, f"w{len(made)}")
        made.append(root)
        return Sandbox(root, safepip, wheels, cache=None if cold else warm, **how)

    return make


@pytest.fixture
def sandbox(make_sandbox: MakeSandbox) -> Iterator[Sandbox]:
    """Give a fresh home and project, with the system's managed Python first on PATH."""
    box = make_sandbox()
    yield box
    shutil.rmtree(box.root, ignore_errors=True)


@pytest.fixture(scope="module")
def furnished(make_sandbox: MakeSandbox) -> Sandbox:
    """Give a world whose project has an environment with beta and alpha in it; for tests that only look."""
    box = make_sandbox()
    ran = box.run("install", "beta")
    assert ran.code == 0, ran.err
    return box
