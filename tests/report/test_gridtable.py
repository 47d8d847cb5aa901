"""The table of the grid: a row a point, in the order of a paper, with runs counted by outcome."""

from __future__ import annotations

from synthetic_results import SyntheticResults

from harness.report.gridtable import GridRow, axis_values, grid_rows


def texts(row: GridRow) -> list[str]:
    return [cell.text for cell in row.point]


def test_every_point_of_the_grid_has_a_row(synthetic: SyntheticResults) -> None:
    rows = grid_rows(synthetic.study, synthetic.frames.runs)
    assert len(rows) == len(synthetic.study.points)
    assert all(sum(row.counts.values()) == 4 for row in rows)
    (chrono,) = [row for row in rows if "chrono" in texts(row)]
    assert "25" in texts(chrono)
    assert chrono.counts["solved"] + chrono.counts["unsolved"] == 4


def test_runs_that_are_not_done_are_counted_as_missing(synthetic: SyntheticResults) -> None:
    rows = grid_rows(synthetic.study, synthetic.frames.runs.iloc[:2])
    assert [row.counts["missing"] for row in rows[:2]] == [2, 4]
    assert [cell.text for cell in rows[1].cells] == ["–", "–", "–"]


def test_the_grid_is_sorted_by_numbers_and_reading_order(synthetic: SyntheticResults) -> None:
    rows = grid_rows(synthetic.study, synthetic.frames.runs)
    axis = list(synthetic.study.axes()).index("bptt_window")
    assert {cell.text: cell.order for cell in (row.point[axis] for row in rows)} == {"25": "0", "full": "1"}
    assert {row.cells[0].order for row in rows} <= {str(k / 4) for k in range(5)}
    assert "Infinity" in {row.cells[1].order for row in rows}  # never solved: beyond the budget
    assert dict(axis_values(synthetic.study))["cell"] == ["rnn", "lstm"]
