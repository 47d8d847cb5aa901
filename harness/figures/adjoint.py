"""How figures name the recorded adjoints: the table's column, and ∂L/∂h_t or ∂L/∂c_t in a caption and on an axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from harness.errors import HarnessError
from harness.schema import BATCH_STATISTICS

if TYPE_CHECKING:
    import pandas as pd

GradientPath = Literal["hidden", "cell"]
Statistic = Literal["mean", "geometric", "median"]

COLUMN: Mapping[str, str] = {"hidden": "log10_adjoint", "cell": "log10_adjoint_cell"}
SYMBOL: Mapping[str, str] = {"hidden": "∂L/∂h_t", "cell": "∂L/∂c_t"}
NORM: Mapping[str, str] = {  # on an axis, as mathtext
    "hidden": r"$\|\partial L/\partial h_t\|$",
    "cell": r"$\|\partial L/\partial c_t\|$",
}
GEOMETRIC, LOWER, MEDIAN, UPPER = (f"_{statistic}" for statistic in BATCH_STATISTICS)  # ends of columns
SUFFIX: Mapping[str, str] = {"mean": "", "geometric": GEOMETRIC, "median": MEDIAN}
OVER_BATCH: Mapping[str, str] = {
    "mean": "batch mean",
    "geometric": "geometric mean over the batch",
    "median": "median over the batch",
}
STATISTIC = (
    "over the batch: the mean norm, which the largest sequences dominate; geometric, the mean of each sequence's "
    "logarithm; or their median"
)


def column_of(path: str, statistic: str) -> str:
    """The column of the table of gradients."""
    return COLUMN[path] + SUFFIX[statistic]


def demand_statistic(gradients: pd.DataFrame, paths: list[str], statistic: str) -> None:
    """Refuse records that have the mean norm alone, which were written before the others were recorded.

    Raises:
        HarnessError: they have not this statistic.
    """
    known = gradients[[COLUMN[path] for path in paths]].notna().any(axis=None)
    if known and not gradients[[column_of(path, statistic) for path in paths]].notna().any(axis=None):
        raise HarnessError(
            f"nothing to draw: these records have the batch mean of the gradient alone, not the {OVER_BATCH[statistic]}"
            "; they are of an earlier version: compute the runs again, or choose statistic: mean"
        )
