"""How many numbers a model trains, by its settings alone; and the width at which that is a given number."""

from __future__ import annotations

from math import prod

from harness.cells.cell import Cell
from harness.cells.layers import layers_of, output_width, recurrent_names, shapes
from harness.cells.rnn import RNN
from harness.tasks.task import Task


def parameter_counts(cell: Cell, task: Task, H: int) -> dict[str, int]:
    """Trained numbers of layers of width H with what reads them out: all of them, and the recurrent weights alone.

    Most cells have w·G·H² + G·H·D + b·G·H on rows of D numbers: w recurrent weights of G blocks, b biases.
    """
    C, D = task.output_size, task.input_size
    cell = cell.model_copy(update={"hidden_size": H})
    recurrent = sum(prod(shapes(cell, D)[name]) for name in recurrent_names(cell))
    top, states = output_width(cell), sum(d.cell.hidden_size for layer in layers_of(cell, D) for d in layer)

    def own(D: int) -> int:
        return sum(prod(shape) for shape in shapes(cell, D).values())

    if task.shape == "vector_to_sequence":
        return {"recurrent_parameters": recurrent, "parameters": own(C + 1) + states * (D + 1) + C * (top + 1)}
    if task.shape == "sequence_to_vector_to_sequence":
        return {"recurrent_parameters": 2 * recurrent, "parameters": own(D) + own(C + 1) + C * (top + 1)}
    return {"recurrent_parameters": recurrent, "parameters": own(D) + task.answers * C * (top + 1)}


def matched_width(cell: Cell, task: Task) -> int:
    """The width whose number of `cell.match` is nearest to that of a simple RNN of as many layers of `hidden_size`."""
    measure = cell.match
    assert measure is not None
    same = {key: getattr(cell, key) for key in ("hidden_size", "biases", "layers", "bidirectional")}
    simple = RNN(cell="rnn", **same)
    target = parameter_counts(simple, task, cell.hidden_size)[measure]

    def count(multiple: int) -> int:
        return parameter_counts(cell, task, multiple * cell.width_multiple)[measure]

    low, beyond = 1, 2
    while count(beyond) <= target:
        low, beyond = beyond, 2 * beyond
    while beyond - low > 1:
        middle = (low + beyond) // 2
        low, beyond = (middle, beyond) if count(middle) <= target else (low, middle)
    nearest = low if abs(count(low) - target) <= abs(count(low + 1) - target) else low + 1
    return nearest * cell.width_multiple
