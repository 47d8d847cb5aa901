"""Checks of a study's figures before a run."""

from __future__ import annotations

from typing import Any

import pytest
from synthetic_results import SyntheticResults, figures, simulate

from harness.figures.feasibility import figure_faults


def test_a_sound_study_has_no_faults(synthetic: SyntheticResults) -> None:
    assert figure_faults(synthetic.study) == []


@pytest.mark.parametrize(("settings", "words"), [
    ({"kind": "success", "x": "sequence_lenght"}, "did you mean 'sequence_length'"),
    ({"kind": "decay", "hue": "radius"}, "no column 'radius'"),
    ({"kind": "phase", "where": {"cell": "gru"}}, "no point of the grid has cell=gru"),
    ({"kind": "heatmap"}, "one sequence length a panel, here are 20, 50, 100"),
])  # fmt: skip
def test_faults_of_figures_are_named(settings: dict[str, Any], words: str) -> None:
    ((index, fault),) = figure_faults(simulate(figures=figures(settings)).study)
    assert index == 0
    assert words in fault


def test_a_heat_map_with_a_panel_a_length_is_sound() -> None:
    assert figure_faults(simulate(figures=figures({"kind": "heatmap", "col": "sequence_length"})).study) == []
