"""The grid as a table: a row a point, how its runs ended and what they measure, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.schema import OUTCOMES
from harness.study import labels
from harness.study.matching import canonical
from harness.study.spec import StudySpec
from harness.verdicts.expectations import interval_text
from harness.verdicts.metrics import FINAL_ACCURACY, SOLVED_AT, SUCCESS_RATE, Metric, finished

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
    """One point of the grid: its values on the axes, how its runs ended, and what they measure."""

    point: tuple[TableCell, ...]
    counts: Mapping[str, int]
    cells: tuple[TableCell, ...]


def grid_rows(study: StudySpec, runs: pd.DataFrame, most: int | None = None) -> list[GridRow]:
    """A row for each of the first `most` points of the grid, in the study's order, also for those without runs."""
    axes = study.axes()
    ranks = {axis: _ranks(study, axis) for axis in axes}
    rows = []
    for point, mine in zip(study.points[:most], points(study, runs, most), strict=True):
        held = point.columns()
        counts = {outcome: int((mine["outcome"] == outcome).sum()) for outcome in OUTCOMES}
        counts["missing"] = len(study.seeds) - len(mine)
        place = tuple(
            TableCell(labels.value(axis, held.get(axis)), str(ranks[axis][canonical(held.get(axis))])) for axis in axes
        )
        rows.append(GridRow(place, counts, tuple(_cell(metric, finished(mine)) for metric in MEASURES)))
    return rows


def points(study: StudySpec, runs: pd.DataFrame, most: int | None = None) -> list[pd.DataFrame]:
    """The rows of each of the first `most` points of the grid, in the study's order."""
    there = [axis for axis in study.axes() if axis in runs.columns]
    columns = [[canonical(held) for held in runs[axis]] for axis in there]
    members: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(runs)):
        members.setdefault(tuple(column[i] for column in columns), []).append(i)
    held = [point.columns() for point in study.points[:most]]
    return [runs.iloc[members.get(tuple(canonical(row.get(axis)) for axis in there), [])] for row in held]


def choices(study: StudySpec) -> list[tuple[str, list[str]]]:
    """Each axis with its values, as they are written for people: what the table can be filtered by."""
    rows = [point.columns() for point in study.points]
    return [
        (
            labels.axis(axis),
            list(dict.fromkeys(labels.value(axis, held) for held in labels.levels(axis, _values(rows, axis)))),
        )
        for axis in study.axes()
    ]


def _ranks(study: StudySpec, axis: str) -> Mapping[object, int]:
    values = labels.levels(axis, _values([point.columns() for point in study.points], axis))
    return {canonical(held): rank for rank, held in enumerate(values)}


def _values(rows: list[dict[str, Any]], axis: str) -> list[Any]:
    return [row.get(axis) for row in rows]


def _cell(metric: Metric, runs: pd.DataFrame) -> TableCell:
    if runs.empty:
        return TableCell("–", "")
    group = metric.measure(runs, np.random.default_rng(0))
    interval, value = interval_text(metric, group), group.value
    order = "" if math.isnan(value) else "Infinity" if value == math.inf else str(value)
    return TableCell(metric.text(value) if interval == "–" else f"{metric.text(value)} {interval}", order)
