"""Initial weights have the spectral radius, the orthogonality and the biases of their settings."""

from typing import Any, get_args

import numpy as np
import pytest
import torch

from harness.cells import CELLS
from harness.cells.initialisation import sigma_max, spectral_radius

H, D, T = 24, 8, 60


def drawn(name: str, seed: int = 0, *, H: int = H, **settings: Any) -> dict[str, Any]:
    """One replica's parameters before training."""
    return CELLS[name](cell=name, hidden_size=H, **settings).start(seed, input_size=D, output_size=1, length=T)


RECURRENT = [
    (name, weights)
    for name, cell in CELLS.items()
    if "gaussian" in get_args(cell.model_fields["init"].annotation)
    for weights in cell.recurrent_weights
]


@pytest.mark.parametrize(("name", "weights"), RECURRENT)
@pytest.mark.parametrize("init", ["gaussian", "orthogonal", "identity"])
@pytest.mark.parametrize("rho", [0.5, 1.0, 1.4])
def test_each_gate_block_has_the_given_spectral_radius(name: str, weights: str, init: str, rho: float) -> None:
    W = drawn(name, 3, init=init, spectral_radius=rho)[weights]
    assert W.shape == CELLS[name](cell=name, hidden_size=H).shapes(H, D)[weights]
    for block in np.split(W, len(W) // H):
        assert spectral_radius(block) == pytest.approx(rho, abs=1e-12)
        if init != "gaussian":
            np.testing.assert_allclose(block @ block.T, rho**2 * np.eye(H), atol=1e-12)
            assert sigma_max(block) == pytest.approx(rho, abs=1e-12)


def test_a_cell_without_recurrent_weights_has_no_spectral_radius_and_draws_none() -> None:
    cell = CELLS["window"](cell="window", init="orthogonal", spectral_radius=1.4)
    assert (cell.init, cell.spectral_radius) == ("torch", None)
    assert set(cell.start(3, input_size=D, output_size=1, length=T)) == {"U", "b_x"}


def test_a_gaussian_block_of_radius_one_has_a_sigma_near_two() -> None:
    # H = 128: the circular law puts ρ near 1 and the largest singular value of a square Gaussian matrix near 2
    values = [sigma_max(drawn("rnn", seed, H=128, init="gaussian", spectral_radius=1.0)["W"]) for seed in range(5)]
    assert 1.7 < np.mean(values) < 2.0


@pytest.mark.parametrize("name", [name for name, cell in CELLS.items() if cell.model_fields["init"].default == "torch"])
def test_torchs_default_is_uniform_within_one_over_root_h(name: str) -> None:
    values = np.concatenate([p.ravel() for p in drawn(name).values()])
    assert abs(values).max() <= 1 / np.sqrt(H)
    assert values.std() == pytest.approx(1 / np.sqrt(3 * H), rel=0.05)


@pytest.mark.parametrize("name", CELLS)
def test_one_seed_draws_the_same_parameters_again_and_another_seed_others(name: str) -> None:
    first, again, other = (drawn(name, seed) for seed in (4, 4, 5))
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert any(not np.array_equal(first[key], other[key]) for key in first)


def test_one_seed_draws_one_matrix_scaled_to_each_radius() -> None:
    small, large = (drawn("rnn", 5, init="gaussian", spectral_radius=rho) for rho in (0.8, 1.2))
    np.testing.assert_allclose(small["W"] / 0.8, large["W"] / 1.2, rtol=1e-12)
    for name in ("U", "b_x", "b_h"):
        np.testing.assert_array_equal(small[name], large[name])


@pytest.mark.parametrize("biases", [1, 2])
def test_forget_bias_is_the_sum_of_both_biases(biases: int) -> None:
    default, given = (drawn("lstm", 1, biases=biases, forget_bias=bias) for bias in (None, 1.5))
    total = given["b_x"] + given.get("b_h", 0)
    np.testing.assert_array_equal(total[H : 2 * H], 1.5)
    others = np.delete(np.arange(4 * H), slice(H, 2 * H))
    np.testing.assert_array_equal(given["b_x"][others], default["b_x"][others])


def test_chrono_biases_are_logs_of_lags_up_to_the_length() -> None:
    parameters = drawn("lstm", 1, forget_bias="chrono")
    total = parameters["b_x"] + parameters["b_h"]
    lags = np.exp(total[H : 2 * H])
    assert lags.min() >= 1
    assert lags.max() <= T - 1
    assert lags.mean() == pytest.approx(T / 2, rel=0.35)
    np.testing.assert_array_equal(total[:H], -total[H : 2 * H])


def test_spectral_radius_of_a_matrix_that_is_not_finite_is_nan() -> None:
    assert np.isnan(spectral_radius(np.full((2, 2), np.inf)))
    assert np.isnan(sigma_max(np.full((2, 2), np.nan)))


def test_radius_and_sigma_differ_for_a_nilpotent_matrix() -> None:
    W = np.array([[0.0, 5.0], [0.0, 0.0]])
    assert spectral_radius(W) == 0
    assert sigma_max(W) == 5


def test_the_lectures_draw_is_torchs_stream_through_the_rnn_then_the_lstm() -> None:
    """torch.manual_seed once; then RNN, its readout, LSTM, its readout, in the order of the lecture's notebook."""
    torch.manual_seed(7)
    modules = {"rnn": (torch.nn.RNN(8, 4, nonlinearity="relu"), torch.nn.Linear(4, 4))}
    modules["lstm"] = (torch.nn.LSTM(8, 4), torch.nn.Linear(4, 4))
    for name, (recurrent, readout) in modules.items():
        cell = CELLS[name](cell=name, hidden_size=4, init="lecture")
        ours = cell.start(7, input_size=8, output_size=4, length=T)
        pairs = {"U": recurrent.weight_ih_l0, "W": recurrent.weight_hh_l0, "V": readout.weight}
        pairs |= {"b_x": recurrent.bias_ih_l0, "b_h": recurrent.bias_hh_l0, "b_y": readout.bias}
        assert set(ours) == set(pairs)
        for key, theirs in pairs.items():
            np.testing.assert_array_equal(ours[key], theirs.detach().double().numpy())


def test_the_lectures_draw_leaves_torchs_own_stream_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    drawn("lstm", 7, init="lecture")
    assert torch.equal(torch.rand(3), expected)
