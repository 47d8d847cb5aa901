"""Measurements survive the file, are judged by the goals, and are all on the page."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as command
from benchmarks import figure, measurement, page, sections, tables
from benchmarks.goals import GOALS, Goal, percent, times
from benchmarks.growth import single
from benchmarks.measurement import Measurement, Section
from benchmarks.parts import PARTS
from benchmarks.reasons import REASONS
from benchmarks.sizes import BUILT_IN, CELLS, CENTRE, FACTORS, around, moved
from benchmarks.step import COMPILE_TIME


@pytest.fixture
def results() -> dict[str, Section]:
    """A synthetic run in which the harness is 9, 6 and 5 times faster, and all goals but a few are there."""
    rows = []
    speeds = {"loop": 9.0, "module": 6.0, "batched": 5.5, "batched, silent": 4.5, "jax": 5.0}
    for cell in CELLS:
        centre = replace(CENTRE, cell=cell)
        for sizes in around(centre):
            speed = {**speeds, "limit, best rate": round(0.3 + sizes.H / 1000, 3)}
            rows += [
                Measurement.at(sizes, name, "", (value, round(value + 1, 3), round(value - 1, 3)))
                for name, value in speed.items()
            ]
            rows.append(Measurement.at(sizes, "harness, time", "ms", (1.5, 1.25, 1.75)))
            rows.append(Measurement.at(sizes, "loop, time", "ms", (0.1,)))
        rows.append(Measurement.at(centre, "recording", "", (0.04, 0.06, 0.05001)))
        rows.append(Measurement.at(centre, "compiled", "", (4.25,)))
        rows.append(Measurement.at(centre, COMPILE_TIME, "s", (9.0, 7.0)))
    every = [replace(CENTRE, cell=cell) for cell in BUILT_IN]
    cells = [Measurement.at(sizes, "loop", "", (12.5 if sizes.cell == "janet" else 20.0,)) for sizes in every]
    growth = [Measurement.at(single(cell, 20_000), "peak memory of a whole run", "MB", (750.0,)) for cell in BUILT_IN]
    growth += [Measurement.at(single(cell, 20_000), "beyond the imports", "MB", (250.0,)) for cell in BUILT_IN]
    growth += [Measurement.at(single("rnn", 20_000), "peak memory", "MB", (650.0,))]
    shares = [Measurement.at(replace(CENTRE, cell=cell), part, "", (0.1,)) for cell in CELLS for part in PARTS]
    fixed = [Measurement("x", "s", (0.05, 0.06)), Measurement("x / y", "", (2.0, 3.0))]
    two = [
        Measurement.at(replace(CENTRE, cell=cell), name, unit, (1.05, 1.0, 1.2))
        for cell in CELLS
        for name, unit in [("module, two layers", ""), ("stack against its layers", ""), ("harness, time", "ms")]
    ]
    rows_of = {
        "step": rows,
        "depth": two,
        "cells": cells,
        "parts": shares,
        "growth": growth,
        "fixed": fixed,
        "sweeps": [Measurement("two jobs against one", "", (1.9,))],
    }
    return {name: Section("A machine", "a=1", "2026-01-01", ("A note.",), tuple(r)) for name, r in rows_of.items()}


def by_key(key: str) -> Goal:
    return next(goal for goal in GOALS if goal.key == key)


def test_a_written_file_is_read_back(results, tmp_path) -> None:
    measurement.write(results, tmp_path / "results.json")
    assert measurement.read(tmp_path / "results.json") == results
    assert measurement.read(tmp_path / "none.json") == {}


def test_a_goal_is_judged_at_the_centre_by_the_median(results) -> None:
    row = by_key("batched rnn").find(results)
    assert (row.sizes, row.unit, row.median, row.low, row.high) == (CENTRE, "", 5.5, 4.5, 6.5)
    assert by_key("batched rnn").verdict(row) == "reached"
    assert by_key("recording gru").verdict(by_key("recording gru").find(results)) == "missed"
    assert by_key("linear rnn").verdict(by_key("linear rnn").find(results)) == "not measured"


def test_of_several_widths_the_worst_is_judged(results) -> None:
    goal = by_key("best wide lstm")
    row = goal.find(results)
    assert row.sizes == moved(replace(CENTRE, cell="lstm"), "H", 128)
    assert (goal.verdict(row), goal.place(row)) == ("missed", " at H = 128")
    assert by_key("best lstm").find(results).sizes == replace(CENTRE, cell="lstm")
    assert by_key("module lstm widths").find(results).cell == "lstm"


def test_of_several_cells_the_worst_is_judged(results) -> None:
    goal = by_key("other loops")
    row = goal.find(results)
    assert (row.cell, goal.verdict(row), goal.place(row)) == ("janet", "missed", " for janet")
    assert set(by_key("long run").cells) == set(BUILT_IN)


@pytest.mark.parametrize(("bound", "at_least", "shown", "text"), [
    (8, True, times, "≥ 8×"), (1.7, True, times, "≥ 1.7×"), (0.05, False, percent, "≤ 5 %"), (None, True, times, "–"),
])  # fmt: skip
def test_a_bound_is_written_without_trailing_zeros(bound, at_least, shown, text) -> None:
    assert Goal("k", "w", "s", "q", bound, at_least, shown).text == text


def test_a_missed_goal_is_listed_with_its_reason(results) -> None:
    table = tables.goals(results, {"recording gru": "it rained"})
    verdicts = {row[0]: row[-1] for row in table.rows}
    assert verdicts["what recording every update costs: gru"] == "missed: it rained"
    assert verdicts["what recording every update costs: rnn"] == f"missed: {tables.NO_REASON}"
    assert verdicts["all replicas by bmm in torch, recording: rnn"] == "reached"
    assert verdicts["torch.nn cell loop with retain_grad: rnn"] == ""


def test_a_table_is_markdown_and_columns() -> None:
    table = tables.Table(("a", "b"), (("long one", "1"), ("c", "22")))
    assert table.markdown().splitlines() == ["| a | b |", "|---|---:|", "| long one | 1 |", "| c | 22 |"]
    assert table.screen().splitlines() == ["a         b", "long one  1", "c         22"]


def test_a_time_never_stands_without_a_ratio(results) -> None:
    assert tables.fixed(results).rows == (("x", "55 ms (50 ms–60 ms)", "y", "2.5× (2×–3×)"),)
    lonely = replace(results["fixed"], rows=results["fixed"].rows[:1])
    assert tables.fixed({"fixed": lonely}).rows == ()


def test_the_page_shows_every_point_and_every_note(results, tmp_path) -> None:
    paths = page.write(results, tmp_path)
    assert [path.name for path in paths] == ["performance.md", "performance.svg"]
    text = paths[0].read_text()
    ratios = "| 9× (8×–10×) | 6× (5×–7×) | 5.5× (4.5×–6.5×) | 4.5× (3.5×–5.5×) | 5× (4×–6×) |"
    assert text.count(ratios) == 3 * sum(map(len, FACTORS.values()))
    assert "Measured on A machine, 2026-01-01 (a=1)." in text
    assert "A note." in text
    assert ElementTree.parse(paths[1]).getroot().tag.endswith("svg")


def test_cells_and_their_memory_have_tables_of_their_own(results) -> None:
    assert [row[:2] for row in tables.cells(results).rows[:2]] == [("rnn", "20×"), ("lstm", "20×")]
    assert tables.depth(results).rows[0][:3] == ("rnn", "1.05× (1×–1.2×)", "1.05× (1×–1.2×)")
    assert tables.memory(results).rows[0] == ("rnn", "750 MB", "250 MB")
    assert [row[0] for row in tables.growth(results).rows] == ["peak memory"]
    assert [row[1] for row in tables.compiled(results).rows] == ["4.25×", tables.NOTHING, "8.00 s (7.00 s–9.00 s)"]


def test_machines_are_distinguished(results) -> None:
    other = {**results, "parts": replace(results["parts"], machine="Another")}
    assert page.machines(other)[1] == "Another, 2026-01-01 (a=1). Sections: parts."


def test_without_measurements_no_goal_is_judged() -> None:
    assert {row[2:] for row in tables.goals({}, {}).rows} == {(tables.NOTHING, "not measured")}
    assert page.text({}).count(" not measured ") == len(GOALS)


def test_the_figure_draws_the_medians(results) -> None:
    axes = figure.draw(results).axes
    assert len(axes) == len(figure.PEERS) * len(FACTORS)
    line = axes[0].get_lines()[0]
    assert list(line.get_xdata()) == [16, 50, 64, 128, 256]
    assert set(line.get_ydata()) == {5.5}
    assert figure.ticks((16, 50, 64, 2000)) == ["16", "50", "", "2,000"]


def test_no_median_lies_outside_the_figure(results) -> None:
    step = results["step"]
    rows = [
        Measurement.at(row.sizes, row.quantity, "", (60.0,))
        if row.sizes and row.sizes.T == 2000 and not row.unit
        else row
        for row in step.rows
    ]
    for ax in figure.draw({**results, "step": replace(step, rows=tuple(rows))}).axes:
        assert max(max(line.get_ydata(), default=0) for line in ax.get_lines()) <= ax.get_ylim()[1]


def test_goals_reasons_and_sections_have_the_same_names() -> None:
    keys = [goal.key for goal in GOALS]
    assert len(set(keys)) == len(keys)
    assert set(REASONS) <= set(keys)
    assert tuple(sections.SECTIONS) == command.NAMES
    assert {goal.section for goal in GOALS} <= set(command.NAMES)
    assert set(sections.QUICKLY) <= set(command.NAMES)
