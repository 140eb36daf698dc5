"""safepip env WORD: the environments that safepip knows, and the one of this place.

virtualenv, which takes a tenth of a second to import, is loaded only by the words that make something.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shlex
import sys
import time

from safepip.actions.sudo import step_down
from safepip.core.decide import project_of
from safepip.core.plan import Create, Handover
from safepip.core.record import Record, replace
from safepip.core.world import (
    ABSENT,
    BIN,
    EXE,
    FOREIGN,
    NOWHERE,
    OLDEST,
    UNFINISHED,
    UNTRUSTED,
    USABLE,
    Environment,
    Interpreter,
)
from safepip.envs import inventory
from safepip.envs.applications import broken
from safepip.envs.asides import half_removed, set_aside
from safepip.envs.in_force import in_force, unfit
from safepip.envs.listing import Listed, broken_environments, health, last_use, listed, project_root
from safepip.envs.removal import remove
from safepip.errors import CANNOT_CREATE, NO_ENVIRONMENT, NOT_FOUND, REFUSED, USAGE, SafepipError, shell_quote
from safepip.report import printable
from safepip.system import registry
from safepip.system.environment import OWN, is_conda, is_environment
from safepip.system.interpreter import candidates, interview
from safepip.system.observe import Context, ambient
from safepip.system.project import owner

from .arguments import Parser, for_verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from safepip.report import Report
    from safepip.system.registry import Entry

    Word = Callable[[argparse.Namespace, Context, Report], int]

_DAY = 86400
_WORDS = "path|list|info|create|remove|prune|trust|repair"
_READING = ("path", "list", "info")
_SEEDS = frozenset(("pip", "setuptools", "wheel"))  # what an environment may come with
_SAID = {registry.MADE: "made by safepip", registry.ADOPTED: "adopted", registry.TRUSTED: "trusted by you"}
_NEWER = "name a newer one: safepip env create --python PYTHON"


class Doomed(Record):
    """A record that `prune` would forget, and why; with `remove` the environment goes too."""

    entry: Entry
    why: str
    remove: bool


def main(words: tuple[str, ...], context: Context, report: Report) -> int:
    """Carry out one word of `env`; none is an error, and shows how it is used."""
    whole = parser()
    if not words:
        whole.error("env needs a word")
    if not words[0].startswith("-") and words[0] not in _WORDS.split("|"):
        near = difflib.get_close_matches(words[0], _WORDS.split("|"), n=1)
        way = f"maybe: safepip env {near[0]}" if near else " ".join(whole.format_usage().split())
        raise SafepipError(USAGE, f"env has no word {words[0]}", way)
    said, unknown = whole.parse_known_args(words)
    if unknown:
        said.parser.error(f"env {words[0]} takes no {' '.join(unknown)}")
    if context.sudo_user and words[0] not in _READING:
        step_down(*context.sudo_user, report)
        context = Context(context.invocation, ambient(), report.debug)
    work: Word = said.work
    return work(said, context, report)


def parser() -> Parser:
    """Return the parser of `env`, with one below it for each of its words."""
    made = for_verb("env", example="safepip env list")
    words = made.add_subparsers(required=True, metavar=_WORDS, parser_class=Parser, prog="safepip env")
    path = _add(words, "path", _path, "print the path of the environment for this place, whether it exists or not")
    path.add_argument("dir", metavar="DIR", nargs="?", help="that of this directory instead")
    listed = _add(words, "list", _list, "show all environments that safepip made or adopted")
    listed.add_argument("--json", action="store_true", help="as a JSON array")
    _with_dir(_add(words, "info", _info, "show what is known of an environment"))
    new = _add(words, "create", _create, "make the environment for this place, and install nothing")
    new.add_argument("--python", metavar="P", help="the Python to make it from: a path, a name, or a version")
    new.add_argument("--system-site-packages", action="store_true", help="let it see that Python's packages")
    removed = _add(words, "remove", _remove, "remove an environment that safepip made")
    _with_dir(removed)
    removed.add_argument("-y", "--yes", action="store_true", help="with what is installed in it, too")
    pruned = _add(words, "prune", _prune, "show which environments are not needed any more")
    pruned.add_argument("--unused", metavar="DAYS", type=_days, help="those too that were not used for so long")
    pruned.add_argument("-y", "--yes", action="store_true", help="remove them")
    trusted = _add(words, "trust", _trust, "let an environment that others made be used")
    _with_dir(trusted)
    trusted.add_argument("--list", action="store_true", help="print the paths of those that are trusted")
    trusted.add_argument("--revoke", action="store_true", help="take the trust back")
    repaired = _add(words, "repair", _repair, "rebuild an environment with the same packages")
    _with_dir(repaired)
    repaired.add_argument("--all", action="store_true", help="all that are broken, and pipx's applications")
    return made


def _add(words: argparse._SubParsersAction[Parser], name: str, work: Word, told: str) -> Parser:
    added = words.add_parser(name, help=told, description=told)
    added.set_defaults(work=work, parser=added)
    return added


def _with_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", metavar="DIR", nargs="?", help="it, or its project; without DIR that of this place")


def _days(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a number of days")
    return int(text)


# -- path, list, info


def _path(said: argparse.Namespace, context: Context, _report: Report) -> int:
    found = _for_directory(said.dir, context) if said.dir is not None else in_force(context)
    if found.state in {UNTRUSTED, FOREIGN, NOWHERE}:
        raise unfit(found, context)
    path = printable(found.path) if sys.stdout.isatty() else found.path  # no escape sequences for a terminal
    sys.stdout.write(f"{path}\n")
    return 0


def _for_directory(named: str, context: Context) -> Environment:
    """Return the environment that a directory is, or that serves it."""
    path = os.path.realpath(_absolute(named, context))
    if not named or not os.path.isdir(path):
        raise SafepipError(NO_ENVIRONMENT, f"there is no directory {named}")
    if is_environment(path) or is_conda(path):
        return context.examine(path)
    there = Context(context.invocation, replace(context.ambient, cwd=path), context.tell, keep=False)
    found: Environment = there.place
    return found


def _of_place(context: Context) -> Environment:
    """Return the environment that an `install` here would have made: a named one, or that of the place."""
    found: Environment = context.named[1] if context.named else context.place
    return found


def _list(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Show what is there, by project; JSON has the same with paths, bytes and UTC."""
    rows = sorted(listed(context, report), key=lambda row: (row.project or "", row.path))
    if said.json:
        sys.stdout.write(json.dumps([_as_json(row) for row in rows], indent=1) + "\n")
    elif rows:
        sys.stdout.write("".join(f"{printable(line)}\n" for line in _table(rows, context)))
    else:
        report.say("no environments are known yet")
    return 0


def _as_json(row: Listed) -> dict[str, object]:
    """Return a row for programs: `last_used` is ISO 8601, UTC; `health` begins with "ok" or the state."""
    return {
        "path": row.path,
        "project": row.project,
        "python": row.python,
        "packages": row.packages,
        "size": row.size,
        "last_used": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row.used)),
        "health": row.health,
    }


def _table(rows: Iterable[Listed], context: Context) -> list[str]:
    """Return the rows in columns below a heading; only the health may be long."""
    cells = [("PROJECT", "PYTHON", "PACKAGES", "SIZE", "LAST USE", "HEALTH")]
    for row in rows:
        used = time.strftime("%Y-%m-%d", time.localtime(row.used))
        name = printable(_at_home(_named(row, context), context))
        cells.append((name, row.python, str(row.packages), _human(row.size), used, row.health))
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    return ["  ".join(_padded(row, widths)) for row in cells]


def _padded(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Return the cells as wide as their columns, numbers to the right."""
    right = (False, False, True, True, False)
    cells = [
        cell.rjust(width) if at else cell.ljust(width) for cell, width, at in zip(row, widths, right, strict=False)
    ]
    return [*cells, row[5]]


def _named(row: Listed, context: Context) -> str:
    """Return what people know an environment by: its project, or its own path if it is not called `.venv`."""
    if context.data is not None and row.path == os.path.join(context.data, "home"):
        return "(outside projects)"
    if context.data is not None and row.path == os.path.join(context.data, "pipx"):
        return "(safepip's own pipx)"
    if not row.project:
        return row.path
    is_inside = row.path.startswith(os.path.join(row.project, ""))
    return row.path if is_inside and os.path.basename(row.path) != ".venv" else row.project


def _at_home(path: str, context: Context) -> str:
    home = context.ambient.home
    return f"~{path[len(home) :]}" if home and path.startswith(os.path.join(home, "")) else path


def _human(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _info(said: argparse.Namespace, context: Context, _report: Report) -> int:
    """Print one fact a line; nothing in the environment is run."""
    found = _meant(said.dir, context) if said.dir is not None else in_force(context)
    if found.state in {ABSENT, NOWHERE}:
        raise unfit(found, context)
    if not _is_or_was(found.path):
        if said.dir is None:
            raise unfit(found, context)
        raise SafepipError(
            NO_ENVIRONMENT, f"{context.typed(found)} is neither an environment nor a project with one"
        )
    facts = _facts(found, context)
    sys.stdout.write("".join(f"{name + ':':<12} {printable(fact)}\n" for name, fact in facts if fact))
    return 0


def _facts(found: Environment, context: Context) -> Iterator[tuple[str, str]]:
    entry = registry.entry(context.state, found.path)
    project = project_root(entry.registration, context) if entry else os.path.dirname(found.named)
    yield "path", found.path
    yield "project", project or ""
    yield "python", found.version or inventory.made_with(found.path)
    yield "made from", found.base.path if found.base else ""
    yield "packages", str(inventory.packages(found.path))
    yield "size", _human(inventory.size(found.path))
    yield "last use", time.strftime("%Y-%m-%d", time.localtime(last_use(entry))) if entry else ""
    yield "known as", (_SAID[entry.registration.how] if entry else "not known")
    if found.state == USABLE:
        yield "pip", "its own" if found.has_pip else "safepip's"
    yield "sees system", "yes" if found.sees_system else ""
    yield "health", health(found)


# -- create, remove, prune


def _create(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Make the environment of this place; one that is there stays as it is."""
    found = _of_place(context)
    base = _base(said.python, context)
    if found.state == USABLE:
        if said.python and base.minor != found.version:
            what = f"{context.typed(found)} is there, with Python {found.version}"
            raise SafepipError(
                CANNOT_CREATE,
                what,
                "remove it first: safepip env remove",
                "or keep one beside it: safepip --env DIR env create",
            )
        report.say(f"{context.typed(found)} is there already (Python {found.version})")
        return 0
    if found.state not in {ABSENT, UNFINISHED}:
        raise unfit(found, context)
    from safepip.envs.create import create  # noqa: PLC0415  see above

    create(_plan(found, base, context, system=said.system_site_packages), context, report)
    return 0


def _base(wanted: str | None, context: Context) -> Interpreter:
    """Return the interpreter that an environment is made from: `wanted`, or the target interpreter."""
    if wanted == "":
        raise SafepipError(USAGE, "--python names no Python", "say which: safepip env create --python 3.12")
    if wanted is None:
        known: Interpreter | str | None = context.base
    else:
        path = _absolute(wanted, context) if os.sep in wanted else _on_path(wanted, context)
        path = os.path.join(path, BIN, "python" + EXE) if os.path.isdir(path) else path
        known = interview(path, context.ambient.environ, context.cache)
        if isinstance(known, Interpreter) and known.is_virtual:
            known = f"{path} is the Python of an environment itself"
    if not isinstance(known, Interpreter):
        raise SafepipError(NOT_FOUND, known or f"there is no Python behind {context.target.python}", _NEWER)
    if known.version < OLDEST:
        what = f"no environment can be made from {known.path}: Python {known.minor} is too old"
        raise SafepipError(NO_ENVIRONMENT, what, _NEWER)
    return known


def _on_path(wanted: str, context: Context) -> str:
    """Return a Python on PATH by its name or its version."""
    name = f"python{'.'.join(wanted.split('.')[:2])}" if wanted[:1].isdigit() else wanted
    path = next(candidates((name,), context.ambient.environ.get("PATH", os.defpath), ()), None)
    if path is None:
        raise SafepipError(NOT_FOUND, f"there is no {name} on PATH")
    return path


def _plan(found: Environment, base: Interpreter, context: Context, *, system: bool) -> Create:
    python = os.path.join(found.path, BIN, "python" + EXE)
    project = context.project
    redirects = context.settings.env_redirect and project is not None and not context.named
    file = os.path.join(project.root, ".venv") if project is not None else ""
    return Create(
        environment=found,
        interpreter=base,
        handover=Handover(python=python, words=(), program="pip"),
        because="env create asks for it",
        called=context.typed(found),
        why=f"{base.path} is Python {base.minor}",
        purpose="for this project" if project and not context.named else "as asked for",
        system_site_packages=system or context.settings.system_site_packages,
        redirect=file if redirects and file != found.path else None,
        project=project_of(context, found),
    )


def _remove(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Remove an environment that safepip made, with all that is in it."""
    found = _meant(said.dir, context) if said.dir is not None else _of_place(context)
    path = found.path
    entry = registry.entry(context.state, path)
    if entry is None or entry.registration.how != registry.MADE:
        if not os.path.lexists(path):
            raise SafepipError(NO_ENVIRONMENT, f"there is no {path}")
        what = f"safepip did not make {path}, so it does not remove it"
        raise SafepipError(REFUSED, what, "see what it made: safepip env list")
    if not said.yes:
        _refuse_what_is_used(found, context)
    remove(entry, context, report)
    report.say(
        f"{path} is removed" if not os.path.lexists(path) else f"{path} is empty now; the folder itself stays"
    )
    return 0


def _refuse_what_is_used(found: Environment, context: Context) -> None:
    """Refuse to remove an environment that holds packages or files, or is in use, and name these."""
    path = found.path
    names = sorted({*inventory.distributions(path)} - _SEEDS)
    strays = inventory.strays(path)
    processes = inventory.users(path)
    told = []
    if names:
        packages = "package" if len(names) == 1 else "packages"
        told.append(f"{len(names)} {packages}: {_some(names)}")
    if strays:
        told.append(f"{_some(strays)}, which no package put there")
    if processes:
        told.append(f"process {processes[0]}, which runs in it")
    if told:
        what = f"{path} holds {'; '.join(told)} ({_human(inventory.size(path))})"
        way = f"to remove it with that: safepip env remove --yes {shell_quote(context.typed(found))}"
        raise SafepipError(USAGE, what, way)


def _some(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    first = ", ".join(names[:5])
    return f"{first} and {len(names) - 5} more" if len(names) > 5 else first


def _prune(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Show what is not needed any more, and why; with --yes remove it."""
    doomed = [one for entry in registry.entries(context.state) if (one := _doom(entry, said.unused, context))]
    for one in doomed:
        would = "would remove" if one.remove else "would forget"
        does = _carry_out(one, context, report) if said.yes else would
        if does:
            sys.stdout.write(printable(f"{does} {one.entry.registration.path} ({one.why})") + "\n")
    if not doomed:
        report.say("there is nothing to prune")
    elif not said.yes:
        report.say("to do it: add --yes")
    return 0


def _doom(entry: Entry, unused: int | None, context: Context) -> Doomed | None:
    """Return why a record is not needed any more, or None."""
    if not entry.is_there:
        return _lost(entry)
    if entry.registration.how != registry.MADE:
        return None
    project = entry.registration.project
    if project and not os.path.lexists(project) and _device(project) == _device(os.path.dirname(project)):
        return Doomed(entry=entry, why=f"its project {project} is gone", remove=True)
    return None if unused is None else _unused(entry, unused, context)


def _lost(entry: Entry) -> Doomed | None:
    """Return why the environment of a record is gone; on a disk that is not mounted now nothing is."""
    path = entry.registration.path
    if _device(path) != entry.device:
        return None
    why = "another one is there now" if os.path.lexists(path) else "it is gone"
    return Doomed(entry=entry, why=why, remove=False)


def _unused(entry: Entry, least: int, context: Context) -> Doomed | None:
    path = entry.registration.path
    is_home = context.data is not None and path == os.path.join(context.data, "home")
    days = int((time.time() - last_use(entry)) // _DAY)
    if days < least or is_home or inventory.users(path):
        return None
    return Doomed(entry=entry, why=f"not used for {days} days", remove=True)


def _device(path: str) -> int:
    """Return the device of what lies at `path`, or else of the nearest folder above it."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev


def _carry_out(one: Doomed, context: Context, report: Report) -> str:
    """Remove or forget it; return the verb in the past, or empty after an error, which was printed."""
    if one.remove:
        try:
            remove(one.entry, context, report)
        except SafepipError as error:
            report.error(error.what, code=error.code)
            return ""
        return "removed"
    registry.discard(one.entry)
    return "forgot"


# -- trust, repair


def _trust(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Remember that the user trusts an environment, by path and identity; or forget it."""
    if said.list:
        entries = (
            entry for entry in registry.entries(context.state) if entry.registration.how == registry.TRUSTED
        )
        paths = sorted(entry.registration.path for entry in entries if entry.is_there)
        sys.stdout.write("".join(f"{printable(path)}\n" for path in paths))
        return 0
    found = _meant(said.dir, context) if said.dir is not None else _of_place(context)
    if not (is_environment(found.path) or is_conda(found.path)):
        raise SafepipError(NO_ENVIRONMENT, f"{context.typed(found)} is not an environment")
    known = registry.registration(context.state, found.path)
    if known is not None and known.how == registry.MADE:
        what = f"{context.typed(found)} was made by safepip, which trusts it"
        if said.revoke:
            raise SafepipError(USAGE, what, "to delete it: safepip env remove")
        report.say(what)
    elif said.revoke:
        _revoke(found, context, report)
    else:
        registry.note(context.state, found.path, registry.TRUSTED)
        if registry.registration(context.state, found.path) is None:
            raise SafepipError(
                CANNOT_CREATE,
                f"{context.state} cannot be written, so nothing can be remembered there",
                f"what is named needs no trust: export SAFEPIP_ENV={shlex.quote(found.path)}",
            )
        report.say(f"{context.typed(found)} is trusted from now on")
    return 0


def _revoke(found: Environment, context: Context, report: Report) -> None:
    was = registry.forget(context.state, found.path)
    report.say(f"{context.typed(found)} {'is not trusted any more' if was else 'was not trusted'}")


def _repair(said: argparse.Namespace, context: Context, report: Report) -> int:
    """Repair an environment, then name others that are broken; DIR is trusted, if it is the user's own."""
    if said.all:
        return _repair_all(context, report)
    found = _meant(said.dir, context, named=True) if said.dir is not None else in_force(context)
    if found.state in {NOWHERE, FOREIGN}:
        raise unfit(found, context)
    if os.path.lexists(found.path):
        _permit(found, context, named=bool(said.dir or context.named or context.active))
    try:
        _rebuild(found, context, report)
    finally:
        _name_broken(context, report)
    return 0


def _rebuild(found: Environment, context: Context, report: Report) -> None:
    from safepip.envs.rebuild import repair  # noqa: PLC0415  see above

    had_leftovers = bool(half_removed(found.path))
    repair(found.path, context.typed(found), context, report, unasked=had_leftovers)
    moved = set_aside(found.path, context, report)
    if moved:
        report.say(f"moved what an interrupted pip left, {_some(moved)}, to {context.typed(found)}/.safepip/left")


def _repair_all(context: Context, report: Report) -> int:
    """Repair every known environment that is broken, and pipx's applications; return the highest exit code."""
    codes = [_try_to_rebuild(found, context, report) for found in broken_environments(context)]
    from safepip.actions.pipx import repair_applications  # noqa: PLC0415  see above

    return repair_applications(context, report) or max(codes, default=0)


def _try_to_rebuild(found: Environment, context: Context, report: Report) -> int:
    try:
        _permit(found, context, named=False)
        _rebuild(found, context, report)
    except SafepipError as error:
        report.error(error.what, error.ways, code=error.code)
        return error.code
    return 0


def _name_broken(context: Context, report: Report) -> None:
    """Say what else is broken: an upgrade of the system breaks all environments at once."""
    names = [_at_home(found.path, context) for found in broken_environments(context)]
    names += [f"{name} (pipx)" for name in broken(context)]
    if names:
        report.say(f"also broken: {_some(names)}; repair all: safepip env repair --all")


def _permit(found: Environment, context: Context, *, named: bool) -> None:
    """Refuse another user's environment, and one that the user has neither named nor used before."""
    called = context.typed(found)
    if owner(found.path, follow=True) not in context.owners:
        raise SafepipError(REFUSED, f"{called} belongs to another user, or is a link to nothing")
    if (
        named
        or found.state in {USABLE, UNFINISHED}
        or registry.registration(context.state, found.path) is not None
    ):
        return
    from safepip.envs.rebuild import moved  # noqa: PLC0415  see above

    if moved(context.state, found.path) is not None:
        return
    what = f"{called} was not made by safepip" + (f" and {found.reason}" if found.reason else "")
    raise SafepipError(REFUSED, what, f"if you trust it: safepip env repair {called}")


# -- for all


def _absolute(path: str, context: Context) -> str:
    """Return the path as safepip knows environments: links in the folders above resolved, its own kept."""
    full = os.path.normpath(os.path.join(context.ambient.cwd or os.sep, path))
    return os.path.join(os.path.realpath(os.path.dirname(full)), os.path.basename(full))


def _meant(typed: str, context: Context, *, named: bool = False) -> Environment:
    """Return the environment that a word names, by itself or by its project's directory: `list` shows these.

    What is named is trusted if `named` says so; the environment of a project is named by that too.
    """
    if not typed:
        raise SafepipError(USAGE, "DIR is empty", "without DIR it is about the environment of this place")
    path = _absolute(typed, context)
    of_project = None if _is_or_was(path) else context.of_project(path)
    if of_project is None or of_project.state in {FOREIGN, NOWHERE}:
        return of_project or context.examine(path, named=named)
    return context.examine(of_project.named, named=named)


def _is_or_was(path: str) -> bool:
    """Return True if an environment exists, or safepip's notes in what is left of one."""
    return is_environment(path) or is_conda(path) or os.path.isdir(os.path.join(path, OWN))
