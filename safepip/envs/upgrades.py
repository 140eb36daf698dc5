"""Plan an upgrade: one run of pip's resolver sees all that is installed, and nothing is changed by it.

What is installed goes into a wheel of requirements, with no package in it: each package at its version or a newer
one. pip resolves that wheel (`install --dry-run --report`), so what it finds breaks nothing.
"""

from __future__ import annotations

import contextlib
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


class Installed(Record):
    """A distribution: `requires` are its requirements that count here, `left` is why it may not change, or ""."""

    name: str
    version: str
    requested: bool = False
    requires: tuple[Requirement, ...] = ()
    left: str = ""


class Change(Record):
    """A package that gets another version; `before` is None for one that others need from now on."""

    name: str
    before: str | None
    after: str


class Held(Record):
    """A package that has a newer version, and why it does not get it."""

    name: str
    version: str
    latest: str
    because: str


class UpgradePlan(Record):
    """An upgrade: `words` and `pins` (lines of constraints) are for the pip that carries it out."""

    changes: tuple[Change, ...] = ()
    held: tuple[Held, ...] = ()
    left: tuple[Installed, ...] = ()
    words: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()


class ImpossibleError(Exception):
    """pip found no such set of versions, or could not ask; the text is its error, `way` what to do."""

    def __init__(self, what: str, way: str = "try one: safepip upgrade NAME") -> None:
        super().__init__(what)
        self.way = way


def installed_in(found: Environment) -> dict[str, Installed]:
    """Return what lies in the environment itself, by normalised name."""
    marked = _marked(found)
    distributions = {}
    for one in metadata.distributions(path=[found.site]):
        name = _name_of(one)
        if not name:
            continue
        distributions[name] = Installed(
            name=name,
            version=one.version,
            requested=one.read_text("REQUESTED") is not None,
            requires=_requirements(one.requires or (), marked),
            left=_why_left(one.read_text("direct_url.json")),
        )
    return distributions


def _name_of(one: metadata.Distribution) -> str:
    """Return the normalised name, or "" where the metadata is damaged."""
    try:
        name = one.metadata["Name"]
    except (OSError, TypeError, KeyError, metadata.PackageNotFoundError):
        return ""
    if not name or not one.version:
        return ""
    return normalised_name(name)


def _marked(found: Environment) -> dict[str, str]:
    """Return the values for markers that differ from those of the Python that safepip runs on."""
    return {"python_version": found.version, "python_full_version": f"{found.version}.0", "extra": ""}


def _requirements(texts: Iterable[str], marked: Mapping[str, str]) -> tuple[Requirement, ...]:
    """Return the requirements whose markers hold without any extra."""
    found = []
    for text in texts:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            continue
        if one.marker is None or marker_holds(one.marker, marked):
            found.append(one)
    return tuple(found)


def _why_left(origin: str | None) -> str:
    """Return why a distribution with this direct_url.json stays, or "" for one from an index."""
    if origin is None:
        return ""
    try:
        if json.loads(origin).get("dir_info", {}).get("editable"):
            return "editable"
    except (ValueError, AttributeError):
        pass
    return "from a URL or directory"


class Upgrade:
    """All that is known for planning one upgrade of an environment, of the named packages or of all."""

    def __init__(
        self, found: Environment, names: Sequence[str], root: str | None, environ: Mapping[str, str]
    ) -> None:
        self.found = found
        self.names = tuple(names)
        self.installed = installed_in(found)
        files = pip_config.find(environ, os.path.expanduser("~"), site_prefix=found.path, strict=True)
        in_force = list(settings("install", environ, files))
        self.hashes_required_by = _who_requires_hashes(in_force)
        self.variables = _variables(in_force, root, environ)
        self.pins: list[Pin] = []
        if root is not None:
            self.pins = self._in_force(project_pins.of_project(root, _marked(found)))

    def plan(self) -> UpgradePlan:
        """Ask pip what is outdated and what can change; raise ImpossibleError if it finds no way."""
        self._refuse_old_pip()
        self._refuse_without_hashes()
        latest = self._latest()
        left = tuple(filter(self._is_left, self.installed.values()))
        if not latest:
            return UpgradePlan(left=left)
        after, requires = {}, {}
        for name, one in self.installed.items():
            after[name], requires[name] = one.version, one.requires
        changes = []
        for item in self._resolve():
            name, version = normalised_name(item["name"]), item["version"]
            before = None
            if name == _NAME:
                continue
            if name in after:
                before = after[name]
            changes.append(Change(name=name, before=before, after=version))
            after[name] = version
            requires[name] = _requirements(item.get("requires_dist", ()), _marked(self.found))
        changes.sort(key=lambda change: (change.before is None, change.name))
        held = self._held(latest, after, requires)
        words = self._words(changes, after, requires)
        return UpgradePlan(
            changes=tuple(changes), held=held, left=left, words=words, pins=tuple(map("==".join, after.items()))
        )

    def _is_left(self, one: Installed) -> bool:
        return bool(one.left) and self._is_asked_for(one.name)

    def _is_asked_for(self, name: str) -> bool:
        return not self.names or name in self.names

    def _in_force(self, pins: Sequence[Pin]) -> list[Pin]:
        """Return the pins of what is installed.

        One that does not fit the installed version counts only if no other does: it may be another environment's.
        """
        fitting: list[Pin] = []
        others: list[Pin] = []
        for pin in pins:
            one = self.installed.get(pin.name)
            if one is None:
                continue
            if _allows(pin.specifier, one.version):
                fitting.append(pin)
            else:
                others.append(pin)
        known = {pin.name for pin in fitting}
        return fitting + [pin for pin in others if pin.name not in known]

    def _constraints(self) -> list[str]:
        """Return the pins as lines; what only older versions would satisfy stays as it is."""
        lines = []
        for pin in self.pins:
            version = self.installed[pin.name].version
            if _allows(pin.specifier, version) or _names_newer(pin.specifier, version):
                lines.append(f"{pin.name}{pin.specifier}\n")
            else:
                lines.append(f"{pin.name}=={version}\n")
        return lines

    def _may_change(self, one: Installed) -> bool:
        if one.name == "pip":
            return "pip" in self.names
        return not one.left

    def _latest(self) -> dict[str, str]:
        """Return the newest version of what is outdated, may change and was asked for."""
        found = {}
        for row in outdated(self.found, self.variables):
            name = normalised_name(row["name"])
            if name not in self.installed or not self._may_change(self.installed[name]):
                continue
            if self._is_asked_for(name):
                found[name] = row["latest_version"]
        return found

    def _resolve(self) -> list[dict[str, str]]:
        """Return name, version and requirements of what pip would install."""
        kept = list(self.installed.values())
        try:
            return self._resolved(kept)
        except ImpossibleError:
            whole = [one for one in kept if not self._broken(one)]
            if len(whole) == len(kept):
                raise
            return self._resolved(whole)  # what does not fit together now need not fit afterwards

    def _broken(self, one: Installed) -> bool:
        """Return True if something that an installed package needs is missing, or has another version."""
        for need in one.requires:
            other = self.installed.get(normalised_name(need.name))
            if other is None or not need.specifier.contains(other.version, prereleases=True):
                return True
        return False

    def _resolved(self, kept: Sequence[Installed]) -> list[dict[str, str]]:
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

    def _refuse_old_pip(self) -> None:
        own = self.installed.get("pip")
        if own is not None and _is_older(own.version, _REPORTS_SINCE):
            why = f"its pip {own.version} cannot tell what it would install"
            raise ImpossibleError(why, "upgrade that first: safepip install -U pip")

    def _refuse_without_hashes(self) -> None:
        if self.hashes_required_by:
            why = f"require-hashes is set ({self.hashes_required_by}), and newer versions have no hashes yet"
            way = "bring your requirements file up to date, and install that: safepip install -r requirements.txt"
            raise ImpossibleError(why, way)

    def _lines(self, kept: Sequence[Installed]) -> list[str]:
        """Return the requirements that keep what is installed: nothing is removed or gets older."""
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

    def _held(
        self, latest: Mapping[str, str], after: Mapping[str, str], requires: Mapping[str, Sequence[Requirement]]
    ) -> tuple[Held, ...]:
        found = []
        for name, newest in sorted(latest.items()):
            if _is_older(after[name], newest):
                because = self._why(name, newest, after, requires)
                found.append(Held(name=name, version=after[name], latest=newest, because=because))
        return tuple(found)

    def _why(
        self, name: str, newest: str, after: Mapping[str, str], requires: Mapping[str, Sequence[Requirement]]
    ) -> str:
        for pin in self.pins:
            if pin.name == name and not _allows(pin.specifier, newest):
                return f"{os.path.basename(pin.file)} says {name}{pin.specifier}"
        for other, needs in sorted(requires.items()):
            for need in needs:
                if normalised_name(need.name) == name and not _allows(str(need.specifier), newest):
                    return f"{other} {after[other]} needs {name}{need.specifier}"
        return "it does not fit with what else is installed, or your constraints for pip"

    def _words(
        self,
        changes: Sequence[Change],
        after: Mapping[str, str],
        requires: Mapping[str, Sequence[Requirement]],
    ) -> tuple[str, ...]:
        """Return what pip is to be asked for, so that it marks as requested only what was so before.

        Packages that nobody asked for come by way of one that was asked for and needs them.
        """
        due = {change.name for change in changes}
        asked = [name for name, one in sorted(self.installed.items()) if one.requested]
        roots = list(filter(due.__contains__, asked))
        for name in [*roots, *asked]:
            reached = _reached(name, requires)
            if due & reached:
                due -= reached
                roots.append(name)
        return tuple(f"{name}=={after[name]}" for name in dict.fromkeys([*roots, *sorted(due)]))


def outdated(found: Environment, variables: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the rows of `pip list --outdated`; raise ImpossibleError if it fails, or no index answers."""
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
    if unreached is not None and not rows:
        what = unreached["error"] or unreached["host"]
        raise ImpossibleError(what, "see the index and the proxy in force: safepip doctor")
    return rows


def _reached(start: str, requires: Mapping[str, Sequence[Requirement]]) -> set[str]:
    """Return the package and all that it needs, by normalised name."""
    found: set[str] = set()
    due = [start]
    while due:
        name = due.pop()
        if name not in found:
            found.add(name)
            due += [normalised_name(need.name) for need in requires.get(name, ())]
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
    """Return True if a specifier asks for a newer version than the given one."""
    for one in SpecifierSet(specifier):
        asks_for_it = one.operator in {"==", "===", "~=", ">=", ">"}
        if asks_for_it and _is_older(version, one.version.removesuffix(".*")):
            return True
    return False


def _who_requires_hashes(in_force: Sequence[tuple[str, str, str]]) -> str:
    """Return what sets require-hashes, or ""."""
    found = ""
    for key, value, where in in_force:
        if key == "require-hashes":
            found = where if as_boolean(value) else ""
    return found


def _variables(
    in_force: Sequence[tuple[str, str, str]], root: str | None, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return pip's variables that say which versions may come, and from where, by its settings and the project."""
    variables = {}
    for key, value, _ in in_force:
        if key in _WANTED:
            variables[f"PIP_{key.upper().replace('-', '_')}"] = value
    if root is not None:
        variables.update(project_pins.sources(root, environ))
    return variables


def _write_wheel(folder: str, lines: Sequence[str]) -> str:
    """Write a wheel that holds nothing but requirements; return its path."""
    stem = _NAME.replace("-", "_")
    path = os.path.join(folder, f"{stem}-0-py3-none-any.whl")
    described = [
        "Metadata-Version: 2.1",
        f"Name: {_NAME}",
        "Version: 0",
        *(f"Requires-Dist: {line}" for line in lines),
    ]
    members = {
        "METADATA": "\n".join(described) + "\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: safepip\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{stem}-0.dist-info/{name}", text)
    return path
