"""Every cell with a twin in torch.nn equals it: values and all gradients, to 1e-10 in float64."""

import pytest
import torch
from made_networks import normal, stacked, started, zero_state

from harness.cells import CELLS
from harness.cells.cell import sigmoid
from harness.recurrence.scan import scan

TWINS = {
    "rnn tanh": ("rnn", {"nonlinearity": "tanh"}, torch.nn.RNN),
    "rnn relu": ("rnn", {"nonlinearity": "relu"}, torch.nn.RNN),
    "lstm": ("lstm", {}, torch.nn.LSTM),
    "gru": ("gru", {}, torch.nn.GRU),
}
NAMES = {"U": "weight_ih_l0", "W": "weight_hh_l0", "b_x": "bias_ih_l0", "b_h": "bias_hh_l0"}
T, R, B, D, H = 9, 3, 4, 5, 6


@pytest.mark.parametrize("name", TWINS)
def test_a_cell_equals_its_twin_in_torch(name: str) -> None:
    kind, settings, module = TWINS[name]
    torch.manual_seed(1)
    twins = [module(D, H, **settings).double() for _ in range(R)]
    cell = CELLS[kind](cell=kind, hidden_size=H, **settings)
    parameters = stacked([{ours: getattr(twin, theirs).detach() for ours, theirs in NAMES.items()} for twin in twins])
    x = normal(2, T, R, B, D).requires_grad_()
    state = tuple(normal(3 + part, R, B, H).requires_grad_() for part in range(len(cell.states)))
    h, last = scan(cell, parameters, x, state, every_step=True)
    weights = normal(5, T, R, B, H)
    (h * weights).sum().backward()
    for r, twin in enumerate(twins):
        theirs_x = x.detach()[:, r].requires_grad_()
        theirs_state = [part.detach()[r : r + 1].requires_grad_() for part in state]
        output, final = twin(theirs_x, tuple(theirs_state) if len(state) > 1 else theirs_state[0])
        (output * weights[:, r]).sum().backward()
        pairs = [(h[:, r], output), (x.grad[:, r], theirs_x.grad)]
        pairs += [(parameters[ours].grad[r], getattr(twin, theirs).grad) for ours, theirs in NAMES.items()]
        pairs += [(ours.grad[r], theirs.grad[0]) for ours, theirs in zip(state, theirs_state, strict=True)]
        pairs += [
            (ours[r], theirs[0]) for ours, theirs in zip(last, final if len(state) > 1 else (final,), strict=True)
        ]
        for ours, theirs in pairs:
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "name", [name for name, cell in CELLS.items() if cell.model_fields["biases"].default == 2]
)  # the only bias of others is the input's
def test_a_cell_without_the_second_bias_has_it_zero(name: str) -> None:
    one, two = (CELLS[name](cell=name, hidden_size=H, biases=biases) for biases in (1, 2))
    parameters = started(one, range(R), input_size=D, length=T)
    assert "b_h" not in parameters
    x, state = normal(1, T, R, B, D), zero_state(one, R, B)
    alone, _ = scan(one, parameters, x, state)
    zeroed, _ = scan(two, {**parameters, "b_h": torch.zeros(R, len(one.gates) * H, dtype=torch.float64)}, x, state)
    torch.testing.assert_close(alone, zeroed, rtol=0, atol=0)


def test_sigmoid_is_the_logistic_function() -> None:
    x = torch.linspace(-30, 30, 601, dtype=torch.float64)
    torch.testing.assert_close(
        sigmoid(x), 1 / (1 + torch.exp(-x)), rtol=0, atol=2.3e-16
    )  # one unit in the last place of 1
