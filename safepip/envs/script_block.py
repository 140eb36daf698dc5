"""Read the block in which a script says what it needs: PEP 723, inline script metadata."""

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

# What the expression of the PEP matches, line by line: it takes the square of their number where no block ends.
_BEGINNING = re.compile(r"# /// ([a-zA-Z0-9-]+)")
_END = "# ///"
_MOST = 16 << 20  # bytes of a script that are read


class ScriptBlock(Record):
    """What a script needs: its `requirements` as pip reads them, sorted, and the Pythons that it runs on."""

    path: str
    line: int
    requirements: tuple[str, ...]
    python: SpecifierSet


def read_block(path: str) -> ScriptBlock | None:
    """Return what the block in the script at `path` says, None without one; raise SafepipError for a wrong one."""
    lines = _lines(path)
    blocks = [(begin, end) for begin, end in _blocks(lines) if end]
    if not blocks:
        return None
    begin, end = blocks[0]
    if len(blocks) > 1:
        again = blocks[1][0] + 1
        raise _wrong(path, again, f"a second block of this type; the first is in line {begin + 1}")
    content = "".join(f"{line[2:]}\n" for line in lines[begin + 1 : end])
    table = _parsed(path, content, begin + 1)
    places = _Places(lines, begin + 1)
    return ScriptBlock(
        path=path,
        line=begin + 1,
        requirements=_requirements(path, table, places),
        python=_python(path, table, places),
    )


def unclosed_block(path: str) -> int | None:
    """Return the line of a beginning without an end, which the PEP has tools ignore, or None."""
    return next((begin + 1 for begin, end in _blocks(_lines(path)) if not end), None)


def _blocks(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last index of each block for scripts; the last is 0 if it has no end."""
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
        at = end + 1 if end else behind


class _Places:
    """Finds the line in which a value stands, for messages."""

    def __init__(self, lines: list[str], first: int) -> None:
        self.lines = lines
        self.first = first

    def line_of(self, value: object) -> int:
        """Return the line in which the value stands as text, else the block's first."""
        behind = self.lines[self.first :]
        found = (at for at, line in enumerate(behind, start=self.first + 1) if str(value) in line)
        return next(found, self.first)


def _lines(path: str) -> list[str]:
    """Return the lines of a script; none of one that Python itself cannot read."""
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
        below = int(line) if line.isdecimal() else content.count("\n")  # "end of document"
        raise _wrong(path, first + below, f"broken TOML: {reason}") from None
    return table


def _requirements(path: str, table: dict[str, Any], places: _Places) -> tuple[str, ...]:
    wanted = table.get("dependencies", [])
    if not isinstance(wanted, list):
        raise _wrong(path, places.line_of("dependencies"), "dependencies is not a list")
    return tuple(sorted({_normalised(path, one, places) for one in wanted}))


def _normalised(path: str, wanted: Any, places: _Places) -> str:
    """Return a requirement in one way of writing, with no dot in its name: pip takes a.zip for a file."""
    try:
        requirement = Requirement(wanted)
    except (InvalidRequirement, TypeError):
        raise _wrong(path, places.line_of(wanted), f"{wanted!r} is not a requirement (PEP 508)") from None
    requirement.name = normalised_name(requirement.name)
    requirement.extras = {normalised_name(extra) for extra in requirement.extras}
    return str(requirement)


def _python(path: str, table: dict[str, Any], places: _Places) -> SpecifierSet:
    wanted = table.get("requires-python", "")
    try:
        return SpecifierSet(wanted if isinstance(wanted, str) else "?")
    except InvalidSpecifier:
        what = f"requires-python is {wanted!r}, which names no versions"
        raise _wrong(path, places.line_of("requires-python"), what) from None


def _wrong(path: str, line: int, what: str) -> SafepipError:
    return SafepipError(BAD_SETTINGS, f"{path}:{line}: the script's block is wrong: {what}")
