"""Every column of every table: name, type, unit, meaning.

A study's settings are columns too. They are declared where the setting is (`setting(…)` in a section's class) and join
the table of runs when it is written, so that no setting is described twice; `harness.store.columns` has that table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SCHEMA_VERSION = 1  # raised when a table's columns change their meaning; a folder of another version is refused

MACHINE = ("cpu", "versions", "engine", "device")  # columns of runs that say on what they ran, not what was asked

# A solved run met its task's rule; an unsolved one used its budget up; a diverged one had a loss or gradient that was
# not finite (a result too); a failed one has no result.
OUTCOMES = ("solved", "unsolved", "diverged", "failed")

Array = npt.NDArray[np.floating[Any]]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MetricOptions:
    """How expectations and comparisons use a measured column; the column is then a metric by its own name.

    Attributes:
        statistic: over seeds: "iqm" (interquartile mean, with a bootstrap interval) or "largest" (of all runs; a
            promise or a closed form has no interval).
        decimals: that are written.
        better: 1 where higher is better, −1 where lower is, 0 where a change either way is for the worse.
        margin: how much worse one cell of a grid may become before a comparison calls it a regression, in the column's
            unit, chosen by how often chance alone exceeds it (docs/comparing.md); None: only the test over the whole
            grid decides.
        untrained: it is measured before training, so that a run that diverges has it as well.
    """

    statistic: Literal["iqm", "largest"]
    decimals: int
    better: Literal[-1, 0, 1]
    margin: float | None = None
    untrained: bool = False


@dataclass(frozen=True)
class Column:
    """One column: name, arrow type, unit ("" for a pure number) and meaning, and how it is shown.

    Attributes:
        label: on an axis, with symbol and unit; "": the name in words, and the unit.
        short: in a title or a legend; "": the name in words.
        null: what a null means where it is a value of the column ("full").
        unset: what a null means otherwise, where it means more than "none" ("drawn").
        order: words whose order is not that of the alphabet, first to last.
        sequential: its values lie on a scale: drawn from light to dark.
        metric: how it is judged, where it is a metric.
    """

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    label: str = ""
    short: str = ""
    null: str = ""
    unset: str = ""
    order: tuple[str, ...] = ()
    sequential: bool = False
    metric: MetricOptions | None = None

    @property
    def labelled(self) -> bool:
        """Whether something is said of how it is shown."""
        return bool(self.label or self.short or self.null or self.unset or self.order or self.sequential)

    def field(self) -> pa.Field:
        return pa.field(self.name, self.type, metadata={"unit": self.unit, "meaning": self.meaning})


@dataclass(frozen=True)
class Table:
    """One table: a row is one `grain`."""

    name: str
    grain: str
    columns: tuple[Column, ...]

    @cached_property
    def own_schema(self) -> pa.Schema:
        """The schema without settings."""
        return self.schema()

    def schema(self, settings: Sequence[Column] = ()) -> pa.Schema:
        """The arrow schema; `settings` go in after the first column (only the table of runs has them)."""
        first, *rest = self.columns
        meta = {"harness_schema": str(SCHEMA_VERSION), "grain": self.grain}
        return pa.schema([c.field() for c in (first, *settings, *rest)], metadata=meta)


PER_STEP = pa.list_(pa.float32())

RUN_ID = Column(
    "run_id", pa.string(), "", "hash of the settings that differ from their default, the seed and the numerics version"
)

# Of the table of runs, whatever the task; what a task measures beside them stands in its file (`Task.measures`), and
# `harness.store.columns` puts the table together.
RUN_COLUMNS = (
    RUN_ID,
    Column(
        "outcome", pa.string(), "", "solved, unsolved, diverged (loss or gradient not finite) or failed (no result)"
    ),
    Column("updates", pa.int64(), "updates", "parameter updates made"),
    Column("solved_at", pa.int64(), "updates", "first evaluation that met the task's rule; null if none did"),
    Column(
        "final_accuracy",
        pa.float64(),
        "",
        "accuracy on a stream of its own after the last update: 2048 sequences unless the task says otherwise",
    ),
    Column("final_loss", pa.float64(), "nats", "mean loss on the same sequences; of numbers, squared error"),
    Column("chance", pa.float64(), "", "accuracy of guessing, by the task's own statement"),
    Column(
        "memoryless_loss",
        pa.float64(),
        "nats",
        "loss of the best prediction from the present input alone, by the task's own statement; null if unknown",
    ),
    Column("parameters", pa.int64(), "", "trained numbers of the whole model"),
    Column("recurrent_parameters", pa.int64(), "", "trained numbers of the recurrent weights alone"),
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
        "mean change of log10 of the adjoint's norm over one step back in time, before training: (log10_adjoint at "
        "t = 1 less that at t = T) / (T − 1); −inf where a window cuts it; of several layers the first's",
        label="adjoint slope before training (log10 per step)",
        metric=MetricOptions("iqm", decimals=4, better=0, margin=0.05, untrained=True),
    ),
    Column(
        "initial_adjoint_cell_slope",
        pa.float64(),
        "log10 per step",
        "the same of log10_adjoint_cell, ‖∂L/∂c_t‖; null for cells without a cell state",
        label="cell adjoint slope before training (log10 per step)",
        metric=MetricOptions("iqm", decimals=4, better=0, margin=0.05, untrained=True),
    ),
    Column(
        "final_adjoint_slope",
        pa.float64(),
        "log10 per step",
        "the same as initial_adjoint_slope at the run's last record",
        label="adjoint slope after training (log10 per step)",
        metric=MetricOptions("iqm", decimals=4, better=0, margin=0.05),
    ),
    Column(
        "initial_depth_slope",
        pa.float64(),
        "log10 per layer",
        "mean change of log10 of the adjoint's norm over one layer down, before training, at the last step: "
        "(log10_adjoint of the first layer at t = T less that of the last) / (L − 1); null for one layer",
        label="depth slope before training (log10 per layer)",
        metric=MetricOptions("iqm", decimals=3, better=0, margin=0.1, untrained=True),
    ),
    Column(
        "final_depth_slope",
        pa.float64(),
        "log10 per layer",
        "the same at the run's last record",
        label="depth slope after training (log10 per layer)",
        metric=MetricOptions("iqm", decimals=3, better=0, margin=0.1),
    ),
    Column(
        "switch_score",
        pa.float64(),
        "",
        "|2·AUC − 1| of the unit that best tells, before the second X or Y of the kept sequences, that X has been "
        "seen; null unless states are kept and the task has such symbols",
        label="best unit's switch score",
        metric=MetricOptions("iqm", decimals=2, better=1, margin=0.25),
    ),
    Column(
        "switch_error",
        pa.float64(),
        "",
        "largest deviation of a state from what gates set by hand promise; null but in gate surgery",
        label="deviation from the switch's promise",
        metric=MetricOptions("largest", decimals=7, better=-1),
    ),
    Column(
        "measured",
        pa.float64(),
        "",
        "the number that an experiment without training is about, in its page's unit; null in training",
        label="measured",
        metric=MetricOptions("iqm", decimals=4, better=0),
    ),
    Column("predicted", pa.float64(), "", "what theory says that number is; null where it says nothing"),
    Column(
        "residual",
        pa.float64(),
        "",
        "largest |measured − theory| over the run's profiles, as its experiment compares them; null without theory",
        label="largest deviation from theory",
        metric=MetricOptions("largest", decimals=7, better=-1),
    ),
    Column(
        "engine",
        pa.string(),
        "",
        "what computed the recurrence: compiled (machine code from a cell's equations) or torch",
    ),
    Column("device", pa.string(), "", "torch device"),
    Column("cpu", pa.string(), "", "processor the run was computed on"),
    Column("versions", pa.string(), "", "versions of numerics, python, and all that computes; OpenBLAS's kernels"),
    Column("seconds", pa.float64(), "s", "the run's share of its pack's training time"),
)

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
            "entry t−1 is log10 mean_b ‖B·∂L/∂h_t‖₂: the total adjoint; −inf is a true zero",
        ),
        Column("log10_immediate", PER_STEP, "log10", "the same of the immediate gradient ∂⁺L/∂h_t, h_{t+1} held fixed"),
        Column("log10_adjoint_cell", PER_STEP, "log10", "the same of ∂L/∂c_t; null for cells without a cell state"),
    ),
)

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
