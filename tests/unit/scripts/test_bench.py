"""The parts of scripts/bench.py that reckon and tell; what starts programs is tried by running it."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import xml.etree.ElementTree as ET
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
import tree

SCRIPTS = Path(tree.SCRIPTS)
sys.path.insert(0, str(SCRIPTS))  # bench.py imports its parts, and these bootstrap.py
try:
    bench, cases, chart, measuring, telling, worlds = (
        importlib.import_module(name)
        for name in ("bench", "_bench.cases", "_bench.chart", "_bench.measure", "_bench.tell", "_bench.world")
    )
finally:
    sys.path.remove(str(SCRIPTS))

Bar, Case, Goal, Result, Series, Verdict = (
    chart.Bar, measuring.Case, measuring.Goal, measuring.Result, measuring.Series, measuring.Verdict,
)  # fmt: skip


def result(times, goals=(), series=(), title="Title"):
    verdicts = [measuring.judge(goal, times) for goal in goals]
    return Result(title, 3, times, verdicts, [measuring.line_through(one, times) for one in series])


# --- the command line


def test_defaults():
    options = bench.parse([])
    assert (options.quick, options.rounds, options.tools, options.svg) == (False, None, [], None)
    assert options.json == str(SCRIPTS.parent / "bench.json"), "which git ignores"


# --- what programs get


def test_the_variables_are_sealed(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.invalid")
    environ = worlds.sealed("/root-of-it", "/opt/py/bin/python3.12")
    assert not {"PYTHONDONTWRITEBYTECODE", "PIP_INDEX_URL"} & set(environ)
    assert environ["HOME"] == "/root-of-it/home"
    assert environ["PATH"].split(":")[0] == "/opt/py/bin"
    assert environ["PIP_NO_INDEX"] == environ["UV_OFFLINE"] == "1"


def test_the_wheel_is_what_its_record_says(tmp_path):
    with zipfile.ZipFile(worlds.write_wheel(str(tmp_path), "bench-small")) as archive:
        record = archive.read("bench_small-1.0.dist-info/RECORD").decode()
        rows = dict(row.split(",", 1) for row in record.splitlines())
        assert set(rows) == set(archive.namelist())
        for name, told in rows.items():
            content = archive.read(name)
            digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert told == ("," if name.endswith("RECORD") else f"sha256={digest},{len(content)}")


def test_distributions_made_by_hand(tmp_path):
    worlds.add_distributions(str(tmp_path), 3)
    assert sorted(os.listdir(tmp_path)) == [f"bench_dist_{number}-1.0.dist-info" for number in range(3)]
    assert "Name: bench-dist-2" in (tmp_path / "bench_dist_2-1.0.dist-info" / "METADATA").read_text()


# --- the order of a round


def test_a_round_has_every_case_and_each_stands_first_once():
    cases = [Case(name, (), "") for name in "abcde"]
    rounds = [measuring.turned(cases, number) for number in range(5)]
    assert all(sorted(one) == sorted(cases) for one in rounds)
    ends = [one[0 if number % 2 == 0 else -1].name for number, one in enumerate(rounds)]
    assert sorted(ends) == list("abcde")


def test_no_cases_are_no_trouble():
    assert measuring.turned([], 3) == []


# --- what fails

ENVIRON = {"PATH": "/bin:/usr/bin"}


def test_a_case_that_may_fail_is_left_out_with_its_reason(tmp_path):
    notes = []
    line = "echo [KeyError]: no such thing >&2; echo try -v >&2; exit 3"
    optional, needed = (
        Case("pdm add", ("/bin/sh", "-c", line), str(tmp_path), optional=may_fail) for may_fail in (True, False)
    )
    assert measuring.attempt(optional, ENVIRON, notes) is None
    assert notes == ["left out: pdm add ended with 3 ([KeyError]: no such thing)"]
    with pytest.raises(bench.Stop):
        measuring.attempt(needed, ENVIRON, notes)


def test_a_case_that_does_not_do_its_work_has_failed(tmp_path):
    idle, busy = (
        Case("idle", ("/bin/sh", "-c", line), str(tmp_path), makes=str(tmp_path / "made"))
        for line in (":", "echo >made")
    )
    with pytest.raises(bench.Stop, match="did not make"):
        measuring.run(idle, ENVIRON)
    assert measuring.run(busy, ENVIRON) > 0.0


# --- goals


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_medians():
    times = {"own": [10.0, 40.0, 90.0], "other": [10.0, 20.0, 30.0]}
    verdict = measuring.judge(Goal("own", "other", "ratio", 1.9), times)
    assert verdict.reached == 2.0
    assert not verdict.ok
    assert measuring.judge(Goal("own", "other", "ratio", 2.0), times).ok, "the limit itself is reached"


def test_the_error_shrinks_with_the_rounds():
    few = {"own": [1.0, 2.0, 3.0], "other": [0.0] * 3}
    many = {"own": few["own"] * 100, "other": [0.0] * 300}
    errors = [measuring.judge(Goal("own", "other", "extra", 9.0), times).error for times in (few, many)]
    assert errors[0] == pytest.approx(1.073, abs=0.001)
    assert errors[1] == pytest.approx(errors[0] / 10)


def test_one_round_tells_no_error():
    verdict = measuring.judge(Goal("own", "other", "ratio", 1.4), {"own": [6.0], "other": [5.0]})
    assert telling.goal_texts(verdict) == ("at most 1.40 of other", "1.200 ±?", "ok")


def test_an_extra_is_the_median_difference():
    times = {"own": [21.0, 30.0, 52.0], "other": [10.0, 20.0, 30.0]}
    verdict = measuring.judge(Goal("own", "other", "extra", 15.0), times)
    assert (verdict.reached, verdict.ok) == (11.0, True)


@pytest.mark.parametrize(
    ("goal", "reached", "texts"),
    [
        (Goal("list", "pip", "extra", 15.0), 12.34, ("at most +15 ms over pip", "+12.3 ±0.1 ms", "ok")),
        (Goal("list", "pip", "extra", 15.0), -0.32, ("at most +15 ms over pip", "-0.3 ±0.1 ms", "ok")),
        (Goal("a", "b", "ratio", 1.4), 1.5, ("at most 1.40 of b", "1.500 ±0.126", "MISSED")),
        (Goal("much: safepip", "much: uv", "ratio", 1 / 3), 0.25, ("at most 0.33 of uv", "0.250 ±0.126", "ok")),
    ],
)
def test_a_goal_stands_beside_what_was_reached(goal, reached, texts):
    assert telling.goal_texts(Verdict(goal, reached, 0.126, reached <= goal.limit)) == texts


# --- growing


def test_a_line_through_a_series():
    series = Series("by depth", "level", {1: "one", 11: "eleven", 21: "more"})
    line = measuring.line_through(series, {"one": [21.0], "eleven": [41.0, 40.0, 42.0], "more": [61.0]})
    assert (line.base, line.each) == pytest.approx((19.0, 2.0))
    assert line.off == pytest.approx(0.0)


def test_what_is_off_the_line_is_told():
    series = Series("by depth", "level", {0: "a", 1: "b", 2: "c"})
    line = measuring.line_through(series, {"a": [0.0], "b": [3.0], "c": [0.0]})
    assert line.off == pytest.approx(2.0)
    assert telling.line_text(line).endswith("no median is off that line by more than 2.0 ms")


def test_two_points_prove_no_line():
    series = Series("by depth", "level", {1: "a", 200: "b"})
    line = measuring.line_through(series, {"a": [20.0], "b": [39.9]})
    assert telling.line_text(line) == "by depth: 19.9 ms and 100.00 µs for each level (1 to 200)"


def test_a_prompt_is_the_loop_less_the_empty_loop():
    loops = cases.PROMPTS
    times = {"bash, here": [2.0 * loops + 5], f"bash, here{cases.EMPTY}": [5.0]}
    assert cases.one_prompt(times) == {"bash, here": [2.0]}


# --- telling


@pytest.mark.parametrize(("ms", "text"), [(1234.5, "1234"), (12.34, "12.3"), (0.0512, "0.051")])
def test_figures_have_no_more_digits_than_mean_anything(ms, text):
    assert telling.figure(ms) == text


def test_the_table_is_markdown_with_one_line_for_each_goal():
    times = {"own": [10.0, 20.0], "other": [20.0, 40.0], "alone": [1.0, 3.0]}
    goals = [Goal("own", "other", "ratio", 0.6), Goal("own", "alone", "extra", 1.0)]
    lines = telling.table(result(times, goals)).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(line) for line in lines}) == 1, "columns stand below each other"
    assert cells[0] == ["", "median", "min", "goal", "reached", ""]
    assert [set(cell) <= {"-", ":"} for cell in cells[1]] == [True] * 6
    assert cells[2] == ["own", "15.0", "10.0", "at most 0.60 of other", "0.500 ±0.000", "ok"]
    assert cells[3] == ["", "", "", "at most +1 ms over pip", "+13.0 ±5.3 ms", "MISSED"]
    assert cells[5] == ["alone", "2.0", "1.0", "", "", ""]


def test_the_last_line_counts_the_goals(capsys):
    times = {"own": [10.0], "other": [20.0]}
    goals = [Goal("own", "other", "ratio", 0.6), Goal("own", "other", "ratio", 0.4)]
    telling.show({"CPU": "2 cores"}, [result(times, goals)], ["uv is not installed"])
    out = capsys.readouterr().out
    assert out.startswith("CPU 2 cores\n")
    assert "\nNote: uv is not installed.\n" in out
    assert out.endswith("1 of 2 goals reached.\n")


def test_json_holds_every_run():
    series = Series("by depth", "level", {1: "own", 2: "other"})
    times = {"own": [10.0, 11.0], "other": [20.0, 21.0]}
    data = telling.as_data(
        {"CPU": "x"}, [result(times, [Goal("own", "other", "ratio", 0.6)], [series])], ["a note"]
    )
    read = json.loads(json.dumps(data))
    assert read["groups"][0]["cases"] == times
    assert read["groups"][0]["goals"][0]["ok"] is True
    assert read["groups"][0]["lines"][0]["series"] == "by depth"
    assert (read["machine"], read["notes"]) == ({"CPU": "x"}, ["a note"])


def test_the_page_gets_the_goals_in_the_place_of_its_first_table(tmp_path):
    page = tmp_path / "speed.md"
    page.write_text("# Speed\n\n| a | b |\n|---|---|\n| old | 1 |\n\nMore.\n\n| another |\n")
    times = {"own": [10.0], "pip": [20.0]}
    rows = telling.summary([result(times, [Goal("own", "pip", "ratio", 0.4)])], ", as root")
    telling.write_page(str(page), rows)
    assert page.read_text() == (
        "# Speed\n\n|  | goal | reached |\n|---|---|---|\n| own, as root | at most 0.40 of pip | **0.500 +-?** |\n"
        "\nMore.\n\n| another |\n"
    )


def test_numbers_with_dots_are_versions(tmp_path):
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\necho 'Tool (version 2.5.1) from /a/b 3.x'\n")
    program.chmod(0o755)
    assert telling.version_told(str(program), {"PATH": "/bin:/usr/bin"}) == "2.5.1"


# --- the chart


def test_the_chart_shows_creation_once_each_and_doing_nothing():
    what = f"{worlds.NAMED} requirements, 100 distributions"
    results = [
        result({cases.COLD: [600.0], "uv venv": [30.0]}, title="Creation, and one small wheel"),
        result({cases.COLD: [900.0], "pdm add": [2000.0]}, title="Creation, by managers of projects"),
        result({f"{what}: pip": [500.0], f"{what}: safepip": [20.0], "else: pip": [1.0]}, title="Doing nothing"),
    ]
    (_, creations), (_, idle) = chart.charts(results)
    assert creations == [Bar("uv venv", 30.0, False), Bar(cases.COLD, 600.0, True), Bar("pdm add", 2000.0, False)]
    assert idle == [Bar("safepip", 20.0, True), Bar("pip", 500.0, False)]


def test_the_chart_is_well_formed_and_to_scale():
    drawn = chart.svg([("a < b & c", [Bar("one", 50.0, True), Bar("two", 100.0, False)])], 'on "this"')
    root = ET.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    boxes = [(box.get("class"), float(box.get("width"))) for box in root.iter(f"{space}rect")]
    assert boxes == [("own", 200.0), ("other", 400.0)]
    texts = [text.text for text in root.iter(f"{space}text")]
    assert texts == ["a < b & c", "one", "50.0", "two", "100", 'on "this"']
    assert all(float(text.get("y")) < float(root.get("height")) for text in root.iter(f"{space}text"))


def test_the_chart_begins_with_safepip_against_pip_itself():
    goals = [
        Goal("list of 60, safepip", "list of 60, pip", "ratio", 0.85),
        Goal(cases.COLD, cases.READY, "ratio", 1.0),
        Goal(cases.COLD, "python -m venv and pip", "ratio", 0.2),
        Goal("x, safepip", "x, pip", "extra", 15),
    ]
    measured = Result("Passing", 3, {}, [Verdict(goal, 0.8, None, True) for goal in goals], [])
    ((title, shown),) = chart.charts([measured])
    assert title.endswith("in % of pip itself")
    assert shown == [
        Bar("list of 60", 80.0, True),
        Bar("install, in a fresh directory", 80.0, True),
        Bar("pip itself", 100.0, False),
    ]
    assert 'class="pip"' in chart.svg([(title, shown)], "")


def test_nothing_measured_is_nothing_drawn():
    assert chart.charts([]) == []
    ET.fromstring(chart.svg([], "nothing"))


def test_a_bar_of_nothing_is_still_seen():
    assert 'width="1.0"' in chart.draw(Bar("none", 0.0, False), 10, 0.0)[1]
