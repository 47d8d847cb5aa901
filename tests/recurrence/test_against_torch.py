"""The compiled engine against autograd: values, gradients and adjoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import sampled
from scan_problems import (
    CASES,
    KINDS,
    NAMES,
    agree,
    answer,
    assert_close,
    by_autograd,
    cell_of,
    distance,
    problem,
    same_bits,
)

LOSSES = st.sampled_from(["h", "last", "every", "both"])
# (H, B, D, real inputs): part of a vector, more than one, an alphabet whose columns are gathered; and a single unit,
# whose 1 − h² may have lost any number of float32's digits where a norm over more of them has not
SEVERAL = [(5, 3, 2, False), (13, 17, 4, True), (9, 6, 50, False)]
SHAPES = [*SEVERAL, (1, 1, 1, True)]
WINDOWS = st.none() | st.integers(1, 11)
SEEDS = st.integers(0, 99)


@pytest.mark.parametrize("name", sampled(CASES, ["tanh", "lstm"]))
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(T=st.integers(1, 9), R=st.integers(1, 3), shape=st.sampled_from(SHAPES), loss=LOSSES, window=WINDOWS, seed=SEEDS)
def test_float64_agrees_with_autograd_to_1e_10(name: str, T, R, shape, loss, window, seed) -> None:
    H, B, D, real = shape
    p = problem(name, T=T, R=R, B=B, H=H, D=D, real=real, loss=loss, radius=0.9, seed=seed)
    agree(p, window, 1e-10)


@pytest.mark.parametrize("name", sampled(CASES, ["relu", "gru"]))
@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(T=st.integers(1, 9), R=st.integers(1, 3), shape=st.sampled_from(SEVERAL), loss=LOSSES, window=WINDOWS)
def test_float32_agrees_with_autograd_in_float64_at_all_shapes(name: str, T, R, shape, loss, window) -> None:
    H, B, D, real = shape
    p = problem(name, T=T, R=R, B=B, H=H, D=D, dtype=torch.float32, real=real, loss=loss, radius=0.9)
    agree(p, window, 1e-5)


@pytest.mark.parametrize("name", sampled(CASES, ["sigmoid", "lstm"]))
@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("loss", ["last", "every"])
@pytest.mark.parametrize("window", [None, 17])
def test_float32_agrees_with_autograd_in_float64_after_a_hundred_steps(name: str, real, loss, window) -> None:
    p = problem(name, T=100, R=2, B=5, H=19, D=3, dtype=torch.float32, real=real, loss=loss, radius=0.9, seed=1)
    agree(p, window, 1e-5)


@pytest.mark.parametrize(
    ("dtype", "loss"),
    sampled(
        [(dtype, loss) for dtype in (torch.float32, torch.float64) for loss in ("last", "every")],
        [(torch.float32, "every"), (torch.float64, "last")],
    ),
)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mingru", {"eigenvalues": "signed"}), ("lru", {"eigenvalues": "positive"}), ("lru", {"gamma": False}),
        ("lru", {"eigenvalues": "signed"}), ("lru", {"eigenvalues": "signed", "gamma": False}),
    ],
)  # fmt: skip
def test_linear_recurrences_agree_whatever_their_eigenvalues(name: str, options: dict[str, Any], loss, dtype) -> None:
    cell = cell_of(name, 7, **options)
    for window in (None, 3):
        p = problem(cell, T=12, R=2, B=5, D=3, dtype=dtype, real=True, loss=loss)
        agree(p, window, 1e-5 if dtype == torch.float32 else 1e-10)


@pytest.mark.parametrize("name", sampled(NAMES, KINDS))
@settings(max_examples=2, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_any_cell_is_that_of_its_equations(name: str, data: st.DataObject) -> None:
    T, R, B, H, D = (data.draw(st.integers(1, most)) for most in (9, 3, 34, 13, 6))
    D = data.draw(st.sampled_from((D, 50)))
    double, real = (data.draw(st.booleans()) for _ in range(2))
    loss, window = data.draw(st.sampled_from(("h", "every"))), data.draw(st.sampled_from((None, 1, 3)))
    dtype = torch.float64 if double else torch.float32
    p = problem(name, T=T, R=R, B=B, H=H, D=D, dtype=dtype, real=real, loss=loss)
    tolerance = 1e-10 if double else 2e-5
    ours = answer(p, window=window)
    assert_close(ours, by_autograd(p, window), tolerance)
    assert_close(ours, answer(p, "torch", window=window), tolerance)


@pytest.mark.parametrize(
    ("name", "module"), [("tanh", torch.nn.RNN), ("relu", torch.nn.RNN), ("lstm", torch.nn.LSTM), ("gru", torch.nn.GRU)]
)
def test_cells_of_torch_are_those_of_torch_nn(name: str, module: Any) -> None:
    p = problem(name, T=7, B=3, H=6, D=4, real=True, loss="both", radius=0.9)
    twin = module(4, 6, dtype=torch.float64, **({"nonlinearity": name} if module is torch.nn.RNN else {}))
    theirs = {"weight_ih_l0": "U", "weight_hh_l0": "W", "bias_ih_l0": "b_x", "bias_hh_l0": "b_h"}
    twin.load_state_dict({torchs: p.parameters[own][0] for torchs, own in theirs.items()})
    h, final = twin(p.inputs[:, 0], p.state if name == "lstm" else p.state[0])
    final = final if name == "lstm" else (final,)
    seen = [h, *final]
    torch.autograd.backward(seen, [p.every[:, 0], *p.last])
    for results in (answer(p), by_autograd(p)):
        np.testing.assert_allclose(results["h"][0], h.detach(), rtol=0, atol=1e-12)
        for part, value in enumerate(final):
            np.testing.assert_allclose(results[f"last {part}"], value.detach(), rtol=0, atol=1e-12)
        for torchs, own in theirs.items():
            assert distance(results[f"∂{own}"][0], getattr(twin, torchs).grad.numpy()) < 1e-10, own


@pytest.mark.parametrize("name", sampled(NAMES, ["rnn", "lstm", "lru", "deltanet"]))
def test_a_window_as_long_as_the_sequence_is_the_whole(name: str) -> None:
    p = problem(name, T=7, R=2, B=3, H=5, D=3, dtype=torch.float32, loss="every")
    whole = answer(p)
    same_bits(answer(p, window=7), whole)
    same_bits(answer(p, window=100), whole)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), sampled([(torch.float32, 1e-3), (torch.float64, 1e-9)], [(torch.float32, 1e-3)])
)
@pytest.mark.parametrize("size", [1e-20, 1.0])
def test_sparse_losses_meet_adjoints_that_vanished(name: str, dtype, tolerance: float, size: float) -> None:
    """float32 autograd would have lost them 60 orders of magnitude ago; each sequence then has a scale of its own.

    1e-3 is 2e-3 of an adjoint 60 steps back: 1 − h² as float32 has it, at every step.
    """
    T, H = 120, 7
    p = problem(name, T=T, R=2, B=5, H=H, D=3, dtype=dtype, loss="every", radius=0.15, seed=2)
    p.parameters["U"] *= 0.3
    p.parameters["b_x"][:, -H:] -= 0 if name == "relu" else 3  # f of no cell, n of the GRU; saturates a little
    if name in ("lstm", "gru"):
        p.parameters["b_h"][:, H : 2 * H] -= 4  # the LSTM's forget gate, the GRU's update gate
    every = torch.zeros_like(p.every)
    every[-1] = p.every[-1]
    every[59] = p.every[-1] * size * torch.arange(5, dtype=dtype)[:, None]
    p = replace(p, every=every)
    expected, measured = by_autograd(p), answer(p)
    levels = [key for key in expected if key.startswith("level")]
    assert min(expected[key][np.isfinite(expected[key])].min() for key in levels) < -38
    for key in levels:
        finite = np.isfinite(expected[key])
        assert np.array_equal(measured[key][~finite], expected[key][~finite])
        np.testing.assert_allclose(measured[key][finite], expected[key][finite], atol=tolerance, err_msg=key)
