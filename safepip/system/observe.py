"""The facts of one line, each looked up on its first use."""

from __future__ import annotations

import os
import sys

from safepip.core.pip_line import opts_out, read
from safepip.core.record import replace
from safepip.core.settings import merge, origin_of
from safepip.core.world import (
    BIN,
    BROKEN,
    FOREIGN,
    NOWHERE,
    UNFINISHED,
    UNTRUSTED,
    USABLE,
    Ambient,
    Environment,
    Facts,
    Project,
    Target,
)
from safepip.errors import NOT_FOUND, USAGE, SafepipError

from . import environment as env
from . import registry
from .directories import at_home, cache_dir, data_dir, state_dir
from .files import is_in, number
from .interpreter import (
    behind_shim,
    candidates,
    interview,
    is_marked,
    is_program,
    is_script,
    is_store_alias,
    program_name,
    started_as,
)
from .keeper import keeper
from .pip_config import find as find_pip_files
from .process import ACTIVATED, HANDOVER
from .project import ENVIRONMENT, find, may_be_root, owner
from .settings_files import tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from safepip.core.invocation import Invocation
    from safepip.core.pip_line import ConfigFile, PipCommand
    from safepip.core.settings import Settings
    from safepip.core.world import Interpreter
    from safepip.system.project_tools.project import Named

    Changes = tuple[tuple[str, str | None], ...]

HOOK = "SAFEPIP_HOOK"  # set by a shell's own functions: 0 where no environment is activated
_NAMES = ("python3", "python") if sys.platform != "win32" else ("python", "python3")
_UNTOUCHED = ("SAFEPIP_BYPASS", "PIP_AUTO_COMPLETE", "PIP_BUILD_TRACKER", "_PIP_RUNNING_IN_SUBPROCESS")
_OF_APPLICATIONS = ("pipx_metadata.json", "uv-receipt.toml", "safepip-app")  # mark an environment of one program


# -- this process


def enter(folder: str) -> None:
    """Go to a directory, as if safepip had been started there."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise SafepipError(USAGE, f"{folder}: {error.strerror}") from None


def apply_changes(changes: Changes) -> None:
    """Change variables of this process, and so of its children."""
    for name, value in changes:
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def ambient() -> Ambient:
    """Return what surrounds this process."""
    try:
        cwd = os.getcwd()
    except OSError:
        cwd = None
    environ = {name: value for name, value in os.environ.items() if value}
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    return Ambient(
        environ=environ,
        cwd=cwd,
        home=_home(environ, user),
        user=user,
        platform=sys.platform,
        executable=sys.executable,
        prefix=sys.prefix,
        base_prefix=sys.base_prefix,
        terminal=sys.stderr is not None and sys.stderr.isatty(),
        attended=any(map(os.isatty, (0, 1, 2))),
    )


def _home(environ: Mapping[str, str], user: int) -> str | None:
    """Return the home directory as pip finds it, or None."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if sys.platform == "win32":
        return home
    if not home or not os.path.isabs(home):
        import pwd

        try:
            home = pwd.getpwuid(user).pw_dir
        except KeyError:
            return None
    if os.path.isdir(home):
        return home
    # Debian's system users have /nonexistent. A missing home counts only where the user can make it.
    above = os.path.dirname(os.path.normpath(home))
    if above == os.sep or owner(above) != user:
        return None
    return home


class _Lazy:
    """Works out an attribute on first use, unless one was given."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work

    def __get__(self, context: Any, _owner: type) -> Any:
        value = context.__dict__[self.work.__name__] = self.work(context)
        return value


if TYPE_CHECKING:
    lazy = property
else:
    lazy = _Lazy


class Context(Facts):
    """The facts of one line, beside those that are given as `known`."""

    def __init__(
        self,
        invocation: Invocation,
        ambient: Ambient,
        tell: Callable[[str], None] = lambda _line: None,
        *,
        keep: bool = True,
        **known: object,
    ) -> None:
        self.invocation = invocation
        self.ambient = ambient
        self.tell = tell
        self.keep = keep
        surroundings = (ambient.environ, ambient.home, ambient.platform)
        self.cache = cache_dir(*surroundings)
        self.state = state_dir(*surroundings)
        self.data = data_dir(*surroundings)
        self.makers = frozenset({0, ambient.user})  # user ids whose environments may serve
        self._interpreters: dict[str, Interpreter] = {}  # by the path of their binary
        self._found_pip_files: dict[tuple[str | None, bool], Sequence[ConfigFile]] = {}
        self._read_pip_files: dict[tuple[str, bool], ConfigFile | None] = {}
        self._registered: set[str] = set()  # environments that were registered at the path where they are
        self.__dict__.update(known)

    @lazy
    def writes(self) -> bool:
        """Whether anything may be remembered."""
        # Not by `explain`. Nor by root for the user behind sudo, who could not change it afterwards.
        return self.keep and self.sudo_user is None

    # -- what was typed

    @lazy
    def untouched(self) -> str | None:
        """The variable that asks for bare pip, or None."""
        return next((name for name in _UNTOUCHED if name in self.ambient.environ), None)

    @lazy
    def command(self) -> PipCommand:
        """The line as the pip of the target reads it."""
        target = self.target
        if target.interpreter is None:
            return self.command_in(target.prefix)
        return self.command_in(target.interpreter.prefix)

    def command_in(self, prefix: str | None) -> PipCommand:
        """Return the line as the pip at `prefix` reads it."""
        files = self.pip_files(prefix)
        if files == self.pip_files(None):  # most have no pip.conf of their own
            return self.first_reading
        return read(self.invocation.words, self.ambient.environ, files)

    @lazy
    def first_reading(self) -> PipCommand:
        """The line as read before the target is known."""
        # It comes first because the line may name the target.
        return read(self.invocation.words, self.ambient.environ, self.pip_files(None))

    @lazy
    def opts_out(self) -> str | None:
        """The variable or file that switches PEP 668 off for every subcommand."""
        return opts_out(self.ambient.environ, self.pip_files(None))

    @lazy
    def configured_python(self) -> bool:
        """Whether a file of pip's names an interpreter, as any pip obeys."""
        return any("python" in file.sections.get("global", {}) for file in self.pip_files(None))

    @lazy
    def pip_is_misconfigured(self) -> bool:
        """Whether a configuration file makes every pip command fail."""
        return any(file.error for file in self.pip_files(None, strict=True))

    @lazy
    def missing_input(self) -> str | None:
        """What the line names that pip cannot find, or None."""
        from safepip.envs.install_inputs import missing_input

        return missing_input(self.command, self.absolute(os.curdir))

    def pip_files(self, site: str | None, *, strict: bool = False) -> Sequence[ConfigFile]:
        """Return the files that a pip reads whose Python has this `sys.prefix`."""
        found = self._found_pip_files.get((site, strict))
        if found is None:
            ambient = self.ambient
            found = self._found_pip_files[site, strict] = find_pip_files(
                ambient.environ,
                ambient.home,
                platform=ambient.platform,
                site_prefix=site,
                strict=strict,
                read_before=self._read_pip_files,
            )
        return found

    # -- which Python it would have served

    @lazy
    def target(self) -> Target:
        """The target, by the line, the name typed, the settings, or PATH."""
        named = self.first_reading.main_python
        if not named:
            return self.typed_interpreter
        path = self.absolute(named)
        if os.path.isdir(path):  # a directory's Python, since pip 22.3
            tried = [os.path.join(path, *parts) for parts in (("bin", "python"), ("Scripts", "python.exe"))]
            path = next(filter(os.path.exists, tried), tried[0])
        if not os.path.exists(path):
            return Target(python=path, chosen_on_line=True, problem=f"there is no {path}")
        return self._target(path, chosen_on_line=True)

    @lazy
    def typed_interpreter(self) -> Target:
        """The interpreter whose pip would have read the line."""
        invocation = self.invocation
        if invocation.module and not self._own_prefix():
            return self._target(self.ambient.executable, chosen_on_line=True)
        if invocation.version:
            return self._on_path((f"python{invocation.version}",), chosen_on_line="." in invocation.version)
        wanted = self.settings.python
        if wanted is None:
            return self._on_path(_NAMES)
        if wanted in _NAMES and HOOK in self.ambient.environ:  # typed as `python -m pip`: any will do, as for pip
            return self._on_path((wanted, *_NAMES))
        if os.sep in wanted:
            return self._target(self.absolute(at_home(wanted, self.ambient.home)), chosen_on_line=False)
        return self._on_path((program_name(wanted),))

    def _on_path(self, names: tuple[str, ...], *, chosen_on_line: bool = False) -> Target:
        """Return the first Python of these names on PATH, else safepip's own."""
        search = self.ambient.environ.get("PATH", os.defpath)
        own = os.path.join(self._own_prefix(), BIN)
        for path in candidates(names, search, (own,)):
            if is_store_alias(path) and isinstance(self._interview(path), str):
                continue  # Windows only offers a Python from its Store under this name
            self.tell(f"{names[0]} on PATH: {path}")
            return self._target(path, chosen_on_line=chosen_on_line)
        if chosen_on_line or not set(_NAMES).issubset(names):
            raise SafepipError(NOT_FOUND, f"there is no {names[0]} on PATH")
        base = getattr(sys, "_base_executable", None) or self.ambient.executable
        return self._target(base, chosen_on_line=False)

    def _own_prefix(self) -> str:
        """Return the environment that only safepip runs from, or empty."""
        ambient = self.ambient
        if ambient.prefix == ambient.base_prefix:
            return ""
        own = os.path.realpath(ambient.prefix)
        environments = [ambient.environ.get("VIRTUAL_ENV")]
        if self._project_by_usual_names is not None:
            environments.append(self._project_by_usual_names.environment)
        if own in map(os.path.realpath, filter(None, environments)):
            return ""
        if not self.invocation.module:
            return own
        # By `python -m safepip` the user chose it, unless pipx, uv tool or safepip made it for an application.
        for name in _OF_APPLICATIONS:
            if os.path.exists(os.path.join(own, name)):
                return own
        return ""

    def _target(self, path: str, *, chosen_on_line: bool) -> Target:
        if is_program(path) and is_script(path):
            path = behind_shim(path, self.ambient.environ)
            self.tell(f"the shim means {path}")
        prefix = env.of_python(path)
        if prefix is not None:
            return Target(python=started_as(path), prefix=prefix, chosen_on_line=chosen_on_line)
        known = self._interview(path)
        if isinstance(known, str):
            return Target(python=path, chosen_on_line=chosen_on_line, problem=known)
        return Target(python=started_as(path), interpreter=known, chosen_on_line=chosen_on_line)

    def _interview(self, path: str) -> Interpreter | str:
        """Ask an interpreter once, whatever links lead to it."""
        real = os.path.realpath(path)
        known = self._interpreters.get(real)
        if known is None:
            found = interview(path, self.ambient.environ, self.cache, keep=self.writes, real=real)
            if not isinstance(found, str):
                self._interpreters[real] = found
            return found
        return replace(known, path=path)

    @lazy
    def managed(self) -> bool:
        """Whether something other than pip manages the target (PEP 668)."""
        interpreter = self.target.interpreter
        if interpreter is None or interpreter.is_virtual:
            return False
        paths = {interpreter.path, interpreter.real}
        if paths & self._real_paths(self.settings.managed):
            return True
        if paths & self._real_paths(self.settings.unmanaged):
            return False
        found = is_marked(interpreter)  # on every call, because an administrator may add or remove the marker
        self.tell(f"{interpreter.marker} {'is there' if found else 'is not there'}")
        return found

    @lazy
    def base(self) -> Interpreter | None:
        """The interpreter that new environments are made from."""
        if self.target.prefix is not None:
            return self.examine(self.target.prefix, trusted=True).base
        return self.target.interpreter

    # -- active environments, and those that are named

    @lazy
    def active(self) -> Environment | None:
        """The environment first on PATH, or that a variable names."""
        if self.target.prefix is not None:
            return self.examine(self.target.prefix, trusted=True)
        if self.invocation.module or self.first_reading.main_python:
            return None
        if not self.managed:  # pip itself never reads those variables
            return None
        variable, path = self.claimed_active
        if not variable:
            return None
        environment = self.examine(path, trusted=True)
        if environment.state != USABLE or not self.invocation.accepts(environment.version):
            return None
        return environment

    @lazy
    def claimed_active(self) -> tuple[str, str]:
        """The variable that claims an active environment, and its value."""
        environ = self.ambient.environ
        path = environ.get("VIRTUAL_ENV")
        if path:
            return "VIRTUAL_ENV", self.absolute(path)
        path = environ.get("CONDA_PREFIX")
        if path and env.is_conda(path):  # in base it names the interpreter itself
            return "CONDA_PREFIX", self.absolute(path)
        return "", ""

    @lazy
    def stale_active(self) -> tuple[str, str] | None:
        """The variable, and its value, that claims what is not an environment."""
        variable, path = self.claimed_active
        if not variable or self.examine(path, trusted=True).state == USABLE:
            return None
        return variable, path

    @lazy
    def due_changes(self) -> Changes:
        """The changes of variables that a shell's hook would make here."""
        environ = self.ambient.environ
        at = environ.get(ACTIVATED)
        if not at or at != environ.get("VIRTUAL_ENV"):
            return ()
        if self.untouched:  # where bare pip is asked for, PATH counts
            return ()
        from safepip.shells.activation import due

        changes = due(at, self._project_by_usual_names, self.state, environ)
        if changes:
            self.tell(f"the shell's hook activated {at}, which is not this directory's")
        return changes

    @lazy
    def sudo_user(self) -> tuple[int, int] | None:
        """The user and group id behind sudo, where root acts for another."""
        if self.ambient.user != 0 or self.ambient.platform == "win32":
            return None
        uid = number(self.ambient.environ.get("SUDO_UID", ""))
        gid = number(self.ambient.environ.get("SUDO_GID", ""))
        if not uid:  # nobody, or root
            return None
        return uid, -1 if gid is None else gid

    def owner_behind_sudo(self, path: str) -> tuple[int, int] | None:
        """Return the user behind sudo, if `path` is that user's."""
        if self.sudo_user is None or owner(path) != self.sudo_user[0]:
            return None
        return self.sudo_user

    @lazy
    def inside(self) -> Environment | None:
        """The environment whose pip, started by safepip, runs this process."""
        process, _, path = self.ambient.environ.get(HANDOVER, "").partition(":")
        if not process.isdecimal():
            return None
        from .processes import is_ancestor

        if not is_ancestor(int(process)):  # the variable was left over in a shell or a daemon
            return None
        environment = self.examine(path, trusted=True)
        if environment.state != USABLE:
            return None
        return environment

    @lazy
    def named_environment(self) -> tuple[str, Environment] | None:
        """What names an environment (--env, SAFEPIP_ENV or --python), and that environment."""
        variable = self.ambient.environ.get("SAFEPIP_ENV")
        for what, path in (("--env", self.invocation.env), ("SAFEPIP_ENV", variable)):
            if path:
                return what, self.examine(self.absolute(path), trusted=True)
        if self.first_reading.main_python and self.target.prefix:
            return "--python", self.examine(self.target.prefix, trusted=True)
        return None

    # -- settings, project, place

    @lazy
    def settings(self) -> Settings:
        """The settings in force here."""
        ambient, root = self.ambient, None
        project = self._project_by_usual_names
        if project is not None and not self.sudo_user:  # root reads no file of the user's project
            root = project.root
        found = tables(ambient.environ, ambient.home or "", root, platform=ambient.platform)
        return merge(ambient.environ, found, root)

    @lazy
    def _project_by_usual_names(self) -> Project | None:
        # Other names may stand in the settings, for which the project is needed.
        if self.ambient.cwd is None:
            return None
        return find(self.ambient.cwd, self.ambient.home, self.owners, makers=self.makers)

    @lazy
    def project(self) -> Project | None:
        """The project of the working directory, or None outside any."""
        project = self._project_by_usual_names
        cwd, home, owners = self.ambient.cwd, self.ambient.home, self.owners
        folder = self.settings.env_dir
        if folder not in {ENVIRONMENT, "central"} and cwd is not None:
            project = find(cwd, home, owners, folder, self.makers)
        if project is None and cwd is not None:
            is_root = may_be_root(cwd, home, self.ambient.environ, owners)
            if is_root or self.settings.outside_project == "cwd":
                project = Project(root=cwd, marker="")
        if project is None:
            self.tell("no project")
        else:
            self.tell(f"project: {project.root} ({project.marker or 'no marker'})")
        return project

    @property
    def _declared_project(self) -> Project | None:
        """The project, unless only an install would make it one."""
        project = self.project
        if project is None or not project.marker:
            return None
        return project

    @lazy
    def place(self) -> Environment:
        """The environment for the working directory: the project's, or the home environment."""
        project, kept = self.project, self.kept
        if project is None:
            return self.in_data("home")
        path, redirect = project.environment, ""
        if kept is not None:
            path, redirect = kept.path, kept.file
        if path is None:
            return self._new_place(project.root)
        if self._leads_out(path, project.root):
            return _led_out(path)
        return self.examine(path, redirect=redirect)

    def _new_place(self, root: str) -> Environment:
        """Return where a project gets its environment that has none."""
        folder = self.settings.env_dir
        if folder == "central":
            return self.central(root)
        path = os.path.normpath(os.path.join(root, at_home(folder, self.ambient.home)))
        if self._leads_out(path, root):
            return _led_out(path)
        from .new_place import obstacle

        makers = self.makers
        known = registry.registration(self.state, path)
        is_trusted = known is not None and known.how == registry.TRUSTED
        if is_trusted or self._is_trusted(path):
            makers |= {owner(path)}
        reason = obstacle(path, root, makers, self.typed_path, is_root=self._is_root)
        if reason is None:
            return self.examine(path)
        if reason == "":
            self.tell(f"{root} cannot hold an environment")
        return self.central(root, reason=reason)

    def central(self, root: str, *, reason: str = "") -> Environment:
        """Return a project's place in the user's data, and why there."""
        from .new_place import name_in_data

        return replace(self.in_data("envs", name_in_data(root)), reason_for_other_place=reason)

    def in_data(self, *parts: str) -> Environment:
        """Return the environment at that path in the user's own data."""
        if self.data is None:
            reason = "there is no home directory to keep an environment in"
            return Environment(path="", known_as="", state=NOWHERE, reason=reason)
        return self.examine(os.path.join(self.data, *parts))

    @lazy
    def environment_to_read(self) -> Environment:
        """The environment for commands that only read."""
        project = self.project
        if project is None or project.disposable is None:
            return self.place
        if self.place.state == USABLE:
            return self.place
        disposable = self.examine(project.disposable)
        if disposable.state == USABLE:
            return disposable
        return self.place

    @lazy
    def outer_environment(self) -> str | None:
        """The environment of a project around this one, or None."""
        project = self._declared_project
        if project is None:
            return None
        # The walk up ended here if the project is a repository of its own.
        outer = find(os.path.dirname(project.root), self.ambient.home, self.owners)
        return None if outer is None else outer.environment

    @lazy
    def keeper(self) -> str | None:
        """The tool that keeps the project (uv, poetry, …), or None."""
        project = self._declared_project
        return None if project is None else keeper(project.root)

    @lazy
    def kept(self) -> Named | None:
        """The environment of the tool that keeps the project, wherever that is."""
        project = self.project
        if project is None or self.keeper is None:
            return None
        from safepip.system.project_tools import tools

        ambient, cache = self.ambient, self.cache if self.writes else None
        found = tools.environment(
            project.root, self.keeper, ambient.environ, ambient.home, cache, platform=ambient.platform
        )
        if found is None or env.is_disposable(found.path, project.root):  # tox or nox may empty it
            return None
        return found

    @lazy
    def manager_hint(self) -> tuple[str, str] | None:
        """The root of a kept project, and its line to print once."""
        project, settings = self.project, self.settings
        if not settings.manager_hint or not settings.hints:
            return None
        if project is None or self.keeper is None:
            return None
        from safepip.system.project_tools import tools

        line = tools.hint(self.keeper, self.command.requirements)
        if not line or tools.hinted(self.state, project.root):
            return None
        return project.root, line

    def of_project(self, path: str) -> Environment | None:
        """Return the environment of the project at `path`, or None."""
        if not os.path.isdir(path) or env.is_environment(path) or env.is_conda(path):
            return None
        root = os.path.realpath(path)
        # As if started there; what is only looked at is not remembered.
        there = Context(self.invocation, replace(self.ambient, cwd=root), self.tell, keep=False)
        project = there._declared_project
        if project is None or project.root != root:
            return None
        return there.place

    def _leads_out(self, path: str, root: str) -> bool:
        """Return True if the project's own `env-dir` leads out of it."""
        where = origin_of(self.settings, "env-dir") or ""
        if not is_in(where, root):
            return False
        return not is_in(os.path.realpath(path), os.path.realpath(root))

    # -- whose files count

    @lazy
    def owners(self) -> frozenset[int]:
        """The user ids whose files are taken for the user's own."""
        cwd = self.ambient.cwd
        # Root without sudo serves the owner of the working directory, as in a container with a mount.
        if self._is_root and cwd is not None:
            return self.makers | {owner(cwd)}
        return self.makers

    @lazy
    def _is_root(self) -> bool:
        """Whether this is root, for itself."""
        if self.ambient.user != 0 or self.ambient.platform == "win32":
            return False
        return self.sudo_user is None

    # -- what an environment is, and whether it may serve

    def examine(self, path: str, *, trusted: bool = False, redirect: str = "") -> Environment:
        """Return the environment at `path`, whatever its state.

        It is `trusted` if the user named or activated it. `redirect` is a file of the project that names the path,
        if `path` itself is not that file.
        """

        def judge(real: str, base: str) -> str | None:
            return None if trusted else self.vet(real, base, redirect or path)

        found = env.examine(path, self._interview, judge)
        led_by = path if found.path != path else redirect
        may_serve = found.state in {USABLE, BROKEN, UNFINISHED}
        if led_by and may_serve and not trusted:
            reason = self._objection_to(led_by, found.path)
            if reason is not None:
                found = Environment(path=found.path, known_as=led_by, state=UNTRUSTED, reason=reason)
        self.tell(f"{path}: {found.state}{found.reason and ', '}{found.reason}")
        return found

    def vet(self, path: str, base: str, redirect: str = "") -> str | None:
        """Return why the environment may not be used unasked, or None.

        `base` is the interpreter that it stands on; `redirect` may be a file that leads to it.
        """
        known = registry.registration(self.state, path)
        if known is not None:
            self._registered.add(path)
            if known.how != registry.ADOPTED:  # made or trusted
                return None
        elif registry.moved_from(self.state, path) is not None:  # safepip knew it where it was before
            return None
        if self._is_trusted(path):
            if os.path.islink(path):  # the setting is about what it leads to
                return self._objection_to(path, path)
            return None
        # One that others made is looked at once, and again when git's index has changed.
        from safepip.envs.git import index_identity

        folders = dict.fromkeys((os.path.dirname(path), os.path.dirname(redirect or path)))
        index = "\n".join(map(index_identity, folders))
        if known is not None and known.index == index:
            return None
        from safepip.envs.trust import objection

        search = self.ambient.environ.get("PATH", "")
        reason = objection(path, base, self.makers, search, redirect=redirect, owners_around=self.owners)
        if reason is None and self.writes:
            registry.note(self.state, path, registry.ADOPTED, index)
        return reason

    def _objection_to(self, redirect: str, end: str) -> str | None:
        from safepip.envs import redirects

        return redirects.objection(self.state, redirect, end, self.owners, keep=self.writes)

    def _is_trusted(self, path: str) -> bool:
        """Return True if the setting `trust` covers the environment."""
        real = os.path.realpath(path)
        for named in self.settings.trust:
            if is_in(real, os.path.realpath(self.absolute(at_home(named, self.ambient.home)))):
                return True
        return False

    def may_repair(self, environment: Environment) -> bool:
        """Return True if safepip may rebuild this broken environment."""
        if owner(environment.path) not in self.owners:
            return False
        named = self.named_environment
        if named is not None and named[1].path == environment.path:
            return True
        return registry.registration(self.state, environment.path) is not None

    def moved_from(self, environment: Environment) -> str | None:
        """Return where a known environment was before it was moved here."""
        if environment.path in self._registered:
            return None
        record = registry.moved_from(self.state, environment.path)
        return None if record is None else record.registration.path

    # -- paths

    def absolute(self, path: str) -> str:
        """Return the path from the working directory on."""
        return os.path.normpath(os.path.join(self.ambient.cwd or os.sep, path))

    def _real_paths(self, named: tuple[str, ...]) -> set[str]:
        paths = [self.absolute(at_home(path, self.ambient.home)) for path in named]
        return {*paths, *map(os.path.realpath, paths)}


def _led_out(path: str) -> Environment:
    """Return a place that the project's own settings may not choose."""
    reason = "leads out of the project by a link, which its own settings may not"
    return Environment(path=path, known_as=path, state=FOREIGN, reason=reason)
