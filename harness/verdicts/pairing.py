"""Pairs of runs of two tables: the same settings and the same seed in both."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.errors import HarnessError
from harness.schema import MACHINE
from harness.statistics.frames import with_lengths
from harness.store import baseline
from harness.store.columns import RUNS
from harness.study import labels
from harness.study.at_length import is_at_length
from harness.study.matching import Value, canonical
from harness.verdicts.metrics import finished

Key = tuple[Value, ...]
MEASUREMENTS = frozenset(column.name for column in RUNS.columns)
COMPARED = tuple(column.name for column in RUNS.columns if column.name not in {"run_id", "seconds", *MACHINE})


@dataclass(frozen=True)
class Pairs:
    """Runs with a result in both tables, row by row, and the runs without a partner.

    Attributes:
        first, second: the paired runs; row i of one is the partner of row i of the other.
        columns: the settings that both tables have; `points` are each pair's values of them.
        lost: runs that have a result in the first table and none in the second; `failed` of these failed there.
        gained: runs that have a result in the second table alone.
        identical: how many pairs have the same measurements, bit for bit, in every column that both tables have.
        differing: the columns in which the other pairs differ.
        notes: sentences about settings that only one table has, and about different machines.
    """

    first: pd.DataFrame
    second: pd.DataFrame
    columns: tuple[str, ...]
    points: tuple[Key, ...]
    lost: tuple[str, ...]
    failed: int
    gained: tuple[str, ...]
    identical: int
    differing: tuple[str, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.first)


def comparable_runs(folder: Path) -> pd.DataFrame:
    """The runs of a results folder or of a baseline, with their accuracies at other lengths as columns.

    Raises:
        ResultsError: there are none, or they cannot be read.
    """
    runs, evaluations = baseline.read(folder).to_pandas(), baseline.read_evaluations(folder)
    return runs if evaluations is None else with_lengths(runs, evaluations.to_pandas())


def pair(first: pd.DataFrame, second: pd.DataFrame) -> Pairs:
    """Pair the runs of two tables by all their settings and their seed.

    A setting that one table has no column for (it was written by an older harness) is left out, with a note.

    Raises:
        HarnessError: no two runs are a pair (the text names the settings that differ), or a run has several partners.
    """
    first, second = first.reset_index(drop=True), second.reset_index(drop=True)
    columns = tuple(name for name in _settings(first) if name in _settings(second))
    rows = _rows("A", first, columns), _rows("B", second, columns)
    # A failed run has no result and cannot be a partner, but it is counted apart from one that is missing.
    finished_rows = set(finished(first).index), set(finished(second).index)
    done = [
        {key for key, row in table.items() if row in with_result}
        for table, with_result in zip(rows, finished_rows, strict=True)
    ]
    both = [key for key in rows[0] if key in done[0] & done[1]]
    if not both:
        raise HarnessError(_nothing_in_common(columns, *done))
    a, b = first.loc[[rows[0][key] for key in both]], second.loc[[rows[1][key] for key in both]]
    a, b = a.reset_index(drop=True), b.reset_index(drop=True)
    lost = [key for key in rows[0] if key in done[0] - done[1]]
    gained = [key for key in rows[1] if key in done[1] - done[0]]
    names, axes, same = (*columns, "seed"), _axes({*rows[0], *rows[1]}), _same(a, b)
    return Pairs(
        a, b, columns, tuple(key[:-1] for key in both),
        tuple(label({names[i]: key[i] for i in axes}) for key in lost),
        sum(key in rows[1] for key in lost),
        tuple(label({names[i]: key[i] for i in axes}) for key in gained),
        int(np.logical_and.reduce([*same.values(), np.ones(len(a), dtype=bool)]).sum()),
        tuple(name for name, equal in same.items() if not equal.all()),
        (*_unknown("A", "B", first, second), *_unknown("B", "A", second, first), *_machines(a, b)),
    )  # fmt: skip


def grid_cells(pairs: Pairs) -> list[tuple[str, list[int]]]:
    """The cells of the grid: a label of the settings in which a cell differs, and the rows of its pairs."""
    rows_of: dict[Key, list[int]] = {}
    for row, point in enumerate(pairs.points):
        rows_of.setdefault(point, []).append(row)
    axes = _axes(rows_of)
    return [(label({pairs.columns[i]: point[i] for i in axes}) or "all runs", rows) for point, rows in rows_of.items()]


def label(point: Mapping[str, Value]) -> str:
    """Some settings in words: 'cell=lstm, bptt_window=full'; a null that means no more than "none" is left out."""
    return labels.condition({name: value for name, value in point.items() if value is not None or labels.null(name)})


def _settings(runs: pd.DataFrame) -> list[str]:
    names = [str(name) for name in runs.columns if name not in MEASUREMENTS and name != "seed"]
    return [name for name in names if not is_at_length(name)]


def _rows(name: str, runs: pd.DataFrame, columns: Sequence[str]) -> dict[Key, int]:
    """The row of each run by its settings, the seed last."""
    rows: dict[Key, int] = {}
    for row, values in enumerate(runs[[*columns, "seed"]].itertuples(index=False, name=None)):
        key = tuple(canonical(value) for value in values)
        if key in rows:
            alone = [each for each in _settings(runs) if each not in columns and runs[each].nunique(dropna=False) > 1]
            raise HarnessError(
                f"{name} has two runs of seed {labels.value('seed', key[-1])} that differ in no setting which both "
                f"tables have; {name} alone has {', '.join(alone) or 'nothing that tells them apart'}"
            )
        rows[key] = row
    return rows


def _axes(points: Collection[Key]) -> list[int]:
    """Positions in which the points differ, without those that follow from the others."""
    axes = [i for i, values in enumerate(zip(*points, strict=True)) if len(set(values)) > 1]
    for i in reversed(axes):
        others = [j for j in axes if j != i]
        if len({tuple(point[j] for j in others) for point in points}) == len(points):
            axes = others
    return axes


def _nothing_in_common(columns: Sequence[str], first: set[Key], second: set[Key]) -> str:
    """Why no run of one table has a partner in the other."""
    for name, done in (("A", first), ("B", second)):
        if not done:
            return f"{name} has no finished run"
    apart = []
    for i, name in enumerate((*columns, "seed")):
        a, b = {key[i] for key in first}, {key[i] for key in second}
        if not a & b:
            apart.append(f"{name} is {_some(name, a)} in A and {_some(name, b)} in B")
    return f"no run of B has the settings and the seed of a run of A: {'; '.join(apart) or 'each differs in another'}"


def _some(name: str, values: set[Value]) -> str:
    words = [labels.value(name, value) for value in labels.levels(name, values)]
    return ", ".join(words[:6]) + (", …" if len(words) > 6 else "")


def _same(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Rows in which a measurement is the same, bit for bit, for each measurement that both tables have."""
    names = [*COMPARED, *filter(is_at_length, map(str, a.columns))]
    return {
        name: ((a[name] == b[name]) | (a[name].isna() & b[name].isna())).to_numpy(dtype=bool)
        for name in names
        if name in a.columns and name in b.columns
    }


def _unknown(name: str, other: str, runs: pd.DataFrame, others: pd.DataFrame) -> Iterator[str]:
    new = [column for column in _settings(runs) if column not in others.columns and runs[column].notna().any()]
    if new:
        shown = [f"{column} ({_some(column, {canonical(value) for value in runs[column].unique()})})" for column in new]
        yield f"settings that {name} has and {other} does not have are left out of the pairing: {', '.join(shown)}."


def _machines(a: pd.DataFrame, b: pd.DataFrame) -> Iterator[str]:
    """A sentence for each property of the machine in which the two differ."""
    for name in MACHINE:
        x, y = (set(side[name].dropna()) if name in side.columns else set() for side in (a, b))
        if name == "versions":  # "name=version name=version …": only those that differ are shown
            x, y = ({word for versions in side for word in str(versions).split()} for side in (x, y))
            x, y = x - y, y - x
        if x != y:
            in_a, in_b = (", ".join(sorted(map(str, side))) or "unknown" for side in (x, y))
            yield f"{name}: {in_a} in A, {in_b} in B."
