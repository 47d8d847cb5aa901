"""The goals: one a row, judged by the median of one measurement."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.measurement import Measurement, Results
from benchmarks.sizes import BUILT_IN, CELLS, CENTRE, OTHERS, Sizes

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


def any_width(sizes: Sizes) -> bool:
    """The centre with any H."""
    return at_centre(replace(sizes, H=CENTRE.H))


def wide(sizes: Sizes) -> bool:
    """The centre with H ≥ 128."""
    return sizes.H >= 128 and any_width(sizes)


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
        cells: whose measurements qualify; "" for what is measured of no cell.
        named: what is named of the one that is judged, where several qualify: "cell" or "H".
    """

    key: str
    subject: str
    section: str
    quantity: str
    bound: float | None
    at_least: bool = True
    shown: Shown = times
    cells: tuple[str, ...] = ("",)
    where: Callable[[Sizes], bool] = anywhere
    named: str = ""

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
            if row.quantity == self.quantity and row.cell in self.cells and self.where(row.sizes)
        ]
        return (min if self.at_least else max)(rows, key=lambda row: row.median, default=None)

    def place(self, row: Measurement) -> str:
        """Which of several was judged."""
        return {"": "", "cell": f" for {row.cell}", "H": f" at H = {row.H}"}[self.named]

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
        Goal(f"{key} {cell}", f"{subject}: {cell}", section, quantity, bound, cells=(cell,), **rest)  # type: ignore[arg-type]
        for cell, bound in zip(CELLS, bounds, strict=True)
    ]


GOALS: tuple[Goal, ...] = (
    *by_cell(
        "module", "torch.nn module, recording nothing", "step", "module", (None, 2.2, None), where=at_centre,
    ),
    Goal(
        "module lstm widths", "torch.nn module, recording nothing, every H: lstm", "step", "module", 1.5,
        cells=("lstm",), where=any_width, named="H",
    ),
    *by_cell(
        "batched", "all replicas by bmm in torch, recording", "step", "batched", (5, 5, 5), where=at_centre,
    ),
    *by_cell(
        "batched, silent", "all replicas by bmm in torch, recording nothing", "step", "batched, silent", (4, 4, 4),
        where=at_centre,
    ),
    *by_cell(
        "compiled", "the same by torch.compile, recording", "step", "compiled", (None,) * 3, where=at_centre,
    ),
    *by_cell(
        "compiled, silent", "the same by torch.compile, recording nothing", "step", "compiled, silent", (None,) * 3,
        where=at_centre,
    ),
    *by_cell("jax", "JAX jit(vmap(scan)), recording", "step", "jax", (3, 3, 3), where=at_centre),
    *by_cell("loop", "torch.nn cell loop with retain_grad", "step", "loop", (None,) * 3, where=at_centre),
    Goal(
        "other loops", "every other cell: its equations in a torch loop with retain_grad", "cells", "loop", 15,
        cells=OTHERS, named="cell",
    ),
    Goal(
        "other engines", "every other cell: the harness's own torch engine, gradient alone", "cells",
        "torch engine", 15, cells=OTHERS, named="cell",
    ),
    Goal(
        "other flops", "every other cell: time of a FLOP against the LSTM's, gradient alone", "cells",
        "a FLOP against the LSTM's", 1.5, at_least=False, cells=OTHERS, named="cell",
    ),
    *by_cell(
        "two layers", "two layers recorded, torch.nn module of two recording nothing", "depth", "module, two layers",
        (None, 1, None),
    ),
    *by_cell(
        "stack", "two layers against the same layers one by one", "depth", "stack against its layers", (1.1,) * 3,
        at_least=False,
    ),
    *by_cell(
        "watch", "a record of a watched module, beside the module's own forward and backward pass", "watch", "a record",
        (2, 2, 2), at_least=False,
    ),
    *by_cell(
        "watch waiting", "a pass of a watched module that is not recorded, beside one of a module alone", "watch",
        "not recorded", (None,) * 3, at_least=False,
    ),
    *by_cell(
        "best", "share of the machine's best product rate, H = 50", "step", "limit, best rate", (0.45,) * 3,
        shown=percent, where=at_centre,
    ),
    *by_cell(
        "best wide", "share of the machine's best product rate, H ≥ 128", "step", "limit, best rate", (0.6,) * 3,
        shown=percent, where=wide, named="H",
    ),
    *by_cell(
        "limit", "the same at the rate of the products' own shapes, H = 50", "step", "limit, own shapes", (None,) * 3,
        shown=percent, where=at_centre,
    ),
    *by_cell(
        "limit wide", "the same at the rate of the products' own shapes, H ≥ 128", "step", "limit, own shapes",
        (None,) * 3, shown=percent, where=wide, named="H",
    ),
    *by_cell(
        "recording", "what recording every update costs", "step", "recording", (0.05, 0.05, 0.05),
        at_least=False, shown=percent, where=at_centre,
    ),
    Goal("two jobs", "two jobs against one, a sweep of a minute", "sweeps", "two jobs against one", 1.8),
    Goal(
        "not training", "what is not training, of a study of ten minutes", "sweeps",
        "not training, of ten minutes", 0.05, at_least=False, shown=percent,
    ),
    Goal(
        "peer script", "joblib + torch.nn script of the same study, end to end", "sweeps",
        "script against harness", 5,
    ),
    Goal(
        "start", "48 runs of one update with five figures, two jobs", "fixed", "48 runs of one update, five figures", 5,
        at_least=False, shown=in_seconds,
    ),
    *by_cell(
        "linear", "time against T to 2000, largest deviation from a straight line", "growth",
        "deviation from a straight line", (0.15, 0.15, 0.15), at_least=False, shown=percent,
    ),
    Goal(
        "long run", "peak memory at T = 20,000, a whole run, every cell", "growth", "peak memory of a whole run", 1000,
        at_least=False, shown=megabytes, cells=tuple(BUILT_IN), where=longest, named="cell",
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
