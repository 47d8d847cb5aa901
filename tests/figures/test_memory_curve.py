"""The mean field's memory goes through the cells of a phase diagram where its numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from harness.figures.memory_curve import MemoryCurve
from harness.theory.mean_field import fixed_point, time_scale

CURVE = MemoryCurve(multiple=5.0, input_variance=0.02, input_correlation=0.6)


def test_the_curve_is_a_multiple_of_the_mean_fields_time_scale() -> None:
    radii = np.array([0.3, 0.8, 1.1, 2.0])
    expected = [5 * time_scale(fixed_point(ρ**2, 0.02, 0.6).chi) for ρ in radii]
    np.testing.assert_allclose(CURVE.steps(radii), expected, rtol=1e-12)


def test_below_criticality_and_without_drive_a_gradient_falls_by_the_radius_a_step() -> None:
    curve = MemoryCurve(multiple=1.0, input_variance=0.0, input_correlation=1.0)
    np.testing.assert_allclose(curve.steps(np.array([0.5, 0.9])), [-1 / np.log(0.25), -1 / np.log(0.81)], rtol=1e-12)


def test_it_passes_the_middle_of_the_cell_it_names_and_leaves_the_diagram_where_it_is_longer() -> None:
    across = [0.4, 0.8, 1.1]
    at = CURVE.steps(np.array(across[:2]))
    up = [float(at[0]), float(at[1]), 2 * float(at[1])]  # at ρ = 1.1 it is longer than all of these
    ax = Figure().add_subplot()
    CURVE.draw(ax, across, up)
    x, y = ax.lines[0].get_data()
    assert np.interp(0.5, x, y) == pytest.approx(0.5, abs=0.02)
    assert np.interp(1.5, x, y) == pytest.approx(1.5, abs=0.02)
    assert np.isnan(y[-1])
    assert np.nanmax(y) <= 2.5
