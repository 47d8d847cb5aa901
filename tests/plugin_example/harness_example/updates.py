import math
from typing import TYPE_CHECKING

from harness.verdicts.metrics import Measured, Metric

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def per_seed(runs: "pd.DataFrame") -> "pd.Series[float]":
    """Updates that each seed made, mean over its runs."""
    return runs["updates"].astype("float64").groupby(runs["seed"]).mean()


def most_updates(runs: "pd.DataFrame", generator: "np.random.Generator", level: float) -> Measured:
    """The most updates that any run made; a largest value has no interval at any level."""
    return Measured(float(runs["updates"].max()), math.nan, math.nan, len(runs), runs["seed"].nunique())


MOST_UPDATES = Metric(
    "most_updates",
    "most updates",
    "the most updates that any run made",
    most_updates,
    per_seed,
    decimals=0,
    better=-1,
    sampled=False,
)
