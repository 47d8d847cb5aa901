"""The gradient of minimal gated cells before training: closed forms against draws of the cells themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.cells.minimal import MinGRU, MinLSTM
from harness.theory.minimal import chrono_slope, mingru_slope, minlstm_slope, slowest_slope

D, S, T = 8, 4, 40


def slope(cell: MinGRU | MinLSTM, seed: int) -> float:
    """log₁₀ of the root mean square over units of ∂h_T/∂h_1, per step: each of S symbols comes as often as any."""
    weights = cell.start(seed, input_size=D, output_size=1, length=T)
    U, b = torch.tensor(weights["U"]), torch.tensor(weights["b_x"])
    zero = torch.zeros(1, 1, cell.hidden_size, dtype=torch.float64)
    logs = torch.zeros(cell.hidden_size, dtype=torch.float64)
    for symbol in range(S):
        z = (U[:, symbol] + b)[None, None]
        (low,), (high,) = cell.step({}, (zero,), z), cell.step({}, (zero + 1,), z)
        logs += (T - 1) / S * torch.log(high - low)[0, 0]  # the state enters linearly
    return float(torch.log10(torch.exp(2 * logs).mean())) / (2 * (T - 1))


@pytest.mark.parametrize(
    ("cell", "theory"),
    [
        (MinGRU(cell="mingru", hidden_size=40_000), mingru_slope(D, T - 1, S)),
        (MinLSTM(cell="minlstm", hidden_size=40_000), minlstm_slope(D, T - 1, S)),
    ],
    ids=["mingru", "minlstm"],
)
def test_a_wide_cell_as_it_is_drawn_falls_as_the_closed_form_says(cell: MinGRU | MinLSTM, theory: float) -> None:
    assert slope(cell, 3) == pytest.approx(theory, abs=2e-3)
    narrow = cell.alone(20)
    assert np.mean([slope(narrow, seed) for seed in range(30)]) < theory


@pytest.mark.parametrize("cell", ["mingru", "minlstm"])
def test_no_draw_is_slower_than_the_bound(cell: str) -> None:
    kind = MinGRU if cell == "mingru" else MinLSTM
    slopes = [slope(kind(cell=cell, hidden_size=5), seed) for seed in range(50)]
    assert max(slopes) < slowest_slope(D)
    assert slowest_slope(D) == pytest.approx(math.log10(1 / (1 + math.exp(-2 / math.sqrt(D)))))


def test_one_step_is_the_mean_square_of_what_is_kept() -> None:
    a = 1 / math.sqrt(D)
    b, u = np.meshgrid(*2 * [np.linspace(-a, a, 2001)])
    expected = 0.5 * np.log10(np.mean((1 + np.exp(b + u)) ** -2.0))
    assert mingru_slope(D, 1, 1) == pytest.approx(expected, abs=1e-4)


def test_chrono_biases_keep_a_share_that_hardly_depends_on_the_length() -> None:
    total = [chrono_slope(T) * (T - 1) for T in (50, 100, 200, 1000)]
    assert total == pytest.approx(4 * [total[0]], abs=0.03)
    limit = 0.5 * np.log10(np.mean(np.exp(-2 / ((np.arange(100_000) + 0.5) / 100_000))))
    assert total[-1] == pytest.approx(limit, abs=2e-3)
    assert chrono_slope(100, 1) < chrono_slope(100, 99)  # far back only the units that keep most are left
    assert chrono_slope(100, 99) == chrono_slope(100)


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="size of 1 or more, got 0"):
        slowest_slope(0)
    with pytest.raises(ValueError, match="got 0 and 4"):
        mingru_slope(D, 0, 4)
    with pytest.raises(ValueError, match="3 or more, got 2"):
        chrono_slope(2)
