"""What a network that evaluates programs writes: digit by digit, and of the lecture's own two programs."""

from __future__ import annotations

import numpy as np
import torch

from harness.models.decoder import Decoding
from harness.models.model import Model, Parameters
from harness.probes.artifacts import tensors
from harness.tasks.task import UNSCORED, Batch
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


@torch.no_grad()
def answer_to(model: Decoding, parameters: Parameters, program: str) -> int | None:
    """The number that the network writes for a program; None if it is too long for the task or no number is written."""
    task = model.task
    assert isinstance(task, WrittenPrograms)
    if len(program) > task.longest_program:
        return None
    tokens = task.read(program)[:, None]
    inputs, _ = tensors(Batch(tokens, np.zeros((1, 1), np.int64)), parameters)
    symbols = model.answer(parameters, inputs, task.longest_answer + 1)
    try:
        return int(task.answered(symbols[:, 0, 0].cpu().numpy()))
    except ValueError:
        return None
