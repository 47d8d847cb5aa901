"""Every column of every table: name, type, unit, meaning.

A study's settings are columns too. They are declared where the setting is (`setting(…)` in a section's class) and join
the table of runs when it is written, so that no setting is described twice; `harness.store.columns` has that table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.schema.column import BATCH_STATISTICS, PER_STEP, RUN_ID, SCHEMA_VERSION, Column, MetricOptions, Table
from harness.schema.runs import RUN_COLUMNS

__all__ = [
    "BATCH_STATISTICS", "CODES", "CURVES", "EVALUATIONS", "EXAMPLES", "EXTRA", "GRADIENTS", "MACHINE", "OTHER_TABLES",
    "OUTCOMES", "PER_STEP", "PROFILES", "PROFILE_AXES", "RUN_COLUMNS", "RUN_ID", "SCHEMA_VERSION", "STATES",
    "STEP_COLUMNS", "WEIGHTS",
    "Array", "Column", "MetricOptions", "Profile", "Record", "Table", "Values", "shown_columns",
]  # fmt: skip

MACHINE = ("cpu", "versions", "engine", "device")  # columns of runs that say on what they ran, not what was asked

# A solved run met its task's rule; an unsolved one used its budget up; a diverged one had a loss or gradient that was
# not finite (a result too); a failed one has no result.
OUTCOMES = ("solved", "unsolved", "diverged", "failed")

Array = npt.NDArray[np.floating[Any]]
Values = npt.NDArray[np.float64]


CURVES = Table(
    "curves",
    "an evaluation of a run",
    (
        RUN_ID,
        Column(
            "update",
            pa.int64(),
            "updates",
            "parameter updates made before this evaluation",
            label="parameter updates",
            sequential=True,
        ),
        Column("sequences", pa.int64(), "", "training sequences seen so far"),
        Column(
            "loss",
            pa.float64(),
            "nats",
            "mean loss on fresh evaluation sequences; of numbers, squared error",
            label="loss (nats, or squared error)",
        ),
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
    "a layer and direction at a recorded update of a run",
    (
        RUN_ID,
        Column("update", pa.int64(), "updates", "parameter updates made before the recorded batch"),
        Column(
            "layer", pa.int64(), "", "ℓ, from the input up, from 1", label="layer ℓ", short="layer", sequential=True
        ),
        Column(
            "direction",
            pa.string(),
            "",
            "forward; or backward: in the order of its own steps, so that lag counts from the sequence's first step",
            order=("forward", "backward"),
        ),
        Column(
            "log10_adjoint",
            PER_STEP,
            "log10",
            "entry t−1 is log10 mean_b ‖B·∂L/∂h_t‖₂: the total adjoint; −inf is a true zero, "
            "NaN a step that no sequence has",
        ),
        Column("log10_immediate", PER_STEP, "log10", "the same of the immediate gradient ∂⁺L/∂h_t, h_{t+1} held fixed"),
        Column("log10_adjoint_cell", PER_STEP, "log10", "the same of ∂L/∂c_t; null for cells without a cell state"),
        *(
            Column(f"{column}_{statistic}", PER_STEP, "log10", f"{meaning} of log10 ‖B·∂L/∂{state}_t‖₂ over {those}")
            for column, state, those in (
                ("log10_adjoint", "h", "the sequences that have the step; null in records of before this column"),
                ("log10_adjoint_cell", "c", "the same; null where log10_adjoint_cell is"),
            )
            for statistic, meaning in zip(
                BATCH_STATISTICS, ("mean", "lower quartile", "median", "upper quartile"), strict=True
            )
        ),
    ),
)
# A list with an entry a step each; those of ‖∂L/∂h_t‖ and ‖∂L/∂c_t‖ come with their distribution over the batch.
STEP_COLUMNS = tuple(column.name for column in GRADIENTS.columns if column.type == PER_STEP)

STATES = Table(
    "states",
    "a unit of a state or gate over one sequence, at the end of a run",
    (
        RUN_ID,
        Column("sequence", pa.int64(), "", "which of the kept sequences, from 0"),
        Column("symbols", pa.list_(pa.string()), "", "the input at each step, as text"),
        Column("answer", pa.string(), "", "the right answer, as text"),
        Column("part", pa.string(), "", "h, c, or a gate or candidate by its name in the cell's equations"),
        Column("unit", pa.int64(), "", "which hidden unit, from 0"),
        Column("values", PER_STEP, "", "entry t−1 is the value at step t"),
    ),
)

CODES = Table(
    "codes",
    "a sequence's code at the end of a run",
    (
        RUN_ID,
        Column("sequence", pa.int64(), "", "which of the kept sequences, from 0"),
        Column("text", pa.string(), "", "the input, as text"),
        Column("labels", pa.list_(pa.string()), "", "what the input is about, by the task's own labels"),
        Column("code", pa.list_(pa.float32()), "", "h_T of the encoder"),
    ),
)

EXAMPLES = Table(
    "examples",
    "a sequence and its answer at the end of a run",
    (
        RUN_ID,
        Column("text", pa.string(), "", "the input, as text"),
        Column("target", pa.string(), "", "the right answer"),
        Column("answer", pa.string(), "", "the network's answer; of a sequence: told nothing but its own symbols"),
        Column("right", pa.bool_(), "", "whether they are the same"),
    ),
)

WEIGHTS = Table(
    "weights",
    "a parameter at the end of a run",
    (
        RUN_ID,
        Column("name", pa.string(), "", "W, U, b_x, b_h of the cell, V, b_y of the readout; ′ marks a decoder's"),
        Column("shape", pa.list_(pa.int64()), "", "its shape"),
        Column("values", pa.list_(pa.float64()), "", "its numbers, last axis fastest"),
    ),
)

PROFILES = Table(
    "profiles",
    "a quantity measured along an axis, at one moment of a run",
    (
        RUN_ID,
        Column("update", pa.int64(), "updates", "parameter updates made before it was measured"),
        Column("quantity", pa.string(), "", "what was measured, by its name in docs/probes.md"),
        Column("axis", pa.string(), "", "what it was measured along: lag, t, window, rank, …"),
        Column("at", pa.list_(pa.float64()), "", "positions on that axis"),
        Column("measured", pa.list_(pa.float64()), "", "the quantity there"),
        Column("theory", pa.list_(pa.float64()), "", "what theory says it is there; null where it says nothing"),
    ),
)

EVALUATIONS = Table(
    "evaluations",
    "a length at which a run was judged",
    (
        RUN_ID,
        Column(
            "length", pa.int64(), "steps",
            "a value of the task's own setting: sequence_length, delay or series_length",
            label="length (steps)", sequential=True,
        ),
        Column("trained_length", pa.int64(), "steps", "the value of that setting in training"),
        Column("sequences", pa.int64(), "", "how many were judged, of a stream of their own"),
        Column("accuracy", pa.float64(), "", "accuracy at this length, at the end of the run"),
        Column("loss", pa.float64(), "nats", "mean loss on the same sequences; of numbers, squared error"),
        Column("chance", pa.float64(), "", "accuracy of guessing at this length"),
        Column("memoryless_loss", pa.float64(), "nats", "as in runs, at this length"),
    ),
)  # fmt: skip

# What profiles are measured along, where its name alone would not say it; others are settings of their experiment.
PROFILE_AXES = (
    Column("lag", pa.float64(), "steps", "steps from t to the loss", label="lag T − t (steps)"),
    Column("t", pa.float64(), "steps", "time step, from 1", label="time step t"),
    Column("log10_gradient", pa.float64(), "log10", "size of an entry", label="log10 |∂L/∂pᵢ|"),
    Column("window", pa.float64(), "steps", "truncation window", label="BPTT window K (steps)", sequential=True),
    Column("bias", pa.float64(), "", "bias of the unit", label="bias b"),
)

EXTRA = (STATES, CODES, EXAMPLES, WEIGHTS, PROFILES, EVALUATIONS)  # only where a study asks for them
OTHER_TABLES = (CURVES, GRADIENTS, *EXTRA)


def shown_columns() -> Mapping[str, Column]:
    """Measured columns of all tables, and the axes of profiles, by name; of two of one name the labelled one."""
    columns: dict[str, Column] = {}
    for column in (*RUN_COLUMNS, *(c for table in OTHER_TABLES for c in table.columns), *PROFILE_AXES):
        if column.name not in columns or column.labelled:
            columns[column.name] = column
    return columns


@dataclass(frozen=True)
class Profile:
    """A quantity along its axis, and what theory says it is there; NaN where theory says nothing."""

    quantity: str
    axis: str
    at: Array
    measured: Array
    theory: Array | None = None

    def row(self, update: int) -> dict[str, object]:
        """A row of the table of profiles."""
        return {
            "update": update,
            "quantity": self.quantity,
            "axis": self.axis,
            "at": self.at.tolist(),
            "measured": self.measured.tolist(),
            "theory": None if self.theory is None else self.theory.tolist(),
        }


@dataclass(frozen=True)
class Record:
    """All that one run leaves behind: its row of `runs` (without the settings) and its rows of the other tables."""

    run_id: str
    run: Mapping[str, object]
    rows: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
