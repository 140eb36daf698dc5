"""One row per sentence of `decide`'s docstring.

A row gives a line and what matters of the world; `context` fills in the rest: the user u in a project whose
environment exists, on a managed /usr/bin/python3.
"""

from __future__ import annotations

import builtins
import os
import shlex
import subprocess

import pytest

from safepip.core.decide import decide as decide_by_table
from safepip.core.invocation import TOPICS, VERBS, read_invocation
from safepip.core.pip_line import ConfigFile, opts_out, read
from safepip.core.plan import (
    RUNNER,
    Create,
    Handover,
    InEnvironment,
    Pip,
    Pipx,
    Rebuild,
    Refuse,
    RunHint,
    StepDown,
    Temporary,
    Verb,
    Version,
)
from safepip.core.record import fields_of, replace
from safepip.core.settings import Fault, Settings
from safepip.core.world import (
    ABSENT,
    APPS,
    BROKEN,
    DETAILS,
    FOREIGN,
    NOWHERE,
    OTHER_SYSTEM,
    PLACE,
    TYPED_INTERPRETER,
    UNFINISHED,
    UNTRUSTED,
    USABLE,
    Ambient,
    Apps,
    Details,
    Environment,
    Interpreter,
    Need,
    Project,
    Target,
    WithPlace,
    WithTarget,
    World,
)
from safepip.core.world import (
    TARGET as NEEDS_TARGET,
)
from safepip.errors import BAD_SETTINGS, CANNOT_CREATE, NO_ENVIRONMENT, NOT_FOUND, REFUSED, USAGE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the paths are POSIX ones")

BASE = Interpreter(
    path="/usr/bin/python3",
    real="/usr/bin/python3.12",
    version=(3, 12, 3),
    prefix="/usr",
    base_prefix="/usr",
    stdlib="/usr/lib/python3.12",
    site="lib/python3.12/site-packages",
)
BLOG = "/home/u/blog"
VENV = f"{BLOG}/.venv"
HOME = "/home/u/.local/share/safepip/home"
OTHER = "/home/u/other"
SYSTEM = "/usr/bin/python3"
OWN = "/opt/safepip/bin/python"
TARGET = Target(python=SYSTEM, interpreter=BASE)
IN_OTHER = Target(python=f"{OTHER}/bin/python", prefix=OTHER, chosen_on_line=True)
UNTOUCHED = ("SAFEPIP_BYPASS", "PIP_AUTO_COMPLETE", "PIP_BUILD_TRACKER", "_PIP_RUNNING_IN_SUBPROCESS")
WRONG = Fault(origin="f", what="x")


def decide(world):
    """Decide with the world taken away: to look at it fails."""

    def refuse(*_args, **_options):
        raise AssertionError("a decision looked at the world")

    looks = {
        os: ("stat", "lstat", "access", "open", "listdir", "scandir", "readlink", "getcwd", "getenv", "geteuid"),
        os.path: ("exists", "lexists", "isfile", "isdir", "islink", "realpath", "getmtime", "samefile"),
        subprocess: ("Popen",),
        builtins: ("open",),
    }
    decide_by_table(world)  # imports what is imported late, and coverage looks at each file that it meets
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {})
        for module, names in looks.items():
            for name in names:
                patch.setattr(module, name, refuse)
        return decide_by_table(world)


def env(path=VENV, state=USABLE, **found):
    whole = {"python": f"{path}/bin/python", "version": "3.12", "site": f"{path}/{BASE.site}", "base": BASE}
    return Environment(
        path=path, **{"known_as": path, "state": state, **(whole if state == USABLE else {}), **found}
    )


def missing(path=VENV):
    return env(path, ABSENT)


def pip_conf(section, **values):
    sections = {section: {key.replace("_", "-"): value for key, value in values.items()}}
    return ConfigFile(path="/home/u/.config/pip/pip.conf", kind="user", sections=sections)


def context(
    line, *, program="safepip", module=False, environ=None, files=(), words=None, cwd=BLOG, terminal=False, **facts
):
    """Return the world in which `line` is typed, with all that a decision may need; `facts` are as in ROWS."""
    environ = environ or {}
    invocation = read_invocation(program, shlex.split(line) if words is None else words, module=module)
    command = read(invocation.words, environ, files)
    ambient = Ambient(
        environ=environ,
        cwd=cwd,
        home="/home/u",
        user=1000,
        platform="linux",
        executable=OWN,
        prefix="/opt/safepip",
        base_prefix="/usr",
        terminal=terminal,
    )
    target = facts.get("target", TARGET)
    named, place = facts.get("named"), facts.get("place", env())
    to_read = facts.get("environment_to_read", place)
    project = facts.get("project", Project(root=BLOG, marker="pyproject.toml"))
    if named is not None:
        place, to_read, project = named[1], named[1], None
    return WithPlace(
        invocation=invocation,
        ambient=ambient,
        settings=facts.get("settings", Settings()),
        first_reading=command,
        data="/home/u/.local/share/safepip",
        untouched=next((name for name in UNTOUCHED if name in environ), None),
        opts_out=opts_out(environ, files),
        configured_python=facts.get("configured_python", False),
        sudo_user=facts.get("sudo_user"),
        inside=facts.get("inside"),
        target=target,
        managed=facts.get("managed", True),
        command=command,
        typed_interpreter=facts.get("typed_interpreter", TARGET),
        base=facts.get("base", target.interpreter or BASE),
        active=facts.get("active"),
        owner_of_active=facts.get("owner_behind_sudo", lambda _path: None)(""),
        stale_active=facts.get("stale_active"),
        named_environment=named,
        place=place,
        environment_to_read=to_read,
        project=project,
        details=Details(
            command=facts.get("command_in", lambda _prefix: command)(""),
            moved_from=facts.get("moved_from", lambda _found: None)(place),
            is_known=facts.get("may_repair", lambda _found: True)(place),
            environment_of_named_project=facts.get("meant"),
            outer_environment=facts.get("outer_environment"),
            pip_is_misconfigured=facts.get("pip_is_misconfigured", False),
            missing_input=facts.get("missing_input"),
            hint=facts.get("manager_hint"),
        ),
        apps=facts.get("apps", Apps()),
    )


def said(plan):  # noqa: C901  an arm a plan
    """Return a plan in few words."""
    match plan:
        case Version():
            return "version"
        case Verb(word=word):
            return f"verb {word}"
        case Refuse(code=code):
            return f"refuse {code}"
        case StepDown(uid=uid, gid=gid):
            return f"step down to {uid}:{gid}"
        case Rebuild(environment=found):
            return f"repair {found.path}"
        case Create(environment=found):
            return f"create {found.path}"
        case Temporary():
            return "throw-away"
        case Pipx(names=names):
            return f"pipx {' '.join(names)}"
        case InEnvironment(environment=found):
            return f"in {found.path}"
        case Pip(handover=handover):
            return f"pip of {handover.environment or handover.python}"


NOTHING = {"place": missing()}
OUTSIDE = {"project": None, "place": missing(HOME)}
UNMANAGED = {"managed": False}
ACTIVE = {"active": env(OTHER), "target": Target(python=f"{OTHER}/bin/python", prefix=OTHER)}
ACTIVE["typed_interpreter"] = ACTIVE["target"]
SUDO = {"sudo_user": (1000, 1000)}
STALE = {"claimed_active": ("VIRTUAL_ENV", "/x"), "stale_active": ("VIRTUAL_ENV", "/x")}
STRANGERS = env(state=UNTRUSTED, reason="came from a stranger")


RUIN = env(state=BROKEN, reason="was made with Python 3.11, which is gone")
MENDING = {"place": RUIN, "settings": Settings(auto_repair=True), "may_repair": lambda _found: True}
NOT_TO_BE_MENDED = replace(RUIN, reason=OTHER_SYSTEM, other_system=True)


PIPX = Apps(installed=("a", "b", "black", "c", "d", "e", "x"))
OLD = replace(TARGET, interpreter=replace(BASE, version=(3, 7, 16)))


def row(line, facts, expected, sentence):
    return pytest.param(line, facts, expected, id=sentence)


ROWS = [
    # 1
    *(row(f"{verb} x", {}, f"verb {verb}", f"1 {verb} is a word of safepip's own") for verb in VERBS),
    row("help run", {}, "verb run", "1 help on an own word is safepip's"),
    row("explain x", {"program": "pip"}, f"pip of {VENV}", "1 called as pip it is a word of pip's"),
    row("--safepip-version", {}, "version", "1 safepip's own version"),
    row("--safepip-version --env", {}, "version", "1 the version comes before any error"),
    row("--env", {}, f"refuse {USAGE}", "1 a wrong use of an own option is refused"),
    row("--system explain x", {}, "verb explain", "1 before 2"),
    *(
        row(f"install {late} six", {}, f"refuse {USAGE}", f"1 {late} behind the subcommand is refused")
        for late in ("--system", "--app", "--lib", "--safepip-version", "--env d", "--env=d", "--project d")
    ),
    row("list --system", ACTIVE, f"refuse {USAGE}", "1 an option behind the subcommand is refused in an environment too"),
    row("install --system six", {"program": "pip"}, f"in {VENV}", "1 called as pip all options are pip's"),
    row("install -- --system", {}, f"in {VENV}", "1 behind two dashes nothing is an option"),
    row("install --prefix --system six", {}, f"pip of {SYSTEM}", "1 the value of an option of pip's is none of safepip's"),
    # 2
    row("install --system six", {"environ": {"SAFEPIP_BYPASS": "1"}}, f"pip of {SYSTEM}", "2 even options of safepip's"),
    row("--system install six", {}, f"pip of {SYSTEM}", "2 --system means no routing"),
    *(
        row("install six", {"environ": {name: "1"}}, f"pip of {SYSTEM}", f"2 {name} means no routing")
        for name in UNTOUCHED
    ),
    row("--system install six", ACTIVE, f"pip of {OTHER}", "2 the target may be an environment"),
    row("--system --env x install six", {"named": ("--env", env(OTHER))}, f"pip of {SYSTEM}", "2 before 4"),
    row("--system install six", {"inside": env(OTHER)}, f"pip of {SYSTEM}", "2 before 3"),
    row("--system install six", {"sudo_user": (1000, 1000)}, f"pip of {SYSTEM}", "2 --system stays root"),
    row("--system list", {"typed_interpreter": Target(python="/x", problem="no")}, f"refuse {NOT_FOUND}", "2 a target that is none"),
    # 3
    row("install six", {"inside": env(OTHER)}, f"pip of {OTHER}", "3 from within a pip of safepip's"),
    row("install six", {"inside": env(OTHER), **ACTIVE}, f"pip of {OTHER}", "3 before 5"),
    row("install six", {"inside": env(OTHER), "named": ("SAFEPIP_ENV", env())}, f"pip of {OTHER}", "3 before 4"),
    row("install six", {"inside": env(OTHER), **UNMANAGED}, f"pip of {OTHER}", "3 before 7"),
    # 4
    row("--env e install six", {"named": ("--env", env(OTHER))}, f"in {OTHER}", "4 --env"),
    row("install six", {"named": ("SAFEPIP_ENV", env(OTHER))}, f"in {OTHER}", "4 SAFEPIP_ENV"),
    row("--python o list", {"named": ("--python", env(OTHER)), "target": IN_OTHER}, f"in {OTHER}", "4 --python ENV"),
    row("install six", {"named": ("--env", env(OTHER)), **ACTIVE}, f"in {OTHER}", "4 before 5"),
    row("install six", {"named": ("--env", env(OTHER)), **UNMANAGED}, f"in {OTHER}", "4 before 7"),
    row("install -t x six", {"named": ("--env", env(OTHER))}, f"in {OTHER}", "4 before 8"),
    row("cache list", {"named": ("--env", env(OTHER))}, f"in {OTHER}", "4 before 9"),
    row("install six", {"named": ("--env", env(OTHER)), **SUDO}, f"in {OTHER}", "4 before 10"),
    row("install six", {"named": ("--env", missing(OTHER))}, f"create {OTHER}", "4 install creates it"),
    row("install six", {"named": ("SAFEPIP_ENV", missing(OTHER))}, f"create {OTHER}", "4 install creates that, too"),
    row("install six", {"named": ("--env", env(OTHER, UNFINISHED))}, f"create {OTHER}", "4 or finishes it"),
    row("list", {"named": ("--env", missing(OTHER))}, f"pip of {SYSTEM}", "4 only install creates it"),
    row(
        "--python o install six",
        {"named": ("--python", env(OTHER, UNFINISHED)), "target": IN_OTHER},
        f"pip of {SYSTEM}",
        "4 --python creates nothing",
    ),
    row(
        "--python o install six",
        {"named": ("--python", env(OTHER, BROKEN, reason="x")), "target": IN_OTHER},
        f"refuse {NO_ENVIRONMENT}",
        "4 a broken one is refused",
    ),
    # 5
    *(
        row(line, ACTIVE, f"pip of {OTHER}", f"5 active, {line}")
        for line in ("install six", "install -t x six", "list", "cache list", "install --break-system-packages six", "")
    ),
    row("install six", {"active": env(OTHER)}, f"pip of {OTHER}", "5 VIRTUAL_ENV on a managed Python"),
    row("install six", {**ACTIVE, **SUDO}, f"pip of {OTHER}", "5 before 10"),
    row("install six", {**ACTIVE, "active": env(OTHER, BROKEN)}, f"pip of {OTHER}", "5 a broken one runs as with pip"),
    row(
        "install six",
        {**ACTIVE, **SUDO, "owner_behind_sudo": lambda _path: (1000, 100)},
        "step down to 1000:100",
        "5 active, but of the user who called sudo: what changes it steps down",
    ),
    row(
        "list",
        {**ACTIVE, **SUDO, "owner_behind_sudo": lambda _path: (1000, 100)},
        f"pip of {OTHER}",
        "5 active, of the user who called sudo: what changes nothing runs as it is",
    ),
    row("install six", STALE, f"in {VENV}", "5 a stale VIRTUAL_ENV is passed over"),
    # 6
    row(
        "--python P install six",
        {"target": replace(TARGET, python="/opt/py/bin/python", chosen_on_line=True)},
        f"in {VENV}",
        "6 a managed interpreter named: go on",
    ),
    row(
        "--python P install six",
        {"target": Target(python="/opt/py/bin/python", interpreter=BASE, chosen_on_line=True), **UNMANAGED},
        f"pip of {SYSTEM}",
        "6 an unmanaged interpreter named: pip starts it itself",
    ),
    row(
        "--python P install six",
        {"target": Target(python="/gone", problem="there is no /gone")},
        f"pip of {SYSTEM}",
        "6 an interpreter that is none: pip says so",
    ),
    # 7
    row("install six", UNMANAGED, f"pip of {SYSTEM}", "7 not managed"),
    row("install six", {**UNMANAGED, **NOTHING, **SUDO}, f"pip of {SYSTEM}", "7 before 10 and 12"),
    row("install six", {**UNMANAGED, "settings": Settings(scope="always")}, f"in {VENV}", "7 scope always: go on"),
    row("install six", {"settings": Settings(scope="always")}, f"in {VENV}", "7 scope always and managed: go on"),
    # 8
    *(
        row(f"{subcommand} {option} six", {}, f"pip of {SYSTEM}", f"8 {subcommand} {option} names a place")
        for option in ("--target=d", "-t d", "--targ d", "--prefix d", "--root d", "--target=", "--root ''", "--prefix=")
        for subcommand in ("install",)
    ),
    row("install six", {"environ": {"PIP_TARGET": "d"}}, f"pip of {SYSTEM}", "8 a variable names a place"),
    row("install six", {"files": [pip_conf("install", prefix="d")]}, f"pip of {SYSTEM}", "8 a file names a place"),
    row("list", {"environ": {"PIP_TARGET": "d"}}, f"in {VENV}", "8 not for another subcommand"),
    row("install --dry-run --report r six", NOTHING, f"pip of {SYSTEM}", "8 only reports what it would do"),
    row("install --dry-run --report r six", {"place": env(state=UNFINISHED)}, f"pip of {SYSTEM}", "8 only reports, one unfinished"),
    row("install --dry-run --report r six", {"place": env(state=NOWHERE, reason="x")}, f"pip of {SYSTEM}", "8 only reports, no place"),
    row("install --dry-run --report r six", {}, f"in {VENV}", "8 a report is the environment's where there is one"),
    row("install --dry-run --report r six", {"place": env(state=BROKEN, reason="x")}, "refuse 3", "8 a report of a broken one"),
    row("install --dry-run --report r six", {**NOTHING, "sudo_user": (7, 7)}, "step down to 7:7", "8 a report, behind sudo"),
    row("install --dry-run six", {}, f"in {VENV}", "8 --dry-run alone does not count"),
    row("install --report r six", {}, f"in {VENV}", "8 --report alone does not count"),
    row("install --break-system-packages six", {}, f"pip of {SYSTEM}", "8 opts out"),
    row("uninstall --break-system-packages six", {}, f"pip of {SYSTEM}", "8 opts out of uninstall"),
    *(
        row(line, {"environ": {"PIP_BREAK_SYSTEM_PACKAGES": "1"}}, f"pip of {SYSTEM}", f"8 a variable opts out: {line}")
        for line in ("install six", "uninstall six", "list", "freeze", "cache list")
    ),
    row(
        "show six",
        {"files": [pip_conf("global", break_system_packages="true")]},
        f"pip of {SYSTEM}",
        "8 a file opts out for every subcommand",
    ),
    row("list", {"environ": {"PIP_BREAK_SYSTEM_PACKAGES": "0"}}, f"in {VENV}", "8 a variable that says no does not"),
    row("install --target d six", {**NOTHING, **SUDO}, f"pip of {SYSTEM}", "8 before 10 and 12"),
    # 9
    *(
        row(line, {}, f"pip of {VENV}", f"9 nothing is installed: {line or 'no subcommand'}")
        for line in (
            "", "help", "help install", "completion --bash", "hash f", "search x", "cache list", "config list",
            "--version", "-V", "--help", "install -h", "install --help six", "no-such-command",
            "install --target", "install --no-in six", "--no-such list", "list --timeout x", "cache --no-such list",
            "install --python P six", "list --python P", "uninstall --python=P six",
        )
    ),
    *(
        row(line, NOTHING, f"pip of {SYSTEM}", f"9 nothing is created: {line or 'no subcommand'}")
        for line in (
            "", "help", "cache list", "--version", "install -h", "install --target", "install -r",
            "install --python P six",
        )
    ),
    row("cache list", {"place": env(state=BROKEN, reason="x")}, f"pip of {SYSTEM}", "9 one that may not be used"),
    row("cache list", {"place": env(state=FOREIGN, reason="x")}, f"pip of {SYSTEM}", "9 one of another user's"),
    row("cache list", {"place": STRANGERS}, f"pip of {SYSTEM}", "9 one that is not trusted"),
    row("cache list", SUDO, f"pip of {VENV}", "9 before 10"),
    row("install -- -h", NOTHING, f"create {VENV}", "9 -h only where pip would read it as that"),
    row("install --log -h six", NOTHING, f"create {VENV}", "9 -h that is a value is none"),
    # 10
    row("install six", SUDO, "step down to 1000:1000", "10 root by sudo"),
    row("list", SUDO, "step down to 1000:1000", "10 readers, too"),
    row("install six", {**SUDO, **OUTSIDE}, "step down to 1000:1000", "10 before 13"),
    # 11
    row("install black", OUTSIDE, "pipx black", "11 a known application outside a project"),
    row("install x", {"settings": Settings(apps=("x",)), **OUTSIDE}, "pipx x", "11 one that the setting names"),
    row("install x", {"settings": Settings(apps=("x",))}, "pipx x", "11 one that the setting names in a project"),
    row("--app install six", {}, "pipx six", "11 --app always"),
    row("--app install six", ACTIVE, "pipx six", "11 --app where another environment is active"),
    row("--app install six", UNMANAGED, "pipx six", "11 --app on a Python that is not managed"),
    row("--app --env e install six", {"named": ("--env", env(OTHER))}, f"in {OTHER}", "11 4 before --app"),
    row("--system --app install six", {}, f"pip of {SYSTEM}", "11 2 before --app"),
    row("--app install six", {"inside": env(OTHER)}, f"pip of {OTHER}", "11 3 before --app"),
    row("--app install six", SUDO, "step down to 1000:1000", "11 10 before --app"),
    row("install black", {**OUTSIDE, **SUDO}, "step down to 1000:1000", "11 10 before an application"),
    row("install black", {**OUTSIDE, **ACTIVE}, f"pip of {OTHER}", "11 5 before an application"),
    row("install black", {**OUTSIDE, **UNMANAGED}, f"pip of {SYSTEM}", "11 7 before an application"),
    row("install -t d black", OUTSIDE, f"pip of {SYSTEM}", "11 8 before an application"),
    row("install black", {}, f"in {VENV}", "11 in a project an application is a dependency"),
    row("--lib install black", OUTSIDE, f"create {HOME}", "11 --lib is never pipx's"),
    row("install black", {**OUTSIDE, "settings": Settings(app_routing="never")}, f"create {HOME}", "11 the setting says never"),
    row("install six", OUTSIDE, f"create {HOME}", "11 a library is none"),
    row("download black", OUTSIDE, f"pip of {SYSTEM}", "11 only what pipx can do is pipx's"),
    row("uninstall black", {"apps": PIPX, "settings": Settings(apps=("x",))}, f"in {VENV}", "11 in a project its own package is removed"),
    row("--app install six", {**ACTIVE, "base": None}, f"refuse {USAGE}", "11 --app without a Python to make an environment from"),
    row("uninstall x", {"apps": PIPX, "settings": Settings(apps=("x",))}, "pipx x", "11 or the setting's application"),
    row("--app install six", {"configured_python": True}, f"refuse {USAGE}", "11 --app with a file that names an interpreter"),
    row("--app install six", {"environ": {"PIP_DRY_RUN": "1"}}, f"refuse {USAGE}", "11 --app with a variable that asks for more"),
    # 12
    *(
        row(f"{subcommand} six", {}, f"in {VENV}", f"12 {subcommand} looks where install puts things")
        for subcommand in ("install", "uninstall", "list", "freeze", "show", "check", "inspect", "download", "wheel", "lock", "index", "debug")
    ),
    row("install six", NOTHING, f"create {VENV}", "12 install creates it"),
    row("install six", {"place": env(state=UNFINISHED)}, f"create {VENV}", "12 install finishes what was begun"),
    row("install -r ../other/requirements.txt", NOTHING, f"create {VENV}", "12 requirement files elsewhere change nothing"),
    row("install -e ../lib", NOTHING, f"create {VENV}", "12 paths elsewhere change nothing"),
    row("install six", {"place": env(state=BROKEN, reason="x")}, f"refuse {NO_ENVIRONMENT}", "12 a broken one is refused"),
    row("list", {"place": env(state=BROKEN, reason="x")}, f"refuse {NO_ENVIRONMENT}", "12 a broken one is never skipped"),
    row("install six", {"place": env(state=FOREIGN, reason="x")}, f"refuse {REFUSED}", "12 another user's is refused"),
    *(
        row(line, {"place": STRANGERS}, f"refuse {REFUSED}", f"12 one that is not trusted is refused: {line}")
        for line in ("install six", "uninstall six", "list", "freeze", "install --dry-run six", "install -r gone.txt")
    ),
    # 13
    row("install six", {"project": None, "place": env(HOME)}, f"in {HOME}", "13 the home environment"),
    row("install six", OUTSIDE, f"create {HOME}", "13 install creates it"),
    row(
        "install six",
        {**OUTSIDE, "settings": Settings(outside_project="error")},
        f"refuse {CANNOT_CREATE}",
        "13 the setting may say to stop",
    ),
    row("install six", {"settings": Settings(outside_project="error")}, f"in {VENV}", "13 but not in a project"),
    row(
        "install six",
        {**OUTSIDE, "named": ("--env", env(OTHER)), "settings": Settings(outside_project="error")},
        f"in {OTHER}",
        "13 nor where an environment is named",
    ),
    row("install six", {"project": None, "place": env("", NOWHERE, reason="no home")}, f"refuse {CANNOT_CREATE}", "13 no home"),
    row("list", {"project": None, "place": env("", NOWHERE, reason="no home")}, f"pip of {SYSTEM}", "13 no home, readers go on"),
    row(
        "install six",
        {"project": None, "place": env(HOME, UNTRUSTED, reason="x")},
        f"refuse {REFUSED}",
        "13 a home environment that is not trusted is refused",
    ),
    # the environment does not exist
    *(
        row(f"{subcommand} six", NOTHING, f"pip of {SYSTEM}", f"missing, {subcommand} runs on the target")
        for subcommand in ("list", "freeze", "show", "check", "inspect", "download", "wheel", "lock", "index", "debug", "uninstall")
    ),
    row("install --dry-run six", NOTHING, "throw-away", "missing, install --dry-run runs in a throw-away one"),
    row("install", NOTHING, f"pip of {OWN}", "missing, an install of nothing runs under safepip's own"),
    row("install -U", NOTHING, f"pip of {OWN}", "missing, an install of options alone, too"),
    row(
        "install -r gone.txt six",
        {**NOTHING, "missing_input": "gone.txt cannot be opened"},
        f"pip of {OWN}",
        "missing, requirements that cannot be opened",
    ),
    row(
        "install -c gone.txt six",
        {**NOTHING, "missing_input": "gone.txt cannot be opened"},
        f"pip of {OWN}",
        "missing, constraints that cannot be opened",
    ),
    row("install -r gone.txt", {"missing_input": "gone.txt cannot be opened"}, f"in {VENV}", "there, requirements are its pip's matter"),
    row("install six", {**NOTHING, "pip_is_misconfigured": True}, f"pip of {OWN}", "missing, pip's configuration is wrong"),
    row("install six", {**NOTHING, "cwd": None}, f"pip of {OWN}", "missing, and so is the working directory"),
    row("install six", {**NOTHING, "target": OLD}, f"refuse {NO_ENVIRONMENT}", "missing, a Python too old for one"),
    row("install --dry-run six", {**NOTHING, "target": OLD}, f"refuse {NO_ENVIRONMENT}", "missing, too old for a throw-away one"),
    row("install six", {"target": OLD}, f"in {VENV}", "there, how old its Python is does not matter"),
    row("install --group dev", NOTHING, f"create {VENV}", "missing, a group names something"),
    row("install -e .", NOTHING, f"create {VENV}", "missing, an editable names something"),
    row("install -r r.txt", NOTHING, f"create {VENV}", "missing, a requirements file names something"),
    row("install --requirements-from-script s.py", NOTHING, f"create {VENV}", "missing, a script names something"),
    row("install --brand-new-option six", NOTHING, f"create {VENV}", "an option unknown yet is routed like any install"),
    row("install --brand-new-option", NOTHING, f"create {VENV}", "an unknown option may name something"),
    row("install --brand-new-option six", {}, f"in {VENV}", "an unknown option is judged by the environment's pip"),
    *(
        row(f"{subcommand} --brand-new-option six", {}, f"in {VENV}", f"an unknown option of {subcommand} is routed, too")
        for subcommand in ("uninstall", "list", "freeze", "show", "check", "inspect", "download", "wheel", "lock", "index", "debug")
    ),
    *(
        row(f"{subcommand} --brand-new-option", NOTHING, f"pip of {SYSTEM}", f"an unknown option of {subcommand}, nothing there")
        for subcommand in ("uninstall", "list", "freeze")
    ),
    row("list --brand-new-option", SUDO, "step down to 1000:1000", "an unknown option by sudo steps down"),
    row("list --brand-new-option", {"place": STRANGERS}, f"refuse {REFUSED}", "an unknown option needs trust, too"),
    row("cache --brand-new-option list", NOTHING, f"pip of {SYSTEM}", "an unknown option of what is not routed is row 9"),
    # settings
    row("install six", {"settings": Settings(faults=(WRONG,))}, f"refuse {BAD_SETTINGS}", "wrong settings stop install"),
    row("list", {"settings": Settings(faults=(WRONG,), warnings=(WRONG,))}, f"in {VENV}", "readers go on"),
    # auto-repair
    *(row(f"{line} six", MENDING, f"repair {VENV}", f"broken, {line} has it repaired first") for line in ("install", "list", "uninstall", "install --dry-run")),
    row("freeze", MENDING, f"repair {VENV}", "broken, freeze has it repaired first"),
    row("list", {**MENDING, "settings": Settings()}, f"refuse {NO_ENVIRONMENT}", "broken, nothing is repaired unasked"),
    row("list", {**MENDING, "may_repair": lambda _found: False}, f"refuse {NO_ENVIRONMENT}", "a stranger's broken one is not repaired"),
    row("list", {**MENDING, "place": NOT_TO_BE_MENDED}, f"refuse {NO_ENVIRONMENT}", "another system's is not repaired"),
    row("list", {**MENDING, "place": STRANGERS}, f"refuse {REFUSED}", "what is not trusted is not repaired"),
    row("cache list", MENDING, f"pip of {SYSTEM}", "broken, what installs nothing goes on without it"),
    row("list", {**MENDING, **ACTIVE}, f"pip of {OTHER}", "broken, but another is active"),
    row("list", {**MENDING, "named": ("--env", replace(RUIN, path=OTHER))}, f"repair {OTHER}", "a named one that is broken"),
    row("list", {**MENDING, **SUDO}, "step down to 1000:1000", "broken, root by sudo steps down before"),
    row("install six", {**MENDING, "settings": Settings(auto_repair=True, faults=(WRONG,))}, f"refuse {BAD_SETTINGS}", "broken, wrong settings stop install before"),
    row("--env . list", {"named": ("--env", env(BLOG, BROKEN, reason="x")), "meant": env()}, f"refuse {NO_ENVIRONMENT}", "a project named in place of its environment"),
    # the version in the name
    row("install six", {"program": "pip3.12"}, f"in {VENV}", "a name with the version of the environment"),
    row("install six", {"program": "pip3.11"}, f"refuse {NO_ENVIRONMENT}", "a name with another version is an error"),
    row("list", {"program": "pip-3.11"}, f"refuse {NO_ENVIRONMENT}", "for readers as well"),
    row("install six", {"program": "pip3"}, f"in {VENV}", "a name with the major version alone fits"),
    row("install six", {"program": "pip3.11", **NOTHING}, f"create {VENV}", "a missing one is made with that version"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "facts", "expected"), ROWS)
def test_decide(line, facts, expected):
    assert said(decide(context(line, **facts))) == expected


def known(world, need, full):
    """Return the world with what is needed of the `full` one."""
    if need.stage in {NEEDS_TARGET, PLACE}:
        kind = WithTarget if need.stage == NEEDS_TARGET else WithPlace
        later = {"typed_interpreter": None, "details": None, "apps": None}
        fields = {name: value for name, value in fields_of(full).items() if name in kind._fields}
        return kind(**{**fields, **{name: None for name in later if name in fields}})
    return replace(world, **{need.stage: getattr(full, need.stage)})


@pytest.mark.parametrize(("line", "facts", "expected"), ROWS)
def test_what_is_not_known_yet_is_asked_for_once_and_in_order(line, facts, expected):
    full = context(line, **facts)
    world = World(**{name: value for name, value in fields_of(full).items() if name in World._fields})
    asked = []
    while isinstance(answer := decide(world), Need):
        asked.append(answer.stage)
        assert (answer.environment is not None) == (answer.stage == DETAILS)
        world = known(world, answer, full)
    assert said(answer) == expected
    stages = [stage for stage in asked if stage != TYPED_INTERPRETER]
    assert stages == [NEEDS_TARGET, PLACE, DETAILS, APPS][: len(stages)]
    assert asked.count(TYPED_INTERPRETER) <= 1


def test_row_11_the_pip_of_pipxs_environment_shows_an_application():
    pipx = Apps(installed=("black",), of_asked=env("/pipx/black"))
    plan = decide(context("show black", apps=pipx, **OUTSIDE))
    assert (said(plan), plan.because) == ("pip of /pipx/black", "black is with pipx")
    for other in (replace(pipx, of_asked=None), replace(pipx, beside=frozenset({"black"}))):
        assert said(decide(context("show black", apps=other, **OUTSIDE))) == f"pip of {SYSTEM}"
    in_project = context("show black", apps=pipx, settings=Settings(apps=("httpie",)))
    assert said(decide(in_project)) == f"in {BLOG}/.venv"


def test_row_11_a_list_names_some_of_the_applications():
    plan = decide(context("list", project=None, place=env(HOME), apps=PIPX))
    assert plan.notices == ("with pipx: a, b, black, c, d and 2 more (safepip app list)",)


def test_row_4_the_environment_named_is_made_even_where_another_is_active():
    """From the Python that the active environment stands on: there is no other that the line can mean."""
    plan = decide(context("--env e install six", **{**ACTIVE, "named": ("--env", missing(OTHER + "2"))}))
    assert said(plan) == f"create {OTHER}2"
    assert plan.interpreter == BASE


@pytest.mark.parametrize(
    "line", ["--env e install --help six", "--env e install six -r", "--env e install --python P six"]
)
def test_row_4_nothing_is_made_for_a_line_that_installs_nothing(line):
    plan = decide(context(line, named=("--env", missing(OTHER))))
    assert said(plan) == f"pip of {OWN}"


@pytest.mark.parametrize(("line", "told"), [("list", 1), ("install six", 1), ("freeze", 0)])
def test_a_moved_environment_serves_and_says_so(line, told):
    plan = decide(context(line, moved_from=lambda _found: "/old/.venv"))
    assert said(plan) == f"in {VENV}"
    assert [notice for notice in plan.notices if "was moved here from /old/.venv" in notice] == list(plan.notices)
    assert len(plan.notices) == told


@pytest.mark.parametrize("line", ["--env e install six", "--env e install --dry-run six"])
def test_where_no_base_can_be_found_none_is_made(line):
    facts = {**ACTIVE, "base": None, "named": ("--env", missing(OTHER + "2"))}
    plan = decide(context(line, **facts))
    assert (said(plan), plan.what) == (
        f"refuse {CANNOT_CREATE}",
        f"{OTHER}/bin/python was made from a Python that cannot be found",
    )
    assert plan.ways == ("name a place: SAFEPIP_ENV=DIR",)


@pytest.mark.parametrize(
    ("facts", "project"),
    [
        ({"place": missing(f"{HOME}/envs/blog-1")}, BLOG),
        ({"place": missing()}, ""),
        ({"project": None, "place": missing(HOME)}, ""),
        ({"named": ("--env", missing(f"{HOME}/other"))}, ""),
    ],
    ids=["kept elsewhere", "in the project", "of no project", "named"],
)
def test_a_new_environment_is_told_which_project_it_is_for_if_it_lies_elsewhere(facts, project):
    assert decide(context("install six", **facts)).project == project


# -- the line that pip gets


def handover(line, **facts):
    plan = decide(context(line, **facts))
    assert isinstance(plan, Pip | InEnvironment | Create | Temporary), plan
    return plan.handover


LEFT_ALONE = [
    ("--system install --user six", {}),
    ("install --user six", {"inside": env(OTHER)}),
    ("install --user six", ACTIVE),
    ("--python P install --user six", UNMANAGED),
    ("install --user --target d six", {}),
    ("help install", {}),
    ("show six", {}),
    ("-q install -Ur r.txt --no-deps six", {}),
    ("install six", NOTHING),
    ("install", NOTHING),
    ("list", NOTHING),
    ("uninstall six", {"environ": {"PIP_USER": "1"}}),
    ("--python o show six", {"named": ("--python", env(OTHER)), "target": IN_OTHER}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "facts"), LEFT_ALONE)
def test_the_users_words_are_left_alone(line, facts):
    typed = [word for word in shlex.split(line) if word != "--system"]
    assert handover(line, **facts).words == tuple(typed)


def test_the_users_words_arrive_byte_for_byte():
    odd = ["install", "", "caf\udce9", "a b", "x\n", "-e", "--", "--", "é"]
    assert handover("", words=odd).words == tuple(odd)
    assert handover("", words=odd, **UNMANAGED).words == tuple(odd)


DROPPED = [
    ("install --user six", "install six"),
    ("install six --user", "install six"),
    ("--isolated install --user six", "--isolated install --no-user six"),
    ("install --isolated --user six", "install --no-user --isolated six"),
    ("install --user -- --user", "install -- --user"),
    ("install --log --user six", "install --log --user six"),
    ("install --user --user six", "install six"),
    ("list --user", "list"),
    ("--isolated list --user", "--isolated list"),
    ("freeze --user", "freeze"),
    ("inspect --user", "inspect"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), DROPPED)
@pytest.mark.parametrize("facts", [{}, {"named": ("--env", env(OTHER))}], ids=["in a project", "in one named"])
def test_user_is_dropped_where_it_was_read_as_that_option(line, expected, facts):
    assert handover(line, **facts).words == tuple(expected.split())


def test_user_is_dropped_before_an_environment_is_made():
    assert handover("install --user six", **NOTHING).words == ("install", "six")
    assert handover("install --user --dry-run six", **NOTHING).words == ("install", "--dry-run", "six")


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ("install --user six", {}),
        ("install six", {"environ": {"PIP_USER": "1"}}),
        ("list", {"environ": {"PIP_USER": "yes"}}),
        ("install six", {"environ": {"PIP_NO_USER": "1"}}),
        ("install six", {"files": [pip_conf("install", user="true")]}),
        ("freeze", {"files": [pip_conf("global", user="1")]}),
        ("--python o install --user six", {"named": ("--python", env(OTHER)), "target": IN_OTHER}),
    ],
)
def test_the_variable_is_set_so_that_no_configuration_asks_for_it(line, facts):
    changes = dict(handover(line, **facts).variables)
    assert (changes["PIP_USER"], changes["PIP_NO_USER"]) == ("0", None)


@pytest.mark.parametrize("line", ["install --no-user six", "install six", "list", "uninstall six", "show six"])
def test_the_variable_is_left_alone_where_the_user_site_was_not_asked_for(line):
    assert "PIP_USER" not in dict(handover(line).variables)


@pytest.mark.parametrize(
    ("line", "facts", "notice"),
    [
        ("install --user six", {}, "--user has no meaning in .venv; left out"),
        ("list", {"environ": {"PIP_USER": "1"}}, "--user (PIP_USER) has no meaning in .venv; left out"),
        (
            "install six",
            {"files": [pip_conf("install", user="true")]},
            "--user (/home/u/.config/pip/pip.conf) has no meaning in .venv; left out",
        ),
        ("install --user six", {"named": ("--env", env(OTHER))}, f"--user has no meaning in {OTHER}; left out"),
    ],
)
def test_one_line_says_that_user_has_no_meaning(line, facts, notice):
    assert decide(context(line, **facts)).notices == (notice,)


def test_freeze_says_nothing():
    settings = Settings(warnings=(WRONG,))
    for facts in ({}, NOTHING, STALE):
        assert decide(context("freeze --user", settings=settings, **facts)).notices == ()


def test_a_python_that_chose_the_interpreter_does_not_lead_pip_back_to_it():
    found = handover("-q --python P install six", target=replace(TARGET, chosen_on_line=True))
    assert found.words == ("-q", "install", "six")
    assert dict(found.variables) == {"PIP_PYTHON": None}
    assert handover("--python=P list", target=TARGET).words == ("list",)


def test_a_python_of_pips_configuration_is_overruled():
    found = handover("install six", configured_python=True)
    assert dict(found.variables) == {"PIP_PYTHON": f"{VENV}/bin/python"}


def test_a_python_that_names_an_environment_stays():
    found = handover("--python o install six", named=("--python", env(OTHER)), target=IN_OTHER)
    assert found.words == ("--python", "o", "install", "six")
    assert found.variables == ()


# -- how pip is started


def test_the_environments_own_python_runs_it():
    assert handover("install six") == Handover(
        python=f"{VENV}/bin/python",
        words=("install", "six"),
        program=f"{VENV}/bin/pip",
        environment=VENV,
        enter=True,
        variables=(("PIP_PYTHON", None),),
        changes_packages=True,
    )
    assert handover("install six").argv == (f"{VENV}/bin/python", RUNNER, "install", "six")


def test_a_missing_environments_python_will_run_it():
    assert handover("install six", **NOTHING).python == f"{VENV}/bin/python"


def test_untouched_means_that_nothing_is_changed():
    found = handover("install six", **UNMANAGED)
    assert found == Handover(python=SYSTEM, words=("install", "six"), program="/usr/bin/pip")


def test_an_active_environment_is_not_entered_again():
    assert handover("install six", **ACTIVE).enter is False
    assert handover("install six", active=env(OTHER)).enter is True


@pytest.mark.parametrize(
    ("facts", "program"),
    [
        ({}, f"{VENV}/bin/pip"),
        ({"program": "/x/pip3.12"}, f"{VENV}/bin/pip3.12"),
        ({"module": True}, "-m"),
        ({"program": "pip3", **UNMANAGED}, "/usr/bin/pip3"),
        ({"module": True, **UNMANAGED}, "-m"),
    ],
)
def test_pip_takes_itself_for_what_was_typed(facts, program):
    assert handover("install six", **facts).program == program


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("install six", True),
        ("uninstall six", True),
        ("install --user six", True),
        ("install --brand-new six", True),
        ("list", False),
        ("download six", False),
        ("wheel six", False),
        ("install --dry-run six", False),
    ],
)
def test_only_changes_take_the_lock(line, changes):
    assert handover(line).changes_packages is changes


@pytest.mark.parametrize(
    ("line", "changes"),
    [("install six", True), ("install -t d six", False), ("install -h", False), ("list", False)],
)
def test_only_changes_of_an_active_environment_take_its_lock(line, changes):
    assert handover(line, **ACTIVE).changes_packages is changes


def test_within_a_pip_of_safepips_no_lock_is_taken():
    assert handover("install six", inside=env(OTHER)).changes_packages is False


def test_a_pip_that_is_to_say_what_is_wrong_is_not_refused_and_installs_nothing():
    found = handover("install", **NOTHING)
    changes = dict(found.variables)
    assert found.is_dry_run
    assert changes["PIP_DRY_RUN"] == "1"
    assert changes["PIP_BREAK_SYSTEM_PACKAGES"] == "1", "it may run on the managed Python"
    assert changes["PIP_USER"] == changes["PIP_REQUIRE_VIRTUALENV"] == "0", "or it would say other things first"


def test_nothing_hides_the_error_of_safepips_own_pip():
    futile = handover(
        "--python /usr/bin/python3 install --user ./gone", **NOTHING, missing_input="there is no ./gone"
    )
    assert futile.words == ("install", "./gone")
    assert dict(futile.variables)["PIP_USER"] == "0"


def test_an_isolated_line_could_change_safepips_own_python():
    plan = decide(context("--isolated install ./gone", **NOTHING, missing_input="there is no ./gone"))
    assert isinstance(plan, Create)


def test_a_new_environment_is_made_as_the_settings_say():
    assert decide(context("install six", **NOTHING)).system_site_packages is False
    settings = Settings(system_site_packages=True)
    assert decide(context("install six", settings=settings, **NOTHING)).system_site_packages is True


# -- what is said


HOW = "safepip run {}      or: source .venv/bin/activate"


@pytest.mark.parametrize(
    ("line", "facts", "tell"),
    [
        ("install six", {}, RunHint(how=HOW, asked=("six",))),
        ("install six", NOTHING, RunHint(how=HOW, asked=("six",))),
        ("install -r x.txt", {}, RunHint(how=HOW)),
        (
            "install a 'b_c[d]>=1' ./e ../e f/g.whl git+https://h/i 'j @ https://k' https://l C:\\\\m n",
            {},
            RunHint(how=HOW, asked=("a", "b-c", "j", "n")),
        ),
        (
            "install six",
            {"named": ("--env", env(OTHER))},
            RunHint(how=f"safepip run {{}}      or: source {OTHER}/bin/activate", asked=("six",)),
        ),
        (
            "install six",
            {"named": ("--env", env("/a b"))},
            RunHint(how="safepip run {}      or: source '/a b/bin/activate'", asked=("six",)),
        ),
        ("list", {}, None),
        ("-q install six", {}, None),
        ("install six", {"environ": {"PIP_QUIET": "1"}, **NOTHING}, None),
        ("install six", {"settings": Settings(quiet=True)}, None),
        ("install six", {"settings": Settings(hints=False)}, None),
        ("install six", {"environ": {"SAFEPIP_HOOK": "1"}}, None),
        ("install six", {"environ": {"SAFEPIP_ACTIVATED": "/w/.venv"}}, None),
        ("install six", ACTIVE, None),
        ("install six", UNMANAGED, None),
    ],
)
def test_at_a_terminal_it_is_told_how_to_run_what_came(line, facts, tell):
    assert handover(line, terminal=True, **facts).run_hint == tell
    assert handover(line, terminal=False, **facts).run_hint is None


@pytest.mark.parametrize(
    "facts", [{}, ACTIVE, UNMANAGED, NOTHING], ids=["environment", "active", "unmanaged", "none"]
)
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("histroy", "maybe you meant: safepip history"),
        ("expl", "maybe you meant: safepip explain"),
        ("--envv x install six", "maybe you meant: --env"),
        ("--sys install six", "maybe you meant: --system"),
        ("-v --projct=x list", "maybe you meant: --project"),
        ("--isolatd list", ""),
        ("--user install six", ""),
        ("install --envv x six", ""),
        ("help nosuch", "safepip help knows pip's commands, run, "),
        ("help --verbose nosuch", "safepip help knows pip's commands, run, "),
        ("help --verbose", ""),
        ("instal x", ""),
        ("help install", ""),
        ("help", ""),
    ],
)
def test_a_word_that_neither_knows_is_answered_wherever_it_is_typed(line, said, facts):
    closing = decide(context(line, **facts)).handover.closing
    assert len(closing) == bool(said)
    assert "".join(closing).startswith(said)


def test_topics_are_named_only_where_safepip_was_typed():
    assert decide(context("help nosuch", program="pip")).handover.closing == ()
    assert decide(context("-q help nosuch")).handover.closing == ()
    assert all(topic in decide(context("help nosuch")).handover.closing[0] for topic in TOPICS)


def test_a_wrong_setting_is_warned_of_in_an_active_environment():
    fault = Fault(origin="SAFEPIP_SCOPE", what="scope must be managed or always")
    assert decide(context("list", settings=Settings(warnings=(fault,)), **ACTIVE)).notices == (str(fault),)


def test_an_environment_that_was_named_is_made_for_no_other_reason():
    plan = decide(context("install six", named=("--env", env("/x", ABSENT)), **UNMANAGED))
    assert plan.why == ""


def test_a_project_inside_one_with_an_environment_says_so_when_its_own_is_made():
    plan = decide(context("install six", outer_environment="/outer/.venv", **NOTHING))
    assert [line for line in plan.notices if "a project of its own now" in line and "/outer/.venv" in line]
    assert decide(context("install six", outer_environment="/outer/.venv")).notices == ()


def test_an_environment_of_another_user_can_be_trusted_by_its_folder():
    hers = env("/mnt/x y/.venv", UNTRUSTED, reason="belongs to another user (uid 7)")
    plan = decide(context("install six", place=hers))
    assert plan.ways == (
        "if you trust it: safepip env trust '/mnt/x y/.venv'",
        "to trust all below a folder, such as a mount: export SAFEPIP_TRUST='/mnt/x y'",
    )


def test_a_copied_environment_is_to_be_rebuilt_in_its_place():
    copied = replace(env("/x/.venv", UNTRUSTED), reason="was made elsewhere (in /y/.venv) and copied here")
    plan = decide(context("install six", place=copied))
    assert plan.ways == ("rebuild it here with the same packages: safepip env repair /x/.venv",)


def test_what_is_sought_without_an_environment_is_answered_anyway():
    plan = decide(context("uninstall six", **NOTHING))
    assert plan.sought == ("six",)
    assert plan.otherwise.endswith("does not exist yet, so nothing is installed in it")


def test_a_stale_virtual_env_is_warned_of_once():
    plan = decide(context("install six", **STALE))
    assert plan.notices == ("VIRTUAL_ENV names /x, which is not an environment; going on without it",)
    plan = decide(context("install six", stale_active=("CONDA_PREFIX", "/c")))
    assert plan.notices == ("CONDA_PREFIX names /c, which is not an environment; going on without it",)


@pytest.mark.parametrize("facts", [UNMANAGED, {"named": ("--env", env("/x"))}])
def test_where_virtual_env_does_not_matter_nothing_is_said(facts):
    assert decide(context("install six", **STALE, **facts)).notices == ()


def test_warnings_of_settings_are_passed_on():
    settings = Settings(warnings=(WRONG, replace(WRONG, line=2)))
    for facts in ({}, NOTHING, UNMANAGED):
        assert decide(context("install six", settings=settings, **facts)).notices == ("f: x", "f:2: x")


def test_wrong_settings_are_named():
    plan = decide(context("install six", settings=Settings(faults=(WRONG, replace(WRONG, line=2)))))
    assert (plan.code, plan.what) == (BAD_SETTINGS, "f: x")


def test_what_is_not_trusted_is_named_with_the_way_to_trust_it():
    plan = decide(context("install six", place=STRANGERS))
    assert (plan.code, plan.what) == (77, ".venv came from a stranger")
    assert plan.ways == ("if you trust it: safepip env trust .venv",)
    for elsewhere in ("/elsewhere", "/"):
        plan = decide(context("list", place=STRANGERS, cwd=elsewhere))
        assert (plan.what, plan.ways) == (
            f"{VENV} came from a stranger",
            (f"if you trust it: safepip env trust {VENV}",),
        )


@pytest.mark.parametrize(("data", "shown"), [("/home/u/data", "~/data/home"), ("/data", "/data/home")])
def test_the_home_environment_is_named_from_the_home_directory_on(data, shown):
    world = context("list", project=None, place=env(f"{data}/home", UNTRUSTED, reason="is odd"))
    assert decide(replace(world, data=data)).what == f"{shown} is odd"


HINT = (BLOG, "this project is kept by uv; to record the dependency: uv add six")


@pytest.mark.parametrize(
    ("line", "facts", "hint"),
    [
        ("install six", {}, HINT),
        ("install six", NOTHING, HINT),
        ("uninstall six", {}, None),
        ("list", {}, None),
        ("install six", {"named": ("--env", env(OTHER))}, None),
        ("install six", {"named": ("SAFEPIP_ENV", missing(OTHER))}, None),
    ],
)
def test_an_install_hints_at_the_tool_that_keeps_the_project(line, facts, hint):
    assert decide(context(line, manager_hint=HINT, **facts)).hint == hint


def test_a_project_named_in_place_of_its_environment_is_told_as_such():
    plan = decide(context("list", named=("--env", env(OTHER, BROKEN, reason="x")), meant=env(f"{OTHER}/.venv")))
    assert plan.what == f"{OTHER} is a project, not an environment; its environment is {OTHER}/.venv"
    assert plan.ways == (f"as if started there: safepip --project {OTHER} …",)


def test_a_broken_environment_is_named_with_the_way_to_repair_it():
    plan = decide(context("list", place=env(state=BROKEN, reason="was made with Python 3.11, which is gone")))
    assert plan.what == ".venv was made with Python 3.11, which is gone"
    assert plan.ways == ("rebuild it with the same packages: safepip env repair",)


def test_a_repair_carries_what_comes_after_and_what_to_say_if_it_fails():
    plan = decide(context("list -v", **MENDING))
    assert (plan.called, plan.handover.argv) == (".venv", (f"{VENV}/bin/python", RUNNER, "list", "-v"))
    assert plan.refusal == decide(context("list -v", place=RUIN))


@pytest.mark.parametrize(
    ("line", "facts", "sought"),
    [
        ("uninstall -y six idna", NOTHING, ("six", "idna")),
        ("uninstall -y six", {"named": ("--env", missing(OTHER))}, ("six",)),
        ("show six", NOTHING, ()),
        ("uninstall -y six", UNMANAGED, ()),
    ],
)
def test_what_is_to_be_removed_from_nowhere_is_sought(line, facts, sought):
    assert decide(context(line, **facts)).sought == sought


def test_without_a_target_nothing_is_sought():
    nothing = Target(python="/x", problem="/x is not a Python")
    plan = decide(context("--env e uninstall six", named=("--env", missing(OTHER)), typed_interpreter=nothing))
    assert (plan.code, plan.what) == (NOT_FOUND, "/x is not a Python")


def test_what_never_was_an_environment_is_to_be_moved_away():
    plan = decide(context("list", place=env(state=BROKEN, reason="is not an environment", never_environment=True)))
    assert isinstance(plan, Refuse)
    assert plan.ways == ("move it away, then install again: mv .venv .venv.old",)


def test_an_unknown_environment_is_rebuilt_only_if_it_is_named():
    broken = env(state=BROKEN, reason="is not an environment")
    plan = decide(context("list", place=broken, may_repair=lambda _found: False))
    assert plan.ways == ("rebuild it with the same packages: safepip env repair .venv",)
    plan = decide(context("list", named=("--env", broken)))
    assert plan.ways == ("rebuild it with the same packages: safepip env repair .venv",)


def test_a_directory_that_its_owner_closed_is_to_be_opened():
    plan = decide(context("list", place=env(state=BROKEN, reason="cannot be read", is_unreadable=True)))
    assert plan.ways == ("let yourself read it: chmod u+rwx .venv",)


# -- a redirect to tox's or nox's environment

TOX = env(f"{BLOG}/.tox/py312", known_as=VENV)
REDIRECTED = {
    "project": Project(root=BLOG, marker=".venv", disposable=VENV),
    "place": missing(f"{HOME}-1"),
    "environment_to_read": TOX,
}


@pytest.mark.parametrize("line", ["list", "freeze", "show six", "check", "inspect", "download six"])
def test_toxs_environment_serves_commands_that_read(line):
    assert said(decide(context(line, **REDIRECTED))) == f"in {TOX.path}"


@pytest.mark.parametrize("line", ["--version", "help", "cache list"])
def test_toxs_pip_answers_what_changes_nothing(line):
    assert said(decide(context(line, **REDIRECTED))) == f"pip of {TOX.path}"


def test_an_install_goes_past_toxs_environment_and_says_so():
    plan = decide(context("install six", **REDIRECTED))
    assert said(plan) == f"create {HOME}-1"
    assert plan.notices == (f".venv leads to an environment that tox or nox may empty; using {HOME}-1 instead",)
    plan = decide(context("uninstall -y six", **{**REDIRECTED, "place": env(f"{HOME}-1")}))
    assert (said(plan), len(plan.notices)) == (f"in {HOME}-1", 1)


def test_an_environment_that_is_named_has_nothing_to_do_with_toxs():
    assert decide(context("install six", **REDIRECTED, named=("--env", env(OTHER)))).notices == ()


# -- a place that is taken


def test_a_place_that_is_taken_is_named_when_another_is_made():
    place = replace(missing(f"{HOME}-1"), reason_for_other_place=".venv is a link to nothing")
    plan = decide(context("install six", place=place))
    assert plan.notices == (f".venv is a link to nothing; this project's environment is kept in {HOME}-1",)
    assert (
        decide(
            context(
                "install six", place=replace(env(f"{HOME}-1"), reason_for_other_place=place.reason_for_other_place)
            )
        ).notices
        == ()
    )


# -- the environment's own pip.conf


def test_the_environments_own_pip_conf_says_where_pip_installs_to():
    read_there = context("install --target d six").command
    plan = decide(context("install six", command_in=lambda _prefix: replace(read_there, argv=("install", "six"))))
    assert (plan.elsewhere, plan.handover.changes_packages) == ("d", False)
    assert plan.because.endswith("; --target (the command line) says where to install to")


def test_another_systems_environment_is_kept_from_repair():
    plan = decide(context("list", place=env(state=BROKEN, reason=OTHER_SYSTEM, other_system=True)))
    assert "SAFEPIP_ENV" in plan.ways[0]
    assert "env-dir" in plan.ways[0]
    assert "repair" in plan.ways[1]


def test_another_users_environment_is_named():
    plan = decide(context("install six", place=env(state=FOREIGN, reason="belongs to another user")))
    assert plan.what == ".venv belongs to another user"
    assert "SAFEPIP_ENV" in plan.ways[0]


def test_another_version_is_told_with_both_ways_out():
    plan = decide(context("install six", program="pip3.11"))
    assert plan.what == "pip3.11 asks for Python 3.11, but .venv has Python 3.12"
    assert plan.ways == (
        "use .venv: pip install …",
        "keep one beside it: SAFEPIP_ENV=.venv-3.11 pip3.11 install …",
    )


def test_without_a_home_the_way_out_is_named():
    plan = decide(context("install six", project=None, place=env("", NOWHERE, reason="there is no home")))
    assert (plan.what, plan.ways) == ("there is no home", ("name a place: SAFEPIP_ENV=DIR",))


def test_a_missing_target_is_told():
    plan = decide(context("--system list", typed_interpreter=Target(python="/x", problem="/x is not a Python")))
    assert (plan.code, plan.what) == (NOT_FOUND, "/x is not a Python")


@pytest.mark.parametrize(
    ("line", "facts", "because"),
    [
        ("--system list", {}, "--system asks for pip itself"),
        ("list", {"environ": {"SAFEPIP_BYPASS": "1"}}, "SAFEPIP_BYPASS asks for pip itself"),
        ("list", {"inside": env(OTHER)}, "a pip that safepip started there is at work"),
        ("list", {"named": ("SAFEPIP_ENV", env(OTHER))}, f"SAFEPIP_ENV names {OTHER}"),
        ("list", ACTIVE, f"the environment {OTHER} is active"),
        ("list", UNMANAGED, f"{SYSTEM} is not managed, so pip may install there"),
        ("install -t d six", {}, "--target (the command line) says where to install to"),
        ("install six", {"environ": {"PIP_ROOT": "d"}}, "--root (PIP_ROOT) says where to install to"),
        ("install --dry-run --report r six", NOTHING, "--dry-run with --report installs nothing"),
        ("install --break-system-packages six", {}, "--break-system-packages (the command line) opts out"),
        (
            "list",
            {"environ": {"PIP_BREAK_SYSTEM_PACKAGES": "1"}},
            "--break-system-packages (PIP_BREAK_SYSTEM_PACKAGES) opts out",
        ),
        ("cache list", {}, f"{SYSTEM} is managed by the system, but cache installs nothing"),
        ("--version", {}, f"{SYSTEM} is managed by the system, but only the version is asked for"),
        ("install -h", {}, f"{SYSTEM} is managed by the system, but only help is asked for"),
        ("nonsense", {}, f"{SYSTEM} is managed by the system, but pip has no such command"),
        (
            "cache --no-such",
            {},
            f"{SYSTEM} is managed by the system, but pip rejects the line (no such option: --no-such)",
        ),
        (
            "install --python P six",
            {},
            f"{SYSTEM} is managed by the system, but pip wants --python before the subcommand",
        ),
        ("list", {}, f"{SYSTEM} is managed by the system, and {BLOG} is a project (pyproject.toml)"),
        (
            "list",
            {"project": Project(root=BLOG, marker="")},
            f"{SYSTEM} is managed by the system, and {BLOG} becomes a project",
        ),
        (
            "list",
            {"project": None, "place": env(HOME)},
            f"{SYSTEM} is managed by the system, and there is no project here",
        ),
        (
            "list",
            {"settings": Settings(scope="always"), **UNMANAGED},
            f'the setting scope is "always", and {BLOG} is a project (pyproject.toml)',
        ),
        (
            "list",
            NOTHING,
            f"{SYSTEM} is managed by the system, and {BLOG} is a project (pyproject.toml), but .venv does not exist yet",
        ),
    ],
)
def test_every_plan_says_why(line, facts, because):
    assert decide(context(line, **facts)).because == because


@pytest.mark.parametrize(
    ("facts", "purpose"),
    [
        (NOTHING, "for this project (once)"),
        (OUTSIDE, "for use outside projects (once)"),
        ({"named": ("--env", missing(OTHER))}, "as --env says"),
    ],
)
def test_what_is_made_is_announced(facts, purpose):
    plan = decide(context("install six", **facts))
    assert (plan.purpose, plan.why) == (purpose, f"{SYSTEM} is managed by the system")
    shown = {VENV: ".venv", HOME: "~/.local/share/safepip/home"}
    assert plan.called == shown.get(plan.environment.path, plan.environment.path)


@pytest.mark.parametrize(
    ("facts", "redirect"),
    [
        ({"place": missing(HOME)}, VENV),
        ({"place": missing(f"{BLOG}/build/env")}, VENV),
        (NOTHING, None),
        (OUTSIDE, None),
        ({"named": ("--env", missing(OTHER))}, None),
    ],
)
def test_a_redirect_file_is_written_only_where_the_settings_ask_for_one(facts, redirect):
    assert decide(context("install six", settings=Settings(env_redirect=True), **facts)).redirect == redirect
    assert decide(context("install six", **facts)).redirect is None


# -- what is said of slips


@pytest.mark.parametrize(
    ("line", "way"),
    [
        (
            "install --system six",
            "--system is safepip's and goes before the command: safepip --system install six",
        ),
        ("-q install six --lib", "--lib is safepip's and goes before the command: safepip --lib -q install six"),
        ("install --env d 'a>1'", "--env is safepip's and goes before the command: safepip --env d install 'a>1'"),
        ("list --project=d", "--project is safepip's and goes before the command: safepip --project=d list"),
    ],
)
def test_an_option_behind_the_subcommand_is_shown_in_its_place(line, way):
    plan = decide(context(line))
    assert (plan.what, plan.ways) == (way, ())


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("hist", "history"),
        ("-v shel", "shell"),
        ("doctr x", "doctor"),
        ("rn flask", "run"),
        ("explian", "explain"),
        ("isntall six", None),
        ("insta six", None),
        ("lst", None),
        ("ini", "init"),
        ("inst", None),
        ("xyzzy", None),
        ("list", None),
    ],
)
def test_a_word_near_one_of_safepips_is_said_beside_pips_error(line, meant):
    told = (f"maybe you meant: safepip {meant}",) if meant else ()
    for facts in ({}, NOTHING):
        assert decide(context(line, **facts)).handover.closing == told
    assert decide(context(line, program="pip")).handover.closing == ()


def test_pips_answer_about_another_python_than_the_one_named_is_told_so():
    for what in ("--env", "SAFEPIP_ENV"):
        named = {"named": (what, missing("/nope"))}
        told = (f"there is no environment at /nope; this is about {SYSTEM}",)
        assert decide(context("list", **named)).notices == told
        assert decide(context("freeze", **named)).notices == ()
    assert decide(context("list", **NOTHING)).notices == ()
