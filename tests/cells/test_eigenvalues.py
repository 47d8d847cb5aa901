"""Linear recurrences with eigenvalues in (0, 1), in (−1, 1), and complex; and an LRU without its normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cell_examples import D, H, R, T, adjoints, assert_follows, drawn, example, log10_products, sigmoid
from made_networks import leaves, normal, zero_state
from pydantic import ValidationError

from harness.cells import CELLS
from harness.recurrence.scan import scan


def real_eigenvalues(p: Any, kind: str) -> Any:
    """λ of an LRU whose eigenvalues are real."""
    s = np.exp(-np.exp(p["nu"]))
    return 2 * s - 1 if kind == "signed" else s


def array(values: Any) -> Any:
    return {key: value.detach().numpy() for key, value in values.items()}


def trained(name: str, settings: dict[str, Any], updates: int = 60) -> Any:
    """Parameters that large steps of gradient descent have driven far from their start."""
    cell, parameters, x = example(name, H=24, **settings)
    targets, optimizer = normal(5, T, R, 3, 24), torch.optim.Adam(parameters.values(), lr=0.3)
    for _ in range(updates):
        optimizer.zero_grad()
        h, _ = scan(cell, parameters, x, zero_state(cell, R, 3), every_step=True)
        (h - 5 * targets).square().mean().backward()
        optimizer.step()
    return cell, parameters, x


def test_a_signed_mingru_follows_its_equation_and_its_jacobian_is_one_minus_two_z() -> None:
    def factors(p: Any, x: Any) -> tuple[Any, Any]:
        a_z, n = np.split(x @ p["U"].T + p["b_x"], 2, axis=-1)
        return 1 - 2 * sigmoid(a_z), sigmoid(a_z) * n

    def equations(p: Any, x: Any) -> Any:
        h, states = np.zeros(H), []
        for factor, term in zip(*factors(p, x), strict=True):
            h = factor * h + term
            states.append(h)
        return np.stack(states)

    assert_follows("mingru", equations, eigenvalues="signed")
    cell, parameters, x = example("mingru", eigenvalues="signed")
    levels, _, _ = adjoints(cell, parameters, x, torch.ones(R, 1, H, dtype=torch.float64))
    z = x[0] @ parameters["U"].mT + parameters["b_x"].unsqueeze(1)  # (R, B, 2H)
    for r in range(R):
        own = array({key: value[r] for key, value in parameters.items()})
        np.testing.assert_allclose(levels[:, r], log10_products(factors(own, x[:, r].numpy())[0]), atol=1e-12)
        J = torch.autograd.functional.jacobian(lambda h, r=r: cell.step({}, (h,), z[r, :1])[0], normal(4, 1, H))
        np.testing.assert_allclose(J[0, :, 0], np.diag(factors(own, x[0, r, 0].numpy())[0]), atol=1e-15)


@pytest.mark.parametrize("gamma", [True, False])
@pytest.mark.parametrize("kind", ["positive", "signed"])
def test_states_and_gradients_of_a_real_lru_are_those_of_its_powers(kind: str, gamma: bool) -> None:
    def equations(p: Any, x: Any) -> Any:
        gain = np.exp(p["gamma"]) if gamma else 1.0
        drive, λ = gain * (x @ p["U"].T + p["b_x"]), real_eigenvalues(p, kind)
        return np.stack([sum(λ ** (t - s) * drive[s] for s in range(t + 1)) for t in range(len(x))])

    settings: dict[str, Any] = {"eigenvalues": kind, "gamma": gamma}
    assert_follows("lru", equations, H=7, **settings)
    cell, parameters, x = example("lru", H=7, **settings)
    levels, _, _ = adjoints(cell, parameters, x, torch.ones(R, 1, 7, dtype=torch.float64))
    [W] = cell.recurrent_matrices(parameters)
    for r in range(R):
        λ = real_eigenvalues(array({key: value[r] for key, value in parameters.items()}), kind)
        np.testing.assert_allclose(levels[:, r], log10_products(np.broadcast_to(λ, (T, 3, 7))), atol=1e-12)
        np.testing.assert_allclose(W[r].detach(), np.diag(λ), atol=1e-15)


def test_without_gamma_a_complex_lru_is_that_of_gamma_zero() -> None:
    with_gamma, parameters, x = example("lru", H=7)
    without, others, _ = example("lru", H=7, gamma=False)
    assert parameters.keys() - others.keys() == {"gamma"}
    zero = leaves({**others, "gamma": torch.zeros_like(parameters["gamma"])})
    h, theirs = (
        scan(cell, p, x, zero_state(cell, R, 3), every_step=True)[0]
        for cell, p in ((without, others), (with_gamma, zero))
    )
    torch.testing.assert_close(h, theirs, rtol=0, atol=0)


@pytest.mark.parametrize(("kind", "low"), [("positive", 0.0), ("signed", -1.0)])
@pytest.mark.parametrize("name", ["mingru", "lru"])
def test_eigenvalues_are_in_their_interval_before_and_after_training(name: str, kind: str, low: float) -> None:
    for updates in (0, 60):
        cell, parameters, x = trained(name, {"eigenvalues": kind}, updates)
        if name == "lru":
            [W] = cell.recurrent_matrices(parameters)
            λ = W.detach().diagonal(dim1=-2, dim2=-1).numpy()
        else:
            z = x @ parameters["U"].mT + parameters["b_x"].unsqueeze(1)
            zero, one = (torch.full((R, 3, 24), value, dtype=torch.float64) for value in (0.0, 1.0))
            steps = [[cell.step({}, (h,), each)[0] for each in z] for h in (zero, one)]
            λ = (torch.stack(steps[1]) - torch.stack(steps[0])).detach().numpy()
        assert low <= λ.min()
        assert λ.max() <= 1
        assert (λ < 0).mean() == 0 if kind == "positive" else 0.1 < (λ < 0).mean() < 0.9


@pytest.mark.parametrize("kind", ["positive", "signed"])
def test_a_real_lru_starts_with_the_papers_moduli_and_preserves_the_variance_of_the_input(kind: str) -> None:
    weights = drawn("lru", H=4000, r_min=0.5, r_max=0.9, eigenvalues=kind)
    λ = real_eigenvalues(weights, kind)
    assert 0.5 <= abs(λ).min() < abs(λ).max() <= 0.9
    assert (λ**2).mean() == pytest.approx((0.25 + 0.81) / 2, rel=0.02)
    assert (λ < 0).mean() == (pytest.approx(0.5, abs=0.03) if kind == "signed" else 0)
    np.testing.assert_allclose(np.exp(2 * weights["gamma"]) / (1 - λ**2), 1, rtol=1e-12)
    assert weights["U"].var() == pytest.approx(1 / D, rel=0.03)
    assert weights["theta"].size == 0


def test_gamma_divides_the_variance_of_a_stationary_state_by_that_of_its_sum() -> None:
    """Of white input E|x|² = e^{2γ} Σ_k |λ|^{2k} E|Bu|² = e^{2γ}/(1 − |λ|²): 1 with the paper's γ."""
    steps, variances = 400, {}
    for gamma in (True, False):
        cell, parameters, _ = example("lru", H=2, r_min=0.9, r_max=0.95, gamma=gamma)
        x = normal(7, steps, R, 400, D)
        h, _ = scan(cell, parameters, x, zero_state(cell, R, 400), every_step=True)
        variances[gamma] = h[steps // 2 :].square().sum(-1).mean((0, 2)).detach().numpy()
    squared = np.exp(-2 * np.exp(array(parameters)["nu"][:, 0]))
    BB = array(parameters)["U"].__pow__(2).sum((1, 2))
    np.testing.assert_allclose(variances[True], BB, rtol=0.05)
    np.testing.assert_allclose(variances[False], BB / (1 - squared), rtol=0.05)


def test_two_states_of_parity_are_an_exact_cycle_of_a_signed_mingru_and_never_one_of_a_positive_one() -> None:
    """With z(0) = 0 and z(1) = 1 the signed cell is h_t = n − h_{t−1} at each one: 0, n, 0, n … (Grazzi, 4.1)."""
    U = torch.tensor([[[-1000.0, 1000.0], [0.0, 3.0]]], dtype=torch.float64)  # z, n of tokens 0 and 1
    parameters = {"U": U, "b_x": torch.zeros(1, 2, dtype=torch.float64)}
    tokens = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1, 1])[:, None, None]
    for kind in ("signed", "positive"):
        cell = CELLS["mingru"](cell="mingru", hidden_size=1, eigenvalues=kind)
        h, _ = scan(cell, parameters, tokens, zero_state(cell, 1, 1), every_step=True)
        parity = tokens.cumsum(0) % 2
        expected = 3.0 * (parity if kind == "signed" else (tokens.cumsum(0) > 0)).double()
        torch.testing.assert_close(h, expected[..., None], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mingru", {"eigenvalues": "complex"}, "'positive' or 'signed'"),
        ("lru", {"eigenvalues": "negative"}, "'complex', 'positive' or 'signed'"),
        ("lru", {"eigenvalues": "signed", "max_phase": 1.0}, "has no meaning with eigenvalues: signed, which are real"),
        ("minlstm", {"eigenvalues": "signed"}, "Extra inputs are not permitted"),
    ],
)
def test_what_has_no_meaning_is_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CELLS[name](cell=name, **settings)
