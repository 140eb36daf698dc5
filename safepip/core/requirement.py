"""Parse how a requirement is written, and what `-r` and `--group` open.

Source: PEP 508, and pip's `req/constructors.py`, `utils/filetypes.py` and `cli/req_command.py`. make_options.py
keeps a digest of these functions: a test fails when pip gives a value another meaning.
"""

from __future__ import annotations

import os

from .record import Record

ARCHIVES = (
    ".zip", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz",
    ".tar.xz", ".txz", ".tlz", ".tar.lz", ".tar.lzma",
)  # fmt: skip
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_EXTRAS = _NAME | frozenset(", ")
_SPECIFIER = _NAME | frozenset("<>=!~,*+() ")
_MARKER = _SPECIFIER | frozenset("'\"")
_AFTER_A_NAME = frozenset("[<>=!~(;@ ")
_SCHEMES = ("http:", "https:", "file:")


class Requirement(Record):
    """A requirement that is a plain name: normalised, and what follows it."""

    name: str
    extras: str = ""
    specifier: str = ""
    marker: str = ""


def normalised_name(name: str) -> str:
    """Return a distribution's name as PEP 503 compares names."""
    folded = name.lower().replace("_", "-").replace(".", "-")
    while "--" in folded:  # importing re for this would cost 6 ms
        folded = folded.replace("--", "-")
    return folded


def parse(requirement: str) -> Requirement | None:
    """Return the parts of a requirement that is a name.

    None for a path, a URL, an archive or an option, and wherever two releases of pip could read it differently.
    """
    wanted, semicolon, after = requirement.partition(";")
    marker = after.strip()
    if semicolon and not marker:
        return None
    if not _MARKER.issuperset(after):
        return None
    name, rest = _split(wanted.rstrip(" "))
    if name == "" or is_archive(wanted):  # "six.zip" is a file to pip, even where it does not exist
        return None
    extras, specifier = _extras(rest.strip(" "))
    if not _is_specifier(specifier):
        return None
    return Requirement(name=normalised_name(name), extras=extras, specifier=specifier, marker=marker)


def _is_specifier(text: str) -> bool:
    """Return True for versions as `>=3,<4`, and for the empty text."""
    if not text:
        return True
    if not text.startswith(("<", ">", "=", "!", "~", "(")):
        return False
    return _SPECIFIER.issuperset(text) and " -" not in text  # in a file an option may follow


def name_in(requirement: str) -> str:
    """Return the normalised name that a requirement begins with, or ""."""
    wanted = requirement.partition(";")[0].strip()
    name, rest = _split(wanted)
    if is_archive(wanted) and not rest.lstrip().startswith("@"):  # as "six @ file:///six.zip" (PEP 508)
        return ""
    return normalised_name(name)


def name_and_version(path: str) -> tuple[str, str]:
    """Return the normalised name and version of a wheel or metadata directory.

    The version is "?" where its name has none.
    """
    stem, _, kind = os.path.basename(path).rpartition(".")
    if kind == "dist-info":  # old tools left dashes in the name
        name, _, version = stem.rpartition("-")
        if not name:
            name, version = stem, ""
    else:  # Python, ABI and platform may follow
        name, _, rest = stem.partition("-")
        version = rest.partition("-")[0]
    return normalised_name(name), version.replace("_", "-") or "?"  # setuptools' development mode gives none


def is_archive(requirement: str) -> bool:
    """Return True if pip takes the requirement for a file."""
    return without_extras(requirement.strip()).lower().endswith(ARCHIVES)


def requirements_file(value: str) -> str | None:
    """Return the file that ``-r VALUE`` opens, or None for a URL."""
    if value.lstrip().lower().startswith(_SCHEMES):
        return None
    return _opened(value)


def group_file(value: str) -> str:
    """Return the file in which pip looks for ``--group VALUE``."""
    path, colon, _ = value.rpartition(":")
    if not colon:
        return "pyproject.toml"
    return _opened(path)


def _opened(path: str) -> str:
    # pip takes extras off the name of a lock file only.
    without = without_extras(path)
    if is_lock_file(without):
        return without
    return path


def is_lock_file(path: str) -> bool:
    """Return True for pylock.toml and pylock.NAME.toml (PEP 751)."""
    match os.path.basename(path.rstrip("/")).split("."):  # the name in between has no dots
        case ["pylock", "toml"]:
            return True
        case ["pylock", name, "toml"]:
            return name != ""
        case _:
            return False


def _split(text: str) -> tuple[str, str]:
    """Return the name that a text begins with, and the rest."""
    end = 0
    while text[end : end + 1] in _NAME:
        end += 1
    name, rest = text[:end], text[end:]
    if not (name[:1] + name[-1:]).isalnum():
        return "", text
    if rest and rest[0] not in _AFTER_A_NAME:
        return "", text
    return name, rest


def _extras(rest: str) -> tuple[str, str]:
    """Return the extras that a text begins with, and the rest."""
    if not rest.startswith("["):
        return "", rest
    inner, closed, after = rest[1:].partition("]")
    if not closed:
        return "", rest
    if not _EXTRAS.issuperset(inner):
        return "", rest
    return f"[{inner}]", after.strip(" ")


def without_extras(text: str) -> str:
    """Return a path without extras at its end, as pip's `strip_extras` does."""
    before, _, extras = text.rpartition("[")
    inner = extras.removesuffix("]")
    if before == "" or "]" in inner:
        return text
    if inner in {"", extras}:  # nothing between the brackets, or no closing one
        return text
    return before.rstrip()
