"""Networks of several layers in figures of the gradient: which layer and direction is shown where none is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.study.matching import canonical, matches
from harness.study.pooling import of_settings
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pandas as pd

LINEAR = ("layers", "normalisation", "normalised", "zoneout")  # settings on which `linear` depends
LAYERS = ("layer", "direction")  # columns of the table of gradients
OWN_STEPS = (
    "A backward direction counts its own steps: its step T, at which the lag is 0, is its last one, "
    "the first of the sequence."
)


def one_layer(gradients: pd.DataFrame, *shown: str | None) -> pd.DataFrame:
    """The rows of the first layer's forward direction, but all layers or directions where those are shown apart."""
    for column, first in (("layer", 1), ("direction", "forward")):
        if column in gradients.columns and column not in shown:
            gradients = gradients[gradients[column] == first]
    return gradients


def about_layers(study: StudySpec, where: Mapping[str, Any], *shown: str | None) -> str:
    """The sentence of a caption that says which layer is shown; empty where networks have one."""
    rows = _shown(study, where)
    parts = []
    if "layer" not in shown and any(row.get("layers") not in (None, 1) for row in rows):
        parts.append("layer, the one next to the input")
    if "direction" not in shown and any(row.get("bidirectional") for row in rows):
        parts.append("direction of time")
    return f" Of several layers or directions, the first {' and the first '.join(parts)}." if parts else ""


def about_directions(study: StudySpec, where: Mapping[str, Any], *shown: str | None) -> str:
    """The sentence of a caption that says how a backward direction's steps count; empty where none is shown."""
    backward = "direction" in shown and any(row.get("bidirectional") for row in _shown(study, where))
    return f" {OWN_STEPS}" if backward else ""


def linear(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether h_t = φ(W h_{t−1} + U x_t) is all that a gradient passes, so that the linear theory is ρ^lag.

    In a stack a gradient comes from the layer above at every step, a normalised recurrence has another Jacobian, and
    zoneout keeps a part of the state.

    Args:
        rows: settings as columns; what is not there has its default.
    """
    return not any(
        layers not in (None, 1)
        or (normalisation not in (None, "none") and normalised != "between")
        or zoneout not in (None, 0)
        for layers, normalisation, normalised, zoneout in (
            [canonical(row.get(name)) for name in LINEAR] for row in rows
        )
    )


def _shown(study: StudySpec, where: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The settings of the points that a figure shows."""
    return [row for point in study.points if matches(row := point.columns(), of_settings(where))]
