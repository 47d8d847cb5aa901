"""A feed-forward network over the last k inputs: it is one layer over them, and nothing older changes its output."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cell_examples import H, T, assert_differentiates_as, example, initial
from made_networks import Parameters
from torch import Tensor

from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan


@pytest.mark.parametrize("k", [1, 2, 4, 20])
def test_states_and_gradients_are_those_of_one_layer_over_the_last_inputs(k: int) -> None:
    def states(own: Parameters, x: Tensor) -> Tensor:
        outputs = []
        for t in range(T):
            count = min(k, t + 1)  # before the first step there is nothing, not even a bias
            layer = torch.cat(own["U"].split(H)[:count], dim=1)  # (H, count·D)
            rows = torch.cat([x[t - j] for j in range(count)], dim=1)  # (B, count·D)
            outputs.append(torch.tanh(rows @ layer.T + sum(own["b_x"].split(H)[:count])))
        return torch.stack(outputs)

    assert_differentiates_as(states, *example("window", inputs=k))


@pytest.mark.parametrize("k", [1, 3, 8])
def test_exactly_the_last_k_inputs_reach_the_output(k: int) -> None:
    cell, parameters, x = example("window", inputs=k)
    x.requires_grad_()
    h, _ = scan(cell, parameters, x, initial(cell))
    h.sum().backward()
    reached = x.grad.abs().sum((1, 2, 3)) > 0
    assert reached.tolist() == [t >= T - k for t in range(T)]


@pytest.mark.parametrize("k", [1, 2, 4])
def test_no_gradient_passes_from_one_hidden_state_to_another(k: int) -> None:
    cell, parameters, x = example("window", inputs=k)
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, x, initial(cell), recorder=recorder)
    h.sum().backward()
    assert np.isfinite(recorder.log10_adjoint[-1]).all()
    assert np.isneginf(recorder.log10_adjoint[:-1]).all()
