"""Recorded levels by step, with what is no number told apart: no such step, an exact zero, an overflow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.study.matching import canonical, matches
from harness.study.pooling import of_settings
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd

    from harness.schema import Values

SHORTEST = "shortest_length"  # the setting of a task whose sequences have lengths of their own


def missing(entries: Values, shortest: float) -> int:
    """How many first steps no sequence of the batch has: a sequence ends at step T, its first step may be a later one.

    NaN stands for such a step, and for what an overflow leaves. A gradient that overflows on its way back does so at
    all steps before; so NaN at a step that every sequence has is an overflow, and so is NaN before it.

    Args:
        entries: log10 of a norm at t = 1 … T.
        shortest: the least length of a sequence; NaN where all have T steps.
    """
    import numpy as np

    known = np.flatnonzero(~np.isnan(entries))
    first = int(known[0]) if known.size else len(entries)
    return first if first <= len(entries) - shortest else 0


def shortest_of(row: pd.Series[Any]) -> float:
    """The least length of a run's sequences; NaN where all have T steps."""
    return _number(row.get(SHORTEST))


def levels(gradients: pd.DataFrame, column: str) -> list[Values]:
    """The lists of a column of the table of gradients: NaN where there is no such step, +∞ for an overflow."""
    import numpy as np

    from harness.statistics.frames import overflow

    unknown = [None] * len(gradients)
    shortest = gradients[SHORTEST] if SHORTEST in gradients.columns else unknown
    lists = []
    for entries, least in zip(gradients[column], shortest, strict=True):
        values = np.asarray(entries, dtype=np.float64)
        there = overflow(values)
        there[: missing(values, _number(least))] = np.nan
        lists.append(there)
    return lists


def by_lag(lists: Sequence[Values], T: int = 0) -> Values:
    """Lists over t as rows of a matrix (rows, longest T, or T) whose column is the lag T − t; NaN beyond each list."""
    import numpy as np

    matrix = np.full((len(lists), max(T, *map(len, lists), 0)), np.nan)
    for row, entries in zip(matrix, lists, strict=True):
        row[: len(entries)] = entries[::-1]
    return matrix


def about_lengths(study: StudySpec, where: Mapping[str, Any], sentence: str) -> str:
    """A caption's sentence about steps that no sequence has; empty where all sequences that are shown have one length.

    Args:
        where: the figure's condition.
    """
    rows = [row for point in study.points if matches(row := point.columns(), of_settings(where))]
    return f" {sentence}" if any(canonical(row.get(SHORTEST)) is not None for row in rows) else ""


def _number(value: object) -> float:
    known = canonical(value)
    return math.nan if known is None else float(known)
