"""The closed form of a minimal cell's start is drawn where all runs of a line have that start, and nowhere else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from artists import dashed, entries

from harness.figures.decay import decay
from harness.figures.minimal_decay import decay as closed_form
from harness.theory.minimal import chrono_slope, mingru_slope, minlstm_slope

LAGS = np.arange(6)
ROW = {"task": "temporal_order", "level": None, "init": "paper", "sequence_length": 20, "zoneout": 0.0, "layers": 1}
MINGRU = ROW | {"cell": "mingru", "forget_bias": None, "eigenvalues": "positive"}


def group(**settings: object) -> pd.DataFrame:
    return pd.DataFrame([MINGRU | settings] * 2)


@pytest.mark.parametrize(
    ("settings", "slope"),
    [
        ({}, mingru_slope(8, 5, 4)),
        ({"cell": "minlstm", "eigenvalues": None}, minlstm_slope(8, 5, 4)),
        ({"cell": "minlstm", "eigenvalues": None, "forget_bias": "chrono"}, chrono_slope(20, 5)),
    ],
)
def test_the_decay_at_each_lag_is_that_of_the_closed_form(settings: dict[str, object], slope: float) -> None:
    values = closed_form(group(**settings), LAGS)
    assert values is not None
    assert values[0] == 0
    assert values[5] == pytest.approx(5 * slope)


@pytest.mark.parametrize(
    "settings",
    [{"cell": "gru"}, {"eigenvalues": "signed"}, {"task": "echo"}, {"zoneout": 0.1}, {"layers": 2}, {"level": "easy"}],
)
def test_there_is_none_for_another_start(settings: dict[str, object]) -> None:
    assert closed_form(group(**settings), LAGS) is None
    assert closed_form(pd.concat([group(), group(sequence_length=30)]), LAGS) is None


def test_it_is_dashed_from_the_value_at_lag_zero() -> None:
    levels = [-2.0, -1.5, -1.0, -0.5]  # t = 1 … 4
    runs = group().assign(run_id=["a", "b"], update=0, seed=[1, 2], log10_adjoint=[levels, levels])
    runs["initial_spectral_radius"] = np.nan
    figure = decay(runs, hue=None, theory=("mingru",))
    [line] = dashed(figure.axes[0])
    assert line.get_ydata()[0] == -0.5
    assert any("closed form" in text for legend in figure.legends for text in entries(legend))
    assert not dashed(decay(runs, hue=None).axes[0])
