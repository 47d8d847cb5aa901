"""Each kernel against autograd: values, gradients and adjoints."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import CASES, answer, distance, problem, step, twin, vectors

SIZES = {"T": st.integers(1, 9), "R": st.integers(1, 3), "B": st.integers(1, 6), "H": st.integers(1, 9)}
LOSSES = st.sampled_from(["last", "every", "both"])


def agree(p, window, tolerance):
    expected, measured = twin(p, window), answer(p, window)
    assert set(measured) >= set(expected) - {"x"}
    for key, value in measured.items():
        if key.startswith("level"):
            finite = np.isfinite(expected[key])
            assert np.array_equal(value[~finite], expected[key][~finite]), key  # exact zeros before the window
            np.testing.assert_allclose(value[finite], expected[key][finite], atol=10 * tolerance, err_msg=key)
        else:
            underflow = np.abs(expected[key]).max() < np.finfo(value.dtype).tiny  # its digits are gone in any case
            assert underflow or distance(value, expected[key]) <= tolerance, key


@pytest.mark.parametrize(("name", "activation"), CASES)
@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    **SIZES,
    D=st.integers(1, 5),
    real=st.booleans(),
    loss=LOSSES,
    window=st.none() | st.integers(1, 11),
    seed=st.integers(0, 99),
)
def test_float64_agrees_with_autograd_to_1e_10(name, activation, T, R, B, H, D, real, loss, window, seed):
    p = problem(name, activation, T=T, R=R, B=B, H=H, D=D, real=real, loss=loss, seed=seed)
    agree(p, window, 1e-10)


@pytest.mark.parametrize(("name", "activation"), CASES)
@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("loss", ["last", "every"])
@pytest.mark.parametrize("window", [None, 17])
def test_float32_agrees_with_autograd_in_float64_to_1e_5(name, activation, real, loss, window):
    p = problem(
        name, activation, T=100, R=2, B=5, H=19, D=3, dtype=np.float32, real=real, loss=loss, radius=0.9, seed=1
    )
    agree(p, window, 1e-5)


@pytest.mark.parametrize(("name", "activation"), CASES)
@settings(derandomize=True, deadline=None, max_examples=15)
@given(**SIZES, D=st.integers(1, 5), real=st.booleans(), loss=LOSSES, window=st.none() | st.integers(1, 11))
def test_float32_agrees_at_all_shapes(name, activation, T, R, B, H, D, real, loss, window):
    p = problem(name, activation, T=T, R=R, B=B, H=H, D=D, dtype=np.float32, real=real, loss=loss)
    agree(p, window, 1e-5)


@pytest.mark.parametrize(("name", "activation"), CASES)
def test_the_twin_itself_is_torchs_module(name, activation):
    T, B, H, D = 6, 4, 5, 3
    p = problem(name, activation, T=T, B=B, H=H, D=D)
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[name]
    module = module(D, H, dtype=torch.float64, **({"nonlinearity": activation} if name == "rnn" else {}))
    names = ("weight_hh_l0", "weight_ih_l0", "bias_ih_l0", "bias_hh_l0")
    module.load_state_dict({key: torch.tensor(q[0]) for key, q in zip(names, p.parameters, strict=True)})
    x = torch.tensor(vectors(p.x, D, np.float64)[:, 0])
    state = tuple(torch.tensor(s) for s in p.state)
    expected, final = module(x, state if name == "lstm" else state[0])
    states, ours = [], tuple(s[0] for s in state)
    for t in range(T):
        ours = step(name, activation, x[t], ours, *(torch.tensor(q[0]) for q in p.parameters))
        states.append(ours[0])
    torch.testing.assert_close(torch.stack(states), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours[-1], (final[-1] if name == "lstm" else final)[0], atol=1e-12, rtol=0)
    assert distance(p.run()[0][0][0, 1:], expected.detach().numpy()) < 1e-12
    grads = dict(zip(("W", "U", "b_x", "b_h"), (dict(module.named_parameters())[key] for key in names), strict=True))
    final = final if name == "lstm" else (final,)
    sum((s[0] * torch.tensor(g[0])).sum() for s, g in zip(final, p.last, strict=True)).backward()
    for key, value in grads.items():
        assert distance(answer(p)[key][0], value.grad.numpy()) < 1e-10, key


@pytest.mark.parametrize(("name", "activation"), CASES)
def test_a_window_as_long_as_the_sequence_is_the_whole(name, activation):
    p = problem(name, activation, T=7, R=2, B=3, H=5, D=2, dtype=np.float32)
    whole, seven, more = answer(p), answer(p, 7), answer(p, 100)
    for key, value in whole.items():
        assert np.array_equal(value, seven[key]), key
        assert np.array_equal(value, more[key]), key


@pytest.mark.parametrize(("name", "activation"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-3), (np.float64, 1e-9)])
@pytest.mark.parametrize("size", [1e-20, 1.0])
def test_sparse_losses_meet_adjoints_that_vanished(name, activation, dtype, tolerance, size):
    """float32 autograd would have lost them 60 orders of magnitude ago; each row then has a scale of its own.

    1e-3 is 2e-3 of an adjoint 60 steps back: 1 - h^2 as float32 has it, at every step.
    """
    T = 120
    p = problem(name, activation, T=T, R=2, B=5, H=7, D=3, dtype=dtype, loss="every", radius=0.15, seed=2)
    p.parameters[1][:] *= dtype(0.3)
    p.parameters[2][:, -7:] -= dtype(3 if activation == "tanh" else 0)  # f of no cell, n of the GRU; saturates a little
    if name != "rnn":
        p.parameters[3][:, 7:14] -= dtype(4)  # the LSTM's forget gate, the GRU's update gate
    p.every[: T - 1] = 0
    p.every[59] = p.every[T - 1] * size * np.arange(5)[:, None]
    expected, measured = twin(p), answer(p)
    levels = [key for key in expected if key.startswith("level")]
    assert min(expected[key][np.isfinite(expected[key])].min() for key in levels) < -38
    for key in levels:
        finite = np.isfinite(expected[key])
        assert np.array_equal(measured[key][~finite], expected[key][~finite])
        np.testing.assert_allclose(measured[key][finite], expected[key][finite], atol=tolerance, err_msg=key)
