#!/usr/bin/env python3
"""Type the quick-starts of ten well-known libraries after `safepip init bash`, and tell which run.

    python3 scripts/quickstarts.py [SAFEPIP]

Each is its documentation's `pip install` line and first lines of code, typed into an interactive bash with a fresh
home, whose Python is the managed /usr/bin/python3. Needs the index. The exit code is the number of failures.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
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


def main(argv: list[str]) -> int:
    """Try each in a fresh home and project; return how many do not run."""
    safepip = os.path.abspath(argv[0]) if argv else shutil.which("safepip")
    if not safepip or not os.access(safepip, os.X_OK):
        print("name the safepip to try: quickstarts.py SAFEPIP", file=sys.stderr)
        return 64
    failed = 0
    for start in QUICKSTARTS:
        shown = tried(start, safepip)
        runs = any(line.strip() == start.shows or start.shows in line for line in shown.splitlines())
        print(f"{'runs ' if runs else 'FAILS'}  {start.install}", flush=True)
        failed += not runs
        if not runs:
            print(shown)
    print(f"{len(QUICKSTARTS) - failed} of {len(QUICKSTARTS)} run")
    return failed


def tried(start: QuickStart, safepip: str) -> str:
    """Return what the last line typed wrote, or all that was written where the install failed."""
    with tempfile.TemporaryDirectory(prefix="quickstart-") as home:
        project = os.path.join(home, "project")
        os.mkdir(project)
        with open(os.path.join(home, ".bashrc"), "w", encoding="utf-8") as rc:
            rc.write(f'eval "$({shlex.quote(safepip)} init bash)"\n')
        with open(os.path.join(project, "app.py"), "w", encoding="utf-8") as app:
            app.write(start.code)
        typed = f"{start.install} || exit\nprintf '\\f'\n{start.command}\nexit\n"
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        variables = {"HOME": home, "PATH": "/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8", **kept}
        try:
            done = subprocess.run(
                ["/bin/bash", "-i"], input=typed, cwd=project, env=variables, timeout=PATIENCE, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            return str(error)
        _, came, after = done.stdout.partition("\f")
        return after if came else done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
