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
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from safepip.core.pip_line import ConfigFile

_MOST_FILES = 64
_SAFE = keys("idle") | {"requirement", "constraint", "isolated", "config-file"}
# Other ends of a line, an encoding other than UTF-8, and what pip exchanges for a variable's value.
_STRANGE = (
    b"\0", b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9",
    b"\xef\xbb\xbf", b"${",
)  # fmt: skip
_QUOTES = frozenset("\\'\"")
_BLANKS = frozenset(" \t")
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
    if command.outcome != "ok":
        return None
    if not all(map(parse, command.requirements)):
        return None
    for option, _, value in command.options:
        if not _is_safe(option[2:], value or ""):
            return None
    for key, value, where in settings("install", variables, configuration):
        if key == "cache-dir" and not where.startswith("PIP_"):
            return None  # whether pip can write there is looked up for the line and for variables alone
        if not _is_safe(key, value):
            return None
    return (*command.r_files, *command.constraints)


def _is_safe(key: str, value: str) -> bool:
    """Return True if the option neither changes what an install does, nor names more requirements."""
    if key == "find-links":
        return "~" not in value  # which is the home directory only where the result exists
    return key in _SAFE


def with_nested(asked: Iterable[str], content_of: Callable[[str], bytes | None]) -> list[tuple[str, bytes]] | None:
    """Return path and content of requirements files, and of those that they name, relative to the first."""
    found: dict[str, bytes] = {}
    paths = list(asked)
    while paths:
        path = paths.pop()
        if path in found:
            continue
        if _leads_elsewhere(path) or len(found) == _MOST_FILES:
            return None
        content = content_of(path)
        if content is None:
            return None
        inner = nested(content)
        if inner is None:
            return None
        found[path] = content
        paths.extend(os.path.join(os.path.dirname(path), name) for name in inner)
    return list(found.items())


def _leads_elsewhere(path: str) -> bool:
    """Return True if pip could take the path for a URL or a lock file (PEP 751)."""
    if ":" in path:
        return True
    return os.path.basename(path).startswith("pylock")


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
    """Return the lines without comments, continued ones joined, as pip's preprocessing does."""
    text = _text(content)
    if text is None:
        return None
    bare = map(_without_comment, _joined(text.splitlines()))
    return list(filter(None, map(str.strip, bare)))


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, those that a backslash continues as one; a comment ends a line, and is not continued."""
    begun = ""
    for line in lines:
        is_comment = line.lstrip().startswith("#")
        if is_comment:
            yield f"{begun} {line}"
        elif line.endswith("\\"):
            begun += line.strip("\\")
            continue
        else:
            yield begun + line
        begun = ""
    yield begun


def _text(content: bytes) -> str | None:
    """Return the text of a file that every pip decodes alike, or None."""
    head = content.split(b"\n", 2)[:2]  # where a line may name the encoding (PEP 263)
    if b"coding" in b"".join(head):
        return None
    for mark in _STRANGE:
        if mark in content:
            return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _without_comment(line: str) -> str:
    """Return what stands before a `#` that begins the line or follows white space."""
    at = line.find("#")
    while at > 0 and not line[at - 1].isspace():
        at = line.find("#", at + 1)
    if at < 0:
        return line
    return line[:at]


def _is_plain_line(line: str) -> bool:
    """Return True for a plain requirement, with hashes at most."""
    wanted, *hashes = line.split(" --hash=")
    if parse(wanted.strip()) is None:
        return False
    return all(map(_is_hash, hashes))


def _is_hash(text: str) -> bool:
    name, _, digits = text.strip().partition(":")
    return name in {"sha256", "sha384", "sha512"} and digits.isalnum()


def _nested(line: str) -> str | None:
    """Return the file that a line of options names, "" if it only says where packages come from, else None."""
    if not _QUOTES.isdisjoint(line):
        return None
    option, value = split_option(line)
    if option in _FLAGS and not value:
        return ""
    if value.startswith("-") or not _BLANKS.isdisjoint(value):
        return None
    if not value:
        return None
    if option in _VALUED:
        return ""
    if option in _NESTING and ":" not in value:
        return value
    return None


def split_option(line: str) -> tuple[str, str]:
    """Return the option that a line begins with and what follows it, as `--index-url=URL` or `-i URL`."""
    separator = " "
    if line.startswith("--") and "=" in line:
        separator = "="
    option, _, value = line.partition(separator)
    return option, value.strip()
