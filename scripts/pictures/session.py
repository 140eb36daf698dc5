#!/usr/bin/env python3
"""Record and draw a session: python3 scripts/pictures/session.py --wheels FOLDER [--safepip PROGRAM].

A real shell in a real pseudo-terminal, with the system's pip, the real safepip, an empty home directory, and the
wheels of FOLDER instead of a network; what is typed is SESSION. Drawn is what came, but for three things: the
home directory is called /home/you, what tells of FOLDER is left out, and of long answers the end is cut off (…).
The same output gives the same picture, byte for byte.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import sys
import tempfile
import termios
import time
from typing import NamedTuple
from xml.sax.saxutils import escape

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PICTURE = os.path.join(ROOT, "scripts", "pictures", "session.svg")
SESSION = (
    "pip install flask",
    "alias pip=safepip",
    "pip install flask",
    "safepip run flask --version",
    "safepip undo",
)
LONGEST = 4  # lines of an answer that are shown: the first, but of an installation the first and the last
COLUMNS, ROWS, PATIENCE = 90, 50, 120
READY = b"\x1b]133;B\x07"  # what terminals are told at the end of a prompt

FONT, WIDTH, HEIGHT, MARGIN = 14, 8.43, 20, 16
# The colours of a terminal by their number, on light paper and on dark.
COLOURS = {
    "30": ("#5c5f77", "#7f849c"), "31": ("#c01c3c", "#f38ba8"), "32": ("#2a7e1a", "#a6e3a1"),
    "33": ("#8a5a00", "#f9e2af"), "34": ("#1e55c9", "#89b4fa"), "35": ("#a3268f", "#f5c2e7"),
    "36": ("#0f7478", "#94e2d5"), "37": ("#4c4f69", "#cdd6f4"),
}  # fmt: skip
PAPER, INK = ("#f6f8fa", "#1e1e2e"), ("#1f2328", "#cdd6f4")


class Style(NamedTuple):
    """How text looks: a colour of COLOURS by its number, or "", and whether it is bold."""

    colour: str = ""
    bold: bool = False


Cell = tuple[str, Style]
Line = list[Cell]


def main(argv: list[str]) -> int:
    """Record and draw; return the exit code."""
    parser = argparse.ArgumentParser(prog="session.py", description="Draw a session of safepip's.")
    parser.add_argument("--wheels", metavar="FOLDER", required=True, help="flask and what it needs")
    parser.add_argument("--safepip", metavar="PROGRAM", default=shutil.which("safepip"))
    parser.add_argument("out", nargs="?", default=PICTURE)
    options = parser.parse_args(argv)
    if options.safepip is None:
        parser.error("safepip is not on PATH: --safepip PROGRAM")
    with tempfile.TemporaryDirectory(prefix="session-") as work:
        answers = record(
            SESSION, surroundings(work, options.wheels, options.safepip), os.path.join(work, "you/blog")
        )
    text = draw([shown(answer, work, options.wheels) for answer in answers])
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


# --- recording


def surroundings(work: str, wheels: str, safepip: str) -> dict[str, str]:
    """Return the variables of the session, with a home and a project below `work`."""
    programs = os.path.join(work, "bin")
    os.makedirs(programs)
    os.makedirs(os.path.join(work, "you", "blog", ".git"))
    os.symlink(os.path.abspath(safepip), os.path.join(programs, "safepip"))
    return {
        "HOME": os.path.join(work, "you"), "PATH": f"{programs}:/usr/bin:/bin", "TERM": "xterm-256color",
        "LANG": "C.UTF-8", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": os.path.abspath(wheels),
        "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_PROGRESS_BAR": "off",
        "PS1": "\\[\\e[32m\\]\\w\\[\\e[m\\] $ \\[\\e]133;B\\a\\]", "COLUMNS": str(COLUMNS),
    }  # fmt: skip


def record(lines: tuple[str, ...], environ: dict[str, str], cwd: str) -> list[bytes]:
    """Type `lines` into a shell in a pseudo-terminal; return what it wrote for each, the prompt included."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], environ)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    prompt = read_until_ready(terminal)
    answers = []
    for line in lines:
        os.write(terminal, line.encode() + b"\n")
        answer, _, following = read_until_ready(terminal).rpartition(b"\n")
        answers.append(prompt + answer)
        prompt = following
    os.write(terminal, b"exit\n")
    os.close(terminal)
    os.waitpid(pid, 0)
    return answers


def read_until_ready(terminal: int) -> bytes:
    """Return all that comes before the end of the next prompt."""
    came = b""
    until = time.monotonic() + PATIENCE
    while READY not in came:
        if not select.select([terminal], [], [], max(0, until - time.monotonic()))[0]:
            raise TimeoutError(came.decode(errors="replace"))
        came += os.read(terminal, 1)
    return came.removesuffix(READY)


# --- what is shown of it


def shown(answer: bytes, work: str, wheels: str) -> list[Line]:
    """Return the lines of an answer that are drawn."""
    text = answer.decode(errors="replace").replace(os.path.join(work, "you"), "/home/you")
    text = re.sub(r"(?m)^Looking in links: .*\n", "", text.replace("\r\n", "\n"))
    text = text.replace(f"Processing {os.path.abspath(wheels)}/", "Processing ")
    lines = screen(text)
    first, rest = lines[0], [line for line in lines[1:] if line]
    if len(rest) <= LONGEST:
        return [first, *rest]
    is_work = any(plain(line).startswith("Successfully") for line in rest)
    kept = [rest[0], [("…", Style())], *rest[1 - LONGEST :]] if is_work else [*rest[:LONGEST], [("…", Style())]]
    return [first, *kept]


def plain(line: Line) -> str:
    """Return the text of a line."""
    return "".join(char for char, _ in line)


def screen(text: str) -> list[Line]:
    """Return the lines that a terminal shows after `text`; it knows returns, erasing and colours."""
    lines: list[Line] = [[]]
    at, style = 0, Style()
    for found in re.finditer(
        r"\x1b\[([\d;?]*)([A-Za-z])|\x1b\][^\x07]*\x07|\x1b.|([\r\n\b])|([^\x00-\x1f])", text
    ):
        parameters, final, control, char = found.groups()
        if char:
            lines[-1][at : at + 1] = [(char, style)]
            at += 1
        elif control == "\n":
            lines.append([])
            at = 0
        elif control:
            at = 0 if control == "\r" else max(0, at - 1)
        elif final == "K":
            del lines[-1][0 if parameters == "2" else at :]
        elif final == "m":
            style = styled(style, parameters)
    return [trimmed(line) for line in lines]


def styled(style: Style, parameters: str) -> Style:
    """Return the style after one sequence that sets some of it."""
    for number in (parameters or "0").split(";"):
        if number in {"", "0"}:
            style = Style()
        elif number in {"1", "22"}:
            style = style._replace(bold=number == "1")
        elif number == "39" or number in COLOURS:
            style = style._replace(colour="" if number == "39" else number)
        elif len(number) == 2 and number[0] == "9":
            style = style._replace(colour="3" + number[1])
    return style


def trimmed(line: Line) -> Line:
    """Return the line without the space at its end."""
    return line[: len(plain(line).rstrip())]


# --- drawing


def draw(answers: list[list[Line]]) -> str:
    """Return the picture of the answers, one below the other."""
    lines = [part for answer in answers for line in (*answer, []) for part in wrapped(line)][:-1]
    width, height = round(COLUMNS * WIDTH + 2 * MARGIN), len(lines) * HEIGHT + 2 * MARGIN
    title = " ".join(("A session in a terminal:", *(plain(answer[0]) + ";" for answer in answers if answer)))
    rows = [row(line, MARGIN + FONT + number * HEIGHT) for number, line in enumerate(lines) if line]
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        f"<title>{escape(title.rstrip(';'))}</title>",
        f"<style>{colours(0)}@media(prefers-color-scheme:dark){{{colours(1)}}}</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
        f'<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="{FONT}" class="ink">',
        *rows,
        "</g>",
        "</svg>\n",
    ))  # fmt: skip


def colours(scheme: int) -> str:
    """Return the style of a light picture (0) or a dark one (1)."""
    named = {"paper": PAPER, "ink": INK, **{f"c{number}": pair for number, pair in COLOURS.items()}}
    return "".join(f".{name}{{fill:{pair[scheme]}}}" for name, pair in named.items())


def wrapped(line: Line) -> list[Line]:
    """Return the line in pieces that fit."""
    return [line[at : at + COLUMNS] for at in range(0, len(line), COLUMNS)] or [[]]


def row(line: Line, y: int) -> str:
    """Return a line of text at the height `y`; each run has its own place, for fonts differ in width."""
    runs: list[tuple[str, Style]] = []
    for char, style in line:
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + char, style)
        else:
            runs.append((char, style))
    places = [sum(len(text) for text, _ in runs[:number]) for number in range(len(runs))]
    spans = "".join(span(text, style, place) for (text, style), place in zip(runs, places, strict=True))
    return f'<text y="{y}" xml:space="preserve">{spans}</text>'


def span(text: str, style: Style, column: int) -> str:
    """Return text of one style, from this column on."""
    colour = f' class="c{style.colour}"' if style.colour else ""
    weight = ' font-weight="bold"' if style.bold else ""
    return f'<tspan x="{MARGIN + column * WIDTH:.2f}"{colour}{weight}>{escape(text)}</tspan>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
