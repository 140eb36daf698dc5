"""Show Markdown in a terminal or as plain text.

The pages of help use headings, paragraphs, lists of one level, tables and fenced code; within them `code`,
**bold** and links. A link to another page becomes the command that shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest

HEADING, PARAGRAPH, ITEM, TABLE, CODE = "heading", "paragraph", "item", "table", "code"
_BOLD, _CODE, _NORMAL = "\x1b[1m", "\x1b[36m", "\x1b[0m"
_ESCAPE = re.compile(r"\x1b\[\d*m")
_SPAN = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)]+)\)")
_NUMBER = re.compile(r"\d+\. ")
_FENCE = "```"
_BEGINS = {"#": HEADING, "- ": ITEM, "|": TABLE, _FENCE: CODE}
_FIXED_SPACE = "\xa0"  # within code: commands are not broken into lines


def blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the blocks of a page, as (kind, lines).

    A list has one block an item. The first line of code is what follows the fence: the language.
    """
    lines = iter([*text.splitlines(), ""])
    kind, held = PARAGRAPH, list[str]()
    for line in lines:
        new = _kind_of(line, kind)
        if new is not None:
            if held:
                yield kind, held
            kind, held = new, []
        if kind == CODE:
            yield CODE, [line.removeprefix(_FENCE), *iter(lambda: next(lines), _FENCE)]
            kind = PARAGRAPH
        elif line:
            held.append(line)


def _kind_of(line: str, before: str) -> str | None:
    """Return the kind of block that begins here, or None."""
    if not line:
        return PARAGRAPH
    if before == TABLE and line.startswith("|"):  # each row begins as a table does
        return None
    if _NUMBER.match(line):
        return ITEM
    for mark, kind in _BEGINS.items():
        if line.startswith(mark):
            return kind
    return None


def rendered(text: str, width: int, *, colour: bool) -> str:
    """Return a page wrapped to `width` characters, except for code."""
    out: list[str] = []
    before = None
    for kind, lines in blocks(text):
        follows_item = before == kind == ITEM
        if out and not follows_item:
            out.append("")
        before = kind
        out += _block(kind, lines, width, colour=colour)
    return "\n".join(out) + "\n"


def _block(kind: str, lines: list[str], width: int, *, colour: bool) -> list[str]:
    if kind == HEADING:
        return [_marked(lines[0].lstrip("# "), _BOLD, colour=colour)]
    if kind == CODE:
        return [_marked(f"      {line}", _CODE, colour=colour) if line else "" for line in lines[1:]]
    if kind == TABLE:
        return list(_table(lines, width, colour=colour))
    words = spans(" ".join(map(str.strip, lines)), colour=colour)
    if kind == ITEM:
        return wrapped(words, width, first="  ", rest="    ")
    return wrapped(words, width, first="  ", rest="  ")


def _marked(text: str, how: str, *, colour: bool) -> str:
    if not colour:
        return text
    return f"{how}{text}{_NORMAL}"


def spans(text: str, *, colour: bool) -> str:
    """Return a line with code, bold text and links for a terminal."""

    def one(found: re.Match[str]) -> str:
        code, bold, label, target = found.groups()
        if code:
            fixed = code.replace(" ", _FIXED_SPACE)
            if not colour:  # without colour the signs of code stay
                return f"`{fixed}`"
            return _marked(fixed, _CODE, colour=True)
        if bold:
            return _marked(bold, _BOLD, colour=colour)
        if "://" in target:
            return f"{label} <{target}>"
        topic = target.removesuffix(".md")
        command = spans(f"`safepip help {topic}`", colour=colour)
        if label == topic:
            return command
        return f"{label} ({command})"

    return _SPAN.sub(one, text)


def wrapped(text: str, width: int, *, first: str, rest: str) -> list[str]:
    """Return the words of a text as lines."""
    # As textwrap.wrap, but escape sequences take no room.
    start, *words = text.split(" ")
    lines = [first + start]
    for word in words:
        if _room(lines[-1]) + 1 + _room(word) > width:
            lines.append(rest + word)
        else:
            lines[-1] += f" {word}"
    return [line.replace(_FIXED_SPACE, " ") for line in lines]


def _room(text: str) -> int:
    return len(_ESCAPE.sub("", text))


def cells(row: str) -> list[str]:
    """Return the cells of a table's row."""
    found = re.split(r"(?<!\\)\|", row.strip())[1:-1]  # a cell may hold "\|"
    return [cell.strip().replace("\\|", "|") for cell in found]


def _table(rows: list[str], width: int, *, colour: bool) -> Iterator[str]:
    """Yield a table in columns, below its head a rule."""
    head, _, *body = map(cells, rows)
    table = []
    for row in (head, *body):
        table.append([spans(cell, colour=colour) for cell in row])
    widths = _widths(table, width)
    for number, row in enumerate(table):
        parts = [wrapped(cell, room, first="", rest="") for cell, room in zip(row, widths, strict=True)]
        for texts in zip_longest(*parts, fillvalue=""):
            yield _row(texts, widths)
        if number == 0:
            yield _row(map("-".__mul__, widths), widths)


def _widths(table: list[list[str]], width: int) -> list[int]:
    # The widest columns shrink until all fit, or until a word would break.
    columns = list(zip(*table, strict=True))
    widths = [max(map(_room, column)) for column in columns]
    least = [max(map(_room, " ".join(column).split(" "))) for column in columns]
    while sum(widths) + 2 * len(widths) > width and widths != least:
        at = max(range(len(widths)), key=lambda at: (widths[at] > least[at], widths[at]))
        widths[at] -= 1
    return widths


def _row(texts: Iterable[str], widths: list[int]) -> str:
    line = ""
    for text, room in zip(texts, widths, strict=True):
        line += "  " + text + " " * (room - _room(text))
    return line.rstrip()
