"""All that a decision is made from: environ, cwd, interpreters, marker files; each read on first use."""

from __future__ import annotations

import os
import sys

from safepip.core.decide import decide
from safepip.core.pip_line import opts_out, read
from safepip.core.record import fields_of, replace
from safepip.core.settings import merge, origin_of
from safepip.core.world import (
    ABSENT,
    BIN,
    BROKEN,
    FOREIGN,
    NOWHERE,
    PLACE,
    TARGET,
    TYPED_INTERPRETER,
    UNFINISHED,
    UNTRUSTED,
    USABLE,
    Ambient,
    Details,
    Environment,
    Facts,
    Need,
    Project,
    Target,
    WithPlace,
    WithTarget,
    World,
)
from safepip.errors import NOT_FOUND, USAGE, SafepipError
from safepip.system.project_tools.detect import keeper

from . import environment as env
from . import registry
from .directories import at_home, cache_dir, data_dir, state_dir
from .interpreter import (
    behind_shim,
    candidates,
    interview,
    is_marked,
    is_program,
    is_script,
    is_store_alias,
    started_as,
)
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
    from safepip.core.plan import Plan
    from safepip.core.settings import Settings
    from safepip.core.world import Interpreter
    from safepip.system.project_tools.project import Named

    Changes = tuple[tuple[str, str | None], ...]

HOOK = "SAFEPIP_HOOK"  # set by a shell's own functions: 0 where no environment is activated
_NAMES = ("python3", "python") if sys.platform != "win32" else ("python", "python3")
_UNTOUCHED = ("SAFEPIP_BYPASS", "PIP_AUTO_COMPLETE", "PIP_BUILD_TRACKER", "_PIP_RUNNING_IN_SUBPROCESS")


class _Lazy:
    """Works out an attribute on its first use and keeps it; a value given beforehand stands."""

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


def enter(folder: str) -> None:
    """Go to a directory, as if safepip had been started there."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise SafepipError(USAGE, f"{folder}: {error.strerror}") from None


def follow(changes: Changes) -> None:
    """Make the changes of variables (None removes) in this process, and so for what it starts."""
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
    """Return the home directory as pip finds it: HOME, else what the password database says.

    One that is not there, as Debian's /nonexistent, is none: it would have to be made, unless that is for the
    user to do in a folder of his own.
    """
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if sys.platform == "win32":
        return home
    if not home or not os.path.isabs(home):
        import pwd

        try:
            home = pwd.getpwuid(user).pw_dir
        except KeyError:
            return None
    above = os.path.dirname(os.path.normpath(home))
    return home if os.path.isdir(home) or (above != os.sep and owner(above) == user) else None


def decided(context: Context) -> Plan:
    """Return what to do about the line, having looked at the world as far as the decision asks."""
    world = first_world(context)
    answer = decide(world)
    while isinstance(answer, Need):
        world = fill(world, answer, context)
        answer = decide(world)
    return answer


def first_world(context: Context) -> World:
    """Return what is known before any Python is looked for."""
    return World(
        invocation=context.invocation,
        ambient=context.ambient,
        settings=context.settings,
        first_reading=context.first_reading,
        data=context.data,
        untouched=context.untouched,
        opts_out=context.opts_out,
        configured_python=context.configured_python,
        sudo_user=context.sudo_user,
        inside=context.inside,
    )


def fill(world: World, need: Need, context: Context) -> World:
    """Return the world with the facts that a decision needs next."""
    if need.stage == TARGET:
        return _with_target(world, context)
    if need.stage == PLACE:
        return _with_place(world, context)
    facts: dict[str, object] = {}
    if need.stage == TYPED_INTERPRETER:
        facts["typed_interpreter"] = context.typed_interpreter
    elif need.environment is not None:
        facts["details"] = details(need.environment, context)
    else:
        from .pipx import look

        facts["apps"] = look(context)
    filled: World = replace(world, **facts)
    return filled


def _with_target(world: World, context: Context) -> World:
    active = context.active
    return WithTarget(
        **fields_of(world),
        target=context.target,
        managed=context.managed,
        command=context.command,
        typed_interpreter=None if context.first_reading.main_python else context.typed_interpreter,
        base=context.base,
        active=active,
        owner_of_active=context.owner_behind_sudo(active.path) if active else None,
        stale_active=None if active else context.stale_active,
        named_environment=context.named_environment,
    )


def _with_place(world: World, context: Context) -> World:
    """Add the environment that belongs here; one that is named serves whatever the directory is."""
    if context.named_environment is not None:
        _, environment = context.named_environment
        return WithPlace(**fields_of(world), place=environment, reading=environment)
    return WithPlace(**fields_of(world), place=context.place, reading=context.reading, project=context.project)


def details(environment: Environment, context: Context) -> Details:
    """Return what else counts of an environment that is to serve."""
    path, state = environment.path, environment.state
    is_install = context.command.subcommand == "install"
    is_missing = state in {ABSENT, UNFINISHED, NOWHERE}
    if state in {UNTRUSTED, FOREIGN} or (is_missing and not is_install):
        return Details(command=context.command)
    found: dict[str, Any] = {"command": context.command}
    if path:
        found.update(command=context.command_in(path), moved_from=context.moved_from(environment))
    if is_install and context.named_environment is None:
        found.update(hint=context.manager_hint, around=context.around if is_missing else None)
    if is_missing:
        found.update(pip_is_misconfigured=context.pip_is_misconfigured, missing_input=context.missing_input)
    if state == BROKEN:
        found.update(is_known=context.may_repair(environment))
        found.update(environment_of_named_project=context.of_project(path))
    return Details(**found)


class Context(Facts):
    """What a decision is made from. Tests give values; the rest is looked up on first use."""

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
        self._interpreters: dict[str, Interpreter] = {}  # by the path of their binary
        self._found_pip_files: dict[tuple[str | None, bool], Sequence[ConfigFile]] = {}
        self._read_pip_files: dict[tuple[str, bool], ConfigFile | None] = {}
        self._registered: set[str] = set()  # environments that were registered at the path where they are
        self.__dict__.update(known)

    @lazy
    def writes(self) -> bool:
        """Whether anything may be remembered: not for `explain`, nor by root for the user behind sudo."""
        return self.keep and self.sudo_user is None

    # -- what was typed

    @lazy
    def untouched(self) -> str | None:
        """The variable that asks for bare pip, or None."""
        return next((name for name in _UNTOUCHED if name in self.ambient.environ), None)

    @lazy
    def command(self) -> PipCommand:
        """The line as the pip of the target interpreter would read it, its own pip.conf included."""
        target = self.target
        return self.command_in(target.interpreter.prefix if target.interpreter is not None else target.prefix)

    def command_in(self, prefix: str | None) -> PipCommand:
        """Return the line as read by the pip of the Python at `prefix`, whose own pip.conf counts."""
        files = self.pip_files(prefix)
        if files == self.pip_files(None):
            return self.first_reading
        return read(self.invocation.words, self.ambient.environ, files)

    @lazy
    def first_reading(self) -> PipCommand:
        """The line as read before the target interpreter is known, for the line may name it."""
        return read(self.invocation.words, self.ambient.environ, self.pip_files(None))

    @lazy
    def opts_out(self) -> str | None:
        """The variable or file of pip's that switches PEP 668 off, which then counts for every command."""
        return opts_out(self.ambient.environ, self.pip_files(None))

    @lazy
    def configured_python(self) -> bool:
        """Whether a file of pip's names an interpreter, to which any pip would go."""
        return any("python" in file.sections.get("global", {}) for file in self.pip_files(None))

    @lazy
    def pip_is_misconfigured(self) -> bool:
        """Whether a configuration file is so wrong that every pip command ends with that error."""
        return any(file.error for file in self.pip_files(None, strict=True))

    @lazy
    def missing_input(self) -> str | None:
        """What the line names that pip cannot find, so that it can only fail; or None."""
        from safepip.envs.install_inputs import missing_input

        return missing_input(self.command, self.ambient.cwd or os.sep)

    # -- whom it would have served

    @lazy
    def target(self) -> Target:
        """The target interpreter, by the line, the name typed, the settings, or PATH."""
        named = self.first_reading.main_python
        return self._named_target(named) if named else self.typed_interpreter

    @lazy
    def typed_interpreter(self) -> Target:
        """The interpreter whose pip would have read the line, whatever `--python` in it says."""
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
        version = ".".join(wanted.split(".")[:2])
        return self._on_path((f"python{version}" if wanted[:1].isdigit() else wanted,))

    @lazy
    def managed(self) -> bool:
        """Whether the target interpreter is managed by something other than pip (PEP 668)."""
        interpreter = self.target.interpreter
        if interpreter is None or interpreter.is_virtual:
            return False
        paths = {interpreter.path, interpreter.real}
        if paths & self._real_paths(self.settings.managed):
            return True
        if paths & self._real_paths(self.settings.unmanaged):
            return False
        found = is_marked(interpreter)
        self.tell(f"{interpreter.marker} {'is there' if found else 'is not there'}")
        return found

    @lazy
    def active(self) -> Environment | None:
        """The environment that the Python first on PATH lies in, or that a variable names if managed."""
        if self.target.prefix is not None:
            return self.examine(self.target.prefix, trusted=True)
        if self.invocation.module or self.first_reading.main_python or not self.managed:
            return None
        variable, path = self.claimed_active
        if not variable:
            return None
        found = self.examine(path, trusted=True)
        fits = self.invocation.accepts(found.version)
        return found if found.state == USABLE and fits else None

    @lazy
    def claimed_active(self) -> tuple[str, str]:
        """The variable that names an active environment, and what it names; empty if there is none."""
        for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
            path = self.ambient.environ.get(variable)
            if path and (variable == "VIRTUAL_ENV" or env.is_conda(path)):
                return variable, self.absolute(path)
        return "", ""

    @lazy
    def due(self) -> Changes:
        """The changes of variables that a shell's hook would make at a prompt in this directory."""
        environ = self.ambient.environ
        at = environ.get(ACTIVATED)
        if not at or at != environ.get("VIRTUAL_ENV"):
            return ()
        if self.untouched:  # where bare pip is asked for, PATH counts
            return ()
        from safepip.shells.activation import due

        changes = due(at, self._marked, self.state, environ)
        if changes:
            self.tell(f"the shell's hook activated {at}, which is not this directory's")
        return changes

    @lazy
    def sudo_user(self) -> tuple[int, int] | None:
        """The user and group id behind sudo, where root acts for another; or None."""
        uid, gid = (self.ambient.environ.get(name, "") for name in ("SUDO_UID", "SUDO_GID"))
        is_root = self.ambient.user == 0 and self.ambient.platform != "win32"
        if not is_root or not uid.isdecimal() or int(uid) == 0:
            return None
        return int(uid), int(gid) if gid.isdecimal() else -1

    def owner_behind_sudo(self, path: str) -> tuple[int, int] | None:
        """Return the user behind sudo, if `path` is that user's."""
        return self.sudo_user if self.sudo_user and owner(path) == self.sudo_user[0] else None

    @lazy
    def stale_active(self) -> tuple[str, str] | None:
        """The variable that claims an active environment, and its value, if that is not an environment."""
        variable, path = self.claimed_active
        stale = variable and self.examine(path, trusted=True).state != USABLE
        return (variable, path) if stale else None

    @lazy
    def base(self) -> Interpreter | None:
        """The interpreter that a new environment is made from: the target, or what its environment stands on."""
        if self.target.prefix is not None:
            return self.examine(self.target.prefix, trusted=True).base
        return self.target.interpreter

    @lazy
    def inside(self) -> Environment | None:
        """The environment of the pip that this process descends from, if safepip started that pip."""
        process, _, path = self.ambient.environ.get(HANDOVER, "").partition(":")
        if not process.isdecimal():
            return None
        from .processes import is_ancestor

        if not is_ancestor(int(process)):
            return None
        found = self.examine(path, trusted=True)
        return found if found.state == USABLE else None

    # -- where it goes instead

    @lazy
    def named_environment(self) -> tuple[str, Environment] | None:
        """The environment that --env, SAFEPIP_ENV or --python names, and which of them; or None."""
        variable = self.ambient.environ.get("SAFEPIP_ENV")
        for what, path in (("--env", self.invocation.env), ("SAFEPIP_ENV", variable)):
            if path:
                return what, self.examine(self.absolute(path), trusted=True)
        if self.first_reading.main_python and self.target.prefix:
            return "--python", self.examine(self.target.prefix, trusted=True)
        return None

    @lazy
    def settings(self) -> Settings:
        """The settings in force here."""
        marked = None if self.sudo_user else self._marked  # root reads nothing of the user's project
        root = marked.root if marked else None
        ambient = self.ambient
        found = tables(ambient.environ, ambient.home or "", root, platform=ambient.platform)
        return merge(ambient.environ, found, root)

    @lazy
    def project(self) -> Project | None:
        """The project of the working directory, or None outside any."""
        found = self._marked
        cwd, home, owners = self.ambient.cwd, self.ambient.home, self.owners
        folder = self.settings.env_dir
        if folder not in {ENVIRONMENT, "central"} and cwd is not None:
            found = find(cwd, home, owners, folder, self.makers)
        if found is None and cwd is not None:
            outside = self.settings.outside_project
            if outside == "cwd" or may_be_root(cwd, home, self.ambient.environ, owners):
                found = Project(root=cwd, marker="")
        self.tell(f"project: {found.root} ({found.marker or 'no marker'})" if found else "no project")
        return found

    @lazy
    def place(self) -> Environment:
        """The environment for the working directory: the project's, or the home environment."""
        project = self.project
        if project is None:
            return self.in_data("home")
        kept = self.kept
        path = project.environment if kept is None else kept.path
        if path is None:
            from .new_place import new_place

            return new_place(project.root, self)
        if self.leads_out(path, project.root):
            return self.led_out(path)
        return self.examine(path, redirect="" if kept is None else kept.file)

    @lazy
    def reading(self) -> Environment:
        """The environment for commands that only read: the place's, or until that exists a disposable one."""
        place, project = self.place, self.project
        if place.state == USABLE or project is None or project.disposable is None:
            return place
        found = self.examine(project.disposable)
        return found if found.state == USABLE else place

    @lazy
    def around(self) -> str | None:
        """The environment that would serve here if the project's root were not under version control itself."""
        project = self.project
        if project is None or not project.marker:
            return None
        outer = find(os.path.dirname(project.root), self.ambient.home, self.owners)
        return outer.environment if outer is not None else None

    @lazy
    def keeper(self) -> str | None:
        """The tool that keeps the project (uv, poetry, …), or None."""
        project = self.project
        return keeper(project.root) if project is not None and project.marker else None

    @lazy
    def kept(self) -> Named | None:
        """The environment that the tool which keeps the project has for it, wherever that is; or None."""
        project = self.project
        if self.keeper is None or project is None:
            return None
        from safepip.system.project_tools import tools

        ambient, cache = self.ambient, self.cache if self.writes else None
        found = tools.environment(
            project.root, self.keeper, ambient.environ, ambient.home, cache, platform=ambient.platform
        )
        return None if found and env.is_disposable(found.path, project.root) else found

    @lazy
    def manager_hint(self) -> tuple[str, str] | None:
        """The root of a kept project, and how the requirements are recorded there; None once it was said."""
        project, settings = self.project, self.settings
        if self.keeper is None or project is None or not (settings.manager_hint and settings.hints):
            return None
        from safepip.system.project_tools import tools

        line = tools.hint(self.keeper, self.command.requirements)
        return (project.root, line) if line and not tools.hinted(self.state, project.root) else None

    @lazy
    def owners(self) -> frozenset[int]:
        """The user ids whose files are taken for the user's own: root's always are.

        Root without sudo serves the owner of the working directory, as in a container with a mount.
        """
        owners = {0, self.ambient.user}
        if self.ambient.user == 0 and self.ambient.cwd is not None and not self.sudo_user:
            owners.add(owner(self.ambient.cwd))
        return frozenset(owners)

    @lazy
    def makers(self) -> frozenset[int]:
        """The user ids whose environments may serve."""
        return frozenset({0, self.ambient.user})

    @lazy
    def cache(self) -> str | None:
        """The folder of what may vanish, or None."""
        return cache_dir(self.ambient.environ, self.ambient.home, self.ambient.platform)

    @lazy
    def state(self) -> str | None:
        """The folder of what safepip remembers, or None."""
        return state_dir(self.ambient.environ, self.ambient.home, self.ambient.platform)

    @lazy
    def data(self) -> str | None:
        """The folder of environments outside projects, or None."""
        return data_dir(self.ambient.environ, self.ambient.home, self.ambient.platform)

    def examine(self, path: str, *, trusted: bool = False, redirect: str = "") -> Environment:
        """Return what lies at `path`, as an environment; it is `trusted` if the user named or activated it.

        `redirect` is a file of the project that names the path, if `path` itself is not that file.
        """

        def vet(found: str, base: str) -> str | None:
            return None if trusted else self.vet(found, base, redirect or path)

        found = env.examine(path, self._interview, vet)
        if found.path != path:
            redirect = path
        if redirect and not trusted and found.state in {USABLE, BROKEN, UNFINISHED}:
            found = self._with_judged_redirect(found, redirect)
        self.tell(f"{path}: {found.state}{found.reason and ', '}{found.reason}")
        return found

    def _with_judged_redirect(self, found: Environment, redirect: str) -> Environment:
        """Return the environment, untrusted if somebody else's repository leads to it."""
        reason = self._objection_to(redirect, found.path)
        if reason is None:
            return found
        return Environment(path=found.path, known_as=redirect, state=UNTRUSTED, reason=reason)

    def _objection_to(self, redirect: str, end: str) -> str | None:
        from safepip.envs import redirects

        return redirects.objection(self.state, redirect, end, self.owners, keep=self.writes)

    def vet(self, path: str, base: str, redirect: str = "") -> str | None:
        """Return why the environment at `path`, whose Python is `base`, may not be used unasked, or None.

        What safepip made or the user trusts is fine. One of others is looked at once, and again when git's
        index has changed. `redirect` may be a file that leads to it.
        """
        known = registry.registration(self.state, path)
        if known is not None:
            self._registered.add(path)
        if known is not None and known.how != registry.ADOPTED:
            return None
        if registry.moved_from(self.state, path) is not None:
            return None
        if self.is_trusted(path):  # a link, for what it leads to
            return self._objection_to(path, path) if os.path.islink(path) else None
        from safepip.envs.git import index_identity

        folders = dict.fromkeys((os.path.dirname(path), os.path.dirname(redirect or path)))
        index = "\n".join(map(index_identity, folders))
        if known is not None and known.index == index:
            return None
        from safepip.envs.trust import objection

        search = self.ambient.environ.get("PATH", "")
        reason = objection(path, base, self.makers, search, redirect=redirect, around=self.owners)
        if reason is None and self.writes:
            registry.note(self.state, path, registry.ADOPTED, index)
        return reason

    def of_project(self, path: str) -> Environment | None:
        """Return the environment, there or not, of the project whose root is the directory `path`, or None."""
        if not os.path.isdir(path) or env.is_environment(path) or env.is_conda(path):
            return None
        root = os.path.realpath(path)
        there = Context(self.invocation, replace(self.ambient, cwd=root), self.tell, keep=False)
        if there.project is None or not there.project.marker or there.project.root != root:
            return None
        found: Environment = there.place
        return found

    def may_repair(self, found: Environment) -> bool:
        """Return True if safepip may rebuild this broken environment: it is the user's own, and known."""
        if owner(found.path) not in self.owners:
            return False
        if self.named_environment is not None and self.named_environment[1].path == found.path:
            return True
        return registry.registration(self.state, found.path) is not None

    def moved_from(self, found: Environment) -> str | None:
        """Return where an environment that safepip knows was before it was moved here, or None."""
        if found.path in self._registered:
            return None
        record = registry.moved_from(self.state, found.path)
        return record.registration.path if record is not None else None

    def is_trusted(self, path: str) -> bool:
        """Return True if the setting `trust` names the environment, or a folder above it."""
        real = os.path.join(os.path.realpath(path), "")
        named = (os.path.realpath(self.absolute(at_home(at, self.ambient.home))) for at in self.settings.trust)
        return any(real.startswith(os.path.join(at, "")) for at in named)

    def leads_out(self, path: str, root: str) -> bool:
        """Return True if an `env-dir` of the project's own settings leads out of it."""
        where = origin_of(self.settings, "env-dir") or ""
        if not where.startswith(os.path.join(root, "")):
            return False
        return not os.path.realpath(path).startswith(os.path.join(os.path.realpath(root), ""))

    def led_out(self, path: str) -> Environment:
        """Return the place that the project's own settings may not choose."""
        reason = "leads out of the project by a link, which its own settings may not"
        return Environment(path=path, known_as=path, state=FOREIGN, reason=reason)

    def in_data(self, *parts: str) -> Environment:
        """Return the environment at that path in the user's own data."""
        if self.data is None:
            reason = "there is no home directory to keep an environment in"
            return Environment(path="", known_as="", state=NOWHERE, reason=reason)
        return self.examine(os.path.join(self.data, *parts))

    # -- helpers, in the order of their use

    @lazy
    def _marked(self) -> Project | None:
        if self.ambient.cwd is None:
            return None
        return find(self.ambient.cwd, self.ambient.home, self.owners, makers=self.makers)

    def pip_files(self, site: str | None, *, strict: bool = False) -> Sequence[ConfigFile]:
        """Return the files that the pip of the Python at `site` reads; see `pip_config.find`."""
        known = self._found_pip_files
        if (site, strict) not in known:
            ambient = self.ambient
            known[site, strict] = find_pip_files(
                ambient.environ,
                ambient.home,
                platform=ambient.platform,
                site_prefix=site,
                strict=strict,
                read_before=self._read_pip_files,
            )
        return known[site, strict]

    def _named_target(self, named: str) -> Target:
        """Return what `--python` means to pip: a file as it is, or a directory's Python (pip 22.3 on)."""
        path = self.absolute(named)
        if os.path.isdir(path):
            tried = [os.path.join(path, *parts) for parts in (("bin", "python"), ("Scripts", "python.exe"))]
            path = next((python for python in tried if os.path.exists(python)), tried[0])
        if not os.path.exists(path):
            return Target(python=path, chosen_on_line=True, problem=f"there is no {path}")
        return self._target(path, chosen_on_line=True)

    def _on_path(self, names: tuple[str, ...], *, chosen_on_line: bool = False) -> Target:
        """Return the first of these programs on PATH that is a Python to serve, or safepip's own base."""
        search = self.ambient.environ.get("PATH", os.defpath)
        own = self._own_prefix()
        found = candidates(names, search, (os.path.join(own, BIN),) if own else ())
        path = next((path for path in found if not self._is_empty_alias(path)), None)
        if path is not None:
            self.tell(f"{names[0]} on PATH: {path}")
            return self._target(path, chosen_on_line=chosen_on_line)
        if chosen_on_line or not set(_NAMES).issubset(names):
            raise SafepipError(NOT_FOUND, f"there is no {names[0]} on PATH")
        base = getattr(sys, "_base_executable", None) or self.ambient.executable
        return self._target(base, chosen_on_line=False)

    def _is_empty_alias(self, path: str) -> bool:
        """Return True if Windows only offers a Python from its Store under this name."""
        return is_store_alias(path) and isinstance(self._interview(path), str)

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
        """Return what is known of an interpreter, read once for all the links that lead to it."""
        real = os.path.realpath(path)
        known = self._interpreters.get(real)
        if known is None:
            found = interview(path, self.ambient.environ, self.cache, keep=self.writes, real=real)
            if not isinstance(found, str):
                self._interpreters[real] = found
            return found
        renamed: Interpreter = replace(known, path=path)
        return renamed

    def _own_prefix(self) -> str:
        """Return the environment that exists only for safepip to run from (pipx, uvx, uv tool, …), or "".

        With `python -m safepip` it was chosen to be served, unless a tool for applications made it.
        """
        ambient = self.ambient
        if ambient.prefix == ambient.base_prefix:
            return ""
        own = os.path.realpath(ambient.prefix)
        claimed = ambient.environ.get("VIRTUAL_ENV")
        if claimed and os.path.realpath(claimed) == own:
            return ""
        project = self._marked
        if project and project.environment and os.path.realpath(project.environment) == own:
            return ""
        if not self.invocation.module:
            return own
        kept_by = ("pipx_metadata.json", "uv-receipt.toml", "safepip-app")
        return own if any(os.path.exists(os.path.join(own, name)) for name in kept_by) else ""

    def absolute(self, path: str) -> str:
        """Return the path from the working directory on."""
        return os.path.normpath(os.path.join(self.ambient.cwd or os.sep, path))

    def _real_paths(self, named: tuple[str, ...]) -> set[str]:
        paths = [self.absolute(at_home(path, self.ambient.home)) for path in named]
        return {*paths, *map(os.path.realpath, paths)}
