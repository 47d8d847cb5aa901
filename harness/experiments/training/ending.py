"""The record that a run leaves: its row of the table of runs, and its rows of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.cells.module import Module
from harness.experiments.setup import Setup
from harness.experiments.training.arithmetic import arithmetic
from harness.experiments.training.evaluation import at_lengths, loss_and_accuracy, trained_recurrent_names
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.settings import Recording, TrainingSections
from harness.experiments.training.trace import Trace
from harness.models.model import Model
from harness.probes.artifacts import artifacts
from harness.probes.switches import best_switch
from harness.schema import STEP_COLUMNS, Array, Record
from harness.study.plugins import load_object


def final_record(
    model: Model,
    replicas: Replicas,
    trace: Trace,
    i: int,
    update: int,
    diverged: bool,
    record: Recording,
    lengths: Sequence[int],
    setup: Setup,
) -> Record:
    """The record of replica i, which ends after `update` updates.

    Its final accuracy, and that at each of `lengths`, is that of the parameters before the update at which it diverged:
    the last finite ones.
    """
    alone = Replicas({name: p[i : i + 1] for name, p in replicas.parameters.items()}, replicas.optimizer)
    task, seed, training = model.task, trace.run.seed, trace.run.sections.typed(TrainingSections).training
    [(loss, accuracy)] = loss_and_accuracy(
        model, alone, [seed], "final", 0, task.final_sequences, training, setup.device
    )
    with arithmetic(training, setup.device):
        measures = task_measures(model, alone, seed, record)
        tables = artifacts(
            model,
            alone.parameters,
            seed,
            states=record.states,
            codes=record.codes,
            examples=record.examples,
            weights=record.weights,
        )
    diverged = diverged or not np.isfinite(loss)
    row = {
        "outcome": "solved" if trace.solved_at is not None else "diverged" if diverged else "unsolved",
        "updates": update,
        "solved_at": trace.solved_at,
        "final_accuracy": accuracy,
        "final_loss": loss,
        "chance": task.chance,
        "memoryless_loss": task.memoryless_loss,
        "parameters": sum(p[i].numel() for p in replicas.parameters.values()),
        "recurrent_parameters": recurrent_parameters(model, replicas, i),
        "initial_spectral_radius": trace.curves[0]["spectral_radius_now"],
        "initial_sigma_max": trace.curves[0]["sigma_max"],
        "initial_adjoint_slope": slope(first_of(trace, 0)["log10_adjoint"], varies=task.varies),
        "initial_adjoint_cell_slope": slope(first_of(trace, 0)["log10_adjoint_cell"], varies=task.varies),
        "final_adjoint_slope": slope(first_of(trace, update)["log10_adjoint"], varies=task.varies),
        "initial_adjoint_slope_geometric": slope(first_of(trace, 0)["log10_adjoint_geometric"], varies=task.varies),
        "final_adjoint_slope_geometric": slope(first_of(trace, update)["log10_adjoint_geometric"], varies=task.varies),
        "initial_adjoint_slope_median": slope(first_of(trace, 0)["log10_adjoint_q50"], varies=task.varies),
        "final_adjoint_slope_median": slope(first_of(trace, update)["log10_adjoint_q50"], varies=task.varies),
        "initial_depth_slope": depth_slope(record_of(trace, 0)),
        "final_depth_slope": depth_slope(record_of(trace, update)),
        "engine": model.engine,
        "seconds": trace.seconds,
        **measures,
        **setup.provenance,
    }
    if record.states and task.switch_keys:
        row["switch_score"] = best_switch(tables["states"], task.switch_keys)
    tables |= {"profiles": trace.profiles} if record.probes else {}
    tables |= {"evaluations": at_lengths(model, alone, seed, lengths, training, setup.device)} if lengths else {}
    return Record(trace.run.run_id, row, {"curves": trace.curves, "gradients": trace.gradients, **tables})


def task_measures(model: Model, alone: Replicas, seed: int, record: Recording) -> dict[str, float | None]:
    """What the task itself measures of a trained network, as columns of the table of runs; nothing for most tasks."""
    if not (record.codes and model.task.code_measures):
        return {}
    return dict(load_object(model.task.code_measures)(model, alone.parameters, seed))


def record_of(trace: Trace, update: int) -> list[dict[str, object]]:
    """The rows of the table of gradients of one update, from the first layer up."""
    return [row for row in trace.gradients if row["update"] == update]


def recurrent_parameters(model: Model, replicas: Replicas, i: int) -> int | None:
    """Trained numbers that carry one state to the next; None for a module, which does not say which these are."""
    if isinstance(model.cell, Module):
        return None
    return sum(replicas.parameters[name][i].numel() for name in trained_recurrent_names(model.cell, replicas))


def first_of(trace: Trace, update: int) -> Mapping[str, object]:
    """The row of the first layer; nothing where the network has no recurrence."""
    return next(iter(record_of(trace, update)), dict.fromkeys(STEP_COLUMNS))


def depth_slope(rows: Sequence[Mapping[str, object]]) -> float | None:
    """Mean change of log₁₀‖∂L/∂h^ℓ_T‖ over one layer down, of the forward directions.

    None for one layer, and where the last layer's has no gradient at the last step.
    """
    return _mean_change([np.asarray(row["log10_adjoint"])[-1] for row in rows if row["direction"] == "forward"])


def slope(log10_adjoint: object, *, varies: bool = False) -> float | None:
    """Mean change of log₁₀‖∂L/∂h_t‖ over one step back in time.

    None for a sequence of one step, and where there is no gradient at the last step, from which it would be counted.

    Args:
        varies: whether the first steps may be those of no sequence (NaN): the mean is then from the first there is.
    """
    levels = np.asarray([] if log10_adjoint is None else log10_adjoint)
    if varies and levels.size:
        levels = levels[int(np.argmin(np.isnan(levels))) :]
    return _mean_change(levels)


def _mean_change(levels: Sequence[float] | Array) -> float | None:
    """(first − last)/(n − 1) of n levels; −∞ where the first is an exact zero."""
    if len(levels) < 2 or levels[-1] == -np.inf:
        return None
    return float((levels[0] - levels[-1]) / (len(levels) - 1))
