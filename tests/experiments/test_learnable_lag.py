"""Samples that show a lag: gradients against torch.nn, a linear recurrence in closed form, counting, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, levy_stable
from study_texts import check_text

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.errors import StudyError
from harness.experiments import learnable_lag
from harness.experiments.learnable_lag import (
    Lag,
    concentration,
    expected_samples,
    gradients,
    pool_of,
    samples_needed,
    search,
)
from harness.experiments.setup import Setup
from harness.registry import load_registry, read
from harness.rng import generator


def text(model: str = "cell: lstm, hidden_size: 4", **lag: object) -> str:
    return check_text("learnable_lag", model=f"{{{model}}}", lag={"longest": 6, "samples": 4000, **lag}, seeds=[3])


class Leaky(Cell):
    """h_t = .8 h_{t−1} + x_t of one unit, read out as it is: p and its spread have closed forms."""

    gates = ("h",)

    def start(self, seed, *, input_size, output_size, length):
        return {"W": np.full((1, 1), 0.8), "U": np.ones((1, 1)), "b_x": np.zeros(1)}

    def activations(self, parameters, state, z):
        return {"h": 0.8 * state[0] + z}

    def combine(self, state, a):
        return (a["h"],)


@pytest.mark.parametrize(("name", "module", "gate"), [("lstm", torch.nn.LSTM, 1), ("gru", torch.nn.GRU, 1)])
def test_gradients_are_those_of_torch_s_modules(name: str, module: type, gate: int) -> None:
    """∂ŷ/∂U of each sequence, from weight_ih's gradient; the keeping gate from the states and the equations."""
    H, T = 3, 7
    cell = CELLS[name](cell=name, hidden_size=H)
    x = np.random.default_rng(1).standard_normal((T, 4))
    by_U, norms, products = gradients(cell, 5, T, x)
    start = cell.start(5, input_size=1, output_size=1, length=T)
    net = module(1, H).double()
    with torch.no_grad():
        for parameter, key in zip(net.parameters(), ("W", "U", "b_x", "b_h"), strict=True):
            other = {"W": net.weight_hh_l0, "U": net.weight_ih_l0, "b_x": net.bias_ih_l0, "b_h": net.bias_hh_l0}[key]
            other.copy_(torch.as_tensor(start[key]))
            assert parameter.requires_grad
    v = torch.as_tensor(generator(5, "readout").uniform(-1 / math.sqrt(H), 1 / math.sqrt(H), H))
    forget = np.empty((T, 4, H))
    for b in range(4):
        sequence = torch.as_tensor(x[:, b, None])
        states, _ = net(sequence)
        net.zero_grad()
        (states[-1] @ v).backward()
        np.testing.assert_allclose(by_U[b], net.weight_ih_l0.grad[:, 0], rtol=1e-10, atol=1e-14)
        before = torch.cat([torch.zeros(1, H, dtype=torch.float64), states[:-1].detach()])
        drive = before @ net.weight_hh_l0.T + net.bias_hh_l0 + sequence @ net.weight_ih_l0.T + net.bias_ih_l0
        forget[:, b] = torch.sigmoid(drive[:, gate * H : (gate + 1) * H]).detach()
    assert products[-1] == 1.0
    for t in range(T - 1):
        assert products[t] == pytest.approx(forget[t + 1 :].prod(0).mean(), rel=1e-10)
    assert norms.shape == (4, T)


def test_the_transport_is_the_adjoint_of_the_state_that_carries() -> None:
    """Of a GRU ∂ŷ/∂h_t by finite differences of a network that is started from h_t."""
    cell = CELLS["gru"](cell="gru", hidden_size=3)
    x = np.random.default_rng(2).standard_normal((5, 1))
    _, norms, _ = gradients(cell, 5, 5, x)
    arrays = cell.start(5, input_size=1, output_size=1, length=5)
    start = {key: torch.as_tensor(value)[None] for key, value in arrays.items()}
    v = generator(5, "readout").uniform(-1 / math.sqrt(3), 1 / math.sqrt(3), 3)

    def after(h: torch.Tensor, t: int) -> float:
        for each in x[t:, 0]:
            h = cell.step(start, (h,), each * start["U"][:, :, 0] + start["b_x"])[0]
        return float(h[0, 0].numpy() @ v)

    h = torch.zeros(1, 1, 3, dtype=torch.float64)
    for each in x[:2, 0]:
        h = cell.step(start, (h,), each * start["U"][:, :, 0] + start["b_x"])[0]
    slopes = [(after(h + 1e-5 * e, 2) - after(h - 1e-5 * e, 2)) / 2e-5 for e in torch.eye(3, dtype=torch.float64)]
    assert norms[0, 1] == pytest.approx(np.linalg.norm(slopes), rel=1e-6)


def test_of_an_lstm_it_is_the_adjoint_of_the_memory() -> None:
    """∂ŷ/∂c_t by finite differences of the equations in NumPy, h_t = o_t ⊙ tanh(c_t) following c_t."""
    cell = CELLS["lstm"](cell="lstm", hidden_size=3)
    x = np.random.default_rng(4).standard_normal((6, 1))
    _, norms, _ = gradients(cell, 5, 6, x)
    w = cell.start(5, input_size=1, output_size=1, length=6)
    v = generator(5, "readout").uniform(-1 / math.sqrt(3), 1 / math.sqrt(3), 3)

    def answer(at: int, change: np.ndarray) -> float:
        h, c = np.zeros(3), np.zeros(3)
        for t in range(6):
            a = w["W"] @ h + w["U"][:, 0] * x[t, 0] + w["b_x"] + w["b_h"]
            i, f, o = (1 / (1 + np.exp(-a[k * 3 : k * 3 + 3])) for k in (0, 1, 3))
            c = f * c + i * np.tanh(a[6:9]) + (change if t == at else 0)
            h = o * np.tanh(c)
        return float(h @ v)

    for t in (1, 4):
        slopes = [(answer(t, 1e-5 * e) - answer(t, -1e-5 * e)) / 2e-5 for e in np.eye(3)]
        assert norms[0, t] == pytest.approx(np.linalg.norm(slopes), rel=1e-6)


@pytest.mark.parametrize("name", [name for name in CELLS if name != "module" and CELLS[name].recurs])
def test_any_cell_s_gradients_are_autograd_s_of_its_input_weights(name: str) -> None:
    """U as the leaf, one sequence at a time; zoneout's expected step where a unit may keep its value."""
    settings = {"cell": name, "hidden_size": 4, "zoneout": 0.3 * CELLS[name].keeps}
    cell = CELLS[name].model_validate(settings, strict=False)
    x = np.random.default_rng(1).standard_normal((6, 2))
    by_U, norms, _ = gradients(cell, 1, 6, x)
    arrays = cell.start(1, input_size=1, output_size=1, length=6)
    start = {key: torch.as_tensor(value)[None] for key, value in arrays.items()}
    U = start["U"].requires_grad_()
    parameters = cell.parametrize(start)
    v = torch.as_tensor(generator(1, "readout").uniform(-0.5, 0.5, cell.widths[0]))
    for b in range(2):
        state = tuple(torch.zeros(1, 1, width, dtype=torch.float64) for width in cell.widths)
        for each in x[:, b]:
            state = cell.step(parameters, state, each * parameters["U"][:, :, 0] + parameters["b_x"])
        [expected] = torch.autograd.grad((state[0] @ v).sum(), [U])
        np.testing.assert_allclose(by_U[b], expected[0, :, 0], rtol=1e-10, atol=1e-14)
    assert np.isfinite(norms).all()
    assert (norms[:, -2] > 0).all()


def test_of_a_linear_recurrence_all_is_known() -> None:
    """p = Σ .8^k x_{T−k}: signal and transport are .8^ℓ, and E[p²] is 1/(1 − .64) at every lag."""
    pool = pool_of(Leaky(cell="leaky", hidden_size=1), Lag(longest=8, samples=40_000), 3)
    scale = abs(generator(3, "readout").uniform(-1, 1, 1)[0])
    np.testing.assert_allclose(pool.transport, scale * 0.8**pool.lags, rtol=1e-12)
    np.testing.assert_allclose(np.mean(pool.inputs * pool.projections, 0), scale * 0.8**pool.lags, atol=0.04 * scale)
    np.testing.assert_allclose(np.mean(pool.projections**2, 0), scale**2 / 0.36, rtol=0.04)
    assert np.isnan(pool.gates).all()


@pytest.mark.parametrize(("tail", "kappa", "within"), [(2.0, 2.0, 0.25), (1.5, 3.0, 0.4)])
def test_where_only_the_signal_falls_the_exponent_is_that_of_concentration(monkeypatch, tail, kappa, within) -> None:
    """A linear recurrence: N(ℓ) = c f(ℓ)^−κ, with Gaussian noise as with heavy tails; not f^−α, which is 1.5 there."""
    monkeypatch.setattr(learnable_lag, "REPLICATES", 300)
    settings = Lag(longest=8, samples=40_000, tail=tail, noise=0.5)
    sections = learnable_lag.LagSections(model=Leaky(cell="leaky", hidden_size=1), lag=settings)
    check = learnable_lag._measure(sections, 3)
    assert concentration(tail) == check.predicted == kappa
    assert check.measured == pytest.approx(kappa, abs=within)
    assert check.residual < 0.1  # decades, from the closed form


def test_counting_finds_the_number_of_samples_of_a_test_of_means() -> None:
    """Normal p independent of x but for a share of it: N = (2 · 1.645)² var(y p)/E[x p]²."""
    stream = np.random.default_rng(5)
    x = stream.standard_normal(20_000)
    p = 0.2 * x + stream.standard_normal(20_000)
    settings = Lag(noise=1 / math.sqrt(2))  # variance 1
    needed = samples_needed(x, p, settings, np.random.default_rng(6))
    assert needed == pytest.approx((2 * 1.645) ** 2 * 2 * np.mean(p**2) / np.mean(x * p) ** 2, rel=0.15)
    assert needed == pytest.approx(expected_samples(x, p, settings), rel=0.15)
    assert samples_needed(x, stream.standard_normal(20_000), settings, np.random.default_rng(6)) == math.inf
    exact = Lag(noise=0.1)
    assert math.isnan(samples_needed(x, x, exact, np.random.default_rng(6)))  # fewer than sixteen


@pytest.mark.parametrize("tail", [1.5, 2.0])
def test_a_sum_of_stable_numbers_is_one_of_the_scale_that_is_used(tail: float) -> None:
    p = np.random.default_rng(1).standard_normal(40)
    noise = levy_stable.rvs(tail, 0.0, size=(4000, 40), random_state=np.random.default_rng(2))
    one = levy_stable.rvs(tail, 0.0, size=4000, random_state=np.random.default_rng(3))
    assert ks_2samp(noise @ p, (np.abs(p) ** tail).sum() ** (1 / tail) * one).pvalue > 0.01


def test_a_run_keeps_its_law_by_lag_and_by_envelope(plan_of) -> None:
    [record] = search(plan_of(text()).runs, Setup("torch"))
    law, by_lag, envelope = record.rows["profiles"]
    assert record.run["predicted"] == 2.0
    assert (law["axis"], by_lag["axis"], envelope["axis"]) == ("log10_envelope", "lag", "lag")
    assert len(envelope["at"]) == len(by_lag["at"]) == 6 >= np.isfinite(by_lag["measured"]).sum() == len(law["at"])
    assert sorted(law["at"]) == list(law["at"])


@pytest.mark.parametrize(
    ("model", "lag", "message"),
    [
        ("cell: mingru", {"envelope": "gates"}, r"lag\.envelope: 'mingru' has no gate"),
        ("cell: rnn", {"envelope": "gates"}, r"lag\.envelope: 'rnn' has no gate that keeps its state; take transport"),
        ("cell: window", {}, r"model\.cell: 'window' has no recurrence"),
        ("cell: gru, layers: 2", {}, r"model\.layers: the lag is that of one layer"),
        ("cell: gru, match: parameters", {}, r"model\.match: has no meaning here"),
        ("cell: gru", {"tail": 1.0}, r"lag\.tail: .*greater than 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(model: str, lag: dict, message: str, tmp_path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text(model, **lag))
    with pytest.raises(StudyError, match=message):
        read(path)
    assert "learnable_lag" in load_registry().experiments
