"""An index that wants a user and a password: pip asks .netrc, then the person at the terminal, through safepip too."""

from __future__ import annotations

import base64
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sandbox import Ran, Sandbox

USER, PASSWORD = "me", "pass word"
PATIENCE = 60  # seconds
BARE = "bare pip"
KEYRING = f"""#!/bin/sh
case "$1" in
    --mode=creds) echo '{{"username": "{USER}", "password": "{PASSWORD}"}}' ;;
    get) [ "$3" = "{USER}" ] && echo "{PASSWORD}" ;;
esac
"""


class Guarded(SimpleHTTPRequestHandler):
    """Serve a folder, one level of it as /simple/NAME/, to the one user."""

    def do_GET(self) -> None:
        told = self.headers.get("Authorization", "")
        if told != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def translate_path(self, path: str) -> str:
        """Return the wheels' folder for each page of a project."""
        return super().translate_path("/" if path.endswith("/") else f"/{os.path.basename(path)}")

    def log_message(self, *_: Any) -> None:
        """Keep the standard error to the test."""


@pytest.fixture(scope="module")
def index(wheels: str) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=wheels))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()
    thread.join(PATIENCE)


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Give a project with an environment, and pip's settings that leave it to the index alone."""
    assert sandbox.run("install", "many0").code == 0
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        del sandbox.variables[name]
    sandbox.variables |= {
        "PIP_RETRIES": "0",
        "PIP_TIMEOUT": "20",
        "NO_PROXY": "127.0.0.1",
        "PIP_NO_CACHE_DIR": "1",
    }
    return sandbox


def line(box: Sandbox, who: str, *words: str) -> list[str]:
    """Return an install's command line: safepip's, or that of the environment's own pip."""
    program = [box.python, "-m", "pip"] if who == BARE else [box.safepip]
    return [*program, "install", *words]


def install(box: Sandbox, who: str, *words: str) -> Ran:
    return box.call(line(box, who, *words))


def test_netrc_tells_the_password(box: Sandbox, index: str) -> None:
    netrc = os.path.join(box.home, ".netrc")
    with open(netrc, "w", encoding="utf-8") as file:
        file.write(f'machine 127.0.0.1 login {USER} password "{PASSWORD}"\n')
    os.chmod(netrc, 0o600)
    ran = install(box, "safepip", "alpha", "--index-url", index)
    assert ran.code == 0, ran.err
    assert box.packages() == {"pip", "many0", "alpha"}


@pytest.mark.parametrize("who", ["safepip", "safepip without an environment yet"])
def test_a_person_at_the_terminal_is_asked(box: Sandbox, index: str, who: str) -> None:
    pexpect = pytest.importorskip("pexpect")
    program, *words = line(box, who, "alpha", "--index-url", index)
    variables = box.environ({"TERM": "dumb"})
    project = box.project if who == "safepip" else os.path.join(box.home, "another")
    os.makedirs(project, exist_ok=True)
    child = pexpect.spawn(program, words, env=variables, cwd=project, encoding="utf-8", timeout=PATIENCE)
    try:
        child.expect(r"User for 127\.0\.0\.1:\d+: ")
        child.sendline(USER)
        child.expect("Password: ")
        child.sendline(PASSWORD)
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == 0
    assert PASSWORD not in child.before
    assert "alpha" in box.packages(os.path.join(project, ".venv", "bin", "python"))


def test_where_nobody_may_be_asked_it_fails_as_bare_pip_does(box: Sandbox, index: str) -> None:
    words = ("--no-input", "alpha", "--index-url", index)
    bare, ours = install(box, BARE, *words), install(box, "safepip", *words)
    assert bare.code == ours.code == 1
    assert (ours.out, ours.pips_err) == (bare.out, bare.pips_err)
    assert b"User for" not in ours.out + ours.err
    assert box.packages() == {"pip", "many0"}


def test_a_keyring_on_path_tells_the_password(box: Sandbox, index: str) -> None:
    """Newer pips run `keyring --mode=creds --output=json get URL USER`, and older ones `keyring get URL USER`."""
    keyring = os.path.join(box.bin, "keyring")
    with open(keyring, "w", encoding="utf-8") as file:
        file.write(KEYRING)
    os.chmod(keyring, 0o755)
    box.variables["PATH"] = f"{box.bin}:{box.variables['PATH']}"
    with_user = index.replace("//", f"//{USER}@")
    ran = install(
        box, "safepip", "--keyring-provider", "subprocess", "--no-input", "alpha", "--index-url", with_user
    )
    assert ran.code == 0, ran.err
    assert box.packages() == {"pip", "many0", "alpha"}
