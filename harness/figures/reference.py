"""Dotted reference lines: what guessing, or the best memoryless prediction, would score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.study.at_length import at_length
from harness.verdicts.metrics import parts

if TYPE_CHECKING:
    import pandas as pd


class Reference(NamedTuple):
    """A score to compare with: its name, what it is, and its value for each run, from columns of the runs."""

    name: str
    meaning: str
    of: Callable[[pd.DataFrame], pd.Series[float]]

    @property
    def caption(self) -> str:
        """A sentence of a caption."""
        return f" Dotted: {self.meaning}."


def _memoryless(runs: pd.DataFrame) -> pd.Series[float]:
    return runs["memoryless_loss"].astype("float64")


CHANCE = Reference("chance", "the accuracy of guessing", lambda runs: runs["chance"].astype("float64"))
MEMORYLESS = Reference("memoryless", "the best prediction from the present input alone", _memoryless)

# By the name of a metric; metrics without an entry have no reference.
OF_METRIC: Mapping[str, Reference] = {
    "final_accuracy": CHANCE,
    "final_loss": MEMORYLESS,
    "bits_per_symbol": MEMORYLESS._replace(of=lambda runs: _memoryless(runs) / math.log(2)),
    "loss_to_memoryless": MEMORYLESS._replace(of=lambda runs: _memoryless(runs) * 0 + 1),  # NaN where it is unknown
}


def of_metric(name: str) -> Reference | None:
    """What a metric is compared with; None where there is nothing."""
    word, length = parts(name)
    if word != "accuracy_at_length" or length is None:
        return OF_METRIC.get(name)
    column = at_length("chance", length)
    return CHANCE._replace(of=lambda runs: runs[column] if column in runs.columns else runs["chance"] * math.nan)


def line_style() -> dict[str, Any]:
    """The line of a reference."""
    from harness.figures import style

    return {"color": style.faint(), "linestyle": ":", "linewidth": style.scaled(0.8)}


def handle(reference: Reference) -> Any:
    """A legend's entry of a reference."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=reference.name, **line_style())
