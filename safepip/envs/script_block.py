"""Read the block (PEP 723) with a script's requirements."""

from __future__ import annotations

import io
import re
import sys
import tokenize
from typing import TYPE_CHECKING, Any

from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet

from safepip.core.record import Record
from safepip.core.requirement import normalised_name
from safepip.errors import BAD_SETTINGS, SafepipError
from safepip.system.files import read_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator

# The expression of the PEP, line by line: it takes time by the square of their number if no block ends.
_BEGINNING = re.compile(r"# /// ([a-zA-Z0-9-]+)")
_END = "# ///"
_MOST = 16 << 20  # bytes of a script that are read


class ScriptBlock(Record):
    """What the script at `path` needs."""

    path: str
    line: int  # of the block's beginning
    requirements: tuple[str, ...]  # sorted
    python: SpecifierSet


def read_block(path: str) -> ScriptBlock | None:
    """Return what the script's block says, or raise SafepipError."""
    lines = _lines(path)
    blocks = [(begin, end) for begin, end in _blocks(lines) if end]
    if not blocks:
        return None
    begin, end = blocks[0]
    if len(blocks) > 1:
        again = blocks[1][0] + 1
        raise _wrong(path, again, f"a second block of this type; the first is in line {begin + 1}")
    source = _Source(path=path, lines=lines, first=begin + 1)
    content = "".join(f"{line[2:]}\n" for line in lines[begin + 1 : end])
    table = _parsed(path, content, begin + 1)
    requirements = _requirements(table, source)
    python = table.get("requires-python", "")
    try:
        pythons = SpecifierSet(python if isinstance(python, str) else "?")
    except InvalidSpecifier:
        what = f"requires-python is {python!r}, which names no versions"
        raise source.wrong("requires-python", what) from None
    return ScriptBlock(path=path, line=begin + 1, requirements=requirements, python=pythons)


def unclosed_block(path: str) -> int | None:
    """Return the line of a beginning without an end, or None."""
    for begin, end in _blocks(_lines(path)):
        if not end:
            return begin + 1  # the PEP lets tools ignore it
    return None


def _blocks(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Yield where each block begins and ends, 0 without an end."""
    at = 0
    while at < len(lines):
        found = _BEGINNING.fullmatch(lines[at])
        if found is None:
            at += 1
            continue
        behind = at + 1
        end = 0
        while behind < len(lines) and (lines[behind] == "#" or lines[behind].startswith("# ")):
            if lines[behind] == _END and behind > at + 1:
                end = behind  # the last one of the comment counts
            behind += 1
        if found[1] == "script":
            yield at, end
        at = behind
        if end:
            at = end + 1


class _Source(Record):
    """A script, and the line in which its block begins."""

    path: str
    lines: list[str]
    first: int

    def wrong(self, value: object, what: str) -> SafepipError:
        """Return the error for the line that has the value."""
        for number, line in enumerate(self.lines[self.first :], start=self.first + 1):
            if str(value) in line:
                return _wrong(self.path, number, what)
        return _wrong(self.path, self.first, what)


def _lines(path: str) -> list[str]:
    """Return a script's lines, none if Python itself cannot read it."""
    content = read_regular(path, _MOST)
    if content is None:
        return []
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        text = content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        return []
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _parsed(path: str, content: str, first: int) -> dict[str, Any]:
    try:
        table: dict[str, Any] = tomllib.loads(content)
    except RecursionError:
        raise _wrong(path, first, "nested too deeply") from None
    except ValueError as error:  # a TOMLDecodeError, or a number with more digits than Python reads
        reason, _, position = str(error).partition(" (at ")
        line = position.removeprefix("line ").partition(",")[0]
        below = content.count("\n")  # for "at end of document"
        if line.isdecimal():
            below = int(line)
        raise _wrong(path, first + below, f"broken TOML: {reason}") from None
    return table


def _requirements(table: dict[str, Any], source: _Source) -> tuple[str, ...]:
    """Return the requirements, each in one way of writing."""
    wanted = table.get("dependencies", [])
    if not isinstance(wanted, list):
        raise source.wrong("dependencies", "dependencies is not a list")
    found = set()
    for one in wanted:
        try:
            requirement = Requirement(one)
        except (InvalidRequirement, TypeError):
            raise source.wrong(one, f"{one!r} is not a requirement (PEP 508)") from None
        requirement.name = normalised_name(requirement.name)  # without dots: pip takes a.zip for a file
        requirement.extras = {normalised_name(extra) for extra in requirement.extras}
        found.add(str(requirement))
    return tuple(sorted(found))


def _wrong(path: str, line: int, what: str) -> SafepipError:
    return SafepipError(BAD_SETTINGS, f"{path}:{line}: the script's block is wrong: {what}")
