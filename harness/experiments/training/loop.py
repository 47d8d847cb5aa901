"""THE training loop: the runs of one pack in, their records out, each as soon as it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from harness.cells.cell import State
from harness.experiments.setup import Setup
from harness.experiments.training.arithmetic import arithmetic
from harness.experiments.training.batches import BatchSource
from harness.experiments.training.checkpoint import Beginning, Checkpointing
from harness.experiments.training.ending import final_record
from harness.experiments.training.evaluation import evaluate
from harness.experiments.training.forward import forward_pass
from harness.experiments.training.penalties import add_penalties
from harness.experiments.training.recorded import recorded_updates
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.schedules import learning_rate
from harness.experiments.training.settings import TrainingSections
from harness.experiments.training.trace import Trace, timed
from harness.experiments.training.watched import recorder_of
from harness.models import model_of
from harness.probes.adjoints import adjoint_rows
from harness.probes.profiles import profiles_of
from harness.recurrence.adjoints import AdjointRecorder
from harness.schema import Record
from harness.study.plan import Run


def train(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Train a pack of runs that differ in seed and initial weights only.

    A replica leaves when it is solved (where the study stops there), at its budget, or diverged (loss or gradient not
    finite). What a row calls `update` is the number of updates made before it; the batch of update u is the same
    whoever draws it.

    Yields:
        one record a run, as soon as it ends.

    Raises:
        DeadlineError: the setup's deadline passed.
    """
    sections = [run.sections.typed(TrainingSections) for run in runs]
    shared = sections[0]
    task, training, record = shared.task, shared.training, shared.record
    # Where the state is carried on, `BatchSource` truncates: its chunks are no longer than the window, which then cuts
    # nothing in the recurrence itself.
    engine = "torch" if training.autocasts else setup.engine_for(shared.model, task.input_size)
    model = model_of(task, shared.model, window=training.bptt_window, engine=engine, code=runs[0].point.code)
    initial = [model.initialise(own.model, run.seed) for own, run in zip(sections, runs, strict=True)]

    def begin() -> Beginning:
        replicas = Replicas.start(initial, training, setup.device)
        return replicas, BatchSource(model, training, setup.device, [r.seed for r in runs]), [Trace(r) for r in runs]

    schedule = recorded_updates(record.adjoints, training.max_updates)
    rate = learning_rate(training.schedule, training.learning_rate, training.max_updates)
    checkpoints = Checkpointing.of(setup, model.engine)
    first, (replicas, batches, traces) = checkpoints.resume(begin) if checkpoints else (0, begin())
    # One round more than there are updates: the network after the last one is evaluated and recorded as well.
    for update in range(first, training.max_updates + 1):
        with timed(traces):
            # The gradient comes first: a row describes the network before its update, by the batch that changes it.
            batch = batches.batch(update)
            recorder = recorder_of(model) if update in schedule else None
            masks = batches.masks(update, batch)
            losses, norms, last = gradient(batches, replicas, batch, recorder, masks, update)
            diverged = ~(torch.isfinite(losses) & torch.isfinite(norms))
            if update % shared.evaluation.every == 0 or update == training.max_updates:
                evaluate(model, replicas, traces, update, shared, norms, setup.device)

            # Where a run ends is not known beforehand: its last gradient is taken again, this time with a recorder.
            ends = [bool(diverged[i]) or trace.ends(update, training) for i, trace in enumerate(traces)]
            if any(ends) and recorder is None:
                gradient(batches, replicas, batch, recorder := recorder_of(model), masks, update)
            if recorder is not None:
                rows = adjoint_rows(model, replicas.parameters, batch, batches.state, recorder, record.precision, masks)
                coming = partial(replicas.update, update, norms, training, rate(update))
                profiles = profiles_of(record.probes, model, replicas.parameters, batch, batches.state, coming)
                # Outside the schedule only those that end are recorded; measured are all, since they share one pass.
                for trace, layers, profile, end in zip(traces, rows, profiles, ends, strict=True):
                    if end or update in schedule:
                        trace.gradients += [{"update": update, **row} for row in layers]
                        trace.profiles += [each.row(update) for each in profile]
            batches.carry(replicas.parameters, *batch, last, update)

        # Runs that have ended leave before the step: their final parameters are those that were just recorded.
        for i in [i for i, end in enumerate(ends) if end]:
            lengths = shared.evaluation.lengths
            yield final_record(model, replicas, traces[i], i, update, bool(diverged[i]), record, lengths, setup)
        if any(ends):
            remaining = [i for i, end in enumerate(ends) if not end]
            traces = [traces[i] for i in remaining]
            if not traces:
                return
            replicas.keep(remaining)
            batches.keep(remaining)
            norms = norms[remaining]

        # Clipping comes after the backward pass and after the record: what is recorded is the gradient itself.
        with timed(traces):
            replicas.step(norms, training, rate(update))
            model.advance()
        if checkpoints:
            checkpoints.now_and_then(update + 1, replicas, batches, traces)
        setup.tick((update + 1) / (training.max_updates + 1), len(traces))


def gradient(
    batches: BatchSource,
    replicas: Replicas,
    batch: tuple[Tensor, Tensor],
    recorder: AdjointRecorder | None,
    masks: Sequence[Tensor | None],
    update: int,
) -> tuple[Tensor, Tensor, State]:
    """Losses, gradient norms and last state of an update, its gradient left in `replicas`.

    Adjoints are those of backpropagation, whichever way the gradient that changes the parameters is taken.
    """
    if not batches.training.goes_forward:
        return backward_pass(batches, replicas, batch, recorder, masks)
    if recorder is not None:
        backward_pass(batches, replicas, batch, recorder, masks)
    return forward_pass(batches, replicas, batch, update)


def backward_pass(
    batches: BatchSource,
    replicas: Replicas,
    batch: tuple[Tensor, Tensor],
    recorder: AdjointRecorder | None,
    masks: Sequence[Tensor | None] = (),
) -> tuple[Tensor, Tensor, State]:
    """Losses and gradient norms of the replicas, (R,) each, and the last state; the gradients are left in `replicas`.

    Penalties are in the gradient and its norm, not in the losses.
    """
    inputs, targets = batch
    model, training = batches.model, batches.training
    replicas.optimizer.zero_grad()
    with arithmetic(training, batches.device):
        outputs, last = model.outputs(replicas.parameters, inputs, targets, batches.state, recorder, masks)
        if training.omega is not None:
            last[0].retain_grad()  # Ω starts from ∂L/∂h_T
        losses = model.losses(outputs, targets)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    if training.penalised:
        add_penalties(training, model, replicas.parameters, inputs, batches.state, last[0])
    return losses.detach(), replicas.gradient_norms(), last
