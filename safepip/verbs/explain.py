"""safepip explain [--json] PIP-ARGS…: the plan for a line, printed; nothing is touched."""

from __future__ import annotations

import json
import os
import shlex
import sys

from safepip.core.invocation import read_invocation, with_own_words
from safepip.core.plan import (
    Create,
    InEnvironment,
    Pip,
    Pipx,
    Plan,
    Refuse,
    Repair,
    StepDown,
    Temporary,
    Verb,
    Version,
)
from safepip.core.record import replace
from safepip.errors import SafepipError
from safepip.report import printable, without_secrets
from safepip.system.observe import Context, decided

from .arguments import for_verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict

    from safepip.report import Report

    from .arguments import Parser

    class Explained(TypedDict):
        """The JSON object: a `because` for people, the rest for programs; paths are absolute, secrets left out."""

        plan: str
        subcommand: str | None
        interpreter: str | None
        managed: bool | None
        environment: str | None
        project: str | None
        because: str
        argv: list[str]


def parser() -> Parser:
    """Return the parser of `explain`; only its help and usage are used, for the rest is a line of pip."""
    made = for_verb(
        "explain",
        usage="safepip explain [--json] PIP-ARGUMENTS",
        more="Nothing is changed, and pip is not started.",
        example="safepip explain install --user flask",
    )
    made.add_argument("--json", action="store_true", help="print one JSON object; it stands before the line")
    made.add_argument("line", metavar="PIP-ARGUMENTS", help="the line, as typed behind pip")
    return made


def main(words: tuple[str, ...], context: Context, _report: Report) -> int:
    """Print the plan for the line `words`; `--json` directly in front makes it one object."""
    if words in {("--help",), ("-h",)}:
        parser().print_help()
        return 0
    if not words:
        parser().error("no pip line given")
    as_json = words[:1] == ("--json",)
    explained, plan, told = explain(words[as_json:], context)
    if as_json:
        sys.stdout.write(json.dumps(explained) + "\n")
    else:
        sys.stdout.write("".join(printable(line) + "\n" for line in _lines(explained, plan, told)))
    return 0


def explain(words: tuple[str, ...], context: Context) -> tuple[Explained, Plan, Context]:
    """Return what safepip would do about the line, as data; nothing is written, not even a cache."""
    plain = replace(context.invocation, verb=None, arguments=(), project=None)
    version, words = _whole_line(words)
    typed = with_own_words(replace(plain, version=version or plain.version), words)
    ambient = context.ambient
    if typed.project is not None:
        start = os.path.normpath(os.path.join(ambient.cwd or os.sep, typed.project))
        ambient = replace(ambient, cwd=os.path.realpath(start))
        due = dict(Context(typed, ambient, context.tell, keep=False).due)
        environ = {name: value for name, value in {**ambient.environ, **due}.items() if value}
        ambient = replace(ambient, environ=environ)
    told = Context(typed, ambient, context.tell, keep=False)
    try:
        plan = decided(told)
    except SafepipError as error:
        plan = Refuse(code=error.code, what=error.what, ways=error.ways, because=error.what)
    return _explained(plan, told), plan, told


def _whole_line(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return the version that a leading `pip3.12` or `python3.12 -m pip` asks for, and the words after that."""
    name, rest = os.path.basename("".join(words[:1])), words[1:]
    if name.startswith("python") and rest[:1] == ("-m",) and rest[1:2] in {("pip",), ("safepip",)}:
        name, rest = f"pip{name[6:]}", rest[2:]
    called = read_invocation(name, ())
    return (called.version, rest) if called.shim or name == "safepip" else (None, words)


def _explained(plan: Plan, told: Context) -> Explained:
    name, environment, argv = _parts(plan)
    return {
        "plan": name,
        "subcommand": _known(lambda: told.command.subcommand),
        "interpreter": _known(lambda: told.target.python),
        "managed": _known(lambda: told.managed),
        "environment": environment,
        "project": _known(lambda: told.project and told.project.root),
        "because": plan.because,
        "argv": without_secrets(argv),
    }


def _parts(plan: Plan) -> tuple[str, str | None, list[str]]:
    """Return the plan's name, the environment meant, and what would be started."""
    match plan:
        case Pip(handover=handover):
            return "pip", handover.environment, list(handover.argv)
        case InEnvironment(handover=handover, environment=environment):
            return "environment", environment.path, list(handover.argv)
        case Repair(handover=handover, environment=environment):
            return "environment", environment.path, list(handover.argv)
        case Create(handover=handover, environment=environment):
            return "create", environment.path, list(handover.argv)
        case Temporary(handover=handover):
            return "ephemeral", None, list(handover.argv)
        case Pipx(runs=runs):
            return "pipx", None, ["pipx", *runs[0]]
        case Refuse() | StepDown() | Verb() | Version():
            return "refuse" if isinstance(plan, Refuse) else "pip", None, []


def _known(look: Any) -> Any:
    """Return what `look` finds, None where that cannot be known here."""
    try:
        return look()
    except SafepipError:
        return None


def _lines(explained: Explained, plan: Plan, told: Context) -> list[str]:
    """Return the same for people; the first line is the outcome."""
    lines = [_outcome(explained, plan)]
    lines += [f"  {way}" for way in plan.ways] if isinstance(plan, Refuse) else []
    lines += _reasons(explained, told)
    if explained["argv"]:
        lines.append(f"  runs     {shlex.join(explained['argv'])}")
    if isinstance(plan, Pipx):
        lines += [f"           {shlex.join(['pipx', *words])}" for words in plan.runs[1:]]
    return lines


def _outcome(explained: Explained, plan: Plan) -> str:  # noqa: C901  an arm a plan
    subcommand = explained["subcommand"] or "run pip"
    match plan:
        case InEnvironment(environment=found, elsewhere=str(directory)):
            return f"would {subcommand} into {directory}, by the pip of {found.path} (Python {found.version})"
        case InEnvironment(environment=found):
            return f"would {subcommand} in {found.path} (Python {found.version}), which exists"
        case Create(environment=found, interpreter=base):
            return f"would create {found.path} (Python {base.minor}), then {subcommand} in it"
        case Repair(environment=found):
            return f"would repair {found.path}, which {found.reason}; then {subcommand} in it"
        case Temporary(interpreter=base):
            return f"would {subcommand} in a temporary environment (Python {base.minor})"
        case Pipx(names=names):
            return f"would {subcommand} {', '.join(names)} with pipx".replace("  ", " ")
        case Refuse(what=what):
            return f"would refuse: {what}"
        case StepDown(uid=uid):
            return f"would step down to user {uid}, then decide again"
        case Verb(word=word):
            return f"would do it itself: {word} is a verb of safepip's"
        case Version():
            return "would answer itself"
        case Pip(handover=handover):
            whose = f"the pip of {handover.environment or explained['interpreter'] or handover.python}"
            return f"would leave it to {whose}"


def _reasons(explained: Explained, told: Context) -> list[str]:
    lines = [f"  because  {explained['because']}"]
    if explained["managed"] and told.target.interpreter is not None:
        lines.append(f"           (marker: {told.target.interpreter.marker})")
    return lines
