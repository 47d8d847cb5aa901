"""What a network that evaluates programs writes: digit by digit, and of the lecture's own two programs."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.models.decoder import Decoding
from harness.models.model import Model, Parameters
from harness.models.sampling import answer_to
from harness.probes.artifacts import tensors
from harness.rng import generator
from harness.tasks.task import UNSCORED, Batch
from harness.tasks.written_programs import JUDGED, LECTURES, MEASURED, WRITTEN, WrittenPrograms, at_difficulty

TESTED = 2048  # programs of the task's own difficulty
EACH = 256  # programs of each difficulty


@torch.no_grad()
def code_measures(model: Model, parameters: Parameters, seed: int) -> dict[str, float | int | None]:
    """Measures of one run (R = 1), as columns of the table of runs.

    Returns:
        digit_accuracy: of the characters of right answers, signs included and end symbols not, the share that the
            network, free running, has in the same place.
        exact_match_d…_o…, forced_accuracy_d…_o…: the one network judged at programs of each difficulty up to its own,
            by whole answers when it runs freely, and by such characters when it is told the right ones before each;
            None where the task has no such programs.
        exact_match_mean, forced_accuracy_mean: over these difficulties.
        lecture_program_1, lecture_program_2: the numbers that it writes for the lecture's programs.
    """
    task = model.task
    assert isinstance(model, Decoding)
    assert isinstance(task, WrittenPrograms)
    inputs, targets = tensors(task.batch(seed, "final", 0, TESTED), parameters)
    return {
        "digit_accuracy": digits_right(model.answers(parameters, inputs, targets)[0], targets),
        **at_difficulties(model, parameters, seed),
        **{f"lecture_program_{n}": answer_to(model, parameters, text) for n, text in enumerate(LECTURES, start=1)},
    }


def at_difficulties(model: Decoding, parameters: Parameters, seed: int) -> dict[str, float | None]:
    """Both measures at each difficulty that is judged, and their means."""
    task = model.task
    assert isinstance(task, WrittenPrograms)
    measures: dict[str, float | None] = {at_difficulty(name, *each): None for name in MEASURED for each in JUDGED}
    own = [(digits, operations) for digits, operations in JUDGED if (digits, operations) in task.difficulties]
    for digits, operations in own:
        draw = generator(seed, f"programs of {digits} digits and {operations} operations")
        values = judged(model, parameters, task.of_difficulty(draw, EACH, digits, operations))
        measures |= {at_difficulty(name, digits, operations): value for name, value in values.items()}
    for name in MEASURED:
        values = [measures[at_difficulty(name, *each)] for each in own]
        measures[f"{name}_mean"] = sum(value for value in values if value is not None) / len(values)
    return measures


def judged(model: Decoding, parameters: Parameters, batch: Batch) -> dict[str, float]:
    """Exact match when running freely, and digits right when told those before, of one batch."""
    inputs, targets = tensors(batch, parameters)
    written = model.outputs(parameters, inputs, targets)[0].argmax(-1)
    right = model.answers(parameters, inputs, targets)[1]
    return {"exact_match": float(right.double().mean()), "forced_accuracy": digits_right(written, targets)}


def digits_right(symbols: Tensor, targets: Tensor) -> float:
    """Share of the characters of right answers, end symbols left out, that stand in the same place."""
    digits = (targets != UNSCORED) & (targets != len(WRITTEN))
    return float(((symbols == targets) & digits).sum() / digits.sum())
