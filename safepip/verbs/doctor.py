"""safepip doctor [--json]: what is wrong here and which line mends it; nothing is touched.

safepip doctor --managed [PYTHON]: whether that Python is managed by a system (PEP 668).
"""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from functools import cache

from safepip.core.app_routing import home_of, kept
from safepip.core.decide import decide
from safepip.core.plan import Create, InEnvironment, Pip, Refuse, Repair, StepDown
from safepip.core.record import changed
from safepip.core.settings import Settings, origin_of
from safepip.doctor import surroundings
from safepip.doctor.advisories import dated
from safepip.doctor.configured import complaints, pip_facts
from safepip.doctor.facts import Decision, Facts, Init, Interpreted, Place
from safepip.doctor.findings import findings
from safepip.doctor.stray_installs import leftovers
from safepip.envs.health import left_by_root
from safepip.envs.journal import is_left
from safepip.envs.rebuild import fault, lacks_pip, left_aside, recorded_elsewhere
from safepip.envs.trust import made_elsewhere
from safepip.errors import NOT_FOUND, USAGE, SafepipError
from safepip.report import shown, without_credentials
from safepip.system.environment import ABSENT, BROKEN, CREATING, UNFINISHED, UNTRUSTED, USABLE, examine
from safepip.system.interpreter import BIN, EXE, candidates, interview, is_marked
from safepip.system.observe import Context
from safepip.system.project import owner
from safepip.system.registry import entries

from . import init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from safepip.core.invocation import Invocation
    from safepip.core.plan import Plan
    from safepip.doctor.facts import Finding
    from safepip.report import Report
    from safepip.system.environment import Environment

    T = TypeVar("T")

_USAGE = "safepip doctor [--json], safepip doctor --managed [PYTHON]"
_WIDTH = 80
_MARKS = {"ok": "ok", "warning": "warn", "problem": "FAIL"}
_COLOURS = {"ok": "32", "warning": "33", "problem": "31"}


def main(words: tuple[str, ...], context: Context, _report: Report) -> int:
    """Print the findings; return 1 where one is a problem, or with `--managed` where the Python is not managed."""
    if words[:1] in {("--help",), ("-h",)}:
        sys.stdout.write(f"usage: {_USAGE}\n")
        return 0
    if words[:1] == ("--managed",) and len(words) <= 2:
        return _tell_managed("".join(words[1:]), context)
    if words not in {(), ("--json",)}:
        raise SafepipError(USAGE, f"usage: {_USAGE}")
    found = findings(gathered(context))
    if words:
        rows = [_as_json(one) for one in found]
        sys.stdout.write(json.dumps({"findings": rows}) + "\n")
    else:
        colour = sys.stdout.isatty() and "NO_COLOR" not in context.ambient.environ
        sys.stdout.write("".join(f"{line}\n" for line in lines(found, colour=colour)))
    return int(any(one.status == "problem" for one in found))


def _as_json(one: Finding) -> dict[str, str | None]:
    command = None if one.command is None else without_credentials(one.command)
    return {"id": one.id, "status": one.status, "why": without_credentials(one.why), "command": command}


def lines(found: tuple[Finding, ...], *, colour: bool = False) -> Iterator[str]:
    """Yield the findings for people: mark and reason, what mends it below; a command is never broken in two."""
    for one in found:
        indent = " " * 6
        wrapped = textwrap.wrap(shown(one.why), _WIDTH - 6, break_long_words=False, break_on_hyphens=False)
        mark = _MARKS[one.status].ljust(6)
        for index, line in enumerate(wrapped or [""]):
            yield (_coloured(mark, one.status, colour=colour) if index == 0 else indent) + line
        if one.command is not None:
            yield f"{indent}  {shown(one.command)}"
    yield _summary(found)


def _coloured(mark: str, status: str, *, colour: bool) -> str:
    return f"\x1b[{_COLOURS[status]}m{mark}\x1b[0m" if colour else mark


def _summary(found: tuple[Finding, ...]) -> str:
    counts = []
    for status in ("problem", "warning"):
        count = sum(one.status == status for one in found)
        counts += [f"{count} {status}{'' if count == 1 else 's'}"] if count else []
    return ", ".join(counts) or "nothing is wrong"


# -- whether a Python is managed


def _tell_managed(named: str, context: Context) -> int:
    """Say whether the Python `named`, else the one that pip would serve here, is managed; return 0 if it is."""
    path = _named(named, context)
    words = ("--python", path) if path else ()
    invocation: Invocation = changed(context.invocation, words=words)
    asked = Context(invocation, context.ambient, context.tell, keep=False)
    target = asked.target
    if target.problem:
        raise SafepipError(NOT_FOUND, target.problem)
    interpreter = target.interpreter
    if interpreter is None or interpreter.is_virtual:
        sys.stdout.write(shown(f"{target.python} is not managed: it lies in an environment") + "\n")
        return 1
    said = _said(asked)
    reason = f"by {said}" if said else interpreter.marker if asked.managed else f"there is no {interpreter.marker}"
    verdict = "is managed" if asked.managed else "is not managed"
    sys.stdout.write(shown(f"{target.python} {verdict}: {reason}") + "\n")
    return 0 if asked.managed else 1


def _named(named: str, context: Context) -> str:
    """Return the path of a Python named as a path, a program or a version."""
    if not named or os.sep in named or os.path.isdir(named):
        return named
    name = f"python{named}" if named[:1].isdigit() else named
    found = next(candidates((name,), context.ambient.environ.get("PATH", os.defpath), ()), None)
    if found is None:
        raise SafepipError(NOT_FOUND, f"there is no {name} on PATH")
    return found


# -- what there is


def gathered(context: Context) -> Facts:
    """Look at everything; nothing is written, and nothing of an environment is run."""
    told = _as_install(context)
    program = _known(init.own_program, "")
    target, interpreted = _known(lambda: told.target, None), _target(told)
    interpreter = target.interpreter if target is not None else None
    venvs = os.path.join(home_of(told), "venvs")
    applications = kept(venvs)
    decision, places = _decided(told)
    rest = [place for place in places if place.role == "known"]
    gone = sum(not entry.is_there for entry in entries(told.state))
    return Facts(
        surroundings=surroundings.surroundings(told),
        programs=surroundings.programs(
            told.ambient, program, _init(told), told.data, has_applications=bool(applications)
        ),
        target=interpreted,
        pip=pip_facts(told.ambient, interpreter.prefix if interpreter else None),
        decision=decision,
        places=tuple(places),
        known=len(rest),
        gone=gone,
        complaints=tuple(complaints(_known(lambda: told.settings, Settings()))),
        leftovers=tuple(leftovers(told.ambient, interpreter, managed=interpreted.managed)),
        applications=applications,
        broken_applications=tuple(name for name in applications if _lost_python(os.path.join(venvs, name))),
        folders=tuple(surroundings.folders(told)),
        dated=tuple(dated()),
    )


def _as_install(context: Context) -> Context:
    """Return the context of an install typed here, with what was said before the word `doctor`."""
    typed: Invocation = changed(context.invocation, words=("install", "x"), verb=None, arguments=())
    return Context(typed, context.ambient, context.tell, keep=False)


def _known(look: Callable[[], T], otherwise: T) -> T:
    """Return what `look` finds, `otherwise` where that cannot be known here."""
    try:
        return look()
    except SafepipError:
        return otherwise


def _lost_python(environment: str) -> bool:
    return not os.path.exists(os.path.join(environment, BIN, "python" + EXE))


def _init(context: Context) -> Init:
    """Return what `safepip init` tells the user to add, and the file that has something of safepip's already."""
    lines: tuple[tuple[str, str], ...] = _known(lambda: init.lines_to_add(context), ())
    for file, _ in lines:
        line = _line_of_safepip(file)
        if line:
            words = re.findall(r"/[^\s'\"]*safepip(?=['\"\s])", line)
            missing = next((word for word in words if not os.path.exists(word)), "")
            return Init(lines=lines, named=file, missing=missing)
    return Init(lines=lines)


def _line_of_safepip(file: str) -> str:
    """Return the first line of the file that names safepip, comments left out; "" where none does."""
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return next((line for line in opened if "safepip" in line.partition("#")[0]), "")
    except OSError:
        return ""


# -- the target interpreter


def _target(context: Context) -> Interpreted:
    setting = _known(lambda: context.settings.python and origin_of(context.settings, "python"), None) or ""
    try:
        target = context.target
    except SafepipError as error:
        what = error.what or "the first python on PATH is another tool's shim, and it fails"
        return Interpreted(problem=what, setting=setting)
    named = _known(lambda: dict(context.command.origins).get("python", ""), "") or setting
    if target.problem:
        return Interpreted(problem=target.problem, setting=named)
    if target.interpreter is None:
        return Interpreted(python=target.python, environment=target.prefix or "", setting=named)
    marker = target.interpreter.marker
    lies = "file" if is_marked(target.interpreter) else "other" if os.path.lexists(marker) else "nothing"
    version = ".".join(map(str, target.interpreter.version))
    return Interpreted(
        python=target.python,
        version=version,
        marker=marker,
        lies=lies,
        managed=context.managed,
        said=_said(context),
        setting=named,
    )


def _said(context: Context) -> str:
    """Return the setting that decides whether the target is managed, if it is not the marker."""
    interpreter = context.target.interpreter
    if interpreter is None or context.managed == is_marked(interpreter):
        return ""
    key = "managed" if context.managed else "unmanaged"
    return f"the setting {key} ({origin_of(context.settings, key)})"


# -- the decision, and the environments


def _decided(context: Context) -> tuple[Decision, list[Place]]:
    """Return the steps of the decision for an install here, and the environments that there are."""
    try:
        plan = decide(context)
        places = list(_places(context))
    except SafepipError as error:
        return Decision(refused=error.what or "no Python can be asked", explained=bool(error.what)), []
    project, active = context.project, context.active
    variable, path = context.claimed_active
    decision: Decision = changed(
        _outcome(plan, context),
        active=active.path if active else "",
        variable=variable if active and path == active.path and context.target.prefix is None else "",
        stale=_stale(context),
        project=project.root if project else "",
        marker=project.marker if project else "",
        keeper=context.keeper or "",
        other=_other(active, places) if active and project else "",
    )
    return decision, places


def _other(active: Environment, places: list[Place]) -> str:
    """Return this project's own environment, where another one is active."""
    here = (place for place in places if place.role == "here" and place.state == USABLE)
    return next((place.path for place in here if place.path != active.path), "")


def _outcome(plan: Plan, context: Context) -> Decision:
    """Return the outcome alone; a refusal that another finding explains is told there."""
    match plan:
        case Refuse(what=what, ways=ways):
            by_target = context.target.problem is not None or bool(context.settings.faults)
            explained = by_target or context.place.state not in {USABLE, ABSENT}
            return Decision(refused=what, way=_command_in(ways), explained=explained)
        case Create(environment=environment):
            outcome = f"makes {environment.path} first"
        case Repair(environment=environment):
            outcome = f"repairs {environment.path} first"
        case InEnvironment(environment=environment):
            outcome = f"goes into {environment.path}"
        case Pip(handover=handover):
            outcome = f"is left to the pip of {handover.environment or handover.python}"
        case StepDown(uid=uid):
            outcome = f"steps down to user {uid}"
        case _:
            outcome = "is carried out"
    return Decision(outcome=outcome, because=plan.because)


def _command_in(ways: tuple[str, ...]) -> str | None:
    """Return the first command among the ways on that can be typed as it stands."""
    tails = [way.partition(": ")[2] or way for way in ways]
    return next(
        (tail for tail in tails if tail.startswith(("safepip ", "mkdir ", "mv ")) and "…" not in tail), None
    )


def _stale(context: Context) -> tuple[str, str, str] | None:
    if context.stale_active is None:
        return None
    variable, path = context.stale_active
    found = context.examine(path, named=True)
    return variable, path, found.reason or ("is not there" if found.state == ABSENT else "")


def _places(context: Context) -> Iterator[Place]:
    """Yield each environment once: the one named, the active one, this place's, the home one, those remembered."""
    seen = set()
    for role, found in _environments(context):
        key = os.path.realpath(found.path) if found.path else ""
        if key not in seen:
            seen.add(key)
            yield _place(role, found, context)


def _environments(context: Context) -> Iterator[tuple[str, Environment]]:
    if context.named:
        yield "named", context.named[1]
    else:
        if context.active:
            yield "active", context.active
        yield "here", context.place
    if context.data is not None:
        yield "home", context.examine(os.path.join(context.data, "home"))
    ask = cache(lambda python: interview(python, context.ambient.environ, context.cache, keep=False))
    for entry in entries(context.state):
        if entry.is_there:
            yield "known", examine(entry.known.path, ask, context.objection)


def _place(role: str, found: Environment, context: Context) -> Place:
    usable = found.state == USABLE
    interrupted = found.state == UNFINISHED and os.path.lexists(os.path.join(found.path, CREATING))
    damage, can_be_rebuilt = _damage(role, found)
    return Place(
        path=found.named or found.path,
        role=role,
        state=found.state,
        shown=context.shown(found) if found.named else "",
        reason=found.reason,
        interrupted=interrupted,
        version=found.version,
        other_system=found.other_system,
        has_pip=found.has_pip,
        lost_pip=usable and not found.has_pip and lacks_pip(found, context),
        by_root=_left_by_root(found, context.ambient.user) if usable else "",
        killed=usable and is_left(found.path, locked=False),
        moved=_is_moved(found, damage),
        damage=damage,
        can_be_rebuilt=can_be_rebuilt,
        repairing=left_aside(found.path, context) if found.path else "",
    )


def _damage(role: str, found: Environment) -> tuple[str, bool]:
    """Return what a repair would mend in one that works, and whether it could rebuild one that does not.

    To look through all that is installed takes its time, so only what serves this place is looked through.
    """
    if found.state == BROKEN or (found.state == USABLE and role != "known"):
        try:
            reason = fault(found) or ""
        except SafepipError:
            return "", False
        return reason if found.state == USABLE else "", True
    return "", True


def _is_moved(found: Environment, damage: str) -> bool:
    """Tell whether the fault is that its own texts name another place; of one not trusted, that and no other."""
    if recorded_elsewhere(found.path) is None:
        return False
    return found.reason == made_elsewhere(found.path) if found.state == UNTRUSTED else bool(damage)


def _left_by_root(found: Environment, user: int) -> str:
    """Return a path that root left in an environment of the user's own."""
    return (left_by_root(found.path, user) or "") if owner(found.path) == user else ""
