"""Mean field of gated cells against two-sequence maps by plain quadrature, Monte Carlo, recursion and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.theory.gated import SilentState
from harness.theory.gated_mean_field import Keeping, gru, lstm

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def sigma(u: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-u))


def mean_of_product(f, variance: float, covariance: float) -> float:
    """E[f(u) f(ũ)] of two Gaussians, by Gauss–Hermite nodes of their half sum and half difference."""
    x, y = NODES[:, None], NODES
    first, second = math.sqrt((variance + covariance) / 2) * x, math.sqrt((variance - covariance) / 2) * y
    return float(WEIGHTS @ (f(first + second) * f(first - second)) @ WEIGHTS)


def gru_map(c: float, q: float, bias: float, g: float, s: float) -> float:
    """C' of two sequences' h, from C and Q, with untied weights: the cell's equations, averaged as they stand."""
    v, cov = g * g * q + s * s, g * g * c + s * s
    retained = mean_of_product(lambda u: sigma(u + bias), v, cov)
    opened = mean_of_product(lambda u: sigma(-u - bias), v, cov)
    half_sum, half_difference = math.sqrt((v + cov) / 2) * NODES[:, None], math.sqrt((v - cov) / 2) * NODES
    r1, r2 = (sigma(half_sum + sign * half_difference)[..., None, None] for sign in (1, -1))
    v1, v2, c12 = s * s + (r1 * g) ** 2 * q, s * s + (r2 * g) ** 2 * q, s * s + r1 * r2 * g * g * c
    x, y = NODES[:, None], NODES
    u1, u2 = np.sqrt(v1) * x, c12 / np.sqrt(v1) * x + np.sqrt(np.maximum(v2 - c12**2 / v1, 0)) * y
    both = np.einsum("i,j,k,l,ijkl", WEIGHTS, WEIGHTS, WEIGHTS, WEIGHTS, np.tanh(u1) * np.tanh(u2), optimize=True)
    return retained * c + opened * float(both)


def lstm_map(pair: np.ndarray, q: float, memory: float, bias: float, g: float, s: float) -> np.ndarray:
    """(M₁₂', C') from (M₁₂, C), of two sequences' c and h with untied weights."""

    def after(m12: float, cov: float) -> tuple[float, float]:
        retained, entered = mean_of_product(lambda u: sigma(u + bias), v, cov), mean_of_product(sigma, v, cov)
        return retained * m12 + entered * mean_of_product(np.tanh, v, cov), entered

    m12, c = pair
    v = g * g * q + s * s
    m12, left = after(m12, g * g * c + s * s)
    return np.array([m12, left * mean_of_product(np.tanh, after(memory, v)[0], m12)])


SETTINGS = [(0.0, 1.0, 1.0), (2.0, 0.5, 0.6), (-1.0, 1.5, 0.3)]


@pytest.mark.parametrize(("bias", "gain", "input_std"), SETTINGS)
def test_an_untied_gru_is_at_a_fixed_point_of_two_sequences_and_chi_is_the_slope_there(bias, gain, input_std) -> None:
    point, step = gru(bias, gain, input_std, tied=False), 1e-3
    together, apart = (gru_map(point.q * c, point.q, bias, gain, input_std) for c in (1, 1 - step))
    assert together == pytest.approx(point.q, rel=3e-4)
    assert (together - apart) / (point.q * step) == pytest.approx(point.chi, rel=2e-3)


@pytest.mark.parametrize(("bias", "gain", "input_std"), SETTINGS)
def test_an_untied_lstm_is_at_a_fixed_point_of_two_sequences_and_chi_is_the_slope_there(bias, gain, input_std) -> None:
    point, step = lstm(bias, gain, input_std, tied=False), 1e-4
    rest = np.array([point.memory_variance, point.q])

    def after(pair: np.ndarray) -> np.ndarray:
        return lstm_map(pair, point.q, point.memory_variance, bias, gain, input_std)

    np.testing.assert_allclose(after(rest), rest, rtol=3e-4)
    columns = [(after(rest) - after(rest - step * rest * axis)) / (step * rest @ axis) for axis in np.eye(2)]
    assert np.abs(np.linalg.eigvals(np.array(columns).T)).max() == pytest.approx(point.chi, rel=1e-3)


@pytest.mark.parametrize(("cell", "of"), [(gru, SilentState.of_gru), (lstm, SilentState.of_lstm)])
@pytest.mark.parametrize(("bias", "relative"), [(0.0, 0.6), (2.0, 0.3), (4.0, 0.95)])
def test_without_input_tied_weights_have_the_exponent_of_the_circular_law(cell, of, bias: float, relative) -> None:
    """The squared difference grows by 2 λ₁ = 2 ln(a + κ g) with one W, by ln(a² + κ² g²) with one drawn anew."""
    silent = of(bias)
    gain = relative * silent.critical_gain
    tied, untied = cell(bias, gain, 0.0), cell(bias, gain, 0.0, tied=False)
    assert (tied.q, untied.q) == (0.0, 0.0)
    assert math.log(tied.chi) == pytest.approx(2 * silent.exponent(gain), rel=1e-9)
    assert untied.chi == pytest.approx(silent.memory**2 + (silent.coupling * gain) ** 2, rel=1e-12)


@pytest.mark.parametrize("cell", [gru, lstm])
def test_without_recurrent_weights_nothing_is_left_but_the_gate(cell) -> None:
    gate = np.sum(WEIGHTS * sigma(1.0 + 0.8 * NODES) ** 2)
    for tied in (True, False):
        point = cell(1.0, 0.0, 0.8, tied=tied)
        assert point.chi == pytest.approx(gate, rel=1e-9)
        assert point.time_scale == pytest.approx(-1 / math.log(gate), rel=1e-9)


@pytest.mark.parametrize("cell", [gru, lstm])
@pytest.mark.parametrize(("bias", "gain", "input_std"), [*SETTINGS, (3.0, 0.5, 1.0)])
def test_tied_weights_remember_longer_and_have_larger_states(cell, bias, gain, input_std) -> None:
    tied, untied = cell(bias, gain, input_std), cell(bias, gain, input_std, tied=False)
    assert tied.chi > untied.chi
    assert tied.q > untied.q


@pytest.mark.parametrize("keeping", [Keeping(0.7, 0.53, 0.66, 0.15), Keeping(0.9, 0.83, 0.88, 0.05)])
def test_tied_weights_grow_as_the_covariance_over_two_times_says(keeping: Keeping) -> None:
    """E[s_t s_t'] by recursion over all pairs of steps, with gates and slopes that are independent from step to step.

    D (t, t') is E[s s'], P (t, t') is E[η_t s_t'] with η_t = k/g W s_{t−1}, whose covariance is k² D(t−1, t'−1).
    """
    m, k, others, T = keeping.mean, keeping.coupling, 0.05, 200
    D, P = np.zeros((T + 1, T + 1)), np.zeros((T + 2, T + 1))
    D[0, 0] = 1.0
    for t in range(T):
        for u in range(t + 1):  # E[η_{t+1} s_u], from η_{t+1} s_{u−1}
            P[t + 1, u] = 0.0 if u == 0 else m * P[t + 1, u - 1] + k**2 * D[t, u - 1]
        D[t + 1, : t + 1] = m * D[t, : t + 1] + P[t + 1, : t + 1]
        D[: t + 1, t + 1] = D[t + 1, : t + 1]
        D[t + 1, t + 1] = (keeping.square + others) * D[t, t] + 2 * keeping.shared * P[t + 1, t]
    chi = keeping.chi(keeping.square + others, lambda chi: others)
    assert D[T, T] / D[T - 1, T - 1] == pytest.approx(chi, rel=1e-3)


@pytest.mark.parametrize(("bias", "cost"), [(0.0, 0.012), (2.0, -0.013)])
def test_what_a_gaussian_cell_state_costs(bias: float, cost: float) -> None:
    """Q of independent units with Gaussian gates and c as it is, by Monte Carlo, against c taken to be Gaussian."""
    point, stream = lstm(bias, 1.0, 1.0, tied=False), np.random.default_rng(5)
    scale, c, squares = math.sqrt(point.q + 1), np.zeros(20_000), []
    for _ in range(140):
        f, i, g, o = scale * stream.standard_normal((4, len(c)))
        c = sigma(f + bias) * c + sigma(i) * np.tanh(g)
        squares.append([np.mean(c**2), np.mean((sigma(o) * np.tanh(c)) ** 2)])
    memory, q = np.mean(squares[40:], axis=0)  # standard errors of .002 of them
    assert memory == pytest.approx(point.memory_variance, rel=0.01)
    assert q == pytest.approx(point.q * (1 + cost), rel=0.006)


def test_the_candidate_is_that_of_monte_carlo() -> None:
    point, stream, gain = gru(1.0, 1.5, 0.7, tied=False), np.random.default_rng(2), 1.5
    a_r, a_z, a_n = gain * math.sqrt(point.q) * stream.standard_normal((3, 300_000))
    x_r, x_z, x_n = 0.7 * stream.standard_normal((3, 300_000))
    h = math.sqrt(point.q) * stream.choice([-1, 1], 300_000)  # only its mean square matters
    r, z = sigma(a_r + x_r), sigma(a_z + x_z + 1.0)
    n = np.tanh(x_n + r * a_n)
    assert np.mean(((1 - z) * n + z * h) ** 2) == pytest.approx(point.q, rel=3e-3)
    slope = (1 - n**2) * (1 - z)
    parts = (
        z**2,
        gain**2 * (z * (1 - z) * (h - n)) ** 2,
        gain**2 * (slope * r) ** 2,
        gain**2 * (slope * r * (1 - r) * a_n) ** 2,
    )
    assert sum(np.mean(part) for part in parts) == pytest.approx(point.chi, rel=3e-3)


def test_a_larger_forget_bias_remembers_longer() -> None:
    scales = [lstm(bias, 0.5, 1.0).time_scale for bias in (-2.0, 0.0, 2.0, 4.0)]
    assert scales == sorted(scales)
    assert lstm(4.0, 2.0, 1.0).time_scale == math.inf


@pytest.mark.parametrize(("gain", "input_std"), [(-1.0, 1.0), (1.0, math.inf)])
@pytest.mark.parametrize("cell", [gru, lstm])
def test_a_negative_or_infinite_standard_deviation_is_refused(cell, gain: float, input_std: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        cell(0.0, gain, input_std)
