#!/usr/bin/env python3
"""Type the quick starts of ten well-known libraries, and tell which run.

    python3 scripts/machines/quickstarts.py [--way hook|alias|shims] [--at project|home] [SAFEPIP]

Each is its documentation's `pip install` line and first lines of code, typed into an interactive bash on a
terminal with a fresh home, whose Python is the managed /usr/bin/python3: in a new directory and at home; with the
line of `safepip init`, with `alias pip=safepip`, and with shims on PATH. With the hook, commands are typed as
documented. An alias and shims leave other programs alone: where these do not run what was installed, the command
is typed as safepip says after the install. Needs the index. The exit code is the number of failures.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

PATIENCE = 600  # seconds for all of one quick-start
KEPT = ("PIP_CERT", "PIP_INDEX_URL", "PIP_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")


class QuickStart(NamedTuple):
    """What is typed: the install line, a file called app.py, a command that uses it, and what that shows."""

    install: str
    code: str
    command: str
    shows: str


QUICKSTARTS = (
    QuickStart(
        "pip install Flask",
        "from flask import Flask\napp = Flask(__name__)\n@app.route('/')\n"
        "def hello_world():\n    return '<p>Hello, World!</p>'\n",
        "flask routes",
        "hello_world",
    ),
    QuickStart(
        "python -m pip install requests",
        "import requests\nr = requests.Request('GET', 'https://api.github.com/', params={'a': 1}).prepare()\n"
        "print(r.url)\n",
        "python app.py",
        "https://api.github.com/?a=1",
    ),
    QuickStart(
        "pip install numpy",
        "import numpy as np\na = np.arange(15).reshape(3, 5)\nprint(a.shape)\n",
        "python3 app.py",
        "(3, 5)",
    ),
    QuickStart(
        "pip install pandas",
        "import pandas as pd\ns = pd.Series([1, 3, 5])\nprint(s.sum())\n",
        "python app.py",
        "9",
    ),
    QuickStart(
        "pip install rich",
        "from rich import print\nprint('Hello, [b]World[/b]!')\n",
        "python app.py",
        "Hello, World!",
    ),
    QuickStart(
        "pip install click",
        "import click\n@click.command()\n@click.option('--count', default=1)\ndef hello(count):\n"
        "    for x in range(count):\n        click.echo('Hello there!')\nhello()\n",
        "python app.py --count=3",
        "Hello there!",
    ),
    QuickStart(
        "pip install pydantic",
        "from pydantic import BaseModel\nclass User(BaseModel):\n    id: int\nprint(User(id='123').id + 1)\n",
        "python app.py",
        "124",
    ),
    QuickStart(
        "pip3 install beautifulsoup4",
        "from bs4 import BeautifulSoup\nprint(BeautifulSoup('<b>bold</b>', 'html.parser').b.string)\n",
        "python3 app.py",
        "bold",
    ),
    QuickStart(
        "pip install -U pytest", "def test_answer():\n    assert 3 + 1 == 4\n", "pytest app.py", "1 passed"
    ),
    QuickStart(
        'pip install "fastapi[standard]"',
        "from fastapi import FastAPI\nfrom fastapi.testclient import TestClient\napp = FastAPI()\n@app.get('/')\n"
        "def read_root():\n    return {'Hello': 'World'}\nprint(TestClient(app).get('/').json())\n",
        "python app.py",
        "{'Hello': 'World'}",
    ),
)
PLACES = ("project", "home")
WAYS = {  # what stands in ~/.bashrc
    "hook": 'eval "$({safepip} init bash)"\n',
    "alias": "alias pip={safepip} pip3={safepip}\n",
    "shims": "{safepip} shims {shims} --python 2>/dev/null\nPATH={shims}:$PATH\n",
}
DONE = "it is installed"
DONE_TYPED = "'it is insta''lled'"  # the terminal shows what is typed, too


def main(argv: list[str]) -> int:
    """Try each quick start in every place and way; return how many do not run."""
    said = arguments().parse_args(argv)
    safepip = os.path.abspath(said.safepip) if said.safepip else shutil.which("safepip")
    if not safepip or not os.access(safepip, os.X_OK):
        print("name the safepip to try: quickstarts.py SAFEPIP", file=sys.stderr)
        return 64
    failed = 0
    for way in said.way or WAYS:
        for place in said.at or PLACES:
            failed += trial(way, place, safepip)
    return failed


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Type the quick starts of ten well-known libraries.")
    parser.add_argument("--way", action="append", choices=WAYS, help="how pip comes to be safepip (default: all)")
    parser.add_argument("--at", action="append", choices=PLACES, help="where it is typed (default: both)")
    parser.add_argument("safepip", nargs="?", help="default: the one on PATH")
    return parser


def trial(way: str, place: str, safepip: str) -> int:
    """Try each quick start in one place and way; return how many do not run."""
    failed = 0
    for start in QUICKSTARTS:
        began = time.monotonic()
        typed, shown = tried(start, way, place, safepip)
        runs = any(start.shows in line for line in shown.splitlines())
        took = f"{time.monotonic() - began:.0f} s"
        print(f"{'runs ' if runs else 'FAILS'}  {way}, {place}: {start.install}; {typed} ({took})", flush=True)
        failed += not runs
        if not runs:
            print(shown)
    print(f"{way}, {place}: {len(QUICKSTARTS) - failed} of {len(QUICKSTARTS)} run", flush=True)
    return failed


def tried(start: QuickStart, way: str, place: str, safepip: str) -> tuple[str, str]:
    """Return the last line as it was typed, and what it printed; all that was printed where the install failed."""
    with tempfile.TemporaryDirectory(prefix="quickstart-") as home:
        folder = home if place == "home" else os.path.join(home, "project")
        os.makedirs(folder, exist_ok=True)
        shims = os.path.join(home, "shims")
        with open(os.path.join(home, ".bashrc"), "w", encoding="utf-8") as rc:
            rc.write(WAYS[way].format(safepip=shlex.quote(safepip), shims=shlex.quote(shims)))
        with open(os.path.join(folder, "app.py"), "w", encoding="utf-8") as app:
            app.write(start.code)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        variables = {"HOME": home, "PATH": "/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8", **kept}
        install = re.sub(r"^python3? -m ", "", start.install) if way == "alias" else start.install
        installed = in_terminal(f"{install} && echo {DONE_TYPED}", folder, variables)
        if DONE not in installed:
            return start.install, installed
        command = start.command
        if "run it with:" in installed or "safepip run FILE.py" in installed:
            command = f"{shlex.quote(safepip)} run {command}"
        return command, in_terminal(command, folder, variables)


def in_terminal(line: str, folder: str, variables: dict[str, str]) -> str:
    """Return what an interactive bash on a terminal prints for one line."""
    mine, its = pty.openpty()
    argv = ["/bin/bash", "-i"]
    child = subprocess.Popen(
        argv, cwd=folder, env=variables, stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    os.write(mine, f"{line}\nexit\n".encode())
    printed = b""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and select.select([mine], [], [], until - time.monotonic())[0]:
        try:
            printed += os.read(mine, 65536)
        except OSError:
            break
    child.kill()
    child.wait()
    os.close(mine)
    return printed.decode("utf-8", "replace").replace("\r\n", "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
