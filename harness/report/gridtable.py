"""The grid as a table: a row a point, with the outcomes of its runs and their metrics with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.schema import OUTCOMES
from harness.study import labels
from harness.study.matching import canonical
from harness.study.spec import StudySpec
from harness.verdicts.metrics import FINAL_ACCURACY, SOLVED_AT, SUCCESS_RATE, Metric, finished, metric_named
from harness.verdicts.verdict import interval_text

if TYPE_CHECKING:
    import pandas as pd

MEASURES = (SUCCESS_RATE, SOLVED_AT, FINAL_ACCURACY)


@dataclass(frozen=True)
class TableCell:
    """One cell: its text, and the number by which its column is sorted ("" stands last)."""

    text: str
    order: str


@dataclass(frozen=True)
class GridRow:
    """One point of the grid: its values on the axes, runs by outcome, and its metrics."""

    point: tuple[TableCell, ...]
    counts: Mapping[str, int]
    cells: tuple[TableCell, ...]


def measures_named(text: str) -> tuple[Metric, ...]:
    """The metrics of a list of names with commas, as columns of the grid.

    Raises:
        HarnessError: a name is no metric.
    """
    return tuple(metric_named(name.strip()) for name in dict.fromkeys(text.split(",")))


def grid_rows(
    study: StudySpec, runs: pd.DataFrame, most: int | None = None, measures: Sequence[Metric] = MEASURES
) -> list[GridRow]:
    """A row for each of the first `most` points of the grid, in the study's order, also for those without runs."""
    axes = study.axes()
    ranks = {axis: _ranks(study, axis) for axis in axes}
    rows = []
    for point, own_runs in zip(study.points[:most], runs_by_point(study, runs, most), strict=True):
        settings = point.columns()
        counts = {outcome: int((own_runs["outcome"] == outcome).sum()) for outcome in OUTCOMES}
        counts["missing"] = len(study.seeds) - len(own_runs)
        values = [(axis, settings.get(axis)) for axis in axes]
        place = tuple(TableCell(_text(settings, axis), str(ranks[axis][canonical(v)])) for axis, v in values)
        rows.append(GridRow(place, counts, tuple(_cell(metric, finished(own_runs)) for metric in measures)))
    return rows


def runs_by_point(study: StudySpec, runs: pd.DataFrame, most: int | None = None) -> list[pd.DataFrame]:
    """The rows of each of the first `most` points of the grid, in the study's order."""
    axes = [axis for axis in study.axes() if axis in runs.columns]
    # Rows are collected by the values on the axes in one pass: a selection a point would compare all runs each time.
    columns = [[canonical(value) for value in runs[axis]] for axis in axes]
    members: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(runs)):
        members.setdefault(tuple(column[i] for column in columns), []).append(i)
    settings = [point.columns() for point in study.points[:most]]
    return [runs.iloc[members.get(tuple(canonical(row.get(axis)) for axis in axes), [])] for row in settings]


def axis_values(study: StudySpec) -> list[tuple[str, list[str]]]:
    """Each axis with its values, both as they are shown: what the table can be filtered by."""
    rows = [point.columns() for point in study.points]
    return [
        (labels.axis(axis), [text for text in texts if text in {_text(row, axis) for row in rows}])
        for axis in study.axes()
        for texts in [dict.fromkeys([*(labels.value(axis, v) for v in _levels(study, axis)), labels.NOT_APPLICABLE])]
    ]


def _text(settings: Mapping[str, Any], axis: str) -> str:
    """A point's value on an axis; a cell or a task without that setting has none, which is no null of the setting."""
    return labels.value(axis, settings[axis]) if axis in settings else labels.NOT_APPLICABLE


def _ranks(study: StudySpec, axis: str) -> Mapping[object, int]:
    return {canonical(value): rank for rank, value in enumerate(_levels(study, axis))}


def _levels(study: StudySpec, axis: str) -> list[Any]:
    return labels.levels(axis, (point.columns().get(axis) for point in study.points))


def _cell(metric: Metric, runs: pd.DataFrame) -> TableCell:
    if runs.empty:
        return TableCell("–", "")
    group = metric.of(runs, np.random.default_rng(0))
    interval, value = interval_text(metric, group), group.value
    order = "" if math.isnan(value) else "Infinity" if value == math.inf else str(value)
    return TableCell(metric.text(value) if interval == "–" else f"{metric.text(value)} {interval}", order)
