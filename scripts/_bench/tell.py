"""Print what was measured, and on which machine: tables for people, data for programs."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time

from bootstrap import CLONE

from _bench.world import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from _bench.measure import Line, Result, Verdict
    from _bench.world import World


def load() -> str:
    """Return the load averages."""
    return " ".join(f"{number:.1f}" for number in os.getloadavg())


def machine(world: World) -> dict[str, str]:
    """Describe the machine and the programs; to be called after the last group."""
    programs = {"pip": os.path.join(os.path.dirname(world.safepip), "pip"), **world.tools}
    describe = ["git", "-C", CLONE, "describe", "--always", "--dirty"]
    told = {
        "when": time.strftime("%Y-%m-%d"),
        "safepip": subprocess.run(describe, capture_output=True, text=True, check=False).stdout.strip() or "?",
        "CPU": f"{os.cpu_count()} cores of {processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{ask(world.python, 'sys.version.split()[0]')} ({world.python})",
        "ensurepip's pip": ask(world.python, "__import__('ensurepip').version()") or "none",
    }
    return {**told, **{name: version_told(path, world.environ) for name, path in programs.items()}}


def processor() -> str:
    """Return the name of the processor."""
    if os.path.isfile("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def version_told(program: str, environ: Mapping[str, str]) -> str:
    """Return the version that a program prints: its first word with a digit and a dot."""
    told = subprocess.run([program, "--version"], env=environ, capture_output=True, text=True, check=False).stdout
    for word in told.split():
        number = word.strip("(),")
        if number[:1].isdigit() and "." in number:
            return number
    return "?"


def show(told: Mapping[str, str], results: Sequence[Result], notes: Sequence[str]) -> None:
    """Print the tables."""
    print("; ".join(f"{name} {value}" for name, value in told.items()))
    for result in results:
        print(f"\n{result.title} (rounds: {result.rounds})\n\n{table(result)}")
        for line in result.lines:
            print(f"\n{line_text(line)}")
    print(f"\nGoals, those that were missed in bold\n\n{summary_table(summary(results))}")
    for note in notes:
        print(f"\nNote: {note}.")
    missed = sum(not verdict.ok for result in results for verdict in result.verdicts)
    count = sum(len(result.verdicts) for result in results)
    print(f"\n{count - missed} of {count} goals reached.")


def summary(results: Sequence[Result], whose: str = "") -> list[tuple[str, str, str]]:
    """Return each goal with what was reached; those that were missed are bold."""
    rows = []
    for result in results:
        for verdict in result.verdicts:
            goal, reached, _ = goal_texts(verdict)
            if not verdict.ok:
                reached = f"**{reached}**"
            rows.append((verdict.goal.case + whose, goal, reached))
    return rows


def summary_table(rows: Iterable[Sequence[str]]) -> str:
    """Return a table of the goals in Markdown."""
    head, *body = (f"| {' | '.join(row)} |" for row in [("", "goal", "reached"), *rows])
    return "\n".join([head, "|---|---|---|", *body])


def write_page(path: str, rows: Iterable[Sequence[str]]) -> None:
    """Replace the first table of a page by the table of the goals, in characters of any terminal."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    is_row = [line.startswith("|") for line in lines]
    start = is_row.index(True)
    end = is_row.index(False, start)
    lines[start:end] = summary_table(rows).replace("±", "+-").splitlines()
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def footnote(told: Mapping[str, str]) -> str:
    """Return a line that tells what was measured on."""
    shown = ("when", "CPU", "Python", "pip", "virtualenv", "uv")
    return ", ".join(f"{name} {told[name]}" for name in shown if name in told)


def table(result: Result) -> str:
    """Return the table of a group in Markdown: ms of CPU, then each goal beside what was reached."""
    rows: list[tuple[str, ...]] = [("", "median", "min", "goal", "reached", "")]
    for name, taken in result.times.items():
        goals = [goal_texts(verdict) for verdict in result.verdicts if verdict.goal.case == name]
        first, *others = goals or [("", "", "")]
        rows.append((name, figure(statistics.median(taken)), figure(min(taken)), *first))
        rows.extend(("", "", "", *texts) for texts in others)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = (f"| {' | '.join(aligned(row, widths))} |" for row in rows)
    rule = ["-" * (width + 1) + RULE_END.get(column, "-") for column, width in enumerate(widths)]
    return "\n".join([head, f"|{'|'.join(rule)}|", *body])


# Columns of figures, which Markdown aligns to the right where a rule ends in a colon.
RULE_END = {1: ":", 2: ":", 4: ":"}


def aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the cells of a row as wide as their columns, figures to the right."""
    cells = []
    for column, (text, width) in enumerate(zip(row, widths, strict=True)):
        cells.append(text.rjust(width) if column in RULE_END else text.ljust(width))
    return cells


def figure(ms: float) -> str:
    """Return ms with no more digits than mean anything."""
    if ms >= 100:
        return f"{ms:.0f}"
    if ms >= 1:
        return f"{ms:.1f}"
    return f"{ms:.3f}"


def goal_texts(verdict: Verdict) -> tuple[str, str, str]:
    """Return a goal, what was reached, and the verdict, as they are shown."""
    goal = verdict.goal
    word = "ok" if verdict.ok else "MISSED"
    if goal.kind == "extra":
        error = "?" if verdict.error is None else f"{verdict.error:.1f}"
        return f"at most +{goal.limit:.0f} ms over pip", f"{verdict.reached:+.1f} ±{error} ms", word
    limit = f"{goal.limit:.2f}" if goal.limit >= 0.1 else f"{goal.limit:.3f}"
    other = goal.against.removeprefix(goal.case.partition(": ")[0] + ": ")
    error = "?" if verdict.error is None else f"{verdict.error:.3f}"
    return f"at most {limit} of {other}", f"{verdict.reached:.3f} ±{error}", word


def line_text(line: Line) -> str:
    """Return what a line through a series says, in words."""
    sizes = sorted(line.series.cases)
    span = f"{sizes[0]} to {sizes[-1]}"
    each = f"{line.each * 1000:.2f} µs for each {line.series.unit} ({span})"
    text = f"{line.series.name}: {line.base:.1f} ms and {each}"
    if len(sizes) < 3:  # a line goes through any two points
        return text
    return f"{text}; no median is off that line by more than {line.off:.1f} ms"


def as_data(
    told: Mapping[str, str], results: Sequence[Result], notes: Sequence[str], whose: str = ""
) -> dict[str, Any]:
    """Return all that was measured, every single run included, as JSON can hold it."""
    groups = [group_data(result) for result in results]
    return {
        "machine": dict(told),
        "unit": "ms of user and system CPU",
        "groups": groups,
        "notes": list(notes),
        "summary": summary(results, whose),
    }


def group_data(result: Result) -> dict[str, object]:
    """Return what came out of one group as JSON can hold it."""
    return {
        "title": result.title,
        "rounds": result.rounds,
        "cases": {name: [round(ms, 4) for ms in taken] for name, taken in result.times.items()},
        "goals": [{**one._asdict(), "goal": one.goal._asdict()} for one in result.verdicts],
        "lines": [{**line._asdict(), "series": line.series.name} for line in result.lines],
    }
