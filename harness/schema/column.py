"""What is declared of a column, and of a table: name, type, unit, meaning, and how it is shown and judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pyarrow as pa

SCHEMA_VERSION = 1  # raised when a table's columns change their meaning; a folder of another version is refused


@dataclass(frozen=True)
class MetricOptions:
    """How expectations and comparisons use a measured column; the column is then a metric by its own name.

    Attributes:
        statistic: over seeds: "iqm" (interquartile mean, with an interval) or "largest" (of all runs; a promise or a
            closed form has no interval).
        decimals: that are written.
        better: 1 where higher is better, −1 where lower is, 0 where a change either way is for the worse.
        margin: how much worse one cell of a grid may become before a comparison calls it a regression, in the column's
            unit, chosen by how often chance alone exceeds it (docs/comparing.md); None: only the test over the whole
            grid decides.
        limits: smallest and largest possible value; an interval of few seeds needs them.
        untrained: it is measured before training, so that a run that diverges has it as well.
    """

    statistic: Literal["iqm", "largest"]
    decimals: int
    better: Literal[-1, 0, 1]
    margin: float | None = None
    untrained: bool = False
    limits: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True)
class Column:
    """One column: name, arrow type, unit ("" for a pure number) and meaning, and how it is shown.

    Attributes:
        label: on an axis, with symbol and unit; "": the name in words, and the unit.
        short: in a title or a legend; "": the name in words.
        null: what a null means where it is a value of the column ("full").
        unset: what a null means otherwise, where it means more than "none" ("drawn").
        order: words whose order is not that of the alphabet, first to last.
        sequential: its values lie on a scale: drawn from light to dark.
        metric: how it is judged, where it is a metric.
    """

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    label: str = ""
    short: str = ""
    null: str = ""
    unset: str = ""
    order: tuple[str, ...] = ()
    sequential: bool = False
    metric: MetricOptions | None = None

    @property
    def labelled(self) -> bool:
        """Whether something is said of how it is shown."""
        return bool(self.label or self.short or self.null or self.unset or self.order or self.sequential)

    def field(self) -> pa.Field:
        return pa.field(self.name, self.type, metadata={"unit": self.unit, "meaning": self.meaning})


@dataclass(frozen=True)
class Table:
    """One table: a row is one `grain`."""

    name: str
    grain: str
    columns: tuple[Column, ...]

    @cached_property
    def own_schema(self) -> pa.Schema:
        """The schema without settings."""
        return self.schema()

    def schema(self, settings: Sequence[Column] = ()) -> pa.Schema:
        """The arrow schema; `settings` go in after the first column (only the table of runs has them)."""
        first, *rest = self.columns
        meta = {"harness_schema": str(SCHEMA_VERSION), "grain": self.grain}
        return pa.schema([c.field() for c in (first, *settings, *rest)], metadata=meta)


PER_STEP = pa.list_(pa.float32())
BATCH_STATISTICS = ("geometric", "q25", "q50", "q75")  # of log10 of each sequence's norm, beside the mean norm

RUN_ID = Column(
    "run_id", pa.string(), "", "hash of the settings that differ from their default, the seed and the numerics version"
)
