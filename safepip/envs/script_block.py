"""Read the block in which a script says what it needs: PEP 723, inline script metadata."""

from __future__ import annotations

import io
import re
import sys
import tokenize
from typing import Any

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

# The expression of the PEP, with "script" for any type.
_BLOCK = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
_BEGINNING = re.compile(r"(?m)^# /// script$")
_MOST = 16 << 20  # bytes of a script that are read


class ScriptBlock(Record):
    """What a script needs: its `requirements` as pip reads them, sorted, and the Pythons that it runs on."""

    path: str
    line: int
    requirements: tuple[str, ...]
    python: SpecifierSet


def read_block(path: str) -> ScriptBlock | None:
    """Return what the block in the script at `path` says, None without one; raise SafepipError for a wrong one."""
    text = _text(path)
    blocks = list(_BLOCK.finditer(text))
    if not blocks:
        return None
    first = _line(text, blocks[0].start())
    if len(blocks) > 1:
        again = _line(text, blocks[1].start())
        raise _wrong(path, again, f"a second block of this type; the first is in line {first}")
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in _lines(blocks[0]["content"]))
    table = _parsed(path, content, first)
    return ScriptBlock(
        path=path,
        line=first,
        requirements=_requirements(path, table, _Places(text, first)),
        python=_python(path, table, _Places(text, first)),
    )


def unclosed_block(path: str) -> int | None:
    """Return the line of a beginning without an end, which the PEP has tools ignore, or None."""
    text = _text(path)
    begun = _BEGINNING.search(text)
    return _line(text, begun.start()) if begun and not _BLOCK.search(text) else None


class _Places:
    """Finds the line in which a value stands, for messages."""

    def __init__(self, text: str, first: int) -> None:
        self.lines = text.split("\n")
        self.first = first

    def line_of(self, value: object) -> int:
        """Return the line in which the value stands as text, else the block's first."""
        behind = self.lines[self.first :]
        found = (at for at, line in enumerate(behind, start=self.first + 1) if str(value) in line)
        return next(found, self.first)


def _text(path: str) -> str:
    """Return the text of a script, with plain line ends; empty for what Python itself cannot read."""
    content = read_regular(path, _MOST)
    if content is None:
        return ""
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        text = content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        return ""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.split("\n")]


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
