"""Draw what came out, as an SVG."""

from __future__ import annotations

import html
import statistics
from typing import NamedTuple

from _bench.tell import figure
from _bench.world import NAMED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _bench.measure import Result


class Bar(NamedTuple):
    """One bar of a chart."""

    label: str
    ms: float
    own: bool


def charts(results: Sequence[Result]) -> list[tuple[str, list[Bar]]]:
    """Return what the chart shows, by title: safepip against pip, creation, and doing nothing."""
    creations: dict[str, float] = {}
    idle: dict[str, float] = {}
    against_pip: dict[str, float] = {}
    what = f"{NAMED} requirements, 100 distributions"
    for result in results:
        against_pip.update(shares_of_pip(result))
        for name, taken in result.times.items():
            if result.title.startswith("Creation"):
                creations.setdefault(name, statistics.median(taken))
            elif name.startswith(f"{what}: "):
                idle[name.removeprefix(f"{what}: ")] = statistics.median(taken)
    if against_pip:
        against_pip[ITSELF] = 100.0
    found = (
        (f"CPU time of safepip with pip in it, in % of {ITSELF}", against_pip),
        ("An environment and one small wheel: ms CPU", creations),
        (f"Nothing to do, {what}: ms CPU", idle),
    )
    return [(title, bars(figures)) for title, figures in found if figures]


def shares_of_pip(result: Result) -> dict[str, float]:
    """Return how much of pip's CPU time safepip takes, in percent, by what is done."""
    shares = {}
    for goal, reached, _, _ in result.verdicts:
        is_pip = goal.against.startswith("pip ") or goal.against.endswith((", pip", ": pip"))
        if goal.kind != "ratio" or not is_pip:
            continue
        what = goal.case.removesuffix(", safepip").removesuffix(": safepip").removeprefix("safepip ")
        if what.startswith(f"{NAMED} requirements"):
            what = f"nothing to do, {what}"
        shares[what] = 100 * reached
    return shares


def bars(figures: Mapping[str, float]) -> list[Bar]:
    """Return bars, the shortest first, with safepip's marked; beside pip itself all others are safepip's."""
    drawn = []
    for name, ms in figures.items():
        is_own = name != ITSELF if ITSELF in figures else "safepip" in name
        drawn.append(Bar(name, ms, is_own))
    return sorted(drawn, key=lambda bar: bar.ms)


ITSELF = "pip itself"
_STYLE = (
    "svg{background:#f6f8fa;border-radius:8px}.pip{stroke:#cf222e;stroke-dasharray:4 3}"
    "text{font:13px system-ui,sans-serif;fill:#24292f}.small{font-size:11px;fill:#6e7781}.title{font-weight:600}"
    ".other{fill:#afb8c1}.own{fill:#0969da}"
    "@media(prefers-color-scheme:dark){svg{background:#1e1e2e}.pip{stroke:#ff7b72}text{fill:#e6edf3}.small{fill:#8d96a0}.other{fill:#57606a}.own{fill:#4493f8}}"
)


def svg(parts: Sequence[tuple[str, Sequence[Bar]]], foot: str) -> str:
    """Return bar charts below each other as one SVG; each has a scale of its own, from 0."""
    drawn: list[str] = []
    top = 24
    for title, bars in parts:
        drawn.append(f'<text class="title" x="8" y="{top}">{html.escape(title)}</text>')
        longest = max(bar.ms for bar in bars)
        for number, bar in enumerate(bars):
            drawn.extend(draw(bar, top + 12 + 24 * number, longest))
            if bar.label == ITSELF:
                x = 280 + 400 * bar.ms / longest
                drawn.append(f'<path class="pip" d="M{x:.1f},{top + 6}V{top + 12 + 24 * len(bars)}"/>')
        top += 24 * len(bars) + 44
    drawn.append(f'<text class="small" x="8" y="{top - 8}">{html.escape(foot)}</text>')
    size = f'width="760" height="{top}" viewBox="0 0 760 {top}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    names = html.escape("; ".join(title for title, _ in parts))
    return "\n".join([head, f"<title>{names}</title>", f"<style>{_STYLE}</style>", *drawn, "</svg>", ""])


def draw(bar: Bar, y: int, longest: float) -> list[str]:
    """Return one bar with its label and figure; `longest` ms are 400 wide."""
    width = max(1.0, 400 * bar.ms / longest) if longest > 0 else 1.0
    kind = "own" if bar.own else "other"
    return [
        f'<text x="270" y="{y + 13}" text-anchor="end">{html.escape(bar.label)}</text>',
        f'<rect class="{kind}" x="280" y="{y}" width="{width:.1f}" height="18" rx="2"/>',
        f'<text x="{288 + width:.1f}" y="{y + 13}">{figure(bar.ms)}</text>',
    ]
