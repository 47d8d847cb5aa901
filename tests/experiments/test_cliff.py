"""The unit's error and gradient against autograd; folds and wall against theory; clipping limits the step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from study_texts import check_text

from harness.errors import StudyError
from harness.experiments.cliff import Cliff, climb, counted_folds, descend, error, hysteresis
from harness.experiments.setup import Setup
from harness.registry import read
from harness.theory.fixed_points import fixed_points, folds, wall


@pytest.mark.parametrize(("w", "b"), [(5.0, -2.6), (5.5, -3.0), (4.8, -2.0)])
def test_the_gradient_is_that_of_autograd(w: float, b: float) -> None:
    weight, bias = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (w, b))
    x = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(50):
        x = weight * x.sigmoid() + bias
    loss = (x.sigmoid() - 0.7) ** 2
    loss.backward()
    ours = error(np.array(w), np.array(b), Cliff())
    for own, twin in zip(ours, (loss.detach(), weight.grad, bias.grad), strict=True):
        assert float(own) == pytest.approx(float(twin), rel=1e-9)


@pytest.mark.parametrize("w", [4.5, 5.0, 6.0])
def test_fixed_points_are_counted_where_the_folds_are(w: float) -> None:
    assert counted_folds(w, -3.6, -1.5) == pytest.approx(folds(w), abs=1e-6)


def test_a_range_without_the_folds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"do not both lie between -2\.6 and -2"):
        counted_folds(5.0, -2.6, -2.0)


def test_the_state_jumps_at_one_fold_as_the_bias_rises_and_at_the_other_as_it_falls() -> None:
    up = np.linspace(-3.0, -2.0, 41)
    state = hysteresis(5.0, np.concatenate([up, up[::-1]]))
    upper, lower = folds(5.0)
    rising, falling = state[:41], state[41:][::-1]
    assert ((rising > 0) == (up > lower)).all()
    assert ((falling > 0) == (up > upper)).all()
    assert rising[0] == pytest.approx(fixed_points(5.0, -3.0)[0], abs=1e-9)


def test_a_clipped_step_has_the_longest_length_allowed() -> None:
    b = wall(5.0, 0.5)
    _, raw = descend(5.0, b, Cliff(question="descent", max_updates=2))
    _, clipped = descend(5.0, b, Cliff(question="descent", clip_norm=1.0, max_updates=2))
    assert raw[0] > 1.0
    assert clipped[0] == pytest.approx(0.01)


def test_each_question_is_a_run_of_its_own(plan_of) -> None:
    text = check_text(
        "cliff",
        cliff={"w": 5.0, "max_updates": 40, "question": "wall"},
        sweep={"cliff.question": ["folds", "wall", "descent"]},
        seeds=1,
    )
    at_folds, at_wall, descent = climb(plan_of(text).runs, Setup())
    assert at_folds.run["outcome"] == at_wall.run["outcome"] == "solved"
    assert at_folds.run["measured"] == pytest.approx(-2.6556, abs=5e-5)
    assert at_wall.run["measured"] == pytest.approx(at_wall.run["predicted"], abs=2e-3)
    assert descent.run["predicted"] is None
    assert descent.run["residual"] is None
    assert [row["quantity"] for row in descent.rows["profiles"]] == ["error", "step_length"]


FOLDS = {"question": "folds"}
WALL = {"question": "wall"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (FOLDS | {"w": 3.9}, "above 4 only"),
        (FOLDS | {"lowest": -1.0, "highest": -2.0}, "above lowest"),
        (FOLDS | {"lowest": -2.5}, "both folds, -2.6556 and -2.3444"),
        (FOLDS | {"w": 4.001, "lowest": -3.0, "highest": -1.0}, "too far apart to see two folds"),
        (WALL | {"start": 3.0}, "no wall"),
        (WALL | {"clip_norm": 1.0}, "only for question: descent"),
        (WALL | {"lowest": -2.0}, "must lie on either side of the wall, which is at b = -2.6123"),
        (WALL | {"start": 0.0, "target": 0.5}, "error is flat there"),
        (WALL | {"w": 20.0, "sequence_length": 1000, "start": 0.0, "lowest": -15.0}, "steeper than a float"),
        ({"question": "descent", "w": 4.3}, r"at w = 4\.1 there is no wall"),
    ],
    ids=str,
)
def test_a_question_without_an_answer_is_refused(study_file, settings: dict, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        read(study_file(check_text("cliff", cliff={"w": 5.0} | settings)))
