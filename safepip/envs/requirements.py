"""Read what a line or a requirements file asks for, if every pip reads it alike.

pip decodes a file, joins lines at a backslash, takes comments away and gives the rest to shlex and optparse
(`_internal/req/req_file.py`). Where one of these steps could read it in more than one way, or lead pip to
anything but names of distributions, the answer here is None: only pip can tell.
"""

from __future__ import annotations

import os

from safepip.core.pip_line import keys, read, settings
from safepip.core.requirement import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from safepip.core.pip_line import ConfigFile

_MOST_FILES = 64
_SAFE_KEYS = ("requirement", "constraint", "isolated")
# Other ends of a line, an encoding other than UTF-8, and what pip exchanges for a variable's value.
_STRANGE = (
    b"\0", b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9",
    b"\xef\xbb\xbf", b"${",
)  # fmt: skip
_NESTING = ("-r", "--requirement", "-c", "--constraint")
_FLAGS = ("--no-index", "--prefer-binary", "--require-hashes")
_VALUED = ("-i", "--index-url", "--extra-index-url", "--trusted-host", "--only-binary", "--no-binary")


def asked_files(
    words: Sequence[str], variables: Mapping[str, str], configuration: Sequence[ConfigFile]
) -> tuple[str, ...] | None:
    """Return the files that a line names, or None if it asks for more than plain names.

    What variables and configuration files say counts as much as the words.
    """
    command = read(words, variables, configuration)
    if command.outcome != "ok" or not all(map(parse, command.requirements)):
        return None
    given = [(option[2:], value or "") for option, _, value in command.options]
    found = list(settings("install", variables, configuration))
    if any(key == "cache-dir" and not where.startswith("PIP_") for key, _, where in found):
        return None  # whether pip can write there is looked up for the line and for variables alone
    given += [(key, value) for key, value, _ in found if key != "config-file"]
    idle = keys("idle")
    for key, value in given:
        if key not in idle and key not in _SAFE_KEYS:
            return None
        if key == "find-links" and "~" in value:
            return None  # `~` is the home directory only where the result exists
    return (*command.r_files, *command.constraints)


def with_nested(asked: Iterable[str], content_of: Callable[[str], bytes | None]) -> list[tuple[str, bytes]] | None:
    """Return path and content of requirements files, and of those that they name, relative to the first."""
    found: dict[str, bytes] = {}
    paths = list(asked)
    while paths:
        path = paths.pop()
        if path in found:
            continue
        content = None if _leads_elsewhere(path) else content_of(path)
        inner = None if content is None else nested(content)
        if content is None or inner is None or len(found) == _MOST_FILES:
            return None
        found[path] = content
        paths.extend(os.path.join(os.path.dirname(path), name) for name in inner)
    return list(found.items())


def _leads_elsewhere(path: str) -> bool:
    """Return True if pip could take the path for a URL or a lock file (PEP 751)."""
    return ":" in path or os.path.basename(path).startswith("pylock")


def nested(content: bytes) -> list[str] | None:
    """Return the files that a requirements file names, as written there; None where that is not plain."""
    lines = lines_of(content)
    if lines is None:
        return None
    found: list[str] = []
    for line in lines:
        if not line.startswith("-"):
            if not _is_plain_line(line):
                return None
            continue
        path = _nested(line)
        if path is None:
            return None
        if path:
            found.append(path)
    return found


def lines_of(content: bytes) -> list[str] | None:
    """Return the lines without comments, those that a backslash continues joined, as pip's preprocessing does."""
    if any(mark in content for mark in _STRANGE) or b"coding" in b"".join(content.split(b"\n", 2)[:2]):
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    joined, begun = [], ""
    for line in text.splitlines():
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            begun += line.strip("\\")
        else:
            joined.append(begun + (" " + line if is_comment else line))
            begun = ""
    bare = [_without_comment(line).strip() for line in (*joined, begun)]
    return [line for line in bare if line]


def _without_comment(line: str) -> str:
    """Return what stands before a `#` that begins the line or follows white space."""
    at = line.find("#")
    while at > 0 and not line[at - 1].isspace():
        at = line.find("#", at + 1)
    return line if at < 0 else line[:at]


def _is_plain_line(line: str) -> bool:
    """Return True for a plain requirement, with hashes at most."""
    wanted, *hashes = line.split(" --hash=")
    return parse(wanted.strip()) is not None and all(_is_hash(each.strip()) for each in hashes)


def _is_hash(text: str) -> bool:
    name, _, digits = text.partition(":")
    return name in {"sha256", "sha384", "sha512"} and digits.isalnum()


def _nested(line: str) -> str | None:
    """Return the file that a line of options names, "" if it only says where packages come from, else None."""
    if any(char in line for char in "\\'\""):
        return None
    separator = "=" if line.startswith("--") and "=" in line else " "
    option, _, value = line.partition(separator)
    value = value.strip()
    if not value:
        return "" if option in _FLAGS else None
    if value.startswith("-") or " " in value or "\t" in value:
        return None
    if option in _VALUED:
        return ""
    return value if option in _NESTING and ":" not in value else None
