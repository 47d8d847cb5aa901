"""The orthogonal RNN: its matrix against scipy's and torch's, its equations, its gradient, its start."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from cell_examples import H, R, adjoints, assert_follows, drawn, example, skew_matrix
from made_networks import normal

from harness.cells import CELLS

FUNCTIONS = {
    "modrelu": lambda a, p: np.sign(a) * np.maximum(np.abs(a) + p["b"], 0),
    "tanh": lambda a, p: np.tanh(a),
    "relu": lambda a, p: np.maximum(a, 0),
    "linear": lambda a, p: a,
}


@pytest.mark.parametrize("nonlinearity", FUNCTIONS)
def test_states_are_those_of_the_equations(nonlinearity: str) -> None:
    def equations(p, x):
        h, W, states = np.zeros(H), scipy.linalg.expm(skew_matrix(p["L"])), []
        for row in x:
            h = FUNCTIONS[nonlinearity](W @ h + p["U"] @ row + p["b_x"], p)
            states.append(h)
        return np.stack(states)

    assert_follows("orthogonal", equations, nonlinearity=nonlinearity)


def test_the_matrix_and_its_gradient_are_those_of_torchs_own_parametrisation() -> None:
    cell, parameters, _ = example("orthogonal")
    W = cell.parametrize(parameters)["W"]
    weights = normal(2, *W.shape)
    (W * weights).sum().backward()
    rows, columns = np.tril_indices(H, -1)
    for r in range(R):
        layer = torch.nn.utils.parametrizations.orthogonal(
            torch.nn.Linear(H, H, bias=False).double(), orthogonal_map="matrix_exp", use_trivialization=False
        )
        theirs = layer.parametrizations.weight.original
        with torch.no_grad():
            theirs.zero_()
            theirs[rows, columns] = parameters["L"][r]
        torch.testing.assert_close(W[r], layer.weight, rtol=0, atol=1e-12)
        (layer.weight * weights[r]).sum().backward()
        torch.testing.assert_close(parameters["L"].grad[r], theirs.grad[rows, columns], rtol=0, atol=1e-12)


@pytest.mark.parametrize("H", [6, 7])
def test_the_matrix_is_orthogonal_wherever_training_takes_its_generator(H: int) -> None:
    cell, parameters, _ = example("orthogonal", H=H)
    with torch.no_grad():
        parameters["L"] += normal(4, *parameters["L"].shape)
    [W] = cell.recurrent_matrices({"L": parameters["L"]})
    torch.testing.assert_close(W @ W.mT, torch.eye(H, dtype=W.dtype).expand(R, H, H), rtol=0, atol=1e-12)


def test_where_it_is_linear_the_gradient_norm_is_constant_in_time() -> None:
    cell, parameters, x = example("orthogonal", nonlinearity="linear", T=500)
    levels, _, _ = adjoints(cell, parameters, x, torch.ones(R, 1, H, dtype=torch.float64))
    np.testing.assert_allclose(levels, np.broadcast_to(levels[-1], levels.shape), atol=1e-11)


@pytest.mark.parametrize("H", [6, 7])
def test_the_start_rotates_pairs_of_units_by_the_drawn_angles(H: int) -> None:
    weights = drawn("orthogonal", H=H)
    generator = skew_matrix(weights["L"], H)
    angles = generator[np.arange(0, H - 1, 2) + 1, np.arange(0, H - 1, 2)]
    assert np.count_nonzero(weights["L"]) == H // 2
    eigenvalues = np.linalg.eigvals(scipy.linalg.expm(generator))
    expected = np.concatenate([angles, -angles, np.zeros(H % 2)])
    np.testing.assert_allclose(np.sort(np.angle(eigenvalues)), np.sort(expected), atol=1e-12)
    assert abs(weights["b"]).max() <= 0.01
    np.testing.assert_array_equal(weights["b_x"], 0)


def test_only_modrelu_has_a_bias_of_its_own() -> None:
    assert set(drawn("orthogonal", nonlinearity="tanh")) == {"L", "U", "b_x"}


def test_a_replicas_matrix_is_bit_for_bit_the_same_alone_and_in_a_pack() -> None:
    """Torch's exponential of a batch is not: it takes matrices of like norm together."""
    H = 19
    cell = CELLS["orthogonal"](cell="orthogonal", hidden_size=H)
    L = normal(5, 8, H * (H - 1) // 2, dtype=torch.float32)
    L = L * torch.linspace(0.1, 3, 8)[:, None]
    [together] = cell.recurrent_matrices({"L": L})
    for r in range(8):
        [alone] = cell.recurrent_matrices({"L": L[r : r + 1]})
        assert torch.equal(alone[0], together[r])
