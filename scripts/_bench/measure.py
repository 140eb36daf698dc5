"""Run what is to be compared by turns, and reckon with what it took."""

from __future__ import annotations

import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
from typing import NamedTuple

from bootstrap import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Times = dict[str, list[float]]  # of each case its ms, one a round


class Case(NamedTuple):
    """One command to measure, run in `cwd` after `before`, which is not measured.

    `environ` is laid over the sealed variables. A run that does not leave `makes`, a path, has failed. One
    that is `optional` and fails is left out with a note.
    """

    name: str
    argv: tuple[str, ...]
    cwd: str
    before: Callable[[], None] = lambda: None
    environ: Mapping[str, str] = {}
    makes: str = ""
    optional: bool = False


class Goal(NamedTuple):
    """What is to hold of a case: at most `limit` ms more than another ("extra"), or times the other ("ratio")."""

    case: str
    against: str
    kind: str
    limit: float


class Series(NamedTuple):
    """Cases that differ in one size only, by that size; the `unit` is what one more of it is."""

    name: str
    unit: str
    cases: Mapping[int, str]


class Group(NamedTuple):
    """What is measured together: in `share` of the rounds, by turns; `derive` makes what is shown of the times."""

    title: str
    cases: Sequence[Case]
    goals: Sequence[Goal] = ()
    series: Sequence[Series] = ()
    share: float = 1.0
    derive: Callable[[Times], Times] = lambda times: times


class Verdict(NamedTuple):
    """A goal, what was reached of it, and the standard error of that median: None where there was one round."""

    goal: Goal
    reached: float
    error: float | None
    ok: bool


class Line(NamedTuple):
    """A straight line through the medians of a series: ms at size 0, ms for one more, and the farthest miss."""

    series: Series
    base: float
    each: float
    off: float


class Result(NamedTuple):
    """What came out of a group."""

    title: str
    rounds: int
    times: Times
    verdicts: list[Verdict]
    lines: list[Line]


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, file=sys.stderr, flush=True)


def measure(group: Group, environ: Mapping[str, str], rounds: int, notes: list[str]) -> Result:
    """Run all cases of a group by turns, and once more before that to warm up."""
    rounds = max(1, round(rounds * group.share))
    say(f"measuring: {group.title} (rounds: {rounds}, commands: {len(group.cases)}) ...")
    cases = list(group.cases)
    times: Times = {case.name: [] for case in cases}
    for number in range(rounds + 1):
        for case in turned(cases, number):
            ms = attempt(case, environ, notes)
            if ms is None:
                cases.remove(case)
                del times[case.name]
            elif number > 0:
                times[case.name].append(ms)
    times = group.derive(times)
    verdicts = [judge(goal, times) for goal in group.goals if goal.case in times and goal.against in times]
    lines = [line_through(series, times) for series in group.series]
    return Result(group.title, rounds, times, verdicts, lines)


def attempt(case: Case, environ: Mapping[str, str], notes: list[str]) -> float | None:
    """Run a case; return its ms, or None, with a note, where it failed and may be left out."""
    try:
        return run(case, environ)
    except Stop as stop:
        if not case.optional:
            raise
        reason = next((line for line in stop.lines[2:] if "error" in line.lower()), stop.lines[-1])
        notes.append(f"left out: {stop.lines[0]} ({reason})")
        return None


def turned(cases: Sequence[Case], number: int) -> list[Case]:
    """Return the cases in the order of round `number`: each comes first as often as any other, and backwards."""
    start = number % max(1, len(cases))
    order = [*cases[start:], *cases[:start]]
    return order if number % 2 == 0 else order[::-1]


def run(case: Case, environ: Mapping[str, str]) -> float:
    """Run a case; return the ms of CPU that it and all its children took; Stop where it failed."""
    case.before()
    null = subprocess.DEVNULL
    with tempfile.TemporaryFile() as errors:  # not a pipe, which what outlives the command would keep open
        start = children_cpu()
        ended = subprocess.run(
            case.argv,
            cwd=case.cwd,
            env={**environ, **case.environ},
            stdin=null,
            stdout=null,
            stderr=errors,
            check=False,
        )
        used = children_cpu() - start
        errors.seek(0)
        told = errors.read()
    if ended.returncode != 0:
        raise Stop(69, f"{case.name} ended with {ended.returncode}", shlex.join(case.argv), *said(told)[-3:])
    if case.makes and not os.path.lexists(case.makes):
        raise Stop(69, f"{case.name} did not make {case.makes}", shlex.join(case.argv), *said(told)[-3:])
    return used * 1000


def children_cpu() -> float:
    """Return the seconds of CPU, user and system, of all children waited for so far, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def last_line(told: bytes) -> str:
    """Return the last line of what a program said, for a message."""
    return (said(told) or ["nothing"])[-1]


def said(told: bytes) -> list[str]:
    """Return the lines of what a program said, without the empty ones."""
    return [line.strip() for line in told.decode(errors="replace").splitlines() if line.strip()]


ERROR = 1.4826 * 1.2533  # of normal noise: standard deviation by the median deviation; error of median by mean's


def judge(goal: Goal, times: Times) -> Verdict:
    """Compare two cases round by round; return the median of that beside the goal."""
    pairs = list(zip(times[goal.case], times[goal.against], strict=True))
    compared = [own - other if goal.kind == "extra" else own / other for own, other in pairs]
    reached = statistics.median(compared)
    spread = statistics.median(abs(one - reached) for one in compared)
    error = ERROR * spread / len(compared) ** 0.5 if len(compared) > 1 else None
    return Verdict(goal, reached, error, reached <= goal.limit)


def line_through(series: Series, times: Times) -> Line:
    """Return the line of least squares through the medians of a series."""
    points = [(float(size), statistics.median(times[name])) for size, name in series.cases.items()]
    each, base = statistics.linear_regression(*zip(*points, strict=True))
    return Line(series, base, each, max(abs(base + each * size - ms) for size, ms in points))
