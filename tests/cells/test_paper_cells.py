"""Laws of every cell that starts as its paper says: its start, its recorded matrices, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import PAPER_CELLS, H, drawn, example, initial
from pydantic import ValidationError
from study_texts import study_text

from harness.cells import CELLS
from harness.errors import StudyError
from harness.experiments.training.planning import notes
from harness.recurrence.scan import scan
from harness.registry import read
from harness.study.plan import plan

ONLY_PAPER = [name for name in PAPER_CELLS if "W" not in CELLS[name].recurrent_weights]
SINGLE = [name for name in ONLY_PAPER if name != "lipschitz"]  # one matrix, whatever it is computed from


@pytest.mark.parametrize("name", PAPER_CELLS)
def test_parameters_of_the_equations_are_not_computed_twice(name: str) -> None:
    cell, parameters, _ = example(name)
    once = cell.parametrize(parameters)
    assert cell.parametrize(once) is once
    assert set(parameters) <= set(once)


@pytest.mark.parametrize("name", PAPER_CELLS)
def test_the_recorded_matrices_are_the_recurrent_weights_or_functions_of_them_alone(name: str) -> None:
    cell, parameters, _ = example(name)
    recurrent = {key: parameters[key] for key in cell.recurrent_weights}
    matrices = cell.recurrent_matrices(recurrent)
    expected = recurrent.values() if name not in ONLY_PAPER else cell.recurrent_matrices(parameters)
    assert len(matrices) == len(expected) == (1 if recurrent and name in SINGLE else len(recurrent))
    assert all(map(torch.equal, matrices, expected))


@pytest.mark.parametrize("name", ONLY_PAPER)
@pytest.mark.parametrize("init", ["torch", "gaussian", "lecture"])
def test_a_start_that_is_not_the_papers_is_refused_with_the_setting_to_write(name: str, init: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' starts as its paper says; set model.init: paper"):
        CELLS[name](cell=name, init=init)


def test_a_refused_start_is_reported_with_line_and_column(study_file) -> None:
    text = study_text(model={"cell": "lru", "init": "gaussian"})
    with pytest.raises(StudyError, match=r":4:\d+: model.init: 'lru' starts as its paper says; set model.init: paper"):
        read(study_file(text))


def test_a_radius_that_has_no_meaning_cannot_be_swept(study_file) -> None:
    text = study_text(model={"cell": "lru"}, sweep={"model.spectral_radius": [0.9, 1.0]})
    with pytest.raises(StudyError, match=r"has no meaning with init: paper, so it cannot be swept there$"):
        read(study_file(text))


@pytest.mark.parametrize("name", [name for name in PAPER_CELLS if name not in ONLY_PAPER])
def test_another_init_changes_the_recurrent_weights_and_not_the_forget_bias(name: str) -> None:
    gaussian, paper = drawn(name, init="gaussian"), drawn(name)
    assert not np.allclose(gaussian["W"], paper["W"])
    if name == "janet":
        np.testing.assert_array_equal(gaussian["b_x"][:H], paper["b_x"][:H])


@pytest.mark.parametrize("name", PAPER_CELLS)
def test_h_of_a_cell_carries_nothing_where_it_says_so_and_a_plan_says_it(name: str, study_file) -> None:
    cell, parameters, x = example(name)
    state = tuple(part + 0.1 for part in initial(cell))
    h0 = state[0].clone().requires_grad_()
    h, _ = scan(cell, parameters, x, (h0, *state[1:]))
    [gradient] = torch.autograd.grad(h.sum(), [h0], allow_unused=True)
    carried = gradient is not None and bool(gradient.any())
    assert carried == cell.carries_h or not cell.recurs or name == "slstm"  # which starts without W
    planned = plan(read(study_file(study_text(model={"cell": name}))))
    noted = any("acts on no later step" in note for note in notes([planned.runs[0].point.sections]))
    assert noted == (not cell.carries_h)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": {"name": "dates"}}, "model.cell: h of 's6' acts on no later step, and the decoder of 'dates' starts"),
        ({"training": {"flossing": 0.1}}, "training.flossing: h of 's6' acts on no later step, so that exponents are"),
    ],
)
def test_what_needs_an_h_that_is_carried_is_refused_for_a_cell_whose_h_is_read(study_file, changes, message) -> None:
    text = study_text(model={"cell": "s6"}, **changes)
    with pytest.raises(StudyError, match=message):
        plan(read(study_file(text)))
