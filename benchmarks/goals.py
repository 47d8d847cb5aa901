"""The goals: one a row, judged by the median of one measurement."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.measurement import Measurement, Results
from benchmarks.sizes import CELLS, CENTRE, Sizes

Shown = Callable[[float], str]


def times(value: float) -> str:
    return f"{value:.3g}×"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def in_seconds(value: float) -> str:
    return f"{value:.2f} s"


def megabytes(value: float) -> str:
    return f"{value:.0f} MB"


def at_centre(sizes: Sizes) -> bool:
    return sizes == replace(CENTRE, cell=sizes.cell)


def wide(sizes: Sizes) -> bool:
    """The centre with H ≥ 64."""
    return sizes.H >= 64 and at_centre(replace(sizes, H=CENTRE.H))


def longest(sizes: Sizes) -> bool:
    return sizes.T == 20_000


def anywhere(sizes: Sizes) -> bool:
    return True


@dataclass(frozen=True)
class Goal:
    """A bound on one quantity; of several points that qualify, the worst is judged.

    Attributes:
        key: unique; under it `reasons` says why the goal is missed.
        subject: the row's text.
        bound: None for what is shown without a goal.
    """

    key: str
    subject: str
    section: str
    quantity: str
    bound: float | None
    at_least: bool = True
    shown: Shown = times
    cell: str = ""
    where: Callable[[Sizes], bool] = anywhere

    @property
    def text(self) -> str:
        """The bound as the table shows it."""
        if self.bound is None:
            return "–"
        bound = re.sub(r"\.0+(?=\D)", "", self.shown(self.bound))  # 5.0 % is 5 %
        return f"{'≥' if self.at_least else '≤'} {bound}"

    def find(self, results: Results) -> Measurement | None:
        """The measurement that is judged, or None if there is none."""
        section = results.get(self.section)
        rows = [
            row
            for row in (section.rows if section else ())
            if row.quantity == self.quantity and row.cell == self.cell and self.where(row.sizes)
        ]
        return (min if self.at_least else max)(rows, key=lambda row: row.median, default=None)

    def verdict(self, row: Measurement | None) -> str:
        """reached, missed, "not measured", or nothing without a bound."""
        if row is None:
            return "not measured"
        if self.bound is None:
            return ""
        return "reached" if (row.median >= self.bound if self.at_least else row.median <= self.bound) else "missed"


def by_cell(
    key: str, subject: str, section: str, quantity: str, bounds: tuple[float | None, ...], **rest: object
) -> list[Goal]:
    """One goal for each cell."""
    return [
        Goal(f"{key} {cell}", f"{subject}: {cell}", section, quantity, bound, cell=cell, **rest)  # type: ignore[arg-type]
        for cell, bound in zip(CELLS, bounds, strict=True)
    ]


GOALS: tuple[Goal, ...] = (
    *by_cell("loop", "torch.nn cell loop with retain_grad", "step", "loop", (8, 5, 6), where=at_centre),
    *by_cell("module", "torch.nn module, recording nothing", "step", "module", (4, 1.7, 4), where=at_centre),
    *by_cell("jax", "JAX jit(vmap(scan)), recording", "step", "jax", (2, 2, None), where=at_centre),
    *by_cell(
        "limit", "share of the arithmetic limit, H ≥ 64, products at the rate of their own shapes", "step",
        "limit, own shapes", (0.6, 0.6, 0.6), shown=percent, where=wide,
    ),
    *by_cell(
        "best", "the same at the machine's best rate over all sizes", "step",
        "limit, best rate", (0.6, 0.6, 0.6), shown=percent, where=wide,
    ),
    *by_cell(
        "recording", "what recording every update costs", "step", "recording", (0.05, 0.05, 0.05),
        at_least=False, shown=percent, where=at_centre,
    ),
    Goal("two jobs", "two jobs against one, a sweep of a minute", "sweeps", "two jobs against one", 1.85),
    Goal(
        "not training", "what is not training, of a study of ten minutes", "sweeps",
        "not training, of ten minutes", 0.05, at_least=False, shown=percent,
    ),
    Goal(
        "peer script", "joblib + torch.nn script of the same study, end to end", "sweeps",
        "script against harness", 5,
    ),
    Goal(
        "torch engine", "--engine torch, a short sweep, end to end", "sweeps",
        "torch engine against fused kernels", None,
    ),
    *by_cell(
        "linear", "time against T to 2000, largest deviation from a straight line", "growth",
        "deviation from a straight line", (0.15, 0.15, 0.15), at_least=False, shown=percent,
    ),
    *by_cell(
        "long steps", "peak memory at T = 20,000, training steps", "growth", "peak memory", (1000, 1000, 1000),
        at_least=False, shown=megabytes, where=longest,
    ),
    *by_cell(
        "long run", "peak memory at T = 20,000, a whole run", "growth",
        "peak memory of a whole run", (1000, 1000, 1000), at_least=False, shown=megabytes, where=longest,
    ),
    Goal(
        "plan", "a plan of 10,000 runs, start-up included", "fixed", "the same as a process, -n", 2,
        at_least=False, shown=in_seconds,
    ),
    Goal(
        "read", "the tables of 10,000 runs read", "fixed", "tables of 10,000 runs read", 3,
        at_least=False, shown=in_seconds,
    ),
)  # fmt: skip
