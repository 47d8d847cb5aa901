"""Arithmetic with codes: exact where codes add up, zero where the decoder ignores the month."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from made_networks import Parameters, stacked
from torch import Tensor

from harness.cells import CELLS
from harness.models.encoder_decoder import EncoderDecoder
from harness.probes.date_codes import Coded, code_measures, coded, decoded, moved, silhouette
from harness.tasks import TASKS
from harness.tasks.dates import Dates, words

TASK = Dates(name="dates")
ANY = np.zeros(0, int)  # weekdays, where they are not needed
GRU = CELLS["gru"](cell="gru", hidden_size=6)


def months_of(n: int, seed: int = 0) -> tuple[np.ndarray, np.random.Generator]:
    generator = np.random.default_rng(seed)
    return np.concatenate([np.arange(12), generator.integers(12, size=n - 12)]), generator


def test_codes_that_are_a_month_plus_the_rest_move_exactly() -> None:
    months, generator = months_of(40)
    of_month, rest = generator.normal(size=(12, 5)), generator.normal(size=(40, 5))
    learnt = Coded(of_month, np.arange(12), ANY, [])
    onto = (months + 3) % 12
    assert moved(Coded(of_month[months] + rest, months, ANY, []), learnt, onto) == pytest.approx(of_month[onto] + rest)


def test_moving_there_and_back_changes_nothing() -> None:
    months, generator = months_of(40)
    dates, learnt = (Coded(generator.normal(size=(40, 5)), months, ANY, []) for _ in range(2))
    onto = (months + 5) % 12
    away = Coded(moved(dates, learnt, onto), onto, ANY, [])
    assert moved(away, learnt, months) == pytest.approx(dates.codes)


def test_silhouette_is_one_for_points_and_about_zero_for_noise() -> None:
    months, generator = months_of(600)
    assert silhouette(np.eye(12)[months], months) == pytest.approx(1)
    assert abs(silhouette(generator.normal(size=(600, 20)), months)) < 0.05


def model_and_parameters(task: Any = TASK, kind: Any = EncoderDecoder) -> tuple[Any, Parameters]:
    model = kind(task, GRU, None, "torch")
    parameters = stacked([model.initialise(GRU, 3)])
    return model, {name: value.detach() for name, value in parameters.items()}


def test_a_code_left_alone_is_decoded_to_the_networks_own_answer() -> None:
    model, parameters = model_and_parameters()
    batch = TASK.batch(5, "final", 0, 50)
    inputs, targets = torch.from_numpy(batch.inputs).unsqueeze(1), torch.from_numpy(batch.targets).unsqueeze(1)
    own = [TASK.answered(column) for column in model.answers(parameters, inputs, targets)[0][:, 0].T.numpy()]
    sample = coded(model, parameters, TASK, 5, "final", 50)
    assert decoded(model, parameters, TASK, sample.codes) == own
    assert sample.texts == [TASK.answered(column) for column in batch.targets.T]


class Additive(EncoderDecoder):
    """A network by hand: its code is a one-hot month beside a one-hot date, and it writes the date of both."""

    ignores_month = False

    def encode(self, parameters: Any, inputs: Tensor, recorder: Any) -> Any:
        body = TASK.body
        days = [body.meant["".join(TASK.spelled(column))] for column in inputs[:, 0].T.numpy()]
        months = np.eye(12)[[day.month - 1 for day in days]]
        dates = np.eye(len(body.days))[[body.days.index(day) for day in days]]
        return (torch.from_numpy(np.concatenate([months, dates], axis=1)).unsqueeze(0),)

    def unrolled(self, parameters: Any, state: Any, steps: int) -> Tensor:
        names, body = words("it")[0], TASK.body
        answers = torch.full((steps, *state[0].shape[:2]), TASK.output_size - 1)
        for b, code in enumerate(state[0][0]):
            day = int(code[12:].argmax())
            old = body.days[day].month - 1
            new = old if self.ignores_month else int(code[:12].argmax())
            text = TASK.answered(body.italian[:, day]).replace(names[old], names[new])
            answers[: len(text), 0, b] = torch.tensor([body.written.index(character) for character in text])
        return answers


class MonthBlind(Additive):
    """The same, but the month is written from the date, whatever month is in the code."""

    ignores_month = True


@pytest.mark.parametrize(("kind", "share"), [(Additive, 1), (MonthBlind, 0)])
def test_a_network_whose_codes_add_up_scores_one_and_a_decoder_that_ignores_the_month_zero(kind, share: int) -> None:
    measured = code_measures(*model_and_parameters(kind=kind), 4)
    assert measured["analogy_month_accuracy"] == share
    assert measured["analogy_accuracy"] == share


def test_the_measures_are_the_columns_that_the_task_declares() -> None:
    model, parameters = model_and_parameters(kind=Additive)
    assert set(code_measures(model, parameters, 4)) == {column.name for column in Dates.measures}
    assert sorted(name for name, task in TASKS.items() if task.code_measures) == [
        "dates",
        "phrases",
        "words",
        "written_programs",
    ]
