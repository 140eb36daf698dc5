"""Take a requirement apart as it was typed, and say how it is recorded beside an entry that a file has."""

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
    """A requirement that begins with a name, each part as it was typed."""

    name: str
    extras: str = ""
    specifier: str = ""
    url: str = ""
    marker: str = ""

    @property
    def text(self) -> str:
        """Return the requirement as one text."""
        if self.url:
            marker = ""
            if self.marker:
                marker = f" ; {self.marker}"
            return f"{self.name}{self.extras} @ {self.url}{marker}"
        marker = ""
        if self.marker:
            marker = f"; {self.marker}"
        return f"{self.name}{self.extras}{self.specifier}{marker}"


class Asked(Record):
    """A package that was installed: what was `typed` for it, and what `pip freeze` says of it now.

    `name` is normalised. `typed` is None where a path or URL was typed, so that only `frozen` tells its form.
    `marked` are the values for markers that the environment has.
    """

    name: str
    typed: Parts | None
    frozen: str
    style: str
    marked: Mapping[str, str]

    @property
    def version(self) -> str:
        """Return the installed version, empty where it came from a URL or a directory."""
        if is_pinned(self.frozen):
            return self.frozen.partition("==")[2].removeprefix("=")
        return ""


def is_pinned(text: str) -> bool:
    """Return True for `name==version`."""
    parts = parts_of(text)
    return parts is not None and parts.specifier.startswith("==")


def parts_of(text: str) -> Parts | None:
    """Return the parts of a requirement that begins with a name, or None for a path, a URL or a text like it."""
    found = _NAMED.match(text)
    if found is None or (is_archive(text) and not found["url"]):
        return None
    told = {key: (value or "").strip() for key, value in found.groupdict().items()}
    parts = Parts(**told)
    if _is_sound(parts):
        return parts
    return None


def _is_sound(parts: Parts) -> bool:
    try:
        SpecifierSet(parts.specifier.strip("()"))
        if parts.marker:
            Marker(parts.marker)
    except (InvalidSpecifier, InvalidMarker):
        return False
    return True


def editable_place(text: str) -> str | None:
    """Return the path or URL of `-e PLACE`, or None for any other text."""
    found = _EDITABLE.match(text)
    if found:
        return found["place"].strip()
    return None


def name_of(text: str) -> str:
    """Return the normalised name that a requirement tells, or "" where only its files do."""
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
    """Return what a path or URL leads to, to compare two texts: a real path, or the URL without its commit."""
    place = editable_place(text)
    parts = parts_of(text)
    if place is None:
        place = text.strip()
        if parts is not None:
            place = parts.url
    place = place.partition(" ;")[0].partition("#")[0]
    if place.startswith("file:"):
        return os.path.realpath(unquote(urlsplit(place).path))
    if "://" in place:
        start, slash, end = place.rpartition("/")
        return start + slash + end.partition("@")[0].removesuffix(".git")
    without_extras = re.sub(r"\[[^\]]*\]\Z", "", place)
    if without_extras:
        return os.path.realpath(os.path.join(folder, without_extras))
    return ""


def recorded(asked: Asked) -> str:
    """Return the text that records the package where nothing does yet."""
    typed = asked.typed
    if typed is None:
        if asked.version:
            return _by_style(Parts(name=asked.frozen.partition("==")[0]), asked)
        return asked.frozen
    if typed.specifier or typed.url:
        return typed.text
    return _by_style(typed, asked)


def _by_style(parts: Parts, asked: Asked) -> str:
    version = ""
    if asked.version:
        version = specifier_for(asked.version, asked.style)
    return Parts(name=parts.name, extras=parts.extras, specifier=version, marker=parts.marker).text


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
    is_plain = known.public == known.base_version
    return f"~={known.public}.0" if is_plain else f">={known.public}"  # ~=5 is not a specifier


def is_meant(entry: str, asked: Asked, folder: str) -> bool:
    """Return True if an entry of a file, which lies in `folder`, is about the package."""
    name = name_of(entry)
    if name:
        return name == asked.name and _has_same_marker(entry, asked)
    return _leads_there(entry, asked, folder)


def _has_same_marker(entry: str, asked: Asked) -> bool:
    """Return True unless both have a marker, and not the same: such entries stand side by side."""
    parts, typed = parts_of(entry), asked.typed
    if parts is None or typed is None or not parts.marker or not typed.marker:
        return True
    return str(Marker(parts.marker)) == str(Marker(typed.marker))


def holds(entry: str, marked: Mapping[str, str]) -> bool:
    """Return True if an entry counts in the environment, by its marker."""
    parts = parts_of(entry)
    if parts is None or not parts.marker:
        return True
    return marker_holds(Marker(parts.marker), marked)


def marker_holds(marker: Marker, marked: Mapping[str, str]) -> bool:
    """Return True if a marker holds where the values `marked` differ from this Python's, or cannot be judged."""
    try:
        return bool(marker.evaluate({"extra": "", **marked}))
    except (UndefinedComparison, UndefinedEnvironmentName):
        return True


def beside(entry: str, asked: Asked, folder: str) -> str:
    """Return what an entry about the package becomes: itself where it still says what was asked for."""
    parts, typed = parts_of(entry), asked.typed
    if parts is None or parts.url:
        if _leads_there(entry, asked, folder):
            return entry
        return recorded(asked)
    if typed is None:
        if _allows(parts.specifier, asked.version):
            return entry
        return recorded(asked)
    if typed.url:
        return recorded(asked)
    extras = _both(parts.extras, typed.extras)
    counts = bool(typed.marker) or holds(entry, asked.marked)
    marker = ""
    if counts:
        marker = parts.marker
    specifier = _specifier_beside(parts, typed, asked)
    if (extras, marker, specifier) == (parts.extras, parts.marker, parts.specifier):
        return entry
    return Parts(name=parts.name, extras=extras, specifier=specifier, marker=marker).text


def _leads_there(entry: str, asked: Asked, folder: str) -> bool:
    """Return True if a path or URL is where the installed package came from."""
    if not asked.frozen or asked.version:
        return False
    return place_of(entry, folder) == place_of(asked.frozen, folder)


def _specifier_beside(parts: Parts, typed: Parts, asked: Asked) -> str:
    if typed.specifier:
        if _is_same_specifier(parts, typed):
            return parts.specifier
        return typed.specifier
    if not asked.version or _allows(parts.specifier, asked.version):
        return parts.specifier
    return specifier_for(asked.version, asked.style)


def _is_same_specifier(one: Parts, other: Parts) -> bool:
    return SpecifierSet(one.specifier.strip("()")) == SpecifierSet(other.specifier.strip("()"))


def _allows(specifier: str, version: str) -> bool:
    if not version:
        return False
    try:
        return SpecifierSet(specifier.strip("()")).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return specifier.strip() == f"==={version}"


def _both(one: str, other: str) -> str:
    """Return the extras of both, those of `one` as they are written there."""
    have = [name.strip() for name in one.strip("[]").split(",") if name.strip()]
    known = set(map(normalised_name, have))
    more = [name.strip() for name in other.strip("[]").split(",") if name.strip()]
    new = [name for name in more if normalised_name(name) not in known]
    if new:
        return f"[{','.join([*have, *new])}]"
    return one
