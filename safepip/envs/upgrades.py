"""Plan an upgrade in one run of pip's resolver, which changes nothing.

What is installed goes into a wheel of requirements, with no package in it: each package at its version or a newer
one. pip resolves that wheel (`install --dry-run --report`), so what it finds breaks nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import tempfile
import zipfile
from importlib import metadata

from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.version import InvalidVersion, Version

from safepip.core.pip_line import as_boolean, settings
from safepip.core.record import Record
from safepip.core.requirement import normalised_name
from safepip.saving import pins as project_pins
from safepip.saving.entry import marker_holds
from safepip.system import pip_config

from .pip import ask_pip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from safepip.core.world import Environment
    from safepip.saving.pins import Pin

_NAME = "safepip-upgrade"  # of the wheel of requirements
_REPORTS_SINCE = "22.2"  # the first pip with --report
_UNREACHED = re.compile(  # in pip's log; an index that lacks a package is not one that failed
    r"(?P<error>Could not fetch URL (?!.*404 Client Error).*?)(?: - skipping)?$"
    r"|WARNING: (?P<host>The repository located at \S+ is not a trusted or secure host)",
    re.MULTILINE,
)
_WANTED = ("constraint", "pre", "uploaded-prior-to")  # settings of pip's that say which versions may come


class Package(Record):
    """An installed package, or one that pip would install."""

    name: str
    version: str
    requested: bool = False
    requires: tuple[Requirement, ...] = ()  # without those whose markers do not hold
    left: str = ""  # why it may not change


class NewVersion(Record):
    """A package that gets another version."""

    name: str
    before: str | None  # None if it is not installed, and others need it from now on
    after: str


class Held(Record):
    """A package that does not get its newest version."""

    name: str
    version: str
    latest: str
    because: str


class UpgradePlan(Record):
    """What changes, what does not, and pip's words for that."""

    changes: tuple[NewVersion, ...] = ()
    held: tuple[Held, ...] = ()
    left: tuple[Package, ...] = ()
    words: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()  # lines of a file of constraints


class ImpossibleError(Exception):
    """pip found no set of versions, or no index.

    The text is its error, `way` a command to type.
    """

    def __init__(self, what: str, way: str = "try one: safepip upgrade NAME") -> None:
        super().__init__(what)
        self.way = way


def _installed_in(site: str, marked: Mapping[str, str]) -> dict[str, Package]:
    found = {}
    for one in metadata.distributions(path=[site]):
        try:
            name = one.metadata["Name"]
        except (OSError, TypeError, KeyError, metadata.PackageNotFoundError):  # damaged
            continue
        if not name:
            continue
        if not one.version:
            continue
        name = normalised_name(name)
        found[name] = Package(
            name=name,
            version=one.version,
            requested=one.read_text("REQUESTED") is not None,
            requires=_requirements(one.requires, marked),
            left=_why_left(one.read_text("direct_url.json")),
        )
    return found


def _requirements(texts: Iterable[str] | None, marked: Mapping[str, str]) -> tuple[Requirement, ...]:
    """Return the requirements whose markers hold without any extra."""
    found = []
    for text in texts or ():
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        if one.marker is None or marker_holds(one.marker, marked):
            found.append(one)
    return tuple(found)


def _why_left(origin: str | None) -> str:
    """Return why a package with this direct_url.json stays, or ""."""
    if origin is None:  # from an index
        return ""
    with contextlib.suppress(ValueError, AttributeError):
        if json.loads(origin).get("dir_info", {}).get("editable"):
            return "editable"
    return "from a URL or directory"


class Upgrade:
    """An upgrade of the named packages of an environment, or of all."""

    def __init__(
        self, found: Environment, names: Sequence[str], root: str | None, environ: Mapping[str, str]
    ) -> None:
        self.found = found
        self.names = tuple(names)
        # The markers of another Python than safepip's own.
        self.marked = {"python_version": found.version, "python_full_version": f"{found.version}.0", "extra": ""}
        self.installed = _installed_in(found.site, self.marked)
        self.variables: dict[str, str] = {}  # pip's, that say which versions may come, and from where
        self.hashes_required_by = ""
        files = pip_config.find(environ, os.path.expanduser("~"), site_prefix=found.path, strict=True)
        for key, value, where in settings("install", environ, files):
            if key in _WANTED:
                self.variables[f"PIP_{key.upper().replace('-', '_')}"] = value
            if key == "require-hashes":  # the last one counts
                self.hashes_required_by = ""
                if as_boolean(value):
                    self.hashes_required_by = where
        self.pins: list[Pin] = []
        if root is not None:
            self.variables.update(project_pins.sources(root, environ))
            self.pins = self._in_force(project_pins.of_project(root, self.marked))

    def plan(self) -> UpgradePlan:
        """Ask pip what is outdated and what can change, or raise ImpossibleError."""
        self._refuse_what_pip_cannot_resolve()
        latest = self._latest()
        left = []
        for name in filter(self._is_asked_for, self.installed):
            if self.installed[name].left:
                left.append(self.installed[name])
        if not latest:
            return UpgradePlan(left=tuple(left))
        after = dict(self.installed)
        changes = []
        for item in self._resolve():
            name, version = normalised_name(item["name"]), item["version"]
            if name == _NAME:
                continue
            before = None
            if name in after:
                before = after[name].version
            changes.append(NewVersion(name=name, before=before, after=version))
            requires = _requirements(item.get("requires_dist"), self.marked)
            after[name] = Package(name=name, version=version, requires=requires)
        changes.sort(key=lambda change: (change.before is None, change.name))
        return UpgradePlan(
            changes=tuple(changes),
            held=self._held(latest, after),
            left=tuple(left),
            words=self._words(changes, after),
            pins=tuple(f"{name}=={one.version}" for name, one in after.items()),
        )

    def _refuse_what_pip_cannot_resolve(self) -> None:
        own = self.installed.get("pip")
        if own is not None and _is_older(own.version, _REPORTS_SINCE):
            why = f"its pip {own.version} cannot tell what it would install"
            raise ImpossibleError(why, "upgrade that first: safepip install -U pip")
        if self.hashes_required_by:
            why = f"require-hashes is set ({self.hashes_required_by}), and newer versions have no hashes yet"
            way = "bring your requirements file up to date, and install that: safepip install -r requirements.txt"
            raise ImpossibleError(why, way)

    def _is_asked_for(self, name: str) -> bool:
        return not self.names or name in self.names

    def _in_force(self, pins: Sequence[Pin]) -> list[Pin]:
        """Return the pins of what is installed."""
        fitting: list[Pin] = []
        others: list[Pin] = []
        known = set()
        for pin in pins:
            one = self.installed.get(pin.name)
            if one is None:
                continue
            if _allows(pin.specifier, one.version):
                fitting.append(pin)
                known.add(pin.name)
            else:
                others.append(pin)
        for pin in others:
            if pin.name not in known:  # beside one that fits, it is another environment's
                fitting.append(pin)
        return fitting

    def _constraints(self) -> list[str]:
        lines = []
        for pin in self.pins:
            version = self.installed[pin.name].version
            if _allows(pin.specifier, version) or _names_newer(pin.specifier, version):
                lines.append(f"{pin.name}{pin.specifier}\n")
            else:  # only older versions would satisfy it, and nothing gets older
                lines.append(f"{pin.name}=={version}\n")
        return lines

    def _may_change(self, one: Package) -> bool:
        if one.name == "pip":
            return "pip" in self.names
        return not one.left

    def _latest(self) -> dict[str, str]:
        """Return the newest versions of what is outdated and may change."""
        found = {}
        for row in outdated(self.found, self.variables):
            name = normalised_name(row["name"])
            one = self.installed.get(name)
            if one is None:
                continue
            if not self._is_asked_for(name):
                continue
            if self._may_change(one):
                found[name] = row["latest_version"]
        return found

    def _resolve(self) -> list[dict[str, str]]:
        """Return the metadata of what pip would install."""
        kept = list(self.installed.values())
        try:
            return self._resolve_with(kept)
        except ImpossibleError:
            whole = list(itertools.filterfalse(self._is_broken, kept))
            if len(whole) == len(kept):
                raise
            return self._resolve_with(whole)  # what does not fit together now need not fit afterwards

    def _is_broken(self, one: Package) -> bool:
        """Return True if a requirement is not installed, or in another version."""
        for need in one.requires:
            other = self.installed.get(normalised_name(need.name))
            if other is None or not need.specifier.contains(other.version, prereleases=True):
                return True
        return False

    def _resolve_with(self, kept: Sequence[Package]) -> list[dict[str, str]]:
        with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
            wheel, constraints = _write_wheel(folder, self._lines(kept)), os.path.join(folder, "constraints.txt")
            with open(constraints, "w", encoding="utf-8") as file:
                file.writelines(self._constraints())
            report = os.path.join(folder, "report.json")
            strategy = "eager"
            if self.names:
                strategy = "only-if-needed"
            words = (
                *("install", "--dry-run", "--quiet", "--report", report, "--upgrade"),
                *("--upgrade-strategy", strategy, "-c", constraints, wheel, *self.names),
            )
            code, _, failed = ask_pip(self.found, words, self.variables)
            if code:
                raise ImpossibleError(failed)
            with open(report, encoding="utf-8") as file:
                return [item["metadata"] for item in json.load(file)["install"]]

    def _lines(self, kept: Sequence[Package]) -> list[str]:
        """Return requirements that let nothing be removed or get older."""
        lines = []
        for one in kept:
            try:
                public = Version(one.version).public
            except InvalidVersion:
                continue
            if self._may_change(one):
                lines.append(f"{one.name}>={public}")
            elif one.name != "pip":
                lines.append(f"{one.name}=={one.version}")
        return lines

    def _held(self, latest: Mapping[str, str], after: Mapping[str, Package]) -> tuple[Held, ...]:
        found = []
        for name, newest in sorted(latest.items()):
            version = after[name].version
            if _is_older(version, newest):
                because = self._why_held(name, newest, after)
                found.append(Held(name=name, version=version, latest=newest, because=because))
        return tuple(found)

    def _why_held(self, name: str, newest: str, after: Mapping[str, Package]) -> str:
        for pin in self.pins:
            if pin.name == name and not _allows(pin.specifier, newest):
                return f"{os.path.basename(pin.file)} says {name}{pin.specifier}"
        for other, one in sorted(after.items()):
            for need in one.requires:
                if normalised_name(need.name) == name and not _allows(str(need.specifier), newest):
                    return f"{other} {one.version} needs {name}{need.specifier}"
        return "it does not fit with what else is installed, or your constraints for pip"

    def _words(self, changes: Sequence[NewVersion], after: Mapping[str, Package]) -> tuple[str, ...]:
        """Return what pip is asked for."""
        # pip marks that as requested, so that others come by way of one that was requested before and needs them.
        due = {change.name for change in changes}
        requested = []
        for name, one in sorted(self.installed.items()):
            if one.requested:
                requested.append(name)
        roots = [name for name in requested if name in due]
        for name in [*roots, *requested]:
            reached = _reached(name, after)
            if due & reached:
                due -= reached
                roots.append(name)
        return tuple(f"{name}=={after[name].version}" for name in dict.fromkeys([*roots, *sorted(due)]))


def outdated(found: Environment, variables: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the rows of `pip list --outdated`, or raise ImpossibleError."""
    with tempfile.TemporaryDirectory(prefix="safepip-", ignore_cleanup_errors=True) as folder:
        log = os.path.join(folder, "log")
        words = ("list", "--outdated", "--format", "json", "--log", log)
        code, out, failed = ask_pip(found, words, variables)
        if code:
            raise ImpossibleError(failed)
        rows: list[dict[str, str]] = json.loads(out.splitlines()[-1])  # errors of TLS stand before it
        unreached = None
        with contextlib.suppress(OSError), open(log, encoding="utf-8", errors="replace") as file:
            unreached = _UNREACHED.search(file.read())
    if rows:
        return rows
    if unreached is not None:  # pip itself says that nothing is outdated
        what = unreached["error"] or unreached["host"]
        raise ImpossibleError(what, "see the index and the proxy in force: safepip doctor")
    return rows


def _reached(start: str, packages: Mapping[str, Package]) -> set[str]:
    """Return the package and all that it needs, by normalised name."""
    found: set[str] = set()
    due = [start]
    while due:
        name = due.pop()
        if name not in found:
            found.add(name)
            if name in packages:
                due += [normalised_name(need.name) for need in packages[name].requires]
    return found


def _allows(specifier: str, version: str) -> bool:
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def _is_older(version: str, other: str) -> bool:
    try:
        return Version(version) < Version(other)
    except InvalidVersion:
        return version != other


def _names_newer(specifier: str, version: str) -> bool:
    """Return True if a specifier asks for a version newer than `version`."""
    for one in SpecifierSet(specifier):
        asks_for_it = one.operator in {"==", "===", "~=", ">=", ">"}
        if asks_for_it and _is_older(version, one.version.removesuffix(".*")):
            return True
    return False


def _write_wheel(folder: str, lines: Sequence[str]) -> str:
    """Write a wheel that has nothing but requirements, and return its path."""
    stem = _NAME.replace("-", "_")
    path = os.path.join(folder, f"{stem}-0-py3-none-any.whl")
    requirements = "".join(f"Requires-Dist: {line}\n" for line in lines)
    members = {
        "METADATA": f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: 0\n{requirements}",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: safepip\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{stem}-0.dist-info/{name}", text)
    return path
