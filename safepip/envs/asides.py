"""Find by name what pip has moved aside or begun to write.

pip moves a folder of an old version to `~ame` beside itself (AdjacentTempDirectory), a single file into
`pip-uninstall-*` in the temporary directory, and writes metadata as `RECORDabcdefgh.tmp` first.
"""

from __future__ import annotations

import glob
import os
import secrets
import tempfile

from safepip.core.requirement import normalised_name
from safepip.system.environment import OWN, names_in

from .creation_lock import change_lock
from .verify import is_as_recorded, metadata_fields, sites

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from safepip.report import Report
    from safepip.system.observe import Context

    from .journal import Listed
    from .verify import Row

LEFT = os.path.join(OWN, "left")  # where what lay in the way is kept
_SIGNS = frozenset("-~.=%0123456789")  # what pip puts behind the first ~
_BEGUN_METADATA = frozenset(("INSTALLER", "RECORD", "REQUESTED", "direct_url.json"))


class Asides:
    """The folders that pip has moved aside since the journal."""

    def __init__(self, environment: str, site: str, listed: Mapping[str, frozenset[str]]) -> None:
        self.environment = environment
        self.site = site
        self.listed = listed

    def of(self, folders: Iterable[str]) -> list[tuple[str, str]]:
        """Return the folders that pip may have moved, and where to."""
        asides: dict[str, list[str]] = {}  # by the folder that they lie in, which is listed once
        found = []
        for folder in folders:
            parent, original = os.path.split(folder)
            if parent not in asides:
                asides[parent] = self._new_in(parent)
            for name in asides[parent]:
                if is_aside(name, original):
                    found.append((folder, os.path.join(parent, name)))
        return found

    def _new_in(self, parent: str) -> list[str]:
        """Return the names of new asides in a folder."""
        before = self._names_before(parent)
        found = []
        for path in sorted(glob.glob(os.path.join(glob.escape(parent), "~*"))):
            name = os.path.basename(path)
            if name not in before and is_own_folder(path):
                found.append(name)
        return found

    def of_any(self, paths: Iterable[str]) -> bool:
        """Return True if pip has moved a folder of these files aside."""
        return bool(self.of(self.with_above(map(os.path.dirname, paths))))

    def metadata(self, before: Mapping[str, Sequence[Listed]]) -> Iterator[tuple[str, str]]:
        """Yield where metadata that pip moved aside belongs, and where it lies."""
        for name in sorted(set(names_in(self.site)) - self._names_before(self.site)):
            if not name.startswith("~") or not name.endswith(".dist-info"):
                continue
            moved = os.path.join(self.site, name)
            if not is_mine(moved):
                continue
            for original in _metadata_names(moved, before):
                if is_aside(name, original):
                    yield os.path.join(self.site, original), moved
                    break

    def folders_of(self, files: Mapping[str, Row]) -> dict[str, str]:
        """Return the folders that pip has moved aside, and where to.

        At least one file in such a folder is as recorded.
        """
        inside: dict[str, list[Row]] = {}
        for path, row in files.items():
            for folder in self.with_above([os.path.dirname(path)]):
                inside.setdefault(folder, []).append(row)
        found: dict[str, str] = {}
        for folder, moved in self.of(inside):
            if any(is_as_recorded(row, moved + row.path[len(folder) :]) for row in inside[folder]):
                found.setdefault(folder, moved)
        return found

    def with_above(self, folders: Iterable[str]) -> list[str]:
        """Return these folders and those above, inside the distributions' folder."""
        found: dict[str, None] = {}
        for folder in folders:
            # pip's thousand files lie in a hundred folders: those above a known one are known.
            while folder.startswith(os.path.join(self.site, "")) and folder not in found:
                found[folder] = None
                folder = os.path.dirname(folder)  # noqa: PLW2901  the next one above
        return list(found)

    def _names_before(self, folder: str) -> frozenset[str]:
        return self.listed.get(os.path.relpath(folder, self.environment), frozenset())


def is_aside(name: str, original: str) -> bool:
    """Return True if pip gives `original` this name when moved aside.

    A ~ takes the place of the first letter, further signs that of the next ones. Or all stand in front.
    """
    if not name.startswith("~"):
        return False
    if len(name) != len(original):
        return name.endswith(original) and _SIGNS.issuperset(name[1 : -len(original)])
    end = 1
    while name[end:] != original[end:]:
        end += 1
    return end < len(name) and _SIGNS.issuperset(name[1:end])


def _metadata_names(moved: str, before: Mapping[str, Sequence[Listed]]) -> list[str]:
    """Return the names that this metadata folder may have had."""
    said, version = metadata_fields(moved)
    if not said:
        return []
    normalised = normalised_name(said)
    originals = [os.path.basename(row.path) for row in before.get(normalised, ())]
    for name in (said, said.replace("-", "_"), normalised.replace("-", "_")):
        originals.append(f"{name}-{version.replace('-', '_')}.dist-info")
    return originals


def stashed(row: Row) -> str | None:
    """Return where pip has moved this single file, or None."""
    parts = row.path.split(os.sep)
    folders = glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), "pip-uninstall-*"))
    for folder in filter(is_mine, folders):
        for depth in (1, 2, 3):
            moved = os.path.join(folder, *parts[-depth:])
            if os.path.islink(moved) or not is_mine(moved):
                continue
            if os.path.isfile(moved) and is_as_recorded(row, moved):
                return moved
    return None


def is_begun_bytecode(name: str) -> bool:
    """Return True if the file is bytecode that Python was writing: name.pyc.12345."""
    stem, _, number = name.rpartition(".")
    return stem.endswith(".pyc") and number.isdecimal()


def is_begun_metadata(name: str) -> bool:
    """Return True if the file is metadata that pip was writing."""
    stem, end = os.path.splitext(name)  # to the stem tempfile adds eight signs
    return end == ".tmp" and stem[:-8] in _BEGUN_METADATA


def is_mine(path: str) -> bool:
    """Return True if the file exists and belongs to this user."""
    try:
        owner = os.lstat(path).st_uid
    except OSError:
        return False
    return not hasattr(os, "geteuid") or owner == os.geteuid()


def is_own_folder(path: str) -> bool:
    """Return True for a folder of this user's, but not a link."""
    if os.path.islink(path) or not os.path.isdir(path):
        return False
    return is_mine(path)


def half_removed(environment: str) -> list[str]:
    """Return what an interrupted pip moved aside."""
    # Later pips warn of it at every command.
    found = []
    for site in sites(environment):
        for name in sorted(names_in(site)):
            if name.startswith("~"):
                found.append(os.path.join(site, name))
    return found


def set_aside(environment: str, context: Context, report: Report) -> list[str]:
    """Move what is left out of pip's sight, and return the names.

    Call it after a repair, which puts back what it can from there.
    """
    if not half_removed(environment):
        return []
    with change_lock(environment, context, report):  # a pip at work holds it
        paths = half_removed(environment)
        folder = os.path.join(environment, LEFT, secrets.token_hex(4))
        os.makedirs(folder, mode=0o700)
        for path in paths:
            os.rename(path, os.path.join(folder, os.path.basename(path)))
    return [os.path.basename(path) for path in paths]
