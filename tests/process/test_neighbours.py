"""Other tools on the word pip beside safepip: one that runs the `pip` of PATH, one with a pip of its own."""

from __future__ import annotations

import glob
import os
import shutil

import pytest
from sandbox import SYSTEM_PATH, Ran, Sandbox

pytestmark = pytest.mark.slow
# As the shims of safe-chain: it looks at the line, takes its own folder off PATH, and runs the next pip.
FROM_PATH = """#!/bin/sh
printf '%s|' "$@" >>"$LOG"; echo >>"$LOG"
PATH=$(printf %s "$PATH" | sed "s#$(dirname "$0"):##")
exec pip "$@"
"""
# As scanners that bring a pip: it looks at the line, and runs its own by the Python of PATH.
OWN_PIP = """#!/bin/sh
printf '%s|' "$@" >>"$LOG"; echo >>"$LOG"
exec python3 "$(dirname "$0")/own/pip" "$@"
"""


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Give a machine with shims of safepip first on PATH."""
    shims = os.path.join(sandbox.home, "shims")
    assert sandbox.run("shims", "--python", shims).code == 0
    sandbox.variables["PATH"] = f"{shims}:{SYSTEM_PATH}"
    sandbox.variables["LOG"] = os.path.join(sandbox.root, "log")
    sandbox.variables["SHELL"] = "/bin/bash"
    return sandbox


def wrapper(box: Sandbox, text: str, name: str = "pip") -> str:
    folder = os.path.join(box.home, "guard")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)
    return folder


def rc(box: Sandbox, *lines: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    with open(os.path.join(box.home, ".bashrc"), "w", encoding="utf-8") as file:
        file.write(text)


def types(box: Sandbox, line: str) -> Ran:
    """Type a line into an interactive bash, which reads its start-up file."""
    return box.call(["/bin/bash", "-i"], stdin=f"{line}\n".encode())


def log(box: Sandbox) -> list[str]:
    try:
        with open(box.variables["LOG"], encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def findings(box: Sandbox) -> str:
    return "\n".join(line for line in box.run("doctor").text.splitlines())


def told(box: Sandbox) -> str:
    return " ".join(findings(box).split())


def test_a_program_in_front_that_runs_pip_from_path(box: Sandbox) -> None:
    folder = wrapper(box, FROM_PATH)
    box.variables["PATH"] = f"{folder}:{box.variables['PATH']}"
    ran = box.call(["sh", "-c", "pip install 'alpha<2' beta --no-deps"])
    assert ran.code == 0, ran.err
    assert log(box) == ["install|alpha<2|beta|--no-deps|"]
    assert {"alpha", "beta"} <= box.packages()
    assert "comes first for pip, then safepip: both act" in told(box)


def test_a_program_behind_the_shims_is_named_with_the_order_that_works(box: Sandbox) -> None:
    folder = wrapper(box, FROM_PATH)
    box.variables["PATH"] += f":{folder}"
    assert box.call(["sh", "-c", "pip install alpha"]).code == 0
    assert log(box) == []
    assert "is behind safepip's shims on PATH, so it never acts" in told(box)
    command = f'export PATH={folder}:"$PATH"'
    assert command in findings(box)
    assert box.call(["sh", "-c", f"{command}; pip install beta"]).code == 0
    assert log(box) == ["install|beta|"]


def test_a_program_without_shims_is_named_with_the_command_that_has_both_act(box: Sandbox) -> None:
    folder = wrapper(box, FROM_PATH)
    box.variables["PATH"] = f"{os.path.dirname(box.safepip)}:{folder}:{SYSTEM_PATH}"
    shutil.rmtree(os.path.join(box.home, "shims"))
    command = next(
        line.strip() for line in findings(box).splitlines() if "safepip shims" in line and folder in line
    )
    ran = box.call(["bash", "-c", f"{command} && pip install beta"])
    assert ran.code == 0, ran.err
    assert log(box) == ["install|beta|"]
    assert "beta" in box.packages()


@pytest.mark.parametrize("first", [True, False])
def test_an_alias_comes_first_wherever_it_stands(box: Sandbox, *, first: bool) -> None:
    folder = wrapper(box, FROM_PATH, "guard")
    lines = [f'eval "$({box.safepip} init bash)"', f'alias pip="{folder}/guard"']
    rc(box, *(reversed(lines) if first else lines))
    ran = types(box, "pip install beta 'many0>=1'")
    assert b"Successfully installed" in ran.out, ran.err
    assert log(box) == ["install|beta|many0>=1|"]
    assert {"beta", "many0"} <= box.packages()
    number = 1 if first else 2
    expected = f"~/.bashrc, line {number}, makes pip an alias of ~/guard/guard, which comes first, then safepip"
    assert expected in told(box)
    said = box.run("init").said
    assert any("makes pip an alias of" in line for line in said)


def test_a_function_counts_only_behind_safepips_line(box: Sandbox) -> None:
    """As safe-chain's, in a file that the start-up file reads."""
    folder = wrapper(box, FROM_PATH, "guard")
    os.makedirs(os.path.join(box.home, ".guard"))
    with open(os.path.join(box.home, ".guard", "init.sh"), "w", encoding="utf-8") as file:
        file.write(f'pip() {{\n  {folder}/guard "$@"\n}}\n')
    lines = ["source ~/.guard/init.sh # guard", f'eval "$({box.safepip} init bash)"']
    rc(box, *lines)
    assert "safepip's line behind it replaces that, so it never acts move safepip's line before it" in told(box)
    assert b"Successfully installed" in types(box, "pip install alpha").out
    assert log(box) == []
    rc(box, *reversed(lines))
    assert b"Successfully installed" in types(box, "pip install beta").out
    assert log(box) == ["install|beta|"]
    assert "by way of ~/.guard/init.sh makes pip a function, which comes first, then safepip: both act" in told(
        box
    )


def test_a_wrapper_with_its_own_pip_installs_into_the_environment_that_safepip_made(
    box: Sandbox, published_wheels: str
) -> None:
    folder = wrapper(box, OWN_PIP)
    wheel = glob.glob(os.path.join(published_wheels, "pip-2*.whl"))[0]
    shutil.unpack_archive(wheel, os.path.join(folder, "own"), "zip")
    box.variables["PATH"] = f"{folder}:{box.variables['PATH']}"
    assert box.run("env", "create").code == 0
    ran = box.call(["sh", "-c", "pip install beta 'alpha<2'"])
    assert ran.code == 0, ran.err
    assert log(box) == ["install|beta|alpha<2|"]
    assert {"alpha", "beta"} <= box.packages()
    assert box.run("check").code == 0


@pytest.mark.parametrize(
    "line", ["alias pip=pip3", "alias pip='python3 -m pip'", "# alias pip=guard", "alias pipx=guard"]
)
def test_what_leads_to_safepip_or_is_not_about_pip_is_not_named(box: Sandbox, line: str) -> None:
    rc(box, line, f'eval "$({box.safepip} init bash)"')
    assert "makes pip" not in told(box)


def test_a_foreign_program_called_safepip_is_named(box: Sandbox) -> None:
    folder = wrapper(box, "#!/bin/sh\necho foreign\n", "safepip")
    box.variables["PATH"] = f"{folder}:{box.variables['PATH']}"
    assert f"another safepip comes first on PATH: ~/guard/safepip, not {box.safepip}" in told(box)
