"""How a task's shape is met: one file a shape, all through the same `scan`."""

from harness.models import sequence_to_vector
from harness.models.model import Model

MODELS: dict[str, type[Model]] = {
    "sequence_to_vector": sequence_to_vector.SequenceToVector,
}
