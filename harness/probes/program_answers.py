"""What a network that evaluates programs writes: digit by digit, and of the lecture's own two programs."""

from __future__ import annotations

import torch

from harness.models.decoder import Decoding
from harness.models.model import Model, Parameters
from harness.models.sampling import answer_to
from harness.probes.artifacts import tensors
from harness.tasks.task import UNSCORED
from harness.tasks.written_programs import LECTURES, WRITTEN, WrittenPrograms

TESTED = 2048  # programs


@torch.no_grad()
def code_measures(model: Model, parameters: Parameters, seed: int) -> dict[str, float | int | None]:
    """Measures of one run (R = 1), as columns of the table of runs.

    Returns:
        digit_accuracy: of the characters of right answers, signs included and end symbols not, the share that the
            network, free running, has in the same place.
        lecture_program_1, lecture_program_2: the numbers that it writes for the lecture's programs.
    """
    task = model.task
    assert isinstance(model, Decoding)
    assert isinstance(task, WrittenPrograms)
    batch = task.batch(seed, "final", 0, TESTED)
    inputs, targets = tensors(batch, parameters)
    answers = model.answers(parameters, inputs, targets)[0]
    digits = (targets != UNSCORED) & (targets != len(WRITTEN))
    right = ((answers == targets) & digits).sum() / digits.sum()
    return {
        "digit_accuracy": float(right),
        **{f"lecture_program_{n}": answer_to(model, parameters, text) for n, text in enumerate(LECTURES, start=1)},
    }
