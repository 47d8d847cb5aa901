"""How many numbers a model trains, by its settings alone; and the width at which that is a given number."""

from __future__ import annotations

from math import prod

from harness.cells.cell import Cell
from harness.cells.rnn import RNN
from harness.tasks.task import Task


def parameter_counts(cell: Cell, task: Task, H: int) -> dict[str, int]:
    """Trained numbers of a cell of width H with what reads it out: all of them, and the recurrent weights alone.

    Most cells have w·G·H² + G·H·D + b·G·H on rows of D numbers: w recurrent weights of G blocks, b biases.
    """
    C, D = task.output_size, task.input_size
    recurrent = sum(prod(cell.shapes(H, D)[name]) for name in cell.recurrent_weights)

    def own(D: int) -> int:
        return sum(prod(shape) for shape in cell.shapes(H, D).values())

    if task.shape == "vector_to_sequence":
        return {"recurrent_parameters": recurrent, "parameters": own(C + 1) + H * (D + 1) + C * (H + 1)}
    if task.shape == "sequence_to_vector_to_sequence":
        return {"recurrent_parameters": 2 * recurrent, "parameters": own(D) + own(C + 1) + C * (H + 1)}
    return {"recurrent_parameters": recurrent, "parameters": own(D) + task.answers * C * (H + 1)}


def matched_width(cell: Cell, task: Task) -> int:
    """The width whose number of `cell.match` is nearest to that of a simple RNN of width `cell.hidden_size`."""
    assert cell.match is not None
    simple = RNN(cell="rnn", hidden_size=cell.hidden_size, biases=cell.biases)
    target = parameter_counts(simple, task, cell.hidden_size)[cell.match]
    H, beyond = 1, 2
    while parameter_counts(cell, task, beyond)[cell.match] <= target:
        H, beyond = beyond, 2 * beyond
    while beyond - H > 1:
        middle = (H + beyond) // 2
        H, beyond = (middle, beyond) if parameter_counts(cell, task, middle)[cell.match] <= target else (H, middle)
    low, high = (abs(parameter_counts(cell, task, width)[cell.match] - target) for width in (H, H + 1))
    return H if low <= high else H + 1
