"""Training: a task, a cell, an optimizer; gradients and probes recorded on the way.

settings     what `training:`, `evaluation:` and `record:` may say
optimizer_keywords, optimizers  torch.optim's elementwise optimizers: their keywords, and one step
schedules    the learning rate of each update
validation   which settings go together
planning     predicted seconds and bytes of a run; compiling before it starts
loop         THE training loop
replicas     R stacked copies of the parameters and their optimizer
batches      the data of an update, or chunks of a series whose state is carried on
evaluation   accuracy, loss, ρ and σ₁ on data that a run is not trained on
penalties    what is added to the gradient: Ω, gradient flossing, orthogonality
ending       the record that a run leaves
checkpoint   where a run stands, written now and then, and taken up again
recorded     at which updates something is recorded
"""

from harness.cells import NETWORKS
from harness.experiments.training import planning, validation
from harness.experiments.training.settings import TrainingSections
from harness.study.spec import Choice, Experiment
from harness.tasks import TASKS

EXPERIMENT = Experiment(
    "training",
    typed=TrainingSections,
    choices={"task": Choice("name", TASKS), "model": Choice("cell", NETWORKS)},
    entry="harness.experiments.training.loop:train",
    cost=planning.seconds,
    memory=planning.bytes_kept,
    complete=validation.complete,
    notes=planning.notes,
    alone=planning.alone,
)
