"""Networks of several layers in figures of the gradient: which layer and direction is shown where none is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.study.matching import matches
from harness.study.pooling import of_settings
from harness.study.spec import StudySpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import pandas as pd

LAYERS = ("layer", "direction")  # columns of the table of gradients


def one_layer(gradients: pd.DataFrame, *shown: str | None) -> pd.DataFrame:
    """The rows of the first layer's forward direction, but all layers or directions where those are shown apart."""
    for column, first in (("layer", 1), ("direction", "forward")):
        if column in gradients.columns and column not in shown:
            gradients = gradients[gradients[column] == first]
    return gradients


def about_layers(study: StudySpec, where: Mapping[str, Any], *shown: str | None) -> str:
    """The sentence of a caption that says which layer is shown; empty where networks have one."""
    rows = [row for point in study.points if matches(row := point.columns(), of_settings(where))]
    parts = []
    if "layer" not in shown and any(row.get("layers") not in (None, 1) for row in rows):
        parts.append("layer, the one next to the input")
    if "direction" not in shown and any(row.get("bidirectional") for row in rows):
        parts.append("direction of time")
    return f" Of several layers or directions, the first {' and the first '.join(parts)}." if parts else ""
