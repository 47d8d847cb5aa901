"""An experiment that costs nothing, and a study of it of any size: the remaining time is the harness's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

import numpy as np

from harness.experiments.setup import Setup
from harness.registry import load_registry
from harness.schema import BATCH_STATISTICS, Record
from harness.store.commit import encode
from harness.study.plan import Run
from harness.study.plugins import Named
from harness.study.spec import Experiment, Registry, Section, Sections, setting

PER_STEP = ("log10_adjoint", "log10_immediate", *(f"log10_adjoint_{name}" for name in BATCH_STATISTICS))
T, RECORDS, EVALUATIONS = 20, 12, 40  # of a run's records: about as many as a short training leaves


class Coin(Section):
    """Settings with no meaning (`coin:`)."""

    side: Literal["heads", "tails"] = setting("heads", "what counts as solved")
    weight: int = setting(0, "an axis", ge=0)
    height: int = setting(0, "another", ge=0)


@dataclass(frozen=True)
class CoinSections(Sections):
    """The sections of the experiment."""

    coin: Coin


def toss(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Records of made-up numbers that follow from the run's id."""
    for run in runs:
        draw = np.random.default_rng(int(run.run_id, 16))
        measured = {
            "outcome": "solved" if draw.random() < 0.5 else "unsolved",
            "updates": 4000,
            "final_accuracy": draw.random(),
            "final_loss": draw.random(),
            "engine": "none",
            "device": "cpu",
            "cpu": "any",
            "versions": "none",
            "seconds": 0.0,
        }
        curves = [{"update": 100 * i, "loss": draw.random(), "accuracy": draw.random()} for i in range(EVALUATIONS)]
        gradients = [{"update": 2**i, **{name: draw.normal(size=T) for name in PER_STEP}} for i in range(RECORDS)]
        yield Record(run.run_id, measured, {"curves": curves, "gradients": gradients})


def names(named: Named) -> Registry:
    """All that a study can name, and this experiment."""
    known = load_registry(named)
    own = Experiment("toss", typed=CoinSections, entry=f"{__name__}:toss", cost=lambda sections: 1e-3)
    return replace(known, experiments={**known.experiments, "toss": own})


def study(runs: int, seeds: int = 8) -> str:
    """A study of so many runs as YAML, with a figure and two expectations.

    Args:
        runs: a multiple of 2·10·seeds.
    """
    heights: Any = list(range(runs // (2 * 10 * seeds)))
    return f"""\
name: toss
claim: A coin has no memory.
experiment: toss
sweep: {{coin.side: [heads, tails], coin.weight: {list(range(10))}, coin.height: {heights}}}
seeds: {seeds}
figures:
  - {{kind: success, x: weight, hue: side}}
expect:
  - {{metric: success_rate, where: {{side: heads}}, at_least: 0.4}}
  - {{metric: success_rate, per: [weight], at_most: 0.6}}
"""


def copies(runs: Sequence[Run]) -> Iterator[tuple[str, bytes]]:
    """A commit for each run, all of one content but for the id: to have something to read."""
    [record] = toss(runs[:1], Setup())
    first = runs[0].run_id.encode()
    line, _, body = encode(record, runs[0].columns()).partition(b"\n")
    for run in runs:
        head = json.loads(line.replace(first, run.run_id.encode()))
        del head["sha256"]
        head["settings"] = run.columns()
        own = body.replace(first, run.run_id.encode())
        head["sha256"] = sha256(json.dumps(head).encode() + own).hexdigest()
        yield run.run_id, json.dumps(head).encode() + b"\n" + own
