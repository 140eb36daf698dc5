"""Run pip, and record what it installed or removed in the file that lists the project's dependencies: `--save`."""

from __future__ import annotations

import os
import time

from safepip.core.record import Record
from safepip.core.requirement import normalised_name
from safepip.envs import history, journal, packages, saved_files
from safepip.envs.pip import frozen
from safepip.errors import CANNOT_CREATE, USAGE, SafepipError, shell_quote
from safepip.report import without_secrets
from safepip.saving import destination as destinations
from safepip.saving import edits
from safepip.saving import entry as entries
from safepip.saving.destination import Destination
from safepip.saving.edits import Opened
from safepip.saving.entry import Asked, Parts
from safepip.saving.requirements_file import CannotEditError, RequirementsFile
from safepip.system.process import spawn
from safepip.system.project_tools import tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from safepip.core.plan import Handover
    from safepip.report import Report
    from safepip.system.observe import Context

_ATTEMPTS = 5  # where another program changes the file meanwhile


class Run(Record):
    """A run of pip that succeeded: its `environment`, its `number` in the history, and what is installed now."""

    environment: str | None
    number: str
    frozen: Mapping[str, str]


class Told:
    """What is to be said: lines on what is `done`, and on what is `missed`, which are printed even with -q."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.missed: list[str] = []


def run_and_save(handover: Handover, environ: dict[str, str], context: Context, report: Report) -> int:
    """Run pip as a child while its environment's lock is held; record what changed if it succeeds.

    Return pip's exit code, or raise SafepipError where the file could not be written.
    """
    candidates = _candidates(context)
    number = ""
    if handover.environment:
        number = journal.next_number(handover.environment)
    code = spawn(handover.argv, environ)
    only_looked = handover.is_dry_run or not _names_something(context)
    if code or only_looked:
        return code
    why = _why_not(context)
    if why is not None:
        report.warn(f"not recorded: {why}")
        return code
    installed = frozen(handover)
    if installed is None:
        raise SafepipError(CANNOT_CREATE, "not recorded: pip freeze failed, so versions are not known")
    run = Run(environment=handover.environment, number=number, frozen=installed)
    for attempt in range(_ATTEMPTS):
        if _recorded(candidates, run, context, report):
            return code
        time.sleep(attempt / 10)
    raise SafepipError(CANNOT_CREATE, "not recorded: another program keeps changing the file")


def destination_of(context: Context) -> str | None:
    """Return the file in which the line is recorded, for `explain`; None if it is not."""
    if context.invocation.save is None or not _names_something(context) or _why_not(context) is not None:
        return None
    try:
        return _candidates(context)[0].path
    except SafepipError:
        return None


def _candidates(context: Context) -> list[Destination]:
    """Return the files that the line may be recorded in, the one for a new entry first."""
    value, cwd = context.invocation.save, context.ambient.cwd or os.sep
    root = None
    if context.project is not None:
        root = context.project.root
    if not value:
        if root is not None:
            return destinations.of_project(cwd, root)
        return []
    found = destinations.named(value, cwd, root)
    folder = os.path.dirname(found.path)
    if not os.path.isdir(folder):
        way = f"make it: mkdir -p {shell_quote(folder)}"
        raise SafepipError(USAGE, f"--save={value}: the directory {folder} does not exist", way)
    is_group_without_name = found.table and not found.key
    if destinations.is_of_another_format(found) or is_group_without_name or os.path.isdir(found.path):
        raise SafepipError(
            USAGE,
            f"--save={value} names neither a requirements file nor a group of dependencies",
            "name one: safepip --save=requirements.txt install …, or --save=group:dev",
        )
    return [found]


def _names_something(context: Context) -> bool:
    """Return True if the line changes what is installed, and names that itself and not by a file."""
    command = context.command
    if command.dry_run:
        return False
    if command.subcommand == "install":
        return bool(command.requirements or command.editables)
    return command.subcommand == "uninstall" and bool(command.requirements)


def _why_not(context: Context) -> str | None:
    """Return why the line is not recorded, or None if it is."""
    command, invocation = context.command, context.invocation
    if command.outcome != "ok":
        return f"safepip does not know {command.unknown_option or 'all of the line'}"
    if {command.target, command.prefix, command.root} != {None}:
        return "the line says where to install to"
    if invocation.save:
        return None
    if context.keeper is not None:
        return tools.recording(context.keeper, command.subcommand or "", command.requirements)
    if context.project is None:
        line = " ".join(map(shell_quote, invocation.words))
        return f"this is not a project; name a file: safepip --save=requirements.txt {line}"
    return None


def _recorded(candidates: Sequence[Destination], run: Run, context: Context, report: Report) -> bool:
    """Record the line; return False where a file was changed meanwhile, so that it is to be read again."""
    told = Told()
    if context.command.subcommand == "install":
        files = _with_installed(candidates[0], run, context, told)
    else:
        files = _without_removed(candidates, run, context, told)
    for file in files:
        if not _write(file, run, context):
            return False
    for line in told.done:
        report.say(line)
    for line in told.missed:
        report.warn(line)
    return True


def _open(destination: Destination, context: Context) -> Opened:
    """Read a file to edit; raise SafepipError if that is impossible, or it lies outside the project unasked."""
    shown, project = context.typed_path(destination.path), context.project
    if not context.invocation.save and project is not None:
        real = os.path.realpath(destination.path)
        if not real.startswith(os.path.join(os.path.realpath(project.root), "")):
            way = f"if you mean that file: safepip --save={shell_quote(real)} …"
            raise SafepipError(CANNOT_CREATE, f"not recorded: {shown} is a link out of the project", way)
    try:
        before = saved_files.content_of(destination.path)
    except OSError as error:
        raise SafepipError(CANNOT_CREATE, f"not recorded: {shown}: {error.strerror}") from None
    document = destinations.document(destination, before)
    return Opened(destination=destination, before=before, document=document)


def _open_with_nested(destination: Destination, context: Context) -> list[Opened]:
    """Open a file, and the requirements files that it includes, in which the entry may stand already."""
    first = _open(destination, context)
    if not isinstance(first.document, RequirementsFile) or context.project is None:
        return [first]
    files = [first]
    for path, _ in destinations.nested(destination.path, first.document, context.project.root):
        files.append(_open(Destination(path=path), context))
    return files


# -- install


def _with_installed(destination: Destination, run: Run, context: Context, told: Told) -> list[Opened]:
    """Return the files with what was installed; add to `told` what is to be said of that."""
    shown = context.typed_path(destination.path)
    try:
        files = _open_for_new_entries(destination, context)
    except CannotEditError as error:
        for one in _asked(run, context, told):
            told.missed.append(_by_hand(one, shown, error))
        return []
    for one in _asked(run, context, told):
        try:
            done = edits.record(one, files)
        except CannotEditError as error:
            told.missed.append(_by_hand(one, shown, error))
            continue
        if done is None:
            continue
        changed, text = done
        at = [file.destination for file in files].index(changed.destination)
        files[at] = changed
        told.done.append(f"recorded {text} in {context.typed_path(changed.destination.path)}")
    return files


def _by_hand(one: Asked, shown: str, error: CannotEditError) -> str:
    return f"not recorded in {shown}: {error}; add it yourself: {entries.recorded(one)}"


def _open_for_new_entries(destination: Destination, context: Context) -> list[Opened]:
    files = _open_with_nested(destination, context)
    document = files[0].document
    if isinstance(document, RequirementsFile) and document.is_generated:
        raise CannotEditError("a program writes it, or it has hashes")
    return files


def _asked(run: Run, context: Context, told: Told) -> Iterator[Asked]:
    """Yield what the line named and pip installed, each as it is to be recorded."""
    command, style = context.command, context.settings.save_style
    version = ""
    if run.environment:
        version = context.examine(run.environment, trusted=True).version
    marked = {}
    if version:
        marked = {"python_version": version, "python_full_version": f"{version}.0"}
    for word in (*command.requirements, *(f"-e {place}" for place in command.editables)):
        typed = entries.parts_of(word)
        name = _name_of(word, run.frozen, context)
        if not name:
            told.missed.append(f"not recorded: it cannot be told which package {word} is")
            continue
        known = run.frozen.get(name, "")
        url = known.partition(" @ ")[2]
        if typed is not None and typed.url and url:
            typed = Parts(name=typed.name, extras=typed.extras, url=url, marker=typed.marker)
        yield Asked(name=name, typed=typed, frozen=known, style=style, marked=marked)


def _name_of(word: str, installed: Mapping[str, str], context: Context) -> str:
    """Return the normalised name of the package that a requirement, path or URL on the line led to, or ""."""
    typed = entries.parts_of(word)
    if typed is not None:
        return normalised_name(typed.name)
    cwd = context.ambient.cwd or os.sep
    place = entries.place_of(word, cwd)
    for name, text in installed.items():
        if not entries.is_pinned(text) and entries.place_of(text, cwd) == place:
            return name
    name = entries.name_of(word)
    if name in installed:
        return name
    return ""


# -- uninstall


def _without_removed(candidates: Sequence[Destination], run: Run, context: Context, told: Told) -> list[Opened]:
    """Return the first file that names what was removed, without that; add to `told` what is to be said of it."""
    names = list(filter(None, map(entries.name_of, context.command.requirements)))
    names = [name for name in names if name not in run.frozen]
    places = _places_of_removed(run)
    for destination in candidates:
        try:
            done = [edits.remove(names, places, file) for file in _open_with_nested(destination, context)]
        except CannotEditError as error:
            shown = context.typed_path(destination.path)
            told.missed.append(
                f"{shown} stays as it is: {error}; if it names {', '.join(names)}, remove that yourself"
            )
            continue
        said = [f"removed {entry} from {_shown(file, context)}" for file, gone in done for entry in gone]
        if said:
            told.done.extend(said)
            return [file for file, _ in done]
    return []


def _shown(file: Opened, context: Context) -> str:
    shown: str = context.typed_path(file.destination.path)
    return shown


def _places_of_removed(run: Run) -> dict[str, str]:
    """Return the names of what pip has just removed and had from a path or URL, by that."""
    found = []
    if run.environment:
        found = history.read(run.environment)
    if not found or found[-1].id != run.number:
        return {}
    places = {}
    for change in found[-1].changes:
        if change.after is None and change.before is not None and change.before.origin:
            word = packages.requirement(change.name, change.before)[-1]
            places[entries.place_of(word, os.sep)] = change.name
    return places


# -- written


def _write(file: Opened, run: Run, context: Context) -> bool:
    """Write the file, noted first for `undo`; return False if it has changed meanwhile."""
    path, after = file.destination.path, file.document.content
    if after == (file.before or b""):
        return True
    if run.environment is not None:
        saved = saved_files.Saved(entry=_entry(run, context), path=path, before=file.before, after=after)
        saved_files.note(run.environment, saved)
    try:
        return saved_files.change(path, file.before, after)
    except OSError as error:
        shown = context.typed_path(path)
        due = edits.difference(file, destinations.document(file.destination, file.before))
        raise SafepipError(
            CANNOT_CREATE, f"not recorded: {shown}: {error.strerror}", f"do it there: {due}"
        ) from None


def _entry(run: Run, context: Context) -> str:
    """Return the id of this command's entry in the history, which is made if pip changed nothing."""
    assert run.environment is not None
    found = history.read(run.environment)
    if found and found[-1].id == run.number:
        return run.number
    entry = history.Entry(
        id=journal.next_number(run.environment),
        time=int(time.time()),
        kind=history.SAVE,
        words=tuple(without_secrets(context.invocation.words)),
        cwd=context.ambient.cwd or "",
    )
    try:
        history.append(run.environment, entry)
    except OSError:
        return ""
    return entry.id
