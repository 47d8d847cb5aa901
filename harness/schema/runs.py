"""The columns of the table of runs that every run has."""

from __future__ import annotations

import math

import pyarrow as pa

from harness.schema.column import RUN_ID, Column, MetricOptions

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
        "t = 1 less that at t = T) / (T − 1); −inf where a window cuts it; null without a gradient "
        "at T; of several layers the first's",
        label="adjoint slope before training (log10 per step)",
        metric=MetricOptions("iqm", decimals=4, better=0, margin=0.05, untrained=True),
    ),
    Column(
        "initial_adjoint_cell_slope",
        pa.float64(),
        "log10 per step",
        "the same of log10_adjoint_cell, ‖∂L/∂c_t‖; null for cells without a cell state, and with zoneout, where "
        "nothing reads c_T",
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
        "initial_adjoint_slope_geometric",
        pa.float64(),
        "log10 per step",
        "the same as initial_adjoint_slope of log10_adjoint_geometric, the mean over the batch of log10 of each "
        "sequence's norm, to which Lyapunov exponents correspond; −inf also where one sequence has an exact zero; null "
        "in runs of before this column",
        label="geometric adjoint slope before training (log10 per step)",
        metric=MetricOptions("iqm", decimals=4, better=0, margin=0.05, untrained=True),
    ),
    Column(
        "final_adjoint_slope_geometric",
        pa.float64(),
        "log10 per step",
        "the same at the run's last record",
        label="geometric adjoint slope after training (log10 per step)",
        metric=MetricOptions("iqm", decimals=4, better=0, margin=0.05),
    ),
    Column(
        "initial_adjoint_slope_median",
        pa.float64(),
        "log10 per step",
        "the same as initial_adjoint_slope of log10_adjoint_q50, the median over the batch; null in runs of before "
        "this column",
        label="median adjoint slope before training (log10 per step)",
        metric=MetricOptions("iqm", decimals=4, better=0, margin=0.05, untrained=True),
    ),
    Column(
        "final_adjoint_slope_median",
        pa.float64(),
        "log10 per step",
        "the same at the run's last record",
        label="median adjoint slope after training (log10 per step)",
        metric=MetricOptions("iqm", decimals=4, better=0, margin=0.05),
    ),
    Column(
        "initial_depth_slope",
        pa.float64(),
        "log10 per layer",
        "mean change of log10 of the adjoint's norm over one layer down, before training, at the last step: "
        "(log10_adjoint of the first layer at t = T less that of the last) / (L − 1); null for one layer, and without "
        "a gradient at T",
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
        "mean_field_residual",
        pa.float64(),
        "nats per step",
        "largest Lyapunov exponent less that of the mean field, which follows from the gain alone; null elsewhere",
        label="λ₁ less that of the mean field (nats per step)",
        metric=MetricOptions("iqm", decimals=4, better=0),
    ),
    Column(
        "exponent_ratio",
        pa.float64(),
        "",
        "of sparse_forcing: largest Lyapunov exponent of the trained network left alone, over that of the "
        "system which it has learnt; null elsewhere",
        label="λ₁ of the network / λ₁ of the system",
        metric=MetricOptions("iqm", decimals=3, better=0),
    ),
    Column(
        "distribution_distance",
        pa.float64(),
        "standard deviations",
        "of sparse_forcing: Wasserstein distance between the values of the network left alone and of the system, of "
        "unit variance, mean over coordinates",
        label="distance of distributions (standard deviations)",
        metric=MetricOptions("iqm", decimals=3, better=-1, limits=(0, math.inf)),
    ),
    Column(
        "gradient_growth",
        pa.float64(),
        "log10",
        "of sparse_forcing: log10 of ‖∂L/∂θ‖ of the trained weights left alone for T steps, over that of the same "
        "weights forced at the interval next to the predictability time",
        label="log$_{10}$ of the unforced gradient over the forced one",
        metric=MetricOptions("iqm", decimals=2, better=0),
    ),
    Column(
        "log10_largest_gradient",
        pa.float64(),
        "log10",
        "of sparse_forcing: log10 of the largest ‖∂L/∂θ‖₂ of all updates, before clipping; null without training",
        label="log$_{10}$ of the largest ‖∂L/∂θ‖",
        metric=MetricOptions("iqm", decimals=2, better=0),
    ),
    Column(
        "log10_gradient_norm",
        pa.float64(),
        "log10",
        "of sparse_forcing: log10 of ‖∂L/∂θ‖₂ over all parameters before clipping, median over the last 50 updates; "
        "null without training",
        label="log$_{10}$ ‖∂L/∂θ‖ at the end of training",
        metric=MetricOptions("iqm", decimals=2, better=0),
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
