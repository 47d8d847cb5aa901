"""Every column of every table: name, type, unit, meaning.

A study's settings are columns too; they are declared where the setting is (`study/spec.py`, a task's file, a cell's
file) and join `RUNS` here as `settings` columns, so that no setting is described twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SCHEMA_VERSION = 1  # raised when a table's columns change their meaning; a folder of another version is refused

# A solved run met its task's rule; an unsolved one used its budget up; a diverged one had a loss or gradient that was
# not finite (a result too); a failed one has no result.
OUTCOMES = ("solved", "unsolved", "diverged", "failed")

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Column:
    """One column: its name, arrow type, unit ("" for a pure number) and meaning."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str

    def field(self) -> pa.Field:
        return pa.field(self.name, self.type, metadata={"unit": self.unit, "meaning": self.meaning})


@dataclass(frozen=True)
class Table:
    """One table: a row is one `grain`."""

    name: str
    grain: str
    columns: tuple[Column, ...]

    def schema(self, settings: Sequence[Column] = ()) -> pa.Schema:
        """The arrow schema; `settings` go in after the first column (only the table of runs has them)."""
        first, *rest = self.columns
        meta = {"harness_schema": str(SCHEMA_VERSION), "grain": self.grain}
        return pa.schema([c.field() for c in (first, *settings, *rest)], metadata=meta)


PER_STEP = pa.list_(pa.float32())

RUN_ID = Column(
    "run_id", pa.string(), "", "hash of the settings that differ from their default, the seed and the numerics version"
)

RUNS = Table(
    "runs",
    "a run",
    (
        RUN_ID,
        Column(
            "outcome", pa.string(), "", "solved, unsolved, diverged (loss or gradient not finite) or failed (no result)"
        ),
        Column("updates", pa.int64(), "updates", "parameter updates made"),
        Column("solved_at", pa.int64(), "updates", "first evaluation that met the task's rule; null if none did"),
        Column(
            "final_accuracy", pa.float64(), "", "accuracy on a stream of its own after the last update, 2048 sequences"
        ),
        Column("final_loss", pa.float64(), "nats", "mean loss on the same sequences"),
        Column("chance", pa.float64(), "", "accuracy of guessing, by the task's own statement"),
        Column("parameters", pa.int64(), "", "trained numbers of the whole model"),
        Column("recurrent_parameters", pa.int64(), "", "trained numbers of the recurrent weights W alone"),
        Column("initial_spectral_radius", pa.float64(), "", "ρ(W) before training, largest over the gate blocks"),
        Column(
            "initial_sigma_max",
            pa.float64(),
            "",
            "largest singular value of W before training, largest over the gate blocks",
        ),
        Column(
            "initial_adjoint_slope",
            pa.float64(),
            "log10 per step",
            "(log10_adjoint at t = 1 less that at t = T) / (T − 1) before training; −inf where a window cuts it",
        ),
        Column("engine", pa.string(), "", "what computed the recurrence: numba (fused kernel) or torch"),
        Column("device", pa.string(), "", "torch device"),
        Column("cpu", pa.string(), "", "processor the run was computed on"),
        Column(
            "versions",
            pa.string(),
            "",
            "versions of numerics, python, and all that computes; OpenBLAS's kernels",
        ),
        Column("seconds", pa.float64(), "s", "the run's share of its pack's training time"),
    ),
)

CURVES = Table(
    "curves",
    "an evaluation of a run",
    (
        RUN_ID,
        Column("update", pa.int64(), "updates", "parameter updates made before this evaluation"),
        Column("sequences", pa.int64(), "", "training sequences seen so far"),
        Column("loss", pa.float64(), "nats", "mean loss on fresh evaluation sequences"),
        Column("accuracy", pa.float64(), "", "accuracy on the same sequences"),
        Column(
            "gradient_norm",
            pa.float64(),
            "",
            "‖∂L/∂θ‖₂ over all parameters, of the next training batch, before clipping",
        ),
        Column("clipped", pa.bool_(), "", "whether that gradient is longer than clip_norm"),
        Column("spectral_radius_now", pa.float64(), "", "ρ(W), largest over the gate blocks"),
        Column("sigma_max", pa.float64(), "", "largest singular value of W, largest over the gate blocks"),
    ),
)

GRADIENTS = Table(
    "gradients",
    "a recorded update of a run",
    (
        RUN_ID,
        Column("update", pa.int64(), "updates", "parameter updates made before the recorded batch"),
        Column(
            "log10_adjoint",
            PER_STEP,
            "log10",
            "entry t−1 is log10 mean_b ‖B·∂L/∂h_t‖₂: the total adjoint; −inf is a true zero",
        ),
        Column("log10_immediate", PER_STEP, "log10", "the same of the immediate gradient ∂⁺L/∂h_t, h_{t+1} held fixed"),
        Column("log10_adjoint_cell", PER_STEP, "log10", "the same of ∂L/∂c_t; null for cells without a cell state"),
    ),
)

TABLES: Mapping[str, Table] = {t.name: t for t in (RUNS, CURVES, GRADIENTS)}


@dataclass(frozen=True)
class Record:
    """All that one run leaves behind: its row of `runs` (without the settings) and its rows of the other tables."""

    run_id: str
    run: Mapping[str, object]
    rows: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
