"""Run pip, and record what it installed or removed: `--save`."""

from __future__ import annotations

import os
import time

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


def run_and_save(handover: Handover, environ: dict[str, str], context: Context, report: Report) -> int:
    """Run pip as a child, and record what changed if it succeeds.

    Return pip's exit code, or raise SafepipError where the file could not be written.
    """
    candidates = candidates_of(context)
    number = ""  # that the run will have in the history, if it changes something
    if handover.environment:
        number = journal.next_number(handover.environment)
    code = spawn(handover.argv, environ)
    if code or handover.is_dry_run:  # safepip keeps pip from installing anything
        return code
    if not _names_packages(context):
        return code
    why = _why_not(context)
    if why is not None:
        report.warn(f"not recorded: {why}")
        return code
    installed = frozen(handover)
    if installed is None:
        raise SafepipError(CANNOT_CREATE, "not recorded: pip freeze failed, so versions are not known")
    # Each attempt reads the files again, and edits what is in them then.
    for attempt in range(_ATTEMPTS):
        recording = _Recording(handover.environment, number, installed, context)
        if recording.carry_out(candidates):
            recording.tell(report)
            return code
        time.sleep(attempt / 10)
    raise SafepipError(CANNOT_CREATE, "not recorded: another program keeps changing the file")


def destination_of(context: Context) -> str | None:
    """Return the file that the line is to be recorded in."""
    if context.invocation.save is None or not _names_packages(context):
        return None
    if _why_not(context) is not None:
        return None
    try:
        return candidates_of(context)[0].path
    except SafepipError:
        return None


def candidates_of(context: Context) -> list[Destination]:
    """Return the files to record in, the one for new entries first.

    A wrong use is refused, SafepipError.
    """
    value, cwd, root = context.invocation.save, _directory(context), None
    if context.project is not None:
        root = context.project.root
    if value:
        return [_named(value, cwd, root)]
    if root is None:
        return []
    return destinations.of_project(cwd, root)


def _directory(context: Context) -> str:
    return context.ambient.cwd or os.sep


def _named(value: str, cwd: str, root: str | None) -> Destination:
    found = destinations.named(value, cwd, root)
    folder = os.path.dirname(found.path)
    if not os.path.isdir(folder):
        way = f"make it: mkdir -p {shell_quote(folder)}"
        raise SafepipError(USAGE, f"--save={value}: the directory {folder} does not exist", way)
    is_group_without_name = found.table != "" and found.key == ""
    is_other = is_group_without_name or destinations.is_of_another_format(found)
    if is_other or os.path.isdir(found.path):
        raise SafepipError(
            USAGE,
            f"--save={value} names neither a requirements file nor a group of dependencies",
            "name one: safepip --save=requirements.txt install …, or --save=group:dev",
        )
    return found


def _names_packages(context: Context) -> bool:
    """Return True if the line itself names packages to install or remove."""
    command = context.command
    if command.dry_run:
        return False
    if command.subcommand == "uninstall":
        return command.requirements != ()
    if command.subcommand == "install":
        return any((command.requirements, command.editables))
    return False


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
        return tools.recording(context.keeper, str(command.subcommand), command.requirements)
    if context.project is None:
        line = " ".join(map(shell_quote, invocation.words))
        return f"this is not a project; name a file: safepip --save=requirements.txt {line}"
    return None


class _Recording:
    """One attempt to record what a run of pip changed."""

    def __init__(
        self, environment: str | None, number: str, installed: Mapping[str, str], context: Context
    ) -> None:
        self.environment = environment
        self.number = number  # of the run in the history
        self.installed = installed
        self.context = context
        self.cwd = _directory(context)
        self.done: list[str] = []
        self.missed: list[str] = []

    def carry_out(self, candidates: Sequence[Destination]) -> bool:
        """Edit the files, or return False if one has changed meanwhile."""
        if self.context.command.subcommand == "install":
            files = self._with_installed(candidates[0])
        else:
            files = self._without_removed(candidates)
        return all(map(self._write, files))

    def tell(self, report: Report) -> None:
        """Print what was recorded, and what was not even with -q."""
        for line in self.done:
            report.say(line)
        for line in self.missed:
            report.warn(line)

    def _open(self, destination: Destination) -> list[Opened]:
        """Read a file to edit, and the requirements files that it includes."""
        first = self._open_one(destination)
        project = self.context.project
        if project is None or not isinstance(first.document, RequirementsFile):
            return [first]
        files = [first]
        for path, _ in destinations.nested(destination.path, first.document, project.root):
            files.append(self._open_one(Destination(path=path)))
        return files

    def _open_one(self, destination: Destination) -> Opened:
        """Read a file to edit, or raise SafepipError."""
        shown, project = self._shown(destination), self.context.project
        if project is not None and not self.context.invocation.save:
            # A link that came with the project could lead to any file of the user's.
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

    def _shown(self, destination: Destination) -> str:
        return self.context.typed_path(destination.path)

    # -- install

    def _with_installed(self, destination: Destination) -> list[Opened]:
        """Return the files with what was installed."""
        try:
            files = self._open_for_new_entries(destination)
        except CannotEditError as error:
            for one in self._asked():
                self._miss(one, destination, error)
            return []
        for one in self._asked():
            try:
                recorded = edits.record(one, files)
            except CannotEditError as error:
                self._miss(one, destination, error)
                continue
            if recorded is None:
                continue
            changed, text = recorded
            at = [file.destination for file in files].index(changed.destination)
            files[at] = changed
            self.done.append(f"recorded {text} in {self._shown(changed.destination)}")
        return files

    def _open_for_new_entries(self, destination: Destination) -> list[Opened]:
        files = self._open(destination)
        document = files[0].document
        if isinstance(document, RequirementsFile) and document.is_generated:
            raise CannotEditError("a program writes it, or it has hashes")
        return files

    def _miss(self, one: Asked, destination: Destination, error: CannotEditError) -> None:
        by_hand = f"add it yourself: {entries.recorded(one)}"
        self.missed.append(f"not recorded in {self._shown(destination)}: {error}; {by_hand}")

    def _asked(self) -> Iterator[Asked]:
        """Yield what the line named and pip installed."""
        command, style = self.context.command, self.context.settings.save_style
        version = ""
        if self.environment:
            version = self.context.examine(self.environment, trusted=True).version
        marked = {}
        if version:
            marked = {"python_version": version, "python_full_version": f"{version}.0"}
        for word in (*command.requirements, *map("-e {}".format, command.editables)):
            typed = entries.parts_of(word)
            name = self._name_of(word)
            if not name:
                self.missed.append(f"not recorded: it cannot be told which package {word} is")
                continue
            known = self.installed.get(name, "")
            url = known.partition(" @ ")[2]
            if typed is not None and typed.url and url:  # pip freeze has the commit, too
                typed = Parts(name=typed.name, extras=typed.extras, url=url, marker=typed.marker)
            yield Asked(name=name, typed=typed, frozen=known, style=style, marked=marked)

    def _name_of(self, word: str) -> str:
        """Return the normalised name of the package of a word, or ""."""
        typed = entries.parts_of(word)
        if typed is not None:
            return normalised_name(typed.name)
        place = entries.place_of(word, self.cwd)
        for name, text in self.installed.items():
            if entries.is_pinned(text):
                continue
            if entries.place_of(text, self.cwd) == place:
                return name
        name = entries.name_of(word)
        if name in self.installed:
            return name
        return ""

    # -- uninstall

    def _without_removed(self, candidates: Sequence[Destination]) -> list[Opened]:
        """Return the first file that names what was removed, without that."""
        names = filter(None, map(entries.name_of, self.context.command.requirements))
        removed = [name for name in names if name not in self.installed]
        places = self._places_of_removed()
        for destination in candidates:
            try:
                edited = [edits.remove(removed, places, file) for file in self._open(destination)]
            except CannotEditError as error:
                by_hand = f"if it names {', '.join(removed)}, remove that yourself"
                self.missed.append(f"{self._shown(destination)} stays as it is: {error}; {by_hand}")
                continue
            for file, gone in edited:
                for entry in gone:
                    self.done.append(f"removed {entry} from {self._shown(file.destination)}")
            if self.done:
                return [file for file, _ in edited]
        return []

    def _places_of_removed(self) -> dict[str, str]:
        """Return names of what was removed, by the path it came from."""
        places: dict[str, str] = {}
        run = self._run_in_history()
        if run is None:
            return places
        for change in run.changes:
            if change.before is None or change.after is not None:
                continue
            if change.before.origin:
                word = packages.requirement(change.name, change.before)[-1]
                places[entries.place_of(word, os.sep)] = change.name
        return places

    def _run_in_history(self) -> history.Entry | None:
        if self.environment is None:
            return None
        for entry in history.read(self.environment)[-1:]:
            if entry.id == self.number:
                return entry
        return None

    # -- written

    def _write(self, file: Opened) -> bool:
        """Write the file, or return False if it has changed meanwhile."""
        path, after = file.destination.path, file.document.content
        if after == (file.before or b""):
            return True
        if self.environment is not None:  # noted first, for `undo`
            entry = self._entry(self.environment)
            saved_files.note(
                self.environment, saved_files.Saved(entry=entry, path=path, before=file.before, after=after)
            )
        try:
            return saved_files.change(path, file.before, after)
        except OSError as error:
            due = edits.difference(file, destinations.document(file.destination, file.before))
            what = f"not recorded: {self._shown(file.destination)}: {error.strerror}"
            raise SafepipError(CANNOT_CREATE, what, f"do it there: {due}") from None

    def _entry(self, environment: str) -> str:
        """Return the id of this run in the history."""
        if self._run_in_history() is not None:
            return self.number
        # pip changed nothing, so that there is only the file to undo.
        entry = history.Entry(
            id=journal.next_number(environment),
            time=int(time.time()),
            kind=history.SAVE,
            words=tuple(without_secrets(self.context.invocation.words)),
            cwd=self.context.ambient.cwd or "",
        )
        try:
            history.append(environment, entry)
        except OSError:
            return ""
        return entry.id
