"""Which shipped studies a regression run computes: a sample that fits into an hour, chosen by a seed."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import time

from harness.execution.processes import workers
from harness.registry import read
from harness.study.plan import plan

SEED = int(os.environ.get("REGRESSION_SEED") or time())
BUDGET = 3600.0  # seconds, by predicted cost
AROUND = 20.0  # seconds of a study beside its runs: workers, compilation, tables and figures


def predicted(path: Path) -> float:
    """Predicted seconds of a study on the cores that a sweep takes here; runs that end early make it less."""
    planned = plan(read(path))
    return sum(planned.costs(planned.runs).values()) / workers(-1) + AROUND


def sample(seconds: Mapping[Path, float], seed: int, budget: float = BUDGET) -> Sequence[Path]:
    """Studies in an order that the seed alone decides, each as long as it fits into what is left of the budget.

    One that is longer than the whole budget is never among them: it needs `--full`.

    Args:
        seconds: predicted cost of each study.
        seed: of the order.
        budget: most seconds of all together.
    """
    names = sorted(seconds)
    random.Random(seed).shuffle(names)
    chosen, left = list[Path](), budget
    for name in names:
        if seconds[name] <= left:
            chosen.append(name)
            left -= seconds[name]
    return chosen
