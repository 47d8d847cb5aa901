"""THE training loop: runs of one pack in, their records out, each as soon as it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.cells.initialisation import sigma_max, spectral_radius
from harness.experiments.batches import BatchSource, draw
from harness.experiments.pack import Replicas
from harness.experiments.penalties import add_penalties
from harness.experiments.schedule import recorded_updates
from harness.experiments.setup import Setup
from harness.models import MODELS
from harness.models.model import Model
from harness.probes.adjoints import gradient_rows
from harness.probes.analogies import code_measures
from harness.probes.artifacts import artifacts
from harness.probes.profiles import profiles_of
from harness.probes.switches import best_switch
from harness.recurrence.adjoints import AdjointRecorder
from harness.schema import Record
from harness.study.plan import Run
from harness.study.spec import Evaluation, Recording, Training
from harness.tasks.task import Part, Task


@dataclass(frozen=True)
class TrainingSections:
    """The sections of a training run, typed."""

    task: Task
    model: Cell
    training: Training
    evaluation: Evaluation
    record: Recording


@dataclass
class Trace:
    """What one replica has left behind so far."""

    run: Run
    curves: list[dict[str, object]] = field(default_factory=list)
    gradients: list[dict[str, object]] = field(default_factory=list)
    profiles: list[dict[str, object]] = field(default_factory=list)
    solved_at: int | None = None
    seconds: float = 0.0

    def ends(self, update: int, training: Training) -> bool:
        return update == training.max_updates or (training.stop_when_solved and self.solved_at is not None)


def train(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Train a pack of runs that differ in seed and initial weights only.

    A batch is drawn, its gradient taken; a replica leaves when it is solved (and asked to stop), at its budget, or
    diverged (loss or gradient not finite); the others are clipped and stepped. What a row calls `update` is the
    number of updates made before it; the batch of update u is the same whoever draws it.

    Yields:
        one record a run, as soon as it ends.

    Raises:
        DeadlineError: the setup's deadline passed.
    """
    asked = [TrainingSections(**run.sections) for run in runs]  # type: ignore[arg-type]
    task, training, evaluation, record = asked[0].task, asked[0].training, asked[0].evaluation, asked[0].record
    model = MODELS[task.shape](task, asked[0].model, training.bptt_window, setup.engine_for(asked[0].model))
    pack = Replicas.start(
        [model.initialise(a.model, run.seed) for a, run in zip(asked, runs, strict=True)], training, setup.device
    )
    traces = [Trace(run) for run in runs]
    batches = BatchSource(model, training, setup.device, [run.seed for run in runs])
    schedule = recorded_updates(record.adjoints, training.max_updates)
    checkpoints = setup.checkpointing(model.cell)
    first = checkpoints.resume(pack, batches, traces) if checkpoints else 0
    for update in range(first, training.max_updates + 1):
        with clock(traces):
            batch = batches.batch(update)
            recorder = AdjointRecorder() if update in schedule else None
            losses, norms, last = gradient(batches, pack, batch, recorder)
            diverged = ~(torch.isfinite(losses) & torch.isfinite(norms))
            if update % evaluation.every == 0 or update == training.max_updates:
                evaluate(model, pack, traces, update, asked[0], norms, setup.device)
            ends = [bool(diverged[i]) or trace.ends(update, training) for i, trace in enumerate(traces)]
            if any(ends) and recorder is None:
                gradient(batches, pack, batch, recorder := AdjointRecorder())
            if recorder is not None:
                rows = gradient_rows(model, pack.parameters, batch, batches.state, recorder, record.precision)
                profiles = profiles_of(record.probes, model, pack.parameters, batch, batches.state)
                for trace, row, profile, end in zip(traces, rows, profiles, ends, strict=True):
                    if end or update in schedule:
                        trace.gradients.append({"update": update, **row})
                        trace.profiles += [each.row(update) for each in profile]
            batches.carry(pack.parameters, *batch, last, update)
        for i in [i for i, end in enumerate(ends) if end]:
            yield finish(model, pack, traces[i], i, update, bool(diverged[i]), record, setup)
        if any(ends):
            staying = [i for i, end in enumerate(ends) if not end]
            traces = [traces[i] for i in staying]
            if not traces:
                return
            pack.keep(staying)
            batches.keep(staying)
            norms = norms[staying]
        with clock(traces):
            if training.clip_norm is not None:
                pack.clip(norms, training.clip_norm)
            if training.clip_value is not None:
                pack.clip_value(training.clip_value)
            pack.optimizer.step()
        if checkpoints:
            checkpoints.now_and_then(update + 1, pack, batches, traces)
        setup.tick((update + 1) / (training.max_updates + 1), len(traces))


def gradient(
    batches: BatchSource, pack: Replicas, batch: tuple[Tensor, Tensor], recorder: AdjointRecorder | None
) -> tuple[Tensor, Tensor, State]:
    """Losses and gradient norms of the replicas, (R,) each, and the last state; the gradients are left in the pack.

    Penalties are in the gradient and its norm, not in the losses.
    """
    inputs, targets = batch
    pack.optimizer.zero_grad()
    outputs, last = batches.model.outputs(pack.parameters, inputs, targets, batches.state, recorder)
    if batches.training.omega is not None:
        last[0].retain_grad()
    losses = batches.model.losses(outputs, targets)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    if batches.training.penalised:
        add_penalties(batches.training, batches.model, pack.parameters, inputs, batches.state, last[0])
    return losses.detach(), pack.gradient_norms(), last


def judge(
    model: Model, pack: Replicas, traces: Sequence[Trace], part: Part, index: int, size: int, device: str
) -> list[tuple[float, float]]:
    """Mean loss and accuracy of each replica on data that it is not trained on."""
    inputs, targets = draw(model.task, [trace.run.seed for trace in traces], part, index, size, device)
    losses, accuracies = model.judge(pack.parameters, inputs, targets)
    return list(zip(losses.tolist(), accuracies.tolist(), strict=True))


def evaluate(
    model: Model,
    pack: Replicas,
    traces: Sequence[Trace],
    update: int,
    asked: TrainingSections,
    norms: Tensor,
    device: str,
) -> None:
    """Add a row to each replica's curve; the first that meets the task's rule sets `solved_at`."""
    longest = asked.training.clip_norm
    judged = judge(model, pack, traces, "evaluate", update, asked.evaluation.sequences, device)
    for i, (trace, (loss, accuracy)) in enumerate(zip(traces, judged, strict=True)):
        norm = float(norms[i])
        trace.curves.append({
            "update": update, "sequences": update * asked.training.batch_size, "loss": loss, "accuracy": accuracy,
            "gradient_norm": norm, "clipped": longest is not None and norm > longest,
            **measure(model, pack, i),
        })  # fmt: skip
        if trace.solved_at is None and model.task.solved(accuracy):
            trace.solved_at = update


def measure(model: Model, pack: Replicas, i: int) -> dict[str, float | None]:
    """ρ and σ₁ of one replica's recurrent matrices, the largest over its gate blocks; nothing where it has none."""
    names = recurrent(model.cell, pack)
    found: list[npt.NDArray[np.float64]] = []
    for mark in sorted({"′" if name.endswith("′") else "" for name in names}):  # a decoder has weights of its own
        trained = {name: pack.parameters[name + mark][i : i + 1].detach() for name in model.cell.recurrent_weights}
        found += [W[0].cpu().double().numpy() for W in model.cell.recurrent_matrices(trained)]
    blocks = [block for W in found for block in np.split(W, len(W) // W.shape[1])]
    if not blocks:
        return {"spectral_radius_now": None, "sigma_max": None}
    return {
        "spectral_radius_now": max(map(spectral_radius, blocks)),
        "sigma_max": max(map(sigma_max, blocks)),
    }


def recurrent(cell: Cell, pack: Replicas) -> list[str]:
    """Names of a model's recurrent weights; those of a decoder end in ′."""
    return [name for name in pack.parameters if name.removesuffix("′") in cell.recurrent_weights]


def finish(
    model: Model, pack: Replicas, trace: Trace, i: int, update: int, diverged: bool, record: Recording, setup: Setup
) -> Record:
    """The record of a replica that ends; its final accuracy is that of its last finite parameters."""
    alone = Replicas({name: p[i : i + 1] for name, p in pack.parameters.items()}, pack.optimizer)
    [(loss, accuracy)] = judge(model, alone, [trace], "final", 0, model.task.final_sequences, setup.device)
    lost = not np.isfinite(loss)
    row = {
        "outcome": "solved" if trace.solved_at is not None else "diverged" if diverged or lost else "unsolved",
        "updates": update,
        "solved_at": trace.solved_at,
        "final_accuracy": accuracy,
        "final_loss": loss,
        "chance": model.task.chance,
        "memoryless_loss": model.task.memoryless_loss,
        "parameters": sum(p[i].numel() for p in pack.parameters.values()),
        "recurrent_parameters": sum(pack.parameters[name][i].numel() for name in recurrent(model.cell, pack)),
        "initial_spectral_radius": trace.curves[0]["spectral_radius_now"],
        "initial_sigma_max": trace.curves[0]["sigma_max"],
        "initial_adjoint_slope": slope(trace.gradients[0]["log10_adjoint"]),
        "initial_adjoint_cell_slope": slope(trace.gradients[0]["log10_adjoint_cell"]),
        "engine": model.engine,
        "seconds": trace.seconds,
        **(code_measures(model, alone.parameters, trace.run.seed) if record.codes else {}),
        **setup.provenance,
    }
    kept = artifacts(model, alone.parameters, trace.run.seed, record)
    if record.states and model.task.switch_keys:
        row["switch_score"] = best_switch(kept["states"], model.task.switch_keys)
    kept |= {"profiles": trace.profiles} if record.probes else {}
    return Record(trace.run.run_id, row, {"curves": trace.curves, "gradients": trace.gradients, **kept})


def slope(log10_adjoint: object) -> float | None:
    """Mean change of log₁₀‖∂L/∂h_t‖ over one step back in time; None for a sequence of one step, or for none."""
    levels = np.asarray([] if log10_adjoint is None else log10_adjoint)
    return float((levels[0] - levels[-1]) / (len(levels) - 1)) if len(levels) > 1 else None


@contextmanager
def clock(traces: Sequence[Trace]) -> Iterator[None]:
    """Share the time a block takes among the replicas that were in it."""
    start = perf_counter()
    yield
    for trace in traces:
        trace.seconds += (perf_counter() - start) / len(traces)
