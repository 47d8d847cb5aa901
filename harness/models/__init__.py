"""How a task's shape is met: one file a shape, all through the same `scan`."""

from __future__ import annotations

from collections.abc import Sequence

from harness.cells.attention import Attention
from harness.cells.cell import Cell
from harness.cells.module import Module
from harness.models import encoder_decoder, language_model, sequence_to_sequence, sequence_to_vector, vector_to_sequence
from harness.models.model import Model
from harness.models.network import Network
from harness.models.of_attention import AttentionToSequence, AttentionToVector
from harness.models.of_module import OfModule
from harness.study.code import Code
from harness.tasks.task import Task
from harness.tasks.words import Words

MODELS: dict[str, type[Model]] = {
    "sequence_to_vector": sequence_to_vector.SequenceToVector,
    "sequence_to_sequence": sequence_to_sequence.SequenceToSequence,
    "vector_to_sequence": vector_to_sequence.VectorToSequence,
    "sequence_to_vector_to_sequence": encoder_decoder.EncoderDecoder,
}


def model_of(
    task: Task, cell: Cell, *, window: int | None = None, engine: str = "torch", code: Sequence[Code] = ()
) -> Model:
    """The model of these settings.

    Args:
        code: of the run's point: a module's factory.
    """
    if isinstance(cell, Module):
        [factory] = [each for each in code if each.setting == "model.factory"]
        return OfModule(task=task, cell=cell, window=None, engine="torch", network=Network(factory))
    if isinstance(cell, Attention):
        own = AttentionToSequence if task.shape == "sequence_to_sequence" else AttentionToVector
        return own(task=task, cell=cell, window=None, engine="torch")
    kind = language_model.LanguageModel if isinstance(task, Words) else MODELS[task.shape]
    return kind(task=task, cell=cell, window=window, engine=engine)
