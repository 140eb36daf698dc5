#!/usr/bin/env python3
"""Draw where an install goes: python3 scripts/pictures/decision.py [--safepip PROGRAM] [OUT].

What stands beside a box is what the real safepip explains of such a line, on the managed /usr/bin/python3, in a
home directory made for it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple
from xml.sax.saxutils import escape

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PICTURE = os.path.join(ROOT, "scripts", "pictures", "decision.svg")
MANAGED = "/usr/bin/python3"
WIDTH, BOX, HEIGHT, STEP, MARGIN = 760, 300, 52, 84, 16
COLOURS = {
    "paper": ("#f6f8fa", "#1e1e2e"), "box": ("#ffffff", "#2a2b3d"), "goal": ("#ddf4e4", "#1f3a2b"),
    "ink": ("#1f2328", "#cdd6f4"), "dim": ("#59636e", "#9aa3bf"),
}  # fmt: skip
LINE = ("#8c959f", "#6c7086")


class Step(NamedTuple):
    """A question, the answer that ends the way and where it ends; a line to explain, and the plan it has."""

    question: str
    answer: str
    goal: str
    line: tuple[str, ...]
    plan: str
    at: str = "blog"
    active: bool = False


OF_OTHER = ("--python", "OTHER", "install", "flask")
TO_TARGET = ("install", "--target", "lib", "flask")
STEPS = (
    Step("Is an environment active?", "yes", "its pip", ("install", "flask"), "pip", active=True),
    Step("Does the system manage this Python?", "no", "pip, as typed", OF_OTHER, "pip"),
    Step("--target, --break-system-packages ...?", "yes", "pip, as typed", TO_TARGET, "pip"),
    Step("Are you in a project?", "yes", "its .venv, made when needed", ("install", "flask"), "create"),
    Step("Is it an application (httpie, black ...)?", "yes", "pipx", ("install", "httpie"), "pipx", at=""),
    Step("Anything else", "", "one environment in your home", ("install", "flask"), "create", at=""),
)  # fmt: skip


def main(argv: list[str]) -> int:
    """Ask safepip and draw; return the exit code."""
    parser = argparse.ArgumentParser(prog="decision.py", description="Draw where an install goes.")
    parser.add_argument("--safepip", metavar="PROGRAM", default=shutil.which("safepip"))
    parser.add_argument("--other", metavar="PYTHON", default=sys.executable, help="a Python that is not managed")
    parser.add_argument("out", nargs="?", default=PICTURE)
    options = parser.parse_args(argv)
    if options.safepip is None:
        parser.error("safepip is not on PATH: --safepip PROGRAM")
    with tempfile.TemporaryDirectory(prefix="decision-") as work:
        told = [explained(step, options.safepip, os.path.realpath(options.other), work) for step in STEPS]
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(draw(told))
    return 0


def explained(step: Step, safepip: str, other: str, work: str) -> str:
    """Return the first line that safepip explains of such a line; stop where its plan is another."""
    home = os.path.join(work, "you")
    project = os.path.join(home, "blog")
    os.makedirs(os.path.join(project, ".git"), exist_ok=True)
    environ = {"HOME": home, "PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": os.devnull, "LANG": "C.UTF-8"}
    if step.active:
        environment = os.path.join(work, "active")
        subprocess.run([MANAGED, "-m", "venv", "--without-pip", environment], check=True)
        environ |= {"VIRTUAL_ENV": environment, "PATH": f"{environment}/bin:/usr/bin:/bin"}
    line = [other if word == "OTHER" else word for word in step.line]
    command, cwd = [safepip, "explain"], os.path.join(home, step.at)
    answer = subprocess.run([*command, "--json", *line], env=environ, cwd=cwd, capture_output=True, check=True)
    plan = json.loads(answer.stdout)["plan"]
    if plan != step.plan:
        message = f"{step.question} safepip plans {plan}, not {step.plan}"
        raise SystemExit(message)
    first = subprocess.run([*command, *line], env=environ, cwd=cwd, capture_output=True, text=True, check=True)
    shown = (
        first.stdout.splitlines()[0]
        .partition(", then")[0]
        .replace(home, "~")
        .replace(os.path.join(work, "active"), "~/other/.venv")
    )
    return shown.replace(other, "~/.pyenv/bin/python3")


def draw(told: list[str]) -> str:
    """Return the picture."""
    height = 2 * MARGIN + STEP * len(STEPS) - (STEP - HEIGHT) + 64
    parts = [text(MARGIN + BOX / 2, MARGIN + 20, "pip install X", "ink b", middle=True)]
    for number, (step, line) in enumerate(zip(STEPS, told, strict=True)):
        y = MARGIN + 40 + STEP * number
        parts += [arrow(MARGIN + BOX / 2, y - (12 if number == 0 else STEP - HEIGHT), MARGIN + BOX / 2, y)]
        parts += box(step, y, MARGIN, MARGIN + BOX + 70)
        parts.append(text(MARGIN + BOX + 70, y + HEIGHT + 16, line, "dim small"))
    style = "".join(f".{name}{{fill:{light}}}" for name, (light, _) in COLOURS.items())
    dark = "".join(f".{name}{{fill:{dark}}}" for name, (_, dark) in COLOURS.items())
    fonts = "text{font:14px system-ui,sans-serif}.small{font-size:12px}.b{font-weight:600}"
    css = f"{fonts}.line{{fill:none}}.line,.edge{{stroke:{LINE[0]}}}{style}"
    css += f"@media(prefers-color-scheme:dark){{{dark}.line,.edge{{stroke:{LINE[1]}}}}}"
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
        "<title>Where pip install goes: six questions, the first that fits counts</title>",
        f"<style>{css}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>',
        *parts,
        "</svg>\n",
    ))  # fmt: skip


def box(step: Step, y: float, left: float, right: float) -> list[str]:
    """Return a question, an arrow with the answer, and where that leads."""
    middle, width = y + HEIGHT / 2, WIDTH - right - MARGIN
    return [
        f'<rect class="box edge" x="{left}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="6"/>',
        text(left + BOX / 2, middle + 5, step.question, "ink", middle=True),
        arrow(left + BOX, middle, right, middle),
        text((left + BOX + right) / 2, middle - 6, step.answer, "dim small", middle=True),
        f'<rect class="goal" x="{right}" y="{y + 6}" width="{width}" height="{HEIGHT - 12}" rx="18"/>',
        text((right + WIDTH - MARGIN) / 2, middle + 5, step.goal, "ink b", middle=True),
    ]


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a line with a head at its end, to the right or downwards."""
    head = (
        f"M{x2 - 6},{y2 - 4}L{x2},{y2}L{x2 - 6},{y2 + 4}"
        if y1 == y2
        else f"M{x2 - 4},{y2 - 6}L{x2},{y2}L{x2 + 4},{y2 - 6}"
    )
    return f'<path class="line" d="M{x1},{y1}L{x2},{y2}{head}"/>'


def text(x: float, y: float, words: str, kind: str, *, middle: bool = False) -> str:
    """Return a line of text."""
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}"{anchor}>{escape(words)}</text>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
