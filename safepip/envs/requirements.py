"""Read lines and requirements files that every pip reads alike.

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

    from safepip.core.pip_line import ConfigFile, PipCommand

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


def named_files(
    words: Sequence[str],
    variables: Mapping[str, str],
    configuration: Sequence[ConfigFile],
    content_of: Callable[[str], bytes | None],
) -> dict[str, bytes] | None:
    """Return path and content of all files that a line names.

    Return None where not all is plain. What variables and configuration files say counts as much as the words.
    """
    command = read(words, variables, configuration)
    if command.outcome != "ok":
        return None
    if not all(map(parse, command.requirements)):
        return None
    if not _has_safe_options(command, variables, configuration):
        return None
    found: dict[str, bytes] = {}
    paths = [*command.r_files, *command.constraints]
    while paths:
        path = paths.pop()
        if path in found:
            continue
        # pip could take such a path for a URL or a lock file (PEP 751).
        if ":" in path or os.path.basename(path).startswith("pylock"):
            return None
        content = content_of(path)
        if content is None or len(found) == _MOST_FILES:
            return None
        inner = nested(content)
        if inner is None:
            return None
        found[path] = content
        for name in inner:
            paths.append(os.path.join(os.path.dirname(path), name))
    return found


def _has_safe_options(
    command: PipCommand, variables: Mapping[str, str], configuration: Sequence[ConfigFile]
) -> bool:
    for option, _, value in command.options:
        if not _is_safe(option[2:], value or ""):
            return False
    for key, value, where in settings("install", variables, configuration):
        if key == "cache-dir" and not where.startswith("PIP_"):
            return False  # whether pip can write there is looked up for the line and for variables alone
        if not _is_safe(key, value):
            return False
    return True


def _is_safe(key: str, value: str) -> bool:
    """Return True if the option changes neither the install nor its requirements."""
    if key == "find-links":
        return "~" not in value  # which is the home directory only where the result exists
    return key in _SAFE


def nested(content: bytes) -> list[str] | None:
    """Return the files that a requirements file names, None where not plain."""
    lines = lines_of(content)
    if lines is None:
        return None
    found = []
    for line in lines:
        path = _nested(line) if line.startswith("-") else _in_requirement(line)
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
    """Yield the lines, those that a backslash continues as one."""
    begun = ""
    for line in lines:
        if line.lstrip().startswith("#"):  # ends what was begun, and is not continued
            yield f"{begun} {line}"
        elif line.endswith("\\"):
            begun += line.strip("\\")
            continue
        else:
            yield begun + line
        begun = ""
    yield begun


def _text(content: bytes) -> str | None:
    """Return the text of a file, None where pips may differ."""
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
    # A `#` begins one at the start of a line and after white space.
    at = line.find("#")
    while at > 0 and not line[at - 1].isspace():
        at = line.find("#", at + 1)
    if at < 0:
        return line
    return line[:at]


def _in_requirement(line: str) -> str | None:
    """Return "" (no file) for a plain requirement, which may have hashes."""
    wanted, *hashes = line.split(" --hash=")
    if parse(wanted.strip()) is None:
        return None
    for text in hashes:
        name, _, digits = text.strip().partition(":")
        if name not in {"sha256", "sha384", "sha512"} or not digits.isalnum():
            return None
    return ""


def _nested(line: str) -> str | None:
    """Return the file that an option names, "" for other plain options."""
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
    """Return the option and the value of `--index-url=URL` or `-i URL`."""
    separator = " "
    if line.startswith("--") and "=" in line:
        separator = "="
    option, _, value = line.partition(separator)
    return option, value.strip()
