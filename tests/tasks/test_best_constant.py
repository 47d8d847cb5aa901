"""The chance level of a task of numbers is what the best constant answer scores."""

from __future__ import annotations

import numpy as np
import pytest

from harness.tasks import TASKS

DRAWS = 100_000
FORMS = [
    ("adding", "sum"), ("adding", "halved"), ("adding", "original"),
    ("multiplication", "scaled"), ("multiplication", "original"),
]  # fmt: skip


def test_every_task_of_numbers_is_here() -> None:
    assert {name for name, task in TASKS.items() if task.readout == "numbers"} == {name for name, _ in FORMS}


@pytest.mark.parametrize(("name", "variant"), FORMS)
def test_no_constant_scores_more_than_chance_and_one_scores_it(name: str, variant: str) -> None:
    task = TASKS[name](name=name, variant=variant, sequence_length=30)
    y = np.sort(task.sample(np.random.default_rng(5), DRAWS).targets.astype(np.float64))
    first = np.arange(DRAWS)
    inside = np.searchsorted(y, y + 2 * task.tolerance) - first  # answers right for ŷ = y[first] + tolerance
    error = np.sqrt(task.chance * (1 - task.chance) / DRAWS)
    # The largest of many intervals lies above the best one's own share by a few standard errors.
    assert task.chance - 3 * error < inside.max() / DRAWS < task.chance + 6 * error
