"""The tables of one results folder as pandas frames, with every setting beside every measurement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from harness.errors import HarnessError, nearest
from harness.schema import EVALUATIONS, EXTRA, PROFILES, STEP_COLUMNS, Values
from harness.store.columns import RUNS, TABLES, TUNING
from harness.study.at_length import QUANTITIES, at_length
from harness.study.matching import canonical, choices


@dataclass(frozen=True)
class Frames:
    """What a study measured: `runs` (a row a run), `curves` (an evaluation), `gradients` (a recorded update).

    `extra` has the tables that a study must ask for: states, codes, examples, weights, profiles, evaluations. All but
    `runs` carry the columns of their run too, settings and results alike. `tuning` has the runs by which settings were
    chosen, a row a run, as `runs_at_lengths` has those that are judged; empty without tuning.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    gradients: pd.DataFrame
    extra: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    tuning: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def from_tables(cls, tables: Mapping[str, pa.Table], run_ids: Collection[str] | None = None) -> Frames:
        """Frames of the tables 'runs', 'curves' and 'gradients'; a missing table becomes an empty frame.

        Args:
            tables: arrow tables by name, as the store writes them.
            run_ids: only these runs: a folder also has the runs of earlier versions of its study.
        """
        frames = {name: _frame(tables, name) for name in ("runs", "curves", "gradients")}
        runs, gradients = frames["runs"], frames["gradients"]
        # what was written before networks had several layers
        gradients["layer"] = gradients["layer"].fillna(1).astype(np.int64)
        gradients["direction"] = gradients["direction"].fillna("forward")
        if run_ids is not None:
            runs = runs[runs["run_id"].isin(list(run_ids))].reset_index(drop=True)
        extra = {table.name: _joined(_frame(tables, table.name), runs) for table in EXTRA if table.name in tables}
        tuning = pandas_frame(tables[TUNING]) if TUNING in tables else pd.DataFrame()
        return cls(runs, _joined(frames["curves"], runs), _joined(frames["gradients"], runs), extra, tuning)

    def table(self, name: str) -> pd.DataFrame:
        """A table that only some studies ask for.

        Raises:
            HarnessError: this study did not.
        """
        if name in ("runs", "curves", "gradients"):
            raise HarnessError(f"every study has {name}: it is an attribute, .{name}; .table is for what some ask for")
        if name not in self.extra or self.extra[name].empty:
            others = {PROFILES.name: "record.probes", EVALUATIONS.name: "evaluation.lengths"}
            setting = others.get(name, f"record.{name}")
            raise HarnessError(f"no table of {name} was recorded; the study asks for it with {setting}")
        return self.extra[name]

    @property
    def runs_at_lengths(self) -> pd.DataFrame:
        """`runs` with accuracy, loss and chance at each length that some run was judged at, a column each.

        A run that was not judged at a length is null there. Metrics are measured on this frame.
        """
        if EVALUATIONS.name not in self.extra:
            return self.runs
        return with_lengths(self.runs, self.extra[EVALUATIONS.name])

    @property
    def settings(self) -> tuple[str, ...]:
        """The columns of `runs` that are settings, not measurements."""
        measured = {column.name for column in RUNS.columns}
        return tuple(name for name in self.runs.columns if name not in measured)

    def select(self, where: Mapping[str, Any]) -> Frames:
        """The frames of the runs that match `where`; see the function `select`."""
        runs = select(self.runs, where)
        run_ids = set(runs["run_id"])
        extra = {name: _of_runs(frame, run_ids) for name, frame in self.extra.items()}
        tuning = self.tuning if self.tuning.empty else select(self.tuning, where)
        return Frames(runs, _of_runs(self.curves, run_ids), _of_runs(self.gradients, run_ids), extra, tuning)


def with_lengths(runs: pd.DataFrame, evaluations: pd.DataFrame) -> pd.DataFrame:
    """Runs with accuracy, loss and chance at each length as columns, named by `at_length`.

    Args:
        runs: rows of the table of runs.
        evaluations: rows of the table of evaluations, of these and perhaps other runs.
    """
    wide = evaluations.pivot(index="run_id", columns="length", values=list(QUANTITIES))
    wide.columns = pd.Index([at_length(each[0], int(each[1])) for each in wide.columns.to_list()])
    return runs.merge(wide, left_on="run_id", right_index=True, how="left", validate="many_to_one")


def select(frame: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """The rows whose columns have the given values.

    Null matches null, a list means any of its values, and a text column that holds '1.0' matches the number 1.0.

    Raises:
        HarnessError: the frame has no such column; the text names the nearest one.
    """
    mask = np.ones(len(frame), dtype=bool)
    for name, target in where.items():
        if name not in frame.columns:
            raise HarnessError(f"no column '{name}'{nearest(name, map(str, frame.columns))}")
        mask &= _mask(frame[name], target)
    return frame[mask]


def long(gradients: pd.DataFrame, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per time step: the list columns of `gradients` opened, float64, with `t` and `lag`.

    Args:
        gradients: rows of `Frames.gradients`.
        columns: which of the other columns to repeat on every row; default: all of them.

    Returns:
        those columns, then t (1 … T), lag = T − t, log10_adjoint, log10_immediate, log10_adjoint_cell and their
        geometric means and quartiles over the batch; −inf is a true zero, NaN means not measured (∂L/∂c_t of a cell
        without a cell state).
    """
    others = [name for name in gradients.columns if name not in STEP_COLUMNS] if columns is None else list(columns)
    lengths = np.array([_length(entries) for entries in gradients["log10_adjoint"]], dtype=np.int64)
    repeated = gradients[others].loc[gradients.index.repeat(lengths)].reset_index(drop=True)
    t = np.concatenate([np.arange(1, T + 1) for T in lengths]) if len(lengths) else np.empty(0, np.int64)
    measured = {"t": t, "lag": np.repeat(lengths, lengths) - t}
    for name in STEP_COLUMNS:
        parts = [_values(entries, T) for entries, T in zip(gradients[name], lengths, strict=True)]
        measured[name] = np.concatenate(parts) if parts else np.empty(0)
    return pd.concat([repeated, pd.DataFrame(measured)], axis=1)


def by_lag(lists: Sequence[object]) -> Values:
    """Lists over t as rows of a matrix (rows, longest T) whose column is the lag T − t; NaN beyond a list's own T.

    A NaN within a list is the norm of a gradient that is not finite: +∞.
    """
    longest = max((_length(entries) for entries in lists), default=0)
    matrix = np.full((len(lists), longest), np.nan)
    for row, entries in zip(matrix, lists, strict=True):
        T = _length(entries)
        row[:T] = overflow(_values(entries, T))[::-1]
    return matrix


def overflow(log10_norms: Values) -> Values:
    """Recorded norms with +∞ for NaN: what an overflow leaves, inf or inf − inf, is not a value that is missing."""
    return np.where(np.isnan(log10_norms), np.inf, log10_norms)


def exact(values: Sequence[Any]) -> pd.Series[Any]:
    """The values as a column that leaves them as they are: pandas makes floats of whole numbers beside a null.

    Floats have every whole number up to 2⁵³ only; 2⁵³ + 1 would be another setting.
    """
    kinds = {type(value) for value in values}
    return pd.Series(values, dtype=object if int in kinds and len(kinds) > 1 else None)


def _frame(tables: Mapping[str, pa.Table], name: str) -> pd.DataFrame:
    table = tables.get(name)
    return pandas_frame(TABLES[name].schema().empty_table() if table is None else table)


def pandas_frame(table: pa.Table) -> pd.DataFrame:
    """A table as a frame; whole numbers beyond 2⁵³ stay exact beside nulls."""
    frame: pd.DataFrame = table.to_pandas()
    for column in table.schema:
        if (
            pa.types.is_integer(column.type)
            and table[column.name].null_count
            and (frame[column.name].abs() >= 2**53).any()
        ):
            frame[column.name] = exact(table[column.name].to_pylist())
    return frame


def _joined(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    new = [name for name in runs.columns if name == "run_id" or name not in frame.columns]
    return frame.merge(runs[new], on="run_id", how="inner", validate="many_to_one")


def _of_runs(frame: pd.DataFrame, run_ids: Collection[str]) -> pd.DataFrame:
    return frame[frame["run_id"].isin(list(run_ids))]


def _mask(column: pd.Series[Any], target: object) -> npt.NDArray[np.bool_]:
    targets = {canonical(choice) for choice in choices(target)}
    # A column has few distinct values: comparing those is much cheaper than bringing every row to its canonical form.
    matching = [value for value in column.dropna().unique() if canonical(value) in targets]
    mask = column.isin(matching).to_numpy(dtype=bool)
    return mask | column.isna().to_numpy(dtype=bool) if None in targets else mask


def _length(entries: object) -> int:
    # pandas writes a missing list as None, or as NaN
    return 0 if entries is None or isinstance(entries, float) else len(entries)  # type: ignore[arg-type]


def _values(entries: object, T: int) -> Values:
    if _length(entries) == 0:
        return np.full(T, np.nan)
    return np.asarray(entries, dtype=np.float64)
