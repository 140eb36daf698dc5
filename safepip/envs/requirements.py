"""PURE  what a requirement or a file of them leads to, where it is so plain that every pip reads it alike.

pip decodes a file, joins lines at a backslash, takes comments away and gives the rest to shlex and optparse
(`_internal/req/req_file.py`). Where one of these steps could read it in more than one way, or lead pip to
anything but the names of distributions, nothing is said of it: only pip can tell.
"""

from __future__ import annotations

from safepip.core.requirement import parse

# Other ends of a line, an encoding other than UTF-8, and what pip exchanges for a variable's value.
_STRANGE = (
    b"\0", b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9",
    b"\xef\xbb\xbf", b"${",
)  # fmt: skip
_NESTING = ("-r", "--requirement", "-c", "--constraint")
_FLAGS = ("--no-index", "--prefer-binary", "--require-hashes")
_VALUED = ("-i", "--index-url", "--extra-index-url", "--trusted-host", "--only-binary", "--no-binary")


def nested(content: bytes) -> list[str] | None:
    """Return the files that a requirements file names, as written there; None where that is not plain."""
    found: list[str] = []
    lines = lines_of(content)
    for line in lines or ():
        path = _nested(line) if line.startswith("-") else "" if _is_plain_line(line) else None
        if path is None:
            return None
        if path:
            found.append(path)
    return found if lines is not None else None


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
    """Tell whether the line is a plain requirement, with hashes at most."""
    wanted, *hashes = line.split(" --hash=")
    return parse(wanted.strip()) is not None and all(_is_hash(each.strip()) for each in hashes)


def _is_hash(text: str) -> bool:
    name, _, digits = text.partition(":")
    return name in {"sha256", "sha384", "sha512"} and digits.isalnum()


def _nested(line: str) -> str | None:
    """Return the file that a line of options names, "" if it only says where packages come from, else None."""
    if any(char in line for char in "\\'\""):
        return None
    option, _, value = line.partition("=" if line.startswith("--") and "=" in line else " ")
    value = value.strip()
    if not value and option in _FLAGS:
        return ""
    if not value or value.startswith("-") or " " in value or "\t" in value:
        return None
    if option in _VALUED:
        return ""
    return value if option in _NESTING and ":" not in value else None
