"""Gradient of a parameter at the recorded updates: mean shares of its entries by size, its lines, and their axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from harness.schema import Values

NORM, SHARE, HISTOGRAM = "log10_gradient_norm", "update_share", "gradient_histogram"  # of a parameter, as quantities


@dataclass(frozen=True)
class ParameterMap:
    """One panel's data at each update: `n` runs, the mean `shares` of entries (bins, updates), and lines, in log10."""

    n: list[int]
    shares: Values
    lines: Mapping[str, Values]

    @property
    def broken(self) -> list[int]:
        """Where runs were recorded and the gradient of one of them is not finite."""
        import numpy as np

        return [k for k, n in enumerate(self.n) if n and np.isnan(self.shares[:, k]).any()]


@dataclass(frozen=True)
class Sizes:
    """The vertical axis, log10: the bins that are shown, from `low` to `high`, and the two ends apart from them.

    Attributes:
        edges: of all bins but the ends, in equal steps.
        zero, infinite: whether the ends are shown.
    """

    edges: Values
    low: float
    high: float
    zero: bool
    infinite: bool

    @classmethod
    def of(cls, centres: Values, maps: Sequence[ParameterMap]) -> Sizes:
        """What all these maps need."""
        import numpy as np

        edges = (centres[1:] + centres[:-1]) / 2
        filled = np.nansum(np.hstack([each.shares for each in maps]), axis=1) > 0
        lines = [line[np.isfinite(line)] for each in maps for line in each.lines.values()]
        inside = np.flatnonzero(filled[1:-1])
        values = np.concatenate([edges[inside], edges[inside + 1], *lines])
        low, high = (values.min(), values.max()) if len(values) else (-1.0, 0.0)
        return cls(edges, float(low) - 0.25, float(high) + 0.25, bool(filled[0]), bool(filled[-1]))

    @property
    def height(self) -> float:
        """Of an end."""
        return max(0.5, 0.08 * (self.high - self.low))

    @property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where the ends are, below and above: half their height apart from the others."""
        h = self.height
        return (self.low - 1.5 * h, self.low - 0.5 * h), (self.high + 0.5 * h, self.high + 1.5 * h)

    @property
    def limits(self) -> tuple[float, float]:
        """Of the axis."""
        below, above = self.ends
        return below[0] if self.zero else self.low, above[1] if self.infinite else self.high

    def ticks(self) -> tuple[list[float], list[str]]:
        """Powers of ten, and 0 and ∞ at the ends, with room around their labels."""
        from matplotlib.ticker import MaxNLocator

        h, (below, above) = self.height, self.ends
        first, last = self.low + 0.75 * h * self.zero, self.high - 0.75 * h * self.infinite
        powers = [float(x) for x in MaxNLocator(nbins=4, integer=True).tick_values(first, last) if first <= x <= last]
        at = [below[0] + h / 2] * self.zero + powers + [above[0] + h / 2] * self.infinite
        return at, ["0"] * self.zero + [f"$10^{{{x:.0f}}}$" for x in powers] + ["∞"] * self.infinite


def by_parameter(profiles: pd.DataFrame) -> pd.DataFrame:
    """The rows of the table of profiles that are of a parameter, with its name and what was measured of it."""
    parts = profiles["quantity"].map(lambda quantity: quantity.partition(" of "))
    named = profiles.assign(measure=parts.str[0], parameter=parts.str[2])
    return named[named["measure"].isin([NORM, SHARE, HISTOGRAM])]


def parameter_map(rows: pd.DataFrame, updates: Sequence[int]) -> ParameterMap:
    """Means over runs of one parameter's rows, at these updates; NaN where nothing was recorded, or not finite."""
    import numpy as np

    from harness.statistics.intervals import finite_mean

    bins = len(rows.loc[rows["measure"] == HISTOGRAM, "measured"].iloc[0])
    n, shares = [0] * len(updates), np.full((bins, len(updates)), np.nan)
    lines = {measure: np.full(len(updates), np.nan) for measure in (NORM, SHARE)}
    for k, update in enumerate(updates):
        of_update = rows[rows["update"] == update]
        for measure in of_update["measure"].unique():
            measured = of_update.loc[of_update["measure"] == measure, "measured"]
            values = np.stack([np.asarray(entries, dtype=np.float64) for entries in measured])
            if measure == HISTOGRAM:
                n[k], shares[:, k] = len(values), values.mean(axis=0)
                continue
            with np.errstate(divide="ignore"):
                mean = finite_mean(np.log10(values) if measure == SHARE else values)[0]
            lines[measure][k] = mean if np.isfinite(mean) else np.nan
    return ParameterMap(n, shares, lines)
