"""NaN and infinity: they reach all that comes after them in their own sequence, and no other sequence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scan_problems import CASES, answer, problem


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("real", [False, True])
def test_a_nan_reaches_what_comes_after_it_in_its_own_sequence_alone(dtype, name: str, real: bool) -> None:
    B, H = 5, 19
    p = problem(name, T=5, B=B, H=H, D=3, dtype=dtype, real=real, loss="both", radius=0.9)
    clean = answer(p)
    state = tuple(part.clone() for part in p.state)
    state[0][0, 1, H - 1] = np.nan
    results = answer(replace(p, state=state))
    others = [b for b in range(B) if b != 1]
    for key in ("h", *(f"last {i}" for i in range(len(state)))):
        assert np.isnan(results[key][..., 1, :]).all()
        assert np.array_equal(results[key][..., others, :], clean[key][..., others, :])
    assert np.isnan(results["∂W"]).any()
    if name != "relu":  # whose slope at NaN is 1, as torch has it
        assert np.isnan(results["level"][:, 0]).all()


@pytest.mark.parametrize("name", ["rnn", "lstm", "orthogonal", "minlstm"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_input_that_is_not_finite_stays_in_its_sequence(name: str, value: float) -> None:
    p = problem(name, T=6, B=19, H=5, D=3, dtype=torch.float32, real=True, loss="every")
    clean = answer(p)
    p.inputs[2, 0, 4, 1] = value
    results = answer(p)
    others = [b for b in range(19) if b != 4]
    assert results["h"][:, :, others].tobytes() == clean["h"][:, :, others].tobytes()
    np.testing.assert_allclose(results["h"], answer(p, "torch")["h"], atol=1e-5)
    if np.isnan(value):
        assert np.isnan(results["h"][0, 2:, 4]).any(-1).all()
        assert np.isnan(results["∂b_x"]).any()
