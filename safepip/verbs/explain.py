"""safepip explain PIP-ARGS…: print the plan for a line, and change nothing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from typing import TypedDict

from safepip.actions.save import destination_of
from safepip.core.invocation import Invocation, read_invocation, with_own_words
from safepip.core.pip_options import SUBCOMMANDS
from safepip.core.plan import Create, InEnvironment, Pip, Pipx, Plan, Rebuild, Refuse, Temporary
from safepip.core.record import replace
from safepip.core.world import Ambient
from safepip.doctor.finding import attempt, target_interpreter
from safepip.doctor.outcome import outcome
from safepip.errors import SafepipError
from safepip.report import Report, without_secrets
from safepip.system.observe import Context
from safepip.system.policy import rules_here
from safepip.system.stages import decided

from .arguments import Parser, for_verb
from .output import show, show_json


class Explained(TypedDict):
    """The JSON object, with absolute paths and without secrets."""

    plan: str
    subcommand: str | None
    interpreter: str | None
    managed: bool | None
    environment: str | None
    project: str | None
    because: str
    argv: list[str]
    records: str | None
    policy: list[dict[str, str]]


_TAKING = ("install", "download", "wheel", "lock", "index")  # subcommands that get packages
_NAMES = {
    InEnvironment: "environment", Rebuild: "environment", Create: "create", Temporary: "ephemeral", Pipx: "pipx",
    Refuse: "refuse",
}  # fmt: skip


def parser() -> Parser:
    """Return the parser of `explain`, for its help: the rest is pip's."""
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
    """Print the plan for a line, for people or as an object."""
    if words in {("--help",), ("-h",)}:  # alone: `explain --help install` is a line
        parser().print_help()
        return 0
    if not words:
        parser().error("no pip line given")
    as_json = words[:1] == ("--json",)
    explained, plan, seen = explain(words[as_json:], context)
    if as_json:
        show_json(explained)
    else:
        show(*_lines(explained, plan, seen))
    return 0


def explain(words: tuple[str, ...], context: Context) -> tuple[Explained, Plan, Context]:
    """Return the plan for the line, as data too, and the world."""
    plain = replace(context.invocation, verb=None, arguments=(), project=None)
    version, words = _whole_line(words)
    typed = with_own_words(replace(plain, version=version or plain.version), words)
    ambient = context.ambient
    if typed.project is not None:
        ambient = _ambient_of(typed, context)
    seen = Context(typed, ambient, context.tell, keep=False)  # nothing is written, not even a cache
    try:
        plan = decided(seen)
    except SafepipError as error:
        # The line would stop with this error.
        plan = Refuse(code=error.code, what=error.what, ways=error.ways, because=error.what)
    return _explained(plan, seen), plan, seen


def _ambient_of(typed: Invocation, context: Context) -> Ambient:
    # `--project` moves there as `cd` does, so that a shell's hook would have changed these variables.
    ambient = context.ambient
    start = context.absolute(str(typed.project))
    there = replace(ambient, cwd=os.path.realpath(start))
    environ = dict(there.environ)
    for name, value in Context(typed, there, context.tell, keep=False).due_changes:
        environ.pop(name, None)
        if value:
            environ[name] = value
    return replace(there, environ=environ)


def _whole_line(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    # The line may begin with `pip3.12` or `python3.12 -m pip`.
    name, rest = os.path.basename("".join(words[:1])), words[1:]
    if name.startswith("python") and rest[:2] in {("-m", "pip"), ("-m", "safepip")}:
        name, rest = f"pip{name.removeprefix('python')}", rest[2:]
    called = read_invocation(name, ())
    if called.shim or name == "safepip":
        return called.version, rest
    return None, words


def _explained(plan: Plan, seen: Context) -> Explained:
    environment, argv = _parts(plan)
    project = attempt(lambda: seen.project, None)
    return {
        "plan": _NAMES.get(type(plan), "pip"),
        "subcommand": attempt(lambda: seen.command.subcommand, None),
        "interpreter": attempt(lambda: seen.target.python, None),
        "managed": attempt(lambda: seen.managed, None),
        "environment": environment,
        "project": None if project is None else str(project.root),
        "because": plan.because,
        "argv": without_secrets(argv),  # the answer may be pasted into an issue
        "records": attempt(lambda: destination_of(seen), None),
        "policy": _policy(environment, seen),
    }


def _policy(environment: str | None, seen: Context) -> list[dict[str, str]]:
    if attempt(lambda: seen.command.subcommand, None) not in _TAKING:
        return []
    prefix, interpreter = environment, target_interpreter(seen)
    if prefix is None and interpreter is not None:
        prefix = interpreter.prefix
    return [{"option": rule.option, "value": rule.value, "from": rule.origin} for rule in rules_here(seen, prefix)]


def _parts(plan: Plan) -> tuple[str | None, list[str]]:
    match plan:
        case Pip(handover=handover):
            return handover.environment, list(handover.argv)
        case InEnvironment() | Rebuild() | Create():
            return plan.environment.path, list(plan.handover.argv)
        case Temporary(handover=handover):
            return None, list(handover.argv)
        case Pipx(runs=runs):
            return None, ["pipx", *runs[0]]
        case _:
            return None, []


def _lines(explained: Explained, plan: Plan, seen: Context) -> Iterator[str]:
    yield outcome(plan, explained["subcommand"] or "run pip", explained["interpreter"])
    if isinstance(plan, Refuse):
        for way in plan.ways:
            yield f"  {way}"
    reasons = [explained["because"]]
    if explained["managed"] and seen.target.interpreter is not None:
        reasons.append(f"(marker: {seen.target.interpreter.marker})")
    yield from _headed("because", reasons)
    runs = [shlex.join(explained["argv"])]
    if isinstance(plan, Pipx):
        runs += [shlex.join(["pipx", *words]) for words in plan.runs[1:]]
    yield from _headed("runs", filter(None, runs))
    if explained["records"]:
        yield from _headed("records", [f"it in {explained['records']}"])
    rules = explained["policy"]
    yield from _headed("policy", [f"{rule['option']} {rule['value']} ({rule['from']})" for rule in rules])


def _headed(heading: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"  {heading:<8} {line}"
        heading = ""


def complete(typed: tuple[str, ...], current: str, _context: Context) -> dict[str, str]:
    """Return the words that may stand in a line to explain."""
    from .completion import of_pip  # noqa: PLC0415  for completion only

    if typed[:1] == ("--json",):
        typed = typed[1:]
    if typed:
        return of_pip(("pip", *typed, current), len(typed) + 1)
    words = dict.fromkeys(SUBCOMMANDS, "a line that begins so")
    return {"--json": "print one JSON object", "--help": "show help", **words}
