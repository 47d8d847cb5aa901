"""The gradient of an update by a way that goes forward in time, in the place of a backward pass."""

from __future__ import annotations

from torch import Tensor

from harness.cells.cell import State
from harness.experiments.training.batches import BatchSource
from harness.experiments.training.penalties import add_penalties
from harness.experiments.training.replicas import Replicas
from harness.gradients.methods import estimate
from harness.gradients.objective import TaskObjective
from harness.models.sequence_to_sequence import SequenceToSequence
from harness.models.sequence_to_vector import SequenceToVector


def forward_pass(
    batches: BatchSource, replicas: Replicas, batch: tuple[Tensor, Tensor], update: int
) -> tuple[Tensor, Tensor, State]:
    """What `backward_pass` returns, by `training.method`; of one run alone (`planning.alone`).

    Where the state is carried on, so is what stands for its derivative: the parameters have changed since, and the
    gradient is that of the network as it was at each step.
    """
    model, training, [seed] = batches.model, batches.training, batches.seeds
    assert isinstance(model, SequenceToVector | SequenceToSequence)  # `check_method`
    like = next(iter(replicas.parameters.values())).detach()
    gradient = estimate(
        training.method,
        TaskObjective(model, *batch, like),
        replicas.parameters,
        seed,
        update,
        state=batches.state,
        parts=batches.parts,
        engine=model.engine,
    )
    for name, p in replicas.parameters.items():
        p.grad = gradient.gradients[name]
    if training.penalised:
        add_penalties(training, model, replicas.parameters, batch[0], batches.state, gradient.state[0])
    batches.coming = gradient.parts
    return gradient.loss, replicas.gradient_norms(), gradient.state
