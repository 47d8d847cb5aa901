"""The contract of a metric: how a group of runs is measured, with its interval, and what each seed scores.

Read whenever a study is read: pandas is not loaded for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from inspect import signature
from typing import TYPE_CHECKING, Literal, Protocol, cast

from harness.errors import HarnessError
from harness.study.spec import CONFIDENCE

UNLIMITED = (-math.inf, math.inf)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class Measured:
    """A metric of one group of runs: value and confidence interval, from `runs` runs of `seeds` seeds.

    An end is NaN where these seeds give no interval.
    """

    value: float
    low: float
    high: float
    runs: int
    seeds: int


class Measure(Protocol):
    """How a group of runs is measured."""

    def __call__(self, runs: pd.DataFrame, generator: np.random.Generator, level: float, /) -> Measured:
        """Value and two-sided confidence interval of a group of runs.

        Args:
            runs: rows of the table of runs that have a result, every setting and measurement a column; never empty.
            generator: source of bootstrap resamples: the same state gives the same interval.
            level: confidence of the interval, such as .95.
        """


class MeasureAt95(Protocol):
    """How a group of runs is measured by a metric that knows one confidence only, .95."""

    def __call__(self, runs: pd.DataFrame, generator: np.random.Generator, /) -> Measured:
        """As `Measure`, at .95. At any other level the metric has no interval, and expectations are undecided."""


class PerSeed(Protocol):
    """What each seed of a group scores: what is paired between two groups."""

    def __call__(self, runs: pd.DataFrame) -> pd.Series[float]:
        """One number a seed, indexed by seed; NaN where one of its runs has none (`seed_means`)."""


@dataclass(frozen=True)
class Metric:
    """One metric: the contract of what an expectation can be about, built in or brought by a package.

    Attributes:
        name: by which a study's expectations and `--metric` name it.
        label: on an axis and in a table.
        meaning: a sentence for people, with the statistic, its interval, and how a diverged run counts.
        measure: of a group of runs; its value is NaN where a run has none and no rule says how it counts.
        per_seed: of each seed, for paired tests.
        decimals: that are written.
        better: 1 where higher is better, −1 where lower is, 0 where a change either way is for the worse.
        margin: how much worse one cell of a grid may become before a comparison calls it a regression, chosen by how
            often chance alone exceeds it (docs/comparing.md); None: only the test over the whole grid decides.
        unit: of the measured value; "" for a pure number.
        statistic: over seeds, which sets how many an interval needs: "rate", "iqm" (interquartile mean), "median", or
            "own" of a package.
        limits: smallest and largest possible value; known ones make the interval of an interquartile mean narrower.
        sampled: whether seeds are a sample of what it measures. It is judged on its value otherwise: a largest residual
            has no interval at any number of seeds.
    """

    name: str
    label: str
    meaning: str
    measure: Measure | MeasureAt95
    per_seed: PerSeed
    decimals: int
    better: Literal[-1, 0, 1]
    margin: float | None = None
    unit: str = ""
    statistic: Literal["rate", "iqm", "median", "own"] = "own"
    limits: tuple[float, float] = UNLIMITED
    sampled: bool = True

    def of(self, runs: pd.DataFrame, generator: np.random.Generator, level: float = CONFIDENCE) -> Measured:
        """`measure`, without a value where a seed has none: a plug-in may have judged those that remain."""
        group, seeds = self._measured(runs, generator, level), self.per_seed(runs)
        for name, given, kind in (("measure", group, "Measured"), ("per_seed", seeds, "Series")):
            if type(given).__name__ != kind:  # a plug-in's; pandas is not loaded for its name
                raise HarnessError(f"metric '{self.name}': {name} returned {type(given).__name__}, not a {kind}")
        missing = int(seeds.isna().sum())
        return Measured(math.nan, math.nan, math.nan, group.runs, group.seeds) if missing else group

    def _measured(self, runs: pd.DataFrame, generator: np.random.Generator, level: float) -> Measured:
        if _takes_level(self.measure):
            return cast("Measure", self.measure)(runs, generator, level)
        group = cast("MeasureAt95", self.measure)(runs, generator)
        if level == CONFIDENCE or not isinstance(group, Measured):
            return group
        return replace(group, low=math.nan, high=math.nan)

    def text(self, value: float) -> str:
        """A number of this metric in words: '0.88', '700', '> budget' where the data end before it."""
        if math.isnan(value):
            return "–"
        if math.isinf(value):
            return "> budget" if self.name == "solved_at" else "−∞" if value < 0 else "∞"
        return f"{value:z.{self.decimals}f}"


def _takes_level(measure: Measure | MeasureAt95) -> bool:
    """Whether a function can be called with a level; packages for earlier versions take runs and a generator."""
    try:
        signature(measure).bind(None, None, CONFIDENCE)
    except TypeError:
        return False
    except ValueError:  # a function of C, which has no signature that can be read
        return True
    return True
