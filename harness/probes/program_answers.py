"""What a network that evaluates programs writes: digit by digit, and of the lecture's own two programs."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.models.decoder import Decoding
from harness.models.model import Model, Parameters
from harness.models.sampling import answer_to
from harness.probes.adjoints import adjoint_rows
from harness.probes.artifacts import tensors
from harness.probes.codes import untrained
from harness.recurrence.adjoints import AdjointRecorder
from harness.rng import generator
from harness.tasks.task import UNSCORED, Batch
from harness.tasks.written_programs import JUDGED, LECTURES, MEASURED, WRITTEN, WrittenPrograms, at_difficulty

TESTED = 2048  # programs of the task's own difficulty
EACH = 256  # programs of each difficulty
ADJOINTS = 64  # programs, in float64


@torch.no_grad()
def code_measures(model: Model, parameters: Parameters, seed: int) -> dict[str, float | int | None]:
    """Measures of one run (R = 1), as columns of the table of runs.

    Returns:
        digit_accuracy: of the characters of right answers, signs included and end symbols not, the share that the
            network, free running, has in the same place.
        exact_match_d…_o…, forced_accuracy_d…_o…: the one network judged at programs of each difficulty up to its own,
            by whole answers when it runs freely, and by such characters when it is given the right ones before each;
            None where the task has no such programs.
        exact_match_mean, forced_accuracy_mean: over these difficulties.
        encoder_slope, encoder_slope_untrained: of the trained network, and of the same before its first update.
        lecture_program_1, lecture_program_2: the numbers that it writes for the lecture's programs.
    """
    task = model.task
    assert isinstance(model, Decoding)
    assert isinstance(task, WrittenPrograms)
    inputs, targets = tensors(task.batch(seed, "final", 0, TESTED), parameters)
    return {
        "digit_accuracy": digits_right(model.answers(parameters, inputs, targets)[0], targets),
        **at_difficulties(model, parameters, seed),
        "encoder_slope": encoder_slope(model, parameters, task.batch(seed, "final", 0, ADJOINTS)),
        "encoder_slope_untrained": encoder_slope(
            model, untrained(model, parameters, seed), task.batch(seed, "final", 0, ADJOINTS)
        ),
        **{f"lecture_program_{n}": answer_to(model, parameters, text) for n, text in enumerate(LECTURES, start=1)},
    }


def at_difficulties(model: Decoding, parameters: Parameters, seed: int) -> dict[str, float | None]:
    """Both measures at each difficulty that is judged, and their means."""
    task = model.task
    assert isinstance(task, WrittenPrograms)
    measures: dict[str, float | None] = {at_difficulty(name, *each): None for name in MEASURED for each in JUDGED}
    own = [(digits, operations) for digits, operations in JUDGED if (digits, operations) in task.difficulties]
    means = dict.fromkeys(MEASURED, 0.0)
    for digits, operations in own:
        draw = generator(seed, f"programs of {digits} digits and {operations} operations")
        for name, value in judged(model, parameters, task.of_difficulty(draw, EACH, digits, operations)).items():
            measures[at_difficulty(name, digits, operations)] = value
            means[name] += value / len(own)
    measures |= {f"{name}_mean": value for name, value in means.items()}
    return measures


def judged(model: Decoding, parameters: Parameters, batch: Batch) -> dict[str, float]:
    """Exact match when running freely, and digits right when given those before, of one batch."""
    inputs, targets = tensors(batch, parameters)
    written = model.outputs(parameters, inputs, targets)[0].argmax(-1)
    right = model.answers(parameters, inputs, targets)[1]
    return {"exact_match": float(right.double().mean()), "forced_accuracy": digits_right(written, targets)}


def digits_right(symbols: Tensor, targets: Tensor) -> float:
    """Share of the characters of right answers, end symbols left out, that stand in the same place."""
    digits = (targets != UNSCORED) & (targets != len(WRITTEN))
    return float(((symbols == targets) & digits).sum() / digits.sum())


def encoder_slope(model: Model, parameters: Parameters, batch: Batch) -> float:
    """(log₁₀‖∂L/∂h_1‖ − log₁₀‖∂L/∂h_T‖)/(T − 1) of the encoder's first layer, norms' means over the batch, in float64.

    The columns of adjoint slopes are null for this task: they count from the last step of the longest answer that there
    may be, and hardly a batch has one.
    """
    inputs, targets = tensors(batch, parameters)
    with torch.enable_grad():
        first, *_ = adjoint_rows(model, parameters, (inputs, targets), None, AdjointRecorder(), "float64")[0]
    levels = first["log10_adjoint"][: len(inputs)]
    return float((levels[0] - levels[-1]) / (len(levels) - 1))
