"""Which shipped studies a regression run computes: a sample that fits into an hour, chosen by a seed."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import time

from harness.execution.processes import workers
from harness.execution.swept_seeds import swept_seeds
from harness.registry import read
from harness.study.plan import plan

SEED = int(os.environ.get("REGRESSION_SEED") or time())
BUDGET = 3600.0  # seconds, by predicted cost
AROUND = 20.0  # seconds of a study beside its runs: workers, compilation, tables and figures


def predicted(path: Path) -> float:
    """Predicted seconds of a study on the cores that a sweep takes here; runs that end early make it less.

    Of a study with held-out seeds those of the phase that it is in; with tuning, of both phases.
    """
    planned = plan(read(path))
    omitted = swept_seeds(planned).omitted
    costs = planned.costs(run for run in planned.runs if run.seed not in omitted)
    return (sum(costs.values()) + planned.waiting_seconds) / workers(-1) + AROUND


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
