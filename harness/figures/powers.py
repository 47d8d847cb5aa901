"""Ticks and labels of an axis of log10 values: whole decades, and parts of one where the range has less than two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.ticker import Locator, MaxNLocator

MOST = 6  # intervals between ticks
PARTS = ((1, 2, 5), (1, 2, 3, 4, 5, 6, 7, 8, 9))  # of a decade, from few to many


class PowerLocator(Locator):
    """At most seven whole exponents; where the range has fewer than two, m · 10ᵏ with m = 1, 2, 5, or 1 to 9."""

    def __call__(self) -> Any:
        return [] if self.axis is None else self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Any:
        low, high = sorted((float(vmin), float(vmax)))
        slack = 1e-9 * max(1.0, high - low)  # an end of the range is in it
        first, last = math.ceil(low - slack), math.floor(high + slack)
        if last > first:
            return MaxNLocator(nbins=MOST, integer=True).tick_values(low, high)
        for parts in PARTS:
            decades = range(math.floor(low - slack), math.floor(high + slack) + 1)
            exponents = np.array([k + math.log10(m) for k in decades for m in parts])
            inside = exponents[(exponents >= low - slack) & (exponents <= high + slack)]
            if len(inside) > 1:
                return inside
        return MaxNLocator(nbins=MOST - 1).tick_values(low, high)


def power(exponent: float) -> str:
    """10 to an exponent as mathtext: 10⁻², 5·10⁻³, 10^(−1.53) where it is neither."""
    k = round(exponent)
    if math.isclose(exponent, k, abs_tol=1e-9):
        return f"$10^{{{k}}}$"
    k = math.floor(exponent)
    multiple = 10 ** (exponent - k)
    m = round(multiple)
    if math.isclose(multiple, m, rel_tol=1e-6):
        return f"${m}\\cdot10^{{{k}}}$"
    return f"$10^{{{exponent:.6g}}}$"


class StepLocator(MaxNLocator):
    """Whole numbers, at most seven, and fewer where the axis is too short for their labels."""

    def __init__(self) -> None:
        super().__init__(nbins=MOST, integer=True, steps=[1, 2, 5, 10])

    def tick_values(self, vmin: float, vmax: float) -> Any:
        if self.axis is not None:
            # matplotlib's space is for labels three times as wide as high; these have up to three letters
            self.set_params(nbins=max(1, min(MOST, round(1.4 * self.axis.get_tick_space()))))
        return super().tick_values(vmin, vmax)
