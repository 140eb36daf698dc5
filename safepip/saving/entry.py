"""Say how a package is recorded in a file that lists dependencies."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

from pip._vendor.packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.version import InvalidVersion, Version

from safepip.core.record import Record
from safepip.core.requirement import is_archive, name_and_version, normalised_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMED = re.compile(
    r"\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<extras>\[[^\]]*\])?\s*"
    r"(?:@\s*(?P<url>\S+)\s*|(?P<specifier>\([^)]*\)|[<>=!~][^;@]*)?)(?:;(?P<marker>.*))?\Z",
    re.DOTALL,
)
_EDITABLE = re.compile(r"\s*(?:-e|--editable)(?:\s+|\s*=\s*)(?P<place>.*)\Z", re.DOTALL)
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")


class Parts(Record):
    """A requirement that begins with a name, in parts as typed."""

    name: str
    extras: str = ""
    specifier: str = ""
    url: str = ""
    marker: str = ""

    @property
    def text(self) -> str:
        """Return the requirement as one text."""
        text = f"{self.name}{self.extras}{self.specifier}"
        if self.url:
            text = f"{self.name}{self.extras} @ {self.url}"
        if not self.marker:
            return text
        if self.url:  # which a semicolon could belong to (PEP 508)
            text += " "
        return f"{text}; {self.marker}"


class Asked(Record):
    """A package that was asked for and is installed."""

    name: str  # normalised
    typed: Parts | None  # None for a path or URL
    frozen: str  # what `pip freeze` prints of it now, "" if a marker kept it out
    style: str  # the setting save-style
    marked: Mapping[str, str]  # the environment's values for markers

    @property
    def version(self) -> str:
        """Return the installed version, "" if it is not from an index."""
        if is_pinned(self.frozen):
            return self.frozen.partition("==")[2].removeprefix("=")
        return ""


def is_pinned(text: str) -> bool:
    """Return True for `name==version`."""
    parts = parts_of(text)
    if parts is None:
        return False
    return parts.specifier.startswith("==")


def parts_of(text: str) -> Parts | None:
    """Return the parts of a requirement, None if no name begins it."""
    found = _NAMED.match(text)
    if found is None:
        return None
    if is_archive(text) and not found["url"]:
        return None
    told = found.groupdict(default="")
    parts = Parts(**{key: value.strip() for key, value in told.items()})
    try:
        _specifiers(parts.specifier)
        if parts.marker:
            Marker(parts.marker)
    except (InvalidSpecifier, InvalidMarker):
        return None
    return parts


def _specifiers(text: str) -> SpecifierSet:
    return SpecifierSet(text.strip("()"))  # PEP 508 allows parentheses


def editable_place(text: str) -> str | None:
    """Return the path or URL of `-e PLACE`, else None."""
    found = _EDITABLE.match(text)
    if found:
        return found["place"].strip()
    return None


def name_of(text: str) -> str:
    """Return the normalised name in a requirement, "" without one."""
    parts = parts_of(text)
    if parts is not None:
        return normalised_name(parts.name)
    egg = _EGG.search(text)
    if egg is not None:
        return normalised_name(egg[1])
    file = os.path.basename(urlsplit(text.strip()).path)
    if file.endswith(".whl"):
        return name_and_version(file)[0]
    return ""


def place_of(text: str, folder: str) -> str:
    """Return the real path, or the URL without its commit, to compare."""
    place = editable_place(text)
    if place is None:
        parts = parts_of(text)
        place = text.strip()
        if parts is not None:
            place = parts.url
    place = place.partition(" ;")[0].partition("#")[0]
    if place.startswith("file:"):
        return os.path.realpath(unquote(urlsplit(place).path))
    if "://" in place:
        start, slash, end = place.rpartition("/")
        return start + slash + end.partition("@")[0].removesuffix(".git")
    path = re.sub(r"\[[^\]]*\]\Z", "", place)  # extras
    if not path:
        return ""
    return os.path.realpath(os.path.join(folder, path))


def recorded(asked: Asked) -> str:
    """Return a new entry for the package."""
    typed = asked.typed
    if typed is None:
        if not asked.version:
            return asked.frozen
        typed = Parts(name=asked.frozen.partition("==")[0])
    if typed.specifier or typed.url:
        return typed.text
    specifier = ""
    if asked.version:
        specifier = specifier_for(asked.version, asked.style)
    return Parts(name=typed.name, extras=typed.extras, specifier=specifier, marker=typed.marker).text


def specifier_for(version: str, style: str) -> str:
    """Return the specifier that records an installed version."""
    try:
        known = Version(version)
    except InvalidVersion:
        return f"==={version}"
    if style == "minimum":
        return f">={known.public}"
    if len(known.release) > 1:
        return f"~={known.public}"
    if known.public == known.base_version:
        return f"~={known.public}.0"  # ~=5 is not a specifier
    return f">={known.public}"


def is_meant(entry: str, asked: Asked, folder: str) -> bool:
    """Return True if an entry is about the package."""
    name = name_of(entry)
    if not name:
        return _leads_there(entry, asked, folder)
    if name != asked.name:
        return False
    marker = _marker_of(entry)
    if marker is None or asked.typed is None or not asked.typed.marker:
        return True
    return str(marker) == str(Marker(asked.typed.marker))  # entries for different markers stand side by side


def _marker_of(entry: str) -> Marker | None:
    parts = parts_of(entry)
    if parts is None or not parts.marker:
        return None
    return Marker(parts.marker)


def holds(entry: str, marked: Mapping[str, str]) -> bool:
    """Return True if an entry counts in the environment, by its marker."""
    marker = _marker_of(entry)
    return marker is None or marker_holds(marker, marked)


def marker_holds(marker: Marker, marked: Mapping[str, str]) -> bool:
    """Return True if a marker holds, or cannot be judged.

    The values `marked` are those that differ from this Python's.
    """
    try:
        return bool(marker.evaluate({"extra": "", **marked}))
    except (UndefinedComparison, UndefinedEnvironmentName):
        return True


def beside(entry: str, asked: Asked, folder: str) -> str:
    """Return what an entry about the package becomes.

    It stays as it is if it still says what was asked for.
    """
    parts, typed = parts_of(entry), asked.typed
    if parts is None or parts.url:
        is_right = _leads_there(entry, asked, folder)
    elif typed is None:
        is_right = _allows(parts.specifier, asked.version)
    elif typed.url:
        is_right = False
    else:
        return _merged(entry, parts, typed, asked)
    if is_right:
        return entry
    return recorded(asked)


def _merged(entry: str, parts: Parts, typed: Parts, asked: Asked) -> str:
    """Return the entry with what was typed, unchanged if it says that."""
    extras = _both(parts.extras, typed.extras)
    marker = parts.marker
    if not typed.marker and not holds(entry, asked.marked):
        marker = ""  # it was asked for in an environment where the marker keeps it out
    specifier = _specifier_beside(parts, typed, asked)
    if (extras, marker, specifier) == (parts.extras, parts.marker, parts.specifier):
        return entry
    return Parts(name=parts.name, extras=extras, specifier=specifier, marker=marker).text


def _leads_there(entry: str, asked: Asked, folder: str) -> bool:
    """Return True if the installed package came from this path or URL."""
    if not asked.frozen or asked.version:
        return False
    return place_of(entry, folder) == place_of(asked.frozen, folder)


def _specifier_beside(parts: Parts, typed: Parts, asked: Asked) -> str:
    if typed.specifier:
        if _specifiers(parts.specifier) == _specifiers(typed.specifier):
            return parts.specifier
        return typed.specifier
    if not asked.version or _allows(parts.specifier, asked.version):
        return parts.specifier
    return specifier_for(asked.version, asked.style)


def _allows(specifier: str, version: str) -> bool:
    if not version:
        return False
    try:
        return _specifiers(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return specifier.strip() == f"==={version}"


def _both(one: str, other: str) -> str:
    """Return the extras of both, those of `one` as written."""
    have, more = _extras(one), _extras(other)
    known = set(map(normalised_name, have))
    new = [name for name in more if normalised_name(name) not in known]
    if not new:
        return one
    return f"[{','.join([*have, *new])}]"


def _extras(text: str) -> list[str]:
    names = map(str.strip, text.strip("[]").split(","))
    return list(filter(None, names))
