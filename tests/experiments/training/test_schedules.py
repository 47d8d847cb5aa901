"""The learning rate of every update is that of torch.optim.lr_scheduler, without its state."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from study_texts import study_text
from torch.optim import lr_scheduler
from trained_runs import bits, trained

from harness.experiments.training.schedules import KEYWORDS, LENGTHS, SCHEDULE, learning_rate
from harness.experiments.training.settings import Training

UPDATES = 300
RATE = 0.03
CLASSES: Mapping[str, Any] = {
    "cosine": lr_scheduler.CosineAnnealingLR,
    "exponential": lr_scheduler.ExponentialLR,
    "linear": lr_scheduler.LinearLR,
    "step": lr_scheduler.StepLR,
}
CHOICES: list[dict[str, Any]] = [
    {"name": "constant"},
    {"name": "cosine"},
    {"name": "cosine", "eta_min": 0.001},
    {"name": "cosine", "T_max": 120, "eta_min": 0.002},
    {"name": "exponential", "gamma": 0.99},
    {"name": "exponential", "gamma": 1.01},
    {"name": "linear"},
    {"name": "linear", "start_factor": 1.0, "end_factor": 0.0},
    {"name": "linear", "start_factor": 0.25, "end_factor": 0.5, "total_iters": 70},
    {"name": "step", "step_size": 40},
    {"name": "step", "step_size": 1, "gamma": 0.98},
]


def of_torch(name: str, warm_up: int, keywords: Mapping[str, Any]) -> list[float]:
    """The learning rate at each update of a run with torch's scheduler."""
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=RATE)
    keywords = dict(keywords)
    for key in LENGTHS:
        if key in KEYWORDS[name]:
            keywords.setdefault(key, UPDATES - warm_up)
    make = CLASSES.get(name, lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda _: 1.0))
    if warm_up > 1:
        rising = lr_scheduler.LinearLR(optimizer, start_factor=1 / warm_up, total_iters=warm_up - 1)
        schedule = lr_scheduler.SequentialLR(optimizer, [rising, make(optimizer, **keywords)], milestones=[warm_up])
    else:
        schedule = make(optimizer, **keywords)
    rates = []
    for _ in range(UPDATES):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize("warm_up", [0, 2, 25])
@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: "".join(str(choice).split()))
def test_each_update_has_the_learning_rate_of_torch(choice: Mapping[str, Any], warm_up: int) -> None:
    keywords = {key: value for key, value in choice.items() if key != "name"}
    schedule = Training(schedule={**choice, "warm_up": warm_up}, max_updates=UPDATES).schedule
    at = learning_rate(schedule, RATE, UPDATES)
    assert [at(u) for u in range(UPDATES)] == pytest.approx(
        of_torch(choice["name"], warm_up, keywords), rel=1e-12, abs=0
    )


@pytest.mark.parametrize("name", CLASSES)
def test_keywords_and_defaults_are_those_of_torch_but_for_lengths(name: str) -> None:
    """T_max and total_iters default to what remains of the budget, which torch does not know."""
    signature = inspect.signature(CLASSES[name]).parameters
    assert KEYWORDS[name].keys() - {"warm_up"} == signature.keys() - {"optimizer", "last_epoch", "verbose"}
    for key in KEYWORDS[name].keys() - {"warm_up", *LENGTHS}:
        default = signature[key].default
        assert KEYWORDS[name][key].default == (None if default is inspect.Parameter.empty else default)


def test_a_constant_schedule_has_the_bits_of_the_learning_rate() -> None:
    assert {learning_rate("constant", 0.1, 10)(u) for u in range(10)} == {0.1}


def test_a_warm_up_rises_by_equal_shares_to_the_whole() -> None:
    at = learning_rate({"name": "constant", "warm_up": 4}, 1.0, 10)
    assert [at(u) for u in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    first = learning_rate({"name": "cosine", "warm_up": 10}, 1.0, 10)  # all of the budget
    assert first(9) == 1.0


def test_the_long_form_that_says_no_more_than_the_word_is_the_word() -> None:
    assert Training(schedule={"name": "constant", "warm_up": 0}) == Training()
    assert Training(schedule={"name": "cosine", "T_max": None, "eta_min": 0}).schedule == "cosine"
    assert SCHEDULE.read({"name": "step", "step_size": 10, "gamma": 0.1}) == {"name": "step", "step_size": 10}


def test_a_schedule_that_says_what_holds_without_has_one_id(plan_of) -> None:
    def ids(schedule: Any) -> list[str]:
        text = study_text(training={"max_updates": 20, "schedule": schedule}, seeds=1)
        return [run.run_id for run in plan_of(text).runs]

    assert ids({"name": "cosine", "T_max": 20}) == ids("cosine")
    assert ids({"name": "linear", "warm_up": 5, "total_iters": 15}) == ids({"name": "linear", "warm_up": 5})
    assert ids({"name": "constant", "warm_up": 1}) == ids("constant")
    assert len({*ids("cosine"), *ids({"name": "cosine", "T_max": 19}), *ids({"name": "cosine", "warm_up": 1})}) == 3


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_schedule_is_that_of_the_run(plan_of, optimizer: str) -> None:
    """Ten times smaller steps from the third update on: to there the run is that with a constant learning rate."""

    def run(**training: Any) -> Any:
        text = study_text(
            training={"max_updates": 5, "optimizer": optimizer, **training}, evaluation={"every": 1}, seeds=1
        )
        [record] = trained(plan_of(text).runs).values()
        return record.rows["curves"]

    constant = run(learning_rate=0.02)
    stepped = run(learning_rate=0.02, schedule={"name": "step", "step_size": 2})
    smaller = run(learning_rate=0.002)
    losses = [[row["loss"] for row in rows] for rows in (constant, stepped, smaller)]
    assert losses[0][:3] == losses[1][:3]
    assert losses[0][3] != losses[1][3] != losses[2][3]
    assert run(learning_rate=0.02, schedule={"name": "exponential", "gamma": 1.0}) == constant


def test_a_scheduled_run_is_the_same_alone_and_in_a_pack(plan_of) -> None:
    schedule = {"name": "cosine", "warm_up": 3}
    runs = plan_of(study_text(training={"max_updates": 8, "schedule": schedule}, seeds=3)).runs
    together = trained(runs)
    for run in runs:
        assert bits(trained([run])[run.run_id]) == bits(together[run.run_id])
