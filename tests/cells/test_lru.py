"""The linear recurrent unit: its equations in complex numbers, its sum, its gradient, its start."""

from __future__ import annotations

import numpy as np
import pytest
from cell_examples import B, D, R, T, adjoints, assert_follows, drawn, example, initial
from made_networks import normal
from pydantic import ValidationError

from harness.cells import CELLS
from harness.cells.initialisation import spectral_radius
from harness.recurrence.scan import scan


def arrays(parameters, r):
    """Replica r's parameters as arrays."""
    return {key: value[r].detach().numpy() for key, value in parameters.items()}


def eigenvalues(p):
    """λ of the complex units, then that of the real one where H is odd."""
    N = len(p["theta"])
    phase = np.concatenate([np.exp(p["theta"]), np.zeros(len(p["nu"]) - N)])
    return np.exp(-np.exp(p["nu"]) + 1j * phase)


@pytest.mark.parametrize("H", [6, 7])
def test_states_are_those_of_the_equations_in_complex_numbers(H: int) -> None:
    def equations(p, x):
        N = H // 2
        drive = x @ p["U"].T + p["b_x"]
        drive = np.concatenate([drive[:, :N] + 1j * drive[:, N : 2 * N], drive[:, 2 * N :]], axis=1)
        state, states = np.zeros(H - N, complex), []
        for row in drive:
            state = eigenvalues(p) * state + np.exp(p["gamma"]) * row
            states.append(np.concatenate([state.real[:N], state.imag[:N], state.real[N:]]))
        return np.stack(states)

    assert_follows("lru", equations, H=H)


def test_a_constant_input_sums_the_powers_of_lambda() -> None:
    """h_t = e^γ ⊙ Σ_{k<t} λ^k (U x + b), a geometric sum."""
    cell, parameters, x = example("lru")
    constant = x[:1].expand_as(x)
    h, _ = scan(cell, parameters, constant, initial(cell), every_step=True)
    for r in range(R):
        p = arrays(parameters, r)
        drive = constant[0, r].numpy() @ p["U"].T
        powers = (1 - eigenvalues(p) ** T) / (1 - eigenvalues(p))
        total = powers * np.exp(p["gamma"]) * (drive[:, :3] + 1j * drive[:, 3:])
        expected = np.concatenate([total.real, total.imag], axis=1)
        np.testing.assert_allclose(h[-1, r].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("H", [6, 7])
def test_the_gradient_falls_by_the_moduli_whatever_the_phases(H: int) -> None:
    cell, parameters, x = example("lru", H=H)
    v = normal(3, R, 1, H)
    levels, _, _ = adjoints(cell, parameters, x, v)
    for r in range(R):
        modulus = abs(eigenvalues(arrays(parameters, r)))
        N, w = H // 2, v[r, 0].numpy() ** 2
        weight = np.concatenate([w[:N] + w[N : 2 * N], w[2 * N :]])
        norms = [np.sqrt((weight * modulus ** (2 * lag)).sum()) for lag in range(T)][::-1]
        np.testing.assert_allclose(levels[:, r], np.log10(B * np.array(norms)), atol=1e-12)


@pytest.mark.parametrize("H", [6, 7])
def test_the_recorded_matrix_has_lambda_and_its_conjugate_for_eigenvalues(H: int) -> None:
    cell, parameters, _ = example("lru", H=H)
    [W] = cell.recurrent_matrices({name: parameters[name] for name in cell.recurrent_weights})
    for r in range(R):
        expected = eigenvalues(arrays(parameters, r))
        expected = np.concatenate([expected, expected.conj()[: H // 2]])
        measured = np.linalg.eigvals(W[r].detach().numpy())
        np.testing.assert_allclose(np.sort_complex(measured), np.sort_complex(expected), atol=1e-12)
        assert spectral_radius(W[r].detach().numpy()) < 1


def test_the_start_is_uniform_on_the_ring_and_preserves_the_variance_of_the_input() -> None:
    weights = drawn("lru", H=4000, r_min=0.5, r_max=0.9, max_phase=1.0)
    modulus, phase = abs(eigenvalues(weights)), np.angle(eigenvalues(weights))
    assert modulus.min() >= 0.5
    assert modulus.max() <= 0.9
    assert (modulus**2).mean() == pytest.approx((0.25 + 0.81) / 2, rel=0.02)
    assert phase.min() >= 0
    assert phase.max() <= 1
    # white input of variance 1: E|x|² = e^{2γ} Σ|λ|^{2k} E|Bu|² = E|Bu|², which is 1 with N(0, 1/2D) for both parts
    np.testing.assert_allclose(np.exp(2 * weights["gamma"]) / (1 - modulus**2), 1, rtol=1e-12)
    assert weights["U"].std() == pytest.approx(1 / np.sqrt(2 * D), rel=0.02)
    np.testing.assert_array_equal(weights["b_x"], 0)


def test_a_ring_with_no_inside_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"is 0\.9, and must be less than r_max, which is 0\.5"):
        CELLS["lru"](cell="lru", r_min=0.9, r_max=0.5)
