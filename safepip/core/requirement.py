"""Parse how a requirement is written: its name and version, and the file that `-r` or `--group` opens.

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
    """Return a distribution's name as PEP 503 compares names; importing re would cost more."""
    folded = name.lower().replace("_", "-").replace(".", "-")
    while "--" in folded:
        folded = folded.replace("--", "-")
    return folded


def parse(requirement: str) -> Requirement | None:
    """Return the parts of a requirement that is a name, with extras, versions and a marker at most.

    None for a path, a URL, an archive or an option, and wherever two releases of pip could read it differently.
    """
    wanted, semicolon, marker = requirement.partition(";")
    name, rest = _split(wanted.rstrip(" "))
    extras, rest = _extras(rest.strip(" "))
    if not name or is_archive(wanted) or not _is_specifier(rest):
        return None
    if semicolon and not (marker.strip() and _MARKER.issuperset(marker)):
        return None
    return Requirement(name=normalised_name(name), extras=extras, specifier=rest, marker=marker.strip())


def _is_specifier(text: str) -> bool:
    """Return True for versions as `>=3,<4`, and for none."""
    if text and text[0] not in "<>=!~(":
        return False
    return _SPECIFIER.issuperset(text) and " -" not in text


def name_in(requirement: str) -> str:
    """Return the normalised name that a requirement begins with, empty for a path, a URL or an archive."""
    wanted = requirement.partition(";")[0].strip()
    name, rest = _split(wanted)
    is_file = is_archive(wanted) and not rest.lstrip().startswith("@")
    return "" if is_file else normalised_name(name)


def name_and_version(path: str) -> tuple[str, str]:
    """Return the normalised name and the version that the name of a wheel or of a metadata directory tells.

    The version is "?" where the name does not tell it (as that of setuptools' development mode).
    """
    stem, _, kind = os.path.basename(path).rpartition(".")
    if kind == "dist-info":
        name, _, version = stem.rpartition("-")
        name, version = (name, version.replace("_", "-")) if name else (stem, "?")
    else:
        name, _, rest = stem.partition("-")
        version = rest.partition("-")[0].replace("_", "-") or "?"
    return normalised_name(name), version


def is_archive(requirement: str) -> bool:
    """Return True if pip takes the requirement for a file by its ending, extras left out."""
    return without_extras(requirement.strip()).lower().endswith(ARCHIVES)


def requirements_file(value: str) -> str | None:
    """Return the local file that pip opens for ``-r VALUE``, or None for a URL."""
    if value.lstrip().lower().startswith(_SCHEMES):
        return None
    without = without_extras(value)
    return without if is_lock_file(without) else value


def group_file(value: str) -> str:
    """Return the file in which pip looks for the dependency group of ``--group VALUE``."""
    path, colon, _ = value.rpartition(":")
    if not colon:
        return "pyproject.toml"
    without = without_extras(path)
    return without if is_lock_file(without) else path


def is_lock_file(path: str) -> bool:
    """Return True for the names that PEP 751 gives to lock files: pylock.toml and pylock.NAME.toml."""
    name = os.path.basename(path.rstrip("/"))
    between = name.removeprefix("pylock.").removesuffix(".toml")
    return name == "pylock.toml" or (name == f"pylock.{between}.toml" and between != "" and "." not in between)


def _split(text: str) -> tuple[str, str]:
    """Return the name at the beginning of a text, empty if there is not one, and the rest."""
    end = next((at for at, char in enumerate(text) if char not in _NAME), len(text))
    name, rest = text[:end], text[end:]
    whole = name[:1].isalnum() and name[-1:].isalnum()
    return (name, rest) if whole and (not rest or rest[0] in _AFTER_A_NAME) else ("", text)


def _extras(rest: str) -> tuple[str, str]:
    """Return the extras in brackets that a text begins with, and the rest."""
    inner, closed, after = rest.removeprefix("[").partition("]")
    if not rest.startswith("[") or not closed or not (_NAME | {",", " "}).issuperset(inner):
        return "", rest
    return f"[{inner}]", after.strip(" ")


def without_extras(text: str) -> str:
    """Return a path without the extras in brackets at its end, as pip's `strip_extras` does."""
    at = text.rfind("[")
    inner = text[at + 1 : -1]
    has_extras = at > 0 and text.endswith("]") and inner != "" and "]" not in inner
    return text[:at].rstrip() if has_extras else text
